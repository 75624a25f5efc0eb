//! `cleanup-unpaid` killed before and after every commit and call, and two of it at once: each order is deleted once, each line's
//! stock is released once, and nobody loses a payment.

mod support;

use std::process::Stdio;

use support::Shop;
use support::cleanup::{deleted, page, shop, stock};

/// What must be the same, however often it was interrupted.
fn end(shop: &Shop) -> [Vec<String>; 5] {
    [
        deleted(shop),
        stock(shop),
        shop.rows("SELECT reference, status, assigned_minor FROM entries"),
        support::rows(&shop.path.join("sandbox.db"), "SELECT order_reference, status FROM transactions"),
        // Of a payment that was paid meanwhile the closing is refused, or not wanted any more.
        shop.rows("SELECT target, state FROM operations WHERE kind = 'delete'"),
    ]
}

fn copy(from: &Shop) -> Shop {
    let to = Shop::new();
    support::copy(&from.path, &to.path);
    to
}

fn quiet(command: &mut std::process::Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn killed_anywhere_the_next_run_ends_the_same() {
    for more in ["", "mode = \"permanent\"\nquarantine_days = 1\n"] {
        killed_anywhere(more);
    }
}

fn killed_anywhere(more: &str) {
    let template = shop(more);
    page(&template, "SO-1");
    page(&template, "SO-2~cancel:timeout-after");
    page(&template, "SO-3~cancel:paid-meanwhile");
    let undisturbed = copy(&template);
    let log = undisturbed.path.join("moments");
    quiet(undisturbed.command(&["cleanup-unpaid"]).env("PAYJOURNAL_KILL_LOG", &log));
    let moments = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    assert!(moments >= 20, "{moments} moments");
    // Some days later everything has come to its end: quarantine, and what was not answered.
    let later = ["2026-11-23T02:00:00Z", "2026-11-24T02:00:00Z", "2026-11-25T02:00:00Z"];
    let finish = |shop: &Shop| {
        for at in later {
            shop.run(&["cleanup-unpaid", "--as-of", at]);
        }
        end(shop)
    };
    let expected = finish(&undisturbed);
    assert_eq!(expected[0], ["SO-1", "SO-2~cancel:timeout-after"]);
    for moment in 1..=moments {
        let shop = copy(&template);
        let survived = quiet(shop.command(&["cleanup-unpaid"]).env("PAYJOURNAL_KILL_AT", moment.to_string()));
        assert!(!survived, "moment {moment} is not reached");
        assert_eq!(finish(&shop), expected, "killed at {moment}");
        shop.ok("verify --as-of 2026-11-25T03:00:00Z");
    }
}

#[test]
fn two_runs_at_once_delete_each_order_once() {
    let shop = shop("");
    for number in 1..=12 {
        page(&shop, &format!("SO-{number}"));
    }
    let start = || shop.command(&["cleanup-unpaid"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let runs = [start(), start(), start()];
    let mut codes: Vec<Option<i32>> =
        runs.into_iter().map(|run| run.and_then(|mut run| run.wait()).map_or(None, |status| status.code())).collect();
    codes.sort_unstable();
    // The others say that one holds the lock, or come after it and find nothing.
    assert!(codes.contains(&Some(0)) && codes.iter().all(|code| matches!(code, Some(0 | 4))), "{codes:?}");
    assert_eq!((deleted(&shop).len(), stock(&shop).len()), (12, 24));
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'delete'"), ["12"]);
    shop.ok("verify");
}

/// While it runs, the shop imports payments, and the PSP is asked by another task: an order that gets money stays.
#[test]
fn another_task_at_the_same_time_is_no_harm() {
    let shop = shop("");
    let links: Vec<String> = (1..=10).map(|number| page(&shop, &format!("SO-{number}"))).collect();
    for link in links.iter().take(5) {
        shop.ok(&format!("sandbox pay {link}"));
    }
    let start = |task: &str| shop.command(&[task]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    for run in [start("cleanup-unpaid"), start("sync-payments")] {
        assert!(run.and_then(|mut run| run.wait()).is_ok_and(|status| status.code() == Some(0)));
    }
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop), ["SO-10", "SO-6", "SO-7", "SO-8", "SO-9"]);
    assert_eq!(shop.rows("SELECT count(*) FROM orders WHERE payment_status = 'paid' AND deleted = 0"), ["5"]);
    assert_eq!(shop.rows("SELECT count(*) FROM exceptions"), ["0"]);
    shop.ok("verify --against-provider");
}
