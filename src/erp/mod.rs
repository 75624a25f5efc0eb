//! The port to the ERP, and its adapters.
//!
//! `docs/architecture.md` holds the table that says which call of each ERP serves which method.

pub mod local;

use std::time::Duration;

use crate::domain::deletion::DeletionMethod;
use crate::domain::document::Document;
use crate::domain::money::Amount;
use crate::operation::request::{DeletionRequest, JournalRequest, PayoutJournalRequest};
use crate::operation::{Answer, LookUp};
use crate::provider::PortError;

/// One company's books.
///
/// Every method blocks, bounded by the configured time-out, and is called from several threads at once.
pub trait Erp: Send + Sync {
    /// What is still to be paid on an invoice, or still open on a credit note, read now (rules 9 and 16).
    fn outstanding(&self, document: &Document) -> Result<Amount, PortError>;

    /// Brings one journal line to its end in the ERP: created, posted, applied. Re-enterable: it looks for its own document
    /// number first and goes on where an earlier call stopped, so that an ERP without idempotency posts once all the same.
    fn deliver(&self, request: &JournalRequest) -> Answer;

    /// Asks about an earlier `deliver`. `Absent` where `deliver` has something left to do.
    fn look_up(&self, request: &JournalRequest) -> LookUp;

    /// How long after it was sent a call may still take effect.
    fn settles_after(&self) -> Duration;

    /// How it lets go of orders, if it does.
    fn order_deletion(&self) -> Option<&dyn OrderDeletion> {
        None
    }

    /// How it takes what payouts are booked as, if it does.
    fn payout_posting(&self) -> Option<&dyn PayoutPosting> {
        None
    }
}

/// Taking the journals of payouts into the books, with `post_payout_journals` (rule 19).
pub trait PayoutPosting {
    /// Brings one journal to its end in the ERP. Re-enterable as `Erp::deliver` is: it looks for its own document number first.
    fn deliver_payout(&self, request: &PayoutJournalRequest) -> Answer;

    /// Asks about an earlier `deliver_payout`. A hit counts only if date, currency, accounts and amounts agree; otherwise it is refused
    /// with the code `journal_differs`.
    fn look_up_payout(&self, request: &PayoutJournalRequest) -> LookUp;
}

/// Taking orders that nobody paid out of the ERP.
pub trait OrderDeletion {
    /// The same key is one deletion, however often it is sent. Refused where goods were shipped, an invoice was posted, or the ERP
    /// holds the order for another reason.
    fn delete(&self, request: &DeletionRequest) -> Answer;

    /// Asks about an earlier `delete` of the same key.
    fn look_up_delete(&self, request: &DeletionRequest) -> LookUp;

    /// Whether an order that was deleted in this way is there again as soon as the ledger has it back. Where a call is needed for
    /// that, it is an operation of its own, which no ERP here needs yet.
    fn can_restore(&self, method: DeletionMethod) -> bool;
}
