//! The merchant accounts a ledger has rows of.

use super::row::Columns;
use super::{Ledger, Result};
use crate::domain::id::{MerchantAccount, ProviderName};

/// Payments are found by their account, so that each account is one step in their index, however many payments it has.
const KNOWN: &str = "
    WITH RECURSIVE paid (provider, merchant_account) AS (
      SELECT min(provider), (SELECT min(merchant_account) FROM payments WHERE provider = (SELECT min(provider) FROM payments))
      FROM payments
      UNION ALL
      SELECT
        (SELECT p.provider FROM payments p WHERE (p.provider, p.merchant_account) > (paid.provider, paid.merchant_account)
         ORDER BY p.provider, p.merchant_account LIMIT 1),
        (SELECT p.merchant_account FROM payments p WHERE (p.provider, p.merchant_account) > (paid.provider, paid.merchant_account)
         ORDER BY p.provider, p.merchant_account LIMIT 1)
      FROM paid WHERE paid.provider IS NOT NULL)
    SELECT provider, merchant_account FROM paid WHERE provider IS NOT NULL
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
