//! `[mail]` and `[mail.smtp]`: what carries mails, from whom and to whom.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::{SmtpSecurityWord, TransportWord};
use super::resolve::Resolver;
use super::secret::Secret;
use super::settings::{MailSettings, MailTransport, SmtpLogin, SmtpSecurity, SmtpSettings};
use super::table::{Given, Place, Table};
use super::value::{address, addresses, choice, duration, number, path, text};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct MailTable {
    transport: Given<TransportWord>,
    maildir: Given<PathBuf>,
    from: Given<String>,
    administrator: Given<Vec<String>>,
    payment_notifications: Given<Vec<String>>,
    smtp: SmtpTable,
}

#[derive(Debug)]
struct SmtpTable {
    place: Place,
    host: Given<String>,
    port: Given<u32>,
    security: Given<SmtpSecurityWord>,
    user: Given<String>,
    password: Given<Secret>,
    ca_file: Given<PathBuf>,
    timeout: Given<Duration>,
}

impl MailTable {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let folder = table.reading().folder.clone();
        Self {
            transport: table.take("transport", choice),
            maildir: table.take("maildir", path(&folder)),
            from: table.take("from", address),
            administrator: table.take("administrator", addresses),
            payment_notifications: table.take("payment_notifications", addresses),
            smtp: table.table("smtp", |smtp| SmtpTable {
                place: smtp.place().clone(),
                host: smtp.take("host", text(host, "smtp.example.com")),
                port: smtp.take("port", number(1..=65_535)),
                security: smtp.take("security", choice),
                user: smtp.take("user", text(word, "payjournal@shop.example")),
                password: smtp.secret("password"),
                ca_file: smtp.take("ca_file", path(&folder)),
                timeout: smtp.take("timeout", duration(SECOND)),
            }),
        }
    }

    pub(super) fn resolve(self, all: &mut Resolver<'_, '_>) -> MailSettings {
        let Self { transport, maildir, from, administrator, payment_notifications, smtp } = self;
        let transport_place = transport.as_ref().map(|given| given.place.clone());
        let transport = all.or("mail", "transport", transport, TransportWord::File);
        let maildir = all.or("mail", "maildir", maildir, all.reading.folder.join("mail"));
        let from = all.or("mail", "from", from, "payjournal@localhost".to_owned());
        let administrator = all.or("mail", "administrator", administrator, vec!["administrator@localhost".to_owned()]);
        let payment_notifications =
            all.or("mail", "payment_notifications", payment_notifications, administrator.clone());
        let transport = match transport {
            TransportWord::File => MailTransport::File { maildir },
            TransportWord::None => MailTransport::None,
            TransportWord::Smtp => match smtp.resolve(transport_place.as_ref(), all) {
                Some(smtp) => MailTransport::Smtp(Box::new(smtp)),
                // A problem is noted, and nothing runs with these settings.
                None => MailTransport::None,
            },
        };
        MailSettings { transport, from, administrator, payment_notifications }
    }
}

impl SmtpTable {
    fn resolve(self, transport: Option<&Place>, all: &mut Resolver<'_, '_>) -> Option<SmtpSettings> {
        let Self { place, host, port, security, user, password, ca_file, timeout } = self;
        let user_place = user.as_ref().map(|given| given.place.clone());
        let password_place = password.as_ref().map(|given| given.place.clone());
        let host = all.without_default(host);
        let security = all.or("mail.smtp", "security", security, SmtpSecurityWord::Starttls);
        let usual = match security {
            SmtpSecurityWord::Starttls => 587,
            SmtpSecurityWord::Tls => 465,
            SmtpSecurityWord::None => 25,
        };
        let port = all.or("mail.smtp", "port", port, usual);
        let user = all.without_default(user);
        let password = all.without_default(password);
        let ca_file = all.without_default(ca_file);
        let timeout = all.or("mail.smtp", "timeout", timeout, Duration::from_secs(30));
        let login = match (user, password) {
            (Some(user), Some(password)) => Some(SmtpLogin { user, password }),
            (None, None) => None,
            (Some(_), None) => {
                all.reading.problem_at(user_place.as_ref().unwrap_or(&place), "there is no `mail.smtp.password` to it");
                return None;
            }
            (None, Some(_)) => {
                all.reading.problem_at(password_place.as_ref().unwrap_or(&place), "there is no `mail.smtp.user` to it");
                return None;
            }
        };
        if login.is_some() && security == SmtpSecurityWord::None {
            let why = "with `mail.smtp.security = \"none\"` it would be sent for everybody to read; use \"starttls\" or \"tls\"";
            all.reading.problem_at(password_place.as_ref().unwrap_or(&place), why);
        }
        let Some(host) = host else {
            if !all.reading.is_wrong("mail.smtp.host") {
                let why = "`mail.smtp.host` is missing: the server that takes the mails";
                all.reading.problem_at(transport.unwrap_or(&place), why);
            }
            return None;
        };
        let security = match security {
            SmtpSecurityWord::Starttls => SmtpSecurity::StartTls,
            SmtpSecurityWord::Tls => SmtpSecurity::Tls,
            SmtpSecurityWord::None => SmtpSecurity::None,
        };
        let port = u16::try_from(port).unwrap_or(u16::MAX);
        Some(SmtpSettings { host, port, security, login, ca_file, timeout })
    }
}

fn host(text: &str) -> Result<String, String> {
    let is_host = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    if is_host { Ok(text.to_owned()) } else { Err("expected a host name or an address, without a port".to_owned()) }
}

fn word(text: &str) -> Result<String, String> {
    let is_word = !text.trim().is_empty() && !text.chars().any(char::is_control);
    if is_word { Ok(text.to_owned()) } else { Err("expected a name".to_owned()) }
}
