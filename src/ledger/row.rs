//! Between `SQLite`'s columns and the domain's types. Times are stored as UTC RFC 3339 text with seconds, which sorts.

use chrono::{DateTime, NaiveDate, Utc};
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

/// Reads columns by name into domain types; what does not fit is damage.
pub(super) trait Columns {
    fn plain<T: FromSql>(&self, column: &str) -> Result<T, LedgerError>;
    fn id<T>(&self, column: &str, make: fn(i64) -> T) -> Result<T, LedgerError>;
    fn optional_id<T>(&self, column: &str, make: fn(i64) -> T) -> Result<Option<T>, LedgerError>;
    fn named<T>(&self, column: &str, parse: fn(&str) -> Result<T, IdError>) -> Result<T, LedgerError>;
    fn choice<T>(&self, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, LedgerError>;
    fn time(&self, column: &str) -> Result<DateTime<Utc>, LedgerError>;
    fn optional_time(&self, column: &str) -> Result<Option<DateTime<Utc>>, LedgerError>;
    fn day(&self, column: &str) -> Result<NaiveDate, LedgerError>;
    fn currency(&self) -> Result<Currency, LedgerError>;
    /// Minor units in the row's `currency`.
    fn amount(&self, column: &str) -> Result<Amount, LedgerError>;
    fn count(&self, column: &str) -> Result<u32, LedgerError>;
}

impl Columns for Row<'_> {
    fn plain<T: FromSql>(&self, column: &str) -> Result<T, LedgerError> {
        Ok(self.get(column)?)
    }

    fn id<T>(&self, column: &str, make: fn(i64) -> T) -> Result<T, LedgerError> {
        Ok(make(self.get(column)?))
    }

    fn optional_id<T>(&self, column: &str, make: fn(i64) -> T) -> Result<Option<T>, LedgerError> {
        Ok(self.get::<_, Option<i64>>(column)?.map(make))
    }

    fn named<T>(&self, column: &str, parse: fn(&str) -> Result<T, IdError>) -> Result<T, LedgerError> {
        Ok(parse(&self.get::<_, String>(column)?)?)
    }

    fn choice<T>(&self, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, LedgerError> {
        let text: String = self.get(column)?;
        parse(&text).ok_or_else(|| LedgerError::damaged(format!("`{text}` as {column}")))
    }

    fn time(&self, column: &str) -> Result<DateTime<Utc>, LedgerError> {
        self.optional_time(column)?.ok_or_else(|| LedgerError::damaged(format!("no {column}")))
    }

    fn optional_time(&self, column: &str) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|_| LedgerError::damaged(format!("`{text}` as {column}")))).transpose()
    }

    fn day(&self, column: &str) -> Result<NaiveDate, LedgerError> {
        let text: String = self.get(column)?;
        text.parse().map_err(|_| LedgerError::damaged(format!("`{text}` as {column}")))
    }

    fn currency(&self) -> Result<Currency, LedgerError> {
        Ok(Currency::parse(&self.get::<_, String>("currency")?)?)
    }

    fn amount(&self, column: &str) -> Result<Amount, LedgerError> {
        Ok(Amount::from_minor(self.get(column)?, self.currency()?))
    }

    fn count(&self, column: &str) -> Result<u32, LedgerError> {
        let number: i64 = self.get(column)?;
        u32::try_from(number).map_err(|_| LedgerError::damaged(format!("{number} as {column}")))
    }
}
