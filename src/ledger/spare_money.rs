//! Money for entries beyond what is open of them: of a customer who pays on a page and beside it, or twice, or what was credited. Nothing
//! takes it, and it is no order's, whose own plan would tell of it.

use super::entries::entries_in_payment;
use super::row::Columns;
use super::{Result, Writer, billing, corrections, payments};
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{EntryId, MovementId, OrderId, PaymentId};
use crate::domain::money::{Amount, Currency};

impl Writer<'_> {
    /// Tells of what is captured of a payment beyond what is open of its entries, or that this is over.
    pub(super) fn tell_of_spare_money(&self, id: PaymentId) -> Result<()> {
        let entries = entries_in_payment(self.connection, id)?;
        if entries.is_empty() {
            return Ok(());
        }
        let payment = payments::payment(self.connection, id)?;
        let subject = format!("payment {}/{}", payment.provider, payment.transaction);
        // What became an order's with the invoice, the order's plan tells of; of what was all cancelled without one another exception does.
        let is_told = |entry: &Entry| entry.status == EntryStatus::Cancelled && entry.document.is_none();
        let may_be_spare = payment.order.is_none() && !entries.iter().all(is_told);
        let spare = if may_be_spare { self.spare_of(id, &entries, payment.authorised.currency())? } else { None };
        let Some(spare) = spare else { return self.resolve_subject(ExceptionKind::UntiedMoney, &subject) };
        let names: Vec<String> = entries.iter().map(Entry::name).collect();
        let message = format!(
            "{spare} more was captured for {} than is open of {}: it pays nothing by itself. `payjournal refund-balance {} --amount {}` pays \
             it back",
            names.join(" and "),
            if names.len() == 1 { "it" } else { "them" },
            payment.transaction,
            spare.decimal()
        );
        let about = About { payment: Some(id), ..About::default() };
        self.raise(&ExceptionDraft { kind: ExceptionKind::UntiedMoney, subject, message, about }, None)?;
        Ok(())
    }

    /// An entry is settled now, or is not any more: the same of all payments for it, but for that of the movement which did it.
    pub(super) fn tell_of_spare_money_of_entry(&self, entry: EntryId, by: Option<MovementId>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT i.payment_id FROM entry_items i WHERE i.entry_id = ?1
               AND i.payment_id IS NOT (SELECT payment_id FROM movements WHERE id = ?2)
               AND EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = i.payment_id AND m.kind = 'capture')",
        )?;
        let others = statement
            .query_and_then((entry.0, by.map(|movement| movement.0)), |row| row.id("payment_id", PaymentId))?;
        let others: Vec<PaymentId> = others.collect::<Result<_>>()?;
        others.into_iter().try_for_each(|payment| self.tell_of_spare_money(payment))
    }

    fn spare_of(&self, payment: PaymentId, entries: &[Entry], currency: Currency) -> Result<Option<Amount>> {
        let mut spare = Amount::zero(currency);
        for capture in billing::captures_of(self.connection, payment, None, None)? {
            // What a cancellation gave back waits for its order's next invoice.
            let kept = corrections::kept_for_others(self.connection, capture.id, OrderId(0))?;
            spare = spare.checked_add(capture.untied)?.checked_sub(Amount::from_minor(kept, currency))?;
        }
        for entry in entries.iter().filter(|entry| entry.status == EntryStatus::Open) {
            // What it cannot fill is none of its own.
            spare = spare.checked_sub(self.fills(payment, entry)?)?;
        }
        Ok(spare.is_positive().then_some(spare))
    }
}
