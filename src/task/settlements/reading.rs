//! From a file to its lines, on a thread of its own.

use std::fs::File;

use super::folder::{Candidate, Source};
use crate::config::Settings;
use crate::ledger::settlements::Inlet;
use crate::report_format::{self, Problem, Reading, Report};

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
    File(Problem),
}

pub(super) fn open(candidate: &Candidate, source: &Source, settings: &Settings) -> Result<Opened, String> {
    let unreadable = |error: std::io::Error| format!("it cannot be opened: {error}");
    let input = report_format::open_file(File::open(&candidate.path).map_err(unreadable)?).map_err(unreadable)?;
    let (format, input) = if let Some(format) = &source.format {
        (format.clone(), input)
    } else {
        let (found, input) = report_format::detect_in(input).map_err(unreadable)?;
        (found.ok_or_else(unknown)?, input)
    };
    let reading = Reading { time_zone: settings.time_zone };
    Ok(Opened { format: format.as_str(), report: report_format::open(&format, input, reading) })
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
                Err(problem) => {
                    told.refused += 1;
                    if told.problems.len() < super::MOST_TOLD {
                        told.problems.push(problem);
                    }
                }
            }
            if lines.len() == LINES_AT_ONCE {
                let full = std::mem::replace(&mut lines, Vec::with_capacity(LINES_AT_ONCE));
                if !inlet.send(full) {
                    break;
                }
            }
        }
        inlet.send(lines);
        if candidate.has_changed() { Err(Refusal::Changing) } else { Ok(told) }
    }
}
