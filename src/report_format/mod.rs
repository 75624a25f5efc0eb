//! Settlement reports: one file per format, bytes in, [`ReportLine`]s out. Pure but for [`open_file`], which is given its file.
//!
//! Columns are found by their names: their order and what else stands beside them is free. Signs and units are each format's
//! own business and end in one convention: what the balance at the PSP gains is positive.

mod adyen;
mod clock;
mod detect;
mod generic;
mod klarna;
mod packed;
mod paypal;
#[cfg(test)]
mod sample;
mod stripe;
mod table;
mod text;

use std::fmt;
use std::io::Read;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::settlement::{Decimal, Fees, LineKind, ReportLine};

pub use detect::{detect, detect_in};
pub use generic::{AmountColumns, AmountIs, CurrencyFrom, GenericFormat, PayoutFrom, Units, is_date_format};
pub use packed::open_file;

/// Which report a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Adyen's settlement details report, the external settlement variant too.
    Adyen,
    /// Stripe's itemised payout reconciliation, balance change or payouts.
    Stripe,
    /// Paypal's settlement report (`STL`).
    Paypal,
    /// Klarna's transactions or payouts, as JSON.
    Klarna,
    /// What the configuration describes.
    Generic(Box<GenericFormat>),
}

/// What a report does not say itself.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The zone of times that name none.
    pub time_zone: Tz,
    /// Nothing has moved later than this.
    pub latest: DateTime<Utc>,
}

impl Reading {
    /// `time_zone` is that of times that name none. Clocks and zones may differ; a payout may be told with the day it arrives; more than a month from now is a mistake.
    pub fn at(now: DateTime<Utc>, time_zone: Tz) -> Self {
        Self { time_zone, latest: now.checked_add_signed(TimeDelta::days(31)).unwrap_or(now) }
    }

    /// A time at which money can have moved, or why not: a line is booked on its day.
    fn dated(self, at: DateTime<Utc>) -> Result<DateTime<Utc>, &'static str> {
        let earliest = NaiveDate::from_ymd_opt(2000, 1, 1).map(|day| day.and_time(NaiveTime::MIN).and_utc());
        if at > self.latest {
            Err("more than a month from now: no money can have moved then")
        } else if earliest.is_some_and(|earliest| at < earliest) {
            Err("before the year 2000")
        } else {
            Ok(at)
        }
    }
}

/// A report that is being read.
pub trait Report: Send {
    /// The next line, in the order of the file. After a problem with the whole file there is nothing more.
    fn next_line(&mut self) -> Option<Result<ReportLine, Problem>>;
}

/// Why a line or a whole file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line in the file, from 1 on.
    pub line: u64,
    /// The column's name; empty where it is about the whole line or file.
    pub column: String,
    /// What stands there; empty where nothing does.
    pub value: String,
    pub what: String,
    /// Nothing of the file is to be taken over: it is of another kind, cut off or broken.
    pub is_fatal: bool,
}

impl Format {
    pub const ALL: [&'static str; 5] = ["adyen", "stripe", "paypal", "klarna", "generic"];

    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Adyen => "adyen",
            Self::Stripe => "stripe",
            Self::Paypal => "paypal",
            Self::Klarna => "klarna",
            Self::Generic(_) => "generic",
        }
    }

    /// A format that needs no description.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Adyen, Self::Stripe, Self::Paypal, Self::Klarna].into_iter().find(|format| format.as_str() == name)
    }
}

/// Opens a report. What is wrong with its head is the first thing it says.
pub fn open(format: &Format, input: Box<dyn Read + Send>, reading: Reading) -> Box<dyn Report> {
    match format {
        Format::Adyen => Box::new(adyen::open(input, reading)),
        Format::Stripe => Box::new(stripe::open(input, reading)),
        Format::Paypal => Box::new(paypal::Settlement::open(input, reading)),
        Format::Klarna => Box::new(klarna::Transactions::open(input, reading)),
        Format::Generic(format) => Box::new(generic::open(format, input, reading)),
    }
}

/// The fees of a line. One that is nothing but a fee or a tax has it as its whole amount.
fn fees_of(kind: LineKind, net: Decimal, fee: Decimal) -> Fees {
    if kind == LineKind::Fee {
        Fees { total: net.negated(), ..Fees::default() }
    } else if kind == LineKind::FeeTax {
        Fees { tax: net.negated(), ..Fees::default() }
    } else {
        Fees { total: fee, ..Fees::default() }
    }
}

impl Problem {
    fn of_file(line: u64, what: impl Into<String>) -> Self {
        Self { line, column: String::new(), value: String::new(), what: what.into(), is_fatal: true }
    }

    fn of_line(line: u64, column: &str, value: &str, what: impl Into<String>) -> Self {
        /// A value is told as far as it helps.
        const LONGEST: usize = 80;
        let value = match value.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
            None => value.to_owned(),
        };
        Self { line, column: column.to_owned(), value, what: what.into(), is_fatal: false }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", column `{}`", self.column)?;
        }
        if !self.value.is_empty() {
            write!(f, ", `{}`", self.value)?;
        }
        write!(f, ": {}", self.what)
    }
}
