//! What the web shop's portal is told: which events there are, and what each says. Their form is a promise to whoever reads them
//! (README, "Portal events"): fields are added, never renamed or taken away.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::deletion::{DeletionMethod, StockReleasedBy};
use super::id::{Company, DocumentNumber, OrderNumber, ShopName};
use super::money::Amount;
use super::order::PaymentStatus;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The ERP let an unpaid order go, or put it into quarantine.
    OrderDeleted,
    /// A person put a deleted order back.
    OrderRestored,
    /// The payment status of an order, or what is outstanding of its invoices, is another.
    OrderStatus,
    /// Nothing is outstanding of an invoice, as the ERP sees it (rule 9).
    InvoicePaid,
    /// It was told as paid, and something is outstanding again.
    InvoiceReopened,
    /// All of a credit note is refunded or applied.
    CreditNoteSettled,
    /// It was told as settled, and is open again: a refund failed after all.
    CreditNoteReopened,
    /// The stock of a deleted order's lines goes back (rule 24).
    StockReleased,
    /// It is to be reserved again, as the order is back.
    StockReserved,
}

impl EventKind {
    pub const ALL: [Self; 9] = [
        Self::OrderDeleted,
        Self::OrderRestored,
        Self::OrderStatus,
        Self::InvoicePaid,
        Self::InvoiceReopened,
        Self::CreditNoteSettled,
        Self::CreditNoteReopened,
        Self::StockReleased,
        Self::StockReserved,
    ];

    /// As the event's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderDeleted => "order.deleted",
            Self::OrderRestored => "order.restored",
            Self::OrderStatus => "order.status",
            Self::InvoicePaid => "invoice.paid",
            Self::InvoiceReopened => "invoice.reopened",
            Self::CreditNoteSettled => "credit_note.settled",
            Self::CreditNoteReopened => "credit_note.reopened",
            Self::StockReleased => "stock.released",
            Self::StockReserved => "stock.reserved",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What an event says, besides what all of them say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum News {
    Deleted {
        shop: ShopName,
        order: OrderNumber,
        /// Rises with each restoration.
        generation: u32,
        method: DeletionMethod,
        /// False: into quarantine; what is reserved for it stays reserved, and it may come back.
        is_final: bool,
        reason: String,
        /// How many lines it has: of so many the stock is released, by an event of its own. None is 0.
        lines: u32,
    },
    Restored {
        shop: ShopName,
        order: OrderNumber,
        generation: u32,
        reason: String,
    },
    Status {
        shop: ShopName,
        order: OrderNumber,
        payment_status: PaymentStatus,
        total: Amount,
        /// The sum of its posted invoices, without those cancelled.
        invoiced: Amount,
        /// What the ERP sees open of them. Credit notes are not set against it.
        outstanding: Amount,
    },
    Document {
        company: Company,
        number: DocumentNumber,
        /// None: it is of no order the ledger knows.
        shop: Option<ShopName>,
        order: Option<OrderNumber>,
        /// The invoice that a credit note belongs to.
        references: Option<DocumentNumber>,
        total: Amount,
        outstanding: Amount,
    },
    Stock {
        shop: ShopName,
        order: OrderNumber,
        generation: u32,
        /// `erp`: it does so by itself, and this only informs.
        released_by: StockReleasedBy,
        lines: Vec<StockLine>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StockLine {
    pub line: u32,
    pub item: Option<String>,
    pub description: String,
    pub quantity: String,
}

/// An event as the portal gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalEvent {
    /// The same however often it is sent.
    pub event: String,
    pub kind: EventKind,
    /// `order:webshop:1001`, `invoice:main:R-1`.
    pub object: String,
    /// The n-th event of its object.
    pub sequence: u32,
    /// As JSON.
    pub data: String,
    /// When it was recorded.
    pub happened_at: DateTime<Utc>,
}

impl PortalEvent {
    /// The body of the request: the same bytes however often it is made. `mode` is `test` or `live`.
    pub fn body(&self, mode: &str) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            id: &'a str,
            timestamp: String,
            mode: &'a str,
            object: &'a str,
            sequence: u32,
            data: &'a serde_json::value::RawValue,
        }
        serde_json::to_string(&Body {
            kind: self.kind.as_str(),
            id: &self.event,
            timestamp: self.happened_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            mode,
            object: &self.object,
            sequence: self.sequence,
            data: serde_json::from_str(&self.data)?,
        })
    }

    /// As a person names it.
    pub fn name(&self) -> String {
        format!("{} of {}", self.kind.as_str(), self.object)
    }
}
