//! How an order stands against what the PSP settled for it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::Decimal;
use crate::domain::money::Amount;

/// What was settled for an order, in its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settlement {
    pub lines: i64,
    pub sold: Decimal,
    /// Negative.
    pub refunded: Decimal,
    /// Negative while a chargeback stands.
    pub disputed: Decimal,
    /// Lines in another currency than the order's: they are in no sum.
    pub other_currency: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SettlementState {
    /// Money moved lately: its settlement may still come.
    Expected,
    /// Nothing, or not all, was settled for longer than it should take: see `under` where something was.
    Missing,
    Settled,
    /// More was settled than was captured less refunded.
    Over,
    /// Less was settled, for longer than it should take.
    Under,
    CurrencyMismatch,
    /// A chargeback stands.
    Disputed,
}

impl SettlementState {
    pub const ALL: [Self; 7] =
        [Self::Expected, Self::Missing, Self::Settled, Self::Over, Self::Under, Self::CurrencyMismatch, Self::Disputed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Missing => "missing",
            Self::Settled => "settled",
            Self::Over => "over",
            Self::Under => "under",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::Disputed => "disputed",
        }
    }

    /// `booked` is what the ledger has captured less what it has refunded; `moved_at` when money last moved. `None` where neither
    /// side knows of any money.
    pub fn of(
        booked: Amount,
        moved_at: Option<DateTime<Utc>>,
        settled: &Settlement,
        expected_within: TimeDelta,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        if settled.other_currency > 0 {
            return Some(Self::CurrencyMismatch);
        }
        if settled.disputed.is_negative() {
            return Some(Self::Disputed);
        }
        if settled.lines == 0 && moved_at.is_none() {
            return None;
        }
        let exponent = u8::try_from(booked.currency().exponent()).unwrap_or(0);
        let booked = Decimal::new(booked.minor(), exponent)?.micros();
        let settled_net = settled.sold.checked_add(settled.refunded)?.micros();
        let is_recent = moved_at.is_some_and(|at| now - at <= expected_within);
        Some(if settled_net == booked && (settled.lines > 0 || booked == 0) {
            Self::Settled
        } else if settled_net > booked {
            // A refund whose settlement has not come yet looks like this.
            if is_recent { Self::Expected } else { Self::Over }
        } else if is_recent {
            Self::Expected
        } else if settled.lines == 0 {
            Self::Missing
        } else {
            Self::Under
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    const WEEK: TimeDelta = TimeDelta::days(7);

    fn state(booked: &str, days_ago: i64, sold: &str, refunded: &str) -> Option<SettlementState> {
        let now: DateTime<Utc> = "2026-11-22T02:00:00Z".parse().unwrap();
        let decimal = |text: &str| Decimal::parse(text).unwrap();
        let lines = i64::from(sold != "0") + i64::from(refunded != "0");
        let settled = Settlement { lines, sold: decimal(sold), refunded: decimal(refunded), ..Settlement::default() };
        let booked = Amount::parse(booked, Currency::parse("EUR").unwrap()).unwrap();
        SettlementState::of(booked, Some(now - TimeDelta::days(days_ago)), &settled, WEEK, now)
    }

    #[test]
    fn what_was_settled_is_held_against_what_was_booked() {
        assert_eq!(state("100", 20, "100.00", "0"), Some(SettlementState::Settled));
        assert_eq!(state("80", 20, "100.00", "-20.00"), Some(SettlementState::Settled));
        assert_eq!(state("100", 20, "0", "0"), Some(SettlementState::Missing));
        assert_eq!(state("100", 7, "0", "0"), Some(SettlementState::Expected));
        assert_eq!(state("100", 20, "99.99", "0"), Some(SettlementState::Under));
        assert_eq!(state("100", 20, "100.01", "0"), Some(SettlementState::Over));
        assert_eq!(state("80", 1, "100.00", "0"), Some(SettlementState::Expected));
        assert_eq!(state("0", 20, "0", "0"), Some(SettlementState::Settled));
    }

    #[test]
    fn a_dispute_or_another_currency_goes_before_every_sum() {
        let now: DateTime<Utc> = "2026-11-22T02:00:00Z".parse().unwrap();
        let nothing = Amount::zero(Currency::parse("EUR").unwrap());
        let disputed = Settlement { lines: 1, disputed: Decimal::parse("-5").unwrap(), ..Settlement::default() };
        let other = Settlement { lines: 1, other_currency: 1, ..Settlement::default() };
        let of = |settled: &Settlement| SettlementState::of(nothing, None, settled, WEEK, now);
        assert_eq!(of(&disputed), Some(SettlementState::Disputed));
        assert_eq!(of(&other), Some(SettlementState::CurrencyMismatch));
        assert_eq!(of(&Settlement::default()), None);
    }
}
