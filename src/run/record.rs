//! What is written when the other side has answered: the operation's state and everything that follows, in one commit.

use chrono::{DateTime, TimeDelta, Utc};

use super::engine::Run;
use super::ports::Ports;
use crate::config::Settings;
use crate::config::settings::TaskSettings;
use crate::domain::consequence::{CollectedDraft, Consequence, LearntFrom, MovementDraft};
use crate::domain::exception::{ExceptionDraft, ExceptionKind};
use crate::domain::id::ModificationId;
use crate::ledger::{LedgerError, Writer};
use crate::operation::decide::{back_off, is_over_age};
use crate::operation::{Answer, Event, Kind, LookUp, Operation, State};
use crate::provider::PartialCapture;
use crate::task::{self, Action, Context, Frame};

/// Everything of a run that recording needs besides the ledger.
#[derive(Clone, Copy)]
pub(super) struct Recorder<'a> {
    pub(super) settings: &'a Settings,
    pub(super) ports: &'a Ports,
    pub(super) task: &'a TaskSettings,
    pub(super) now: DateTime<Utc>,
    /// What the clock says, which a long run's `now` does not.
    pub(super) time: DateTime<Utc>,
    /// Where what is recorded was heard.
    pub(super) learnt_from: LearntFrom,
}

impl<'a> Recorder<'a> {
    pub(super) fn of(run: &Run<'a>) -> Self {
        let time = (run.host.clock)();
        let learnt_from = LearntFrom::Answer;
        Self { settings: run.settings, ports: run.ports, task: run.task, now: run.now, time, learnt_from }
    }
}

impl Recorder<'_> {
    /// The answer to a call, or a fact that stands for one.
    pub(super) fn answered(
        self,
        writer: &Writer<'_>,
        operation: &Operation,
        answer: &Answer,
    ) -> Result<Operation, LedgerError> {
        // An operation without an answer is asked about by the very next run; one that was refused or not reached backs off.
        let wait = match answer {
            // A portal cannot be asked: the question is whether it is time to tell it once more.
            Answer::Unknown { .. } if operation.kind == Kind::Event => self.wait(operation.tries + 1),
            Answer::Accepted { .. } | Answer::Confirmed { .. } | Answer::Unknown { .. } => TimeDelta::zero(),
            // Each refusal of an event is an attempt of its own.
            Answer::Refused(_) if operation.kind == Kind::Event => self.wait(operation.attempt),
            Answer::Refused(_) | Answer::NotDone { .. } => self.wait(operation.tries + 1),
        };
        if matches!(answer, Answer::Unknown { .. }) {
            writer.called_until(operation.id, self.time)?;
        }
        self.record(writer, operation, answer, wait)
    }

    /// The answer to a question about an earlier call.
    pub(super) fn looked_up(
        self,
        writer: &Writer<'_>,
        operation: &Operation,
        found: &LookUp,
    ) -> Result<Operation, LedgerError> {
        // Two runs end with the same mails: while this one asked, the other may have asked, and sent again.
        let current = writer.operation(operation.id)?;
        if (current.state, current.tries) != (operation.state, operation.tries) && !matches!(found, LookUp::Found(_)) {
            return Ok(current);
        }
        let after = match found {
            LookUp::Found(answer) => self.record(writer, operation, answer, TimeDelta::zero())?,
            LookUp::Absent if operation.state == State::Unknown => {
                writer.move_operation(operation.id, Event::NotDone, "the other side does not have it")?
            }
            LookUp::Absent => {
                writer.defer(operation.id, self.wait(operation.tries), "accepted, and not found when asked")?
            }
            LookUp::CannotTell { why } => writer.defer(operation.id, self.wait(operation.tries), why)?,
        };
        let open = matches!(after.state, State::Unknown | State::Accepted);
        if open && is_over_age(after.status_since, self.task.transaction_valid_days, self.now) {
            return self.give_up(writer, &after);
        }
        Ok(after)
    }

    /// What could not be recorded, for a reason of ours: the operation has no answer, and the others go on.
    pub(super) fn unrecorded(
        self,
        writer: &Writer<'_>,
        operation: &Operation,
        error: &LedgerError,
    ) -> Result<Operation, LedgerError> {
        if writer.operation(operation.id)?.state == State::Sent {
            writer.called_until(operation.id, self.time)?;
            writer.move_operation(operation.id, Event::NoAnswer, &error.to_string())?;
        }
        writer.defer(operation.id, self.wait(operation.tries), &error.to_string())
    }

    /// An adapter panicked: nobody knows what happened at the other side.
    pub(super) fn panicked(
        self,
        writer: &Writer<'_>,
        operation: &Operation,
        panic: &str,
    ) -> Result<Operation, LedgerError> {
        match operation.state {
            State::Planned | State::Sent => {
                let why = format!("payjournal itself failed: {panic}");
                self.answered(writer, operation, &Answer::Unknown { why })
            }
            State::Accepted
            | State::Confirmed
            | State::Refused
            | State::Unknown
            | State::GivenUp
            | State::Withdrawn => writer.defer(operation.id, self.wait(operation.tries), panic),
        }
    }

    fn record(
        self,
        writer: &Writer<'_>,
        operation: &Operation,
        answer: &Answer,
        wait: TimeDelta,
    ) -> Result<Operation, LedgerError> {
        if let Answer::Confirmed { modification, .. } = answer
            && self.is_confirmed_otherwise(writer, operation, modification)?
        {
            return writer.operation(operation.id);
        }
        let context = writer.context(operation)?;
        let context = Context { drops_remainder: self.drops_remainder(operation, &context), ..context };
        let mut follows = task::consequences(operation, answer, &context, &self.settings.shop);
        for consequence in &mut follows {
            if let Consequence::Movement(MovementDraft { learnt_from, .. })
            | Consequence::Collected(CollectedDraft { learnt_from, .. }) = consequence
            {
                *learnt_from = self.learnt_from;
            }
        }
        let record = || match writer.record_answer(operation.id, answer, wait) {
            Err(error) if error.is_fatal() => Err(error),
            recorded => Ok(recorded),
        };
        let mut recorded = record()?;
        // What was refused is done after all: another attempt that was planned and never carried out is not wanted any more.
        if recorded.is_err()
            && matches!(answer, Answer::Confirmed { .. })
            && writer.withdraw_other_attempts(operation)?
        {
            recorded = record()?;
        }
        match recorded {
            Ok(after) => {
                for consequence in follows {
                    writer.apply(&consequence)?;
                }
                if after.state == State::Confirmed {
                    writer.resolve_operation(operation.id)?;
                }
                Ok(after)
            }
            Err(error) => self.contradicted(writer, operation, answer, follows, &error),
        }
    }

    /// While this was heard, a report confirmed the operation under a name of its own, or the PSP did while a report was read: it is
    /// the same money.
    fn is_confirmed_otherwise(
        self,
        writer: &Writer<'_>,
        operation: &Operation,
        modification: &ModificationId,
    ) -> Result<bool, LedgerError> {
        let current = writer.operation(operation.id)?;
        let is_other = current.state == State::Confirmed && current.modification.as_ref() != Some(modification);
        let by_report = self.learnt_from == LearntFrom::Settlement;
        Ok(is_other && (by_report || writer.is_told_by_report(operation.id)?))
    }

    /// An answer the operation cannot take any more: yes to what was refused and tried anew, no to what was never sent. The
    /// operation stays as it is; a movement of money is a fact all the same (rule 2), and a person is told.
    fn contradicted(
        self,
        writer: &Writer<'_>,
        operation: &Operation,
        answer: &Answer,
        follows: Vec<Consequence>,
        error: &LedgerError,
    ) -> Result<Operation, LedgerError> {
        for consequence in follows {
            match consequence {
                // Not counted by the operation, so counted as a fact of its own.
                Consequence::Movement(draft) => {
                    writer.record_movement(&MovementDraft { operation: None, ..draft })?;
                }
                // Counted by no operation, and there all the same.
                Consequence::Collected(draft) => {
                    writer.apply(&Consequence::Collected(draft))?;
                }
                Consequence::Raise(draft) if draft.kind == ExceptionKind::AmountDiffers => {
                    writer.raise(&draft, None)?;
                }
                Consequence::Application { .. }
                | Consequence::Invoice(_)
                | Consequence::InvoicePaid { .. }
                | Consequence::InvoicePage(_)
                | Consequence::InvoiceMail { .. }
                | Consequence::InvitationEnded { .. }
                | Consequence::Standing(_)
                | Consequence::Settle { .. }
                | Consequence::Asked(_)
                | Consequence::PageClosed(_)
                | Consequence::Unmoved { .. }
                | Consequence::LinesRead { .. }
                | Consequence::Deletion(_)
                | Consequence::Deleted { .. }
                | Consequence::Taken { .. }
                | Consequence::Unanswered { .. }
                | Consequence::Letter(_)
                | Consequence::Raise(_) => {}
            }
        }
        let about = writer.context(operation)?.about(operation);
        // No two attempts at one thing count: the database says so in its own words.
        let why = if error.is_there_already() {
            "another attempt at it was sent meanwhile".to_owned()
        } else {
            error.to_string()
        };
        writer.apply(&Consequence::Raise(ExceptionDraft {
            kind: ExceptionKind::AnswerContradicts,
            subject: format!("operation {}", operation.id),
            message: format!(
                "the {} is {} here, and the other side says {}; what moved is booked, the operation stays. \
                 Look at the other side before anything else is done ({why})",
                operation.kind.noun(),
                operation.state,
                said(answer)
            ),
            about,
        }))?;
        writer.defer(operation.id, self.wait(operation.tries), &why)
    }

    fn drops_remainder(self, operation: &Operation, context: &Context) -> bool {
        let payment = context.payment.as_ref().filter(|_| operation.kind == Kind::Capture);
        let able = payment.and_then(|payment| self.ports.capabilities(&payment.provider, &payment.method));
        able.is_some_and(|able| able.partial_capture == PartialCapture::Once)
    }

    fn give_up(self, writer: &Writer<'_>, operation: &Operation) -> Result<Operation, LedgerError> {
        let frame = Frame { settings: self.settings, task: self.task, now: self.now, is_rehearsal: false };
        let context = writer.context(operation)?;
        let about = format!("{} for {}", operation.kind.noun(), context.document_name());
        for step in task::give_up(operation, &about, &frame) {
            match step.action {
                Action::GiveUp { operation } => {
                    writer.move_operation(operation, Event::GiveUp, &step.reason)?;
                }
                Action::Raise(draft, _) => {
                    writer.apply(&Consequence::Raise(draft))?;
                }
                Action::Send(_)
                | Action::Resume { .. }
                | Action::Withdraw { .. }
                | Action::Record(_)
                | Action::Leave
                | Action::NotEligible(_)
                | Action::Await
                | Action::Unreachable => {}
            }
        }
        writer.operation(operation.id)
    }

    fn wait(self, tries: u32) -> TimeDelta {
        back_off(tries, self.task.retry_interval, self.task.retry_interval_max)
    }
}

fn said(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accepted { .. } => "accepted",
        Answer::Confirmed { .. } => "done",
        Answer::Refused(_) => "refused",
        Answer::NotDone { .. } => "not done",
        Answer::Unknown { .. } => "nothing",
    }
}
