//! What the settlement lines of one payment say of chargebacks: pure.
//!
//! Each has a name that the same lines make again, whichever of them comes first: the PSP's id, else the transaction's with its
//! place in the payout. Where a second chargeback has the id of the first, its kind is added.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::LineKind;
use super::facts::SettledLine;
use crate::domain::id::ModificationId;
use crate::domain::money::{Amount, Currency};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The customer has it back.
    Taken,
    /// It came back to us.
    WonBack,
}

/// A chargeback, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    pub way: Way,
    pub name: String,
    /// What is booked, or why nothing is.
    pub booked: Result<(ModificationId, Amount), String>,
    /// As the lines have it: `10.00 EUR`.
    pub presented: String,
    /// `FILE:NUMBER` of each line.
    pub lines: Vec<String>,
    pub payouts: Vec<String>,
    pub at: DateTime<Utc>,
}

/// Lines of one chargeback.
#[derive(Debug)]
struct Group<'a> {
    way: Way,
    kind: LineKind,
    name: String,
    lines: Vec<&'a SettledLine>,
}

/// All that the lines have, the earliest first.
pub fn disputes(transaction: &str, currency: Currency, lines: &[SettledLine]) -> Vec<Dispute> {
    let mut lines: Vec<(Way, &SettledLine)> =
        lines.iter().filter_map(|line| way(line).map(|way| (way, line))).collect();
    lines.sort_by_key(|(way, line)| (rank(*way, line.kind), line.at, &line.payout, line.ordinal, &line.name));
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (way, line) in lines {
        let name = match &line.modification {
            Some(id) => id.as_str().to_owned(),
            None => format!("{transaction}/{}/{}", line.payout, line.ordinal),
        };
        let kind = line.kind;
        let is_it = |group: &&mut Group<'_>| {
            line.modification.is_some() && (group.way, group.kind, &group.name) == (way, kind, &name)
        };
        match groups.iter_mut().find(is_it) {
            Some(group) => group.lines.push(line),
            None => groups.push(Group { way, kind, name, lines: vec![line] }),
        }
    }
    let mut taken = BTreeSet::new();
    let mut disputes: Vec<Dispute> = groups
        .into_iter()
        .map(|group| {
            let is_free = taken.insert((group.way, group.name.clone()));
            let name = if is_free { group.name.clone() } else { format!("{}/{}", group.name, group.kind.as_str()) };
            group.dispute(name, currency)
        })
        .collect();
    disputes.sort_by(|one, other| (one.at, one.way, &one.name).cmp(&(other.at, other.way, &other.name)));
    disputes
}

/// Which way the money of a line went: by its sign, whatever the report calls it.
fn way(line: &SettledLine) -> Option<Way> {
    let is_dispute =
        matches!(line.kind, LineKind::Chargeback | LineKind::SecondChargeback | LineKind::ChargebackReversed);
    if !is_dispute || line.presented.0.is_zero() {
        return None;
    }
    Some(if line.presented.0.is_negative() { Way::Taken } else { Way::WonBack })
}

/// The kind that is meant by an id goes before one that only shares it.
fn rank(way: Way, kind: LineKind) -> (Way, bool, i64) {
    let is_meant = match way {
        Way::Taken => kind == LineKind::Chargeback,
        Way::WonBack => kind == LineKind::ChargebackReversed,
    };
    (way, !is_meant, kind.code())
}

impl Group<'_> {
    fn dispute(&self, name: String, currency: Currency) -> Dispute {
        let payouts: BTreeSet<&str> = self.lines.iter().map(|line| line.payout.as_str()).collect();
        Dispute {
            way: self.way,
            booked: self.booked(&name, payouts.len(), currency),
            name,
            presented: self.presented(),
            lines: self.lines.iter().map(|line| line.name.clone()).collect(),
            payouts: payouts.into_iter().map(str::to_owned).collect(),
            at: self.lines.iter().map(|line| line.at).min().unwrap_or_default(),
        }
    }

    fn booked(&self, name: &str, payouts: usize, currency: Currency) -> Result<(ModificationId, Amount), String> {
        if payouts > 1 {
            return Err("is in several payouts".to_owned());
        }
        let exponent = u8::try_from(currency.exponent()).unwrap_or(0);
        let mut minor = 0_i64;
        for line in &self.lines {
            let (decimal, presented) = line.presented;
            if presented != currency {
                return Err("is in another currency than the payment".to_owned());
            }
            let units = decimal.units_at(exponent).ok_or("has a fraction of the smallest coin")?;
            minor = minor.checked_add(units.abs()).ok_or("is too large")?;
        }
        let id = ModificationId::parse(name).map_err(|_| "has no id that the ledger could take".to_owned())?;
        Ok((id, Amount::from_minor(minor, currency)))
    }

    fn presented(&self) -> String {
        let mut sums = BTreeMap::new();
        for line in &self.lines {
            let (decimal, currency) = line.presented;
            let amount = if decimal.is_negative() { decimal.negated() } else { decimal };
            sums.entry(currency.code())
                .and_modify(|sum: &mut super::Decimal| *sum = sum.checked_add(amount).unwrap_or(*sum))
                .or_insert(amount);
        }
        let texts: Vec<String> = sums.into_iter().map(|(code, sum)| format!("{sum} {code}")).collect();
        texts.join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settlement::Decimal;

    /// `KIND ID AMOUNT PAYOUT DAY`, `-` for no id; an amount may name its currency: `-5.00/USD`.
    fn line(number: usize, text: &str) -> SettledLine {
        let parts: Vec<&str> = text.split(' ').collect();
        let [kind, id, amount, payout, day] = parts.try_into().unwrap();
        let (amount, currency) = amount.split_once('/').unwrap_or((amount, "EUR"));
        SettledLine {
            name: format!("1:{number}"),
            kind: LineKind::parse(kind).unwrap(),
            modification: ModificationId::parse(id).ok().filter(|_| id != "-"),
            document: String::new(),
            payout: payout.to_owned(),
            ordinal: 1,
            presented: (Decimal::parse(amount).unwrap(), Currency::parse(currency).unwrap()),
            at: format!("2026-11-{day}T10:00:00Z").parse().unwrap(),
        }
    }

    #[track_caller]
    fn says(lines: &[&str], expected: &[&str]) {
        let eur = Currency::parse("EUR").unwrap();
        let mut lines: Vec<SettledLine> = lines.iter().enumerate().map(|(at, text)| line(at, text)).collect();
        for _ in 0..2 {
            let found = disputes("TX", eur, &lines).into_iter().map(|dispute| match dispute.booked {
                Ok((id, amount)) => format!("{:?} {id} {amount}", dispute.way),
                Err(why) => format!("{:?} {} {}: {why}", dispute.way, dispute.name, dispute.presented),
            });
            assert_eq!(found.collect::<Vec<_>>(), expected);
            lines.reverse();
        }
    }

    #[test]
    fn chargebacks_and_their_ends_are_told_apart_by_id_and_sign() {
        says(&["sale C 20.00 7 08", "fee F -1.00 7 08"], &[]);
        says(
            &["chargeback CB -20.00 7 10", "chargeback_reversed RV 20.00 8 11", "second_chargeback S -20.00 9 12"],
            &["Taken CB 20.00 EUR", "WonBack RV 20.00 EUR", "Taken S 20.00 EUR"],
        );
        says(
            &["chargeback CB -20.00 7 10", "chargeback CB 20.00 8 11"],
            &["Taken CB 20.00 EUR", "WonBack CB 20.00 EUR"],
        );
        says(&["chargeback CB -15.00 7 10", "chargeback CB -5.00 7 10"], &["Taken CB 20.00 EUR"]);
    }

    #[test]
    fn one_id_for_the_whole_dispute_and_none_at_all_make_names_of_their_own() {
        says(
            &["chargeback D -20.00 7 10", "chargeback_reversed D 20.00 8 11", "second_chargeback D -20.00 9 12"],
            &["Taken D 20.00 EUR", "WonBack D 20.00 EUR", "Taken D/second_chargeback 20.00 EUR"],
        );
        says(
            &["chargeback - -20.00 7 10", "second_chargeback - -20.00 7 12"],
            &["Taken TX/7/1 20.00 EUR", "Taken TX/7/1/second_chargeback 20.00 EUR"],
        );
    }

    #[test]
    fn what_is_no_amount_of_the_payment_is_told_and_not_booked() {
        says(&["chargeback CB -5.00/USD 7 10"], &["Taken CB 5.00 USD: is in another currency than the payment"]);
        says(&["chargeback CB -5.005 7 10"], &["Taken CB 5.005 EUR: has a fraction of the smallest coin"]);
        says(&["chargeback CB -5.00 7 10", "chargeback CB -5.00 8 11"], &["Taken CB 10.00 EUR: is in several payouts"]);
        says(&["chargeback CB 0.00 7 10"], &[]);
    }
}
