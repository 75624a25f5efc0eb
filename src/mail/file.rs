//! Mails as RFC 5322 files in a maildir: written to `tmp`, then renamed into `new`, under a name that follows from the key,
//! so that one mail is one file however often it is delivered.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};

use super::Post;
use super::message::message;
use crate::config::settings::MailSettings;
use crate::domain::id::ModificationId;
use crate::operation::request::MailRequest;
use crate::operation::{Answer, LookUp, Refusal};

#[derive(Debug)]
pub struct Maildir {
    folder: PathBuf,
    settings: MailSettings,
    now: DateTime<Utc>,
}

impl Maildir {
    pub fn new(folder: &Path, settings: &MailSettings, now: DateTime<Utc>) -> Self {
        Self { folder: folder.to_owned(), settings: settings.clone(), now }
    }

    fn name(request: &MailRequest) -> String {
        format!("{}.{}.payjournal", request.written_at.timestamp(), request.key)
    }

    /// In `new`, or in `cur` under the same name with flags, once a person has read it.
    fn arrived(&self, request: &MailRequest) -> std::io::Result<bool> {
        let name = Self::name(request);
        if self.folder.join("new").join(&name).try_exists()? {
            return Ok(true);
        }
        match fs::read_dir(self.folder.join("cur")) {
            Ok(entries) => {
                for entry in entries {
                    if entry?.file_name().to_string_lossy().starts_with(&name) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write(&self, request: &MailRequest, message: &[u8]) -> anyhow::Result<()> {
        for folder in ["tmp", "new", "cur"] {
            let folder = self.folder.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("the maildir folder `{}` cannot be made", folder.display()))?;
        }
        let name = Self::name(request);
        let (draft, done) = (self.folder.join("tmp").join(&name), self.folder.join("new").join(&name));
        let write = || -> std::io::Result<()> {
            let mut file = fs::File::create(&draft)?;
            file.write_all(message)?;
            file.sync_all()?;
            fs::rename(&draft, &done)
        };
        write().with_context(|| format!("the mail `{}` cannot be written", done.display()))
    }
}

impl Post for Maildir {
    fn deliver(&self, request: &MailRequest) -> Answer {
        let refused = |code: &str, error: anyhow::Error| {
            Answer::Refused(Refusal { code: code.to_owned(), message: format!("{error:#}"), transient: false })
        };
        let arrived = Answer::Confirmed {
            modification: match ModificationId::parse(request.key.as_str()) {
                Ok(id) => id,
                Err(error) => return refused("bad_key", error.into()),
            },
            at: self.now,
            amount: None,
        };
        match self.arrived(request) {
            Ok(true) => return arrived,
            Ok(false) => {}
            Err(error) => {
                return Answer::NotDone {
                    why: format!("the maildir cannot be read: {error}"),
                    retry_after_seconds: None,
                };
            }
        }
        let message = match message(request, &self.settings) {
            Ok(message) => message.formatted(),
            Err(error) => return refused("bad_message", error),
        };
        match self.write(request, &message) {
            Ok(()) => arrived,
            // The rename is the delivery: what failed before it did not arrive.
            Err(error) => Answer::NotDone { why: format!("{error:#}"), retry_after_seconds: None },
        }
    }

    fn look_up(&self, request: &MailRequest) -> LookUp {
        match (self.arrived(request), ModificationId::parse(request.key.as_str())) {
            (Ok(true), Ok(modification)) => {
                LookUp::Found(Answer::Confirmed { modification, at: self.now, amount: None })
            }
            (Ok(_), _) => LookUp::Absent,
            (Err(error), _) => LookUp::CannotTell { why: format!("the maildir cannot be read: {error}") },
        }
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }
}
