//! Orders that payjournal had taken out of the ERP, and payment pages it had closed before (rules 22 to 24).

use std::collections::BTreeMap;

use crate::ledger::rows::{OperationRow, OrderRow};
use crate::simulate::record::{Cancelled, Cleaning, Deletion, EffectKind, SaleKey, ShopOrder, ShopTerms, Transaction};

use super::index::Index;
use super::releases::A_RUN;
use super::{About, Found};

/// A run whose clock is so many days ahead takes an order for older than it is.
const CLOCK_ERROR_DAYS: i64 = 2;

fn of_order(order: &str) -> About {
    About { order: Some(order.to_owned()), ..About::default() }
}

/// SAFETY.
pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    closings(index, found);
    for (place, deletion) in index.record.deletions.iter().enumerate() {
        // Flagged first, and gone for good later; once more after each restoration.
        let is_this = |other: &Deletion| {
            (&other.order, other.restored, other.method) == (&deletion.order, deletion.restored, deletion.method)
        };
        let again = index.record.deletions.iter().take(place).any(is_this).then(|| "it was gone already".to_owned());
        for (invariant, wrong) in [
            ("deletion-as-intended", unintended(index, "delete", &deletion.key)),
            ("deleted-unpaid", paid(index, deletion)),
            ("deletion-has-its-gates", without_gate(index, deletion)),
            ("deleted-unprotected", protected(index, deletion)),
            ("deleted-old-enough", too_young(index, deletion)),
            ("deleted-old-enough", too_short_in_quarantine(index, deletion)),
            ("deleted-once", again),
        ] {
            if let Some(why) = wrong {
                let says = format!("{} was deleted, asked for at {}: {why}", deletion.order, deletion.asked_at);
                found.tell(invariant, of_order(&deletion.order), says);
            }
        }
    }
    for operation in index.rows.operations.iter().filter(|row| row.kind == "delete") {
        let is_done = index.record.deletions.iter().any(|deletion| deletion.key == operation.key);
        if let Some(why) = misbelieved(index, operation, is_done) {
            let order = operation.order.as_deref().unwrap_or_default();
            found.tell("deletion-as-intended", of_order(order), format!("{order}: {why}"));
        }
    }
    tombstones(index, found);
    index.rows.orders.iter().for_each(|order| stock(index, order, found));
}

fn closings(index: &Index<'_>, found: &mut Found) {
    let done = |key: &str| index.record.closings.iter().find(|closing| closing.key == key);
    for closing in &index.record.closings {
        let Some(transaction) = index.record.transactions.get(closing.transaction) else { continue };
        // A page that asks for nothing any more is closed without an operation: closed twice is closed.
        let is_page = index.record.pages.iter().any(|page| page.transaction == closing.transaction);
        if let Some(why) = unintended(index, "cancel", &closing.key).filter(|_| !is_page) {
            let says = format!("{} was closed: {why}", transaction.id);
            found.tell("closing-as-intended", index.about_transaction(&transaction.id), says);
        }
    }
    for operation in index.rows.operations.iter().filter(|row| row.kind == "cancel") {
        if let Some(why) = misbelieved(index, operation, done(&operation.key).is_some()) {
            let says = format!("{}: {why}", operation.transaction.as_deref().unwrap_or_default());
            found.tell("closing-as-intended", index.about_operation(operation), says);
        }
    }
}

fn unintended(index: &Index<'_>, kind: &str, key: &str) -> Option<String> {
    let operation = index.operation_with_key(key).filter(|operation| operation.kind == kind);
    operation.is_none().then(|| format!("with key {key}, which no operation has"))
}

/// What the ledger believes of a closing or deletion must be possible for what happened.
fn misbelieved(index: &Index<'_>, operation: &OperationRow, is_done: bool) -> Option<String> {
    let wrong = match operation.state.as_str() {
        "confirmed" | "accepted" => !is_done,
        "refused" => is_done,
        // A run whose clock is ahead believes too early that a call can take effect no more.
        "planned" | "withdrawn" => is_done && (operation.tries == 0 || index.record.clock_jumps == 0),
        _ => false,
    };
    let (id, state, kind) = (operation.id, &operation.state, &operation.kind);
    wrong.then(|| format!("operation {id} ({kind}) is {state}, and it was done: {is_done}"))
}

/// A payment the ledger knew of could be paid, or had been. What a PSP takes against its word may come after the last question.
fn paid(index: &Index<'_>, deletion: &Deletion) -> Option<String> {
    let came_too_late = |one: &Transaction| {
        one.paid_after_end && one.authorised_at.is_some_and(|paid| paid > deletion.asked_at - A_RUN)
    };
    let was_paid = |one: &Transaction| one.authorised_at.is_some_and(|paid| paid <= deletion.asked_at);
    deletion.payments.iter().find_map(|(at, status)| {
        let one = index.record.transactions.get(*at)?;
        let is_over = matches!(*status, "cancelled" | "refused" | "expired") && !was_paid(one);
        (!is_over && !came_too_late(one))
            .then(|| format!("{} was {status}, and is {}, authorised at {:?}", one.id, one.status, one.authorised_at))
    })
}

fn too_young(index: &Index<'_>, deletion: &Deletion) -> Option<String> {
    let Some(cleaning) = index.record.cleaning else { return Some("the shop deletes nothing".to_owned()) };
    let wrong_clock = if index.record.clock_jumps > 0 { CLOCK_ERROR_DAYS } else { 0 };
    let border = i64::from(cleaning.older_than_days);
    (deletion.age_days + wrong_clock <= border).then(|| format!("{} days old, and {border} stay", deletion.age_days))
}

/// State, age, the PSP's answer, closed: each with what let the order through.
fn without_gate(index: &Index<'_>, deletion: &Deletion) -> Option<String> {
    let gates = index.rows.deletions.iter().find(|row| row.key == deletion.key).map_or(0, |row| row.gates);
    (gates != 4).then(|| format!("with the evidence of {gates} gates"))
}

/// Rule 22, of what the ledger was told long before.
fn protected(index: &Index<'_>, deletion: &Deletion) -> Option<String> {
    let order = index.order(Some(&deletion.order))?;
    match order.terms {
        ShopTerms::Online => {}
        ShopTerms::OnAccount | ShopTerms::Prepayment(_) => return Some(format!("it is paid {:?}", order.terms)),
    }
    let is_known = order.told_at.is_some_and(|told| told + A_RUN < deletion.asked_at);
    let is_cancelled = order.told.is_some_and(|told| told.cancelled != Cancelled::No);
    (is_known && is_cancelled).then(|| "it was cancelled in the ERP".to_owned())
}

fn too_short_in_quarantine(index: &Index<'_>, deletion: &Deletion) -> Option<String> {
    let cleaning = index.record.cleaning.filter(|cleaning| cleaning.quarantine_days > 0)?;
    if deletion.method == "flag" {
        return None;
    }
    let is_flag = |other: &&Deletion| {
        other.method == "flag" && (&other.order, other.restored) == (&deletion.order, deletion.restored)
    };
    let Some(flag) = index.record.deletions.iter().find(is_flag) else {
        return Some("it was never in quarantine".to_owned());
    };
    let wrong_clock = if index.record.clock_jumps > 0 { CLOCK_ERROR_DAYS } else { 0 };
    let days = deletion.on.signed_duration_since(flag.on).num_days();
    (days + wrong_clock < i64::from(cleaning.quarantine_days)).then(|| format!("after {days} days in quarantine"))
}

fn tombstones(index: &Index<'_>, found: &mut Found) {
    let mut standing: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for row in &index.rows.tombstones {
        let key = index.operation(row.operation).map(|operation| operation.key.as_str());
        let is_gone =
            index.record.deletions.iter().any(|gone| gone.order == row.order && Some(gone.key.as_str()) == key);
        if !is_gone {
            let says = format!("{} has a tombstone by operation {}, and the ERP has it", row.order, row.operation);
            found.tell("tombstone-is-true", of_order(&row.order), says);
        }
        if !row.is_restored {
            standing.entry(&row.order).or_default().push(row.is_final);
        }
    }
    for row in &index.rows.orders {
        // One for good at most, and one of quarantine before it.
        let of_it = standing.get(row.number.as_str()).map(Vec::as_slice).unwrap_or_default();
        if !matches!((row.deleted, of_it), (false, []) | (true, [_] | [false, true])) {
            let says = format!("{} has tombstones, for good: {of_it:?}, deleted: {}", row.number, row.deleted);
            found.tell("tombstone-is-true", of_order(&row.number), says);
        }
    }
}

fn stock(index: &Index<'_>, order: &OrderRow, found: &mut Found) {
    let mut released: BTreeMap<i64, i64> = BTreeMap::new();
    for row in index.rows.stock.iter().filter(|row| row.order == order.number) {
        *released.entry(row.line).or_default() += if row.direction == "release" { 1 } else { -1 };
    }
    // Reserved again with a restoration.
    released.retain(|_, times| *times != 0);
    let mut tombstones = index.rows.tombstones.iter().filter(|row| row.order == order.number);
    let is_gone = order.deleted && tombstones.any(|row| row.is_final && !row.is_restored);
    let wanted = if is_gone { order.lines } else { 0 };
    let lines = i64::try_from(released.len()).unwrap_or(i64::MAX);
    if lines != wanted || released.values().any(|times| *times != 1) {
        let says =
            format!("{} has {} lines, deleted: {}, released: {released:?}", order.number, order.lines, order.deleted);
        found.tell("stock-released-once", of_order(&order.number), says);
    }
}

/// LIVENESS.
pub(super) fn check_at_rest(index: &Index<'_>, found: &mut Found) {
    for deletion in index.record.deletions.iter().filter(|deletion| index.record.is_gone(&deletion.order)) {
        let order = deletion.order.as_str();
        if index.order_row(order).is_none_or(|row| !row.deleted) {
            found.tell("deletion-recorded", of_order(order), format!("{order} is gone, and the ledger has it"));
        }
        if let Some(why) = silent_money(index, order) {
            found.tell("late-money-told", of_order(order), format!("{order} is gone, and {why}"));
        }
    }
    let Some(cleaning) = index.record.cleaning else { return };
    for order in index.record.orders.iter().filter(|order| !index.record.is_gone(&order.number)) {
        if should_be_gone(index, order, cleaning) {
            let says = format!("nobody paid {}, nothing keeps it, and nobody is told why it stays", order.number);
            found.tell("unpaid-deleted-or-told", of_order(&order.number), says);
        }
    }
}

fn silent_money(index: &Index<'_>, order: &str) -> Option<String> {
    // What another order has the key of is that one's.
    let inherited = |one: &Transaction| {
        index
            .record
            .sales
            .iter()
            .any(|sale| !index.record.is_gone(&sale.order) && super::heirs::inherits(index, &sale.order, one))
    };
    let (_, paid) = index
        .meant_for_order(order)
        .find(|(at, one)| one.told_at.is_some() && has_money(index, *at, one) && !inherited(one))?;
    let told = index.told_of_order(order).iter().any(|row| row.kind == "paid_after_deletion" && is_told(index, row.id));
    (!told).then(|| format!("{} is {} of {}, which nobody was told", paid.id, paid.status, paid.authorised))
}

/// It is open, or a person has called it dealt with.
fn is_told(index: &Index<'_>, exception: i64) -> bool {
    let mut all = index.rows.exceptions.iter();
    let row = all.find(|row| row.id == exception);
    row.is_some_and(|row| row.state != "resolved" || index.record.resolved.contains(&row.id))
}

/// Something of it is still there, or may come.
fn has_money(index: &Index<'_>, at: usize, transaction: &Transaction) -> bool {
    let live = |kind| index.standing_before(at, kind, usize::MAX);
    let disputed: i64 = index.effects_of(at).iter().map(|done| done.effect.kind.disputed(done.effect.amount)).sum();
    let kept = live(EffectKind::Capture) - live(EffectKind::Refund) - disputed;
    matches!(transaction.status, "authorised" | "pending") || kept > 0
}

/// Everything says that nobody paid it, and no rule keeps it. It is old enough: the last quiet days are more than the border.
fn should_be_gone(index: &Index<'_>, order: &ShopOrder, cleaning: Cleaning) -> bool {
    let number = order.number.as_str();
    let Some((row, told)) = index.order_row(number).zip(order.told) else { return false };
    let is_wanted = match row.payment_status.as_str() {
        "new" => true,
        "cancelled" => cleaning.include_cancelled,
        _ => false,
    };
    let is_left_alone =
        order.terms != ShopTerms::Online || told.cancelled != Cancelled::No || order.cancelled != Cancelled::No;
    let payments: Vec<(usize, &Transaction)> = index.meant_for_order(number).collect();
    let is_unpaid = payments.iter().all(|(at, one)| {
        one.told_at.is_some()
            && one.authorised_at.is_none()
            && matches!(one.status, "open" | "cancelled" | "refused" | "expired")
            && index.effects_of(*at).is_empty()
    });
    let is_known = cleaning.without_payment || !payments.is_empty();
    let sales = || index.record.sales.iter();
    let own = sales().find(|sale| sale.order == number && sale.key != SaleKey::Neither);
    let shares_its_key = own.is_some_and(|own| sales().any(|other| other.order != number && other.key == own.key));
    let is_told = index.told_of_order(number).iter().any(|row| row.state != "resolved")
        || payments.iter().any(|(_, one)| index.told_of_transaction(&one.id).iter().any(|row| row.state != "resolved"))
        || index.rows.exceptions.iter().any(|row| row.kind == "deletions_capped" && row.state != "resolved");
    // Who put it back wanted it: it has as long as a new one.
    let is_restored = index.record.restored(number) > 0;
    is_wanted
        && !is_left_alone
        && is_unpaid
        && is_known
        && !shares_its_key
        && !is_restored
        && index.documents_of(number).is_empty()
        && !is_told
}
