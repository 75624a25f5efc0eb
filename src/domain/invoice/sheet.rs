//! What stands on an invoice: everything a page or an e-invoice needs, as it was when the invoice was made final.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::pricing::{PricedLine, Prices};
use crate::domain::customer::{Address, Language};
use crate::domain::id::DocumentNumber;
use crate::domain::money::{Amount, MoneyError};

/// One invoice, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceSheet {
    pub number: DocumentNumber,
    /// The invoice it takes back, all of it or some lines; `None`: it is an invoice itself.
    pub corrects: Option<Corrected>,
    /// The invoice's date, and that of the supply.
    pub dated: NaiveDate,
    pub due_on: Option<NaiveDate>,
    /// The shop's number of the order, and its day.
    pub order: String,
    pub ordered_on: NaiveDate,
    pub parties: Parties,
    pub prices: Prices,
    /// At least one; net + tax of all of them is `total`.
    pub lines: Vec<PricedLine>,
    /// With tax.
    pub total: Amount,
    /// What was paid when the page was made; never negative, at most `total`.
    pub paid: Amount,
    /// The rest was authorised when the page was made, and is captured for the invoice: nobody is asked for it.
    pub is_charged: bool,
    /// Where the rest can be paid.
    pub payment_url: Option<String>,
}

/// An invoice that was taken back, or a part of it. The sums of what takes it back are positive all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrected {
    /// All of it: by a cancellation, not by a credit note.
    pub is_cancelled: bool,
    pub number: DocumentNumber,
    pub dated: NaiveDate,
    pub reason: String,
}

/// Who sells to whom, and in which language they are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parties {
    pub seller: Seller,
    pub customer_number: String,
    pub customer_name: String,
    pub customer_address: Address,
    pub customer_vat_id: Option<String>,
    pub customer_email: Option<String>,
    pub language: Language,
}

/// The shop, as its invoices name it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seller {
    pub name: String,
    pub address: Address,
    pub email: Option<String>,
    pub vat_id: Option<String>,
    /// The number of the local tax office, where there is no VAT id.
    pub tax_number: Option<String>,
    pub iban: Option<String>,
    pub bic: Option<String>,
    /// One more line, such as the register and its number.
    pub note: Option<String>,
}

impl InvoiceSheet {
    /// What is still open, whoever sees to it.
    pub fn open(&self) -> Result<Amount, MoneyError> {
        self.total.checked_sub(self.paid)
    }

    /// What its customer is asked for.
    pub fn to_pay(&self) -> Result<Amount, MoneyError> {
        if self.is_charged || self.corrects.is_some() {
            return Ok(Amount::zero(self.total.currency()));
        }
        self.open()
    }
}
