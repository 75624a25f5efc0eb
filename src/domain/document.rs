//! Documents the ERP posted: invoices, credit notes, shipments, and what is still open on them.

use chrono::NaiveDate;
use serde::Serialize;

use super::id::{Company, CustomerNumber, DocumentId, DocumentNumber, OrderId};
use super::money::{Amount, MoneyError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub id: DocumentId,
    pub company: Company,
    pub kind: DocumentKind,
    pub number: DocumentNumber,
    pub order: Option<OrderId>,
    pub bill_to: CustomerNumber,
    /// Never negative, whatever the kind.
    pub total: Amount,
    /// Paid or applied by other means than our journals, as the ERP says.
    pub paid_elsewhere: Amount,
    /// The invoice a credit note belongs to.
    pub references: Option<DocumentNumber>,
    pub posted_on: NaiveDate,
    /// Our journal lines on this document, whether the ERP has them yet or not.
    pub booked: Amount,
    /// The part of `booked` that the ERP confirmed.
    pub delivered: Amount,
    /// Our journal lines that pay it and that the ERP has not confirmed. Lines that take back are not set against them: the
    /// ERP may have those already.
    pub undelivered: Amount,
    /// The part of `undelivered` that the ERP may have all the same: its delivery has no answer.
    pub unanswered: Amount,
    /// What somebody refunded of it without a credit note (rule 17).
    pub reopened: Amount,
    /// Captures or refunds for this document whose outcome is not settled.
    pub in_flight: Amount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    Invoice,
    CreditNote,
    Shipment,
    /// Of ours: takes back a whole invoice of ours. Never refunded by itself (rule 16).
    Cancellation,
    /// What a person wants paid back of a payment that no invoice has.
    RefundRequest,
}

impl DocumentKind {
    pub const ALL: [Self; 5] =
        [Self::Invoice, Self::CreditNote, Self::Shipment, Self::Cancellation, Self::RefundRequest];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit_note",
            Self::Shipment => "shipment",
            Self::Cancellation => "cancellation",
            Self::RefundRequest => "refund_request",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// As a sentence says it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit note",
            Self::Shipment => "shipment",
            Self::Cancellation => "cancellation",
            Self::RefundRequest => "refund request",
        }
    }
}

/// Which document, without its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDocument {
    pub id: DocumentId,
    pub company: Company,
    pub kind: DocumentKind,
    pub number: DocumentNumber,
}

impl NamedDocument {
    /// Its part of an operation's natural key: `main:invoice:103210`.
    pub fn natural_key(&self) -> String {
        natural_key(&self.company, self.kind, &self.number)
    }
}

fn natural_key(company: &Company, kind: DocumentKind, number: &DocumentNumber) -> String {
    format!("{company}:{}:{number}", kind.as_str())
}

impl Document {
    /// What the ERP `local` still sees open: total less what was paid elsewhere less our delivered lines (rule 9).
    pub fn outstanding(&self) -> Result<Amount, MoneyError> {
        self.total.checked_sub(self.paid_elsewhere)?.checked_sub(self.delivered)
    }

    /// Of `outstanding`, as the ERP just said it, the part that nothing of ours is on its way to pay. Never negative, and
    /// nothing is due again before the ERP itself says so.
    pub fn uncollected(&self, outstanding: Amount) -> Result<Amount, MoneyError> {
        Ok(outstanding.checked_sub(self.undelivered)?.checked_sub(self.in_flight)?.or_zero())
    }

    /// What by our books nobody has paid, whatever the ERP knows of that. Negative: it was paid too much.
    pub fn lacking(&self) -> Result<Amount, MoneyError> {
        self.total.checked_sub(self.paid_elsewhere)?.checked_sub(self.booked)
    }

    /// What our books have opened again and the ERP does not know of yet: it will say so much more.
    pub fn undelivered_openings(&self) -> Result<Amount, MoneyError> {
        Ok(self.delivered.checked_add(self.undelivered)?.checked_sub(self.booked)?.or_zero())
    }

    /// Whether it may lack more than `uncollected` says: what the ERP just said may have lines in it already that are set
    /// against it once more.
    pub fn may_lack_more(&self, outstanding: Amount) -> Result<bool, MoneyError> {
        let undelivered = self.undelivered.checked_sub(self.unanswered)?;
        let most = Self { undelivered, ..self.clone() }.uncollected(outstanding)?;
        Ok(most != self.uncollected(outstanding)?)
    }

    /// Its part of an operation's natural key: `main:invoice:103210`.
    pub fn natural_key(&self) -> String {
        natural_key(&self.company, self.kind, &self.number)
    }

    /// As an exception names it: with its company where that is not the usual one.
    pub fn name_beside(&self, usual: &Company) -> String {
        if self.company == *usual { self.name() } else { format!("{} of company {}", self.name(), self.company) }
    }

    pub fn name(&self) -> String {
        format!("{} {}", self.kind.noun(), self.number)
    }
}
