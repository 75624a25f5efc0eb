//! Payments: from the page the customer left to money collected before payjournal knew of it.

use payjournal::domain::id::DocumentNumber;
use payjournal::domain::order::PaymentStatus;
use payjournal::domain::payment::TransactionStatus;

use super::desk::Desk;

const HEADER: &str =
    "provider,transaction,order,pays,method,currency,status,authorised,authorised_at,captured_at,capture_id\n";

fn file(rows: &[&str]) -> String {
    format!("{HEADER}{}\n", rows.join("\n"))
}

/// With the orders A and B over 10 EUR and the invoices 1 (of A), 2 and 3 (USD).
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.orders("order,currency,total,ordered_on\nA,EUR,10,2026-11-20\nB,EUR,10,2026-11-20\n");
    desk.documents(
        "kind,number,order,currency,total,posted_on\n\
         invoice,1,A,EUR,10,2026-11-20\ninvoice,2,,EUR,5,2026-11-20\ninvoice,3,,USD,5,2026-11-20\n",
    );
    desk
}

const AUTHORISED: &str = "psp,T1,A,,card,EUR,authorised,10,2026-11-20T10:00:00+01:00,,";
const CAPTURED: &str = "psp,T1,A,,card,EUR,captured,10,2026-11-20T10:00:00+01:00,2026-11-20T23:30:00Z,C1";

#[test]
fn an_authorised_payment_puts_its_order_in_progress() {
    let mut desk = desk();
    desk.payments(file(&[AUTHORISED])).done("payments: 1 new, 0 changed, 0 unchanged");
    let payment = desk.payment("T1");
    assert_eq!((payment.status, payment.authorised.to_string().as_str()), (TransactionStatus::Authorised, "10.00 EUR"));
    assert_eq!(payment.merchant_account.as_str(), "ShopDE");
    assert_eq!(payment.authorised_at.unwrap().to_rfc3339(), "2026-11-20T09:00:00+00:00");
    assert_eq!(desk.order("A").payment_status, PaymentStatus::InProgress);
    desk.payments(file(&[AUTHORISED])).done("payments: 0 new, 0 changed, 1 unchanged");
}

#[test]
fn money_collected_already_is_recorded_and_booked_once() {
    let mut desk = desk();
    desk.payments(file(&[CAPTURED])).done("payments: 1 new, 0 changed, 0 unchanged");
    for _ in 0..2 {
        let payment = desk.payment("T1");
        let movements = desk.ledger.movements_of_payment(payment.id).unwrap();
        assert_eq!(movements.len(), 1);
        assert_eq!((movements[0].modification.as_str(), movements[0].amount.minor()), ("C1", 1_000));
        assert_eq!(payment.captured.minor(), 1_000);
        assert_eq!(desk.order("A").payment_status, PaymentStatus::Paid);
        desk.payments(file(&[CAPTURED])).done("payments: 0 new, 0 changed, 1 unchanged");
    }
}

#[test]
fn an_import_moves_a_payment_forward_from_what_the_shop_knew_only() {
    let mut desk = desk();
    let open = "psp,T1,A,,card,EUR,,,,,";
    desk.payments(file(&[open])).done("payments: 1 new, 0 changed, 0 unchanged");
    assert_eq!(desk.order("A").payment_status, PaymentStatus::New);
    desk.payments(file(&["psp,T1,A,,card,EUR,pending,,,,"])).done("payments: 0 new, 1 changed, 0 unchanged");
    desk.payments(file(&[open])).done("payments: 0 new, 0 changed, 1 unchanged");
    desk.payments(file(&[AUTHORISED])).done("payments: 0 new, 1 changed, 0 unchanged");
    assert_eq!(desk.payment("T1").authorised.minor(), 1_000);
    // From here on the PSP's own word counts.
    for row in [CAPTURED, "psp,T1,A,,card,EUR,refused,,,,"] {
        desk.payments(file(&[row])).done("payments: 0 new, 0 changed, 1 unchanged");
        assert_eq!(desk.payment("T1").status, TransactionStatus::Authorised);
    }
}

#[test]
fn a_new_authorised_amount_is_history_and_an_old_file_does_not_undo_it() {
    let mut desk = desk();
    desk.payments(file(&[AUTHORISED]));
    let more = AUTHORISED.replace(",10,", ",12.50,");
    desk.payments(file(&[&more])).done("payments: 0 new, 1 changed, 0 unchanged");
    assert_eq!(desk.payment("T1").authorised.minor(), 1_250);
    desk.payments(file(&[AUTHORISED])).done("payments: 0 new, 0 changed, 1 unchanged");
    assert_eq!(desk.payment("T1").authorised.minor(), 1_250);
}

#[test]
fn a_payment_of_invoices_belongs_to_the_first_order_among_them() {
    let mut desk = desk();
    desk.payments(file(&["psp,T1,,2;1,card,EUR,,,,,"])).done("payments: 1 new, 0 changed, 0 unchanged");
    let payment = desk.payment("T1");
    assert_eq!(payment.order, Some(desk.order("A").id));
    assert_eq!(payment.pays.iter().map(DocumentNumber::as_str).collect::<Vec<_>>(), ["2", "1"]);
    desk.payments(file(&["psp,T2,,2,card,EUR,,,,,"])).done("payments: 1 new, 0 changed, 0 unchanged");
    assert_eq!(desk.payment("T2").order, None);
    desk.payments(file(&["psp,T2,B,,card,EUR,,,,,"])).done("payments: 0 new, 1 changed, 0 unchanged");
    assert_eq!(desk.payment("T2").order, Some(desk.order("B").id));
    desk.payments(file(&["psp,T3,unknown,1,card,EUR,,,,,"])).done("payments: 1 new, 0 changed, 0 unchanged");
    assert_eq!(desk.payment("T3").order, Some(desk.order("A").id));
}

#[test]
fn every_slip_in_a_payments_file_is_told() {
    let mut desk = desk();
    desk.payments(file(&[
        "pps,T1,A,,card,EUR,,,,,",
        "psp,T2,,,card,EUR,,,,,",
        "psp,T3,Z,,card,EUR,,,,,",
        "psp,T4,A,,card,USD,,,,,",
        "psp,T5,,1;9;1,card,EUR,,,,,",
        "psp,T6,,3,card,EUR,,,,,",
        "psp,T7,A,,card,EUR,authorized,10,2026-11-20T10:00:00Z,,",
        "psp,T8,A,,card,EUR,authorised,,2026-11-20 10:00,,C1",
        "psp,T9,A,,card,EUR,captured,0,2026-11-20T10:00:00Z,,",
        "psp,T10,A,,card,EUR,open,10,,,",
        "psp,T11,,1;;2,,EUR,released,,,,",
    ]))
    .refused(&[
        "payments.csv:2: provider `pps` is not configured as a provider; did you mean `psp`?",
        "payments.csv:3: order or `pays`, `entries` or `assignment_key` is required, but all are empty",
        "payments.csv:4: order `Z` is not known in shop `shop.example`; import orders first",
        "payments.csv:5: currency `USD` is not the currency of order `A`, EUR",
        "payments.csv:6: pays `1;9;1` names invoice `1` twice",
        "payments.csv:7: currency `EUR` is not the currency of invoice `3`, USD",
        "payments.csv:8: status `authorized` is not one of open, pending, authorised, captured, refused, cancelled, expired; \
         did you mean `authorised`?",
        "payments.csv:9: authorised_at `2026-11-20 10:00` is not a time with its zone, such as 2026-11-22T14:00:00+01:00",
        "payments.csv:9: authorised is required when status is authorised or captured, but empty",
        "payments.csv:9: capture_id `C1` is only for rows where status is captured",
        "payments.csv:10: captured_at is required when status is captured, but empty",
        "payments.csv:10: authorised `0` cannot be zero when status is captured",
        "payments.csv:11: authorised `10` is only for rows where status is authorised or captured",
        "payments.csv:12: pays `1;;2` holds an invoice number that is empty",
        "payments.csv:12: method is required, but empty",
        "payments.csv:12: status `released` is not one of open, pending, authorised, captured, refused, cancelled, expired",
    ]);
    desk.payments(file(&["psp,T5,,1;9,card,EUR,,,,,"])).refused(&[
        "payments.csv:2: pays `1;9` names invoice `9`, which company `MAIN` does not have; import documents first",
    ]);
}

#[test]
fn the_identity_of_a_payment_is_fixed() {
    let mut desk = desk();
    desk.payments(file(&["psp,T1,A,1,card,EUR,,,,,"]));
    desk.payments(file(&["psp,T1,B,2,paypal,EUR,,,,,"])).refused(&[
        "payments.csv:2: order `B` is not the order the ledger has for this payment; it never changes",
        "payments.csv:2: method `paypal` differs from `card` in the ledger; it never changes",
        "payments.csv:2: pays `2` differs from `1` in the ledger; it never changes",
    ]);
    let other = "provider,merchant_account,transaction,order,method,currency\npsp,ShopAT,T9,A,card,EUR\n";
    desk.payments(other)
        .refused(&["payments.csv:2: merchant_account `ShopAT` is not the account of provider `psp`, `ShopDE`"]);
}

#[test]
fn one_capture_is_the_money_of_one_payment() {
    let mut desk = desk();
    let second = CAPTURED.replace("T1", "T2");
    desk.payments(file(&[CAPTURED, &second]))
        .refused(&["payments.csv:3: capture_id `C1` is the capture of another payment already"]);
    assert!(desk.ledger.payments_with_transaction("T1").unwrap().is_empty());
    assert_eq!(desk.order("A").payment_status, PaymentStatus::New, "all of it was undone");
}

#[test]
fn two_rows_about_one_payment_must_agree() {
    let told = desk().payments(file(&["psp,T1,A,,card,EUR,,,,,", AUTHORISED]));
    told.refused(&["payments.csv:3: transaction `T1` is in line 2 already, with other values"]);
}
