//! An order that may be cleaned up, with everything that decides about it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::money::{former_money, unmatched_lines};
use super::{Deletion, OWN_ENTRIES, PAYMENTS_OF_ORDER, deletion, generation};
use crate::domain::document::NamedDocument;
use crate::domain::entry::Entry;
use crate::domain::id::{OrderId, PaymentId};
use crate::domain::movement::Movement;
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::ledger::row::{Columns, time_text};
use crate::ledger::{
    Ledger, LedgerError, Result, Writer, collections, documents, entries, movements, operations, orders, payments,
};
use crate::operation::Operation;

#[derive(Debug, Clone, PartialEq)]
pub struct CleanupCase {
    pub order: Order,
    /// Every payment that may pay it, also by an entry or a key.
    pub payments: Vec<Payment>,
    /// Those that were authorised once, whatever they are now.
    pub ever_authorised: BTreeSet<PaymentId>,
    /// Those a settlement report says something of that is not clear.
    pub unclear: BTreeSet<PaymentId>,
    /// Captures, refunds, releases and cancellations of these payments, and collections of its entries.
    pub operations: Vec<Operation>,
    pub movements: Vec<Movement>,
    /// Documents posted for it.
    pub documents: Vec<NamedDocument>,
    /// What money of the payments may be for.
    pub named: Vec<NamedDocument>,
    pub entries: Vec<Entry>,
    pub settlement_lines: u64,
    /// Payment pages that pay another order's entry too.
    pub shared: Vec<SharedPage>,
    /// Other orders with its entry key, as a person names them.
    pub rivals: Vec<String>,
    /// Money, or a page it could be paid on, under a key that the order had before and no other has now.
    pub former: Option<String>,
    /// How many times in a row the PSP could not say how it stands, and when it is asked again.
    pub unanswered: Option<(u32, DateTime<Utc>)>,
    /// Rises with each restoration.
    pub generation: u32,
    /// When a person last put it back.
    pub restored_at: Option<DateTime<Utc>>,
    /// Of this generation, oldest first.
    pub deletions: Vec<PastDeletion>,
    /// When it was put into quarantine, if that is how it stands.
    pub quarantined_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPage {
    pub payment: PaymentId,
    /// The other entry, as a person names it.
    pub entry: String,
}

/// A deletion that was asked for, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDeletion {
    pub deletion: Deletion,
    pub operation: Operation,
}

impl CleanupCase {
    /// An order that is deleted for good.
    fn gone(order: Order, generation: u32) -> Self {
        Self {
            order,
            payments: Vec::new(),
            ever_authorised: BTreeSet::new(),
            unclear: BTreeSet::new(),
            operations: Vec::new(),
            movements: Vec::new(),
            documents: Vec::new(),
            named: Vec::new(),
            entries: Vec::new(),
            settlement_lines: 0,
            shared: Vec::new(),
            rivals: Vec::new(),
            former: None,
            unanswered: None,
            generation,
            restored_at: None,
            deletions: Vec::new(),
            quarantined_at: None,
        }
    }
}

impl Ledger {
    /// Orders of the shop that may be unpaid, those in quarantine, and those with something planned or an exception to look at again.
    pub fn cleanup_orders(&self, after: OrderId, limit: u32, shop: &str, task: &str) -> Result<Vec<OrderId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM (
               SELECT id FROM (SELECT id FROM orders WHERE (payment_status = 'new' OR payment_status = 'cancelled') AND deleted = 0
                                 AND id > ?1 AND shop = ?3 ORDER BY id LIMIT ?2)
               UNION SELECT order_id FROM tombstones t WHERE is_final = 0 AND order_id > ?1
                       AND NOT EXISTS (SELECT 1 FROM tombstones f WHERE f.order_id = t.order_id AND f.generation = t.generation AND f.is_final = 1)
                       AND NOT EXISTS (SELECT 1 FROM restorations r WHERE r.order_id = t.order_id AND r.generation = t.generation)
               UNION SELECT order_id FROM operations WHERE kind = 'delete' AND state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn')
                       AND order_id > ?1
               UNION SELECT p.order_id FROM operations o JOIN payments p ON p.id = o.payment_id
                     WHERE o.kind = 'cancel' AND o.state <> 'confirmed' AND o.state NOT IN ('refused', 'withdrawn') AND p.order_id > ?1
               UNION SELECT ifnull(e.order_id, k.order_id) FROM operations o JOIN entry_items i ON i.payment_id = o.payment_id
                     JOIN entries e ON e.id = i.entry_id LEFT JOIN order_keys k ON k.entry_key = e.key
                     WHERE o.kind = 'cancel' AND o.state <> 'confirmed' AND o.state NOT IN ('refused', 'withdrawn')
                       AND ifnull(e.order_id, k.order_id) > ?1
               UNION SELECT k.order_id FROM operations o JOIN payment_keys q ON q.payment_id = o.payment_id JOIN order_keys k ON k.payment_key = q.key
                     WHERE o.kind = 'cancel' AND o.state <> 'confirmed' AND o.state NOT IN ('refused', 'withdrawn') AND k.order_id > ?1
               UNION SELECT order_id FROM exceptions WHERE task = ?4 AND state <> 'resolved' AND order_id > ?1)
             ORDER BY id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit, shop, task), |row| row.id("id", OrderId))?.collect()
    }

    pub fn cleanup_case(&self, id: OrderId) -> Result<CleanupCase> {
        let connection = &self.connection;
        let order = orders::order(connection, id)?;
        let generation = generation(connection, id)?;
        let quarantined_at = quarantined_at(connection, id, generation)?;
        // Of what is gone nothing is decided any more.
        if order.deleted && quarantined_at.is_none() {
            return Ok(CleanupCase::gone(order, generation));
        }
        let documents = documents::named_of_order(connection, id)?;
        let payments = payments::list(connection, PAYMENTS_OF_ORDER, [id.0])?;
        let mut case = CleanupCase {
            named: documents.clone(),
            documents,
            entries: entries::list(connection, OWN_ENTRIES, [id.0])?,
            settlement_lines: settlement_lines(connection, id)?,
            rivals: rivals(connection, id)?,
            former: former_money(connection, id)?,
            unanswered: unanswered(connection, id)?,
            restored_at: restored_at(connection, id)?,
            quarantined_at,
            ..CleanupCase::gone(order, generation)
        };
        for payment in &payments {
            case.operations.extend(operations::list(
                connection,
                "WHERE payment_id = ?1 AND kind NOT IN ('journal', 'mail') ORDER BY id",
                [payment.id.0],
            )?);
            case.movements.extend(movements::of_payment(connection, payment.id)?);
            case.shared.extend(shared(connection, payment.id, id)?);
            let (authorised, unclear) = history(connection, payment.id)?;
            case.ever_authorised.extend(authorised.then_some(payment.id));
            case.unclear.extend(unclear.then_some(payment.id));
        }
        for entry in &case.entries {
            case.operations.extend(collections::of_entry(connection, entry.id)?);
        }
        case.payments = payments;
        for operation in operations::list(connection, "WHERE order_id = ?1 ORDER BY id", [id.0])? {
            let deletion = deletion(connection, &operation.key)?;
            if deletion.generation == case.generation {
                case.deletions.push(PastDeletion { deletion, operation });
            }
        }
        Ok(case)
    }
}

fn unanswered(connection: &Connection, order: OrderId) -> Result<Option<(u32, DateTime<Utc>)>> {
    let mut statement = connection.prepare_cached("SELECT times, until FROM unanswered_orders WHERE order_id = ?1")?;
    let mut found =
        statement.query_and_then([order.0], |row| Ok::<_, LedgerError>((row.count("times")?, row.time("until")?)))?;
    found.next().transpose()
}

impl Writer<'_> {
    /// Remembers until when nobody is asked about an order, and for which time in a row; or that there was an answer.
    pub(in crate::ledger) fn leave_alone(&self, order: OrderId, again: Option<(u32, DateTime<Utc>)>) -> Result<()> {
        match again {
            Some((times, until)) => self
                .connection
                .prepare_cached(
                    "INSERT INTO unanswered_orders (order_id, times, until) VALUES (?1, ?2, ?3)
                     ON CONFLICT (order_id) DO UPDATE SET times = excluded.times, until = excluded.until",
                )?
                .execute((order.0, times, time_text(until)))?,
            None => self
                .connection
                .prepare_cached("DELETE FROM unanswered_orders WHERE order_id = ?1")?
                .execute([order.0])?,
        };
        Ok(())
    }
}

fn history(connection: &Connection, payment: PaymentId) -> Result<(bool, bool)> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM authorisations WHERE payment_id = ?1 AND amount_minor > 0),
                    EXISTS (SELECT 1 FROM payments_to_learn WHERE payment_id = ?1)",
        )?
        .query_row([payment.0], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

fn settlement_lines(connection: &Connection, order: OrderId) -> Result<u64> {
    let mut statement = connection.prepare_cached("SELECT lines FROM order_settlements WHERE order_id = ?1")?;
    let mut found = statement.query_and_then([order.0], |row| row.count("lines"))?;
    let matched = found.next().transpose()?.map_or(0, u64::from);
    Ok(matched + unmatched_lines(connection, order)?)
}

/// An entry on the same page that is not the order's own, whoever it is for: closing the page would take it from that order's customer.
fn shared(connection: &Connection, payment: PaymentId, order: OrderId) -> Result<Vec<SharedPage>> {
    let named = entries::list(
        connection,
        &format!(
            "id IN (SELECT entry_id FROM entry_items WHERE payment_id = ?2) AND status <> 'cancelled' AND NOT ifnull(({OWN_ENTRIES}), 0)"
        ),
        (order.0, payment.0),
    )?;
    Ok(named.iter().map(|entry| SharedPage { payment, entry: entry.name() }).collect())
}

fn rivals(connection: &Connection, order: OrderId) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT o.shop || '/' || o.number AS name FROM order_keys k
         JOIN order_keys r ON r.order_id <> k.order_id AND r.entry_key = k.entry_key JOIN orders o ON o.id = r.order_id
         WHERE k.order_id = ?1 AND o.deleted = 0 AND EXISTS (SELECT 1 FROM entries e WHERE e.key = k.entry_key AND e.order_id IS NULL)
         UNION SELECT o.shop || '/' || o.number FROM order_keys k
         JOIN order_keys r ON r.order_id <> k.order_id AND r.payment_key = k.payment_key JOIN orders o ON o.id = r.order_id
         WHERE k.order_id = ?1 AND o.deleted = 0 AND EXISTS (SELECT 1 FROM payment_keys q WHERE q.key = k.payment_key)
         ORDER BY 1 LIMIT 10",
    )?;
    statement.query_and_then([order.0], |row| row.plain("name"))?.collect()
}

fn restored_at(connection: &Connection, order: OrderId) -> Result<Option<DateTime<Utc>>> {
    let mut statement =
        connection.prepare_cached("SELECT max(restored_at) AS restored_at FROM restorations WHERE order_id = ?1")?;
    let mut found = statement.query_and_then([order.0], |row| row.optional_time("restored_at"))?;
    found.next().transpose().map(Option::flatten)
}

fn quarantined_at(connection: &Connection, order: OrderId, generation: u32) -> Result<Option<DateTime<Utc>>> {
    let mut statement = connection.prepare_cached(
        "SELECT deleted_at FROM tombstones t WHERE order_id = ?1 AND generation = ?2 AND is_final = 0
           AND NOT EXISTS (SELECT 1 FROM tombstones f WHERE f.order_id = t.order_id AND f.generation = t.generation AND f.is_final = 1)",
    )?;
    let mut found = statement.query_and_then((order.0, generation), |row| row.time("deleted_at"))?;
    found.next().transpose()
}
