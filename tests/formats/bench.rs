//! One shop for all formats, and what can be seen of it from outside.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Shop;

/// Orders that customers have authorised, each to its customer, and nothing captured yet; the last has no payment.
const ORDERS: [(&str, &str, &str); 7] = [
    ("SO-1", "EUR", "100.00"),
    ("SO-2", "EUR", "50.00"),
    ("SO-3", "EUR", "10.00"),
    ("SO-4", "USD", "50.00"),
    ("SO-5", "JPY", "1500"),
    ("SO-6", "KWD", "1.500"),
    ("SO-7", "EUR", "5.00"),
];

/// `provider` is the only provider, with its reports in `reports`; `more` is what else its table has. Its transactions are `TX-1` to
/// `TX-6`. Captures and refunds are made elsewhere: only the reports tell of them.
pub(crate) fn shop(provider: &str, account: &str, more: &str) -> Shop {
    let shop = Shop::with(&format!(
        "[provider.{provider}]\nkind = \"reports\"\nmerchant_account = \"{account}\"\nreports = \"reports\"\n\
         order_in_reference = \"WEB-(?<order>.+)\"\n{more}\n[method.card]\nstrategy = \"manual\"\n\
         [mail]\nadministrator = [\"admin@shop.example\"]\npayment_notifications = [\"payments@shop.example\"]\n"
    ));
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    let (mut orders, mut payments) = (String::new(), Vec::new());
    for (nth, (order, currency, total)) in (1..).zip(ORDERS) {
        orders.push_str(&format_row(&[order, currency, total, "online", "", "none", &format!("C{nth}"), "2026-11-01"]));
        let at = "2026-11-02T08:00:00Z";
        payments.push(format_row(&[provider, &format!("TX-{nth}"), order, "card", currency, "authorised", total, at]));
    }
    payments.pop();
    shop.orders(&orders);
    let head = "provider,transaction,order,method,currency,status,authorised,authorised_at\n";
    shop.write("payments.csv", &[head, &payments.concat()].concat());
    shop.ok("import payments payments.csv");
    shop
}

fn format_row(cells: &[&str]) -> String {
    let mut row = cells.join(",");
    row.push('\n');
    row
}

/// Drops files into the folder and takes them over.
pub(crate) fn settle(shop: &Shop, files: &[(&str, &str)]) -> Value {
    for (name, text) in files {
        std::fs::write(shop.path.join("reports").join(name), text).unwrap();
    }
    shop.json("settlements")
}

/// The same table with its columns in the opposite order and one more.
pub(crate) fn turned(text: &str, separator: u8) -> String {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(separator).from_reader(text.as_bytes());
    let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    for row in reader.records() {
        let row = row.unwrap();
        writer.write_record(row.iter().rev().chain(["more"])).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// `KIND ID AMOUNT CURRENCY`, as the ledger has them.
pub(crate) fn movements(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, modification_id, amount_minor, currency FROM movements WHERE learnt_from = 'settlement'")
}

/// Each account in its currency, of the books as they are exported; what stands at zero is left out.
pub(crate) fn books(shop: &Shop) -> Vec<String> {
    let text = shop.ok("export --format hledger").stdout;
    let mut balances: BTreeMap<(String, String), i64> = BTreeMap::new();
    for line in text.lines() {
        let Some(posting) = line.strip_prefix("    ").filter(|line| !line.starts_with([';', 'f'])) else { continue };
        let (account, amount) = posting.split_once("  ").unwrap();
        let (number, currency) = amount.trim().split_once(' ').unwrap();
        let minor: i64 = number.replace('.', "").parse().unwrap();
        *balances.entry((account.to_owned(), currency.to_owned())).or_default() += minor;
    }
    balances.retain(|_, minor| *minor != 0);
    balances.into_iter().map(|((account, currency), minor)| format!("{account} {currency} {minor}")).collect()
}

/// Each payout in each currency: `REFERENCE CURRENCY STATE`, and gross, fees, taxes, reserves, carried, corrections, rounding and paid
/// out, as they stand in its equation; what is left over comes last, where anything is.
pub(crate) fn proofs(shop: &Shop) -> Vec<String> {
    const PARTS: [&str; 8] = ["gross", "fees", "taxes", "reserves", "carried", "corrections", "rounding", "paid_out"];
    let listed = shop.json("list payouts");
    let mut proofs = Vec::new();
    for payout in listed["payouts"].as_array().unwrap() {
        for proof in payout["proofs"].as_array().unwrap() {
            let text = |of: &Value| of.as_str().unwrap().to_owned();
            let mut words = vec![text(&payout["reference"]), text(&proof["currency"]), text(&proof["state"])];
            words.extend(PARTS.iter().map(|part| text(&proof[part])));
            let left = text(&proof["remainder"]);
            if left.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0') {
                words.push(left);
            }
            proofs.push(words.join(" "));
        }
    }
    proofs.sort();
    proofs
}

/// Kind and number of what a person must look at.
pub(crate) fn exceptions(run: &Value) -> Vec<&str> {
    let mut kinds: Vec<&str> =
        run["exceptions"].as_array().unwrap().iter().map(|told| told["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds
}

/// Of all files of a run: lines that are new, that were known, and how those of payments found their order: by the transaction's id, by
/// the reference, not at all.
pub(crate) fn counts(run: &Value) -> [u64; 5] {
    ["lines_added", "lines_known", "matched_by_transaction", "matched_by_reference", "unmatched"]
        .map(|count| run["files"].as_array().unwrap().iter().filter_map(|file| file[count].as_u64()).sum())
}

/// `verify` finds nothing, and the lines again say nothing new.
#[track_caller]
pub(crate) fn is_sound(shop: &Shop, again: &[(&str, &str)]) {
    let before = (movements(shop), books(shop), proofs(shop));
    let run = settle(shop, again);
    let [added, known, ..] = counts(&run);
    assert_eq!((&run["exit_code"], added), (&0.into(), 0), "{run:#}");
    assert!(known > 0, "{run:#}");
    assert_eq!((movements(shop), books(shop), proofs(shop)), before);
    let verified = shop.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}
