//! The ledger's payments, as the side that reads a report asks for them. A report that is large against the ledger is matched with
//! all of them in memory: a look-up in the file for each line would cost more than reading the table once.

use std::hash::BuildHasher;
use std::num::NonZeroI64;
use std::ops::RangeInclusive;
use std::path::Path;

use hashbrown::{DefaultHashBuilder, HashTable};
use rusqlite::{Connection, OpenFlags, Row};

use super::super::row::Columns;
use super::{Found, SettledAccount, by_transaction};
use crate::domain::id::OrderId;
use crate::domain::money::Currency;
use crate::domain::settlement::matching::MatchRule;
use crate::ledger::Result;

/// How the reading side finds payments. Nobody writes any meanwhile: the side that stores has the ledger's write lock.
#[derive(Debug)]
pub(super) enum Payments {
    All(PaymentIndex),
    /// A connection of its own.
    One(Connection),
}

impl Payments {
    pub(super) fn load_all(path: &Path, accounts: &[SettledAccount]) -> Result<Option<Self>> {
        Ok(PaymentIndex::load(path, accounts)?.map(Self::All))
    }

    pub(super) fn one_by_one(path: &Path) -> Result<Self> {
        Ok(Self::One(connect(path)?))
    }

    /// `account` is the place of a payment's account among those that are taken over.
    pub(super) fn find(&self, accounts: &[SettledAccount], account: usize, transaction: &str) -> Result<Option<Found>> {
        match (self, accounts.get(account)) {
            (Self::All(index), _) => Ok(index.find(account, transaction)),
            (Self::One(connection), Some(account)) if !transaction.is_empty() => {
                by_transaction(connection, account, transaction)
            }
            (Self::One(_), _) => Ok(None),
        }
    }
}

/// Reads, beside the connection that has the write lock.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    Ok(connection)
}

/// All payments of some merchant accounts, by transaction id. Ids are compared whole, however their hashes fall.
#[derive(Debug)]
pub(super) struct PaymentIndex {
    /// Two, so that two threads read: the side that stores has nothing to do before the first lines are matched.
    halves: [HalfIndex; 2],
}

/// Of the payments in a range of row ids.
#[derive(Debug)]
struct HalfIndex {
    /// One for each account, in their order.
    accounts: Vec<AccountIndex>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct AccountIndex {
    /// Numbers of entries.
    table: HashTable<u32>,
    entries: Entries,
}

impl AccountIndex {
    /// A table that grows hashes every text anew.
    fn with_capacity(payments: usize) -> Self {
        Self { table: HashTable::with_capacity(payments), entries: Entries::default() }
    }
}

#[derive(Debug, Default)]
struct Entries {
    payments: Vec<Entry>,
    /// The transaction ids, one after the other.
    texts: String,
}

#[derive(Debug)]
struct Entry {
    /// Where its text ends; it begins where the one before ends.
    end: u32,
    /// Row ids are given from 1 on.
    order: Option<NonZeroI64>,
    currency: Currency,
}

impl Entries {
    fn text(&self, number: u32) -> &str {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let end = |at: usize| self.payments.get(at).and_then(|entry| usize::try_from(entry.end).ok());
        let begin = if at == 0 { Some(0) } else { end(at - 1) };
        begin.zip(end(at)).and_then(|(begin, end)| self.texts.get(begin..end)).unwrap_or_default()
    }
}

impl PaymentIndex {
    /// Reads the payments of the accounts through connections of its own; the file's writer goes on meanwhile. `None` if there
    /// are more than such an index can hold.
    fn load(path: &Path, accounts: &[SettledAccount]) -> Result<Option<Self>> {
        let connection = connect(path)?;
        let last: i64 = connection.query_row("SELECT ifnull(max(id), 0) FROM payments", [], |row| row.get(0))?;
        let middle = last >> 1;
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(|| HalfIndex::load(&connect(path)?, 1..=middle, accounts));
            let other = HalfIndex::load(&connection, middle + 1..=last, accounts);
            (one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), other)
        });
        Ok(one?.zip(other?).map(|(one, other)| Self { halves: [one, other] }))
    }

    /// `account` is its place among the accounts the index was made for.
    fn find(&self, account: usize, transaction: &str) -> Option<Found> {
        self.halves.iter().find_map(|half| half.find(account, transaction))
    }
}

impl HalfIndex {
    fn load(connection: &Connection, ids: RangeInclusive<i64>, accounts: &[SettledAccount]) -> Result<Option<Self>> {
        let payments = usize::try_from(ids.end() - ids.start() + 1).unwrap_or(0);
        let each = payments.checked_div(accounts.len()).unwrap_or(0);
        let mut half = Self {
            accounts: accounts.iter().map(|_| AccountIndex::with_capacity(each)).collect(),
            hasher: DefaultHashBuilder::default(),
        };
        let mut statement = connection.prepare(
            "SELECT transaction_id, order_id, currency, provider, merchant_account FROM payments WHERE id BETWEEN ?1 AND ?2",
        )?;
        let mut rows = statement.query((ids.start(), ids.end()))?;
        let (mut last_account, mut last_currency) = (0, None);
        while let Some(row) = rows.next()? {
            let Some(account) = account_of(row, accounts, last_account)? else { continue };
            last_account = account;
            let currency = currency_of(row, &mut last_currency)?;
            let transaction = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            let order = row.get::<_, Option<i64>>(1)?.and_then(NonZeroI64::new);
            if !half.add(account, transaction, order, currency) {
                return Ok(None);
            }
        }
        Ok(Some(half))
    }

    fn add(&mut self, account: usize, transaction: &str, order: Option<NonZeroI64>, currency: Currency) -> bool {
        let Some(AccountIndex { table, entries }) = self.accounts.get_mut(account) else { return false };
        entries.texts.push_str(transaction);
        let (Ok(end), Ok(number)) = (u32::try_from(entries.texts.len()), u32::try_from(entries.payments.len())) else {
            return false;
        };
        entries.payments.push(Entry { end, order, currency });
        let hash = self.hasher.hash_one(transaction);
        table.insert_unique(hash, number, |other| self.hasher.hash_one(entries.text(*other)));
        true
    }

    fn find(&self, account: usize, transaction: &str) -> Option<Found> {
        let AccountIndex { table, entries } = self.accounts.get(account)?;
        let hash = self.hasher.hash_one(transaction);
        let number = table.find(hash, |number| entries.text(*number) == transaction)?;
        let entry = entries.payments.get(usize::try_from(*number).ok()?)?;
        let order = entry.order.map(|id| OrderId(id.get()));
        Some(Found { order, currency: entry.currency, rule: MatchRule::Transaction })
    }
}

/// Neighbours mostly are of one account.
fn account_of(row: &Row<'_>, accounts: &[SettledAccount], last: usize) -> Result<Option<usize>> {
    let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
    let (provider, merchant_account) = (text(3)?, text(4)?);
    let is_it = |account: &SettledAccount| {
        account.merchant_account.as_str() == merchant_account && account.provider.as_str() == provider
    };
    if accounts.get(last).is_some_and(is_it) {
        return Ok(Some(last));
    }
    Ok(accounts.iter().position(is_it))
}

/// Almost every payment has the currency of the one before.
fn currency_of(row: &Row<'_>, last: &mut Option<Currency>) -> Result<Currency> {
    let code = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    match last {
        Some(currency) if currency.code() == code => Ok(*currency),
        _ => Ok(*last.insert(row.currency()?)),
    }
}
