//! The sandbox: a PSP simulator with a file of its own. It honours idempotency keys, can confirm late, and can be told to
//! fail. It is the default provider, so that a newcomer needs no account, and a counterpart that tests can audit.

mod adyen_report;
mod cancels;
mod collects;
mod fault;
mod links;
mod payouts;
mod store;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

pub use links::{OnPage, Paid, transaction_of};
pub use payouts::{SandboxLine, SandboxLineKind, SandboxPayout};
use store::Store;
pub use store::{Authorisation, RecordedModification, RecordedTransaction};

use super::{
    Cancelling, Capabilities, Collecting, ModificationKind, ModificationState, PartialCapture, PaymentLinks,
    PayoutReports, PortError, Provider, PspModification, PspPayment,
};
use crate::config::settings::{Fault, SandboxSettings};
use crate::domain::id::{MerchantAccount, MethodName, ModificationId, TransactionId};
use crate::domain::money::Amount;
use crate::domain::payment::TransactionStatus;
use crate::operation::key::hexadecimal;
use crate::operation::request::PaymentRequest;
use crate::operation::{Answer, Key, Kind, LookUp, Refusal};
use crate::run::ports::Purpose;

pub struct Sandbox {
    store: Mutex<Store>,
    settings: SandboxSettings,
    merchant_account: MerchantAccount,
    /// There is no file: nothing was ever authorised, or the config names another one.
    is_missing: bool,
    now: DateTime<Utc>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("file", &self.settings.file).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens the sandbox's file, or makes it; only to look, a file that is not there is an empty PSP.
    pub fn open(
        settings: &SandboxSettings,
        merchant_account: &MerchantAccount,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let key_hash = match &settings.api_key {
            Some(secret) => {
                use secrecy::ExposeSecret;
                let digest = Sha256::digest(secret.read()?.expose_secret());
                Some(hexadecimal(&digest))
            }
            None => None,
        };
        let nothing = purpose == Purpose::Look && !settings.file.exists();
        let file = if nothing { Path::new(":memory:") } else { settings.file.as_path() };
        // Looking binds no key.
        let key_hash = key_hash.filter(|_| purpose == Purpose::Act);
        let store = Store::open(file, key_hash.as_deref())
            .with_context(|| format!("`{}` cannot be used as a sandbox file", file.display()))?;
        Ok(Self {
            store: Mutex::new(store),
            settings: settings.clone(),
            merchant_account: merchant_account.clone(),
            is_missing: nothing,
            now,
        })
    }

    /// Plays the customer: a payment page was filled in (or left).
    pub fn authorise(&self, authorisation: &Authorisation) -> anyhow::Result<bool> {
        Ok(self.lock().authorise(&self.merchant_account, authorisation)?)
    }

    /// The sandbox's own record, for audits: every transaction with its modifications.
    pub fn record(file: &Path, now: DateTime<Utc>) -> anyhow::Result<Vec<RecordedTransaction>> {
        anyhow::ensure!(file.exists(), "there is no sandbox file at `{}`", file.display());
        Ok(Store::open(file, None)?.record(now)?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Store> {
        // A panic in another thread cannot leave the store half-written: every change is one transaction.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There and back.
    fn travel(&self) {
        std::thread::sleep(self.settings.latency);
    }

    fn handle(&self, request: &PaymentRequest) -> rusqlite::Result<Answer> {
        let mut store = self.lock();
        let Some(transaction) = store.transaction(&self.merchant_account, &request.transaction)? else {
            return Ok(refused("unknown_transaction", "there is no such transaction"));
        };
        let fault = fault::fault(&transaction.order_reference, request.kind, self.settings.faults);
        if let Some(answer) = store.before_acting(&request.key, &describe(request), fault, self.now)? {
            return Ok(answer);
        }
        let first_try = fault == Some(Fault::TimeoutAfter) && store.tries(&request.key)? == 1;
        let answer = self.act(&mut store, request, &transaction, fault)?;
        if first_try {
            return Ok(Answer::Unknown { why: "the PSP did not answer in time".to_owned() });
        }
        Ok(answer)
    }

    fn act(
        &self,
        store: &mut Store,
        request: &PaymentRequest,
        transaction: &RecordedTransaction,
        fault: Option<Fault>,
    ) -> rusqlite::Result<Answer> {
        if fault == Some(Fault::Expire) && transaction.status == TransactionStatus::Authorised {
            store.expire(&self.merchant_account, &request.transaction)?;
            return store.refuse(&request.key, "authorisation_expired", "the authorisation has expired");
        }
        if let Some((code, message)) = objection(request, transaction, fault) {
            return store.refuse(&request.key, code, &message);
        }
        let late = match fault {
            Some(Fault::ConfirmLate | Fault::FailLate) => TimeDelta::days(1),
            _ => TimeDelta::from_std(self.settings.confirm_after).unwrap_or(TimeDelta::MAX),
        };
        let fails = fault == Some(Fault::FailLate);
        let once = self.settings.partial_capture == PartialCapture::Once;
        store.modify(&self.merchant_account, request, self.now, self.now + late, fails, once)
    }
}

/// Why the PSP says no, as a real one would.
fn objection(
    request: &PaymentRequest,
    transaction: &RecordedTransaction,
    fault: Option<Fault>,
) -> Option<(&'static str, String)> {
    if fault == Some(Fault::Refuse) {
        return Some(("refused_by_issuer", "refused by the card issuer".to_owned()));
    }
    if request.amount.currency() != transaction.authorised.currency() {
        return Some(("currency_mismatch", format!("the transaction is in {}", transaction.authorised.currency())));
    }
    let sum = |kind| transaction.sum(kind);
    let (limit, code) = match request.kind {
        Kind::Capture | Kind::Release => {
            if transaction.status == TransactionStatus::Expired {
                return Some(("authorisation_expired", "the authorisation has expired".to_owned()));
            }
            if transaction.status != TransactionStatus::Authorised {
                return Some(("not_authorised", format!("the transaction is {}", transaction.status.as_str())));
            }
            (transaction.authorised.minor() - sum(ModificationKind::Capture), "exceeds_authorised")
        }
        Kind::Refund => (sum(ModificationKind::Capture) - sum(ModificationKind::Refund), "exceeds_captured"),
        Kind::Collect
        | Kind::Journal
        | Kind::PayoutJournal
        | Kind::Mail
        | Kind::Cancel
        | Kind::Delete
        | Kind::Event => {
            return Some(("unknown_call", "not a call of this kind".to_owned()));
        }
    };
    (request.amount.minor() > limit).then(|| {
        let left = Amount::from_minor(limit, request.amount.currency());
        (code, format!("{} was asked for, {left} is left", request.amount))
    })
}

impl Provider for Sandbox {
    fn capabilities(&self, _method: &MethodName) -> Capabilities {
        Capabilities { partial_capture: self.settings.partial_capture, refund: true }
    }

    fn send(&self, request: &PaymentRequest) -> Answer {
        self.travel();
        self.handle(request).unwrap_or_else(|error| Answer::Unknown { why: format!("the sandbox broke down: {error}") })
    }

    fn look_up(&self, request: &PaymentRequest) -> LookUp {
        self.travel();
        let found = self.lock().look_up(&request.key, self.now);
        match found {
            Ok(Some(answer)) => LookUp::Found(answer),
            Ok(None) => LookUp::Absent,
            Err(error) => LookUp::CannotTell { why: format!("the sandbox broke down: {error}") },
        }
    }

    fn standing(&self, transaction: &TransactionId) -> Result<PspPayment, PortError> {
        let broken =
            |error: rusqlite::Error| PortError::Unreachable { why: format!("the sandbox broke down: {error}") };
        self.travel();
        let mut store = self.lock();
        let Some(found) = store.transaction_at(&self.merchant_account, transaction, self.now).map_err(broken)? else {
            let file = self.settings.file.display();
            return Err(PortError::CannotTell {
                why: if self.is_missing {
                    format!("there is no sandbox file at `{file}` (`file` in the config)")
                } else {
                    format!("the PSP knows no transaction {transaction}")
                },
            });
        };
        match fault::look_fault(&found.order_reference, self.settings.faults) {
            Some(Fault::Unreachable) => {
                return Err(PortError::Unreachable { why: "no connection to the PSP".to_owned() });
            }
            // The answer is out, and the customer pays.
            Some(Fault::PaidMeanwhile) => {
                store.pay_page(&self.merchant_account, transaction, self.now).map_err(broken)?;
            }
            _ => {}
        }
        Ok(PspPayment {
            status: found.status,
            authorised: Some(found.authorised),
            authorised_at: found.authorised_at,
            capture_before: found.capture_before,
            modifications: found.modifications.into_iter().map(PspModification::from).collect(),
        })
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }

    fn payout_reports(&self) -> Option<&dyn PayoutReports> {
        Some(self)
    }

    fn payment_links(&self) -> Option<&dyn PaymentLinks> {
        Some(self)
    }

    fn cancelling(&self) -> Option<&dyn Cancelling> {
        Some(self)
    }

    fn collecting(&self) -> Option<&dyn Collecting> {
        Some(self)
    }
}

impl From<RecordedModification> for PspModification {
    fn from(recorded: RecordedModification) -> Self {
        Self {
            id: recorded.id,
            kind: recorded.kind,
            amount: recorded.amount,
            state: recorded.state,
            key: Some(recorded.key),
        }
    }
}

/// Whether the sandbox's disk is full or fails, as opposed to a wrong config.
pub fn is_disk_trouble(error: &anyhow::Error) -> bool {
    use rusqlite::ErrorCode;
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<rusqlite::Error>())
        .any(|cause| matches!(cause.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure)))
}

fn refused(code: &str, message: &str) -> Answer {
    Answer::Refused(refusal(code.to_owned(), message.to_owned()))
}

/// What is not there now may be there later; everything else stays as it is.
fn refusal(code: String, message: String) -> Refusal {
    Refusal { transient: code == collects::INSUFFICIENT_FUNDS, code, message }
}

/// What one key stands for; another content under the same key is refused.
fn describe(request: &PaymentRequest) -> String {
    format!("{} {} {}", request.kind.as_str(), request.transaction, request.amount)
}

/// How a recorded modification answers a look-up or a replay.
fn answer_of(id: ModificationId, amount: Amount, state: &ModificationState) -> Answer {
    match state {
        ModificationState::Accepted => Answer::Accepted { modification: id },
        ModificationState::Confirmed { at } => Answer::Confirmed { modification: id, at: *at, amount: Some(amount) },
        ModificationState::Failed { refusal, .. } => Answer::Refused(refusal.clone()),
    }
}

/// The key as it was sent.
fn key(text: String) -> Key {
    Key::from_ledger(text)
}
