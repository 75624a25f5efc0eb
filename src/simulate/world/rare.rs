//! What PSPs do against their own word: what they had refused, another amount than they were asked for. Their lists tell the
//! truth of it later; their answers have no place for it.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::dice::{Dice, Purpose};
use super::super::record::{Asked, By};
use super::psp::{Outcome, effect_kind};
use super::{Happening, World};
use crate::operation::request::PaymentRequest;
use crate::operation::{Answer, Kind, Refusal};

impl World {
    /// A no that nothing in the books explains. Some days later somebody at the PSP may find that it was none.
    pub(super) fn says_no(&mut self, request: &PaymentRequest, no: &Refusal, dice: &mut Dice) -> Answer {
        let index = self.transactions.get(request.transaction.as_str()).copied();
        let asked = index.map(|index| self.asked_by_payjournal(index, request));
        let answer = self.act(request, Some(no));
        if let Some(asked) = asked.filter(|_| dice.chance(self.weather.done_after_no)) {
            let then = self.now + TimeDelta::hours(dice.between(1, 120));
            self.decide(then, Happening::DoneAfterNo(Box::new((request.clone(), asked))));
        }
        answer
    }

    /// Only where the books still allow it, and nothing else became of the key.
    pub(super) fn done_after_no(&mut self, request: &PaymentRequest, asked: Asked) {
        let Some(index) = self.transactions.get(request.transaction.as_str()).copied() else { return };
        let refused = |outcome: &Outcome| match outcome {
            Outcome::Refused(_) => true,
            Outcome::Effect(_) => false,
        };
        let key = request.key.as_str();
        let is_refused = self.psp.keys.get(key).is_some_and(|known| refused(&known.outcome));
        let (Some(kind), true) = (effect_kind(request.kind), is_refused) else { return };
        if self.objection(index, request).is_some() {
            return;
        }
        self.fault("psp: did what it had refused");
        let number = self.effect(index, kind, request.amount.minor(), By::Payjournal(asked));
        if let Some(effect) = self.record.effects.get_mut(number) {
            effect.after_no = true;
        }
        if let Some(known) = self.psp.keys.get_mut(key) {
            known.outcome = Outcome::Effect(number);
            known.at = self.now;
        }
    }

    /// What a PSP does of what it says yes to.
    pub(super) fn amount_done(&mut self, request: &PaymentRequest) -> i64 {
        let amount = request.amount.minor();
        let mut dice = self.dice(Purpose::Turn, request.key.as_str());
        let moves = matches!(request.kind, Kind::Capture | Kind::Refund);
        if !moves || amount < 2 || !dice.chance(self.weather.done_in_part) {
            return amount;
        }
        self.fault("psp: did another amount than asked");
        (amount * dice.pick(&[50, 90, 99], 90)).div_euclid(100).max(1)
    }

    /// The PSP does not know the key any more, and carries the request out again: no correct client comes back so late
    /// without having asked. Where a clock was wrong, an absence may have been believed too early.
    pub(super) fn comes_too_late(&mut self, key: &str, since: DateTime<Utc>) {
        if self.record.clock_jumps == 0 {
            let odd = format!("key {key} of {since} came again when it was not known any more");
            self.record.oddities.push(odd);
        }
    }
}
