//! Orders and their payment status (domain 1.10, rule 14).

use std::fmt;

use chrono::NaiveDate;
use serde::Serialize;

use super::id::{CustomerNumber, OrderId, OrderNumber, ShopName};
use super::money::{Amount, MoneyError};
use super::payment::{Payment, TransactionStatus};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub shop: ShopName,
    pub number: OrderNumber,
    pub total: Amount,
    pub terms: Terms,
    pub cancelled: Cancellation,
    /// Who pays; journals are booked to this customer, which may not be the one who ordered.
    pub bill_to: CustomerNumber,
    pub payment_status: PaymentStatus,
    pub ordered_on: NaiveDate,
    /// It was taken out of the ERP because nobody paid it, or is in quarantine before that; a tombstone says so.
    pub deleted: bool,
}

/// How the order is to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    Online,
    /// Invoiced later on credit terms: always Paid, never captured.
    OnAccount,
    /// A share of the total, in hundredths of a percent, is paid with the order.
    Prepayment {
        basis_points: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancellation {
    None,
    /// What is invoiced stays; the rest will never be delivered.
    Rest,
    Full,
}

/// The status the shop shows for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Only ever the first status.
    New,
    InProgress,
    Paid,
    Cancelled,
    /// Terminal: blocks every further payment of the order until a person has looked.
    Error,
}

impl PaymentStatus {
    pub const ALL: [Self; 5] = [Self::New, Self::InProgress, Self::Paid, Self::Cancelled, Self::Error];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InProgress => "in_progress",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether an order may move on to `next`. A cancelled order comes back only because a later payment attempt succeeded.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::New => true,
            Self::InProgress => matches!(next, Self::InProgress | Self::Paid | Self::Cancelled | Self::Error),
            Self::Paid => matches!(next, Self::Paid | Self::Error),
            Self::Cancelled => matches!(next, Self::Cancelled | Self::InProgress | Self::Paid | Self::Error),
            Self::Error => next == Self::Error,
        }
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::New => "New",
            Self::InProgress => "In progress",
            Self::Paid => "Paid",
            Self::Cancelled => "Cancelled",
            Self::Error => "Error",
        })
    }
}

impl Cancellation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rest => "rest",
            Self::Full => "full",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Rest, Self::Full].into_iter().find(|value| value.as_str() == text)
    }
}

/// What one PSP status says about its order: the mapping table. `None` leaves the order as it is: an abandoned or expired
/// payment page keeps an order New (rule 14).
pub fn mapped(status: TransactionStatus) -> Option<PaymentStatus> {
    match status {
        TransactionStatus::Open | TransactionStatus::Expired => None,
        TransactionStatus::Pending | TransactionStatus::Authorised | TransactionStatus::Captured => {
            Some(PaymentStatus::InProgress)
        }
        TransactionStatus::Released | TransactionStatus::Cancelled | TransactionStatus::Refused => {
            Some(PaymentStatus::Cancelled)
        }
        TransactionStatus::Error => Some(PaymentStatus::Error),
    }
}

impl Order {
    /// What must be captured before the order counts as Paid: its total, its prepayment share, or what was invoiced where
    /// the rest is cancelled.
    pub fn required(&self, invoiced: Amount) -> Result<Amount, MoneyError> {
        match (self.terms, self.cancelled) {
            (Terms::OnAccount, _) => Ok(Amount::zero(self.total.currency())),
            (_, Cancellation::Rest | Cancellation::Full) => Ok(invoiced),
            (Terms::Online, Cancellation::None) => Ok(self.total),
            (Terms::Prepayment { basis_points }, Cancellation::None) => self.total.share(basis_points),
        }
    }

    /// The status that follows from the order's payments and invoices. Facts decide: a payment that was captured counts
    /// even if a later attempt was refused.
    pub fn status_now(&self, payments: &[Payment], invoiced: Amount) -> Result<PaymentStatus, MoneyError> {
        let now = self.payment_status;
        if self.terms == Terms::OnAccount {
            return Ok(PaymentStatus::Paid);
        }
        if now == PaymentStatus::Error || payments.iter().any(|payment| payment.status == TransactionStatus::Error) {
            return Ok(PaymentStatus::Error);
        }
        let captured = Amount::sum(self.total.currency(), payments.iter().map(|payment| payment.captured))?;
        let required = self.required(invoiced)?;
        let paid = captured.is_positive() && captured.minor() >= required.minor();
        let next = if paid || now == PaymentStatus::Paid {
            PaymentStatus::Paid
        } else {
            let says: Vec<PaymentStatus> = payments.iter().filter_map(|payment| mapped(payment.status)).collect();
            if says.contains(&PaymentStatus::InProgress) || captured.is_positive() {
                PaymentStatus::InProgress
            } else {
                says.last().copied().unwrap_or(now)
            }
        };
        Ok(if now.may_become(next) { next } else { now })
    }
}
