//! CSV per RFC 4180, with a header line. The crate `csv` takes records apart; what it forgives, a quote that is never closed
//! or text behind a closing quote, is found here first: it would swallow every row up to the next quote without a word.

use std::io::{self, BufRead, Read};

use ::csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

use super::field::{Content, Field, Need, is_reject, nearest, position};
use super::lines::{LONGEST, Line, Lines, TOO_LONG};
use super::problem::{Objection, Problem};
use super::row::{Cell, Origin, Row};
use super::{Layout, OpenError};

const NEVER_CLOSED: &str = "opens a quote that is never closed";
const STRAY_QUOTE: &str = "has text after a closing quote; a quote inside a quoted cell is written twice";

#[derive(Debug)]
pub struct Rows<R> {
    reader: Reader<Feed<R>>,
    fields: &'static [Field],
    columns: Vec<Column>,
    layout: Layout,
}

/// What a column of the file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Field(usize),
    /// Written by an earlier rejection.
    Ignored,
}

/// Hands the reader one record at a time, so that the line a record starts at is always known.
#[derive(Debug)]
struct Feed<R> {
    lines: Lines<R>,
    delimiter: u8,
    record: Vec<u8>,
    consumed: usize,
}

enum Piece {
    /// Waits in the feed.
    Record {
        line: u64,
    },
    Damaged {
        line: Line,
        why: &'static str,
    },
}

/// Where a scan along a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scan {
    CellStart,
    Plain,
    Quoted,
    /// Behind a quote that closes the cell, or is the first of two.
    Closing,
    Stray,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn open(input: R, fields: &'static [Field]) -> Result<Self, OpenError> {
        let mut lines = Lines::new(input);
        let Some(first) = lines.next_filled()? else {
            let why = format!("the file is empty; its first line names the fields, such as `{}`", example(fields));
            return Err(OpenError::Header(vec![Objection::to_row(why).at(1)]));
        };
        let delimiter = delimiter(first.content());
        lines.give_back(vec![first]);
        let feed = Feed { lines, delimiter, record: Vec::new(), consumed: 0 };
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(feed);
        let header = match reader.get_mut().advance()? {
            Some(Piece::Record { line }) => Header { line, names: names(&read(&mut reader)?) },
            Some(Piece::Damaged { line, why }) => {
                return Err(OpenError::Header(vec![Objection::to_row(format!("the header {why}")).at(line.number)]));
            }
            None => Header { line: 1, names: Vec::new() },
        };
        let columns = header.columns(fields).map_err(OpenError::Header)?;
        let kept = header.names.into_iter().filter(|name| !is_reject(name)).collect();
        Ok(Self { reader, fields, columns, layout: Layout::Csv { delimiter, header: kept } })
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout.clone()
    }

    pub(super) fn next_row(&mut self) -> io::Result<Option<Row>> {
        let line = match self.reader.get_mut().advance()? {
            None => return Ok(None),
            Some(Piece::Damaged { line, why }) => {
                let origin = Origin::Raw(line.content().to_vec());
                return Ok(Some(Row::damaged(
                    line.number,
                    self.fields,
                    origin,
                    Objection::to_row(format!("the row {why}")),
                )));
            }
            Some(Piece::Record { line }) => line,
        };
        let record = read(&mut self.reader)?;
        Ok(Some(self.row(line, &record)))
    }

    fn row(&self, line: u64, record: &ByteRecord) -> Row {
        let origin = Origin::Cells(self.own_cells(record));
        if record.len() != self.columns.len() {
            let why = format!("the row has {} cells, the header has {}", record.len(), self.columns.len());
            return Row::damaged(line, self.fields, origin, Objection::to_row(why));
        }
        let mut row = Row::new(line, self.fields, origin);
        for (column, bytes) in self.columns.iter().zip(record) {
            let Column::Field(at) = *column else { continue };
            let cell = match std::str::from_utf8(bytes) {
                Ok("") => Cell::Empty,
                Ok(text) => Cell::Text(text.to_owned()),
                Err(error) => {
                    if let Some(field) = self.fields.get(at) {
                        let why = format!("is not UTF-8 (byte {} of the cell)", error.valid_up_to() + 1);
                        row.objections.push(Objection::to_cell(field, &String::from_utf8_lossy(bytes), why));
                    }
                    Cell::Damaged
                }
            };
            row.set(at, cell);
        }
        row
    }

    /// The record without the columns of an earlier rejection; cells beyond the header are kept.
    fn own_cells(&self, record: &ByteRecord) -> ByteRecord {
        if self.columns.contains(&Column::Ignored) {
            let is_own = |at: usize| self.columns.get(at) != Some(&Column::Ignored);
            record.iter().enumerate().filter(|(at, _)| is_own(*at)).map(|(_, cell)| cell).collect()
        } else {
            record.clone()
        }
    }
}

struct Header {
    line: u64,
    names: Vec<String>,
}

impl Header {
    /// What each column is read as, or everything that is wrong with the header.
    fn columns(&self, fields: &'static [Field]) -> Result<Vec<Column>, Vec<Problem>> {
        let mut columns = Vec::new();
        let mut objections = Vec::new();
        let is_known = |name: &String| position(fields, name).is_some();
        if fields.iter().any(|field| field.content == Content::Secret) && !self.names.iter().any(is_known) {
            // Most likely the first row of a file without a header: it is not to be shown.
            let why = format!("the header has none of the fields' names; it begins such as `{}`", example(fields));
            return Err(vec![Objection::to_row(why).at(self.line)]);
        }
        for name in &self.names {
            match position(fields, name) {
                Some(at) if columns.contains(&Column::Field(at)) => {
                    objections.push(Objection::to_name(name, "is in the header twice"));
                }
                Some(at) => columns.push(Column::Field(at)),
                None if is_reject(name) => columns.push(Column::Ignored),
                None => {
                    let hint = nearest(name, fields.iter().map(|field| field.name));
                    objections.push(Objection::to_name(name, format!("in the header is no known field{hint}")));
                }
            }
        }
        for (at, field) in fields.iter().enumerate() {
            if field.need == Need::Required && !columns.contains(&Column::Field(at)) {
                objections.push(Objection::to_field(field, "is required, but the header lacks it"));
            }
        }
        if objections.is_empty() {
            Ok(columns)
        } else {
            Err(objections.into_iter().map(|objection| objection.at(self.line)).collect())
        }
    }
}

impl<R: BufRead> Feed<R> {
    /// Makes the next record ready. One with wrong quoting ends with its first line, so that the damage stays in one row.
    fn advance(&mut self) -> io::Result<Option<Piece>> {
        let Some(first) = self.lines.next_filled()? else { return Ok(None) };
        let mut scan = self.scan(first.content(), Scan::CellStart);
        let mut length = first.bytes.len();
        let mut more: Vec<Line> = Vec::new();
        while scan == Scan::Quoted && length <= LONGEST && !first.is_cut {
            let Some(line) = self.lines.next()? else { break };
            length += line.bytes.len();
            scan = self.scan(line.content(), scan);
            more.push(line);
        }
        let damage = match scan {
            _ if first.is_cut || more.iter().any(|line| line.is_cut) => Some(TOO_LONG),
            Scan::Quoted => Some(NEVER_CLOSED),
            Scan::Stray => Some(STRAY_QUOTE),
            Scan::CellStart | Scan::Plain | Scan::Closing => None,
        };
        if let Some(why) = damage {
            self.lines.give_back(more);
            return Ok(Some(Piece::Damaged { line: first, why }));
        }
        let line = first.number;
        let last = more.pop();
        self.record.clear();
        self.consumed = 0;
        match last {
            None => self.record.extend_from_slice(first.content()),
            Some(last) => {
                self.record.extend_from_slice(&first.bytes);
                for line in &more {
                    self.record.extend_from_slice(&line.bytes);
                }
                self.record.extend_from_slice(last.content());
            }
        }
        self.record.push(b'\n');
        Ok(Some(Piece::Record { line }))
    }

    fn scan(&self, bytes: &[u8], from: Scan) -> Scan {
        bytes.iter().fold(from, |scan, byte| {
            let (is_quote, is_delimiter) = (*byte == b'"', *byte == self.delimiter);
            match scan {
                Scan::CellStart | Scan::Closing if is_quote => Scan::Quoted,
                Scan::CellStart | Scan::Closing | Scan::Plain if is_delimiter => Scan::CellStart,
                Scan::CellStart | Scan::Plain => Scan::Plain,
                Scan::Quoted if is_quote => Scan::Closing,
                Scan::Quoted => Scan::Quoted,
                Scan::Closing | Scan::Stray => Scan::Stray,
            }
        })
    }
}

impl<R> Read for Feed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut left = self.record.get(self.consumed..).unwrap_or_default();
        let count = left.read(buffer)?;
        self.consumed += count;
        Ok(count)
    }
}

/// The record the feed was just made ready for.
fn read<R: BufRead>(reader: &mut Reader<Feed<R>>) -> io::Result<ByteRecord> {
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).map_err(io::Error::other)?;
    Ok(record)
}

fn names(record: &ByteRecord) -> Vec<String> {
    record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
}

/// Whichever of `;` and `,` the header uses more, outside quotes.
fn delimiter(header: &[u8]) -> u8 {
    let mut quoted = false;
    let (mut semicolons, mut commas) = (0_usize, 0_usize);
    for byte in header {
        match byte {
            b'"' => quoted = !quoted,
            b';' if !quoted => semicolons += 1,
            b',' if !quoted => commas += 1,
            _ => {}
        }
    }
    if semicolons > commas { b';' } else { b',' }
}

fn example(fields: &[Field]) -> String {
    let required = fields.iter().filter(|field| field.need == Need::Required);
    required.map(|field| field.name).collect::<Vec<_>>().join(",")
}
