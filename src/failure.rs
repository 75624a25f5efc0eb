//! A command that cannot go on: what went wrong, which exit code it means, and what to do next.
//! The only place that renders an error.

use std::fmt;
use std::io::Write;

use serde_json::{Value, json};

use crate::exit::Exit;

/// Ends a command. Problems of single items are exceptions in the ledger, not failures.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub error: anyhow::Error,
    /// Each proposes a next step.
    pub hints: Vec<String>,
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, anyhow::anyhow!("{message}"))
    }

    pub fn config(message: impl fmt::Display) -> Self {
        Self::new(Exit::Config, anyhow::anyhow!("{message}"))
    }

    pub fn ledger(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Exit::Ledger, error)
    }

    pub fn bug(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Exit::Bug, error)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The error and its causes on one line, as mails and logs show it.
    pub fn line(&self) -> String {
        format!("{:#}", self.error)
    }

    /// For people, on stderr.
    pub fn render(&self, err: &mut dyn Write) -> std::io::Result<()> {
        writeln!(err, "error: {}", self.error)?;
        for cause in self.error.chain().skip(1) {
            writeln!(err, "  caused by: {cause}")?;
        }
        for hint in &self.hints {
            writeln!(err, "  hint: {hint}")?;
        }
        Ok(())
    }

    /// For scripts, the `error` member of the one document on stdout.
    pub fn json(&self) -> Value {
        json!({
            "message": self.error.to_string(),
            "causes": self.error.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>(),
            "hints": self.hints,
        })
    }
}
