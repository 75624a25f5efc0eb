//! Chargebacks: told once, booked, and nothing of their payment moves until a person has said so.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use support::Shop;
use support::reports::{drop_report, report};

/// One order over 100.00, captured, paid out, charged back and paid out again; not taken over yet.
fn charged_back() -> Shop {
    let shop = Shop::new();
    shop.one_order("A");
    shop.ok("capture");
    shop.ok("sandbox payout");
    shop.ok("sandbox dispute TX-A");
    shop.ok("sandbox payout");
    shop
}

fn told(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, state FROM exceptions WHERE kind NOT IN ('payout_remainder', 'lines_unmatched')")
}

fn resolve(shop: &Shop, kind: &str) {
    for id in shop.rows(&format!("SELECT id FROM exceptions WHERE kind = '{kind}' AND state = 'open'")) {
        shop.ok(&format!("resolve {id}"));
    }
}

#[test]
fn a_chargeback_is_told_once_with_all_that_a_person_needs() {
    let shop = charged_back();
    shop.exits("settlements", 1);
    let row = shop.rows("SELECT subject, message FROM exceptions WHERE kind = 'chargeback'").concat();
    for part in [
        "payment TX-A at psp/Shop",
        "100.00 EUR",
        "order webshop/A",
        "invoice R-A",
        "payout 2",
        "credit note",
        "resolve",
    ] {
        assert!(row.contains(part), "`{part}` is not in: {row}");
    }
    shop.ok("settlements");
    resolve(&shop, "chargeback");
    shop.ok("settlements");
    assert_eq!(told(&shop), ["chargeback resolved"]);
    assert!(shop.rows("SELECT * FROM untold_chargebacks").is_empty());
}

#[test]
fn a_credit_note_of_what_was_charged_back_is_not_paid_out() {
    let shop = charged_back();
    shop.exits("settlements", 1);
    shop.documents("credit_note,G-A,A,EUR,100.00,,R-A,2026-11-21\n");
    shop.exits("refunds", 1);
    let message = shop.rows("SELECT message FROM exceptions WHERE kind = 'outside_refund'").concat();
    assert!(message.contains("payment TX-A was charged back"), "{message}");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn what_is_left_is_not_captured_or_released() {
    let shop = Shop::new();
    shop.orders("A,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-A,A,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-A,A,EUR,40.00,,,2026-11-20\n");
    shop.ok("capture");
    shop.ok("sandbox payout");
    shop.ok("sandbox dispute TX-A");
    shop.ok("sandbox payout");
    shop.exits("settlements", 1);
    shop.documents("invoice,R-B,A,EUR,30.00,,,2026-11-20\n");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 4000"]);
    shop.orders("A,EUR,100.00,online,,rest,C1,2026-11-15\n");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 4000"]);
    resolve(&shop, "chargeback");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 3000", "capture TX-A 4000", "release TX-A 3000"]);
}

/// Known by its reports only.
fn reports_only() -> Shop {
    let shop = Shop::with(
        "[mail]\nadministrator = [\"admin@shop.example\"]\npayment_notifications = [\"payments@shop.example\"]\n\n\
         [provider.adyen]\nkind = \"reports\"\nmerchant_account = \"ShopEU\"\nreports = \"reports\"\n\n\
         [method.card]\nstrategy = \"manual\"\n",
    );
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    shop
}

/// SO-1 of 100.00, authorised at a PSP nobody asks.
fn order(shop: &Shop) {
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-01\n");
    let head = "provider,transaction,order,method,currency,status,authorised,authorised_at";
    shop.write("payments.csv", &format!("{head}\nadyen,TX-1,SO-1,card,EUR,authorised,100.00,2026-11-02T08:00:00Z\n"));
    shop.ok("import payments payments.csv");
}

fn settle(shop: &Shop, name: &str, lines: &[&str]) -> Option<i32> {
    drop_report(shop, name, &report(lines));
    shop.run(&["settlements"]).code
}

const SALE: &str = "TX-1 SO-1 Settled CAP-1 100.00 99.00 1.00 7";
const TAKEN: &str = "TX-1 SO-1 Chargeback CB-1 -100.00 -110.00 10.00 7";

#[test]
fn a_line_nobody_has_looked_at_yet_holds_its_payment_back_already() {
    let shop = reports_only();
    shop.orders("SO-0,EUR,1.00,online,,none,C1,2026-11-01\n");
    settle(&shop, "a.csv", &[SALE, TAKEN]);
    assert_eq!(shop.rows("SELECT transaction_id FROM untold_chargebacks"), ["TX-1"]);
    order(&shop);
    shop.documents("invoice,R-1,SO-1,EUR,100.00,100.00,,2026-11-20\n");
    let held = "SELECT count(*) FROM untold_chargebacks u JOIN payments p USING (transaction_id)";
    assert_eq!(shop.rows(held), ["1"]);
    assert_eq!(settle(&shop, "b.csv", &["- - Fee - - -1.00 - 7"]), Some(1));
    assert_eq!(told(&shop), ["chargeback open"]);
    assert!(shop.rows("SELECT * FROM untold_chargebacks").is_empty());
}
