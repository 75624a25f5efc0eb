//! Groups of lines nobody has found an order for: looked at again in every run, as their order may have come since.

use rusqlite::OptionalExtension;

use super::delta::{OrderDelta, add_to_orders};
use super::matches::{LiveMatch, written};
use super::{Looked, SettledAccount, by_reference, overflow};
use crate::domain::id::{AccountId, OrderId, PayoutId, ShopName};
use crate::domain::money::Currency;
use crate::domain::settlement::matching::MatchRule;
use crate::domain::settlement::{Decimal, LineKind};
use crate::ledger::row::Columns;
use crate::ledger::{LedgerError, Result, Writer, orders};

/// What a new look at the unmatched lines brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rematched {
    pub by_transaction: u64,
    pub by_reference: u64,
}

/// A group of unmatched lines.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OpenGroup {
    transaction: String,
    /// Set where there is no transaction.
    reference: String,
    /// All that its lines may be matched by, joined by `;`.
    merchant_reference: String,
}

/// How a payment was known until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum Before {
    /// Not at all: its lines went by their reference, if they had an order.
    Absent,
    WithoutOrder,
}

/// A payment as settlement lines name it.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) struct PaymentKey<'k> {
    pub(in crate::ledger) provider: &'k str,
    pub(in crate::ledger) merchant_account: &'k str,
    pub(in crate::ledger) transaction: &'k str,
}

impl Writer<'_> {
    /// Looks for the orders of unmatched lines again.
    pub fn rematch(&self, accounts: &[SettledAccount], shop: &ShopName) -> Result<Rematched> {
        let mut done = Rematched::default();
        let mut deltas = Vec::new();
        self.rematch_by_transaction(&mut done, &mut deltas)?;
        self.rematch_by_reference(accounts, shop, &mut done, &mut deltas)?;
        deltas.sort_unstable_by_key(|(order, _)| *order);
        add_to_orders(self, &deltas)?;
        Ok(done)
    }

    fn rematch_by_transaction(&self, done: &mut Rematched, deltas: &mut Vec<(OrderId, OrderDelta)>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT u.account_id, u.transaction_id, p.order_id, p.currency
             FROM unmatched_groups u JOIN merchant_accounts a ON a.id = u.account_id
             JOIN payments p ON p.provider = a.provider AND p.merchant_account = a.merchant_account
               AND p.transaction_id = u.transaction_id
             WHERE u.transaction_id <> ''",
        )?;
        let found: Vec<(AccountId, String, Option<OrderId>, Currency)> = statement
            .query_and_then([], |row| {
                Ok((
                    row.id("account_id", AccountId)?,
                    row.plain("transaction_id")?,
                    row.optional_id("order_id", OrderId)?,
                    row.currency()?,
                ))
            })?
            .collect::<Result<_>>()?;
        for (account, transaction, order, currency) in found {
            let group = GroupKey { account, transaction: &transaction, reference: "" };
            let lines = self.stored_lines(group)?;
            done.by_transaction += u64::try_from(lines.len()).unwrap_or(0);
            for line in &lines {
                self.reopen_payout(line.payout)?;
            }
            if let Some(order) = order {
                deltas.push((order, sum(&lines, currency)?));
            }
            self.close_group(group)?;
            self.learn_of(account, &transaction)?;
        }
        Ok(())
    }

    fn rematch_by_reference(
        &self,
        accounts: &[SettledAccount],
        shop: &ShopName,
        done: &mut Rematched,
        deltas: &mut Vec<(OrderId, OrderDelta)>,
    ) -> Result<()> {
        for account in accounts {
            let Some(rule) = &account.reference else { continue };
            let id = self.account_id(account)?;
            for group in self.waiting(id)? {
                let key = GroupKey { account: id, transaction: &group.transaction, reference: &group.reference };
                let (order, currency) = match by_reference(self.connection, shop, rule, &group.merchant_reference)? {
                    Looked::Found(order, currency) => (order, currency),
                    looked @ (Looked::Nothing | Looked::Ambiguous) => {
                        self.set_ambiguous(key, looked == Looked::Ambiguous)?;
                        continue;
                    }
                };
                self.match_by_reference(id, &group.transaction, &group.merchant_reference, order)?;
                let lines = self.stored_lines(key)?;
                done.by_reference += u64::try_from(lines.len()).unwrap_or(0);
                for line in &lines {
                    self.count_by_reference(line.payout, 1)?;
                }
                deltas.push((order, sum(&lines, currency)?));
                self.close_group(key)?;
            }
        }
        Ok(())
    }

    /// The groups of an account without an order, each with all references its lines have.
    fn waiting(&self, account: AccountId) -> Result<Vec<OpenGroup>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT transaction_id, reference, group_concat(DISTINCT merchant_reference) FILTER (WHERE merchant_reference <> '')
             FROM (SELECT transaction_id, reference, replace(merchant_reference, ',', char(1)) AS merchant_reference FROM unmatched_groups
                   WHERE account_id = ?1)
             GROUP BY transaction_id, reference",
        )?;
        let groups = statement.query_map([account.0], |row| {
            let references: Option<String> = row.get(2)?;
            // Joined by commas, as SQLite joins what is DISTINCT; a comma in a reference was kept apart.
            let references = references.unwrap_or_default().replace(',', ";").replace('\u{1}', ",");
            Ok(OpenGroup { transaction: row.get(0)?, reference: row.get(1)?, merchant_reference: references })
        })?;
        Ok(groups.collect::<rusqlite::Result<_>>()?)
    }

    fn set_ambiguous(&self, group: GroupKey<'_>, is_ambiguous: bool) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE unmatched_groups SET is_ambiguous = ?4 WHERE account_id = ?1 AND transaction_id = ?2 AND reference = ?3
                   AND is_ambiguous <> ?4",
            )?
            .execute((group.account.0, group.transaction, group.reference, is_ambiguous))?;
        Ok(())
    }

    /// A payment has come, or its order has become known: what was settled for its transaction counts for that order from now on.
    pub(in crate::ledger) fn settle_payment(
        &self,
        payment: &PaymentKey<'_>,
        before: Before,
        after: Option<OrderId>,
    ) -> Result<()> {
        let account: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM merchant_accounts WHERE provider = ?1 AND merchant_account = ?2")?
            .query_row((payment.provider, payment.merchant_account), |row| row.get(0))
            .optional()?;
        let Some(account) = account.map(AccountId) else { return Ok(()) };
        let group = GroupKey { account, transaction: payment.transaction, reference: "" };
        // What waits for its order is judged as a whole by the next run.
        if self.waits(group)? {
            return Ok(());
        }
        let before = match (before, written(self.connection, group)?) {
            (_, Some(LiveMatch { rule: MatchRule::Person, .. })) | (Before::Absent, None) => return Ok(()),
            (Before::WithoutOrder, _) => None,
            (Before::Absent, Some(written)) => written.order,
        };
        let lines = self.stored_lines(group)?;
        let currency_of =
            |order: OrderId| Ok::<_, LedgerError>(orders::order(self.connection, order)?.total.currency());
        let mut deltas = Vec::new();
        if let Some(before) = before {
            deltas.push((before, sum(&lines, currency_of(before)?)?.negated()));
        }
        if let Some(after) = after {
            deltas.push((after, sum(&lines, currency_of(after)?)?));
        }
        deltas.sort_unstable_by_key(|(order, _)| *order);
        add_to_orders(self, &deltas)
    }

    /// Lines that went by their reference go by their transaction now.
    pub(in crate::ledger) fn settle_new_payment(&self, payment: &PaymentKey<'_>, order: Option<OrderId>) -> Result<()> {
        let found: Option<(i64, bool)> = self
            .connection
            .prepare_cached(
                "SELECT account_id, m.rule = 'person' FROM settlement_matches m JOIN merchant_accounts a ON a.id = m.account_id
                 WHERE a.provider = ?1 AND a.merchant_account = ?2 AND m.transaction_id = ?3
                   AND NOT EXISTS (SELECT 1 FROM settlement_matches n WHERE n.supersedes = m.id)",
            )?
            .query_row((payment.provider, payment.merchant_account, payment.transaction), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((account, is_by_person)) = found else { return Ok(()) };
        self.learn_of(AccountId(account), payment.transaction)?;
        if is_by_person {
            // That their payment was missing is told no longer.
            let group = GroupKey { account: AccountId(account), transaction: payment.transaction, reference: "" };
            return self.stored_lines(group)?.iter().try_for_each(|line| self.reopen_payout(line.payout));
        }
        self.settle_payment(payment, Before::Absent, order)?;
        self.connection
            .prepare_cached(
                "UPDATE payouts SET state = 'open', by_reference = by_reference - (
                   SELECT count(*) FROM settlement_lines l LEFT JOIN settlement_line_payouts s ON l.batch = 0
                     AND s.account_id = l.account_id AND s.transaction_id = l.transaction_id AND s.modification_id = l.modification_id
                     AND s.kind = l.kind
                   WHERE l.account_id = ?1 AND l.batch IN (0, payouts.id) AND l.transaction_id = ?2
                     AND ifnull(s.payout_id, l.payout_id) = payouts.id AND l.kind BETWEEN 1 AND 7)
                 WHERE account_id = ?1",
            )?
            .execute((account, payment.transaction))?;
        Ok(())
    }

    fn waits(&self, group: GroupKey<'_>) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM unmatched_groups WHERE account_id = ?1 AND transaction_id = ?2 AND reference = ?3)",
        )?;
        Ok(statement.query_row((group.account.0, group.transaction, group.reference), |row| row.get(0))?)
    }

    pub(super) fn close_group(&self, group: GroupKey<'_>) -> Result<()> {
        self.connection
            .prepare_cached(
                "DELETE FROM unmatched_groups WHERE account_id = ?1 AND transaction_id = ?2 AND reference = ?3",
            )?
            .execute((group.account.0, group.transaction, group.reference))?;
        Ok(())
    }

    /// The lines of a group that belong to a payment: payout by payout, as that is how they lie in the ledger.
    pub(super) fn stored_lines(&self, group: GroupKey<'_>) -> Result<Vec<StoredLine>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT l.kind, ifnull(since.payout_id, l.payout_id) AS payout_id, l.scale, l.gross, l.gross_currency, l.net + l.fee + l.tax AS before_fees, l.net_currency
             FROM (SELECT 0 AS id UNION ALL SELECT id FROM payouts WHERE account_id = ?1) batch
             JOIN settlement_lines l ON l.account_id = ?1 AND l.batch = batch.id AND l.transaction_id = ?2
             LEFT JOIN settlement_line_payouts since ON l.batch = 0 AND since.account_id = l.account_id
               AND since.transaction_id = l.transaction_id AND since.modification_id = l.modification_id AND since.kind = l.kind
             WHERE ?2 <> '' OR l.reference = ?3",
        )?;
        let key = (group.account.0, group.transaction, group.reference);
        let lines: Result<Vec<StoredLine>> = statement.query_and_then(key, StoredLine::read)?.collect();
        Ok(lines?.into_iter().filter(|line| line.kind.is_of_payment()).collect())
    }
}

/// What lines are matched together.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupKey<'k> {
    pub(super) account: AccountId,
    pub(super) transaction: &'k str,
    pub(super) reference: &'k str,
}

/// As much of a stored line as its order needs.
#[derive(Debug, Clone)]
pub(super) struct StoredLine {
    pub(super) kind: LineKind,
    pub(super) payout: PayoutId,
    /// What the customer saw, in millionths.
    presented: i64,
    currency: Currency,
}

impl StoredLine {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        let code: i64 = row.plain("kind")?;
        let kind = LineKind::of_code(code).ok_or_else(|| LedgerError::damaged(format!("{code} as kind of a line")))?;
        let scale: u8 = row.plain("scale")?;
        let (units, currency) = match row.plain::<Option<i64>>("gross")? {
            Some(gross) => (gross, row.text("gross_currency")?),
            None => (row.plain("before_fees")?, row.text("net_currency")?),
        };
        let presented = Decimal::new(units, scale).ok_or_else(overflow)?.micros();
        Ok(Self { kind, payout: row.id("payout_id", PayoutId)?, presented, currency: Currency::parse(currency)? })
    }
}

pub(super) fn sum(lines: &[StoredLine], currency: Currency) -> Result<OrderDelta> {
    lines.iter().try_fold(OrderDelta::default(), |sum, line| {
        sum.plus(&OrderDelta::of(line.kind, line.presented, line.currency == currency)).ok_or_else(overflow)
    })
}
