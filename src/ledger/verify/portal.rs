//! What the portal is told: every fact once and in its order, and nothing waits without end.

use chrono::TimeDelta;
use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::domain::id::DocumentId;
use crate::domain::portal::EventKind;
use crate::ledger::documents;
use crate::ledger::portal::from_row;
use crate::ledger::row::Columns;
use crate::operation::key::portal_event;

/// Later runs go on with what was not taken, and tell of it; after so long nobody has looked.
const OVERDUE_DAYS: i64 = 7;

pub(super) const CHECKS: [Check; 6] = [
    Check {
        name: "portal-event",
        sql: "SELECT *, row_number() OVER (PARTITION BY object ORDER BY id) AS place FROM portal_events",
        judge: other_event,
    },
    // Of an object, an event is begun when all before it have been taken.
    Check {
        name: "portal-taken",
        sql: "SELECT e.kind || ' of ' || e.object AS event, e.is_taken,
                EXISTS (SELECT 1 FROM operations o WHERE o.event_id = e.id AND o.state = 'confirmed') AS is_confirmed,
                EXISTS (SELECT 1 FROM operations o WHERE o.event_id = e.id) AND EXISTS
                  (SELECT 1 FROM portal_events b WHERE b.object = e.object AND b.id < e.id AND b.is_taken = 0) AS is_early
              FROM portal_events e WHERE e.is_taken <> is_confirmed OR is_early",
        judge: taken_otherwise,
    },
    // Since the portal is told, so that what was there before is left out.
    Check {
        name: "portal-told",
        sql: "SELECT o.shop, o.number, 'order.deleted' AS kind FROM portal p JOIN tombstones t ON t.deleted_at > p.since
              JOIN orders o ON o.id = t.order_id
              WHERE NOT EXISTS (SELECT 1 FROM portal_events e WHERE e.object = 'order:' || o.shop || ':' || o.number AND e.kind = 'order.deleted'
                AND e.data ->> 'generation' = t.generation AND e.data ->> 'is_final' = t.is_final)
              UNION ALL
              SELECT o.shop, o.number, 'order.restored' FROM portal p JOIN restorations r ON r.restored_at > p.since
              JOIN orders o ON o.id = r.order_id
              WHERE NOT EXISTS (SELECT 1 FROM portal_events e WHERE e.object = 'order:' || o.shop || ':' || o.number AND e.kind = 'order.restored'
                AND e.data ->> 'generation' = r.generation)
              UNION ALL
              SELECT DISTINCT o.shop, o.number, CASE s.direction WHEN 'release' THEN 'stock.released' ELSE 'stock.reserved' END AS stock
              FROM portal p JOIN stock_releases s ON s.happened_at > p.since JOIN orders o ON o.id = s.order_id
              WHERE NOT EXISTS (SELECT 1 FROM portal_events e WHERE e.object = 'order:' || o.shop || ':' || o.number AND e.kind = stock
                AND e.data ->> 'generation' = s.generation)
              UNION ALL SELECT what, subject, 'an event of it' FROM portal_news",
        judge: untold,
    },
    Check {
        name: "portal-order-status",
        sql: "SELECT o.shop, o.number, o.payment_status, e.data ->> 'payment_status' AS told FROM portal p
              JOIN portal_events e ON e.kind = 'order.status' AND e.happened_at >= p.since
              JOIN orders o ON e.object = 'order:' || o.shop || ':' || o.number
              WHERE told <> o.payment_status AND NOT EXISTS (SELECT 1 FROM portal_events n WHERE n.object = e.object AND n.kind = e.kind AND n.id > e.id)",
        judge: stands_otherwise,
    },
    Check {
        name: "portal-document",
        sql: "SELECT d.id, e.kind FROM portal p JOIN portal_events e ON e.happened_at >= p.since
              JOIN documents d ON e.object = d.kind || ':' || d.company || ':' || d.number
              WHERE NOT EXISTS (SELECT 1 FROM portal_events n WHERE n.object = e.object AND n.id > e.id)
                AND NOT EXISTS (SELECT 1 FROM corrections c WHERE c.invoice_id = d.id AND c.cancels = 1)",
        judge: paid_otherwise,
    },
    Check {
        name: "portal-overdue",
        sql: "SELECT e.kind || ' of ' || e.object AS event, e.happened_at FROM portal p JOIN portal_events e ON e.is_taken = 0
              WHERE e.id = (SELECT min(f.id) FROM portal_events f WHERE f.object = e.object AND f.is_taken = 0)",
        judge: overdue,
    },
];

fn other_event(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let event = from_row(row)?;
    let (place, number) = (row.count("place")?, event.sequence.to_string());
    let right = portal_event([bench.books.mode, event.kind.as_str(), &event.object, &number, &event.data]);
    let what = if place != event.sequence {
        format!("it says that it is number {number} of its object, and it is number {place}")
    } else if right != event.event {
        "its id is not that of what it says: the portal would take it for another".to_owned()
    } else {
        return Ok(None);
    };
    Ok(Some(Fault::tampered(format!("portal event {}", event.name()), &what)))
}

fn taken_otherwise(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (is_taken, is_confirmed): (bool, bool) = (row.plain("is_taken")?, row.plain("is_confirmed")?);
    let what = match (is_taken, is_confirmed) {
        (true, false) => "it counts as taken, and no operation says so",
        (false, true) => "an operation says that it was taken, and it counts as waiting",
        (true, true) | (false, false) => "it was begun while an earlier one of its object waits",
    };
    Ok(Some(Fault::tampered(format!("portal event {}", row.plain::<String>("event")?), what)))
}

fn untold(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let subject = format!("order {}/{}", row.plain::<String>("shop")?, row.plain::<String>("number")?);
    let what = format!("the portal is to be told `{}`, and there is no such event", row.plain::<String>("kind")?);
    Ok(Some(Fault::tampered(subject, &what)))
}

fn stands_otherwise(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (status, told): (String, String) = (row.plain("payment_status")?, row.plain("told")?);
    let subject = format!("order {}/{}", row.plain::<String>("shop")?, row.plain::<String>("number")?);
    Ok(Some(Fault::tampered(subject, &format!("it is {status}, and the portal was told {told} last"))))
}

fn paid_otherwise(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let document = documents::document(bench.connection, row.id("id", DocumentId)?)?;
    let is_settled = !document.outstanding()?.is_positive();
    let told = row.choice("kind", EventKind::parse)?;
    if matches!(told, EventKind::InvoicePaid | EventKind::CreditNoteSettled) == is_settled {
        return Ok(None);
    }
    let what =
        format!("{} is outstanding of it, and the portal was told `{}` last", document.outstanding()?, told.as_str());
    Ok(Some(Fault::tampered(document.name(), &what)))
}

fn overdue(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let since = row.time("happened_at")?;
    if bench.around.now - since < TimeDelta::days(OVERDUE_DAYS) {
        return Ok(None);
    }
    Ok(Some(Fault {
        subject: format!("portal event {}", row.plain::<String>("event")?),
        message: format!(
            "the portal has not taken it since {}, for more than {OVERDUE_DAYS} days: look at the portal and at [portal] in the config, \
             `payjournal status` says what it answers, and `payjournal retry` sends it at once",
            since.format("%Y-%m-%d %H:%M UTC")
        ),
    }))
}
