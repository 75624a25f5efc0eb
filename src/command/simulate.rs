//! `payjournal simulate`: shops that live some weeks in which everything goes wrong, and an auditor that looks every day.

use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::table::table;
use crate::cli::Simulate;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::run::signal::Signals;
use crate::run::watch::Verbosity;
use crate::simulate::{self, Plan, Report, Shape};

/// After so many seeds, whatever was never reached is a finding.
const ENOUGH: u64 = 10_000;

/// How to report.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub json: bool,
    /// A progress bar may be shown.
    pub on_terminal: bool,
    /// Quiet: nothing but a failure. Verbose: also what was never reached, after few seeds.
    pub verbosity: Verbosity,
}

pub fn run(args: &Simulate, style: Style, out: &mut dyn Write) -> Result<Exit> {
    let signals = Signals::install().context("signal handlers cannot be installed").map_err(Failure::bug)?;
    let plan = Plan {
        first_seed: args.seed,
        seeds: if args.seconds.is_some() && args.seeds.is_none() { u64::MAX } else { args.seeds.unwrap_or(1) },
        days: args.days,
        planned_days: args.planned_days.unwrap_or(args.days),
        orders: if args.only.is_empty() { (1..=args.orders).collect() } else { args.only.clone() },
        bills: args.bills,
        cleans: args.cleans,
        charges: args.charges,
        corrects: args.corrects,
        pages: args.pages,
        // While two runs of one shop hand over to each other, nobody computes: another shop does.
        threads: 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    let bar = progress(&plan, style.on_terminal && !style.json && style.verbosity != Verbosity::Quiet);
    let started = Instant::now();
    let limit = args.seconds.map(Duration::from_secs);
    let shown = Mutex::new(&bar);
    let report = simulate::simulate(&plan, &|seeds| {
        shown.lock().unwrap_or_else(PoisonError::into_inner).set_position(seeds);
        limit.is_none_or(|limit| started.elapsed() < limit) && !signals.is_set()
    })?;
    bar.finish_and_clear();
    let exit = exit(&report).or_worse(signals.exit().unwrap_or(Exit::Done));
    let told = if style.json {
        as_json(&plan, &report, exit, out)
    } else {
        as_text(&plan, &report, started.elapsed(), style, out)
    };
    told.context("the report cannot be written").map_err(Failure::bug)?;
    Ok(exit)
}

fn progress(plan: &Plan, visible: bool) -> ProgressBar {
    if !visible {
        return ProgressBar::hidden();
    }
    let bar = if plan.seeds == u64::MAX { ProgressBar::new_spinner() } else { ProgressBar::new(plan.seeds) };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn exit(report: &Report) -> Exit {
    if report.failure.is_some() {
        Exit::Bug
    } else if report.seeds >= ENOUGH && !report.coverage.never().is_empty() {
        Exit::NeedsPerson
    } else {
        Exit::Done
    }
}

/// The command that lives through a shape again.
fn again(shape: &Shape) -> String {
    let orders: Vec<String> = shape.orders.iter().map(ToString::to_string).collect();
    format!(
        "payjournal simulate --seed {} --days {} --planned-days {} --bills {} --charges {} --corrects {} --pages {} --cleans {} --only {}",
        shape.seed,
        shape.days,
        shape.planned_days,
        shape.bills,
        shape.charges,
        shape.corrects,
        shape.pages,
        shape.cleans,
        orders.join(",")
    )
}

fn as_json(plan: &Plan, report: &Report, exit: Exit, out: &mut dyn Write) -> std::io::Result<()> {
    let coverage = &report.coverage;
    let transitions: std::collections::BTreeMap<String, u64> =
        coverage.transitions.iter().map(|((from, to), count)| (format!("{from} -> {to}"), *count)).collect();
    let failure = report.failure.as_ref().map(|(shape, failure)| {
        let violations: Vec<_> = failure
            .violations
            .iter()
            .map(|violation| json!({"invariant": violation.invariant, "message": violation.says}))
            .collect();
        json!({
            "seed": shape.seed,
            "day": failure.day,
            "again": again(shape),
            "violations": violations,
            "explanation": failure.explanation,
        })
    });
    let document = json!({
        "schema": "payjournal/simulate/1",
        "outcome": exit.outcome(),
        "exit_code": exit.code(),
        "first_seed": plan.first_seed,
        "seeds": report.seeds,
        "days": plan.days,
        "orders": plan.orders.len(),
        "work": coverage.work,
        "faults": coverage.faults,
        "transitions": transitions,
        "exceptions": coverage.exceptions,
        "never": coverage.never(),
        "digest": report.digest,
        "failure": failure,
    });
    writeln!(out, "{document:#}")
}

fn as_text(plan: &Plan, report: &Report, took: Duration, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let is_verbose = matches!(style.verbosity, Verbosity::Verbose | Verbosity::Detailed);
    if style.verbosity != Verbosity::Quiet {
        write_coverage(report, is_verbose, out)?;
    }
    if let Some((shape, failure)) = &report.failure {
        writeln!(out, "FAILED: seed {}, on day {}", shape.seed, failure.day)?;
        writeln!(out, "{}", failure.explanation)?;
        writeln!(out, "again: {}", again(shape))?;
        return Ok(());
    }
    if style.verbosity == Verbosity::Quiet {
        return Ok(());
    }
    writeln!(
        out,
        "{} seeds from {} on, {} days with {} orders each, no violation, in {:.1?}",
        report.seeds,
        plan.first_seed,
        plan.days,
        plan.orders.len(),
        took
    )
}

/// What was reached; what never was says something after many seeds only.
fn write_coverage(report: &Report, is_verbose: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let coverage = &report.coverage;
    let row = |name: &str, count: &u64| vec![name.to_owned(), count.to_string()];
    let counted = |title: &str, rows: Vec<Vec<String>>| table(&[title, "times"], rows);
    let work = coverage.work.iter().map(|(name, count)| row(name, count)).collect();
    writeln!(out, "{}\n", counted("work", work))?;
    let faults = coverage.faults.iter().map(|(name, count)| row(name, count)).collect();
    writeln!(out, "{}\n", counted("fault", faults))?;
    let transitions =
        coverage.transitions.iter().map(|((from, to), count)| row(&format!("{from} -> {to}"), count)).collect();
    writeln!(out, "{}\n", counted("operation", transitions))?;
    let exceptions = coverage.exceptions.iter().map(|(name, count)| row(name, count)).collect();
    writeln!(out, "{}\n", counted("exception", exceptions))?;
    let never = coverage.never();
    if !never.is_empty() && (is_verbose || report.seeds >= ENOUGH) {
        writeln!(out, "never reached: {}\n", never.join(", "))?;
    }
    Ok(())
}
