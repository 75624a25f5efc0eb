//! What the other side says of a batch, before anything is planned for it. A case is read when there is room to ask about it.

use std::collections::VecDeque;

use super::batch::{Batch, Looked, Observed};
use super::engine::Run;
use crate::ledger::LedgerError;
use crate::task::Task;

pub(super) struct Looking<T: Task> {
    batch: Batch,
    unread: VecDeque<i64>,
    read: VecDeque<(i64, T::Case)>,
    seen: Vec<Observed<T>>,
}

impl<T: Task> Looking<T> {
    pub(super) fn at(mut batch: Batch) -> Self {
        let unread: VecDeque<i64> = std::mem::take(&mut batch.ids).into();
        let seen = Vec::with_capacity(unread.len());
        Self { batch, unread, read: VecDeque::new(), seen }
    }

    pub(super) fn heard(
        &mut self,
        id: i64,
        case: T::Case,
        found: Result<T::Seen, String>,
        task: &T,
        run: &mut Run<'_>,
    ) {
        match found {
            Ok(found) => self.seen.push((id, case, found)),
            Err(panic) => run.bug(&format!("{}: {panic}", task.name(&case))),
        }
    }

    /// The next cases to ask about.
    pub(super) fn next(
        &mut self,
        task: &T,
        room: usize,
        run: &Run<'_>,
    ) -> Result<impl Iterator<Item = (i64, T::Case)>, LedgerError> {
        let room = if run.is_stopped() { 0 } else { room };
        if self.read.is_empty() && room > 0 {
            // Where nothing outside is asked, nothing is gained by turns.
            let share = if T::BATCHES > 1 { self.unread.len() } else { room.min(self.unread.len()) };
            let cases = self.unread.drain(..share);
            self.read = run.ledger.snapshot(|ledger| cases.map(|id| Ok((id, task.case(ledger, id)?))).collect())?;
        }
        let next = room.min(self.read.len());
        Ok(self.read.drain(..next))
    }

    /// Whatever order the answers came in, the plan is made in the order of the cases.
    pub(super) fn end(mut self, missed_something: bool) -> Looked<T> {
        self.seen.sort_by_key(|(id, _, _)| *id);
        Looked { batch: Batch { missed_something, ..self.batch }, seen: self.seen }
    }
}
