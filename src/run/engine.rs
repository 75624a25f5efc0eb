//! The one shape of every task: resolve → observe → plan → record intent → act → record outcome → report.
//!
//! This is below locks, log files and terminals: it takes a task, the ports, the ledger and `now`, and nothing else.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::call::Call;
use super::host::Host;
use super::most::Most;
use super::patience::{guarded, send_patiently};
use super::planning::{Observed, Planning};
use super::ports::Ports;
use super::record::Recorder;
use super::summary::Summary;
use super::workers::{Room, work_through};
use crate::config::Settings;
use crate::config::settings::TaskSettings;
use crate::domain::consequence::LearntFrom;
use crate::domain::id::{OperationId, RunId};
use crate::ledger::{Ledger, LedgerError, Writer};
use crate::operation::decide::latest_wait;
use crate::operation::{Answer, Kind, LookUp, Operation, State, Target};
use crate::task::{Frame, Task};

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
        run.tell_left(&most.left());
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
        work_through(run.host.workers, Room::only(run.concurrency()), &ask, |answers: Vec<Returned<LookUp>>, room| {
            run.record(&answers, Recorder::looked_up)?;
            let next = if run.is_stopped() { 0 } else { room.min(calls.len()) };
            Ok::<_, LedgerError>(calls.drain(..next).collect())
        })?;
    }
    Ok(())
}

/// Looks at cases once. Returns those to look at again. `refused` are those whose steps the ledger refused before.
///
/// The ledger's work goes on beside the calls: a case is read when there is room to ask about it, and what was seen is planned
/// a share at a time, when there is room to send.
fn pass<T: Task>(
    task: &T,
    ids: &[i64],
    refused: &mut HashSet<i64>,
    most: &mut Most,
    run: &mut Run<'_>,
) -> Result<Vec<i64>, LedgerError> {
    let mut planning = Planning::of(observe(task, ids, run)?, refused, most);
    if run.id.is_none() {
        planning.rehearse(task, run);
        return Ok(Vec::new());
    }
    act(task, &mut planning, run)?;
    Ok(planning.again())
}

fn observe<T: Task>(task: &T, ids: &[i64], run: &mut Run<'_>) -> Result<Vec<Observed<T>>, LedgerError> {
    let mut unread = ids.iter().copied();
    let mut read: VecDeque<(i64, T::Case)> = VecDeque::new();
    let mut seen = Vec::with_capacity(ids.len());
    let (ports, frame) = (run.ports, run.frame());
    let look = |(id, case): (i64, T::Case)| {
        let found = guarded(|| task.observe(&case, ports, &frame));
        (id, case, found)
    };
    let workers = if T::BATCHES > 1 { 1 } else { run.concurrency() };
    work_through(run.host.workers, Room { under_way: workers, ahead: workers }, &look, |answers, room| {
        for (id, case, found) in answers {
            match found {
                Ok(found) => seen.push((id, case, found)),
                Err(panic) => run.bug(&format!("{}: {panic}", task.name(&case))),
            }
        }
        if run.is_stopped() {
            return Ok(Vec::new());
        }
        if read.is_empty() {
            // Where nothing outside is asked, nothing is gained by turns.
            let share = if T::BATCHES > 1 { ids.len() } else { room };
            let cases = unread.by_ref().take(share);
            read = run.ledger.snapshot(|ledger| cases.map(|id| Ok((id, task.case(ledger, id)?))).collect())?;
        }
        let next = room.min(read.len());
        Ok::<_, LedgerError>(read.drain(..next).collect())
    })?;
    // Whatever order the answers came in, the plan is made in the order of the cases.
    seen.sort_by_key(|(id, _, _)| *id);
    Ok(seen)
}

/// Plans and sends: at most one operation per target at a time, and none after one that got no answer.
fn act<T: Task>(task: &T, planning: &mut Planning<'_, T>, run: &mut Run<'_>) -> Result<(), LedgerError> {
    let mut sending = Sending::default();
    let mut failed: Option<LedgerError> = None;
    let (ports, host) = (run.ports, run.host);
    let send = move |call: Call| {
        let outcome = guarded(|| send_patiently(ports, &call.request, host));
        Returned { call, outcome }
    };
    work_through(run.host.workers, Room::only(run.concurrency()), &send, |answers, room| {
        let next = match sending.heard(&answers, planning, run) {
            Ok(()) if failed.is_none() => sending.next(task, planning, room, run),
            Ok(()) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        // What is under way then is heard all the same, and recorded if it can be.
        Ok::<_, LedgerError>(next.unwrap_or_else(|error| {
            failed.get_or_insert(error);
            Vec::new()
        }))
    })?;
    failed.map_or(Ok(()), Err)
}

/// What is on its way out.
#[derive(Default)]
struct Sending {
    /// The case each operation is for.
    cases: HashMap<OperationId, i64>,
    waiting: VecDeque<Call>,
    busy: HashSet<Target>,
}

impl Sending {
    fn heard<T: Task>(
        &mut self,
        answers: &[Returned<Answer>],
        planning: &mut Planning<'_, T>,
        run: &mut Run<'_>,
    ) -> Result<(), LedgerError> {
        for returned in answers {
            self.busy.remove(&returned.call.operation.target);
        }
        for returned in run.record(answers, Recorder::answered)? {
            // What could not be closed is not as it was seen: somebody may have paid.
            let is_news = returned.state == State::Refused && returned.kind == Kind::Cancel;
            let Some(case) = self.cases.get(&returned.id) else { continue };
            if returned.state == State::Confirmed || is_news {
                planning.after.changed.insert(*case);
            }
            let is_undone = matches!(returned.state, State::Refused | State::Planned);
            if is_undone { &mut planning.after.undone } else { &mut planning.after.done }.insert(*case);
        }
        Ok(())
    }

    fn next<T: Task>(
        &mut self,
        task: &T,
        planning: &mut Planning<'_, T>,
        room: usize,
        run: &mut Run<'_>,
    ) -> Result<Vec<Call>, LedgerError> {
        if run.is_stopped() {
            // What was heard is recorded all the same; a later run sends what is planned.
            planning.next(task, usize::MAX, run)?;
            return Ok(Vec::new());
        }
        loop {
            for (case, id, reason) in planning.next(task, room.saturating_sub(self.waiting.len()), run)? {
                let operation = run.ledger.operation(id)?;
                if operation.state == State::Planned {
                    self.cases.insert(id, case);
                    self.waiting.push_back(run.call(operation, &reason)?);
                }
            }
            let calls = run.claim(&mut self.waiting, &mut self.busy, room)?;
            // Or nothing of this share may leave, and there is more.
            if !calls.is_empty() || !self.waiting.is_empty() || planning.is_done() {
                return Ok(calls);
            }
        }
    }
}

impl<'a> Run<'a> {
    pub(super) fn frame(&self) -> Frame<'a> {
        Frame { settings: self.settings, task: self.task, now: self.now }
    }

    pub(super) fn concurrency(&self) -> usize {
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
    pub(super) fn settle(&mut self, settled: Vec<(OperationId, Answer, LearntFrom)>) -> Result<(), LedgerError> {
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
