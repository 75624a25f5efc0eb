//! `cleanup-unpaid`: takes orders that nobody paid out of the ERP and gives their stock back; never one that was paid after all
//! (rules 14, 22 to 24).
//!
//! Four gates, each recorded with the deletion: the order's *state* and everything that protects it, its *age*, the PSP's *answer*
//! about every payment of it in this run, and that each of them is *closed*. A payment that is still open is closed at the PSP first;
//! then the order is looked at anew, from its rows and with another question, and only then the ERP is asked to let it go.

mod consequences;
mod gates;
mod plan;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

pub use consequences::{cancel_consequences, delete_consequences};

use super::{Frame, Step, Task, order_name};
use crate::config::settings::TaskName;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{OrderId, PaymentId, ProviderName};
use crate::domain::money::MoneyError;
use crate::domain::payment::Payment;
use crate::domain::settlement::feed::Feed;
use crate::ledger::settlements::SettledAccount;
use crate::ledger::{CleanupCase, Ledger, LedgerError, Scope};
use crate::operation::Kind;
use crate::provider::{PortError, PspPayment};
use crate::run::engine::{Run, execute};
use crate::run::ports::Ports;

/// One run over all orders.
#[derive(Debug, Default)]
pub struct CleanupUnpaid {
    /// How often in a row each provider could not be reached.
    unreached: Mutex<BTreeMap<ProviderName, u32>>,
    /// The reports of providers whose silence counts (rule 23).
    feeds: Feeds,
}

type Feeds = BTreeMap<ProviderName, Feed>;

/// A PSP that is down is not asked about each of a hundred thousand orders, with a time-out for each.
const MOST_UNREACHED: u32 = 20;

impl CleanupUnpaid {
    /// What the PSP says, unless it seems to be down and is left alone.
    fn ask(&self, payment: &Payment, ports: &Ports) -> (Result<PspPayment, PortError>, bool) {
        let unreached = || self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        let before = unreached().get(&payment.provider).copied().unwrap_or_default();
        if before >= MOST_UNREACHED {
            let why = format!(
                "provider `{}` is not asked any more: {before} times in a row it could not be reached",
                payment.provider
            );
            return (Err(PortError::Unreachable { why }), false);
        }
        let answer = ports.standing(&payment.provider, &payment.transaction);
        let mut unreached = unreached();
        let count = unreached.entry(payment.provider.clone()).or_default();
        *count = match &answer {
            Err(PortError::Unreachable { .. }) => count.saturating_add(1),
            Ok(_) | Err(PortError::CannotTell { .. } | PortError::NotOffered) => 0,
        };
        drop(unreached);
        (answer, true)
    }
}

/// What the PSP said about one order, if it was asked.
#[derive(Debug, Default)]
pub struct Seen {
    pub standings: BTreeMap<PaymentId, Result<PspPayment, PortError>>,
    /// A PSP that seems to be down was not asked at all.
    pub left_out: bool,
    /// Payments that can be closed where they are open.
    pub closable: Vec<PaymentId>,
}

impl Task for CleanupUnpaid {
    type Case = CleanupCase;
    type Seen = Seen;

    const KINDS: &'static [Kind] = &[Kind::Cancel, Kind::Delete];
    /// What the PSP says is news first; then it is asked once more.
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        let (shop, task) = (frame.settings.shop.as_str(), TaskName::CleanupUnpaid.as_str());
        Ok(ledger.cleanup_orders(OrderId(after), limit, shop, task)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<CleanupCase, LedgerError> {
        ledger.cleanup_case(OrderId(id))
    }

    /// No PSP is asked about an order that stays anyway.
    fn observe(&self, case: &CleanupCase, ports: &Ports, frame: &Frame<'_>) -> Seen {
        if gates::before_asking(case, frame).is_err() {
            return Seen::default();
        }
        let payments = case.payments.iter();
        let mut left_out = false;
        let ask = |payment: &Payment| {
            let (said, is_asked) = self.ask(payment, ports);
            left_out |= !is_asked;
            (payment.id, said)
        };
        Seen {
            standings: payments.clone().map(ask).collect(),
            left_out,
            closable: payments
                .filter(|payment| ports.can_cancel(&payment.provider))
                .map(|payment| payment.id)
                .collect(),
        }
    }

    fn plan(&self, case: &CleanupCase, seen: &Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        Ok(plan::plan(case, seen, &self.feeds, frame))
    }

    fn scope(&self, case: &CleanupCase) -> Scope {
        Scope { order: Some(case.order.id), ..Scope::default() }
    }

    fn name(&self, case: &CleanupCase) -> String {
        name(case)
    }

    fn most_begun(&self, frame: &Frame<'_>) -> Option<u32> {
        Some(frame.settings.cleanup.max_deletions)
    }
}

fn name(case: &CleanupCase) -> String {
    format!("order {}", order_name(&case.order))
}

/// Read once: reports that come while it runs make no order younger.
fn feeds(run: &Run<'_>) -> Result<Feeds, LedgerError> {
    let mut feeds = Feeds::new();
    for provider in run.settings.providers.values() {
        if provider.reports.as_ref().is_some_and(|reports| reports.unpaid_after_days.is_some()) {
            let account = SettledAccount {
                provider: provider.name.clone(),
                merchant_account: provider.merchant_account.clone(),
                reference: None,
            };
            feeds.insert(provider.name.clone(), run.ledger.report_feed(&account)?);
        }
    }
    Ok(feeds)
}

/// The task on all its cases, and what is told of them together: more would go than one run may delete.
pub fn clean_up(run: &mut Run<'_>) -> Result<(), LedgerError> {
    let task = CleanupUnpaid { feeds: feeds(run)?, ..CleanupUnpaid::default() };
    execute(&task, run)?;
    if run.id.is_none() || run.summary.stopped {
        return Ok(());
    }
    let (most, over, task) = (run.settings.cleanup.max_deletions, run.summary.over_most, run.task_name);
    let draft = ExceptionDraft {
        kind: ExceptionKind::DeletionsCapped,
        subject: "cleanup-unpaid".to_owned(),
        message: format!(
            "{over} more orders would be deleted than one run may (`cleanup.max_deletions` is {most}); look at \
             `payjournal cleanup-unpaid --dry-run`. If they are all meant, let it run again, or raise the limit"
        ),
        about: About::default(),
    };
    run.ledger.write("deletions capped", run.id, run.now, |writer| {
        if over > 0 {
            writer.raise(&draft, Some(task)).map(drop)
        } else {
            writer.resolve_subject(draft.kind, &draft.subject)
        }
    })
}
