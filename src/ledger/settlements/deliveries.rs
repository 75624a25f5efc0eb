//! What of the journals of payouts the ERP is to get.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension};

use super::journals::{PayoutJournal, payout_journal};
use crate::domain::id::PayoutJournalId;
use crate::domain::money::Amount;
use crate::ledger::row::Columns;
use crate::ledger::{Ledger, Result, operations};
use crate::operation::Operation;

/// A payout's journal that the ERP has not confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct PayoutJournalCase {
    pub id: PayoutJournalId,
    pub journal: PayoutJournal,
    /// What moves, always positive.
    pub amount: Amount,
    pub booked_at: DateTime<Utc>,
    pub operations: Vec<Operation>,
    /// The number of the journal it takes back, where the ERP has not confirmed that one.
    pub waits_for: Option<String>,
    /// What was last said about it.
    pub note: String,
}

impl Ledger {
    /// Journals of payouts without a confirmed delivery, in the order booked.
    pub fn undelivered_payout_journals(&self, after: PayoutJournalId, limit: u32) -> Result<Vec<PayoutJournalId>> {
        let sql = "SELECT j.id FROM payout_journals j
             WHERE j.id > ?1 AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.payout_journal_id = j.id AND o.state = 'confirmed')
             ORDER BY j.id LIMIT ?2";
        self.payout_journal_ids(sql, after, limit)
    }

    /// Journals of payouts whose delivery is planned and was certainly not done.
    pub fn planned_payout_journals(&self, after: PayoutJournalId, limit: u32) -> Result<Vec<PayoutJournalId>> {
        let sql = "SELECT payout_journal_id AS id FROM operations
             WHERE state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn') AND kind = 'payout_journal' AND state = 'planned'
               AND payout_journal_id > ?1
             ORDER BY payout_journal_id LIMIT ?2";
        self.payout_journal_ids(sql, after, limit)
    }

    fn payout_journal_ids(&self, sql: &str, after: PayoutJournalId, limit: u32) -> Result<Vec<PayoutJournalId>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_and_then((after.0, limit), |row| row.id("id", PayoutJournalId))?.collect()
    }

    pub fn payout_journal_case(&self, id: PayoutJournalId) -> Result<PayoutJournalCase> {
        let operations = operations::list(&self.connection, "WHERE payout_journal_id = ?1 ORDER BY attempt", [id.0])?;
        let note = operations.last().map(|operation| self.operation_note(operation.id)).transpose()?;
        let (amount, booked_at) = self
            .connection
            .prepare_cached("SELECT amount_minor, currency, booked_at FROM payout_journals WHERE id = ?1")?
            .query_row([id.0], |row| {
                Ok(row.amount("amount_minor").and_then(|amount| Ok((amount, row.time("booked_at")?))))
            })??;
        Ok(PayoutJournalCase {
            id,
            journal: payout_journal(&self.connection, id)?,
            amount,
            booked_at,
            operations,
            waits_for: undelivered_before(&self.connection, id)?,
            note: note.unwrap_or_default(),
        })
    }
}

/// The number of an earlier journal that this one takes back, all or in part, unless the ERP has confirmed it: one of the same payout,
/// kind and currency to the other side of clearing. What a payout's lines of one day are booked as is put right on that day; a payout
/// that failed has a day of its own.
fn undelivered_before(connection: &Connection, id: PayoutJournalId) -> Result<Option<String>> {
    // One after the other: joined by OR, all journals of what has no payout yet would be read for each of them.
    for reach in [
        "b.posting_date = j.posting_date",
        "b.posting_date <> j.posting_date AND j.kind = 'payout' AND p.reference <> ''",
    ] {
        let sql = format!(
            "SELECT b.number FROM payout_journals j JOIN payouts p ON p.id = j.payout_id
             JOIN payout_journals b ON b.payout_id = j.payout_id AND b.kind = j.kind AND b.currency = j.currency AND b.id < j.id
             JOIN payout_postings c ON c.journal_id = j.id AND c.line = 1 JOIN payout_postings d ON d.journal_id = b.id AND d.line = 1
             WHERE j.id = ?1 AND {reach} AND (c.amount_minor < 0) <> (d.amount_minor < 0)
               AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.payout_journal_id = b.id AND o.state = 'confirmed')
             ORDER BY b.id LIMIT 1"
        );
        let found = connection.prepare_cached(&sql)?.query_row([id.0], |row| row.get(0)).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
