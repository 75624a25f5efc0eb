//! The page that a customer pays on: made at the PSP, recorded, and closed again where the ledger does not take it.

use chrono::{DateTime, Utc};

use super::request::{CheckoutRequest, told};
use super::{not_taken, title};
use crate::config::Settings;
use crate::domain::entry::Entry;
use crate::domain::id::{EntryReference, MerchantAccount, MethodName, PaymentId, ProviderName, TransactionId};
use crate::domain::money::Amount;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::exchange::import::{Objection, PaymentRecord};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::import::{Mark, Verdict};
use crate::ledger::{Ledger, LedgerError, LinkedPayment, Writer};
use crate::operation::key::{NaturalKey, link_key};
use crate::operation::request::{CancelRequest, Request};
use crate::operation::{Answer, Key, Kind};
use crate::provider::{LinkRequest, PaymentLink, PortError};
use crate::run::ports::{Ports, Purpose};
use crate::run::refused;

/// So many pages in a row may have been closed at once, because the ledger did not take them.
const MOST_CLOSED: usize = 10;

#[expect(clippy::too_many_arguments, reason = "all that a page is made of")]
pub(super) fn make_page(
    request: &CheckoutRequest,
    provider: &ProviderName,
    account: &MerchantAccount,
    entries: &[Entry],
    amount: Amount,
    attempts: usize,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<LinkedPayment> {
    let references: Vec<EntryReference> = entries.iter().filter_map(|entry| entry.reference.clone()).collect();
    let reference = references.iter().map(EntryReference::as_str).collect::<Vec<_>>().join(";");
    let key = |attempt: usize| {
        link_key([
            settings.mode.as_str(),
            provider.as_str(),
            account.as_str(),
            &reference,
            amount.currency().code(),
            &amount.minor().to_string(),
            &attempt.to_string(),
        ])
    };
    let link = LinkRequest {
        key: key(attempts),
        title: title(entries),
        reference: reference.clone(),
        amount,
        method: request.method.clone(),
        return_url: request.return_url.clone(),
        cancel_url: request.cancel_url.clone(),
    };
    let ports = Ports::open(settings, Purpose::Act, now).map_err(|error| Failure::new(Exit::Config, error))?;
    let adapter = ports.providers.get(provider).and_then(|provider| provider.payment_links());
    let adapter = adapter.ok_or_else(|| Failure::usage(format!("provider `{provider}` offers no payment pages")))?;
    let mut made = adapter.create(&link).map_err(|error| not_made(&error))?;
    // One that was made while its order was being deleted, or another page over its entries, was closed again, and no row tells of it.
    let mut further = attempts;
    let may_be_closed = was_deleted(ledger, entries)? || ledger.were_asked_for(entries).map_err(refused)?;
    while may_be_closed && is_closed(&ports, provider, &made) && further < attempts + MOST_CLOSED {
        further += 1;
        made = adapter.create(&LinkRequest { key: key(further), ..link.clone() }).map_err(|error| not_made(&error))?;
    }
    let record = PaymentRecord {
        provider: provider.clone(),
        merchant_account: account.clone(),
        transaction: made.transaction.clone(),
        order: None,
        pays: Vec::new(),
        method: request.method.clone(),
        currency: amount.currency(),
        status: TransactionStatus::Open,
        authorised: None,
        capture_before: None,
        collected: None,
        entries: references,
        key: None,
    };
    let id = match record_page(ledger, &record, entries, &made.url, amount, settings, now)? {
        Ok(id) => id,
        Err(refused) => return Err(closed_again(&record, &ports, settings, refused)),
    };
    let (provider, transaction) = (provider.clone(), made.transaction);
    Ok(LinkedPayment { id, provider, transaction, url: made.url, status: TransactionStatus::Open, amount })
}

fn not_made(error: &PortError) -> Failure {
    match error {
        PortError::Unreachable { why } => Failure::new(Exit::Unreachable, anyhow::anyhow!("no page was made: {why}"))
            .hint("the entry is there; the same request again makes the page"),
        PortError::NotOffered | PortError::CannotTell { .. } => {
            Failure::new(Exit::NeedsPerson, anyhow::anyhow!("no page was made: {error}"))
        }
    }
}

/// Whether the deletion of an order of these entries was ever asked for.
fn was_deleted(ledger: &Ledger, entries: &[Entry]) -> Result<bool> {
    for order in ledger.orders_of_entries(entries).map_err(refused)? {
        if !ledger.deletions_of_order(order).map_err(refused)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_closed(ports: &Ports, provider: &ProviderName, page: &PaymentLink) -> bool {
    ports.standing(provider, &page.transaction).is_ok_and(|page| has_ended(page.status))
}

/// A page on which nothing was paid, and nothing can be.
fn has_ended(status: TransactionStatus) -> bool {
    matches!(status, TransactionStatus::Cancelled | TransactionStatus::Expired | TransactionStatus::Refused)
}

/// A page over other entries or another amount would be paid beside the one that counts: it is closed, and before a new one is made.
pub(super) fn close_others(
    entries: &[Entry],
    but: Option<PaymentId>,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<()> {
    let others = ledger.pages_to_close(entries).map_err(refused)?.into_iter().filter(|page| Some(page.id) != but);
    let others: Vec<Payment> = others.collect();
    if others.is_empty() {
        return Ok(());
    }
    let ports = Ports::open(settings, Purpose::Act, now).map_err(|error| Failure::new(Exit::Config, error))?;
    for page in others {
        close_page(&page, &ports, settings, ledger, now).map_err(|why| {
            Failure::usage(format!("payment page {} for it is open and was not closed ({why})", page.transaction)).hint(
                "it may be paid this moment: `payjournal sync-payments` learns how it stands; then the same again",
            )
        })?;
    }
    Ok(())
}

fn close_page(
    page: &Payment,
    ports: &Ports,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<(), String> {
    use TransactionStatus::{Expired, Open};
    if page.status == Expired {
        // Closed before, or run out, as a rule. A run may have died while it closed it, or the PSP not have answered.
        match ports.standing(&page.provider, &page.transaction) {
            Ok(standing) if has_ended(standing.status) => return Ok(()),
            Ok(_) => {}
            Err(PortError::Unreachable { why }) => return Err(why),
            // It is of a provider that is gone, or of long ago: nobody can pay on it.
            Err(PortError::NotOffered | PortError::CannotTell { .. }) => return Ok(()),
        }
    }
    let mut moved = |from, to| {
        let moved = ledger.write("payment page", None, now, |writer| writer.move_page(page.id, from, to));
        moved.map_err(|error| error.to_string())
    };
    if page.status == Open && !moved(Open, Expired)? {
        return Err("it was heard of this moment".to_owned());
    }
    match close(&page.provider, &page.merchant_account, &page.transaction, &page.method, ports, settings) {
        Closed::Yes => Ok(()),
        Closed::Unknown(why) => Err(why),
        Closed::No(why) => moved(Expired, Open).and(Err(why)),
    }
}

/// Whether a page is closed at the PSP, and why not, or why nobody knows.
enum Closed {
    Yes,
    No(String),
    Unknown(String),
}

/// Closes a page at the PSP. Closed twice is closed.
fn close(
    provider: &ProviderName,
    account: &MerchantAccount,
    transaction: &TransactionId,
    method: &MethodName,
    ports: &Ports,
    settings: &Settings,
) -> Closed {
    let natural = NaturalKey {
        mode: settings.mode.as_str(),
        provider: provider.as_str(),
        merchant_account: account.as_str(),
        transaction: transaction.as_str(),
        document: "AUTH",
        attempt: 1,
    };
    let answer = ports.send(&Request::Cancel(CancelRequest {
        provider: provider.clone(),
        merchant_account: account.clone(),
        transaction: transaction.clone(),
        method: method.clone(),
        key: Key::of(Kind::Cancel, natural),
        first_sent_at: None,
    }));
    match answer {
        Answer::Confirmed { .. } => Closed::Yes,
        Answer::Refused(refusal) => Closed::No(refusal.message),
        Answer::NotDone { why, .. } => Closed::No(why),
        Answer::Accepted { .. } => Closed::Unknown("it is being closed".to_owned()),
        Answer::Unknown { why } => Closed::Unknown(why),
    }
}

/// The ledger does not take the page: nobody is given it, and nobody may pay on it. No row of the ledger could be an operation's, so that
/// it is closed at once or a person is told to.
fn closed_again(page: &PaymentRecord, ports: &Ports, settings: &Settings, failure: Failure) -> Failure {
    let PaymentRecord { provider, merchant_account, transaction, method, .. } = page;
    match close(provider, merchant_account, transaction, method, ports, settings) {
        Closed::Yes => failure,
        Closed::No(why) | Closed::Unknown(why) => failure.hint(format!(
            "its page was made already, and may not be closed ({why}): close payment {transaction} of provider `{provider}` in its back office"
        )),
    }
}

/// The payment, or why the ledger does not take it.
fn record_page(
    ledger: &mut Ledger,
    record: &PaymentRecord,
    entries: &[Entry],
    url: &str,
    amount: Amount,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Result<PaymentId>> {
    let mut objections: Vec<Objection> = Vec::new();
    let orders = ledger.orders_of_entries(entries).map_err(refused)?;
    let recorded = ledger.write("payment page", None, now, |writer: &Writer<'_>| {
        writer.begin_import()?;
        match writer.import_payment(record, &settings.erp.company, Mark { line: 1, digest: 0 })? {
            Verdict::Refused(refused) => {
                objections = refused;
                Err(LedgerError::Invariant("the payment is refused".to_owned()))
            }
            Verdict::New | Verdict::Changed | Verdict::Unchanged => {
                writer.refuse_going(orders)?;
                writer.refuse_collected(entries)?;
                writer.refuse_second_page(entries, &record.transaction)?;
                writer.put_payment_link(record, url, amount)
            }
        }
    });
    match recorded {
        Err(_) if !objections.is_empty() => Ok(Err(not_taken(&told("payment", &objections).collect::<Vec<_>>()))),
        Err(LedgerError::Invariant(why)) => Ok(Err(Failure::usage(why)
            .hint("the same again gives the page that counts; `payjournal restore` puts a deleted order back"))),
        recorded => recorded.map(Ok).map_err(refused),
    }
}
