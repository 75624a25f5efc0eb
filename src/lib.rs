//! payjournal: takes authorised money when the ERP has posted the invoice, and posts a payment journal into the ERP for
//! every movement of money. Never twice, never lost.
//!
//! How one run flows, and where to read it:
//!
//! 1. [`cli`] is what was typed, [`config`] what is configured; both end as one [`config::Settings`].
//! 2. [`mod@run`] takes the task's lock, opens the [`ledger`], writes a run row and a log, and hands over to [`run::engine`].
//! 3. The engine asks about what an earlier run left unanswered, observes, and lets the [`task`] plan: a pure function of one
//!    case, the settings and `now`, in the language of [`domain`].
//! 4. What the plan wants outside is an [`operation`]: its intent is committed before a worker sends it through the port to
//!    the [`provider`], the [`erp`], the [`mail`] transport or the [`portal`].
//! 5. The answer and everything that follows from it are committed together; [`run::report`] shows what happened, and
//!    [`exit`] says it to scripts.
//!
//! What an invoice's mail carries is rendered by [`invoice`]: a pure function of what stands on it.

pub mod cli;
pub mod command;
pub mod config;
pub mod domain;
pub mod erp;
pub mod exchange;
pub mod exit;
pub mod failure;
pub mod invoice;
pub mod kill_switch;
pub mod ledger;
pub mod mail;
pub mod operation;
pub mod portal;
pub mod provider;
pub mod report_format;
pub mod run;
pub mod simulate;
pub mod task;

use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Context;
use chrono::{DateTime, SubsecRound, Utc};
use clap::{CommandFactory, Parser};
use serde_json::json;

use cli::{Cli, Command, Global, LineName, ListCommand, SandboxCommand, TaskArgs, VerifyArgs};
use command::checkout::{Source, invite};
use command::export::Wanted;
use command::output::Replaced;
use command::refund_balance::Wish;
use config::Loaded;
use config::settings::{ErpKind, ProviderKind, TaskName};
use exit::Exit;
use failure::{Failure, Result};
use run::watch::Verbosity;

/// The whole program: arguments and standard streams in, exit code out.
pub fn run<I, T>(args: I, input: &mut dyn Read, out: &mut dyn Write, err: &mut dyn Write) -> Exit
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error, &args, out, err),
    };
    // A portal reads the answer whatever it is.
    let json = cli.global.json || matches!(cli.command, Command::Checkout { .. });
    let schema = schema(&cli.command);
    let done = catch_unwind(AssertUnwindSafe(|| dispatch(cli, input, out, err)));
    let failure = match done {
        Ok(Ok(exit)) => return exit,
        Ok(Err(failure)) if is_broken_pipe(&failure) => return Exit::Done,
        Ok(Err(failure)) => failure,
        // The panic's own message is on stderr already.
        Err(_) => Failure::bug(anyhow::anyhow!("payjournal panicked")).hint("please report it, with what stderr says"),
    };
    tell(&failure, schema, json, out, err);
    failure.exit
}

fn tell(failure: &Failure, schema: &str, json: bool, out: &mut dyn Write, err: &mut dyn Write) {
    // A failure that cannot be told is still in the exit code.
    if json {
        let document = json!({
            "schema": schema,
            "outcome": failure.exit.outcome(),
            "exit_code": failure.exit.code(),
            "error": failure.json(),
        });
        drop(writeln!(out, "{document:#}"));
    }
    drop(failure.render(err));
}

/// Help and version are answers; everything else is a wrong command line.
fn unparsed(error: &clap::Error, args: &[OsString], out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    if !error.use_stderr() {
        drop(write!(out, "{}", error.render()));
        return Exit::Done;
    }
    if args.iter().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let failure = Failure::usage(text.lines().next().unwrap_or_default().trim_start_matches("error: "));
        let document = json!({
            "schema": "payjournal/run/1",
            "outcome": failure.exit.outcome(),
            "exit_code": failure.exit.code(),
            "error": failure.json(),
        });
        drop(writeln!(out, "{document:#}"));
    }
    drop(write!(err, "{}", error.render()));
    Exit::Usage
}

fn is_broken_pipe(failure: &Failure) -> bool {
    failure
        .error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
}

fn schema(command: &Command) -> &'static str {
    match command {
        Command::SyncPayments(_)
        | Command::Capture(_)
        | Command::Refunds(_)
        | Command::SyncJournals(_)
        | Command::Settlements(_)
        | Command::FinalizeInvoices(_)
        | Command::Collect(_)
        | Command::CleanupUnpaid(_) => "payjournal/run/1",
        Command::Demo { .. } => "payjournal/demo/1",
        Command::Init { .. } => "payjournal/init/1",
        Command::Check { .. } => "payjournal/check/1",
        Command::Import(_) => "payjournal/import/1",
        Command::Checkout { .. } | Command::Invite(_) => "payjournal/checkout/1",
        Command::Status => "payjournal/status/1",
        Command::Show { .. } => "payjournal/show/1",
        Command::Verify(_) => "payjournal/verify/1",
        Command::Export { .. } => "payjournal/export/1",
        Command::List(_) => "payjournal/list/1",
        Command::Leftovers { .. } => "payjournal/leftovers/1",
        Command::Invoice { .. } => "payjournal/invoice/1",
        Command::Explain { .. } => "payjournal/explain/1",
        Command::CancelInvoice { .. } => "payjournal/cancel-invoice/1",
        Command::RefundBalance(_) => "payjournal/refund-balance/1",
        Command::CreditNote(_) => "payjournal/credit-note/1",
        Command::Match { .. } => "payjournal/match/1",
        Command::Unmatch { .. } => "payjournal/unmatch/1",
        Command::Retry { .. } => "payjournal/retry/1",
        Command::Restore { .. } => "payjournal/restore/1",
        Command::Resolve { .. } => "payjournal/resolve/1",
        Command::Sandbox(_) => "payjournal/sandbox/1",
        Command::Simulate(_) => "payjournal/simulate/1",
        Command::Completions { .. } => "payjournal/completions/1",
        Command::Man => "payjournal/man/1",
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock for a command")]
fn clock() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0)
}

fn dispatch(cli: Cli, input: &mut dyn Read, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit> {
    let Cli { global, command } = cli;
    let now = global.as_of.map_or_else(clock, |as_of| as_of.trunc_subsecs(0));
    let json = global.json;
    match command {
        Command::SyncPayments(args) => task(TaskName::SyncPayments, &args, &global, now, out, err),
        Command::Capture(args) => task(TaskName::Capture, &args, &global, now, out, err),
        Command::Refunds(args) => task(TaskName::Refunds, &args, &global, now, out, err),
        Command::SyncJournals(args) => task(TaskName::SyncJournals, &args, &global, now, out, err),
        Command::Settlements(args) => task(TaskName::Settlements, &args, &global, now, out, err),
        Command::FinalizeInvoices(args) => task(TaskName::FinalizeInvoices, &args, &global, now, out, err),
        Command::Collect(args) => task(TaskName::Collect, &args, &global, now, out, err),
        Command::CleanupUnpaid(args) => task(TaskName::CleanupUnpaid, &args, &global, now, out, err),
        Command::Demo { folder } => command::demo::run(&folder, json, now, out, err),
        Command::Init { path } => command::init::run(&path, out),
        Command::Check { show } => command::check::run(&locate(&global)?, show, json, out),
        Command::Import(args) => import(args, &global, now, input, out, err),
        Command::Checkout { file, order, mail } => {
            checkout(order.as_deref().map_or(Source::File(&file), Source::Order), mail, &global, now, input, out)
        }
        Command::Invite(args) => invite(&args, &global, now, out),
        Command::Status => {
            let config = load(&global)?;
            let ledger = run::open_ledger(&config.settings, false, now)?;
            command::status::run(&config.settings, &ledger, now, json, out)
        }
        Command::Show { what, id } => {
            let config = load(&global)?;
            let ledger = run::open_ledger(&config.settings, false, now)?;
            command::show::run(what, &id, &ledger, json, out)
        }
        Command::Verify(args) => verify(&args, &global, now, out),
        Command::Export { format, month, new, again, output } => {
            let settings = load(&global)?.settings;
            let (month, output) = (month.as_deref(), output.as_deref());
            command::export::run(Wanted { format, month, is_new: new, again, output }, &settings, now, out, err)
        }
        Command::Retry { operation } => command::person::retry(operation, &load(&global)?.settings, json, now, out),
        Command::List(what) => list(what, &global, now, out),
        Command::Explain { line } => command::explain::run(line, &load(&global)?.settings, json, out),
        Command::Invoice { number, xml, output } => {
            command::invoice::run(&number, xml, output.as_deref(), &load(&global)?.settings, out)
        }
        Command::CancelInvoice { number, reason } => {
            command::cancel_invoice::run(&number, &reason, &load(&global)?.settings, json, now, out)
        }
        Command::CreditNote(args) => credit_note(&args, &global, now, out),
        Command::RefundBalance(args) => refund_balance(&args, &global, now, out),
        Command::Leftovers { older_than } => {
            command::leftovers::run(older_than, &load(&global)?.settings, json, now, out)
        }
        Command::Match { line, order, reason } => matched(line, Some(&order), &reason, &global, now, out),
        Command::Unmatch { line, reason } => matched(line, None, &reason, &global, now, out),
        Command::Restore { order, reason } => {
            command::restore::run(&order, &reason, &load(&global)?.settings, json, now, out)
        }
        Command::Resolve { exception } => command::person::resolve(exception, &load(&global)?.settings, json, now, out),
        Command::Sandbox(what) => sandbox(&what, &global, now, out, err),
        Command::Simulate(args) => simulate(&args, &global, out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "payjournal", &mut script);
            print(&script, "the completion script", out)
        }
        Command::Man => print(&command::man::page()?, "the man page", out),
    }
}

fn checkout(
    source: Source<'_>,
    is_mailed: bool,
    global: &Global,
    now: DateTime<Utc>,
    input: &mut dyn Read,
    out: &mut dyn Write,
) -> Result<Exit> {
    command::checkout::run(source, is_mailed, &load(global)?.settings, now, input, out)
}

fn invite(args: &cli::Invite, global: &Global, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let cli::Invite { entries, provider, again } = args;
    let wish = invite::Wish { entries, provider: provider.as_deref(), is_again: *again };
    invite::run(wish, &load(global)?.settings, global.json, now, out)
}

fn credit_note(args: &cli::CreditNote, global: &Global, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let settings = load(global)?.settings;
    if let Some(note) = &args.clear {
        return command::credit_note::clear(note, &settings, global.json, now, out);
    }
    let (number, reason) = (args.number.as_deref().unwrap_or_default(), args.reason.as_deref().unwrap_or_default());
    command::credit_note::run(number, &args.lines, reason, &settings, global.json, now, out)
}

fn refund_balance(args: &cli::RefundBalance, global: &Global, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let settings = load(global)?.settings;
    if let Some(request) = &args.withdraw {
        return command::refund_balance::withdraw(request, &settings, global.json, now, out);
    }
    let (payment, reason) = (args.payment.as_deref().unwrap_or_default(), args.reason.as_deref().unwrap_or_default());
    let wish = Wish { payment, amount: args.amount.as_deref(), reason };
    command::refund_balance::ask(wish, &settings, global.json, now, out)
}

fn import(
    args: cli::Import,
    global: &Global,
    now: DateTime<Utc>,
    input: &mut dyn Read,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit> {
    if args.describe {
        return command::import::describe(args.what, out);
    }
    let config = load(global)?;
    let args = command::import::ImportArgs {
        what: args.what,
        file: args.file.unwrap_or_else(|| "-".into()),
        rejects: args.rejects.map(|path| Replaced::named(&path, &config.settings.config_path)).transpose()?,
        format: args.format,
        json: global.json,
        print_summary: is_talkative(global),
    };
    // A name that was mistyped, maybe in the wrong folder, makes no ledger there.
    command::import::can_be_read(&args)?;
    let mut ledger = run::open_ledger(&config.settings, true, now)?;
    let defaults = command::import::ImportDefaults::of(&config.settings);
    command::import::run(&args, &defaults, &mut ledger, now, input, out, err)
}

fn sandbox(
    what: &SandboxCommand,
    global: &Global,
    now: DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit> {
    let settings = load(global)?.settings;
    match what {
        SandboxCommand::Authorise { file } => command::sandbox::authorise(file, &settings, global.json, now, out, err),
        SandboxCommand::Record => command::sandbox::record(&settings, global.json, now, out),
        SandboxCommand::Payout { reports } => {
            command::sandbox::payout(reports.as_deref(), &settings, global.json, now, out)
        }
        SandboxCommand::Pay { link, fail } => command::sandbox::pay(link, *fail, &settings, global.json, now, out),
        SandboxCommand::Revoke { mandate } => command::sandbox::revoke(mandate, &settings, global.json, now, out),
        SandboxCommand::Dispute { transaction, won } => {
            command::sandbox::dispute(transaction, *won, &settings, global.json, now, out)
        }
    }
}

fn list(what: ListCommand, global: &Global, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let settings = load(global)?.settings;
    match what {
        ListCommand::Payouts(args) => command::payouts::list_payouts(&args, &settings, global.json, out),
        ListCommand::Lines(args) => command::payouts::list_lines(&args, &settings, global.json, out),
        ListCommand::Mandates => command::mandates::list(&settings, global.json, now, out),
        ListCommand::Orders(args) => command::payouts::list_orders(&args, &settings, global.json, now, out),
    }
}

fn matched(
    line: LineName,
    order: Option<&str>,
    reason: &str,
    global: &Global,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    let settings = load(global)?.settings;
    command::matching::run(line, order, reason, &settings, global.json, now, out)
}

fn print(text: &[u8], what: &str, out: &mut dyn Write) -> Result<Exit> {
    out.write_all(text).with_context(|| format!("{what} cannot be written")).map_err(Failure::bug)?;
    Ok(Exit::Done)
}

fn verify(args: &VerifyArgs, global: &Global, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let config = load(global)?;
    let extent = command::verify::Extent { provider: args.against_provider, erp: args.against_erp, all: args.all };
    let style = command::verify::Style { json: global.json, is_talkative: is_talkative(global) };
    command::verify::run(&config.settings, extent, now, style, out)
}

fn simulate(args: &cli::Simulate, global: &Global, out: &mut dyn Write) -> Result<Exit> {
    let on_terminal = std::io::stderr().is_terminal();
    let style = command::simulate::Style { json: global.json, on_terminal, verbosity: verbosity(global) };
    command::simulate::run(args, style, out)
}

fn task(
    task: TaskName,
    args: &TaskArgs,
    global: &Global,
    now: DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit> {
    let config = load(global)?;
    if global.as_of.is_some() && !args.dry_run {
        only_embedded(&config)?;
    }
    let options = run::Options {
        dry_run: args.dry_run,
        scheduled: args.scheduled,
        verbosity: verbosity(global),
        on_terminal: std::io::stderr().is_terminal(),
        now,
        as_of: global.as_of.is_some(),
    };
    let finished = run::run_task(task, &config, options, err)?;
    let style = run::report::Style {
        json: global.json,
        dry_run: args.dry_run,
        on_terminal: std::io::stdout().is_terminal(),
        verbosity: options.verbosity,
    };
    // The work is done and recorded, whoever can read about it: a report that cannot be written changes nothing of that.
    if let Err(error) = run::report::show(&finished, style, out, err)
        && error.kind() != ErrorKind::BrokenPipe
    {
        drop(writeln!(err, "warning: the report cannot be written: {error}"));
    }
    Ok(finished.exit)
}

/// Another `now` is for rehearsals: real systems have clocks of their own (rule 8).
fn only_embedded(config: &Loaded) -> Result<()> {
    let settings = &config.settings;
    let embedded = settings.providers.values().all(|provider| match provider.kind {
        ProviderKind::Sandbox(_) | ProviderKind::Reports => true,
    }) && match settings.erp.kind {
        ErpKind::Local => true,
    };
    if embedded {
        Ok(())
    } else {
        Err(Failure::config("--as-of without --dry-run works with the embedded provider and ERP only"))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment for the config")]
fn locate(global: &Global) -> Result<std::path::PathBuf> {
    let cwd = std::env::current_dir().context("the current folder cannot be read").map_err(Failure::bug)?;
    config::locate(global.config.as_deref(), &|name| std::env::var_os(name), &cwd)
}

fn load(global: &Global) -> Result<Loaded> {
    let mut config = config::load(&locate(global)?)?;
    config.settings.allow_network_filesystem |= global.allow_network_filesystem;
    Ok(config)
}

fn verbosity(global: &Global) -> Verbosity {
    match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::Detailed,
    }
}

/// Off a terminal a clean command prints nothing, so that cron's mail means something.
fn is_talkative(global: &Global) -> bool {
    match verbosity(global) {
        Verbosity::Quiet => false,
        Verbosity::Normal => std::io::stdout().is_terminal(),
        Verbosity::Verbose | Verbosity::Detailed => true,
    }
}
