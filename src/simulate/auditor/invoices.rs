//! Invoices that payjournal makes: each order's once, of what it sells, paid by its own money and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::ledger::rows::{EntryRow, InvoiceRow, JournalRow};
use crate::simulate::record::{
    Cancelled, Claim, EffectKind, EffectState, IsFor, Posted, Sale, SaleKey, Transaction, Trigger,
};

use super::index::{Done, Index, was_confirmed};
use super::{About, Found, books, corrections, free_balances, heirs};

/// A run that began before, and reads what it decides about once.
const A_RUN: TimeDelta = TimeDelta::hours(3);

pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

fn of_order(order: &str) -> About {
    About { order: Some(order.to_owned()), ..About::default() }
}

fn of_claim(index: &Index<'_>, claim: &Claim) -> About {
    let mut sales = index.record.sales.iter();
    let sale = sales.find(|sale| sale.key == SaleKey::Entry(claim.key.clone()));
    sale.map(|sale| of_order(&sale.order)).unwrap_or_default()
}

/// SAFETY.
pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    let (mut numbers, mut orders) = (BTreeSet::new(), BTreeSet::new());
    for row in &index.rows.invoices {
        let mut tell = |invariant, says: String| found.tell(invariant, of_order(&row.order), says);
        if !numbers.insert(&row.number) {
            tell("invoice-number-once", format!("the number {} is there twice", row.number));
        }
        let stands = !corrections::is_cancelled(index, &row.number);
        if stands && !orders.insert(&row.order) {
            tell("billed-once", format!("{} is a second invoice", row.number));
        }
        let sale = index.record.sales.iter().find(|sale| sale.order == row.order);
        if let Some(why) = sale.map_or(Some("nothing was sold".to_owned()), |sale| not_as_sold(index, row, sale)) {
            tell("invoice-as-sold", format!("{}: {why}", row.number));
        }
        if let Some(why) = not_booked(row) {
            tell("invoice-booked", format!("{}: {why}", row.number));
        }
        if let Some(why) = sale.and_then(|sale| forbidden(index, row, sale)) {
            tell("billed-when-allowed", format!("{}: {why}", row.number));
        }
        let mails = index.rows.mails.iter().filter(|mail| mail.event.starts_with("invoice:"));
        let mails = mails.filter(|mail| mail.subject.ends_with(&format!(": {}", row.number))).count();
        if mails > 1 {
            tell("invoice-mailed-once", format!("{mails} mails bring {}", row.number));
        }
    }
    for posted in index.billed {
        let tied = books::tied(index, posted.kind, &posted.number);
        if tied > posted.total {
            let says = format!("{tied} are tied to {} over {}", posted.number, posted.total);
            found.tell("document-not-overpaid", About::of_document(posted), says);
        }
    }
    for claim in index.record.claims.iter().filter(|claim| claim.kept_at.is_some()) {
        let is_it = |entry: &&EntryRow| entry.reference.as_ref() == Some(&claim.reference);
        if index.rows.entries.iter().find(is_it).is_none_or(|entry| entry.invoice.is_none()) {
            let says = format!("entry {} has no invoice, and was not cancelled", claim.reference);
            found.tell("entry-kept-for-its-invoice", of_claim(index, claim), says);
        }
    }
    for entry in &index.rows.entries {
        if let Some(why) = overfull(index, entry) {
            let name = entry.reference.as_ref().or(entry.invoice.as_ref());
            let claim = index.record.claims.iter().find(|claim| Some(&claim.reference) == entry.reference.as_ref());
            let about = claim.map(|claim| of_claim(index, claim)).unwrap_or_default();
            found.tell("entry-has-its-money", about, format!("entry {name:?}: {why}"));
        }
    }
}

/// What the lines come to, each by its own rate, and who it is for.
fn not_as_sold(index: &Index<'_>, row: &InvoiceRow, sale: &Sale) -> Option<String> {
    let expected: Vec<(String, i64, i64)> = sale
        .lines
        .iter()
        .map(|(gross, rate)| {
            // Half of the smallest coin goes up.
            let net = (2 * gross * 100 + 100 + rate).div_euclid(2 * (100 + rate));
            let tax = gross - net;
            (rate.to_string(), gross - tax, tax)
        })
        .collect();
    let near = |(one, other): (&(String, i64, i64), &(String, i64, i64))| {
        // Tax is taken out of the line: half a coin may fall on either side.
        one.0 == other.0 && one.1 + one.2 == other.1 + other.2 && (one.2 - other.2).abs() <= 1
    };
    let total: i64 = sale.lines.iter().map(|(gross, _)| gross).sum();
    let currency = index.order(Some(&sale.order)).map_or("", |order| order.currency);
    let same_lines = row.lines.len() == expected.len() && row.lines.iter().zip(&expected).all(near);
    let as_agreed = (row.total, row.currency.as_str(), &row.customer) == (total, currency, &sale.customer);
    (!as_agreed || !same_lines).then(|| {
        format!(
            "{} {} to {} of {:?}; sold were {expected:?} to {}",
            row.total, row.currency, row.customer, row.lines, sale.customer
        )
    })
}

/// Receivables of the customer against revenue and tax of each rate.
fn not_booked(row: &InvoiceRow) -> Option<String> {
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    let mut add = |account: String, minor: i64| *expected.entry(account).or_default() += minor;
    add(format!("Assets:Receivables:{}", row.customer), row.total);
    for (rate, net, tax) in &row.lines {
        add(format!("Income:Sales:{rate}"), -net);
        add(format!("Liabilities:OutputTax:{rate}"), -tax);
    }
    expected.retain(|_, minor| *minor != 0);
    let mut booked: BTreeMap<String, i64> = BTreeMap::new();
    for (account, minor) in &row.postings {
        *booked.entry(account.clone()).or_default() += minor;
    }
    (booked != expected).then(|| format!("booked are {booked:?}, and it comes to {expected:?}"))
}

/// What forbids it, and was known long before.
fn forbidden(index: &Index<'_>, row: &InvoiceRow, sale: &Sale) -> Option<String> {
    let at = moment(&row.finalised_at)?;
    // With a wrong clock nobody can tell what came first.
    let known =
        |told: Option<DateTime<Utc>>| index.record.clock_jumps == 0 && told.is_some_and(|told| told + A_RUN < at);
    let order = index.order(Some(&sale.order))?;
    if order.told.is_some_and(|told| told.cancelled != Cancelled::No) && known(order.told_at) {
        return Some(format!("{} was cancelled", sale.order));
    }
    let was_gone = |order: &str| index.record.deletions.iter().any(|gone| gone.order == order && gone.at <= at);
    if let Some(rival) = rivals(index, sale).find(|rival| known(rival.told_at) && !was_gone(&rival.order)) {
        return Some(format!("{} has its key, too", rival.order));
    }
    if let SaleKey::Entry(key) = &sale.key {
        let claims = || index.record.claims.iter().filter(|claim| claim.key == *key && claim.told_at.is_some());
        // One that went with a cancelled invoice is in nobody's way; where that one is billed again, another takes its place.
        let is_over = |claim: &Claim| corrections::ended_with(index, claim).is_some_and(|other| *other != row.number);
        let live: Vec<&Claim> = claims().filter(|claim| !known(claim.cancelled_at) && !is_over(claim)).collect();
        let is_again = live.is_empty() && claims().any(is_over);
        let certain = live.iter().filter(|claim| known(claim.told_at)).count();
        match live.first().filter(|_| certain < 2) {
            Some(claim) => {
                if let Some(why) = does_not_fit(claim, sale) {
                    return Some(why);
                }
            }
            None if is_again => {}
            None => return Some(format!("{certain} entries have its key, of {} that are not cancelled", live.len())),
        }
    }
    let paid = ever_tied(index, &row.number).max(charged(index, &sale.order));
    (index.record.bills_paid_only && paid < row.total).then(|| format!("{paid} of {} were paid", row.total))
}

fn does_not_fit(claim: &Claim, sale: &Sale) -> Option<String> {
    let total: i64 = sale.lines.iter().map(|(gross, _)| gross).sum();
    if claim.customer != sale.customer {
        return Some(format!("{} is of customer {}", claim.reference, claim.customer));
    }
    (claim.amount != total).then(|| format!("{} is over {}, and it costs {total}", claim.reference, claim.amount))
}

fn rivals<'i>(index: &'i Index<'_>, sale: &'i Sale) -> impl Iterator<Item = &'i Sale> {
    let has_it = |other: &&Sale| other.order != sale.order && other.key == sale.key && sale.key != SaleKey::Neither;
    index.record.sales.iter().filter(has_it)
}

/// What an entry has waits for its invoice; `payjournal leftovers` lists it.
pub(super) fn is_entrys(index: &Index<'_>, transaction: &Transaction) -> bool {
    let is_it = |claim: &&Claim| transaction.is_for == IsFor::Entry(claim.reference.clone());
    index.record.claims.iter().find(is_it).is_some_and(|claim| !claim.cancelled)
}

/// What was ever authorised for the order to be charged for its invoice, and what was paid beside it; nothing where all is paid before.
fn charged(index: &Index<'_>, order: &str) -> i64 {
    let is_charge = |of: &Transaction| of.trigger == Trigger::Invoice && of.authorised_at.is_some();
    let (charges, others): (Vec<_>, Vec<_>) =
        index.meant_for_order(order).filter(|(_, of)| of.told_at.is_some()).partition(|(_, of)| is_charge(of));
    if charges.is_empty() {
        return 0;
    }
    // How much it was before somebody changed it is not recorded.
    if charges.iter().any(|(_, of)| of.adjusted) {
        return i64::MAX;
    }
    let authorised = charges.iter().map(|(_, of)| of.authorised).sum::<i64>();
    authorised + others.iter().map(|(at, _)| money(index, *at).max(0)).sum::<i64>()
}

/// What paid an invoice, whatever became of it later.
fn ever_tied(index: &Index<'_>, number: &str) -> i64 {
    let ties = index.journals_for("invoice", number).iter();
    let ties = ties.filter(|row| row.direction == "original" && matches!(row.kind.as_str(), "application" | "receipt"));
    ties.map(|row| row.amount).sum()
}

/// An entry never has more than it is over, nor more of a transaction than that was ever captured for, nor of a stranger's.
fn overfull(index: &Index<'_>, entry: &EntryRow) -> Option<String> {
    let sum: i64 = entry.assignments.iter().map(|(_, minor)| minor).sum();
    // What a credit note cleared nobody pays any more.
    let due = entry.initial - entry.reduction;
    if sum != entry.assigned || entry.assigned > due || entry.assigned < 0 {
        return Some(format!("has {} of {due}, assigned were {sum}", entry.assigned));
    }
    let is_balanced = entry.status == "balanced";
    if entry.status != "cancelled" && is_balanced != (entry.assigned == due) {
        return Some(format!("is {} with {} of {due}", entry.status, entry.assigned));
    }
    let mut by_transaction: BTreeMap<&str, i64> = BTreeMap::new();
    for (transaction, minor) in &entry.assignments {
        *by_transaction.entry(transaction).or_default() += minor;
    }
    for (id, minor) in by_transaction {
        let Some((at, transaction)) = index.place(id).zip(index.transaction_named(id)) else {
            return Some(format!("{minor} are of {id}, which does not exist"));
        };
        let captured: i64 = index
            .of_kind(at, EffectKind::Capture)
            .filter(|done| was_confirmed(done.effect))
            .map(|done| index.recorded_amount(done))
            .sum();
        let own = match (&entry.reference, &transaction.is_for) {
            // One that the shop did not make is named after its invoice.
            (Some(reference), _) if Some(reference) == entry.invoice.as_ref() => true,
            (Some(reference), IsFor::Entry(named)) => reference == named,
            (Some(_), IsFor::Order | IsFor::Key(_)) => false,
            (None, _) => true,
        };
        // An order's own money may pay what its entry lacks, once there is an invoice.
        let is_free = !matches!(transaction.is_for, IsFor::Entry(_));
        let invoice = entry.invoice.as_deref().and_then(|number| index.invoice(number));
        let by_order = is_free && invoice.is_some_and(|invoice| invoice.order == transaction.order);
        let by_account = || invoice.is_some_and(|invoice| free_balances::may_pay(index, transaction, invoice));
        // Or one that takes the place of another, which went with a cancelled invoice of the same order.
        let given_back = || {
            invoice.is_some_and(|invoice| {
                corrections::gave_back(index, id, invoice) || corrections::was_for(index, transaction, invoice)
            })
        };
        if minor > captured || !(own || by_order || by_account() || given_back()) {
            return Some(format!(
                "{minor} are of {id}, of which {captured} were captured and which is for {:?}",
                transaction.is_for
            ));
        }
    }
    None
}

/// LIVENESS.
pub(super) fn check_at_rest(index: &Index<'_>, found: &mut Found) {
    for sale in index.record.sales.iter().filter(|sale| sale.told_at.is_some()) {
        let stands = |row: &&InvoiceRow| row.order == sale.order && !corrections::is_cancelled(index, &row.number);
        match index.rows.invoices.iter().find(stands) {
            None => {
                if let Some(why) = unbilled(index, sale) {
                    found.tell("billed-or-told", of_order(&sale.order), why);
                }
            }
            Some(row) => {
                if let Some(why) = unmailed(index, sale, row) {
                    found.tell("invoice-mailed", of_order(&sale.order), format!("{}: {why}", row.number));
                }
            }
        }
    }
    // The entry of an order that is deleted is cancelled with it.
    let is_gone = |claim: &Claim| {
        let of_key = |sale: &&Sale| sale.key == SaleKey::Entry(claim.key.clone());
        index.record.sales.iter().filter(of_key).any(|sale| index.record.is_gone(&sale.order))
    };
    for claim in index.record.claims.iter().filter(|claim| claim.told_at.is_some() && !is_gone(claim)) {
        if let Some(why) = not_assigned(index, claim) {
            found.tell("entry-assigned", of_claim(index, claim), format!("entry {}: {why}", claim.reference));
        }
    }
    for (posted, lacking) in paid_by_entry_alone(index) {
        let says = format!("{} lacks {lacking}, and its entry is balanced", posted.number);
        found.tell("entry-pays-its-invoice", About::of_document(posted), says);
    }
}

/// Invoices that lack something, and the ERP knows it, although nothing is open of their entries but what was credited.
fn paid_by_entry_alone<'a>(index: &Index<'a>) -> impl Iterator<Item = (&'a Posted, i64)> {
    index.rows.entries.iter().filter(|entry| entry.status == "balanced").filter_map(|entry| {
        let posted = index.invoice(entry.invoice.as_deref()?)?;
        let journals = index.journals_for(posted.kind, &posted.number);
        let opens = |row: &JournalRow| (row.kind == "reopening") == (row.direction == "original");
        let mut paid: BTreeMap<&str, i64> = BTreeMap::new();
        for row in journals {
            let of = index.booking(row.movement).map_or("", |booking| booking.movement.transaction.as_str());
            // What was refunded of money that was charged back, too, went back twice: the invoice lacks it in the books alone.
            let is_twice = row.kind == "reopening" && index.place(of).is_some_and(|at| is_disputed(index, at));
            let signed = if opens(row) { -row.amount } else { row.amount };
            *paid.entry(of).or_default() += if is_twice { 0 } else { signed };
        }
        // What was paid back of a capture that failed then is no part of the invoice.
        let paid: i64 = paid.into_values().map(|minor| minor.max(0)).sum();
        let lacking = posted.total - posted.by_hand.max(posted.told_by_hand) - paid;
        let is_known = journals.iter().filter(|row| opens(row)).all(|row| {
            let deliveries = index.deliveries_of_journal(&row.number);
            deliveries.iter().any(|operation| operation.state == "confirmed")
        });
        let is_short = lacking > entry.reduction && is_known && !corrections::is_cancelled(index, &posted.number);
        is_short.then_some((posted, lacking))
    })
}

/// What a deleted order leaves to the one that has its key. An entry of the key may have been cancelled with it.
fn inherited(index: &Index<'_>, sale: &Sale, gone: &Sale) -> Option<String> {
    let SaleKey::Payment(key) = &sale.key else { return None };
    let mut left = index.meant_for_order(&gone.order).filter(|(_, one)| one.is_for == IsFor::Key(key.clone()));
    let (_, one) = left.find(|(_, one)| is_usable(one) && !heirs::inherits(index, &sale.order, one))?;
    Some(format!("{} has its key and is of {}, and nobody was told", one.id, gone.order))
}

/// Confirmed and kept: captured, and not given back.
fn money(index: &Index<'_>, at: usize) -> i64 {
    let sum = |kind| -> i64 {
        let stands = index.of_kind(at, kind).filter(|done| done.effect.state == EffectState::Confirmed);
        stands.map(|done| index.recorded_amount(done)).sum()
    };
    sum(EffectKind::Capture) - sum(EffectKind::Refund)
}

/// What payjournal paid back for credit notes.
fn credited(index: &Index<'_>, at: usize) -> i64 {
    let is_note = |done: &Done<'_>| {
        let document = done.effect.ours().and_then(|asked| asked.document.as_ref());
        done.effect.state == EffectState::Confirmed && document.is_some_and(|document| document.0 == "credit_note")
    };
    let notes = index.of_kind(at, EffectKind::Refund).filter(is_note);
    notes.map(|done| index.recorded_amount(done)).sum()
}

fn is_disputed(index: &Index<'_>, at: usize) -> bool {
    index.effects_of(at).iter().any(|done| done.effect.kind.is_dispute())
}

fn is_usable(transaction: &Transaction) -> bool {
    transaction.told_at.is_some() && !matches!(transaction.status, "refused" | "cancelled" | "expired")
}

/// Why an order should have its invoice, or a person should have been told why not.
fn unbilled(index: &Index<'_>, sale: &Sale) -> Option<String> {
    let order = index.order(Some(&sale.order))?;
    // Of what is deleted nothing is billed.
    if order.told?.cancelled != Cancelled::No || index.record.is_gone(&sale.order) {
        return None;
    }
    let told = |kind: &str| {
        index.told_of_order(&sale.order).iter().any(|row| row.kind == kind && tells(index, row.id, &row.state))
    };
    // What is authorised and cannot be charged is told before anything else is looked at.
    if index.record.bills_paid_only && charged(index, &sale.order) > 0 && told("not_billable") {
        return None;
    }
    let expects = |kind: &str, why: String| (!told(kind)).then_some(why);
    let (gone, living): (Vec<&Sale>, Vec<&Sale>) = rivals(index, sale)
        .filter(|rival| rival.told_at.is_some())
        .partition(|rival| index.record.is_gone(&rival.order));
    if let Some(rival) = living.first() {
        return expects("key_collides", format!("{} has its key, too, and nobody was told", rival.order));
    }
    if let Some(rival) = gone.first() {
        return inherited(index, sale, rival).and_then(|why| expects("key_mismatch", why));
    }
    let total: i64 = sale.lines.iter().map(|(gross, _)| gross).sum();
    let of_it: Vec<(usize, &Transaction)> =
        index.meant_for_order(&sale.order).filter(|(_, of)| is_usable(of)).collect();
    let mut wrong = None;
    let mut limit = i64::MAX;
    match &sale.key {
        SaleKey::Entry(key) => {
            let claims = || index.record.claims.iter().filter(|claim| claim.key == *key && claim.told_at.is_some());
            let is_over = |claim: &Claim| corrections::ended_with(index, claim).is_some();
            let live: Vec<&Claim> = claims().filter(|claim| !claim.cancelled && !is_over(claim)).collect();
            match live.as_slice() {
                [] if claims().any(is_over) => {}
                [] if claims().next().is_none() => return None,
                [] => return expects("key_mismatch", "its entry is cancelled, and nobody was told".to_owned()),
                [claim] => {
                    wrong = does_not_fit(claim, sale);
                    limit = claim.amount;
                }
                _ => return expects("key_collides", "several entries have its key, and nobody was told".to_owned()),
            }
        }
        SaleKey::Payment(_) if of_it.len() > 1 => {
            return expects("key_collides", "several payments have its key, and nobody was told".to_owned());
        }
        SaleKey::Payment(_) | SaleKey::Neither => {}
    }
    // Of what is disputed nobody knows yet whose it will be.
    if of_it.iter().any(|(at, _)| is_disputed(index, *at)) {
        return None;
    }
    let there = |at: usize, of: &Transaction| (money(index, at) - corrections::wanted_back(index, &of.id)).max(0);
    let paid = of_it.iter().map(|(at, of)| there(*at, of)).sum::<i64>().min(limit);
    // What still stands authorised is charged for it.
    let stands = of_it.iter().filter(|(_, of)| of.trigger == Trigger::Invoice && of.status == "authorised");
    let charged: i64 = stands.map(|(at, of)| of.authorised - money(index, *at).max(0)).sum();
    if index.record.bills_paid_only && paid + charged < total {
        return None;
    }
    match wrong {
        Some(why) => expects("key_mismatch", format!("{why}, and nobody was told")),
        None => Some(format!("it costs {total}, {paid} are paid, and it has no invoice")),
    }
}

/// Open, or a person has called it dealt with.
fn tells(index: &Index<'_>, id: i64, state: &str) -> bool {
    state != "resolved" || index.record.resolved.contains(&id)
}

fn unmailed(index: &Index<'_>, sale: &Sale, row: &InvoiceRow) -> Option<String> {
    if sale.email {
        return row.mail.is_none().then(|| "nobody was written to".to_owned());
    }
    let name = ("invoice", row.number.as_str());
    let mut told = index.told_of_document(name.0, name.1).iter();
    let told = told.any(|row| row.kind == "invoice_not_sent" && tells(index, row.id, &row.state));
    (row.mail.is_some() || !told)
        .then(|| format!("its customer has no address; it is mailed as {:?}, told: {told}", row.mail))
}

/// An entry has what was captured for it and not given back, up to what it is over.
fn not_assigned(index: &Index<'_>, claim: &Claim) -> Option<String> {
    let Some(row) = index.rows.entries.iter().find(|row| row.reference.as_ref() == Some(&claim.reference)) else {
        return Some("is not in the ledger".to_owned());
    };
    // It is over with its invoice; another has taken its place, or will.
    let invoice = row.invoice.as_deref().and_then(|number| index.invoice(number));
    if invoice.is_some_and(|invoice| invoice.cancelled_at.is_some()) {
        return None;
    }
    // It may have what a cancelled invoice of the order gave back, whatever that was paid for.
    let gave = |invoice: &Posted| row.assignments.iter().any(|(id, _)| corrections::gave_back(index, id, invoice));
    let was_for = |invoice: &Posted| {
        let others = row.assignments.iter().filter_map(|(id, _)| index.transaction_named(id));
        others.filter(|of| corrections::was_for(index, of, invoice)).count() > 0
    };
    if invoice.is_some_and(|invoice| gave(invoice) || was_for(invoice)) {
        return None;
    }
    if claim.cancelled {
        return (row.status != "cancelled" || row.assigned != 0)
            .then(|| format!("is {} with {}", row.status, row.assigned));
    }
    let named = IsFor::Entry(claim.reference.clone());
    let of_it: Vec<usize> = index
        .record
        .transactions
        .iter()
        .enumerate()
        .filter(|(_, transaction)| transaction.is_for == named && transaction.told_at.is_some())
        .map(|(at, _)| at)
        .collect();
    // What failed or went back of one of several payments may leave room that another one came too early for.
    let is_plain = |at: &usize| {
        !is_disputed(index, *at)
            && index.of_kind(*at, EffectKind::Refund).next().is_none()
            && index.effects_of(*at).iter().all(|done| done.effect.is_live())
    };
    // What a credit note cleared nobody pays, and what it paid back leaves its invoice paid.
    let kept = |at: &usize| money(index, *at) + credited(index, *at);
    let expected = of_it.iter().map(kept).sum::<i64>().clamp(0, claim.amount - row.reduction);
    // What a person gave back of it before its capture was heard of is told apart from the invoice, which stays paid.
    let is_charged = |at: &usize| {
        index.record.transactions.get(*at).is_some_and(|of| of.trigger == Trigger::Invoice)
            && index.of_kind(*at, EffectKind::Refund).any(|done| done.effect.ours().is_none())
    };
    // And what a PSP paid back on request after its no, beside the next attempt.
    let is_late = |at: &usize| index.of_kind(*at, EffectKind::Refund).any(|done| done.effect.after_no);
    if of_it.iter().any(|at| is_charged(at) || is_late(at)) {
        return None;
    }
    let wrong = if of_it.iter().all(is_plain) {
        row.assigned != expected
    } else {
        row.assigned > expected && of_it.len() == 1 && !is_disputed(index, of_it.first().copied().unwrap_or_default())
    };
    wrong.then(|| format!("has {} of {}; captured for it and kept are {expected}", row.assigned, claim.amount))
}
