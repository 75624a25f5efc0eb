//! Documents in the ledger, with what our journals have paid of them.

use rusqlite::{Connection, Params, Row};

use super::row::Columns;
use super::{Ledger, LedgerError, Result, UnsettledPayment};
use crate::domain::document::{Document, DocumentKind};
use crate::domain::id::{Company, CustomerNumber, DocumentId, DocumentNumber, OrderId, PaymentId};

/// A shipment carries no journal: what was captured for it counts at once. A reopening takes away from what an invoice was
/// paid.
const SELECT: &str = "
    SELECT d.*,
      CASE d.kind WHEN 'shipment'
        THEN (SELECT ifnull(sum(o.amount_minor), 0) FROM operations o
                WHERE o.document_id = d.id AND o.kind = 'capture' AND o.state = 'confirmed')
        ELSE (SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind <> 'reopening') THEN j.amount_minor ELSE -j.amount_minor END), 0)
                FROM journals j WHERE j.document_id = d.id) END AS booked_minor,
      CASE d.kind WHEN 'shipment'
        THEN (SELECT ifnull(sum(o.amount_minor), 0) FROM operations o
                WHERE o.document_id = d.id AND o.kind = 'capture' AND o.state = 'confirmed')
        ELSE (SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind <> 'reopening') THEN j.amount_minor ELSE -j.amount_minor END), 0)
                FROM journals j JOIN operations o ON o.journal_id = j.id AND o.state = 'confirmed'
                WHERE j.document_id = d.id) END AS delivered_minor,
      (SELECT ifnull(sum(j.amount_minor), 0) FROM journals j
         WHERE j.document_id = d.id AND (j.direction = 'original') = (j.kind <> 'reopening')
           AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.journal_id = j.id AND o.state = 'confirmed')) AS undelivered_minor,
      (SELECT ifnull(sum(CASE j.direction WHEN 'original' THEN j.amount_minor ELSE -j.amount_minor END), 0)
         FROM journals j WHERE j.document_id = d.id AND j.kind = 'reopening') AS reopened_minor,
      (SELECT ifnull(sum(o.amount_minor), 0) FROM operations o
         WHERE o.document_id = d.id AND o.kind IN ('capture', 'refund')
           AND o.state IN ('planned', 'sent', 'accepted', 'unknown', 'given_up')) AS in_flight_minor
    FROM documents d ";

impl Ledger {
    pub fn document(&self, id: DocumentId) -> Result<Document> {
        document(&self.connection, id)
    }

    pub fn documents_of_order(&self, order: OrderId) -> Result<Vec<Document>> {
        of_order(&self.connection, order)
    }

    /// Documents of any company and kind with this number.
    pub fn documents_numbered(&self, number: &str) -> Result<Vec<Document>> {
        list(&self.connection, "WHERE d.number = ?1 ORDER BY d.id", [number])
    }
}

pub(super) fn document(connection: &Connection, id: DocumentId) -> Result<Document> {
    list(connection, "WHERE d.id = ?1", [id.0])?
        .pop()
        .ok_or_else(|| LedgerError::NotFound { what: format!("document {id}") })
}

/// In the order in which they were posted.
pub(super) fn of_order(connection: &Connection, order: OrderId) -> Result<Vec<Document>> {
    list(connection, "WHERE d.order_id = ?1 ORDER BY d.posted_on, d.number", [order.0])
}

/// The invoice with this number: of this company, or the only one there is.
pub(super) fn invoice_numbered(
    connection: &Connection,
    number: &DocumentNumber,
    company: &Company,
) -> Result<Option<Document>> {
    let mut found = list(connection, "WHERE d.kind = 'invoice' AND d.number = ?1", [number.as_str()])?;
    Ok(match found.iter().position(|invoice| invoice.company == *company) {
        Some(own) => Some(found.swap_remove(own)),
        None if found.len() == 1 => found.pop(),
        None => None,
    })
}

/// Whether the customer is paying the document by a payment of its own right now (trap T12). A PSP may call it captured as
/// soon as the capture is accepted: it is paid when that is confirmed, and booked.
pub(super) fn is_being_paid(
    connection: &Connection,
    document: &Document,
    usual: &Company,
) -> Result<Option<UnsettledPayment>> {
    let Some(payment) = being_paid(connection, document, i64::MAX)? else { return Ok(None) };
    // A payment names numbers only: those of the usual company, or of the only one that has it.
    let named = invoice_numbered(connection, &document.number, usual)?;
    Ok(named.filter(|named| named.id == document.id).map(|_| payment))
}

/// Like `is_being_paid`, by a payment that came before `payment`: of two payments for one invoice the first is taken.
pub(super) fn paid_by_earlier(
    connection: &Connection,
    document: &Document,
    payment: PaymentId,
) -> Result<Option<UnsettledPayment>> {
    being_paid(connection, document, payment.0)
}

fn being_paid(connection: &Connection, document: &Document, before: i64) -> Result<Option<UnsettledPayment>> {
    let mut statement = connection.prepare_cached(
        "SELECT transaction_id, status_since FROM payments
         WHERE id < ?2 AND pays <> ''
           AND (status IN ('pending', 'authorised')
             OR EXISTS (SELECT 1 FROM operations o WHERE o.payment_id = payments.id AND o.kind = 'capture'
                          AND o.state IN ('planned', 'sent', 'unknown', 'accepted', 'given_up'))
             OR (status = 'captured' AND NOT EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = payments.id AND m.kind = 'capture')))
           AND instr(';' || pays || ';', ';' || ?1 || ';') > 0
         ORDER BY id LIMIT 1",
    )?;
    let mut found = statement.query_and_then((document.number.as_str(), before), |row| {
        Ok(UnsettledPayment { transaction: row.plain("transaction_id")?, since: row.time("status_since")? })
    })?;
    found.next().transpose()
}

pub(super) fn list(connection: &Connection, tail: &str, parameters: impl Params) -> Result<Vec<Document>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} {tail}"))?;
    statement.query_and_then(parameters, from_row)?.collect()
}

fn from_row(row: &Row<'_>) -> Result<Document> {
    let references: Option<String> = row.plain("references_number")?;
    Ok(Document {
        id: row.id("id", DocumentId)?,
        company: row.named("company", Company::parse)?,
        kind: row.choice("kind", DocumentKind::parse)?,
        number: row.named("number", DocumentNumber::parse)?,
        order: row.optional_id("order_id", OrderId)?,
        bill_to: row.named("bill_to", CustomerNumber::parse)?,
        total: row.amount("total_minor")?,
        paid_elsewhere: row.amount("paid_elsewhere_minor")?,
        references: references.as_deref().map(DocumentNumber::parse).transpose()?,
        posted_on: row.day("posted_on")?,
        booked: row.amount("booked_minor")?,
        delivered: row.amount("delivered_minor")?,
        undelivered: row.amount("undelivered_minor")?,
        reopened: row.amount("reopened_minor")?,
        in_flight: row.amount("in_flight_minor")?,
    })
}
