//! What was paid out: each line once, as it was reported, to its order, and in the books.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Index;
use super::{About, Found};
use crate::ledger::rows::{LineRow, PayoutRow};
use crate::simulate::record::{EffectKind, PaidOut};

/// As the ledger numbers them.
const SALE: i64 = 1;
const REFUND: i64 = 2;
const CHARGEBACK: i64 = 4;
const SECOND_CHARGEBACK: i64 = 5;
const CHARGEBACK_REVERSED: i64 = 6;
const FEE: i64 = 8;
const RESERVE_HELD: i64 = 10;
const RESERVE_RELEASED: i64 = 11;
const PAID: i64 = 15;

/// A line as it must be: kind, transaction, modification, gross and net in millionths.
type Line = (i64, String, String, i64, i64);

/// SAFETY.
pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    let reported: BTreeMap<&str, BTreeSet<Line>> =
        index.record.payouts.iter().map(|payout| (payout.reference.as_str(), lines_of(index, payout))).collect();
    let mut seen: BTreeSet<(&str, i64, &str)> = BTreeSet::new();
    let mut known: BTreeMap<&str, Vec<&LineRow>> = BTreeMap::new();
    for row in &index.rows.lines {
        known.entry(row.payout.as_str()).or_default().push(row);
        let is_reported = reported.get(row.payout.as_str()).is_some_and(|lines| lines.contains(&of_row(row)));
        if !is_reported {
            let says = format!("no PSP reported line {} of payout {}: {row:?}", row.modification, row.payout);
            found.tell("line-as-reported", about(&row.transaction), says);
        }
        if !seen.insert((row.provider.as_str(), row.kind, row.modification.as_str())) {
            let says = format!("line {} of payout {} is there twice", row.modification, row.payout);
            found.tell("settlement-line-once", about(&row.transaction), says);
        }
    }
    for row in index.rows.payouts.iter().filter(|row| row.state == "closed") {
        let lines = known.get(row.reference.as_str()).map_or(&[][..], Vec::as_slice);
        if let Some(payout) = index.record.payouts.iter().find(|payout| payout.reference == row.reference) {
            closed(row, lines, payout, found);
        }
    }
    settled(index, false, found);
}

/// LIVENESS.
pub(super) fn check_at_rest(index: &Index<'_>, found: &mut Found) {
    for payout in &index.record.payouts {
        let row = index.rows.payouts.iter().find(|row| row.reference == payout.reference);
        if row.is_none_or(|row| row.state != "closed") {
            let says =
                format!("payout {} is {} in the ledger", payout.reference, row.map_or("not", |row| row.state.as_str()));
            found.tell("payout-known", About::default(), says);
        }
        let known = index.rows.lines.iter().filter(|row| row.payout == payout.reference).count();
        let lines = lines_of(index, payout).len();
        if known != lines {
            let says = format!("payout {} has {known} of {lines} lines in the ledger", payout.reference);
            found.tell("payout-known", About::default(), says);
        }
    }
    settled(index, true, found);
}

/// The known lines of a closed payout add up, but for half a smallest unit each (lines that come to nothing together may still be
/// missing: nobody can see that), and have taken from clearing what they are over, and nothing else.
fn closed(row: &PayoutRow, lines: &[&LineRow], payout: &PaidOut, found: &mut Found) {
    let unit = unit(payout.currency);
    let left: i64 = lines.iter().map(|line| line.net).sum();
    if 2 * left.abs() > unit * i64::try_from(lines.len()).unwrap_or(0) {
        let says = format!("payout {} is closed, and {left} millionths are left over", row.reference);
        found.tell("payout-closed-adds-up", About::default(), says);
    }
    let gross: i64 = lines.iter().map(|line| line.gross).sum();
    let booked: i64 = row.clearing.iter().map(|(_, minor)| minor).sum();
    let is_of_currency = row.clearing.iter().all(|(currency, _)| currency == payout.currency);
    if booked * unit != -gross || !is_of_currency {
        let says = format!(
            "payout {} is over {gross} millionths of {}, and its journals leave {:?} on clearing",
            row.reference, payout.currency, row.clearing
        );
        found.tell("payout-booked", About::default(), says);
    }
}

/// What was settled for an order is what was paid out for its payments: never more, and at last all of it.
fn settled(index: &Index<'_>, at_rest: bool, found: &mut Found) {
    let mut paid: BTreeMap<&str, [i64; 2]> = BTreeMap::new();
    for (payout, line) in
        index.record.payouts.iter().flat_map(|payout| payout.lines.iter().map(move |line| (payout, line)))
    {
        let Some(effect) = index.record.effects.get(line.effect) else { continue };
        let Some(transaction) = index.transaction(effect).filter(|transaction| transaction.told_at.is_some()) else {
            continue;
        };
        // A payment of invoices is their order's.
        let mut of_invoices = transaction.pays.iter().filter_map(|number| index.invoice(number)?.order.as_deref());
        let own = transaction.order.as_deref().filter(|_| index.names_its_order(transaction));
        let Some(order) = own.or_else(|| of_invoices.next()) else { continue };
        let [sold, refunded] = paid.entry(order).or_default();
        let micros = line.gross * unit(payout.currency);
        match effect.kind {
            EffectKind::Capture => *sold += micros,
            EffectKind::Refund | EffectKind::Release => *refunded += micros,
            EffectKind::Chargeback | EffectKind::WonBack | EffectKind::SecondChargeback => {}
        }
    }
    let mut rows: BTreeMap<&str, [i64; 2]> =
        index.rows.settled.iter().map(|row| (row.order.as_str(), [row.sold, row.refunded])).collect();
    for (order, [sold, refunded]) in &paid {
        let [settled, given_back] = rows.remove(order).unwrap_or_default();
        let is_too_much = settled > *sold || given_back < *refunded;
        if is_too_much || at_rest && [settled, given_back] != [*sold, *refunded] {
            let says = format!("paid out are {sold} and {refunded}, settled {settled} and {given_back}");
            found.tell("order-settled", About { order: Some((*order).to_owned()), ..About::default() }, says);
        }
    }
    for (order, [sold, refunded]) in rows {
        if sold != 0 || refunded != 0 {
            let says = format!("nothing was paid out for it, settled are {sold} and {refunded}");
            found.tell("order-settled", About { order: Some(order.to_owned()), ..About::default() }, says);
        }
    }
}

fn lines_of(index: &Index<'_>, payout: &PaidOut) -> BTreeSet<Line> {
    let unit = unit(payout.currency);
    let own =
        |name: &str, kind: i64, net: i64| (kind, String::new(), format!("{}-{name}", payout.reference), 0, net * unit);
    let mut lines: BTreeSet<Line> = payout
        .lines
        .iter()
        .filter_map(|line| {
            let effect = index.record.effects.get(line.effect)?;
            let transaction = index.transaction(effect)?.id.clone();
            let kind = match effect.kind {
                EffectKind::Capture => SALE,
                EffectKind::Refund | EffectKind::Release => REFUND,
                EffectKind::Chargeback => CHARGEBACK,
                EffectKind::SecondChargeback => SECOND_CHARGEBACK,
                EffectKind::WonBack => CHARGEBACK_REVERSED,
            };
            let net = (100 * line.gross - line.fee_hundredths) * unit;
            Some((kind, transaction, effect.id.clone(), line.gross * unit, net.div_euclid(100)))
        })
        .collect();
    if payout.fee != 0 {
        lines.insert(own("fee", FEE, -payout.fee));
    }
    if payout.reserve != 0 {
        lines.insert(own("reserve", if payout.reserve < 0 { RESERVE_HELD } else { RESERVE_RELEASED }, payout.reserve));
    }
    lines.insert(own("paid", PAID, -payout.paid));
    lines
}

fn of_row(row: &LineRow) -> Line {
    (row.kind, row.transaction.clone(), row.modification.clone(), row.gross, row.net)
}

/// Millionths in the smallest unit.
fn unit(currency: &str) -> i64 {
    match currency {
        "JPY" => 1_000_000,
        "KWD" => 1_000,
        _ => 10_000,
    }
}

fn about(transaction: &str) -> About {
    let transaction = Some(transaction.to_owned()).filter(|transaction| !transaction.is_empty());
    About { transaction, ..About::default() }
}
