//! `cancel-invoice`: an invoice payjournal made is taken back, by a document of its own.

use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::checkout::page::{ClosedPages, close_pages_of};
use super::person::{answer, given};
use super::show::find;
use crate::config::Settings;
use crate::domain::document::Document;
use crate::domain::invoice::correction::{CancellationDraft, Cancelled, CannotCancel};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::{LedgerError, Writer};
use crate::run::{open_ledger, refused};

/// What the command does to the ledger; the simulation's persons do it with this, too.
pub(crate) fn cancel(
    writer: &Writer<'_>,
    invoice: &Document,
    reason: &str,
    settings: &Settings,
    now: DateTime<Utc>,
) -> std::result::Result<std::result::Result<Cancelled, CannotCancel>, LedgerError> {
    writer.cancel_invoice(&CancellationDraft {
        invoice: invoice.id,
        dated: now.with_timezone(&settings.time_zone).date_naive(),
        range: settings.invoices.cancellation_numbers.clone(),
        reason: reason.to_owned(),
    })
}

pub fn run(
    number: &str,
    reason: &str,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    let reason = given(reason)?;
    let mut ledger = open_ledger(settings, false, now)?;
    let invoice = find::document(&ledger, number)?;
    let cancelled = ledger.write("cancel-invoice", None, now, |writer| cancel(writer, &invoice, reason, settings, now));
    let cancelled = cancelled.map_err(refused)?;
    // It may have died after it was cancelled: then this is for its pages.
    let pages = match &cancelled {
        Ok(_) | Err(CannotCancel::Already { .. }) => close_pages_of(invoice.id, settings, &mut ledger, now)?,
        Err(_) => ClosedPages::default(),
    };
    let Cancelled { number, total, returned } = cancelled
        .map_err(|why| Failure::usage(format!("{} cannot be cancelled: {why}{}", invoice.name(), pages.said())))?;
    let order = invoice.order.map(|id| ledger.order(id)).transpose().map_err(refused)?;
    let order = order.map(|order| format!("{}/{}", order.shop, order.number));
    let again = order.as_ref().map_or_else(String::new, |order| {
        format!(
            "; the next `payjournal finalize-invoices` bills order {order} again, unless it is cancelled before: correct it or its \
             lines by `payjournal import`"
        )
    });
    let said = format!(
        "{} over {total} is cancelled by {number}; {returned} that had paid it is on the account of customer {}{}{again}",
        invoice.name(),
        invoice.bill_to,
        pages.said()
    );
    let done = json!({
        "invoice": invoice.number,
        "cancellation": number,
        "total": total,
        "returned": returned,
        "customer": invoice.bill_to,
        "order": order,
        "pages_closed": pages.closed,
        "pages_open": pages.open_ones(),
    });
    answer(out, json, "cancel-invoice", &done, &said)
}
