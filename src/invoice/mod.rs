//! How an invoice looks: a sheet rendered as a page for people and as an e-invoice for programs, both pure functions.
//!
//! [`pdf()`] is a PDF/A-3 that carries what [`xml()`] writes. The same sheet is always the same bytes.

mod layout;
mod paper;
mod pdf;
mod table;
mod typesetter;
mod words;
mod xml;
mod xmp;

use std::fmt;

use rust_decimal::Decimal;

use crate::domain::money::MoneyError;

pub use pdf::pdf;
pub use xml::xml;

/// Why an invoice cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderError {
    /// An e-invoice must name it.
    Missing {
        what: &'static str,
    },
    Money(MoneyError),
    /// A figure is too large for the page or the file.
    TooLarge {
        what: &'static str,
    },
    /// The PDF cannot be written: a mistake of ours.
    Pdf {
        why: String,
    },
    /// The XML cannot be written: a mistake of ours.
    Xml {
        why: String,
    },
}

impl From<MoneyError> for RenderError {
    fn from(error: MoneyError) -> Self {
        Self::Money(error)
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what } => write!(f, "{what} is not known, and an invoice must name it"),
            Self::Money(error) => error.fmt(f),
            Self::TooLarge { what } => write!(f, "{what} is larger than an invoice can show"),
            Self::Pdf { why } => write!(f, "the PDF cannot be written: {why}"),
            Self::Xml { why } => write!(f, "the XML cannot be written: {why}"),
        }
    }
}

impl std::error::Error for RenderError {}

/// With no zeros at its end, but with `least` decimals at least.
fn decimals(value: Decimal, least: usize) -> String {
    let value = value.normalize();
    let least = u32::try_from(least).unwrap_or(0);
    let mut shown = value;
    if value.scale() < least {
        shown.rescale(least);
    }
    shown.to_string()
}

/// Without what neither XML nor a page can hold; white space of any kind is one space.
fn printable(text: &str) -> String {
    let is_blank =
        |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{feff}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
    let text: String = text.chars().map(|c| if is_blank(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod sample;
