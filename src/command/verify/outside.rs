//! The ledger held against what the PSPs and the ERP say, through the ports. It only asks.
//!
//! Written without the plan of `sync-payments` on purpose: what that plan overlooks must be seen here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::consequence::LearntFrom;
use crate::domain::document::Document;
use crate::domain::id::{DocumentId, OperationId, PaymentId};
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::payment::TransactionStatus;
use crate::ledger::{Finding, Ledger, LedgerError, PaymentCase};
use crate::operation::request::Request;
use crate::operation::{Answer, LookUp, Operation};
use crate::provider::{ModificationKind, ModificationState, PortError, PspModification, PspPayment};
use crate::run::ports::Ports;

const MOVEMENT_MISSING: &str = "provider-movement-missing";
const MOVEMENT_UNKNOWN: &str = "provider-movement-unknown";
const AMOUNT: &str = "provider-amount";
const FAILURE_MISSING: &str = "provider-failure-missing";
const FAILURE_UNKNOWN: &str = "provider-failure-unknown";
const AUTHORISED: &str = "provider-authorised";
const STATUS: &str = "provider-status";
const NOT_COMPARED: &str = "provider-not-compared";

pub const PROVIDER_CHECKS: [&str; 8] =
    [MOVEMENT_MISSING, MOVEMENT_UNKNOWN, AMOUNT, FAILURE_MISSING, FAILURE_UNKNOWN, AUTHORISED, STATUS, NOT_COMPARED];

const OUTSTANDING: &str = "erp-outstanding";
const JOURNAL_MISSING: &str = "erp-journal-missing";
const JOURNAL_DIFFERS: &str = "erp-journal-differs";
const ERP_NOT_COMPARED: &str = "erp-not-compared";

pub const ERP_CHECKS: [&str; 4] = [OUTSTANDING, JOURNAL_MISSING, JOURNAL_DIFFERS, ERP_NOT_COMPARED];

/// Rows read, and asked about, at a time.
const BATCH: u32 = 200;

/// What is usually put right by itself.
const SYNC: &str = "run `payjournal sync-payments`; what stays after it needs a person";

#[derive(Debug, Default)]
pub struct Compared {
    pub findings: Vec<Finding>,
    pub notes: Vec<String>,
    /// Something could not be asked about now.
    pub is_unreachable: bool,
}

impl Compared {
    fn add(&mut self, check: &'static str, subject: &str, message: impl Into<String>) {
        self.findings.push(Finding { check, subject: subject.to_owned(), message: message.into() });
    }
}

/// Holds every payment that may still change, or changed after `since`, against its PSP.
pub fn against_provider(
    ledger: &Ledger,
    ports: &Ports,
    since: Option<DateTime<Utc>>,
    callers: usize,
) -> Result<Compared, LedgerError> {
    let mut compared = Compared::default();
    // A PSP that does not answer, or has no such question, is named once.
    let mut silent = BTreeSet::new();
    // What the PSP cannot tell of any payment, for the same reason, is told once.
    let mut untold: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut after = PaymentId(0);
    loop {
        let ids = ledger.payments_to_compare(after, BATCH, since)?;
        let Some(last) = ids.last() else { break };
        after = *last;
        let mut cases = ids.into_iter().map(|id| ledger.payment_case(id)).collect::<Result<Vec<_>, _>>()?;
        cases.retain(|case| !silent.contains(&case.payment.provider));
        let answers = ask(&cases, callers, |case| ports.standing(&case.payment.provider, &case.payment.transaction));
        for (case, answer) in cases.iter().zip(answers) {
            let provider = &case.payment.provider;
            let subject = format!("payment {}", case.payment.transaction);
            match answer {
                Ok(psp) => compare(case, &psp, &subject, &mut compared),
                Err(PortError::CannotTell { why }) => {
                    untold.entry(why).or_default().push(subject);
                }
                Err(PortError::Unreachable { why }) => {
                    compared.is_unreachable = true;
                    if silent.insert(provider.clone()) {
                        let message = format!(
                            "it cannot be asked now: {why}; nothing more of it is compared, verify again later"
                        );
                        compared.add(NOT_COMPARED, &format!("provider {provider}"), message);
                    }
                }
                Err(PortError::NotOffered) => {
                    if silent.insert(provider.clone()) {
                        let note = "cannot be asked how payments stand; its reports say";
                        compared.notes.push(format!("provider {provider} {note}"));
                    }
                }
            }
        }
    }
    for (why, subjects) in untold {
        let more = subjects.len().saturating_sub(1);
        let first = subjects.into_iter().next().unwrap_or_default();
        let subject = if more == 0 { first } else { format!("{first} and {more} more") };
        compared.add(NOT_COMPARED, &subject, format!("{why}; look in the PSP's back office"));
    }
    Ok(compared)
}

fn compare(case: &PaymentCase, psp: &PspPayment, payment: &str, compared: &mut Compared) {
    let facts: Vec<&Movement> = case
        .movements
        .iter()
        .filter(|movement| matches!(movement.kind, MovementKind::Capture | MovementKind::Refund))
        .collect();
    let mut confirmed = BTreeSet::new();
    for modification in &psp.modifications {
        let Some(kind) = movement_kind(modification.kind) else { continue };
        let movement =
            facts.iter().find(|movement| movement.kind == kind && is_same(movement, modification, case, psp));
        confirmed.extend(movement.map(|movement| movement.id));
        let subject = format!("{} {} of {payment}", kind.as_str(), modification.id);
        let is_failed = movement.is_some_and(|movement| has_failed(movement, &case.movements));
        match (&modification.state, movement) {
            (ModificationState::Confirmed { at }, None) => {
                let day = at.format("%Y-%m-%d");
                let message = format!(
                    "the PSP confirmed {} on {day}, and the ledger has no such movement; {SYNC}",
                    modification.amount
                );
                compared.add(MOVEMENT_MISSING, &subject, message);
            }
            (ModificationState::Confirmed { .. }, Some(_)) if is_failed => {
                let message =
                    "the ledger has it failed after all, the PSP has it confirmed; ask the PSP which is right";
                compared.add(FAILURE_UNKNOWN, &subject, message);
            }
            (ModificationState::Failed { refusal, .. }, Some(_)) if !is_failed => {
                let message = format!("it failed at the PSP ({}), and is booked as done here; {SYNC}", refusal.message);
                compared.add(FAILURE_MISSING, &subject, message);
            }
            (ModificationState::Accepted, Some(_)) => {
                let message = "the ledger has it done, the PSP has only accepted it; ask the PSP";
                compared.add(MOVEMENT_UNKNOWN, &subject, message);
            }
            (ModificationState::Confirmed { .. } | ModificationState::Failed { .. }, Some(_))
            | (ModificationState::Accepted | ModificationState::Failed { .. }, None) => {}
        }
        if let Some(movement) = movement.filter(|movement| movement.amount != modification.amount) {
            let message = format!(
                "the ledger has {}, the PSP {}; ask the PSP which is right",
                movement.amount, modification.amount
            );
            compared.add(AMOUNT, &subject, message);
        }
    }
    for movement in facts {
        // What failed after all a PSP need not tell of any more.
        if !confirmed.contains(&movement.id) && !has_failed(movement, &case.movements) {
            let subject = format!("{} {} of {payment}", movement.kind.as_str(), movement.modification);
            let message =
                format!("{} is booked, and the PSP knows nothing of it; look in its back office", movement.amount);
            compared.add(MOVEMENT_UNKNOWN, &subject, message);
        }
    }
    standing(case, psp, payment, compared);
}

fn standing(case: &PaymentCase, psp: &PspPayment, payment: &str, compared: &mut Compared) {
    let here = &case.payment;
    if let Some(authorised) = psp.authorised.filter(|amount| amount.is_positive() && *amount != here.authorised) {
        let message = format!("{} is authorised by the ledger, {authorised} by the PSP; {SYNC}", here.authorised);
        compared.add(AUTHORISED, payment, message);
    }
    // Closed so that another page takes its place, or after it had run out.
    let is_closed = (here.status, psp.status) == (TransactionStatus::Expired, TransactionStatus::Cancelled);
    if psp.status != here.status && !is_closed {
        let message =
            format!("it is {} in the ledger and {} at the PSP; {SYNC}", here.status.as_str(), psp.status.as_str());
        compared.add(STATUS, payment, message);
    }
}

/// By its id; or imported as collected without the PSP's id, under the transaction's: then it stands for the first capture
/// of its amount.
fn is_same(movement: &Movement, modification: &PspModification, case: &PaymentCase, psp: &PspPayment) -> bool {
    if movement.modification == modification.id || is_named_by_a_report(movement, modification, case, psp) {
        return true;
    }
    let captures = || psp.modifications.iter().filter(|other| other.kind == ModificationKind::Capture);
    let transaction = case.payment.transaction.as_str();
    movement.kind == MovementKind::Capture
        && movement.operation.is_none()
        && movement.learnt_from != LearntFrom::Settlement
        && movement.modification.as_str() == transaction
        && !captures().any(|other| other.id.as_str() == transaction)
        && captures().find(|other| other.amount == movement.amount).is_some_and(|first| first.id == modification.id)
}

/// Learnt from a report that has a name of its own for it: the effect of the same operation by its key, else the n-th of its
/// amount that no other side has the id of.
fn is_named_by_a_report(
    movement: &Movement,
    modification: &PspModification,
    case: &PaymentCase,
    psp: &PspPayment,
) -> bool {
    let is_listed = |movement: &Movement| psp.modifications.iter().any(|other| other.id == movement.modification);
    let is_known = |other: &PspModification| case.movements.iter().any(|movement| movement.modification == other.id);
    if movement.learnt_from != LearntFrom::Settlement || is_listed(movement) || is_known(modification) {
        return false;
    }
    let key_of = |movement: &Movement| {
        let operation = case.operations.iter().find(|operation| Some(operation.id) == movement.operation)?;
        psp.modifications.iter().map(|other| other.key.as_ref()).find(|key| *key == Some(&operation.key)).flatten()
    };
    if let Some(key) = key_of(movement) {
        return modification.key.as_ref() == Some(key);
    }
    let keys: Vec<_> = case.movements.iter().filter_map(key_of).collect();
    let is_free = |other: &&PspModification| {
        let is_claimed = other.key.as_ref().is_some_and(|key| keys.contains(&key));
        other.kind == modification.kind && other.amount == movement.amount && !is_known(other) && !is_claimed
    };
    let is_like = |other: &&Movement| {
        let is_named_here = other.learnt_from == LearntFrom::Settlement && !is_listed(other) && key_of(other).is_none();
        other.kind == movement.kind && other.amount == movement.amount && is_named_here
    };
    let place = case.movements.iter().filter(is_like).position(|other| other.id == movement.id);
    place
        .and_then(|place| psp.modifications.iter().filter(is_free).nth(place))
        .is_some_and(|one| one.id == modification.id)
}

fn has_failed(movement: &Movement, movements: &[Movement]) -> bool {
    let failure = match movement.kind {
        MovementKind::Capture => MovementKind::CaptureFailure,
        MovementKind::Refund => MovementKind::RefundFailure,
        MovementKind::CaptureFailure
        | MovementKind::RefundFailure
        | MovementKind::Chargeback
        | MovementKind::ChargebackReversed => return false,
    };
    movements.iter().any(|other| other.kind == failure && other.modification == movement.modification)
}

fn movement_kind(kind: ModificationKind) -> Option<MovementKind> {
    match kind {
        ModificationKind::Capture => Some(MovementKind::Capture),
        ModificationKind::Refund => Some(MovementKind::Refund),
        // No money moves; it shows in the payment's status.
        ModificationKind::Release => None,
    }
}

/// Holds the open amount of each document and every journal the ERP confirmed against the ERP.
pub fn against_erp(
    ledger: &Ledger,
    ports: &Ports,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    callers: usize,
) -> Result<Compared, LedgerError> {
    let mut compared = Compared::default();
    outstanding(ledger, ports, since, callers, &mut compared)?;
    if !compared.is_unreachable {
        deliveries(ledger, ports, since, now, callers, &mut compared)?;
    }
    Ok(compared)
}

fn outstanding(
    ledger: &Ledger,
    ports: &Ports,
    since: Option<DateTime<Utc>>,
    callers: usize,
    compared: &mut Compared,
) -> Result<(), LedgerError> {
    let mut after = DocumentId(0);
    while !compared.is_unreachable {
        let documents = ledger.documents_to_compare(after, BATCH, since)?;
        let Some(last) = documents.last() else { break };
        after = last.id;
        let answers = ask(&documents, callers, |document| ports.outstanding(document));
        for (document, answer) in documents.iter().zip(answers) {
            match (document.outstanding(), answer) {
                (Ok(here), Ok(there)) if here == there => {}
                (Ok(here), Ok(there)) => {
                    let message = format!(
                        "{here} is open by the ledger, {there} by the ERP; `payjournal import documents` takes over what was \
                         paid elsewhere, anything else is a journal too many or too few"
                    );
                    compared.add(OUTSTANDING, &document.name(), message);
                }
                (Err(error), _) => compared.add(ERP_NOT_COMPARED, &document.name(), error.to_string()),
                (Ok(_), Err(error)) => erp_is_silent(document, &error, compared),
            }
        }
    }
    Ok(())
}

fn erp_is_silent(document: &Document, error: &PortError, compared: &mut Compared) {
    match error {
        PortError::Unreachable { why } => unreachable(why, compared),
        PortError::NotOffered | PortError::CannotTell { .. } => {
            compared.add(ERP_NOT_COMPARED, &document.name(), format!("the ERP cannot say what is open: {error}"));
        }
    }
}

/// Named once: with the ERP down every row would say the same.
fn unreachable(why: &str, compared: &mut Compared) {
    if !compared.is_unreachable {
        let message = format!("it cannot be asked now: {why}; nothing more is compared, verify again later");
        compared.add(ERP_NOT_COMPARED, "ERP", message);
    }
    compared.is_unreachable = true;
}

fn deliveries(
    ledger: &Ledger,
    ports: &Ports,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    callers: usize,
    compared: &mut Compared,
) -> Result<(), LedgerError> {
    let mut after = OperationId(0);
    while !compared.is_unreachable {
        let delivered = ledger.deliveries_to_compare(after, BATCH, since)?;
        let Some(last) = delivered.last() else { break };
        after = last.id;
        let mut questions: Vec<(Operation, Request)> = Vec::with_capacity(delivered.len());
        for operation in delivered {
            match ledger.request(&operation) {
                Ok(request) => questions.push((operation, request)),
                Err(error) => {
                    compared.add(ERP_NOT_COMPARED, &format!("operation {}", operation.id), error.to_string());
                }
            }
        }
        let answers = ask(&questions, callers, |(operation, request)| {
            let ago = operation.last_sent_at.map_or(TimeDelta::MAX, |sent| now - sent);
            ports.look_up(request, ago.to_std().unwrap_or(Duration::ZERO))
        });
        for ((operation, request), answer) in questions.iter().zip(answers) {
            let number = match request {
                Request::Journal(journal) => &journal.number,
                Request::PayoutJournal(journal) => &journal.number,
                Request::Payment(_)
                | Request::Collect(_)
                | Request::Mail(_)
                | Request::Cancel(_)
                | Request::Deletion(_)
                | Request::Event(_) => continue,
            };
            delivery(operation, &format!("journal {number}"), &answer, compared);
        }
    }
    Ok(())
}

fn delivery(operation: &Operation, journal: &str, answer: &LookUp, compared: &mut Compared) {
    match answer {
        LookUp::Found(Answer::Confirmed { modification, .. })
            if operation.modification.as_ref() == Some(modification) => {}
        LookUp::Found(Answer::Confirmed { modification, .. }) => {
            let was = operation.modification.as_ref().map_or("no number", |was| was.as_str());
            let message = format!("the ERP confirmed it as {was}, and now has it as {modification}: look at both");
            compared.add(JOURNAL_DIFFERS, journal, message);
        }
        LookUp::Found(Answer::Refused(refusal)) => {
            let message = format!("the ERP has it with other content: {} ({})", refusal.message, refusal.code);
            compared.add(JOURNAL_DIFFERS, journal, message);
        }
        LookUp::Found(Answer::Accepted { .. } | Answer::NotDone { .. } | Answer::Unknown { .. }) | LookUp::Absent => {
            let message = "the ERP confirmed it and does not have it posted any more: find out who took it out, and post it by hand";
            compared.add(JOURNAL_MISSING, journal, message);
        }
        LookUp::CannotTell { why } => unreachable(why, compared),
    }
}

/// Asks about all of them, `callers` at a time; the answers have the order of the questions.
fn ask<T: Sync, A: Send>(all: &[T], callers: usize, question: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let share = all.len().div_ceil(callers.max(1)).max(1);
    std::thread::scope(|scope| {
        let question = &question;
        let asked: Vec<_> = all
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(question).collect::<Vec<A>>()))
            .collect();
        let answers =
            asked.into_iter().map(|asked| asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        answers.flatten().collect()
    })
}
