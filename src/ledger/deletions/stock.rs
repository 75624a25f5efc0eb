//! The stock of deleted orders: released once per line, reserved again once by a restoration.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::Deletion;
use crate::domain::deletion::{StockDirection, StockRelease, StockReleasedBy};
use crate::domain::id::{OrderId, OrderNumber, ShopName};
use crate::ledger::row::{Columns, time_text};
use crate::ledger::{Ledger, Result, Writer};

impl Ledger {
    /// What happened to stock from one moment until another, in the order in which it happened.
    pub fn stock_releases(
        &self,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Vec<StockRelease>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT s.*, o.shop, o.number FROM stock_releases s JOIN orders o ON o.id = s.order_id
             WHERE (?1 IS NULL OR s.happened_at >= ?1) AND (?2 IS NULL OR s.happened_at < ?2) ORDER BY s.id",
        )?;
        let rows = statement.query_and_then((from.map(time_text), until.map(time_text)), |row| {
            Ok(StockRelease {
                shop: row.named("shop", ShopName::parse)?,
                order: row.named("number", OrderNumber::parse)?,
                line: row.count("line")?,
                generation: row.count("generation")?,
                direction: row.choice("direction", StockDirection::parse)?,
                item: row.plain("item")?,
                description: row.plain("description")?,
                quantity: row.plain("quantity")?,
                released_by: row.choice("released_by", StockReleasedBy::parse)?,
                happened_at: row.time("happened_at")?,
            })
        })?;
        rows.collect()
    }
}

impl Writer<'_> {
    pub(super) fn release_stock(&self, deletion: &Deletion) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO stock_releases (order_id, line, generation, direction, item, description, quantity, released_by, happened_at,
                                             run_id)
                 SELECT order_id, line, ?2, 'release', item, description, quantity, ?3, ?4, ?5 FROM order_lines WHERE order_id = ?1
                 ORDER BY line",
            )?
            .execute(params![
                deletion.order.0,
                deletion.generation,
                deletion.stock_released_by.as_str(),
                time_text(self.now),
                self.run.map(|run| run.0)
            ])?;
        Ok(())
    }

    /// Of just the lines that were released.
    pub(super) fn reserve_stock(&self, order: OrderId, generation: u32) -> Result<usize> {
        Ok(self
            .connection
            .prepare_cached(
                "INSERT INTO stock_releases (order_id, line, generation, direction, item, description, quantity, released_by, happened_at,
                                             run_id)
                 SELECT order_id, line, generation, 'reserve', item, description, quantity, released_by, ?3, ?4 FROM stock_releases
                 WHERE order_id = ?1 AND generation = ?2 AND direction = 'release' ORDER BY line",
            )?
            .execute(params![order.0, generation, time_text(self.now), self.run.map(|run| run.0)])?)
    }
}
