//! An absence proves something only when nothing can arrive any more, and that is counted from the last call itself.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use payjournal::config::settings::TaskName;
use payjournal::domain::id::RunId;
use payjournal::domain::letter::{Letter, Recipient};
use payjournal::erp::local::Local;
use payjournal::ledger::Ledger;
use payjournal::mail::Post;
use payjournal::operation::request::MailRequest;
use payjournal::operation::{Answer, LookUp};
use payjournal::run::books;
use payjournal::run::engine::{Level, Run, Watch, execute};
use payjournal::run::host::Host;
use payjournal::run::ports::Ports;
use payjournal::run::summary::Summary;
use payjournal::run::workers::Workers;
use payjournal::simulate::settings;
use payjournal::task::mail_queue::MailQueue;

struct Unwatched;

impl Watch for Unwatched {
    fn say(&mut self, _level: Level, _text: &str) {}
    fn progress(&mut self, _done: u64) {}
}

/// Milliseconds since the test began.
type Clock = Arc<AtomicI64>;

/// A mailbox where a message can be found two minutes after it was handed over. It never answers, and it is busy for a minute.
struct SlowPost {
    clock: Clock,
    arrived: Arc<Mutex<Vec<i64>>>,
    calls: Mutex<u32>,
}

impl Post for SlowPost {
    fn deliver(&self, _request: &MailRequest) -> Answer {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        if *calls == 1 {
            return Answer::NotDone { why: "try again later".to_owned(), retry_after_seconds: Some(50) };
        }
        self.arrived.lock().unwrap().push(self.clock.load(Ordering::SeqCst));
        Answer::Unknown { why: "no answer in time".to_owned() }
    }

    fn look_up(&self, _request: &MailRequest) -> LookUp {
        LookUp::Absent
    }

    fn settles_after(&self) -> Duration {
        Duration::from_mins(2)
    }
}

fn start() -> DateTime<Utc> {
    "2026-11-22T02:00:00Z".parse().unwrap()
}

fn run(ledger: &mut Ledger, id: RunId, ports: &Ports, clock: &Clock) {
    let settings = settings().unwrap();
    let time = || start() + TimeDelta::milliseconds(clock.load(Ordering::SeqCst));
    let pause = |time: Duration| {
        clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    };
    let mut run = Run {
        ledger,
        ports,
        settings: &settings,
        task: settings.tasks.get(&TaskName::Capture).unwrap(),
        task_name: "capture",
        id: Some(id),
        now: time(),
        host: Host { clock: &time, stop: &|| false, pause: &pause, workers: Workers::Threads },
        watch: &mut Unwatched,
        summary: Summary::default(),
    };
    execute(&MailQueue, &mut run).unwrap();
}

#[test]
fn what_may_still_arrive_is_counted_from_the_end_of_the_last_call() {
    let clock = Clock::default();
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let post = SlowPost { clock: Arc::clone(&clock), arrived: Arc::clone(&arrived), calls: Mutex::new(0) };
    let ports = Ports {
        providers: BTreeMap::new(),
        erp: Box::new(Local::new(None, start())),
        post: Some(Box::new(post)),
        portal: None,
    };
    let mut ledger = Ledger::in_memory("last-call", books(&settings().unwrap()), start()).unwrap();
    let letter = Letter {
        event: "captured:1".to_owned(),
        recipient: Recipient::Administrator,
        subject: "captured".to_owned(),
        body: String::new(),
    };
    let id = ledger.write("letter", None, start(), |writer| {
        writer.queue_letter(&letter)?;
        writer.start_run("capture", 1)
    });
    let id = id.unwrap();
    run(&mut ledger, id, &ports, &clock);
    let first = arrived.lock().unwrap().clone();
    assert_eq!(first.len(), 1);
    assert!(first.iter().all(|at| *at >= 50_000), "the call that may have taken effect left late: {first:?}");
    // Two minutes after it was marked Sent, and not after it left.
    clock.store(130_000, Ordering::SeqCst);
    run(&mut ledger, id, &ports, &clock);
    assert_eq!(arrived.lock().unwrap().len(), 1, "it may still arrive");
    clock.store(100_000_000, Ordering::SeqCst);
    run(&mut ledger, id, &ports, &clock);
    assert_eq!(arrived.lock().unwrap().len(), 2, "now it certainly did not");
}
