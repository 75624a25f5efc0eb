//! The file of rejected rows: there as a whole or not at all, and only if there are any.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::report::Tally;
use super::unwritable;
use crate::exchange::import::{Layout, Objection, RejectWriter, Row};
use crate::failure::{Failure, Result};

#[derive(Debug)]
pub(super) struct Rejects {
    path: PathBuf,
    folder: PathBuf,
    writer: RejectWriter<BufWriter<NamedTempFile>>,
}

impl Rejects {
    /// Begins the file beside its final place, so that a path that cannot be written fails before any work.
    pub(super) fn create(path: &Path, input: &Path, layout: &Layout) -> Result<Self> {
        if let (Ok(one), Ok(other)) = (path.canonicalize(), input.canonicalize())
            && one == other
        {
            let message = format!("`{}` is the file to import; rejected rows would replace it", path.display());
            return Err(Failure::usage(message).hint("name another file after --rejects"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let begin = || RejectWriter::new(layout, BufWriter::new(NamedTempFile::new_in(folder)?));
        let writer = begin().map_err(|error| failed(path, error))?;
        Ok(Self { path: path.to_owned(), folder: folder.to_owned(), writer })
    }

    pub(super) fn write(&mut self, row: &Row, objections: &[Objection]) -> Result<()> {
        self.writer.write(row, objections).map_err(|error| failed(&self.path, error))
    }

    /// Moves the file to its place, or forgets it where nothing was rejected.
    pub(super) fn finish(self, tally: &Tally) -> Result<()> {
        if !tally.has_problems() {
            return Ok(());
        }
        let Self { path, folder, writer } = self;
        place(&path, &folder, writer).map_err(|error| failed(&path, error))
    }
}

fn place(path: &Path, folder: &Path, writer: RejectWriter<BufWriter<NamedTempFile>>) -> io::Result<()> {
    let mut buffered = writer.finish()?;
    buffered.flush()?;
    let file = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // Makes the new name durable before the ledger commits.
    File::open(folder)?.sync_all()
}

fn failed(path: &Path, error: io::Error) -> Failure {
    unwritable(&format!("the rejected rows to `{}`", path.display()), error)
}
