//! The page that asks for what is open of entries. It is made under a key that the same wish has again: asked twice it is one page.

use chrono::{DateTime, Datelike, Utc};

use crate::config::settings::Mode;
use crate::domain::id::{EntryReference, MerchantAccount, MethodName, ProviderName, TransactionId};
use crate::domain::money::Amount;
use crate::domain::payment::TransactionStatus;
use crate::operation::key::{NaturalKey, link_key};
use crate::operation::request::{CancelRequest, Request};
use crate::operation::{Answer, Key, Kind};
use crate::provider::{LinkRequest, PaymentLink, PortError, Provider};

/// So many pages in a row may have been closed at once, because the ledger did not take them.
const MOST_CLOSED: usize = 10;

/// What a customer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageWish {
    pub mode: Mode,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    /// Of the entries that are paid together.
    pub entries: Vec<EntryReference>,
    /// Their customer and orders: where a ledger is restored from a backup, a number may be another customer's invoice.
    pub owner: String,
    /// What the page says is paid.
    pub title: String,
    pub amount: Amount,
    pub method: MethodName,
    /// Where the customer goes when it is paid, or not.
    pub return_url: Option<String>,
    pub cancel_url: Option<String>,
    /// How many pages were made for just these entries before.
    pub before: usize,
    /// One that was made while its order was being deleted, or another page over its entries, was closed again, and no row tells of it.
    pub may_be_closed: bool,
}

impl PageWish {
    /// Makes the page, or finds the one that was made for the same wish.
    pub fn make(&self, provider: &dyn Provider) -> Result<PaymentLink, PortError> {
        let pages = provider.payment_links().ok_or(PortError::NotOffered)?;
        let mut at = self.before;
        let mut made = pages.create(&self.request(at))?;
        let is_closed =
            |page: &PaymentLink| provider.standing(&page.transaction).is_ok_and(|page| has_ended(page.status));
        while self.may_be_closed && is_closed(&made) && at < self.before + MOST_CLOSED {
            at += 1;
            made = pages.create(&self.request(at))?;
        }
        Ok(made)
    }

    fn request(&self, at: usize) -> LinkRequest {
        LinkRequest {
            key: self.key(at),
            reference: self.reference(),
            title: self.title.clone(),
            amount: self.amount,
            method: self.method.clone(),
            return_url: self.return_url.clone(),
            cancel_url: self.cancel_url.clone(),
        }
    }

    fn reference(&self) -> String {
        self.entries.iter().map(EntryReference::as_str).collect::<Vec<_>>().join(";")
    }

    fn key(&self, at: usize) -> Key {
        link_key([
            self.mode.as_str(),
            self.provider.as_str(),
            self.merchant_account.as_str(),
            &self.reference(),
            &self.owner,
            self.amount.currency().code(),
            &self.amount.minor().to_string(),
            &at.to_string(),
        ])
    }
}

/// A page on which nothing was paid, and nothing can be.
pub fn has_ended(status: TransactionStatus) -> bool {
    matches!(status, TransactionStatus::Cancelled | TransactionStatus::Expired | TransactionStatus::Refused)
}

/// What closes a page. It moves no money, and closed twice is closed: the key is the same all day, and what the PSP refuses today it is asked
/// for anew tomorrow.
pub fn closing(
    mode: Mode,
    provider: &ProviderName,
    account: &MerchantAccount,
    transaction: &TransactionId,
    method: &MethodName,
    now: DateTime<Utc>,
) -> Request {
    let natural = NaturalKey {
        mode: mode.as_str(),
        provider: provider.as_str(),
        merchant_account: account.as_str(),
        transaction: transaction.as_str(),
        document: "AUTH",
        attempt: now.num_days_from_ce().unsigned_abs(),
    };
    Request::Cancel(CancelRequest {
        provider: provider.clone(),
        merchant_account: account.clone(),
        transaction: transaction.clone(),
        method: method.clone(),
        key: Key::of(Kind::Cancel, natural),
        first_sent_at: None,
    })
}

/// Whether a page is closed at the PSP, and why not, or why nobody knows.
#[derive(Debug)]
pub enum Closed {
    Yes,
    Refused(String),
    NotDone(String),
    Unknown(String),
}

impl From<Answer> for Closed {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Confirmed { .. } => Self::Yes,
            Answer::Refused(refusal) => Self::Refused(refusal.message),
            Answer::NotDone { why, .. } => Self::NotDone(why),
            Answer::Accepted { .. } => Self::Unknown("it is being closed".to_owned()),
            Answer::Unknown { why } => Self::Unknown(why),
        }
    }
}
