//! Payments in the ledger, with the totals that follow from movements and operations.

use rusqlite::{Connection, Params, Row};

use super::row::{Columns, InOrder, time_text};
use super::{Ledger, LedgerError, Result, Writer};
use crate::domain::consequence::Standing;
use crate::domain::id::{DocumentNumber, MerchantAccount, MethodName, OrderId, PaymentId, ProviderName, TransactionId};
use crate::domain::payment::{Payment, TransactionStatus};

/// `captured` and `refunded` are facts; `claimed` is what our live intents and other people's facts have used up, and what the
/// PSP moved beyond an intent. A movement that was known before our operation for it had an answer is counted by the operation.
const SELECT: &str = "
    SELECT p.*,
      ifnull((SELECT a.amount_minor FROM authorisations a WHERE a.payment_id = p.id ORDER BY a.id DESC LIMIT 1), 0) AS authorised_minor,
      sum(CASE m.kind WHEN 'capture' THEN m.amount_minor WHEN 'capture_failure' THEN -m.amount_minor ELSE 0 END) AS captured_minor,
      sum(CASE m.kind WHEN 'refund' THEN m.amount_minor WHEN 'refund_failure' THEN -m.amount_minor ELSE 0 END) AS refunded_minor,
      (SELECT ifnull(sum(o.amount_minor), 0) FROM operations o
         WHERE o.payment_id = p.id AND o.kind = 'capture' AND o.state NOT IN ('refused', 'withdrawn'))
      + ifnull(sum(CASE m.kind WHEN 'capture' THEN m.amount_minor WHEN 'capture_failure' THEN -m.amount_minor ELSE 0 END)
               FILTER (WHERE m.operation_id IS NULL AND NOT EXISTS (SELECT 1 FROM operations o
                 WHERE o.payment_id = p.id AND o.kind = 'capture' AND o.modification_id = m.modification_id
                   AND o.state NOT IN ('refused', 'withdrawn'))), 0)
      + ifnull(sum(max(m.amount_minor - w.amount_minor, 0))
               FILTER (WHERE m.kind = 'capture' AND w.state NOT IN ('refused', 'withdrawn')), 0) AS claimed_minor,
      (SELECT ifnull(sum(o.amount_minor), 0) FROM operations o
         WHERE o.payment_id = p.id AND o.kind = 'refund' AND o.state NOT IN ('refused', 'withdrawn'))
      + ifnull(sum(CASE m.kind WHEN 'refund' THEN m.amount_minor WHEN 'refund_failure' THEN -m.amount_minor ELSE 0 END)
               FILTER (WHERE m.operation_id IS NULL AND NOT EXISTS (SELECT 1 FROM operations o
                 WHERE o.payment_id = p.id AND o.kind = 'refund' AND o.modification_id = m.modification_id
                   AND o.state NOT IN ('refused', 'withdrawn'))), 0)
      + ifnull(sum(max(m.amount_minor - w.amount_minor, 0))
               FILTER (WHERE m.kind = 'refund' AND w.state NOT IN ('refused', 'withdrawn')), 0) AS refund_claimed_minor,
      EXISTS (SELECT 1 FROM exceptions e WHERE e.payment_id = p.id AND e.state <> 'resolved' AND e.kind = 'amount_differs')
        AS amount_differs
    FROM payments p LEFT JOIN movements m ON m.payment_id = p.id LEFT JOIN operations w ON w.id = m.operation_id ";

impl Ledger {
    pub fn payment(&self, id: PaymentId) -> Result<Payment> {
        payment(&self.connection, id)
    }

    pub fn payments_of_order(&self, order: OrderId) -> Result<Vec<Payment>> {
        of_order(&self.connection, order)
    }

    /// Payments of any provider with this transaction id.
    pub fn payments_with_transaction(&self, transaction: &str) -> Result<Vec<Payment>> {
        list(&self.connection, "p.transaction_id = ?1", [transaction])
    }
}

impl Writer<'_> {
    /// The PSP was asked about the payment in this run.
    pub fn mark_asked(&self, id: PaymentId) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE payments SET asked_at = ?2 WHERE id = ?1")?
            .execute((id.0, time_text(self.now)))?;
        Ok(())
    }

    /// Records how the PSP says a payment stands. The validity clock restarts only where something changed.
    pub fn apply_standing(&self, standing: &Standing) -> Result<()> {
        let before = payment(self.connection, standing.payment)?;
        let authorised = standing.authorised.filter(|amount| *amount != before.authorised);
        if let Some(amount) = authorised {
            self.connection
                .prepare_cached("INSERT INTO authorisations (payment_id, amount_minor, seen_at) VALUES (?1, ?2, ?3)")?
                .execute((standing.payment.0, amount.minor(), time_text(self.now)))?;
        }
        if standing.status != before.status || authorised.is_some() {
            self.connection
                .prepare_cached("UPDATE payments SET status = ?2, status_since = ?3 WHERE id = ?1")?
                .execute((standing.payment.0, standing.status.as_str(), time_text(self.now)))?;
        }
        self.connection
            .prepare_cached(
                "UPDATE payments SET authorised_at = ifnull(authorised_at, ?2), capture_before = ifnull(?3, capture_before)
                 WHERE id = ?1",
            )?
            .execute((
                standing.payment.0,
                standing.authorised_at.map(time_text),
                standing.capture_before.map(time_text),
            ))?;
        match before.order {
            Some(order) => self.refresh_order_status(order),
            None => Ok(()),
        }
    }
}

pub(super) fn payment(connection: &Connection, id: PaymentId) -> Result<Payment> {
    let found = list(connection, "p.id = ?1", [id.0])?.pop();
    found.ok_or_else(|| LedgerError::NotFound { what: format!("payment {id}") })
}

/// A payment without its figures.
#[derive(Debug)]
pub(super) struct NamedPayment {
    pub(super) provider: ProviderName,
    pub(super) merchant_account: MerchantAccount,
    pub(super) transaction: TransactionId,
    pub(super) order: Option<OrderId>,
    pub(super) method: MethodName,
}

pub(super) fn named(connection: &Connection, id: PaymentId) -> Result<NamedPayment> {
    let mut statement = connection.prepare_cached(
        "SELECT provider, merchant_account, transaction_id, order_id, method FROM payments WHERE id = ?1",
    )?;
    let mut found = statement.query_and_then([id.0], |row| {
        Ok(NamedPayment {
            provider: row.named("provider", ProviderName::parse)?,
            merchant_account: row.named("merchant_account", MerchantAccount::parse)?,
            transaction: row.named("transaction_id", TransactionId::parse)?,
            order: row.optional_id("order_id", OrderId)?,
            method: row.named("method", MethodName::parse)?,
        })
    })?;
    found.next().unwrap_or_else(|| Err(LedgerError::NotFound { what: format!("payment {id}") }))
}

/// Oldest first.
pub(super) fn of_order(connection: &Connection, order: OrderId) -> Result<Vec<Payment>> {
    list(connection, "p.order_id = ?1", [order.0])
}

/// In the order in which they came into the ledger.
pub(super) fn list(connection: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<Payment>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE {condition} GROUP BY p.id"))?;
    statement.query_and_then(parameters, from_row)?.collect()
}

fn from_row(row: &Row<'_>) -> Result<Payment> {
    let row = InOrder::of(row);
    Ok(Payment {
        id: row.id("id", PaymentId)?,
        provider: row.named("provider", ProviderName::parse)?,
        merchant_account: row.named("merchant_account", MerchantAccount::parse)?,
        transaction: row.named("transaction_id", TransactionId::parse)?,
        order: row.optional_id("order_id", OrderId)?,
        method: row.named("method", MethodName::parse)?,
        status: row.choice("status", TransactionStatus::parse)?,
        status_since: row.time("status_since")?,
        authorised_at: row.optional_time("authorised_at")?,
        capture_before: row.optional_time("capture_before")?,
        pays: row
            .text("pays")?
            .split(';')
            .filter(|number| !number.is_empty())
            .map(DocumentNumber::parse)
            .collect::<Result<_, _>>()?,
        authorised: row.amount("authorised_minor")?,
        captured: row.amount("captured_minor")?,
        refunded: row.amount("refunded_minor")?,
        claimed: row.amount("claimed_minor")?,
        refund_claimed: row.amount("refund_claimed_minor")?,
        amount_differs: row.plain("amount_differs")?,
    })
}
