//! Payment pages of the sandbox: made for a key, and filled in by `payjournal sandbox pay`.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::store::{Store, broken};
use super::{Sandbox, fault};
use crate::config::settings::Fault;
use crate::domain::id::{MerchantAccount, TransactionId};
use crate::domain::money::{Amount, Currency};
use crate::provider::{LinkRequest, PaymentLink, PaymentLinks, PortError};

/// What the customer does on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPage {
    Pays,
    Fails,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paid {
    Now(Amount),
    /// The page was left with a refusal.
    Failed,
    /// The page was filled in before.
    Before,
    /// The shop closed the page: nobody can pay on it any more.
    Closed,
}

/// Never a place on the network.
const PAGES: &str = "https://sandbox.invalid/pay/";

impl PaymentLinks for Sandbox {
    fn create(&self, request: &LinkRequest) -> Result<PaymentLink, PortError> {
        self.travel();
        let unreachable = |why: &str| PortError::Unreachable { why: why.to_owned() };
        let fault = fault::page_fault(&request.reference, self.settings.faults);
        match fault {
            Some(Fault::Unreachable | Fault::TimeoutBefore) => return Err(unreachable("the sandbox is not reachable")),
            Some(Fault::Refuse) => return Err(PortError::CannotTell { why: "the sandbox makes no page".to_owned() }),
            _ => {}
        }
        let made = self.lock().make_link(&self.merchant_account, request);
        let made = made.map_err(|error| PortError::Unreachable { why: format!("the sandbox broke down: {error}") })?;
        if fault == Some(Fault::TimeoutAfter) {
            return Err(unreachable("the sandbox did not answer in time"));
        }
        made.ok_or_else(|| PortError::CannotTell { why: format!("the key {} was used for another page", request.key) })
    }
}

impl Sandbox {
    /// Plays the customer on a page. `None`: there is no such page here.
    pub fn pay(&self, transaction: &TransactionId, on_page: OnPage) -> anyhow::Result<Option<Paid>> {
        Ok(self.lock().fill_in(&self.merchant_account, transaction, on_page, self.now)?)
    }
}

/// The transaction a link leads to; the id alone is taken as well.
pub fn transaction_of(link: &str) -> &str {
    link.strip_prefix(PAGES).unwrap_or(link)
}

impl Store {
    /// `None`: the key made another page.
    fn make_link(&mut self, account: &MerchantAccount, request: &LinkRequest) -> rusqlite::Result<Option<PaymentLink>> {
        let suffix: String =
            request.key.as_str().chars().rev().take(16).collect::<Vec<_>>().into_iter().rev().collect();
        let transaction = TransactionId::parse(&format!("PL-{suffix}")).map_err(broken)?;
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute(
            "INSERT INTO transactions (id, merchant_account, order_reference, method, currency, authorised_minor, status)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, 'open') ON CONFLICT DO NOTHING",
            (
                transaction.as_str(),
                account.as_str(),
                &request.reference,
                request.method.as_str(),
                request.amount.currency().code(),
            ),
        )?;
        change.execute(
            "INSERT INTO links (merchant_account, transaction_id, key, amount_minor, title) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            (account.as_str(), transaction.as_str(), request.key.as_str(), request.amount.minor(), &request.title),
        )?;
        let made = asked(&change, account, &transaction)?;
        change.commit()?;
        let url = format!("{PAGES}{transaction}");
        Ok((made == Some(request.amount)).then_some(PaymentLink { transaction, url }))
    }

    pub(super) fn fill_in(
        &mut self,
        account: &MerchantAccount,
        transaction: &TransactionId,
        on_page: OnPage,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<Option<Paid>> {
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(amount) = asked(&change, account, transaction)? else { return Ok(None) };
        let (status, authorised) = match on_page {
            OnPage::Pays => ("captured", amount.minor()),
            OnPage::Fails => ("refused", 0),
        };
        let filled = change.execute(
            "UPDATE transactions SET status = ?3, authorised_minor = ?4, authorised_at = ?5
             WHERE merchant_account = ?1 AND id = ?2 AND status = 'open'",
            (account.as_str(), transaction.as_str(), status, authorised, now),
        )?;
        if filled == 0 {
            let is_closed: bool = change.query_row(
                "SELECT EXISTS (SELECT 1 FROM cancels WHERE merchant_account = ?1 AND transaction_id = ?2)",
                (account.as_str(), transaction.as_str()),
                |row| row.get(0),
            )?;
            return Ok(Some(if is_closed { Paid::Closed } else { Paid::Before }));
        }
        if on_page == OnPage::Pays {
            change.execute(
                "INSERT INTO modifications (id, merchant_account, transaction_id, kind, amount_minor, key, ends, settles_at, made_at)
                 VALUES (?1, ?2, ?1, 'capture', ?3, 'automatic ' || ?1, 'confirmed', ?4, ?4)",
                (transaction.as_str(), account.as_str(), amount.minor(), now),
            )?;
        }
        change.commit()?;
        Ok(Some(match on_page {
            OnPage::Pays => Paid::Now(amount),
            OnPage::Fails => Paid::Failed,
        }))
    }
}

/// What a page asks for.
fn asked(
    connection: &Connection,
    account: &MerchantAccount,
    transaction: &TransactionId,
) -> rusqlite::Result<Option<Amount>> {
    connection
        .query_row(
            "SELECT l.amount_minor, t.currency FROM links l
             JOIN transactions t ON t.merchant_account = l.merchant_account AND t.id = l.transaction_id
             WHERE l.merchant_account = ?1 AND l.transaction_id = ?2",
            (account.as_str(), transaction.as_str()),
            |row| {
                let currency = Currency::parse(&row.get::<_, String>(1)?).map_err(broken)?;
                Ok(Amount::from_minor(row.get(0)?, currency))
            },
        )
        .optional()
}
