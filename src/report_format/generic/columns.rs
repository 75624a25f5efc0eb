//! The rows of a table the configuration describes.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use compact_str::CompactString;

use super::{AmountColumns, AmountIs, CurrencyFrom, GenericFormat, PayoutFrom, Units};
use crate::domain::money::Currency;
use crate::domain::settlement::{Decimal, DecimalError, LineKind, ReportLine};
use crate::report_format::clock::{Clock, date_time};
use crate::report_format::text::{Column, Row, Rows};
use crate::report_format::{Problem, Reading, fees_of, table};

/// The format with its columns found.
pub(in crate::report_format) struct Columns {
    format: GenericFormat,
    amount: Found,
    /// None where it is fixed.
    currency: Option<Column>,
    date: Column,
    payout: Option<Column>,
    kind: Option<Column>,
    fee: Option<Column>,
    tax: Option<Column>,
    gross: Option<Column>,
    gross_currency: Option<Column>,
    texts: Texts,
}

/// What is taken over as it is written.
struct Texts {
    account: Option<Column>,
    transaction: Option<Column>,
    modification: Option<Column>,
    reference: Option<Column>,
    document: Option<Column>,
    method: Option<Column>,
    exchange_rate: Option<Column>,
    note: Option<Column>,
}

enum Found {
    Signed(Column),
    CreditAndDebit { credit: Column, debit: Column },
    Indicated { amount: Column, indicator: Column },
}

impl Columns {
    /// A column that the configuration names has to be there.
    pub(super) fn find(format: GenericFormat, rows: &Rows) -> Result<Self, Problem> {
        let named = |name: &Option<String>| name.as_deref().map(|name| rows.column(name)).transpose();
        let amount = match &format.amount {
            AmountColumns::Signed(amount) => Found::Signed(rows.column(amount)?),
            AmountColumns::CreditAndDebit { credit, debit } => {
                Found::CreditAndDebit { credit: rows.column(credit)?, debit: rows.column(debit)? }
            }
            AmountColumns::Indicated { amount, indicator, .. } => {
                Found::Indicated { amount: rows.column(amount)?, indicator: rows.column(indicator)? }
            }
        };
        let currency = match &format.currency {
            CurrencyFrom::Column(name) => Some(rows.column(name)?),
            CurrencyFrom::Fixed(_) => None,
        };
        let payout = match &format.payout {
            Some(PayoutFrom::Column(name)) => Some(rows.column(name)?),
            Some(PayoutFrom::Fixed(_)) | None => None,
        };
        Ok(Self {
            amount,
            currency,
            date: rows.column(&format.date)?,
            payout,
            kind: named(&format.kind)?,
            fee: named(&format.fee)?,
            tax: named(&format.tax)?,
            gross: named(&format.gross)?,
            gross_currency: named(&format.gross_currency)?,
            texts: Texts {
                account: named(&format.account)?,
                transaction: named(&format.transaction)?,
                modification: named(&format.modification)?,
                reference: named(&format.reference)?,
                document: named(&format.document)?,
                method: named(&format.method)?,
                exchange_rate: named(&format.exchange_rate)?,
                note: named(&format.note)?,
            },
            format,
        })
    }
}

impl table::Columns for Columns {
    fn read(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<ReportLine, Problem> {
        let text = |column: Option<Column>| row.optional_text(column).map(CompactString::from);
        let currency = self.currency(row)?;
        let (amount, main) = self.amount(row, currency)?;
        let fee = self.fee_of(row, self.fee, currency)?;
        let tax = self.fee_of(row, self.tax, currency)?;
        let kept = row.checked(main, fee.checked_add(tax))?;
        let (before, net) = match self.format.amount_is {
            AmountIs::Gross => (amount, row.checked(main, amount.checked_sub(kept))?),
            AmountIs::Net => (row.checked(main, amount.checked_add(kept))?, amount),
        };
        let kind = self.kind(row)?;
        let modification = text(self.texts.modification)?;
        let mut fees = fees_of(kind, net, fee);
        if !matches!(kind, LineKind::Fee | LineKind::FeeTax) {
            fees.tax = tax;
        }
        Ok(ReportLine {
            number: row.line(),
            account: text(self.texts.account)?,
            payout: self.payout(row)?,
            has_own_id: self.format.has_own_id && !modification.is_empty(),
            transaction: text(self.texts.transaction)?,
            modification,
            reference: text(self.texts.reference)?,
            document: text(self.texts.document)?,
            kind,
            method: text(self.texts.method)?,
            occurred_at: self.moment(row, reading, clock)?,
            gross: if kind.is_of_payment() { Some(self.gross(row, (before, currency))?) } else { None },
            net: (net, currency),
            fees,
            exchange_rate: text(self.texts.exchange_rate)?,
            note: if kind == LineKind::Unknown { row.whole().into() } else { text(self.texts.note)? },
        })
    }
}

impl Columns {
    fn currency(&self, row: &Row<'_>) -> Result<Currency, Problem> {
        match (&self.format.currency, self.currency) {
            (CurrencyFrom::Fixed(currency), _) => Ok(*currency),
            (CurrencyFrom::Column(_), Some(column)) => row.currency(column),
            (CurrencyFrom::Column(name), None) => Err(Problem::of_file(row.line(), format!("no column `{name}`"))),
        }
    }

    /// The line's amount with its sign, and the column it stands in.
    fn amount(&self, row: &Row<'_>, currency: Currency) -> Result<(Decimal, Column), Problem> {
        match self.amount {
            Found::Signed(column) => Ok((self.needed_decimal(row, column, currency)?, column)),
            Found::CreditAndDebit { credit, debit } => {
                if row.text(credit)?.is_empty() {
                    return Ok((self.needed_decimal(row, debit, currency)?.negated(), debit));
                }
                let (gained, given) = (self.decimal(row, credit, currency)?, self.decimal(row, debit, currency)?);
                Ok((row.checked(credit, gained.checked_sub(given))?, credit))
            }
            Found::Indicated { amount, indicator } => {
                let read = self.needed_decimal(row, amount, currency)?;
                let is_credit = self.is_credit(row, indicator)?;
                Ok((if is_credit { read } else { read.negated() }, amount))
            }
        }
    }

    fn is_credit(&self, row: &Row<'_>, indicator: Column) -> Result<bool, Problem> {
        let word = row.text(indicator)?;
        match &self.format.amount {
            AmountColumns::Indicated { credit_word, .. } if word == credit_word => Ok(true),
            AmountColumns::Indicated { debit_word, .. } if word == debit_word => Ok(false),
            AmountColumns::Indicated { credit_word, debit_word, .. } => {
                Err(row.problem(indicator, word, format!("neither `{credit_word}` nor `{debit_word}`")))
            }
            AmountColumns::Signed(_) | AmountColumns::CreditAndDebit { .. } => Ok(true),
        }
    }

    /// A line without its amount is no line.
    fn needed_decimal(&self, row: &Row<'_>, column: Column, currency: Currency) -> Result<Decimal, Problem> {
        if row.text(column)?.is_empty() {
            return Err(row.problem(column, "", "no amount"));
        }
        self.decimal(row, column, currency)
    }

    /// An empty cell is zero.
    fn decimal(&self, row: &Row<'_>, column: Column, currency: Currency) -> Result<Decimal, Problem> {
        let GenericFormat { decimal_point, thousands_separator, units, .. } = self.format;
        let text = row.text(column)?;
        if text.is_empty() {
            return Ok(Decimal::ZERO);
        }
        let plain = if decimal_point == '.' && thousands_separator.is_none() {
            Decimal::parse(text)
        } else {
            let pointed = with_a_point(text, decimal_point, thousands_separator);
            pointed.ok_or(DecimalError::NotDecimal).and_then(|text| Decimal::parse(&text))
        };
        let read = plain.map_err(|error| row.problem(column, text, error.to_string()))?;
        match units {
            Units::Major => Ok(read),
            Units::Minor => {
                let scale =
                    u8::try_from(currency.exponent()).ok().and_then(|exponent| read.scale().checked_add(exponent));
                let shifted = scale.and_then(|scale| Decimal::new(read.units(), scale));
                shifted.ok_or_else(|| row.problem(column, text, "not an amount of minor units the ledger takes"))
            }
        }
    }

    /// Positive where the PSP kept it.
    fn fee_of(&self, row: &Row<'_>, column: Option<Column>, currency: Currency) -> Result<Decimal, Problem> {
        let Some(column) = column else { return Ok(Decimal::ZERO) };
        let written = self.decimal(row, column, currency)?;
        Ok(if self.format.fees_are_negative { written.negated() } else { written })
    }

    /// What the customer saw, with the sign the line has without it.
    fn gross(&self, row: &Row<'_>, before: (Decimal, Currency)) -> Result<(Decimal, Currency), Problem> {
        let Some(column) = self.gross else { return Ok(before) };
        let own_currency = self.gross_currency.filter(|column| row.text(*column) != Ok(""));
        let currency = own_currency.map_or(Ok(before.1), |column| row.currency(column))?;
        if row.text(column)?.is_empty() {
            return Ok(before);
        }
        let seen = self.decimal(row, column, currency)?;
        let has_other_sign = seen.is_negative() != before.0.is_negative();
        Ok((if has_other_sign { seen.negated() } else { seen }, currency))
    }

    fn kind(&self, row: &Row<'_>) -> Result<LineKind, Problem> {
        let Some(column) = self.kind else { return Ok(self.format.default_kind) };
        let word = row.text(column)?;
        let known = self.format.kinds.iter().find(|(text, _)| text == word);
        Ok(known.map_or(self.format.default_kind, |(_, kind)| *kind))
    }

    fn payout(&self, row: &Row<'_>) -> Result<CompactString, Problem> {
        if let Some(PayoutFrom::Fixed(payout)) = &self.format.payout {
            return Ok(payout.into());
        }
        row.optional_text(self.payout).map(CompactString::from)
    }

    fn moment(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<DateTime<Utc>, Problem> {
        let text = row.text(self.date)?;
        let zone = self.format.time_zone.unwrap_or(reading.time_zone);
        let at = match &self.format.date_format {
            None => date_time(text).and_then(|local| clock.moment(local, zone)),
            Some(format) => formatted(text, format, zone, clock),
        }
        .ok_or_else(|| {
            let shape = self.format.date_format.as_deref().unwrap_or("2026-11-22 14:05:59");
            row.problem(self.date, text, format!("not a date such as `{shape}`"))
        })?;
        row.dated(self.date, at, reading)
    }
}

pub(super) fn formatted(text: &str, format: &str, zone: Tz, clock: &Clock) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_str(text, format) {
        return Some(moment.to_utc());
    }
    let local = NaiveDateTime::parse_from_str(text, format);
    let date = || NaiveDate::parse_from_str(text, format).map(|date| date.and_time(NaiveTime::MIN));
    clock.moment(local.or_else(|_| date()).ok()?, zone)
}

/// The way [`Decimal`] reads it; `None` where the separators stand elsewhere than in a number: `1,234.50` is not 1.2345, however
/// the configuration has it.
fn with_a_point(text: &str, point: char, thousands: Option<char>) -> Option<String> {
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, decimals) = unsigned.split_once(point).unwrap_or((unsigned, ""));
    let groups: Vec<&str> = match thousands {
        Some(separator) => whole.split(separator).collect(),
        None => vec![whole],
    };
    // Groups of two are India's; the last is of three everywhere.
    let is_grouped = match groups.as_slice() {
        [] | [_] => true,
        [first, middle @ .., last] => {
            (1..=3).contains(&first.len())
                && last.len() == 3
                && middle.iter().all(|group| (2..=3).contains(&group.len()))
        }
    };
    let is_number = is_grouped && is_digits(decimals) && groups.iter().all(|group| is_digits(group));
    let sign = if text.starts_with('-') { "-" } else { "" };
    is_number.then(|| format!("{sign}{}.{decimals}", groups.concat()))
}
