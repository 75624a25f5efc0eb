//! What settlement lines say of a payment that the ledger does not know: recorded as if the PSP had been asked (rule 21).

use crate::config::settings::ProviderKind;
use crate::domain::consequence::Consequence;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::PaymentId;
use crate::domain::money::MoneyError;
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::payment::TransactionStatus;
use crate::domain::settlement::disputes::disputes;
use crate::domain::settlement::facts::{Fact, Known, Recorded, Side, UnderWay, decide};
use crate::ledger::settlements::SettledCase;
use crate::ledger::{Ledger, LedgerError, PaymentCase, Scope};
use crate::operation::{Kind, Operation, Refusal, State};
use crate::provider::{ModificationKind, ModificationState, PspModification, PspPayment};
use crate::run::engine::{Run, execute};
use crate::run::ports::Ports;
use crate::task::facts::{named, reported};
use crate::task::settlements::chargebacks;
use crate::task::{Action, Frame, Step, Task};

/// Records what lines say that were not looked at so far; those a killed run took over too.
pub(super) fn learn(run: &mut Run<'_>) -> Result<(), LedgerError> {
    if run.ledger.has_lines_to_learn()? {
        run.ledger.learn_from_lines(run.id, run.now)?;
    }
    run.ledger.gather_lines()?;
    let learnt = execute(&SettledFacts, run);
    run.ledger.forget_gathered()?;
    learnt
}

#[derive(Debug, Clone, Copy)]
struct SettledFacts;

impl Task for SettledFacts {
    type Case = SettledCase;
    type Seen = ();

    /// It sends nothing.
    const KINDS: &'static [Kind] = &[];
    /// What was recorded is looked at once more: only what says nothing new any more is done.
    const SENDS: bool = true;
    const BATCHES: u32 = 20;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, _frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        Ok(ledger.payments_to_learn(PaymentId(after), limit)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<SettledCase, LedgerError> {
        ledger.settled_case(PaymentId(id))
    }

    fn observe(&self, _case: &SettledCase, _ports: &Ports, _frame: &Frame<'_>) {}

    fn plan(&self, case: &SettledCase, _seen: &(), frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let of_payment = &case.payment;
        let (recorded, under_way) = (recorded(of_payment), under_way(of_payment));
        let known = Known {
            transaction: of_payment.payment.transaction.as_str(),
            currency: of_payment.payment.authorised.currency(),
            recorded: &recorded,
            under_way: &under_way,
        };
        let mut decision = decide(&known, &case.lines)?;
        // A PSP that can be asked says by our key whether it did what it had refused: the report would make a stranger's of it.
        if can_be_asked(of_payment, frame) {
            let (doubtful, facts) = decision.facts.into_iter().partition(|fact| refused(of_payment, fact).is_some());
            decision.facts = facts;
            decision.unclear.extend(doubtful.iter().filter_map(|fact| refused(of_payment, fact)));
        }
        let mut steps = reported(of_payment, &as_if_asked(of_payment, &decision.facts), frame);
        let found = disputes(known.transaction, known.currency, &case.lines);
        steps.extend(chargebacks::news(case, &found));
        // What is not clear yet may be when this is recorded: then the case is looked at again.
        if steps.iter().any(|step| matches!(step.action, Action::Record(_))) {
            return Ok(steps);
        }
        let sides = [Side::Captures, Side::Refunds].into_iter();
        steps.extend(sides.filter_map(|side| unclear(of_payment, side, &decision.unclear)));
        steps.extend(chargebacks::unclear(of_payment, &found));
        for operation in &decision.awaited {
            let why = format!("operation {operation} is on its way: its answer comes first");
            steps.push(Step::awaits(self.name(case), why));
        }
        let is_done = steps.is_empty();
        let read = Consequence::LinesRead { payment: of_payment.payment.id, is_done };
        steps.push(Step::record(self.name(case), "its settlement lines were read", read));
        Ok(steps)
    }

    fn scope(&self, case: &SettledCase) -> Scope {
        Scope { payment: Some(case.payment.payment.id), ..Scope::default() }
    }

    fn name(&self, case: &SettledCase) -> String {
        named(&case.payment.payment, case.payment.order.as_ref())
    }
}

fn recorded(case: &PaymentCase) -> Vec<Recorded> {
    let is_undone = |movement: &Movement, failure| {
        case.movements.iter().any(|other| other.kind == failure && other.modification == movement.modification)
    };
    let recorded = case.movements.iter().filter_map(|movement| {
        let (side, failure) = match movement.kind {
            MovementKind::Capture => (Side::Captures, MovementKind::CaptureFailure),
            MovementKind::Refund => (Side::Refunds, MovementKind::RefundFailure),
            MovementKind::CaptureFailure
            | MovementKind::RefundFailure
            | MovementKind::Chargeback
            | MovementKind::ChargebackReversed => return None,
        };
        let (id, amount) = (movement.modification.clone(), movement.amount);
        Some(Recorded { side, id, amount, is_undone: is_undone(movement, failure) })
    });
    recorded.collect()
}

/// What may have been done: what is planned was certainly not, and what was refused is a fact of its own if it was.
fn under_way(case: &PaymentCase) -> Vec<UnderWay> {
    let under_way = case.operations.iter().filter_map(|operation| {
        let side = match operation.kind {
            Kind::Capture => Side::Captures,
            Kind::Refund => Side::Refunds,
            Kind::Collect
            | Kind::Release
            | Kind::Journal
            | Kind::PayoutJournal
            | Kind::Mail
            | Kind::Cancel
            | Kind::Delete
            | Kind::Event => {
                return None;
            }
        };
        let is_sent = match operation.state {
            State::Sent => true,
            State::Accepted | State::Unknown | State::GivenUp => false,
            State::Planned | State::Confirmed | State::Refused | State::Withdrawn => return None,
        };
        let document = operation.subject.document;
        let document = case.named.iter().find(|named| Some(named.id) == document);
        Some(UnderWay {
            side,
            operation: operation.id,
            id: operation.modification.clone(),
            amount: operation.amount?,
            document: document.map(|named| named.number.to_string()),
            is_sent,
        })
    });
    under_way.collect()
}

fn can_be_asked(case: &PaymentCase, frame: &Frame<'_>) -> bool {
    let provider = frame.settings.providers.get(&case.payment.provider);
    provider.is_some_and(|provider| match provider.kind {
        ProviderKind::Sandbox(_) => true,
        ProviderKind::Reports => false,
    })
}

/// What a person may have to tell apart: the line is over as much as the PSP has refused us.
fn refused(case: &PaymentCase, fact: &Fact) -> Option<(Side, String)> {
    let Fact::Moved { side, id, amount, .. } = fact else { return None };
    let kind = match side {
        Side::Captures => Kind::Capture,
        Side::Refunds => Kind::Refund,
    };
    let is_it = |operation: &&Operation| {
        operation.kind == kind && operation.state == State::Refused && operation.amount == Some(*amount)
    };
    let operation = case.operations.iter().find(is_it)?;
    let what = format!(
        "the reports have {amount} as {id}, and operation {} over as much was refused: the PSP has done it all the same, or somebody \
         else has; `payjournal sync-payments` asks",
        operation.id
    );
    Some((*side, what))
}

/// What a PSP would answer that says the same as the lines.
fn as_if_asked(case: &PaymentCase, facts: &[Fact]) -> PspPayment {
    let is_captured = facts.iter().any(|fact| match fact {
        Fact::Moved { side, .. } | Fact::Settles { side, .. } | Fact::Stands { side, .. } => *side == Side::Captures,
        Fact::TakenBack { .. } => false,
    });
    // The shop has seen less of it than the PSP.
    let is_behind = matches!(case.payment.status, TransactionStatus::Open | TransactionStatus::Pending);
    PspPayment {
        status: if is_captured && is_behind { TransactionStatus::Captured } else { case.payment.status },
        authorised: None,
        authorised_at: None,
        capture_before: None,
        modifications: facts.iter().map(|fact| modification(fact, &case.operations)).collect(),
    }
}

fn modification(fact: &Fact, operations: &[Operation]) -> PspModification {
    let (side, id, amount, at) = match fact {
        Fact::Moved { side, id, amount, at }
        | Fact::Settles { side, id, amount, at, .. }
        | Fact::Stands { side, id, amount, at }
        | Fact::TakenBack { side, id, amount, at } => (*side, id, *amount, *at),
    };
    let key = match fact {
        Fact::Settles { operation, .. } => operations.iter().find(|it| it.id == *operation).map(|it| it.key.clone()),
        Fact::Moved { .. } | Fact::Stands { .. } | Fact::TakenBack { .. } => None,
    };
    let state = match fact {
        Fact::TakenBack { .. } => ModificationState::Failed {
            at,
            refusal: Refusal {
                code: "taken_back".to_owned(),
                message: "a settlement report takes it back".to_owned(),
                transient: false,
            },
        },
        Fact::Moved { .. } | Fact::Settles { .. } | Fact::Stands { .. } => ModificationState::Confirmed { at },
    };
    let kind = match side {
        Side::Captures => ModificationKind::Capture,
        Side::Refunds => ModificationKind::Refund,
    };
    PspModification { id: id.clone(), kind, amount, state, key }
}

/// What a person has to tell apart of one side of the payment.
fn unclear(case: &PaymentCase, of: Side, unclear: &[(Side, String)]) -> Option<Step> {
    let told: Vec<&str> = unclear.iter().filter(|(side, _)| *side == of).map(|(_, what)| what.as_str()).collect();
    if told.is_empty() {
        return None;
    }
    let payment = &case.payment;
    let draft = ExceptionDraft {
        kind: ExceptionKind::LinesUnclear,
        subject: format!("{}s of {}", of.noun(), named(payment, case.order.as_ref())),
        message: format!(
            "{}; it may be the same money, so nothing of it is booked, and nothing more is taken from this payment or given back. It \
             goes away with the line or the movement that makes it clear; else compare with the PSP's back office, book the \
             difference by hand, and `payjournal resolve` this exception",
            told.join("; ")
        ),
        about: About { order: payment.order, payment: Some(payment.id), ..About::default() },
    };
    Some(Step::raise(draft, None))
}
