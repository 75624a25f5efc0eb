//! Whether a payout adds up: what came in, less what was kept, is what went to the bank, to the cent and in one currency.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Decimal, LineKind};
use crate::domain::money::Currency;

/// The lines of one kind in a payout, in one currency: their number and sums in millionths of the currency's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindSum {
    pub lines: i64,
    pub net_micros: i64,
    pub fee_micros: i64,
    pub tax_micros: i64,
    /// Lines with more decimals than the currency has.
    pub fine_lines: i64,
}

/// The sums of a payout in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutSums {
    pub currency: Currency,
    pub kinds: BTreeMap<LineKind, KindSum>,
    /// What lines of payments are over, less what they brought and what was kept of them, where the customer paid in this
    /// currency: nothing, but for fractions. In millionths.
    pub unexplained_micros: i64,
}

/// The equation of a payout, each side in the payout's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    pub currency: Currency,
    #[serde(serialize_with = "as_text")]
    pub gross: Decimal,
    /// What the PSP kept as fees, without tax.
    #[serde(serialize_with = "as_text")]
    pub fees: Decimal,
    #[serde(serialize_with = "as_text")]
    pub taxes: Decimal,
    /// Held back is negative, released positive.
    #[serde(serialize_with = "as_text")]
    pub reserves: Decimal,
    /// Carried over from or to another payout.
    #[serde(serialize_with = "as_text")]
    pub carried: Decimal,
    #[serde(serialize_with = "as_text")]
    pub corrections: Decimal,
    /// What the PSP's finer decimals leave over (rule 20); part of the equation only where the payout is closed by it.
    #[serde(serialize_with = "as_text")]
    pub rounding: Decimal,
    /// What went to the bank, less what came back from it.
    #[serde(serialize_with = "as_text")]
    pub paid_out: Decimal,
    /// What went to the bank and came back, where it is carried on from here: part of `carried`, and goes out with a later payout.
    #[serde(serialize_with = "as_text")]
    pub failed: Decimal,
    /// What the equation leaves over; zero if the payout adds up.
    #[serde(serialize_with = "as_text")]
    pub remainder: Decimal,
    /// What was kept of payments beyond the fees that the lines name: then the payout is not proved, whatever its sum.
    #[serde(serialize_with = "as_text")]
    pub unexplained: Decimal,
    pub unknown_lines: i64,
    pub state: ProofState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// It adds up exactly, or but for a rounding that is named.
    Closed,
    /// The report does not say yet what was paid out.
    Open,
    /// It does not add up, or holds a line nobody understands.
    Remainder,
}

/// A sum left the ledger's integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

impl KindSum {
    /// # Errors
    /// If a sum does not fit into 64 bits of millionths.
    pub fn plus(&self, more: &Self) -> Result<Self, Overflow> {
        let add = |one: i64, other: i64| one.checked_add(other).ok_or(Overflow);
        Ok(Self {
            lines: add(self.lines, more.lines)?,
            net_micros: add(self.net_micros, more.net_micros)?,
            fee_micros: add(self.fee_micros, more.fee_micros)?,
            tax_micros: add(self.tax_micros, more.tax_micros)?,
            fine_lines: add(self.fine_lines, more.fine_lines)?,
        })
    }

    #[must_use]
    pub fn negated(&self) -> Self {
        Self {
            lines: -self.lines,
            net_micros: -self.net_micros,
            fee_micros: -self.fee_micros,
            tax_micros: -self.tax_micros,
            fine_lines: -self.fine_lines,
        }
    }
}

impl PayoutSums {
    /// Proves the payout, or says what is left over.
    pub fn proof(&self) -> Result<Proof, Overflow> {
        let mut parts = Parts::default();
        for (kind, sum) in &self.kinds {
            parts.add(*kind, sum)?;
        }
        let parts = parts.with_failed_carried(self.currency);
        let Parts { gross, fees, taxes, reserves, carried, corrections, paid_out, unknown, payments, failed, .. } =
            parts;
        let left = parts.left();
        let adds_up = parts.adds_up(self.currency);
        // Where a balance is carried on, nothing may have gone to the bank at all.
        let says_all = parts.lines > 0 || (parts.carried_lines > 0 && adds_up);
        let unexplained = i128::from(self.unexplained_micros);
        // A fee column that was lost, or a sign that was turned, must not pass because the sum is right: no plug.
        let is_explained = unexplained.abs() <= i128::from(half_minor(self.currency)) * i128::from(payments);
        let state = match (says_all, unknown) {
            _ if !is_explained => ProofState::Remainder,
            (false, _) => ProofState::Open,
            (true, 0) if adds_up => ProofState::Closed,
            (true, _) => ProofState::Remainder,
        };
        let closes_by_rounding = state == ProofState::Closed && left != 0;
        let decimal = |micros: i128| {
            let micros = i64::try_from(micros).map_err(|_| Overflow)?;
            let least = u8::try_from(self.currency.exponent()).unwrap_or(0);
            Ok(Decimal::of_micros(micros).shortest(least))
        };
        Ok(Proof {
            currency: self.currency,
            gross: decimal(gross)?,
            fees: decimal(fees)?,
            taxes: decimal(taxes)?,
            reserves: decimal(reserves)?,
            carried: decimal(carried)?,
            corrections: decimal(corrections)?,
            rounding: decimal(if closes_by_rounding { -left } else { 0 })?,
            paid_out: decimal(paid_out)?,
            failed: decimal(failed)?,
            remainder: decimal(if closes_by_rounding { 0 } else { left })?,
            unexplained: decimal(if is_explained { 0 } else { unexplained })?,
            unknown_lines: unknown,
            state,
        })
    }
}

/// Millionths.
#[derive(Debug, Default, Clone, Copy)]
struct Parts {
    gross: i128,
    fees: i128,
    taxes: i128,
    reserves: i128,
    carried: i128,
    corrections: i128,
    paid_out: i128,
    unknown: i64,
    /// What came back from the bank, by lines of their own.
    came_back: i128,
    /// As much of it as is carried on.
    failed: i128,
    /// Lines that say what was paid out.
    lines: i64,
    /// Lines that say what was carried from or to another payout.
    carried_lines: i64,
    fine: i64,
    /// Lines of payments.
    payments: i64,
}

impl Parts {
    fn add(&mut self, kind: LineKind, sum: &KindSum) -> Result<(), Overflow> {
        let (net, fee, tax) = (i128::from(sum.net_micros), i128::from(sum.fee_micros), i128::from(sum.tax_micros));
        self.fine = self.fine.checked_add(sum.fine_lines).ok_or(Overflow)?;
        // Whatever the kind, what was kept from a line is fee and tax, and the rest of it is what the line is about.
        self.fees += fee;
        self.taxes += tax;
        let rest = net + fee + tax;
        if kind.is_of_payment() {
            self.payments += sum.lines;
        }
        match kind {
            LineKind::Sale
            | LineKind::Refund
            | LineKind::RefundReversed
            | LineKind::Chargeback
            | LineKind::SecondChargeback
            | LineKind::ChargebackReversed
            | LineKind::CaptureAdjustment => self.gross += rest,
            LineKind::Fee => self.fees -= rest,
            LineKind::FeeTax => self.taxes -= rest,
            LineKind::ReserveHeld | LineKind::ReserveReleased => self.reserves += rest,
            LineKind::BalanceTransfer => {
                self.carried += rest;
                self.carried_lines += sum.lines;
            }
            LineKind::Correction | LineKind::ForeignExchange => self.corrections += rest,
            LineKind::Unknown => {
                self.corrections += rest;
                self.unknown += sum.lines;
            }
            LineKind::Payout | LineKind::PayoutFailed => {
                self.paid_out -= rest;
                self.lines += sum.lines;
                if kind == LineKind::PayoutFailed {
                    self.came_back += rest;
                }
            }
        }
        Ok(())
    }

    /// What the equation leaves over.
    fn left(&self) -> i128 {
        let Self { gross, fees, taxes, reserves, carried, corrections, paid_out, .. } = self;
        gross - fees - taxes + reserves + carried + corrections - paid_out
    }

    /// Exactly, or but for half a smallest unit for each line that is finer than the currency (rule 20).
    fn adds_up(&self, currency: Currency) -> bool {
        let left = self.left();
        left == 0 || (self.fine > 0 && left.abs() <= i128::from(half_minor(currency)) * i128::from(self.fine))
    }

    /// What came back from the bank is on the PSP's balance again. A payout that adds up but for just that has failed: the sum is
    /// carried on from it. (Where the line stands in the payout that took the money along, that one adds up with it.)
    fn with_failed_carried(self, currency: Currency) -> Self {
        let carried_on = Self { carried: self.carried - self.came_back, failed: self.came_back, ..self };
        if self.adds_up(currency) || !carried_on.adds_up(currency) { self } else { carried_on }
    }
}

/// Half of the currency's smallest unit, in millionths.
pub(super) fn half_minor(currency: Currency) -> i64 {
    match currency.exponent() {
        0 => 500_000,
        1 => 50_000,
        2 => 5_000,
        3 => 500,
        4 => 50,
        _ => 5,
    }
}

fn as_text<S: serde::Serializer>(decimal: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(decimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(currency: &str, kinds: &[(LineKind, i64, i64, i64, i64)]) -> Proof {
        let kinds = kinds.iter().map(|(kind, net, fee, tax, fine)| {
            let sum = KindSum { lines: 1, net_micros: *net, fee_micros: *fee, tax_micros: *tax, fine_lines: *fine };
            (*kind, sum)
        });
        let kinds = kinds.collect();
        let currency = Currency::parse(currency).unwrap();
        PayoutSums { currency, kinds, unexplained_micros: 0 }.proof().unwrap()
    }

    const CENT: i64 = 10_000;

    #[test]
    fn a_payout_that_adds_up_is_closed_and_shows_its_equation() {
        let proof = sums(
            "EUR",
            &[
                (LineKind::Sale, 9_700 * CENT, 300 * CENT, 0, 0),
                (LineKind::Refund, -1_010 * CENT, 10 * CENT, 0, 0),
                (LineKind::Fee, -500 * CENT, 500 * CENT, 0, 0),
                (LineKind::FeeTax, -95 * CENT, 0, 95 * CENT, 0),
                (LineKind::ReserveHeld, -1_000 * CENT, 0, 0, 0),
                (LineKind::BalanceTransfer, -95 * CENT, 0, 0, 0),
                (LineKind::Payout, -7_000 * CENT, 0, 0, 0),
            ],
        );
        assert_eq!(proof.state, ProofState::Closed);
        let shown = [proof.gross, proof.fees, proof.taxes, proof.reserves, proof.carried, proof.paid_out];
        assert_eq!(shown.map(|part| part.to_string()), ["90.00", "8.10", "0.95", "-10.00", "-0.95", "70.00"]);
        assert!(proof.remainder.is_zero() && proof.rounding.is_zero());
    }

    #[test]
    fn a_cent_too_few_is_a_remainder() {
        let proof = sums("EUR", &[(LineKind::Sale, 100 * CENT, 0, 0, 0), (LineKind::Payout, -99 * CENT, 0, 0, 0)]);
        assert_eq!((proof.state, proof.remainder.to_string().as_str()), (ProofState::Remainder, "0.01"));
    }

    #[test]
    fn fractions_of_a_cent_close_a_payout_up_to_half_a_cent_per_line_and_no_further() {
        let with = |left: i64| {
            sums("EUR", &[(LineKind::Sale, 100 * CENT + left, 0, 0, 1), (LineKind::Payout, -100 * CENT, 0, 0, 0)])
        };
        assert_eq!((with(5_000).state, with(5_000).rounding.to_string().as_str()), (ProofState::Closed, "-0.005"));
        assert_eq!(with(5_001).state, ProofState::Remainder);
    }

    #[test]
    fn a_line_nobody_understands_keeps_a_payout_open_even_if_the_sum_is_right() {
        let proof = sums("EUR", &[(LineKind::Unknown, 100 * CENT, 0, 0, 0), (LineKind::Payout, -100 * CENT, 0, 0, 0)]);
        assert_eq!((proof.state, proof.unknown_lines), (ProofState::Remainder, 1));
    }

    #[test]
    fn without_a_word_about_the_bank_it_is_not_proved() {
        assert_eq!(sums("JPY", &[(LineKind::Sale, 1_000_000, 0, 0, 0)]).state, ProofState::Open);
    }

    #[test]
    fn a_payout_that_came_back_is_carried_on_where_it_failed_and_counts_where_it_is_paid_out_again() {
        let back = (LineKind::PayoutFailed, 7_000 * CENT, 0, 0, 0);
        let failed =
            sums("EUR", &[(LineKind::Sale, 7_000 * CENT, 0, 0, 0), (LineKind::Payout, -7_000 * CENT, 0, 0, 0), back]);
        assert_eq!(failed.state, ProofState::Closed);
        let shown = [failed.gross, failed.carried, failed.paid_out, failed.failed, failed.remainder];
        assert_eq!(shown.map(|part| part.to_string()), ["70.00", "-70.00", "0.00", "70.00", "0.00"]);
        let again =
            sums("EUR", &[(LineKind::Sale, 3_000 * CENT, 0, 0, 0), (LineKind::Payout, -10_000 * CENT, 0, 0, 0), back]);
        assert_eq!((again.state, again.paid_out.to_string().as_str()), (ProofState::Closed, "30.00"));
        assert!(again.failed.is_zero() && again.carried.is_zero());
        let more = sums("EUR", &[(LineKind::Sale, 1, 0, 0, 0), (LineKind::Payout, -7_000 * CENT, 0, 0, 0), back]);
        assert_eq!((more.state, more.remainder.to_string().as_str()), (ProofState::Remainder, "0.000001"));
    }

    #[test]
    fn what_is_carried_on_whole_is_proved_without_a_word_about_the_bank() {
        let day = |closing: i64| {
            let carried = (LineKind::BalanceTransfer, closing * CENT, 0, 0, 0);
            sums("EUR", &[(LineKind::Sale, 7_000 * CENT, 0, 0, 0), carried])
        };
        assert_eq!((day(-7_000).state, day(-7_000).paid_out.to_string().as_str()), (ProofState::Closed, "0.00"));
        assert_eq!(day(-6_999).state, ProofState::Open);
        let unknown = sums(
            "EUR",
            &[(LineKind::Unknown, 7_000 * CENT, 0, 0, 0), (LineKind::BalanceTransfer, -7_000 * CENT, 0, 0, 0)],
        );
        assert_eq!((unknown.state, unknown.unknown_lines), (ProofState::Remainder, 1));
    }

    #[test]
    fn a_payout_that_takes_money_from_the_bank_adds_up_too() {
        let proof = sums("KWD", &[(LineKind::Chargeback, -1_500, 0, 0, 0), (LineKind::Payout, 1_500, 0, 0, 0)]);
        assert_eq!((proof.state, proof.paid_out.to_string().as_str()), (ProofState::Closed, "-0.0015"));
    }
}
