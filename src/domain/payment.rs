//! Payments: one transaction at a PSP. An order may have several over time; the latest is current, all still count.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::id::{DocumentNumber, MerchantAccount, MethodName, OrderId, PaymentId, ProviderName, TransactionId};
use super::money::{Amount, MoneyError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: PaymentId,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub transaction: TransactionId,
    pub order: Option<OrderId>,
    pub method: MethodName,
    pub status: TransactionStatus,
    /// When the status last changed: the validity clock starts here (trap T17).
    pub status_since: DateTime<Utc>,
    /// When the PSP authorised; a capture delay counts from here.
    pub authorised_at: Option<DateTime<Utc>>,
    /// The latest authorised amount; zero while open.
    pub authorised: Amount,
    /// Confirmed captures less captures that failed after all.
    pub captured: Amount,
    /// Confirmed refunds less refunds that failed after all.
    pub refunded: Amount,
    /// Captures we intended or the PSP reported: what no longer can be captured again.
    pub claimed: Amount,
    /// Refunds we intended or the PSP reported.
    pub refund_claimed: Amount,
    /// What the customer got back at the bank, less what was won back: it cannot be refunded once more.
    pub charged_back: Amount,
    /// The PSP reports another amount than is recorded or was asked for, or its settlement lines are not clear, and no person has
    /// decided yet: nothing new is intended for this payment (rule 2).
    pub amount_differs: bool,
    /// A settlement report has a chargeback of it that no person has ended: nothing new is intended for this payment.
    pub is_charged_back: bool,
    /// The deadline the PSP gave, if it gave one.
    pub capture_before: Option<DateTime<Utc>>,
    /// The documents this payment pays, in this order, where the customer paid invoices instead of an order.
    pub pays: Vec<DocumentNumber>,
}

/// How the PSP says a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionStatus {
    /// The customer is on the payment page, or left it.
    Open,
    /// The PSP waits for somebody else.
    Pending,
    /// Money is reserved and (partly) still to be captured.
    Authorised,
    /// Captured, and nothing is reserved any more.
    Captured,
    /// The reservation was given back before anything was captured.
    Released,
    Cancelled,
    Refused,
    Expired,
    /// The PSP cannot say, or says something we do not know.
    Error,
}

impl TransactionStatus {
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Pending,
        Self::Authorised,
        Self::Captured,
        Self::Released,
        Self::Cancelled,
        Self::Refused,
        Self::Expired,
        Self::Error,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Error => "error",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the PSP may still change its mind, so that `sync-payments` asks again.
    pub fn is_final(self) -> bool {
        match self {
            Self::Open | Self::Pending | Self::Authorised => false,
            Self::Captured | Self::Released | Self::Cancelled | Self::Refused | Self::Expired | Self::Error => true,
        }
    }
}

impl Payment {
    /// What may still be captured: nothing unless the transaction is authorised.
    pub fn still_authorised(&self) -> Result<Amount, MoneyError> {
        match self.status {
            TransactionStatus::Authorised => Ok(self.authorised.checked_sub(self.claimed)?.or_zero()),
            TransactionStatus::Open
            | TransactionStatus::Pending
            | TransactionStatus::Captured
            | TransactionStatus::Released
            | TransactionStatus::Cancelled
            | TransactionStatus::Refused
            | TransactionStatus::Expired
            | TransactionStatus::Error => Ok(Amount::zero(self.authorised.currency())),
        }
    }
}
