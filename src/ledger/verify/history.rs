//! The life of an operation: its events are legal steps that end where it stands, nothing waits for a run that is dead or
//! longer than it is valid, and a person was told of what only a person can end (rules 4, 5).

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::ledger::operations::from_row;
use crate::ledger::row::Columns;
use crate::operation::decide::is_over_age;
use crate::operation::{Event, Operation, State};

/// After its validity an operation is given up by the next run that has its turn with it, which backs off and may be late.
const GRACE_DAYS: u32 = 2;

pub(super) const CHECKS: [Check; 7] = [
    Check {
        name: "operation-state",
        sql: "SELECT o.id AS operation, o.kind, o.state,
                (SELECT e.state FROM operation_events e WHERE e.operation_id = o.id ORDER BY e.id DESC LIMIT 1) AS last
              FROM operations o WHERE last IS NOT o.state",
        judge: not_as_last_told,
    },
    Check {
        name: "operation-history",
        sql: "SELECT e.operation_id AS operation, e.at, e.state,
                lag(e.state) OVER (PARTITION BY e.operation_id ORDER BY e.id) AS before
              FROM operation_events e",
        judge: illegal_step,
    },
    // From Planned or Withdrawn an operation is confirmed without a call of this ledger: a restored backup made it earlier.
    Check {
        name: "operation-sending",
        sql: "SELECT o.id AS operation, o.kind, o.state, o.tries,
                (SELECT count(*) FROM operation_events e WHERE e.operation_id = o.id AND e.state = 'sent') AS sendings
              FROM operations o
              WHERE o.tries <> sendings OR (o.sent_at IS NULL) <> (sendings = 0) OR (o.last_sent_at IS NULL) <> (sendings = 0)
                OR (sendings = 0 AND o.state IN ('sent', 'unknown', 'accepted', 'given_up'))
                OR (sendings = 0 AND o.state = 'confirmed' AND o.kind IN ('journal', 'payout_journal', 'mail', 'event'))",
        judge: sending_untold,
    },
    Check {
        name: "sent-without-run",
        sql: "SELECT o.id AS operation, o.kind, o.run_id, r.task, r.state AS run_state FROM operations o
              LEFT JOIN runs r ON r.id = o.run_id WHERE o.state = 'sent'",
        judge: orphan,
    },
    Check {
        name: "operation-over-age",
        sql: "SELECT o.*, ifnull(j.booked_at, y.booked_at) AS booked_at FROM operations o LEFT JOIN journals j ON j.id = o.journal_id
              LEFT JOIN payout_journals y ON y.id = o.payout_journal_id
              WHERE o.state IN ('planned', 'sent', 'accepted', 'unknown') AND (o.state <> 'planned' OR o.tries > 0)
                AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.operation_id = o.id AND e.state <> 'resolved')",
        judge: over_age,
    },
    Check {
        name: "given-up-untold",
        sql: "SELECT o.id AS operation, o.kind, o.state FROM operations o WHERE o.state = 'given_up' AND NOT EXISTS (
                SELECT 1 FROM exceptions e WHERE e.operation_id = o.id AND e.kind = 'given_up')",
        judge: untold,
    },
    // A payment that was not closed is told only if it is still open when it is asked about again.
    Check {
        name: "refused-untold",
        sql: "SELECT o.id AS operation, o.kind, o.state FROM operations o
              WHERE o.state = 'refused' AND o.refusal_transient = 0
                AND o.kind <> 'cancel'
                AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.operation_id = o.id)",
        judge: untold,
    },
];

fn operation(row: &Row<'_>) -> Result<String> {
    Ok(format!("operation {} ({})", row.plain::<i64>("operation")?, row.plain::<String>("kind")?))
}

fn not_as_last_told(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (state, last): (String, Option<String>) = (row.plain("state")?, row.plain("last")?);
    let what = match last {
        Some(last) => format!("it is {state}, and the last thing its history tells is {last}"),
        None => format!("it is {state}, and it has no history"),
    };
    Ok(Some(Fault::tampered(operation(row)?, &what)))
}

fn illegal_step(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let id: i64 = row.plain("operation")?;
    let state = row.choice("state", State::parse)?;
    let fault = |what: &str| Ok(Some(Fault::tampered(format!("operation {id}"), what)));
    if row.plain::<Option<String>>("before")?.is_none() {
        return if state == State::Planned { Ok(None) } else { fault(&format!("its history begins with {state}")) };
    }
    let before = row.choice("before", State::parse)?;
    if Event::ALL.into_iter().any(|event| before.apply(event) == Ok(state)) {
        return Ok(None);
    }
    fault(&format!("on {} it went from {before} to {state}, which no event does", row.plain::<String>("at")?))
}

fn sending_untold(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (state, tries, sendings): (String, u32, u32) =
        (row.plain("state")?, row.count("tries")?, row.count("sendings")?);
    let what = format!(
        "it is {state}, counts {tries} calls, and its history tells of {sendings}, with their times or without"
    );
    Ok(Some(Fault::tampered(operation(row)?, &what)))
}

fn orphan(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (task, state): (Option<String>, Option<String>) = (row.plain("task")?, row.plain("run_state")?);
    let run = row.plain::<Option<i64>>("run_id")?.map_or_else(|| "no run".to_owned(), |run| format!("run {run}"));
    if let Some(task) = task.as_deref().filter(|_| state.as_deref() == Some("started"))
        && (bench.around.is_running)(task)
    {
        return Ok(None);
    }
    let next = task.map_or_else(
        || format!("no task would ever ask about it; {}", super::TAMPERED),
        |task| format!("`payjournal {task}` asks the other side about it before it does anything else"),
    );
    Ok(Some(Fault {
        subject: operation(row)?,
        message: format!("it was sent by {run}, which is not alive, and has no answer: {next}"),
    }))
}

fn over_age(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let operation: Operation = from_row(row)?;
    let since =
        row.optional_time("booked_at")?.map_or(operation.status_since, |booked| booked.max(operation.status_since));
    let valid = (bench.around.valid_days)(operation.kind);
    if !is_over_age(since, valid.saturating_add(GRACE_DAYS), bench.around.now) {
        return Ok(None);
    }
    Ok(Some(Fault {
        subject: format!("operation {} ({})", operation.id, operation.kind.as_str()),
        message: format!(
            "it is {} since {}, longer than the {valid} days it is valid, and nobody was told: run its task, which gives it up \
             or brings it to an end, and look at why it did not run",
            operation.state,
            since.format("%Y-%m-%d")
        ),
    }))
}

fn untold(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let id: i64 = row.plain("operation")?;
    let state = row.choice("state", State::parse)?;
    Ok(Some(Fault {
        subject: operation(row)?,
        message: format!(
            "it is {state}, and no exception tells a person: look at the other side, then `payjournal retry {id}`"
        ),
    }))
}
