//! Movements: append-only facts about money, whoever caused them (rule 1). Journals hang on movements.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::consequence::LearntFrom;
use super::id::{DocumentId, ModificationId, MovementId, OperationId, PaymentId};
use super::money::Amount;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    pub id: MovementId,
    pub payment: PaymentId,
    pub kind: MovementKind,
    /// The PSP's id of the modification; with account and kind the natural key.
    pub modification: ModificationId,
    /// Never negative; the kind says which way the money went.
    pub amount: Amount,
    /// When the PSP says the money moved.
    pub occurred_at: DateTime<Utc>,
    /// Ours, if we asked for it.
    pub operation: Option<OperationId>,
    pub learnt_from: LearntFrom,
    pub learnt_at: DateTime<Utc>,
    /// Of a capture: the part that pays no document yet. Of a refund: the part that no document stands for.
    pub untied: Amount,
    /// Of a capture: the documents it has paid, each once.
    pub tied_to: Vec<DocumentId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    Capture,
    Refund,
    /// A confirmed capture that failed after all.
    CaptureFailure,
    /// A confirmed refund that failed after all.
    RefundFailure,
    /// The customer got the money back at the bank.
    Chargeback,
    /// The case was won: it came back to us.
    ChargebackReversed,
}

impl MovementKind {
    pub const ALL: [Self; 6] = [
        Self::Capture,
        Self::Refund,
        Self::CaptureFailure,
        Self::RefundFailure,
        Self::Chargeback,
        Self::ChargebackReversed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Refund => "refund",
            Self::CaptureFailure => "capture_failure",
            Self::RefundFailure => "refund_failure",
            Self::Chargeback => "chargeback",
            Self::ChargebackReversed => "chargeback_reversed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
