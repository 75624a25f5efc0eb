//! The operation: an intent to change something in a system we do not own, and the one mechanism that carries every
//! dangerous thing payjournal does.
//!
//! Pure. The intent, its key and its amount are committed before anything is sent. What was sent and not answered is
//! `Unknown`: it is asked about, with the same key, before anything else is sent to the same target.

pub mod decide;
pub mod key;
pub mod request;
pub mod state;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::id::{
    DocumentId, EntryId, EventId, JournalId, MailId, MandateId, ModificationId, OperationId, OrderId, PaymentId,
    PayoutJournalId,
};
use crate::domain::money::Amount;

pub use decide::{Decision, decide};
pub use key::Key;
pub use state::{Event, IllegalTransition, State};

/// What an operation wants to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Capture,
    Refund,
    Release,
    /// Takes what is due of an entry, on a mandate of its customer.
    Collect,
    Journal,
    /// Brings a journal of a payout into the ERP.
    PayoutJournal,
    Mail,
    /// Closes an open payment or payment page at the PSP, so that it cannot be paid any more.
    Cancel,
    /// Takes an order out of the ERP.
    Delete,
    /// Tells the portal something.
    Event,
}

/// Which one thing an operation changes. At most one operation per target may be without an answer (rule 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Target(String);

/// An operation as wanted: not yet in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub kind: Kind,
    pub subject: Subject,
    /// `None` where no money moves: for a mail, a cancellation, a deletion, an event.
    pub amount: Option<Amount>,
    /// 1 for the first; a definite refusal or a withdrawal makes room for the next.
    pub attempt: u32,
    pub key: Key,
}

/// The ledger rows an operation is about. Which of them are present follows from the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject {
    pub payment: Option<PaymentId>,
    /// The document a capture or refund is for; `None` = the authorisation itself (`AUTH`).
    pub document: Option<DocumentId>,
    pub journal: Option<JournalId>,
    pub payout_journal: Option<PayoutJournalId>,
    pub mail: Option<MailId>,
    /// The order a deletion takes out of the ERP.
    pub order: Option<OrderId>,
    /// What the portal is told.
    pub event: Option<EventId>,
    /// The entry that is collected, and the mandate it is collected on. The payment is there once the PSP has made it.
    pub entry: Option<EntryId>,
    pub mandate: Option<MandateId>,
}

/// An operation as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub id: OperationId,
    pub kind: Kind,
    pub subject: Subject,
    pub target: Target,
    pub amount: Option<Amount>,
    pub attempt: u32,
    pub key: Key,
    pub state: State,
    pub planned_at: DateTime<Utc>,
    /// When the operation last came to stand differently: sending and re-sending does not count.
    pub status_since: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub last_sent_at: Option<DateTime<Utc>>,
    /// Calls made so far.
    pub tries: u32,
    /// Not to be sent or asked about before.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The other side's id, once it gave one.
    pub modification: Option<ModificationId>,
    pub refusal: Option<Refusal>,
    /// A person asked for another attempt (`payjournal retry`).
    pub retry_requested: bool,
}

/// A definite no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The other side's code, stable enough to group by.
    pub code: String,
    pub message: String,
    /// The same request may be accepted later.
    pub transient: bool,
}

impl Refusal {
    /// The code of every adapter for: the key was used for another request, which may have been carried out.
    pub const KEY_CONFLICT: &str = "idempotency_error";

    pub fn is_key_conflict(&self) -> bool {
        self.code == Self::KEY_CONFLICT
    }
}

/// What the other side said to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Received; the outcome comes later.
    Accepted {
        modification: ModificationId,
    },
    /// Done, at the time the other side gives.
    Confirmed {
        modification: ModificationId,
        at: DateTime<Utc>,
        /// What the other side says was moved, where it names an amount.
        amount: Option<Amount>,
    },
    Refused(Refusal),
    /// Certainly not done: too many requests, no connection. The same key may be sent again.
    NotDone {
        why: String,
        retry_after_seconds: Option<u64>,
    },
    /// No answer, or one that means nothing: it may have been done.
    Unknown {
        why: String,
    },
}

/// What the other side said when asked about an earlier call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// It knows the call; this is how it stands.
    Found(Answer),
    /// It certainly never got the call and never will.
    Absent,
    /// It cannot be asked now, or cannot tell.
    CannotTell { why: String },
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Capture,
        Self::Refund,
        Self::Release,
        Self::Collect,
        Self::Journal,
        Self::PayoutJournal,
        Self::Mail,
        Self::Cancel,
        Self::Delete,
        Self::Event,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Refund => "refund",
            Self::Release => "release",
            Self::Collect => "collect",
            Self::Journal => "journal",
            Self::PayoutJournal => "payout_journal",
            Self::Mail => "mail",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
            Self::Event => "event",
        }
    }

    /// As a person reads it.
    pub fn noun(self) -> String {
        self.as_str().replace('_', " ")
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Subject {
    const NONE: Self = Self {
        payment: None,
        document: None,
        journal: None,
        payout_journal: None,
        mail: None,
        order: None,
        event: None,
        entry: None,
        mandate: None,
    };

    pub fn payment(payment: PaymentId, document: Option<DocumentId>) -> Self {
        Self { payment: Some(payment), document, ..Self::NONE }
    }

    pub fn journal(journal: JournalId, payment: PaymentId, document: Option<DocumentId>) -> Self {
        Self { payment: Some(payment), document, journal: Some(journal), ..Self::NONE }
    }

    pub fn payout_journal(journal: PayoutJournalId) -> Self {
        Self { payout_journal: Some(journal), ..Self::NONE }
    }

    pub fn mail(mail: MailId) -> Self {
        Self { mail: Some(mail), ..Self::NONE }
    }

    pub fn order(order: OrderId) -> Self {
        Self { order: Some(order), ..Self::NONE }
    }

    pub fn event(event: EventId) -> Self {
        Self { event: Some(event), ..Self::NONE }
    }

    pub fn collection(entry: EntryId, mandate: MandateId) -> Self {
        Self { entry: Some(entry), mandate: Some(mandate), ..Self::NONE }
    }
}

impl Target {
    /// For calls to a PSP the target is the payment, for journals the document (rule 4), for a payout's journal, which has none, the journal
    /// itself, for deletions the order,
    /// for collections the entry, as there is no payment yet, for the portal the event (of an object, one is planned once all before it were taken).
    pub fn of(kind: Kind, subject: Subject) -> Self {
        let number = |id: Option<i64>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let payment = number(subject.payment.map(|id| id.0));
        Self(match kind {
            Kind::Capture | Kind::Refund | Kind::Release | Kind::Cancel => format!("payment:{payment}"),
            Kind::Collect => format!("entry:{}", number(subject.entry.map(|id| id.0))),
            Kind::Journal => match subject.document {
                Some(document) => format!("document:{document}"),
                None => format!("prepayment:{payment}"),
            },
            Kind::PayoutJournal => format!("payout_journal:{}", number(subject.payout_journal.map(|id| id.0))),
            Kind::Mail => format!("mail:{}", number(subject.mail.map(|id| id.0))),
            Kind::Delete => format!("order:{}", number(subject.order.map(|id| id.0))),
            Kind::Event => format!("event:{}", number(subject.event.map(|id| id.0))),
        })
    }

    pub fn from_ledger(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
