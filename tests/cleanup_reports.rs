//! Orders whose PSP cannot be asked: unpaid when the page has expired and the reports, complete until long after, say nothing (rule 23).

mod support;

use support::Shop;
use support::cleanup::{deleted, import, not_eligible};
use support::reports::HEAD;

/// The page of SO-1 expired here, as far as anybody knows; with the seven days of the config, reports have to reach the 8th, 10:00.
const EXPIRED: &str = "2026-10-01T10:00:00Z";

fn shop(more: &str, method: &str, status: &str) -> Shop {
    let shop = Shop::with(&format!(
        "[provider.psp]\nkind = \"reports\"\nmerchant_account = \"Shop\"\nreports = \"reports\"\n{more}\n\
         [method.card]\nstrategy = \"{method}\"\n[cleanup]\nenabled = true\n"
    ));
    std::fs::create_dir(shop.path.join("reports")).unwrap_or_default();
    import(&shop, "orders", "order,ordered_on,currency,total\nSO-1,2026-10-01,EUR,50.00\n");
    let head = "provider,currency,transaction,order,method,status";
    shop.write("rows.csv", &format!("{head}\npsp,EUR,TX-1,SO-1,card,{status}\n"));
    shop.ok(&format!("import payments rows.csv --as-of {EXPIRED}"));
    shop
}

const WAITS_7: &str = "unpaid_after_days = 7\norder_in_reference = \"(?<order>.+)\"";

/// A batch of one sale, paid out at a time of UTC; `paid` is what went to the bank, 10.00 if it adds up.
fn batch(shop: &Shop, number: u32, at: &str, reference: &str, paid: &str) {
    let line = |psp: &str, reference: &str, kind: &str, gross: &str, net: &str| {
        format!(
            "Shop,Shop,{psp},{reference},visa,{at},UTC,{kind},M-{number},{gross},1,EUR,{net},0,0,0,0,visa,,{number}\n"
        )
    };
    let sale = line(&format!("OTHER-{number}"), reference, "Settled", "EUR,,10.00", ",10.00");
    let payout = line("", "", "MerchantPayout", ",,", &format!("{paid},"));
    shop.write(&format!("reports/batch-{number}.csv"), &format!("{HEAD}\n{sale}{payout}"));
}

/// Whether the order went, once the reports were read.
#[track_caller]
fn goes(shop: &Shop) -> bool {
    shop.run(&["settlements"]);
    let left = not_eligible(shop, "cleanup-unpaid");
    let gone = deleted(shop) == ["SO-1"];
    assert!(gone || left.contains("PSP cannot be asked") || left.contains("has money"), "{left}");
    gone
}

#[test]
fn the_silence_of_complete_reports_says_that_nobody_paid() {
    let shop = shop(WAITS_7, "automatic", "expired");
    batch(&shop, 1, "2026-09-29 12:00:00", "X-1", "10.00");
    batch(&shop, 2, "2026-10-05 12:00:00", "X-2", "10.00");
    assert!(!goes(&shop), "they end too early");
    batch(&shop, 3, "2026-10-08 09:59:59", "X-3", "10.00");
    assert!(!goes(&shop), "a second is missing");
    batch(&shop, 4, "2026-10-08 10:00:00", "X-4", "10.00");
    assert!(goes(&shop));
    let gates = shop.rows("SELECT evidence FROM deletion_gates WHERE gate = 'answer'").concat();
    assert!(gates.contains("complete reports until 2026-10-08 10:00 UTC have no line of it"), "{gates}");
    shop.ok("verify");
}

#[test]
fn reports_that_are_not_complete_say_nothing() {
    // One that begins after the order, a number that is missing, one that does not add up.
    for batches in [
        &[(2, "2026-10-01 00:00:00", "10.00"), (3, "2026-10-20 00:00:00", "10.00")][..],
        &[(1, "2026-09-29 12:00:00", "10.00"), (3, "2026-10-20 00:00:00", "10.00")][..],
        &[(1, "2026-09-29 12:00:00", "10.00"), (2, "2026-10-05 00:00:00", "9.00"), (3, "2026-10-20 00:00:00", "10.00")]
            [..],
        &[][..],
    ] {
        let shop = shop(WAITS_7, "automatic", "expired");
        for (number, at, paid) in batches {
            batch(&shop, *number, at, &format!("X-{number}"), paid);
        }
        assert!(!goes(&shop), "{batches:?}");
    }
}

#[test]
fn a_line_of_the_order_an_authorisation_or_an_open_page_keeps_it() {
    let complete = |shop: &Shop, reference: &str| {
        batch(shop, 1, "2026-09-29 12:00:00", "X-1", "10.00");
        batch(shop, 2, "2026-10-20 12:00:00", reference, "10.00");
    };
    for (more, method, status, reference) in [
        (WAITS_7, "automatic", "expired", "SO-1"),
        (WAITS_7, "invoice", "expired", "X-2"),
        (WAITS_7, "automatic", "open", "X-2"),
        (WAITS_7, "automatic", "cancelled", "X-2"),
        ("", "automatic", "expired", "X-2"),
    ] {
        let shop = shop(more, method, status);
        let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
        shop.write("payjournal.toml", &format!("{config}include_cancelled = true\n"));
        complete(&shop, reference);
        assert!(!goes(&shop), "{more} {method} {status} {reference}");
    }
    // The same with nothing that speaks against it.
    let shop = shop(WAITS_7, "automatic", "expired");
    complete(&shop, "X-2");
    assert!(goes(&shop));
}

#[test]
fn silence_does_not_count_earlier_than_money_comes() {
    let with = |rest: &str| {
        Shop::with(&format!("[provider.psp]\nmerchant_account = \"Shop\"\nreports = \"reports\"\n{rest}\n"))
    };
    let early = with("kind = \"reports\"\nunpaid_after_days = 6").exits("check", 3).stderr;
    assert!(early.contains("`settlement_expected_after_days` (7)"), "{early}");
    with("kind = \"reports\"\nunpaid_after_days = 7").ok("check");
}
