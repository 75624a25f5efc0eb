//! The four gates, each a pure question with its evidence or the reason why the order stays. Everything is an allow-list: what is not
//! known to be unpaid stays (rule 22, traps T57 to T63).

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::{Feeds, Seen};
use crate::config::settings::CaptureStrategy;
use crate::domain::deletion::{Gate, old_from};
use crate::domain::entry::EntryStatus;
use crate::domain::money::Amount;
use crate::domain::order::{Cancellation, PaymentStatus, Terms};
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::CleanupCase;
use crate::operation::decide::back_off;
use crate::operation::{Kind, Operation, State};
use crate::provider::{PortError, PspPayment};
use crate::task::{Frame, days};

/// Why an order stays: the class it is counted under, and what a person reads.
#[derive(Debug)]
pub(super) struct Stays {
    pub(super) class: &'static str,
    pub(super) why: String,
    /// For now only: what is planned is taken up later.
    pub(super) waits: bool,
}

/// What let an order through the gates it has passed.
pub(super) type Evidence = Vec<(Gate, String)>;

/// Why the PSP gave no answer.
pub(super) const NOT_REACHED: &str = "PSP not reached";
pub(super) const CANNOT_TELL: &str = "PSP cannot tell";

/// Of what is gone nobody needs to be told.
pub(super) const DELETED: &str = "deleted already";

fn stays<T>(class: &'static str, why: impl Into<String>) -> Result<T, Stays> {
    Err(Stays { class, why: why.into(), waits: false })
}

fn waits_for<T>(class: &'static str, why: impl Into<String>) -> Result<T, Stays> {
    Err(Stays { class, why: why.into(), waits: true })
}

/// State and age, and everything else the ledger knows: what stays here is not asked about at all.
pub(super) fn before_asking(case: &CleanupCase, frame: &Frame<'_>) -> Result<Evidence, Stays> {
    let state = state(case, frame)?;
    protected(case)?;
    let age = age(case, frame)?;
    waits(case, frame)?;
    Ok(vec![(Gate::State, state), (Gate::Age, age)])
}

fn state(case: &CleanupCase, frame: &Frame<'_>) -> Result<String, Stays> {
    let (order, settings) = (&case.order, &frame.settings.cleanup);
    if order.deleted && case.quarantined_at.is_none() {
        return stays(DELETED, "it is deleted");
    }
    if order.shop != frame.settings.shop {
        return stays("another shop's", format!("it is an order of shop {}", order.shop));
    }
    match order.terms {
        Terms::Online => {}
        Terms::OnAccount => return stays("on account", "it is paid on account, later and not through a PSP"),
        Terms::Prepayment { .. } => {
            return stays("prepayment", "only a share of it is paid with the order: what is missing is no reason");
        }
    }
    if order.cancelled != Cancellation::None {
        return stays("cancelled in the ERP", "it is cancelled in the ERP, which has its stock back");
    }
    match order.payment_status {
        PaymentStatus::New => {}
        PaymentStatus::Cancelled if settings.include_cancelled || was_ours(case) => {}
        PaymentStatus::Cancelled => {
            return stays(
                "status Cancelled",
                "its payment was cancelled or refused (`cleanup.include_cancelled` is false)",
            );
        }
        PaymentStatus::InProgress => return stays("status In progress", "money for it is on its way"),
        PaymentStatus::Paid => return stays("paid", "it is paid"),
        PaymentStatus::Error => return stays("status Error", "nobody knows whether it was paid: a person decides"),
    }
    let wanted = &settings.methods;
    if let Some(other) = case.payments.iter().find(|payment| !wanted.is_empty() && !wanted.contains(&payment.method)) {
        return stays("another payment method", format!("payment {} was by `{}`", other.transaction, other.method));
    }
    let status = match order.payment_status {
        PaymentStatus::Cancelled if !settings.include_cancelled => "New until its payments were closed here".to_owned(),
        other @ (PaymentStatus::New
        | PaymentStatus::InProgress
        | PaymentStatus::Paid
        | PaymentStatus::Cancelled
        | PaymentStatus::Error) => other.to_string(),
    };
    let count = match case.payments.len() {
        0 => "no payment".to_owned(),
        1 => "1 payment".to_owned(),
        many => format!("{many} payments"),
    };
    Ok(format!("payment status {status}; {count}, nothing of it ever authorised, paid, settled, invoiced or shipped"))
}

/// An order that was New when its payments were closed here is Cancelled only because of that.
fn was_ours(case: &CleanupCase) -> bool {
    let closed = |payment: &Payment| {
        let mut closing = case.operations.iter().filter(|operation| operation.kind == Kind::Cancel);
        closing.any(|operation| operation.subject.payment == Some(payment.id) && operation.state == State::Confirmed)
    };
    let says_cancelled = |payment: &&Payment| {
        matches!(
            payment.status,
            TransactionStatus::Cancelled | TransactionStatus::Refused | TransactionStatus::Released
        )
    };
    case.payments.iter().any(closed) && case.payments.iter().filter(says_cancelled).all(closed)
}

/// Rule 22: whatever was or may be money, and every document.
fn protected(case: &CleanupCase) -> Result<(), Stays> {
    for payment in &case.payments {
        let name = &payment.transaction;
        match payment.status {
            TransactionStatus::Open
            | TransactionStatus::Cancelled
            | TransactionStatus::Refused
            | TransactionStatus::Expired => {}
            TransactionStatus::Pending
            | TransactionStatus::Authorised
            | TransactionStatus::Captured
            | TransactionStatus::Released
            | TransactionStatus::Error => {
                return stays("has money", format!("payment {name} is {}", payment.status.as_str()));
            }
        }
        let moved = case.movements.iter().any(|movement| movement.payment == payment.id);
        if case.ever_authorised.contains(&payment.id) || moved {
            return stays("has money", format!("payment {name} had money once"));
        }
        if payment.amount_differs || payment.is_charged_back || case.unclear.contains(&payment.id) {
            return stays(
                "has money",
                format!("a report or the PSP says something of payment {name} that is not clear"),
            );
        }
        if !payment.pays.is_empty() {
            return stays("has documents", format!("payment {name} is for invoices"));
        }
    }
    if case.settlement_lines > 0 {
        return stays("has money", format!("settlement reports have {} lines of it", case.settlement_lines));
    }
    if let Some(entry) = case.entries.iter().find(|entry| entry.assigned.is_positive()) {
        return stays("has money", format!("{} of {} is paid", entry.assigned, entry.name()));
    }
    if let Some(document) = case.documents.first() {
        return stays("has documents", format!("{} {} was posted for it", document.kind.noun(), document.number));
    }
    if let Some(entry) = case.entries.iter().find(|entry| entry.document.is_some()) {
        return stays("has documents", format!("{} belongs to an invoice", entry.name()));
    }
    if let Some(former) = &case.former {
        return stays("had another key", former.clone());
    }
    if let Some(rival) = case.rivals.first() {
        return stays("shares its key", format!("its assignment key is that of order {rival} too"));
    }
    let is_ours = |operation: &&Operation| operation.kind == Kind::Cancel;
    let is_open = |operation: &&Operation| {
        matches!(operation.state, State::Sent | State::Unknown | State::Accepted | State::GivenUp)
            || operation.state == State::Planned && !is_ours(operation)
    };
    match case.operations.iter().find(is_open) {
        Some(operation) => {
            let (id, kind) = (operation.id, operation.kind.as_str());
            let what = if operation.kind == Kind::Collect { "an entry" } else { "a payment" };
            stays("waits for an answer", format!("operation {id} ({kind}) on {what} of it has no final answer"))
        }
        None => Ok(()),
    }
}

fn age(case: &CleanupCase, frame: &Frame<'_>) -> Result<String, Stays> {
    let (today, ordered_on) = (day(frame.now, frame), case.order.ordered_on);
    let wanted = frame.settings.cleanup.older_than_days;
    // Who put it back wanted it: it has as long as a new one.
    let restored = case.restored_at.map(|at| day(at, frame)).filter(|restored| *restored > ordered_on);
    let (since, what) = restored.map_or((ordered_on, "is of"), |restored| (restored, "was restored on"));
    let from = old_from(since, wanted);
    let old = today.signed_duration_since(since).num_days();
    if today < from {
        let why = format!("it {what} {since}, {old} days old, and goes from {from} on (older than {wanted} days)");
        return stays("too young", why);
    }
    // The customer may be on the page at this moment (trap T62).
    let fresh =
        |payment: &&Payment| payment.status == TransactionStatus::Open && day(payment.status_since, frame) >= today;
    if let Some(payment) = case.payments.iter().find(fresh) {
        return stays("too young", format!("payment {} was begun today", payment.transaction));
    }
    Ok(format!("it {what} {since}, {old} days old on {today} in {}, older than {wanted}", frame.settings.time_zone))
}

/// What decides when, besides the age.
fn waits(case: &CleanupCase, frame: &Frame<'_>) -> Result<(), Stays> {
    let settings = &frame.settings.cleanup;
    if case.payments.is_empty() && !settings.without_payment {
        let why = "no payment of it is known, so that no PSP can say it is unpaid (`cleanup.without_payment` is false)";
        return stays("no payment", why);
    }
    for shared in &case.shared {
        let open = case.payments.iter().find(|payment| payment.id == shared.payment);
        if let Some(payment) = open.filter(|payment| payment.status == TransactionStatus::Open) {
            let why =
                format!("the page of payment {} pays {} too, which is not its own", payment.transaction, shared.entry);
            return stays("shares its page", why);
        }
    }
    if let Some(since) = case.quarantined_at {
        let until = day(since, frame).checked_add_days(Days::new(u64::from(settings.quarantine_days)));
        if let Some(until) = until.filter(|until| day(frame.now, frame) < *until) {
            return waits_for("in quarantine", format!("it was flagged on {}, and goes on {until}", day(since, frame)));
        }
    }
    if let Some((times, until)) = case.unanswered.filter(|(_, until)| is_ahead(*until, frame)) {
        let why =
            format!("its PSP could not say how it stands {times} times in a row; asked again from {}", minute(until));
        return waits_for("asked again later", why);
    }
    let waiting = |operation: &Operation| match operation.state {
        State::Planned => {
            // What was put off after its call has failed; what nobody answered, and was not done, has not.
            let put_off = operation.next_attempt_at.filter(|at| operation.last_sent_at.is_some_and(|sent| *at > sent));
            let own = put_off.and(operation.last_sent_at).map(|sent| sent + wait(operation.tries));
            own.max(put_off).filter(|at| is_ahead(*at, frame))
        }
        State::Sent
        | State::Accepted
        | State::Confirmed
        | State::Refused
        | State::Unknown
        | State::GivenUp
        | State::Withdrawn => None,
    };
    if let Some(at) = case.deletions.iter().find_map(|past| waiting(&past.operation)) {
        return waits_for(
            "tried again later",
            format!("the ERP could not be reached; tried again from {}", minute(at)),
        );
    }
    let mut closing = case.operations.iter().filter(|operation| operation.kind == Kind::Cancel);
    if let Some(at) = closing.find_map(waiting) {
        return waits_for(
            "tried again later",
            format!("the PSP could not be reached; tried again from {}", minute(at)),
        );
    }
    Ok(())
}

/// How long an order is left alone that has failed so many times in a row: not after the first, as the other side may have been down; then
/// for 12 hours, and twice as long each time. Orders that always fail would otherwise be all that a run gets to (trap T64).
pub(super) fn wait(times: u32) -> TimeDelta {
    match times {
        0 | 1 => TimeDelta::zero(),
        more => back_off(more - 1, Duration::from_hours(12), Duration::from_hours(32 * 24)),
    }
}

/// Of a run whose clock was ahead nothing lasts.
fn is_ahead(at: DateTime<Utc>, frame: &Frame<'_>) -> bool {
    at > frame.now && at <= frame.now + wait(u32::MAX)
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Every payment, asked about in this run, is known to be unpaid. Which of them could still be paid comes back too.
pub(super) fn answer<'a>(
    case: &'a CleanupCase,
    seen: &Seen,
    feeds: &Feeds,
    frame: &Frame<'_>,
) -> Result<(String, Vec<&'a Payment>), Stays> {
    let mut said = Vec::new();
    let mut open = Vec::new();
    for payment in &case.payments {
        let name = &payment.transaction;
        let psp = match seen.standings.get(&payment.id) {
            Some(Ok(psp)) => psp,
            Some(Err(PortError::Unreachable { why })) => {
                return waits_for(NOT_REACHED, format!("payment {name}: {why}"));
            }
            Some(Err(PortError::NotOffered)) => {
                match unpaid_by_reports(case, payment, feeds, frame) {
                    Ok(told) => said.push(told),
                    Err(why) => {
                        let why =
                            format!("payment {name}: its PSP cannot be asked, so nobody says that it is unpaid; {why}");
                        return stays("PSP cannot be asked", why);
                    }
                }
                continue;
            }
            Some(Err(PortError::CannotTell { why })) => {
                return waits_for(CANNOT_TELL, format!("payment {name}: the PSP cannot say how it stands: {why}"));
            }
            None => return stays("PSP not asked", format!("payment {name} was not asked about")),
        };
        if !is_unpaid(psp) {
            return stays("has money", format!("the PSP says of payment {name}: {}", psp.status.as_str()));
        }
        if psp.status == TransactionStatus::Open {
            open.push(payment);
        }
        said.push(format!("{name} is {}", psp.status.as_str()));
    }
    let said = if said.is_empty() { "no payment of it is known".to_owned() } else { said.join(", ") };
    Ok((format!("the PSP says: {said}"), open))
}

/// Rule 23, for a PSP that cannot be asked: the page has expired, and the reports are complete from before the order until so long after
/// that, without a line of it (`protected` has seen to that). Otherwise why not.
fn unpaid_by_reports(
    case: &CleanupCase,
    payment: &Payment,
    feeds: &Feeds,
    frame: &Frame<'_>,
) -> Result<String, String> {
    let reports = frame.settings.providers.get(&payment.provider).and_then(|provider| provider.reports.as_ref());
    let (Some(grace), Some(feed)) =
        (reports.and_then(|reports| reports.unpaid_after_days), feeds.get(&payment.provider))
    else {
        return Err("what its reports do not say counts only with `unpaid_after_days`".to_owned());
    };
    if frame.settings.method(&payment.method).strategy != CaptureStrategy::Automatic {
        return Err(format!("payments by `{}` may be authorised, which is in no report", payment.method));
    }
    if payment.status != TransactionStatus::Expired {
        return Err(format!("its page is not known to have expired: it is {}", payment.status.as_str()));
    }
    let until = payment.status_since + days(grace);
    // A day earlier, whatever the zone.
    let from = case.order.ordered_on.and_time(NaiveTime::MIN).and_utc() - days(1);
    if until > frame.now || !feed.covers(from, until) {
        let far = feed.until().map_or_else(|| "there are none".to_owned(), |at| format!("they end {}", minute(at)));
        return Err(format!("its reports have to be complete from {} until {} ({far})", minute(from), minute(until)));
    }
    Ok(format!(
        "{} expired before {}, and complete reports until {} have no line of it",
        payment.transaction,
        minute(payment.status_since),
        minute(until)
    ))
}

fn is_unpaid(psp: &PspPayment) -> bool {
    let status = match psp.status {
        TransactionStatus::Open
        | TransactionStatus::Cancelled
        | TransactionStatus::Refused
        | TransactionStatus::Expired => true,
        TransactionStatus::Pending
        | TransactionStatus::Authorised
        | TransactionStatus::Captured
        | TransactionStatus::Released
        | TransactionStatus::Error => false,
    };
    status && psp.modifications.is_empty() && !psp.authorised.is_some_and(Amount::is_positive)
}

/// What keeps the payments closed, once none of them is open any more.
pub(super) fn closed(case: &CleanupCase, is_final: bool) -> String {
    let closing = case
        .operations
        .iter()
        .filter(|operation| operation.kind == Kind::Cancel && operation.state == State::Confirmed);
    let ours: Vec<String> = closing.map(|operation| format!("operation {}", operation.id)).collect();
    let live = case.entries.iter().filter(|entry| entry.status != EntryStatus::Cancelled).count();
    let live = match live {
        _ if !is_final => "its entries stay as long as it is in quarantine".to_owned(),
        0 => "it has no entry".to_owned(),
        1 => "its entry is cancelled with it".to_owned(),
        many => format!("its {many} entries are cancelled with it"),
    };
    let by = if ours.is_empty() {
        "the PSP has closed them by itself".to_owned()
    } else {
        format!("closed by {}", ours.join(", "))
    };
    format!("no payment can be paid any more: {by}; {live}")
}

fn day(at: DateTime<Utc>, frame: &Frame<'_>) -> NaiveDate {
    at.with_timezone(&frame.settings.time_zone).date_naive()
}
