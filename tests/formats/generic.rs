//! A table that only the configuration explains: fees as the balance sees them with four decimals, what the customer saw beside the
//! amount, every kind in the report's words.

use crate::bench::{books, counts, exceptions, is_sound, movements, proofs, settle, shop, turned};

const COLUMNS: &str = r#"report_format = "generic"

[provider.other.report_columns]
separator = ";"
amount = "Net"
currency_column = "Currency"
decimal_point = ","
thousands_separator = "."
date = "Day"
date_format = "%d.%m.%Y"
payout_column = "Payout"
kind = "Kind"
fee = "Fee"
tax = "VAT"
fees_are_negative = true
gross = "Paid"
gross_currency = "Paid in"
transaction = "Payment"
modification = "Entry"
reference = "Order"

[provider.other.report_columns.kinds]
sold = "sale"
"given back" = "refund"
"came back" = "refund_reversed"
disputed = "chargeback"
"disputed again" = "second_chargeback"
won = "chargeback_reversed"
"given up" = "capture_adjustment"
fee = "fee"
vat = "fee_tax"
held = "reserve_held"
freed = "reserve_released"
"put right" = "correction"
"carried" = "balance_transfer"
changed = "foreign_exchange"
paid = "payout"
bounced = "payout_failed"
"#;

const HEAD: &str = "Payout;Day;Kind;Entry;Payment;Order;Paid;Paid in;Currency;Net;Fee;VAT\n";

/// 98.8475 - 40 + 49.11 - 20 + 9.90 - 25 + 25 - 10 + 45 - 1000.50 - 190.10 - 10 + 1200 + 9 are 141.2575.
const P1: [&str; 18] = [
    "P1;10.11.2026;sold;e1;TX-1;WEB-SO-1;100,00;EUR;EUR;98,8475;-1,1525;",
    "P1;10.11.2026;given up;e1;TX-1;WEB-SO-1;-40,00;EUR;EUR;-40,00;;",
    "P1;10.11.2026;sold;e2;TX-2;WEB-SO-2;50,00;EUR;EUR;49,11;-0,75;-0,14",
    "P1;10.11.2026;given back;e3;TX-2;WEB-SO-2;-20,00;EUR;EUR;-20,00;;",
    "P1;10.11.2026;given back;e4;TX-2;WEB-SO-2;-5,00;EUR;EUR;-5,00;;",
    "P1;10.11.2026;came back;e4;TX-2;WEB-SO-2;5,00;EUR;EUR;5,00;;",
    "P1;10.11.2026;sold;e5;TX-3;WEB-SO-3;10,00;EUR;EUR;9,90;-0,10;",
    "P1;10.11.2026;disputed;e6;TX-3;WEB-SO-3;-10,00;EUR;EUR;-25,00;-15,00;",
    "P1;10.11.2026;won;e7;TX-3;WEB-SO-3;10,00;EUR;EUR;25,00;15,00;",
    "P1;10.11.2026;disputed again;e8;TX-3;WEB-SO-3;-10,00;EUR;EUR;-10,00;;",
    "P1;10.11.2026;sold;e9;TX-4;WEB-SO-4;50,00;USD;EUR;45,00;-1,00;",
    "P1;10.11.2026;fee;f1;;;;;EUR;-1.000,50;;",
    "P1;10.11.2026;vat;f2;;;;;EUR;-190,10;;",
    "P1;10.11.2026;held;f3;;;;;EUR;-10,00;;",
    "P1;10.11.2026;put right;f4;;;;;EUR;1.200,00;;",
    "P1;10.11.2026;changed;f5;;;;;EUR;9,00;;",
    "P1;10.11.2026;changed;f5;;;;;USD;-10,00;;",
    "P1;11.11.2026;paid;p1;;;;;EUR;-141,26;;",
];

const OTHERS: [&str; 15] = [
    "P1;11.11.2026;carried;c1;;;;;USD;10,00;;",
    "PJ;10.11.2026;sold;e10;TX-5;WEB-SO-5;1.500;JPY;JPY;1.450;-50;",
    "PJ;11.11.2026;paid;p2;;;;;JPY;-1.450;;",
    "PK;10.11.2026;sold;e11;TX-6;WEB-SO-6;1,500;KWD;KWD;1,4505;-0,0495;",
    "PK;11.11.2026;paid;p3;;;;;KWD;-1,450;;",
    "P2;12.11.2026;given back;e12;TX-2;WEB-SO-2;-30,00;EUR;EUR;-30,00;;",
    "P2;12.11.2026;carried;c2;;;;;EUR;30,00;;",
    "P3;13.11.2026;carried;c3;;;;;EUR;-30,00;;",
    "P3;13.11.2026;freed;f6;;;;;EUR;10,00;;",
    "P3;13.11.2026;sold;e13;TX-1;WEB-SO-1;40,00;EUR;EUR;40,00;;",
    "P3;13.11.2026;paid;p4;;;;;EUR;-20,00;;",
    // It bounces, and goes out with the next.
    "P3;14.11.2026;bounced;p4;;;;;EUR;20,00;;",
    "P4;15.11.2026;carried;c4;;;;;EUR;20,00;;",
    "P4;15.11.2026;sold;e14;TX-7;WEB-SO-7;5,00;EUR;EUR;5,00;;",
    "P4;15.11.2026;sponsored;s1;;;;;EUR;1,00;;",
];

const LAST: [&str; 1] = ["P4;15.11.2026;paid;p5;;;;;EUR;-26,00;;"];

fn table(rows: &[&str]) -> String {
    let rows: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
    format!("{HEAD}{}", rows.concat())
}

#[test]
fn generic() {
    let shop = shop("other", "Shop", COLUMNS);
    let all = [&P1[..], &OTHERS, &LAST].concat();
    let run = settle(&shop, &[("a.csv", &table(&all))]);
    let told = "chargeback chargeback payment_unknown payout_remainder unasked_movement unasked_movement";
    assert_eq!((&run["exit_code"], exceptions(&run).join(" ").as_str()), (&1.into(), told), "{run:#}");
    assert_eq!(counts(&run), [34, 0, 15, 1, 0]);
    assert_eq!(
        movements(&shop),
        [
            "capture e1 6000 EUR",
            "capture e10 1500 JPY",
            "capture e11 1500 KWD",
            "capture e13 4000 EUR",
            "capture e2 5000 EUR",
            "capture e5 1000 EUR",
            "capture e9 5000 USD",
            "chargeback e6 1000 EUR",
            "chargeback e8 1000 EUR",
            "chargeback_reversed e7 1000 EUR",
            // e4 went and came back before anybody knew.
            "refund e12 3000 EUR",
            "refund e3 2000 EUR",
        ]
    );
    assert_eq!(
        proofs(&shop),
        [
            // Gross 60 + 50 - 20 + 10 - 10 + 10 - 10 + 46; fees 1.1525 + 0.75 + 0.10 + 15 - 15 + 1 + 1000.50.
            "P1 EUR closed 136.00 1003.5025 190.24 -10.00 0.00 1209.00 0.0025 141.26",
            "P1 USD closed 0.00 0.00 0.00 0.00 10.00 -10.00 0.00 0.00",
            "P2 EUR closed -30.00 0.00 0.00 0.00 30.00 0.00 0.00 0.00",
            "P3 EUR closed 40.00 0.00 0.00 10.00 -50.00 0.00 0.00 0.00",
            "P4 EUR remainder 5.00 0.00 0.00 0.00 20.00 1.00 0.00 26.00",
            "PJ JPY closed 1500 50 0 0 0 0 0 1450",
            "PK KWD closed 1.500 0.0495 0.000 0.000 0.000 0.000 -0.0005 1.450",
        ]
    );
    assert_eq!(
        books(&shop),
        [
            "Assets:InputTax EUR 19024",
            // 141.26 + 20 - 20 + 26.
            "Assets:MoneyInTransit:EUR EUR 16726",
            "Assets:MoneyInTransit:JPY JPY 1450",
            "Assets:MoneyInTransit:KWD KWD 1450",
            // The sale whose payment nobody knows, and what nobody understands: 5 + 1.
            "Assets:PSP:other:Shop:EUR EUR -600",
            // Ten dollars were carried from a payout nobody has.
            "Assets:PSP:other:Shop:USD USD -1000",
            "Assets:Receivables:Disputed:C3 EUR 1000",
            "Equity:Exchange:EUR EUR -5500",
            "Equity:Exchange:USD USD 6000",
            "Expenses:PSP:other:Corrections EUR -120000",
            "Expenses:PSP:other:Fees EUR 100350",
            "Expenses:PSP:other:Fees JPY 50",
            "Expenses:PSP:other:Fees KWD 50",
            "Liabilities:Prepayments:C1 EUR -10000",
            "Liabilities:Prepayments:C3 EUR -1000",
            "Liabilities:Prepayments:C4 USD -5000",
            "Liabilities:Prepayments:C5 JPY -1500",
            "Liabilities:Prepayments:C6 KWD -1500",
        ]
    );
    let overlap = [&OTHERS[5..], &P1[..], &LAST].concat();
    is_sound(&shop, &[("again.csv", &turned(&table(&overlap), b';'))]);
}
