//! A shop that cleans up: orders with lines and a payment page each, begun long ago.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::{CONFIG, Shop, ended};

/// When the orders were begun.
pub const BEGUN: &str = "2026-10-01T10:00:00Z";

/// `more` goes into `[cleanup]`.
pub fn shop(more: &str) -> Shop {
    Shop::with(&format!(
        "{CONFIG}reports = \"reports\"\norder_in_reference = \"(?<order>.+)\"\n[invoices]\nenabled = true\nmail = false\n[cleanup]\nenabled = true\n{more}\n"
    ))
}

/// An order of 119.00 EUR with two lines, its entry and a page to pay it on, all of `BEGUN`. Gives the page's address.
pub fn page(shop: &Shop, number: &str) -> String {
    let line = |line: &str, quantity: &str, price: &str| json!({"line": line, "item": format!("I-{line}"), "description": "Thing", "quantity": quantity, "unit_price": price, "tax_rate": "19"});
    let request = json!({
        "order": {"order": number, "currency": "EUR", "total": "119.00", "ordered_on": "2026-10-01", "bill_to": "C1"},
        "lines": [line("1", "2", "50.00"), line("2", "1", "19.00")],
    });
    let mut child = shop
        .command(&["checkout", "--as-of", BEGUN])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let ended = ended(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    answer.get("payment_url").and_then(serde_json::Value::as_str).unwrap().to_owned()
}

/// Imports rows of a kind with their head, as of `BEGUN`.
#[track_caller]
pub fn import(shop: &Shop, what: &str, rows: &str) {
    shop.write("rows.csv", rows);
    shop.ok(&format!("import {what} rows.csv --as-of {BEGUN}"));
}

/// Orders without lines or page: rows `ORDER,TERMS,PREPAYMENT,CANCELLED,ORDERED_ON`.
#[track_caller]
pub fn orders(shop: &Shop, rows: &str) {
    let rows: String = rows.lines().flat_map(|row| [row, ",EUR,50.00\n"]).collect();
    import(shop, "orders", &format!("order,terms,prepayment_percent,cancelled,ordered_on,currency,total\n{rows}"));
}

/// Payments that the sandbox and the ledger know: rows `TX,ORDER,METHOD,STATUS,AUTHORISED,CAPTURED_AT`.
#[track_caller]
pub fn payments(shop: &Shop, rows: &str) {
    let mut text =
        "provider,currency,transaction,order,method,status,authorised,captured_at,authorised_at\n".to_owned();
    for row in rows.lines() {
        let at =
            if row.split(',').nth(4).is_some_and(|amount| !amount.is_empty()) { "2026-10-01T09:00:00Z" } else { "" };
        text.extend(["psp,EUR,", row, ",", at, "\n"]);
    }
    shop.write("rows.csv", &text);
    shop.ok(&format!("sandbox authorise rows.csv --as-of {BEGUN}"));
    shop.ok(&format!("import payments rows.csv --as-of {BEGUN}"));
}

/// Orders that are deleted, by number.
pub fn deleted(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT number FROM orders WHERE deleted = 1")
}

/// `ORDER/LINE QUANTITY DIRECTION`.
pub fn stock(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT o.number || '/' || s.line, s.quantity, s.direction FROM stock_releases s JOIN orders o ON o.id = s.order_id",
    )
}

/// Open exceptions: `KIND SUBJECT`.
pub fn told(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, subject FROM exceptions WHERE state = 'open'")
}

/// How many stayed, by reason.
#[track_caller]
pub fn not_eligible(shop: &Shop, line: &str) -> String {
    let document = shop.json(line);
    let counts =
        document.get("not_eligible").and_then(serde_json::Value::as_object).unwrap_or_else(|| panic!("{document}"));
    counts.iter().map(|(why, count)| format!("{count} {why}")).collect::<Vec<_>>().join(", ")
}
