//! The intent journal: operations recorded before anything is sent, and every answer they got.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use serde::Serialize;

use super::collections::unclear;
use super::row::{Columns, InOrder, Layout, time_text};
use super::{Ledger, LedgerError, Result, Writer, corrections, payments, requests};
use crate::domain::id::{
    DocumentId, EntryId, EventId, JournalId, MailId, MandateId, ModificationId, OperationId, OrderId, PaymentId,
    PayoutJournalId,
};
use crate::domain::money::Amount;
use crate::operation::{Answer, Event, Intent, Key, Kind, Operation, Refusal, State, Subject, Target};

/// The sum an intent must not break (rule 2), with its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumCheck {
    pub limit: Amount,
    pub claimed: Amount,
}

/// One row of an operation's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperationEvent {
    pub at: DateTime<Utc>,
    pub state: State,
    pub note: String,
}

/// The collection that made the payment is one of its own.
const OF_PAYMENT: &str =
    "WHERE payment_id = ?1 OR id IN (SELECT operation_id FROM collected_payments WHERE payment_id = ?1) ORDER BY id";

impl Ledger {
    pub fn operation(&self, id: OperationId) -> Result<Operation> {
        operation(&self.connection, id)
    }

    pub fn operations_of_payment(&self, payment: PaymentId) -> Result<Vec<Operation>> {
        list(&self.connection, OF_PAYMENT, [payment.0])
    }

    /// Operations of these kinds that a call was made for and that have no final answer, and may be asked about now: those
    /// that wait for nothing, or for longer than `latest`, which no wait does by right.
    pub fn to_be_asked(
        &self,
        kinds: &[Kind],
        now: DateTime<Utc>,
        latest: DateTime<Utc>,
        after: OperationId,
        limit: u32,
    ) -> Result<Vec<Operation>> {
        let all = list(
            &self.connection,
            "WHERE state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn')
               AND state IN ('unknown', 'accepted') AND +id > ?1
               AND (next_attempt_at IS NULL OR next_attempt_at <= ?2 OR next_attempt_at > ?3)",
            (after.0, time_text(now), time_text(latest)),
        )?;
        let wanted = sorted(all).into_iter().filter(|operation| kinds.contains(&operation.kind));
        Ok(wanted.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }

    pub fn operation_events(&self, id: OperationId) -> Result<Vec<OperationEvent>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT at, state, note FROM operation_events WHERE operation_id = ?1 ORDER BY id")?;
        statement
            .query_and_then([id.0], |row| {
                Ok(OperationEvent {
                    at: row.time("at")?,
                    state: row.choice("state", State::parse)?,
                    note: row.plain("note")?,
                })
            })?
            .collect()
    }

    /// What was last said about an operation.
    pub fn operation_note(&self, id: OperationId) -> Result<String> {
        Ok(self
            .connection
            .prepare_cached("SELECT note FROM operations WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))?)
    }

    /// Operations that are neither done nor refused, oldest first.
    pub fn open_operations(&self) -> Result<Vec<Operation>> {
        list(&self.connection, "WHERE state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn') ORDER BY id", [])
    }
}

impl Writer<'_> {
    /// Commits an intent. The sums over our own intents are asserted here, in the transaction that makes it count.
    pub fn record_intent(&self, intent: &Intent, note: &str) -> Result<OperationId> {
        self.check_sum(intent)?;
        if let (Kind::Capture, Some(document)) = (intent.kind, intent.subject.document)
            && corrections::is_cancelled(self.connection, document)?
        {
            // By a person, since the case was read.
            return Err(LedgerError::Invariant("a capture for an invoice that was cancelled meanwhile".to_owned()));
        }
        self.assert_unpaid(intent.kind, intent.subject)?;
        if let Some(why) = self.objection_to_collecting(intent.subject, intent.amount)? {
            return Err(LedgerError::Invariant(format!("no collection now: {why}")));
        }
        // What was told of earlier attempts is over: this one has an outcome of its own.
        if let Some(entry) = intent.subject.entry {
            self.resolve_collections(entry)?;
            self.keep_shop()?;
        }
        let target = Target::of(intent.kind, intent.subject);
        self.connection
            .prepare_cached(
                "INSERT INTO operations (kind, target, payment_id, document_id, journal_id, mail_id, amount_minor, currency,
                                         attempt, key, request_hash, state, planned_at, status_since, note, order_id, event_id,
                                         entry_id, mandate_id, payout_journal_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'planned', ?12, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            )?
            .execute(rusqlite::params![
                intent.kind.as_str(),
                target.as_str(),
                intent.subject.payment.map(|id| id.0),
                intent.subject.document.map(|id| id.0),
                intent.subject.journal.map(|id| id.0),
                intent.subject.mail.map(|id| id.0),
                intent.amount.map(Amount::minor),
                intent.amount.map(|amount| amount.currency().code()),
                i64::from(intent.attempt),
                intent.key.as_str(),
                requests::request_hash(self.connection, self.books, intent)?,
                time_text(self.now),
                note,
                intent.subject.order.map(|id| id.0),
                intent.subject.event.map(|id| id.0),
                intent.subject.entry.map(|id| id.0),
                intent.subject.mandate.map(|id| id.0),
                intent.subject.payout_journal.map(|id| id.0),
            ])?;
        let id = OperationId(self.connection.last_insert_rowid());
        self.event(id, State::Planned, note)?;
        Ok(id)
    }

    /// Σ captures ≤ authorised and Σ refunds ≤ captured, over what is claimed already.
    fn check_sum(&self, intent: &Intent) -> Result<()> {
        let (Some(payment), Some(amount)) = (intent.subject.payment, intent.amount) else { return Ok(()) };
        let payment = payments::payment(self.connection, payment)?;
        let check = match intent.kind {
            Kind::Capture | Kind::Release => SumCheck { limit: payment.authorised, claimed: payment.claimed },
            Kind::Refund => {
                let limit = payment.captured.checked_sub(payment.charged_back)?;
                SumCheck { limit, claimed: payment.refund_claimed }
            }
            Kind::Collect
            | Kind::Journal
            | Kind::PayoutJournal
            | Kind::Mail
            | Kind::Cancel
            | Kind::Delete
            | Kind::Event => return Ok(()),
        };
        let wanted = check.claimed.checked_add(amount)?;
        if wanted.minor() > check.limit.minor() || !amount.is_positive() {
            return Err(LedgerError::Invariant(format!(
                "a {} of {amount} on payment {} with {} claimed of {}",
                intent.kind.as_str(),
                payment.transaction,
                check.claimed,
                check.limit
            )));
        }
        Ok(())
    }

    /// Claims a planned operation for sending at the moment `at`. `false` if another run has taken it, or its target is busy, or
    /// money came since that it must not be sent with.
    pub fn mark_sent(&self, id: OperationId, at: DateTime<Utc>) -> Result<bool> {
        let operation = operation(self.connection, id)?;
        if operation.state != State::Planned || self.unanswered(&operation.target)?.is_some() {
            return Ok(false);
        }
        let takes_away = matches!(operation.kind, Kind::Cancel | Kind::Delete);
        if takes_away && self.objection_to(operation.kind, operation.subject)?.is_some() {
            return Ok(false);
        }
        if self.objection_to_collecting(operation.subject, operation.amount)?.is_some() {
            return Ok(false);
        }
        if operation.kind == Kind::Capture && self.is_collected_otherwise(operation.subject)? {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "UPDATE operations SET state = 'sent', sent_at = ifnull(sent_at, ?2), last_sent_at = ?2, run_id = ?3,
                   tries = tries + 1 WHERE id = ?1",
            )?
            .execute((id.0, time_text(at), self.run.map(|run| run.0)))?;
        self.event(id, State::Sent, "")?;
        Ok(true)
    }

    /// The operation that keeps others away from a target: the one without an answer (rule 4).
    fn unanswered(&self, target: &Target) -> Result<Option<OperationId>> {
        Ok(self
            .connection
            .prepare_cached("SELECT id FROM operations WHERE target = ?1 AND state IN ('sent', 'unknown')")?
            .query_row([target.as_str()], |row| row.get(0))
            .optional()?
            .map(OperationId))
    }

    /// The call, or a repetition of it, may have left as late as this: what may still take effect is counted from here.
    pub fn called_until(&self, id: OperationId, at: DateTime<Utc>) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE operations SET last_sent_at = ?2 WHERE id = ?1 AND state = 'sent'")?
            .execute((id.0, time_text(at)))?;
        Ok(())
    }

    /// Moves an operation by what the other side said. `wait` is how long later runs leave it alone if it stays open. An answer it
    /// cannot take leaves it as it was.
    pub fn record_answer(&self, id: OperationId, answer: &Answer, wait: TimeDelta) -> Result<Operation> {
        let (event, modification, refusal, note) = match answer {
            Answer::Accepted { modification } => (Event::Accept, Some(modification), None, String::new()),
            Answer::Confirmed { modification, .. } => (Event::Confirm, Some(modification), None, String::new()),
            Answer::Refused(refusal) => {
                (Event::Refuse, None, Some(refusal), format!("{} ({})", refusal.message, refusal.code))
            }
            Answer::NotDone { why, .. } => (Event::NotDone, None, None, why.clone()),
            Answer::Unknown { why } => (Event::NoAnswer, None, None, why.clone()),
        };
        let next = match answer {
            Answer::Confirmed { .. } => None,
            Answer::Refused(refusal) => refusal.transient.then(|| self.now + wait),
            Answer::Accepted { .. } | Answer::NotDone { .. } | Answer::Unknown { .. } => Some(self.now + wait),
        };
        let before = operation(self.connection, id)?;
        let (state, since) = self.after(&before, event)?;
        // One statement: where another attempt keeps it from moving, nothing of it is changed.
        self.connection
            .prepare_cached(
                "UPDATE operations SET state = ?2, status_since = ?3, note = ?4, next_attempt_at = ?5,
                   modification_id = ifnull(?6, modification_id), refusal_code = ?7, refusal_message = ?8, refusal_transient = ?9
                 WHERE id = ?1",
            )?
            .execute((
                id.0,
                state.as_str(),
                time_text(since),
                &note,
                next.map(time_text),
                modification.map(ModificationId::as_str),
                refusal.map(|refusal| refusal.code.as_str()),
                refusal.map(|refusal| refusal.message.as_str()),
                refusal.is_some_and(|refusal| refusal.transient),
            ))?;
        self.moved(&before, state, &note)
    }

    /// Leaves an operation as it is, and alone for a while.
    pub fn defer(&self, id: OperationId, wait: TimeDelta, note: &str) -> Result<Operation> {
        self.connection
            .prepare_cached("UPDATE operations SET next_attempt_at = ?2, note = ?3 WHERE id = ?1")?
            .execute((id.0, time_text(self.now + wait), note))?;
        operation(self.connection, id)
    }

    pub fn move_operation(&self, id: OperationId, event: Event, note: &str) -> Result<Operation> {
        let before = operation(self.connection, id)?;
        let (state, since) = self.after(&before, event)?;
        self.connection
            .prepare_cached("UPDATE operations SET state = ?2, status_since = ?3, note = ?4 WHERE id = ?1")?
            .execute((id.0, state.as_str(), time_text(since), note))?;
        self.moved(&before, state, note)
    }

    /// How an operation stands after an event, and since when: the one place where that is decided.
    fn after(&self, before: &Operation, event: Event) -> Result<(State, DateTime<Utc>)> {
        let state = before.state.apply(event)?;
        // Sending and not knowing do not make it stand differently: the validity clock goes on (trap T17).
        let pending = |state| matches!(state, State::Planned | State::Sent | State::Unknown);
        let changed = state != before.state && !(pending(state) && pending(before.state));
        Ok((state, if changed { self.now } else { before.status_since }))
    }

    fn moved(&self, before: &Operation, state: State, note: &str) -> Result<Operation> {
        if state != before.state || before.state == State::Unknown {
            self.event(before.id, state, note)?;
        }
        if let (Kind::Journal, State::Confirmed, Some(journal)) = (before.kind, state, before.subject.journal) {
            self.tie_reopened(journal)?;
        }
        operation(self.connection, before.id)
    }

    /// Withdraws the attempts at the same effect that are planned, and so certainly not done. `false` if there are none.
    pub fn withdraw_other_attempts(&self, operation: &Operation) -> Result<bool> {
        let same = "WHERE kind = ?1 AND payment_id IS ?2 AND document_id IS ?3 AND id <> ?4 AND state = 'planned' AND entry_id IS ?5
                      AND journal_id IS NULL AND payout_journal_id IS NULL AND mail_id IS NULL AND order_id IS NULL AND event_id IS NULL";
        let (payment, document) = (operation.subject.payment.map(|id| id.0), operation.subject.document.map(|id| id.0));
        let entry = operation.subject.entry.map(|id| id.0);
        let others = list(self.connection, same, (operation.kind.as_str(), payment, document, operation.id.0, entry))?;
        for other in &others {
            self.move_operation(other.id, Event::Withdraw, "an earlier attempt was carried out after all")?;
        }
        Ok(!others.is_empty())
    }

    /// A person wants another try: a refused operation gets a new attempt, one that was given up is asked about again.
    pub fn request_retry(&self, id: OperationId) -> Result<Operation> {
        let before = operation(self.connection, id)?;
        match before.state {
            State::GivenUp => {
                if let Some(other) = self.unanswered(&before.target)? {
                    return Err(LedgerError::Invariant(format!(
                        "operation {id} has to wait until operation {other} about the same has its answer"
                    )));
                }
                self.connection
                    .prepare_cached("UPDATE operations SET next_attempt_at = NULL WHERE id = ?1")?
                    .execute([id.0])?;
                self.move_operation(id, Event::Reopen, "taken up again by a person")?;
            }
            State::Refused => {
                if let Some(told) =
                    before.subject.entry.map(|entry| unclear(self.connection, entry)).transpose()?.flatten()
                {
                    return Err(LedgerError::Invariant(format!(
                        "operation {id} may have been carried out under its key before: first comes exception {told}"
                    )));
                }
                self.connection
                    .prepare_cached("UPDATE operations SET retry_requested = 1 WHERE id = ?1")?
                    .execute([id.0])?;
                self.event(id, State::Refused, "another attempt was asked for by a person")?;
            }
            State::Planned | State::Unknown | State::Accepted => {
                self.connection
                    .prepare_cached("UPDATE operations SET next_attempt_at = NULL WHERE id = ?1")?
                    .execute([id.0])?;
            }
            State::Sent | State::Confirmed | State::Withdrawn => {
                return Err(LedgerError::Invariant(format!(
                    "operation {id} is {} and cannot be retried",
                    before.state
                )));
            }
        }
        operation(self.connection, id)
    }

    /// What earlier runs of a task sent and got no answer for is Unknown (rule 4): whoever holds the task's lock knows that
    /// none of them is alive. When they died nobody knows; that they called no more after this moment `at` is certain.
    pub fn recover_operations(&self, task: &str, at: DateTime<Utc>) -> Result<Vec<OperationId>> {
        let sent = list(
            self.connection,
            "WHERE state IN ('sent', 'unknown') AND state = 'sent' AND run_id IN (SELECT id FROM runs WHERE task = ?1)",
            [task],
        )?;
        sorted(sent)
            .iter()
            .map(|operation| {
                let note = "the run that sent it died before an answer came";
                self.called_until(operation.id, at)?;
                self.move_operation(operation.id, Event::NoAnswer, note)?;
                Ok(operation.id)
            })
            .collect()
    }

    fn event(&self, id: OperationId, state: State, note: &str) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO operation_events (operation_id, run_id, at, state, note) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((id.0, self.run.map(|run| run.0), time_text(self.now), state.as_str(), note))?;
        Ok(())
    }
}

pub(super) fn operation(connection: &Connection, id: OperationId) -> Result<Operation> {
    connection
        .prepare_cached("SELECT * FROM operations WHERE id = ?1")?
        .query_row([id.0], |row| Ok(from_row(row)))
        .optional()?
        .ok_or_else(|| LedgerError::NotFound { what: format!("operation {id}") })?
}

/// Oldest first. Sorted here where `SQLite` would rather read the whole table in order than the few rows of a partial index,
/// whose condition stands in the query word for word.
fn sorted(mut operations: Vec<Operation>) -> Vec<Operation> {
    operations.sort_by_key(|operation| operation.id);
    operations
}

pub(super) fn list(connection: &Connection, tail: &str, parameters: impl Params) -> Result<Vec<Operation>> {
    let mut statement = connection.prepare_cached(&["SELECT * FROM operations ", tail].concat())?;
    statement.query_and_then(parameters, from_row)?.collect()
}

static LAYOUT: Layout = Layout::new(&[
    "id",
    "kind",
    "target",
    "payment_id",
    "document_id",
    "journal_id",
    "mail_id",
    "amount_minor",
    "currency",
    "attempt",
    "key",
    "request_hash",
    "state",
    "planned_at",
    "status_since",
    "sent_at",
    "last_sent_at",
    "run_id",
    "tries",
    "next_attempt_at",
    "modification_id",
    "refusal_code",
    "refusal_message",
    "refusal_transient",
    "retry_requested",
    "note",
    "order_id",
    "event_id",
    "entry_id",
    "mandate_id",
    "payout_journal_id",
]);

pub(super) fn from_row(row: &Row<'_>) -> Result<Operation> {
    let row = InOrder::of(row, &LAYOUT)?;
    Ok(Operation {
        id: row.id("id", OperationId)?,
        kind: row.choice("kind", Kind::parse)?,
        target: Target::from_ledger(row.plain("target")?),
        subject: Subject {
            payment: row.optional_id("payment_id", PaymentId)?,
            document: row.optional_id("document_id", DocumentId)?,
            journal: row.optional_id("journal_id", JournalId)?,
            payout_journal: row.optional_id("payout_journal_id", PayoutJournalId)?,
            mail: row.optional_id("mail_id", MailId)?,
            order: row.optional_id("order_id", OrderId)?,
            event: row.optional_id("event_id", EventId)?,
            entry: row.optional_id("entry_id", EntryId)?,
            mandate: row.optional_id("mandate_id", MandateId)?,
        },
        amount: match row.plain::<Option<i64>>("amount_minor")? {
            Some(minor) => Some(Amount::from_minor(minor, row.currency()?)),
            None => None,
        },
        attempt: row.count("attempt")?,
        key: Key::from_ledger(row.plain("key")?),
        state: row.choice("state", State::parse)?,
        planned_at: row.time("planned_at")?,
        status_since: row.time("status_since")?,
        sent_at: row.optional_time("sent_at")?,
        last_sent_at: row.optional_time("last_sent_at")?,
        tries: row.count("tries")?,
        next_attempt_at: row.optional_time("next_attempt_at")?,
        modification: row.optional_text("modification_id")?.map(ModificationId::parse).transpose()?,
        refusal: match row.plain::<Option<String>>("refusal_code")? {
            Some(code) => Some(Refusal {
                code,
                message: row.optional_text("refusal_message")?.unwrap_or_default().to_owned(),
                transient: row.plain("refusal_transient")?,
            }),
            None => None,
        },
        retry_requested: row.plain("retry_requested")?,
    })
}
