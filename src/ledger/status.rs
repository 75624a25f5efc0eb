//! What `status` and `show` ask: what is pending, what it is about, and what belongs together.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Params};

use super::row::Columns;
use super::{Ledger, LedgerError, OpenException, Result, documents, operations};
use crate::domain::document::{Document, DocumentKind};
use crate::domain::exception::About;
use crate::domain::id::{DocumentId, ExceptionId, OperationId, PaymentId, TransactionId};
use crate::domain::money::Amount;
use crate::operation::{Kind, Operation};

/// An operation that is neither done nor refused, with what people call the things it is about.
#[derive(Debug, Clone)]
pub struct PendingOperation {
    pub operation: Operation,
    pub names: OperationNames,
    /// The last thing that was said about it.
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperationNames {
    /// `invoice 103210`
    pub document: Option<String>,
    /// `shop/number`
    pub order: Option<String>,
    pub transaction: Option<TransactionId>,
    /// The number of the journal to be delivered.
    pub journal: Option<String>,
    /// The subject of the mail.
    pub mail: Option<String>,
    /// What the portal is told.
    pub event: Option<String>,
    /// The entry that is collected, by its reference, or its invoice's number.
    pub entry: Option<String>,
}

/// All pending operations of one kind in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingTotal {
    pub kind: Kind,
    pub count: u64,
    /// `None` for mails and portal events.
    pub amount: Option<Amount>,
}

/// What has a number that a person may mistype.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Order,
    Payment,
    Document,
    Entry,
}

const PENDING: &str = "state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn')";

impl Ledger {
    /// By kind, those that wait longest first; at most `limit` of them.
    pub fn pending_operations(&self, limit: Option<u32>) -> Result<Vec<PendingOperation>> {
        // What a portal refuses is told to it again.
        let tail = format!(
            "WHERE id IN (SELECT id FROM operations WHERE {PENDING}
                          UNION ALL SELECT o.id FROM portal_events e
                            JOIN operations o ON o.id = (SELECT max(id) FROM operations WHERE event_id = e.id)
                            WHERE e.is_taken = 0 AND o.state = 'refused')
             ORDER BY kind, status_since, id LIMIT ?1"
        );
        // SQLite reads a negative limit as none.
        let limit = limit.map_or(-1, i64::from);
        let found = operations::list(&self.connection, &tail, [limit])?;
        found
            .into_iter()
            .map(|operation| {
                let names = self.operation_names(operation.id)?;
                let note = self.operation_note(operation.id)?;
                Ok(PendingOperation { operation, names, note })
            })
            .collect()
    }

    /// A journal that is booked and was never sent is pending too, before it has an operation, and so is a portal event; a payout's
    /// journal only where `payouts_are_posted`.
    pub fn pending_totals(&self, payouts_are_posted: bool) -> Result<Vec<PendingTotal>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT kind, currency, count(*) AS number, sum(amount_minor) AS amount_minor FROM (
               SELECT kind, currency, amount_minor FROM operations WHERE {PENDING} AND kind <> 'event'
               UNION ALL SELECT 'event', NULL, NULL FROM portal_events WHERE is_taken = 0
               UNION ALL
               SELECT 'journal', currency, amount_minor FROM journals
                 WHERE NOT EXISTS (SELECT 1 FROM operations o WHERE o.journal_id = journals.id)
               UNION ALL
               SELECT 'payout_journal', currency, amount_minor FROM payout_journals
                 WHERE ?1 AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.payout_journal_id = payout_journals.id))
             GROUP BY kind, currency ORDER BY kind, currency"
        ))?;
        statement
            .query_and_then([payouts_are_posted], |row| {
                let minor: Option<i64> = row.plain("amount_minor")?;
                Ok(PendingTotal {
                    kind: row.choice("kind", Kind::parse)?,
                    count: u64::from(row.count("number")?),
                    amount: minor.map(|_| row.amount("amount_minor")).transpose()?,
                })
            })?
            .collect()
    }

    pub fn operation_names(&self, id: OperationId) -> Result<OperationNames> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT d.kind AS document_kind, d.number AS document_number, p.transaction_id, ifnull(j.number, y.number) AS journal_number,
                        m.subject AS mail_subject, e.kind || ' of ' || e.object AS event_name,
                        coalesce(n.reference, (SELECT i.number FROM documents i WHERE i.id = n.document_id), CAST(n.id AS TEXT)) AS entry_name,
                        (SELECT r.shop || '/' || r.number FROM orders r WHERE r.id = coalesce(o.order_id, d.order_id, p.order_id, n.order_id)) AS order_name
                 FROM operations o
                 LEFT JOIN payments p ON p.id = ifnull(o.payment_id, (SELECT c.payment_id FROM collected_payments c WHERE c.operation_id = o.id))
                 LEFT JOIN entries n ON n.id = o.entry_id
                 LEFT JOIN documents d ON d.id = o.document_id
                 LEFT JOIN journals j ON j.id = o.journal_id
                 LEFT JOIN payout_journals y ON y.id = o.payout_journal_id
                 LEFT JOIN mails m ON m.id = o.mail_id
                 LEFT JOIN portal_events e ON e.id = o.event_id
                 WHERE o.id = ?1",
            )?
            .query_row([id.0], |row| Ok(names(row)))
            .optional()?;
        found.unwrap_or_else(|| Err(LedgerError::NotFound { what: format!("operation {id}") }))
    }

    /// Payments whose money paid the document, is to pay it, or was meant to.
    pub fn payments_of_document(&self, document: &Document) -> Result<Vec<PaymentId>> {
        self.ids(
            "SELECT o.payment_id AS id FROM operations o WHERE o.document_id = ?1 AND o.payment_id IS NOT NULL
             UNION SELECT m.payment_id FROM journals j JOIN movements m ON m.id = j.movement_id WHERE j.document_id = ?1
             UNION SELECT p.id FROM payments p WHERE p.pays <> '' AND instr(';' || p.pays || ';', ';' || ?2 || ';') > 0
             ORDER BY 1",
            (document.id.0, document.number.as_str()),
            PaymentId,
        )
    }

    /// Documents a payment paid, is to pay, or was meant to.
    pub fn documents_of_payment(&self, payment: PaymentId) -> Result<Vec<Document>> {
        let ids = self.ids(
            "SELECT o.document_id AS id FROM operations o WHERE o.payment_id = ?1 AND o.document_id IS NOT NULL
             UNION SELECT j.document_id FROM journals j JOIN movements m ON m.id = j.movement_id
                   WHERE m.payment_id = ?1 AND j.document_id IS NOT NULL
             UNION SELECT d.id FROM payments p JOIN documents d
                   ON d.kind = 'invoice' AND instr(';' || p.pays || ';', ';' || d.number || ';') > 0
                   WHERE p.id = ?1 AND p.pays <> ''
             ORDER BY 1",
            [payment.0],
            DocumentId,
        )?;
        ids.into_iter().map(|id| documents::document(&self.connection, id)).collect()
    }

    /// Open exceptions about any of these rows, each once, oldest first.
    pub fn exceptions_about(&self, subjects: &[About]) -> Result<Vec<OpenException>> {
        let mut wanted = BTreeSet::new();
        for about in subjects {
            wanted.extend(self.ids(
                "SELECT id FROM exceptions WHERE state <> 'resolved'
                   AND (order_id = ?1 OR payment_id = ?2 OR document_id = ?3 OR operation_id = ?4 OR entry_id = ?5)",
                (
                    about.order.map(|id| id.0),
                    about.payment.map(|id| id.0),
                    about.document.map(|id| id.0),
                    about.operation.map(|id| id.0),
                    about.entry.map(|id| id.0),
                ),
                ExceptionId,
            )?);
        }
        let mut open = self.open_exceptions()?;
        open.retain(|exception| wanted.contains(&exception.id));
        Ok(open)
    }

    /// The newest numbers, to find the one that was meant.
    pub fn newest_names(&self, of: Named, limit: u32) -> Result<Vec<String>> {
        let sql = match of {
            Named::Order => "SELECT number FROM orders ORDER BY id DESC LIMIT ?1",
            Named::Payment => "SELECT transaction_id FROM payments ORDER BY id DESC LIMIT ?1",
            Named::Document => "SELECT number FROM documents ORDER BY id DESC LIMIT ?1",
            Named::Entry => "SELECT reference FROM entries WHERE reference IS NOT NULL ORDER BY id DESC LIMIT ?1",
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let names = statement.query_map([limit], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(names)
    }

    fn ids<T>(&self, sql: &str, parameters: impl Params, make: fn(i64) -> T) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_and_then(parameters, |row| row.id("id", make))?.collect()
    }
}

fn names(row: &rusqlite::Row<'_>) -> Result<OperationNames> {
    let kind: Option<String> = row.plain("document_kind")?;
    let number: Option<String> = row.plain("document_number")?;
    let transaction: Option<String> = row.plain("transaction_id")?;
    Ok(OperationNames {
        document: kind
            .as_deref()
            .and_then(DocumentKind::parse)
            .zip(number)
            .map(|(kind, number)| format!("{} {number}", kind.noun())),
        order: row.plain("order_name")?,
        transaction: transaction.as_deref().map(TransactionId::parse).transpose()?,
        journal: row.plain("journal_number")?,
        mail: row.plain("mail_subject")?,
        event: row.plain("event_name")?,
        entry: row.plain("entry_name")?,
    })
}
