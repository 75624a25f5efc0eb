//! What fails in `cleanup-unpaid` holds up nothing else: it backs off order by order, and takes no room from those that can go. And what
//! is in doubt stays.

mod support;

use support::cleanup::{deleted, import, not_eligible, orders, page, payments, shop, told};

#[test]
fn an_order_the_psp_cannot_tell_of_backs_off_and_the_others_go() {
    let shop = shop("");
    page(&shop, "SO-1~look:unreachable");
    page(&shop, "SO-2");
    shop.exits("cleanup-unpaid", 5);
    assert_eq!(deleted(&shop), ["SO-2"]);
    // Asked once more at once, as the PSP may have been down; then left alone for half a day, for a day, and for two.
    for (day, hour, is_asked) in [
        (22, 3, true),
        (22, 14, false),
        (22, 15, true),
        (23, 14, false),
        (23, 15, true),
        (25, 14, false),
        (25, 15, true),
    ] {
        let line = format!("cleanup-unpaid --as-of 2026-11-{day}T{hour:02}:00:00Z");
        let waits = if is_asked { "" } else { "1 asked again later" };
        assert_eq!(not_eligible(&shop, &line), waits, "{line}");
    }
    // Once there is an answer, it begins anew.
    shop.sandbox("UPDATE transactions SET order_reference = 'SO-1', status = 'expired'");
    shop.ok("cleanup-unpaid --as-of 2026-11-29T15:00:00Z");
    assert_eq!(deleted(&shop), ["SO-1~look:unreachable", "SO-2"]);
    assert_eq!(shop.rows("SELECT * FROM unanswered_orders"), [""; 0]);
    shop.ok("verify --as-of 2026-11-29T16:00:00Z");
}

#[test]
fn many_that_cannot_be_told_of_starve_no_other() {
    let shop = shop("");
    for number in 1..=30 {
        page(&shop, &format!("P-{number}~look:unreachable"));
    }
    page(&shop, "GOOD");
    shop.exits("cleanup-unpaid", 5);
    assert_eq!(deleted(&shop), [""; 0], "the PSP seems to be down");
    for hour in ["03", "04", "05"] {
        shop.run(&["cleanup-unpaid", "--as-of", &format!("2026-11-22T{hour}:00:00Z")]);
    }
    assert_eq!(deleted(&shop), ["GOOD"]);
}

#[test]
fn a_deletion_the_erp_was_not_reached_for_waits_for_the_next_night() {
    let shop = shop("[erp]\nfault = \"unreachable\"\n");
    page(&shop, "SO-1");
    shop.exits("cleanup-unpaid", 5);
    shop.exits("cleanup-unpaid --as-of 2026-11-22T03:00:00Z", 5);
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
    shop.write("payjournal.toml", &config.replace("fault = \"unreachable\"", ""));
    assert_eq!(not_eligible(&shop, "cleanup-unpaid --as-of 2026-11-22T14:00:00Z"), "1 tried again later");
    shop.ok("cleanup-unpaid --as-of 2026-11-22T15:00:01Z");
    assert_eq!(deleted(&shop), ["SO-1"]);
}

#[test]
fn what_comes_to_nothing_takes_no_room_from_what_can_go() {
    let shop = shop("max_deletions = 2\n");
    for number in 1..=3 {
        page(&shop, &format!("R-{number}~cancel:refuse"));
    }
    for number in 1..=3 {
        page(&shop, &format!("SO-{number}"));
    }
    // Nothing is known of the refusals yet.
    assert_eq!(not_eligible(&shop, "cleanup-unpaid --dry-run"), "4 over the limit of one run");
    let first = shop.json("cleanup-unpaid");
    assert_eq!(deleted(&shop).len(), 2, "{first}");
    assert!(told(&shop).contains(&"deletions_capped cleanup-unpaid".to_owned()), "{:?}", told(&shop));
    let left = first.get("not_eligible").map(ToString::to_string).unwrap_or_default();
    assert!(left.contains("\"over the limit of one run\":1") && left.contains("\"open at the PSP\":3"), "{left}");
    shop.ok("cleanup-unpaid --as-of 2026-11-23T02:00:00Z");
    assert_eq!(deleted(&shop), ["SO-1", "SO-2", "SO-3"]);
    shop.ok("verify --as-of 2026-11-23T03:00:00Z");
}

#[test]
fn batches_overlap_and_each_order_goes_once_up_to_the_limit() {
    let shop = shop("max_deletions = 20\n[task.cleanup-unpaid]\nbatch_size = 4\nconcurrency = 3");
    let (mut placed, mut begun) = (String::new(), String::new());
    for number in 1..=30 {
        // Some are expired already, and take one question less.
        let status = if number % 5 == 0 { "expired" } else { "open" };
        placed.extend([&format!("N-{number}"), ",online,,none,2026-10-01\n"]);
        begun.extend([&format!("TX-{number},N-{number},card,{status},,"), "\n"]);
    }
    orders(&shop, &placed);
    payments(&shop, &begun);
    shop.exits("cleanup-unpaid", 1);
    assert_eq!(shop.rows("SELECT count(*), count(DISTINCT order_id) FROM tombstones"), ["20 20"]);
    let told = shop.rows("SELECT message FROM exceptions WHERE kind = 'deletions_capped'");
    assert!(matches!(told.as_slice(), [told] if told.starts_with("10 more orders")), "{told:?}");
    shop.ok("cleanup-unpaid --as-of 2026-11-23T03:00:00Z");
    assert_eq!(shop.rows("SELECT count(*), count(DISTINCT order_id) FROM tombstones"), ["30 30"]);
    let closed =
        "SELECT count(*), count(DISTINCT payment_id) FROM operations WHERE kind = 'cancel' AND state = 'confirmed'";
    assert_eq!(shop.rows(closed), ["24 24"]);
    shop.ok("verify --as-of 2026-11-23T04:00:00Z");
}

#[test]
fn a_night_in_which_everything_fails_ends() {
    let shop = shop("max_deletions = 5\n");
    for number in 1..=40 {
        page(&shop, &format!("R-{number}~cancel:refuse"));
    }
    shop.exits("cleanup-unpaid", 1);
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'cancel'"), ["25"]);
    assert_eq!(deleted(&shop), [""; 0]);
}

#[test]
fn money_under_a_key_the_order_had_before_keeps_it() {
    let head = "order,currency,total,bill_to,ordered_on,entry_assignment_key,payment_assignment_key\n";
    let row = |order: &str, keys: &str| format!("{order},EUR,50.00,C1,2026-10-01,{keys}\n");
    let payments = "provider,currency,transaction,order,assignment_key,entries,method,status,authorised,authorised_at,captured_at\n";
    let at = "2026-10-01T09:00:00Z";
    for (status, stays) in [("captured,50.00,AT,AT", true), ("open,,,", true), ("expired,,,", false)] {
        let shop = shop("without_payment = true\n");
        import(&shop, "orders", &format!("{head}{}{}", row("A", ",K"), row("B", "K-B,")));
        import(&shop, "entries", "entry,assignment_key,customer,currency,amount\nE-B,K-B,C1,EUR,50.00\n");
        let status = status.replace("AT", at);
        import(
            &shop,
            "payments",
            &format!("{payments}psp,EUR,T-A,,K,,card,{status}\npsp,EUR,T-B,,,E-B,card,{status}\n"),
        );
        shop.ok("sandbox authorise rows.csv");
        // The same keys, of the other kind, and others.
        import(&shop, "orders", &format!("{head}{}{}", row("A", "K,"), row("B", "K-C,")));
        assert_eq!(shop.rows("SELECT key FROM former_order_keys"), ["K", "K-B"]);
        shop.run(&["cleanup-unpaid"]);
        assert_eq!(deleted(&shop).is_empty(), stays, "{status}");
        if stays {
            assert_eq!(not_eligible(&shop, "cleanup-unpaid --as-of 2026-11-22T03:00:00Z"), "2 had another key");
        }
        // What another order has now is that one's.
        if stays {
            import(&shop, "orders", &format!("{head}C,EUR,50.00,C1,2026-11-20,,K\n"));
            let left = not_eligible(&shop, "cleanup-unpaid --as-of 2026-11-22T04:00:00Z");
            assert!(left.contains("1 had another key"), "{left}");
            assert_eq!(deleted(&shop), ["A"]);
        }
        shop.ok("verify --as-of 2026-11-22T05:00:00Z");
    }
}

#[test]
fn a_page_that_comes_too_late_is_closed_and_never_given_away_later() {
    let shop = shop("");
    page(&shop, "SO-1");
    // The run dies when the ERP was asked and has not answered.
    let log = shop.path.join("moments");
    let rehearsal = support::Shop::new();
    support::copy(&shop.path, &rehearsal.path);
    rehearsal.command(&["cleanup-unpaid"]).env("PAYJOURNAL_KILL_LOG", &log).output().map(drop).unwrap_or_default();
    let moments = std::fs::read_to_string(&log).unwrap_or_default();
    let sent = moments.lines().rfind(|line| line.ends_with("BeforeCall send")).unwrap_or_default();
    let moment = sent.split(' ').next().unwrap_or_default();
    shop.command(&["cleanup-unpaid"]).env("PAYJOURNAL_KILL_AT", moment).output().map(drop).unwrap_or_default();
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'delete'"), ["sent"]);
    let late = shop.exits("checkout --order SO-1", 2);
    assert!(late.stdout.contains("is being deleted") && !late.stdout.contains("back office"), "{}", late.stdout);
    let pages = || support::rows(&shop.path.join("sandbox.db"), "SELECT status FROM transactions");
    assert_eq!(pages(), ["cancelled", "cancelled"]);
    // The ERP is asked, has not heard of it, and is told again; then a person wants the order back.
    shop.ok("cleanup-unpaid --as-of 2026-11-22T03:00:00Z");
    shop.ok("cleanup-unpaid --as-of 2026-11-23T03:00:00Z");
    assert_eq!(deleted(&shop), ["SO-1"]);
    shop.ok("restore SO-1 --reason called --as-of 2026-11-23T04:00:00Z");
    shop.ok("checkout --order SO-1 --as-of 2026-11-23T04:00:00Z");
    assert_eq!(pages(), ["cancelled", "cancelled", "open"]);
    shop.ok("verify --as-of 2026-11-23T05:00:00Z");
}
