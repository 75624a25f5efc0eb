//! Import files: bytes → rows with their line numbers → typed records, or everything that is wrong with the row.
//!
//! A row is read, judged and forgotten before the next: memory does not grow with the file.

mod csv;
pub mod customer;
mod describe;
pub mod document;
pub mod entry;
mod field;
mod lines;
pub mod mandate;
mod ndjson;
pub mod order;
pub mod order_line;
pub mod payment;
mod problem;
mod reading;
mod reject;
mod row;

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::Path;

use clap::ValueEnum;

pub use describe::describe;
pub use document::DocumentRecord;
pub use entry::EntryRecord;
pub use field::{Content, Field, Need};
pub use mandate::MandateRecord;
pub use order::OrderRecord;
pub use order_line::OrderLineRecord;
pub use payment::PaymentRecord;
pub use problem::{Objection, Problem};
pub use reject::RejectWriter;
pub use row::{Cell, Origin, Row};

use crate::domain::id::{Company, CustomerNumber, MerchantAccount, ProviderName, ShopName};

/// What one file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum ImportKind {
    Orders,
    /// What each order sells: `finalize-invoices` bills it.
    OrderLines,
    /// Whom invoices are addressed and sent to.
    Customers,
    /// Open items that are paid before there is an invoice.
    Entries,
    Payments,
    Documents,
    /// Direct debit mandates and stored cards: `collect` takes due entries on them.
    Mandates,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum InputFormat {
    /// RFC 4180 with a header line; `,` or `;` between cells.
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// What an empty cell stands for.
#[derive(Debug, Clone)]
pub struct ImportDefaults {
    pub shop: ShopName,
    pub company: Company,
    pub default_customer: CustomerNumber,
    /// The configured providers and the merchant account of each.
    pub providers: BTreeMap<ProviderName, MerchantAccount>,
}

/// The rows of an import file, one at a time.
#[derive(Debug)]
pub enum Rows<R> {
    Csv(Box<csv::Rows<R>>),
    Ndjson(ndjson::Rows<R>),
}

/// How rejected rows are written, so that the file can be imported once it is repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    Csv { delimiter: u8, header: Vec<String> },
    Ndjson,
}

/// Why no row of a file can be read.
#[derive(Debug)]
pub enum OpenError {
    Io(io::Error),
    Header(Vec<Problem>),
}

impl ImportKind {
    pub const ALL: [Self; 7] = [
        Self::Orders,
        Self::OrderLines,
        Self::Customers,
        Self::Entries,
        Self::Payments,
        Self::Documents,
        Self::Mandates,
    ];

    pub fn noun(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::OrderLines => "order lines",
            Self::Customers => "customers",
            Self::Entries => "entries",
            Self::Payments => "payments",
            Self::Documents => "documents",
            Self::Mandates => "mandates",
        }
    }

    /// The one list the parser, `--describe` and the checks of headers go by.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Orders => &order::FIELDS,
            Self::OrderLines => &order_line::FIELDS,
            Self::Customers => &customer::FIELDS,
            Self::Entries => &entry::FIELDS,
            Self::Payments => &payment::FIELDS,
            Self::Documents => &document::FIELDS,
            Self::Mandates => &mandate::FIELDS,
        }
    }
}

impl InputFormat {
    /// By the ending of the file's name, else by whether the first thing in it opens a JSON object.
    pub fn guess(path: &Path, input: &mut impl BufRead) -> io::Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("ndjson" | "jsonl") => Ok(Self::Ndjson),
            Some("csv") => Ok(Self::Csv),
            _ => {
                let start = lines::without_bom(input.fill_buf()?);
                let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
                Ok(if first == Some(&b'{') { Self::Ndjson } else { Self::Csv })
            }
        }
    }
}

impl<R: BufRead> Rows<R> {
    pub fn open(format: InputFormat, kind: ImportKind, input: R) -> Result<Self, OpenError> {
        match format {
            InputFormat::Csv => csv::Rows::open(input, kind.fields()).map(|rows| Self::Csv(Box::new(rows))),
            InputFormat::Ndjson => Ok(Self::Ndjson(ndjson::Rows::open(input, kind.fields()))),
        }
    }

    pub fn layout(&self) -> Layout {
        match self {
            Self::Csv(rows) => rows.layout(),
            Self::Ndjson(_) => Layout::Ndjson,
        }
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Csv(rows) => rows.next_row().transpose(),
            Self::Ndjson(rows) => rows.next_row().transpose(),
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
