//! Pages for what is open of an invoice: made by `alpha`, and brought to the customer by a mail. Who gets one may pay on it, days later
//! or never.

use std::collections::BTreeMap;

use super::super::dice::{Dice, Purpose};
use super::super::record::{IsFor, Page, Partial, Trigger};
use super::plan::{CURRENCIES, End, Event, Method, OrderPlan, hours};
use super::psp::Account;
use super::weather::Weather;
use super::{Happening, World};
use crate::config::settings::CHECKOUT_METHOD;
use crate::domain::id::TransactionId;
use crate::provider::{LinkRequest, PaymentLink, PaymentLinks, PortError};

/// What is paid on one is captured by the PSP itself.
const METHOD: Method = Method {
    name: CHECKOUT_METHOD,
    provider: "alpha",
    trigger: Trigger::Never,
    partial: Partial::Many,
    refundable: true,
};

/// What each key was sent for, and the page in [`super::super::record::Record::pages`].
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<String, (String, usize)>);

#[derive(Debug, Clone, Copy)]
enum Fate {
    Unreached,
    SilentBefore,
    SilentAfter,
    Refused,
}

impl PaymentLinks for Account {
    fn create(&self, request: &LinkRequest) -> Result<PaymentLink, PortError> {
        self.door.through(|world| world.page_is_wanted(request))
    }
}

impl OrderPlan {
    /// Where invoices bring a page, every second customer pays nothing, or a part, before there is one.
    pub(super) fn may_wait_for_its_invoice(&mut self, dice: &mut Dice) {
        let hundredths = match dice.below(10) {
            0..=3 => 0,
            4 => 40,
            _ => return,
        };
        self.events.retain(|(_, event)| hundredths > 0 || !matches!(event, Event::PageOpens { .. }));
        for (_, event) in &mut self.events {
            if let Event::PageOpens { authorises, .. } = event {
                *authorises = (*authorises * hundredths).div_euclid(100).max(1);
            }
        }
    }
}

impl World {
    fn page_is_wanted(&mut self, request: &LinkRequest) -> Result<PaymentLink, PortError> {
        self.pass(1);
        self.coverage.work("pages asked for");
        let weather = self.weather;
        let fates = [
            (weather.unreached, Fate::Unreached),
            (weather.silent_before, Fate::SilentBefore),
            (weather.silent_after, Fate::SilentAfter),
            (weather.refused, Fate::Refused),
        ];
        let mut dice = self.dice(Purpose::Send, request.key.as_str());
        let Some(fate) = Weather::fate(&mut dice, &fates) else { return self.page(request) };
        self.record.pageless.insert(request.reference.clone());
        let unreachable = |why: &str| Err(PortError::Unreachable { why: why.to_owned() });
        match fate {
            Fate::Unreached => {
                self.fault("psp: page not reached");
                return unreachable("no connection");
            }
            Fate::Refused => {
                self.fault("psp: page refused");
                return Err(PortError::CannotTell { why: "the PSP makes no page for this".to_owned() });
            }
            Fate::SilentBefore => self.fault("psp: page not answered, not made"),
            Fate::SilentAfter => {
                self.fault("psp: page not answered, made");
                drop(self.page(request));
            }
        }
        self.pass(30);
        unreachable("no answer in time")
    }

    /// The page of a key: made once, however often it is asked for.
    fn page(&mut self, request: &LinkRequest) -> Result<PaymentLink, PortError> {
        let key = request.key.as_str();
        let content = format!("{} of {} by {}", request.amount, request.reference, request.method);
        let known = self.pages.0.get(key).cloned();
        let place = match known {
            Some((before, place)) if before == content => place,
            Some((before, _)) => {
                self.record.oddities.push(format!("key {key} came with `{content}` after `{before}`"));
                return Err(PortError::CannotTell { why: "the key was used for another page".to_owned() });
            }
            None => {
                let place = self.makes_page(request);
                self.pages.0.insert(key.to_owned(), (content, place));
                place
            }
        };
        let made =
            self.record.pages.get(place).map(|page| (self.transaction(page.transaction).id.clone(), page.url.clone()));
        let (id, url) = made.ok_or_else(|| PortError::CannotTell { why: "no such page".to_owned() })?;
        let transaction =
            TransactionId::parse(&id).map_err(|error| PortError::CannotTell { why: error.to_string() })?;
        Ok(PaymentLink { transaction, url })
    }

    fn makes_page(&mut self, request: &LinkRequest) -> usize {
        self.coverage.work("pages made");
        let (reference, amount) = (request.reference.clone(), request.amount.minor());
        let before = self.record.pages.iter().filter(|page| page.reference == reference).count();
        let id = format!("{}-{reference}-p{}", METHOD.provider, before + 1);
        let url = format!("https://{}.example/{id}/pay", METHOD.provider);
        let code = request.amount.currency().code().to_owned();
        let currency = CURRENCIES.into_iter().find(|known| *known == code).unwrap_or_default();
        let transaction = self.opens_as(id, METHOD, None, Vec::new(), currency, amount);
        // The ledger is told what it is for, and no order.
        self.transaction_mut(transaction).is_anonymous = true;
        self.transaction_mut(transaction).is_for = IsFor::Entry(reference.clone());
        self.record.pages.push(Page { transaction, reference, amount, url, at: self.now, given_at: None });
        self.record.pages.len() - 1
    }

    /// Payjournal tells the ledger of it, and nobody else does.
    pub(super) fn is_page(&self, transaction: usize) -> bool {
        self.record.pages.iter().any(|page| page.transaction == transaction)
    }

    /// A customer reads a mail, and finds a page in it.
    pub(super) fn page_arrives(&mut self, mail: &str) {
        let now = self.now;
        let mut pages = self.record.pages.iter_mut();
        let Some(page) = pages.find(|page| page.given_at.is_none() && mail.contains(&page.url)) else { return };
        page.given_at = Some(now);
        let index = page.transaction;
        self.coverage.work("pages brought to customers");
        if self.is_closed {
            return;
        }
        let mut dice = self.dice(Purpose::Turn, &format!("{} given", self.transaction(index).id));
        let ends = [
            End::Authorised,
            End::Authorised,
            End::Authorised,
            End::Authorised,
            End::AuthorisedLate,
            End::AbandonedAtFirst,
            End::Refused,
            End::Abandoned,
            End::Never,
            End::Never,
        ];
        let end = dice.pick(&ends, End::Never);
        let then = self.now + hours(&mut dice, 1, 250);
        self.decide(then, Happening::PageEnds(index, end));
    }
}
