//! Writing lines, one by one: many in one statement were no faster, as `SQLite` then keeps a journal of the statement.

use rusqlite::{CachedStatement, Connection, Statement};

use super::row::StoredRow;
use crate::domain::id::{AccountId, FileId, PayoutId};
use crate::domain::settlement::ReportLine;
use crate::ledger::Result;
use crate::ledger::row::day_number;

const COLUMNS: usize = 27;

const INTO: &str = "
    INSERT INTO settlement_lines (account_id, batch, transaction_id, modification_id, kind, ordinal, payout_id, file_id, file_line,
      reference, document, method, occurred_at, scale, gross_currency, gross, net_currency, net, fee, tax,
      commission, markup, scheme_fees, interchange, exchange_rate, note, day) VALUES ";

/// A line with its place in the ledger.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedLine<'l> {
    pub(super) line: &'l ReportLine,
    pub(super) row: &'l StoredRow,
    /// Its place among the accounts of the takeover.
    pub(super) account: usize,
    pub(super) account_id: AccountId,
    /// The payout, or 0 for a line with an id of its own.
    pub(super) batch: i64,
    pub(super) payout: PayoutId,
    pub(super) file: FileId,
}

/// The statement, prepared.
pub(super) struct LineInserter<'c>(CachedStatement<'c>);

impl<'c> LineInserter<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self> {
        let row = vec!["?"; COLUMNS].join(", ");
        Ok(Self(connection.prepare_cached(&format!("{INTO}({row}) ON CONFLICT DO NOTHING"))?))
    }

    /// `false` if its key is taken.
    pub(super) fn insert(&mut self, placed: &PlacedLine<'_>, ordinal: i64) -> Result<bool> {
        placed.bind(&mut self.0, ordinal)?;
        Ok(self.0.raw_execute()? == 1)
    }
}

impl PlacedLine<'_> {
    fn bind(&self, statement: &mut Statement<'_>, ordinal: i64) -> Result<()> {
        let Self { line, row, account_id, batch, payout, file, .. } = self;
        let mut at = 0;
        let mut next = || {
            at += 1;
            at
        };
        let [commission, markup, scheme, interchange] = match row.parts {
            Some(parts) => parts.map(Some),
            None => [None; 4],
        };
        let (rate, note) = (line.exchange_rate.as_str(), line.note.as_str());
        statement.raw_bind_parameter(next(), account_id.0)?;
        statement.raw_bind_parameter(next(), batch)?;
        statement.raw_bind_parameter(next(), line.transaction.as_str())?;
        statement.raw_bind_parameter(next(), line.modification.as_str())?;
        statement.raw_bind_parameter(next(), line.kind.code())?;
        statement.raw_bind_parameter(next(), ordinal)?;
        statement.raw_bind_parameter(next(), payout.0)?;
        statement.raw_bind_parameter(next(), file.0)?;
        statement.raw_bind_parameter(next(), i64::try_from(line.number).unwrap_or(i64::MAX))?;
        statement.raw_bind_parameter(next(), line.reference.as_str())?;
        statement.raw_bind_parameter(next(), line.document.as_str())?;
        statement.raw_bind_parameter(next(), line.method.as_str())?;
        statement.raw_bind_parameter(next(), line.occurred_at.timestamp())?;
        statement.raw_bind_parameter(next(), row.scale)?;
        statement.raw_bind_parameter(next(), row.gross.map(|(_, currency)| currency.code()))?;
        statement.raw_bind_parameter(next(), row.gross.map(|(gross, _)| gross))?;
        statement.raw_bind_parameter(next(), row.net.1.code())?;
        statement.raw_bind_parameter(next(), row.net.0)?;
        statement.raw_bind_parameter(next(), row.fee)?;
        statement.raw_bind_parameter(next(), row.tax)?;
        statement.raw_bind_parameter(next(), commission)?;
        statement.raw_bind_parameter(next(), markup)?;
        statement.raw_bind_parameter(next(), scheme)?;
        statement.raw_bind_parameter(next(), interchange)?;
        statement.raw_bind_parameter(next(), Some(rate).filter(|rate| !rate.is_empty()))?;
        statement.raw_bind_parameter(next(), Some(note).filter(|note| !note.is_empty()))?;
        statement.raw_bind_parameter(next(), day_number(row.key.day))?;
        Ok(())
    }
}
