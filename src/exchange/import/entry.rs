//! Rows of an entries file: what is to be paid before there is an invoice.

use chrono::NaiveDate;

use super::ImportDefaults;
use super::field::{Field, Need};
use super::problem::Objection;
use super::reading::Reading;
use super::row::Row;
use crate::domain::id::{AssignmentKey, CustomerNumber, EntryReference, OrderNumber, ShopName};
use crate::domain::money::Amount;

pub const ENTRY: Field = Field::new("entry", Need::Required, "the portal's own name of it; never changes", "WEB-7731");
pub const SHOP: Field =
    Field::new("shop", Need::Optional, "the shop of `order`; empty: `shop` of the config", "shop.example");
pub const ORDER: Field =
    Field::new("order", Need::Optional, "its order, known before; the invoice finds it by the key", "SO-1001");
pub const ASSIGNMENT_KEY: Field = Field::new(
    "assignment_key",
    Need::Optional,
    "the `entry_assignment_key` of its order, which may come later; empty: `entry`; never changes",
    "WEB-7731",
);
pub const CUSTOMER: Field =
    Field::new("customer", Need::Optional, "who pays; empty: the config's default customer; never changes", "10042");
pub const CURRENCY: Field = Field::new("currency", Need::Required, "ISO 4217; never changes", "EUR");
pub const AMOUNT: Field = Field::money("amount", Need::Required, "what is to be paid; never changes", "129.90");
pub const TITLE: Field =
    Field::new("title", Need::Optional, "what the payment page calls it", "Order SO-1001 of 20 November");
pub const DUE_ON: Field = Field::new("due_on", Need::Optional, "the day it is due; may change", "2026-12-04");
pub const CANCELLED: Field = Field::new(
    "cancelled",
    Need::Optional,
    "true or false; empty: false, or as before; only ever goes forward",
    "false",
);

pub const FIELDS: [Field; 10] =
    [ENTRY, SHOP, ORDER, ASSIGNMENT_KEY, CUSTOMER, CURRENCY, AMOUNT, TITLE, DUE_ON, CANCELLED];

/// An entry as the portal hands it over. `None` says nothing: the default for a new one, as before for a known one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRecord {
    pub reference: EntryReference,
    pub order: Option<(ShopName, OrderNumber)>,
    pub key: AssignmentKey,
    pub customer: Option<CustomerNumber>,
    pub amount: Amount,
    pub title: Option<String>,
    pub due_on: Option<NaiveDate>,
    pub cancelled: Option<bool>,
}

impl EntryRecord {
    pub fn read(row: &Row, defaults: &ImportDefaults) -> Result<Self, Vec<Objection>> {
        let mut reading = Reading::of(row);
        let reference = reading.id(&ENTRY, EntryReference::parse);
        let shop = reading.id(&SHOP, ShopName::parse).unwrap_or_else(|| defaults.shop.clone());
        let order = reading.id(&ORDER, OrderNumber::parse).map(|number| (shop, number));
        let key = reading.id(&ASSIGNMENT_KEY, AssignmentKey::parse);
        let customer = reading.id(&CUSTOMER, CustomerNumber::parse);
        let currency = reading.currency(&CURRENCY);
        let amount = reading.amount(&AMOUNT, currency);
        let title = reading.text(&TITLE).map(str::to_owned);
        let due_on = reading.day(&DUE_ON);
        let cancelled = reading.choice(&CANCELLED, &[("true", true), ("false", false)]);
        // Both are texts of the same shape.
        let key = key.or_else(|| AssignmentKey::parse(reference.as_ref()?.as_str()).ok());
        let record = match (reference, key, amount) {
            (Some(reference), Some(key), Some(amount)) => {
                Some(Self { reference, order, key, customer, amount, title, due_on, cancelled })
            }
            _ => None,
        };
        reading.finish(record)
    }
}
