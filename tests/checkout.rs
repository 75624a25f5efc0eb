//! `checkout`: a portal asks once or ten times, and there is one order, one entry and one page; what is paid on it becomes a paid
//! invoice.

mod support;

use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Shop, billing};

const REQUEST: &str = r#"{
  "order": {"order": "WEB-1", "currency": "EUR", "total": "119.00", "ordered_on": "2026-11-20"},
  "lines": [{"line": "1", "description": "Coffee grinder", "quantity": "1", "unit_price": "119.00", "tax_rate": "19"}],
  "customer": {"customer": "10042", "name": "Ada Lovelace", "email": "ada@example.com"},
  "title": "Your order WEB-1", "return_url": "https://shop.example/thanks"
}"#;

fn portal() -> Shop {
    let shop = Shop::with(&format!(
        "{}\n[seller]\nname = \"Coffee Ltd.\"\ncountry = \"DE\"\nvat_id = \"DE123456789\"\n[invoices]\nenabled = true\n",
        support::CONFIG
    ));
    shop.write("request.json", REQUEST);
    shop
}

fn asked(shop: &Shop, what: &str) -> Value {
    shop.json(&format!("checkout {what}"))
}

fn url(answer: &Value) -> &str {
    answer["payment_url"].as_str().unwrap_or("none")
}

fn counts(shop: &Shop) -> String {
    let of = |table: &str| shop.rows(&format!("SELECT count(*) FROM {table}")).concat();
    ["orders", "order_lines", "customers", "entries", "payments", "payment_links"].map(of).join(" ")
}

/// The nine steps of a portal: order, entry, link, payment, registered, invoice.
#[test]
fn an_order_is_paid_on_its_page_and_becomes_a_paid_invoice() {
    let shop = portal();
    let answer = asked(&shop, "request.json");
    assert_eq!((&answer["outcome"], &answer["entries"][0]["status"]), (&"done".into(), &"open".into()));
    assert!(url(&answer).starts_with("https://sandbox.invalid/pay/PL-"), "{answer}");
    shop.ok(&format!("sandbox pay {}", url(&answer)));
    shop.ok("sync-payments");
    assert_eq!(shop.rows("SELECT status, assigned_minor FROM entries"), ["balanced 11900"]);
    shop.ok("finalize-invoices");
    assert_eq!(
        shop.rows("SELECT d.number, d.bill_to, d.total_minor, e.status FROM documents d JOIN entries e ON e.document_id = d.id"),
        ["2026-00001 10042 11900 balanced"]
    );
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["paid"]);
    shop.ok("capture");
    shop.ok("sync-journals");
    shop.ok("verify --against-provider --against-erp");
    // Paid once, by the record of the PSP itself.
    assert_eq!(shop.psp_record().len(), 1);
    // There is nothing to pay any more.
    let answer = asked(&shop, "request.json");
    assert_eq!((&answer["payment_url"], &answer["entries"][0]["status"]), (&Value::Null, &"balanced".into()));
}

#[test]
fn the_same_request_gives_the_same_page_and_a_refused_payment_a_new_one() {
    let shop = portal();
    let first = asked(&shop, "request.json");
    assert_eq!(asked(&shop, "request.json"), first);
    assert_eq!(url(&asked(&shop, "--order WEB-1")), url(&first));
    assert_eq!(counts(&shop), "1 1 1 1 1 1");
    shop.ok(&format!("sandbox pay {} --fail", url(&first)));
    shop.ok("sync-payments");
    let second = asked(&shop, "request.json");
    assert_ne!(url(&second), url(&first));
    assert_eq!(url(&asked(&shop, "request.json")), url(&second));
    let known = shop.ok(&format!("sandbox pay {}", url(&first))).stdout;
    assert!(known.contains("filled in before"), "{known}");
    shop.ok("verify");
}

#[test]
fn one_page_can_pay_several_entries_of_one_customer() {
    let shop = portal();
    asked(&shop, "request.json");
    shop.write(
        "entries.csv",
        "entry,customer,currency,amount\nE-2,10042,EUR,20.00\nE-3,10043,EUR,5.00\nE-4,10042,USD,5.00\n",
    );
    shop.ok("import entries entries.csv");
    shop.write("both.json", "{\"entries\": [\"WEB-1\", \"E-2\"]}");
    let answer = asked(&shop, "both.json");
    assert_eq!(answer["open"]["amount"], "139.00");
    shop.ok(&format!("sandbox pay {}", url(&answer)));
    shop.ok("sync-payments");
    assert_eq!(
        shop.rows("SELECT reference, status, assigned_minor FROM entries"),
        ["E-2 balanced 2000", "E-3 open 0", "E-4 open 0", "WEB-1 balanced 11900"]
    );
    for other in ["E-3", "E-4"] {
        shop.write("both.json", &format!("{{\"entries\": [\"E-2\", \"{other}\"]}}"));
        let refused = shop.exits("checkout both.json", 2);
        assert!(refused.stderr.contains("two customers or currencies"), "{}", refused.stderr);
    }
    shop.ok("verify");
}

#[test]
fn a_page_asks_for_what_is_still_open() {
    let shop = portal();
    let whole = asked(&shop, "request.json");
    // Half of it came another way.
    let head = "provider,transaction,entries,method,currency,status,authorised,authorised_at,captured_at";
    let at = "2026-11-21T08:00:00Z";
    shop.write("payments.csv", &format!("{head}\npsp,TX-1,WEB-1,bank,EUR,captured,19.00,{at},{at}\n"));
    shop.ok("sandbox authorise payments.csv");
    shop.ok("import payments payments.csv");
    let rest = asked(&shop, "request.json");
    assert_eq!(rest["open"]["amount"], "100.00");
    assert_ne!(url(&rest), url(&whole));
    // The page over all of it is closed: nobody pays too much.
    shop.exits(&format!("sandbox pay {}", url(&whole)), 2);
    shop.ok(&format!("sandbox pay {}", url(&rest)));
    shop.ok("sync-payments");
    assert_eq!(shop.rows("SELECT status, assigned_minor FROM entries"), ["balanced 11900"]);
    shop.ok("verify");
}

#[test]
fn what_is_wrong_with_a_request_is_named_and_nothing_is_stored() {
    let shop = portal();
    for (from, to, why) in [
        ("\"119.00\", \"ordered", "\"119,00\", \"ordered", "order: total `119,00` is not a decimal amount"),
        ("\"title\"", "\"colour\"", "unknown field `colour`"),
        ("\"quantity\": \"1\"", "\"quantity\": \"-1\"", "lines[1]: quantity `-1` is negative"),
        ("\"tax_rate\"", "\"tax\"", "lines[1]: tax is no known field"),
        ("ada@example.com", "ada", "customer: email `ada` is not a mail address"),
        ("https://shop", "shop", "return_url is not an address"),
        (
            "\"order\": \"WEB-1\"",
            "\"order\": \"WEB-1\", \"bill_to\": \"7\"",
            "customer.customer `10042` is not the order's `bill_to`",
        ),
        ("\"tax_rate\": \"19\"", "\"tax_rate\": \"16\"", "`tax_rate` 16, which is not among"),
        ("\"unit_price\": \"119.00\"", "\"unit_price\": \"118.00\"", "its 1 lines come to 118.00 EUR"),
        ("\"ordered_on\"", "\"cancelled\": \"full\", \"ordered_on\"", "is cancelled"),
        ("}],", "}]", "at line"),
        ("{\n", "[", "the request is no JSON object"),
    ] {
        shop.write("bad.json", &REQUEST.replacen(from, to, 1));
        let refused = shop.exits("checkout bad.json", 2);
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        let document: Value = serde_json::from_str(&refused.stdout).unwrap();
        assert_eq!((&document["schema"], &document["exit_code"]), (&"payjournal/checkout/1".into(), &2.into()));
    }
    assert_eq!(counts(&shop), "0 0 0 0 0 0");
    // An order that is there already keeps its amount.
    asked(&shop, "request.json");
    shop.write("bad.json", &REQUEST.replace("EUR", "USD"));
    let refused = shop.exits("checkout bad.json", 2).stderr;
    assert!(refused.contains("order: currency `USD` differs from `EUR` in the ledger"), "{refused}");
    assert_eq!(counts(&shop), "1 1 1 1 1 1");
}

#[test]
fn killed_anywhere_the_same_request_ends_the_same() {
    let undisturbed = portal();
    let log = undisturbed.path.join("moments");
    let status = undisturbed
        .command(&["checkout", "request.json"])
        .env("PAYJOURNAL_KILL_LOG", &log)
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let moments = std::fs::read_to_string(&log).unwrap().lines().count();
    assert!(moments >= 4, "{moments} moments");
    let expected = asked(&undisturbed, "request.json");
    for moment in 1..=moments {
        let shop = portal();
        let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let killed = quiet(shop.command(&["checkout", "request.json"]).env("PAYJOURNAL_KILL_AT", moment.to_string()));
        assert!(!killed.success(), "moment {moment} is not reached");
        assert_eq!(asked(&shop, "request.json"), expected, "killed at {moment}");
        assert_eq!(counts(&shop), "1 1 1 1 1 1", "killed at {moment}");
    }
}

/// Entries that can be paid alone, together or once a part is there: never on two pages at a time.
#[test]
fn one_debt_has_one_page() {
    let shop = portal();
    billing::entries(&shop, "E-1,K1,C1,10.00,\nE-2,K2,C1,10.00,\nE-3,K3,C1,5.00,\n");
    let page = |entries: &str| {
        shop.write("entries.json", &format!(r#"{{"entries": [{entries}]}}"#));
        shop.json("checkout entries.json")
    };
    let first = page(r#""E-1""#);
    let all = page(r#""E-1", "E-2", "E-3""#);
    assert_ne!(url(&first), url(&all));
    assert_eq!(url(&page(r#""E-3", "E-2", "E-1""#)), url(&all), "the same entries, the same page");
    assert_eq!(shop.rows("SELECT status FROM payments"), ["expired", "open"]);
    // What was closed cannot be paid any more.
    shop.exits(&format!("sandbox pay {}", url(&first)), 2);
    // One that is being paid this moment, and nobody has heard of it, is not closed.
    shop.ok(&format!("sandbox pay {}", url(&all)));
    shop.write("entries.json", r#"{"entries": ["E-1", "E-2"]}"#);
    let refused = shop.exits("checkout entries.json", 2).stderr;
    assert!(refused.contains("is open and was not closed") && refused.contains("sync-payments"), "{refused}");
    shop.ok("sync-payments");
    assert_eq!(shop.rows("SELECT status FROM payments"), ["captured", "expired"]);
    assert_eq!(page(r#""E-1", "E-2""#)["open"]["amount"], "0.00");
    assert_eq!(shop.rows("SELECT sum(amount_minor) FROM movements"), ["2500"]);
    shop.ok("verify");
}

/// Nobody cancelled the order, whoever hears first that its page was closed.
#[test]
fn a_page_that_is_closed_for_another_leaves_its_order_new() {
    let shop = Shop::with(&format!(
        "{}\n[seller]\nname = \"Coffee Ltd.\"\n",
        support::CONFIG.replace("merchant_account", "faults = { cancel = \"timeout-after\" }\nmerchant_account")
    ));
    shop.write("request.json", REQUEST);
    let first = asked(&shop, "request.json");
    billing::entries(&shop, "E-2,K2,10042,10.00,\n");
    shop.write("both.json", r#"{"entries": ["WEB-1", "E-2"]}"#);
    assert!(shop.exits("checkout both.json", 2).stderr.contains("was not closed"));
    shop.ok("sync-payments");
    let both = asked(&shop, "both.json");
    assert_ne!(url(&first), url(&both));
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), ["new"]);
    assert_eq!(shop.rows("SELECT status FROM payments"), ["expired", "open"]);
    shop.ok("verify --against-provider");
}

/// Who pays an invoice by its number is not asked to pay it once more.
#[test]
fn nobody_is_asked_for_an_invoice_that_a_payment_under_way_names() {
    let shop = billing::shop("");
    billing::orders(&shop, "A,119.00,C1,,\n");
    shop.ok("finalize-invoices");
    shop.payments("T9,,2026-00001,card,EUR,authorised,119.00,2026-11-16T08:00:00Z,,\n");
    for line in ["checkout --order A", "invite 2026-00001"] {
        let refused = shop.exits(line, 2).stderr;
        assert!(refused.contains("nobody is asked to pay"), "{line}: {refused}");
    }
    shop.ok("sync-journals");
    shop.ok("capture");
    assert_eq!(billing::invoices(&shop), ["2026-00001 A 11900 11900"]);
}

/// A PSP that has forgotten a page that ran out keeps nobody from paying.
#[test]
fn a_page_of_long_ago_is_in_nobody_s_way() {
    let shop = portal();
    asked(&shop, "request.json");
    shop.sandbox("UPDATE transactions SET status = 'expired'");
    shop.ok("sync-payments");
    assert_eq!(shop.rows("SELECT status FROM payments"), ["expired"]);
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
    shop.write(
        "payjournal.toml",
        &config
            .replace("[provider.psp]", "[provider.next]")
            .replace("merchant_account = \"Shop\"", "merchant_account = \"Next\""),
    );
    assert!(url(&asked(&shop, "request.json")).starts_with("https://"));
}
