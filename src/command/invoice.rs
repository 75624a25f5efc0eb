//! `invoice`: one invoice that payjournal made, as the PDF its customer gets or as the e-invoice alone.

use std::io::{IsTerminal as _, Write};
use std::path::Path;

use anyhow::Context as _;

use super::output::{self, Output};
use super::show::find;
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::invoice;
use crate::run::{look_at_ledger, refused};

/// Into a file, which is whole or as it was before, or to `out`.
pub fn run(
    number: &str,
    is_xml: bool,
    output: Option<&Path>,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit> {
    let ledger = look_at_ledger(settings)?;
    let document = find::document(&ledger, number)?;
    let sheet = ledger.invoice_sheet(document.id).map_err(refused)?.ok_or_else(|| {
        Failure::usage(format!("{} was not made by payjournal", document.name()))
            .hint("the ERP prints it; `payjournal show document` tells what is known of it")
    })?;
    let rendered = if is_xml { invoice::xml(&sheet).map(String::into_bytes) } else { invoice::pdf(&sheet) };
    let bytes = rendered.map_err(|error| Failure::new(Exit::NeedsPerson, error))?;
    match output {
        None if !is_xml && std::io::stdout().is_terminal() => {
            return Err(Failure::usage("a PDF is nothing for a terminal").hint("add `--output FILE`"));
        }
        None => out.write_all(&bytes).context("the invoice cannot be written").map_err(Failure::bug)?,
        Some(path) => output::write(Output::named(path, &settings.config_path)?, |file| file.write_all(&bytes))
            .map_err(|error| output::failed(path, error))?,
    }
    Ok(Exit::Done)
}
