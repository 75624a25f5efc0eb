//! The orders that payjournal deleted, and those a person put back.

use chrono::{DateTime, NaiveDate, Utc};

use super::Record;

#[derive(Debug, Clone)]
pub struct Deletion {
    pub order: String,
    pub key: String,
    /// When payjournal made the call.
    pub asked_at: DateTime<Utc>,
    /// How the payments of the order that the ledger knew of stood at their PSPs then: index and status.
    pub payments: Vec<(usize, &'static str)>,
    /// When it took effect.
    pub at: DateTime<Utc>,
    /// How many days before the day of the call it was ordered, or put back last, by the shop's calendar.
    pub age_days: i64,
    /// `permanent`, `cancel` or `flag`.
    pub method: &'static str,
    /// The shop's day of the call.
    pub on: NaiveDate,
    /// How often it had been put back before.
    pub restored: usize,
}

/// A person put an order back.
#[derive(Debug, Clone)]
pub struct Restoration {
    pub order: String,
    pub at: DateTime<Utc>,
    /// The shop's day.
    pub on: NaiveDate,
}

impl Record {
    /// Whether the ERP does not have the order any more.
    pub fn is_gone(&self, order: &str) -> bool {
        // Most shops delete nothing.
        let mut deletions = self.deletions.iter().filter(|deletion| deletion.order == order).peekable();
        deletions.peek().is_some() && {
            let restored = self.restored(order);
            deletions.any(|deletion| deletion.restored == restored)
        }
    }

    /// How often it was put back.
    pub fn restored(&self, order: &str) -> usize {
        self.restored_at(order).count()
    }

    /// Whether at some moment from `since` on the ERP did not have the order `gone`, and had `living`.
    pub fn was_gone_beside(&self, gone: &str, living: &str, since: DateTime<Utc>) -> bool {
        let goes = self.deletions.iter().filter(|deletion| deletion.order == gone).map(|deletion| deletion.at);
        let returns = self.restored_at(living);
        let mut turns = goes.chain(returns).filter(|at| *at > since).chain([since]);
        turns.any(|at| self.is_gone_at(gone, at) && !self.is_gone_at(living, at))
    }

    fn is_gone_at(&self, order: &str, at: DateTime<Utc>) -> bool {
        let restored = self.restored_at(order).filter(|restored| *restored <= at).count();
        let mut deletions = self.deletions.iter().filter(|deletion| deletion.order == order && deletion.at <= at);
        deletions.any(|deletion| deletion.restored == restored)
    }

    fn restored_at(&self, order: &str) -> impl Iterator<Item = DateTime<Utc>> {
        self.restorations.iter().filter(move |restoration| restoration.order == order).map(|restoration| restoration.at)
    }
}
