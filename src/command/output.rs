//! Where a command writes a file that somebody named: a regular file is replaced as a whole, a device or pipe is written into, and
//! payjournal's own files are neither.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::{Failure, Result};

const SQLITE: &[u8] = b"SQLite format 3\0";

/// A file that is there as a whole or as it was before.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// As somebody named it.
    path: PathBuf,
    /// Where a link leads.
    real: PathBuf,
}

#[derive(Debug)]
pub(super) enum Output {
    File(Replaced),
    /// A pipe or a device.
    Stream(File),
}

impl Output {
    /// A link is followed. Refused: the config, and any database, as the ledger and the sandbox's records are.
    pub(super) fn named(path: &Path, config: &Path) -> Result<Self> {
        let Ok(there) = std::fs::metadata(path) else {
            return Ok(Self::File(Replaced { path: path.to_owned(), real: path.to_owned() }));
        };
        if there.is_dir() {
            return Err(Failure::usage(format!("`{}` is a folder", path.display())));
        }
        if !there.is_file() {
            return OpenOptions::new().write(true).open(path).map(Self::Stream).map_err(|error| failed(path, error));
        }
        let real = path.canonicalize().map_err(|error| failed(path, error))?;
        let is_config = config.canonicalize().is_ok_and(|config| config == real);
        if is_config || is_of_a_database(&real) {
            let what = if is_config { "the config" } else { "of a database" };
            return Err(Failure::usage(format!("`{}` is {what}, and would be replaced", path.display()))
                .hint("name another file; nothing was written"));
        }
        Ok(Self::File(Replaced { path: path.to_owned(), real }))
    }
}

/// A database, or what `SQLite` keeps beside one.
fn is_of_a_database(path: &Path) -> bool {
    let is_database = |path: &Path| {
        let mut head = [0; SQLITE.len()];
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == SQLITE
    };
    let name = path.to_string_lossy();
    // A lock's name holds the ledger's and the task's.
    let lock = name.strip_suffix(".lock").map(|stem| stem.rsplit_once('.').map_or(stem, |(stem, _)| stem));
    let mut stems =
        ["-wal", "-shm", "-journal", ".lock"].iter().filter_map(|ending| name.strip_suffix(ending)).chain(lock);
    let beside = stems.any(|stem| is_database(Path::new(stem)));
    beside || is_database(path)
}

impl Replaced {
    /// A regular file, or none yet. A link is followed. Refused: a pipe, a device, the config, and any database, as the ledger is.
    pub fn named(path: &Path, config: &Path) -> Result<Self> {
        match Output::named(path, config)? {
            Output::File(file) => Ok(file),
            Output::Stream(_) => Err(Failure::usage(format!("`{}` is not a regular file", path.display()))),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins beside the final place, so that a path that cannot be written fails before any work.
    pub(super) fn begin(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.folder())
    }

    /// Moves what was written to its place, and makes its name durable.
    pub(super) fn finish(&self, written: BufWriter<NamedTempFile>) -> io::Result<()> {
        let file = written.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(&self.real).map_err(|error| error.error)?;
        File::open(self.folder())?.sync_all()
    }

    fn folder(&self) -> &Path {
        self.real.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

/// What `fill` writes.
pub(super) fn write<E: From<io::Error>>(
    output: Output,
    fill: impl FnOnce(&mut dyn Write) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    match output {
        Output::Stream(stream) => {
            let mut buffered = BufWriter::new(stream);
            fill(&mut buffered)?;
            Ok(buffered.flush()?)
        }
        Output::File(place) => {
            let mut buffered = BufWriter::new(place.begin()?);
            fill(&mut buffered)?;
            Ok(place.finish(buffered)?)
        }
    }
}

pub(super) fn failed(path: &Path, error: io::Error) -> Failure {
    Failure::usage(anyhow::Error::new(error).context(format!("failed to write `{}`", path.display())))
        .hint("`--output` must name a file in a folder that can be written")
}
