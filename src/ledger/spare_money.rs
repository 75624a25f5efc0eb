//! Money for entries of which nothing is open: of a customer who pays on a page and beside it, or twice, or what was credited. Nothing
//! takes it, and it is no order's, whose own plan would tell of it.

use super::entries::entries_of_payment;
use super::row::Columns;
use super::{Result, Writer, billing, payments};
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{EntryId, MovementId, PaymentId};
use crate::domain::money::{Amount, Currency};

impl Writer<'_> {
    /// Tells of what is captured of a payment whose entries were all settled otherwise, or that this is over.
    pub(super) fn tell_of_spare_money(&self, id: PaymentId) -> Result<()> {
        let entries = entries_of_payment(self.connection, id)?;
        if entries.is_empty() {
            return Ok(());
        }
        let payment = payments::payment(self.connection, id)?;
        let subject = format!("payment {}", payment.transaction);
        // What pays one entry becomes its order's with the invoice, and the order's plan tells what is too much.
        let is_nobodys = payment.order.is_none() && are_paid(&entries);
        let is_spare = is_nobodys && (entries.len() > 1 || !self.has_entry_of(id)?);
        let spare = if is_spare { self.spare_of(id, payment.authorised.currency())? } else { None };
        let Some(spare) = spare else { return self.resolve_subject(ExceptionKind::UntiedMoney, &subject) };
        let names: Vec<String> = entries.iter().map(Entry::name).collect();
        let message = format!(
            "{spare} was captured for {}, of which nothing is open any more: it pays nothing by itself. `payjournal refund-balance {}` \
             pays it back",
            names.join(" and "),
            payment.transaction
        );
        let about = About { payment: Some(id), ..About::default() };
        self.raise(&ExceptionDraft { kind: ExceptionKind::UntiedMoney, subject, message, about }, None)?;
        Ok(())
    }

    /// An entry is settled now, or is not any more: the same of all payments for it, but for that of the movement which did it.
    pub(super) fn tell_of_spare_money_for(&self, entry: EntryId, by: Option<MovementId>) -> Result<()> {
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

    fn spare_of(&self, payment: PaymentId, currency: Currency) -> Result<Option<Amount>> {
        let captures = billing::captures_of(self.connection, payment, None, None)?;
        let spare = Amount::sum(currency, captures.into_iter().map(|capture| capture.untied))?;
        Ok(spare.is_positive().then_some(spare))
    }

    /// Whether an entry has anything of the payment.
    fn has_entry_of(&self, payment: PaymentId) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM movements m JOIN assignments a ON a.movement_id = m.id JOIN entries e ON e.id = a.entry_id
                                WHERE m.payment_id = ?1 AND e.status <> 'cancelled' GROUP BY a.entry_id HAVING sum(a.amount_minor) > 0)",
            )?
            .query_row([payment.0], |row| row.get(0))?)
    }
}

fn is_paid(entry: &Entry) -> bool {
    entry.status == EntryStatus::Balanced
}

/// Nothing of them is open; of what is cancelled something else is told.
fn are_paid(entries: &[Entry]) -> bool {
    entries.iter().any(is_paid) && entries.iter().all(|entry| entry.status != EntryStatus::Open)
}
