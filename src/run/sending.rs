//! What is planned and sent for a batch: at most one operation per target at a time, and none after one that got no answer.

use std::collections::{HashMap, HashSet, VecDeque};

use super::batch::Looked;
use super::call::{Call, Returned};
use super::engine::Run;
use super::most::Most;
use super::planning::Planning;
use super::record::Recorder;
use crate::domain::id::OperationId;
use crate::ledger::LedgerError;
use crate::operation::{Answer, Kind, Operation, State, Target};
use crate::task::Task;

pub(super) struct Sending<'p, T: Task> {
    pub(super) planning: Planning<'p, T>,
    /// The case each operation is for.
    cases: HashMap<OperationId, i64>,
    waiting: VecDeque<Call>,
    busy: HashSet<Target>,
}

impl<'p, T: Task> Sending<'p, T> {
    pub(super) fn of(looked: Looked<T>, most: &'p mut Most) -> Self {
        let planning = Planning::of(looked, most);
        Self { planning, cases: HashMap::new(), waiting: VecDeque::new(), busy: HashSet::new() }
    }

    pub(super) fn heard(&mut self, answers: &[Returned<Answer>], run: &mut Run<'_>) -> Result<(), LedgerError> {
        for returned in answers {
            self.busy.remove(&returned.call.operation.target);
        }
        let after = &mut self.planning.after;
        for returned in run.record(answers, Recorder::answered)? {
            let Some(case) = self.cases.get(&returned.id) else { continue };
            if is_news(&returned) {
                after.changed.insert(*case);
            }
            let is_undone = matches!(returned.state, State::Refused | State::Planned);
            if is_undone { &mut after.undone } else { &mut after.done }.insert(*case);
        }
        Ok(())
    }

    pub(super) fn next(&mut self, task: &T, room: usize, run: &mut Run<'_>) -> Result<Vec<Call>, LedgerError> {
        if run.is_stopped() {
            // What was heard is recorded all the same; a later run sends what is planned.
            self.planning.next(task, usize::MAX, run)?;
            return Ok(Vec::new());
        }
        // Questions were answered, and every call that may be under way is.
        if room == 0 {
            return Ok(Vec::new());
        }
        loop {
            for (case, id, reason) in self.planning.next(task, room.saturating_sub(self.waiting.len()), run)? {
                let operation = run.ledger.operation(id)?;
                if operation.state == State::Planned {
                    self.cases.insert(id, case);
                    self.waiting.push_back(run.call(operation, &reason)?);
                }
            }
            let calls = run.claim(&mut self.waiting, &mut self.busy, room)?;
            // Or nothing of this share may leave, and there is more.
            if !calls.is_empty() || !self.waiting.is_empty() || self.planning.is_done() {
                return Ok(calls);
            }
        }
    }
}

/// Whether there may be more to do for its case.
fn is_news(returned: &Operation) -> bool {
    match (returned.state, returned.kind) {
        // What could not be closed is not as it was seen: somebody may have paid.
        (State::Refused, Kind::Cancel) => true,
        // Of what is gone nothing is decided any more.
        (State::Confirmed, kind) => kind != Kind::Delete,
        _ => false,
    }
}
