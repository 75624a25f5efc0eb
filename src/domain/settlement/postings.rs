//! What a payout's lines are booked as (rules 19 and 20): each against the clearing account, on the day of its lines.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::LineKind;
use super::proof::{KindSum, Overflow, PayoutSums, ProofState, half_minor};
use crate::domain::id::{MerchantAccount, ProviderName};
use crate::domain::money::Currency;

/// What lines of a payout have in common that are booked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DayKey {
    pub kind: LineKind,
    /// In the zone of the books (rule 18).
    pub day: NaiveDate,
    /// What the balance changed in.
    pub currency: Currency,
    /// What the customer paid in: another one where the PSP exchanged it.
    pub presented_currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DaySum {
    /// In the currency the balance changed in.
    pub settled: KindSum,
    /// What the customers saw of the lines, in millionths of the currency they paid in.
    pub presented_micros: i64,
}

/// The lines of a payout, summed up by day.
pub type DaySums = [(DayKey, DaySum)];

/// What a payout's lines are booked to, each against clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutJournalKind {
    /// What the PSP kept, without tax.
    Fee,
    /// Tax on fees.
    FeeTax,
    /// Held back, or given free.
    Reserve,
    /// Whatever the PSP put right.
    Correction,
    /// Settled in another currency than the customer paid in: one journal in each.
    Exchange,
    /// Sent to the bank, or taken from it.
    Payout,
    /// What a PSP's fractions of the smallest unit leave over in a payout that adds up.
    Rounding,
}

/// One journal of a payout: what of it is booked, when, and in what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayoutEntry {
    pub posting_date: NaiveDate,
    pub kind: PayoutJournalKind,
    pub currency: Currency,
}

/// What each entry does to the clearing account, in minor units: debit positive. Never zero.
pub type Bookings = BTreeMap<PayoutEntry, i64>;

impl PayoutJournalKind {
    pub const ALL: [Self; 7] =
        [Self::Fee, Self::FeeTax, Self::Reserve, Self::Correction, Self::Exchange, Self::Payout, Self::Rounding];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fee => "fee",
            Self::FeeTax => "fee_tax",
            Self::Reserve => "reserve",
            Self::Correction => "correction",
            Self::Exchange => "exchange",
            Self::Payout => "payout",
            Self::Rounding => "rounding",
        }
    }

    /// As a person names what is booked: `fees of payout 7 (adyen, ShopEU)`.
    pub fn of_payout(self, provider: &ProviderName, merchant_account: &MerchantAccount, payout: &str) -> String {
        let what = match self {
            Self::Fee => "fees of ",
            Self::FeeTax => "tax on fees of ",
            Self::Reserve => "reserve of ",
            Self::Correction => "correction of ",
            Self::Exchange => "exchange of ",
            Self::Payout => "",
            Self::Rounding => "rounding of ",
        };
        let payout = if payout.is_empty() { "what has no payout yet".to_owned() } else { format!("payout {payout}") };
        format!("{what}{payout} ({provider}, {merchant_account})")
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl DaySum {
    /// # Errors
    /// If a sum does not fit into 64 bits of millionths.
    pub fn plus(&self, more: &Self) -> Result<Self, Overflow> {
        let presented_micros = self.presented_micros.checked_add(more.presented_micros).ok_or(Overflow)?;
        Ok(Self { settled: self.settled.plus(&more.settled)?, presented_micros })
    }

    #[must_use]
    pub fn negated(&self) -> Self {
        Self { settled: self.settled.negated(), presented_micros: -self.presented_micros }
    }
}

/// The sums of each currency, whatever the day.
pub fn by_currency(days: &DaySums) -> Result<Vec<PayoutSums>, Overflow> {
    let mut currencies: BTreeMap<Currency, PayoutSums> = BTreeMap::new();
    for (key, day) in days {
        let sums = currencies.entry(key.currency).or_insert_with(|| PayoutSums {
            currency: key.currency,
            kinds: BTreeMap::new(),
            unexplained_micros: 0,
        });
        let sum = sums.kinds.entry(key.kind).or_default();
        *sum = sum.plus(&day.settled)?;
        sums.unexplained_micros = sums.unexplained_micros.checked_add(unexplained(*key, day)?).ok_or(Overflow)?;
    }
    for sums in currencies.values_mut() {
        sums.kinds.retain(|_, sum| sum.lines != 0);
    }
    Ok(currencies.into_values().filter(|sums| !sums.kinds.is_empty()).collect())
}

/// What lines of payments are over that neither came in nor was kept as fees.
fn unexplained(key: DayKey, day: &DaySum) -> Result<i64, Overflow> {
    if !key.kind.is_of_payment() || key.presented_currency != key.currency {
        return Ok(0);
    }
    let KindSum { net_micros, fee_micros, tax_micros, .. } = day.settled;
    let came = net_micros.checked_add(fee_micros).and_then(|sum| sum.checked_add(tax_micros)).ok_or(Overflow)?;
    day.presented_micros.checked_sub(came).ok_or(Overflow)
}

/// What is to be booked for a payout, all its lines known so far taken together. Captures, refunds and chargebacks are booked
/// with their movements, a balance carried between payouts stays where it is, and what nobody understands is not booked.
pub fn bookings(days: &DaySums) -> Result<Bookings, Overflow> {
    let mut exact: BTreeMap<PayoutEntry, i128> = BTreeMap::new();
    for (key, sum) in days {
        for (kind, currency, micros) in effects(*key, sum) {
            if micros != 0 {
                *exact.entry(PayoutEntry { posting_date: key.day, kind, currency }).or_default() += micros;
            }
        }
    }
    let mut bookings = Bookings::new();
    let mut lost: BTreeMap<Currency, i128> = BTreeMap::new();
    for (entry, micros) in exact {
        let minor = rounded(micros, entry.currency);
        *lost.entry(entry.currency).or_default() += micros - minor * minor_unit(entry.currency);
        book(&mut bookings, entry, minor)?;
    }
    for sums in by_currency(days)? {
        let proof = sums.proof()?;
        if proof.state != ProofState::Closed {
            continue;
        }
        let currency = sums.currency;
        let left = i128::from(proof.rounding.micros()) - i128::from(sums.unexplained_micros)
            + lost.get(&currency).copied().unwrap_or_default();
        if let Some(posting_date) = ended_on(days, currency) {
            let entry = PayoutEntry { posting_date, kind: PayoutJournalKind::Rounding, currency };
            book(&mut bookings, entry, rounded(left, currency))?;
        }
    }
    Ok(bookings)
}

/// What is missing to get from what is booked to what should be.
pub fn difference(wanted: &Bookings, booked: &Bookings) -> Result<Bookings, Overflow> {
    let mut difference = wanted.clone();
    for (entry, minor) in booked {
        let left = difference.remove(entry).unwrap_or_default().checked_sub(*minor).ok_or(Overflow)?;
        if left != 0 {
            difference.insert(*entry, left);
        }
    }
    Ok(difference)
}

/// What a sum of lines does to clearing, by kind and currency, in millionths.
fn effects(key: DayKey, day: &DaySum) -> [(PayoutJournalKind, Currency, i128); 4] {
    use PayoutJournalKind::{Correction, Exchange, Fee, FeeTax, Payout, Reserve};
    let DayKey { currency, presented_currency, .. } = key;
    let KindSum { net_micros, fee_micros, tax_micros, .. } = day.settled;
    let (fee, tax) = (i128::from(fee_micros), i128::from(tax_micros));
    let presented = i128::from(day.presented_micros);
    // What the line is about, before the PSP kept something of it.
    let rest = i128::from(net_micros) + fee + tax;
    let nothing = (Fee, currency, 0);
    let (about, other) = match key.kind {
        LineKind::Sale
        | LineKind::Refund
        | LineKind::RefundReversed
        | LineKind::Chargeback
        | LineKind::SecondChargeback
        | LineKind::ChargebackReversed
        | LineKind::CaptureAdjustment => {
            if presented_currency == currency {
                // Booked with the movement.
                (nothing, nothing)
            } else {
                ((Exchange, currency, rest), (Exchange, presented_currency, -presented))
            }
        }
        LineKind::Fee => ((Fee, currency, rest), nothing),
        LineKind::FeeTax => ((FeeTax, currency, rest), nothing),
        LineKind::ReserveHeld | LineKind::ReserveReleased => ((Reserve, currency, rest), nothing),
        LineKind::Correction => ((Correction, currency, rest), nothing),
        LineKind::ForeignExchange => ((Exchange, currency, rest), nothing),
        LineKind::BalanceTransfer => (nothing, nothing),
        LineKind::Payout | LineKind::PayoutFailed => ((Payout, currency, rest), nothing),
        LineKind::Unknown => return [nothing; 4],
    };
    [(Fee, currency, -fee), (FeeTax, currency, -tax), about, other]
}

fn book(bookings: &mut Bookings, entry: PayoutEntry, minor: i128) -> Result<(), Overflow> {
    if minor != 0 {
        bookings.insert(entry, i64::try_from(minor).map_err(|_| Overflow)?);
    }
    Ok(())
}

/// Millionths in the currency's smallest unit.
fn minor_unit(currency: Currency) -> i128 {
    i128::from(half_minor(currency)) * 2
}

/// To the nearest smallest unit, a half away from zero.
fn rounded(micros: i128, currency: Currency) -> i128 {
    let unit = minor_unit(currency);
    let nearest = (2 * micros.abs() + unit).div_euclid(2 * unit);
    nearest * micros.signum()
}

/// The last day on which it was paid out; of what was carried on whole, that of its last line.
fn ended_on(days: &DaySums, currency: Currency) -> Option<NaiveDate> {
    let is_payout = |kind| matches!(kind, LineKind::Payout | LineKind::PayoutFailed);
    let of_currency = days.iter().filter(|(key, sum)| key.currency == currency && sum.settled.lines != 0);
    let last = of_currency.map(|(key, _)| (is_payout(key.kind), key.day)).max();
    last.map(|(_, day)| day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CENT: i64 = 10_000;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn day(of_month: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, of_month).unwrap()
    }

    /// One line in euros: what it is about, and what was kept of it.
    fn line(kind: LineKind, on: u32, rest: i64, fee: i64, tax: i64) -> (DayKey, DaySum) {
        let net_micros = rest - fee - tax;
        let fine_lines = i64::from(net_micros % CENT != 0);
        let euro = currency("EUR");
        let settled = KindSum { lines: 1, net_micros, fee_micros: fee, tax_micros: tax, fine_lines };
        let key = DayKey { kind, day: day(on), currency: euro, presented_currency: euro };
        (key, DaySum { settled, presented_micros: rest })
    }

    /// The same line, and the customer saw another amount.
    fn presented(line: (DayKey, DaySum), code: &str, presented_micros: i64) -> (DayKey, DaySum) {
        let (key, sum) = line;
        (DayKey { presented_currency: currency(code), ..key }, DaySum { presented_micros, ..sum })
    }

    fn booked(days: &DaySums) -> Vec<(u32, &'static str, &'static str, i64)> {
        use chrono::Datelike;
        let bookings = bookings(days).unwrap();
        bookings
            .iter()
            .map(|(entry, minor)| (entry.posting_date.day(), entry.kind.as_str(), entry.currency.code(), *minor))
            .collect()
    }

    #[test]
    fn fees_tax_reserve_and_payout_are_booked_on_their_days() {
        let days = [
            line(LineKind::Sale, 1, 10000 * CENT, 300 * CENT, 0),
            line(LineKind::Refund, 2, -1000 * CENT, 10 * CENT, 0),
            line(LineKind::Fee, 2, -500 * CENT, 0, 0),
            line(LineKind::FeeTax, 2, -95 * CENT, 0, 0),
            line(LineKind::ReserveHeld, 2, -800 * CENT, 0, 0),
            line(LineKind::BalanceTransfer, 2, -200 * CENT, 0, 0),
            line(LineKind::Payout, 3, -7095 * CENT, 0, 0),
        ];
        let expected = [
            (1, "fee", "EUR", -300),
            (2, "fee", "EUR", -510),
            (2, "fee_tax", "EUR", -95),
            (2, "reserve", "EUR", -800),
            (3, "payout", "EUR", -7095),
        ];
        assert_eq!(booked(&days), expected);
        // With the movements (90.00) and the balance carried over (-2.00), nothing is left on clearing.
        assert_eq!(9000 - 200 + expected.iter().map(|entry| entry.3).sum::<i64>(), 0);
    }

    #[test]
    fn money_settled_in_another_currency_passes_the_exchange_account_in_both() {
        let euros = line(LineKind::Sale, 1, 9200 * CENT, 200 * CENT, 0);
        let dollars = presented(euros, "USD", 10000 * CENT);
        let days = [dollars, line(LineKind::Payout, 1, -9000 * CENT, 0, 0)];
        let expected = [
            (1, "fee", "EUR", -200),
            (1, "exchange", "EUR", 9200),
            (1, "exchange", "USD", -10000),
            (1, "payout", "EUR", -9000),
        ];
        assert_eq!(booked(&days), expected);
    }

    #[test]
    fn fractions_of_a_cent_are_booked_as_rounding_once_the_payout_adds_up() {
        let lines: Vec<(DayKey, DaySum)> = (1..=3).map(|on| line(LineKind::Sale, on, 1000 * CENT, 12_346, 0)).collect();
        // 3 × 0.012346 = 0.037038 kept; 29.96 paid out.
        assert_eq!(booked(&lines), [(1, "fee", "EUR", -1), (2, "fee", "EUR", -1), (3, "fee", "EUR", -1)]);
        let mut all = lines;
        all.push(line(LineKind::Payout, 4, -2996 * CENT, 0, 0));
        let booked = booked(&all);
        assert_eq!(booked.last(), Some(&(4, "rounding", "EUR", -1)));
        assert_eq!(3000 + booked.iter().map(|entry| entry.3).sum::<i64>(), 0);
    }

    #[test]
    fn what_nobody_understands_is_not_booked_and_nothing_is_rounded_away_with_it() {
        let days = [line(LineKind::Unknown, 1, 100 * CENT, 5 * CENT, 0), line(LineKind::Payout, 1, -100 * CENT, 0, 0)];
        assert_eq!(booked(&days), [(1, "payout", "EUR", -100)]);
    }

    #[test]
    fn what_was_kept_beyond_the_fees_is_booked_nowhere_and_keeps_the_payout_from_being_closed() {
        let kept = presented(line(LineKind::Sale, 1, 1000 * CENT, 0, 0), "EUR", 1050 * CENT);
        let days = [kept, line(LineKind::Payout, 1, -1000 * CENT, 0, 0)];
        assert_eq!(booked(&days), [(1, "payout", "EUR", -1000)]);
        let proof = by_currency(&days).unwrap()[0].proof().unwrap();
        assert_eq!((proof.state, proof.unexplained.to_string().as_str()), (ProofState::Remainder, "0.50"));
    }

    #[test]
    fn the_difference_leads_from_what_is_booked_to_what_should_be() {
        let before = bookings(&[line(LineKind::Sale, 1, 1000 * CENT, 30 * CENT, 0)]).unwrap();
        let after = bookings(&[line(LineKind::Sale, 2, 1000 * CENT, 40 * CENT, 0)]).unwrap();
        let difference = difference(&after, &before).unwrap();
        assert_eq!(difference.values().copied().collect::<Vec<_>>(), [30, -40]);
        assert!(super::difference(&after, &after).unwrap().is_empty());
    }

    proptest! {
        /// Whatever a payout is made of, once it adds up nothing of it is left on clearing.
        #[test]
        fn a_closed_payout_leaves_nothing_on_clearing(
            lines in prop::collection::vec((0..5_usize, 1..28_u32, -100_000_i64..100_000, 0..99_999_i64, 0..9_999_i64), 1..20),
        ) {
            let kinds = [LineKind::Sale, LineKind::Refund, LineKind::Fee, LineKind::ReserveHeld, LineKind::Correction];
            let mut days: Vec<(DayKey, DaySum)> = lines
                .iter()
                .map(|(kind, on, cents, fee, tax)| line(kinds[*kind], *on, cents * CENT, *fee, *tax))
                .collect();
            let net: i64 = days.iter().map(|(_, day)| day.settled.net_micros).sum();
            let paid = net.div_euclid(CENT) * CENT;
            days.push(line(LineKind::Payout, 28, -paid, 0, 0));
            let sums = by_currency(&days).unwrap();
            prop_assume!(sums[0].proof().unwrap().state == ProofState::Closed);
            let moved: i64 = days
                .iter()
                .filter(|(key, _)| key.kind.is_of_payment())
                .map(|(_, day)| day.presented_micros.div_euclid(CENT))
                .sum();
            prop_assert_eq!(moved + bookings(&days).unwrap().values().sum::<i64>(), 0);
        }
    }
}
