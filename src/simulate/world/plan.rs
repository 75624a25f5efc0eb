//! One order's life as the seed means it: who pays when and how, what is shipped and invoiced, what is cancelled, credited,
//! and done by hand.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::dice::Dice;
use super::super::record::{Cancelled, Partial, ShopTerms, Trigger};
use super::bills::Deal;

/// A payment method of the simulated shop, as `config.toml` beside this folder has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method {
    pub name: &'static str,
    pub provider: &'static str,
    pub trigger: Trigger,
    pub partial: Partial,
    pub refundable: bool,
}

const fn method(name: &'static str, provider: &'static str, trigger: Trigger, partial: Partial) -> Method {
    Method { name, provider, trigger, partial, refundable: true }
}

pub(super) const METHODS: [Method; 10] = [
    method("card", "alpha", Trigger::Invoice, Partial::Many),
    method("parcel", "alpha", Trigger::Shipment, Partial::Many),
    method("instant", "alpha", Trigger::Authorisation { days: 0 }, Partial::Many),
    method("later", "alpha", Trigger::Authorisation { days: 3 }, Partial::Many),
    method("whole", "alpha", Trigger::Invoice, Partial::No),
    Method { refundable: false, ..method("final", "alpha", Trigger::Invoice, Partial::Many) },
    method("manual", "alpha", Trigger::Never, Partial::Many),
    method("wallet", "beta", Trigger::Invoice, Partial::Once),
    // Accepts that the rest lapses: nothing holds a part back.
    method("split", "beta", Trigger::Invoice, Partial::Many),
    method("direct", "beta", Trigger::Never, Partial::Many),
];

pub(super) const CURRENCIES: [&str; 5] = ["EUR", "USD", "JPY", "KWD", "SEK"];

#[derive(Debug, Clone)]
pub(super) struct OrderPlan {
    pub number: String,
    pub placed: DateTime<Utc>,
    pub customer: String,
    pub currency: &'static str,
    pub total: i64,
    pub terms: ShopTerms,
    /// What it sells, where payjournal makes the invoice.
    pub deal: Option<Deal>,
    pub events: Vec<(DateTime<Utc>, Event)>,
}

/// What happens to an order, if it still can.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Placed,
    /// The customer opens a payment page.
    PageOpens {
        method: Method,
        authorises: i64,
        end: End,
        ends_after: TimeDelta,
        hand: Option<(TimeDelta, Hand)>,
    },
    /// A customer on account pays the invoices that are open.
    InvoicePaid {
        method: Method,
        ends_after: TimeDelta,
    },
    Shipped {
        share: i64,
        last: bool,
    },
    Invoiced {
        share: i64,
        last: bool,
    },
    /// A share of the order's nth invoice is credited.
    Credited {
        nth: usize,
        share: i64,
    },
    TotalChanged {
        by: i64,
    },
    Cancelled(Cancelled),
    /// The customer pays a share of an invoice to the bank, or a person pays a credit note out.
    ByHand {
        kind: &'static str,
        share: i64,
    },
    /// The portal makes an entry with the order's key.
    Claimed {
        wrong: Option<Wrong>,
    },
    ClaimCancelled,
    /// Another order comes with the same key.
    KeyTaken,
}

/// What does not fit the order in an entry with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Customer,
    Amount,
    /// There is one already.
    Second,
}

/// How a payment page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Authorised,
    /// First pending for a while.
    AuthorisedLate,
    /// It has not ended: the bank, or the customer, takes its time.
    Pending,
    Refused,
    Cancelled,
    Abandoned,
    /// Abandoned at first; the money comes after days all the same, as a bank transfer does.
    AbandonedAtFirst,
    Error,
    /// Nobody ever comes back to it, and it stays open.
    Never,
}

/// Something a person does in the PSP's back office, with a share of what is left, in hundredths.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hand {
    Captures(i64),
    Refunds(i64),
    Releases,
}

impl OrderPlan {
    pub(super) fn of(mut dice: Dice, index: u32, start: DateTime<Utc>, days: u32, persons: u32) -> Self {
        let dice = &mut dice;
        let placed = start + TimeDelta::minutes(dice.between(0, i64::from(days) * 24 * 40));
        let total = dice.between(300, 60_000);
        let terms = match dice.below(20) {
            0..=1 => ShopTerms::OnAccount,
            2..=4 => ShopTerms::Prepayment(dice.pick(&[1_000, 2_500, 3_333, 5_000], 3_000)),
            _ => ShopTerms::Online,
        };
        let mut plan = Self {
            number: format!("SO-{index:04}"),
            placed,
            customer: format!("C{}", dice.below(30)),
            currency: dice.pick(&CURRENCIES, "EUR"),
            total,
            terms,
            deal: None,
            events: vec![(placed, Event::Placed)],
        };
        plan.is_paid(dice, placed, persons);
        plan.is_delivered(dice, placed, persons);
        plan
    }

    pub(super) fn at(&mut self, at: DateTime<Utc>, event: Event) {
        self.events.push((at, event));
    }

    fn is_paid(&mut self, dice: &mut Dice, placed: DateTime<Utc>, persons: u32) {
        if self.terms == ShopTerms::OnAccount {
            let method = self.method(dice);
            let at = placed + hours(dice, 30, 300);
            self.at(at, Event::InvoicePaid { method, ends_after: minutes(dice, 1, 90) });
            return;
        }
        let attempts = match dice.below(10) {
            0 => 3,
            1 | 2 => 2,
            _ => 1,
        };
        let mut at = placed + minutes(dice, 1, 60);
        for nth in 1..=attempts {
            let last = nth == attempts;
            let end = match dice.below(20) {
                0 if last => End::Abandoned,
                1 if last => End::Error,
                0..=1 => End::Refused,
                2..=3 if !last => End::Cancelled,
                4..=7 if !last => End::Abandoned,
                2 => End::AuthorisedLate,
                _ => End::Authorised,
            };
            let method = self.method(dice);
            let share = match dice.below(25) {
                0 => 80,
                1 => 110,
                _ => 100,
            };
            let due = match self.terms {
                ShopTerms::Prepayment(basis_points) => (self.total * basis_points + 5_000).div_euclid(10_000),
                ShopTerms::Online | ShopTerms::OnAccount => self.total,
            };
            let hand = dice.chance(persons).then(|| {
                let hand = match dice.below(4) {
                    0 => Hand::Releases,
                    1 => Hand::Refunds(dice.pick(&[30, 100], 100)),
                    _ => Hand::Captures(dice.pick(&[25, 50, 100], 100)),
                };
                (hours(dice, 2, 200), hand)
            });
            let authorises = (due * share).div_euclid(100).max(1);
            self.at(at, Event::PageOpens { method, authorises, end, ends_after: minutes(dice, 1, 200), hand });
            // Now and then the customer comes back after days, and the order may be cancelled by then.
            at += if dice.chance(200) { hours(dice, 48, 240) } else { minutes(dice, 5, 400) };
        }
    }

    fn method(&self, dice: &mut Dice) -> Method {
        let [card, _, instant, ..] = METHODS;
        match self.terms {
            ShopTerms::Prepayment(_) => dice.pick(&[instant, METHODS[9]], instant),
            ShopTerms::Online | ShopTerms::OnAccount if dice.chance(300) => card,
            ShopTerms::Online | ShopTerms::OnAccount => dice.pick(&METHODS, card),
        }
    }

    fn is_delivered(&mut self, dice: &mut Dice, placed: DateTime<Utc>, persons: u32) {
        if dice.chance(80) {
            let at = placed + hours(dice, 1, 40);
            self.at(at, Event::TotalChanged { by: dice.between(-200, 400) });
        }
        let parts = match dice.below(10) {
            0..=5 => 1,
            6..=8 => 2,
            _ => 3,
        };
        let mut at = placed + hours(dice, 4, 90);
        let all_delivered = !dice.chance(120);
        for nth in 1..=parts {
            let share = if nth == parts { 100 } else { dice.between(20, 50) };
            let last = nth == parts && all_delivered;
            self.at(at, Event::Shipped { share, last });
            let invoiced = at + hours(dice, 0, 20);
            self.at(invoiced, Event::Invoiced { share, last });
            if dice.chance(persons) {
                let share = dice.pick(&[20, 50, 100], 100);
                self.at(invoiced + hours(dice, 0, 72), Event::ByHand { kind: "invoice", share });
            }
            at = invoiced + hours(dice, 1, 100);
        }
        if !all_delivered || dice.chance(60) {
            let kind = if dice.chance(400) { Cancelled::Full } else { Cancelled::Rest };
            let cancelled = placed + hours(dice, 1, 200);
            self.at(cancelled, Event::Cancelled(kind));
        }
        for _ in 0..dice.pick(&[0, 0, 0, 0, 1, 1, 2], 0) {
            let share = dice.pick(&[10, 40, 60, 100], 100);
            let nth = dice.index(parts);
            let credited = at + hours(dice, 1, 120);
            self.at(credited, Event::Credited { nth, share });
            if dice.chance(persons) {
                self.at(credited + hours(dice, 0, 48), Event::ByHand { kind: "credit_note", share: 100 });
            }
        }
    }
}

pub(super) fn minutes(dice: &mut Dice, least: i64, most: i64) -> TimeDelta {
    TimeDelta::minutes(dice.between(least, most))
}

pub(super) fn hours(dice: &mut Dice, least: i64, most: i64) -> TimeDelta {
    TimeDelta::minutes(dice.between(least * 60, most * 60))
}
