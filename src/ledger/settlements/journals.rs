//! Journals of payouts: double entry, append-only, hung on payouts (rule 19).

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rusqlite::{Connection, Params, Row};

use super::overflow;
use super::payouts::day_sums;
use crate::domain::booking::{PayoutDraft, Posting};
use crate::domain::id::{Account, MerchantAccount, PayoutId, PayoutJournalId, ProviderName};
use crate::domain::money::Amount;
use crate::domain::settlement::postings::{self, Bookings, PayoutEntry, PayoutJournalKind};
use crate::ledger::row::{Columns, day_text, time_text};
use crate::ledger::{Ledger, LedgerError, Result, Writer};
use crate::operation::key::{PayoutKey, payout_journal_number};

/// A payout's journal as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutJournal {
    pub number: String,
    pub entry: PayoutEntry,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    /// As the PSP names it; empty for what is not paid out yet.
    pub payout: String,
    /// Clearing first; debit positive.
    pub postings: Vec<Posting>,
}

impl Ledger {
    /// By number: the same on every machine.
    pub fn payout_journals(&self, from: Option<NaiveDate>, until: Option<NaiveDate>) -> Result<Vec<PayoutJournal>> {
        let tail = "WHERE (?1 IS NULL OR j.posting_date >= ?1) AND (?2 IS NULL OR j.posting_date < ?2)
                    ORDER BY j.number, t.line";
        list(&self.connection, tail, (from.map(day_text), until.map(day_text)))
    }
}

impl PayoutJournal {
    /// As a person names what it books.
    pub fn name(&self) -> String {
        self.entry.kind.of_payout(&self.provider, &self.merchant_account, &self.payout)
    }
}

pub(in crate::ledger) fn payout_journal(connection: &Connection, id: PayoutJournalId) -> Result<PayoutJournal> {
    list(connection, "WHERE j.id = ?1 ORDER BY t.line", [id.0])?
        .pop()
        .ok_or_else(|| LedgerError::NotFound { what: format!("payout journal {id}") })
}

/// `tail` puts the postings of a journal one after the other.
fn list(connection: &Connection, tail: &str, parameters: impl Params) -> Result<Vec<PayoutJournal>> {
    const SELECT: &str = "
        SELECT j.number, j.kind, j.posting_date, j.currency, a.provider, a.merchant_account, p.reference, t.account, t.amount_minor
        FROM payout_journals j JOIN payouts p ON p.id = j.payout_id JOIN merchant_accounts a ON a.id = p.account_id
        JOIN payout_postings t ON t.journal_id = j.id ";
    let mut statement = connection.prepare_cached(&[SELECT, tail].concat())?;
    let mut rows = statement.query(parameters)?;
    let mut journals: Vec<PayoutJournal> = Vec::new();
    while let Some(row) = rows.next()? {
        let number = row.text("number")?;
        let posting = Posting { account: row.named("account", Account::parse)?, amount: row.amount("amount_minor")? };
        match journals.last_mut().filter(|journal| journal.number == number) {
            Some(journal) => journal.postings.push(posting),
            None => journals.push(PayoutJournal {
                number: number.to_owned(),
                entry: entry(row)?,
                provider: row.named("provider", ProviderName::parse)?,
                merchant_account: row.named("merchant_account", MerchantAccount::parse)?,
                payout: row.plain("reference")?,
                postings: vec![posting],
            }),
        }
    }
    Ok(journals)
}

impl Writer<'_> {
    /// Books what a payout's lines say and no journal has yet. What was booked stays: a line that moved to another payout is
    /// taken back here and booked there.
    pub fn book_payout(&self, payout: PayoutId) -> Result<()> {
        let wanted = wanted(self.connection, payout)?;
        let booked = booked(self.connection, payout)?;
        let missing = postings::difference(&wanted, &booked).map_err(|_| overflow())?;
        if missing.is_empty() {
            return Ok(());
        }
        let named = Named::of(self.connection, payout)?;
        for (entry, clearing) in missing {
            let mut before = booked.get(&entry).copied().unwrap_or(0);
            let (back, rest) = self.taken_back(payout, &named, entry, clearing)?;
            let rest = (rest != 0).then(|| self.payout_draft(&named, entry, rest)).transpose()?;
            for draft in back.iter().chain(&rest) {
                self.insert_payout_journal(payout, &named, draft, before)?;
                before += draft.postings[0].amount.minor();
            }
        }
        Ok(())
    }

    fn payout_draft(&self, named: &Named, entry: PayoutEntry, clearing: i64) -> Result<PayoutDraft> {
        let draft = self.books.payout_journal(&named.provider, &named.merchant_account, entry, clearing);
        draft.map_err(|error| LedgerError::Invariant(error.to_string()))
    }

    /// What of `clearing` takes back something that was booked under other account names, before somebody changed them: it is booked
    /// where that was, the newest first. Returns the rest too.
    fn taken_back(
        &self,
        payout: PayoutId,
        named: &Named,
        entry: PayoutEntry,
        clearing: i64,
    ) -> Result<(Vec<PayoutDraft>, i64)> {
        let current = self.payout_draft(named, entry, clearing)?.postings.map(|posting| posting.account);
        let (mut back, mut rest) = (Vec::new(), clearing);
        for (accounts, stands) in standing(self.connection, payout, entry)? {
            if accounts == current || rest.signum() != -stands.signum() {
                continue;
            }
            let minor = rest.signum() * rest.abs().min(stands.abs());
            let amount = Amount::from_minor(minor, entry.currency);
            let [clearing, other] = accounts;
            let postings =
                [Posting { account: clearing, amount }, Posting { account: other, amount: amount.negated() }];
            back.push(PayoutDraft { entry, postings });
            rest -= minor;
        }
        Ok((back, rest))
    }

    /// `before`: what of it is booked already.
    fn insert_payout_journal(&self, payout: PayoutId, named: &Named, draft: &PayoutDraft, before: i64) -> Result<()> {
        let PayoutEntry { posting_date, kind, currency } = draft.entry;
        let date = day_text(posting_date);
        let [clearing, _] = &draft.postings;
        let part: i64 = self
            .connection
            .prepare_cached(
                "SELECT ifnull(max(part), 0) + 1 FROM payout_journals
                 WHERE payout_id = ?1 AND kind = ?2 AND posting_date = ?3 AND currency = ?4",
            )?
            .query_row((payout.0, kind.as_str(), &date, currency.code()), |row| row.get(0))?;
        let number = payout_journal_number(PayoutKey {
            mode: self.books.mode,
            provider: named.provider.as_str(),
            merchant_account: named.merchant_account.as_str(),
            payout: &named.reference,
            kind: kind.as_str(),
            posting_date: &date,
            currency: currency.code(),
            part,
            booked: [before, before + clearing.amount.minor()],
        });
        let amount = clearing.amount.minor().abs();
        self.connection
            .prepare_cached(
                "INSERT INTO payout_journals (payout_id, kind, posting_date, currency, part, number, amount_minor, booked_at, run_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                payout.0,
                kind.as_str(),
                &date,
                currency.code(),
                part,
                number,
                amount,
                time_text(self.now),
                self.run.map(|run| run.0),
            ))?;
        let id = self.connection.last_insert_rowid();
        for (line, posting) in (1_i64..).zip(&draft.postings) {
            self.connection
                .prepare_cached(
                    "INSERT INTO payout_postings (journal_id, line, account, amount_minor) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((id, line, posting.account.as_str(), posting.amount.minor()))?;
        }
        Ok(())
    }
}

/// A payout as its journals name it.
struct Named {
    provider: ProviderName,
    merchant_account: MerchantAccount,
    reference: String,
}

impl Named {
    fn of(connection: &Connection, payout: PayoutId) -> Result<Self> {
        let mut statement = connection.prepare_cached(
            "SELECT a.provider, a.merchant_account, p.reference FROM payouts p JOIN merchant_accounts a ON a.id = p.account_id
             WHERE p.id = ?1",
        )?;
        let mut found = statement.query_and_then([payout.0], |row| {
            Ok(Self {
                provider: row.named("provider", ProviderName::parse)?,
                merchant_account: row.named("merchant_account", MerchantAccount::parse)?,
                reference: row.plain("reference")?,
            })
        })?;
        found.next().unwrap_or_else(|| Err(LedgerError::NotFound { what: format!("payout {}", payout.0) }))
    }
}

/// What a payout's lines are to be booked as.
pub(in crate::ledger) fn wanted(connection: &Connection, payout: PayoutId) -> Result<Bookings> {
    postings::bookings(&day_sums(connection, payout)?).map_err(|_| overflow())
}

/// What is booked of a payout: what its postings leave on clearing.
pub(in crate::ledger) fn booked(connection: &Connection, payout: PayoutId) -> Result<Bookings> {
    let mut statement = connection.prepare_cached(
        "SELECT j.kind, j.posting_date, j.currency, sum(p.amount_minor) AS clearing_minor
         FROM payout_journals j JOIN payout_postings p ON p.journal_id = j.id AND p.line = 1
         WHERE j.payout_id = ?1 GROUP BY j.kind, j.posting_date, j.currency HAVING clearing_minor <> 0",
    )?;
    let rows = statement.query_and_then([payout.0], |row| Ok((entry(row)?, row.plain("clearing_minor")?)))?;
    rows.collect::<Result<BTreeMap<_, _>>>()
}

/// What stands of an entry on each pair of accounts it was booked on, clearing first; the newest first.
fn standing(connection: &Connection, payout: PayoutId, entry: PayoutEntry) -> Result<Vec<([Account; 2], i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT c.account AS clearing, o.account AS other, sum(c.amount_minor) AS minor FROM payout_journals j
         JOIN payout_postings c ON c.journal_id = j.id AND c.line = 1 JOIN payout_postings o ON o.journal_id = j.id AND o.line = 2
         WHERE j.payout_id = ?1 AND j.kind = ?2 AND j.posting_date = ?3 AND j.currency = ?4
         GROUP BY c.account, o.account HAVING minor <> 0 ORDER BY max(j.id) DESC",
    )?;
    let key = (payout.0, entry.kind.as_str(), day_text(entry.posting_date), entry.currency.code());
    let rows = statement.query_and_then(key, |row| {
        let accounts = [row.named("clearing", Account::parse)?, row.named("other", Account::parse)?];
        Ok((accounts, row.plain("minor")?))
    })?;
    rows.collect()
}

fn entry(row: &Row<'_>) -> Result<PayoutEntry> {
    Ok(PayoutEntry {
        posting_date: row.day("posting_date")?,
        kind: row.choice("kind", PayoutJournalKind::parse)?,
        currency: row.currency()?,
    })
}
