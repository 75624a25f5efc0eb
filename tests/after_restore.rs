//! A ledger restored from a backup: what payjournal did since is recognised by its keys, booked where it belongs, and not
//! done again. And what no plan takes is told instead of kept.

mod support;

use support::{CONFIG, Shop};

fn exceptions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved'")
}

#[test]
fn what_was_done_after_the_backup_is_recognised_and_never_done_again() {
    for learns in ["sync-payments", "capture"] {
        let shop = Shop::new();
        shop.orders("SO-1,EUR,150.00,online,,none,C1,2026-11-15\n");
        shop.payments("TX-1,SO-1,,card,EUR,authorised,150.00,2026-11-16T08:00:00Z,,\n");
        shop.documents("invoice,R-1,SO-1,EUR,100.00,,,2026-11-20\ncredit_note,G-1,SO-1,EUR,30.00,,R-1,2026-11-21\n");
        let backup = std::fs::read(shop.path.join("payjournal.db")).unwrap();
        for task in ["capture", "refunds", "sync-journals"] {
            shop.ok(task);
        }
        let done = ["capture TX-1 10000", "refund TX-1 3000"];
        assert_eq!(shop.psp_record(), done);
        std::fs::write(shop.path.join("payjournal.db"), &backup).unwrap();
        for task in [learns, "capture", "refunds", "sync-journals", "sync-payments", "capture", "refunds"] {
            shop.ok(&format!("{task} --as-of 2026-11-24T02:00:00Z"));
        }
        assert_eq!(shop.psp_record(), done, "{learns} first");
        let lines =
            "SELECT j.kind, d.number, j.amount_minor FROM journals j LEFT JOIN documents d ON d.id = j.document_id";
        assert_eq!(shop.rows(lines), ["receipt R-1 10000", "refund G-1 3000"], "{learns} first");
        assert!(exceptions(&shop).is_empty(), "{learns} first: {:?}", exceptions(&shop));
    }
}

#[test]
fn what_was_done_for_invoices_of_two_orders_is_recognised_too() {
    for learns in ["sync-payments", "capture", "refunds"] {
        let shop = Shop::new();
        shop.orders("SO-1,EUR,60.00,on_account,,none,C1,2026-11-15\nSO-2,EUR,40.00,on_account,,none,C1,2026-11-15\n");
        shop.documents("invoice,R-1,SO-1,EUR,60.00,,,2026-11-20\ninvoice,R-2,SO-2,EUR,40.00,,,2026-11-20\n");
        shop.payments("TX-1,,R-1;R-2,ideal,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
        shop.ok("capture");
        shop.documents("credit_note,G-2,,EUR,15.00,,R-2,2026-11-21\n");
        let backup = std::fs::read(shop.path.join("payjournal.db")).unwrap();
        shop.ok("refunds");
        let done = ["capture TX-1 10000", "refund TX-1 1500"];
        assert_eq!(shop.psp_record(), done);
        std::fs::write(shop.path.join("payjournal.db"), &backup).unwrap();
        for task in [learns, "sync-payments", "refunds", "capture"] {
            shop.ok(&format!("{task} --as-of 2026-11-24T02:00:00Z"));
        }
        assert_eq!(shop.psp_record(), done, "{learns} first");
        let lines = "SELECT j.kind, d.number, j.amount_minor FROM journals j JOIN documents d ON d.id = j.document_id";
        assert_eq!(shop.rows(lines), ["receipt R-1 6000", "receipt R-2 4000", "refund G-2 1500"], "{learns} first");
        assert!(exceptions(&shop).is_empty(), "{learns} first: {:?}", exceptions(&shop));
    }
}

#[test]
fn a_credit_note_of_another_order_than_its_invoice_refunds_nobody() {
    let shop = Shop::new();
    shop.one_order("SO-1");
    shop.one_order("SO-2");
    shop.ok("capture");
    shop.documents("credit_note,G-1,SO-2,EUR,30.00,,R-SO-1,2026-11-21\n");
    shop.exits("refunds", 1);
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000", "capture TX-SO-2 10000"]);
}

#[test]
fn a_credit_note_in_another_currency_holds_no_other_one_back() {
    let shop = Shop::new();
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.documents("credit_note,G-1,SO-1,EUR,10.00,,R-SO-1,2026-11-21\ncredit_note,G-2,,USD,5.00,,R-SO-1,2026-11-21\n");
    shop.exits("refunds", 1);
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000", "refund TX-SO-1 1000"]);
}

#[test]
fn captured_money_of_a_cancelled_order_is_told() {
    let shop = Shop::with(&format!("{CONFIG}[method.card]\nstrategy = \"immediate\"\n"));
    shop.orders("SO-1,EUR,70.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,70.00,2026-11-16T08:00:00Z,,\n");
    shop.ok("capture");
    shop.orders("SO-1,EUR,70.00,online,,full,C1,2026-11-15\n");
    shop.exits("capture", 1);
    assert_eq!(exceptions(&shop), ["untied_money"]);
    assert_eq!(shop.psp_record(), ["capture TX-1 7000"]);
}

#[test]
fn an_invoice_that_waits_for_an_abandoned_payment_is_told() {
    let shop = Shop::new();
    shop.one_order("SO-1");
    shop.payments("TX-9,,R-SO-1,ideal,EUR,pending,,,,\n");
    shop.ok("capture");
    shop.exits("capture --as-of 2026-12-21T02:00:00Z", 1);
    assert_eq!(exceptions(&shop), ["waits_for_payment"]);
    assert!(shop.psp_record().is_empty());
}
