//! What a hostile reviewer found about `cleanup-unpaid`: in doubt the order stays, and promised money pays nothing else.

mod support;

use support::cleanup::{deleted, import, not_eligible, orders, page, shop, stock, told};

const PAYMENTS: &str =
    "provider,currency,transaction,order,assignment_key,entries,method,status,authorised,authorised_at,captured_at\n";

/// Settlement lines of one payout: rows `TX,REFERENCE`.
fn report(shop: &support::Shop, rows: &[(&str, &str)]) {
    std::fs::create_dir_all(shop.path.join("reports")).unwrap_or_default();
    let mut text = "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,\
                    Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),\
                    Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,\
                    Modification Merchant Reference,Batch Number\n"
        .to_owned();
    for (transaction, reference) in rows {
        text.extend(["Shop,Shop,", transaction, ",", reference, ",visa,2026-11-21 12:00:00,CET,Settled,C-1,"]);
        text.push_str("EUR,,119.00,1,EUR,,118.00,1.00,0,0,0,visa,,1\n");
    }
    shop.write("reports/batch-1.csv", &text);
}

/// Late money on a page that was closed.
fn paid_late(shop: &support::Shop) {
    shop.sandbox(
        "UPDATE transactions SET status = 'captured', authorised_minor = 11900, authorised_at = '2026-11-22T03:00:00+00:00';
         INSERT INTO modifications SELECT id || '.1', merchant_account, id, 'capture', 11900, 'late', 'confirmed',
           '2026-11-22T03:00:00+00:00', '2026-11-22T03:00:00+00:00' FROM transactions",
    );
    shop.exits("sync-payments --as-of 2026-11-23T02:00:00Z", 1);
}

#[test]
fn a_settlement_line_that_came_before_its_order_protects_it() {
    let shop = shop("");
    page(&shop, "OTHER");
    report(&shop, &[("T-9", "LATER")]);
    shop.exits("settlements", 1);
    page(&shop, "LATER");
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop), ["OTHER"]);
    // The line has its order now, and no payment of the ledger.
    shop.exits("settlements", 1);
    shop.ok("verify");
}

#[test]
fn money_that_is_to_be_paid_back_does_not_pay_a_restored_order_too() {
    let shop = shop("");
    page(&shop, "SO-1");
    shop.ok("cleanup-unpaid");
    paid_late(&shop);
    let transaction = shop.rows("SELECT transaction_id FROM payments").concat();
    shop.ok(&format!("refund-balance {transaction} --reason late --as-of 2026-11-23T03:00:00Z"));
    let refused = shop.exits("restore SO-1 --reason called --as-of 2026-11-23T04:00:00Z", 2).stderr;
    assert!(refused.contains("is to be paid back"), "{refused}");
    shop.ok("refund-balance --withdraw RB-2026-00001 --as-of 2026-11-23T04:00:00Z");
    shop.ok("restore SO-1 --reason called --as-of 2026-11-23T04:00:00Z");
    assert_eq!(shop.rows("SELECT status, assigned_minor FROM entries"), ["balanced 11900"]);
    shop.ok("verify --as-of 2026-11-23T05:00:00Z");
}

#[test]
fn one_entry_can_go_with_two_orders_one_after_the_other() {
    let shop = shop("");
    let orders = "order,currency,total,bill_to,ordered_on,entry_assignment_key\n";
    import(&shop, "orders", &format!("{orders}A,EUR,50.00,C1,2026-10-01,K1\n"));
    import(&shop, "order-lines", "order,line,description,quantity,unit_price,tax_rate\nA,1,Thing,1,50.00,19\n");
    import(&shop, "entries", "entry,assignment_key,customer,currency,amount\nE-1,K1,C1,EUR,50.00\n");
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-A,A,,,card,expired,,,\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.ok("cleanup-unpaid");
    shop.ok("restore A --reason called --as-of 2026-11-22T03:00:00Z");
    import(&shop, "orders", &format!("{orders}A,EUR,50.00,C1,2026-10-01,K9\nB,EUR,50.00,C1,2026-10-01,K1\n"));
    import(&shop, "order-lines", "order,line,description,quantity,unit_price,tax_rate\nB,1,Thing,1,50.00,19\n");
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-B,B,,,card,expired,,,\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.ok("cleanup-unpaid --as-of 2026-11-22T04:00:00Z");
    assert_eq!(deleted(&shop), ["B"]);
    assert_eq!(shop.rows("SELECT status FROM entries"), ["cancelled"]);
    assert_eq!(stock(&shop), ["A/1 1 release", "A/1 1 reserve", "B/1 1 release"]);
    shop.ok("verify --as-of 2026-11-22T05:00:00Z");
}

#[test]
fn a_page_or_a_key_that_is_not_its_own_alone_is_not_closed() {
    let shop = shop("");
    let orders = "order,currency,total,bill_to,ordered_on,entry_assignment_key,payment_assignment_key\n";
    let young = "2026-11-21";
    import(
        &shop,
        "orders",
        &format!(
            "{orders}A,EUR,50.00,C1,2026-10-01,K1,\nB,EUR,50.00,C1,{young},K2,\nC,EUR,50.00,C1,2026-10-01,,K\nD,EUR,50.00,C1,{young},,K\n"
        ),
    );
    import(
        &shop,
        "entries",
        "entry,assignment_key,customer,currency,amount\nE-1,K1,C1,EUR,50.00\nE-2,K2,C1,EUR,50.00\n",
    );
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-1,,,E-1;E-2,card,open,,,\npsp,EUR,T-2,,K,,card,open,,,\n"));
    shop.ok("sandbox authorise rows.csv");
    assert_eq!(not_eligible(&shop, "cleanup-unpaid"), "2 shares its key, 1 shares its page, 1 too young");
    assert_eq!(deleted(&shop), [""; 0]);
    assert_eq!(shop.rows("SELECT count(*) FROM operations"), ["0"]);
}

#[test]
fn money_that_names_another_order_is_that_order_s_and_a_deleted_one_s_keys_are_free() {
    let shop = shop("");
    deleted_and_heir(&shop, "payment_assignment_key");
    let at = "2026-11-22T01:00:00Z";
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-B,B,K,,card,captured,119.00,{at},{at}\n"));
    shop.ok("finalize-invoices");
    assert_eq!(told(&shop), [""; 0]);
    assert_eq!(shop.rows("SELECT amount_minor FROM journals WHERE kind = 'application'"), ["11900"]);
    shop.ok("verify");
}

/// Order A over 119.00 with the key K, which is deleted.
fn deleted_with(shop: &support::Shop, key: &str) {
    import(shop, "orders", &format!("order,currency,total,bill_to,ordered_on,{key}\nA,EUR,119.00,C1,2026-10-01,K\n"));
    import(shop, "payments", &format!("{PAYMENTS}psp,EUR,T-A,A,,,card,expired,,,\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(shop), ["A"]);
}

/// Order B over as much, which has the key since.
fn heir(shop: &support::Shop, key: &str) {
    import(shop, "orders", &format!("order,currency,total,bill_to,ordered_on,{key}\nB,EUR,119.00,C1,2026-10-01,K\n"));
    import(shop, "order-lines", "order,line,description,quantity,unit_price,tax_rate\nB,1,Thing,1,119.00,19\n");
}

/// The first deleted, and the second.
fn deleted_and_heir(shop: &support::Shop, key: &str) {
    deleted_with(shop, key);
    heir(shop, key);
}

#[test]
fn late_money_that_names_the_deleted_order_does_not_pay_another_one_with_its_key() {
    let shop = shop("");
    deleted_and_heir(&shop, "payment_assignment_key");
    let at = "2026-11-22T01:00:00Z";
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-B,A,K,,card,captured,119.00,{at},{at}\n"));
    shop.exits("finalize-invoices", 1);
    assert_eq!(told(&shop), ["key_mismatch webshop/B", "paid_after_deletion order webshop/A"]);
    assert_eq!(shop.rows("SELECT kind FROM journals"), ["prepayment"]);
    shop.ok("verify");
    shop.ok("refund-balance T-B --reason late");
    shop.ok("verify");
}

/// Found by `payjournal simulate`: it paid B's invoice, and a person was told to pay it back.
#[test]
fn late_money_that_names_no_order_pays_the_one_that_has_its_key_now() {
    let shop = shop("");
    deleted_and_heir(&shop, "payment_assignment_key");
    let at = "2026-11-22T01:00:00Z";
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-B,,K,,card,captured,119.00,{at},{at}\n"));
    shop.ok("finalize-invoices");
    assert_eq!(told(&shop), [""; 0]);
    assert_eq!(shop.rows("SELECT amount_minor FROM journals WHERE kind = 'application'"), ["11900"]);
    shop.ok("verify");
}

#[test]
fn late_money_that_was_told_is_told_no_more_once_it_pays_another_order() {
    let shop = shop("");
    deleted_with(&shop, "payment_assignment_key");
    let at = "2026-11-22T01:00:00Z";
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-B,,K,,card,captured,119.00,{at},{at}\n"));
    assert_eq!(told(&shop), ["paid_after_deletion order webshop/A"]);
    heir(&shop, "payment_assignment_key");
    shop.ok("finalize-invoices");
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify");
}

/// Who has the key and can never take the money is no heir: somebody must look.
#[test]
fn late_money_is_told_where_the_order_that_has_its_key_now_cannot_take_it() {
    let at = "2026-11-22T01:00:00Z";
    let late = format!("{PAYMENTS}psp,EUR,T-B,,K,,card,captured,119.00,{at},{at}\n");
    let head = "order,currency,total,bill_to,ordered_on,payment_assignment_key,cancelled\n";
    // Cancelled before the money came, or after; another key after.
    for (before, after) in [
        ("B,EUR,119.00,C1,2026-10-01,K,full", ""),
        ("", "B,EUR,119.00,C1,2026-10-01,K,full"),
        ("", "B,EUR,119.00,C1,2026-10-01,K2,"),
    ] {
        let shop = shop("");
        deleted_and_heir(&shop, "payment_assignment_key");
        let change = |row: &str| {
            if !row.is_empty() {
                import(&shop, "orders", &format!("{head}{row}\n"));
            }
        };
        change(before);
        import(&shop, "payments", &late);
        change(after);
        assert_eq!(told(&shop), ["paid_after_deletion order webshop/A"], "{before}{after}");
        shop.ok("verify");
    }
}

#[test]
fn late_money_for_an_entry_pays_the_order_that_has_its_key_now() {
    let shop = shop("");
    deleted_and_heir(&shop, "entry_assignment_key");
    import(&shop, "entries", "entry,assignment_key,customer,currency,amount\nE-1,K,C1,EUR,119.00\n");
    let at = "2026-11-22T01:00:00Z";
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-B,,,E-1,card,captured,119.00,{at},{at}\n"));
    shop.ok("finalize-invoices");
    assert_eq!(told(&shop), [""; 0]);
    assert_eq!(shop.rows("SELECT amount_minor FROM journals WHERE kind = 'application'"), ["11900"]);
    shop.ok("verify");
}

/// Found by `payjournal simulate --cleans true`: the entry that was cancelled with the order was told as a mistake in its key.
#[test]
fn what_kept_a_bill_back_is_over_when_its_order_is_deleted() {
    let shop = shop("");
    import(
        &shop,
        "orders",
        "order,currency,total,bill_to,ordered_on,entry_assignment_key\nA,EUR,50.00,C1,2026-10-01,K\n",
    );
    import(&shop, "entries", "entry,assignment_key,customer,currency,amount\nE-1,K,C1,EUR,50.00\nE-2,K,C1,EUR,50.00\n");
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-A,A,,,card,expired,,,\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.exits("finalize-invoices", 1);
    assert_eq!(told(&shop), ["key_collides webshop/A"]);
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop), ["A"]);
    shop.ok("finalize-invoices");
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify");
}

/// Found by `payjournal simulate --cleans true`: as long as the PSP had not confirmed the capture, nobody was told.
#[test]
fn money_whose_capture_is_not_confirmed_yet_is_told_of_a_deleted_order() {
    let shop = shop("");
    orders(&shop, "A,online,,none,2026-10-01\n");
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-A,A,,,card,expired,,,\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.ok("cleanup-unpaid");
    assert_eq!(deleted(&shop), ["A"]);
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-B,A,,,card,open,,,\n"));
    let at = "2026-11-22T01:00:00Z";
    shop.write("rows.csv", &format!("{PAYMENTS}psp,EUR,T-B,A,,,card,captured,50.00,{at},{at}\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.sandbox("UPDATE modifications SET settles_at = '2026-11-25 01:00:00+00:00'");
    shop.exits("sync-payments", 1);
    assert_eq!(shop.rows("SELECT count(*) FROM movements"), ["0"]);
    assert_eq!(told(&shop), ["paid_after_deletion order webshop/A"]);
    shop.ok("verify");
}

/// Found by `payjournal simulate --cleans true`: `verify` asked who had been told of it.
#[test]
fn money_that_came_and_went_again_before_anybody_looked_is_no_damage() {
    let shop = shop("");
    orders(&shop, "A,online,,none,2026-10-01\n");
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-A,A,,,card,expired,,,\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.ok("cleanup-unpaid");
    import(&shop, "payments", &format!("{PAYMENTS}psp,EUR,T-B,A,,,card,open,,,\n"));
    shop.write("rows.csv", &format!("{PAYMENTS}psp,EUR,T-B,A,,,card,authorised,50.00,2026-10-02T01:00:00Z,\n"));
    shop.ok("sandbox authorise rows.csv");
    shop.sandbox("UPDATE transactions SET status = 'expired' WHERE id = 'T-B'");
    shop.ok("sync-payments");
    assert_eq!(
        shop.rows("SELECT status, amount_minor FROM payments JOIN authorisations ON payment_id = payments.id"),
        ["expired 5000"]
    );
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify");
}

#[test]
fn a_line_that_a_person_matches_to_a_deleted_order_is_told_at_once() {
    let shop = shop("");
    page(&shop, "SO-1");
    shop.ok("cleanup-unpaid");
    report(&shop, &[("T-9", "UNKNOWN")]);
    shop.exits("settlements", 1);
    shop.ok("match 1:2 SO-1 --reason telephone");
    assert!(told(&shop).contains(&"paid_after_deletion order webshop/SO-1".to_owned()), "{:?}", told(&shop));
    shop.ok("verify");
}
