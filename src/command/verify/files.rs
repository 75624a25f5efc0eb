//! What can be seen of the files without opening the ledger: who may read and change them, and what a dead process left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::ledger::Finding;

const CONFIG_MODE: &str = "config-mode";
const LEDGER_MODE: &str = "ledger-mode";
const FOLDER_MODE: &str = "ledger-folder-mode";
const LOG_MODE: &str = "log-mode";
const WAL_LEFTOVER: &str = "wal-leftover";

pub(super) const CHECKS: [&str; 5] = [CONFIG_MODE, LEDGER_MODE, FOLDER_MODE, LOG_MODE, WAL_LEFTOVER];

/// Bits of a file's mode.
const OTHERS_WRITE: u32 = 0o002;
const ANYBODY_ELSE: u32 = 0o077;

/// `leftover` is what `leftover_wal` found before the ledger was opened.
pub(super) fn verify(settings: &Settings, leftover: Option<u64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // It holds no secret, only where secrets are; but who writes it decides which accounts are booked and what is run.
    findings.extend(open_to(&settings.config_path, OTHERS_WRITE, CONFIG_MODE, "everybody may change it", "chmod o-w"));
    for path in [settings.ledger.clone(), beside(&settings.ledger, "-wal"), beside(&settings.ledger, "-shm")] {
        let why = "others than its owner may read or change it, and it names customers and amounts";
        findings.extend(open_to(&path, ANYBODY_ELSE, LEDGER_MODE, why, "chmod 600"));
    }
    let why = "everybody may put files beside the ledger, or replace it";
    findings.extend(open_to(folder_of(&settings.ledger), OTHERS_WRITE, FOLDER_MODE, why, "chmod o-w"));
    let why = "everybody may remove or forge logs in it";
    findings.extend(open_to(&settings.log_dir, OTHERS_WRITE, LOG_MODE, why, "chmod o-w"));
    findings.extend(open_logs(&settings.log_dir));
    findings.extend(leftover.map(|bytes| {
        finding(
            WAL_LEFTOVER,
            &beside(&settings.ledger, "-wal"),
            &format!(
                "a process that died left {bytes} bytes in it; they are part of the ledger, and the next run takes them \
                 over. A copy of the ledger without this file lacks them"
            ),
        )
    }));
    findings
}

/// Bytes in the write-ahead log that no living process is using. To be asked before the ledger is opened, which is a process
/// using it. `None` too where nobody can tell who has a file open.
pub(super) fn leftover_wal(ledger: &Path) -> Option<u64> {
    let wal = beside(ledger, "-wal");
    let bytes = || fs::metadata(&wal).ok().map(|metadata| metadata.len()).filter(|bytes| *bytes > 0);
    bytes()?;
    let path = wal.canonicalize().ok()?;
    if is_open(&path)? {
        return None;
    }
    // Whoever closed it while we looked has removed it.
    bytes()
}

/// Whether a process of this user has the file open.
fn is_open(path: &Path) -> Option<bool> {
    let processes = fs::read_dir("/proc").ok()?;
    fs::read_dir("/proc/self/fd").ok()?;
    let files = processes.filter_map(Result::ok).filter_map(|process| fs::read_dir(process.path().join("fd")).ok());
    let mut links = files.flatten().filter_map(Result::ok).filter_map(|file| fs::read_link(file.path()).ok());
    Some(links.any(|link| link == path))
}

/// Logs name payments and orders; the program makes them for their owner alone.
fn open_logs(folder: &Path) -> Option<Finding> {
    let entries = fs::read_dir(folder).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut open: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .filter(|path| mode(path).is_some_and(|mode| mode & ANYBODY_ELSE != 0))
        .collect();
    open.sort();
    let first = open.first()?;
    let message = format!(
        "others than its owner may read or change it, and {} more logs there; chmod 600 {}/*.log",
        open.len() - 1,
        folder.display()
    );
    Some(finding(LOG_MODE, first, &message))
}

fn open_to(path: &Path, bits: u32, check: &'static str, why: &str, remedy: &str) -> Option<Finding> {
    let mode = mode(path).filter(|mode| mode & bits != 0)?;
    Some(finding(check, path, &format!("its mode is {mode:03o}: {why}; {remedy} {}", path.display())))
}

/// `None` where there is no such file.
fn mode(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.permissions().mode() & 0o777)
}

fn finding(check: &'static str, path: &Path, message: &str) -> Finding {
    Finding { check, subject: path.display().to_string(), message: message.to_owned() }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(ledger: &Path, ending: &str) -> PathBuf {
    let mut name = ledger.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    ledger.with_file_name(name)
}
