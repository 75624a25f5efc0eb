//! Mandates that customers gave. A row never changes; it is revoked, and the day of it only becomes an earlier one.

use chrono::NaiveDate;
use rusqlite::{Connection, Params, Row};

use super::row::{Columns, day_text, time_text};
use super::{Ledger, LedgerError, Result, Writer};
use crate::domain::id::{CustomerNumber, MandateId, MerchantAccount, MethodName, ProviderName};
use crate::domain::mandate::{Mandate, Token};
use crate::domain::money::Currency;
use crate::exchange::import::MandateRecord;

impl Ledger {
    /// Of all customers, in the order in which they came.
    pub fn mandates(&self) -> Result<Vec<Mandate>> {
        list(&self.connection, "1 ORDER BY id", [])
    }
}

impl Writer<'_> {
    pub(super) fn insert_mandate(&self, record: &MandateRecord) -> Result<MandateId> {
        self.connection
            .prepare_cached(
                "INSERT INTO mandates (provider, merchant_account, token, customer, method, currency, given_on, revoked_on, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                record.provider.as_str(),
                record.merchant_account.as_str(),
                record.token.expose(),
                record.customer.as_str(),
                record.method.as_str(),
                record.currency.map(Currency::code),
                day_text(record.given_on),
                record.revoked_on.map(day_text),
                time_text(self.now),
            ))?;
        Ok(MandateId(self.connection.last_insert_rowid()))
    }

    pub(super) fn revoke_mandate(&self, id: MandateId, on: NaiveDate) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE mandates SET revoked_on = ?2 WHERE id = ?1")?
            .execute((id.0, day_text(on)))?;
        Ok(())
    }

    pub(super) fn mandate_by_key(&self, record: &MandateRecord) -> Result<Option<Mandate>> {
        let key = (record.provider.as_str(), record.merchant_account.as_str(), record.token.expose());
        Ok(list(self.connection, "provider = ?1 AND merchant_account = ?2 AND token = ?3", key)?.pop())
    }
}

pub(super) fn mandate(connection: &Connection, id: MandateId) -> Result<Mandate> {
    let found = list(connection, "id = ?1", [id.0])?.pop();
    found.ok_or_else(|| LedgerError::NotFound { what: format!("mandate {id}") })
}

/// In the order in which they came.
pub(super) fn of_customer(connection: &Connection, customer: &CustomerNumber) -> Result<Vec<Mandate>> {
    list(connection, "customer = ?1 ORDER BY id", [customer.as_str()])
}

fn list(connection: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<Mandate>> {
    let mut statement = connection.prepare_cached(&["SELECT * FROM mandates WHERE ", condition].concat())?;
    statement.query_and_then(parameters, from_row)?.collect()
}

fn from_row(row: &Row<'_>) -> Result<Mandate> {
    Ok(Mandate {
        id: row.id("id", MandateId)?,
        provider: row.named("provider", ProviderName::parse)?,
        merchant_account: row.named("merchant_account", MerchantAccount::parse)?,
        token: row.named("token", Token::parse)?,
        customer: row.named("customer", CustomerNumber::parse)?,
        method: row.named("method", MethodName::parse)?,
        currency: match row.optional_text("currency")? {
            Some(_) => Some(row.currency()?),
            None => None,
        },
        given_on: row.day("given_on")?,
        revoked_on: match row.optional_text("revoked_on")? {
            Some(_) => Some(row.day("revoked_on")?),
            None => None,
        },
    })
}
