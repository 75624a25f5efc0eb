//! One run per ledger and task, one hand-over of journals at a time: a lock on a file beside the ledger, which the system drops when the process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Held as long as the value lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of `task`, or says who holds it and since when.
    pub fn take(ledger: &Path, task: &str, now: DateTime<Utc>) -> Result<Self> {
        let path = lock_path(ledger, task);
        let unusable = |error: std::io::Error| {
            let hint = if error.kind() == ErrorKind::StorageFull {
                "make room on the ledger's disk and run the same command again; nothing is lost"
            } else {
                "the ledger's folder must be writable by the user payjournal runs as"
            };
            let what = format!("the lock file `{}` cannot be used", path.display());
            Failure::new(Exit::Ledger, anyhow::Error::new(error).context(what)).hint(hint)
        };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&mut file, task)),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let mut lock = Self { file };
        lock.sign(now).map_err(unusable)?;
        Ok(lock)
    }

    /// Whether somebody holds the lock now.
    pub(super) fn is_held(ledger: &Path, task: &str) -> bool {
        let Ok(file) = OpenOptions::new().read(true).write(true).open(lock_path(ledger, task)) else { return false };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }

    fn sign(&mut self, now: DateTime<Utc>) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        writeln!(self.file, "process {} since {}", std::process::id(), now.format("%Y-%m-%d %H:%M:%S UTC"))
    }
}

fn lock_path(ledger: &Path, task: &str) -> PathBuf {
    let mut name = ledger.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{task}.lock"));
    ledger.with_file_name(name)
}

fn held(file: &mut File, task: &str) -> Failure {
    let mut holder = String::new();
    // Whoever holds it may be writing its name this moment.
    let holder = match file.read_to_string(&mut holder).context("unreadable") {
        Ok(_) if !holder.trim().is_empty() => holder.trim().to_owned(),
        _ => "another process".to_owned(),
    };
    Failure::new(Exit::Locked, anyhow::anyhow!("`{task}` is running already: {holder}"))
        .hint("nothing was done; the running one goes on, and the next run does what is left")
}
