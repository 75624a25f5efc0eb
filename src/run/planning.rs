//! From what was seen of a case to what is to be sent for it: planned a share of the cases at a time, and committed.

use std::collections::{HashSet, VecDeque};

use super::batch::{Batch, Looked, Observed};
use super::engine::Run;
use super::intents::{self, Queued};
use super::most::Most;
use crate::domain::consequence::Consequence;
use crate::domain::id::{OperationId, PaymentId};
use crate::ledger::LedgerError;
use crate::operation::Kind;
use crate::task::{Action, Step, Task};

/// The cases of a pass that were seen and are not planned yet, and what became of the others.
pub(super) struct Planning<'p, T: Task> {
    batch: Batch,
    seen: VecDeque<Observed<T>>,
    /// How many are planned at once.
    share: usize,
    most: &'p mut Most,
    pub(super) after: After,
}

/// Why cases are looked at again.
#[derive(Default)]
pub(super) struct After {
    /// Something of theirs was confirmed, or is not as it was seen.
    pub(super) changed: HashSet<i64>,
    /// Something of theirs was done, or may have been.
    pub(super) done: HashSet<i64>,
    /// Something of theirs was certainly not done.
    pub(super) undone: HashSet<i64>,
    /// They learnt something.
    news: Vec<i64>,
    /// They changed since they were read, or the ledger refused it the first time: another run may have changed them.
    stale: Vec<i64>,
    /// They want what another case of this pass takes from.
    later: Vec<i64>,
    /// They wait for something.
    waiting: Vec<i64>,
    /// Payments that cases of this pass take from.
    claimed: HashSet<PaymentId>,
}

/// Operations to send, each with its case and reason.
pub(super) type Planned = Vec<(i64, OperationId, String)>;

impl<'p, T: Task> Planning<'p, T> {
    pub(super) fn of(looked: Looked<T>, most: &'p mut Most) -> Self {
        let Looked { batch, seen } = looked;
        Self { batch, seen: seen.into(), share: 0, most, after: After::default() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.seen.is_empty()
    }

    /// The batch, with those of its cases that are to be looked at again.
    pub(super) fn end(self) -> Batch {
        let After { changed, done, undone, news, stale, mut later, waiting, claimed: _ } = self.after;
        self.most.done(done);
        later.extend(self.most.failed(undone, &self.batch.range));
        // What it waited for may have been confirmed just now, or while it was looked at.
        if !changed.is_empty() || self.batch.missed_something {
            later.extend(waiting);
        }
        // Only a confirmation makes new work possible; a fact that was recorded does too where a task sends anything at all.
        let mut again: Vec<i64> = changed.into_iter().collect();
        if T::SENDS {
            again.extend(news);
        }
        again.extend(later);
        again.extend(stale);
        again.sort_unstable();
        again.dedup();
        Batch { ids: again, passes: self.batch.passes + 1, missed_something: false, ..self.batch }
    }

    /// Says what would be done.
    pub(super) fn rehearse(&mut self, task: &T, run: &mut Run<'_>) {
        for (id, case, seen) in std::mem::take(&mut self.seen) {
            for step in &self.steps(task, id, &case, &seen, run).unwrap_or_default() {
                run.report_plan(step);
            }
        }
    }

    fn steps(&mut self, task: &T, id: i64, case: &T::Case, seen: &T::Seen, run: &mut Run<'_>) -> Option<Vec<Step>> {
        match task.plan(case, seen, &run.frame()) {
            Ok(steps) => self.most.admits(id, &steps, || task.name(case)).then_some(steps),
            Err(error) => {
                run.bug(&format!("{}: {error}", task.name(case)));
                None
            }
        }
    }

    /// Plans until there are so many calls to send or nothing is left. Everything intended is committed before it is returned.
    pub(super) fn next(&mut self, task: &T, wanted: usize, run: &mut Run<'_>) -> Result<Planned, LedgerError> {
        let least = if T::BATCHES > 1 { self.seen.len() } else { run.concurrency() };
        self.share = self.share.max(least);
        let mut planned = Vec::new();
        while planned.len() < wanted && !self.seen.is_empty() {
            let of_share = self.share(task, run)?;
            // Where there is nothing to send, a commit for a few cases would be for nothing too.
            self.share = if of_share.is_empty() { self.share.saturating_mul(2) } else { least };
            planned.extend(of_share);
        }
        Ok(planned)
    }

    fn share(&mut self, task: &T, run: &mut Run<'_>) -> Result<Planned, LedgerError> {
        let mut planned = Vec::new();
        let share = self.share.min(self.seen.len());
        let cases: Vec<Observed<T>> = self.seen.drain(..share).collect();
        for (id, case, seen) in cases {
            let Some(steps) = self.steps(task, id, &case, &seen, run) else { continue };
            // What one case is about to take from a payment the plan of another has not seen: that one is planned again after it.
            let wanted: Vec<PaymentId> = steps.iter().filter_map(claims).collect();
            if wanted.iter().any(|payment| self.after.claimed.contains(payment)) {
                self.after.later.push(id);
                continue;
            }
            self.after.claimed.extend(wanted);
            if steps.iter().any(|step| matches!(step.action, Action::Await)) {
                self.after.waiting.push(id);
            }
            let scope = task.scope(&case);
            let as_read = steps.iter().any(is_for_the_case_as_read).then_some(case);
            planned.push((as_read, (id, scope, steps)));
        }
        self.record_intents(task, planned, run)
    }

    /// Commits what is intended, before anything is sent. Returns what to send. While others were asked, a person or another run may
    /// have changed what a case is: it is planned again then.
    fn record_intents(
        &mut self,
        task: &T,
        planned: Vec<(Option<T::Case>, Queued)>,
        run: &mut Run<'_>,
    ) -> Result<Planned, LedgerError> {
        if planned.is_empty() {
            return Ok(Vec::new());
        }
        let (id, now, task_name, stale) = (run.id, run.now, run.task_name, &mut self.after.stale);
        let (queue, recorded) = run.ledger.write_as_it_is("intents", id, now, |ledger, writer| {
            let mut queue: Vec<Queued> = Vec::with_capacity(planned.len());
            for (as_read, queued) in planned {
                let is_as_read = match as_read {
                    Some(case) => task.case(ledger, queued.0)? == case,
                    None => true,
                };
                if is_as_read { queue.push(queued) } else { stale.push(queued.0) }
            }
            let recorded = intents::record(writer, &queue, task_name)?;
            Ok::<_, LedgerError>((queue, recorded))
        })?;
        let mut to_send = Vec::new();
        let mut settled = Vec::new();
        for ((case, _, steps), recorded) in queue.iter().zip(recorded) {
            match recorded {
                Ok(of_case) => {
                    to_send.extend(of_case.send.into_iter().map(|(operation, reason)| (*case, operation, reason)));
                    if of_case.learnt || !of_case.settle.is_empty() {
                        self.after.news.push(*case);
                    }
                    settled.extend(of_case.settle);
                    for (step, new) in steps.iter().zip(of_case.new) {
                        run.report_recorded(step, new, None);
                    }
                }
                Err(error) if !error.is_there_already() && self.batch.refused.insert(*case) => {
                    self.after.stale.push(*case);
                }
                Err(error) => {
                    if let Some(step) = steps.first() {
                        run.report_recorded(step, false, Some(error));
                    }
                }
            }
        }
        run.settle(settled)?;
        Ok(to_send)
    }
}

/// What takes or gives money, bills, asks a customer, or deletes, and how a payment stands: right for the case as it was read, and for no
/// other.
fn is_for_the_case_as_read(step: &Step) -> bool {
    match step.action.sends() {
        Some(
            Kind::Capture | Kind::Refund | Kind::Release | Kind::Collect | Kind::Cancel | Kind::Delete | Kind::Mail,
        ) => true,
        Some(Kind::Journal | Kind::PayoutJournal | Kind::Event) => false,
        None => matches!(
            step.action,
            Action::Record(
                Consequence::Standing(_)
                    | Consequence::Invoice(_)
                    | Consequence::InvoicePage(_)
                    | Consequence::InvoiceMail { .. }
            )
        ),
    }
}

/// The payment a new intent takes from, or gives back to.
fn claims(step: &Step) -> Option<PaymentId> {
    let Action::Send(intent) = &step.action else { return None };
    intent.subject.payment.filter(|_| intent.kind != Kind::Journal)
}
