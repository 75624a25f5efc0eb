//! The account of each customer that payjournal bills: what was invoiced and not credited, less what was paid and not paid back.

use std::collections::{BTreeMap, BTreeSet};

use crate::simulate::record::{EffectKind, EffectState, IsFor, SaleKey, Transaction};

use super::index::{Done, Index};
use super::{About, Found};

/// In a currency.
type Account<'a> = (&'a str, &'a str);

/// LIVENESS: receivables and prepayments together, disputed ones too, are what the worlds' own records say.
pub(super) fn check_at_rest(index: &Index<'_>, found: &mut Found) {
    if index.record.sales.is_empty() {
        return;
    }
    let (booked, owed) = (booked(index), owed(index));
    let mixed = mixed(index);
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let accounts: BTreeSet<&Account<'_>> = booked.keys().chain(owed.keys()).collect();
    for account in accounts {
        let (books, world) =
            (booked.get(account).copied().unwrap_or_default(), owed.get(account).copied().unwrap_or_default());
        let sum = sums.entry(account.1).or_default();
        *sum = (sum.0 + books, sum.1 + world);
        if books != world && !mixed.contains(account) && !account.0.is_empty() && is_customer(index, account.0) {
            tell(found, &format!("customer {}", account.0), account.1, books, world);
        }
    }
    for (currency, (books, world)) in sums {
        if books != world {
            tell(found, "all customers together", currency, books, world);
        }
    }
}

fn tell(found: &mut Found, who: &str, currency: &str, books: i64, world: i64) {
    let says = format!("the account of {who} in {currency} is {books}; invoiced and paid it is {world}");
    found.tell("customer-account", About::default(), says);
}

fn is_customer(index: &Index<'_>, name: &str) -> bool {
    index.record.sales.iter().any(|sale| sale.customer == name)
}

/// By the postings.
fn booked<'a>(index: &Index<'a>) -> BTreeMap<Account<'a>, i64> {
    let mut balances: BTreeMap<Account<'a>, i64> = BTreeMap::new();
    let journals = index.rows.journals.iter().map(|row| (row.currency.as_str(), &row.postings));
    let invoices = index.rows.invoices.iter().map(|row| (row.currency.as_str(), &row.postings));
    let corrections = index.rows.corrections.iter().map(|row| (row.currency.as_str(), &row.postings));
    for (currency, postings) in journals.chain(invoices).chain(corrections) {
        for (account, minor) in postings {
            let names = ["Assets:Receivables:Disputed:", "Assets:Receivables:", "Liabilities:Prepayments:"];
            if let Some(customer) = names.iter().find_map(|name| account.strip_prefix(name)) {
                *balances.entry((customer, currency)).or_default() += minor;
            }
        }
    }
    balances
}

/// By what was sold and billed, taken back, and moved at the PSPs.
fn owed<'a>(index: &Index<'a>) -> BTreeMap<Account<'a>, i64> {
    let mut balances: BTreeMap<Account<'a>, i64> = BTreeMap::new();
    let sale = |order: &str| index.record.sales.iter().find(|sale| sale.order == order);
    for row in &index.rows.invoices {
        let Some((sale, order)) = sale(&row.order).zip(index.order(Some(&row.order))) else { continue };
        let total: i64 = sale.lines.iter().map(|(gross, _)| gross).sum();
        *balances.entry((&sale.customer, order.currency)).or_default() += total;
    }
    for row in &index.rows.corrections {
        let Some((sale, order)) = sale(&row.order).zip(index.order(Some(&row.order))) else { continue };
        *balances.entry((&sale.customer, order.currency)).or_default() -= row.total;
    }
    for (place, effect) in index.record.effects.iter().enumerate() {
        let Some(transaction) = index.transaction(effect).filter(|one| one.told_at.is_some()) else { continue };
        if effect.state != EffectState::Confirmed {
            continue;
        }
        let amount = index.recorded_amount(Done { place, effect });
        let signed = match effect.kind {
            EffectKind::Capture => -amount,
            EffectKind::Refund => amount,
            EffectKind::Chargeback | EffectKind::WonBack | EffectKind::SecondChargeback => {
                effect.kind.disputed(effect.amount)
            }
            EffectKind::Release => 0,
        };
        *balances.entry((payer(index, transaction), transaction.currency)).or_default() += signed;
    }
    balances
}

/// Whose money it is, by its order or its entry; nobody's where it has only a key.
fn payer<'a>(index: &Index<'a>, transaction: &'a Transaction) -> &'a str {
    let of_order = || {
        let mut sales = index.record.sales.iter();
        sales.find(|sale| Some(&sale.order) == transaction.order.as_ref()).map(|sale| sale.customer.as_str())
    };
    let customer = match &transaction.is_for {
        IsFor::Entry(reference) if transaction.is_anonymous => {
            let mut claims = index.record.claims.iter();
            let claim = claims.find(|claim| claim.reference == *reference).map(|claim| claim.customer.as_str());
            // Or an entry of payjournal, whose page it was paid on.
            claim.or_else(of_order)
        }
        IsFor::Key(_) if transaction.is_anonymous => None,
        IsFor::Entry(_) | IsFor::Key(_) | IsFor::Order => of_order(),
    };
    customer.unwrap_or_default()
}

/// Accounts of customers who paid by a key and nothing else: that money came to the account of nobody, and pays their invoices from there.
fn mixed<'a>(index: &Index<'a>) -> BTreeSet<Account<'a>> {
    let by_key = index.record.transactions.iter().filter(|one| one.is_anonymous && one.told_at.is_some());
    let keys = by_key.filter_map(|one| match &one.is_for {
        IsFor::Key(key) => Some((SaleKey::Payment(key.clone()), one.currency)),
        IsFor::Entry(_) | IsFor::Order => None,
    });
    let customers = |(key, currency): (SaleKey, &'static str)| {
        let of_key = index.record.sales.iter().filter(move |sale| sale.key == key);
        of_key.map(move |sale| (sale.customer.as_str(), currency))
    };
    keys.flat_map(customers).collect()
}
