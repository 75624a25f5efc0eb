//! Separated text: the csv crate's records, columns by name, and a limit no line may pass.

use std::cell::Cell;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::Problem;
use crate::domain::money::Currency;
use crate::domain::settlement::{Decimal, ReportLine};

/// No report has longer lines; a file without line ends is no report.
const LONGEST_LINE: u64 = 16 << 20;

/// The rows of a separated text, with a head that names the columns.
pub(super) struct Rows {
    csv: csv::Reader<Limited>,
    limit: Arc<AtomicU64>,
    record: csv::ByteRecord,
    head: Vec<String>,
    is_over: bool,
}

/// Where a column stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    at: usize,
}

/// Stops when it has given out more than the limit since the limit was set.
struct Limited {
    input: Box<dyn Read + Send>,
    given: u64,
    limit: Arc<AtomicU64>,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given > self.limit.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 16 MiB"));
        }
        let read = self.input.read(buffer)?;
        self.given += u64::try_from(read).unwrap_or(u64::MAX);
        Ok(read)
    }
}

impl Rows {
    /// Reads up to the head: the first record in which `sign` is a cell, within the first lines.
    pub(super) fn open(input: Box<dyn Read + Send>, separator: u8, sign: &str) -> Result<Self, Problem> {
        const MOST_BEFORE_HEAD: usize = 20;
        let limit = Arc::new(AtomicU64::new(LONGEST_LINE));
        let csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .buffer_capacity(1 << 16)
            .from_reader(Limited { input, given: 0, limit: Arc::clone(&limit) });
        let mut rows = Self { csv, limit, record: csv::ByteRecord::new(), head: Vec::new(), is_over: false };
        for _ in 0..MOST_BEFORE_HEAD {
            if !rows.advance()? {
                break;
            }
            let cells: Vec<String> = rows
                .record
                .iter()
                .map(|cell| String::from_utf8_lossy(cell).trim_start_matches('\u{feff}').trim().to_owned())
                .collect();
            if cells.iter().any(|cell| cell == sign) {
                rows.head = cells;
                return Ok(rows);
            }
        }
        let what = format!("this is not such a report: no line at its beginning has a column `{sign}`");
        Err(Problem::of_file(1, what))
    }

    /// A column the report cannot be read without.
    pub(super) fn column(&self, name: &str) -> Result<Column, Problem> {
        self.optional_column(name).ok_or_else(|| {
            let what = format!("the column `{name}` is missing; have the report made with it, or correct the head");
            Problem::of_file(self.csv.position().line().max(1), what)
        })
    }

    /// The first column of this name: some reports repeat one.
    pub(super) fn optional_column(&self, name: &str) -> Option<Column> {
        self.head.iter().position(|cell| cell == name).map(|at| Column { at })
    }

    /// Goes to the next record. `false` at the end of the file.
    fn advance(&mut self) -> Result<bool, Problem> {
        if self.is_over {
            return Ok(false);
        }
        self.limit.store(self.csv.position().byte() + LONGEST_LINE, Ordering::Relaxed);
        match self.csv.read_byte_record(&mut self.record) {
            Ok(true) => Ok(true),
            Ok(false) => {
                self.is_over = true;
                Ok(false)
            }
            Err(error) => {
                self.is_over = true;
                Err(Problem::of_file(self.csv.position().line(), format!("it cannot be read: {error}")))
            }
        }
    }

    /// The next row, read by `read`. What has more or fewer cells than the head is no row; as the last one, the file is cut off.
    pub(super) fn next_row(
        &mut self,
        read: impl FnOnce(&Row<'_>) -> Result<ReportLine, Problem>,
    ) -> Option<Result<ReportLine, Problem>> {
        match self.advance() {
            Ok(true) => {}
            Ok(false) => return None,
            Err(problem) => return Some(Err(problem)),
        }
        let row = Row { rows: self, line: self.record.position().map_or(0, csv::Position::line) };
        let (cells, columns) = (self.record.len(), self.head.len());
        if cells == columns {
            return Some(read(&row));
        }
        let line = row.line;
        let what = format!("{cells} cells, and the head has {columns} columns");
        // Cut off in the middle of a line, or a quotation mark without its other one: either reaches to the end of the file.
        let is_last = self.csv.is_done();
        if is_last && cells < columns {
            self.is_over = true;
            let what = format!("{what}; the file is cut off, or a quotation mark has no end: fetch it again");
            return Some(Err(Problem::of_file(line, what)));
        }
        Some(Err(Problem::of_line(line, "", "", what)))
    }
}

/// One row, its cells by column.
pub(super) struct Row<'r> {
    rows: &'r Rows,
    line: u64,
}

impl Row<'_> {
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    fn name(&self, column: Column) -> &str {
        self.rows.head.get(column.at).map_or("", String::as_str)
    }

    pub(super) fn text(&self, column: Column) -> Result<&str, Problem> {
        let cell = self.rows.record.get(column.at).unwrap_or_default();
        match std::str::from_utf8(cell) {
            Ok(text) => Ok(text.trim()),
            Err(_) => {
                let shown = String::from_utf8_lossy(cell);
                Err(self.problem(column, &shown, "not UTF-8 text: the file mixes encodings"))
            }
        }
    }

    pub(super) fn optional_text(&self, column: Option<Column>) -> Result<&str, Problem> {
        column.map_or(Ok(""), |column| self.text(column))
    }

    /// An empty cell is zero.
    pub(super) fn decimal(&self, column: Column) -> Result<Decimal, Problem> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(Decimal::ZERO);
        }
        Decimal::parse(text).map_err(|error| self.problem(column, text, error.to_string()))
    }

    pub(super) fn optional_decimal(&self, column: Option<Column>) -> Result<Decimal, Problem> {
        column.map_or(Ok(Decimal::ZERO), |column| self.decimal(column))
    }

    /// In capital letters, whatever the report has.
    pub(super) fn currency(&self, column: Column) -> Result<Currency, Problem> {
        let text = self.text(column)?;
        let parsed = Currency::parse(text).or_else(|_| Currency::parse(&text.to_ascii_uppercase()));
        parsed.map_err(|error| self.problem(column, text, error.to_string()))
    }

    pub(super) fn problem(&self, column: Column, value: &str, what: impl Into<String>) -> Problem {
        Problem::of_line(self.line, self.name(column), value, what)
    }

    /// The whole row, as a person would read it.
    pub(super) fn whole(&self) -> String {
        let cells: Vec<String> = self
            .rows
            .head
            .iter()
            .zip(self.rows.record.iter())
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(name, cell)| format!("{name}={}", String::from_utf8_lossy(cell)))
            .collect();
        cells.join("; ")
    }
}

/// Local times of one zone after another: most lines share day and offset with the line before.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Cell<Option<(Tz, NaiveDate, u32, i64)>>,
}

impl Clock {
    /// The moment of a local time. In the hour a clock change repeats, the first of the two; in the hour it skips, an hour later.
    pub(super) fn moment(&self, local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
        use chrono::Timelike;
        let (day, hour) = (local.date(), local.hour());
        let offset = match self.last.get() {
            Some((last_zone, last_day, last_hour, offset)) if (last_zone, last_day, last_hour) == (zone, day, hour) => {
                offset
            }
            _ => {
                let hour_begins = NaiveDateTime::new(day, NaiveTime::from_hms_opt(hour, 0, 0)?);
                let begins = match zone.from_local_datetime(&hour_begins) {
                    LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
                    LocalResult::None => {
                        (zone.from_local_datetime(&(hour_begins + chrono::TimeDelta::hours(1))).earliest()?).to_utc()
                    }
                };
                let offset = (hour_begins - begins.naive_utc()).num_seconds();
                self.last.set(Some((zone, day, hour, offset)));
                offset
            }
        };
        Some((local - chrono::TimeDelta::seconds(offset)).and_utc())
    }
}

/// `YYYY-MM-DD HH:MM:SS`, the separators as they come: the shape of nearly every report.
pub(super) fn date_time(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        bytes
            .get(from..to)?
            .iter()
            .try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
    match bytes.len() {
        10 => Some(date.and_time(NaiveTime::MIN)),
        19.. => Some(date.and_time(NaiveTime::from_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?)),
        _ => None,
    }
}
