//! Whether an entry is collected, on which mandate, or why it waits. Pure. Everything is an allow-list: in doubt nothing is taken.

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::today;
use crate::domain::entry::EntryStatus;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::ProviderName;
use crate::domain::mandate::Mandate;
use crate::domain::money::MoneyError;
use crate::ledger::CollectCase;
use crate::operation::key::NaturalKey;
use crate::operation::{Key, Kind, Operation, State, Subject};
use crate::task::{Action, Frame, Step, Wanted};

/// Why an entry is not collected: the class it is counted under, what a person reads, and what a person is told if nobody else can end it.
struct Stays {
    class: &'static str,
    why: String,
    told: Option<ExceptionKind>,
}

fn stays<T>(class: &'static str, why: impl Into<String>) -> Result<T, Stays> {
    Err(Stays { class, why: why.into(), told: None })
}

pub(super) fn plan(case: &CollectCase, able: &[ProviderName], frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
    // Looked at once more after it was collected.
    if case.entry.status == EntryStatus::Balanced
        && case.operations.last().map(|last| last.state) == Some(State::Confirmed)
    {
        return Ok(Vec::new());
    }
    match mandate(case, able, frame) {
        Ok(mandate) => collect(case, mandate, frame),
        Err(stays) => Ok(kept(case, stays)),
    }
}

/// The mandate the entry is collected on now.
fn mandate<'a>(case: &'a CollectCase, able: &[ProviderName], frame: &Frame<'_>) -> Result<&'a Mandate, Stays> {
    let last = case.operations.last();
    may_be_tried(last)?;
    if case.entry.status != EntryStatus::Open {
        return stays("nothing open", format!("it is {}", case.entry.status));
    }
    is_due(case, frame)?;
    let is_asked_for = last.is_some_and(|last| last.retry_requested);
    if let Some(back) = case.went_back.as_ref().filter(|_| !is_asked_for) {
        let why = format!("{back}: it is asked for (`payjournal invite`), and never taken again by itself");
        return stays("money went back", why);
    }
    if let Some(waits) = &case.waits {
        return stays(waits.class, waits.why.clone());
    }
    let mandate = only_mandate(case, able, frame)?;
    not_refused_too_often(case, frame)?;
    Ok(mandate)
}

/// What was sent has its final answer, and was not done.
fn may_be_tried(last: Option<&Operation>) -> Result<(), Stays> {
    let Some(last) = last else { return Ok(()) };
    match last.state {
        State::Sent | State::Unknown => {
            stays("waits for an answer", format!("operation {} has no answer yet", last.id))
        }
        State::Accepted => {
            stays("waits for an answer", format!("operation {} is accepted, not confirmed yet", last.id))
        }
        State::GivenUp => {
            let why = format!("operation {0} was given up: `payjournal retry {0}` asks about it again", last.id);
            stays("waits for an answer", why)
        }
        State::Confirmed => {
            let why = format!("operation {} has collected it: what came back is asked for, never taken again", last.id);
            stays("collected before", why)
        }
        State::Planned | State::Refused | State::Withdrawn => Ok(()),
    }
}

fn is_due(case: &CollectCase, frame: &Frame<'_>) -> Result<(), Stays> {
    match case.due_on {
        Some(due_on) if due_on > today(frame) => stays("not due", format!("it is due on {due_on}")),
        None if !frame.settings.collect.without_due_date => {
            stays("no due date", "it has no due date (`collect.without_due_date` is false)")
        }
        Some(_) | None => Ok(()),
    }
}

/// Of several nobody but a person can say which the customer meant for it. One that its provider takes no money on counts for nothing.
fn only_mandate<'a>(case: &'a CollectCase, able: &[ProviderName], frame: &Frame<'_>) -> Result<&'a Mandate, Stays> {
    let currency = case.entry.initial.currency();
    let is_configured = |mandate: &Mandate| {
        let provider = frame.settings.providers.get(&mandate.provider);
        provider.is_some_and(|provider| provider.merchant_account == mandate.merchant_account)
    };
    let usable =
        |mandate: &&Mandate| mandate.is_active(today(frame)) && mandate.is_for(currency) && is_configured(mandate);
    let (active, idle): (Vec<&Mandate>, Vec<&Mandate>) =
        case.mandates.iter().filter(usable).partition(|mandate| able.contains(&mandate.provider));
    if let (true, Some(idle)) = (active.is_empty(), idle.first()) {
        let why = format!("provider `{}` takes no money on mandates", idle.provider);
        return stays("provider cannot collect", why);
    }
    match active.as_slice() {
        [only] => Ok(only),
        [] => {
            let newest = case.mandates.last();
            let why = match newest.and_then(|newest| newest.revoked_on.map(|on| (newest, on))) {
                Some((newest, on)) if on <= today(frame) => format!("{} was revoked on {on}", newest.name()),
                Some(_) | None => format!("customer {} has no mandate for {currency} now", case.entry.customer),
            };
            stays("no mandate", why)
        }
        several => {
            let names: Vec<String> = several.iter().map(|mandate| mandate.name()).collect();
            Err(Stays {
                class: "several mandates",
                why: format!(
                    "customer {} has {}: nobody can say which of them {} is collected on. Revoke the ones that do not count \
                     (`payjournal import mandates` with `revoked_on`)",
                    case.entry.customer,
                    names.join(" and "),
                    case.entry.name()
                ),
                told: Some(ExceptionKind::MandateAmbiguous),
            })
        }
    }
}

/// Rule 5: what was refused for good needs a person; what was refused for now is tried again on a later day, so many times.
fn not_refused_too_often(case: &CollectCase, frame: &Frame<'_>) -> Result<(), Stays> {
    let settings = &frame.settings.collect;
    let refused: Vec<&Operation> =
        case.operations.iter().filter(|operation| operation.state == State::Refused).collect();
    // What was withdrawn since was never sent.
    let Some(last) = refused.last().filter(|last| !last.retry_requested) else { return Ok(()) };
    let Some(refusal) = &last.refusal else { return Ok(()) };
    if !refusal.transient {
        let why = format!(
            "refused: {} ({}); when the reason is gone, `payjournal retry {}`",
            refusal.message, refusal.code, last.id
        );
        return stays("refused", why);
    }
    let tries = u32::try_from(refused.len()).unwrap_or(u32::MAX);
    if tries >= settings.max_tries {
        return Err(Stays {
            class: "refused too often",
            why: format!(
                "it was refused {tries} times (`collect.max_tries` is {}), the last time on {}: {} ({}). It is not tried any more: ask the \
                 customer (`payjournal invite`), or `payjournal retry {}` for one more try",
                settings.max_tries,
                day(last.status_since, frame),
                refusal.message,
                refusal.code,
                last.id
            ),
            told: Some(ExceptionKind::CollectionStopped),
        });
    }
    let wait = Days::new(u64::from(settings.days_between_tries));
    let again = day(last.status_since, frame).checked_add_days(wait);
    match again.filter(|again| today(frame) < *again) {
        Some(again) => {
            let why = format!("refused for now: {} ({}); tried again on {again}", refusal.message, refusal.code);
            stays("tried again later", why)
        }
        None => Ok(()),
    }
}

fn day(at: DateTime<Utc>, frame: &Frame<'_>) -> NaiveDate {
    at.with_timezone(&frame.settings.time_zone).date_naive()
}

/// The entry stays as it is; what was planned for it and certainly not done is not wanted any more.
fn kept(case: &CollectCase, stays: Stays) -> Vec<Step> {
    let name = case.entry.name();
    let planned = case.operations.iter().filter(|operation| operation.state == State::Planned);
    let mut steps: Vec<Step> = planned.map(|operation| withdraw(case, operation, &stays.why)).collect();
    if let Some(kind) = stays.told {
        let about = About { order: case.entry.order, entry: Some(case.entry.id), ..About::default() };
        let draft = ExceptionDraft { kind, subject: name.clone(), message: stays.why.clone(), about };
        steps.push(Step::raise(draft, None));
    }
    steps.push(Step { about: name, reason: stays.why, action: Action::NotEligible(stays.class) });
    steps
}

fn withdraw(case: &CollectCase, operation: &Operation, why: &str) -> Step {
    let reason = format!("the planned collection is not wanted any more: {why}");
    Step { about: case.entry.name(), reason, action: Action::Withdraw { operation: operation.id } }
}

fn collect(case: &CollectCase, mandate: &Mandate, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
    let entry = &case.entry;
    let mut past = case.operations.clone();
    let mut steps = Vec::new();
    // Planned on a mandate that was revoked since, and never sent.
    for operation in &mut past {
        if operation.state == State::Planned && operation.subject.mandate != Some(mandate.id) {
            steps.push(withdraw(case, operation, "another mandate counts now"));
            operation.state = State::Withdrawn;
        }
    }
    let mode = frame.settings.mode.as_str();
    let account = (mandate.provider.as_str(), mandate.merchant_account.as_str());
    let natural = (case.shop.as_str(), case.natural_key.as_str());
    let key = |attempt| Key::of(Kind::Collect, NaturalKey::of_collection(mode, account, natural, attempt));
    let due = case.due_on.map_or_else(|| "has no due date".to_owned(), |day| format!("was due on {day}"));
    let wanted = Wanted {
        about: entry.name(),
        reason: format!("it {due}: taken on {}", mandate.name()),
        kind: Kind::Collect,
        subject: Subject::collection(entry.id, mandate.id),
        amount: Some(entry.open()?),
        past,
        key: &key,
    };
    steps.extend(wanted.steps(frame));
    Ok(steps)
}
