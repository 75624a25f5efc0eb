//! Runs: which task ran when, and how it ended.

use chrono::{DateTime, Utc};
use rusqlite::Row;
use serde::Serialize;

use super::row::{Columns, time_text};
use super::{Ledger, Result, Writer};
use crate::domain::id::RunId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    pub id: RunId,
    pub task: String,
    pub state: RunState,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub pid: i64,
    pub exit_code: Option<i64>,
    /// Calls and questions that came back.
    pub calls: i64,
    pub error: Option<String>,
    pub log: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Alive, or died without a word.
    Started,
    Finished,
    /// Found dead by a later run.
    Abandoned,
}

impl RunState {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "started" => Some(Self::Started),
            "finished" => Some(Self::Finished),
            "abandoned" => Some(Self::Abandoned),
            _ => None,
        }
    }
}

impl Ledger {
    pub fn last_run(&self, task: &str) -> Result<Option<Run>> {
        Ok(self.runs("WHERE task = ?1 ORDER BY id DESC LIMIT 1", [task])?.pop())
    }

    /// The newest finished runs of a task, newest first.
    pub fn finished_runs(&self, task: &str, limit: u32) -> Result<Vec<Run>> {
        self.runs("WHERE task = ?1 AND state <> 'started' ORDER BY id DESC LIMIT ?2", (task, limit))
    }

    /// Runs of a task that never said how they ended. Whoever holds the task's lock knows that they are dead.
    pub fn unfinished_runs(&self, task: &str) -> Result<Vec<Run>> {
        self.runs("WHERE task = ?1 AND state = 'started' ORDER BY id", [task])
    }

    fn runs(&self, tail: &str, parameters: impl rusqlite::Params) -> Result<Vec<Run>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT * FROM runs {tail}"))?;
        statement.query_and_then(parameters, from_row)?.collect()
    }
}

impl Writer<'_> {
    pub fn start_run(&self, task: &str, pid: u32) -> Result<RunId> {
        self.connection
            .prepare_cached("INSERT INTO runs (task, state, started_at, pid, log) VALUES (?1, 'started', ?2, ?3, '')")?
            .execute((task, time_text(self.now), i64::from(pid)))?;
        Ok(RunId(self.connection.last_insert_rowid()))
    }

    pub fn set_run_log(&self, run: RunId, log: &str) -> Result<()> {
        self.connection.prepare_cached("UPDATE runs SET log = ?2 WHERE id = ?1")?.execute((run.0, log))?;
        Ok(())
    }

    pub fn finish_run(
        &self,
        run: RunId,
        exit_code: u8,
        error: Option<&str>,
        calls: u64,
        at: DateTime<Utc>,
    ) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE runs SET state = 'finished', finished_at = ?2, exit_code = ?3, error = ?4, calls = ?5 WHERE id = ?1",
            )?
            .execute((run.0, time_text(at), i64::from(exit_code), error, i64::try_from(calls).unwrap_or(i64::MAX)))?;
        Ok(())
    }

    pub fn abandon_run(&self, run: RunId) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE runs SET state = 'abandoned', finished_at = ?2 WHERE id = ?1")?
            .execute((run.0, time_text(self.now)))?;
        Ok(())
    }
}

fn from_row(row: &Row<'_>) -> Result<Run> {
    Ok(Run {
        id: row.id("id", RunId)?,
        task: row.plain("task")?,
        state: row.choice("state", RunState::parse)?,
        started_at: row.time("started_at")?,
        finished_at: row.optional_time("finished_at")?,
        pid: row.plain("pid")?,
        exit_code: row.plain("exit_code")?,
        calls: row.plain("calls")?,
        error: row.plain("error")?,
        log: row.plain("log")?,
    })
}
