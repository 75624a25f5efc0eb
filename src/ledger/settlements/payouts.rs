//! Payouts with their sums: what they prove, and what they show.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Params};
use serde::Serialize;

use super::overflow;
use crate::domain::id::{MerchantAccount, PayoutId, ProviderName};
use crate::domain::money::Currency;
use crate::domain::settlement::LineKind;
use crate::domain::settlement::postings::{DayKey, DaySum, by_currency};
use crate::domain::settlement::proof::{KindSum, Proof, ProofState};
use crate::ledger::row::{Columns, day_numbered};
use crate::ledger::{Ledger, LedgerError, Result, Writer};

/// A payout with its equation in each currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutOverview {
    pub id: PayoutId,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    /// Empty: lines that are not paid out yet.
    pub reference: String,
    /// When a report had it first.
    pub seen_at: DateTime<Utc>,
    pub lines: PayoutTally,
    pub state: ProofState,
    pub proofs: Vec<Proof>,
}

/// How many lines a payout has, and what became of those that belong to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PayoutTally {
    pub all: i64,
    pub by_transaction: i64,
    /// By reference or by a person.
    pub by_reference: i64,
    pub unmatched: i64,
    pub ambiguous: i64,
    pub unknown: i64,
}

/// A payout whose state is to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvedPayout {
    pub id: PayoutId,
    pub state: ProofState,
}

impl Ledger {
    /// All payouts, by account and in the order in which they were first seen.
    pub fn payouts(&self) -> Result<Vec<PayoutOverview>> {
        overviews(&self.connection, "", [])
    }

    /// Payouts that are not closed, or have lines without an order.
    pub fn open_payouts(&self) -> Result<Vec<PayoutOverview>> {
        overviews(&self.connection, "WHERE p.state <> 'closed' OR p.id IN (SELECT payout_id FROM unmatched_groups)", [])
    }

    pub fn payout(&self, id: PayoutId) -> Result<Option<PayoutOverview>> {
        proved_payout(&self.connection, id.0)
    }
}

impl Writer<'_> {
    pub fn set_payout_state(&self, payout: ProvedPayout) -> Result<()> {
        let state = match payout.state {
            ProofState::Closed => "closed",
            ProofState::Open => "open",
            ProofState::Remainder => "remainder",
        };
        self.connection
            .prepare_cached("UPDATE payouts SET state = ?2 WHERE id = ?1 AND state <> ?2")?
            .execute((payout.id.0, state))?;
        Ok(())
    }
}

pub(in crate::ledger) fn proved_payout(connection: &Connection, id: i64) -> Result<Option<PayoutOverview>> {
    Ok(overviews(connection, "WHERE p.id = ?1", [id])?.pop())
}

fn overviews(connection: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<PayoutOverview>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT p.id, a.provider, a.merchant_account, p.reference, p.seen_at, p.by_reference,
           (SELECT ifnull(sum(lines), 0) FROM unmatched_groups u WHERE u.payout_id = p.id AND NOT is_ambiguous) AS unmatched,
           (SELECT ifnull(sum(lines), 0) FROM unmatched_groups u WHERE u.payout_id = p.id AND is_ambiguous) AS ambiguous
         FROM payouts p JOIN merchant_accounts a ON a.id = p.account_id {condition}
         ORDER BY a.provider, a.merchant_account, p.id"
    ))?;
    let rows: Vec<PayoutOverview> = statement
        .query_and_then(parameters, |row| {
            let tally = PayoutTally {
                by_reference: row.plain("by_reference")?,
                unmatched: row.plain("unmatched")?,
                ambiguous: row.plain("ambiguous")?,
                ..PayoutTally::default()
            };
            Ok(PayoutOverview {
                id: row.id("id", PayoutId)?,
                provider: row.named("provider", ProviderName::parse)?,
                merchant_account: row.named("merchant_account", MerchantAccount::parse)?,
                reference: row.plain("reference")?,
                seen_at: row.time("seen_at")?,
                lines: tally,
                state: ProofState::Open,
                proofs: Vec::new(),
            })
        })?
        .collect::<Result<_>>()?;
    rows.into_iter().map(|payout| proved(connection, payout)).collect()
}

/// Fills in what the sums say.
fn proved(connection: &Connection, mut payout: PayoutOverview) -> Result<PayoutOverview> {
    let mut of_payments = 0;
    for sums in by_currency(&day_sums(connection, payout.id)?).map_err(|_| overflow())? {
        for (kind, sum) in &sums.kinds {
            payout.lines.all += sum.lines;
            if kind.is_of_payment() {
                of_payments += sum.lines;
            }
            if *kind == LineKind::Unknown {
                payout.lines.unknown += sum.lines;
            }
        }
        payout.proofs.push(sums.proof().map_err(|_| overflow())?);
    }
    let PayoutTally { by_reference, unmatched, ambiguous, .. } = payout.lines;
    payout.lines.by_transaction = of_payments - by_reference - unmatched - ambiguous;
    payout.state = payout.proofs.iter().map(|proof| proof.state).fold(ProofState::Closed, worse);
    if payout.proofs.is_empty() || payout.reference.is_empty() {
        payout.state = ProofState::Open;
    }
    Ok(payout)
}

fn worse(one: ProofState, other: ProofState) -> ProofState {
    match (one, other) {
        (ProofState::Remainder, _) | (_, ProofState::Remainder) => ProofState::Remainder,
        (ProofState::Open, _) | (_, ProofState::Open) => ProofState::Open,
        (ProofState::Closed, ProofState::Closed) => ProofState::Closed,
    }
}

/// What the lines of a payout add up to.
pub(super) fn day_sums(connection: &Connection, payout: PayoutId) -> Result<Vec<(DayKey, DaySum)>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM payout_sums WHERE payout_id = ?1 ORDER BY currency, kind, day, presented_currency",
    )?;
    statement
        .query_and_then([payout.0], |row| {
            let code: i64 = row.plain("kind")?;
            let kind =
                LineKind::of_code(code).ok_or_else(|| LedgerError::damaged(format!("{code} as kind of a line")))?;
            let settled = KindSum {
                lines: row.plain("lines")?,
                net_micros: row.plain("net_micros")?,
                fee_micros: row.plain("fee_micros")?,
                tax_micros: row.plain("tax_micros")?,
                fine_lines: row.plain("fine_lines")?,
            };
            let day = day_numbered(row.plain("day")?)?;
            let presented_currency = Currency::parse(row.text("presented_currency")?)?;
            let key = DayKey { kind, day, currency: row.currency()?, presented_currency };
            Ok((key, DaySum { settled, presented_micros: row.plain("presented_micros")? }))
        })?
        .collect()
}
