//! Asking the PSPs that can be asked for their payouts: each account once a run, from its cursor on.

use chrono::TimeDelta;

use super::folder::Source;
use super::reading::{Refusal, Told};
use super::{FileOutcome, FileReport, Origin, Settled, refuse, resolve_refused, take_over};
use crate::domain::id::ProviderName;
use crate::domain::settlement::ReportLine;
use crate::ledger::LedgerError;
use crate::ledger::settlements::{Inlet, NewReport, SettledAccount};
use crate::provider::{PayoutReports, PortError, ReportedPayout};
use crate::run::engine::{Level, Run};

/// The lines of payouts this old are asked for again: a PSP may issue one anew. What is known adds nothing.
const OVERLAP: TimeDelta = TimeDelta::days(14);
/// Payouts this old are listed again: a PSP may tell of one late.
const LISTED: TimeDelta = TimeDelta::days(120);

/// One that cannot be reached neither holds up the others nor moves its own cursor.
pub(super) fn fetch(run: &mut Run<'_>, settled: &mut Settled) -> Result<(), LedgerError> {
    let (ports, settings) = (run.ports, run.settings);
    for (name, adapter) in &ports.providers {
        let Some((reports, provider)) = adapter.payout_reports().zip(settings.providers.get(name)) else { continue };
        let account = SettledAccount {
            provider: name.clone(),
            merchant_account: provider.merchant_account.clone(),
            reference: None,
        };
        if let Err(why) = fetch_account(run, reports, &account, settled)? {
            let why = format!("the payouts of {name} could not be fetched: {why}");
            run.summary.count_unreachable(None, &why);
            run.watch.say(Level::Error, &why);
        }
    }
    Ok(())
}

fn fetch_account(
    run: &mut Run<'_>,
    reports: &dyn PayoutReports,
    account: &SettledAccount,
    settled: &mut Settled,
) -> Result<Result<(), PortError>, LedgerError> {
    // A PSP whose clock was ahead must not hide what comes until then.
    let cursor = run.ledger.payout_cursor(account)?.map(|cursor| cursor.min(run.now));
    let payouts = match reports.payouts(cursor.and_then(|cursor| cursor.checked_sub_signed(LISTED))) {
        Ok(payouts) => payouts,
        Err(error) => return Ok(Err(error)),
    };
    for payout in payouts {
        let is_recent = cursor.is_none_or(|cursor| cursor - payout.paid_at <= OVERLAP);
        if !is_recent && run.ledger.is_payout_closed(account, &payout.reference)? {
            continue;
        }
        if (run.host.stop)() {
            break;
        }
        let lines: Result<Vec<ReportLine>, PortError> = reports.lines(&payout).and_then(Iterator::collect);
        let lines = match lines {
            Ok(lines) => lines,
            Err(error) => return Ok(Err(error)),
        };
        let report = take(run, account, &payout, lines)?;
        run.watch.say(report.level(), &report.line());
        // The cursor stays before what was not stored.
        let is_stored = matches!(report.outcome, FileOutcome::Taken { .. } | FileOutcome::Known { .. });
        settled.files.push(report);
        if !is_stored {
            break;
        }
    }
    Ok(Ok(()))
}

fn take(
    run: &mut Run<'_>,
    account: &SettledAccount,
    payout: &ReportedPayout,
    lines: Vec<ReportLine>,
) -> Result<FileReport, LedgerError> {
    let SettledAccount { provider, merchant_account, .. } = account;
    let digest = digest(provider, payout, &lines);
    let origin = Origin::Provider { provider: provider.clone(), payout: payout.reference.clone() };
    if let Some(before) = run.ledger.report_read(&digest)? {
        return Ok(FileReport { origin, digest, outcome: FileOutcome::Known { name: before.name } });
    }
    let new = NewReport {
        name: format!("payout {} of {provider}/{merchant_account}", payout.reference),
        digest: digest.clone(),
        bytes: 0,
        format: FORMAT.to_owned(),
        account: Some(0),
        is_one_payout: false,
    };
    let source = Source { providers: vec![provider.clone()], ..Source::default() };
    let paid_at = payout.paid_at;
    let read = |inlet: &Inlet<'_>| Ok(Told::of_lines(inlet, lines));
    let taken = take_over(run, &source, &new, read, |writer| writer.move_payout_cursor(account, paid_at))?;
    let outcome = match taken {
        Ok((taken, told)) => {
            resolve_refused(run, &origin)?;
            FileOutcome::Taken { format: FORMAT, taken, refused_lines: told.refused }
        }
        Err(refusal @ (Refusal::Changing | Refusal::Stopped)) => FileOutcome::Waits { why: refusal.to_string() },
        Err(refusal @ (Refusal::File(_) | Refusal::Ledger(_))) => {
            let why = refusal.to_string();
            refuse(run, &origin, &why)?;
            FileOutcome::Refused { why }
        }
    };
    Ok(FileReport { origin, digest, outcome })
}

const FORMAT: &str = "provider";

/// BLAKE3 of all that the lines say: what was stored word by word is not looked at again.
fn digest(provider: &ProviderName, payout: &ReportedPayout, lines: &[ReportLine]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{provider} {}\n", payout.reference).as_bytes());
    for line in lines {
        hasher.update(format!("{line:?}\n").as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
