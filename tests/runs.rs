//! Runs from outside: one lock per task, runs that died, log files, dry runs, schedules and signals.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{BINARY, CONFIG, Ended, Shop, copy, ended, rows};

const TASKS: [&str; 4] = ["sync-payments", "capture", "refunds", "sync-journals"];

/// One call at a time, so that slow calls follow each other.
const ONE_BY_ONE: &str = "
[task_defaults]
concurrency = 1
";

#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        sleep(Duration::from_millis(10));
    }
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Ended {
    ended(child.wait_with_output().unwrap())
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

/// `count` orders of 100.00 EUR with invoices; the PSP answers the first call for each with 429 and `Retry-After: 1`.
fn slow_shop(count: usize) -> Shop {
    let shop = Shop::with(&format!("{CONFIG}faults = {{ capture = \"too-many-requests\" }}\n{ONE_BY_ONE}"));
    let all = |row: &dyn Fn(usize) -> String| (0..count).map(row).collect::<String>();
    shop.orders(&all(&|n| format!("S{n},EUR,100.00,online,,none,C1,2026-11-15\n")));
    shop.payments(&all(&|n| format!("TX-S{n},S{n},,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n")));
    shop.documents(&all(&|n| format!("invoice,R-S{n},S{n},EUR,100.00,,,2026-11-20\n")));
    shop
}

fn captured(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("capture TX-S{n} 10000")).collect()
}

/// Starts `capture` and waits until its first call was answered with 429: from then on it waits for a second.
fn start_slow_capture(shop: &Shop, args: &[&str]) -> Child {
    let log = shop.path.join("moments");
    let child = start(shop.command(&[&["capture"], args].concat()).env("PAYJOURNAL_KILL_LOG", &log));
    wait_until("the first call is answered", || fs::read_to_string(&log).unwrap_or_default().contains("AfterCall"));
    child
}

fn calls(log: &Path) -> usize {
    fs::read_to_string(log).unwrap_or_default().matches("BeforeCall").count()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Every file below the folder, with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(files(&path));
        } else {
            let content = fs::read(&path).unwrap();
            found.insert(path, content);
        }
    }
    found
}

fn runs(shop: &Shop) -> usize {
    shop.rows("SELECT id FROM runs").len()
}

#[track_caller]
fn assert_silent(ended: &Ended, what: &str) {
    assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "{what}");
}

// --- The lock ---------------------------------------------------------------------------------------------------------

#[test]
fn a_second_start_exits_4_and_names_the_first_and_since_when() {
    let shop = slow_shop(1);
    let sandbox = shop.path.join("sandbox.db");
    // While the sandbox's file is locked the first run cannot go on.
    let held = rusqlite_at(&sandbox);
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = start(&mut shop.command(&["capture"]));
    let lock = shop.path.join("payjournal.db.capture.lock");
    wait_until("the lock is signed", || fs::read_to_string(&lock).unwrap_or_default().ends_with('\n'));
    let second = shop.exits("capture", 4);
    assert_eq!(second.stdout, "");
    let wanted = format!("process {} since 2026-11-22 02:00:00 UTC", first.id());
    assert!(second.stderr.contains(&wanted) && second.stderr.contains("hint: "), "{}", second.stderr);
    let document = shop.json("capture");
    assert_eq!((&document["outcome"], &document["exit_code"]), (&"locked".into(), &4.into()));
    held.execute_batch("ROLLBACK").unwrap();
    assert_silent(&end(first), "the first run");
    assert_eq!(shop.psp_record(), captured(1));
    assert_eq!((runs(&shop), shop.logs("capture").len()), (1, 1), "the second start left nothing behind");
    shop.ok("capture");
}

#[test]
fn of_two_starts_at_the_same_moment_one_works_and_other_tasks_run_beside_it() {
    let shop = slow_shop(2);
    let mut pair = [start(&mut shop.command(&["capture"])), start(&mut shop.command(&["capture"]))];
    wait_until("a run has begun", || runs(&shop) == 1);
    for task in ["refunds", "sync-journals", "sync-payments"] {
        assert_silent(&shop.ok(task), task);
    }
    let alive = pair.iter_mut().filter_map(|child| child.try_wait().unwrap().is_none().then_some(())).count();
    assert!(alive >= 1, "the capture run was over before the other tasks were");
    let mut codes: Vec<Option<i32>> = pair.into_iter().map(|child| end(child).code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(4)]);
    assert_eq!(shop.psp_record(), captured(2));
}

#[test]
fn a_run_that_was_killed_is_found_named_and_finished_by_the_next() {
    let shop = Shop::new();
    shop.one_order("A");
    let rehearsal = tempfile::tempdir().unwrap();
    copy(&shop.path, rehearsal.path());
    let log = rehearsal.path().join("moments");
    let mut command = shop.command(&["capture"]);
    command.current_dir(rehearsal.path()).env("PAYJOURNAL_KILL_LOG", &log).status().unwrap();
    let moments = read(&log);
    let moment = moments.lines().find(|line| line.contains("AfterCall send")).unwrap();
    let number = moment.split(' ').next().unwrap();

    let child = start(shop.command(&["capture"]).env("PAYJOURNAL_KILL_AT", number));
    let process = child.id();
    assert_eq!(end(child).code, None);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    let status = shop.json("status");
    assert_eq!(status["tasks"][1]["last_result"], "died", "{status}");
    assert_silent(&shop.ok("capture"), "the next run");
    let logs = shop.logs("capture");
    assert_eq!(logs.len(), 2);
    let named = format!("run 1 of 2026-11-22 02:00:00 UTC (process {process}) died");
    assert!(read(&logs[1]).contains(&named), "{}", read(&logs[1]));
    assert_eq!(shop.rows("SELECT id, state FROM runs"), ["1 abandoned", "2 finished"]);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert_eq!(shop.rows("SELECT kind, amount_minor FROM movements"), ["capture 10000"]);
    assert_eq!(shop.mails().len(), 1);
}

// --- Logs -------------------------------------------------------------------------------------------------------------

#[test]
fn a_log_has_its_name_the_settings_every_step_and_the_errors_again_at_its_end() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Shop::new();
    shop.one_order("A");
    shop.one_order("B~capture:refuse");
    shop.exits("capture", 1);
    let logs = shop.logs("capture");
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].file_name().unwrap(), "capture-20261122T020000Z-1.log");
    assert_eq!(fs::metadata(&logs[0]).unwrap().permissions().mode() & 0o077, 0, "others can read the log");
    let log = read(&logs[0]);
    for wanted in ["setting task.capture.batch_size = 500", "setting provider.psp.merchant_account = \"Shop\""] {
        assert!(log.contains(wanted), "{wanted} is not in {log}");
    }
    assert!(log.contains("invoice R-A (payment TX-A): capture 100.00 EUR: confirmed"), "{log}");
    let (_, summary) = log.split_once("\n--- ").unwrap();
    assert!(summary.starts_with("1 error"), "{summary}");
    assert!(summary.contains("TX-B~capture:refuse") && summary.contains("refused by the card issuer"), "{summary}");
    // The same shop a day later: nothing is new, so nothing is an error.
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    let log = read(&shop.logs("capture")[1]);
    assert!(log.ends_with("--- no errors ---\n"), "{log}");
}

#[test]
fn no_secret_is_ever_written_or_printed() {
    const RIGHT: &str = "sk-live-4711-right";
    const WRONG: &str = "sk-live-4711-wrong";
    let shop = Shop::with(&format!("{CONFIG}api_key = {{ env = \"PJ_TEST_KEY\" }}\n"));
    shop.write("o.csv", "order,currency,total,terms,ordered_on\nA,EUR,100.00,online,2026-11-15\n");
    shop.write(
        "p.csv",
        "provider,transaction,order,method,currency,status,authorised,authorised_at\n\
         psp,TX-A,A,card,EUR,authorised,100.00,2026-11-16T08:00:00Z\n",
    );
    shop.write("d.csv", "kind,number,order,currency,total,posted_on\ninvoice,R-A,A,EUR,100.00,2026-11-20\n");
    let mut said = String::new();
    let mut does = |key: Option<&str>, line: &str, code: i32| {
        let mut command = shop.command(&line.split(' ').collect::<Vec<_>>());
        if let Some(key) = key {
            command.env("PJ_TEST_KEY", key);
        }
        let ended = ended(command.output().unwrap());
        assert_eq!(ended.code, Some(code), "`{line}`: {}", ended.stderr);
        said.push_str(&ended.stdout);
        said.push_str(&ended.stderr);
    };
    for line in ["import orders o.csv", "sandbox authorise p.csv", "import payments p.csv", "import documents d.csv"] {
        does(Some(RIGHT), line, 0);
    }
    does(Some(WRONG), "capture -vv", 3);
    does(None, "capture -vv", 3);
    for line in ["check --show", "capture -vv", "sync-payments -vv --json", "sync-journals -vv", "status --json"] {
        does(Some(RIGHT), line, 0);
    }
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert!(said.contains("PJ_TEST_KEY"), "where the secret comes from is shown: {said}");
    // A part of both, and of no process's number.
    assert!(!said.contains("live-4711"), "{said}");
    let key = b"live-4711";
    for (path, content) in files(&shop.path) {
        assert!(!content.windows(key.len()).any(|window| window == key), "{} holds a secret", path.display());
    }
}

#[test]
fn logs_are_pruned_per_task_to_the_configured_number_the_current_one_included() {
    let shop = Shop::with(&format!("{CONFIG}\n[task_defaults]\nmax_archived_logs = 3\n"));
    shop.one_order("A");
    shop.ok("sync-payments");
    for hour in 2..8 {
        shop.ok(&format!("capture --as-of 2026-11-22T{hour:02}:00:00Z"));
    }
    let names: Vec<String> =
        shop.logs("capture").iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(
        names,
        ["capture-20261122T050000Z-5.log", "capture-20261122T060000Z-6.log", "capture-20261122T070000Z-7.log"]
    );
    assert_eq!(shop.logs("sync-payments").len(), 1);
}

#[test]
fn logs_of_runs_that_fail_are_pruned_too() {
    let shop = Shop::with(&format!("{CONFIG}\n[task_defaults]\nmax_archived_logs = 3\n"));
    shop.one_order("A");
    shop.write(
        "payjournal.toml",
        &format!("{CONFIG}api_key = {{ env = \"NOT_SET\" }}\n\n[task_defaults]\nmax_archived_logs = 3\n"),
    );
    for hour in 2..8 {
        shop.exits(&format!("capture --as-of 2026-11-22T{hour:02}:00:00Z"), 3);
    }
    assert_eq!(shop.logs("capture").len(), 3);
}

// --- Dry runs ---------------------------------------------------------------------------------------------------------

#[test]
fn a_dry_run_prints_the_plan_with_reasons_and_writes_nothing_at_all() {
    let shop = Shop::new();
    shop.one_order("A");
    // Would raise an exception: the invoice is larger than what was authorised.
    shop.orders("B,EUR,80.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-B,B,,card,EUR,authorised,80.00,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-B,B,EUR,90.00,,,2026-11-20\n");
    let before = files(&shop.path);
    for task in TASKS {
        let plan = shop.ok(&format!("{task} --dry-run"));
        assert!(plan.stdout.contains("dry run"), "{task}: {}", plan.stdout);
        assert_eq!(plan.stderr, "", "{task}");
        let document = shop.json(&format!("{task} --dry-run"));
        assert_eq!(
            (&document["dry_run"], &document["run"], &document["exit_code"]),
            (&true.into(), &().into(), &0.into())
        );
        for step in document["steps"].as_array().unwrap() {
            assert_ne!(step["reason"], "", "{step}");
        }
        let after = files(&shop.path);
        assert!(before.keys().eq(after.keys()), "{task}: {:?}", after.keys());
        for (path, content) in &before {
            assert!(after[path] == *content, "{task} --dry-run changed {}", path.display());
        }
    }
    let plan = shop.ok("capture --dry-run").stdout;
    for wanted in ["invoice R-A", "100.00 EUR", "was posted on 2026-11-20", "planned", "R-B"] {
        assert!(plan.contains(wanted), "{wanted} is not in {plan}");
    }
    assert!(shop.psp_record().is_empty());
    // What was planned is what is done.
    shop.exits("capture", 1);
    assert!(shop.psp_record().contains(&"capture TX-A 10000".to_owned()));
    let before = files(&shop.path);
    let plan = shop.ok("sync-journals --dry-run").stdout;
    assert!(plan.contains("journal") && plan.contains("100.00 EUR"), "{plan}");
    assert!(files(&shop.path) == before);
}

#[test]
fn a_dry_run_makes_no_sandbox_where_there_is_none() {
    let shop = Shop::new();
    shop.orders("A,EUR,100.00,online,,none,C1,2026-11-15\n");
    assert!(!shop.path.join("sandbox.db").exists());
    shop.ok("capture --dry-run");
    let left: Vec<PathBuf> = files(&shop.path).into_keys().collect();
    let wanted = ["orders.csv", "payjournal.db", "payjournal.toml"].map(|name| shop.path.join(name));
    assert_eq!(left, wanted);
}

// --- Schedules --------------------------------------------------------------------------------------------------------

#[test]
fn a_scheduled_start_does_nothing_where_the_schedule_is_off() {
    let shop = Shop::with(&format!("{CONFIG}\n[task.capture]\nrun_on_schedule = false\n"));
    shop.one_order("A");
    let before = files(&shop.path);
    assert_silent(&shop.ok("capture --scheduled"), "capture --scheduled");
    assert!(files(&shop.path) == before);
    assert!(shop.json("status")["tasks"][1]["next_run"].is_null());
    assert_silent(&shop.ok("capture"), "by hand it runs");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn a_scheduled_start_waits_for_its_interval_and_a_manual_start_moves_it() {
    let shop = Shop::with(&format!("{CONFIG}\n[task_defaults]\nrun_interval_minutes = 60\n"));
    shop.one_order("A");
    let next_run = || shop.json("status")["tasks"][1]["next_run"].clone();
    let scheduled = |time: &str| {
        assert_silent(&shop.ok(&format!("capture --scheduled --as-of 2026-11-22T{time}Z")), time);
        runs(&shop)
    };
    assert_eq!(next_run(), "2026-11-22T02:00:00Z", "never run: due at once");
    assert_eq!(scheduled("02:00:00"), 1);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert_eq!(next_run(), "2026-11-22T03:00:00Z");
    assert_eq!(scheduled("02:59:00"), 1);
    assert_eq!(scheduled("03:00:00"), 2);
    shop.ok("capture --as-of 2026-11-22T03:50:00Z");
    assert_eq!(next_run(), "2026-11-22T04:50:00Z");
    assert_eq!(scheduled("04:00:00"), 3);
    assert_eq!(scheduled("04:50:00"), 4);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn neither_a_dry_run_nor_a_locked_start_moves_the_schedule() {
    let shop = Shop::new();
    shop.one_order("A");
    shop.ok("capture --dry-run");
    assert_eq!(runs(&shop), 0);
    assert_silent(&shop.ok("capture --scheduled"), "capture --scheduled");
    assert_eq!(runs(&shop), 1);
}

// --- Signals ----------------------------------------------------------------------------------------------------------

#[test]
fn a_run_that_is_stopped_records_its_calls_and_the_next_goes_on() {
    for (name, code, outcome) in [("TERM", 143, "terminated"), ("INT", 130, "interrupted")] {
        let shop = slow_shop(3);
        let child = start_slow_capture(&shop, &[]);
        signal(&child, name);
        let stopped = end(child);
        assert_eq!(stopped.code, Some(code), "{}", stopped.stderr);
        assert!(stopped.stderr.contains("stopped by a signal"), "{}", stopped.stderr);
        assert!(shop.psp_record().len() < 3, "it was stopped too late to show anything");
        assert!(shop.rows("SELECT id FROM operations WHERE state = 'sent'").is_empty());
        assert_eq!(shop.rows("SELECT state, exit_code FROM runs"), [format!("finished {code}")]);
        let log = read(&shop.logs("capture")[0]);
        assert!(log.contains("stopped by a signal") && log.contains("\n--- "), "{log}");
        let status = shop.json("status");
        assert_eq!(
            (&status["tasks"][1]["last_result"], &status["tasks"][1]["last_exit_code"]),
            (&outcome.into(), &code.into())
        );
        shop.ok("capture --as-of 2026-11-23T02:00:00Z");
        assert_eq!(shop.psp_record(), captured(3));
        assert_eq!(shop.rows("SELECT amount_minor FROM movements WHERE kind = 'capture'").len(), 3);
        assert_eq!(shop.mails().len(), 3);
    }
}

#[test]
fn a_call_in_flight_is_finished_and_recorded_before_a_stopped_run_ends() {
    let shop = slow_shop(2);
    let log = shop.path.join("moments");
    let mut child = start_slow_capture(&shop, &[]);
    let held = rusqlite_at(&shop.path.join("sandbox.db"));
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The second try of the first call now hangs in the sandbox.
    wait_until("the second try leaves", || calls(&log) > 1);
    signal(&child, "TERM");
    sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "the call in flight was left alone");
    held.execute_batch("ROLLBACK").unwrap();
    assert_eq!(end(child).code, Some(143));
    assert_eq!(shop.psp_record().len(), 1);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture' ORDER BY id"), ["confirmed", "planned"]);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert_eq!(shop.psp_record(), captured(2));
}

#[test]
fn a_second_signal_ends_the_run_at_once_and_nothing_is_lost() {
    for (first, second, code) in
        [("TERM", "TERM", 143), ("INT", "INT", 130), ("INT", "TERM", 143), ("TERM", "INT", 130)]
    {
        let shop = slow_shop(1);
        let log = shop.path.join("moments");
        let mut child = start_slow_capture(&shop, &[]);
        let held = rusqlite_at(&shop.path.join("sandbox.db"));
        held.execute_batch("BEGIN IMMEDIATE").unwrap();
        wait_until("the second try leaves", || calls(&log) > 1);
        signal(&child, first);
        sleep(Duration::from_millis(200));
        assert_eq!(child.try_wait().unwrap(), None);
        signal(&child, second);
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(3) {
            sleep(Duration::from_millis(10));
        }
        let gone = child.try_wait().unwrap();
        held.execute_batch("ROLLBACK").unwrap();
        let ended = end(child);
        assert!(gone.is_some(), "{first} then {second}: the run went on after the second signal");
        assert_eq!(ended.code, Some(code), "{first} then {second}");
        shop.ok("capture --as-of 2026-11-23T02:00:00Z");
        assert_eq!(shop.psp_record(), captured(1));
    }
}

// --- What a run prints ------------------------------------------------------------------------------------------------

#[test]
fn off_a_terminal_a_clean_run_prints_nothing() {
    let shop = Shop::new();
    shop.one_order("A");
    for task in ["sync-payments", "capture", "refunds", "sync-journals", "sync-payments"] {
        assert_silent(&shop.ok(task), task);
    }
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert_eq!(shop.rows("SELECT amount_minor FROM journals"), ["10000"]);
    // As cron has it: another folder, the config by its path, the real clock.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(BINARY);
    command.env_clear().current_dir(elsewhere.path()).stdin(Stdio::null());
    command.args(["capture", "--config"]).arg(shop.path.join("payjournal.toml"));
    assert_silent(&ended(command.output().unwrap()), "from another folder");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert_eq!(rows(&shop.path.join("sandbox.db"), "SELECT kind FROM modifications"), ["capture"]);
}

#[test]
fn quiet_prints_errors_only_and_verbose_prints_every_step() {
    let shop = Shop::new();
    shop.one_order("A");
    assert_silent(&shop.ok("capture -q"), "capture -q");
    shop.one_order("B");
    shop.orders("N,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-N,N,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
    let verbose = shop.ok("capture -v");
    assert!(verbose.stderr.contains("invoice R-B (payment TX-B): capture 100.00 EUR: confirmed"), "{}", verbose.stderr);
    assert!(!verbose.stderr.contains("setting "), "{}", verbose.stderr);
    assert!(verbose.stdout.contains("capture: 1 capture 100.00 EUR"), "{}", verbose.stdout);
    assert!(!shop.ok("sync-payments -v").stderr.contains("still authorised"), "a reason for doing nothing is a detail");
    let detailed = shop.ok("sync-payments -vv");
    assert!(!detailed.stderr.contains("setting "), "the log has the settings: {}", detailed.stderr);
    assert!(detailed.stderr.contains("leave: still authorised"), "{}", detailed.stderr);
    shop.one_order("C~capture:refuse");
    let quiet = shop.exits("capture -q", 1);
    assert_eq!(quiet.stdout, "");
    for wanted in ["TX-C~capture:refuse", "payjournal status", "capture-20261122T020000Z-5.log"] {
        assert!(quiet.stderr.contains(wanted), "{wanted} is not in {}", quiet.stderr);
    }
    shop.exits("capture -q -v", 2);
}

#[test]
fn a_run_that_fails_says_what_where_how_much_and_what_next() {
    let shop = Shop::with(&format!("{CONFIG}faults = {{ capture = \"unreachable\" }}\n"));
    shop.one_order("A");
    let failed = shop.exits("capture", 5);
    assert_eq!(failed.stdout, "");
    let log = shop.logs("capture")[0].display().to_string();
    for wanted in ["no connection to the PSP", "invoice R-A", "100.00 EUR", "`payjournal capture`", &log] {
        assert!(failed.stderr.contains(wanted), "{wanted} is not in {}", failed.stderr);
    }
    assert_eq!(failed.stderr.lines().count(), 1, "one paragraph: {}", failed.stderr);
}

#[expect(clippy::disallowed_methods, reason = "the test stands in for somebody else who holds the file")]
fn rusqlite_at(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}
