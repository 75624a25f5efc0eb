//! Refund requests: a person wants free money of a payment paid back. From then on nothing else takes it; `refunds` sends it.

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{Connection, OptionalExtension};

use super::billing::captures_of;
use super::row::{Columns, day_text, time_text};
use super::{LedgerError, Result, Writer, documents, orders, payments};
use crate::domain::document::DocumentKind;
use crate::domain::id::{CustomerNumber, DocumentId, OperationId, PaymentId};
use crate::domain::invoice::number::NumberRange;
use crate::domain::money::Amount;
use crate::domain::payment::Payment;
use crate::domain::refund_request::{CannotRequest, CannotWithdraw, RefundRequest, Requested};

impl Writer<'_> {
    /// Asks for free money of a payment to be paid back.
    pub fn request_refund(
        &self,
        request: &RefundRequest,
        range: &NumberRange,
        dated: NaiveDate,
    ) -> Result<Result<Requested, CannotRequest>> {
        let payment = payments::payment(self.connection, request.payment)?;
        let transaction = payment.transaction.clone();
        // The bank has given that back. What it left is free once a person has looked.
        if payment.charged_back.is_positive() && payment.is_charged_back {
            return Ok(Err(CannotRequest::ChargedBack { transaction }));
        }
        let free = free(self.connection, &payment, None)?;
        let amount = request.amount.unwrap_or(free);
        if !amount.is_positive() || amount.minor() > free.minor() {
            return Ok(Err(CannotRequest::NotFree { transaction, free }));
        }
        let customer = self.prepaid_customer(&payment)?;
        let drawn = self.draw_number(DocumentKind::RefundRequest, range, dated, &customer)?;
        self.connection
            .prepare_cached(
                "INSERT INTO documents (company, kind, number, order_id, bill_to, currency, total_minor, paid_elsewhere_minor, posted_on)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
            )?
            .execute((
                self.books.company.as_str(),
                DocumentKind::RefundRequest.as_str(),
                drawn.number.as_str(),
                payment.order.map(|order| order.0),
                customer.as_str(),
                amount.currency().code(),
                amount.minor(),
                day_text(dated),
            ))?;
        let document = self.connection.last_insert_rowid();
        self.connection
            .prepare_cached(
                "INSERT INTO refund_requests (document_id, payment_id, reason, asked_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((document, payment.id.0, &request.reason, time_text(self.now)))?;
        self.tell_of_spare_money(payment.id)?;
        Ok(Ok(Requested { number: drawn.number, amount }))
    }

    /// Takes back what was not paid back yet of a request: its money is free again. Returns how much.
    pub fn withdraw_request(&self, request: DocumentId) -> Result<Result<Amount, CannotWithdraw>> {
        let document = documents::document(self.connection, request)?;
        if document.kind != DocumentKind::RefundRequest {
            return Ok(Err(CannotWithdraw::NoRequest));
        }
        let open = document.outstanding()?;
        if !open.is_positive() {
            return Ok(Err(CannotWithdraw::PaidBack));
        }
        let under_way: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT id FROM operations WHERE document_id = ?1 AND kind = 'refund'
                   AND state NOT IN ('confirmed', 'refused', 'withdrawn', 'planned')",
            )?
            .query_row([request.0], |row| row.get(0))
            .optional()?;
        if let Some(operation) = under_way {
            return Ok(Err(CannotWithdraw::UnderWay { operation: OperationId(operation) }));
        }
        self.set_paid_elsewhere(request, document.paid_elsewhere.checked_add(open)?)?;
        self.resolve_of_document(request)?;
        let of = "SELECT payment_id FROM refund_requests WHERE document_id = ?1";
        let payment = self.connection.prepare_cached(of)?.query_row([request.0], |row| row.get(0))?;
        self.redistribute(PaymentId(payment), open.currency())?;
        self.tell_of_unused_money(PaymentId(payment))?;
        Ok(Ok(open))
    }

    /// Whose account has the prepaid money of a payment.
    fn prepaid_customer(&self, payment: &Payment) -> Result<CustomerNumber> {
        let mut statement = self.connection.prepare_cached(
            "SELECT j.bill_to FROM movements m JOIN journals j ON j.movement_id = m.id
             WHERE m.payment_id = ?1 AND j.kind IN ('prepayment', 'return') ORDER BY j.id DESC LIMIT 1",
        )?;
        let mut booked = statement.query_and_then([payment.id.0], |row| row.named("bill_to", CustomerNumber::parse))?;
        match (booked.next(), payment.order) {
            (Some(customer), _) => customer,
            (None, Some(order)) => Ok(orders::order(self.connection, order)?.bill_to),
            (None, None) => Ok(self.books.default_customer.clone()),
        }
    }
}

/// What nothing has of a payment's captures, but for one request.
fn free(connection: &Connection, payment: &Payment, but: Option<DocumentId>) -> Result<Amount> {
    let captures = captures_of(connection, payment.id, None, but)?;
    Ok(Amount::sum(payment.authorised.currency(), captures.iter().map(|capture| capture.untied))?)
}

/// What requests, but for one, still want of a payment, in minor units: nothing else takes it.
pub(super) fn wanted(connection: &Connection, payment: PaymentId, but: Option<DocumentId>) -> Result<i64> {
    let mut statement = connection
        .prepare_cached("SELECT document_id FROM refund_requests WHERE payment_id = ?1 AND document_id <> ?2")?;
    let ids = statement
        .query_and_then((payment.0, but.map_or(0, |id| id.0)), |row| row.id("document_id", DocumentId))?
        .collect::<Result<Vec<_>>>()?;
    let mut sum: i64 = 0;
    for id in ids {
        let open = documents::document(connection, id)?.outstanding()?.or_zero();
        sum = sum
            .checked_add(open.minor())
            .ok_or_else(|| LedgerError::damaged(format!("the refund requests of payment {payment} are too large")))?;
    }
    Ok(sum)
}

/// The payment of a request, and when it was asked for.
pub(super) fn of_document(connection: &Connection, document: DocumentId) -> Result<(PaymentId, DateTime<Utc>)> {
    let mut statement =
        connection.prepare_cached("SELECT payment_id, asked_at FROM refund_requests WHERE document_id = ?1")?;
    let mut found =
        statement.query_and_then([document.0], |row| Ok((row.id("payment_id", PaymentId)?, row.time("asked_at")?)))?;
    found.next().unwrap_or_else(|| Err(LedgerError::damaged(format!("refund request {document} without its payment"))))
}
