//! What the tests of the formats share: a text read whole, and what a payout's lines sum to.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Format, Problem, Reading, open};
use crate::domain::settlement::proof::{KindSum, PayoutSums, Proof};
use crate::domain::settlement::{LineKind, ReportLine};

/// The tests of the formats have lines of 2026.
pub(super) const READING: Reading = Reading { time_zone: Tz::Europe__Berlin, latest: DateTime::<Utc>::MAX_UTC };

/// Lines and problems, each in their order. What is fatal ends a report.
pub(super) fn read(format: &Format, bytes: impl Into<Vec<u8>>) -> (Vec<ReportLine>, Vec<Problem>) {
    let input = Box::new(std::io::Cursor::new(bytes.into()));
    let mut report = open(format, input, READING);
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    while let Some(next) = report.next_line() {
        match next {
            Ok(line) => lines.push(line),
            Err(problem) if problem.is_fatal => {
                problems.push(problem);
                assert!(report.next_line().is_none(), "after a fatal problem there is more");
                break;
            }
            Err(problem) => problems.push(problem),
        }
        assert!(lines.len() + problems.len() < 10_000, "a report without an end");
    }
    (lines, problems)
}

/// The lines of a report in which nothing is wrong.
#[track_caller]
pub(super) fn lines(format: &Format, bytes: impl Into<Vec<u8>>) -> Vec<ReportLine> {
    let (lines, problems) = read(format, bytes);
    assert_eq!(problems, []);
    lines
}

/// What is told first of a report in which something is wrong.
#[track_caller]
pub(super) fn problem(format: &Format, bytes: impl Into<Vec<u8>>) -> Problem {
    read(format, bytes).1.into_iter().next().expect("nothing is wrong with it")
}

/// Kind, amount, fees and tax of a line, to compare with what was reckoned by hand.
pub(super) fn money(line: &ReportLine) -> String {
    let (net, currency) = line.net;
    let gross = line.gross.map_or_else(String::new, |(gross, currency)| format!(" of {gross} {}", currency.code()));
    let (fee, tax) = (line.fees.total, line.fees.tax);
    format!("{} {net} {}{gross}, fee {fee}, tax {tax}", line.kind.as_str(), currency.code())
}

/// The equation of the lines of one payout, one currency after the other.
pub(super) fn proofs(lines: &[ReportLine]) -> Vec<Proof> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let (net, currency) = line.net;
        let kinds: &mut BTreeMap<LineKind, KindSum> = sums.entry(currency).or_default();
        let sum = kinds.entry(line.kind).or_default();
        sum.lines += 1;
        sum.net_micros += net.micros();
        sum.fee_micros += line.fees.total.micros();
        sum.tax_micros += line.fees.tax.micros();
        let exponent = u8::try_from(currency.exponent()).unwrap();
        sum.fine_lines += i64::from([net, line.fees.total].iter().any(|amount| amount.units_at(exponent).is_none()));
    }
    sums.into_iter()
        .map(|(currency, kinds)| PayoutSums { currency, kinds, unexplained_micros: 0 }.proof().unwrap())
        .collect()
}

/// A report with bytes changed, left out and put in, or no report at all. Whatever it is, a reader says so and ends.
pub(super) fn broken(text: String) -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<Index>(), any::<u8>(), 0_usize..20), 0..6);
    let altered = changes.prop_map(move |changes| {
        let mut bytes = text.clone().into_bytes();
        for (at, byte, gone) in changes {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + gone);
            bytes.splice(at..end, [byte]);
        }
        bytes
    });
    prop_oneof![9 => altered, 1 => proptest::collection::vec(any::<u8>(), 0..300)]
}
