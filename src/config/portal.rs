//! `[portal]`: the web shop's portal that is told what happens, as typed and as resolved.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::resolve::Resolver;
use super::secret::Secret;
use super::settings::PortalSettings;
use super::table::{Given, Place, Table};
use super::value::{duration, path, text};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct PortalTable {
    place: Place,
    is_there: bool,
    webhook_url: Given<String>,
    secret: Given<Secret>,
    timeout: Given<Duration>,
    ca_file: Given<PathBuf>,
}

impl PortalTable {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let folder = table.reading().folder.clone();
        Self {
            place: table.place().clone(),
            is_there: table.is_there(),
            webhook_url: table.take("webhook_url", text(webhook_url, "https://shop.example/payjournal")),
            secret: table.secret("secret"),
            timeout: table.take("timeout", duration(SECOND)),
            ca_file: table.take("ca_file", path(&folder)),
        }
    }

    /// `None` without the table.
    pub(super) fn resolve(self, all: &mut Resolver<'_, '_>) -> Option<PortalSettings> {
        let Self { place, is_there, webhook_url, secret, timeout, ca_file } = self;
        if !is_there {
            return None;
        }
        let webhook_url = all.without_default(webhook_url);
        let secret = all.without_default(secret);
        let timeout = all.or("portal", "timeout", timeout, Duration::from_secs(10));
        let ca_file = all.without_default(ca_file);
        let lacks = [
            ("webhook_url", webhook_url.is_none(), "where the portal takes events"),
            ("secret", secret.is_none(), "what events are signed with"),
        ];
        for (key, _, what) in lacks.into_iter().filter(|(_, lacks, _)| *lacks) {
            if !all.reading.is_wrong(&format!("portal.{key}")) {
                all.reading.problem_at(&place, &format!("`portal.{key}` is missing: {what}"));
            }
        }
        Some(PortalSettings { webhook_url: webhook_url?, secret: secret?, timeout, ca_file })
    }
}

/// Customers' orders go to nobody in the clear, and no password stands in the config.
fn webhook_url(text: &str) -> Result<String, String> {
    let expected = || "expected an address such as `https://shop.example/payjournal`".to_owned();
    let url = Url::parse(text).map_err(|_| expected())?;
    let host = url.host_str().ok_or_else(expected)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "a name and a password do not belong into an address: events are signed with `portal.secret`".to_owned()
        );
    }
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        // `https:shop` would be taken for one too.
        _ if !text.contains("://") => Err(expected()),
        "https" => Ok(text.to_owned()),
        "http" if is_here => Ok(text.to_owned()),
        "http" => Err("it would be sent for everybody to read; write `https://`".to_owned()),
        _ => Err(expected()),
    }
}
