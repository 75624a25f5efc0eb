//! An order is collected once, however often it was paid: what several payments, invoices, shipments and bank transfers would
//! take together is no more than it costs, and a person is told.

mod support;

use support::{CONFIG, Shop};

/// Ways to pay: `card` for the invoice, `parcel` for the shipment, `wallet` at once.
fn shop() -> Shop {
    let methods = "[method.card]\nstrategy = \"invoice\"\n[method.parcel]\nstrategy = \"shipment\"\n\
                   [method.wallet]\nstrategy = \"immediate\"\n";
    let shop = Shop::with(&format!("{CONFIG}{methods}"));
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop
}

fn authorised(shop: &Shop, transaction: &str, method: &str, amount: &str) {
    shop.payments(&format!("{transaction},SO-1,,{method},EUR,authorised,{amount},2026-11-16T08:00:00Z,,\n"));
}

fn posted(shop: &Shop, kind: &str, number: &str, total: &str, elsewhere: &str) {
    shop.documents(&format!("{kind},{number},SO-1,EUR,{total},{elsewhere},,2026-11-20\n"));
}

fn exceptions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved'")
}

fn captures(shop: &Shop) -> Vec<String> {
    let mut captures: Vec<String> = shop.psp_record().into_iter().filter(|row| row.starts_with("capture")).collect();
    captures.sort();
    captures
}

#[test]
fn of_two_payments_taken_at_once_the_second_waits_for_a_person() {
    let shop = shop();
    authorised(&shop, "TX-1", "wallet", "100.00");
    authorised(&shop, "TX-2", "wallet", "100.00");
    shop.exits("capture", 1);
    assert_eq!(captures(&shop), ["capture TX-1 10000"]);
    assert_eq!(exceptions(&shop), ["exceeds_order"]);
    let message = shop.rows("SELECT message FROM exceptions");
    assert!(message[0].contains("TX-2") && message[0].contains("costs 100.00 EUR"), "{message:?}");
    posted(&shop, "invoice", "R-1", "100.00", "");
    shop.ok("capture --as-of 2026-11-23T03:00:00Z");
    assert_eq!(captures(&shop), ["capture TX-1 10000"]);
}

#[test]
fn a_shipment_is_not_captured_where_its_invoice_was_paid_by_card() {
    let shop = shop();
    authorised(&shop, "TX-1", "card", "100.00");
    authorised(&shop, "TX-2", "parcel", "100.00");
    posted(&shop, "invoice", "R-1", "100.00", "");
    posted(&shop, "shipment", "S-1", "100.00", "");
    shop.exits("capture", 1);
    assert_eq!(captures(&shop), ["capture TX-1 10000"]);
    assert_eq!(exceptions(&shop), ["exceeds_order"]);
}

#[test]
fn an_invoice_waits_for_the_money_of_its_shipment() {
    let shop = shop();
    authorised(&shop, "TX-1", "card", "100.00");
    authorised(&shop, "TX-2", "parcel", "100.00");
    posted(&shop, "shipment", "A-1", "100.00", "");
    shop.ok("capture");
    posted(&shop, "invoice", "R-1", "100.00", "");
    shop.ok("capture");
    assert_eq!(captures(&shop), ["capture TX-2 10000"]);
    assert_eq!(exceptions(&shop), [""; 0]);
}

#[test]
fn a_shipment_is_not_captured_where_its_invoice_was_paid_to_the_bank() {
    let shop = shop();
    authorised(&shop, "TX-1", "parcel", "100.00");
    posted(&shop, "invoice", "R-1", "100.00", "100.00");
    posted(&shop, "shipment", "S-1", "100.00", "");
    shop.exits("capture", 1);
    assert!(captures(&shop).is_empty());
    assert_eq!(exceptions(&shop), ["exceeds_order"]);
}

#[test]
fn what_was_paid_in_part_by_other_means_is_still_completed() {
    let shop = shop();
    authorised(&shop, "TX-1", "card", "100.00");
    authorised(&shop, "TX-2", "card", "100.00");
    posted(&shop, "invoice", "R-1", "60.00", "10.00");
    posted(&shop, "invoice", "R-2", "40.00", "");
    shop.ok("capture");
    assert_eq!(captures(&shop), ["capture TX-1 4000", "capture TX-1 5000"]);
    assert_eq!(exceptions(&shop), [""; 0]);
}

#[test]
fn money_captured_beyond_an_invoiced_order_is_told() {
    let shop = shop();
    authorised(&shop, "TX-1", "wallet", "110.00");
    posted(&shop, "invoice", "R-1", "100.00", "");
    shop.exits("capture", 1);
    assert_eq!(captures(&shop), ["capture TX-1 11000"]);
    assert_eq!(exceptions(&shop), ["untied_money"]);
    assert!(shop.rows("SELECT message FROM exceptions")[0].contains("10.00 EUR more"));
}
