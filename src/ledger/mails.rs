//! The mail queue: one row per event, ever; delivery is an operation like any other.

use chrono::{DateTime, Utc};
use rusqlite::Row;

use super::row::{Columns, time_text};
use super::{LedgerError, Result, Writer};
use crate::domain::id::MailId;
use crate::domain::letter::{Letter, Recipient};

/// A mail as queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    pub id: MailId,
    pub event: String,
    pub recipient: Recipient,
    pub subject: String,
    pub body: String,
    pub written_at: DateTime<Utc>,
}

impl Writer<'_> {
    /// Queues a letter. `false` if its event has one already.
    pub fn queue_letter(&self, letter: &Letter) -> Result<bool> {
        Ok(self.add_letter(letter)?.is_some())
    }

    /// Queues a letter. `None` if its event has one already.
    pub(super) fn add_letter(&self, letter: &Letter) -> Result<Option<MailId>> {
        let added = self
            .connection
            .prepare_cached(
                "INSERT INTO mails (event, recipient, subject, body, written_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (event) DO NOTHING",
            )?
            .execute((&letter.event, letter.recipient.as_str(), &letter.subject, &letter.body, time_text(self.now)))?;
        Ok((added == 1).then(|| MailId(self.connection.last_insert_rowid())))
    }
}

pub(super) fn from_row(row: &Row<'_>) -> Result<QueuedMail, LedgerError> {
    Ok(QueuedMail {
        id: row.id("id", MailId)?,
        event: row.plain("event")?,
        recipient: row.choice("recipient", Recipient::parse)?,
        subject: row.plain("subject")?,
        body: row.plain("body")?,
        written_at: row.time("written_at")?,
    })
}
