//! What the PSP says of one payment, held against what the ledger has of it: each fact that is news, whoever caused it
//! (rules 1 and 2).

mod beyond;
mod by_report;
mod handed_over;

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};

use super::{Action, Frame, Step, order_name};
use crate::config::settings::CaptureStrategy;
use crate::domain::consequence::{Consequence, LearntFrom, MovementDraft, Standing};
use crate::domain::document::NamedDocument;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{DocumentId, PaymentId};
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::order::Order;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::PaymentCase;
use crate::operation::key::NaturalKey;
use crate::operation::{Answer, Key, Kind, Operation, Refusal, State};
use crate::provider::{ModificationKind, ModificationState, PortError, PspModification, PspPayment};

pub(super) fn named(payment: &Payment, order: Option<&Order>) -> String {
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
    documents: &[NamedDocument],
    frame: &Frame<'_>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for payment in payments.iter().filter(|payment| payment.amount_differs) {
        let why = "the PSP reported another amount: nothing is taken or given back until a person has resolved that";
        steps.push(Step::awaits(format!("payment {}", payment.transaction), why));
    }
    for payment in payments.iter().filter(|payment| payment.is_charged_back) {
        let why = "it was charged back: nothing is taken or given back until a person has ended that";
        steps.push(Step::awaits(format!("payment {}", payment.transaction), why));
    }
    for (id, standing) in standings {
        let Some(payment) = payments.iter().find(|payment| payment.id == *id) else { continue };
        match standing {
            Ok(psp) => {
                let operations = operations.iter().filter(|operation| is_of(operation, payment));
                let operations: Vec<Operation> = operations.cloned().collect();
                let movements = movements.iter().filter(|movement| movement.payment == *id);
                let movements: Vec<Movement> = movements.cloned().collect();
                let news = news(payment, order, &operations, &movements, documents, psp, frame);
                let contradicted = news.iter().any(|step| matches!(step.action, Action::Raise(..)));
                steps.extend(news);
                if contradicted {
                    let why =
                        "the PSP contradicts the ledger: nothing is taken or given back until a person has decided";
                    steps.push(Step::awaits(format!("payment {}", payment.transaction), why));
                }
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

/// A collection is its payment's, which the PSP names with its answer.
fn is_of(operation: &Operation, payment: &Payment) -> bool {
    let made = operation.modification.as_ref().filter(|_| operation.kind == Kind::Collect);
    operation.subject.payment == Some(payment.id)
        || made.is_some_and(|made| made.as_str() == payment.transaction.as_str())
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

fn has_another_id(modification: &PspModification, operation: &Operation) -> bool {
    operation.state == State::Confirmed
        && operation.modification.as_ref().is_some_and(|known| *known != modification.id)
}

fn kind_name(kind: ModificationKind) -> &'static str {
    match kind {
        ModificationKind::Capture => "capture",
        ModificationKind::Refund => "refund",
        ModificationKind::Release => "release",
    }
}

/// Everything the PSP knows about a payment and the ledger does not.
pub(super) fn news(
    payment: &Payment,
    order: Option<&Order>,
    operations: &[Operation],
    movements: &[Movement],
    documents: &[NamedDocument],
    psp: &PspPayment,
    frame: &Frame<'_>,
) -> Vec<Step> {
    let about = About { order: order.map(|order| order.id), payment: Some(payment.id), ..About::default() };
    let source = LearntFrom::LookUp;
    Desk { source, payment, name: named(payment, order), about, operations, movements, documents, psp, frame }.steps()
}

/// What a settlement report says of a payment and the ledger does not know, as if the PSP had been asked. `psp` names only what the
/// report is certain of, under the ids the ledger has for it.
pub(super) fn reported(case: &PaymentCase, psp: &PspPayment, frame: &Frame<'_>) -> Vec<Step> {
    let PaymentCase { payment, order, operations, movements, named: documents, .. } = case;
    let about = About { order: payment.order, payment: Some(payment.id), ..About::default() };
    let (source, name) = (LearntFrom::Settlement, named(payment, order.as_ref()));
    Desk { source, payment, name, about, operations, movements, documents, psp, frame }.steps()
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
    source: LearntFrom,
    payment: &'a Payment,
    name: String,
    about: About,
    operations: &'a [Operation],
    movements: &'a [Movement],
    documents: &'a [NamedDocument],
    psp: &'a PspPayment,
    frame: &'a Frame<'a>,
}

impl Desk<'_> {
    fn steps(&self) -> Vec<Step> {
        let all = &self.psp.modifications;
        let mut steps: Vec<Step> = all.iter().flat_map(|modification| self.fact(modification)).collect();
        if steps.iter().any(|step| matches!(step.action, Action::Record(Consequence::Movement(_)))) {
            let since = self.movements.iter().map(|movement| movement.id).max();
            let unmoved = Consequence::Unmoved { payment: self.payment.id, since };
            steps.insert(0, Step::record(self.name.clone(), "no other movement was recorded meanwhile", unmoved));
        }
        steps.extend(self.beyond_authorised(&steps));
        steps.extend(all.iter().filter_map(|modification| self.contradiction(modification)));
        steps.extend(self.parts_differ());
        steps.extend(self.report_differs());
        steps.extend(self.standing(self.psp));
        steps
    }

    /// Who says so.
    fn says(&self) -> &'static str {
        match self.source {
            LearntFrom::Answer | LearntFrom::LookUp | LearntFrom::Import => "the PSP reports",
            LearntFrom::Settlement => "a settlement report of the PSP has",
        }
    }

    fn standing(&self, psp: &PspPayment) -> Option<Step> {
        let payment = self.payment;
        let authorised = psp.authorised.filter(|amount| amount.is_positive());
        // The ledger keeps whole seconds.
        let deadline = psp.capture_before.map(|at| at.trunc_subsecs(0));
        // What was closed after it had run out, or so that another page takes its place, is no cancellation of the customer's.
        let ended = (payment.status, psp.status) == (TransactionStatus::Expired, TransactionStatus::Cancelled);
        let status = if ended { TransactionStatus::Expired } else { psp.status };
        let same = status == payment.status
            && authorised.is_none_or(|amount| amount == payment.authorised)
            && (deadline.is_none() || deadline == payment.capture_before);
        if same {
            return None;
        }
        let mut says = vec![format!("the PSP says {}", status.as_str())];
        if let Some(amount) = authorised.filter(|amount| *amount != payment.authorised) {
            says.push(format!("authorised {amount}, was {}", payment.authorised));
        }
        let standing = Standing {
            payment: payment.id,
            status,
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
                let amount = Some(modification.amount);
                let answer = Answer::Confirmed { modification: modification.id.clone(), at: *at, amount };
                if self.is_another(modification, operation) {
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
                self.settle(operation, answer, !known)
            }
            // Its refusal was told; what was booked before it, as a fact of its own perhaps, is not true any more.
            (ModificationState::Failed { at, .. }, Some(operation))
                if matches!(operation.state, State::Refused | State::Withdrawn) =>
            {
                self.failed_after_all(modification, *at).into_iter().collect()
            }
            // The PSP carried one key out twice, and the second time, which is nobody's, failed.
            (ModificationState::Failed { at, refusal }, Some(operation))
                if self.is_another(modification, operation) =>
            {
                self.strange_failed(modification, *at, refusal)
            }
            (ModificationState::Failed { at, refusal }, Some(operation)) => {
                let open =
                    matches!(operation.state, State::Accepted | State::Unknown | State::GivenUp | State::Confirmed);
                let mut steps = self.settle(operation, Answer::Refused(refusal.clone()), open);
                if operation.state == State::Confirmed {
                    steps.extend(self.failed_after_all(modification, *at));
                }
                steps
            }
            (ModificationState::Confirmed { at }, None) => self.unasked(modification, *at),
        }
    }

    /// The operation is the effect of another modification that came with the same key, unless a report only named it otherwise.
    fn is_another(&self, modification: &PspModification, operation: &Operation) -> bool {
        has_another_id(modification, operation) && self.claimed(modification).is_none()
    }

    fn settle(&self, operation: &Operation, answer: Answer, open: bool) -> Vec<Step> {
        if !open {
            return Vec::new();
        }
        let reason = format!("the PSP settled our {} {}", operation.kind.as_str(), operation.id);
        let settled = Consequence::Settle { operation: operation.id, answer, learnt_from: self.source };
        vec![Step::record(self.name.clone(), reason, settled)]
    }

    fn is_recorded(&self, modification: &PspModification) -> bool {
        movement_kind(modification.kind).is_none() || self.recorded(modification).is_some()
    }

    /// Known by its id; or imported as collected without the PSP's id, under the transaction's; or learnt from a report that has
    /// a name of its own for it.
    fn recorded(&self, modification: &PspModification) -> Option<&Movement> {
        let kind = movement_kind(modification.kind)?;
        let by_id = |movement: &&Movement| movement.kind == kind && movement.modification == modification.id;
        self.movements.iter().find(by_id).or_else(|| {
            let is_it = |imported: &&Movement| self.is_the_one(imported).is_some_and(|one| one.id == modification.id);
            self.handed_over().filter(is_it).or_else(|| self.by_report(modification))
        })
    }

    /// A recorded capture or refund that the PSP took back: the opposite of its journals. The failure belongs to the operation
    /// the movement belongs to, or to none as it does: the two cancel each other out in every sum.
    fn failed_after_all(&self, modification: &PspModification, at: DateTime<Utc>) -> Option<Step> {
        let kind = match modification.kind {
            ModificationKind::Capture => MovementKind::CaptureFailure,
            ModificationKind::Refund => MovementKind::RefundFailure,
            ModificationKind::Release => return None,
        };
        let original = self.recorded(modification)?;
        if self.failure_of(original).is_some() {
            return None;
        }
        let operation = self.operations.iter().find(|operation| Some(operation.id) == original.operation);
        let draft = MovementDraft {
            payment: self.payment.id,
            kind,
            // The failure goes by the name of what failed, or its journals would not be found.
            modification: original.modification.clone(),
            amount: modification.amount,
            occurred_at: at,
            operation: original.operation,
            document: operation.and_then(|operation| operation.subject.document),
            learnt_from: self.source,
            key: None,
        };
        let reason = "it failed after it was confirmed";
        Some(Step::record(self.name.clone(), reason, Consequence::Movement(draft)))
    }

    /// What the PSP says of a recorded movement and the books cannot follow: told as long as it says so.
    fn contradiction(&self, modification: &PspModification) -> Option<Step> {
        let is_confirmed = matches!(modification.state, ModificationState::Confirmed { .. });
        let known = self.recorded(modification).filter(|_| is_confirmed)?;
        if self.failure_of(known).is_some() {
            return Some(self.stands_after_all(modification));
        }
        (known.amount != modification.amount).then(|| self.other_amount(known, modification))
    }

    fn other_amount(&self, known: &Movement, modification: &PspModification) -> Step {
        let message = format!(
            "recorded with {}, and the PSP now says {}; the record stays, and nothing more is taken from this payment or \
             given back. Ask the PSP which is right, and book the difference by hand",
            known.amount, modification.amount
        );
        self.differs(known, message)
    }

    fn differs(&self, known: &Movement, message: String) -> Step {
        let draft = ExceptionDraft {
            kind: ExceptionKind::AmountDiffers,
            subject: format!("{} {} of payment {}", known.kind.as_str(), known.modification, self.payment.transaction),
            message,
            about: self.about,
        };
        Step::raise(draft, None)
    }

    /// The PSP confirms again what it took back before. A movement is booked once and reversed once, so the books cannot follow
    /// by themselves; another attempt would move the money a second time.
    fn stands_after_all(&self, modification: &PspModification) -> Step {
        let operation = ours(modification, self.operations);
        let what = format!("{} {}", kind_name(modification.kind), modification.id);
        let retry = operation.map_or_else(String::new, |operation| {
            format!(", and do not retry operation {}: it would move the money a second time", operation.id)
        });
        let draft = ExceptionDraft {
            kind: ExceptionKind::AnswerContradicts,
            subject: format!("{what} of {}", self.name),
            message: format!(
                "the PSP took this {} of {} back, the books reversed it, and now the PSP says that it is done; nothing is \
                 booked twice. Ask the PSP which is right. If it is done, book it by hand{retry}",
                kind_name(modification.kind),
                modification.amount
            ),
            about: About { document: operation.and_then(|operation| operation.subject.document), ..self.about },
        };
        Step::raise(draft, None)
    }

    /// What took a recorded capture or refund back.
    fn failure_of(&self, original: &Movement) -> Option<&Movement> {
        let kind = match original.kind {
            MovementKind::Capture => MovementKind::CaptureFailure,
            MovementKind::Refund => MovementKind::RefundFailure,
            MovementKind::CaptureFailure
            | MovementKind::RefundFailure
            | MovementKind::Chargeback
            | MovementKind::ChargebackReversed => return None,
        };
        self.movements.iter().find(|other| other.kind == kind && other.modification == original.modification)
    }

    /// A recorded movement nobody here asked for that the PSP took back: reversed like ours, and told, once.
    fn strange_failed(&self, modification: &PspModification, at: DateTime<Utc>, refusal: &Refusal) -> Vec<Step> {
        let Some(failed) = self.failed_after_all(modification, at) else { return Vec::new() };
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
                let mode = self.frame.settings.mode.as_str();
                Key::of(kind, NaturalKey::of_payment(mode, self.payment, document, attempt)) == *key
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
        let is_part = kind == MovementKind::Capture && self.is_in_parts().is_some();
        if is_part || self.may_be_reported(modification) || self.is_recorded(modification) {
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
            learnt_from: self.source,
            key: modification.key.clone().filter(|_| ours(modification, self.operations).is_none()),
        };
        let what = format!("{} of {}", kind.as_str(), modification.amount);
        let reason = format!("{} a {what}", self.says());
        let mut steps = vec![Step::record(self.name.clone(), reason, Consequence::Movement(draft))];
        let strategy = self.frame.settings.method(&self.payment.method).strategy;
        let theirs = matches!(strategy, CaptureStrategy::Automatic | CaptureStrategy::Manual);
        if forgotten.is_none() && !(theirs && kind == MovementKind::Capture) {
            let draft = ExceptionDraft {
                kind: ExceptionKind::UnaskedMovement,
                subject: format!("{} {} of {}", kind.as_str(), modification.id, self.name),
                message: format!(
                    "{} a {what} that payjournal did not ask for; it is booked. Find out who made it",
                    self.says()
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
