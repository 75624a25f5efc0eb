//! Where a run tells of itself while it runs: the log file always, stderr with `-v`, a progress bar on a terminal.

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::engine::{Level, Watch};
use super::log::Log;

/// How much a run says on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing but errors.
    Quiet,
    Normal,
    /// Every step.
    Verbose,
    /// And every reason for doing nothing.
    Detailed,
}

pub struct Teller<'a> {
    /// None in a dry run.
    pub log: Option<Log>,
    pub err: &'a mut dyn Write,
    pub verbosity: Verbosity,
    bar: ProgressBar,
}

impl std::fmt::Debug for Teller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teller").field("log", &self.log).field("verbosity", &self.verbosity).finish_non_exhaustive()
    }
}

impl<'a> Teller<'a> {
    pub fn new(log: Option<Log>, err: &'a mut dyn Write, verbosity: Verbosity, on_terminal: bool, task: &str) -> Self {
        let bar = if on_terminal && verbosity == Verbosity::Normal {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant that indicatif accepts; without it the bar only looks plainer.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}: {pos} looked at, {per_sec}") {
                bar.set_style(style);
            }
            bar.set_message(task.to_owned());
            bar
        } else {
            ProgressBar::hidden()
        };
        Self { log, err, verbosity, bar }
    }

    /// Clears the progress bar and gives the log back.
    pub fn finish(self) -> Option<Log> {
        self.bar.finish_and_clear();
        self.log
    }
}

impl Watch for Teller<'_> {
    fn say(&mut self, level: Level, text: &str) {
        if let Some(log) = &mut self.log {
            log.line(level, text);
        }
        let shown = match level {
            Level::Record => false,
            Level::Detail => self.verbosity >= Verbosity::Detailed,
            Level::Info | Level::Warning | Level::Error => self.verbosity >= Verbosity::Verbose,
        };
        if shown {
            let err = &mut self.err;
            // A closed stderr is no reason to stop moving money as intended.
            self.bar.suspend(|| drop(writeln!(err, "{text}")));
        }
    }

    fn progress(&mut self, done: u64) {
        self.bar.inc(done);
    }
}
