//! What became of one entry: the payments that are for it, and each part of a movement that was assigned to it or taken back.

use chrono::{DateTime, Utc};
use rusqlite::Row;

use super::entries::list;
use super::row::Columns;
use super::{Ledger, Result};
use crate::domain::entry::Entry;
use crate::domain::id::{EntryId, ModificationId, PaymentId, TransactionId};
use crate::domain::money::Amount;
use crate::domain::movement::MovementKind;

/// A part of a movement; negative where it was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedPart {
    pub at: DateTime<Utc>,
    pub amount: Amount,
    pub kind: MovementKind,
    pub modification: ModificationId,
    pub payment: PaymentId,
    pub transaction: TransactionId,
}

impl Ledger {
    /// By its reference, or its number where it has none.
    pub fn entries_called(&self, name: &str) -> Result<Vec<Entry>> {
        let named = list(&self.connection, "reference = ?1", [name])?;
        if !named.is_empty() {
            return Ok(named);
        }
        match name.parse::<i64>() {
            Ok(id) => list(&self.connection, "id = ?1 AND reference IS NULL", [id]),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// In the order in which they were written.
    pub fn assignments_of_entry(&self, entry: EntryId) -> Result<Vec<AssignedPart>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT a.assigned_at, a.amount_minor, m.currency, m.kind, m.modification_id, m.payment_id, p.transaction_id
             FROM assignments a JOIN movements m ON m.id = a.movement_id JOIN payments p ON p.id = m.payment_id
             WHERE a.entry_id = ?1 ORDER BY a.id",
        )?;
        let part = |row: &Row<'_>| {
            Ok(AssignedPart {
                at: row.time("assigned_at")?,
                amount: row.amount("amount_minor")?,
                kind: row.choice("kind", MovementKind::parse)?,
                modification: row.named("modification_id", ModificationId::parse)?,
                payment: row.id("payment_id", PaymentId)?,
                transaction: row.named("transaction_id", TransactionId::parse)?,
            })
        };
        statement.query_and_then([entry.0], part)?.collect()
    }

    /// Those that name it, have its key, or have paid it.
    pub fn payments_of_entry(&self, entry: EntryId) -> Result<Vec<PaymentId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT payment_id AS id FROM entry_items WHERE entry_id = ?1
             UNION SELECT k.payment_id FROM payment_keys k JOIN entries e ON e.payment_key = k.key WHERE e.id = ?1
             UNION SELECT m.payment_id FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE a.entry_id = ?1 ORDER BY 1",
        )?;
        statement.query_and_then([entry.0], |row| row.id("id", PaymentId))?.collect()
    }

    /// The page a payment was made with, and what it asks for.
    pub fn page_of_payment(&self, payment: PaymentId) -> Result<Option<(String, Amount)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT l.url, l.amount_minor, p.currency FROM payment_links l JOIN payments p ON p.id = l.payment_id
             WHERE l.payment_id = ?1",
        )?;
        let mut found =
            statement.query_and_then([payment.0], |row| Ok((row.plain("url")?, row.amount("amount_minor")?)))?;
        found.next().transpose()
    }
}
