//! Liveness: what holds when the faults have stopped, everything was told and all tasks ran for many days.

mod facts;
mod money;
mod orders;
mod reasons;

use crate::ledger::rows::ExceptionRow;
use crate::simulate::record::{Effect, EffectKind, Partial, Posted, Transaction};

use super::Found;
use super::index::{Index, pair};

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    facts::check(index, found);
    money::check(index, found);
    orders::check(index, found);
    reasons::check(index, found);
}

/// As long as they are open nothing is taken from their payment or given back.
pub(super) const HOLDS: [&str; 2] = ["amount_differs", "chargeback"];

/// Exceptions of something that happened: they stay what they are when a person resolves them. All others tell how things
/// stand, and are open as long as it is so.
const OF_EVENTS: [&str; 11] = [
    "chargeback",
    "amount_differs",
    "capture_refused",
    "refund_refused",
    "release_refused",
    "journal_refused",
    "journal_differs",
    "mail_refused",
    "given_up",
    "answer_contradicts",
    "payment_error",
];

/// Why a document was not captured or an authorisation not released, when the exception names no other document.
const OF_CAPTURES: [&str; 14] = [
    "chargeback",
    "exceeds_authorised",
    "exceeds_order",
    "partial_capture_not_allowed",
    "authorisation_expired",
    "outstanding_unreadable",
    "waits_for_payment",
    "untied_money",
    "captured_already",
    "capture_refused",
    "given_up",
    "answer_contradicts",
    "amount_differs",
    "payment_error",
];

pub(super) fn tells(row: &ExceptionRow) -> bool {
    row.state != "resolved" || OF_EVENTS.contains(&row.kind.as_str())
}

/// The order waits for a person: nothing of it moves any more.
fn is_in_error(index: &Index<'_>, order: Option<&str>) -> bool {
    order.and_then(|number| index.order_row(number)).is_some_and(|row| row.payment_status == "error")
}

/// A person sees, by an exception about the document or one of its operations, why nothing happens to it.
pub(super) fn told_of_document(index: &Index<'_>, kind: &str, number: &str) -> bool {
    let of_its_operations = || {
        index.effects_for(kind, number).iter().filter_map(|done| {
            let key = done.effect.ours().map(|asked| asked.key.as_str())?;
            Some(index.told_of_operation(index.operation_with_key(key)?.id))
        })
    };
    index.told_of_document(kind, number).iter().any(|row| tells(row))
        || of_its_operations().flatten().any(|row| tells(row))
}

/// A person sees, by an exception about the transaction or its order and about no other document, why it is not captured.
fn told_of_transaction(index: &Index<'_>, transaction: &Transaction, document: Option<(&str, &str)>) -> bool {
    let of_order = transaction.order.as_deref().map_or(&[][..], |number| index.told_of_order(number));
    index.told_of_transaction(&transaction.id).iter().chain(of_order).any(|row| {
        // Before a person has ended it, of a payment whose amount differs nothing more is taken for whatever document, and the
        // one capture of a payment waits until it is known what another invoice needs.
        let holds_back = match row.kind.as_str() {
            "amount_differs" | "chargeback" => true,
            "waits_for_payment" => transaction.partial == Partial::Once,
            _ => false,
        };
        let whole = row.document.is_none() || holds_back && row.state != "resolved";
        let same = document.is_none() || whole || pair(row.document.as_ref()) == document;
        same && tells(row) && OF_CAPTURES.contains(&row.kind.as_str())
    })
}

/// What of a transaction can still be captured.
fn left(index: &Index<'_>, at: usize, transaction: &Transaction) -> i64 {
    if transaction.status != "authorised" {
        return 0;
    }
    let taken = |kind| index.standing_before(at, kind, usize::MAX);
    (transaction.authorised - taken(EffectKind::Capture) - taken(EffectKind::Release)).max(0)
}

/// What an invoice or credit note lacks: not paid by hand, nor by the journals, nor on its way.
pub(super) fn lacking(index: &Index<'_>, posted: &Posted) -> i64 {
    let on_its_way: i64 = index
        .effects_for(posted.kind, &posted.number)
        .iter()
        .filter(|done| done.effect.is_live() && !super::index::was_confirmed(done.effect))
        .map(|done| done.effect.amount)
        .sum();
    let by_hand = posted.by_hand.max(posted.told_by_hand);
    // What is paid back on request stands on no document in the books. What a PSP did after its no, and does not say what it was
    // asked for, may be somebody else's.
    if posted.kind == "refund_request" {
        let says_whose = |effect: &Effect| index.transaction(effect).is_none_or(|transaction| transaction.echoes_keys);
        let effects = index.effects_for(posted.kind, &posted.number).iter();
        let live = effects.filter(|done| done.effect.is_live() && (!done.effect.after_no || says_whose(done.effect)));
        return posted.total - by_hand - live.map(|done| done.effect.amount).sum::<i64>();
    }
    posted.total - by_hand - super::books::tied(index, posted.kind, &posted.number) - on_its_way
}

/// Money of the invoice went back or never came, after it was there: it stays with a person (rule 17).
pub(super) fn was_taken_back(index: &Index<'_>, posted: &Posted) -> bool {
    let journals = index.journals_for(posted.kind, &posted.number);
    journals.iter().any(|row| row.kind == "reopening" || row.direction == "reversal")
}
