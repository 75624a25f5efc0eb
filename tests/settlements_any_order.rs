//! Orders, payments and reports come in any order, overlap and come again: in the end every order has the same settlement, and
//! `verify` finds nothing.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use support::Shop;
use support::reports::{drop_report, report};

const CONFIG: &str = "
[provider.adyen]
kind = \"reports\"
merchant_account = \"ShopEU\"
reports = \"reports\"
order_in_reference = \"WEB-(?<order>.+)\"

[provider.stripe]
kind = \"reports\"
merchant_account = \"acct\"
reports = \"stripe\"
order_in_reference = \"WEB-(?<order>.+)\"
";

const PAYMENT_HEAD: &str = "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at";
const STRIPE_HEAD: &str = "automatic_payout_id,balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,\
charge_id,payment_intent_id,payment_metadata[order_no]";

/// What can happen, once each.
const STEPS: usize = 12;

fn happens(shop: &Shop, step: usize) {
    match step {
        // The second order is named by the reference of a transaction that belongs to another.
        0..=3 => shop.orders(&format!("SO-{},EUR,500.00,online,,none,C1,2026-11-01\n", step + 1)),
        4 => payment(shop, "adyen", "TX-1", "SO-1"),
        5 => payment(shop, "adyen", "TX-2", "SO-2"),
        6 => payment(shop, "stripe", "pi_1", "SO-3"),
        7 => drop_report(
            shop,
            "a.csv",
            &report(&[
                "TX-1 - Settled A1 10.00 9.00 1.00 7",
                "TX-2 WEB-SO-3 Settled A2 20.00 19.00 1.00 7",
                "TX-3 - Settled A3 30.00 29.00 1.00 7",
                "- - Fee - - -1.00 - 7",
                "- - Fee - - -2.00 - 7",
            ]),
        ),
        8 => drop_report(
            shop,
            "b.csv",
            &report(&[
                "- - Fee - - -2.00 - 7",
                "- - Fee - - -1.00 - 7",
                "TX-3 WEB-SO-4 Refunded B1 -5.00 -5.00 0 8",
                "TX-1 WEB-SO-1 Settled B2 1.00 1.00 0 8",
                "TX-2 WEB-SO-3 Chargeback B3 -2.00 -2.00 0 8",
            ]),
        ),
        9 => drop_report(
            shop,
            "c.csv",
            &report(&[
                "TX-3 - Settled A3 30.00 29.00 1.00 7",
                "TX-2 WEB-SO-3 Settled A2 20.00 19.00 1.00 7",
                "- - MerchantPayout - - -54.00 - 7",
            ]),
        ),
        10 => stripe(shop, "s1.csv", &["", "txn_1", "ch_1", "", "40.00"]),
        11 => stripe(shop, "s2.csv", &["po_1", "txn_1", "ch_1", "pi_1", "40.00"]),
        other => unreachable!("{other}"),
    }
}

/// With its order, as the shop would hand both over.
fn payment(shop: &Shop, provider: &str, transaction: &str, order: &str) {
    shop.orders(&format!("{order},EUR,500.00,online,,none,C1,2026-11-01\n"));
    let at = "2026-11-02T08:00:00Z";
    shop.write(
        "payments.csv",
        &format!("{PAYMENT_HEAD}\n{provider},{transaction},{order},card,EUR,captured,99.00,{at},{at}\n"),
    );
    shop.ok("import payments payments.csv");
}

fn stripe(shop: &Shop, name: &str, [payout, id, charge, intent, gross]: &[&str; 5]) {
    let row = format!(
        "{payout},{id},2026-11-10 12:00:00,eur,{gross},0.00,{gross},charge,{charge},{charge},{intent},WEB-SO-3"
    );
    std::fs::write(shop.path.join("stripe").join(name), format!("{STRIPE_HEAD}\n{row}\n")).unwrap();
}

fn lives(order: &[usize], runs: impl Fn(usize) -> bool) -> Vec<String> {
    let shop = Shop::with(CONFIG);
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    std::fs::create_dir(shop.path.join("stripe")).unwrap();
    // The ledger's first order: no report is read without a ledger.
    shop.orders("SO-0,EUR,1.00,online,,none,C1,2026-11-01\n");
    for (nth, step) in order.iter().enumerate() {
        happens(&shop, *step);
        if runs(nth) {
            shop.run(&["settlements"]);
            let verified = shop.run(&["verify"]);
            assert_eq!(verified.code, Some(0), "{order:?} after {step}\n{}", verified.stdout);
        }
    }
    shop.run(&["settlements"]);
    let verified = shop.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{order:?}\n{}", verified.stdout);
    let mut rows = shop.rows(
        "SELECT o.number, s.lines, sold_micros, refunded_micros, disputed_micros FROM order_settlements s
         JOIN orders o ON o.id = s.order_id WHERE s.lines <> 0",
    );
    // Stripe's line goes by what the first of its reports says of it, to the same order either way.
    rows.extend(shop.rows("SELECT reference, state, by_reference FROM payouts WHERE reference IN ('7', '8')"));
    rows.extend(shop.rows("SELECT reference, state FROM payouts WHERE reference = 'po_1'"));
    rows.extend(shop.rows("SELECT 'unmatched', count(*) FROM unmatched_groups"));
    rows
}

#[test]
fn the_end_is_the_same_whatever_came_first() {
    let all: Vec<usize> = (0..STEPS).collect();
    let expected = lives(&all, |_| false);
    assert_eq!(
        expected,
        [
            "SO-1 2 11000000 0 0",
            "SO-2 2 20000000 0 -2000000",
            "SO-3 1 40000000 0 0",
            "SO-4 2 30000000 -5000000 0",
            "7 closed 1",
            "8 open 1",
            "po_1 open",
            "unmatched 0"
        ]
    );
    for seed in 0..40_u64 {
        let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut roll = |below: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(dice >> 33).unwrap() % below
        };
        let mut order = all.clone();
        for at in (1..order.len()).rev() {
            order.swap(at, roll(at + 1));
        }
        let runs: Vec<bool> = order.iter().map(|_| roll(2) == 0).collect();
        assert_eq!(lives(&order, |nth| runs[nth]), expected, "seed {seed}: {order:?}, runs {runs:?}");
    }
}
