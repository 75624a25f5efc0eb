//! `settlements`: no line of a report vanishes untold, and no money is booked on a day or a payment it cannot be of.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use serde_json::Value;
use support::Shop;
use support::reports::{ADYEN, STRIPE_LINES, drop_report, report};

/// A table of its own, with the columns that `more` names besides.
fn kasse(more: &str) -> String {
    let provider = ADYEN.replace("adyen", "kasse").replace("ShopEU", "Laden");
    format!(
        "{provider}report_format = \"generic\"

[provider.kasse.report_columns]
amount = \"Amount\"
currency = \"EUR\"
date = \"Date\"
kind = \"Type\"
kinds = {{ \"S\" = \"sale\", \"F\" = \"fee\", \"P\" = \"payout\" }}
transaction = \"Tx\"
modification = \"Id\"
{more}

[method.card]
strategy = \"automatic\"
"
    )
}

const PAYOUT_COLUMN: &str = "payout_column = \"Payout\"";
const OWN_ID: &str = "payout_column = \"Payout\"\nhas_own_id = true";

/// Three orders of 100.00, each with an authorised payment of `provider`.
fn shop(config: &str, provider: &str) -> Shop {
    let shop = Shop::with(config);
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    let each = |row: fn(u32, &str) -> String| (1..=3).map(|n| row(n, provider)).collect::<String>();
    shop.orders(&each(|n, _| format!("SO-{n},EUR,100.00,online,,none,C{n},2026-11-01\n")));
    let payments = each(|n, of| format!("{of},TX-{n},SO-{n},card,EUR,authorised,100.00,2026-11-02T08:00:00Z,\n"));
    import_payments(&shop, &payments);
    shop
}

fn import_payments(shop: &Shop, rows: &str) {
    let head = "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n";
    shop.write("payments.csv", &format!("{head}{rows}"));
    shop.ok("import payments payments.csv");
}

/// `Amount,Date,Payout,Type,Tx,Id`.
fn table(rows: &[&str]) -> String {
    format!("Amount,Date,Payout,Type,Tx,Id\n{}\n", rows.join("\n"))
}

fn stored(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, transaction_id, modification_id, net, count(*) FROM settlement_lines GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4")
}

fn open(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind FROM exceptions WHERE state <> 'resolved' ORDER BY kind")
}

fn told(run: &Value, kind: &str) -> Vec<String> {
    let all = run["exceptions"].as_array().unwrap().iter().filter(|told| told["kind"] == kind);
    all.map(|told| format!("{}: {}", told["subject"].as_str().unwrap(), told["message"].as_str().unwrap())).collect()
}

#[test]
fn a_second_row_of_one_file_with_the_same_own_id_is_told_if_it_says_another_thing() {
    for (second, what) in [
        ("50.00,2026-11-10,P1,S,TX-1,i1", "another amount"),
        ("100.00,2026-11-10,P1,S,TX-2,i1", "another payment"),
        ("100.00,2026-11-10,P1,F,TX-1,i1", "another kind"),
        ("100.00,2026-11-10,P2,S,TX-1,i1", "another payout"),
    ] {
        let shop = shop(&kasse(OWN_ID), "kasse");
        let rows = ["100.00,2026-11-10,P1,S,TX-1,i1", second, "-100.00,2026-11-11,P1,P,,p1"];
        drop_report(&shop, "a.csv", &table(&rows));
        let run = shop.json("settlements");
        let differing = told(&run, "line_differs");
        assert_eq!((differing.len(), &run["exit_code"]), (1, &1.into()), "{what}: {run:#}");
        assert!(differing[0].contains("this report itself"), "{differing:?}");
        assert_eq!(shop.rows("SELECT count(*) FROM settlement_lines"), ["2"], "{what}");
        shop.ok("verify");
    }
    // The very same once more is no news.
    let shop = shop(&kasse(OWN_ID), "kasse");
    let row = "100.00,2026-11-10,P1,S,TX-1,i1";
    drop_report(&shop, "a.csv", &table(&[row, row, "-100.00,2026-11-11,P1,P,,p1"]));
    shop.ok("settlements");
}

#[test]
fn a_row_of_a_later_file_with_the_same_own_id_is_told_if_it_is_of_another_payment_or_kind() {
    for second in ["100.00,2026-11-10,P1,S,TX-2,i1", "100.00,2026-11-10,P1,F,TX-1,i1"] {
        let shop = shop(&kasse(OWN_ID), "kasse");
        drop_report(&shop, "a.csv", &table(&["100.00,2026-11-10,P1,S,TX-1,i1", "-100.00,2026-11-11,P1,P,,p1"]));
        shop.ok("settlements");
        drop_report(&shop, "b.csv", &table(&[second]));
        let run = shop.json("settlements");
        assert!(told(&run, "line_differs")[0].contains("an earlier report"), "{run:#}");
    }
}

#[test]
fn an_empty_id_is_no_id_and_such_rows_do_not_swallow_each_other() {
    let shop = shop(&kasse(OWN_ID), "kasse");
    let fee = "-1.00,2026-11-11,P1,F,,";
    let rows =
        ["100.00,2026-11-10,P1,S,TX-1,", "100.00,2026-11-10,P1,S,TX-2,", fee, fee, "-198.00,2026-11-11,P1,P,,p1"];
    drop_report(&shop, "a.csv", &table(&rows));
    shop.ok("settlements");
    let lines = ["1 TX-1  10000 1", "1 TX-2  10000 1", "15  p1 -19800 1", "8   -100 2"];
    assert_eq!(sorted(stored(&shop)), sorted(lines.map(str::to_owned).to_vec()));
    drop_report(&shop, "b.csv", &table(&[rows[4], rows[1], rows[3], rows[2], rows[0], "1.00,2026-11-12,P1,S,TX-3,"]));
    shop.exits("settlements", 1);
    assert_eq!(open(&shop), ["payout_remainder"], "the one that is new is not paid out yet");
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_lines"), ["6"]);
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

#[test]
fn stripes_ids_are_held_against_each_other_within_one_file_too() {
    let config = ADYEN.replace("adyen", "stripe").replace("ShopEU", "acct_1");
    let shop = shop(&config, "stripe");
    let row = |id: &str, net: &str, payment: &str| {
        format!("po_1,{id},2026-11-10 12:00:00,eur,{net},0.00,{net},charge,ch_1,,,ch_1,{payment},,card,\n")
    };
    let rows = [row("txn_1", "100.00", "TX-1"), row("txn_1", "50.00", "TX-1"), row("", "100.00", "TX-2")];
    drop_report(&shop, "a.csv", &format!("{STRIPE_LINES}\n{}{}", rows.concat(), row("", "100.00", "TX-3")));
    let run = shop.json("settlements");
    assert_eq!(told(&run, "line_differs").len(), 1, "{run:#}");
    assert_eq!(stored(&shop), ["1 TX-1 txn_1 10000 1", "1 TX-2  10000 1", "1 TX-3  10000 1"]);
}

#[test]
fn lines_with_an_order_whose_payment_is_not_in_the_ledger_are_told_until_it_is_imported() {
    let config = format!("{ADYEN}order_in_reference = \"WEB-(?<order>.+)\"\n[method.card]\nstrategy = \"automatic\"\n");
    let shop = shop(&config, "adyen");
    let lines = [
        "TX-8 WEB-SO-1 Settled CAP-8 100.00 100.00 0 7",
        "TX-9 SO-2 Settled CAP-9 100.00 100.00 0 7",
        "- - MerchantPayout - - -200.00 - 7",
    ];
    drop_report(&shop, "7.csv", &report(&lines));
    shop.exits("settlements", 1);
    shop.ok("match 1:3 SO-2 --reason ticket");
    shop.ok("settlements");
    let missing = shop.rows("SELECT message FROM exceptions WHERE kind = 'payment_unknown' AND state <> 'resolved'");
    assert_eq!(missing.len(), 1, "one for the payout");
    for part in ["2 lines", "line 1:2 (100.00 EUR, transaction TX-8, order webshop/SO-1)", "line 1:3", "adyen"] {
        assert!(missing[0].contains(part), "{part}: {missing:?}");
    }
    let row = |n: u32, order: &str| format!("adyen,TX-{n},{order},card,EUR,authorised,100.00,2026-11-02T08:00:00Z,\n");
    import_payments(&shop, &row(8, "SO-1"));
    let _ = shop.run(&["settlements"]);
    assert_eq!(open(&shop), ["payment_unknown"], "that of the person's match is still missing");
    import_payments(&shop, &row(9, "SO-2"));
    shop.ok("settlements");
    assert_eq!(open(&shop), Vec::<String>::new());
    assert_eq!(shop.rows("SELECT count(*) FROM movements WHERE kind = 'capture'"), ["2"]);
    shop.ok("verify");
}

#[test]
fn a_payment_that_is_not_in_the_ledger_is_told_no_more_once_a_person_has_ended_it() {
    let config = format!("{ADYEN}order_in_reference = \"WEB-(?<order>.+)\"\n");
    let shop = shop(&config, "adyen");
    drop_report(&shop, "7.csv", &report(&["- WEB-SO-1 Settled CAP-8 100.00 100.00 0 7"]));
    let run = shop.json("settlements");
    assert!(told(&run, "payment_unknown")[0].contains("without a transaction"), "{run:#}");
    let id = shop.rows("SELECT id FROM exceptions WHERE kind = 'payment_unknown'").concat();
    shop.ok(&format!("resolve {id}"));
    shop.ok("settlements");
    assert_eq!(open(&shop), Vec::<String>::new());
}

#[test]
fn a_report_of_which_nothing_could_be_taken_is_refused_by_the_config() {
    let told = Shop::with(&kasse("")).exits("check", 3).stderr;
    assert!(told.contains("payout_column` is missing") && told.contains("has_own_id"), "{told}");
    let shop = shop(&kasse("has_own_id = true"), "kasse");
    drop_report(&shop, "a.csv", &table(&["100.00,2026-11-10,,S,TX-1,i1", "-1.00,2026-11-10,,F,,"]));
    let run = shop.json("settlements");
    assert_eq!((&run["files"][0]["lines_added"], &run["files"][0]["lines_not_paid_out"]), (&1.into(), &1.into()));
}

#[test]
fn lines_without_a_payout_are_counted_as_left_out() {
    let shop = shop(&kasse(PAYOUT_COLUMN), "kasse");
    drop_report(&shop, "a.csv", &table(&["100.00,2026-11-10,P1,S,TX-1,i1", "7.00,2026-11-10,,S,TX-2,i2"]));
    let log = log(&shop, &shop.json("settlements"));
    assert!(log.contains("1 new lines, 0 known, 1 left out (1 of them name no payout)"), "{log}");
}

#[test]
fn with_one_payout_for_all_a_line_without_an_id_is_another_one_on_another_day() {
    let shop = shop(&kasse("payout = \"X\""), "kasse");
    let november = ["100.00,2026-11-10,,S,TX-1,i1", "-5.00,2026-11-10,,F,,", "-5.00,2026-11-10,,F,,"];
    drop_report(&shop, "november.csv", &table(&november));
    shop.ok("settlements");
    let later = ["-5.00,2026-11-17,,F,,", "-6.00,2026-11-18,,F,,", "-5.00,2026-11-17,,F,,", november[1], november[2]];
    drop_report(&shop, "later.csv", &table(&later));
    let run = shop.json("settlements");
    let later = run["files"].as_array().unwrap().iter().find(|file| file["outcome"] == "taken").unwrap();
    assert_eq!((&later["lines_added"], &later["lines_known"]), (&3.into(), &2.into()), "{run:#}");
    assert_eq!(
        shop.rows("SELECT day, net, count(*) FROM settlement_lines WHERE kind = 8 GROUP BY day ORDER BY day"),
        ["20767 -500 2", "20774 -500 2", "20775 -600 1"]
    );
    shop.ok("verify");
}

#[test]
fn captures_beyond_what_was_authorised_are_booked_and_told() {
    let twice = ["TX-1 - Settled CAP-1 100.00 100.00 0 7", "TX-1 - Settled CAP-2 100.00 100.00 0 7"];
    let once = ["TX-1 - Settled CAP-1 200.00 200.00 0 7"];
    for lines in [twice.as_slice(), &once] {
        let shop = shop(&format!("{ADYEN}[method.card]\nstrategy = \"automatic\"\n"), "adyen");
        drop_report(&shop, "7.csv", &report(lines));
        let run = shop.json("settlements");
        let differs = told(&run, "amount_differs");
        assert!(differs.len() == 1 && differs[0].contains("100.00 EUR too much"), "{run:#}");
        assert_eq!(shop.rows("SELECT sum(amount_minor) FROM movements WHERE kind = 'capture'"), ["20000"]);
        shop.ok("settlements");
        assert_eq!(open(&shop), ["amount_differs"], "told once");
    }
    let shop = shop(&format!("{ADYEN}[method.card]\nstrategy = \"automatic\"\n"), "adyen");
    drop_report(
        &shop,
        "7.csv",
        &report(&["TX-1 - Settled CAP-1 60.00 60.00 0 7", "TX-1 - Settled CAP-2 40.00 40.00 0 7"]),
    );
    shop.ok("settlements");
    assert_eq!(open(&shop), Vec::<String>::new());
}

#[test]
fn a_line_of_a_day_on_which_no_money_can_have_moved_is_left_out_and_told() {
    let shop = shop(&kasse(PAYOUT_COLUMN), "kasse");
    let rows = [
        "100.00,9999-12-31,P1,S,TX-1,i1",
        "100.00,1999-12-31,P1,S,TX-2,i2",
        "100.00,2026-12-18,P1,S,TX-3,i3",
        "100.00,2026-11-15,P1,S,TX-3,i4",
    ];
    drop_report(&shop, "a.csv", &table(&rows));
    let run: Value =
        serde_json::from_str(&shop.exits("settlements --json --as-of 2026-11-15T02:00:00Z", 1).stdout).unwrap();
    let refused = told(&run, "line_refused");
    assert_eq!((refused.len(), &run["files"][0]["lines_added"]), (3, &1.into()), "{run:#}");
    assert!(
        refused.iter().any(|told| told.contains("a.csv") && told.contains("line 2, column `Date`, `9999-12-31`")),
        "{refused:?}"
    );
}

fn log(shop: &Shop, run: &Value) -> String {
    std::fs::read_to_string(shop.path.join(run["log"].as_str().unwrap())).unwrap()
}

#[test]
fn a_column_that_stands_twice_in_the_head_is_named_and_nothing_is_read() {
    let shop = shop(ADYEN, "adyen");
    let text = report(&["TX-1 - Settled CAP-1 100.00 100.00 0 7"]);
    let twice = text.replace('\n', ",x\n").replacen(",x\n", ",Net Credit (NC)\n", 1);
    drop_report(&shop, "a.csv", &twice);
    let run = shop.json("settlements");
    assert!(told(&run, "report_refused")[0].contains("the column `Net Credit (NC)` stands twice"), "{run:#}");
    drop_report(&shop, "a.csv", &twice.replacen(",Net Credit (NC)\n", ",visa\n", 1));
    assert_eq!(shop.json("settlements")["files"][0]["lines_added"], 1, "another one may");
}

#[test]
fn a_report_in_utf_16_is_told_by_that_name() {
    let text = report(&["TX-1 - Settled CAP-1 100.00 100.00 0 7"]);
    for mark in ["", "\u{feff}"] {
        let shop = shop(ADYEN, "adyen");
        let bytes: Vec<u8> = format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        std::fs::write(shop.path.join("reports/a.csv"), bytes).unwrap();
        let run = shop.json("settlements");
        assert!(told(&run, "report_refused")[0].contains("UTF-16: save it as UTF-8"), "{run:#}");
    }
}

#[test]
fn what_lies_among_the_reports_and_is_no_file_is_named_in_the_log() {
    let shop = shop(ADYEN, "adyen");
    std::fs::create_dir(shop.path.join("reports/old")).unwrap();
    std::os::unix::fs::symlink("/nowhere", shop.path.join("reports/linked.csv")).unwrap();
    let run = shop.json("settlements");
    let log = log(&shop, &run);
    for part in ["reports/old` is no file", "reports/linked.csv` is a link to nothing"] {
        assert!(log.contains(part), "{part}: {log}");
    }
}
