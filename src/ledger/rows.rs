//! The ledger's rows as they are written, for the simulation's auditor: no totals, no statuses computed, no domain types
//! to agree with the code that is audited. Rows are named by what the outside calls them, not by their numbers here.

mod corrections;
mod deletions;

use std::collections::HashMap;

use rusqlite::{Connection, Row};

pub use corrections::{CorrectionRow, RequestRow};
pub use deletions::{DeletionRow, StockRow, TombstoneRow};

use super::{Ledger, Result};

/// Everything that is in a ledger, in the order written.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub orders: Vec<OrderRow>,
    pub payments: Vec<PaymentRow>,
    pub documents: Vec<DocumentRow>,
    pub movements: Vec<MovementRow>,
    pub journals: Vec<JournalRow>,
    pub operations: Vec<OperationRow>,
    pub mails: Vec<MailRow>,
    pub exceptions: Vec<ExceptionRow>,
    pub lines: Vec<LineRow>,
    pub payouts: Vec<PayoutRow>,
    pub settled: Vec<SettledRow>,
    pub invoices: Vec<InvoiceRow>,
    pub entries: Vec<EntryRow>,
    pub corrections: Vec<CorrectionRow>,
    pub requests: Vec<RequestRow>,
    pub deletions: Vec<DeletionRow>,
    pub tombstones: Vec<TombstoneRow>,
    pub stock: Vec<StockRow>,
}

#[derive(Debug, Clone)]
pub struct OrderRow {
    pub number: String,
    pub total: i64,
    pub cancelled: String,
    pub payment_status: String,
    pub deleted: bool,
    /// How many lines of it are known.
    pub lines: i64,
}

#[derive(Debug, Clone)]
pub struct PaymentRow {
    pub transaction: String,
    pub order: Option<String>,
    pub status: String,
    /// The latest; 0 = none.
    pub authorised: i64,
}

#[derive(Debug, Clone)]
pub struct DocumentRow {
    /// `invoice`, `credit_note`, `shipment`, `cancellation` or `refund_request`.
    pub kind: String,
    pub number: String,
    pub order: Option<String>,
    pub total: i64,
    pub paid_elsewhere: i64,
}

#[derive(Debug, Clone)]
pub struct MovementRow {
    pub id: i64,
    /// `capture`, `refund`, `capture_failure`, `refund_failure`, `chargeback` or `chargeback_reversed`.
    pub kind: String,
    pub transaction: String,
    pub modification: String,
    pub amount: i64,
    pub currency: String,
    pub operation: Option<i64>,
    /// UTC, RFC 3339 with seconds: compares as text.
    pub learnt_at: String,
}

#[derive(Debug, Clone)]
pub struct JournalRow {
    pub number: String,
    pub movement: i64,
    /// `receipt`, `prepayment`, `application`, `refund`, `reopening`, `unapplied_refund`, `chargeback`, `chargeback_reversed`,
    /// `return` or `returned_refund`.
    pub kind: String,
    /// `original` or `reversal`.
    pub direction: String,
    /// Kind and number.
    pub document: Option<(String, String)>,
    pub amount: i64,
    pub currency: String,
    /// Account and amount, debit positive.
    pub postings: Vec<(String, i64)>,
}

#[derive(Debug, Clone)]
pub struct OperationRow {
    pub id: i64,
    /// `capture`, `refund`, `release`, `collect`, `journal`, `mail`, `cancel` or `delete`.
    pub kind: String,
    pub transaction: Option<String>,
    /// Kind and number; of a capture none = the authorisation itself.
    pub document: Option<(String, String)>,
    /// The journal's number.
    pub journal: Option<String>,
    /// The mail's event.
    pub mail: Option<String>,
    /// Of a deletion: the order.
    pub order: Option<String>,
    pub amount: i64,
    pub attempt: i64,
    pub key: String,
    /// `planned`, `sent`, `accepted`, `confirmed`, `refused`, `unknown`, `given_up` or `withdrawn`.
    pub state: String,
    pub tries: i64,
    pub refusal: Option<String>,
    /// The other side said that it may be tried again.
    pub transient: bool,
    pub note: String,
    /// UTC, RFC 3339 with seconds: compares as text.
    pub planned_at: String,
}

#[derive(Debug, Clone)]
pub struct MailRow {
    pub event: String,
    pub subject: String,
    pub body: String,
}

#[derive(Debug, Clone)]
pub struct ExceptionRow {
    pub id: i64,
    pub kind: String,
    pub subject: String,
    pub message: String,
    /// `open`, `acknowledged` or `resolved`.
    pub state: String,
    pub order: Option<String>,
    pub transaction: Option<String>,
    pub document: Option<(String, String)>,
    pub operation: Option<i64>,
}

/// A settlement line.
#[derive(Debug, Clone)]
pub struct LineRow {
    pub provider: String,
    /// The payout it is in.
    pub payout: String,
    pub kind: i64,
    pub transaction: String,
    pub modification: String,
    /// Millionths of the currency's unit.
    pub gross: i64,
    pub net: i64,
}

#[derive(Debug, Clone)]
pub struct PayoutRow {
    pub provider: String,
    pub reference: String,
    /// `open`, `closed` or `remainder`.
    pub state: String,
    /// What its journals leave on clearing, by currency.
    pub clearing: Vec<(String, i64)>,
}

/// What was settled for an order, in millionths.
#[derive(Debug, Clone)]
pub struct SettledRow {
    pub order: String,
    pub sold: i64,
    pub refunded: i64,
}

/// An invoice payjournal made.
#[derive(Debug, Clone)]
pub struct InvoiceRow {
    pub number: String,
    pub order: String,
    pub customer: String,
    pub currency: String,
    pub total: i64,
    /// UTC, RFC 3339 with seconds.
    pub finalised_at: String,
    /// Rate in percent, net and tax of each line.
    pub lines: Vec<(String, i64, i64)>,
    /// Account and amount, debit positive.
    pub postings: Vec<(String, i64)>,
    /// The event of the mail that brings it.
    pub mail: Option<String>,
}

#[derive(Debug, Clone)]
pub struct EntryRow {
    /// The shop's, or the number of the invoice that made it.
    pub reference: Option<String>,
    pub initial: i64,
    /// What credit notes took off it.
    pub reduction: i64,
    pub assigned: i64,
    /// `open`, `balanced` or `cancelled`.
    pub status: String,
    /// The number of its invoice.
    pub invoice: Option<String>,
    /// The transaction of each assignment, and how much it brought or took back.
    pub assignments: Vec<(String, i64)>,
}

impl Ledger {
    /// All of it: for ledgers of a simulated shop's size.
    pub fn rows(&self) -> Result<Rows> {
        let connection = &self.connection;
        Ok(Rows {
            orders: read(connection, ORDERS, order)?,
            payments: read(connection, PAYMENTS, payment)?,
            documents: read(connection, DOCUMENTS, document)?,
            movements: read(connection, MOVEMENTS, movement)?,
            journals: journals(connection)?,
            operations: read(connection, OPERATIONS, operation)?,
            mails: read(connection, "SELECT event, subject, body FROM mails ORDER BY id", mail)?,
            exceptions: read(connection, EXCEPTIONS, exception)?,
            lines: read(connection, LINES, line)?,
            payouts: read(connection, PAYOUTS, payout)?,
            settled: read(connection, SETTLED, settled)?,
            invoices: read(connection, INVOICES, invoice)?,
            entries: read(connection, ENTRIES, entry)?,
            corrections: read(connection, corrections::CORRECTIONS, corrections::correction)?,
            requests: read(connection, corrections::REQUESTS, corrections::request)?,
            deletions: read(connection, deletions::DELETIONS, deletions::deletion)?,
            tombstones: read(connection, deletions::TOMBSTONES, deletions::tombstone)?,
            stock: read(connection, deletions::STOCK, deletions::stock)?,
        })
    }
}

const ORDERS: &str = "
    SELECT number, total_minor, cancelled, payment_status, deleted, (SELECT count(*) FROM order_lines l WHERE l.order_id = o.id)
    FROM orders o ORDER BY id";
const PAYMENTS: &str = "
    SELECT p.transaction_id, o.number, p.status,
           ifnull((SELECT a.amount_minor FROM authorisations a WHERE a.payment_id = p.id ORDER BY a.id DESC LIMIT 1), 0)
    FROM payments p LEFT JOIN orders o ON o.id = p.order_id ORDER BY p.id";
const DOCUMENTS: &str = "
    SELECT d.kind, d.number, o.number, d.total_minor, d.paid_elsewhere_minor
    FROM documents d LEFT JOIN orders o ON o.id = d.order_id ORDER BY d.id";
const MOVEMENTS: &str = "
    SELECT m.id, m.kind, p.transaction_id, m.modification_id, m.amount_minor, m.currency, m.operation_id, m.learnt_at
    FROM movements m JOIN payments p ON p.id = m.payment_id ORDER BY m.id";
const JOURNALS: &str = "
    SELECT j.number, j.movement_id, j.kind, j.direction, d.kind, d.number, j.amount_minor, j.currency, j.id
    FROM journals j LEFT JOIN documents d ON d.id = j.document_id ORDER BY j.id";
const POSTINGS: &str = "SELECT journal_id, account, amount_minor FROM postings ORDER BY journal_id, line";
const OPERATIONS: &str = "
    SELECT o.id, o.kind, p.transaction_id, d.kind, d.number, j.number, m.event, ifnull(o.amount_minor, 0), o.attempt, o.key,
           o.state, o.tries, o.refusal_code, o.note, o.planned_at,
           o.refusal_transient, r.number
    FROM operations o LEFT JOIN orders r ON r.id = o.order_id LEFT JOIN payments p ON p.id = o.payment_id LEFT JOIN documents d ON d.id = o.document_id
    LEFT JOIN journals j ON j.id = o.journal_id LEFT JOIN mails m ON m.id = o.mail_id ORDER BY o.id";
const EXCEPTIONS: &str = "
    SELECT e.id, e.kind, e.subject, e.message, e.state, o.number, p.transaction_id, d.kind, d.number, e.operation_id
    FROM exceptions e LEFT JOIN orders o ON o.id = e.order_id LEFT JOIN payments p ON p.id = e.payment_id
    LEFT JOIN documents d ON d.id = e.document_id ORDER BY e.id";

const LINES: &str = "
    SELECT a.provider, p.reference, l.kind, l.transaction_id, l.modification_id, ifnull(l.gross, 0) * u.micros, l.net * u.micros
    FROM settlement_lines l
    JOIN (SELECT 0 AS scale, 1000000 AS micros UNION ALL VALUES (1, 100000), (2, 10000), (3, 1000), (4, 100), (5, 10), (6, 1)) u
      ON u.scale = l.scale
    JOIN payouts p ON p.id = l.payout_id JOIN merchant_accounts a ON a.id = l.account_id
    ORDER BY l.account_id, l.batch, l.transaction_id, l.modification_id, l.kind, l.ordinal";
const PAYOUTS: &str = "
    SELECT a.provider, p.reference, p.state,
      (SELECT json_group_array(json_array(currency, minor)) FROM (
         SELECT j.currency, sum(t.amount_minor) AS minor FROM payout_journals j JOIN payout_postings t ON t.journal_id = j.id AND t.line = 1
         WHERE j.payout_id = p.id GROUP BY j.currency))
    FROM payouts p JOIN merchant_accounts a ON a.id = p.account_id ORDER BY p.id";
const SETTLED: &str = "
    SELECT o.number, s.sold_micros, s.refunded_micros FROM order_settlements s JOIN orders o ON o.id = s.order_id ORDER BY o.id";

const INVOICES: &str = "
    SELECT d.number, o.number, d.bill_to, d.currency, d.total_minor, i.finalised_at,
      (SELECT json_group_array(json_array(l.tax_rate, l.net_minor, l.tax_minor)) FROM invoice_lines l WHERE l.document_id = d.id),
      (SELECT json_group_array(json_array(p.account, p.amount_minor)) FROM invoice_journals j JOIN invoice_postings p ON p.journal_id = j.id
       WHERE j.document_id = d.id),
      (SELECT m.event FROM customer_mails c JOIN mails m ON m.id = c.mail_id WHERE c.document_id = d.id)
    FROM invoices i JOIN documents d ON d.id = i.document_id JOIN orders o ON o.id = i.order_id ORDER BY d.id";
const ENTRIES: &str = "
    SELECT e.reference, e.initial_minor, e.reduction_minor, e.assigned_minor, e.status, d.number,
      (SELECT json_group_array(json_array(p.transaction_id, a.amount_minor)) FROM assignments a JOIN movements m ON m.id = a.movement_id
       JOIN payments p ON p.id = m.payment_id WHERE a.entry_id = e.id)
    FROM entries e LEFT JOIN documents d ON d.id = e.document_id ORDER BY e.id";

fn read<T>(connection: &Connection, sql: &str, row: fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
    Ok(connection.prepare_cached(sql)?.query_map([], row)?.collect::<rusqlite::Result<_>>()?)
}

fn order(row: &Row<'_>) -> rusqlite::Result<OrderRow> {
    Ok(OrderRow {
        number: row.get(0)?,
        total: row.get(1)?,
        cancelled: row.get(2)?,
        payment_status: row.get(3)?,
        deleted: row.get(4)?,
        lines: row.get(5)?,
    })
}

fn payment(row: &Row<'_>) -> rusqlite::Result<PaymentRow> {
    Ok(PaymentRow { transaction: row.get(0)?, order: row.get(1)?, status: row.get(2)?, authorised: row.get(3)? })
}

fn document(row: &Row<'_>) -> rusqlite::Result<DocumentRow> {
    Ok(DocumentRow {
        kind: row.get(0)?,
        number: row.get(1)?,
        order: row.get(2)?,
        total: row.get(3)?,
        paid_elsewhere: row.get(4)?,
    })
}

fn movement(row: &Row<'_>) -> rusqlite::Result<MovementRow> {
    Ok(MovementRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        transaction: row.get(2)?,
        modification: row.get(3)?,
        amount: row.get(4)?,
        currency: row.get(5)?,
        operation: row.get(6)?,
        learnt_at: row.get(7)?,
    })
}

fn journals(connection: &Connection) -> Result<Vec<JournalRow>> {
    let mut postings: HashMap<i64, Vec<(String, i64)>> = HashMap::new();
    let line = |row: &Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    for (journal, posting) in read(connection, POSTINGS, line)? {
        postings.entry(journal).or_default().push(posting);
    }
    let mut statement = connection.prepare_cached(JOURNALS)?;
    let rows = statement.query_map([], |row| journal(row, postings.remove(&row.get(8)?).unwrap_or_default()))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn journal(row: &Row<'_>, postings: Vec<(String, i64)>) -> rusqlite::Result<JournalRow> {
    Ok(JournalRow {
        number: row.get(0)?,
        movement: row.get(1)?,
        kind: row.get(2)?,
        direction: row.get(3)?,
        document: named(row, 4)?,
        amount: row.get(6)?,
        currency: row.get(7)?,
        postings,
    })
}

fn operation(row: &Row<'_>) -> rusqlite::Result<OperationRow> {
    Ok(OperationRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        transaction: row.get(2)?,
        document: named(row, 3)?,
        journal: row.get(5)?,
        mail: row.get(6)?,
        order: row.get(16)?,
        amount: row.get(7)?,
        attempt: row.get(8)?,
        key: row.get(9)?,
        state: row.get(10)?,
        tries: row.get(11)?,
        refusal: row.get(12)?,
        note: row.get(13)?,
        planned_at: row.get(14)?,
        transient: row.get(15)?,
    })
}

fn mail(row: &Row<'_>) -> rusqlite::Result<MailRow> {
    Ok(MailRow { event: row.get(0)?, subject: row.get(1)?, body: row.get(2)? })
}

fn exception(row: &Row<'_>) -> rusqlite::Result<ExceptionRow> {
    Ok(ExceptionRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        subject: row.get(2)?,
        message: row.get(3)?,
        state: row.get(4)?,
        order: row.get(5)?,
        transaction: row.get(6)?,
        document: named(row, 7)?,
        operation: row.get(9)?,
    })
}

fn line(row: &Row<'_>) -> rusqlite::Result<LineRow> {
    Ok(LineRow {
        provider: row.get(0)?,
        payout: row.get(1)?,
        kind: row.get(2)?,
        transaction: row.get(3)?,
        modification: row.get(4)?,
        gross: row.get(5)?,
        net: row.get(6)?,
    })
}

fn payout(row: &Row<'_>) -> rusqlite::Result<PayoutRow> {
    let clearing: String = row.get(3)?;
    Ok(PayoutRow {
        provider: row.get(0)?,
        reference: row.get(1)?,
        state: row.get(2)?,
        clearing: serde_json::from_str(&clearing).unwrap_or_default(),
    })
}

fn settled(row: &Row<'_>) -> rusqlite::Result<SettledRow> {
    Ok(SettledRow { order: row.get(0)?, sold: row.get(1)?, refunded: row.get(2)? })
}

fn invoice(row: &Row<'_>) -> rusqlite::Result<InvoiceRow> {
    Ok(InvoiceRow {
        number: row.get(0)?,
        order: row.get(1)?,
        customer: row.get(2)?,
        currency: row.get(3)?,
        total: row.get(4)?,
        finalised_at: row.get(5)?,
        lines: list(row, 6)?,
        postings: list(row, 7)?,
        mail: row.get(8)?,
    })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        reference: row.get(0)?,
        initial: row.get(1)?,
        reduction: row.get(2)?,
        assigned: row.get(3)?,
        status: row.get(4)?,
        invoice: row.get(5)?,
        assignments: list(row, 6)?,
    })
}

fn list<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<T>> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// A document's kind and number, from this column and the next.
fn named(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<(String, String)>> {
    let kind: Option<String> = row.get(column)?;
    let number: Option<String> = row.get(column + 1)?;
    Ok(kind.zip(number))
}

impl Ledger {
    /// Every state an operation had, with the operation's number, in the order they came.
    pub fn operation_histories(&self) -> Result<Vec<(i64, String)>> {
        let sql = "SELECT operation_id, state FROM operation_events ORDER BY operation_id, id";
        read(&self.connection, sql, |row| Ok((row.get(0)?, row.get(1)?)))
    }
}
