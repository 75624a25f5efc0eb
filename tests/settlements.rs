//! `settlements`: every line to its order, every payout proved, nothing twice, and bad files told without harm to the others.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use serde_json::Value;
use support::Shop;
use support::reports::{HEAD, drop_report, line, report};

const CONFIG: &str = "
[provider.adyen]
kind = \"reports\"
merchant_account = \"ShopEU\"
reports = \"reports\"
order_in_reference = \"WEB-(?<order>.+)\"
";

/// 100.00 sold in two parts, 20.00 refunded, a chargeback of 10.00 with a fee of 5.00, a fee of 1.50, 2.00 carried over: a
/// payout of 58.30.
const PAYOUT: [&str; 7] = [
    "TX-1 WEB-SO-1 Settled CAP-1 60.00 59.40 0.60 7",
    "TX-1 WEB-SO-1 Settled CAP-2 40.00 39.60 0.40 7",
    "TX-2 WEB-SO-2 Refunded REF-1 -20.00 -20.20 0.20 7",
    "TX-3 WEB-SO-3 Chargeback CB-1 -10.00 -15.00 5.00 7",
    "- - Fee - - -1.50 - 7",
    "- - Balancetransfer - - -4.00 - 7",
    "- - MerchantPayout - - -58.30 - 7",
];

fn shop() -> Shop {
    let shop = Shop::with(CONFIG);
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    shop.orders(
        "SO-1,EUR,100.00,online,,none,C1,2026-11-01\nSO-2,EUR,50.00,online,,none,C2,2026-11-01\n\
         SO-3,EUR,10.00,online,,none,C3,2026-11-01\nSO-4,EUR,30.00,online,,none,C4,2026-11-01\n",
    );
    shop.write(
        "payments.csv",
        "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n\
         adyen,TX-1,SO-1,card,EUR,captured,100.00,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z\n\
         adyen,TX-2,SO-2,card,EUR,captured,50.00,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z\n\
         adyen,TX-3,SO-3,card,EUR,captured,10.00,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z\n",
    );
    shop.ok("import payments payments.csv");
    shop
}

#[track_caller]
fn payout<'d>(document: &'d Value, reference: &str) -> &'d Value {
    document["payouts"].as_array().unwrap().iter().find(|payout| payout["reference"] == reference).unwrap()
}

#[test]
fn a_payout_adds_up_and_every_line_has_its_order() {
    let shop = shop();
    drop_report(&shop, "batch_7.csv", &report(&PAYOUT));
    let run = shop.json("settlements");
    assert_eq!((&run["exit_code"], &run["files"][0]["lines_added"]), (&1.into(), &7.into()), "{run:#}");
    let told = run["exceptions"].as_array().unwrap();
    let told: Vec<&str> = told.iter().map(|told| told["kind"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        ["unasked_movement", "chargeback"],
        "the refund nobody here asked for, and the chargeback: {run:#}"
    );
    let payout = payout(&run, "7");
    let proof = &payout["proofs"][0];
    for (part, amount) in [
        ("gross", "70.00"),
        ("fees", "7.70"),
        ("carried", "-4.00"),
        ("paid_out", "58.30"),
        ("remainder", "0.00"),
        ("rounding", "0.00"),
    ] {
        assert_eq!(proof[part], amount, "{part}: {proof:#}");
    }
    assert_eq!((&payout["state"], &payout["lines"]["by_transaction"]), (&"closed".into(), &4.into()));
    assert_eq!(
        shop.rows(
            "SELECT o.number, s.lines, sold_micros, refunded_micros, disputed_micros FROM order_settlements s
             JOIN orders o ON o.id = s.order_id"
        ),
        ["SO-1 2 100000000 0 0", "SO-2 1 0 -20000000 0", "SO-3 1 0 0 -10000000"]
    );
    let lines = shop.json("list lines --order SO-1");
    assert_eq!(lines["lines"].as_array().unwrap().len(), 2);
    assert_eq!(lines["lines"][0]["rule"], "transaction");
}

#[test]
fn explain_says_what_was_tried_for_a_line_and_what_its_reference_could_mean() {
    let shop = shop();
    drop_report(
        &shop,
        "some.csv",
        &report(&[
            "TX-1 WEB-SO-1 Settled CAP-1 60.00 59.40 0.60 7",
            "TX-9 WEB-SO-2;WEB-SO-9 Settled CAP-2 1.00 0.90 0.10 7",
            "TX-8 WEB-SO-4 Settled CAP-3 1.00 0.90 0.10 7",
            "- - Fee - - -1.50 - 7",
        ]),
    );
    let _ = shop.run(&["settlements"]);
    let by_id = shop.ok("explain 1:2").stdout;
    assert!(by_id.contains("-> transaction  the payment with the transaction id `TX-1` is of order"), "{by_id}");
    let ambiguous = shop.json("explain 1:3");
    let known: Vec<&Value> = ambiguous["tried"][2]["candidates"].as_array().unwrap().iter().collect();
    assert_eq!((&known[0]["is_known"], &known[1]["is_known"]), (&true.into(), &false.into()), "{ambiguous:#}");
    assert!(ambiguous["tried"].as_array().unwrap().iter().all(|tried| tried["counts"] == false));
    shop.ok("match 1:4 SO-3 --reason ticket");
    let by_person = shop.ok("explain 1:4").stdout;
    assert!(by_person.contains("-> person") && by_person.contains("SO-4: WEB-SO-4"), "{by_person}");
    assert!(shop.ok("explain 1:5").stdout.contains("to no order"));
    shop.exits("explain 1:77", 2);
}

#[test]
fn the_same_report_adds_nothing_under_another_name_in_another_order_or_with_more_in_it() {
    let shop = shop();
    drop_report(&shop, "one.csv", &report(&PAYOUT));
    shop.exits("settlements", 1);
    drop_report(&shop, "renamed.csv", &report(&PAYOUT));
    let run = shop.json("settlements");
    assert!(run["files"].as_array().unwrap().iter().all(|file| file["outcome"] == "known"), "{run:#}");
    let mut other = PAYOUT.to_vec();
    other.reverse();
    other.push("TX-2 WEB-SO-2 Settled CAP-9 50.00 49.50 0.50 8");
    drop_report(&shop, "overlapping.csv", &report(&other));
    let run = shop.json("settlements");
    let file = run["files"].as_array().unwrap().iter().find(|file| file["outcome"] == "taken").unwrap();
    assert_eq!((&file["lines_added"], &file["lines_known"]), (&1.into(), &7.into()), "{run:#}");
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_lines"), ["8"]);
}

#[test]
fn two_lines_that_are_truly_equal_stay_two_however_often_they_are_read() {
    let shop = shop();
    let fees = ["- - Fee - - -1.50 - 7", "- - Fee - - -1.50 - 7", "- - MerchantPayout - - 3.00 - 7"];
    drop_report(&shop, "a.csv", &report(&fees));
    shop.ok("settlements");
    drop_report(&shop, "b.csv", &report(&[fees[2], fees[0], fees[1]]));
    shop.ok("settlements");
    drop_report(&shop, "c.csv", &report(&[fees[0], fees[1], fees[0], fees[2]]));
    let run = shop.json("settlements");
    let added: u64 = run["files"].as_array().unwrap().iter().filter_map(|file| file["lines_added"].as_u64()).sum();
    assert_eq!(added, 1, "a third one is new: {run:#}");
    assert_eq!(
        shop.rows("SELECT kind, count(*), max(ordinal) FROM settlement_lines GROUP BY kind"),
        ["15 1 1", "8 3 3"]
    );
}

#[test]
fn a_line_without_a_payment_goes_by_its_reference_where_that_is_allowed_and_else_waits_for_its_order() {
    let shop = shop();
    drop_report(
        &shop,
        "lost.csv",
        &report(&[
            "TX-LOST WEB-SO-4 Settled CAP-4 30.00 29.70 0.30 7",
            "TX-5 WEB-SO-5 Settled CAP-5 5.00 4.90 0.10 7",
            "TX-6 SO-1 Settled CAP-6 5.00 4.90 0.10 7",
            "- - MerchantPayout - - -39.50 - 7",
        ]),
    );
    let run = shop.exits("settlements --json", 1);
    let run: Value = serde_json::from_str(&run.stdout).unwrap();
    let counts = &payout(&run, "7")["lines"];
    assert_eq!((&counts["by_reference"], &counts["unmatched"]), (&1.into(), &2.into()), "{run:#}");
    assert_eq!(run["exceptions"][0]["kind"], "lines_unmatched");
    // Nothing new in the folder: the lines are tried again all the same.
    shop.orders("SO-5,EUR,5.00,online,,none,C1,2026-11-01\n");
    let run = shop.json("settlements");
    assert_eq!((&run["rematched"], &payout(&run, "7")["lines"]["unmatched"]), (&1.into(), &1.into()), "{run:#}");
    shop.write(
        "more.csv",
        "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n\
         adyen,TX-6,SO-1,card,EUR,captured,5.00,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z\n",
    );
    shop.ok("import payments more.csv");
    let run = shop.json("settlements");
    assert_eq!((&run["rematched"], &run["exit_code"]), (&1.into(), &0.into()), "{run:#}");
    assert_eq!(shop.rows("SELECT count(*) FROM unmatched_groups"), ["0"]);
    assert_eq!(
        shop.rows("SELECT count(*) FROM exceptions WHERE state <> 'resolved' AND kind = 'lines_unmatched'"),
        ["0"]
    );
    let lines = shop.json("list lines --transaction TX-6");
    assert_eq!(
        (&lines["lines"][0]["rule"], &lines["lines"][0]["order"]),
        (&"transaction".into(), &"webshop/SO-1".into())
    );
}

#[test]
fn a_reference_that_names_two_orders_is_told_and_never_picked() {
    let shop = shop();
    drop_report(
        &shop,
        "two.csv",
        &report(&["TX-9 WEB-SO-1;WEB-SO-2 Settled CAP-9 9.00 9.00 0 7", "- - MerchantPayout - - -9.00 - 7"]),
    );
    let run = shop.json("settlements");
    assert_eq!((&run["exceptions"][0]["kind"], &run["exit_code"]), (&"match_ambiguous".into(), &1.into()), "{run:#}");
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_matches"), ["0"]);
}

#[test]
fn what_a_person_says_of_a_line_stands_before_what_runs_find() {
    let shop = shop();
    drop_report(&shop, "one.csv", &report(&PAYOUT));
    shop.exits("settlements", 1);
    let lines = shop.json("list lines --transaction TX-1");
    let name = lines["lines"][0]["line"].as_str().unwrap().to_owned();
    shop.exits(&format!("match {name} SO-9 --reason x"), 2);
    shop.ok(&format!("match {name} SO-4 --reason wrong-order-in-the-shop"));
    let settled = || {
        shop.rows(
            "SELECT o.number, s.lines, sold_micros FROM order_settlements s JOIN orders o ON o.id = s.order_id
             WHERE o.number IN ('SO-1', 'SO-4')",
        )
    };
    assert_eq!(settled(), ["SO-1 0 0", "SO-4 2 100000000"]);
    drop_report(&shop, "more.csv", &report(&["TX-1 WEB-SO-1 Settled CAP-3 1.00 1.00 0 8"]));
    shop.ok("settlements");
    assert_eq!(settled(), ["SO-1 0 0", "SO-4 3 101000000"]);
    let unmatched = shop.json(&format!("unmatch {name} --reason nobody-knows"));
    assert_eq!(unmatched["done"]["before"]["order"], "webshop/SO-4", "{unmatched:#}");
    assert_eq!(settled(), ["SO-1 0 0", "SO-4 0 0"]);
    shop.ok("settlements");
    assert_eq!(settled(), ["SO-1 0 0", "SO-4 0 0"]);
    let lines = shop.json("list lines --transaction TX-1");
    assert_eq!((&lines["lines"][0]["rule"], &lines["lines"][0]["reason"]), (&"person".into(), &"nobody-knows".into()));
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_matches"), ["2"]);
    shop.exits("match 99:1 SO-4 --reason x", 2);
}

#[test]
fn a_payout_with_a_kind_nobody_knows_or_a_cent_too_few_is_told_once_and_closed_when_it_is_right() {
    let shop = shop();
    let unknown = [
        "TX-1 WEB-SO-1 Settled CAP-1 60.00 60.00 0 7",
        "- - BPPaidOut - - 1.00 - 7",
        "- - MerchantPayout - - -61.00 - 7",
    ];
    drop_report(&shop, "unknown.csv", &report(&unknown));
    let run = shop.json("settlements");
    assert_eq!(
        (&run["exceptions"][0]["kind"], &payout(&run, "7")["lines"]["unknown"]),
        (&"payout_remainder".into(), &1.into())
    );
    let shown = shop.json("list lines --unknown");
    assert!(shown["lines"][0]["note"].as_str().unwrap().contains("Type=BPPaidOut"), "{shown:#}");
    drop_report(
        &shop,
        "cent.csv",
        &report(&["TX-2 WEB-SO-2 Settled C 50.00 50.00 0 8", "- - MerchantPayout - - -49.99 - 8"]),
    );
    let run = shop.json("settlements");
    assert_eq!(run["exceptions"].as_array().unwrap().len(), 1, "{run:#}");
    assert_eq!(payout(&run, "8")["proofs"][0]["remainder"], "0.01");
    assert_eq!(shop.json("settlements")["exit_code"], 0, "an old exception is not a new one");
    drop_report(&shop, "late.csv", &report(&["- - Fee - - -0.01 - 8"]));
    let run = shop.json("settlements");
    assert_eq!(payout(&run, "8")["state"], "closed", "{run:#}");
    assert_eq!(
        shop.rows("SELECT count(*) FROM exceptions WHERE state <> 'resolved' AND subject LIKE 'payout 8 %'"),
        ["0"]
    );
}

#[test]
fn a_known_line_with_other_amounts_is_told_and_the_old_one_stands() {
    let shop = shop();
    drop_report(&shop, "one.csv", &report(&["TX-1 WEB-SO-1 Settled CAP-1 60.00 59.40 0.60 7"]));
    shop.ok("settlements");
    drop_report(&shop, "two.csv", &report(&["TX-1 WEB-SO-1 Settled CAP-1 61.00 60.40 0.60 7"]));
    let run = shop.json("settlements");
    assert_eq!((&run["exceptions"][0]["kind"], &run["exit_code"]), (&"line_differs".into(), &1.into()), "{run:#}");
    assert_eq!(shop.rows("SELECT gross, net FROM settlement_lines"), ["6000 5940"]);
}

#[test]
fn a_bad_line_is_told_with_its_column_and_value_and_the_others_are_taken() {
    let shop = shop();
    let good = line("TX-1 WEB-SO-1 Settled CAP-1 60.00 59.40 0.60 7");
    let bad = good.replace("59.40", "59,40").replace(",59,40,", ",\"59,40\",").replace("CAP-1", "CAP-2");
    drop_report(&shop, "mixed.csv", &format!("{HEAD}\n{bad}\n{good}\n"));
    let run = shop.json("settlements");
    let message = run["exceptions"][0]["message"].as_str().unwrap();
    assert!(message.contains("line 2, column `Net Credit (NC)`, `59,40`: not a decimal"), "{message}");
    assert_eq!((&run["files"][0]["lines_added"], &run["files"][0]["lines_refused"]), (&1.into(), &1.into()));
    // Tomorrow's file of the same name has a bad line of its own.
    drop_report(&shop, "mixed.csv", &format!("{HEAD}\n{}\n", bad.replace("CAP-2", "CAP-3")));
    assert_eq!(shop.json("settlements")["exceptions"][0]["kind"], "line_refused");
}

#[test]
fn a_file_that_is_none_or_is_cut_off_leaves_nothing_behind_and_the_others_go_on() {
    let shop = shop();
    drop_report(&shop, "1-picture.csv", "\u{0}\u{1}PNG\n");
    drop_report(&shop, "2-no-batch.csv", &report(&PAYOUT).replace("Batch Number", "Batch"));
    let whole = report(&PAYOUT);
    drop_report(&shop, "3-cut-off.csv", &whole[..whole.len() - 60]);
    drop_report(&shop, "4-unclosed.csv", &whole.replacen("visa,2026", "\"visa,2026", 1));
    drop_report(&shop, "5-good.csv", &report(&["TX-1 WEB-SO-1 Settled CAP-1 60.00 59.40 0.60 9"]));
    drop_report(&shop, "6-under-way.csv.part", "nothing yet");
    let run = shop.json("settlements");
    let outcomes: Vec<&str> =
        run["files"].as_array().unwrap().iter().map(|file| file["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["refused", "refused", "refused", "refused", "taken"], "{run:#}");
    assert!(run["files"][1]["why"].as_str().unwrap().contains("the column `Batch Number` is missing"), "{run:#}");
    assert!(run["files"][2]["why"].as_str().unwrap().contains("cut off"), "{run:#}");
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_lines"), ["1"]);
    assert_eq!(shop.rows("SELECT count(*) FROM report_files"), ["1"]);
    // Fetched again whole, the file is read and its exception goes.
    drop_report(&shop, "3-cut-off.csv", &whole);
    shop.run(&["settlements"]);
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_lines"), ["8"]);
    assert_eq!(
        shop.rows(
            "SELECT state FROM exceptions WHERE kind = 'report_refused' AND subject LIKE 'report %3-cut-off.csv'"
        ),
        ["resolved"]
    );
}

#[test]
fn lines_of_an_account_nobody_configured_wait_until_somebody_does() {
    let shop = shop();
    drop_report(&shop, "all.csv", &report(&PAYOUT).replacen("Shop,ShopEU,TX-3", "Shop,ShopUS,TX-3", 1));
    let run = shop.json("settlements");
    assert!(
        run["exceptions"].as_array().unwrap().iter().any(|exception| exception["kind"] == "account_unknown"),
        "{run:#}"
    );
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_lines"), ["6"]);
    let more =
        format!("{CONFIG}\n[provider.us]\nkind = \"reports\"\nmerchant_account = \"ShopUS\"\nreports = \"reports\"\n");
    shop.write("payjournal.toml", &more);
    shop.run(&["settlements"]);
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_lines"), ["7"]);
    assert_eq!(shop.rows("SELECT state FROM exceptions WHERE kind = 'account_unknown'"), ["resolved"]);
}

#[test]
fn a_dry_run_says_what_would_come_and_leaves_nothing() {
    let shop = shop();
    drop_report(&shop, "one.csv", &report(&PAYOUT));
    let run = shop.json("settlements --dry-run");
    assert_eq!((&run["files"][0]["lines_added"], &run["dry_run"]), (&7.into(), &true.into()), "{run:#}");
    for table in ["settlement_lines", "report_files", "payouts", "exceptions", "runs"] {
        assert_eq!(shop.rows(&format!("SELECT count(*) FROM {table}")), ["0"], "{table}");
    }
}

#[test]
fn without_a_folder_the_run_says_so_and_is_tried_again() {
    let shop = Shop::with(CONFIG);
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-01\n");
    let run = shop.exits("settlements", 5);
    assert!(run.stderr.contains("reports"), "{}", run.stderr);
}

#[test]
fn settlement_lines_and_matches_cannot_be_rewritten() {
    let shop = shop();
    drop_report(&shop, "lost.csv", &report(&["TX-LOST WEB-SO-4 Settled CAP-4 30.00 29.70 0.30 7"]));
    shop.exits("settlements", 1);
    for change in [
        "UPDATE settlement_lines SET net = 0",
        "DELETE FROM settlement_lines",
        "UPDATE settlement_matches SET order_id = 1",
        "DELETE FROM settlement_matches",
        "UPDATE payouts SET reference = ''",
        "DELETE FROM report_files",
    ] {
        assert!(shop.ledger().execute_batch(change).is_err(), "{change}");
    }
}

/// A report that only its configuration explains, as a German spreadsheet writes it.
#[test]
fn a_report_the_configuration_explains_adds_up_like_any_other() {
    let shop = Shop::with(
        "
[provider.kasse]
kind = \"reports\"
merchant_account = \"Laden\"
reports = \"reports\"
report_format = \"generic\"

[provider.kasse.report_columns]
separator = \";\"
credit = \"Haben\"
debit = \"Soll\"
amount_is = \"gross\"
currency = \"EUR\"
decimal_point = \",\"
thousands_separator = \".\"
date = \"Datum\"
date_format = \"%d.%m.%Y\"
time_zone = \"Europe/Berlin\"
payout_column = \"Auszahlung\"
kind = \"Art\"
kinds = { \"Verkauf\" = \"sale\", \"Erstattung\" = \"refund\", \"Gebühr\" = \"fee\", \"Überweisung\" = \"payout\" }
fee = \"Entgelt\"
tax = \"USt\"
transaction = \"Zahlung\"
reference = \"Auftrag\"
",
    );
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    shop.orders("SO-1,EUR,1234.50,online,,none,C1,2026-11-01\nSO-2,EUR,20.00,online,,none,C2,2026-11-01\n");
    shop.write(
        "payments.csv",
        "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n\
         kasse,Z-1,SO-1,card,EUR,captured,1234.50,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z\n\
         kasse,Z-2,SO-2,card,EUR,captured,20.00,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z\n",
    );
    shop.ok("import payments payments.csv");
    drop_report(
        &shop,
        "november.csv",
        "Datum;Art;Zahlung;Auftrag;Haben;Soll;Entgelt;USt;Auszahlung\n\
         10.11.2026;Verkauf;Z-1;SO-1;1.234,50;;12,35;2,35;A7\n\
         11.11.2026;Erstattung;Z-2;SO-2;;20,00;0,10;;A7\n\
         12.11.2026;Gebühr;;;;5,00;;;A7\n\
         13.11.2026;Überweisung;;;;1.194,70;;;A7\n",
    );
    let run = shop.json("settlements");
    assert_eq!(
        (&run["exceptions"][0]["kind"], &run["files"][0]["format"]),
        (&"unasked_movement".into(), &"generic".into()),
        "{run:#}"
    );
    let payout = payout(&run, "A7");
    let proof = &payout["proofs"][0];
    for (part, amount) in
        [("gross", "1214.50"), ("fees", "17.45"), ("taxes", "2.35"), ("paid_out", "1194.70"), ("remainder", "0.00")]
    {
        assert_eq!(proof[part], amount, "{part}: {proof:#}");
    }
    assert_eq!((&payout["state"], &payout["lines"]["by_transaction"]), (&"closed".into(), &2.into()));
    let lines = shop.json("list lines --order SO-1");
    assert_eq!(
        (&lines["lines"][0]["net"]["amount"], &lines["lines"][0]["occurred_at"]),
        (&"1219.80".into(), &"2026-11-09T23:00:00Z".into()),
        "{lines:#}"
    );
}

#[test]
fn an_order_is_held_against_what_was_settled_for_it() {
    let shop = shop();
    drop_report(&shop, "batch_7.csv", &report(&PAYOUT));
    shop.exits("settlements", 1);
    let orders = shop.json("list orders");
    let states: Vec<String> = orders["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| format!("{} {}", order["number"].as_str().unwrap(), order["state"].as_str().unwrap()))
        .collect();
    // Of SO-2 only the refund was settled, of SO-3 only the chargeback; SO-4 has no payment.
    assert_eq!(states, ["SO-2 under", "SO-3 disputed"], "{orders:#}");
    let settled = shop.json("list orders --state settled");
    assert_eq!(settled["orders"][0]["number"], "SO-1");
    let shown = shop.ok("show order SO-1").stdout;
    assert!(shown.contains("Settlement lines") && shown.contains("59.40 EUR"), "{shown}");
    shop.exits("list orders --state paid", 2);
}
