//! Mandates from a file, and collections in longer stories: an invoice that is not paid, a restored backup, a payout.

mod support;

use support::Shop;
use support::billing::{all_entries, import, told};

const COLLECT: &str =
    "\n[collect]\nenabled = true\n[invoices]\nenabled = true\nmail = false\nbill_when = []\ndue_days = 7\n";
const HEAD: &str = "provider,merchant_account,mandate,customer,method,currency,given_on,revoked_on\n";

fn shop() -> Shop {
    Shop::with(&format!("{}{COLLECT}", support::CONFIG))
}

fn due_entry(shop: &Shop) {
    let head = "entry,assignment_key,customer,currency,amount,due_on\n";
    import(shop, "entries", &format!("{head}E-1,K-1,C1,EUR,50.00,2026-11-21\n"));
    import(shop, "mandates", &format!("{HEAD}psp,,MD-4711,C1,sepa,EUR,2026-11-02,\n"));
}

#[test]
fn a_row_that_cannot_be_right_is_refused_with_its_line_and_field() {
    let shop = shop();
    import(&shop, "mandates", &format!("{HEAD}psp,Shop,MD-4711,C1,sepa,EUR,2026-11-02,\n"));
    for (row, line, said) in [
        ("nobody,,MD-1,C1,sepa,EUR,2026-11-02,", 2, "provider"),
        ("psp,Other,MD-1,C1,sepa,EUR,2026-11-02,", 2, "merchant_account"),
        ("psp,,,C1,sepa,EUR,2026-11-02,", 2, "mandate"),
        ("psp,,MD-1,,sepa,EUR,2026-11-02,", 2, "customer"),
        ("psp,,MD-1,C1,,EUR,2026-11-02,", 2, "method"),
        ("psp,,MD-1,C1,sepa,EURO,2026-11-02,", 2, "currency `EURO`"),
        ("psp,,MD-1,C1,sepa,EUR,2.11.2026,", 2, "given_on `2.11.2026`"),
        ("psp,,MD-1,C1,sepa,EUR,2026-11-02,2026-11-01", 2, "revoked_on `2026-11-01` is before `given_on`, 2026-11-02"),
        ("psp,,MD-4711,C2,sepa,EUR,2026-11-02,", 2, "customer `C2` differs from `C1`"),
        ("psp,,MD-4711,C1,card,EUR,2026-11-02,", 2, "method `card` differs from `sepa`"),
        ("psp,,MD-4711,C1,sepa,,2026-11-02,", 2, "currency"),
        ("psp,,MD-4711,C1,sepa,EUR,2026-11-03,", 2, "given_on `2026-11-03` differs from `2026-11-02`"),
        (
            "psp,,MD-2,C1,sepa,EUR,2026-11-02,\npsp,,MD-2,C2,sepa,EUR,2026-11-02,",
            3,
            "mandate `…2` is in line 2 already",
        ),
    ] {
        shop.write("bad.csv", &format!("{HEAD}{row}\n"));
        let bad = shop.exits("import mandates bad.csv", 1).stderr;
        assert!(bad.contains(&format!("bad.csv:{line}")) && bad.contains(said), "{row}\n{bad}");
    }
    assert_eq!(shop.rows("SELECT customer, token FROM mandates"), ["C1 MD-4711"]);
}

#[test]
fn a_mandate_is_revoked_on_the_earliest_day_and_an_older_file_does_not_bring_it_back() {
    let shop = shop();
    let row = |revoked: &str| format!("{HEAD}psp,,MD-4711,C1,sepa,EUR,2026-11-02,{revoked}\n");
    for (revoked, expected) in [
        ("", "-"),
        ("", "-"),
        ("2027-01-01", "2027-01-01"),
        ("", "2027-01-01"),
        ("2026-11-20", "2026-11-20"),
        ("2026-11-20", "2026-11-20"),
        ("", "2026-11-20"),
    ] {
        import(&shop, "mandates", &row(revoked));
        assert_eq!(shop.rows("SELECT revoked_on FROM mandates"), [expected]);
    }
    shop.write("bad.csv", &row("2026-11-25"));
    let bad = shop.exits("import mandates bad.csv", 1).stderr;
    assert!(bad.contains("revoked_on `2026-11-25` is later than `2026-11-20`"), "{bad}");
    let listed = shop.json("list mandates");
    assert_eq!(
        (&listed["mandates"][0]["state"], &listed["mandates"][0]["ends_in"]),
        (&"revoked".into(), &"…11".into())
    );
    assert!(shop.ok("import mandates --describe").stdout.contains("revoked_on"));
    shop.ok("verify");
}

/// An invoice without any money has an entry that nobody named.
#[test]
fn an_invoice_that_is_due_is_collected_and_paid() {
    let shop = shop();
    support::billing::orders(&shop, "SO-1,119.00,C1,,\n");
    import(&shop, "mandates", &format!("{HEAD}psp,,MD-4711,C1,sepa,EUR,2026-11-02,\n"));
    shop.ok("finalize-invoices");
    assert_eq!(all_entries(&shop), ["2026-00001 open 0/11900 2026-00001"]);
    assert_eq!(shop.json("collect")["not_eligible"].to_string(), r#"{"not due":1}"#);
    let due = "2026-11-29T02:00:00Z";
    shop.ok(&format!("collect --as-of {due}"));
    assert_eq!(all_entries(&shop), ["2026-00001 balanced 11900/11900 2026-00001"]);
    shop.ok(&format!("capture --as-of {due}"));
    shop.ok(&format!("sync-journals --as-of {due}"));
    assert_eq!(support::billing::invoices(&shop), ["2026-00001 SO-1 11900 11900"]);
    assert_eq!(shop.psp_record().len(), 1);
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify --against-provider --against-erp --as-of 2026-11-29T03:00:00Z");
}

/// What an operation collects is named by the invoice where nothing else names it.
#[test]
fn the_collection_of_an_invoice_is_shown_by_the_number_of_the_invoice() {
    let shop = shop();
    support::billing::orders(&shop, "SO-1~collect:confirm-late,119.00,C1,,\n");
    import(&shop, "mandates", &format!("{HEAD}psp,,MD~collect:confirm-late,C1,sepa,EUR,2026-11-02,\n"));
    shop.ok("finalize-invoices");
    let look = |at: &str| {
        shop.ok(&format!("show document 2026-00001 --as-of {at}"));
        shop.ok(&format!("show order SO-1~collect:confirm-late --as-of {at}"));
        let transaction = shop.rows("SELECT transaction_id FROM payments").concat();
        for line in ["show entry 2026-00001".to_owned(), format!("show payment {transaction}")] {
            let line = format!("{line} --as-of {at}");
            shop.ok(&line);
            assert_eq!(shop.json(&line)["operations"][0]["entry"], "2026-00001", "{line}");
        }
    };
    shop.ok("collect --as-of 2026-11-29T02:00:00Z");
    let status = "status --as-of 2026-11-29T03:00:00Z";
    assert!(shop.run(&status.split(' ').collect::<Vec<_>>()).stdout.contains("entry 2026-00001"));
    assert!(shop.json(status).to_string().contains(r#""entry":"2026-00001""#));
    look("2026-11-29T03:00:00Z");
    shop.ok("collect --as-of 2026-12-01T02:00:00Z");
    assert_eq!(all_entries(&shop), ["2026-00001 balanced 11900/11900 2026-00001"]);
    shop.ok("status --as-of 2026-12-01T03:00:00Z");
    look("2026-12-01T03:00:00Z");
}

/// The customer pays the invoice by name at the same time.
#[test]
fn an_invoice_that_another_payment_names_waits() {
    let shop = shop();
    support::billing::orders(&shop, "SO-1,119.00,C1,,\n");
    import(&shop, "mandates", &format!("{HEAD}psp,,MD-4711,C1,sepa,EUR,2026-11-02,\n"));
    shop.ok("finalize-invoices");
    let head = "provider,transaction,pays,method,currency,status,authorised,authorised_at";
    for status in ["open,,", "pending,,", "authorised,119.00,2026-11-28T08:00:00Z"] {
        import(&shop, "payments", &format!("{head}\npsp,TX-1,2026-00001,card,EUR,{status}\n"));
        let left = shop.json("collect --as-of 2026-11-29T02:00:00Z");
        assert_eq!(left["not_eligible"].to_string(), r#"{"money under way":1}"#, "{status}");
    }
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'collect'"), ["0"]);
}

/// The ledger is that of before the run: the same key finds what was done.
#[test]
fn a_restored_backup_collects_nothing_twice() {
    let shop = shop();
    due_entry(&shop);
    let backup = Shop::new();
    support::copy(&shop.path, &backup.path);
    shop.ok("collect");
    assert!(std::fs::copy(shop.path.join("sandbox.db"), backup.path.join("sandbox.db")).is_ok());
    for file in ["sandbox.db-wal", "sandbox.db-shm"] {
        drop(std::fs::copy(shop.path.join(file), backup.path.join(file)));
    }
    backup.ok("collect");
    assert_eq!(backup.psp_record(), shop.psp_record());
    assert_eq!(all_entries(&backup), ["E-1 balanced 5000/5000 -"]);
    backup.ok("verify --against-provider");
}

/// The mandate is another one since, so that the same key has another content: nobody knows here what was taken under it.
#[test]
fn what_may_have_been_taken_before_a_backup_was_restored_is_left_to_a_person() {
    let shop = shop();
    due_entry(&shop);
    import(&shop, "customers", "customer,name,email\nC1,Jane Doe,jane@example.org\n");
    shop.ok("collect");
    let backup = self::shop();
    due_entry(&backup);
    for file in ["sandbox.db", "sandbox.db-wal", "sandbox.db-shm"] {
        drop(std::fs::copy(shop.path.join(file), backup.path.join(file)));
    }
    let rows = "psp,,MD-4711,C1,sepa,EUR,2026-11-02,2026-11-21\npsp,,MD-4712,C1,sepa,EUR,2026-11-02,\n";
    import(&backup, "mandates", &format!("{HEAD}{rows}"));
    backup.exits("collect", 1);
    let exceptions = told(&backup).concat();
    assert!(exceptions.contains("collection_unclear") && exceptions.contains("import payments"), "{exceptions}");
    assert!(!exceptions.contains("retry"), "{exceptions}");
    let subject = backup.rows("SELECT subject FROM mails").concat();
    assert!(subject.contains("May have been collected already"), "{subject}");
    backup.write("ask.json", r#"{"entries":["E-1"]}"#);
    for line in ["retry 1", "invite E-1", "checkout ask.json"] {
        let said = backup.exits(line, 2).stderr;
        assert!(said.contains("exception 1") && !said.contains("`payjournal retry"), "{line}: {said}");
    }
    let left = backup.json("collect --as-of 2026-12-22T02:00:00Z");
    assert_eq!(left["not_eligible"].to_string(), r#"{"may be collected already":1}"#);
    let transaction = support::rows(&backup.path.join("sandbox.db"), "SELECT id FROM transactions").concat();
    let (head, at) = ("entries,method,currency,status,authorised,authorised_at,captured_at", "2026-11-22T02:00:00Z");
    let row = format!("psp,{transaction},E-1,sepa,EUR,captured,50.00,{at},{at}");
    import(&backup, "payments", &format!("provider,transaction,{head}\n{row}\n"));
    backup.ok("resolve 1");
    backup.ok("collect");
    assert_eq!(all_entries(&backup), ["E-1 balanced 5000/5000 -"]);
    assert_eq!(backup.psp_record(), shop.psp_record());
    backup.ok("verify --against-provider --as-of 2026-12-23T02:00:00Z");
}

/// Their entries may be called the same.
#[test]
fn two_shops_on_one_merchant_account_do_not_share_their_keys() {
    let key = |shop: &Shop| shop.rows("SELECT key FROM operations WHERE kind = 'collect'").concat();
    let shops = ["webshop", "other"].map(|name| {
        let shop = Shop::with(&format!("{}{COLLECT}[shop]\nname = \"{name}\"\n", support::CONFIG));
        due_entry(&shop);
        shop.ok("collect");
        shop
    });
    assert_ne!(key(&shops[0]), key(&shops[1]));
    // It is called otherwise since: what was collected is still the same.
    shops[1].write("payjournal.toml", &format!("{}{COLLECT}[shop]\nname = \"new\"\n", support::CONFIG));
    assert_eq!(shops[1].json("collect")["not_eligible"].to_string(), "{}");
    shops[1].ok("verify --against-provider");
}

#[test]
fn what_was_collected_is_found_in_the_payout() {
    let shop = shop();
    due_entry(&shop);
    shop.ok("collect");
    shop.ok("sandbox payout --as-of 2026-11-23T02:00:00Z");
    shop.ok("settlements --as-of 2026-11-23T03:00:00Z");
    assert!(shop.ok("list payouts --open").stdout.contains("no payouts"));
    assert_eq!(shop.rows("SELECT count(*) FROM movements"), ["1"]);
    shop.ok("verify --against-provider --as-of 2026-11-23T04:00:00Z");
}

/// The shop's own import knows the payment before the answer does.
#[test]
fn a_payment_that_the_shop_hands_over_first_is_the_same() {
    let shop = shop();
    let head = "entry,assignment_key,customer,currency,amount,due_on\n";
    import(&shop, "entries", &format!("{head}E-1~collect:timeout-after,K-1,C1,EUR,50.00,2026-11-21\n"));
    import(&shop, "mandates", &format!("{HEAD}psp,,MD-4711,C1,sepa,EUR,2026-11-02,\n"));
    shop.exits("collect", 5);
    let transaction = support::rows(&shop.path.join("sandbox.db"), "SELECT id FROM transactions").concat();
    let at = "2026-11-22T02:00:00Z";
    let head = "provider,transaction,entries,method,currency,status,authorised,authorised_at,captured_at";
    let row = format!("psp,{transaction},E-1~collect:timeout-after,sepa,EUR,captured,50.00,{at},{at}");
    import(&shop, "payments", &format!("{head}\n{row}\n"));
    shop.ok("collect");
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'collect'"), ["confirmed"]);
    assert_eq!(shop.rows("SELECT count(*) FROM movements"), ["1"]);
    assert_eq!(all_entries(&shop), ["E-1~collect:timeout-after balanced 5000/5000 -"]);
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify --against-provider");
}

/// The bank takes it back after it was confirmed: it was never taken, and a person may have it tried once more.
#[test]
fn what_failed_after_all_is_tried_again_only_by_a_person() {
    let shop = shop();
    due_entry(&shop);
    shop.ok("collect");
    shop.sandbox("UPDATE modifications SET ends = 'failed'");
    let later = "2026-11-24T02:00:00Z";
    shop.exits(&format!("sync-payments --as-of {later}"), 1);
    assert_eq!(all_entries(&shop), ["E-1 open 0/5000 -"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'collect'"), ["refused"]);
    assert_eq!(shop.json(&format!("collect --as-of {later}"))["not_eligible"].to_string(), r#"{"money went back":1}"#);
    shop.ok("verify --against-provider --as-of 2026-11-24T03:00:00Z");
    shop.ok(&format!("retry 1 --as-of {later}"));
    shop.ok(&format!("collect --as-of {later}"));
    assert_eq!(all_entries(&shop), ["E-1 balanced 5000/5000 -"]);
    shop.ok("verify --against-provider --as-of 2026-11-24T04:00:00Z");
}

#[test]
fn an_invoice_that_was_collected_is_paid_back_by_its_credit_note() {
    let shop = shop();
    support::billing::orders(&shop, "SO-1,119.00,C1,,\n");
    import(&shop, "mandates", &format!("{HEAD}psp,,MD-4711,C1,sepa,,2026-11-02,\n"));
    shop.ok("finalize-invoices");
    let due = "2026-11-29T02:00:00Z";
    for task in
        ["collect", "sync-journals", "credit-note 2026-00001 --reason returned", "refunds", "sync-journals", "collect"]
    {
        let args: Vec<&str> = task.split(' ').chain(["--as-of", due]).collect();
        let ended = shop.run(&args);
        assert_eq!(ended.code, Some(0), "{task}: {} {}", ended.stdout, ended.stderr);
    }
    let kinds: Vec<String> =
        shop.psp_record().iter().filter_map(|row| row.split(' ').next().map(str::to_owned)).collect();
    assert_eq!(kinds, ["capture", "refund"]);
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify --against-provider --against-erp --as-of 2026-11-29T03:00:00Z");
}

/// Another payment for the order comes in while nobody knows whether the entry was collected.
#[test]
fn nothing_is_captured_for_an_order_whose_entry_is_being_collected() {
    let shop = Shop::with(&format!("{}{COLLECT}[method.now]\nstrategy = \"immediate\"\n", support::CONFIG));
    shop.orders("SO-1,EUR,50.00,online,,none,C1,2026-11-15\n");
    let head = "entry,assignment_key,order,customer,currency,amount,due_on\n";
    import(&shop, "entries", &format!("{head}E-1~collect:confirm-late,K-1,SO-1,C1,EUR,50.00,2026-11-21\n"));
    import(&shop, "mandates", &format!("{HEAD}psp,,MD-4711,C1,sepa,EUR,2026-11-02,\n"));
    shop.ok("collect");
    shop.payments("TX-1,SO-1,,now,EUR,authorised,50.00,2026-11-21T08:00:00Z,,\n");
    shop.run(&["capture"]);
    assert_eq!(shop.psp_record().len(), 1);
    let later = "2026-11-24T02:00:00Z";
    shop.ok(&format!("collect --as-of {later}"));
    shop.exits(&format!("capture --as-of {later}"), 1);
    assert_eq!(shop.psp_record().len(), 1);
    assert!(told(&shop).concat().contains("exceeds_order"), "{:?}", told(&shop));
}
