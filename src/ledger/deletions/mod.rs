//! Orders that are taken out of the ERP: what was asked, what let them through, their tombstones, and putting them back.
//!
//! An order's row is never removed. A tombstone says that the ERP does not have it any more, and the payments stay with it: money
//! that comes later finds it.

mod case;
mod money;
mod stock;

use rusqlite::{Connection, OptionalExtension, Row};

pub use case::{CleanupCase, PastDeletion, SharedPage};
pub(super) use money::{PAYMENTS_OF_ORDER, money_on};

use super::row::{Columns, time_text};
use super::{Ledger, LedgerError, Result, Writer, entries, movements, operations, orders, payments, refund_requests};
use crate::domain::consequence::{DeletionDraft, MovementDraft};
use crate::domain::deletion::{DeletionMethod, Gate, StockReleasedBy};
use crate::domain::entry::EntryStatus;
use crate::domain::exception::ExceptionKind;
use crate::domain::id::{DeletionId, EntryId, OperationId, OrderId};
use crate::domain::movement::MovementKind;
use crate::operation::{Event, Key, State};

/// What a `delete` asks of the ERP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    pub id: DeletionId,
    pub order: OrderId,
    pub generation: u32,
    pub method: DeletionMethod,
    /// False: into quarantine only.
    pub is_final: bool,
    pub reason: String,
    pub stock_released_by: StockReleasedBy,
}

/// A deletion the ERP has carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    pub deletion: Deletion,
    pub operation: OperationId,
    pub deleted_at: chrono::DateTime<chrono::Utc>,
    /// What let it through each gate.
    pub gates: Vec<(Gate, String)>,
    /// Why a person put the order back since, if one did.
    pub restored: Option<String>,
}

/// What a restoration brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    pub entries: usize,
    /// Lines whose stock was released, and is reserved again.
    pub lines: usize,
}

impl Ledger {
    /// Every tombstone of an order, oldest first.
    pub fn tombstones(&self, order: OrderId) -> Result<Vec<Tombstone>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT d.*, t.operation_id, t.deleted_at, r.reason AS restored FROM tombstones t
             JOIN deletions d ON d.id = t.deletion_id
             LEFT JOIN restorations r ON r.order_id = t.order_id AND r.generation = t.generation
             WHERE t.order_id = ?1 ORDER BY t.id",
        )?;
        let rows = statement.query_and_then([order.0], |row| {
            let deletion = deletion_from_row(row)?;
            Ok(Tombstone {
                operation: row.id("operation_id", OperationId)?,
                deleted_at: row.time("deleted_at")?,
                gates: gates(&self.connection, deletion.id)?,
                restored: row.plain("restored")?,
                deletion,
            })
        })?;
        rows.collect()
    }

    /// Whether any order was ever deleted.
    pub fn has_tombstones(&self) -> Result<bool> {
        let mut statement = self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM tombstones)")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Operations that took the order out of the ERP, or were to.
    pub fn deletions_of_order(&self, order: OrderId) -> Result<Vec<crate::operation::Operation>> {
        operations::list(&self.connection, "WHERE order_id = ?1 ORDER BY id", [order.0])
    }
}

/// Whether an order is deleted, or was asked for at the ERP without a final answer: nothing new is begun for it.
pub(super) fn is_going(connection: &Connection, order: OrderId) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM orders WHERE id = ?1 AND deleted = 1)
                 OR EXISTS (SELECT 1 FROM operations WHERE order_id = ?1 AND kind = 'delete' AND state IN ('sent', 'unknown', 'accepted'))",
        )?
        .query_row([order.0], |row| row.get(0))?)
}

impl Writer<'_> {
    /// A page that was made for an order which is gone meanwhile is given to nobody.
    pub fn refuse_going(&self, orders: impl IntoIterator<Item = OrderId>) -> Result<()> {
        for id in orders {
            if is_going(self.connection, id)? {
                let order = orders::order(self.connection, id)?;
                return Err(LedgerError::Invariant(format!(
                    "order {}/{} is being deleted because nobody paid it",
                    order.shop, order.number
                )));
            }
        }
        Ok(())
    }

    /// Keeps what is asked of the ERP, and why it may be; the intent that names it by its key comes in the same transaction.
    pub(super) fn record_deletion(&self, draft: &DeletionDraft) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO deletions (key, order_id, generation, method, is_final, reason, stock_released_by, asked_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                draft.key.as_str(),
                draft.order.0,
                draft.generation,
                draft.method.as_str(),
                draft.is_final,
                &draft.reason,
                draft.stock_released_by.as_str(),
                time_text(self.now),
            ))?;
        let id = self.connection.last_insert_rowid();
        for (gate, evidence) in &draft.gates {
            self.connection
                .prepare_cached("INSERT INTO deletion_gates (deletion_id, gate, evidence) VALUES (?1, ?2, ?3)")?
                .execute((id, gate.as_str(), evidence))?;
        }
        Ok(())
    }

    /// The ERP has done it: the tombstone, and what follows from a final one: entries with nothing assigned are cancelled, and each
    /// line's stock is released, once. `false` if it was known.
    pub(super) fn delete_order(&self, operation: OperationId) -> Result<bool> {
        let key = self.operation(operation)?.key;
        let deletion = deletion(self.connection, &key)?;
        let added = self
            .connection
            .prepare_cached(
                "INSERT INTO tombstones (order_id, generation, is_final, deletion_id, operation_id, deleted_at, run_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (operation_id) DO NOTHING",
            )?
            .execute((
                deletion.order.0,
                deletion.generation,
                deletion.is_final,
                deletion.id.0,
                operation.0,
                time_text(self.now),
                self.run.map(|run| run.0),
            ))?;
        if added == 0 {
            return Ok(false);
        }
        self.connection.prepare_cached("UPDATE orders SET deleted = 1 WHERE id = ?1")?.execute([deletion.order.0])?;
        if deletion.is_final {
            self.cancel_entries_of(&deletion)?;
            self.release_stock(&deletion)?;
        }
        self.tell_money_on(deletion.order)?;
        Ok(true)
    }

    /// Of the order alone, with nothing assigned: whatever has money stays, and is told.
    fn cancel_entries_of(&self, deletion: &Deletion) -> Result<()> {
        for entry in entries::list(self.connection, OWN_ENTRIES, [deletion.order.0])? {
            if entry.status == EntryStatus::Cancelled || entry.assigned.is_positive() || entry.document.is_some() {
                continue;
            }
            self.connection
                .prepare_cached("INSERT INTO cancelled_entries (entry_id, order_id, generation) VALUES (?1, ?2, ?3)")?
                .execute((entry.id.0, deletion.order.0, deletion.generation))?;
            self.cancel_entry(entry.id)?;
        }
        Ok(())
    }

    /// A person puts a deleted order back: its entries are open again, its stock is to be reserved again, and what was paid since
    /// pays them.
    pub fn restore_order(&self, id: OrderId, reason: &str) -> Result<Restored> {
        let order = orders::order(self.connection, id)?;
        let name = format!("order {}/{}", order.shop, order.number);
        if !order.deleted {
            return Err(LedgerError::Invariant(format!("{name} is not deleted: there is nothing to restore")));
        }
        for operation in operations::list(self.connection, "WHERE order_id = ?1 ORDER BY id", [id.0])? {
            match operation.state {
                State::Planned => {
                    self.move_operation(operation.id, Event::Withdraw, "the order is restored")?;
                }
                State::Sent | State::Unknown | State::Accepted => {
                    return Err(LedgerError::Invariant(format!(
                        "{name} waits for the ERP's answer to operation {}; `payjournal cleanup-unpaid` asks for it",
                        operation.id
                    )));
                }
                State::Confirmed | State::Refused | State::GivenUp | State::Withdrawn => {}
            }
        }
        for payment in payments::list(self.connection, PAYMENTS_OF_ORDER, [id.0])? {
            // Its money is promised: it cannot pay the order too.
            if refund_requests::wanted(self.connection, payment.id, None)? > 0 {
                return Err(LedgerError::Invariant(format!(
                    "money of payment {} is to be paid back: `payjournal refunds` does that, or take the request back first \
                     (`payjournal refund-balance --withdraw`; `payjournal show payment {}` names it)",
                    payment.transaction, payment.transaction
                )));
            }
        }
        let generation = generation(self.connection, id)?;
        self.connection
            .prepare_cached(
                "INSERT INTO restorations (order_id, generation, reason, restored_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((id.0, generation, reason, time_text(self.now)))?;
        self.connection.prepare_cached("UPDATE orders SET deleted = 0 WHERE id = ?1")?.execute([id.0])?;
        let restored =
            Restored { entries: self.reopen_entries(id, generation)?, lines: self.reserve_stock(id, generation)? };
        self.assign_again(id)?;
        self.connection
            .prepare_cached(
                "UPDATE exceptions SET state = 'resolved', resolved_at = ?3 WHERE order_id = ?1 AND kind = ?2 AND state <> 'resolved'",
            )?
            .execute((id.0, ExceptionKind::PaidAfterDeletion.as_str(), time_text(self.now)))?;
        self.refresh_order_status(id)?;
        Ok(restored)
    }

    fn reopen_entries(&self, order: OrderId, generation: u32) -> Result<usize> {
        let mut statement = self.connection.prepare_cached(
            "SELECT e.id FROM cancelled_entries c JOIN entries e ON e.id = c.entry_id
             WHERE c.order_id = ?1 AND c.generation = ?2 AND e.status = 'cancelled' ORDER BY e.id",
        )?;
        let ids: Vec<EntryId> =
            statement.query_and_then((order.0, generation), |row| row.id("id", EntryId))?.collect::<Result<_>>()?;
        for id in &ids {
            // Over nothing it is balanced at once (trap T49); what was paid meanwhile follows.
            self.connection.prepare_cached("UPDATE entries SET status = 'open' WHERE id = ?1")?.execute([id.0])?;
            self.connection
                .prepare_cached("UPDATE entries SET status = 'balanced' WHERE id = ?1 AND initial_minor = 0")?
                .execute([id.0])?;
        }
        Ok(ids.len())
    }

    /// What came while the entries were cancelled is free until now: each movement in its order, as if it were fresh. What it has
    /// assigned already is left out.
    fn assign_again(&self, order: OrderId) -> Result<()> {
        for payment in payments::list(self.connection, PAYMENTS_OF_ORDER, [order.0])? {
            for movement in movements::of_payment(self.connection, payment.id)? {
                if movement.kind == MovementKind::ChargebackReversed {
                    continue;
                }
                self.assign_movement(
                    movement.id,
                    &MovementDraft {
                        payment: payment.id,
                        kind: movement.kind,
                        modification: movement.modification,
                        amount: movement.amount,
                        occurred_at: movement.occurred_at,
                        operation: movement.operation,
                        document: None,
                        learnt_from: movement.learnt_from,
                        key: None,
                    },
                )?;
            }
        }
        Ok(())
    }
}

/// Entries made for the order, and those with its key, unless another order has the same key.
pub(super) const OWN_ENTRIES: &str =
    "order_id = ?1 OR order_id IS NULL AND key = (SELECT k.entry_key FROM order_keys k WHERE k.order_id = ?1
       AND NOT EXISTS (SELECT 1 FROM order_keys o WHERE o.entry_key = k.entry_key AND o.order_id <> ?1))";

/// The deletion an operation carries out.
pub(super) fn deletion(connection: &Connection, key: &Key) -> Result<Deletion> {
    connection
        .prepare_cached("SELECT * FROM deletions WHERE key = ?1")?
        .query_row([key.as_str()], |row| Ok(deletion_from_row(row)))
        .optional()?
        .ok_or_else(|| LedgerError::damaged(format!("no deletion has the key {key}")))?
}

/// The first, and one more after each restoration.
fn generation(connection: &Connection, order: OrderId) -> Result<u32> {
    let restored: u32 = connection
        .prepare_cached("SELECT count(*) FROM restorations WHERE order_id = ?1")?
        .query_row([order.0], |row| row.get(0))?;
    Ok(restored.saturating_add(1))
}

fn gates(connection: &Connection, deletion: DeletionId) -> Result<Vec<(Gate, String)>> {
    let mut statement =
        connection.prepare_cached("SELECT gate, evidence FROM deletion_gates WHERE deletion_id = ?1")?;
    let rows =
        statement.query_and_then([deletion.0], |row| Ok((row.choice("gate", Gate::parse)?, row.plain("evidence")?)))?;
    let mut gates: Vec<(Gate, String)> = rows.collect::<Result<_>>()?;
    gates.sort_by_key(|(gate, _)| *gate);
    Ok(gates)
}

fn deletion_from_row(row: &Row<'_>) -> Result<Deletion> {
    Ok(Deletion {
        id: row.id("id", DeletionId)?,
        order: row.id("order_id", OrderId)?,
        generation: row.count("generation")?,
        method: row.choice("method", DeletionMethod::parse)?,
        is_final: row.plain("is_final")?,
        reason: row.plain("reason")?,
        stock_released_by: row.choice("stock_released_by", StockReleasedBy::parse)?,
    })
}
