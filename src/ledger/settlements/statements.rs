//! The statements a report's rows are written with.

use rusqlite::OptionalExtension;

use super::row::{Amounts, Stored};
use super::takeover::{NewReport, Taken};
use crate::domain::id::{AccountId, FileId, PayoutId};
use crate::domain::money::Currency;
use crate::domain::settlement::proof::KindSum;
use crate::domain::settlement::{Decimal, LineKind, ReportLine};
use crate::ledger::row::time_text;
use crate::ledger::{LedgerError, Result, Writer};

pub(super) const INSERT: &str = "
    INSERT INTO settlement_lines (account_id, batch, transaction_id, modification_id, kind, ordinal, payout_id, file_id, file_line,
      reference, document, method, occurred_at, scale, gross_currency, gross, net_currency, net, fee, tax,
      commission, markup, scheme_fees, interchange, exchange_rate, note)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)
    ON CONFLICT DO NOTHING";

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
                "UPDATE report_files SET added = added + ?2, known = known + ?3, refused = ?4 WHERE id = ?1",
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

    pub(super) fn stored_row(&self, account: AccountId, batch: i64, line: &ReportLine, ordinal: i64) -> Result<Stored> {
        let mut statement = self.connection.prepare_cached(
            "SELECT l.file_id, l.file_line, ifnull(p.payout_id, l.payout_id), l.scale, l.gross, l.gross_currency, l.net,
               l.net_currency, l.fee, l.tax
             FROM settlement_lines l LEFT JOIN settlement_line_payouts p ON l.batch = 0 AND p.account_id = l.account_id
               AND p.transaction_id = l.transaction_id AND p.modification_id = l.modification_id AND p.kind = l.kind
             WHERE l.account_id = ?1 AND l.batch = ?2 AND l.transaction_id = ?3 AND l.modification_id = ?4 AND l.kind = ?5
               AND l.ordinal = ?6",
        )?;
        let key = (account.0, batch, line.transaction.as_str(), line.modification.as_str(), line.kind.code(), ordinal);
        let found = statement.query_row(key, |row| {
            let scale: u8 = row.get(3)?;
            let micros = |units: i64| Decimal::new(units, scale).map_or(0, Decimal::micros);
            let gross: Option<i64> = row.get(4)?;
            let gross_currency: Option<String> = row.get(5)?;
            Ok(Stored {
                file: FileId(row.get(0)?),
                line: row.get(1)?,
                payout: PayoutId(row.get(2)?),
                amounts: Amounts {
                    gross: gross.map(micros).zip(gross_currency),
                    net: (micros(row.get(6)?), row.get(7)?),
                    fee: micros(row.get(8)?),
                    tax: micros(row.get(9)?),
                },
            })
        });
        found.optional()?.ok_or_else(|| LedgerError::Invariant("a settlement line vanished".to_owned()))
    }

    /// `false` if it is known to be paid out already.
    pub(super) fn record_line_payout(
        &self,
        account: AccountId,
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
                line.transaction.as_str(),
                line.modification.as_str(),
                line.kind.code(),
                payout.0,
                file.0,
            ))?;
        Ok(inserted == 1)
    }

    pub(super) fn add_payout_sum(
        &self,
        payout: PayoutId,
        currency: Currency,
        kind: LineKind,
        sum: &KindSum,
    ) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO payout_sums (payout_id, currency, kind, lines, net_micros, fee_micros, tax_micros, fine_lines)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET lines = lines + ?4, net_micros = net_micros + ?5, fee_micros = fee_micros + ?6,
                   tax_micros = tax_micros + ?7, fine_lines = fine_lines + ?8",
            )?
            .execute((
                payout.0,
                currency.code(),
                kind.code(),
                sum.lines,
                sum.net_micros,
                sum.fee_micros,
                sum.tax_micros,
                sum.fine_lines,
            ))?;
        Ok(())
    }

    /// The payout is looked at again by the run: what was told of it may be gone.
    pub(super) fn count_by_reference(&self, payout: PayoutId, lines: i64) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE payouts SET by_reference = by_reference + ?2, state = 'open' WHERE id = ?1")?
            .execute((payout.0, lines))?;
        Ok(())
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
                 ON CONFLICT DO UPDATE SET lines = lines + 1, is_ambiguous = ?6",
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
