//! `cleanup-unpaid`: what nobody paid goes, with its page, entry and stock; everything else stays, and says why.

mod support;

use support::Shop;
use support::cleanup::{BEGUN, deleted, import, not_eligible, orders, page, payments, shop, stock, told};

#[test]
fn an_unpaid_order_is_closed_at_the_psp_then_deleted_and_its_stock_goes_back_once() {
    let shop = shop("");
    let link = page(&shop, "SO-1");
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop), ["SO-1"]);
    assert_eq!(
        shop.rows("SELECT kind, target, state, amount_minor FROM operations"),
        ["cancel payment:1 confirmed -", "delete order:1 confirmed -"]
    );
    assert_eq!(shop.rows("SELECT status FROM entries"), ["cancelled"]);
    assert_eq!(stock(&shop), ["SO-1/1 2 release", "SO-1/2 1 release"]);
    let gates = shop.rows("SELECT gate, evidence FROM deletion_gates");
    let expected = [
        "age it is of 2026-10-01, 52 days old on 2026-11-22 in UTC, older than 30",
        "answer the PSP says: PL-",
        "closed no payment can be paid any more: closed by operation 1; its entry is cancelled with it",
        "state payment status New until its payments were closed here; 1 payment, nothing of it ever authorised",
    ];
    for (gate, expected) in gates.iter().zip(expected) {
        assert!(gate.starts_with(expected), "{gate}\n{expected}");
    }
    assert_eq!(gates.len(), 4);
    // The page of what is gone cannot be paid, and the portal gets no other.
    let refused = shop.exits(&format!("sandbox pay {link}"), 2).stderr;
    assert!(refused.contains("was closed: nothing was paid"), "{refused}");
    let refused = shop.exits("checkout --order SO-1", 2).stderr;
    assert!(refused.contains("has no entry that could be paid"), "{refused}");
    // Its row stays, with its payment; again, there is nothing to do.
    shop.ok("cleanup-unpaid");
    assert_eq!(stock(&shop).len(), 2);
    assert_eq!(shop.rows("SELECT count(*) FROM operations"), ["2"]);
    let story = shop.json("show order SO-1");
    assert_eq!((&story["order"]["deleted"], &story["deletions"][0]["method"]), (&true.into(), &"cancel".into()));
    let text = shop.ok("show order SO-1").stdout;
    assert!(text.contains("DELETED") && text.contains("gate answer"), "{text}");
    shop.ok("verify --against-provider");
}

#[test]
fn the_border_of_the_age_is_a_day_in_the_configured_zone() {
    let shop = shop("older_than_days = 30\n");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml"));
    shop.write("payjournal.toml", &format!("time_zone = \"Europe/Berlin\"\n{}", config.unwrap_or_default()));
    orders(&shop, "OLD,online,,none,2026-10-21\nBORDER,online,,none,2026-10-22\nTODAY,online,,none,2026-11-21\n");
    payments(&shop, "TX-1,OLD,card,expired,,\nTX-2,BORDER,card,expired,,\nTX-3,TODAY,card,expired,,\n");
    // 23:30 of the 21st in Berlin: 31 days are older than 30, 30 are not.
    let evening = "cleanup-unpaid --dry-run --as-of 2026-11-21T22:30:00Z";
    assert_eq!(not_eligible(&shop, evening), "2 too young");
    let text = shop.ok(evening).stdout.replace(['\n', ' ', '|'], "");
    assert!(text.contains("itisof2026-10-22,30daysold,andgoesfrom2026-11-22on(olderthan30days)"), "{text}");
    shop.ok("cleanup-unpaid --as-of 2026-11-21T22:30:00Z");
    assert_eq!(deleted(&shop), ["OLD"]);
    // Half past midnight in Berlin; in UTC it is still the 21st.
    shop.ok("cleanup-unpaid --as-of 2026-11-21T23:30:00Z");
    assert_eq!(deleted(&shop), ["BORDER", "OLD"]);
    shop.ok("verify");
}

#[test]
fn a_payment_that_was_begun_today_keeps_its_old_order() {
    let shop = shop("older_than_days = 1\n");
    page(&shop, "SO-1");
    // The same evening; the order's date alone would let it go.
    shop.ledger().execute_batch("UPDATE orders SET ordered_on = '2026-09-01'").unwrap_or_default();
    assert_eq!(not_eligible(&shop, "cleanup-unpaid --as-of 2026-10-01T23:59:59Z"), "1 too young");
    assert_eq!(deleted(&shop), [""; 0]);
    shop.ok("cleanup-unpaid --as-of 2026-10-02T00:00:00Z");
    assert_eq!(deleted(&shop), ["SO-1"]);
}

/// Rule 22, and everything beside it that is not known to be unpaid: each keeps its order, and none is asked about at the PSP.
#[test]
fn whatever_protects_an_order_keeps_it() {
    let shop = shop("methods = [\"card\", \"checkout\"]\n");
    let names = [
        "ACCOUNT,on_account,,none",
        "SHARE,prepayment,10,none",
        "GONE,online,,full",
        "AUTHORISED,online,,none",
        "CAPTURED,online,,none",
        "RELEASED,online,,none",
        "PENDING,online,,none",
        "ERROR,online,,none",
        "REFUSED,online,,none",
        "INVOICE,online,,none",
        "SHIPMENT,online,,none",
        "METHOD,online,,none",
        "NONE,online,,none",
        "SETTLED,online,,none",
        "LAPSED,online,,none",
    ];
    orders(&shop, &names.map(|name| format!("{name},2026-10-01\n")).concat());
    payments(
        &shop,
        "TX-1,AUTHORISED,card,authorised,50.00,\nTX-2,CAPTURED,card,captured,50.00,2026-10-01T09:00:00Z\nTX-3,RELEASED,card,authorised,50.00,\n\
         TX-4,PENDING,card,pending,,\nTX-5,ERROR,card,open,,\nTX-6,REFUSED,card,refused,,\nTX-7,INVOICE,card,expired,,\n\
         TX-8,SHIPMENT,card,expired,,\nTX-9,METHOD,paypal,expired,,\nTX-10,SETTLED,card,expired,,\nTX-11,LAPSED,card,authorised,50.00,\n",
    );
    // It was authorised once, and is expired now: an old authorisation is no reason to forget it.
    shop.sandbox(
        "UPDATE transactions SET status = 'expired', authorised_minor = 0 WHERE id = 'TX-11';
         UPDATE transactions SET status = 'released' WHERE id = 'TX-3'; UPDATE transactions SET status = 'error' WHERE id = 'TX-5'",
    );
    shop.exits("sync-payments --as-of 2026-10-05T10:00:00Z", 1);
    assert_eq!(shop.rows("SELECT status FROM payments WHERE transaction_id = 'TX-11'"), ["expired"]);
    shop.documents("invoice,R-1,INVOICE,EUR,50.00,,,2026-10-20\nshipment,S-1,SHIPMENT,EUR,50.00,,,2026-10-20\n");
    settlement_line(&shop, "SETTLED", "TX-LOST");
    page(&shop, "ASSIGNED");
    import(
        &shop,
        "payments",
        "provider,transaction,entries,method,currency,status,authorised,authorised_at,captured_at\n\
         psp,TX-E,ASSIGNED,card,EUR,captured,10.00,2026-10-01T09:00:00Z,2026-10-01T09:00:00Z\n",
    );
    // A call about a payment of it that has no answer yet.
    page(&shop, "WAITING");
    shop.ledger()
        .execute_batch(
            "INSERT INTO operations (kind, target, payment_id, attempt, key, request_hash, state, planned_at, status_since)
             SELECT 'cancel', 'payment:' || id, id, 1, 'pj-x', 'x', 'given_up', '2026-11-22T00:00:00Z', '2026-11-22T00:00:00Z'
             FROM payments WHERE transaction_id = (SELECT max(transaction_id) FROM payments WHERE id = (SELECT max(id) FROM payments))",
        )
        .unwrap_or_default();
    let dry = not_eligible(&shop, "cleanup-unpaid --dry-run");
    // Those that are paid or on their way have a status of their own, and are not looked at.
    assert!(dry.contains("2 status Cancelled") && dry.contains("1 has money"), "{dry}");
    // Whatever their status says (trap T63).
    shop.ledger()
        .execute_batch("UPDATE orders SET payment_status = 'new' WHERE number <> 'REFUSED'")
        .unwrap_or_default();
    let dry = not_eligible(&shop, "cleanup-unpaid --dry-run");
    let expected = "1 another payment method, 1 cancelled in the ERP, 2 has documents, 8 has money, 1 no payment, 1 on account, \
                    1 prepayment, 1 status Cancelled, 1 waits for an answer";
    let sorted = |text: &str| {
        let mut parts: Vec<String> = text.split(", ").map(str::to_owned).collect();
        parts.sort();
        parts
    };
    assert_eq!(sorted(&dry), sorted(expected), "{}", shop.ok("cleanup-unpaid --dry-run").stdout);
    shop.run(&["cleanup-unpaid"]);
    assert_eq!(deleted(&shop), [""; 0]);
    assert_eq!(shop.rows("SELECT kind, key FROM operations WHERE kind <> 'mail'"), ["cancel pj-x"]);
}

/// A report with one line for an order, by its reference alone.
fn settlement_line(shop: &Shop, order: &str, transaction: &str) {
    std::fs::create_dir_all(shop.path.join("reports")).unwrap_or_default();
    let head = "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,\
        Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),\
        Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,Modification Merchant Reference,Batch Number";
    let line = format!(
        "Shop,Shop,{transaction},{order},visa,2026-11-21 12:00:00,CET,Settled,C-{order},EUR,,50.00,1,EUR,,49.00,1.00,0,0,0,visa,,1"
    );
    shop.write("reports/batch-1.csv", &format!("{head}\n{line}\n"));
    shop.run(&["settlements"]);
}

#[test]
fn what_never_was_money_does_not_protect() {
    let shop = shop("include_cancelled = true\nwithout_payment = true\n");
    orders(
        &shop,
        "EXPIRED,online,,none,2026-10-01\nREFUSED,online,,none,2026-10-01\nCANCELLED,online,,none,2026-10-01\nOPEN,online,,none,2026-10-01\n\
         TWO,online,,none,2026-10-01\nNONE,online,,none,2026-10-01\n",
    );
    payments(
        &shop,
        "TX-1,EXPIRED,card,expired,,\nTX-2,REFUSED,card,refused,,\nTX-3,CANCELLED,card,cancelled,,\nTX-4,OPEN,card,open,,\n\
         TX-5,TWO,card,refused,,\nTX-6,TWO,card,open,,\n",
    );
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop), ["CANCELLED", "EXPIRED", "NONE", "OPEN", "REFUSED", "TWO"]);
    // Only what was open had to be closed.
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'cancel'"), ["2"]);
    shop.ok("verify");
}

#[test]
fn a_page_that_another_order_is_paid_on_too_is_not_closed() {
    let shop = shop("");
    page(&shop, "SO-1");
    page(&shop, "SO-2");
    shop.write("both.json", "{\"entries\": [\"SO-1\", \"SO-2\"]}");
    shop.ok(&format!("checkout both.json --as-of {BEGUN}"));
    assert_eq!(not_eligible(&shop, "cleanup-unpaid"), "2 shares its page");
    assert_eq!((deleted(&shop), told(&shop)), (Vec::new(), Vec::new()));
    // When the page has expired, nothing holds them.
    shop.sandbox("UPDATE transactions SET status = 'expired' WHERE order_reference = 'SO-1;SO-2'");
    shop.ok("sync-payments");
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop), ["SO-1", "SO-2"]);
    shop.ok("verify");
}

#[test]
fn more_than_a_run_may_delete_stops_it_and_is_told_once() {
    let shop = shop("max_deletions = 2\n");
    for number in ["SO-1", "SO-2", "SO-3", "SO-4", "SO-5"] {
        page(&shop, number);
    }
    let dry = shop.ok("cleanup-unpaid --dry-run").stdout;
    assert!(
        dry.contains("5 cases looked at, nothing was done; 2 would go; 3 not eligible: 3 over the limit of one run"),
        "{dry}"
    );
    let ended = shop.exits("cleanup-unpaid", 1);
    assert!(
        ended.stderr.contains("3 more orders would be deleted than one run may (`cleanup.max_deletions` is 2)"),
        "{}",
        ended.stderr
    );
    assert_eq!(deleted(&shop), ["SO-1", "SO-2"]);
    assert_eq!(told(&shop), ["deletions_capped cleanup-unpaid"]);
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop).len(), 4);
    shop.ok("cleanup-unpaid");
    assert_eq!((deleted(&shop).len(), told(&shop)), (5, Vec::new()));
    shop.ok("verify");
}

#[test]
fn the_erp_deletes_cancels_or_flags_and_quarantine_comes_between() {
    for (more, method) in [
        ("mode = \"permanent\"\n", "permanent"),
        ("", "cancel"),
        ("mode = \"flag\"\nreason = \"nobody paid\"\n", "flag"),
    ] {
        let shop = shop(more);
        page(&shop, "SO-1");
        shop.ok("cleanup-unpaid");
        let reason = if method == "flag" { "nobody paid" } else { "not paid for more than 30 days" };
        assert_eq!(shop.rows("SELECT method, is_final, reason FROM deletions"), [format!("{method} 1 {reason}")]);
        assert_eq!((deleted(&shop).len(), stock(&shop).len()), (1, 2), "{method}");
        shop.ok("verify");
    }
    let shop = shop("mode = \"permanent\"\nquarantine_days = 7\n");
    page(&shop, "SO-1");
    shop.ok("cleanup-unpaid");
    // Flagged: it cannot be paid, keeps its stock and its entry, and no task takes it up.
    assert_eq!(shop.rows("SELECT method, is_final FROM deletions"), ["flag 0"]);
    assert_eq!((deleted(&shop), stock(&shop)), (vec!["SO-1".to_owned()], Vec::new()));
    assert_eq!(shop.rows("SELECT status FROM entries"), ["open"]);
    let refused = shop.exits("checkout --order SO-1", 2).stderr;
    assert!(
        refused.contains("was deleted because nobody paid it") && refused.contains("payjournal restore SO-1"),
        "{refused}"
    );
    assert_eq!(not_eligible(&shop, "cleanup-unpaid --as-of 2026-11-28T23:00:00Z"), "1 in quarantine");
    assert_eq!(stock(&shop), [""; 0]);
    shop.ok("verify --as-of 2026-11-28T23:00:00Z");
    shop.ok("cleanup-unpaid --as-of 2026-11-29T00:00:00Z");
    assert_eq!(shop.rows("SELECT method, is_final FROM deletions"), ["flag 0", "permanent 1"]);
    assert_eq!((stock(&shop).len(), shop.rows("SELECT status FROM entries")), (2, vec!["cancelled".to_owned()]));
    shop.ok("cleanup-unpaid --as-of 2026-11-30T00:00:00Z");
    shop.ok("verify --as-of 2026-11-30T00:00:00Z");
    assert_eq!(shop.rows("SELECT count(*) FROM deletions"), ["2"]);
}

#[test]
fn an_erp_that_keeps_an_order_or_is_down_is_told_and_harms_no_other() {
    let shop = shop("");
    page(&shop, "SO-1");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
    let with = |fault: &str| shop.write("payjournal.toml", &format!("{config}[erp]\nfault = \"{fault}\"\n"));
    with("unreachable");
    shop.exits("cleanup-unpaid", 5);
    assert_eq!(shop.rows("SELECT kind, state, tries FROM operations"), ["cancel confirmed 1", "delete planned 1"]);
    // It backs off: a run a minute later does not try again, and another order is not held back.
    page(&shop, "SO-2");
    assert_eq!(not_eligible(&shop, "cleanup-unpaid --as-of 2026-11-22T02:01:00Z"), "1 tried again later");
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'delete'"), ["2"]);
    with("keeps-orders");
    shop.exits("cleanup-unpaid --as-of 2026-11-22T09:00:00Z", 1);
    assert_eq!(told(&shop), ["deletion_refused order webshop/SO-1", "deletion_refused order webshop/SO-2"]);
    assert_eq!((deleted(&shop), stock(&shop)), (Vec::new(), Vec::new()));
    assert_eq!(shop.mails().len(), 2);
    // A person says when to try again; until then it is counted.
    shop.write("payjournal.toml", &config);
    assert_eq!(not_eligible(&shop, "cleanup-unpaid --as-of 2026-11-22T10:00:00Z"), "2 the ERP keeps it");
    for operation in shop.rows("SELECT id FROM operations WHERE state = 'refused'") {
        shop.ok(&format!("retry {operation}"));
    }
    shop.ok("cleanup-unpaid --as-of 2026-11-22T11:00:00Z");
    assert_eq!((deleted(&shop).len(), told(&shop)), (2, Vec::new()));
    assert_eq!(stock(&shop).len(), 4);
    shop.ok("verify --as-of 2026-11-22T12:00:00Z");
}

#[test]
fn stock_is_an_instruction_or_only_informs_and_belongs_to_its_month() {
    let shop = shop("");
    page(&shop, "SO-1");
    shop.ok("cleanup-unpaid");
    let expected = "event,at,shop,order,line,item,description,quantity,action,instructs\r\n\
        webshop/SO-1:1:1:release,2026-11-22T02:00:00Z,webshop,SO-1,1,I-1,Thing,2,release,yes\r\n\
        webshop/SO-1:2:1:release,2026-11-22T02:00:00Z,webshop,SO-1,2,I-2,Thing,1,release,yes\r\n";
    assert_eq!(shop.ok("export --format stock").stdout, expected);
    assert_eq!(shop.ok("export --format stock --month 2026-11").stdout, expected);
    assert_eq!(shop.ok("export --format stock --month 2026-10").stdout.lines().count(), 1);
    let by_erp =
        Shop::with(&format!("{}[cleanup]\nenabled = true\n[erp]\nstock_released_by = \"erp\"\n", support::CONFIG));
    page(&by_erp, "SO-1");
    by_erp.ok("cleanup-unpaid");
    let text = by_erp.ok("export --format stock").stdout;
    assert_eq!(text.matches(",release,no\r\n").count(), 2, "{text}");
}

#[test]
fn without_the_switch_only_a_dry_run_looks_and_a_newcomer_understands_it() {
    let shop = Shop::new();
    page(&shop, "SO-1");
    orders(&shop, "YOUNG,online,,none,2026-11-20\n");
    let refused = shop.exits("cleanup-unpaid", 3).stderr;
    assert!(refused.contains("`cleanup.enabled` is not true") && refused.contains("--dry-run"), "{refused}");
    let document = shop.json("cleanup-unpaid --dry-run");
    let rows = document["steps"].as_array().cloned().unwrap_or_default();
    let said: Vec<String> =
        rows.iter().map(|row| format!("{} {} {}", row["about"], row["action"], row["reason"])).collect();
    assert!(
        said[0].starts_with("\"order webshop/SO-1 (payment PL-")
            && said[0].ends_with(
                "\"cancel\" \"unpaid since 2026-10-01: the payment is closed at the PSP, then the order is cancelled\""
            ),
        "{said:?}"
    );
    assert_eq!(
        said[1],
        "\"order webshop/YOUNG\" \"leave\" \"it is of 2026-11-20, 2 days old, and goes from 2026-12-21 on (older than 30 days)\""
    );
    assert_eq!(shop.rows("SELECT count(*) FROM operations"), ["0"]);
}
