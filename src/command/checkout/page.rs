//! The page that a customer pays on: made at the PSP, recorded, and closed again where the ledger does not take it.

use chrono::{DateTime, Utc};

use super::open;
use super::request::CheckoutRequest;
use crate::config::Settings;
use crate::domain::consequence::PagePayment;
use crate::domain::entry::{Entry, EntryStatus, title};
use crate::domain::id::{DocumentId, MerchantAccount, PaymentId, ProviderName, TransactionId};
use crate::domain::money::Amount;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::{Ledger, LedgerError, LinkedPayment, Writer};
use crate::provider::PortError;
use crate::provider::pages::{Closed, PageWish, closing, has_ended};
use crate::run::ports::{Ports, Purpose};
use crate::run::refused;

#[expect(clippy::too_many_arguments, reason = "all that a page is made of")]
pub(super) fn make_page(
    request: &CheckoutRequest,
    provider: &ProviderName,
    account: &MerchantAccount,
    entries: &[Entry],
    amount: Amount,
    before: usize,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<LinkedPayment> {
    let wish = PageWish {
        mode: settings.mode,
        provider: provider.clone(),
        merchant_account: account.clone(),
        entries: entries.iter().filter_map(|entry| entry.reference.clone()).collect(),
        owner: ledger.owner_of_entries(entries).map_err(refused)?,
        title: title(entries),
        amount,
        method: request.method.clone(),
        return_url: request.return_url.clone(),
        cancel_url: request.cancel_url.clone(),
        before,
        may_be_closed: ledger.may_have_closed(entries).map_err(refused)?,
    };
    let ports = Ports::open(settings, Purpose::Act, now).map_err(|error| Failure::new(Exit::Config, error))?;
    let made = ports.make_page(&wish).map_err(|error| not_made(&error, provider))?;
    let payment = PagePayment {
        provider: provider.clone(),
        merchant_account: account.clone(),
        method: request.method.clone(),
        transaction: made.transaction.clone(),
    };
    let id = match record_page(ledger, &payment, entries, &made.url, amount, settings, now)? {
        Ok(id) => id,
        Err(refused) => return Err(closed_again(&payment, &ports, settings, now, refused)),
    };
    let (provider, transaction) = (provider.clone(), made.transaction);
    Ok(LinkedPayment { id, provider, transaction, url: made.url, status: TransactionStatus::Open, amount })
}

fn not_made(error: &PortError, provider: &ProviderName) -> Failure {
    match error {
        PortError::NotOffered => Failure::usage(format!("provider `{provider}` offers no payment pages")),
        PortError::Unreachable { why } => Failure::new(Exit::Unreachable, anyhow::anyhow!("no page was made: {why}"))
            .hint("the entry is there; the same request again makes the page"),
        PortError::CannotTell { why } => Failure::new(Exit::NeedsPerson, anyhow::anyhow!("no page was made: {why}")),
    }
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

/// What became of the pages of an invoice that asked for something else than is open by now.
#[derive(Default)]
pub(in crate::command) struct ClosedPages {
    pub(in crate::command) closed: Vec<TransactionId>,
    /// Each with the reason why it may still be open: what is paid on it is told then.
    pub(in crate::command) open: Vec<(TransactionId, String)>,
}

/// Closes the pages over the entry of an invoice that was taken back, wholly or in part: what they ask for is not owed any more.
pub(in crate::command) fn close_pages_of(
    invoice: DocumentId,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<ClosedPages> {
    let mut done = ClosedPages::default();
    let Some(entry) = ledger.entry_of_document(invoice).map_err(refused)? else { return Ok(done) };
    let mut pages = Vec::new();
    for page in ledger.pages_to_close(std::slice::from_ref(&entry)).map_err(refused)? {
        if !asks_for_what_is_open(&page, ledger)? {
            pages.push(page);
        }
    }
    if pages.is_empty() {
        return Ok(done);
    }
    let ports = Ports::open(settings, Purpose::Act, now);
    for page in pages {
        let closed = match &ports {
            Ok(ports) => close_page(&page, ports, settings, ledger, now),
            Err(error) => Err(error.to_string()),
        };
        match closed {
            Ok(true) => done.closed.push(page.transaction),
            Ok(false) => {}
            Err(why) => done.open.push((page.transaction, why)),
        }
    }
    Ok(done)
}

/// The next invoice of the order may be paid on it.
fn asks_for_what_is_open(page: &Payment, ledger: &Ledger) -> Result<bool> {
    let mut asked = ledger.entries_of_payment(page.id).map_err(refused)?;
    asked.retain(|entry| entry.status == EntryStatus::Open);
    if asked.is_empty() {
        return Ok(false);
    }
    let open = open(&asked)?;
    let linked = ledger.payments_of_entries(&asked).map_err(refused)?;
    Ok(linked.iter().any(|linked| linked.id == page.id && linked.is_usable(open)))
}

impl ClosedPages {
    /// As a sentence goes on.
    pub(in crate::command) fn said(&self) -> String {
        let closed = self.closed.iter().map(|page| format!("; its payment page {page} is closed"));
        let open = self.open.iter().map(|(page, why)| format!("; its payment page {page} may still be open ({why})"));
        closed.chain(open).collect()
    }

    pub(in crate::command) fn open_ones(&self) -> Vec<&TransactionId> {
        self.open.iter().map(|(page, _)| page).collect()
    }
}

/// Whether it was open until now.
fn close_page(
    page: &Payment,
    ports: &Ports,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<bool, String> {
    use TransactionStatus::{Expired, Open};
    if page.status == Expired {
        // Closed before, or run out, as a rule. A run may have died while it closed it, or the PSP not have answered.
        match ports.standing(&page.provider, &page.transaction) {
            Ok(standing) if has_ended(standing.status) => return Ok(false),
            Ok(_) => {}
            Err(PortError::Unreachable { why }) => return Err(why),
            // It is of a provider that is gone, or of long ago: nobody can pay on it.
            Err(PortError::NotOffered | PortError::CannotTell { .. }) => return Ok(false),
        }
    }
    let mut moved = |from, to| {
        let moved = ledger.write("payment page", None, now, |writer| writer.move_page(page.id, from, to));
        moved.map_err(|error| error.to_string())
    };
    if page.status == Open && !moved(Open, Expired)? {
        return Err("it was heard of this moment".to_owned());
    }
    let request = closing(settings.mode, &page.provider, &page.merchant_account, &page.transaction, &page.method, now);
    match Closed::from(ports.send(&request)) {
        Closed::Yes => Ok(true),
        Closed::Unknown(why) => Err(why),
        Closed::Refused(why) | Closed::NotDone(why) => moved(Expired, Open).and(Err(why)),
    }
}

/// The ledger does not take the page: nobody is given it, and nobody may pay on it. No row of the ledger could be an operation's, so that
/// it is closed at once or a person is told to.
fn closed_again(
    page: &PagePayment,
    ports: &Ports,
    settings: &Settings,
    now: DateTime<Utc>,
    failure: Failure,
) -> Failure {
    let PagePayment { provider, merchant_account, method, transaction } = page;
    match Closed::from(ports.send(&closing(settings.mode, provider, merchant_account, transaction, method, now))) {
        Closed::Yes => failure,
        Closed::Refused(why) | Closed::NotDone(why) | Closed::Unknown(why) => failure.hint(format!(
            "its page was made already, and may not be closed ({why}): close payment {transaction} of provider `{provider}` in its back office"
        )),
    }
}

/// The payment, or why the ledger does not take it.
fn record_page(
    ledger: &mut Ledger,
    payment: &PagePayment,
    entries: &[Entry],
    url: &str,
    amount: Amount,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Result<PaymentId>> {
    let recorded = ledger.write("payment page", None, now, |writer: &Writer<'_>| {
        writer.put_page(payment, entries, url, amount, &settings.erp.company)
    });
    match recorded {
        Err(LedgerError::Invariant(why)) => Ok(Err(Failure::usage(why)
            .hint("the same again gives the page that counts; `payjournal restore` puts a deleted order back"))),
        recorded => recorded.map(Ok).map_err(refused),
    }
}
