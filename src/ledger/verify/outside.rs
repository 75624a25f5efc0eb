//! What is held against the other side: payments, documents and delivered journals, a batch per query.

use chrono::{DateTime, Utc};

use crate::domain::document::Document;
use crate::domain::id::{DocumentId, OperationId, PaymentId};
use crate::ledger::row::{Columns, day_text, time_text};
use crate::ledger::{Ledger, Result, documents, operations};
use crate::operation::Operation;

impl Ledger {
    /// Payments the PSP may still change, and those that changed here after `since`; all of them without it.
    pub fn payments_to_compare(
        &self,
        after: PaymentId,
        limit: u32,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<PaymentId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT p.id FROM payments p
             WHERE p.id > ?1 AND (?3 IS NULL OR p.status_since > ?3 OR p.status IN ('open', 'pending', 'authorised')
               OR EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = p.id AND m.learnt_at > ?3))
             ORDER BY p.id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit, since.map(time_text)), |row| row.id("id", PaymentId))?.collect()
    }

    /// Invoices and credit notes posted after `since`, or with something open by the ledger's own figures.
    pub fn documents_to_compare(
        &self,
        after: DocumentId,
        limit: u32,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<Document>> {
        // The journals count with their sign as in `documents`; what is not delivered yet is open for the ERP as well.
        documents::list(
            &self.connection,
            "d.id IN (
               SELECT e.id FROM documents e
               WHERE e.id > ?1 AND e.kind IN ('invoice', 'credit_note') AND (?3 IS NULL OR e.posted_on >= ?3
                 OR e.total_minor - e.paid_elsewhere_minor <> ifnull((
                      SELECT sum(CASE WHEN (b.direction = 'original') = (b.kind NOT IN ('reopening', 'returned_refund')) THEN b.amount_minor ELSE -b.amount_minor END)
                      FROM journals b WHERE b.document_id = e.id), 0))
               ORDER BY e.id LIMIT ?2)",
            (after.0, limit, since.map(|since| day_text(since.date_naive()))),
        )
    }

    /// Deliveries of journals that the ERP confirmed, after `since` or ever.
    pub fn deliveries_to_compare(
        &self,
        after: OperationId,
        limit: u32,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<Operation>> {
        operations::list(
            &self.connection,
            "WHERE id > ?1 AND kind IN ('journal', 'payout_journal') AND state = 'confirmed' AND (?3 IS NULL OR status_since > ?3)
             ORDER BY id LIMIT ?2",
            (after.0, limit, since.map(time_text)),
        )
    }
}
