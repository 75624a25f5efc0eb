//! `[cleanup]`: which unpaid orders are deleted, and how, as typed and as resolved.

use super::resolve::Resolver;
use super::settings::CleanupSettings;
use super::table::{Given, Place, Table};
use super::toml_text::{TomlText, quoted};
use super::value::{choice, flag, list, number, text};
use crate::domain::deletion::DeletionMethod;
use crate::domain::id::MethodName;

#[derive(Debug)]
pub(super) struct CleanupTable {
    place: Place,
    enabled: Given<bool>,
    older_than_days: Given<u32>,
    include_cancelled: Given<bool>,
    methods: Given<Vec<MethodName>>,
    without_payment: Given<bool>,
    max_deletions: Given<u32>,
    mode: Given<DeletionMethod>,
    reason: Given<String>,
    quarantine_days: Given<u32>,
}

impl CleanupTable {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            place: table.place().clone(),
            enabled: table.take("enabled", flag),
            older_than_days: table.take("older_than_days", number(1..=3_650)),
            include_cancelled: table.take("include_cancelled", flag),
            methods: table.take("methods", list(method, "[\"card\"]")),
            without_payment: table.take("without_payment", flag),
            max_deletions: table.take("max_deletions", number(1..=1_000_000)),
            mode: table.take("mode", choice),
            reason: table.take("reason", text(reason, "not paid for 30 days")),
            quarantine_days: table.take("quarantine_days", number(0..=365)),
        }
    }

    pub(super) fn resolve(self, all: &mut Resolver<'_, '_>) -> CleanupSettings {
        let Self {
            place,
            enabled,
            older_than_days,
            include_cancelled,
            methods,
            without_payment,
            max_deletions,
            mode,
            reason,
            quarantine_days,
        } = self;
        let mode_place = mode.as_ref().map_or_else(|| place.clone(), |given| given.place.clone());
        let quarantine_place = quarantine_days.as_ref().map(|given| given.place.clone());
        let enabled = all.or("cleanup", "enabled", enabled, false);
        let older_than_days = all.or("cleanup", "older_than_days", older_than_days, 30);
        let include_cancelled = all.or("cleanup", "include_cancelled", include_cancelled, false);
        let methods = all.without_default(methods).unwrap_or_default();
        let without_payment = all.or("cleanup", "without_payment", without_payment, false);
        let max_deletions = all.or("cleanup", "max_deletions", max_deletions, 100);
        let mode = all.or("cleanup", "mode", mode, DeletionMethod::Cancel);
        let given = all.without_default(reason);
        let quarantine_days = all.or("cleanup", "quarantine_days", quarantine_days, 0);
        if mode == DeletionMethod::Flag && given.is_none() && !all.reading.is_wrong("cleanup.reason") {
            let why = "an order that is flagged needs to say why: add `reason = \"…\"` to `[cleanup]`";
            all.reading.problem_at(&mode_place, why);
        }
        if let (DeletionMethod::Flag, 1.., Some(place)) = (mode, quarantine_days, quarantine_place) {
            let why = "with `mode = \"flag\"` nothing comes after the flag; leave `quarantine_days` out, or choose another mode";
            all.reading.problem_at(&place, why);
        }
        CleanupSettings {
            enabled,
            older_than_days,
            include_cancelled,
            methods,
            without_payment,
            max_deletions,
            mode,
            reason: given.unwrap_or_else(|| format!("not paid for more than {older_than_days} days")),
            quarantine_days,
        }
    }
}

fn method(text: &str) -> Result<MethodName, String> {
    MethodName::parse(text).map_err(|error| error.to_string())
}

fn reason(text: &str) -> Result<String, String> {
    let is_line = !text.trim().is_empty() && !text.chars().any(char::is_control) && text.chars().count() <= 200;
    if is_line { Ok(text.to_owned()) } else { Err("expected one line of text with at most 200 characters".to_owned()) }
}

impl TomlText for Vec<MethodName> {
    fn toml_text(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| quoted(item.as_str())).collect();
        format!("[{}]", items.join(", "))
    }
}
