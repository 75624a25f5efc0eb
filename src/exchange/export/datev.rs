//! DATEV's posting batch (`EXTF`, format 21, version 13): what a German tax adviser's program reads.
//!
//! A journal becomes one row for each posting after its first, against the first. All are in the currency of the books: DATEV wants
//! the booked rate of any other, which nobody here knows.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Utc};
use encoding_rs::WINDOWS_1252;

use super::entry::{Entry, EntryPosting};
use crate::domain::id::Account;
use crate::domain::money::{Amount, Currency};

/// The adviser's and the client's numbers, and how accounts are called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatevBooks {
    pub consultant: u32,
    pub client: u32,
    /// The month in which the business year begins.
    pub year_begins: u32,
    /// Digits of impersonal accounts; a customer's has one more at most.
    pub account_length: u32,
    pub currency: Currency,
    pub accounts: Vec<DatevAccount>,
}

/// An account of ours, or all whose names begin alike, and its number at DATEV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatevAccount {
    /// Without the `*` at its end.
    name: String,
    is_prefix: bool,
    /// `None`: what stands in place of the `*`.
    number: Option<String>,
    /// Lifts or sets what the account does by itself, such as `40`.
    key: Option<String>,
}

/// One file: a month of the books.
#[derive(Debug, Clone, Copy)]
pub(super) struct DatevFile<'a> {
    pub(super) books: &'a DatevBooks,
    /// Its first day.
    pub(super) month: NaiveDate,
    pub(super) made_at: DateTime<Utc>,
}

const COLUMNS: usize = 125;

/// The headings of the columns that are filled in, by their places; the others are DATEV's own and stay empty.
const HEADINGS: [&str; 14] = [
    "Umsatz (ohne Soll/Haben-Kz)",
    "Soll/Haben-Kennzeichen",
    "WKZ Umsatz",
    "Kurs",
    "Basis-Umsatz",
    "WKZ Basis-Umsatz",
    "Konto",
    "Gegenkonto (ohne BU-Schlüssel)",
    "BU-Schlüssel",
    "Belegdatum",
    "Belegfeld 1",
    "Belegfeld 2",
    "Skonto",
    "Buchungstext",
];

impl DatevAccount {
    /// `name` as in `[accounts]`, with a `*` at its end for all that begin so; `number` such as `1360`, `8400/40` with a key, or `*`.
    pub fn parse(name: &str, number: &str) -> Result<Self, String> {
        let (stem, is_prefix) = name.strip_suffix('*').map_or((name, false), |stem| (stem, true));
        if stem.contains('*') {
            return Err("a `*` stands at the end of a name only".to_owned());
        }
        let (number, key) = number.split_once('/').map_or((number, None), |(number, key)| (number, Some(key)));
        let is_number = |text: &str, longest: usize| {
            !text.is_empty() && text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !(number == "*" && is_prefix || is_number(number, 9)) {
            return Err("expected a number of at most 9 digits, or `*` where the name ends in one".to_owned());
        }
        if key.is_some_and(|key| !is_number(key, 4)) {
            return Err("expected a key of at most 4 digits after the `/`, such as `8400/40`".to_owned());
        }
        let number = Some(number.to_owned()).filter(|number| number != "*");
        Ok(Self { name: stem.to_owned(), is_prefix, number, key: key.map(str::to_owned) })
    }

    /// The number of an account that this is about.
    fn number_of(&self, account: &str) -> Option<(String, String)> {
        let rest = account.strip_prefix(self.name.as_str())?;
        if !self.is_prefix && !rest.is_empty() {
            return None;
        }
        let number = self.number.clone().unwrap_or_else(|| rest.to_owned());
        let is_number = !number.is_empty() && number.len() <= 9 && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| (number, self.key.clone().unwrap_or_default()))
    }
}

impl fmt::Display for DatevAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_prefix { "*" } else { "" };
        let key = self.key.as_ref().map_or_else(String::new, |key| format!("/{key}"));
        write!(f, "{}{star} = {}{key}", self.name, self.number.as_deref().unwrap_or("*"))
    }
}

impl DatevBooks {
    /// The longest name that fits goes before shorter ones.
    fn number_of(&self, account: &Account) -> Option<(String, String)> {
        let fits = |known: &&DatevAccount| known.number_of(account.as_str()).is_some();
        let best = self.accounts.iter().filter(fits).max_by_key(|known| (known.name.len(), !known.is_prefix))?;
        best.number_of(account.as_str())
    }

    /// The accounts of these journals that have no number.
    pub(super) fn unmapped(&self, journals: &[Entry<'_>]) -> BTreeSet<String> {
        let postings = journals.iter().flat_map(|journal| &journal.postings);
        let unmapped = postings.filter(|posting| self.number_of(posting.account).is_none());
        unmapped.map(|posting| posting.account.to_string()).collect()
    }

    /// The first day of the business year a month is in.
    fn year_of(&self, month: NaiveDate) -> NaiveDate {
        let back = (month.month() + 12 - self.year_begins) % 12;
        month.checked_sub_months(Months::new(back)).unwrap_or(month)
    }
}

/// Every account must have its number: `DatevBooks::unmapped` says so before.
pub(super) fn write(journals: &[Entry<'_>], file: &DatevFile<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |cells: Vec<String>| -> io::Result<()> {
        let text = cells.join(";");
        out.write_all(&windows_1252(&text))?;
        out.write_all(b"\r\n")
    };
    line(header(file))?;
    let headings =
        (1..=COLUMNS).map(|column| HEADINGS.get(column - 1).map_or(String::new(), |name| (*name).to_owned()));
    line(headings.collect())?;
    for journal in journals {
        for cells in rows(journal, file.books) {
            line(cells)?;
        }
    }
    out.flush()
}

fn header(file: &DatevFile<'_>) -> Vec<String> {
    let books = file.books;
    let day = |day: NaiveDate| day.format("%Y%m%d").to_string();
    let last = file.month.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(file.month);
    let none = String::new;
    vec![
        quoted("EXTF"),
        "700".to_owned(),
        "21".to_owned(),
        quoted("Buchungsstapel"),
        "13".to_owned(),
        file.made_at.format("%Y%m%d%H%M%S000").to_string(),
        none(),
        quoted("PJ"),
        quoted("payjournal"),
        quoted(""),
        books.consultant.to_string(),
        books.client.to_string(),
        day(books.year_of(file.month)),
        books.account_length.to_string(),
        day(file.month),
        day(last),
        quoted(&format!("payjournal {}", file.month.format("%Y-%m"))),
        quoted(""),
        // Financial accounting, for no purpose of its own, not fixed: the adviser looks first.
        "1".to_owned(),
        "0".to_owned(),
        "0".to_owned(),
        quoted(books.currency.code()),
        none(),
        quoted(""),
        none(),
        none(),
        quoted(""),
        none(),
        none(),
        quoted(""),
        quoted(""),
    ]
}

/// A row for each posting after the first, against the first. A key goes with the contra account, so an account that has one is
/// put there.
fn rows(journal: &Entry<'_>, books: &DatevBooks) -> Vec<Vec<String>> {
    let Some((first, others)) = journal.postings.split_first() else { return Vec::new() };
    let number = |account: &Account| books.number_of(account).unwrap_or_default();
    let row = |other: &EntryPosting<'_>| {
        let ((mut account, key), (mut contra, mut contra_key)) = (number(first.account), number(other.account));
        // Against the first: what the other is credited with, the first is debited with.
        let mut is_debit = other.amount.is_negative();
        if !key.is_empty() && contra_key.is_empty() {
            (account, contra, contra_key, is_debit) = (contra, account, key, !is_debit);
        }
        let amount = if other.amount.is_negative() { other.amount.negated() } else { other.amount };
        let mut cells = vec![
            decimal_comma(amount),
            quoted(if is_debit { "S" } else { "H" }),
            quoted(amount.currency().code()),
            String::new(),
            String::new(),
            quoted(""),
            account,
            contra,
            quoted(&contra_key),
            journal.posting_date.format("%d%m").to_string(),
            quoted(&voucher(journal)),
            quoted(""),
            String::new(),
            quoted(&cut(&said(journal), 60)),
        ];
        cells.resize(20, String::new());
        cells.extend([quoted("Journal"), quoted(journal.number)]);
        if let Some(day) = journal.moved_on {
            cells.extend([quoted("Datum"), quoted(&day.to_string())]);
        }
        cells.resize(COLUMNS, String::new());
        cells
    };
    others.iter().map(row).collect()
}

/// What belongs together is found by it: the document, or the PSP's id.
fn voucher(journal: &Entry<'_>) -> String {
    let text = journal.document.map(|(_, _, number)| number).or(journal.transaction).unwrap_or(journal.number);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "$%&*+-/".contains(c);
    cut(&text.chars().map(|c| if is_allowed(c) { c } else { '-' }).collect::<String>(), 36)
}

fn said(journal: &Entry<'_>) -> String {
    let document = journal.document.map(|(_, noun, number)| format!("{noun} {number}"));
    let parts = [Some(journal.kind.replace('_', " ")), document, journal.transaction.map(str::to_owned)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn decimal_comma(amount: Amount) -> String {
    amount.decimal().replace('.', ",")
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

/// Quotation marks are doubled, and a line stays one.
fn quoted(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// What the character set lacks becomes a question mark.
fn windows_1252(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        // One by one: the crate writes `&#28450;` for what is missing.
        let one = c.to_string();
        let (encoded, _, is_missing) = WINDOWS_1252.encode(&one);
        bytes.extend_from_slice(if is_missing { b"?" } else { &encoded });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(accounts: &[(&str, &str)]) -> DatevBooks {
        DatevBooks {
            consultant: 1001,
            client: 1,
            year_begins: 7,
            account_length: 4,
            currency: Currency::parse("EUR").unwrap(),
            accounts: accounts.iter().map(|(name, number)| DatevAccount::parse(name, number).unwrap()).collect(),
        }
    }

    #[test]
    fn the_longest_name_that_fits_says_the_number() {
        let books = books(&[("Assets:*", "1"), ("Assets:Receivables:*", "*"), ("Assets:Receivables:CASH", "1400/40")]);
        let number = |name: &str| books.number_of(&Account::parse(name).unwrap());
        let some = |number: &str, key: &str| Some((number.to_owned(), key.to_owned()));
        assert_eq!(number("Assets:PSP"), some("1", ""));
        assert_eq!(number("Assets:Receivables:10042"), some("10042", ""));
        assert_eq!(number("Assets:Receivables:CASH"), some("1400", "40"));
        // No number of its own: the shorter name has one.
        assert_eq!(number("Assets:Receivables:Ada"), some("1", ""));
        assert_eq!(number("Income"), None);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (name, number) in
            [("A", "*"), ("A*B", "1"), ("A", ""), ("A", "12x"), ("A", "1234567890"), ("A", "8400/"), ("A", "1/12345")]
        {
            assert!(DatevAccount::parse(name, number).is_err(), "{name} = {number}");
        }
    }

    #[test]
    fn a_year_begins_in_its_month() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(books(&[]).year_of(day("2026-06-01")), day("2025-07-01"));
        assert_eq!(books(&[]).year_of(day("2026-07-01")), day("2026-07-01"));
    }

    #[test]
    fn texts_are_in_the_character_set_of_the_format() {
        assert_eq!(windows_1252("Ö€Š–漢"), [0xd6, 0x80, 0x8a, 0x96, b'?']);
        assert_eq!(quoted("a\"b\nc"), "\"a\"\"b c\"");
    }
}
