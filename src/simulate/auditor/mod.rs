//! The auditor: what must hold of what payjournal did, said by the rules (`docs/accounting.md`) and not by the tasks.
//!
//! It sees what really happened outside ([`Record`]) and what the ledger believes ([`Rows`]), and nothing else. It shares no
//! code with the tasks, no amounts and no decisions: a mistake there is not copied here.
//!
//! [`each_day`] is safety: it holds at any moment, also after a kill in the middle of everything. [`at_rest`] is liveness:
//! the faults have stopped, everything outside was told and all tasks ran for many days. What can finish has finished, and
//! the rest is an exception that a person sees, the right one.
//!
//! # What is not checked, and why
//!
//! - Posting dates, customers of postings, the wording of mails and who gets them: the record does not have them.
//! - A ledger restored from a backup: an effect whose operation is gone counts as one without intent. No world restores one.
//! - Whether a call was made for the amount that was right at that very second: what was told within an hour (`A_RUN`) may
//!   have come too late for the plan. An absence believed too early, and days counted too short, are let pass where a run's
//!   clock was wrong.
//! - Whether a capture, refund or release was right that its PSP made after it had said no: nobody could know of it then.
//! - Sums of a transaction whose authorised amount somebody changed: a history of it is not recorded. Parts and what is left
//!   of it are not judged after something of it failed.
//! - The order of refunds is judged only where nothing was ever tried on the older payment: refusals and people change it.
//! - Release and capture of what lacks are judged per order only where the order has one payment of its own; with several
//!   the rules leave open which one gives back.
//! - Paid is accepted of every order for which something was ever captured: it never goes back, and totals change. Orders
//!   whose invoices are paid by name are only checked for Paid that is due.
//! - Prepayment orders beyond the prepayment and orders on account: what they lack is settled by agreement.
//! - A deletion is judged by the payments the ledger was told of some time before the call; what a PSP takes against its own
//!   word within the hour before it came after the last question. That an order leaves quarantine in time, goes again after a person
//!   put it back, or that a run keeps its limit: what came to nothing does not count, and may be done by another run.
//! - Exceptions a person resolved or acknowledged are not judged; of those that tell how things stand, only open ones count
//!   as told. That the ERP could not be read, or an answer contradicted another, is believed where there was any fault.

mod books;
mod captures;
mod chargebacks;
mod corrections;
mod customers;
mod deletions;
mod free_balances;
mod heirs;
mod index;
mod intents;
mod invariants;
mod invoices;
mod lines;
mod mails;
mod movements;
mod pages;
mod payouts;
mod refunds;
mod refusals;
mod releases;
mod rest;
mod sums;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::ledger::rows::Rows;

use super::record::{Posted, Record};
use index::Index;

pub use invariants::INVARIANTS;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its name in [`INVARIANTS`].
    pub invariant: &'static str,
    pub about: About,
    pub says: String,
}

/// Whose operations to print, and what to keep while the story is made shorter.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    pub order: Option<String>,
    pub transaction: Option<String>,
    /// Kind and number.
    pub document: Option<(String, String)>,
}

/// Violations as they are found.
#[derive(Debug, Default)]
struct Found(Vec<Violation>);

/// SAFETY: holds at any moment.
pub fn each_day(record: &Record, rows: &Rows) -> Vec<Violation> {
    let mut found = Found::default();
    let record = as_known(record, rows);
    let billed = corrections::posted(&record, rows);
    let index = Index::of(&record, rows, &billed);
    intents::check(&index, &mut found);
    sums::check(&index, &mut found);
    captures::check(&index, &mut found);
    refunds::check(&index, &mut found);
    chargebacks::check(&index, &mut found);
    releases::check(&index, &mut found);
    refusals::check(&index, &mut found);
    movements::check(&index, &mut found);
    books::check(&index, &mut found);
    lines::check(&index, &mut found);
    mails::check(&index, &mut found);
    payouts::check(&index, &mut found);
    invoices::check(&index, &mut found);
    corrections::check(&index, &mut found);
    free_balances::check(&index, &mut found);
    deletions::check(&index, &mut found);
    pages::check(&index, &mut found);
    found.0
}

/// LIVENESS: holds when everything has come to rest. Beside [`each_day`], not instead of it.
pub fn at_rest(record: &Record, rows: &Rows) -> Vec<Violation> {
    let record = as_known(record, rows);
    let billed = corrections::posted(&record, rows);
    let index = Index::of(&record, rows, &billed);
    let mut found = Found::default();
    rest::check(&index, &mut found);
    payouts::check_at_rest(&index, &mut found);
    chargebacks::check_at_rest(&index, &mut found);
    invoices::check_at_rest(&index, &mut found);
    corrections::check_at_rest(&index, &mut found);
    customers::check_at_rest(&index, &mut found);
    deletions::check_at_rest(&index, &mut found);
    pages::check_at_rest(&index, &mut found);
    found.0
}

/// The record with what only the ledger can say: whose the money of deleted orders is, and the payments of pages.
pub fn as_known<'r>(record: &'r Record, rows: &Rows) -> Cow<'r, Record> {
    pages::with_known(heirs::with_heirs(record, rows), rows)
}

impl Found {
    fn tell(&mut self, invariant: &'static str, about: About, says: String) {
        self.0.push(Violation { invariant, about, says });
    }
}

impl About {
    fn document(document: Option<(String, String)>) -> Self {
        Self { order: None, transaction: None, document }
    }

    fn of_document(posted: &Posted) -> Self {
        let document = Some((posted.kind.to_owned(), posted.number.clone()));
        Self { order: posted.order.clone(), transaction: None, document }
    }
}
