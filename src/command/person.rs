//! What a person decides: another attempt for an operation, an exception dealt with.

use std::io::Write;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::config::Settings;
use crate::domain::id::{ExceptionId, OperationId};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::LedgerError;
use crate::run::{open_ledger, refused};

/// A refused operation gets a new attempt with a new key; one that was given up is asked about again with its old key.
pub fn retry(operation: i64, settings: &Settings, json: bool, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let mut ledger = open_ledger(settings, false, now)?;
    let id = OperationId(operation);
    let after = ledger.write("retry", None, now, |writer| {
        let after = writer.request_retry(id)?;
        writer.resolve_operation(id)?;
        Ok(after)
    });
    let after = after.map_err(|error| unusable(error, "operation"))?;
    let said =
        format!("operation {id} ({}) is {}; its task takes it up in its next run", after.kind.noun(), after.state);
    answer(out, json, "retry", &json!({"operation": id, "state": after.state}), &said)
}

pub fn resolve(
    exception: i64,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    let mut ledger = open_ledger(settings, false, now)?;
    let id = ExceptionId(exception);
    let resolved = ledger.write("resolve", None, now, |writer| writer.resolve(id)).map_err(refused)?;
    if !resolved {
        return Err(
            Failure::usage(format!("there is no open exception {id}")).hint("`payjournal status` lists the open ones")
        );
    }
    answer(out, json, "resolve", &json!({"exception": id, "state": "resolved"}), &format!("exception {id} is resolved"))
}

fn unusable(error: LedgerError, what: &str) -> Failure {
    match error {
        LedgerError::NotFound { .. } | LedgerError::Invariant(_) => {
            Failure::usage(&error).hint(format!("`payjournal status` lists each open {what} with its number"))
        }
        LedgerError::Sqlite(_)
        | LedgerError::Unopenable { .. }
        | LedgerError::Missing { .. }
        | LedgerError::Foreign { .. }
        | LedgerError::Newer { .. }
        | LedgerError::Older { .. }
        | LedgerError::WrongMode { .. }
        | LedgerError::NetworkFilesystem { .. }
        | LedgerError::Damaged { .. }
        | LedgerError::Money(_)
        | LedgerError::Booking(_)
        | LedgerError::Illegal(_) => refused(error),
    }
}

/// A reason as it is kept.
pub(super) fn given(reason: &str) -> Result<&str> {
    match reason.trim() {
        "" => Err(Failure::usage("--reason cannot be empty: it is what the next person reads")),
        reason => Ok(reason),
    }
}

pub(super) fn answer(
    out: &mut dyn Write,
    json: bool,
    command: &str,
    what: &serde_json::Value,
    said: &str,
) -> Result<Exit> {
    let written = if json {
        let document = json!({
            "schema": format!("payjournal/{command}/1"),
            "outcome": Exit::Done.outcome(),
            "exit_code": Exit::Done.code(),
            "done": what,
        });
        writeln!(out, "{document:#}")
    } else {
        writeln!(out, "{said}")
    };
    written.context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}
