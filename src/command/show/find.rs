//! Finds the one thing a number means, or says which ones it could mean.

use crate::cli::LineName;
use crate::domain::document::Document;
use crate::domain::entry::Entry;
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::failure::Failure;
use crate::ledger::{Ledger, LedgerError, Named};
use crate::run::refused;

/// Numbers looked through for the one that was meant.
const CANDIDATES: u32 = 20_000;

pub(in crate::command) fn order(ledger: &Ledger, id: &str) -> Result<Order, Failure> {
    let numbered = |number: &str| ledger.orders_numbered(number)?.into_iter().map(|id| ledger.order(id)).collect();
    let names = |order: &Order| vec![order.number.to_string(), format!("{}/{}", order.shop, order.number)];
    one("order", id, numbered, names)?.ok_or_else(|| unknown(ledger, Named::Order, "order", id))
}

pub(in crate::command) fn payment(ledger: &Ledger, id: &str) -> Result<Payment, Failure> {
    let names = |payment: &Payment| {
        let Payment { provider, merchant_account, transaction, .. } = payment;
        vec![
            transaction.to_string(),
            format!("{provider}/{transaction}"),
            format!("{provider}/{merchant_account}/{transaction}"),
        ]
    };
    one("payment", id, |transaction| ledger.payments_with_transaction(transaction), names)?
        .ok_or_else(|| unknown(ledger, Named::Payment, "payment", id))
}

pub(in crate::command) fn document(ledger: &Ledger, id: &str) -> Result<Document, Failure> {
    let names = |document: &Document| {
        let Document { company, number, .. } = document;
        let kind = document.kind.as_str();
        vec![
            number.to_string(),
            format!("{kind}/{number}"),
            format!("{company}/{number}"),
            format!("{company}/{kind}/{number}"),
        ]
    };
    one("document", id, |number| ledger.documents_numbered(number), names)?
        .ok_or_else(|| unknown(ledger, Named::Document, "document", id))
}

/// By its reference; one that an invoice made has a number only.
pub(super) fn entry(ledger: &Ledger, id: &str) -> Result<Entry, Failure> {
    let names =
        |entry: &Entry| vec![entry.reference.as_ref().map_or_else(|| entry.id.to_string(), ToString::to_string)];
    one("entry", id, |name| ledger.entries_called(name), names)?
        .ok_or_else(|| unknown(ledger, Named::Entry, "entry", id))
}

/// The only thing that has `id` among its `names`, the last of which is unique. A number may hold a slash itself, so each
/// could be where the number begins.
fn one<T>(
    what: &str,
    id: &str,
    numbered: impl Fn(&str) -> Result<Vec<T>, LedgerError>,
    names: impl Fn(&T) -> Vec<String>,
) -> Result<Option<T>, Failure> {
    let mut found = Vec::new();
    let tails = id.match_indices('/').filter_map(|(at, slash)| id.get(at + slash.len()..));
    for number in std::iter::once(id).chain(tails) {
        found.extend(
            numbered(number).map_err(refused)?.into_iter().filter(|item| names(item).iter().any(|name| name == id)),
        );
    }
    if found.len() > 1 {
        let ambiguous = Failure::usage(format!("`{id}` is the number of {} {what}s", found.len()));
        let full = found.iter().filter_map(|item| names(item).pop());
        return Err(full.fold(ambiguous, |failure, name| failure.hint(format!("payjournal show {what} '{name}'"))));
    }
    Ok(found.pop())
}

fn unknown(ledger: &Ledger, named: Named, what: &str, id: &str) -> Failure {
    let failure = Failure::usage(format!("the ledger knows no {what} `{id}`"));
    // Only a hint: that it cannot be found changes nothing about the failure.
    let known = ledger.newest_names(named, CANDIDATES).unwrap_or_default();
    match nearest(id, &known) {
        Some(near) => failure.hint(format!("the nearest is `{near}`")),
        None if known.is_empty() => failure.hint(format!("there is no {what} yet; `payjournal import` brings them in")),
        None => failure.hint("`payjournal status` lists what is pending and what needs a person"),
    }
}

fn nearest<'n>(id: &str, names: &'n [String]) -> Option<&'n str> {
    let number = id.rsplit_once('/').map_or(id, |(_, number)| number);
    let budget = number.chars().count().div_euclid(3).clamp(1, 3);
    names
        .iter()
        // A cheap bound first: as many edits as the lengths differ are needed anyway.
        .filter(|name| name.len().abs_diff(number.len()) <= 4 * budget)
        .map(|name| (strsim::damerau_levenshtein(number, name), name.as_str()))
        .filter(|(distance, _)| *distance <= budget)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// There is no settlement line of this name.
pub(in crate::command) fn no_line(line: LineName) -> Failure {
    Failure::usage(format!("there is no settlement line {line}"))
        .hint("`payjournal list lines` shows each line with its FILE:NUMBER")
}
