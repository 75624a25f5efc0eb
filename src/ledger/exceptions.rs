//! Exceptions: each open one stands once, however many runs see it.

use chrono::{DateTime, Utc};
use rusqlite::OptionalExtension;
use serde::Serialize;

use super::row::{Columns, time_text};
use super::{Ledger, Result, Writer};
use crate::domain::exception::{ExceptionDraft, ExceptionKind};
use crate::domain::id::{EntryId, ExceptionId, OperationId, OrderId, RunId};
use crate::domain::letter::Letter;

/// An exception that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenException {
    pub id: ExceptionId,
    pub kind: ExceptionKind,
    pub subject: String,
    pub message: String,
    pub acknowledged: bool,
    pub raised_at: DateTime<Utc>,
    pub operation: Option<OperationId>,
    pub run: Option<RunId>,
}

impl Ledger {
    pub fn open_exceptions(&self) -> Result<Vec<OpenException>> {
        self.exceptions("WHERE state <> 'resolved' ORDER BY id", [])
    }

    pub fn exceptions_of_order(&self, order: OrderId) -> Result<Vec<OpenException>> {
        self.exceptions("WHERE state <> 'resolved' AND order_id = ?1 ORDER BY id", [order.0])
    }

    /// The first `most` that a run raised, and how many more there are.
    pub fn exceptions_of_run(&self, run: RunId, most: u32) -> Result<(Vec<OpenException>, u64)> {
        let first = self.exceptions("WHERE run_id = ?1 ORDER BY id LIMIT ?2", (run.0, most))?;
        let mut count = self.connection.prepare_cached("SELECT count(*) FROM exceptions WHERE run_id = ?1")?;
        let all: i64 = count.query_row([run.0], |row| row.get(0))?;
        let all = u64::try_from(all).unwrap_or(0);
        let left_out = all.saturating_sub(u64::try_from(first.len()).unwrap_or(0));
        Ok((first, left_out))
    }

    fn exceptions(&self, tail: &str, parameters: impl rusqlite::Params) -> Result<Vec<OpenException>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT * FROM exceptions {tail}"))?;
        statement
            .query_and_then(parameters, |row| {
                Ok(OpenException {
                    id: row.id("id", ExceptionId)?,
                    kind: row.choice("kind", ExceptionKind::parse)?,
                    subject: row.plain("subject")?,
                    message: row.plain("message")?,
                    acknowledged: row.plain::<String>("state")? == "acknowledged",
                    raised_at: row.time("raised_at")?,
                    operation: row.optional_id("operation_id", OperationId)?,
                    run: row.optional_id("run_id", RunId)?,
                })
            })?
            .collect()
    }
}

impl Writer<'_> {
    /// Raises an exception and, if it is new, queues the letter that tells of it. The letter's event counts how often the
    /// same exception was raised and resolved before: each time is an event of its own.
    pub fn raise_with(&self, draft: &ExceptionDraft, letter: Option<&Letter>, task: Option<&str>) -> Result<bool> {
        let new = self.raise(draft, task)?;
        if let (true, Some(letter)) = (new, letter) {
            let before: i64 = self
                .connection
                .prepare_cached("SELECT count(*) - 1 FROM exceptions WHERE kind = ?1 AND subject = ?2")?
                .query_row((draft.kind.as_str(), &draft.subject), |row| row.get(0))?;
            self.queue_letter(&Letter { event: format!("{}:{before}", letter.event), ..letter.clone() })?;
        }
        Ok(new)
    }

    /// Raises an exception. `true` if it is new; one that is open already only gets the newest message.
    pub fn raise(&self, draft: &ExceptionDraft, task: Option<&str>) -> Result<bool> {
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO exceptions (kind, subject, message, state, order_id, payment_id, document_id, operation_id, task,
                                         raised_at, run_id, entry_id)
                 VALUES (?1, ?2, ?3, 'open', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT (kind, subject) WHERE state <> 'resolved' DO NOTHING",
            )?
            .execute((
                draft.kind.as_str(),
                &draft.subject,
                &draft.message,
                draft.about.order.map(|id| id.0),
                draft.about.payment.map(|id| id.0),
                draft.about.document.map(|id| id.0),
                draft.about.operation.map(|id| id.0),
                task,
                time_text(self.now),
                self.run.map(|run| run.0),
                draft.about.entry.map(|id| id.0),
            ))?;
        if inserted == 0 {
            self.connection
                .prepare_cached(
                    "UPDATE exceptions SET message = ?3 WHERE kind = ?1 AND subject = ?2 AND state <> 'resolved' AND message <> ?3",
                )?
                .execute((draft.kind.as_str(), &draft.subject, &draft.message))?;
        }
        Ok(inserted == 1)
    }

    /// Resolves what a task's plan raised for an order or document earlier and no longer raises: its reason is gone.
    pub fn resolve_gone(&self, task: &str, scope: &super::cases::Scope, still: &[ExceptionDraft]) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            // A condition for each index: SQLite takes a partial index only where its own condition stands beside the column.
            "SELECT id, kind, subject FROM exceptions WHERE task = ?1 AND +operation_id IS NULL
               AND ((order_id = ?2 AND state <> 'resolved') OR (document_id = ?3 AND state <> 'resolved')
                 OR (payment_id = ?4 AND state <> 'resolved') OR (entry_id = ?5 AND state <> 'resolved'))",
        )?;
        let rows = [
            scope.order.map(|id| id.0),
            scope.document.map(|id| id.0),
            scope.payment.map(|id| id.0),
            scope.entry.map(|id| id.0),
        ];
        let [order, document, payment, entry] = rows;
        let scoped = (task, order, document, payment, entry);
        let open: Vec<(i64, String, String)> = statement
            .query_map(scoped, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (id, kind, subject) in open {
            if !still.iter().any(|draft| draft.kind.as_str() == kind && draft.subject == subject) {
                self.resolve(ExceptionId(id))?;
            }
        }
        Ok(())
    }

    /// Resolves every open exception about an operation: it has gone through after all.
    pub fn resolve_operation(&self, operation: OperationId) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE exceptions SET state = 'resolved', resolved_at = ?2 WHERE operation_id = ?1 AND state <> 'resolved'")?
            .execute((operation.0, time_text(self.now)))?;
        Ok(())
    }

    /// Resolves what was told of every attempt at collecting an entry: one has gone through.
    pub(super) fn resolve_collections(&self, entry: EntryId) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE exceptions SET state = 'resolved', resolved_at = ?2 WHERE state <> 'resolved'
                   AND operation_id IN (SELECT id FROM operations WHERE entry_id = ?1)",
            )?
            .execute((entry.0, time_text(self.now)))?;
        Ok(())
    }

    /// What was raised about a subject that has no row of its own.
    pub fn resolve_subject(&self, kind: ExceptionKind, subject: &str) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE exceptions SET state = 'resolved', resolved_at = ?3 WHERE kind = ?1 AND subject = ?2 AND state <> 'resolved'",
            )?
            .execute((kind.as_str(), subject, time_text(self.now)))?;
        Ok(())
    }

    /// Whether something of this kind is open about the subject.
    pub fn is_told(&self, draft: &ExceptionDraft) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM exceptions WHERE kind = ?1 AND subject = ?2 AND state <> 'resolved')",
            )?
            .query_row((draft.kind.as_str(), &draft.subject), |row| row.get(0))?)
    }

    /// Whether just this was told of the subject before, and is resolved.
    pub fn is_ended(&self, draft: &ExceptionDraft) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(
            "SELECT state = 'resolved' AND message = ?3 FROM exceptions WHERE kind = ?1 AND subject = ?2 ORDER BY id DESC LIMIT 1",
        )?;
        let newest = statement.query_row((draft.kind.as_str(), &draft.subject, &draft.message), |row| row.get(0));
        Ok(newest.optional()?.unwrap_or(false))
    }

    pub fn resolve(&self, id: ExceptionId) -> Result<bool> {
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE exceptions SET state = 'resolved', resolved_at = ?2 WHERE id = ?1 AND state <> 'resolved'",
            )?
            .execute((id.0, time_text(self.now)))?;
        Ok(changed == 1)
    }
}
