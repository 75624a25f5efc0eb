//! The other side, as one value: providers, ERP and post. Every call that may change something outside passes [`Ports::send`].

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
use crate::operation::{Answer, LookUp};
use crate::provider::reports::ReportsOnly;
use crate::provider::sandbox::Sandbox;
use crate::provider::{Capabilities, PortError, Provider, PspPayment};

pub struct Ports {
    pub providers: BTreeMap<ProviderName, Box<dyn Provider>>,
    pub erp: Box<dyn Erp>,
    /// None: mails are queued and nobody delivers them.
    pub post: Option<Box<dyn Post>>,
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
            ErpKind::Local => Box::new(Local::new(settings.erp.unreachable, now)),
        };
        let post: Option<Box<dyn Post>> = match &settings.mail.transport {
            MailTransport::File { maildir } => Some(Box::new(Maildir::new(maildir, &settings.mail, now))),
            MailTransport::Smtp(server) => Some(Box::new(Smtp::open(server, &settings.mail, now)?)),
            MailTransport::None => None,
        };
        Ok(Self { providers, erp, post })
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
            Request::Journal(journal) => self.erp.deliver(journal),
            Request::Mail(mail) => match &self.post {
                Some(post) => post.deliver(mail),
                None => {
                    Answer::NotDone { why: "no mail transport is configured".to_owned(), retry_after_seconds: None }
                }
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
            Request::Journal(journal) => (self.erp.look_up(journal), self.erp.settles_after()),
            Request::Mail(mail) => match &self.post {
                Some(post) => (post.look_up(mail), post.settles_after()),
                None => return LookUp::CannotTell { why: "no mail transport is configured".to_owned() },
            },
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

    pub fn standing(&self, provider: &ProviderName, transaction: &TransactionId) -> Result<PspPayment, PortError> {
        match self.providers.get(provider) {
            Some(adapter) => adapter.standing(transaction),
            None => Err(PortError::CannotTell { why: format!("provider `{provider}` is not in the config") }),
        }
    }
}

fn not_configured(provider: &ProviderName) -> Answer {
    Answer::NotDone { why: format!("provider `{provider}` is not in the config"), retry_after_seconds: None }
}
