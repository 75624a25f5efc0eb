//! Reads the cells of a row as values and gathers every objection, so that a row is repaired once and not once per mistake.

use chrono::{DateTime, NaiveDate, Utc};

use super::field::{Field, Need, nearest};
use super::problem::Objection;
use super::row::{Cell, Row};
use crate::domain::id::IdError;
use crate::domain::money::{Amount, Currency, MoneyError};

/// A `None` from a method is an empty cell, or one with an objection; [`Reading::finish`] tells them apart.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    row: &'a Row,
    objections: Vec<Objection>,
}

impl<'a> Reading<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        Self { row, objections: row.objections.clone() }
    }

    pub(super) fn object(&mut self, field: &Field, why: impl Into<String>) {
        self.objections.push(match self.row.cell(field) {
            Cell::Text(text) => Objection::to_cell(field, text, why),
            Cell::Empty | Cell::Damaged => Objection::to_field(field, why),
        });
    }

    /// Whether anything is in the cell, readable or not.
    pub(super) fn is_given(&self, field: &Field) -> bool {
        *self.row.cell(field) != Cell::Empty
    }

    pub(super) fn text(&mut self, field: &Field) -> Option<&'a str> {
        match self.row.cell(field) {
            Cell::Text(text) => Some(text),
            Cell::Damaged => None,
            Cell::Empty => {
                if field.need == Need::Required {
                    self.object(field, "is required, but empty");
                }
                None
            }
        }
    }

    /// Holds a field to its condition: required where it applies, refused where it does not.
    pub(super) fn only_when(&mut self, field: &Field, applies: bool) {
        let Need::When(condition) = field.need else { return };
        match (applies, self.is_given(field)) {
            (true, false) => self.object(field, format!("is required when {condition}, but empty")),
            (false, true) => self.object(field, format!("is only for rows where {condition}")),
            (true, true) | (false, false) => {}
        }
    }

    pub(super) fn id<T>(&mut self, field: &Field, parse: fn(&str) -> Result<T, IdError>) -> Option<T> {
        let text = self.text(field)?;
        self.taken(field, parse(text).map_err(|error| id_reason(&error)))
    }

    pub(super) fn currency(&mut self, field: &Field) -> Option<Currency> {
        let text = self.text(field)?;
        self.taken(field, Currency::parse(text).map_err(|error| money_reason(&error)))
    }

    /// Never negative. Without a readable currency nothing can be said of an amount.
    pub(super) fn amount(&mut self, field: &Field, currency: Option<Currency>) -> Option<Amount> {
        let text = self.text(field)?;
        let amount = self.taken(field, Amount::parse(text, currency?).map_err(|error| money_reason(&error)))?;
        if amount.is_negative() {
            self.object(field, "is negative");
            return None;
        }
        Some(amount)
    }

    pub(super) fn day(&mut self, field: &Field) -> Option<NaiveDate> {
        let text = self.text(field)?;
        // chrono alone would take `2026-1-5`.
        let day = if text.len() == 10 { NaiveDate::parse_from_str(text, "%Y-%m-%d").ok() } else { None };
        self.taken(field, day.ok_or_else(|| "is not a day such as 2026-11-22".to_owned()))
    }

    pub(super) fn time(&mut self, field: &Field) -> Option<DateTime<Utc>> {
        let text = self.text(field)?;
        let time = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
        self.taken(field, time.map_err(|_| "is not a time with its zone, such as 2026-11-22T14:00:00+01:00".to_owned()))
    }

    pub(super) fn choice<T: Copy>(&mut self, field: &Field, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(field)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        self.taken(
            field,
            found.ok_or_else(|| {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                format!("is not one of {}{}", names.join(", "), nearest(text, names.iter().copied()))
            }),
        )
    }

    pub(super) fn taken<T>(&mut self, field: &Field, value: Result<T, String>) -> Option<T> {
        value.map_err(|why| self.object(field, why)).ok()
    }

    /// The record, if it is whole and nothing is to be said against the row.
    pub(super) fn finish<T>(mut self, record: Option<T>) -> Result<T, Vec<Objection>> {
        match record {
            Some(record) if self.objections.is_empty() => Ok(record),
            _ => {
                if self.objections.is_empty() {
                    self.objections.push(Objection::to_row("the row is incomplete"));
                }
                Err(self.objections)
            }
        }
    }
}

pub(super) fn id_reason(error: &IdError) -> String {
    match error {
        IdError::Empty { .. } => "is empty".to_owned(),
        IdError::TooLong { limit, .. } => format!("is longer than {limit} characters"),
        IdError::Control { .. } => "holds control characters".to_owned(),
        IdError::Padded { .. } => "begins or ends with white space".to_owned(),
    }
}

/// The money's own words name the text; here it stands before them already.
fn money_reason(error: &MoneyError) -> String {
    match error {
        MoneyError::UnknownCurrency { .. } => "is not an ISO 4217 currency with minor units, such as `EUR`".to_owned(),
        MoneyError::NotDecimal { .. } => {
            "is not a decimal amount; write digits with one point at most, such as `12.30`".to_owned()
        }
        MoneyError::TooManyDecimals { currency, .. } => {
            format!("has more decimals than {currency} allows ({})", currency.exponent())
        }
        MoneyError::TooLarge { .. } => "is larger than the ledger can hold".to_owned(),
        MoneyError::MixedCurrencies { .. } | MoneyError::Overflow => error.to_string(),
    }
}
