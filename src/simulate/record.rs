//! What really happened outside, as each side has it in its own books. The worlds write it down; the auditor reads it, and
//! nothing else of them.
//!
//! Amounts are plain minor units of the currency beside them, on purpose: the auditor shares no arithmetic with the tasks.

mod corrections;
mod deletions;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

pub use corrections::{Act, Correction};
pub use deletions::{Deletion, Restoration};

/// Everything outside, of one simulated shop.
#[derive(Debug, Clone, Default)]
pub struct Record {
    pub orders: Vec<ShopOrder>,
    pub transactions: Vec<Transaction>,
    /// What was done to transactions at the PSPs, in the order done, whoever asked.
    pub effects: Vec<Effect>,
    /// What the PSPs said no to, in order.
    pub refusals: Vec<Refused>,
    pub documents: Vec<Posted>,
    /// Our lines in the ERP, in the order posted.
    pub lines: Vec<Line>,
    /// What the PSPs paid out, in order.
    pub payouts: Vec<PaidOut>,
    /// Mails in the recipients' mailboxes, in the order they arrived.
    pub letters: Vec<Delivered>,
    /// Exceptions that a person called dealt with, by their ids in the ledger.
    pub resolved: BTreeSet<i64>,
    /// Requests no correct client makes, in words: the same key for something else, for instance.
    pub oddities: Vec<String>,
    /// How many calls and questions were answered wrongly, late or not at all so far.
    pub faults: u64,
    /// What the orders sell, of a shop whose invoices payjournal makes.
    pub sales: Vec<Sale>,
    /// What its portal asks for before there is an invoice.
    pub claims: Vec<Claim>,
    /// An order is invoiced only when its money is there.
    pub bills_paid_only: bool,
    /// How many runs had a wrong clock so far: up to 90 minutes behind, or two days ahead.
    pub clock_jumps: u64,
    /// How the shop cleans up, if it does.
    pub cleaning: Option<Cleaning>,
    /// Payment pages that the PSPs closed because payjournal asked, in order.
    pub closings: Vec<Closing>,
    /// Payment pages that the PSPs made because payjournal asked, in order.
    pub pages: Vec<Page>,
    /// Entries whose page was asked for once in vain, by their references.
    pub pageless: BTreeSet<String>,
    /// Orders that the ERP let go, in order.
    pub deletions: Vec<Deletion>,
    pub restorations: Vec<Restoration>,
    /// What persons had payjournal take back or pay back, in the order it was carried out.
    pub corrections: Vec<Correction>,
    /// Keys of closings and deletions that were answered with a definite no.
    pub denials: BTreeSet<String>,
}

/// Which unpaid orders a shop wants to be rid of.
#[derive(Debug, Clone, Copy)]
pub struct Cleaning {
    /// An order of exactly so many days stays.
    pub older_than_days: u32,
    /// Also orders whose payments were refused or cancelled.
    pub include_cancelled: bool,
    /// Also orders of which no payment is known.
    pub without_payment: bool,
    /// Where the shop's days begin and end.
    pub zone: Tz,
    /// Days between the flag in the ERP and the deletion; 0: no quarantine.
    pub quarantine_days: u32,
    /// Deletions that one run may begin.
    pub most: u32,
    /// Persons put orders back.
    pub restores: bool,
}

/// A page that was open, and on which nobody can pay any more.
#[derive(Debug, Clone)]
pub struct Closing {
    /// Its index in [`Record::transactions`].
    pub transaction: usize,
    pub key: String,
    pub at: DateTime<Utc>,
}

/// A page for what is open of an entry, whether payjournal heard that it was made or not.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its index in [`Record::transactions`].
    pub transaction: usize,
    /// Of the entry, or the invoice that made it.
    pub reference: String,
    pub amount: i64,
    pub url: String,
    pub at: DateTime<Utc>,
    /// When a mail brought it to the customer first: before, nobody can pay on it.
    pub given_at: Option<DateTime<Utc>>,
}

/// An order as the shop has it now.
#[derive(Debug, Clone)]
pub struct ShopOrder {
    pub number: String,
    pub currency: &'static str,
    pub total: i64,
    pub terms: ShopTerms,
    pub cancelled: Cancelled,
    /// What the ledger was last told of it.
    pub told: Option<Told>,
    /// When the ledger was last told that.
    pub told_at: Option<DateTime<Utc>>,
}

/// What an order sells, and what ties money to its invoice.
#[derive(Debug, Clone)]
pub struct Sale {
    pub order: String,
    pub customer: String,
    /// Where invoices go.
    pub email: bool,
    /// What each line costs with tax, and the rate in percent.
    pub lines: Vec<(i64, i64)>,
    pub key: SaleKey,
    pub told_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaleKey {
    /// That of an entry.
    Entry(String),
    /// That of a payment.
    Payment(String),
    Neither,
}

/// An entry: an open item that is paid before there is an invoice.
#[derive(Debug, Clone)]
pub struct Claim {
    pub reference: String,
    pub key: String,
    pub customer: String,
    pub currency: &'static str,
    pub amount: i64,
    pub cancelled: bool,
    pub told_at: Option<DateTime<Utc>>,
    /// When the ledger was told that it is cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// When the ledger refused to cancel it: the shop keeps it then.
    pub kept_at: Option<DateTime<Utc>>,
}

/// What a transaction says that it is for, beside its order or instead of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IsFor {
    /// Its order, or the invoices it names.
    Order,
    /// An entry, by its reference.
    Entry(String),
    Key(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub total: i64,
    pub cancelled: Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShopTerms {
    Online,
    OnAccount,
    /// Hundredths of a percent of the total are paid with the order.
    Prepayment(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    No,
    /// What is invoiced stays.
    Rest,
    Full,
}

/// One payment attempt as its PSP has it now.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Transaction {
    pub id: String,
    /// The order it pays; none where the customer paid invoices.
    pub order: Option<String>,
    /// The invoices it pays.
    pub pays: Vec<String>,
    pub is_for: IsFor,
    /// The ledger is not told its order: only what it is for leads there.
    pub is_anonymous: bool,
    pub method: &'static str,
    pub trigger: Trigger,
    pub partial: Partial,
    pub refundable: bool,
    pub currency: &'static str,
    pub status: &'static str,
    /// The amount authorised now; 0 before.
    pub authorised: i64,
    /// Somebody changed the authorised amount after the ledger may have seen it.
    pub adjusted: bool,
    /// When the PSP authorised it; none before.
    pub authorised_at: Option<DateTime<Utc>>,
    /// The PSP's deadline for captures, where it tells one.
    pub capture_before: Option<DateTime<Utc>>,
    /// Since when the ledger knows of it.
    pub told_at: Option<DateTime<Utc>>,
    /// The shop hands it over as collected already, before anybody asked the PSP.
    pub collected: bool,
    /// Its PSP gives payjournal's keys back when it lists what was done to it.
    pub echoes_keys: bool,
    /// The authorisation ran out, in part or whole.
    pub lapsed: bool,
    /// Its PSP had said that nobody could pay it any more, and took the money all the same.
    pub paid_after_end: bool,
}

/// What makes payjournal capture a transaction, by its payment method's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Invoice,
    Shipment,
    /// The authorisation itself, this many days after it.
    Authorisation {
        days: i64,
    },
    /// Payjournal never does: the PSP or a person captures.
    Never,
}

/// What may be captured of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partial {
    /// All of what is left, or nothing: the settings or the PSP allow no part.
    No,
    /// A part, once; the PSP lets the rest lapse, and the settings allow that only if the rest is not needed.
    Once,
    Many,
}

/// A capture, refund or release that a PSP carried out or accepted.
#[derive(Debug, Clone)]
pub struct Effect {
    /// The PSP's id of it.
    pub id: String,
    /// Its transaction's index in [`Record::transactions`].
    pub transaction: usize,
    pub kind: EffectKind,
    pub amount: i64,
    pub by: By,
    pub at: DateTime<Utc>,
    pub state: EffectState,
    /// When it was confirmed, whatever came later.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// It was confirmed before it failed.
    pub failed_late: bool,
    /// Its PSP had said no to it before, and did it after all.
    pub after_no: bool,
    /// When payjournal was told of it first; only of what was done after a no.
    pub heard_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectKind {
    Capture,
    Refund,
    Release,
    /// The customer got the money back at the bank: only payouts tell.
    Chargeback,
    /// And the shop from the customer's bank.
    WonBack,
    /// And the customer once more.
    SecondChargeback,
}

impl EffectKind {
    /// What the customer has got back at the bank, or lost again.
    pub fn is_dispute(self) -> bool {
        self.disputed(1) != 0
    }

    /// What an effect of this kind over `amount` leaves with the customer.
    pub fn disputed(self, amount: i64) -> i64 {
        match self {
            Self::Chargeback | Self::SecondChargeback => amount,
            Self::WonBack => -amount,
            Self::Capture | Self::Refund | Self::Release => 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectState {
    Accepted,
    Confirmed,
    Failed,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    Payjournal(Asked),
    /// In the PSP's back office.
    Person,
    /// The PSP by itself: automatic capture.
    Psp,
}

/// What payjournal asked for, and what it had been told when it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub key: String,
    /// What it asked for; the PSP may have done less.
    pub amount: i64,
    /// Kind (`invoice`, `shipment`, `credit_note`) and number; none = the authorisation itself.
    pub document: Option<(String, String)>,
    /// What it was last told to be outstanding on the document; none if it never asked.
    pub told_outstanding: Option<i64>,
    /// What it had been told of the order.
    pub told_order: Option<Told>,
    /// When it had been told that.
    pub told_order_at: Option<DateTime<Utc>>,
    /// Invoices of the order it had been told of, together.
    pub told_invoiced: i64,
    /// Shipments of the order it had been told of, together.
    pub told_shipped: i64,
    /// Captures of the transaction that were accepted and not settled at that moment, payjournal's own.
    pub unsettled_captures: i64,
}

/// A definite no of a PSP to payjournal.
#[derive(Debug, Clone)]
pub struct Refused {
    pub transaction: usize,
    pub kind: EffectKind,
    pub amount: i64,
    pub key: String,
    /// `exceeds_authorised`, `exceeds_captured`, `not_authorised`, `authorisation_expired`, or made up by a fault.
    pub code: &'static str,
    /// The no was a fault's: nothing in the books explains it.
    pub by_fault: bool,
    pub at: DateTime<Utc>,
}

/// A document as the ERP has it.
#[derive(Debug, Clone)]
pub struct Posted {
    /// `invoice`, `credit_note` or `shipment`; of what payjournal makes also `cancellation` and `refund_request`.
    pub kind: &'static str,
    pub number: String,
    pub order: Option<String>,
    pub currency: &'static str,
    pub total: i64,
    /// Of a credit note or cancellation: the invoice it belongs to; of a refund request: the transaction.
    pub references: Option<String>,
    pub posted_on: NaiveDate,
    pub told_at: Option<DateTime<Utc>>,
    /// Of an invoice of payjournal: when it was taken back.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Paid, or paid out, by other means than payjournal's lines.
    pub by_hand: i64,
    /// The part of `by_hand` the ledger was told of.
    pub told_by_hand: i64,
}

/// A payment journal line of ours in the ERP.
#[derive(Debug, Clone)]
pub struct Line {
    pub number: String,
    /// `receipt`, `prepayment`, `application`, `refund`, `reopening` or `unapplied_refund`.
    pub kind: &'static str,
    /// `original` or `reversal`.
    pub direction: &'static str,
    pub document: Option<(String, String)>,
    pub transaction: String,
    pub modification: String,
    pub amount: i64,
    pub currency: &'static str,
    pub debit: String,
    pub credit: String,
    /// Created only; not in the ERP's books yet.
    pub draft: bool,
    /// Somebody in the ERP gave it another content than payjournal did; now, or once.
    pub changed: bool,
    pub was_changed: bool,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub struct Delivered {
    pub key: String,
    pub subject: String,
    pub body: String,
    pub at: DateTime<Utc>,
}

/// A payout of one PSP in one currency.
#[derive(Debug, Clone)]
pub struct PaidOut {
    pub provider: &'static str,
    pub reference: String,
    pub currency: &'static str,
    pub at: DateTime<Utc>,
    pub lines: Vec<PaidLine>,
    /// Kept for the account itself.
    pub fee: i64,
    /// Held back (negative), or given free again.
    pub reserve: i64,
    /// What went to the bank; negative: what came from there.
    pub paid: i64,
    /// When its report is there, and when all of it.
    pub told_at: DateTime<Utc>,
    pub whole_at: DateTime<Utc>,
}

/// A capture or refund as it is paid out.
#[derive(Debug, Clone, Copy)]
pub struct PaidLine {
    /// Its index in [`Record::effects`].
    pub effect: usize,
    /// What the shop gets is positive.
    pub gross: i64,
    /// Hundredths of the smallest unit.
    pub fee_hundredths: i64,
}

impl Asked {
    pub fn is_for(&self, kind: &str, number: &str) -> bool {
        self.document.as_ref().is_some_and(|document| document.0 == kind && document.1 == number)
    }
}

impl Effect {
    pub fn ours(&self) -> Option<&Asked> {
        match &self.by {
            By::Payjournal(asked) => Some(asked),
            By::Person | By::Psp => None,
        }
    }

    /// What payjournal had asked for, where the PSP did another amount and said nothing of it in its answer.
    pub fn asked_other(&self) -> Option<i64> {
        self.ours().map(|asked| asked.amount).filter(|asked| *asked != self.amount)
    }

    /// It stands: done, or on its way.
    pub fn is_live(&self) -> bool {
        match self.state {
            EffectState::Accepted | EffectState::Confirmed => true,
            EffectState::Failed => false,
        }
    }
}
