//! When an order is billed: what the config asks for, and what becomes of money that waits for the invoice itself. Pure.
//!
//! With the strategy "invoice" a payment is captured for the invoice. An order that is billed only once it is paid would then wait for
//! its capture, and the capture for the invoice, for ever: so what is authorised for the invoice, and covers it, counts as paid.

use super::plan::{Billing, Key, Obstacle};
use crate::config::settings::{CaptureStrategy, TaskName};
use crate::domain::entry::EntryStatus;
use crate::domain::exception::ExceptionKind;
use crate::domain::invoice::{BillWhen, Tie};
use crate::domain::money::{Amount, MoneyError};
use crate::domain::movement::Movement;
use crate::domain::order::{Cancellation, PaymentStatus, Terms};
use crate::domain::payment::Payment;
use crate::ledger::BillingCase;
use crate::task::{Frame, days};

/// The conditions of the config, all of which must hold, and what no config can allow.
pub(super) fn may_be_billed(
    case: &BillingCase,
    frame: &Frame<'_>,
    key: &Key<'_>,
    ties: &[Tie],
) -> Result<Billing<()>, MoneyError> {
    let wait = |why: &str| Ok(Err(Obstacle::Wait(why.to_owned())));
    if case.is_invoiced_by_erp {
        return wait("the ERP has posted its invoice");
    }
    if case.order.cancelled != Cancellation::None {
        return wait("it is cancelled");
    }
    for condition in &frame.settings.invoices.bill_when {
        let unmet = match condition {
            BillWhen::OrderPaid if is_charged(case, frame, ties)? => None,
            BillWhen::OrderPaid => unpaid(case, ties)?,
            BillWhen::EntryBalanced => match key {
                Key::Entry(paid) if paid.entry.status == EntryStatus::Balanced => None,
                Key::Entry(paid) => Some(format!("{} has {} open", paid.entry.name(), paid.entry.open()?)),
                Key::Again(_) => unpaid(case, ties)?,
                Key::Payment(_) | Key::Neither => Some("it has no `entry_assignment_key`".to_owned()),
            },
            BillWhen::PaymentCollected if !has_collected(case, key) => {
                Some("no payment of it was collected".to_owned())
            }
            BillWhen::PaymentCollected => None,
        };
        if let Some(why) = unmet {
            let why = format!("{why} (`invoices.bill_when` has \"{}\")", condition.as_str());
            return Ok(Err(Obstacle::Unready(why)));
        }
    }
    Ok(Ok(()))
}

/// What is missing of what must be paid; the money that is there counts, and not what an order's status once was.
fn unpaid(case: &BillingCase, ties: &[Tie]) -> Result<Option<String>, MoneyError> {
    if case.order.terms == Terms::OnAccount {
        return Ok(None);
    }
    let currency = case.order.total.currency();
    let paid = Amount::sum(currency, ties.iter().map(|tie| tie.amount))?;
    let required = case.order.required(Amount::zero(currency))?;
    Ok((paid.minor() < required.minor()).then(|| format!("{paid} of {required} is paid")))
}

pub(super) fn has_collected(case: &BillingCase, key: &Key<'_>) -> bool {
    let any = |captures: &[Movement]| captures.iter().any(|capture| capture.untied.is_positive());
    match key {
        Key::Entry(paid) => paid.entry.assigned.is_positive(),
        Key::Again(_) => any(&case.given_back),
        Key::Payment(_) => any(&case.captures),
        Key::Neither => any(&case.own_captures) || any(&case.given_back),
    }
}

/// Whether `capture` takes all that the invoice lacks from what its customer has authorised: it captures all of it or nothing.
pub(super) fn is_charged(case: &BillingCase, frame: &Frame<'_>, ties: &[Tie]) -> Result<bool, MoneyError> {
    let currency = case.order.total.currency();
    let paid = Amount::sum(currency, ties.iter().map(|tie| tie.amount))?;
    let open = case.order.total.checked_sub(paid)?;
    let usable = waiting(case, frame).filter(|payment| may_be_captured(payment, frame));
    let left = usable.map(Payment::still_authorised).collect::<Result<Vec<_>, _>>()?;
    let left = Amount::sum(currency, left.into_iter().filter(|amount| amount.currency() == currency))?;
    Ok(open.is_positive() && left.minor() >= open.minor())
}

/// Payments that are captured for the order's invoice only.
fn waiting<'a>(case: &'a BillingCase, frame: &'a Frame<'_>) -> impl Iterator<Item = &'a Payment> {
    let is_captured = case.order.terms != Terms::OnAccount && case.order.payment_status != PaymentStatus::Error;
    case.authorised.iter().filter(move |payment| {
        is_captured && frame.settings.method(&payment.method).strategy == CaptureStrategy::Invoice
    })
}

/// As `capture` sees it: not what has lapsed (rule 13), nor what a person has to look at first.
fn may_be_captured(payment: &Payment, frame: &Frame<'_>) -> bool {
    let valid = frame.settings.tasks.get(&TaskName::Capture).map(|task| days(task.transaction_valid_days));
    let is_stale = valid.is_some_and(|valid| payment.status_since + valid <= frame.now);
    let is_over = payment.capture_before.is_some_and(|deadline| deadline <= frame.now);
    !is_stale && !is_over && !payment.amount_differs && !payment.is_charged_back
}

/// An order that is not ready is no matter for a person, unless money stands authorised that is captured for the invoice it waits for:
/// nothing else would ever happen, and nobody would hear of it.
pub(super) fn unready(case: &BillingCase, frame: &Frame<'_>, why: String) -> Obstacle {
    let patience = days(frame.task.error_notification_after_days);
    let stuck: Vec<String> = waiting(case, frame)
        .filter(|payment| payment.status_since + patience <= frame.now)
        .map(|payment| format!("payment {} over {}", payment.transaction, payment.authorised))
        .collect();
    if stuck.is_empty() {
        return Obstacle::Wait(why);
    }
    Obstacle::Person(
        ExceptionKind::NotBillable,
        format!(
            "{why}, and what is authorised is captured for its invoice only: {}. Neither will happen by itself: ask for what is missing, \
             release the payment, or give its method another `strategy`",
            stuck.join(", ")
        ),
    )
}
