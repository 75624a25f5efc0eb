//! Payment pages that are open over the same entries: one debt has one page, or it could be paid on each.

use rusqlite::Connection;

use super::{Ledger, LedgerError, Result, Writer, payments};
use crate::domain::consequence::Standing;
use crate::domain::entry::Entry;
use crate::domain::id::{PaymentId, TransactionId};
use crate::domain::payment::{Payment, TransactionStatus};

impl Ledger {
    /// The pages that were made for any of the entries and may be open: one that counts as expired was closed, or was to be.
    pub fn pages_to_close(&self, entries: &[Entry]) -> Result<Vec<Payment>> {
        pages(&self.connection, entries, "p.status IN ('open', 'expired')")
    }

    /// Whether any of them had a page or was collected: another one made meanwhile may have been closed at once.
    pub fn were_asked_for(&self, entries: &[Entry]) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM entry_items i JOIN payment_links l ON l.payment_id = i.payment_id WHERE i.entry_id = ?1)
               OR EXISTS (SELECT 1 FROM operations WHERE entry_id = ?1)",
        )?;
        for entry in entries {
            if statement.query_row([entry.id.0], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Writer<'_> {
    /// Before a page is closed at the PSP it counts as expired: nobody cancelled the order, and it stays as new as with a page that ran out
    /// (rule 14), whoever hears first that it is closed. `false` if it is not what it was any more.
    pub fn move_page(&self, page: PaymentId, from: TransactionStatus, to: TransactionStatus) -> Result<bool> {
        if payments::payment(self.connection, page)?.status != from {
            return Ok(false);
        }
        let standing =
            Standing { payment: page, status: to, authorised: None, authorised_at: None, capture_before: None };
        self.apply_standing(&standing).map(|()| true)
    }

    /// Another page may have been made for one of the entries meanwhile.
    pub fn refuse_second_page(&self, entries: &[Entry], page: &TransactionId) -> Result<()> {
        match pages(self.connection, entries, "p.status = 'open'")?.into_iter().find(|other| other.transaction != *page)
        {
            Some(other) => {
                Err(LedgerError::Invariant(format!("another page for it is open, payment {}", other.transaction)))
            }
            None => Ok(()),
        }
    }
}

fn pages(connection: &Connection, entries: &[Entry], condition: &str) -> Result<Vec<Payment>> {
    let mut pages: Vec<Payment> = Vec::new();
    for entry in entries {
        let of_entry = "p.id IN (SELECT payment_id FROM entry_items WHERE entry_id = ?1)
            AND EXISTS (SELECT 1 FROM payment_links l WHERE l.payment_id = p.id)";
        for page in payments::list(connection, &format!("{of_entry} AND {condition}"), [entry.id.0])? {
            if pages.iter().all(|known| known.id != page.id) {
                pages.push(page);
            }
        }
    }
    Ok(pages)
}
