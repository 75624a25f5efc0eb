//! Payments in the ledger, with the totals that follow from movements and operations.

use rusqlite::{Connection, Params, Row};

use super::row::{Columns, InOrder, Layout, time_text};
use super::settlements::{Before, PaymentKey};
use super::{Ledger, LedgerError, Result, Writer, figures::Figures};
use crate::domain::consequence::Standing;
use crate::domain::id::{DocumentNumber, MerchantAccount, MethodName, OrderId, PaymentId, ProviderName, TransactionId};
use crate::domain::money::Amount;
use crate::domain::payment::{Payment, TransactionStatus};

const SELECT: &str = "
    SELECT p.*,
      ifnull((SELECT a.amount_minor FROM authorisations a WHERE a.payment_id = p.id ORDER BY a.id DESC LIMIT 1), 0) AS authorised_minor,
      EXISTS (SELECT 1 FROM exceptions e WHERE e.payment_id = p.id AND e.state <> 'resolved' AND e.kind IN ('amount_differs', 'lines_unclear'))
        AS amount_differs,
      EXISTS (SELECT 1 FROM exceptions e WHERE e.payment_id = p.id AND e.state <> 'resolved' AND e.kind = 'chargeback')
        OR EXISTS (SELECT 1 FROM untold_chargebacks u CROSS JOIN merchant_accounts a ON a.id = u.account_id
                   WHERE u.transaction_id = p.transaction_id AND a.provider = p.provider AND a.merchant_account = p.merchant_account)
        AS is_charged_back
    FROM payments p ";

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

    /// The order of a payment became known.
    pub(super) fn bind_payment(&self, payment: &Payment, order: OrderId) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE payments SET order_id = ?2 WHERE id = ?1")?
            .execute((payment.id.0, order.0))?;
        self.end_late_money(payment.id)?;
        self.tell_of_spare_money(payment.id)?;
        let key = PaymentKey {
            provider: payment.provider.as_str(),
            merchant_account: payment.merchant_account.as_str(),
            transaction: payment.transaction.as_str(),
        };
        self.settle_payment(&key, Before::WithoutOrder, Some(order))
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
        // Another run may have recorded the last capture while this one asked.
        let is_old = (before.status, standing.status) == (TransactionStatus::Captured, TransactionStatus::Authorised)
            && self.is_captured_since(standing.payment)?;
        if (standing.status != before.status || authorised.is_some()) && !is_old {
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
        if let Some(order) = before.order {
            self.refresh_order_status(order)?;
        }
        self.tell_money_of(standing.payment)
    }

    fn is_captured_since(&self, payment: PaymentId) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM movements WHERE payment_id = ?1 AND kind = 'capture' AND learnt_at > ?2)",
            )?
            .query_row((payment.0, time_text(self.now)), |row| row.get(0))?)
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
    let mut statement = connection.prepare_cached(&[SELECT, "WHERE ", condition, " ORDER BY p.id"].concat())?;
    let payment = |row: &Row<'_>| {
        let payment = from_row(row)?;
        let figures = Figures::of(connection, payment.id())?;
        Ok(payment.with(figures))
    };
    statement.query_and_then(parameters, payment)?.collect()
}

/// A payment whose figures are not known yet.
#[derive(Debug, Clone)]
pub(super) struct Unsummed(Payment);

impl Unsummed {
    pub(super) fn id(&self) -> PaymentId {
        self.0.id
    }

    pub(super) fn with(self, figures: Figures) -> Payment {
        let currency = self.0.authorised.currency();
        let amount = |minor| Amount::from_minor(minor, currency);
        Payment {
            captured: amount(figures.captured),
            refunded: amount(figures.refunded),
            claimed: amount(figures.claimed),
            refund_claimed: amount(figures.refund_claimed),
            charged_back: amount(figures.charged_back),
            ..self.0
        }
    }
}

pub(super) fn unsummed(connection: &Connection, id: PaymentId) -> Result<Unsummed> {
    let mut statement = connection.prepare_cached(&[SELECT, "WHERE p.id = ?1"].concat())?;
    let mut found = statement.query_and_then([id.0], from_row)?;
    found.next().unwrap_or_else(|| Err(LedgerError::NotFound { what: format!("payment {id}") }))
}

/// Oldest first.
pub(super) fn unsummed_of_order(connection: &Connection, order: OrderId) -> Result<Vec<Unsummed>> {
    let mut statement = connection.prepare_cached(&[SELECT, "WHERE p.order_id = ?1 ORDER BY p.id"].concat())?;
    statement.query_and_then([order.0], from_row)?.collect()
}

static LAYOUT: Layout = Layout::new(&[
    "id",
    "provider",
    "merchant_account",
    "transaction_id",
    "order_id",
    "method",
    "currency",
    "status",
    "status_since",
    "authorised_at",
    "capture_before",
    "pays",
    "asked_at",
    "authorised_minor",
    "amount_differs",
    "is_charged_back",
]);

fn from_row(row: &Row<'_>) -> Result<Unsummed> {
    let row = InOrder::of(row, &LAYOUT)?;
    Ok(Unsummed(Payment {
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
        captured: Amount::zero(row.currency()?),
        refunded: Amount::zero(row.currency()?),
        claimed: Amount::zero(row.currency()?),
        refund_claimed: Amount::zero(row.currency()?),
        charged_back: Amount::zero(row.currency()?),
        amount_differs: row.plain("amount_differs")?,
        is_charged_back: row.plain("is_charged_back")?,
    }))
}
