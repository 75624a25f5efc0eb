//! `payjournal export`: the books as a file for accounting programs.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Months, NaiveDate, TimeZone as _, Utc};

use super::output::{self, Output};
use crate::config::Settings;
use crate::domain::money::Currency;
pub use crate::exchange::export::ExportFormat;
use crate::exchange::export::{self, ExportError, Journals, Selection};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{ExportBatch, Ledger};
use crate::run::{Lock, open_ledger, refused};

/// What was typed.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub format: ExportFormat,
    /// `YYYY-MM`.
    pub month: Option<&'a str>,
    /// Only what was not handed over in this format yet, and mark it.
    pub is_new: bool,
    /// A batch that was handed over, once more.
    pub again: Option<i64>,
    pub output: Option<&'a Path>,
}

/// Writes the journals, of one month or all of them, to a file or to `out`. A file is whole or as it was before.
pub fn run(
    wanted: Wanted<'_>,
    settings: &Settings,
    now: DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, Failure> {
    if wanted.format == ExportFormat::Datev && settings.datev.is_none() {
        return Err(Failure::config("the config has no [datev]: DATEV books on numbers, not on names")
            .hint("config.example.toml shows the table; `--format csv` needs none"));
    }
    let mut ledger = open_ledger(settings, false, now)?;
    if let Some(id) = wanted.again {
        let batch = ledger.export_batch(id).map_err(refused)?;
        let batch = batch.ok_or_else(|| Failure::usage(format!("there is no export {id}")))?;
        return write_batch(&mut ledger, &batch, wanted, settings, now, out);
    }
    let (from, until) = match wanted.month {
        Some(month) => days_of(month).map(|(first, after)| (Some(first), Some(after)))?,
        None => (None, None),
    };
    if wanted.format == ExportFormat::Stock {
        if wanted.is_new {
            return Err(Failure::usage("--new is for journals: stock is exported by month, or all of it"));
        }
        let zone = ledger.books().time_zone;
        let stock = ledger.stock_releases(from.map(|day| midnight(day, zone)), until.map(|day| midnight(day, zone)));
        let releases = Journals { stock: stock.map_err(refused)?, ..Journals::default() };
        return write(wanted.format, &releases, None, wanted.output, settings, now, out).map(|()| Exit::Done);
    }
    if wanted.is_new {
        // Another one may be writing its file this moment: that is not one that broke off.
        let _lock = Lock::take(&settings.ledger, "export", now)?;
        return write_new(&mut ledger, from, until, wanted, settings, now, out, err);
    }
    let mut journals = load(&ledger, from, until)?;
    let left_out = keep_writable(wanted.format, &mut journals, settings);
    write(wanted.format, &journals, from, wanted.output, settings, now, out)?;
    say_left_out(left_out, err)
}

/// What the format was not given yet: it is marked before the file is written, and one that broke off is written before anything new
/// is taken, so that nothing is handed over twice and nothing is forgotten.
#[expect(clippy::too_many_arguments, reason = "two of them are where it writes")]
fn write_new(
    ledger: &mut Ledger,
    from: Option<NaiveDate>,
    until: Option<NaiveDate>,
    wanted: Wanted<'_>,
    settings: &Settings,
    now: DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, Failure> {
    let format = wanted.format.as_str();
    let Some(month) = from else {
        return Err(Failure::usage("--new takes the month it is booked in: --month YYYY-MM"));
    };
    if let Some(batch) = ledger.unwritten_export(format).map_err(refused)? {
        refuse_handed_over(wanted.output)?;
        writeln!(
            err,
            "export {} was broken off: its file is written now, and what is new since with the next",
            batch.id
        )
        .map_err(Failure::bug)?;
        return write_batch(ledger, &batch, wanted, settings, now, out);
    }
    let mut journals = load(ledger, None, until)?;
    let known = ledger.exported(format).map_err(refused)?;
    journals.retain(|number| !known.contains(number));
    let left_out = keep_writable(wanted.format, &mut journals, settings);
    let numbers: BTreeSet<String> = journals.numbers().map(str::to_owned).collect();
    if numbers.is_empty() {
        writeln!(out, "nothing is new for {format}").map_err(Failure::bug)?;
        return say_left_out(left_out, err);
    }
    // Nothing is marked that cannot be written.
    write_to(wanted.format, &journals, from, settings, now, &mut std::io::sink()).map_err(not_written)?;
    refuse_handed_over(wanted.output)?;
    let id =
        ledger.write("export", None, now, |writer| writer.begin_export(format, month, &numbers)).map_err(refused)?;
    let batch = ExportBatch { id, format: format.to_owned(), month, is_written: false, journals: numbers };
    write_batch(ledger, &batch, wanted, settings, now, out)?;
    say_left_out(left_out, err)
}

/// What was handed over before is nowhere else, if nobody has fetched it yet.
fn refuse_handed_over(output: Option<&Path>) -> Result<(), Failure> {
    match output.filter(|path| path.metadata().is_ok_and(|there| there.is_file() && there.len() > 0)) {
        None => Ok(()),
        Some(path) => Err(Failure::usage(format!("`{}` is there already, and --new replaces nothing", path.display()))
            .hint("name another file, or move it away when it was fetched; nothing was marked as handed over")),
    }
}

fn write_batch(
    ledger: &mut Ledger,
    batch: &ExportBatch,
    wanted: Wanted<'_>,
    settings: &Settings,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let format = ExportFormat::parse(&batch.format)
        .ok_or_else(|| Failure::bug(anyhow::anyhow!("export {} is in an unknown format", batch.id)))?;
    let (_, until) = days_of(&batch.month.format("%Y-%m").to_string())?;
    let mut journals = load(ledger, None, Some(until))?;
    journals.retain(|number| batch.journals.contains(number));
    write(format, &journals, Some(batch.month), wanted.output, settings, now, out)?;
    ledger.write("export", None, now, |writer| writer.finish_export(batch.id)).map_err(refused)?;
    if let Some(path) = wanted.output {
        let (count, month, id) = (batch.journals.len(), batch.month.format("%Y-%m"), batch.id);
        writeln!(
            out,
            "export {id}: {count} journals of {month} are in `{}`; `payjournal export --again {id} --output FILE` writes them once more",
            path.display()
        )
        .map_err(Failure::bug)?;
    }
    Ok(Exit::Done)
}

fn load(ledger: &Ledger, from: Option<NaiveDate>, until: Option<NaiveDate>) -> Result<Journals, Failure> {
    Ok(Journals {
        of_movements: ledger.journals(from, until).map_err(refused)?,
        of_payouts: ledger.payout_journals(from, until).map_err(refused)?,
        of_invoices: ledger.invoice_journals(from, until).map_err(refused)?,
        stock: Vec::new(),
    })
}

/// DATEV takes one currency; returns what it does not take, and which it takes.
fn keep_writable(format: ExportFormat, journals: &mut Journals, settings: &Settings) -> Option<(usize, Currency)> {
    let currency = settings.datev.as_ref().filter(|_| format == ExportFormat::Datev)?.currency;
    let left_out = journals.keep_currency(currency);
    (left_out > 0).then_some((left_out, currency))
}

fn say_left_out(left_out: Option<(usize, Currency)>, err: &mut dyn Write) -> Result<Exit, Failure> {
    let Some((count, currency)) = left_out else { return Ok(Exit::Done) };
    writeln!(
        err,
        "{count} journals in other currencies than {currency} are not in it: DATEV wants the rate each was booked with; `payjournal \
         export --format csv` has them"
    )
    .map_err(Failure::bug)?;
    Ok(Exit::NeedsPerson)
}

fn write(
    format: ExportFormat,
    journals: &Journals,
    month: Option<NaiveDate>,
    output: Option<&Path>,
    settings: &Settings,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match output {
        Some(path) => {
            let place = Output::named(path, &settings.config_path)?;
            output::write(place, |file| write_to(format, journals, month, settings, now, file)).map_err(|error| {
                match error {
                    ExportError::Io(error) => output::failed(path, error),
                    ExportError::SameName { .. } | ExportError::Unmapped { .. } | ExportError::NoMonth => {
                        not_written(error)
                    }
                }
            })
        }
        None => write_to(format, journals, month, settings, now, out).map_err(not_written),
    }
}

fn write_to(
    format: ExportFormat,
    journals: &Journals,
    month: Option<NaiveDate>,
    settings: &Settings,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let datev = settings.datev.as_ref().map(|books| (books, now));
    export::write(format, journals, Selection { month, datev }, out)
}

/// The first moment of a day in the zone of the books.
fn midnight(day: NaiveDate, zone: chrono_tz::Tz) -> DateTime<Utc> {
    let start = day.and_time(chrono::NaiveTime::MIN);
    // Where the clock jumps over midnight, the day begins when it has jumped.
    let local = zone.from_local_datetime(&start).earliest();
    let local = local.or_else(|| zone.from_local_datetime(&(start + chrono::TimeDelta::hours(1))).earliest());
    local.map_or_else(|| start.and_utc(), |local| local.to_utc())
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

fn not_written(error: ExportError) -> Failure {
    match error {
        ExportError::Io(error) => Failure::bug(error),
        ExportError::SameName { .. } => Failure::config(error).hint(
            "the names come from `[accounts]` and the customers' numbers; the format `csv` takes every name as it is",
        ),
        ExportError::Unmapped { .. } => Failure::config(error)
            .hint("add them to [datev] in the config, as config.example.toml shows; a name may end in `*` for all that begin so"),
        ExportError::NoMonth => Failure::usage(error).hint("payjournal export --format datev --month 2026-11"),
    }
}
