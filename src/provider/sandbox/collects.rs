//! Payments that the sandbox makes on a mandate, without a customer on a page.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::TransactionBehavior;

use super::Sandbox;
use super::fault;
use super::store::{RecordedTransaction, Store};
use crate::config::settings::Fault;
use crate::domain::id::{MerchantAccount, TransactionId};
use crate::domain::mandate::Token;
use crate::domain::payment::TransactionStatus;
use crate::operation::request::CollectRequest;
use crate::operation::{Answer, Key, Kind, LookUp};
use crate::provider::{Collecting, ModificationState};

/// The only refusal that may be another answer later.
pub(super) const INSUFFICIENT_FUNDS: &str = "insufficient_funds";

impl Collecting for Sandbox {
    fn collect(&self, request: &CollectRequest) -> Answer {
        self.travel();
        self.charge(request).unwrap_or_else(|error| Answer::Unknown { why: format!("the sandbox broke down: {error}") })
    }

    fn look_up_collect(&self, request: &CollectRequest) -> LookUp {
        self.travel();
        match self.lock().look_up(&request.key, self.now) {
            Ok(Some(answer)) => LookUp::Found(answer),
            Ok(None) => LookUp::Absent,
            Err(error) => LookUp::CannotTell { why: format!("the sandbox broke down: {error}") },
        }
    }
}

impl Sandbox {
    /// Plays the customer who takes a mandate back at the bank. `false`: it was revoked before.
    pub fn revoke(&self, token: &Token) -> anyhow::Result<bool> {
        Ok(self.lock().revoke(&self.merchant_account, token)?)
    }

    fn charge(&self, request: &CollectRequest) -> rusqlite::Result<Answer> {
        let mut store = self.lock();
        let magic = format!("{};{}", request.token.expose(), request.reference);
        let fault = fault::fault(&magic, Kind::Collect, self.settings.faults);
        if let Some(answer) = store.before_acting(&request.key, &describe(request), fault, self.now)? {
            return Ok(answer);
        }
        if fault == Some(Fault::Refuse) {
            return store.refuse(&request.key, "refused_by_bank", "the customer's bank refuses it");
        }
        if fault == Some(Fault::InsufficientFunds) {
            return store.refuse(
                &request.key,
                INSUFFICIENT_FUNDS,
                "there is not enough money on the customer's account",
            );
        }
        if store.is_revoked(&self.merchant_account, &request.token)? {
            return store.refuse(&request.key, "mandate_revoked", "the customer has revoked the mandate");
        }
        let is_lost = fault == Some(Fault::TimeoutAfter) && store.tries(&request.key)? == 1;
        let late = match fault {
            Some(Fault::ConfirmLate | Fault::FailLate) => TimeDelta::days(1),
            _ => TimeDelta::from_std(self.settings.confirm_after).unwrap_or(TimeDelta::MAX),
        };
        let ends = if fault == Some(Fault::FailLate) { "failed" } else { "confirmed" };
        let answer = store.charge(&self.merchant_account, request, self.now, self.now + late, ends)?;
        Ok(if is_lost { Answer::Unknown { why: "the PSP did not answer in time".to_owned() } } else { answer })
    }
}

impl Store {
    fn revoke(&mut self, account: &MerchantAccount, token: &Token) -> rusqlite::Result<bool> {
        let added = self.connection.execute(
            "INSERT INTO revoked_mandates (merchant_account, token) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            (account.as_str(), token.expose()),
        )?;
        Ok(added == 1)
    }

    fn is_revoked(&self, account: &MerchantAccount, token: &Token) -> rusqlite::Result<bool> {
        self.connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM revoked_mandates WHERE merchant_account = ?1 AND token = ?2)",
            (account.as_str(), token.expose()),
            |row| row.get(0),
        )
    }

    /// The payment and its capture, which has the payment's id.
    fn charge(
        &mut self,
        account: &MerchantAccount,
        request: &CollectRequest,
        now: DateTime<Utc>,
        settles_at: DateTime<Utc>,
        ends: &str,
    ) -> rusqlite::Result<Answer> {
        let transaction = transaction_of(&request.key)?;
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute(
            "INSERT INTO transactions (id, merchant_account, order_reference, method, currency, authorised_minor, status, authorised_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7)",
            (
                transaction.as_str(),
                account.as_str(),
                &request.reference,
                request.method.as_str(),
                request.amount.currency().code(),
                request.amount.minor(),
                now,
            ),
        )?;
        change.execute(
            "INSERT INTO modifications (id, merchant_account, transaction_id, kind, amount_minor, key, ends, settles_at, made_at)
             VALUES (?1, ?2, ?1, 'capture', ?3, ?4, ?5, ?6, ?7)",
            (
                transaction.as_str(),
                account.as_str(),
                request.amount.minor(),
                request.key.as_str(),
                ends,
                settles_at,
                now,
            ),
        )?;
        change.commit()?;
        Ok(self.look_up(&request.key, now)?.unwrap_or(Answer::Unknown { why: "the sandbox lost it".to_owned() }))
    }
}

/// What was begun on a mandate ends with its capture, at a time that needs nobody.
pub(super) fn standing_of(transaction: &RecordedTransaction) -> TransactionStatus {
    let own = transaction.modifications.iter().find(|own| own.id.as_str() == transaction.id.as_str());
    match (transaction.status, own.map(|own| &own.state)) {
        (TransactionStatus::Pending, Some(ModificationState::Confirmed { .. })) => TransactionStatus::Captured,
        (TransactionStatus::Pending, Some(ModificationState::Failed { .. })) => TransactionStatus::Refused,
        (status, _) => status,
    }
}

fn transaction_of(key: &Key) -> rusqlite::Result<TransactionId> {
    let suffix: String = key.as_str().chars().rev().take(16).collect::<Vec<_>>().into_iter().rev().collect();
    TransactionId::parse(&format!("CO-{suffix}")).map_err(super::store::broken)
}

/// What one key stands for; another content under the same key is refused.
fn describe(request: &CollectRequest) -> String {
    format!("collect {} {} {}", request.token.expose(), request.reference, request.amount)
}
