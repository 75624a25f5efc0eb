//! `show entry`: what is asked for, by which payments it is paid, and who was asked.

mod support;

use serde_json::Value;
use support::Shop;
use support::billing::{collected, entries, import, orders};

fn shop() -> Shop {
    let shop = Shop::with(&format!(
        "{}\n[invoices]\nenabled = true\n[seller]\nname = \"Coffee\"\ncountry = \"DE\"\nvat_id = \"DE1\"\n",
        support::CONFIG
    ));
    import(&shop, "customers", "customer,name,email\nC1,Ada,ada@example.com\n");
    shop
}

#[test]
fn an_entry_is_shown_from_the_invitation_to_its_invoice() {
    let shop = shop();
    orders(&shop, "A,119.00,C1,K1,\n");
    entries(&shop, "E-1,K1,C1,119.00,\n");
    collected(&shop, "TX-0,,E-1,,19.00\n");
    shop.ok("invite E-1");
    let asked = shop.json("show entry E-1");
    let item = |nth: usize, field: &str| asked["entry_items"][nth][field].clone();
    assert_eq!((&asked["schema"], &asked["order"]["number"]), (&"payjournal/show/1".into(), &"A".into()));
    assert_eq!((item(0, "transaction"), item(0, "assigned")["amount"].clone()), ("TX-0".into(), "19.00".into()));
    assert_eq!((item(1, "status"), item(1, "expected")["amount"].clone()), ("open".into(), "100.00".into()));
    let page = item(1, "payment_url").as_str().unwrap().to_owned();
    assert_eq!(asked["invitations"][0]["state"], "queued");
    shop.ok("sync-payments");
    shop.ok(&format!("sandbox pay {page}"));
    shop.ok("sync-payments");
    shop.ok("finalize-invoices");
    let text = shop.ok("show entry E-1").stdout;
    for part in [
        "Entry E-1: Balanced",
        "119.00 EUR of customer C1",
        "invoice 2026-00001",
        "key K1",
        "Order webshop/A: Paid",
        "TX-0",
        "sent",
        "Invoice lines",
        "Journals",
    ] {
        assert!(text.contains(part), "`{part}`\n{text}");
    }
    let paid = shop.json("show entry E-1");
    let amounts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|part| part["amount"]["amount"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(amounts(&paid["assignments"]), ["19.00", "100.00"]);
    assert_eq!(paid["entries"][0]["open"]["amount"], "0.00");
    assert_eq!(paid["documents"][0]["number"], "2026-00001");
    shop.ok("verify");
}

#[test]
fn an_entry_of_an_invoice_goes_by_its_number_and_one_that_is_not_there_has_a_neighbour() {
    let shop = shop();
    orders(&shop, "A,10.00,C1,,\n");
    entries(&shop, "WEB-1001,K1,C1,119.00,\n");
    collected(&shop, "TX-1,A,,,10.00\n");
    shop.ok("finalize-invoices");
    let text = shop.ok("show entry 2026-00001").stdout;
    assert!(text.contains("Entry 2026-00001: Balanced") && text.contains("order webshop/A"), "{text}");
    let refused = shop.exits("show entry WEB-1002", 2).stderr;
    assert!(
        refused.contains("knows no entry `WEB-1002`") && refused.contains("the nearest is `WEB-1001`"),
        "{refused}"
    );
}
