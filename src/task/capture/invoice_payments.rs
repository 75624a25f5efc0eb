//! Payments that customers make for posted invoices: taken at once, because the invoice is there already, and never more
//! than the named invoices still lack.

use std::collections::BTreeMap;

use crate::config::settings::CaptureStrategy;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{DocumentId, PaymentId};
use crate::domain::letter;
use crate::domain::money::{Amount, MoneyError};
use crate::domain::payment::TransactionStatus;
use crate::ledger::{InvoicePaymentCase, Ledger, LedgerError, Scope};
use crate::operation::key::NaturalKey;
use crate::operation::{Key, Kind, Operation, State, Subject};
use crate::provider::{PortError, PspPayment};
use crate::run::ports::Ports;
use crate::task::facts::learn_first;
use crate::task::{Action, Frame, Step, Task, Wanted, days, give_up_stale};

/// The part of `capture` that needs no order.
#[derive(Debug, Clone, Copy)]
pub struct InvoicePayments;

#[derive(Debug)]
pub struct Seen {
    outstanding: BTreeMap<DocumentId, Result<Amount, PortError>>,
    standings: BTreeMap<PaymentId, Result<PspPayment, PortError>>,
}

impl Task for InvoicePayments {
    type Case = InvoicePaymentCase;
    type Seen = Seen;

    /// `Capture` asked about all captures of this run already.
    const KINDS: &'static [Kind] = &[];
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, _frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        Ok(ledger.invoice_payments(PaymentId(after), limit)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<InvoicePaymentCase, LedgerError> {
        ledger.invoice_payment_case(PaymentId(id))
    }

    fn observe(&self, case: &InvoicePaymentCase, ports: &Ports, _frame: &Frame<'_>) -> Seen {
        Seen {
            outstanding: case.invoices.iter().map(|invoice| (invoice.id, ports.outstanding(invoice))).collect(),
            standings: [(case.payment.id, ports.standing(&case.payment.provider, &case.payment.transaction))].into(),
        }
    }

    fn plan(&self, case: &InvoicePaymentCase, seen: &Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let payment = &case.payment;
        let order = case.order.as_ref();
        let mut first =
            learn_first(&seen.standings, &[payment], order, &case.operations, &case.movements, &case.named, frame);
        if !first.is_empty() {
            let captures = case.operations.iter().filter(|operation| operation.kind == Kind::Capture);
            first.extend(give_up_stale(captures, frame));
            return Ok(first);
        }
        // Rule 10: the PSP or a person captures, and payjournal observes.
        let strategy = frame.settings.method(&payment.method).strategy;
        if matches!(strategy, CaptureStrategy::Automatic | CaptureStrategy::Manual) {
            return Ok(vec![Step::leave(self.name(case), "its method says that payjournal does not capture it")]);
        }
        if payment.status != TransactionStatus::Authorised {
            return Ok(self.not_authorised_any_more(case));
        }
        if let Some(earlier) = &case.paid_before {
            let why = format!("payment {} for the same invoice came first", earlier.transaction);
            if earlier.since + days(frame.task.error_notification_after_days) > frame.now {
                return Ok(vec![Step::leave(self.name(case), why)]);
            }
            let message = format!("{why} and is still not settled; find out at the PSP how it ended");
            return Ok(vec![Step::raise(exception(case, ExceptionKind::WaitsForPayment, message), None)]);
        }
        let lacking = match lacking(case, seen)? {
            Ok(lacking) => lacking,
            Err(step) => return Ok(vec![step]),
        };
        let past: Vec<Operation> =
            case.operations.iter().filter(|operation| operation.kind == Kind::Capture).cloned().collect();
        let planned = past.iter().filter(|operation| operation.state == State::Planned);
        let planned = Amount::sum(lacking.currency(), planned.filter_map(|operation| operation.amount))?;
        let left = payment.still_authorised()?.checked_add(planned)?;
        if !left.is_positive() {
            return Ok(vec![Step::leave(self.name(case), "all of it is captured or on its way")]);
        }
        if lacking.minor() < left.minor() {
            return Ok(vec![too_much(case, left, lacking)]);
        }
        Ok(want(case, left, past, frame))
    }

    fn scope(&self, case: &InvoicePaymentCase) -> Scope {
        Scope { payment: Some(case.payment.id), ..Scope::default() }
    }

    fn name(&self, case: &InvoicePaymentCase) -> String {
        format!("payment {}", case.payment.transaction)
    }
}

impl InvoicePayments {
    /// A capture that was planned can never be made; a person learns that the customer has to pay again.
    fn not_authorised_any_more(self, case: &InvoicePaymentCase) -> Vec<Step> {
        let payment = &case.payment;
        let status = payment.status.as_str();
        let captures = || case.operations.iter().filter(|operation| operation.kind == Kind::Capture);
        let planned = captures().filter(|operation| operation.state == State::Planned);
        let mut steps: Vec<Step> = planned
            .map(|operation| Step {
                about: self.name(case),
                reason: format!("the payment is {status}"),
                action: Action::Withdraw { operation: operation.id },
            })
            .collect();
        let never_made = captures().max_by_key(|operation| operation.attempt).is_some_and(|last| match last.state {
            State::Planned | State::Withdrawn => true,
            State::Sent | State::Accepted | State::Confirmed | State::Refused | State::Unknown | State::GivenUp => {
                false
            }
        });
        if payment.status == TransactionStatus::Expired && never_made && !payment.captured.is_positive() {
            let message = format!(
                "its authorisation expired before {} could be captured; ask the customer to pay again",
                payment.authorised
            );
            steps.push(Step::raise(exception(case, ExceptionKind::AuthorisationExpired, message), None));
        } else {
            steps.push(Step::leave(self.name(case), format!("the payment is {status}")));
        }
        steps
    }
}

/// What the named invoices still lack together, or the step that says why that is not known.
fn lacking(case: &InvoicePaymentCase, seen: &Seen) -> Result<Result<Amount, Step>, MoneyError> {
    let mut sum = Amount::zero(case.payment.authorised.currency());
    for invoice in &case.invoices {
        match seen.outstanding.get(&invoice.id) {
            Some(Ok(outstanding)) if invoice.may_lack_more(*outstanding)? => return Ok(Err(Step::unanswered(invoice))),
            Some(Ok(outstanding)) => sum = sum.checked_add(invoice.uncollected(*outstanding)?)?,
            Some(Err(PortError::Unreachable { why })) => return Ok(Err(Step::unreachable(invoice.name(), why))),
            Some(Err(why @ (PortError::CannotTell { .. } | PortError::NotOffered))) => {
                let message = format!("the ERP cannot say what is outstanding: {why}; nothing is captured for it");
                return Ok(Err(Step::raise(exception(case, ExceptionKind::OutstandingUnreadable, message), None)));
            }
            None => {}
        }
    }
    Ok(Ok(sum))
}

/// Paid already, or less than the customer authorised: nobody takes it without a person having looked.
fn too_much(case: &InvoicePaymentCase, left: Amount, lacking: Amount) -> Step {
    let numbers: Vec<String> = case.payment.pays.iter().map(ToString::to_string).collect();
    let message = format!(
        "{left} is authorised for invoice {}, which lacks only {lacking}; nothing was captured. Cancel the payment, or \
         capture what is right in the PSP's back office",
        numbers.join(", ")
    );
    let draft = exception(case, ExceptionKind::CapturedAlready, message);
    let letter = letter::blocked(&format!("payment {}", case.payment.transaction), "captured", &draft);
    Step::raise(draft, Some(letter))
}

fn want(case: &InvoicePaymentCase, amount: Amount, past: Vec<Operation>, frame: &Frame<'_>) -> Vec<Step> {
    let payment = &case.payment;
    let mode = frame.settings.mode.as_str();
    let key = |attempt| Key::of(Kind::Capture, NaturalKey::of_payment(mode, payment, "AUTH", attempt));
    let wanted = Wanted {
        about: format!("payment {}", payment.transaction),
        reason: "the customer paid posted invoices".to_owned(),
        kind: Kind::Capture,
        subject: Subject::payment(payment.id, None),
        amount: Some(amount),
        past,
        key: &key,
    };
    wanted.steps(frame)
}

fn exception(case: &InvoicePaymentCase, kind: ExceptionKind, message: String) -> ExceptionDraft {
    ExceptionDraft {
        kind,
        subject: format!("payment {}", case.payment.transaction),
        message,
        // Not of the order: its own plan would resolve what this one raised.
        about: About { payment: Some(case.payment.id), ..About::default() },
    }
}
