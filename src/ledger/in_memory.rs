//! Ledgers in memory, for tests and simulation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::open::{bind, pragmas, version, with_fresh};
use super::settlements::{IdSet, Touched};
use super::{Ledger, Result};
use crate::domain::booking::Books;

impl Ledger {
    /// A ledger that lives as long as a connection to it. All connections of a process that name the same one share it; an empty name
    /// is shared with nobody.
    pub fn in_memory(name: &str, books: Books, now: DateTime<Utc>) -> Result<Self> {
        let mut connection = connect(name)?;
        pragmas(&connection)?;
        connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
        if version(&connection)? == 0 {
            with_fresh(|fresh| {
                Ok(Backup::new(fresh, &mut connection)?.run_to_completion(i32::MAX, Duration::ZERO, None)?)
            })?;
        }
        bind(&connection, books.mode, now)?;
        Ok(Self::of(connection, books))
    }
}

fn connect(name: &str) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(format!("file:/{name}?vfs=memdb"), flags)?)
}

/// Connections to one ledger that is emptied for one simulated shop after another. What they have prepared stays prepared: to open and
/// prepare it all anew took a tenth of a shop's life.
#[derive(Debug)]
pub struct ReusedLedger {
    connections: Vec<Ledger>,
    sweeper: Connection,
    sweep: String,
}

impl ReusedLedger {
    pub fn open(connections: usize, books: &Books, now: DateTime<Utc>) -> Result<Self> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let name = format!("reused-{}", OPENED.fetch_add(1, Ordering::Relaxed));
        let connections: Result<Vec<Ledger>> =
            (0..connections).map(|_| Ledger::in_memory(&name, books.clone(), now)).collect();
        let sweeper = connect(&name)?;
        // No row may be deleted otherwise. Set for a connection of its own: it makes a connection prepare everything anew.
        sweeper.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        sweeper.pragma_update(None, "foreign_keys", false)?;
        sweeper.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))?;
        let sweep = sweeper.query_row(
            "SELECT 'BEGIN;' || group_concat('DELETE FROM ' || name, ';') || ';COMMIT' FROM sqlite_schema WHERE type = 'table'",
            [],
            |row| row.get(0),
        )?;
        Ok(Self { connections: connections?, sweeper, sweep })
    }

    /// As new: nothing in it but what it is bound to. A fresh ledger has no rows.
    pub fn renew(&mut self, books: &Books, now: DateTime<Utc>) -> Result<()> {
        self.sweeper.execute_batch(&self.sweep)?;
        bind(&self.sweeper, books.mode, now)?;
        for ledger in &mut self.connections {
            ledger.books = books.clone();
            ledger.witness = None;
            ledger.touched = Touched::default();
            ledger.gathered = IdSet::default();
        }
        Ok(())
    }

    pub fn connections(&mut self) -> &mut [Ledger] {
        &mut self.connections
    }
}
