//! One pass: what was seen of one batch is planned and sent, while another batch is looked at.
//!
//! The ledger's work goes on beside the calls: cases are read when there is room to ask about them, and what was seen is planned a share
//! at a time, when there is room to send. What is planned was seen before the sending of the batch before it began: where that matters,
//! the case is read again in the transaction that records the intent.

use super::batch::{Batch, Looked};
use super::call::{Call, Returned};
use super::engine::Run;
use super::looking::Looking;
use super::most::Most;
use super::patience::{guarded, send_patiently};
use super::sending::Sending;
use super::workers::{Job, Room, work_through};
use crate::ledger::LedgerError;
use crate::operation::Answer;
use crate::task::Task;

/// What a worker does.
enum Errand<C> {
    Look(i64, C),
    Send(Box<Call>),
}

impl<C: Send> Job for Errand<C> {
    fn is_call(&self) -> bool {
        match self {
            Self::Look(..) => false,
            Self::Send(_) => true,
        }
    }
}

/// What a worker comes back with.
enum Brought<T: Task> {
    Seen(i64, T::Case, Result<T::Seen, String>),
    Answer(Box<Returned<Answer>>),
}

struct Pass<'p, T: Task> {
    task: &'p T,
    sending: Option<Sending<'p, T>>,
    looking: Option<Looking<T>>,
    failed: Option<LedgerError>,
}

/// Plans and sends for the one batch, and looks at the next. Returns what was looked at, and the batch that was sent for if there is
/// reason to look at it again.
pub(super) fn pass<T: Task>(
    task: &T,
    looked: Option<Looked<T>>,
    next: Option<Batch>,
    most: &mut Most,
    run: &mut Run<'_>,
) -> Result<(Option<Looked<T>>, Option<Batch>), LedgerError> {
    let sending = looked.map(|looked| Sending::of(looked, most));
    let mut pass = Pass { task, sending, looking: next.map(Looking::at), failed: None };
    if run.id.is_none()
        && let Some(sending) = &mut pass.sending
    {
        sending.planning.rehearse(task, run);
    }
    let (ports, host, frame) = (run.ports, run.host, run.frame());
    let work = |errand| match errand {
        Errand::Look(id, case) => {
            let found = guarded(|| task.observe(&case, ports, &frame));
            Brought::Seen(id, case, found)
        }
        Errand::Send(call) => {
            let outcome = guarded(|| send_patiently(ports, &call.request, host));
            Brought::Answer(Box::new(Returned { call: *call, outcome }))
        }
    };
    let workers = if T::BATCHES > 1 { 1 } else { run.concurrency() };
    work_through(run.host.workers, workers, &work, |brought, room| {
        Ok::<_, LedgerError>(pass.turn(brought, room, run))
    })?;
    let Pass { sending, looking, failed, .. } = pass;
    if let Some(error) = failed {
        return Err(error);
    }
    let missed_something = sending.as_ref().is_some_and(|sending| !sending.planning.after.changed.is_empty());
    let again = sending.map(|sending| sending.planning.end()).and_then(|batch| batch.unless_done(most, run));
    Ok((looking.map(|looking| looking.end(missed_something)), again))
}

impl<T: Task> Pass<'_, T> {
    /// Takes what was brought, and gives what is to be done next. After an error nothing more is begun; what is under way then is heard
    /// all the same, and recorded if it can be.
    fn turn(&mut self, brought: Vec<Brought<T>>, room: Room, run: &mut Run<'_>) -> Vec<Errand<T::Case>> {
        let mut errands = Vec::new();
        let heard = self.heard(brought, run);
        if self.failed.is_none() {
            let begun = heard.and_then(|()| self.begin(&mut errands, room, run));
            self.failed = begun.err();
        }
        errands
    }

    fn heard(&mut self, brought: Vec<Brought<T>>, run: &mut Run<'_>) -> Result<(), LedgerError> {
        let mut answers = Vec::new();
        for brought in brought {
            match (brought, &mut self.looking) {
                (Brought::Answer(answer), _) => answers.push(*answer),
                (Brought::Seen(id, case, found), Some(looking)) => looking.heard(id, case, found, self.task, run),
                (Brought::Seen(..), None) => {}
            }
        }
        self.sending.as_mut().map_or(Ok(()), |sending| sending.heard(&answers, run))
    }

    fn begin(&mut self, errands: &mut Vec<Errand<T::Case>>, room: Room, run: &mut Run<'_>) -> Result<(), LedgerError> {
        if let Some(sending) = &mut self.sending {
            errands.extend(sending.next(self.task, room.calls, run)?.into_iter().map(Box::new).map(Errand::Send));
        }
        if let Some(looking) = &mut self.looking {
            let room = room.questions.saturating_sub(errands.len());
            errands.extend(looking.next(self.task, room, run)?.map(|(id, case)| Errand::Look(id, case)));
        }
        Ok(())
    }
}
