//! The books as a German tax adviser's program reads them, handed over once.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs::File;
use std::path::Path;

use support::Shop;
use support::billing::{collected, import, orders};

const DATEV: &str = "
[datev]
consultant = 1234567
client = 99
year_begins = 4
accounts = { \"Assets:PSP:*\" = \"1360\", \"Assets:Receivables:*\" = \"*\", \"Liabilities:Prepayments:*\" = \"1710\", \
\"Income:Sales:19\" = \"8400/40\", \"Income:Sales:7\" = \"8300/40\", \"Liabilities:OutputTax:*\" = \"1776\" }
";

fn shop() -> Shop {
    Shop::with(&format!("{}\n[invoices]\nenabled = true\nmail = false\nbill_when = []\n{DATEV}", support::CONFIG))
}

/// The rows of a file after its heading, of each the columns that are filled in.
fn rows(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    assert!(text.ends_with("\r\n"));
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[1].starts_with("Umsatz (ohne Soll/Haben-Kz);Soll/Haben-Kennzeichen;WKZ Umsatz;"), "{}", lines[1]);
    let rows = &lines[2..lines.len() - 1];
    for row in rows {
        assert_eq!(row.split(';').count(), 125, "{row}");
    }
    rows.iter()
        .map(|row| {
            let cells: Vec<&str> = row.split(';').map(|cell| cell.trim_matches('"')).collect();
            [cells[0], cells[1], cells[2], cells[6], cells[7], cells[8], cells[9], cells[10], cells[23]]
                .join(" ")
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[test]
fn a_month_holds_each_journal_against_its_first_account() {
    let shop = shop();
    orders(&shop, "A,119.00,10001,,\n");
    import(
        &shop,
        "order-lines",
        "order,line,description,quantity,unit_price,tax_rate\nA,1,Grinder,1,100.00,19\nA,2,Beans,1,19.00,7\n",
    );
    collected(&shop, "TX-A,A,,,119.00\n");
    shop.ok("finalize-invoices");
    shop.ok("credit-note 2026-00001 --line 2 --reason returned");
    shop.ok("export --format datev --month 2026-11 --output EXTF.csv");
    let path = shop.path.join("EXTF.csv");
    let text = std::fs::read(&path).unwrap();
    assert!(
        text.starts_with(
            b"\"EXTF\";700;21;\"Buchungsstapel\";13;20261122020000000;;\"PJ\";\"payjournal\";\"\";1234567;99;20260401;4;20261101;20261130;"
        ),
        "{}",
        String::from_utf8_lossy(&text)
    );
    assert_eq!(text.split(|byte| *byte == b'\r').next().unwrap().split(|byte| *byte == b';').count(), 31);
    let mut found = rows(&path);
    found.sort();
    // Receivables against revenue (whose account must not compute the tax again) and tax; money against what it was booked for.
    assert_eq!(
        found,
        [
            "1,24 H EUR 10001 1776  2211 G-2026-11-22-001",
            "1,24 S EUR 10001 1776  2211 2026-00001",
            "119,00 S EUR 1360 1710  1611 TX-A",
            "119,00 S EUR 1710 10001  2211 2026-00001",
            "15,97 S EUR 10001 1776  2211 2026-00001",
            "17,76 H EUR 10001 8300 40 2211 G-2026-11-22-001",
            "17,76 S EUR 10001 8300 40 2211 2026-00001",
            "84,03 S EUR 10001 8400 40 2211 2026-00001",
        ]
    );
}

#[test]
fn each_journal_is_handed_over_once_and_what_comes_late_is_of_the_next_month() {
    let shop = shop();
    orders(&shop, "A,119.00,10001,,\nB,50.00,10002,,\n");
    collected(&shop, "TX-A,A,,,119.00\n");
    let new = |month: &str, file: &str| format!("export --format datev --month {month} --new --output {file}");
    let said = shop.ok(&new("2026-11", "1.csv")).stdout;
    assert!(said.contains("export 1: 1 journals of 2026-11"), "{said}");
    assert!(shop.ok(&new("2026-11", "2.csv")).stdout.contains("nothing is new for datev"));
    assert!(!shop.path.join("2.csv").exists());
    // Learnt later, of a day in a month that was handed over.
    collected(&shop, "TX-B,B,,,50.00\n");
    shop.ok(&new("2026-12", "3.csv"));
    assert_eq!(rows(&shop.path.join("3.csv")), ["50,00 S EUR 1360 1710  0112 TX-B 2026-11-16"]);
    // The same once more, and for a program that was given nothing yet: everything.
    shop.ok("export --again 1 --output again.csv");
    assert_eq!(rows(&shop.path.join("again.csv")), rows(&shop.path.join("1.csv")));
    shop.ok("export --format csv --month 2026-12 --new --output all.csv");
    let all = std::fs::read_to_string(shop.path.join("all.csv")).unwrap();
    assert_eq!(all.lines().count(), 1 + 4, "{all}");
}

#[test]
fn what_broke_off_is_written_before_anything_new() {
    let shop = shop();
    orders(&shop, "A,119.00,10001,,\nB,50.00,10002,,\n");
    collected(&shop, "TX-A,A,,,119.00\n");
    // The batch is there, and its file never came about.
    let new = "export --format datev --month 2026-11 --new --output";
    let failed = shop.exits(&format!("{new} no/such/folder.csv"), 2);
    assert!(failed.stderr.contains("no/such/folder.csv"), "{}", failed.stderr);
    collected(&shop, "TX-B,B,,,50.00\n");
    let first = shop.ok(&format!("{new} 1.csv"));
    assert!(first.stderr.contains("export 1 was broken off"), "{}", first.stderr);
    shop.ok(&format!("{new} 2.csv"));
    let both: Vec<String> = ["1.csv", "2.csv"].iter().flat_map(|name| rows(&shop.path.join(name))).collect();
    assert_eq!(both, ["119,00 S EUR 1360 1710  1611 TX-A", "50,00 S EUR 1360 1710  1611 TX-B"]);
}

#[test]
fn what_another_is_writing_is_not_what_broke_off() {
    let shop = shop();
    orders(&shop, "A,119.00,10001,,\n");
    collected(&shop, "TX-A,A,,,119.00\n");
    let new = "export --format datev --month 2026-11 --new --output";
    shop.exits(&format!("{new} no/such/folder.csv"), 2);
    let lock = File::create(shop.path.join("payjournal.db.export.lock")).unwrap();
    lock.lock().unwrap();
    let told = shop.exits(&format!("{new} 1.csv"), 4);
    assert!(told.stderr.contains("`export` is running already"), "{}", told.stderr);
    assert!(!shop.path.join("1.csv").exists());
    // What marks nothing needs nobody's leave.
    shop.ok("export --format datev --month 2026-11 --output all.csv");
    lock.unlock().unwrap();
    shop.ok(&format!("{new} 1.csv"));
}

#[test]
fn what_datev_cannot_hold_is_told() {
    let shop = shop();
    let refused = |line: &str, code: i32, why: &str| {
        let said = shop.exits(line, code).stderr;
        assert!(said.contains(why), "{line}: {said}");
    };
    shop.one_order("SO-0");
    refused("export --format datev --output x.csv", 2, "DATEV takes one month at a time");
    refused("export --format datev --new --output x.csv", 2, "--month");
    refused("export --again 9", 2, "there is no export 9");
    shop.orders("SO-1,USD,10.00,online,,none,10001,2026-11-15\nSO-2,EUR,10.00,online,,none,Ada,2026-11-15\n");
    shop.payments(
        "TX-1,SO-1,,card,USD,captured,10.00,2026-11-16T08:00:00Z,,2026-11-16T08:00:00Z\n\
         TX-2,SO-2,,card,EUR,captured,10.00,2026-11-16T08:00:00Z,,2026-11-16T08:00:00Z\n",
    );
    let month = "export --format datev --month 2026-11 --new --output EXTF.csv";
    refused(month, 1, "1 journals in other currencies than EUR are not in it");
    assert_eq!(rows(&shop.path.join("EXTF.csv")), ["10,00 S EUR 1360 1710  1611 TX-2"]);
    // An account without a number: nothing is written, and nothing is marked.
    shop.documents("invoice,R-2,SO-2,EUR,10.00,,,2026-11-20\n");
    shop.ok("capture");
    refused(month, 3, "these accounts have no number in `datev.accounts`: Assets:Receivables:Ada");
    assert_eq!(shop.rows("SELECT count(*) FROM exports"), ["1"]);
}
