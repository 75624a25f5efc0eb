//! Lines as a person asks for them.

use rusqlite::types::Value;
use serde::Serialize;

use crate::domain::id::FileId;
use crate::domain::order::Order;
use crate::domain::settlement::matching::MatchRule;
use crate::domain::settlement::{Decimal, LineKind};
use crate::ledger::row::Columns;
use crate::ledger::{Ledger, LedgerError, Result};

/// Which lines; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineFilter {
    /// The number of a report and that of a line in it.
    pub line: Option<(FileId, i64)>,
    /// A payout's reference.
    pub payout: Option<String>,
    pub transaction: Option<String>,
    pub shop: Option<String>,
    /// An order's number.
    pub order: Option<String>,
    pub is_unmatched: bool,
    pub is_unknown: bool,
    pub limit: u32,
}

impl LineFilter {
    pub fn of_order(order: &Order) -> Self {
        let (shop, number) = (order.shop.to_string(), order.number.to_string());
        Self { shop: Some(shop), order: Some(number), limit: 1000, ..Self::default() }
    }
}

/// A line with its match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedLine {
    /// File and number, as `match` takes them.
    pub line: String,
    pub file: String,
    pub provider: String,
    pub merchant_account: String,
    pub payout: String,
    pub kind: LineKind,
    pub transaction: String,
    pub modification: String,
    pub reference: String,
    pub document: String,
    pub method: String,
    pub occurred_at: String,
    pub gross: Option<Money>,
    pub fees: Money,
    pub tax: Money,
    pub net: Money,
    pub exchange_rate: Option<String>,
    /// SHOP/NUMBER.
    pub order: Option<String>,
    pub rule: Option<MatchRule>,
    /// What it was matched by, or what a person said.
    pub reason: Option<String>,
    pub note: Option<String>,
}

/// A decimal with its currency's code: reports may be finer than the currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Money {
    pub amount: String,
    pub currency: String,
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} {}", self.amount, self.currency))
    }
}

/// Each line with the match that counts: a person's, else the payment's with its transaction id, else the one by reference.
const COLUMNS: &str = "
    SELECT l.*, f.name AS file_name, a.provider, a.merchant_account, p.reference AS payout,
      CASE WHEN m.rule = 'person' THEN 'person' WHEN pay.id IS NOT NULL THEN 'transaction' ELSE m.rule END AS rule,
      CASE WHEN m.rule = 'person' OR pay.id IS NULL THEN m.reason END AS reason,
      o.shop || '/' || o.number AS order_name ";

/// Lines that lie in the batch of their payout: found payout by payout.
const OF_BATCHES: &str = "
    FROM payouts p
    JOIN settlement_lines l ON l.account_id = p.account_id AND l.batch = p.id ";

/// Lines with an id of their own, which may have been paid out after they were first read.
const OF_OWN_ID: &str = "
    FROM settlement_lines l
    LEFT JOIN settlement_line_payouts since ON since.account_id = l.account_id AND since.transaction_id = l.transaction_id
      AND since.modification_id = l.modification_id AND since.kind = l.kind
    JOIN payouts p ON p.id = ifnull(since.payout_id, l.payout_id) ";

const MATCHES: &str = "
    JOIN report_files f ON f.id = l.file_id
    JOIN merchant_accounts a ON a.id = l.account_id
    LEFT JOIN settlement_matches m ON m.account_id = l.account_id AND m.transaction_id = l.transaction_id
      AND m.reference = CASE l.transaction_id WHEN '' THEN l.reference ELSE '' END
      AND NOT EXISTS (SELECT 1 FROM settlement_matches n WHERE n.supersedes = m.id)
    LEFT JOIN payments pay ON pay.provider = a.provider AND pay.merchant_account = a.merchant_account
      AND pay.transaction_id = l.transaction_id
    LEFT JOIN orders o ON o.id = CASE WHEN m.rule = 'person' OR pay.id IS NULL THEN m.order_id ELSE pay.order_id END ";

impl Ledger {
    /// Lines in the order in which they lie in the ledger.
    pub fn lines(&self, filter: &LineFilter) -> Result<Vec<ListedLine>> {
        let mut lines = self.select(OF_BATCHES, "l.batch <> 0", filter)?;
        lines.extend(self.select(OF_OWN_ID, "l.batch = 0", filter)?);
        lines.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
        Ok(lines)
    }

    fn select(&self, from: &str, first: &str, filter: &LineFilter) -> Result<Vec<ListedLine>> {
        let mut conditions = vec![first.to_owned()];
        let mut values = Vec::new();
        let equals = [
            ("p.reference", &filter.payout),
            ("l.transaction_id", &filter.transaction),
            ("o.shop", &filter.shop),
            ("o.number", &filter.order),
        ];
        for (column, value) in equals {
            if let Some(value) = value {
                values.push(Value::Text(value.clone()));
                conditions.push(format!("{column} = ?{}", values.len()));
            }
        }
        if let Some((file, number)) = filter.line {
            conditions.push(format!("l.file_id = {} AND l.file_line = {number}", file.0));
        }
        if filter.order.is_some() {
            // So that the order's lines are looked up, payout by payout, and not all lines read.
            conditions.push(format!(
                "l.transaction_id IN (
                   SELECT y.transaction_id FROM payments y JOIN orders x ON x.id = y.order_id WHERE x.number = ?{0}
                   UNION SELECT n.transaction_id FROM settlement_matches n JOIN orders x ON x.id = n.order_id WHERE x.number = ?{0})",
                values.len()
            ));
        }
        if filter.is_unmatched {
            conditions.push(
                "EXISTS (SELECT 1 FROM unmatched_groups u WHERE u.account_id = l.account_id AND u.transaction_id = l.transaction_id
                   AND u.reference = CASE l.transaction_id WHEN '' THEN l.reference ELSE '' END AND u.payout_id = p.id)"
                    .to_owned(),
            );
        }
        if filter.is_unknown {
            conditions.push(format!("l.kind = {}", LineKind::Unknown.code()));
        }
        let query = format!("{COLUMNS}{from}{MATCHES} WHERE {} LIMIT {}", conditions.join(" AND "), filter.limit);
        let mut statement = self.connection.prepare(&query)?;
        statement.query_and_then(rusqlite::params_from_iter(values), listed)?.collect()
    }
}

fn listed(row: &rusqlite::Row<'_>) -> Result<ListedLine> {
    let code: i64 = row.plain("kind")?;
    let scale: u8 = row.plain("scale")?;
    let money = |column: &str, currency: &str| {
        let units: i64 = row.plain(column)?;
        let amount = Decimal::new(units, scale).ok_or_else(|| LedgerError::damaged(format!("{units} as {column}")))?;
        Ok::<_, LedgerError>(Money { amount: amount.to_string(), currency: currency.to_owned() })
    };
    let net_currency = row.text("net_currency")?;
    let gross = match row.optional_text("gross_currency")? {
        Some(currency) => Some(money("gross", currency)?),
        None => None,
    };
    let seconds: i64 = row.plain("occurred_at")?;
    let occurred_at = chrono::DateTime::from_timestamp(seconds, 0)
        .ok_or_else(|| LedgerError::damaged(format!("{seconds} as occurred_at")))?;
    let rule = row
        .optional_text("rule")?
        .map(|rule| MatchRule::parse(rule).ok_or_else(|| LedgerError::damaged(format!("`{rule}` as rule of a match"))));
    Ok(ListedLine {
        line: format!("{}:{}", row.plain::<i64>("file_id")?, row.plain::<i64>("file_line")?),
        file: row.plain("file_name")?,
        provider: row.plain("provider")?,
        merchant_account: row.plain("merchant_account")?,
        payout: row.plain("payout")?,
        kind: LineKind::of_code(code).ok_or_else(|| LedgerError::damaged(format!("{code} as kind of a line")))?,
        transaction: row.plain("transaction_id")?,
        modification: row.plain("modification_id")?,
        reference: row.plain("reference")?,
        document: row.plain("document")?,
        method: row.plain("method")?,
        occurred_at: occurred_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        gross,
        fees: money("fee", net_currency)?,
        tax: money("tax", net_currency)?,
        net: money("net", net_currency)?,
        exchange_rate: row.plain("exchange_rate")?,
        order: row.plain("order_name")?,
        rule: rule.transpose()?,
        reason: row.plain("reason")?,
        note: row.plain("note")?,
    })
}
