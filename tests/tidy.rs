//! What keeps the code readable and its core pure, as far as a machine can see it.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What the pure modules must not see: the outside, and everything that talks to it.
const RIM: [&str; 15] = [
    "std::fs",
    "std::env",
    "std::net",
    "std::io",
    "rusqlite",
    "Utc::now",
    "Local::now",
    "crate::ledger",
    "crate::run",
    "crate::provider",
    "crate::erp",
    "crate::mail",
    "crate::config",
    "crate::command",
    "crate::task",
];

struct Source {
    /// Below the project's root.
    name: String,
    text: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&Path::new(ROOT).join(folder), &mut found);
    found.sort();
    assert!(!found.is_empty(), "{folder} is empty");
    found
        .into_iter()
        .map(|path| Source {
            name: path.strip_prefix(ROOT).unwrap().display().to_string(),
            text: std::fs::read_to_string(&path).unwrap(),
        })
        .collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The part of a file that is built into the program, without comments.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
    lines.map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn every_file_says_first_what_it_is_for() {
    for source in sources("src").iter().chain(&sources("tests")) {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 20, "{} begins with `{first}`", source.name);
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut too_long = Vec::new();
    for (folder, most) in [("src", 500), ("tests", 600)] {
        let counted = sources(folder).into_iter().map(|source| (source.text.lines().count(), source.name));
        too_long.extend(counted.filter(|(lines, _)| *lines > most));
    }
    assert!(too_long.is_empty(), "split by noun: {too_long:?}");
}

#[test]
fn modules_are_named_by_what_they_hold() {
    let empty = ["utils", "util", "helpers", "helper", "manager", "common", "misc"];
    for source in sources("src").iter().chain(&sources("tests")) {
        for part in &Path::new(&source.name).with_extension("") {
            assert!(!empty.iter().any(|name| part == *name), "{}", source.name);
        }
    }
}

#[test]
fn the_core_does_not_see_the_outside() {
    for source in sources("src/domain").iter().chain(&sources("src/operation")) {
        for (at, line) in code(source) {
            for rim in RIM {
                assert!(!line.contains(rim), "{}:{at} mentions {rim}", source.name);
            }
        }
    }
}

#[test]
fn the_domain_does_not_know_operations_but_as_consequences() {
    for source in sources("src/domain").iter().filter(|source| !source.name.ends_with("/consequence.rs")) {
        for (at, line) in code(source) {
            assert!(!line.contains("crate::operation"), "{}:{at}", source.name);
        }
    }
}

#[test]
fn all_sql_is_in_the_ledger_and_the_sandbox() {
    for source in sources("src")
        .iter()
        .filter(|source| !source.name.starts_with("src/ledger/") && !source.name.starts_with("src/provider/sandbox/"))
    {
        for (at, line) in code(source) {
            assert!(!line.contains("rusqlite"), "{}:{at} sees SQLite", source.name);
        }
    }
}
