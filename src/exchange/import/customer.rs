//! Rows of a customers file: whom invoices are sent to.

use lettre::message::Mailbox;

use super::ImportDefaults;
use super::field::{Field, Need};
use super::problem::Objection;
use super::reading::Reading;
use super::row::Row;
use crate::domain::customer::{Address, Customer};
use crate::domain::id::CustomerNumber;

pub const CUSTOMER: Field =
    Field::new("customer", Need::Required, "the customer's number, as `bill_to` of orders has it", "10042");
pub const NAME: Field = Field::new("name", Need::Required, "as the invoice addresses the customer", "Ada Lovelace");
pub const EMAIL: Field =
    Field::new("email", Need::Optional, "where invoices go; without it they are not sent", "ada@example.com");
pub const STREET: Field = Field::new("street", Need::Optional, "street and number", "Hauptstrasse 1");
pub const POSTCODE: Field = Field::new("postcode", Need::Optional, "the postal code", "10115");
pub const CITY: Field = Field::new("city", Need::Optional, "the town", "Berlin");
pub const COUNTRY: Field =
    Field::new("country", Need::Optional, "two letters of ISO 3166; empty: the config's, if any", "DE");
pub const LANGUAGE: Field =
    Field::new("language", Need::Optional, "of the invoice, two letters: en or de; empty: the config's", "de");
pub const VAT_ID: Field =
    Field::new("vat_id", Need::Optional, "the customer's VAT identification number", "DE123456789");

pub const DUE_DAYS: Field = Field::new(
    "due_days",
    Need::Optional,
    "days from an invoice's date until it is due, 0 to 365; empty: the config's, if any",
    "30",
);

pub const FIELDS: [Field; 10] = [CUSTOMER, NAME, EMAIL, STREET, POSTCODE, CITY, COUNTRY, LANGUAGE, VAT_ID, DUE_DAYS];

/// A customer as the shop hands it over: the row is all that is known of it from then on.
pub fn read(row: &Row, _defaults: &ImportDefaults) -> Result<Customer, Vec<Objection>> {
    let mut reading = Reading::of(row);
    let number = reading.id(&CUSTOMER, CustomerNumber::parse);
    let name = reading.text(&NAME).map(str::to_owned);
    let email = reading.text(&EMAIL).and_then(|text| {
        let address = text.parse::<lettre::Address>().map(|_| text.to_owned());
        let is_named = text.parse::<Mailbox>().is_ok_and(|mailbox| mailbox.name.is_some());
        let why = if is_named { "holds a name; write the address alone" } else { "is not a mail address" };
        reading.taken(&EMAIL, address.map_err(|_| why.to_owned()))
    });
    let country = reading.text(&COUNTRY).and_then(|text| {
        let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        let why = || "is not a country's two capital letters, such as `DE`".to_owned();
        reading.taken(&COUNTRY, is_code.then(|| text.to_owned()).ok_or_else(why))
    });
    let language = reading.choice(&LANGUAGE, &Customer::LANGUAGES.map(|language| (language.as_str(), language)));
    let due_days = reading.text(&DUE_DAYS).and_then(|text| {
        let days = text.parse::<u32>().ok().filter(|days| *days <= 365);
        reading.taken(&DUE_DAYS, days.ok_or_else(|| "is not a number of days from 0 to 365".to_owned()))
    });
    let mut own = |field| reading.text(field).map(str::to_owned);
    let (street, postcode, city, vat_id) = (own(&STREET), own(&POSTCODE), own(&CITY), own(&VAT_ID));
    let record = match (number, name) {
        (Some(number), Some(name)) => {
            let address = Address { street, postcode, city, country };
            Some(Customer { number, name, email, address, language, vat_id, due_days })
        }
        _ => None,
    };
    reading.finish(record)
}
