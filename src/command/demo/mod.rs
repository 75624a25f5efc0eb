//! `payjournal demo`: a folder with a config, a shop's exports and a sandbox PSP, and two days of the main job on it.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Days, TimeDelta, Utc};
use serde_json::{Value, json};

use super::export::{ExportFormat, Wanted};
use super::import::{ImportArgs, ImportDefaults, ImportKind};
use super::table::table;
use crate::config::settings::TaskName;
use crate::config::{self, Loaded};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::run::watch::Verbosity;
use crate::run::{Finished, Options, open_ledger, refused, run_task};

/// What the shop hands over; `@-3` is three days before the demo's second day.
const FILES: [(&str, &str); 6] = [
    ("payjournal.toml", include_str!("payjournal.toml")),
    ("orders.csv", include_str!("orders.csv")),
    ("payments.csv", include_str!("payments.csv")),
    ("documents.csv", include_str!("documents.csv")),
    ("day2-payments.csv", include_str!("day2-payments.csv")),
    ("day2-documents.csv", include_str!("day2-documents.csv")),
];

/// One command of the story.
enum Step {
    Say(&'static str),
    Authorise(&'static str),
    PayOut,
    Import(ImportKind, &'static str),
    Task(TaskName),
    Export(ExportFormat, &'static str),
}

const FIRST_DAY: [Step; 9] = [
    Step::Say("Day 1: the shop hands over orders and payments, the ERP its posted invoices"),
    Step::Authorise("payments.csv"),
    Step::Import(ImportKind::Orders, "orders.csv"),
    Step::Import(ImportKind::Payments, "payments.csv"),
    Step::Import(ImportKind::Documents, "documents.csv"),
    Step::Say("Night 1: cron takes the money of what was invoiced, and books it"),
    Step::Task(TaskName::SyncPayments),
    Step::Task(TaskName::Capture),
    Step::Task(TaskName::SyncJournals),
];

const SECOND_DAY: [Step; 15] = [
    Step::Say("Day 2: credit notes, later invoices, and a customer who paid two invoices at once"),
    Step::Authorise("day2-payments.csv"),
    Step::Import(ImportKind::Documents, "day2-documents.csv"),
    Step::Import(ImportKind::Payments, "day2-payments.csv"),
    Step::Say("Night 2: what had no answer is asked about first; refunds go out"),
    Step::Task(TaskName::SyncPayments),
    Step::Task(TaskName::Capture),
    Step::Task(TaskName::Refunds),
    Step::Task(TaskName::SyncJournals),
    Step::Say("The PSP pays out what it has, less its fees, and says which order each cent is of"),
    Step::PayOut,
    Step::Task(TaskName::Settlements),
    Step::Export(ExportFormat::Hledger, "journals.hledger"),
    Step::Export(ExportFormat::Beancount, "journals.beancount"),
    Step::Export(ExportFormat::Csv, "journals.csv"),
];

pub fn run(folder: &Path, json: bool, now: DateTime<Utc>, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit> {
    fill(folder, now)?;
    let config = config::load(&folder.join("payjournal.toml"))?;
    let mut shown: Box<dyn Write + '_> = if json { Box::new(std::io::sink()) } else { Box::new(&mut *out) };
    let mut told = Vec::new();
    for (steps, at) in [(FIRST_DAY.as_slice(), now - TimeDelta::days(1)), (SECOND_DAY.as_slice(), now)] {
        for step in steps {
            told.extend(carry_out(step, &config, folder, at, &mut *shown, err)?);
        }
    }
    let written = if json {
        drop(shown);
        let document = json!({
            "schema": "payjournal/demo/1",
            "outcome": Exit::Done.outcome(),
            "exit_code": Exit::Done.code(),
            "folder": folder.display().to_string(),
            "steps": told,
        });
        writeln!(out, "{document:#}")
    } else {
        end(&config, folder, now, &mut *shown)?;
        Ok(())
    };
    written.context("the demo cannot be shown").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// Writes config and sample files into an empty folder.
fn fill(folder: &Path, now: DateTime<Utc>) -> Result<()> {
    let name = folder.display();
    let unusable = |error: std::io::Error| Failure::usage(format!("the folder `{name}` cannot be used: {error}"));
    fs::create_dir_all(folder).map_err(unusable)?;
    if fs::read_dir(folder).map_err(unusable)?.next().is_some() {
        return Err(Failure::usage(format!("the folder `{name}` is not empty"))
            .hint("remove it, or name another one: `payjournal demo FOLDER`"));
    }
    for (file, template) in FILES {
        fs::write(folder.join(file), dated(template, now)).map_err(unusable)?;
    }
    Ok(())
}

/// Replaces each `@-N` by the day N days before `now`.
fn dated(template: &str, now: DateTime<Utc>) -> String {
    let mut parts = template.split("@-");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (days, rest) = part.split_at(digits);
        let day = days.parse().ok().and_then(|days| now.date_naive().checked_sub_days(Days::new(days)));
        text.push_str(&day.map_or_else(|| format!("@-{days}"), |day| day.to_string()));
        text.push_str(rest);
    }
    text
}

fn carry_out(
    step: &Step,
    config: &Loaded,
    folder: &Path,
    now: DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Option<Value>> {
    let settings = &config.settings;
    let (command, exit) = match step {
        Step::Say(text) => {
            say(out, &format!("\n{text}\n"))?;
            return Ok(None);
        }
        Step::Authorise(file) => {
            say(out, &format!("$ payjournal sandbox authorise {file}"))?;
            let exit = super::sandbox::authorise(&folder.join(file), settings, false, now, out, err)?;
            (format!("sandbox authorise {file}"), exit)
        }
        Step::PayOut => {
            say(out, "$ payjournal sandbox payout")?;
            ("sandbox payout".to_owned(), super::sandbox::payout(None, settings, false, now, out)?)
        }
        Step::Import(what, file) => {
            say(out, &format!("$ payjournal import {} {file}", what.noun()))?;
            let mut ledger = open_ledger(settings, true, now)?;
            let args = ImportArgs {
                what: *what,
                file: folder.join(file),
                rejects: None,
                format: None,
                json: false,
                print_summary: true,
            };
            let defaults = ImportDefaults::of(settings);
            let exit = super::import::run(&args, &defaults, &mut ledger, now, &mut std::io::empty(), out, err)?;
            (format!("import {} {file}", what.noun()), exit)
        }
        Step::Task(task) => {
            say(out, &format!("\n$ payjournal {task}"))?;
            let options = Options {
                dry_run: false,
                scheduled: false,
                verbosity: Verbosity::Normal,
                on_terminal: false,
                now,
                as_of: true,
            };
            let finished = run_task(*task, config, options, err)?;
            report(&finished, out)?;
            (task.to_string(), finished.exit)
        }
        Step::Export(format, file) => {
            say(out, &format!("$ payjournal export --format {} --output {file}", format.as_str()))?;
            let output = folder.join(file);
            let all = Wanted { format: *format, month: None, is_new: false, again: None, output: Some(&output) };
            let exit = super::export::run(all, settings, now, out, err)?;
            (format!("export --format {}", format.as_str()), exit)
        }
    };
    Ok(Some(json!({"command": command, "outcome": exit.outcome(), "exit_code": exit.code()})))
}

/// The steps of a task that a newcomer wants to see, and how a script would see it end.
fn report(finished: &Finished, out: &mut dyn Write) -> Result<()> {
    let summary = &finished.summary;
    let rows: Vec<Vec<String>> = summary
        .rows
        .iter()
        .filter(|row| row.action != "mail" && row.action != "status")
        .map(|row| {
            let amount = row.amount.map(|amount| amount.to_string()).unwrap_or_default();
            vec![row.about.clone(), row.action.to_owned(), amount, row.outcome.clone()]
        })
        .collect();
    if !rows.is_empty() {
        say(out, &table(&["about", "action", "amount", "outcome"], rows))?;
    }
    if let Some(settled) = &summary.settled {
        say(out, &super::payouts::as_table(settled.payouts.iter()))?;
    }
    let exit = finished.exit;
    say(out, &format!("{}: {} (exit code {}: {})", finished.task, summary.done_line(), exit.code(), exit.meaning()))?;
    for exception in &summary.new_exceptions {
        say(out, &format!("  needs a person: {}: {}", exception.subject, exception.message))?;
    }
    Ok(())
}

/// Proof and pointers: the books, where the files are, what to try next.
fn end(config: &Loaded, folder: &Path, now: DateTime<Utc>, out: &mut dyn Write) -> Result<()> {
    let ledger = open_ledger(&config.settings, false, now)?;
    let balances = ledger.balances().map_err(refused)?;
    let rows = balances.iter().map(|balance| vec![balance.account.to_string(), balance.amount.to_string()]).collect();
    let name = folder.display();
    say(out, "\nThe books (the clearing account is what the PSP owes the shop):")?;
    say(out, &table(&["account", "balance"], rows))?;
    say(
        out,
        &format!(
            "
Everything is in {name}:
  payjournal.toml       the config            *.csv               what shop and ERP handed over
  payjournal.db         the ledger            sandbox.db          the PSP's own record
  logs/                 one log per run       mail/new/           the mails
  journals.hledger, journals.beancount, journals.csv              for accounting programs

Try next:
  cd {name}
  payjournal status                              what is pending and what needs a person
  payjournal show order D-1018                   one order's whole story
  payjournal capture --dry-run -vv               nothing is captured twice: see why
  payjournal sandbox record                      what the PSP itself says happened
  hledger -f journals.hledger balance            if hledger is installed
(payjournal is target/release/payjournal where you built it.)"
        ),
    )
}

fn say(out: &mut dyn Write, text: &str) -> Result<()> {
    writeln!(out, "{text}").context("the demo cannot be shown").map_err(Failure::bug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_back_from_now() {
        let now = "2026-03-01T10:00:00Z".parse().unwrap();
        assert_eq!(dated("a,@-1,@-10T08:00:00Z,b", now), "a,2026-02-28,2026-02-19T08:00:00Z,b");
    }
}
