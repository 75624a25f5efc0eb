//! Customers: whom invoices are addressed and sent to.

use serde::{Deserialize, Serialize};

use super::id::CustomerNumber;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub number: CustomerNumber,
    pub name: String,
    pub email: Option<String>,
    pub address: Address,
    /// `None`: the configured one.
    pub language: Option<Language>,
    pub vat_id: Option<String>,
    /// Days until an invoice is due; `None`: the configured ones, if any.
    pub due_days: Option<u32>,
}

/// What is known of an address; a line that is not known is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Address {
    pub street: Option<String>,
    pub postcode: Option<String>,
    pub city: Option<String>,
    /// Two letters of ISO 3166.
    pub country: Option<String>,
}

/// What invoices and their letters are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    En,
    De,
}

impl Customer {
    pub const LANGUAGES: [Language; 2] = [Language::En, Language::De];
}

impl Language {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Customer::LANGUAGES.into_iter().find(|language| language.as_str() == text)
    }
}
