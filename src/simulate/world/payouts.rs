//! What the PSPs pay out, and how they report it: late, in part at first, in another order every time, now and then not at
//! all. `alpha` counts fees in fractions of a cent, `beta` gives every line an id of its own.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::dice::Purpose;
use super::super::record::{By, Effect, EffectKind, EffectState, PaidLine, PaidOut};
use super::{Happening, World};
use crate::domain::money::Currency;
use crate::domain::settlement::{Decimal, Fees, LineKind, ReportLine};
use crate::provider::{PortError, ReportedPayout};

/// What is held back, by PSP and currency.
pub(super) type Held = BTreeMap<(&'static str, &'static str), i64>;

pub(super) const PSPS: [&str; 2] = ["alpha", "beta"];

impl World {
    pub(super) fn plan_payouts(&mut self) {
        for (provider, hours) in PSPS.into_iter().zip([51, 75]) {
            self.decide(self.now + TimeDelta::hours(hours), Happening::PaysOut(provider));
        }
    }

    /// After the shop is closed everything is paid out that is settled.
    pub(super) fn plan_last_payouts(&mut self) {
        for provider in PSPS {
            for hours in [20, 100] {
                self.decide(self.now + TimeDelta::hours(hours), Happening::PaysOut(provider));
            }
        }
    }

    pub(super) fn pays_out(&mut self, provider: &'static str) {
        let mut dice = self.dice(Purpose::Payout, provider);
        for (currency, lines) in self.unpaid(provider) {
            let fee = if dice.chance(300) { 100 } else { 0 };
            let gross: i64 = lines.iter().map(|line| line.gross).sum();
            let held = self.held.remove(&(provider, currency)).unwrap_or(0);
            let holds = if dice.chance(200) { gross.max(0).div_euclid(10) } else { 0 };
            if holds > 0 {
                self.held.insert((provider, currency), holds);
            }
            let reserve = held - holds;
            let fees: i64 = lines.iter().map(|line| line.fee_hundredths).sum();
            let hundredths = 100 * (gross - fee + reserve) - fees;
            let number = self.record.payouts.len();
            let (told_at, whole_at) = self.when_told(&mut dice);
            self.plan_disputes(&lines);
            self.record.payouts.push(PaidOut {
                provider,
                reference: format!("{provider}-P{number}"),
                currency,
                at: self.now,
                lines,
                fee,
                reserve,
                paid: (hundredths + 50).div_euclid(100),
                told_at,
                whole_at,
            });
        }
        let next = self.now + TimeDelta::hours(24 * dice.between(2, 4));
        if !self.is_closed {
            self.decide(next, Happening::PaysOut(provider));
        }
    }

    /// Now and then a customer asks the bank for the money back, the shop gets it back, and loses it once more. The dice are each
    /// one's own: all else stays as it is.
    fn plan_disputes(&mut self, lines: &[PaidLine]) {
        for line in lines {
            let Some(effect) = self.record.effects.get(line.effect) else { continue };
            let (chance, hours, id) = match effect.kind {
                EffectKind::Capture => (60, [20, 120], format!("{} disputed", effect.id)),
                EffectKind::Chargeback => (500, [2, 60], format!("{} won", effect.id)),
                EffectKind::WonBack => (500, [2, 60], format!("{} lost", effect.id)),
                EffectKind::Refund | EffectKind::Release | EffectKind::SecondChargeback => continue,
            };
            let mut dice = self.dice(Purpose::Payout, &id);
            if !self.is_closed && dice.chance(chance) {
                let [least, most] = hours;
                let then = self.now + TimeDelta::hours(dice.between(least, most));
                self.decide(then, Happening::Disputes(line.effect));
            }
        }
    }

    /// What follows an effect that was paid out.
    pub(super) fn disputes(&mut self, before: usize) {
        let Some(effect) = self.record.effects.get(before).filter(|effect| effect.is_live()).cloned() else { return };
        let mut dice = self.dice(Purpose::Payout, &format!("{} charged back", effect.id));
        let (fault, kind, id, amount) = match effect.kind {
            EffectKind::Chargeback => {
                ("psp: chargeback won back", EffectKind::WonBack, format!("{}-won", effect.id), effect.amount)
            }
            EffectKind::WonBack => {
                // `alpha` gives it the name of the first now and then; the lines of `beta` have ids of their own.
                let first = effect.id.trim_end_matches("-won");
                let is_alpha = self.transaction(effect.transaction).id.starts_with("alpha");
                let id = if is_alpha && dice.chance(500) { first.to_owned() } else { format!("{first}-2") };
                ("psp: payment charged back a second time", EffectKind::SecondChargeback, id, effect.amount)
            }
            EffectKind::Capture | EffectKind::Refund | EffectKind::Release | EffectKind::SecondChargeback => {
                // Of one thing of many, or of all.
                let share = dice.pick(&[20, 40, 100], 100);
                let amount = (effect.amount * share).div_euclid(100).max(1);
                ("psp: payment charged back", EffectKind::Chargeback, format!("{}-cb", effect.id), amount)
            }
        };
        self.fault(fault);
        self.record.effects.push(Effect {
            id,
            kind,
            amount,
            by: By::Psp,
            at: self.now,
            state: EffectState::Confirmed,
            confirmed_at: Some(self.now),
            failed_late: false,
            after_no: false,
            heard_at: None,
            ..effect
        });
    }

    fn when_told(&mut self, dice: &mut super::super::dice::Dice) -> (DateTime<Utc>, DateTime<Utc>) {
        let is_late = !self.is_closed && dice.chance(150);
        let told_at = if is_late { self.now + TimeDelta::hours(dice.between(20, 130)) } else { self.now };
        let is_partial = !self.is_closed && dice.chance(150);
        let whole_at = if is_partial { told_at + TimeDelta::hours(dice.between(10, 70)) } else { told_at };
        if is_late {
            self.fault("psp: payout told late");
        }
        (told_at, whole_at)
    }

    /// What is confirmed for good and in no payout, by currency.
    fn unpaid(&self, provider: &str) -> BTreeMap<&'static str, Vec<PaidLine>> {
        let paid: Vec<usize> =
            self.record.payouts.iter().flat_map(|payout| &payout.lines).map(|line| line.effect).collect();
        let may_fail: Vec<usize> = self
            .agenda
            .values()
            .filter_map(|happening| if let Happening::FailsLate(effect) = happening { Some(*effect) } else { None })
            .collect();
        let mut unpaid: BTreeMap<&'static str, Vec<PaidLine>> = BTreeMap::new();
        for (place, effect) in self.record.effects.iter().enumerate() {
            let transaction = self.transaction(effect.transaction);
            let is_final = effect.state == EffectState::Confirmed && !may_fail.contains(&place);
            if !is_final || paid.contains(&place) || !transaction.id.starts_with(provider) {
                continue;
            }
            if let Some(line) = paid_line(place, effect, provider) {
                unpaid.entry(transaction.currency).or_default().push(line);
            }
        }
        unpaid
    }

    pub(super) fn psp_tells_payouts(
        &mut self,
        provider: &str,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<ReportedPayout>, PortError> {
        self.pass(1);
        self.coverage.work("questions about payouts");
        let mut dice = self.dice(Purpose::Payout, &format!("{provider} asked"));
        if dice.chance(self.weather.dumb) {
            self.fault("psp: payouts not told");
            return Err(PortError::Unreachable { why: "HTTP 503".to_owned() });
        }
        let told = self.record.payouts.iter().filter(|payout| {
            payout.provider == provider && payout.told_at <= self.now && since.is_none_or(|since| payout.at >= since)
        });
        Ok(told.map(|payout| ReportedPayout { reference: payout.reference.clone(), paid_at: payout.at }).collect())
    }

    pub(super) fn psp_tells_lines(&mut self, asked: &ReportedPayout) -> Vec<Result<ReportLine, PortError>> {
        self.pass(1);
        let mut dice = self.dice(Purpose::Payout, &asked.reference);
        let Some(payout) = self.record.payouts.iter().find(|payout| payout.reference == asked.reference).cloned()
        else {
            return vec![Err(PortError::CannotTell { why: "there is no such payout".to_owned() })];
        };
        let mut lines = self.report(&payout);
        if self.now < payout.whole_at {
            self.fault("psp: report without all its lines");
            // With what was paid out already, or without.
            let (last, says_paid) = (lines.len(), dice.chance(500));
            let mut place = 0;
            lines.retain(|_| {
                place += 1;
                if place == last { says_paid } else { place % 2 == 1 }
            });
        }
        if dice.chance(300) {
            self.fault("psp: report in another order");
            lines.reverse();
        }
        let mut answers: Vec<Result<ReportLine, PortError>> = lines.into_iter().map(Ok).collect();
        if dice.chance(self.weather.dumb) {
            self.fault("psp: report broken off");
            answers.truncate(answers.len().div_ceil(2));
            answers.push(Err(PortError::Unreachable { why: "the connection was lost".to_owned() }));
        }
        answers
    }

    fn report(&self, payout: &PaidOut) -> Vec<ReportLine> {
        let Ok(currency) = Currency::parse(payout.currency) else { return Vec::new() };
        let decimal = |hundredths: i64| {
            let scale = u8::try_from(currency.exponent()).unwrap_or(0) + 2;
            Decimal::new(hundredths, scale).unwrap_or(Decimal::ZERO).shortest(scale - 2)
        };
        let of_account = |name: &str, kind, net: i64| ReportLine {
            number: 0,
            account: "".into(),
            payout: payout.reference.as_str().into(),
            has_own_id: payout.provider == "beta",
            transaction: "".into(),
            modification: format!("{}-{name}", payout.reference).into(),
            reference: "".into(),
            document: "".into(),
            kind,
            method: "".into(),
            occurred_at: payout.at,
            gross: None,
            net: (decimal(100 * net), currency),
            fees: Fees::default(),
            exchange_rate: "".into(),
            note: "".into(),
        };
        let mut lines: Vec<ReportLine> = Vec::new();
        for line in &payout.lines {
            let Some(effect) = self.record.effects.get(line.effect) else { continue };
            let transaction = self.transaction(effect.transaction);
            lines.push(ReportLine {
                transaction: transaction.id.as_str().into(),
                modification: effect.id.as_str().into(),
                reference: transaction.order.as_deref().unwrap_or_default().into(),
                method: transaction.method.into(),
                occurred_at: effect.confirmed_at.unwrap_or(effect.at),
                gross: Some((decimal(100 * line.gross), currency)),
                net: (decimal(100 * line.gross - line.fee_hundredths), currency),
                fees: Fees { total: decimal(line.fee_hundredths), ..Fees::default() },
                ..of_account("", line_kind(effect.kind), 0)
            });
        }
        if payout.fee != 0 {
            lines.push(of_account("fee", LineKind::Fee, -payout.fee));
        }
        if payout.reserve != 0 {
            let kind = if payout.reserve < 0 { LineKind::ReserveHeld } else { LineKind::ReserveReleased };
            lines.push(of_account("reserve", kind, payout.reserve));
        }
        lines.push(of_account("paid", LineKind::Payout, -payout.paid));
        for (number, line) in (1..).zip(&mut lines) {
            line.number = number;
        }
        lines
    }
}

fn paid_line(place: usize, effect: &Effect, provider: &str) -> Option<PaidLine> {
    let gross = match effect.kind {
        EffectKind::Capture | EffectKind::WonBack => effect.amount,
        EffectKind::Refund | EffectKind::Chargeback | EffectKind::SecondChargeback => -effect.amount,
        EffectKind::Release => return None,
    };
    let fee_hundredths = match (effect.kind, provider) {
        // 1.25 %, to the hundredth of a cent.
        (EffectKind::Capture, "alpha") => (5 * effect.amount).div_euclid(4),
        (EffectKind::Capture, _) => 100 * (3 * effect.amount).div_euclid(200),
        (
            EffectKind::Refund
            | EffectKind::Release
            | EffectKind::Chargeback
            | EffectKind::WonBack
            | EffectKind::SecondChargeback,
            _,
        ) => 0,
    };
    Some(PaidLine { effect: place, gross, fee_hundredths })
}

fn line_kind(kind: EffectKind) -> LineKind {
    match kind {
        EffectKind::Capture => LineKind::Sale,
        EffectKind::Refund => LineKind::Refund,
        EffectKind::Release => LineKind::Unknown,
        EffectKind::Chargeback => LineKind::Chargeback,
        EffectKind::WonBack => LineKind::ChargebackReversed,
        EffectKind::SecondChargeback => LineKind::SecondChargeback,
    }
}
