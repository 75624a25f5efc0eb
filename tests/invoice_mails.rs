//! An invoice reaches its customer: once, in the customer's language, and not before there is an address.

mod support;

use std::process::Stdio;

use support::Shop;

const CONFIG: &str = "
[invoices]
enabled = true
bill_when = []
due_days = 14

[seller]
name = \"Coffee Ltd.\"
country = \"DE\"
vat_id = \"DE123456789\"
iban = \"DE02120300000000202051\"
";

fn shop(more: &str) -> Shop {
    let shop = Shop::with(&format!("{}{CONFIG}{more}", support::CONFIG));
    let import = |what: &str, text: &str| {
        shop.write("rows.csv", text);
        shop.ok(&format!("import {what} rows.csv"));
    };
    import(
        "orders",
        "order,currency,total,bill_to,ordered_on\nA,EUR,119.00,C1,2026-11-20\nB,EUR,50.00,C2,2026-11-20\n",
    );
    import(
        "order-lines",
        "order,line,description,quantity,unit_price,tax_rate\nA,1,Grinder,1,119.00,19\nB,1,Bücher,2,25.00,7\n",
    );
    shop
}

fn customers(shop: &Shop, rows: &str) {
    shop.write("customers.csv", &format!("customer,name,email,language\n{rows}"));
    shop.ok("import customers customers.csv");
}

/// The name of each attachment, with the beginning and the end of what it holds.
fn page(mail: &str) -> (String, String) {
    let name = mail.split("filename*0=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let part = mail.split("Content-Type: application/pdf").nth(1).unwrap_or_default();
    let body = part.split("\r\n\r\n").nth(1).unwrap_or_default();
    // `%PDF-1.7` in base 64.
    (name.to_owned(), body.chars().take(10).collect())
}

/// The mails that went to customers, in the order of their subjects.
fn sent(shop: &Shop) -> Vec<String> {
    let mut texts: Vec<String> = shop
        .mails()
        .iter()
        .map(|name| std::fs::read_to_string(shop.path.join("mail/new").join(name)).unwrap_or_default())
        .filter(|text| !text.contains("admin@shop.example"))
        .collect();
    texts.sort_by_key(|text| subject(text));
    texts
}

fn subject(mail: &str) -> String {
    mail.lines().find(|line| line.starts_with("Subject: ")).unwrap_or_default().to_owned()
}

#[test]
fn each_invoice_is_sent_once_in_its_customer_s_language() {
    let shop = shop("[invoice_text.en]\nsubject = \"[SellerName]: [InvoiceNo] over [Total]\"\n");
    customers(&shop, "C1,Ada Lovelace,ada@example.com,\nC2,Käthe Öhm,kaethe@example.de,de\n");
    shop.ok("finalize-invoices");
    let mails = sent(&shop);
    assert_eq!(
        mails.iter().map(|mail| subject(mail)).collect::<Vec<_>>(),
        ["Subject: Coffee Ltd.: 2026-00001 over 119.00 EUR", "Subject: Rechnung: 2026-00002"]
    );
    assert!(mails[0].contains("To: ada@example.com"), "{}", mails[0]);
    assert!(mails[1].contains("To: kaethe@example.de"), "{}", mails[1]);
    assert_eq!(page(&mails[0]), ("2026-11-22_2026-00001_Ada-Lovelace.pdf".to_owned(), "JVBERi0xLj".to_owned()));
    // The same page from the command, whenever it is asked for.
    shop.ok("invoice 2026-00001 --output a.pdf");
    shop.ok("invoice 2026-00001 --output b.pdf --as-of 2027-01-01T00:00:00Z");
    let read = |name: &str| std::fs::read(shop.path.join(name)).unwrap_or_default();
    assert!(read("a.pdf").starts_with(b"%PDF-") && read("a.pdf") == read("b.pdf"));
    let xml = shop.ok("invoice 2026-00002 --xml").stdout;
    assert!(xml.contains("urn:cen.eu:en16931:2017") && xml.contains("Bücher"), "{xml}");
    shop.ok("finalize-invoices");
    shop.ok("sync-journals");
    assert_eq!(sent(&shop), mails);
    // What becomes known of a customer later changes no invoice.
    customers(&shop, "C1,Augusta King,king@example.com,\n");
    shop.ok("finalize-invoices");
    assert_eq!(sent(&shop), mails);
    assert!(shop.rows("SELECT parties FROM invoice_sheets").concat().contains("Ada Lovelace"));
    shop.ok("verify");
}

#[test]
fn what_a_customer_leaves_open_comes_from_the_config_and_what_is_set_stays() {
    let shop = shop("");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    shop.write(
        "payjournal.toml",
        &config.replace("due_days = 14", "due_days = 14\nlanguage = \"de\"\ncountry = \"AT\""),
    );
    let head = "customer,name,email,language,country,due_days\n";
    shop.write(
        "customers.csv",
        &format!("{head}C1,Ada Lovelace,ada@example.com,en,GB,30\nC2,K\u{e4}the \u{d6}hm,kaethe@example.de,,,\n"),
    );
    shop.ok("import customers customers.csv");
    shop.ok("finalize-invoices");
    let parts = "parties ->> 'language', parties -> 'customer_address' ->> 'country', due_on";
    assert_eq!(shop.rows(&format!("SELECT {parts} FROM invoice_sheets")), ["de AT 2026-12-06", "en GB 2026-12-22"]);
    shop.write("customers.csv", &format!("{head}C1,Ada,,,de,366\n"));
    let refused = shop.exits("import customers customers.csv", 1).stderr;
    assert!(refused.contains("due_days `366` is not a number of days from 0 to 365"), "{refused}");
    shop.ok("verify");
}

#[test]
fn what_cancels_an_invoice_is_sent_as_the_invoice_was() {
    let shop = shop("");
    customers(&shop, "C1,Ada Lovelace,ada@example.com,\nC2,Käthe Öhm,kaethe@example.de,de\n");
    shop.ok("finalize-invoices");
    shop.ok("cancel-invoice 2026-00001 --reason wrong");
    shop.ok("cancel-invoice 2026-00002 --reason wrong");
    shop.write("rows.csv", "order,currency,total,ordered_on,cancelled\nB,EUR,50.00,2026-11-20,full\n");
    shop.ok("import orders rows.csv");
    shop.ok("finalize-invoices");
    let mails = sent(&shop);
    let subjects: Vec<String> = mails.iter().map(|mail| subject(mail)).collect();
    // A is billed again, in the same run; B was cancelled.
    assert_eq!(
        subjects,
        [
            "Subject: Invoice 2026-00001 is cancelled: C-2026-11-22-001",
            "Subject: Invoice: 2026-00001",
            "Subject: Invoice: 2026-00003",
            "Subject: Rechnung 2026-00002 ist storniert: C-2026-11-22-002",
            "Subject: Rechnung: 2026-00002",
        ]
    );
    assert_eq!(page(&mails[3]).0, "2026-11-22_C-2026-11-22-002_K-the--hm.pdf");
    let xml = shop.ok("invoice C-2026-11-22-001 --xml").stdout;
    assert!(xml.contains("<ram:TypeCode>381</ram:TypeCode>") && xml.contains("2026-00001"), "{xml}");
    shop.ok("finalize-invoices");
    assert_eq!(sent(&shop), mails);
    shop.ok("verify");
}

#[test]
fn without_an_address_a_person_is_told_and_the_invoice_waits() {
    let shop = shop("");
    customers(&shop, "C1,Ada Lovelace,,\n");
    shop.exits("finalize-invoices", 1);
    let told = || shop.rows("SELECT kind, subject FROM exceptions WHERE state = 'open'");
    // C1 has no address: its invoice is there. Of C2 nothing is known: no invoice without a name.
    assert_eq!(told(), ["invoice_not_sent invoice 2026-00001 of webshop/A", "not_billable webshop/B"]);
    assert_eq!(sent(&shop), [""; 0]);
    shop.ok("finalize-invoices");
    customers(&shop, "C1,Ada Lovelace,ada@example.com,\nC2,Emmy Noether,emmy@example.com,\n");
    shop.ok("finalize-invoices");
    assert_eq!(told(), [""; 0]);
    assert_eq!(sent(&shop).len(), 2);
    shop.ok("verify");
}

#[test]
fn killed_anywhere_each_invoice_arrives_once() {
    let copy = |from: &Shop| {
        let to = Shop::new();
        support::copy(&from.path, &to.path);
        to
    };
    // One call at a time: with two, their answers share a commit or not, and the moments differ from run to run.
    let template = shop("[task_defaults]\nconcurrency = 1\n");
    customers(&template, "C1,Ada Lovelace,ada@example.com,\nC2,Emmy Noether,emmy@example.com,\n");
    let undisturbed = copy(&template);
    let log = undisturbed.path.join("moments");
    let run = undisturbed.command(&["finalize-invoices"]).env("PAYJOURNAL_KILL_LOG", &log).status();
    assert!(run.is_ok_and(|status| status.success()));
    let moments = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    assert!(moments >= 12, "{moments} moments");
    let expected = sent(&undisturbed);
    assert_eq!(expected.len(), 2);
    for moment in 1..=moments {
        let shop = copy(&template);
        let mut killed = shop.command(&["finalize-invoices"]);
        killed.env("PAYJOURNAL_KILL_AT", moment.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(killed.status().is_ok_and(|status| !status.success()), "moment {moment} is not reached");
        // A call without an answer is asked about by the next run, and sent by it or the one after.
        shop.ok("finalize-invoices");
        shop.ok("finalize-invoices --as-of 2026-11-22T03:00:00Z");
        let arrived: Vec<String> = sent(&shop).iter().map(|mail| subject(mail)).collect();
        assert_eq!(arrived, expected.iter().map(|mail| subject(mail)).collect::<Vec<_>>(), "killed at {moment}");
        shop.ok("verify --as-of 2026-11-22T03:00:00Z");
    }
}

#[test]
fn a_config_that_mails_says_who_sends() {
    let shop = Shop::with(&format!(
        "{}\n[invoices]\nenabled = true\n[invoice_text.fr]\nsubject = \"[Facture]\"\n",
        support::CONFIG
    ));
    let refused = shop.exits("check", 3).stderr;
    for part in [
        "`seller.name` is missing",
        "`seller.country` is missing",
        "`seller.vat_id` or `seller.tax_number` is missing",
        "`invoice_text.fr`: no invoice is written in this language; valid: en, de",
        "`[Facture]` is not known",
    ] {
        assert!(refused.contains(part), "`{part}`: {refused}");
    }
}
