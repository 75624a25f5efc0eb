//! `collect`: what is due of open entries is taken on a mandate, once, whatever is refused, lost or revoked meanwhile.

mod support;

use support::Shop;
use support::billing::{all_entries, import, told};

const COLLECT: &str = "\n[collect]\nenabled = true\n";
const INVOICES: &str = "\n[invoices]\nenabled = true\nmail = false\nbill_when = [\"entry_balanced\"]\n";

/// The days after `NOW` on which something is tried again.
const NEXT: &str = "2026-11-23T02:00:00Z";
const IN_THREE_DAYS: &str = "2026-11-25T02:00:00Z";
const IN_SIX_DAYS: &str = "2026-11-28T02:00:00Z";
const IN_NINE_DAYS: &str = "2026-12-01T02:00:00Z";

fn with(more: &str) -> Shop {
    Shop::with(&format!("{}{COLLECT}{INVOICES}{more}", support::CONFIG))
}

/// One order of 119.00 EUR of customer C1, its entry, which was due yesterday, and the customer's mandate.
fn shop(entry: &str) -> Shop {
    let shop = with("");
    order(&shop, "SO-1", entry);
    mandates(&shop, "MD-4711,C1,2026-11-02,\n");
    shop
}

fn order(shop: &Shop, number: &str, entry: &str) {
    let head = "order,currency,total,bill_to,ordered_on,entry_assignment_key\n";
    import(shop, "orders", &format!("{head}{number},EUR,119.00,C1,2026-11-15,K-{number}\n"));
    import(shop, "order-lines", &format!("{}{number},1,Thing,1,119.00,19\n", support::billing::LINES));
    entries(shop, &format!("{entry},K-{number},{number},119.00,2026-11-21\n"));
}

/// Rows `ENTRY,KEY,ORDER,AMOUNT,DUE`, all of customer C1.
fn entries(shop: &Shop, rows: &str) {
    let rows: String = rows.lines().flat_map(|row| [row, ",C1,EUR\n"]).collect();
    import(shop, "entries", &format!("entry,assignment_key,order,amount,due_on,customer,currency\n{rows}"));
}

/// Rows `MANDATE,CUSTOMER,GIVEN,REVOKED`.
fn mandates(shop: &Shop, rows: &str) {
    let rows: String = rows.lines().flat_map(|row| ["psp,sepa,EUR,", row, "\n"]).collect();
    import(shop, "mandates", &format!("provider,method,currency,mandate,customer,given_on,revoked_on\n{rows}"));
}

fn collections(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT attempt, state, amount_minor FROM operations WHERE kind = 'collect'")
}

/// `CLASS COUNT` of what a run left alone.
#[expect(clippy::indexing_slicing, reason = "in a test a panic is the report")]
fn left(shop: &Shop, at: &str) -> String {
    shop.json(&format!("collect --as-of {at}"))["not_eligible"].to_string()
}

#[test]
fn a_due_entry_is_collected_and_billed_and_its_invoice_is_paid() {
    let shop = shop("E-1");
    let before = shop.ok("collect --dry-run").stdout;
    assert!(before.contains("119.00 EUR") && before.contains("was due on 2026-11-21"), "{before}");
    assert_eq!(collections(&shop), [""; 0]);
    shop.ok("collect");
    assert_eq!(collections(&shop), ["1 confirmed 11900"]);
    assert_eq!(all_entries(&shop), ["E-1 balanced 11900/11900 -"]);
    assert_eq!(shop.rows("SELECT kind, amount_minor, learnt_from FROM movements"), ["capture 11900 answer"]);
    assert_eq!(shop.rows("SELECT status, method, order_id FROM payments"), ["captured sepa 1"]);
    shop.ok("collect");
    shop.ok("sync-payments");
    shop.ok("finalize-invoices");
    assert_eq!(all_entries(&shop), ["E-1 balanced 11900/11900 2026-00001"]);
    let shown = shop.json("show document 2026-00001");
    assert_eq!(shown["documents"][0]["outstanding"]["amount"], "119.00", "not delivered yet: {shown}");
    shop.ok("sync-journals");
    let shown = shop.json("show document 2026-00001");
    assert_eq!(shown["documents"][0]["outstanding"]["amount"], "0.00", "{shown}");
    assert_eq!(shop.psp_record().len(), 1);
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify --against-provider --against-erp");
    shop.ok("leftovers");
}

#[test]
fn it_is_off_until_somebody_switches_it_on() {
    let shop = Shop::new();
    entries(&shop, "E-1,K-1,,50.00,2026-11-21\n");
    mandates(&shop, "MD-4711,C1,2026-11-02,\n");
    let off = shop.exits("collect", 3).stderr;
    assert!(off.contains("`collect.enabled` is not true") && off.contains("--dry-run"), "{off}");
    assert!(shop.ok("collect --dry-run").stdout.contains("entry E-1"));
}

#[test]
fn the_id_of_a_mandate_is_shown_nowhere() {
    let shop = with("");
    entries(&shop, "E-1,K-1,,50.00,2026-11-21\nE-2,K-2~collect:refuse,,50.00,2026-11-21\n");
    mandates(&shop, "mdt_5ecret0000001234,C1,2026-11-02,\nmdt_5ecret0000009876,C2,2026-11-02,\n");
    let mut said = String::new();
    for line in ["collect --dry-run", "collect -vv", "status", "show entry E-1", "show entry E-2", "list mandates"] {
        let ended = shop.run(&line.split(' ').collect::<Vec<_>>());
        said.extend([ended.stdout, ended.stderr]);
        said.push_str(&shop.json(line).to_string());
    }
    said.extend(shop.logs("collect").iter().map(|log| std::fs::read_to_string(log).unwrap_or_default()));
    assert!(said.contains("…1234") && !said.contains("5ecret"), "{said}");
    // Neither is one that cannot be taken.
    shop.write("bad.csv", "provider,method,mandate,customer,given_on\npsp,sepa,\" mdt_5ecret\",C1,2026-11-02\n");
    let bad = shop.exits("import mandates bad.csv", 1).stderr;
    assert!(bad.contains("bad.csv:2") && bad.contains("mandate") && !bad.contains("5ecret"), "{bad}");
    let head = "provider,method,mandate,customer,given_on\n";
    let object = |value: &str| format!(r#"{{"provider":"psp","method":"sepa","mandate":{value},"customer":"C1"}}"#);
    let not_text = [head.as_bytes(), b"psp,sepa,mdt_5ecret\xff,C1,2026-11-02\n"].concat();
    for (name, text, said) in [
        ("bad.csv", not_text, "is not UTF-8"),
        ("bad.csv", b"psp,sepa,mdt_5ecret,C1,2026-11-02\n".to_vec(), "none of the fields' names"),
        ("bad.jsonl", object(r#"["mdt_5ecret"]"#).into(), "is not text"),
        ("bad.jsonl", object(r#"{"id":"mdt_5ecret"}"#).into(), "is not text"),
        ("bad.jsonl", object("4711.5").into(), "is a JSON number"),
        ("bad.jsonl", b"\"mdt_5ecret at line 1\"\n".to_vec(), "invalid type: string, expected an object"),
    ] {
        assert!(std::fs::write(shop.path.join(name), &text).is_ok());
        let line = format!("import mandates {name}");
        let told = shop.run(&line.split(' ').collect::<Vec<_>>());
        let all = format!("{}{}{}", told.stdout, told.stderr, shop.json(&line));
        assert!(all.contains(said) && !all.contains("5ecret") && !all.contains("4711"), "{said}: {all}");
        assert_ne!(told.code, Some(0));
    }
}

#[test]
fn what_is_not_due_or_has_no_due_date_waits() {
    let shop = with("");
    entries(&shop, "E-1,K-1,,50.00,2026-11-23\nE-2,K-2,,20.00,\n");
    mandates(&shop, "MD-4711,C1,2026-11-02,\n");
    assert_eq!(left(&shop, support::NOW), r#"{"no due date":1,"not due":1}"#);
    shop.ok(&format!("collect --as-of {NEXT}"));
    assert_eq!(collections(&shop), ["1 confirmed 5000"]);
    let shop = Shop::with(&format!("{}{COLLECT}without_due_date = true\n", support::CONFIG));
    entries(&shop, "E-2,K-2,,20.00,\n");
    mandates(&shop, "MD-4711,C1,2026-11-02,\n");
    shop.ok("collect");
    assert_eq!(collections(&shop), ["1 confirmed 2000"]);
}

#[test]
fn a_refusal_for_good_is_told_and_tried_again_when_a_person_says_so() {
    let shop = shop("E-1");
    shop.ok("sandbox revoke MD-4711");
    shop.exits("collect", 1);
    assert_eq!(collections(&shop), ["1 refused 11900"]);
    let exceptions = told(&shop);
    assert!(
        exceptions.len() == 1
            && exceptions[0].contains("collection_refused")
            && exceptions[0].contains("mandate_revoked"),
        "{exceptions:?}"
    );
    assert_eq!(left(&shop, IN_NINE_DAYS), r#"{"refused":1}"#);
    assert_eq!(collections(&shop), ["1 refused 11900"]);
    let mails: Vec<String> = shop.rows("SELECT subject FROM mails");
    assert_eq!(mails, ["webshop | Cannot be collected: operation 1 (collection of entry E-1)"]);
    // The customer has given another.
    mandates(&shop, "MD-4711,C1,2026-11-02,2026-11-22\nMD-4712,C1,2026-11-22,\n");
    shop.ok("retry 1");
    shop.ok("collect");
    assert_eq!(collections(&shop), ["1 refused 11900", "2 confirmed 11900"]);
    assert_eq!(told(&shop), [""; 0]);
    shop.ok("verify --as-of 2026-12-02T02:00:00Z");
}

#[test]
fn a_refusal_for_now_is_tried_again_on_later_days_and_not_for_ever() {
    let shop = shop("E-1~collect:insufficient-funds");
    shop.exits("collect", 1);
    assert!(told(&shop)[0].contains("insufficient_funds"), "{:?}", told(&shop));
    assert_eq!(left(&shop, NEXT), r#"{"tried again later":1}"#);
    shop.exits(&format!("collect --as-of {IN_THREE_DAYS}"), 1);
    shop.exits(&format!("collect --as-of {IN_SIX_DAYS}"), 1);
    assert_eq!(collections(&shop), ["1 refused 11900", "2 refused 11900", "3 refused 11900"]);
    // One is open at a time.
    assert_eq!(told(&shop).len(), 1);
    assert_eq!(left(&shop, IN_NINE_DAYS), r#"{"refused too often":1}"#);
    assert!(told(&shop)[1].contains("collection_stopped") && told(&shop)[1].contains("3 times"), "{:?}", told(&shop));
    let last = shop.rows("SELECT max(id) FROM operations WHERE kind = 'collect'").concat();
    shop.ok(&format!("retry {last} --as-of {IN_NINE_DAYS}"));
    shop.exits(&format!("collect --as-of {IN_NINE_DAYS}"), 1);
    assert_eq!(collections(&shop).len(), 4);
    // The customer pays in another way, which nothing forbids any more.
    let page = shop.json(&format!("checkout --order SO-1 --as-of {IN_NINE_DAYS}"));
    assert!(page["payment_url"].is_string(), "{page}");
    shop.ok("verify --as-of 2026-12-02T02:00:00Z");
}

#[test]
fn a_call_without_an_answer_is_asked_about_and_not_made_again() {
    for (fault, tries) in [("timeout-after", 1), ("timeout-before", 2), ("server-error", 2)] {
        let shop = shop(&format!("E-1~collect:{fault}"));
        shop.exits("collect", 5);
        assert_eq!(collections(&shop), ["1 unknown 11900"]);
        let page = shop.exits("checkout --order SO-1", 2);
        assert!(page.stderr.contains("is being collected: operation 1 is unknown"), "{}", page.stderr);
        let invited = shop.exits(&format!("invite E-1~collect:{fault}"), 2);
        assert!(invited.stderr.contains("is being collected"), "{}", invited.stderr);
        shop.ok("collect");
        assert_eq!(collections(&shop), ["1 confirmed 11900"], "{fault}");
        assert_eq!(shop.rows("SELECT tries FROM operations WHERE kind = 'collect'"), [tries.to_string()]);
        assert_eq!(shop.psp_record().len(), 1);
        assert_eq!(shop.rows("SELECT status FROM entries"), ["balanced"]);
        shop.ok("verify --against-provider");
    }
}

#[test]
fn a_provider_that_is_down_leaves_the_entry_for_the_next_run() {
    let shop = shop("E-1~collect:unreachable");
    shop.exits("collect", 5);
    assert_eq!(collections(&shop), ["1 planned 11900"]);
    shop.exits("checkout --order SO-1", 2);
    shop.ok("verify");
}

#[test]
fn what_is_accepted_is_pending_until_it_is_confirmed_or_fails() {
    for (fault, state, entry, exit) in
        [("confirm-late", "confirmed", "balanced", 0), ("fail-late", "refused", "open", 1)]
    {
        for first in ["sync-payments", "collect"] {
            let shop = shop(&format!("E-1~collect:{fault}"));
            shop.ok("collect");
            assert_eq!(collections(&shop), ["1 accepted 11900"]);
            assert_eq!(shop.rows("SELECT status FROM payments"), ["pending"]);
            shop.exits("checkout --order SO-1", 2);
            shop.ok("collect");
            shop.ok("sync-payments");
            shop.exits(&format!("{first} --as-of {NEXT}"), exit);
            shop.run(&["collect", "--as-of", NEXT]);
            shop.run(&["sync-payments", "--as-of", NEXT]);
            assert_eq!(collections(&shop), [format!("1 {state} 11900")], "{fault} {first}");
            assert_eq!(shop.rows("SELECT status FROM entries"), [entry]);
            assert_eq!(shop.rows("SELECT count(*) FROM movements"), [if exit == 0 { "1" } else { "0" }]);
            assert_eq!(told(&shop).len(), usize::from(exit == 1), "{:?}", told(&shop));
            shop.ok("verify --against-provider --as-of 2026-11-24T02:00:00Z");
        }
    }
}

#[test]
fn a_direct_debit_that_comes_back_is_never_taken_again_by_itself() {
    let shop = shop("E-1");
    shop.ok("collect");
    let transaction = shop.rows("SELECT transaction_id FROM payments").concat();
    shop.ok(&format!("sandbox dispute {transaction} --as-of {NEXT}"));
    shop.ok(&format!("sandbox payout --as-of {NEXT}"));
    shop.run(&["settlements", "--as-of", NEXT]);
    assert_eq!(all_entries(&shop)[0], "E-1 open 0/11900 -");
    assert_eq!(left(&shop, IN_THREE_DAYS), r#"{"collected before":1}"#);
    assert_eq!(collections(&shop), ["1 confirmed 11900"]);
    shop.ok("verify --as-of 2026-11-26T02:00:00Z");
}

#[test]
fn a_provider_that_takes_no_money_on_mandates_is_named_once() {
    let shop = Shop::with(&format!(
        "{COLLECT}[provider.psp]\nkind = \"reports\"\nmerchant_account = \"Shop\"\nreports = \"reports\"\n"
    ));
    entries(&shop, "E-1,K-1,,50.00,2026-11-21\nE-2,K-2,,20.00,2026-11-21\n");
    mandates(&shop, "MD-4711,C1,2026-11-02,\n");
    assert!(shop.ok("collect -v").stdout.contains("2 not eligible: 2 provider cannot collect"));
    assert_eq!(collections(&shop), [""; 0]);
}

#[test]
fn a_mandate_at_a_provider_that_cannot_collect_stands_in_nobodys_way() {
    let shop = with("[provider.bank]\nkind = \"reports\"\nmerchant_account = \"Bank\"\nreports = \"reports\"\n");
    entries(&shop, "E-1,K-1,,50.00,2026-11-21\n");
    let head = "provider,method,mandate,customer,given_on\n";
    for provider in ["bank", "psp"] {
        import(&shop, "mandates", &format!("{head}{provider},sepa,MD-{provider},C1,2026-11-02\n"));
    }
    shop.ok("collect");
    assert_eq!(collections(&shop), ["1 confirmed 5000"]);
    assert_eq!(told(&shop), [""; 0]);
}

#[test]
fn only_a_mandate_that_is_known_is_revoked() {
    let shop = shop("E-1");
    let unknown = shop.exits("sandbox revoke MD-47110000", 2).stderr;
    assert!(unknown.contains("is not known") && !unknown.contains("MD-4711"), "{unknown}");
    let revoked = [false, true].map(|_| shop.json("sandbox revoke MD-4711")["new"].as_bool());
    assert_eq!(revoked, [Some(true), Some(false)]);
}
