//! `payjournal verify`: proves that the ledger holds, and with `--against-…` that the other side says the same. Changes
//! nothing.

mod files;
pub mod outside;

use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::outside::Compared;
use super::table::table;
use crate::config::Settings;
use crate::config::settings::TaskName;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::{Finding, Ledger, Surroundings, network_filesystem};
use crate::operation::Kind;
use crate::run::ports::{Ports, Purpose};
use crate::run::{is_running, look_at_ledger, refused};
use crate::task::days;

/// How far to look.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    pub provider: bool,
    pub erp: bool,
    /// However old.
    pub all: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub json: bool,
    /// Say that all holds.
    pub is_talkative: bool,
}

/// Checks that belong together, with what they found.
struct Group {
    name: &'static str,
    checks: Vec<&'static str>,
    findings: Vec<Finding>,
}

struct Report {
    groups: Vec<Group>,
    /// What a person may want to know and need not do anything about.
    notes: Vec<String>,
    exit: Exit,
}

pub fn run(settings: &Settings, extent: Extent, now: DateTime<Utc>, style: Style, out: &mut dyn Write) -> Result<Exit> {
    let leftover = files::leftover_wal(&settings.ledger);
    let ledger = look_at_ledger(settings)?;
    let mut report = Report { groups: Vec::new(), notes: Vec::new(), exit: Exit::Done };
    report.storage(&ledger)?;
    // Asked about only where a run seems to be alive: asking takes its lock for a moment, and cron may start it just then.
    let began = |task: &TaskName| ledger.unfinished_runs(task.as_str()).is_ok_and(|runs| !runs.is_empty());
    let mut running: Vec<TaskName> = TaskName::ALL.into_iter().filter(began).collect();
    running.retain(|task| is_running(&settings.ledger, *task));
    // A run that begins or ends while we look is alive as well.
    let is_alive = |name: &str| {
        let task = TaskName::ALL.into_iter().find(|task| task.as_str() == name);
        task.is_some_and(|task| running.contains(&task) || is_running(&settings.ledger, task))
    };
    report.rows(&ledger, Surroundings { now, valid_days: &|kind| valid_days(settings, kind), is_running: &is_alive });
    report.add("files", files::CHECKS.to_vec(), files::verify(settings, leftover));
    report.note_surroundings(settings, &ledger, &is_alive);
    if extent.provider || extent.erp {
        report.other_side(settings, extent, now, &ledger)?;
    }
    let written = if style.json { report.write_json(out) } else { report.write_text(style.is_talkative, out) };
    written.map_err(Failure::bug)?;
    Ok(report.exit)
}

/// As the task that sends operations of this kind has it; mails and portal events are sent by every task.
fn valid_days(settings: &Settings, kind: Kind) -> u32 {
    let of = |task| settings.tasks.get(&task).map_or(u32::MAX, |task| task.transaction_valid_days);
    match kind {
        Kind::Capture | Kind::Release => of(TaskName::Capture),
        Kind::Collect => of(TaskName::Collect),
        Kind::Refund => of(TaskName::Refunds),
        Kind::Journal | Kind::PayoutJournal => of(TaskName::SyncJournals),
        Kind::Cancel | Kind::Delete => of(TaskName::CleanupUnpaid),
        Kind::Mail | Kind::Event => TaskName::ALL.into_iter().map(of).max().unwrap_or(u32::MAX),
    }
}

impl Report {
    fn add(&mut self, name: &'static str, checks: Vec<&'static str>, findings: Vec<Finding>) {
        if !findings.is_empty() {
            self.exit = self.exit.or_worse(Exit::NeedsPerson);
        }
        self.groups.push(Group { name, checks, findings });
    }

    fn storage(&mut self, ledger: &Ledger) -> Result<()> {
        let findings = ledger.verify_storage().map_err(refused)?;
        if findings.iter().any(Ledger::is_damage) {
            self.exit = self.exit.or_worse(Exit::Ledger);
        }
        self.add("database", Ledger::STORAGE_CHECKS.to_vec(), findings);
        Ok(())
    }

    /// A database that breaks off is told beside what was found before.
    fn rows(&mut self, ledger: &Ledger, around: Surroundings<'_>) {
        let findings = ledger.verify(around).unwrap_or_else(|error| {
            self.exit = self.exit.or_worse(Exit::Ledger);
            let failure = refused(error);
            let message = format!("{}; {}", failure.line(), failure.hints.join("; "));
            vec![Finding { check: Ledger::STORAGE_CHECKS[0], subject: "ledger".to_owned(), message }]
        });
        self.add("ledger", Ledger::checks(), findings);
    }

    fn note_surroundings(&mut self, settings: &Settings, ledger: &Ledger, is_alive: &dyn Fn(&str) -> bool) {
        let folder = settings.ledger.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(kind) = network_filesystem(folder.unwrap_or(std::path::Path::new("."))) {
            let note = "which is allowed; let no other machine open it, SQLite's locks do not reach that far";
            self.notes.push(format!("the ledger is on a network file system ({kind}), {note}"));
        }
        for task in TaskName::ALL {
            // What cannot be read has been found already.
            for run in ledger.unfinished_runs(task.as_str()).unwrap_or_default() {
                if !is_alive(task.as_str()) {
                    let since = run.started_at.format("%Y-%m-%d %H:%M:%S UTC");
                    self.notes.push(format!(
                        "run {} of {task} died, started {since}; nothing is lost, the next `payjournal {task}` goes on from there",
                        run.id
                    ));
                }
            }
        }
    }

    fn other_side(&mut self, settings: &Settings, extent: Extent, now: DateTime<Utc>, ledger: &Ledger) -> Result<()> {
        let ports = Ports::open(settings, Purpose::Look, now).map_err(|error| Failure::new(Exit::Config, error))?;
        let task = |name| settings.tasks.get(&name);
        let since = |name| {
            let valid = task(name).map_or(u32::MAX, |task| task.transaction_valid_days);
            if extent.all { None } else { now.checked_sub_signed(days(valid)) }
        };
        let callers = |name| task(name).map_or(1, |task| usize::try_from(task.concurrency).unwrap_or(1));
        if extent.provider {
            let name = TaskName::SyncPayments;
            let compared = outside::against_provider(ledger, &ports, since(name), callers(name)).map_err(refused)?;
            self.compared("provider", &outside::PROVIDER_CHECKS, compared);
        }
        if extent.erp {
            let name = TaskName::SyncJournals;
            let compared = outside::against_erp(ledger, &ports, since(name), now, callers(name)).map_err(refused)?;
            self.compared("ERP", &outside::ERP_CHECKS, compared);
        }
        Ok(())
    }

    fn compared(&mut self, name: &'static str, checks: &[&'static str], compared: Compared) {
        if compared.is_unreachable {
            self.exit = self.exit.or_worse(Exit::Unreachable);
        }
        self.notes.extend(compared.notes);
        self.add(name, checks.to_vec(), compared.findings);
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.groups.iter().flat_map(|group| &group.findings)
    }

    fn write_text(&self, is_talkative: bool, out: &mut dyn Write) -> std::io::Result<()> {
        let rows: Vec<Vec<String>> = self
            .findings()
            .map(|finding| vec![finding.check.to_owned(), finding.subject.clone(), finding.message.clone()])
            .collect();
        if rows.is_empty() && !is_talkative {
            return Ok(());
        }
        if !rows.is_empty() {
            writeln!(out, "{}", table(&["check", "subject", "message"], rows))?;
            writeln!(out)?;
        }
        for group in &self.groups {
            writeln!(
                out,
                "{}: {}, {}",
                group.name,
                count(group.checks.len(), "check"),
                count(group.findings.len(), "finding")
            )?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let checks = self.groups.iter().flat_map(|group| group.checks.iter().map(move |name| (group, *name)));
        let document = json!({
            "schema": "payjournal/verify/1",
            "outcome": self.exit.outcome(),
            "exit_code": self.exit.code(),
            "ok": self.findings().next().is_none(),
            "checks": checks.map(|(group, name)| json!({
                "name": name,
                "group": group.name.to_lowercase(),
                "findings": group.findings.iter().filter(|finding| finding.check == name).count(),
            })).collect::<Vec<Value>>(),
            "findings": self.findings().map(|finding| json!({
                "check": finding.check,
                "subject": finding.subject,
                "message": finding.message,
            })).collect::<Vec<Value>>(),
            "notes": self.notes,
        });
        writeln!(out, "{document}")
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
