//! What is wrong with a configuration: every problem with its place, all reported in one go.
//! No line of the file is ever quoted, because it may hold a secret.

use std::fmt::Write as _;
use std::path::Path;

use crate::failure::Failure;

/// Line and column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub(super) position: Position,
    /// Dotted, empty where the problem is not about one key.
    pub(super) key: String,
    pub(super) text: String,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place of a byte; past the end it is the end.
    pub(super) fn of(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

/// One failure for all problems of a file, one per line in the order of the file.
pub(super) fn failure(path: &Path, mut problems: Vec<Problem>) -> Failure {
    problems.sort();
    problems.dedup();
    let mut message = String::new();
    if problems.len() > 1 {
        message = format!("the configuration has {} problems", problems.len());
    }
    for Problem { position: Position { line, column }, key: _, text } in &problems {
        if !message.is_empty() {
            message.push('\n');
        }
        // Writing into a string cannot fail.
        let _ = write!(message, "{}:{line}:{column}: {text}", path.display());
    }
    Failure::config(message).hint(format!(
        "every key is explained in config.example.toml; `payjournal check --config {}` tests the file and touches nothing",
        path.display()
    ))
}

/// The candidate that was most likely meant, if one is close enough to be worth naming.
pub(super) fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let budget = typed.chars().count().div_euclid(3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&typed, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= budget)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_only_if_it_is_near() {
        let keys = ["run_time", "run_interval_minutes", "batch_size"];
        assert_eq!(nearest("run_tme", keys), Some("run_time"));
        assert_eq!(nearest("batchsize", keys), Some("batch_size"));
        assert_eq!(nearest("BATCH_SIZE", keys), Some("batch_size"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("x", ["y", "ab"]), Some("y"));
    }

    #[test]
    fn a_position_counts_characters_not_bytes() {
        let source = "a = 1\nä = 2\n";
        assert_eq!(Position::of(source, 0), Position::START);
        assert_eq!(Position::of(source, 4), Position { line: 1, column: 5 });
        assert_eq!(Position::of(source, 11), Position { line: 2, column: 5 });
        assert_eq!(Position::of(source, 999), Position { line: 3, column: 1 });
    }
}
