//! What is captured, for which document and how much; the sandbox's own record is the judge in every test.

mod support;

use support::{CONFIG, Shop};

/// The usual configuration with more lines for the provider, and tables after it.
fn shop(more: &str) -> Shop {
    Shop::with(&format!("{CONFIG}{more}"))
}

fn order(shop: &Shop, number: &str, total: &str) {
    shop.orders(&format!("{number},EUR,{total},online,,none,C1,2026-11-15\n"));
}

fn authorised(shop: &Shop, transaction: &str, order: &str, amount: &str) {
    shop.payments(&format!("{transaction},{order},,card,EUR,authorised,{amount},2026-11-16T08:00:00Z,,\n"));
}

fn invoice(shop: &Shop, number: &str, order: &str, total: &str, paid_elsewhere: &str) {
    shop.documents(&format!("invoice,{number},{order},EUR,{total},{paid_elsewhere},,2026-11-20\n"));
}

fn journals(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT j.kind, j.direction, ifnull(d.number, '-'), j.amount_minor, j.bill_to FROM journals j
         LEFT JOIN documents d ON d.id = j.document_id",
    )
}

fn exceptions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved'")
}

fn status(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT payment_status FROM orders")
}

#[test]
fn with_the_strategy_invoice_nothing_is_captured_before_the_invoice_and_exactly_its_amount_after() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    shop.documents("shipment,L-1,SO-1,EUR,100.00,,,2026-11-20\n");
    shop.ok("capture");
    assert!(shop.psp_record().is_empty());
    invoice(&shop, "R-1", "SO-1", "64.20", "");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 6420"]);
    assert_eq!(journals(&shop), ["receipt original R-1 6420 C1"]);
}

#[test]
fn with_the_strategy_shipment_the_shipment_is_captured_and_the_invoice_only_takes_what_was_captured() {
    let shop = shop("[method.card]\nstrategy = \"shipment\"\n");
    order(&shop, "SO-1", "100.00");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    invoice(&shop, "R-1", "SO-1", "100.00", "");
    shop.ok("capture");
    assert!(shop.psp_record().is_empty(), "an invoice is no shipment");
    shop.documents("shipment,L-1,SO-1,EUR,60.00,,,2026-11-20\n");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 6000"]);
    assert_eq!(journals(&shop), ["application original R-1 6000 C1", "prepayment original - 6000 C1"]);
    shop.documents("shipment,L-2,SO-1,EUR,40.00,,,2026-11-21\n");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 4000", "capture TX-1 6000"]);
    let tied = shop.rows("SELECT sum(amount_minor) FROM journals WHERE kind = 'application'");
    assert_eq!(tied, ["10000"], "both captures paid the one invoice");
}

#[test]
fn with_the_strategy_immediate_the_authorisation_is_captured_once_and_later_invoices_are_paid_from_it() {
    let shop = shop("[method.card]\nstrategy = \"immediate\"\n");
    order(&shop, "SO-1", "100.00");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 10000"]);
    assert_eq!(journals(&shop), ["prepayment original - 10000 C1"]);
    assert!(shop.mails().is_empty(), "mails are for captures that a document triggered");
    invoice(&shop, "R-1", "SO-1", "70.00", "");
    invoice(&shop, "R-2", "SO-1", "30.00", "");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 10000"]);
    assert_eq!(
        journals(&shop),
        ["application original R-1 7000 C1", "application original R-2 3000 C1", "prepayment original - 10000 C1"]
    );
    assert_eq!(status(&shop), ["paid"]);
}

#[test]
fn with_the_strategy_delay_the_days_count_from_the_authorisation() {
    let shop = shop("[method.card]\nstrategy = \"delay\"\ndelay = \"7 days\"\n");
    order(&shop, "SO-1", "100.00");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    invoice(&shop, "R-1", "SO-1", "100.00", "");
    shop.ok("capture --as-of 2026-11-23T07:59:59Z");
    assert!(shop.psp_record().is_empty());
    shop.ok("capture --as-of 2026-11-23T08:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-1 10000"]);
}

#[test]
fn with_the_strategies_automatic_and_manual_nothing_is_ever_sent() {
    for strategy in ["automatic", "manual"] {
        let shop = shop(&format!("[method.card]\nstrategy = \"{strategy}\"\n"));
        shop.one_order("SO-1");
        shop.ok("capture");
        shop.orders("SO-1,EUR,100.00,online,,full,C1,2026-11-15\n");
        shop.ok("capture");
        assert!(shop.psp_record().is_empty(), "{strategy}");
    }
}

#[test]
fn what_was_paid_elsewhere_is_not_captured() {
    let shop = shop("");
    for (number, total, elsewhere) in [("1", "100.00", "35.50"), ("2", "80.00", "80.00"), ("3", "50.00", "60.00")] {
        order(&shop, &format!("SO-{number}"), total);
        authorised(&shop, &format!("TX-{number}"), &format!("SO-{number}"), total);
        invoice(&shop, &format!("R-{number}"), &format!("SO-{number}"), total, elsewhere);
    }
    shop.ok("capture");
    let captures: Vec<String> = shop.psp_record().into_iter().filter(|row| row.starts_with("capture")).collect();
    assert_eq!(captures, ["capture TX-1 6450"]);
}

#[test]
fn a_negative_amount_paid_elsewhere_cannot_make_an_invoice_larger() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00");
    authorised(&shop, "TX-1", "SO-1", "150.00");
    let head = "kind,number,order,currency,total,paid_elsewhere,references,posted_on";
    shop.write("d.csv", &format!("{head}\ninvoice,R-1,SO-1,EUR,100.00,-50.00,,2026-11-20\n"));
    shop.exits("import documents d.csv", 1);
    shop.ok("capture");
    assert!(shop.psp_record().is_empty());
}

#[test]
fn a_second_invoice_is_new_work_and_a_rerun_is_not() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    invoice(&shop, "R-1", "SO-1", "30.00", "");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 3000"]);
    assert_eq!(status(&shop), ["in_progress"], "a part-captured order is not paid");
    invoice(&shop, "R-2", "SO-1", "30.00", "");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 3000", "capture TX-1 3000"]);
    assert_eq!(shop.mails().len(), 2);
}

#[test]
fn invoices_with_the_same_number_in_two_companies_are_two_invoices() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    shop.write(
        "d.csv",
        "company,kind,number,order,currency,total,posted_on\n\
         north,invoice,R-1,SO-1,EUR,40.00,2026-11-20\nsouth,invoice,R-1,SO-1,EUR,60.00,2026-11-20\n",
    );
    shop.ok("import documents d.csv");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 4000", "capture TX-1 6000"]);
    assert_eq!(shop.rows("SELECT count(*), count(DISTINCT number) FROM journals"), ["2 2"]);
}

#[test]
fn yen_and_dinar_are_captured_to_the_minor_unit() {
    let shop = shop("");
    shop.orders("J,JPY,1001,online,,none,C1,2026-11-15\nK,KWD,12.345,online,,none,C1,2026-11-15\n");
    shop.payments(
        "TX-J,J,,card,JPY,authorised,1001,2026-11-16T08:00:00Z,,\nTX-K,K,,card,KWD,authorised,12.345,2026-11-16T08:00:00Z,,\n",
    );
    shop.documents("invoice,R-J,J,JPY,1001,,,2026-11-20\ninvoice,R-K,K,KWD,12.345,,,2026-11-20\n");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-J 1001", "capture TX-K 12345"]);
    let csv = shop.ok("export --format csv").stdout;
    assert!(csv.contains(",1001,,JPY") && csv.contains(",12.345,,KWD"), "{csv}");
}

#[test]
fn several_payments_of_one_order_pay_an_invoice_together_oldest_first() {
    let shop = shop("");
    order(&shop, "SO-1", "100.00");
    authorised(&shop, "TX-1", "SO-1", "60.00");
    authorised(&shop, "TX-2", "SO-1", "40.00");
    invoice(&shop, "R-1", "SO-1", "70.00", "");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 6000", "capture TX-2 1000"]);
    invoice(&shop, "R-2", "SO-1", "30.00", "");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 6000", "capture TX-2 1000", "capture TX-2 3000"]);
    assert_eq!(status(&shop), ["paid"]);
}

#[test]
fn an_order_on_account_is_paid_and_its_authorisation_is_never_captured() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,on_account,,none,C1,2026-11-15\n");
    authorised(&shop, "TX-1", "SO-1", "100.00");
    invoice(&shop, "R-1", "SO-1", "100.00", "");
    shop.ok("sync-payments");
    shop.ok("capture");
    assert!(shop.psp_record().is_empty());
    assert_eq!(status(&shop), ["paid"]);
}

#[test]
fn a_prepayment_order_is_paid_once_its_share_is() {
    let shop = shop("[method.card]\nstrategy = \"immediate\"\n");
    shop.orders("SO-1,EUR,200.00,prepayment,30,none,C1,2026-11-15\n");
    authorised(&shop, "TX-1", "SO-1", "60.00");
    assert_eq!(status(&shop), ["in_progress"]);
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 6000"]);
    assert_eq!(status(&shop), ["paid"]);
    invoice(&shop, "R-1", "SO-1", "200.00", "");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-1 6000"]);
    assert_eq!(journals(&shop), ["application original R-1 6000 C1", "prepayment original - 6000 C1"]);
}

#[test]
fn an_accepted_capture_is_nothing_until_it_is_confirmed() {
    let shop = shop("confirm_after = \"1 day\"\n");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"]);
    assert!(shop.mails().is_empty() && journals(&shop).is_empty());
    assert_eq!(status(&shop), ["in_progress"]);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    shop.ok("capture --as-of 2026-11-23T03:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"]);
    assert_eq!(journals(&shop), ["receipt original R-SO-1 10000 C1"]);
    assert_eq!(shop.mails().len(), 1);
    assert_eq!(status(&shop), ["paid"]);
}

#[test]
fn a_capture_without_an_answer_holds_back_the_next_one_of_its_payment_until_it_is_known() {
    for fault in ["timeout-after", "timeout-before", "server-error"] {
        let shop = shop("");
        let number = format!("SO-1~capture:{fault}");
        order(&shop, &number, "100.00");
        authorised(&shop, "TX-1", &number, "100.00");
        invoice(&shop, "R-1", &number, "40.00", "");
        invoice(&shop, "R-2", &number, "60.00", "");
        let mut codes = Vec::new();
        for minute in ["00", "10", "20", "50"] {
            let args = ["capture", "--as-of", &format!("2026-11-22T02:{minute}:00Z")];
            codes.push(shop.run(&args).code);
            let unanswered = shop.rows("SELECT count(*) FROM operations WHERE state IN ('sent', 'unknown')");
            assert!(unanswered <= vec!["1".to_owned()], "{fault}");
        }
        assert_eq!(codes.first(), Some(&Some(5)), "{fault}");
        assert_eq!(shop.psp_record(), ["capture TX-1 4000", "capture TX-1 6000"], "{fault} {codes:?}");
        assert_eq!(shop.mails().len(), 2, "{fault}");
    }
}

#[test]
fn a_planned_capture_takes_the_amount_outstanding_when_it_is_sent() {
    let shop = shop("faults = { capture = \"unreachable\" }\n");
    shop.one_order("SO-1");
    shop.exits("capture", 5);
    shop.documents("invoice,R-SO-1,SO-1,EUR,100.00,40.00,,2026-11-20\n");
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    let captures: Vec<String> = shop.psp_record().into_iter().filter(|row| row.starts_with("capture")).collect();
    assert_eq!(captures, ["capture TX-SO-1 6000"]);
}

#[test]
fn a_planned_capture_of_an_invoice_paid_elsewhere_meanwhile_is_withdrawn() {
    let shop = shop("faults = { capture = \"unreachable\" }\n[method.card]\nrelease_after_full_invoice = false\n");
    shop.one_order("SO-1");
    shop.exits("capture", 5);
    shop.documents("invoice,R-SO-1,SO-1,EUR,100.00,100.00,,2026-11-20\n");
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    shop.ok("capture --as-of 2026-11-23T03:00:00Z");
    let captures: Vec<String> = shop.psp_record().into_iter().filter(|row| row.starts_with("capture")).collect();
    assert!(captures.is_empty(), "{captures:?}");
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["withdrawn"]);
}

#[test]
fn an_erp_that_cannot_be_asked_stops_captures_and_a_later_run_makes_them() {
    let shop = shop("[erp]\nfault = \"unreachable\"\n");
    shop.one_order("SO-1");
    shop.exits("capture", 5);
    assert!(shop.psp_record().is_empty());
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"]);
}

#[test]
fn a_dry_run_prints_reasons_and_sends_nothing() {
    let shop = shop("");
    shop.one_order("SO-1");
    order(&shop, "SO-2", "100.00");
    authorised(&shop, "TX-2", "SO-2", "50.00");
    invoice(&shop, "R-2", "SO-2", "80.00", "");
    let said = shop.run(&["capture", "--dry-run"]);
    let text = format!("{}{}", said.stdout, said.stderr);
    for part in ["R-SO-1", "100.00", "was posted on 2026-11-20", "30.00 EUR is missing"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(shop.psp_record().is_empty());
    assert_eq!(shop.rows("SELECT count(*) FROM operations"), ["0"]);
    assert!(exceptions(&shop).is_empty() && shop.mails().is_empty());
}
