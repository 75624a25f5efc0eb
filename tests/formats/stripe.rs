//! Stripe's lines and payouts, each in its report: signed amounts in major units, a partial capture as a charge and its reversal.

use crate::bench::{books, counts, exceptions, is_sound, movements, proofs, settle, shop, turned};
use crate::support::reports::{STRIPE_LINES, STRIPE_PAYOUTS};

/// `PAYOUT ID CURRENCY GROSS FEE NET CATEGORY SEEN PAYMENT REFERENCE`; what the customer saw as `AMOUNT/CURRENCY`, `-` for nothing.
fn line(text: &str) -> String {
    let cells: Vec<&str> = text.split_whitespace().map(|cell| if cell == "-" { "" } else { cell }).collect();
    let [payout, id, currency, gross, fee, net, category, seen, payment, reference] = cells[..] else {
        panic!("{text}")
    };
    let seen = if seen.is_empty() { ",".to_owned() } else { seen.replace('/', ",") };
    format!(
        "{payout},{id},2026-11-10 12:00:00,{currency},{gross},{fee},{net},{category},src,{seen},,{payment},,card,{reference}\n"
    )
}

fn lines(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|text| line(text)).collect();
    format!("{STRIPE_LINES}\n{}", lines.concat())
}

/// `PAYOUT CURRENCY NET ID`.
fn payouts(rows: &[&str]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let [payout, currency, net, id] = row.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{row}") };
            format!("{payout},2026-11-12 00:00:00,{currency},{net},0.00,{net},payout,paid,{id}\n")
        })
        .collect();
    format!("{STRIPE_PAYOUTS}\n{}", rows.concat())
}

/// 97.0925 - 40 + 48.75 - 20 + 9.50 - 25 + 25 + 45 - 1.50 - 0.38 - 10 are 128.4625.
const PO_1: [&str; 11] = [
    "po_1 txn_1 eur 100.00 2.9075 97.0925 charge 100.00/eur TX-1 WEB-SO-1",
    "po_1 txn_2 eur -40.00 0.00 -40.00 partial_capture_reversal -40.00/eur TX-1 WEB-SO-1",
    "po_1 txn_3 eur 50.00 1.25 48.75 charge 50.00/eur TX-2 WEB-SO-2",
    "po_1 txn_4 eur -20.00 0.00 -20.00 refund 20.00/eur TX-2 WEB-SO-2",
    "po_1 txn_5 eur 10.00 0.50 9.50 charge 10.00/eur TX-3 WEB-SO-3",
    "po_1 txn_6 eur -10.00 15.00 -25.00 dispute 10.00/eur TX-3 WEB-SO-3",
    "po_1 txn_7 eur 10.00 -15.00 25.00 dispute_reversal 10.00/eur TX-3 WEB-SO-3",
    "po_1 txn_8 eur 46.00 1.00 45.00 charge 50.00/usd TX-4 WEB-SO-4",
    "po_1 txn_9 eur -1.50 0.00 -1.50 fee - - -",
    "po_1 txn_10 eur -0.38 0.00 -0.38 tax - - -",
    "po_1 txn_11 eur -10.00 0.00 -10.00 risk_reserved_funds - - -",
];

const OTHERS: [&str; 6] = [
    "po_j txn_20 jpy 1500 50 1450 charge 1500/jpy TX-5 WEB-SO-5",
    "po_k txn_21 kwd 1.500 0.0495 1.4505 charge 1.500/kwd TX-6 WEB-SO-6",
    // What was refunded is taken from the bank.
    "po_2 txn_12 eur -30.00 0.00 -30.00 refund 30.00/eur TX-2 WEB-SO-2",
    "po_3 txn_13 eur 10.00 0.00 10.00 risk_reserved_funds - - -",
    "po_4 txn_14 eur 5.00 0.00 5.00 charge 5.00/eur TX-7 WEB-SO-7",
    "po_4 txn_15 eur -1.00 0.00 -1.00 climate_order_purchase - - -",
];

const PAID: [&str; 6] = [
    "po_1 eur -128.46 txn_p1",
    "po_j jpy -1450 txn_pj",
    "po_k kwd -1.450 txn_pk",
    "po_2 eur 30.00 txn_p2",
    "po_3 eur -10.00 txn_p3",
    "po_4 eur -4.00 txn_p4",
];

#[test]
fn stripe() {
    let shop = shop("stripe", "acct", "");
    // Not paid out yet, in the first report.
    let early = lines(&PO_1).replace("po_1,", ",");
    let run = settle(&shop, &[("a.csv", &early)]);
    assert_eq!(
        (&run["exit_code"], exceptions(&run), counts(&run)),
        (&1.into(), vec!["chargeback", "unasked_movement"], [11, 0, 8, 0, 0])
    );
    let rest = [&PO_1[..], &OTHERS].concat();
    let run = settle(&shop, &[("b.csv", &lines(&rest)), ("c.csv", &payouts(&PAID))]);
    assert_eq!(
        (&run["exit_code"], exceptions(&run)),
        (&1.into(), vec!["payment_unknown", "payout_remainder", "unasked_movement"]),
        "{run:#}"
    );
    assert_eq!(counts(&run), [12, 11, 3, 1, 0]);
    assert_eq!(
        movements(&shop),
        [
            // 100.00 less the 40.00 that were given up.
            "capture txn_1 6000 EUR",
            "capture txn_20 1500 JPY",
            "capture txn_21 1500 KWD",
            "capture txn_3 5000 EUR",
            "capture txn_5 1000 EUR",
            "capture txn_8 5000 USD",
            "chargeback txn_6 1000 EUR",
            "chargeback_reversed txn_7 1000 EUR",
            "refund txn_12 3000 EUR",
            "refund txn_4 2000 EUR",
        ]
    );
    assert_eq!(
        proofs(&shop),
        [
            // 60 + 50 - 20 + 10 - 10 + 10 + 46, and 2.9075 + 1.25 + 0.50 + 15 - 15 + 1 + 1.50.
            "po_1 EUR closed 146.00 7.1575 0.38 -10.00 0.00 0.00 -0.0025 128.46",
            "po_2 EUR closed -30.00 0.00 0.00 0.00 0.00 0.00 0.00 -30.00",
            "po_3 EUR closed 0.00 0.00 0.00 10.00 0.00 0.00 0.00 10.00",
            "po_4 EUR remainder 5.00 0.00 0.00 0.00 0.00 -1.00 0.00 4.00",
            "po_j JPY closed 1500 50 0 0 0 0 0 1450",
            "po_k KWD closed 1.500 0.0495 0.000 0.000 0.000 0.000 -0.0005 1.450",
        ]
    );
    assert_eq!(
        books(&shop),
        [
            "Assets:InputTax EUR 38",
            // 128.46 - 30 + 10 + 4.
            "Assets:MoneyInTransit:EUR EUR 11246",
            "Assets:MoneyInTransit:JPY JPY 1450",
            "Assets:MoneyInTransit:KWD KWD 1450",
            // The sale whose payment nobody knows, less what nobody understands.
            "Assets:PSP:stripe:acct:EUR EUR -400",
            "Equity:Exchange:EUR EUR -4600",
            "Equity:Exchange:USD USD 5000",
            "Expenses:PSP:stripe:Fees EUR 716",
            "Expenses:PSP:stripe:Fees JPY 50",
            "Expenses:PSP:stripe:Fees KWD 50",
            "Liabilities:Prepayments:C1 EUR -6000",
            "Liabilities:Prepayments:C3 EUR -1000",
            "Liabilities:Prepayments:C4 USD -5000",
            "Liabilities:Prepayments:C5 JPY -1500",
            "Liabilities:Prepayments:C6 KWD -1500",
        ]
    );
    let overlap = [&OTHERS[2..], &PO_1].concat();
    let again = [turned(&lines(&overlap), b','), turned(&payouts(&PAID), b',')];
    is_sound(&shop, &[("d.csv", &again[0]), ("e.csv", &again[1])]);
}
