//! Tying: captured money that is a prepayment pays an invoice (rule 15).

use super::journals::BookedJournal;
use super::{
    LedgerError, Result, Writer, corrections, documents, entries, journals, movements, payments, refund_requests,
};
use crate::domain::booking::{Direction, JournalDraft, JournalKind};
use crate::domain::id::{Account, DocumentId, JournalId, MovementId};
use crate::domain::money::Amount;
use crate::domain::movement::MovementKind;
use crate::domain::payment::Payment;

impl Writer<'_> {
    /// Ties captured money to an invoice that came later (rule 15): at most what is untied, once per invoice.
    pub fn apply_to_invoice(&self, movement: MovementId, document: DocumentId, amount: Amount) -> Result<()> {
        let movement = movements::movement(self.connection, movement)?;
        if amount.minor() > movement.untied.minor() {
            return Err(LedgerError::Invariant(format!(
                "{amount} of capture {} cannot be tied, only {} is untied",
                movement.modification, movement.untied
            )));
        }
        let payment = payments::payment(self.connection, movement.payment)?;
        // What was paid back without a document was prepaid money too, and another run may have learnt of it just now.
        let wanted =
            Amount::from_minor(refund_requests::wanted(self.connection, movement.payment, None)?, amount.currency());
        let there = movements::untied(self.connection, movement.payment, amount.currency())?.checked_sub(wanted)?;
        if amount.minor() > there.minor() {
            return Err(LedgerError::Invariant(format!(
                "{amount} of capture {} cannot be tied, of payment {} only {there} is untied and not paid back",
                movement.modification, payment.transaction
            )));
        }
        let invoice = documents::document(self.connection, document)?;
        if corrections::is_cancelled(self.connection, document)? {
            return Err(LedgerError::Invariant(format!("{} was cancelled meanwhile", invoice.name())));
        }
        // Another payment may have paid it since it was planned.
        let free = invoice.total.checked_sub(invoice.booked)?.or_zero();
        if amount.minor() > free.minor() {
            return Err(LedgerError::Invariant(format!(
                "{amount} of capture {} cannot be tied to {}, which has no more than {free} left to be paid",
                movement.modification,
                invoice.name()
            )));
        }
        let Some(prepayments) = self.prepayments_of(movement.id)? else {
            return Err(LedgerError::damaged(format!(
                "capture {} is untied and has no prepayment",
                movement.modification
            )));
        };
        let on = self.books.posting_date(self.now).max(invoice.posted_on);
        let journal = self.books.application(&payment, &invoice, &prepayments, amount, on)?;
        self.insert_journal(movement.id, &payment, movement.kind, &movement.modification, &journal)?;
        self.tell_of_spare_money(payment.id)
    }

    /// The account the prepaid money of a capture was last booked on.
    pub(super) fn prepayments_of(&self, movement: MovementId) -> Result<Option<Account>> {
        let journals = journals::drafts_of_movement(self.connection, movement)?;
        let mut booked =
            journals.into_iter().rev().filter_map(|JournalDraft { kind, postings: [_, credit], .. }| {
                matches!(kind, JournalKind::Prepayment | JournalKind::Return).then_some(credit.account)
            });
        Ok(booked.next())
    }

    /// The account the prepaid money of a payment is on: that of the time when it came, also where its order came into the ledger since.
    pub(super) fn prepayments_of_payment(&self, payment: &Payment) -> Result<Option<Account>> {
        let mut all = movements::of_payment(self.connection, payment.id)?;
        all.retain(|movement| movement.kind == MovementKind::Capture);
        let mut booked = all.iter().rev().map(|capture| self.prepayments_of(capture.id));
        booked.find_map(Result::transpose).transpose()
    }

    /// A capture pays an invoice once.
    pub(super) fn is_tied(&self, movement: MovementId, document: DocumentId) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM journals WHERE movement_id = ?1 AND document_id = ?2)")?
            .query_row((movement.0, document.0), |row| row.get(0))?)
    }

    /// Ties at most `amount` of a capture to an invoice that lacks it: at most what is untied. What the ERP does not know to be lacking yet
    /// waits: then the payment is the order's already.
    pub(super) fn tie(&self, movement: MovementId, document: DocumentId, amount: Amount) -> Result<()> {
        let invoice = documents::document(self.connection, document)?;
        let capture = movements::movement(self.connection, movement)?;
        let asked_back =
            Amount::from_minor(refund_requests::wanted(self.connection, capture.payment, None)?, amount.currency());
        let there = movements::untied(self.connection, capture.payment, amount.currency())?.checked_sub(asked_back)?;
        let wanted = amount.at_most(invoice.lacking()?)?.at_most(capture.untied)?.at_most(there)?;
        if !wanted.is_positive() || self.is_tied(movement, document)? {
            return Ok(());
        }
        if let Some(order) = invoice.order {
            self.bind_payer(movement, order)?;
        }
        let known = invoice.uncollected(invoice.outstanding()?)?;
        let part = wanted.at_most(known)?;
        // It is tied once: as soon as all of it can be.
        if part.is_positive() && part == wanted.at_most(known.checked_add(invoice.undelivered_openings()?)?)? {
            self.apply_to_invoice(movement, document, part)?;
        }
        invoice.order.map_or(Ok(()), |order| self.refresh_order_status(order))
    }

    /// The ERP has what opens an invoice again: its entry's money can pay it.
    pub(super) fn tie_reopened(&self, journal: JournalId) -> Result<()> {
        let BookedJournal { document, kind, direction, .. } = journals::journal(self.connection, journal)?;
        let opens =
            (direction == Direction::Original) == matches!(kind, JournalKind::Reopening | JournalKind::ReturnedRefund);
        let Some(document) = document.filter(|_| opens) else { return Ok(()) };
        let of_document = entries::list(self.connection, "document_id = ?1 AND status <> 'cancelled'", [document.0])?;
        of_document.iter().try_for_each(|entry| self.tie_entry(entry.id))
    }
}
