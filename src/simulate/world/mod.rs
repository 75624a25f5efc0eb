//! The world outside payjournal, with its own clock and its own books: a shop with its customers, PSPs, an ERP, mailboxes.
//!
//! Each file holds one side: what happens there by itself, how it answers payjournal, and how it fails. A side writes what
//! really happened into the [`Record`]; the auditor reads nothing else.

mod bills;
mod cleaning;
mod erp;
mod export;
mod hands;
mod pages;
mod payouts;
mod plan;
mod post;
mod psp;
mod rare;
mod shop;
mod standing;
mod turns;
mod unpaid;
mod weather;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

pub(super) use export::Batch;
pub(super) use weather::Weather;

use self::plan::OrderPlan;
use super::coverage::Coverage;
use super::dice::{About, Dice, Purpose, named};
use super::life::Shape;
use super::record::{Asked, Cleaning, Record, Transaction};
use super::stage::Place;
use crate::run::ports::Ports;

/// Everything outside.
#[derive(Debug)]
pub(super) struct World {
    pub now: DateTime<Utc>,
    pub record: Record,
    pub coverage: Coverage,
    pub weather: Weather,
    seed: u64,
    /// What will happen, by time and then in the order it was decided.
    agenda: BTreeMap<(DateTime<Utc>, u64), Happening>,
    decided: u64,
    plans: BTreeMap<u32, OrderPlan>,
    transactions: BTreeMap<String, usize>,
    psp: psp::Memory,
    erp: erp::Memory,
    exported: export::Memory,
    held: payouts::Held,
    wishes: cleaning::Memory,
    pages: pages::Memory,
    /// The shop is closed.
    is_closed: bool,
    /// How often each question was asked.
    asked: BTreeMap<(u64, u64), u32>,
}

/// Something that happens without payjournal.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Shop(u32, plan::Event),
    /// A transaction's page ends: what the customer and the issuer make of it.
    PageEnds(usize, plan::End),
    Expires(usize),
    Adjusts(usize),
    CapturesItself(usize),
    BackOffice(usize, plan::Hand),
    /// An accepted modification is settled.
    Settles(usize),
    FailsLate(usize),
    /// A call whose caller gave up is carried out after all.
    ActsLate(Box<crate::operation::request::PaymentRequest>),
    /// Somebody in the ERP works on a line of ours that is not posted.
    ChangesLine(String, erp::Change),
    /// A customer pays an invoice, whatever else was agreed.
    PaysInvoice(String),
    /// What a PSP said no to is done after all: the request, and what payjournal had been told when it made it.
    DoneAfterNo(Box<(crate::operation::request::PaymentRequest, Asked)>),
    /// A closing or deletion whose caller gave up is carried out after all.
    WishGranted(Box<(cleaning::Wish, cleaning::Asking)>),
    /// A PSP takes money on a page it had closed.
    PaysInSpite(usize),
    /// A PSP pays out what is settled.
    PaysOut(&'static str),
    /// A customer disputes a capture that was paid out, the shop wins it back, or the customer's bank takes it once more.
    Disputes(usize),
}

impl World {
    pub(super) fn new(shape: &Shape, start: DateTime<Utc>, cleaning: Option<Cleaning>) -> Self {
        let seed = shape.seed;
        let mut dice = Dice::new(seed, About::Seed);
        let weather = Weather::of(&mut dice).with_rarities(&mut Dice::new(seed, About::Rarities));
        let mut world = Self {
            now: start,
            record: Record { cleaning, ..Record::default() },
            coverage: Coverage::default(),
            psp: psp::Memory::of(&mut dice),
            weather,
            seed,
            agenda: BTreeMap::new(),
            decided: 0,
            plans: BTreeMap::new(),
            transactions: BTreeMap::new(),
            erp: erp::Memory::default(),
            exported: export::Memory::default(),
            held: payouts::Held::default(),
            wishes: cleaning::Memory::default(),
            pages: pages::Memory::default(),
            is_closed: false,
            asked: BTreeMap::new(),
        };
        world.plan_payouts();
        for order in &shape.orders {
            let dice = Dice::new(seed, About::Order(*order));
            let of = if shape.bills { OrderPlan::billed } else { OrderPlan::of };
            let mut plan = of(dice, *order, start, shape.planned_days, weather.persons);
            if shape.charges {
                plan.may_be_charged(&mut Dice::new(seed, About::Charge(*order)));
            }
            if shape.pages {
                plan.may_wait_for_its_invoice(&mut Dice::new(seed, About::Waiting(*order)));
            }
            if cleaning.is_some() {
                plan.may_be_neglected(&mut Dice::new(seed, About::Neglect(*order)));
            }
            world.plan_order(*order, plan);
        }
        world
    }

    /// Time passes, and what was due in it happens.
    pub(super) fn until(&mut self, then: DateTime<Utc>) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > then {
                break;
            }
            self.now = self.now.max(entry.key().0);
            let happening = entry.remove();
            self.happen(happening);
        }
        self.now = self.now.max(then);
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.until(self.now + TimeDelta::seconds(seconds));
    }

    /// The shop closes: what is under way at the PSPs comes to its end, and nothing new begins.
    pub(crate) fn closes(&mut self) {
        self.weather = self.weather.calm();
        self.is_closed = true;
        self.exported.held.clear();
        self.agenda.retain(|_, happening| match happening {
            Happening::Settles(_) | Happening::ActsLate(_) | Happening::WishGranted(_) => true,
            Happening::Shop(..)
            | Happening::PageEnds(..)
            | Happening::Expires(_)
            | Happening::Adjusts(_)
            | Happening::CapturesItself(_)
            | Happening::BackOffice(..)
            | Happening::Disputes(_)
            | Happening::FailsLate(_)
            | Happening::DoneAfterNo(_)
            | Happening::ChangesLine(..)
            | Happening::PaysOut(_)
            | Happening::PaysInSpite(_)
            | Happening::PaysInvoice(_) => false,
        });
        self.plan_last_payouts();
    }

    /// Something went wrong, or was done by somebody else.
    pub(crate) fn fault(&mut self, name: &'static str) {
        self.coverage.fault(name);
        let business = ["shop: ", "person: ", "psp: authori", "psp: captured by itself", "psp: payment "];
        if !business.iter().any(|start| name.starts_with(start)) {
            self.record.faults += 1;
        }
    }

    /// A run waits.
    pub(super) fn pause(&mut self, time: std::time::Duration) {
        let time = TimeDelta::from_std(time).unwrap_or_else(|_| TimeDelta::days(1));
        self.until(self.now + time);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Shop(order, event) => self.shop_event(order, &event),
            Happening::PageEnds(transaction, end) => self.page_ends(transaction, end),
            Happening::Expires(transaction) => self.expires(transaction),
            Happening::Adjusts(transaction) => self.adjusts(transaction),
            Happening::CapturesItself(transaction) => self.captures_itself(transaction),
            Happening::BackOffice(transaction, hand) => self.back_office(transaction, hand),
            Happening::Settles(effect) => self.settles(effect),
            Happening::FailsLate(effect) => self.fails_late(effect),
            Happening::ActsLate(request) => self.acts_late(&request),
            Happening::ChangesLine(number, change) => self.changes_line(&number, change),
            Happening::PaysInvoice(number) => self.pays_invoice(&number),
            Happening::WishGranted(wish) => drop(self.grant(&wish.0, wish.1)),
            Happening::PaysInSpite(transaction) => self.pays_in_spite(transaction),
            Happening::PaysOut(provider) => self.pays_out(provider),
            Happening::Disputes(effect) => self.disputes(effect),
            Happening::DoneAfterNo(asked) => self.done_after_no(&asked.0, asked.1),
        }
    }

    pub(super) fn decide(&mut self, at: DateTime<Utc>, happening: Happening) {
        self.decided += 1;
        self.agenda.insert((at, self.decided), happening);
    }

    /// Dice for the next call of a kind about one thing.
    fn dice(&mut self, purpose: Purpose, about: &str) -> Dice {
        let name = named(about);
        let before = self.asked.entry((purpose.number(), name)).or_default();
        *before += 1;
        Dice::new(self.seed, About::Call(purpose, name, *before))
    }

    #[expect(clippy::indexing_slicing, reason = "a transaction is never removed, and its number comes from here")]
    pub(super) fn transaction(&self, index: usize) -> &Transaction {
        &self.record.transactions[index]
    }

    #[expect(clippy::indexing_slicing, reason = "a transaction is never removed, and its number comes from here")]
    pub(super) fn transaction_mut(&mut self, index: usize) -> &mut Transaction {
        &mut self.record.transactions[index]
    }
}

/// The world as payjournal's ports reach it: from one run's place on the stage.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub world: Arc<Mutex<World>>,
    pub place: Place,
}

impl Door {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        // A killed run is never killed while it holds the world.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One question or request, with a moment before and after it.
    fn through<T>(&self, call: impl FnOnce(&mut World) -> T) -> T {
        self.place.moment();
        let answer = call(&mut self.world());
        self.place.moment();
        answer
    }

    pub(super) fn ports(&self) -> Ports {
        Ports {
            portal: None,
            providers: psp::providers(self),
            erp: Box::new(erp::Counter(self.clone())),
            post: Some(Box::new(post::Counter(self.clone()))),
        }
    }
}
