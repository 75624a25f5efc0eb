//! The limit of a task that must not go wild: what one run begins, counted by cases.

use std::collections::HashSet;

use crate::task::{Action, Step};

/// How many cases one run may begin something for, where a task has such a limit.
pub(super) struct Most {
    most: Option<u32>,
    /// A case may take several passes.
    begun: HashSet<i64>,
}

impl Most {
    pub(super) fn new(most: Option<u32>) -> Self {
        Self { most, begun: HashSet::new() }
    }

    /// Counts the case, if it begins something.
    pub(super) fn admits(&mut self, case: i64, steps: &[Step]) -> bool {
        let Some(most) = self.most.and_then(|most| usize::try_from(most).ok()) else { return true };
        let begins = steps.iter().any(|step| matches!(step.action, Action::Send(_) | Action::Resume { .. }));
        if !begins || self.begun.contains(&case) {
            return true;
        }
        self.begun.len() < most && self.begun.insert(case)
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.begun.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn left(&self, about: String) -> Step {
        let most = self.most.unwrap_or_default();
        let reason = format!("this run has begun {most} already, the most it may; the next run goes on");
        Step { about, reason, action: Action::NotEligible("over the limit of one run") }
    }
}
