//! Operations: what we intended never breaks a sum, each effect is live once, and target, key and content are what the
//! natural key makes (rules 2, 3, 4).

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::domain::id::EntryId;
use crate::ledger::operations::from_row;
use crate::ledger::row::Columns;
use crate::ledger::{collection_keys, entries, requests};
use crate::operation::key::{NaturalKey, deletion_key};
use crate::operation::{Intent, Key, Kind};

/// What the PSP confirmed after it had refused, or after we had withdrawn it, is a fact: it was not in the sum when later
/// intents were asserted.
macro_rules! claimed {
    ($kind:literal) => {
        concat!(
            "(SELECT ifnull(sum(o.amount_minor), 0) FROM operations o
              WHERE o.payment_id = p.id AND o.kind = '",
            $kind,
            "' AND o.state NOT IN ('refused', 'withdrawn')
                AND NOT EXISTS (SELECT 1 FROM operation_events e
                                WHERE e.operation_id = o.id AND e.state IN ('refused', 'withdrawn'))) AS claimed_minor"
        )
    };
}

pub(super) const CHECKS: [Check; 8] = [
    // The amount once authorised may have shrunk since: the highest counts.
    Check {
        name: "captures-within-authorised",
        sql: concat!(
            "SELECT p.transaction_id, p.currency,
               (SELECT ifnull(max(a.amount_minor), 0) FROM authorisations a WHERE a.payment_id = p.id) AS limit_minor, ",
            claimed!("capture"),
            " FROM payments p WHERE claimed_minor > limit_minor"
        ),
        judge: captures_too_much,
    },
    // What failed after all was captured when the refund was intended.
    Check {
        name: "refunds-within-captured",
        sql: concat!(
            "SELECT p.transaction_id, p.currency,
               (SELECT ifnull(sum(m.amount_minor), 0) FROM movements m
                WHERE m.payment_id = p.id AND m.kind = 'capture') AS limit_minor, ",
            claimed!("refund"),
            " FROM payments p WHERE claimed_minor > limit_minor"
        ),
        judge: refunds_too_much,
    },
    Check {
        name: "one-live-operation",
        sql: "SELECT min(id) AS operation, count(*) AS times, kind FROM operations
              WHERE kind IN ('capture', 'refund', 'release', 'cancel') AND state NOT IN ('refused', 'withdrawn')
              GROUP BY kind, payment_id, ifnull(document_id, 0) HAVING times > 1
              UNION ALL
              SELECT min(id), count(*) AS times, kind FROM operations
              WHERE kind IN ('journal', 'payout_journal', 'mail', 'event', 'collect') AND state NOT IN ('refused', 'withdrawn')
              GROUP BY kind, journal_id, payout_journal_id, mail_id, event_id, entry_id HAVING times > 1",
        judge: lives_twice,
    },
    Check {
        name: "one-unanswered-per-target",
        sql: "SELECT min(id) AS operation, target, count(*) AS times FROM operations WHERE state IN ('sent', 'unknown')
              GROUP BY target HAVING times > 1",
        judge: unanswered_twice,
    },
    Check {
        name: "operation-subject",
        sql: "SELECT o.id AS operation, o.kind FROM operations o
              LEFT JOIN payments p ON p.id = o.payment_id LEFT JOIN documents d ON d.id = o.document_id
              LEFT JOIN journals j ON j.id = o.journal_id LEFT JOIN movements m ON m.id = j.movement_id
              LEFT JOIN entries n ON n.id = o.entry_id LEFT JOIN mandates t ON t.id = o.mandate_id
              LEFT JOIN payout_journals y ON y.id = o.payout_journal_id
              WHERE (o.kind = 'event') <> (o.event_id IS NOT NULL) OR (o.kind = 'collect') <> (o.entry_id IS NOT NULL)
                OR (o.kind = 'collect') <> (o.mandate_id IS NOT NULL) OR (o.kind = 'payout_journal') <> (o.payout_journal_id IS NOT NULL) OR CASE o.kind
                WHEN 'payout_journal' THEN o.order_id IS NOT NULL OR o.payment_id IS NOT NULL OR o.document_id IS NOT NULL OR o.journal_id IS NOT NULL
                  OR o.mail_id IS NOT NULL OR o.amount_minor IS NOT y.amount_minor OR o.currency IS NOT y.currency
                WHEN 'collect' THEN o.order_id IS NOT NULL OR o.payment_id IS NOT NULL OR o.document_id IS NOT NULL OR o.journal_id IS NOT NULL
                  OR o.mail_id IS NOT NULL OR o.currency IS NOT n.currency OR t.customer IS NOT n.customer
                WHEN 'event' THEN o.order_id IS NOT NULL OR o.payment_id IS NOT NULL OR o.document_id IS NOT NULL OR o.journal_id IS NOT NULL
                  OR o.mail_id IS NOT NULL
                WHEN 'delete' THEN o.order_id IS NULL OR o.payment_id IS NOT NULL OR o.document_id IS NOT NULL OR o.journal_id IS NOT NULL
                  OR o.mail_id IS NOT NULL
                WHEN 'cancel' THEN o.payment_id IS NULL OR o.order_id IS NOT NULL OR o.document_id IS NOT NULL OR o.journal_id IS NOT NULL
                  OR o.mail_id IS NOT NULL
                WHEN 'mail' THEN o.mail_id IS NULL OR o.order_id IS NOT NULL OR o.payment_id IS NOT NULL OR o.document_id IS NOT NULL OR o.journal_id IS NOT NULL
                WHEN 'journal' THEN o.journal_id IS NULL OR o.order_id IS NOT NULL OR o.mail_id IS NOT NULL OR o.document_id IS NOT j.document_id
                  OR o.payment_id IS NOT m.payment_id OR o.amount_minor IS NOT j.amount_minor OR o.currency IS NOT j.currency
                ELSE o.payment_id IS NULL OR o.order_id IS NOT NULL OR o.journal_id IS NOT NULL OR o.mail_id IS NOT NULL OR o.currency IS NOT p.currency
                  OR d.currency <> o.currency
                  OR (o.kind = 'capture' AND d.kind NOT IN ('invoice', 'shipment'))
                  OR (o.kind = 'refund' AND (d.kind IS NULL OR d.kind NOT IN ('credit_note', 'refund_request')))
                  OR (o.kind = 'release' AND o.document_id IS NOT NULL) END",
        judge: of_the_wrong_things,
    },
    // Written out again: what `Target::of` makes must never change between versions.
    Check {
        name: "operation-target",
        sql: "SELECT o.id AS operation, o.kind, o.target, CASE o.kind
                WHEN 'journal' THEN ifnull('document:' || o.document_id, 'prepayment:' || o.payment_id)
                WHEN 'payout_journal' THEN 'payout_journal:' || o.payout_journal_id
                WHEN 'mail' THEN 'mail:' || o.mail_id
                WHEN 'delete' THEN 'order:' || o.order_id
                WHEN 'event' THEN 'event:' || o.event_id
                WHEN 'collect' THEN 'entry:' || o.entry_id
                ELSE 'payment:' || o.payment_id END AS expected
              FROM operations o WHERE o.target IS NOT expected",
        judge: other_target,
    },
    Check {
        name: "operation-key",
        sql: "SELECT o.*, p.provider, p.merchant_account, p.transaction_id,
                CASE WHEN d.id IS NULL THEN 'AUTH' ELSE d.company || ':' || d.kind || ':' || d.number END AS document_key,
                ifnull(j.number, y.number) AS journal_number, l.event AS mail_event, r.shop, r.number AS order_number, x.method AS deletion_method, x.is_final,
                x.generation, v.event AS portal_event, t.provider AS mandate_provider, t.merchant_account AS mandate_account
              FROM operations o LEFT JOIN payments p ON p.id = o.payment_id LEFT JOIN documents d ON d.id = o.document_id
              LEFT JOIN journals j ON j.id = o.journal_id LEFT JOIN mails l ON l.id = o.mail_id
              LEFT JOIN orders r ON r.id = o.order_id LEFT JOIN deletions x ON x.key = o.key
              LEFT JOIN portal_events v ON v.id = o.event_id LEFT JOIN mandates t ON t.id = o.mandate_id
              LEFT JOIN payout_journals y ON y.id = o.payout_journal_id",
        judge: other_key,
    },
    Check { name: "operation-content", sql: "SELECT * FROM operations", judge: other_content },
];

fn captures_too_much(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (claimed, limit) = (row.amount("claimed_minor")?, row.amount("limit_minor")?);
    Ok(Some(over_the_limit(
        row,
        &format!("captures of {claimed} are intended, and at most {limit} was ever authorised"),
    )?))
}

fn refunds_too_much(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (claimed, limit) = (row.amount("claimed_minor")?, row.amount("limit_minor")?);
    Ok(Some(over_the_limit(row, &format!("refunds of {claimed} are intended, and only {limit} was ever captured"))?))
}

fn over_the_limit(row: &Row<'_>, what: &str) -> Result<Fault> {
    let transaction: String = row.plain("transaction_id")?;
    Ok(Fault {
        subject: format!("payment {transaction}"),
        message: format!("{what}: stop the tasks, and look at `payjournal show payment {transaction}` and at the PSP"),
    })
}

fn lives_twice(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, kind, times): (i64, String, u32) = (row.plain("operation")?, row.plain("kind")?, row.count("times")?);
    Ok(Some(Fault {
        subject: format!("operation {id} ({kind})"),
        message: format!(
            "{times} operations want this one effect and none of them is refused or withdrawn: it may happen {times} times. \
             Stop the tasks and look at the other side"
        ),
    }))
}

fn unanswered_twice(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, target, times): (i64, String, u32) = (row.plain("operation")?, row.plain("target")?, row.count("times")?);
    let what = format!("{times} calls to {target} have no answer; there must be one at most");
    Ok(Some(Fault::tampered(format!("operation {id}"), &what)))
}

fn of_the_wrong_things(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, kind): (i64, String) = (row.plain("operation")?, row.plain("kind")?);
    let what = format!("payment, document, journal, mail, amount or currency are not those of a {kind}");
    Ok(Some(Fault::tampered(format!("operation {id} ({kind})"), &what)))
}

fn other_target(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, kind, target): (i64, String, String) = (row.plain("operation")?, row.plain("kind")?, row.plain("target")?);
    let right = row.plain::<Option<String>>("expected")?.unwrap_or_else(|| "none".to_owned());
    let what = format!("its target is {target}, and its payment, document or mail make {right}");
    Ok(Some(Fault::tampered(format!("operation {id} ({kind})"), &what)))
}

fn other_key(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let operation = from_row(row)?;
    let text = |column| row.plain::<String>(column);
    let right = match operation.kind {
        Kind::Capture | Kind::Refund | Kind::Release | Kind::Cancel => Key::of(
            operation.kind,
            NaturalKey {
                mode: bench.books.mode,
                provider: &text("provider")?,
                merchant_account: &text("merchant_account")?,
                transaction: &text("transaction_id")?,
                document: &text("document_key")?,
                attempt: operation.attempt,
            },
        ),
        Kind::Collect => {
            let (mode, entry) = (bench.books.mode, operation.subject.entry.unwrap_or(EntryId(0)));
            let (provider, account) = (text("mandate_provider")?, text("mandate_account")?);
            let entry = collection_keys::natural_key(bench.connection, &entries::entry(bench.connection, entry)?)?;
            let shop = collection_keys::shop(bench.connection, bench.books)?;
            let account = (provider.as_str(), account.as_str());
            let natural = NaturalKey::of_collection(mode, account, (shop.as_str(), &entry), operation.attempt);
            Key::of(Kind::Collect, natural)
        }
        Kind::Journal | Kind::PayoutJournal => {
            Key::of_text(operation.kind, &text("journal_number")?, operation.attempt)
        }
        Kind::Mail => Key::of_text(Kind::Mail, &text("mail_event")?, operation.attempt),
        Kind::Event => Key::of_text(Kind::Event, &text("portal_event")?, operation.attempt),
        Kind::Delete => deletion_key(
            [
                bench.books.mode,
                &text("shop")?,
                &text("order_number")?,
                &text("deletion_method")?,
                if row.plain("is_final")? { "final" } else { "quarantine" },
                &row.plain::<i64>("generation")?.to_string(),
            ],
            operation.attempt,
        ),
    };
    if operation.key == right {
        return Ok(None);
    }
    let what = format!(
        "its key is {}, and its natural key makes {right}: a restored backup would send it again",
        operation.key
    );
    Ok(Some(Fault::tampered(format!("operation {} ({})", operation.id, operation.kind.as_str()), &what)))
}

fn other_content(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let operation = from_row(row)?;
    let intent = Intent {
        kind: operation.kind,
        subject: operation.subject,
        amount: operation.amount,
        attempt: operation.attempt,
        key: operation.key.clone(),
    };
    if requests::request_hash(bench.connection, bench.books, &intent)? == row.plain::<String>("request_hash")? {
        return Ok(None);
    }
    let what = "what it would send is not what was intended under its key";
    Ok(Some(Fault::tampered(format!("operation {} ({})", operation.id, operation.kind.as_str()), what)))
}
