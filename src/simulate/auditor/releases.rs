//! What payjournal gives back of an authorisation, and when (rule 12).

use chrono::{DateTime, TimeDelta, Utc};

use crate::simulate::record::{Asked, Cancelled, EffectKind, Posted, ShopTerms, Transaction, Trigger};

use super::Found;
use super::captures::CLOCK_ERROR;
use super::index::{Done, Index, was_confirmed};
use super::intents::said;

/// The kind of document that makes payjournal capture; of an authorisation captured by itself the invoices remain.
pub(super) fn triggering(trigger: Trigger) -> Option<&'static str> {
    match trigger {
        Trigger::Invoice | Trigger::Authorisation { .. } => Some("invoice"),
        Trigger::Shipment => Some("shipment"),
        Trigger::Never => None,
    }
}

/// What is told while a run goes on, or a call is on its way, may come too late for it.
pub(super) const A_RUN: TimeDelta = TimeDelta::hours(1);

/// The order was told so shortly before that the plan may not have known.
pub(super) fn is_fresh(asked: &Asked, at: DateTime<Utc>) -> bool {
    asked.told_order_at.is_some_and(|told| at - told < A_RUN)
}

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        for done in index.of_kind(at, EffectKind::Release) {
            let Some(asked) = done.effect.ours().filter(|_| !done.effect.after_no) else { continue };
            for (invariant, wrong) in [
                ("release-after-captures", too_early(asked)),
                ("release-with-cause", without_cause(index, transaction, asked, done.effect.at)),
                ("release-within-left", above_what_is_left(index, at, transaction, done)),
                ("release-keeps-needed", needed_still(index, transaction, done)),
            ] {
                if let Some(why) = wrong {
                    found.tell(invariant, index.about(done.effect), format!("{}: {why}", said(done.effect)));
                }
            }
        }
    }
}

fn too_early(asked: &Asked) -> Option<String> {
    (asked.unsettled_captures != 0).then(|| format!("{} captures were not settled", asked.unsettled_captures))
}

fn without_cause(index: &Index<'_>, transaction: &Transaction, asked: &Asked, at: DateTime<Utc>) -> Option<String> {
    let Some(told) = asked.told_order else { return Some("of no order anybody was told of".to_owned()) };
    // What the ERP told, or what payjournal billed itself.
    let order = transaction.order.as_deref().unwrap_or_default();
    // What a person took back later stood then.
    let taken_back = |posted: &&Posted| posted.cancelled_at.is_some_and(|taken_back| at < taken_back + A_RUN);
    let taken_back = index.billed.iter().filter(|posted| posted.order.as_deref() == Some(order)).filter(taken_back);
    let documents = index.documents_of(order).iter().copied().chain(taken_back);
    // An invoice of ours has the time of the run that made it.
    let is_late = |posted: &Posted| index.record.clock_jumps > 0 && index.is_ours(&posted.number);
    let until = |posted: &Posted| if is_late(posted) { at + CLOCK_ERROR } else { at };
    let billed =
        documents.filter(|posted| posted.kind == "invoice" && posted.told_at.is_some_and(|told| told <= until(posted)));
    let invoiced = asked.told_invoiced.max(billed.map(|posted| posted.total).sum());
    let reached = match transaction.trigger {
        Trigger::Invoice | Trigger::Authorisation { .. } => invoiced >= told.total,
        Trigger::Shipment => asked.told_shipped >= told.total,
        Trigger::Never => return Some("of a payment that is captured without payjournal".to_owned()),
    };
    // Of a cancelled rest nobody knows what it is before something was delivered.
    let cancelled = match told.cancelled {
        Cancelled::No => false,
        Cancelled::Rest => invoiced > 0 || asked.told_shipped > 0,
        Cancelled::Full => true,
    };
    (!reached && !cancelled && !is_fresh(asked, at))
        .then(|| format!("invoiced {invoiced}, shipped {} of {}, not cancelled", asked.told_shipped, told.total))
}

fn above_what_is_left(index: &Index<'_>, at: usize, transaction: &Transaction, done: Done<'_>) -> Option<String> {
    let left = transaction.authorised - index.standing_before(at, EffectKind::Capture, done.place);
    (!transaction.adjusted && done.effect.amount > left).then(|| format!("{left} were left"))
}

/// The only transaction of its order is given back while documents told of lack money it could have paid.
fn needed_still(index: &Index<'_>, transaction: &Transaction, done: Done<'_>) -> Option<String> {
    let order = index.order(transaction.order.as_deref()).filter(|order| order.terms == ShopTerms::Online)?;
    if !transaction.pays.is_empty() || index.paying_order(&order.number).count() != 1 {
        return None;
    }
    let kind = triggering(transaction.trigger)?;
    let needed = needed(index, &order.number, kind, done.place, done.effect.at - A_RUN);
    (needed > 0).then(|| format!("documents of {} lacked {needed}", order.number))
}

/// What the order's documents of a kind, known by then, lacked before an effect. At least: everything captured for the order
/// or by the customer for its invoices is taken as paid, and what was paid by hand since as paid before.
pub(super) fn needed(index: &Index<'_>, order: &str, kind: &str, place: usize, by: DateTime<Utc>) -> i64 {
    let known = |posted: &&&Posted| posted.kind == kind && posted.told_at.is_some_and(|told| told <= by);
    let open = |posted: &&Posted| (posted.total - posted.by_hand.max(posted.told_by_hand)).max(0);
    let wanted: i64 = index.documents_of(order).iter().filter(known).map(open).sum();
    let by_hand: i64 = index
        .documents_of(order)
        .iter()
        .filter(|posted| kind == "shipment" && posted.kind == "invoice")
        .map(|posted| posted.by_hand.max(posted.told_by_hand))
        .sum();
    let invoices = index.documents_of(order).iter().filter(|posted| posted.kind == "invoice");
    let mut places: Vec<usize> = index.paying_order(order).map(|(at, _)| at).collect();
    places.extend(invoices.flat_map(|posted| index.paying_invoice(&posted.number).map(|(at, _)| at)));
    places.sort_unstable();
    places.dedup();
    // Money of the customer's other orders may have paid what payjournal billed.
    let others = index.record.transactions.iter().enumerate().filter(|(at, _)| places.binary_search(at).is_err());
    let ours: Vec<&str> = index
        .documents_of(order)
        .iter()
        .filter(|posted| posted.kind == "invoice" && index.is_ours(&posted.number))
        .map(|posted| posted.number.as_str())
        .collect();
    let free: i64 = others
        .flat_map(|(_, other)| ours.iter().map(|invoice| super::books::paid_for(index, invoice, &other.id)))
        .sum();
    let captures = places.into_iter().flat_map(|at| index.of_kind(at, EffectKind::Capture));
    let paid: i64 = captures
        .filter(|done| done.place < place)
        .filter(|done| done.effect.ours().is_none() || done.effect.is_live() || was_confirmed(done.effect))
        // That it was less than asked for may not have been known yet.
        .map(|done| done.effect.asked_other().unwrap_or(done.effect.amount))
        .sum();
    wanted - by_hand - paid - free
}
