//! What was settled for orders, beside what the ledger has booked for them.

use chrono::{DateTime, Utc};
use rusqlite::Params;

use crate::domain::id::{OrderId, OrderNumber, ProviderName, ShopName};
use crate::domain::money::Amount;
use crate::domain::settlement::Decimal;
use crate::domain::settlement::state::Settlement;
use crate::ledger::row::Columns;
use crate::ledger::{Ledger, LedgerError, Result};

/// An order with both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledOrder {
    pub id: OrderId,
    pub shop: ShopName,
    pub number: OrderNumber,
    /// The provider of its latest payment.
    pub provider: Option<ProviderName>,
    /// Captured less refunded, less what failed after all; whatever was charged back.
    pub booked: Amount,
    /// When money last moved.
    pub moved_at: Option<DateTime<Utc>>,
    pub settled: Settlement,
}

const SELECT: &str = "
    SELECT o.id, o.shop, o.number, o.currency, s.lines, s.sold_micros, s.refunded_micros, s.disputed_micros, s.other_currency,
      (SELECT provider FROM payments p WHERE p.order_id = o.id ORDER BY p.id DESC LIMIT 1) AS provider,
      ifnull((SELECT sum(CASE WHEN m.kind IN ('capture', 'refund_failure') THEN m.amount_minor
                               WHEN m.kind IN ('refund', 'capture_failure') THEN -m.amount_minor ELSE 0 END)
              FROM payments p JOIN movements m ON m.payment_id = p.id WHERE p.order_id = o.id), 0) AS booked_minor,
      (SELECT max(m.occurred_at) FROM payments p JOIN movements m ON m.payment_id = p.id WHERE p.order_id = o.id) AS moved_at
    FROM orders o LEFT JOIN order_settlements s ON s.order_id = o.id";

impl Ledger {
    pub fn settlement_of_order(&self, order: OrderId) -> Result<SettledOrder> {
        let found = self.settled(&format!("{SELECT} WHERE o.id = ?1"), [order.0])?.pop();
        found.ok_or_else(|| LedgerError::NotFound { what: format!("order {order}") })
    }

    /// Orders after this one, by id.
    pub fn settled_orders(&self, after: OrderId, limit: u32) -> Result<Vec<SettledOrder>> {
        self.settled(&format!("{SELECT} WHERE o.id > ?1 ORDER BY o.id LIMIT ?2"), (after.0, limit))
    }

    fn settled(&self, query: &str, parameters: impl Params) -> Result<Vec<SettledOrder>> {
        let mut statement = self.connection.prepare_cached(query)?;
        statement.query_and_then(parameters, read)?.collect()
    }
}

fn read(row: &rusqlite::Row<'_>) -> Result<SettledOrder> {
    let booked = row.amount("booked_minor")?;
    let least = u8::try_from(booked.currency().exponent()).unwrap_or(0);
    let decimal = |column: &str| {
        let micros: Option<i64> = row.plain(column)?;
        Ok::<_, LedgerError>(Decimal::of_micros(micros.unwrap_or(0)).shortest(least))
    };
    Ok(SettledOrder {
        id: row.id("id", OrderId)?,
        shop: row.named("shop", ShopName::parse)?,
        number: row.named("number", OrderNumber::parse)?,
        provider: row.optional_text("provider")?.map(ProviderName::parse).transpose()?,
        booked,
        moved_at: row.optional_time("moved_at")?,
        settled: Settlement {
            lines: row.plain::<Option<i64>>("lines")?.unwrap_or(0),
            sold: decimal("sold_micros")?,
            refunded: decimal("refunded_micros")?,
            disputed: decimal("disputed_micros")?,
            other_currency: row.plain::<Option<i64>>("other_currency")?.unwrap_or(0),
        },
    })
}
