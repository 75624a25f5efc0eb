//! Payments and pages of the sandbox that are closed before anybody pays them.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, TransactionBehavior};

use super::fault;
use super::links::OnPage;
use super::store::Store;
use super::{Sandbox, refused};
use crate::config::settings::Fault;
use crate::domain::id::{MerchantAccount, ModificationId, TransactionId};
use crate::domain::payment::TransactionStatus;
use crate::operation::request::CancelRequest;
use crate::operation::{Answer, Key, Kind, LookUp};
use crate::provider::Cancelling;

impl Cancelling for Sandbox {
    fn cancel(&self, request: &CancelRequest) -> Answer {
        self.travel();
        self.close(request).unwrap_or_else(|error| Answer::Unknown { why: format!("the sandbox broke down: {error}") })
    }

    fn look_up_cancel(&self, request: &CancelRequest) -> LookUp {
        self.travel();
        match self.lock().look_up(&request.key, self.now) {
            Ok(Some(answer)) => LookUp::Found(answer),
            Ok(None) => LookUp::Absent,
            Err(error) => LookUp::CannotTell { why: format!("the sandbox broke down: {error}") },
        }
    }
}

impl Sandbox {
    fn close(&self, request: &CancelRequest) -> rusqlite::Result<Answer> {
        let mut store = self.lock();
        let (account, id) = (&self.merchant_account, &request.transaction);
        let Some(transaction) = store.transaction(account, id)? else {
            return Ok(refused("unknown_transaction", "there is no such transaction"));
        };
        let fault = fault::fault(&transaction.order_reference, Kind::Cancel, self.settings.faults);
        if let Some(answer) = store.before_acting(&request.key, &format!("cancel {id}"), fault, self.now)? {
            return Ok(answer);
        }
        if fault == Some(Fault::PaidMeanwhile) {
            store.pay_page(account, id, self.now)?;
        }
        if fault == Some(Fault::Refuse) {
            return store.refuse(&request.key, "cannot_be_cancelled", "this payment cannot be cancelled");
        }
        let is_lost = fault == Some(Fault::TimeoutAfter) && store.tries(&request.key)? == 1;
        let answer = store.close(account, request, self.now)?;
        if fault == Some(Fault::PaidAfterAll) {
            store.pay_closed_page(account, id, self.now)?;
        }
        Ok(if is_lost { Answer::Unknown { why: "the PSP did not answer in time".to_owned() } } else { answer })
    }
}

impl Store {
    fn close(
        &mut self,
        account: &MerchantAccount,
        request: &CancelRequest,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<Answer> {
        let id = &request.transaction;
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let closed = change
            .prepare_cached(
                "UPDATE transactions SET status = 'cancelled' WHERE merchant_account = ?1 AND id = ?2 AND status = 'open'",
            )?
            .execute((account.as_str(), id.as_str()))?;
        if closed == 1 {
            change
                .prepare_cached(
                    "INSERT INTO cancels (key, merchant_account, transaction_id, made_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((request.key.as_str(), account.as_str(), id.as_str(), now))?;
            change.commit()?;
            let lost = Answer::Unknown { why: "the sandbox lost it".to_owned() };
            return Ok(self.look_up_cancel(&request.key)?.unwrap_or(lost));
        }
        drop(change);
        let status = self.transaction(account, id)?.map_or(TransactionStatus::Error, |found| found.status);
        self.refuse(&request.key, "not_open", &format!("the payment is {}", status.as_str()))
    }

    pub(super) fn look_up_cancel(&self, key: &Key) -> rusqlite::Result<Option<Answer>> {
        let found: Option<(String, DateTime<Utc>)> = self
            .connection
            .prepare_cached("SELECT transaction_id, made_at FROM cancels WHERE key = ?1")?
            .query_row([key.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        found
            .map(|(transaction, at)| {
                let modification =
                    ModificationId::parse(&format!("{transaction}.cancel")).map_err(super::store::broken)?;
                Ok(Answer::Confirmed { modification, at, amount: None })
            })
            .transpose()
    }

    /// The customer pays this very moment, if there is a page that is still open.
    pub(super) fn pay_page(
        &mut self,
        account: &MerchantAccount,
        transaction: &TransactionId,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.fill_in(account, transaction, OnPage::Pays, now).map(drop)
    }

    /// A payment that was on its way when the page was closed.
    fn pay_closed_page(
        &mut self,
        account: &MerchantAccount,
        transaction: &TransactionId,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.connection.execute(
            "UPDATE transactions SET status = 'open' WHERE merchant_account = ?1 AND id = ?2 AND status = 'cancelled'",
            (account.as_str(), transaction.as_str()),
        )?;
        self.pay_page(account, transaction, now)
    }
}
