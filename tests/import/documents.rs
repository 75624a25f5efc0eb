//! Documents: posted once, fixed from then on except for what was paid elsewhere.

use payjournal::domain::order::PaymentStatus;

use super::desk::Desk;

const HEADER: &str = "kind,number,order,bill_to,currency,total,paid_elsewhere,references,posted_on\n";

fn file(rows: &[&str]) -> String {
    format!("{HEADER}{}\n", rows.join("\n"))
}

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.orders("order,currency,total,bill_to,ordered_on\nA,EUR,10,K1,2026-11-20\nB,EUR,10,,2026-11-20\n");
    desk
}

#[test]
fn each_kind_goes_in_and_the_customer_is_the_orders_unless_named() {
    let mut desk = desk();
    let text = file(&[
        "invoice,1,A,,EUR,10,,,2026-11-20",
        "invoice,2,A,K2,EUR,1,0.50,,2026-11-20",
        "credit_note,3,,,EUR,2,,not-yet-known,2026-11-21",
        "shipment,4,A,,EUR,10,,,2026-11-19",
    ]);
    desk.documents(&text).done("documents: 4 new, 0 changed, 0 unchanged");
    let customer = |number| desk.document(number).bill_to.to_string();
    assert_eq!((customer("1"), customer("2"), customer("3")), ("K1".to_owned(), "K2".to_owned(), "WEB".to_owned()));
    assert_eq!(desk.document("3").references.unwrap().as_str(), "not-yet-known");
    assert_eq!(desk.document("2").outstanding().unwrap().minor(), 50);
    desk.documents(&text).done("documents: 0 new, 0 changed, 4 unchanged");
}

#[test]
fn only_what_was_paid_elsewhere_moves() {
    let mut desk = desk();
    desk.documents(file(&["invoice,1,A,K1,EUR,10,,,2026-11-20", "credit_note,1,A,K1,EUR,10,,X,2026-11-20"]));
    desk.documents(file(&["invoice,1,A,,EUR,10,12,,2026-11-20"])).done("documents: 0 new, 1 changed, 0 unchanged");
    let documents = desk.ledger.documents_numbered("1").unwrap();
    assert_eq!(documents[0].paid_elsewhere.minor(), 1_200, "overpaid is a fact");
    desk.documents(file(&["credit_note,1,B,K2,EUR,11,,Y,2026-11-21"])).refused(&[
        "documents.csv:2: order `B` is not the order the ledger has for this document; it never changes",
        "documents.csv:2: total `11.00` differs from `10.00` in the ledger; it never changes",
        "documents.csv:2: bill_to `K2` differs from `K1` in the ledger; it never changes",
        "documents.csv:2: references `Y` differs from `X` in the ledger; it never changes",
        "documents.csv:2: posted_on `2026-11-21` differs from `2026-11-20` in the ledger; it never changes",
    ]);
}

#[test]
fn every_slip_in_a_documents_file_is_told() {
    let mut desk = desk();
    desk.documents(file(&[
        "Invoice,1,,,EUR,10,,,2026-11-20",
        "shipment,2,,,EUR,10,,,2026-11-20",
        "shipment,3,Z,,EUR,10,,,2026-11-20",
        "invoice,4,A,,USD,10,,,2026-11-20",
        "invoice,5,A,,EUR,,,X,2026-11-20",
        "invoice,6,A,,EUR,10,-1,,2026-11-20",
        "invoice,7,A,,EUR,10,,,2026-11-20",
        "invoice,7,A,,EUR,11,,,2026-11-20",
    ]))
    .refused(&[
        "documents.csv:2: kind `Invoice` is not one of invoice, credit_note, shipment; did you mean `invoice`?",
        "documents.csv:3: order is required for a shipment, but empty",
        "documents.csv:4: order `Z` is not known in shop `shop.example`; import orders first",
        "documents.csv:5: currency `USD` is not the currency of order `A`, EUR",
        "documents.csv:6: total is required, but empty",
        "documents.csv:6: references `X` is only for credit notes",
        "documents.csv:7: paid_elsewhere `-1` is negative",
        "documents.csv:9: number `7` is in line 8 already, with other values",
    ]);
}

#[test]
fn an_invoice_of_a_cancelled_rest_settles_the_order_it_was_paid_for() {
    let mut desk = desk();
    desk.payments(
        "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n\
         psp,T1,A,card,EUR,captured,4,2026-11-20T10:00:00Z,2026-11-20T10:00:00Z\n",
    );
    assert_eq!(desk.order("A").payment_status, PaymentStatus::InProgress);
    desk.documents(file(&["invoice,1,A,,EUR,4,,,2026-11-20"]));
    desk.orders("order,currency,total,cancelled,ordered_on\nA,EUR,10,rest,2026-11-20\n");
    assert_eq!(desk.order("A").payment_status, PaymentStatus::Paid);
}
