//! Events by HTTP: a signed POST each, encrypted unless the portal is on this machine. No redirect is followed, and nothing of an answer
//! is read but its status.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error};

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
    agent: Agent,
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
            .agent
            .post(&self.settings.webhook_url)
            .header("content-type", "application/json")
            .header("webhook-id", &request.event)
            .header("webhook-timestamp", at.to_string())
            .header("webhook-signature", signature)
            .send(request.body.as_str());
        match sent {
            // One that is busy is not there for the other events either.
            Ok(response) => {
                let status = response.status().as_u16();
                (self.answered(request, status), !matches!(status, 429 | 503))
            }
            Err(error) => (unanswered(&error), false),
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
        // Without a proxy: the environment decides nothing here.
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("payjournal/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots(settings)?).build());
        Ok(Self { agent: config.build().new_agent(), key })
    }
}

/// The certificates of the system, as for mails, and the one of the config.
fn roots(settings: &PortalSettings) -> anyhow::Result<RootCerts> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut roots: Vec<Certificate<'static>> = system.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    if let Some(path) = &settings.ca_file {
        let unreadable = || format!("`portal.ca_file`, `{}`, cannot be read", path.display());
        let pem = std::fs::read(path).with_context(unreadable)?;
        roots.push(Certificate::from_pem(&pem).with_context(unreadable)?);
    }
    Ok(RootCerts::new_with_certs(&roots))
}

fn not_taken(why: String) -> Answer {
    Answer::NotDone { why, retry_after_seconds: None }
}

/// It is tried again all the same: whoever runs the portal mends it, and nothing has to be done here then.
fn refused(status: u16, why: &str) -> Answer {
    Answer::Refused(Refusal { code: format!("http_{status}"), message: why.to_owned(), transient: true })
}

/// Where the connection broke off, or took too long, it may have arrived.
fn unanswered(error: &Error) -> Answer {
    let is_before = matches!(
        error,
        Error::HostNotFound | Error::ConnectionFailed | Error::Tls(_) | Error::Rustls(_) | Error::Pem(_)
    );
    let is_refused = matches!(error, Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused);
    if is_before || is_refused {
        not_taken(format!("the portal cannot be reached: {error}"))
    } else {
        Answer::Unknown { why: format!("the portal broke off or took too long: {error}") }
    }
}

#[expect(clippy::disallowed_methods, reason = "the portal compares the time of a call with its own clock")]
fn clock() -> DateTime<Utc> {
    Utc::now()
}
