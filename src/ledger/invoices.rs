//! Invoices payjournal makes: numbered, written, booked and tied to what is paid already, all in one transaction.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension, Row};
use rust_decimal::Decimal;

use super::customers::customer;
use super::entries::NewEntry;
use super::row::{Columns, day_text, time_text};
use super::{Ledger, LedgerError, Result, UnsentInvoice, Writer, documents, entries, movements, orders, payments};
use crate::domain::booking::Posting;
use crate::domain::customer::Customer;
use crate::domain::document::{DocumentKind, NamedDocument};
use crate::domain::entry::{Assignment, Entry};
use crate::domain::id::{
    Account, AssignmentKey, DocumentId, DocumentNumber, EntryId, MovementId, OrderId, OrderNumber, PaymentId, ShopName,
};
use crate::domain::invoice::number::NumberRange;
use crate::domain::invoice::pricing::{OrderLine, PricedLine};
use crate::domain::invoice::{EntryChoice, InvoiceDraft, OrderKeys, Tie};
use crate::domain::money::Amount;
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::operation::key::invoice_journal_number;

/// An order that has no invoice, with everything that decides about one.
#[derive(Debug, Clone)]
pub struct BillingCase {
    pub order: Order,
    pub lines: Vec<OrderLine>,
    pub keys: OrderKeys,
    pub documents: Vec<NamedDocument>,
    /// payjournal made an invoice for it.
    pub is_invoiced: bool,
    /// Its invoice, if the customer was not written to yet.
    pub unsent: Option<UnsentInvoice>,
    /// The one it is billed to, if anything is known of it.
    pub customer: Option<Customer>,
    /// Other orders with one of its keys, as a person names them.
    pub rivals: Vec<String>,
    /// With the order's entry key, cancelled ones too, and those made for the order that no invoice has.
    pub entries: Vec<PaidEntry>,
    /// With the order's payment key.
    pub payments: Vec<Payment>,
    /// The captures of `payments`, oldest first.
    pub captures: Vec<Movement>,
    /// The order's own payments that are for no entry and have no key, and their captures, oldest first.
    pub own: Vec<Payment>,
    pub own_captures: Vec<Movement>,
}

/// An entry with the captures that paid it, oldest first: what each has assigned, and how much of it no document has.
#[derive(Debug, Clone)]
pub struct PaidEntry {
    pub entry: Entry,
    pub paid_by: Vec<(Movement, Amount)>,
    /// The page it can be paid on, if there is one that still asks for what is open.
    pub page: Option<String>,
}

/// How an invoice was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceJournal {
    pub number: String,
    pub posting_date: NaiveDate,
    pub document: DocumentNumber,
    pub order: String,
    pub customer: String,
    /// Debit positive.
    pub postings: Vec<Posting>,
}

impl Ledger {
    /// Orders that may be billed, and those with an exception to look at again. `only_paid`: of the first only those that are
    /// Paid, or have a key to something that may be.
    pub fn billable_orders(&self, after: OrderId, limit: u32, only_paid: bool, task: &str) -> Result<Vec<OrderId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT o.id FROM orders o
             WHERE o.id > ?1 AND (
               (o.cancelled = 'none'
                AND (NOT ?3 OR o.payment_status = 'paid' OR EXISTS (SELECT 1 FROM order_keys k WHERE k.order_id = o.id)
                     OR EXISTS (SELECT 1 FROM entries e WHERE e.order_id = o.id AND e.document_id IS NULL AND e.status = 'balanced'))
                AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.order_id = o.id AND d.kind <> 'shipment'))
               OR EXISTS (SELECT 1 FROM invoice_sheets s WHERE s.order_id = o.id AND s.mail = 'wanted')
               OR EXISTS (SELECT 1 FROM exceptions e WHERE e.order_id = o.id AND e.task = ?4 AND e.state <> 'resolved'))
             ORDER BY o.id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit, only_paid, task), |row| row.id("id", OrderId))?.collect()
    }

    pub fn billing_case(&self, id: OrderId) -> Result<BillingCase> {
        let connection = &self.connection;
        let order = orders::order(connection, id)?;
        let keys = order_keys(connection, id)?;
        let key = keys.entry.as_ref().map(AssignmentKey::as_str);
        let entries = entries::list(connection, "key = ?1 OR order_id = ?2 AND document_id IS NULL", (key, id.0))?;
        let payments = match &keys.payment {
            Some(key) => {
                // One that failed pays nothing (trap T42), and what names entries pays those.
                let of_key = "p.id IN (SELECT payment_id FROM payment_keys WHERE key = ?1)
                              AND p.id NOT IN (SELECT payment_id FROM entry_items)
                              AND (p.status NOT IN ('refused', 'cancelled', 'expired')
                                   OR EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = p.id))";
                payments::list(connection, of_key, [key.as_str()])?
            }
            None => Vec::new(),
        };
        let own = "p.order_id = ?1 AND p.pays = '' AND p.id NOT IN (SELECT payment_id FROM payment_keys)
                   AND p.id NOT IN (SELECT payment_id FROM entry_items)";
        let own = payments::list(connection, own, [id.0])?;
        let captures = |of: &[Payment]| -> Result<Vec<Movement>> {
            let mut captures = Vec::new();
            for payment in of {
                captures.extend(captures_of(connection, payment.id, None)?);
            }
            captures.sort_by_key(|capture| (capture.occurred_at, capture.id));
            Ok(captures)
        };
        let (captures, own_captures) = (captures(&payments)?, captures(&own)?);
        Ok(BillingCase {
            lines: order_lines(connection, id)?,
            documents: documents::named_of_order(connection, id)?,
            is_invoiced: is_invoiced(connection, id)?,
            unsent: self.unsent_invoice(id)?,
            customer: customer(connection, &order.bill_to)?.map(|(_, customer)| customer),
            rivals: rivals(connection, id, &keys)?,
            entries: entries.into_iter().map(|entry| paid_entry(connection, entry)).collect::<Result<_>>()?,
            order,
            keys,
            payments,
            captures,
            own,
            own_captures,
        })
    }

    /// Of the newest invoice payjournal made for an order.
    pub fn invoice_number(&self, order: OrderId) -> Result<Option<DocumentNumber>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT d.number FROM invoices i JOIN documents d ON d.id = i.document_id WHERE i.order_id = ?1 ORDER BY i.generation DESC",
        )?;
        let mut found = statement.query_and_then([order.0], |row| row.named("number", DocumentNumber::parse))?;
        found.next().transpose()
    }

    /// The lines of an invoice that payjournal made, as they were priced; none for any other document.
    pub fn invoice_lines(&self, document: DocumentId) -> Result<Vec<PricedLine>> {
        invoice_lines(&self.connection, document)
    }

    /// By number: the same on every machine.
    pub fn invoice_journals(&self, from: Option<NaiveDate>, until: Option<NaiveDate>) -> Result<Vec<InvoiceJournal>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT j.number, j.posting_date, j.currency, d.number AS document, d.bill_to, o.shop || '/' || o.number AS order_name,
               p.account, p.amount_minor
             FROM invoice_journals j JOIN invoices i ON i.document_id = j.document_id JOIN documents d ON d.id = j.document_id
             JOIN orders o ON o.id = i.order_id JOIN invoice_postings p ON p.journal_id = j.id
             WHERE (?1 IS NULL OR j.posting_date >= ?1) AND (?2 IS NULL OR j.posting_date < ?2)
             ORDER BY j.number, p.line",
        )?;
        let mut rows = statement.query((from.map(day_text), until.map(day_text)))?;
        let mut journals: Vec<InvoiceJournal> = Vec::new();
        while let Some(row) = rows.next()? {
            let number = row.text("number")?;
            let posting =
                Posting { account: row.named("account", Account::parse)?, amount: row.amount("amount_minor")? };
            match journals.last_mut().filter(|journal| journal.number == number) {
                Some(journal) => journal.postings.push(posting),
                None => journals.push(InvoiceJournal {
                    number: number.to_owned(),
                    posting_date: row.day("posting_date")?,
                    document: row.named("document", DocumentNumber::parse)?,
                    order: row.plain("order_name")?,
                    customer: row.plain("bill_to")?,
                    postings: vec![posting],
                }),
            }
        }
        Ok(journals)
    }
}

impl Writer<'_> {
    /// The lines of an order as this transaction has them.
    pub fn lines_of_order(&self, shop: &ShopName, number: &OrderNumber) -> Result<Vec<OrderLine>> {
        let order: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM orders WHERE shop = ?1 AND number = ?2")?
            .query_row((shop.as_str(), number.as_str()), |row| row.get(0))
            .optional()?;
        order.map_or(Ok(Vec::new()), |order| order_lines(self.connection, OrderId(order)))
    }

    /// Makes an invoice final: its number, the document with its lines and journal, its entry, and what is paid already. What
    /// another run did meanwhile is refused here: an order is billed once, an entry has one invoice, a capture is tied once.
    pub fn finalise_invoice(&self, draft: &InvoiceDraft) -> Result<()> {
        let order = orders::order(self.connection, draft.order)?;
        let drawn = self.draw_number(DocumentKind::Invoice, &draft.range, draft)?;
        let document = self.insert_invoice(&order, &drawn, draft)?;
        self.insert_sheet(document, draft, &draft.sheet)?;
        self.book_invoice(&order, &drawn.number, document, draft)?;
        let entry = match &draft.entry {
            EntryChoice::Existing(entry) => {
                self.relate_entry(*entry, document)?;
                *entry
            }
            EntryChoice::New { payment_key } => {
                let title = format!("Invoice {}", drawn.number);
                self.insert_entry(&NewEntry {
                    reference: None,
                    customer: &draft.bill_to,
                    order: Some(draft.order),
                    key: None,
                    payment_key: payment_key.as_ref(),
                    title: &title,
                    initial: draft.total,
                    due_on: None,
                    document: Some(document),
                })?
            }
        };
        let is_new = matches!(draft.entry, EntryChoice::New { .. });
        for Tie { movement, amount } in &draft.ties {
            self.bind_payer(*movement, draft.order)?;
            if is_new {
                self.assign(Assignment { entry, movement: *movement, amount: *amount })?;
            }
            self.apply_to_invoice(*movement, document, *amount)?;
        }
        self.refresh_order_status(draft.order)
    }

    /// A payment that names no order is this one's, unless it pays several entries.
    pub(super) fn bind_payer(&self, movement: MovementId, order: OrderId) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT m.payment_id FROM movements m JOIN payments p ON p.id = m.payment_id
             WHERE m.id = ?1 AND p.order_id IS NULL AND p.pays = ''
               AND (SELECT count(*) FROM entry_items i WHERE i.payment_id = p.id) < 2",
        )?;
        let mut payers = statement.query_and_then([movement.0], |row| row.id("payment_id", PaymentId))?;
        match payers.next() {
            Some(payer) => self.bind_payment(&payments::payment(self.connection, payer?)?, order),
            None => Ok(()),
        }
    }

    /// The next number of the period. One that the ERP has given already is left out: gaps are allowed, duplicates are not.
    fn draw_number(&self, kind: DocumentKind, range: &NumberRange, draft: &InvoiceDraft) -> Result<Drawn> {
        let period = range.period(draft.dated);
        loop {
            let counter: i64 = self
                .connection
                .prepare_cached(
                    "INSERT INTO number_counters (kind, period, last) VALUES (?1, ?2, ?3 + 1)
                     ON CONFLICT (kind, period) DO UPDATE SET last = last + 1 RETURNING last",
                )?
                .query_row((kind.as_str(), &period, range.start), |row| row.get(0))?;
            let number = range.number(draft.dated, &draft.bill_to, counter.unsigned_abs());
            let number = number.map_err(|error| LedgerError::Invariant(format!("no invoice number: {error}")))?;
            let is_taken: bool = self
                .connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM documents WHERE company = ?1 AND kind = ?2 AND number = ?3)",
                )?
                .query_row((self.books.company.as_str(), kind.as_str(), number.as_str()), |row| row.get(0))?;
            if !is_taken {
                return Ok(Drawn { number, period, counter });
            }
        }
    }

    fn insert_invoice(&self, order: &Order, drawn: &Drawn, draft: &InvoiceDraft) -> Result<DocumentId> {
        self.connection
            .prepare_cached(
                "INSERT INTO documents (company, kind, number, order_id, bill_to, currency, total_minor, paid_elsewhere_minor, posted_on)
                 VALUES (?1, 'invoice', ?2, ?3, ?4, ?5, ?6, 0, ?7)",
            )?
            .execute((
                self.books.company.as_str(),
                drawn.number.as_str(),
                order.id.0,
                draft.bill_to.as_str(),
                draft.total.currency().code(),
                draft.total.minor(),
                day_text(draft.dated),
            ))?;
        let document = DocumentId(self.connection.last_insert_rowid());
        self.connection
            .prepare_cached(
                "INSERT INTO invoices (document_id, order_id, generation, period, counter, finalised_at, run_id)
                 VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                document.0,
                order.id.0,
                &drawn.period,
                drawn.counter,
                time_text(self.now),
                self.run.map(|run| run.0),
            ))?;
        for PricedLine { line, net, tax } in &draft.lines {
            self.connection
                .prepare_cached(
                    "INSERT INTO invoice_lines (document_id, line, item, description, quantity, unit_price, tax_rate, net_minor, tax_minor)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute((
                    document.0,
                    line.line,
                    &line.item,
                    &line.description,
                    line.quantity.to_string(),
                    line.unit_price.to_string(),
                    line.tax_rate.to_string(),
                    net.minor(),
                    tax.minor(),
                ))?;
        }
        Ok(document)
    }

    fn book_invoice(
        &self,
        order: &Order,
        number: &DocumentNumber,
        document: DocumentId,
        draft: &InvoiceDraft,
    ) -> Result<()> {
        let postings = self.books.invoice_postings(&draft.bill_to, draft.total, &draft.lines)?;
        if postings.is_empty() {
            return Ok(());
        }
        let sum = Amount::sum(draft.total.currency(), postings.iter().map(|posting| posting.amount))?;
        if !sum.is_zero() {
            return Err(LedgerError::Invariant(format!("the journal of invoice {number} does not sum to zero")));
        }
        let name = format!("{}/{}", order.shop, order.number);
        let journal = invoice_journal_number([
            self.books.mode,
            self.books.company.as_str(),
            number.as_str(),
            &name,
            draft.total.currency().code(),
            &draft.total.minor().to_string(),
        ]);
        self.connection
            .prepare_cached(
                "INSERT INTO invoice_journals (document_id, number, posting_date, currency, booked_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                document.0,
                journal,
                day_text(draft.dated),
                draft.total.currency().code(),
                time_text(self.now),
            ))?;
        let id = self.connection.last_insert_rowid();
        for (line, posting) in (1_i64..).zip(&postings) {
            self.connection
                .prepare_cached(
                    "INSERT INTO invoice_postings (journal_id, line, account, amount_minor) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((id, line, posting.account.as_str(), posting.amount.minor()))?;
        }
        Ok(())
    }
}

struct Drawn {
    number: DocumentNumber,
    period: String,
    counter: i64,
}

pub(super) fn is_invoiced(connection: &Connection, order: OrderId) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM invoices WHERE order_id = ?1)")?
        .query_row([order.0], |row| row.get(0))?)
}

/// Whether payjournal made a document.
pub(super) fn is_ours(connection: &Connection, document: DocumentId) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM invoices WHERE document_id = ?1)")?
        .query_row([document.0], |row| row.get(0))?)
}

pub(super) fn order_keys(connection: &Connection, order: OrderId) -> Result<OrderKeys> {
    let mut statement =
        connection.prepare_cached("SELECT entry_key, payment_key FROM order_keys WHERE order_id = ?1")?;
    let mut found = statement.query_and_then([order.0], |row| {
        let key = |column| Ok::<_, LedgerError>(row.optional_text(column)?.map(AssignmentKey::parse).transpose()?);
        Ok(OrderKeys { entry: key("entry_key")?, payment: key("payment_key")? })
    })?;
    found.next().unwrap_or_else(|| Ok(OrderKeys::default()))
}

pub(super) fn order_line(connection: &Connection, order: OrderId, line: u32) -> Result<Option<OrderLine>> {
    connection
        .prepare_cached("SELECT * FROM order_lines WHERE order_id = ?1 AND line = ?2")?
        .query_row((order.0, line), |row| Ok(line_from_row(row)))
        .optional()?
        .transpose()
}

fn order_lines(connection: &Connection, order: OrderId) -> Result<Vec<OrderLine>> {
    let mut statement = connection.prepare_cached("SELECT * FROM order_lines WHERE order_id = ?1 ORDER BY line")?;
    statement.query_and_then([order.0], line_from_row)?.collect()
}

pub(super) fn invoice_lines(connection: &Connection, document: DocumentId) -> Result<Vec<PricedLine>> {
    let mut statement = connection.prepare_cached(
        "SELECT l.*, d.currency FROM invoice_lines l JOIN documents d ON d.id = l.document_id WHERE l.document_id = ?1 ORDER BY l.line",
    )?;
    let priced = |row: &Row<'_>| {
        Ok(PricedLine { line: line_from_row(row)?, net: row.amount("net_minor")?, tax: row.amount("tax_minor")? })
    };
    statement.query_and_then([document.0], priced)?.collect()
}

fn line_from_row(row: &Row<'_>) -> Result<OrderLine> {
    let decimal = |column: &str| -> Result<Decimal> {
        let text = row.text(column)?;
        text.parse().map_err(|_| LedgerError::damaged(format!("`{text}` as {column}")))
    };
    Ok(OrderLine {
        line: row.count("line")?,
        item: row.plain("item")?,
        description: row.plain("description")?,
        quantity: decimal("quantity")?,
        unit_price: decimal("unit_price")?,
        tax_rate: decimal("tax_rate")?,
    })
}

/// Other orders that name the same key (trap T40).
fn rivals(connection: &Connection, order: OrderId, keys: &OrderKeys) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT o.shop || '/' || o.number AS name FROM order_keys k JOIN orders o ON o.id = k.order_id
         WHERE k.order_id <> ?1 AND (k.entry_key = ?2 OR k.payment_key = ?3) ORDER BY o.id LIMIT 10",
    )?;
    let key = |key: &Option<AssignmentKey>| key.as_ref().map(ToString::to_string);
    statement.query_and_then((order.0, key(&keys.entry), key(&keys.payment)), |row| row.plain("name"))?.collect()
}

fn paid_entry(connection: &Connection, entry: Entry) -> Result<PaidEntry> {
    let mut statement = connection.prepare_cached(
        "SELECT a.movement_id, m.payment_id, m.kind, sum(a.amount_minor) AS minor, m.currency
         FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE a.entry_id = ?1 GROUP BY a.movement_id",
    )?;
    let assigned: Vec<(MovementId, PaymentId, Amount)> = statement
        .query_and_then([entry.id.0], |row| {
            Ok((row.id("movement_id", MovementId)?, row.id("payment_id", PaymentId)?, row.amount("minor")?))
        })?
        .collect::<Result<_>>()?;
    let payments: BTreeSet<PaymentId> = assigned.iter().map(|(_, payment, _)| *payment).collect();
    let mut paid_by = Vec::new();
    for payment in payments {
        // What was paid back or charged back of it is not there any more: the oldest capture first.
        let of_payment = assigned.iter().filter(|(_, of, _)| *of == payment).map(|(_, _, amount)| *amount);
        let mut left = Amount::sum(entry.initial.currency(), of_payment)?.or_zero();
        for capture in captures_of(connection, payment, Some(entry.id))?.into_iter().rev() {
            let own = assigned.iter().find(|(id, _, _)| *id == capture.id).map(|(_, _, amount)| *amount);
            let Some(own) = own.filter(|own| own.is_positive()) else { continue };
            let part = own.at_most(left)?;
            left = left.checked_sub(part)?;
            paid_by.push((capture, part));
        }
    }
    paid_by.sort_by_key(|(capture, _)| (capture.occurred_at, capture.id));
    let page = entries::open_page(connection, &entry)?;
    Ok(PaidEntry { entry, paid_by, page })
}

/// The captures of a payment, with what an invoice may take of each: not what went back, and not what an entry has, but for
/// `entry`'s own.
fn captures_of(connection: &Connection, payment: PaymentId, entry: Option<EntryId>) -> Result<Vec<Movement>> {
    let mut all = movements::of_payment(connection, payment)?;
    let too_large = || LedgerError::damaged(format!("the movements of payment {payment} are too large"));
    // What was paid back without a document, or charged back, took prepaid money away again, of the oldest first.
    let mut gone: i64 = 0;
    for movement in &all {
        let takes = match movement.kind {
            MovementKind::Refund => movement.untied.minor(),
            MovementKind::Chargeback => movement.amount.minor(),
            MovementKind::ChargebackReversed => -movement.amount.minor(),
            MovementKind::Capture | MovementKind::CaptureFailure | MovementKind::RefundFailure => 0,
        };
        gone = gone.checked_add(takes).ok_or_else(too_large)?;
    }
    all.retain(|movement| movement.kind == MovementKind::Capture);
    for capture in &mut all {
        let free = capture.untied.minor() - entries::reserved(connection, capture.id, entry)?;
        let taken = gone.min(free).max(0);
        gone -= taken;
        capture.untied = Amount::from_minor((free - taken).max(0), capture.untied.currency());
    }
    Ok(all)
}
