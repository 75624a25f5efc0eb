//! The statements a report's rows are written with.

use compact_str::CompactString;

use super::row::{Amounts, Stored};
use super::standing::Key;
use super::takeover::{NewReport, Taken};
use crate::domain::id::{AccountId, FileId, PayoutId};
use crate::domain::settlement::postings::{DayKey, DaySum};
use crate::domain::settlement::{Decimal, LineKind, ReportLine};
use crate::ledger::row::{day_number, day_numbered, time_text};
use crate::ledger::{LedgerError, Result, Writer};

impl Writer<'_> {
    /// The file's row. One that was read before with lines left out is read again.
    pub(super) fn begin_report(&self, report: &NewReport) -> Result<FileId> {
        let bytes = i64::try_from(report.bytes).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(
                "INSERT INTO report_files (name, digest, bytes, format, read_at, run_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (digest) DO NOTHING",
            )?
            .execute((
                &report.name,
                &report.digest,
                bytes,
                &report.format,
                time_text(self.now),
                self.run.map(|run| run.0),
            ))?;
        let mut statement = self.connection.prepare_cached("SELECT id FROM report_files WHERE digest = ?1")?;
        Ok(statement.query_row([&report.digest], |row| row.get(0)).map(FileId)?)
    }

    pub(super) fn end_report(&self, file: FileId, taken: &Taken) -> Result<()> {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let strangers: u64 = taken.strangers.values().sum();
        self.connection
            .prepare_cached(
                "UPDATE report_files SET added = added + ?2, known = known + ?3, strangers = ?4 WHERE id = ?1",
            )?
            .execute((file.0, count(taken.added), count(taken.known), count(strangers)))?;
        Ok(())
    }

    pub(super) fn payout_id(&self, account: AccountId, reference: &str) -> Result<PayoutId> {
        self.connection
            .prepare_cached(
                "INSERT INTO payouts (account_id, reference, seen_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute((account.0, reference, time_text(self.now)))?;
        let mut statement =
            self.connection.prepare_cached("SELECT id FROM payouts WHERE account_id = ?1 AND reference = ?2")?;
        Ok(statement.query_row((account.0, reference), |row| row.get(0)).map(PayoutId)?)
    }

    /// The row with a line's key, or with its own id. `None` if there is none.
    pub(super) fn stored_row(
        &self,
        account: AccountId,
        batch: i64,
        line: &ReportLine,
        ordinal: i64,
    ) -> Result<Option<Stored>> {
        const COLUMNS: &str = "
            SELECT l.ordinal, l.transaction_id, l.file_id, l.file_line, ifnull(p.payout_id, l.payout_id), l.scale, l.gross, l.gross_currency,
              l.net, l.net_currency, l.fee, l.tax, l.kind, ifnull(l.day, l.occurred_at / 86400)
            FROM settlement_lines l LEFT JOIN settlement_line_payouts p ON l.batch = 0 AND p.account_id = l.account_id
              AND p.transaction_id = l.transaction_id AND p.modification_id = l.modification_id AND p.kind = l.kind";
        let modification = line.modification.as_str();
        if line.has_own_id {
            let own = format!("{COLUMNS} WHERE l.account_id = ?1 AND l.batch = 0 AND l.modification_id = ?2");
            let mut statement = self.connection.prepare_cached(&own)?;
            return statement.query_and_then((account.0, modification), stored)?.next().transpose();
        }
        let keyed = format!(
            "{COLUMNS} WHERE l.account_id = ?1 AND l.batch = ?2 AND l.transaction_id = ?3 AND l.modification_id = ?4 AND l.kind = ?5
               AND l.ordinal = ?6"
        );
        let mut statement = self.connection.prepare_cached(&keyed)?;
        let key = (account.0, batch, line.transaction.as_str(), modification, line.kind.code(), ordinal);
        statement.query_and_then(key, stored)?.next().transpose()
    }

    /// Whether a payout is one, and not what is not paid out yet.
    pub(super) fn is_paid_out(&self, payout: PayoutId) -> Result<bool> {
        let mut statement = self.connection.prepare_cached("SELECT reference <> '' FROM payouts WHERE id = ?1")?;
        Ok(statement.query_row([payout.0], |row| row.get(0))?)
    }

    /// A line of a group without an order is in another payout now.
    pub(super) fn move_unmatched(&self, key: &Key, before: PayoutId, after: PayoutId) -> Result<()> {
        let (account, transaction, reference) = (key.0.0, key.1.as_str(), key.2.as_str());
        self.connection
            .prepare_cached(
                "INSERT INTO unmatched_groups (account_id, transaction_id, reference, payout_id, merchant_reference, lines, is_ambiguous)
                 SELECT account_id, transaction_id, reference, ?5, merchant_reference, 1, is_ambiguous FROM unmatched_groups
                 WHERE account_id = ?1 AND transaction_id = ?2 AND reference = ?3 AND payout_id = ?4
                 ON CONFLICT DO UPDATE SET lines = lines + 1",
            )?
            .execute((account, transaction, reference, before.0, after.0))?;
        for change in ["UPDATE unmatched_groups SET lines = lines - 1", "DELETE FROM unmatched_groups"] {
            let left = if change.starts_with("DELETE") { " AND lines = 0" } else { "" };
            self.connection
                .prepare_cached(&format!(
                    "{change} WHERE account_id = ?1 AND transaction_id = ?2 AND reference = ?3 AND payout_id = ?4{left}"
                ))?
                .execute((account, transaction, reference, before.0))?;
        }
        Ok(())
    }

    /// `false` if it is known to be paid out already.
    pub(super) fn record_line_payout(
        &self,
        account: AccountId,
        stored: &Stored,
        line: &ReportLine,
        payout: PayoutId,
        file: FileId,
    ) -> Result<bool> {
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO settlement_line_payouts (account_id, transaction_id, modification_id, kind, payout_id, file_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute((
                account.0,
                stored.transaction.as_str(),
                line.modification.as_str(),
                stored.kind.code(),
                payout.0,
                file.0,
            ))?;
        Ok(inserted == 1)
    }

    pub(super) fn add_payout_sum(&self, payout: PayoutId, key: DayKey, sum: &DaySum) -> Result<()> {
        let DaySum { settled, presented_micros } = sum;
        self.connection
            .prepare_cached(
                "INSERT INTO payout_sums (payout_id, currency, kind, day, presented_currency, lines, net_micros, fee_micros, tax_micros,
                   fine_lines, presented_micros)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO UPDATE SET lines = lines + ?6, net_micros = net_micros + ?7, fee_micros = fee_micros + ?8,
                   tax_micros = tax_micros + ?9, fine_lines = fine_lines + ?10, presented_micros = presented_micros + ?11",
            )?
            .execute((
                payout.0,
                key.currency.code(),
                key.kind.code(),
                day_number(key.day),
                key.presented_currency.code(),
                settled.lines,
                settled.net_micros,
                settled.fee_micros,
                settled.tax_micros,
                settled.fine_lines,
                presented_micros,
            ))?;
        Ok(())
    }

    /// Has a run look at the payout again: what was told of it may be gone.
    pub(super) fn reopen_payout(&self, payout: PayoutId) -> Result<()> {
        self.connection.prepare_cached("UPDATE payouts SET state = 'open' WHERE id = ?1")?.execute([payout.0])?;
        Ok(())
    }

    /// `lines` more are matched by reference, or judged by a person.
    pub(super) fn count_by_reference(&self, payout: PayoutId, lines: i64) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE payouts SET by_reference = by_reference + ?2 WHERE id = ?1")?
            .execute((payout.0, lines))?;
        self.reopen_payout(payout)
    }

    pub(super) fn add_unmatched(
        &self,
        account: AccountId,
        line: &ReportLine,
        payout: PayoutId,
        is_ambiguous: bool,
    ) -> Result<()> {
        let reference = if line.transaction.is_empty() { line.reference.as_str() } else { "" };
        self.connection
            .prepare_cached(
                "INSERT INTO unmatched_groups (account_id, transaction_id, reference, payout_id, merchant_reference, lines,
                   is_ambiguous)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)
                 ON CONFLICT DO UPDATE SET lines = lines + 1, is_ambiguous = max(is_ambiguous, ?6),
                   merchant_reference = CASE WHEN merchant_reference = '' OR merchant_reference = ?5 THEN ?5
                     WHEN ?5 = '' OR instr(';' || merchant_reference || ';', ';' || ?5 || ';') > 0 THEN merchant_reference
                     ELSE merchant_reference || ';' || ?5 END",
            )?
            .execute((
                account.0,
                line.transaction.as_str(),
                reference,
                payout.0,
                line.reference.as_str(),
                is_ambiguous,
            ))?;
        Ok(())
    }
}

fn stored(row: &rusqlite::Row<'_>) -> Result<Stored> {
    let scale: u8 = row.get(5)?;
    let micros = |units: i64| Decimal::new(units, scale).map_or(0, Decimal::micros);
    let code: i64 = row.get(12)?;
    let kind = LineKind::of_code(code);
    let gross: Option<i64> = row.get(6)?;
    let gross_currency: Option<String> = row.get(7)?;
    Ok(Stored {
        ordinal: row.get(0)?,
        transaction: CompactString::from(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?),
        kind: kind.ok_or_else(|| LedgerError::damaged(format!("{code} as kind of a line")))?,
        day: day_numbered(row.get(13)?)?,
        file: FileId(row.get(2)?),
        line: row.get(3)?,
        payout: PayoutId(row.get(4)?),
        amounts: Amounts {
            gross: gross.map(micros).zip(gross_currency),
            net: (micros(row.get(8)?), row.get(9)?),
            fee: micros(row.get(10)?),
            tax: micros(row.get(11)?),
        },
    })
}
