//! The lines of many payments at once. Lines lie payout by payout, so that those of one payment are one look-up for each payout; of
//! many payments they are read from end to end instead, and put in the order of the payments, in a table of this connection alone.

use super::learning::{SETTLED_LINE, settled_line};
use super::touched::IdSet;
use crate::domain::id::PaymentId;
use crate::domain::settlement::facts::SettledLine;
use crate::ledger::{Ledger, Result};

/// So many lines are read on in the time of one look-up: measured.
const LINES_PER_LOOK_UP: i64 = 8;

/// Not worth two tables, whatever there is.
const FEW: i64 = 200;

const FORGET: &str = "DROP TABLE IF EXISTS temp.wanted_transactions; DROP TABLE IF EXISTS temp.gathered_lines;";

impl Ledger {
    /// Gathers the lines of the payments that nobody has looked at, if they are so many that this is faster. Lines do not change
    /// before [`Ledger::forget_gathered`], as only the run that has the task's lock adds some.
    pub fn gather_lines(&mut self) -> Result<()> {
        self.forget_gathered()?;
        let (payments, places, lines): (i64, i64, i64) = self.connection.query_row(
            "SELECT (SELECT count(*) FROM payments_to_learn WHERE movement_seen IS NULL),
               (SELECT ifnull(max(n), 0) FROM (SELECT count(*) + 1 AS n FROM payouts GROUP BY account_id)),
               (SELECT ifnull(sum(added), 0) FROM report_files)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        if payments > FEW && payments.saturating_mul(places).saturating_mul(LINES_PER_LOOK_UP) > lines {
            self.gather()?;
        }
        Ok(())
    }

    fn gather(&mut self) -> Result<()> {
        self.connection.execute_batch(FORGET)?;
        self.connection.execute_batch(
            "CREATE TEMP TABLE wanted_transactions (
               account_id INTEGER, transaction_id TEXT, payment_id INTEGER, PRIMARY KEY (account_id, transaction_id)) WITHOUT ROWID;
             INSERT INTO temp.wanted_transactions
             SELECT a.id, pay.transaction_id, pay.id FROM payments_to_learn n CROSS JOIN payments pay ON pay.id = n.payment_id
             JOIN merchant_accounts a ON a.provider = pay.provider AND a.merchant_account = pay.merchant_account
             WHERE n.movement_seen IS NULL ORDER BY a.id, pay.transaction_id;",
        )?;
        self.connection.execute_batch(&format!(
            "CREATE TEMP TABLE gathered_lines AS
             SELECT w.payment_id, {SETTLED_LINE}
             FROM settlement_lines l CROSS JOIN temp.wanted_transactions w
               ON w.account_id = l.account_id AND w.transaction_id = l.transaction_id
             CROSS JOIN payouts p ON p.id = l.payout_id
             WHERE l.kind BETWEEN 1 AND 7
             ORDER BY w.payment_id, l.batch <> 0, iif(l.batch = 0, '', p.reference), l.modification_id, l.kind, l.ordinal;
             CREATE INDEX temp.gathered_lines_by_payment ON gathered_lines (payment_id);"
        ))?;
        let mut wanted = self.connection.prepare("SELECT payment_id FROM temp.wanted_transactions")?;
        let mut rows = wanted.query([])?;
        let mut gathered = IdSet::default();
        while let Some(row) = rows.next()? {
            gathered.insert(row.get(0)?);
        }
        drop(rows);
        drop(wanted);
        self.gathered = gathered;
        Ok(())
    }

    /// Of a payment whose lines were gathered.
    pub(super) fn gathered_lines(&self, payment: PaymentId) -> Result<Vec<SettledLine>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT file_id, file_line, kind, modification_id, document, ordinal, occurred_at, scale, presented, currency, payout
             FROM temp.gathered_lines WHERE payment_id = ?1",
        )?;
        statement.query_and_then([payment.0], settled_line)?.collect()
    }

    pub fn forget_gathered(&mut self) -> Result<()> {
        if self.gathered == IdSet::default() {
            return Ok(());
        }
        self.gathered = IdSet::default();
        // A statement that was prepared for the table keeps it from going.
        self.connection.flush_prepared_statement_cache();
        self.connection.execute_batch(FORGET)?;
        Ok(())
    }
}
