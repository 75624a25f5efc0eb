//! Disks that are full or read-only: a clear refusal, and after that everything exactly once.
//!
//! Each test mounts a small disk that only it can see. Where that is not allowed, CI fails and other machines say so.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs;
use std::process::Command;

use support::{BINARY, NOW, Shop, ended, rows};

const LATER: &str = "2026-11-23T02:00:00Z";

/// Whether this process may mount what nobody else sees.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "it is about the machine the test runs on")]
fn can_mount() -> bool {
    let tried = Command::new("unshare").args(["-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).output();
    let allowed = tried.as_ref().is_ok_and(|output| output.status.success());
    if !allowed {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must be able to mount: {tried:?}");
        eprintln!("NOT TESTED: this machine does not allow `unshare -m` with mounts: {tried:?}");
    }
    allowed
}

/// Runs a script where `run ARGS…` runs payjournal in the folder `disk` and writes how it ended to `NAME.code`, `NAME.out`
/// and `NAME.err` of the shop's folder, with `$name` as NAME.
fn script(shop: &Shop, text: &str) {
    let prelude = format!(
        "set -eu; here='{}'; disk=\"$here/disk\"; mkdir -p \"$disk\"\n\
         run() {{ cd \"$disk\"; code=0; env -i '{BINARY}' \"$@\" </dev/null >\"$here/$name.out\" 2>\"$here/$name.err\" || code=$?; \
         cd \"$here\"; echo \"$code\" >\"$here/$name.code\"; }}\n",
        shop.path.display()
    );
    let done = Command::new("unshare").args(["-m", "sh", "-c", &format!("{prelude}{text}")]).output().unwrap();
    let done = ended(done);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
}

struct Told {
    code: i32,
    out: String,
    err: String,
}

fn told(shop: &Shop, name: &str) -> Told {
    let read = |end: &str| fs::read_to_string(shop.path.join(format!("{name}.{end}"))).unwrap();
    Told { code: read("code").trim().parse().unwrap(), out: read("out"), err: read("err") }
}

/// A shop with this many orders, each authorised and invoiced.
fn shop(orders: usize) -> Shop {
    let shop = Shop::new();
    let all = |row: &dyn Fn(usize) -> String| (0..orders).map(row).collect::<String>();
    shop.orders(&all(&|n| format!("S{n:02},EUR,100.00,online,,none,C1,2026-11-15\n")));
    shop.payments(&all(&|n| format!("TX-S{n:02},S{n:02},,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n")));
    shop.documents(&all(&|n| format!("invoice,R-S{n:02},S{n:02},EUR,100.00,,,2026-11-20\n")));
    shop
}

fn all_captured(orders: usize) -> Vec<String> {
    (0..orders).map(|n| format!("capture TX-S{n:02} 10000")).collect()
}

/// What came back from the disk: every payment captured exactly once, at the PSP and in the ledger, each with its mail.
#[track_caller]
fn assert_all_once(shop: &Shop, orders: usize, when: &str) {
    let after = shop.path.join("after");
    let psp = rows(&after.join("sandbox.db"), "SELECT kind, transaction_id, amount_minor FROM modifications");
    assert_eq!(psp, all_captured(orders), "{when}");
    let movements = rows(&after.join("payjournal.db"), "SELECT kind, amount_minor FROM movements");
    assert_eq!(movements, vec!["capture 10000"; orders], "{when}");
    assert_eq!(rows(&after.join("payjournal.db"), "PRAGMA integrity_check"), ["ok"], "{when}");
    let mails = fs::read_dir(after.join("mail/new")).unwrap();
    let mails = mails.map(|mail| fs::read_to_string(mail.unwrap().path()).unwrap());
    let (told, other): (Vec<String>, Vec<String>) = mails.partition(|mail| mail.contains(" captured: 100.00 EUR"));
    assert_eq!(told.len(), orders, "{when}: mails");
    assert!(other.len() <= 1 && other.iter().all(|mail| mail.contains("has failed")), "{when}: {other:#?}");
}

/// Fills the disk but for `free` KiB, captures, makes room, captures again.
#[track_caller]
fn fills_up(free: u32) -> Told {
    const ORDERS: usize = 25;
    let shop = shop(ORDERS);
    script(
        &shop,
        &format!(
            "mount -t tmpfs -o size=16m tmpfs \"$disk\"
             cp \"$here/payjournal.toml\" \"$here/payjournal.db\" \"$here/sandbox.db\" \"$disk/\"
             dd if=/dev/zero of=\"$disk/room\" bs=1024 count={free} 2>/dev/null
             dd if=/dev/zero of=\"$disk/full\" bs=4096 2>/dev/null || true
             rm \"$disk/room\"
             name=full; run capture --as-of {NOW}
             rm \"$disk/full\"
             name=again; run capture --as-of {LATER}
             cp -r \"$disk\" \"$here/after\""
        ),
    );
    let (full, again) = (told(&shop, "full"), told(&shop, "again"));
    let when = format!("with {free} KiB free");
    assert_eq!(again.code, 0, "{when}: {}", again.err);
    assert_eq!((again.out.as_str(), again.err.as_str()), ("", ""), "{when}");
    assert_all_once(&shop, ORDERS, &when);
    assert_eq!(full.out, "", "{when}");
    full
}

#[test]
fn a_full_disk_is_refused_with_what_to_do_and_the_next_run_captures_everything_once() {
    if !can_mount() {
        return;
    }
    let full = fills_up(0);
    assert_eq!(full.code, 6, "{}", full.err);
    for wanted in ["error: ", "hint: ", "make room"] {
        assert!(full.err.contains(wanted), "{wanted} is not in {}", full.err);
    }
}

#[test]
fn a_disk_that_fills_up_at_any_moment_of_a_run_loses_nothing_and_doubles_nothing() {
    if !can_mount() {
        return;
    }
    for free in [4, 12, 36, 60, 84, 108, 156, 204, 276, 348, 500, 708, 852, 1500] {
        let full = fills_up(free);
        assert!(matches!(full.code, 0 | 5 | 6), "{free} KiB free: exit {}\n{}", full.code, full.err);
        if full.code == 6 {
            assert!(full.err.contains("make room"), "{free} KiB free: {}", full.err);
        }
    }
}

#[test]
fn a_read_only_folder_is_refused_with_what_to_do_and_nothing_is_lost() {
    if !can_mount() {
        return;
    }
    let shop = shop(2);
    script(
        &shop,
        &format!(
            "mount -t tmpfs -o size=8m tmpfs \"$disk\"
             cp \"$here/payjournal.toml\" \"$here/payjournal.db\" \"$here/sandbox.db\" \"$here/orders.csv\" \"$disk/\"
             mount -o remount,ro \"$disk\"
             for task in sync-payments capture refunds sync-journals; do name=$task; run $task --as-of {NOW}; done
             name=import; run import orders orders.csv
             name=status; run status
             name=check; run check
             name=init; run init new
             mount -o remount,rw \"$disk\"
             name=again; run capture --as-of {NOW}
             cp -r \"$disk\" \"$here/after\""
        ),
    );
    for task in ["sync-payments", "capture", "refunds", "sync-journals", "import"] {
        let refused = told(&shop, task);
        assert_eq!(refused.code, 6, "{task}: {}", refused.err);
        assert_eq!(refused.out, "", "{task}");
        for wanted in ["error: ", "disk/payjournal.db", "hint: ", "writable"] {
            assert!(refused.err.contains(wanted), "{task}: {wanted} is not in {}", refused.err);
        }
    }
    let status = told(&shop, "status");
    assert!(matches!(status.code, 0 | 6) && (status.code == 0 || status.err.contains("writable")), "{}", status.err);
    assert_eq!(told(&shop, "check").code, 0);
    let init = told(&shop, "init");
    assert!(matches!(init.code, 2 | 3) && init.err.contains("ead-only"), "{} {}", init.code, init.err);
    assert_eq!(told(&shop, "again").code, 0);
    assert_all_once(&shop, 2, "once it can be written again");
}

#[test]
fn a_mail_folder_and_a_log_folder_on_a_full_disk_do_not_stop_the_money() {
    if !can_mount() {
        return;
    }
    let shop = shop(2);
    let config = fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    let config = config.replace("[mail]", "[mail]\nmaildir = \"disk/mail\"");
    shop.write("payjournal.toml", &format!("log_dir = \"disk/logs\"\n{config}"));
    script(
        &shop,
        &format!(
            "mount -t tmpfs -o size=64k tmpfs \"$disk\"
             mkdir \"$disk/logs\"
             dd if=/dev/zero of=\"$disk/full\" bs=4096 2>/dev/null || true
             name=full; run capture --config ../payjournal.toml --as-of {NOW}
             rm \"$disk/full\"
             name=again; run capture --config ../payjournal.toml --as-of {LATER}
             cp -r \"$disk\" \"$here/after\""
        ),
    );
    let full = told(&shop, "full");
    assert!(full.err.contains("the log") && full.err.contains("is incomplete"), "{}", full.err);
    assert_eq!(shop.psp_record(), all_captured(2));
    assert_eq!(told(&shop, "again").code, 0, "{}", told(&shop, "again").err);
    assert_eq!(fs::read_dir(shop.path.join("after/mail/new")).unwrap().count(), 2);
    assert_eq!(shop.rows("SELECT kind FROM movements"), ["capture", "capture"]);
}
