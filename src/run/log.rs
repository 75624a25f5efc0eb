//! One log file per run, with an error summary at its end; old ones are pruned per task, oldest run first.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::engine::Level;
use crate::domain::id::RunId;

/// Errors that are repeated at the end: a log may have a hundred thousand, which stand above.
const MOST_REPEATED: usize = 1_000;

#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: BufWriter<File>,
    /// Repeated at the end (trap T69).
    errors: Vec<String>,
    count: usize,
    /// A log that cannot be written does not stop the work; it is said once, at the end.
    broken: Option<std::io::Error>,
}

impl Log {
    pub fn create(folder: &Path, task: &str, started: DateTime<Utc>, run: RunId) -> std::io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{task}-{}-{run}.log", started.format("%Y%m%dT%H%M%SZ")));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        Ok(Self { path, file: BufWriter::new(file), errors: Vec::new(), count: 0, broken: None })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "log lines tell when a thing happened, which `now` of the run does not"
    )]
    pub fn line(&mut self, level: Level, text: &str) {
        let severity = match level {
            Level::Record => "record",
            Level::Detail => "detail",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let line = format!("{} {severity:<7} {}", Utc::now().format("%Y-%m-%dT%H:%M:%SZ"), text.replace('\n', " "));
        if level == Level::Error {
            self.count += 1;
            if self.errors.len() < MOST_REPEATED {
                self.errors.push(line.clone());
            }
        }
        self.put(&line);
        // What is known when the power goes is worth a write each; details may wait.
        if !matches!(level, Level::Record | Level::Detail) {
            self.flush();
        }
    }

    /// Writes the error summary. Returns why the log is incomplete, if it is.
    pub fn finish(mut self) -> Option<std::io::Error> {
        let errors = std::mem::take(&mut self.errors);
        self.put(&format!(
            "--- {} ---",
            if errors.is_empty() { "no errors".to_owned() } else { format!("{} errors", self.count) }
        ));
        let more = self.count - errors.len();
        for error in errors {
            self.put(&error);
        }
        if more > 0 {
            self.put(&format!("--- {more} more errors stand above ---"));
        }
        self.flush();
        self.broken
    }

    fn put(&mut self, line: &str) {
        if let Err(error) = writeln!(self.file, "{line}") {
            self.broken.get_or_insert(error);
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.file.flush() {
            self.broken.get_or_insert(error);
        }
    }
}

/// Keeps the newest `keep` logs of a task, by the run time and number in their names, the current one included (trap T68).
pub fn prune(folder: &Path, task: &str, keep: u32) -> std::io::Result<Vec<PathBuf>> {
    let mut logs: Vec<((String, i64), PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(order) = order(&name, task) {
            logs.push((order, path));
        }
    }
    logs.sort();
    let keep = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
    let surplus = logs.len().saturating_sub(keep);
    let mut removed = Vec::new();
    for (_, path) in logs.into_iter().take(surplus) {
        fs::remove_file(&path)?;
        removed.push(path);
    }
    Ok(removed)
}

/// `TASK-<UTC start>-<run id>.log` of exactly this task: `sync-journals` is not a log of `sync`.
fn order(name: &str, task: &str) -> Option<(String, i64)> {
    let rest = name.strip_prefix(task)?.strip_prefix('-')?.strip_suffix(".log")?;
    let (start, run) = rest.split_once('-')?;
    let stamp = start.len() == 16 && start.ends_with('Z') && start.chars().filter(char::is_ascii_digit).count() == 14;
    stamp.then_some(())?;
    Some((start.to_owned(), run.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_errors_are_repeated_and_the_others_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(folder.path(), "capture", DateTime::UNIX_EPOCH, RunId(1)).unwrap();
        let path = log.path().to_owned();
        (0..MOST_REPEATED + 2).for_each(|number| log.line(Level::Error, &format!("error {number};")));
        assert!(log.finish().is_none());
        let text = fs::read_to_string(path).unwrap();
        let counts = ["error 0;", "error 999;", "error 1000;", "error 1001;"].map(|line| text.matches(line).count());
        assert_eq!(counts, [2, 2, 1, 1]);
        assert!(
            text.contains("--- 1002 errors ---") && text.ends_with("--- 2 more errors stand above ---\n"),
            "{text}"
        );
    }

    #[test]
    fn the_oldest_runs_of_the_task_go_whatever_their_names_or_times_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "capture-20260101T000000Z-9.log",
            "capture-20260101T000000Z-10.log",
            "capture-20251231T235959Z-11.log",
            "sync-journals-20200101T000000Z-1.log",
            "capture-notes.log",
            "capture-20260101T000000Z-10.log.gz",
        ];
        for name in names {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let removed = prune(folder.path(), "capture", 1).unwrap();
        let removed: Vec<_> = removed.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(removed, ["capture-20251231T235959Z-11.log", "capture-20260101T000000Z-9.log"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
