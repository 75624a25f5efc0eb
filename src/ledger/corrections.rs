//! Documents that take back invoices of ours. Nothing of an invoice changes: what takes it back is a document of its own, with
//! the opposite journal, and each of the two is cleared by the other.

use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension};

use super::invoices::{Drawn, Issued, invoice_lines};
use super::row::{Columns, time_text};
use super::sheets::sheet;
use super::{Ledger, LedgerError, Result, Writer, documents, entries, movements, payments};
use crate::domain::booking::{JournalKind, Posting};
use crate::domain::consequence::MovementDraft;
use crate::domain::document::{Document, DocumentKind};
use crate::domain::id::{
    Account, CustomerNumber, DocumentId, DocumentNumber, MovementId, OperationId, OrderId, PaymentId, TransactionId,
};
use crate::domain::invoice::correction::{
    CancellationDraft, Cancelled, CannotCancel, CannotCredit, CreditDraft, Credited, credited,
};
use crate::domain::invoice::pricing::{self, PricedLine, Pricing};
use crate::domain::money::Amount;
use crate::domain::movement::{Movement, MovementKind};
use crate::operation::Kind;

/// What took an invoice back, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    pub kind: DocumentKind,
    pub number: DocumentNumber,
    pub dated: NaiveDate,
    pub reason: String,
    /// The invoice that it corrects, and its date.
    pub invoice: DocumentNumber,
    pub invoice_dated: NaiveDate,
}

impl Ledger {
    /// Of an invoice of ours, oldest first.
    pub fn corrections_of(&self, invoice: DocumentId) -> Result<Vec<Correction>> {
        list(&self.connection, "c.invoice_id = ?1", invoice)
    }
}

/// `document` itself, if it corrects an invoice of ours.
pub(super) fn correction(connection: &Connection, document: DocumentId) -> Result<Option<Correction>> {
    Ok(list(connection, "c.document_id = ?1", document)?.pop())
}

fn list(connection: &Connection, condition: &str, id: DocumentId) -> Result<Vec<Correction>> {
    let sql = format!(
        "SELECT d.kind, d.number, d.posted_on, c.reason, i.number AS invoice, i.posted_on AS invoice_dated FROM corrections c
         JOIN documents d ON d.id = c.document_id JOIN documents i ON i.id = c.invoice_id WHERE {condition} ORDER BY d.id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_and_then([id.0], |row| {
        Ok(Correction {
            kind: row.choice("kind", DocumentKind::parse)?,
            number: row.named("number", DocumentNumber::parse)?,
            dated: row.day("posted_on")?,
            reason: row.plain("reason")?,
            invoice: row.named("invoice", DocumentNumber::parse)?,
            invoice_dated: row.day("invoice_dated")?,
        })
    })?;
    rows.collect()
}

/// Whether an invoice of ours was cancelled.
pub(super) fn is_cancelled(connection: &Connection, document: DocumentId) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM corrections WHERE invoice_id = ?1 AND cancels = 1)")?
        .query_row([document.0], |row| row.get(0))?)
}

impl Writer<'_> {
    /// Takes an invoice of ours back: the opposite document and journal; what had paid it is the customer's again, under the key
    /// it had; its entry takes part in nothing any more, and its order can be billed again (rule 6).
    pub fn cancel_invoice(&self, draft: &CancellationDraft) -> Result<Result<Cancelled, CannotCancel>> {
        if let Some(why) = self.cannot_cancel(draft.invoice)? {
            return Ok(Err(why));
        }
        let invoice = documents::document(self.connection, draft.invoice)?;
        let order =
            invoice.order.ok_or_else(|| LedgerError::damaged(format!("{} without an order", invoice.name())))?;
        let dated = draft.dated.max(invoice.posted_on);
        let drawn = self.draw_number(DocumentKind::Cancellation, &draft.range, dated, &invoice.bill_to)?;
        let issued = Issued {
            kind: DocumentKind::Cancellation,
            number: &drawn.number,
            order,
            bill_to: &invoice.bill_to,
            dated,
            total: invoice.total,
            references: Some(&invoice.number),
        };
        let cancellation = self.insert_issued(&issued)?;
        self.insert_correction(cancellation, draft.invoice, true, &draft.reason, &drawn)?;
        self.insert_lines(cancellation, &invoice_lines(self.connection, draft.invoice)?)?;
        self.copy_sheet(draft.invoice, cancellation)?;
        self.book_issued(&issued, cancellation, &self.opposite_postings(&invoice)?)?;
        let returned = self.give_back(&invoice, cancellation, dated)?;
        for document in [draft.invoice, cancellation] {
            self.clear_again(document)?;
        }
        for entry in entries::list(self.connection, "document_id = ?1 AND status <> 'cancelled'", [draft.invoice.0])? {
            self.cancel_entry(entry.id)?;
        }
        self.resolve_of_document(draft.invoice)?;
        self.refresh_order_status(order)?;
        Ok(Ok(Cancelled { number: drawn.number, total: invoice.total, returned }))
    }

    /// Takes back lines of an invoice of ours. What is still open on the invoice is asked of nobody any more; the rest is the
    /// credit note's open total, which `refunds` pays back (rule 16).
    pub fn credit_invoice(&self, draft: &CreditDraft) -> Result<Result<Credited, CannotCredit>> {
        match self.cannot_cancel(draft.invoice)? {
            // Another part of it was; and what was charged back is judged when it is paid back.
            None | Some(CannotCancel::Credited { .. } | CannotCancel::ChargedBack { .. }) => {}
            Some(why @ (CannotCancel::NotOurs | CannotCancel::Already { .. } | CannotCancel::UnderWay { .. })) => {
                return Ok(Err(CannotCredit::Invoice(why)));
            }
        }
        let invoice = documents::document(self.connection, draft.invoice)?;
        let sold = invoice_lines(self.connection, draft.invoice)?;
        let Some(sheet) = sheet(self.connection, draft.invoice)? else {
            return Err(LedgerError::damaged(format!("{} without its sheet", invoice.name())));
        };
        let tax_rates = sold.iter().map(|line| line.line.tax_rate).collect();
        let pricing = Pricing { prices: sheet.prices, rounding: draft.rounding, tax_rates };
        let before = self.credited_lines(draft.invoice)?;
        let lines = match credited(&sold, &before, &draft.lines, &pricing) {
            Ok(lines) => lines,
            Err(why) => return Ok(Err(why)),
        };
        let total = pricing::total(&lines, invoice.total.currency())?;
        if !total.is_positive() {
            return Ok(Err(CannotCredit::NotPositive { total }));
        }
        let left = invoice.total.checked_sub(pricing::total(&before, invoice.total.currency())?)?;
        if total.minor() > left.minor() {
            return Ok(Err(CannotCredit::Exceeds { total, left }));
        }
        let applied = total.at_most(invoice.lacking()?.or_zero())?;
        let number = self.issue_credit_note(draft, &invoice, &lines, total, applied)?;
        Ok(Ok(Credited { number, total, applied }))
    }

    fn issue_credit_note(
        &self,
        draft: &CreditDraft,
        invoice: &Document,
        lines: &[PricedLine],
        total: Amount,
        applied: Amount,
    ) -> Result<DocumentNumber> {
        let order =
            invoice.order.ok_or_else(|| LedgerError::damaged(format!("{} without an order", invoice.name())))?;
        let dated = draft.dated.max(invoice.posted_on);
        let drawn = self.draw_number(DocumentKind::CreditNote, &draft.range, dated, &invoice.bill_to)?;
        let issued = Issued {
            kind: DocumentKind::CreditNote,
            number: &drawn.number,
            order,
            bill_to: &invoice.bill_to,
            dated,
            total,
            references: Some(&invoice.number),
        };
        let note = self.insert_issued(&issued)?;
        self.insert_correction(note, draft.invoice, false, &draft.reason, &drawn)?;
        self.insert_lines(note, lines)?;
        self.copy_sheet(draft.invoice, note)?;
        let postings = self.books.invoice_postings(&invoice.bill_to, total, lines)?;
        let opposite: Vec<Posting> =
            postings.into_iter().map(|posting| Posting { amount: posting.amount.negated(), ..posting }).collect();
        self.book_issued(&issued, note, &opposite)?;
        self.set_paid_elsewhere(note, applied)?;
        self.set_paid_elsewhere(draft.invoice, invoice.paid_elsewhere.checked_add(applied)?)?;
        self.reduce_entries_of(draft.invoice, applied)?;
        self.refresh_order_status(order)?;
        Ok(drawn.number)
    }

    /// Sets what is open of a credit note of ours against what is open of its invoice: both are asked of nobody any more. Returns how
    /// much; `None`: it is no credit note of ours.
    pub fn clear_credit_note(&self, note: DocumentId) -> Result<Option<Amount>> {
        let invoice: Option<i64> = self
            .connection
            .prepare_cached("SELECT invoice_id FROM corrections WHERE document_id = ?1 AND cancels = 0")?
            .query_row([note.0], |row| row.get(0))
            .optional()?;
        let Some(invoice) = invoice.map(DocumentId) else { return Ok(None) };
        let (note, invoice) =
            (documents::document(self.connection, note)?, documents::document(self.connection, invoice)?);
        let open = |document: &Document| -> Result<Amount> {
            let open = document.lacking()?;
            Ok(open.checked_sub(self.sent_for(document)?)?.or_zero())
        };
        let amount = open(&note)?.at_most(open(&invoice)?)?;
        if amount.is_positive() {
            for document in [&note, &invoice] {
                self.set_paid_elsewhere(document.id, document.paid_elsewhere.checked_add(amount)?)?;
            }
            self.reduce_entries_of(invoice.id, amount)?;
        }
        Ok(Some(amount))
    }

    /// What is on its way for a document: it was sent, and may arrive.
    fn sent_for(&self, document: &Document) -> Result<Amount> {
        let minor = self
            .connection
            .prepare_cached(
                "SELECT ifnull(sum(amount_minor), 0) FROM operations
                 WHERE (document_id = ?1 AND kind IN ('capture', 'refund') OR entry_id IN (SELECT id FROM entries WHERE document_id = ?1))
                   AND state IN ('sent', 'unknown', 'accepted', 'given_up')",
            )?
            .query_row([document.id.0], |row| row.get(0))?;
        Ok(Amount::from_minor(minor, document.total.currency()))
    }

    /// What opens an invoice again is set against what its credit notes still have to give back.
    pub(super) fn clear_notes_of(&self, invoice: DocumentId) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT document_id FROM corrections WHERE invoice_id = ?1 AND cancels = 0 ORDER BY document_id",
        )?;
        let notes = statement
            .query_and_then([invoice.0], |row| row.id("document_id", DocumentId))?
            .collect::<Result<Vec<_>>>()?;
        notes.into_iter().try_for_each(|note| self.clear_credit_note(note).map(|_| ()))
    }

    /// What earlier credit notes took back, line by line.
    fn credited_lines(&self, invoice: DocumentId) -> Result<Vec<PricedLine>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT document_id FROM corrections WHERE invoice_id = ?1 ORDER BY document_id")?;
        let notes = statement.query_and_then([invoice.0], |row| row.id("document_id", DocumentId))?;
        let mut lines = Vec::new();
        for note in notes {
            lines.extend(invoice_lines(self.connection, note?)?);
        }
        Ok(lines)
    }

    fn insert_correction(
        &self,
        document: DocumentId,
        invoice: DocumentId,
        cancels: bool,
        reason: &str,
        drawn: &Drawn,
    ) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO corrections (document_id, invoice_id, cancels, reason, period, counter, made_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((document.0, invoice.0, cancels, reason, &drawn.period, drawn.counter, time_text(self.now)))?;
        Ok(())
    }

    fn cannot_cancel(&self, invoice: DocumentId) -> Result<Option<CannotCancel>> {
        let is_ours: bool = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM invoices WHERE document_id = ?1)")?
            .query_row([invoice.0], |row| row.get(0))?;
        if !is_ours {
            return Ok(Some(CannotCancel::NotOurs));
        }
        let corrections = list(self.connection, "c.invoice_id = ?1", invoice)?;
        if let Some(by) = corrections.iter().find(|correction| correction.kind == DocumentKind::Cancellation) {
            return Ok(Some(CannotCancel::Already { by: by.number.clone() }));
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT id, kind FROM operations
             WHERE (document_id = ?1 AND kind IN ('capture', 'refund') OR entry_id IN (SELECT id FROM entries WHERE document_id = ?1))
               AND state NOT IN ('confirmed', 'refused', 'withdrawn') ORDER BY id LIMIT 1",
        )?;
        let mut under_way = statement.query_and_then([invoice.0], |row| {
            let kind = row.choice("kind", Kind::parse)?.as_str();
            Ok::<_, LedgerError>(CannotCancel::UnderWay { operation: row.id("id", OperationId)?, kind })
        })?;
        if let Some(operation) = under_way.next().transpose()? {
            return Ok(Some(operation));
        }
        // Ours, and the ERP's own for it.
        let mut statement = self.connection.prepare_cached(
            "SELECT n.number FROM documents d JOIN documents n ON n.kind = 'credit_note' AND n.company = d.company
               AND n.references_number = d.number WHERE d.id = ?1",
        )?;
        let mut notes = statement.query_and_then([invoice.0], |row| row.named("number", DocumentNumber::parse))?;
        if let Some(by) = notes.next().transpose()? {
            return Ok(Some(CannotCancel::Credited { by }));
        }
        for payer in self.payers(invoice)? {
            let payment = payments::payment(self.connection, payer)?;
            if payment.charged_back.is_positive() {
                let transaction: TransactionId = payment.transaction;
                return Ok(Some(CannotCancel::ChargedBack { transaction }));
            }
        }
        Ok(None)
    }

    /// The payments whose captures have paid an invoice.
    fn payers(&self, invoice: DocumentId) -> Result<Vec<PaymentId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT m.payment_id FROM journals j JOIN movements m ON m.id = j.movement_id
             WHERE j.document_id = ?1 AND m.kind = 'capture' ORDER BY m.payment_id",
        )?;
        statement.query_and_then([invoice.0], |row| row.id("payment_id", PaymentId))?.collect()
    }

    /// What paid the invoice goes back to the account of its customer, capture by capture, and what somebody had refunded of it is
    /// taken off that account, refund by refund: should one of them fail after all, each of its journals has its opposite. Returns
    /// what is left.
    fn give_back(&self, invoice: &Document, cancellation: DocumentId, on: NaiveDate) -> Result<Amount> {
        let mut returned = Amount::zero(invoice.total.currency());
        for payer in self.payers(invoice.id)? {
            let payment = payments::payment(self.connection, payer)?;
            let mut prepayments: Option<Account> = None;
            for movement in movements::of_payment(self.connection, payer)? {
                let kind = match movement.kind {
                    MovementKind::Capture => JournalKind::Return,
                    MovementKind::Refund => JournalKind::ReturnedRefund,
                    MovementKind::CaptureFailure
                    | MovementKind::RefundFailure
                    | MovementKind::Chargeback
                    | MovementKind::ChargebackReversed => continue,
                };
                let part = self.tied(&movement, invoice)?;
                if !part.is_positive() {
                    continue;
                }
                prepayments = self.prepayments_of(movement.id)?.or(prepayments);
                let to: (DocumentId, &CustomerNumber) = (cancellation, &invoice.bill_to);
                let journal = self.books.give_back(&payment, to, prepayments.as_ref(), (kind, part), on)?;
                self.insert_journal(movement.id, &payment, movement.kind, &movement.modification, &journal)?;
                let part = if kind == JournalKind::Return { part } else { part.negated() };
                returned = returned.checked_add(part)?;
            }
        }
        Ok(returned)
    }

    /// What a capture has paid of an invoice, or a refund taken back.
    fn tied(&self, movement: &Movement, invoice: &Document) -> Result<Amount> {
        let minor = self
            .connection
            .prepare_cached(
                "SELECT ifnull(sum(CASE direction WHEN 'original' THEN amount_minor ELSE -amount_minor END), 0)
                 FROM journals WHERE movement_id = ?1 AND document_id = ?2",
            )?
            .query_row((movement.id.0, invoice.id.0), |row| row.get(0))?;
        Ok(Amount::from_minor(minor, invoice.total.currency()))
    }

    /// A cancelled invoice and its cancellation clear each other: what journals have not paid of either is paid by the other.
    /// Asked again whenever one of their journals is undone; of any other document nothing changes.
    pub(super) fn clear_again(&self, document: DocumentId) -> Result<()> {
        let is_one_of_two: bool = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM corrections WHERE cancels = 1 AND (document_id = ?1 OR invoice_id = ?1))",
            )?
            .query_row([document.0], |row| row.get(0))?;
        if is_one_of_two {
            let Document { total, booked, .. } = documents::document(self.connection, document)?;
            self.set_paid_elsewhere(document, total.checked_sub(booked)?)?;
        }
        Ok(())
    }

    /// What comes for an invoice that was cancelled meanwhile is the customer's: it pays nothing yet.
    pub(super) fn without_cancelled(&self, draft: &MovementDraft) -> Result<MovementDraft> {
        let document = draft.document.filter(|_| draft.kind == MovementKind::Capture);
        let is_over = document.map_or(Ok(false), |document| is_cancelled(self.connection, document))?;
        Ok(MovementDraft { document: draft.document.filter(|_| !is_over), ..draft.clone() })
    }

    /// The journal of the invoice, turned round.
    fn opposite_postings(&self, invoice: &Document) -> Result<Vec<Posting>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT p.account, p.amount_minor FROM invoice_postings p JOIN invoice_journals j ON j.id = p.journal_id
             WHERE j.document_id = ?1 ORDER BY p.line",
        )?;
        let rows = statement.query_and_then([invoice.id.0], |row| {
            let amount = Amount::from_minor(row.plain("amount_minor")?, invoice.total.currency());
            Ok(Posting { account: row.named("account", Account::parse)?, amount: amount.negated() })
        })?;
        rows.collect()
    }

    /// What was to be looked at about a document that is over. Not what the ERP has refused of its journals: those are still to be
    /// delivered, and others wait for them; nor what happened at a PSP and is for a person to end.
    pub(super) fn resolve_of_document(&self, document: DocumentId) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE exceptions SET state = 'resolved', resolved_at = ?2 WHERE state <> 'resolved'
                   AND kind NOT IN ('amount_differs', 'answer_contradicts', 'chargeback', 'unasked_movement')
                   AND ifnull(operation_id, 0) NOT IN (SELECT id FROM operations WHERE kind = 'journal')
                   AND (document_id = ?1 OR operation_id IN (SELECT id FROM operations WHERE document_id = ?1))",
            )?
            .execute((document.0, time_text(self.now)))?;
        Ok(())
    }
}

/// What the last cancellation for an order gave back of each capture: it keeps its key, and pays the order's next invoice.
pub(super) fn given_back(connection: &Connection, order: OrderId) -> Result<Vec<(MovementId, PaymentId, Amount)>> {
    let mut statement = connection.prepare_cached(
        "SELECT j.movement_id, m.payment_id, max(j.id), j.amount_minor, j.currency FROM documents d
         JOIN journals j ON j.document_id = d.id AND j.kind = 'return' AND j.direction = 'original'
         JOIN movements m ON m.id = j.movement_id
         WHERE d.order_id = ?1 AND d.kind = 'cancellation' GROUP BY j.movement_id ORDER BY j.movement_id",
    )?;
    let rows = statement.query_and_then([order.0], |row| {
        Ok((row.id("movement_id", MovementId)?, row.id("payment_id", PaymentId)?, row.amount("amount_minor")?))
    })?;
    rows.collect()
}

/// What cancellations gave back of a capture for orders other than this, which can be billed again: it waits for those. In minor units.
pub(super) fn kept_for_others(connection: &Connection, movement: MovementId, order: OrderId) -> Result<i64> {
    Ok(connection
        .prepare_cached(
            "SELECT ifnull(sum(amount_minor), 0) FROM (
               SELECT j.amount_minor, max(j.id) FROM journals j JOIN documents d ON d.id = j.document_id JOIN orders o ON o.id = d.order_id
               WHERE j.movement_id = ?1 AND j.kind = 'return' AND j.direction = 'original' AND d.order_id <> ?2 AND o.cancelled <> 'full'
                 AND NOT EXISTS (SELECT 1 FROM standing_invoices i WHERE i.order_id = d.order_id)
               GROUP BY d.order_id)",
        )?
        .query_row((movement.0, order.0), |row| row.get(0))?)
}
