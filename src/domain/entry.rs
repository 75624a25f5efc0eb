//! Entries: open items that payments are assigned to, before there is an invoice or with it (domain 3.1 to 3.3).

use std::fmt;

use chrono::NaiveDate;
use serde::Serialize;

use super::id::{AssignmentKey, CustomerNumber, DocumentId, EntryId, EntryReference, MovementId, OrderId};
use super::money::{Amount, MoneyError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    /// The portal's own name of it; the invoice's number where an invoice made it, and none in ledgers of earlier versions.
    pub reference: Option<EntryReference>,
    pub customer: CustomerNumber,
    pub order: Option<OrderId>,
    /// Ties it to an invoice that comes later (entry-first).
    pub key: Option<AssignmentKey>,
    /// Ties it to a payment that came before (payment-first).
    pub payment_key: Option<AssignmentKey>,
    /// What payment pages and letters call it.
    pub title: String,
    /// What is to be paid; never negative.
    pub initial: Amount,
    /// What a credit note took off it.
    pub reduction: Amount,
    /// What payments have paid of it.
    pub assigned: Amount,
    pub status: EntryStatus,
    pub due_on: Option<NaiveDate>,
    /// The invoice it belongs to, once there is one.
    pub document: Option<DocumentId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryStatus {
    Open,
    /// Paid to the cent.
    Balanced,
    /// Takes part in nothing any more.
    Cancelled,
}

/// A part of a movement and the entry it pays, or gives back: negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    pub entry: EntryId,
    pub movement: MovementId,
    pub amount: Amount,
}

impl EntryStatus {
    pub const ALL: [Self; 3] = [Self::Open, Self::Balanced, Self::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Balanced => "balanced",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for EntryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "Open",
            Self::Balanced => "Balanced",
            Self::Cancelled => "Cancelled",
        })
    }
}

impl Entry {
    /// What is still to be paid; never "close enough" (trap T44).
    pub fn open(&self) -> Result<Amount, MoneyError> {
        match self.status {
            EntryStatus::Cancelled => Ok(Amount::zero(self.initial.currency())),
            EntryStatus::Open | EntryStatus::Balanced => {
                self.initial.checked_sub(self.reduction)?.checked_sub(self.assigned)
            }
        }
    }

    /// As its amounts say. An entry over nothing is balanced at once (trap T49).
    pub fn status_now(&self) -> EntryStatus {
        match self.status {
            EntryStatus::Cancelled => EntryStatus::Cancelled,
            EntryStatus::Open | EntryStatus::Balanced if self.open().is_ok_and(Amount::is_zero) => {
                EntryStatus::Balanced
            }
            EntryStatus::Open | EntryStatus::Balanced => EntryStatus::Open,
        }
    }

    /// As an exception names it.
    pub fn name(&self) -> String {
        match (&self.reference, self.title.as_str()) {
            (Some(reference), _) => format!("entry {reference}"),
            (None, "") => format!("entry {}", self.id),
            (None, title) => format!("entry {} ({title})", self.id),
        }
    }
}

/// What entries are for, as a buyer knows it.
pub fn title(entries: &[Entry]) -> String {
    let titles: Vec<&str> =
        entries.iter().map(|entry| entry.title.as_str()).filter(|title| !title.is_empty()).collect();
    if !titles.is_empty() {
        return titles.join(", ");
    }
    let references = entries.iter().filter_map(|entry| entry.reference.as_ref());
    references.map(EntryReference::as_str).collect::<Vec<_>>().join(", ")
}

/// Splits collected money over the entries it may pay, in their order: each gets what it lacks, and what is left is free on
/// the account (trap T45).
pub fn spread(amount: Amount, entries: &[Entry]) -> Result<Vec<(EntryId, Amount)>, MoneyError> {
    let mut left = amount;
    let mut parts = Vec::new();
    for entry in entries.iter().filter(|entry| entry.initial.currency() == amount.currency()) {
        let part = left.at_most(entry.open()?)?;
        if part.is_positive() {
            parts.push((entry.id, part));
            left = left.checked_sub(part)?;
        }
    }
    Ok(parts)
}

/// Takes money back from the entries it paid, the newest assignment first: at most what each has of this payment.
pub fn take_back(amount: Amount, newest_first: &[(EntryId, Amount)]) -> Result<Vec<(EntryId, Amount)>, MoneyError> {
    let mut left = amount;
    let mut parts = Vec::new();
    for (entry, assigned) in newest_first {
        let part = left.at_most(*assigned)?;
        if part.is_positive() {
            parts.push((*entry, part.negated()));
            left = left.checked_sub(part)?;
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    fn eur(minor: i64) -> Amount {
        Amount::from_minor(minor, Currency::parse("EUR").unwrap())
    }

    fn entry(id: i64, initial: i64, assigned: i64, status: EntryStatus) -> Entry {
        Entry {
            id: EntryId(id),
            reference: None,
            customer: CustomerNumber::parse("10042").unwrap(),
            order: None,
            key: None,
            payment_key: None,
            title: String::new(),
            initial: eur(initial),
            reduction: eur(0),
            assigned: eur(assigned),
            status,
            due_on: None,
            document: None,
        }
    }

    #[test]
    fn more_than_the_entries_lack_stays_free_and_less_leaves_the_last_open() {
        let entries = [
            entry(1, 500, 200, EntryStatus::Open),
            entry(2, 900, 0, EntryStatus::Cancelled),
            entry(3, 400, 0, EntryStatus::Open),
        ];
        let spread = |minor| spread(eur(minor), &entries).unwrap();
        assert_eq!(spread(1_000), [(EntryId(1), eur(300)), (EntryId(3), eur(400))]);
        assert_eq!(spread(350), [(EntryId(1), eur(300)), (EntryId(3), eur(50))]);
        assert_eq!(spread(0), []);
    }

    #[test]
    fn what_is_taken_back_comes_off_the_newest_first() {
        let assigned = [(EntryId(3), eur(50)), (EntryId(1), eur(300))];
        assert_eq!(take_back(eur(100), &assigned).unwrap(), [(EntryId(3), eur(-50)), (EntryId(1), eur(-50))]);
        assert_eq!(take_back(eur(900), &assigned).unwrap(), [(EntryId(3), eur(-50)), (EntryId(1), eur(-300))]);
    }

    #[test]
    fn balanced_is_to_the_cent_and_can_be_open_again() {
        assert_eq!(entry(1, 500, 499, EntryStatus::Balanced).status_now(), EntryStatus::Open);
        assert_eq!(entry(1, 500, 500, EntryStatus::Open).status_now(), EntryStatus::Balanced);
        assert_eq!(entry(1, 0, 0, EntryStatus::Open).status_now(), EntryStatus::Balanced);
        assert_eq!(entry(1, 500, 500, EntryStatus::Cancelled).status_now(), EntryStatus::Cancelled);
        let reduced = Entry { reduction: eur(100), ..entry(1, 500, 400, EntryStatus::Open) };
        assert_eq!((reduced.open().unwrap(), reduced.status_now()), (eur(0), EntryStatus::Balanced));
    }
}
