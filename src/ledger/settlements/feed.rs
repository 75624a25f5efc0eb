//! For which time the reports of an account are complete.

use chrono::DateTime;

use super::SettledAccount;
use crate::domain::settlement::LineKind;
use crate::domain::settlement::feed::{Feed, PayoutInTime};
use crate::ledger::row::Columns;
use crate::ledger::{Ledger, LedgerError, Result};

impl Ledger {
    /// Reads every line of the account: once a run.
    pub fn report_feed(&self, account: &SettledAccount) -> Result<Feed> {
        let mut statement = self.connection.prepare_cached(
            "SELECT p.reference, p.state, min(l.occurred_at) AS first, max(l.occurred_at) FILTER (WHERE l.kind = ?3) AS paid_at
             FROM settlement_lines l JOIN payouts p ON p.id = l.payout_id JOIN merchant_accounts a ON a.id = p.account_id
             WHERE a.provider = ?1 AND a.merchant_account = ?2 AND p.reference <> '' GROUP BY p.id",
        )?;
        let name = (account.provider.as_str(), account.merchant_account.as_str(), LineKind::Payout.code());
        let payouts = statement.query_and_then(name, |row| {
            let paid_at: Option<i64> = row.plain("paid_at")?;
            let paid_at = paid_at.filter(|_| row.text("state").is_ok_and(|state| state == "closed"));
            let seconds = paid_at.map_or_else(|| row.plain("first"), Ok)?;
            Ok(PayoutInTime {
                reference: row.plain("reference")?,
                at: DateTime::from_timestamp(seconds, 0)
                    .ok_or_else(|| LedgerError::damaged(format!("{seconds} as occurred_at")))?,
                is_closed: paid_at.is_some(),
            })
        })?;
        Ok(Feed::of(payouts.collect::<Result<_>>()?))
    }
}
