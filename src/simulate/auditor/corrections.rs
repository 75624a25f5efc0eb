//! What persons take back of invoices that payjournal made, and have paid back: once, as they asked, and with the money where it belongs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Duration;

use crate::ledger::rows::{CorrectionRow, EntryRow, InvoiceRow, RequestRow, Rows};
use crate::simulate::record::{
    Act, Claim, Correction, EffectKind, EffectState, IsFor, Posted, Record, Sale, Transaction,
};

use super::index::{Booking, Done, Index};
use super::intents::said;
use super::invoices::moment;
use super::{About, Found, releases};

/// The documents payjournal made, as the other checks can read them.
pub(super) fn posted(record: &Record, rows: &Rows) -> Vec<Posted> {
    let orders: HashMap<&str, &'static str> =
        record.orders.iter().map(|order| (order.number.as_str(), order.currency)).collect();
    let cleared = rows.documents.iter().filter(|row| row.paid_elsewhere != 0);
    let cleared: HashMap<(&str, &str), i64> =
        cleared.map(|row| ((row.kind.as_str(), row.number.as_str()), row.paid_elsewhere)).collect();
    let cancelled = rows.corrections.iter().filter(|row| row.kind == "cancellation");
    let cancelled: HashMap<&str, &CorrectionRow> = cancelled.map(|row| (row.invoice.as_str(), row)).collect();
    let document = |kind, number: &str, currency, total, at: &str| {
        let at = moment(at)?;
        let by_hand = cleared.get(&(kind, number)).copied().unwrap_or_default();
        Some(Posted {
            kind,
            number: number.to_owned(),
            order: None,
            currency,
            total,
            references: None,
            posted_on: at.date_naive(),
            told_at: Some(at),
            cancelled_at: None,
            by_hand,
            told_by_hand: by_hand,
        })
    };
    let invoices = rows.invoices.iter().filter_map(|row| {
        let currency = orders.get(row.order.as_str())?;
        let posted = document("invoice", &row.number, currency, row.total, &row.finalised_at)?;
        let cancelled_at = cancelled.get(row.number.as_str()).and_then(|row| moment(&row.made_at));
        Some(Posted { order: Some(row.order.clone()), cancelled_at, ..posted })
    });
    let corrections = rows.corrections.iter().filter_map(|row| {
        let kind = if row.kind == "cancellation" { "cancellation" } else { "credit_note" };
        let posted = document(kind, &row.number, orders.get(row.order.as_str())?, row.total, &row.made_at)?;
        Some(Posted { order: Some(row.order.clone()), references: Some(row.invoice.clone()), ..posted })
    });
    let requests = rows.requests.iter().filter_map(|row| {
        let currency = record.transactions.iter().find(|one| one.id == row.transaction)?.currency;
        let posted = document("refund_request", &row.number, currency, row.total, &row.asked_at)?;
        Some(Posted { references: Some(row.transaction.clone()), ..posted })
    });
    invoices.chain(corrections).chain(requests).collect()
}

pub(super) fn is_cancelled(index: &Index<'_>, invoice: &str) -> bool {
    index.invoice(invoice).is_some_and(|posted| posted.cancelled_at.is_some())
}

/// The cancelled invoice whose entry was the one that was asked for.
pub(super) fn ended_with<'a>(index: &Index<'a>, claim: &Claim) -> Option<&'a String> {
    let mut entries = index.rows.entries.iter();
    let entry = entries.find(|entry| entry.reference.as_ref() == Some(&claim.reference))?;
    entry.invoice.as_ref().filter(|invoice| is_cancelled(index, invoice))
}

/// Whether a cancelled invoice of the same order gave the transaction's money back.
pub(super) fn gave_back(index: &Index<'_>, transaction: &str, invoice: &Posted) -> bool {
    let journals = index.bookings_of(transaction).flat_map(|booking| &booking.originals);
    let mut returns = journals.filter(|journal| journal.kind == "return");
    returns.any(|journal| index.document(journal.document.as_ref()).is_some_and(|gone| gone.order == invoice.order))
}

/// Whether it was to pay an entry that went with a cancelled invoice of the same order.
pub(super) fn was_for(index: &Index<'_>, transaction: &Transaction, invoice: &Posted) -> bool {
    let IsFor::Entry(reference) = &transaction.is_for else { return false };
    let mut entries = index.rows.entries.iter().filter(|entry| entry.reference.as_ref() == Some(reference));
    let gone = |entry: &EntryRow| index.invoice(entry.invoice.as_deref()?).filter(|gone| gone.cancelled_at.is_some());
    entries.any(|entry| gone(entry).is_some_and(|gone| gone.order == invoice.order))
}

/// What is still to be paid back of a transaction on request.
pub(super) fn wanted_back(index: &Index<'_>, transaction: &str) -> i64 {
    let of_it = index.rows.requests.iter().filter(|row| row.transaction == transaction);
    of_it.map(|row| open(index, row).max(0)).sum()
}

fn open(index: &Index<'_>, row: &RequestRow) -> i64 {
    row.total - row.withdrawn - refunded(index, "refund_request", &row.number)
}

/// What of a document is paid back, or on its way.
fn refunded(index: &Index<'_>, kind: &str, number: &str) -> i64 {
    let live = index.effects_for(kind, number).iter().filter(|done| done.effect.is_live());
    live.map(|done| done.effect.amount).sum()
}

fn about(row: &CorrectionRow) -> About {
    let document = Some((row.kind.clone(), row.number.clone()));
    About { order: Some(row.order.clone()), transaction: None, document }
}

fn about_request(index: &Index<'_>, row: &RequestRow) -> About {
    let document = Some(("refund_request".to_owned(), row.number.clone()));
    About { document, ..index.about_transaction(&row.transaction) }
}

/// SAFETY.
pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    numbers(index, found);
    for row in &index.rows.corrections {
        let sale = index.record.sales.iter().find(|sale| sale.order == row.order);
        let invoice = index.rows.invoices.iter().find(|invoice| invoice.number == row.invoice);
        for (invariant, wrong) in [
            ("correction-as-asked", not_as_asked(index, row, sale)),
            ("credit-within-line", invoice.and_then(|invoice| above_its_line(index, row, invoice))),
            ("correction-is-opposite", not_opposite(row, sale, invoice)),
            ("cancelled-once", taken_back_twice(index, row)),
            ("cancelled-gives-back", not_given_back(index, row)),
            ("note-clears-its-invoice", left_open(index, row)),
            ("cancelled-entry-is-over", entry_goes_on(index, row)),
        ] {
            if let Some(why) = wrong {
                found.tell(invariant, about(row), format!("{} of {}: {why}", row.number, row.invoice));
            }
        }
    }
    for row in &index.rows.requests {
        for (invariant, wrong) in
            [("correction-as-asked", not_requested(index, row)), ("request-within-free", not_free(index, row))]
        {
            if let Some(why) = wrong {
                found.tell(invariant, about_request(index, row), format!("{}: {why}", row.number));
            }
        }
    }
    for act in index.record.corrections.iter().filter(|act| act.act != Act::Withdraws) {
        let (rows, requests) = (index.rows.corrections.iter(), index.rows.requests.iter());
        if rows.map(|row| &row.number).chain(requests.map(|row| &row.number)).all(|number| *number != act.number) {
            let says = format!("{} of {} was carried out, and the ledger does not have it", act.number, act.of);
            found.tell("correction-as-asked", About::default(), says);
        }
    }
    refunds(index, found);
}

/// A number is given once, to whatever document.
fn numbers(index: &Index<'_>, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for posted in index.billed {
        if !seen.insert((posted.kind, &posted.number)) && posted.kind != "invoice" {
            let says = format!("the number {} is there twice", posted.number);
            found.tell("correction-number-once", About::of_document(posted), says);
        }
    }
}

fn asked<'a>(index: &Index<'a>, number: &str) -> Option<&'a Correction> {
    let mut of_it = index.record.corrections.iter();
    of_it.find(|act| act.number == number && act.act != Act::Withdraws)
}

/// A person wanted it so: the invoice, and how much of which lines.
fn not_as_asked(index: &Index<'_>, row: &CorrectionRow, sale: Option<&Sale>) -> Option<String> {
    let Some(act) = asked(index, &row.number).filter(|act| act.of == row.invoice) else {
        return Some("nobody asked for it".to_owned());
    };
    let sold = |line: i64| {
        let line = usize::try_from(line - 1).ok()?;
        Some(sale?.lines.get(line)?.0)
    };
    let gross: Vec<(i64, i64)> = row.lines.iter().map(|(line, net, tax)| (*line, net + tax)).collect();
    let sum: i64 = gross.iter().map(|(_, gross)| gross).sum();
    if sum != row.total {
        return Some(format!("its lines come to {sum}, and it is over {}", row.total));
    }
    match &act.act {
        Act::Cancels => {
            let all: i64 = sale.map_or(0, |sale| sale.lines.iter().map(|(gross, _)| gross).sum());
            (row.kind != "cancellation" || row.total != all)
                .then(|| format!("{} of {all} is a {}", row.total, row.kind))
        }
        Act::Credits(lines) if row.kind == "credit_note" => gross.iter().find_map(|(line, gross)| {
            let left = sold(*line)? - credited_before(index, row, *line);
            let wanted = lines.iter().find(|(number, _)| i64::from(*number) == *line);
            let part = match wanted {
                None if !lines.is_empty() => return Some(format!("nobody asked for line {line}")),
                None | Some((_, None)) => left,
                // Half a coin may fall on either side, and the last part is what is left.
                Some((_, Some(hundredths))) => {
                    let part = (sold(*line)? * hundredths).div_euclid(100);
                    if (part - gross).abs() <= 1 { *gross } else { part.min(left) }
                }
            };
            ((part - gross).abs() > 1).then(|| format!("{gross} of line {line}; asked for were {part}"))
        }),
        Act::Credits(_) | Act::Requests(_) | Act::Withdraws => Some(format!("it is a {}", row.kind)),
    }
}

/// What earlier credit notes took back of a line.
fn credited_before(index: &Index<'_>, row: &CorrectionRow, line: i64) -> i64 {
    let of_invoice = index.rows.corrections.iter().filter(|other| other.invoice == row.invoice);
    let before = of_invoice.take_while(|other| other.number != row.number).flat_map(|other| &other.lines);
    before.filter(|(number, ..)| *number == line).map(|(_, net, tax)| net + tax).sum()
}

/// Of no line more is taken back than was sold, neither net nor tax.
fn above_its_line(index: &Index<'_>, row: &CorrectionRow, invoice: &InvoiceRow) -> Option<String> {
    let mut sums: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let of_invoice = index.rows.corrections.iter().filter(|other| other.invoice == row.invoice);
    for (line, net, tax) in of_invoice.filter(|other| other.kind == "credit_note").flat_map(|other| &other.lines) {
        let sum = sums.entry(*line).or_default();
        *sum = (sum.0 + net, sum.1 + tax);
    }
    let above = sums.into_iter().find(|(line, (net, tax))| {
        let sold = usize::try_from(line - 1).ok().and_then(|line| invoice.lines.get(line));
        sold.is_none_or(|(_, sold_net, sold_tax)| net > sold_net || tax > sold_tax)
    });
    above.map(|(line, (net, tax))| format!("{net} and {tax} of line {line} are credited of {:?}", invoice.lines))
}

/// Revenue and tax of each rate against receivables: of a cancellation just what the invoice has, turned round.
fn not_opposite(row: &CorrectionRow, sale: Option<&Sale>, invoice: Option<&InvoiceRow>) -> Option<String> {
    let (Some(sale), Some(invoice)) = (sale, invoice) else { return Some("its invoice is not there".to_owned()) };
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    let mut add = |account: &str, minor: i64| *sums.entry(account.to_owned()).or_default() += minor;
    row.postings.iter().for_each(|(account, minor)| add(account, *minor));
    if row.kind == "cancellation" {
        invoice.postings.iter().for_each(|(account, minor)| add(account, *minor));
    } else {
        add(&format!("Assets:Receivables:{}", row.customer), row.total);
        for (line, net, tax) in &row.lines {
            let rate = usize::try_from(line - 1).ok().and_then(|line| sale.lines.get(line)).map_or(-1, |line| line.1);
            add(&format!("Income:Sales:{rate}"), -net);
            add(&format!("Liabilities:OutputTax:{rate}"), -tax);
        }
    }
    sums.retain(|_, minor| *minor != 0);
    let agrees = row.customer == invoice.customer && row.currency == invoice.currency;
    (!sums.is_empty() || !agrees).then(|| format!("to {} in {}, too much are {sums:?}", row.customer, row.currency))
}

/// One cancellation, and no credit note beside it.
fn taken_back_twice(index: &Index<'_>, row: &CorrectionRow) -> Option<String> {
    let mut others = index.rows.corrections.iter().filter(|other| other.invoice == row.invoice);
    let other = others.find(|other| other.number != row.number && other.kind == "cancellation")?;
    Some(format!("{} has taken all of it back", other.number))
}

/// What had paid a cancelled invoice is on the customer's account again, and what had gone back of that is off it.
fn not_given_back(index: &Index<'_>, row: &CorrectionRow) -> Option<String> {
    if row.kind != "cancellation" {
        return None;
    }
    let hung = |booking: &Booking<'_>, kind: &str, number: &str| -> i64 {
        let is_it = |document: &(String, String)| document.0 == kind && document.1 == number;
        let of_it = booking.originals.iter().filter(|journal| journal.document.as_ref().is_some_and(is_it));
        of_it.map(|journal| journal.amount).sum()
    };
    index.bookings.iter().find_map(|booking| {
        let had = hung(booking, "invoice", &row.invoice);
        let back = hung(booking, "cancellation", &row.number);
        // What failed before had paid nothing any more.
        let failed_before = back == 0 && booking.failure.is_some();
        (had != back && !failed_before).then(|| {
            let movement = booking.movement;
            format!("{} {} had {had} of it, and {back} were given back", movement.kind, movement.modification)
        })
    })
}

/// What an invoice lacks its credit note takes first: as long as something is open, nothing of the note is to be paid back.
fn left_open(index: &Index<'_>, row: &CorrectionRow) -> Option<String> {
    let note = index.billed.iter().find(|posted| posted.kind == "credit_note" && posted.number == row.number)?;
    let invoice = index.invoice(&row.invoice)?;
    let lacks = super::rest::lacking(index, invoice);
    let is_open = lacks > 0 && note.by_hand < note.total && !super::rest::was_taken_back(index, invoice);
    is_open.then(|| format!("{lacks} are open on its invoice, and it clears {} of {}", note.by_hand, note.total))
}

fn entry_goes_on(index: &Index<'_>, row: &CorrectionRow) -> Option<String> {
    let mut entries = index.rows.entries.iter().filter(|entry| entry.invoice.as_ref() == Some(&row.invoice));
    let entry = entries.find(|entry| entry.status != "cancelled" || entry.assigned != 0);
    let entry = entry.filter(|_| row.kind == "cancellation")?;
    Some(format!("its entry is {} with {}", entry.status, entry.assigned))
}

fn not_requested(index: &Index<'_>, row: &RequestRow) -> Option<String> {
    let act = asked(index, &row.number).filter(|act| act.of == row.transaction);
    let amount = act.and_then(|act| match &act.act {
        Act::Requests(amount) => Some(amount.unwrap_or(row.total)),
        Act::Cancels | Act::Credits(_) | Act::Withdraws => None,
    });
    if amount != Some(row.total) {
        return Some(format!("{} of {}; asked for were {amount:?}", row.total, row.transaction));
    }
    let withdrawn = index.record.corrections.iter().any(|act| act.act == Act::Withdraws && act.number == row.number);
    (row.withdrawn != 0 && !withdrawn).then(|| format!("{} of it were withdrawn by nobody", row.withdrawn))
}

/// What is to be paid back is neither tied to an invoice nor an entry's, unless money went away that nobody here had asked for.
fn not_free(index: &Index<'_>, row: &RequestRow) -> Option<String> {
    let at = index.place(&row.transaction)?;
    let is_disturbed = index.effects_of(at).iter().any(|Done { effect, .. }| {
        // Of a PSP that does not say whose a refund is, ours counts as another's while its answer is missing.
        let is_silent = index.transaction(effect).is_some_and(|transaction| !transaction.echoes_keys);
        let mut told = index.told_of_transaction(&row.transaction).iter();
        let is_unasked = is_silent && told.any(|told| told.kind == "unasked_movement");
        let is_theirs = effect.ours().is_none() || effect.after_no || is_unasked;
        let is_back = effect.kind == EffectKind::Refund && is_theirs;
        is_back || effect.kind.is_dispute() || effect.state == EffectState::Failed || effect.asked_other().is_some()
    });
    if is_disturbed {
        return None;
    }
    let captures = || index.bookings_of(&row.transaction).filter(|booking| booking.movement.kind == "capture");
    let came: i64 = captures().map(|booking| booking.movement.amount).sum();
    let tied: i64 = captures().map(|booking| booking.net(&["receipt", "application"]) - booking.net(&["return"])).sum();
    let waits = index.rows.entries.iter().filter(|entry| entry.invoice.is_none() && entry.status != "cancelled");
    let waits: i64 = waits
        .flat_map(|entry| &entry.assignments)
        .filter(|(transaction, _)| *transaction == row.transaction)
        .map(|(_, minor)| minor)
        .sum();
    let requests = index.rows.requests.iter().filter(|other| other.transaction == row.transaction);
    let wanted: i64 = requests.map(|other| other.total - other.withdrawn).sum();
    (wanted > came - tied - waits)
        .then(|| format!("{wanted} were asked back of {came}, of which invoices have {tied} and entries {waits}"))
}

/// What payjournal pays back, or takes, of what was taken back.
fn refunds(index: &Index<'_>, found: &mut Found) {
    for effect in index.record.effects.iter().filter(|effect| !effect.after_no) {
        let Some((kind, number)) = effect.ours().and_then(|asked| asked.document.as_ref()) else { continue };
        let document = index.document(Some(&(kind.clone(), number.clone())));
        let invoice = document.and_then(|document| index.invoice(document.references.as_deref()?));
        let is_late = |posted: &Posted| {
            posted.cancelled_at.is_some_and(|cancelled_at| cancelled_at + releases::A_RUN < effect.at)
        };
        let certain = index.record.clock_jumps == 0;
        let wrong = match effect.kind {
            EffectKind::Refund if kind == "cancellation" || invoice.is_some_and(|it| it.cancelled_at.is_some()) => {
                Some((
                    "cancellation-not-refunded",
                    "its invoice was taken back, whose money is the customer's".to_owned(),
                ))
            }
            EffectKind::Refund if kind == "refund_request" => {
                let row = index.rows.requests.iter().find(|row| row.number == *number);
                wrong_refund(index, row, effect.transaction, effect.at).map(|why| ("refund-as-requested", why))
            }
            EffectKind::Capture if certain && document.is_some_and(is_late) => {
                Some(("cancelled-not-captured", "it was taken back before".to_owned()))
            }
            EffectKind::Capture
            | EffectKind::Refund
            | EffectKind::Release
            | EffectKind::Chargeback
            | EffectKind::WonBack
            | EffectKind::SecondChargeback => None,
        };
        if let Some((invariant, why)) = wrong {
            found.tell(invariant, index.about(effect), format!("{} for {number}: {why}", said(effect)));
        }
    }
}

/// Out of the payment it was asked for, where that may be, and not if somebody else gave money back since.
fn wrong_refund(
    index: &Index<'_>,
    row: Option<&RequestRow>,
    transaction: usize,
    at: chrono::DateTime<chrono::Utc>,
) -> Option<String> {
    let Some(row) = row else { return Some("nobody asked for it".to_owned()) };
    let of = index.record.transactions.get(transaction)?;
    if of.id != row.transaction || !of.refundable {
        return Some(format!("it was asked of {}; {} allows refunds: {}", row.transaction, of.id, of.refundable));
    }
    let act = asked(index, &row.number)?;
    let since = |done: &Done<'_>| done.effect.at > act.at && done.effect.at + Duration::days(1) < at;
    let mut others = index.of_kind(transaction, EffectKind::Refund);
    let other = others.find(|done| done.effect.ours().is_none() && done.effect.is_live() && since(done))?;
    Some(format!("somebody else refunded since: {}", said(other.effect)))
}

/// LIVENESS.
pub(super) fn check_at_rest(index: &Index<'_>, found: &mut Found) {
    for row in &index.rows.requests {
        let of_transaction = index.told_of_transaction(&row.transaction).iter();
        let held = of_transaction.filter(|told| super::rest::HOLDS.contains(&told.kind.as_str())).count() > 0;
        let left = open(index, row);
        if left > 0 && !held && !super::rest::told_of_document(index, "refund_request", &row.number) {
            let says = format!("{left} of {} are to be paid back for {}, and nobody was told", row.total, row.number);
            found.tell("request-refunded-or-told", about_request(index, row), says);
        }
    }
    for row in &index.rows.corrections {
        let sale = index.record.sales.iter().find(|sale| sale.order == row.order);
        let mut told = index.told_of_document(&row.kind, &row.number).iter();
        let is_told = told.any(|told| told.kind == "invoice_not_sent" && super::rest::tells(told));
        let has_address = sale.is_none_or(|sale| sale.email);
        if row.mail.is_none() && (has_address || !is_told) {
            let says = format!("{} was not mailed; its customer has an address: {has_address}", row.number);
            found.tell("correction-mailed", about(row), says);
        }
    }
}
