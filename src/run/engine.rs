//! The one shape of every task: resolve → observe → plan → record intent → act → record outcome → report.
//!
//! This is below locks, log files and terminals: it takes a task, the ports, the ledger and `now`, and nothing else.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::batch::Batch;
use super::call::{Call, Question, Returned};
use super::host::Host;
use super::most::Most;
use super::pass::pass;
use super::patience::guarded;
use super::ports::Ports;
use super::record::Recorder;
use super::summary::Summary;
use super::workers::work_through;
use crate::config::Settings;
use crate::config::settings::TaskSettings;
use crate::domain::consequence::LearntFrom;
use crate::domain::id::{OperationId, RunId};
use crate::ledger::{Ledger, LedgerError, Writer};
use crate::operation::decide::latest_wait;
use crate::operation::{Answer, Kind, LookUp, Operation, Target};
use crate::task::{Frame, Task};

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

/// Runs a task on all its cases, a batch at a time. While one batch is planned and sent for, the next is looked at; at most two are
/// under way.
pub fn execute<T: Task>(task: &T, run: &mut Run<'_>) -> Result<(), LedgerError> {
    if run.id.is_some() {
        resolve(T::KINDS, run)?;
    }
    if T::BATCHES == 1 {
        run.ledger.change_little()?;
    }
    // Where nothing outside is asked, or one thing at a time, nothing is gained by it.
    let looks_ahead = T::BATCHES == 1 && run.concurrency() > 1;
    let mut after = 0;
    let mut most = Most::new(task.most_begun(&run.frame()));
    let (mut looked, mut again) = (None, None);
    // What another run adds after the last case is for the next run.
    let mut is_last = false;
    loop {
        let next = match again.take() {
            None if !is_last && (looked.is_none() || looks_ahead) && !run.is_stopped() => {
                let next = Batch::next(task, &mut after, run)?;
                is_last = next.is_none();
                next
            }
            again => again,
        };
        if looked.is_none() && next.is_none() {
            break;
        }
        (looked, again) = pass(task, looked, next, &mut most, run)?;
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
        let ask = |operation| run.call(operation, "asked about").map(Question);
        let mut questions: VecDeque<Question> = open.into_iter().map(ask).collect::<Result<_, _>>()?;
        let (ports, clock) = (run.ports, run.host.clock);
        let ask = move |Question(call)| {
            let ago = call.operation.last_sent_at.map_or(TimeDelta::MAX, |sent| clock() - sent);
            let ago = ago.to_std().unwrap_or(Duration::ZERO);
            let outcome = guarded(|| ports.look_up(&call.request, ago));
            Returned { call, outcome }
        };
        work_through(run.host.workers, run.concurrency(), &ask, |answers: Vec<Returned<LookUp>>, room| {
            run.record(&answers, Recorder::looked_up)?;
            let next = if run.is_stopped() { 0 } else { room.questions.min(questions.len()) };
            Ok::<_, LedgerError>(questions.drain(..next).collect())
        })?;
    }
    Ok(())
}

impl<'a> Run<'a> {
    pub(super) fn frame(&self) -> Frame<'a> {
        Frame { settings: self.settings, task: self.task, now: self.now, is_rehearsal: self.id.is_none() }
    }

    pub(super) fn concurrency(&self) -> usize {
        usize::try_from(self.task.concurrency).unwrap_or(1)
    }

    pub(super) fn is_stopped(&self) -> bool {
        (self.host.stop)()
    }

    pub(super) fn call(&self, operation: Operation, reason: &str) -> Result<Call, LedgerError> {
        let request = self.ledger.request(&operation)?;
        Ok(Call { operation, request, reason: reason.to_owned() })
    }

    /// Marks as many waiting operations Sent as there is room for, in one commit before the first of them leaves.
    pub(super) fn claim(
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
    pub(super) fn record<T>(
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
            let one = |returned: &Returned<T>| match &returned.outcome {
                Ok(outcome) => each(recorder, writer, &returned.call.operation, outcome),
                Err(panic) => recorder.panicked(writer, &returned.call.operation, panic),
            };
            let parts = writer.attempt_each(answers, one)?;
            let part = |(returned, part): (&Returned<T>, Result<Operation, LedgerError>)| {
                part.or_else(|error| {
                    let operation = &returned.call.operation;
                    let after = recorder.unrecorded(writer, operation, &error)?;
                    unrecorded.push((operation.id, error));
                    Ok(after)
                })
            };
            answers.iter().zip(parts).map(part).collect::<Result<Vec<_>, _>>()
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
