//! The file of rejected rows: there as a whole or not at all, and only if there are any.

use std::io::{self, BufWriter};
use std::path::Path;

use tempfile::NamedTempFile;

use super::report::Tally;
use super::unwritable;
use crate::command::output::Replaced;
use crate::exchange::import::{Layout, Objection, RejectWriter, Row};
use crate::failure::{Failure, Result};

#[derive(Debug)]
pub(super) struct Rejects {
    place: Replaced,
    writer: RejectWriter<BufWriter<NamedTempFile>>,
}

impl Rejects {
    pub(super) fn create(place: &Replaced, input: &Path, layout: &Layout) -> Result<Self> {
        let path = place.path();
        if let (Ok(one), Ok(other)) = (path.canonicalize(), input.canonicalize())
            && one == other
        {
            let message = format!("`{}` is the file to import; rejected rows would replace it", path.display());
            return Err(Failure::usage(message).hint("name another file after --rejects"));
        }
        let begin = || RejectWriter::new(layout, BufWriter::new(place.begin()?));
        let writer = begin().map_err(|error| failed(path, error))?;
        Ok(Self { place: place.clone(), writer })
    }

    pub(super) fn write(&mut self, row: &Row, objections: &[Objection]) -> Result<()> {
        self.writer.write(row, objections).map_err(|error| failed(self.place.path(), error))
    }

    /// Moves the file to its place, or forgets it where nothing was rejected.
    pub(super) fn finish(self, tally: &Tally) -> Result<()> {
        if !tally.has_problems() {
            return Ok(());
        }
        let Self { place, writer } = self;
        // Durable before the ledger commits.
        writer.finish().and_then(|written| place.finish(written)).map_err(|error| failed(place.path(), error))
    }
}

fn failed(path: &Path, error: io::Error) -> Failure {
    unwritable(&format!("the rejected rows to `{}`", path.display()), error)
}
