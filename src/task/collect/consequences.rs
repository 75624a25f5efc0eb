//! What follows when the PSP answers a collection.

use crate::domain::consequence::{CollectedDraft, Consequence, LearntFrom, Standing};
use crate::domain::entry::Entry;
use crate::domain::exception::{ExceptionDraft, ExceptionKind};
use crate::domain::id::{ModificationId, ShopName, TransactionId};
use crate::domain::letter;
use crate::domain::payment::TransactionStatus;
use crate::operation::{Answer, Operation, Refusal};
use crate::task::Context;

/// What was accepted is a payment that is pending, and protects the entry and its order; what was confirmed is money. Each refusal is told,
/// also one that is only for now: the customer may have to be asked.
pub fn consequences(operation: &Operation, answer: &Answer, context: &Context, shop: &ShopName) -> Vec<Consequence> {
    match answer {
        Answer::Accepted { modification } => collected(operation, modification, None),
        Answer::Confirmed { modification, at, amount } => {
            collected(operation, modification, amount.or(operation.amount).map(|amount| (amount, *at)))
        }
        Answer::Refused(refusal) if refusal.is_key_conflict() => unclear(operation, refusal, context, shop),
        Answer::Refused(refusal) => refused(operation, refusal, context, shop),
        Answer::NotDone { .. } | Answer::Unknown { .. } => Vec::new(),
    }
}

fn collected(
    operation: &Operation,
    modification: &ModificationId,
    moved: Option<(crate::domain::money::Amount, chrono::DateTime<chrono::Utc>)>,
) -> Vec<Consequence> {
    // Both are identifiers of the same shape.
    let Ok(transaction) = TransactionId::parse(modification.as_str()) else { return Vec::new() };
    let draft = CollectedDraft { operation: operation.id, transaction, moved, learnt_from: LearntFrom::Answer };
    vec![Consequence::Collected(draft)]
}

/// The ledger knows of no such request, as after a backup was restored: another attempt would have another key, and might take it again.
fn unclear(operation: &Operation, refusal: &Refusal, context: &Context, shop: &ShopName) -> Vec<Consequence> {
    let entry = context.entry.as_ref().map_or_else(|| "an entry".to_owned(), Entry::name);
    let amount = operation.amount.map(|amount| amount.to_string()).unwrap_or_default();
    let draft = ExceptionDraft {
        kind: ExceptionKind::CollectionUnclear,
        subject: format!("operation {} (collection of {entry})", operation.id),
        message: format!(
            "an earlier request under the key of this collection may have taken the money of {entry} (order {}): the PSP refuses {amount}: \
             {} ({}). Look in the PSP's back office for what was taken for it, and import that payment (`payjournal import payments`); \
             only then, or when nothing was taken, `payjournal resolve` this exception. Until then nothing is taken or asked for it",
            context.order_name(),
            refusal.message,
            refusal.code
        ),
        about: context.about(operation),
    };
    let letter = letter::collection_unclear(shop, operation.key.as_str(), &draft);
    vec![Consequence::Raise(draft), Consequence::Letter(letter)]
}

fn refused(operation: &Operation, refusal: &Refusal, context: &Context, shop: &ShopName) -> Vec<Consequence> {
    let entry = context.entry.as_ref().map_or_else(|| "an entry".to_owned(), Entry::name);
    let amount = operation.amount.map(|amount| amount.to_string()).unwrap_or_default();
    let next = if refusal.transient {
        "it is tried again on a later day, as often as `collect.max_tries` says".to_owned()
    } else {
        format!(
            "when the reason is gone, `payjournal retry {}`; or ask the customer (`payjournal invite`)",
            operation.id
        )
    };
    let draft = ExceptionDraft {
        kind: ExceptionKind::CollectionRefused,
        subject: format!("operation {} (collection of {entry})", operation.id),
        message: format!(
            "the collection of {amount} of {entry} (order {}) was refused: {} ({}); {next}",
            context.order_name(),
            refusal.message,
            refusal.code
        ),
        about: context.about(operation),
    };
    let letter = letter::collection_refused(shop, operation.key.as_str(), &refusal.code, &draft);
    let mut follows = vec![Consequence::Raise(draft), Consequence::Letter(letter)];
    // It was accepted before, so that there is a payment.
    if let Some(payment) = context.payment.as_ref().filter(|payment| payment.status == TransactionStatus::Pending) {
        follows.push(Consequence::Standing(Standing {
            payment: payment.id,
            status: TransactionStatus::Refused,
            authorised: None,
            authorised_at: None,
            capture_before: None,
        }));
    }
    follows
}
