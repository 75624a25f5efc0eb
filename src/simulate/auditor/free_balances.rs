//! Free balances: what a customer paid too much for one order may pay another that has no key. Nothing else goes from order to order.

use crate::ledger::rows::JournalRow;
use crate::simulate::record::{Cancelled, EffectKind, IsFor, Posted, Sale, SaleKey, Transaction};

use super::index::{Index, was_confirmed};
use super::{About, Found};

fn sale<'a>(index: &Index<'a>, order: Option<&str>) -> Option<&'a Sale> {
    index.record.sales.iter().find(|sale| Some(sale.order.as_str()) == order)
}

/// Whether money of one order may pay the invoice of another.
pub(super) fn may_pay(index: &Index<'_>, transaction: &Transaction, invoice: &Posted) -> bool {
    let of = sale(index, transaction.order.as_deref()).filter(|_| is_plain(index, transaction));
    let billed = sale(index, invoice.order.as_deref()).filter(|billed| billed.key == SaleKey::Neither);
    of.zip(billed).is_some_and(|(of, billed)| of.customer == billed.customer)
}

/// It is for its order, or the order's invoice, and names nothing else.
fn is_plain(index: &Index<'_>, transaction: &Transaction) -> bool {
    let is_orders = match &transaction.is_for {
        IsFor::Order => true,
        IsFor::Entry(reference) => index.is_ours(reference),
        IsFor::Key(_) => false,
    };
    is_orders && transaction.pays.is_empty()
}

/// SAFETY: no more goes elsewhere than the order's own payments brought above what it costs, unless it was cancelled.
pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for order in &index.record.orders {
        let is_going_on = order.told.is_some_and(|told| told.cancelled == Cancelled::No);
        let Some(sale) = sale(index, Some(&order.number)).filter(|_| is_going_on) else { continue };
        let sold: i64 = sale.lines.iter().map(|(gross, _)| gross).sum();
        // What a credit note cleared of its invoice nobody has to pay.
        let invoices = index.documents_of(&order.number).iter().filter(|posted| posted.kind == "invoice");
        let costs = sold - invoices.map(|posted| posted.told_by_hand).sum::<i64>();
        let (mut captured, mut elsewhere) = (0, 0);
        for (at, transaction) in index.meant_for_order(&order.number) {
            let done = index.of_kind(at, EffectKind::Capture).filter(|done| was_confirmed(done.effect));
            captured += done.map(|done| index.recorded_amount(done)).sum::<i64>();
            if is_plain(index, transaction) {
                elsewhere += paid_elsewhere(index, transaction);
            }
        }
        // What others have paid of it, it does not need any more.
        let by_others = by_others(index, &order.number);
        if elsewhere > (captured + by_others - costs).max(0) {
            let says = format!(
                "{elsewhere} of {captured} pay other orders, and it costs {costs} itself, of which others paid {by_others}"
            );
            found.tell("free-balance-is-free", About { order: Some(order.number.clone()), ..About::default() }, says);
        }
    }
}

/// What payments of other orders have paid of this one's invoices.
pub(super) fn by_others(index: &Index<'_>, order: &str) -> i64 {
    let invoices = index.documents_of(order).iter().filter(|posted| posted.kind == "invoice");
    let ties = invoices.flat_map(|posted| index.journals_for("invoice", &posted.number));
    let is_of_others = |journal: &&&JournalRow| {
        let booking = index.booking(journal.movement);
        let transaction = booking.and_then(|booking| index.transaction_named(&booking.movement.transaction));
        let is_other = |of: &Transaction| of.order.as_deref() != Some(order);
        let pays = matches!(journal.kind.as_str(), "application" | "receipt") && journal.direction == "original";
        pays && transaction.is_some_and(is_other)
    };
    ties.filter(is_of_others).map(|journal| journal.amount).sum()
}

fn paid_elsewhere(index: &Index<'_>, transaction: &Transaction) -> i64 {
    let is_elsewhere = |journal: &&&JournalRow| {
        let invoice = index.document(journal.document.as_ref());
        let stands = invoice.filter(|invoice| invoice.cancelled_at.is_none());
        journal.kind == "application" && stands.is_some_and(|invoice| invoice.order != transaction.order)
    };
    let bookings = index.bookings_of(&transaction.id).filter(|booking| booking.failure.is_none());
    bookings.map(|booking| booking.originals.iter().filter(is_elsewhere).map(|row| row.amount).sum::<i64>()).sum()
}
