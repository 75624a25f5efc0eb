//! `payjournal init`: a short configuration to start from. Never replaces a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;

/// Every key is explained in `config.example.toml`; here stand those that a first night needs.
const STARTER: &str = r#"# payjournal: every other key has a default, see config.example.toml or `payjournal check --show`.
# Relative paths start at this file's folder.

mode = "test"                 # "live" once real payment providers stand below
ledger = "payjournal.db"      # all that payjournal knows; back it up
time_zone = "UTC"             # of posting dates and run times, such as "Europe/Berlin"

[shop]
name = "webshop"

[mail]
maildir = "mail"              # mails are written here as files
administrator = ["administrator@localhost"]

# A payment provider that only exists on this machine, to try everything with.
[provider.sandbox]
kind = "sandbox"
merchant_account = "DemoMerchant"
file = "sandbox.db"
#reports = "reports"          # without the #: the folder its settlement reports are dropped into

# When to take the money: "invoice", "shipment", "immediate", "delay", "automatic" or "manual".
[method_defaults]
strategy = "invoice"
"#;

/// Writes the configuration to `path`, or to `payjournal.toml` in it if it is a folder.
pub fn run(path: &Path, out: &mut dyn Write) -> Result<Exit, Failure> {
    let file = if path.is_dir() { path.join(config::FILE_NAME) } else { path.to_owned() };
    write_new(&file)?;
    tell(&file, out).map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// Whole or not at all, readable by its owner only, and never over another file, even one that appears meanwhile.
fn write_new(file: &Path) -> Result<(), Failure> {
    let shown = file.display();
    let folder = match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(Failure::usage(format!("`{shown}` is not the name of a file"))),
    };
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(Failure::usage(format!("the folder `{folder}` does not exist")).hint(format!("mkdir -p {folder}")));
    }
    let failed = |error| Failure::new(Exit::Config, error);
    let mut draft = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("failed to write in `{}`", folder.display()))
        .map_err(failed)?;
    draft
        .write_all(STARTER.as_bytes())
        .and_then(|()| draft.as_file().sync_all())
        .with_context(|| format!("failed to write `{shown}`"))
        .map_err(failed)?;
    match draft.persist_noclobber(file) {
        Ok(_) => Ok(()),
        Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::usage(format!("`{shown}` exists already and is left as it is"))
                .hint(format!("`payjournal check --config {shown}` tests it; to start anew, move it away first")))
        }
        Err(refused) => Err(failed(anyhow::Error::new(refused.error).context(format!("failed to write `{shown}`")))),
    }
}

fn tell(file: &Path, out: &mut dyn Write) -> std::io::Result<()> {
    let found_by_itself = file == Path::new(config::FILE_NAME) || file == PathBuf::from(".").join(config::FILE_NAME);
    let option = if found_by_itself { String::new() } else { format!(" --config {}", file.display()) };
    writeln!(out, "wrote {}", file.display())?;
    writeln!(out, "next: payjournal check{option} --show")?;
    writeln!(out, "      then bring in orders and documents with payjournal import{option} FILE")
}
