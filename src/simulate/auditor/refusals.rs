//! What PSPs refused: a request that exceeds something is a wrong request, unless somebody else was there before.

use chrono::Duration;

use crate::simulate::record::{EffectKind, EffectState, Partial, Refused, Transaction};

use super::index::Index;
use super::{About, Found, intents};

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for oddity in &index.record.oddities {
        found.tell("no-oddities", About::default(), oddity.clone());
    }
    for refused in index.record.refusals.iter().filter(|refused| !refused.by_fault) {
        let Some(transaction) = index.record.transactions.get(refused.transaction) else { continue };
        let about = || About {
            document: index.operation_with_key(&refused.key).and_then(|operation| operation.document.clone()),
            ..index.about_transaction(&transaction.id)
        };
        let says = || {
            format!(
                "{} of {} ({}) was refused: {}",
                intents::kind(refused.kind),
                refused.amount,
                refused.key,
                refused.code
            )
        };
        if !is_explained(index, transaction, refused) {
            found.tell("refusal-explained", about(), says());
        }
        if is_past_deadline(transaction, refused) {
            found.tell("no-call-past-deadline", about(), says());
        }
        if index.operation_with_key(&refused.key).is_none() {
            found.tell("refusal-has-intent", about(), says());
        }
    }
}

/// Somebody else acted on the transaction, or something of it failed, or it ended by itself.
fn is_explained(index: &Index<'_>, transaction: &Transaction, refused: &Refused) -> bool {
    let disturbed = index.is_disturbed(refused.transaction);
    let ended = transaction.lapsed
        || transaction.capture_before.is_some_and(|before| before <= refused.at)
        || matches!(transaction.status, "open" | "pending" | "expired" | "cancelled" | "refused" | "error")
        || (transaction.status == "released"
            && index.of_kind(refused.transaction, EffectKind::Release).all(|done| done.effect.ours().is_none()));
    match refused.code {
        "exceeds_authorised" => disturbed || ended,
        "exceeds_captured" => disturbed || not_all_confirmed(index, refused),
        "not_authorised" => {
            disturbed || ended || (refused.kind == EffectKind::Release && transaction.partial == Partial::Once)
        }
        // Past a default deadline payjournal tries (rule 13); anything else a PSP says has its own reasons.
        _ => true,
    }
}

/// A refund of a capture that was accepted only: the PSP's own order of events decides.
fn not_all_confirmed(index: &Index<'_>, refused: &Refused) -> bool {
    index.of_kind(refused.transaction, EffectKind::Capture).any(|done| done.effect.state == EffectState::Accepted)
}

/// Rule 13: no call past a deadline the PSP itself gave. A day of grace for a deadline that passes during a run.
fn is_past_deadline(transaction: &Transaction, refused: &Refused) -> bool {
    refused.kind == EffectKind::Capture
        && transaction.capture_before.is_some_and(|before| before + Duration::days(1) < refused.at)
}
