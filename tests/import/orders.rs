//! Orders: what is new, what may still change, what never does.

use payjournal::domain::order::{Cancellation, PaymentStatus, Terms};

use super::desk::Desk;

const HEADER: &str = "order,currency,total,terms,prepayment_percent,cancelled,bill_to,ordered_on\n";

fn file(rows: &[&str]) -> String {
    format!("{HEADER}{}\n", rows.join("\n"))
}

#[test]
fn terms_become_what_the_domain_makes_of_them() {
    let mut desk = Desk::new();
    let told = desk.orders(file(&[
        "A,EUR,10,,,,,2026-11-20",
        "B,EUR,10,on_account,,,,2026-11-20",
        "C,EUR,10,prepayment,12.5,,,2026-11-20",
        "D,EUR,10,prepayment,0,,,2026-11-20",
        "E,EUR,10,prepayment,100,,,2026-11-20",
    ]));
    told.done("orders: 5 new, 0 changed, 0 unchanged");
    let standing = |number| {
        let order = desk.order(number);
        (order.terms, order.payment_status)
    };
    assert_eq!(standing("A"), (Terms::Online, PaymentStatus::New));
    assert_eq!(standing("B"), (Terms::OnAccount, PaymentStatus::Paid));
    assert_eq!(standing("C"), (Terms::Prepayment { basis_points: 1_250 }, PaymentStatus::New));
    assert_eq!(standing("D"), (Terms::OnAccount, PaymentStatus::Paid));
    assert_eq!(standing("E"), (Terms::Online, PaymentStatus::New));
}

#[test]
fn the_same_file_again_changes_nothing() {
    let mut desk = Desk::new();
    let text = file(&["A,EUR,10,prepayment,30,rest,K1,2026-11-20", "B,JPY,1500,,,,,2026-11-20"]);
    desk.orders(&text).done("orders: 2 new, 0 changed, 0 unchanged");
    let before = (desk.order("A"), desk.order("B"));
    desk.orders(&text).done("orders: 0 new, 0 changed, 2 unchanged");
    assert_eq!((desk.order("A"), desk.order("B")), before);
}

#[test]
fn an_empty_cell_leaves_a_known_order_as_it_is() {
    let mut desk = Desk::new();
    desk.orders(file(&["A,EUR,10,prepayment,30,rest,K1,2026-11-20"]));
    desk.orders("order,currency,total,ordered_on\nA,EUR,10,2026-11-20\n").done("orders: 0 new, 0 changed, 1 unchanged");
    assert_eq!((desk.order("A").bill_to.as_str(), desk.order("A").cancelled), ("K1", Cancellation::Rest));
}

#[test]
fn total_customer_and_cancellation_may_change() {
    let mut desk = Desk::new();
    desk.orders(file(&["A,EUR,10,,,none,K1,2026-11-20"]));
    desk.orders(file(&["A,EUR,12.5,,,rest,K2,2026-11-20"])).done("orders: 0 new, 1 changed, 0 unchanged");
    let order = desk.order("A");
    assert_eq!((order.total.minor(), order.cancelled, order.bill_to.as_str()), (1_250, Cancellation::Rest, "K2"));
}

#[test]
fn what_never_changes_is_refused_with_both_values() {
    let mut desk = Desk::new();
    desk.orders(file(&["A,EUR,10,prepayment,30,full,K1,2026-11-20"]));
    let before = desk.order("A");
    desk.orders(file(&["A,USD,10,prepayment,40,rest,K1,2026-11-21"])).refused(&[
        "orders.csv:2: currency `USD` differs from `EUR` in the ledger; it never changes",
        "orders.csv:2: terms `prepayment of 40.00 %` differs from `prepayment of 30.00 %` in the ledger; it never changes",
        "orders.csv:2: ordered_on `2026-11-21` differs from `2026-11-20` in the ledger; it never changes",
        "orders.csv:2: cancelled `rest` cannot take back `full`: a cancelled order stays cancelled",
    ]);
    assert_eq!(desk.order("A"), before);
}

#[test]
fn a_fully_invoiced_order_keeps_its_total_and_customer() {
    let mut desk = Desk::new();
    desk.orders(file(&["A,EUR,10,,,,K1,2026-11-20"]));
    let documents = "kind,number,order,currency,total,posted_on\ninvoice,1,A,EUR,4,2026-11-20\n";
    desk.documents(documents).done("documents: 1 new, 0 changed, 0 unchanged");
    desk.orders(file(&["A,EUR,11,,,,K2,2026-11-20"])).done("orders: 0 new, 1 changed, 0 unchanged");
    desk.documents("kind,number,order,currency,total,posted_on\ninvoice,2,A,EUR,7,2026-11-20\n");
    desk.orders(file(&["A,EUR,12,,,,K3,2026-11-20"])).refused(&[
        "orders.csv:2: total `12.00` cannot replace `11.00`: the order is fully invoiced",
        "orders.csv:2: bill_to `K3` cannot replace `K2`: the order is fully invoiced",
    ]);
    desk.orders(file(&["A,EUR,11,,,rest,K2,2026-11-20"])).done("orders: 0 new, 1 changed, 0 unchanged");
}

#[test]
fn two_rows_about_one_order_must_agree() {
    let mut desk = Desk::new();
    desk.orders(file(&["A,EUR,10,,,,,2026-11-20", "A,EUR,10,,,,,2026-11-20"]))
        .done("orders: 1 new, 0 changed, 1 unchanged");
    let told = desk.orders(file(&["A,EUR,11,,,,,2026-11-20", "B,EUR,1,,,,,2026-11-20", "A,EUR,12,,,,,2026-11-20"]));
    told.refused(&["orders.csv:4: order `A` is in line 2 already, with other values"]);
    assert_eq!(desk.order("A").total.minor(), 1_000);
}

#[test]
fn shops_have_their_own_numbers() {
    let mut desk = Desk::new();
    let told = desk.orders("shop,order,currency,total,ordered_on\n,A,EUR,1,2026-11-20\nother,A,EUR,2,2026-11-20\n");
    told.done("orders: 2 new, 0 changed, 0 unchanged");
    assert_eq!(desk.ledger.orders_numbered("A").unwrap().len(), 2);
}
