//! Between `SQLite`'s columns and the domain's types. Times are stored as UTC RFC 3339 text with seconds, which sorts.

use std::cell::Cell;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rusqlite::Row;
use rusqlite::types::FromSql;

use super::LedgerError;
use crate::domain::id::IdError;
use crate::domain::money::{Amount, Currency};

pub(super) fn time_text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn day_text(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

/// Days since 1970.
pub(super) fn day_number(day: NaiveDate) -> i64 {
    day.signed_duration_since(NaiveDate::default()).num_days()
}

pub(super) fn day_numbered(number: i64) -> Result<NaiveDate, LedgerError> {
    let day = TimeDelta::try_days(number).and_then(|days| NaiveDate::default().checked_add_signed(days));
    day.ok_or_else(|| LedgerError::damaged(format!("{number} as a day")))
}

/// Reads columns by name into domain types; what does not fit is damage.
pub(super) trait Columns {
    fn row(&self) -> &Row<'_>;
    /// The column's number.
    fn number(&self, column: &str) -> Result<usize, LedgerError>;
    fn currency(&self) -> Result<Currency, LedgerError>;

    fn plain<T: FromSql>(&self, column: &str) -> Result<T, LedgerError> {
        Ok(self.row().get(self.number(column)?)?)
    }

    fn text(&self, column: &str) -> Result<&str, LedgerError> {
        self.optional_text(column)?.ok_or_else(|| LedgerError::damaged(format!("no {column}")))
    }

    fn optional_text(&self, column: &str) -> Result<Option<&str>, LedgerError> {
        let value = self.row().get_ref(self.number(column)?)?;
        value.as_str_or_null().map_err(|error| LedgerError::damaged(format!("{column}: {error}")))
    }

    fn id<T>(&self, column: &str, make: fn(i64) -> T) -> Result<T, LedgerError> {
        Ok(make(self.plain(column)?))
    }

    fn optional_id<T>(&self, column: &str, make: fn(i64) -> T) -> Result<Option<T>, LedgerError> {
        Ok(self.plain::<Option<i64>>(column)?.map(make))
    }

    fn named<T>(&self, column: &str, parse: fn(&str) -> Result<T, IdError>) -> Result<T, LedgerError> {
        Ok(parse(self.text(column)?)?)
    }

    fn choice<T>(&self, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, LedgerError> {
        let text = self.text(column)?;
        parse(text).ok_or_else(|| LedgerError::damaged(format!("`{text}` as {column}")))
    }

    fn time(&self, column: &str) -> Result<DateTime<Utc>, LedgerError> {
        self.optional_time(column)?.ok_or_else(|| LedgerError::damaged(format!("no {column}")))
    }

    fn optional_time(&self, column: &str) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let text = self.optional_text(column)?;
        text.map(|text| match DateTime::parse_from_rfc3339(text) {
            Ok(at) => Ok(at.to_utc()),
            Err(_) => Err(LedgerError::damaged(format!("`{text}` as {column}"))),
        })
        .transpose()
    }

    fn day(&self, column: &str) -> Result<NaiveDate, LedgerError> {
        let text = self.text(column)?;
        text.parse().map_err(|_| LedgerError::damaged(format!("`{text}` as {column}")))
    }

    /// Minor units in the row's `currency`.
    fn amount(&self, column: &str) -> Result<Amount, LedgerError> {
        Ok(Amount::from_minor(self.plain(column)?, self.currency()?))
    }

    fn count(&self, column: &str) -> Result<u32, LedgerError> {
        let number: i64 = self.plain(column)?;
        u32::try_from(number).map_err(|_| LedgerError::damaged(format!("{number} as {column}")))
    }
}

impl Columns for Row<'_> {
    fn row(&self) -> &Row<'_> {
        self
    }

    fn number(&self, column: &str) -> Result<usize, LedgerError> {
        Ok(self.as_ref().column_index(column)?)
    }

    fn currency(&self) -> Result<Currency, LedgerError> {
        Ok(Currency::parse(self.text("currency")?)?)
    }
}

/// A row with many columns, read in about the order in which they are selected: the search for a name begins after the column
/// that was read last. (Searching from the first column each time took a seventh of a run.)
#[derive(Debug)]
pub(super) struct InOrder<'r> {
    row: &'r Row<'r>,
    next: Cell<usize>,
    currency: Cell<Option<Currency>>,
}

impl<'r> InOrder<'r> {
    pub(super) fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: Cell::new(0), currency: Cell::new(None) }
    }
}

impl Columns for InOrder<'_> {
    fn row(&self) -> &Row<'_> {
        self.row
    }

    fn number(&self, column: &str) -> Result<usize, LedgerError> {
        let statement = self.row.as_ref();
        let is_it = |number: &usize| statement.column_name(*number).is_ok_and(|name| name == column);
        let next = self.next.get();
        let after = (next..statement.column_count()).find(is_it);
        let number = match after.or_else(|| (0..next).find(is_it)) {
            Some(number) => number,
            None => self.row.number(column)?,
        };
        self.next.set(number + 1);
        Ok(number)
    }

    fn currency(&self) -> Result<Currency, LedgerError> {
        if let Some(known) = self.currency.get() {
            return Ok(known);
        }
        // Amounts ask for it in passing: the search goes on where it was.
        let next = self.next.get();
        let currency = Currency::parse(self.text("currency")?)?;
        self.next.set(next);
        self.currency.set(Some(currency));
        Ok(currency)
    }
}
