//! `sync-payments`: asks the PSP how payments stand, moves orders New → In progress → Paid | Cancelled | Error, and records
//! every capture and refund the PSP knows of, whoever asked for it (rules 1, 2, 13, 14). A payment page that asks for nothing any
//! more, as its entries were paid otherwise or cancelled, is closed, or it could be paid once too often.

use chrono::TimeDelta;

use super::facts::{named, news};
use super::{Frame, Step, Task, days};
use crate::domain::consequence::Consequence;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::PaymentId;
use crate::domain::letter;
use crate::domain::money::MoneyError;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::{Ledger, LedgerError, PaymentCase, Scope};
use crate::operation::Kind;
use crate::provider::pages::{Closed, closing};
use crate::provider::{PortError, PspPayment};
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct SyncPayments;

/// What the PSP said of a payment.
#[derive(Debug)]
pub struct Seen {
    said: Result<PspPayment, PortError>,
    /// What became of a page that asks for nothing any more.
    closed: Option<Closed>,
}

impl Task for SyncPayments {
    type Case = PaymentCase;
    type Seen = Seen;

    /// It plans nothing to send: answers to captures and refunds are asked for by the tasks that sent them.
    const KINDS: &'static [Kind] = &[];
    const SENDS: bool = false;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
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
        let ask = || ports.standing(&case.payment.provider, &case.payment.transaction);
        let said = ask();
        let is_open = said.as_ref().is_ok_and(|psp| psp.status == TransactionStatus::Open);
        if !case.asks_for_nothing || !is_open {
            return Seen { said, closed: None };
        }
        if frame.is_rehearsal {
            return Seen { said, closed: Some(Closed::No("a dry run closes no page".to_owned())) };
        }
        let closed = close(&case.payment, ports, frame);
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
        let ended = closed_by_us(case, psp);
        let psp = ended.as_ref().unwrap_or(psp);
        let mut steps =
            news(&case.payment, case.order.as_ref(), &case.operations, &case.movements, &case.named, psp, frame);
        if psp.status == TransactionStatus::Error {
            let message = "the PSP says Error: nobody knows whether the customer was charged; the order's other payments wait \
                           until a person has looked";
            let draft = exception(case, ExceptionKind::PaymentError, name(case), message.to_owned());
            let letter = letter::payment_error(&frame.settings.shop, &case.payment.transaction, &draft);
            steps.push(Step::raise(draft, Some(letter)));
        }
        if steps.is_empty() {
            steps.push(unchanged(about.clone(), psp, seen.closed.as_ref()));
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

/// Closed twice is closed, and no money moves: no operation stands for it.
fn close(page: &Payment, ports: &Ports, frame: &Frame<'_>) -> Closed {
    if !ports.can_cancel(&page.provider) {
        return Closed::No("its PSP closes no page".to_owned());
    }
    let mode = frame.settings.mode;
    let request = closing(mode, &page.provider, &page.merchant_account, &page.transaction, &page.method);
    Closed::from(ports.send(&request))
}

fn unchanged(about: String, psp: &PspPayment, closed: Option<&Closed>) -> Step {
    let still = format!("still {}", psp.status.as_str());
    match closed {
        None | Some(Closed::Yes) => Step::leave(about, still),
        Some(Closed::No(why)) => {
            Step::leave(about, format!("{still}, and nothing it asks for is owed any more: {why}"))
        }
        Some(Closed::Unknown(why)) => Step::unreachable(about, format!("nobody knows whether it is closed: {why}")),
    }
}

/// A page that asked for nothing counts as expired once it is closed: nobody cancelled the order (rule 14).
fn closed_by_us(case: &PaymentCase, psp: &PspPayment) -> Option<PspPayment> {
    let is_closed = case.asks_for_nothing && psp.status == TransactionStatus::Cancelled;
    is_closed.then(|| PspPayment { status: TransactionStatus::Expired, ..psp.clone() })
}

fn exception(case: &PaymentCase, kind: ExceptionKind, subject: String, message: String) -> ExceptionDraft {
    let about =
        About { order: case.order.as_ref().map(|order| order.id), payment: Some(case.payment.id), ..About::default() };
    ExceptionDraft { kind, subject, message, about }
}
