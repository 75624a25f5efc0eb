//! Intent first: every effect of payjournal has its operation, every operation that says something happened has its effect,
//! and each happened once.

use crate::ledger::rows::OperationRow;
use crate::simulate::record::{Asked, Effect, EffectKind, Transaction};

use super::Found;
use super::index::{Index, pair, was_confirmed};

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    once_per_target(index, found);
    for effect in &index.record.effects {
        let Some(asked) = effect.ours() else { continue };
        once_per_key(index, effect, asked, found);
        let Some(operation) = index.operation_with_key(&asked.key) else {
            let says = format!("{} with key {}, which no operation has", said(effect), asked.key);
            found.tell("effect-has-intent", index.about(effect), says);
            continue;
        };
        same_as_intended(index, effect, asked, operation, found);
        not_denied(index, effect, operation, found);
    }
    for operation in index.rows.operations.iter().filter(|operation| kind_of(operation).is_some()) {
        happened(index, operation, found);
    }
    one_unanswered(index, found);
    keys(index, found);
}

pub(super) fn said(effect: &Effect) -> String {
    format!("{} {} of {} ({:?})", kind(effect.kind), effect.id, effect.amount, effect.state)
}

pub(super) fn kind(kind: EffectKind) -> &'static str {
    match kind {
        EffectKind::Capture => "capture",
        EffectKind::Refund => "refund",
        EffectKind::Release => "release",
        EffectKind::Chargeback | EffectKind::SecondChargeback => "chargeback",
        EffectKind::WonBack => "chargeback_reversed",
    }
}

fn kind_of(operation: &OperationRow) -> Option<EffectKind> {
    match operation.kind.as_str() {
        "capture" => Some(EffectKind::Capture),
        "refund" => Some(EffectKind::Refund),
        "release" => Some(EffectKind::Release),
        _ => None,
    }
}

/// At most one live effect per transaction, kind and document; one release per transaction.
fn once_per_target(index: &Index<'_>, found: &mut Found) {
    for at in 0..index.record.transactions.len() {
        let mut seen: Vec<(&Effect, Option<(&str, &str)>)> = Vec::new();
        for done in index.effects_of(at) {
            let Some(asked) = done.effect.ours().filter(|_| done.effect.is_live()) else { continue };
            let target = match done.effect.kind {
                EffectKind::Capture | EffectKind::Refund => pair(asked.document.as_ref()),
                EffectKind::Release | EffectKind::Chargeback | EffectKind::WonBack | EffectKind::SecondChargeback => {
                    None
                }
            };
            // What its PSP does after it had said no, it does against its word: whatever was done meanwhile was right.
            let is_again = |(before, its): &(&Effect, Option<(&str, &str)>)| {
                before.kind == done.effect.kind && *its == target && may_be_known(before, done.effect)
            };
            if seen.iter().any(is_again) && !done.effect.after_no {
                let says = format!("{} for {target:?} happened already", said(done.effect));
                found.tell("effect-once-per-target", index.about(done.effect), says);
            }
            if !index.is_used_elsewhere(*done) {
                seen.push((done.effect, target));
            }
        }
    }
}

/// Whether payjournal could know of an effect when it asked for a later one. What a PSP does after its own no, in the moment between its
/// last answer and the next call, nobody can know.
pub(super) fn may_be_known(before: &Effect, then: &Effect) -> bool {
    !before.after_no || before.heard_at.is_some_and(|at| at <= then.at)
}

fn once_per_key(index: &Index<'_>, effect: &Effect, asked: &Asked, found: &mut Found) {
    let same = index.with_key(&asked.key);
    let is_first = same.first().is_some_and(|first| first.effect.id == effect.id);
    if same.len() > 1 && is_first {
        let says = format!("key {} made {} effects, the first {}", asked.key, same.len(), said(effect));
        found.tell("effect-once-per-key", index.about(effect), says);
    }
}

fn same_as_intended(index: &Index<'_>, effect: &Effect, asked: &Asked, operation: &OperationRow, found: &mut Found) {
    let transaction = index.transaction(effect).map(|transaction| transaction.id.as_str());
    let intended = (operation.kind.as_str(), operation.transaction.as_deref(), pair(operation.document.as_ref()));
    let done = (kind(effect.kind), transaction, pair(asked.document.as_ref()));
    if intended != done || operation.amount != asked.amount {
        let says = format!(
            "{} is {done:?}, {} asked for; operation {} intended {intended:?} of {}",
            said(effect),
            asked.amount,
            operation.id,
            operation.amount
        );
        found.tell("effect-as-intended", index.about(effect), says);
    }
}

/// What the ledger believes of the operation must be possible for what happened.
fn not_denied(index: &Index<'_>, effect: &Effect, operation: &OperationRow, found: &mut Found) {
    let wrong = match operation.state.as_str() {
        // A run whose clock is ahead believes too early that a call can take effect no more.
        "planned" | "withdrawn" if operation.tries == 0 || index.record.clock_jumps == 0 => Some("effect-not-denied"),
        "refused" if effect.is_live() && !effect.after_no => Some("refused-is-not-live"),
        "confirmed" if !was_confirmed(effect) => Some("confirmed-was-confirmed"),
        _ => None,
    };
    if let Some(invariant) = wrong {
        let says = format!(
            "{} failed late: {}; operation {} is {} after {} tries",
            said(effect),
            effect.failed_late,
            operation.id,
            operation.state,
            operation.tries
        );
        found.tell(invariant, index.about(effect), says);
    }
}

/// An operation the other side took, as the ledger says, has its effect there.
fn happened(index: &Index<'_>, operation: &OperationRow, found: &mut Found) {
    let claims = matches!(operation.state.as_str(), "accepted" | "confirmed");
    if !claims || !index.with_key(&operation.key).is_empty() {
        return;
    }
    let transaction = operation.transaction.as_deref().and_then(|id| index.transaction_named(id));
    if operation.kind == "release" && transaction.is_some_and(is_dropped) {
        return;
    }
    let says = format!(
        "operation {} ({} of {}) is {}; the PSP did no such thing",
        operation.id, operation.kind, operation.amount, operation.state
    );
    found.tell("confirmed-has-effect", index.about_operation(operation), says);
}

/// What the PSP already dropped counts as released (rule 12).
fn is_dropped(transaction: &Transaction) -> bool {
    transaction.status != "authorised"
}

fn one_unanswered(index: &Index<'_>, found: &mut Found) {
    for transaction in &index.record.transactions {
        let operations = index.operations_of(&transaction.id).iter();
        let unanswered = operations.filter(|operation| matches!(operation.state.as_str(), "sent" | "unknown")).count();
        if unanswered > 1 {
            let says = format!("{unanswered} operations of the payment have no answer");
            found.tell("one-unanswered-per-payment", index.about_transaction(&transaction.id), says);
        }
    }
}

fn keys(index: &Index<'_>, found: &mut Found) {
    for operation in index.rows.operations.iter().filter(|operation| operation.key.len() > 64) {
        let says = format!("the key of operation {} is too long: {}", operation.id, operation.key);
        found.tell("key-format", index.about_operation(operation), says);
    }
    let wanted = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '-';
    for journal in &index.rows.journals {
        if journal.number.len() > 20 || !journal.number.chars().all(wanted) {
            let says = format!("the journal's number {} is no document number of an ERP", journal.number);
            found.tell("key-format", super::About::document(journal.document.clone()), says);
        }
    }
}
