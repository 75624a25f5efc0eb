//! A shop that cleans up: which orders it wants to be rid of, and customers who do not pay, or much later.

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::super::dice::{About, Dice};
use super::super::record::Cleaning;
use super::World;
use super::plan::{End, Event, Hand, OrderPlan, hours};

/// What becomes of an order that is not paid at once.
#[derive(Debug, Clone, Copy)]
enum Neglect {
    /// Its pages stay open, or expire.
    Never,
    /// The PSP, or the customer, says no.
    Refused,
    /// Its page stays open for days, and is paid then.
    PaidLate,
    /// The customer comes back after days, to a new page.
    PaidAnew,
    /// The money comes after days, when the PSP has called it expired long ago.
    PaidAfterEnd,
    /// The money is on its way for days.
    Pending,
}

impl Cleaning {
    pub(in crate::simulate) fn of(seed: u64, zone: Tz) -> Self {
        let mut dice = Dice::new(seed, About::Cleaning);
        // Whether it cleans up at all was the first throw.
        dice.below(1_000);
        Self {
            older_than_days: u32::try_from(dice.between(3, 6)).unwrap_or(6),
            include_cancelled: dice.chance(400),
            without_payment: dice.chance(400),
            zone,
            quarantine_days: dice.pick(&[0, 0, 0, 1, 2], 0),
            most: dice.pick(&[1, 100, 100, 100], 100),
            restores: dice.chance(500),
        }
    }
}

impl World {
    /// A page opens that keeps its order unpaid for long, or was long in coming.
    pub(super) fn is_unpaid_long(&mut self, order: u32, end: End, ends_after: TimeDelta) {
        let placed = self.plans.get(&order).map_or(self.now, |plan| plan.placed);
        let name = match end {
            End::Never => "shop: page left open",
            End::Authorised if ends_after > TimeDelta::days(1) => "shop: page open for days",
            End::Authorised if self.now - placed > TimeDelta::days(2) => "shop: paid on a new page after days",
            End::Authorised
            | End::AuthorisedLate
            | End::Pending
            | End::Refused
            | End::Cancelled
            | End::Abandoned
            | End::AbandonedAtFirst
            | End::Error => return,
        };
        self.fault(name);
    }
}

impl OrderPlan {
    /// In a shop that cleans up, one order in three is not paid as it would have been.
    pub(super) fn may_be_neglected(&mut self, dice: &mut Dice) {
        if !dice.chance(350) {
            return;
        }
        let kinds = [
            Neglect::Never,
            Neglect::Never,
            Neglect::Never,
            Neglect::Refused,
            Neglect::PaidLate,
            Neglect::PaidLate,
            Neglect::PaidAnew,
            Neglect::PaidAnew,
            Neglect::PaidAfterEnd,
            Neglect::PaidAfterEnd,
            Neglect::Pending,
        ];
        let neglect = dice.pick(&kinds, Neglect::Never);
        let mut anew = None;
        for (at, event) in &mut self.events {
            let Event::PageOpens { end, ends_after, hand, .. } = event else { continue };
            *hand = None::<(TimeDelta, Hand)>;
            match neglect {
                Neglect::Never => *end = dice.pick(&[End::Never, End::Never, End::Abandoned], End::Never),
                Neglect::Refused => *end = dice.pick(&[End::Refused, End::Cancelled], End::Refused),
                Neglect::PaidLate => {
                    *end = End::Authorised;
                    *ends_after = hours(dice, 30, 400);
                }
                Neglect::PaidAfterEnd => *end = End::AbandonedAtFirst,
                Neglect::Pending => *end = End::Pending,
                Neglect::PaidAnew => {
                    *end = dice.pick(&[End::Never, End::Abandoned], End::Never);
                    let Event::PageOpens { method, authorises, .. } = event else { continue };
                    anew = Some((*at + hours(dice, 60, 500), *method, *authorises));
                }
            }
        }
        if let Some((at, method, authorises)) = anew {
            let ends_after = TimeDelta::minutes(dice.between(1, 90));
            self.at(at, Event::PageOpens { method, authorises, end: End::Authorised, ends_after, hand: None });
        }
    }
}
