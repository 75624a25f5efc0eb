//! What makes the collection of an entry the same again, also out of a restored backup, and what the PSP is told of it.

use rusqlite::Connection;

use super::row::Columns;
use super::{LedgerError, Result, Writer, documents};
use crate::domain::booking::Books;
use crate::domain::entry::Entry;
use crate::domain::id::ShopName;

impl Writer<'_> {
    /// From its first collection on a ledger collects under one name, whatever the shop is called later.
    pub(super) fn keep_shop(&self) -> Result<()> {
        self.connection
            .prepare_cached("INSERT INTO collecting (id, shop) VALUES (1, ?1) ON CONFLICT DO NOTHING")?
            .execute([self.books.shop.as_str()])?;
        Ok(())
    }
}

/// What makes the collection of an entry the same again: never its number here (rule 3).
pub(super) fn natural_key(connection: &Connection, entry: &Entry) -> Result<String> {
    match (&entry.reference, entry.document) {
        (Some(reference), _) => Ok(format!("entry:{reference}")),
        (None, Some(document)) => Ok(documents::named(connection, document)?.natural_key()),
        (None, None) => Err(LedgerError::damaged(format!("{} has neither a reference nor an invoice", entry.name()))),
    }
}

/// The shop that the keys of collections name.
pub(super) fn shop(connection: &Connection, books: &Books) -> Result<ShopName> {
    let mut statement = connection.prepare_cached("SELECT shop FROM collecting WHERE id = 1")?;
    let kept = statement.query_and_then([], |row| row.named("shop", ShopName::parse))?.next().transpose()?;
    Ok(kept.unwrap_or_else(|| books.shop.clone()))
}

/// What the PSP gives back with the payment.
pub(super) fn reference(connection: &Connection, entry: &Entry) -> Result<String> {
    match (&entry.reference, entry.document) {
        (Some(reference), _) => Ok(reference.to_string()),
        (None, Some(document)) => Ok(documents::named(connection, document)?.number.to_string()),
        (None, None) => Ok(entry.id.to_string()),
    }
}
