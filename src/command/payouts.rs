//! `list payouts`, `list lines` and `list orders`: what the PSPs say they paid out, for what, and what is not as it should be.

use std::io::Write;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::table::table;
use crate::cli::{ListLines, ListOrders, ListPayouts};
use crate::config::Settings;
use crate::domain::id::OrderId;
use crate::domain::money::Amount;
use crate::domain::settlement::proof::{Proof, ProofState};
use crate::domain::settlement::state::{Settlement, SettlementState};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::settlements::{About, LineFilter, ListedLine, PayoutOverview, Rehearsed, SettledOrder};
use crate::run::{look_at_ledger, refused};

pub fn list_payouts(args: &ListPayouts, settings: &Settings, json: bool, out: &mut dyn Write) -> Result<Exit> {
    let ledger = look_at_ledger(settings)?;
    let mut payouts = ledger.payouts().map_err(refused)?;
    payouts.retain(|payout| {
        let is = |given: &Option<String>, has: &str| given.as_ref().is_none_or(|given| given == has);
        is(&args.provider, payout.provider.as_str())
            && is(&args.payout, &payout.reference)
            && (!args.open || payout.state != ProofState::Closed)
    });
    if json {
        print(json!({"payouts": payouts}), out)
    } else if payouts.is_empty() {
        say("no payouts", out)
    } else {
        say(&as_table(payouts.iter()), out)
    }
}

pub fn list_lines(args: &ListLines, settings: &Settings, json: bool, out: &mut dyn Write) -> Result<Exit> {
    let ledger = look_at_ledger(settings)?;
    let filter = LineFilter {
        line: None,
        payout: args.payout.clone(),
        transaction: args.transaction.clone(),
        shop: None,
        order: args.order.clone(),
        is_unmatched: args.unmatched,
        is_unknown: args.unknown,
        limit: args.limit,
    };
    let lines = ledger.lines(&filter).map_err(refused)?;
    if json {
        print(json!({"lines": lines}), out)
    } else if lines.is_empty() {
        say("no lines", out)
    } else {
        let rows = lines.iter().map(row).collect();
        say(&table(&LINE_HEADERS, rows), out)
    }
}

pub fn list_orders(
    args: &ListOrders,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    const AT_ONCE: u32 = 10_000;
    let ledger = look_at_ledger(settings)?;
    let mut found: Vec<(SettledOrder, SettlementState)> = Vec::new();
    let most = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut after = OrderId(0);
    while found.len() < most {
        let orders = ledger.settled_orders(after, AT_ONCE).map_err(refused)?;
        let Some(last) = orders.last() else { break };
        after = last.id;
        for order in orders {
            let state = state(&order, settings, now);
            if let Some(state) = state.filter(|state| is_wanted(*state, &args.state)) {
                found.push((order, state));
            }
        }
    }
    found.truncate(most);
    if json {
        let orders: Vec<_> = found.iter().map(|(order, state)| order_json(order, *state)).collect();
        return print(json!({"orders": orders}), out);
    }
    if found.is_empty() {
        return say("no orders", out);
    }
    let rows = found.iter().map(|(order, state)| {
        let Settlement { sold, refunded, disputed, lines, .. } = order.settled;
        let currency = order.booked.currency();
        vec![
            format!("{}/{}", order.shop, order.number),
            state.as_str().to_owned(),
            order.booked.to_string(),
            format!("{sold} {currency}"),
            format!("{refunded} {currency}"),
            format!("{disputed} {currency}"),
            lines.to_string(),
        ]
    });
    let headers = ["order", "settlement", "booked", "sold", "refunded", "disputed", "lines"];
    say(&table(&headers, rows.collect()), out)
}

/// What a person should look at, unless others were asked for.
fn is_wanted(state: SettlementState, given: &[SettlementState]) -> bool {
    match state {
        SettlementState::Expected | SettlementState::Settled => given.contains(&state),
        SettlementState::Missing
        | SettlementState::Over
        | SettlementState::Under
        | SettlementState::CurrencyMismatch
        | SettlementState::Disputed => given.is_empty() || given.contains(&state),
    }
}

/// `None` where no money moved, or its provider has no reports.
pub(super) fn state(order: &SettledOrder, settings: &Settings, now: DateTime<Utc>) -> Option<SettlementState> {
    let provider = order.provider.as_ref().and_then(|name| settings.providers.get(name));
    let within = provider.and_then(|provider| provider.reports.as_ref()).map(|reports| reports.expected_after_days);
    if within.is_none() && order.settled.lines == 0 {
        return None;
    }
    let within = within.map_or(TimeDelta::zero(), |days| TimeDelta::days(i64::from(days)));
    SettlementState::of(order.booked, order.moved_at, &order.settled, within, now)
}

pub(super) fn order_json(order: &SettledOrder, state: SettlementState) -> Value {
    let Settlement { sold, refunded, disputed, lines, other_currency } = order.settled;
    json!({
        "shop": order.shop, "number": order.number, "state": state, "booked": order.booked,
        "sold": sold.to_string(), "refunded": refunded.to_string(), "disputed": disputed.to_string(),
        "lines": lines, "lines_in_other_currency": other_currency,
    })
}

pub(super) const LINE_HEADERS: [&str; 10] =
    ["line", "kind", "payout", "transaction", "reference", "gross", "fees", "net", "order", "by"];

pub(super) fn row(line: &ListedLine) -> Vec<String> {
    vec![
        line.line.clone(),
        line.kind.as_str().to_owned(),
        line.payout.clone(),
        line.transaction.clone(),
        line.reference.clone(),
        line.gross.as_ref().map_or_else(String::new, ToString::to_string),
        line.fees.to_string(),
        line.net.to_string(),
        line.order.clone().unwrap_or_default(),
        line.rule.map_or_else(|| "-".to_owned(), |rule| rule.to_string()),
    ]
}

/// A row for each payout and currency.
pub fn as_table<'p>(payouts: impl Iterator<Item = &'p PayoutOverview>) -> String {
    let headers =
        ["provider", "payout", "lines", "by id", "by ref", "no order", "unknown", "gross", "fees", "paid out", "proof"];
    let mut rows = Vec::new();
    for payout in payouts {
        let counts = payout.lines;
        for (nth, proof) in payout.proofs.iter().enumerate() {
            let first = |text: String| if nth == 0 { text } else { String::new() };
            let reference = if payout.reference.is_empty() { "not yet" } else { &payout.reference };
            rows.push(vec![
                first(format!("{}/{}", payout.provider, payout.merchant_account)),
                first(reference.to_owned()),
                first(counts.all.to_string()),
                first(counts.by_transaction.to_string()),
                first(counts.by_reference.to_string()),
                first((counts.unmatched + counts.ambiguous).to_string()),
                first(counts.unknown.to_string()),
                format!("{} {}", proof.gross, proof.currency),
                format!("{} {}", proof.fees, proof.currency),
                format!("{} {}", proof.paid_out, proof.currency),
                verdict(proof),
            ]);
        }
    }
    table(&headers, rows)
}

/// What a dry run would learn, by kind, and book, by account.
pub fn rehearsed_table(rehearsed: &Rehearsed) -> String {
    let rows = rehearsed.sums.iter().map(|sum| {
        let amount = |amount: Amount| if amount.is_zero() { String::new() } else { amount.to_string() };
        vec![sum.about.to_string(), sum.name.clone(), sum.count.to_string(), amount(sum.debit), amount(sum.credit)]
    });
    table(&["would be", "kind or account", "rows", "sum, debit", "credit"], rows.collect())
}

/// The same as a script reads it, row by row.
pub fn rehearsed_json(rehearsed: &Rehearsed) -> [(String, Value); 5] {
    let Rehearsed { facts, facts_left_out, bookings, bookings_left_out, sums } = rehearsed;
    let sums: Vec<_> = sums.iter().filter(|sum| sum.about == About::Account).collect();
    [
        ("facts", json!(facts)),
        ("facts_left_out", json!(facts_left_out)),
        ("bookings", json!(bookings)),
        ("bookings_left_out", json!(bookings_left_out)),
        ("booked", json!(sums)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

fn verdict(proof: &Proof) -> String {
    match proof.state {
        ProofState::Closed if !proof.failed.is_zero() => format!("failed, {} carried on", proof.failed),
        ProofState::Closed if proof.rounding.is_zero() => "adds up".to_owned(),
        ProofState::Closed => format!("adds up, rounding {}", proof.rounding),
        ProofState::Open => "not paid out yet".to_owned(),
        ProofState::Remainder if !proof.unexplained.is_zero() => format!("{} not explained", proof.unexplained),
        ProofState::Remainder if proof.unknown_lines > 0 => {
            format!("{} left over, {} unknown", proof.remainder, proof.unknown_lines)
        }
        ProofState::Remainder => format!("{} left over", proof.remainder),
    }
}

fn print(mut document: Value, out: &mut dyn Write) -> Result<Exit> {
    if let Some(object) = document.as_object_mut() {
        object.insert("schema".to_owned(), json!("payjournal/list/1"));
        object.insert("outcome".to_owned(), json!(Exit::Done.outcome()));
        object.insert("exit_code".to_owned(), json!(Exit::Done.code()));
    }
    say(&format!("{document:#}"), out)
}

fn say(text: &str, out: &mut dyn Write) -> Result<Exit> {
    writeln!(out, "{text}").context("the list cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}
