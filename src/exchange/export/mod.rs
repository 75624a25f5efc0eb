//! The journals as files that accounting programs read. Pure: what is written depends on the journals alone, so two ledgers
//! with the same journals make the same bytes.

mod beancount;
mod csv;
mod datev;
mod entry;
mod hledger;
mod stock;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};

use chrono::{DateTime, NaiveDate, Utc};
use datev::DatevFile;
use entry::Entry;

pub use datev::{DatevAccount, DatevBooks};

use crate::domain::booking::Posting;
use crate::domain::deletion::StockRelease;
use crate::domain::id::Account;
use crate::domain::money::Currency;
use crate::ledger::settlements::PayoutJournal;
use crate::ledger::{BookedJournal, InvoiceJournal};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum ExportFormat {
    /// A journal for hledger, which ledger reads as well
    Hledger,
    /// A journal for beancount
    Beancount,
    /// One row per posting
    Csv,
    /// A month for DATEV (Buchungsstapel); needs `[datev]` in the config
    Datev,
    /// No journals: one row per order line whose stock is given back, or reserved again
    Stock,
}

impl ExportFormat {
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hledger, Self::Beancount, Self::Csv, Self::Datev].into_iter().find(|format| format.as_str() == text)
    }

    /// As typed after `--format`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hledger => "hledger",
            Self::Beancount => "beancount",
            Self::Csv => "csv",
            Self::Datev => "datev",
            Self::Stock => "stock",
        }
    }
}

/// Why the journals cannot be written.
#[derive(Debug)]
pub enum ExportError {
    Io(io::Error),
    /// The format cannot tell two accounts apart: their sums would be mixed.
    SameName {
        one: Account,
        other: Account,
        name: String,
        format: ExportFormat,
    },
    /// DATEV knows accounts by numbers.
    Unmapped {
        accounts: Vec<String>,
    },
    /// A format that holds one month of the books, and the numbers of its accounts.
    NoMonth,
}

/// What to write, besides the format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// The first day of the month it is booked in: what is of an earlier day came too late for its own, and is booked on the first.
    pub month: Option<NaiveDate>,
    /// For DATEV only.
    pub datev: Option<(&'a DatevBooks, DateTime<Utc>)>,
}

/// All there is to write, of whatever makes journals.
#[derive(Debug, Clone, Default)]
pub struct Journals {
    pub of_movements: Vec<BookedJournal>,
    pub of_payouts: Vec<PayoutJournal>,
    pub of_invoices: Vec<InvoiceJournal>,
    /// Of the format `stock` only.
    pub stock: Vec<StockRelease>,
}

impl Journals {
    /// Their numbers.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        let of_movements = self.of_movements.iter().map(|journal| journal.number.as_str());
        let of_payouts = self.of_payouts.iter().map(|journal| journal.number.as_str());
        of_movements.chain(of_payouts).chain(self.of_invoices.iter().map(|journal| journal.number.as_str()))
    }

    /// Only those in a currency. Returns how many are in others: a journal is in one.
    pub fn keep_currency(&mut self, currency: Currency) -> usize {
        let count = |journals: &Self| journals.numbers().count();
        let before = count(self);
        self.of_movements.retain(|journal| journal.amount.currency() == currency);
        self.of_payouts.retain(|journal| journal.entry.currency == currency);
        let is_in = |postings: &[Posting]| postings.iter().all(|posting| posting.amount.currency() == currency);
        self.of_invoices.retain(|journal| is_in(&journal.postings));
        before - count(self)
    }

    /// Only those whose number `keeps`.
    pub fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        self.of_movements.retain(|journal| keeps(&journal.number));
        self.of_payouts.retain(|journal| keeps(&journal.number));
        self.of_invoices.retain(|journal| keeps(&journal.number));
    }
}

/// Writes the journals by posting date and number, in whatever order they come.
pub fn write(
    format: ExportFormat,
    journals: &Journals,
    selection: Selection<'_>,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let Journals { of_movements, of_payouts, of_invoices, stock } = journals;
    let others = of_payouts.iter().map(Entry::of_payout).chain(of_invoices.iter().map(Entry::of_invoice));
    let all = of_movements.iter().map(Entry::of_movement).chain(others);
    let mut sorted: Vec<Entry<'_>> = match selection.month {
        Some(first) => all.map(|entry| entry.booked_in(first)).collect(),
        None => all.collect(),
    };
    sorted.sort_by_key(|entry| (entry.posting_date, entry.number));
    match format {
        ExportFormat::Hledger => {
            let names = Names::new(format, &sorted, hledger::account_name)?;
            hledger::write(&sorted, &names, out)?;
        }
        ExportFormat::Beancount => {
            let names = Names::new(format, &sorted, beancount::account_name)?;
            beancount::write(&sorted, &names, out)?;
        }
        ExportFormat::Csv => csv::write(&sorted, out)?,
        ExportFormat::Datev => {
            let (Some(month), Some((books, made_at))) = (selection.month, selection.datev) else {
                return Err(ExportError::NoMonth);
            };
            let unmapped = books.unmapped(&sorted);
            if !unmapped.is_empty() {
                return Err(ExportError::Unmapped { accounts: unmapped.into_iter().collect() });
            }
            datev::write(&sorted, &DatevFile { books, month, made_at }, out)?;
        }
        ExportFormat::Stock => stock::write(stock, out)?,
    }
    Ok(())
}

/// The name each account has in a format that does not take every name; no two accounts have the same.
struct Names<'a>(BTreeMap<&'a Account, String>);

impl<'a> Names<'a> {
    fn new(format: ExportFormat, journals: &[Entry<'a>], name: fn(&str) -> String) -> Result<Self, ExportError> {
        let accounts: BTreeSet<&Account> =
            journals.iter().flat_map(|journal| &journal.postings).map(|posting| posting.account).collect();
        let mut taken: BTreeMap<String, &Account> = BTreeMap::new();
        let mut names = BTreeMap::new();
        for account in accounts {
            let name = name(account.as_str());
            if let Some(one) = taken.insert(name.clone(), account) {
                return Err(ExportError::SameName { one: one.clone(), other: account.clone(), name, format });
            }
            names.insert(account, name);
        }
        Ok(Self(names))
    }

    fn of(&self, account: &'a Account) -> &str {
        self.0.get(account).map_or(account.as_str(), String::as_str)
    }
}

/// What the postings are in, in the order of the codes.
fn currencies(journals: &[Entry<'_>]) -> Vec<Currency> {
    let by_code: BTreeMap<&str, Currency> = journals
        .iter()
        .flat_map(|journal| &journal.postings)
        .map(|posting| (posting.amount.currency().code(), posting.amount.currency()))
        .collect();
    by_code.into_values().collect()
}

/// Every run of white space as one blank.
fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl ExportFormat {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hledger => "hledger",
            Self::Beancount => "beancount",
            Self::Csv | Self::Stock => "CSV",
            Self::Datev => "DATEV",
        }
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("failed to write the export"),
            Self::SameName { one, other, name, format } => write!(
                f,
                "the accounts `{one}` and `{other}` would both be `{name}` in {}, and their sums would be mixed",
                format.name()
            ),
            Self::Unmapped { accounts } => {
                write!(f, "these accounts have no number in `datev.accounts`: {}", accounts.join(", "))
            }
            Self::NoMonth => f.write_str("DATEV takes one month at a time, and needs `[datev]` in the config"),
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::SameName { .. } | Self::Unmapped { .. } | Self::NoMonth => None,
        }
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
