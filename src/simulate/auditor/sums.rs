//! Sums over what payjournal did and over what it intended: never above what there is.

use std::collections::HashMap;

use crate::ledger::rows::OperationRow;
use crate::simulate::record::EffectKind;

use super::index::{Done, Index, was_confirmed};
use super::{About, Found};

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        let ours = |kind| index.of_kind(at, kind).filter(|done| done.effect.ours().is_some());
        let live = |kind| ours(kind).filter(|done| done.effect.is_live()).map(amount).sum::<i64>();
        let (captured, refunded) = (live(EffectKind::Capture), live(EffectKind::Refund));
        let ever: i64 =
            index.of_kind(at, EffectKind::Capture).filter(|done| was_confirmed(done.effect)).map(amount).sum();
        let intended = |kind: &str| {
            let operations = index.operations_of(&transaction.id).iter();
            operations.filter(|row| row.kind == kind && counts(row)).map(|row| row.amount).sum::<i64>()
        };
        let booked: i64 = index
            .bookings_of(&transaction.id)
            .filter(|booking| booking.movement.kind == "capture")
            .map(|booking| booking.movement.amount)
            .sum();
        let mut within = |invariant, what: &str, sum: i64, most: i64| {
            if sum > most {
                let says = format!("{what} {sum}; there are {most}");
                found.tell(invariant, index.about_transaction(&transaction.id), says);
            }
        };
        if !transaction.adjusted {
            let most = transaction.authorised;
            within("captures-within-authorised", "payjournal captured", captured, most);
            within("intents-within-authorised", "captures intended", intended("capture"), most);
        }
        within("refunds-within-captures", "payjournal refunded", refunded, ever);
        within("intents-within-captured", "refunds intended", intended("refund"), booked);
    }
    documents(index, found);
}

fn amount(done: Done<'_>) -> i64 {
    done.effect.amount
}

/// Whether it happened, may have happened or may still happen.
fn counts(operation: &OperationRow) -> bool {
    !matches!(operation.state.as_str(), "refused" | "withdrawn")
}

/// Per invoice and shipment what was captured for it, per credit note what was refunded for it, of all transactions.
fn documents(index: &Index<'_>, found: &mut Found) {
    let mut sums: HashMap<(&str, &str), i64> = HashMap::new();
    // What a PSP does after its own no is no decision of payjournal.
    for effect in index.record.effects.iter().filter(|effect| effect.is_live() && !effect.after_no) {
        let Some(document) = effect.ours().and_then(|asked| asked.document.as_ref()) else { continue };
        *sums.entry((&document.0, &document.1)).or_default() += effect.amount;
    }
    for posted in index.record.documents.iter().chain(index.billed) {
        let sum = sums.get(&(posted.kind, posted.number.as_str())).copied().unwrap_or_default();
        if sum > posted.total {
            let says = format!("{sum} were taken or paid back for {}, which is over {}", posted.number, posted.total);
            let document = Some((posted.kind.to_owned(), posted.number.clone()));
            let about = About { order: posted.order.clone(), transaction: None, document };
            found.tell("document-within-total", about, says);
        }
    }
}
