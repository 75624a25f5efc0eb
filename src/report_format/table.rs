//! A report that is one table: a head, and a line in each row.

use std::io::Read;

use super::clock::Clock;
use super::text::{Row, Rows};
use super::{Problem, Reading, Report};
use crate::domain::settlement::ReportLine;

/// What a format makes of a row.
pub(super) trait Columns: Sized + Send {
    fn read(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<ReportLine, Problem>;
}

pub(super) struct Table<C> {
    /// What is wrong with the head is told once.
    opened: Result<(Rows, C), Option<Problem>>,
    reading: Reading,
    clock: Clock,
}

impl<C: Columns> Table<C> {
    /// `sign` is the name of a column that only the head has among its cells.
    pub(super) fn open(
        input: Box<dyn Read + Send>,
        reading: Reading,
        separator: u8,
        sign: &str,
        find: impl FnOnce(&Rows) -> Result<C, Problem>,
    ) -> Self {
        let opened = Rows::open(input, separator, sign).and_then(|rows| {
            let columns = find(&rows)?;
            Ok((rows, columns))
        });
        Self { opened: opened.map_err(Some), reading, clock: Clock::default() }
    }
}

impl<C: Columns> Report for Table<C> {
    fn next_line(&mut self) -> Option<Result<ReportLine, Problem>> {
        let Self { opened, reading, clock } = self;
        match opened {
            Ok((rows, columns)) => rows.next_row(|row| columns.read(row, *reading, clock)),
            Err(problem) => problem.take().map(Err),
        }
    }
}
