//! Payments whose settlement lines may say what the ledger does not know: found in bulk, looked at one by one, and kept in mind
//! across runs, so that a killed one loses no fact and nothing is looked at again without a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use rusqlite::Row;

use super::exceeding::unit;
use super::groups::GroupKey;
use super::matches::written;
use super::touched::Touched;
use crate::domain::id::{AccountId, ModificationId, PaymentId, PayoutId, RunId};
use crate::domain::money::Currency;
use crate::domain::payment::Payment;
use crate::domain::settlement::facts::SettledLine;
use crate::domain::settlement::matching::MatchRule;
use crate::domain::settlement::{Decimal, LineKind};
use crate::ledger::row::{Columns, InOrder, Layout};
use crate::ledger::{Ledger, LedgerError, PaymentCase, Result, Writer};

/// A payment with all that its reports say of captures and refunds.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledCase {
    pub payment: PaymentCase,
    pub lines: Vec<SettledLine>,
    /// The subjects of the chargebacks that a person was told of.
    pub told: BTreeSet<String>,
}

/// What makes a payment `pay` with order settlements `s` worth a look: for its order more was settled than was captured (or refunded)
/// with the payment, something was settled in another currency, or an operation of ours may be told of.
pub(super) const WORTH_A_LOOK: &str = "
    s.order_id IS NULL
    OR s.sold_micros > UNIT * CAPTURED
    OR (s.refunded_micros < 0 AND -s.refunded_micros > UNIT * REFUNDED)
    OR (s.other_currency > 0 AND CAPTURED = 0)
    OR pay.id IN (ASKED)";

/// Payments with an operation of ours that may have been carried out and has no final answer; the states are those of the index.
pub(super) const ASKED: &str = "
    SELECT payment_id FROM operations WHERE kind IN ('capture', 'refund')
      AND state IN ('planned', 'sent', 'accepted', 'unknown', 'given_up') AND state <> 'planned'";

pub(super) const CAPTURED: &str = "
    (SELECT ifnull(sum(CASE m.kind WHEN 'capture' THEN m.amount_minor WHEN 'capture_failure' THEN -m.amount_minor ELSE 0 END), 0)
     FROM movements m WHERE m.payment_id = pay.id)";

pub(super) const REFUNDED: &str = "
    (SELECT ifnull(sum(CASE m.kind WHEN 'refund' THEN m.amount_minor WHEN 'refund_failure' THEN -m.amount_minor ELSE 0 END), 0)
     FROM movements m WHERE m.payment_id = pay.id)";

/// Money that went back, also at the bank.
const GOES_BACK: &str = "l.kind IN (3, 4, 5, 6) OR (l.kind = 1 AND ifnull(l.gross, l.net) < 0) OR (l.kind = 2 AND ifnull(l.gross, l.net) > 0)";

/// The new lines with their payments.
const NEW_LINES: &str = "
    (SELECT account_id, id AS batch FROM payouts WHERE id IN (SELECT payout_id FROM lines_to_learn)
     UNION SELECT account_id, 0 FROM payouts WHERE id IN (SELECT payout_id FROM lines_to_learn)) place
    CROSS JOIN merchant_accounts a ON a.id = place.account_id
    CROSS JOIN settlement_lines l ON l.account_id = place.account_id AND l.batch = place.batch
      AND l.kind BETWEEN 1 AND 7 AND l.file_id IN (SELECT file_id FROM lines_to_learn)
    CROSS JOIN payments pay ON pay.provider = a.provider AND pay.merchant_account = a.merchant_account
      AND pay.transaction_id = l.transaction_id";

/// The lines of payments of no order are looked for payment by payment.
const OF_NO_ORDER: &str = "
    payments pay CROSS JOIN merchant_accounts a ON a.provider = pay.provider AND a.merchant_account = pay.merchant_account
    CROSS JOIN (SELECT id, account_id FROM payouts WHERE id IN (SELECT payout_id FROM lines_to_learn)
                UNION SELECT 0, account_id FROM payouts WHERE id IN (SELECT payout_id FROM lines_to_learn)) place
      ON place.account_id = a.id
    CROSS JOIN settlement_lines l ON l.account_id = a.id AND l.batch = place.id AND l.transaction_id = pay.transaction_id
      AND l.kind BETWEEN 1 AND 7 AND l.file_id IN (SELECT file_id FROM lines_to_learn)";

/// So many orders are read on in the time that the payment of one line is looked up: measured.
const ORDERS_PER_LOOK_UP: i64 = 24;

/// And so many in the time that one order's payments are looked up, order after order: measured.
const ORDERS_PER_ORDER: i64 = 4;

const MARK: &str = "ON CONFLICT DO UPDATE SET movement_seen = NULL, event_seen = NULL";

/// The last movement of a payment, and the last step of its captures and refunds.
const LAST_MOVEMENT: &str = "(SELECT ifnull(max(m.id), 0) FROM movements m WHERE m.payment_id = n.payment_id)";
const LAST_EVENT: &str = "
    (SELECT ifnull(max(e.id), 0) FROM operations o JOIN operation_events e ON e.operation_id = o.id
     WHERE o.payment_id = n.payment_id AND o.kind IN ('capture', 'refund'))";

impl Ledger {
    /// Whether lines were taken over that nobody has held against the movements.
    pub fn has_lines_to_learn(&self) -> Result<bool> {
        let mut statement = self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM lines_to_learn)")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Begins a run: what an earlier one with this connection took over, another may have come between.
    pub fn forget_touched(&mut self) {
        self.touched = Touched::Nothing;
    }

    /// Looks for payments to learn of by the reports that were taken over; all at once.
    pub fn learn_from_lines(&mut self, run: Option<RunId>, now: DateTime<Utc>) -> Result<()> {
        let touched = std::mem::take(&mut self.touched);
        self.write("lines to learn from", run, now, |writer| {
            writer.find_payments_to_learn(&touched)?;
            writer.forget_lines_to_learn()
        })
    }

    /// Payments to look at; those that wait for a person or an answer only if something of them changed.
    pub fn payments_to_learn(&self, after: PaymentId, limit: u32) -> Result<Vec<PaymentId>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT n.payment_id FROM payments_to_learn n
             WHERE n.payment_id > ?1
               AND (n.movement_seen IS NULL OR n.movement_seen <> {LAST_MOVEMENT} OR n.event_seen <> {LAST_EVENT})
             ORDER BY n.payment_id LIMIT ?2"
        ))?;
        statement.query_and_then((after.0, limit), |row| row.id("payment_id", PaymentId))?.collect()
    }

    pub fn settled_case(&self, id: PaymentId) -> Result<SettledCase> {
        let payment = self.payment_case(id)?;
        let lines = self.lines_of_payment(&payment.payment)?;
        let told = self.told_chargebacks(id)?;
        Ok(SettledCase { payment, lines, told })
    }

    fn told_chargebacks(&self, payment: PaymentId) -> Result<BTreeSet<String>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT subject FROM exceptions WHERE kind = 'chargeback' AND payment_id = ?1")?;
        statement.query_and_then([payment.0], |row| row.plain("subject"))?.collect()
    }

    /// The lines that belong to a payment by its transaction id. Where a person has said that they belong elsewhere, none do.
    fn lines_of_payment(&self, payment: &Payment) -> Result<Vec<SettledLine>> {
        let mut accounts = self
            .connection
            .prepare_cached("SELECT id FROM merchant_accounts WHERE provider = ?1 AND merchant_account = ?2")?;
        let name = (payment.provider.as_str(), payment.merchant_account.as_str());
        let account = accounts.query_and_then(name, |row| row.id("id", AccountId))?.next().transpose()?;
        let Some(account) = account else { return Ok(Vec::new()) };
        let transaction = payment.transaction.as_str();
        let by_person = written(&self.connection, GroupKey { account, transaction, reference: "" })?
            .filter(|found| found.rule == MatchRule::Person);
        if by_person.is_some_and(|found| found.order.is_none() || found.order != payment.order) {
            return Ok(Vec::new());
        }
        if self.gathered.contains(payment.id.0) {
            return self.gathered_lines(payment.id);
        }
        // Payout by payout, as that is how they lie in the ledger; in this order of tables, which is not left to `SQLite`.
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {SETTLED_LINE}
             FROM (SELECT 0 AS id UNION ALL SELECT id FROM payouts WHERE account_id = ?1) place
             CROSS JOIN settlement_lines l ON l.account_id = ?1 AND l.batch = place.id AND l.transaction_id = ?2
             CROSS JOIN payouts p ON p.id = l.payout_id
             WHERE l.kind BETWEEN 1 AND 7"
        ))?;
        statement.query_and_then((account.0, transaction), settled_line)?.collect()
    }
}

/// Of a line `l` and its payout `p`.
pub(super) const SETTLED_LINE: &str = "
    l.file_id, l.file_line, l.kind, l.modification_id, l.document, l.ordinal, l.occurred_at, l.scale,
    ifnull(l.gross, l.net + l.fee + l.tax) AS presented, ifnull(l.gross_currency, l.net_currency) AS currency,
    p.reference AS payout";

static SETTLED_LAYOUT: Layout = Layout::new(&[
    "file_id",
    "file_line",
    "kind",
    "modification_id",
    "document",
    "ordinal",
    "occurred_at",
    "scale",
    "presented",
    "currency",
    "payout",
]);

pub(super) fn settled_line(row: &Row<'_>) -> Result<SettledLine> {
    let row = InOrder::of(row, &SETTLED_LAYOUT)?;
    let (file, line): (i64, i64) = (row.plain("file_id")?, row.plain("file_line")?);
    let (code, units, scale): (i64, i64, u8) = (row.plain("kind")?, row.plain("presented")?, row.plain("scale")?);
    let seconds: i64 = row.plain("occurred_at")?;
    let damaged = |what: String| LedgerError::damaged(what);
    Ok(SettledLine {
        name: format!("{file}:{line}"),
        kind: LineKind::of_code(code).ok_or_else(|| damaged(format!("{code} as kind of a line")))?,
        // An id that no movement could have is none.
        modification: ModificationId::parse(row.text("modification_id")?).ok(),
        document: row.plain("document")?,
        payout: row.plain("payout")?,
        ordinal: row.plain("ordinal")?,
        presented: (
            Decimal::new(units, scale).ok_or_else(|| damaged(format!("{units} as an amount of a line")))?,
            row.currency()?,
        ),
        at: DateTime::from_timestamp(seconds, 0).ok_or_else(|| damaged(format!("{seconds} as occurred_at")))?,
    })
}

impl Writer<'_> {
    /// The new lines a report had in these payouts are to be held against the movements; written with the lines.
    pub fn expect_facts(&self, digest: &str, payouts: &BTreeSet<PayoutId>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO lines_to_learn (payout_id, file_id) SELECT ?1, id FROM report_files WHERE digest = ?2 ON CONFLICT DO NOTHING",
        )?;
        for payout in payouts {
            statement.execute((payout.0, digest))?;
        }
        self.hold_charged_back(digest)
    }

    /// Whose transactions have a chargeback in a report: nothing of them moves before a person was told.
    fn hold_charged_back(&self, digest: &str) -> Result<()> {
        self.connection
            .prepare_cached(
                "WITH disputed AS (
                   SELECT p.account_id, p.id, n.file_id FROM report_files f JOIN lines_to_learn n ON n.file_id = f.id
                   JOIN payouts p ON p.id = n.payout_id
                   WHERE f.digest = ?1 AND EXISTS (SELECT 1 FROM payout_sums s WHERE s.payout_id = p.id AND s.kind IN (4, 5, 6)))
                 INSERT INTO untold_chargebacks (transaction_id, account_id)
                 SELECT DISTINCT l.transaction_id, l.account_id
                 FROM (SELECT account_id, id AS batch, file_id FROM disputed UNION SELECT account_id, 0, file_id FROM disputed) place
                 CROSS JOIN settlement_lines l ON l.account_id = place.account_id AND l.batch = place.batch
                   AND l.file_id = place.file_id AND l.kind IN (4, 5, 6)
                 WHERE l.transaction_id <> '' ON CONFLICT DO NOTHING",
            )?
            .execute([digest])?;
        Ok(())
    }

    /// The exceptions stand from here on.
    fn release_told(&self, payment: PaymentId) -> Result<()> {
        self.connection
            .prepare_cached(
                "DELETE FROM untold_chargebacks WHERE (transaction_id, account_id) IN (
                   SELECT p.transaction_id, a.id FROM payments p JOIN merchant_accounts a ON a.provider = p.provider
                     AND a.merchant_account = p.merchant_account WHERE p.id = ?1)",
            )?
            .execute([payment.0])?;
        Ok(())
    }

    /// Finds the payments for which new lines may be news, all at once: by the orders the lines were counted to, where this run took
    /// all of them over, else by the lines; or by all orders where these are so many that this is faster.
    fn find_payments_to_learn(&self, touched: &Touched) -> Result<()> {
        let (lines, orders): (i64, i64) = self.connection.query_row(
            "SELECT (SELECT ifnull(sum(added), 0) FROM report_files WHERE id IN (SELECT file_id FROM lines_to_learn)),
               (SELECT ifnull(max(order_id), 0) FROM order_settlements)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let exceeding = match touched {
            Touched::These(some) if some.count().saturating_mul(ORDERS_PER_ORDER) < orders => {
                self.exceeding_payments_of(some)?
            }
            Touched::Nothing | Touched::Unknown if lines.saturating_mul(ORDERS_PER_LOOK_UP) < orders => {
                let from = format!("{NEW_LINES} LEFT JOIN order_settlements s ON s.order_id = pay.order_id");
                return self.find_to_learn(&from, &format!("{GOES_BACK} OR {WORTH_A_LOOK}"));
            }
            Touched::These(_) | Touched::Nothing | Touched::Unknown => self.exceeding_payments()?,
        };
        for payment in exceeding {
            self.learn_of_payment(payment)?;
        }
        self.find_to_learn(OF_NO_ORDER, "pay.order_id IS NULL")?;
        if self.may_go_back()? {
            self.find_to_learn(NEW_LINES, GOES_BACK)?;
        }
        Ok(())
    }

    fn find_to_learn(&self, from: &str, condition: &str) -> Result<()> {
        let sql =
            format!("INSERT INTO payments_to_learn (payment_id) SELECT pay.id FROM {from} WHERE {condition} {MARK}");
        let sql = sql.replace("CAPTURED", CAPTURED).replace("REFUNDED", REFUNDED);
        let sql = sql.replace("ASKED", ASKED).replace("UNIT", &UNITS);
        self.connection.prepare_cached(&sql)?.execute([])?;
        Ok(())
    }

    /// Their payments are found.
    fn forget_lines_to_learn(&self) -> Result<()> {
        self.connection.execute("DELETE FROM lines_to_learn", [])?;
        Ok(())
    }

    /// Whether new lines may take money back: some are of such a kind, or a report that was explained to us may call anything a sale.
    fn may_go_back(&self) -> Result<bool> {
        Ok(self.connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM payout_sums WHERE kind IN (3, 4, 5, 6) AND payout_id IN (SELECT payout_id FROM lines_to_learn))
               OR EXISTS (SELECT 1 FROM report_files WHERE format = 'generic' AND id IN (SELECT file_id FROM lines_to_learn))",
            [],
            |row| row.get(0),
        )?)
    }

    /// Lines of a transaction belong to its payment only now, or belong to it again.
    pub(super) fn learn_of(&self, account: AccountId, transaction: &str) -> Result<()> {
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO payments_to_learn (payment_id)
                 SELECT p.id FROM merchant_accounts a JOIN payments p ON p.provider = a.provider
                   AND p.merchant_account = a.merchant_account AND p.transaction_id = ?2
                 WHERE a.id = ?1 {MARK}"
            ))?
            .execute((account.0, transaction))?;
        Ok(())
    }

    pub(in crate::ledger) fn learn_of_payment(&self, payment: PaymentId) -> Result<()> {
        self.connection
            .prepare_cached(&format!("INSERT INTO payments_to_learn (payment_id) VALUES (?1) {MARK}"))?
            .execute([payment.0])?;
        Ok(())
    }

    /// A payment was looked at, and nothing of its lines was left to record.
    pub(in crate::ledger) fn mark_read(&self, payment: PaymentId, is_done: bool) -> Result<()> {
        let sql = if is_done {
            "DELETE FROM payments_to_learn WHERE payment_id = ?1".to_owned()
        } else {
            format!(
                "UPDATE payments_to_learn AS n SET movement_seen = {LAST_MOVEMENT}, event_seen = {LAST_EVENT} WHERE payment_id = ?1"
            )
        };
        self.connection.prepare_cached(&sql)?.execute([payment.0])?;
        self.release_told(payment)
    }
}

/// Written once: to find out which of all three letters are a currency takes longer than to look for the payments of a report.
static UNITS: LazyLock<String> = LazyLock::new(units);

/// Millionths per smallest coin of a payment's currency, as SQL.
fn units() -> String {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
    let mut by_unit: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for code in codes {
        let Ok(currency) = Currency::parse(&code) else { continue };
        by_unit.entry(unit(currency)).or_default().push(format!("'{code}'"));
    }
    let most = unit_of_most(&by_unit);
    let cases = by_unit
        .into_iter()
        .filter(|(unit, _)| *unit != most)
        .map(|(unit, codes)| format!("WHEN pay.currency IN ({}) THEN {unit}", codes.join(", ")));
    format!("(CASE {} ELSE {most} END)", cases.collect::<Vec<_>>().join(" "))
}

fn unit_of_most(by_unit: &BTreeMap<i64, Vec<String>>) -> i64 {
    by_unit.iter().max_by_key(|(_, codes)| codes.len()).map_or(1, |(unit, _)| *unit)
}
