//! Free money goes back when a person says so: once, no more than is free, and nothing else takes it meanwhile.

#![expect(clippy::indexing_slicing, reason = "in a test a panic is the report")]

mod support;

use std::process::Stdio;

use support::Shop;
use support::billing::{all_entries, collected, entries, import, invoices, orders, refunded_by_hand, shop, told};

fn ask(shop: &Shop, payment: &str, amount: &str) -> String {
    let line = if amount.is_empty() { String::new() } else { format!(" --amount {amount}") };
    let done = shop.json(&format!("refund-balance {payment}{line} --reason why"));
    let field = |name: &str| done["done"][name].as_str().unwrap_or_default().to_owned();
    format!("{} {}", field("request"), done["done"]["amount"]["amount"].as_str().unwrap_or_default())
}

fn prepayments(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT account, sum(amount_minor) FROM postings WHERE account LIKE '%Prepayments%' GROUP BY account HAVING sum(amount_minor) <> 0")
}

#[test]
fn what_was_paid_too_much_goes_back_once() {
    let shop = shop("");
    orders(&shop, "A,50.00,C1,,KEY-A\n");
    collected(&shop, "TX-A,,,KEY-A,60.00\n");
    shop.ok("finalize-invoices");
    shop.exits("capture", 1);
    assert!(
        told(&shop)[0].contains("`payjournal refund-balance TX-A --amount 10.00` pays it back"),
        "{:?}",
        told(&shop)
    );
    let refused = |line: &str, why: &str| {
        let said = shop.exits(line, 2).stderr;
        assert!(said.contains(why), "{line}: {said}");
    };
    refused("refund-balance TX-A --amount 10.01 --reason x", "10.00 EUR of payment TX-A is free");
    refused("refund-balance TX-A --amount 1.001 --reason x", "--amount 1.001");
    refused("refund-balance TX-A --amount 0 --reason x", "10.00 EUR of payment TX-A is free");
    refused("refund-balance TX-Z --reason x", "the ledger knows no payment `TX-Z`");
    assert_eq!(ask(&shop, "TX-A", "4.00"), "RB-2026-00001 4.00");
    // What is asked for is free no more.
    assert_eq!(ask(&shop, "TX-A", ""), "RB-2026-00002 6.00");
    refused("refund-balance TX-A --reason x", "0.00 EUR of payment TX-A is free");
    shop.ok("capture");
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 6000", "refund TX-A 400", "refund TX-A 600"]);
    assert_eq!(prepayments(&shop), [""; 0]);
    assert_eq!(invoices(&shop), ["2026-00001 A 5000 5000"]);
    assert_eq!(all_entries(&shop), ["2026-00001 balanced 5000/5000 2026-00001"]);
    for task in ["refunds", "capture", "sync-payments", "sync-journals", "refunds"] {
        shop.ok(task);
    }
    assert_eq!(shop.psp_record().len(), 3);
    shop.ok("verify --against-provider --against-erp");
    refused("refund-balance --withdraw RB-2026-00001", "nothing of it is left");
    let shown = shop.ok("show payment TX-A").stdout;
    assert!(shown.contains("refund request RB-2026-00001"), "{shown}");
}

#[test]
fn what_is_asked_for_pays_no_invoice_until_it_is_withdrawn() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\n");
    collected(&shop, "TX-A,A,,,100.00\n");
    assert_eq!(ask(&shop, "TX-A", "30.00"), "RB-2026-00001 30.00");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 7000"]);
    shop.ok("refund-balance --withdraw RB-2026-00001");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    shop.ok("verify");
}

#[test]
fn money_of_an_entry_or_an_invoice_is_not_free_and_that_of_a_cancelled_one_is() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,KEY-A,\nB,40.00,C2,,\n");
    entries(&shop, "WEB-1,KEY-A,C1,100.00,\n");
    collected(&shop, "TX-A,,WEB-1,,100.00\nTX-B,B,,,40.00\n");
    let refused = |payment: &str| {
        let said = shop.exits(&format!("refund-balance {payment} --reason x"), 2).stderr;
        assert!(said.contains("0.00 EUR of payment"), "{said}");
    };
    refused("TX-A");
    shop.ok("finalize-invoices");
    refused("TX-A");
    refused("TX-B");
    import(&shop, "orders", "order,currency,total,ordered_on,cancelled\nB,EUR,40.00,2026-11-15,full\n");
    shop.ok("cancel-invoice 2026-00002 --reason returned");
    assert_eq!(ask(&shop, "TX-B", ""), "RB-2026-00001 40.00");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000", "capture TX-B 4000", "refund TX-B 4000"]);
    assert_eq!(prepayments(&shop), [""; 0]);
    shop.ok("capture");
    shop.ok("sync-journals");
    shop.ok("verify --against-provider --against-erp");
}

#[test]
fn a_refund_by_hand_after_the_request_holds_it() {
    let shop = shop("");
    orders(&shop, "A,50.00,C1,,\n");
    collected(&shop, "TX-A,A,,,60.00\n");
    shop.ok("finalize-invoices");
    assert_eq!(ask(&shop, "TX-A", ""), "RB-2026-00001 10.00");
    refunded_by_hand(&shop, "TX-A", 1_000, "2026-11-22");
    let night = "--as-of 2026-11-23T02:00:00Z";
    shop.exits(&format!("refunds {night}"), 1);
    shop.run(&["refunds", "--as-of", "2026-11-23T03:00:00Z"]);
    assert_eq!(shop.psp_record(), ["capture TX-A 6000", "refund TX-A 1000"]);
    assert!(
        told(&shop).concat().contains("withdraw it (`payjournal refund-balance --withdraw RB-2026-00001`)"),
        "{:?}",
        told(&shop)
    );
    shop.ok(&format!("refund-balance --withdraw RB-2026-00001 {night}"));
    shop.ok("refunds --as-of 2026-11-23T04:00:00Z");
    assert_eq!(shop.psp_record().len(), 2);
}

#[test]
fn a_refund_by_hand_that_nobody_had_heard_of_holds_the_request() {
    let shop = shop("");
    orders(&shop, "A,60.00,C1,,\n");
    collected(&shop, "TX-A,A,,,100.00\n");
    shop.ok("finalize-invoices");
    refunded_by_hand(&shop, "TX-A", 2_000, "2026-11-22");
    ask(&shop, "TX-A", "20.00");
    shop.exits("refunds", 1);
    shop.run(&["refunds", "--as-of", "2026-11-22T03:00:00Z"]);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000", "refund TX-A 2000"]);
    // Withdrawn, nothing about it is left to be looked at.
    shop.ok("refund-balance --withdraw RB-2026-00001 --as-of 2026-11-22T04:00:00Z");
    assert!(!told(&shop).concat().contains("RB-2026"), "{:?}", told(&shop));
}

#[test]
fn killed_anywhere_it_goes_back_once() {
    let template = Shop::with(&format!(
        "{}[task_defaults]\nconcurrency = 1\n[invoices]\nenabled = true\nmail = false\nbill_when = []\n",
        support::CONFIG
    ));
    orders(&template, "A,50.00,C1,,\n");
    collected(&template, "TX-A,A,,,60.00\n");
    template.ok("finalize-invoices");
    ask(&template, "TX-A", "4.00");
    ask(&template, "TX-A", "6.00");
    let copy = || {
        let to = Shop::new();
        support::copy(&template.path, &to.path);
        to
    };
    let undisturbed = copy();
    let log = undisturbed.path.join("moments");
    let run = undisturbed.command(&["refunds"]).env("PAYJOURNAL_KILL_LOG", &log).status();
    assert!(run.is_ok_and(|status| status.success()));
    let moments = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    assert!(moments >= 8, "{moments} moments");
    for moment in 1..=moments {
        let shop = copy();
        let mut killed = shop.command(&["refunds"]);
        killed.env("PAYJOURNAL_KILL_AT", moment.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(killed.status().is_ok_and(|status| !status.success()), "moment {moment} is not reached");
        // A call without an answer is asked about by the next run, and sent by it or the one after.
        for hour in [3, 4, 5] {
            shop.run(&["refunds", "--as-of", &format!("2026-11-22T0{hour}:00:00Z")]);
        }
        assert_eq!(shop.psp_record(), ["capture TX-A 6000", "refund TX-A 400", "refund TX-A 600"], "moment {moment}");
        shop.ok("verify --as-of 2026-11-22T06:00:00Z");
    }
}

/// A simulated shop waited for ever (seeds 2530, 3396, 5033): its order was paid, and its entry was not.
#[test]
fn what_is_paid_back_by_hand_takes_what_is_free_first_and_what_is_free_fills_the_entry() {
    let shop = shop("");
    entries(&shop, "E-1,KEY-1,C1,100.00,\n");
    collected(&shop, "TX-1,,E-1,,60.00\nTX-2,,E-1,,80.00\n");
    refunded_by_hand(&shop, "TX-2", 3000, "2026-11-17");
    shop.exits("sync-payments", 1);
    assert_eq!(all_entries(&shop), ["E-1 balanced 10000/10000 -"]);
    // Of the other one all is the entry's.
    shop.sandbox(
        "INSERT INTO modifications VALUES ('BO-2', 'Shop', 'TX-1', 'refund', 1000, 'by hand, too', 'confirmed',
           '2026-11-18T01:00:00+00:00', '2026-11-18T01:00:00+00:00')",
    );
    shop.exits("sync-payments --as-of 2026-11-24T02:00:00Z", 1);
    assert_eq!(all_entries(&shop), ["E-1 balanced 10000/10000 -"]);
    assert_eq!(
        shop.rows("SELECT p.transaction_id, sum(a.amount_minor) FROM assignments a JOIN movements m ON m.id = a.movement_id JOIN payments p ON p.id = m.payment_id GROUP BY 1"),
        ["TX-1 5000", "TX-2 5000"]
    );
    orders(&shop, "A,100.00,C1,KEY-1,\n");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 10000"]);
    assert_eq!(prepayments(&shop), [""; 0]);
    shop.ok("verify");
}

/// What a request is to pay back is not there for an entry.
#[test]
fn what_is_paid_back_by_hand_beside_a_request_takes_from_the_entry() {
    let shop = shop("");
    entries(&shop, "E-1,KEY-1,C1,60.00,\n");
    collected(&shop, "TX-1,,E-1,,100.00\n");
    assert_eq!(ask(&shop, "TX-1", ""), "RB-2026-00001 40.00");
    refunded_by_hand(&shop, "TX-1", 3000, "2026-11-17");
    shop.exits("sync-payments", 1);
    assert_eq!(all_entries(&shop), ["E-1 open 3000/6000 -"]);
    shop.ok("verify");
}

/// Nor is what a cancellation gave back for its order's next invoice.
#[test]
fn what_waits_for_the_next_invoice_of_an_order_fills_no_other_entry() {
    let shop = shop("");
    entries(&shop, "E-1,KEY-1,C1,100.00,\nE-2,KEY-2,C1,60.00,\n");
    collected(&shop, "TX-1,,E-1,,60.00\nTX-2,,E-1;E-2,,100.00\n");
    orders(&shop, "B,60.00,C1,KEY-2,\n");
    shop.ok("finalize-invoices");
    shop.ok("cancel-invoice 2026-00001 --reason x");
    refunded_by_hand(&shop, "TX-1", 3000, "2026-11-17");
    shop.exits("sync-payments", 1);
    assert!(all_entries(&shop).contains(&"E-1 open 7000/10000 -".to_owned()), "{:?}", all_entries(&shop));
    shop.ok("finalize-invoices");
    assert!(invoices(&shop).contains(&"2026-00002 B 6000 6000".to_owned()), "{:?}", invoices(&shop));
    shop.ok("verify");
}

#[test]
fn it_leaves_the_account_it_came_to_before_anybody_knew_whose_it_is() {
    let shop = shop("");
    collected(&shop, "TX-A,,,KEY-A,60.00\n");
    orders(&shop, "A,50.00,C1,,KEY-A\n");
    shop.ok("finalize-invoices");
    assert_eq!(prepayments(&shop), ["Liabilities:Prepayments:CASH -1000"]);
    ask(&shop, "TX-A", "");
    shop.ok("refunds");
    assert_eq!(prepayments(&shop), [""; 0]);
    shop.ok("verify --against-provider");
}
