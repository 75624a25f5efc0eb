//! One row of an import file, whatever its format: cells by field, and what it looked like in the file.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::field::{Field, position};
use super::problem::Objection;

#[derive(Debug, Clone)]
pub struct Row {
    /// Where the row starts in the file, counted from 1.
    pub line: u64,
    fields: &'static [Field],
    /// One per field.
    cells: Vec<Cell>,
    /// What was wrong before anything was read as a value.
    pub objections: Vec<Objection>,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cell {
    Empty,
    Text(String),
    /// Cannot be read; the row holds the objection.
    Damaged,
}

/// The row as the file has it, for the file of rejected rows.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The cells, those of an earlier rejection left out.
    Cells(::csv::ByteRecord),
    /// The members of a JSON object, likewise.
    Members(String),
    /// What could not be taken apart.
    Raw(Vec<u8>),
}

impl Row {
    pub(super) fn new(line: u64, fields: &'static [Field], origin: Origin) -> Self {
        Self { line, fields, cells: vec![Cell::Empty; fields.len()], objections: Vec::new(), origin }
    }

    /// A row of which nothing can be read.
    pub(super) fn damaged(line: u64, fields: &'static [Field], origin: Origin, objection: Objection) -> Self {
        Self { line, fields, cells: vec![Cell::Damaged; fields.len()], objections: vec![objection], origin }
    }

    pub(super) fn set(&mut self, at: usize, value: Cell) {
        if let Some(cell) = self.cells.get_mut(at) {
            *cell = value;
        }
    }

    pub(super) fn cell(&self, field: &Field) -> &Cell {
        position(self.fields, field.name).and_then(|at| self.cells.get(at)).unwrap_or(&Cell::Empty)
    }

    /// The same for two rows that say the same, whatever the order of their columns.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.cells.hash(&mut hasher);
        hasher.finish()
    }
}
