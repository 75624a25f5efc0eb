//! Orders in the ledger, and the payment status that follows from their payments.

use rusqlite::{Connection, OptionalExtension, Row};

use super::row::{Columns, InOrder, Layout};
use super::{Ledger, LedgerError, Result, Writer, payments};
use crate::domain::id::{CustomerNumber, OrderId, OrderNumber, ShopName};
use crate::domain::money::{Amount, Currency};
use crate::domain::order::{Cancellation, Order, PaymentStatus, Terms};

impl Ledger {
    pub fn order(&self, id: OrderId) -> Result<Order> {
        order(&self.connection, id)
    }

    /// Orders of any shop with this number.
    pub fn orders_numbered(&self, number: &str) -> Result<Vec<OrderId>> {
        let mut statement = self.connection.prepare_cached("SELECT id FROM orders WHERE number = ?1 ORDER BY id")?;
        statement.query_and_then([number], |row| row.id("id", OrderId))?.collect()
    }
}

impl Writer<'_> {
    /// Brings the order's payment status in line with its payments and invoices.
    pub fn refresh_order_status(&self, id: OrderId) -> Result<()> {
        let order = order(self.connection, id)?;
        let payments = payments::of_order(self.connection, id)?;
        let invoiced = invoiced(self.connection, id, order.total.currency())?;
        let status = order.status_now(&payments, invoiced)?;
        if status != order.payment_status {
            self.connection
                .prepare_cached("UPDATE orders SET payment_status = ?2 WHERE id = ?1")?
                .execute((id.0, status.as_str()))?;
        }
        Ok(())
    }
}

pub(super) fn order(connection: &Connection, id: OrderId) -> Result<Order> {
    connection
        .prepare_cached("SELECT * FROM orders WHERE id = ?1")?
        .query_row([id.0], |row| Ok(from_row(row)))
        .optional()?
        .ok_or_else(|| LedgerError::NotFound { what: format!("order {id}") })?
}

/// Whether free balances of its customer do not pay its invoices.
pub(super) fn leaves_free_balances(connection: &Connection, id: OrderId) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT leaves_free_balances FROM orders WHERE id = ?1")?;
    Ok(statement.query_row([id.0], |row| row.get(0))?)
}

/// The sum of the order's posted invoices that stand.
pub(super) fn invoiced(connection: &Connection, id: OrderId, currency: Currency) -> Result<Amount> {
    let minor: i64 = connection
        .prepare_cached(
            "SELECT ifnull(sum(total_minor), 0) FROM documents d WHERE order_id = ?1 AND kind = 'invoice'
               AND NOT EXISTS (SELECT 1 FROM corrections c WHERE c.invoice_id = d.id AND c.cancels = 1)",
        )?
        .query_row([id.0], |row| row.get(0))?;
    Ok(Amount::from_minor(minor, currency))
}

static LAYOUT: Layout = Layout::new(&[
    "id",
    "shop",
    "number",
    "currency",
    "total_minor",
    "terms",
    "prepayment_basis_points",
    "cancelled",
    "bill_to",
    "payment_status",
    "ordered_on",
    "deleted",
    "leaves_free_balances",
]);

fn from_row(row: &Row<'_>) -> Result<Order> {
    let row = InOrder::of(row, &LAYOUT)?;
    Ok(Order {
        id: row.id("id", OrderId)?,
        shop: row.named("shop", ShopName::parse)?,
        number: row.named("number", OrderNumber::parse)?,
        total: row.amount("total_minor")?,
        terms: match row.text("terms")? {
            "online" => Terms::Online,
            "on_account" => Terms::OnAccount,
            "prepayment" => Terms::Prepayment { basis_points: row.plain("prepayment_basis_points")? },
            other => return Err(LedgerError::damaged(format!("`{other}` as terms"))),
        },
        cancelled: row.choice("cancelled", Cancellation::parse)?,
        bill_to: row.named("bill_to", CustomerNumber::parse)?,
        payment_status: row.choice("payment_status", PaymentStatus::parse)?,
        ordered_on: row.day("ordered_on")?,
        deleted: row.plain("deleted")?,
    })
}
