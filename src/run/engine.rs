//! The one shape of every task: resolve → observe → plan → record intent → act → record outcome → report.
//!
//! This is below locks, log files and terminals: it takes a task, the ports, the ledger and `now`, and nothing else.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::call::Call;
use super::host::Host;
use super::intents::{self, Queued};
use super::most::Most;
use super::patience::{guarded, send_patiently};
use super::ports::Ports;
use super::record::Recorder;
use super::summary::Summary;
use super::workers::work_through;
use crate::config::Settings;
use crate::config::settings::TaskSettings;
use crate::domain::consequence::LearntFrom;
use crate::domain::id::{OperationId, PaymentId, RunId};
use crate::ledger::{Ledger, LedgerError, Writer};
use crate::operation::decide::latest_wait;
use crate::operation::{Answer, Kind, LookUp, Operation, State, Target};
use crate::task::{Action, Frame, Step, Task};

/// How often one case is looked at again in one run because something it waited for was confirmed.
const MOST_PASSES: usize = 16;

/// Sees what happens while it happens.
pub trait Watch {
    fn say(&mut self, level: Level, text: &str);
    /// `done` more cases are through.
    fn progress(&mut self, done: u64);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the log file only.
    Record,
    /// Reasons for doing nothing.
    Detail,
    Info,
    Warning,
    Error,
}

/// Everything one run of a task works with.
pub struct Run<'a> {
    pub ledger: &'a mut Ledger,
    pub ports: &'a Ports,
    pub settings: &'a Settings,
    pub task: &'a TaskSettings,
    /// As exceptions remember it.
    pub task_name: &'a str,
    /// `None` in a dry run: nothing is recorded.
    pub id: Option<RunId>,
    pub now: DateTime<Utc>,
    pub host: Host<'a>,
    pub watch: &'a mut dyn Watch,
    pub summary: Summary,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("task", &self.task_name).field("id", &self.id).finish_non_exhaustive()
    }
}

/// What came back. A panic of an adapter is an unknown outcome and a bug.
struct Returned<T> {
    call: Call,
    outcome: Result<T, String>,
}

/// Runs a task on all its cases.
pub fn execute<T: Task>(task: &T, run: &mut Run<'_>) -> Result<(), LedgerError> {
    if run.id.is_some() {
        resolve(T::KINDS, run)?;
    }
    let mut after = 0;
    let mut most = Most::new(task.most_begun(&run.frame()));
    while !run.is_stopped() {
        let ids = task.cases(run.ledger, after, run.task.batch_size.saturating_mul(T::BATCHES), &run.frame())?;
        let Some(last) = ids.last() else { break };
        after = *last;
        let handled = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let mut again = ids;
        let mut refused = HashSet::new();
        for _ in 0..MOST_PASSES {
            again = pass(task, &again, &mut refused, &mut most, run)?;
            if again.is_empty() || run.is_stopped() {
                break;
            }
        }
        run.summary.cases += handled;
        run.watch.progress(handled);
    }
    run.summary.begun += most.count();
    run.summary.stopped = run.is_stopped();
    Ok(())
}

/// Asks about every operation of these kinds that has no final answer.
fn resolve(kinds: &[Kind], run: &mut Run<'_>) -> Result<(), LedgerError> {
    let mut after = OperationId(0);
    let latest = latest_wait(run.now, run.task.retry_interval_max);
    while !run.is_stopped() {
        let open = run.ledger.to_be_asked(kinds, run.now, latest, after, run.task.batch_size)?;
        let Some(last) = open.last() else { break };
        after = last.id;
        let mut calls: VecDeque<Call> =
            open.into_iter().map(|operation| run.call(operation, "asked about")).collect::<Result<_, _>>()?;
        let (ports, clock) = (run.ports, run.host.clock);
        let ask = move |call: Call| {
            let ago = call.operation.last_sent_at.map_or(TimeDelta::MAX, |sent| clock() - sent);
            let ago = ago.to_std().unwrap_or(Duration::ZERO);
            let outcome = guarded(|| ports.look_up(&call.request, ago));
            Returned { call, outcome }
        };
        work_through(run.host.workers, run.concurrency(), &ask, |answers: Vec<Returned<LookUp>>, room| {
            run.record(&answers, Recorder::looked_up)?;
            let next = if run.is_stopped() { 0 } else { room.min(calls.len()) };
            Ok::<_, LedgerError>(calls.drain(..next).collect())
        })?;
    }
    Ok(())
}

/// Looks at cases once. Returns those to look at again. `refused` are those whose steps the ledger refused before.
fn pass<T: Task>(
    task: &T,
    ids: &[i64],
    refused: &mut HashSet<i64>,
    most: &mut Most,
    run: &mut Run<'_>,
) -> Result<Vec<i64>, LedgerError> {
    let cases = run.ledger.snapshot(|ledger| ids.iter().map(|id| Ok((*id, task.case(ledger, *id)?))).collect())?;
    let seen = observe(task, cases, run)?;
    let mut queue = Vec::new();
    let mut later = Vec::new();
    let mut claimed = HashSet::new();
    let mut waiting = Vec::new();
    for (id, case, seen) in seen {
        let steps = match task.plan(&case, &seen, &run.frame()) {
            Ok(steps) if most.admits(id, &steps) => steps,
            Ok(_) => {
                run.summary.over_most += 1;
                vec![most.left(task.name(&case))]
            }
            Err(error) => {
                run.bug(&format!("{}: {error}", task.name(&case)));
                continue;
            }
        };
        if run.id.is_none() {
            for step in &steps {
                run.report_plan(step);
            }
            continue;
        }
        // What one case is about to take from a payment the plan of another has not seen: that one is planned again after it.
        let wanted: Vec<PaymentId> = steps.iter().filter_map(claims).collect();
        if wanted.iter().any(|payment| claimed.contains(payment)) {
            later.push(id);
            continue;
        }
        claimed.extend(wanted);
        if steps.iter().any(|step| matches!(step.action, Action::Await)) {
            waiting.push(id);
        }
        queue.push((id, task.scope(&case), steps));
    }
    if run.id.is_none() {
        return Ok(Vec::new());
    }
    let (calls, news, stale) = record_intents(&queue, refused, run)?;
    let confirmed = act(calls, run)?;
    // What it waited for may have been confirmed just now.
    if !confirmed.is_empty() {
        later.extend(waiting);
    }
    // Only a confirmation makes new work possible; a fact that was recorded does too where a task sends anything at all.
    let mut again: Vec<i64> = confirmed.into_iter().collect();
    if T::SENDS {
        again.extend(news);
    }
    again.extend(later);
    again.extend(stale);
    again.sort_unstable();
    again.dedup();
    Ok(again)
}

/// The payment a new intent takes from, or gives back to.
fn claims(step: &Step) -> Option<PaymentId> {
    match &step.action {
        Action::Send(intent) if intent.kind != Kind::Journal => intent.subject.payment,
        Action::Send(_)
        | Action::Resume { .. }
        | Action::Withdraw { .. }
        | Action::GiveUp { .. }
        | Action::Record(_)
        | Action::Raise(..)
        | Action::Leave
        | Action::NotEligible(_)
        | Action::Await
        | Action::Unreachable => None,
    }
}

type Observed<T> = (i64, <T as Task>::Case, <T as Task>::Seen);

fn observe<T: Task>(task: &T, cases: Vec<(i64, T::Case)>, run: &mut Run<'_>) -> Result<Vec<Observed<T>>, LedgerError> {
    let mut waiting: VecDeque<(i64, T::Case)> = cases.into();
    let mut seen = Vec::with_capacity(waiting.len());
    let (ports, frame) = (run.ports, run.frame());
    let look = |(id, case): (i64, T::Case)| {
        let found = guarded(|| task.observe(&case, ports, &frame));
        (id, case, found)
    };
    let workers = if T::BATCHES > 1 { 1 } else { run.concurrency() };
    work_through(run.host.workers, workers, &look, |answers, room| {
        for (id, case, found) in answers {
            match found {
                Ok(found) => seen.push((id, case, found)),
                Err(panic) => run.bug(&format!("{}: {panic}", task.name(&case))),
            }
        }
        let next = if run.is_stopped() { 0 } else { room.min(waiting.len()) };
        Ok::<_, LedgerError>(waiting.drain(..next).collect())
    })?;
    // Whatever order the answers came in, the plan is made in the order of the cases.
    seen.sort_by_key(|(id, _, _)| *id);
    Ok(seen)
}

/// Operations to send, each with its case and reason.
type Planned = Vec<(i64, OperationId, String)>;

/// Commits what is intended, before anything is sent. Returns what to send, the cases that learnt something new, and those to
/// plan anew: what the ledger refuses the first time, another run may have changed since the case was read.
fn record_intents(
    queue: &[Queued],
    refused: &mut HashSet<i64>,
    run: &mut Run<'_>,
) -> Result<(Planned, Vec<i64>, Vec<i64>), LedgerError> {
    if queue.is_empty() {
        return Ok((Vec::new(), Vec::new(), Vec::new()));
    }
    let (id, now, task_name) = (run.id, run.now, run.task_name);
    let mut to_send = Vec::new();
    let mut settled = Vec::new();
    let mut news = Vec::new();
    let mut stale = Vec::new();
    let recorded = run.ledger.write("intents", id, now, |writer| intents::record(writer, queue, task_name))?;
    for ((case, _, steps), recorded) in queue.iter().zip(recorded) {
        match recorded {
            Ok(of_case) => {
                to_send.extend(of_case.send.into_iter().map(|(operation, reason)| (*case, operation, reason)));
                if of_case.learnt || !of_case.settle.is_empty() {
                    news.push(*case);
                }
                settled.extend(of_case.settle);
                for (step, new) in steps.iter().zip(of_case.new) {
                    run.report_recorded(step, new, None);
                }
            }
            Err(error) if !error.is_conflict() && refused.insert(*case) => stale.push(*case),
            Err(error) => {
                if let Some(step) = steps.first() {
                    run.report_recorded(step, false, Some(error));
                }
            }
        }
    }
    run.settle(settled)?;
    Ok((to_send, news, stale))
}

/// Sends the planned operations: at most one per target at a time, and none after one that got no answer.
fn act(planned: Planned, run: &mut Run<'_>) -> Result<HashSet<i64>, LedgerError> {
    let cases: std::collections::HashMap<OperationId, i64> = planned.iter().map(|(case, id, _)| (*id, *case)).collect();
    let mut waiting: VecDeque<Call> = VecDeque::new();
    for (_, id, reason) in planned {
        let operation = run.ledger.operation(id)?;
        if operation.state == State::Planned {
            waiting.push_back(run.call(operation, &reason)?);
        }
    }
    let mut busy: HashSet<Target> = HashSet::new();
    let mut confirmed = HashSet::new();
    let (ports, host) = (run.ports, run.host);
    let send = move |call: Call| {
        let outcome = guarded(|| send_patiently(ports, &call.request, host));
        Returned { call, outcome }
    };
    work_through(run.host.workers, run.concurrency(), &send, |answers: Vec<Returned<Answer>>, room| {
        for returned in &answers {
            busy.remove(&returned.call.operation.target);
        }
        for returned in run.record(&answers, Recorder::answered)? {
            // What could not be closed is not as it was seen: somebody may have paid.
            let is_news = returned.state == State::Refused && returned.kind == Kind::Cancel;
            if returned.state == State::Confirmed || is_news {
                confirmed.extend(cases.get(&returned.id));
            }
        }
        let room = if run.is_stopped() { 0 } else { room };
        run.claim(&mut waiting, &mut busy, room)
    })?;
    Ok(confirmed)
}

impl<'a> Run<'a> {
    fn frame(&self) -> Frame<'a> {
        Frame { settings: self.settings, task: self.task, now: self.now }
    }

    fn concurrency(&self) -> usize {
        usize::try_from(self.task.concurrency).unwrap_or(1)
    }

    fn is_stopped(&self) -> bool {
        (self.host.stop)()
    }

    fn call(&self, operation: Operation, reason: &str) -> Result<Call, LedgerError> {
        let request = self.ledger.request(&operation)?;
        Ok(Call { operation, request, reason: reason.to_owned() })
    }

    /// Marks as many waiting operations Sent as there is room for, in one commit before the first of them leaves.
    fn claim(
        &mut self,
        waiting: &mut VecDeque<Call>,
        busy: &mut HashSet<Target>,
        room: usize,
    ) -> Result<Vec<Call>, LedgerError> {
        let mut chosen = Vec::new();
        let mut kept = VecDeque::new();
        while chosen.len() < room
            && let Some(call) = waiting.pop_front()
        {
            if busy.insert(call.operation.target.clone()) {
                chosen.push(call);
            } else {
                kept.push_back(call);
            }
        }
        kept.append(waiting);
        *waiting = kept;
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let at = (self.host.clock)();
        let claimed = self.ledger.write("sent", self.id, self.now, |writer| {
            chosen.iter().map(|call| writer.mark_sent(call.operation.id, at)).collect::<Result<Vec<bool>, _>>()
        })?;
        let mut taken = Vec::new();
        for (call, claimed) in chosen.into_iter().zip(claimed) {
            if claimed {
                taken.push(call);
            } else {
                busy.remove(&call.operation.target);
                let text = format!(
                    "{}: waits: an earlier call to the same target has no answer, or money came that speaks against it",
                    call.operation.id
                );
                self.watch.say(Level::Info, &text);
            }
        }
        // Everything chosen was blocked: look at what else is waiting before the work counts as done.
        if taken.is_empty() && !waiting.is_empty() {
            return self.claim(waiting, busy, room);
        }
        Ok(taken)
    }

    /// Records what came back, all of it in one commit, and reports it.
    fn record<T>(
        &mut self,
        answers: &[Returned<T>],
        each: impl Fn(Recorder<'a>, &Writer<'_>, &Operation, &T) -> Result<Operation, LedgerError>,
    ) -> Result<Vec<Operation>, LedgerError> {
        if answers.is_empty() {
            return Ok(Vec::new());
        }
        let recorder = Recorder::of(self);
        let mut unrecorded = Vec::new();
        let after = self.ledger.write("answers", self.id, self.now, |writer| {
            let mut after = Vec::with_capacity(answers.len());
            for returned in answers {
                let operation = &returned.call.operation;
                let part = writer.attempt(|| match &returned.outcome {
                    Ok(outcome) => each(recorder, writer, operation, outcome),
                    Err(panic) => recorder.panicked(writer, operation, panic),
                })?;
                after.push(match part {
                    Ok(operation) => operation,
                    Err(error) => {
                        let after = recorder.unrecorded(writer, operation, &error)?;
                        unrecorded.push((operation.id, error));
                        after
                    }
                });
            }
            Ok(after)
        })?;
        for (operation, error) in unrecorded {
            self.refusal(&format!("operation {operation}"), &error);
        }
        for (returned, operation) in answers.iter().zip(&after) {
            if let Err(panic) = &returned.outcome {
                self.bug(panic);
            }
            let note = self.ledger.operation_note(operation.id)?;
            self.report_answer(&returned.call, operation, note);
        }
        Ok(after)
    }

    /// Facts that settle operations of ours, learnt by an observation.
    fn settle(&mut self, settled: Vec<(OperationId, Answer, LearntFrom)>) -> Result<(), LedgerError> {
        for (id, answer, learnt_from) in settled {
            let operation = self.ledger.operation(id)?;
            let call = self.call(operation, "learnt from the PSP")?;
            self.record(&[Returned { call, outcome: Ok(answer) }], |recorder, writer, operation, answer| {
                Recorder { learnt_from, ..recorder }.answered(writer, operation, answer)
            })?;
        }
        Ok(())
    }
}
