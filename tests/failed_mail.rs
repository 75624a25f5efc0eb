//! The mail "task failed": when it goes out, what it says, and that one incident is one mail.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the report")]

mod support;

use std::fs;

use support::{CONFIG, Shop};

/// The mails about failed tasks, as they arrived.
fn failures(shop: &Shop) -> Vec<String> {
    let read = |name: String| fs::read_to_string(shop.path.join("mail/new").join(name)).unwrap().replace("=\r\n", "");
    shop.mails().into_iter().map(read).filter(|mail| mail.contains("has failed.")).collect()
}

#[track_caller]
fn assert_one(shop: &Shop, task: &str, error: &str) {
    let mails = failures(shop);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let mail = &mails[0];
    let subject = format!("Subject: webshop | The task {task} has failed.");
    let task = format!("Task: {task}");
    let wanted = [
        &subject,
        "To: admin@shop.example",
        &task,
        "Shop: webshop",
        "Started: 2026-11-22 02:00:00 UTC",
        "Error: ",
        error,
    ];
    for wanted in wanted {
        assert!(mail.contains(wanted), "{wanted} is not in {mail}");
    }
}

/// A shop whose ledger was written by a later version.
fn future_shop(config: &str) -> Shop {
    let shop = Shop::with(config);
    shop.one_order("A");
    shop.ledger().execute_batch("PRAGMA user_version = 99").unwrap();
    shop
}

#[test]
fn a_ledger_that_refuses_is_mailed_although_it_cannot_queue_the_mail() {
    let shop = future_shop(CONFIG);
    shop.exits("capture", 6);
    assert_one(&shop, "capture", "schema 99");
    assert!(shop.psp_record().is_empty());
}

#[test]
fn a_scheduled_start_mails_its_failure_too() {
    let shop = future_shop(CONFIG);
    shop.exits("sync-journals --scheduled", 6);
    assert_one(&shop, "sync-journals", "schema 99");
}

#[test]
fn a_dry_run_a_listing_and_a_task_without_the_setting_mail_nothing() {
    let shop = future_shop(&format!("{CONFIG}\n[task.refunds]\nmail_on_failure = false\n"));
    for line in ["capture --dry-run", "status", "export", "refunds"] {
        shop.exits(line, 6);
    }
    assert_eq!(shop.mails().len(), 0);
}

#[test]
fn a_secret_that_is_missing_is_mailed() {
    let shop = Shop::with(&format!("{CONFIG}api_key = {{ env = \"NOT_SET\" }}\n"));
    shop.write("orders.csv", "order,currency,total,terms,ordered_on\nA,EUR,1,online,2026-11-15\n");
    shop.ok("import orders orders.csv");
    shop.exits("capture", 3);
    assert_one(&shop, "capture", "`NOT_SET` is not set");
}

#[test]
fn a_run_that_cannot_write_its_log_is_mailed() {
    let shop = Shop::with(&format!("log_dir = \"taken\"\n{CONFIG}"));
    shop.write("taken", "a file");
    shop.one_order("A");
    shop.exits("capture", 3);
    assert_one(&shop, "capture", "no log file can be written");
}

#[test]
fn what_needs_a_person_and_a_wrong_command_line_are_not_task_failures() {
    let shop = Shop::new();
    shop.one_order("A~capture:refuse");
    shop.exits("capture", 1);
    shop.exits("capture --nonsense", 2);
    assert!(failures(&shop).is_empty());
    assert_eq!(shop.mails().len(), 1, "the one about the refused capture");
}

fn config(interval: u32, faults: &str) -> String {
    format!("{CONFIG}{faults}\n[task_defaults]\nrun_interval_minutes = {interval}\nmail_after_failed_runs = 3\n")
}

const DOWN: &str = "faults = { capture = \"unreachable\" }\n";

/// Scheduled starts from `from` on, every `step` minutes; returns after which of them how many mails had gone out.
fn walk(shop: &Shop, from: u32, step: u32, starts: u32) -> Vec<usize> {
    let mut sent = Vec::new();
    for start in 0..starts {
        let minutes = from + start * step;
        let (day, hour, minute) = (22 + minutes.div_euclid(1440), minutes.div_euclid(60) % 24, minutes % 60);
        let ended =
            shop.run(&["capture", "--scheduled", "--as-of", &format!("2026-11-{day}T{hour:02}:{minute:02}:00Z")]);
        assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.stderr);
        sent.push(failures(shop).len());
    }
    sent
}

#[test]
fn an_unreachable_psp_is_mailed_after_three_runs_once_and_again_in_the_next_incident() {
    let shop = Shop::with(&config(60, DOWN));
    shop.one_order("A");
    let sent = walk(&shop, 120, 60, 16);
    assert_eq!(sent[..4], [0, 0, 1, 1], "the third run in a row mails");
    assert_eq!(sent.last(), Some(&1), "one mail per incident: {sent:?}");
    assert!(failures(&shop)[0].contains("no connection to the PSP"));
    assert!(shop.psp_record().is_empty());
    // It comes back, everything is captured once, and later it goes away again.
    shop.write("payjournal.toml", &config(60, ""));
    assert_eq!(walk(&shop, 120 + 24 * 60, 60, 1), [1]);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    shop.write("payjournal.toml", &config(60, DOWN));
    shop.one_order("B");
    assert_eq!(walk(&shop, 180 + 24 * 60, 60, 4), [1, 1, 2, 2]);
}

#[test]
fn a_run_that_only_waits_for_its_next_attempt_does_not_end_an_incident() {
    // Every five minutes, with attempts after 5, 10, 20, 40 … minutes: most runs of the incident have nothing to try.
    let shop = Shop::with(&config(5, DOWN));
    shop.one_order("A");
    let sent = walk(&shop, 120, 5, 40);
    assert_eq!(sent.last(), Some(&1), "{sent:?}");
}

#[test]
fn a_run_that_was_stopped_or_killed_does_not_make_a_second_incident() {
    let shop = Shop::with(&config(60, DOWN));
    shop.one_order("A");
    assert_eq!(walk(&shop, 120, 60, 3), [0, 0, 1]);
    shop.one_order("B");
    let killed = shop.command(&["capture", "--as-of", "2026-11-22T04:30:00Z"]).env("PAYJOURNAL_KILL_AT", "4").status();
    assert_eq!(killed.unwrap().code(), None);
    for number in ["C", "D", "E"] {
        shop.one_order(number);
    }
    let sent = walk(&shop, 6 * 60, 60, 4);
    assert_eq!(sent.last(), Some(&1), "{sent:?}");
}

#[test]
fn an_erp_that_is_down_is_not_a_task_failure_before_it_stays_down() {
    // Rule 26: what it did not take is pending; only after `mail_after_failed_runs` in a row is anybody told.
    let shop = Shop::new();
    shop.one_order("A");
    shop.ok("capture");
    shop.one_order("B");
    shop.write("payjournal.toml", &format!("{CONFIG}\n[erp]\nfault = \"unreachable\"\n"));
    for hour in 3..5 {
        for task in ["sync-journals", "capture"] {
            shop.run(&[task, "--as-of", &format!("2026-11-22T{hour:02}:00:00Z")]);
        }
    }
    assert!(failures(&shop).is_empty(), "{:#?}", failures(&shop));
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture --as-of 2026-11-23T09:00:00Z");
    shop.ok("sync-journals --as-of 2026-11-23T09:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000", "capture TX-B 10000"]);
    assert_eq!(shop.rows("SELECT amount_minor FROM journals"), ["10000", "10000"]);
}
