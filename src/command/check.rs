//! `payjournal check`: is the configuration right, and what does it come to? Opens nothing but the file itself.

use std::io::Write;
use std::path::Path;

use serde_json::json;
use tabled::builder::Builder;
use tabled::settings::Style;

use crate::config::{self, Loaded, ShownSetting};
use crate::exit::Exit;
use crate::failure::Failure;

/// A wrong configuration is the failure of `config::load`.
pub fn run(path: &Path, show: bool, json: bool, out: &mut dyn Write) -> Result<Exit, Failure> {
    let loaded = config::load(path)?;
    let written = if json { write_json(path, &loaded, out) } else { write_text(path, &loaded, show, out) };
    written.map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// The one document on stdout; it always holds the settings, so that a script need not ask twice.
fn write_json(path: &Path, loaded: &Loaded, out: &mut dyn Write) -> std::io::Result<()> {
    let document = json!({
        "schema": "payjournal/check/1",
        "outcome": Exit::Done.outcome(),
        "exit_code": Exit::Done.code(),
        "config": path.display().to_string(),
        "settings": loaded.shown(),
    });
    writeln!(out, "{document}")
}

fn write_text(path: &Path, loaded: &Loaded, show: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let settings = &loaded.settings;
    writeln!(out, "{}: ok", path.display())?;
    writeln!(
        out,
        "mode {}, {}, {}, {}",
        settings.mode.as_str(),
        count(settings.providers.len(), "provider"),
        count(settings.methods.len(), "payment method"),
        count(settings.tasks.len(), "task"),
    )?;
    if show {
        writeln!(out, "{}", table(loaded.shown()))?;
    }
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn table(shown: &[ShownSetting]) -> String {
    let mut builder = Builder::default();
    builder.push_record(["key", "value", "source"]);
    for ShownSetting { key, value, source } in shown {
        builder.push_record([key, value, source]);
    }
    builder.build().with(Style::psql()).to_string()
}
