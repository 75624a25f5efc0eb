//! `[collect]`: which due entries are collected on a mandate, as typed and as resolved.

use super::resolve::Resolver;
use super::settings::CollectSettings;
use super::table::{Given, Table};
use super::value::{flag, number};

#[derive(Debug)]
pub(super) struct CollectTable {
    enabled: Given<bool>,
    without_due_date: Given<bool>,
    max_tries: Given<u32>,
    days_between_tries: Given<u32>,
}

impl CollectTable {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            enabled: table.take("enabled", flag),
            without_due_date: table.take("without_due_date", flag),
            max_tries: table.take("max_tries", number(1..=20)),
            days_between_tries: table.take("days_between_tries", number(1..=90)),
        }
    }

    pub(super) fn resolve(self, all: &mut Resolver<'_, '_>) -> CollectSettings {
        let Self { enabled, without_due_date, max_tries, days_between_tries } = self;
        CollectSettings {
            enabled: all.or("collect", "enabled", enabled, false),
            without_due_date: all.or("collect", "without_due_date", without_due_date, false),
            max_tries: all.or("collect", "max_tries", max_tries, 3),
            days_between_tries: all.or("collect", "days_between_tries", days_between_tries, 3),
        }
    }
}
