//! A shop whose invoices payjournal makes: what its orders sell, and the keys by which entries and payments are theirs.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::dice::Dice;
use super::super::record::{Act, Cancelled, Claim, Correction, IsFor, Sale, SaleKey, ShopOrder, ShopTerms};
use super::World;
use super::plan::{CURRENCIES, End, Event, Hand, METHODS, Method, OrderPlan, Wrong, hours, minutes};
use super::turns::BESIDE;

/// Percent; as `config.toml` has them.
const RATES: [i64; 3] = [19, 7, 0];

/// What an order sells and how it is paid.
#[derive(Debug, Clone)]
pub(super) struct Deal {
    lines: Vec<(i64, i64)>,
    key: SaleKey,
    email: bool,
    /// Its payments do not name it: their entry or key does.
    is_anonymous: bool,
}

impl OrderPlan {
    /// An order of such a shop; its dice are its own, too.
    pub(super) fn billed(mut dice: Dice, index: u32, start: DateTime<Utc>, days: u32, persons: u32) -> Self {
        let dice = &mut dice;
        let placed = start + TimeDelta::minutes(dice.between(0, i64::from(days) * 24 * 40));
        let lines: Vec<(i64, i64)> =
            (0..dice.between(1, 3)).map(|_| (dice.between(100, 20_000), dice.pick(&RATES, 19))).collect();
        let number = format!("SO-{index:04}");
        let key = match dice.below(10) {
            0..=3 => SaleKey::Entry(format!("K-{number}")),
            4..=6 => SaleKey::Payment(format!("K-{number}")),
            _ => SaleKey::Neither,
        };
        let is_anonymous = key != SaleKey::Neither && dice.chance(600);
        let mut plan = Self {
            number,
            placed,
            customer: format!("C{}", dice.below(6)),
            currency: dice.pick(&CURRENCIES, "EUR"),
            total: lines.iter().map(|(gross, _)| gross).sum(),
            terms: ShopTerms::Online,
            deal: Some(Deal { lines, key: key.clone(), email: !dice.chance(60), is_anonymous }),
            events: vec![(placed, Event::Placed)],
        };
        let mut is_claimed = true;
        if let SaleKey::Entry(_) = key {
            // Now and then the portal forgets it.
            is_claimed = !dice.chance(40);
            plan.is_claimed(dice, placed, is_claimed);
        }
        if key != SaleKey::Neither && dice.chance(60) {
            let taken = placed + hours(dice, 1, 120);
            plan.at(taken, Event::KeyTaken);
        }
        plan.is_settled(dice, placed, persons, is_anonymous, is_claimed);
        if dice.chance(60) {
            let cancelled = placed + hours(dice, 1, 100);
            plan.at(cancelled, Event::Cancelled(Cancelled::Full));
        }
        plan
    }

    /// Its customer may only authorise, and is charged for the invoice. Without its order nobody would capture it.
    pub(super) fn may_be_charged(&mut self, dice: &mut Dice) {
        let [card, ..] = METHODS;
        if self.deal.as_ref().is_none_or(|deal| deal.is_anonymous) || !dice.chance(400) {
            return;
        }
        for (_, event) in &mut self.events {
            if let Event::PageOpens { method, .. } = event {
                *method = card;
            }
        }
    }

    fn is_claimed(&mut self, dice: &mut Dice, placed: DateTime<Utc>, is_claimed: bool) {
        if !is_claimed {
            return;
        }
        let wrong = match dice.below(20) {
            0 => Some(Wrong::Customer),
            1 => Some(Wrong::Amount),
            _ => None,
        };
        self.at(placed + TimeDelta::minutes(1), Event::Claimed { wrong });
        match dice.below(25) {
            0 => {
                let again = placed + hours(dice, 1, 60);
                self.at(again, Event::Claimed { wrong: Some(Wrong::Second) });
            }
            1 => self.at(placed + TimeDelta::minutes(2), Event::ClaimCancelled),
            _ => {}
        }
    }

    /// One payment or two, for all of it, more or less; some that fail before.
    fn is_settled(
        &mut self,
        dice: &mut Dice,
        placed: DateTime<Utc>,
        persons: u32,
        is_anonymous: bool,
        is_claimed: bool,
    ) {
        let [_, _, instant, ..] = METHODS;
        let direct = METHODS[9];
        // Without its order nobody would capture it.
        let method = |dice: &mut Dice| if is_anonymous { direct } else { dice.pick(&[direct, instant], direct) };
        let mut at = placed + minutes(dice, 3, 600);
        let page = |dice: &mut Dice, method: Method, authorises: i64, end: End, hand| Event::PageOpens {
            method,
            authorises,
            end,
            ends_after: minutes(dice, 1, 200),
            hand,
        };
        if !is_claimed {
            return;
        }
        if dice.chance(200) {
            let end = dice.pick(&[End::Refused, End::Cancelled, End::Abandoned], End::Refused);
            let method = method(dice);
            let failed = page(dice, method, self.total, end, None);
            self.at(at, failed);
            at += minutes(dice, 240, 900);
        }
        let shares: &[i64] = match dice.below(20) {
            0..=1 => &[],
            2 => &[60],
            3 => &[130],
            4..=5 => &[40, 60],
            6 => &[50, 80],
            _ => &[100],
        };
        let mut left = self.total;
        for (nth, share) in (1..).zip(shares) {
            let is_last = nth == shares.len() && shares.iter().sum::<i64>() == 100;
            let authorises = if is_last { left } else { (self.total * share).div_euclid(100).max(1) };
            left -= authorises;
            let hand = dice.chance(persons).then(|| (hours(dice, 2, 200), Hand::Refunds(dice.pick(&[30, 100], 100))));
            let method = method(dice);
            let end = if dice.chance(60) { End::AuthorisedLate } else { End::Authorised };
            let paid = page(dice, method, authorises, end, hand);
            self.at(at, paid);
            at += minutes(dice, 10, 3_000);
        }
    }
}

impl World {
    /// An order was placed: what it sells, and how much more or less than it costs will be paid.
    pub(super) fn sold(&mut self, order: u32) {
        let Some(plan) = self.plans.get(&order) else { return };
        let Some(deal) = &plan.deal else { return };
        if !deal.email {
            self.coverage.fault("shop: customer without e-mail");
        }
        self.record.sales.push(Sale {
            order: plan.number.clone(),
            // Whether one has an address is the order's own dice: so is its customer.
            customer: if deal.email { plan.customer.clone() } else { format!("{}-N", plan.customer) },
            email: deal.email,
            lines: deal.lines.clone(),
            key: deal.key.clone(),
            told_at: None,
        });
    }

    fn sale(&self, order: u32) -> Option<&Sale> {
        let number = self.order_number(order)?;
        self.record.sales.iter().find(|sale| sale.order == number)
    }

    pub(super) fn claimed(&mut self, order: u32, wrong: Option<Wrong>) {
        let Some((sale, plan)) = self.sale(order).cloned().zip(self.plans.get(&order)) else { return };
        let SaleKey::Entry(key) = sale.key else { return };
        let (currency, total) = (plan.currency, plan.total);
        let reference = match wrong {
            Some(Wrong::Second) => format!("E-{}-2", sale.order),
            Some(Wrong::Customer | Wrong::Amount) | None => format!("E-{}", sale.order),
        };
        match wrong {
            Some(Wrong::Customer) => self.fault("shop: entry of another customer"),
            Some(Wrong::Amount) => self.fault("shop: entry over another amount"),
            Some(Wrong::Second) => self.fault("shop: two entries of one key"),
            None => {}
        }
        self.record.claims.push(Claim {
            reference,
            key,
            customer: if wrong == Some(Wrong::Customer) { "C-other".to_owned() } else { sale.customer },
            currency,
            amount: if wrong == Some(Wrong::Amount) { total + 7 } else { total },
            cancelled: false,
            told_at: None,
            cancelled_at: None,
            kept_at: None,
        });
    }

    /// Before anything is paid of it.
    pub(super) fn claim_cancelled(&mut self, order: u32) {
        let Some(reference) = self.order_number(order).map(|number| format!("E-{number}")) else { return };
        if let Some(claim) = self.record.claims.iter_mut().find(|claim| claim.reference == reference) {
            claim.cancelled = true;
            self.fault("shop: entry cancelled");
        }
    }

    /// Another order of the shop has the key of this one; it depends on no other order of the seed.
    pub(super) fn key_taken(&mut self, order: u32) {
        let Some((sale, plan)) = self.sale(order).cloned().zip(self.plans.get(&order)) else { return };
        let number = format!("{}-B", plan.number);
        let (gross, currency) = (plan.total, plan.currency);
        let twin = OrderPlan { number: number.clone(), placed: self.now, events: Vec::new(), ..plan.clone() };
        self.fault("shop: key used twice");
        self.plans.insert(order + BESIDE, twin);
        self.record.orders.push(ShopOrder {
            number: number.clone(),
            currency,
            total: gross,
            terms: ShopTerms::Online,
            cancelled: Cancelled::No,
            told: None,
            told_at: None,
        });
        self.record.sales.push(Sale { order: number, told_at: None, ..sale });
    }

    /// A person has corrected what payjournal billed: committed.
    pub(crate) fn is_corrected(&mut self, correction: Correction) {
        self.fault(match &correction.act {
            Act::Cancels => "person: cancelled an invoice",
            Act::Credits(lines) if lines.iter().any(|(_, part)| part.is_some()) => "person: credited a part of a line",
            Act::Credits(_) => "person: credited lines of an invoice",
            Act::Requests(_) => "person: asked for free money to be paid back",
            Act::Withdraws => "person: withdrew what was asked for",
        });
        self.record.corrections.push(correction);
    }

    /// What a payment of the order says of itself.
    pub(super) fn says_what_it_is_for(&mut self, order: u32, index: usize) {
        let Some((sale, deal)) =
            self.sale(order).cloned().zip(self.plans.get(&order).and_then(|plan| plan.deal.clone()))
        else {
            return;
        };
        let wanted = self.psp.wanted.get(&index).copied().unwrap_or_default();
        let total = sale.lines.iter().map(|(gross, _)| gross).sum::<i64>();
        if wanted > total {
            self.fault("shop: paid more than it costs");
        } else if wanted < total {
            self.fault("shop: paid in part");
        }
        let is_for = match sale.key {
            SaleKey::Entry(_) => IsFor::Entry(format!("E-{}", sale.order)),
            SaleKey::Payment(key) => IsFor::Key(key),
            SaleKey::Neither => IsFor::Order,
        };
        let transaction = self.transaction_mut(index);
        transaction.is_for = is_for;
        transaction.is_anonymous = deal.is_anonymous;
    }
}
