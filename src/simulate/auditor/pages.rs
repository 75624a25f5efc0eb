//! Pages for what is open of an invoice: known before a customer gets one, one at a time, and closed when nothing is owed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::ledger::rows::{EntryRow, ExceptionRow, InvoiceRow, MailRow, Rows};
use crate::simulate::record::{Act, Cancelled, Claim, EffectKind, IsFor, Page, Record, Sale, SaleKey, Transaction};

use super::index::{Index, was_confirmed};
use super::releases::A_RUN;
use super::{About, Found, books, corrections, rest};

/// The record with what the ledger knows of pages: it tells itself of their payments, and whose invoice an entry is.
pub(super) fn with_known<'r>(mut record: Cow<'r, Record>, rows: &Rows) -> Cow<'r, Record> {
    if record.pages.is_empty() {
        return record;
    }
    let changed = record.to_mut();
    for page in &changed.pages {
        let order = order_of(&changed.claims, &changed.sales, rows, &page.reference);
        let Some(transaction) = changed.transactions.get_mut(page.transaction) else { continue };
        transaction.order = order;
        let is_known = rows.payments.iter().any(|row| row.transaction == transaction.id);
        transaction.told_at = is_known.then_some(page.at);
        // What payjournal had closed is no cancellation of the customer's.
        if transaction.status == "cancelled"
            && changed.closings.iter().any(|closing| closing.transaction == page.transaction)
        {
            transaction.status = "expired";
        }
    }
    record
}

/// Of the invoice that has the entry, or the sale that has its key.
fn order_of(claims: &[Claim], sales: &[Sale], rows: &Rows, reference: &str) -> Option<String> {
    let entry = rows.entries.iter().find(|entry| entry.reference.as_deref() == Some(reference));
    let invoice = entry.and_then(|entry| entry.invoice.as_ref());
    let invoiced = invoice.and_then(|number| rows.invoices.iter().find(|row| row.number == *number));
    invoiced.map(|row| row.order.clone()).or_else(|| {
        let claim = claims.iter().find(|claim| claim.reference == reference)?;
        let has_key = |sale: &&Sale| sale.key == SaleKey::Entry(claim.key.clone());
        sales.iter().find(has_key).map(|sale| sale.order.clone())
    })
}

fn entry<'a>(index: &Index<'a>, page: &Page) -> Option<&'a EntryRow> {
    index.rows.entries.iter().find(|entry| entry.reference.as_ref() == Some(&page.reference))
}

fn about(index: &Index<'_>, page: &Page) -> About {
    let transaction = index.record.transactions.get(page.transaction);
    transaction.map(|transaction| index.about_transaction(&transaction.id)).unwrap_or_default()
}

/// SAFETY.
pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for page in index.record.pages.iter().filter(|page| page.given_at.is_some()) {
        let Some(transaction) = index.record.transactions.get(page.transaction) else { continue };
        if index.payment_row(&transaction.id).is_none() {
            let says = format!("a customer has the page {}, whose payment the ledger does not know", page.url);
            found.tell("page-is-known", about(index, page), says);
        }
        if transaction.status == "open" {
            *open.entry(&page.reference).or_default() += 1;
        }
        let shown = index.payment_row(&transaction.id).map_or("", |row| row.status.as_str());
        let is_closed = index.record.closings.iter().any(|closing| closing.transaction == page.transaction);
        if is_closed && shown == "open" {
            let says = format!("{} was closed, and counts as open: customers may be sent to it", page.url);
            found.tell("page-expired-first", about(index, page), says);
        }
        if let Some(why) = of_another(index, page) {
            found.tell("page-of-its-invoice", about(index, page), format!("{}: {why}", page.url));
        }
    }
    for (reference, count) in open.into_iter().filter(|(_, count)| *count > 1) {
        let says = format!("{count} pages that customers have are open for {reference}");
        found.tell("one-page-per-debt", About::default(), says);
    }
}

/// Where its mail is not that of the invoice whose entry it is for, or it asks for more than that.
fn of_another(index: &Index<'_>, page: &Page) -> Option<String> {
    let Some(entry) = entry(index, page) else { return Some(format!("there is no entry {}", page.reference)) };
    let open = entry.initial - paid_before(index, page, entry);
    if page.amount > open || page.amount <= 0 {
        return Some(format!("it asks for {} of {open}", page.amount));
    }
    let Some(mail) = index.rows.mails.iter().find(|mail| mail.body.contains(&page.url)) else {
        return Some("no mail has it".to_owned());
    };
    let Some(number) = entry.invoice.as_ref() else { return Some("its entry has no invoice".to_owned()) };
    (!mail.subject.ends_with(&format!(": {number}"))).then(|| format!("`{}` brings it, for {number}", mail.subject))
}

/// What the ledger certainly knew to be paid of an entry when its page was made: handed over as collected, and kept.
fn paid_before(index: &Index<'_>, page: &Page, entry: &EntryRow) -> i64 {
    let is_certain = |id: &str| {
        let Some((at, of)) = index.place(id).zip(index.transaction_named(id)) else { return false };
        let is_kept =
            index.effects_of(at).iter().all(|done| done.effect.kind == EffectKind::Capture && done.effect.is_live());
        // What a person wanted to be paid back then was not there.
        let is_wanted = index
            .record
            .corrections
            .iter()
            .any(|act| matches!(act.act, Act::Requests(_)) && act.of == id && act.at <= page.at);
        of.collected && is_kept && !is_wanted && of.told_at.is_some_and(|told| told + A_RUN < page.at)
    };
    let others = entry.assignments.iter().filter(|(id, _)| index.place(id) != Some(page.transaction));
    others.filter(|(id, _)| is_certain(id)).map(|(_, minor)| minor).sum()
}

/// LIVENESS.
pub(super) fn check_at_rest(index: &Index<'_>, found: &mut Found) {
    for page in index.record.pages.iter().filter(|page| page.given_at.is_some()) {
        if let Some(why) = still_open(index, page) {
            found.tell("page-closed", about(index, page), format!("{}: {why}", page.url));
        }
        if let Some(why) = paid_for_nothing(index, page) {
            found.tell("page-pays-its-entry", about(index, page), format!("{}: {why}", page.url));
        }
    }
    for transaction in index.record.transactions.iter().filter(|one| one.told_at.is_some()) {
        if let Some(why) = spare(index, transaction) {
            found.tell("spare-money-told", index.about_transaction(&transaction.id), why);
        }
    }
    if !index.record.pages.is_empty() {
        for row in &index.rows.invoices {
            if let Some(why) = without_page(index, row) {
                let about = About { order: Some(row.order.clone()), ..About::default() };
                found.tell("page-brought", about, format!("{}: {why}", row.number));
            }
        }
    }
}

fn still_open(index: &Index<'_>, page: &Page) -> Option<String> {
    let transaction = index.record.transactions.get(page.transaction)?;
    let entry = entry(index, page)?;
    let mut told = index.told_of_transaction(&transaction.id).iter();
    let is_told = told.any(|row| row.kind == "not_closed" && rest::tells(row));
    // Or it asks for what the order's next invoice is over.
    let is_billed_again = index.rows.entries.iter().any(|other| {
        let invoice = other.invoice.as_deref().and_then(|number| index.invoice(number));
        other.status == "open" && invoice.is_some_and(|invoice| invoice.order == transaction.order)
    });
    (transaction.status == "open" && entry.status != "open" && !is_told && !is_billed_again)
        .then(|| format!("it can be paid, its entry is {}, and nobody was told", entry.status))
}

/// What was paid for an entry of which nothing is open is no order's, and belongs to nothing.
fn spare(index: &Index<'_>, transaction: &Transaction) -> Option<String> {
    let IsFor::Entry(reference) = &transaction.is_for else { return None };
    let entry = index.rows.entries.iter().find(|entry| entry.reference.as_ref() == Some(reference))?;
    let has_some = entry.assignments.iter().any(|(id, _)| *id == transaction.id);
    let is_orders = index.payment_row(&transaction.id).is_none_or(|row| row.order.is_some());
    if entry.status != "balanced" || has_some || is_orders {
        return None;
    }
    let money = books::untied(index, &transaction.id) - corrections::wanted_back(index, &transaction.id);
    let mut told = index.told_of_transaction(&transaction.id).iter();
    let tells = |row: &ExceptionRow| rest::tells(row) || index.record.resolved.contains(&row.id);
    let is_told =
        told.any(|row| matches!(row.kind.as_str(), "untied_money" | "chargeback" | "amount_differs") && tells(row));
    (money > 0 && !is_told)
        .then(|| format!("{money} were captured for {reference}, of which nothing is open, and nobody was told"))
}

/// Only where nothing of the payment went back, failed or is disputed.
fn paid_for_nothing(index: &Index<'_>, page: &Page) -> Option<String> {
    let transaction = index.record.transactions.get(page.transaction)?;
    let entry = entry(index, page).filter(|entry| entry.status == "open")?;
    // What was charged back of another payment leaves its invoice paid, and what was given back a person looks at.
    let invoice = index.invoice(entry.invoice.as_deref()?)?;
    if rest::lacking(index, invoice) <= 0 || rest::was_taken_back(index, invoice) {
        return None;
    }
    let effects = index.effects_of(page.transaction);
    let is_plain = effects
        .iter()
        .all(|done| done.effect.kind == EffectKind::Capture && was_confirmed(done.effect) && done.effect.is_live());
    if !is_plain {
        return None;
    }
    let captured: i64 = effects.iter().map(|done| index.recorded_amount(*done)).sum();
    let assigned: i64 = entry.assignments.iter().filter(|(id, _)| *id == transaction.id).map(|(_, minor)| minor).sum();
    (assigned != captured).then(|| format!("{captured} were paid on it, its entry has {assigned} of it and is open"))
}

/// An invoice that was mailed while nothing of it was paid or under way, and whose PSP never failed to make its page.
fn without_page(index: &Index<'_>, row: &InvoiceRow) -> Option<String> {
    let sale = index.record.sales.iter().find(|sale| sale.order == row.order)?;
    let mail: &MailRow = index.mail(row.mail.as_deref()?)?;
    // That of the invoice which was cancelled before asks for the same.
    let is_of_order = |page: &Page| {
        index.record.transactions.get(page.transaction).is_some_and(|of| of.order.as_ref() == Some(&row.order))
    };
    let has_page = index.record.pages.iter().any(|page| mail.body.contains(&page.url) || is_of_order(page));
    let has_paid =
        index.meant_for_order(&row.order).any(|(at, _)| index.record.pages.iter().all(|page| page.transaction != at));
    let entry = index.rows.entries.iter().find(|entry| entry.invoice.as_ref() == Some(&row.number))?;
    let order = index.order(Some(&row.order))?;
    let goes_on = order.cancelled == Cancelled::No;
    let is_certain = sale.email && goes_on && entry.reduction == 0 && !corrections::is_cancelled(index, &row.number);
    // What paid it at first may have failed since.
    let was_paid = !entry.assignments.is_empty();
    let may_have_failed = entry.reference.as_ref().is_none_or(|name| index.record.pageless.contains(name));
    (is_certain && !has_page && !has_paid && !was_paid && !may_have_failed)
        .then(|| "nothing of it is paid, and its mail brings no page".to_owned())
}
