//! Settlement lines: taken over from reports in bulk, matched to orders, summed up by payout.
//!
//! A line matches by its transaction id through a join: no row says so. Only matches by reference and by a person are rows of
//! their own. A person's goes before the transaction id, and that before the reference.

mod cursors;
mod deliveries;
mod delta;
mod exceeding;
mod feed;
mod gathered;
mod groups;
mod index;
mod insert;
mod intake;
mod journals;
mod learning;
mod lines;
mod matches;
mod orders;
mod payouts;
mod rehearsal;
mod row;
mod standing;
mod statements;
mod takeover;
mod touched;
mod without_payment;

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension};

pub use deliveries::PayoutJournalCase;
pub use groups::Rematched;
pub(super) use groups::{Before, PaymentKey};
pub use journals::PayoutJournal;
pub(super) use journals::{booked, payout_journal, wanted};
pub use learning::SettledCase;
pub use lines::{LineFilter, ListedLine, Money};
pub use matches::{Candidate, LineGroup, LiveMatch, WrittenMatch};
pub use orders::SettledOrder;
pub(super) use payouts::proved_payout;
pub use payouts::{PayoutOverview, PayoutTally, ProvedPayout};
pub use rehearsal::{About, Mark, Rehearsed, RehearsedBooking, RehearsedFact, RehearsedSum};
pub use takeover::{Differing, Inlet, NewReport, Taken, Takeover};
pub(super) use touched::{IdSet, Touched};
pub use without_payment::{LineWithoutPayment, LinesWithoutPayment};

use super::row::Columns;
use super::{Ledger, LedgerError, Result, Writer};
use crate::domain::id::{AccountId, FileId, MerchantAccount, OrderId, OrderNumber, ProviderName, ShopName};
use crate::domain::money::Currency;
use crate::domain::settlement::matching::{MatchRule, ReferenceRule};

/// A merchant account whose lines are taken over, and how they may be matched.
#[derive(Debug, Clone)]
pub struct SettledAccount {
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    /// Where it may be: the order's number in the merchant reference.
    pub reference: Option<ReferenceRule>,
}

/// A report that was read before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadReport {
    pub id: FileId,
    pub name: String,
    /// Lines of accounts nobody had configured.
    pub strangers: i64,
}

/// The order a group of lines was found to belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// `None` for a payment that is no order's, but an invoice's.
    order: Option<OrderId>,
    currency: Currency,
    rule: MatchRule,
}

/// What a look for an order by reference brought.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Looked {
    Found(OrderId, Currency),
    Nothing,
    /// More than one order could be meant.
    Ambiguous,
}

impl Ledger {
    /// The report with this digest, if it was read before.
    pub fn report_read(&self, digest: &str) -> Result<Option<ReadReport>> {
        let mut statement =
            self.connection.prepare_cached("SELECT id, name, strangers FROM report_files WHERE digest = ?1")?;
        let mut found = statement.query_and_then([digest], |row| {
            Ok(ReadReport { id: row.id("id", FileId)?, name: row.plain("name")?, strangers: row.plain("strangers")? })
        })?;
        found.next().transpose()
    }

    /// Whether lines wait for their order; see [`Writer::rematch`].
    pub fn has_unmatched(&self) -> Result<bool> {
        let mut statement = self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM unmatched_groups)")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}

/// Where the ledger lies, if it is a file.
fn file_of(connection: &Connection) -> Option<PathBuf> {
    connection.path().filter(|path| !path.is_empty() && !path.starts_with("file:")).map(PathBuf::from)
}

impl Writer<'_> {
    /// The account's number, made on first use.
    fn account_id(&self, account: &SettledAccount) -> Result<AccountId> {
        let name = (account.provider.as_str(), account.merchant_account.as_str());
        self.connection
            .prepare_cached(
                "INSERT INTO merchant_accounts (provider, merchant_account) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(name)?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT id FROM merchant_accounts WHERE provider = ?1 AND merchant_account = ?2")?;
        Ok(statement.query_row(name, |row| row.get(0)).map(AccountId)?)
    }
}

/// The payment with this transaction id: current or of an earlier attempt, for the ledger keeps them all (trap T32).
fn by_transaction(connection: &Connection, account: &SettledAccount, transaction: &str) -> Result<Option<Found>> {
    let mut statement = connection.prepare_cached(
        "SELECT order_id, currency FROM payments WHERE provider = ?1 AND merchant_account = ?2 AND transaction_id = ?3",
    )?;
    let key = (account.provider.as_str(), account.merchant_account.as_str(), transaction);
    let mut found = statement.query_and_then(key, |row| {
        Ok(Found {
            order: row.optional_id("order_id", OrderId)?,
            currency: row.currency()?,
            rule: MatchRule::Transaction,
        })
    })?;
    found.next().transpose()
}

impl Looked {
    fn order(&self) -> Option<OrderId> {
        match self {
            Self::Found(order, _) => Some(*order),
            Self::Nothing | Self::Ambiguous => None,
        }
    }
}

/// The order a merchant reference names. One that names several is never picked from, though only one of them is known yet.
fn by_reference(connection: &Connection, shop: &ShopName, rule: &ReferenceRule, reference: &str) -> Result<Looked> {
    let numbers: Vec<OrderNumber> =
        rule.order_numbers(reference).into_iter().filter_map(|number| OrderNumber::parse(number).ok()).collect();
    for number in &numbers {
        if let Some((order, currency)) = order_numbered(connection, shop, number)? {
            return Ok(if numbers.len() == 1 { Looked::Found(order, currency) } else { Looked::Ambiguous });
        }
    }
    Ok(Looked::Nothing)
}

fn order_numbered(
    connection: &Connection,
    shop: &ShopName,
    number: &OrderNumber,
) -> Result<Option<(OrderId, Currency)>> {
    let mut statement = connection.prepare_cached("SELECT id, currency FROM orders WHERE shop = ?1 AND number = ?2")?;
    let found = statement
        .query_row((shop.as_str(), number.as_str()), |row| Ok((row.id("id", OrderId), row.currency())))
        .optional()?;
    Ok(match found {
        Some((id, currency)) => Some((id?, currency?)),
        None => None,
    })
}

/// A sum that left the ledger's integers.
fn overflow() -> LedgerError {
    LedgerError::Invariant("a sum of settlement lines is larger than the ledger can hold".to_owned())
}
