//! What is wrong with a row, in words that name the line, the field and the value.

use std::fmt;

use serde::Serialize;

use super::field::{Content, Field};

/// Values are shown up to this many characters, so that a damaged file cannot flood a terminal or the memory.
const SHOWN: usize = 80;

/// One thing that keeps a row out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Objection {
    /// `None` where the row as a whole cannot be read.
    pub field: Option<String>,
    pub value: Option<String>,
    /// Reads on after field and value.
    pub why: String,
}

/// An objection and where the row starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub line: u64,
    #[serde(flatten)]
    pub objection: Objection,
}

impl Objection {
    pub fn to_row(why: impl Into<String>) -> Self {
        Self { field: None, value: None, why: why.into() }
    }

    pub fn to_field(field: &Field, why: impl Into<String>) -> Self {
        Self { field: Some(field.name.to_owned()), value: None, why: why.into() }
    }

    pub fn to_value(field: &Field, value: &str, why: impl Into<String>) -> Self {
        Self { value: Some(shown(value)), ..Self::to_field(field, why) }
    }

    /// Against what a file has in a cell: quoted, unless it is to be shown nowhere.
    pub(super) fn to_cell(field: &Field, value: &str, why: impl Into<String>) -> Self {
        match field.content {
            Content::Secret => Self::to_field(field, why),
            Content::Text | Content::Money => Self::to_value(field, value, why),
        }
    }

    /// A name the file uses and no field has.
    pub(super) fn to_name(name: &str, why: impl Into<String>) -> Self {
        Self { field: Some(shown(name)), value: None, why: why.into() }
    }

    #[must_use]
    pub fn at(self, line: u64) -> Problem {
        Problem { line, objection: self }
    }
}

/// Cut to what helps to find it, with control characters made visible.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == SHOWN {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field} ")?;
        }
        if let Some(value) = &self.value {
            write!(f, "`{value}` ")?;
        }
        f.write_str(&self.why)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.objection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_flood_or_steer_a_terminal() {
        assert_eq!(shown("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(shown(&"x".repeat(100_000)).chars().count(), SHOWN + 1);
    }
}
