//! The seed's dice. Each question has dice of its own, named by what it is about, so that leaving an order out of a
//! simulation does not change what happens to the others: a failing seed can shrink.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// Values that are the same on every machine and with every version.
#[derive(Debug, Clone)]
pub(super) struct Dice(ChaCha8Rng);

/// What dice decide about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    /// How bad the seed's weather is, and the shop's habits.
    Seed,
    /// One order's life.
    Order(u32),
    /// The fate of one call about a transaction, document, journal or mail, by its name and how many there were before.
    Call(Purpose, u64, u32),
    /// How often a day's runs are started.
    Day(u32),
    /// What happens in one round of runs of a day.
    Round(u32, u32),
    /// Who goes on at each moment of a round.
    Baton(u32, u32),
    /// What persons do on a day.
    Person(u32, u32),
    /// A day's run of settlements.
    Settling(u32),
    /// How often the rarest things go wrong.
    Rarities,
    /// Who makes the shop's invoices, and when.
    Billing,
    /// Whether the shop cleans up, and how.
    Cleaning,
    /// A day's run of clean-up.
    CleaningUp(u32),
    /// Whether an order is left unpaid, where the shop cleans up.
    Neglect(u32),
    /// Whether customers of a shop that payjournal bills may be charged for the invoice.
    Charging,
    /// Whether an order's customer is.
    Charge(u32),
    /// Whether persons take back what payjournal billed.
    Corrections,
    /// What they take back in one round of a day.
    Correcting(u32, u32),
    /// Whether invoices of a shop that payjournal bills bring a payment page.
    Paging,
    /// Whether an order's customer waits for it.
    Waiting(u32),
}

/// Which question of one thing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Send,
    LookUp,
    Standing,
    Outcome,
    Outstanding,
    /// Whether its story takes an unusual turn.
    Turn,
    Payout,
}

impl Dice {
    pub(super) fn new(seed: u64, about: About) -> Self {
        let (kind, first, second) = match about {
            About::Seed => (1, 0, 0),
            About::Order(order) => (2, u64::from(order), 0),
            About::Call(purpose, name, before) => (10 + purpose.number(), name, u64::from(before)),
            About::Day(day) => (3, u64::from(day), 0),
            About::Round(day, round) => (4, u64::from(day), u64::from(round)),
            About::Baton(day, round) => (5, u64::from(day), u64::from(round)),
            About::Person(day, round) => (6, u64::from(day), u64::from(round)),
            About::Rarities => (7, 0, 0),
            About::Settling(day) => (8, u64::from(day), 0),
            About::Billing => (9, 0, 0),
            // 10 and what follows are calls.
            About::Cleaning => (30, 0, 0),
            About::CleaningUp(day) => (31, u64::from(day), 0),
            About::Neglect(order) => (32, u64::from(order), 0),
            About::Charging => (33, 0, 0),
            About::Charge(order) => (34, u64::from(order), 0),
            About::Corrections => (35, 0, 0),
            About::Correcting(day, round) => (36, u64::from(day), u64::from(round)),
            About::Paging => (37, 0, 0),
            About::Waiting(order) => (38, u64::from(order), 0),
        };
        let mut key = [0; 32];
        for (place, word) in key.chunks_exact_mut(8).zip([seed, kind, first, second]) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// One of `0..count`; 0 if there is nothing to choose from.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(count);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    pub(super) fn index(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(0);
        usize::try_from(self.below(count)).unwrap_or(0)
    }

    /// Both ends included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most - least + 1).unwrap_or(1);
        least + i64::try_from(self.below(span)).unwrap_or(0)
    }

    pub(super) fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < u64::from(permille)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        let index = self.index(from.len());
        from.get(index).copied().unwrap_or(otherwise)
    }
}

impl Purpose {
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Send => 0,
            Self::LookUp => 1,
            Self::Standing => 2,
            Self::Outcome => 3,
            Self::Outstanding => 4,
            Self::Turn => 5,
            Self::Payout => 6,
        }
    }
}

/// A name as a number, the same on every machine.
pub(super) fn named(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
