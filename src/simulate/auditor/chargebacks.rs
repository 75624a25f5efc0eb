//! What payjournal does to a payment that was charged back: nothing, until a person has said so.

use chrono::{DateTime, TimeDelta, Utc};

use super::Found;
use super::index::Index;
use super::intents::said;

/// A run that began before, and the clock of the run that wrote it down was behind.
const MARGIN: TimeDelta = TimeDelta::hours(3);

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        let Some(known) = known_since(index, &transaction.id) else { continue };
        let ended = index.told_of_transaction(&transaction.id).iter();
        if ended.clone().any(|row| row.kind == "chargeback" && row.state == "resolved") {
            continue;
        }
        let effects = index.effects_of(at).iter().filter(|done| done.effect.ours().is_some() && !done.effect.after_no);
        for done in effects.filter(|done| done.effect.at > known + MARGIN) {
            let says = format!("{}: it is known since {known} that the bank took money back", said(done.effect));
            found.tell("charged-back-is-held", index.about(done.effect), says);
        }
    }
}

/// When its first chargeback was written down.
fn known_since(index: &Index<'_>, transaction: &str) -> Option<DateTime<Utc>> {
    let of_it = index.bookings_of(transaction).filter(|booking| booking.movement.kind == "chargeback");
    of_it.filter_map(|booking| booking.movement.learnt_at.parse().ok()).min()
}
