//! Fees, reserves and payouts in the books: every line against clearing on its day, nothing twice, and nothing left over once
//! a payout adds up.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use support::Shop;
use support::reports::{ADYEN, HEAD, STRIPE_LINES, STRIPE_PAYOUTS, captured_shop, drop_report, line, report};

/// 100.00 captured: settled in two parts, a fee of 1.50, 4.00 carried over.
const PAYOUT: [&str; 5] = [
    "TX-1 WEB-SO-1 Settled CAP-1 60.00 59.40 0.60 7",
    "TX-1 WEB-SO-1 Settled CAP-2 40.00 39.60 0.40 7",
    "- - Fee - - -1.50 - 7",
    "- - Balancetransfer - - -4.00 - 7",
    "- - MerchantPayout - - -93.50 - 7",
];

fn shop() -> Shop {
    captured_shop(ADYEN, ("adyen", "TX-1"))
}

/// Account, currency and balance in minor units, of all accounts that do not stand at zero.
fn balances(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT account, currency, sum(amount_minor) AS balance FROM (
           SELECT account, currency, p.amount_minor FROM postings p JOIN journals j ON j.id = p.journal_id
           UNION ALL
           SELECT account, currency, p.amount_minor FROM payout_postings p JOIN payout_journals j ON j.id = p.journal_id)
         GROUP BY account, currency HAVING balance <> 0 ORDER BY account, currency",
    )
}

/// Kind, day, part, currency and what it does to clearing.
fn journals(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT j.kind, j.posting_date, j.part, j.currency, p.amount_minor FROM payout_journals j
         JOIN payout_postings p ON p.journal_id = j.id AND p.line = 1 ORDER BY j.kind, j.posting_date, j.currency, j.part",
    )
}

#[track_caller]
fn verifies(shop: &Shop) {
    let found = shop.json("verify");
    assert_eq!(found["findings"].as_array().unwrap().len(), 0, "{found:#}");
}

#[test]
fn fees_and_payouts_are_booked_and_what_is_left_on_clearing_is_what_the_psp_owes() {
    let shop = shop();
    drop_report(&shop, "batch_7.csv", &report(&PAYOUT));
    shop.ok("settlements");
    // 4.00 were carried over to the next payout.
    assert_eq!(
        balances(&shop),
        [
            "Assets:MoneyInTransit:EUR EUR 9350",
            "Assets:PSP:adyen:ShopEU:EUR EUR 400",
            "Expenses:PSP:adyen:Fees EUR 250",
            "Liabilities:Prepayments:C1 EUR -10000",
        ]
    );
    verifies(&shop);
    drop_report(
        &shop,
        "batch_8.csv",
        &report(&["- - Balancetransfer - - 4.00 - 8", "- - MerchantPayout - - -4.00 - 8"]),
    );
    shop.ok("settlements");
    assert!(!balances(&shop).iter().any(|balance| balance.starts_with("Assets:PSP")), "{:?}", balances(&shop));
    verifies(&shop);
}

#[test]
fn lines_that_come_later_are_booked_as_the_difference_and_known_ones_not_again() {
    let shop = shop();
    drop_report(&shop, "early.csv", &report(&PAYOUT[..3]));
    shop.ok("settlements");
    assert_eq!(journals(&shop), ["fee 2026-11-10 1 EUR -250"]);
    let mut all = PAYOUT.to_vec();
    all.push("- - Fee - - -0.50 - 7");
    drop_report(&shop, "whole.csv", &report(&all));
    let _ = shop.run(&["settlements"]);
    drop_report(&shop, "again.csv", &report(&[&all[5..], &all[..5]].concat()));
    let _ = shop.run(&["settlements"]);
    assert_eq!(
        journals(&shop),
        ["fee 2026-11-10 1 EUR -250", "fee 2026-11-10 2 EUR -50", "payout 2026-11-10 1 EUR -9350"]
    );
    verifies(&shop);
}

#[test]
fn money_settled_in_another_currency_leaves_each_clearing_account_as_the_psp_does() {
    let shop = shop();
    shop.orders("SO-2,USD,50.00,online,,none,C2,2026-11-01\n");
    shop.write(
        "payments.csv",
        "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n\
         adyen,TX-2,SO-2,card,USD,captured,50.00,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z\n",
    );
    shop.ok("import payments payments.csv");
    let dollars = line("TX-2 WEB-SO-2 Settled CAP-9 50.00 45.00 1.00 7").replace("CAP-9,EUR,", "CAP-9,USD,");
    let payout = line("- - MerchantPayout - - -45.00 - 7");
    drop_report(&shop, "fx.csv", &format!("{HEAD}\n{dollars}\n{payout}\n"));
    shop.ok("settlements");
    assert_eq!(
        balances(&shop),
        [
            "Assets:MoneyInTransit:EUR EUR 4500",
            // The payment of the other order is not settled yet.
            "Assets:PSP:adyen:ShopEU:EUR EUR 10000",
            "Equity:Exchange:EUR EUR -4600",
            "Equity:Exchange:USD USD 5000",
            "Expenses:PSP:adyen:Fees EUR 100",
            "Liabilities:Prepayments:C1 EUR -10000",
            "Liabilities:Prepayments:C2 USD -5000",
        ]
    );
    verifies(&shop);
}

#[test]
fn a_reserve_is_held_and_released() {
    let shop = shop();
    drop_report(
        &shop,
        "batch_7.csv",
        &report(&[
            "TX-1 WEB-SO-1 Settled CAP-1 100.00 99.00 1.00 7",
            "- - ReserveAdjustment - - -10.00 - 7",
            "- - MerchantPayout - - -89.00 - 7",
            "- - ReserveAdjustment - - 10.00 - 8",
            "- - MerchantPayout - - -10.00 - 8",
        ]),
    );
    shop.ok("settlements");
    assert_eq!(
        journals(&shop),
        [
            "fee 2026-11-10 1 EUR -100",
            "payout 2026-11-10 1 EUR -1000",
            "payout 2026-11-10 1 EUR -8900",
            // Of the payouts 7 and 8.
            "reserve 2026-11-10 1 EUR -1000",
            "reserve 2026-11-10 1 EUR 1000",
        ]
    );
    assert!(!balances(&shop).iter().any(|balance| balance.starts_with("Assets:PSP")), "{:?}", balances(&shop));
    verifies(&shop);
}

#[test]
fn the_books_of_payouts_go_out_with_the_others() {
    let shop = shop();
    drop_report(&shop, "batch_7.csv", &report(&PAYOUT));
    shop.ok("settlements");
    let csv = shop.ok("export --format csv --month 2026-11").stdout;
    let fee = csv.lines().find(|line| line.contains(",fee,")).unwrap();
    assert!(fee.starts_with("2026-11-10,PJ-") && fee.contains(",fee,original,payout,7,"), "{fee}");
    let hledger = shop.ok("export --format hledger").stdout;
    assert!(hledger.contains("; document: payout 7") && hledger.contains("Assets:MoneyInTransit:EUR"), "{hledger}");
}

/// A line that is not paid out yet is booked; it moves to its payout after somebody has changed the account names.
#[test]
fn what_is_taken_back_after_accounts_were_renamed_is_taken_back_where_it_was_booked() {
    const STRIPE: &str = "[provider.stripe]\nkind = \"reports\"\nmerchant_account = \"acct\"\nreports = \"reports\"\n";
    let shop = captured_shop(STRIPE, ("stripe", "pi_1"));
    let sale = |payout: &str, more: &str| {
        format!(
            "{STRIPE_LINES}\n{payout},txn_1,2026-11-10 12:00:00,eur,100.00,2.90,97.10,charge,ch_1,,,ch_1,pi_1,,card,\n{more}"
        )
    };
    drop_report(&shop, "a.csv", &sale("", ""));
    shop.ok("settlements");
    shop.write(
        "payjournal.toml",
        &format!(
            "[accounts]\nclearing = \"Assets:New:{{provider}}:{{currency}}\"\nfees = \"Expenses:New\"\n\n{STRIPE}"
        ),
    );
    let fee = "po_1,txn_2,2026-11-10 13:00:00,eur,-0.10,0,-0.10,fee,x,,,,,,,\n";
    drop_report(&shop, "b.csv", &sale("po_1", fee));
    let paid = "po_1,2026-11-12 00:00:00,eur,-97.00,0.00,-97.00,payout,paid,txn_p";
    drop_report(&shop, "c.csv", &format!("{STRIPE_PAYOUTS}\n{paid}\n"));
    shop.ok("settlements");
    assert_eq!(
        balances(&shop),
        [
            "Assets:MoneyInTransit:EUR EUR 9700",
            "Assets:New:stripe:EUR EUR -10000",
            // The capture alone.
            "Assets:PSP:stripe:acct:EUR EUR 10000",
            "Expenses:New EUR 300",
            "Liabilities:Prepayments:C1 EUR -10000",
        ]
    );
    verifies(&shop);
}

/// All that a dry run could leave behind.
fn everything(shop: &Shop) -> Vec<String> {
    let tables = shop.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    tables.iter().flat_map(|table| shop.rows(&format!("SELECT '{table}', * FROM {table}"))).collect()
}

#[test]
fn a_dry_run_shows_the_facts_and_bookings_that_the_run_makes_and_leaves_nothing() {
    let shop = shop();
    let mut lines = PAYOUT.to_vec();
    lines.push("TX-1 WEB-SO-1 Refunded REF-1 -10.00 -10.00 0 7");
    drop_report(&shop, "batch_7.csv", &report(&lines));
    let before = everything(&shop);
    let dry = shop.json("settlements --dry-run");
    assert_eq!(everything(&shop), before);
    assert_eq!((&dry["exit_code"], &dry["dry_run"], &dry["run"]), (&0.into(), &true.into(), &().into()));
    let told = |run: &serde_json::Value| -> Vec<String> {
        run["exceptions"].as_array().unwrap().iter().map(|told| told["message"].to_string()).collect()
    };
    assert_eq!(told(&dry).len(), 2, "{dry:#}");
    assert!(dry["steps"].as_array().unwrap().iter().all(|step| step["outcome"] == "planned"), "{dry:#}");
    let table = shop.ok("settlements --dry-run").stdout;
    for part in ["learnt", "refund", "Expenses:PSP:adyen:Fees", "2.50 EUR", "93.50 EUR", "nothing was taken over"] {
        assert!(table.contains(part), "`{part}` is not in:\n{table}");
    }
    assert_eq!(everything(&shop), before);
    let already = shop.rows("SELECT number FROM journals");
    let run = shop.json("settlements");
    assert_eq!((told(&run), &run["payouts"]), (told(&dry), &dry["payouts"]));
    assert!(run["bookings"].is_null());
    // Each posting and each fact is the one that was made, with its number.
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    let mut shown: Vec<String> = dry["bookings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let minor = text(&row["amount"], "amount").replace('.', "").parse::<i64>().unwrap();
            format!("{} {} {} {minor}", text(row, "number"), text(row, "posting_date"), text(row, "account"))
        })
        .collect();
    shown.sort();
    let mut made = shop.rows(
        "SELECT number, posting_date, account, p.amount_minor FROM payout_journals j JOIN payout_postings p ON p.journal_id = j.id
         UNION ALL SELECT number, posting_date, account, p.amount_minor FROM journals j JOIN postings p ON p.journal_id = j.id",
    );
    made.retain(|row| !already.iter().any(|number| row.starts_with(number.as_str())));
    assert_eq!(shown, made);
    let facts: Vec<String> = dry["facts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", text(row, "kind"), text(row, "modification")))
        .collect();
    assert_eq!(facts, shop.rows("SELECT kind, modification_id FROM movements WHERE learnt_from = 'settlement'"));
    assert_eq!(facts, ["refund REF-1"]);
    verifies(&shop);
}

#[test]
fn a_ledger_of_version_4_is_booked_by_the_next_run() {
    let shop = shop();
    drop_report(&shop, "batch_7.csv", &report(&PAYOUT));
    shop.ok("settlements");
    let booked = (balances(&shop), journals(&shop));
    shop.ledger().execute_batch(support::BEFORE_INVOICES).unwrap();
    shop.ledger()
        .execute_batch(
            "ALTER TABLE settlement_lines DROP COLUMN day;
             DROP TABLE lines_to_learn; DROP TABLE payments_to_learn; DROP TABLE untold_chargebacks;
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, ' OR learnt_from = ''settlement''', '') WHERE name = 'movements';
             PRAGMA writable_schema = RESET;
             DROP TABLE payout_postings; DROP TABLE payout_journals; DROP TABLE payout_cursors; DROP TABLE payout_sums; CREATE TABLE payout_sums (it INTEGER);
             PRAGMA user_version = 4",
        )
        .unwrap();
    shop.ok("settlements");
    assert_eq!((balances(&shop), journals(&shop)), booked);
    verifies(&shop);
}

#[test]
fn a_closed_payout_that_does_not_add_up_any_more_is_told_whenever_the_run_dies() {
    let more = ["- - Fee FEE-2 - -1.00 - 7"];
    let log = std::path::Path::new("points");
    let settled = |shop: &Shop| {
        drop_report(shop, "a.csv", &report(&PAYOUT));
        shop.ok("settlements");
        drop_report(shop, "b.csv", &report(&more));
    };
    let undisturbed = shop();
    settled(&undisturbed);
    let points = undisturbed.path.join(log);
    undisturbed.command(&["settlements"]).env("PAYJOURNAL_KILL_LOG", &points).output().unwrap();
    let count = std::fs::read_to_string(&points).unwrap().lines().count();
    assert!(count >= 4, "{count}");
    for at in 1..=count {
        let shop = shop();
        settled(&shop);
        shop.command(&["settlements"]).env("PAYJOURNAL_KILL_AT", at.to_string()).output().unwrap();
        let _ = shop.run(&["settlements"]);
        assert_eq!(
            shop.rows("SELECT kind FROM exceptions WHERE kind = 'payout_remainder' AND state = 'open'"),
            ["payout_remainder"],
            "killed at {at}"
        );
        assert_eq!(
            (balances(&shop), journals(&shop)),
            (balances(&undisturbed), journals(&undisturbed)),
            "killed at {at}"
        );
        verifies(&shop);
    }
}

#[test]
fn what_was_kept_beyond_the_fees_is_told_and_not_booked_away() {
    let shop = shop();
    drop_report(
        &shop,
        "lost_column.csv",
        &report(&["TX-1 WEB-SO-1 Settled CAP-1 100.00 10.00 0 7", "- - MerchantPayout - - -10.00 - 7"]),
    );
    let run = shop.json("settlements");
    assert_eq!(
        (&run["exit_code"], &run["payouts"][0]["proofs"][0]["unexplained"]),
        (&1.into(), &"90.00".into()),
        "{run:#}"
    );
    assert_eq!(balances(&shop)[1], "Assets:PSP:adyen:ShopEU:EUR EUR 9000");
    verifies(&shop);
}
