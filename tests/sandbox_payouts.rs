//! Payouts a PSP is asked for: each line once, whatever way it came, from a cursor that moves with what is stored.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use support::Shop;

/// One order over 100.00, captured.
fn captured(config: Option<&str>) -> Shop {
    let shop = config.map_or_else(Shop::new, Shop::with);
    shop.one_order("A");
    shop.ok("capture");
    shop
}

fn clearing(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT currency, sum(amount_minor) AS balance FROM (
           SELECT account, currency, p.amount_minor FROM postings p JOIN journals j ON j.id = p.journal_id
           UNION ALL
           SELECT account, currency, p.amount_minor FROM payout_postings p JOIN payout_journals j ON j.id = p.journal_id)
         WHERE account LIKE 'Assets:PSP:%' GROUP BY currency HAVING balance <> 0",
    )
}

#[track_caller]
fn verifies(shop: &Shop) {
    let found = shop.json("verify --against-provider");
    assert_eq!(found["findings"].as_array().unwrap().len(), 0, "{found:#}");
}

#[test]
fn a_payout_is_fetched_once_and_leaves_nothing_on_clearing() {
    let shop = captured(None);
    assert_eq!(clearing(&shop), ["EUR 10000"]);
    let paid = shop.json("sandbox payout");
    assert_eq!((&paid["payouts"][0]["lines"], &paid["payouts"][0]["paid_out"]["amount"]), (&1.into(), &"98.50".into()));
    assert!(shop.json("sandbox payout")["payouts"].as_array().unwrap().is_empty(), "it was paid out twice");
    let run = shop.json("settlements");
    assert_eq!(
        (&run["files"][0]["lines_added"], &run["payouts"][0]["state"]),
        (&2.into(), &"closed".into()),
        "{run:#}"
    );
    assert_eq!(shop.json("settlements")["files"][0]["outcome"], "known");
    assert!(clearing(&shop).is_empty(), "{:?}", clearing(&shop));
    verifies(&shop);
}

#[test]
fn the_same_payout_by_file_and_by_answer_is_one() {
    let shop =
        captured(Some("[provider.psp]\nkind = \"sandbox\"\nmerchant_account = \"Shop\"\nreports = \"reports\"\n"));
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    shop.ok("sandbox payout --reports reports");
    let run = shop.json("settlements");
    let outcome = |at: usize| (run["files"][at]["lines_added"].as_u64(), run["files"][at]["lines_known"].as_u64());
    assert_eq!((outcome(0), outcome(1)), ((Some(2), Some(0)), (Some(0), Some(2))), "{run:#}");
    assert_eq!(shop.rows("SELECT count(*) FROM settlement_lines"), ["2"]);
    assert!(clearing(&shop).is_empty(), "{:?}", clearing(&shop));
    verifies(&shop);
}

#[test]
fn a_chargeback_and_the_case_that_is_won_come_with_later_payouts() {
    let shop = captured(None);
    shop.ok("sandbox payout");
    shop.ok("sandbox dispute TX-A");
    let again = shop.json("sandbox dispute TX-A");
    assert_eq!(again["new"], false);
    shop.ok("sandbox payout");
    shop.ok("sandbox dispute TX-A --won");
    shop.ok("sandbox payout");
    let _ = shop.run(&["settlements"]);
    assert_eq!(
        shop.rows("SELECT kind, gross, fee, batch FROM settlement_lines WHERE kind <> 15 ORDER BY batch"),
        ["1 10000 150 1", "4 -10000 1500 2", "6 10000 0 3"]
    );
    shop.exits("sandbox dispute TX-B", 2);
}

#[test]
fn the_cursor_moves_with_what_is_stored_and_not_in_a_dry_run() {
    let shop = captured(None);
    shop.ok("sandbox payout");
    shop.ok("settlements --dry-run");
    assert_eq!(shop.rows("SELECT count(*) FROM payout_cursors"), ["0"]);
    shop.ok("settlements");
    assert_eq!(shop.rows("SELECT count(*) FROM payout_cursors"), ["1"]);
}

#[test]
fn a_payout_that_is_told_late_is_fetched_and_one_from_the_future_hides_nothing() {
    let shop = captured(None);
    shop.ok("sandbox payout");
    shop.ok("settlements");
    // The cursor stands far ahead, as after a payout of a PSP whose clock was wrong.
    shop.ledger().execute_batch("UPDATE payout_cursors SET paid_at = '2031-01-01T00:00:00Z'").unwrap();
    shop.one_order("B");
    shop.ok("capture");
    shop.ok("sandbox payout");
    // And the payout is told of a month late.
    shop.sandbox("UPDATE payouts SET paid_at = datetime(paid_at, '-30 days') || '+00:00' WHERE batch = 2");
    shop.ok("settlements");
    assert_eq!(shop.rows("SELECT reference, state FROM payouts"), ["1 closed", "2 closed"]);
    assert!(clearing(&shop).is_empty(), "{:?}", clearing(&shop));
}
