//! What only a settlement report tells: recorded once, booked like any other fact, and never beside what the ledger has under
//! another name.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::process::Command;

use payjournal::domain::consequence::{Consequence, LearntFrom, MovementDraft};
use payjournal::domain::id::{ModificationId, MovementId};
use payjournal::domain::movement::MovementKind;
use payjournal::ledger::{Ledger, OpenOptions};
use payjournal::run::books;
use support::reports::{drop_report, report};
use support::{NOW, Shop};

const MAIL: &str = "
[mail]
administrator = [\"admin@shop.example\"]
payment_notifications = [\"payments@shop.example\"]
";

/// Known by its reports only: captured in its back office.
const REPORTS_ONLY: &str = "
[provider.adyen]
kind = \"reports\"
merchant_account = \"ShopEU\"
reports = \"reports\"

[method.card]
strategy = \"manual\"
";

/// A PSP that is asked, and reports.
const ASKED: &str = "
[provider.psp]
kind = \"sandbox\"
merchant_account = \"ShopEU\"
reports = \"reports\"
";

fn shop(config: &str) -> Shop {
    let shop = Shop::with(&format!("{MAIL}{config}"));
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    shop
}

/// SO-1 of 100.00, authorised at a PSP nobody asks.
fn reports_only() -> Shop {
    let shop = shop(REPORTS_ONLY);
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-01\n");
    payment(&shop, "TX-1,SO-1,card,EUR,authorised,100.00,2026-11-02T08:00:00Z,,");
    shop
}

fn payment(shop: &Shop, row: &str) {
    let head = "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at,capture_id";
    shop.write("payments.csv", &format!("{head}\nadyen,{row}\n"));
    shop.ok("import payments payments.csv");
}

/// Takes over a report with these lines. Returns the exit code.
fn settle(shop: &Shop, name: &str, lines: &[&str]) -> Option<i32> {
    drop_report(shop, name, &report(lines));
    shop.run(&["settlements"]).code
}

fn movements(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, modification_id, amount_minor, learnt_from FROM movements")
}

fn exceptions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved' AND kind <> 'payout_remainder'")
}

/// What movements debited (+) and credited (-) the clearing account with, by the export.
fn clearing(shop: &Shop) -> Vec<String> {
    let export = shop.ok("export --format hledger").stdout;
    // What payouts are booked as has no customer.
    let of_movements = export.split("\n\n").filter(|journal| journal.contains("; customer: "));
    let lines = of_movements.flat_map(str::lines).map(str::trim).filter(|line| line.starts_with("Assets:PSP:"));
    let mut amounts: Vec<String> =
        lines.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")).collect();
    amounts.sort();
    amounts
}

#[track_caller]
fn is_sound(shop: &Shop) {
    let verified = shop.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    let left = shop.rows("SELECT payment_id FROM payments_to_learn UNION ALL SELECT file_id FROM lines_to_learn");
    assert!(left.is_empty(), "still to be looked at: {left:?}");
}

#[test]
fn a_capture_in_the_back_office_is_learnt_from_the_report_alone_and_once() {
    let shop = reports_only();
    let lines = ["TX-1 - Settled CAP-1 100.00 99.00 1.00 7", "- - MerchantPayout - - -99.00 - 7"];
    assert_eq!(settle(&shop, "a.csv", &lines), Some(0));
    assert_eq!(movements(&shop), ["capture CAP-1 10000 settlement"]);
    assert_eq!(
        shop.rows("SELECT p.status, o.payment_status FROM payments p JOIN orders o ON o.id = p.order_id"),
        ["captured paid"]
    );
    assert_eq!(shop.rows("SELECT occurred_at FROM movements"), ["2026-11-10T11:00:00Z"]);
    assert_eq!(shop.rows("SELECT kind, posting_date FROM journals"), ["prepayment 2026-11-10"]);
    assert_eq!(clearing(&shop), ["100.00 EUR"]);
    is_sound(&shop);
    // The same report again, with more in it, and under the number of another payout.
    settle(&shop, "b.csv", &["TX-1 - Settled CAP-1 100.00 99.00 1.00 7", "- - Fee - - -1.00 - 7"]);
    shop.ok("settlements");
    assert_eq!(movements(&shop), ["capture CAP-1 10000 settlement"]);
    is_sound(&shop);
    assert_eq!(settle(&shop, "c.csv", &["TX-1 - Settled CAP-1 100.00 99.00 1.00 8"]), Some(1));
    assert_eq!(movements(&shop), ["capture CAP-1 10000 settlement"]);
    assert_eq!(exceptions(&shop), ["lines_unclear"]);
}

#[test]
fn two_captures_of_one_amount_are_two_and_only_those() {
    let shop = reports_only();
    let both = ["TX-1 - Settled CAP-1 50.00 49.50 0.50 7", "TX-1 - Settled CAP-2 50.00 49.50 0.50 7"];
    settle(&shop, "a.csv", &both);
    assert_eq!(movements(&shop), ["capture CAP-1 5000 settlement", "capture CAP-2 5000 settlement"]);
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["paid"]);
    is_sound(&shop);
}

#[test]
fn money_imported_under_another_name_is_not_booked_a_second_time() {
    for (imported, lines) in [
        ("", vec!["TX-2 - Settled CAP-1 100.00 99.00 1.00 7"]),
        ("OWN-1", vec!["TX-2 - Settled CAP-1 100.00 99.00 1.00 7"]),
        ("", vec!["TX-2 - Settled CAP-1 60.00 59.00 1.00 7", "TX-2 - Settled CAP-2 40.00 39.00 1.00 7"]),
        ("", vec!["TX-2 - Settled - 100.00 99.00 1.00 7"]),
    ] {
        let shop = reports_only();
        shop.orders("SO-2,EUR,100.00,online,,none,C2,2026-11-01\n");
        let when = "2026-11-02T08:00:00Z";
        payment(&shop, &format!("TX-2,SO-2,card,EUR,captured,100.00,{when},{when},{imported}"));
        settle(&shop, "a.csv", &lines);
        let name = if imported.is_empty() { "TX-2" } else { imported };
        assert_eq!(movements(&shop), [format!("capture {name} 10000 import")], "{lines:?}");
        assert!(exceptions(&shop).is_empty(), "{lines:?}");
        is_sound(&shop);
    }
}

#[test]
fn more_than_the_ledger_has_under_another_name_is_told_and_not_booked_until_a_line_makes_it_clear() {
    let shop = reports_only();
    shop.orders("SO-2,EUR,100.00,online,,none,C2,2026-11-01\n");
    payment(&shop, "TX-2,SO-2,card,EUR,captured,100.00,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z,CAP-1");
    assert_eq!(settle(&shop, "a.csv", &["TX-2 - Settled CAP-2 105.00 104.00 1.00 7"]), Some(1));
    assert_eq!(movements(&shop), ["capture CAP-1 10000 import"]);
    assert_eq!(exceptions(&shop), ["lines_unclear"]);
    let told = shop.rows("SELECT message FROM exceptions WHERE kind = 'lines_unclear'").concat();
    for figure in ["105.00 EUR as CAP-2 (line 1:2)", "capture CAP-1 over 100.00 EUR", "payjournal resolve"] {
        assert!(told.contains(figure), "{told}");
    }
    let looked = "SELECT movement_seen IS NULL FROM payments_to_learn";
    assert_eq!(shop.rows(looked), ["0"], "not looked at again for nothing");
    shop.ok("settlements");
    settle(&shop, "b.csv", &["TX-2 - Settled CAP-1 100.00 99.00 1.00 8"]);
    assert_eq!(movements(&shop), ["capture CAP-1 10000 import", "capture CAP-2 10500 settlement"]);
    assert_eq!(exceptions(&shop), ["amount_differs"], "clear, and more than was authorised");
    is_sound(&shop);
}

#[test]
fn a_report_may_come_before_its_order() {
    let shop = shop(REPORTS_ONLY);
    shop.orders("SO-9,EUR,100.00,online,,none,C1,2026-11-01\n");
    shop_with_report(&shop);
    shop.run(&["settlements"]);
    assert!(movements(&shop).is_empty());
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-01\n");
    payment(&shop, "TX-1,SO-1,card,EUR,authorised,100.00,2026-11-02T08:00:00Z,,");
    assert_eq!(shop.run(&["settlements"]).code, Some(1));
    assert_eq!(movements(&shop), ["capture CAP-1 10000 settlement", "refund REF-1 3000 settlement"]);
    assert_eq!(exceptions(&shop), ["unasked_movement"], "nobody here asked for the refund");
    is_sound(&shop);
}

#[test]
fn a_page_that_was_left_open_and_paid_is_paid() {
    let shop = reports_only();
    shop.orders("SO-2,EUR,30.00,online,,none,C2,2026-11-01\n");
    payment(&shop, "TX-2,SO-2,card,EUR,open,,,,");
    settle(&shop, "a.csv", &["TX-2 - Settled CAP-1 30.00 29.00 1.00 7"]);
    assert_eq!(
        shop.rows(
            "SELECT p.status, o.payment_status FROM payments p JOIN orders o ON o.id = p.order_id WHERE number = 'SO-2'"
        ),
        ["captured paid"]
    );
    is_sound(&shop);
}

#[test]
fn lines_a_person_or_a_reference_has_placed_are_no_facts() {
    let config = REPORTS_ONLY
        .replace("reports = \"reports\"", "reports = \"reports\"\norder_in_reference = \"WEB-(?<order>.+)\"");
    let shop = shop(&config);
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-01\nSO-2,EUR,100.00,online,,none,C2,2026-11-01\n");
    settle(
        &shop,
        "a.csv",
        &["TX-9 WEB-SO-1 Settled CAP-1 100.00 99.00 1.00 7", "TX-8 - Settled CAP-2 5.00 4.00 1.00 7"],
    );
    shop.run(&["match", "1:3", "SO-2", "--reason", "by telephone"]);
    assert!(movements(&shop).is_empty());
    payment(&shop, "TX-8,SO-1,card,EUR,authorised,100.00,2026-11-02T08:00:00Z,,");
    shop.run(&["settlements"]);
    assert!(movements(&shop).is_empty(), "a person has said that it is the other order's");
    payment(&shop, "TX-9,SO-1,card,EUR,authorised,100.00,2026-11-02T08:00:00Z,,");
    shop.run(&["settlements"]);
    assert_eq!(movements(&shop), ["capture CAP-1 10000 settlement"], "by the transaction id, now that it is known");
    is_sound(&shop);
}

/// SO-1 of 100.00 with its invoice and a capture of ours that ended in `state`.
fn with_capture(state: &str) -> Shop {
    let more = match state {
        "accepted" | "given_up" => "confirm_after = \"300 days\"\n",
        _ => "faults = { capture = \"timeout-after\" }\n",
    };
    let shop = shop(&format!("{ASKED}{more}"));
    shop.one_order("SO-1");
    shop.run(&["capture"]);
    if state == "given_up" {
        shop.run(&["capture", "--as-of", "2027-03-05T02:00:00Z"]);
    }
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), [state]);
    shop
}

fn psp_id(shop: &Shop) -> String {
    support::rows(&shop.path.join("sandbox.db"), "SELECT id FROM modifications").concat()
}

#[test]
fn a_capture_of_ours_is_confirmed_by_its_line_and_books_its_invoice_once() {
    for state in ["accepted", "unknown", "given_up"] {
        let shop = with_capture(state);
        let id = psp_id(&shop);
        let line = format!("TX-SO-1 - Settled {id} 100.00 99.00 1.00 7");
        shop.write("reports/a.csv", &report(&[&line]));
        shop.run(&["settlements", "--as-of", "2027-03-06T02:00:00Z"]);
        assert_eq!(movements(&shop), [format!("capture {id} 10000 settlement")], "{state}");
        assert_eq!(
            shop.rows("SELECT o.state, o.modification_id, m.operation_id = o.id FROM operations o JOIN movements m WHERE o.kind = 'capture'"),
            [format!("confirmed {id} 1")],
            "{state}"
        );
        assert!(exceptions(&shop).is_empty(), "{state}: {:?}", exceptions(&shop));
        assert_eq!(shop.rows("SELECT kind FROM journals"), ["receipt"], "{state}");
        assert_eq!(clearing(&shop), ["100.00 EUR"], "{state}");
        // The PSP lists the same capture.
        shop.run(&["sync-payments", "--as-of", "2027-10-07T02:00:00Z"]);
        shop.run(&["capture", "--as-of", "2027-10-07T03:00:00Z"]);
        assert_eq!(movements(&shop).len(), 1, "{state}");
        assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"], "{state}");
        let verified = shop.run(&["verify", "--as-of", "2027-10-07T04:00:00Z"]);
        assert_eq!(verified.code, Some(0), "{state}: {}{}", verified.stdout, verified.stderr);
    }
}

/// A run that died after the call left its capture Sent: its own answer comes first, and the line waits for it.
#[test]
fn a_capture_of_a_dead_run_is_asked_about_first_and_its_line_adds_nothing() {
    for name in ["its own", "txn_9"] {
        let shop = shop(ASKED);
        shop.one_order("SO-1");
        let points = shop.path.join("points");
        let probe = self::shop(ASKED);
        probe.one_order("SO-1");
        probe.command(&["capture"]).env("PAYJOURNAL_KILL_LOG", &points).output().unwrap();
        let after_call = std::fs::read_to_string(&points).unwrap();
        let after_call = after_call.lines().find(|point| point.contains("AfterCall send")).unwrap().to_owned();
        let number = after_call.split_whitespace().next().unwrap().to_owned();
        shop.command(&["capture"]).env("PAYJOURNAL_KILL_AT", number).output().unwrap();
        assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["sent"]);
        let id = if name == "txn_9" { name.to_owned() } else { psp_id(&shop) };
        shop.write("reports/a.csv", &report(&[&format!("TX-SO-1 - Settled {id} 100.00 99.00 1.00 7")]));
        shop.run(&["settlements"]);
        assert!(movements(&shop).is_empty(), "{name}");
        assert_eq!(shop.rows("SELECT event_seen > 0 FROM payments_to_learn"), ["1"], "{name}: it waits");
        shop.run(&["capture"]);
        shop.run(&["settlements"]);
        assert_eq!(movements(&shop), [format!("capture {} 10000 answer", psp_id(&shop))], "{name}");
        assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"], "{name}");
        assert!(exceptions(&shop).is_empty(), "{name}: {:?}", exceptions(&shop));
        is_sound(&shop);
    }
}

#[test]
fn another_name_for_a_capture_without_an_answer_is_that_capture_also_when_the_psp_lists_its_own() {
    let shop = with_capture("unknown");
    shop.write("reports/a.csv", &report(&["TX-SO-1 - Settled txn_9 100.00 99.00 1.00 7"]));
    shop.run(&["settlements"]);
    assert_eq!(movements(&shop), ["capture txn_9 10000 settlement"]);
    for line in ["capture", "sync-payments", "capture"] {
        shop.ok(&format!("{line} --as-of 2026-11-25T02:00:00Z"));
    }
    assert_eq!(movements(&shop), ["capture txn_9 10000 settlement"]);
    assert!(exceptions(&shop).is_empty(), "{:?}", exceptions(&shop));
    let verified = shop.run(&["verify", "--against-provider", "--all", "--as-of", "2026-11-25T03:00:00Z"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    // And fails there after all.
    shop.sandbox("UPDATE modifications SET ends = 'failed'");
    shop.run(&["sync-payments", "--as-of", "2026-11-27T02:00:00Z"]);
    assert_eq!(movements(&shop), ["capture txn_9 10000 settlement", "capture_failure txn_9 10000 look_up"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["refused"]);
    let verified = shop.run(&["verify", "--as-of", "2026-11-27T03:00:00Z"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn a_capture_in_the_back_office_that_a_report_names_otherwise_is_not_doubled_by_the_psps_own_list() {
    for (listed, expected) in [("10000", 1), ("6000", 1)] {
        let shop = shop(ASKED);
        shop.one_order("SO-1");
        shop.write("reports/a.csv", &report(&["TX-SO-1 - Settled txn_9 100.00 99.00 1.00 7"]));
        shop.run(&["settlements"]);
        assert_eq!(movements(&shop), ["capture txn_9 10000 settlement"]);
        assert_eq!(exceptions(&shop), ["unasked_movement"]);
        shop.sandbox(&format!(
            "INSERT INTO modifications VALUES ('psp-1', 'ShopEU', 'TX-SO-1', 'capture', {listed}, 'back-office', 'confirmed',
               '2026-11-10T00:00:00Z', '2026-11-10T00:00:00Z')"
        ));
        shop.run(&["sync-payments", "--as-of", "2026-11-25T02:00:00Z"]);
        shop.run(&["capture", "--as-of", "2026-11-25T03:00:00Z"]);
        assert_eq!(movements(&shop).len(), expected, "{:?}", movements(&shop));
        let told = exceptions(&shop).contains(&"amount_differs".to_owned());
        assert_eq!(told, listed != "10000", "{:?}", exceptions(&shop));
        assert_eq!(shop.rows("SELECT sum(amount_minor) FROM postings WHERE account LIKE 'Assets:PSP%'"), ["10000"]);
    }
}

#[test]
fn a_refund_is_learnt_once_and_taken_back_once() {
    let shop = shop(ASKED);
    shop.one_order("SO-1");
    shop.ok("capture");
    let id = psp_id(&shop);
    let sale = format!("TX-SO-1 - Settled {id} 100.00 99.00 1.00 7");
    assert_eq!(settle(&shop, "a.csv", &[&sale, "TX-SO-1 - Refunded REF-1 -20.00 -20.00 0 7"]), Some(1));
    assert_eq!(movements(&shop), [format!("capture {id} 10000 answer"), "refund REF-1 2000 settlement".to_owned()]);
    assert_eq!(exceptions(&shop), ["unasked_movement"]);
    assert_eq!(clearing(&shop), ["-20.00 EUR", "100.00 EUR"]);
    is_sound(&shop);
    settle(&shop, "b.csv", &["TX-SO-1 - RefundedReversed REF-1 20.00 20.00 0 8"]);
    shop.run(&["settlements"]);
    assert_eq!(movements(&shop).len(), 3, "{:?}", movements(&shop));
    assert_eq!(shop.rows("SELECT sum(amount_minor) FROM postings WHERE account LIKE 'Assets:PSP%'"), ["10000"]);
    is_sound(&shop);
}

#[test]
fn a_refund_of_ours_is_known_by_its_line() {
    let shop = shop(ASKED);
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.documents("credit_note,G-1,,EUR,40.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds");
    let ids =
        support::rows(&shop.path.join("sandbox.db"), "SELECT id FROM modifications WHERE kind = 'refund'").concat();
    let refund = format!("TX-SO-1 - Refunded {ids} -40.00 -40.00 0 7");
    let before = movements(&shop);
    assert_eq!(settle(&shop, "a.csv", &["TX-SO-1 - Settled txn_1 100.00 99.00 1.00 7", &refund]), Some(0));
    assert_eq!(movements(&shop), before);
    is_sound(&shop);
}

#[test]
fn another_currency_is_told_and_not_booked() {
    let shop = reports_only();
    let text = report(&["TX-1 - Settled CAP-1 100.00 99.00 1.00 7"]).replace(",EUR,,100.00", ",USD,,100.00");
    shop.write("reports/a.csv", &text);
    assert_eq!(shop.run(&["settlements"]).code, Some(1));
    assert!(movements(&shop).is_empty());
    assert_eq!(exceptions(&shop), ["lines_unclear"]);
}

/// Few lines are looked up one by one; many are held against all orders at once.
#[test]
fn it_does_not_matter_how_large_a_report_is_against_the_ledger() {
    let mut ends = Vec::new();
    for others in [0, 200] {
        let shop = shop(REPORTS_ONLY);
        let numbered = |at: usize| format!("SO-{at},JPY,{at}00,online,,none,C1,2026-11-01\n");
        shop.orders(&(0..others).map(|at| numbered(at + 10)).collect::<String>());
        shop.orders(
            "SO-1,EUR,100.00,online,,none,C1,2026-11-01\nSO-2,EUR,100.00,online,,none,C1,2026-11-01\n\
             SO-3,JPY,5000,online,,none,C1,2026-11-01\nSO-4,EUR,100.00,online,,none,C1,2026-11-01\n\
             SO-5,EUR,100.00,online,,none,C1,2026-11-01\n",
        );
        let when = "2026-11-02T08:00:00Z";
        payment(&shop, &format!("TX-1,SO-1,card,EUR,authorised,100.00,{when},,"));
        payment(&shop, &format!("TX-2,SO-2,card,EUR,captured,100.00,{when},{when},"));
        payment(&shop, &format!("TX-3,SO-3,card,JPY,captured,5000,{when},{when},"));
        payment(&shop, &format!("TX-4,SO-4,card,EUR,captured,100.00,{when},{when},"));
        payment(&shop, &format!("TX-5,SO-5,card,EUR,captured,100.00,{when},{when},"));
        let night = |name: &str, lines: &[&str]| {
            let text = report(lines).replace("JP-", "-").replace(",EUR,,5000.00", ",JPY,,5000");
            shop.write(&format!("reports/{name}"), &text);
            shop.run(&["settlements"]);
        };
        night(
            "a.csv",
            &[
                "TX-1 - Settled CAP-1 100.00 99.00 1.00 7",
                "TX-2 - Settled CAP-2 100.00 99.00 1.00 7",
                "TX-3 - Settled CAP-3 5000.00 99.00 1.00 7",
                "TX-4 - Settled CAP-4 100.00 99.00 1.00 7",
                "TX-4 - Refunded REF-4 -20.00 -20.00 0 7",
                "TX-5 - Settled CAP-5 100.00 99.00 1.00 7",
            ],
        );
        night("b.csv", &["TX-4 - RefundedReversed REF-4 20.00 20.00 0 8", "TX-5 - Settled CAP-6 110.00 99.00 1.00 8"]);
        assert_eq!(shop.rows("SELECT count(*) FROM payments_to_learn"), ["0"], "{others}: what is done is done");
        ends.push((movements(&shop), exceptions(&shop)));
    }
    let [all, by_line] = ends.try_into().unwrap();
    assert_eq!(all.0.len(), 8, "{all:#?}");
    assert_eq!(all, by_line);
}

/// Two runs at once: one asks the PSP, the other reads a report with another name for the same capture. Who comes second sees that
/// the payment is not as it was read.
#[test]
fn what_was_concluded_before_another_run_recorded_a_movement_is_concluded_anew() {
    let shop = reports_only();
    let settings = payjournal::config::load(&shop.path.join("payjournal.toml")).unwrap().settings;
    let options = OpenOptions { create: false, allow_network_filesystem: true };
    let mut ledger = Ledger::open(&settings.ledger, options, books(&settings), NOW.parse().unwrap()).unwrap();
    let payment = ledger.payments_with_transaction("TX-1").unwrap()[0].clone();
    let draft = |name: &str| MovementDraft {
        payment: payment.id,
        kind: MovementKind::Capture,
        modification: ModificationId::parse(name).unwrap(),
        amount: payment.authorised,
        occurred_at: NOW.parse().unwrap(),
        operation: None,
        document: None,
        learnt_from: LearntFrom::LookUp,
        key: None,
    };
    let mut records = |name: &str, since: Option<MovementId>| {
        ledger.write("facts", None, NOW.parse().unwrap(), |writer| {
            writer.apply(&Consequence::Unmoved { payment: payment.id, since })?;
            writer.apply(&Consequence::Movement(draft(name)))
        })
    };
    assert!(records("psp-1", None).unwrap());
    assert!(records("txn_9", None).is_err());
    assert_eq!(shop.rows("SELECT modification_id FROM movements"), ["psp-1"]);
}

/// Killed at each commit of the run that takes a report over: the next run learns what it says, once.
#[test]
fn a_killed_run_loses_no_fact() {
    let kept = reports_only();
    shop_with_report(&kept);
    let log = kept.path.join("points");
    let started = |shop: &Shop, at: Option<u64>| {
        let mut command: Command = shop.command(&["settlements"]);
        match at {
            Some(at) => command.env("PAYJOURNAL_KILL_AT", at.to_string()),
            None => command.env("PAYJOURNAL_KILL_LOG", &log),
        };
        command.output().unwrap().status.code()
    };
    assert_eq!(started(&kept, None), Some(1));
    let expected = movements(&kept);
    assert_eq!(expected, ["capture CAP-1 10000 settlement", "refund REF-1 3000 settlement"]);
    let points = std::fs::read_to_string(&log).unwrap().lines().count();
    assert!(points >= 8, "{points}");
    for at in 1..=points {
        let shop = reports_only();
        shop_with_report(&shop);
        assert_eq!(started(&shop, Some(u64::try_from(at).unwrap())), None, "killed at {at}");
        shop.run(&["settlements"]);
        assert_eq!(movements(&shop), expected, "killed at {at}");
        assert_eq!(exceptions(&shop), ["unasked_movement"], "killed at {at}");
        is_sound(&shop);
    }
}

fn shop_with_report(shop: &Shop) {
    let lines = ["TX-1 - Settled CAP-1 100.00 99.00 1.00 7", "TX-1 - Refunded REF-1 -30.00 -30.00 0 7"];
    drop_report(shop, "a.csv", &report(&lines));
}

/// A ledger that took its reports over before facts were learnt from them.
#[test]
fn what_an_earlier_version_took_over_is_learnt_too() {
    let shop = reports_only();
    shop_with_report(&shop);
    shop.ledger().execute_batch(support::BEFORE_INVOICES).unwrap();
    shop.ledger()
        .execute_batch("DROP TABLE lines_to_learn; DROP TABLE payments_to_learn; DROP TABLE untold_chargebacks; PRAGMA user_version = 5;")
        .unwrap();
    shop.run(&["settlements"]);
    assert_eq!(movements(&shop), ["capture CAP-1 10000 settlement", "refund REF-1 3000 settlement"]);
    is_sound(&shop);
}
