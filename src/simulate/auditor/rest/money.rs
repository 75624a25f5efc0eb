//! What is to be taken, tied, given back or paid back is, or a person sees why not.

use crate::ledger::rows::EntryRow;
use crate::simulate::auditor::index::Index;
use crate::simulate::auditor::releases::triggering;
use crate::simulate::auditor::{About, Found, books, invoices};
use crate::simulate::record::{Cancelled, EffectKind, Partial, Posted, ShopOrder, ShopTerms, Transaction, Trigger};

use super::{is_in_error, lacking, left, told_of_document, told_of_transaction, was_taken_back};

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for posted in index.record.documents.iter().filter(|posted| posted.told_at.is_some()) {
        if is_in_error(index, posted.order.as_deref()) {
            continue;
        }
        match posted.kind {
            "invoice" => {
                uncollected_invoice(index, posted, found);
                untied(index, posted, found);
            }
            "shipment" => uncollected_shipment(index, posted, found),
            _ => unrefunded(index, posted, found),
        }
    }
    for posted in index.billed.iter().filter(|posted| posted.kind == "credit_note") {
        unrefunded(index, posted, found);
    }
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        let told = transaction.told_at.is_some() && !is_in_error(index, transaction.order.as_deref());
        let order = index.order(transaction.order.as_deref()).filter(|_| told && transaction.pays.is_empty());
        // Money on what is deleted waits for a person.
        let Some(order) = order.filter(|order| !index.record.is_gone(&order.number)) else { continue };
        uncaptured_authorisation(index, at, transaction, order, found);
        unreleased(index, at, transaction, order, found);
    }
    let is_left_alone =
        |order: &ShopOrder| is_in_error(index, Some(&order.number)) || index.record.is_gone(&order.number);
    for order in index.record.orders.iter().filter(|order| !is_left_alone(order)) {
        money_of_nobody(index, order, found);
    }
}

fn cancelled(order: &ShopOrder) -> Cancelled {
    order.told.map_or(Cancelled::No, |told| told.cancelled)
}

/// Whether a transaction is meant to pay documents of this kind, and was authorised for it once.
pub(super) fn is_meant(transaction: &Transaction, kind: &str, cancelled: Cancelled) -> bool {
    let by_trigger = match transaction.trigger {
        Trigger::Invoice => kind == "invoice",
        Trigger::Shipment => kind == "shipment",
        Trigger::Authorisation { .. } => match cancelled {
            Cancelled::No => false,
            Cancelled::Rest | Cancelled::Full => kind == "invoice",
        },
        Trigger::Never => false,
    };
    by_trigger && transaction.told_at.is_some() && transaction.authorised > 0
}

/// Rule 9: an invoice somebody authorised money for is captured, or a person sees why not.
fn uncollected_invoice(index: &Index<'_>, posted: &Posted, found: &mut Found) {
    let lacks = lacking(index, posted);
    if lacks <= 0 || was_taken_back(index, posted) || told_of_document(index, "invoice", &posted.number) {
        return;
    }
    let order = index.order(posted.order.as_deref());
    let online = order.filter(|order| order.terms == ShopTerms::Online);
    let mut meant: Vec<&Transaction> = Vec::new();
    if let Some(order) = online {
        let transactions = index.paying_order(&order.number).map(|(_, transaction)| transaction);
        meant.extend(transactions.filter(|transaction| is_meant(transaction, "invoice", cancelled(order))));
    }
    let by_name = index.paying_invoice(&posted.number).filter(|(at, transaction)| {
        transaction.told_at.is_some() && transaction.trigger != Trigger::Never && left(index, *at, transaction) > 0
    });
    meant.extend(by_name.map(|(_, transaction)| transaction));
    meant.retain(|transaction| transaction.currency == posted.currency);
    let name = Some(("invoice", posted.number.as_str()));
    // A payment that takes one capture waits for what the order's other invoices need of it.
    let waits_for_another = order.is_some_and(|order| {
        let told = index.told_of_order(&order.number).iter();
        let mut waits = told.filter(|row| row.kind == "waits_for_payment" && super::tells(row));
        waits.next().is_some() && meant.iter().all(|transaction| transaction.partial == Partial::Once)
    });
    if meant.is_empty()
        || waits_for_another
        || meant.iter().any(|transaction| told_of_transaction(index, transaction, name))
    {
        return;
    }
    let says = format!(
        "{} lacks {lacks} of {}; {:?} are meant for it and nobody was told",
        posted.number,
        posted.total,
        meant.iter().map(|transaction| (&transaction.id, transaction.status)).collect::<Vec<_>>()
    );
    found.tell("document-paid-or-told", About::of_document(posted), says);
}

/// A shipment whose order was not paid for all its shipments, whoever paid.
fn uncollected_shipment(index: &Index<'_>, posted: &Posted, found: &mut Found) {
    let Some(order) = index.order(posted.order.as_deref()).filter(|order| order.terms == ShopTerms::Online) else {
        return;
    };
    let captures = index.effects_for("shipment", &posted.number).iter();
    let collected: i64 = captures.filter(|done| done.effect.is_live()).map(|done| done.effect.amount).sum();
    let missing = super::super::releases::needed(
        index,
        &order.number,
        "shipment",
        usize::MAX,
        chrono::DateTime::<chrono::Utc>::MAX_UTC,
    );
    if posted.total - posted.by_hand <= collected || missing <= 0 {
        return;
    }
    let failed = index.effects_for("shipment", &posted.number).iter().any(|done| !done.effect.is_live());
    let name = Some(("shipment", posted.number.as_str()));
    let meant = index.paying_order(&order.number).map(|(_, transaction)| transaction);
    let meant: Vec<&Transaction> = meant
        .filter(|transaction| {
            is_meant(transaction, "shipment", cancelled(order)) && transaction.currency == posted.currency
        })
        .collect();
    let told = told_of_document(index, "shipment", &posted.number)
        || meant.iter().any(|transaction| told_of_transaction(index, transaction, name));
    if !meant.is_empty() && !told && !failed {
        let says = format!("{} over {} was captured for {collected}; nobody was told", posted.number, posted.total);
        found.tell("document-paid-or-told", About::of_document(posted), says);
    }
}

/// Rule 10: an invoice that lacks money takes what was captured before it and belongs to none; each capture once.
fn untied(index: &Index<'_>, posted: &Posted, found: &mut Found) {
    if lacking(index, posted) <= 0 || was_taken_back(index, posted) {
        return;
    }
    let by_order = posted.order.iter().flat_map(|number| index.paying_order(number));
    for (_, transaction) in by_order.chain(index.paying_invoice(&posted.number)) {
        let free = index.bookings_of(&transaction.id).find(|booking| {
            booking.failure.is_none()
                && !booking.pays("invoice", &posted.number)
                && booking.net(&books::FREED) > booking.net(&["application"])
        });
        let money = books::untied(index, &transaction.id);
        let same = transaction.currency == posted.currency;
        if let Some(booking) = free.filter(|_| same && money > 0)
            && !told_of_document(index, "invoice", &posted.number)
            && !told_of_transaction(index, transaction, None)
        {
            let says = format!(
                "{money} of {} ({}) are untied, and {} lacks money",
                transaction.id, booking.movement.modification, posted.number
            );
            found.tell("prepaid-is-tied", About::of_document(posted), says);
        }
    }
}

/// Rule 16: what is open on a credit note is refunded, or a person sees why not.
fn unrefunded(index: &Index<'_>, posted: &Posted, found: &mut Found) {
    let open = lacking(index, posted);
    // Of a payment whose amount differs nothing is given back either.
    let payers = posted.references.iter().flat_map(|invoice| index.journals_for("invoice", invoice));
    let held_back = payers.filter_map(|journal| index.booking(journal.movement)).any(|booking| {
        let mut told = index.told_of_transaction(&booking.movement.transaction).iter();
        told.any(|row| super::HOLDS.contains(&row.kind.as_str()) && row.state != "resolved")
    });
    if open > 0 && !held_back && !told_of_document(index, "credit_note", &posted.number) {
        let says = format!("{open} of {} are open on {} and nobody was told", posted.total, posted.number);
        found.tell("credit-note-refunded-or-told", About::of_document(posted), says);
    }
}

/// Rule 10: an authorisation that is captured by itself is captured.
fn uncaptured_authorisation(
    index: &Index<'_>,
    at: usize,
    transaction: &Transaction,
    order: &ShopOrder,
    found: &mut Found,
) {
    let by_itself = match transaction.trigger {
        Trigger::Authorisation { .. } => true,
        Trigger::Invoice | Trigger::Shipment | Trigger::Never => false,
    };
    let left = left(index, at, transaction);
    let wanted = by_itself && order.terms != ShopTerms::OnAccount && cancelled(order) == Cancelled::No && left > 0;
    let touched = !index.told_of_transaction(&transaction.id).is_empty();
    if wanted && !touched && !told_of_transaction(index, transaction, None) {
        let says = format!("{left} are authorised and were never captured");
        found.tell("authorisation-captured-or-told", index.about_transaction(&transaction.id), says);
    }
}

/// Rule 12: what will never be needed is given back, once everything of it is settled and nothing lacks money.
fn unreleased(index: &Index<'_>, at: usize, transaction: &Transaction, order: &ShopOrder, found: &mut Found) {
    let left = left(index, at, transaction);
    let Some(kind) = triggering(transaction.trigger) else { return };
    let Some(told) = order.told.filter(|_| order.terms != ShopTerms::OnAccount && left > 0) else { return };
    let known = index.documents_of(&order.number).iter().filter(|posted| posted.told_at.is_some());
    let reached: i64 = known.filter(|posted| posted.kind == kind).map(|posted| posted.total).sum();
    let invoiced = index.documents_of(&order.number).iter().any(|row| row.told_at.is_some() && row.kind == "invoice");
    let unneeded = match told.cancelled {
        Cancelled::No => reached >= told.total && told.total > 0,
        Cancelled::Rest => invoiced,
        Cancelled::Full => true,
    };
    if !unneeded {
        return;
    }
    let lacks = index.documents_of(&order.number).iter().any(|posted| match posted.kind {
        "invoice" => lacking(index, posted) > 0,
        "shipment" => {
            let captures = index.effects_for("shipment", &posted.number).iter().filter(|done| done.effect.is_live());
            captures.map(|done| done.effect.amount).sum::<i64>() < posted.total && kind == "shipment"
        }
        _ => false,
    });
    let under_way = index.effects_of(at).iter().any(|done| {
        done.effect.is_live()
            && (!super::super::index::was_confirmed(done.effect) || done.effect.kind == EffectKind::Release)
    });
    let told_of = index.told_of_transaction(&transaction.id).iter().any(|row| super::tells(row))
        || index.told_of_order(&order.number).iter().any(|row| super::tells(row));
    if !lacks && !under_way && !told_of {
        let says = format!("{left} are authorised still; {} {kind}s of {} over {}", reached, order.number, told.total);
        found.tell("rest-released-or-told", index.about_transaction(&transaction.id), says);
    }
}

/// An order that is invoiced in full and paid, and something was captured beyond that.
fn more_than_it_costs(index: &Index<'_>, order: &ShopOrder, found: &mut Found) {
    let Some(told) = order.told.filter(|_| order.terms != ShopTerms::OnAccount) else { return };
    let known = || {
        let known = index.documents_of(&order.number).iter().filter(|posted| posted.told_at.is_some());
        known.filter(|posted| posted.kind == "invoice")
    };
    let invoiced: i64 = known().map(|posted| posted.total).sum();
    let open = known().any(|posted| {
        lacking(index, posted) > 0
            || was_taken_back(index, posted)
            || told_of_document(index, "invoice", &posted.number)
    });
    let own = || index.paying_order(&order.number);
    let settled = own().all(|(at, _)| {
        let effects = index.effects_of(at);
        effects.iter().all(|done| super::super::index::was_confirmed(done.effect)) && !index.is_disturbed(at)
    });
    let untied: i64 = own().map(|(at, transaction)| books::undisputed(index, at, &transaction.id).max(0)).sum();
    let mut told_of = index.told_of_order(&order.number).iter().filter(|row| super::tells(row));
    if invoiced >= told.total && told.total > 0 && untied > 0 && !open && settled && told_of.next().is_none() {
        let says = format!("{untied} were captured beyond its {}, of which {invoiced} are invoiced", told.total);
        found.tell("untied-money-told", About { order: Some(order.number.clone()), ..About::default() }, says);
    }
}

/// Captured money that no invoice takes is told: of a cancelled order all of it, of another what no invoice can take any more.
fn money_of_nobody(index: &Index<'_>, order: &ShopOrder, found: &mut Found) {
    if cancelled(order) == Cancelled::No {
        return more_than_it_costs(index, order, found);
    }
    // While the customer pays one of the invoices, nobody knows yet what is left over.
    let open = index.documents_of(&order.number).iter().filter(|posted| posted.kind == "invoice");
    if open.flat_map(|posted| index.told_of_document("invoice", &posted.number)).any(|row| super::tells(row)) {
        return;
    }
    let by_itself = index.paying_order(&order.number).filter(|(_, of)| !invoices::is_entrys(index, of));
    for (at, transaction) in by_itself {
        let money = books::undisputed(index, at, &transaction.id) - instead_of_charged_back(index, &transaction.id);
        let settled = index.effects_of(at).iter().all(|done| super::super::index::was_confirmed(done.effect));
        let told = index.told_of_transaction(&transaction.id).iter().chain(index.told_of_order(&order.number));
        let mut told = told.filter(|row| {
            matches!(row.kind.as_str(), "untied_money" | "amount_differs" | "chargeback") && row.state != "resolved"
        });
        // A person has asked for it to be paid back, and is told why it is not.
        let mut requests = index.rows.requests.iter().filter(|request| request.transaction == transaction.id);
        let asked_for = requests.any(|request| told_of_document(index, "refund_request", &request.number));
        if money > 0 && settled && told.next().is_none() && !asked_for {
            let says = format!("{money} were captured for a cancelled order and belong to no invoice");
            found.tell("untied-money-told", index.about_transaction(&transaction.id), says);
        }
    }
}

/// What an entry has of it and its invoice does not lack: it took the place of what was charged back.
fn instead_of_charged_back(index: &Index<'_>, transaction: &str) -> i64 {
    let has_instead = |entry: &EntryRow| {
        let number = entry.invoice.as_deref().filter(|_| entry.status != "cancelled")?;
        let invoice = index.invoice(number).filter(|invoice| lacking(index, invoice) <= 0)?;
        let of_it = entry.assignments.iter().filter(|(id, _)| id == transaction);
        let has: i64 = of_it.map(|(_, minor)| minor).sum();
        Some((has - books::paid_for(index, &invoice.number, transaction)).max(0))
    };
    index.rows.entries.iter().filter_map(has_instead).sum()
}
