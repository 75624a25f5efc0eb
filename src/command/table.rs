//! The one look of tables on the terminal.

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::peaker::Priority;
use tabled::settings::{Alignment, Modify, Style, Width};

/// Where the output is no terminal.
const USUAL_WIDTH: usize = 120;

/// Below this a table is unreadable, and a broken line is the lesser evil.
const LEAST_WIDTH: usize = 60;

/// A table as wide as the terminal at most; columns of amounts stand to the right.
pub fn table(headers: &[&str], rows: Vec<Vec<String>>) -> String {
    let width = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(terminal_size::Width(width), _)| width.into());
    table_of_width(headers, rows, width.max(LEAST_WIDTH))
}

fn table_of_width(headers: &[&str], rows: Vec<Vec<String>>, width: usize) -> String {
    let amounts: Vec<usize> = (0..headers.len()).filter(|column| holds_amounts(*column, &rows)).collect();
    let mut builder = Builder::default();
    builder.push_record(headers.iter().copied());
    for row in rows {
        builder.push_record(row.iter().map(|cell| printable(cell)));
    }
    let mut table = builder.build();
    table.with(Style::psql());
    for column in amounts {
        table.with(Modify::new(Columns::one(column)).with(Alignment::right()));
    }
    table.with(Width::wrap(width).priority(Priority::max(true)).keep_words(true));
    table.to_string()
}

fn holds_amounts(column: usize, rows: &[Vec<String>]) -> bool {
    let mut cells =
        rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty() && *cell != "-").peekable();
    cells.peek().is_some() && cells.all(|cell| is_amount(cell))
}

fn is_amount(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(number, currency)| {
        number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
            && currency.len() == 3
            && currency.bytes().all(|byte| byte.is_ascii_uppercase())
    })
}

/// Texts come from other systems: none may steer the terminal.
pub fn printable(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn amounts_stand_to_the_right() {
        let text =
            table_of_width(&["what", "amount"], rows(&[&["a", "5.00 EUR"], &["b", "1234.00 EUR"], &["c", "-"]]), 80);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                " what |      amount",
                "------+-------------",
                " a    |    5.00 EUR",
                " b    | 1234.00 EUR",
                " c    |           -",
            ]
        );
    }

    #[test]
    fn the_longest_column_is_wrapped_between_words() {
        let long = "the authorisation has expired and the customer must pay again";
        let text = table_of_width(&["id", "message"], rows(&[&["1", long]]), 30);
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
        assert!(long.split(' ').all(|word| text.contains(word)), "{text}");
    }

    #[test]
    fn no_text_steers_the_terminal() {
        let text = table_of_width(&["message"], rows(&[&["a\u{1b}[2Jb\rc\nd"]]), 80);
        assert!(text.contains(" a [2Jb c d"), "{text:?}");
    }
}
