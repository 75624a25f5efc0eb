//! What happened is known, and everything the ledger knows of is finished or told.

use std::collections::{BTreeMap, HashSet};

use crate::ledger::rows::{ExceptionRow, JournalRow, OperationRow};
use crate::simulate::auditor::index::{Done, Index, pair, was_confirmed};
use crate::simulate::auditor::intents::said;
use crate::simulate::auditor::{About, Found, books};
use crate::simulate::record::{Effect, EffectKind, EffectState, Transaction, Trigger};

use super::is_in_error;

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for operation in &index.rows.operations {
        unfinished(index, operation, found);
        untold(index, operation, found);
    }
    let mut recorded: HashSet<(usize, bool)> = HashSet::new();
    for movement in &index.rows.movements {
        if let Some(done) = index.effect_of(movement) {
            recorded.insert((done.place, movement.kind.ends_with("_failure")));
        }
    }
    for (place, effect) in index.record.effects.iter().enumerate() {
        let Some(transaction) = index.transaction(effect).filter(|transaction| transaction.told_at.is_some()) else {
            continue;
        };
        unknown(index, effect, &recorded, place, found);
        if let Some(why) = other_amount_untold(index, effect, transaction) {
            found.tell("other-amount-told", index.about(effect), format!("{}: {why}", said(effect)));
        }
        if let Some(why) = outside_and_untold(index, effect, transaction) {
            found.tell("outside-fact-told", index.about(effect), format!("{}: {why}", said(effect)));
        }
        if let Some(event) = mail_missing(index, effect) {
            found.tell("mail-written", index.about(effect), format!("{}: no mail {event}", said(effect)));
        }
    }
    undelivered(index, found);
    standing(index, found);
    clearing(index, found);
    import(index, found);
}

/// No operation is under way, unless the PSP itself has not finished it, or a person was told.
fn unfinished(index: &Index<'_>, operation: &OperationRow, found: &mut Found) {
    if !matches!(operation.state.as_str(), "planned" | "sent" | "unknown" | "accepted") {
        return;
    }
    let unsettled = index.with_key(&operation.key).iter().any(|done| done.effect.state == EffectState::Accepted);
    let order = operation.transaction.as_deref().and_then(|id| index.transaction_named(id)?.order.as_deref());
    let blocked = operation.journal.is_none() && is_in_error(index, order);
    let waits = operation.state == "accepted" && unsettled;
    // Certainly not done, and a person sees why what it is for waits.
    let not_now = operation.state == "planned" && is_told(index, operation);
    if waits || blocked || not_now || !index.told_of_operation(operation.id).is_empty() {
        return;
    }
    let says = format!(
        "operation {} ({}) is {} after {} tries: {}",
        operation.id, operation.kind, operation.state, operation.tries, operation.note
    );
    found.tell("nothing-under-way", index.about_operation(operation), says);
}

fn is_told(index: &Index<'_>, operation: &OperationRow) -> bool {
    let document = pair(operation.document.as_ref());
    let of_document = document.is_some_and(|(kind, number)| super::told_of_document(index, kind, number));
    let transaction = operation.transaction.as_deref().and_then(|id| index.transaction_named(id));
    let of_capture = transaction.filter(|_| matches!(operation.kind.as_str(), "capture" | "release"));
    // Nothing more is given back of a payment before a person has ended another amount.
    let is_held_back = transaction.is_some_and(|transaction| {
        let mut told = index.told_of_transaction(&transaction.id).iter();
        told.any(|row| super::HOLDS.contains(&row.kind.as_str()) && row.state != "resolved")
    });
    of_document
        || is_held_back
        || of_capture.is_some_and(|transaction| super::told_of_transaction(index, transaction, document))
}

/// What was refused or given up, and not tried again since, was told to a person.
fn untold(index: &Index<'_>, operation: &OperationRow, found: &mut Found) {
    // What was refused for a while is tried again as long as it is wanted: what lacks then is found by what it was for.
    if !matches!(operation.state.as_str(), "refused" | "given_up") || operation.transient {
        return;
    }
    let page = operation.transaction.as_deref().filter(|_| operation.kind == "cancel");
    if page.and_then(|id| index.transaction_named(id)).is_some_and(|page| need_not_be_closed(index, page)) {
        return;
    }
    let later = |row: &&OperationRow| {
        row.attempt > operation.attempt && row.kind == operation.kind && row.document == operation.document
    };
    let tried_again = match (operation.journal.as_deref(), operation.mail.as_deref()) {
        (Some(journal), _) => index.deliveries_of_journal(journal).iter().any(&later),
        (None, Some(mail)) => index.deliveries_of_mail(mail).iter().any(&later),
        (None, None) => {
            let transaction = operation.transaction.as_deref().unwrap_or_default();
            index.operations_of(transaction).iter().any(later)
        }
    };
    let of_operation = !index.told_of_operation(operation.id).is_empty();
    let of_document = operation
        .document
        .as_ref()
        .is_some_and(|(kind, number)| index.told_of_document(kind, number).iter().any(|row| row.operation.is_none()));
    let of_transaction = operation.transaction.as_deref().is_some_and(|transaction| {
        index.told_of_transaction(transaction).iter().any(|row| row.operation.is_none() && row.document.is_none())
    });
    // Of a refusal for now nobody is told; somebody may pay the document by other means before the next try.
    let posted = index.document(operation.document.as_ref());
    let paid_otherwise = posted.is_some_and(|posted| posted.kind != "shipment" && super::lacking(index, posted) <= 0);
    if !tried_again && !of_operation && !of_document && !of_transaction && !paid_otherwise {
        let says = format!(
            "operation {} ({} of {}) is {} ({}) and nobody was told",
            operation.id,
            operation.kind,
            operation.amount,
            operation.state,
            operation.refusal.as_deref().unwrap_or("no code")
        );
        found.tell("refusal-told", index.about_operation(operation), says);
    }
}

/// It is not open any more, or its order stays because somebody paid by other means.
fn need_not_be_closed(index: &Index<'_>, page: &Transaction) -> bool {
    let order = page.order.as_deref().unwrap_or_default();
    page.status != "open" || index.meant_for_order(order).any(|(_, other)| other.authorised_at.is_some())
}

fn unknown(index: &Index<'_>, effect: &Effect, recorded: &HashSet<(usize, bool)>, place: usize, found: &mut Found) {
    let moves = match effect.kind {
        EffectKind::Capture
        | EffectKind::Refund
        | EffectKind::Chargeback
        | EffectKind::WonBack
        | EffectKind::SecondChargeback => true,
        EffectKind::Release => false,
    };
    // What failed late may have failed before anybody asked: then there is nothing to reverse.
    let is_recorded = recorded.contains(&(place, false));
    if moves && effect.state == EffectState::Confirmed && !is_recorded {
        found.tell("fact-recorded", index.about(effect), format!("{} is no movement", said(effect)));
    }
    if moves && effect.state == EffectState::Failed && is_recorded && !recorded.contains(&(place, true)) {
        found.tell("fact-recorded", index.about(effect), format!("the failure of {} is no movement", said(effect)));
    }
    let settled = effect.ours().and_then(|asked| index.operation_with_key(&asked.key));
    let expected = match effect.state {
        EffectState::Confirmed => "confirmed",
        EffectState::Failed => "refused",
        EffectState::Accepted => return,
    };
    // Tried again meanwhile, or of a PSP that does not say what it was: the operation stays refused, and a person knows that
    // it was done after all. A release moves no money: the payment's status says it.
    let contradicts = |row: &OperationRow| {
        let contradiction = index.told_of_operation(row.id).iter().any(|row| row.kind == "answer_contradicts");
        let transaction = index.transaction(effect).filter(|transaction| !transaction.echoes_keys);
        let unasked = transaction.is_some_and(|transaction| {
            index.told_of_transaction(&transaction.id).iter().any(|row| row.kind == "unasked_movement")
        });
        effect.after_no && row.state == "refused" && (contradiction || unasked || !moves)
    };
    let settled = settled.filter(|row| row.state != expected && row.state != "given_up");
    if let Some(operation) = settled.filter(|row| !contradicts(row)) {
        let says = format!("{}; operation {} is {}", said(effect), operation.id, operation.state);
        found.tell("outcome-recorded", index.about(effect), says);
    }
}

/// What a PSP did in part only is told, as soon as it is known.
fn other_amount_untold(index: &Index<'_>, effect: &Effect, transaction: &Transaction) -> Option<String> {
    let asked = effect.asked_other().filter(|_| effect.state == EffectState::Confirmed)?;
    let stands = |id: i64, state: &str| state != "resolved" || index.record.resolved.contains(&id);
    let mut told = index.told_of_transaction(&transaction.id).iter();
    let told = told.any(|row| row.kind == "amount_differs" && stands(row.id, &row.state));
    (!told).then(|| format!("{asked} were asked for, and nobody was told"))
}

/// Money nobody here asked for is an exception, where it is not the PSP's or a person's own task.
fn outside_and_untold(index: &Index<'_>, effect: &Effect, transaction: &Transaction) -> Option<String> {
    let expected = match effect.kind {
        EffectKind::Capture => transaction.trigger == Trigger::Never || transaction.collected,
        EffectKind::Refund | EffectKind::Chargeback | EffectKind::SecondChargeback => false,
        EffectKind::Release | EffectKind::WonBack => true,
    };
    if expected || effect.ours().is_some() || effect.state != EffectState::Confirmed {
        return None;
    }
    let mut told = index.told_of_transaction(&transaction.id).iter();
    // Each chargeback is told, not only that there is one.
    let told = if effect.kind.is_dispute() {
        told.any(|row| row.kind == "chargeback" && index.is_about(row, effect))
    } else {
        told.any(|row| row.kind == "unasked_movement")
    };
    (!told).then(|| "nobody was told that it was not asked for".to_owned())
}

/// Captures and refunds for documents, and releases, are mailed once they are confirmed.
fn mail_missing(index: &Index<'_>, effect: &Effect) -> Option<String> {
    let asked = effect.ours().filter(|_| effect.state == EffectState::Confirmed)?;
    let operation = index.operation_with_key(&asked.key).filter(|row| row.state == "confirmed")?;
    let event = match effect.kind {
        EffectKind::Capture => asked.document.as_ref().map(|_| "captured")?,
        EffectKind::Refund => "refunded",
        EffectKind::Release => "released",
        EffectKind::Chargeback | EffectKind::WonBack | EffectKind::SecondChargeback => return None,
    };
    let event = format!("{event}:{}", operation.key);
    index.mail(&event).is_none().then_some(event)
}

/// It is open, or a person has ended it. What nobody has looked at nobody knows of.
fn stands(index: &Index<'_>, row: &ExceptionRow) -> bool {
    row.state != "resolved" || index.record.resolved.contains(&row.id)
}

/// Every journal is in the ERP's books and every mail arrived, or a person was told why not.
fn undelivered(index: &Index<'_>, found: &mut Found) {
    let excused = |deliveries: &[&OperationRow]| {
        deliveries.iter().any(|row| {
            matches!(row.state.as_str(), "refused" | "given_up")
                && index.told_of_operation(row.id).iter().any(|row| stands(index, row))
        })
    };
    for journal in &index.rows.journals {
        let is_posted =
            |journal: &JournalRow| index.lines(&journal.number).iter().any(|line| !line.draft && !line.changed);
        let mut missing = std::iter::successors(Some(journal), |journal| books::before(index, journal))
            .take_while(|journal| !is_posted(journal));
        let told = missing.any(|journal| excused(index.deliveries_of_journal(&journal.number)));
        if !is_posted(journal) && !told {
            let about = index.booking(journal.movement).map(|booking| &booking.movement.transaction);
            let about = about.map(|transaction| index.about_transaction(transaction)).unwrap_or_default();
            let about = About { document: journal.document.clone(), ..about };
            let says = format!("journal {} ({} of {}) is not in the ERP", journal.number, journal.kind, journal.amount);
            found.tell("journal-delivered", about, says);
        }
    }
    let arrived: HashSet<&str> = index
        .record
        .letters
        .iter()
        .map(|letter| {
            let operation = index.operation_with_key(&letter.key).filter(|operation| operation.kind == "mail");
            operation.and_then(|operation| operation.mail.as_deref()).unwrap_or(&letter.key)
        })
        .collect();
    for mail in &index.rows.mails {
        if !arrived.contains(mail.event.as_str()) && !excused(index.deliveries_of_mail(&mail.event)) {
            let says = format!("the mail `{}` ({}) never arrived", mail.subject, mail.event);
            found.tell("mail-delivered", About::default(), says);
        }
    }
}

/// The ledger knows how each payment stands.
fn standing(index: &Index<'_>, found: &mut Found) {
    for transaction in index.record.transactions.iter().filter(|transaction| transaction.told_at.is_some()) {
        let Some(row) = index.payment_row(&transaction.id) else { continue };
        let same_amount = transaction.status != "authorised" || row.authorised == transaction.authorised;
        let stuck = is_in_error(index, transaction.order.as_deref());
        if (row.status != transaction.status || !same_amount) && !stuck {
            let says = format!(
                "the PSP says {} with {} authorised, the ledger {} with {}",
                transaction.status, transaction.authorised, row.status, row.authorised
            );
            found.tell("standing-known", index.about_transaction(&transaction.id), says);
        }
    }
}

/// The books are the PSPs' own: clearing is captured less refunded, charged back and paid out, by currency.
fn clearing(index: &Index<'_>, found: &mut Found) {
    let mut balances: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (place, effect) in index.record.effects.iter().enumerate() {
        if !was_confirmed(effect) || !effect.is_live() {
            continue;
        }
        let Some(transaction) = index.transaction(effect).filter(|transaction| transaction.told_at.is_some()) else {
            continue;
        };
        let signed = match effect.kind {
            EffectKind::Capture => index.recorded_amount(Done { place, effect }),
            EffectKind::Refund => -index.recorded_amount(Done { place, effect }),
            EffectKind::Chargeback | EffectKind::WonBack | EffectKind::SecondChargeback => {
                -effect.kind.disputed(effect.amount)
            }
            EffectKind::Release => 0,
        };
        balances.entry(transaction.currency).or_default().0 += signed;
    }
    for journal in &index.rows.journals {
        let postings = journal.postings.iter().filter(|posting| posting.0.starts_with("Assets:Clearing"));
        balances.entry(&journal.currency).or_default().1 += postings.map(|posting| posting.1).sum::<i64>();
    }
    for payout in &index.record.payouts {
        balances.entry(payout.currency).or_default().0 -= payout.lines.iter().map(|line| line.gross).sum::<i64>();
    }
    for (currency, minor) in index.rows.payouts.iter().flat_map(|payout| &payout.clearing) {
        balances.entry(currency).or_default().1 += minor;
    }
    for (currency, (psp, books)) in balances {
        if psp != books {
            let says = format!("in {currency} the PSPs hold {psp}, the books say {books}");
            found.tell("clearing-is-the-psps", About::default(), says);
        }
    }
}

/// What was told is there.
fn import(index: &Index<'_>, found: &mut Found) {
    for order in index.record.orders.iter().filter(|order| order.told.is_some()) {
        if index.order_row(&order.number).is_none() {
            let about = About { order: Some(order.number.clone()), ..About::default() };
            found.tell("told-is-known", about, "the ledger does not have the order".to_owned());
        }
    }
    for transaction in index.record.transactions.iter().filter(|transaction| transaction.told_at.is_some()) {
        if index.payment_row(&transaction.id).is_none() {
            let says = "the ledger does not have the payment".to_owned();
            found.tell("told-is-known", index.about_transaction(&transaction.id), says);
        }
    }
    for posted in index.record.documents.iter().filter(|posted| posted.told_at.is_some()) {
        let row = index.document_row(posted.kind, &posted.number);
        if row.is_none_or(|row| row.total != posted.total || row.paid_elsewhere != posted.told_by_hand) {
            let says = format!("the ledger has {row:?} of a total of {}", posted.total);
            found.tell("told-is-known", About::of_document(posted), says);
        }
    }
}
