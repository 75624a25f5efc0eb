//! The page on which what is open of a final invoice can be paid. It is made before the mail that brings it to the customer is written.

use chrono::{Days, NaiveDate};

use crate::config::settings::CHECKOUT_METHOD;
use crate::domain::consequence::{PageDraft, PagePayment};
use crate::domain::entry::{Entry, EntryStatus, title};
use crate::domain::id::{DocumentId, MethodName};
use crate::domain::mandate::Mandate;
use crate::domain::money::{Amount, MoneyError};
use crate::domain::payment::TransactionStatus;
use crate::ledger::{BillingCase, OpenItem, UnsentInvoice};
use crate::provider::pages::{PageWish, has_ended};
use crate::provider::{PaymentLink, PortError};
use crate::run::ports::Ports;
use crate::task::Frame;

/// So many days after its own an invoice is sent without a page, if the PSP made none until then.
const PATIENCE: Days = Days::new(1);

/// What the PSP made, or why it did not.
#[derive(Debug)]
pub struct PageSeen {
    document: DocumentId,
    made: Result<PaymentLink, PortError>,
}

/// How an invoice goes to its customer.
pub(super) enum Page {
    /// Nothing is open, or no pages are wanted.
    NotWanted,
    Put(Box<PageDraft>),
    /// Without one, and why.
    Without(String),
    /// The PSP may make one later.
    Awaited(String),
    /// A dry run makes none.
    WouldBeMade,
}

/// Runs in a worker: asked twice, a PSP makes one page.
pub(super) fn make(case: &BillingCase, ports: &Ports, frame: &Frame<'_>) -> Vec<PageSeen> {
    if frame.is_rehearsal || !has_address(case) {
        return Vec::new();
    }
    let wanted = case.unsent.iter().filter_map(|unsent| {
        let item = unsent.item.as_ref()?;
        let wish = wish(item, unsent, frame)?.ok().filter(|_| item.page.is_none())?;
        Some(PageSeen { document: unsent.document, made: closed(item, ports).and_then(|()| ports.make_page(&wish)) })
    });
    wanted.collect()
}

pub(super) fn page(unsent: &UnsentInvoice, seen: &[PageSeen], frame: &Frame<'_>) -> Page {
    let Some(item) = &unsent.item else { return Page::NotWanted };
    let draft = |url: &str, payment| {
        let (document, entry, url, amount) = (unsent.document, item.entry.id, url.to_owned(), item.open);
        Page::Put(Box::new(PageDraft { document, entry, url, amount, payment }))
    };
    if let Some(url) = &item.page {
        return draft(url, None);
    }
    let wish = match wish(item, unsent, frame) {
        None => return Page::NotWanted,
        Some(Ok(wish)) => wish,
        Some(Err(why)) => return Page::Without(why),
    };
    if frame.is_rehearsal {
        return Page::WouldBeMade;
    }
    match seen.iter().find(|seen| seen.document == unsent.document).map(|seen| &seen.made) {
        Some(Ok(PaymentLink { transaction, url })) => {
            let PageWish { provider, merchant_account, method, .. } = wish;
            draft(url, Some(PagePayment { provider, merchant_account, method, transaction: transaction.clone() }))
        }
        Some(Err(PortError::Unreachable { why })) if is_fresh(unsent, frame) => Page::Awaited(why.clone()),
        Some(Err(error)) => Page::Without(error.to_string()),
        None => Page::Awaited("it was not asked for".to_owned()),
    }
}

pub(super) fn has_address(case: &BillingCase) -> bool {
    case.customer.as_ref().is_some_and(|customer| customer.email.is_some())
}

/// What the PSP is asked for, or why it is not; `None`: the config wants no pages.
fn wish(item: &OpenItem, unsent: &UnsentInvoice, frame: &Frame<'_>) -> Option<Result<PageWish, String>> {
    let settings = frame.settings;
    let provider = settings.invoices.payment_page.as_ref().and_then(|name| settings.providers.get(name))?;
    if let Some(why) = &item.objection {
        return Some(Err(why.clone()));
    }
    // One page per debt: what asks for more, or for another amount, can still be paid.
    let is_open = |status| matches!(status, TransactionStatus::Open | TransactionStatus::Pending);
    if let Some(page) = item.pages.iter().find(|page| is_open(page.status)) {
        return Some(Err(format!("payment page {} asks for it and for something else", page.transaction)));
    }
    if !item.entry.reduction.is_zero() {
        return Some(Err("a part of it was credited".to_owned()));
    }
    if let Some(mandate) = collected_on(item, unsent, frame) {
        return Some(Err(format!("it is collected on {}", mandate.name())));
    }
    let Some(reference) = item.entry.reference.clone() else {
        return Some(Err("its entry has no reference".to_owned()));
    };
    let method = match MethodName::parse(CHECKOUT_METHOD) {
        Ok(method) => method,
        Err(error) => return Some(Err(error.to_string())),
    };
    Some(Ok(PageWish {
        mode: settings.mode,
        provider: provider.name.clone(),
        merchant_account: provider.merchant_account.clone(),
        entries: vec![reference],
        owner: item.owner.clone(),
        title: title(std::slice::from_ref(&item.entry)),
        amount: item.open,
        method,
        return_url: None,
        cancel_url: None,
        before: item.before,
        may_be_closed: item.may_be_closed,
    }))
}

/// The mandate on which `collect` will take what is open, if it will.
fn collected_on<'i>(item: &'i OpenItem, unsent: &UnsentInvoice, frame: &Frame<'_>) -> Option<&'i Mandate> {
    let (settings, today) = (frame.settings, today(frame));
    let falls_due = item.entry.due_on.is_some() || unsent.sheet.due_on.is_some() || settings.collect.without_due_date;
    let takes = |mandate: &&Mandate| {
        settings.providers.contains_key(&mandate.provider)
            && mandate.is_for(item.open.currency())
            && mandate.revoked_on.is_none_or(|day| day > today)
    };
    item.mandates.iter().find(takes).filter(|_| settings.collect.enabled && falls_due)
}

/// What is paid of an invoice by now, where that is not what it says. What was credited meanwhile was not paid, and has its own document.
pub(super) fn paid_since(unsent: &UnsentInvoice) -> Result<Option<Amount>, MoneyError> {
    let sheet = &unsent.sheet;
    let Some(entry) = unsent.entry.as_ref().filter(|entry| entry.reduction.is_zero()) else { return Ok(None) };
    if entry.status == EntryStatus::Cancelled || entry.initial != sheet.total {
        return Ok(None);
    }
    let paid = sheet.total.checked_sub(entry.open()?)?;
    Ok((paid != sheet.paid).then_some(paid))
}

/// What is to be paid of an invoice by now.
pub(super) fn open_now(unsent: &UnsentInvoice) -> Result<Amount, MoneyError> {
    unsent.entry.as_ref().map_or_else(|| unsent.sheet.to_pay(), Entry::open)
}

/// Another page counts as expired once it is to be closed: it must be, or both could be paid.
fn closed(item: &OpenItem, ports: &Ports) -> Result<(), PortError> {
    for page in &item.pages {
        match ports.standing(&page.provider, &page.transaction) {
            Ok(standing) if has_ended(standing.status) => {}
            Ok(_) => {
                let why = format!("payment page {} may still be open", page.transaction);
                return Err(PortError::CannotTell { why });
            }
            Err(error @ PortError::Unreachable { .. }) => return Err(error),
            // It is of a provider that is gone, or of long ago: nobody can pay on it.
            Err(PortError::NotOffered | PortError::CannotTell { .. }) => {}
        }
    }
    Ok(())
}

fn is_fresh(unsent: &UnsentInvoice, frame: &Frame<'_>) -> bool {
    unsent.sheet.dated.checked_add_days(PATIENCE).is_some_and(|last| today(frame) <= last)
}

fn today(frame: &Frame<'_>) -> NaiveDate {
    frame.now.with_timezone(&frame.settings.time_zone).date_naive()
}
