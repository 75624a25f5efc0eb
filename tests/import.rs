//! `payjournal import` against a real ledger: what goes in, what is refused and with which words, and that a file goes in
//! whole or not at all.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the report")]

mod import {
    mod desk;
    mod documents;
    mod files;
    mod orders;
    mod payments;
    mod rejects;
}
