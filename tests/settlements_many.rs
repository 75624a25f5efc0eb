//! Payments that need a look by the hundred: found, and read, in another way than a few, and told the same.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;

use support::Shop;
use support::reports::{drop_report, report};

/// More than are looked up one by one.
const PAYMENTS: usize = 300;

fn shop() -> Shop {
    let shop = Shop::with(
        "[provider.adyen]\nkind = \"reports\"\nmerchant_account = \"ShopEU\"\nreports = \"reports\"\n\n\
         [method.card]\nstrategy = \"manual\"\n",
    );
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    let rows = |row: fn(usize) -> String| (1..=PAYMENTS).map(row).collect::<Vec<_>>().concat();
    shop.orders(&rows(|n| format!("SO-{n},EUR,100.00,online,,none,C1,2026-11-01\n")));
    let head = "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at,capture_id";
    let row =
        |n| format!("adyen,TX-{n},SO-{n},card,EUR,captured,100.00,2026-11-02T08:00:00Z,2026-11-03T08:00:00Z,CAP-{n}\n");
    shop.write("payments.csv", &format!("{head}\n{}", rows(row)));
    shop.ok("import payments payments.csv");
    shop
}

/// Every payment is paid out in this batch, the last one first.
fn pay_out(shop: &Shop, name: &str, batch: u32) {
    let line = |n| format!("TX-{n} - Settled CAP-{n} 100.00 99.00 1.00 {batch}");
    let lines: Vec<String> = (1..=PAYMENTS).rev().map(line).collect();
    drop_report(shop, name, &report(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
}

/// What a person is told, by payment.
fn told(shop: &Shop) -> BTreeMap<String, String> {
    let database =
        shop.rows("SELECT subject || '=' || message FROM exceptions WHERE kind = 'lines_unclear' AND state = 'open'");
    let told = database.iter().map(|row| row.split_once('=').unwrap());
    told.map(|(subject, message)| (subject.to_owned(), message.to_owned())).collect()
}

fn subject(n: usize) -> String {
    format!("captures of payment TX-{n} of order webshop/SO-{n}")
}

/// Its number in a report that names the last payment first.
fn line(n: usize) -> usize {
    PAYMENTS - n + 2
}

#[test]
fn a_payout_that_is_paid_twice_is_told_of_every_payment_with_its_own_lines() {
    let shop = shop();
    pay_out(&shop, "first.csv", 7);
    shop.run(&["settlements"]);
    assert_eq!(told(&shop), BTreeMap::new());
    pay_out(&shop, "twice.csv", 8);
    let rehearsed = shop.ok("settlements --dry-run --json").stdout;
    assert_eq!(rehearsed.matches("\"lines_unclear\"").count(), PAYMENTS);
    assert_eq!(told(&shop), BTreeMap::new(), "nothing of a dry run stays");
    assert_eq!(shop.run(&["settlements"]).code, Some(1));
    let first = told(&shop);
    assert_eq!(first.len(), PAYMENTS);
    for n in 1..=PAYMENTS {
        let at = line(n);
        let own = format!(
            "several payouts have capture CAP-{n}, with 200.00 EUR together (lines 1:{at}, 2:{at}), and the ledger has it once"
        );
        let message = &first[&subject(n)];
        assert!(message.starts_with(&own), "{message}\ninstead of\n{own}");
    }
    assert_eq!(shop.rows("SELECT count(*) FROM movements"), [PAYMENTS.to_string()], "nothing is booked twice");
    // A few more lines, of payments whose orders are few among all.
    drop_report(&shop, "more.csv", &report(&["TX-5 - Settled CAP-5 100.00 99.00 1.00 9"]));
    shop.run(&["settlements"]);
    let again = told(&shop);
    let changed: Vec<&String> = again.keys().filter(|subject| first.get(*subject) != again.get(*subject)).collect();
    assert_eq!((again.len(), changed), (PAYMENTS, vec![&subject(5)]));
    assert!(again[&subject(5)].contains(&format!("(lines 1:{0}, 2:{0}, 3:2)", line(5))), "{}", again[&subject(5)]);
}

#[test]
fn of_many_orders_the_one_that_more_was_given_back_for_is_found() {
    let shop = shop();
    pay_out(&shop, "first.csv", 7);
    shop.run(&["settlements"]);
    drop_report(&shop, "back.csv", &report(&["TX-9 - Refunded REF-9 -30.00 -30.00 0.00 8"]));
    shop.run(&["settlements"]);
    let learnt = "SELECT p.transaction_id, m.kind, m.modification_id, m.amount_minor FROM movements m
                  JOIN payments p ON p.id = m.payment_id WHERE m.learnt_from = 'settlement'";
    assert_eq!(shop.rows(learnt), ["TX-9 refund REF-9 3000"]);
}
