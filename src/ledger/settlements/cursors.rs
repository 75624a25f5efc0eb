//! How far the payouts of each merchant account were asked for.

use chrono::{DateTime, Utc};

use super::SettledAccount;
use crate::ledger::row::{Columns, time_text};
use crate::ledger::{Ledger, Result, Writer};

impl Ledger {
    /// When the latest payout was paid whose lines are stored; `None` before the first.
    pub fn payout_cursor(&self, account: &SettledAccount) -> Result<Option<DateTime<Utc>>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT c.paid_at FROM payout_cursors c JOIN merchant_accounts a ON a.id = c.account_id
             WHERE a.provider = ?1 AND a.merchant_account = ?2",
        )?;
        let name = (account.provider.as_str(), account.merchant_account.as_str());
        let mut found = statement.query_and_then(name, |row| row.time("paid_at"))?;
        found.next().transpose()
    }

    /// Whether all of a payout is there and adds up.
    pub fn is_payout_closed(&self, account: &SettledAccount, reference: &str) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM payouts p JOIN merchant_accounts a ON a.id = p.account_id
                            WHERE a.provider = ?1 AND a.merchant_account = ?2 AND p.reference = ?3 AND p.state = 'closed')",
        )?;
        let key = (account.provider.as_str(), account.merchant_account.as_str(), reference);
        Ok(statement.query_row(key, |row| row.get(0))?)
    }
}

impl Writer<'_> {
    /// Moves the account's cursor forward, and never back.
    pub fn move_payout_cursor(&self, account: &SettledAccount, paid_at: DateTime<Utc>) -> Result<()> {
        let account = self.account_id(account)?;
        self.connection
            .prepare_cached(
                "INSERT INTO payout_cursors (account_id, paid_at) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET paid_at = max(paid_at, ?2)",
            )?
            .execute((account.0, time_text(paid_at)))?;
        Ok(())
    }
}
