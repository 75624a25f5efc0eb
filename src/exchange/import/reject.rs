//! Writes rejected rows back: the format of the input, each with its line and everything that is wrong with it.

use std::io::{self, Write};

use ::csv::{Writer, WriterBuilder};
use serde_json::Value;

use super::Layout;
use super::field::{REJECT_LINE, REJECT_REASON};
use super::problem::Objection;
use super::row::{Origin, Row};

/// The added columns come first, so that a row with too few or too many cells keeps them all where they were.
#[derive(Debug)]
pub enum RejectWriter<W: Write> {
    Csv(Box<Writer<W>>),
    Ndjson(W),
}

impl<W: Write> RejectWriter<W> {
    pub fn new(layout: &Layout, output: W) -> io::Result<Self> {
        match layout {
            Layout::Ndjson => Ok(Self::Ndjson(output)),
            Layout::Csv { delimiter, header } => {
                let mut writer = WriterBuilder::new().flexible(true).delimiter(*delimiter).from_writer(output);
                let names = [REJECT_LINE, REJECT_REASON].into_iter().chain(header.iter().map(String::as_str));
                writer.write_record(names)?;
                Ok(Self::Csv(Box::new(writer)))
            }
        }
    }

    pub fn write(&mut self, row: &Row, objections: &[Objection]) -> io::Result<()> {
        let reason = objections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        match self {
            Self::Csv(writer) => {
                let line = row.line.to_string();
                let mut record = ::csv::ByteRecord::from(vec![line.as_bytes(), reason.as_bytes()]);
                match &row.origin {
                    Origin::Cells(cells) => record.extend(cells),
                    Origin::Members(text) => record.push_field(text.as_bytes()),
                    Origin::Raw(bytes) => record.push_field(bytes),
                }
                writer.write_byte_record(&record)?;
                Ok(())
            }
            Self::Ndjson(output) => {
                let members = match &row.origin {
                    Origin::Members(text) => text.clone(),
                    Origin::Raw(bytes) => format!("\"reject_text\":{}", Value::from(String::from_utf8_lossy(bytes))),
                    Origin::Cells(cells) => {
                        let texts = cells.iter().map(|cell| Value::from(String::from_utf8_lossy(cell)));
                        format!("\"reject_text\":{}", texts.collect::<Value>())
                    }
                };
                let comma = if members.is_empty() { "" } else { "," };
                let reason = Value::from(reason);
                writeln!(output, "{{\"{REJECT_LINE}\":{},\"{REJECT_REASON}\":{reason}{comma}{members}}}", row.line)
            }
        }
    }

    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Csv(writer) => writer.into_inner().map_err(|error| io::Error::other(error.to_string())),
            Self::Ndjson(output) => Ok(output),
        }
    }
}
