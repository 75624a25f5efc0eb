//! The mails payjournal writes: who gets which, and the words (domain 1.9). Never a secret, never a customer's data.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::exception::ExceptionDraft;
use super::id::{RunId, ShopName, TransactionId};
use super::money::Amount;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The event this letter tells of, by its natural key: one letter per event, ever.
    pub event: String,
    pub recipient: Recipient,
    pub subject: String,
    pub body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    Administrator,
    PaymentNotifications,
    /// The customer an invoice is sent to.
    Customer,
}

impl Recipient {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::PaymentNotifications => "payment_notifications",
            Self::Customer => "customer",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Administrator, Self::PaymentNotifications, Self::Customer];
        all.into_iter().find(|recipient| recipient.as_str() == text)
    }
}

/// A mail to a customer, its words settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerLetter {
    /// The event, by its natural key: one mail for each, ever.
    pub event: String,
    pub address: String,
    pub subject: String,
    pub body: String,
}

/// What a letter about a payment names.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    pub shop: &'a ShopName,
    pub transaction: &'a TransactionId,
    /// `invoice 103210`, `credit note 204`, or `the authorisation`.
    pub document: &'a str,
    pub order: &'a str,
    pub amount: Amount,
    /// The operation's key: what makes the event the same event again.
    pub key: &'a str,
}

pub fn captured(matter: Matter<'_>) -> Letter {
    Letter {
        event: format!("captured:{}", matter.key),
        recipient: Recipient::Administrator,
        subject: format!("{} | Payment {} captured: {}", matter.shop, matter.transaction, matter.amount),
        body: body(matter, "has been captured. Its payment journal is posted by the next `payjournal sync-journals`."),
    }
}

pub fn refunded(matter: Matter<'_>) -> Letter {
    Letter {
        event: format!("refunded:{}", matter.key),
        recipient: Recipient::Administrator,
        subject: format!("{} | Payment {} refunded: {}", matter.shop, matter.transaction, matter.amount),
        body: body(matter, "has been refunded. Its payment journal is posted by the next `payjournal sync-journals`."),
    }
}

pub fn released(matter: Matter<'_>) -> Letter {
    Letter {
        event: format!("released:{}", matter.key),
        recipient: Recipient::Administrator,
        subject: format!("{} | Payment {} released: {}", matter.shop, matter.transaction, matter.amount),
        body: body(matter, "was still authorised, will not be needed any more and has been given back."),
    }
}

/// `verb` is `captured` or `refunded`; `code` tells one refusal from another (rule 5: one letter per operation and code).
pub fn refused(matter: Matter<'_>, verb: &str, code: &str, why: &str) -> Letter {
    Letter {
        event: format!("cannot-be-{verb}:{}:{code}", matter.key),
        recipient: Recipient::PaymentNotifications,
        subject: format!("Payment {} cannot be {verb}", matter.transaction),
        body: body(matter, &format!("cannot be {verb}: {why} ({code}).")),
    }
}

/// A capture or refund that was never sent because it must not be. One letter per exception; the ledger adds to the event
/// how often the exception was raised before.
/// `what` is `payment TX-1` or `credit note 204`.
pub fn blocked(what: &str, verb: &str, draft: &ExceptionDraft) -> Letter {
    Letter {
        event: format!("cannot-be-{verb}:{what}:{}:{}", draft.kind.as_str(), draft.subject),
        recipient: Recipient::PaymentNotifications,
        subject: capitalised(&format!("{what} cannot be {verb}")),
        body: format!("{}: {}\n", draft.subject, draft.message),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The PSP cannot say whether the customer was charged: the order waits for a person.
pub fn payment_error(shop: &ShopName, transaction: &TransactionId, draft: &ExceptionDraft) -> Letter {
    Letter {
        event: format!("payment-error:{transaction}"),
        recipient: Recipient::Administrator,
        subject: format!("{shop} | Order payment error: payment {transaction}"),
        body: format!("{}: {}\n", draft.subject, draft.message),
    }
}

/// There is money on a deleted order: a person decides what becomes of it.
pub fn paid_after_deletion(shop: &ShopName, draft: &ExceptionDraft) -> Letter {
    Letter {
        event: format!("paid-after-deletion:{}", draft.subject),
        recipient: Recipient::PaymentNotifications,
        subject: format!("{shop} | Paid after deletion: {}", draft.subject),
        body: format!("{}: {}\n", draft.subject, draft.message),
    }
}

/// The ERP keeps an order that nobody paid.
pub fn deletion_refused(shop: &ShopName, key: &str, draft: &ExceptionDraft) -> Letter {
    Letter {
        event: format!("deletion-refused:{key}"),
        recipient: Recipient::Administrator,
        subject: format!("{shop} | Cannot be deleted: {}", draft.subject),
        body: format!("{}: {}\n", draft.subject, draft.message),
    }
}

/// What is due of an entry could not be taken. One letter per operation and code (rule 5).
pub fn collection_refused(shop: &ShopName, key: &str, code: &str, draft: &ExceptionDraft) -> Letter {
    Letter {
        event: format!("collection-refused:{key}:{code}"),
        recipient: Recipient::PaymentNotifications,
        subject: format!("{shop} | Cannot be collected: {}", draft.subject),
        body: format!("{}: {}\n", draft.subject, draft.message),
    }
}

pub fn collection_unclear(shop: &ShopName, key: &str, draft: &ExceptionDraft) -> Letter {
    Letter {
        event: format!("collection-unclear:{key}"),
        recipient: Recipient::PaymentNotifications,
        subject: format!("{shop} | May have been collected already: {}", draft.subject),
        body: format!("{}: {}\n", draft.subject, draft.message),
    }
}

/// Once per journal, when the ERP has not taken it for the configured number of days.
pub fn overdue(shop: &ShopName, journal: &str, what: &str, days: u32, why: &str) -> Letter {
    Letter {
        event: format!("error-notification:{journal}"),
        recipient: Recipient::Administrator,
        subject: format!("{shop} | Error notification: payment journal {journal}"),
        body: format!(
            "The payment journal {journal} ({what}) could not be posted in the ERP for {days} days.\n\
             Last answer: {why}\n\
             payjournal goes on trying. Please check why the ERP does not take it: `payjournal status` lists what is pending.\n"
        ),
    }
}

/// Each failed run is its own event.
pub fn task_failed(shop: &ShopName, task: &str, started: DateTime<Utc>, run: RunId, error: &str) -> Letter {
    let when = started.format("%Y-%m-%d %H:%M:%S UTC");
    Letter {
        event: format!("task-failed:{task}:{run}:{}", started.format("%Y%m%dT%H%M%SZ")),
        recipient: Recipient::Administrator,
        subject: format!("{shop} | The task {task} has failed."),
        body: format!("Task: {task}\nShop: {shop}\nStarted: {when}\nError: {error}\n"),
    }
}

fn body(matter: Matter<'_>, what: &str) -> String {
    format!(
        "{} of payment {} for {} (order {}) {what}\n\nShop: {}\nReference: {}\n",
        matter.amount, matter.transaction, matter.document, matter.order, matter.shop, matter.key
    )
}
