//! What each task looks at: one case at a time, in the order of a key, a batch per query.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::figures::Figures;
use super::payments::Unsummed;
use super::row::{Columns, time_text};
use super::{
    BookedJournal, Ledger, LedgerError, QueuedMail, Result, billing, corrections, documents, entries, invitations,
    journals, mails, movements, operations, orders, pages, payments, refund_requests,
};
use crate::domain::document::{Document, DocumentKind, NamedDocument};
use crate::domain::id::{DocumentId, EntryId, JournalId, MailId, MovementId, OrderId, PaymentId};
use crate::domain::money::Amount;
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::operation::Operation;

/// The ledger rows one case stands for: exceptions its plan raised are looked up by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    pub entry: Option<EntryId>,
    pub order: Option<OrderId>,
    pub document: Option<DocumentId>,
    pub payment: Option<PaymentId>,
}

/// An order with everything that decides what may be captured for it.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureCase {
    pub order: Order,
    /// Oldest first.
    pub payments: Vec<Payment>,
    /// In the order posted.
    pub documents: Vec<Document>,
    /// All captures, refunds and releases of these payments.
    pub operations: Vec<Operation>,
    pub movements: Vec<Movement>,
    /// What is left out of the `untied` of these movements: entries and refund requests have it.
    pub withheld: Amount,
    /// What money of these payments may be for.
    pub named: Vec<NamedDocument>,
    /// Documents a payment of their own is paying right now.
    pub being_paid: Vec<(DocumentId, UnsettledPayment)>,
    /// The invoices that payjournal made for the order.
    pub issued: Vec<DocumentId>,
}

/// A payment for an invoice whose end is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsettledPayment {
    pub transaction: String,
    pub since: DateTime<Utc>,
}

/// A payment a customer made for posted invoices.
#[derive(Debug, Clone, PartialEq)]
pub struct InvoicePaymentCase {
    pub payment: Payment,
    pub order: Option<Order>,
    pub operations: Vec<Operation>,
    pub movements: Vec<Movement>,
    /// What money of it may be for.
    pub named: Vec<NamedDocument>,
    /// The invoices it names, in its currency.
    pub invoices: Vec<Document>,
    /// An earlier payment for one of them that is not settled yet.
    pub paid_before: Option<UnsettledPayment>,
}

/// A posted credit note with what was paid for its invoice, or a refund request with what is free of its payment.
#[derive(Debug, Clone, PartialEq)]
pub struct RefundCase {
    pub note: Document,
    pub invoice: Option<Document>,
    /// Oldest first.
    pub captures: Vec<TiedCapture>,
    /// Refunds of these payments, for this and other credit notes of the invoice.
    pub operations: Vec<Operation>,
    pub movements: Vec<Movement>,
    /// What money of these payments may be for.
    pub named: Vec<NamedDocument>,
    /// The credit notes of the invoice, this one included.
    pub siblings: Vec<Document>,
    /// When a person asked for it; of a request only.
    pub asked_at: Option<DateTime<Utc>>,
    /// The invoice of ours was cancelled.
    pub is_cancelled: bool,
    /// The credit note is ours.
    pub is_ours: bool,
}

/// The part of a payment's captures that paid one invoice.
#[derive(Debug, Clone, PartialEq)]
pub struct TiedCapture {
    pub movement: MovementId,
    pub payment: Payment,
    pub tied: Amount,
}

/// A journal the ERP has not confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalCase {
    pub journal: BookedJournal,
    pub booked_at: DateTime<Utc>,
    pub operations: Vec<Operation>,
    /// The number of the journal it undoes or applies, where the ERP has not confirmed that one.
    pub waits_for: Option<String>,
    /// What was last said about it.
    pub note: String,
}

/// A payment the PSP may still change its mind about.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentCase {
    pub payment: Payment,
    pub order: Option<Order>,
    pub operations: Vec<Operation>,
    pub movements: Vec<Movement>,
    /// What money of it may be for.
    pub named: Vec<NamedDocument>,
    /// It is a page that could be paid, and nothing it asks for is owed any more.
    pub asks_for_nothing: bool,
}

/// A mail that is not known to be delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct MailCase {
    pub mail: QueuedMail,
    /// Why it invites to pay what is not to be paid any more.
    pub outdated: Option<String>,
    pub operations: Vec<Operation>,
}

fn issued(connection: &Connection, order: OrderId) -> Result<Vec<DocumentId>> {
    let mut statement = connection.prepare_cached("SELECT document_id FROM invoices WHERE order_id = ?1")?;
    statement.query_and_then([order.0], |row| row.id("document_id", DocumentId))?.collect()
}

impl Ledger {
    /// Orders with something authorised or planned, with captured money an invoice may take, with an invoice or shipment that lacks money
    /// nobody has reserved any more, or with an exception to look at again.
    pub fn capture_orders(&self, after: OrderId, limit: u32) -> Result<Vec<OrderId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT o.id FROM orders o
             WHERE o.id > ?1 AND (
               EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id AND p.status = 'authorised' AND p.pays = '')
               OR EXISTS (SELECT 1 FROM exceptions e WHERE e.order_id = o.id AND e.task = 'capture' AND e.state <> 'resolved')
               OR EXISTS (SELECT 1 FROM payments p JOIN operations c ON c.payment_id = p.id AND c.kind IN ('capture', 'release')
                          WHERE p.order_id = o.id AND p.pays = '' AND c.state = 'planned')
               OR ((o.cancelled <> 'none' OR EXISTS (SELECT 1 FROM documents d WHERE d.order_id = o.id AND d.kind = 'invoice'))
                   AND EXISTS (SELECT 1 FROM payments p JOIN movements m ON m.payment_id = p.id
                               JOIN journals j ON j.movement_id = m.id AND j.kind IN ('prepayment', 'return') AND j.direction = 'original'
                               WHERE p.order_id = o.id
                                 AND m.amount_minor > (SELECT ifnull(sum(CASE WHEN (t.direction = 'original') = (t.kind NOT IN ('return', 'returned_refund')) THEN t.amount_minor ELSE -t.amount_minor END), 0)
                                                       FROM journals t WHERE t.movement_id = m.id AND t.document_id IS NOT NULL)))
               OR (o.terms = 'online'
                   AND EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id AND p.pays = ''
                                 AND (p.status IN ('captured', 'released') OR p.status = 'expired'))
                   AND EXISTS (SELECT 1 FROM documents d WHERE d.order_id = o.id AND d.kind IN ('invoice', 'shipment')
                                 AND d.total_minor > d.paid_elsewhere_minor
                                   + (SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund'))
                                                             THEN j.amount_minor ELSE -j.amount_minor END), 0)
                                      FROM journals j WHERE j.document_id = d.id)
                                   + (SELECT ifnull(sum(c.amount_minor), 0) FROM operations c
                                      WHERE d.kind = 'shipment' AND c.document_id = d.id AND c.kind = 'capture' AND c.state = 'confirmed'))))
             ORDER BY o.id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit), |row| row.id("id", OrderId))?.collect()
    }

    pub fn capture_case(&self, id: OrderId) -> Result<CaptureCase> {
        let connection = &self.connection;
        let mut payments = Vec::new();
        let documents = documents::standing_of_order(connection, id)?;
        let mut operations = Vec::new();
        let mut movements = Vec::new();
        let mut named = documents::named_of_order(connection, id)?;
        for payment in payments::unsummed_of_order(connection, id)? {
            let (payment, its_operations, its_movements) = with_history(connection, payment)?;
            if !payment.pays.is_empty() {
                named.extend(documents::named_of_payment(connection, &payment)?);
            }
            payments.push(payment);
            operations.extend(its_operations);
            movements.extend(its_movements);
        }
        // What an entry has is that entry's, whatever order its payment names (trap T47), and what is to be paid back is nobody's.
        let mut wanted = BTreeMap::new();
        for payment in &payments {
            wanted.insert(payment.id, refund_requests::wanted(connection, payment.id, None)?);
        }
        let order = orders::order(connection, id)?;
        let mut withheld = Amount::zero(order.total.currency());
        let captures = movements.iter_mut().filter(|movement| movement.kind == MovementKind::Capture);
        for movement in captures.filter(|movement| movement.untied.is_positive()) {
            let reserved = entries::reserved(connection, movement.id, None)?
                - entries::reserved_for_invoices(connection, movement.id, id)?
                + corrections::kept_for_others(connection, movement.id, id)?;
            let free = (movement.untied.minor() - reserved).max(0);
            let wanted = wanted.entry(movement.payment).or_default();
            let taken = free.min(*wanted);
            *wanted -= taken;
            let left = Amount::from_minor(free - taken, movement.untied.currency());
            withheld = withheld.checked_add(movement.untied.checked_sub(left)?)?;
            movement.untied = left;
        }
        let mut being_paid = Vec::new();
        for document in documents.iter().filter(|document| document.kind == DocumentKind::Invoice) {
            if let Some(payment) = documents::is_being_paid(connection, document, &self.books.company)? {
                being_paid.push((document.id, payment));
            }
        }
        let issued = issued(connection, id)?;
        Ok(CaptureCase { order, payments, documents, operations, movements, withheld, named, being_paid, issued })
    }

    /// Authorised payments that customers made for posted invoices.
    pub fn invoice_payments(&self, after: PaymentId, limit: u32) -> Result<Vec<PaymentId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT p.id FROM payments p
             WHERE p.id > ?1 AND p.pays <> '' AND (p.status = 'authorised'
               OR EXISTS (SELECT 1 FROM operations o WHERE o.payment_id = p.id AND o.kind = 'capture' AND o.state = 'planned')
               OR EXISTS (SELECT 1 FROM exceptions e WHERE e.payment_id = p.id AND e.task = 'capture' AND e.state <> 'resolved'))
             ORDER BY p.id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit), |row| row.id("id", PaymentId))?.collect()
    }

    pub fn invoice_payment_case(&self, id: PaymentId) -> Result<InvoicePaymentCase> {
        let PaymentCase { payment, order, operations, movements, named, .. } = self.payment_case(id)?;
        let mut invoices = Vec::new();
        let mut paid_before = None;
        for number in &payment.pays {
            let found = documents::invoice_numbered(&self.connection, number, &self.books.company)?;
            if let Some(invoice) = found.filter(|invoice| invoice.total.currency() == payment.authorised.currency()) {
                paid_before = paid_before.or(documents::paid_by_earlier(&self.connection, &invoice, id)?);
                invoices.push(invoice);
            }
        }
        Ok(InvoicePaymentCase { payment, order, operations, movements, named, invoices, paid_before })
    }

    /// Credit notes and refund requests with something open, with a refund that was planned and not sent, or with an exception to look at again.
    pub fn refund_notes(&self, after: DocumentId, limit: u32) -> Result<Vec<DocumentId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT d.id FROM documents d
             WHERE d.id > ?1 AND d.kind = 'credit_note' AND (
               d.total_minor > d.paid_elsewhere_minor
                 + (SELECT ifnull(sum(CASE j.direction WHEN 'original' THEN j.amount_minor ELSE -j.amount_minor END), 0)
                    FROM journals j WHERE j.document_id = d.id)
               OR EXISTS (SELECT 1 FROM operations o WHERE o.document_id = d.id AND o.kind = 'refund' AND o.state = 'planned')
               OR EXISTS (SELECT 1 FROM exceptions e WHERE e.document_id = d.id AND e.task = 'refunds' AND e.state <> 'resolved'))
             UNION ALL SELECT d.id FROM refund_requests r JOIN documents d ON d.id = r.document_id
             WHERE d.id > ?1 AND (
               d.total_minor > d.paid_elsewhere_minor + (SELECT ifnull(sum(o.amount_minor), 0) FROM operations o
                    WHERE o.document_id = d.id AND o.kind = 'refund' AND o.state = 'confirmed')
               OR EXISTS (SELECT 1 FROM operations o WHERE o.document_id = d.id AND o.kind = 'refund' AND o.state = 'planned')
               OR EXISTS (SELECT 1 FROM exceptions e WHERE e.document_id = d.id AND e.task = 'refunds' AND e.state <> 'resolved'))
             ORDER BY id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit), |row| row.id("id", DocumentId))?.collect()
    }

    pub fn refund_case(&self, id: DocumentId) -> Result<RefundCase> {
        let connection = &self.connection;
        let note = documents::document(connection, id)?;
        let request = match note.kind {
            DocumentKind::RefundRequest => Some(refund_requests::of_document(connection, id)?),
            DocumentKind::CreditNote | DocumentKind::Invoice | DocumentKind::Shipment | DocumentKind::Cancellation => {
                None
            }
        };
        let invoice = match &note.references {
            Some(number) => {
                let found = documents::invoice_numbered(connection, number, &note.company)?;
                found.filter(|invoice| invoice.company == note.company)
            }
            None => None,
        };
        let is_cancelled =
            invoice.as_ref().map_or(Ok(false), |invoice| corrections::is_cancelled(connection, invoice.id))?;
        let is_ours = corrections::correction(connection, id)?.is_some();
        let captures = match (&invoice, request) {
            (_, Some((payment, _))) => free_captures(connection, payment, id)?,
            // A cancelled one has no money: that is on the customer's account.
            (Some(invoice), None) if !is_cancelled => tied_captures(connection, invoice)?,
            (Some(_) | None, None) => Vec::new(),
        };
        let mut operations = Vec::new();
        let mut movements = Vec::new();
        let mut named = Vec::new();
        let payments: BTreeMap<PaymentId, &Payment> =
            captures.iter().map(|capture| (capture.payment.id, &capture.payment)).collect();
        for (id, payment) in payments {
            operations.extend(psp_operations(connection, id)?);
            movements.extend(movements::of_payment(connection, id)?);
            named.extend(documents::named_of_payment(connection, payment)?);
        }
        // A refund may be under way for a payment the invoice is no longer paid by: its capture failed after all.
        for refund in operations::list(connection, "WHERE document_id = ?1 AND kind = 'refund' ORDER BY id", [id.0])? {
            if !operations.iter().any(|known: &Operation| known.id == refund.id) {
                operations.push(refund);
            }
        }
        let siblings = match &note.references {
            Some(number) => documents::list(
                connection,
                "d.kind = 'credit_note' AND d.references_number = ?1 AND d.company = ?2",
                (number.as_str(), note.company.as_str()),
            )?,
            None => vec![note.clone()],
        };
        let currency = note.total.currency();
        let siblings = siblings.into_iter().filter(|sibling| sibling.total.currency() == currency).collect();
        let asked_at = request.map(|(_, asked_at)| asked_at);
        Ok(RefundCase {
            note,
            invoice,
            captures,
            operations,
            movements,
            named,
            siblings,
            asked_at,
            is_cancelled,
            is_ours,
        })
    }

    /// Journals without a confirmed delivery, in the order booked.
    pub fn undelivered_journals(&self, after: JournalId, limit: u32) -> Result<Vec<JournalId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT j.id FROM journals j
             WHERE j.id > ?1 AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.journal_id = j.id AND o.state = 'confirmed')
             ORDER BY j.id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit), |row| row.id("id", JournalId))?.collect()
    }

    pub fn journal_case(&self, id: JournalId) -> Result<JournalCase> {
        let operations = operations::list(&self.connection, "WHERE journal_id = ?1 ORDER BY attempt", [id.0])?;
        let note = match operations.last() {
            Some(operation) => self.operation_note(operation.id)?,
            None => String::new(),
        };
        let booked_at = self
            .connection
            .prepare_cached("SELECT booked_at FROM journals WHERE id = ?1")?
            .query_row([id.0], |row| Ok(row.time("booked_at")))??;
        let journal = journals::journal(&self.connection, id)?;
        let waits_for = journals::undelivered_before(&self.connection, &journal)?;
        Ok(JournalCase { journal, booked_at, operations, waits_for, note })
    }

    /// Payments with an operation the PSP has not settled, and open pages, however old; and those of which anything changed since `not_before`
    /// that are not final, or were not asked about since `asked_before`: money can still go back, and the shop may have given
    /// up too early. A payment asked about later than `now` was asked by a run whose clock was wrong: it counts as not asked.
    pub fn open_payments(
        &self,
        after: PaymentId,
        limit: u32,
        not_before: DateTime<Utc>,
        asked_before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<PaymentId>> {
        let mut statement = self.connection.prepare_cached(
            // What is open is few and has an index of its own; what moved lately is looked up payment by payment.
            "SELECT p.id FROM payments p
             WHERE p.id > ?1 AND (
               (p.status = 'open' AND (p.asked_at IS NULL OR p.asked_at <= ?4 OR p.asked_at > ?5)
                AND EXISTS (SELECT 1 FROM payment_links l WHERE l.payment_id = p.id))
               OR p.id IN (SELECT o.payment_id FROM operations o
                        WHERE o.state <> 'confirmed' AND o.state NOT IN ('refused', 'withdrawn')
                          AND o.state NOT IN ('planned', 'sent') AND o.kind NOT IN ('journal', 'mail'))
               OR ((p.status IN ('open', 'pending') OR p.status = 'authorised'
                    OR (p.status <> 'error' AND (p.asked_at IS NULL OR p.asked_at <= ?4 OR p.asked_at > ?5)))
                   AND (p.status_since > ?3
                     OR EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = p.id AND m.learnt_at > ?3)
                     OR EXISTS (SELECT 1 FROM operations o WHERE o.payment_id = p.id AND o.status_since > ?3
                                  AND o.kind NOT IN ('journal', 'mail')))))
             ORDER BY p.id LIMIT ?2",
        )?;
        let times = [not_before, asked_before, now].map(time_text);
        let [not_before, asked_before, now] = &times;
        statement
            .query_and_then((after.0, limit, not_before, asked_before, now), |row| row.id("id", PaymentId))?
            .collect()
    }

    pub fn payment_case(&self, id: PaymentId) -> Result<PaymentCase> {
        let connection = &self.connection;
        let (payment, operations, movements) = with_history(connection, payments::unsummed(connection, id)?)?;
        Ok(PaymentCase {
            order: payment.order.map(|order| orders::order(connection, order)).transpose()?,
            operations,
            movements,
            named: documents::named_of_payment(connection, &payment)?,
            asks_for_nothing: pages::asks_for_nothing(connection, &payment)?,
            payment,
        })
    }

    pub fn undelivered_mails(&self, after: MailId, limit: u32) -> Result<Vec<MailId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT m.id FROM mails m
             WHERE m.id > ?1 AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.mail_id = m.id AND o.state = 'confirmed')
               AND NOT EXISTS (SELECT 1 FROM ended_invitations e WHERE e.mail_id = m.id)
             ORDER BY m.id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit), |row| row.id("id", MailId))?.collect()
    }

    pub fn mail_case(&self, id: MailId) -> Result<MailCase> {
        Ok(MailCase {
            mail: mail(&self.connection, id)?,
            outdated: invitations::outdated(&self.connection, id)?,
            operations: operations::list(&self.connection, "WHERE mail_id = ?1 ORDER BY attempt", [id.0])?,
        })
    }
}

pub(super) fn mail(connection: &Connection, id: MailId) -> Result<QueuedMail> {
    let mut statement = connection.prepare_cached("SELECT * FROM mails WHERE id = ?1")?;
    let mut found = statement.query_and_then([id.0], mails::from_row)?;
    found.next().unwrap_or_else(|| Err(LedgerError::NotFound { what: format!("mail {id}") }))
}

/// A payment with its operations and movements: its figures follow from them, and nothing is read twice.
fn with_history(connection: &Connection, payment: Unsummed) -> Result<(Payment, Vec<Operation>, Vec<Movement>)> {
    let operations = psp_operations(connection, payment.id())?;
    let movements = movements::of_payment(connection, payment.id())?;
    let figures = Figures::from_history(payment.id(), &operations, &movements)?;
    Ok((payment.with(figures), operations, movements))
}

fn psp_operations(connection: &Connection, payment: PaymentId) -> Result<Vec<Operation>> {
    operations::list(
        connection,
        // A list of three would be built as a table each time.
        "WHERE payment_id = ?1 AND kind NOT IN ('journal', 'mail')
           OR id IN (SELECT operation_id FROM collected_payments WHERE payment_id = ?1) ORDER BY id",
        [payment.0],
    )
}

/// The captures of a payment, each with the part that nothing else has.
fn free_captures(connection: &Connection, payment: PaymentId, request: DocumentId) -> Result<Vec<TiedCapture>> {
    let whole = payments::payment(connection, payment)?;
    let captures = billing::captures_of(connection, payment, None, Some(request))?;
    let part = |capture: Movement| TiedCapture { movement: capture.id, payment: whole.clone(), tied: capture.untied };
    Ok(captures.into_iter().map(part).collect())
}

/// The captures an invoice was paid by, oldest first, each with the part that paid it.
/// What paid an invoice; and with nothing tied what was captured for it and paid back by somebody else before that was heard of.
fn tied_captures(connection: &Connection, invoice: &Document) -> Result<Vec<TiedCapture>> {
    debug_assert_eq!(invoice.kind, DocumentKind::Invoice);
    let mut statement = connection.prepare_cached(
        "SELECT m.id, m.payment_id, m.currency,
                sum(CASE WHEN j.document_id IS NOT ?1 THEN 0 WHEN j.direction = 'original' THEN j.amount_minor ELSE -j.amount_minor END)
                  AS tied_minor,
                sum(j.document_id IS NOT ?1) AS elsewhere
         FROM (SELECT movement_id AS id FROM journals WHERE document_id = ?1
               UNION SELECT p.id FROM operations o JOIN movements p ON p.payment_id = o.payment_id AND p.operation_id = o.id
                     WHERE o.document_id = ?1 AND o.kind = 'capture' AND o.state = 'confirmed') c
         JOIN movements m ON m.id = c.id JOIN journals j ON j.movement_id = m.id
         WHERE m.kind = 'capture'
         GROUP BY m.id HAVING tied_minor > 0 OR tied_minor = 0 AND elsewhere > 0 ORDER BY m.occurred_at, m.payment_id, m.id",
    )?;
    let rows = statement.query_and_then([invoice.id.0], |row| {
        Ok::<_, LedgerError>((row.id("id", MovementId)?, row.id("payment_id", PaymentId)?, row.amount("tied_minor")?))
    })?;
    rows.map(|row| {
        let (movement, payment, tied) = row?;
        Ok(TiedCapture { movement, payment: payments::payment(connection, payment)?, tied })
    })
    .collect()
}
