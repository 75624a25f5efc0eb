//! Groups of lines nobody has found an order for: looked at again in every run, as their order may have come since.

use rusqlite::{Connection, OptionalExtension};

use super::delta::{OrderDelta, add_to_orders};
use super::{Looked, SettledAccount, by_reference, overflow};
use crate::domain::id::{AccountId, OrderId, PayoutId, ShopName};
use crate::domain::money::Currency;
use crate::domain::payment::Payment;
use crate::domain::settlement::{Decimal, LineKind};
use crate::ledger::row::Columns;
use crate::ledger::{Ledger, LedgerError, Result, Writer};

/// What a new look at the unmatched lines brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rematched {
    pub by_transaction: u64,
    pub by_reference: u64,
}

/// A group of unmatched lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenGroup {
    pub account: AccountId,
    pub transaction: String,
    /// Set where there is no transaction.
    pub reference: String,
    pub merchant_reference: String,
    pub lines: i64,
    pub is_ambiguous: bool,
}

fn groups(connection: &Connection, condition: &str, parameters: impl rusqlite::Params) -> Result<Vec<OpenGroup>> {
    let mut statement = connection.prepare_cached(&format!("SELECT * FROM unmatched_groups {condition}"))?;
    statement
        .query_and_then(parameters, |row| {
            Ok(OpenGroup {
                account: row.id("account_id", AccountId)?,
                transaction: row.plain("transaction_id")?,
                reference: row.plain("reference")?,
                merchant_reference: row.plain("merchant_reference")?,
                lines: row.plain("lines")?,
                is_ambiguous: row.plain("is_ambiguous")?,
            })
        })?
        .collect()
}

impl Ledger {
    /// Unmatched groups of a payout for which more than one order could be meant.
    pub fn ambiguous_groups(&self, payout: PayoutId) -> Result<Vec<OpenGroup>> {
        groups(&self.connection, "WHERE payout_id = ?1 AND is_ambiguous LIMIT 1000", [payout.0])
    }
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
                self.count_by_reference(line.payout, 0)?;
            }
            if let Some(order) = order {
                deltas.push((order, sum(&lines, currency)?));
            }
            self.close_group(group)?;
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
            let open = groups(self.connection, "WHERE account_id = ?1 GROUP BY transaction_id, reference", [id.0])?;
            for group in open {
                let looked = by_reference(self.connection, shop, rule, &group.merchant_reference)?;
                let Looked::Found(order, currency) = looked else { continue };
                self.match_by_reference(id, &group.transaction, &group.merchant_reference, order)?;
                let key = GroupKey { account: id, transaction: &group.transaction, reference: &group.reference };
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

    /// The order of a payment has become known: what was settled for the payment counts for the order from now on.
    pub(in crate::ledger) fn settled_for_order(&self, payment: &Payment, order: OrderId) -> Result<()> {
        let account: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM merchant_accounts WHERE provider = ?1 AND merchant_account = ?2")?
            .query_row((payment.provider.as_str(), payment.merchant_account.as_str()), |row| row.get(0))
            .optional()?;
        let Some(account) = account.map(AccountId) else { return Ok(()) };
        let group = GroupKey { account, transaction: payment.transaction.as_str(), reference: "" };
        let is_a_persons: bool = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM settlement_matches WHERE account_id = ?1 AND transaction_id = ?2 AND rule = 'person')",
            )?
            .query_row((account.0, group.transaction), |row| row.get(0))?;
        let lines = self.stored_lines(group)?;
        if is_a_persons || lines.is_empty() {
            return Ok(());
        }
        add_to_orders(self, &[(order, sum(&lines, payment.authorised.currency())?)])
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
            "SELECT l.kind, l.payout_id, l.scale, l.gross, l.gross_currency, l.net + l.fee + l.tax AS before_fees, l.net_currency
             FROM (SELECT 0 AS id UNION ALL SELECT id FROM payouts WHERE account_id = ?1) batch
             JOIN settlement_lines l ON l.account_id = ?1 AND l.batch = batch.id AND l.transaction_id = ?2
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
