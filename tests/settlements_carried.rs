//! Money that does not go to the bank with its payout: a balance that stays with the PSP for days, and a payout that came back.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use support::Shop;
use support::reports::{STRIPE_LINES, STRIPE_PAYOUTS, drop_report, paypal_day};

const CONFIG: &str = "
[provider.paypal]
kind = \"reports\"
merchant_account = \"EZ78\"
reports = \"reports\"

[provider.stripe]
kind = \"reports\"
merchant_account = \"acct\"
reports = \"stripe\"
";

fn shop() -> Shop {
    let shop = Shop::with(CONFIG);
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    std::fs::create_dir(shop.path.join("stripe")).unwrap();
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-01\nSO-2,EUR,50.00,online,,none,C2,2026-11-01\n");
    let (authorised, captured) = ("2026-11-02T08:00:00Z", "2026-11-02T08:00:00Z");
    let payment = |provider: &str, id: &str, order: &str, amount: &str| {
        format!("{provider},{id},{order},card,EUR,captured,{amount},{authorised},{captured}\n")
    };
    shop.write(
        "payments.csv",
        &[
            "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n".to_owned(),
            payment("paypal", "1A", "SO-1", "100.00"),
            payment("paypal", "2B", "SO-2", "50.00"),
            payment("stripe", "pi_1", "SO-1", "70.00"),
            payment("stripe", "pi_2", "SO-2", "30.00"),
        ]
        .concat(),
    );
    shop.ok("import payments payments.csv");
    shop
}

/// Reference, state, and of its first proof what was carried, paid out and left over.
fn payouts(shop: &Shop) -> Vec<String> {
    let listed = shop.json("list payouts");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let payouts = listed["payouts"].as_array().unwrap().iter().map(|payout| {
        let proof = &payout["proofs"][0];
        let shown =
            [&payout["reference"], &payout["state"], &proof["carried"], &proof["paid_out"], &proof["remainder"]];
        shown.map(text).join(" ")
    });
    payouts.collect()
}

fn balance(shop: &Shop, account: &str) -> i64 {
    let sum = format!(
        "SELECT ifnull(sum(amount_minor), 0) FROM (
           SELECT account, amount_minor FROM postings UNION ALL SELECT account, amount_minor FROM payout_postings)
         WHERE account = '{account}'"
    );
    shop.rows(&sum)[0].parse().unwrap()
}

#[track_caller]
fn is_sound(shop: &Shop) {
    let found = shop.json("verify");
    assert_eq!(found["findings"].as_array().unwrap().len(), 0, "{found:#}");
    assert!(shop.rows("SELECT message FROM exceptions WHERE state <> 'resolved'").is_empty());
}

const PAYPAL: &str = "Assets:PSP:paypal:EZ78:EUR";
const MUCH_LATER: &str = "settlements --as-of 2027-03-01T00:00:00Z";

#[test]
fn days_without_a_withdrawal_are_proved_by_their_balances_and_clearing_keeps_what_paypal_holds() {
    let shop = shop();
    let days = [
        ("2026/11/10", vec!["1A SO-1 - T0006 EUR 10000 -375"], "EUR 0 9625", 9625),
        ("2026/11/11", vec![], "EUR 9625 9625", 9625),
        ("2026/11/12", vec!["2B SO-2 - T0006 EUR 5000 -200", "9H - - T1110 EUR -1000 0"], "EUR 9625 13425", 13425),
        ("2026/11/13", vec!["9I - - T0400 EUR -13425 0"], "EUR 13425 0", 0),
    ];
    for (date, rows, balances, held) in days {
        drop_report(&shop, &format!("STL-{}.csv", date.replace('/', "")), &paypal_day(date, &rows, &[balances]));
        let run = shop.json("settlements");
        assert_eq!(run["exit_code"], 0, "{date}: {run:#}");
        // What is not settled yet is not at Paypal either.
        let unsettled = if date < "2026/11/12" { 5000 } else { 0 };
        assert_eq!(balance(&shop, PAYPAL), held + unsettled, "{date}");
        is_sound(&shop);
    }
    assert_eq!(
        payouts(&shop),
        [
            "2026-11-10 closed -96.25 0.00 0.00",
            "2026-11-11 closed 0.00 0.00 0.00",
            "2026-11-12 closed -38.00 0.00 0.00",
            "2026-11-13 closed 134.25 134.25 0.00"
        ]
    );
    // What Paypal owes is clearing and the reserve.
    assert_eq!(balance(&shop, "Assets:PSP:paypal:EZ78:Reserve:EUR"), 1000);
    assert_eq!(balance(&shop, "Assets:MoneyInTransit:EUR"), 13425);
    assert_eq!(shop.json(MUCH_LATER)["exit_code"], 0);
}

#[test]
fn a_withdrawal_that_came_back_is_in_the_balance_again() {
    let shop = shop();
    let first = ["1A SO-1 - T0006 EUR 10000 -375", "9H - - T0400 EUR -9625 0"];
    drop_report(&shop, "a.csv", &paypal_day("2026/11/10", &first, &["EUR 0 0"]));
    drop_report(&shop, "b.csv", &paypal_day("2026/11/12", &["9I - - T0401 EUR 9625 0"], &["EUR 0 9625"]));
    shop.ok("settlements");
    assert_eq!(payouts(&shop), ["2026-11-10 closed 0.00 96.25 0.00", "2026-11-12 closed -96.25 -96.25 0.00"]);
    assert_eq!((balance(&shop, PAYPAL), balance(&shop, "Assets:MoneyInTransit:EUR")), (9625 + 5000, 0));
    is_sound(&shop);
}

#[test]
fn a_day_whose_footers_have_no_balances_is_told_late_once_and_ended_by_a_person() {
    let shop = shop();
    let day = |date: &str, row: &str| drop_report(&shop, &date.replace('/', "-"), &paypal_day(date, &[row], &["EUR"]));
    day("2026/11/10", "1A SO-1 - T0006 EUR 10000 -375");
    shop.ok("settlements");
    let run = shop.json(MUCH_LATER);
    let message = run["exceptions"][0]["message"].as_str().unwrap();
    assert!(message.contains("no balances that fit its rows") && message.contains("payjournal resolve"), "{message}");
    let id = shop.rows("SELECT id FROM exceptions WHERE kind = 'payout_remainder'").concat();
    shop.ok(&format!("resolve {id}"));
    let run = shop.json(MUCH_LATER);
    assert_eq!((&run["exit_code"], run["exceptions"].as_array().unwrap().len()), (&0.into(), 0), "{run:#}");
    // A line more, and it is another sum.
    drop_report(&shop, "more.csv", &paypal_day("2026/11/10", &["2B SO-2 - T0006 EUR 5000 -200"], &["EUR"]));
    assert_eq!(shop.json(MUCH_LATER)["exceptions"][0]["kind"], "payout_remainder");
}

fn stripe(shop: &Shop, name: &str, head: &str, rows: &[&str]) {
    let text: String = rows.iter().flat_map(|row| [*row, "\n"]).collect();
    std::fs::write(shop.path.join("stripe").join(name), format!("{head}\n{text}")).unwrap();
}

/// The first payout, of 70.00, comes back and goes out with the 30.00 of the second.
const FAILED: [(&str, &str, &[&str]); 4] = [
    ("1.csv", STRIPE_LINES, &["po_1,txn_1,2026-11-10 12:00:00,eur,70.00,0,70.00,charge,ch_1,,,ch_1,pi_1,,card,"]),
    ("2.csv", STRIPE_PAYOUTS, &["po_1,2026-11-11 00:00:00,eur,-70.00,0,-70.00,payout,failed,txn_p"]),
    (
        "3.csv",
        STRIPE_PAYOUTS,
        &[
            "po_1,2026-11-13 00:00:00,eur,70.00,0,70.00,payout_reversal,failed,txn_r",
            "po_2,2026-11-14 00:00:00,eur,-100.00,0,-100.00,payout,paid,txn_q",
        ],
    ),
    (
        "4.csv",
        STRIPE_LINES,
        &[
            "po_2,txn_2,2026-11-12 12:00:00,eur,30.00,0,30.00,charge,ch_2,,,ch_2,pi_2,,card,",
            "po_2,txn_r,2026-11-13 00:00:00,eur,70.00,0,70.00,payout_reversal,po_1,,,,,,,",
        ],
    ),
];

#[test]
fn a_payout_that_failed_is_closed_as_failed_and_its_sum_goes_out_with_the_next() {
    for turn in 0..FAILED.len() {
        let shop = shop();
        let mut files = FAILED;
        files.rotate_left(turn);
        for (name, head, rows) in files {
            stripe(&shop, name, head, rows);
            let _ = shop.run(&["settlements"]);
        }
        let mut found = payouts(&shop);
        found.sort();
        assert_eq!(found, ["po_1 closed -70.00 0.00 0.00", "po_2 closed 70.00 100.00 0.00"], "{turn}");
        let table = shop.ok("list payouts").stdout;
        assert!(table.contains("failed, 70.00"), "{table}");
        assert_eq!(balance(&shop, "Assets:PSP:stripe:acct:EUR"), 0);
        assert_eq!(balance(&shop, "Assets:MoneyInTransit:EUR"), 10_000);
        is_sound(&shop);
        assert_eq!(shop.json(MUCH_LATER)["exit_code"], 0);
    }
}
