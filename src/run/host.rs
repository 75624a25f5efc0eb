//! What the process lends a run: the time, signals, patience and threads. The simulation lends its own.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::workers::Workers;

#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// The time it really is, which a long run's `now` is not: when a call left.
    pub clock: &'a (dyn Fn() -> DateTime<Utc> + Sync),
    /// Whether a signal asked us to stop.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Lets time pass.
    pub pause: &'a (dyn Fn(Duration) + Sync),
    pub workers: Workers<'a>,
}

impl std::fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl<'a> Host<'a> {
    /// A real process: its own threads, which really sleep.
    pub fn process(clock: &'a (dyn Fn() -> DateTime<Utc> + Sync), stop: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { clock, stop, pause: &std::thread::sleep, workers: Workers::Threads }
    }
}
