//! Journals and postings: double entry, each journal zero, each movement booked exactly, each number the one its natural
//! key makes (rules 1, 3, 15).

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::ledger::row::Columns;
use crate::operation::key::{JournalKey, journal_number};

pub(super) const CHECKS: [Check; 11] = [
    Check {
        name: "journal-sums-to-zero",
        sql: "SELECT j.number, j.currency, sum(p.amount_minor) AS off_minor FROM journals j
              JOIN postings p ON p.journal_id = j.id GROUP BY j.id HAVING off_minor <> 0",
        judge: off_balance,
    },
    Check {
        name: "journal-postings",
        sql: "SELECT j.number, (SELECT count(*) FROM postings p WHERE p.journal_id = j.id) AS lines FROM journals j
              WHERE lines < 2",
        judge: too_few_postings,
    },
    Check {
        name: "journal-amount",
        sql: "SELECT j.number, j.currency, j.amount_minor,
                (SELECT ifnull(sum(p.amount_minor), 0) FROM postings p WHERE p.journal_id = j.id AND p.amount_minor > 0) AS debit_minor
              FROM journals j WHERE debit_minor <> j.amount_minor",
        judge: other_amount,
    },
    Check {
        name: "journal-currency",
        sql: "SELECT j.number, j.currency, m.currency AS movement_currency, ifnull(d.currency, j.currency) AS document_currency
              FROM journals j JOIN movements m ON m.id = j.movement_id LEFT JOIN documents d ON d.id = j.document_id
              WHERE movement_currency <> j.currency OR document_currency <> j.currency",
        judge: other_currency,
    },
    Check {
        name: "journal-kind",
        sql: "SELECT j.number, j.kind, m.kind AS movement_kind, ifnull(d.kind, 'no document') AS document_kind
              FROM journals j JOIN movements m ON m.id = j.movement_id LEFT JOIN documents d ON d.id = j.document_id
              WHERE CASE j.kind
                WHEN 'receipt' THEN m.kind <> 'capture' OR d.kind IS NOT 'invoice'
                WHEN 'application' THEN m.kind <> 'capture' OR d.kind IS NOT 'invoice'
                WHEN 'prepayment' THEN m.kind <> 'capture' OR j.document_id IS NOT NULL
                WHEN 'refund' THEN m.kind <> 'refund' OR d.kind IS NOT 'credit_note'
                WHEN 'reopening' THEN m.kind <> 'refund' OR d.kind IS NOT 'invoice'
                WHEN 'return' THEN m.kind <> 'capture' OR d.kind IS NOT 'cancellation'
                WHEN 'returned_refund' THEN m.kind <> 'refund' OR d.kind IS NOT 'cancellation'
                WHEN 'unapplied_refund' THEN m.kind <> 'refund' OR j.document_id IS NOT NULL
                ELSE m.kind <> j.kind OR j.document_id IS NOT NULL END",
        judge: other_kind,
    },
    Check {
        name: "journal-customer",
        sql: "SELECT j.number, j.bill_to, d.bill_to AS owner FROM journals j JOIN documents d ON d.id = j.document_id
              WHERE j.bill_to <> d.bill_to",
        judge: other_customer,
    },
    Check {
        name: "journal-once",
        sql: "SELECT min(j.number) AS number, count(*) AS times, j.direction FROM journals j
              GROUP BY j.movement_id, ifnull(j.document_id, 0), j.direction HAVING times > 1",
        judge: booked_twice,
    },
    Check {
        name: "journal-number",
        sql: "SELECT j.number, j.direction, m.provider, m.merchant_account, m.kind AS movement_kind, m.modification_id,
                CASE WHEN d.id IS NULL THEN 'PREPAYMENT' ELSE d.company || ':' || d.kind || ':' || d.number END AS document
              FROM journals j JOIN movements m ON m.id = j.movement_id LEFT JOIN documents d ON d.id = j.document_id",
        judge: other_number,
    },
    Check {
        name: "journal-number-form",
        sql: "SELECT number FROM journals WHERE length(number) NOT BETWEEN 1 AND 20 OR number GLOB '*[^A-Z0-9-]*'",
        judge: malformed_number,
    },
    Check {
        name: "journal-number-unique",
        sql: "SELECT upper(number) AS number, count(*) AS times FROM journals GROUP BY upper(number) HAVING times > 1",
        judge: number_used_twice,
    },
    // Rebuilt by two roads: what the PSP holds by the movements, and by the postings on the clearing side.
    Check {
        name: "clearing-balance",
        sql: "WITH moved AS (
                SELECT m.provider, m.merchant_account, m.currency, sum(CASE m.kind
                    WHEN 'capture' THEN m.amount_minor WHEN 'refund' THEN -m.amount_minor
                    WHEN 'capture_failure' THEN -ifnull(o.amount_minor, 0) WHEN 'refund_failure' THEN ifnull(o.amount_minor, 0)
                    WHEN 'chargeback' THEN -m.amount_minor WHEN 'chargeback_reversed' THEN m.amount_minor END) AS moved_minor
                FROM movements m LEFT JOIN movements o ON m.kind IN ('capture_failure', 'refund_failure')
                  AND o.provider = m.provider AND o.merchant_account = m.merchant_account AND o.kind = replace(m.kind, '_failure', '')
                  AND o.modification_id = m.modification_id AND o.amount_minor = m.amount_minor
                GROUP BY m.provider, m.merchant_account, m.currency),
              booked AS (
                SELECT m.provider, m.merchant_account, j.currency, sum(p.amount_minor) AS booked_minor
                FROM journals j JOIN movements m ON m.id = j.movement_id JOIN postings p ON p.journal_id = j.id
                  AND p.line = CASE WHEN j.kind IN ('receipt', 'prepayment', 'chargeback_reversed') THEN 1 ELSE 2 END
                WHERE j.kind NOT IN ('application', 'return', 'returned_refund') GROUP BY m.provider, m.merchant_account, j.currency)
              SELECT m.provider, m.merchant_account, m.currency, m.moved_minor, ifnull(b.booked_minor, 0) AS booked_minor
              FROM moved m LEFT JOIN booked b ON b.provider = m.provider AND b.merchant_account = m.merchant_account
                AND b.currency = m.currency
              WHERE m.moved_minor <> ifnull(b.booked_minor, 0)",
        judge: clearing_off,
    },
];

fn journal(row: &Row<'_>) -> Result<String> {
    Ok(format!("journal {}", row.plain::<String>("number")?))
}

fn off_balance(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = format!("its postings sum to {}, not to zero", row.amount("off_minor")?);
    Ok(Some(Fault::tampered(journal(row)?, &what)))
}

fn too_few_postings(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = format!("it has {} postings; double entry has two", row.count("lines")?);
    Ok(Some(Fault::tampered(journal(row)?, &what)))
}

fn other_amount(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (amount, debit) = (row.amount("amount_minor")?, row.amount("debit_minor")?);
    Ok(Some(Fault::tampered(journal(row)?, &format!("it is over {amount}, and its postings debit {debit}"))))
}

fn other_currency(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = format!(
        "it is in {}, its movement in {}, its document in {}",
        row.plain::<String>("currency")?,
        row.plain::<String>("movement_currency")?,
        row.plain::<String>("document_currency")?
    );
    Ok(Some(Fault::tampered(journal(row)?, &what)))
}

fn other_kind(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = format!(
        "a {} is booked for a {} and {}",
        row.plain::<String>("kind")?,
        row.plain::<String>("movement_kind")?,
        row.plain::<String>("document_kind")?
    );
    Ok(Some(Fault::tampered(journal(row)?, &what)))
}

fn other_customer(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (booked, owner): (String, String) = (row.plain("bill_to")?, row.plain("owner")?);
    let what = format!("it is booked for customer {booked}, and its document is billed to {owner}");
    Ok(Some(Fault::tampered(journal(row)?, &what)))
}

fn booked_twice(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (times, direction) = (row.count("times")?, row.plain::<String>("direction")?);
    let what = format!("one movement is booked {times} times for one document ({direction})");
    Ok(Some(Fault::tampered(journal(row)?, &what)))
}

fn other_number(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let text = |column| row.plain::<String>(column);
    let right = journal_number(JournalKey {
        mode: bench.books.mode,
        provider: &text("provider")?,
        merchant_account: &text("merchant_account")?,
        movement_kind: &text("movement_kind")?,
        modification: &text("modification_id")?,
        document: &text("document")?,
        direction: &text("direction")?,
    });
    if text("number")? == right {
        return Ok(None);
    }
    let what = format!("its natural key makes {right}, so the ERP would be asked for the wrong document");
    Ok(Some(Fault::tampered(journal(row)?, &what)))
}

fn malformed_number(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    Ok(Some(Fault::tampered(journal(row)?, "its number is not at most 20 characters of A-Z0-9-")))
}

fn number_used_twice(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what = format!("{} journals have this number, which ERPs compare in upper case", row.count("times")?);
    Ok(Some(Fault::tampered(journal(row)?, &what)))
}

fn clearing_off(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (moved, booked) = (row.amount("moved_minor")?, row.amount("booked_minor")?);
    Ok(Some(Fault {
        subject: format!(
            "clearing of {}/{} in {}",
            row.plain::<String>("provider")?,
            row.plain::<String>("merchant_account")?,
            moved.currency()
        ),
        message: format!(
            "the movements leave {moved} with the PSP, the postings {booked}: the journals above or below are missing or wrong; \
             `payjournal verify --against-provider` tells which of the two the PSP confirms"
        ),
    }))
}
