//! `finalize-invoices`: each order is billed once, with a number of its own, and is paid by exactly the money that is its own.

mod support;

use std::process::Stdio;

use support::Shop;
use support::billing::{
    LINES, all_entries, collected, entries, import, invoices, orders, refunded_by_hand, shop, told,
};

#[test]
fn an_entry_that_was_paid_before_becomes_the_invoice_s_and_pays_it() {
    let shop = shop("");
    orders(&shop, "A,119.00,C1,KEY-A,\n");
    entries(&shop, "WEB-1,KEY-A,C1,119.00,\n");
    // Other free money of the same customer must stay where it is (trap T47).
    collected(&shop, "TX-A,,WEB-1,,119.00\nTX-X,,,OTHER,119.00\n");
    assert_eq!(all_entries(&shop), ["WEB-1 balanced 11900/11900 -"]);
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 11900 11900"]);
    assert_eq!(all_entries(&shop), ["WEB-1 balanced 11900/11900 2026-00001"]);
    assert_eq!(shop.rows("SELECT p.transaction_id FROM journals j JOIN movements m ON m.id = j.movement_id JOIN payments p ON p.id = m.payment_id
        WHERE j.kind = 'application'"), ["TX-A"]);
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["paid"]);
    // Again, there is nothing to do.
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop).len(), 1);
    shop.ok("verify");
}

#[test]
fn a_payment_that_came_before_settles_a_new_entry_and_what_is_too_much_stays_free() {
    let shop = shop("");
    orders(&shop, "A,119.00,C1,,KEY-A\nB,50.00,C2,,KEY-B\nC,10.00,C3,,KEY-C\n");
    collected(&shop, "TX-A,,,KEY-A,119.00\nTX-B,,,KEY-B,60.00\n");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 11900 11900", "2026-00002 B 5000 5000", "2026-00003 C 1000 0"]);
    assert_eq!(
        all_entries(&shop),
        [
            "2026-00001 balanced 11900/11900 2026-00001",
            "2026-00002 balanced 5000/5000 2026-00002",
            "2026-00003 open 0/1000 2026-00003"
        ]
    );
    // A payment that comes after its invoice finds the entry by the key, and pays the invoice at once.
    collected(&shop, "TX-C,,,KEY-C,10.00\n");
    assert_eq!(invoices(&shop)[2], "2026-00003 C 1000 1000");
    assert_eq!(all_entries(&shop)[2], "2026-00003 balanced 1000/1000 2026-00003");
    shop.ok("verify");
}

#[test]
fn without_a_key_the_order_s_own_payments_pay_and_the_rest_is_captured_later() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\nB,0.00,C1,,\n");
    collected(&shop, "TX-1,A,,,30.00\n");
    shop.payments("TX-2,A,,card,EUR,authorised,70.00,2026-11-16T09:00:00Z,,\n");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 3000", "2026-00002 B 0 0"]);
    // An invoice over nothing is paid at once (trap T49).
    assert_eq!(all_entries(&shop), ["2026-00001 open 3000/10000 2026-00001", "2026-00002 balanced 0/0 2026-00002"]);
    shop.ok("sync-journals");
    shop.ok("capture");
    assert_eq!(invoices(&shop)[0], "2026-00001 A 10000 10000");
    assert_eq!(all_entries(&shop)[0], "2026-00001 balanced 10000/10000 2026-00001");
    shop.ok("verify");
}

#[test]
fn one_payment_pays_several_entries_and_several_payments_one() {
    let shop = shop("");
    orders(&shop, "A,40.00,C1,KEY-A,\nB,60.00,C1,KEY-B,\n");
    entries(&shop, "WEB-1,KEY-A,C1,40.00,\nWEB-2,KEY-B,C1,60.00,\n");
    collected(&shop, "TX-1,,WEB-1;WEB-2,,70.00\nTX-2,,WEB-2,,35.00\n");
    assert_eq!(all_entries(&shop), ["WEB-1 balanced 4000/4000 -", "WEB-2 balanced 6000/6000 -"]);
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 4000 4000", "2026-00002 B 6000 6000"]);
    // 105.00 came in for 100.00: 5.00 of the second payment is free.
    assert_eq!(
        shop.rows("SELECT sum(amount_minor) FROM postings WHERE account = 'Liabilities:Prepayments:C1'"),
        ["-500"]
    );
    shop.ok("verify");
}

#[test]
fn a_key_matches_nothing_where_anything_speaks_against_it() {
    let shop = shop("");
    orders(
        &shop,
        "TWICE,10.00,C1,KEY-1,\nCANCELLED,10.00,C1,KEY-2,\nAMOUNT,10.00,C1,KEY-3,\nCUSTOMER,10.00,C1,KEY-4,\n\
         RIVAL-1,10.00,C1,KEY-5,\nRIVAL-2,10.00,C1,KEY-5,\nPAYMENTS,10.00,C1,,KEY-6\nELSEWHERE,10.00,C1,,KEY-7\n\
         NOTYET,10.00,C1,KEY-8,\nFINE,10.00,C1,,\n",
    );
    entries(
        &shop,
        "W-1,KEY-1,C1,10.00,\nW-1b,KEY-1,C1,10.00,\nW-2,KEY-2,C1,10.00,true\nW-3,KEY-3,C1,10.01,\nW-4,KEY-4,C2,10.00,\n\
         W-5,KEY-5,C1,10.00,\n",
    );
    collected(&shop, "TX-6,,,KEY-6,10.00\nTX-6b,,,KEY-6,10.00\nTX-7,FINE,,KEY-7,10.00\n");
    shop.exits("finalize-invoices", 1);
    assert_eq!(invoices(&shop), ["2026-00001 FINE 1000 0"]);
    let told_now = told(&shop);
    let expected = [
        "key_collides webshop/PAYMENTS its `payment_assignment_key` `KEY-6` is that of payments TX-6, TX-6b",
        "key_collides webshop/RIVAL-1 shares its `entry_assignment_key` `KEY-5` with order webshop/RIVAL-2",
        "key_collides webshop/RIVAL-2 shares its `entry_assignment_key` `KEY-5` with order webshop/RIVAL-1",
        "key_collides webshop/TWICE several entries have its `entry_assignment_key` `KEY-1`: entry W-1 and entry W-1b",
        "key_mismatch webshop/AMOUNT is over 10.00 EUR, and entry W-3, which has its key, over 10.01 EUR",
        "key_mismatch webshop/CANCELLED its `entry_assignment_key` `KEY-2` is that of a cancelled entry",
        "key_mismatch webshop/CUSTOMER is billed to customer C1, and entry W-4, which has its key, is of customer C2",
        "key_mismatch webshop/ELSEWHERE payment TX-7, which has its key `KEY-7`, is for another order",
    ];
    assert_eq!(told_now.len(), expected.len(), "{told_now:#?}");
    for (told, expected) in told_now.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    // Told once; what is put right is billed, and the exception is gone.
    shop.ok("finalize-invoices");
    entries(&shop, "W-1b,KEY-1,C1,10.00,true\n");
    shop.ok("finalize-invoices");
    assert_eq!(told(&shop).len(), expected.len() - 1);
    assert_eq!(invoices(&shop).len(), 2);
    shop.ok("verify");
}

#[test]
fn what_cannot_be_billed_is_named_and_harms_no_other_order() {
    let shop = shop("tax_rates = [\"0\", \"19\"]\n");
    import(
        &shop,
        "orders",
        "order,currency,total,ordered_on\nNOLINES,EUR,10.00,2026-11-15\nRATE,EUR,10.00,2026-11-15\nSUM,EUR,10.00,2026-11-15\nFINE,JPY,300,2026-11-15\n",
    );
    import(
        &shop,
        "order-lines",
        &format!("{LINES}RATE,1,Thing,1,10.00,7\nSUM,1,Thing,3,3.33,19\nFINE,1,Thing,3,100,0\n"),
    );
    shop.exits("finalize-invoices", 1);
    assert_eq!(invoices(&shop), ["2026-00001 FINE 300 0"]);
    let told_now = told(&shop);
    let expected = [
        "not_billable webshop/NOLINES has no lines; `payjournal import order-lines` brings them in",
        "not_billable webshop/RATE line 1 has `tax_rate` 7, which is not among `invoices.tax_rates` (0, 19); correct the line or add the rate",
        "not_billable webshop/SUM its 1 lines come to 9.99 EUR with tax (gross prices), and the order's total is 10.00 EUR; correct the lines or the order",
    ];
    assert_eq!(told_now, expected);
    // The lines may change until the invoice is there, and not after.
    import(&shop, "order-lines", &format!("{LINES}SUM,2,Rounding,1,0.01,19\n"));
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop).len(), 2);
    shop.write("rows.csv", &format!("{LINES}SUM,2,Rounding,1,0.02,19\nSUM,1,Thing,3,3.33,19\nRATE,1,Thing,-1,1e3,x\n"));
    let refused = shop.exits("import order-lines rows.csv", 1).stderr;
    for part in [
        "rows.csv:2: line `2` cannot change: order `SUM` is invoiced",
        "quantity `-1` is negative; what comes back is a credit note",
        "unit_price `1e3` is not a decimal number",
        "tax_rate `x` is not a decimal number",
    ] {
        assert!(refused.contains(part), "`{part}`\n{refused}");
    }
    shop.ok("verify");
}

#[test]
fn numbers_follow_the_invoice_s_date_leave_out_the_erp_s_and_are_never_given_twice() {
    let shop = shop("number = \"R[Year][Month]-{000}\"\nnumber_reset = \"monthly\"\nnumber_start = 41\n");
    shop.documents("invoice,R202611-043,,EUR,5.00,,,2026-11-20\n");
    orders(&shop, "A,10.00,C1,,\nB,10.00,C1,,\n");
    shop.ok("finalize-invoices");
    orders(&shop, "C,10.00,C1,,\n");
    // The new month begins in the shop's zone, and the range with it.
    shop.ok("finalize-invoices --as-of 2026-12-01T00:00:00Z");
    orders(&shop, "D,10.00,C1,,\n");
    shop.ok("finalize-invoices --as-of 2026-12-01T00:00:00Z");
    assert_eq!(
        shop.rows("SELECT d.number, d.posted_on FROM invoices i JOIN documents d ON d.id = i.document_id"),
        ["R202611-042 2026-11-22", "R202611-044 2026-11-22", "R202612-042 2026-12-01", "R202612-043 2026-12-01"]
    );
    // The ERP cannot hand over what payjournal made.
    shop.write(
        "documents.csv",
        "kind,number,order,currency,total,posted_on\ninvoice,R202611-042,A,EUR,10.00,2026-11-22\n",
    );
    let refused = shop.exits("import documents documents.csv", 1).stderr;
    assert!(refused.contains("is an invoice that payjournal made"), "{refused}");
    // After a backup was restored a person says how far the numbers were given.
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    shop.write("payjournal.toml", &config.replace("number_start = 41", "number_start = 60"));
    orders(&shop, "E,10.00,C1,,\n");
    shop.ok("finalize-invoices --as-of 2026-12-01T00:00:00Z");
    assert!(invoices(&shop).contains(&"R202612-061 E 1000 0".to_owned()), "{:?}", invoices(&shop));
    shop.ok("verify --as-of 2026-12-01T00:00:00Z");
}

#[test]
fn a_capture_that_fails_a_refund_and_a_chargeback_open_the_entry_again() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\n");
    shop.payments("TX-A,A,,card,EUR,authorised,100.00,2026-11-16T09:00:00Z,,\n");
    shop.ok("finalize-invoices");
    shop.ok("capture");
    assert_eq!(all_entries(&shop), ["2026-00001 balanced 10000/10000 2026-00001"]);
    // A refund in the back office, without a credit note (rule 17).
    refunded_by_hand(&shop, "TX-A", 3_000, "2026-11-21");
    shop.exits("sync-payments", 1);
    assert_eq!(all_entries(&shop), ["2026-00001 open 7000/10000 2026-00001"]);
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'TX-A' AND kind = 'refund'");
    shop.run(&["sync-payments", "--as-of", "2026-11-24T03:00:00Z"]);
    assert_eq!(all_entries(&shop), ["2026-00001 balanced 10000/10000 2026-00001"]);
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'TX-A' AND kind = 'capture'");
    shop.run(&["sync-payments", "--as-of", "2026-11-26T03:00:00Z"]);
    assert_eq!(all_entries(&shop), ["2026-00001 open 0/10000 2026-00001"]);
    shop.ok("verify --as-of 2026-11-26T05:00:00Z");
}

/// Every capture assigns what it is over at most, whatever it is told to be for.
#[test]
fn money_of_an_entry_pays_nothing_else() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\nB,100.00,C1,,\n");
    import(&shop, "entries", "entry,order,customer,amount,currency\nE-B,B,C1,100.00,EUR\n");
    // For the entry of B, and named for A: refused; without A it is B's.
    let head = "provider,transaction,order,entries,assignment_key,authorised,method,currency,status,authorised_at,captured_at\n";
    let at = "2026-11-16T08:00:00Z";
    for (order, key, why) in [("A", "", "is of another order"), ("", "KEY", "cannot be given beside `entries`")] {
        shop.write("rows.csv", &format!("{head}psp,TX-1,{order},E-B,{key},100.00,card,EUR,captured,{at},{at}\n"));
        let refused = shop.exits("import payments rows.csv", 1).stderr;
        assert!(refused.contains(why), "{refused}");
    }
    collected(&shop, "TX-1,,E-B,,100.00\n");
    shop.ok("capture");
    // B has no key, and its own entry all the same.
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 0", "2026-00002 B 10000 10000"]);
    assert_eq!(all_entries(&shop), ["2026-00001 open 0/10000 2026-00001", "E-B balanced 10000/10000 2026-00002"]);
    shop.ok("capture");
    shop.ok("verify");
}

#[test]
fn what_nobody_would_capture_is_refused() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,KEY\n");
    let head = "provider,transaction,order,assignment_key,authorised,method,currency,status,authorised_at\n";
    let row = |order: &str| format!("{head}psp,TX-1,{order},KEY,100.00,card,EUR,authorised,2026-11-16T08:00:00Z\n");
    shop.write("rows.csv", &row(""));
    let refused = shop.exits("import payments rows.csv", 1).stderr;
    assert!(refused.contains("status `authorised` is not captured yet, and without an order"), "{refused}");
    import(&shop, "payments", &row("A"));
}

#[test]
fn what_was_paid_back_before_the_invoice_is_counted_once() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,KEY,\n");
    entries(&shop, "E,KEY,C1,100.00,\n");
    collected(&shop, "TX-1,,E,,100.00\n");
    refunded_by_hand(&shop, "TX-1", 3_000, "2026-11-21");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    assert_eq!(all_entries(&shop), ["E open 7000/10000 -"]);
    let night = "--as-of 2026-11-24T03:00:00Z";
    shop.ok(&format!("finalize-invoices {night}"));
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 7000"]);
    assert_eq!(all_entries(&shop), ["E open 7000/10000 2026-00001"]);
    shop.ok(&format!("verify {night}"));
}

#[test]
fn charged_back_money_pays_no_invoice() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\nB,50.00,C1,KEY,\n");
    entries(&shop, "E,KEY,C1,50.00,\n");
    collected(&shop, "TX-A,A,,,100.00\nTX-1,,E,,50.00\n");
    shop.ok("sandbox payout");
    shop.ok("sandbox dispute TX-A");
    shop.ok("sandbox dispute TX-1");
    shop.ok("sandbox payout");
    shop.exits("settlements", 1);
    // Paid again, by another payment.
    collected(&shop, "TX-2,,E,,50.00\n");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 0", "2026-00002 B 5000 5000"]);
    assert_eq!(
        shop.rows("SELECT p.transaction_id FROM journals j JOIN movements m ON m.id = j.movement_id JOIN payments p ON p.id = m.payment_id
                   WHERE j.kind = 'application'"),
        ["TX-2"]
    );
    shop.ok("verify");
}

#[test]
fn what_goes_back_twice_leaves_the_entry_another_payment_s_money() {
    let shop = shop("");
    entries(&shop, "E,KEY,C1,100.00,\n");
    orders(&shop, "A,100.00,C1,KEY,\n");
    collected(&shop, "TX-1,,E,,40.00\nTX-2,,E,,60.00\n");
    shop.ok("finalize-invoices");
    shop.ok("sandbox payout");
    // The bank gives it back, and a person at the PSP does, too.
    shop.ok("sandbox dispute TX-2");
    shop.ok("sandbox payout");
    shop.exits("settlements", 1);
    refunded_by_hand(&shop, "TX-2", 6_000, "2026-11-23");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    assert_eq!(all_entries(&shop), ["E open 4000/10000 2026-00001"]);
    shop.ok("sandbox dispute TX-1 --as-of 2026-11-24T03:00:00Z");
    shop.ok("sandbox payout --as-of 2026-11-24T03:00:00Z");
    shop.exits("settlements --as-of 2026-11-24T04:00:00Z", 1);
    assert_eq!(all_entries(&shop), ["E open 0/10000 2026-00001"]);
    assert_eq!(shop.rows("SELECT sum(amount_minor) FROM movements WHERE kind = 'chargeback'"), ["10000"]);
    shop.ok("verify --as-of 2026-11-24T05:00:00Z");
}

#[test]
fn an_order_whose_money_went_back_is_not_billed_and_its_own_money_counts_beside_a_key() {
    let shop = Shop::with(&format!("{}\n[invoices]\nenabled = true\nmail = false\n", support::CONFIG));
    orders(&shop, "A,100.00,C1,,\nB,100.00,C2,,KEY-B\nC,10.00,C3,,KEY-C\n");
    collected(&shop, "TX-A,A,,,100.00\nTX-B,B,,,100.00\nTX-C,,,KEY-C,10.00\n");
    // A second payment with the key that was refused is none.
    shop.write(
        "rows.csv",
        "provider,transaction,assignment_key,method,currency,status\npsp,TX-C0,KEY-C,card,EUR,refused\n",
    );
    shop.ok("import payments rows.csv");
    refunded_by_hand(&shop, "TX-A", 10_000, "2026-11-21");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    let night = "--as-of 2026-11-24T03:00:00Z";
    shop.ok(&format!("finalize-invoices {night}"));
    assert_eq!(invoices(&shop), ["2026-00001 B 10000 10000", "2026-00002 C 1000 1000"]);
    // The ERP cannot bill it once more.
    shop.write("documents.csv", "kind,number,order,currency,total,posted_on\ninvoice,ERP-B,B,EUR,100.00,2026-11-22\n");
    let refused = shop.exits("import documents documents.csv", 1).stderr;
    assert!(refused.contains("was billed by payjournal"), "{refused}");
    shop.ok(&format!("verify {night}"));
}

#[test]
fn only_what_the_config_lets_through_is_billed() {
    let rows = "OPEN,10.00,C1,KEY-1,\nPAID,10.00,C1,KEY-2,\nCOLLECTED,10.00,C1,,KEY-3\nPLAIN,10.00,C1,,\n";
    let billed = |condition: &str| {
        let shop = Shop::with(&format!("{}\n[invoices]\nenabled = true\nmail = false\n{condition}\n", support::CONFIG));
        orders(&shop, rows);
        entries(&shop, "W-1,KEY-1,C1,10.00,\nW-2,KEY-2,C1,10.00,\n");
        collected(&shop, "TX-1,,W-1,,4.00\nTX-2,,W-2,,10.00\nTX-3,,,KEY-3,10.00\n");
        shop.ok("finalize-invoices");
        shop.rows("SELECT o.number FROM invoices i JOIN orders o ON o.id = i.order_id").join(" ")
    };
    assert_eq!(billed("bill_when = []"), "COLLECTED OPEN PAID PLAIN");
    assert_eq!(billed(""), "COLLECTED PAID");
    assert_eq!(billed("bill_when = [\"entry_balanced\"]"), "PAID");
    assert_eq!(billed("bill_when = [\"payment_collected\"]"), "COLLECTED OPEN PAID");
    assert_eq!(billed("bill_when = [\"payment_collected\", \"entry_balanced\"]"), "PAID");
}

#[test]
fn an_order_that_the_erp_bills_is_left_alone_and_without_the_switch_nothing_runs() {
    let with = shop("");
    orders(&with, "A,10.00,C1,,\n");
    with.documents("invoice,ERP-1,A,EUR,10.00,,,2026-11-20\n");
    with.ok("finalize-invoices");
    assert_eq!(invoices(&with), [""; 0]);
    let without = Shop::new();
    orders(&without, "A,10.00,C1,,\n");
    let refused = without.exits("finalize-invoices", 3).stderr;
    assert!(refused.contains("`invoices.enabled` is not true"), "{refused}");
}

#[test]
fn a_dry_run_says_what_would_be_billed_and_why_the_rest_would_not() {
    let shop = Shop::with(&format!(
        "{}\n[invoices]\nenabled = true\nmail = false\nbill_when = [\"entry_balanced\"]\n",
        support::CONFIG
    ));
    orders(&shop, "A,10.00,C1,KEY-A,\nB,10.00,C1,KEY-B,\n");
    entries(&shop, "W-A,KEY-A,C1,10.00,\nW-B,KEY-B,C1,10.00,\n");
    collected(&shop, "TX-A,,W-A,,10.00\nTX-B,,W-B,,4.00\n");
    let document = shop.json("finalize-invoices --dry-run");
    let rows = document["steps"].as_array().unwrap();
    let said: Vec<String> =
        rows.iter().map(|row| format!("{} {} {}", row["about"], row["action"], row["reason"])).collect();
    assert_eq!(
        said,
        [
            "\"webshop/A\" \"invoice\" \"1 line, 10.00 EUR of its entry tied to it: paid\"",
            "\"webshop/B\" \"leave\" \"entry W-B has 6.00 EUR open (`invoices.bill_when` has \\\"entry_balanced\\\")\"",
        ]
    );
    assert_eq!(invoices(&shop), [""; 0]);
    assert_eq!(shop.rows("SELECT * FROM number_counters"), [""; 0]);
}

#[test]
fn what_has_no_counterpart_is_left_over() {
    let shop = shop("");
    shop.documents("invoice,ERP-1,,EUR,5.00,,,2026-10-20\n");
    orders(&shop, "A,10.00,C1,,\nB,10.00,C1,KEY-B,\nC,10.00,C1,KEY-B,\n");
    entries(&shop, "W-1,KEY-1,C1,7.00,\n");
    collected(&shop, "TX-A,A,,,14.00\nTX-1,,W-1,,7.00\n");
    shop.exits("finalize-invoices", 1);
    let of = |line: &str| -> Vec<String> {
        let document = shop.json(line);
        let rows = document["leftovers"].as_array().unwrap().clone();
        rows.iter().map(|row| format!("{} {} {}", row["what"], row["amount"]["amount"], row["age_days"])).collect()
    };
    assert_eq!(
        of("leftovers"),
        [
            "\"payment TX-1\" \"7.00\" 6",
            "\"payment TX-A\" \"4.00\" 6",
            "\"invoice ERP-1\" \"5.00\" 33",
            "\"entry W-1\" \"7.00\" 6",
            "\"entry key KEY-B of orders webshop/B, webshop/C\" null null",
        ]
    );
    assert_eq!(of("leftovers --older-than 30").len(), 2);
    let table = shop.ok("leftovers --older-than 30").stdout;
    assert!(table.contains("invoice without money") && table.contains("key used twice"), "{table}");
}

/// Killed before and after every commit: the next run ends where an undisturbed one does.
#[test]
fn killed_anywhere_the_next_run_ends_the_same() {
    let template = shop("");
    orders(&template, "A,119.00,C1,KEY-A,\nB,50.00,C2,,KEY-B\nC,10.00,C3,,\n");
    entries(&template, "WEB-1,KEY-A,C1,119.00,\n");
    collected(&template, "TX-A,,WEB-1,,119.00\nTX-B,,,KEY-B,60.00\nTX-C,C,,,4.00\n");
    let end = |shop: &Shop| {
        (invoices(shop), all_entries(shop), shop.rows("SELECT account, sum(amount_minor) FROM (
        SELECT account, amount_minor FROM postings UNION ALL SELECT account, amount_minor FROM invoice_postings) GROUP BY account"))
    };
    let copy = |from: &Shop| {
        let to = Shop::new();
        support::copy(&from.path, &to.path);
        to
    };
    let undisturbed = copy(&template);
    let log = undisturbed.path.join("moments");
    let status = undisturbed.command(&["finalize-invoices"]).env("PAYJOURNAL_KILL_LOG", &log).status().unwrap();
    assert!(status.success());
    let moments = std::fs::read_to_string(&log).unwrap().lines().count();
    assert!(moments >= 8, "{moments} moments");
    let expected = end(&undisturbed);
    for moment in 1..=moments {
        let shop = copy(&template);
        let killed = shop
            .command(&["finalize-invoices"])
            .env("PAYJOURNAL_KILL_AT", moment.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!killed.success(), "moment {moment} is not reached");
        shop.ok("finalize-invoices");
        assert_eq!(end(&shop), expected, "killed at {moment}");
        shop.ok("verify");
    }
}

#[test]
fn money_that_names_what_is_cancelled_is_told_with_both_sides() {
    let shop = shop("");
    orders(&shop, "A,10.00,C1,KEY-A,\nB,20.00,C1,,KEY-B\n");
    entries(&shop, "W-1,KEY-A,C1,10.00,true\nW-2,KEY-2,C1,5.00,\n");
    collected(&shop, "TX-1,,W-1,,10.00\nTX-2,,W-1;W-2,,15.00\n");
    let expected = "key_mismatch payment TX-1 10.00 EUR was captured for entry W-1, which is cancelled: it pays nothing by itself. \
                    `payjournal refund-balance TX-1` pays it back";
    // The other one has an entry that stands: what is too much for it is free, and told.
    let spare = "untied_money payment psp/TX-2 10.00 EUR more was captured for entry W-1 and entry W-2 than is open of them: it pays \
                 nothing by itself. `payjournal refund-balance TX-2 --amount 10.00` pays it back";
    assert_eq!(told(&shop), [expected, spare]);
    assert_eq!(all_entries(&shop), ["W-1 cancelled 0/1000 -", "W-2 balanced 500/500 -"]);
    // An invoice that was cancelled, by number and by key: B is billed again under its key, and takes the money then.
    shop.exits("finalize-invoices", 1);
    shop.ok("cancel-invoice 2026-00001 --reason wrong");
    let at = "2026-11-16T08:00:00Z";
    let head = "provider,transaction,pays,assignment_key,authorised,method,currency,status,authorised_at,captured_at\n";
    shop.write("rows.csv", &format!("{head}psp,TX-3,2026-00001,,20.00,card,EUR,captured,{at},{at}\npsp,TX-4,,KEY-B,20.00,card,EUR,captured,{at},{at}\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.ok("import payments rows.csv");
    let named: Vec<String> =
        told(&shop).into_iter().filter(|told| told.starts_with("key_mismatch payment TX-")).collect();
    assert_eq!(named.len(), 2, "{named:#?}");
    assert!(
        named[1]
            .starts_with("key_mismatch payment TX-3 20.00 EUR was captured for invoice 2026-00001, which is cancelled"),
        "{named:#?}"
    );
    shop.exits("finalize-invoices", 0);
    assert_eq!(invoices(&shop)[1], "2026-00002 B 2000 2000");
    // The order is cancelled: nothing will be billed by the key again.
    shop.ok("cancel-invoice 2026-00002 --reason wrong");
    shop.write("rows.csv", "order,currency,total,ordered_on,cancelled\nB,EUR,20.00,2026-11-15,full\n");
    shop.ok("import orders rows.csv");
    collected(&shop, "TX-5,,,KEY-B,20.00\n");
    assert!(
        told(&shop).iter().any(|told| told.starts_with("key_mismatch payment TX-5 20.00 EUR was captured for entry")),
        "{:#?}",
        told(&shop)
    );
    shop.ok("verify");
}

#[test]
fn an_order_that_was_raised_after_its_entry_was_paid_is_told() {
    let shop = Shop::with(&format!("{}\n[invoices]\nenabled = true\nmail = false\n", support::CONFIG));
    orders(&shop, "A,119.00,C1,K1,\n");
    entries(&shop, "WEB-1,K1,C1,119.00,\n");
    collected(&shop, "TX-A,,WEB-1,,119.00\n");
    orders(&shop, "A,150.00,C1,K1,\n");
    shop.exits("finalize-invoices", 1);
    let why = told(&shop).concat();
    assert!(why.contains("key_mismatch") && why.contains("150.00 EUR") && why.contains("119.00 EUR"), "{why}");
    orders(&shop, "A,119.00,C1,K1,\n");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 11900 11900"]);
    assert_eq!(told(&shop), [""; 0]);
}

#[test]
fn what_comes_before_the_erp_knows_that_it_is_open_again_pays_the_invoice_later() {
    let shop = shop("");
    entries(&shop, "E-1,KEY-A,C1,119.00,\n");
    orders(&shop, "A,119.00,C1,KEY-A,\n");
    collected(&shop, "TX-1,A,E-1,,119.00\n");
    shop.ok("finalize-invoices");
    shop.ok("sync-journals");
    // Somebody gives it back, and the customer pays again before the line of that is delivered.
    refunded_by_hand(&shop, "TX-1", 11_900, "2026-11-21");
    shop.exits("sync-payments", 1);
    collected(&shop, "TX-2,A,E-1,,119.00\n");
    assert_eq!(all_entries(&shop), ["E-1 balanced 11900/11900 2026-00001"]);
    assert_eq!(invoices(&shop), ["2026-00001 A 11900 0"]);
    shop.ok("sync-journals");
    shop.run(&["capture"]);
    assert_eq!(invoices(&shop), ["2026-00001 A 11900 11900"]);
    assert_eq!(told(&shop).len(), 1, "only the refund: {:?}", told(&shop));
    shop.ok("verify");
}
