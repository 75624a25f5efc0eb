//! A table that the user's configuration describes: which column holds what, how amounts are signed and written, and what the
//! words for the kinds mean. For a PSP this version does not know.

mod columns;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::Read;

use chrono::DateTime;
use chrono::format::{Item, StrftimeItems};
use chrono_tz::Tz;

use self::columns::Columns;
use super::Reading;
use super::clock::Clock;
use super::table::Table;
use crate::domain::money::Currency;
use crate::domain::settlement::LineKind;

/// A format as the configuration describes it. Columns are named as in the head of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenericFormat {
    /// What stands between two cells: `,`, `;` or a tab.
    pub separator: u8,
    /// What the balance changed by, and how its sign is written.
    pub amount: AmountColumns,
    /// Whether `amount` is before or after fees and tax.
    pub amount_is: AmountIs,
    /// The currency of amount, fee and tax.
    pub currency: CurrencyFrom,
    /// Whether amounts are written in major or minor units.
    pub units: Units,
    /// Between the whole and its decimals: `.` or `,`.
    pub decimal_point: char,
    /// Between thousands, where the report has it: it is left out when an amount is read.
    pub thousands_separator: Option<char>,
    /// When the money moved.
    pub date: String,
    /// How `date` is written, as `strftime` has it: `%d.%m.%Y %H:%M`. None: `2026-11-22` or `2026-11-22 14:05:59`. With `%z` it
    /// says its own offset.
    pub date_format: Option<String>,
    /// The zone of `date`; none: the provider's.
    pub time_zone: Option<Tz>,
    /// The payout's reference.
    pub payout: Option<PayoutFrom>,
    /// The kind, in the report's words.
    pub kind: Option<String>,
    /// What those words mean, each as it is written there.
    pub kinds: Vec<(String, LineKind)>,
    /// The kind of a line whose word is not among `kinds`, or of every line without a column `kind`.
    pub default_kind: LineKind,
    /// Fees the PSP kept, without tax.
    pub fee: Option<String>,
    /// Tax on the fees.
    pub tax: Option<String>,
    /// Whether fee and tax are written as the balance sees them: negative where the PSP kept them.
    pub fees_are_negative: bool,
    /// What the customer saw, without or with the sign of `amount`. None: `amount` before fees and tax.
    pub gross: Option<String>,
    /// The currency of `gross`; none: the line's.
    pub gross_currency: Option<String>,
    /// The merchant account.
    pub account: Option<String>,
    /// The PSP's id of the payment.
    pub transaction: Option<String>,
    /// The PSP's id of the capture, refund or chargeback, or of the line.
    pub modification: Option<String>,
    /// Whether `modification` alone identifies a line, in whatever payout it stands.
    pub has_own_id: bool,
    /// The merchant's reference of the payment: where the order's number is.
    pub reference: Option<String>,
    /// The merchant's reference of the modification: our document's number.
    pub document: Option<String>,
    /// The payment method.
    pub method: Option<String>,
    /// The currency of `amount` per currency of `gross`.
    pub exchange_rate: Option<String>,
    /// Anything else that is worth keeping.
    pub note: Option<String>,
}

/// Where an amount and its sign stand. What we get is positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AmountColumns {
    /// One column with a sign.
    Signed(String),
    /// A column for what we get, and one for what we give. One of the two is empty or zero.
    CreditAndDebit { credit: String, debit: String },
    /// A column without a sign, and one that says in a word which way the money went.
    Indicated { amount: String, indicator: String, credit_word: String, debit_word: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountIs {
    /// Before fees and tax.
    Gross,
    /// After fees and tax: what the balance changed by.
    Net,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrencyFrom {
    Column(String),
    Fixed(Currency),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayoutFrom {
    Column(String),
    Fixed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// `12.30`.
    Major,
    /// `1230` for 12.30 EUR, `1230` for 1230 JPY.
    Minor,
}

impl Default for GenericFormat {
    /// Columns `amount`, `currency` and `date`, of which nothing is known but that the money moved.
    fn default() -> Self {
        Self {
            separator: b',',
            amount: AmountColumns::Signed("amount".to_owned()),
            amount_is: AmountIs::Net,
            currency: CurrencyFrom::Column("currency".to_owned()),
            units: Units::Major,
            decimal_point: '.',
            thousands_separator: None,
            date: "date".to_owned(),
            date_format: None,
            time_zone: None,
            payout: None,
            kind: None,
            kinds: Vec::new(),
            default_kind: LineKind::Unknown,
            fee: None,
            tax: None,
            fees_are_negative: false,
            gross: None,
            gross_currency: None,
            account: None,
            transaction: None,
            modification: None,
            has_own_id: false,
            reference: None,
            document: None,
            method: None,
            exchange_rate: None,
            note: None,
        }
    }
}

/// Whether a text is a date format that `GenericFormat::date_format` can be: a day that is written with it can be read again.
pub fn is_date_format(format: &str) -> bool {
    /// 2026-11-22 14:05:59 UTC.
    const SOME_MOMENT: i64 = 1_795_356_359;
    if StrftimeItems::new(format).any(|item| item == Item::Error) {
        return false;
    }
    let mut written = String::new();
    let moment = DateTime::from_timestamp(SOME_MOMENT, 0).unwrap_or_default();
    let is_written = write!(written, "{}", moment.format(format)).is_ok();
    is_written && columns::formatted(&written, format, Tz::UTC, &Clock::default()).is_some()
}

pub(super) fn open(format: &GenericFormat, input: Box<dyn Read + Send>, reading: Reading) -> Table<Columns> {
    let sign = match &format.amount {
        AmountColumns::Signed(amount)
        | AmountColumns::CreditAndDebit { credit: amount, .. }
        | AmountColumns::Indicated { amount, .. } => amount,
    };
    Table::open(input, reading, format.separator, sign, |rows| Columns::find(format.clone(), rows))
}
