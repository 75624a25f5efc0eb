//! Rows of a documents file: what the ERP posted.

use chrono::NaiveDate;

use super::ImportDefaults;
use super::field::{Field, Need};
use super::problem::Objection;
use super::reading::Reading;
use super::row::Row;
use crate::domain::document::DocumentKind;
use crate::domain::id::{Company, CustomerNumber, DocumentNumber, OrderNumber, ShopName};
use crate::domain::money::Amount;

pub const COMPANY: Field =
    Field::new("company", Need::Optional, "the company in the ERP; empty: `company` of the config", "MAIN");
pub const KIND: Field = Field::new("kind", Need::Required, "invoice, credit_note or shipment", "credit_note");
pub const NUMBER: Field =
    Field::new("number", Need::Required, "the ERP's number, unique within company and kind", "204");
pub const SHOP: Field =
    Field::new("shop", Need::Optional, "the shop of `order`; empty: `shop` of the config", "shop.example");
pub const ORDER: Field =
    Field::new("order", Need::Optional, "its order, known before; required for a shipment", "SO-1001");
pub const BILL_TO: Field = Field::new(
    "bill_to",
    Need::Optional,
    "the customer it is billed to; empty: the order's, else the config's default customer",
    "10042",
);
pub const CURRENCY: Field = Field::new("currency", Need::Required, "ISO 4217, the order's", "EUR");
pub const TOTAL: Field =
    Field::money("total", Need::Required, "gross, never negative; of a shipment: what it is worth", "29.90");
pub const PAID_ELSEWHERE: Field = Field::money(
    "paid_elsewhere",
    Need::Optional,
    "paid or applied by other means; empty: 0, or as before; the one field that may change",
    "0",
);
pub const REFERENCES: Field =
    Field::new("references", Need::Optional, "of a credit note: the invoice it belongs to, known or not", "103210");
pub const POSTED_ON: Field = Field::new("posted_on", Need::Required, "the posting date", "2026-11-21");

pub const FIELDS: [Field; 11] =
    [COMPANY, KIND, NUMBER, SHOP, ORDER, BILL_TO, CURRENCY, TOTAL, PAID_ELSEWHERE, REFERENCES, POSTED_ON];

const KIND_CHOICES: [(&str, DocumentKind); 3] = [
    ("invoice", DocumentKind::Invoice),
    ("credit_note", DocumentKind::CreditNote),
    ("shipment", DocumentKind::Shipment),
];

/// A document as the ERP hands it over. `None` says nothing: the default for a new document, as before for a known one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRecord {
    pub company: Company,
    pub kind: DocumentKind,
    pub number: DocumentNumber,
    pub order: Option<(ShopName, OrderNumber)>,
    pub bill_to: Option<CustomerNumber>,
    pub total: Amount,
    pub paid_elsewhere: Option<Amount>,
    pub references: Option<DocumentNumber>,
    pub posted_on: NaiveDate,
}

impl DocumentRecord {
    pub fn read(row: &Row, defaults: &ImportDefaults) -> Result<Self, Vec<Objection>> {
        let mut reading = Reading::of(row);
        let company = reading.id(&COMPANY, Company::parse).or_else(|| Some(defaults.company.clone()));
        let kind = reading.choice(&KIND, &KIND_CHOICES);
        let number = reading.id(&NUMBER, DocumentNumber::parse);
        let shop = reading.id(&SHOP, ShopName::parse).unwrap_or_else(|| defaults.shop.clone());
        let order = reading.id(&ORDER, OrderNumber::parse).map(|number| (shop, number));
        let bill_to = reading.id(&BILL_TO, CustomerNumber::parse);
        let currency = reading.currency(&CURRENCY);
        let total = reading.amount(&TOTAL, currency);
        let paid_elsewhere = reading.amount(&PAID_ELSEWHERE, currency);
        let references = reading.id(&REFERENCES, DocumentNumber::parse);
        let posted_on = reading.day(&POSTED_ON);
        if kind == Some(DocumentKind::Shipment) && !reading.is_given(&ORDER) {
            reading.object(&ORDER, "is required for a shipment, but empty");
        }
        if kind.is_some_and(|kind| kind != DocumentKind::CreditNote) && reading.is_given(&REFERENCES) {
            reading.object(&REFERENCES, "is only for credit notes");
        }
        let record = match (company, kind, number, total, posted_on) {
            (Some(company), Some(kind), Some(number), Some(total), Some(posted_on)) => {
                Some(Self { company, kind, number, order, bill_to, total, paid_elsewhere, references, posted_on })
            }
            _ => None,
        };
        reading.finish(record)
    }
}
