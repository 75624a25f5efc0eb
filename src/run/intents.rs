//! What plans write down before anything is sent, and the facts and exceptions that need nobody outside.

use crate::domain::consequence::{Consequence, LearntFrom};
use crate::domain::exception::ExceptionDraft;
use crate::domain::id::OperationId;
use crate::ledger::{LedgerError, Scope, Writer};
use crate::operation::{Answer, Event};
use crate::task::{Action, Step};

/// A case with what is to be done for it.
pub(super) type Queued = (i64, Scope, Vec<Step>);

/// Records the steps of many cases; what of one is refused leaves nothing of that case, and the others as they are.
pub(super) fn record(
    writer: &Writer<'_>,
    queue: &[Queued],
    task: &str,
) -> Result<Vec<Result<Recorded, LedgerError>>, LedgerError> {
    writer.attempt_each(queue, |(_, scope, steps)| record_case(writer, scope, steps, task))
}

/// What became of the steps of one case.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) send: Vec<(OperationId, String)>,
    pub(super) settle: Vec<(OperationId, Answer, LearntFrom)>,
    raised: Vec<ExceptionDraft>,
    /// A fact was news.
    pub(super) learnt: bool,
    /// Per step: whether it was news.
    pub(super) new: Vec<bool>,
}

fn record_case(writer: &Writer<'_>, scope: &Scope, steps: &[Step], task: &str) -> Result<Recorded, LedgerError> {
    let mut recorded = Recorded::default();
    record_steps(writer, steps, task, &mut recorded)?;
    if steps.iter().all(Step::sees_all) {
        writer.resolve_gone(task, scope, &recorded.raised)?;
    }
    recorded.raised = Vec::new();
    Ok(recorded)
}

fn record_steps(writer: &Writer<'_>, steps: &[Step], task: &str, recorded: &mut Recorded) -> Result<(), LedgerError> {
    for step in steps {
        let mut new = false;
        match &step.action {
            Action::Send(intent) => {
                let operation = writer.record_intent(intent, &step.reason)?;
                recorded.send.push((operation, step.reason.clone()));
            }
            Action::Resume { operation, .. } => recorded.send.push((*operation, step.reason.clone())),
            Action::Withdraw { operation } => {
                writer.move_operation(*operation, Event::Withdraw, &step.reason)?;
            }
            Action::GiveUp { operation } => {
                writer.move_operation(*operation, Event::GiveUp, &step.reason)?;
            }
            // An answer has consequences of its own: recorded like any other answer, after this.
            Action::Record(Consequence::Settle { operation, answer, learnt_from }) => {
                recorded.settle.push((*operation, answer.clone(), *learnt_from));
            }
            Action::Record(consequence) => {
                new = writer.apply(consequence)?;
                recorded.learnt |= new;
            }
            Action::Raise(draft, letter) => {
                new = writer.raise_with(draft, letter.as_ref(), Some(task))?;
                recorded.raised.push(draft.clone());
            }
            Action::Leave | Action::NotEligible(_) | Action::Await | Action::Unreachable => {}
        }
        recorded.new.push(new);
    }
    Ok(())
}
