//! The other side, as one value: providers, ERP, post and portal. Every call that may change something outside passes [`Ports::send`].

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::config::Settings;
use crate::config::settings::{ErpKind, MailTransport, ProviderKind};
use crate::domain::document::Document;
use crate::domain::id::{MethodName, ProviderName, TransactionId};
use crate::domain::money::Amount;
use crate::erp::{Erp, local::Local};
use crate::kill_switch::{self, Moment};
use crate::mail::{Post, file::Maildir, smtp::Smtp};
use crate::operation::request::Request;
use crate::operation::{Answer, LookUp, Refusal};
use crate::portal::{Portal, webhook::Webhook};
use crate::provider::pages::PageWish;
use crate::provider::reports::ReportsOnly;
use crate::provider::sandbox::Sandbox;
use crate::provider::{Capabilities, PaymentLink, PortError, Provider, PspPayment};

pub struct Ports {
    pub providers: BTreeMap<ProviderName, Box<dyn Provider>>,
    pub erp: Box<dyn Erp>,
    /// None: mails are queued and nobody delivers them.
    pub post: Option<Box<dyn Post>>,
    /// None: nobody is told.
    pub portal: Option<Box<dyn Portal>>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").field("providers", &self.providers.keys()).finish_non_exhaustive()
    }
}

/// Whether anything may be changed outside, so much as a file made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Act,
    /// A dry run.
    Look,
}

impl Ports {
    /// The registry: which adapter each `kind` in the config means.
    pub fn open(settings: &Settings, purpose: Purpose, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let mut providers: BTreeMap<ProviderName, Box<dyn Provider>> = BTreeMap::new();
        for (name, provider) in &settings.providers {
            let adapter: Box<dyn Provider> = match &provider.kind {
                ProviderKind::Sandbox(sandbox) => Box::new(
                    Sandbox::open(sandbox, &provider.merchant_account, purpose, now)
                        .with_context(|| format!("the sandbox of provider `{name}` cannot be opened"))?,
                ),
                ProviderKind::Reports => Box::new(ReportsOnly),
            };
            providers.insert(name.clone(), adapter);
        }
        let erp: Box<dyn Erp> = match settings.erp.kind {
            ErpKind::Local => Box::new(Local::new(settings.erp.fault, now)),
        };
        let post: Option<Box<dyn Post>> = match &settings.mail.transport {
            MailTransport::File { maildir } => Some(Box::new(Maildir::new(maildir, &settings.mail, now))),
            MailTransport::Smtp(server) => Some(Box::new(Smtp::open(server, &settings.mail, now)?)),
            MailTransport::None => None,
        };
        let portal = settings.portal.as_ref().map(|portal| -> Box<dyn Portal> { Box::new(Webhook::new(portal, now)) });
        Ok(Self { providers, erp, post, portal })
    }

    /// Mail alone, for the message that nothing else can be opened.
    pub fn open_post_only(settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let alone = Settings { providers: BTreeMap::new(), ..settings.clone() };
        Self::open(&alone, Purpose::Act, now)
    }

    pub fn send(&self, request: &Request) -> Answer {
        kill_switch::pass(Moment::BeforeCall, "send");
        let answer = match request {
            Request::Payment(payment) => match self.providers.get(&payment.provider) {
                Some(provider) => provider.send(payment),
                None => not_configured(&payment.provider),
            },
            Request::Collect(collect) => match self.providers.get(&collect.provider) {
                Some(provider) => provider.collecting().map_or_else(
                    || not_offered(&format!("provider `{}` takes no money on mandates", collect.provider)),
                    |collecting| collecting.collect(collect),
                ),
                None => not_configured(&collect.provider),
            },
            Request::Journal(journal) => self.erp.deliver(journal),
            Request::PayoutJournal(journal) => self.erp.payout_posting().map_or_else(
                || not_offered("the ERP takes no journals of payouts"),
                |payouts| payouts.deliver_payout(journal),
            ),
            Request::Mail(mail) => match &self.post {
                Some(post) => post.deliver(mail),
                None => {
                    Answer::NotDone { why: "no mail transport is configured".to_owned(), retry_after_seconds: None }
                }
            },
            Request::Cancel(cancel) => match self.providers.get(&cancel.provider) {
                Some(provider) => provider.cancelling().map_or_else(
                    || not_offered(&format!("provider `{}` cannot close an open payment", cancel.provider)),
                    |cancelling| cancelling.cancel(cancel),
                ),
                None => not_configured(&cancel.provider),
            },
            Request::Deletion(deletion) => self
                .erp
                .order_deletion()
                .map_or_else(|| not_offered("the ERP lets no order go"), |orders| orders.delete(deletion)),
            Request::Event(event) => match &self.portal {
                Some(portal) => portal.deliver(event),
                None => Answer::NotDone { why: "no portal is configured".to_owned(), retry_after_seconds: None },
            },
        };
        kill_switch::pass(Moment::AfterCall, "send");
        answer
    }

    /// Asks about an earlier `send`. An absence proves nothing while the call may still take effect.
    pub fn look_up(&self, request: &Request, last_sent_ago: Duration) -> LookUp {
        let (found, settles_after) = match request {
            Request::Payment(payment) => match self.providers.get(&payment.provider) {
                Some(provider) => (provider.look_up(payment), provider.settles_after()),
                None => {
                    return LookUp::CannotTell { why: format!("provider `{}` is not in the config", payment.provider) };
                }
            },
            Request::Collect(collect) => match self.providers.get(&collect.provider) {
                Some(provider) => match provider.collecting() {
                    Some(collecting) => (collecting.look_up_collect(collect), provider.settles_after()),
                    None => {
                        return LookUp::CannotTell {
                            why: "the provider takes no money on mandates any more".to_owned(),
                        };
                    }
                },
                None => {
                    return LookUp::CannotTell { why: format!("provider `{}` is not in the config", collect.provider) };
                }
            },
            Request::Journal(journal) => (self.erp.look_up(journal), self.erp.settles_after()),
            Request::PayoutJournal(journal) => match self.erp.payout_posting() {
                Some(payouts) => (payouts.look_up_payout(journal), self.erp.settles_after()),
                None => return LookUp::CannotTell { why: "the ERP takes no journals of payouts".to_owned() },
            },
            Request::Mail(mail) => match &self.post {
                Some(post) => (post.look_up(mail), post.settles_after()),
                None => return LookUp::CannotTell { why: "no mail transport is configured".to_owned() },
            },
            Request::Cancel(cancel) => match self.providers.get(&cancel.provider) {
                Some(provider) => match provider.cancelling() {
                    Some(cancelling) => (cancelling.look_up_cancel(cancel), provider.settles_after()),
                    None => {
                        return LookUp::CannotTell { why: "the provider cannot close payments any more".to_owned() };
                    }
                },
                None => {
                    return LookUp::CannotTell { why: format!("provider `{}` is not in the config", cancel.provider) };
                }
            },
            Request::Deletion(deletion) => match self.erp.order_deletion() {
                Some(orders) => (orders.look_up_delete(deletion), self.erp.settles_after()),
                None => return LookUp::CannotTell { why: "the ERP lets no order go".to_owned() },
            },
            // Told once more it is the same event: the portal knows it by its id.
            Request::Event(_) => return LookUp::Absent,
        };
        match &found {
            LookUp::Absent if last_sent_ago < settles_after => {
                LookUp::CannotTell { why: "not found, but it was sent too recently to be sure".to_owned() }
            }
            LookUp::Found(_) | LookUp::Absent | LookUp::CannotTell { .. } => found,
        }
    }

    pub fn outstanding(&self, document: &Document) -> Result<Amount, PortError> {
        self.erp.outstanding(document)
    }

    pub fn capabilities(&self, provider: &ProviderName, method: &MethodName) -> Option<Capabilities> {
        self.providers.get(provider).map(|provider| provider.capabilities(method))
    }

    /// Whether an open payment at this provider can be closed.
    pub fn can_cancel(&self, provider: &ProviderName) -> bool {
        self.providers.get(provider).is_some_and(|provider| provider.cancelling().is_some())
    }

    /// Whether money can be taken on a mandate at this provider.
    pub fn can_collect(&self, provider: &ProviderName) -> bool {
        self.providers.get(provider).is_some_and(|provider| provider.collecting().is_some())
    }

    /// Makes a payment page, or finds the one there is. It moves no money: no operation stands for it.
    pub fn make_page(&self, wish: &PageWish) -> Result<PaymentLink, PortError> {
        let Some(provider) = self.providers.get(&wish.provider) else {
            return Err(PortError::CannotTell { why: format!("provider `{}` is not in the config", wish.provider) });
        };
        kill_switch::pass(Moment::BeforeCall, "page");
        let made = wish.make(provider.as_ref());
        kill_switch::pass(Moment::AfterCall, "page");
        made
    }

    pub fn standing(&self, provider: &ProviderName, transaction: &TransactionId) -> Result<PspPayment, PortError> {
        match self.providers.get(provider) {
            Some(adapter) => adapter.standing(transaction),
            None => Err(PortError::CannotTell { why: format!("provider `{provider}` is not in the config") }),
        }
    }
}

fn not_offered(why: &str) -> Answer {
    Answer::Refused(Refusal { code: "not_offered".to_owned(), message: why.to_owned(), transient: false })
}

fn not_configured(provider: &ProviderName) -> Answer {
    Answer::NotDone { why: format!("provider `{provider}` is not in the config"), retry_after_seconds: None }
}
