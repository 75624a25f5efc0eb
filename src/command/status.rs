//! `payjournal status`: how each task stands, what needs a person, and what is still on its way. Changes nothing.

use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::table::table;
use crate::config::Settings;
use crate::config::settings::TaskName;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{Ledger, OpenException, OperationNames, PendingOperation, PendingTotal, Run, RunState};
use crate::operation::State;
use crate::run::refused;

/// Rows that people are shown; JSON holds all.
const SHOWN: u32 = 50;

struct TaskStatus {
    task: TaskName,
    result: LastResult,
    run: Option<Run>,
    /// `None`: only started by hand.
    next: Option<DateTime<Utc>>,
}

/// How the last run of a task stands.
enum LastResult {
    Never,
    Running,
    /// Ended without a word.
    Died,
    Ended(Exit),
    /// By a payjournal with other exit codes than ours.
    EndedOtherwise(i64),
}

pub fn run(
    settings: &Settings,
    ledger: &Ledger,
    now: DateTime<Utc>,
    json: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let tasks = TaskName::ALL
        .into_iter()
        // What is not switched on never has anything to do.
        .filter(|task| *task != TaskName::FinalizeInvoices || settings.invoices.enabled)
        .filter(|task| *task != TaskName::CleanupUnpaid || settings.cleanup.enabled)
        .filter(|task| *task != TaskName::Collect || settings.collect.enabled)
        .map(|task| task_status(task, settings, ledger, now))
        .collect::<Result<Vec<_>, _>>()?;
    let exceptions = ledger.open_exceptions().map_err(refused)?;
    let totals = ledger.pending_totals(settings.erp.post_payout_journals).map_err(refused)?;
    let pending = ledger.pending_operations(if json { None } else { Some(SHOWN) }).map_err(refused)?;
    let written = if json {
        write_json(&tasks, &exceptions, &pending, &totals, out)
    } else {
        let zone = settings.time_zone;
        write_tasks(&tasks, now, zone, out)
            .and_then(|()| write_exceptions(&exceptions, zone, out))
            .and_then(|()| write_pending(&pending, &totals, zone, out))
    };
    written.map_err(Failure::bug)?;
    Ok(Exit::Done)
}

fn task_status(
    task: TaskName,
    settings: &Settings,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Result<TaskStatus, Failure> {
    let run = ledger.last_run(task.as_str()).map_err(refused)?;
    let result = match &run {
        None => LastResult::Never,
        Some(run) => last_result(run),
    };
    let last_start = run.as_ref().map(|run| run.started_at);
    let next = settings
        .tasks
        .get(&task)
        .filter(|task| task.run_on_schedule)
        .map(|task| task.schedule.next(last_start, settings.time_zone, now).max(now));
    Ok(TaskStatus { task, result, run, next })
}

fn last_result(run: &Run) -> LastResult {
    match run.state {
        RunState::Started if is_alive(run.pid) => LastResult::Running,
        RunState::Started | RunState::Abandoned => LastResult::Died,
        RunState::Finished => match run.exit_code {
            Some(code) => Exit::ALL
                .into_iter()
                .find(|exit| i64::from(exit.code()) == code)
                .map_or(LastResult::EndedOtherwise(code), LastResult::Ended),
            None => LastResult::Died,
        },
    }
}

/// Where there is no `/proc`, a run that has not ended is taken to be alive.
fn is_alive(pid: i64) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(pid.to_string()).exists()
}

impl LastResult {
    /// Stable, for scripts.
    fn word(&self) -> &'static str {
        match self {
            Self::Never => "never_run",
            Self::Running => "running",
            Self::Died => "died",
            Self::Ended(exit) => exit.outcome(),
            Self::EndedOtherwise(_) => "other",
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Never => "never run".to_owned(),
            Self::Running => "running".to_owned(),
            Self::Died => "died; the next run goes on".to_owned(),
            Self::Ended(exit) => exit.meaning().to_owned(),
            Self::EndedOtherwise(code) => format!("ended with exit code {code}"),
        }
    }
}

fn write_tasks(tasks: &[TaskStatus], now: DateTime<Utc>, zone: Tz, out: &mut dyn Write) -> std::io::Result<()> {
    let rows = tasks.iter().map(|TaskStatus { task, result, run, next }| {
        let next = match next {
            Some(next) if *next <= now => "now".to_owned(),
            Some(next) => local(*next, zone),
            None => "-".to_owned(),
        };
        let last = run.as_ref().map_or_else(|| "-".to_owned(), |run| local(run.started_at, zone));
        vec![task.to_string(), result.sentence(), last, next]
    });
    let (last, next) = (format!("last run ({zone})"), format!("next run ({zone})"));
    writeln!(out, "{}", table(&["task", "last result", &last, &next], rows.collect()))
}

fn write_exceptions(exceptions: &[OpenException], zone: Tz, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out)?;
    if exceptions.is_empty() {
        return writeln!(out, "Nothing needs a person.");
    }
    writeln!(out, "Open exceptions: {}", exceptions.len())?;
    let rows = exceptions.iter().map(|exception| {
        let seen = if exception.acknowledged { " (acknowledged)" } else { "" };
        vec![
            exception.id.to_string(),
            local(exception.raised_at, zone),
            format!("{}{seen}", exception.kind.as_str()),
            exception.subject.clone(),
            exception.message.clone(),
        ]
    });
    writeln!(out, "{}", table(&["id", "since", "kind", "subject", "message"], rows.collect()))
}

fn write_pending(
    pending: &[PendingOperation],
    totals: &[PendingTotal],
    zone: Tz,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    writeln!(out)?;
    if totals.is_empty() {
        return writeln!(out, "Nothing is pending.");
    }
    let sums: Vec<String> = totals.iter().map(total_in_words).collect();
    writeln!(out, "Pending: {}", sums.join(", "))?;
    let rows = pending.iter().map(|PendingOperation { operation, names, note }| {
        let next = match (operation.state, operation.next_attempt_at) {
            (State::GivenUp, _) => "a person must look".to_owned(),
            (_, Some(at)) => local(at, zone),
            (_, None) => "next run".to_owned(),
        };
        vec![
            operation.id.to_string(),
            operation.kind.noun(),
            in_words(names),
            operation.amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string()),
            state_in_words(operation.state),
            local(operation.status_since, zone),
            next,
            note.clone(),
        ]
    });
    let headers = ["id", "kind", "of", "amount", "state", "since", "next attempt", "note"];
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        writeln!(out, "{}", table(&headers, rows))?;
    }
    let all: u64 = totals.iter().map(|total| total.count).sum();
    let more = all.saturating_sub(u64::try_from(pending.len()).unwrap_or(u64::MAX));
    if more > 0 {
        let others = if pending.is_empty() { "not tried yet".to_owned() } else { format!("… and {more} more") };
        writeln!(out, "{others}: `payjournal status --json` and `payjournal sync-journals --dry-run` list them")?;
    }
    Ok(())
}

fn total_in_words(total: &PendingTotal) -> String {
    let plural = if total.count == 1 { "" } else { "s" };
    let of = total.amount.map(|amount| format!(" of {amount}")).unwrap_or_default();
    format!("{} {}{plural}{of}", total.count, total.kind.noun())
}

/// Marked, so that it is not overlooked among those that go on by themselves.
pub(super) fn state_in_words(state: State) -> String {
    match state {
        State::GivenUp => "GIVEN UP".to_owned(),
        State::Planned
        | State::Sent
        | State::Accepted
        | State::Confirmed
        | State::Refused
        | State::Unknown
        | State::Withdrawn => state.to_string(),
    }
}

/// What an operation is about: the nearest thing a person knows first.
pub(super) fn in_words(names: &OperationNames) -> String {
    let order = names.order.as_ref().map(|order| format!("order {order}"));
    let payment = names.transaction.as_ref().map(|transaction| format!("payment {transaction}"));
    let journal = names.journal.as_ref().map(|number| format!("journal {number}"));
    let entry = names.entry.as_ref().map(|reference| format!("entry {reference}"));
    let (document, mail, event) = (names.document.clone(), names.mail.clone(), names.event.clone());
    let parts: Vec<String> = [journal, document, entry, order, payment, mail, event].into_iter().flatten().collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

/// In the zone of the books, to the minute.
pub(super) fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

fn write_json(
    tasks: &[TaskStatus],
    exceptions: &[OpenException],
    pending: &[PendingOperation],
    totals: &[PendingTotal],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let document = json!({
        "schema": "payjournal/status/1",
        "outcome": Exit::Done.outcome(),
        "exit_code": Exit::Done.code(),
        "tasks": tasks.iter().map(task_json).collect::<Vec<_>>(),
        "exceptions": exceptions.iter().map(exception_json).collect::<Vec<_>>(),
        "pending": pending.iter().map(pending_json).collect::<Vec<_>>(),
        "totals": totals.iter().map(|total| json!({
            "kind": total.kind,
            "count": total.count,
            "amount": total.amount,
        })).collect::<Vec<_>>(),
    });
    writeln!(out, "{document}")
}

fn task_json(status: &TaskStatus) -> Value {
    let run = status.run.as_ref();
    json!({
        "task": status.task,
        "last_result": status.result.word(),
        "last_exit_code": run.and_then(|run| run.exit_code),
        "last_error": run.and_then(|run| run.error.as_deref()),
        "started_at": run.map(|run| run.started_at),
        "finished_at": run.and_then(|run| run.finished_at),
        "next_run": status.next,
    })
}

/// As `show` has it too.
pub(super) fn exception_json(exception: &OpenException) -> Value {
    json!({
        "id": exception.id,
        "since": exception.raised_at,
        "kind": exception.kind,
        "subject": exception.subject,
        "message": exception.message,
        "acknowledged": exception.acknowledged,
        "operation": exception.operation,
    })
}

fn pending_json(PendingOperation { operation, names, note }: &PendingOperation) -> Value {
    json!({
        "id": operation.id,
        "kind": operation.kind,
        "document": names.document,
        "order": names.order,
        "transaction": names.transaction,
        "journal": names.journal,
        "mail": names.mail,
        "event": names.event,
        "entry": names.entry,
        "amount": operation.amount,
        "state": operation.state,
        "since": operation.status_since,
        "next_attempt_at": operation.next_attempt_at,
        "attempt": operation.attempt,
        "note": note,
    })
}
