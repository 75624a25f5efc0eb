//! Cases of a task that go through its passes together.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::engine::Run;
use super::most::Most;
use crate::ledger::LedgerError;
use crate::task::Task;

/// How often one case is looked at again in one run because something it waited for was confirmed.
const MOST_PASSES: u32 = 16;

/// Cases that are looked at, planned and sent for together, and again as long as anything new comes of it.
pub(super) struct Batch {
    /// Those to look at in the next pass.
    pub(super) ids: Vec<i64>,
    /// From the first to the last of all its cases.
    pub(super) range: RangeInclusive<i64>,
    pub(super) cases: u64,
    /// How many are over.
    pub(super) passes: u32,
    /// Something was confirmed while its cases were looked at.
    pub(super) missed_something: bool,
    /// Cases whose steps the ledger refused before.
    pub(super) refused: HashSet<i64>,
}

/// A case, and what the other side says of it.
pub(super) type Observed<T> = (i64, <T as Task>::Case, <T as Task>::Seen);

/// A batch whose cases were looked at.
pub(super) struct Looked<T: Task> {
    pub(super) batch: Batch,
    pub(super) seen: Vec<Observed<T>>,
}

impl Batch {
    /// The next cases after that one, if there are any.
    pub(super) fn next<T: Task>(task: &T, after: &mut i64, run: &Run<'_>) -> Result<Option<Self>, LedgerError> {
        let most = run.task.batch_size.saturating_mul(T::BATCHES);
        let ids = task.cases(run.ledger, *after, most, &run.frame())?;
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(None) };
        *after = *last;
        let cases = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let range = *first..=*last;
        Ok(Some(Self { ids, range, cases, passes: 0, missed_something: false, refused: HashSet::new() }))
    }

    /// Gives it back if there is reason for one more pass; counts it as done if not.
    pub(super) fn unless_done(self, most: &mut Most, run: &mut Run<'_>) -> Option<Self> {
        if !self.ids.is_empty() && self.passes < MOST_PASSES && !run.is_stopped() {
            return Some(self);
        }
        run.tell_left(&most.left(&self.range));
        run.summary.cases += self.cases;
        run.watch.progress(self.cases);
        None
    }
}
