//! Klarna's transactions and payouts: minor units, fees as lines of their own, debts carried from payout to payout.

use crate::bench::{books, counts, exceptions, is_sound, movements, proofs, settle, shop};

/// `TYPE AMOUNT CURRENCY ORDER ID REFERENCE PAYOUT`, in minor units and without a sign; `-` for nothing.
fn transaction(text: &str) -> String {
    let [kind, amount, currency, order, id, reference, payout] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    let id_name = if kind == "RETURN" { "refund_id" } else { "capture_id" };
    let field = |name: &str, value: &str| if value == "-" { String::new() } else { format!(r#""{name}":"{value}","#) };
    format!(
        r#"{{{}{}{}"payment_reference":"{payout}","type":"{kind}","amount":{amount},"currency_code":"{currency}",
        "capture_date":"2026-11-10T12:00:00Z"}}"#,
        field("order_id", order),
        field(id_name, id),
        field("merchant_reference1", reference),
    )
}

/// `PAYOUT CURRENCY AMOUNT OPENING-DEBT CLOSING-DEBT`.
fn payout(text: &str) -> String {
    let [payout, currency, amount, opening, closing] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    format!(
        r#"{{"totals":{{"closing_debt_balance_amount":{closing},"settlement_amount":{amount},"sale_amount":1,
        "opening_debt_balance_amount":{opening}}},"currency_code":"{currency}","payout_date":"2026-11-12T00:00:00Z",
        "payment_reference":"{payout}","merchant_settlement_type":"NET"}}"#
    )
}

fn answer(list: &str, entries: &[String]) -> String {
    format!(r#"{{"pagination":{{"count":1}},"{list}":[{}]}}"#, entries.join(","))
}

fn transactions(texts: &[&str]) -> String {
    let all: Vec<String> = texts.iter().map(|text| transaction(text)).collect();
    answer("transactions", &all)
}

/// 60 + 50 - 20 + 10 - 10 - 1.80 - 15 + 5 - 0.34 - 10 + 0.50 are 68.36.
const PR_1: [&str; 12] = [
    "SALE 6000 EUR TX-1 c-1 WEB-SO-1 PR1",
    "SALE 5000 EUR TX-2 c-2 WEB-SO-2 PR1",
    "RETURN 2000 EUR TX-2 r-1 WEB-SO-2 PR1",
    "SALE 1000 EUR TX-3 c-3 WEB-SO-3 PR1",
    "REVERSAL 1000 EUR TX-3 - WEB-SO-3 PR1",
    "FEE 120 EUR TX-1 c-1 WEB-SO-1 PR1",
    "COMMISSION 60 EUR TX-2 c-2 WEB-SO-2 PR1",
    "FEE 1500 EUR TX-3 - WEB-SO-3 PR1",
    "FEE_REFUND 500 EUR TX-3 - WEB-SO-3 PR1",
    "TAX 34 EUR TX-1 c-1 WEB-SO-1 PR1",
    "HOLDBACK 1000 EUR - - - PR1",
    "CORRECTION 50 EUR - - - PR1",
];

const OTHERS: [&str; 10] = [
    "SALE 1500 JPY TX-5 c-5 WEB-SO-5 PRJ",
    "FEE 50 JPY TX-5 c-5 WEB-SO-5 PRJ",
    "SALE 1500 KWD TX-6 c-6 WEB-SO-6 PRK",
    "FEE 50 KWD TX-6 c-6 WEB-SO-6 PRK",
    "RETURN 3000 EUR TX-2 r-2 WEB-SO-2 PR2",
    "RELEASE 1000 EUR - - - PR3",
    "SALE 4000 EUR TX-1 c-9 WEB-SO-1 PR3",
    "SALE 500 EUR TX-7 c-7 WEB-SO-7 PR3",
    "REVERSAL_MERCHANT_PROTECTION 1000 EUR TX-3 - WEB-SO-3 PR4",
    // Of a payment in dollars; what the customer saw is not in the format.
    "SALE 4500 EUR TX-4 c-4 WEB-SO-4 PR4",
];

/// What PR2 could not pay, PR3 begins with.
const PAID: [&str; 6] = [
    "PR1 EUR 6836 0 0",
    "PRJ JPY 1450 0 0",
    "PRK KWD 1450 0 0",
    "PR2 EUR 0 0 3000",
    "PR3 EUR 2500 3000 0",
    "PR4 EUR 5500 0 0",
];

#[test]
fn klarna() {
    let shop = shop("klarna", "K1", "");
    let all = [&PR_1[..], &OTHERS].concat();
    let paid = answer("payouts", &PAID.map(payout));
    let run = settle(&shop, &[("a.json", &transactions(&all)), ("b.json", &paid)]);
    let told = "chargeback lines_unclear payment_unknown payout_remainder unasked_movement unasked_movement";
    assert_eq!((&run["exit_code"], exceptions(&run).join(" ").as_str()), (&1.into(), told), "{run:#}");
    // 22, 6 payouts and 2 debts.
    assert_eq!(counts(&run), [30, 0, 10, 1, 0]);
    assert_eq!(
        movements(&shop),
        [
            "capture c-1 6000 EUR",
            "capture c-2 5000 EUR",
            "capture c-3 1000 EUR",
            "capture c-5 1500 JPY",
            "capture c-6 1500 KWD",
            "capture c-9 4000 EUR",
            "chargeback TX-3/PR1/1 1000 EUR",
            "refund r-1 2000 EUR",
            "refund r-2 3000 EUR",
        ]
    );
    assert_eq!(
        proofs(&shop),
        [
            // 60 + 50 - 20 + 10 - 10, and 1.20 + 0.60 + 15 - 5.
            "PR1 EUR closed 90.00 11.80 0.34 -10.00 0.00 0.50 0.00 68.36",
            "PR2 EUR closed -30.00 0.00 0.00 0.00 30.00 0.00 0.00 0.00",
            "PR3 EUR closed 45.00 0.00 0.00 10.00 -30.00 0.00 0.00 25.00",
            "PR4 EUR remainder 45.00 0.00 0.00 0.00 0.00 10.00 0.00 55.00",
            "PRJ JPY closed 1500 50 0 0 0 0 0 1450",
            "PRK KWD closed 1.500 0.050 0.000 0.000 0.000 0.000 0.000 1.450",
        ]
    );
    assert_eq!(
        books(&shop),
        [
            "Assets:InputTax EUR 34",
            // 68.36 + 25 + 55.
            "Assets:MoneyInTransit:EUR EUR 14836",
            "Assets:MoneyInTransit:JPY JPY 1450",
            "Assets:MoneyInTransit:KWD KWD 1450",
            // The sale whose payment nobody knows, that in another currency, and what nobody understands: 5 + 45 + 10.
            "Assets:PSP:klarna:K1:EUR EUR -6000",
            "Assets:Receivables:Disputed:C3 EUR 1000",
            "Expenses:PSP:klarna:Corrections EUR -50",
            "Expenses:PSP:klarna:Fees EUR 1180",
            "Expenses:PSP:klarna:Fees JPY 50",
            "Expenses:PSP:klarna:Fees KWD 50",
            "Liabilities:Prepayments:C1 EUR -10000",
            "Liabilities:Prepayments:C3 EUR -1000",
            "Liabilities:Prepayments:C5 JPY -1500",
            "Liabilities:Prepayments:C6 KWD -1500",
        ]
    );
    // Fetched again, over other days: with a minus before what Klarna keeps.
    let mut overlap = [&OTHERS[4..], &PR_1[..]].concat();
    overlap.reverse();
    let signed = ["RETURN", "REVERSAL", "FEE", "COMMISSION", "TAX", "HOLDBACK"];
    let signed: Vec<String> = overlap
        .iter()
        .map(|text| {
            let (kind, rest) = text.split_once(' ').unwrap();
            if signed.contains(&kind) { format!("{kind} -{rest}") } else { (*text).to_owned() }
        })
        .collect();
    let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
    is_sound(&shop, &[("c.json", &transactions(&signed)), ("d.json", &paid.replace("\"sale_amount\":1,", ""))]);
}
