//! What is refunded for a credit note, from which payment, and what never is.

mod support;

use support::{CONFIG, Shop};

fn shop(more: &str) -> Shop {
    Shop::with(&format!("{CONFIG}{more}"))
}

/// An order of 100.00 with its invoice `R-<order>` captured and delivered.
fn captured(shop: &Shop, number: &str) {
    shop.one_order(number);
    shop.ok("capture");
    shop.ok("sync-journals");
}

fn note(shop: &Shop, number: &str, total: &str, elsewhere: &str, references: &str) {
    shop.documents(&format!("credit_note,{number},,EUR,{total},{elsewhere},{references},2026-11-21\n"));
}

fn refunds(shop: &Shop) -> Vec<String> {
    shop.psp_record().into_iter().filter(|row| row.starts_with("refund")).collect()
}

fn exceptions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved'")
}

fn back_office_refund(shop: &Shop, transaction: &str, minor: i64) {
    shop.sandbox(&format!(
            "INSERT INTO modifications VALUES ('BO-{transaction}', 'Shop', '{transaction}', 'refund', {minor}, 'bo {transaction}',
             'confirmed', '2026-11-22 01:00:00+00:00', '2026-11-22 01:00:00+00:00')"
        ),
    );
}

#[test]
fn a_credit_note_over_all_is_refunded_once_and_clears_itself() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "100.00", "", "R-SO-1");
    shop.ok("refunds");
    shop.ok("refunds");
    shop.ok("sync-journals");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000", "refund TX-SO-1 10000"]);
    let journals = "SELECT j.kind, d.number, j.amount_minor FROM journals j JOIN documents d ON d.id = j.document_id";
    assert_eq!(shop.rows(journals), ["receipt R-SO-1 10000", "refund G-1 10000"]);
    assert_eq!(shop.mails().len(), 2);
    assert!(exceptions(&shop).is_empty());
}

#[test]
fn several_partial_refunds_add_up_to_what_was_captured_and_not_more() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "30.00", "", "R-SO-1");
    shop.ok("refunds");
    note(&shop, "G-2", "70.00", "", "R-SO-1");
    shop.ok("refunds");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 3000", "refund TX-SO-1 7000"]);
    note(&shop, "G-3", "0.01", "", "R-SO-1");
    shop.exits("refunds", 1);
    shop.ok("refunds");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 3000", "refund TX-SO-1 7000"]);
    assert_eq!(exceptions(&shop), ["refund_exceeds_captured"]);
    assert_eq!(shop.rows("SELECT recipient FROM mails WHERE event LIKE 'cannot%'"), ["payment_notifications"]);
}

#[test]
fn two_credit_notes_of_one_run_do_not_refund_more_than_was_captured() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "60.00", "", "R-SO-1");
    note(&shop, "G-2", "60.00", "", "R-SO-1");
    let codes = [shop.run(&["refunds"]).code, shop.run(&["refunds"]).code, shop.run(&["refunds"]).code];
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 1))), "{codes:?}");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 6000"]);
    assert_eq!(exceptions(&shop), ["refund_exceeds_captured"]);
}

#[test]
fn two_credit_notes_of_one_run_do_not_refund_more_than_their_invoice_was_paid() {
    let shop = shop("");
    shop.orders("SO-1,EUR,200.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,200.00,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-1,SO-1,EUR,100.00,,,2026-11-20\ninvoice,R-2,SO-1,EUR,100.00,,,2026-11-20\n");
    shop.ok("capture");
    note(&shop, "G-1", "80.00", "", "R-1");
    note(&shop, "G-2", "80.00", "", "R-1");
    let codes = [shop.run(&["refunds"]).code, shop.run(&["refunds"]).code, shop.run(&["refunds"]).code];
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 1))), "{codes:?}");
    assert_eq!(refunds(&shop), ["refund TX-1 8000"], "R-1 was paid 100.00; the rest is R-2's money");
}

#[test]
fn a_credit_note_above_what_was_captured_refunds_nothing() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "100.01", "", "R-SO-1");
    shop.exits("refunds", 1);
    shop.ok("refunds");
    assert!(refunds(&shop).is_empty());
    assert_eq!(exceptions(&shop), ["refund_exceeds_captured"]);
}

#[test]
fn a_credit_note_without_a_known_invoice_is_for_a_person() {
    for reference in ["", "R-unknown"] {
        let shop = shop("");
        captured(&shop, "SO-1");
        note(&shop, "G-1", "10.00", "", reference);
        shop.exits("refunds", 1);
        shop.ok("refunds");
        assert!(refunds(&shop).is_empty());
        assert_eq!(exceptions(&shop), ["refund_without_invoice"], "`{reference}`");
    }
}

#[test]
fn a_credit_note_without_an_invoice_that_was_paid_out_by_hand_needs_nobody_any_more() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "10.00", "", "");
    shop.exits("refunds", 1);
    note(&shop, "G-1", "10.00", "10.00", "");
    shop.ok("refunds");
    assert!(exceptions(&shop).is_empty());
}

#[test]
fn a_credit_note_whose_invoice_comes_later_is_refunded_then() {
    let shop = shop("");
    note(&shop, "G-1", "10.00", "", "R-SO-1");
    shop.exits("refunds", 1);
    captured(&shop, "SO-1");
    shop.ok("refunds");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 1000"]);
    assert!(exceptions(&shop).is_empty());
}

#[test]
fn an_invoice_that_was_not_paid_through_the_psp_is_not_refunded_through_it() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,on_account,,none,C1,2026-11-15\n");
    shop.documents("invoice,R-1,SO-1,EUR,100.00,100.00,,2026-11-20\n");
    captured(&shop, "SO-2");
    note(&shop, "G-1", "50.00", "", "R-1");
    shop.exits("refunds", 1);
    assert!(refunds(&shop).is_empty());
    assert_eq!(exceptions(&shop), ["refund_exceeds_captured"]);
}

#[test]
fn a_method_that_forbids_refunds_is_for_a_person() {
    let shop = shop("[method.card]\nallow_refund = false\n");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "50.00", "", "R-SO-1");
    shop.exits("refunds", 1);
    assert!(refunds(&shop).is_empty());
    assert_eq!(exceptions(&shop), ["refund_not_allowed"]);
}

#[test]
fn yen_are_refunded_whole() {
    let shop = shop("");
    shop.orders("J,JPY,1001,online,,none,C1,2026-11-15\n");
    shop.payments("TX-J,J,,card,JPY,authorised,1001,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-J,J,JPY,1001,,,2026-11-20\ncredit_note,G-J,J,JPY,333,,R-J,2026-11-21\n");
    shop.ok("capture");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-J 1001", "refund TX-J 333"]);
}

#[test]
fn what_the_erp_applied_of_a_credit_note_is_not_refunded() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "50.00", "20.00", "R-SO-1");
    note(&shop, "G-2", "10.00", "10.00", "R-SO-1");
    shop.ok("refunds");
    shop.ok("refunds");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 3000"]);
}

#[test]
fn a_credit_note_in_another_currency_refunds_nothing() {
    let shop = shop("");
    captured(&shop, "SO-1");
    shop.documents("credit_note,G-1,,USD,50.00,,R-SO-1,2026-11-21\n");
    shop.exits("refunds", 1);
    assert!(refunds(&shop).is_empty());
}

#[test]
fn a_credit_note_is_never_refunded_from_the_same_invoice_number_of_another_company() {
    let shop = shop("");
    captured(&shop, "SO-1");
    shop.write(
        "d.csv",
        "company,kind,number,currency,total,references,posted_on\nother,credit_note,G-1,EUR,50.00,R-SO-1,2026-11-21\n",
    );
    shop.ok("import documents d.csv");
    shop.exits("refunds", 1);
    assert!(refunds(&shop).is_empty());
    assert_eq!(exceptions(&shop), ["refund_without_invoice"]);
}

#[test]
fn money_captured_before_the_invoice_is_refunded_for_its_credit_note() {
    let shop = shop("[method.card]\nstrategy = \"immediate\"\n");
    shop.one_order("SO-1");
    shop.ok("capture");
    note(&shop, "G-1", "25.00", "", "R-SO-1");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000", "refund TX-SO-1 2500"]);
}

#[test]
fn a_refund_goes_to_the_payments_of_the_invoice_oldest_first() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-15\n");
    for (transaction, amount) in [("TX-1", "60.00"), ("TX-2", "40.00")] {
        shop.payments(&format!("{transaction},SO-1,,card,EUR,authorised,{amount},2026-11-16T08:00:00Z,,\n"));
    }
    shop.documents("invoice,R-1,SO-1,EUR,100.00,,,2026-11-20\n");
    shop.ok("capture");
    note(&shop, "G-1", "70.00", "", "R-1");
    shop.ok("refunds");
    shop.ok("refunds");
    assert_eq!(refunds(&shop), ["refund TX-1 6000", "refund TX-2 1000"]);
    note(&shop, "G-2", "30.00", "", "R-1");
    shop.ok("refunds");
    assert_eq!(refunds(&shop), ["refund TX-1 6000", "refund TX-2 1000", "refund TX-2 3000"]);
}

#[test]
fn a_refused_refund_is_told_once_and_only_a_person_tries_again() {
    let shop = shop("faults = { refund = \"refuse\" }\n");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "100.00", "", "R-SO-1");
    shop.exits("refunds", 1);
    shop.ok("refunds --as-of 2026-11-23T02:00:00Z");
    assert_eq!(
        shop.rows("SELECT recipient FROM mails WHERE event LIKE 'cannot-be-refunded%'"),
        ["payment_notifications"]
    );
    shop.write("payjournal.toml", CONFIG);
    shop.ok("refunds --as-of 2026-11-23T03:00:00Z");
    assert!(refunds(&shop).is_empty());
    let operation = shop.rows("SELECT id FROM operations WHERE kind = 'refund'").concat();
    shop.ok(&format!("retry {operation}"));
    shop.ok("refunds --as-of 2026-11-23T04:00:00Z");
    shop.ok("refunds --as-of 2026-11-23T05:00:00Z");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 10000"]);
    assert!(exceptions(&shop).is_empty());
}

#[test]
fn a_refund_without_an_answer_is_asked_about_and_happens_once() {
    for fault in ["timeout-before", "timeout-after", "server-error"] {
        let shop = shop("");
        let number = format!("SO-1~refund:{fault}");
        captured(&shop, &number);
        note(&shop, "G-1", "40.00", "", &format!("R-{number}"));
        shop.exits("refunds", 5);
        for minute in ["10", "20", "50"] {
            shop.ok(&format!("refunds --as-of 2026-11-22T02:{minute}:00Z"));
        }
        assert_eq!(refunds(&shop), [format!("refund TX-{number} 4000")], "{fault}");
        let movements = shop.rows("SELECT count(*), sum(amount_minor) FROM movements WHERE kind = 'refund'");
        assert_eq!(movements, ["1 4000"], "{fault}");
    }
}

#[test]
fn an_accepted_refund_has_no_journal_and_one_that_fails_later_never_gets_one() {
    let shop = shop("");
    let number = "SO-1~refund:fail-late";
    captured(&shop, number);
    note(&shop, "G-1", "40.00", "", &format!("R-{number}"));
    shop.ok("refunds");
    shop.ok("refunds");
    assert_eq!(shop.rows("SELECT count(*) FROM journals WHERE kind = 'refund'"), ["0"]);
    shop.exits("refunds --as-of 2026-11-24T02:00:00Z", 1);
    shop.ok("refunds --as-of 2026-11-25T02:00:00Z");
    assert_eq!(shop.rows("SELECT count(*) FROM journals WHERE kind = 'refund'"), ["0"]);
    assert_eq!(exceptions(&shop), ["refund_refused"]);
    assert_eq!(refunds(&shop), [format!("refund TX-{number} 4000")], "not asked for again without a person");
}

#[test]
fn a_planned_refund_takes_what_is_open_when_it_is_sent() {
    let shop = shop("faults = { refund = \"unreachable\" }\n");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "100.00", "", "R-SO-1");
    shop.exits("refunds", 5);
    note(&shop, "G-1", "100.00", "40.00", "R-SO-1");
    shop.write("payjournal.toml", CONFIG);
    shop.ok("refunds --as-of 2026-11-23T02:00:00Z");
    shop.ok("refunds --as-of 2026-11-23T03:00:00Z");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 6000"]);
}

#[test]
fn a_planned_refund_of_a_credit_note_applied_meanwhile_does_not_hold_back_another_one() {
    let shop = shop("faults = { refund = \"unreachable\" }\n");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "100.00", "", "R-SO-1");
    shop.exits("refunds", 5);
    note(&shop, "G-1", "100.00", "100.00", "R-SO-1");
    note(&shop, "G-2", "100.00", "", "R-SO-1");
    shop.write("payjournal.toml", CONFIG);
    shop.run(&["refunds", "--as-of", "2026-11-23T02:00:00Z"]);
    shop.ok("refunds --as-of 2026-11-23T03:00:00Z");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 10000"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'refund'"), ["confirmed", "withdrawn"]);
}

#[test]
fn an_erp_that_cannot_be_asked_stops_refunds() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "40.00", "", "R-SO-1");
    shop.write("payjournal.toml", &format!("{CONFIG}[erp]\nfault = \"unreachable\"\n"));
    shop.exits("refunds", 5);
    assert!(refunds(&shop).is_empty());
}

#[test]
fn a_back_office_refund_known_to_the_ledger_is_not_paid_again_for_the_credit_note() {
    let shop = shop("");
    captured(&shop, "SO-1");
    back_office_refund(&shop, "TX-SO-1", 4000);
    shop.run(&["sync-payments", "--as-of", "2026-11-24T02:00:00Z"]);
    assert_eq!(shop.rows("SELECT kind, amount_minor FROM movements"), ["capture 10000", "refund 4000"]);
    note(&shop, "G-1", "40.00", "", "R-SO-1");
    shop.exits("refunds --as-of 2026-11-24T03:00:00Z", 1);
    shop.ok("refunds --as-of 2026-11-25T03:00:00Z");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 4000"], "known bugs 1 and 2");
}

#[test]
fn a_back_office_refund_nobody_has_heard_of_is_not_paid_again_either() {
    let shop = shop("");
    captured(&shop, "SO-1");
    back_office_refund(&shop, "TX-SO-1", 4000);
    note(&shop, "G-1", "40.00", "", "R-SO-1");
    shop.exits("refunds", 1);
    shop.ok("refunds --as-of 2026-11-25T03:00:00Z");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 4000"], "refunds asks the PSP before it pays");
}

#[test]
fn of_a_refund_that_failed_after_it_was_confirmed_the_journal_is_reversed_and_a_person_decides() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "40.00", "", "R-SO-1");
    shop.ok("refunds");
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE kind = 'refund'");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    shop.ok("refunds --as-of 2026-11-24T03:00:00Z");
    let journals = "SELECT direction, sum(amount_minor) FROM journals WHERE kind = 'refund' GROUP BY direction";
    assert_eq!(shop.rows(journals), ["original 4000", "reversal 4000"], "known bug 2");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 4000"], "not sent again without a person");
    assert_eq!(exceptions(&shop), ["refund_refused"]);
}

#[test]
fn a_back_office_refund_that_is_only_accepted_yet_is_not_paid_again_either() {
    let shop = shop("");
    captured(&shop, "SO-1");
    back_office_refund(&shop, "TX-SO-1", 4000);
    shop.sandbox("UPDATE modifications SET settles_at = '2026-12-01 00:00:00+00:00' WHERE id LIKE 'BO%'");
    shop.run(&["sync-payments", "--as-of", "2026-11-24T02:00:00Z"]);
    note(&shop, "G-1", "40.00", "", "R-SO-1");
    shop.run(&["refunds", "--as-of", "2026-11-24T03:00:00Z"]);
    assert_eq!(refunds(&shop), ["refund TX-SO-1 4000"], "on its way already");
}

#[test]
fn a_refund_made_by_hand_is_not_explained_by_what_another_credit_note_was_applied_to() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "30.00", "30.00", "R-SO-1");
    back_office_refund(&shop, "TX-SO-1", 3000);
    note(&shop, "G-2", "30.00", "", "R-SO-1");
    shop.exits("refunds", 1);
    shop.ok("refunds --as-of 2026-11-23T03:00:00Z");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 3000"], "30.00 were due, and went back");
    assert!(exceptions(&shop).contains(&"outside_refund".to_owned()));
    note(&shop, "G-2", "30.00", "30.00", "R-SO-1");
    shop.ok("refunds --as-of 2026-11-24T03:00:00Z");
    assert_eq!(exceptions(&shop), ["unasked_movement"], "G-2 is settled");
}

#[test]
fn a_refund_made_by_hand_is_not_explained_by_a_part_of_the_credit_note_applied_before() {
    let shop = shop("");
    captured(&shop, "SO-1");
    note(&shop, "G-1", "50.00", "30.00", "R-SO-1");
    back_office_refund(&shop, "TX-SO-1", 2000);
    shop.exits("refunds", 1);
    shop.ok("refunds --as-of 2026-11-23T03:00:00Z");
    assert_eq!(refunds(&shop), ["refund TX-SO-1 2000"], "20.00 were open, and went back");
}

#[test]
fn what_was_paid_back_by_hand_before_its_capture_is_heard_of_never_reaches_the_invoice() {
    for (refunded, paid) in [(4000, 6000), (10_000, 0)] {
        let shop = shop("");
        let number = "SO-1~capture:confirm-late";
        shop.one_order(number);
        shop.ok("capture");
        back_office_refund(&shop, &format!("TX-{number}"), refunded);
        shop.run(&["sync-payments", "--as-of", "2026-11-22T03:00:00Z"]);
        assert_eq!(shop.rows("SELECT kind FROM movements"), ["refund"], "the capture still waits for its answer");
        shop.run(&["capture", "--as-of", "2026-11-23T04:00:00Z"]);
        assert_eq!(shop.rows("SELECT id, kind FROM movements"), ["1 refund", "2 capture"]);
        let on_invoice = "SELECT ifnull(sum(amount_minor), 0) FROM journals WHERE document_id IS NOT NULL";
        assert_eq!(shop.rows(on_invoice), [paid.to_string()]);
        let prepaid = "SELECT sum(p.amount_minor) FROM postings p WHERE p.account LIKE '%Prepayments%'";
        assert_eq!(shop.rows(prepaid), ["0"], "the refund took it");
        // Open again, as where the refund is heard of after the capture (rule 17): a person is told, and nothing is taken once more.
        shop.run(&["capture", "--as-of", "2026-11-24T04:00:00Z"]);
        assert!(exceptions(&shop).contains(&"captured_already".to_owned()), "{:?}", exceptions(&shop));
        assert_eq!(shop.psp_record().iter().filter(|row| row.starts_with("capture")).count(), 1);
        shop.ok("verify");
    }
}

#[test]
fn a_credit_note_waits_also_where_the_refund_made_by_hand_was_heard_of_before_its_capture() {
    let shop = shop("");
    let number = "SO-1~capture:confirm-late";
    shop.orders(&format!("{number},EUR,100.00,online,,none,C1,2026-11-15\n"));
    shop.payments(&format!(
        "TX-1,{number},,card,EUR,authorised,60.00,2026-11-16T08:00:00Z,,\nTX-2,{number},,card,EUR,authorised,40.00,2026-11-16T09:00:00Z,,\n"
    ));
    shop.documents(&format!("invoice,R-1,{number},EUR,100.00,,,2026-11-20\n"));
    shop.ok("capture");
    back_office_refund(&shop, "TX-1", 6000);
    shop.run(&["sync-payments", "--as-of", "2026-11-22T03:00:00Z"]);
    shop.run(&["capture", "--as-of", "2026-11-23T04:00:00Z"]);
    note(&shop, "G-1", "40.00", "", "R-1");
    shop.exits("refunds --as-of 2026-11-23T07:00:00Z", 1);
    assert_eq!(refunds(&shop), ["refund TX-1 6000"]);
    assert!(exceptions(&shop).contains(&"outside_refund".to_owned()), "{:?}", exceptions(&shop));
}

#[test]
fn a_refund_made_by_hand_that_fails_leaves_its_money_for_the_invoice_and_nothing_to_pay_back() {
    let shop = shop("");
    let number = "SO-1~capture:confirm-late";
    shop.one_order(number);
    shop.ok("capture");
    back_office_refund(&shop, &format!("TX-{number}"), 4000);
    shop.run(&["sync-payments", "--as-of", "2026-11-22T03:00:00Z"]);
    shop.run(&["capture", "--as-of", "2026-11-23T04:00:00Z"]);
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE id LIKE 'BO-%'");
    shop.run(&["sync-payments", "--as-of", "2026-11-24T03:00:00Z"]);
    shop.run(&["capture", "--as-of", "2026-11-24T04:00:00Z"]);
    let told = shop.rows("SELECT kind, message FROM exceptions WHERE state = 'open'");
    assert!(
        told.iter().any(|told| told.contains("40.00 EUR of the money that paid it once is still a prepayment")),
        "{told:?}"
    );
    assert!(!told.iter().any(|told| told.contains("refund-balance") || told.contains("by other means")), "{told:?}");
}
