//! Chargebacks that settlement lines tell of, and those that were won back: each is booked, and each chargeback is told, once, and
//! holds its payment back until a person has ended it.

use std::collections::BTreeSet;

use crate::domain::consequence::{Consequence, LearntFrom, MovementDraft};
use crate::domain::document::DocumentKind;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::ModificationId;
use crate::domain::money::Amount;
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::settlement::disputes::{Dispute, Way};
use crate::ledger::PaymentCase;
use crate::ledger::settlements::SettledCase;
use crate::task::facts::named;
use crate::task::{Step, order_name};

/// What of the chargebacks is not booked or not told yet.
pub(super) fn news(case: &SettledCase, disputes: &[Dispute]) -> Vec<Step> {
    let mut steps = movements(&case.payment, disputes);
    steps.extend(untold(case, disputes));
    steps
}

fn movements(case: &PaymentCase, disputes: &[Dispute]) -> Vec<Step> {
    let about = named(&case.payment, case.order.as_ref());
    let new = disputes.iter().filter(|dispute| recorded(case, dispute).is_none());
    let bookable = new.filter_map(|dispute| Some((dispute, dispute.booked.as_ref().ok()?)));
    bookable
        .map(|(dispute, (id, amount))| {
            let reason = match dispute.way {
                Way::Taken => format!("a settlement report of the PSP has a chargeback of {amount}"),
                Way::WonBack => format!("a settlement report of the PSP has {amount} won back"),
            };
            Step::record(about.clone(), reason, Consequence::Movement(movement(case, dispute, id, *amount)))
        })
        .collect()
}

fn movement(case: &PaymentCase, dispute: &Dispute, id: &ModificationId, amount: Amount) -> MovementDraft {
    MovementDraft {
        payment: case.payment.id,
        kind: kind(dispute.way),
        modification: id.clone(),
        amount,
        occurred_at: dispute.at,
        operation: None,
        document: None,
        learnt_from: LearntFrom::Settlement,
        key: None,
    }
}

fn kind(way: Way) -> MovementKind {
    match way {
        Way::Taken => MovementKind::Chargeback,
        Way::WonBack => MovementKind::ChargebackReversed,
    }
}

fn recorded<'c>(case: &'c PaymentCase, dispute: &Dispute) -> Option<&'c Movement> {
    let kind = kind(dispute.way);
    case.movements.iter().find(|known| known.kind == kind && known.modification.as_str() == dispute.name)
}

/// What a person has to find out and to book, all in one.
pub(super) fn unclear(case: &PaymentCase, disputes: &[Dispute]) -> Option<Step> {
    let doubts: Vec<String> = disputes.iter().filter_map(|dispute| doubt(case, dispute)).collect();
    if doubts.is_empty() {
        return None;
    }
    let payment = &case.payment;
    let draft = ExceptionDraft {
        kind: ExceptionKind::LinesUnclear,
        subject: format!("chargebacks of {}", named(payment, case.order.as_ref())),
        message: format!(
            "{}: nothing of that is booked, and nothing more is taken from this payment or given back. Compare with the PSP's back \
             office, book the difference by hand, and `payjournal resolve` this exception",
            doubts.join("; ")
        ),
        about: About { order: payment.order, payment: Some(payment.id), ..About::default() },
    };
    Some(Step::raise(draft, None))
}

fn doubt(case: &PaymentCase, dispute: &Dispute) -> Option<String> {
    let noun = match dispute.way {
        Way::Taken => "chargeback",
        Way::WonBack => "chargeback that was won back",
    };
    let what = format!("{noun} {} over {} (line {})", dispute.name, dispute.presented, dispute.lines.join(", "));
    match (&dispute.booked, recorded(case, dispute)) {
        (Err(why), None) => Some(format!("{what} {why}")),
        (Err(why), Some(known)) => Some(format!("{what} {why}, and is booked once, over {}", known.amount)),
        (Ok((_, amount)), Some(known)) if *amount != known.amount => {
            Some(format!("{what} is booked over {}", known.amount))
        }
        (Ok(_), _) => None,
    }
}

/// A chargeback is a fact, not a condition that goes away: only a person ends it.
fn untold(case: &SettledCase, disputes: &[Dispute]) -> Vec<Step> {
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
    let booked = match &dispute.booked {
        Ok(_) => "booked as a disputed receivable".to_owned(),
        Err(why) => format!("not booked, as it {why}"),
    };
    ExceptionDraft {
        kind: ExceptionKind::Chargeback,
        subject: subject(case, dispute),
        message: format!(
            "the customer's bank took {} back{} (payout {}, line {}), {booked}: contest it at the PSP, or accept it. A credit note for it must \
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
    // A document is named once for each way it is known by.
    let invoices: BTreeSet<String> = invoices.map(|it| format!("invoice {}", it.number)).collect();
    let all: Vec<String> = order.chain(invoices).collect();
    if all.is_empty() { String::new() } else { format!(" of {}", all.join(", ")) }
}
