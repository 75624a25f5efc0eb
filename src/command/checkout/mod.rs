//! `payjournal checkout`: one request of a portal, one answer: an entry to be paid, and the page to pay it on.
//!
//! Asked twice for the same order it answers the same: order and entry are recognised by their numbers, and the page by a key made
//! of them. The entry is in the ledger before the PSP is asked for a page. A page moves no money, so that no operation stands for
//! it: what the customer pays on it is learnt by `sync-payments` like any payment.

pub mod invite;
pub(super) mod page;
mod request;

use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::json;

use self::invite::Mailing;
use self::page::{close_others, make_page};
use self::request::{Asked, CheckoutRequest, OrderAsked, told};
use super::import::ImportDefaults;
use super::show::find;
use crate::config::Settings;
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::id::{EntryReference, MerchantAccount, ProviderName};
use crate::domain::invoice::pricing::{self, OrderLine, Pricing};
use crate::domain::money::Amount;
use crate::domain::order::Cancellation;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::import::{Mark, Verdict};
use crate::ledger::{Invitation, Ledger, LedgerError, LinkedPayment};
use crate::run::{open_ledger, refused};

/// Where the request comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A file with the JSON document; `-` is standard input.
    File(&'a Path),
    /// An order the ledger has, by its number.
    Order(&'a str),
}

/// A request is read whole; no order is longer.
const LONGEST: u64 = 4 * 1024 * 1024;

/// With `is_mailed` the buyer gets the page by mail, too.
pub fn run(
    source: Source<'_>,
    is_mailed: bool,
    settings: &Settings,
    now: DateTime<Utc>,
    input: &mut dyn Read,
    out: &mut dyn Write,
) -> Result<Exit> {
    let defaults = ImportDefaults::of(settings);
    let mut ledger = open_ledger(settings, true, now)?;
    let request = match source {
        Source::File(path) => CheckoutRequest::read(&text(path, input)?, &defaults),
        Source::Order(number) => CheckoutRequest::of(entries_of_order(&ledger, number)?),
    };
    let request = request.map_err(|problems| not_taken(&problems))?;
    let mailing = is_mailed.then_some(Mailing::IfPossible);
    answer(&offer(&request, mailing, settings, &mut ledger, now)?, out)
}

/// What a buyer is asked to pay, and where.
struct Offer {
    entries: Vec<Entry>,
    open: Amount,
    /// None where nothing is open.
    page: Option<LinkedPayment>,
    /// Its mail, or why there is none.
    invitation: Option<Result<Invitation, String>>,
}

fn offer(
    request: &CheckoutRequest,
    mailing: Option<Mailing>,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<Offer> {
    let provider = provider_of(request, settings);
    let (references, provider) = match (&request.what, provider) {
        (Asked::Entries(references), provider) if request.provider.is_none() => (references.clone(), provider),
        (Asked::Entries(references), provider) => (references.clone(), Ok(provider?)),
        (Asked::Order(asked), provider) => {
            let provider = provider?;
            take(ledger, asked, &ImportDefaults::of(settings), settings, now)?;
            (vec![asked.entry.reference.clone()], Ok(provider))
        }
    };
    let entries = entries(ledger, &references)?;
    refuse_cancelled(ledger, &entries)?;
    let open = open(&entries)?;
    if open.is_zero() {
        return Ok(Offer { entries, open, page: None, invitation: None });
    }
    let linked = ledger.payments_of_entries(&entries).map_err(refused)?;
    let page = linked.iter().find(|linked| linked.is_usable(open)).cloned();
    let objection = ledger.objection_to_asking(&entries).map_err(refused)?;
    let buyer = mailing.map(|mailing| (mailing, invite::buyer(&entries, objection.as_deref(), settings, ledger)));
    if let Some((Mailing::Demanded { .. }, Err(failure))) = buyer {
        return Err(failure);
    }
    let page = match (page, objection) {
        (Some(page), _) => {
            let page = same_provider(page, request)?;
            close_others(&entries, Some(page.id), settings, ledger, now)?;
            page
        }
        (None, Some(why)) => return Err(nobody_is_asked(&why)),
        (None, None) => {
            let (provider, account) = provider?;
            close_others(&entries, None, settings, ledger, now)?;
            make_page(request, &provider, &account, &entries, open, linked.len(), settings, ledger, now)?
        }
    };
    let invitation = match buyer {
        None => None,
        Some((_, Err(failure))) => Some(Err(failure.line())),
        Some((mailing, Ok(buyer))) => {
            Some(Ok(invite::invite(&entries, open, &page, mailing, &buyer, settings, ledger, now)?))
        }
    };
    Ok(Offer { entries, open, page: Some(page), invitation })
}

fn nobody_is_asked(why: &str) -> Failure {
    Failure::usage(format!("nobody is asked to pay: {why}")).hint(
        "`payjournal sync-payments` learns how payments stand; `payjournal leftovers` lists money that nothing has",
    )
}

/// One debt has one page: not another one at another provider.
fn same_provider(page: LinkedPayment, request: &CheckoutRequest) -> Result<LinkedPayment> {
    match &request.provider {
        Some(name) if *name != page.provider => {
            Err(Failure::usage(format!("a page of provider `{}` is open for it: {}", page.provider, page.url)))
        }
        Some(_) | None => Ok(page),
    }
}

fn text(path: &Path, input: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        input.take(LONGEST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::usage(format!("`{}` cannot be read: {error}", path.display())))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(Failure::usage(format!("`{}` is longer than 4 MiB", path.display())));
    }
    Ok(bytes)
}

fn not_taken(problems: &[String]) -> Failure {
    let mut failure = Failure::usage(format!("the request cannot be taken: {}", problems.join("; ")));
    failure =
        failure.hint("each part has the fields that `payjournal import PART --describe` prints; nothing was stored");
    failure
}

/// The entries that were made for an order.
fn entries_of_order(ledger: &Ledger, number: &str) -> Result<Vec<EntryReference>> {
    let order = find::order(ledger, number)?;
    let entries = ledger.entries_of_order(order.id).map_err(refused)?;
    let live = entries.into_iter().filter(|entry| entry.status != EntryStatus::Cancelled);
    let references: Vec<EntryReference> = live.filter_map(|entry| entry.reference).collect();
    if references.is_empty() {
        return Err(Failure::usage(format!("order `{number}` has no entry that could be paid"))
            .hint("`payjournal import entries FILE` makes one, or a request with the order and its lines"));
    }
    Ok(references)
}

fn provider_of(request: &CheckoutRequest, settings: &Settings) -> Result<(ProviderName, MerchantAccount)> {
    let names = || settings.providers.keys().map(ProviderName::as_str).collect::<Vec<_>>().join(", ");
    let provider = match &request.provider {
        Some(name) => settings
            .providers
            .get(name)
            .ok_or_else(|| Failure::usage(format!("provider `{name}` is not configured; there are: {}", names())))?,
        None => match settings.providers.values().collect::<Vec<_>>().as_slice() {
            [only] => only,
            _ => return Err(Failure::usage(format!("provider is required, as there are several: {}", names()))),
        },
    };
    Ok((provider.name.clone(), provider.merchant_account.clone()))
}

/// Order, lines, customer and entry, all of them or nothing.
fn take(
    ledger: &mut Ledger,
    asked: &OrderAsked,
    defaults: &ImportDefaults,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut problems = Vec::new();
    let taken = ledger.write("checkout", None, now, |writer| {
        let no = &defaults.default_customer;
        let mark = Mark { line: 1, digest: 0 };
        writer.begin_import()?;
        let mut verdict = |part: &str, verdict: Verdict| {
            if let Verdict::Refused(objections) = verdict {
                problems.extend(told(part, &objections));
            }
        };
        if let Some(customer) = &asked.customer {
            verdict("customer", writer.import_customer(customer, mark)?);
        }
        verdict("order", writer.import_order(&asked.order, no, mark)?);
        for (at, line) in (1..).zip(&asked.lines) {
            let own = Mark { line: at, digest: at };
            verdict(&format!("lines[{at}]"), writer.import_order_line(line, own)?);
        }
        verdict("entry", writer.import_entry(&asked.entry, no, mark)?);
        // What cannot be billed is not sold: the customer would pay first and get no invoice.
        let lines = writer.lines_of_order(&asked.order.shop, &asked.order.number)?;
        problems.extend(unbillable(&lines, asked.order.total, settings));
        if problems.is_empty() { Ok(()) } else { Err(LedgerError::Invariant("the request is refused".to_owned())) }
    });
    match taken {
        Err(_) if !problems.is_empty() => Err(not_taken(&problems)),
        taken => taken.map_err(refused),
    }
}

/// Why an invoice over what the order costs could not be made of its lines.
fn unbillable(lines: &[OrderLine], total: Amount, settings: &Settings) -> Option<String> {
    let Pricing { prices, .. } = &settings.invoices.pricing;
    let priced = settings.invoices.pricing.price(lines, total.currency());
    let sum = priced.map(|priced| pricing::total(&priced, total.currency()));
    match sum {
        Err(error) => Some(format!("the order {error}")),
        Ok(Err(error)) => Some(format!("lines: {error}")),
        Ok(Ok(sum)) => (sum != total).then(|| {
            let count = lines.len();
            format!(
                "order: its {count} lines come to {sum} with tax ({} prices), and `total` is {total}",
                prices.as_str()
            )
        }),
    }
}

fn refuse_cancelled(ledger: &Ledger, entries: &[Entry]) -> Result<()> {
    for id in ledger.orders_of_entries(entries).map_err(refused)? {
        let order = ledger.order(id).map_err(refused)?;
        if order.cancelled != Cancellation::None {
            return Err(Failure::usage(format!("order `{}` is cancelled: nothing is to be paid for it", order.number)));
        }
        if order.deleted {
            return Err(Failure::usage(format!("order `{}` was deleted because nobody paid it", order.number))
                .hint(format!("`payjournal restore {} --reason …` puts it back first", order.number)));
        }
    }
    Ok(())
}

/// What one payment may pay together: of one customer and currency.
fn entries(ledger: &Ledger, references: &[EntryReference]) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for reference in references {
        let entry = ledger.entry_named(reference).map_err(refused)?;
        let entry = entry.ok_or_else(|| Failure::usage(format!("entry `{reference}` is not known")))?;
        if entry.status == EntryStatus::Cancelled {
            return Err(Failure::usage(format!("{} is cancelled", entry.name()))
                .hint("`payjournal checkout --order NUMBER` makes a page for what is open of an order"));
        }
        if let Some(first) = entries.first()
            && (first.customer != entry.customer || first.initial.currency() != entry.initial.currency())
        {
            return Err(Failure::usage(format!(
                "{} and {} are of two customers or currencies; one payment cannot pay both",
                first.name(),
                entry.name()
            )));
        }
        if !entries.iter().any(|known| known.id == entry.id) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn open(entries: &[Entry]) -> Result<Amount> {
    let Some(first) = entries.first() else { return Err(Failure::usage("no entry is named")) };
    let open = entries.iter().map(Entry::open).collect::<Result<Vec<_>, _>>();
    open.and_then(|open| Amount::sum(first.initial.currency(), open)).map_err(Failure::usage)
}

fn answer(offer: &Offer, out: &mut dyn Write) -> Result<Exit> {
    let Offer { entries, open, page, invitation } = offer;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "id": entry.id, "reference": entry.reference, "assignment_key": entry.key, "status": entry.status,
                "amount": entry.initial, "customer": entry.customer,
            })
        })
        .collect();
    let invitation = invitation.as_ref().map(|invitation| match invitation {
        Ok(Invitation { mail, written_at, state }) => json!({"mail": mail, "state": state, "written_at": written_at}),
        Err(why) => json!({"mail": null, "state": "not_written", "why": why}),
    });
    let document = json!({
        "schema": "payjournal/checkout/1",
        "outcome": Exit::Done.outcome(),
        "exit_code": Exit::Done.code(),
        "entries": told,
        "open": open,
        "transaction": page.as_ref().map(|page| &page.transaction),
        "payment_url": page.as_ref().map(|page| &page.url),
        "invitation": invitation,
    });
    writeln!(out, "{document:#}").context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}
