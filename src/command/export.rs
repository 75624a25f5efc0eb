//! `payjournal export`: the books as a file for accounting programs.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use chrono::{Months, NaiveDate};

pub use crate::exchange::export::ExportFormat;
use crate::exchange::export::{self, ExportError, Journals};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::run::refused;

/// Writes the journals, of one month (`YYYY-MM`) or all of them, to a file or to `out`. A file is whole or as it was before.
pub fn run(
    format: ExportFormat,
    month: Option<&str>,
    output: Option<&Path>,
    ledger: &Ledger,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (from, until) = match month {
        Some(month) => days_of(month).map(|(first, after)| (Some(first), Some(after)))?,
        None => (None, None),
    };
    let journals = Journals {
        of_movements: ledger.journals(from, until).map_err(refused)?,
        of_payouts: ledger.payout_journals(from, until).map_err(refused)?,
        of_invoices: ledger.invoice_journals(from, until).map_err(refused)?,
    };
    match output {
        Some(path) => write_file(path, |file| export::write(format, &journals, file))?,
        None => export::write(format, &journals, out).map_err(not_written)?,
    }
    Ok(Exit::Done)
}

/// The first day of the month and the first day after it.
fn days_of(month: &str) -> Result<(NaiveDate, NaiveDate), Failure> {
    let wrong =
        || Failure::usage(format!("`{month}` is not a month")).hint("write the year and the month, such as `2026-11`");
    let shaped = month.len() == "YYYY-MM".len()
        && month.bytes().enumerate().all(|(at, byte)| if at == 4 { byte == b'-' } else { byte.is_ascii_digit() });
    if !shaped {
        return Err(wrong());
    }
    let first: NaiveDate = format!("{month}-01").parse().map_err(|_| wrong())?;
    let after = first.checked_add_months(Months::new(1)).ok_or_else(wrong)?;
    Ok((first, after))
}

/// What `fill` writes, as a file that is whole or as it was before.
pub(super) fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), ExportError>,
) -> Result<(), Failure> {
    let failed = |error: anyhow::Error| {
        Failure::new(Exit::Usage, error).hint("`--output` must name a file in a folder that can be written")
    };
    let context = || format!("failed to write `{}`", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = tempfile::NamedTempFile::new_in(folder).with_context(context).map_err(failed)?;
    let mut buffered = std::io::BufWriter::new(draft.as_file_mut());
    fill(&mut buffered).map_err(|error| match error {
        ExportError::Io(error) => failed(anyhow::Error::new(error).context(context())),
        ExportError::SameName { .. } => not_written(error),
    })?;
    buffered.flush().with_context(context).map_err(failed)?;
    drop(buffered);
    draft.as_file().sync_all().with_context(context).map_err(failed)?;
    draft.persist(path).with_context(context).map_err(failed)?;
    Ok(())
}

fn not_written(error: ExportError) -> Failure {
    match error {
        ExportError::Io(error) => Failure::bug(error),
        ExportError::SameName { .. } => Failure::config(error).hint(
            "the names come from `[accounts]` and the customers' numbers; the format `csv` takes every name as it is",
        ),
    }
}
