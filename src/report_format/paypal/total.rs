//! The sums a report's footers prove: a file that is cut off has other ones, or none.

use std::collections::BTreeMap;

use super::{Amounts, Records};
use crate::domain::money::Currency;
use crate::domain::settlement::Decimal;
use crate::report_format::Problem;

/// The rows of a section or of the whole file.
#[derive(Default)]
pub(super) struct Totals {
    by_currency: BTreeMap<Currency, Total>,
    rows: u64,
    /// Rows whose amounts could not be read: the sums are not those of the file.
    lost: u64,
}

/// Hundredths, as the report counts them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Total {
    gross_credit: i128,
    gross_debit: i128,
    fee_credit: i128,
    fee_debit: i128,
}

pub(super) struct Footer {
    pub(super) currency: Currency,
    total: Total,
    /// At the beginning and at the end, where the footer goes on that far.
    balances: Option<(i128, i128)>,
}

impl Totals {
    pub(super) fn add(&mut self, amounts: &Amounts) {
        self.rows += 1;
        let (gross, currency) = amounts.gross;
        let total = self.by_currency.entry(currency).or_default();
        add_to(&mut total.gross_credit, &mut total.gross_debit, gross);
        let (fee, currency) = amounts.fee;
        let total = self.by_currency.entry(currency).or_default();
        add_to(&mut total.fee_credit, &mut total.fee_debit, fee);
    }

    /// A row that could not be read.
    pub(super) fn lose(&mut self) {
        self.rows += 1;
        self.lost += 1;
    }

    pub(super) fn currencies(&self) -> impl Iterator<Item = Currency> {
        self.by_currency.keys().copied()
    }

    fn of(&self, currency: Currency) -> Total {
        self.by_currency.get(&currency).copied().unwrap_or_default()
    }

    pub(super) fn prove(&self, footer: &Footer, line: u64, whose: &str) -> Result<(), Problem> {
        let total = self.of(footer.currency);
        if self.lost > 0 || total == footer.total || total == footer.total.with_fees_swapped() {
            return Ok(());
        }
        let what = format!(
            "the rows of the {whose} sum to {total} in {}, and its footer says {}: rows are missing, fetch the file again",
            footer.currency.code(),
            footer.total
        );
        Err(Problem::of_file(line, what))
    }

    /// The number of rows a record `SC` or `RC` says.
    pub(super) fn count(&self, records: &Records, whose: &str) -> Result<(), Problem> {
        let said = number(records.cell(1)).and_then(|said| u64::try_from(said).ok());
        if said == Some(self.rows) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(records.cell(1));
        let what = format!("the {whose} has {} rows, and its count says {said}: fetch the file again", self.rows);
        Err(Problem::of_file(records.line(), what))
    }

    /// The balances of the footer, where they differ by what the rows sum to. Where they do not, they are balances of something
    /// else: of money that is free, or with what is held back.
    pub(super) fn balances(&self, footer: &Footer) -> Option<(Decimal, Decimal)> {
        let (opening, closing) = footer.balances?;
        let total = self.of(footer.currency);
        let moved = total.gross_credit - total.gross_debit + total.fee_credit - total.fee_debit;
        let decimal = |hundredths: i128| Decimal::new(i64::try_from(hundredths).ok()?, 2);
        if self.lost > 0 || opening + moved != closing {
            return None;
        }
        Some((decimal(opening)?, decimal(closing)?))
    }
}

impl Total {
    /// Samples have the two totals of fees in either order.
    fn with_fees_swapped(self) -> Self {
        Self { fee_credit: self.fee_debit, fee_debit: self.fee_credit, ..self }
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { gross_credit, gross_debit, fee_credit, fee_debit } = self;
        write!(f, "{gross_credit} in, {gross_debit} out, {fee_credit} and {fee_debit} of fees")
    }
}

fn add_to(credit: &mut i128, debit: &mut i128, amount: Decimal) {
    let hundredths = i128::from(amount.units());
    if amount.is_negative() {
        *debit -= hundredths;
    } else {
        *credit += hundredths;
    }
}

/// `SF` or `RF`: the currency, four totals, and pairs of a side and a balance.
pub(super) fn footer(records: &Records) -> Result<Footer, Problem> {
    let line = records.line();
    let code = String::from_utf8_lossy(records.cell(1));
    let currency = Currency::parse(code.trim()).map_err(|error| Problem::of_file(line, error.to_string()))?;
    let total = |at: usize| {
        number(records.cell(at)).ok_or_else(|| Problem {
            value: String::from_utf8_lossy(records.cell(at)).into_owned(),
            ..Problem::of_file(line, "a footer whose totals are not whole numbers of hundredths; the file is cut off")
        })
    };
    let total = Total { gross_credit: total(2)?, gross_debit: total(3)?, fee_credit: total(4)?, fee_debit: total(5)? };
    let balance = |side: usize| {
        let amount = number(records.cell(side + 1))?;
        match records.cell(side) {
            b"CR" => Some(amount),
            b"DR" => Some(-amount),
            _ => None,
        }
    };
    let balances = if records.len() > 9 { balance(6).zip(balance(8)) } else { None };
    Ok(Footer { currency, total, balances })
}

fn number(cell: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse::<i64>().ok())?.map(i128::from)
}
