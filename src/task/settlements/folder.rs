//! The folders reports are dropped into.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::Settings;
use crate::domain::id::ProviderName;
use crate::report_format::{Format, PayoutFrom};

/// A folder, and the providers whose reports it holds: each file is looked at once, however many they are (trap T24).
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    pub(super) folder: PathBuf,
    pub(super) providers: Vec<ProviderName>,
    /// `None`: each file says what it is.
    pub(super) format: Option<Format>,
}

/// A file that may be a report.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) bytes: u64,
    modified: Option<SystemTime>,
}

pub(super) fn sources(settings: &Settings) -> Vec<Source> {
    let mut by_folder: BTreeMap<&Path, Source> = BTreeMap::new();
    for provider in settings.providers.values() {
        let Some(reports) = &provider.reports else { continue };
        let source = by_folder.entry(&reports.folder).or_insert_with(|| Source {
            folder: reports.folder.clone(),
            providers: Vec::new(),
            format: reports.format.clone(),
        });
        source.providers.push(provider.name.clone());
    }
    by_folder.into_values().collect()
}

impl Source {
    /// The place of its only provider among the accounts; `None` where several share the folder.
    pub(super) fn only_account(&self) -> Option<usize> {
        (self.providers.len() == 1).then_some(0)
    }

    /// Whether all its lines have the one payout that the configuration names.
    pub(super) fn is_one_payout(&self) -> bool {
        match &self.format {
            Some(Format::Generic(format)) => matches!(format.payout, Some(PayoutFrom::Fixed(_))),
            Some(Format::Adyen | Format::Stripe | Format::Paypal | Format::Klarna) | None => false,
        }
    }

    /// Its files by name, and what else lies there. What is hidden or carries the name of a download under way is neither.
    pub(super) fn files(&self) -> Result<(Vec<Candidate>, Vec<String>), String> {
        let folder = self.folder.display();
        let unreadable = |error: std::io::Error| format!("the folder of reports `{folder}` cannot be read: {error}");
        let (mut files, mut others) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_under_way(&name) {
                continue;
            }
            // Through a symbolic link too.
            let (is_file, bytes, modified) = match fs::metadata(entry.path()) {
                Ok(metadata) => (metadata.is_file(), metadata.len(), metadata.modified().ok()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    // Else it is gone again: somebody tidied up.
                    if fs::symlink_metadata(entry.path()).is_ok() {
                        others.push(format!("`{}` is a link to nothing", entry.path().display()));
                    }
                    continue;
                }
                // Told of as a file that cannot be read, and the others go on.
                Err(_) => (true, 0, None),
            };
            if is_file {
                files.push(Candidate { path: entry.path(), name, bytes, modified });
            } else {
                others.push(format!("`{}` is no file but a folder, a pipe or the like", entry.path().display()));
            }
        }
        others.sort();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((files, others))
    }
}

fn is_under_way(name: &str) -> bool {
    const ENDINGS: [&str; 6] = [".part", ".partial", ".filepart", ".crdownload", ".tmp", ".swp"];
    name.starts_with('.') || ENDINGS.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending))
}

impl Candidate {
    /// BLAKE3 of what lies there.
    pub(super) fn digest(&self) -> Result<String, String> {
        let unreadable =
            |error: std::io::Error| format!("the report `{}` cannot be read: {error}", self.path.display());
        let mut file = File::open(&self.path).map_err(unreadable)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = file.read(&mut buffer).map_err(unreadable)?;
            match buffer.get(..read) {
                Some(part) if read > 0 => hasher.update(part),
                _ => return Ok(hasher.finalize().to_hex().to_string()),
            };
        }
    }

    /// Whether somebody writes to it.
    pub(super) fn has_changed(&self) -> bool {
        !fs::metadata(&self.path).is_ok_and(|now| now.len() == self.bytes && now.modified().ok() == self.modified)
    }
}
