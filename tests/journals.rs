//! The books: one journal per movement and document, delivered once, dated by the PSP, and equal to what the PSP recorded.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the report")]

mod support;

use serde_json::Value;
use support::{CONFIG, Shop};

const DOWN: &str = "[erp]\nfault = \"unreachable\"\n";

fn shop(more: &str) -> Shop {
    Shop::with(&format!("{CONFIG}{more}"))
}

fn journals(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT j.kind, j.direction, ifnull(d.number, '-'), j.amount_minor, j.bill_to FROM journals j
         LEFT JOIN documents d ON d.id = j.document_id",
    )
}

fn balances(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT account, sum(amount_minor) FROM postings GROUP BY account HAVING sum(amount_minor) <> 0")
}

fn outstanding(shop: &Shop, number: &str) -> String {
    let story = shop.json(&format!("show document {number}"));
    let found = story["documents"].as_array().unwrap().iter().find(|document| document["number"] == number);
    found.unwrap()["outstanding"]["amount"].as_str().unwrap().to_owned()
}

/// What must hold of any books: each journal zero, nothing booked or delivered twice, clearing as the PSP has it.
#[track_caller]
fn assert_sound(shop: &Shop) {
    let unbalanced =
        "SELECT journal_id FROM postings GROUP BY journal_id HAVING sum(amount_minor) <> 0 OR count(*) <> 2";
    assert!(shop.rows(unbalanced).is_empty());
    let twice = "SELECT journal_id FROM operations WHERE kind = 'journal' AND state = 'confirmed' GROUP BY journal_id
                 HAVING count(*) > 1";
    assert!(shop.rows(twice).is_empty());
    let clearing = "SELECT j.currency, sum(p.amount_minor) FROM postings p JOIN journals j ON j.id = p.journal_id
                    WHERE p.account LIKE 'Assets:PSP:%' GROUP BY j.currency HAVING sum(p.amount_minor) <> 0";
    let psp = "SELECT t.currency, sum(CASE m.kind WHEN 'capture' THEN m.amount_minor WHEN 'refund' THEN -m.amount_minor ELSE 0 END)
               FROM modifications m JOIN transactions t ON t.id = m.transaction_id WHERE m.ends = 'confirmed'
               GROUP BY t.currency HAVING sum(CASE m.kind WHEN 'capture' THEN 1 WHEN 'refund' THEN 1 ELSE 0 END) > 0";
    let owed = support::rows(&shop.path.join("sandbox.db"), psp);
    let owed: Vec<String> = owed.into_iter().filter(|row| !row.ends_with(" 0")).collect();
    assert_eq!(shop.rows(clearing), owed);
}

#[test]
fn a_capture_has_one_journal_and_the_invoice_is_settled_when_it_is_delivered() {
    let shop = shop("");
    shop.one_order("SO-1");
    assert_eq!(outstanding(&shop, "R-SO-1"), "100.00");
    shop.ok("capture");
    assert_eq!(outstanding(&shop, "R-SO-1"), "100.00");
    shop.ok("sync-journals");
    shop.ok("sync-journals");
    shop.ok("capture");
    assert_eq!(outstanding(&shop, "R-SO-1"), "0.00");
    assert_eq!(journals(&shop), ["receipt original R-SO-1 10000 C1"]);
    assert_eq!(balances(&shop), ["Assets:PSP:psp:Shop:EUR 10000", "Assets:Receivables:C1 -10000"]);
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'journal'"), ["1"]);
    assert_sound(&shop);
}

#[test]
fn one_payment_over_several_invoices_has_one_line_for_each_and_they_sum_to_it() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,on_account,,none,C1,2026-11-15\n");
    shop.documents(
        "invoice,R-1,SO-1,EUR,33.33,,,2026-11-20\ninvoice,R-2,SO-1,EUR,33.34,0.01,,2026-11-20\ninvoice,R-3,SO-1,EUR,33.34,,,2026-11-20\n",
    );
    shop.payments("TX-1,,R-3;R-1;R-2,ideal,EUR,captured,105.00,2026-11-21T08:00:00Z,,2026-11-21T08:00:00Z\n");
    assert_eq!(
        journals(&shop),
        [
            "prepayment original - 500 C1",
            "receipt original R-1 3333 C1",
            "receipt original R-2 3333 C1",
            "receipt original R-3 3334 C1"
        ]
    );
    shop.ok("sync-journals");
    for number in ["R-1", "R-2", "R-3"] {
        assert_eq!(outstanding(&shop, number), "0.00");
    }
    assert_sound(&shop);
}

#[test]
fn a_journal_is_booked_to_the_customer_the_invoice_is_billed_to() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
    shop.write(
        "d.csv",
        "kind,number,order,bill_to,currency,total,posted_on\ninvoice,R-1,SO-1,HEAD-OFFICE,EUR,100.00,2026-11-20\n",
    );
    shop.ok("import documents d.csv");
    shop.ok("capture");
    assert_eq!(journals(&shop), ["receipt original R-1 10000 HEAD-OFFICE"]);
    assert_eq!(balances(&shop), ["Assets:PSP:psp:Shop:EUR 10000", "Assets:Receivables:HEAD-OFFICE -10000"]);
    assert_sound(&shop);
}

#[test]
fn a_prepayment_applied_to_an_invoice_of_another_customer_clears_the_account_it_was_booked_on() {
    let shop = shop("[method.card]\nstrategy = \"immediate\"\n");
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
    shop.ok("capture");
    shop.write(
        "d.csv",
        "kind,number,order,bill_to,currency,total,posted_on\ninvoice,R-1,SO-1,HEAD-OFFICE,EUR,100.00,2026-11-20\n",
    );
    shop.ok("import documents d.csv");
    shop.ok("capture");
    shop.ok("sync-journals");
    assert_eq!(
        balances(&shop),
        ["Assets:PSP:psp:Shop:EUR 10000", "Assets:Receivables:HEAD-OFFICE -10000"],
        "known bug 6: nothing is left on either prepayments account"
    );
    assert_eq!(outstanding(&shop, "R-1"), "0.00");
    assert_sound(&shop);
}

#[test]
fn a_prepayment_is_booked_once_on_clearing_and_then_only_applied() {
    let shop = shop("[method.card]\nstrategy = \"immediate\"\n");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.ok("capture");
    shop.ok("sync-journals");
    assert_eq!(journals(&shop), ["application original R-SO-1 10000 C1", "prepayment original - 10000 C1"]);
    assert_eq!(balances(&shop), ["Assets:PSP:psp:Shop:EUR 10000", "Assets:Receivables:C1 -10000"]);
    assert_eq!(outstanding(&shop, "R-SO-1"), "0.00");
    assert_sound(&shop);
}

#[test]
fn a_refund_settles_the_credit_note_and_leaves_the_invoice_alone() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.documents("credit_note,G-1,SO-1,EUR,30.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds");
    shop.ok("sync-journals");
    assert_eq!((outstanding(&shop, "R-SO-1"), outstanding(&shop, "G-1")), ("0.00".to_owned(), "0.00".to_owned()));
    assert_eq!(balances(&shop), ["Assets:PSP:psp:Shop:EUR 7000", "Assets:Receivables:C1 -7000"]);
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["paid"]);
    assert_sound(&shop);
}

#[test]
fn an_erp_that_is_down_keeps_the_journal_pending_and_a_later_run_delivers_it_once() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    shop.write("payjournal.toml", &format!("{CONFIG}{DOWN}"));
    shop.exits("sync-journals", 5);
    shop.run(&["sync-journals", "--as-of", "2026-11-22T03:00:00Z"]);
    assert_eq!(outstanding(&shop, "R-SO-1"), "100.00");
    let pending = shop.json("status");
    assert!(pending.to_string().contains("journal"), "{pending}");
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture --as-of 2026-11-22T12:00:00Z");
    shop.ok("sync-journals --as-of 2026-11-22T12:00:00Z");
    shop.ok("sync-journals --as-of 2026-11-22T13:00:00Z");
    assert_eq!(outstanding(&shop, "R-SO-1"), "0.00");
    assert_eq!(shop.psp_record(), ["capture TX-SO-1 10000"], "an undelivered journal is no outstanding amount");
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'journal'"), ["confirmed"]);
    assert_sound(&shop);
}

#[test]
fn one_error_notification_goes_out_after_its_days_and_then_the_journal_is_given_up() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    let settings = "[task.sync-journals]\nerror_notification_after_days = 3\ntransaction_valid_days = 10\n";
    shop.write("payjournal.toml", &format!("{CONFIG}{DOWN}{settings}"));
    let notified = |shop: &Shop| shop.rows("SELECT recipient FROM mails WHERE event LIKE 'error-notification%'");
    shop.run(&["sync-journals"]);
    shop.run(&["sync-journals", "--as-of", "2026-11-25T01:59:00Z"]);
    assert!(notified(&shop).is_empty());
    for day in ["25", "26", "27", "28"] {
        shop.run(&["sync-journals", "--as-of", &format!("2026-11-{day}T03:00:00Z")]);
    }
    assert_eq!(notified(&shop), ["administrator"]);
    shop.exits("sync-journals --as-of 2026-12-02T03:00:00Z", 1);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'journal'"), ["given_up"]);
    shop.ok("sync-journals --as-of 2026-12-05T03:00:00Z");
    assert_eq!(notified(&shop), ["administrator"]);
    let status = shop.ok("status").stdout;
    assert!(status.contains("given up") || status.contains("given_up"), "{status}");
    assert_eq!(shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved'"), ["given_up"]);
    shop.write("payjournal.toml", CONFIG);
    let operation = shop.rows("SELECT id FROM operations WHERE kind = 'journal'").concat();
    shop.ok(&format!("retry {operation} --as-of 2026-12-06T03:00:00Z"));
    shop.ok("sync-journals --as-of 2026-12-06T03:00:00Z");
    assert_eq!(outstanding(&shop, "R-SO-1"), "0.00");
    assert_sound(&shop);
}

#[test]
fn the_error_notification_is_looked_at_before_giving_up() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.ok("capture");
    let settings = "[task.sync-journals]\nerror_notification_after_days = 3\ntransaction_valid_days = 2\n";
    shop.write("payjournal.toml", &format!("{CONFIG}{DOWN}{settings}"));
    shop.run(&["sync-journals"]);
    shop.exits("sync-journals --as-of 2026-11-28T03:00:00Z", 1);
    assert_eq!(shop.rows("SELECT recipient FROM mails WHERE event LIKE 'error-notification%'"), ["administrator"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'journal'"), ["given_up"]);
}

#[test]
fn the_log_lists_each_invoice_and_credit_note_that_was_journalled() {
    let shop = shop("");
    shop.one_order("SO-1");
    shop.one_order("SO-2");
    shop.ok("capture");
    shop.documents("credit_note,G-1,SO-1,EUR,30.00,,R-SO-1,2026-11-21\n");
    shop.ok("refunds");
    shop.ok("sync-journals");
    let log = std::fs::read_to_string(shop.logs("sync-journals").last().unwrap()).unwrap();
    for document in ["invoice R-SO-1", "invoice R-SO-2", "credit note G-1"] {
        assert!(log.contains(document), "{document} in {log}");
    }
}

#[test]
fn the_posting_date_is_the_day_of_the_psp_in_the_zone_of_the_books() {
    for (zone, day) in [("Europe/Berlin", "2026-11-23"), ("UTC", "2026-11-22"), ("America/New_York", "2026-11-22")] {
        let shop = Shop::with(&format!("time_zone = \"{zone}\"\n{CONFIG}"));
        shop.one_order("SO-1");
        shop.ok("capture --as-of 2026-11-22T23:30:00Z");
        shop.ok("sync-journals --as-of 2026-11-25T12:00:00Z");
        assert_eq!(shop.rows("SELECT posting_date FROM journals"), [day], "{zone}");
    }
}

#[test]
fn a_capture_confirmed_days_later_is_dated_by_the_psp_and_not_by_the_run() {
    let shop = Shop::with(&format!("time_zone = \"Europe/Berlin\"\n{CONFIG}confirm_after = \"1 day\"\n"));
    shop.one_order("SO-1");
    shop.ok("capture --as-of 2026-11-22T23:30:00Z");
    shop.ok("capture --as-of 2026-11-29T12:00:00Z");
    assert_eq!(shop.rows("SELECT posting_date FROM journals"), ["2026-11-24"]);
}

#[test]
fn the_totals_of_the_export_are_the_psps_own() {
    let shop = shop("");
    shop.orders("J,JPY,900,online,,none,C2,2026-11-15\n");
    shop.payments("TX-J,J,,card,JPY,authorised,900,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-J,J,JPY,900,,,2026-11-20\n");
    shop.one_order("SO-1");
    shop.one_order("SO-2");
    shop.documents("credit_note,G-1,SO-1,EUR,30.05,,R-SO-1,2026-11-21\n");
    for task in ["capture", "refunds", "sync-journals", "capture", "refunds", "sync-journals"] {
        shop.ok(task);
    }
    let csv = shop.ok("export --format csv").stdout;
    let mut sums = std::collections::BTreeMap::new();
    for line in csv.lines().filter(|line| line.contains("Assets:PSP:")) {
        let cells: Vec<&str> = line.trim_end().split(',').collect();
        let [.., debit, credit, currency] = cells.as_slice() else { panic!("{line}") };
        let minor = |text: &str| text.replace('.', "").parse::<i64>().unwrap_or(0);
        *sums.entry((*currency).to_owned()).or_insert(0) += minor(debit) - minor(credit);
    }
    assert_eq!(sums.into_iter().collect::<Vec<_>>(), [("EUR".to_owned(), 16_995), ("JPY".to_owned(), 900)]);
    let recorded: Value = shop.json("sandbox record");
    assert_eq!(recorded["transactions"].as_array().unwrap().len(), 3);
    assert_sound(&shop);
}

#[test]
fn a_payment_captured_before_it_was_imported_is_booked_once_whatever_the_psp_calls_the_capture() {
    let shop = shop("");
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-15\n");
    let row = "TX-1,SO-1,,ideal,EUR,captured,100.00,2026-11-16T08:00:00Z,,2026-11-16T08:01:00Z\n";
    shop.payments(row);
    rename_capture(&shop);
    shop.payments(row);
    shop.run(&["sync-payments", "--as-of", "2026-11-24T02:00:00Z"]);
    shop.run(&["sync-payments", "--as-of", "2026-11-26T02:00:00Z"]);
    assert_eq!(shop.rows("SELECT kind, amount_minor FROM movements"), ["capture 10000"]);
    assert_sound(&shop);
}

/// The shop's import names no capture; at the PSP it has a name of its own.
#[expect(clippy::disallowed_methods, reason = "the PSP's own file")]
fn rename_capture(shop: &Shop) {
    let connection = rusqlite::Connection::open(shop.path.join("sandbox.db")).unwrap();
    connection.execute_batch("UPDATE modifications SET id = 'cap_77'").unwrap();
}
