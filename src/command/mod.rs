//! The subcommands that are not tasks.

pub mod cancel_invoice;
pub mod check;
pub mod checkout;
pub mod credit_note;
pub mod demo;
pub mod explain;
pub mod export;
pub mod import;
pub mod init;
pub mod invoice;
pub mod leftovers;
pub mod man;
pub mod mandates;
pub mod matching;
pub mod output;
pub mod payouts;
pub mod person;
pub mod refund_balance;
pub mod restore;
pub mod sandbox;
pub mod show;
pub mod simulate;
pub mod status;
pub mod table;
pub mod verify;

use crate::config::Settings;
use crate::exchange::import::ImportDefaults;

impl ImportDefaults {
    /// What an empty cell of an import file stands for, by the settings.
    pub fn of(settings: &Settings) -> Self {
        let providers = settings.providers.iter();
        Self {
            shop: settings.shop.clone(),
            company: settings.erp.company.clone(),
            default_customer: settings.erp.default_customer.clone(),
            providers: providers.map(|(name, provider)| (name.clone(), provider.merchant_account.clone())).collect(),
        }
    }
}
