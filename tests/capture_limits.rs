//! What must not be captured, and who is told: partial captures, authorisations that are too small or gone, refusals,
//! cancelled orders, customers who pay by hand.

mod support;

use support::{CONFIG, Shop};

fn shop(more: &str) -> Shop {
    Shop::with(&format!("{CONFIG}{more}"))
}

fn order(shop: &Shop, number: &str, total: &str, cancelled: &str) {
    shop.orders(&format!("{number},EUR,{total},online,,{cancelled},C1,2026-11-15\n"));
}

fn authorised(shop: &Shop, transaction: &str, order: &str, amount: &str) {
    shop.payments(&format!("{transaction},{order},,card,EUR,authorised,{amount},2026-11-16T08:00:00Z,,\n"));
}

fn invoice(shop: &Shop, number: &str, order: &str, total: &str) {
    shop.documents(&format!("invoice,{number},{order},EUR,{total},,,2026-11-20\n"));
}

/// An order of 100.00, authorised, with an invoice over a part.
fn part(shop: &Shop, total: &str) {
    order(shop, "SO-1", "100.00", "none");
    authorised(shop, "TX-1", "SO-1", "100.00");
    invoice(shop, "R-1", "SO-1", total);
}

fn exceptions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved'")
}

fn captures(shop: &Shop) -> Vec<String> {
    shop.psp_record().into_iter().filter(|row| row.starts_with("capture")).collect()
}

fn written(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT recipient FROM mails")
}

#[track_caller]
fn blocked(shop: &Shop, kind: &str) {
    shop.exits("capture", 1);
    shop.ok("capture --as-of 2026-11-22T03:00:00Z");
    assert!(captures(shop).is_empty());
    assert_eq!(exceptions(shop), [kind]);
    assert_eq!(written(shop), ["payment_notifications"]);
    assert_eq!(shop.mails().len(), 1);
}

#[test]
fn a_part_is_not_captured_where_the_method_forbids_it() {
    let shop = shop("[method.card]\nallow_partial_capture = false\n");
    part(&shop, "40.00");
    blocked(&shop, "partial_capture_not_allowed");
}

#[test]
fn a_part_is_not_captured_where_the_psp_cannot() {
    let shop = shop("partial_capture = \"none\"\n");
    part(&shop, "40.00");
    blocked(&shop, "partial_capture_not_allowed");
}

#[test]
fn a_part_that_would_lose_the_rest_needs_a_word_from_the_settings() {
    let shop = shop("partial_capture = \"once\"\n");
    part(&shop, "40.00");
    blocked(&shop, "partial_capture_not_allowed");
    shop.write(
        "payjournal.toml",
        &format!("{CONFIG}partial_capture = \"once\"\n[method.card]\naccept_losing_remainder = true\n"),
    );
    shop.ok("capture --as-of 2026-11-22T04:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-1 4000"]);
    assert!(exceptions(&shop).is_empty());
    assert_eq!(shop.rows("SELECT status FROM payments"), ["captured"], "the PSP let the rest lapse");
}

#[test]
fn a_part_that_loses_the_rest_is_captured_when_the_rest_is_cancelled() {
    let shop = shop("partial_capture = \"once\"\n");
    part(&shop, "40.00");
    order(&shop, "SO-1", "100.00", "rest");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 4000"], "what the PSP dropped counts as released");
}

#[test]
fn a_psp_that_captures_once_never_loses_the_money_of_the_orders_other_invoice() {
    for cancelled in ["none", "rest"] {
        let shop = shop("partial_capture = \"once\"\n");
        order(&shop, "SO-1", "100.00", cancelled);
        authorised(&shop, "TX-1", "SO-1", "100.00");
        invoice(&shop, "R-1", "SO-1", "40.00");
        invoice(&shop, "R-2", "SO-1", "60.00");
        shop.exits("capture", 1);
        assert!(!captures(&shop).contains(&"capture TX-1 4000".to_owned()), "{cancelled}: 60.00 are lost");
        assert!(exceptions(&shop).contains(&"partial_capture_not_allowed".to_owned()), "{cancelled}");
    }
}

#[test]
fn nothing_is_captured_above_what_is_authorised_and_the_exception_has_the_figures() {
    let shop = shop("");
    order(&shop, "SO-1", "150.00", "none");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    invoice(&shop, "R-1", "SO-1", "30.00");
    shop.ok("capture");
    invoice(&shop, "R-2", "SO-1", "90.00");
    shop.exits("capture", 1);
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 3000"]);
    let message = shop.rows("SELECT subject, message FROM exceptions").concat();
    for figure in ["R-2", "90.00", "authorised 100.00", "30.00", "20.00 EUR is missing"] {
        assert!(message.contains(figure), "{figure} in {message}");
    }
    assert_eq!(written(&shop), ["administrator", "payment_notifications"]);
    shop.documents("invoice,R-2,SO-1,EUR,90.00,20.00,,2026-11-20\n");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 3000", "capture TX-1 7000"]);
    assert!(exceptions(&shop).is_empty());
}

#[test]
fn an_invoice_posted_after_everything_was_captured_is_not_forgotten() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    invoice(&shop, "R-2", "SO-1", "30.00");
    shop.exits("capture", 1);
    assert_eq!(captures(&shop), ["capture TX-SO-1 10000"]);
    assert_eq!(exceptions(&shop), ["exceeds_authorised"]);
    // What was captured does not expire, however long ago that was.
    shop.ok("capture --as-of 2027-06-01T03:00:00Z");
    assert_eq!(exceptions(&shop), ["exceeds_authorised"]);
}

#[test]
fn an_invoice_posted_after_the_psp_let_the_authorisation_expire_is_not_forgotten() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00", "none");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    shop.sandbox("UPDATE transactions SET status = 'expired'");
    shop.ok("sync-payments");
    invoice(&shop, "R-1", "SO-1", "100.00");
    shop.exits("capture", 1);
    assert!(shop.psp_record().is_empty());
    assert_eq!(exceptions(&shop), ["authorisation_expired"]);
    assert_eq!(written(&shop), ["payment_notifications"]);
}

/// Something happens at the PSP that payjournal did not do.
#[test]
fn a_capture_answered_with_expired_is_told_once() {
    let shop = shop("faults = { capture = \"expire\" }\n");
    shop.one_order("SO-1");
    shop.exits("capture", 1);
    shop.ok("sync-payments");
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert!(shop.psp_record().is_empty());
    assert_eq!(shop.rows("SELECT status FROM payments"), ["expired"]);
    assert_eq!(written(&shop), ["payment_notifications"]);
}

#[test]
fn past_the_psps_own_deadline_nothing_is_sent() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00", "none");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,2026-11-22T01:59:00Z,\n");
    invoice(&shop, "R-1", "SO-1", "100.00");
    blocked(&shop, "authorisation_expired");
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'capture'"), ["0"]);
}

#[test]
fn past_the_default_deadline_the_capture_is_tried() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00", "none");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,100.00,2026-09-01T08:00:00Z,,\n");
    invoice(&shop, "R-1", "SO-1", "100.00");
    let said = shop.ok("capture --dry-run");
    assert!(format!("{}{}", said.stdout, said.stderr).contains("older than it usually lasts"));
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 10000"]);
}

#[test]
fn a_payment_that_stood_the_same_for_its_validity_is_not_captured_any_more() {
    let shop = shop("[task.capture]\ntransaction_valid_days = 5\n");
    shop.one_order("SO-1");
    shop.exits("capture --as-of 2026-11-27T02:00:00Z", 1);
    assert!(shop.psp_record().is_empty());
    assert_eq!(exceptions(&shop), ["authorisation_expired"]);
}

#[test]
fn a_refusal_is_mailed_once_and_only_a_person_makes_another_attempt_with_a_new_key() {
    let shop = shop("faults = { capture = \"refuse\" }\n");
    shop.one_order("SO-1");
    shop.exits("capture", 1);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert_eq!(written(&shop), ["payment_notifications"]);
    assert_eq!(shop.rows("SELECT attempt, state FROM operations WHERE kind = 'capture'"), ["1 refused"]);
    let operation = shop.rows("SELECT id FROM operations WHERE kind = 'capture'").concat();
    shop.ok(&format!("retry {operation}"));
    shop.exits("capture --as-of 2026-11-23T03:00:00Z", 1);
    assert_eq!(written(&shop).len(), 2, "another operation, another mail");
    let second = shop.rows("SELECT id FROM operations WHERE kind = 'capture' AND attempt = 2").concat();
    shop.ok(&format!("retry {second}"));
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture --as-of 2026-11-23T04:00:00Z");
    shop.ok("capture --as-of 2026-11-23T05:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"]);
    assert_eq!(shop.rows("SELECT count(DISTINCT key) FROM operations WHERE kind = 'capture'"), ["3"]);
    assert!(exceptions(&shop).is_empty());
}

#[test]
fn a_retry_after_the_invoice_was_paid_elsewhere_captures_nothing() {
    let shop = shop("faults = { capture = \"refuse\" }\n[method.card]\nrelease_after_full_invoice = false\n");
    shop.one_order("SO-1");
    shop.exits("capture", 1);
    shop.documents("invoice,R-SO-1,SO-1,EUR,100.00,100.00,,2026-11-20\n");
    let operation = shop.rows("SELECT id FROM operations WHERE kind = 'capture'").concat();
    shop.ok(&format!("retry {operation}"));
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert!(captures(&shop).is_empty());
}

#[test]
fn a_capture_given_up_and_taken_up_again_is_asked_about_before_anything_is_sent() {
    let shop = shop("[task.capture]\ntransaction_valid_days = 10\n");
    let number = "SO-1~capture:timeout-after";
    order(&shop, number, "100.00", "none");
    authorised(&shop, "TX-1", number, "100.00");
    invoice(&shop, "R-1", number, "100.00");
    shop.exits("capture", 5);
    let lost = "UPDATE modifications SET settles_at = '2027-01-01T00:00:00+00:00'";
    shop.sandbox(lost);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    shop.exits("capture --as-of 2026-12-20T02:00:00Z", 1);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["given_up"]);
    shop.ok("capture --as-of 2026-12-21T02:00:00Z");
    let operation = shop.rows("SELECT id FROM operations WHERE kind = 'capture'").concat();
    shop.ok(&format!("retry {operation} --as-of 2027-01-02T02:00:00Z"));
    shop.ok("capture --as-of 2027-01-02T03:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-1 10000"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["confirmed"]);
}

#[test]
fn of_two_captures_given_up_one_is_taken_up_again_at_a_time() {
    let shop = shop("[task.capture]\ntransaction_valid_days = 10\n");
    let number = "SO-1~capture:timeout-after";
    order(&shop, number, "100.00", "none");
    authorised(&shop, "TX-1", number, "100.00");
    invoice(&shop, "R-1", number, "40.00");
    invoice(&shop, "R-2", number, "60.00");
    for hour in 2..5 {
        shop.run(&["capture", "--as-of", &format!("2026-11-22T0{hour}:00:00Z")]);
        shop.sandbox("UPDATE modifications SET settles_at = '2027-01-01T00:00:00+00:00'");
    }
    shop.run(&["capture", "--as-of", "2026-12-20T02:00:00Z"]);
    let operations = shop.rows("SELECT id FROM operations WHERE kind = 'capture' AND state = 'given_up'");
    let [first, second] = &operations[..] else { panic!("{operations:?}") };
    shop.ok(&format!("retry {first} --as-of 2026-12-21T02:00:00Z"));
    let told = shop.exits(&format!("retry {second} --as-of 2026-12-21T02:00:00Z"), 2);
    assert!(told.stderr.contains(&format!("has to wait until operation {first}")), "{told:?}");
    shop.run(&["capture", "--as-of", "2027-01-02T03:00:00Z"]);
    shop.ok(&format!("retry {second} --as-of 2027-01-02T04:00:00Z"));
    shop.run(&["capture", "--as-of", "2027-01-02T05:00:00Z"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["confirmed", "confirmed"]);
    assert_eq!(shop.psp_record(), ["capture TX-1 4000", "capture TX-1 6000"]);
}

#[test]
fn nothing_is_captured_while_the_erp_may_have_a_line_of_ours_already() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00", "none");
    authorised(&shop, "TX-1", "SO-1", "90.00");
    shop.sandbox(
        "INSERT INTO modifications VALUES ('BO', 'Shop', 'TX-1', 'capture', 4000, 'by hand', 'confirmed',
         '2026-11-21 01:00:00+00:00', '2026-11-21 01:00:00+00:00')",
    );
    shop.run(&["sync-payments"]);
    invoice(&shop, "R-1", "SO-1", "100.00");
    shop.run(&["capture"]);
    shop.run(&["sync-journals"]);
    let answer = |from: &str, to: &str| {
        let of_invoice = "kind = 'journal' AND document_id IS NOT NULL";
        let sql = format!("UPDATE operations SET state = '{to}' WHERE {of_invoice} AND state = '{from}'");
        assert_eq!(shop.ledger().execute(&sql, []).unwrap(), 1);
    };
    answer("confirmed", "unknown");
    shop.sandbox("UPDATE transactions SET authorised_minor = 20000");
    shop.run(&["capture", "--as-of", "2026-11-23T02:00:00Z"]);
    shop.run(&["capture", "--as-of", "2026-11-23T03:00:00Z"]);
    assert_eq!(shop.psp_record(), ["capture TX-1 4000"], "neither captured nor released on a guess");
    answer("unknown", "confirmed");
    shop.run(&["capture", "--as-of", "2026-11-23T04:00:00Z"]);
    assert_eq!(captures(&shop), ["capture TX-1 4000", "capture TX-1 6000"]);
}

#[test]
fn a_cancelled_order_without_invoice_gives_everything_back_once() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00", "none");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    order(&shop, "SO-1", "100.00", "full");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["release TX-1 10000"]);
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["cancelled"]);
    assert_eq!(written(&shop), ["administrator"]);
}

#[test]
fn of_a_cancelled_order_the_invoice_is_captured_first_and_the_rest_released_in_the_same_run() {
    for cancelled in ["full", "rest"] {
        let shop = shop("");
        part(&shop, "40.00");
        order(&shop, "SO-1", "100.00", cancelled);
        shop.ok("capture");
        assert_eq!(shop.psp_record(), ["capture TX-1 4000", "release TX-1 6000"], "{cancelled}");
        assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["paid"], "{cancelled}");
    }
}

#[test]
fn where_captures_are_confirmed_late_the_release_waits_for_a_later_run() {
    let shop = shop("confirm_after = \"6 h\"\n");
    part(&shop, "40.00");
    order(&shop, "SO-1", "100.00", "rest");
    shop.ok("capture");
    shop.ok("capture --as-of 2026-11-22T07:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-1 4000"]);
    shop.ok("capture --as-of 2026-11-22T09:00:00Z");
    shop.ok("capture --as-of 2026-11-22T10:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-1 4000", "release TX-1 6000"]);
}

#[test]
fn a_refused_capture_keeps_the_rest_of_a_cancelled_order_authorised() {
    let shop = shop("faults = { capture = \"refuse\" }\n");
    part(&shop, "40.00");
    order(&shop, "SO-1", "100.00", "rest");
    shop.exits("capture", 1);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert!(shop.psp_record().is_empty(), "the invoice still needs the authorisation");
}

#[test]
fn a_fully_invoiced_order_gives_the_rest_back_and_the_switch_keeps_it() {
    for (switch, expected) in
        [("true", vec!["capture TX-1 10000", "release TX-1 2000"]), ("false", vec!["capture TX-1 10000"])]
    {
        let shop = shop(&format!("[method.card]\nrelease_after_full_invoice = {switch}\n"));
        order(&shop, "SO-1", "100.00", "none");
        authorised(&shop, "TX-1", "SO-1", "120.00");
        invoice(&shop, "R-1", "SO-1", "100.00");
        shop.ok("capture");
        shop.ok("capture");
        assert_eq!(shop.psp_record(), expected);
    }
}

#[test]
fn an_immediate_payment_of_an_order_cancelled_before_the_run_is_released() {
    let shop = shop("[method.card]\nstrategy = \"immediate\"\n");
    order(&shop, "SO-1", "100.00", "full");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["release TX-1 10000"]);
}

#[test]
fn an_invoice_the_customer_is_paying_by_hand_is_left_alone_and_collected_from_that_payment() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.payments("TX-2,,R-SO-1,ideal,EUR,pending,,,,\n");
    shop.ok("capture");
    assert!(shop.psp_record().is_empty());
    shop.sandbox("UPDATE transactions SET status = 'authorised', authorised_minor = 10000 WHERE id = 'TX-2'");
    shop.ok("sync-payments");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(captures(&shop), ["capture TX-2 10000"]);
    let paid = "SELECT d.number, sum(j.amount_minor) FROM journals j JOIN documents d ON d.id = j.document_id";
    assert_eq!(shop.rows(paid), ["R-SO-1 10000"]);
}

#[test]
fn an_invoice_whose_hand_payment_the_psp_calls_captured_and_has_not_settled_is_not_captured_from_the_order_too() {
    let shop = shop("confirm_after = \"6 h\"\n");
    shop.one_order("SO-1");
    shop.payments("TX-2,,R-SO-1,ideal,EUR,authorised,100.00,2026-11-21T01:00:00Z,,\n");
    shop.ok("capture");
    assert_eq!(captures(&shop), ["capture TX-2 10000"]);
    shop.sandbox("UPDATE transactions SET status = 'captured' WHERE id = 'TX-2'");
    shop.ok("sync-payments --as-of 2026-11-22T05:00:00Z");
    shop.ok("capture --as-of 2026-11-22T05:10:00Z");
    assert_eq!(captures(&shop), ["capture TX-2 10000"], "the customer paid this invoice already");
    shop.ok("capture --as-of 2026-11-22T12:00:00Z");
    shop.ok("capture --as-of 2026-11-22T13:00:00Z");
    assert_eq!(captures(&shop), ["capture TX-2 10000"]);
}

#[test]
fn a_hand_payment_for_an_invoice_that_was_captured_meanwhile_is_not_taken_too() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    assert_eq!(captures(&shop), ["capture TX-SO-1 10000"]);
    shop.payments("TX-2,,R-SO-1,ideal,EUR,authorised,100.00,2026-11-22T01:00:00Z,,\n");
    shop.exits("capture", 1);
    assert_eq!(captures(&shop), ["capture TX-SO-1 10000"], "the customer paid this invoice once");
}

#[test]
fn a_hand_payment_is_captured_though_the_order_of_its_invoice_is_on_account() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,on_account,,none,C1,2026-11-15\n");
    invoice(&shop, "R-1", "SO-1", "100.00");
    shop.payments("TX-1,,R-1,ideal,EUR,authorised,100.00,2026-11-21T08:00:00Z,,\n");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 10000"]);
}

#[test]
fn a_hand_payment_is_captured_though_its_invoice_has_no_order() {
    let shop = shop("");
    shop.documents("invoice,R-2,,EUR,50.00,,,2026-11-20\n");
    shop.payments("TX-2,,R-2,ideal,EUR,authorised,50.00,2026-11-21T08:00:00Z,,\n");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-2 5000"]);
}

#[test]
fn a_hand_payment_pays_the_invoice_of_its_own_company() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop.write(
        "d.csv",
        "company,kind,number,order,currency,total,posted_on\n\
         other,invoice,R-1,,EUR,100.00,2026-11-20\nmain,invoice,R-1,SO-1,EUR,100.00,2026-11-20\n",
    );
    shop.ok("import documents d.csv");
    shop.payments("TX-1,,R-1,ideal,EUR,captured,100.00,2026-11-21T08:00:00Z,,2026-11-21T08:00:00Z\n");
    assert_eq!(shop.psp_record(), ["capture TX-1 10000"]);
    assert_eq!(
        shop.rows("SELECT d.company, j.amount_minor FROM journals j JOIN documents d ON d.id = j.document_id"),
        ["main 10000"]
    );
}

#[test]
fn an_invoice_open_again_after_its_capture_is_never_captured_again() {
    let shop = shop("");
    let (number, transaction) = ("SO-1", "TX-1");
    order(&shop, number, "100.00", "none");
    authorised(&shop, transaction, number, "200.00");
    shop.write("payjournal.toml", &format!("{CONFIG}[method.card]\nrelease_after_full_invoice = false\n"));
    shop.documents("invoice,R-1,SO-1,EUR,100.00,40.00,,2026-11-20\n");
    shop.ok("capture");
    assert_eq!(captures(&shop), ["capture TX-1 6000"]);
    shop.documents("invoice,R-1,SO-1,EUR,100.00,0.00,,2026-11-20\n");
    shop.exits("capture", 1);
    assert_eq!(captures(&shop), ["capture TX-1 6000"], "rule 17");
    assert_eq!(exceptions(&shop), ["captured_already"]);
}

#[test]
fn an_invoice_captured_after_a_refused_attempt_and_open_again_is_not_captured_again() {
    let shop = shop("faults = { capture = \"refuse\" }\n[method.card]\nrelease_after_full_invoice = false\n");
    order(&shop, "SO-1", "100.00", "none");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    authorised(&shop, "TX-2", "SO-1", "100.00");
    shop.documents("invoice,R-1,SO-1,EUR,100.00,40.00,,2026-11-20\n");
    shop.exits("capture", 1);
    let operation = shop.rows("SELECT id FROM operations WHERE kind = 'capture'").concat();
    shop.ok(&format!("retry {operation}"));
    shop.write("payjournal.toml", &format!("{CONFIG}[method.card]\nrelease_after_full_invoice = false\n"));
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert_eq!(captures(&shop), ["capture TX-1 6000"]);
    shop.documents("invoice,R-1,SO-1,EUR,100.00,0.00,,2026-11-20\n");
    shop.exits("capture --as-of 2026-11-23T03:00:00Z", 1);
    assert_eq!(captures(&shop), ["capture TX-1 6000"], "rule 17, known bug 8");
}
