//! What happens to transactions without payjournal: customers and issuers, the PSP by itself, persons in its back office.

use chrono::TimeDelta;

use super::super::dice::Purpose;
use super::super::record::{By, EffectKind, EffectState};
use super::plan::{End, Hand};
use super::psp::refusal;
use super::{Happening, World};
use crate::config::settings::CHECKOUT_METHOD;

impl World {
    pub(super) fn page_ends(&mut self, index: usize, end: End) {
        // A page is paid once, and not any more when it is closed.
        if self.is_closed_page(index) || self.transaction(index).authorised_at.is_some() {
            return;
        }
        self.remember_before(index);
        let status = match end {
            End::Never => "open",
            End::Authorised => "authorised",
            End::AuthorisedLate => {
                self.decide(self.now + TimeDelta::hours(30), Happening::PageEnds(index, End::Authorised));
                "pending"
            }
            End::Pending => "pending",
            End::Refused => "refused",
            End::Cancelled => "cancelled",
            End::Abandoned => "expired",
            End::AbandonedAtFirst => {
                let mut dice = self.dice(Purpose::Outcome, &format!("{} expired", self.transaction(index).id));
                let then = self.now + TimeDelta::hours(dice.between(60, 170));
                self.decide(then, Happening::PageEnds(index, End::Authorised));
                "expired"
            }
            End::Error => {
                self.fault("psp: payment in error");
                "error"
            }
        };
        if status == "authorised" && self.transaction(index).status == "expired" {
            self.fault("psp: payment made after it had expired");
            self.transaction_mut(index).paid_after_end = true;
        }
        self.transaction_mut(index).status = status;
        if status != "authorised" {
            self.transaction_mut(index).authorised = 0;
            return;
        }
        self.authorised(index);
    }

    pub(super) fn authorised(&mut self, index: usize) {
        let mut dice = self.dice(Purpose::Outcome, &format!("{} authorised", self.transaction(index).id));
        let wanted = self.psp.wanted.get(&index).copied().unwrap_or_default();
        self.transaction_mut(index).authorised = wanted;
        self.transaction_mut(index).authorised_at = Some(self.now);
        let expires = self.now + TimeDelta::hours(dice.pick(&[5 * 24, 7 * 24, 28 * 24, 60 * 24], 28 * 24));
        self.decide(expires, Happening::Expires(index));
        // Not every PSP tells its deadline.
        if dice.chance(500) {
            self.transaction_mut(index).capture_before = Some(expires);
        }
        if dice.chance(self.weather.persons.div_euclid(4)) {
            self.decide(self.now + TimeDelta::hours(dice.between(1, 60)), Happening::Adjusts(index));
        }
        if matches!(self.transaction(index).method, "direct" | CHECKOUT_METHOD) {
            self.decide(self.now + TimeDelta::minutes(dice.between(0, 600)), Happening::CapturesItself(index));
        }
    }

    pub(super) fn captures_itself(&mut self, index: usize) {
        let left = self.left(index);
        if left > 0 {
            self.fault("psp: captured by itself");
            self.effect(index, EffectKind::Capture, left, By::Psp);
        }
    }

    pub(super) fn expires(&mut self, index: usize) {
        if self.transaction(index).status == "authorised" {
            self.remember_before(index);
            self.fault("psp: authorisation expired");
            self.transaction_mut(index).lapsed = true;
            let captured = self.live(index, EffectKind::Capture) > 0;
            self.transaction_mut(index).status = if captured { "captured" } else { "expired" };
        }
    }

    /// The customer agreed to another amount, or the issuer took some of it back.
    pub(super) fn adjusts(&mut self, index: usize) {
        let mut dice = self.dice(Purpose::Outcome, &format!("{} adjusted", self.transaction(index).id));
        if self.transaction(index).status != "authorised" || self.live(index, EffectKind::Capture) > 0 {
            return;
        }
        self.remember_before(index);
        self.fault("psp: authorised amount changed");
        let transaction = self.transaction_mut(index);
        let changed = transaction.authorised * dice.pick(&[50, 90, 110, 150], 110);
        transaction.authorised = changed.div_euclid(100).max(1);
        transaction.adjusted = true;
    }

    pub(super) fn back_office(&mut self, index: usize, hand: Hand) {
        if self.weather.persons == 0 {
            return;
        }
        let of = |amount: i64, share: i64| (amount * share).div_euclid(100);
        match hand {
            Hand::Captures(share) => {
                let left = self.left(index);
                let amount = if self.takes_parts(index) { of(left, share) } else { left };
                if amount > 0 {
                    self.fault("person: captured");
                    self.effect(index, EffectKind::Capture, amount, By::Person);
                }
            }
            Hand::Refunds(share) => {
                let left = self.confirmed_captures(index) - self.live(index, EffectKind::Refund);
                let amount = of(left, share);
                if amount > 0 {
                    self.fault("person: refunded");
                    self.effect(index, EffectKind::Refund, amount, By::Person);
                }
            }
            Hand::Releases => {
                let left = self.left(index);
                if left > 0 {
                    self.fault("person: released");
                    self.effect(index, EffectKind::Release, left, By::Person);
                }
            }
        }
    }

    /// An accepted modification comes to its end.
    pub(super) fn settles(&mut self, number: usize) {
        let Some(effect) = self.record.effects.get(number) else { return };
        let (index, id) = (effect.transaction, effect.id.clone());
        let mut dice = self.dice(Purpose::Outcome, &id);
        self.remember_before(index);
        let fails = dice.chance(self.weather.fails);
        if let Some(effect) = self.record.effects.get_mut(number) {
            effect.state = if fails { EffectState::Failed } else { EffectState::Confirmed };
            effect.confirmed_at = (!fails).then_some(self.now);
        }
        let no = fails.then(|| refusal("failed_at_settlement", false));
        self.psp.settled.insert(number, (self.now, no));
        if fails {
            self.fault("psp: accepted, failed");
        } else {
            self.may_fail_late(number, &mut dice);
        }
        self.stand(index);
    }

    /// The PSP takes back what it had confirmed.
    pub(super) fn fails_late(&mut self, number: usize) {
        let Some(effect) = self.record.effects.get_mut(number) else { return };
        if effect.state != EffectState::Confirmed || self.weather.fails_late == 0 {
            return;
        }
        effect.state = EffectState::Failed;
        effect.failed_late = true;
        let index = effect.transaction;
        self.fault("psp: confirmed, failed later");
        self.psp.settled.insert(number, (self.now, Some(refusal("failed_after_all", false))));
        self.stand(index);
    }
}
