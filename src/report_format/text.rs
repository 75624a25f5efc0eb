//! Separated text: the csv crate's records, columns by name, and a limit no line may pass.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use csv::ByteRecord;

use super::{Problem, Reading};
use crate::domain::money::Currency;
use crate::domain::settlement::{Decimal, ReportLine};

/// No report has longer lines; a file without line ends is no report.
const LONGEST_LINE: u64 = 16 << 20;

/// Put behind the end of every file: a record of its own, unless a quotation mark without its other one takes it in.
const END: &[u8] = b"\x1aend of file\x1a";
const LINE_OF_END: &[u8] = b"\n\x1aend of file\x1a\n";

/// The records of a separated text, whatever they hold.
pub(super) struct Records {
    csv: csv::Reader<Limited>,
    limit: Arc<AtomicU64>,
    record: ByteRecord,
    /// What was read beyond `record`.
    ahead: Option<Result<Option<ByteRecord>, Problem>>,
    is_over: bool,
}

/// Stops when it has given out more than the limit since the limit was set.
struct Limited {
    input: Box<dyn Read + Send>,
    given: u64,
    limit: Arc<AtomicU64>,
    has_ended: bool,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given > self.limit.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 16 MiB"));
        }
        let mut read = if self.has_ended { 0 } else { self.input.read(buffer)? };
        if read == 0 && !self.has_ended {
            self.has_ended = true;
            let mut end = LINE_OF_END;
            read = end.read(buffer)?;
        }
        self.given += u64::try_from(read).unwrap_or(u64::MAX);
        Ok(read)
    }
}

impl Records {
    pub(super) fn open(input: Box<dyn Read + Send>, separator: u8) -> Self {
        let limit = Arc::new(AtomicU64::new(LONGEST_LINE));
        let csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .buffer_capacity(1 << 16)
            .from_reader(Limited { input, given: 0, limit: Arc::clone(&limit), has_ended: false });
        Self { csv, limit, record: ByteRecord::new(), ahead: None, is_over: false }
    }

    /// Goes to the next record. `false` at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool, Problem> {
        match self.ahead.take() {
            None => self.read(self.line()),
            Some(Ok(Some(record))) => {
                self.record = record;
                Ok(true)
            }
            Some(Ok(None)) => Ok(false),
            Some(Err(problem)) => Err(problem),
        }
    }

    /// `last_line` is where the record before begins.
    fn read(&mut self, last_line: u64) -> Result<bool, Problem> {
        if self.is_over {
            return Ok(false);
        }
        self.limit.store(self.csv.position().byte() + LONGEST_LINE, Ordering::Relaxed);
        match self.csv.read_byte_record(&mut self.record) {
            Ok(true) if self.record.len() == 1 && self.record.get(0) == Some(END) => {
                self.is_over = true;
                Ok(false)
            }
            Ok(true) => Ok(true),
            Ok(false) => {
                self.is_over = true;
                Err(Problem::of_file(last_line, "a quotation mark that opens here has no end: fetch the file again"))
            }
            Err(error) => {
                self.is_over = true;
                Err(Problem::of_file(self.csv.position().line(), format!("it cannot be read: {error}")))
            }
        }
    }

    /// Whether there is nothing after this record.
    fn is_last(&mut self) -> bool {
        let line = self.line();
        let here = std::mem::take(&mut self.record);
        let read = self.read(line);
        let next = std::mem::replace(&mut self.record, here);
        let is_last = read == Ok(false);
        self.ahead = Some(read.map(|is_there| is_there.then_some(next)));
        is_last
    }

    /// The line this record begins in.
    pub(super) fn line(&self) -> u64 {
        self.record.position().map_or(1, csv::Position::line)
    }

    pub(super) fn len(&self) -> usize {
        self.record.len()
    }

    /// A cell of a record without a head; empty where there is none.
    pub(super) fn cell(&self, at: usize) -> &[u8] {
        self.record.get(at).unwrap_or_default()
    }

    pub(super) fn cells(&self) -> Vec<String> {
        let text = |cell| String::from_utf8_lossy(cell).trim_start_matches('\u{feff}').trim().to_owned();
        self.record.iter().map(text).collect()
    }

    /// Nothing more is read.
    pub(super) fn stop(&mut self) {
        self.is_over = true;
        self.ahead = None;
    }

    /// This record under a head. One that does not fit its head is no row; as the last one, the file is cut off.
    pub(super) fn row<'r>(&'r mut self, head: &'r Head) -> Result<Row<'r>, Problem> {
        let (line, cells, columns) = (self.line(), self.record.len(), head.0.len());
        if cells != columns {
            let what = format!("{cells} cells, and the head has {columns} columns");
            if cells < columns && self.is_last() {
                self.stop();
                return Err(Problem::of_file(line, format!("{what}; the file is cut off: fetch it again")));
            }
            return Err(Problem::of_line(line, "", "", what));
        }
        // Without its closing mark a quoted cell goes on to the next opening one, and the mark after that is part of the cell.
        if self.record.as_slice().contains(&b'\n')
            && self.record.iter().any(|cell| cell.contains(&b'\n') && cell.contains(&b'"'))
        {
            return Err(Problem::of_line(
                line,
                "",
                "",
                "a quotation mark has no end in this line, or in the one after it",
            ));
        }
        Ok(Row { head, record: &self.record, line })
    }
}

/// The names of the columns, in their order.
#[derive(Debug, Default)]
pub(super) struct Head(pub(super) Vec<String>);

/// Where a column stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    at: usize,
}

impl Head {
    /// The first column of this name.
    pub(super) fn column(&self, name: &str) -> Option<Column> {
        self.first(|cell| cell == name)
    }

    pub(super) fn first(&self, is_it: impl Fn(&str) -> bool) -> Option<Column> {
        self.0.iter().position(|cell| is_it(cell)).map(|at| Column { at })
    }

    /// A column that is read where it is there. Nobody can tell which of two is meant; what is not read may stand twice.
    pub(super) fn optional_column(&self, name: &str, line: u64) -> Result<Option<Column>, Problem> {
        if self.0.iter().filter(|cell| *cell == name).count() > 1 {
            return Err(Problem::of_file(
                line,
                format!("the column `{name}` stands twice in the head; remove or rename one"),
            ));
        }
        Ok(self.column(name))
    }

    /// A column the report cannot be read without. `line` is the head's.
    pub(super) fn needed_column(&self, name: &str, line: u64) -> Result<Column, Problem> {
        self.optional_column(name, line)?.ok_or_else(|| {
            let what = format!("the column `{name}` is missing; have the report made with it, or correct the head");
            Problem::of_file(line, what)
        })
    }
}

/// The rows of a separated text with one head.
pub(super) struct Rows {
    records: Records,
    head: Head,
    head_line: u64,
}

impl Rows {
    /// Reads up to the head: the first record in which `sign` is a cell, within the first lines.
    pub(super) fn open(input: Box<dyn Read + Send>, separator: u8, sign: &str) -> Result<Self, Problem> {
        const MOST_BEFORE_HEAD: usize = 20;
        let mut records = Records::open(input, separator);
        for _ in 0..MOST_BEFORE_HEAD {
            if !records.advance()? {
                break;
            }
            let cells = records.cells();
            if cells.iter().any(|cell| cell == sign) {
                let head_line = records.line();
                return Ok(Self { records, head: Head(cells), head_line });
            }
        }
        let what = format!("this is not such a report: no line at its beginning has a column `{sign}`");
        Err(Problem::of_file(1, what))
    }

    pub(super) fn column(&self, name: &str) -> Result<Column, Problem> {
        self.head.needed_column(name, self.head_line)
    }

    pub(super) fn optional_column(&self, name: &str) -> Result<Option<Column>, Problem> {
        self.head.optional_column(name, self.head_line)
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// The next row, read by `read`.
    pub(super) fn next_row(
        &mut self,
        read: impl FnOnce(&Row<'_>) -> Result<ReportLine, Problem>,
    ) -> Option<Result<ReportLine, Problem>> {
        match self.records.advance() {
            Ok(true) => Some(self.records.row(&self.head).and_then(|row| read(&row))),
            Ok(false) => None,
            Err(problem) => Some(Err(problem)),
        }
    }
}

/// One row, its cells by column.
pub(super) struct Row<'r> {
    head: &'r Head,
    record: &'r ByteRecord,
    line: u64,
}

impl Row<'_> {
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    fn name(&self, column: Column) -> &str {
        self.head.0.get(column.at).map_or("", String::as_str)
    }

    pub(super) fn text(&self, column: Column) -> Result<&str, Problem> {
        let cell = self.record.get(column.at).unwrap_or_default();
        std::str::from_utf8(cell).map(str::trim).map_err(|_| {
            self.problem(column, &String::from_utf8_lossy(cell), "not UTF-8 text: the file mixes encodings")
        })
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

    /// In capital letters, whatever the report has.
    pub(super) fn currency(&self, column: Column) -> Result<Currency, Problem> {
        let text = self.text(column)?;
        let parsed = Currency::parse(text).or_else(|_| Currency::parse(&text.to_ascii_uppercase()));
        parsed.map_err(|error| self.problem(column, text, error.to_string()))
    }

    /// The time that stands in a column, if money can have moved then.
    pub(super) fn dated(&self, column: Column, at: DateTime<Utc>, reading: Reading) -> Result<DateTime<Utc>, Problem> {
        let value = self.text(column)?;
        reading.dated(at).map_err(|what| self.problem(column, value, what))
    }

    pub(super) fn problem(&self, column: Column, value: &str, what: impl Into<String>) -> Problem {
        Problem::of_line(self.line, self.name(column), value, what)
    }

    /// The sum or difference of what this row says; `column` is the one to look at if it is too large.
    pub(super) fn checked(&self, column: Column, amount: Option<Decimal>) -> Result<Decimal, Problem> {
        amount.ok_or_else(|| {
            self.problem(column, "", "with what it is added to, larger than any amount the ledger takes")
        })
    }

    /// The whole row, as a person would read it.
    pub(super) fn whole(&self) -> String {
        let cells: Vec<String> = self
            .head
            .0
            .iter()
            .zip(self.record.iter())
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(name, cell)| format!("{name}={}", String::from_utf8_lossy(cell)))
            .collect();
        cells.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report_format::sample::{lines, problem, read};
    use crate::report_format::{AmountColumns, CurrencyFrom, Format, GenericFormat};
    use proptest::prelude::*;

    /// Columns `id`, `amount`, `date` and `text`.
    fn table() -> Format {
        Format::Generic(Box::new(GenericFormat {
            amount: AmountColumns::Signed("amount".to_owned()),
            currency: CurrencyFrom::Fixed(Currency::parse("EUR").unwrap()),
            modification: Some("id".to_owned()),
            note: Some("text".to_owned()),
            default_kind: crate::domain::settlement::LineKind::Sale,
            ..GenericFormat::default()
        }))
    }

    const HEAD: &str = "id,amount,date,text\n";

    #[test]
    fn a_table_is_read_with_any_line_ends_and_with_or_without_the_last_one() {
        for end in ["\n", "\r\n", "\r"] {
            for last in ["", end, "\n\n\n"] {
                let text = format!("{HEAD}a,1.00,2026-11-22,\"x, y\"{end}b,2.00,2026-11-22,{last}");
                let lines = lines(&table(), text);
                assert_eq!(lines.len(), 2);
                assert_eq!((lines[0].note.as_str(), lines[1].modification.as_str()), ("x, y", "b"));
            }
        }
    }

    #[test]
    fn a_cell_may_hold_a_line_end() {
        let lines = lines(&table(), format!("{HEAD}a,1.00,2026-11-22,\"x\ny\"\nb,2.00,2026-11-22,z\n"));
        assert_eq!((lines[0].note.as_str(), lines[1].number), ("x\ny", 4));
    }

    #[test]
    fn a_file_cut_off_in_a_line_is_refused_whole() {
        for cut in ["b", "b,2.", "b,2.00,2026-11-22", "b,2.00,2026-11-22\n", "b,2.00\r\n\r\n"] {
            let (lines, problems) = read(&table(), format!("{HEAD}a,1.00,2026-11-22,\n{cut}"));
            assert_eq!((lines.len(), problems.len()), (1, 1), "{cut}");
            assert!(
                problems[0].is_fatal && problems[0].line == 3 && problems[0].what.contains("cut off"),
                "{}",
                problems[0]
            );
        }
    }

    #[test]
    fn a_row_with_other_cells_than_the_head_is_told_and_the_next_one_is_read() {
        for wrong in ["b,2.00\n", "b,2.00,2026-11-22,x,y\n"] {
            let (lines, problems) = read(&table(), format!("{HEAD}{wrong}c,3.00,2026-11-22,\n"));
            assert_eq!((lines[0].modification.as_str(), lines[0].number), ("c", 3));
            assert!(
                !problems[0].is_fatal && problems[0].line == 2 && problems[0].what.contains("4 columns"),
                "{wrong}"
            );
        }
        let (_, problems) = read(&table(), format!("{HEAD}b,2.00,2026-11-22,x,y\n"));
        assert!(!problems[0].is_fatal, "too many cells are no sign that the end is missing");
    }

    #[test]
    fn a_quotation_mark_without_an_end_takes_in_the_rest_of_the_file_and_it_is_refused_whole() {
        // In the last column the row has all its cells.
        let (_, problems) = read(&table(), format!("{HEAD}a,1.00,2026-11-22,\"x\nb,2.00,2026-11-22,\n"));
        assert!(problems[0].is_fatal && problems[0].what.contains("no end"), "{}", problems[0]);
        assert_eq!(problems[0].line, 2);
        let (lines, problems) = read(&table(), format!("{HEAD}\"a,1.00,2026-11-22,x\nb,2.00,2026-11-22,\n"));
        assert!(lines.is_empty() && problems.iter().any(|problem| problem.is_fatal));
    }

    #[test]
    fn a_quotation_mark_that_ends_in_the_next_line_makes_no_row_of_two() {
        let text = format!("{HEAD}\"a,1.00,2026-11-22,x\n\"b\",2.00,2026-11-22,y\n\"c\",3.00,2026-11-22,z\n");
        let (lines, problems) = read(&table(), text);
        assert_eq!((lines.len(), lines[0].modification.as_str()), (1, "c"));
        assert!(problems[0].what.contains("quotation mark"), "{}", problems[0]);
    }

    #[test]
    fn text_in_two_encodings_is_told() {
        let bytes = [HEAD.as_bytes(), b"a,1.00,2026-11-22,M\xfcller\nb,2.00,2026-11-22,ok\n"].concat();
        let (lines, problems) = read(&table(), bytes);
        assert_eq!(lines.len(), 1);
        assert_eq!(
            problems[0].to_string(),
            "line 2, column `text`, `M\u{fffd}ller`: not UTF-8 text: the file mixes encodings"
        );
    }

    #[test]
    fn a_line_longer_than_any_report_has_ends_it() {
        let endless = io::repeat(b'a').take(LONGEST_LINE + (1 << 20));
        let input = io::Cursor::new(HEAD).chain(endless);
        let reading = crate::report_format::sample::READING;
        let mut report = crate::report_format::open(&table(), Box::new(input), reading);
        let problem = report.next_line().unwrap().unwrap_err();
        assert!(problem.is_fatal && problem.what.contains("longer than 16 MiB"), "{problem}");
        assert!(report.next_line().is_none());
    }

    #[test]
    fn a_file_of_many_lines_may_be_longer_than_one_line() {
        let row = format!("a,1.00,2026-11-22,{}\n", "x".repeat(1 << 20));
        let many = format!("{HEAD}{}", row.repeat(18));
        assert_eq!(lines(&table(), many).len(), 18);
    }

    #[test]
    fn the_head_is_found_in_the_first_lines_or_not_at_all() {
        let below = |lines: usize| format!("{}{HEAD}a,1.00,2026-11-22,\n", "made by x\n".repeat(lines));
        assert_eq!(lines(&table(), below(19)).len(), 1);
        assert!(problem(&table(), below(20)).is_fatal);
        let utf_16: Vec<u8> = HEAD.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(problem(&table(), utf_16).what.contains("not such a report"));
    }

    #[test]
    fn the_sign_dos_ended_files_with_ends_none() {
        let (lines, problems) = read(&table(), format!("{HEAD}\x1a\na,1.00,2026-11-22,\n"));
        assert_eq!((lines.len(), problems.len()), (1, 1));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_table_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read(&table(), [HEAD.as_bytes(), bytes.as_slice()].concat());
        }

        #[test]
        fn cells_with_anything_in_them_are_read_back(cell in "[^\r\x1a]{0,40}") {
            let quoted = cell.replace('"', "\"\"");
            let (read, problems) = read(&table(), format!("{HEAD}a,1.00,2026-11-22,\"{quoted}\"\n"));
            if cell.contains('\n') && cell.contains('"') {
                prop_assert_eq!(problems.len(), 1);
            } else {
                prop_assert_eq!(read[0].note.as_str(), cell.trim());
            }
        }
    }
}
