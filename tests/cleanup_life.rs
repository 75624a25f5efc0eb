//! `cleanup-unpaid` through many random lives: customers pay at any moment, the PSP and the ERP fail in every way they can, runs die
//! at commits and calls, persons retry and restore. What really happened outside is held against the ledger at the end.
#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use payjournal::command::import::{self, ImportArgs, ImportDefaults, ImportKind, InputFormat};
use payjournal::config::Settings;
use payjournal::config::settings::TaskName;
use payjournal::domain::deletion::DeletionMethod;
use payjournal::domain::document::Document;
use payjournal::domain::id::{MethodName, ModificationId, OperationId, OrderId, ProviderName, TransactionId};
use payjournal::domain::money::{Amount, Currency};
use payjournal::domain::payment::TransactionStatus;
use payjournal::erp::{Erp, OrderDeletion};
use payjournal::kill_switch::{Killed, Moment};
use payjournal::ledger::{Ledger, Surroundings};
use payjournal::operation::request::{CancelRequest, DeletionRequest, JournalRequest, PaymentRequest};
use payjournal::operation::{Answer, LookUp, Refusal, State};
use payjournal::provider::{
    Cancelling, Capabilities, ModificationKind, ModificationState, PartialCapture, PortError, Provider,
    PspModification, PspPayment,
};
use payjournal::run::books;
use payjournal::run::engine::{Level, Run, Watch};
use payjournal::run::host::Host;
use payjournal::run::ports::Ports;
use payjournal::run::summary::Summary;
use payjournal::run::workers::Workers;
use payjournal::simulate::settings;
use payjournal::task::cleanup_unpaid::clean_up;
use payjournal::task::sync_payments::sync;

const ORDERS: usize = 8;
const LIVES: u64 = 60;

struct Unwatched;

impl Watch for Unwatched {
    fn say(&mut self, _level: Level, _text: &str) {}
    fn progress(&mut self, _done: u64) {}
}

/// One order as it is outside.
#[derive(Debug, Default)]
struct Outside {
    status: Status,
    /// How often the ERP let it go: each by another key.
    deleted_by: BTreeSet<String>,
    is_at_erp: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Status {
    #[default]
    Open,
    Cancelled,
    Expired,
    Paid,
}

#[derive(Debug)]
struct World {
    dice: u64,
    now: DateTime<Utc>,
    /// Nothing fails any more, and nobody pays.
    is_quiet: bool,
    orders: Vec<Outside>,
    /// Closings the PSP has carried out, by key.
    cancels: BTreeSet<String>,
    /// What must never happen, as it happened.
    violations: Vec<String>,
    /// What did happen, so that a life in which nothing happens is no proof.
    seen: BTreeMap<&'static str, u32>,
}

type Shared = Arc<Mutex<World>>;

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn roll(&mut self, below: u64) -> u64 {
        // xorshift64*: the same on every machine.
        self.dice ^= self.dice >> 12;
        self.dice ^= self.dice << 25;
        self.dice ^= self.dice >> 27;
        (self.dice.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }

    /// So many times in a thousand, and never in quiet times.
    fn chance(&mut self, what: &'static str, thousandths: u64) -> bool {
        let happens = self.roll(1_000) < thousandths && !self.is_quiet;
        if happens {
            *self.seen.entry(what).or_default() += 1;
        }
        happens
    }

    fn order(&mut self, transaction: &TransactionId) -> &mut Outside {
        let number: usize = transaction.as_str().trim_start_matches("TX-").parse().unwrap();
        self.orders.get_mut(number).unwrap()
    }

    /// The customer pays, if the page still lets him.
    fn pays(&mut self, transaction: &TransactionId) {
        let order = self.order(transaction);
        if order.status == Status::Open {
            order.status = Status::Paid;
        }
    }
}

/// Each port call and commit may be the last thing a run does.
fn moment(world: &Shared) {
    if lock(world).chance("killed", 12) {
        resume_unwind(Box::new(Killed));
    }
}

struct Psp(Shared);
struct Counter(Shared);

fn unknown() -> Answer {
    Answer::Unknown { why: "no answer in time".to_owned() }
}

fn refused(code: &str, transient: bool) -> Answer {
    Answer::Refused(Refusal { code: code.to_owned(), message: "no".to_owned(), transient })
}

fn done(key: &str, at: DateTime<Utc>) -> Answer {
    Answer::Confirmed { modification: ModificationId::parse(key).unwrap(), at, amount: None }
}

fn euro(minor: i64) -> Amount {
    Amount::from_minor(minor, Currency::parse("EUR").unwrap())
}

impl Provider for Psp {
    fn capabilities(&self, _method: &MethodName) -> Capabilities {
        Capabilities { partial_capture: PartialCapture::Many, refund: true }
    }

    fn send(&self, _request: &PaymentRequest) -> Answer {
        panic!("nothing is captured, refunded or released here")
    }

    fn look_up(&self, _request: &PaymentRequest) -> LookUp {
        panic!("nothing is captured, refunded or released here")
    }

    fn standing(&self, transaction: &TransactionId) -> Result<PspPayment, PortError> {
        moment(&self.0);
        let mut world = lock(&self.0);
        if world.chance("psp not reached", 60) {
            return Err(PortError::Unreachable { why: "no connection".to_owned() });
        }
        if world.chance("psp cannot tell", 20) {
            return Err(PortError::CannotTell { why: "ask again".to_owned() });
        }
        let status = world.order(transaction).status;
        let now = world.now;
        if world.chance("paid after the answer", 60) {
            world.pays(transaction);
        }
        let paid = status == Status::Paid;
        let capture = PspModification {
            id: ModificationId::parse(&format!("C-{transaction}")).unwrap(),
            kind: ModificationKind::Capture,
            amount: euro(1_000),
            state: ModificationState::Confirmed { at: now },
            key: None,
        };
        Ok(PspPayment {
            status: match status {
                Status::Open => TransactionStatus::Open,
                Status::Cancelled => TransactionStatus::Cancelled,
                Status::Expired => TransactionStatus::Expired,
                Status::Paid => TransactionStatus::Captured,
            },
            authorised: Some(euro(if paid { 1_000 } else { 0 })),
            authorised_at: None,
            capture_before: None,
            modifications: if paid { vec![capture] } else { Vec::new() },
        })
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }

    fn cancelling(&self) -> Option<&dyn Cancelling> {
        Some(self)
    }
}

impl Cancelling for Psp {
    fn cancel(&self, request: &CancelRequest) -> Answer {
        moment(&self.0);
        let answer = {
            let mut world = lock(&self.0);
            if world.chance("psp: too many requests", 30) {
                return Answer::NotDone { why: "HTTP 429".to_owned(), retry_after_seconds: None };
            }
            if world.chance("cancel lost before", 60) {
                return unknown();
            }
            if world.chance("paid before the closing", 60) {
                world.pays(&request.transaction);
            }
            if world.chance("cancel refused", 20) {
                return refused("cannot_be_cancelled", false);
            }
            let now = world.now;
            let order = world.order(&request.transaction);
            if order.status != Status::Open && !world.cancels.contains(request.key.as_str()) {
                return refused("not_open", false);
            }
            let order = world.order(&request.transaction);
            if order.status == Status::Open {
                order.status = Status::Cancelled;
            }
            world.cancels.insert(request.key.as_str().to_owned());
            if world.chance("paid in spite of the closing", 40) {
                world.order(&request.transaction).status = Status::Paid;
            }
            if world.chance("cancel lost after", 60) { unknown() } else { done(request.key.as_str(), now) }
        };
        moment(&self.0);
        answer
    }

    fn look_up_cancel(&self, request: &CancelRequest) -> LookUp {
        moment(&self.0);
        let mut world = lock(&self.0);
        if world.chance("psp cannot be asked about a call", 60) {
            return LookUp::CannotTell { why: "ask again".to_owned() };
        }
        let now = world.now;
        if world.cancels.contains(request.key.as_str()) {
            LookUp::Found(done(request.key.as_str(), now))
        } else {
            LookUp::Absent
        }
    }
}

impl Counter {
    fn number(request: &DeletionRequest) -> TransactionId {
        TransactionId::parse(&request.order.as_str().replace("SO-", "TX-")).unwrap()
    }
}

impl Erp for Counter {
    fn outstanding(&self, _document: &Document) -> Result<Amount, PortError> {
        Err(PortError::NotOffered)
    }

    fn deliver(&self, request: &JournalRequest) -> Answer {
        done(&request.number, lock(&self.0).now)
    }

    fn look_up(&self, request: &JournalRequest) -> LookUp {
        LookUp::Found(done(&request.number, lock(&self.0).now))
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }

    fn order_deletion(&self) -> Option<&dyn OrderDeletion> {
        Some(self)
    }
}

impl OrderDeletion for Counter {
    fn delete(&self, request: &DeletionRequest) -> Answer {
        moment(&self.0);
        let answer = {
            let mut world = lock(&self.0);
            if world.chance("erp down", 60) {
                return Answer::NotDone { why: "no connection".to_owned(), retry_after_seconds: None };
            }
            if world.chance("delete lost before", 60) {
                return unknown();
            }
            if world.chance("erp keeps it", 30) {
                return refused("locked", false);
            }
            if world.chance("erp keeps it for now", 30) {
                return refused("busy", true);
            }
            let now = world.now;
            let order = world.order(&Self::number(request));
            let status = order.status;
            let is_new = order.deleted_by.insert(request.key.as_str().to_owned());
            order.is_at_erp = false;
            // Money that came before this moment was there to be seen: nobody can pay what is closed.
            if matches!(status, Status::Open | Status::Paid) && is_new {
                world.violations.push(format!("{} was deleted while it was {status:?}", request.order));
            }
            if world.chance("delete lost after", 60) { unknown() } else { done(request.key.as_str(), now) }
        };
        moment(&self.0);
        answer
    }

    fn look_up_delete(&self, request: &DeletionRequest) -> LookUp {
        moment(&self.0);
        let mut world = lock(&self.0);
        if world.chance("erp cannot be asked about a call", 60) {
            return LookUp::CannotTell { why: "ask again".to_owned() };
        }
        let now = world.now;
        let is_done = world.order(&Self::number(request)).deleted_by.contains(request.key.as_str());
        if is_done { LookUp::Found(done(request.key.as_str(), now)) } else { LookUp::Absent }
    }

    fn can_restore(&self, _method: DeletionMethod) -> bool {
        true
    }
}

/// One shop from its first order to quiet times.
struct Life {
    world: Shared,
    ledger: Ledger,
    settings: Settings,
    ports: Ports,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut settings = settings().unwrap();
        settings.cleanup.enabled = true;
        settings.cleanup.older_than_days = 1;
        settings.cleanup.max_deletions = if seed.is_multiple_of(5) { 2 } else { 100 };
        settings.cleanup.quarantine_days = if seed.is_multiple_of(3) { 2 } else { 0 };
        let now: DateTime<Utc> = "2026-11-01T02:00:00Z".parse().unwrap();
        let world = World {
            dice: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            now,
            is_quiet: false,
            orders: (0..ORDERS).map(|_| Outside { is_at_erp: true, ..Outside::default() }).collect(),
            cancels: BTreeSet::new(),
            violations: Vec::new(),
            seen: BTreeMap::new(),
        };
        let world = Arc::new(Mutex::new(world));
        let mut ledger = Ledger::in_memory("", books(&settings), now).unwrap();
        take_orders(&mut ledger, &settings, now);
        let dying = Arc::clone(&world);
        ledger.witnessed_by(Box::new(move |at, _| match at {
            Moment::BeforeCommit | Moment::AfterCommit => moment(&dying),
            Moment::BeforeCall | Moment::AfterCall => {}
        }));
        let psp: Box<dyn Provider> = Box::new(Psp(Arc::clone(&world)));
        let ports = Ports {
            providers: BTreeMap::from([(ProviderName::parse("alpha").unwrap(), psp)]),
            erp: Box::new(Counter(Arc::clone(&world))),
            post: None,
            portal: None,
        };
        Self { world, ledger, settings, ports }
    }

    /// A run of a task, which may die anywhere.
    fn run(&mut self, task: TaskName) {
        let now = lock(&self.world).now;
        let Self { world, ledger, settings, ports } = self;
        let lived = catch_unwind(AssertUnwindSafe(|| {
            let dead = ledger.unfinished_runs(task.as_str()).unwrap();
            let id = ledger.write("run start", None, now, |writer| {
                writer.recover_operations(task.as_str(), now)?;
                dead.iter().try_for_each(|run| writer.abandon_run(run.id))?;
                writer.start_run(task.as_str(), 1)
            });
            let id = id.unwrap();
            let clock = || now;
            let choose =
                |count: usize| usize::try_from(lock(world).roll(u64::try_from(count.max(1)).unwrap())).unwrap_or(0);
            let mut run = Run {
                ledger,
                ports,
                settings,
                task: settings.tasks.get(&task).unwrap(),
                task_name: task.as_str(),
                id: Some(id),
                now,
                host: Host { clock: &clock, stop: &|| false, pause: &|_| {}, workers: Workers::Chosen(&choose) },
                watch: &mut Unwatched,
                summary: Summary::default(),
            };
            if task == TaskName::CleanupUnpaid {
                clean_up(&mut run).unwrap();
            } else {
                sync(&mut run).unwrap();
            }
            let bugs = run.summary.bugs.clone();
            ledger.write("run end", Some(id), now, |writer| writer.finish_run(id, 0, None, 1, now)).unwrap();
            bugs
        }));
        match lived {
            Ok(bugs) => assert!(bugs.is_empty(), "{task}: {bugs:?}"),
            Err(panic) if panic.is::<Killed>() => {}
            Err(panic) => resume_unwind(panic),
        }
    }

    fn day(&mut self) {
        {
            let mut world = lock(&self.world);
            world.now += TimeDelta::hours(24);
            for number in 0..ORDERS {
                let transaction = TransactionId::parse(&format!("TX-{number}")).unwrap();
                if world.chance("paid in the night", 40) {
                    world.pays(&transaction);
                }
                if world.chance("expired", 40) && world.order(&transaction).status == Status::Open {
                    world.order(&transaction).status = Status::Expired;
                }
                // A PSP that takes money on a page it had closed: after the deletion nothing can prevent that.
                let is_gone = !world.order(&transaction).is_at_erp;
                if is_gone && world.chance("paid after the deletion", 30) {
                    world.order(&transaction).status = Status::Paid;
                }
            }
        }
        for _ in 0..2 {
            let task = if lock(&self.world).roll(2) == 0 { TaskName::SyncPayments } else { TaskName::CleanupUnpaid };
            self.run(task);
        }
        self.run(TaskName::CleanupUnpaid);
        self.person();
    }

    /// Retries what was refused or given up.
    fn person(&mut self) {
        let now = lock(&self.world).now;
        let open = self.ledger.open_exceptions().unwrap();
        let mut stuck: Vec<OperationId> = open.iter().filter_map(|exception| exception.operation).collect();
        for order in 1..=ORDERS {
            let id = OrderId(i64::try_from(order).unwrap());
            for payment in self.ledger.payments_of_order(id).unwrap() {
                let of_payment = self.ledger.operations_of_payment(payment.id).unwrap();
                stuck.extend(of_payment.iter().filter(|one| one.state == State::Refused).map(|one| one.id));
            }
        }
        let is_quiet = lock(&self.world).is_quiet;
        for operation in stuck {
            if (is_quiet || lock(&self.world).chance("a person retries", 400))
                && self.ledger.operation(operation).unwrap().state == State::Refused
            {
                let retry = catch_unwind(AssertUnwindSafe(|| {
                    self.ledger.write("retry", None, now, |writer| {
                        writer.request_retry(operation)?;
                        writer.resolve_operation(operation)
                    })
                }));
                assert!(retry.is_err() || retry.is_ok_and(|done| done.is_ok()));
            }
        }
    }

    /// Everything outside against everything in the ledger.
    fn audit(&self) -> Vec<String> {
        let world = lock(&self.world);
        let mut wrong = world.violations.clone();
        let told: BTreeSet<String> = self
            .ledger
            .open_exceptions()
            .unwrap()
            .into_iter()
            .map(|one| format!("{:?} {}", one.kind, one.subject))
            .collect();
        let stock = self.ledger.stock_releases(None, None).unwrap();
        let keys = if self.settings.cleanup.quarantine_days > 0 { 2 } else { 1 };
        for (number, outside) in world.orders.iter().enumerate() {
            let name = format!("SO-{number}");
            let order = self.ledger.order(OrderId(i64::try_from(number + 1).unwrap())).unwrap();
            let released = stock.iter().filter(|one| one.order.as_str() == name).count();
            let mut must = |holds: bool, what: &str| {
                if !holds {
                    wrong.push(format!(
                        "{name}: {what}: {outside:?}, deleted {}, {released} released, {told:?}",
                        order.deleted
                    ));
                }
            };
            must(order.deleted != outside.is_at_erp, "ledger and ERP disagree");
            must(outside.deleted_by.len() <= keys, "the ERP was asked for it by too many keys");
            must(outside.status == Status::Paid || order.deleted, "nobody paid it, and it stays");
            // Paid in quarantine, it stays there with its stock until a person decides.
            must(released == 2 || !order.deleted || outside.status == Status::Paid, "its stock is not released");
            must(released == 0 || order.deleted, "its stock is released, and it is there");
            must(released <= 2, "its stock was released more than once");
            if order.deleted && outside.status == Status::Paid {
                must(told.contains(&format!("PaidAfterDeletion order shop/{name}")), "its money is silent");
            }
            if !order.deleted {
                must(order.payment_status.as_str() == "paid", "it is paid, and the ledger does not know");
            }
        }
        let around = Surroundings { now: world.now, valid_days: &|_| 90, is_running: &|_| false };
        wrong.extend(self.ledger.verify(around).unwrap().into_iter().map(|found| format!("{found:?}")));
        wrong
    }
}

fn take_orders(ledger: &mut Ledger, settings: &Settings, now: DateTime<Utc>) {
    let mut rows = [
        (ImportKind::Orders, "order,currency,total,ordered_on\n".to_owned()),
        (ImportKind::OrderLines, "order,line,description,quantity,unit_price,tax_rate\n".to_owned()),
        (ImportKind::Entries, "entry,order,customer,currency,amount\n".to_owned()),
        (ImportKind::Payments, "provider,transaction,order,entries,method,currency,status\n".to_owned()),
    ];
    for number in 0..ORDERS {
        let texts = [
            format!("SO-{number},EUR,10.00,2026-10-20\n"),
            format!("SO-{number},1,Thing,1,5.00,19\nSO-{number},2,Other,1,5.00,19\n"),
            format!("E-{number},SO-{number},CASH,EUR,10.00\n"),
            format!("alpha,TX-{number},SO-{number},E-{number},checkout,EUR,open\n"),
        ];
        for ((_, rows), text) in rows.iter_mut().zip(texts) {
            rows.push_str(&text);
        }
    }
    for (what, text) in rows {
        let args = ImportArgs {
            what,
            file: "-".into(),
            rejects: None,
            format: Some(InputFormat::Csv),
            json: false,
            print_summary: false,
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let defaults = ImportDefaults::of(settings);
        let exit = import::run(&args, &defaults, ledger, now, &mut text.as_bytes(), &mut out, &mut err);
        assert!(exit.is_ok_and(|exit| exit.code() == 0), "{}", String::from_utf8_lossy(&err));
    }
}

#[test]
fn in_no_life_is_a_paid_order_deleted_an_unpaid_one_kept_or_stock_released_twice() {
    let mut seen: BTreeMap<&'static str, u32> = BTreeMap::new();
    for seed in 1..=LIVES {
        let mut life = Life::new(seed);
        for _ in 0..6 {
            life.day();
        }
        lock(&life.world).is_quiet = true;
        for _ in 0..8 {
            life.day();
            life.run(TaskName::SyncPayments);
        }
        let wrong = life.audit();
        assert!(wrong.is_empty(), "life {seed}:\n{}", wrong.join("\n"));
        for (what, count) in &lock(&life.world).seen {
            *seen.entry(what).or_default() += count;
        }
    }
    // Whatever can happen did.
    assert!(seen.len() >= 19 && seen.values().all(|count| *count >= 3), "{seen:#?}");
}
