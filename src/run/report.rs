//! What a finished run shows: a table for people, one document for scripts, nothing for cron where all went well.

use std::io::Write;

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::Finished;
use super::summary::Row;
use super::watch::Verbosity;
use crate::command::payouts;
use crate::command::table::table;
use crate::config::settings::TaskName;
use crate::domain::money::Amount;
use crate::exit::Exit;
use crate::task::settlements::{FileOutcome, FileReport, Settled};

/// Rows a table shows; JSON and log have them all.
const MOST_SHOWN: usize = 60;

/// How a run is shown.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub json: bool,
    pub dry_run: bool,
    pub on_terminal: bool,
    pub verbosity: Verbosity,
}

pub fn show(finished: &Finished, style: Style, out: &mut dyn Write, err: &mut dyn Write) -> std::io::Result<()> {
    if style.json {
        return writeln!(out, "{:#}", document(finished, style.dry_run));
    }
    let talkative = style.dry_run || style.on_terminal || style.verbosity >= Verbosity::Verbose;
    if talkative && style.verbosity > Verbosity::Quiet {
        write_table(finished, style, out)?;
    }
    match &finished.failure {
        Some(failure) => {
            failure.render(err)?;
            explain(finished, err)
        }
        None if finished.exit != Exit::Done && !style.dry_run => explain(finished, err),
        None => Ok(()),
    }
}

fn write_table(finished: &Finished, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let summary = &finished.summary;
    // Where not all can be shown, what is done comes before what is left alone.
    let mut shown: Vec<&Row> = summary.rows.iter().collect();
    if shown.len() > MOST_SHOWN {
        shown.sort_by_key(|row| row.action == "leave");
    }
    let rows: Vec<Vec<String>> = shown
        .into_iter()
        .take(MOST_SHOWN)
        .map(|row| {
            let amount = row.amount.map_or_else(String::new, |amount| amount.to_string());
            vec![row.about.clone(), row.action.replace('_', " "), amount, row.outcome.clone(), row.reason.clone()]
        })
        .collect();
    if !rows.is_empty() {
        writeln!(out, "{}", table(&["about", "action", "amount", "outcome", "reason"], rows))?;
    }
    if let Some(settled) = &summary.settled {
        return write_settled(finished, settled, style, out);
    }
    let hidden = u64::try_from(summary.rows.len().saturating_sub(MOST_SHOWN)).unwrap_or(0) + summary.rows_left_out;
    if hidden > 0 {
        writeln!(out, "… and {hidden} more; --json and the log have them")?;
    }
    if style.dry_run {
        let would = if finished.task == TaskName::CleanupUnpaid {
            format!("; {} would go", summary.begun)
        } else {
            String::new()
        };
        let left = summary.not_eligible_line().map(|left| format!("; {left}")).unwrap_or_default();
        writeln!(out, "{}: dry run, {} cases looked at, nothing was done{would}{left}", finished.task, summary.cases)
    } else {
        writeln!(out, "{}: {}", finished.task, summary.done_line())
    }
}

/// The files that were read, and the payouts that are not done with or changed.
fn write_settled(finished: &Finished, settled: &Settled, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    if !settled.payouts.is_empty() {
        writeln!(out, "{}", payouts::as_table(settled.payouts.iter().take(MOST_SHOWN)))?;
    }
    let hidden = settled.payouts.len().saturating_sub(MOST_SHOWN);
    if hidden > 0 {
        writeln!(out, "… and {hidden} more; `payjournal list payouts` shows them all")?;
    }
    for file in &settled.files {
        if !matches!(file.outcome, FileOutcome::Known { .. }) {
            writeln!(out, "{}", file.line())?;
        }
    }
    if let Some(rehearsed) = settled.rehearsed.as_ref().filter(|rehearsed| !rehearsed.sums.is_empty()) {
        writeln!(out, "{}", payouts::rehearsed_table(rehearsed))?;
    }
    let known = settled.files.iter().filter(|file| matches!(file.outcome, FileOutcome::Known { .. })).count();
    let done = if style.dry_run { "dry run, nothing was taken over" } else { "done" };
    writeln!(
        out,
        "{}: {} reports looked at, {known} of them read before; {} earlier lines found their order; {done}",
        finished.task,
        settled.files.len(),
        settled.rematched
    )
}

/// One paragraph: what, where, how much money, next command, log.
fn explain(finished: &Finished, err: &mut dyn Write) -> std::io::Result<()> {
    let summary = &finished.summary;
    let log = finished.log.as_ref().map(|log| format!(" Log: {}", log.display())).unwrap_or_default();
    let task = finished.task;
    if summary.unreachable > 0 {
        let money: Vec<String> = summary.unreachable_money.values().map(Amount::to_string).collect();
        let money = if money.is_empty() { String::new() } else { format!(" over {}", money.join(", ")) };
        let first = summary.first_unreachable.as_deref().unwrap_or_default();
        let count = summary.unreachable;
        if summary.settled.is_some() && summary.unreachable_money.is_empty() {
            writeln!(err, "{task}: {count} sources of reports could not be read ({first}); the others were.{log}")?;
        } else {
            writeln!(
                err,
                "{task}: {count} operations{money} are not settled: the other side could not be reached or did not answer ({first}). \
                 They are kept; the next `payjournal {task}` asks first and goes on.{log}"
            )?;
        }
    }
    if !summary.new_exceptions.is_empty() {
        let count = u64::try_from(summary.new_exceptions.len()).unwrap_or(0) + summary.exceptions_left_out;
        writeln!(err, "{task}: {count} new exceptions need a person; `payjournal status` lists them.{log}")?;
        for exception in summary.new_exceptions.iter().take(10) {
            writeln!(err, "  {}: {}", exception.subject, exception.message)?;
        }
    }
    for refusal in summary.ledger_refusals.iter().take(10) {
        writeln!(err, "{task}: {refusal}; it has no answer yet and is asked about by the next run.{log}")?;
    }
    for bug in summary.bugs.iter().take(10) {
        writeln!(err, "{task}: a bug: {bug}.{log}")?;
    }
    if matches!(finished.exit, Exit::Interrupted | Exit::Terminated) {
        writeln!(
            err,
            "{task}: stopped by a signal; the calls in flight are recorded, `payjournal {task}` goes on.{log}"
        )?;
    }
    Ok(())
}

fn document(finished: &Finished, dry_run: bool) -> Value {
    let summary = &finished.summary;
    let totals: Vec<Value> = summary
        .done
        .iter()
        .map(|((kind, _), (count, amount))| json!({"kind": kind, "count": count, "sum": amount}))
        .collect();
    let mut document = json!({
        "schema": "payjournal/run/1",
        "outcome": finished.exit.outcome(),
        "exit_code": finished.exit.code(),
        "task": finished.task,
        "run": finished.run,
        "dry_run": dry_run,
        "as_of": finished.started.to_rfc3339_opts(SecondsFormat::Secs, true),
        "cases": summary.cases,
        "confirmed": totals,
        "waiting": summary.waiting,
        "refused": summary.refused,
        "unreachable": summary.unreachable,
        "steps": summary.rows,
        "steps_left_out": summary.rows_left_out,
        "exceptions": summary.new_exceptions,
        "exceptions_left_out": summary.exceptions_left_out,
        "log": finished.log.as_ref().map(|log| log.display().to_string()),
    });
    if let (TaskName::CleanupUnpaid | TaskName::Collect, Some(object)) = (finished.task, document.as_object_mut()) {
        object.insert("not_eligible".to_owned(), json!(summary.not_eligible));
    }
    if let (Some(settled), Some(object)) = (&summary.settled, document.as_object_mut()) {
        let files: Vec<Value> = settled.files.iter().map(FileReport::json).collect();
        object.insert("files".to_owned(), json!(files));
        object.insert("rematched".to_owned(), json!(settled.rematched));
        object.insert("payouts".to_owned(), json!(settled.payouts));
        object.extend(settled.rehearsed.iter().flat_map(payouts::rehearsed_json));
    }
    let error = finished.failure.as_ref().map(crate::failure::Failure::json).or_else(|| {
        let unreachable = summary.first_unreachable.iter();
        let said: Vec<&str> =
            unreachable.chain(&summary.ledger_refusals).chain(&summary.bugs).map(String::as_str).collect();
        (!said.is_empty()).then(|| json!({"message": said.join("; "), "causes": [], "hints": []}))
    });
    if let (Some(error), Some(object)) = (error, document.as_object_mut()) {
        object.insert("error".to_owned(), error);
    }
    document
}
