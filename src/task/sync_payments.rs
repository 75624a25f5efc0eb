//! `sync-payments`: asks the PSP how payments stand, moves orders New → In progress → Paid | Cancelled | Error, and records
//! every capture and refund the PSP knows of, whoever asked for it (rules 1, 2, 13, 14).

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::{Frame, Step, Task, days, order_name};
use crate::config::settings::CaptureStrategy;
use crate::domain::consequence::{Consequence, LearntFrom, MovementDraft, Standing};
use crate::domain::document::Document;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{DocumentId, PaymentId};
use crate::domain::letter;
use crate::domain::money::MoneyError;
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::order::Order;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::{Ledger, LedgerError, PaymentCase, Scope};
use crate::operation::key::NaturalKey;
use crate::operation::{Answer, Key, Kind, Operation, Refusal, State};
use crate::provider::{ModificationKind, ModificationState, PortError, PspModification, PspPayment};
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct SyncPayments;

impl Task for SyncPayments {
    type Case = PaymentCase;
    type Seen = Result<PspPayment, PortError>;

    /// It sends nothing: answers to captures and refunds are asked for by the tasks that sent them.
    const KINDS: &'static [Kind] = &[];
    const SENDS: bool = false;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        let not_before = frame.now - days(frame.task.transaction_valid_days);
        // Somewhat less than a day, so that a daily run asks daily.
        let asked_before = frame.now - TimeDelta::hours(20);
        let open = ledger.open_payments(PaymentId(after), limit, not_before, asked_before)?;
        Ok(open.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<PaymentCase, LedgerError> {
        ledger.payment_case(PaymentId(id))
    }

    fn observe(&self, case: &PaymentCase, ports: &Ports, _frame: &Frame<'_>) -> Self::Seen {
        ports.standing(&case.payment.provider, &case.payment.transaction)
    }

    fn plan(&self, case: &PaymentCase, seen: &Self::Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let about = name(case);
        let psp = match seen {
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
        let mut steps = news(
            &case.payment,
            case.order.as_ref(),
            &case.operations,
            &case.movements,
            &case.documents.iter().collect::<Vec<_>>(),
            psp,
            frame,
        );
        if psp.status == TransactionStatus::Error {
            let message = "the PSP says Error: nobody knows whether the customer was charged; the order's other payments wait \
                           until a person has looked";
            let draft = exception(case, ExceptionKind::PaymentError, name(case), message.to_owned());
            let letter = letter::payment_error(&frame.settings.shop, &case.payment.transaction, &draft);
            steps.push(Step::raise(draft, Some(letter)));
        }
        steps.extend(psp.modifications.iter().filter_map(|modification| other_amount(case, modification)));
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

fn named(payment: &Payment, order: Option<&Order>) -> String {
    let order = order.map(|order| format!(" of order {}", order_name(order))).unwrap_or_default();
    format!("payment {}{order}", payment.transaction)
}

/// What the PSP knows of the payments that money is about to be taken from or given back to, and the ledger does not: it is
/// recorded before anything is planned on top of it. While the PSP cannot be reached, nothing is.
pub(crate) fn learn_first(
    standings: &BTreeMap<PaymentId, Result<PspPayment, PortError>>,
    payments: &[&Payment],
    order: Option<&Order>,
    operations: &[Operation],
    movements: &[Movement],
    documents: &[&Document],
    frame: &Frame<'_>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (id, standing) in standings {
        let Some(payment) = payments.iter().find(|payment| payment.id == *id) else { continue };
        match standing {
            Ok(psp) => {
                let operations = operations.iter().filter(|operation| operation.subject.payment == Some(*id));
                let operations: Vec<Operation> = operations.cloned().collect();
                let movements = movements.iter().filter(|movement| movement.payment == *id);
                let movements: Vec<Movement> = movements.cloned().collect();
                steps.extend(news(payment, order, &operations, &movements, documents, psp, frame));
                if let Some(other) = psp.modifications.iter().find(|other| is_under_way(other, &operations)) {
                    let why = format!(
                        "a {} of {} nobody here waits for is not settled yet",
                        kind_name(other.kind),
                        other.amount
                    );
                    steps.push(Step::awaits(format!("payment {}", payment.transaction), why));
                }
            }
            Err(PortError::Unreachable { why }) => {
                steps.push(Step::unreachable(format!("payment {}", payment.transaction), why));
            }
            // Such a PSP refuses by itself what is too much, or its reports tell.
            Err(PortError::CannotTell { .. } | PortError::NotOffered) => {}
        }
    }
    steps
}

/// Accepted by the PSP, and not ours, or ours and refused before: what it will take is not free any more, and not a fact yet.
fn is_under_way(modification: &PspModification, operations: &[Operation]) -> bool {
    let is_awaited = ours(modification, operations)
        .is_some_and(|operation| !matches!(operation.state, State::Refused | State::Withdrawn));
    modification.state == ModificationState::Accepted && !is_awaited
}

/// The operation a modification at the PSP is the effect of.
fn ours<'a>(modification: &PspModification, operations: &'a [Operation]) -> Option<&'a Operation> {
    operations.iter().find(|operation| {
        modification.key.as_ref() == Some(&operation.key) || operation.modification.as_ref() == Some(&modification.id)
    })
}

fn kind_name(kind: ModificationKind) -> &'static str {
    match kind {
        ModificationKind::Capture => "capture",
        ModificationKind::Refund => "refund",
        ModificationKind::Release => "release",
    }
}

/// Everything the PSP knows about a payment and the ledger does not.
fn news(
    payment: &Payment,
    order: Option<&Order>,
    operations: &[Operation],
    movements: &[Movement],
    documents: &[&Document],
    psp: &PspPayment,
    frame: &Frame<'_>,
) -> Vec<Step> {
    let about = About { order: order.map(|order| order.id), payment: Some(payment.id), ..About::default() };
    let desk = Desk { payment, name: named(payment, order), about, operations, movements, documents, psp, frame };
    let mut steps: Vec<Step> = psp.modifications.iter().flat_map(|modification| desk.fact(modification)).collect();
    steps.extend(desk.standing(psp));
    steps
}

/// A recorded movement that the PSP lists with another amount: the record stays, and a person is told.
fn other_amount(case: &PaymentCase, modification: &PspModification) -> Option<Step> {
    let kind = movement_kind(modification.kind)?;
    let ModificationState::Confirmed { at } = modification.state else { return None };
    let recorded = case.movements.iter().find(|known| known.kind == kind && known.modification == modification.id)?;
    if recorded.amount == modification.amount {
        return None;
    }
    let operation = case.operations.iter().find(|operation| Some(operation.id) == recorded.operation);
    let draft = MovementDraft {
        payment: case.payment.id,
        kind,
        modification: modification.id.clone(),
        amount: modification.amount,
        occurred_at: at,
        operation: recorded.operation,
        document: operation.and_then(|operation| operation.subject.document),
        learnt_from: LearntFrom::LookUp,
    };
    let reason = format!("the PSP lists {}, recorded are {}", modification.amount, recorded.amount);
    Some(Step::record(name(case), reason, Consequence::Movement(draft)))
}

/// What an operation of ours that this ledger has forgotten was for.
#[derive(Debug, Clone, Copy)]
enum Forgotten {
    Document(DocumentId),
    Authorisation,
}

/// Attempts whose keys are tried when a modification may be ours from before a restore.
const MOST_ATTEMPTS: u32 = 9;

/// One payment as the ledger has it, held against what the PSP says.
struct Desk<'a> {
    payment: &'a Payment,
    name: String,
    about: About,
    operations: &'a [Operation],
    movements: &'a [Movement],
    documents: &'a [&'a Document],
    psp: &'a PspPayment,
    frame: &'a Frame<'a>,
}

impl Desk<'_> {
    fn standing(&self, psp: &PspPayment) -> Option<Step> {
        let payment = self.payment;
        let authorised = psp.authorised.filter(|amount| amount.is_positive());
        // The ledger keeps whole seconds.
        let deadline = psp.capture_before.map(|at| at.trunc_subsecs(0));
        let same = psp.status == payment.status
            && authorised.is_none_or(|amount| amount == payment.authorised)
            && (deadline.is_none() || deadline == payment.capture_before);
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
            capture_before: deadline,
        };
        Some(Step::record(self.name.clone(), says.join(", "), Consequence::Standing(standing)))
    }

    /// One modification at the PSP: known already, the outcome of an operation of ours, or somebody else's.
    fn fact(&self, modification: &PspModification) -> Vec<Step> {
        let ours = ours(modification, self.operations);
        match (&modification.state, ours) {
            (ModificationState::Accepted, _) => Vec::new(),
            (ModificationState::Failed { at, refusal }, None) => self.strange_failed(modification, *at, refusal),
            (ModificationState::Confirmed { at }, Some(operation)) => {
                let answer = Answer::Confirmed { modification: modification.id.clone(), at: *at };
                let other = operation.modification.as_ref().is_some_and(|known| *known != modification.id);
                if operation.state == State::Confirmed && other {
                    // The PSP carried one key out twice: the second time is nobody's.
                    return self.unasked(modification, *at);
                }
                let known = match operation.state {
                    // A run is waiting for the answer this moment.
                    State::Confirmed | State::Sent => true,
                    // What cannot become confirmed any more is recorded as a fact, once.
                    State::Refused | State::Withdrawn => self.is_recorded(modification),
                    State::Planned | State::Accepted | State::Unknown | State::GivenUp => false,
                };
                let mut steps: Vec<Step> =
                    self.as_reported(operation, modification, *at).into_iter().filter(|_| !known).collect();
                steps.extend(self.settle(operation, answer, !known));
                steps
            }
            // Its refusal was told; what was booked before it, as a fact of its own perhaps, is not true any more.
            (ModificationState::Failed { at, .. }, Some(operation))
                if matches!(operation.state, State::Refused | State::Withdrawn) =>
            {
                let booked = self.recorded(modification).map(|movement| movement.operation);
                let failed = booked.and_then(|by| self.failed_after_all(by.map(|_| operation), modification, *at));
                failed.into_iter().collect()
            }
            (ModificationState::Failed { at, refusal }, Some(operation)) => {
                let open =
                    matches!(operation.state, State::Accepted | State::Unknown | State::GivenUp | State::Confirmed);
                let mut steps = self.settle(operation, Answer::Refused(refusal.clone()), open);
                if operation.state == State::Confirmed {
                    steps.extend(self.failed_after_all(Some(operation), modification, *at));
                }
                steps
            }
            (ModificationState::Confirmed { at }, None) => self.unasked(modification, *at),
        }
    }

    fn settle(&self, operation: &Operation, answer: Answer, open: bool) -> Vec<Step> {
        if !open {
            return Vec::new();
        }
        let reason = format!("the PSP settled our {} {}", operation.kind.as_str(), operation.id);
        let settled = Consequence::Settle { operation: operation.id, answer };
        vec![Step::record(self.name.clone(), reason, settled)]
    }

    /// The PSP did another amount than it was asked for: booked as it reports it, before the answer, which has no amount. The
    /// operation then finds its movement there, and a person is told.
    fn as_reported(&self, operation: &Operation, modification: &PspModification, at: DateTime<Utc>) -> Option<Step> {
        let kind = movement_kind(modification.kind)?;
        let asked = operation.amount.filter(|asked| *asked != modification.amount)?;
        // What it cannot take any more is a fact of its own.
        let takes_it = !matches!(operation.state, State::Refused | State::Withdrawn);
        let draft = MovementDraft {
            payment: self.payment.id,
            kind,
            modification: modification.id.clone(),
            amount: modification.amount,
            occurred_at: at,
            operation: takes_it.then_some(operation.id),
            document: operation.subject.document,
            learnt_from: LearntFrom::LookUp,
        };
        let reason = format!("the PSP reports a {} of {}; {asked} was asked for", kind.as_str(), modification.amount);
        Some(Step::record(self.name.clone(), reason, Consequence::Movement(draft)))
    }

    fn is_recorded(&self, modification: &PspModification) -> bool {
        movement_kind(modification.kind).is_none() || self.recorded(modification).is_some()
    }

    /// Known by its id; or imported as collected without the PSP's id, under the transaction's.
    fn recorded(&self, modification: &PspModification) -> Option<&Movement> {
        let kind = movement_kind(modification.kind)?;
        self.movements.iter().filter(|movement| movement.kind == kind).find(|movement| {
            let imported = kind == MovementKind::Capture
                && self.may_be_the_imported_one(modification)
                && movement.operation.is_none()
                && movement.modification.as_str() == self.payment.transaction.as_str()
                && movement.amount == modification.amount;
            movement.modification == modification.id || imported
        })
    }

    /// Of several captures of one amount the first is the one the shop imported without a name, unless the PSP has one
    /// under the transaction's own id.
    fn may_be_the_imported_one(&self, modification: &PspModification) -> bool {
        let captures = || self.psp.modifications.iter().filter(|other| other.kind == ModificationKind::Capture);
        let first = captures().find(|other| other.amount == modification.amount);
        !captures().any(|other| other.id.as_str() == self.payment.transaction.as_str())
            && first.is_some_and(|first| first.id == modification.id)
    }

    /// A confirmed capture or refund that the PSP took back: the opposite of its journals.
    fn failed_after_all(
        &self,
        operation: Option<&Operation>,
        modification: &PspModification,
        at: DateTime<Utc>,
    ) -> Option<Step> {
        let kind = match modification.kind {
            ModificationKind::Capture => MovementKind::CaptureFailure,
            ModificationKind::Refund => MovementKind::RefundFailure,
            ModificationKind::Release => return None,
        };
        // The failure goes by the name of what failed, or its journals would not be found.
        let name = self.recorded(modification).map_or(&modification.id, |movement| &movement.modification);
        let known = |movement: &Movement| movement.kind == kind && movement.modification == *name;
        if self.movements.iter().any(known) {
            return None;
        }
        let draft = MovementDraft {
            payment: self.payment.id,
            kind,
            modification: name.clone(),
            amount: modification.amount,
            occurred_at: at,
            operation: operation.map(|operation| operation.id),
            document: operation.and_then(|operation| operation.subject.document),
            learnt_from: LearntFrom::LookUp,
        };
        let reason = "it failed after it was confirmed";
        Some(Step::record(self.name.clone(), reason, Consequence::Movement(draft)))
    }

    /// A recorded movement nobody here asked for that the PSP took back: reversed like ours, and told, once.
    fn strange_failed(&self, modification: &PspModification, at: DateTime<Utc>, refusal: &Refusal) -> Vec<Step> {
        if !self.is_recorded(modification) {
            return Vec::new();
        }
        let Some(failed) = self.failed_after_all(None, modification, at) else { return Vec::new() };
        let draft = ExceptionDraft {
            kind: ExceptionKind::UnaskedMovement,
            subject: format!("failure of {} of {}", modification.id, self.name),
            message: format!(
                "the PSP took {} back after it was confirmed: {} ({}); its journals are reversed",
                modification.amount, refusal.message, refusal.code
            ),
            about: self.about,
        };
        vec![failed, Step::record(self.name.clone(), draft.message.clone(), Consequence::Raise(draft))]
    }

    /// The document a modification was made for by an operation of ours that this ledger has forgotten: a restored backup
    /// still makes the same keys (rule 3).
    fn forgotten(&self, modification: &PspModification) -> Option<Forgotten> {
        let key = modification.key.as_ref()?;
        let kind = match modification.kind {
            ModificationKind::Capture => Kind::Capture,
            ModificationKind::Refund => Kind::Refund,
            ModificationKind::Release => return None,
        };
        let is_key_of = |document: &str| {
            (1..=MOST_ATTEMPTS).any(|attempt| {
                let natural = NaturalKey {
                    mode: self.frame.settings.mode.as_str(),
                    provider: self.payment.provider.as_str(),
                    merchant_account: self.payment.merchant_account.as_str(),
                    transaction: self.payment.transaction.as_str(),
                    document,
                    attempt,
                };
                Key::of(kind, natural) == *key
            })
        };
        if is_key_of("AUTH") {
            return Some(Forgotten::Authorisation);
        }
        self.documents
            .iter()
            .find(|document| is_key_of(&document.natural_key()))
            .map(|document| Forgotten::Document(document.id))
    }

    /// A movement nobody here asked for: recorded all the same (rule 2), and a person is told unless the method says that
    /// the PSP or a person captures.
    fn unasked(&self, modification: &PspModification, at: DateTime<Utc>) -> Vec<Step> {
        let Some(kind) = movement_kind(modification.kind) else { return Vec::new() };
        if self.is_recorded(modification) {
            return Vec::new();
        }
        let forgotten = self.forgotten(modification);
        let draft = MovementDraft {
            payment: self.payment.id,
            kind,
            modification: modification.id.clone(),
            amount: modification.amount,
            occurred_at: at,
            operation: None,
            document: match forgotten {
                Some(Forgotten::Document(document)) => Some(document),
                Some(Forgotten::Authorisation) | None => None,
            },
            learnt_from: LearntFrom::LookUp,
        };
        let what = format!("{} of {}", kind.as_str(), modification.amount);
        let reason = format!("the PSP reports a {what}");
        let mut steps = vec![Step::record(self.name.clone(), reason, Consequence::Movement(draft))];
        let strategy = self.frame.settings.method(&self.payment.method).strategy;
        let theirs = matches!(strategy, CaptureStrategy::Automatic | CaptureStrategy::Manual);
        if forgotten.is_none() && !(theirs && kind == MovementKind::Capture) {
            let draft = ExceptionDraft {
                kind: ExceptionKind::UnaskedMovement,
                subject: format!("{} {} of {}", kind.as_str(), modification.id, self.name),
                message: format!(
                    "the PSP reports a {what} that payjournal did not ask for; it is booked. Find out who made it"
                ),
                about: self.about,
            };
            // Kept open until a person resolves it: it is a fact, not a condition that goes away.
            steps.push(Step::record(self.name.clone(), draft.message.clone(), Consequence::Raise(draft)));
        }
        steps
    }
}

fn movement_kind(kind: ModificationKind) -> Option<MovementKind> {
    match kind {
        ModificationKind::Capture => Some(MovementKind::Capture),
        ModificationKind::Refund => Some(MovementKind::Refund),
        ModificationKind::Release => None,
    }
}

fn exception(case: &PaymentCase, kind: ExceptionKind, subject: String, message: String) -> ExceptionDraft {
    let about =
        About { order: case.order.as_ref().map(|order| order.id), payment: Some(case.payment.id), ..About::default() };
    ExceptionDraft { kind, subject, message, about }
}
