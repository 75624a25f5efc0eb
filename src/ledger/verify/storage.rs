//! The file as a database: its pages, its references, and that every table, index and trigger that guards an invariant is
//! there as the program made it.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{Finding, TAMPERED};
use crate::ledger::{Ledger, LedgerError, Result, open};

const INTEGRITY: &str = "database-integrity";
const REFERENCES: &str = "foreign-keys";
const SCHEMA: &str = "schema";

/// What does not hold, as subject and message.
type Look = fn(&Connection) -> Result<Vec<(String, String)>>;

const CHECKS: [(&str, Look); 3] = [(INTEGRITY, integrity), (REFERENCES, references), (SCHEMA, schema)];

impl Ledger {
    /// The names of the checks of `verify_storage`.
    pub const STORAGE_CHECKS: [&'static str; 3] = [INTEGRITY, REFERENCES, SCHEMA];

    /// Reads the whole database. What cannot be read is a finding too: damage ends no check but its own.
    pub fn verify_storage(&self) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for (check, carry_out) in CHECKS {
            let found = match carry_out(&self.connection) {
                Ok(found) => found,
                Err(error @ LedgerError::Sqlite(_)) => {
                    let next = error.hint().unwrap_or_else(|| TAMPERED.to_owned());
                    vec![("ledger".to_owned(), format!("{error}: {next}"))]
                }
                Err(error) => return Err(error),
            };
            findings.extend(found.into_iter().map(|(subject, message)| Finding { check, subject, message }));
        }
        Ok(findings)
    }

    /// Whether this finding says that the database itself is broken.
    pub fn is_damage(finding: &Finding) -> bool {
        finding.check == INTEGRITY
    }
}

fn integrity(connection: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
    let said = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let what = "keep the file as it is and restore the ledger from a backup; idempotency keys stay the same";
    let found = said.into_iter().filter(|line| line != "ok");
    Ok(found.map(|line| ("ledger".to_owned(), format!("{line}: {what}"))).collect())
}

fn references(connection: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let rows = statement.query_map([], |row| {
        let (table, id, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let id = id.map_or_else(String::new, |id| format!(" {id}"));
        Ok((format!("{table}{id}"), format!("it names a row of {parent} that is not there; {TAMPERED}")))
    })?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
}

/// Everything the schema is made of, by type and name.
type Objects = BTreeMap<(String, String), String>;

fn objects(connection: &Connection) -> Result<Objects> {
    // Indexes that SQLite makes for UNIQUE have no text of their own; the table's text has them.
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")?;
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<Objects>>()?)
}

fn schema(connection: &Connection) -> Result<Vec<(String, String)>> {
    let (mut found, expected) = (objects(connection)?, open::with_fresh(objects)?);
    let mut faults = Vec::new();
    for ((kind, name), sql) in expected {
        let subject = format!("{kind} {name}");
        match found.remove(&(kind, name)) {
            None => faults.push((subject, format!("it is missing, and what it guards is guarded no more; {TAMPERED}"))),
            Some(other) if other != sql => {
                faults.push((subject, format!("it is not as payjournal made it; {TAMPERED}")));
            }
            Some(_) => {}
        }
    }
    let strange = found.into_keys().map(|(kind, name)| {
        (format!("{kind} {name}"), "payjournal did not make it: look at what it does, and drop it".to_owned())
    });
    // An index that somebody added only makes something faster; SQLite's own statistics are its own.
    faults
        .extend(strange.filter(|(subject, _)| !subject.starts_with("index ") && !subject.starts_with("table sqlite_")));
    Ok(faults)
}
