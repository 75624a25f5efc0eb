//! What the settlement lines of one payment say that the ledger does not know (rule 21): pure, and line by line.
//!
//! Reports name a capture as they like: by the PSP's id, by one of their own, or not at all. So what the ledger has is first found
//! again in the lines, by id, then by amount; only a line for which nothing is left that it could be is a fact. What cannot be
//! told apart is named to a person: a capture that is booked twice costs more than one that is booked late.

mod reckoning;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use super::{Decimal, LineKind};
use crate::domain::id::{ModificationId, OperationId};
use crate::domain::money::{Amount, Currency, MoneyError};
use reckoning::Reckoning;

/// A line that belongs to the payment by its transaction id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledLine {
    /// `FILE:NUMBER`, as a person names it.
    pub name: String,
    pub kind: LineKind,
    /// `None` where the report has no id, or none the ledger could take.
    pub modification: Option<ModificationId>,
    /// The merchant's reference of the modification; empty where there is none.
    pub document: String,
    pub payout: String,
    /// The n-th of equal lines of its payout.
    pub ordinal: i64,
    /// What the customer saw; what we get is positive.
    pub presented: (Decimal, Currency),
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Captures,
    Refunds,
}

/// A movement of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub side: Side,
    pub id: ModificationId,
    pub amount: Amount,
    /// It failed after all, and is reversed.
    pub is_undone: bool,
}

/// An operation of ours that may have been carried out and has no final answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    pub side: Side,
    pub operation: OperationId,
    pub id: Option<ModificationId>,
    pub amount: Amount,
    /// The number of its document.
    pub document: Option<String>,
    /// A run waits for its answer, or died while it did.
    pub is_sent: bool,
}

/// What the ledger has of the payment.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub transaction: &'a str,
    pub currency: Currency,
    pub recorded: &'a [Recorded],
    pub under_way: &'a [UnderWay],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Nothing in the ledger stands for it.
    Moved { side: Side, id: ModificationId, amount: Amount, at: DateTime<Utc> },
    /// An operation of ours was carried out.
    Settles { operation: OperationId, side: Side, id: ModificationId, amount: Amount, at: DateTime<Utc> },
    /// It is recorded under this id; the amount is that of the lines where they name the id.
    Stands { side: Side, id: ModificationId, amount: Amount, at: DateTime<Utc> },
    /// What is recorded under this id went back.
    TakenBack { side: Side, id: ModificationId, amount: Amount, at: DateTime<Utc> },
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    pub facts: Vec<Fact>,
    /// What a person must tell apart, with both sides named.
    pub unclear: Vec<(Side, String)>,
    /// Operations whose answer is still to come.
    pub awaited: Vec<OperationId>,
}

/// What the lines of a payment say that the ledger does not know. Once it is recorded, the same lines say nothing more.
pub fn decide(known: &Known<'_>, lines: &[SettledLine]) -> Result<Decision, MoneyError> {
    let mut decision = Decision::default();
    for side in [Side::Captures, Side::Refunds] {
        let mut reckoning = Reckoning::begin(side, known, lines);
        reckoning.adjust();
        reckoning.find_by_id();
        reckoning.find_failures();
        reckoning.forget_what_left();
        reckoning.find_operations();
        reckoning.find_by_amount();
        reckoning.take_back(&mut decision);
        reckoning.conclude(&mut decision)?;
    }
    Ok(decision)
}

impl Side {
    pub fn noun(self) -> &'static str {
        match self {
            Self::Captures => "capture",
            Self::Refunds => "refund",
        }
    }
}
