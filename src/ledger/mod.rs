//! The ledger: all SQL, behind methods that speak the domain's language. Nothing above sees a rusqlite type.
//!
//! Reading methods are on [`Ledger`]; writing ones are on [`Writer`], which exists only inside [`Ledger::write`], the one
//! function every commit passes.

mod accounts;
mod assignments;
mod billing;
mod cases;
mod collection_keys;
mod collections;
mod corrections;
mod customers;
mod deletions;
mod documents;
mod entries;
mod entry_history;
mod error;
mod exceptions;
mod exports;
mod figures;
mod free_balances;
pub mod import;
mod in_memory;
mod invitations;
mod invoices;
mod journals;
mod leftovers;
mod mails;
mod mandates;
mod movements;
mod network;
mod open;
mod operations;
mod orders;
mod pages;
mod payments;
mod portal;
mod refund_requests;
mod requests;
mod row;
pub mod rows;
mod runs;
pub mod settlements;
mod sheets;
mod spare_money;
mod status;
mod ties;
mod verify;

use chrono::{DateTime, Utc};
use rusqlite::Connection;

pub use billing::{BillingCase, PaidEntry};
pub use cases::{
    CaptureCase, InvoicePaymentCase, JournalCase, MailCase, PaymentCase, RefundCase, Scope, TiedCapture,
    UnsettledPayment,
};
pub use collections::{CollectCase, Waits};
pub use corrections::Correction;
pub use deletions::{CleanupCase, Deletion, PastDeletion, Restored, SharedPage, Tombstone};
pub use entries::LinkedPayment;
pub use entry_history::AssignedPart;
pub use error::LedgerError;
pub use exceptions::OpenException;
pub use exports::ExportBatch;
pub use in_memory::ReusedLedger;
pub use invitations::{Invitation, InvitationState};
pub use invoices::InvoiceJournal;
pub use journals::{BookedJournal, BookedPosting};
pub use leftovers::{Leftover, LeftoverKind};
pub use mails::QueuedMail;
pub use network::network_filesystem;
pub use open::OpenOptions;
pub use operations::{OperationEvent, SumCheck};
pub use pages::OpenItem;
pub use portal::{EventCase, Outbox, RefusedEvent};
pub use runs::{Run, RunState};
pub use sheets::UnsentInvoice;
pub use status::{Named, OperationNames, PendingOperation, PendingTotal};
pub use verify::{Finding, Surroundings};

use crate::domain::booking::Books;
use crate::domain::consequence::Consequence;
use crate::domain::id::{OperationId, RunId};
use crate::kill_switch::{self, Moment};
use crate::operation::Operation;
use crate::task::Context;

pub type Result<T, E = LedgerError> = std::result::Result<T, E>;

/// One open ledger file.
pub struct Ledger {
    connection: Connection,
    books: Books,
    /// Told of every commit; the simulation's.
    witness: Option<Witness>,
    /// A transaction around everything is open, and will be taken back.
    is_rehearsing: bool,
    /// By the reports taken over since facts were learnt from reports last.
    touched: settlements::Touched,
    /// Payments whose settlement lines were gathered.
    gathered: settlements::IdSet,
}

/// Sees the moments around every commit, and what is committed.
pub type Witness = Box<dyn Fn(Moment, &str) + Send>;

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("path", &self.connection.path()).finish_non_exhaustive()
    }
}

/// The only road to a change: a transaction that commits when its function returns `Ok`.
#[derive(Debug)]
pub struct Writer<'a> {
    connection: &'a Connection,
    books: &'a Books,
    now: DateTime<Utc>,
    run: Option<RunId>,
}

/// Like rusqlite's own, with statements that are prepared once: a run has many short transactions. What was not ended, an error
/// or a panic on the way, is taken back.
#[derive(Debug)]
struct Transaction<'a> {
    connection: &'a Connection,
    /// A part of a rehearsal, which has a transaction of its own.
    is_part: bool,
    is_over: bool,
}

impl<'a> Transaction<'a> {
    fn begin(ledger: &'a Ledger, how: &str) -> Result<Self> {
        let (connection, is_part) = (&ledger.connection, ledger.is_rehearsing);
        // A full disk ended it: on its own this part would stay.
        if is_part && connection.is_autocommit() {
            return Err(LedgerError::Invariant("the transaction of a dry run is gone".to_owned()));
        }
        connection.prepare_cached(if is_part { "SAVEPOINT rehearsed" } else { how })?.execute([])?;
        Ok(Self { connection, is_part, is_over: false })
    }

    fn end(mut self, how: &str) -> Result<()> {
        self.connection.prepare_cached(if self.is_part { "RELEASE rehearsed" } else { how })?.execute([])?;
        self.is_over = true;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // A full disk may have ended it already.
        if !self.is_over && !self.connection.is_autocommit() {
            let back = if self.is_part { "ROLLBACK TO rehearsed; RELEASE rehearsed" } else { "ROLLBACK" };
            drop(self.connection.execute_batch(back));
        }
    }
}

impl Ledger {
    /// Runs `change` in one immediate transaction: all of it is durable, or nothing of it happened.
    pub fn write<T>(
        &mut self,
        what: &str,
        run: Option<RunId>,
        now: DateTime<Utc>,
        change: impl FnOnce(&Writer<'_>) -> Result<T>,
    ) -> Result<T> {
        self.write_as_it_is(what, run, now, |_, writer| change(writer))
    }

    /// The same, with the ledger to be read as it is in this transaction: nobody else changes it before the commit.
    pub fn write_as_it_is<T>(
        &mut self,
        what: &str,
        run: Option<RunId>,
        now: DateTime<Utc>,
        change: impl FnOnce(&Self, &Writer<'_>) -> Result<T>,
    ) -> Result<T> {
        let transaction = Transaction::begin(self, "BEGIN IMMEDIATE")?;
        let writer = Writer { connection: &self.connection, books: &self.books, now, run };
        let done = change(self, &writer)?;
        writer.tell_news()?;
        if self.is_rehearsing {
            return transaction.end("COMMIT").map(|()| done);
        }
        pass(self.witness.as_ref(), Moment::BeforeCommit, what);
        transaction.end("COMMIT")?;
        pass(self.witness.as_ref(), Moment::AfterCommit, what);
        Ok(done)
    }

    /// Runs `read` on one snapshot: what it reads fits together, whatever another run commits meanwhile.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let transaction = Transaction::begin(self, "BEGIN")?;
        let done = read(self)?;
        transaction.end("COMMIT")?;
        Ok(done)
    }

    /// What a change may have to take back is kept in memory from now on, and so is what is sorted. For small changes: on disk it took
    /// a third of the time of a run, and a large one would need the memory.
    pub fn change_little(&self) -> Result<()> {
        Ok(self.connection.pragma_update(None, "temp_store", "MEMORY")?)
    }

    /// Has every commit from now on witnessed.
    pub fn witnessed_by(&mut self, witness: Witness) {
        self.witness = Some(witness);
    }

    pub fn books(&self) -> &Books {
        &self.books
    }
}

fn pass(witness: Option<&Witness>, moment: Moment, what: &str) {
    kill_switch::pass(moment, what);
    if let Some(witness) = witness {
        witness(moment, what);
    }
}

impl Writer<'_> {
    /// Writes what follows from an answer or an observation. `true` if it was news.
    pub fn apply(&self, consequence: &Consequence) -> Result<bool> {
        match consequence {
            Consequence::Movement(draft) => self.record_movement(draft),
            Consequence::Collected(draft) => self.record_collected(draft).map(|()| true),
            Consequence::Application { movement, document, amount } => {
                self.apply_to_invoice(*movement, *document, *amount).map(|()| true)
            }
            Consequence::Invoice(draft) => self.finalise_invoice(draft).map(|()| true),
            Consequence::InvoicePaid { document, paid } => self.put_paid(*document, *paid).map(|()| false),
            Consequence::InvoicePage(draft) => self.put_invoice_page(draft).map(|()| true),
            Consequence::InvoiceMail { document, letter } => self.send_invoice(*document, letter),
            Consequence::InvitationEnded { mail } => self.end_invitation(*mail),
            Consequence::Standing(standing) => self.apply_standing(standing).map(|()| true),
            Consequence::Settle { operation, .. } => {
                Err(LedgerError::Invariant(format!("operation {operation} is settled by its answer, not by a row")))
            }
            Consequence::Asked(payment) => self.mark_asked(*payment).map(|()| false),
            Consequence::PageClosed(page) => self.mark_asked(*page).map(|()| true),
            Consequence::Unmoved { payment, since } => self.assert_unmoved(*payment, *since).map(|()| false),
            Consequence::LinesRead { payment, is_done } => self.mark_read(*payment, *is_done).map(|()| false),
            Consequence::Deletion(draft) => self.record_deletion(draft).map(|()| false),
            Consequence::Deleted { operation } => self.delete_order(*operation),
            Consequence::Unanswered { order, again } => self.leave_alone(*order, *again).map(|()| false),
            Consequence::Taken { event } => self.take_event(*event),
            Consequence::Letter(letter) => self.queue_letter(letter),
            Consequence::Raise(draft) => self.raise(draft, None),
        }
    }

    /// Tries a part of a change: what it wrote is taken back if it fails, and the rest of the transaction goes on. A
    /// database that cannot go on at all ends everything.
    fn attempt<T>(&self, part: impl FnOnce() -> Result<T>) -> Result<Result<T>> {
        let run = |sql| Ok::<_, LedgerError>(self.connection.prepare_cached(sql)?.execute([])?);
        run("SAVEPOINT part")?;
        match part() {
            Ok(done) => {
                run("RELEASE part")?;
                Ok(Ok(done))
            }
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                run("ROLLBACK TO part")?;
                run("RELEASE part")?;
                Ok(Err(error))
            }
        }
    }

    /// Tries each part: what one that fails wrote is taken back, and the others are as they are.
    pub fn attempt_each<P, T>(&self, parts: &[P], part: impl Fn(&P) -> Result<T>) -> Result<Vec<Result<T>>> {
        // After a savepoint every page is copied before it is written to: one for all parts, and one for each only if any fails.
        match self.attempt(|| parts.iter().map(&part).collect::<Result<Vec<_>>>())? {
            Ok(all) => Ok(all.into_iter().map(Ok).collect()),
            Err(_) => parts.iter().map(|one| self.attempt(|| part(one))).collect(),
        }
    }

    pub fn operation(&self, id: OperationId) -> Result<Operation> {
        operations::operation(self.connection, id)
    }

    /// What consequences need to know about an operation, read in the transaction that records its answer.
    pub fn context(&self, operation: &Operation) -> Result<Context> {
        let collected = collections::payment_of(self.connection, operation)?;
        let payment = operation.subject.payment.or(collected);
        let payment = payment.map(|id| payments::payment(self.connection, id)).transpose()?;
        let entry = operation.subject.entry.map(|id| entries::entry(self.connection, id)).transpose()?;
        let document = operation.subject.document.map(|id| documents::document(self.connection, id)).transpose()?;
        let order = document.as_ref().and_then(|document| document.order);
        let order = order.or_else(|| payment.as_ref().and_then(|payment| payment.order)).or(operation.subject.order);
        let order = order.or_else(|| entry.as_ref().and_then(|entry| entry.order));
        let journal = operation.subject.journal.map(|id| journals::journal(self.connection, id)).transpose()?;
        let of_payout =
            operation.subject.payout_journal.map(|id| settlements::payout_journal(self.connection, id)).transpose()?;
        Ok(Context {
            order: order.map(|id| orders::order(self.connection, id)).transpose()?,
            payment,
            document,
            entry,
            payout: of_payout.as_ref().map(settlements::PayoutJournal::name),
            journal: journal.map(|journal| journal.number).or(of_payout.map(|journal| journal.number)),
            drops_remainder: false,
        })
    }
}
