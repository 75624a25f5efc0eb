//! The ledger's facts about money: each is one that happened, and each is written down once (rule 1).

use std::collections::HashSet;

use crate::ledger::rows::MovementRow;
use crate::simulate::record::EffectKind;

use super::Found;
use super::index::{Index, is_failure, was_confirmed};
use super::intents::said;

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    let mut seen: HashSet<(&str, &str, &str)> = HashSet::new();
    for movement in &index.rows.movements {
        if !seen.insert((&movement.transaction, &movement.kind, &movement.modification)) {
            tell(index, found, "movement-once", movement, "is written down twice");
        }
        match what_is_wrong(index, movement) {
            Some(why) if is_failure(movement) => tell(index, found, "failure-happened", movement, &why),
            Some(why) => tell(index, found, "movement-happened", movement, &why),
            None => {}
        }
        if let Some(why) = of_a_strange_operation(index, movement) {
            tell(index, found, "movement-of-its-operation", movement, &why);
        }
    }
    for failure in &index.baseless {
        tell(index, found, "failure-happened", failure, "failed and was never written down as done, or failed before");
    }
    sums(index, found);
}

fn tell(index: &Index<'_>, found: &mut Found, invariant: &'static str, movement: &MovementRow, why: &str) {
    let says = format!("{} {} of {}: {why}", movement.kind, movement.modification, movement.amount);
    found.tell(invariant, index.about_transaction(&movement.transaction), says);
}

fn what_is_wrong(index: &Index<'_>, movement: &MovementRow) -> Option<String> {
    let Some(done) = index.effect_of(movement) else { return Some("no such thing happened".to_owned()) };
    let currency = index.transaction(done.effect).map_or("", |transaction| transaction.currency);
    if index.recorded_amount(done) != movement.amount || currency != movement.currency {
        return Some(format!("in {}, but what happened is {} in {currency}", movement.currency, said(done.effect)));
    }
    let is_true = if is_failure(movement) { done.effect.failed_late } else { was_confirmed(done.effect) };
    (!is_true).then(|| format!("what happened is {}", said(done.effect)))
}

/// A movement may have no operation (rule 1); one it has asked for it.
fn of_a_strange_operation(index: &Index<'_>, movement: &MovementRow) -> Option<String> {
    let id = movement.operation?;
    let Some(operation) = index.operation(id) else { return Some(format!("operation {id} does not exist")) };
    let asked = index.effect_of(movement).and_then(|done| done.effect.ours());
    (asked.is_none_or(|asked| asked.key != operation.key))
        .then(|| format!("operation {id} with key {} did not ask for it", operation.key))
}

/// Money handed over as collected goes by the transaction's own id: it must not be counted under the PSP's id too.
fn sums(index: &Index<'_>, found: &mut Found) {
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        let kinds = |kinds: &'static [EffectKind]| {
            index.effects_of(at).iter().copied().filter(move |done| kinds.contains(&done.effect.kind))
        };
        let sides: [(&[EffectKind], &str); 4] = [
            (&[EffectKind::Capture], "capture"),
            (&[EffectKind::Refund], "refund"),
            (&[EffectKind::Chargeback, EffectKind::SecondChargeback], "chargeback"),
            (&[EffectKind::WonBack], "chargeback_reversed"),
        ];
        for (side, name) in sides {
            let happened = kinds(side).filter(|done| was_confirmed(done.effect));
            let happened: i64 = happened.map(|done| index.recorded_amount(done)).sum();
            let booked = index.bookings_of(&transaction.id).filter(|booking| booking.movement.kind == name);
            let booked: i64 = booked.map(|booking| booking.movement.amount).sum();
            if booked > happened {
                let says = format!("{name}s of {booked} are written down, {happened} happened");
                found.tell("movements-within-happened", index.about_transaction(&transaction.id), says);
            }
        }
    }
}
