//! Customers in the ledger, as the shop said last.

use rusqlite::{Connection, Row};

use super::row::Columns;
use super::{Ledger, LedgerError, Result, Writer};
use crate::domain::customer::{Address, Customer, Language};
use crate::domain::id::CustomerNumber;

impl Ledger {
    pub fn customer(&self, number: &CustomerNumber) -> Result<Option<Customer>> {
        Ok(customer(&self.connection, number)?.map(|(_, customer)| customer))
    }
}

impl Writer<'_> {
    /// Returns the row's id.
    pub(super) fn put_customer(&self, customer: &Customer) -> Result<i64> {
        let Customer { number, name, email, address, language, vat_id, due_days } = customer;
        Ok(self
            .connection
            .prepare_cached(
                "INSERT INTO customers (number, name, email, street, postcode, city, country, language, vat_id, due_days)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (number) DO UPDATE SET name = excluded.name, email = excluded.email, street = excluded.street,
                   postcode = excluded.postcode, city = excluded.city, country = excluded.country,
                   language = excluded.language, vat_id = excluded.vat_id, due_days = excluded.due_days
                 RETURNING id",
            )?
            .query_row(
                (
                number.as_str(),
                name,
                email,
                &address.street,
                &address.postcode,
                &address.city,
                &address.country,
                language.map(Language::as_str),
                vat_id,
                due_days,
            ),
            |row| row.get(0),
            )?)
    }
}

pub(super) fn customer(connection: &Connection, number: &CustomerNumber) -> Result<Option<(i64, Customer)>> {
    let mut statement = connection.prepare_cached("SELECT * FROM customers WHERE number = ?1")?;
    let mut found = statement.query_and_then([number.as_str()], |row| Ok((row.plain("id")?, from_row(row)?)))?;
    found.next().transpose()
}

fn from_row(row: &Row<'_>) -> Result<Customer> {
    let language = row.optional_text("language")?;
    let unknown = |text| LedgerError::damaged(format!("`{text}` as language"));
    Ok(Customer {
        number: row.named("number", CustomerNumber::parse)?,
        name: row.plain("name")?,
        email: row.plain("email")?,
        address: Address {
            street: row.plain("street")?,
            postcode: row.plain("postcode")?,
            city: row.plain("city")?,
            country: row.plain("country")?,
        },
        language: language.map(|text| Language::parse(text).ok_or_else(|| unknown(text))).transpose()?,
        vat_id: row.plain("vat_id")?,
        due_days: row.plain("due_days")?,
    })
}
