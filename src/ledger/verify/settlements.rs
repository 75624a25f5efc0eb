//! Settlement lines, their orders, and the sums of payouts.

use rusqlite::Row;

use super::movements::movement;
use super::{Bench, Check, Fault, Result};
use crate::domain::settlement::LineKind;
use crate::domain::settlement::proof::ProofState;
use crate::ledger::row::Columns;
use crate::ledger::settlements::proved_payout;

pub(super) const CHECKS: [Check; 7] = [
    Check {
        name: "settlement-line",
        sql: "SELECT l.file_id || ':' || l.file_line AS line, l.kind, l.account_id = p.account_id AS is_of_account,
                l.batch = 0 OR l.batch = l.payout_id AS is_in_batch
              FROM settlement_lines l LEFT JOIN payouts p ON p.id = l.payout_id
              WHERE l.account_id IS NOT p.account_id OR (l.batch <> 0 AND l.batch <> l.payout_id)
                OR l.kind NOT IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 99)",
        judge: misplaced,
    },
    Check {
        name: "payout-sums",
        sql: "WITH line AS (
                SELECT ifnull(since.payout_id, l.payout_id) AS payout, l.net_currency AS currency, l.kind,
                  ifnull(l.day, l.occurred_at / 86400) AS day,
                  ifnull(l.gross_currency, l.net_currency) AS presented_currency, ifnull(l.gross, l.net + l.fee + l.tax) AS presented,
                  CASE l.scale WHEN 0 THEN 1000000 WHEN 1 THEN 100000 WHEN 2 THEN 10000 WHEN 3 THEN 1000 WHEN 4 THEN 100 WHEN 5 THEN 10
                    ELSE 1 END AS unit, l.net, l.fee, l.tax
                FROM settlement_lines l LEFT JOIN settlement_line_payouts since ON l.batch = 0 AND since.account_id = l.account_id
                  AND since.transaction_id = l.transaction_id AND since.modification_id = l.modification_id AND since.kind = l.kind),
              rebuilt AS (
                SELECT payout, currency, kind, day, presented_currency, count(*) AS lines, sum(net * unit) AS net, sum(fee * unit) AS fee,
                  sum(tax * unit) AS tax, sum(presented * unit) AS presented
                FROM line GROUP BY payout, currency, kind, day, presented_currency)
              SELECT ifnull(s.payout_id, r.payout) AS payout, ifnull(s.currency, r.currency) AS currency, ifnull(s.kind, r.kind) AS kind,
                ifnull(s.lines, 0) AS lines, ifnull(r.lines, 0) AS rebuilt_lines,
                ifnull(s.net_micros, 0) AS net, ifnull(r.net, 0) AS rebuilt_net
              FROM payout_sums s FULL JOIN rebuilt r ON r.payout = s.payout_id AND r.currency = s.currency AND r.kind = s.kind
                AND r.day = s.day AND r.presented_currency = s.presented_currency
              WHERE ifnull(s.lines, 0) <> ifnull(r.lines, 0) OR ifnull(s.net_micros, 0) <> ifnull(r.net, 0)
                OR ifnull(s.fee_micros, 0) <> ifnull(r.fee, 0) OR ifnull(s.tax_micros, 0) <> ifnull(r.tax, 0)
                OR ifnull(s.presented_micros, 0) <> ifnull(r.presented, 0)",
        judge: sums_differ,
    },
    Check {
        name: "payout-closed",
        sql: "SELECT id AS payout, reference FROM payouts WHERE state = 'closed'",
        judge: closed_by_mistake,
    },
    Check {
        name: "match-once",
        sql: "SELECT min(m.id) AS \"match\", m.transaction_id, m.reference, count(*) AS times FROM settlement_matches m
              WHERE NOT EXISTS (SELECT 1 FROM settlement_matches n WHERE n.supersedes = m.id)
              GROUP BY m.account_id, m.transaction_id, m.reference HAVING times > 1",
        judge: matched_twice,
    },
    Check {
        name: "order-settlements",
        sql: "WITH line AS (
                SELECT CASE WHEN m.rule = 'person' OR pay.id IS NULL THEN m.order_id ELSE pay.order_id END AS \"order\", l.kind,
                  ifnull(l.gross_currency, l.net_currency) AS currency,
                  ifnull(l.gross, l.net + l.fee + l.tax)
                    * CASE l.scale WHEN 0 THEN 1000000 WHEN 1 THEN 100000 WHEN 2 THEN 10000 WHEN 3 THEN 1000 WHEN 4 THEN 100
                        WHEN 5 THEN 10 ELSE 1 END AS presented
                FROM settlement_lines l JOIN merchant_accounts a ON a.id = l.account_id
                LEFT JOIN settlement_matches m ON m.account_id = l.account_id AND m.transaction_id = l.transaction_id
                  AND m.reference = CASE l.transaction_id WHEN '' THEN l.reference ELSE '' END
                  AND NOT EXISTS (SELECT 1 FROM settlement_matches n WHERE n.supersedes = m.id)
                LEFT JOIN payments pay ON pay.provider = a.provider AND pay.merchant_account = a.merchant_account
                  AND pay.transaction_id = l.transaction_id
                WHERE l.kind IN (1, 2, 3, 4, 5, 6, 7)
                  -- Its payment may have come since; the next run finds it.
                  AND NOT EXISTS (SELECT 1 FROM unmatched_groups u WHERE u.account_id = l.account_id
                                    AND u.transaction_id = l.transaction_id
                                    AND u.reference = CASE l.transaction_id WHEN '' THEN l.reference ELSE '' END)),
              rebuilt AS (
                SELECT line.\"order\", count(*) AS lines,
                  sum(presented) FILTER (WHERE line.currency = o.currency AND kind IN (1, 7)) AS sold,
                  sum(presented) FILTER (WHERE line.currency = o.currency AND kind IN (2, 3)) AS refunded,
                  sum(presented) FILTER (WHERE line.currency = o.currency AND kind IN (4, 5, 6)) AS disputed
                FROM line JOIN orders o ON o.id = line.\"order\" GROUP BY line.\"order\")
              SELECT \"order\", sum(lines) AS lines, sum(sold) AS sold, sum(rebuilt_lines) AS rebuilt_lines, sum(rebuilt_sold) AS rebuilt_sold
              FROM (
                SELECT order_id AS \"order\", lines, sold_micros AS sold, refunded_micros AS refunded, disputed_micros AS disputed,
                  0 AS rebuilt_lines, 0 AS rebuilt_sold, 0 AS rebuilt_refunded, 0 AS rebuilt_disputed FROM order_settlements
                UNION ALL SELECT \"order\", 0, 0, 0, 0, lines, ifnull(sold, 0), ifnull(refunded, 0), ifnull(disputed, 0) FROM rebuilt)
              GROUP BY \"order\" HAVING sum(lines) <> sum(rebuilt_lines) OR sum(sold) <> sum(rebuilt_sold)
                OR sum(refunded) <> sum(rebuilt_refunded) OR sum(disputed) <> sum(rebuilt_disputed)",
        judge: order_differs,
    },
    Check {
        name: "unmatched-groups",
        sql: "WITH loose AS (
                SELECT l.account_id, l.transaction_id, CASE l.transaction_id WHEN '' THEN l.reference ELSE '' END AS reference,
                  count(*) AS lines
                FROM settlement_lines l JOIN merchant_accounts a ON a.id = l.account_id
                WHERE l.kind IN (1, 2, 3, 4, 5, 6, 7)
                  AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.provider = a.provider AND p.merchant_account = a.merchant_account
                                    AND p.transaction_id = l.transaction_id)
                  AND NOT EXISTS (SELECT 1 FROM settlement_matches m WHERE m.account_id = l.account_id
                                    AND m.transaction_id = l.transaction_id
                                    AND m.reference = CASE l.transaction_id WHEN '' THEN l.reference ELSE '' END)
                GROUP BY 1, 2, 3),
              known AS (SELECT account_id, transaction_id, reference, sum(lines) AS lines FROM unmatched_groups GROUP BY 1, 2, 3)
              SELECT loose.transaction_id AS \"transaction\", loose.reference, ifnull(known.lines, 0) AS lines, loose.lines AS rebuilt_lines
              FROM loose LEFT JOIN known USING (account_id, transaction_id, reference)
              WHERE ifnull(known.lines, 0) <> loose.lines",
        judge: group_differs,
    },
    Check {
        name: "settled-movement",
        sql: "SELECT m.modification_id, m.kind, p.transaction_id, m.currency, m.amount_minor
              FROM movements m JOIN payments p ON p.id = m.payment_id
              WHERE m.learnt_from = 'settlement' AND (p.provider, p.merchant_account, p.transaction_id) NOT IN (
                SELECT a.provider, a.merchant_account, l.transaction_id FROM settlement_lines l
                JOIN merchant_accounts a ON a.id = l.account_id WHERE l.kind BETWEEN 1 AND 7)",
        judge: told_by_no_line,
    },
];

fn misplaced(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (line, kind): (String, i64) = (row.plain("line")?, row.plain("kind")?);
    let what = if LineKind::of_code(kind).is_none() {
        format!("it is of kind {kind}, which there is not")
    } else {
        "its payout is another account's, or not that of its batch".to_owned()
    };
    Ok(Some(Fault::tampered(format!("settlement line {line}"), &what)))
}

fn sums_differ(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (payout, currency, kind): (i64, String, i64) =
        (row.plain("payout")?, row.plain("currency")?, row.plain("kind")?);
    let kind = LineKind::of_code(kind).map_or_else(|| kind.to_string(), |kind| kind.as_str().to_owned());
    let what = format!(
        "{} lines over {} millionths are noted, and its lines are {} over {}",
        row.plain::<i64>("lines")?,
        row.plain::<i64>("net")?,
        row.plain::<i64>("rebuilt_lines")?,
        row.plain::<i64>("rebuilt_net")?
    );
    Ok(Some(Fault::tampered(format!("payout {payout}, {kind} in {currency}"), &what)))
}

fn closed_by_mistake(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, reference): (i64, String) = (row.plain("payout")?, row.plain("reference")?);
    let payout = proved_payout(bench.connection, id)?;
    let is_closed = payout.is_some_and(|payout| payout.state == ProofState::Closed);
    let what = "it is closed, and does not add up";
    Ok((!is_closed).then(|| Fault::tampered(format!("payout {id} ({reference})"), what)))
}

fn matched_twice(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, transaction, reference): (i64, String, String) =
        (row.plain("match")?, row.plain("transaction_id")?, row.plain("reference")?);
    let what = format!("{} matches of it count at once", row.plain::<i64>("times")?);
    Ok(Some(Fault::tampered(format!("match {id} (transaction `{transaction}`, reference `{reference}`)"), &what)))
}

fn order_differs(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let order: i64 = row.plain("order")?;
    let what = format!(
        "{} settlement lines over {} millionths are noted, and its lines are {} over {}",
        row.plain::<i64>("lines")?,
        row.plain::<i64>("sold")?,
        row.plain::<i64>("rebuilt_lines")?,
        row.plain::<i64>("rebuilt_sold")?
    );
    Ok(Some(Fault::tampered(format!("order {order}"), &what)))
}

fn group_differs(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (transaction, reference): (String, String) = (row.plain("transaction")?, row.plain("reference")?);
    let what = format!(
        "{} lines without an order are noted, and there are {}",
        row.plain::<i64>("lines")?,
        row.plain::<i64>("rebuilt_lines")?
    );
    Ok(Some(Fault::tampered(format!("transaction `{transaction}`, reference `{reference}`"), &what)))
}

fn told_by_no_line(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let what =
        format!("{} is learnt from a settlement line, and no line is of its payment", row.amount("amount_minor")?);
    Ok(Some(Fault::tampered(movement(row)?, &what)))
}
