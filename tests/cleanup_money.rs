//! `cleanup-unpaid` against the customer who pays after all: at every gate the order stays, and after them its money is never silent.

mod support;

use support::Shop;
use support::cleanup::{deleted, import, not_eligible, orders, page, payments, shop, stock, told};

fn status(shop: &Shop, number: &str) -> String {
    shop.rows(&format!("SELECT payment_status FROM orders WHERE number = '{number}'")).concat()
}

fn sends(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, state FROM operations WHERE kind <> 'mail'")
}

/// The customer pays before the run, and nobody here knows.
#[test]
fn paid_before_the_question_and_unknown_here_it_stays() {
    let shop = shop("");
    let link = page(&shop, "SO-1");
    shop.ok(&format!("sandbox pay {link}"));
    assert_eq!(status(&shop, "SO-1"), "new");
    shop.ok("cleanup-unpaid");
    // What was learnt is recorded as `sync-payments` records it.
    assert_eq!((deleted(&shop), status(&shop, "SO-1")), (Vec::new(), "paid".to_owned()));
    assert_eq!(shop.rows("SELECT assigned_minor, status FROM entries"), ["11900 balanced"]);
    assert_eq!((sends(&shop), stock(&shop)), (Vec::new(), Vec::new()));
    shop.ok("verify --against-provider");
}

/// The PSP has said that it is unpaid, and the customer pays before it is closed: it cannot be closed any more.
#[test]
fn paid_between_the_answer_and_the_closing_it_stays() {
    let shop = shop("");
    page(&shop, "SO-1~look:paid-meanwhile");
    page(&shop, "SO-2");
    shop.ok("cleanup-unpaid");
    assert_eq!(
        (deleted(&shop), status(&shop, "SO-1~look:paid-meanwhile")),
        (vec!["SO-2".to_owned()], "paid".to_owned())
    );
    assert_eq!(sends(&shop), ["cancel confirmed", "cancel refused", "delete confirmed"]);
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify --against-provider");
}

/// He pays while the call that closes the page is under way.
#[test]
fn paid_while_it_is_closed_it_stays() {
    let shop = shop("");
    page(&shop, "SO-1~cancel:paid-meanwhile");
    shop.ok("cleanup-unpaid");
    assert_eq!((deleted(&shop), status(&shop, "SO-1~cancel:paid-meanwhile")), (Vec::new(), "paid".to_owned()));
    assert_eq!(sends(&shop), ["cancel refused"]);
    shop.ok("verify --against-provider");
}

/// The PSP has closed it, and a payment that was on its way goes through: the question after the closing finds it.
#[test]
fn paid_in_spite_of_the_closing_it_stays() {
    let shop = shop("");
    page(&shop, "SO-1~cancel:paid-after-all");
    shop.ok("cleanup-unpaid");
    assert_eq!((deleted(&shop), status(&shop, "SO-1~cancel:paid-after-all")), (Vec::new(), "paid".to_owned()));
    assert_eq!(sends(&shop), ["cancel confirmed"]);
    assert_eq!((stock(&shop), shop.rows("SELECT status FROM entries")), (Vec::new(), vec!["balanced".to_owned()]));
    shop.ok("verify --against-provider");
}

/// Closed and not deleted: the process died in between. The money comes before the next run, which must not go on where it was.
#[test]
fn paid_between_a_run_that_died_and_the_next_it_stays_and_the_intent_is_withdrawn() {
    let shop = shop("");
    page(&shop, "SO-1");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
    shop.write("payjournal.toml", &format!("{config}[erp]\nfault = \"unreachable\"\n"));
    shop.exits("cleanup-unpaid", 5);
    assert_eq!(sends(&shop), ["cancel confirmed", "delete planned"]);
    shop.write("payjournal.toml", &config);
    shop.sandbox("UPDATE transactions SET status = 'captured', authorised_minor = 11900, authorised_at = '2026-11-22T03:00:00+00:00'");
    shop.sandbox(
        "INSERT INTO modifications SELECT id || '.1', merchant_account, id, 'capture', 11900, 'late', 'confirmed',
           '2026-11-22T03:00:00+00:00', '2026-11-22T03:00:00+00:00' FROM transactions",
    );
    shop.ok("cleanup-unpaid --as-of 2026-11-23T02:00:00Z");
    assert_eq!((deleted(&shop), status(&shop, "SO-1")), (Vec::new(), "paid".to_owned()));
    assert_eq!(sends(&shop), ["cancel confirmed", "delete withdrawn"]);
    shop.ok("verify --as-of 2026-11-23T03:00:00Z");
}

#[test]
fn what_cannot_be_closed_stays_and_is_told_only_as_long_as_it_is_open() {
    let shop = shop("");
    page(&shop, "SO-1~cancel:refuse");
    shop.exits("cleanup-unpaid", 1);
    let about = shop.rows("SELECT transaction_id FROM payments").concat();
    assert_eq!(told(&shop), [format!("not_closed payment {about} of order webshop/SO-1~cancel:refuse")]);
    let message = shop.rows("SELECT message FROM exceptions").concat();
    assert!(
        message.contains(
            "this payment cannot be cancelled (cannot_be_cancelled); when the reason is gone, `payjournal retry 1`"
        ),
        "{message}"
    );
    assert_eq!(not_eligible(&shop, "cleanup-unpaid"), "1 open at the PSP");
    // It expires by itself: then nothing has to be closed.
    shop.sandbox("UPDATE transactions SET status = 'expired'");
    shop.ok("cleanup-unpaid");
    assert_eq!((deleted(&shop).len(), told(&shop)), (1, Vec::new()));
    shop.ok("verify");
}

#[test]
fn a_closing_without_an_answer_is_asked_about_before_anything_else() {
    let shop = shop("");
    for fault in ["timeout-before", "timeout-after", "server-error", "too-many-requests"] {
        page(&shop, &format!("SO-{fault}~cancel:{fault}"));
    }
    shop.exits("cleanup-unpaid", 5);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'cancel' AND state <> 'confirmed'").len(), 3);
    // Too many requests: waited for, and sent again in the same run.
    assert_eq!(deleted(&shop), ["SO-too-many-requests~cancel:too-many-requests"]);
    shop.ok("cleanup-unpaid --as-of 2026-11-23T02:00:00Z");
    assert_eq!(deleted(&shop).len(), 4);
    assert_eq!(shop.rows("SELECT count(*), count(DISTINCT payment_id) FROM operations WHERE kind = 'cancel'"), ["4 4"]);
    assert_eq!(stock(&shop).len(), 8);
    shop.ok("verify --as-of 2026-11-23T03:00:00Z");
}

#[test]
fn what_the_psp_does_not_say_is_no_answer() {
    let shop = shop("");
    page(&shop, "SO-1~look:unreachable");
    page(&shop, "SO-2");
    orders(&shop, "SO-3,online,,none,2026-10-01\n");
    payments(&shop, "TX-3,SO-3,card,expired,,\n");
    shop.sandbox("DELETE FROM transactions WHERE id = 'TX-3'");
    let ended = shop.exits("cleanup-unpaid", 5);
    assert!(ended.stderr.contains("no connection to the PSP"), "{}", ended.stderr);
    assert_eq!(deleted(&shop), ["SO-2"]);
    assert_eq!(not_eligible(&shop, "cleanup-unpaid"), "1 PSP cannot tell");
    shop.ok("verify");
}

#[test]
fn a_psp_that_is_down_is_not_asked_about_every_order() {
    let shop = shop("");
    let rows: String = (1..=30).flat_map(|number| [format!("SO-{number},online,,none,2026-10-01\n")]).collect();
    orders(&shop, &rows);
    let rows: String = (1..=30).flat_map(|number| [format!("TX-{number},SO-{number},card,expired,,\n")]).collect();
    payments(&shop, &rows);
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
    shop.write("payjournal.toml", &config.replace("reports = ", "faults = { look = \"unreachable\" }\nreports = "));
    let document = shop.json("cleanup-unpaid");
    assert_eq!((&document["exit_code"], &document["unreachable"]), (&5.into(), &30.into()));
    let steps = document["steps"].as_array().cloned().unwrap_or_default();
    let unasked = steps.iter().filter(|step| step["reason"].to_string().contains("is not asked any more: 2")).count();
    // Those that were under way at the same time may have been asked too.
    assert!((7..=10).contains(&unasked), "{unasked}");
    // The next run asks again.
    shop.write("payjournal.toml", &config);
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop).len(), 30);
}

/// Whatever brings it, money on a deleted order is told once, mailed, and kept from every task.
#[test]
fn money_that_comes_after_the_deletion_is_told_whoever_brings_it() {
    let shop = shop("");
    for number in ["SYNC", "IMPORT", "ENTRY", "REPORT", "QUIET"] {
        page(&shop, number);
    }
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop).len(), 5);
    // The PSP takes the money on a page that it had closed.
    shop.sandbox(
        "UPDATE transactions SET status = 'captured', authorised_minor = 11900, authorised_at = '2026-11-22T03:00:00+00:00'
           WHERE order_reference = 'SYNC';
         INSERT INTO modifications SELECT id || '.1', merchant_account, id, 'capture', 11900, 'late', 'confirmed',
           '2026-11-22T03:00:00+00:00', '2026-11-22T03:00:00+00:00' FROM transactions WHERE order_reference = 'SYNC'",
    );
    shop.exits("sync-payments --as-of 2026-11-23T02:00:00Z", 1);
    assert_eq!(told(&shop), ["paid_after_deletion order webshop/SYNC"]);
    let row = "card,EUR,captured,119.00,2026-11-22T09:00:00Z,2026-11-22T09:00:00Z";
    import(
        &shop,
        "payments",
        &format!(
            "provider,transaction,order,entries,method,currency,status,authorised,authorised_at,captured_at\n\
             psp,TX-1,IMPORT,,{row}\npsp,TX-2,,ENTRY,{row}\n"
        ),
    );
    std::fs::create_dir_all(shop.path.join("reports")).unwrap_or_default();
    shop.write(
        "reports/batch-1.csv",
        "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,\
         Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),\
         Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,\
         Modification Merchant Reference,Batch Number\n\
         Shop,Shop,TX-LOST,REPORT,visa,2026-11-21 12:00:00,CET,Settled,C-1,EUR,,119.00,1,EUR,,118.00,1.00,0,0,0,visa,,1\n",
    );
    shop.exits("settlements --as-of 2026-11-23T03:00:00Z", 1);
    let late = ["ENTRY", "IMPORT", "REPORT", "SYNC"];
    assert_eq!(
        shop.rows("SELECT subject FROM exceptions WHERE kind = 'paid_after_deletion' AND state = 'open'"),
        late.map(|number| format!("order webshop/{number}"))
    );
    let message = shop.rows("SELECT message FROM exceptions WHERE subject = 'order webshop/SYNC'").concat();
    for part in ["119.00 EUR captured", "`payjournal refund-balance`", "`payjournal restore webshop/SYNC --reason"] {
        assert!(message.contains(part), "{part}\n{message}");
    }
    let mails = shop.rows("SELECT subject FROM mails WHERE event LIKE 'paid-after-deletion:%'");
    assert_eq!(mails, late.map(|number| format!("webshop | Paid after deletion: order webshop/{number}")));
    // No task takes it up, though it is paid.
    for task in ["capture", "finalize-invoices", "sync-payments", "cleanup-unpaid"] {
        shop.run(&[task, "--as-of", "2026-11-23T04:00:00Z"]);
    }
    assert_eq!(shop.rows("SELECT count(*) FROM invoices"), ["0"]);
    assert_eq!(shop.rows("SELECT count(*) FROM exceptions WHERE kind = 'paid_after_deletion'"), ["4"]);
    // A person has dealt with one: what is the same is not told anew.
    let id = shop.rows("SELECT id FROM exceptions WHERE subject = 'order webshop/REPORT'").concat();
    shop.ok(&format!("resolve {id}"));
    shop.run(&["settlements", "--as-of", "2026-11-23T05:00:00Z"]);
    assert_eq!(shop.rows("SELECT count(*) FROM exceptions WHERE kind = 'paid_after_deletion'"), ["4"]);
    shop.ok("verify --as-of 2026-11-23T06:00:00Z");
}

#[test]
fn a_restored_order_is_there_again_and_the_late_money_pays_it() {
    let shop = shop("");
    page(&shop, "SO-1");
    shop.ok("cleanup-unpaid");
    let nothing = shop.exits("restore SO-2 --reason x", 2).stderr;
    assert!(nothing.contains("the ledger knows no order `SO-2`"), "{nothing}");
    shop.sandbox(
        "UPDATE transactions SET status = 'captured', authorised_minor = 11900, authorised_at = '2026-11-22T03:00:00+00:00';
         INSERT INTO modifications SELECT id || '.1', merchant_account, id, 'capture', 11900, 'late', 'confirmed',
           '2026-11-22T03:00:00+00:00', '2026-11-22T03:00:00+00:00' FROM transactions",
    );
    shop.exits("sync-payments --as-of 2026-11-23T02:00:00Z", 1);
    assert_eq!(shop.rows("SELECT status, assigned_minor FROM entries"), ["cancelled 0"]);
    let night = "--as-of 2026-11-23T03:00:00Z";
    let ended = shop.run(&["restore", "SO-1", "--reason", "paid after all", "--as-of", "2026-11-23T03:00:00Z"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("order webshop/SO-1 is back, with 1 entries; the stock of 2 lines"),
        "{}",
        ended.stdout
    );
    assert_eq!((deleted(&shop), told(&shop)), (Vec::new(), Vec::new()));
    assert_eq!(shop.rows("SELECT status, assigned_minor FROM entries"), ["balanced 11900"]);
    assert_eq!(stock(&shop), ["SO-1/1 2 release", "SO-1/1 2 reserve", "SO-1/2 1 release", "SO-1/2 1 reserve"]);
    assert_eq!(status(&shop, "SO-1"), "paid");
    // Its invoice is paid by that very money.
    shop.ok(&format!("finalize-invoices {night}"));
    assert_eq!(shop.rows("SELECT amount_minor FROM journals WHERE document_id IS NOT NULL"), ["11900"]);
    shop.ok(&format!("verify {night}"));
    let again = shop.exits("restore SO-1 --reason x", 2).stderr;
    assert!(again.contains("is not deleted: there is nothing to restore"), "{again}");
    let text = shop.ok("show order SO-1").stdout.replace(['\n', ' ', '|'], "");
    assert!(text.contains("cancelled,andrestored:paidafterall"), "{text}");
}

#[test]
fn a_restored_order_that_stays_unpaid_goes_again_with_its_stock_once_more() {
    let shop = shop("");
    page(&shop, "SO-1");
    shop.ok("cleanup-unpaid");
    shop.exits("restore SO-1 --reason=", 2);
    shop.ok("restore SO-1 --reason customer-called");
    assert_eq!(shop.rows("SELECT status FROM entries"), ["open"]);
    // Who put it back wanted it: it has as long as a new order, and can be paid on a new page.
    shop.ok("checkout --order SO-1");
    assert_eq!(not_eligible(&shop, "cleanup-unpaid --as-of 2026-12-22T02:00:00Z"), "1 too young");
    assert_eq!(deleted(&shop), [""; 0]);
    shop.ok("cleanup-unpaid --as-of 2026-12-23T02:00:00Z");
    assert_eq!(deleted(&shop), ["SO-1"]);
    assert_eq!(shop.rows("SELECT generation FROM tombstones"), ["1", "2"]);
    assert_eq!(
        shop.rows("SELECT direction, count(*) FROM stock_releases GROUP BY direction"),
        ["release 4", "reserve 2"]
    );
    assert_eq!(shop.rows("SELECT count(DISTINCT key) FROM operations WHERE kind = 'delete'"), ["2"]);
    shop.ok("verify --as-of 2026-12-23T03:00:00Z");
}

/// While the ERP has not answered, nobody knows whether the order is there: it gets no page, no invoice and no second deletion.
#[test]
fn an_order_on_its_way_out_is_given_no_page_and_no_invoice() {
    let shop = shop("");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
    shop.write("payjournal.toml", &format!("{config}[erp]\nfault = \"unreachable\"\n"));
    page(&shop, "SO-1");
    shop.exits("cleanup-unpaid", 5);
    shop.write("payjournal.toml", &config.replace("mail = false", "mail = false\nbill_when = []"));
    shop.ledger().execute_batch("UPDATE operations SET state = 'unknown' WHERE kind = 'delete'").unwrap_or_default();
    let refused = shop.exits("checkout --order SO-1", 2).stderr;
    assert!(refused.contains("order webshop/SO-1 is being deleted because nobody paid it"), "{refused}");
    assert_eq!(shop.rows("SELECT count(*) FROM payments"), ["1"]);
    shop.ok("finalize-invoices");
    assert_eq!(shop.rows("SELECT count(*) FROM invoices"), ["0"]);
    let refused = shop.exits("restore SO-1 --reason x", 2).stderr;
    assert!(refused.contains("is not deleted"), "{refused}");
    // The ERP does not have the call: everything is decided anew, and the order goes.
    shop.ok("cleanup-unpaid --as-of 2026-11-23T02:00:00Z");
    assert_eq!((deleted(&shop).len(), stock(&shop).len()), (1, 2));
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'delete'"), ["1"]);
}

#[test]
fn a_deleted_order_takes_nothing_in_but_money() {
    let shop = shop("");
    page(&shop, "SO-1");
    shop.ok("cleanup-unpaid");
    let refuses = |what: &str, rows: &str| {
        shop.write("rows.csv", rows);
        let text = shop.exits(&format!("import {what} rows.csv"), 1).stderr;
        assert!(text.contains("`payjournal restore SO-1 --reason …` puts it back first"), "{what}: {text}");
    };
    refuses("orders", "order,currency,total,ordered_on\nSO-1,EUR,119.00,2026-10-01\n");
    refuses("order-lines", "order,line,description,quantity,unit_price,tax_rate\nSO-1,1,Thing,3,1.00,19\n");
    refuses("documents", "kind,number,order,currency,total,posted_on\ninvoice,R-1,SO-1,EUR,119.00,2026-11-22\n");
    refuses("entries", "entry,order,customer,currency,amount\nE-2,SO-1,C1,EUR,119.00\n");
    // Whoever says that it is cancelled knows that it is gone.
    shop.write("rows.csv", "order,currency,total,ordered_on,cancelled\nSO-1,EUR,119.00,2026-10-01,full\n");
    shop.ok("import orders rows.csv");
    assert_eq!(shop.rows("SELECT cancelled, deleted FROM orders"), ["none 1"]);
    shop.ok("verify");
}
