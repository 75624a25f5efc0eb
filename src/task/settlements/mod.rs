//! `settlements`: takes over what the PSPs report to have paid out, finds the order of every line, and proves every payout
//! (rules 19–21, domain section 2).
//!
//! Lines come in bulk, a file or a payout at a time, so this is no task of cases like the others: `folder` finds the files and
//! `reading` makes lines of one, `fetching` asks the PSPs that can be asked, the ledger stores and matches them in one transaction,
//! and `proving` says of each payout what a person must know.

mod chargebacks;
mod fetching;
mod folder;
mod learning;
mod proving;
mod reading;
mod report;

use crate::config::Settings;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::ledger::settlements::{Inlet, Mark, NewReport, SettledAccount, Taken, Takeover};
use crate::ledger::{LedgerError, Writer};
use crate::run::engine::{Level, Run};
use crate::run::summary::{MOST_EXCEPTIONS, RaisedException};

use folder::{Candidate, Source};
use reading::{Refusal, Told};
pub use report::{FileOutcome, FileReport, Origin, Settled};

/// Lines of one file that are told one by one.
const MOST_TOLD: usize = 100;

/// The whole run, below lock and log. A dry run is one of which nothing stays.
pub fn settle(run: &mut Run<'_>) -> Result<(), LedgerError> {
    if run.id.is_some() {
        return settle_all(run);
    }
    let mark = run.ledger.begin_rehearsal()?;
    let done = rehearse(run, mark);
    run.id = None;
    run.ledger.end_rehearsal()?;
    done
}

fn rehearse(run: &mut Run<'_>, mark: Mark) -> Result<(), LedgerError> {
    let task = run.task_name;
    let id = run.ledger.write("rehearsal", None, run.now, |writer| writer.start_run(task, std::process::id()))?;
    run.id = Some(id);
    settle_all(run)?;
    let (told, left_out) = run.ledger.exceptions_of_run(id, MOST_EXCEPTIONS)?;
    run.summary.exceptions_left_out = left_out;
    let told = told.into_iter().map(|exception| RaisedException {
        id: None,
        kind: exception.kind.as_str(),
        subject: exception.subject,
        message: exception.message,
    });
    run.summary.new_exceptions = told.collect();
    for row in &mut run.summary.rows {
        "planned".clone_into(&mut row.outcome);
    }
    let rehearsed = run.ledger.rehearsed(mark)?;
    if let Some(settled) = &mut run.summary.settled {
        settled.rehearsed = Some(rehearsed);
    }
    Ok(())
}

fn settle_all(run: &mut Run<'_>) -> Result<(), LedgerError> {
    let mut settled = Settled::default();
    run.ledger.forget_touched();
    welcome(run)?;
    for source in folder::sources(run.settings) {
        let (candidates, others) = match source.files() {
            Ok(found) => found,
            Err(why) => {
                run.summary.count_unreachable(None, &why);
                run.watch.say(Level::Error, &why);
                continue;
            }
        };
        for other in others {
            run.watch.say(Level::Info, &format!("not read: {other}"));
        }
        for candidate in candidates {
            if (run.host.stop)() {
                break;
            }
            let report = take(run, &source, &candidate)?;
            run.watch.say(report.level(), &report.line());
            settled.files.push(report);
        }
    }
    fetching::fetch(run, &mut settled)?;
    rematch(run, &mut settled)?;
    learning::learn(run)?;
    tell_deleted(run)?;
    proving::prove(run, &mut settled)?;
    run.summary.stopped = (run.host.stop)();
    run.summary.cases = u64::try_from(settled.files.len()).unwrap_or(u64::MAX);
    run.summary.settled = Some(settled);
    Ok(())
}

fn take(run: &mut Run<'_>, source: &Source, candidate: &Candidate) -> Result<FileReport, LedgerError> {
    let report = |digest: &str, outcome| FileReport {
        origin: Origin::File(candidate.path.clone()),
        digest: digest.to_owned(),
        outcome,
    };
    let digest = match candidate.digest() {
        Ok(digest) => digest,
        Err(why) => {
            refuse(run, &Origin::File(candidate.path.clone()), &why)?;
            return Ok(report("", FileOutcome::Refused { why }));
        }
    };
    let before = run.ledger.report_read(&digest)?;
    if let Some(before) = before.filter(|before| before.strangers == 0) {
        return Ok(report(&digest, FileOutcome::Known { name: before.name }));
    }
    let opened = match reading::open(candidate, source, run.settings, run.now) {
        Ok(opened) => opened,
        Err(why) => {
            refuse(run, &Origin::File(candidate.path.clone()), &why)?;
            return Ok(report(&digest, FileOutcome::Refused { why }));
        }
    };
    let new = NewReport {
        name: candidate.name.clone(),
        digest: digest.clone(),
        bytes: candidate.bytes,
        format: opened.format.to_owned(),
        account: source.only_account(),
        is_one_payout: source.is_one_payout(),
    };
    let format = opened.format;
    let taken = take_over(run, source, &new, |inlet| opened.read(candidate, inlet), |_| Ok(()))?;
    let outcome = match taken {
        Ok((taken, told)) => FileOutcome::Taken { format, taken, refused_lines: told.refused },
        Err(refusal @ (Refusal::Changing | Refusal::Stopped)) => FileOutcome::Waits { why: refusal.to_string() },
        Err(refusal @ (Refusal::File(_) | Refusal::Ledger(_))) => {
            let why = refusal.to_string();
            refuse(run, &Origin::File(candidate.path.clone()), &why)?;
            FileOutcome::Refused { why }
        }
    };
    if !matches!(outcome, FileOutcome::Refused { .. }) {
        resolve_refused(run, &Origin::File(candidate.path.clone()))?;
    }
    Ok(report(&digest, outcome))
}

/// Stores a report's lines in one transaction, with what a person must know of them and whatever `conclude` adds.
fn take_over(
    run: &mut Run<'_>,
    source: &Source,
    new: &NewReport,
    read: impl FnOnce(&Inlet<'_>) -> Result<Told, Refusal> + Send,
    conclude: impl FnOnce(&Writer<'_>) -> Result<(), LedgerError>,
) -> Result<Result<(Taken, Told), Refusal>, LedgerError> {
    let accounts = accounts(run.settings, source);
    let takeover = Takeover { report: new, accounts: &accounts, shop: &run.settings.shop, run: run.id, now: run.now };
    let task = run.task_name;
    let (host, watch) = (run.host, &mut *run.watch);
    let taken = run.ledger.take_report(
        takeover,
        read,
        |writer, taken, told| {
            raise_lines(writer, &new.name, &new.digest, taken, told, task)?;
            conclude(writer)
        },
        &mut |lines| {
            watch.progress(lines);
            !(host.stop)()
        },
    );
    // What the ledger cannot take of one report does not keep the others out; a database that fails does.
    match taken {
        Err(error) if !error.is_fatal() && (run.host.stop)() => Ok(Err(Refusal::Stopped)),
        Err(error) if !error.is_fatal() => Ok(Err(Refusal::Ledger(error.to_string()))),
        taken => taken,
    }
}

/// All merchant accounts: those of the folder's own providers first, as two PSPs may have accounts of one name.
fn accounts(settings: &Settings, source: &Source) -> Vec<SettledAccount> {
    let (own, others): (Vec<_>, Vec<_>) =
        settings.providers.values().partition(|provider| source.providers.contains(&provider.name));
    own.into_iter()
        .chain(others)
        .map(|provider| SettledAccount {
            provider: provider.name.clone(),
            merchant_account: provider.merchant_account.clone(),
            reference: provider.reports.as_ref().and_then(|reports| reports.order_in_reference.clone()),
        })
        .collect()
}

fn refuse(run: &mut Run<'_>, origin: &Origin, why: &str) -> Result<(), LedgerError> {
    let draft = ExceptionDraft {
        kind: ExceptionKind::ReportRefused,
        subject: format!("report {origin}"),
        message: format!("nothing of the report {origin} was taken over: {why}"),
        about: About::default(),
    };
    let task = run.task_name;
    run.ledger.write("report refused", run.id, run.now, |writer| writer.raise(&draft, Some(task)))?;
    Ok(())
}

/// What was told of a report before it could be read.
fn resolve_refused(run: &mut Run<'_>, origin: &Origin) -> Result<(), LedgerError> {
    let subject = format!("report {origin}");
    run.ledger
        .write("report read", run.id, run.now, |writer| writer.resolve_subject(ExceptionKind::ReportRefused, &subject))
}

/// What a person must know of single lines, and that facts are to be learnt from them, written with the lines themselves.
/// Another file of the same name is another subject.
fn raise_lines(
    writer: &Writer<'_>,
    name: &str,
    digest: &str,
    taken: &Taken,
    told: &Told,
    task: &str,
) -> Result<(), LedgerError> {
    let file = format!("report {name} ({})", digest.get(..8).unwrap_or_default());
    let line = |number: u64| format!("{file}, line {number}");
    let mut drafts = Vec::new();
    let mut tell =
        |kind, subject, message| drafts.push(ExceptionDraft { kind, subject, message, about: About::default() });
    for problem in &told.problems {
        let message = format!("{problem}; the line was left out, and the payout it belongs to will not add up");
        tell(ExceptionKind::LineRefused, line(problem.line), message);
    }
    let untold = told.refused.saturating_sub(u64::try_from(told.problems.len()).unwrap_or(u64::MAX));
    if untold > 0 {
        let message = format!("{untold} more lines were left out; the first are told one by one");
        tell(ExceptionKind::LineRefused, file.clone(), message);
    }
    for differing in &taken.differing {
        tell(ExceptionKind::LineDiffers, line(differing.number), format!("{}; the earlier one stands", differing.what));
    }
    for contradicting in &taken.contradicting {
        let message = format!("{}; `payjournal match LINE ORDER` decides", contradicting.what);
        tell(ExceptionKind::MatchAmbiguous, line(contradicting.number), message);
    }
    for (account, lines) in &taken.strangers {
        let (subject, message) = stranger(name, account, *lines);
        tell(ExceptionKind::AccountUnknown, subject, message);
    }
    for draft in &drafts {
        writer.raise(draft, Some(task))?;
    }
    writer.expect_facts(digest, &taken.payouts)
}

fn stranger(name: &str, account: &str, lines: u64) -> (String, String) {
    if account.is_empty() {
        let message = format!(
            "{lines} lines name no merchant account, and several providers share the folder: give each a folder of its own"
        );
        return (format!("report {name}"), message);
    }
    let message = format!(
        "{lines} lines of the report {name} are of this account, which no provider in the config has; add a provider with this \
         `merchant_account` and `reports`, and the file is read again"
    );
    (format!("merchant account {account}"), message)
}

/// An account that nobody knew and that has a provider now.
fn welcome(run: &mut Run<'_>) -> Result<(), LedgerError> {
    let accounts = accounts(run.settings, &Source::default());
    run.ledger.write("accounts", run.id, run.now, |writer| {
        for account in &accounts {
            let subject = format!("merchant account {}", account.merchant_account);
            writer.resolve_subject(ExceptionKind::AccountUnknown, &subject)?;
        }
        Ok(())
    })
}

/// Lines of an order that was deleted because nobody had paid it: that was wrong, or they are.
fn tell_deleted(run: &mut Run<'_>) -> Result<(), LedgerError> {
    if !run.ledger.has_tombstones()? {
        return Ok(());
    }
    run.ledger.write("deleted orders", run.id, run.now, |writer| writer.tell_settled_deletions().map(drop))
}

/// Lines that matched nothing are tried again in every run: their order may have come since.
fn rematch(run: &mut Run<'_>, settled: &mut Settled) -> Result<(), LedgerError> {
    if !run.ledger.has_unmatched()? {
        return Ok(());
    }
    let none = Source::default();
    let accounts = accounts(run.settings, &none);
    let shop = &run.settings.shop;
    let done = run.ledger.write("rematch", run.id, run.now, |writer| writer.rematch(&accounts, shop))?;
    settled.rematched = done.by_transaction + done.by_reference;
    if settled.rematched > 0 {
        let text = format!(
            "{} lines of earlier reports have their order now: {} by transaction, {} by reference",
            settled.rematched, done.by_transaction, done.by_reference
        );
        run.watch.say(Level::Info, &text);
    }
    Ok(())
}
