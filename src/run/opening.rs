//! Opening the ledger that the settings name, to work with or to look at.

use chrono::{DateTime, Utc};

use crate::config::Settings;
use crate::domain::booking::Books;
use crate::failure::{Failure, Result};
use crate::ledger::{Ledger, LedgerError, OpenOptions};

/// Opens the ledger the settings name. From the first time on that they name a portal, it is told what happens.
pub fn open_ledger(settings: &Settings, create: bool, now: DateTime<Utc>) -> Result<Ledger> {
    let options = OpenOptions { create, allow_network_filesystem: settings.allow_network_filesystem };
    let mut ledger = Ledger::open(&settings.ledger, options, books(settings), now).map_err(refused)?;
    refuse_renamed(&ledger, settings)?;
    if settings.portal.is_some() && !ledger.tells_portal().map_err(refused)? {
        ledger.write("portal on", None, now, |writer| writer.tell_portal(true)).map_err(refused)?;
    }
    Ok(ledger)
}

/// The provider's name is part of every key. Under another name the PSP would be asked for the same money with other keys, and
/// its reports booked twice.
fn refuse_renamed(ledger: &Ledger, settings: &Settings) -> Result<()> {
    let known = ledger.known_accounts().map_err(refused)?;
    for provider in settings.providers.values() {
        let is_known =
            known.iter().any(|(name, account)| *name == provider.name && *account == provider.merchant_account);
        let before = known
            .iter()
            .find(|(name, account)| *account == provider.merchant_account && !settings.providers.contains_key(name));
        if let Some((before, account)) = before.filter(|_| !is_known) {
            let name = &provider.name;
            return Err(Failure::config(anyhow::anyhow!(
                "the ledger has the merchant account `{account}` as that of provider `{before}`, and the config as that of `{name}`"
            ))
            .hint(format!(
                "a provider keeps its name: write `[provider.{before}]`. If `{name}` is another PSP whose account has the same name, \
                 keep the table of `{before}` beside it"
            )));
        }
    }
    Ok(())
}

/// Opens the ledger so that nothing of it can change.
pub fn look_at_ledger(settings: &Settings) -> Result<Ledger> {
    Ledger::open_to_look(&settings.ledger, settings.allow_network_filesystem, books(settings)).map_err(refused)
}

pub fn books(settings: &Settings) -> Books {
    Books {
        mode: settings.mode.as_str(),
        shop: settings.shop.clone(),
        time_zone: settings.time_zone,
        accounts: settings.accounts.clone(),
        company: settings.erp.company.clone(),
        default_customer: settings.erp.default_customer.clone(),
    }
}

/// A refusal of the ledger as a failure with its hint.
pub fn refused(error: LedgerError) -> Failure {
    let hint = error.hint();
    let failure = Failure::ledger(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
