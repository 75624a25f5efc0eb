//! What takes an invoice back: a cancellation all of it, a credit note lines of it. The invoice itself stays as it is (trap T50).

use std::fmt;

use chrono::NaiveDate;

use super::number::NumberRange;
use crate::domain::id::{DocumentId, DocumentNumber, OperationId, TransactionId};
use crate::domain::money::Amount;

/// An invoice to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancellationDraft {
    pub invoice: DocumentId,
    /// Never before the invoice's own date.
    pub dated: NaiveDate,
    pub range: NumberRange,
    /// For the next person who reads it.
    pub reason: String,
}

/// An invoice that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    pub number: DocumentNumber,
    pub total: Amount,
    /// What had paid it, and is the customer's again.
    pub returned: Amount,
}

/// Why an invoice cannot be taken back, or not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotCancel {
    /// The ERP made it.
    NotOurs,
    Already {
        by: DocumentNumber,
    },
    /// Part of it was credited.
    Credited {
        by: DocumentNumber,
    },
    /// Money for it may be on its way.
    UnderWay {
        operation: OperationId,
        kind: &'static str,
    },
    /// Its money went back to the customer through the bank.
    ChargedBack {
        transaction: TransactionId,
    },
}

impl fmt::Display for CannotCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it was not made by payjournal: cancel it in the ERP"),
            Self::Already { by } => write!(f, "it was cancelled by {by}"),
            Self::Credited { by } => write!(
                f,
                "credit note {by} has taken back a part of it; take back the rest with `payjournal credit-note`"
            ),
            Self::UnderWay { operation, kind } => write!(
                f,
                "its {kind} (operation {operation}) has no final answer, and its money may be on its way; `payjournal sync-payments` \
                 and `payjournal capture` ask for it"
            ),
            Self::ChargedBack { transaction } => write!(
                f,
                "payment {transaction}, which paid it, was charged back: the bank has given the customer that money; \
                 `payjournal status` lists the case"
            ),
        }
    }
}
