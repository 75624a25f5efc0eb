//! Between `SQLite`'s columns and the domain's types. Times are stored as UTC RFC 3339 text with seconds, which sorts.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use rusqlite::Row;
use rusqlite::types::FromSql;

use super::LedgerError;
use crate::domain::id::IdError;
use crate::domain::money::{Amount, Currency};

pub(super) fn time_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(super) fn day_text(day: NaiveDate) -> String {
    day.to_string()
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
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
        text.map(|text| parse_time(text).ok_or_else(|| LedgerError::damaged(format!("`{text}` as {column}"))))
            .transpose()
    }

    fn day(&self, column: &str) -> Result<NaiveDate, LedgerError> {
        let text = self.text(column)?;
        text.parse().ok().ok_or_else(|| LedgerError::damaged(format!("`{text}` as {column}")))
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

/// The columns that statements with the same beginning give, in their order: asking `SQLite` for the name of each column of
/// each row took a seventh of a run. The first row that is read is held against them, in release builds too; in debug builds,
/// which the tests are, every row.
#[derive(Debug)]
pub(super) struct Layout {
    names: &'static [&'static str],
    is_checked: AtomicBool,
}

impl Layout {
    pub(super) const fn new(names: &'static [&'static str]) -> Self {
        Self { names, is_checked: AtomicBool::new(false) }
    }

    fn check(&self, row: &Row<'_>) -> Result<(), LedgerError> {
        let found: Vec<&str> = row.as_ref().column_names().collect();
        if !found.starts_with(self.names) {
            let (found, known) = (found.join(", "), self.names.join(", "));
            return Err(LedgerError::damaged(format!("the columns are {found} and not {known}")));
        }
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// A row with many columns, read in about the order in which they are selected: the search for a name begins after the column
/// that was read last.
#[derive(Debug)]
pub(super) struct InOrder<'r> {
    row: &'r Row<'r>,
    names: &'static [&'static str],
    next: Cell<usize>,
    currency: Cell<Option<Currency>>,
}

impl<'r> InOrder<'r> {
    pub(super) fn of(row: &'r Row<'r>, layout: &'static Layout) -> Result<Self, LedgerError> {
        if cfg!(debug_assertions) || !layout.is_checked.load(Ordering::Relaxed) {
            layout.check(row)?;
        }
        Ok(Self { row, names: layout.names, next: Cell::new(0), currency: Cell::new(None) })
    }
}

impl Columns for InOrder<'_> {
    fn row(&self) -> &Row<'_> {
        self.row
    }

    fn number(&self, column: &str) -> Result<usize, LedgerError> {
        let next = self.next.get();
        let later = self.names.iter().skip(next).position(|name| *name == column).map(|after| next + after);
        let number = match later.or_else(|| self.names.iter().position(|name| *name == column)) {
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
