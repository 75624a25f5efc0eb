//! `sync-payments`: asks the PSP how payments stand, moves orders New → In progress → Paid | Cancelled | Error, and records
//! every capture and refund the PSP knows of, whoever asked for it (rules 1, 2, 13, 14).
//!
//! A payment page that asks for nothing any more, as its entries were paid otherwise or cancelled, is closed then, or it could be paid
//! once too often. It counts as expired before, so that nobody is sent to it meanwhile; and as closed twice is closed, no operation
//! stands for it.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::facts::{named, news};
use super::{Action, Frame, Step, Task, days};
use crate::domain::consequence::Consequence;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::PaymentId;
use crate::domain::letter;
use crate::domain::money::MoneyError;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::{Ledger, LedgerError, PaymentCase, Scope};
use crate::operation::Kind;
use crate::provider::pages::{Closed, closing, has_ended};
use crate::provider::{PortError, PspPayment};
use crate::run::engine::{Run, execute};
use crate::run::ports::Ports;

/// The payments that may have changed, and then the pages that ask for nothing any more, as far as is known by then.
pub fn sync(run: &mut Run<'_>) -> Result<(), LedgerError> {
    execute(&SyncPayments { only: None }, run)?;
    if run.id.is_none() || (run.host.stop)() {
        return Ok(());
    }
    let settled = run.ledger.expire_settled_pages(run.id, run.now)?;
    if settled.is_empty() { Ok(()) } else { execute(&SyncPayments { only: Some(settled) }, run) }
}

#[derive(Debug)]
struct SyncPayments {
    /// These, or all that may have changed.
    only: Option<BTreeSet<PaymentId>>,
}

/// What the PSP says of a payment.
#[derive(Debug)]
struct Seen {
    said: Result<PspPayment, PortError>,
    /// What it did about a page that asks for nothing any more.
    closed: Option<Closed>,
}

impl Task for SyncPayments {
    type Case = PaymentCase;
    type Seen = Seen;

    /// It plans nothing to send: answers to captures and refunds are asked for by the tasks that sent them.
    const KINDS: &'static [Kind] = &[];
    const SENDS: bool = false;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        if let Some(only) = &self.only {
            let following = only.iter().map(|id| id.0).filter(|id| *id > after);
            return Ok(following.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect());
        }
        let not_before = frame.now - days(frame.task.transaction_valid_days);
        // Somewhat less than a day, so that a daily run asks daily.
        let asked_before = frame.now - TimeDelta::hours(20);
        let open = ledger.open_payments(PaymentId(after), limit, not_before, asked_before, frame.now)?;
        Ok(open.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<PaymentCase, LedgerError> {
        ledger.payment_case(PaymentId(id))
    }

    fn observe(&self, case: &PaymentCase, ports: &Ports, frame: &Frame<'_>) -> Seen {
        let payment = &case.payment;
        let ask = || ports.standing(&payment.provider, &payment.transaction);
        let said = ask();
        let is_open = said.as_ref().is_ok_and(|psp| psp.status == TransactionStatus::Open);
        if !is_open || !is_to_be_closed(case) || frame.is_rehearsal {
            return Seen { said, closed: None };
        }
        let closed = close(payment, ports, frame);
        // Somebody may have paid this very moment.
        Seen { said: ask(), closed: Some(closed) }
    }

    fn plan(&self, case: &PaymentCase, seen: &Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let about = name(case);
        let psp = match &seen.said {
            Ok(psp) => psp,
            Err(PortError::Unreachable { why }) => return Ok(vec![Step::unreachable(about, why)]),
            Err(PortError::NotOffered) => {
                return Ok(vec![Step::leave(about, "this PSP cannot be asked; its reports say")]);
            }
            Err(PortError::CannotTell { why }) => {
                let message = format!("the PSP cannot say how it stands: {why}; look in its back office");
                return Ok(vec![Step::raise(exception(case, ExceptionKind::PaymentError, about, message), None)]);
            }
        };
        let status = psp.status;
        let expired = counts_as_expired(case, psp);
        let psp = expired.as_ref().unwrap_or(psp);
        let mut steps =
            news(&case.payment, case.order.as_ref(), &case.operations, &case.movements, &case.named, psp, frame);
        if psp.status == TransactionStatus::Error {
            let message = "the PSP says Error: nobody knows whether the customer was charged; the order's other payments wait \
                           until a person has looked";
            let draft = exception(case, ExceptionKind::PaymentError, name(case), message.to_owned());
            let letter = letter::payment_error(&frame.settings.shop, &case.payment.transaction, &draft);
            steps.push(Step::raise(draft, Some(letter)));
        }
        let of_page = page_steps(case, status, seen.closed.as_ref(), frame);
        if of_page.iter().any(|step| step.action == Action::Unreachable) {
            // It is asked about again by the next run.
            steps.extend(of_page);
            return Ok(steps);
        }
        steps.extend(of_page);
        if steps.is_empty() {
            steps.push(Step::leave(about.clone(), format!("still {}", psp.status.as_str())));
        }
        steps.push(Step::record(about, "asked", Consequence::Asked(case.payment.id)));
        Ok(steps)
    }

    fn scope(&self, case: &PaymentCase) -> Scope {
        Scope { payment: Some(case.payment.id), ..Scope::default() }
    }

    fn name(&self, case: &PaymentCase) -> String {
        name(case)
    }
}

fn name(case: &PaymentCase) -> String {
    named(&case.payment, case.order.as_ref())
}

/// A page that asks for nothing, and counts as expired for that.
fn is_to_be_closed(case: &PaymentCase) -> bool {
    case.asks_for_nothing && case.payment.status == TransactionStatus::Expired
}

fn close(page: &Payment, ports: &Ports, frame: &Frame<'_>) -> Closed {
    if !ports.can_cancel(&page.provider) {
        return Closed::Refused("it closes no pages".to_owned());
    }
    let mode = frame.settings.mode;
    let request = closing(mode, &page.provider, &page.merchant_account, &page.transaction, &page.method, frame.now);
    Closed::from(ports.send(&request))
}

/// That the PSP still has a page open which is to be closed is no news.
fn counts_as_expired(case: &PaymentCase, psp: &PspPayment) -> Option<PspPayment> {
    let is_to_come = is_to_be_closed(case) && psp.status == TransactionStatus::Open;
    is_to_come.then(|| PspPayment { status: TransactionStatus::Expired, ..psp.clone() })
}

/// What became of a page that asks for nothing any more; `status` is how it stands since.
fn page_steps(case: &PaymentCase, status: TransactionStatus, closed: Option<&Closed>, frame: &Frame<'_>) -> Vec<Step> {
    let name = name(case);
    let is_open = status == TransactionStatus::Open;
    let is_closed = match closed {
        Some(_) => has_ended(status),
        None => frame.is_rehearsal && case.asks_for_nothing && is_open,
    };
    if is_closed {
        let why = "nothing its page asks for is owed any more";
        return vec![Step::record(name, why, Consequence::PageClosed(case.payment.id))];
    }
    match closed.filter(|_| is_open) {
        // Or it was paid this moment.
        None => Vec::new(),
        Some(Closed::Yes) => vec![Step::unreachable(name, "the PSP has closed it, and says that it is open")],
        Some(Closed::NotDone(why) | Closed::Unknown(why)) => vec![Step::unreachable(name, why)],
        Some(Closed::Refused(why)) => {
            let message = format!(
                "its page can still be paid, and nothing it asks for is owed any more; the PSP does not close it: {why}. It is tried \
                 again every day; close it in the PSP's back office. What is paid on it is free money (`payjournal leftovers`)"
            );
            vec![Step::raise(exception(case, ExceptionKind::NotClosed, name, message), None)]
        }
    }
}

fn exception(case: &PaymentCase, kind: ExceptionKind, subject: String, message: String) -> ExceptionDraft {
    let about =
        About { order: case.order.as_ref().map(|order| order.id), payment: Some(case.payment.id), ..About::default() };
    ExceptionDraft { kind, subject, message, about }
}
