//! One seed's shop from its first day to its last, and some quiet days more: what can finish must have finished then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::auditor::{self, Violation};
use super::coverage::Coverage;
use super::dice::{About, Dice};
use super::job::{End, Job};
use super::record::{Cleaning, EffectKind, EffectState};
use super::stage::Stage;
use super::world::{Door, World};
use crate::config::Settings;
use crate::config::settings::TaskName;
use crate::domain::id::ProviderName;
use crate::domain::invoice::BillWhen;
use crate::ledger::rows::Rows;
use crate::ledger::{Ledger, LedgerError, ReusedLedger, Surroundings};
use crate::operation::key::hexadecimal;
use crate::run::books;

/// Days without faults after which everything must have come to its end.
const QUIET_DAYS: u32 = 9;
/// So many more where something was still done of late: an authorisation may run out, and another payment be taken instead.
const MOST_QUIET_DAYS: u32 = 40;
/// What was done at a PSP is settled and learnt after so long.
const LEARNT_AFTER: TimeDelta = TimeDelta::days(4);
/// `payjournal verify` looks after so many days, and on the last.
const VERIFIED_EVERY: u32 = 20;
/// Runs at once, at most.
const MOST_AT_ONCE: usize = 3;
/// Where an operation may be this old, and live to be asked about again.
const LONG_VALID: u32 = 90;

/// Which history to live through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub struct Shape {
    pub seed: u64,
    /// Days with faults.
    pub days: u32,
    /// The days the orders are spread over; `days` or more.
    pub planned_days: u32,
    /// The orders that are placed, by their numbers.
    pub orders: Vec<u32>,
    /// Payjournal makes the shop's invoices, and not its ERP.
    pub bills: bool,
    /// The shop wants to be rid of orders nobody paid.
    pub cleans: bool,
    /// Where payjournal makes the invoices, some customers only authorise, and are charged for the invoice.
    pub charges: bool,
    /// Where payjournal makes the invoices, persons take some of them back, in whole or in part, and have free money paid back.
    pub corrects: bool,
    /// Where payjournal makes the invoices, what is open of one can be paid on a page, which comes with its mail.
    pub pages: bool,
}

#[derive(Debug)]
pub struct Life {
    pub coverage: Coverage,
    pub failure: Option<Failure>,
    /// Of everything outside and in the ledger at the end: the same history, the same digest.
    pub digest: String,
}

/// The first day on which something was not as it must be.
#[derive(Debug)]
pub struct Failure {
    pub day: u32,
    pub violations: Vec<Violation>,
    pub explanation: String,
}

/// What one shop after another lives on, with nothing of the one before it left.
#[derive(Debug, Default)]
pub struct Ground(Option<ReusedLedger>);

impl Ground {
    fn renewed(&mut self, settings: &Settings, first_day: DateTime<Utc>) -> Result<&mut [Ledger], String> {
        let said = |error: LedgerError| error.to_string();
        let books = books(settings);
        let ledger = match &mut self.0 {
            Some(used) => {
                used.renew(&books, first_day).map_err(said)?;
                used
            }
            empty @ None => empty.insert(ReusedLedger::open(MOST_AT_ONCE, &books, first_day).map_err(said)?),
        };
        Ok(ledger.connections())
    }
}

struct Shop<'g> {
    world: Arc<Mutex<World>>,
    ledgers: &'g mut [Ledger],
    settings: Settings,
    shape: Shape,
    zone: Tz,
    first_day: DateTime<Utc>,
    /// Operations are given up so soon that facts are missed on purpose: what is not learnt is no violation then.
    impatient: bool,
}

/// Lives through one seed.
pub fn live(shape: &Shape, settings: &Settings, ground: &mut Ground) -> Result<Life, String> {
    let mut shop = Shop::open(shape, settings, ground)?;
    let mut day = 0;
    loop {
        let failure = shop.day(day);
        if failure.is_some() || shop.is_at_rest(day) {
            return shop.close(failure);
        }
        day += 1;
    }
}

impl<'g> Shop<'g> {
    fn open(shape: &Shape, settings: &Settings, ground: &'g mut Ground) -> Result<Self, String> {
        let mut dice = Dice::new(shape.seed, About::Seed);
        let year_of_trouble = ["2026-03-20", "2026-10-15", "2026-12-15", "2028-02-15", "2027-06-01"];
        let first = dice.pick(&year_of_trouble, "2027-06-01");
        let zone = dice.pick(&[Tz::Europe__Berlin, Tz::America__New_York, Tz::UTC, Tz::Asia__Tokyo], Tz::UTC);
        let impatient = dice.chance(120);
        let first_day = format!("{first}T00:00:00Z").parse::<DateTime<Utc>>().map_err(|error| error.to_string())?;
        let mut settings = settings.clone();
        settings.time_zone = zone;
        for task in settings.tasks.values_mut() {
            task.transaction_valid_days = if impatient { 4 } else { LONG_VALID };
        }
        let cleaning = shape.cleans.then(|| Cleaning::of(shape.seed, zone));
        if let Some(cleaning) = cleaning {
            settings.cleanup.enabled = true;
            settings.cleanup.older_than_days = cleaning.older_than_days;
            settings.cleanup.include_cancelled = cleaning.include_cancelled;
            settings.cleanup.without_payment = cleaning.without_payment;
            settings.cleanup.quarantine_days = cleaning.quarantine_days;
            settings.cleanup.max_deletions = cleaning.most;
        }
        let mut world = World::new(shape, first_day, cleaning);
        if shape.bills {
            settings.invoices.enabled = true;
            let paid_only = !shape.pages && Dice::new(shape.seed, About::Billing).chance(600);
            settings.invoices.payment_page =
                shape.pages.then(|| ProviderName::parse("alpha")).transpose().map_err(|error| error.to_string())?;
            settings.invoices.bill_when = if paid_only { vec![BillWhen::OrderPaid] } else { Vec::new() };
            world.record.bills_paid_only = paid_only;
        }
        if impatient && world.weather.dumb > 0 {
            world.weather.dumb = 950;
        }
        let ledgers = ground.renewed(&settings, first_day)?;
        let world = Arc::new(Mutex::new(world));
        Ok(Self { world, ledgers, settings, shape: shape.clone(), zone, first_day, impatient })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything must have come to its end by this day.
    fn is_at_rest(&self, day: u32) -> bool {
        let quiet_days = (day + 1).saturating_sub(self.shape.days);
        let world = self.world();
        let is_still = world.record.effects.iter().all(|effect| effect.at + LEARNT_AFTER < world.now);
        quiet_days >= QUIET_DAYS && is_still || quiet_days >= MOST_QUIET_DAYS
    }

    /// One day's rounds of runs, and the audit after them.
    fn day(&mut self, day: u32) -> Option<Failure> {
        let quiet = day >= self.shape.days;
        if day == self.shape.days {
            self.world().closes();
        }
        // A night's run every day, and on some days with faults one more.
        let again = !quiet && Dice::new(self.shape.seed, About::Day(day)).chance(300);
        let hours: &[u32] = if again { &[2, 13] } else { &[2] };
        for (round, hour) in (0..).zip(hours) {
            let begins = self.at(day, *hour);
            self.world().until(begins);
            if let Some(error) = self.round(day, round, quiet) {
                return Some(self.failed(day, vec![Violation::of_run(error)]));
            }
        }
        // Of dice of their own: what else happens does not depend on whether they run. In the evening the payouts are looked at.
        let cleaning = self.shape.cleans.then_some((17, TaskName::CleanupUnpaid, About::CleaningUp(day)));
        for (hour, task, about) in cleaning.into_iter().chain([(20, TaskName::Settlements, About::Settling(day))]) {
            let begins = self.at(day, hour);
            self.world().until(begins);
            if let Some(error) = self.by_itself(task, about) {
                return Some(self.failed(day, vec![Violation::of_run(error)]));
            }
        }
        self.audit(day)
    }

    /// A task's run of its own. Returns what went wrong with it.
    fn by_itself(&mut self, task: TaskName, about: About) -> Option<String> {
        let mut dice = Dice::new(self.shape.seed, about);
        let baton = dice.clone();
        let mut jobs = vec![Job::Task(task)];
        // Cron starts it again, sooner or later.
        while !jobs.is_empty() {
            jobs = match self.together(&jobs, baton.clone(), &mut dice) {
                Ok(killed) => killed.into_iter().filter(|_| dice.chance(500)).collect(),
                Err(error) => return Some(error),
            };
        }
        None
    }

    /// A local time of the shop's day, as cron means it: in the hour that a clock change skips, an hour later.
    fn at(&self, day: u32, hour: u32) -> DateTime<Utc> {
        let date = self.first_day.with_timezone(&self.zone).date_naive() + Days::new(u64::from(day) + 1);
        let time = date.and_time(NaiveTime::from_hms_opt(hour, 5, 0).unwrap_or_default());
        let local = time.and_local_timezone(self.zone).earliest();
        local.map_or_else(|| time.and_utc() + TimeDelta::hours(1), |local| local.with_timezone(&Utc))
    }

    /// All jobs once, some of them at the same time. Returns what went wrong with a run itself.
    fn round(&mut self, day: u32, round: u32, quiet: bool) -> Option<String> {
        let mut dice = Dice::new(self.shape.seed, About::Round(day, round));
        // Settlements and clean-up have runs of their own.
        let tasks = [TaskName::SyncPayments, TaskName::Capture, TaskName::Refunds, TaskName::SyncJournals];
        let mut jobs: Vec<Job> = tasks.map(Job::Task).to_vec();
        if self.shape.bills {
            jobs.push(Job::Task(TaskName::FinalizeInvoices));
        }
        if !quiet && dice.chance(300) {
            let last = jobs.len() - 1;
            jobs.swap(dice.index(last), last);
        }
        if !quiet && dice.chance(150) {
            jobs.swap_remove(dice.index(jobs.len()));
        }
        jobs.insert(if dice.chance(800) { 0 } else { dice.index(jobs.len()) }, Job::Import);
        let last_quiet = day + 5 >= self.shape.days + QUIET_DAYS;
        if round == 0 && !last_quiet {
            jobs.push(Job::Person(Box::new(Dice::new(self.shape.seed, About::Person(day, round)))));
        }
        if self.shape.corrects && !quiet {
            let mut dice = Dice::new(self.shape.seed, About::Correcting(day, round));
            if dice.chance(500) {
                jobs.insert(dice.index(jobs.len() + 1), Job::Corrects(Box::new(dice)));
            }
        }
        let weather = self.world().weather;
        let mut turn = 0;
        while !jobs.is_empty() {
            let mut count = 1;
            while count < MOST_AT_ONCE.min(jobs.len()) && dice.chance(weather.overlaps) {
                count += 1;
            }
            let together: Vec<Job> = jobs.drain(..count).collect();
            let baton = Dice::new(self.shape.seed, About::Baton(day, round * 100 + turn));
            turn += 1;
            let killed = match self.together(&together, baton, &mut dice) {
                Ok(killed) => killed,
                Err(error) => return Some(error),
            };
            // Cron starts it again, sooner or later.
            jobs.extend(killed.into_iter().filter(|_| dice.chance(500)));
            let seconds = dice.pick(&[60, 60, 900], 900);
            let then = self.world().now + TimeDelta::seconds(dice.between(5, seconds));
            self.world().until(then);
        }
        None
    }

    /// Runs jobs at the same time, each from a process of its own. Returns those that were killed.
    fn together(&mut self, jobs: &[Job], baton: Dice, dice: &mut Dice) -> Result<Vec<Job>, String> {
        let weather = self.world().weather;
        let dies_in: Vec<Option<u32>> = jobs
            .iter()
            .map(|_| {
                let moments = dice.pick(&[3, 10, 30, 120], 10);
                dice.chance(weather.killed).then(|| u32::try_from(dice.below(moments)).unwrap_or(0))
            })
            .collect();
        let ahead: Vec<TimeDelta> = jobs.iter().map(|_| self.clock_error(dice, weather.clock_jumps)).collect();
        let stage = Stage::new(baton, &dies_in);
        let doors: Vec<Door> =
            (0..jobs.len()).map(|me| Door { world: Arc::clone(&self.world), place: stage.place(me) }).collect();
        let settings = &self.settings;
        let work = jobs.iter().zip(self.ledgers.iter_mut()).zip(doors.iter().zip(ahead));
        let ends: Vec<End> = if jobs.len() == 1 {
            work.map(|((job, ledger), (door, ahead))| job.run(ledger, door, settings, ahead)).collect()
        } else {
            std::thread::scope(|scope| {
                let running: Vec<_> = work
                    .map(|((job, ledger), (door, ahead))| scope.spawn(move || job.run(ledger, door, settings, ahead)))
                    .collect();
                let gone = || End::Failed("its thread is gone".to_owned());
                running.into_iter().map(|run| run.join().unwrap_or_else(|_| gone())).collect()
            })
        };
        self.ended(jobs, ends)
    }

    fn ended(&self, jobs: &[Job], ends: Vec<End>) -> Result<Vec<Job>, String> {
        let mut world = self.world();
        if jobs.len() > 1 {
            world.fault("run: two at once");
        }
        let mut killed = Vec::new();
        for (job, end) in jobs.iter().zip(ends) {
            match end {
                End::Done => {}
                End::Killed => {
                    world.fault(match job {
                        Job::Import => "import: killed",
                        Job::Corrects(_) => "person: killed while correcting",
                        Job::Task(_) | Job::Person(_) if jobs.len() > 1 => "run: killed while another went on",
                        Job::Task(_) | Job::Person(_) => "run: killed",
                    });
                    killed.push(job.clone());
                }
                End::Failed(error) => return Err(error),
            }
        }
        Ok(killed)
    }

    fn clock_error(&self, dice: &mut Dice, rate: u32) -> TimeDelta {
        if !dice.chance(rate) {
            return TimeDelta::zero();
        }
        self.world().record.clock_jumps += 1;
        if dice.chance(500) {
            self.world().fault("run: clock jumped back");
            TimeDelta::minutes(-dice.between(1, 90))
        } else {
            self.world().fault("run: clock jumped ahead");
            TimeDelta::minutes(dice.between(1, 2 * 24 * 60))
        }
    }

    fn rows(&self) -> Result<Rows, String> {
        let ledger = self.ledgers.first().ok_or("no ledger")?;
        ledger.rows().map_err(|error| error.to_string())
    }

    fn audit(&self, day: u32) -> Option<Failure> {
        let rows = match self.rows() {
            Ok(rows) => rows,
            Err(error) => return Some(self.failed(day, vec![Violation::of_run(error)])),
        };
        let is_last = self.is_at_rest(day);
        let mut violations = auditor::each_day(&self.world().record, &rows);
        if is_last || (day + 1).is_multiple_of(VERIFIED_EVERY) {
            match self.verify(is_last) {
                Ok(found) => violations.extend(found),
                Err(error) => violations.push(Violation::of_run(error)),
            }
        }
        if is_last && !self.impatient && violations.is_empty() {
            violations.extend(auditor::at_rest(&self.world().record, &rows));
        }
        (!violations.is_empty()).then(|| self.failed(day, violations))
    }

    /// What `payjournal verify` would say. A killed run's operations wait for the next run of their task, and what is older
    /// than it is valid for a PSP that answers again: neither is damage before the shop has come to rest.
    fn verify(&self, at_rest: bool) -> Result<Vec<Violation>, String> {
        let ledger = self.ledgers.first().ok_or("no ledger")?;
        let valid_days = if self.impatient { 4 } else { LONG_VALID };
        let surroundings = Surroundings { now: self.world().now, valid_days: &|_| valid_days, is_running: &|_| false };
        let findings = ledger.verify(surroundings).map_err(|error| error.to_string())?;
        let passes = |check: &str| check == "sent-without-run" || check == "operation-over-age" && !at_rest;
        let damage = findings.into_iter().filter(|finding| !passes(finding.check));
        Ok(damage.map(|finding| Violation::of_verify(finding.check, &finding.subject, &finding.message)).collect())
    }

    fn failed(&self, day: u32, violations: Vec<Violation>) -> Failure {
        let rows = self.rows().unwrap_or_default();
        let explanation = super::explain::explain(&violations, &self.world().record, &rows);
        Failure { day, violations, explanation }
    }

    fn close(self, failure: Option<Failure>) -> Result<Life, String> {
        let rows = self.rows()?;
        let ledger = self.ledgers.first().ok_or("no ledger")?;
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last: BTreeMap<i64, String> = BTreeMap::new();
        for (operation, state) in ledger.operation_histories().map_err(|error| error.to_string())? {
            let before = last.insert(operation, state.clone());
            world.coverage.transition(before.as_deref().unwrap_or("-"), &state);
        }
        rows.invoices.iter().for_each(|_| world.coverage.work("invoices"));
        count_corrections(&mut world, &rows);
        for exception in &rows.exceptions {
            world.coverage.exception(&exception.kind);
        }
        let history = format!("{:?}{rows:?}", world.record);
        let digest = hexadecimal(&Sha256::digest(history.as_bytes()));
        Ok(Life { coverage: std::mem::take(&mut world.coverage), failure, digest })
    }
}

/// What became of what persons took back.
fn count_corrections(world: &mut World, rows: &Rows) {
    let orders: BTreeSet<&str> = rows.invoices.iter().map(|invoice| invoice.order.as_str()).collect();
    for _ in orders.len()..rows.invoices.len() {
        world.coverage.work("orders billed again");
    }
    let is_ours = |number: &str| rows.corrections.iter().any(|row| row.number == number);
    for effect in &world.record.effects {
        if effect.kind != EffectKind::Refund || effect.state != EffectState::Confirmed {
            continue;
        }
        match effect.ours().and_then(|asked| asked.document.as_ref()) {
            Some((kind, _)) if kind == "refund_request" => world.coverage.work("free money paid back"),
            Some((_, number)) if is_ours(number) => world.coverage.work("credited lines paid back"),
            Some(_) | None => {}
        }
    }
}
