//! Who is written to, about what, and that nobody is ever written to twice about the same.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use support::{CONFIG, Shop};

const ADMINISTRATOR: &str = "admin@shop.example";
const PAYMENTS: &str = "payments@shop.example";

fn shop(more: &str) -> Shop {
    Shop::with(&format!("{CONFIG}{more}"))
}

struct Mail {
    to: String,
    subject: String,
    body: String,
}

/// Every mail in the maildir, headers unfolded.
fn mails(shop: &Shop) -> Vec<Mail> {
    shop.mails()
        .iter()
        .map(|name| {
            let text = std::fs::read_to_string(shop.path.join("mail/new").join(name)).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let head = head.replace("\r\n ", " ");
            let header = |name: &str| {
                head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_owned()
            };
            Mail { to: header("To"), subject: header("Subject"), body: body.to_owned() }
        })
        .collect()
}

/// `TO SUBJECT` of every mail, sorted.
fn envelopes(shop: &Shop) -> Vec<String> {
    let mut found: Vec<String> = mails(shop).iter().map(|mail| format!("{} {}", mail.to, mail.subject)).collect();
    found.sort();
    found
}

/// Runs every task twice more, some days later each time.
fn rerun_everything(shop: &Shop) {
    for day in ["24", "26"] {
        for task in ["sync-payments", "capture", "refunds", "sync-journals"] {
            shop.run(&[task, "--as-of", &format!("2026-11-{day}T02:00:00Z")]);
        }
    }
}

#[test]
fn a_capture_a_refund_and_a_release_are_told_to_the_administrator_once_each() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,online,,rest,C1,2026-11-15\n");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-1,SO-1,EUR,60.00,,,2026-11-20\ncredit_note,G-1,SO-1,EUR,10.00,,R-1,2026-11-21\n");
    shop.ok("capture");
    shop.ok("refunds");
    rerun_everything(&shop);
    assert_eq!(
        envelopes(&shop),
        [
            format!("{ADMINISTRATOR} webshop | Payment TX-1 captured: 60.00 EUR"),
            format!("{ADMINISTRATOR} webshop | Payment TX-1 refunded: 10.00 EUR"),
            format!("{ADMINISTRATOR} webshop | Payment TX-1 released: 40.00 EUR"),
        ]
    );
    let captured = mails(&shop).into_iter().find(|mail| mail.subject.contains("captured")).unwrap();
    for part in ["60.00 EUR", "TX-1", "invoice R-1", "SO-1", "webshop"] {
        assert!(captured.body.contains(part), "{part} in {}", captured.body);
    }
    assert_eq!(shop.psp_record(), ["capture TX-1 6000", "refund TX-1 1000", "release TX-1 4000"]);
}

#[test]
fn one_run_with_several_captures_writes_one_mail_for_each() {
    let shop = shop("");
    for number in ["SO-1", "SO-2", "SO-3"] {
        shop.one_order(number);
    }
    shop.ok("capture");
    rerun_everything(&shop);
    assert_eq!(envelopes(&shop).len(), 3);
}

#[test]
fn what_cannot_be_captured_or_refunded_is_told_to_the_payment_notifications_once() {
    let shop = shop("faults = { capture = \"refuse\" }\n");
    shop.one_order("SO-1");
    shop.orders("SO-2,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-2,SO-2,,card,EUR,authorised,50.00,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-2,SO-2,EUR,100.00,,,2026-11-20\n");
    shop.exits("capture", 1);
    rerun_everything(&shop);
    assert_eq!(
        envelopes(&shop),
        [
            format!("{PAYMENTS} Payment TX-2 cannot be captured"),
            format!("{PAYMENTS} Payment TX-SO-1 cannot be captured")
        ]
    );
}

#[test]
fn a_refused_refund_is_told_to_the_payment_notifications_once() {
    let shop = shop("faults = { refund = \"refuse\" }\n");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.documents("credit_note,G-1,SO-1,EUR,10.00,,R-SO-1,2026-11-21\n");
    shop.exits("refunds", 1);
    rerun_everything(&shop);
    assert_eq!(
        envelopes(&shop),
        [
            format!("{ADMINISTRATOR} webshop | Payment TX-SO-1 captured: 100.00 EUR"),
            format!("{PAYMENTS} Payment TX-SO-1 cannot be refunded")
        ]
    );
}

#[test]
fn a_credit_note_nobody_can_place_is_told_to_the_payment_notifications_too() {
    let shop = shop("");
    shop.documents("credit_note,G-1,,EUR,10.00,,,2026-11-21\n");
    shop.exits("refunds", 1);
    rerun_everything(&shop);
    let found = envelopes(&shop);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.concat().starts_with(PAYMENTS) && found.concat().contains("cannot be refunded"), "{found:?}");
}

#[test]
fn the_error_notification_goes_to_the_administrator_once() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    let down = "[erp]\nfault = \"unreachable\"\n[task.sync-journals]\nmail_after_failed_runs = 1000\n";
    shop.write("payjournal.toml", &format!("{CONFIG}{down}"));
    for day in ["22", "24", "26", "27"] {
        shop.run(&["sync-journals", "--as-of", &format!("2026-11-{day}T03:00:00Z")]);
    }
    let found: Vec<String> = envelopes(&shop).into_iter().filter(|mail| mail.contains("rror notification")).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.concat().starts_with(&format!("{ADMINISTRATOR} webshop | Error notification: payment journal PJ-")));
}

#[test]
fn a_remote_that_stays_down_is_mailed_after_the_configured_runs_in_a_row() {
    let shop = shop("");
    shop.one_order("SO-1");
    let down = "[erp]\nfault = \"unreachable\"\n[task.capture]\nmail_after_failed_runs = 3\n";
    shop.write("payjournal.toml", &format!("{CONFIG}{down}"));
    for (hour, count) in [("03", 0), ("04", 0), ("05", 1), ("06", 1)] {
        shop.exits(&format!("capture --as-of 2026-11-22T{hour}:00:00Z"), 5);
        assert_eq!(envelopes(&shop).len(), count, "after the run at {hour}");
    }
    assert!(envelopes(&shop).concat().starts_with(&format!("{ADMINISTRATOR} webshop | The task capture has failed.")));
    assert!(shop.psp_record().is_empty());
}

#[test]
fn a_task_that_cannot_use_its_ledger_is_told_to_the_administrator() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ledger().pragma_update(None, "user_version", 99).unwrap();
    shop.exits("capture", 6);
    let found = mails(&shop);
    let [mail] = found.as_slice() else { panic!("{:?}", envelopes(&shop)) };
    assert_eq!(mail.to, ADMINISTRATOR);
    assert_eq!(mail.subject, "webshop | The task capture has failed.");
    for part in ["Task: capture", "Shop: webshop", "Started: 2026-11-22 02:00:00 UTC", "Error: "] {
        assert!(mail.body.contains(part), "{part} in {}", mail.body);
    }
    assert!(shop.psp_record().is_empty());
}

#[test]
fn a_payment_in_error_is_told_to_the_administrator_once() {
    let shop = shop("");
    shop.one_order("SO-1");
    in_error(&shop);
    shop.exits("sync-payments", 1);
    rerun_everything(&shop);
    let found = envelopes(&shop);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.concat().starts_with(ADMINISTRATOR) && found.concat().contains("TX-SO-1"), "{found:?}");
}

#[expect(clippy::disallowed_methods, reason = "the PSP's own file")]
fn in_error(shop: &Shop) {
    let connection = rusqlite::Connection::open(shop.path.join("sandbox.db")).unwrap();
    connection.execute_batch("UPDATE transactions SET status = 'error'").unwrap();
}

#[test]
fn without_payment_notifications_the_administrator_gets_those_mails() {
    let config = "[mail]\nadministrator = [\"admin@shop.example\"]\n[provider.psp]\nkind = \"sandbox\"\n\
                  merchant_account = \"Shop\"\nfaults = { capture = \"refuse\" }\n";
    let shop = Shop::with(config);
    shop.one_order("SO-1");
    shop.exits("capture", 1);
    assert_eq!(envelopes(&shop), [format!("{ADMINISTRATOR} Payment TX-SO-1 cannot be captured")]);
}

#[test]
fn a_mail_that_was_read_and_moved_does_not_come_again() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    for name in shop.mails() {
        let mail = shop.path.join("mail");
        std::fs::rename(mail.join("new").join(&name), mail.join("cur").join(format!("{name}:2,S"))).unwrap();
    }
    rerun_everything(&shop);
    assert!(shop.mails().is_empty());
}

#[test]
fn no_mail_log_or_ledger_holds_the_secret_of_the_provider() {
    let secret = "sk_test_4eC39HqLyjWDarjtT1zdp7dc";
    let shop = shop("api_key = { file = \"key\" }\nfaults = { refund = \"refuse\" }\n");
    shop.write("key", secret);
    shop.one_order("SO-1");
    shop.documents("credit_note,G-1,SO-1,EUR,10.00,,R-SO-1,2026-11-21\n");
    let mut said = shop.ok("check --show").stdout;
    for task in ["sync-payments", "capture", "refunds", "sync-journals"] {
        let ended = shop.run(&[task, "-v"]);
        said.push_str(&ended.stdout);
        said.push_str(&ended.stderr);
    }
    shop.write("key", "sk_test_wrong0wrong0wrong0");
    let refused = shop.run(&["capture"]);
    said.push_str(&refused.stderr);
    assert!(!said.contains(secret) && !said.contains("sk_test_wrong"), "{said}");
    let mut folders = vec![shop.path.clone()];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "key" {
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{}", path.display());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 5, "mails, logs, ledger and the sandbox's file");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"]);
}
