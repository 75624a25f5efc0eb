//! From a file to its lines, on a thread of its own.

use std::fs::File;
use std::io::Read;

use chrono::{DateTime, Utc};

use super::folder::{Candidate, Source};
use crate::config::Settings;
use crate::domain::settlement::ReportLine;
use crate::ledger::settlements::Inlet;
use crate::report_format::{self, Format, Problem, Reading, Report};

/// Lines handed over at once: enough that sorting them pays, and few enough that memory stays flat.
const LINES_AT_ONCE: usize = 25_000;

/// A report that is ready to be read.
pub(super) struct Opened {
    report: Box<dyn Report>,
    pub(super) format: &'static str,
}

/// What was left out of a report.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The first ones.
    pub(super) problems: Vec<Problem>,
    pub(super) refused: u64,
}

/// Why nothing of a file is taken over.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Somebody writes to it.
    Changing,
    /// The run was told to end.
    Stopped,
    File(Problem),
    Ledger(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changing => f.write_str("it changed while it was read"),
            Self::Stopped => f.write_str("the run was stopped"),
            Self::File(problem) => problem.fmt(f),
            Self::Ledger(why) => f.write_str(why),
        }
    }
}

pub(super) fn open(
    candidate: &Candidate,
    source: &Source,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Opened, String> {
    let unreadable = |error: std::io::Error| format!("it cannot be opened: {error}");
    let input = report_format::open_file(File::open(&candidate.path).map_err(unreadable)?).map_err(unreadable)?;
    let (format, input) = if let Some(format) = &source.format {
        (format.clone(), input)
    } else {
        let (found, input) = report_format::detect_in(input).map_err(unreadable)?;
        (found.ok_or_else(unknown)?, input)
    };
    let reading = Reading::at(now, settings.time_zone);
    let input: Box<dyn Read + Send> = if format == Format::Klarna { input } else { Box::new(WholeLines::of(input)) };
    Ok(Opened { format: format.as_str(), report: report_format::open(&format, input, reading) })
}

/// A text that ends with a line end: without one nobody knows whether its last cell is whole.
struct WholeLines {
    input: Box<dyn Read + Send>,
    last: Option<u8>,
}

impl WholeLines {
    fn of(input: Box<dyn Read + Send>) -> Self {
        Self { input, last: None }
    }
}

impl Read for WholeLines {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        match buffer.get(..read).and_then(<[u8]>::last) {
            Some(last) => self.last = Some(*last),
            None if !buffer.is_empty() && self.last.is_some_and(|last| !matches!(last, b'\n' | b'\r')) => {
                let what = "its last line has no end, so it may be cut off: fetch it again, or end it with a line end if it is whole";
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what));
            }
            None => {}
        }
        Ok(read)
    }
}

fn unknown() -> String {
    "its head is of no report payjournal knows; set `report_format` if it is one, or move the file away".to_owned()
}

impl Opened {
    /// Sends all lines. What is wrong with a line is noted, what is wrong with the file ends it.
    pub(super) fn read(mut self, candidate: &Candidate, inlet: &Inlet) -> Result<Told, Refusal> {
        let mut told = Told::default();
        let mut lines = Vec::with_capacity(LINES_AT_ONCE);
        while let Some(next) = self.report.next_line() {
            match next {
                Ok(line) => lines.push(line),
                Err(problem) if problem.is_fatal => {
                    return Err(if candidate.has_changed() { Refusal::Changing } else { Refusal::File(problem) });
                }
                Err(problem) => told.note(problem),
            }
            if lines.len() == LINES_AT_ONCE {
                let full = std::mem::replace(&mut lines, Vec::with_capacity(LINES_AT_ONCE));
                if !told.send(inlet, full) {
                    break;
                }
            }
        }
        told.send(inlet, lines);
        if candidate.has_changed() { Err(Refusal::Changing) } else { Ok(told) }
    }
}

impl Told {
    /// Sends lines that are all there.
    pub(super) fn of_lines(inlet: &Inlet<'_>, lines: Vec<ReportLine>) -> Self {
        let mut told = Self::default();
        told.send(inlet, lines);
        told
    }

    fn note(&mut self, problem: Problem) {
        self.refused += 1;
        if self.problems.len() < super::MOST_TOLD {
            self.problems.push(problem);
        }
    }

    /// `false` if the ledger takes no more.
    fn send(&mut self, inlet: &Inlet<'_>, lines: Vec<ReportLine>) -> bool {
        let Some(too_large) = inlet.send(lines) else { return false };
        for line in too_large {
            let what = "its amounts together are larger than the ledger can hold".to_owned();
            self.note(Problem { line, column: String::new(), value: String::new(), what, is_fatal: false });
        }
        true
    }
}
