//! What payjournal does to a payment that was charged back: nothing, until a person has said so. And what is disputed of it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::Found;
use super::index::{Booking, Index};
use super::intents::said;

/// A run that began before, and the clock of the run that wrote it down was behind.
const MARGIN: TimeDelta = TimeDelta::hours(3);
const DISPUTED: &str = "Assets:Receivables:Disputed:";

/// SAFETY.
pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        let known =
            index.bookings_of(&transaction.id).filter(|booking| booking.movement.kind.starts_with("chargeback"));
        let known: Vec<&Booking<'_>> = known.collect();
        if known.is_empty() {
            continue;
        }
        held(index, at, &known, found);
        // What is written down is what happened, so the account may lag behind, and never has anything else.
        let happened = known.iter().filter_map(|booking| index.effect_of(booking.movement));
        let happened: i64 = happened.map(|done| done.effect.kind.disputed(done.effect.amount)).sum();
        disputed(index, &transaction.id, happened, found);
    }
}

/// LIVENESS.
pub(super) fn check_at_rest(index: &Index<'_>, found: &mut Found) {
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        if transaction.told_at.is_some() {
            let happened = index.effects_of(at).iter().map(|done| done.effect.kind.disputed(done.effect.amount));
            disputed(index, &transaction.id, happened.sum(), found);
        }
    }
}

/// Each chargeback holds its payment from when it was written down until a person has ended just its exception.
fn held(index: &Index<'_>, at: usize, known: &[&Booking<'_>], found: &mut Found) {
    for booking in known.iter().filter(|booking| booking.movement.kind == "chargeback") {
        let Ok(since) = booking.movement.learnt_at.parse::<DateTime<Utc>>() else { continue };
        let about = format!("chargeback {} of payment", booking.movement.modification);
        let mut told = index.told_of_transaction(&booking.movement.transaction).iter();
        if told.any(|row| row.subject.starts_with(&about) && row.state == "resolved") {
            continue;
        }
        let effects = index.effects_of(at).iter().filter(|done| done.effect.ours().is_some() && !done.effect.after_no);
        for done in effects.filter(|done| done.effect.at > since + MARGIN) {
            let says = format!("{}: it is known since {since} that the bank took money back", said(done.effect));
            found.tell("charged-back-is-held", index.about(done.effect), says);
        }
    }
}

/// The disputed account, one for all of a payment, against what happened.
fn disputed(index: &Index<'_>, transaction: &str, happened: i64, found: &mut Found) {
    let journals =
        index.bookings_of(transaction).flat_map(|booking| booking.originals.iter().chain(&booking.reversals));
    let postings = journals.flat_map(|journal| &journal.postings).filter(|(account, _)| account.starts_with(DISPUTED));
    let (mut accounts, mut balance) = (BTreeSet::new(), 0);
    for (account, minor) in postings {
        accounts.insert(account);
        balance += minor;
    }
    if balance != happened || accounts.len() > 1 {
        let says = format!("{balance} on {accounts:?}; charged back and not won back are {happened}");
        found.tell("disputed-is-charged-back", index.about_transaction(transaction), says);
    }
}
