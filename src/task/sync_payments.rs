//! `sync-payments`: asks the PSP how payments stand, moves orders New → In progress → Paid | Cancelled | Error, and records
//! every capture and refund the PSP knows of, whoever asked for it (rules 1, 2, 13, 14).

use super::{Frame, Step, Task, days, order_name};
use crate::config::settings::CaptureStrategy;
use crate::domain::consequence::{Consequence, LearntFrom, MovementDraft, Standing};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::PaymentId;
use crate::domain::money::MoneyError;
use crate::domain::movement::MovementKind;
use crate::domain::payment::TransactionStatus;
use crate::ledger::{Ledger, LedgerError, PaymentCase, Scope};
use crate::operation::{Answer, Kind, Operation, State};
use crate::provider::{ModificationKind, ModificationState, PortError, PspModification, PspPayment};
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct SyncPayments;

impl Task for SyncPayments {
    type Case = PaymentCase;
    type Seen = Result<PspPayment, PortError>;

    /// It sends nothing: answers to captures and refunds are asked for by the tasks that sent them.
    const KINDS: &'static [Kind] = &[];

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        let not_before = frame.now - days(frame.task.transaction_valid_days);
        Ok(ledger.open_payments(PaymentId(after), limit, not_before)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<PaymentCase, LedgerError> {
        ledger.payment_case(PaymentId(id))
    }

    fn observe(&self, case: &PaymentCase, ports: &Ports) -> Self::Seen {
        ports.standing(&case.payment.provider, &case.payment.transaction)
    }

    fn plan(&self, case: &PaymentCase, seen: &Self::Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let about = name(case);
        let psp = match seen {
            Ok(psp) => psp,
            Err(PortError::Unreachable { why }) => return Ok(vec![Step::unreachable(about, why)]),
            Err(PortError::CannotTell { why }) => {
                let message = format!("the PSP cannot say how it stands: {why}; look in its back office");
                return Ok(vec![Step::raise(exception(case, ExceptionKind::PaymentError, about, message), None)]);
            }
        };
        let mut steps = Vec::new();
        for modification in &psp.modifications {
            steps.extend(fact(case, modification, frame));
        }
        steps.extend(standing(case, psp));
        if psp.status == TransactionStatus::Error {
            let message = "the PSP says Error: nobody knows whether the customer was charged; the order's other payments wait \
                           until a person has looked";
            steps.push(Step::raise(exception(case, ExceptionKind::PaymentError, name(case), message.to_owned()), None));
        }
        if steps.is_empty() {
            steps.push(Step::leave(about, format!("still {}", psp.status.as_str())));
        }
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
    let order = case.order.as_ref().map(|order| format!(" of order {}", order_name(order))).unwrap_or_default();
    format!("payment {}{order}", case.payment.transaction)
}

fn standing(case: &PaymentCase, psp: &PspPayment) -> Option<Step> {
    let payment = &case.payment;
    // What the PSP calls authorised while a capture of ours ended it is news only to us.
    let authorised = psp.authorised.filter(|amount| amount.is_positive());
    let same = psp.status == payment.status
        && authorised.is_none_or(|amount| amount == payment.authorised)
        && (psp.capture_before.is_none() || psp.capture_before == payment.capture_before);
    if same {
        return None;
    }
    let mut says = vec![format!("the PSP says {}", psp.status.as_str())];
    if let Some(amount) = authorised.filter(|amount| *amount != payment.authorised) {
        says.push(format!("authorised {amount}, was {}", payment.authorised));
    }
    let standing = Standing {
        payment: payment.id,
        status: psp.status,
        authorised,
        authorised_at: psp.authorised_at,
        capture_before: psp.capture_before,
    };
    Some(Step::record(name(case), says.join(", "), Consequence::Standing(standing)))
}

/// One modification at the PSP: known already, the outcome of an operation of ours, or somebody else's.
fn fact(case: &PaymentCase, modification: &PspModification, frame: &Frame<'_>) -> Vec<Step> {
    let ours = case.operations.iter().find(|operation| {
        modification.key.as_ref() == Some(&operation.key) || operation.modification.as_ref() == Some(&modification.id)
    });
    match (&modification.state, ours) {
        (ModificationState::Accepted, _) | (ModificationState::Failed { .. }, None) => Vec::new(),
        (ModificationState::Confirmed { at }, Some(operation)) => {
            let open = !matches!(operation.state, State::Confirmed | State::Sent);
            let answer = Answer::Confirmed { modification: modification.id.clone(), at: *at };
            settle(case, operation, answer, open)
        }
        (ModificationState::Failed { at, refusal }, Some(operation)) => {
            let known = matches!(operation.state, State::Refused | State::Sent);
            let mut steps = settle(case, operation, Answer::Refused(refusal.clone()), !known);
            if operation.state == State::Confirmed {
                steps.extend(failed_after_all(case, operation, modification, *at));
            }
            steps
        }
        (ModificationState::Confirmed { at }, None) => unasked(case, modification, *at, frame),
    }
}

fn settle(case: &PaymentCase, operation: &Operation, answer: Answer, open: bool) -> Vec<Step> {
    if !open {
        return Vec::new();
    }
    let reason = format!("the PSP settled our {} {}", operation.kind.as_str(), operation.id);
    vec![Step::record(name(case), reason, Consequence::Settle { operation: operation.id, answer })]
}

/// A confirmed capture or refund that the PSP took back: the opposite of its journals.
fn failed_after_all(
    case: &PaymentCase,
    operation: &Operation,
    modification: &PspModification,
    at: chrono::DateTime<chrono::Utc>,
) -> Vec<Step> {
    let kind = match modification.kind {
        ModificationKind::Capture => MovementKind::CaptureFailure,
        ModificationKind::Refund => MovementKind::RefundFailure,
        ModificationKind::Release => return Vec::new(),
    };
    let draft = MovementDraft {
        payment: case.payment.id,
        kind,
        modification: modification.id.clone(),
        amount: modification.amount,
        occurred_at: at,
        operation: Some(operation.id),
        document: operation.subject.document,
        learnt_from: LearntFrom::LookUp,
    };
    vec![Step::record(name(case), "it failed after it was confirmed", Consequence::Movement(draft))]
}

/// A movement nobody here asked for: recorded all the same (rule 2), and a person is told unless the method says that the
/// PSP or a person captures.
fn unasked(
    case: &PaymentCase,
    modification: &PspModification,
    at: chrono::DateTime<chrono::Utc>,
    frame: &Frame<'_>,
) -> Vec<Step> {
    let kind = match modification.kind {
        ModificationKind::Capture => MovementKind::Capture,
        ModificationKind::Refund => MovementKind::Refund,
        ModificationKind::Release => return Vec::new(),
    };
    if case.movements.iter().any(|movement| movement.kind == kind && movement.modification == modification.id) {
        return Vec::new();
    }
    let draft = MovementDraft {
        payment: case.payment.id,
        kind,
        modification: modification.id.clone(),
        amount: modification.amount,
        occurred_at: at,
        operation: None,
        document: None,
        learnt_from: LearntFrom::LookUp,
    };
    let reason = format!("the PSP reports a {} of {}", kind.as_str(), modification.amount);
    let mut steps = vec![Step::record(name(case), reason, Consequence::Movement(draft))];
    let strategy = frame.settings.method(&case.payment.method).strategy;
    let expected =
        matches!(strategy, CaptureStrategy::Automatic | CaptureStrategy::Manual) && kind == MovementKind::Capture;
    if !expected {
        let message = format!(
            "the PSP reports a {} of {} that payjournal did not ask for; it is booked. Find out who made it",
            kind.as_str(),
            modification.amount
        );
        let subject = format!("{} {} of {}", kind.as_str(), modification.id, name(case));
        let draft = exception(case, ExceptionKind::UnaskedMovement, subject, message);
        // Kept open until a person resolves it: it is a fact, not a condition that goes away.
        steps.push(Step::record(name(case), draft.message.clone(), Consequence::Raise(draft)));
    }
    steps
}

fn exception(case: &PaymentCase, kind: ExceptionKind, subject: String, message: String) -> ExceptionDraft {
    let about =
        About { order: case.order.as_ref().map(|order| order.id), payment: Some(case.payment.id), ..About::default() };
    ExceptionDraft { kind, subject, message, about }
}
