//! Bulk import: one row at a time inside the one transaction of the file, each row whole or not at all.
//!
//! Every look-up is by a unique key and every statement is prepared once, so that a row costs the same whatever the ledger
//! holds. What a row may not do is a verdict about the row, not an error of the import.

mod customers;
mod documents;
mod entries;
mod mandates;
mod order_lines;
mod orders;
mod payments;

use rusqlite::OptionalExtension;

use super::{LedgerError, Result, Writer};
use crate::domain::id::{OrderId, OrderNumber, ShopName};
use crate::domain::money::Currency;
use crate::exchange::import::{Field, ImportKind, Objection};

/// Where a row stands in its file and what it says, to find two rows that disagree about one thing.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub line: u64,
    pub digest: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    New,
    Changed,
    Unchanged,
    /// The ledger is as if the row had not been there.
    Refused(Vec<Objection>),
}

impl Writer<'_> {
    /// Forgets the rows of an earlier file. Some 40 bytes are kept of each row seen.
    pub fn begin_import(&self) -> Result<()> {
        // A row's savepoint copies the pages it touches; on disk that takes longer than all the rest.
        self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        self.connection.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS import_rows (
                 kind TEXT NOT NULL, id INTEGER NOT NULL, line INTEGER NOT NULL, digest INTEGER NOT NULL,
                 PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
             DELETE FROM temp.import_rows;",
        )?;
        Ok(())
    }

    /// Runs `take` for one row. Whatever it wrote is undone unless the row is taken.
    fn import_row(&self, take: impl FnOnce() -> Result<Verdict>) -> Result<Verdict> {
        self.statement("SAVEPOINT import_row")?;
        let verdict = match take() {
            Ok(verdict) => verdict,
            Err(error) => match objection(error) {
                Ok(objection) => Verdict::Refused(vec![objection]),
                // The whole transaction is rolled back by whoever gets this.
                Err(error) => return Err(error),
            },
        };
        if matches!(verdict, Verdict::Refused(_)) {
            self.statement("ROLLBACK TO import_row")?;
        }
        self.statement("RELEASE import_row")?;
        Ok(verdict)
    }

    fn statement(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn saw(&self, kind: ImportKind, id: i64, mark: Mark) -> Result<()> {
        self.connection
            .prepare_cached("INSERT INTO temp.import_rows (kind, id, line, digest) VALUES (?1, ?2, ?3, ?4)")?
            .execute((kind.noun(), id, line_number(mark.line), mark.digest.cast_signed()))?;
        Ok(())
    }

    /// What follows if an earlier row of the file was about the same thing: a repetition is harmless, a contradiction is not.
    fn repeated(&self, kind: ImportKind, id: i64, mark: Mark, key: &Field, value: &str) -> Result<Option<Verdict>> {
        let seen: Option<(i64, i64)> = self
            .connection
            .prepare_cached("SELECT line, digest FROM temp.import_rows WHERE kind = ?1 AND id = ?2")?
            .query_row((kind.noun(), id), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(seen.map(|(line, digest)| {
            if digest == mark.digest.cast_signed() {
                Verdict::Unchanged
            } else {
                let why = format!("is in line {line} already, with other values");
                Verdict::Refused(vec![Objection::to_value(key, value, why)])
            }
        }))
    }

    /// A tombstone takes nothing in but money.
    fn is_deleted(&self, order: OrderId) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached("SELECT deleted FROM orders WHERE id = ?1")?
            .query_row([order.0], |row| row.get(0))?)
    }

    fn order_by_key(&self, shop: &ShopName, number: &OrderNumber) -> Result<Option<(OrderId, Currency)>> {
        let found: Option<(i64, String)> = self
            .connection
            .prepare_cached("SELECT id, currency FROM orders WHERE shop = ?1 AND number = ?2")?
            .query_row((shop.as_str(), number.as_str()), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        found.map(|(id, currency)| Ok((OrderId(id), Currency::parse(&currency)?))).transpose()
    }
}

/// What a row about an order that was cleaned up is told.
fn deleted(number: &OrderNumber) -> String {
    format!("was deleted because nobody paid it; `payjournal restore {number} --reason …` puts it back first")
}

fn line_number(line: u64) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}

/// An error that is about this row only, as an objection to it; any other comes back.
fn objection(error: LedgerError) -> Result<Objection, LedgerError> {
    let is_about_row = if let LedgerError::Sqlite(error) = &error {
        error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
    } else {
        matches!(error, LedgerError::Money(_) | LedgerError::Booking(_) | LedgerError::Invariant(_))
    };
    if is_about_row { Ok(Objection::to_row(format!("the ledger refused the row: {error}"))) } else { Err(error) }
}

/// An objection to a value that differs from the ledger's and must not.
fn fixed(field: &Field, value: &str, known: &str) -> Objection {
    Objection::to_value(field, value, format!("differs from `{known}` in the ledger; it never changes"))
}
