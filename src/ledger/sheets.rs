//! What stands on the invoices payjournal made, and the mails that bring them to their customers.

use rusqlite::{Connection, Row};

use super::corrections::correction;
use super::invoices::invoice_lines;
use super::pages::{OpenItem, open_item};
use super::row::{Columns, day_text, time_text};
use super::{Ledger, LedgerError, Result, Writer};
use crate::domain::document::DocumentKind;
use crate::domain::entry::Entry;
use crate::domain::id::{DocumentId, DocumentNumber, MailId, OrderId};
use crate::domain::invoice::pricing::Prices;
use crate::domain::invoice::sheet::{Corrected, InvoiceSheet, Parties};
use crate::domain::invoice::{InvoiceDraft, SheetDraft};
use crate::domain::letter::{CustomerLetter, Recipient};

/// An invoice whose customer was not written to yet.
#[derive(Debug, Clone, PartialEq)]
pub struct UnsentInvoice {
    pub document: DocumentId,
    /// Its part of natural keys.
    pub key: String,
    pub sheet: InvoiceSheet,
    /// Its entry; of what takes an invoice back: none.
    pub entry: Option<Entry>,
    /// What its customer could be given a page for.
    pub item: Option<OpenItem>,
}

impl Ledger {
    /// `None`: the document is none that payjournal made.
    pub fn invoice_sheet(&self, document: DocumentId) -> Result<Option<InvoiceSheet>> {
        sheet(&self.connection, document)
    }

    pub(super) fn unsent_invoices(&self, order: OrderId) -> Result<Vec<UnsentInvoice>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT document_id FROM invoice_sheets WHERE order_id = ?1 AND mail = 'wanted' ORDER BY document_id",
        )?;
        let mut unsent = Vec::new();
        for document in statement.query_and_then([order.0], |row| row.id("document_id", DocumentId))? {
            let document = document?;
            let key = super::documents::named(&self.connection, document)?.natural_key();
            let Some(sheet) = sheet(&self.connection, document)? else { continue };
            let entry = super::entries::list(&self.connection, "document_id = ?1", [document.0])?.pop();
            let item = entry.as_ref().map(|entry| open_item(&self.connection, &sheet, entry)).transpose()?.flatten();
            unsent.push(UnsentInvoice { document, key, sheet, entry, item });
        }
        Ok(unsent)
    }
}

impl Writer<'_> {
    pub(super) fn insert_sheet(&self, document: DocumentId, draft: &InvoiceDraft, sheet: &SheetDraft) -> Result<()> {
        let parties = serde_json::to_string(&sheet.parties)
            .map_err(|error| LedgerError::Invariant(format!("the parties of an invoice: {error}")))?;
        let paid = draft.total.checked_sub(draft.open()?)?;
        self.connection
            .prepare_cached(
                "INSERT INTO invoice_sheets (document_id, order_id, parties, prices, due_on, paid_minor, payment_url, mail, is_charged)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                document.0,
                draft.order.0,
                parties,
                sheet.prices.as_str(),
                sheet.due_on.map(day_text),
                paid.minor(),
                sheet.payment_url.as_ref().filter(|_| paid != draft.total && !sheet.is_charged),
                if sheet.is_mailed { "wanted" } else { "unwanted" },
                sheet.is_charged,
            ))?;
        Ok(())
    }

    /// What takes an invoice back says the same of everybody, and goes where the invoice went.
    pub(super) fn copy_sheet(&self, of: DocumentId, to: DocumentId) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO invoice_sheets (document_id, order_id, parties, prices, due_on, paid_minor, payment_url, mail)
                 SELECT ?2, order_id, parties, prices, NULL, 0, NULL, CASE mail WHEN 'unwanted' THEN 'unwanted' ELSE 'wanted' END
                 FROM invoice_sheets WHERE document_id = ?1",
            )?
            .execute((of.0, to.0))?;
        Ok(())
    }

    /// Queues the mail that brings an invoice to its customer, once.
    pub(super) fn send_invoice(&self, document: DocumentId, letter: &CustomerLetter) -> Result<bool> {
        let marked = self
            .connection
            .prepare_cached("UPDATE invoice_sheets SET mail = 'queued' WHERE document_id = ?1 AND mail = 'wanted'")?
            .execute([document.0])?;
        if marked == 0 {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "INSERT INTO mails (event, recipient, subject, body, written_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                &letter.event,
                Recipient::Customer.as_str(),
                &letter.subject,
                &letter.body,
                time_text(self.now),
            ))?;
        let mail = self.connection.last_insert_rowid();
        self.connection
            .prepare_cached("INSERT INTO customer_mails (mail_id, document_id, address) VALUES (?1, ?2, ?3)")?
            .execute((mail, document.0, &letter.address))?;
        Ok(true)
    }
}

/// Where a mail to a customer goes, and with which invoice.
pub(super) fn customer_mail(connection: &Connection, mail: MailId) -> Result<Option<(String, DocumentId)>> {
    let mut statement =
        connection.prepare_cached("SELECT address, document_id FROM customer_mails WHERE mail_id = ?1")?;
    let mut found =
        statement.query_and_then([mail.0], |row| Ok((row.plain("address")?, row.id("document_id", DocumentId)?)))?;
    found.next().transpose()
}

pub(super) fn sheet(connection: &Connection, document: DocumentId) -> Result<Option<InvoiceSheet>> {
    let mut statement = connection.prepare_cached(
        "SELECT s.*, d.number, d.posted_on, d.currency, d.total_minor, o.number AS order_number, o.ordered_on
         FROM invoice_sheets s JOIN documents d ON d.id = s.document_id JOIN orders o ON o.id = s.order_id WHERE s.document_id = ?1",
    )?;
    let mut found = statement.query_and_then([document.0], from_row)?;
    let Some(sheet) = found.next().transpose()? else { return Ok(None) };
    let corrects = correction(connection, document)?.map(|correction| Corrected {
        is_cancelled: correction.kind == DocumentKind::Cancellation,
        number: correction.invoice,
        dated: correction.invoice_dated,
        reason: correction.reason,
    });
    Ok(Some(InvoiceSheet { lines: invoice_lines(connection, document)?, corrects, ..sheet }))
}

/// Without its lines and what it corrects.
fn from_row(row: &Row<'_>) -> Result<InvoiceSheet> {
    let parties: Parties = serde_json::from_str(row.text("parties")?)
        .map_err(|error| LedgerError::damaged(format!("the parties of an invoice: {error}")))?;
    Ok(InvoiceSheet {
        number: row.named("number", DocumentNumber::parse)?,
        corrects: None,
        dated: row.day("posted_on")?,
        due_on: match row.optional_text("due_on")? {
            Some(_) => Some(row.day("due_on")?),
            None => None,
        },
        order: row.plain("order_number")?,
        ordered_on: row.day("ordered_on")?,
        parties,
        prices: row.choice("prices", Prices::parse)?,
        lines: Vec::new(),
        total: row.amount("total_minor")?,
        paid: row.amount("paid_minor")?,
        is_charged: row.plain("is_charged")?,
        payment_url: row.plain("payment_url")?,
    })
}
