//! A dry run that does everything and keeps nothing: one transaction around all that is written, read before it is taken back.

use std::fmt;

use rusqlite::Connection;
use serde::Serialize;

use crate::domain::id::Account;
use crate::domain::money::Amount;
use crate::ledger::row::Columns;
use crate::ledger::{Ledger, Result};

/// Rows that are shown one by one; what comes after is in the sums only.
const MOST_ROWS: i64 = 10_000;

/// How far the tables that are shown went before.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    movement: i64,
    journal: i64,
    payout_journal: i64,
}

/// What would be learnt and booked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehearsed {
    pub facts: Vec<RehearsedFact>,
    pub facts_left_out: i64,
    pub bookings: Vec<RehearsedBooking>,
    pub bookings_left_out: i64,
    /// By kind of fact and currency, then by account and currency.
    pub sums: Vec<RehearsedSum>,
}

/// A movement of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RehearsedFact {
    pub kind: String,
    pub provider: String,
    pub merchant_account: String,
    pub transaction: String,
    pub modification: String,
    pub amount: Amount,
    pub occurred_at: String,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RehearsedBooking {
    pub number: String,
    pub kind: String,
    pub posting_date: String,
    pub account: Account,
    /// Debit positive, credit negative.
    pub amount: Amount,
}

/// How often, and how much, either way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RehearsedSum {
    #[serde(skip)]
    pub about: About,
    pub name: String,
    pub count: i64,
    /// Of facts all, of an account the debits.
    pub debit: Amount,
    /// Of an account the credits, without a sign.
    pub credit: Amount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Fact,
    Account,
}

impl Ledger {
    /// From now on nothing stays: until [`Ledger::end_rehearsal`] all writes are one transaction. It keeps other writers out, as a
    /// run does while it writes.
    pub fn begin_rehearsal(&mut self) -> Result<Mark> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.is_rehearsing = true;
        let last = |table: &str| -> Result<i64> {
            let mut statement = self.connection.prepare(&format!("SELECT ifnull(max(id), 0) FROM {table}"))?;
            Ok(statement.query_row([], |row| row.get(0))?)
        };
        Ok(Mark { movement: last("movements")?, journal: last("journals")?, payout_journal: last("payout_journals")? })
    }

    /// Takes everything back.
    pub fn end_rehearsal(&mut self) -> Result<()> {
        self.is_rehearsing = false;
        // A full disk may have ended it already.
        if !self.connection.is_autocommit() {
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
        }
        Ok(())
    }

    pub fn rehearsed(&self, mark: Mark) -> Result<Rehearsed> {
        let facts = facts(&self.connection, mark)?;
        let bookings = bookings(&self.connection, mark)?;
        let sums = sums(&self.connection, mark)?;
        let left_out = |about, shown: usize| {
            let all: i64 = sums.iter().filter(|sum| sum.about == about).map(|sum| sum.count).sum();
            all - i64::try_from(shown).unwrap_or(all)
        };
        Ok(Rehearsed {
            facts_left_out: left_out(About::Fact, facts.len()),
            bookings_left_out: left_out(About::Account, bookings.len()),
            facts,
            bookings,
            sums,
        })
    }
}

fn facts(connection: &Connection, mark: Mark) -> Result<Vec<RehearsedFact>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.kind, m.provider, m.merchant_account, p.transaction_id, m.modification_id, m.amount_minor, m.currency, m.occurred_at
         FROM movements m JOIN payments p ON p.id = m.payment_id WHERE m.id > ?1 ORDER BY m.id LIMIT ?2",
    )?;
    let rows = statement.query_and_then((mark.movement, MOST_ROWS), |row| {
        Ok(RehearsedFact {
            kind: row.plain("kind")?,
            provider: row.plain("provider")?,
            merchant_account: row.plain("merchant_account")?,
            transaction: row.plain("transaction_id")?,
            modification: row.plain("modification_id")?,
            amount: row.amount("amount_minor")?,
            occurred_at: row.plain("occurred_at")?,
        })
    })?;
    rows.collect()
}

fn bookings(connection: &Connection, mark: Mark) -> Result<Vec<RehearsedBooking>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM (
           SELECT j.number, j.kind, j.posting_date, t.account, t.amount_minor, j.currency, t.line FROM journals j
           JOIN postings t ON t.journal_id = j.id WHERE j.id > ?1
           UNION ALL
           SELECT j.number, j.kind, j.posting_date, t.account, t.amount_minor, j.currency, t.line FROM payout_journals j
           JOIN payout_postings t ON t.journal_id = j.id WHERE j.id > ?2)
         ORDER BY posting_date, number, line LIMIT ?3",
    )?;
    let rows = statement.query_and_then((mark.journal, mark.payout_journal, MOST_ROWS), |row| {
        Ok(RehearsedBooking {
            number: row.plain("number")?,
            kind: row.plain("kind")?,
            posting_date: row.plain("posting_date")?,
            account: row.named("account", Account::parse)?,
            amount: row.amount("amount_minor")?,
        })
    })?;
    rows.collect()
}

fn sums(connection: &Connection, mark: Mark) -> Result<Vec<RehearsedSum>> {
    let mut statement = connection.prepare_cached(
        "SELECT 0 AS is_account, kind AS name, currency, count(*) AS rows, sum(amount_minor) AS debit, 0 AS credit
         FROM movements WHERE id > ?1 GROUP BY kind, currency
         UNION ALL
         SELECT 1, account, currency, count(*), sum(max(amount_minor, 0)), -sum(min(amount_minor, 0)) FROM (
           SELECT t.account, j.currency, t.amount_minor FROM journals j JOIN postings t ON t.journal_id = j.id WHERE j.id > ?2
           UNION ALL
           SELECT t.account, j.currency, t.amount_minor FROM payout_journals j JOIN payout_postings t ON t.journal_id = j.id
           WHERE j.id > ?3)
         GROUP BY account, currency ORDER BY is_account, name, currency",
    )?;
    let rows = statement.query_and_then((mark.movement, mark.journal, mark.payout_journal), |row| {
        let is_account: bool = row.plain("is_account")?;
        Ok(RehearsedSum {
            about: if is_account { About::Account } else { About::Fact },
            name: row.plain("name")?,
            count: row.plain("rows")?,
            debit: row.amount("debit")?,
            credit: row.amount("credit")?,
        })
    })?;
    rows.collect()
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fact => "learnt",
            Self::Account => "booked",
        })
    }
}
