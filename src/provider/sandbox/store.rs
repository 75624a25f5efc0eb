//! The sandbox's file: transactions, modifications and the keys they came with.

use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior};

use super::super::{ModificationKind, ModificationState};
use super::{answer_of, fault, key};
use crate::config::settings::Fault;
use crate::domain::id::{MerchantAccount, MethodName, ModificationId, TransactionId};
use crate::domain::money::{Amount, Currency};
use crate::domain::payment::TransactionStatus;
use crate::operation::request::PaymentRequest;
use crate::operation::{Answer, Key, Kind, Refusal};

/// What the customer did on the payment page.
#[derive(Debug, Clone)]
pub struct Authorisation {
    pub transaction: TransactionId,
    pub order_reference: String,
    pub method: MethodName,
    pub amount: Amount,
    pub status: TransactionStatus,
    pub authorised_at: Option<DateTime<Utc>>,
    pub capture_before: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub struct RecordedTransaction {
    pub id: TransactionId,
    pub merchant_account: MerchantAccount,
    pub order_reference: String,
    pub method: String,
    pub authorised: Amount,
    pub status: TransactionStatus,
    pub authorised_at: Option<DateTime<Utc>>,
    pub capture_before: Option<DateTime<Utc>>,
    pub modifications: Vec<RecordedModification>,
}

#[derive(Debug, Clone)]
pub struct RecordedModification {
    pub id: ModificationId,
    pub kind: ModificationKind,
    pub amount: Amount,
    pub state: ModificationState,
    pub key: Key,
}

/// What a key that comes in again means.
enum Replay {
    First,
    /// Seen, and not carried out.
    Retried,
    Answer(Answer),
}

pub(super) struct Store {
    pub(super) connection: Connection,
}

/// Each leads from the version that is its place.
const SCHEMAS: [&str; 5] = [
    include_str!("schema.sql"),
    include_str!("payouts.sql"),
    include_str!("links.sql"),
    include_str!("cancels.sql"),
    include_str!("collects.sql"),
];

impl RecordedTransaction {
    /// Minor units of all modifications of a kind that did not fail.
    pub fn sum(&self, kind: ModificationKind) -> i64 {
        self.modifications
            .iter()
            .filter(|modification| {
                modification.kind == kind && !matches!(modification.state, ModificationState::Failed { .. })
            })
            .map(|modification| modification.amount.minor())
            .sum()
    }
}

impl Store {
    pub(super) fn open(path: &Path, key_hash: Option<&str>) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        // A process that is killed loses nothing; the last seconds before a power cut are nobody's money here.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        for (leads_from, schema) in (0_i64..).zip(SCHEMAS).filter(|(leads_from, _)| *leads_from >= version) {
            transaction.execute_batch(schema)?;
            transaction.pragma_update(None, "user_version", leads_from + 1)?;
        }
        let bound: Option<Option<String>> =
            transaction.query_row("SELECT key_hash FROM account", [], |row| row.get(0)).optional()?;
        match (bound, key_hash) {
            (None, Some(hash)) => {
                transaction.execute("INSERT INTO account (id, key_hash) VALUES (1, ?1)", [hash])?;
            }
            (Some(Some(bound)), Some(hash)) if bound != hash => {
                anyhow::bail!("the sandbox at `{}` belongs to another API key", path.display());
            }
            _ => {}
        }
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// `false` if the transaction is known; it stays as it is.
    pub(super) fn authorise(&mut self, account: &MerchantAccount, new: &Authorisation) -> rusqlite::Result<bool> {
        let added = self.connection.execute(
            "INSERT INTO transactions (id, merchant_account, order_reference, method, currency, authorised_minor, status,
                                       authorised_at, capture_before)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            (
                new.transaction.as_str(),
                account.as_str(),
                &new.order_reference,
                new.method.as_str(),
                new.amount.currency().code(),
                new.amount.minor(),
                new.status.as_str(),
                new.authorised_at,
                new.capture_before,
            ),
        )?;
        if added == 1 && new.status == TransactionStatus::Captured {
            let id = new.transaction.as_str();
            self.connection.execute(
                "INSERT INTO modifications (id, merchant_account, transaction_id, kind, amount_minor, key, ends, settles_at, made_at)
                 VALUES (?1, ?2, ?1, 'capture', ?3, 'automatic ' || ?1, 'confirmed', ?4, ?4)",
                (id, account.as_str(), new.amount.minor(), new.authorised_at),
            )?;
        }
        Ok(added == 1)
    }

    pub(super) fn transaction(
        &self,
        account: &MerchantAccount,
        id: &TransactionId,
    ) -> rusqlite::Result<Option<RecordedTransaction>> {
        self.transaction_at(account, id, DateTime::<Utc>::MAX_UTC)
    }

    pub(super) fn transaction_at(
        &self,
        account: &MerchantAccount,
        id: &TransactionId,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<Option<RecordedTransaction>> {
        let sql = "SELECT * FROM transactions WHERE merchant_account = ?1 AND id = ?2";
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row((account.as_str(), id.as_str()), transaction_from_row)
            .optional()?;
        found.map(|transaction| self.with_modifications(transaction, now)).transpose()
    }

    pub(super) fn record(&self, now: DateTime<Utc>) -> rusqlite::Result<Vec<RecordedTransaction>> {
        let mut statement = self.connection.prepare("SELECT * FROM transactions ORDER BY merchant_account, id")?;
        let rows: Vec<RecordedTransaction> =
            statement.query_map([], transaction_from_row)?.collect::<rusqlite::Result<_>>()?;
        rows.into_iter().map(|transaction| self.with_modifications(transaction, now)).collect()
    }

    fn with_modifications(
        &self,
        mut transaction: RecordedTransaction,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<RecordedTransaction> {
        let mut statement = self.connection.prepare_cached(
            "SELECT * FROM modifications WHERE merchant_account = ?1 AND transaction_id = ?2 ORDER BY made_at, id",
        )?;
        let currency = transaction.authorised.currency();
        transaction.modifications = statement
            .query_map((transaction.merchant_account.as_str(), transaction.id.as_str()), |row| {
                modification_from_row(row, currency, now)
            })?
            .collect::<rusqlite::Result<_>>()?;
        transaction.status = super::collects::standing_of(&transaction);
        Ok(transaction)
    }

    /// What a call is answered with nothing done: that there is no connection, what its key was answered before, or its fault.
    pub(super) fn before_acting(
        &mut self,
        key: &Key,
        request: &str,
        fault: Option<Fault>,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<Option<Answer>> {
        if fault == Some(Fault::Unreachable) {
            let why = "no connection to the PSP".to_owned();
            return Ok(Some(Answer::NotDone { why, retry_after_seconds: None }));
        }
        Ok(match self.replay(key, request, now)? {
            Replay::Answer(answer) => Some(answer),
            Replay::Retried => None,
            Replay::First => fault::before_acting(fault),
        })
    }

    /// Counts a try of a key. A key that was carried out or refused answers the same again.
    fn replay(&mut self, key: &Key, request: &str, now: DateTime<Utc>) -> rusqlite::Result<Replay> {
        let known: Option<String> = self
            .connection
            .prepare_cached("SELECT request FROM keys WHERE key = ?1")?
            .query_row([key.as_str()], |row| row.get(0))
            .optional()?;
        self.connection
            .prepare_cached(
                "INSERT INTO keys (key, request, tries) VALUES (?1, ?2, 1)
                 ON CONFLICT (key) DO UPDATE SET tries = tries + 1",
            )?
            .execute((key.as_str(), request))?;
        match known {
            None => Ok(Replay::First),
            Some(before) if before != request => {
                Ok(Replay::Answer(super::refused(Refusal::KEY_CONFLICT, "the key was used for another request")))
            }
            Some(_) => Ok(self.look_up(key, now)?.map_or(Replay::Retried, Replay::Answer)),
        }
    }

    pub(super) fn tries(&self, key: &Key) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT tries FROM keys WHERE key = ?1", [key.as_str()], |row| row.get(0))
    }

    pub(super) fn look_up(&self, key: &Key, now: DateTime<Utc>) -> rusqlite::Result<Option<Answer>> {
        let done = self
            .connection
            .query_row(
                "SELECT m.*, t.currency FROM modifications m
                 JOIN transactions t ON t.merchant_account = m.merchant_account AND t.id = m.transaction_id WHERE m.key = ?1",
                [key.as_str()],
                |row| modification_from_row(row, currency(row)?, now),
            )
            .optional()?;
        if let Some(modification) = done {
            return Ok(Some(answer_of(modification.id, modification.amount, &modification.state)));
        }
        if let Some(answer) = self.look_up_cancel(key)? {
            return Ok(Some(answer));
        }
        self.connection
            .query_row(
                "SELECT refusal_code, refusal_message FROM keys WHERE key = ?1 AND refusal_code IS NOT NULL",
                [key.as_str()],
                |row| Ok(Answer::Refused(super::refusal(row.get(0)?, row.get(1)?))),
            )
            .optional()
    }

    pub(super) fn refuse(&mut self, key: &Key, code: &str, message: &str) -> rusqlite::Result<Answer> {
        self.connection.execute(
            "UPDATE keys SET refusal_code = ?2, refusal_message = ?3 WHERE key = ?1",
            (key.as_str(), code, message),
        )?;
        Ok(super::refused(code, message))
    }

    pub(super) fn expire(&mut self, account: &MerchantAccount, id: &TransactionId) -> rusqlite::Result<()> {
        self.set_status(account, id, TransactionStatus::Expired)
    }

    /// Carries a capture, refund or release out. `once`: one capture ends the authorisation.
    pub(super) fn modify(
        &mut self,
        account: &MerchantAccount,
        request: &PaymentRequest,
        now: DateTime<Utc>,
        settles_at: DateTime<Utc>,
        fails: bool,
        once: bool,
    ) -> rusqlite::Result<Answer> {
        let before = self.transaction(account, &request.transaction)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made: i64 = transaction.query_row(
            "SELECT count(*) FROM modifications WHERE merchant_account = ?1 AND transaction_id = ?2",
            (account.as_str(), request.transaction.as_str()),
            |row| row.get(0),
        )?;
        let id = format!("{}.{}", request.transaction, made + 1);
        transaction.execute(
            "INSERT INTO modifications (id, merchant_account, transaction_id, kind, amount_minor, key, ends, settles_at, made_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                &id,
                account.as_str(),
                request.transaction.as_str(),
                request.kind.as_str(),
                request.amount.minor(),
                request.key.as_str(),
                if fails { "failed" } else { "confirmed" },
                settles_at,
                now,
            ),
        )?;
        transaction.commit()?;
        if let Some(before) = before {
            let captured = before.sum(ModificationKind::Capture);
            let all = captured + request.amount.minor() >= before.authorised.minor();
            match request.kind {
                Kind::Capture if all || once => {
                    self.set_status(account, &request.transaction, TransactionStatus::Captured)?;
                }
                Kind::Release => {
                    let ends = if captured > 0 { TransactionStatus::Captured } else { TransactionStatus::Released };
                    self.set_status(account, &request.transaction, ends)?;
                }
                Kind::Capture
                | Kind::Refund
                | Kind::Collect
                | Kind::Journal
                | Kind::PayoutJournal
                | Kind::Mail
                | Kind::Cancel
                | Kind::Delete
                | Kind::Event => {}
            }
        }
        Ok(self.look_up(&request.key, now)?.unwrap_or(Answer::Unknown { why: "the sandbox lost it".to_owned() }))
    }

    fn set_status(
        &self,
        account: &MerchantAccount,
        id: &TransactionId,
        status: TransactionStatus,
    ) -> rusqlite::Result<()> {
        self.connection.execute(
            "UPDATE transactions SET status = ?3 WHERE merchant_account = ?1 AND id = ?2",
            (account.as_str(), id.as_str(), status.as_str()),
        )?;
        Ok(())
    }
}

fn transaction_from_row(row: &Row<'_>) -> rusqlite::Result<RecordedTransaction> {
    let status: String = row.get("status")?;
    Ok(RecordedTransaction {
        id: TransactionId::parse(&row.get::<_, String>("id")?).map_err(broken)?,
        merchant_account: MerchantAccount::parse(&row.get::<_, String>("merchant_account")?).map_err(broken)?,
        order_reference: row.get("order_reference")?,
        method: row.get("method")?,
        authorised: Amount::from_minor(row.get("authorised_minor")?, currency(row)?),
        status: TransactionStatus::parse(&status).unwrap_or(TransactionStatus::Error),
        authorised_at: row.get("authorised_at")?,
        capture_before: row.get("capture_before")?,
        modifications: Vec::new(),
    })
}

fn modification_from_row(
    row: &Row<'_>,
    currency: Currency,
    now: DateTime<Utc>,
) -> rusqlite::Result<RecordedModification> {
    let kind: String = row.get("kind")?;
    let settles_at: DateTime<Utc> = row.get("settles_at")?;
    let ends: String = row.get("ends")?;
    let state = if now < settles_at {
        ModificationState::Accepted
    } else if ends == "failed" {
        let refusal =
            Refusal { code: "failed_late".to_owned(), message: "the bank took it back".to_owned(), transient: false };
        ModificationState::Failed { at: settles_at, refusal }
    } else {
        ModificationState::Confirmed { at: settles_at }
    };
    Ok(RecordedModification {
        id: ModificationId::parse(&row.get::<_, String>("id")?).map_err(broken)?,
        kind: match kind.as_str() {
            "refund" => ModificationKind::Refund,
            "release" => ModificationKind::Release,
            _ => ModificationKind::Capture,
        },
        amount: Amount::from_minor(row.get("amount_minor")?, currency),
        state,
        key: key(row.get("key")?),
    })
}

pub(super) fn currency(row: &Row<'_>) -> rusqlite::Result<Currency> {
    Currency::parse(&row.get::<_, String>("currency")?).map_err(broken)
}

pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
