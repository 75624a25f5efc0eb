//! `import --describe`: the fields of a file, from the list the parser goes by, so that the two cannot drift.

use tabled::builder::Builder;
use tabled::settings::Style;

use super::ImportKind;

/// A table of the fields, with a line about what else a file must keep to.
pub fn describe(kind: ImportKind) -> String {
    let mut table = Builder::default();
    table.push_record(["field", "required", "meaning", "example"]);
    for field in kind.fields() {
        table.push_record([field.name, &field.need.text(), field.meaning, field.example]);
    }
    let names: Vec<&str> = kind.fields().iter().map(|field| field.name).collect();
    format!(
        "{}\n\nCSV with a header line (columns in any order, `,` or `;`, UTF-8) or NDJSON with one object per line.\n\
         Amounts are decimal text with a point. All columns: {}\n",
        table.build().with(Style::psql()),
        names.join(",")
    )
}
