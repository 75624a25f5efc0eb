//! Events by HTTP: a signed POST each, encrypted unless the portal is on this machine. No redirect is followed, and nothing of an answer
//! is read but its status.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::Portal;
use super::signature::SigningKey;
use crate::config::settings::PortalSettings;
use crate::domain::id::ModificationId;
use crate::operation::request::EventRequest;
use crate::operation::{Answer, Refusal};

/// A run that has done its work is not held up for longer by events.
const LONGEST: Duration = Duration::from_mins(1);

/// So many calls in a row without an answer are enough for one run.
const MOST_UNANSWERED: u32 = 4;

pub struct Webhook {
    settings: PortalSettings,
    /// Read when the first event is due: a secret that is not there stops no money.
    calls: OnceLock<Result<Calls, String>>,
    began: OnceLock<Instant>,
    unanswered: AtomicU32,
    now: DateTime<Utc>,
}

/// What calls are made with.
struct Calls {
    /// Never dropped: that would wait for a name server that is silent, long after the call has timed out.
    client: ManuallyDrop<Client>,
    key: SigningKey,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Reads nothing and connects to nobody.
    pub fn new(settings: &PortalSettings, now: DateTime<Utc>) -> Self {
        let (calls, began) = (OnceLock::new(), OnceLock::new());
        Self { settings: settings.clone(), calls, began, unanswered: AtomicU32::new(0), now }
    }

    /// The answer, and whether anybody gave one.
    fn call(&self, request: &EventRequest) -> (Answer, bool) {
        let calls = match self.calls.get_or_init(|| Calls::open(&self.settings).map_err(|error| format!("{error:#}"))) {
            Ok(calls) => calls,
            Err(why) => return (not_taken(why.clone()), false),
        };
        let at = clock().timestamp();
        let signature = match calls.key.sign(&request.event, at, &request.body) {
            Ok(signature) => signature,
            Err(error) => return (not_taken(format!("{error:#}")), false),
        };
        let sent = calls
            .client
            .post(&self.settings.webhook_url)
            .header("content-type", "application/json")
            .header("webhook-id", &request.event)
            .header("webhook-timestamp", at.to_string())
            .header("webhook-signature", signature)
            .body(request.body.clone())
            .send();
        match sent {
            // One that is busy is not there for the other events either.
            Ok(response) => {
                let status = response.status().as_u16();
                (self.answered(request, status), !matches!(status, 429 | 503))
            }
            Err(error) => (unanswered(error), false),
        }
    }

    /// What a status says. Anything but 2xx, and what a portal says while it is busy or broken, is a refusal: an answer somebody has to
    /// look at, if it stays so.
    fn answered(&self, request: &EventRequest, status: u16) -> Answer {
        match status {
            200..=299 => match ModificationId::parse(&request.event) {
                Ok(modification) => Answer::Confirmed { modification, at: self.now, amount: None },
                Err(error) => not_taken(error.to_string()),
            },
            408 | 429 | 500..=599 => not_taken(format!("the portal answered HTTP {status}")),
            300..=399 => {
                refused(status, "it wants to be called elsewhere, which is not followed: correct `portal.webhook_url`")
            }
            _ => refused(status, "the portal does not take it"),
        }
    }
}

impl Portal for Webhook {
    fn deliver(&self, request: &EventRequest) -> Answer {
        self.began.get_or_init(Instant::now);
        let (answer, is_heard) = self.call(request);
        if is_heard {
            self.unanswered.store(0, Ordering::SeqCst);
        } else {
            self.unanswered.fetch_add(1, Ordering::SeqCst);
        }
        answer
    }

    fn is_left_alone(&self) -> bool {
        self.unanswered.load(Ordering::SeqCst) >= MOST_UNANSWERED
            || self.began.get().is_some_and(|began| began.elapsed() >= LONGEST)
    }
}

impl Calls {
    fn open(settings: &PortalSettings) -> anyhow::Result<Self> {
        let key = SigningKey::parse(&settings.secret.read()?)?;
        // Without a proxy: the environment decides nothing here. Nothing is sent again but by an operation.
        let client = Client::builder()
            .timeout(settings.timeout)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("payjournal/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls(settings)?);
        let client = client.build().map_err(reqwest::Error::without_url)?;
        Ok(Self { client: ManuallyDrop::new(client), key })
    }
}

/// With the cryptography that mails are encrypted with.
fn tls(settings: &PortalSettings) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots(settings)?).with_no_client_auth())
}

/// The certificates of the system, as for mails, and those of the config.
fn roots(settings: &PortalSettings) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // A system may have old ones that are not read any more.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &settings.ca_file {
        let unreadable = || format!("`portal.ca_file`, `{}`, cannot be read", path.display());
        let given = CertificateDer::pem_file_iter(path).with_context(unreadable)?;
        let before = roots.len();
        for certificate in given {
            roots.add(certificate.with_context(unreadable)?).with_context(unreadable)?;
        }
        ensure!(roots.len() > before, "{}: it has no certificate", unreadable());
    }
    Ok(roots)
}

fn not_taken(why: String) -> Answer {
    Answer::NotDone { why, retry_after_seconds: None }
}

/// It is tried again all the same: whoever runs the portal mends it, and nothing has to be done here then.
fn refused(status: u16, why: &str) -> Answer {
    Answer::Refused(Refusal { code: format!("http_{status}"), message: why.to_owned(), transient: true })
}

/// Where the connection broke off, or took too long, it may have arrived.
fn unanswered(error: reqwest::Error) -> Answer {
    let is_before = error.is_connect() || error.is_builder();
    // An address may have a token in it.
    let error = anyhow::Error::from(error.without_url());
    if is_before {
        not_taken(format!("the portal cannot be reached: {error:#}"))
    } else {
        Answer::Unknown { why: format!("the portal broke off or took too long: {error:#}") }
    }
}

#[expect(clippy::disallowed_methods, reason = "the portal compares the time of a call with its own clock")]
fn clock() -> DateTime<Utc> {
    Utc::now()
}
