//! Rows of a mandates file: what customers gave to be collected from.

use chrono::NaiveDate;

use super::ImportDefaults;
use super::field::{Field, Need};
use super::payment::{MERCHANT_ACCOUNT, PROVIDER, account};
use super::problem::Objection;
use super::reading::Reading;
use super::row::Row;
use crate::domain::id::{CustomerNumber, MerchantAccount, MethodName, ProviderName};
use crate::domain::mandate::Token;
use crate::domain::money::Currency;

pub const MANDATE: Field = Field::secret(
    "mandate",
    Need::Required,
    "the PSP's id of the mandate or stored card; never shown whole",
    "mdt_4f9a0c77e1b2",
);
pub const CUSTOMER: Field =
    Field::new("customer", Need::Required, "whose it is, as entries name the customer; never changes", "10042");
pub const METHOD: Field =
    Field::new("method", Need::Required, "the payment method as the shop names it; never changes", "sepa");
pub const CURRENCY: Field =
    Field::new("currency", Need::Optional, "the only one it is for; empty: any; never changes", "EUR");
pub const GIVEN_ON: Field = Field::new(
    "given_on",
    Need::Required,
    "the first day on which money may be taken on it; never changes",
    "2026-11-02",
);
pub const REVOKED_ON: Field = Field::new(
    "revoked_on",
    Need::Optional,
    "from this day on no money may be taken on it; cannot be taken back or put off, only moved to an earlier day",
    "2027-03-31",
);

pub const FIELDS: [Field; 8] = [PROVIDER, MERCHANT_ACCOUNT, MANDATE, CUSTOMER, METHOD, CURRENCY, GIVEN_ON, REVOKED_ON];

/// A mandate as the shop hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MandateRecord {
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub token: Token,
    pub customer: CustomerNumber,
    pub method: MethodName,
    pub currency: Option<Currency>,
    pub given_on: NaiveDate,
    /// None also where it was revoked by an earlier row.
    pub revoked_on: Option<NaiveDate>,
}

impl MandateRecord {
    pub fn read(row: &Row, defaults: &ImportDefaults) -> Result<Self, Vec<Objection>> {
        let mut reading = Reading::of(row);
        let account = account(&mut reading, defaults);
        let token = reading.id(&MANDATE, Token::parse);
        let customer = reading.id(&CUSTOMER, CustomerNumber::parse);
        let method = reading.id(&METHOD, MethodName::parse);
        let currency = reading.currency(&CURRENCY);
        let given_on = reading.day(&GIVEN_ON);
        let revoked_on = reading.day(&REVOKED_ON);
        if let (Some(given), Some(revoked)) = (given_on, revoked_on)
            && revoked < given
        {
            reading.object(&REVOKED_ON, format!("is before `given_on`, {given}"));
        }
        let record = match (account, token, customer, method, given_on) {
            (Some((provider, merchant_account)), Some(token), Some(customer), Some(method), Some(given_on)) => {
                Some(Self { provider, merchant_account, token, customer, method, currency, given_on, revoked_on })
            }
            _ => None,
        };
        reading.finish(record)
    }
}
