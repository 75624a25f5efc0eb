//! How often what goes wrong, in thousandths.

use super::super::dice::Dice;

/// Rates per thousand calls, runs or events.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// The other side is not reached, or answers "too many requests": certainly not done.
    pub unreached: u32,
    /// No answer, and nothing done.
    pub silent_before: u32,
    /// No answer, and done.
    pub silent_after: u32,
    /// No answer, and done a few minutes later.
    pub late: u32,
    /// A definite no that nothing in the books explains.
    pub refused: u32,
    pub refused_for_now: u32,
    /// An accepted modification fails.
    pub fails: u32,
    /// A confirmed modification fails days later.
    pub fails_late: u32,
    /// A question is not answered.
    pub dumb: u32,
    /// A standing is some minutes old.
    pub stale: u32,
    /// The ERP's period is closed.
    pub closed: u32,
    pub killed: u32,
    pub overlaps: u32,
    pub clock_jumps: u32,
    /// Persons do by hand what payjournal does too.
    pub persons: u32,
    /// A PSP does after all what it said no to.
    pub done_after_no: u32,
    /// A PSP does a part of what it was asked for, and says yes.
    pub done_in_part: u32,
}

impl Weather {
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let strength = match dice.below(10) {
            0 => return Self::default(),
            1..=4 => 1,
            5..=7 => 3,
            _ => 8,
        };
        let mut rate = |most: u64| strength * u32::try_from(dice.below(most + 1)).unwrap_or(0);
        Self {
            unreached: rate(12),
            silent_before: rate(12),
            silent_after: rate(12),
            late: rate(8),
            refused: rate(5),
            refused_for_now: rate(5),
            fails: rate(15),
            fails_late: rate(10),
            dumb: rate(15),
            stale: rate(15),
            closed: rate(8),
            killed: rate(25),
            overlaps: rate(40),
            clock_jumps: rate(6),
            persons: rate(30),
            ..Self::default()
        }
    }

    /// What is rare goes wrong too, by dice of its own: the rest of the seed's story stays as it is without.
    pub(crate) fn with_rarities(self, dice: &mut Dice) -> Self {
        if self.fails == 0 && self.refused == 0 {
            return self;
        }
        let mut rate = |most: u64| u32::try_from(dice.below(most + 1)).unwrap_or(0);
        Self { done_after_no: rate(600), done_in_part: rate(12), ..self }
    }

    /// Nothing fails any more and no person interferes. Two runs at once are no fault.
    pub(crate) fn calm(self) -> Self {
        Self { overlaps: self.overlaps, ..Self::default() }
    }

    /// The first fate whose rate the dice hit; `None` is a good day.
    pub(crate) fn fate<T: Copy>(dice: &mut Dice, fates: &[(u32, T)]) -> Option<T> {
        let mut roll = dice.below(1000);
        for (rate, fate) in fates {
            let rate = u64::from(*rate);
            if roll < rate {
                return Some(*fate);
            }
            roll -= rate;
        }
        None
    }
}
