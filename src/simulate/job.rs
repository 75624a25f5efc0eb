//! One process that cron or a person starts, in the simulation: an import, a run of a task, a person who decides. The code
//! is the real one from just below the lock and the log file down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::correcting::corrects;
use super::coverage::OF_REPORTS;
use super::dice::Dice;
use super::record::Correction;
use super::world::{Batch, Door};
use crate::config::Settings;
use crate::config::settings::TaskName;
use crate::domain::exception::ExceptionKind;
use crate::domain::id::{CustomerNumber, ExceptionId};
use crate::kill_switch::{Killed, Moment};
use crate::ledger::import::{Mark, Verdict};
use crate::ledger::{Ledger, LedgerError, OpenException, Writer};
use crate::operation::State;
use crate::run::engine::{Level, Run, Watch};
use crate::run::host::Host;
use crate::run::summary::Summary;
use crate::run::workers::Workers;
use crate::run::{open_run, perform};

#[derive(Debug, Clone)]
pub(super) enum Job {
    Import,
    Task(TaskName),
    /// Somebody who reads the open exceptions.
    Person(Box<Dice>),
    /// Somebody who corrects what payjournal billed.
    Corrects(Box<Dice>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Killed,
    /// Something that must not happen to a run whose disk is sound.
    Failed(String),
}

/// A run that is not told of anything.
struct Unwatched;

impl Watch for Unwatched {
    fn say(&mut self, _level: Level, _text: &str) {}
    fn progress(&mut self, _done: u64) {}
}

impl Job {
    /// Does it until it ends or is killed. `ahead`: by how much its clock is wrong.
    pub(super) fn run(&self, ledger: &mut Ledger, door: &Door, settings: &Settings, ahead: TimeDelta) -> End {
        door.place.enter();
        let now = door.world().now + ahead;
        watch(ledger, door, None);
        let end = catch_unwind(AssertUnwindSafe(|| match self {
            Self::Import => import(ledger, door, now),
            Self::Task(task) => run_task(*task, ledger, door, settings, now, ahead),
            Self::Person(dice) => person(ledger, door, now, &mut dice.clone()),
            Self::Corrects(dice) => corrects(ledger, door, settings, now, &mut dice.clone()),
        }));
        let end = match end {
            Ok(Ok(())) => End::Done,
            Ok(Err(error)) => End::Failed(error),
            Err(panic) if panic.is::<Killed>() => End::Killed,
            Err(panic) => End::Failed(format!("panicked: {:?}", panic.downcast_ref::<String>())),
        };
        door.place.leave();
        end
    }
}

/// What the world knows to be in the ledger as soon as it is committed, whoever dies then.
pub(super) enum Lands {
    Import(Arc<Batch>),
    Resolved(ExceptionId),
    /// An order, by its number.
    Restored(String),
    /// What a person corrects, once the ledger has taken it.
    Corrected(Arc<Mutex<Option<Correction>>>),
}

/// Every commit is a moment, before and after.
pub(super) fn watch(ledger: &mut Ledger, door: &Door, lands: Option<Lands>) {
    let door = door.clone();
    ledger.witnessed_by(Box::new(move |moment, what| match moment {
        Moment::BeforeCommit => door.place.alone(),
        Moment::AfterCommit => {
            match (&lands, what) {
                (Some(Lands::Import(batch)), "import") => door.world().arrived(batch),
                (Some(Lands::Resolved(id)), "resolve") => {
                    door.world().record.resolved.insert(id.0);
                }
                (Some(Lands::Restored(order)), "restore") => door.world().is_restored(order),
                (Some(Lands::Corrected(done)), _) => {
                    let correction = done.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(correction) = correction {
                        door.world().is_corrected(correction);
                    }
                }
                (Some(Lands::Import(_) | Lands::Resolved(_) | Lands::Restored(_)) | None, _) => {}
            }
            door.place.moment();
        }
        Moment::BeforeCall | Moment::AfterCall => {}
    }));
}

fn run_task(
    task: TaskName,
    ledger: &mut Ledger,
    door: &Door,
    settings: &Settings,
    now: DateTime<Utc>,
    ahead: TimeDelta,
) -> Result<(), String> {
    let said = |error: LedgerError| format!("{task} failed: {error}");
    let task_settings = settings.tasks.get(&task).ok_or_else(|| format!("no settings of {task}"))?;
    let (id, _) = open_run(task, ledger, now, now).map_err(said)?;
    let ports = door.ports();
    let clock = || door.world().now + ahead;
    let pause = |time: Duration| door.world().pause(time);
    let choose = |count: usize| door.place.choose(count);
    let mut run = Run {
        ledger,
        ports: &ports,
        settings,
        task: task_settings,
        task_name: task.as_str(),
        id: Some(id),
        now,
        host: Host { clock: &clock, stop: &|| false, pause: &pause, workers: Workers::Chosen(&choose) },
        watch: &mut Unwatched,
        summary: Summary::default(),
    };
    perform(task, &mut run).map_err(said)?;
    let summary = run.summary;
    let (exit, calls) = (summary.exit().code(), summary.calls);
    ledger.write("run end", Some(id), now, |writer| writer.finish_run(id, exit, None, calls, now)).map_err(said)?;
    let mut world = door.world();
    world.coverage.work("runs");
    for _ in &summary.ledger_refusals {
        world.coverage.work("steps the ledger refused");
    }
    match summary.bugs.first() {
        Some(bug) => Err(format!("{task}: {bug}")),
        None => Ok(()),
    }
}

/// What changed at the shop and the ERP comes into the ledger.
fn import(ledger: &mut Ledger, door: &Door, now: DateTime<Utc>) -> Result<(), String> {
    let batch = door.world().export().map_err(|error| error.to_string())?;
    if batch.is_empty() {
        return Ok(());
    }
    let batch = Arc::new(batch);
    watch(ledger, door, Some(Lands::Import(Arc::clone(&batch))));
    let company = ledger.books().company.clone();
    let customer = ledger.books().default_customer.clone();
    let refused = ledger.write("import", None, now, |writer| take(writer, &batch, &company, &customer));
    let refused = refused.map_err(|error| format!("the import failed: {error}"))?;
    if let Some(refused) = refused.first() {
        return Err(format!("the import refused {refused}"));
    }
    door.world().acknowledged(&batch);
    Ok(())
}

fn take(
    writer: &Writer<'_>,
    batch: &Batch,
    company: &crate::domain::id::Company,
    customer: &CustomerNumber,
) -> Result<Vec<String>, LedgerError> {
    writer.begin_import()?;
    let mut refused = Vec::new();
    let mut line = 0;
    let mut judge = |what: String, verdict: Verdict| {
        if let Verdict::Refused(objections) = verdict {
            refused.push(format!("{what}: {objections:?}"));
        }
    };
    let mut mark = || {
        line += 1;
        Mark { line, digest: line }
    };
    for customer in &batch.customers {
        judge(format!("customer {}", customer.number), writer.import_customer(customer, mark())?);
    }
    for order in &batch.orders {
        judge(format!("order {}", order.number), writer.import_order(order, customer, mark())?);
    }
    for line in &batch.lines {
        judge(format!("line {} of {}", line.line.line, line.order), writer.import_order_line(line, mark())?);
    }
    for entry in &batch.entries {
        let verdict = writer.import_entry(entry, customer, mark())?;
        // It may be billed already. Whether it is, the auditor sees.
        if entry.cancelled == Some(true) && matches!(verdict, Verdict::Refused(_)) {
            batch.keeps(&entry.reference);
        } else {
            judge(format!("entry {}", entry.reference), verdict);
        }
    }
    for document in &batch.documents {
        judge(format!("document {}", document.number), writer.import_document(document, customer, mark())?);
    }
    for payment in &batch.payments {
        judge(format!("payment {}", payment.transaction), writer.import_payment(payment, company, mark())?);
    }
    Ok(refused)
}

/// Retries what was refused or given up, and calls some of the rest dealt with.
fn person(ledger: &mut Ledger, door: &Door, now: DateTime<Utc>, dice: &mut Dice) -> Result<(), String> {
    let said = |error: LedgerError| error.to_string();
    // What is told of payouts is over when the rest of their report is there.
    let of_captures = |exception: &OpenException| !OF_REPORTS.contains(&exception.kind);
    for exception in ledger.open_exceptions().map_err(said)?.into_iter().filter(of_captures) {
        let operation = exception.operation.map(|id| ledger.operation(id)).transpose().map_err(said)?;
        match operation {
            Some(operation) if matches!(operation.state, State::Refused | State::GivenUp) => {
                if dice.chance(400) {
                    let retried = ledger.write("retry", None, now, |writer| {
                        writer.request_retry(operation.id)?;
                        writer.resolve_operation(operation.id)
                    });
                    let fault = match retried {
                        Ok(()) => "person: retried an operation",
                        // Another one about the same has no answer yet, and the person is told to wait for it.
                        Err(LedgerError::Invariant(_)) => "person: retried an operation too early",
                        Err(error) => return Err(said(error)),
                    };
                    door.world().fault(fault);
                }
            }
            Some(_) | None => {
                if dice.chance(80) {
                    watch(ledger, door, Some(Lands::Resolved(exception.id)));
                    ledger.write("resolve", None, now, |writer| writer.resolve(exception.id)).map_err(said)?;
                    door.world().fault("person: resolved an exception");
                }
            }
        }
    }
    restores(ledger, door, now, dice)
}

/// Puts orders back that were deleted: where they were paid after all, or the customer wants one all the same.
fn restores(ledger: &mut Ledger, door: &Door, now: DateTime<Utc>, dice: &mut Dice) -> Result<(), String> {
    let said = |error: LedgerError| error.to_string();
    let orders = door.world().restorable();
    if orders.is_empty() {
        return Ok(());
    }
    let mut told = ledger.open_exceptions().map_err(said)?;
    told.retain(|one| one.kind == ExceptionKind::PaidAfterDeletion);
    for number in orders {
        let is_paid = told.iter().any(|one| one.subject.ends_with(&format!("/{number}")));
        if !dice.chance(if is_paid { 250 } else { 20 }) {
            continue;
        }
        let Some(order) = ledger.orders_numbered(&number).map_err(said)?.first().copied() else { continue };
        watch(ledger, door, Some(Lands::Restored(number)));
        let restored = ledger.write("restore", None, now, |writer| writer.restore_order(order, "wanted after all"));
        let fault = match restored {
            Ok(_) => "person: restored an order",
            // The ERP has not answered yet.
            Err(LedgerError::Invariant(_)) => "person: restored an order too early",
            Err(error) => return Err(said(error)),
        };
        door.world().fault(fault);
    }
    Ok(())
}
