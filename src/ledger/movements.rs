//! Movements: facts about money, recorded once however often they are learnt, and booked in the same transaction.

use rusqlite::{Connection, OptionalExtension, Row};

use super::row::{Columns, InOrder, Layout, time_text};
use super::{Ledger, LedgerError, Result, Writer, documents, journals, orders, payments};
use crate::domain::booking::{JournalKind, Share, spread};
use crate::domain::consequence::{LearntFrom, MovementDraft};
use crate::domain::document::{Document, DocumentKind};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{CustomerNumber, DocumentId, ModificationId, MovementId, OperationId, PaymentId};
use crate::domain::money::{Amount, Currency};
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::payment::{Payment, TransactionStatus};
use crate::operation::Key;

/// `untied` is what no document is tied to; a movement that failed after all ties nothing.
const SELECT: &str = "
    SELECT m.*,
      CASE WHEN m.kind NOT IN ('capture', 'refund') OR EXISTS (SELECT 1 FROM movements f WHERE f.kind = m.kind || '_failure'
                AND f.provider = m.provider AND f.merchant_account = m.merchant_account AND f.modification_id = m.modification_id)
        THEN 0
        ELSE m.amount_minor
          - ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('return', 'returned_refund')) THEN j.amount_minor ELSE -j.amount_minor END), 0)
      END AS untied_minor,
      group_concat(j.document_id) AS tied_to
    FROM movements m LEFT JOIN journals j ON j.movement_id = m.id AND j.document_id IS NOT NULL ";

impl Ledger {
    pub fn movements_of_payment(&self, payment: PaymentId) -> Result<Vec<Movement>> {
        of_payment(&self.connection, payment)
    }
}

impl Writer<'_> {
    /// Records a fact and books it. `false` if it was known. Facts are recorded whatever they do to a sum (rule 2); a known
    /// fact that now has another amount stays as it was and raises an exception.
    pub fn record_movement(&self, draft: &MovementDraft) -> Result<bool> {
        let payment = payments::payment(self.connection, draft.payment)?;
        let draft = &self.without_cancelled(draft)?;
        if let Some(known) = known(self.connection, &payment, draft)? {
            if known.amount != draft.amount {
                self.raise(&differs(&payment, &known, draft), None)?;
            }
            return Ok(false);
        }
        // Another run made the operation while the PSP was asked: its answer, or the next question, books this as what it is.
        if draft.key.as_ref().map_or(Ok(false), |key| self.is_key_of_ours(key))? {
            return Ok(false);
        }
        let id = self.insert_movement(&payment, draft)?;
        match draft.kind {
            MovementKind::Capture | MovementKind::Refund => self.book(id, &payment, draft)?,
            MovementKind::CaptureFailure => self.reverse(&payment, draft, MovementKind::Capture)?,
            MovementKind::RefundFailure => self.reverse(&payment, draft, MovementKind::Refund)?,
            MovementKind::Chargeback | MovementKind::ChargebackReversed => self.book_dispute(id, &payment, draft)?,
        }
        self.assign_movement(id, draft)?;
        // A settlement line may have been taken for what failed.
        if matches!(draft.kind, MovementKind::CaptureFailure | MovementKind::RefundFailure) {
            self.learn_of_payment(payment.id)?;
        }
        self.end_authorisation(payment.id)?;
        if let Some(order) = payment.order {
            self.refresh_order_status(order)?;
        }
        self.tell_money_of(payment.id)?;
        Ok(true)
    }

    /// Another run may have learnt of the same money, from where it has another name, since the payment was read.
    pub(super) fn assert_unmoved(&self, payment: PaymentId, since: Option<MovementId>) -> Result<()> {
        let last: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(id) FROM movements WHERE payment_id = ?1")?
            .query_row([payment.0], |row| row.get(0))?;
        if last == since.map(|id| id.0) {
            return Ok(());
        }
        Err(LedgerError::Invariant(format!("another run has recorded a movement of payment {payment} meanwhile")))
    }

    /// Whether an operation is confirmed by a settlement line, which may have a name of its own for it.
    pub fn is_told_by_report(&self, operation: OperationId) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM operations o JOIN movements m ON m.payment_id = o.payment_id AND m.operation_id = o.id
                                WHERE o.id = ?1 AND m.learnt_from = 'settlement')",
            )?
            .query_row([operation.0], |row| row.get(0))?)
    }

    fn is_key_of_ours(&self, key: &Key) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM operations WHERE key = ?1)")?
            .query_row([key.as_str()], |row| row.get(0))?)
    }

    /// A payment whose confirmed captures reach its authorisation has nothing reserved any more. Intents do not count: a
    /// capture that is planned still needs the authorisation.
    fn end_authorisation(&self, id: PaymentId) -> Result<()> {
        let payment = payments::payment(self.connection, id)?;
        let all = payment.authorised.is_positive() && payment.captured.minor() >= payment.authorised.minor();
        if payment.status == TransactionStatus::Authorised && all {
            self.connection
                .prepare_cached("UPDATE payments SET status = 'captured', status_since = ?2 WHERE id = ?1")?
                .execute((id.0, time_text(self.now)))?;
        }
        Ok(())
    }

    fn insert_movement(&self, payment: &Payment, draft: &MovementDraft) -> Result<MovementId> {
        self.connection
            .prepare_cached(
                "INSERT INTO movements (payment_id, kind, provider, merchant_account, modification_id, amount_minor, currency,
                                        occurred_at, operation_id, learnt_from, learnt_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute((
                draft.payment.0,
                draft.kind.as_str(),
                payment.provider.as_str(),
                payment.merchant_account.as_str(),
                draft.modification.as_str(),
                draft.amount.minor(),
                draft.amount.currency().code(),
                time_text(draft.occurred_at),
                draft.operation.map(|id| id.0),
                draft.learnt_from.as_str(),
                time_text(self.now),
            ))?;
        Ok(MovementId(self.connection.last_insert_rowid()))
    }

    /// Writes the journals of a fresh capture or refund: one per document it pays, the rest without a document.
    fn book(&self, movement: MovementId, payment: &Payment, draft: &MovementDraft) -> Result<()> {
        let named = self.documents_paid(payment, draft)?;
        let was_counted = draft.operation.map_or(Ok(false), |operation| self.always_counted(operation))?;
        let refunded = self.refunded_before(payment, draft, &named)?;
        let draft = &MovementDraft { amount: draft.amount.checked_sub(refunded)?, ..draft.clone() };
        let invoices = if draft.document.is_some() && !was_counted && draft.kind == MovementKind::Refund {
            self.invoices_paid_by(payment)?
        } else {
            Vec::new()
        };
        let mut shares = match draft.document {
            Some(_) if was_counted => vec![Share { document: named.first(), amount: draft.amount }],
            Some(_) => self.fact_about(payment, draft, &named, &invoices)?,
            None if draft.kind == MovementKind::Capture => spread(draft.amount, &named.iter().collect::<Vec<_>>())?,
            None => take_back(draft.amount, &named, &self.paid_by(payment, &named)?)?,
        };
        if let Some(rest) = shares.iter_mut().find(|share| share.document.is_none()) {
            rest.amount = rest.amount.checked_add(refunded)?;
        } else {
            shares.push(Share { document: None, amount: refunded });
        }
        for share in shares.into_iter().filter(|share| !share.amount.is_zero()) {
            let customer = self.customer(payment, share.document)?;
            let mut journal = self.books.journal(draft.kind, payment, share, &customer, draft.occurred_at)?;
            if journal.kind == JournalKind::UnappliedRefund
                && let Some(prepayments) = self.prepayments_of_payment(payment)?
            {
                let [debit, _] = &mut journal.postings;
                debit.account = prepayments;
            }
            self.insert_journal(movement, payment, draft.kind, &draft.modification, &journal)?;
        }
        Ok(())
    }

    /// What somebody paid back of a payment before this capture of it was heard of. It never reached the invoice (rule 17): so much of the
    /// capture is the prepayment that the refund has taken already. A shipment's money is a prepayment anyway.
    fn refunded_before(&self, payment: &Payment, draft: &MovementDraft, named: &[Document]) -> Result<Amount> {
        let none = Amount::zero(draft.amount.currency());
        let is_invoice = |document: &Document| document.kind == DocumentKind::Invoice;
        if draft.kind != MovementKind::Capture || named.is_empty() || !named.iter().all(is_invoice) {
            return Ok(none);
        }
        let before = untied(self.connection, payment.id, draft.amount.currency())?.checked_sub(draft.amount)?;
        Ok(none.checked_sub(before)?.or_zero().at_most(draft.amount)?)
    }

    /// What a document was paid with stays; the customer owes it once more. All of a payment's disputes are one customer's, also
    /// where its order came into the ledger between them.
    fn book_dispute(&self, movement: MovementId, payment: &Payment, draft: &MovementDraft) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT j.bill_to FROM movements m JOIN journals j ON j.movement_id = m.id
             WHERE m.payment_id = ?1 AND m.kind IN ('chargeback', 'chargeback_reversed') ORDER BY j.id LIMIT 1",
        )?;
        let mut booked = statement.query_and_then([payment.id.0], |row| row.named("bill_to", CustomerNumber::parse))?;
        let customer = match booked.next() {
            Some(customer) => customer?,
            None => self.customer(payment, None)?,
        };
        let share = Share { document: None, amount: draft.amount };
        let journal = self.books.journal(draft.kind, payment, share, &customer, draft.occurred_at)?;
        self.insert_journal(movement, payment, draft.kind, &draft.modification, &journal)?;
        Ok(())
    }

    /// Whether the sums knew of an operation all along: one that was refused or withdrawn and done after all made room for
    /// other money meanwhile.
    fn always_counted(&self, operation: OperationId) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT NOT EXISTS (SELECT 1 FROM operation_events WHERE operation_id = ?1 AND state IN ('refused', 'withdrawn'))",
            )?
            .query_row([operation.0], |row| row.get(0))?)
    }

    /// A fact without an operation that counts was in no sum when the document was paid: it takes what the document lacks,
    /// and the rest is like any money nobody here asked for.
    fn fact_about<'a>(
        &self,
        payment: &Payment,
        draft: &MovementDraft,
        named: &'a [Document],
        invoices: &'a [Document],
    ) -> Result<Vec<Share<'a>>> {
        // A shipment's money is a prepayment, all of it, and so is what a request wants back.
        let is_prepaid =
            |document: &Document| matches!(document.kind, DocumentKind::Shipment | DocumentKind::RefundRequest);
        if named.iter().any(is_prepaid) {
            return Ok(vec![Share { document: named.first(), amount: draft.amount }]);
        }
        // What is on its way for it by this very payment is this, seen by another run before its answer came.
        let mut lacking = named.to_vec();
        for document in &mut lacking {
            let this = self.under_way(payment, document, draft)?;
            document.in_flight = document.in_flight.checked_sub(this)?;
        }
        let mut shares: Vec<Share<'_>> = spread(draft.amount, &lacking.iter().collect::<Vec<_>>())?
            .into_iter()
            .map(|share| Share { document: share.document.and(named.first()), amount: share.amount })
            .collect();
        if draft.kind == MovementKind::Refund
            && let Some(rest) = shares.pop_if(|share| share.document.is_none())
        {
            shares.extend(take_back(rest.amount, invoices, &self.paid_by(payment, invoices)?)?);
        }
        Ok(shares)
    }

    /// The capture or refund of a payment for a document that has no final answer and may be this movement: not where an
    /// earlier attempt was refused, which may have been carried out after all.
    fn under_way(&self, payment: &Payment, document: &Document, draft: &MovementDraft) -> Result<Amount> {
        let minor = self
            .connection
            .prepare_cached(
                "SELECT ifnull(sum(amount_minor), 0) FROM operations o WHERE payment_id = ?1 AND document_id = ?2 AND kind = ?3
                   AND state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn')
                   AND (modification_id IS NULL OR modification_id = ?4)
                   AND NOT EXISTS (SELECT 1 FROM operations r WHERE r.payment_id = o.payment_id AND r.document_id = o.document_id
                                     AND r.kind = o.kind AND r.state IN ('refused', 'withdrawn'))",
            )?
            .query_row((payment.id.0, document.id.0, draft.kind.as_str(), draft.modification.as_str()), |row| row.get(0))?;
        Ok(Amount::from_minor(minor, document.total.currency()))
    }

    fn documents_paid(&self, payment: &Payment, draft: &MovementDraft) -> Result<Vec<Document>> {
        if let Some(document) = draft.document {
            return Ok(vec![documents::document(self.connection, document)?]);
        }
        let mut named = Vec::new();
        if draft.kind == MovementKind::Refund {
            return self.invoices_paid_by(payment);
        }
        for number in &payment.pays {
            named.extend(documents::invoice_numbered(self.connection, number, &self.books.company)?);
        }
        named.retain(|document| document.total.currency() == draft.amount.currency());
        Ok(named)
    }

    /// Who is booked: the document's bill-to customer, else the order's or that of the entries it names, else the configured one
    /// (trap T20).
    fn customer(&self, payment: &Payment, document: Option<&Document>) -> Result<CustomerNumber> {
        match (document, payment.order) {
            (Some(document), _) => Ok(document.bill_to.clone()),
            (None, Some(order)) => Ok(orders::order(self.connection, order)?.bill_to),
            (None, None) => {
                let entry = self.entry_customer(payment.id)?;
                Ok(entry.unwrap_or_else(|| self.books.default_customer.clone()))
            }
        }
    }

    /// A movement that failed after all: the opposite of each of its journals, as new journals.
    fn reverse(&self, payment: &Payment, draft: &MovementDraft, failed: MovementKind) -> Result<()> {
        let original = MovementDraft { kind: failed, ..draft.clone() };
        let Some(original) = known(self.connection, payment, &original)? else {
            return Ok(());
        };
        if original.amount != draft.amount {
            // Half a reversal would be a guess: the sums know of it, the books wait for a person.
            self.raise(&differs(payment, &original, draft), None)?;
            return Ok(());
        }
        let on = self.books.posting_date(draft.occurred_at);
        for journal in journals::drafts_of_movement(self.connection, original.id)? {
            self.insert_journal(original.id, payment, failed, &draft.modification, &journal.opposite(on))?;
            if let Some(document) = journal.document {
                self.clear_again(document)?;
                self.clear_notes_of(document)?;
            }
        }
        Ok(())
    }

    /// The invoices a payment has paid, the newest first: an outside refund takes the newest back first.
    fn invoices_paid_by(&self, payment: &Payment) -> Result<Vec<Document>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT j.document_id AS id, max(j.id) AS newest FROM journals j
             JOIN movements m ON m.id = j.movement_id JOIN documents d ON d.id = j.document_id
             WHERE m.payment_id = ?1 AND m.kind = 'capture' AND d.kind = 'invoice'
               AND NOT EXISTS (SELECT 1 FROM corrections c WHERE c.invoice_id = d.id AND c.cancels = 1)
             GROUP BY j.document_id ORDER BY newest DESC",
        )?;
        let ids = statement.query_and_then([payment.id.0], |row| row.id("id", DocumentId))?;
        ids.map(|id| documents::document(self.connection, id?)).collect()
    }

    /// What of each invoice the payment has paid, net of what was taken back.
    pub(super) fn paid_by(&self, payment: &Payment, invoices: &[Document]) -> Result<Vec<Amount>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund')) THEN j.amount_minor
                                    ELSE -j.amount_minor END), 0)
             FROM journals j JOIN movements m ON m.id = j.movement_id WHERE m.payment_id = ?1 AND j.document_id = ?2",
        )?;
        invoices
            .iter()
            .map(|invoice| {
                let minor = statement.query_row((payment.id.0, invoice.id.0), |row| row.get(0))?;
                Ok(Amount::from_minor(minor, invoice.total.currency()))
            })
            .collect()
    }
}

/// Splits an outside refund over the invoices whose money it takes back (rule 17); what no invoice was paid with is left.
fn take_back<'a>(amount: Amount, invoices: &'a [Document], paid: &[Amount]) -> Result<Vec<Share<'a>>> {
    let mut left = amount;
    let mut shares = Vec::new();
    for (invoice, paid) in invoices.iter().zip(paid) {
        let part = left.at_most(*paid)?;
        if part.is_positive() {
            shares.push(Share { document: Some(invoice), amount: part });
            left = left.checked_sub(part)?;
        }
    }
    if left.is_positive() {
        shares.push(Share { document: None, amount: left });
    }
    Ok(shares)
}

pub(super) fn of_payment(connection: &Connection, payment: PaymentId) -> Result<Vec<Movement>> {
    let mut statement = connection.prepare_cached(&[SELECT, "WHERE m.payment_id = ?1 GROUP BY m.id"].concat())?;
    let mut movements: Vec<Movement> = statement.query_and_then([payment.0], from_row)?.collect::<Result<_>>()?;
    movements.sort_by_key(|movement| (movement.occurred_at, movement.id));
    Ok(movements)
}

/// Prepaid money of a payment that belongs to no document and was not paid back.
pub(super) fn untied(connection: &Connection, payment: PaymentId, currency: Currency) -> Result<Amount> {
    let all = of_payment(connection, payment)?;
    let sum = |kind| {
        let of_kind = all.iter().filter(move |movement: &&Movement| movement.kind == kind);
        Amount::sum(currency, of_kind.map(|movement| movement.untied))
    };
    Ok(sum(MovementKind::Capture)?.checked_sub(sum(MovementKind::Refund)?)?)
}

pub(super) fn movement(connection: &Connection, id: MovementId) -> Result<Movement> {
    connection
        .prepare_cached(&[SELECT, "WHERE m.id = ?1 GROUP BY m.id"].concat())?
        .query_row([id.0], |row| Ok(from_row(row)))
        .optional()?
        .ok_or_else(|| LedgerError::NotFound { what: format!("movement {id}") })?
}

fn known(connection: &Connection, payment: &Payment, draft: &MovementDraft) -> Result<Option<Movement>> {
    connection
        .prepare_cached(&format!(
            "{SELECT} WHERE m.provider = ?1 AND m.merchant_account = ?2 AND m.kind = ?3 AND m.modification_id = ?4
             GROUP BY m.id"
        ))?
        .query_row(
            (
                payment.provider.as_str(),
                payment.merchant_account.as_str(),
                draft.kind.as_str(),
                draft.modification.as_str(),
            ),
            |row| Ok(from_row(row)),
        )
        .optional()?
        .transpose()
}

fn differs(payment: &Payment, known: &Movement, draft: &MovementDraft) -> ExceptionDraft {
    ExceptionDraft {
        kind: ExceptionKind::AmountDiffers,
        subject: format!("{} {} of payment {}", known.kind.as_str(), known.modification, payment.transaction),
        message: format!(
            "recorded with {}, and {} was asked for or is reported now; the record stays. Ask the PSP which is right",
            known.amount, draft.amount
        ),
        about: About {
            order: payment.order,
            payment: Some(payment.id),
            document: draft.document,
            // Not of the operation: that it is confirmed explains nothing.
            operation: None,
            entry: None,
        },
    }
}

static LAYOUT: Layout = Layout::new(&[
    "id",
    "payment_id",
    "kind",
    "provider",
    "merchant_account",
    "modification_id",
    "amount_minor",
    "currency",
    "occurred_at",
    "operation_id",
    "learnt_from",
    "learnt_at",
    "untied_minor",
    "tied_to",
]);

fn from_row(row: &Row<'_>) -> Result<Movement> {
    let row = InOrder::of(row, &LAYOUT)?;
    Ok(Movement {
        id: row.id("id", MovementId)?,
        payment: row.id("payment_id", PaymentId)?,
        kind: row.choice("kind", MovementKind::parse)?,
        modification: row.named("modification_id", ModificationId::parse)?,
        amount: row.amount("amount_minor")?,
        occurred_at: row.time("occurred_at")?,
        operation: row.optional_id("operation_id", OperationId)?,
        learnt_from: row.choice("learnt_from", LearntFrom::parse)?,
        learnt_at: row.time("learnt_at")?,
        untied: row.amount("untied_minor")?,
        tied_to: row
            .optional_text("tied_to")?
            .unwrap_or_default()
            .split(',')
            .filter_map(|id| id.parse().ok())
            .map(DocumentId)
            .collect(),
    })
}
