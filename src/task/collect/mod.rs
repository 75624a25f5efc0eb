//! `collect`: takes what is due of open entries on the mandates their customers gave (seed 004: the payment run).
//!
//! One operation per entry and attempt, aimed at the entry: there is no payment before the PSP has made one. It comes into the ledger
//! with the answer, for the entry, and pays it.

mod consequences;
mod plan;

use chrono::NaiveDate;

pub use consequences::consequences;

use super::{Frame, Step, Task};
use crate::config::settings::TaskName;
use crate::domain::id::{EntryId, ProviderName};
use crate::domain::money::MoneyError;
use crate::ledger::{CollectCase, Ledger, LedgerError, Scope};
use crate::operation::Kind;
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct Collect;

impl Task for Collect {
    type Case = CollectCase;
    /// The providers of the customer's mandates that take money on them.
    type Seen = Vec<ProviderName>;

    const KINDS: &'static [Kind] = &[Kind::Collect];
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, _frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        let entries = ledger.collectable_entries(EntryId(after), limit, TaskName::Collect.as_str())?;
        Ok(entries.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<CollectCase, LedgerError> {
        ledger.collect_case(EntryId(id))
    }

    /// Nothing outside is asked: an open entry is the ledger's own, and `sync-payments` knows how payments for it stand.
    fn observe(&self, case: &CollectCase, ports: &Ports, _frame: &Frame<'_>) -> Self::Seen {
        let able = case.mandates.iter().filter(|mandate| ports.can_collect(&mandate.provider));
        able.map(|mandate| mandate.provider.clone()).collect()
    }

    fn plan(&self, case: &CollectCase, seen: &Self::Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        plan::plan(case, seen, frame)
    }

    fn scope(&self, case: &CollectCase) -> Scope {
        Scope { entry: Some(case.entry.id), ..Scope::default() }
    }

    fn name(&self, case: &CollectCase) -> String {
        case.entry.name()
    }
}

/// The day of this run where the books are kept.
fn today(frame: &Frame<'_>) -> NaiveDate {
    frame.now.with_timezone(&frame.settings.time_zone).date_naive()
}
