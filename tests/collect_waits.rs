//! `collect` and everything else that may bring money for an entry: never both.

mod support;

use std::process::Stdio;

use support::Shop;
use support::billing::{all_entries, import, told};

const CONFIG: &str = "\n[collect]\nenabled = true\n[cleanup]\nenabled = true\nolder_than_days = 1\n";
const NEXT: &str = "2026-11-23T02:00:00Z";

fn shop() -> Shop {
    with("")
}

fn with(more: &str) -> Shop {
    let shop = Shop::with(&format!("{}{CONFIG}{more}", support::CONFIG));
    mandates(&shop, "MD-4711,C1,2026-11-02,\n");
    shop
}

/// An order of 100.00 EUR with its entry, which is due.
fn order(shop: &Shop, number: &str) {
    import(shop, "orders", &format!("order,currency,total,bill_to,ordered_on\n{number},EUR,100.00,C1,2026-11-01\n"));
    entry(shop, &format!("E-{number}"), number, "");
}

fn entry(shop: &Shop, reference: &str, order: &str, cancelled: &str) {
    import(
        shop,
        "entries",
        &format!(
            "entry,assignment_key,order,customer,currency,amount,due_on,cancelled\n\
             {reference},K-{reference},{order},C1,EUR,100.00,2026-11-21,{cancelled}\n"
        ),
    );
}

fn mandates(shop: &Shop, rows: &str) {
    let rows: String = rows.lines().flat_map(|row| ["psp,sepa,EUR,", row, "\n"]).collect();
    import(shop, "mandates", &format!("provider,method,currency,mandate,customer,given_on,revoked_on\n{rows}"));
}

#[expect(clippy::indexing_slicing, reason = "in a test a panic is the report")]
fn left(shop: &Shop) -> String {
    shop.json("collect")["not_eligible"].to_string()
}

fn collections(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT attempt, state, amount_minor FROM operations WHERE kind = 'collect'")
}

#[test]
fn an_entry_with_an_open_page_waits_until_the_page_is_paid_or_gone() {
    let shop = shop();
    order(&shop, "SO-1");
    order(&shop, "SO-2~collect:refuse");
    let page = shop.json("checkout --order SO-1")["payment_url"].as_str().unwrap_or_default().to_owned();
    let dry = shop.ok("collect --dry-run").stdout;
    assert!(dry.contains("can still pay on the page"), "{dry}");
    assert_eq!(shop.json("collect")["not_eligible"]["open page"], 1);
    shop.ok(&format!("sandbox pay {page} --fail"));
    shop.ok("sync-payments");
    shop.ok("collect");
    assert_eq!(collections(&shop), ["1 confirmed 10000", "1 refused 10000"]);
    assert_eq!(shop.rows("SELECT status FROM entries WHERE reference = 'E-SO-1'"), ["balanced"]);
    shop.ok("verify");
}

#[test]
fn an_entry_of_an_order_with_money_on_it_waits() {
    let shop = shop();
    order(&shop, "SO-1");
    shop.payments("TX-1,SO-1,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
    assert_eq!(left(&shop), r#"{"money under way":1}"#);
    order(&shop, "SO-2");
    shop.payments("TX-2,SO-2,,card,EUR,captured,100.00,2026-11-16T08:00:00Z,,2026-11-16T08:00:00Z\n");
    assert_eq!(left(&shop), r#"{"money under way":2}"#);
    assert_eq!(collections(&shop), [""; 0]);
}

#[test]
fn only_what_is_open_is_collected() {
    let shop = shop();
    entry(&shop, "E-1", "", "");
    let head = "provider,transaction,entries,method,currency,status,authorised,authorised_at,captured_at";
    let at = "2026-11-16T08:00:00Z";
    import(&shop, "payments", &format!("{head}\npsp,TX-1,E-1,card,EUR,captured,40.00,{at},{at}\n"));
    shop.ok("collect");
    assert_eq!(collections(&shop), ["1 confirmed 6000"]);
    assert_eq!(all_entries(&shop), ["E-1 balanced 10000/10000 -"]);
    shop.ok("verify");
}

#[test]
fn of_two_mandates_a_person_says_which_counts() {
    let shop = shop();
    order(&shop, "SO-1");
    mandates(&shop, "MD-4712,C1,2026-11-02,\nMD-4713,C2,2026-11-02,\n");
    shop.exits("collect", 1);
    let exceptions = told(&shop).concat();
    assert!(exceptions.contains("mandate_ambiguous"), "{exceptions}");
    assert!(exceptions.contains("mandate 1 (sepa at psp, …11) and mandate 2 (sepa at psp, …12)"), "{exceptions}");
    assert_eq!(collections(&shop), [""; 0]);
    assert_eq!(shop.json("show entry E-SO-1")["exceptions"].as_array().map(Vec::len), Some(1));
    mandates(&shop, "MD-4712,C1,2026-11-02,2026-11-22\n");
    shop.ok("collect");
    assert_eq!(collections(&shop), ["1 confirmed 10000"]);
    assert_eq!(told(&shop), [""; 0]);
}

#[test]
fn a_mandate_that_is_revoked_before_it_is_used_is_not_used() {
    let shop = shop();
    order(&shop, "SO-1~collect:unreachable");
    shop.exits("collect", 5);
    mandates(&shop, "MD-4711,C1,2026-11-02,2026-11-22\n");
    let shown = shop.ok("collect --dry-run").stdout;
    assert!(shown.contains("1 no mandate") && shown.contains("withdraw"), "{shown}");
    assert_eq!(left(&shop), r#"{"no mandate":1}"#);
    assert_eq!(collections(&shop), ["1 withdrawn 10000"]);
    shop.ok("verify");
}

#[test]
fn an_order_that_is_cancelled_meanwhile_is_not_collected() {
    let shop = shop();
    order(&shop, "SO-1~collect:unreachable");
    order(&shop, "SO-2~collect:unreachable");
    shop.exits("collect", 5);
    import(
        &shop,
        "orders",
        "order,currency,total,bill_to,ordered_on,cancelled\nSO-1~collect:unreachable,EUR,100.00,C1,2026-11-01,full\n",
    );
    entry(&shop, "E-SO-2~collect:unreachable", "SO-2~collect:unreachable", "true");
    shop.ok("collect");
    assert_eq!(collections(&shop), ["1 withdrawn 10000", "1 withdrawn 10000"]);
    shop.ok("verify");
}

#[test]
fn an_order_whose_entry_is_being_collected_is_not_cleaned_up() {
    let shop = shop();
    for fault in ["timeout-after", "timeout-before", "unreachable", "confirm-late", "refuse"] {
        order(&shop, &format!("SO-{fault}~collect:{fault}"));
        // Its page was closed by the PSP: nothing else protects it.
        let page = shop.json(&format!("checkout --order SO-{fault}~collect:{fault} --as-of 2026-11-02T02:00:00Z"));
        let transaction = page["transaction"].as_str().unwrap_or_default();
        shop.sandbox(&format!("UPDATE transactions SET status = 'expired' WHERE id = '{transaction}'"));
    }
    shop.ok("sync-payments --as-of 2026-11-03T02:00:00Z");
    shop.run(&["collect"]);
    shop.run(&["cleanup-unpaid"]);
    let gone = "SELECT number FROM orders WHERE deleted = 1";
    assert_eq!(shop.rows(gone), ["SO-refuse~collect:refuse"]);
    shop.ok(&format!("verify --as-of {NEXT}"));
}

#[test]
fn two_runs_at_once_collect_each_entry_once() {
    let shop = shop();
    for number in 1..=12 {
        entry(&shop, &format!("E-{number}"), "", "");
    }
    let start = || shop.command(&["collect"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let runs = [start(), start(), start()];
    let codes: Vec<Option<i32>> =
        runs.into_iter().map(|run| run.and_then(|mut run| run.wait()).map_or(None, |status| status.code())).collect();
    assert!(codes.contains(&Some(0)) && codes.iter().all(|code| matches!(code, Some(0 | 4))), "{codes:?}");
    shop.run(&["collect"]);
    assert_eq!(shop.psp_record().len(), 12);
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'collect' AND state = 'confirmed'"), ["12"]);
    shop.ok("verify --against-provider");
}

/// A page that is asked for at the same moment: one of the two brings the money, never both.
#[test]
fn a_page_asked_for_at_the_same_time_is_no_harm() {
    for _ in 0..4 {
        let shop = shop();
        entry(&shop, "E-1", "", "");
        let start = |args: &[&str]| shop.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        for run in [start(&["collect"]), start(&["invite", "E-1"])] {
            assert!(run.and_then(|mut run| run.wait()).is_ok());
        }
        shop.write("request.json", "{\"entries\": [\"E-1\"]}");
        shop.run(&["collect"]);
        shop.run(&["checkout", "request.json"]);
        let open = "SELECT count(*) FROM transactions WHERE status = 'open'";
        let pages = support::rows(&shop.path.join("sandbox.db"), open).concat();
        let collected =
            shop.rows("SELECT count(*) FROM operations WHERE kind = 'collect' AND state = 'confirmed'").concat();
        assert!(matches!((pages.as_str(), collected.as_str()), ("0", "1") | ("1", "0")), "{pages} {collected}");
        shop.ok("verify --against-provider");
    }
}

/// Killed before and after each commit and call, in whatever the PSP answers: the next runs end the same.
#[test]
fn killed_anywhere_the_next_run_ends_the_same() {
    // One call at a time: the moments are the same ones in each run.
    let template = with("[task_defaults]\nconcurrency = 1\n");
    for fault in ["none", "timeout-after", "timeout-before", "insufficient-funds", "confirm-late"] {
        entry(&template, &format!("E-{fault}~collect:{fault}"), "", "");
    }
    let copy = || {
        let to = Shop::new();
        support::copy(&template.path, &to.path);
        to
    };
    let collect = |shop: &Shop, name: &str, value: &str| {
        let mut command = shop.command(&["collect"]);
        command.env(name, value).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.code().is_some())
    };
    let finish = |shop: &Shop| {
        for at in [support::NOW, NEXT, "2026-11-24T02:00:00Z"] {
            shop.run(&["collect", "--as-of", at]);
        }
        let psp = "SELECT key, kind, amount_minor FROM modifications";
        [
            support::rows(&shop.path.join("sandbox.db"), psp),
            shop.rows("SELECT key, state FROM operations WHERE kind = 'collect'"),
            all_entries(shop),
            shop.rows("SELECT transaction_id, status FROM payments"),
            shop.rows("SELECT kind, modification_id, amount_minor FROM movements"),
            shop.rows("SELECT number, kind, amount_minor FROM journals"),
            shop.rows("SELECT kind, state FROM exceptions"),
            shop.rows("SELECT event FROM mails"),
        ]
    };
    let undisturbed = copy();
    let log = undisturbed.path.join("moments");
    collect(&undisturbed, "PAYJOURNAL_KILL_LOG", &log.display().to_string());
    let moments = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    assert!(moments >= 20, "{moments} moments");
    let expected = finish(&undisturbed);
    assert_eq!((expected[0].len(), expected[4].len()), (4, 4));
    for moment in 1..=moments {
        let shop = copy();
        let survived = collect(&shop, "PAYJOURNAL_KILL_AT", &moment.to_string());
        assert!(!survived, "moment {moment} is not reached");
        assert_eq!(finish(&shop), expected, "killed at {moment}");
        shop.ok("verify --against-provider --as-of 2026-11-24T03:00:00Z");
    }
}

#[test]
fn an_invoice_is_not_cancelled_or_credited_over_what_is_being_collected_for_it() {
    let shop = with("[invoices]\nenabled = true\nmail = false\nbill_when = []\n");
    let keyed = "order,currency,total,bill_to,ordered_on,entry_assignment_key\nSO-1,EUR,100.00,C1,2026-11-01,K-1\n";
    import(&shop, "orders", keyed);
    import(&shop, "order-lines", "order,line,description,quantity,unit_price,tax_rate\nSO-1,1,Thing,1,100.00,19\n");
    let entries = "entry,assignment_key,order,customer,currency,amount,due_on\n\
                   E-1~collect:timeout-after,K-1,SO-1,C1,EUR,100.00,2026-11-21\n";
    import(&shop, "entries", entries);
    shop.ok("finalize-invoices");
    shop.exits("collect", 5);
    let refused = shop.exits("cancel-invoice 2026-00001 --reason wrong", 2);
    assert!(refused.stderr.contains("`payjournal collect` asks for it"), "{}", refused.stderr);
    shop.exits("credit-note 2026-00001 --reason wrong", 2);
    shop.ok("collect");
    shop.ok("credit-note 2026-00001 --reason wrong");
    shop.ok("refunds");
    assert_eq!(shop.rows("SELECT kind, amount_minor FROM movements"), ["capture 10000", "refund 10000"]);
    shop.ok("sync-journals");
    shop.ok("verify --against-provider --against-erp");
}

/// The shop cancels an entry and makes another for the same money.
#[track_caller]
fn replaces(first: &str, code: i32) {
    let shop = shop();
    let rows = |rows: &str| {
        import(&shop, "entries", &format!("entry,assignment_key,customer,currency,amount,due_on,cancelled\n{rows}"));
    };
    let one = format!("{first},K-1,C1,EUR,100.00,2026-11-21");
    rows(&format!("{one},\n"));
    shop.exits("collect", code);
    rows(&format!("{one},true\nE-2,K-1,C1,EUR,100.00,2026-11-21,\n"));
    for _ in 0..3 {
        shop.run(&["collect", "--as-of", NEXT]);
    }
    assert_eq!(collections(&shop), ["1 confirmed 10000"], "{first}");
}

#[test]
fn an_entry_that_takes_the_place_of_a_collected_one_waits_for_its_money() {
    replaces("E-1", 0);
    replaces("E-1~collect:confirm-late", 0);
    replaces("E-1~collect:timeout-after", 5);
}

#[test]
fn what_a_sibling_was_paid_too_much_is_used_first() {
    let shop = shop();
    let entries = "entry,assignment_key,customer,currency,amount,due_on\n\
                   E-1,K-1,C1,EUR,19.00,2026-11-21\nE-2,K-1,C1,EUR,100.00,2026-11-21\n";
    import(&shop, "entries", entries);
    let head = "provider,transaction,entries,method,currency,status,authorised,authorised_at,captured_at";
    let at = "2026-11-16T08:00:00Z";
    import(&shop, "payments", &format!("{head}\npsp,TX-1,E-1,card,EUR,captured,119.00,{at},{at}\n"));
    assert_eq!(left(&shop), r#"{"money under way":1}"#);
    assert_eq!(collections(&shop), [""; 0]);
}
