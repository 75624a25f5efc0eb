//! Lines that have their order by their reference or by a person, and whose payment is not in the ledger: there is nothing that what
//! they tell could be booked on.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::payouts::PayoutOverview;
use crate::domain::id::PayoutId;
use crate::domain::settlement::Decimal;
use crate::ledger::row::Columns;
use crate::ledger::{LedgerError, Result, Writer};

/// One of these lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineWithoutPayment {
    /// File and number, as `match` takes them.
    pub line: String,
    /// What the customer saw, with its currency.
    pub amount: String,
    /// Empty: the report names none.
    pub transaction: String,
    /// SHOP/NUMBER.
    pub order: String,
}

/// All of a payout, and some of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinesWithoutPayment {
    pub lines: i64,
    pub some: Vec<LineWithoutPayment>,
}

/// Lines that are named.
const NAMED: i64 = 3;

const NEWEST_MATCH: &str = "NOT EXISTS (SELECT 1 FROM settlement_matches n WHERE n.supersedes = m.id)";

const HAS_PAYMENT: &str = "
    EXISTS (SELECT 1 FROM merchant_accounts a JOIN payments y ON y.provider = a.provider AND y.merchant_account = a.merchant_account
            WHERE a.id = m.account_id AND y.transaction_id = m.transaction_id AND m.transaction_id <> '')";

/// The lines in the payouts of `place`, and those with an id of their own, that a match `m` is of.
const LINES: &str = "
    CROSS JOIN settlement_lines l ON l.account_id = m.account_id AND l.batch = place.id AND l.transaction_id = m.transaction_id
      AND l.kind BETWEEN 1 AND 7 AND (m.transaction_id <> '' OR l.reference = m.reference)
    LEFT JOIN settlement_line_payouts since ON l.batch = 0 AND since.account_id = l.account_id
      AND since.transaction_id = l.transaction_id AND since.modification_id = l.modification_id AND since.kind = l.kind";

impl Writer<'_> {
    /// Those of each payout that has some. What a report matched by reference is counted with the payout, until its payment comes; so
    /// only what a person has said is looked through, once for all payouts.
    pub fn lines_without_payment(&self, payouts: &[PayoutOverview]) -> Result<BTreeMap<PayoutId, LinesWithoutPayment>> {
        let counted = || payouts.iter().filter(|payout| payout.lines.by_reference > 0);
        if counted().next().is_none() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<i64> = counted().map(|payout| payout.id.0).collect();
        let otherwise = judged_otherwise(self.connection, &ids)?;
        let mut found = BTreeMap::new();
        for payout in counted() {
            let lines = payout.lines.by_reference - otherwise.get(&payout.id).copied().unwrap_or(0);
            if lines > 0 {
                let most = lines.min(NAMED);
                let find = |from: &str| some_of(self.connection, payout.id, most, from);
                let mut some = find(OF_BATCH)?;
                if some.is_empty() {
                    some = find(OF_OWN_ID)?;
                }
                found.insert(payout.id, LinesWithoutPayment { lines, some });
            }
        }
        Ok(found)
    }
}

/// Lines that are no order's, or have a payment all the same, by what a person said; by payout.
fn judged_otherwise(connection: &Connection, payouts: &[i64]) -> Result<BTreeMap<PayoutId, i64>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT ifnull(since.payout_id, l.payout_id) AS payout_id, count(*) AS lines
         FROM settlement_matches m CROSS JOIN (SELECT value AS id FROM json_each(?1) UNION ALL SELECT 0) place {LINES}
         WHERE m.rule = 'person' AND {NEWEST_MATCH} AND (m.order_id IS NULL OR {HAS_PAYMENT}) GROUP BY 1"
    ))?;
    let list = format!("{payouts:?}");
    let found = statement.query_and_then([list], |row| Ok((row.id("payout_id", PayoutId)?, row.plain("lines")?)))?;
    found.collect()
}

/// Lines that lie in the batch of their payout: read on until some are found.
const OF_BATCH: &str = "
    payouts p CROSS JOIN settlement_lines l ON l.account_id = p.account_id AND l.batch = p.id AND l.kind BETWEEN 1 AND 7
    CROSS JOIN settlement_matches m ON m.account_id = l.account_id AND m.transaction_id = l.transaction_id
      AND m.reference = CASE l.transaction_id WHEN '' THEN l.reference ELSE '' END";

/// Lines with an id of their own lie among those of all payouts: from the last match back, as the newest payouts have the newest.
const OF_OWN_ID: &str = "
    settlement_matches m NOT INDEXED CROSS JOIN payouts p ON p.account_id = m.account_id
    CROSS JOIN settlement_lines l ON l.account_id = m.account_id AND l.batch = 0 AND l.transaction_id = m.transaction_id
      AND l.kind BETWEEN 1 AND 7 AND (m.transaction_id <> '' OR l.reference = m.reference)
    LEFT JOIN settlement_line_payouts since ON since.account_id = l.account_id AND since.transaction_id = l.transaction_id
      AND since.modification_id = l.modification_id AND since.kind = l.kind";

/// No more than `most`, and none looked for beyond them.
fn some_of(connection: &Connection, payout: PayoutId, most: i64, from: &str) -> Result<Vec<LineWithoutPayment>> {
    let (is_paid_out, order) = if from == OF_OWN_ID {
        ("AND ifnull(since.payout_id, l.payout_id) = ?1", "ORDER BY m.id DESC")
    } else {
        ("", "")
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT l.file_id, l.file_line, l.scale, ifnull(l.gross, l.net + l.fee + l.tax) AS presented,
           ifnull(l.gross_currency, l.net_currency) AS currency, l.transaction_id, o.shop || '/' || o.number AS order_name
         FROM {from} CROSS JOIN orders o ON o.id = m.order_id
         WHERE p.id = ?1 {is_paid_out} AND {NEWEST_MATCH} AND NOT {HAS_PAYMENT}
         {order} LIMIT ?2"
    ))?;
    let found = statement.query_and_then((payout.0, most), |row| {
        let (units, scale): (i64, u8) = (row.plain("presented")?, row.plain("scale")?);
        let amount = Decimal::new(units, scale)
            .ok_or_else(|| LedgerError::damaged(format!("{units} as an amount of a line")))?;
        Ok(LineWithoutPayment {
            line: format!("{}:{}", row.plain::<i64>("file_id")?, row.plain::<i64>("file_line")?),
            amount: format!("{amount} {}", row.text("currency")?),
            transaction: row.plain("transaction_id")?,
            order: row.plain("order_name")?,
        })
    })?;
    found.collect()
}
