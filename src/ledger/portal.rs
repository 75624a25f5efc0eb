//! The outbox of the portal: what is to be told is written in the transaction that makes it a fact, and sent like a mail.
//!
//! Triggers note what changes (`portal_news`), whoever changes it; [`Ledger::write`] makes events of that before it commits. So no
//! fact goes untold, and what is as the portal was told last is not told again.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row};

use super::row::{Columns, time_text};
use super::{Ledger, LedgerError, Result, Writer, corrections, deletions, documents, operations, orders};
use crate::domain::deletion::{StockDirection, StockReleasedBy};
use crate::domain::document::{Document, DocumentKind};
use crate::domain::id::{DocumentId, EventId, OrderId};
use crate::domain::money::Amount;
use crate::domain::order::Order;
use crate::domain::portal::{EventKind, News, PortalEvent, StockLine};
use crate::operation::Operation;
use crate::operation::key::portal_event;

/// An object of the portal: the first of its events that was not taken, and what was tried with it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventCase {
    pub id: EventId,
    pub event: PortalEvent,
    pub operations: Vec<Operation>,
}

/// How the outbox stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Events nobody has taken, and the objects they are of.
    pub waiting: u64,
    pub objects: u64,
    /// When the oldest of them happened.
    pub since: Option<DateTime<Utc>>,
}

/// An event that the portal refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEvent {
    pub name: String,
    pub operation: crate::domain::id::OperationId,
    /// What was said last.
    pub said: String,
}

impl Ledger {
    /// Whether the portal is told what happens.
    pub fn tells_portal(&self) -> Result<bool> {
        let mut statement = self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM portal)")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Of each object the first event that was not taken, unless it is `after` or before it.
    pub fn untaken_events(&self, after: EventId, limit: u32) -> Result<Vec<EventId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT min(id) AS id FROM portal_events WHERE is_taken = 0 GROUP BY object HAVING min(id) > ?1 ORDER BY 1 LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit), |row| row.id("id", EventId))?.collect()
    }

    /// What is next for the object of an event; `None` if all is taken.
    pub fn event_case(&self, id: EventId) -> Result<Option<EventCase>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT * FROM portal_events WHERE id = (SELECT min(n.id) FROM portal_events e JOIN portal_events n
               ON n.object = e.object AND n.is_taken = 0 WHERE e.id = ?1)",
        )?;
        let next = statement
            .query_and_then([id.0], |row| Ok::<_, LedgerError>((row.id("id", EventId)?, from_row(row)?)))?
            .next();
        let Some((id, event)) = next.transpose()? else { return Ok(None) };
        let operations = operations::list(&self.connection, "WHERE event_id = ?1 ORDER BY attempt", [id.0])?;
        Ok(Some(EventCase { id, event, operations }))
    }

    pub fn outbox(&self) -> Result<Outbox> {
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*) AS waiting, count(DISTINCT object) AS objects, min(happened_at) AS since FROM portal_events WHERE is_taken = 0",
        )?;
        let mut rows = statement.query_and_then([], |row| {
            Ok::<_, LedgerError>(Outbox {
                waiting: u64::from(row.count("waiting")?),
                objects: u64::from(row.count("objects")?),
                since: row.optional_time("since")?,
            })
        })?;
        rows.next().unwrap_or_else(|| Err(LedgerError::damaged("a count without a row")))
    }

    /// Of the events that wait, those that were refused so often, or have waited since so long; the first of them, and how many.
    pub fn overdue_events(&self, refusals: u32, since: DateTime<Utc>) -> Result<(u64, Option<RefusedEvent>)> {
        let mut statement = self.connection.prepare_cached(
            "SELECT e.kind || ' of ' || e.object AS name, o.id AS operation, o.note AS said, count(*) OVER () AS number
             FROM portal_events e JOIN operations o ON o.id = (SELECT max(id) FROM operations WHERE event_id = e.id)
             WHERE e.is_taken = 0 AND (o.attempt > ?1 OR o.attempt = ?1 AND o.state = 'refused' OR e.happened_at <= ?2)
             ORDER BY e.id LIMIT 1",
        )?;
        let rows = statement.query_and_then((refusals, time_text(since)), |row| {
            let operation = row.id("operation", crate::domain::id::OperationId)?;
            let refused = RefusedEvent { name: row.plain("name")?, operation, said: row.plain("said")? };
            Ok::<_, LedgerError>((u64::from(row.count("number")?), refused))
        })?;
        let mut rows = rows;
        Ok(match rows.next().transpose()? {
            Some((number, first)) => (number, Some(first)),
            None => (0, None),
        })
    }
}

impl Writer<'_> {
    /// From now on the portal is told what happens, or not any more.
    pub fn tell_portal(&self, is_told: bool) -> Result<()> {
        if is_told {
            self.connection
                .prepare_cached("INSERT INTO portal (id, since) VALUES (1, ?1) ON CONFLICT DO NOTHING")?
                .execute([time_text(self.now)])?;
        } else {
            self.connection.prepare_cached("DELETE FROM portal")?.execute([])?;
        }
        Ok(())
    }

    /// The portal has taken an event. `false` if that was known.
    pub(super) fn take_event(&self, event: EventId) -> Result<bool> {
        let changed = self
            .connection
            .prepare_cached("UPDATE portal_events SET is_taken = 1 WHERE id = ?1 AND is_taken = 0")?
            .execute([event.0])?;
        Ok(changed == 1)
    }

    /// Makes events of what this transaction has changed, in the order in which it did.
    pub(super) fn tell_news(&self) -> Result<()> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT what, subject FROM portal_news GROUP BY what, subject ORDER BY min(id)")?;
        let news: Vec<(String, i64)> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        if news.is_empty() {
            return Ok(());
        }
        for (what, subject) in news {
            match what.as_str() {
                "order" => self.tell_status(OrderId(subject))?,
                "document" => self.tell_document(DocumentId(subject))?,
                "tombstone" => self.tell_deleted(subject)?,
                "restoration" => self.tell_restored(OrderId(subject))?,
                "stock" => self.tell_stock(subject)?,
                other => return Err(LedgerError::damaged(format!("`{other}` as news for the portal"))),
            }
        }
        self.connection.prepare_cached("DELETE FROM portal_news")?.execute([])?;
        Ok(())
    }

    fn tell_status(&self, id: OrderId) -> Result<()> {
        let order = orders::order(self.connection, id)?;
        let mut outstanding = Amount::zero(order.total.currency());
        for document in documents::standing_of_order(self.connection, id)? {
            if document.kind == DocumentKind::Invoice && document.total.currency() == outstanding.currency() {
                outstanding = outstanding.checked_add(document.outstanding()?)?;
            }
        }
        let news = News::Status {
            shop: order.shop.clone(),
            order: order.number.clone(),
            payment_status: order.payment_status,
            total: order.total,
            invoiced: orders::invoiced(self.connection, id, order.total.currency())?,
            outstanding,
        };
        self.tell_if_new(EventKind::OrderStatus, &object_of(&order), &news)
    }

    fn tell_document(&self, id: DocumentId) -> Result<()> {
        let document = documents::document(self.connection, id)?;
        let order = document.order.map(|id| orders::order(self.connection, id)).transpose()?;
        let is_over = document.kind == DocumentKind::Invoice && corrections::is_cancelled(self.connection, id)?;
        if !is_over {
            self.tell_settled(&document, order.as_ref())?;
        }
        order.map_or(Ok(()), |order| self.tell_status(order.id))
    }

    /// Whether anything is outstanding of an invoice or credit note, where that is not as it was told last.
    fn tell_settled(&self, document: &Document, order: Option<&Order>) -> Result<()> {
        let (settled, reopened) = match document.kind {
            DocumentKind::Invoice => (EventKind::InvoicePaid, EventKind::InvoiceReopened),
            DocumentKind::CreditNote => (EventKind::CreditNoteSettled, EventKind::CreditNoteReopened),
            DocumentKind::Shipment | DocumentKind::Cancellation | DocumentKind::RefundRequest => return Ok(()),
        };
        let object = format!("{}:{}:{}", document.kind.as_str(), document.company, document.number);
        let outstanding = document.outstanding()?;
        let last = self.last_told(&object, &[settled, reopened])?.map(|(kind, _)| kind);
        let kind = match (outstanding.is_positive(), last) {
            (false, last) if last != Some(settled) => settled,
            (true, Some(last)) if last == settled => reopened,
            (true | false, _) => return Ok(()),
        };
        let news = News::Document {
            company: document.company.clone(),
            number: document.number.clone(),
            shop: order.map(|order| order.shop.clone()),
            order: order.map(|order| order.number.clone()),
            references: document.references.clone(),
            total: document.total,
            outstanding,
        };
        self.tell(kind, &object, &news)
    }

    fn tell_deleted(&self, tombstone: i64) -> Result<()> {
        let key: String = self
            .connection
            .prepare_cached("SELECT d.key FROM tombstones t JOIN deletions d ON d.id = t.deletion_id WHERE t.id = ?1")?
            .query_row([tombstone], |row| row.get(0))?;
        let deletion = deletions::deletion(self.connection, &crate::operation::Key::from_ledger(key))?;
        let order = orders::order(self.connection, deletion.order)?;
        let lines = self
            .connection
            .prepare_cached("SELECT count(*) AS lines FROM order_lines WHERE order_id = ?1")?
            .query_and_then([order.id.0], |row| row.count("lines"))?
            .next()
            .transpose()?;
        let news = News::Deleted {
            shop: order.shop.clone(),
            order: order.number.clone(),
            generation: deletion.generation,
            method: deletion.method,
            is_final: deletion.is_final,
            reason: deletion.reason,
            lines: lines.unwrap_or_default(),
        };
        self.tell(EventKind::OrderDeleted, &object_of(&order), &news)
    }

    fn tell_restored(&self, id: OrderId) -> Result<()> {
        let order = orders::order(self.connection, id)?;
        let (generation, reason) = self
            .connection
            .prepare_cached(
                "SELECT generation, reason FROM restorations WHERE order_id = ?1 ORDER BY generation DESC LIMIT 1",
            )?
            .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let news = News::Restored { shop: order.shop.clone(), order: order.number.clone(), generation, reason };
        self.tell(EventKind::OrderRestored, &object_of(&order), &news)
    }

    /// All lines that came with the one named.
    fn tell_stock(&self, first: i64) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT s.* FROM stock_releases f JOIN stock_releases s
               ON s.order_id = f.order_id AND s.generation = f.generation AND s.direction = f.direction
             WHERE f.id = ?1 ORDER BY s.line",
        )?;
        let rows = statement.query_and_then([first], |row| {
            let line = StockLine {
                line: row.count("line")?,
                item: row.plain("item")?,
                description: row.plain("description")?,
                quantity: row.plain("quantity")?,
            };
            let direction = row.choice("direction", StockDirection::parse)?;
            let released_by = row.choice("released_by", StockReleasedBy::parse)?;
            Ok::<_, LedgerError>((row.id("order_id", OrderId)?, row.count("generation")?, direction, released_by, line))
        })?;
        let rows: Vec<_> = rows.collect::<Result<_>>()?;
        let Some(&(order, generation, direction, released_by, _)) = rows.first() else { return Ok(()) };
        let order = orders::order(self.connection, order)?;
        let kind = match direction {
            StockDirection::Release => EventKind::StockReleased,
            StockDirection::Reserve => EventKind::StockReserved,
        };
        let news = News::Stock {
            shop: order.shop.clone(),
            order: order.number.clone(),
            generation,
            released_by,
            lines: rows.into_iter().map(|(_, _, _, _, line)| line).collect(),
        };
        self.tell(kind, &object_of(&order), &news)
    }

    fn tell_if_new(&self, kind: EventKind, object: &str, news: &News) -> Result<()> {
        let last = self.last_told(object, &[kind])?.map(|(_, data)| data);
        if last.as_deref() == Some(json(news)?.as_str()) { Ok(()) } else { self.tell(kind, object, news) }
    }

    /// What an object's last event of these kinds said.
    fn last_told(&self, object: &str, kinds: &[EventKind]) -> Result<Option<(EventKind, String)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT kind, data FROM portal_events WHERE object = ?1 ORDER BY sequence DESC")?;
        let told = statement.query_and_then([object], |row| {
            Ok::<_, LedgerError>((row.choice("kind", EventKind::parse)?, row.plain("data")?))
        })?;
        let mut told = told.filter(|row| row.as_ref().map_or(true, |(kind, _)| kinds.contains(kind)));
        told.next().transpose()
    }

    fn tell(&self, kind: EventKind, object: &str, news: &News) -> Result<()> {
        let data = json(news)?;
        let sequence: u32 = self
            .connection
            .prepare_cached("SELECT ifnull(max(sequence), 0) + 1 FROM portal_events WHERE object = ?1")?
            .query_row([object], |row| row.get(0))?;
        let number = sequence.to_string();
        let event = portal_event([self.books.mode, kind.as_str(), object, &number, &data]);
        self.connection
            .prepare_cached(
                "INSERT INTO portal_events (event, kind, object, sequence, data, happened_at, run_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((event, kind.as_str(), object, sequence, data, time_text(self.now), self.run.map(|run| run.0)))?;
        Ok(())
    }
}

/// Its status, its deletion and its stock are told in the order in which they happened.
fn object_of(order: &Order) -> String {
    format!("order:{}:{}", order.shop, order.number)
}

fn json(news: &News) -> Result<String> {
    serde_json::to_string(news).map_err(|error| LedgerError::damaged(format!("an event that is no JSON: {error}")))
}

pub(super) fn event(connection: &Connection, id: EventId) -> Result<PortalEvent> {
    connection
        .prepare_cached("SELECT * FROM portal_events WHERE id = ?1")?
        .query_row([id.0], |row| Ok(from_row(row)))
        .optional()?
        .ok_or_else(|| LedgerError::NotFound { what: format!("portal event {id}") })?
}

pub(super) fn from_row(row: &Row<'_>) -> Result<PortalEvent> {
    Ok(PortalEvent {
        event: row.plain("event")?,
        kind: row.choice("kind", EventKind::parse)?,
        object: row.plain("object")?,
        sequence: row.count("sequence")?,
        data: row.plain("data")?,
        happened_at: row.time("happened_at")?,
    })
}
