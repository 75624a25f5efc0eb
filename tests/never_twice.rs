//! The promise: whatever is killed wherever, the next run reaches the same end, and nothing happened twice.
//!
//! The demo's two days are walked command by command. Before each command the folder is kept; then, for every ledger commit
//! and every outside call of that command, the folder is restored, the command killed there by SIGKILL, and the rest of the
//! story run from that command on. Every end must be the undisturbed end. All points are walked, not a sample.
//!
//! After the command is run again its state is compared with the states already known to end well: what is the same state
//! ends the same, and is not run to its end a second time.
#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{BINARY, copy, rows};

const FIRST_DAY: &str = "2026-11-21T02:00:00Z";
const SECOND_DAY: &str = "2026-11-22T02:00:00Z";

/// The demo's commands, each with the day it runs on.
const STORY: [(&str, &str); 14] = [
    (FIRST_DAY, "sandbox authorise payments.csv"),
    (FIRST_DAY, "import orders orders.csv"),
    (FIRST_DAY, "import payments payments.csv"),
    (FIRST_DAY, "import documents documents.csv"),
    (FIRST_DAY, "sync-payments"),
    (FIRST_DAY, "capture"),
    (FIRST_DAY, "sync-journals"),
    (SECOND_DAY, "sandbox authorise day2-payments.csv"),
    (SECOND_DAY, "import documents day2-documents.csv"),
    (SECOND_DAY, "import payments day2-payments.csv"),
    (SECOND_DAY, "sync-payments"),
    (SECOND_DAY, "capture"),
    (SECOND_DAY, "refunds"),
    (SECOND_DAY, "sync-journals"),
];

fn command(folder: &Path, (day, line): (&str, &str)) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.args(line.split(' ')).args(["--as-of", day]);
    command
}

type State = Vec<(&'static str, Vec<String>)>;

/// The end state, and what else decides how the story goes on.
fn state(folder: &Path) -> State {
    let mut state = end_state(folder);
    let ledger = folder.join("payjournal.db");
    if ledger.exists() {
        let sql = "SELECT key, tries, next_attempt_at, modification_id, refusal_code, status_since FROM operations
                   WHERE state NOT IN ('confirmed', 'withdrawn')";
        state.push(("attempts", rows(&ledger, sql)));
        let sql = "SELECT transaction_id, status_since, authorised_at FROM payments";
        state.push(("since when", rows(&ledger, sql)));
    }
    state
}

/// Everything that must be the same at the end, without row numbers and without the times that tell which run did it.
fn end_state(folder: &Path) -> State {
    let of = |file: &str, sql: &str| {
        let path = folder.join(file);
        if path.exists() { rows(&path, sql) } else { Vec::new() }
    };
    let ledger = |sql: &str| of("payjournal.db", sql);
    let psp = |sql: &str| of("sandbox.db", sql);
    let mut mails: Vec<String> = std::fs::read_dir(folder.join("mail/new"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().split('.').nth(1).unwrap().to_owned())
        .collect();
    mails.sort();
    vec![
        ("what the PSP did", psp("SELECT transaction_id, kind, amount_minor, ends, key FROM modifications")),
        ("how the PSP's transactions stand", psp("SELECT id, status FROM transactions")),
        ("orders", ledger("SELECT number, payment_status FROM orders")),
        ("payments", ledger("SELECT transaction_id, status FROM payments")),
        ("operations", ledger("SELECT kind, key, state, amount_minor FROM operations WHERE state <> 'withdrawn'")),
        ("movements", ledger("SELECT kind, modification_id, amount_minor FROM movements")),
        ("journals", ledger("SELECT number, kind, direction, amount_minor, bill_to FROM journals")),
        (
            "postings",
            ledger(
                "SELECT j.number, p.line, p.account, p.amount_minor FROM postings p JOIN journals j ON j.id = p.journal_id",
            ),
        ),
        ("exceptions", ledger("SELECT kind, state, message FROM exceptions WHERE operation_id IS NULL")),
        (
            "refusals",
            ledger("SELECT e.kind, e.state, o.key FROM exceptions e JOIN operations o ON o.id = e.operation_id"),
        ),
        ("mails written", ledger("SELECT event FROM mails")),
        ("mails arrived", mails),
    ]
}

#[track_caller]
fn assert_same_end(undisturbed: &State, folder: &Path, killed: &str) {
    for ((what, wanted), (_, found)) in undisturbed.iter().zip(end_state(folder)) {
        let missing: Vec<_> = wanted.iter().filter(|row| !found.contains(row)).collect();
        let added: Vec<_> = found.iter().filter(|row| !wanted.contains(row)).collect();
        assert!(
            missing.is_empty() && added.is_empty() && wanted.len() == found.len(),
            "killed at {killed}: {what} differ\nlost: {missing:#?}\nnew: {added:#?}"
        );
    }
}

/// The folder as it is before each command, and after the last.
fn undisturbed(folder: &Path) -> Vec<PathBuf> {
    let live = folder.join("live");
    let filled = Command::new(BINARY)
        .env_clear()
        .args(["demo", "--as-of", SECOND_DAY])
        .arg(folder.join("demo"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(filled.success());
    std::fs::create_dir(&live).unwrap();
    for file in std::fs::read_dir(folder.join("demo")).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().to_string_lossy().into_owned();
        let is_export = name.starts_with("journals.");
        if (name.ends_with(".csv") || name.ends_with(".toml")) && !is_export {
            std::fs::copy(file.path(), live.join(name)).unwrap();
        }
    }
    // One call at a time: the points come in the same order every time.
    let config = std::fs::read_to_string(live.join("payjournal.toml")).unwrap();
    std::fs::write(live.join("payjournal.toml"), config.replace("[task_defaults]", "[task_defaults]\nconcurrency = 1"))
        .unwrap();
    let mut kept = Vec::new();
    for (index, step) in STORY.into_iter().enumerate() {
        let before = folder.join(format!("before-{index}"));
        copy(&live, &before);
        kept.push(before);
        let points = folder.join(format!("points-{index}"));
        command(&live, step).env("PAYJOURNAL_KILL_LOG", &points).status().unwrap();
    }
    kept.push(live);
    kept
}

#[test]
fn killed_at_any_commit_or_call_the_story_ends_the_same_and_nothing_happens_twice() {
    let folder = support::quick_folder();
    let kept = undisturbed(folder.path());
    let end = end_state(kept.last().unwrap());
    let mut points: Vec<(usize, u64, String)> = Vec::new();
    for (index, (_, line_run)) in STORY.into_iter().enumerate() {
        let log = std::fs::read_to_string(folder.path().join(format!("points-{index}"))).unwrap_or_default();
        points.extend(log.lines().map(|line| {
            let number = line.split(' ').next().unwrap().parse().unwrap();
            (index, number, format!("`{line_run}`, point {line}"))
        }));
    }
    assert!(points.len() > 500, "only {} points: the kill switch is not passed where it must be", points.len());
    let good: Mutex<HashSet<(usize, State)>> = Mutex::new(HashSet::new());
    for (index, folder) in kept.iter().enumerate().skip(1) {
        good.lock().unwrap().insert((index - 1, state(folder)));
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (points, kept, end, next, good) = (&points, &kept, &end, &next, &good);
            let place = folder.path().join(format!("worker-{worker}"));
            scope.spawn(move || {
                while let Some((index, number, name)) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    kill_and_run_again(&kept[*index], &place, *index, *number);
                    let after = (*index, state(&place));
                    if !good.lock().unwrap().contains(&after) {
                        go_on(&place, *index + 1);
                        assert_same_end(end, &place, name);
                        good.lock().unwrap().insert(after);
                    }
                }
            });
        }
    });
}

fn kill_and_run_again(before: &Path, place: &Path, index: usize, point: u64) {
    if place.exists() {
        std::fs::remove_dir_all(place).unwrap();
    }
    copy(before, place);
    let killed = command(place, STORY[index]).env("PAYJOURNAL_KILL_AT", point.to_string()).status().unwrap();
    assert_eq!(killed.code(), None, "point {point} of `{}` was not reached", STORY[index].1);
    run(place, STORY[index]);
}

fn go_on(place: &Path, from: usize) {
    for step in &STORY[from..] {
        run(place, *step);
    }
}

fn run(place: &Path, step: (&str, &str)) {
    let code = command(place, step).status().unwrap().code();
    assert!(matches!(code, Some(0 | 1 | 5)), "`{}` after the kill ended with {code:?}", step.1);
}
