//! The limit of a task that must not go wild: what one run begins, counted by cases.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use crate::task::{Action, Step};

/// So many cases that came to nothing do not count: what cannot be done must not be all a run gets to, and a run in which nothing can be
/// done ends.
const MOST_FAILED: u32 = 20;

/// How many cases one run may begin something for, where a task has such a limit.
pub(super) struct Most {
    limit: Option<u32>,
    /// A case may take several passes.
    begun: HashSet<i64>,
    /// Something of it was done, or may have been.
    done: HashSet<i64>,
    failed: u32,
    /// Those there was no room for, as a person names them.
    left: BTreeMap<i64, String>,
}

impl Most {
    pub(super) fn new(limit: Option<u32>) -> Self {
        Self { limit, begun: HashSet::new(), done: HashSet::new(), failed: 0, left: BTreeMap::new() }
    }

    /// Counts the case, if it begins something; what there is no room for is left.
    pub(super) fn admits(&mut self, case: i64, steps: &[Step], name: impl FnOnce() -> String) -> bool {
        let begins = steps.iter().any(|step| step.action.sends().is_some());
        if self.limit.is_none() || !begins || self.begun.contains(&case) || self.has_room() && self.begun.insert(case) {
            self.left.remove(&case);
            return true;
        }
        self.left.insert(case, name());
        false
    }

    fn has_room(&self) -> bool {
        self.limit.and_then(|most| usize::try_from(most).ok()).is_none_or(|most| self.begun.len() < most)
    }

    /// Something of these cases was done, or may have been.
    pub(super) fn done(&mut self, cases: impl IntoIterator<Item = i64>) {
        self.done.extend(cases);
    }

    /// Nothing came of these cases, for certain: there is room for others. Gives those of a batch that were left, to be looked at again.
    pub(super) fn failed(&mut self, cases: impl IntoIterator<Item = i64>, batch: &RangeInclusive<i64>) -> Vec<i64> {
        if self.limit.is_none() {
            return Vec::new();
        }
        for case in cases {
            if self.failed < MOST_FAILED && !self.done.contains(&case) && self.begun.remove(&case) {
                self.failed += 1;
            }
        }
        let left = self.left.keys().filter(|case| batch.contains(case));
        if self.has_room() { left.copied().collect() } else { Vec::new() }
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.begun.len()).unwrap_or(u64::MAX)
    }

    /// What is told of those of a batch that were left, and are left for good.
    pub(super) fn left(&mut self, batch: &RangeInclusive<i64>) -> Vec<Step> {
        let most = self.limit.unwrap_or_default();
        let reason = format!("this run has begun {most} already, the most it may; the next run goes on");
        let (left, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.left).into_iter().partition(|(case, _)| batch.contains(case));
        self.left = others;
        left.into_values()
            .map(|about| Step {
                about,
                reason: reason.clone(),
                action: Action::NotEligible("over the limit of one run"),
            })
            .collect()
    }
}
