//! What the money is about: amounts, orders, payments, documents, movements and how they are booked.
//!
//! Pure: nothing here sees a clock, a socket, a file, the environment, a terminal or SQL.

pub mod booking;
pub mod consequence;
pub mod customer;
pub mod deletion;
pub mod document;
pub mod entry;
pub mod exception;
pub mod id;
pub mod invitation;
pub mod invoice;
pub mod letter;
pub mod mandate;
pub mod money;
pub mod movement;
pub mod order;
pub mod payment;
pub mod portal;
pub mod refund_request;
pub mod schedule;
pub mod settlement;
pub mod template;
