//! The mail that invites a buyer to pay on a page.

use chrono::NaiveDate;

use super::customer::Language;
use super::letter::CustomerLetter;
use super::money::Amount;

/// What an invitation says.
#[derive(Debug, Clone, Copy)]
pub struct Invitation<'a> {
    /// The page, by its natural key, and which mail about it this is.
    pub event: &'a str,
    pub address: &'a str,
    pub language: Language,
    pub customer: &'a str,
    /// What it is for, as the customer knows it.
    pub what: &'a str,
    pub open: Amount,
    pub due_on: Option<NaiveDate>,
    pub url: &'a str,
    pub seller: &'a str,
}

impl Invitation<'_> {
    /// Its words are ours, as those of a correction are.
    pub fn letter(&self) -> CustomerLetter {
        let Self { customer, what, open, url, seller, .. } = self;
        let (subject, body) = match self.language {
            Language::En => {
                let due = self.due_on.map(|day| format!(", due on {day}")).unwrap_or_default();
                (
                    format!("Your payment: {what}"),
                    format!(
                        "Dear {customer},\n\n{open} is open for {what}{due}. You can pay it here:\n{url}\n\nKind regards\n{seller}\n"
                    ),
                )
            }
            Language::De => {
                let due = self.due_on.map(|day| format!(", fällig am {day}")).unwrap_or_default();
                (
                    format!("Ihre Zahlung: {what}"),
                    format!(
                        "Guten Tag {customer},\n\nfür {what} sind noch {open} offen{due}. Hier können Sie bezahlen:\n{url}\n\nMit freundlichen Grüßen\n{seller}\n"
                    ),
                )
            }
        };
        CustomerLetter {
            event: self.event.to_owned(),
            address: self.address.to_owned(),
            // A subject is one line.
            subject: subject.replace(['\n', '\r'], " "),
            body,
        }
    }
}
