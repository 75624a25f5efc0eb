//! A shop that makes its invoices itself: what it sells, asks for and is paid.

use super::{CONFIG, Shop};

const INVOICES: &str = "\n[invoices]\nenabled = true\nmail = false\nbill_when = []\n";

/// A shop that makes its invoices; `more` goes into the table.
pub fn shop(more: &str) -> Shop {
    Shop::with(&format!("{CONFIG}{INVOICES}{more}"))
}

/// Rows `ORDER,TOTAL,CUSTOMER,ENTRY KEY,PAYMENT KEY`, each with one line over all of it, taxed with 19 %.
pub fn orders(shop: &Shop, rows: &str) {
    let mut orders = "order,currency,total,bill_to,ordered_on,entry_assignment_key,payment_assignment_key\n".to_owned();
    let mut lines = LINES.to_owned();
    for row in rows.lines() {
        let mut cells = row.split(',');
        let mut cell = || cells.next().unwrap_or_default();
        let (order, total, customer, entry, payment) = (cell(), cell(), cell(), cell(), cell());
        orders.extend([order, ",EUR,", total, ",", customer, ",2026-11-15,", entry, ",", payment, "\n"]);
        lines.extend([order, ",1,Thing,1,", total, ",19\n"]);
    }
    shop.write("orders.csv", &orders);
    shop.ok("import orders orders.csv");
    shop.write("lines.csv", &lines);
    shop.ok("import order-lines lines.csv");
}

pub const LINES: &str = "order,line,description,quantity,unit_price,tax_rate\n";

pub fn import(shop: &Shop, what: &str, text: &str) {
    shop.write("rows.csv", text);
    shop.ok(&format!("import {what} rows.csv"));
}

/// Rows `ENTRY,KEY,CUSTOMER,AMOUNT,CANCELLED`.
pub fn entries(shop: &Shop, rows: &str) {
    let rows: String = rows.lines().flat_map(|row| [row, ",EUR\n"]).collect();
    import(shop, "entries", &format!("entry,assignment_key,customer,amount,cancelled,currency\n{rows}"));
}

/// Collected payments: rows `TX,ORDER,ENTRIES,KEY,AMOUNT`.
pub fn collected(shop: &Shop, rows: &str) {
    let at = "2026-11-16T08:00:00Z";
    let rows: String = rows.lines().flat_map(|row| ["psp,", row, ",card,EUR,captured,", at, ",", at, "\n"]).collect();
    let head =
        "provider,transaction,order,entries,assignment_key,authorised,method,currency,status,authorised_at,captured_at";
    shop.write("payments.csv", &format!("{head}\n{rows}"));
    shop.ok("sandbox authorise payments.csv");
    shop.ok("import payments payments.csv");
}

/// What somebody pays back in the PSP's back office, without a word to us.
pub fn refunded_by_hand(shop: &Shop, transaction: &str, minor: i64, day: &str) {
    shop.sandbox(&format!(
        "INSERT INTO modifications VALUES ('BO-1', 'Shop', '{transaction}', 'refund', {minor}, 'by hand', 'confirmed',
           '{day}T01:00:00+00:00', '{day}T01:00:00+00:00')",
    ));
}

/// `NUMBER ORDER TOTAL BOOKED`.
pub fn invoices(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT d.number, o.number, d.total_minor,
           (SELECT ifnull(sum(CASE WHEN (direction = 'original') = (kind <> 'reopening') THEN amount_minor ELSE -amount_minor END), 0)
            FROM journals j WHERE j.document_id = d.id)
         FROM invoices i JOIN documents d ON d.id = i.document_id JOIN orders o ON o.id = i.order_id",
    )
}

/// `REFERENCE STATUS ASSIGNED OF INITIAL, INVOICE`.
pub fn all_entries(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT ifnull(e.reference, '-'), e.status, e.assigned_minor || '/' || e.initial_minor, ifnull(d.number, '-')
         FROM entries e LEFT JOIN documents d ON d.id = e.document_id",
    )
}

pub fn told(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, subject, message FROM exceptions WHERE state = 'open'")
}
