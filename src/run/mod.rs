//! One run of a task: lock, run row, log, the engine, the mail queue, the report, the exit code.

mod batch;
mod call;
pub mod engine;
pub mod host;
mod intents;
mod lock;
pub mod log;
mod looking;
mod most;
mod opening;
mod pass;
mod patience;
mod planning;
pub mod ports;
mod record;
pub mod report;
mod sending;
pub mod signal;
pub mod summary;
mod switch;
mod tell;
pub mod watch;
pub mod workers;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};

use self::engine::{Level, Run, Watch, execute};
use self::host::Host;
pub use self::lock::Lock;
use self::log::Log;
pub use self::opening::{books, look_at_ledger, open_ledger, refused};
use self::ports::{Ports, Purpose};
use self::signal::Signals;
use self::summary::{MOST_EXCEPTIONS, RaisedException, Summary};
use self::watch::{Teller, Verbosity};
use crate::config::settings::{TaskName, TaskSettings};
use crate::config::{Loaded, Settings};
use crate::domain::id::RunId;
use crate::domain::letter;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::{Ledger, LedgerError};
use crate::provider::sandbox;
use crate::task::capture::{Capture, InvoicePayments};
use crate::task::cleanup_unpaid;
use crate::task::collect::Collect;
use crate::task::finalize_invoices::FinalizeInvoices;
use crate::task::mail_queue::MailQueue;
use crate::task::payout_journals::PayoutJournals;
use crate::task::portal_queue;
use crate::task::refunds::Refunds;
use crate::task::settlements;
use crate::task::sync_journals::SyncJournals;
use crate::task::sync_payments;

/// How many runs back an incident is looked for.
const LONGEST_INCIDENT: u32 = 2_000;

/// How one run was asked for.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the command line, read once")]
pub struct Options {
    pub dry_run: bool,
    /// Started by cron: `run_on_schedule` and the schedule decide whether there is anything to do.
    pub scheduled: bool,
    pub verbosity: Verbosity,
    pub on_terminal: bool,
    pub now: DateTime<Utc>,
    /// `now` was given by `--as-of`: time stands still during the run.
    pub as_of: bool,
}

/// A run that came to its end, whatever that was.
#[derive(Debug)]
pub struct Finished {
    pub task: TaskName,
    pub run: Option<RunId>,
    pub started: DateTime<Utc>,
    pub summary: Summary,
    pub exit: Exit,
    pub log: Option<PathBuf>,
    pub failure: Option<Failure>,
}

/// Runs one task from lock to exit code. `Err` only where nothing was started.
pub fn run_task(task: TaskName, config: &Loaded, options: Options, err: &mut dyn Write) -> Result<Finished> {
    let settings = &config.settings;
    let task_settings =
        settings.tasks.get(&task).ok_or_else(|| Failure::bug(anyhow::anyhow!("the settings lack task `{task}`")))?;
    let told = |failure| mail_without_ledger(task, settings, task_settings, options.now, failure);
    if options.scheduled && !is_due(task, settings, task_settings, options.now).map_err(told)? {
        return Ok(finished(task, options.now, Summary::default()));
    }
    switch::refuse_off(task, settings, options.dry_run)?;
    if options.dry_run {
        return dry_run(task, settings, task_settings, options, err);
    }
    let _lock = Lock::take(&settings.ledger, task.as_str(), options.now)?;
    let signals = Signals::install().context("signal handlers cannot be installed").map_err(Failure::bug)?;
    let mut ledger = open_ledger(settings, false, options.now).map_err(told)?;
    let mut started = Started::begin(task, config, task_settings, options, &mut ledger, err).map_err(told)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| started.work(&mut ledger, &signals)));
    Ok(started.end(&mut ledger, outcome, &signals))
}

/// Whether a scheduled start has anything to do: `run_on_schedule` (rule 26) and the schedule, which a manual start moves.
fn is_due(task: TaskName, settings: &Settings, task_settings: &TaskSettings, now: DateTime<Utc>) -> Result<bool> {
    if !task_settings.run_on_schedule {
        return Ok(false);
    }
    let ledger = open_ledger(settings, false, now)?;
    let last = ledger.last_run(task.as_str()).map_err(refused)?.map(|run| run.started_at);
    // cron starts a few seconds early or late: half a minute early still counts as due.
    Ok(task_settings.schedule.next(last, settings.time_zone, now) <= now + chrono::TimeDelta::seconds(30))
}

fn dry_run(
    task: TaskName,
    settings: &Settings,
    task_settings: &TaskSettings,
    options: Options,
    err: &mut dyn Write,
) -> Result<Finished> {
    let mut ledger = open_ledger(settings, false, options.now)?;
    let ports = Ports::open(settings, Purpose::Look, options.now).map_err(not_opened)?;
    let mut teller = Teller::new(None, err, options.verbosity, options.on_terminal, task.as_str());
    let time = || clock(options);
    let mut run = Run {
        ledger: &mut ledger,
        ports: &ports,
        settings,
        task: task_settings,
        task_name: task.as_str(),
        id: None,
        now: options.now,
        host: Host::process(&time, &|| false),
        watch: &mut teller,
        summary: Summary::default(),
    };
    execute_named(task, &mut run).map_err(refused)?;
    let summary = std::mem::take(&mut run.summary);
    teller.finish();
    let exit = if summary.bugs.is_empty() { Exit::Done } else { Exit::Bug };
    Ok(Finished { exit, ..finished(task, options.now, summary) })
}

/// All a run does between its first row and its report: the task, then the mails and portal events that are due.
pub(crate) fn perform(task: TaskName, run: &mut Run<'_>) -> Result<(), LedgerError> {
    execute_named(task, run)?;
    if run.ports.post.is_some() {
        execute(&MailQueue, run)?;
    }
    match &run.ports.portal {
        Some(portal) => portal_queue::tell(portal.as_ref(), run),
        None => Ok(()),
    }
}

fn execute_named(task: TaskName, run: &mut Run<'_>) -> Result<(), LedgerError> {
    match task {
        TaskName::SyncPayments => sync_payments::sync(run),
        TaskName::Capture => execute(&Capture, run).and_then(|()| execute(&InvoicePayments, run)),
        TaskName::Collect => execute(&Collect, run),
        TaskName::Refunds => execute(&Refunds, run),
        TaskName::SyncJournals => execute(&SyncJournals, run).and_then(|()| execute(&PayoutJournals, run)),
        TaskName::Settlements => settlements::settle(run),
        TaskName::FinalizeInvoices => execute(&FinalizeInvoices, run),
        TaskName::CleanupUnpaid => cleanup_unpaid::clean_up(run),
    }
}

fn finished(task: TaskName, started: DateTime<Utc>, summary: Summary) -> Finished {
    Finished { task, run: None, started, exit: summary.exit(), summary, log: None, failure: None }
}

/// A run that has its row and its log.
struct Started<'a> {
    task: TaskName,
    settings: &'a Settings,
    task_settings: &'a TaskSettings,
    options: Options,
    id: RunId,
    log: PathBuf,
    teller: Teller<'a>,
    summary: Summary,
}

impl<'a> Started<'a> {
    fn begin(
        task: TaskName,
        config: &'a Loaded,
        task_settings: &'a TaskSettings,
        options: Options,
        ledger: &mut Ledger,
        err: &'a mut dyn Write,
    ) -> Result<Self> {
        let settings = &config.settings;
        let now = options.now;
        let (id, dead) = open_run(task, ledger, now, clock(options)).map_err(refused)?;
        let log = Log::create(&settings.log_dir, task.as_str(), now, id).map_err(|error| {
            let what = format!("no log file can be written in `{}`", settings.log_dir.display());
            let failure = Failure::new(Exit::Config, anyhow::Error::new(error).context(what));
            let said = ledger.write("run end", Some(id), now, |writer| {
                writer.finish_run(id, Exit::Config.code(), Some(&failure.line()), 0, now)
            });
            drop(said);
            failure.hint("make the folder writable, or set another `log_dir`")
        })?;
        let path = log.path().to_owned();
        let mut teller = Teller::new(Some(log), err, options.verbosity, options.on_terminal, task.as_str());
        ledger
            .write("run log", Some(id), now, |writer| writer.set_run_log(id, &path.display().to_string()))
            .map_err(refused)?;
        teller.say(Level::Info, &format!("{task}: run {id}, as of {}", now.format("%Y-%m-%d %H:%M:%S UTC")));
        for setting in config.shown() {
            teller.say(Level::Record, &format!("setting {} = {} ({})", setting.key, setting.value, setting.source));
        }
        for line in dead {
            teller.say(Level::Warning, &line);
        }
        if settings.portal.is_none() && ledger.tells_portal().map_err(refused)? {
            ledger.write("portal off", Some(id), now, |writer| writer.tell_portal(false)).map_err(refused)?;
            teller.say(
                Level::Warning,
                "[portal] is not in the config any more: what happens from now on is told to nobody",
            );
        }
        Ok(Self { task, settings, task_settings, options, id, log: path, teller, summary: Summary::default() })
    }

    fn work(&mut self, ledger: &mut Ledger, signals: &Signals) -> Result<()> {
        let now = self.options.now;
        let ports = Ports::open(self.settings, Purpose::Act, now).map_err(not_opened)?;
        let options = self.options;
        let time = || clock(options);
        let stop = || signals.is_set();
        let mut run = Run {
            ledger,
            ports: &ports,
            settings: self.settings,
            task: self.task_settings,
            task_name: self.task.as_str(),
            id: Some(self.id),
            now,
            host: Host::process(&time, &stop),
            watch: &mut self.teller,
            summary: Summary::default(),
        };
        let worked = perform(self.task, &mut run);
        self.summary = run.summary;
        worked.map_err(refused)?;
        Ok(())
    }

    /// Writes down how the run ended: in the log, in the ledger, and in a mail where the settings want one.
    fn end(mut self, ledger: &mut Ledger, outcome: std::thread::Result<Result<()>>, signals: &Signals) -> Finished {
        let mut failure = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                let text = text.unwrap_or_else(|| "no message".to_owned());
                Some(
                    Failure::bug(anyhow::anyhow!("payjournal panicked: {text}")).hint("please report it, with the log"),
                )
            }
        };
        if let Ok((raised, left_out)) = ledger.exceptions_of_run(self.id, MOST_EXCEPTIONS) {
            self.summary.exceptions_left_out = left_out;
            self.summary.new_exceptions = raised
                .into_iter()
                .map(|exception| RaisedException {
                    id: Some(exception.id),
                    kind: exception.kind.as_str(),
                    subject: exception.subject,
                    message: exception.message,
                })
                .collect();
        }
        let mut exit = self.summary.exit();
        if let Some(failure) = &failure {
            exit = exit.or_worse(failure.exit);
            self.teller.say(Level::Error, &failure.line());
        }
        if let Some(signal) = signals.exit() {
            exit = exit.or_worse(signal);
            self.teller.say(Level::Warning, "stopped by a signal; the next run goes on from here");
        }
        self.teller.say(Level::Info, &format!("{}: {} ({})", self.task, self.summary.done_line(), exit.meaning()));
        self.say_failed(ledger, exit, failure.as_ref());
        if let Err(error) = log::prune(&self.settings.log_dir, self.task.as_str(), self.task_settings.max_archived_logs)
        {
            self.teller.say(Level::Warning, &format!("old logs cannot be pruned: {error}"));
        }
        let error = failure.as_ref().map(Failure::line);
        let (id, now, calls) = (self.id, self.options.now, self.summary.calls);
        let closed = ledger
            .write("run end", Some(id), now, |writer| writer.finish_run(id, exit.code(), error.as_deref(), calls, now));
        if let Err(error) = closed {
            self.teller.say(Level::Error, &error.to_string());
            exit = exit.or_worse(Exit::Ledger);
            failure.get_or_insert(refused(error));
        }
        let verbosity = self.teller.verbosity;
        if let Some(error) = self.teller.log.take().and_then(Log::finish)
            && verbosity >= Verbosity::Quiet
        {
            drop(writeln!(self.teller.err, "warning: the log `{}` is incomplete: {error}", self.log.display()));
        }
        self.teller.finish();
        Finished {
            task: self.task,
            run: Some(self.id),
            started: now,
            summary: self.summary,
            exit,
            log: Some(self.log),
            failure,
        }
    }

    /// Queues and delivers the "task failed" mail (rule 26). It may fail itself: then the log says so, and the first error
    /// and the exit code stay (trap T72).
    fn say_failed(&mut self, ledger: &mut Ledger, exit: Exit, failure: Option<&Failure>) {
        let line = failure.map_or_else(|| self.summary.bugs.join("; "), Failure::line);
        let due = match exit {
            Exit::Config | Exit::Ledger | Exit::Bug => self.task_settings.mail_on_failure,
            Exit::Unreachable => self.task_settings.mail_on_failure && self.is_nth_unreachable(ledger),
            Exit::Done | Exit::NeedsPerson | Exit::Usage | Exit::Locked | Exit::Interrupted | Exit::Terminated => false,
        };
        if !due {
            return;
        }
        let line = if line.is_empty() { self.summary.first_unreachable.clone().unwrap_or_default() } else { line };
        let letter = letter::task_failed(&self.settings.shop, self.task.as_str(), self.options.now, self.id, &line);
        if let Err(error) = self.mail(ledger, &letter) {
            self.teller.say(Level::Error, &format!("the mail \"{}\" could not be sent: {error}", letter.subject));
        }
    }

    fn mail(&mut self, ledger: &mut Ledger, letter: &letter::Letter) -> Result<(), LedgerError> {
        let now = self.options.now;
        ledger.write("letter", Some(self.id), now, |writer| writer.queue_letter(letter))?;
        let Ok(ports) = Ports::open_post_only(self.settings, now) else { return Ok(()) };
        if ports.post.is_none() {
            return Ok(());
        }
        let options = self.options;
        let time = || clock(options);
        let mut run = Run {
            ledger,
            ports: &ports,
            settings: self.settings,
            task: self.task_settings,
            task_name: self.task.as_str(),
            id: Some(self.id),
            now,
            host: Host::process(&time, &|| false),
            watch: &mut self.teller,
            summary: Summary::default(),
        };
        execute(&MailQueue, &mut run)
    }

    /// Exactly the configured number of runs in a row ended unreachable, this one included: one mail per incident. A run that
    /// was stopped, or that found nothing to try yet, neither ends an incident nor counts.
    fn is_nth_unreachable(&self, ledger: &Ledger) -> bool {
        let Ok(earlier) = ledger.finished_runs(self.task.as_str(), LONGEST_INCIDENT) else { return false };
        let unreachable = Some(i64::from(Exit::Unreachable.code()));
        let told = |run: &&crate::ledger::Run| run.exit_code == unreachable || run.calls > 0;
        let row = earlier.iter().filter(told).take_while(|run| run.exit_code == unreachable).count();
        u32::try_from(row) == Ok(self.task_settings.mail_after_failed_runs.saturating_sub(1))
    }
}

/// Opens the run's row, and finds the runs of this task that died: whoever holds the lock knows that they are dead. `time` is
/// what the clock says now.
pub(crate) fn open_run(
    task: TaskName,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    time: DateTime<Utc>,
) -> Result<(RunId, Vec<String>), LedgerError> {
    let dead = ledger.unfinished_runs(task.as_str())?;
    ledger.write("run start", None, now, |writer| {
        let unanswered = writer.recover_operations(task.as_str(), time)?.len();
        let mut said = Vec::new();
        for run in &dead {
            writer.abandon_run(run.id)?;
            let started = run.started_at.format("%Y-%m-%d %H:%M:%S UTC");
            said.push(format!("run {} of {started} (process {}) died", run.id, run.pid));
        }
        if unanswered > 0 {
            said.push(format!("{unanswered} calls of earlier runs have no answer and are asked about first"));
        }
        Ok((writer.start_run(task.as_str(), std::process::id())?, said))
    })
}

/// The ledger cannot be used, so the mail that says so cannot be queued: it is delivered directly, once per start.
fn mail_without_ledger(
    task: TaskName,
    settings: &Settings,
    task_settings: &TaskSettings,
    now: DateTime<Utc>,
    failure: Failure,
) -> Failure {
    use crate::operation::request::{MailRequest, Request};
    use crate::operation::{Answer, Key, Kind};
    if !task_settings.mail_on_failure {
        return failure;
    }
    let letter = letter::task_failed(&settings.shop, task.as_str(), now, RunId(0), &failure.line());
    let request = Request::Mail(MailRequest {
        key: Key::of_text(Kind::Mail, &letter.event, 1),
        recipient: letter.recipient,
        address: None,
        subject: letter.subject,
        body: letter.body,
        written_at: now,
        invoice: None,
    });
    let Ok(ports) = Ports::open_post_only(settings, now) else { return failure };
    if ports.post.is_none() {
        return failure;
    }
    match ports.send(&request) {
        Answer::Confirmed { .. } | Answer::Accepted { .. } => failure,
        Answer::Refused(refusal) => failure.hint(format!("the mail about it could not be sent: {}", refusal.message)),
        Answer::NotDone { why, .. } | Answer::Unknown { why } => {
            failure.hint(format!("the mail about it could not be sent: {why}"))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "when a call leaves is not when its run began")]
fn clock(options: Options) -> DateTime<Utc> {
    if options.as_of { options.now } else { Utc::now() }
}

/// An adapter that cannot be opened is a matter of the config, unless its disk is full or fails.
fn not_opened(error: anyhow::Error) -> Failure {
    let disk = sandbox::is_disk_trouble(&error);
    if disk {
        Failure::new(Exit::Unreachable, error)
            .hint("make room on its disk and run the same command again; nothing is lost")
    } else {
        Failure::new(Exit::Config, error)
    }
}

/// Whether a run of `task` is alive now.
pub fn is_running(ledger: &Path, task: TaskName) -> bool {
    Lock::is_held(ledger, task.as_str())
}
