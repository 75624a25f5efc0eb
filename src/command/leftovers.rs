//! `leftovers`: money without invoice, invoices without money or with too much, entries that were paid and not invoiced, keys that are used
//! twice.

use std::io::Write;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::table::table;
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::Leftover;
use crate::run::{look_at_ledger, refused};

/// `older_than`: only what is at least so many days old; a key has no age.
pub fn run(older_than: u32, settings: &Settings, json: bool, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let ledger = look_at_ledger(settings)?;
    let today = now.with_timezone(&settings.time_zone).date_naive();
    let age = |leftover: &Leftover| leftover.since.map(|since| (today - since).num_days().max(0));
    let mut leftovers = ledger.leftovers().map_err(refused)?;
    leftovers.retain(|leftover| age(leftover).is_none_or(|days| days >= i64::from(older_than)));
    let written = if json {
        let told: Vec<Value> = leftovers
            .iter()
            .map(|leftover| {
                let mut told = json!(leftover);
                if let Some(members) = told.as_object_mut() {
                    members.insert("age_days".to_owned(), json!(age(leftover)));
                }
                told
            })
            .collect();
        let document = json!({
            "schema": "payjournal/leftovers/1",
            "outcome": Exit::Done.outcome(),
            "exit_code": Exit::Done.code(),
            "leftovers": told,
        });
        writeln!(out, "{document:#}")
    } else if leftovers.is_empty() {
        writeln!(out, "nothing is left over")
    } else {
        let none = || "-".to_owned();
        let rows = leftovers.iter().map(|leftover| {
            vec![
                leftover.kind.as_str().to_owned(),
                leftover.what.clone(),
                leftover.amount.map_or_else(none, |amount| amount.to_string()),
                leftover.customer.clone().unwrap_or_else(none),
                leftover.order.clone().unwrap_or_else(none),
                age(leftover).map_or_else(none, |days| days.to_string()),
            ]
        });
        writeln!(out, "{}", table(&["kind", "what", "amount", "customer", "order", "days"], rows.collect()))
    };
    written.context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}
