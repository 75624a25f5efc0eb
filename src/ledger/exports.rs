//! Which journals an accounting program was given already: each once in a format, in a batch that can be written again.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use rusqlite::Row;

use super::row::{Columns, time_text};
use super::{Ledger, LedgerError, Result, Writer};

/// Journals that were, or are to be, handed over together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportBatch {
    pub id: i64,
    pub format: String,
    /// The first day of the month it is for.
    pub month: NaiveDate,
    pub is_written: bool,
    /// Numbers of its journals.
    pub journals: BTreeSet<String>,
}

impl Ledger {
    /// The oldest that was begun in a format and whose file was not finished.
    pub fn unwritten_export(&self, format: &str) -> Result<Option<ExportBatch>> {
        self.one_export("format = ?1 AND written_at IS NULL", format)
    }

    pub fn export_batch(&self, id: i64) -> Result<Option<ExportBatch>> {
        self.one_export("id = ?1", &id.to_string())
    }

    /// Numbers of all journals that were handed over in a format.
    pub fn exported(&self, format: &str) -> Result<BTreeSet<String>> {
        let mut statement = self.connection.prepare_cached("SELECT number FROM exported_journals WHERE format = ?1")?;
        statement.query_and_then([format], |row| row.plain("number"))?.collect()
    }

    fn one_export(&self, condition: &str, parameter: &str) -> Result<Option<ExportBatch>> {
        let sql = format!("SELECT * FROM exports WHERE {condition} ORDER BY id LIMIT 1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut found = statement.query_and_then([parameter], from_row)?;
        let Some(batch) = found.next().transpose()? else { return Ok(None) };
        let mut journals =
            self.connection.prepare_cached("SELECT number FROM exported_journals WHERE export_id = ?1")?;
        let journals = journals.query_and_then([batch.id], |row| row.plain("number"))?.collect::<Result<_>>()?;
        Ok(Some(ExportBatch { journals, ..batch }))
    }
}

impl Writer<'_> {
    /// Takes journals for a batch, before its file is written: two at once never take the same.
    pub fn begin_export(&self, format: &str, month: NaiveDate, journals: &BTreeSet<String>) -> Result<i64> {
        self.connection
            .prepare_cached("INSERT INTO exports (format, month, made_at) VALUES (?1, ?2, ?3)")?
            .execute((format, month.format("%Y-%m").to_string(), time_text(self.now)))?;
        let id = self.connection.last_insert_rowid();
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO exported_journals (format, number, export_id) VALUES (?1, ?2, ?3)")?;
        for number in journals {
            insert.execute((format, number, id))?;
        }
        Ok(id)
    }

    pub fn finish_export(&self, id: i64) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE exports SET written_at = ?2 WHERE id = ?1 AND written_at IS NULL")?
            .execute((id, time_text(self.now)))?;
        Ok(())
    }
}

/// Without its journals.
fn from_row(row: &Row<'_>) -> Result<ExportBatch> {
    let month = row.text("month")?;
    let first = format!("{month}-01").parse();
    Ok(ExportBatch {
        id: row.plain("id")?,
        format: row.plain("format")?,
        month: first.map_err(|_| LedgerError::damaged(format!("`{month}` as a month")))?,
        is_written: row.optional_text("written_at")?.is_some(),
        journals: BTreeSet::new(),
    })
}
