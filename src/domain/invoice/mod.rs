//! Invoices that payjournal makes itself: the lines of an order, priced and taxed, and the numbers they get.

pub mod correction;
pub mod letter;
pub mod number;
pub mod pricing;
pub mod sheet;

use chrono::NaiveDate;
use serde::Serialize;

use super::id::{AssignmentKey, CustomerNumber, EntryId, MovementId, OrderId};
use super::money::Amount;
use number::NumberRange;
use pricing::{PricedLine, Prices};
use sheet::Parties;

/// What the shop says ties an order to an entry or payment made before its invoice; each compared exactly as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderKeys {
    /// Of an entry that is there already: entry-first.
    pub entry: Option<AssignmentKey>,
    /// Of a payment that is there already: payment-first.
    pub payment: Option<AssignmentKey>,
}

/// What must hold of an order before it is invoiced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BillWhen {
    /// The money it requires is there; an order on account requires none.
    OrderPaid,
    /// The entry with the order's key is Balanced.
    EntryBalanced,
    /// A payment with the order's key was collected.
    PaymentCollected,
}

/// An invoice to be made final: drawn a number, written, booked and paid by what is tied to it, all in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceDraft {
    pub order: OrderId,
    pub bill_to: CustomerNumber,
    pub dated: NaiveDate,
    /// Gross: the sum of the lines, and the order's total.
    pub total: Amount,
    pub lines: Vec<PricedLine>,
    pub range: NumberRange,
    pub sheet: SheetDraft,
    pub entry: EntryChoice,
    /// Money that is there already, each capture once.
    pub ties: Vec<Tie>,
}

/// What stands on the invoice besides its sums and lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetDraft {
    pub parties: Parties,
    pub prices: Prices,
    pub due_on: Option<NaiveDate>,
    /// Where its entry can be paid; shown if anything is open.
    pub payment_url: Option<String>,
    /// What is open is captured from what the customer has authorised.
    pub is_charged: bool,
    /// Whether its customer gets it by mail.
    pub is_mailed: bool,
}

/// The open item of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryChoice {
    /// Entry-first: the entry that has the key; never a second one (trap T38).
    Existing(EntryId),
    /// A new one, with the key its payment carries, if it is payment-first.
    New { payment_key: Option<AssignmentKey> },
    /// A new one in place of that of a cancelled invoice, with its key and the payments that are for it.
    Again { key: Option<AssignmentKey>, before: EntryId },
}

/// A part of a capture that pays the invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tie {
    pub movement: MovementId,
    pub amount: Amount,
    /// A free balance of the customer's, and none of the order's own money.
    pub is_free: bool,
}

impl BillWhen {
    pub const ALL: [Self; 3] = [Self::OrderPaid, Self::EntryBalanced, Self::PaymentCollected];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderPaid => "order_paid",
            Self::EntryBalanced => "entry_balanced",
            Self::PaymentCollected => "payment_collected",
        }
    }
}

impl InvoiceDraft {
    /// What is left to be paid.
    pub fn open(&self) -> Result<Amount, super::money::MoneyError> {
        let tied = Amount::sum(self.total.currency(), self.ties.iter().map(|tie| tie.amount))?;
        self.total.checked_sub(tied)
    }
}
