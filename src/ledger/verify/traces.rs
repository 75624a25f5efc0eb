//! What somebody leaves behind who changes rows by hand: gaps where nothing is ever deleted, money that pays another order's
//! invoice, dates far from the movement's, wishes nobody uttered, mails that were never written (rules 7, 10, 15, 18).

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::ledger::row::Columns;

pub(super) const CHECKS: [Check; 6] = [
    // Ids are given one after the other, and what is rolled back gives its id back: the last rows leave no gap.
    Check {
        name: "rows-missing",
        sql: "SELECT 'payments' AS name, count(*) AS there, ifnull(max(id), 0) AS given FROM payments HAVING there <> given
              UNION ALL SELECT 'authorisations', count(*) AS there, ifnull(max(id), 0) AS given FROM authorisations HAVING there <> given
              UNION ALL SELECT 'documents', count(*) AS there, ifnull(max(id), 0) AS given FROM documents HAVING there <> given
              UNION ALL SELECT 'movements', count(*) AS there, ifnull(max(id), 0) AS given FROM movements HAVING there <> given
              UNION ALL SELECT 'journals', count(*) AS there, ifnull(max(id), 0) AS given FROM journals HAVING there <> given
              UNION ALL SELECT 'payout_journals', count(*) AS there, ifnull(max(id), 0) AS given FROM payout_journals HAVING there <> given
              UNION ALL SELECT 'entries', count(*) AS there, ifnull(max(id), 0) AS given FROM entries HAVING there <> given
              UNION ALL SELECT 'mandates', count(*) AS there, ifnull(max(id), 0) AS given FROM mandates HAVING there <> given
              UNION ALL SELECT 'assignments', count(*) AS there, ifnull(max(id), 0) AS given FROM assignments HAVING there <> given
              UNION ALL SELECT 'invoice_journals', count(*) AS there, ifnull(max(id), 0) AS given FROM invoice_journals HAVING there <> given
              UNION ALL SELECT 'deletions', count(*) AS there, ifnull(max(id), 0) AS given FROM deletions HAVING there <> given
              UNION ALL SELECT 'tombstones', count(*) AS there, ifnull(max(id), 0) AS given FROM tombstones HAVING there <> given
              UNION ALL SELECT 'stock_releases', count(*) AS there, ifnull(max(id), 0) AS given FROM stock_releases HAVING there <> given
              UNION ALL SELECT 'operations', count(*) AS there, ifnull(max(id), 0) AS given FROM operations HAVING there <> given
              UNION ALL SELECT 'operation_events', count(*) AS there, ifnull(max(id), 0) AS given FROM operation_events HAVING there <> given
              UNION ALL SELECT 'exceptions', count(*) AS there, ifnull(max(id), 0) AS given FROM exceptions HAVING there <> given
              UNION ALL SELECT 'mails', count(*) AS there, ifnull(max(id), 0) AS given FROM mails HAVING there <> given
              UNION ALL SELECT 'runs', count(*) AS there, ifnull(max(id), 0) AS given FROM runs HAVING there <> given",
        judge: rows_missing,
    },
    // A payment pays its order's invoices, those it names, and with its surplus what else their order has, and those whose
    // entry it pays.
    Check {
        name: "journal-for-own-order",
        sql: "SELECT j.number, p.transaction_id, d.number AS invoice
              FROM journals j JOIN documents d ON d.id = j.document_id JOIN movements m ON m.id = j.movement_id
              JOIN payments p ON p.id = m.payment_id
              WHERE j.kind IN ('receipt', 'application') AND d.order_id IS NOT p.order_id
                AND instr(';' || p.pays || ';', ';' || d.number || ';') = 0
                AND NOT EXISTS (SELECT 1 FROM documents n WHERE n.order_id = d.order_id AND n.kind = 'invoice'
                                  AND instr(';' || p.pays || ';', ';' || n.number || ';') > 0)
                AND NOT EXISTS (SELECT 1 FROM entries e JOIN assignments a ON a.entry_id = e.id JOIN movements n ON n.id = a.movement_id
                                WHERE e.document_id = d.id AND n.payment_id = p.id)",
        judge: pays_a_stranger,
    },
    // Within a day, whatever time zone was configured when it was booked.
    Check {
        name: "journal-date",
        sql: "SELECT j.number, j.posting_date, date(ifnull(f.occurred_at, m.occurred_at)) AS moved_on
              FROM journals j JOIN movements m ON m.id = j.movement_id
              LEFT JOIN movements f ON j.direction = 'reversal' AND f.kind = m.kind || '_failure' AND f.provider = m.provider
                AND f.merchant_account = m.merchant_account AND f.modification_id = m.modification_id
              WHERE (j.kind NOT IN ('application', 'return', 'returned_refund') OR j.direction = 'reversal')
                AND abs(julianday(j.posting_date) - julianday(moved_on)) > 1",
        judge: another_day,
    },
    Check {
        name: "operation-modification",
        sql: "SELECT o.id AS operation, o.kind, ifnull(o.modification_id, 'none') AS modification_id,
                m.modification_id AS moved_by
              FROM operations o JOIN movements m ON m.operation_id = o.id AND m.kind = o.kind
              WHERE o.modification_id IS NOT m.modification_id",
        judge: another_modification,
    },
    Check {
        name: "retry-without-request",
        sql: "SELECT o.id AS operation, o.kind FROM operations o WHERE o.retry_requested = 1 AND NOT EXISTS (
                SELECT 1 FROM operation_events e WHERE e.operation_id = o.id
                  AND e.note = 'another attempt was asked for by a person')",
        judge: nobody_asked,
    },
    Check {
        name: "mail-missing",
        sql: "SELECT o.id AS operation, o.kind, o.key FROM operations o
              WHERE o.state = 'confirmed' AND (o.kind IN ('refund', 'release') OR (o.kind = 'capture' AND o.document_id IS NOT NULL))
                AND NOT EXISTS (SELECT 1 FROM mails m WHERE m.event = CASE o.kind WHEN 'capture' THEN 'captured'
                  WHEN 'refund' THEN 'refunded' ELSE 'released' END || ':' || o.key)",
        judge: never_written,
    },
];

fn operation(row: &Row<'_>) -> Result<String> {
    Ok(format!("operation {} ({})", row.plain::<i64>("operation")?, row.text("kind")?))
}

fn rows_missing(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let missing = row.plain::<i64>("given")? - row.plain::<i64>("there")?;
    let subject = format!("table {}", row.text("name")?);
    Ok(Some(Fault::tampered(subject, &format!("{missing} of its rows are gone, and nothing is ever deleted from it"))))
}

fn pays_a_stranger(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (invoice, payment) = (row.text("invoice")?, row.text("transaction_id")?);
    let what = format!("it pays invoice {invoice}, which is neither of payment {payment}'s order nor named by it");
    Ok(Some(Fault::tampered(format!("journal {}", row.text("number")?), &what)))
}

fn another_day(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (posted, moved) = (row.text("posting_date")?, row.text("moved_on")?);
    let what = format!("it is posted on {posted}, and the money moved on {moved}");
    Ok(Some(Fault::tampered(format!("journal {}", row.text("number")?), &what)))
}

fn another_modification(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (known, moved) = (row.text("modification_id")?, row.text("moved_by")?);
    let what = format!("the PSP's id of it is {known} here, and {moved} in its movement");
    Ok(Some(Fault::tampered(operation(row)?, &what)))
}

fn nobody_asked(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    Ok(Some(Fault::tampered(operation(row)?, "the next run will try it again, and nobody asked for that")))
}

fn never_written(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    Ok(Some(Fault::tampered(operation(row)?, "it is confirmed, and the mail that tells of it was never written")))
}
