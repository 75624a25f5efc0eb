//! The mail that brings the page to the buyer: one for each page, until a person wants another.

use std::io::Write;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::request::CheckoutRequest;
use super::{answer, nobody_is_asked, offer};
use crate::config::Settings;
use crate::config::settings::MailTransport;
use crate::domain::customer::Customer;
use crate::domain::entry::{Entry, title};
use crate::domain::id::{EntryReference, ProviderName};
use crate::domain::invitation;
use crate::domain::money::Amount;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::{Invitation, InvitationState, Ledger, LinkedPayment};
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
    let mailing = Mailing::Demanded { is_again: wish.is_again };
    let offer = offer(&request, Some(mailing), settings, &mut ledger, now)?;
    let (Some(page), Some(Ok(invitation))) = (&offer.page, &offer.invitation) else {
        return Err(Failure::usage("nothing is open: nobody has to pay"));
    };
    if json {
        return answer(&offer, out);
    }
    let customer = offer.entries.first().map(|entry| entry.customer.to_string()).unwrap_or_default();
    let (open, url) = (offer.open, &page.url);
    let said = if invitation.written_at == now {
        format!("customer {customer} is invited to pay {open}: {url}; the next run of any task sends the mail")
    } else {
        let (state, on) = (invitation.state, invitation.written_at.date_naive());
        let how =
            if state == InvitationState::Sent { "was invited" } else { "has a mail that waits since he was invited" };
        format!("customer {customer} {how} on {on} to pay {open}: {url}; `--again` writes once more")
    };
    writeln!(out, "{said}").context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// Whether the page is for nothing if no mail can bring it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mailing {
    /// The portal has the page all the same.
    IfPossible,
    /// `is_again`: although the page has its mail.
    Demanded { is_again: bool },
}

/// Whom a mail about these entries goes to, or why none is written: asked before a page is made.
pub(super) fn buyer(
    entries: &[Entry],
    objection: Option<&str>,
    settings: &Settings,
    ledger: &Ledger,
) -> Result<Customer> {
    if let Some(why) = objection {
        return Err(nobody_is_asked(why));
    }
    if matches!(settings.mail.transport, MailTransport::None) {
        return Err(Failure::usage("`mail.transport` is \"none\": no mail is written"));
    }
    if settings.seller.name.is_empty() {
        return Err(Failure::usage("`seller.name` is missing: a mail to a customer says who writes"));
    }
    let Some(number) = entries.first().map(|entry| &entry.customer) else {
        return Err(Failure::usage("no entry is named"));
    };
    let customer = ledger.customer(number).map_err(refused)?;
    customer.filter(|customer| customer.email.is_some()).ok_or_else(|| {
        Failure::usage(format!("customer {number} has no `email`"))
            .hint("`payjournal import customers FILE` with it, then the same command again")
    })
}

/// The mail of a page, queued now or before. One that was refused, or not sent, is none.
#[expect(clippy::too_many_arguments, reason = "all that a mail is made of")]
pub(super) fn invite(
    entries: &[Entry],
    open: Amount,
    page: &LinkedPayment,
    mailing: Mailing,
    customer: &Customer,
    settings: &Settings,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> Result<Invitation> {
    let before = ledger.invitations(page.id).map_err(refused)?;
    let is_again = matches!(mailing, Mailing::Demanded { is_again: true });
    let stands = |last: &&Invitation| matches!(last.state, InvitationState::Queued | InvitationState::Sent);
    if let Some(last) = before.last().filter(stands).filter(|_| !is_again) {
        return Ok(last.clone());
    }
    let payment = ledger.payment(page.id).map_err(refused)?;
    let (provider, account, transaction) = (&payment.provider, &payment.merchant_account, &payment.transaction);
    let event = format!("invitation:{provider}:{account}:{transaction}:{}", before.len() + 1);
    let letter = invitation::Invitation {
        event: &event,
        address: customer.email.as_deref().unwrap_or_default(),
        language: customer.language.unwrap_or(settings.invoices.language),
        customer: &customer.name,
        what: &title(entries),
        open,
        due_on: entries.iter().filter_map(|entry| entry.due_on).min(),
        url: &page.url,
        seller: &settings.seller.name,
    };
    ledger.write("invitation", None, now, |writer| writer.invite(page.id, &letter.letter())).map_err(refused)?;
    let written = ledger.invitations(page.id).map_err(refused)?.pop();
    written.ok_or_else(|| Failure::bug(anyhow::anyhow!("the mail {event} was not queued")))
}
