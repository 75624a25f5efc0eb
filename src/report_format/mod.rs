//! Settlement reports: one file per format, bytes in, [`ReportLine`]s out. Pure: no file is opened here.
//!
//! Columns are found by their names: their order and what else stands beside them is free. Signs and units are each format's
//! own business and end in one convention: what the balance at the PSP gains is positive.

mod adyen;
mod text;

use std::fmt;
use std::io::Read;

use chrono_tz::Tz;

use crate::domain::settlement::ReportLine;

/// Which report a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Adyen's settlement details report, the external settlement variant too.
    Adyen,
}

/// What a report does not say itself.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The zone of times that name none.
    pub time_zone: Tz,
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
    pub const ALL: [&'static str; 1] = ["adyen"];

    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Adyen => "adyen",
        }
    }
}

/// Opens a report. What is wrong with its head is the first thing it says.
pub fn open(format: &Format, input: Box<dyn Read + Send>, reading: Reading) -> Box<dyn Report> {
    match format {
        Format::Adyen => Box::new(adyen::Settlement::open(input, reading)),
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
