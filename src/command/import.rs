//! `payjournal import`: one file into the ledger in one transaction, and every problem named with its line.

mod rejects;
mod report;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use self::rejects::Rejects;
use self::report::Tally;
use super::output::Replaced;
use crate::exchange::import::{
    self, DocumentRecord, EntryRecord, MandateRecord, Objection, OpenError, OrderLineRecord, OrderRecord,
    PaymentRecord, Row, Rows,
};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::import::{Mark, Verdict};
use crate::ledger::{Ledger, LedgerError, Writer};

pub use crate::exchange::import::{ImportDefaults, ImportKind, InputFormat};

#[derive(Debug, Clone)]
pub struct ImportArgs {
    pub what: ImportKind,
    /// `-` = standard input.
    pub file: PathBuf,
    /// Where bad rows go; without it one bad row keeps the whole file out.
    pub rejects: Option<Replaced>,
    pub format: Option<InputFormat>,
    pub json: bool,
    pub print_summary: bool,
}

/// Why the transaction of a file is not committed.
enum Stop {
    Ledger(LedgerError),
    Failed(Failure),
    /// There are bad rows and nowhere to put them.
    Problems,
}

/// Whether the file is there; standard input is. It is not opened: a pipe can be read once.
pub fn can_be_read(args: &ImportArgs) -> Result<()> {
    if args.file == Path::new("-") {
        return Ok(());
    }
    std::fs::metadata(&args.file).map(drop).map_err(|error| unreadable(args, error))
}

/// Bad rows end in exit 1, whether the good ones were kept or not; a file that cannot be read, in exit 2.
pub fn run(
    args: &ImportArgs,
    defaults: &ImportDefaults,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    input: &mut dyn Read,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit> {
    let mut source = open(&args.file, input).map_err(|error| unreadable(args, error))?;
    let format = match args.format {
        Some(format) => format,
        None => InputFormat::guess(&args.file, &mut source).map_err(|error| unreadable(args, error))?,
    };
    let mut tally = Tally::default();
    match Rows::open(format, args.what, source) {
        Ok(rows) => take_file(args, defaults, ledger, now, rows, &mut tally)?,
        Err(OpenError::Io(error)) => return Err(unreadable(args, error)),
        Err(OpenError::Header(problems)) => tally.refuse_file(problems),
    }
    report::write(args, &tally, out, err).map_err(|error| unwritable("the report of the import", error))?;
    Ok(tally.exit())
}

/// The fields of a file, for people.
pub fn describe(what: ImportKind, out: &mut dyn Write) -> Result<Exit> {
    out.write_all(import::describe(what).as_bytes()).map_err(|error| unwritable("the description", error))?;
    Ok(Exit::Done)
}

fn take_file<R: BufRead>(
    args: &ImportArgs,
    defaults: &ImportDefaults,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
    rows: Rows<R>,
    tally: &mut Tally,
) -> Result<()> {
    let mut rejects = match &args.rejects {
        Some(place) => Some(Rejects::create(place, &args.file, &rows.layout())?),
        None => None,
    };
    let mut stop = None;
    let label = format!("import {}", args.what.noun());
    let written = ledger.write(&label, None, now, |writer| {
        take_rows(args, defaults, writer, rows, rejects.as_mut(), tally)
            .and_then(|()| match rejects {
                // On disk before the commit: a row is never neither in the ledger nor in the file.
                Some(rejects) => rejects.finish(tally).map_err(Stop::Failed),
                None if tally.has_problems() => Err(Stop::Problems),
                None => Ok(()),
            })
            .map_err(|why| match why {
                Stop::Ledger(error) => error,
                Stop::Failed(_) | Stop::Problems => {
                    stop = Some(why);
                    LedgerError::Invariant("the import was not kept".to_owned())
                }
            })
    });
    match (stop, written) {
        (None, Ok(())) => Ok(()),
        (Some(Stop::Problems), _) => {
            tally.keep_nothing();
            Ok(())
        }
        (Some(Stop::Failed(failure)), _) => Err(failure),
        (Some(Stop::Ledger(error)), _) | (None, Err(error)) => Err(ledger_failure(error)),
    }
}

fn take_rows<R: BufRead>(
    args: &ImportArgs,
    defaults: &ImportDefaults,
    writer: &Writer<'_>,
    rows: Rows<R>,
    mut rejects: Option<&mut Rejects>,
    tally: &mut Tally,
) -> Result<(), Stop> {
    writer.begin_import().map_err(Stop::Ledger)?;
    for row in rows {
        let row = row.map_err(|error| Stop::Failed(unreadable(args, error)))?;
        let verdict = take_row(args.what, defaults, writer, &row).map_err(Stop::Ledger)?;
        if let (Verdict::Refused(objections), Some(rejects)) = (&verdict, rejects.as_deref_mut()) {
            rejects.write(&row, objections).map_err(Stop::Failed)?;
        }
        tally.count(row.line, verdict);
    }
    Ok(())
}

fn take_row(
    what: ImportKind,
    defaults: &ImportDefaults,
    writer: &Writer<'_>,
    row: &Row,
) -> Result<Verdict, LedgerError> {
    let mark = Mark { line: row.line, digest: row.digest() };
    let refused = |objections: Vec<Objection>| Ok(Verdict::Refused(objections));
    match what {
        ImportKind::Orders => match OrderRecord::read(row, defaults) {
            Ok(record) => writer.import_order(&record, &defaults.default_customer, mark),
            Err(objections) => refused(objections),
        },
        ImportKind::OrderLines => match OrderLineRecord::read(row, defaults) {
            Ok(record) => writer.import_order_line(&record, mark),
            Err(objections) => refused(objections),
        },
        ImportKind::Customers => match import::customer::read(row, defaults) {
            Ok(record) => writer.import_customer(&record, mark),
            Err(objections) => refused(objections),
        },
        ImportKind::Entries => match EntryRecord::read(row, defaults) {
            Ok(record) => writer.import_entry(&record, &defaults.default_customer, mark),
            Err(objections) => refused(objections),
        },
        ImportKind::Payments => match PaymentRecord::read(row, defaults) {
            Ok(record) => writer.import_payment(&record, &defaults.company, mark),
            Err(objections) => refused(objections),
        },
        ImportKind::Documents => match DocumentRecord::read(row, defaults) {
            Ok(record) => writer.import_document(&record, &defaults.default_customer, mark),
            Err(objections) => refused(objections),
        },
        ImportKind::Mandates => match MandateRecord::read(row, defaults) {
            Ok(record) => writer.import_mandate(&record, mark),
            Err(objections) => refused(objections),
        },
    }
}

/// The file, or a copy of what comes through a pipe: the ledger is not kept locked while a slow producer thinks.
fn open(path: &Path, input: &mut dyn Read) -> io::Result<BufReader<File>> {
    if path == Path::new("-") {
        return spooled(input);
    }
    let mut file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() || kind.is_dir() { Ok(BufReader::with_capacity(1 << 16, file)) } else { spooled(&mut file) }
}

fn spooled(input: &mut dyn Read) -> io::Result<BufReader<File>> {
    let mut copy = tempfile::tempfile()?;
    io::copy(input, &mut copy)?;
    copy.rewind()?;
    Ok(BufReader::with_capacity(1 << 16, copy))
}

/// What people call the input.
fn name(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() }
}

fn unreadable(args: &ImportArgs, error: io::Error) -> Failure {
    let message = format!("failed to read `{}`", name(&args.file));
    Failure::new(Exit::Usage, anyhow::Error::new(error).context(message))
}

fn unwritable(what: &str, error: io::Error) -> Failure {
    Failure::new(Exit::Usage, anyhow::Error::new(error).context(format!("failed to write {what}")))
}

fn ledger_failure(error: LedgerError) -> Failure {
    let hint = error.hint();
    let failure = Failure::ledger(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
