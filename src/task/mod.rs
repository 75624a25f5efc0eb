//! The tasks cron runs. Each says which cases it looks at, what it observes, what it plans, and what follows from an answer.
//! Locks, logs, calls, retries and progress are `run`'s business.

pub mod capture;
pub mod cleanup_unpaid;
pub mod collect;
mod facts;
pub mod finalize_invoices;
pub mod mail_queue;
pub mod payout_journals;
pub mod portal_queue;
pub mod refunds;
pub mod settlements;
pub mod sync_journals;
pub mod sync_payments;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Settings;
use crate::config::settings::TaskSettings;
use crate::domain::consequence::{Consequence, LearntFrom, MovementDraft};
use crate::domain::document::Document;
use crate::domain::entry::Entry;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{ModificationId, OperationId, ShopName};
use crate::domain::letter::{Letter, Matter};
use crate::domain::money::{Amount, MoneyError};
use crate::domain::movement::MovementKind;
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::ledger::{Ledger, LedgerError, Scope};
use crate::operation::{Answer, Decision, Intent, Key, Kind, Operation, State, Subject, decide};
use crate::run::ports::Ports;

/// One of payjournal's chores. A case is found by the id of the row it stands for; ids rise from query to query.
pub trait Task: Sync {
    /// Two are equal if nothing has changed that a plan may look at.
    type Case: PartialEq + Send + Sync;
    /// What the other side said about a case, read in this run.
    type Seen: Send;

    /// The kinds of operations this task asks about before it plans anything.
    const KINDS: &'static [Kind];

    /// Whether a fact it records may make something new to send for the same case: then the case is planned again.
    const SENDS: bool;

    /// How many of the batches of the settings, which are about calls, are one. More than one only where nothing outside is asked about
    /// a case, and cases come by the hundred thousand: a commit writes every page it touched, and most commits touch the same.
    const BATCHES: u32 = 1;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError>;

    fn case(&self, ledger: &Ledger, id: i64) -> Result<Self::Case, LedgerError>;

    /// Reads what only the other side knows, or has it make what is one thing however often it is asked for: a payment page. Runs in a
    /// worker: ports only.
    fn observe(&self, case: &Self::Case, ports: &Ports, frame: &Frame<'_>) -> Self::Seen;

    /// Pure: the same case, observation, settings and `now` make the same steps.
    fn plan(&self, case: &Self::Case, seen: &Self::Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError>;

    fn scope(&self, case: &Self::Case) -> Scope;

    /// The case as a person names it.
    fn name(&self, case: &Self::Case) -> String;

    /// How many cases one run may send something for; the others are left to a later run. Most tasks know no such limit.
    fn most_begun(&self, _frame: &Frame<'_>) -> Option<u32> {
        None
    }
}

/// What every plan may look at besides its case.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub settings: &'a Settings,
    pub task: &'a TaskSettings,
    pub now: DateTime<Utc>,
    /// Nothing is changed anywhere.
    pub is_rehearsal: bool,
}

/// One thing to do for a case, with the reason it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is about: `invoice 103210`.
    pub about: String,
    pub reason: String,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Record a new intent, and send it.
    Send(Intent),
    /// Send what an earlier run planned and did not get done.
    Resume { operation: OperationId, kind: Kind, amount: Option<Amount> },
    /// Certainly not done and no longer wanted.
    Withdraw { operation: OperationId },
    /// Its validity is over.
    GiveUp { operation: OperationId },
    /// A fact for the ledger; nothing leaves the house.
    Record(Consequence),
    /// Needs a person; the letter goes out if the exception is new.
    Raise(ExceptionDraft, Option<Letter>),
    /// Nothing, and why.
    Leave,
    /// Nothing: the case is none of those the task is for. A run says how many there were, by this reason.
    NotEligible(&'static str),
    /// Nothing yet: something that decides is not known. What was raised earlier stays until it is.
    Await,
    /// Nothing, because the other side could not be reached.
    Unreachable,
}

impl Action {
    /// What leaves the house by it.
    pub fn sends(&self) -> Option<Kind> {
        match self {
            Self::Send(intent) => Some(intent.kind),
            Self::Resume { kind, .. } => Some(*kind),
            Self::Withdraw { .. }
            | Self::GiveUp { .. }
            | Self::Record(_)
            | Self::Raise(..)
            | Self::Leave
            | Self::NotEligible(_)
            | Self::Await
            | Self::Unreachable => None,
        }
    }
}

/// What an answer is about: everything its consequences need.
#[derive(Debug, Clone)]
pub struct Context {
    /// Of a collection: the one the PSP made of it, once it has.
    pub payment: Option<Payment>,
    pub document: Option<Document>,
    pub order: Option<Order>,
    /// The entry that is collected.
    pub entry: Option<Entry>,
    /// The number of the journal delivered.
    pub journal: Option<String>,
    /// What the journal delivered books of a payout.
    pub payout: Option<String>,
    /// The PSP lets the rest of the authorisation lapse after this capture.
    pub drops_remainder: bool,
}

/// What follows from an answer to one of our operations, whoever asked.
pub fn consequences(operation: &Operation, answer: &Answer, context: &Context, shop: &ShopName) -> Vec<Consequence> {
    match operation.kind {
        Kind::Capture => capture::consequences(operation, answer, context, shop),
        Kind::Release => capture::release_consequences(operation, answer, context, shop),
        Kind::Collect => collect::consequences(operation, answer, context, shop),
        Kind::Refund => refunds::consequences(operation, answer, context, shop),
        Kind::Journal | Kind::PayoutJournal => sync_journals::consequences(operation, answer, context),
        Kind::Mail => mail_queue::consequences(operation, answer),
        Kind::Event => portal_queue::consequences(operation, answer),
        Kind::Cancel => cleanup_unpaid::cancel_consequences(operation, answer, context),
        Kind::Delete => cleanup_unpaid::delete_consequences(operation, answer, context, shop),
    }
}

impl Step {
    pub fn leave(about: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { about: about.into(), reason: reason.into(), action: Action::Leave }
    }

    pub fn awaits(about: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { about: about.into(), reason: reason.into(), action: Action::Await }
    }

    /// How much a document lacks is known again when the ERP has answered: one capture or refund per payment and document, so
    /// that one for too little would be the last.
    pub(crate) fn unanswered(document: &Document) -> Self {
        Self::awaits(document.name(), "the ERP has not answered whether it has a journal line of ours for it")
    }

    /// Whether the plan it is part of saw everything: if not, a reason to raise something may only be out of sight.
    pub(crate) fn sees_all(&self) -> bool {
        match &self.action {
            Action::Await | Action::Unreachable => false,
            Action::Record(consequence) => match consequence {
                Consequence::Movement(_) | Consequence::Standing(_) | Consequence::Settle { .. } => false,
                Consequence::Application { .. }
                | Consequence::Invoice(_)
                | Consequence::InvoicePaid { .. }
                | Consequence::InvoicePage(_)
                | Consequence::InvoiceMail { .. }
                | Consequence::InvitationEnded { .. }
                | Consequence::Asked(_)
                | Consequence::PageClosed(_)
                | Consequence::Unmoved { .. }
                | Consequence::LinesRead { .. }
                | Consequence::Deletion(_)
                | Consequence::Deleted { .. }
                | Consequence::Taken { .. }
                | Consequence::Unanswered { .. }
                | Consequence::Letter(_)
                | Consequence::Collected(_)
                | Consequence::Raise(_) => true,
            },
            Action::Raise(draft, _) => draft.kind != ExceptionKind::OutstandingUnreadable,
            Action::Send(_)
            | Action::Resume { .. }
            | Action::Withdraw { .. }
            | Action::GiveUp { .. }
            | Action::Leave
            | Action::NotEligible(_) => true,
        }
    }

    pub fn unreachable(about: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { about: about.into(), reason: reason.into(), action: Action::Unreachable }
    }

    pub fn raise(draft: ExceptionDraft, letter: Option<Letter>) -> Self {
        Self { about: draft.subject.clone(), reason: draft.message.clone(), action: Action::Raise(draft, letter) }
    }

    pub fn record(about: impl Into<String>, reason: impl Into<String>, consequence: Consequence) -> Self {
        Self { about: about.into(), reason: reason.into(), action: Action::Record(consequence) }
    }
}

/// An effect somebody wants, before it is known whether an operation for it exists.
pub(crate) struct Wanted<'a> {
    pub about: String,
    pub reason: String,
    pub kind: Kind,
    pub subject: Subject,
    pub amount: Option<Amount>,
    /// Operations for the same effect.
    pub past: Vec<Operation>,
    pub key: &'a dyn Fn(u32) -> Key,
}

impl Wanted<'_> {
    /// Turns the wish into steps by what was tried before.
    pub(crate) fn steps(self, frame: &Frame<'_>) -> Vec<Step> {
        let Self { about, reason, kind, subject, amount, mut past, key } = self;
        let latest = decide::latest_wait(frame.now, frame.task.retry_interval_max);
        for operation in &mut past {
            operation.next_attempt_at = operation.next_attempt_at.filter(|at| *at <= latest);
        }
        let send = |attempt: u32| Action::Send(Intent { kind, subject, amount, attempt, key: key(attempt) });
        let step = |reason: String, action: Action| Step { about: about.clone(), reason, action };
        let stale = |operation: &Operation| {
            operation.state == State::Planned
                && operation.tries > 0
                && decide::is_over_age(operation.status_since, frame.task.transaction_valid_days, frame.now)
        };
        if let Some(operation) = past.iter().find(|operation| stale(operation)) {
            return give_up(operation, &about, frame);
        }
        match decide(&past, amount, frame.now) {
            Decision::Plan { attempt } => vec![step(reason, send(attempt))],
            Decision::Resume(operation) => vec![step(reason, Action::Resume { operation, kind, amount })],
            Decision::Replace { withdraw, attempt } => vec![
                step("another amount is wanted now".to_owned(), Action::Withdraw { operation: withdraw }),
                step(reason, send(attempt)),
            ],
            Decision::Wait { why, .. } => vec![step(why, Action::Leave)],
            Decision::Done(_) => Vec::new(),
            Decision::NeedsPerson(operation) => {
                vec![step(format!("refused or given up: `payjournal retry {operation}` tries again"), Action::Leave)]
            }
        }
    }
}

/// Of what was planned and tried, gives up what is over age while nothing that decides about it can be learnt.
pub(crate) fn give_up_stale<'a>(operations: impl Iterator<Item = &'a Operation>, frame: &Frame<'_>) -> Vec<Step> {
    let valid_days = frame.task.transaction_valid_days;
    let stale = operations.filter(|operation| {
        operation.state == State::Planned
            && operation.tries > 0
            && decide::is_over_age(operation.status_since, valid_days, frame.now)
    });
    stale.flat_map(|operation| give_up(operation, &operation.kind.noun(), frame)).collect()
}

/// Its validity is over: no longer checked, listed, and a person must look (trap T11).
pub(crate) fn give_up(operation: &Operation, about: &str, frame: &Frame<'_>) -> Vec<Step> {
    let days = frame.task.transaction_valid_days;
    let draft = ExceptionDraft {
        kind: ExceptionKind::GivenUp,
        subject: format!("operation {} ({about})", operation.id),
        message: format!(
            "the {} stood the same for {days} days and is no longer checked; look at the other side, then `payjournal retry {}`",
            operation.kind.noun(),
            operation.id
        ),
        about: About {
            order: None,
            payment: operation.subject.payment,
            document: operation.subject.document,
            operation: Some(operation.id),
            entry: operation.subject.entry,
        },
    };
    let reason = format!("stood the same for {days} days");
    vec![
        Step { about: about.to_owned(), reason, action: Action::GiveUp { operation: operation.id } },
        Step::raise(draft, None),
    ]
}

impl Context {
    pub fn order_name(&self) -> String {
        self.order.as_ref().map_or_else(|| "-".to_owned(), order_name)
    }

    pub fn document_name(&self) -> String {
        let document = self.document.as_ref().map(Document::name);
        let name = document.or_else(|| self.entry.as_ref().map(Entry::name)).or_else(|| self.payout.clone());
        name.unwrap_or_else(|| "the authorisation".to_owned())
    }

    pub(crate) fn about(&self, operation: &Operation) -> About {
        About {
            order: self.order.as_ref().map(|order| order.id),
            payment: operation.subject.payment,
            document: operation.subject.document,
            operation: Some(operation.id),
            entry: operation.subject.entry,
        }
    }

    /// The fact that a confirmed capture or refund of ours is: over what the PSP says has moved. Where that is not what was
    /// asked for, a person is told, and what is no amount of this payment is not booked at all (rules 2 and 3).
    pub(crate) fn moved(
        &self,
        operation: &Operation,
        kind: MovementKind,
        modification: &ModificationId,
        at: DateTime<Utc>,
        reported: Option<Amount>,
    ) -> Vec<Consequence> {
        let (Some(payment), Some(asked)) = (self.payment.as_ref(), operation.amount) else { return Vec::new() };
        let amount = reported.unwrap_or(asked);
        let bookable = amount.is_positive() && amount.currency() == asked.currency();
        let moved = bookable.then(|| MovementDraft {
            payment: payment.id,
            kind,
            modification: modification.clone(),
            amount,
            occurred_at: at,
            operation: Some(operation.id),
            document: operation.subject.document,
            learnt_from: LearntFrom::Answer,
            key: None,
        });
        let mut follows: Vec<Consequence> = moved.map(Consequence::Movement).into_iter().collect();
        if amount != asked {
            let booked = if bookable { format!("{amount} is booked") } else { "nothing is booked".to_owned() };
            follows.push(Consequence::Raise(ExceptionDraft {
                kind: ExceptionKind::AmountDiffers,
                subject: format!("{} {modification} of payment {}", kind.as_str(), payment.transaction),
                message: format!(
                    "operation {} asked for {asked}, and the PSP says that {amount} moved; {booked}. Nothing more is taken from \
                     this payment or given back until a person has ended this: settle the difference with the PSP or the \
                     customer, then `payjournal resolve` this exception",
                    operation.id
                ),
                // Not of the operation: that it is confirmed ends nothing here.
                about: About { operation: None, ..self.about(operation) },
            }));
        }
        follows
    }

    /// Runs `write` with what a letter about the operation names: the amount the PSP reported, else the one asked for.
    /// Nothing without a payment and an amount.
    pub(crate) fn letter(
        &self,
        operation: &Operation,
        reported: Option<Amount>,
        shop: &ShopName,
        write: impl FnOnce(Matter<'_>) -> Letter,
    ) -> Option<Consequence> {
        let (payment, amount) = (self.payment.as_ref()?, reported.or(operation.amount)?);
        let (document, order) = (self.document_name(), self.order_name());
        let matter = Matter {
            shop,
            transaction: &payment.transaction,
            document: &document,
            order: &order,
            amount,
            key: operation.key.as_str(),
        };
        Some(Consequence::Letter(write(matter)))
    }
}

pub(crate) fn order_name(order: &Order) -> String {
    format!("{}/{}", order.shop, order.number)
}

/// Days as a time span.
pub(crate) fn days(count: u32) -> TimeDelta {
    TimeDelta::days(i64::from(count))
}
