//! Deleted orders: each has its tombstone and what let it through, has no money that nobody was told of, and gave each line's stock
//! back once (rules 22 to 24).

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::domain::id::OrderId;
use crate::ledger::deletions::money_on;
use crate::ledger::row::Columns;

pub(super) const CHECKS: [Check; 6] = [
    // Deleted is who has a tombstone that was not taken back.
    Check {
        name: "order-deleted",
        sql: "SELECT o.shop, o.number, o.deleted, EXISTS (SELECT 1 FROM tombstones t WHERE t.order_id = o.id
                AND NOT EXISTS (SELECT 1 FROM restorations r WHERE r.order_id = t.order_id AND r.generation = t.generation)) AS is_deleted
              FROM orders o WHERE o.deleted <> is_deleted",
        judge: other_mark,
    },
    Check {
        name: "tombstone-intact",
        sql: "SELECT p.shop, p.number, o.id AS operation,
                o.state = 'confirmed' AND o.kind = 'delete' AND o.order_id = t.order_id AND d.key = o.key AND d.order_id = t.order_id
                  AND d.generation = t.generation AND d.is_final = t.is_final AS is_his
              FROM tombstones t JOIN orders p ON p.id = t.order_id JOIN operations o ON o.id = t.operation_id
              JOIN deletions d ON d.id = t.deletion_id WHERE NOT is_his
              UNION ALL
              SELECT p.shop, p.number, o.id, 0 FROM operations o JOIN orders p ON p.id = o.order_id
              WHERE o.kind = 'delete' AND o.state = 'confirmed' AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.operation_id = o.id)",
        judge: broken_tombstone,
    },
    Check {
        name: "deletion-gates",
        sql: "SELECT o.shop, o.number, d.id AS deletion, (SELECT count(*) FROM deletion_gates g WHERE g.deletion_id = d.id) AS gates
              FROM deletions d JOIN orders o ON o.id = d.order_id WHERE gates <> 4",
        judge: without_gate,
    },
    // What came after the deletion was told; a person may have ended that since.
    Check {
        name: "deleted-order-has-no-money",
        sql: "SELECT o.id AS order_id, o.shop, o.number FROM orders o WHERE o.deleted = 1
                AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.kind = 'paid_after_deletion' AND e.order_id = o.id)",
        judge: has_money,
    },
    // Each line of a final deletion once, and reserved again once by a restoration; nothing else.
    Check {
        name: "stock-released-once",
        sql: "SELECT o.shop, o.number, l.line, (SELECT count(*) FROM stock_releases s WHERE s.order_id = t.order_id AND s.line = l.line
                AND s.generation = t.generation AND s.direction = 'release') AS released,
                (SELECT count(*) FROM stock_releases s WHERE s.order_id = t.order_id AND s.line = l.line
                AND s.generation = t.generation AND s.direction = 'reserve') AS reserved,
                EXISTS (SELECT 1 FROM restorations r WHERE r.order_id = t.order_id AND r.generation = t.generation) AS is_restored
              FROM tombstones t JOIN orders o ON o.id = t.order_id
              JOIN (SELECT order_id, line, NULL AS generation FROM order_lines
                    UNION SELECT order_id, line, generation FROM stock_releases) l
                ON l.order_id = t.order_id AND (l.generation = t.generation OR l.generation IS NULL AND o.deleted = 1 AND NOT is_restored)
              WHERE t.is_final = 1 AND (released <> 1 OR reserved <> is_restored)
              UNION ALL
              SELECT o.shop, o.number, s.line, 1, 0, 0 FROM stock_releases s JOIN orders o ON o.id = s.order_id
              WHERE NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.order_id = s.order_id AND t.generation = s.generation AND t.is_final = 1)",
        judge: released_otherwise,
    },
    // Nothing can be paid for an order that is gone.
    Check {
        name: "deleted-order-entries",
        sql: "SELECT o.shop, o.number, e.id AS entry FROM orders o
              JOIN tombstones t ON t.order_id = o.id AND t.is_final = 1 JOIN entries e ON e.order_id = o.id
              WHERE o.deleted = 1 AND e.status = 'open' AND e.assigned_minor = 0 AND e.document_id IS NULL
                AND NOT EXISTS (SELECT 1 FROM restorations r WHERE r.order_id = t.order_id AND r.generation = t.generation)",
        judge: open_entry,
    },
];

fn subject(row: &Row<'_>) -> Result<String> {
    Ok(format!("order {}/{}", row.text("shop")?, row.text("number")?))
}

fn other_mark(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = if row.plain("is_deleted")? {
        "it has a tombstone that nobody took back, and is not marked as deleted"
    } else {
        "it is marked as deleted, and has no tombstone"
    };
    Ok(Some(Fault::tampered(subject(row)?, what)))
}

fn broken_tombstone(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let operation: i64 = row.plain("operation")?;
    let what = format!("operation {operation} has deleted it, and its tombstone is not there or does not fit");
    Ok(Some(Fault::tampered(subject(row)?, &what)))
}

fn without_gate(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (deletion, gates): (i64, i64) = (row.plain("deletion")?, row.plain("gates")?);
    let what = format!("its deletion {deletion} was asked for with the evidence of {gates} gates; there are four");
    Ok(Some(Fault::tampered(subject(row)?, &what)))
}

fn has_money(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let money = money_on(bench.connection, row.id("order_id", OrderId)?)?;
    // What came and went again before anybody looked is told to nobody, either.
    if !money.is_there {
        return Ok(None);
    }
    Ok(Some(Fault {
        subject: subject(row)?,
        message: format!(
            "it is deleted, {}, and nobody was told: look at the PSP, then refund it or `payjournal restore` the order",
            money.told.join("; ")
        ),
    }))
}

fn released_otherwise(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (line, released, reserved): (i64, i64, i64) =
        (row.plain("line")?, row.plain("released")?, row.plain("reserved")?);
    let what = format!(
        "the stock of its line {line} was released {released} times and reserved again {reserved} times, which is not what was done \
         with the order"
    );
    Ok(Some(Fault::tampered(subject(row)?, &what)))
}

fn open_entry(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let entry: i64 = row.plain("entry")?;
    Ok(Some(Fault::tampered(subject(row)?, &format!("it is deleted, and its entry {entry} is open"))))
}
