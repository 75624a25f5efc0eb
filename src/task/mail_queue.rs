//! The mail queue: every run ends by delivering what is due, its own letters and those of earlier runs.

use super::{Action, Frame, Step, Task, Wanted};
use crate::domain::consequence::Consequence;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::MailId;
use crate::domain::money::MoneyError;
use crate::ledger::{Ledger, LedgerError, MailCase, Scope};
use crate::mail::smtp::UNANSWERED;
use crate::operation::{Answer, Key, Kind, Operation, Refusal, State, Subject};
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct MailQueue;

impl Task for MailQueue {
    type Case = MailCase;
    type Seen = ();

    const KINDS: &'static [Kind] = &[Kind::Mail];
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, _frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        Ok(ledger.undelivered_mails(MailId(after), limit)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<MailCase, LedgerError> {
        ledger.mail_case(MailId(id))
    }

    fn observe(&self, _case: &MailCase, _ports: &Ports, _frame: &Frame<'_>) {}

    fn plan(&self, case: &MailCase, _seen: &(), frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let mail = &case.mail;
        if let Some(why) = &case.outdated
            && case.operations.iter().all(|operation| !is_on_its_way(operation.state))
        {
            return Ok(self.ended(case, why));
        }
        let key = |attempt| Key::of_text(Kind::Mail, &mail.event, attempt);
        let wanted = Wanted {
            about: format!("mail \"{}\"", mail.subject),
            reason: mail.event.clone(),
            kind: Kind::Mail,
            subject: Subject::mail(mail.id),
            amount: None,
            past: case.operations.clone(),
            key: &key,
        };
        Ok(wanted.steps(frame))
    }

    fn scope(&self, _case: &MailCase) -> Scope {
        Scope::default()
    }

    fn name(&self, case: &MailCase) -> String {
        format!("mail \"{}\"", case.mail.subject)
    }
}

impl MailQueue {
    fn ended(self, case: &MailCase, why: &str) -> Vec<Step> {
        let about = self.name(case);
        let reason = format!("nobody is written to: {why}");
        let planned = case.operations.iter().filter(|operation| operation.state == State::Planned);
        let withdraw = |operation: &Operation| Step {
            about: about.clone(),
            reason: reason.clone(),
            action: Action::Withdraw { operation: operation.id },
        };
        let ended = Step::record(about.clone(), reason.clone(), Consequence::InvitationEnded { mail: case.mail.id });
        planned.map(withdraw).chain([ended]).collect()
    }
}

/// It may have arrived already.
fn is_on_its_way(state: State) -> bool {
    matches!(state, State::Sent | State::Unknown | State::Accepted)
}

/// A mail that is refused never undoes the work it tells of.
pub fn consequences(operation: &Operation, answer: &Answer) -> Vec<Consequence> {
    match answer {
        Answer::Refused(refusal) if !refusal.transient => {
            let Refusal { code, message, .. } = refusal;
            let message = if code == UNANSWERED {
                format!(
                    "the mail server took a mail and broke off before it said so: {message}; look whether it did, and `payjournal \
                     retry {}` sends it again",
                    operation.id
                )
            } else {
                format!(
                    "a mail was refused: {message} ({code}); correct the address or [mail] in the config, then `payjournal retry {}`; \
                     an invitation is written anew, to the address there is then, by `payjournal invite`",
                    operation.id
                )
            };
            vec![Consequence::Raise(ExceptionDraft {
                kind: ExceptionKind::MailRefused,
                subject: format!("operation {} (mail)", operation.id),
                message,
                about: About { operation: Some(operation.id), ..About::default() },
            })]
        }
        Answer::Refused(_)
        | Answer::Accepted { .. }
        | Answer::Confirmed { .. }
        | Answer::NotDone { .. }
        | Answer::Unknown { .. } => Vec::new(),
    }
}
