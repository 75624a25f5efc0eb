//! Whether each payout adds up, and what a person must know where one does not.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{FileOutcome, Settled};
use crate::config::Settings;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::PayoutId;
use crate::domain::settlement::proof::{Proof, ProofState};
use crate::ledger::LedgerError;
use crate::ledger::settlements::{LineWithoutPayment, LinesWithoutPayment, PayoutOverview, ProvedPayout};
use crate::run::engine::Run;

/// The kinds of exceptions a payout has; what does not hold any more is resolved.
const KINDS: [ExceptionKind; 4] = [
    ExceptionKind::PayoutRemainder,
    ExceptionKind::LinesUnmatched,
    ExceptionKind::MatchAmbiguous,
    ExceptionKind::PaymentUnknown,
];

/// Looks at every payout that is not done with, and at those that changed.
pub(super) fn prove(run: &mut Run<'_>, settled: &mut Settled) -> Result<(), LedgerError> {
    let mut payouts = run.ledger.open_payouts()?;
    let shown: BTreeSet<PayoutId> = payouts.iter().map(|payout| payout.id).collect();
    for file in &settled.files {
        let FileOutcome::Taken { taken, .. } = &file.outcome else { continue };
        for id in taken.payouts.iter().filter(|id| !shown.contains(*id)) {
            if let Some(payout) = run.ledger.payout(*id)?
                && !payouts.contains(&payout)
            {
                payouts.push(payout);
            }
        }
    }
    if !payouts.is_empty() {
        let (settings, now, task) = (run.settings, run.now, run.task_name);
        run.ledger.write("payouts", run.id, now, |writer| {
            let unpaid = writer.lines_without_payment(&payouts)?;
            for payout in &payouts {
                // Lines of an earlier version of the ledger were not booked with their file.
                writer.book_payout(payout.id)?;
                writer.set_payout_state(ProvedPayout { id: payout.id, state: payout.state })?;
                let mut drafts = exceptions(payout, settings, now);
                drafts.extend(unpaid.get(&payout.id).map(|found| without_payment(payout, found)));
                for kind in KINDS {
                    if !drafts.iter().any(|draft| draft.kind == kind) {
                        writer.resolve_subject(kind, &subject(payout))?;
                    }
                }
                for draft in &drafts {
                    // What a person has ended is told again when its figures have changed, and not every night.
                    let may_be_ended =
                        matches!(draft.kind, ExceptionKind::PayoutRemainder | ExceptionKind::PaymentUnknown);
                    let is_ended = may_be_ended && writer.is_ended(draft)?;
                    if !is_ended {
                        writer.raise(draft, Some(task))?;
                    }
                }
            }
            Ok(())
        })?;
    }
    settled.payouts = payouts;
    Ok(())
}

fn subject(payout: &PayoutOverview) -> String {
    if payout.reference.is_empty() {
        format!("lines of {}/{} that are not paid out", payout.provider, payout.merchant_account)
    } else {
        format!("payout {} of {}/{}", payout.reference, payout.provider, payout.merchant_account)
    }
}

/// Pure: what a person must know of a payout.
fn exceptions(payout: &PayoutOverview, settings: &Settings, now: chrono::DateTime<chrono::Utc>) -> Vec<ExceptionDraft> {
    let expected = settings
        .providers
        .get(&payout.provider)
        .and_then(|provider| provider.reports.as_ref())
        .map_or(TimeDelta::MAX, |reports| TimeDelta::days(i64::from(reports.expected_after_days)));
    let is_late = now - payout.seen_at > expected;
    let draft = |kind, message| ExceptionDraft { kind, subject: subject(payout), message, about: About::default() };
    let mut drafts = Vec::new();
    match payout.state {
        ProofState::Remainder => drafts.push(draft(ExceptionKind::PayoutRemainder, remainder(payout))),
        // What is not paid out yet is no payout; its order says what is missing.
        ProofState::Open if is_late && payout.lines.all > 0 && !payout.reference.is_empty() => {
            let message = format!(
                "the reports have {} lines of it and still do not say what was paid out or carried on; ask the provider for the missing \
                 report. Where the PSP keeps the money in a balance and its report has no balances that fit its rows, nothing will: \
                 hold it against the PSP's back office and `payjournal resolve` this",
                payout.lines.all
            );
            drafts.push(draft(ExceptionKind::PayoutRemainder, message));
        }
        ProofState::Closed | ProofState::Open => {}
    }
    if payout.lines.unmatched > 0 {
        let message = format!(
            "{} lines belong to no order in the ledger: import the missing orders and payments, or say which order it is with \
             `payjournal match LINE ORDER`; `payjournal list lines --unmatched` shows them",
            payout.lines.unmatched
        );
        drafts.push(draft(ExceptionKind::LinesUnmatched, message));
    }
    if payout.lines.ambiguous > 0 {
        let message = format!(
            "{} lines name more than one order; `payjournal list lines --unmatched` shows them, `payjournal match LINE ORDER` decides",
            payout.lines.ambiguous
        );
        drafts.push(draft(ExceptionKind::MatchAmbiguous, message));
    }
    drafts
}

/// What no movement tells of: the lines have an order, and no payment that it could hang on.
fn without_payment(payout: &PayoutOverview, found: &LinesWithoutPayment) -> ExceptionDraft {
    let named: Vec<String> = found.some.iter().map(named).collect();
    let more = if i64::try_from(named.len()) == Ok(found.lines) { "" } else { ", and others" };
    let message = format!(
        "{} lines have their order by their reference or by a person, but their payment is not in the ledger, and nothing of them is \
         booked: {}{more}. Import the payments (`payjournal import payments`) with these transaction ids and the provider {}; where \
         there is no such payment, book them by hand and `payjournal resolve` this. `payjournal list lines --payout {}` shows them",
        found.lines,
        named.join(", "),
        payout.provider,
        payout.reference
    );
    let kind = ExceptionKind::PaymentUnknown;
    ExceptionDraft { kind, subject: subject(payout), message, about: About::default() }
}

fn named(line: &LineWithoutPayment) -> String {
    let LineWithoutPayment { line, amount, transaction, order } = line;
    let transaction = if transaction.is_empty() { "without a transaction" } else { transaction };
    format!("line {line} ({amount}, transaction {transaction}, order {order})")
}

fn remainder(payout: &PayoutOverview) -> String {
    let parts: Vec<String> =
        payout.proofs.iter().filter(|proof| proof.state == ProofState::Remainder).map(of_currency).collect();
    format!("{}; `payjournal list lines --payout {}` shows its lines", parts.join("; "), payout.reference)
}

fn of_currency(proof: &Proof) -> String {
    let Proof {
        currency, gross, fees, taxes, reserves, carried, corrections, paid_out, remainder, unexplained, ..
    } = proof;
    let unknown = match proof.unknown_lines {
        0 => String::new(),
        lines => format!("; {lines} lines are of a kind payjournal does not know"),
    };
    if !unexplained.is_zero() {
        return format!(
            "{unexplained} {currency} were kept of its payments beyond the fees that the report names: look whether a column of it was \
             lost or a sign is turned{unknown}"
        );
    }
    format!(
        "gross {gross} - fees {fees} - taxes {taxes} + reserves {reserves} + carried {carried} + corrections {corrections} should be \
         {paid_out} {currency} paid out: {remainder} {currency} are left over{unknown}"
    )
}
