//! Documents in the ledger, with what our journals have paid of them.

use rusqlite::{Connection, Params, Row};

use super::row::{Columns, InOrder, Layout};
use super::{Ledger, LedgerError, Result, UnsettledPayment, corrections};
use crate::domain::document::{Document, DocumentKind, NamedDocument};
use crate::domain::id::{Company, CustomerNumber, DocumentId, DocumentNumber, OrderId, PaymentId};
use crate::domain::money::Amount;
use crate::domain::payment::Payment;

/// A shipment and a refund request carry no journal: what was captured, or refunded, for them counts at once. A reopening takes away from what an invoice was
/// paid. States are told apart by what they are not: of a longer list `SQLite` builds a table each time.
const SELECT: &str = "
    SELECT d.*,
      ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund')) THEN j.amount_minor ELSE -j.amount_minor END), 0)
        AS booked_minor,
      ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund')) THEN j.amount_minor ELSE -j.amount_minor END)
        FILTER (WHERE o.state = 'confirmed'), 0) AS delivered_minor,
      ifnull(sum(j.amount_minor)
        FILTER (WHERE o.state IS NOT 'confirmed' AND (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund'))), 0)
        AS undelivered_minor,
      ifnull(sum(j.amount_minor)
        FILTER (WHERE o.state NOT IN ('confirmed', 'planned')
                  AND (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund'))), 0)
        AS unanswered_minor,
      ifnull(sum(CASE j.direction WHEN 'original' THEN j.amount_minor ELSE -j.amount_minor END)
        FILTER (WHERE j.kind = 'reopening'), 0) AS reopened_minor,
      (SELECT ifnull(sum(c.amount_minor), 0) FROM operations c
         WHERE c.document_id = d.id AND c.kind IN ('capture', 'refund')
           AND c.state <> 'confirmed' AND c.state NOT IN ('refused', 'withdrawn'))
        + (SELECT ifnull(sum(c.amount_minor), 0) FROM entries e JOIN operations c ON c.entry_id = e.id
           WHERE e.document_id = d.id AND c.state <> 'confirmed' AND c.state NOT IN ('refused', 'withdrawn')) AS in_flight_minor,
      CASE d.kind
        WHEN 'shipment' THEN (SELECT ifnull(sum(c.amount_minor), 0) FROM operations c
                WHERE c.document_id = d.id AND c.kind = 'capture' AND c.state = 'confirmed')
        WHEN 'refund_request' THEN (SELECT ifnull(sum(c.amount_minor), 0) FROM operations c
                WHERE c.document_id = d.id AND c.kind = 'refund' AND c.state = 'confirmed') END AS without_journals_minor
    FROM documents d
    LEFT JOIN journals j ON j.document_id = d.id
    LEFT JOIN operations o ON o.journal_id = j.id AND o.kind = 'journal' AND o.state NOT IN ('refused', 'withdrawn') ";

impl Ledger {
    pub fn document(&self, id: DocumentId) -> Result<Document> {
        document(&self.connection, id)
    }

    pub fn documents_of_order(&self, order: OrderId) -> Result<Vec<Document>> {
        of_order(&self.connection, order)
    }

    /// Documents of any company and kind with this number.
    pub fn documents_numbered(&self, number: &str) -> Result<Vec<Document>> {
        list(&self.connection, "d.number = ?1", [number])
    }
}

pub(super) fn document(connection: &Connection, id: DocumentId) -> Result<Document> {
    list(connection, "d.id = ?1", [id.0])?.pop().ok_or_else(|| LedgerError::NotFound { what: format!("document {id}") })
}

/// In the order in which they were posted.
pub(super) fn of_order(connection: &Connection, order: OrderId) -> Result<Vec<Document>> {
    let mut documents = list(connection, "d.order_id = ?1", [order.0])?;
    documents
        .sort_by(|one, other| (one.posted_on, &one.number, one.id).cmp(&(other.posted_on, &other.number, other.id)));
    Ok(documents)
}

/// Without invoices that were cancelled, and what cancelled them.
pub(super) fn standing_of_order(connection: &Connection, order: OrderId) -> Result<Vec<Document>> {
    let mut documents = of_order(connection, order)?;
    if documents.iter().any(|document| document.kind == DocumentKind::Cancellation) {
        let mut standing = Vec::new();
        for document in documents {
            let is_over =
                document.kind == DocumentKind::Cancellation || corrections::is_cancelled(connection, document.id)?;
            if !is_over {
                standing.push(document);
            }
        }
        documents = standing;
    }
    Ok(documents)
}

/// The documents money of a payment may be for: those of its order, those its movements are booked for, those it names, and
/// the credit notes of all these invoices. One too many does no harm: what is sought is found by its key.
pub(super) fn named_of_payment(connection: &Connection, payment: &Payment) -> Result<Vec<NamedDocument>> {
    // Almost every payment: it pays its order, and nothing else.
    if let Some(order) = payment.order.filter(|_| payment.pays.is_empty()) {
        return named_of_order(connection, order);
    }
    let mut of_payment = connection.prepare_cached(
        "WITH own AS (SELECT id, company, kind, number FROM documents WHERE order_id = ?2
                      UNION SELECT d.id, d.company, d.kind, d.number FROM movements m
                      JOIN journals j ON j.movement_id = m.id JOIN documents d ON d.id = j.document_id WHERE m.payment_id = ?1)
         SELECT * FROM own
         UNION SELECT n.id, n.company, n.kind, n.number FROM own CROSS JOIN documents n
           ON n.references_number = own.number AND n.company = own.company AND n.kind = 'credit_note'
         WHERE own.kind = 'invoice' ORDER BY id",
    )?;
    let rows = of_payment.query_and_then((payment.id.0, payment.order.map(|order| order.0)), name)?;
    let mut documents: Vec<NamedDocument> = rows.collect::<Result<_>>()?;
    let mut of_number = connection.prepare_cached(
        "SELECT id, company, kind, number FROM documents WHERE number = ?1 AND kind = 'invoice'
         UNION ALL SELECT id, company, kind, number FROM documents WHERE references_number = ?1 AND kind = 'credit_note'",
    )?;
    for number in &payment.pays {
        for document in of_number.query_and_then([number.as_str()], name)? {
            documents.push(document?);
        }
    }
    Ok(documents)
}

/// The documents of an order, and credit notes of its invoices that name no order.
pub(super) fn named_of_order(connection: &Connection, order: OrderId) -> Result<Vec<NamedDocument>> {
    names(
        connection,
        "SELECT id, company, kind, number FROM documents WHERE order_id = ?1
         UNION ALL SELECT n.id, n.company, n.kind, n.number FROM documents o JOIN documents n
           ON n.references_number = o.number AND n.company = o.company AND n.kind = 'credit_note' AND n.order_id IS NULL
         WHERE o.order_id = ?1 AND o.kind = 'invoice'",
        order.0,
    )
}

/// A document without its figures.
pub(super) fn named(connection: &Connection, id: DocumentId) -> Result<NamedDocument> {
    names(connection, "SELECT id, company, kind, number FROM documents WHERE id = ?1", id.0)?
        .pop()
        .ok_or_else(|| LedgerError::NotFound { what: format!("document {id}") })
}

fn names(connection: &Connection, query: &str, id: i64) -> Result<Vec<NamedDocument>> {
    let mut statement = connection.prepare_cached(query)?;
    statement.query_and_then([id], name)?.collect()
}

static NAME_LAYOUT: Layout = Layout::new(&["id", "company", "kind", "number"]);

fn name(row: &Row<'_>) -> Result<NamedDocument> {
    let row = InOrder::of(row, &NAME_LAYOUT)?;
    Ok(NamedDocument {
        id: row.id("id", DocumentId)?,
        company: row.named("company", Company::parse)?,
        kind: row.choice("kind", DocumentKind::parse)?,
        number: row.named("number", DocumentNumber::parse)?,
    })
}

/// The invoice with this number: of this company, or the only one there is.
pub(super) fn invoice_numbered(
    connection: &Connection,
    number: &DocumentNumber,
    company: &Company,
) -> Result<Option<Document>> {
    let mut found = list(connection, "d.kind = 'invoice' AND d.number = ?1", [number.as_str()])?;
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
        // Not by the least number first: that would read all payments, where those for invoices are few and have an index.
        "SELECT min(+id) AS first, transaction_id, status_since FROM payments
         WHERE +id < ?2 AND pays <> ''
           AND (status IN ('pending', 'authorised')
             OR EXISTS (SELECT 1 FROM operations o WHERE o.payment_id = payments.id AND o.kind = 'capture'
                          AND o.state <> 'confirmed' AND o.state NOT IN ('refused', 'withdrawn'))
             OR (status = 'captured' AND NOT EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = payments.id AND m.kind = 'capture')))
           AND instr(';' || pays || ';', ';' || ?1 || ';') > 0",
    )?;
    // The other columns are those of the row with the least id; of no rows, nothing is the least.
    let mut found = statement.query_and_then((document.number.as_str(), before), |row| {
        Ok(match row.optional_id("first", PaymentId)? {
            Some(_) => {
                Some(UnsettledPayment { transaction: row.plain("transaction_id")?, since: row.time("status_since")? })
            }
            None => None,
        })
    })?;
    found.next().transpose().map(Option::flatten)
}

/// In the order in which they came into the ledger.
pub(super) fn list(connection: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<Document>> {
    let mut statement = connection.prepare_cached(&[SELECT, "WHERE ", condition, " GROUP BY d.id"].concat())?;
    statement.query_and_then(parameters, from_row)?.collect()
}

static LAYOUT: Layout = Layout::new(&[
    "id",
    "company",
    "kind",
    "number",
    "order_id",
    "bill_to",
    "currency",
    "total_minor",
    "paid_elsewhere_minor",
    "references_number",
    "posted_on",
    "booked_minor",
    "delivered_minor",
    "undelivered_minor",
    "unanswered_minor",
    "reopened_minor",
    "in_flight_minor",
    "without_journals_minor",
]);

fn from_row(row: &Row<'_>) -> Result<Document> {
    let row = InOrder::of(row, &LAYOUT)?;
    let document = Document {
        id: row.id("id", DocumentId)?,
        company: row.named("company", Company::parse)?,
        kind: row.choice("kind", DocumentKind::parse)?,
        number: row.named("number", DocumentNumber::parse)?,
        order: row.optional_id("order_id", OrderId)?,
        bill_to: row.named("bill_to", CustomerNumber::parse)?,
        total: row.amount("total_minor")?,
        paid_elsewhere: row.amount("paid_elsewhere_minor")?,
        references: row.optional_text("references_number")?.map(DocumentNumber::parse).transpose()?,
        posted_on: row.day("posted_on")?,
        booked: row.amount("booked_minor")?,
        delivered: row.amount("delivered_minor")?,
        undelivered: row.amount("undelivered_minor")?,
        unanswered: row.amount("unanswered_minor")?,
        reopened: row.amount("reopened_minor")?,
        in_flight: row.amount("in_flight_minor")?,
    };
    Ok(match row.plain::<Option<i64>>("without_journals_minor")? {
        Some(captured) => {
            let captured = Amount::from_minor(captured, row.currency()?);
            Document { booked: captured, delivered: captured, ..document }
        }
        None => document,
    })
}
