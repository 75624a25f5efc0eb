//! `Ledger::verify`: fsck for money. Every figure is rebuilt from its rows, and every promise of the ledger is held against
//! what is really there.
//!
//! A check is a name, a query and a function that judges one of its rows. A new noun adds a file with an array of its
//! checks and a line in `GROUPS`, and nothing else. Facts from outside are recorded whatever they do to a sum (rule 2), so
//! a sum is only asserted over our own intents.

mod books;
mod collections;
mod deletions;
mod history;
mod invoices;
mod movements;
mod operations;
mod orders;
mod outside;
mod payouts;
mod portal;
mod records;
mod settlements;
mod storage;
mod traces;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode, Row};

use super::{Ledger, LedgerError, Result};
use crate::domain::booking::Books;
use crate::operation::Kind;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check's stable name, in kebab-case.
    pub check: &'static str,
    /// What it is about, as a person names it.
    pub subject: String,
    /// What is wrong, with its figures, and what to do next.
    pub message: String,
}

/// What a check needs to know and the ledger does not hold.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub now: DateTime<Utc>,
    /// How many days an operation of this kind may stand the same before its task gives it up.
    pub valid_days: &'a dyn Fn(Kind) -> u32,
    /// Whether a run of the task with this name is alive.
    pub is_running: &'a dyn Fn(&str) -> bool,
}

/// One thing that must hold of every row the query gives: all rows of a table, or only those that break it.
struct Check {
    name: &'static str,
    sql: &'static str,
    judge: fn(&Bench<'_>, &Row<'_>) -> Result<Option<Fault>>,
}

/// What one row is found guilty of.
struct Fault {
    subject: String,
    message: String,
}

/// What a judge may look at besides its row.
struct Bench<'a> {
    connection: &'a Connection,
    books: &'a Books,
    around: Surroundings<'a>,
}

const GROUPS: [&[Check]; 13] = [
    &books::CHECKS,
    &movements::CHECKS,
    &operations::CHECKS,
    &history::CHECKS,
    &orders::CHECKS,
    &records::CHECKS,
    &traces::CHECKS,
    &settlements::CHECKS,
    &payouts::CHECKS,
    &invoices::CHECKS,
    &deletions::CHECKS,
    &collections::CHECKS,
    &portal::CHECKS,
];

/// Of the database, while every row is looked at with what belongs to it: as `SQLite` counts it, kibibytes are negative.
const CACHE: i64 = -256 * 1024;

/// So many findings of one check are told one by one.
const MOST: usize = 1_000;

/// What a person does about rows that no payjournal writes.
const TAMPERED: &str =
    "payjournal never writes this: keep the file, find out who changed it, and restore a backup that verifies";

impl Ledger {
    /// Carries out every check on the rows, in one read transaction and without a write lock. Damage ends one check at
    /// most; only a database that cannot be read any more is an error.
    pub fn verify(&self, around: Surroundings<'_>) -> Result<Vec<Finding>> {
        self.connection.pragma_update(None, "cache_size", CACHE)?;
        // Deferred: a snapshot that stands still, and no lock that a running task would have to wait for.
        let snapshot = self.connection.unchecked_transaction()?;
        let bench = Bench { connection: &snapshot, books: &self.books, around };
        let mut findings = Vec::new();
        for check in GROUPS.iter().copied().flatten() {
            check.carry_out(&bench, &mut findings)?;
        }
        Ok(findings)
    }

    /// The names of the checks `verify` carries out, in their order.
    pub fn checks() -> Vec<&'static str> {
        GROUPS.iter().copied().flatten().map(|check| check.name).collect()
    }
}

impl Check {
    fn carry_out(&self, bench: &Bench<'_>, findings: &mut Vec<Finding>) -> Result<()> {
        let before = findings.len();
        let mut untold = 0_u64;
        let mut tell = |fault: Fault| {
            if findings.len() - before < MOST {
                findings.push(Finding { check: self.name, subject: fault.subject, message: fault.message });
            } else {
                untold += 1;
            }
        };
        if let Err(error) = self.judge_rows(bench, &mut tell) {
            tell(unfinished(&survivable(error)?));
        }
        if untold > 0 {
            let message = format!("{untold} more findings of this kind are left out");
            findings.push(Finding { check: self.name, subject: "ledger".to_owned(), message });
        }
        Ok(())
    }

    fn judge_rows(&self, bench: &Bench<'_>, tell: &mut dyn FnMut(Fault)) -> Result<()> {
        let mut statement = bench.connection.prepare_cached(self.sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            match (self.judge)(bench, row) {
                Ok(None) => {}
                Ok(Some(fault)) => tell(fault),
                Err(error) => tell(unreadable(row, &survivable(error)?)),
            }
        }
        Ok(())
    }
}

/// An error about what a row holds, as opposed to a database that cannot be read: that one comes back.
fn survivable(error: LedgerError) -> Result<LedgerError> {
    if let LedgerError::Sqlite(sqlite) = &error {
        // `Unknown` is SQLite's plain error: a sum that overflows, a table that is not there.
        let is_about_rows = sqlite.sqlite_error_code().is_none_or(|code| code == ErrorCode::Unknown);
        return if is_about_rows { Ok(error) } else { Err(error) };
    }
    Ok(error)
}

fn unfinished(error: &LedgerError) -> Fault {
    Fault { subject: "ledger".to_owned(), message: format!("the check could not be finished: {error}; {TAMPERED}") }
}

/// By convention the first column of a query says which row it is.
fn unreadable(row: &Row<'_>, error: &LedgerError) -> Fault {
    use rusqlite::types::ValueRef;
    let column = row.as_ref().column_name(0).unwrap_or("row").to_owned();
    let value = match row.get_ref(0) {
        Ok(ValueRef::Integer(number)) => number.to_string(),
        Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        Ok(ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_)) | Err(_) => "?".to_owned(),
    };
    Fault { subject: format!("{column} {value}"), message: format!("it cannot be read: {error}; {TAMPERED}") }
}

impl Fault {
    /// Something only a hand or a broken disk writes.
    fn tampered(subject: impl Into<String>, what: &str) -> Self {
        Self { subject: subject.into(), message: format!("{what}; {TAMPERED}") }
    }
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("now", &self.now).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let names = Ledger::checks();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        }
    }
}
