//! Rows about orders that are deleted because nobody paid them.

use rusqlite::Row;

/// A deletion that the ledger says the ERP has carried out.
#[derive(Debug, Clone)]
pub struct TombstoneRow {
    pub order: String,
    pub operation: i64,
    /// Not only into quarantine.
    pub is_final: bool,
    /// A person has put the order back since.
    pub is_restored: bool,
}

/// What was asked of the ERP about an order.
#[derive(Debug, Clone)]
pub struct DeletionRow {
    pub key: String,
    /// How many gates it has evidence of.
    pub gates: i64,
}

/// A line's stock that was given back, or reserved again.
#[derive(Debug, Clone)]
pub struct StockRow {
    pub order: String,
    pub line: i64,
    /// `release` or `reserve`.
    pub direction: String,
}

pub(super) const DELETIONS: &str = "
    SELECT d.key, (SELECT count(*) FROM deletion_gates g WHERE g.deletion_id = d.id AND trim(g.evidence) <> '')
    FROM deletions d ORDER BY d.id";
pub(super) const TOMBSTONES: &str = "
    SELECT o.number, t.operation_id, t.is_final,
      EXISTS (SELECT 1 FROM restorations r WHERE r.order_id = t.order_id AND r.generation = t.generation)
    FROM tombstones t JOIN orders o ON o.id = t.order_id ORDER BY t.id";
pub(super) const STOCK: &str = "
    SELECT o.number, s.line, s.direction FROM stock_releases s JOIN orders o ON o.id = s.order_id ORDER BY s.id";

pub(super) fn tombstone(row: &Row<'_>) -> rusqlite::Result<TombstoneRow> {
    Ok(TombstoneRow { order: row.get(0)?, operation: row.get(1)?, is_final: row.get(2)?, is_restored: row.get(3)? })
}

pub(super) fn deletion(row: &Row<'_>) -> rusqlite::Result<DeletionRow> {
    Ok(DeletionRow { key: row.get(0)?, gates: row.get(1)? })
}

pub(super) fn stock(row: &Row<'_>) -> rusqlite::Result<StockRow> {
    Ok(StockRow { order: row.get(0)?, line: row.get(1)?, direction: row.get(2)? })
}
