//! The journals as files that accounting programs read. Pure: what is written depends on the journals alone, so two ledgers
//! with the same journals make the same bytes.

mod beancount;
mod csv;
mod entry;
mod hledger;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};

use entry::Entry;

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
}

impl ExportFormat {
    /// As typed after `--format`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hledger => "hledger",
            Self::Beancount => "beancount",
            Self::Csv => "csv",
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
}

/// All there is to write, of whatever makes journals.
#[derive(Debug, Clone, Default)]
pub struct Journals {
    pub of_movements: Vec<BookedJournal>,
    pub of_payouts: Vec<PayoutJournal>,
    pub of_invoices: Vec<InvoiceJournal>,
}

/// Writes the journals by posting date and number, in whatever order they come.
pub fn write(format: ExportFormat, journals: &Journals, out: &mut dyn Write) -> Result<(), ExportError> {
    let Journals { of_movements, of_payouts, of_invoices } = journals;
    let others = of_payouts.iter().map(Entry::of_payout).chain(of_invoices.iter().map(Entry::of_invoice));
    let mut sorted: Vec<Entry<'_>> = of_movements.iter().map(Entry::of_movement).chain(others).collect();
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
            Self::Csv => "CSV",
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
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::SameName { .. } => None,
        }
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
