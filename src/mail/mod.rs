//! The port that mails leave by, and its transports. What they say is in `domain::letter`.

pub mod file;
mod message;
pub mod smtp;

use std::time::Duration;

use crate::operation::request::MailRequest;
use crate::operation::{Answer, LookUp};

/// Delivers mails. Called from several threads at once.
pub trait Post: Send + Sync {
    fn deliver(&self, request: &MailRequest) -> Answer;

    /// Whether an earlier `deliver` of the same key arrived.
    fn look_up(&self, request: &MailRequest) -> LookUp;

    /// How long after it was sent a delivery may still arrive.
    fn settles_after(&self) -> Duration;
}
