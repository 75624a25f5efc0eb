//! Rows about invoices of ours that were taken back, and about free money that is to be paid back.

use rusqlite::Row;

use super::list;

/// A document that takes back an invoice of ours, or lines of it.
#[derive(Debug, Clone)]
pub struct CorrectionRow {
    /// `cancellation` or `credit_note`.
    pub kind: String,
    pub number: String,
    pub invoice: String,
    pub order: String,
    pub customer: String,
    pub currency: String,
    pub total: i64,
    /// UTC, RFC 3339 with seconds.
    pub made_at: String,
    /// The number of each line, its net and its tax.
    pub lines: Vec<(i64, i64, i64)>,
    /// Account and amount, debit positive.
    pub postings: Vec<(String, i64)>,
    /// The event of the mail that brings it.
    pub mail: Option<String>,
}

/// Free money of a payment that a person wants paid back.
#[derive(Debug, Clone)]
pub struct RequestRow {
    pub number: String,
    pub transaction: String,
    pub currency: String,
    pub total: i64,
    /// What was withdrawn of it.
    pub withdrawn: i64,
    /// UTC, RFC 3339 with seconds.
    pub asked_at: String,
}

pub(super) const CORRECTIONS: &str = "
    SELECT d.kind, d.number, v.number, o.number, d.bill_to, d.currency, d.total_minor, c.made_at,
      (SELECT json_group_array(json_array(l.line, l.net_minor, l.tax_minor)) FROM invoice_lines l WHERE l.document_id = d.id),
      (SELECT json_group_array(json_array(p.account, p.amount_minor)) FROM invoice_journals j JOIN invoice_postings p ON p.journal_id = j.id
       WHERE j.document_id = d.id),
      (SELECT m.event FROM customer_mails b JOIN mails m ON m.id = b.mail_id WHERE b.document_id = d.id)
    FROM corrections c JOIN documents d ON d.id = c.document_id JOIN documents v ON v.id = c.invoice_id
    JOIN orders o ON o.id = v.order_id ORDER BY d.id";
pub(super) const REQUESTS: &str = "
    SELECT d.number, p.transaction_id, d.currency, d.total_minor, d.paid_elsewhere_minor, r.asked_at
    FROM refund_requests r JOIN documents d ON d.id = r.document_id JOIN payments p ON p.id = r.payment_id ORDER BY d.id";

pub(super) fn correction(row: &Row<'_>) -> rusqlite::Result<CorrectionRow> {
    Ok(CorrectionRow {
        kind: row.get(0)?,
        number: row.get(1)?,
        invoice: row.get(2)?,
        order: row.get(3)?,
        customer: row.get(4)?,
        currency: row.get(5)?,
        total: row.get(6)?,
        made_at: row.get(7)?,
        lines: list(row, 8)?,
        postings: list(row, 9)?,
        mail: row.get(10)?,
    })
}

pub(super) fn request(row: &Row<'_>) -> rusqlite::Result<RequestRow> {
    Ok(RequestRow {
        number: row.get(0)?,
        transaction: row.get(1)?,
        currency: row.get(2)?,
        total: row.get(3)?,
        withdrawn: row.get(4)?,
        asked_at: row.get(5)?,
    })
}
