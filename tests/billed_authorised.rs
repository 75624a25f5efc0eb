//! Money that is captured for the invoice, and an invoice that is made for paid orders: neither waits for the other for ever.

mod support;

use support::Shop;
use support::billing::{all_entries, collected, import, invoices, orders, told};

/// A shop with the defaults of `[invoices]` but for `more`.
fn shop(more: &str) -> Shop {
    Shop::with(&format!("{}\n[invoices]\nenabled = true\n{more}", support::CONFIG))
}

fn authorised(shop: &Shop, transaction: &str, order: &str, amount: &str) {
    shop.payments(&format!("{transaction},{order},,card,EUR,authorised,{amount},2026-11-21T09:00:00Z,,\n"));
}

#[test]
fn an_order_whose_money_is_authorised_for_its_invoice_is_billed_and_captured_once() {
    let shop = shop(
        "due_days = 14\n[seller]\nname = \"Coffee\"\ncountry = \"DE\"\nvat_id = \"DE1\"\niban = \"DE02120300000000202051\"\n",
    );
    import(&shop, "customers", "customer,name,email\nC1,Ada,ada@example.com\n");
    orders(&shop, "A,100.00,C1,,\nB,100.00,C1,,\n");
    authorised(&shop, "TX-A", "A", "100.00");
    // Another paid a part of it in advance.
    collected(&shop, "TX-B1,B,,,30.00\n");
    authorised(&shop, "TX-B2", "B", "70.00");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 0", "2026-00002 B 10000 3000"]);
    // Nobody is asked to pay it a second time.
    let xml = shop.ok("invoice 2026-00001 --xml").stdout;
    assert!(
        xml.contains("100.00\u{a0}EUR is taken by the payment you made with your order") && !xml.contains("IBANID"),
        "{xml}"
    );
    let mails = shop.mails();
    let mails: Vec<String> =
        mails.iter().map(|name| std::fs::read_to_string(shop.path.join("mail/new").join(name)).unwrap()).collect();
    let asked: Vec<&String> = mails.iter().filter(|mail| mail.contains("Still to be paid: 0.00 EUR")).collect();
    assert_eq!(asked.len(), 2, "{mails:#?}");
    shop.ok("sync-journals");
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 10000", "2026-00002 B 10000 10000"]);
    assert_eq!(
        all_entries(&shop),
        ["2026-00001 balanced 10000/10000 2026-00001", "2026-00002 balanced 10000/10000 2026-00002"]
    );
    assert_eq!(
        shop.rows("SELECT count(*), sum(amount_minor) FROM operations WHERE kind = 'capture' AND state = 'confirmed'"),
        ["2 17000"]
    );
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["paid", "paid"]);
    shop.ok("verify");
}

#[test]
fn what_the_authorisation_does_not_cover_is_not_billed_and_told_after_some_days() {
    let shop = shop("mail = false\n[method.shipped]\nstrategy = \"shipment\"\n");
    orders(&shop, "SHORT,100.00,C1,,\nLAPSED,10.00,C1,,\nSHIPPED,10.00,C1,,\nNEW,10.00,C1,,\nKEYED,10.00,C1,KEY,\n");
    authorised(&shop, "TX-SHORT", "SHORT", "99.99");
    shop.payments("TX-LAPSED,LAPSED,,card,EUR,authorised,10.00,2026-11-21T09:00:00Z,2026-11-21T10:00:00Z,\n");
    // Its capture waits for the shipment, and no invoice for that.
    shop.payments("TX-SHIPPED,SHIPPED,,shipped,EUR,authorised,10.00,2026-11-21T09:00:00Z,,\n");
    authorised(&shop, "TX-KEYED", "KEYED", "10.00");
    shop.ok("finalize-invoices");
    assert_eq!((invoices(&shop).len(), told(&shop).len()), (0, 0));
    shop.exits("finalize-invoices --as-of 2026-11-26T03:00:00Z", 1);
    let told_now = told(&shop);
    let expected = [
        "not_billable webshop/KEYED no entry has its `entry_assignment_key` `KEY` yet; `payjournal import entries` brings it in, and what is \
         authorised is captured for its invoice only: payment TX-KEYED over 10.00 EUR.",
        "not_billable webshop/LAPSED 0.00 EUR of 10.00 EUR is paid (`invoices.bill_when` has \"order_paid\"), and what is authorised",
        "not_billable webshop/SHORT 0.00 EUR of 100.00 EUR is paid",
    ];
    assert_eq!(told_now.len(), expected.len(), "{told_now:#?}");
    for (told, expected) in told_now.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    // With what was missing it is billed, and nothing is told any more.
    authorised(&shop, "TX-MORE", "SHORT", "0.01");
    shop.ok("finalize-invoices --as-of 2026-11-27T03:00:00Z");
    assert_eq!((invoices(&shop), told(&shop).len()), (vec!["2026-00001 SHORT 10000 0".to_owned()], 2));
    shop.ok("verify --as-of 2026-11-27T05:00:00Z");
}

#[test]
fn an_order_that_is_cancelled_after_it_was_billed_is_not_captured() {
    let shop = shop("mail = false\n");
    orders(&shop, "A,100.00,C1,,\n");
    authorised(&shop, "TX-A", "A", "100.00");
    shop.ok("finalize-invoices");
    import(&shop, "orders", "order,currency,total,ordered_on,bill_to,cancelled\nA,EUR,100.00,2026-11-15,C1,full\n");
    shop.exits("capture", 1);
    assert_eq!(shop.rows("SELECT kind FROM operations WHERE kind = 'capture'"), [""; 0]);
    let told_now = told(&shop);
    assert!(
        matches!(told_now.as_slice(), [told] if told.contains("was cancelled after it was billed") && told.contains("cancel-invoice 2026-00001")),
        "{told_now:?}"
    );
    // As the exception says: the invoice goes, what was authorised is released, and nothing is left to be told.
    shop.ok("cancel-invoice 2026-00001 --reason order-cancelled");
    shop.ok("capture");
    assert_eq!(
        shop.rows("SELECT kind, state FROM operations WHERE kind IN ('capture', 'release')"),
        ["release confirmed"]
    );
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify --against-provider");
}

#[test]
fn a_condition_that_asks_for_collected_money_is_told_where_it_is_captured_later() {
    let shop = shop("mail = false\nbill_when = [\"payment_collected\"]\n");
    orders(&shop, "A,100.00,C1,,\n");
    authorised(&shop, "TX-A", "A", "100.00");
    shop.ok("finalize-invoices");
    shop.exits("finalize-invoices --as-of 2026-11-26T03:00:00Z", 1);
    let told_now = told(&shop);
    assert_eq!(told_now.len(), 1);
    assert!(told_now[0].contains("no payment of it was collected") && told_now[0].contains("TX-A"), "{told_now:?}");
}
