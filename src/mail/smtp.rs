//! Mails by SMTP. A server says that it took a mail, or that it did not; where it breaks off in between nobody can ask it, and
//! the mail is not sent again before a person has looked: a customer gets no invoice twice.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::{Address, Message};
use secrecy::ExposeSecret;

use super::Post;
use super::message::message;
use crate::config::settings::{MailSettings, SmtpSecurity, SmtpSettings};
use crate::domain::id::ModificationId;
use crate::operation::request::MailRequest;
use crate::operation::{Answer, LookUp, Refusal};

/// As `mail_queue` tells it apart.
pub const UNANSWERED: &str = "unanswered";

/// Connections are kept for the next mail of the run.
pub struct Smtp {
    server: SmtpSettings,
    mail: MailSettings,
    login: Option<Credentials>,
    tls: Option<TlsParameters>,
    hello: ClientId,
    idle: Mutex<Vec<SmtpConnection>>,
    now: DateTime<Utc>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Smtp {
    /// Reads the password and the certificate; connects to nobody.
    pub fn open(server: &SmtpSettings, mail: &MailSettings, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let login = match &server.login {
            Some(login) => {
                let password = login.password.read()?;
                Some(Credentials::new(login.user.clone(), password.expose_secret().to_owned()))
            }
            None => None,
        };
        let tls = match server.security {
            SmtpSecurity::StartTls | SmtpSecurity::Tls => Some(tls(server)?),
            SmtpSecurity::None => None,
        };
        // Servers look up who greets them: the domain that mails come from is one they can find.
        let domain = mail.from.rsplit_once('@').map(|(_, domain)| domain.trim_end_matches('>').to_owned());
        let hello = domain.map_or_else(ClientId::default, ClientId::Domain);
        let idle = Mutex::new(Vec::new());
        Ok(Self { server: server.clone(), mail: mail.clone(), login, tls, hello, idle, now })
    }

    /// One that is there and still answers, or a new one.
    fn connection(&self) -> Result<SmtpConnection, Error> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut connection) = idle else { return self.connect() };
            if connection.test_connected() {
                return Ok(connection);
            }
        }
    }

    fn connect(&self) -> Result<SmtpConnection, Error> {
        let address = (self.server.host.trim_matches(['[', ']']), self.server.port);
        let at_once = self.tls.as_ref().filter(|_| self.server.security == SmtpSecurity::Tls);
        let mut connection = SmtpConnection::connect(address, Some(self.server.timeout), &self.hello, at_once, None)?;
        if let (Some(tls), SmtpSecurity::StartTls) = (&self.tls, self.server.security) {
            connection.starttls(tls, &self.hello)?;
        }
        if let Some(login) = &self.login {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], login)?;
        }
        Ok(connection)
    }

    fn keep(&self, connection: SmtpConnection) {
        if !connection.has_broken() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }

    /// Everything before the mail itself: what goes wrong here has delivered nothing.
    fn announce(connection: &mut SmtpConnection, mail: &Message) -> Result<(), Answer> {
        let envelope = mail.envelope();
        let mut options = Vec::new();
        let is_beyond = |address: &Address| {
            let text: &str = address.as_ref();
            !text.is_ascii()
        };
        if envelope.from().is_some_and(is_beyond) || envelope.to().iter().any(is_beyond) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(refused(
                    "bad_address",
                    "the server takes no addresses with letters beyond ASCII".to_owned(),
                ));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        connection.command(Mail::new(envelope.from().cloned(), options)).map_err(|error| not_taken(&error))?;
        for recipient in envelope.to() {
            let rcpt = Rcpt::new(recipient.clone(), Vec::new());
            connection.command(rcpt).map_err(|error| not_taken(&error))?;
        }
        connection.command(Data).map_err(|error| not_taken(&error)).map(|_| ())
    }
}

/// The server's own no is final where its code says so; anything else leaves the mail for the next run.
fn not_taken(error: &Error) -> Answer {
    match error.status() {
        Some(code) if error.is_permanent() => refused(&code.to_string(), said(error)),
        Some(_) | None => Answer::NotDone { why: said(error), retry_after_seconds: None },
    }
}

fn refused(code: &str, message: String) -> Answer {
    Answer::Refused(Refusal { code: code.to_owned(), message, transient: false })
}

/// With its causes: "network error" alone helps nobody.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn tls(server: &SmtpSettings) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(server.host.trim_matches(['[', ']']).to_owned());
    if let Some(path) = &server.ca_file {
        let unreadable = || format!("`mail.smtp.ca_file`, `{}`, cannot be read", path.display());
        let pem = std::fs::read(path).with_context(unreadable)?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).with_context(unreadable)?);
    }
    builder.build().context("TLS cannot be set up for `mail.smtp`")
}

impl Post for Smtp {
    fn deliver(&self, request: &MailRequest) -> Answer {
        let modification = match ModificationId::parse(request.key.as_str()) {
            Ok(id) => id,
            Err(error) => return refused("bad_key", error.to_string()),
        };
        let mail = match message(request, &self.mail) {
            Ok(mail) => mail,
            Err(error) => return refused("bad_message", format!("{error:#}")),
        };
        let at = format!("{}:{}", self.server.host, self.server.port);
        let mut connection = match self.connection() {
            Ok(connection) => connection,
            Err(error) => {
                let why = format!("the mail server {at} cannot be used: {}", said(&error));
                return Answer::NotDone { why, retry_after_seconds: None };
            }
        };
        if let Err(answer) = Self::announce(&mut connection, &mail) {
            // For the next mail, if the server is still there.
            if connection.command(Rset).is_ok() {
                self.keep(connection);
            }
            return answer;
        }
        match connection.message(&mail.formatted()) {
            Ok(_) => {
                self.keep(connection);
                Answer::Confirmed { modification, at: self.now, amount: None }
            }
            Err(error) if error.status().is_some() => {
                self.keep(connection);
                not_taken(&error)
            }
            Err(error) => Answer::Unknown { why: format!("the mail server {at} broke off: {}", said(&error)) },
        }
    }

    /// A mail server cannot be asked. That is said at once: a person can look where the mail went, no program can.
    fn look_up(&self, request: &MailRequest) -> LookUp {
        let whom = request.address.as_deref().unwrap_or("the addresses in [mail]");
        LookUp::Found(refused(UNANSWERED, format!("the mail to {whom} may have arrived, or not")))
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }
}
