//! The port to payment service providers, and its adapters.
//!
//! `docs/architecture.md` holds the table that says which call of each PSP serves which method.

pub mod pages;
pub mod reports;
pub mod sandbox;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::id::{MethodName, ModificationId, TransactionId};
use crate::domain::money::Amount;
use crate::domain::payment::TransactionStatus;
use crate::domain::settlement::ReportLine;
use crate::operation::request::{CancelRequest, CollectRequest, PaymentRequest};
use crate::operation::{Answer, Key, LookUp, Refusal};

/// One merchant account at a PSP.
///
/// Every method blocks, bounded by the configured time-out, and is called from several threads at once.
pub trait Provider: Send + Sync {
    /// What the PSP can do with payments of a method.
    fn capabilities(&self, method: &MethodName) -> Capabilities;

    /// Captures, refunds or releases. The same key with the same content is one effect at the PSP, however often it is sent.
    fn send(&self, request: &PaymentRequest) -> Answer;

    /// Asks about an earlier `send` of the same key. `Absent` only if the PSP certainly does not have it.
    fn look_up(&self, request: &PaymentRequest) -> LookUp;

    /// How a payment and its modifications stand. A PSP without such a question answers `NotOffered`.
    fn standing(&self, transaction: &TransactionId) -> Result<PspPayment, PortError>;

    /// How long after it was sent a call may still take effect: a look-up that finds nothing proves something only later.
    fn settles_after(&self) -> Duration;

    /// What it tells of its payouts, if it can be asked; of others the reports come as files.
    fn payout_reports(&self) -> Option<&dyn PayoutReports> {
        None
    }

    /// Its payment pages, if it has any.
    fn payment_links(&self) -> Option<&dyn PaymentLinks> {
        None
    }

    /// How a payment that nobody has paid is closed, if that can be asked for; others only expire by themselves.
    fn cancelling(&self) -> Option<&dyn Cancelling> {
        None
    }

    /// How money is taken on a mandate, if it keeps any.
    fn collecting(&self) -> Option<&dyn Collecting> {
        None
    }
}

/// Taking money on what a customer gave once: a direct debit mandate, a stored card.
pub trait Collecting {
    /// Makes a payment on a mandate, and takes all of it at once. The same key with the same content is one payment, however often it
    /// is sent. What an answer names as the modification is the payment's transaction id.
    fn collect(&self, request: &CollectRequest) -> Answer;

    /// Asks about an earlier `collect` of the same key. `Absent` only if the PSP certainly does not have it.
    fn look_up_collect(&self, request: &CollectRequest) -> LookUp;
}

/// Closing payments and payment pages that are open.
pub trait Cancelling {
    /// Afterwards nobody can pay it. Refused where somebody has, or where it cannot be closed.
    fn cancel(&self, request: &CancelRequest) -> Answer;

    /// Asks about an earlier `cancel` of the same key. `Absent` only if the PSP certainly does not have it.
    fn look_up_cancel(&self, request: &CancelRequest) -> LookUp;
}

/// Payment pages of one merchant account.
pub trait PaymentLinks {
    /// Makes a page on which a customer pays at once, and the payment for it. The same key with the same content is one page,
    /// however often it is asked for.
    fn create(&self, request: &LinkRequest) -> Result<PaymentLink, PortError>;
}

/// A page to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRequest {
    pub key: Key,
    /// What the PSP gives back with the payment: the references of the entries.
    pub reference: String,
    /// What the page says is paid.
    pub title: String,
    pub amount: Amount,
    pub method: MethodName,
    /// Where the customer goes when it is paid, or not.
    pub return_url: Option<String>,
    pub cancel_url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLink {
    pub transaction: TransactionId,
    pub url: String,
}

/// Lines of a payout, as they come in.
pub type PayoutLines<'a> = Box<dyn Iterator<Item = Result<ReportLine, PortError>> + 'a>;

/// The settlement reports of one merchant account.
pub trait PayoutReports {
    /// Payouts paid at `since` or later, oldest first; all of them without it. It is asked once a run.
    fn payouts(&self, since: Option<DateTime<Utc>>) -> Result<Vec<ReportedPayout>, PortError>;

    /// All lines of a payout, what was paid out among them. Their account may be left empty.
    fn lines(&self, payout: &ReportedPayout) -> Result<PayoutLines<'_>, PortError>;
}

/// A payout that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedPayout {
    /// As the PSP names it.
    pub reference: String,
    pub paid_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    pub partial_capture: PartialCapture,
    pub refund: bool,
}

/// Rule 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartialCapture {
    /// All or nothing.
    None,
    /// One capture of a part; the PSP lets the rest lapse.
    Once,
    Many,
}

/// A payment as the PSP sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PspPayment {
    pub status: TransactionStatus,
    pub authorised: Option<Amount>,
    pub authorised_at: Option<DateTime<Utc>>,
    /// The PSP's own deadline, if it gives one.
    pub capture_before: Option<DateTime<Utc>>,
    pub modifications: Vec<PspModification>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PspModification {
    pub id: ModificationId,
    pub kind: ModificationKind,
    pub amount: Amount,
    pub state: ModificationState,
    /// The key we sent with it, if it is ours and the PSP gives it back.
    pub key: Option<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModificationKind {
    Capture,
    Refund,
    Release,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModificationState {
    Accepted,
    Confirmed { at: DateTime<Utc> },
    Failed { at: DateTime<Utc>, refusal: Refusal },
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortError {
    /// Asking again later may help.
    Unreachable { why: String },
    /// The other side has no such question: facts come another way (webhooks, reports).
    NotOffered,
    /// The other side does not know, or does not tell.
    CannotTell { why: String },
}

impl std::fmt::Display for PortError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotOffered => f.write_str("the other side offers no such question"),
            Self::Unreachable { why } | Self::CannotTell { why } => f.write_str(why),
        }
    }
}
