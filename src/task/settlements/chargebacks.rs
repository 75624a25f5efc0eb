//! Chargebacks that settlement lines tell of: each is told, once, and holds its payment back until a person has ended it.

use crate::domain::consequence::Consequence;
use crate::domain::document::DocumentKind;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::settlement::disputes::{Dispute, Way};
use crate::ledger::PaymentCase;
use crate::ledger::settlements::SettledCase;
use crate::task::facts::named;
use crate::task::{Step, order_name};

/// What of the chargebacks is not told yet. It is a fact, not a condition that goes away: only a person ends it.
pub(super) fn news(case: &SettledCase, disputes: &[Dispute]) -> Vec<Step> {
    let taken = disputes.iter().filter(|dispute| dispute.way == Way::Taken);
    let untold = taken.filter(|dispute| !case.told.contains(&subject(&case.payment, dispute)));
    untold
        .map(|dispute| {
            let draft = told(&case.payment, dispute);
            let about = named(&case.payment.payment, case.payment.order.as_ref());
            Step::record(about, draft.message.clone(), Consequence::Raise(draft))
        })
        .collect()
}

/// The same for ever: without the order, which may become known later, and with the account, as the names are the PSP's.
fn subject(case: &PaymentCase, dispute: &Dispute) -> String {
    let payment = &case.payment;
    format!(
        "chargeback {} of payment {} at {}/{}",
        dispute.name, payment.transaction, payment.provider, payment.merchant_account
    )
}

fn told(case: &PaymentCase, dispute: &Dispute) -> ExceptionDraft {
    let payment = &case.payment;
    ExceptionDraft {
        kind: ExceptionKind::Chargeback,
        subject: subject(case, dispute),
        message: format!(
            "the customer's bank took {} back{} (payout {}, line {}): contest it at the PSP, or accept it. A credit note for it must \
             not be paid out again: set its paid_elsewhere by import. Nothing more is taken from this payment or given back until a \
             person has ended this with `payjournal resolve`",
            dispute.presented,
            paid_for(case),
            dispute.payouts.join(", "),
            dispute.lines.join(", "),
        ),
        about: About { order: payment.order, payment: Some(payment.id), ..About::default() },
    }
}

/// The order, and the invoices the payment has paid.
fn paid_for(case: &PaymentCase) -> String {
    let order = case.order.iter().map(|order| format!("order {}", order_name(order)));
    let is_paid = |id| case.movements.iter().any(|movement| movement.tied_to.contains(&id));
    let invoices = case.named.iter().filter(|it| it.kind == DocumentKind::Invoice && is_paid(it.id));
    let all: Vec<String> = order.chain(invoices.map(|it| format!("invoice {}", it.number))).collect();
    if all.is_empty() { String::new() } else { format!(" of {}", all.join(", ")) }
}
