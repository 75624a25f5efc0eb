//! The queue of portal events: every run ends by telling the portal what is due, after the mails. A case is an object, of which one
//! event is under way at a time: a later one never comes before an earlier one has been taken.

use super::{Frame, Step, Task, Wanted, days};
use crate::domain::consequence::Consequence;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::EventId;
use crate::domain::money::MoneyError;
use crate::ledger::{EventCase, Ledger, LedgerError, Scope};
use crate::operation::{Answer, Key, Kind, Operation, Subject};
use crate::portal::Portal;
use crate::run::engine::{Run, execute};
use crate::run::host::Host;
use crate::run::ports::Ports;
use crate::run::summary::Summary;

/// So many refusals of one event are told; the first may be a portal that is being changed.
const MOST_REFUSALS: u32 = 3;

#[derive(Debug, Clone, Copy)]
pub struct PortalQueue;

impl Task for PortalQueue {
    /// `None`: all of it is taken.
    type Case = Option<EventCase>;
    type Seen = ();

    const KINDS: &'static [Kind] = &[Kind::Event];
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, _frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        Ok(ledger.untaken_events(EventId(after), limit)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<Option<EventCase>, LedgerError> {
        ledger.event_case(EventId(id))
    }

    fn observe(&self, _case: &Option<EventCase>, _ports: &Ports, _frame: &Frame<'_>) {}

    fn plan(&self, case: &Option<EventCase>, _seen: &(), frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let Some(EventCase { id, event, operations }) = case else { return Ok(Vec::new()) };
        let key = |attempt| Key::of_text(Kind::Event, &event.event, attempt);
        let wanted = Wanted {
            about: event.name(),
            reason: format!("event {}", event.event),
            kind: Kind::Event,
            subject: Subject::event(*id),
            amount: None,
            past: operations.clone(),
            key: &key,
        };
        Ok(wanted.steps(frame))
    }

    fn scope(&self, _case: &Option<EventCase>) -> Scope {
        Scope::default()
    }

    fn name(&self, case: &Option<EventCase>) -> String {
        case.as_ref().map_or_else(|| "portal".to_owned(), |case| case.event.name())
    }
}

/// What is refused or not reached is tried again by later runs; whether that takes too long is looked at once for all events.
pub fn consequences(operation: &Operation, answer: &Answer) -> Vec<Consequence> {
    match (answer, operation.subject.event) {
        (Answer::Confirmed { .. }, Some(event)) => vec![Consequence::Taken { event }],
        (
            Answer::Confirmed { .. }
            | Answer::Accepted { .. }
            | Answer::Refused(_)
            | Answer::NotDone { .. }
            | Answer::Unknown { .. },
            _,
        ) => Vec::new(),
    }
}

/// Sends what is due for as long as the portal is worth the time, and tells a person of what it does not take.
pub fn tell(portal: &dyn Portal, run: &mut Run<'_>) -> Result<(), LedgerError> {
    let was_stopped = run.summary.stopped;
    let before = run.host;
    let stop = || (before.stop)() || portal.is_left_alone();
    let mut telling = Run {
        ledger: &mut *run.ledger,
        ports: run.ports,
        settings: run.settings,
        task: run.task,
        task_name: run.task_name,
        id: run.id,
        now: run.now,
        host: Host { stop: &stop, ..before },
        watch: &mut *run.watch,
        summary: std::mem::take(&mut run.summary),
    };
    let told = execute(&PortalQueue, &mut telling);
    let summary = std::mem::take(&mut telling.summary);
    run.summary = Summary { stopped: was_stopped, ..summary };
    told?;
    tell_overdue(run)
}

fn tell_overdue(run: &mut Run<'_>) -> Result<(), LedgerError> {
    let patience = run.task.error_notification_after_days;
    let (count, first) = run.ledger.overdue_events(MOST_REFUSALS, run.now - days(patience))?;
    let outbox = run.ledger.outbox()?;
    let subject = "portal".to_owned();
    run.ledger.write("portal overdue", run.id, run.now, |writer| {
        let Some(first) = first else {
            return writer.resolve_subject(ExceptionKind::PortalUndelivered, &subject);
        };
        let draft = ExceptionDraft {
            kind: ExceptionKind::PortalUndelivered,
            subject,
            message: format!(
                "the portal was told {count} events {MOST_REFUSALS} times or for {patience} days, and takes none of them; {} events of {} \
                 objects wait. The first is {}: {}. Look at the portal and at [portal] in the config; what waits is sent by later runs, \
                 or at once after `payjournal retry {}`",
                outbox.waiting, outbox.objects, first.name, first.said, first.operation
            ),
            about: About::default(),
        };
        writer.raise(&draft, None).map(drop)
    })
}
