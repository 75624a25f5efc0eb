//! Chargebacks: told once, booked, and nothing of their payment moves until a person has said so.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use support::Shop;
use support::reports::{drop_report, report};

/// One order over 100.00, captured, paid out, charged back and paid out again; not taken over yet.
fn charged_back() -> Shop {
    let shop = Shop::new();
    shop.one_order("A");
    shop.ok("capture");
    shop.ok("sandbox payout");
    shop.ok("sandbox dispute TX-A");
    shop.ok("sandbox payout");
    shop
}

fn told(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, state FROM exceptions WHERE kind NOT IN ('payout_remainder', 'lines_unmatched')")
}

fn resolve(shop: &Shop, kind: &str) {
    for id in shop.rows(&format!("SELECT id FROM exceptions WHERE kind = '{kind}' AND state = 'open'")) {
        shop.ok(&format!("resolve {id}"));
    }
}

#[test]
fn a_chargeback_is_told_once_with_all_that_a_person_needs() {
    let shop = charged_back();
    shop.exits("settlements", 1);
    let row = shop.rows("SELECT subject, message FROM exceptions WHERE kind = 'chargeback'").concat();
    for part in [
        "payment TX-A at psp/Shop",
        "100.00 EUR",
        "order webshop/A",
        "invoice R-A",
        "payout 2",
        "credit note",
        "resolve",
    ] {
        assert!(row.contains(part), "`{part}` is not in: {row}");
    }
    shop.ok("settlements");
    resolve(&shop, "chargeback");
    shop.ok("settlements");
    assert_eq!(told(&shop), ["chargeback resolved"]);
    assert!(shop.rows("SELECT * FROM untold_chargebacks").is_empty());
}

#[test]
fn a_credit_note_of_what_was_charged_back_is_not_paid_out() {
    let shop = charged_back();
    shop.exits("settlements", 1);
    shop.documents("credit_note,G-A,A,EUR,100.00,,R-A,2026-11-21\n");
    shop.exits("refunds", 1);
    let message = shop.rows("SELECT message FROM exceptions WHERE kind = 'outside_refund'").concat();
    assert!(message.contains("payment TX-A was charged back"), "{message}");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn what_is_left_is_not_captured_or_released() {
    let shop = Shop::new();
    shop.orders("A,EUR,100.00,online,,none,C1,2026-11-15\n");
    shop.payments("TX-A,A,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-A,A,EUR,40.00,,,2026-11-20\n");
    shop.ok("capture");
    shop.ok("sandbox payout");
    shop.ok("sandbox dispute TX-A");
    shop.ok("sandbox payout");
    shop.exits("settlements", 1);
    shop.documents("invoice,R-B,A,EUR,30.00,,,2026-11-20\n");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 4000"]);
    shop.orders("A,EUR,100.00,online,,rest,C1,2026-11-15\n");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 4000"]);
    resolve(&shop, "chargeback");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 3000", "capture TX-A 4000", "release TX-A 3000"]);
}

/// Known by its reports only.
fn reports_only() -> Shop {
    let shop = Shop::with(
        "[mail]\nadministrator = [\"admin@shop.example\"]\npayment_notifications = [\"payments@shop.example\"]\n\n\
         [provider.adyen]\nkind = \"reports\"\nmerchant_account = \"ShopEU\"\nreports = \"reports\"\n\n\
         [method.card]\nstrategy = \"manual\"\n",
    );
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    shop
}

/// SO-1 of 100.00, authorised at a PSP nobody asks.
fn order(shop: &Shop) {
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-01\n");
    let head = "provider,transaction,order,method,currency,status,authorised,authorised_at";
    shop.write("payments.csv", &format!("{head}\nadyen,TX-1,SO-1,card,EUR,authorised,100.00,2026-11-02T08:00:00Z\n"));
    shop.ok("import payments payments.csv");
}

fn settle(shop: &Shop, name: &str, lines: &[&str]) -> Option<i32> {
    drop_report(shop, name, &report(lines));
    shop.run(&["settlements"]).code
}

const SALE: &str = "TX-1 SO-1 Settled CAP-1 100.00 99.00 1.00 7";
const TAKEN: &str = "TX-1 SO-1 Chargeback CB-1 -100.00 -110.00 10.00 7";

#[test]
fn a_line_nobody_has_looked_at_yet_holds_its_payment_back_already() {
    let shop = reports_only();
    shop.orders("SO-0,EUR,1.00,online,,none,C1,2026-11-01\n");
    settle(&shop, "a.csv", &[SALE, TAKEN]);
    assert_eq!(shop.rows("SELECT transaction_id FROM untold_chargebacks"), ["TX-1"]);
    order(&shop);
    shop.documents("invoice,R-1,SO-1,EUR,100.00,100.00,,2026-11-20\n");
    let held = "SELECT count(*) FROM untold_chargebacks u JOIN payments p USING (transaction_id)";
    assert_eq!(shop.rows(held), ["1"]);
    assert_eq!(settle(&shop, "b.csv", &["- - Fee - - -1.00 - 7"]), Some(1));
    assert_eq!(told(&shop), ["chargeback open"]);
    assert!(shop.rows("SELECT * FROM untold_chargebacks").is_empty());
}

/// What movements and payouts leave on the accounts of the PSP, of the customers and of disputes: `ACCOUNT CURRENCY MINOR`.
fn balances(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT account, currency, sum(amount_minor) AS balance FROM (
           SELECT account, currency, p.amount_minor FROM postings p JOIN journals j ON j.id = p.journal_id
           UNION ALL
           SELECT account, currency, p.amount_minor FROM payout_postings p JOIN payout_journals j ON j.id = p.journal_id)
         WHERE account LIKE 'Assets:PSP:%' OR account LIKE 'Assets:Receivables:%' OR account LIKE 'Liabilities:%'
         GROUP BY account, currency HAVING balance <> 0",
    )
}

fn disputed(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT kind, modification_id, amount_minor, currency, learnt_from FROM movements WHERE kind LIKE 'chargeback%'",
    )
}

#[track_caller]
fn is_sound(shop: &Shop, line: &str) {
    let verified = shop.run(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    let left = shop.rows("SELECT payment_id FROM payments_to_learn UNION ALL SELECT file_id FROM lines_to_learn");
    assert!(left.is_empty(), "still to be looked at: {left:?}");
}

#[test]
fn after_its_payout_a_chargeback_leaves_nothing_on_clearing_and_all_on_disputed() {
    let shop = charged_back();
    shop.exits("settlements", 1);
    assert_eq!(disputed(&shop), ["chargeback TX-A.chargeback 10000 EUR settlement"]);
    assert_eq!(balances(&shop), ["Assets:Receivables:C1 EUR -10000", "Assets:Receivables:Disputed:C1 EUR 10000"]);
    shop.ok("sync-journals");
    is_sound(&shop, "verify --against-provider --against-erp");
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["paid"]);
    assert_eq!(shop.json("list orders")["orders"][0]["state"], "disputed");
    assert_eq!(shop.rows("SELECT count(*) FROM journals j WHERE kind = 'chargeback' AND document_id IS NULL"), ["1"]);
    // Won: all is as it was, and still for a person to say.
    shop.ok("sandbox dispute TX-A --won");
    shop.ok("sandbox payout");
    shop.ok("settlements");
    assert_eq!(balances(&shop), ["Assets:Receivables:C1 EUR -10000"]);
    assert_eq!(told(&shop), ["chargeback open"]);
    shop.ok("sync-journals");
    is_sound(&shop, "verify --against-provider --against-erp");
}

#[test]
fn what_was_charged_back_is_not_there_to_be_refunded_when_the_hold_is_ended() {
    let shop = charged_back();
    shop.exits("settlements", 1);
    resolve(&shop, "chargeback");
    shop.documents("credit_note,G-A,A,EUR,100.00,,R-A,2026-11-21\n");
    shop.exits("refunds", 1);
    assert_eq!(told(&shop), ["chargeback resolved", "refund_exceeds_captured open"]);
    shop.ok("sandbox dispute TX-A --won");
    shop.ok("sandbox payout");
    shop.ok("settlements");
    shop.ok("refunds");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000", "refund TX-A 10000"]);
    is_sound(&shop, "verify --against-provider");
}

#[test]
fn lines_in_any_order_and_a_report_issued_again_book_each_chargeback_once() {
    let lines = [
        SALE,
        TAKEN,
        "TX-1 SO-1 ChargebackReversed RV-1 100.00 100.00 0 8",
        "TX-1 SO-1 SecondChargeback CB-2 -100.00 -100.00 0 9",
    ];
    for turn in 0..3 {
        let mut lines = lines;
        lines.rotate_left(turn);
        let shop = reports_only();
        order(&shop);
        for (at, line) in lines.iter().enumerate() {
            settle(&shop, &format!("{at}.csv"), &[line]);
        }
        settle(&shop, "again.csv", &lines);
        assert_eq!(
            disputed(&shop),
            [
                "chargeback CB-1 10000 EUR settlement",
                "chargeback CB-2 10000 EUR settlement",
                "chargeback_reversed RV-1 10000 EUR settlement"
            ]
        );
        assert_eq!(told(&shop), ["chargeback open", "chargeback open"]);
        let movements = shop.rows("SELECT sum(amount_minor) FROM postings WHERE account LIKE 'Assets:PSP:%'");
        assert_eq!(movements, ["0"]);
        is_sound(&shop, "verify");
    }
}

/// The entry has 90.00 of 100.00, of which 40.00 are charged back and won back.
#[test]
fn what_was_won_back_gives_an_entry_no_more_than_the_bank_took_whichever_is_told_first() {
    let lines = ["TX-1 - Chargeback CB-1 -40.00 -40.00 0 8", "TX-1 - ChargebackReversed RV-1 40.00 40.00 0 9"];
    for (first, between) in [(0, "5000"), (1, "9000")] {
        let shop = reports_only();
        shop.write("entries.csv", "entry,customer,currency,amount\nE-1,C1,EUR,100.00\n");
        shop.ok("import entries entries.csv");
        let head =
            "provider,transaction,entries,method,currency,status,authorised,authorised_at,captured_at,capture_id";
        let row = "adyen,TX-1,E-1,card,EUR,captured,90.00,2026-11-02T08:00:00Z,2026-11-03T08:00:00Z,CAP-1";
        shop.write("payments.csv", &format!("{head}\n{row}\n"));
        shop.ok("import payments payments.csv");
        settle(&shop, "sale.csv", &["TX-1 - Settled CAP-1 90.00 89.00 1.00 7"]);
        settle(&shop, "one.csv", &[lines[first]]);
        assert_eq!(shop.rows("SELECT assigned_minor FROM entries"), [between]);
        settle(&shop, "other.csv", &[lines[1 - first]]);
        assert_eq!(shop.rows("SELECT assigned_minor, status FROM entries"), ["9000 open"]);
        is_sound(&shop, "verify");
    }
}

#[test]
fn a_chargeback_is_booked_when_its_order_is_imported_later() {
    let shop = reports_only();
    shop.orders("SO-0,EUR,1.00,online,,none,C1,2026-11-01\n");
    settle(&shop, "a.csv", &[SALE, TAKEN]);
    assert!(disputed(&shop).is_empty());
    order(&shop);
    shop.exits("settlements", 1);
    assert_eq!(disputed(&shop), ["chargeback CB-1 10000 EUR settlement"]);
    assert_eq!(
        shop.rows("SELECT kind, bill_to, posting_date FROM journals WHERE kind = 'chargeback'"),
        ["chargeback C1 2026-11-10"]
    );
    is_sound(&shop, "verify");
}

#[test]
fn what_cannot_be_booked_is_told_and_holds() {
    let shop = reports_only();
    order(&shop);
    settle(&shop, "a.csv", &[SALE, "TX-1 SO-1 Chargeback CB-1 -10.005 -10.00 0 7"]);
    assert!(disputed(&shop).is_empty());
    assert_eq!(told(&shop), ["chargeback open", "lines_unclear open"]);
    // In two payouts under one id: nobody knows whether it is one.
    settle(&shop, "b.csv", &["TX-1 SO-1 Chargeback CB-2 -5.00 -5.00 0 8"]);
    settle(&shop, "c.csv", &["TX-1 SO-1 Chargeback CB-2 -5.00 -5.00 0 9"]);
    assert_eq!(disputed(&shop), ["chargeback CB-2 500 EUR settlement"]);
    let message = shop.rows("SELECT message FROM exceptions WHERE kind = 'lines_unclear'").concat();
    assert!(message.contains("CB-1") && message.contains("CB-2"), "{message}");
}

/// An earlier version took the line over and did not look at it.
#[test]
fn a_chargeback_of_an_earlier_version_is_booked_by_the_next_run() {
    let shop = charged_back();
    shop.exits("settlements", 1);
    let shop_of_before = "
        PRAGMA recursive_triggers = OFF; DROP TRIGGER journals_kept; DROP TRIGGER postings_kept; DROP TRIGGER movements_kept;
        DROP TRIGGER exceptions_kept;
        DELETE FROM postings WHERE journal_id IN (SELECT id FROM journals WHERE kind = 'chargeback');
        DELETE FROM journals WHERE kind = 'chargeback'; DELETE FROM movements WHERE kind = 'chargeback';
        DELETE FROM exceptions WHERE kind = 'chargeback'; DROP TABLE untold_chargebacks; PRAGMA user_version = 6;";
    shop.ledger().execute_batch(support::BEFORE_INVOICES).unwrap();
    shop.ledger().execute_batch(shop_of_before).unwrap();
    // Held at once, whichever task comes first.
    shop.documents("credit_note,G-A,A,EUR,100.00,,R-A,2026-11-21\n");
    shop.exits("refunds", 1);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert_eq!(shop.rows("SELECT transaction_id FROM untold_chargebacks"), ["TX-A"]);
    shop.exits("settlements", 1);
    assert_eq!(disputed(&shop), ["chargeback TX-A.chargeback 10000 EUR settlement"]);
}
