//! Invoices payjournal made and the entries they settle: lines, journals, numbers, and each assignment rebuilt from what paid it.

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::domain::document::DocumentKind;
use crate::ledger::row::Columns;
use crate::operation::key::invoice_journal_number;

pub(super) const CHECKS: [Check; 12] = [
    Check {
        name: "invoice-lines",
        sql: "SELECT d.kind, d.number, d.currency, d.total_minor,
                (SELECT ifnull(sum(l.net_minor + l.tax_minor), 0) FROM invoice_lines l WHERE l.document_id = d.id) AS lines_minor
              FROM issued_documents i JOIN documents d ON d.id = i.document_id WHERE lines_minor <> d.total_minor",
        judge: other_lines,
    },
    // One journal on the document's day, which sums to zero and debits what an invoice is over, or credits what takes one back;
    // none where all of it is nothing.
    Check {
        name: "invoice-journal",
        sql: "SELECT d.kind, d.number, d.currency, d.total_minor, ifnull(sum(p.amount_minor), 0) AS off_minor,
                ifnull(sum(p.amount_minor) FILTER (WHERE p.line = 1), 0) * iif(d.kind = 'invoice', 1, -1) AS owed_minor,
                d.posted_on, ifnull(min(j.posting_date), d.posted_on) AS booked_on
              FROM issued_documents i JOIN documents d ON d.id = i.document_id
              LEFT JOIN invoice_journals j ON j.document_id = d.id LEFT JOIN invoice_postings p ON p.journal_id = j.id
              GROUP BY d.id HAVING off_minor <> 0 OR booked_on <> d.posted_on
                OR d.total_minor <> 0 AND owed_minor <> d.total_minor",
        judge: other_journal,
    },
    Check {
        name: "invoice-journal-number",
        sql: "SELECT j.number, d.company, d.kind, d.number AS document, o.shop || '/' || o.number AS order_name, d.currency, d.total_minor
              FROM invoice_journals j JOIN issued_documents i ON i.document_id = j.document_id JOIN documents d ON d.id = j.document_id
              JOIN orders o ON o.id = i.order_id",
        judge: other_number,
    },
    // Of no line more is credited than was sold, and of an invoice no more than it was over.
    Check {
        name: "invoice-credited",
        sql: "SELECT d.number, d.currency, l.line, max(l.net_minor + l.tax_minor) AS sold_minor, sum(k.net_minor + k.tax_minor) AS credited_minor
              FROM corrections c JOIN documents d ON d.id = c.invoice_id JOIN invoice_lines l ON l.document_id = c.invoice_id
              JOIN invoice_lines k ON k.document_id = c.document_id AND k.line = l.line
              WHERE c.cancels = 0
              GROUP BY d.id, l.line HAVING abs(credited_minor) > abs(sold_minor)",
        judge: credited_too_much,
    },
    Check {
        name: "invoice-number-drawn",
        sql: "SELECT d.kind, d.number, i.counter, ifnull(c.last, 0) AS drawn
              FROM issued_documents i JOIN documents d ON d.id = i.document_id
              LEFT JOIN number_counters c ON c.kind = d.kind AND c.period = i.period WHERE drawn < i.counter",
        judge: not_drawn,
    },
    Check {
        name: "invoice-stands-once",
        sql: "SELECT o.shop || '/' || o.number AS order_name, count(*) AS times FROM standing_invoices i JOIN orders o ON o.id = i.order_id
              GROUP BY o.id HAVING times > 1",
        judge: billed_twice,
    },
    // Each of the two clears the other, to the cent, and its entry takes part in nothing.
    Check {
        name: "invoice-cancelled",
        sql: "SELECT i.number, n.number AS cancellation FROM corrections c JOIN documents i ON i.id = c.invoice_id
              JOIN documents n ON n.id = c.document_id
              WHERE c.cancels = 1 AND (n.kind <> 'cancellation' OR n.total_minor <> i.total_minor OR n.currency <> i.currency
                OR n.bill_to <> i.bill_to OR n.paid_elsewhere_minor <> i.paid_elsewhere_minor
                OR EXISTS (SELECT 1 FROM entries e WHERE e.document_id = i.id AND e.status <> 'cancelled')
                OR n.total_minor - n.paid_elsewhere_minor <> ifnull((SELECT
                     sum(CASE WHEN (j.direction = 'original') = (j.kind = 'return') THEN j.amount_minor ELSE -j.amount_minor END)
                     FROM journals j WHERE j.document_id = n.id), 0))",
        judge: not_cleared,
    },
    Check {
        name: "invoice-entry",
        sql: "SELECT d.number FROM invoices i JOIN documents d ON d.id = i.document_id
              WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.document_id = d.id
                                AND (e.status = 'cancelled' OR e.initial_minor = d.total_minor AND e.currency = d.currency))",
        judge: without_entry,
    },
    Check {
        name: "entry-assigned",
        sql: "SELECT e.id AS entry, e.currency, e.assigned_minor, e.status, e.initial_minor - e.reduction_minor AS initial_minor,
                (SELECT ifnull(sum(a.amount_minor), 0) FROM assignments a WHERE a.entry_id = e.id) AS sum_minor
              FROM entries e WHERE sum_minor <> e.assigned_minor
                OR e.status <> 'cancelled' AND (e.status = 'balanced') <> (e.assigned_minor = e.initial_minor - e.reduction_minor)",
        judge: other_sum,
    },
    Check {
        name: "assignment-within-movement",
        sql: "SELECT m.modification_id, m.currency, m.amount_minor, sum(a.amount_minor) AS sum_minor
              FROM assignments a JOIN movements m ON m.id = a.movement_id GROUP BY m.id HAVING abs(sum_minor) > m.amount_minor",
        judge: beyond_movement,
    },
    // Money of another order pays an invoice as a free balance of the customer it was booked to; what has a key or an entry has its own.
    Check {
        name: "free-balance-of-customer",
        sql: "SELECT d.number, d.bill_to, p.transaction_id, j.currency, j.amount_minor
              FROM journals j JOIN documents d ON d.id = j.document_id JOIN movements m ON m.id = j.movement_id
              JOIN payments p ON p.id = m.payment_id JOIN invoices i ON i.document_id = d.id
              WHERE j.kind = 'application' AND j.direction = 'original' AND p.order_id <> i.order_id AND p.pays = ''
                AND p.id NOT IN (SELECT payment_id FROM payment_keys)
                AND NOT EXISTS (SELECT 1 FROM entry_items n WHERE n.payment_id = p.id)
                AND NOT EXISTS (SELECT 1 FROM journals r JOIN documents c ON c.id = r.document_id
                                WHERE r.movement_id = m.id AND r.kind = 'return' AND c.order_id = i.order_id)
                AND NOT EXISTS (SELECT 1 FROM journals o WHERE o.movement_id = m.id AND o.kind IN ('prepayment', 'return')
                                  AND o.bill_to = d.bill_to)",
        judge: of_another_customer,
    },
    // An entry has what its invoice was paid, at most what it is over; a chargeback takes from the entry alone. Where it is over more than it
    // took, as a refund had taken that before, what comes back of that refund is gone.
    Check {
        name: "entry-tied",
        sql: "SELECT e.id AS entry, e.currency, e.initial_minor,
                e.assigned_minor - (SELECT ifnull(sum(min(lost, 0)), 0) FROM (
                   SELECT sum(a.amount_minor) AS lost FROM assignments a JOIN movements m ON m.id = a.movement_id
                   WHERE a.entry_id = e.id AND m.kind IN ('chargeback', 'chargeback_reversed') GROUP BY m.payment_id)) AS sum_minor,
                (SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund')) THEN j.amount_minor ELSE -j.amount_minor END), 0)
                   FROM journals j WHERE j.document_id = e.document_id) AS tied_minor
              FROM entries e
              WHERE e.document_id IS NOT NULL AND e.status <> 'cancelled' AND sum_minor < min(tied_minor, e.initial_minor - e.reduction_minor)
                AND sum_minor < min(e.initial_minor - e.reduction_minor, tied_minor - (
                  SELECT ifnull(sum(max(0,
                    (SELECT ifnull(sum(CASE c.kind WHEN 'chargeback' THEN c.amount_minor ELSE -c.amount_minor END), 0)
                     FROM movements c WHERE c.payment_id = p.payment_id AND c.kind IN ('chargeback', 'chargeback_reversed'))
                    + (SELECT ifnull(sum(a.amount_minor), 0) FROM movements c JOIN assignments a ON a.movement_id = c.id
                       WHERE c.payment_id = p.payment_id AND c.kind IN ('chargeback', 'chargeback_reversed')))), 0)
                  FROM (SELECT DISTINCT m.payment_id FROM journals j JOIN movements m ON m.id = j.movement_id
                        WHERE j.document_id = e.document_id) p))",
        judge: not_tied,
    },
];

fn document(row: &Row<'_>) -> Result<String> {
    Ok(format!("{} {}", row.choice("kind", DocumentKind::parse)?.noun(), row.text("number")?))
}

fn billed_twice(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = format!("{} invoices stand for it, and it is billed once", row.count("times")?);
    Ok(Some(Fault::tampered(format!("order {}", row.text("order_name")?), &what)))
}

fn credited_too_much(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (total, credited) = (row.amount("sold_minor")?, row.amount("credited_minor")?);
    let what = format!("its line {} is over {total}, and {credited} of that was taken back", row.count("line")?);
    Ok(Some(Fault::tampered(format!("invoice {}", row.text("number")?), &what)))
}

fn not_cleared(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = format!("it and its cancellation {} do not clear each other", row.text("cancellation")?);
    Ok(Some(Fault::tampered(format!("invoice {}", row.text("number")?), &what)))
}

fn other_lines(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (total, lines) = (row.amount("total_minor")?, row.amount("lines_minor")?);
    let what = format!("it is over {total}, and its lines come to {lines}");
    Ok(Some(Fault::tampered(document(row)?, &what)))
}

fn other_journal(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (total, off, owed) = (row.amount("total_minor")?, row.amount("off_minor")?, row.amount("owed_minor")?);
    let what = format!(
        "it is over {total} of {}; its journal is of {} and books {owed} on receivables, and its postings sum to {off}",
        row.text("posted_on")?,
        row.text("booked_on")?
    );
    Ok(Some(Fault::tampered(document(row)?, &what)))
}

fn other_number(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let total = row.amount("total_minor")?;
    let kind = row.choice("kind", DocumentKind::parse)?;
    let minor = total.minor().to_string();
    let (company, document, order) = (row.text("company")?, row.text("document")?, row.text("order_name")?);
    let right =
        invoice_journal_number(kind, [bench.books.mode, company, document, order, total.currency().code(), &minor]);
    let number = row.text("number")?;
    let what = format!("its natural key makes {right}");
    Ok((number != right).then(|| Fault::tampered(format!("invoice journal {number}"), &what)))
}

fn not_drawn(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (counter, last): (i64, i64) = (row.plain("counter")?, row.plain("drawn")?);
    let what = format!("its counter is {counter}, and the last number drawn is {last}: the next would be drawn twice");
    Ok(Some(Fault::tampered(document(row)?, &what)))
}

fn without_entry(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = "it has no entry over its total";
    Ok(Some(Fault::tampered(format!("invoice {}", row.text("number")?), what)))
}

fn other_sum(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (initial, assigned, sum) =
        (row.amount("initial_minor")?, row.amount("assigned_minor")?, row.amount("sum_minor")?);
    let what = format!(
        "it is {} with {assigned} of {initial} assigned, and its assignments sum to {sum}",
        row.text("status")?
    );
    let id: i64 = row.plain("entry")?;
    Ok(Some(Fault::tampered(format!("entry {id}"), &what)))
}

fn beyond_movement(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (amount, sum) = (row.amount("amount_minor")?, row.amount("sum_minor")?);
    let what = format!("it is over {amount}, and {sum} of it is assigned to entries");
    Ok(Some(Fault::tampered(format!("movement {}", row.text("modification_id")?), &what)))
}

fn of_another_customer(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = format!(
        "{} of payment {} pays it, which was booked to another customer than {}",
        row.amount("amount_minor")?,
        row.text("transaction_id")?,
        row.text("bill_to")?
    );
    Ok(Some(Fault::tampered(format!("invoice {}", row.text("number")?), &what)))
}

fn not_tied(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (sum, tied) = (row.amount("sum_minor")?, row.amount("tied_minor")?);
    let what = format!("its invoice was paid {tied}, and {sum} of that is assigned to it");
    let id: i64 = row.plain("entry")?;
    Ok(Some(Fault::tampered(format!("entry {id}"), &what)))
}
