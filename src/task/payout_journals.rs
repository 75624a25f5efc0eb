//! The journals of payouts on their way to the ERP (rule 19): part of `sync-journals`, with `post_payout_journals`. Switched off, it
//! only takes back what was planned and never sent, and asks about what has no answer.

use super::sync_journals::Delivery;
use super::{Action, Frame, Step, Task};
use crate::domain::id::PayoutJournalId;
use crate::domain::money::MoneyError;
use crate::ledger::settlements::PayoutJournalCase;
use crate::ledger::{Ledger, LedgerError, Scope};
use crate::operation::{Kind, State, Subject};
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct PayoutJournals;

impl Task for PayoutJournals {
    type Case = PayoutJournalCase;
    type Seen = ();

    const KINDS: &'static [Kind] = &[Kind::PayoutJournal];
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        let after = PayoutJournalId(after);
        let ids = if frame.settings.erp.post_payout_journals {
            ledger.undelivered_payout_journals(after, limit)?
        } else {
            ledger.planned_payout_journals(after, limit)?
        };
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<PayoutJournalCase, LedgerError> {
        ledger.payout_journal_case(PayoutJournalId(id))
    }

    fn observe(&self, _case: &PayoutJournalCase, _ports: &Ports, _frame: &Frame<'_>) {}

    fn plan(&self, case: &PayoutJournalCase, _seen: &(), frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        if !frame.settings.erp.post_payout_journals {
            return Ok(self.taken_back(case));
        }
        // Many are older than the switch: one is late when it waits for the ERP, not while nobody wanted it there.
        let wanted = case.operations.iter().filter(|operation| operation.state != State::Withdrawn);
        let delivery = Delivery {
            name: self.name(case),
            number: &case.journal.number,
            amount: case.amount,
            posting_date: case.journal.entry.posting_date,
            booked_at: case.booked_at,
            due_since: wanted.map(|operation| operation.planned_at).min(),
            operations: &case.operations,
            waits_for: case.waits_for.as_deref(),
            note: &case.note,
            kind: Kind::PayoutJournal,
            subject: Subject::payout_journal(case.id),
        };
        Ok(delivery.steps(frame))
    }

    fn scope(&self, _case: &PayoutJournalCase) -> Scope {
        Scope::default()
    }

    fn name(&self, case: &PayoutJournalCase) -> String {
        format!("journal {} for {}", case.journal.number, case.journal.name())
    }
}

impl PayoutJournals {
    /// Nobody wants it in the ERP any more, and it certainly is not there.
    fn taken_back(self, case: &PayoutJournalCase) -> Vec<Step> {
        let planned = case.operations.iter().filter(|operation| operation.state == State::Planned);
        let withdraw = planned.map(|operation| Step {
            about: self.name(case),
            reason: "`erp.post_payout_journals` is not true any more".to_owned(),
            action: Action::Withdraw { operation: operation.id },
        });
        withdraw.collect()
    }
}
