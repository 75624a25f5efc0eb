//! Mailboxes. They keep every message that arrives, the same one twice too.

use std::time::Duration;

use chrono::TimeDelta;

use super::super::dice::Purpose;
use super::super::record::Delivered;
use super::weather::Weather;
use super::{Door, World};
use crate::domain::id::ModificationId;
use crate::mail::Post;
use crate::operation::request::MailRequest;
use crate::operation::{Answer, LookUp, Refusal};

/// A message is found so long after it was handed over.
const LAG: TimeDelta = TimeDelta::minutes(2);

/// The post through one run's door.
#[derive(Debug)]
pub(super) struct Counter(pub(super) Door);

#[derive(Debug, Clone, Copy)]
enum Fate {
    Unreached,
    SilentBefore,
    SilentAfter,
    Refused,
}

impl Post for Counter {
    fn deliver(&self, request: &MailRequest) -> Answer {
        self.0.through(|world| world.post_is_asked(request))
    }

    fn look_up(&self, request: &MailRequest) -> LookUp {
        self.0.through(|world| world.post_looks_up(request))
    }

    fn settles_after(&self) -> Duration {
        LAG.to_std().unwrap_or_default()
    }
}

impl World {
    fn post_is_asked(&mut self, request: &MailRequest) -> Answer {
        self.pass(1);
        self.coverage.work("mails handed over");
        let weather = self.weather;
        let fates = [
            (weather.unreached, Fate::Unreached),
            (weather.silent_before, Fate::SilentBefore),
            (weather.silent_after, Fate::SilentAfter),
            (weather.refused, Fate::Refused),
        ];
        let mut dice = self.dice(Purpose::Send, request.key.as_str());
        let silent = || Answer::Unknown { why: "no answer in time".to_owned() };
        let Some(fate) = Weather::fate(&mut dice, &fates) else { return self.deliver(request) };
        match fate {
            Fate::Unreached => {
                self.fault("post: not reached");
                Answer::NotDone { why: "no connection".to_owned(), retry_after_seconds: None }
            }
            Fate::SilentBefore => {
                self.fault("post: no answer, nothing done");
                silent()
            }
            Fate::SilentAfter => {
                self.fault("post: no answer, delivered");
                self.deliver(request);
                silent()
            }
            Fate::Refused => {
                self.fault("post: refused");
                let message = "no such mailbox".to_owned();
                Answer::Refused(Refusal { code: "550".to_owned(), message, transient: false })
            }
        }
    }

    fn deliver(&mut self, request: &MailRequest) -> Answer {
        self.record.letters.push(Delivered {
            key: request.key.as_str().to_owned(),
            subject: request.subject.clone(),
            body: request.body.clone(),
            at: self.now,
        });
        self.page_arrives(&request.body);
        match ModificationId::parse(request.key.as_str()) {
            Ok(modification) => Answer::Confirmed { modification, at: self.now, amount: None },
            Err(error) => Answer::Unknown { why: error.to_string() },
        }
    }

    fn post_looks_up(&mut self, request: &MailRequest) -> LookUp {
        self.pass(1);
        let mut dice = self.dice(Purpose::LookUp, request.key.as_str());
        if dice.chance(self.weather.dumb) {
            self.fault("post: look-up not answered");
            return LookUp::CannotTell { why: "HTTP 503".to_owned() };
        }
        let now = self.now;
        let found = |letter: &&Delivered| letter.key == request.key.as_str() && now - letter.at >= LAG;
        let Some(letter) = self.record.letters.iter().find(found) else { return LookUp::Absent };
        match ModificationId::parse(&letter.key) {
            Ok(modification) => LookUp::Found(Answer::Confirmed { modification, at: letter.at, amount: None }),
            Err(error) => LookUp::CannotTell { why: error.to_string() },
        }
    }
}
