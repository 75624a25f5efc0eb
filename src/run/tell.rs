//! How the engine tells of what it does: into the summary, and to whoever watches.

use super::call::Call;
use super::engine::{Level, Run};
use super::summary::Row;
use crate::domain::consequence::Consequence;
use crate::domain::money::Amount;
use crate::ledger::LedgerError;
use crate::operation::{Kind, Operation, State};
use crate::task::{Action, Step};

impl Run<'_> {
    pub(super) fn bug(&mut self, text: &str) {
        self.watch.say(Level::Error, text);
        self.summary.bugs.push(text.to_owned());
    }

    /// The ledger did not take a change: its database refused, or an invariant of ours would have broken.
    pub(super) fn refusal(&mut self, about: &str, error: &LedgerError) {
        let text = format!("{about}: {error}");
        if matches!(error, LedgerError::Sqlite(_)) {
            self.watch.say(Level::Error, &text);
            self.summary.ledger_refusals.push(text);
        } else {
            self.bug(&text);
        }
    }

    /// A dry run: what would be done, and why.
    pub(super) fn report_plan(&mut self, step: &Step) {
        // A condition, and nothing that would be done.
        if matches!(step.action, Action::Record(Consequence::Unmoved { .. })) {
            return;
        }
        // It is told with the deletion it lets through, or with what keeps the order.
        if matches!(step.action, Action::Record(Consequence::Deletion(_) | Consequence::Unanswered { .. })) {
            return;
        }
        if let Action::NotEligible(class) = step.action {
            *self.summary.not_eligible.entry(class).or_default() += 1;
        }
        let (action, amount) = described(&step.action);
        self.watch.say(Level::Info, &format!("{}: would {action}: {}", step.about, step.reason));
        self.summary.add(Row {
            about: step.about.clone(),
            action,
            amount,
            outcome: "planned".to_owned(),
            reason: step.reason.clone(),
        });
    }

    /// Cases that a task has no room for in this run.
    pub(super) fn tell_left(&mut self, left: &[Step]) {
        self.summary.over_most += u64::try_from(left.len()).unwrap_or(u64::MAX);
        for step in left {
            if self.id.is_none() {
                self.report_plan(step);
            } else {
                self.report_recorded(step, false, None);
            }
        }
    }

    pub(super) fn report_recorded(&mut self, step: &Step, new: bool, refused: Option<LedgerError>) {
        let (action, amount) = described(&step.action);
        if let Some(error) = refused {
            if error.is_there_already() {
                // Another run recorded the same intent in between: it is in good hands.
                self.watch.say(Level::Info, &format!("{}: left to another run", step.about));
            } else {
                self.refusal(&step.about, &error);
            }
            return;
        }
        let line = format!("{}: {action}: {}", step.about, step.reason);
        match &step.action {
            Action::Leave
            | Action::Await
            | Action::Record(
                Consequence::Deletion(_)
                | Consequence::Asked(_)
                | Consequence::Unanswered { .. }
                | Consequence::Unmoved { .. }
                | Consequence::LinesRead { .. },
            ) => {
                self.watch.say(Level::Detail, &line);
            }
            Action::NotEligible(class) => {
                *self.summary.not_eligible.entry(class).or_default() += 1;
                self.watch.say(Level::Detail, &line);
            }
            // Told when the answer is there.
            Action::Send(_) | Action::Resume { .. } => {}
            Action::Unreachable => {
                self.watch.say(Level::Warning, &line);
                self.summary.count_unreachable(None, &format!("{}: {}", step.about, step.reason));
                self.row(step, action, amount, "not reached");
            }
            Action::Raise(..) => {
                let level = if new { Level::Error } else { Level::Detail };
                self.watch.say(level, &line);
                self.row(step, action, amount, if new { "new" } else { "known" });
            }
            Action::Record(_) | Action::Withdraw { .. } | Action::GiveUp { .. } => {
                let step = self.named(step);
                if let Action::Record(Consequence::Invoice(_)) = &step.action {
                    self.summary.count_done(action, amount);
                }
                self.watch.say(Level::Info, &format!("{}: {action}: {}", step.about, step.reason));
                self.row(&step, action, amount, "recorded");
            }
        }
    }

    /// An invoice has its number only now.
    fn named(&self, step: &Step) -> Step {
        let mut named = step.clone();
        if let Action::Record(Consequence::Invoice(draft)) = &step.action
            && let Ok(Some(number)) = self.ledger.invoice_number(draft.order)
        {
            named.about = format!("invoice {number} of {}", step.about);
        }
        named
    }

    pub(super) fn report_answer(&mut self, call: &Call, after: &Operation, note: String) {
        let kind = after.kind.as_str();
        let is_news = matches!(after.kind, Kind::Mail | Kind::Event);
        if !is_news {
            self.summary.calls += 1;
        }
        let amount = after.amount.map(|amount| format!(" {amount}")).unwrap_or_default();
        let about = call.about();
        let said = if note.is_empty() { String::new() } else { format!(" ({note})") };
        let line = format!("{about}: {}{amount}: {}{said}", after.kind.noun(), after.state);
        match after.state {
            State::Confirmed => {
                self.watch.say(Level::Info, &line);
                self.summary.count_done(kind, after.amount);
            }
            State::Accepted => {
                self.watch.say(Level::Info, &line);
                self.summary.waiting += 1;
            }
            State::Planned if call.operation.state == State::Unknown => {
                self.watch.say(Level::Info, &format!("{line}; it will be sent again"));
            }
            State::Planned | State::Unknown | State::Sent => {
                self.watch.say(Level::Warning, &line);
                // The work they tell of is done: the next run of any task tries again.
                if !is_news {
                    self.summary.count_unreachable(after.amount, &line);
                }
            }
            State::Refused | State::GivenUp => {
                self.watch.say(Level::Error, &line);
                self.summary.refused += 1;
            }
            State::Withdrawn => self.watch.say(Level::Info, &line),
        }
        self.summary.add(Row {
            about,
            action: kind,
            amount: after.amount,
            outcome: after.state.to_string(),
            reason: if note.is_empty() { call.reason.clone() } else { note },
        });
    }

    fn row(&mut self, step: &Step, action: &'static str, amount: Option<Amount>, outcome: &str) {
        self.summary.add(Row {
            about: step.about.clone(),
            action,
            amount,
            outcome: outcome.to_owned(),
            reason: step.reason.clone(),
        });
    }
}

fn described(action: &Action) -> (&'static str, Option<Amount>) {
    match action {
        Action::Send(intent) => (intent.kind.as_str(), intent.amount),
        Action::Resume { kind, amount, .. } => (kind.as_str(), *amount),
        Action::Withdraw { .. } | Action::Record(Consequence::InvitationEnded { .. }) => ("withdraw", None),
        Action::GiveUp { .. } => ("give up", None),
        Action::Record(Consequence::Application { amount, .. }) => ("tie", Some(*amount)),
        Action::Record(Consequence::Invoice(draft)) => ("invoice", Some(draft.total)),
        Action::Record(Consequence::Movement(draft)) => (draft.kind.as_str(), Some(draft.amount)),
        Action::Record(Consequence::Collected(draft)) => ("collect", draft.moved.map(|(amount, _)| amount)),
        Action::Record(Consequence::Standing(_)) => ("status", None),
        Action::Record(Consequence::Settle { .. }) => ("settle", None),
        Action::Record(Consequence::Asked(_) | Consequence::Unanswered { .. }) => ("ask", None),
        Action::Record(Consequence::PageClosed(_)) => ("close", None),
        Action::Record(Consequence::Unmoved { .. } | Consequence::LinesRead { .. }) => ("read", None),
        Action::Record(Consequence::InvoicePaid { paid, .. }) => ("paid", Some(*paid)),
        Action::Record(Consequence::InvoicePage(draft)) => ("page", Some(draft.amount)),
        Action::Record(Consequence::Letter(_) | Consequence::InvoiceMail { .. }) => ("mail", None),
        Action::Record(Consequence::Taken { .. }) => ("event", None),
        Action::Record(Consequence::Raise(_)) | Action::Raise(..) => ("exception", None),
        Action::Record(Consequence::Deletion(_) | Consequence::Deleted { .. }) => ("delete", None),
        Action::Leave | Action::NotEligible(_) => ("leave", None),
        Action::Await => ("wait", None),
        Action::Unreachable => ("not reached", None),
    }
}
