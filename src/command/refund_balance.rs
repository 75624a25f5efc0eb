//! `refund-balance`: a person wants free money of a payment paid back, or thinks better of it. `refunds` carries it out.

use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::person::{answer, given};
use super::show::find;
use crate::config::Settings;
use crate::domain::invoice::number::{NumberRange, NumberTemplate, Reset};
use crate::domain::money::Amount;
use crate::domain::payment::Payment;
use crate::domain::refund_request::{CannotRequest, RefundRequest, Requested};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::{LedgerError, Writer};
use crate::run::{open_ledger, refused};

/// What was typed: `amount` in the currency of the payment.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub payment: &'a str,
    pub amount: Option<&'a str>,
    pub reason: &'a str,
}

/// What the command does to the ledger, without an amount for all that is free; the simulation's persons do it with this, too.
pub(crate) fn request(
    writer: &Writer<'_>,
    payment: &Payment,
    amount: Option<Amount>,
    reason: &str,
    settings: &Settings,
    now: DateTime<Utc>,
) -> std::result::Result<std::result::Result<Requested, CannotRequest>, LedgerError> {
    let request = RefundRequest { payment: payment.id, amount, reason: reason.to_owned() };
    writer.request_refund(&request, &numbers(), now.with_timezone(&settings.time_zone).date_naive())
}

pub fn ask(wish: Wish<'_>, settings: &Settings, json: bool, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let reason = given(wish.reason)?;
    let mut ledger = open_ledger(settings, false, now)?;
    let payment = find::payment(&ledger, wish.payment)?;
    let currency = payment.authorised.currency();
    let amount = wish.amount.map(|text| Amount::parse(text, currency)).transpose();
    let amount = amount.map_err(|error| Failure::usage(format!("--amount {}: {error}", wish.amount.unwrap_or(""))))?;
    let requested =
        ledger.write("refund-balance", None, now, |writer| request(writer, &payment, amount, reason, settings, now));
    let Requested { number, amount } =
        requested.map_err(refused)?.map_err(|why| Failure::usage(format!("nothing was asked for: {why}")))?;
    let said = format!(
        "refund request {number}: {amount} of payment {} is to be paid back, and nothing else takes it; the next `payjournal refunds` \
         does it",
        payment.transaction
    );
    let done = json!({"request": number, "payment": payment.transaction, "amount": amount});
    answer(out, json, "refund-balance", &done, &said)
}

pub fn withdraw(
    number: &str,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    let mut ledger = open_ledger(settings, false, now)?;
    let request = find::document(&ledger, number)?;
    let withdrawn = ledger.write("refund-balance", None, now, |writer| writer.withdraw_request(request.id));
    let amount = withdrawn
        .map_err(refused)?
        .map_err(|why| Failure::usage(format!("{} cannot be withdrawn: {why}", request.name())))?;
    let said = format!("{} is withdrawn: {amount} is free again", request.name());
    answer(out, json, "refund-balance", &json!({"request": request.number, "withdrawn": amount}), &said)
}

/// Nobody outside sees these numbers: they are not for the config.
fn numbers() -> NumberRange {
    NumberRange { template: NumberTemplate::of_refund_requests(), reset: Reset::Yearly, start: 0 }
}
