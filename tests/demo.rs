//! The demo: the same moment makes the same books in every folder, and the books are what the PSP itself recorded.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use support::{BINARY, NOW, ended, rows};

fn demo(folder: &Path) -> support::Ended {
    ended(Command::new(BINARY).env_clear().args(["demo", "--as-of", NOW]).arg(folder).output().unwrap())
}

#[test]
fn the_same_moment_makes_byte_equal_exports_in_two_folders() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    assert_eq!(demo(&one).code, Some(0));
    assert_eq!(demo(&other).code, Some(0));
    for name in ["journals.hledger", "journals.beancount", "journals.csv"] {
        let text = std::fs::read(one.join(name)).unwrap();
        assert!(text.len() > 1000, "{name} is nearly empty");
        assert!(text == std::fs::read(other.join(name)).unwrap(), "{name} differs");
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    let refused = demo(folder.path());
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("is not empty"), "{}", refused.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn it_shows_every_kind_of_order_and_says_what_to_try_next() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("shop");
    let shown = demo(&place).stdout;
    let orders = rows(&place.join("payjournal.db"), "SELECT count(*) FROM orders");
    assert!(orders[0].parse::<u32>().unwrap() >= 40);
    let last = shown.lines().rev().take(8).collect::<Vec<_>>().join("\n");
    for command in ["payjournal status", "payjournal show order", "payjournal capture --dry-run"] {
        assert!(last.contains(command), "{last}");
    }
    for wanted in ["confirmed", "unknown", "refused", "accepted", "release", "tie", "refund", "JPY", "KWD"] {
        assert!(shown.contains(wanted), "the demo does not show `{wanted}`");
    }
}

/// The clearing account per currency, summed from the exported file, against captures, refunds and payouts in the PSP's own file.
#[test]
fn the_exported_totals_are_what_the_psp_itself_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("shop");
    assert_eq!(demo(&place).code, Some(0));
    let mut reader = csv::Reader::from_path(place.join("journals.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|field| field == name).unwrap();
    let mut books: BTreeMap<String, i64> = BTreeMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        if !record[column("account")].starts_with("Assets:PSP:") {
            continue;
        }
        // Without its point an amount with all its decimals is minor units.
        let minor = |name: &str| record[column(name)].replace('.', "").parse::<i64>().unwrap_or(0);
        let sum = books.entry(record[column("currency")].to_owned()).or_default();
        *sum += minor("debit") - minor("credit");
    }
    let recorded = rows(
        &place.join("sandbox.db"),
        "SELECT t.currency, sum(CASE m.kind WHEN 'capture' THEN m.amount_minor WHEN 'refund' THEN -m.amount_minor ELSE 0 END)
           - (SELECT sum(l.gross_minor) FROM payout_lines l JOIN payouts p ON p.batch = l.batch WHERE p.currency = t.currency)
         FROM modifications m JOIN transactions t ON t.id = m.transaction_id AND t.merchant_account = m.merchant_account
         GROUP BY t.currency",
    );
    let books: Vec<String> = books.into_iter().map(|(currency, sum)| format!("{currency} {sum}")).collect();
    assert_eq!(books, recorded);
    assert_eq!(books.len(), 5);
}
