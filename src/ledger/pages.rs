//! Payment pages that are open over the same entries: one debt has one page, or it could be paid on each.

use rusqlite::Connection;

use super::{Ledger, LedgerError, Result, Writer, payments};
use crate::domain::entry::Entry;
use crate::domain::id::TransactionId;
use crate::domain::payment::Payment;

impl Ledger {
    /// The pages on which any of the entries can be paid, as far as is known.
    pub fn open_pages(&self, entries: &[Entry]) -> Result<Vec<Payment>> {
        open_pages(&self.connection, entries)
    }
}

impl Writer<'_> {
    /// Another page may have been made for one of the entries meanwhile.
    pub fn refuse_second_page(&self, entries: &[Entry], page: &TransactionId) -> Result<()> {
        match open_pages(self.connection, entries)?.into_iter().find(|other| other.transaction != *page) {
            Some(other) => {
                Err(LedgerError::Invariant(format!("another page for it is open, payment {}", other.transaction)))
            }
            None => Ok(()),
        }
    }
}

fn open_pages(connection: &Connection, entries: &[Entry]) -> Result<Vec<Payment>> {
    let mut pages: Vec<Payment> = Vec::new();
    for entry in entries {
        let of_entry = "p.status = 'open' AND p.id IN (SELECT payment_id FROM entry_items WHERE entry_id = ?1)
            AND EXISTS (SELECT 1 FROM payment_links l WHERE l.payment_id = p.id)";
        for page in payments::list(connection, of_entry, [entry.id.0])? {
            if pages.iter().all(|known| known.id != page.id) {
                pages.push(page);
            }
        }
    }
    Ok(pages)
}
