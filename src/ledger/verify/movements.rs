//! Movements: each is its payment's, agrees with the operation that caused it, is booked exactly, and reversed whole if it
//! failed and not otherwise (rules 1, 2, 15).

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::ledger::row::Columns;

pub(super) const CHECKS: [Check; 13] = [
    Check {
        name: "movement-payment",
        sql: "SELECT m.modification_id, m.kind, p.transaction_id, m.currency, m.amount_minor,
                m.provider || '/' || m.merchant_account || ' in ' || m.currency AS found,
                p.provider || '/' || p.merchant_account || ' in ' || p.currency AS expected
              FROM movements m JOIN payments p ON p.id = m.payment_id
              WHERE m.provider <> p.provider OR m.merchant_account <> p.merchant_account OR m.currency <> p.currency",
        judge: of_another_payment,
    },
    Check {
        name: "movement-booked",
        sql: "SELECT m.modification_id, m.kind, p.transaction_id, m.currency, m.amount_minor,
                (SELECT ifnull(sum(j.amount_minor), 0) FROM journals j
                 WHERE j.movement_id = m.id AND j.direction = 'original' AND j.kind NOT IN ('application', 'return', 'returned_refund')) AS booked_minor
              FROM movements m JOIN payments p ON p.id = m.payment_id
              WHERE m.kind NOT IN ('capture_failure', 'refund_failure') AND booked_minor <> m.amount_minor",
        judge: not_booked,
    },
    Check {
        name: "applications-within-prepayment",
        sql: "SELECT m.modification_id, m.kind, p.transaction_id, m.currency,
                sum(CASE j.kind WHEN 'application' THEN j.amount_minor ELSE 0 END) AS applied_minor,
                sum(CASE WHEN j.kind IN ('prepayment', 'return') THEN j.amount_minor ELSE 0 END) AS prepaid_minor
              FROM journals j JOIN movements m ON m.id = j.movement_id JOIN payments p ON p.id = m.payment_id
              WHERE j.direction = 'original' GROUP BY j.movement_id HAVING applied_minor > prepaid_minor",
        judge: applied_too_much,
    },
    Check {
        name: "failure-without-original",
        sql: "SELECT f.modification_id, f.kind, p.transaction_id, f.currency, f.amount_minor
              FROM movements f JOIN payments p ON p.id = f.payment_id
              WHERE f.kind IN ('capture_failure', 'refund_failure') AND NOT EXISTS (SELECT 1 FROM movements o
                WHERE o.provider = f.provider AND o.merchant_account = f.merchant_account
                  AND o.kind = replace(f.kind, '_failure', '') AND o.modification_id = f.modification_id)",
        judge: failed_out_of_nothing,
    },
    // With another amount nothing is reversed, and an exception stands instead.
    Check {
        name: "failure-amount",
        sql: "SELECT f.modification_id, f.kind, p.transaction_id, f.currency, f.amount_minor, o.amount_minor AS original_minor
              FROM movements f JOIN payments p ON p.id = f.payment_id
              JOIN movements o ON o.provider = f.provider AND o.merchant_account = f.merchant_account
                AND o.kind = replace(f.kind, '_failure', '') AND o.modification_id = f.modification_id
              WHERE f.kind IN ('capture_failure', 'refund_failure') AND o.amount_minor <> f.amount_minor
                AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.kind = 'amount_differs' AND e.payment_id = f.payment_id)",
        judge: failed_with_other_amount,
    },
    Check {
        name: "failure-reversed",
        sql: "SELECT f.modification_id, f.kind, p.transaction_id, f.currency, f.amount_minor, j.number
              FROM movements f JOIN payments p ON p.id = f.payment_id
              JOIN movements o ON o.provider = f.provider AND o.merchant_account = f.merchant_account
                AND o.kind = replace(f.kind, '_failure', '') AND o.modification_id = f.modification_id
                AND o.amount_minor = f.amount_minor
              JOIN journals j ON j.movement_id = o.id AND j.direction = 'original'
              WHERE f.kind IN ('capture_failure', 'refund_failure') AND NOT EXISTS (SELECT 1 FROM journals r
                WHERE r.movement_id = o.id AND r.direction = 'reversal' AND ifnull(r.document_id, 0) = ifnull(j.document_id, 0))",
        judge: not_reversed,
    },
    Check {
        name: "reversal-without-original",
        sql: "SELECT r.number FROM journals r WHERE r.direction = 'reversal' AND NOT EXISTS (SELECT 1 FROM journals j
                WHERE j.movement_id = r.movement_id AND j.direction = 'original' AND ifnull(j.document_id, 0) = ifnull(r.document_id, 0))",
        judge: reverses_nothing,
    },
    Check {
        name: "reversal-without-failure",
        sql: "SELECT r.number, m.modification_id, m.kind FROM journals r JOIN movements m ON m.id = r.movement_id
              WHERE r.direction = 'reversal' AND NOT EXISTS (SELECT 1 FROM movements f
                WHERE f.provider = m.provider AND f.merchant_account = m.merchant_account AND f.kind = m.kind || '_failure'
                  AND f.modification_id = m.modification_id AND f.amount_minor = m.amount_minor)",
        judge: reversed_without_failure,
    },
    Check {
        name: "reversal-mirrors-original",
        sql: "SELECT r.number, j.number AS original FROM journals r
              JOIN journals j ON j.movement_id = r.movement_id AND j.direction = 'original'
                AND ifnull(j.document_id, 0) = ifnull(r.document_id, 0)
              WHERE r.direction = 'reversal' AND (j.amount_minor <> r.amount_minor OR j.kind <> r.kind OR j.bill_to <> r.bill_to
                OR EXISTS (SELECT 1 FROM postings a WHERE a.journal_id = j.id AND NOT EXISTS (SELECT 1 FROM postings b
                             WHERE b.journal_id = r.id AND b.account = a.account AND b.amount_minor = -a.amount_minor)))",
        judge: not_the_opposite,
    },
    // The PSP may have moved another amount than was asked for; then a person was told. What it had refused and did after all
    // pays what its document lacks by then.
    Check {
        name: "movement-operation",
        sql: "SELECT m.modification_id, m.kind, p.transaction_id, m.currency, m.amount_minor, o.id AS operation_id, o.kind AS operation_kind,
                ifnull(o.currency || ' ' || o.amount_minor, 'no amount') AS intended
              FROM movements m JOIN payments p ON p.id = m.payment_id JOIN operations o ON o.id = m.operation_id
              WHERE replace(m.kind, '_failure', '') <> o.kind OR o.payment_id IS NOT m.payment_id OR o.currency IS NOT m.currency
                OR (m.kind IN ('capture', 'refund') AND o.amount_minor IS NOT m.amount_minor AND NOT EXISTS (SELECT 1
                      FROM exceptions e WHERE e.kind = 'amount_differs' AND e.payment_id = m.payment_id))
                OR EXISTS (SELECT 1 FROM documents d JOIN journals j ON j.movement_id = m.id AND j.direction = 'original'
                             AND j.kind NOT IN ('application', 'return', 'returned_refund') AND j.document_id IS NOT d.id
                             AND NOT (j.kind = 'prepayment' AND j.amount_minor <= (SELECT ifnull(sum(u.amount_minor), 0)
                               FROM movements r JOIN journals u ON u.movement_id = r.id AND u.kind = 'unapplied_refund'
                               WHERE r.payment_id = m.payment_id AND r.id < m.id AND u.direction = 'original'))
                           WHERE d.id = o.document_id AND d.kind NOT IN ('shipment', 'refund_request')
                             AND NOT EXISTS (SELECT 1 FROM corrections c WHERE c.invoice_id = d.id AND c.cancels = 1))
                  AND NOT EXISTS (SELECT 1 FROM operation_events no JOIN operation_events done ON done.operation_id = no.operation_id
                                  WHERE no.operation_id = o.id AND no.state IN ('refused', 'withdrawn') AND done.state = 'confirmed'
                                    AND done.id > no.id)",
        judge: not_what_was_intended,
    },
    Check {
        name: "movement-confirmed",
        sql: "SELECT m.modification_id, m.kind, p.transaction_id, m.currency, m.amount_minor, o.id AS operation_id, o.state
              FROM movements m JOIN payments p ON p.id = m.payment_id JOIN operations o ON o.id = m.operation_id
              WHERE m.kind IN ('capture', 'refund') AND o.state <> 'confirmed'
                AND NOT (o.state = 'refused' AND EXISTS (SELECT 1 FROM movements f
                  WHERE f.provider = m.provider AND f.merchant_account = m.merchant_account AND f.kind = m.kind || '_failure'
                    AND f.modification_id = m.modification_id))",
        judge: moved_without_confirmation,
    },
    // A fact that was known before its operation had an answer has none, and stays the one movement.
    Check {
        name: "confirmed-without-movement",
        sql: "SELECT o.id AS operation, o.kind, p.transaction_id, o.currency, o.amount_minor
              FROM operations o JOIN payments p ON p.id = o.payment_id
              WHERE o.kind IN ('capture', 'refund') AND o.state = 'confirmed' AND NOT EXISTS (SELECT 1 FROM movements m
                WHERE m.payment_id = o.payment_id AND m.kind = o.kind AND (m.operation_id = o.id
                  OR (m.modification_id = o.modification_id AND (m.amount_minor = o.amount_minor OR EXISTS (SELECT 1 FROM exceptions e
                        WHERE e.kind = 'amount_differs' AND e.payment_id = o.payment_id)))))",
        judge: confirmed_and_not_moved,
    },
    // Word for word as `task::settlements::chargebacks` names it.
    Check {
        name: "chargeback-untold",
        sql: "SELECT m.modification_id, m.kind, p.transaction_id, m.currency, m.amount_minor
              FROM movements m JOIN payments p ON p.id = m.payment_id
              WHERE m.kind = 'chargeback' AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.kind = 'chargeback'
                AND e.subject = 'chargeback ' || m.modification_id || ' of payment ' || p.transaction_id || ' at ' || p.provider || '/'
                  || p.merchant_account)",
        judge: charged_back_untold,
    },
];

pub(super) fn movement(row: &Row<'_>) -> Result<String> {
    let (kind, id, transaction): (String, String, String) =
        (row.plain("kind")?, row.plain("modification_id")?, row.plain("transaction_id")?);
    Ok(format!("{} {id} of payment {transaction}", kind.replace('_', " ")))
}

fn of_another_payment(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (found, expected): (String, String) = (row.plain("found")?, row.plain("expected")?);
    Ok(Some(Fault::tampered(movement(row)?, &format!("it is at {found}, its payment at {expected}"))))
}

fn not_booked(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (amount, booked) = (row.amount("amount_minor")?, row.amount("booked_minor")?);
    Ok(Some(Fault::tampered(movement(row)?, &format!("{amount} moved, and its journals book {booked}"))))
}

fn applied_too_much(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (applied, prepaid) = (row.amount("applied_minor")?, row.amount("prepaid_minor")?);
    let what = format!("{applied} of it is tied to invoices, and only {prepaid} was booked as a prepayment");
    Ok(Some(Fault::tampered(movement(row)?, &what)))
}

fn failed_out_of_nothing(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    Ok(Some(Fault {
        subject: movement(row)?,
        message: format!(
            "{} failed after all, and no movement has that id: nothing is reversed. Find what it took back in the PSP's \
             back office, and correct the books by hand",
            row.amount("amount_minor")?
        ),
    }))
}

fn failed_with_other_amount(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (failed, original) = (row.amount("amount_minor")?, row.amount("original_minor")?);
    Ok(Some(Fault {
        subject: movement(row)?,
        message: format!(
            "{failed} failed of {original} that moved, nothing is reversed, and no exception says so; ask the PSP which is right"
        ),
    }))
}

fn not_reversed(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let number: String = row.plain("number")?;
    let what = format!("{} failed after all, and journal {number} is not reversed", row.amount("amount_minor")?);
    Ok(Some(Fault::tampered(movement(row)?, &what)))
}

fn reverses_nothing(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let number: String = row.plain("number")?;
    Ok(Some(Fault::tampered(format!("journal {number}"), "it reverses a journal that is not there")))
}

fn reversed_without_failure(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (number, kind, id): (String, String, String) =
        (row.plain("number")?, row.plain("kind")?, row.plain("modification_id")?);
    Ok(Some(Fault::tampered(format!("journal {number}"), &format!("it reverses {kind} {id}, which never failed"))))
}

fn not_the_opposite(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (number, original): (String, String) = (row.plain("number")?, row.plain("original")?);
    Ok(Some(Fault::tampered(format!("journal {number}"), &format!("it is not the opposite of journal {original}"))))
}

fn not_what_was_intended(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (operation, kind, intended): (i64, String, String) =
        (row.plain("operation_id")?, row.plain("operation_kind")?, row.plain("intended")?);
    let what = format!(
        "{} moved, and operation {operation} behind it is a {kind} over {intended} minor units of its own payment and document",
        row.amount("amount_minor")?
    );
    Ok(Some(Fault::tampered(movement(row)?, &what)))
}

fn moved_without_confirmation(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (operation, state): (i64, String) = (row.plain("operation_id")?, row.plain("state")?);
    let what = format!("{} moved, and operation {operation} behind it is {state}", row.amount("amount_minor")?);
    Ok(Some(Fault::tampered(movement(row)?, &what)))
}

fn charged_back_untold(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    Ok(Some(Fault {
        subject: movement(row)?,
        message: format!(
            "the customer got {} back at the bank, and no exception has told a person of it; contest it at the PSP or accept it, \
             and pay no credit note for it out again",
            row.amount("amount_minor")?
        ),
    }))
}

fn confirmed_and_not_moved(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, kind, transaction): (i64, String, String) =
        (row.plain("operation")?, row.plain("kind")?, row.plain("transaction_id")?);
    Ok(Some(Fault {
        subject: format!("operation {id} ({kind} of payment {transaction})"),
        message: format!(
            "it is confirmed over {}, and no movement is recorded for it; `payjournal verify --against-provider` tells what \
             the PSP did, `payjournal sync-payments` records it",
            row.amount("amount_minor")?
        ),
    }))
}
