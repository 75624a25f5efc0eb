//! Invoices payjournal makes: numbered, written, booked and tied to what is paid already, all in one transaction.

use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension, Row};
use rust_decimal::Decimal;

use super::entries::NewEntry;
use super::free_balances::still_free;
use super::row::{Columns, day_text, time_text};
use super::{Ledger, LedgerError, Result, Writer, entries, orders, payments};
use crate::domain::booking::Posting;
use crate::domain::document::DocumentKind;
use crate::domain::id::{
    Account, AssignmentKey, CustomerNumber, DocumentId, DocumentNumber, EntryId, MovementId, OrderId, OrderNumber,
    PaymentId, ShopName,
};
use crate::domain::invoice::number::NumberRange;
use crate::domain::invoice::pricing::{OrderLine, PricedLine};
use crate::domain::invoice::{EntryChoice, InvoiceDraft, OrderKeys, Tie};
use crate::domain::money::Amount;
use crate::operation::key::invoice_journal_number;

/// How an invoice of ours, or what takes one back, was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceJournal {
    pub number: String,
    pub posting_date: NaiveDate,
    pub kind: DocumentKind,
    pub document: DocumentNumber,
    pub order: String,
    pub customer: String,
    /// Debit positive.
    pub postings: Vec<Posting>,
}

impl Ledger {
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
            "SELECT j.number, j.posting_date, j.currency, d.kind, d.number AS document, d.bill_to, o.shop || '/' || o.number AS order_name,
               p.account, p.amount_minor
             FROM invoice_journals j JOIN documents d ON d.id = j.document_id
             JOIN orders o ON o.id = d.order_id JOIN invoice_postings p ON p.journal_id = j.id
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
                    kind: row.choice("kind", DocumentKind::parse)?,
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
        // The plan has seen it there: another run sent its deletion since.
        self.refuse_going([draft.order])?;
        let draft = &still_free(self.connection, draft)?;
        let drawn = self.draw_number(DocumentKind::Invoice, &draft.range, draft.dated, &draft.bill_to)?;
        let issued = Issued {
            kind: DocumentKind::Invoice,
            number: &drawn.number,
            order: draft.order,
            bill_to: &draft.bill_to,
            dated: draft.dated,
            total: draft.total,
            references: None,
        };
        let document = self.insert_invoice(&issued, &drawn, &draft.lines)?;
        self.insert_sheet(document, draft, &draft.sheet)?;
        let postings = self.books.invoice_postings(&draft.bill_to, draft.total, &draft.lines)?;
        self.book_issued(&issued, document, &postings)?;
        let entry = self.entry_for(draft, document, &drawn.number)?;
        let is_new = !matches!(draft.entry, EntryChoice::Existing(_));
        for Tie { movement, amount, .. } in &draft.ties {
            self.bind_payer(*movement, draft.order)?;
            if is_new {
                self.assign_tied(entry, *movement, *amount)?;
            }
            self.apply_to_invoice(*movement, document, *amount)?;
        }
        self.refresh_order_status(draft.order)
    }

    fn entry_for(&self, draft: &InvoiceDraft, document: DocumentId, number: &DocumentNumber) -> Result<EntryId> {
        let (key, payment_key, heir_of) = match &draft.entry {
            EntryChoice::Existing(entry) => {
                self.relate_entry(*entry, document)?;
                return Ok(*entry);
            }
            EntryChoice::New { payment_key } => (None, payment_key.as_ref(), None),
            EntryChoice::Again { key, before } => (key.as_ref(), None, Some(*before)),
        };
        let title = format!("Invoice {number}");
        let reference = match heir_of {
            Some(before) => self.next_reference(before, number)?,
            None => self.free_reference(number.as_str())?,
        };
        let entry = self.insert_entry(&NewEntry {
            reference: reference.as_ref(),
            customer: &draft.bill_to,
            order: Some(draft.order),
            key,
            payment_key,
            title: &title,
            initial: draft.total,
            due_on: draft.sheet.due_on,
            document: Some(document),
        })?;
        if let Some(before) = heir_of {
            self.inherit_items(before, entry)?;
        }
        Ok(entry)
    }

    /// A payment that names no order is this one's, unless it pays several entries.
    pub(super) fn bind_payer(&self, movement: MovementId, order: OrderId) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT m.payment_id FROM movements m JOIN payments p ON p.id = m.payment_id
             WHERE m.id = ?1 AND p.order_id IS NULL AND p.pays = ''",
        )?;
        let mut payers = statement.query_and_then([movement.0], |row| row.id("payment_id", PaymentId))?;
        let Some(payer) = payers.next().transpose()? else { return Ok(()) };
        if entries::named_by(self.connection, payer)?.len() > 1 {
            return Ok(());
        }
        self.bind_payment(&payments::payment(self.connection, payer)?, order)
    }

    /// The next number of the period. One that the ERP has given already is left out: gaps are allowed, duplicates are not. A start that is
    /// raised counts at once: a restored ledger does not know which numbers were given after its backup.
    pub(super) fn draw_number(
        &self,
        kind: DocumentKind,
        range: &NumberRange,
        dated: NaiveDate,
        customer: &CustomerNumber,
    ) -> Result<Drawn> {
        let period = range.period(dated);
        loop {
            let counter: i64 = self
                .connection
                .prepare_cached(
                    "INSERT INTO number_counters (kind, period, last) VALUES (?1, ?2, ?3 + 1)
                     ON CONFLICT (kind, period) DO UPDATE SET last = max(last, ?3) + 1 RETURNING last",
                )?
                .query_row((kind.as_str(), &period, range.start), |row| row.get(0))?;
            let number = range.number(dated, customer, counter.unsigned_abs());
            let number =
                number.map_err(|error| LedgerError::Invariant(format!("no {} number: {error}", kind.noun())))?;
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

    fn insert_invoice(&self, issued: &Issued<'_>, drawn: &Drawn, lines: &[PricedLine]) -> Result<DocumentId> {
        let document = self.insert_issued(issued)?;
        self.connection
            .prepare_cached(
                "INSERT INTO invoices (document_id, order_id, generation, period, counter, finalised_at, run_id)
                 SELECT ?1, ?2, count(*) + 1, ?3, ?4, ?5, ?6 FROM invoices WHERE order_id = ?2",
            )?
            .execute((
                document.0,
                issued.order.0,
                &drawn.period,
                drawn.counter,
                time_text(self.now),
                self.run.map(|run| run.0),
            ))?;
        self.insert_lines(document, lines)?;
        Ok(document)
    }

    /// The row in `documents` of a document of ours.
    pub(super) fn insert_issued(&self, issued: &Issued<'_>) -> Result<DocumentId> {
        self.connection
            .prepare_cached(
                "INSERT INTO documents (company, kind, number, order_id, bill_to, currency, total_minor, paid_elsewhere_minor,
                                        references_number, posted_on)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9)",
            )?
            .execute((
                self.books.company.as_str(),
                issued.kind.as_str(),
                issued.number.as_str(),
                issued.order.0,
                issued.bill_to.as_str(),
                issued.total.currency().code(),
                issued.total.minor(),
                issued.references.map(DocumentNumber::as_str),
                day_text(issued.dated),
            ))?;
        Ok(DocumentId(self.connection.last_insert_rowid()))
    }

    pub(super) fn insert_lines(&self, document: DocumentId, lines: &[PricedLine]) -> Result<()> {
        for PricedLine { line, net, tax } in lines {
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
        Ok(())
    }

    /// The journal of a document of ours; none where all of it is nothing.
    pub(super) fn book_issued(&self, issued: &Issued<'_>, document: DocumentId, postings: &[Posting]) -> Result<()> {
        if postings.is_empty() {
            return Ok(());
        }
        let currency = issued.total.currency();
        let sum = Amount::sum(currency, postings.iter().map(|posting| posting.amount))?;
        if !sum.is_zero() {
            let what = format!("the journal of {} {} does not sum to zero", issued.kind.noun(), issued.number);
            return Err(LedgerError::Invariant(what));
        }
        let order = orders::order(self.connection, issued.order)?;
        let journal = invoice_journal_number(
            issued.kind,
            [
                self.books.mode,
                self.books.company.as_str(),
                issued.number.as_str(),
                &format!("{}/{}", order.shop, order.number),
                currency.code(),
                &issued.total.minor().to_string(),
            ],
        );
        self.connection
            .prepare_cached(
                "INSERT INTO invoice_journals (document_id, number, posting_date, currency, booked_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((document.0, journal, day_text(issued.dated), currency.code(), time_text(self.now)))?;
        let id = self.connection.last_insert_rowid();
        for (line, posting) in (1_i64..).zip(postings) {
            self.connection
                .prepare_cached(
                    "INSERT INTO invoice_postings (journal_id, line, account, amount_minor) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((id, line, posting.account.as_str(), posting.amount.minor()))?;
        }
        Ok(())
    }
}

/// A document of ours, as it is written and booked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issued<'a> {
    pub(super) kind: DocumentKind,
    pub(super) number: &'a DocumentNumber,
    pub(super) order: OrderId,
    pub(super) bill_to: &'a CustomerNumber,
    pub(super) dated: NaiveDate,
    pub(super) total: Amount,
    /// The invoice it takes back.
    pub(super) references: Option<&'a DocumentNumber>,
}

/// A number that was drawn, and what of its counter.
pub(super) struct Drawn {
    pub(super) number: DocumentNumber,
    pub(super) period: String,
    pub(super) counter: i64,
}

/// Whether an invoice of ours stands for an order.
pub(super) fn is_invoiced(connection: &Connection, order: OrderId) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM standing_invoices WHERE order_id = ?1)")?
        .query_row([order.0], |row| row.get(0))?)
}

/// Whether payjournal made a document.
pub(super) fn is_ours(connection: &Connection, document: DocumentId) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM invoices WHERE document_id = ?1) OR EXISTS (SELECT 1 FROM corrections WHERE document_id = ?1)",
        )?
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

pub(super) fn order_lines(connection: &Connection, order: OrderId) -> Result<Vec<OrderLine>> {
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
