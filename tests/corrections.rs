//! What was invoiced can be taken back: once, whole or in part, with the money where it belongs, and billed anew.

#![expect(clippy::indexing_slicing, reason = "in a test a panic is the report")]

mod support;

use support::Shop;
use support::billing::{all_entries, collected, entries, import, invoices, orders, refunded_by_hand, shop, told};

/// Sums of accounts that are not zero, in minor units, without the customer's clearing details.
fn balances(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT account, sum(amount_minor) FROM (
           SELECT account, amount_minor FROM postings UNION ALL SELECT account, amount_minor FROM invoice_postings)
         GROUP BY account HAVING sum(amount_minor) <> 0 ORDER BY account",
    )
}

/// `NUMBER OUTSTANDING` of all documents, by the ledger's own figures once everything is delivered.
fn outstanding(shop: &Shop) -> Vec<String> {
    shop.ok("sync-journals");
    shop.rows(
        "SELECT d.number, d.total_minor - d.paid_elsewhere_minor
           - (SELECT ifnull(sum(CASE WHEN (direction = 'original') = (kind NOT IN ('reopening', 'returned_refund')) THEN amount_minor ELSE -amount_minor END), 0)
              FROM journals j WHERE j.document_id = d.id)
         FROM documents d ORDER BY d.id",
    )
}

fn cancel(shop: &Shop, number: &str) -> String {
    let done = shop.json(&format!("cancel-invoice {number} --reason wrong"));
    let field = |name: &str| done["done"][name].as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} {}",
        field("cancellation"),
        done["done"]["returned"]["amount"].as_str().unwrap_or_default(),
        field("order")
    )
}

#[test]
fn a_cancelled_invoice_is_billed_again_with_the_money_of_its_key() {
    let shop = shop("");
    orders(&shop, "A,119.00,C1,KEY-A,\nB,50.00,C2,,KEY-B\nC,30.00,C3,,\n");
    entries(&shop, "WEB-1,KEY-A,C1,119.00,\n");
    collected(&shop, "TX-A,,WEB-1,,119.00\nTX-B,,,KEY-B,50.00\nTX-C,C,,,30.00\n");
    shop.ok("finalize-invoices");
    let before = balances(&shop);
    for (number, expected) in [
        ("2026-00001", "C-2026-11-22-001 119.00 webshop/A"),
        ("2026-00002", "C-2026-11-22-002 50.00 webshop/B"),
        ("2026-00003", "C-2026-11-22-003 30.00 webshop/C"),
    ] {
        assert_eq!(cancel(&shop, number), expected);
    }
    // Nothing is sold and nothing is owed; the money is the customers'.
    assert_eq!(
        balances(&shop),
        [
            "Assets:PSP:psp:Shop:EUR 19900",
            "Liabilities:Prepayments:C1 -11900",
            "Liabilities:Prepayments:C3 -3000",
            "Liabilities:Prepayments:CASH -5000"
        ]
    );
    assert!(outstanding(&shop).iter().all(|line| line.ends_with(" 0")), "{:?}", outstanding(&shop));
    assert!(all_entries(&shop).iter().all(|entry| entry.contains("cancelled 0/")), "{:?}", all_entries(&shop));
    shop.ok("verify");
    // What is cancelled is not captured, refunded or cancelled again.
    for task in ["capture", "refunds", "sync-payments"] {
        shop.ok(task);
    }
    let again = shop.exits("cancel-invoice 2026-00001 --reason again", 2);
    assert!(again.stderr.contains("was cancelled by C-2026-11-22-001"), "{}", again.stderr);
    // What was wrong can be corrected now; the next run bills each once more, and the books stand as they stood.
    import(&shop, "order-lines", "order,line,description,quantity,unit_price,tax_rate\nA,1,Better thing,1,119.00,19\n");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop)[3..], ["2026-00004 A 11900 11900", "2026-00005 B 5000 5000", "2026-00006 C 3000 3000"]);
    assert_eq!(balances(&shop), before);
    assert_eq!(
        shop.rows("SELECT key, status FROM entries WHERE key IS NOT NULL"),
        ["KEY-A balanced", "KEY-A cancelled"]
    );
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop).len(), 6);
    // And once more: each generation has the money of the one before.
    cancel(&shop, "2026-00004");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop)[6], "2026-00007 A 11900 11900");
    assert_eq!(balances(&shop), before);
    outstanding(&shop);
    shop.ok("verify --against-provider --against-erp");
    let books = shop.ok("export --format csv").stdout;
    assert_eq!(books.matches(",cancellation,original,cancellation,C-2026-11-22-").count(), 4 * 3, "{books}");
}

#[test]
fn a_second_payment_with_a_key_that_is_settled_is_told() {
    let shop = shop("");
    orders(&shop, "A,50.00,C1,,KEY-A\n");
    collected(&shop, "TX-A,,,KEY-A,50.00\n");
    shop.ok("finalize-invoices");
    collected(&shop, "TX-B,,,KEY-A,50.00\n");
    assert_eq!(invoices(&shop), ["2026-00001 A 5000 5000"]);
    let told = told(&shop);
    assert!(told.len() == 1 && told[0].contains("`payjournal refund-balance TX-B` pays it back"), "{told:?}");
    shop.ok("refund-balance TX-B --reason twice");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 5000", "capture TX-B 5000", "refund TX-B 5000"]);
    shop.ok("verify");
}

#[test]
fn an_order_that_is_cancelled_too_is_not_billed_again_and_its_money_is_left_over() {
    let shop = shop("");
    orders(&shop, "A,119.00,C1,,\n");
    collected(&shop, "TX-A,A,,,119.00\n");
    shop.ok("finalize-invoices");
    import(&shop, "orders", "order,currency,total,ordered_on,cancelled\nA,EUR,119.00,2026-11-15,full\n");
    cancel(&shop, "2026-00001");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop).len(), 1);
    let left = shop.json("leftovers");
    let found: Vec<&str> = left["leftovers"].as_array().unwrap().iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(found, ["money_without_invoice"]);
    let shown = shop.ok("show document 2026-00001").stdout;
    assert!(shown.contains("C-2026-11-22-001") && shown.contains("wrong"), "{shown}");
}

#[test]
fn what_failed_or_went_back_after_all_leaves_both_documents_cleared() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\nB,80.00,C2,,\n");
    collected(&shop, "TX-A,A,,,100.00\nTX-B,B,,,80.00\n");
    shop.ok("finalize-invoices");
    // Somebody pays a part of B back before it is cancelled: what is there is what goes back to the account.
    refunded_by_hand(&shop, "TX-B", 3_000, "2026-11-21");
    shop.exits("sync-payments", 1);
    assert_eq!(outstanding(&shop), ["2026-00001 0", "2026-00002 3000"]);
    cancel(&shop, "2026-00001");
    assert_eq!(cancel(&shop, "2026-00002"), "C-2026-11-22-002 50.00 webshop/B");
    assert_eq!(
        balances(&shop),
        ["Assets:PSP:psp:Shop:EUR 15000", "Liabilities:Prepayments:C1 -10000", "Liabilities:Prepayments:C2 -5000"]
    );
    shop.ok("verify");
    // The capture of A fails after all: nothing is there any more, and nobody owes anything.
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'TX-A'");
    shop.run(&["sync-payments", "--as-of", "2026-11-24T03:00:00Z"]);
    assert_eq!(balances(&shop), ["Assets:PSP:psp:Shop:EUR 5000", "Liabilities:Prepayments:C2 -5000"]);
    assert!(outstanding(&shop).iter().all(|line| line.ends_with(" 0")), "{:?}", outstanding(&shop));
    shop.ok("verify");
}

#[test]
fn what_cannot_be_taken_back_says_why() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.documents("invoice,ERP-1,SO-1,EUR,10.00,,,2026-11-20\n");
    let refused = |line: &str, why: &str| {
        let said = shop.exits(line, 2).stderr;
        assert!(said.contains(why), "{line}: {said}");
    };
    refused("cancel-invoice ERP-1 --reason x", "was not made by payjournal");
    refused("cancel-invoice NOPE --reason x", "the ledger knows no document `NOPE`");
    let empty = shop.run(&["cancel-invoice", "ERP-1", "--reason", " "]);
    assert!(empty.code == Some(2) && empty.stderr.contains("--reason cannot be empty"), "{}", empty.stderr);
    orders(&shop, "A~capture:confirm-late,100.00,C1,,\n");
    shop.payments("TX-A,A~capture:confirm-late,,card,EUR,authorised,100.00,2026-11-16T09:00:00Z,,\n");
    shop.ok("finalize-invoices");
    shop.run(&["capture"]);
    refused("cancel-invoice 2026-00001 --reason x", "has no final answer");
    assert_eq!(shop.rows("SELECT count(*) FROM corrections"), ["0"]);
}

fn credit(shop: &Shop, line: &str) -> String {
    let done = shop.json(&format!("credit-note {line} --reason returned"));
    let amount = |name: &str| done["done"][name]["amount"].as_str().unwrap_or_default().to_owned();
    let number = done["done"]["credit_note"].as_str().unwrap_or_default();
    format!("{number} {} {} {}", amount("total"), amount("applied"), amount("to_pay_back"))
}

#[test]
fn credited_lines_go_back_once_through_the_payment_that_paid_them() {
    let shop = shop("");
    orders(&shop, "A,119.00,C1,,\n");
    let lines = "order,line,description,quantity,unit_price,tax_rate\n";
    import(&shop, "order-lines", &format!("{lines}A,1,Beans,3,33.00,7\nA,2,Cup,1,20.00,19\n"));
    collected(&shop, "TX-A,A,,,119.00\n");
    shop.ok("finalize-invoices");
    assert_eq!(credit(&shop, "2026-00001 --line 1=1"), "G-2026-11-22-001 33.00 0.00 33.00");
    let refused = |line: &str, why: &str| {
        let said = shop.exits(line, 2).stderr;
        assert!(said.contains(why), "{line}: {said}");
    };
    refused("credit-note 2026-00001 --line 1=2.5 --reason x", "at most 2 of line 1 can be credited");
    refused("credit-note 2026-00001 --line 3 --reason x", "it has no line 3");
    refused("credit-note 2026-00001 --line 1=x --reason x", "write LINE or LINE=QUANTITY");
    refused("cancel-invoice 2026-00001 --reason x", "credit note G-2026-11-22-001 has taken back a part of it");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 11900", "refund TX-A 3300"]);
    // The rest, to the cent; and then nothing is left.
    assert_eq!(credit(&shop, "2026-00001"), "G-2026-11-22-002 86.00 0.00 86.00");
    refused("credit-note 2026-00001 --reason x", "nothing is left of it");
    for task in ["refunds", "sync-journals", "refunds", "capture", "finalize-invoices", "sync-payments"] {
        shop.ok(task);
    }
    assert_eq!(shop.psp_record().len(), 3);
    assert_eq!(balances(&shop), [""; 0]);
    // The invoice stays paid (rule 17).
    assert_eq!(outstanding(&shop), ["2026-00001 0", "G-2026-11-22-001 0", "G-2026-11-22-002 0"]);
    assert_eq!(all_entries(&shop), ["2026-00001 balanced 11900/11900 2026-00001"]);
    shop.ok("verify --against-provider --against-erp");
}

#[test]
fn what_is_open_is_credited_first_and_captured_no_more() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\nB,80.00,C2,,\n");
    shop.payments("TX-A,A,,card,EUR,authorised,100.00,2026-11-16T09:00:00Z,,\n");
    import(&shop, "order-lines", "order,line,description,quantity,unit_price,tax_rate\nA,1,Thing,4,25.00,19\n");
    collected(&shop, "TX-B,B,,,50.00\n");
    shop.ok("finalize-invoices");
    assert_eq!(credit(&shop, "2026-00001 --line 1=1"), "G-2026-11-22-001 25.00 25.00 0.00");
    // 30.00 of B is open: that first, the rest goes back.
    assert_eq!(credit(&shop, "2026-00002"), "G-2026-11-22-002 80.00 30.00 50.00");
    shop.ok("capture");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 7500", "capture TX-B 5000", "refund TX-B 5000", "release TX-A 2500"]);
    assert!(outstanding(&shop).iter().all(|line| line.ends_with(" 0")), "{:?}", outstanding(&shop));
    assert_eq!(
        all_entries(&shop),
        ["2026-00001 balanced 7500/10000 2026-00001", "2026-00002 balanced 5000/8000 2026-00002"]
    );
    shop.ok("verify");
}

/// What a hostile reviewer found.
#[test]
fn a_credit_note_for_a_cancelled_invoice_pays_nothing_out() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\n");
    collected(&shop, "TX-A,A,,,100.00\n");
    shop.ok("finalize-invoices");
    shop.ok("cancel-invoice 2026-00001 --reason wrong");
    shop.documents("credit_note,ERP-CN-1,A,EUR,100.00,,2026-00001,2026-11-22\n");
    shop.exits("refunds", 1);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert!(told(&shop)[0].contains("2026-00001, which was cancelled"), "{:?}", told(&shop));
}

#[test]
fn what_a_cancellation_freed_waits_for_its_own_order() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,KEY-A,\nB,100.00,C2,,\n");
    entries(&shop, "E-1,KEY-A,C1,100.00,\n");
    collected(&shop, "TX,,E-1,,100.00\n");
    shop.ok("finalize-invoices");
    cancel(&shop, "2026-00001");
    shop.ok("capture");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 10000", "2026-00002 B 10000 0", "2026-00003 A 10000 10000"]);
    // The entry in its place has a name to be paid by.
    assert_eq!(shop.rows("SELECT reference FROM entries"), ["2026-00002", "E-1", "E-1/2"]);
    shop.ok("verify");
}

#[test]
fn a_refund_from_before_the_cancellation_that_fails_is_the_customer_s_again() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,,\n");
    collected(&shop, "TX-A,A,,,100.00\n");
    shop.ok("finalize-invoices");
    refunded_by_hand(&shop, "TX-A", 1_000, "2026-11-21");
    shop.exits("sync-payments", 1);
    assert_eq!(cancel(&shop, "2026-00001"), "C-2026-11-22-001 90.00 webshop/A");
    shop.ok("verify");
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE id = 'BO-1'");
    shop.run(&["sync-payments", "--as-of", "2026-11-24T03:00:00Z"]);
    assert_eq!(balances(&shop), ["Assets:PSP:psp:Shop:EUR 10000", "Liabilities:Prepayments:C1 -10000"]);
    shop.ok("verify --as-of 2026-11-24T04:00:00Z");
    shop.ok("finalize-invoices --as-of 2026-11-24T05:00:00Z");
    assert_eq!(invoices(&shop)[1], "2026-00002 A 10000 10000");
}

#[test]
fn many_small_parts_are_no_more_than_the_line_and_a_discount_belongs_to_its_lines() {
    let shop = shop("");
    orders(&shop, "A,1.50,C1,,\nB,90.00,C2,,\n");
    let lines = "order,line,description,quantity,unit_price,tax_rate\n";
    import(
        &shop,
        "order-lines",
        &format!("{lines}A,1,Screw,100,0.015,19\nB,1,Thing,1,100.00,19\nB,2,Discount,1,-10.00,19\n"),
    );
    collected(&shop, "TX-A,A,,,1.50\nTX-B,B,,,90.00\n");
    shop.ok("finalize-invoices");
    let part = ["credit-note", "2026-00001", "--line", "1=1", "--reason", "back"];
    let parts = (0..100).take_while(|_| shop.run(&part).code == Some(0)).count();
    let over = shop.exits("credit-note 2026-00001 --line 1=1 --reason back", 2).stderr;
    assert!(parts < 75 && over.contains("the lines come to 0.00 EUR"), "{parts}: {over}");
    shop.ok("credit-note 2026-00001 --reason back");
    assert_eq!(shop.rows("SELECT sum(total_minor) FROM documents WHERE kind = 'credit_note'"), ["150"]);
    let alone = shop.exits("credit-note 2026-00002 --line 1 --reason back", 2).stderr;
    assert!(alone.contains("the lines come to 100.00 EUR, and only 90.00 EUR of it is left"), "{alone}");
    assert!(credit(&shop, "2026-00002").ends_with(" 90.00 0.00 90.00"));
    shop.ok("verify");
}

#[test]
fn a_credit_note_clears_what_opens_its_invoice_again() {
    let shop = shop("");
    orders(&shop, "A,80.00,C1,,\nB,100.00,C2,,\n");
    collected(&shop, "TX-A,A,,,80.00\nTX-B,B,,,100.00\n");
    shop.ok("finalize-invoices");
    credit(&shop, "2026-00001");
    credit(&shop, "2026-00002");
    // The capture of A fails before anything goes back: nobody owes anything. B is paid back by hand.
    shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'TX-A'");
    refunded_by_hand(&shop, "TX-B", 10_000, "2026-11-22");
    let at = |hour: u32| format!("--as-of 2026-11-24T0{hour}:00:00Z");
    shop.exits(&format!("sync-payments {}", at(1)), 1);
    shop.exits(&format!("refunds {}", at(2)), 1);
    assert!(told(&shop).concat().contains("`payjournal credit-note --clear G-2026-11-22-002`"), "{:?}", told(&shop));
    shop.ok(&format!("credit-note --clear G-2026-11-22-002 {}", at(3)));
    assert_eq!(shop.exits(&format!("credit-note --clear G-2026-11-22-002 {}", at(3)), 2).code, Some(2));
    for task in ["refunds", "capture", "sync-journals"] {
        shop.ok(&format!("{task} {}", at(4)));
    }
    assert_eq!(balances(&shop), [""; 0]);
    assert!(outstanding(&shop).iter().all(|line| line.ends_with(" 0")), "{:?}", outstanding(&shop));
    shop.ok(&format!("verify {}", at(5)));
}

/// A person credits an invoice while `capture` is asking the PSP about others: what was read of it before is not what it is, and
/// nothing is taken for it. Whoever comes first, money and note never cross.
#[test]
fn an_invoice_that_is_credited_while_capture_runs_is_not_captured() {
    let shop = shop("");
    let mut rows = String::new();
    let mut payments = "provider,transaction,order,method,currency,status,authorised,authorised_at\n".to_owned();
    for number in ["0", "1", "2", "3", "4", "5"] {
        rows.extend(["O", number, ",100.00,C1,,\n"]);
        payments.extend(["psp,TX-O", number, ",O", number, ",card,EUR,authorised,100.00,2026-11-16T08:00:00Z\n"]);
    }
    orders(&shop, &rows);
    shop.write("payments.csv", &payments);
    shop.ok("sandbox authorise payments.csv");
    shop.ok("import payments payments.csv");
    shop.ok("finalize-invoices");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    let slow = config.replace("merchant_account = \"Shop\"\n", "merchant_account = \"Shop\"\nlatency_ms = 250\n");
    shop.write("payjournal.toml", &format!("{slow}\n[task.capture]\nconcurrency = 2\n"));
    let mut running = shop.command(&["capture"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    shop.write("payjournal.toml", &config);
    let credited = shop.run(&["credit-note", "2026-00006", "--reason", "x"]).code == Some(0);
    assert!(running.wait().unwrap().success());
    let taken = shop.psp_record().contains(&"capture TX-O5 10000".to_owned());
    assert!(credited != taken, "credited: {credited}, taken: {taken}");
    shop.ok("verify");
}

#[test]
fn a_payment_that_names_an_entry_comes_again_after_its_order_was_billed_again() {
    let shop = shop("");
    orders(&shop, "A,119.00,C1,KEY-A,\n");
    entries(&shop, "WEB-1,KEY-A,C1,119.00,\n");
    let row = "TX-A,,WEB-1,,119.00\n";
    collected(&shop, row);
    shop.ok("finalize-invoices");
    cancel(&shop, "2026-00001");
    shop.ok("finalize-invoices");
    // The new entry is the order's doing, and not what the payment names.
    shop.ok("import payments payments.csv");
    assert_eq!(invoices(&shop)[1], "2026-00002 A 11900 11900");
    assert_eq!(all_entries(&shop), ["WEB-1 cancelled 0/11900 2026-00001", "WEB-1/2 balanced 11900/11900 2026-00002"]);
}

#[test]
fn an_invoice_is_cancelled_whose_entry_was_paid_paid_back_and_paid_again() {
    let shop = shop("");
    orders(&shop, "A,100.00,C1,KEY-A,\n");
    entries(&shop, "WEB-1,KEY-A,C1,100.00,\n");
    collected(&shop, "TX-A,,WEB-1,,100.00\n");
    refunded_by_hand(&shop, "TX-A", 10_000, "2026-11-20");
    shop.exits("sync-payments", 1);
    collected(&shop, "TX-B,,WEB-1,,100.00\n");
    shop.ok("finalize-invoices");
    assert_eq!(cancel(&shop, "2026-00001"), "C-2026-11-22-001 100.00 webshop/A");
    assert_eq!(all_entries(&shop), ["WEB-1 cancelled 0/10000 2026-00001"]);
    shop.ok("verify");
    shop.ok("finalize-invoices");
    assert_eq!(invoices(&shop)[1], "2026-00002 A 10000 10000");
    shop.ok("verify");
}

#[test]
fn all_money_for_the_cancelled_entry_pays_the_next_invoice() {
    let shop = shop("");
    entries(&shop, "E-1,K-1,C1,100.00,\n");
    orders(&shop, "A,100.00,C1,K-1,\n");
    collected(&shop, "T-1,,E-1,,50.00\nT-2,,E-1,,80.00\n");
    shop.ok("finalize-invoices");
    shop.ok("cancel-invoice 2026-00001 --reason wrong");
    refunded_by_hand(&shop, "T-1", 2_000, "2026-11-22");
    shop.exits("sync-payments --as-of 2026-11-23T02:00:00Z", 1);
    shop.run(&["finalize-invoices", "--as-of", "2026-11-23T03:00:00Z"]);
    // 30.00 of T-1 are left, and of T-2 what the first invoice had not needed is used as well.
    assert_eq!(invoices(&shop), ["2026-00001 A 10000 10000", "2026-00002 A 10000 10000"]);
    shop.ok("verify --as-of 2026-11-23T04:00:00Z");
}

#[test]
fn the_erp_hands_over_again_what_went_with_its_invoice() {
    let shop = shop("");
    orders(&shop, "A,119.00,C1,KEY-A,\n");
    entries(&shop, "WEB-1,KEY-A,C1,119.00,false\nWEB-2,KEY-B,C2,5.00,true\n");
    shop.ok("finalize-invoices");
    cancel(&shop, "2026-00001");
    let before = all_entries(&shop);
    entries(&shop, "WEB-1,KEY-A,C1,119.00,false\n");
    assert_eq!(all_entries(&shop), before);
    // What the ERP had cancelled itself it does not take back.
    shop.write("again.csv", "entry,assignment_key,customer,amount,cancelled,currency\nWEB-2,KEY-B,C2,5.00,false,EUR\n");
    let refused = shop.exits("import entries again.csv", 1).stderr;
    assert!(refused.contains("a cancelled entry stays cancelled"), "{refused}");
}
