//! The mail that brings the page to the buyer: one for each page, until a person wants another.

use std::io::Write;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::request::CheckoutRequest;
use super::{Offer, answer, offer, title};
use crate::config::Settings;
use crate::domain::customer::Customer;
use crate::domain::entry::Entry;
use crate::domain::id::{EntryReference, ProviderName};
use crate::domain::invitation;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::{Invitation, Ledger, LinkedPayment};
use crate::run::{open_ledger, refused};

/// What was typed.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub entries: &'a [String],
    pub provider: Option<&'a str>,
    /// One more mail for the same page.
    pub is_again: bool,
}

/// `payjournal invite`: entries that are there, their page, and a mail with it.
pub fn run(wish: Wish<'_>, settings: &Settings, json: bool, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let named =
        |text: &String| EntryReference::parse(text).map_err(|error| Failure::usage(format!("entry `{text}`: {error}")));
    let references = wish.entries.iter().map(named).collect::<Result<Vec<_>>>()?;
    let provider = wish.provider.map(|text| ProviderName::parse(text).map_err(Failure::usage)).transpose()?;
    let mut ledger = open_ledger(settings, false, now)?;
    let request = CheckoutRequest {
        provider,
        ..CheckoutRequest::of(references).map_err(|problems| super::not_taken(&problems))?
    };
    let offer = offer(&request, Some(Mailing { is_again: wish.is_again }), settings, &mut ledger, now)?;
    let (Some(page), Some(invitation)) = (&offer.page, &offer.invitation) else {
        return Err(Failure::usage("nothing is open: nobody has to pay"));
    };
    if json {
        return answer(&offer, out);
    }
    let customer = offer.entries.first().map(|entry| entry.customer.to_string()).unwrap_or_default();
    let said = if invitation.written_at == now {
        format!(
            "customer {customer} is invited to pay {}: {}; the next run of any task sends the mail",
            offer.open, page.url
        )
    } else {
        format!(
            "customer {customer} was invited on {} to pay {}: {}; `--again` writes once more",
            invitation.written_at.date_naive(),
            offer.open,
            page.url
        )
    };
    writeln!(out, "{said}").context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// Whether a mail is written where the page has one already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mailing {
    pub(super) is_again: bool,
}

/// Whom a mail about these entries goes to, or why none can: asked before a page is made.
pub(super) fn buyer(entries: &[Entry], settings: &Settings, ledger: &Ledger) -> Result<Customer> {
    if settings.seller.name.is_empty() {
        return Err(Failure::usage("`seller.name` is missing: a mail to a customer says who writes"));
    }
    let Some(number) = entries.first().map(|entry| &entry.customer) else {
        return Err(Failure::usage("no entry is named"));
    };
    let customer = ledger.customer(number).map_err(refused)?;
    customer.filter(|customer| customer.email.is_some()).ok_or_else(|| {
        Failure::usage(format!("customer {number} has no `email`"))
            .hint("`payjournal import customers FILE` with it, then the same command again; no page was made")
    })
}

/// The mail of a page, queued now or before.
pub(super) fn invite(
    Offer { entries, open, page, .. }: &Offer,
    mailing: Mailing,
    customer: &Customer,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<Option<Invitation>> {
    let Some(LinkedPayment { id, transaction, url, .. }) = page else { return Ok(None) };
    let before = ledger.invitations(*id).map_err(refused)?;
    if let Some(last) = before.last().filter(|_| !mailing.is_again) {
        return Ok(Some(last.clone()));
    }
    let event = format!("invitation:{id}:{transaction}:{}", before.len() + 1);
    let letter = invitation::Invitation {
        event: &event,
        address: customer.email.as_deref().unwrap_or_default(),
        language: customer.language.unwrap_or(settings.invoices.language),
        customer: &customer.name,
        what: &title(entries),
        open: *open,
        due_on: entries.iter().filter_map(|entry| entry.due_on).min(),
        url,
        seller: &settings.seller.name,
    };
    ledger.write("invitation", None, now, |writer| writer.invite(*id, &letter.letter())).map_err(refused)?;
    Ok(ledger.invitations(*id).map_err(refused)?.pop())
}
