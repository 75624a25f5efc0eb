//! Whose the money is that was meant for a deleted order, where another order has its key.

use std::borrow::Cow;

use super::index::Index;
use crate::ledger::rows::Rows;
use crate::simulate::record::{Cancelled, Record, Sale, SaleKey, Transaction};

/// The record with the order that each transaction pays: one that says of itself only a key or an entry pays, once it is bound, the
/// order that has the key then.
pub(super) fn with_heirs<'r>(record: &'r Record, rows: &Rows) -> Cow<'r, Record> {
    let mut changed = Cow::Borrowed(record);
    if record.deletions.is_empty() {
        return changed;
    }
    for row in &rows.payments {
        let Some(order) = &row.order else { continue };
        let Some(at) = record.transactions.iter().position(|one| one.id == row.transaction) else { continue };
        let is_heirs = record.transactions.get(at).is_some_and(|one| {
            // What was bound while it was gone stays where it is when a person puts it back.
            let was_gone = |other: &str, heir: &Sale| {
                one.told_at.max(heir.told_at).is_some_and(|since| record.was_gone_beside(other, order, since))
            };
            let is_it = |sale: &Sale| one.is_anonymous || matches!(sale.key, SaleKey::Payment(_));
            has_key_of(record, order, one, was_gone).is_some_and(is_it)
        });
        if let Some(one) = changed_transaction(&mut changed, at, is_heirs) {
            one.order = Some(order.clone());
        }
    }
    changed
}

fn changed_transaction<'r>(record: &'r mut Cow<'_, Record>, at: usize, is_heirs: bool) -> Option<&'r mut Transaction> {
    if is_heirs { record.to_mut().transactions.get_mut(at) } else { None }
}

/// Whether an order inherits a transaction that the ledger has bound to no order yet.
pub(super) fn inherits(index: &Index<'_>, order: &str, transaction: &Transaction) -> bool {
    let bound = index.payment_row(&transaction.id).and_then(|row| row.order.as_deref());
    bound.is_none() && has_key_of(index.record, order, transaction, |other, _| index.record.is_gone(other)).is_some()
}

/// The sale of an order that has the key of a transaction which is meant for another, deleted one, and does not say so itself.
fn has_key_of<'r>(
    record: &'r Record,
    order: &str,
    transaction: &Transaction,
    is_gone: impl Fn(&str, &Sale) -> bool,
) -> Option<&'r Sale> {
    let other = transaction.order.as_deref().filter(|other| *other != order)?;
    let of = |number: &str| record.sales.iter().find(|sale| sale.order == number);
    let own = of(order).filter(|sale| sale.told_at.is_some() && sale.key != SaleKey::Neither)?;
    let told = record.orders.iter().find(|one| one.number == order)?.told?;
    if told.cancelled != Cancelled::No {
        return None;
    }
    let says_no_order = transaction.is_anonymous || matches!(own.key, SaleKey::Entry(_));
    of(other).filter(|it| it.key == own.key && says_no_order && is_gone(other, own)).map(|_| own)
}
