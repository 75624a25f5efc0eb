//! Exceptions: things that need a person.

use serde::Serialize;

use super::id::{DocumentId, EntryId, OperationId, OrderId, PaymentId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// A document wants more than is still authorised.
    ExceedsAuthorised,
    /// Other money was taken for the order too: with this capture it would be paid twice.
    ExceedsOrder,
    PartialCaptureNotAllowed,
    /// The authorisation lapsed before it could be captured.
    AuthorisationExpired,
    /// The ERP could not say what is outstanding; nothing is captured or refunded on a guess.
    OutstandingUnreadable,
    /// Another payment for the invoice has been under way for too long.
    WaitsForPayment,
    /// Captured money that no invoice takes: of a cancelled order, beyond what the order costs, or beyond what is open of the entry it came
    /// for.
    UntiedMoney,
    /// Captured once already, and open again: never captured a second time automatically (rule 17).
    CapturedAlready,
    CaptureRefused,
    /// What is due of an entry could not be taken on its customer's mandate.
    CollectionRefused,
    /// The PSP has another request under the key of a collection: it may have taken the money.
    CollectionUnclear,
    /// A collection was refused as often as it is tried.
    CollectionStopped,
    /// A customer has several mandates an entry could be collected on.
    MandateAmbiguous,
    /// A credit note without an invoice is never refunded.
    RefundWithoutInvoice,
    /// The invoice was not, or not enough, paid through the PSP.
    RefundExceedsCaptured,
    RefundNotAllowed,
    /// Somebody else refunded: nobody knows whether for this credit note.
    OutsideRefund,
    RefundRefused,
    ReleaseRefused,
    JournalRefused,
    /// The ERP has our document number with other content.
    JournalDiffers,
    MailRefused,
    /// Stood the same for its whole validity.
    GivenUp,
    /// The PSP moved money nobody here asked for.
    UnaskedMovement,
    /// The PSP says yes to what it refused, or no to what it never got: the fact is recorded, the operation stays.
    AnswerContradicts,
    /// The PSP reports another amount than was asked for.
    AmountDiffers,
    /// The PSP cannot say how a payment stands.
    PaymentError,
    /// Nothing of a settlement report was taken over.
    ReportRefused,
    /// A line of a settlement report was left out.
    LineRefused,
    /// A settlement line is in the ledger with other amounts (rule 21).
    LineDiffers,
    /// Settlement lines are of a merchant account nobody configured.
    AccountUnknown,
    /// Settlement lines belong to no order.
    LinesUnmatched,
    /// Settlement lines name more than one order.
    MatchAmbiguous,
    /// Settlement lines have their order, and their payment is not in the ledger: nothing of them can be booked.
    PaymentUnknown,
    /// Settlement lines of a payment may be money the ledger has under another name, or money it does not have.
    LinesUnclear,
    /// The customer got the money back at the bank: until a person has ended it, nothing is taken from the payment or given back.
    Chargeback,
    /// A payout does not add up, or its report does not come.
    PayoutRemainder,
    /// An order cannot be billed: no lines, an unknown tax rate, lines that do not come to its total. Or it was cancelled since.
    NotBillable,
    /// Two orders, entries or payments have the same assignment key.
    KeyCollides,
    /// What has an order's assignment key is another customer's, in another currency, or over another amount; or what a payment names was
    /// cancelled, before or after it was paid.
    KeyMismatch,
    /// An invoice waits for its customer's mail address.
    InvoiceNotSent,
    /// There is money on an order that was deleted because nobody had paid it.
    PaidAfterDeletion,
    /// The ERP does not let an unpaid order go.
    DeletionRefused,
    /// The PSP does not close a payment that is open: it could still be paid, so its order stays; or a page that asks for nothing any more.
    NotClosed,
    /// More orders would be deleted than one run may.
    DeletionsCapped,
    /// The portal does not take what it is told.
    PortalUndelivered,
}

/// An exception to be raised. One with the same kind and subject that is still open is the same exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionDraft {
    pub kind: ExceptionKind,
    /// What it is about, as a person names it: `invoice 103210 of order WEB/1001`.
    pub subject: String,
    /// What is wrong, with all the figures, and what to do.
    pub message: String,
    pub about: About,
}

/// The ledger rows an exception is about, so that `show` finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct About {
    pub order: Option<OrderId>,
    pub payment: Option<PaymentId>,
    pub document: Option<DocumentId>,
    pub operation: Option<OperationId>,
    pub entry: Option<EntryId>,
}

impl ExceptionKind {
    pub const ALL: [Self; 46] = [
        Self::ExceedsAuthorised,
        Self::ExceedsOrder,
        Self::PartialCaptureNotAllowed,
        Self::AuthorisationExpired,
        Self::OutstandingUnreadable,
        Self::WaitsForPayment,
        Self::UntiedMoney,
        Self::CapturedAlready,
        Self::CaptureRefused,
        Self::CollectionRefused,
        Self::CollectionUnclear,
        Self::CollectionStopped,
        Self::MandateAmbiguous,
        Self::RefundWithoutInvoice,
        Self::RefundExceedsCaptured,
        Self::RefundNotAllowed,
        Self::OutsideRefund,
        Self::RefundRefused,
        Self::ReleaseRefused,
        Self::JournalRefused,
        Self::JournalDiffers,
        Self::MailRefused,
        Self::GivenUp,
        Self::UnaskedMovement,
        Self::AnswerContradicts,
        Self::AmountDiffers,
        Self::PaymentError,
        Self::ReportRefused,
        Self::LineRefused,
        Self::LineDiffers,
        Self::AccountUnknown,
        Self::LinesUnmatched,
        Self::MatchAmbiguous,
        Self::PaymentUnknown,
        Self::LinesUnclear,
        Self::Chargeback,
        Self::PayoutRemainder,
        Self::NotBillable,
        Self::KeyCollides,
        Self::KeyMismatch,
        Self::InvoiceNotSent,
        Self::PaidAfterDeletion,
        Self::DeletionRefused,
        Self::NotClosed,
        Self::DeletionsCapped,
        Self::PortalUndelivered,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExceedsAuthorised => "exceeds_authorised",
            Self::ExceedsOrder => "exceeds_order",
            Self::PartialCaptureNotAllowed => "partial_capture_not_allowed",
            Self::AuthorisationExpired => "authorisation_expired",
            Self::OutstandingUnreadable => "outstanding_unreadable",
            Self::WaitsForPayment => "waits_for_payment",
            Self::UntiedMoney => "untied_money",
            Self::CapturedAlready => "captured_already",
            Self::CaptureRefused => "capture_refused",
            Self::CollectionRefused => "collection_refused",
            Self::CollectionUnclear => "collection_unclear",
            Self::CollectionStopped => "collection_stopped",
            Self::MandateAmbiguous => "mandate_ambiguous",
            Self::RefundWithoutInvoice => "refund_without_invoice",
            Self::RefundExceedsCaptured => "refund_exceeds_captured",
            Self::RefundNotAllowed => "refund_not_allowed",
            Self::OutsideRefund => "outside_refund",
            Self::RefundRefused => "refund_refused",
            Self::ReleaseRefused => "release_refused",
            Self::JournalRefused => "journal_refused",
            Self::JournalDiffers => "journal_differs",
            Self::MailRefused => "mail_refused",
            Self::GivenUp => "given_up",
            Self::UnaskedMovement => "unasked_movement",
            Self::AnswerContradicts => "answer_contradicts",
            Self::AmountDiffers => "amount_differs",
            Self::PaymentError => "payment_error",
            Self::ReportRefused => "report_refused",
            Self::LineRefused => "line_refused",
            Self::LineDiffers => "line_differs",
            Self::AccountUnknown => "account_unknown",
            Self::LinesUnmatched => "lines_unmatched",
            Self::MatchAmbiguous => "match_ambiguous",
            Self::PaymentUnknown => "payment_unknown",
            Self::LinesUnclear => "lines_unclear",
            Self::Chargeback => "chargeback",
            Self::PayoutRemainder => "payout_remainder",
            Self::NotBillable => "not_billable",
            Self::KeyCollides => "key_collides",
            Self::KeyMismatch => "key_mismatch",
            Self::InvoiceNotSent => "invoice_not_sent",
            Self::PaidAfterDeletion => "paid_after_deletion",
            Self::DeletionRefused => "deletion_refused",
            Self::NotClosed => "not_closed",
            Self::DeletionsCapped => "deletions_capped",
            Self::PortalUndelivered => "portal_undelivered",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
