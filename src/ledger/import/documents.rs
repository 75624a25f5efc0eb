//! Documents from a file. A posted document is fixed; only what was paid elsewhere moves (rules 9 and 25).

use rusqlite::OptionalExtension;

use super::{Mark, Verdict, deleted, fixed};
use crate::domain::document::{Document, DocumentKind};
use crate::domain::id::{CustomerNumber, DocumentId, DocumentNumber, OrderId};
use crate::domain::money::Amount;
use crate::exchange::import::document::{BILL_TO, CURRENCY, NUMBER, ORDER, POSTED_ON, REFERENCES, TOTAL};
use crate::exchange::import::{DocumentRecord, ImportKind, Objection};
use crate::ledger::documents::{document, invoice_numbered};
use crate::ledger::invoices::{is_invoiced, is_ours};
use crate::ledger::orders::order;
use crate::ledger::row::day_text;
use crate::ledger::{Result, Writer};

impl Writer<'_> {
    /// Takes one document; `default_customer` is billed where neither it nor its order names anybody.
    pub fn import_document(
        &self,
        record: &DocumentRecord,
        default_customer: &CustomerNumber,
        mark: Mark,
    ) -> Result<Verdict> {
        self.import_row(|| {
            let mut objections = Vec::new();
            let order = self.document_order(record, &mut objections)?;
            let Some(id) = self.document_by_key(record)? else {
                if let (Some((_, number)), Some(id), DocumentKind::Invoice) = (&record.order, order, record.kind)
                    && is_invoiced(self.connection, id)?
                {
                    let why = "was billed by payjournal: two invoices would take the money twice";
                    objections.push(Objection::to_value(&ORDER, number.as_str(), why));
                }
                if !objections.is_empty() {
                    return Ok(Verdict::Refused(objections));
                }
                let id = self.insert_document(record, order, default_customer)?;
                self.saw(ImportKind::Documents, id.0, mark)?;
                if let Some(order) = order {
                    self.refresh_order_status(order)?;
                }
                return Ok(Verdict::New);
            };
            if is_ours(self.connection, id)? {
                let why = "is an invoice that payjournal made; nothing about it comes from the ERP";
                return Ok(Verdict::Refused(vec![Objection::to_value(&NUMBER, record.number.as_str(), why)]));
            }
            if let Some(verdict) = self.repeated(ImportKind::Documents, id.0, mark, &NUMBER, record.number.as_str())? {
                return Ok(verdict);
            }
            let known = document(self.connection, id)?;
            objections.extend(contradictions(&known, record, order));
            if !objections.is_empty() {
                return Ok(Verdict::Refused(objections));
            }
            self.saw(ImportKind::Documents, id.0, mark)?;
            match record.paid_elsewhere {
                Some(paid) if paid != known.paid_elsewhere => {
                    self.set_paid_elsewhere(id, paid)?;
                    Ok(Verdict::Changed)
                }
                Some(_) | None => Ok(Verdict::Unchanged),
            }
        })
    }

    fn document_order(&self, record: &DocumentRecord, objections: &mut Vec<Objection>) -> Result<Option<OrderId>> {
        let Some((shop, number)) = &record.order else { return Ok(None) };
        let found = self.order_by_key(shop, number)?;
        let currency = record.total.currency();
        match found {
            None => {
                let why = format!("is not known in shop `{shop}`; import orders first");
                objections.push(Objection::to_value(&ORDER, number.as_str(), why));
            }
            Some((_, known)) if known != currency => {
                let why = format!("is not the currency of order `{number}`, {known}");
                objections.push(Objection::to_value(&CURRENCY, currency.code(), why));
            }
            Some((id, _)) if self.is_deleted(id)? => {
                objections.push(Objection::to_value(&ORDER, number.as_str(), deleted(number)));
            }
            Some(_) => {}
        }
        Ok(found.map(|(id, _)| id))
    }

    /// The invoice a credit note belongs to: its customer is the credit note's, unless that names another.
    fn invoice_of(&self, record: &DocumentRecord) -> Result<Option<Document>> {
        match &record.references {
            Some(number) => invoice_numbered(self.connection, number, &record.company),
            None => Ok(None),
        }
    }

    fn document_by_key(&self, record: &DocumentRecord) -> Result<Option<DocumentId>> {
        let id: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM documents WHERE company = ?1 AND kind = ?2 AND number = ?3")?
            .query_row((record.company.as_str(), record.kind.as_str(), record.number.as_str()), |row| row.get(0))
            .optional()?;
        Ok(id.map(DocumentId))
    }

    fn insert_document(
        &self,
        record: &DocumentRecord,
        of: Option<OrderId>,
        default_customer: &CustomerNumber,
    ) -> Result<DocumentId> {
        let bill_to = match (&record.bill_to, of) {
            (Some(bill_to), _) => bill_to.clone(),
            (None, Some(id)) => order(self.connection, id)?.bill_to,
            (None, None) => match self.invoice_of(record)? {
                Some(invoice) => invoice.bill_to,
                None => default_customer.clone(),
            },
        };
        self.connection
            .prepare_cached(
                "INSERT INTO documents (company, kind, number, order_id, bill_to, currency, total_minor, paid_elsewhere_minor,
                                        references_number, posted_on)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute((
                record.company.as_str(),
                record.kind.as_str(),
                record.number.as_str(),
                of.map(|order| order.0),
                bill_to.as_str(),
                record.total.currency().code(),
                record.total.minor(),
                record.paid_elsewhere.map_or(0, Amount::minor),
                record.references.as_ref().map(DocumentNumber::as_str),
                day_text(record.posted_on),
            ))?;
        Ok(DocumentId(self.connection.last_insert_rowid()))
    }

    pub(in crate::ledger) fn set_paid_elsewhere(&self, id: DocumentId, paid: Amount) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE documents SET paid_elsewhere_minor = ?2 WHERE id = ?1")?
            .execute((id.0, paid.minor()))?;
        Ok(())
    }
}

/// Everything in which the row differs from a document that is posted already. An empty cell says nothing.
fn contradictions(known: &Document, record: &DocumentRecord, order: Option<OrderId>) -> Vec<Objection> {
    let mut objections = Vec::new();
    if let (Some((_, number)), Some(_)) = (&record.order, order)
        && order != known.order
    {
        let why = "is not the order the ledger has for this document; it never changes";
        objections.push(Objection::to_value(&ORDER, number.as_str(), why));
    }
    let (was, is) = (known.total.currency(), record.total.currency());
    if was != is {
        objections.push(fixed(&CURRENCY, is.code(), was.code()));
    } else if record.total != known.total {
        objections.push(fixed(&TOTAL, &record.total.decimal(), &known.total.decimal()));
    }
    if let Some(bill_to) = record.bill_to.as_ref().filter(|bill_to| **bill_to != known.bill_to) {
        objections.push(fixed(&BILL_TO, bill_to.as_str(), known.bill_to.as_str()));
    }
    if record.references.is_some() && record.references != known.references {
        let is = record.references.as_ref().map_or("", DocumentNumber::as_str);
        objections.push(fixed(&REFERENCES, is, known.references.as_ref().map_or("", DocumentNumber::as_str)));
    }
    if record.posted_on != known.posted_on {
        objections.push(fixed(&POSTED_ON, &day_text(record.posted_on), &day_text(known.posted_on)));
    }
    objections
}
