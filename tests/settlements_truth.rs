//! Matching against a known truth: lines are made with the answer beside them, and every one is found as the rules say: no
//! match is false, and none is missed that the rules allow.
//!
//! `PAYJOURNAL_TRUTH_LINES=100000` makes it as large as the published set.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use support::Shop;
use support::reports::{drop_report, report};

const CONFIG: &str = "
[provider.adyen]
kind = \"reports\"
merchant_account = \"ShopEU\"
reports = \"reports\"
order_in_reference = \"WEB-(?<order>SO-\\\\d+)\"

[provider.other]
kind = \"reports\"
merchant_account = \"ShopUS\"
reports = \"other\"
";

/// One line, what it is about, and what must come out.
struct Case {
    transaction: String,
    reference: String,
    /// Payments of the ledger: provider, transaction, order; those that come after the first run.
    payments: Vec<(&'static str, String, String)>,
    is_late: bool,
    answer: Option<(String, &'static str)>,
}

fn case(number: usize) -> Case {
    let order = |number: usize| format!("SO-{number}");
    let own = order(number);
    let plain = |transaction: &str, reference: String| Case {
        transaction: transaction.to_owned(),
        reference,
        payments: Vec::new(),
        is_late: false,
        answer: None,
    };
    let id = format!("TX-{number}");
    let paid = |provider, id: &str, order: &str| vec![(provider, id.to_owned(), order.to_owned())];
    match number % 12 {
        0 | 1 => Case {
            payments: paid("adyen", &id, &own),
            answer: Some((own.clone(), "transaction")),
            ..plain(&id, format!("WEB-{own}"))
        },
        // An earlier attempt of the same order.
        2 => Case {
            payments: [paid("adyen", &format!("{id}-1"), &own), paid("adyen", &id, &own)].concat(),
            answer: Some((own.clone(), "transaction")),
            ..plain(&format!("{id}-1"), "whatever".to_owned())
        },
        3 => Case { answer: Some((own.clone(), "reference")), ..plain(&id, format!("WEB-{own}")) },
        4 => Case { answer: Some((own.clone(), "reference")), ..plain("-", format!("WEB-{own};WEB-{own}")) },
        // Two orders are never picked from.
        5 => plain(&id, format!("WEB-{own};WEB-{}", order(number - 1))),
        // Without its prefix, and an order that only begins like it.
        6 => plain(&id, own.clone()),
        7 => plain(&id, format!("WEB-{own}999999")),
        // The transaction goes before the reference.
        8 => Case {
            payments: paid("adyen", &id, &own),
            answer: Some((own.clone(), "transaction")),
            ..plain(&id, format!("WEB-{}", order(number - 1)))
        },
        // The same id at another PSP, and another spelling of it.
        9 => Case { payments: paid("other", &id, &own), ..plain(&id, "-".to_owned()) },
        10 => Case { payments: paid("adyen", &id, &own), ..plain(&id.to_lowercase(), "-".to_owned()) },
        _ => Case {
            payments: paid("adyen", &id, &own),
            is_late: true,
            answer: Some((own.clone(), "transaction")),
            ..plain(&id, "-".to_owned())
        },
    }
}

fn import_payments(shop: &Shop, cases: &[Case], is_late: bool) {
    let mut rows = "provider,transaction,order,method,currency,status,authorised,authorised_at\n".to_owned();
    for (provider, transaction, order) in
        cases.iter().filter(|case| case.is_late == is_late).flat_map(|case| &case.payments)
    {
        writeln!(rows, "{provider},{transaction},{order},card,EUR,authorised,10.00,2026-11-02T08:00:00Z").unwrap();
    }
    shop.write("payments.csv", &rows);
    shop.ok("import payments payments.csv");
}

#[test]
fn every_line_is_matched_as_the_truth_says_and_no_other() {
    let count = std::env::var("PAYJOURNAL_TRUTH_LINES").map_or(3_000, |lines| lines.parse().unwrap());
    let shop = Shop::with(CONFIG);
    for folder in ["reports", "other"] {
        std::fs::create_dir(shop.path.join(folder)).unwrap();
    }
    let cases: Vec<Case> = (1..=count).map(case).collect();
    let mut orders = "order,currency,total,bill_to,ordered_on\n".to_owned();
    for number in 1..=count {
        writeln!(orders, "SO-{number},EUR,10.00,C1,2026-11-01").unwrap();
    }
    shop.write("orders.csv", &orders);
    shop.ok("import orders orders.csv");
    import_payments(&shop, &cases, false);
    // In an order that has nothing to do with that of the orders.
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by_key(|place| place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7);
    let lines: Vec<String> = places
        .iter()
        .map(|place| {
            let Case { transaction, reference, .. } = &cases[*place];
            format!("{transaction} {reference} Settled M-{place} 10.00 9.90 0.10 7")
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for (number, part) in (0..).zip(lines.chunks(count.div_ceil(3))) {
        drop_report(&shop, &format!("{number}.csv"), &report(part));
    }
    let _ = shop.run(&["settlements"]);
    import_payments(&shop, &cases, true);
    let _ = shop.run(&["settlements"]);

    let listed = shop.json("list lines --limit 1000000");
    let found: BTreeMap<&str, Option<(&str, &str)>> = listed["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["modification"].as_str().unwrap(), line["order"].as_str().zip(line["rule"].as_str())))
        .collect();
    assert_eq!(found.len(), count);
    for (place, case) in cases.iter().enumerate() {
        let found = found[format!("M-{place}").as_str()].map(|(order, rule)| (order.split_once('/').unwrap().1, rule));
        let answer = case.answer.as_ref().map(|(order, rule)| (order.as_str(), *rule));
        assert_eq!(found, answer, "line M-{place}: {} {}", case.transaction, case.reference);
    }
    let findings = shop.json("verify");
    assert_eq!(findings["findings"].as_array().unwrap().len(), 0, "{findings:#}");
}
