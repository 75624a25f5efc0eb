//! `list mandates`: what customers gave to be collected from, and whether it still counts. No PSP's id is shown whole.

use std::io::Write;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::table::table;
use crate::config::Settings;
use crate::domain::mandate::Mandate;
use crate::domain::money::Currency;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::run::{look_at_ledger, refused};

pub fn list(settings: &Settings, json: bool, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let ledger = look_at_ledger(settings)?;
    let mandates = ledger.mandates().map_err(refused)?;
    let today = now.with_timezone(&settings.time_zone).date_naive();
    let written = if json {
        let document = json!({
            "schema": "payjournal/list/1",
            "outcome": Exit::Done.outcome(),
            "exit_code": Exit::Done.code(),
            "mandates": mandates.iter().map(|mandate| document(mandate, today)).collect::<Vec<_>>(),
        });
        writeln!(out, "{document:#}")
    } else if mandates.is_empty() {
        writeln!(out, "no mandates")
    } else {
        let rows = mandates.iter().map(|mandate| row(mandate, today)).collect();
        let head =
            ["mandate", "customer", "provider", "method", "currency", "given on", "revoked on", "state", "PSP's id"];
        writeln!(out, "{}", table(&head, rows))
    };
    written.context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

fn row(mandate: &Mandate, today: NaiveDate) -> Vec<String> {
    vec![
        mandate.id.to_string(),
        mandate.customer.to_string(),
        mandate.provider.to_string(),
        mandate.method.to_string(),
        mandate.currency.map_or("any", Currency::code).to_owned(),
        mandate.given_on.to_string(),
        mandate.revoked_on.map_or_else(|| "-".to_owned(), |on| on.to_string()),
        state(mandate, today).to_owned(),
        mandate.token.to_string(),
    ]
}

fn document(mandate: &Mandate, today: NaiveDate) -> Value {
    json!({
        "id": mandate.id,
        "customer": mandate.customer,
        "provider": mandate.provider,
        "merchant_account": mandate.merchant_account,
        "method": mandate.method,
        "currency": mandate.currency.map(Currency::code),
        "given_on": mandate.given_on,
        "revoked_on": mandate.revoked_on,
        "state": state(mandate, today),
        "ends_in": mandate.token.to_string(),
    })
}

fn state(mandate: &Mandate, today: NaiveDate) -> &'static str {
    match mandate.is_active(today) {
        true => "active",
        false if today < mandate.given_on => "not yet",
        false => "revoked",
    }
}
