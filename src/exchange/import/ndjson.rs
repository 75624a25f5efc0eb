//! NDJSON: one JSON object per line, with the same field names as CSV. Amounts are text: a JSON number went through a float
//! somewhere, or will.

use std::fmt;
use std::io::{self, BufRead};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::field::{Content, Field, is_reject, nearest, position};
use super::lines::{Lines, TOO_LONG};
use super::problem::Objection;
use super::row::{Cell, Origin, Row};

#[derive(Debug)]
pub struct Rows<R> {
    lines: Lines<R>,
    fields: &'static [Field],
}

/// The members as written: `serde_json::Map` would silently keep the last of two with one name.
struct Members(Vec<(String, Value)>);

impl<R: BufRead> Rows<R> {
    pub(super) fn open(input: R, fields: &'static [Field]) -> Self {
        Self { lines: Lines::new(input), fields }
    }

    pub(super) fn next_row(&mut self) -> io::Result<Option<Row>> {
        let Some(line) = self.lines.next_filled()? else { return Ok(None) };
        if line.is_cut {
            let why = format!("the line {TOO_LONG}");
            return Ok(Some(self.damaged(line.number, line.content(), why)));
        }
        Ok(Some(match std::str::from_utf8(line.content()) {
            Err(error) => {
                let why = format!("the line is not UTF-8 (byte {})", error.valid_up_to() + 1);
                self.damaged(line.number, line.content(), why)
            }
            Ok(text) => self.row(line.number, text),
        }))
    }

    fn row(&self, line: u64, text: &str) -> Row {
        let members = match serde_json::from_str::<Members>(text) {
            Ok(Members(members)) => members,
            Err(error) => {
                let why = format!("the line is no JSON object: {}", described(&error));
                return self.damaged(line, text.as_bytes(), why);
            }
        };
        let mut row = Row::new(line, self.fields, Origin::Members(own_members(text, &members)));
        let mut given = Vec::new();
        for (name, value) in &members {
            let Some(at) = position(self.fields, name) else {
                if !is_reject(name) {
                    let hint = nearest(name, self.fields.iter().map(|field| field.name));
                    row.objections.push(Objection::to_name(name, format!("is no known field{hint}")));
                }
                continue;
            };
            if given.contains(&at) {
                row.objections.push(Objection::to_name(name, "is given twice"));
            }
            given.push(at);
            if let Some(field) = self.fields.get(at) {
                let cell = cell(field, value).unwrap_or_else(|objection| {
                    row.objections.push(objection);
                    Cell::Damaged
                });
                row.set(at, cell);
            }
        }
        row
    }

    fn damaged(&self, line: u64, bytes: &[u8], why: String) -> Row {
        Row::damaged(line, self.fields, Origin::Raw(bytes.to_vec()), Objection::to_row(why))
    }
}

fn cell(field: &Field, value: &Value) -> Result<Cell, Objection> {
    let refused = |why: &str| Err(Objection::to_cell(field, &value.to_string(), why));
    match value {
        Value::Null => Ok(Cell::Empty),
        Value::String(text) if text.is_empty() => Ok(Cell::Empty),
        Value::String(text) => Ok(Cell::Text(text.clone())),
        Value::Number(_) if field.content == Content::Money => {
            refused("is a JSON number, which may have lost digits; write amounts as text, such as \"12.30\"")
        }
        // A number without fraction is kept exactly.
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Cell::Text(number.to_string())),
        Value::Number(_) => refused("is a JSON number, which may have lost digits; write it as text"),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => refused("is not text"),
    }
}

/// What stands between the braces, the members of an earlier rejection left out. A line without them is kept as written.
fn own_members(text: &str, members: &[(String, Value)]) -> String {
    let inside = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    match inside {
        Some(inside) if !members.iter().any(|(name, _)| is_reject(name)) => inside.trim().to_owned(),
        _ => {
            let own = members.iter().filter(|(name, _)| !is_reject(name));
            own.map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect::<Vec<_>>().join(",")
        }
    }
}

/// Without the line number serde counts from the start of this line, and without the value that stands where an object should.
fn described(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let quoted = if error.is_data() { text.find(['"', '`']) } else { None };
    let expected = text.rfind(", expected").unwrap_or(text.len());
    let message = match quoted.filter(|quoted| *quoted < expected) {
        Some(quoted) => {
            let kind = text.get(..quoted).unwrap_or_default().trim_end();
            [kind, text.get(expected..).unwrap_or_default()].concat()
        }
        None => text,
    };
    format!("{} (column {})", message.split(" at line ").next().unwrap_or(&message), error.column())
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object such as {\"order\": \"SO-1001\"}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
