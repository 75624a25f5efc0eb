//! Exceptions, runs and mails, and whether every row can be read at all.

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::domain::exception::ExceptionKind;
use crate::domain::id::{DocumentId, JournalId, MailId, PaymentId};
use crate::ledger::row::Columns;
use crate::ledger::runs::RunState;
use crate::ledger::{cases, documents, journals, movements, payments};

pub(super) const CHECKS: [Check; 5] = [
    Check {
        name: "exception-once",
        sql: "SELECT min(id) AS exception, kind, subject, count(*) AS times FROM exceptions WHERE state <> 'resolved'
              GROUP BY kind, subject HAVING times > 1",
        judge: raised_twice,
    },
    Check {
        name: "exception-resolved",
        sql: "SELECT id AS exception, kind, subject, state FROM exceptions WHERE (state = 'resolved') <> (resolved_at IS NOT NULL)",
        judge: half_resolved,
    },
    Check {
        name: "run-end",
        sql: "SELECT id AS run, task, state FROM runs WHERE (state = 'started') <> (finished_at IS NULL)
                OR (state = 'finished') <> (exit_code IS NOT NULL)",
        judge: half_ended,
    },
    Check {
        name: "mail-once",
        sql: "SELECT min(id) AS mail, event, count(*) AS times FROM mails GROUP BY event HAVING times > 1",
        judge: written_twice,
    },
    // Orders and operations are read, every one, by `order-status` and `operation-key`, which tell of it.
    Check {
        name: "rows-readable",
        sql: "SELECT 'payment' AS noun, id FROM payments
              UNION ALL SELECT 'document', id FROM documents UNION ALL SELECT 'movements of payment', id FROM payments
              UNION ALL SELECT 'journal', id FROM journals
              UNION ALL SELECT 'mail', id FROM mails UNION ALL SELECT 'exception', id FROM exceptions
              UNION ALL SELECT 'run', id FROM runs",
        judge: illegible,
    },
];

fn raised_twice(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, kind, subject): (i64, String, String) =
        (row.plain("exception")?, row.plain("kind")?, row.plain("subject")?);
    Ok(Some(Fault {
        subject: format!("exception {id} ({kind}, {subject})"),
        message: format!(
            "it is open {} times; `payjournal resolve` the later ones, and find out who wrote them",
            row.count("times")?
        ),
    }))
}

fn half_resolved(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, kind, subject, state): (i64, String, String, String) =
        (row.plain("exception")?, row.plain("kind")?, row.plain("subject")?, row.plain("state")?);
    let what = format!("it is {state}, and the time it was resolved says otherwise");
    Ok(Some(Fault::tampered(format!("exception {id} ({kind}, {subject})"), &what)))
}

fn half_ended(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, task, state): (i64, String, String) = (row.plain("run")?, row.plain("task")?, row.plain("state")?);
    let what = format!("it is {state}, and its end or its exit code says otherwise");
    Ok(Some(Fault::tampered(format!("run {id} ({task})"), &what)))
}

fn written_twice(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, event, times): (i64, String, u32) = (row.plain("mail")?, row.plain("event")?, row.count("times")?);
    Ok(Some(Fault::tampered(format!("mail {id} ({event})"), &format!("{times} mails tell of one event"))))
}

fn illegible(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (noun, id): (String, i64) = (row.plain("noun")?, row.plain("id")?);
    let connection = bench.connection;
    let read = match noun.as_str() {
        "payment" => payments::payment(connection, PaymentId(id)).map(drop),
        "document" => documents::document(connection, DocumentId(id)).map(drop),
        "movements of payment" => movements::of_payment(connection, PaymentId(id)).map(drop),
        "journal" => journals::journal(connection, JournalId(id)).map(drop),
        "mail" => cases::mail(connection, MailId(id)).map(drop),
        "exception" => exception(bench, id),
        _ => run(bench, id),
    };
    match read {
        Ok(()) => Ok(None),
        Err(error) => {
            let error = super::survivable(error)?;
            Ok(Some(Fault::tampered(format!("{noun} {id}"), &format!("it cannot be read: {error}"))))
        }
    }
}

fn exception(bench: &Bench<'_>, id: i64) -> Result<()> {
    let mut statement = bench.connection.prepare_cached("SELECT kind, raised_at FROM exceptions WHERE id = ?1")?;
    statement
        .query_row([id], |row| Ok(row.choice("kind", ExceptionKind::parse).and_then(|_| row.time("raised_at"))))??;
    Ok(())
}

fn run(bench: &Bench<'_>, id: i64) -> Result<()> {
    let mut statement =
        bench.connection.prepare_cached("SELECT state, started_at, finished_at FROM runs WHERE id = ?1")?;
    statement.query_row([id], |row| {
        let state = row.choice("state", RunState::parse);
        Ok(state.and_then(|_| row.time("started_at")).and_then(|_| row.optional_time("finished_at")))
    })??;
    Ok(())
}
