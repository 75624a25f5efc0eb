//! A buyer is written to once for each page, until a person wants another mail, and not at all once it is paid or closed.

mod support;

use serde_json::Value;
use support::Shop;
use support::billing::{self, entries, import};

const CUSTOMERS: &str = "customer,name,email,language\nC1,Ada Lovelace,ada@example.com,\nC2,Konrad Zuse,konrad@example.com,de\nC3,Nobody,,\n";

fn shop() -> Shop {
    let shop = Shop::with(&format!("{}\n[seller]\nname = \"Coffee Ltd.\"\n", support::CONFIG));
    import(&shop, "customers", CUSTOMERS);
    entries(&shop, "E-1,K1,C1,119.00,\nE-2,K2,C1,50.00,\nE-3,K3,C2,80.00,\nE-4,K4,C3,10.00,\n");
    shop
}

/// What went to customers.
fn mails(shop: &Shop) -> Vec<String> {
    let read = |name: &String| std::fs::read_to_string(shop.path.join("mail/new").join(name)).unwrap_or_default();
    shop.mails().iter().map(read).filter(|mail| mail.contains("@example.com")).collect()
}

fn url(answer: &Value) -> String {
    answer["payment_url"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn a_buyer_gets_one_mail_with_the_page_and_a_second_if_a_person_wants_it() {
    let shop = shop();
    let said = shop.ok("invite E-1").stdout;
    assert!(said.starts_with("customer C1 is invited to pay 119.00 EUR: https://sandbox.invalid/pay/"), "{said}");
    assert_eq!(mails(&shop), [""; 0]);
    shop.ok("sync-payments");
    let sent = mails(&shop);
    assert_eq!(sent.len(), 1);
    for words in [
        "To: ada@example.com",
        "Subject: Your payment: E-1",
        "Dear Ada Lovelace",
        "119.00 EUR is open for E-1",
        "https://sandbox.invalid/pay/",
        "Coffee Ltd.",
    ] {
        assert!(sent.concat().contains(words), "{words} is not in {sent:?}");
    }
    let again = shop.ok("invite E-1 --as-of 2026-11-23T02:00:00Z").stdout;
    assert!(again.contains("was invited on 2026-11-22") && again.contains("`--again`"), "{again}");
    let answer = shop.json("invite E-1 --as-of 2026-11-23T02:00:00Z");
    assert_eq!((&answer["schema"], &answer["invitation"]["state"]), (&"payjournal/checkout/1".into(), &"sent".into()));
    shop.ok("sync-payments --as-of 2026-11-23T03:00:00Z");
    assert_eq!(mails(&shop).len(), 1);
    shop.ok("invite E-1 --again --as-of 2026-11-24T02:00:00Z");
    shop.ok("sync-payments --as-of 2026-11-24T03:00:00Z");
    assert_eq!(mails(&shop).len(), 2);
    assert_eq!(shop.rows("SELECT count(*) FROM payment_links"), ["1"]);
    shop.ok("verify --as-of 2026-11-24T04:00:00Z");
}

#[test]
fn the_mail_is_in_the_customer_s_language_and_one_page_is_for_several_entries() {
    let shop = shop();
    shop.ok("invite E-3");
    shop.ok("invite E-1 E-2");
    shop.ok("sync-payments");
    let sent = mails(&shop).concat();
    for words in [
        "Guten Tag Konrad Zuse",
        "E-3 sind noch 80.00 EUR offen. Hier k=C3=B6nnen Sie bezahlen",
        "169.00 EUR is open for E-1, E-2",
    ] {
        assert!(sent.contains(words), "{words} is not in {sent}");
    }
}

#[test]
fn a_mail_that_waits_is_not_sent_once_the_page_is_paid() {
    let shop = shop();
    let page = url(&shop.json("invite E-1"));
    shop.ok(&format!("sandbox pay {page}"));
    shop.exits("invite E-4", 2);
    // Learnt first, and mailed after: the mail is not sent, now or later.
    shop.ok("sync-payments");
    shop.ok("capture");
    assert_eq!(mails(&shop), [""; 0]);
    let paid = shop.exits("invite E-1", 2);
    assert!(paid.stderr.contains("nothing is open"), "{}", paid.stderr);
    assert_eq!(shop.rows("SELECT count(*) FROM operations WHERE kind = 'mail' AND state = 'planned'"), ["0"]);
    shop.ok("verify");
}

#[test]
fn a_mail_planned_before_its_page_was_paid_is_withdrawn() {
    let shop = shop();
    let page = url(&shop.json("invite E-1"));
    // The folder the mails go to is a file: nothing can be delivered.
    shop.write("mail", "");
    shop.run(&["sync-payments"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'mail'"), ["planned"]);
    shop.ok(&format!("sandbox pay {page}"));
    assert!(std::fs::remove_file(shop.path.join("mail")).is_ok());
    shop.ok("sync-payments --as-of 2026-11-23T02:00:00Z");
    shop.ok("sync-payments --as-of 2026-11-24T02:00:00Z");
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'mail'"), ["withdrawn"]);
    assert_eq!(mails(&shop), [""; 0]);
    shop.ok("verify --as-of 2026-11-24T03:00:00Z");
}

#[test]
fn nothing_is_made_for_whom_nobody_can_write_to() {
    let shop = shop();
    for (line, why) in [
        ("invite E-4", "customer C3 has no `email`"),
        ("invite E-9", "entry `E-9` is not known"),
        ("invite E-1 E-3", "two customers or currencies"),
        ("invite E-1 --provider nobody", "provider `nobody` is not configured"),
    ] {
        let ended = shop.exits(line, 2);
        assert!(ended.stderr.contains(why), "{line}: {}", ended.stderr);
    }
    assert_eq!(shop.rows("SELECT count(*) FROM payment_links"), ["0"]);
    let nameless = Shop::new();
    import(&nameless, "customers", CUSTOMERS);
    entries(&nameless, "E-1,K1,C1,119.00,\n");
    let ended = nameless.exits("invite E-1", 2);
    assert!(ended.stderr.contains("`seller.name` is missing"), "{}", ended.stderr);
}

#[test]
fn a_checkout_with_mail_writes_once() {
    let shop = shop();
    shop.write(
        "request.json",
        r#"{"order": {"order": "WEB-1", "currency": "EUR", "total": "119.00", "ordered_on": "2026-11-20"},
            "lines": [{"line": "1", "description": "Coffee grinder", "quantity": "1", "unit_price": "119.00", "tax_rate": "19"}],
            "customer": {"customer": "C5", "name": "Grace Hopper", "email": "grace@example.com"}, "title": "Your order WEB-1"}"#,
    );
    assert_eq!(shop.json("checkout request.json")["invitation"], Value::Null);
    let first = shop.json("checkout request.json --mail");
    assert_eq!(first["invitation"]["state"], "queued");
    assert_eq!(shop.json("checkout request.json --mail"), first);
    assert_eq!(shop.json("checkout --order WEB-1 --mail"), first);
    shop.ok("sync-payments");
    let sent = mails(&shop);
    assert!(sent.len() == 1 && sent[0].contains("119.00 EUR is open for Your order WEB-1"), "{sent:?}");
}

const PAYMENTS: &str =
    "provider,transaction,order,entries,method,currency,status,authorised,authorised_at,captured_at\n";

fn pays(shop: &Shop, row: &str) {
    import_payments(
        shop,
        &format!(
            "psp,{row},2026-11-21T08:00:00Z,{}\n",
            if row.contains("captured") { "2026-11-21T08:00:00Z" } else { "" }
        ),
    );
}

fn import_payments(shop: &Shop, rows: &str) {
    shop.write("payments.csv", &format!("{PAYMENTS}{rows}"));
    shop.ok("sandbox authorise payments.csv");
    shop.ok("import payments payments.csv");
}

/// An order with an entry that names it, and one whose entry only has its key.
fn with_orders(cancelled: &str) -> Shop {
    let shop = shop();
    let orders = "order,currency,total,bill_to,ordered_on,entry_assignment_key,cancelled\n";
    import(
        &shop,
        "orders",
        &format!("{orders}SO-1,EUR,119.00,C1,2026-11-20,,{cancelled}\nSO-2,EUR,50.00,C1,2026-11-20,K2,{cancelled}\n"),
    );
    import(&shop, "entries", "entry,order,customer,currency,amount\nE-8,SO-1,C1,EUR,119.00\n");
    shop
}

#[test]
fn nobody_is_asked_for_what_is_paid_or_on_its_way() {
    for status in ["captured", "authorised"] {
        let shop = with_orders("none");
        pays(&shop, &format!("TX-1,SO-1,,card,EUR,{status},119.00"));
        for line in ["invite E-8", "checkout --order SO-1", "checkout --order SO-1 --mail"] {
            let ended = shop.exits(line, 2);
            assert!(
                format!("{}{}", ended.stdout, ended.stderr).contains(&format!("payment TX-1 for it is {status}")),
                "{ended:?}"
            );
        }
        assert_eq!(shop.rows("SELECT count(*) FROM payment_links"), ["0"]);
    }
    let shop = with_orders("full");
    for (line, order) in [("invite E-8", "SO-1"), ("invite E-2", "SO-2")] {
        let ended = shop.exits(line, 2);
        assert!(ended.stderr.contains(&format!("order `{order}` is cancelled")), "{}", ended.stderr);
    }
}

#[test]
fn a_mail_is_not_sent_when_what_it_asks_for_has_changed() {
    let changes: [fn(&Shop); 4] = [
        // Paid by another payment, in full or in part; cancelled; paid by one that names the order.
        |shop| pays(shop, "BANK-1,,E-8,card,EUR,captured,119.00"),
        |shop| pays(shop, "BANK-1,,E-8,card,EUR,captured,50.00"),
        |shop| {
            import(
                shop,
                "orders",
                "order,currency,total,bill_to,ordered_on,cancelled\nSO-1,EUR,119.00,C1,2026-11-20,full\n",
            );
        },
        |shop| pays(shop, "TX-1,SO-1,,card,EUR,captured,119.00"),
    ];
    for change in changes {
        let shop = with_orders("none");
        shop.ok("invite E-8");
        change(&shop);
        shop.ok("capture");
        assert_eq!(mails(&shop), [""; 0]);
        // It stays so, whatever comes.
        assert_eq!(shop.rows("SELECT count(*) FROM ended_invitations"), ["1"]);
        shop.ok("verify");
    }
}

#[test]
fn a_mail_that_was_refused_is_written_anew_to_the_right_address() {
    let shop = shop();
    import(&shop, "customers", "customer,name,email,language\nC1,Ada Lovelace,\"\"\"a b\"\"@example.com\",\n");
    shop.ok("invite E-1");
    shop.exits("sync-payments", 1);
    import(&shop, "customers", "customer,name,email,language\nC1,Ada Lovelace,right@example.com,\n");
    assert_eq!(shop.json("invite E-1")["invitation"]["state"], "queued");
    shop.run(&["capture"]);
    let sent = mails(&shop);
    assert!(sent.len() == 1 && sent[0].contains("To: right@example.com"), "{sent:?}");
}

#[test]
fn a_portal_gets_its_page_also_where_no_mail_can_be_written() {
    let shop = with_orders("none");
    import(&shop, "customers", "customer,name,email,language\nC1,Ada Lovelace,,\n");
    let answer = shop.json("checkout --order SO-1 --mail");
    assert_eq!((&answer["exit_code"], &answer["invitation"]["state"]), (&0.into(), &"not_written".into()));
    assert!(answer["invitation"]["why"].as_str().unwrap_or_default().contains("no `email`"), "{answer}");
    assert!(url(&answer).starts_with("https://"), "{answer}");
}

/// An order that nobody made an entry for has one of its own, by the invoice's number.
#[test]
fn what_is_open_on_an_invoice_is_paid_on_a_page_of_its_own() {
    let shop = billing::shop("[seller]\nname = \"Coffee Ltd.\"\n");
    import(&shop, "customers", CUSTOMERS);
    billing::orders(&shop, "A,100.00,C1,,\n");
    billing::collected(&shop, "TX-A,A,,,30.00\n");
    entries(&shop, "2026-00001,OTHER,C2,5.00,\n");
    shop.ok("finalize-invoices");
    // The portal has an entry of that name already.
    assert_eq!(billing::all_entries(&shop), ["2026-00001 open 0/500 -", "2026-00001/2 open 3000/10000 2026-00001"]);
    let page = shop.json("invite 2026-00001/2");
    assert_eq!(page["open"]["amount"], "70.00");
    shop.ok("sync-payments");
    assert!(mails(&shop).concat().contains("70.00 EUR is open for Invoice 2026-00001"), "{:?}", mails(&shop));
    shop.ok(&format!("sandbox pay {}", url(&page)));
    shop.ok("sync-payments");
    assert!(billing::all_entries(&shop).contains(&"2026-00001/2 balanced 10000/10000 2026-00001".to_owned()));
    assert_eq!(billing::invoices(&shop), ["2026-00001 A 10000 10000"]);
    shop.ok("verify");
}
