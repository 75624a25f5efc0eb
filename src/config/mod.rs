//! The configuration: found, read, checked and resolved once at the start of a command.
//!
//! `locate` → TOML → `file` (as typed) → `resolve` → `settings`. All problems of a file are reported in one go, and the
//! content of a secret is read only where it is used.

use std::path::Path;

use toml::de::DeTable;

use crate::exit::Exit;
use crate::failure::Failure;

mod choice;
mod cleanup;
mod collect;
mod datev;
mod file;
mod invoices;
mod locate;
mod mail;
mod method;
mod portal;
mod problem;
mod provider;
mod report;
mod resolve;
pub mod secret;
mod seller;
pub mod settings;
mod table;
mod task;
mod toml_text;
mod value;

pub use locate::{FILE_NAME, VARIABLE, locate};
pub use resolve::ShownSetting;
pub use settings::Settings;

use problem::{Position, Problem};

/// A configuration that is right.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    shown: Vec<ShownSetting>,
}

impl Loaded {
    /// Every setting with its source, in the order of `config.example.toml`, for `check --show` and the log of a run.
    pub fn shown(&self) -> &[ShownSetting] {
        &self.shown
    }
}

/// Reads and checks a file. Nothing else is opened or created, and no secret is read.
pub fn load(path: &Path) -> Result<Loaded, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, error))?;
    let absolute = std::path::absolute(path).map_err(|error| unreadable(path, error))?;
    let source = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
    parse(&source, path, &absolute)
}

/// Checks the text of a file that is, or would be, at `path`.
pub fn parse(source: &str, path: &Path, absolute: &Path) -> Result<Loaded, Failure> {
    let (table, syntax_errors) = DeTable::parse_recoverable(source);
    if !syntax_errors.is_empty() {
        return Err(problem::failure(path, syntax_problems(source, &syntax_errors)));
    }
    let folder = absolute.parent().unwrap_or(absolute);
    let reading = table::Reading::new(source, folder);
    let file = reading.document(table.get_ref(), file::File::read);
    let resolved = resolve::resolve(file, absolute.to_owned(), &reading);
    let problems = reading.into_problems();
    if !problems.is_empty() {
        return Err(problem::failure(path, problems));
    }
    let (settings, shown) = resolved.map_err(Failure::bug)?;
    Ok(Loaded { settings, shown })
}

fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let failed = anyhow::Error::new(error).context(format!("failed to read the configuration `{}`", path.display()));
    let failure = Failure::new(Exit::Config, failed);
    if missing {
        failure.hint(format!("`payjournal init {}` writes one to start from", path.display()))
    } else {
        failure
    }
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Failure {
    let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let position = Position::of(&String::from_utf8_lossy(good), good.len());
    problem::failure(path, vec![Problem { position, key: String::new(), text: "the file is not UTF-8".to_owned() }])
}

/// What the TOML parser found, without its excerpts of the file. After the first error of a line the parser guesses, so
/// only that one is kept.
fn syntax_problems(source: &str, errors: &[toml::de::Error]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| {
            let position = error.span().map_or(Position::START, |span| Position::of(source, span.start));
            Problem { position, key: String::new(), text: format!("not valid TOML: {}", error.message()) }
        })
        .collect();
    problems.sort();
    problems.dedup_by_key(|problem| problem.position.line);
    problems
}
