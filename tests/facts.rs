//! Facts that come late, twice or with other figures than payjournal knows: recorded, told, and never paid for twice.

mod support;

use support::{CONFIG, Shop};

fn shop(more: &str) -> Shop {
    Shop::with(&format!("{CONFIG}{more}"))
}

fn movements(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, amount_minor FROM movements")
}

fn exceptions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved'")
}

#[test]
fn what_failed_after_all_and_is_confirmed_again_is_told_and_neither_booked_nor_made_twice() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    let ends = |how: &str| shop.sandbox(&format!("UPDATE modifications SET ends = '{how}'"));
    ends("failed");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    ends("confirmed");
    shop.exits("sync-payments --as-of 2026-11-26T02:00:00Z", 1);
    shop.ok("sync-payments --as-of 2026-11-28T02:00:00Z");
    assert_eq!(movements(&shop), ["capture 10000", "capture_failure 10000"]);
    assert_eq!(exceptions(&shop), ["answer_contradicts", "capture_refused"]);
    let told = shop.rows("SELECT message FROM exceptions WHERE kind = 'answer_contradicts'").concat();
    let operation = shop.rows("SELECT id FROM operations WHERE kind = 'capture'").concat();
    assert!(told.contains("EUR 100.00") || told.contains("100.00 EUR"), "{told}");
    assert!(told.contains(&format!("do not retry operation {operation}")), "{told}");
    shop.sandbox("UPDATE transactions SET status = 'authorised', authorised_minor = 20000");
    shop.run(&["sync-payments", "--as-of", "2026-11-29T02:00:00Z"]);
    shop.ok("sync-journals --as-of 2026-11-29T02:30:00Z");
    shop.ok(&format!("retry {operation}"));
    shop.run(&["capture", "--as-of", "2026-11-29T03:00:00Z"]);
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"], "not even where a person asked for it before reading on");
    ends("failed");
    shop.run(&["sync-payments", "--as-of", "2026-11-30T02:00:00Z"]);
    assert!(exceptions(&shop).is_empty(), "the contradiction is gone: {:?}", exceptions(&shop));
}

#[test]
fn a_failure_goes_with_its_movement_though_an_operation_was_confirmed_for_it() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.documents("credit_note,G-1,,EUR,40.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds");
    // As if another run had met the refund, without our key, before its answer was recorded.
    shop.ledger()
        .execute_batch(
            "DROP TRIGGER movements_fixed; UPDATE movements SET operation_id = NULL WHERE kind = 'refund';
             CREATE TRIGGER movements_fixed BEFORE UPDATE ON movements BEGIN SELECT RAISE(ABORT, 'movements are append-only'); END;",
        )
        .unwrap();
    shop.documents("credit_note,G-0,,EUR,20.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds --as-of 2026-11-23T02:00:00Z");
    shop.ok("refunds --as-of 2026-11-23T03:00:00Z");
    let sent = ["capture TX-SO-1 10000", "refund TX-SO-1 2000", "refund TX-SO-1 4000"];
    assert_eq!(shop.psp_record(), sent, "it is ours, and counted once");
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE amount_minor = 4000");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    assert_eq!(shop.rows("SELECT operation_id FROM movements WHERE kind = 'refund_failure'"), ["-"]);
    let operation = shop.rows("SELECT id FROM operations WHERE kind = 'refund' AND amount_minor = 4000").concat();
    shop.ok("sync-journals --as-of 2026-11-24T02:30:00Z");
    shop.ok(&format!("retry {operation}"));
    shop.ok("refunds --as-of 2026-11-24T03:00:00Z");
    assert_eq!(
        shop.rows("SELECT amount_minor FROM operations WHERE kind = 'refund' AND state = 'confirmed'"),
        ["2000", "4000"]
    );
    shop.documents("credit_note,G-2,,EUR,40.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds --as-of 2026-11-24T04:00:00Z");
    assert_eq!(
        shop.rows("SELECT sum(amount_minor) FROM operations WHERE kind = 'refund' AND state = 'confirmed'"),
        ["10000"],
        "what failed is free again"
    );
}

#[test]
fn a_refund_that_fails_long_after_its_payment_came_to_stand_is_learnt() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.documents("credit_note,G-1,,EUR,40.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds --as-of 2027-02-25T02:00:00Z");
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE kind = 'refund'");
    shop.exits("sync-payments --as-of 2027-03-01T02:00:00Z", 1);
    assert_eq!(movements(&shop), ["capture 10000", "refund 4000", "refund_failure 4000"]);
    let asked = || shop.rows("SELECT asked_at FROM payments").concat();
    shop.ok("sync-payments --as-of 2027-05-28T02:00:00Z");
    assert_eq!(asked(), "2027-05-28T02:00:00Z", "it was asked about as long as its latest movement is valid");
    shop.ok("sync-payments --as-of 2027-06-05T02:00:00Z");
    assert_eq!(asked(), "2027-05-28T02:00:00Z", "and no longer");
}

#[test]
fn an_operation_the_psp_has_not_settled_is_asked_about_however_old_it_is() {
    let shop = shop("confirm_after = \"300 days\"\n");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.exits("capture --as-of 2027-03-05T02:00:00Z", 1);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["given_up"]);
    shop.ok("sync-payments --as-of 2027-10-05T02:00:00Z");
    assert_eq!(movements(&shop), ["capture 10000"]);
}

#[test]
fn one_run_with_the_clock_ahead_blinds_no_later_one() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.run(&["sync-payments", "--as-of", "2031-01-01T00:00:00Z"]);
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'TX-SO-1'");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    assert_eq!(movements(&shop), ["capture 10000", "capture_failure 10000"]);
}

#[test]
fn a_wait_set_by_a_run_with_the_clock_ahead_is_over() {
    let shop = shop("faults = { capture = \"unreachable\" }\n");
    shop.one_order("SO-1");
    shop.exits("capture --as-of 2026-11-22T02:00:00Z", 5);
    shop.run(&["capture", "--as-of", "2026-12-22T02:00:00Z"]);
    let waits = shop.rows("SELECT next_attempt_at FROM operations WHERE kind = 'capture'").concat();
    assert!(waits.starts_with("2026-12-22"), "{waits}");
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"]);
}

/// An order of 100.00 on an authorisation of 300.00, with its invoice, at a PSP that confirms a day later.
fn captured_late() -> Shop {
    let shop = shop("confirm_after = \"1 day\"\n");
    shop.orders("SO-1,EUR,300.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,300.00,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-1,SO-1,EUR,100.00,,,2026-11-20\n");
    shop.ok("capture");
    shop
}

#[test]
fn what_the_psp_says_moved_is_booked_told_and_holds_that_payment_until_a_person_has_resolved_it() {
    let cases = [("90", "sync-payments"), ("90", "capture"), ("110", "sync-payments"), ("110", "capture")];
    for (euro, learns) in cases {
        let minor = format!("{euro}00");
        let shop = captured_late();
        shop.sandbox(&format!("UPDATE modifications SET amount_minor = {minor}"));
        shop.exits(&format!("{learns} --as-of 2026-11-24T02:00:00Z"), 1);
        shop.ok("sync-payments --as-of 2026-11-25T02:00:00Z");
        shop.ok("sync-journals --as-of 2026-11-25T02:30:00Z");
        assert_eq!(movements(&shop), [format!("capture {minor}")], "{learns}");
        assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["confirmed"]);
        assert_eq!(exceptions(&shop), ["amount_differs"], "{learns}");
        let told = shop.rows("SELECT message FROM exceptions").concat();
        assert!(told.contains("asked for 100.00 EUR") && told.contains(&format!("{euro}.00 EUR")), "{told}");
        shop.documents("invoice,R-2,SO-1,EUR,50.00,,,2026-11-21\n");
        shop.ok("capture --as-of 2026-11-26T02:00:00Z");
        let so_far = format!("capture TX-1 {minor}");
        assert_eq!(shop.psp_record(), [so_far.as_str()], "nothing new for that payment");
        shop.ok(&format!("resolve {}", shop.rows("SELECT id FROM exceptions").concat()));
        shop.run(&["capture", "--as-of", "2026-11-27T02:00:00Z"]);
        let mut expected = [so_far, "capture TX-1 5000".to_owned()];
        expected.sort();
        assert_eq!(shop.psp_record(), expected, "R-2 is captured, R-1 never again by itself");
        assert_eq!(shop.exits("verify --as-of 2026-11-27T03:00:00Z", 0).code, Some(0));
    }
}

#[test]
fn a_refund_over_another_amount_is_booked_as_the_psp_says() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.write("payjournal.toml", &format!("{CONFIG}confirm_after = \"1 day\"\n"));
    shop.documents("credit_note,G-1,,EUR,30.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds");
    shop.sandbox("UPDATE modifications SET amount_minor = 4000 WHERE kind = 'refund'");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    assert_eq!(movements(&shop), ["capture 10000", "refund 4000"]);
    assert_eq!(exceptions(&shop), ["amount_differs"]);
    assert_eq!(shop.rows("SELECT amount_minor FROM journals WHERE kind = 'refund'"), ["4000"]);
    shop.documents("credit_note,G-2,,EUR,10.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds --as-of 2026-11-25T02:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000", "refund TX-SO-1 4000"]);
}

#[test]
fn another_amount_of_what_is_recorded_is_told_as_long_as_the_psp_says_it() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    let says = |minor: u32| shop.sandbox(&format!("UPDATE modifications SET amount_minor = {minor}"));
    says(9000);
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    shop.ok("sync-payments --as-of 2026-11-25T02:00:00Z");
    assert_eq!(movements(&shop), ["capture 10000"]);
    assert_eq!(exceptions(&shop), ["amount_differs"]);
    says(10000);
    shop.ok("sync-payments --as-of 2026-11-26T02:00:00Z");
    assert!(exceptions(&shop).is_empty());
}

/// A payment the shop imports as collected with 100.00, without the PSP's id, of which the PSP lists these captures.
fn collected_in(parts: &[u32]) -> Shop {
    let shop = shop("[method.auto]\nstrategy = \"automatic\"\n");
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-1,SO-1,,auto,EUR,captured,100.00,2026-11-16T08:00:00Z,,2026-11-16T08:00:00Z\n");
    shop.sandbox("DELETE FROM modifications");
    for (number, minor) in parts.iter().enumerate() {
        shop.sandbox(&format!(
                "INSERT INTO modifications VALUES ('M-{number}', 'Shop', 'TX-1', 'capture', {minor}, 'psp {number}', 'confirmed',
                 '2026-11-16 08:00:00+00:00', '2026-11-16 08:0{number}:00+00:00')"
            ),
        );
    }
    shop
}

#[test]
fn collected_money_the_psp_captured_in_parts_is_booked_once() {
    let shop = collected_in(&[6000, 4000]);
    shop.ok("sync-payments");
    shop.ok("sync-payments --as-of 2026-11-24T02:00:00Z");
    assert_eq!(movements(&shop), ["capture 10000"]);
    assert!(exceptions(&shop).is_empty());
}

#[test]
fn parts_that_do_not_sum_to_what_was_collected_are_told_and_not_booked_beside_it() {
    let shop = collected_in(&[6000, 3000]);
    shop.documents("invoice,R-1,SO-1,EUR,100.00,,,2026-11-20\ncredit_note,G-1,,EUR,30.00,,R-1,2026-11-21\n");
    shop.ok("capture");
    shop.exits("sync-payments", 1);
    shop.ok("sync-payments --as-of 2026-11-23T02:00:00Z");
    assert_eq!(movements(&shop), ["capture 10000"]);
    assert_eq!(exceptions(&shop), ["amount_differs"]);
    let told = shop.rows("SELECT message FROM exceptions").concat();
    for figure in ["100.00 EUR", "60.00 EUR", "30.00 EUR", "90.00 EUR"] {
        assert!(told.contains(figure), "{figure}: {told}");
    }
    shop.ok("refunds --as-of 2026-11-24T02:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-1 3000", "capture TX-1 6000"], "nothing is given back meanwhile");
    shop.sandbox("UPDATE modifications SET amount_minor = 4000 WHERE amount_minor = 3000");
    shop.ok("sync-payments --as-of 2026-11-25T02:00:00Z");
    assert!(exceptions(&shop).is_empty(), "{:?}", exceptions(&shop));
    shop.ok("refunds --as-of 2026-11-26T02:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-1 4000", "capture TX-1 6000", "refund TX-1 3000"]);
}

#[test]
fn of_captures_beside_the_collected_one_each_is_a_fact_of_its_own() {
    let shop = collected_in(&[10000, 2000]);
    shop.exits("sync-payments", 1);
    assert_eq!(movements(&shop), ["capture 10000", "capture 2000"], "the books hold what the PSP holds");
    assert_eq!(exceptions(&shop), ["amount_differs"], "and that is more than was authorised");
}
