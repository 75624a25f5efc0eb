//! Opening a ledger: pragmas every connection has, the version gate, migrations, and what the ledger is bound to.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::network::network_filesystem;
use super::row::time_text;
use super::settlements::{IdSet, Touched};
use super::{Ledger, LedgerError, Result};
use crate::domain::booking::Books;

/// Marks the file as ours: `PJ` and the year.
const APPLICATION_ID: i64 = 0x504a_2026;

/// Never change or remove one that was released: its index is the schema version it leads from.
const MIGRATIONS: [&str; 18] = [
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
    include_str!("schema/0008.sql"),
    include_str!("schema/0009.sql"),
    include_str!("schema/0010.sql"),
    include_str!("schema/0011.sql"),
    include_str!("schema/0012.sql"),
    include_str!("schema/0013.sql"),
    include_str!("schema/0014.sql"),
    include_str!("schema/0015.sql"),
    include_str!("schema/0016.sql"),
    include_str!("schema/0017.sql"),
    include_str!("schema/0018.sql"),
];

#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// Make a new ledger where there is none.
    pub create: bool,
    pub allow_network_filesystem: bool,
}

impl Ledger {
    /// Opens the ledger at `path`, brings an older schema up to date, and refuses one that is newer, bound to the other
    /// mode, or on a network file system.
    pub fn open(path: &Path, options: OpenOptions, books: Books, now: DateTime<Utc>) -> Result<Self> {
        if !options.create && !path.exists() {
            return Err(LedgerError::Missing { path: path.to_owned() });
        }
        refuse_network(path, options.allow_network_filesystem)?;
        let new = !path.exists();
        let mut connection = connect(path).map_err(|error| LedgerError::unopenable(path, error))?;
        check_file(&connection, path, options.create).map_err(|error| LedgerError::unopenable(path, error))?;
        if new {
            // Settlement lines are many and short: larger pages hold them with a third less work. Only a new file can have them.
            connection.pragma_update(None, "page_size", 16 * 1024)?;
        }
        pragmas(&connection).map_err(|error| LedgerError::unopenable(path, error))?;
        if new {
            restrict(path);
        }
        migrate(&mut connection, path)?;
        bind(&connection, books.mode, now)?;
        Ok(Self::of(connection, books))
    }

    pub(super) fn of(connection: Connection, books: Books) -> Self {
        let (touched, gathered) = (Touched::default(), IdSet::default());
        Self { connection, books, witness: None, is_rehearsing: false, touched, gathered }
    }

    /// Opens the ledger to look at it: nothing is written, not even an older schema brought up to date. Where the folder cannot
    /// be written to either, `SQLite` can read it only if no other process is at it, which nobody can be then.
    pub fn open_to_look(path: &Path, allow_network_filesystem: bool, books: Books) -> Result<Self> {
        if !path.exists() {
            return Err(LedgerError::Missing { path: path.to_owned() });
        }
        refuse_network(path, allow_network_filesystem)?;
        let connection = look(path).map_err(|error| LedgerError::unopenable(path, error))?;
        let (found, known) = (version(&connection)?, known_version());
        if found > known {
            return Err(LedgerError::Newer { found, known });
        }
        if found < known {
            return Err(LedgerError::Older { found, known });
        }
        check_mode(bound_mode(&connection)?, books.mode)?;
        Ok(Self::of(connection, books))
    }
}

fn refuse_network(path: &Path, is_allowed: bool) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match network_filesystem(folder).filter(|_| !is_allowed) {
        Some(kind) => Err(LedgerError::NetworkFilesystem { path: path.to_owned(), kind }),
        None => Ok(()),
    }
}

/// Reads and never writes; without the files of a write-ahead log too, where they cannot be made. (Opened read-only, `SQLite`
/// does not know the schema's CHECK constraints, and its integrity check leaves them out.)
fn look(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = |uri: String| -> Result<Connection> {
        let connection = Connection::open_with_flags(uri, flags)?;
        check_file(&connection, path, false)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "query_only", true)?;
        // What a dead process left in the log is taken over by whoever writes next; an empty one goes when we do.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log(path))?;
        Ok(connection)
    };
    let escaped = escaped(path);
    match read(format!("file:{escaped}?mode=rw")) {
        Err(LedgerError::Sqlite(error)) if is_unwritable(&error) && !has_log(path) => {
            read(format!("file:{escaped}?mode=ro&immutable=1"))
        }
        opened => opened,
    }
}

/// As a URI names it.
fn escaped(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => text.push(char::from(*byte)),
            other => {
                let _ = write!(text, "%{other:02X}");
            }
        }
        text
    })
}

/// The log's files could not be made: a read-only folder, or a full disk.
fn is_unwritable(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode;
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::PermissionDenied
        )
    )
}

/// Whether a write-ahead log holds what is not in the file yet.
fn has_log(path: &Path) -> bool {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push("-wal");
    fs::metadata(path.with_file_name(name)).is_ok_and(|log| log.len() > 0)
}

fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

/// Looks before anything is written, the first pragma included: another program's file stays as it is.
fn check_file(connection: &Connection, path: &Path, create: bool) -> Result<()> {
    connection.busy_timeout(Duration::from_secs(30))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables > 0 {
        return check_ours(connection, path);
    }
    if create { Ok(()) } else { Err(LedgerError::Missing { path: path.to_owned() }) }
}

pub(super) fn pragmas(connection: &Connection) -> Result<()> {
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Plans do not depend on the values bound, or every other use of a statement would prepare it anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // As many as there are, or `verify` would drive out the statements of the tasks.
    connection.set_prepared_statement_cache_capacity(512);
    Ok(())
}

/// The ledger names customers and amounts: nobody but its owner reads it. On a file system without modes there is none to set.
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let known = known_version();
    // Looked at first without a write lock, so that a status query never waits for a running task.
    if version(connection)? == known {
        return check_ours(connection, path);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    if found > known {
        return Err(LedgerError::Newer { found, known });
    }
    if found == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    } else {
        check_ours(&transaction, path)?;
    }
    let done = usize::try_from(found).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// An empty ledger as this version makes it. It is made once in a process: a simulation needs thousands.
pub(super) fn with_fresh<T>(read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    static FRESH: Mutex<Option<Connection>> = Mutex::new(None);
    let mut kept = FRESH.lock().unwrap_or_else(PoisonError::into_inner);
    let connection = if let Some(made) = kept.take() { made } else { fresh()? };
    read(kept.insert(connection))
}

fn fresh() -> Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection, Path::new(":memory:"))?;
    Ok(connection)
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

pub(super) fn version(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

fn check_ours(connection: &Connection, path: &Path) -> Result<()> {
    let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if id == APPLICATION_ID { Ok(()) } else { Err(LedgerError::Foreign { path: path.to_owned() }) }
}

/// A ledger is bound to test or live money once and for all (rule 8).
pub(super) fn bind(connection: &Connection, mode: &'static str, now: DateTime<Utc>) -> Result<()> {
    let bound = bound_mode(connection)?;
    if bound.is_none() {
        // Another process may bind at the same moment; whoever comes second finds the row.
        connection.execute(
            "INSERT INTO binding (id, mode, created_at) VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING",
            (mode, time_text(now)),
        )?;
    }
    check_mode(bound, mode)
}

fn bound_mode(connection: &Connection) -> Result<Option<String>> {
    Ok(connection.query_row("SELECT mode FROM binding WHERE id = 1", [], |row| row.get(0)).optional()?)
}

fn check_mode(bound: Option<String>, mode: &'static str) -> Result<()> {
    match bound {
        Some(bound) if bound != mode => Err(LedgerError::WrongMode { ledger: bound, config: mode }),
        Some(_) | None => Ok(()),
    }
}
