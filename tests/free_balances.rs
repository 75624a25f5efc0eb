//! What a customer paid too much pays the next plain invoice of the same customer, the oldest first, once, and nothing with a key.

mod support;

use support::Shop;
use support::billing::{all_entries, collected, entries, import, invoices, orders, refunded_by_hand, shop};

/// What is free of each transaction after everything, by the books: `TX MINOR`.
fn free(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT p.transaction_id, sum(CASE j.kind WHEN 'prepayment' THEN j.amount_minor WHEN 'return' THEN j.amount_minor ELSE -j.amount_minor END)
         FROM journals j JOIN movements m ON m.id = j.movement_id JOIN payments p ON p.id = m.payment_id
         WHERE j.kind IN ('prepayment', 'application', 'return') AND j.direction = 'original' GROUP BY p.id ORDER BY p.transaction_id",
    )
}

/// What captures of one order pay of invoices of others: `TX INVOICE MINOR`.
fn elsewhere(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT p.transaction_id, d.number, j.amount_minor FROM journals j JOIN documents d ON d.id = j.document_id
         JOIN movements m ON m.id = j.movement_id JOIN payments p ON p.id = m.payment_id
         WHERE j.kind = 'application' AND j.direction = 'original' AND d.order_id <> p.order_id ORDER BY j.id",
    )
}

#[test]
fn the_oldest_free_balance_of_the_customer_pays_what_is_open_and_the_rest_stays_free() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\nB,50.00,C1,,\nOTHER,10.00,C2,,\n");
    collected(&shop, "TX-B,B,,,70.00\nTX-O,OTHER,,,500.00\n");
    // The older one came last.
    shop.payments("TX-A,A,,card,EUR,captured,130.00,2026-11-10T08:00:00Z,,2026-11-10T08:00:00Z\n");
    shop.ok("finalize-invoices");
    assert_eq!(elsewhere(&shop), [""; 0]);
    assert_eq!(free(&shop), ["TX-A 3000", "TX-B 2000", "TX-O 49000"]);
    // Two orders on account in one run: the second takes what the first has left.
    import(
        &shop,
        "orders",
        "order,currency,total,bill_to,ordered_on,terms\nD,EUR,40.00,C1,2026-11-21,on_account\nE,EUR,40.00,C1,2026-11-21,on_account\n",
    );
    import(
        &shop,
        "order-lines",
        "order,line,description,quantity,unit_price,tax_rate\nD,1,Thing,1,40.00,19\nE,1,Thing,1,40.00,19\n",
    );
    let rehearsed = shop.ok("finalize-invoices --dry-run -v").stdout;
    assert!(rehearsed.contains("free balances up to"), "{rehearsed}");
    shop.ok("finalize-invoices");
    assert_eq!(elsewhere(&shop), ["TX-A 2026-00004 3000", "TX-B 2026-00004 1000", "TX-B 2026-00005 1000"]);
    assert_eq!(invoices(&shop)[3..], ["2026-00004 D 4000 4000", "2026-00005 E 4000 1000"]);
    assert_eq!(free(&shop), ["TX-A 0", "TX-B 0", "TX-O 49000"]);
    assert_eq!(all_entries(&shop)[4], "2026-00005 open 1000/4000 2026-00005");
    // Each part is a row of the journals and one of the assignments, of one movement.
    assert_eq!(
        shop.rows(
            "SELECT count(*) FROM journals j JOIN entries e ON e.document_id = j.document_id
             JOIN assignments a ON a.entry_id = e.id AND a.movement_id = j.movement_id AND a.amount_minor = j.amount_minor
             JOIN documents d ON d.id = e.document_id WHERE d.number IN ('2026-00004', '2026-00005')"
        ),
        ["3"]
    );
    shop.ok("sync-journals");
    // What is left of the other customer's is told.
    shop.exits("capture", 1);
    shop.ok("verify --against-provider --against-erp");
    // A refund in the back office takes back what it paid, in the newest invoice first.
    refunded_by_hand(&shop, "TX-B", 1_500, "2026-11-21");
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    assert_eq!(invoices(&shop)[3..], ["2026-00004 D 4000 3500", "2026-00005 E 4000 0"]);
    shop.ok("verify --as-of 2026-11-24T03:00:00Z");
}

#[test]
fn what_is_left_of_an_order_is_its_own_where_the_rest_of_it_is_cancelled() {
    let shop = shop("");
    orders(&shop, "X,100.00,C1,,\n");
    collected(&shop, "TX-X,X,,,100.00\n");
    let cancelled = "order,currency,total,ordered_on,bill_to,cancelled\nX,EUR,100.00,2026-11-15,C1,rest\n";
    import(&shop, "orders", cancelled);
    import(&shop, "orders", "order,currency,total,bill_to,ordered_on,terms\nY,EUR,80.00,C1,2026-11-21,on_account\n");
    import(&shop, "order-lines", "order,line,description,quantity,unit_price,tax_rate\nY,1,Thing,1,80.00,19\n");
    shop.ok("finalize-invoices");
    assert_eq!(elsewhere(&shop), [""; 0]);
    assert_eq!(invoices(&shop), ["2026-00001 Y 8000 0"]);
}

#[test]
fn what_has_a_purpose_is_never_free() {
    let shop = shop("");
    orders(
        &shop,
        "OPEN,100.00,C1,,\nKEYED,10.00,C1,KEY-E,\nPREPAID,100.00,C1,,\nFOREIGN,5.00,C1,,\nLACKS,100.00,C1,,\nBACK,10.00,C1,,\n",
    );
    entries(&shop, "W-1,KEY-E,C1,10.00,\nW-2,KEY-X,C1,10.00,\n");
    // Too much for an entry with a key, for a key nobody has, and for an entry that waits.
    collected(&shop, "TX-E,,W-1,,25.00\nTX-K,,,KEY-Y,30.00\nTX-W,,W-2,,10.00\nTX-L,LACKS,,,60.00\nTX-R,BACK,,,40.00\n");
    // Paid in advance for an order that is not billed yet, as it has no lines.
    import(&shop, "orders", "order,currency,total,bill_to,ordered_on\nLATER,EUR,50.00,C1,2026-11-15\n");
    collected(&shop, "TX-P,LATER,,,50.00\n");
    // To be paid back, all of what is too much.
    shop.ok("refund-balance TX-R --amount 30.00 --reason wanted");
    shop.exits("finalize-invoices", 1);
    assert_eq!(elsewhere(&shop), [""; 0]);
    shop.ok("verify");
}

#[test]
fn no_customer_in_common_no_balance_and_a_switch_for_the_shop_and_for_one_order() {
    let paid_too_much = |more: &str, head: &str, row: &str| {
        let shop = shop(more);
        import(&shop, "orders", &format!("order,currency,total,ordered_on{head}\nA,EUR,10.00,2026-11-15{row}\n"));
        import(&shop, "order-lines", "order,line,description,quantity,unit_price,tax_rate\nA,1,Thing,1,10.00,19\n");
        collected(&shop, "TX-A,A,,,25.00\n");
        shop.ok("finalize-invoices");
        import(
            &shop,
            "orders",
            &format!(
                "order,currency,total,ordered_on{head},free_balances\nB,EUR,10.00,2026-11-15{row},\nC,EUR,10.00,2026-11-15{row},leave\n"
            ),
        );
        import(
            &shop,
            "order-lines",
            "order,line,description,quantity,unit_price,tax_rate\nB,1,Thing,1,10.00,19\nC,1,Thing,1,10.00,19\n",
        );
        shop.ok("finalize-invoices");
        shop.ok("verify");
        elsewhere(&shop).join(", ")
    };
    assert_eq!(paid_too_much("", ",bill_to", ",C1"), "TX-A 2026-00002 1000");
    assert_eq!(paid_too_much("assign_free_balances = false\n", ",bill_to", ",C1"), "");
    // Orders that name nobody are nobody's in common.
    assert_eq!(paid_too_much("", "", ""), "");
}

#[test]
fn a_free_balance_is_no_reason_to_bill_and_pays_nothing_that_is_authorised_or_being_paid() {
    let shop = shop("");
    orders(&shop, "A,10.00,C1,,\n");
    collected(&shop, "TX-A,A,,,200.00\n");
    shop.ok("finalize-invoices");
    orders(&shop, "AUTHORISED,50.00,C1,,\nPAYING,50.00,C1,,\n");
    shop.payments(
        "TX-1,AUTHORISED,,card,EUR,authorised,50.00,2026-11-21T09:00:00Z,,\nTX-2,PAYING,,card,EUR,pending,,,,\n",
    );
    shop.ok("finalize-invoices");
    assert_eq!(elsewhere(&shop), [""; 0]);
    // With the default, an order nobody has paid waits for its own money.
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    shop.write("payjournal.toml", &config.replace("bill_when = []", "bill_when = [\"order_paid\"]"));
    orders(&shop, "UNPAID,50.00,C1,,\n");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop).len(), 3);
    shop.ok("verify");
}

#[test]
fn a_cancelled_invoice_keeps_the_free_balance_for_its_order_and_a_failed_capture_opens_it_again() {
    let shop = shop("");
    orders(&shop, "A,10.00,C1,,\n");
    collected(&shop, "TX-A,A,,,40.00\n");
    shop.ok("finalize-invoices");
    orders(&shop, "B,30.00,C1,,\n");
    shop.ok("finalize-invoices");
    assert_eq!(elsewhere(&shop), ["TX-A 2026-00002 3000"]);
    shop.ok("cancel-invoice 2026-00002 --reason wrong");
    orders(&shop, "C,30.00,C1,,\n");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop)[2..], ["2026-00003 B 3000 3000", "2026-00004 C 3000 0"]);
    shop.ok("verify");
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'TX-A' AND kind = 'capture'");
    shop.run(&["sync-payments", "--as-of", "2026-11-26T03:00:00Z"]);
    assert_eq!(invoices(&shop)[2], "2026-00003 B 3000 0");
    shop.ok("verify --as-of 2026-11-26T05:00:00Z");
}
