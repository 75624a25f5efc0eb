//! The status the shop shows for an order (rule 14).

use crate::simulate::auditor::index::{Index, was_confirmed};
use crate::simulate::auditor::{About, Found};
use crate::simulate::record::{Cancelled, EffectKind, ShopOrder, ShopTerms, Transaction};

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for order in &index.record.orders {
        let Some(row) = index.order_row(&order.number).filter(|_| order.told.is_some()) else { continue };
        if let Some(why) = what_is_wrong(index, order, &row.payment_status) {
            let about = About { order: Some(order.number.clone()), ..About::default() };
            found.tell("order-status", about, format!("{} is {}: {why}", order.number, row.payment_status));
        }
    }
}

fn what_is_wrong(index: &Index<'_>, order: &ShopOrder, status: &str) -> Option<String> {
    if order.terms == ShopTerms::OnAccount {
        return (status != "paid").then(|| "on account is always paid".to_owned());
    }
    let known = || index.paying_order(&order.number).filter(|(_, transaction)| transaction.told_at.is_some());
    let has = |wanted: &[&str]| known().any(|(_, transaction)| wanted.contains(&transaction.status));
    if status == "error" || has(&["error"]) {
        return wrong_error(index, order, status, has(&["error"]));
    }
    let (captured, ever) = captured(index, order, known().map(|(at, _)| at));
    let progress = has(&["pending", "authorised", "captured"]) || captured > 0;
    let ended = has(&["released", "cancelled", "refused"]);
    if is_reached(index, order, captured) {
        return (status != "paid").then(|| format!("{captured} were captured, which is what it takes"));
    }
    // A payment of its invoices may belong to it in the ledger, or to another order.
    let beside = index
        .documents_of(&order.number)
        .iter()
        .any(|posted| posted.kind == "invoice" && index.paying_invoice(&posted.number).next().is_some());
    match status {
        "new" | "cancelled" | "in_progress" if beside => None,
        "paid" => (ever == 0).then(|| "nothing was ever captured".to_owned()),
        "new" => (progress || ended).then(|| format!("its payments are {:?}", statuses(known()))),
        "cancelled" => (progress || !ended).then(|| format!("its payments are {:?}", statuses(known()))),
        _ => {
            let all_ended =
                known().all(|(_, transaction)| matches!(transaction.status, "released" | "cancelled" | "refused"));
            (all_ended && captured == 0).then(|| format!("its payments are {:?}", statuses(known())))
        }
    }
}

fn statuses<'a>(known: impl Iterator<Item = (usize, &'a Transaction)>) -> Vec<&'static str> {
    known.map(|(_, transaction)| transaction.status).collect()
}

/// Error is terminal: one payment was in error, now or once, and a person was told.
fn wrong_error(index: &Index<'_>, order: &ShopOrder, status: &str, is: bool) -> Option<String> {
    let mut told = index.told_of_order(&order.number).iter().chain(
        index.paying_order(&order.number).flat_map(|(_, transaction)| index.told_of_transaction(&transaction.id)),
    );
    if status != "error" {
        return Some("a payment is in error".to_owned());
    }
    let is_told = told.any(|row| row.kind == "payment_error");
    (!is_told).then(|| format!("nobody was told of a payment in error; one is: {is}"))
}

/// Captured now for the order, and ever by any payment of it or of its invoices.
fn captured(index: &Index<'_>, order: &ShopOrder, known: impl Iterator<Item = usize>) -> (i64, i64) {
    let mut places: Vec<usize> = known.collect();
    let captures = |at: usize| index.of_kind(at, EffectKind::Capture).filter(|done| was_confirmed(done.effect));
    let live = places.iter().flat_map(|at| captures(*at)).filter(|done| done.effect.is_live());
    let net = live.map(|done| done.effect.amount).sum();
    let invoices = index.documents_of(&order.number).iter().filter(|posted| posted.kind == "invoice");
    places.extend(invoices.flat_map(|posted| index.paying_invoice(&posted.number).map(|(at, _)| at)));
    places.sort_unstable();
    places.dedup();
    let ever = places.iter().flat_map(|at| captures(*at)).map(|done| done.effect.amount).sum();
    (net, ever)
}

/// What it takes for Paid: the total, the prepaid part, or what was invoiced where the rest is cancelled. The prepaid part
/// is rounded one way or the other: to the unit below it nothing is demanded.
fn is_reached(index: &Index<'_>, order: &ShopOrder, captured: i64) -> bool {
    let Some(told) = order.told else { return false };
    let known = index.documents_of(&order.number).iter().filter(|posted| posted.told_at.is_some());
    let invoiced: i64 = known.filter(|posted| posted.kind == "invoice").map(|posted| posted.total).sum();
    let reached = match (told.cancelled, order.terms) {
        (Cancelled::Rest | Cancelled::Full, _) => captured >= invoiced,
        (Cancelled::No, ShopTerms::Prepayment(points)) => captured * 10_000 >= told.total * points + 10_000,
        (Cancelled::No, ShopTerms::Online | ShopTerms::OnAccount) => captured >= told.total,
    };
    captured > 0 && reached
}
