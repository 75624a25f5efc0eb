//! Why the ledger refused.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

use crate::domain::booking::BookingError;
use crate::domain::id::IdError;
use crate::domain::money::MoneyError;
use crate::operation::IllegalTransition;

#[derive(Debug)]
pub enum LedgerError {
    Sqlite(rusqlite::Error),
    /// The database refused before the ledger was open.
    Unopenable {
        path: PathBuf,
        error: rusqlite::Error,
    },
    Missing {
        path: PathBuf,
    },
    /// Not a payjournal ledger at all.
    Foreign {
        path: PathBuf,
    },
    Newer {
        found: i64,
        known: i64,
    },
    /// Only to be looked at, and of an older schema.
    Older {
        found: i64,
        known: i64,
    },
    WrongMode {
        ledger: String,
        config: &'static str,
    },
    NetworkFilesystem {
        path: PathBuf,
        kind: String,
    },
    /// A row holds what no payjournal writes.
    Damaged {
        what: String,
    },
    Money(MoneyError),
    Booking(BookingError),
    Illegal(IllegalTransition),
    /// An invariant would break: nothing was written.
    Invariant(String),
    NotFound {
        what: String,
    },
}

impl LedgerError {
    /// An error of the database, with the file it happened to.
    pub(super) fn unopenable(path: &Path, error: Self) -> Self {
        if let Self::Sqlite(error) = error { Self::Unopenable { path: path.to_owned(), error } } else { error }
    }

    pub fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// Whether the database itself cannot go on, as opposed to one change it does not take.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Sqlite(_) => !self.is_constraint(),
            Self::Damaged { .. } => true,
            Self::Unopenable { .. }
            | Self::Missing { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::WrongMode { .. }
            | Self::NetworkFilesystem { .. }
            | Self::Money(_)
            | Self::Booking(_)
            | Self::Illegal(_)
            | Self::Invariant(_)
            | Self::NotFound { .. } => false,
        }
    }

    /// Something that may be there once is there already: another run was faster.
    pub fn is_there_already(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        let code = error.sqlite_error().map(|error| error.extended_code);
        matches!(code, Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY))
    }

    /// A constraint stood in the way.
    fn is_constraint(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation))
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sqlite(error) | Self::Unopenable { error, .. } => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure) => Some(
                    "make room on the ledger's disk (or replace it, if it fails) and run the same command again; nothing is lost"
                        .to_owned(),
                ),
                Some(
                    rusqlite::ErrorCode::ReadOnly
                    | rusqlite::ErrorCode::CannotOpen
                    | rusqlite::ErrorCode::PermissionDenied,
                ) => Some("the ledger and its folder must be writable by the user payjournal runs as".to_owned()),
                Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => Some(
                    "keep the file as it is and restore the ledger from a backup; idempotency keys stay the same".to_owned(),
                ),
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Some(
                    "another payjournal process has been writing for long, such as a large report being taken over; run the same \
                     command again, nothing is lost"
                        .to_owned(),
                ),
                _ => None,
            },
            Self::Missing { .. } => {
                Some("`payjournal import orders FILE` creates the ledger; is `ledger` in the config right?".to_owned())
            }
            Self::Older { .. } => Some("run any task, or `payjournal status`, to bring it up to date".to_owned()),
            Self::Newer { .. } => Some("use the payjournal version that wrote it, or a newer one".to_owned()),
            Self::WrongMode { .. } => Some("use another `ledger` file for the other mode".to_owned()),
            Self::NetworkFilesystem { .. } => Some(
                "put the ledger on a local disk, or give --allow-network-filesystem if only this machine opens it"
                    .to_owned(),
            ),
            Self::Foreign { .. } => Some("is `ledger` in the config right?".to_owned()),
            Self::Damaged { .. }
            | Self::Money(_)
            | Self::Booking(_)
            | Self::Illegal(_)
            | Self::Invariant(_)
            | Self::NotFound { .. } => None,
        }
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "the ledger's database refused: {error}"),
            Self::Unopenable { path, error } => {
                write!(f, "the ledger `{}` cannot be used: {error}", path.display())
            }
            Self::Missing { path } => write!(f, "there is no ledger at `{}`", path.display()),
            Self::Foreign { path } => write!(f, "`{}` is a database, but not a payjournal ledger", path.display()),
            Self::Newer { found, known } => {
                write!(f, "the ledger has schema {found}; this payjournal knows up to schema {known}")
            }
            Self::Older { found, known } => {
                write!(f, "the ledger has schema {found}, this payjournal works with {known}, and only looks now")
            }
            Self::WrongMode { ledger, config } => {
                write!(f, "the ledger is bound to mode `{ledger}`, the config says `{config}`")
            }
            Self::NetworkFilesystem { path, kind } => write!(
                f,
                "`{}` is on a network file system ({kind}), where SQLite's locks and write-ahead log are not safe",
                path.display()
            ),
            Self::Damaged { what } => write!(f, "the ledger holds what payjournal never writes: {what}"),
            Self::Money(error) => error.fmt(f),
            Self::Booking(error) => error.fmt(f),
            Self::Illegal(error) => error.fmt(f),
            Self::Invariant(what) => write!(f, "refused, because an invariant would break: {what}"),
            Self::NotFound { what } => write!(f, "the ledger knows no {what}"),
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sqlite(error) | Self::Unopenable { error, .. } => Some(error),
            Self::Missing { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::WrongMode { .. }
            | Self::NetworkFilesystem { .. }
            | Self::Damaged { .. }
            | Self::Money(_)
            | Self::Booking(_)
            | Self::Illegal(_)
            | Self::Invariant(_)
            | Self::NotFound { .. } => None,
        }
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<MoneyError> for LedgerError {
    fn from(error: MoneyError) -> Self {
        Self::Money(error)
    }
}

impl From<BookingError> for LedgerError {
    fn from(error: BookingError) -> Self {
        Self::Booking(error)
    }
}

impl From<IllegalTransition> for LedgerError {
    fn from(error: IllegalTransition) -> Self {
        Self::Illegal(error)
    }
}

impl From<IdError> for LedgerError {
    fn from(error: IdError) -> Self {
        Self::damaged(error.to_string())
    }
}
