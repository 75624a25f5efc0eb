//! The merchant accounts a ledger has rows of.

use super::row::Columns;
use super::{Ledger, Result};
use crate::domain::id::{MerchantAccount, ProviderName};

/// Payments are found by their account, so that each provider and each account is one step in their index, however many payments it
/// has. (Of a comparison of pairs, `SQLite` reads all that are equal.)
const KNOWN: &str = "
    WITH RECURSIVE
    providers (name) AS (
      SELECT min(provider) FROM payments
      UNION ALL
      SELECT (SELECT min(p.provider) FROM payments p WHERE p.provider > providers.name) FROM providers WHERE name IS NOT NULL),
    paid (provider, merchant_account) AS (
      SELECT name, (SELECT min(p.merchant_account) FROM payments p WHERE p.provider = name) FROM providers WHERE name IS NOT NULL
      UNION ALL
      SELECT paid.provider, (SELECT min(p.merchant_account) FROM payments p
                             WHERE p.provider = paid.provider AND p.merchant_account > paid.merchant_account)
      FROM paid WHERE paid.merchant_account IS NOT NULL)
    SELECT provider, merchant_account FROM paid WHERE merchant_account IS NOT NULL
    UNION SELECT provider, merchant_account FROM merchant_accounts";

impl Ledger {
    /// The accounts of all payments and settlement lines, by the names they were first configured with.
    pub fn known_accounts(&self) -> Result<Vec<(ProviderName, MerchantAccount)>> {
        let mut statement = self.connection.prepare_cached(KNOWN)?;
        let rows = statement.query_and_then([], |row| {
            Ok((row.named("provider", ProviderName::parse)?, row.named("merchant_account", MerchantAccount::parse)?))
        })?;
        rows.collect()
    }
}
