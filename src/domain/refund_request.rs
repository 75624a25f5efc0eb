//! What a person wants paid back of a payment, of money that belongs to no invoice and no entry.

use std::fmt;

use super::id::{DocumentNumber, OperationId, PaymentId, TransactionId};
use super::money::Amount;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    pub payment: PaymentId,
    /// `None`: all that is free.
    pub amount: Option<Amount>,
    /// For the next person who reads it.
    pub reason: String,
}

/// A request that stands, with the number its refund has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    pub number: DocumentNumber,
    pub amount: Amount,
}

/// Why it cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotRequest {
    /// Money of it is tied to invoices, waits for an entry, went back already, or never came.
    NotFree {
        transaction: TransactionId,
        free: Amount,
    },
    ChargedBack {
        transaction: TransactionId,
    },
}

/// Why a request cannot be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotWithdraw {
    NoRequest,
    /// Nothing of it is left.
    PaidBack,
    UnderWay {
        operation: OperationId,
    },
}

impl fmt::Display for CannotRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFree { transaction, free } => write!(
                f,
                "{free} of payment {transaction} is free: the rest is tied to invoices, waits for an entry, was paid back, or is asked \
                 for already"
            ),
            Self::ChargedBack { transaction } => {
                write!(
                    f,
                    "payment {transaction} was charged back: the bank has given the customer that money. What is left of it can be paid \
                     back once its exception `chargeback` was ended with `payjournal resolve`"
                )
            }
        }
    }
}

impl fmt::Display for CannotWithdraw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRequest => f.write_str("it is no refund request"),
            Self::PaidBack => f.write_str("nothing of it is left: it was paid back, or withdrawn"),
            Self::UnderWay { operation } => {
                write!(f, "its refund (operation {operation}) was sent and has no final answer")
            }
        }
    }
}
