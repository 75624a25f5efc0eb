//! `sync-journals`: delivers every payment journal to the ERP, once, with retry (rules 15–18, traps T15–T23).

use chrono::{DateTime, NaiveDate, Utc};

use super::{Context, Frame, Step, Task, Wanted, days, give_up};
use crate::domain::booking::{Direction, JournalKind};
use crate::domain::consequence::Consequence;
use crate::domain::exception::{ExceptionDraft, ExceptionKind};
use crate::domain::id::JournalId;
use crate::domain::letter;
use crate::domain::money::{Amount, MoneyError};
use crate::ledger::{BookedJournal, JournalCase, Ledger, LedgerError, Scope};
use crate::operation::decide::is_over_age;
use crate::operation::{Answer, Key, Kind, Operation, State, Subject};
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct SyncJournals;

impl Task for SyncJournals {
    type Case = JournalCase;
    type Seen = ();

    const KINDS: &'static [Kind] = &[Kind::Journal];
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, _frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        Ok(ledger.undelivered_journals(JournalId(after), limit)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<JournalCase, LedgerError> {
        ledger.journal_case(JournalId(id))
    }

    fn observe(&self, _case: &JournalCase, _ports: &Ports, _frame: &Frame<'_>) {}

    fn plan(&self, case: &JournalCase, _seen: &(), frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let journal = &case.journal;
        let delivery = Delivery {
            name: name(journal),
            number: &journal.number,
            amount: journal.amount,
            posting_date: journal.posting_date,
            booked_at: case.booked_at,
            due_since: Some(case.booked_at),
            operations: &case.operations,
            waits_for: case.waits_for.as_deref(),
            note: &case.note,
            kind: Kind::Journal,
            subject: Subject::journal(journal.id, journal.payment, journal.document),
        };
        Ok(delivery.steps(frame))
    }

    fn scope(&self, _case: &JournalCase) -> Scope {
        Scope::default()
    }

    fn name(&self, case: &JournalCase) -> String {
        name(&case.journal)
    }
}

/// As the log lists it: the journal with the invoice or credit note it pays.
fn name(journal: &BookedJournal) -> String {
    let what = match (journal.document_kind, &journal.document_number) {
        (Some(kind), Some(number)) => format!("{} {number}", kind.noun()),
        _ => format!("payment {}", journal.transaction),
    };
    let how = match (journal.kind, journal.direction) {
        (JournalKind::Receipt | JournalKind::Refund, Direction::Original) => "",
        (JournalKind::Prepayment, Direction::Original) => " (prepayment)",
        (JournalKind::Application, Direction::Original) => " (prepayment applied)",
        (JournalKind::Reopening, Direction::Original) => " (open again: refunded without a credit note)",
        (JournalKind::UnappliedRefund, Direction::Original) => " (refund without credit note)",
        (JournalKind::Chargeback, Direction::Original) => " (charged back)",
        (JournalKind::ChargebackReversed, Direction::Original) => " (chargeback won back)",
        (JournalKind::ReturnedRefund, Direction::Original) => " (refunded before: off the customer's account)",
        (JournalKind::Return, Direction::Original) => " (given back to the customer's account)",
        (_, Direction::Reversal) => " (reversed)",
    };
    format!("journal {} for {what}{how}", journal.number)
}

/// A journal on its way to the ERP, whatever it books.
pub(super) struct Delivery<'a> {
    pub(super) name: String,
    pub(super) number: &'a str,
    pub(super) amount: Amount,
    pub(super) posting_date: NaiveDate,
    pub(super) booked_at: DateTime<Utc>,
    /// Since when it has been wanted in the ERP, if it has been yet.
    pub(super) due_since: Option<DateTime<Utc>>,
    pub(super) operations: &'a [Operation],
    /// The number of a journal that has to be in the ERP before it.
    pub(super) waits_for: Option<&'a str>,
    /// What was last said about it.
    pub(super) note: &'a str,
    pub(super) kind: Kind,
    pub(super) subject: Subject,
}

impl Delivery<'_> {
    pub(super) fn steps(&self, frame: &Frame<'_>) -> Vec<Step> {
        let mut steps: Vec<Step> = self.overdue(frame).into_iter().collect();
        let last = self.operations.last();
        // The error notification comes first: a journal that is given up has had its mail (trap T15).
        if let Some(operation) = last.filter(|operation| operation.state == State::Planned && operation.tries > 0)
            && is_over_age(self.booked_at.max(operation.status_since), frame.task.transaction_valid_days, frame.now)
        {
            steps.extend(give_up(operation, &self.name, frame));
            return steps;
        }
        // The ERP cannot undo or apply what it does not have.
        if let Some(before) = self.waits_for {
            steps.push(Step::awaits(&self.name, format!("journal {before} has to be in the ERP first")));
            return steps;
        }
        let key = |attempt| Key::of_text(self.kind, self.number, attempt);
        let wanted = Wanted {
            about: self.name.clone(),
            reason: format!("{} moved on {}", self.amount, self.posting_date),
            kind: self.kind,
            subject: self.subject,
            amount: Some(self.amount),
            past: self.operations.to_vec(),
            key: &key,
        };
        steps.extend(wanted.steps(frame));
        steps
    }

    /// One error notification per journal, once it has been waiting for the configured days (trap T16).
    fn overdue(&self, frame: &Frame<'_>) -> Option<Step> {
        let count = frame.task.error_notification_after_days;
        let given_up = self.operations.iter().any(|operation| operation.state == State::GivenUp);
        let is_late = self.due_since.is_some_and(|since| since + days(count) <= frame.now);
        if given_up || !is_late {
            return None;
        }
        let why = if self.note.is_empty() { "it was never tried" } else { self.note };
        let what = format!("{}, {}", self.name, self.amount);
        let letter = letter::overdue(&frame.settings.shop, self.number, &what, count, why);
        Some(Step::record(&self.name, format!("not in the ERP after {count} days"), Consequence::Letter(letter)))
    }
}

/// A journal the ERP refuses needs a person; its money stays booked in the ledger.
pub fn consequences(operation: &Operation, answer: &Answer, context: &Context) -> Vec<Consequence> {
    match answer {
        Answer::Refused(refusal) if !refusal.transient => {
            let number = context.journal.clone().unwrap_or_default();
            // A payout is of no order.
            let is_of_order = context.payout.is_none();
            let order = if is_of_order { format!(" (order {})", context.order_name()) } else { String::new() };
            let kind = if refusal.code == "journal_differs" {
                ExceptionKind::JournalDiffers
            } else {
                ExceptionKind::JournalRefused
            };
            vec![Consequence::Raise(ExceptionDraft {
                kind,
                subject: format!("journal {number}"),
                message: format!(
                    "the ERP refused it for {}{}: {} ({}); when the reason is gone, `payjournal retry {}`",
                    context.document_name(),
                    order,
                    refusal.message,
                    refusal.code,
                    operation.id
                ),
                about: context.about(operation),
            })]
        }
        Answer::Refused(_)
        | Answer::Accepted { .. }
        | Answer::Confirmed { .. }
        | Answer::NotDone { .. }
        | Answer::Unknown { .. } => Vec::new(),
    }
}
