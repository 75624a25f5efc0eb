//! Why a day failed, for a person: what was violated, and all that is known of the payments it is about.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::auditor::Violation;
use super::record::{By, EffectKind, EffectState, Record, SaleKey};
use crate::ledger::rows::Rows;

/// Violations told in full; the rest is counted.
const MOST_TOLD: usize = 5;

impl Violation {
    /// A run ended as no run may end.
    pub fn of_run(error: String) -> Self {
        Self { invariant: "runs-end-well", about: super::auditor::About::default(), says: error }
    }

    /// A finding of `payjournal verify`, which must have none.
    pub(crate) fn of_verify(check: &'static str, subject: &str, message: &str) -> Self {
        Self {
            invariant: check,
            about: super::auditor::About::default(),
            says: format!("verify: {subject}: {message}"),
        }
    }
}

pub(super) fn explain(violations: &[Violation], record: &Record, rows: &Rows) -> String {
    let record = &*super::auditor::as_known(record, rows);
    let mut text = String::new();
    let mut told = BTreeSet::new();
    for violation in violations.iter().take(MOST_TOLD) {
        line(&mut text, &format!("violated: {} - {}", violation.invariant, violation.says));
        for transaction in transactions(violation, record) {
            if told.insert(transaction) {
                tell(&mut text, transaction, record, rows);
            }
        }
        if let Some(order) = &violation.about.order {
            tell_sale(&mut text, order, record, rows);
            tell_cleaning(&mut text, order, record, rows);
        }
    }
    if violations.len() > MOST_TOLD {
        line(&mut text, &format!("and {} more", violations.len() - MOST_TOLD));
    }
    text
}

/// What an order that payjournal bills sells, and what ties money to its invoice.
fn tell_sale(text: &mut String, order: &str, record: &Record, rows: &Rows) {
    for sale in record.sales.iter().filter(|sale| sale.order == order) {
        line(text, &format!("  {sale:?}"));
        for claim in record.claims.iter().filter(|claim| sale.key == SaleKey::Entry(claim.key.clone())) {
            line(text, &format!("    {claim:?}"));
            let entries = rows.entries.iter().filter(|entry| entry.reference.as_ref() == Some(&claim.reference));
            entries.for_each(|entry| line(text, &format!("    ledger {entry:?}")));
        }
        let payments = rows.payments.iter().filter(|payment| payment.order.as_deref() == Some(order));
        payments.for_each(|payment| line(text, &format!("    ledger {payment:?}")));
        let invoices = rows.invoices.iter().filter(|invoice| invoice.order == order);
        invoices.for_each(|invoice| line(text, &format!("    ledger {invoice:?}")));
    }
}

/// Whether an order was taken out of the ERP, and what the ledger believes of it.
fn tell_cleaning(text: &mut String, order: &str, record: &Record, rows: &Rows) {
    let Some(cleaning) = record.cleaning else { return };
    line(text, &format!("  {cleaning:?}"));
    let is_its = |index: usize| record.transactions.get(index).is_some_and(|one| one.order.as_deref() == Some(order));
    for closing in record.closings.iter().filter(|closing| is_its(closing.transaction)) {
        line(text, &format!("    PSP    {closing:?}"));
    }
    for deletion in record.deletions.iter().filter(|deletion| deletion.order == order) {
        line(text, &format!("    ERP    {deletion:?}"));
    }
    for operation in rows.operations.iter().filter(|row| row.order.as_deref() == Some(order)) {
        line(text, &format!("    ledger {operation:?}"));
    }
    for row in rows.orders.iter().filter(|row| row.number == order) {
        line(text, &format!("    ledger {row:?}"));
    }
    for row in rows.tombstones.iter().filter(|row| row.order == order) {
        line(text, &format!("    ledger {row:?}"));
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

/// The transactions a violation may be about: all of its order, and all that pay its document.
fn transactions(violation: &Violation, record: &Record) -> Vec<usize> {
    let about = &violation.about;
    let document = about.document.as_ref().and_then(|(kind, number)| {
        record.documents.iter().find(|document| document.kind == kind && document.number == *number)
    });
    let named = record.transactions.iter().find(|transaction| Some(&transaction.id) == about.transaction.as_ref());
    let order = about.order.clone().or_else(|| document.and_then(|document| document.order.clone()));
    let order = order.or_else(|| named.and_then(|transaction| transaction.order.clone()));
    // What is about nothing in particular may be about anything, and a small shop can be told whole.
    let whole = *about == super::auditor::About::default() && record.transactions.len() <= MOST_TOLD;
    let all = record.transactions.iter().enumerate().filter(|(_, transaction)| {
        // `verify` names it in its sentence.
        let is_said = || violation.says.split([' ', ':']).any(|word| word == transaction.id);
        let is_named = Some(&transaction.id) == about.transaction.as_ref() || is_said();
        let pays = document.is_some_and(|document| transaction.pays.contains(&document.number));
        whole || is_named || pays || (order.is_some() && transaction.order == order)
    });
    all.map(|(index, _)| index).collect()
}

fn tell(text: &mut String, index: usize, record: &Record, rows: &Rows) {
    let Some(transaction) = record.transactions.get(index) else { return };
    line(
        text,
        &format!(
            "  {} by {} ({:?}, {:?}): {} {}, {} authorised{}",
            transaction.id,
            transaction.method,
            transaction.trigger,
            transaction.partial,
            transaction.status,
            transaction.currency,
            transaction.authorised,
            if transaction.adjusted { ", adjusted" } else { "" },
        ),
    );
    for effect in record.effects.iter().filter(|effect| effect.transaction == index) {
        let kind = match effect.kind {
            EffectKind::Capture => "capture",
            EffectKind::Refund => "refund",
            EffectKind::Release => "release",
            EffectKind::Chargeback => "chargeback",
            EffectKind::WonBack => "won back",
            EffectKind::SecondChargeback => "second chargeback",
        };
        let by = match &effect.by {
            By::Payjournal(asked) => {
                format!("{:?} key {}, told {:?}", asked.document, asked.key, asked.told_outstanding)
            }
            By::Person => "a person".to_owned(),
            By::Psp => "the PSP".to_owned(),
        };
        let state = match effect.state {
            EffectState::Accepted => "accepted",
            EffectState::Confirmed => "confirmed",
            EffectState::Failed if effect.failed_late => "failed late",
            EffectState::Failed => "failed",
        };
        line(text, &format!("    PSP    {} {kind} {} {state}, {}, by {by}", effect.id, effect.amount, effect.at));
    }
    for operation in rows.operations.iter().filter(|operation| operation.transaction.as_ref() == Some(&transaction.id))
    {
        line(
            text,
            &format!(
                "    ledger operation {} {} {} {:?} {}, attempt {}, {} tries, key {}: {}",
                operation.id,
                operation.kind,
                operation.amount,
                operation.document,
                operation.state,
                operation.attempt,
                operation.tries,
                operation.key,
                operation.note
            ),
        );
    }
    for movement in rows.movements.iter().filter(|movement| movement.transaction == transaction.id) {
        line(text, &format!("    ledger {} {} {}", movement.kind, movement.modification, movement.amount));
        for journal in rows.journals.iter().filter(|journal| journal.movement == movement.id) {
            line(
                text,
                &format!(
                    "      {} {} {} {:?} {:?}",
                    journal.number, journal.kind, journal.direction, journal.document, journal.postings
                ),
            );
        }
    }
    tell_order(text, transaction.order.as_deref(), &transaction.pays, record, rows);
}

fn tell_order(text: &mut String, order: Option<&str>, pays: &[String], record: &Record, rows: &Rows) {
    for order in record.orders.iter().filter(|found| Some(found.number.as_str()) == order) {
        line(
            text,
            &format!(
                "    order {} {} {:?} {:?}, told {:?}",
                order.number, order.total, order.terms, order.cancelled, order.told
            ),
        );
    }
    for document in &record.documents {
        if document.order.as_deref() == order && order.is_some() || pays.contains(&document.number) {
            line(
                text,
                &format!(
                    "    {} {} {}, {} by hand ({} told), told {:?}, of {:?}",
                    document.kind,
                    document.number,
                    document.total,
                    document.by_hand,
                    document.told_by_hand,
                    document.told_at,
                    document.references
                ),
            );
        }
    }
    for exception in
        rows.exceptions.iter().filter(|exception| exception.order.is_some() && exception.order.as_deref() == order)
    {
        line(
            text,
            &format!("    exception {} {} {}: {}", exception.id, exception.kind, exception.state, exception.message),
        );
    }
}
