//! What the sandbox pays out: everything confirmed that was not paid out yet, less its fees, in one batch per currency.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

use super::Sandbox;
use super::store::{Store, broken, currency};
use crate::domain::id::{MerchantAccount, ModificationId, TransactionId};
use crate::domain::money::{Amount, Currency};
use crate::domain::settlement::{Decimal, Fees, LineKind, ReportLine};
use crate::provider::{PayoutLines, PayoutReports, PortError, ReportedPayout};

/// A batch as the sandbox keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPayout {
    pub batch: i64,
    pub paid_at: DateTime<Utc>,
    /// To the bank; negative where it took money from there.
    pub paid: Amount,
    pub lines: Vec<SandboxLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxLine {
    pub id: ModificationId,
    pub transaction: TransactionId,
    pub order_reference: String,
    pub method: String,
    pub kind: SandboxLineKind,
    /// What we get is positive.
    pub gross: Amount,
    /// What the sandbox keeps.
    pub fee: Amount,
    pub happened_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxLineKind {
    Sale,
    Refund,
    Chargeback,
    ChargebackReversed,
}

/// Of a sale, in hundredths of a percent.
const SALE_FEE: i64 = 150;
/// For a chargeback, in units of its currency.
const CHARGEBACK_FEE: i64 = 15;

impl Sandbox {
    /// Pays out what is confirmed by now. Returns the new batches; none if there is nothing to pay out.
    pub fn pay_out(&self) -> anyhow::Result<Vec<SandboxPayout>> {
        Ok(self.lock().pay_out(&self.merchant_account, self.now)?)
    }

    /// Plays the customer who asks the money back at the bank, or the shop that wins the case. `false` if that has happened.
    pub fn dispute(&self, transaction: &TransactionId, is_won: bool) -> anyhow::Result<bool> {
        self.lock().dispute(&self.merchant_account, transaction, is_won, self.now)
    }
}

impl PayoutReports for Sandbox {
    fn payouts(&self, since: Option<DateTime<Utc>>) -> Result<Vec<ReportedPayout>, PortError> {
        let batches = self.lock().payouts(&self.merchant_account, since).map_err(|error| unreachable(&error))?;
        let reported =
            |payout: SandboxPayout| ReportedPayout { reference: payout.batch.to_string(), paid_at: payout.paid_at };
        Ok(batches.into_iter().map(reported).collect())
    }

    fn lines(&self, payout: &ReportedPayout) -> Result<PayoutLines<'_>, PortError> {
        let paid_at = Some(payout.paid_at);
        let batches = self.lock().payouts(&self.merchant_account, paid_at).map_err(|error| unreachable(&error))?;
        let found = batches.into_iter().find(|batch| batch.batch.to_string() == payout.reference);
        let Some(found) = found else {
            return Err(PortError::CannotTell { why: format!("the sandbox has no payout {}", payout.reference) });
        };
        let lines = found.report().ok_or_else(|| PortError::CannotTell {
            why: format!("an amount of payout {} is larger than a settlement line can hold", payout.reference),
        })?;
        Ok(Box::new(lines.into_iter().map(Ok)))
    }
}

fn unreachable(error: &rusqlite::Error) -> PortError {
    PortError::Unreachable { why: format!("the sandbox broke down: {error}") }
}

impl SandboxPayout {
    /// What the sandbox kept of all lines.
    pub fn fees(&self) -> Amount {
        Amount::from_minor(self.lines.iter().map(|line| line.fee.minor()).sum(), self.paid.currency())
    }

    /// What the line of the payout itself is known by.
    pub(super) fn name(&self) -> String {
        format!("payout {}", self.batch)
    }

    /// Its lines as `settlements` reads them, the payout last. `None` if an amount is larger than they can hold.
    fn report(&self) -> Option<Vec<ReportLine>> {
        let payout = self.batch.to_string();
        let paid_out = ReportLine {
            number: u64::try_from(self.lines.len()).unwrap_or(u64::MAX).saturating_add(1),
            account: "".into(),
            payout: payout.as_str().into(),
            has_own_id: false,
            transaction: "".into(),
            modification: self.name().into(),
            reference: "".into(),
            document: "".into(),
            kind: LineKind::Payout,
            method: "".into(),
            occurred_at: self.paid_at,
            gross: None,
            net: (decimal(self.paid.negated())?, self.paid.currency()),
            fees: Fees::default(),
            exchange_rate: "".into(),
            note: "".into(),
        };
        let reported = |(number, line): (u64, &SandboxLine)| {
            Some(ReportLine {
                number,
                transaction: line.transaction.as_str().into(),
                modification: line.id.as_str().into(),
                reference: line.order_reference.as_str().into(),
                kind: line.kind.reported(),
                method: line.method.as_str().into(),
                occurred_at: line.happened_at,
                gross: Some((decimal(line.gross)?, line.gross.currency())),
                net: (decimal(line.net())?, line.gross.currency()),
                fees: Fees { total: decimal(line.fee)?, ..Fees::default() },
                ..paid_out.clone()
            })
        };
        (1..).zip(&self.lines).map(reported).chain([Some(paid_out.clone())]).collect()
    }
}

impl SandboxLineKind {
    const ALL: [Self; 4] = [Self::Sale, Self::Refund, Self::Chargeback, Self::ChargebackReversed];

    fn reported(self) -> LineKind {
        match self {
            Self::Sale => LineKind::Sale,
            Self::Refund => LineKind::Refund,
            Self::Chargeback => LineKind::Chargeback,
            Self::ChargebackReversed => LineKind::ChargebackReversed,
        }
    }

    fn as_str(self) -> &'static str {
        self.reported().as_str()
    }
}

impl SandboxLine {
    pub fn net(&self) -> Amount {
        Amount::from_minor(self.gross.minor() - self.fee.minor(), self.gross.currency())
    }
}

fn decimal(amount: Amount) -> Option<Decimal> {
    Decimal::new(amount.minor(), u8::try_from(amount.currency().exponent()).ok()?)
}

impl Store {
    fn pay_out(&mut self, account: &MerchantAccount, now: DateTime<Utc>) -> rusqlite::Result<Vec<SandboxPayout>> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut unpaid = unpaid(&transaction, account, now)?;
        let mut payouts = Vec::new();
        while let Some(first) = unpaid.first() {
            let currency = first.gross.currency();
            let (lines, others): (Vec<_>, Vec<_>) =
                unpaid.into_iter().partition(|line| line.gross.currency() == currency);
            unpaid = others;
            let paid = Amount::from_minor(lines.iter().map(|line| line.net().minor()).sum(), currency);
            let batch: i64 = transaction.query_row(
                "SELECT ifnull(max(batch), 0) + 1 FROM payouts WHERE merchant_account = ?1",
                [account.as_str()],
                |row| row.get(0),
            )?;
            transaction.execute(
                "INSERT INTO payouts (merchant_account, batch, currency, paid_minor, paid_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (account.as_str(), batch, currency.code(), paid.minor(), now),
            )?;
            for line in &lines {
                transaction.execute(
                    "INSERT INTO payout_lines (merchant_account, id, batch, transaction_id, kind, gross_minor, fee_minor, happened_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    (
                        account.as_str(),
                        line.id.as_str(),
                        batch,
                        line.transaction.as_str(),
                        line.kind.as_str(),
                        line.gross.minor(),
                        line.fee.minor(),
                        line.happened_at,
                    ),
                )?;
            }
            payouts.push(SandboxPayout { batch, paid_at: now, paid, lines });
        }
        transaction.commit()?;
        Ok(payouts)
    }

    /// Oldest first.
    fn payouts(&self, account: &MerchantAccount, since: Option<DateTime<Utc>>) -> rusqlite::Result<Vec<SandboxPayout>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT * FROM payouts WHERE merchant_account = ?1 AND (?2 IS NULL OR paid_at >= ?2) ORDER BY batch",
        )?;
        let mut payouts = statement
            .query_map((account.as_str(), since), |row| {
                Ok(SandboxPayout {
                    batch: row.get("batch")?,
                    paid_at: row.get("paid_at")?,
                    paid: Amount::from_minor(row.get("paid_minor")?, currency(row)?),
                    lines: Vec::new(),
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut lines = self.connection.prepare_cached(
            "SELECT l.id, l.transaction_id, t.order_reference, t.method, t.currency, l.kind, l.gross_minor, l.fee_minor, l.happened_at
             FROM payout_lines l JOIN transactions t ON t.merchant_account = l.merchant_account AND t.id = l.transaction_id
             WHERE l.merchant_account = ?1 AND l.batch = ?2 ORDER BY l.happened_at, l.id",
        )?;
        for payout in &mut payouts {
            payout.lines = lines.query_map((account.as_str(), payout.batch), line)?.collect::<rusqlite::Result<_>>()?;
        }
        Ok(payouts)
    }

    fn dispute(
        &mut self,
        account: &MerchantAccount,
        id: &TransactionId,
        is_won: bool,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let found = self.transaction_at(account, id, now)?;
        anyhow::ensure!(found.is_some(), "the sandbox knows no transaction {id} of {account}");
        let lost: Option<i64> = self
            .connection
            .query_row(
                "SELECT amount_minor FROM disputes WHERE merchant_account = ?1 AND transaction_id = ?2 AND kind = 'chargeback'",
                (account.as_str(), id.as_str()),
                |row| row.get(0),
            )
            .optional()?;
        let taken: i64 = self.connection.query_row(
            "SELECT ifnull(sum(CASE kind WHEN 'capture' THEN amount_minor WHEN 'refund' THEN -amount_minor ELSE 0 END), 0) FROM modifications
             WHERE merchant_account = ?1 AND transaction_id = ?2 AND ends = 'confirmed' AND settles_at <= ?3",
            (account.as_str(), id.as_str(), now),
            |row| row.get(0),
        )?;
        let (kind, amount) = match (is_won, lost) {
            (false, _) => ("chargeback", taken),
            (true, Some(lost)) => ("chargeback_reversed", lost),
            (true, None) => anyhow::bail!("nobody disputed {id}: `payjournal sandbox dispute {id}` does"),
        };
        anyhow::ensure!(amount > 0, "nothing of {id} was captured that could be taken back");
        let added = self.connection.execute(
            "INSERT INTO disputes (id, merchant_account, transaction_id, kind, amount_minor, made_at)
             VALUES (?1 || '.' || ?4, ?2, ?1, ?4, ?3, ?5) ON CONFLICT DO NOTHING",
            (id.as_str(), account.as_str(), amount, kind, now),
        )?;
        Ok(added == 1)
    }
}

/// Everything confirmed and not paid out yet.
fn unpaid(
    connection: &Connection,
    account: &MerchantAccount,
    now: DateTime<Utc>,
) -> rusqlite::Result<Vec<SandboxLine>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.id, m.transaction_id, t.order_reference, t.method, t.currency, m.kind, m.gross_minor, 0 AS fee_minor, m.happened_at
         FROM (
           SELECT id, merchant_account, transaction_id, CASE kind WHEN 'capture' THEN 'sale' ELSE kind END AS kind,
             CASE kind WHEN 'capture' THEN amount_minor ELSE -amount_minor END AS gross_minor, settles_at AS happened_at
           FROM modifications WHERE kind IN ('capture', 'refund') AND ends = 'confirmed'
           UNION ALL
           SELECT id, merchant_account, transaction_id, kind,
             CASE kind WHEN 'chargeback' THEN -amount_minor ELSE amount_minor END, made_at FROM disputes) m
         JOIN transactions t ON t.merchant_account = m.merchant_account AND t.id = m.transaction_id
         WHERE m.merchant_account = ?1 AND m.happened_at <= ?2
           AND NOT EXISTS (SELECT 1 FROM payout_lines l WHERE l.merchant_account = m.merchant_account AND l.id = m.id)
         ORDER BY m.happened_at, m.id",
    )?;
    let lines = statement.query_map((account.as_str(), now), line)?;
    lines.map(|line| line.and_then(with_fee)).collect()
}

fn with_fee(line: SandboxLine) -> rusqlite::Result<SandboxLine> {
    let currency: Currency = line.gross.currency();
    let fee = match line.kind {
        SandboxLineKind::Sale => line.gross.share(SALE_FEE).map_err(broken)?,
        SandboxLineKind::Chargeback => {
            let decimals = u32::try_from(currency.exponent()).unwrap_or(0);
            Amount::from_minor(CHARGEBACK_FEE * 10_i64.pow(decimals), currency)
        }
        SandboxLineKind::Refund | SandboxLineKind::ChargebackReversed => Amount::zero(currency),
    };
    Ok(SandboxLine { fee, ..line })
}

fn line(row: &Row<'_>) -> rusqlite::Result<SandboxLine> {
    let currency = currency(row)?;
    let text: String = row.get("kind")?;
    let kind = SandboxLineKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    Ok(SandboxLine {
        id: ModificationId::parse(&row.get::<_, String>("id")?).map_err(broken)?,
        transaction: TransactionId::parse(&row.get::<_, String>("transaction_id")?).map_err(broken)?,
        order_reference: row.get("order_reference")?,
        method: row.get("method")?,
        kind: kind.ok_or(rusqlite::Error::InvalidQuery)?,
        gross: Amount::from_minor(row.get("gross_minor")?, currency),
        fee: Amount::from_minor(row.get("fee_minor")?, currency),
        happened_at: row.get("happened_at")?,
    })
}
