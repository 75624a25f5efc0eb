//! Adyen's settlement details: fees in four columns with four decimals, the sign by the column.

use crate::bench::{books, counts, exceptions, is_sound, movements, proofs, settle, shop, turned};
use crate::support::reports::HEAD;

/// `PSP REFERENCE TYPE MODIFICATION CURRENCY GROSS CURRENCY NET COMMISSION MARKUP BATCH`, `-` for nothing.
fn line(text: &str) -> String {
    let cells: Vec<&str> = text.split_whitespace().map(|cell| if cell == "-" { "" } else { cell }).collect();
    let [psp, reference, kind, modification, gross_in, gross, net_in, net, commission, markup, batch] = cells[..]
    else {
        panic!("{text}")
    };
    let sided = |amount: &str| amount.strip_prefix('-').map_or(format!(",{amount}"), |debit| format!("{debit},"));
    format!(
        "Shop,ShopEU,{psp},{reference},visa,2026-11-10 12:00:00,CET,{kind},{modification},{gross_in},{},1,{net_in},{},{commission},\
         {markup},0,0,visa,,{batch}\n",
        sided(gross),
        sided(net)
    )
}

fn report(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|text| line(text)).collect();
    format!("{HEAD}\n{}", lines.concat())
}

/// Half a cent is left over: 58.8475 + 49.25 - 20.1025 + 9.90 - 25 + 10 + 45 - 1.50 - 10 are 116.395.
const BATCH_7: [&str; 14] = [
    "TX-1 WEB-SO-1 Settled CAP-1 EUR 60.00 EUR 58.8475 0.6000 0.5525 7",
    "TX-2 WEB-SO-2 Settled CAP-2 EUR 50.00 EUR 49.2500 0.7500 0 7",
    "TX-2 WEB-SO-2 Refunded REF-1 EUR -20.00 EUR -20.1025 0.1025 0 7",
    "TX-3 WEB-SO-3 Settled CAP-3 EUR 10.00 EUR 9.90 0.10 0 7",
    "TX-3 WEB-SO-3 Chargeback CB-1 EUR -10.00 EUR -25.00 0 15.00 7",
    "TX-3 WEB-SO-3 ChargebackReversed RV-1 EUR 10.00 EUR 10.00 0 0 7",
    "TX-4 WEB-SO-4 Settled CAP-4 USD 50.00 EUR 45.00 1.00 0 7",
    "- - Fee - - - EUR -1.50 - - 7",
    "- - ReserveAdjustment - - - EUR -10.00 - - 7",
    "- - MerchantPayout - - - EUR -116.39 - - 7",
    "TX-5 WEB-SO-5 Settled CAP-5 JPY 1500 JPY 1450 50 0 7",
    "- - MerchantPayout - - - JPY -1450 - - 7",
    "TX-6 WEB-SO-6 Settled CAP-6 KWD 1.500 KWD 1.4505 0.0495 0 7",
    "- - MerchantPayout - - - KWD -1.450 - - 7",
];

/// A refund alone, which the next batch pays.
const BATCH_8: [&str; 2] =
    ["TX-2 WEB-SO-2 Refunded REF-2 EUR -30.00 EUR -30.00 0 0 8", "- - Balancetransfer - - - EUR 30.00 - - 8"];

const BATCH_9: [&str; 5] = [
    "- - Balancetransfer - - - EUR -30.00 - - 9",
    "- - ReserveAdjustment - - - EUR 10.00 - - 9",
    "TX-1 WEB-SO-1 Settled CAP-9 EUR 40.00 EUR 39.60 0.40 0 9",
    "TX-7 WEB-SO-7 Settled CAP-7 EUR 5.00 EUR 5.00 0 0 9",
    "- - MerchantPayout - - - EUR -24.60 - - 9",
];

const BATCH_10: [&str; 2] = ["- - BPPaidOut - - - EUR 5.00 - - 10", "- - MerchantPayout - - - EUR -5.00 - - 10"];

#[test]
fn adyen() {
    let shop = shop("adyen", "ShopEU", "");
    let [seven, eight, nine, ten] = [&BATCH_7[..], &BATCH_8, &BATCH_9, &BATCH_10].map(report);
    let run = settle(&shop, &[("7.csv", &seven), ("8.csv", &eight), ("9.csv", &nine), ("10.csv", &ten)]);
    assert_eq!(
        (&run["exit_code"], exceptions(&run)),
        (&1.into(), vec!["chargeback", "payment_unknown", "payout_remainder", "unasked_movement", "unasked_movement"]),
        "{run:#}"
    );
    // 14 + 2 + 5 + 2; the order without a payment is found by its reference.
    assert_eq!(counts(&run), [23, 0, 11, 1, 0]);
    assert_eq!(
        movements(&shop),
        [
            "capture CAP-1 6000 EUR",
            "capture CAP-2 5000 EUR",
            "capture CAP-3 1000 EUR",
            "capture CAP-4 5000 USD",
            "capture CAP-5 1500 JPY",
            "capture CAP-6 1500 KWD",
            "capture CAP-9 4000 EUR",
            "chargeback CB-1 1000 EUR",
            "chargeback_reversed RV-1 1000 EUR",
            "refund REF-1 2000 EUR",
            "refund REF-2 3000 EUR",
        ]
    );
    assert_eq!(
        proofs(&shop),
        [
            "10 EUR remainder 0.00 0.00 0.00 0.00 0.00 5.00 0.00 5.00",
            // 60 + 50 - 20 + 10 - 10 + 10 + 46, and 1.1525 + 0.75 + 0.1025 + 0.10 + 15 + 1 + 1.50.
            "7 EUR closed 146.00 19.605 0.00 -10.00 0.00 0.00 -0.005 116.39",
            "7 JPY closed 1500 50 0 0 0 0 0 1450",
            "7 KWD closed 1.500 0.0495 0.000 0.000 0.000 0.000 -0.0005 1.450",
            "8 EUR closed -30.00 0.00 0.00 0.00 30.00 0.00 0.00 0.00",
            "9 EUR closed 45.00 0.40 0.00 10.00 -30.00 0.00 0.00 24.60",
        ]
    );
    assert_eq!(
        books(&shop),
        [
            "Assets:MoneyInTransit:EUR EUR 14599",
            "Assets:MoneyInTransit:JPY JPY 1450",
            "Assets:MoneyInTransit:KWD KWD 1450",
            // 5.00 of the sale whose payment nobody knows, 5.00 that nobody understands.
            "Assets:PSP:adyen:ShopEU:EUR EUR -1000",
            "Equity:Exchange:EUR EUR -4600",
            "Equity:Exchange:USD USD 5000",
            // 19.61 and 0.40.
            "Expenses:PSP:adyen:Fees EUR 2001",
            "Expenses:PSP:adyen:Fees JPY 50",
            "Expenses:PSP:adyen:Fees KWD 50",
            "Liabilities:Prepayments:C1 EUR -10000",
            "Liabilities:Prepayments:C3 EUR -1000",
            "Liabilities:Prepayments:C4 USD -5000",
            "Liabilities:Prepayments:C5 JPY -1500",
            "Liabilities:Prepayments:C6 KWD -1500",
        ]
    );
    let overlap = [&BATCH_9[2..], &BATCH_7[..]].concat();
    is_sound(&shop, &[("again.csv", &turned(&report(&overlap), b','))]);
}
