//! A shop lives some weeks in which everything goes wrong that can, and an auditor checks every day that no money was taken
//! twice or lost.
//!
//! `world` is what is outside: shop, PSPs, ERP and mailboxes, each with its own books ([`record`]) and its own faults. The
//! tasks, operations, worker pool and ledger are the real ones: a simulated run enters at `run::perform`, just below
//! lock and log file, with the worlds as its ports. Every port call and every commit is a moment on the `stage`: the run may
//! die there, or another may go on. One seed is one exact history, on any machine.
//!
//! The `auditor` reads what really happened and the ledger's raw rows, and shares no code with the tasks: safety after every
//! day, and liveness after some quiet days at the end.
//!
//! # How a new task joins
//!
//! 1. What happens to it outside becomes a record in [`record`] and a side in `world`: what happens there by itself
//!    (`Happening`), how it answers, how it fails (a name in [`coverage::FAULTS`] for each way).
//! 2. What must hold becomes functions in `auditor`, each with a name in its list of invariants and a planted violation in
//!    its tests. Nothing of the task's own code is used there.
//! 3. The task's [`crate::config::settings::TaskName`] makes it run in every round by itself. (`settlements` has an evening run of
//!    its own: so the histories of seeds from before it stayed what they were.)
//!    `finalize-invoices` is for shops of its own ([`Shape::bills`]), one seed in three: a ledger bills all of its shop's orders, or
//!    the ERP does; in half of them some customers only authorise, and are charged for the invoice ([`Shape::charges`]),
//!    in three of five persons take invoices back, credit lines of them and have free money paid back ([`Shape::corrects`]), and in a
//!    third invoices bring a payment page ([`Shape::pages`]). `cleanup-unpaid` is for one shop in four ([`Shape::cleans`]), whether it bills or not, and runs on its own, too.
//! 4. At least one planted bug in `tests/planted` shows that it would be caught.

pub mod auditor;
mod correcting;
pub mod coverage;
mod dice;
mod explain;
mod job;
mod life;
pub mod record;
mod shrink;
mod stage;
mod world;

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use coverage::Coverage;
pub use life::{Failure, Ground, Life, Shape, live};
pub use shrink::shrink;

use crate::config::{self, Settings};
use crate::failure::{Failure as Refusal, Result};

/// Which seeds to live through, and how long a life is.
#[derive(Debug, Clone)]
pub struct Plan {
    pub first_seed: u64,
    pub seeds: u64,
    /// Days with faults; quiet days follow.
    pub days: u32,
    /// The days the orders are spread over.
    pub planned_days: u32,
    /// The orders that are placed, by their numbers.
    pub orders: Vec<u32>,
    /// Whether payjournal makes the shops' invoices; none: in one of three, as the seed says.
    pub bills: Option<bool>,
    /// Whether the shops clean up; none: one of four, as the seed says.
    pub cleans: Option<bool>,
    /// Whether shops that payjournal bills charge for the invoice; none: half of them, as the seed says.
    pub charges: Option<bool>,
    /// Whether persons correct what payjournal billed; none: in three of five of these shops, as the seed says.
    pub corrects: Option<bool>,
    /// Whether invoices that payjournal makes bring a payment page; none: in a third of these shops, as the seed says.
    pub pages: Option<bool>,
    pub threads: usize,
}

#[derive(Debug, Default)]
pub struct Report {
    pub seeds: u64,
    pub coverage: Coverage,
    /// Of all histories together: the same seeds, the same digest.
    pub digest: String,
    /// The failing seed with the lowest number, as small as it could be made.
    pub failure: Option<(Shape, Failure)>,
}

/// The settings every simulated shop starts from.
pub fn settings() -> Result<Settings> {
    let path = Path::new("simulated.toml");
    Ok(config::parse(include_str!("config.toml"), path, &Path::new("/").join(path))?.settings)
}

impl Report {
    /// Whatever order the seeds come to their end in.
    fn add_digest(&mut self, digest: &str) {
        let number = |text: &str| u64::from_str_radix(text.get(..16).unwrap_or_default(), 16).unwrap_or(0);
        self.digest = format!("{:016x}", number(&self.digest).wrapping_add(number(digest)));
    }
}

fn bills(seed: u64) -> bool {
    dice::Dice::new(seed, dice::About::Billing).chance(333)
}

fn cleans(seed: u64) -> bool {
    dice::Dice::new(seed, dice::About::Cleaning).chance(250)
}

fn charges(seed: u64) -> bool {
    dice::Dice::new(seed, dice::About::Charging).chance(500)
}

fn corrects(seed: u64) -> bool {
    dice::Dice::new(seed, dice::About::Corrections).chance(600)
}

fn pages(seed: u64) -> bool {
    dice::Dice::new(seed, dice::About::Paging).chance(333)
}

impl Plan {
    pub fn shape(&self, seed: u64) -> Shape {
        let bills = self.bills.unwrap_or_else(|| bills(seed));
        let cleans = self.cleans.unwrap_or_else(|| cleans(seed));
        let charges = bills && self.charges.unwrap_or_else(|| charges(seed));
        let corrects = bills && self.corrects.unwrap_or_else(|| corrects(seed));
        let pages = bills && self.pages.unwrap_or_else(|| pages(seed));
        let orders = self.orders.clone();
        Shape {
            seed,
            days: self.days,
            planned_days: self.planned_days,
            orders,
            bills,
            cleans,
            charges,
            corrects,
            pages,
        }
    }
}

/// Lives through all seeds until one fails. `told` is called after each with the number of seeds lived through; `false` ends it.
pub fn simulate(plan: &Plan, told: &(dyn Fn(u64) -> bool + Sync)) -> Result<Report> {
    let settings = settings()?;
    let next = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let report = Mutex::new(Report::default());
    let failed: Mutex<Option<(Shape, Life)>> = Mutex::new(None);
    let broken: Mutex<Option<String>> = Mutex::new(None);
    let work = || {
        let mut ground = Ground::default();
        while !over.load(Ordering::SeqCst) {
            let nth = next.fetch_add(1, Ordering::SeqCst);
            // After the last number there is no seed.
            let Some(seed) = plan.first_seed.checked_add(nth).filter(|_| nth < plan.seeds) else { return };
            let shape = plan.shape(seed);
            match live(&shape, &settings, &mut ground) {
                Ok(mut life) => {
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    report.seeds += 1;
                    report.add_digest(&life.digest);
                    report.coverage.add(&std::mem::take(&mut life.coverage));
                    if life.failure.is_some() {
                        over.store(true, Ordering::SeqCst);
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        if failed.as_ref().is_none_or(|(other, _)| other.seed > seed) {
                            *failed = Some((shape, life));
                        }
                    }
                    if !told(report.seeds) {
                        over.store(true, Ordering::SeqCst);
                    }
                }
                Err(error) => {
                    over.store(true, Ordering::SeqCst);
                    *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("seed {seed}: {error}"));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(work);
        }
    });
    if let Some(error) = broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(Refusal::bug(anyhow::anyhow!("the simulation itself failed: {error}")));
    }
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((shape, life)) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let (shape, life) = shrink(shape, life, &settings);
        report.failure = life.failure.map(|failure| (shape, failure));
    }
    Ok(report)
}
