//! Payments, orders and documents: their statuses are what their rows make, and our own journals never pay a document twice
//! (rules 9, 14, 25).

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::domain::id::OrderId;
use crate::ledger::row::Columns;
use crate::ledger::{orders, payments};

pub(super) const CHECKS: [Check; 6] = [
    // A status the PSP gave after the last capture is its word, and stands.
    Check {
        name: "payment-status",
        sql: "SELECT p.transaction_id, p.currency, p.status,
                (SELECT ifnull(max(a.amount_minor), 0) FROM authorisations a WHERE a.payment_id = p.id) AS authorised_minor,
                (SELECT ifnull(sum(CASE m.kind WHEN 'capture' THEN m.amount_minor WHEN 'capture_failure' THEN -m.amount_minor ELSE 0 END), 0)
                   FROM movements m WHERE m.payment_id = p.id) AS captured_minor
              FROM payments p
              WHERE p.status = 'authorised' AND authorised_minor > 0 AND captured_minor >= authorised_minor
                AND p.status_since < (SELECT max(m.learnt_at) FROM movements m WHERE m.payment_id = p.id AND m.kind = 'capture')
                AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.kind = 'amount_differs' AND e.payment_id = p.id)",
        judge: still_authorised,
    },
    Check {
        name: "payment-invoices",
        sql: "WITH RECURSIVE named (transaction_id, number, rest) AS (
                SELECT transaction_id, '', pays || ';' FROM payments WHERE pays <> ''
                UNION ALL
                SELECT transaction_id, substr(rest, 1, instr(rest, ';') - 1), substr(rest, instr(rest, ';') + 1)
                FROM named WHERE rest <> '')
              SELECT transaction_id, number FROM named
              WHERE number <> '' AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.kind = 'invoice' AND d.number = named.number)",
        judge: pays_nothing,
    },
    Check { name: "order-status", sql: "SELECT id AS order_id, shop, number FROM orders", judge: other_status },
    Check {
        name: "order-currency",
        sql: "SELECT o.shop, o.number, o.currency, 'payment ' || p.transaction_id AS what, p.currency AS found
              FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.currency <> o.currency
              UNION ALL
              SELECT o.shop, o.number, o.currency, replace(d.kind, '_', ' ') || ' ' || d.number, d.currency
              FROM documents d JOIN orders o ON o.id = d.order_id WHERE d.currency <> o.currency",
        judge: mixed_currencies,
    },
    // Only where nothing but our own intents paid it. What was paid back without a credit note makes room for more.
    Check {
        name: "document-overpaid",
        sql: "SELECT d.kind, d.number, d.currency, d.total_minor,
                sum(CASE j.direction WHEN 'original' THEN j.amount_minor ELSE -j.amount_minor END) AS booked_minor
              FROM documents d JOIN journals j ON j.document_id = d.id JOIN movements m ON m.id = j.movement_id
              WHERE d.paid_elsewhere_minor >= 0
              GROUP BY d.id HAVING booked_minor > d.total_minor AND count(m.operation_id) = count(*)
                AND NOT EXISTS (SELECT 1 FROM journals r WHERE r.document_id = d.id AND r.kind = 'reopening')
                AND NOT EXISTS (SELECT 1 FROM journals s JOIN movements n ON n.id = s.movement_id
                      JOIN operation_events e ON e.operation_id = n.operation_id AND e.state IN ('refused', 'withdrawn')
                      WHERE s.document_id = d.id)
                AND NOT EXISTS (SELECT 1 FROM journals s JOIN movements n ON n.id = s.movement_id
                      JOIN operations o ON o.id = n.operation_id JOIN exceptions e ON e.payment_id = n.payment_id
                      WHERE s.document_id = d.id AND n.amount_minor > o.amount_minor AND e.kind = 'amount_differs')",
        judge: overpaid,
    },
    Check {
        name: "shipment-overpaid",
        sql: "SELECT d.kind, d.number, d.currency, d.total_minor, sum(o.amount_minor) AS booked_minor
              FROM documents d JOIN operations o ON o.document_id = d.id AND o.kind = 'capture' AND o.state NOT IN ('refused', 'withdrawn')
              WHERE d.kind = 'shipment' AND NOT EXISTS (SELECT 1 FROM operation_events e
                WHERE e.operation_id = o.id AND e.state IN ('refused', 'withdrawn'))
              GROUP BY d.id HAVING booked_minor > d.total_minor",
        judge: overpaid,
    },
];

fn still_authorised(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (authorised, captured) = (row.amount("authorised_minor")?, row.amount("captured_minor")?);
    Ok(Some(Fault {
        subject: format!("payment {}", row.plain::<String>("transaction_id")?),
        message: format!(
            "it is still authorised, and {captured} of {authorised} is captured: nothing is reserved any more; \
             `payjournal sync-payments` asks the PSP"
        ),
    }))
}

fn pays_nothing(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (transaction, number): (String, String) = (row.plain("transaction_id")?, row.plain("number")?);
    let what = format!("it pays invoice {number}, which the ledger does not have");
    Ok(Some(Fault::tampered(format!("payment {transaction}"), &what)))
}

fn other_status(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let id = row.id("order_id", OrderId)?;
    let order = orders::order(bench.connection, id)?;
    let paying = payments::of_order(bench.connection, id)?;
    let invoiced = orders::invoiced(bench.connection, id, order.total.currency())?;
    let right = order.status_now(&paying, invoiced)?;
    if order.payment_status == right {
        return Ok(None);
    }
    Ok(Some(Fault {
        subject: format!("order {}/{}", order.shop, order.number),
        message: format!(
            "its payment status is {}, and its payments and invoices make it {right}; `payjournal sync-payments` brings it in \
             line if the PSP knows more, else restore a backup that verifies",
            order.payment_status
        ),
    }))
}

fn mixed_currencies(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (shop, number): (String, String) = (row.plain("shop")?, row.plain("number")?);
    let (currency, what, found): (String, String, String) =
        (row.plain("currency")?, row.plain("what")?, row.plain("found")?);
    Ok(Some(Fault::tampered(format!("order {shop}/{number}"), &format!("it is in {currency}, its {what} in {found}"))))
}

fn overpaid(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (kind, number): (String, String) = (row.plain("kind")?, row.plain("number")?);
    let (total, booked) = (row.amount("total_minor")?, row.amount("booked_minor")?);
    Ok(Some(Fault {
        subject: format!("{} {number}", kind.replace('_', " ")),
        message: format!(
            "{booked} was paid by our own doing, and its total is {total}: look at `payjournal show document {number}` and \
             at the PSP, and give back what is too much"
        ),
    }))
}
