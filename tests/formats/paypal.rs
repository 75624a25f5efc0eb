//! Paypal's settlement report: hundredths with credit and debit, a day at a time, and a balance instead of payouts.

use crate::bench::{books, counts, exceptions, is_sound, movements, proofs, settle, shop, turned};
use crate::support::Shop;
use crate::support::reports::paypal_day;

/// 117.20 are left in the evening, nothing in dollars, 1450 yen.
const DAY_10: [&str; 15] = [
    "TX-1 WEB-SO-1 - T0006 EUR 6000 -120",
    "TX-2 WEB-SO-2 - T0006 EUR 5000 -150",
    "2R WEB-SO-2 TX-2 T1107 EUR -2000 40",
    "TX-3 WEB-SO-3 - T0006 EUR 1000 -50",
    "3X WEB-SO-3 TX-3 T1201 EUR -1000 0",
    "3F - 3X T0106 EUR -1500 0",
    "3Y WEB-SO-3 TX-3 T1202 EUR 1000 0",
    "9H - - T1110 EUR -1000 0",
    "TX-4 WEB-SO-4 - T0006 USD 5000 -100",
    "4A - TX-4 T0200 USD -4900 0",
    "4B - TX-4 T0200 EUR 4500 0",
    "TX-5 WEB-SO-5 - T0006 JPY 150000 -5000",
    // A fee, one more of the same, and one that is given back.
    "8A - - T0113 EUR -30 0",
    "8B - - T0113 EUR -30 0",
    "8C - - T1108 EUR 60 0",
];
const EVENING_10: [&str; 3] = ["EUR 0 11720", "USD 0 0", "JPY 0 145000"];

fn days() -> [(&'static str, String); 4] {
    [
        ("a.csv", paypal_day("2026/11/10", &DAY_10, &EVENING_10)),
        ("b.csv", paypal_day("2026/11/11", &["9W - - T0400 EUR -11720 0"], &["EUR 11720 0"])),
        // A refund that Paypal lends us, carried over the days.
        ("c.csv", paypal_day("2026/11/12", &["2S WEB-SO-2 TX-2 T1107 EUR -3000 0"], &["EUR 0 -3000"])),
        (
            "d.csv",
            paypal_day(
                "2026/11/13",
                &["9I - - T1111 EUR 1000 0", "TX-7 WEB-SO-7 - T0006 EUR 500 -20", "7Q - - T9999 EUR 100 0"],
                &["EUR -3000 -1420"],
            ),
        ),
    ]
}

fn all(shop: &Shop) -> serde_json::Value {
    let days = days();
    let files: Vec<(&str, &str)> = days.iter().map(|(name, text)| (*name, text.as_str())).collect();
    settle(shop, &files)
}

#[test]
fn paypal() {
    let shop = shop("paypal", "EZ78", "");
    let run = all(&shop);
    assert_eq!(
        (&run["exit_code"], exceptions(&run)),
        (&1.into(), vec!["chargeback", "payment_unknown", "payout_remainder", "unasked_movement", "unasked_movement"]),
        "{run:#}"
    );
    // 15 rows and the 3 balances of the evening, 1 and 2, 1 and 1, 3 and 2.
    assert_eq!(counts(&run), [28, 0, 9, 1, 0]);
    assert_eq!(
        movements(&shop),
        [
            "capture TX-1 6000 EUR",
            "capture TX-2 5000 EUR",
            "capture TX-3 1000 EUR",
            "capture TX-4 5000 USD",
            "capture TX-5 1500 JPY",
            "chargeback 3X 1000 EUR",
            "chargeback_reversed 3Y 1000 EUR",
            "refund 2R 2000 EUR",
            "refund 2S 3000 EUR",
        ]
    );
    assert_eq!(
        proofs(&shop),
        [
            // 60 + 50 - 20 + 10 - 10 + 10, and 1.20 + 1.50 - 0.40 + 0.50 + 15.
            "2026-11-10 EUR closed 100.00 17.80 0.00 -10.00 -117.20 45.00 0.00 0.00",
            "2026-11-10 JPY closed 1500 50 0 0 -1450 0 0 0",
            "2026-11-10 USD closed 50.00 1.00 0.00 0.00 0.00 -49.00 0.00 0.00",
            "2026-11-11 EUR closed 0.00 0.00 0.00 0.00 117.20 0.00 0.00 117.20",
            "2026-11-12 EUR closed -30.00 0.00 0.00 0.00 30.00 0.00 0.00 0.00",
            "2026-11-13 EUR remainder 5.00 0.20 0.00 10.00 -15.80 1.00 0.00 0.00",
        ]
    );
    assert_eq!(
        books(&shop),
        [
            "Assets:MoneyInTransit:EUR EUR 11720",
            // The balance of -14.20, less 5.00 of the sale whose payment nobody knows and 1.00 that nobody understands.
            "Assets:PSP:paypal:EZ78:EUR EUR -2020",
            "Assets:PSP:paypal:EZ78:JPY JPY 1450",
            "Equity:Exchange:EUR EUR -4500",
            "Equity:Exchange:USD USD 4900",
            // 17.80 and 0.20.
            "Expenses:PSP:paypal:Fees EUR 1800",
            "Expenses:PSP:paypal:Fees JPY 50",
            "Expenses:PSP:paypal:Fees USD 100",
            "Liabilities:Prepayments:C1 EUR -6000",
            "Liabilities:Prepayments:C3 EUR -1000",
            "Liabilities:Prepayments:C4 USD -5000",
            "Liabilities:Prepayments:C5 JPY -1500",
        ]
    );
    is_sound(&shop, &[("again.csv", &reordered())]);
}

/// The first day once more: its rows and the cells of each in the opposite order.
fn reordered() -> String {
    let text = paypal_day("2026/11/10", &DAY_10, &EVENING_10);
    let (table, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("\"CH\"") || line.starts_with("\"SB\""));
    let heads = rest.iter().position(|line| line.starts_with("\"SF\"")).unwrap();
    let bare: Vec<&str> = table.iter().map(|line| &line[5..]).collect();
    let turned = turned(&bare.join("\n"), b',');
    let mut rows: Vec<String> = turned.lines().rev().map(|row| format!("\"SB\",{row}")).collect();
    let names = rows.pop().unwrap().replacen("SB", "CH", 1);
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    [&rest[..heads], &[names.as_str()], &rows, &rest[heads..], &[""]].concat().join("\n")
}
