//! What is done about one unpaid order: closed at the PSP first, and when nothing of it can be paid any more, deleted. Pure.

use super::gates::{self, Evidence, Stays};
use super::{Feeds, Seen, name};
use crate::domain::consequence::{Consequence, DeletionDraft};
use crate::domain::deletion::{DeletionMethod, Gate};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::payment::Payment;
use crate::ledger::CleanupCase;
use crate::operation::decide::is_over_age;
use crate::operation::key::{NaturalKey, deletion_key};
use crate::operation::{Key, Kind, Operation, State, Subject};
use crate::task::facts::learn_first;
use crate::task::{Action, Frame, Step, Wanted};

pub(super) fn plan(case: &CleanupCase, seen: &Seen, feeds: &Feeds, frame: &Frame<'_>) -> Vec<Step> {
    let evidence = match gates::before_asking(case, frame) {
        Ok(evidence) => evidence,
        Err(stays) => return kept(case, &stays, frame),
    };
    let answer = gates::answer(case, seen, feeds, frame);
    let mut steps = if seen.left_out { Vec::new() } else { asked(case, answer.as_ref().err(), frame) };
    let payments: Vec<&Payment> = case.payments.iter().collect();
    // What the PSP says and the ledger does not know is recorded as `sync-payments` does it, and the order is looked at anew.
    let mut first = learn_first(
        &seen.standings,
        &payments,
        Some(&case.order),
        &case.operations,
        &case.movements,
        &case.named,
        frame,
    );
    if !first.is_empty() {
        let why = match answer {
            Ok((said, _)) => format!("{said}; that is recorded first, then it is looked at anew"),
            Err(stays) => format!("{}: it stays", stays.why),
        };
        first.push(Step::leave(name(case), why));
        steps.extend(first);
        return steps;
    }
    match answer {
        Err(stays) => steps.extend(kept(case, &stays, frame)),
        Ok((said, open)) if open.is_empty() => steps.extend(delete(case, evidence, said, frame)),
        Ok((_, open)) => steps.extend(open.into_iter().flat_map(|payment| close(case, payment, seen, frame))),
    }
    steps
}

/// Remembers that the PSP could not say how the order stands, and leaves it alone for longer each time; or that it could.
fn asked(case: &CleanupCase, stays: Option<&Stays>, frame: &Frame<'_>) -> Vec<Step> {
    let order = case.order.id;
    let step = |reason: String, again| vec![Step::record(name(case), reason, Consequence::Unanswered { order, again })];
    match (stays, case.unanswered) {
        (Some(stays), before) if stays.class == gates::NOT_REACHED || stays.class == gates::CANNOT_TELL => {
            let times = before.map_or(1, |(times, _)| times.saturating_add(1));
            step(stays.why.clone(), Some((times, frame.now + gates::wait(times))))
        }
        (Some(_) | None, Some(_)) => step("its PSP says how it stands".to_owned(), None),
        (Some(_) | None, None) => Vec::new(),
    }
}

/// The order stays; what was planned for it before is not wanted any more, and what waits was planned too long ago one day: it is planned
/// anew when its turn comes.
fn kept(case: &CleanupCase, stays: &Stays, frame: &Frame<'_>) -> Vec<Step> {
    let past = case.deletions.iter().map(|past| &past.operation);
    let closing = case.operations.iter().filter(|operation| operation.kind == Kind::Cancel);
    let is_wanted = |operation: &Operation| {
        stays.waits && !is_over_age(operation.status_since, frame.task.transaction_valid_days, frame.now)
    };
    let planned = past.chain(closing).filter(|operation| operation.state == State::Planned && !is_wanted(operation));
    let mut steps: Vec<Step> = planned.map(|operation| withdraw(case, operation, &stays.why)).collect();
    if stays.class != gates::DELETED {
        let action = Action::NotEligible(stays.class);
        steps.push(Step { about: name(case), reason: stays.why.clone(), action });
    }
    steps
}

fn withdraw(case: &CleanupCase, operation: &Operation, why: &str) -> Step {
    let reason = format!("the planned {} is not wanted any more: {why}", operation.kind.as_str());
    Step { about: name(case), reason, action: Action::Withdraw { operation: operation.id } }
}

/// An open payment is closed, so that nobody can pay an order that is gone.
fn close(case: &CleanupCase, payment: &Payment, seen: &Seen, frame: &Frame<'_>) -> Vec<Step> {
    let about = format!("{} (payment {})", name(case), payment.transaction);
    if !seen.closable.contains(&payment.id) {
        let why = format!(
            "payment {} is open, and its PSP closes none: the order goes when it has expired",
            payment.transaction
        );
        return vec![Step { about: name(case), reason: why, action: Action::NotEligible("open at the PSP") }];
    }
    let of_payment =
        |operation: &&Operation| operation.kind == Kind::Cancel && operation.subject.payment == Some(payment.id);
    let past: Vec<Operation> = case.operations.iter().filter(of_payment).cloned().collect();
    let last = past.iter().max_by_key(|operation| operation.attempt).cloned();
    let mode = frame.settings.mode.as_str();
    let key = |attempt| Key::of(Kind::Cancel, NaturalKey::of_payment(mode, payment, "AUTH", attempt));
    let reason = format!(
        "unpaid since {}: the payment is closed at the PSP, then the order is {}",
        case.order.ordered_on,
        frame.settings.cleanup.mode.in_words()
    );
    let subject = Subject::payment(payment.id, None);
    let wanted = Wanted { about, reason, kind: Kind::Cancel, subject, amount: None, past, key: &key };
    let steps = wanted.steps(frame);
    if steps.iter().any(|step| step.action.sends().is_some() || matches!(step.action, Action::GiveUp { .. })) {
        return steps;
    }
    let why = match last.as_ref().map(|operation| operation.state) {
        Some(State::Confirmed) => "the PSP said that it closed it, and now that it is open".to_owned(),
        Some(State::Refused | State::GivenUp) => {
            let last = last.as_ref();
            let refusal = last.and_then(|operation| operation.refusal.as_ref());
            let said = refusal
                .map_or_else(|| "no answer".to_owned(), |refusal| format!("{} ({})", refusal.message, refusal.code));
            let id = last.map_or(0, |operation| operation.id.0);
            format!("the PSP does not close it: {said}; when the reason is gone, `payjournal retry {id}`")
        }
        Some(State::Planned | State::Sent | State::Accepted | State::Unknown | State::Withdrawn) | None => {
            let why = steps.into_iter().next().map_or_else(|| "an answer is missing".to_owned(), |step| step.reason);
            return vec![Step { about: name(case), reason: why, action: Action::NotEligible("waits for an answer") }];
        }
    };
    let draft = ExceptionDraft {
        kind: ExceptionKind::NotClosed,
        subject: format!("payment {} of {}", payment.transaction, name(case)),
        message: format!("the order stays as long as this payment can be paid: {why}"),
        about: About { order: Some(case.order.id), payment: Some(payment.id), ..About::default() },
    };
    let left =
        Step { about: name(case), reason: draft.message.clone(), action: Action::NotEligible("open at the PSP") };
    vec![Step::raise(draft, None), left]
}

/// All gates are passed.
fn delete(case: &CleanupCase, evidence: Evidence, said: String, frame: &Frame<'_>) -> Vec<Step> {
    let settings = &frame.settings.cleanup;
    let into_quarantine = settings.quarantine_days > 0 && case.quarantined_at.is_none();
    let method = if into_quarantine { DeletionMethod::Flag } else { settings.mode };
    let is_final = !into_quarantine;
    let is_this = |deletion: &crate::ledger::Deletion| deletion.method == method && deletion.is_final == is_final;
    let generation = case.generation.to_string();
    let (shop, number) = (case.order.shop.as_str(), case.order.number.as_str());
    let stage = if is_final { "final" } else { "quarantine" };
    let natural = [frame.settings.mode.as_str(), shop, number, method.as_str(), stage, &generation];
    let key = |attempt| deletion_key(natural, attempt);
    let past = case.deletions.iter().filter(|past| is_this(&past.deletion)).map(|past| past.operation.clone());
    let reason = if into_quarantine {
        format!("{}; it is flagged now, and {} after {} days", said, settings.mode.in_words(), settings.quarantine_days)
    } else {
        format!("{said}; it is {}", method.in_words())
    };
    let wanted = Wanted {
        about: name(case),
        reason,
        kind: Kind::Delete,
        subject: Subject::order(case.order.id),
        amount: None,
        past: past.collect(),
        key: &key,
    };
    let gates: Evidence =
        evidence.into_iter().chain([(Gate::Answer, said), (Gate::Closed, gates::closed(case, is_final))]).collect();
    let mut steps = Vec::new();
    // What was planned in another way, before the config changed.
    let others =
        case.deletions.iter().filter(|past| !is_this(&past.deletion) && past.operation.state == State::Planned);
    steps.extend(others.map(|past| withdraw(case, &past.operation, "the config asks for another way")));
    for step in wanted.steps(frame) {
        match &step.action {
            Action::Send(intent) => {
                let draft = DeletionDraft {
                    order: case.order.id,
                    key: intent.key.clone(),
                    generation: case.generation,
                    method,
                    is_final,
                    reason: settings.reason.clone(),
                    stock_released_by: frame.settings.erp.stock_released_by,
                    gates: gates.clone(),
                };
                let deletion = Consequence::Deletion(Box::new(draft));
                steps.push(Step::record(name(case), step.reason.clone(), deletion));
                steps.push(step);
            }
            // Refused before, or waiting: it stays for now, and is counted.
            Action::Leave => steps.push(Step { action: Action::NotEligible("the ERP keeps it"), ..step }),
            Action::Resume { .. }
            | Action::Withdraw { .. }
            | Action::GiveUp { .. }
            | Action::Record(_)
            | Action::Raise(..)
            | Action::NotEligible(_)
            | Action::Await
            | Action::Unreachable => steps.push(step),
        }
    }
    steps
}
