//! `credit-note`: lines of an invoice payjournal made are taken back, and what was paid for them goes back with `refunds`.

use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::checkout::page::{ClosedPages, close_pages_of};
use super::person::{answer, given};
use super::show::find;
use crate::cli::CreditedLine;
use crate::config::Settings;
use crate::domain::document::Document;
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::invoice::correction::{CannotCredit, CreditDraft, Credited};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::{Ledger, LedgerError, Writer};
use crate::run::{open_ledger, refused};

/// What the command does to the ledger; the simulation's persons do it with this, too.
pub(crate) fn credit(
    writer: &Writer<'_>,
    invoice: &Document,
    lines: &[CreditedLine],
    reason: &str,
    settings: &Settings,
    now: DateTime<Utc>,
) -> std::result::Result<std::result::Result<Credited, CannotCredit>, LedgerError> {
    writer.credit_invoice(&CreditDraft {
        invoice: invoice.id,
        dated: now.with_timezone(&settings.time_zone).date_naive(),
        range: settings.invoices.credit_note_numbers.clone(),
        rounding: settings.invoices.pricing.rounding,
        lines: lines.iter().map(|line| (line.number, line.quantity)).collect(),
        reason: reason.to_owned(),
    })
}

pub fn run(
    number: &str,
    lines: &[CreditedLine],
    reason: &str,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    let reason = given(reason)?;
    let mut ledger = open_ledger(settings, false, now)?;
    let invoice = find::document(&ledger, number)?;
    let credited =
        ledger.write("credit-note", None, now, |writer| credit(writer, &invoice, lines, reason, settings, now));
    let Credited { number, total, applied } = credited
        .map_err(refused)?
        .map_err(|why| Failure::usage(format!("{} cannot be credited: {why}", invoice.name())))?;
    let to_pay_back = total.checked_sub(applied).map_err(Failure::bug)?;
    let rest = if to_pay_back.is_positive() {
        format!("; the next `payjournal refunds` pays {to_pay_back} back")
    } else {
        String::new()
    };
    let pages = close_pages_of(invoice.id, settings, &mut ledger, now)?;
    let said = format!(
        "credit note {number} takes back {total} of {}: {applied} of it was still open{rest}{}{}",
        invoice.name(),
        pages.said(),
        asks_again(&invoice, &pages, &ledger)?
    );
    let done = json!({
        "invoice": invoice.number,
        "credit_note": number,
        "total": total,
        "applied": applied,
        "to_pay_back": to_pay_back,
        "pages_closed": pages.closed,
        "pages_open": pages.open_ones(),
    });
    answer(out, json, "credit-note", &done, &said)
}

/// What is left has no page any more.
fn asks_again(invoice: &Document, pages: &ClosedPages, ledger: &Ledger) -> Result<String> {
    let entry = ledger.entry_of_document(invoice.id).map_err(refused)?.filter(|_| !pages.closed.is_empty());
    match entry {
        Some(Entry { reference: Some(reference), status: EntryStatus::Open, .. }) => {
            Ok(format!("; `payjournal invite {reference}` asks for what is left"))
        }
        Some(_) | None => Ok(String::new()),
    }
}

/// A credit note that was paid back in another way, which opened its invoice again: the two clear each other.
pub fn clear(number: &str, settings: &Settings, json: bool, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let mut ledger = open_ledger(settings, false, now)?;
    let note = find::document(&ledger, number)?;
    let cleared =
        ledger.write("credit-note", None, now, |writer| writer.clear_credit_note(note.id)).map_err(refused)?;
    let Some(amount) = cleared else {
        return Err(Failure::usage(format!("{} is no credit note that payjournal made", note.name())));
    };
    if !amount.is_positive() {
        return Err(Failure::usage(format!(
            "nothing is open of {} and its invoice at once, or a refund for it has no final answer",
            note.name()
        )));
    }
    let said = format!("{amount} of {} is set against its invoice: nobody is paid back or asked for it", note.name());
    answer(out, json, "credit-note", &json!({"credit_note": note.number, "cleared": amount}), &said)
}
