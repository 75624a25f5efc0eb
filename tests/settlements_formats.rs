//! Each format through the binary, against numbers that were reckoned by hand: what a report says becomes facts, bookings and
//! proofs; the same lines again, in a table whose columns stand elsewhere, become nothing.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

#[path = "formats/bench.rs"]
mod bench;
mod support;

#[path = "formats/adyen.rs"]
mod adyen;
#[path = "formats/generic.rs"]
mod generic;
#[path = "formats/klarna.rs"]
mod klarna;
#[path = "formats/paypal.rs"]
mod paypal;
#[path = "formats/stripe.rs"]
mod stripe;
