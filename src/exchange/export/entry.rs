//! A journal as the formats write it, whether it hangs on a movement or on a payout.

use chrono::NaiveDate;

use crate::domain::id::Account;
use crate::domain::money::Amount;
use crate::ledger::settlements::PayoutJournal;
use crate::ledger::{BookedJournal, InvoiceJournal};

#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) posting_date: NaiveDate,
    /// Where it came too late for the month of its own day: that day.
    pub(super) moved_on: Option<NaiveDate>,
    pub(super) number: &'a str,
    pub(super) kind: &'static str,
    pub(super) direction: &'static str,
    /// What kind of document, as scripts and as people name it, and its number.
    pub(super) document: Option<(&'static str, &'static str, &'a str)>,
    pub(super) order: Option<&'a str>,
    pub(super) customer: Option<&'a str>,
    pub(super) provider: Option<&'a str>,
    pub(super) transaction: Option<&'a str>,
    pub(super) modification: Option<&'a str>,
    /// Debit positive.
    pub(super) postings: Vec<EntryPosting<'a>>,
}

#[derive(Debug)]
pub(super) struct EntryPosting<'a> {
    pub(super) account: &'a Account,
    pub(super) amount: Amount,
}

impl<'a> Entry<'a> {
    pub(super) fn of_movement(journal: &'a BookedJournal) -> Self {
        let document = journal.document_kind.zip(journal.document_number.as_ref());
        let postings = journal.postings.iter();
        Self {
            posting_date: journal.posting_date,
            moved_on: None,
            number: &journal.number,
            kind: journal.kind.as_str(),
            direction: journal.direction.as_str(),
            document: document.map(|(kind, number)| (kind.as_str(), kind.noun(), number.as_str())),
            order: journal.order.as_deref(),
            customer: Some(journal.bill_to.as_str()),
            provider: None,
            transaction: Some(journal.transaction.as_str()),
            modification: Some(journal.modification.as_str()),
            postings: postings
                .map(|posting| EntryPosting { account: &posting.account, amount: posting.amount })
                .collect(),
        }
    }

    pub(super) fn of_payout(journal: &'a PayoutJournal) -> Self {
        let postings = journal.postings.iter();
        Self {
            posting_date: journal.entry.posting_date,
            moved_on: None,
            number: &journal.number,
            kind: journal.entry.kind.as_str(),
            direction: "original",
            document: Some(("payout", "payout", journal.payout.as_str())).filter(|(_, _, number)| !number.is_empty()),
            order: None,
            customer: None,
            provider: Some(journal.provider.as_str()),
            transaction: None,
            modification: None,
            postings: postings
                .map(|posting| EntryPosting { account: &posting.account, amount: posting.amount })
                .collect(),
        }
    }

    pub(super) fn of_invoice(journal: &'a InvoiceJournal) -> Self {
        let postings = journal.postings.iter();
        Self {
            posting_date: journal.posting_date,
            moved_on: None,
            number: &journal.number,
            kind: journal.kind.as_str(),
            direction: "original",
            document: Some((journal.kind.as_str(), journal.kind.noun(), journal.document.as_str())),
            order: Some(&journal.order),
            customer: Some(&journal.customer),
            provider: None,
            transaction: None,
            modification: None,
            postings: postings
                .map(|posting| EntryPosting { account: &posting.account, amount: posting.amount })
                .collect(),
        }
    }

    /// In the month of `first`: what is of an earlier day is booked on the first.
    pub(super) fn booked_in(self, first: NaiveDate) -> Self {
        let is_late = self.posting_date < first;
        let (posting_date, moved_on) =
            if is_late { (first, Some(self.posting_date)) } else { (self.posting_date, None) };
        Self { posting_date, moved_on, ..self }
    }

    /// Whom it is about: the customer, or the PSP.
    pub(super) fn payee(&self) -> &'a str {
        self.customer.or(self.provider).unwrap_or_default()
    }

    /// What it says about itself besides its postings: a name and a value each.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        [
            ("kind", Some(self.kind.to_owned())),
            ("direction", Some(self.direction.to_owned())),
            ("document", self.document.map(|(_, noun, number)| format!("{noun} {number}"))),
            ("date", self.moved_on.map(|day| day.to_string())),
            ("order", self.order.map(str::to_owned)),
            ("customer", self.customer.map(str::to_owned)),
            ("transaction", self.transaction.map(str::to_owned)),
            ("modification", self.modification.map(str::to_owned)),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
    }
}
