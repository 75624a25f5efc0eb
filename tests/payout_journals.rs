//! With `post_payout_journals` every journal of a payout is in the ERP once, whatever breaks; without it nothing of them is sent.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::process::Stdio;

use support::reports::{ADYEN, STRIPE_LINES, STRIPE_PAYOUTS, captured_shop, drop_report, report};
use support::{CONFIG, Shop};

const ON: &str = "[erp]\npost_payout_journals = true\n";
const DOWN: &str = "[erp]\npost_payout_journals = true\nfault = \"unreachable\"\n";
const REFUSES: &str = "[erp]\npost_payout_journals = true\nfault = \"refuses-journals\"\n";

const PAYOUT: [&str; 3] =
    ["TX-1 WEB-SO-1 Settled CAP-1 100.00 99.00 1.00 7", "- - Fee - - -1.50 - 7", "- - MerchantPayout - - -97.50 - 7"];

fn configure(shop: &Shop, more: &str) {
    shop.write("payjournal.toml", &format!("{CONFIG}{ADYEN}{more}"));
}

/// Fees and money of payout 7 are booked, and not in the ERP.
fn shop(more: &str) -> Shop {
    let shop = captured_shop(&format!("{CONFIG}{ADYEN}{more}"), ("adyen", "TX-1"));
    drop_report(&shop, "batch_7.csv", &report(&PAYOUT));
    shop.ok("settlements");
    shop
}

/// What the ERP has, or does not have: kind, amount and state, and how often it was called.
fn deliveries(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT j.kind, o.amount_minor, o.currency, o.attempt, o.state FROM operations o JOIN payout_journals j ON j.id = o.payout_journal_id
         WHERE o.kind = 'payout_journal'",
    )
}

const DELIVERED: [&str; 2] = ["fee 250 EUR 1 confirmed", "payout 9750 EUR 1 confirmed"];

fn exceptions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved'")
}

/// How many journals of payouts `status` calls pending.
fn pending(shop: &Shop) -> Option<u64> {
    let status = shop.json("status");
    let totals = status["totals"].as_array().unwrap();
    totals.iter().find(|total| total["kind"] == "payout_journal").and_then(|total| total["count"].as_u64())
}

fn copy(from: &Shop) -> Shop {
    let to = Shop::new();
    support::copy(&from.path, &to.path);
    to
}

#[test]
fn switched_off_nothing_of_payouts_is_sent_or_pending() {
    let shop = shop("");
    shop.ok("sync-journals");
    assert!(deliveries(&shop).is_empty());
    assert_eq!(pending(&shop), None);
    shop.ok("verify --against-erp");
}

/// The ledger is older than the switch.
#[test]
fn switched_on_each_journal_is_delivered_once_whenever_it_was_booked() {
    let shop = shop("");
    shop.ok("sync-journals");
    configure(&shop, ON);
    assert_eq!(pending(&shop), Some(2));
    let status = shop.ok("status").stdout;
    assert!(status.contains("2 payout journals of 100.00 EUR"), "{status}");
    let planned = shop.ok("sync-journals --dry-run").stdout;
    assert!(planned.contains(" for fees of payout") && planned.contains(" for payout 7"), "{planned}");
    shop.ok("sync-journals");
    shop.ok("sync-journals --as-of 2027-03-01T02:00:00Z");
    assert_eq!(deliveries(&shop), DELIVERED);
    assert_eq!(pending(&shop), None);
    assert_eq!(shop.rows("SELECT count(*) FROM mails WHERE event LIKE 'error-notification%'"), ["0"]);
    let numbers = shop.rows("SELECT number FROM payout_journals");
    assert_eq!(shop.rows("SELECT modification_id FROM operations WHERE kind = 'payout_journal'"), numbers);
    shop.ok("verify --against-erp --all --as-of 2027-03-01T02:00:00Z");
}

#[test]
fn lines_that_come_later_are_delivered_as_another_journal() {
    let shop = shop(ON);
    shop.ok("sync-journals");
    drop_report(&shop, "more.csv", &report(&["- - Fee FEE-2 - -0.50 - 7"]));
    let _ = shop.run(&["settlements"]);
    shop.ok("sync-journals");
    assert_eq!(deliveries(&shop), ["fee 250 EUR 1 confirmed", "fee 50 EUR 1 confirmed", "payout 9750 EUR 1 confirmed"]);
    shop.ok("verify --against-erp");
}

#[test]
fn an_erp_that_was_down_gets_them_when_it_is_back() {
    let shop = shop(DOWN);
    shop.exits("sync-journals", 5);
    shop.exits("sync-journals --as-of 2026-11-22T03:00:00Z", 5);
    assert_eq!(deliveries(&shop), ["fee 250 EUR 1 planned", "payout 9750 EUR 1 planned"]);
    configure(&shop, ON);
    shop.ok("sync-journals --as-of 2026-11-22T12:00:00Z");
    assert_eq!(deliveries(&shop), DELIVERED);
    shop.ok("verify --against-erp --as-of 2026-11-22T12:00:00Z");
}

/// Both count from the day they were wanted in the ERP: these are booked months before.
#[test]
fn one_error_notification_goes_out_and_then_the_journal_is_given_up() {
    let days = "[task.sync-journals]\nerror_notification_after_days = 3\ntransaction_valid_days = 10\n";
    let shop = shop("");
    shop.ok("sync-journals");
    configure(&shop, &format!("{DOWN}{days}"));
    let told = || shop.rows("SELECT event FROM mails WHERE event LIKE 'error-notification%'").len();
    for (day, mails) in [("02-01", 0), ("02-03", 0), ("02-04", 2), ("02-05", 2)] {
        shop.run(&["sync-journals", "--as-of", &format!("2027-{day}T03:00:00Z")]);
        assert_eq!(told(), mails, "{day}");
    }
    shop.exits("sync-journals --as-of 2027-02-12T03:00:00Z", 1);
    assert_eq!(deliveries(&shop), ["fee 250 EUR 1 given_up", "payout 9750 EUR 1 given_up"]);
    assert_eq!(exceptions(&shop), ["given_up", "given_up"]);
    shop.ok("verify --as-of 2027-02-12T04:00:00Z");
    configure(&shop, &format!("{ON}{days}"));
    for id in shop.rows("SELECT id FROM operations WHERE kind = 'payout_journal'") {
        shop.ok(&format!("retry {id} --as-of 2027-02-13T03:00:00Z"));
    }
    shop.ok("sync-journals --as-of 2027-02-13T04:00:00Z");
    assert_eq!(deliveries(&shop), DELIVERED);
    assert!(exceptions(&shop).is_empty());
    assert_eq!(told(), 2);
}

#[test]
fn a_refusal_is_told_once_and_tried_again_when_a_person_says_so() {
    let shop = shop(REFUSES);
    shop.exits("sync-journals", 1);
    shop.ok("sync-journals --as-of 2026-11-23T02:00:00Z");
    let refused = ["fee 250 EUR 1 refused", "payout 9750 EUR 1 refused"];
    assert_eq!(deliveries(&shop), refused);
    let told = shop.rows(
        "SELECT subject, message FROM exceptions WHERE kind = 'journal_refused' AND message LIKE '%fees of payout 7%'",
    );
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(told.starts_with("journal PJ-") && told.contains("payjournal retry") && !told.contains("order"), "{told}");
    configure(&shop, ON);
    shop.ok("sync-journals --as-of 2026-11-24T02:00:00Z");
    assert_eq!(deliveries(&shop), refused);
    for id in shop.rows("SELECT id FROM operations WHERE kind = 'payout_journal'") {
        shop.ok(&format!("retry {id}"));
    }
    shop.ok("sync-journals --as-of 2026-11-25T02:00:00Z");
    let mut expected: Vec<&str> =
        refused.into_iter().chain(["fee 250 EUR 2 confirmed", "payout 9750 EUR 2 confirmed"]).collect();
    expected.sort_unstable();
    assert_eq!(deliveries(&shop), expected);
    shop.ok("verify --against-erp --as-of 2026-11-25T02:00:00Z");
}

#[test]
fn switched_off_again_what_was_not_sent_is_not_wanted_any_more() {
    let shop = shop(DOWN);
    shop.exits("sync-journals", 5);
    configure(&shop, "");
    shop.ok("sync-journals --as-of 2026-11-23T02:00:00Z");
    assert_eq!(deliveries(&shop), ["fee 250 EUR 1 withdrawn", "payout 9750 EUR 1 withdrawn"]);
    shop.ok("verify --as-of 2027-11-23T02:00:00Z");
    configure(&shop, ON);
    shop.ok("sync-journals --as-of 2027-11-23T02:00:00Z");
    assert_eq!(
        shop.rows("SELECT attempt FROM operations WHERE kind = 'payout_journal' AND state = 'confirmed'"),
        ["2", "2"]
    );
    assert_eq!(shop.rows("SELECT count(*) FROM mails WHERE event LIKE 'error-notification%'"), ["0"]);
}

#[test]
fn killed_anywhere_the_next_run_ends_the_same() {
    let template = shop(&format!("{ON}[task.sync-journals]\nconcurrency = 1\n"));
    let undisturbed = copy(&template);
    let log = undisturbed.path.join("moments");
    undisturbed.command(&["sync-journals"]).env("PAYJOURNAL_KILL_LOG", &log).output().unwrap();
    let moments = std::fs::read_to_string(&log).unwrap().lines().count();
    assert!(moments >= 12, "{moments} moments");
    let keys = "SELECT key, state FROM operations";
    for moment in 1..=moments {
        let shop = copy(&template);
        let killed = shop.command(&["sync-journals"]).env("PAYJOURNAL_KILL_AT", moment.to_string()).output().unwrap();
        assert_eq!(killed.status.code(), None, "moment {moment} is not reached");
        shop.ok("sync-journals");
        assert_eq!(deliveries(&shop), DELIVERED, "killed at {moment}");
        assert_eq!(shop.rows(keys), undisturbed.rows(keys), "killed at {moment}");
        shop.ok("verify --against-erp");
    }
}

#[test]
fn two_runs_at_once_deliver_each_journal_once() {
    let shop = shop(ON);
    let start = || shop.command(&["sync-journals"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut runs = [start(), start(), start()];
    let codes: Vec<Option<i32>> = runs.iter_mut().map(|run| run.wait().unwrap().code()).collect();
    // The others say that one holds the lock, or come after it and find nothing.
    assert!(codes.contains(&Some(0)) && codes.iter().all(|code| matches!(code, Some(0 | 4))), "{codes:?}");
    assert_eq!(deliveries(&shop), DELIVERED);
    shop.ok("verify --against-erp");
}

#[test]
fn a_restored_backup_delivers_under_the_same_numbers() {
    let shop = shop(ON);
    let backup = std::fs::read(shop.path.join("payjournal.db")).unwrap();
    let sent = "SELECT key, modification_id, request_hash FROM operations WHERE kind = 'payout_journal'";
    shop.ok("sync-journals");
    let first = shop.rows(sent);
    std::fs::write(shop.path.join("payjournal.db"), &backup).unwrap();
    assert!(deliveries(&shop).is_empty());
    shop.ok("sync-journals --as-of 2026-12-01T02:00:00Z");
    assert_eq!(shop.rows(sent), first);
}

/// A fee that was not paid out yet is taken back there once its payout is known; the ERP has not got it yet by then.
#[test]
fn what_takes_a_journal_back_comes_after_it() {
    let config = |more: &str| {
        format!("[provider.stripe]\nkind = \"reports\"\nmerchant_account = \"acct\"\nreports = \"reports\"\n{more}")
    };
    let shop = captured_shop(&config(DOWN), ("stripe", "pi_1"));
    let sale = |payout: &str| {
        format!(
            "{STRIPE_LINES}\n{payout},txn_1,2026-11-10 12:00:00,eur,100.00,2.90,97.10,charge,ch_1,,,ch_1,pi_1,,card,\n"
        )
    };
    drop_report(&shop, "a.csv", &sale(""));
    shop.ok("settlements");
    shop.exits("sync-journals", 5);
    drop_report(&shop, "b.csv", &sale("po_1"));
    let paid = "po_1,2026-11-12 00:00:00,eur,-97.10,0.00,-97.10,payout,paid,txn_p";
    drop_report(&shop, "c.csv", &format!("{STRIPE_PAYOUTS}\n{paid}\n"));
    shop.ok("settlements");
    shop.write("payjournal.toml", &config(ON));
    // The first is left alone for some minutes, so that what takes it back has to wait for it.
    shop.ok("sync-journals --as-of 2026-11-22T02:00:30Z");
    let sent = "SELECT j.part, p.reference, o.state FROM payout_journals j JOIN payouts p ON p.id = j.payout_id
                LEFT JOIN operations o ON o.payout_journal_id = j.id WHERE j.kind = 'fee'";
    assert_eq!(shop.rows(sent), ["1  planned", "1 po_1 confirmed", "2  -"]);
    let log = std::fs::read_to_string(shop.logs("sync-journals").last().unwrap()).unwrap();
    assert!(log.contains("has to be in the ERP first"), "{log}");
    shop.ok("sync-journals --as-of 2026-11-22T12:00:00Z");
    assert_eq!(shop.rows(sent), ["1  confirmed", "1 po_1 confirmed", "2  confirmed"]);
    let order = shop.rows("SELECT printf('%09d', e.id), j.part, p.reference FROM operation_events e JOIN operations o ON o.id = e.operation_id
         JOIN payout_journals j ON j.id = o.payout_journal_id JOIN payouts p ON p.id = j.payout_id
         WHERE e.state = 'confirmed' AND j.kind = 'fee' AND p.reference = ''");
    let parts: Vec<&str> = order.iter().filter_map(|row| row.split(' ').nth(1)).collect();
    assert_eq!(parts, ["1", "2"]);
    shop.ok("verify --against-erp --as-of 2026-11-22T12:00:00Z");
}

#[test]
fn a_payout_that_failed_comes_after_the_payout() {
    let shop = shop(DOWN);
    shop.exits("sync-journals", 5);
    let failed = report(&["- - MerchantPayout PO-2 - 97.50 - 7"]).replace("2026-11-10", "2026-11-15");
    drop_report(&shop, "failed.csv", &failed);
    let _ = shop.run(&["settlements"]);
    let sent = "SELECT j.posting_date, p.amount_minor, o.state FROM payout_journals j
                JOIN payout_postings p ON p.journal_id = j.id AND p.line = 1
                LEFT JOIN operations o ON o.payout_journal_id = j.id WHERE j.kind = 'payout'";
    configure(&shop, ON);
    shop.ok("sync-journals --as-of 2026-11-22T02:00:30Z");
    assert_eq!(shop.rows(sent), ["2026-11-10 -9750 planned", "2026-11-15 9750 -"]);
    shop.ok("sync-journals --as-of 2026-11-22T12:00:00Z");
    assert_eq!(shop.rows(sent), ["2026-11-10 -9750 confirmed", "2026-11-15 9750 confirmed"]);
    shop.ok("verify --against-erp --as-of 2026-11-22T12:00:00Z");
}

/// What holds of the deliveries of other journals holds of these.
#[test]
fn verify_finds_a_delivery_that_was_tampered_with() {
    let tampered = [
        ("operation-key", "UPDATE operations SET key = 'pj-payout_journal-1'"),
        ("operation-target", "UPDATE operations SET target = 'payout:1'"),
        ("operation-subject", "UPDATE operations SET amount_minor = amount_minor + 1"),
        ("operation-content", "UPDATE operations SET request_hash = '00'"),
        ("operation-sending", "UPDATE operations SET tries = 0, sent_at = NULL, last_sent_at = NULL"),
        (
            "operation-over-age",
            "UPDATE payout_journals SET booked_at = '2026-01-01T00:00:00Z'; UPDATE operations SET state = 'unknown', status_since = '2026-01-01T00:00:00Z'",
        ),
        (
            "one-live-operation",
            "DROP INDEX operations_payout_journal_once; UPDATE operations SET payout_journal_id = 1",
        ),
    ];
    for (check, sql) in tampered {
        let shop = shop(ON);
        shop.ok("sync-journals");
        shop.ledger().execute_batch("DROP TRIGGER operations_fixed; DROP TRIGGER payout_journals_fixed").unwrap();
        let one = format!(
            "{sql} WHERE kind = 'payout_journal' AND id = (SELECT max(id) FROM operations WHERE kind = 'payout_journal')"
        );
        shop.ledger().execute_batch(if check == "one-live-operation" { sql } else { &one }).unwrap();
        let found = shop.exits("verify", 1).stdout;
        assert!(found.contains(check), "{check}: {found}");
    }
}

/// No trigger, index or key is left out for the new kind.
#[test]
fn a_delivery_is_one_journals_for_ever() {
    let shop = shop(ON);
    shop.ok("sync-journals");
    let ledger = shop.ledger();
    let changed = ledger
        .execute_batch("UPDATE operations SET payout_journal_id = payout_journal_id + 1 WHERE kind = 'payout_journal'");
    assert!(changed.unwrap_err().to_string().contains("only the state"));
    let again = ledger.execute_batch(
        "INSERT INTO operations (kind, target, payout_journal_id, amount_minor, currency, attempt, key, request_hash, state, planned_at, status_since)
         SELECT kind, target, payout_journal_id, amount_minor, currency, 9, key || '-', request_hash, 'planned', planned_at, status_since
         FROM operations WHERE kind = 'payout_journal'",
    );
    assert!(again.unwrap_err().to_string().contains("UNIQUE"));
}
