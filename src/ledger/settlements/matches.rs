//! Matches that are rows of their own: by reference, and by a person. New rows supersede old ones; none changes.

use chrono::{DateTime, Utc};
use rusqlite::OptionalExtension;
use serde::Serialize;

use super::delta::add_to_orders;
use super::groups::{GroupKey, sum};
use super::order_numbered;
use crate::domain::id::{
    AccountId, FileId, MatchId, MerchantAccount, OrderId, OrderNumber, PayoutId, ProviderName, ShopName,
};
use crate::domain::settlement::matching::{MatchRule, ReferenceRule};
use crate::ledger::row::{Columns, time_text};
use crate::ledger::{Ledger, LedgerError, Result, Writer, orders};

/// What a settlement line is matched together with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineGroup {
    #[serde(skip)]
    pub account: AccountId,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub transaction: String,
    /// Set where there is no transaction.
    pub reference: String,
    /// The merchant reference of the line that was asked for.
    pub merchant_reference: String,
}

impl LineGroup {
    fn key(&self) -> GroupKey<'_> {
        GroupKey { account: self.account, transaction: &self.transaction, reference: &self.reference }
    }
}

/// The match that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveMatch {
    #[serde(skip)]
    pub id: Option<MatchId>,
    /// None: a person said that it belongs to no order.
    pub order: Option<OrderId>,
    pub rule: MatchRule,
    pub reason: String,
}

impl Ledger {
    /// The group of the line with this number in a report file.
    pub fn line_group(&self, file: FileId, number: i64) -> Result<Option<LineGroup>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT l.account_id, a.provider, a.merchant_account, l.transaction_id, l.reference
             FROM settlement_lines l JOIN merchant_accounts a ON a.id = l.account_id
             WHERE l.file_id = ?1 AND l.file_line = ?2",
        )?;
        let mut found = statement.query_and_then((file.0, number), |row| {
            let transaction: String = row.plain("transaction_id")?;
            let merchant_reference: String = row.plain("reference")?;
            Ok(LineGroup {
                account: row.id("account_id", AccountId)?,
                provider: row.named("provider", ProviderName::parse)?,
                merchant_account: row.named("merchant_account", MerchantAccount::parse)?,
                reference: if transaction.is_empty() { merchant_reference.clone() } else { String::new() },
                transaction,
                merchant_reference,
            })
        })?;
        found.next().transpose()
    }

    /// The match of a group that counts, if there is one.
    pub fn live_match(&self, group: &LineGroup) -> Result<Option<LiveMatch>> {
        live(&self.connection, group)
    }
}

/// A match that was written down, whether it counts or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrittenMatch {
    pub made_at: DateTime<Utc>,
    pub rule: MatchRule,
    /// SHOP/NUMBER; none: a person said that it belongs to no order.
    pub order: Option<String>,
    pub reason: String,
}

/// What is known of one order a reference may mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    pub number: String,
    /// Whether the ledger has it.
    pub is_known: bool,
}

impl Ledger {
    /// All matches of a group that were written down, the first one first.
    pub fn written_matches(&self, group: &LineGroup) -> Result<Vec<WrittenMatch>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT m.made_at, m.rule, m.reason, o.shop || '/' || o.number AS order_name
             FROM settlement_matches m LEFT JOIN orders o ON o.id = m.order_id
             WHERE m.account_id = ?1 AND m.transaction_id = ?2 AND m.reference = ?3 ORDER BY m.id",
        )?;
        let key = (group.account.0, group.transaction.as_str(), group.reference.as_str());
        let rows = statement.query_and_then(key, |row| {
            Ok(WrittenMatch {
                made_at: row.time("made_at")?,
                rule: row.choice("rule", MatchRule::parse)?,
                order: row.plain("order_name")?,
                reason: row.plain("reason")?,
            })
        })?;
        rows.collect()
    }

    /// The orders that a merchant reference names by a rule.
    pub fn candidates(&self, shop: &ShopName, rule: &ReferenceRule, reference: &str) -> Result<Vec<Candidate>> {
        let known = |number: &str| match OrderNumber::parse(number) {
            Ok(parsed) => Ok::<_, LedgerError>(order_numbered(&self.connection, shop, &parsed)?.is_some()),
            Err(_) => Ok(false),
        };
        let numbers = rule.order_numbers(reference).into_iter();
        numbers.map(|number| Ok(Candidate { number: number.to_owned(), is_known: known(number)? })).collect()
    }
}

fn live(connection: &rusqlite::Connection, group: &LineGroup) -> Result<Option<LiveMatch>> {
    let row = written(connection, group.key())?;
    if let Some(row) = row.as_ref().filter(|row| row.rule == MatchRule::Person) {
        return Ok(Some(row.clone()));
    }
    let by_id: Option<Option<i64>> = connection
        .prepare_cached(
            "SELECT order_id FROM payments WHERE provider = ?1 AND merchant_account = ?2 AND transaction_id = ?3",
        )?
        .query_row((group.provider.as_str(), group.merchant_account.as_str(), group.transaction.as_str()), |row| {
            row.get(0)
        })
        .optional()?;
    Ok(match by_id {
        Some(order) => Some(LiveMatch {
            id: row.and_then(|row| row.id),
            order: order.map(OrderId),
            rule: MatchRule::Transaction,
            reason: "the payment with this transaction id".to_owned(),
        }),
        None => row,
    })
}

/// The row that has no successor.
pub(super) fn written(connection: &rusqlite::Connection, group: GroupKey<'_>) -> Result<Option<LiveMatch>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, order_id, rule, reason FROM settlement_matches m
         WHERE account_id = ?1 AND transaction_id = ?2 AND reference = ?3
           AND NOT EXISTS (SELECT 1 FROM settlement_matches n WHERE n.supersedes = m.id)",
    )?;
    let key = (group.account.0, group.transaction, group.reference);
    let mut found = statement.query_and_then(key, |row| {
        Ok(LiveMatch {
            id: Some(row.id("id", MatchId)?),
            order: row.optional_id("order_id", OrderId)?,
            rule: row.choice("rule", MatchRule::parse)?,
            reason: row.plain("reason")?,
        })
    })?;
    found.next().transpose()
}

impl Writer<'_> {
    /// Notes that a group has its order by its merchant reference.
    pub(super) fn match_by_reference(
        &self,
        account: AccountId,
        transaction: &str,
        merchant_reference: &str,
        order: OrderId,
    ) -> Result<()> {
        let reference = if transaction.is_empty() { merchant_reference } else { "" };
        self.connection
            .prepare_cached(
                "INSERT INTO settlement_matches (account_id, transaction_id, reference, order_id, rule, reason, made_at, run_id)
                 VALUES (?1, ?2, ?3, ?4, 'reference', ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute((
                account.0,
                transaction,
                reference,
                order.0,
                merchant_reference,
                time_text(self.now),
                self.run.map(|run| run.0),
            ))?;
        Ok(())
    }

    /// A person says which order a group belongs to, or that it belongs to none. Returns the match that counted before.
    pub fn match_by_person(
        &self,
        group: &LineGroup,
        order: Option<OrderId>,
        reason: &str,
    ) -> Result<Option<LiveMatch>> {
        let before = live(self.connection, group)?;
        let supersedes = written(self.connection, group.key())?.and_then(|row| row.id);
        self.connection
            .prepare_cached(
                "INSERT INTO settlement_matches (account_id, transaction_id, reference, order_id, rule, reason, supersedes,
                   made_at, run_id)
                 VALUES (?1, ?2, ?3, ?4, 'person', ?5, ?6, ?7, ?8)",
            )?
            .execute((
                group.account.0,
                &group.transaction,
                &group.reference,
                order.map(|order| order.0),
                reason,
                supersedes.map(|id| id.0),
                time_text(self.now),
                self.run.map(|run| run.0),
            ))?;
        let key = group.key();
        self.learn_of(group.account, &group.transaction)?;
        let lines = self.stored_lines(key)?;
        let currency_of =
            |order: OrderId| Ok::<_, LedgerError>(orders::order(self.connection, order)?.total.currency());
        let mut deltas = Vec::new();
        if let Some(old) = before.as_ref().and_then(|before| before.order) {
            deltas.push((old, sum(&lines, currency_of(old)?)?.negated()));
        }
        if let Some(new) = order {
            deltas.push((new, sum(&lines, currency_of(new)?)?));
        }
        deltas.sort_unstable_by_key(|(order, _)| *order);
        add_to_orders(self, &deltas)?;
        let was_counted = before.as_ref().is_some_and(|before| before.rule != MatchRule::Transaction);
        let change = 1 - i64::from(was_counted);
        let payouts: Vec<PayoutId> = lines.iter().map(|line| line.payout).collect();
        for payout in payouts {
            self.count_by_reference(payout, change)?;
        }
        self.close_group(key)?;
        Ok(before)
    }
}
