//! Payment journals: double entry, append-only, hung on movements.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use super::row::{Columns, InOrder, Layout, day_text, time_text};
use super::{Ledger, LedgerError, Result, Writer, documents};
use crate::domain::booking::{Direction, JournalDraft, JournalKind, Posting};
use crate::domain::document::DocumentKind;
use crate::domain::id::{
    Account, CustomerNumber, DocumentId, DocumentNumber, JournalId, ModificationId, MovementId, PaymentId,
    TransactionId,
};
use crate::domain::money::Amount;
use crate::domain::movement::MovementKind;
use crate::domain::payment::Payment;
use crate::operation::key::{JournalKey, journal_number};

/// A journal as written, with what a reader wants to know about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BookedJournal {
    pub id: JournalId,
    pub number: String,
    pub kind: JournalKind,
    pub direction: Direction,
    pub posting_date: NaiveDate,
    pub bill_to: CustomerNumber,
    pub amount: Amount,
    pub payment: PaymentId,
    pub document: Option<DocumentId>,
    pub document_kind: Option<DocumentKind>,
    pub document_number: Option<DocumentNumber>,
    pub order: Option<String>,
    pub transaction: TransactionId,
    pub modification: ModificationId,
    /// The ERP has confirmed it.
    pub delivered: bool,
    pub postings: Vec<BookedPosting>,
}

/// Debit positive, credit negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BookedPosting {
    pub account: Account,
    pub amount: Amount,
}

const SELECT: &str = "
    SELECT j.*, m.payment_id, m.modification_id, p.transaction_id, d.kind AS document_kind, d.number AS document_number,
      (SELECT o.shop || '/' || o.number FROM orders o WHERE o.id = ifnull(d.order_id, p.order_id)) AS order_name,
      EXISTS (SELECT 1 FROM operations op WHERE op.journal_id = j.id AND op.state = 'confirmed') AS delivered
    FROM journals j
    JOIN movements m ON m.id = j.movement_id
    JOIN payments p ON p.id = m.payment_id
    LEFT JOIN documents d ON d.id = j.document_id ";

impl Ledger {
    /// In the order of posting date and number, which is the same on every machine.
    pub fn journals(&self, from: Option<NaiveDate>, until: Option<NaiveDate>) -> Result<Vec<BookedJournal>> {
        let tail = "WHERE (?1 IS NULL OR j.posting_date >= ?1) AND (?2 IS NULL OR j.posting_date < ?2)
                    ORDER BY j.posting_date, j.number";
        list(&self.connection, tail, (from.map(day_text), until.map(day_text)))
    }

    pub fn journals_of_payment(&self, payment: PaymentId) -> Result<Vec<BookedJournal>> {
        list(&self.connection, "WHERE m.payment_id = ?1 ORDER BY j.id", [payment.0])
    }

    pub fn journals_of_document(&self, document: DocumentId) -> Result<Vec<BookedJournal>> {
        list(&self.connection, "WHERE j.document_id = ?1 ORDER BY j.id", [document.0])
    }

    /// The sum of every account in every currency, debit positive: of the journals of movements, payouts and invoices.
    pub fn balances(&self) -> Result<Vec<BookedPosting>> {
        let mut sums: BTreeMap<(String, String), BookedPosting> = BTreeMap::new();
        let mut statement = self.connection.prepare_cached(
            "SELECT account, currency, sum(amount_minor) AS amount_minor FROM (
               SELECT p.account, j.currency, p.amount_minor FROM postings p JOIN journals j ON j.id = p.journal_id
               UNION ALL
               SELECT p.account, j.currency, p.amount_minor FROM payout_postings p JOIN payout_journals j ON j.id = p.journal_id
               UNION ALL
               SELECT p.account, j.currency, p.amount_minor FROM invoice_postings p JOIN invoice_journals j ON j.id = p.journal_id)
             GROUP BY account, currency",
        )?;
        let rows = statement.query_and_then([], |row| {
            Ok::<_, LedgerError>(BookedPosting {
                account: row.named("account", Account::parse)?,
                amount: row.amount("amount_minor")?,
            })
        })?;
        for row in rows {
            let row = row?;
            sums.insert((row.account.as_str().to_owned(), row.amount.currency().code().to_owned()), row);
        }
        Ok(sums.into_values().collect())
    }
}

impl Writer<'_> {
    /// Writes one journal with its postings. Its number is the hash of its natural key (rule 3).
    pub(super) fn insert_journal(
        &self,
        movement: MovementId,
        payment: &Payment,
        kind: MovementKind,
        modification: &ModificationId,
        journal: &JournalDraft,
    ) -> Result<JournalId> {
        if !journal.is_balanced() {
            return Err(LedgerError::Invariant(format!("a journal over {} does not sum to zero", journal.amount)));
        }
        let document = match journal.document {
            Some(id) => documents::named(self.connection, id)?.natural_key(),
            None => "PREPAYMENT".to_owned(),
        };
        let number = journal_number(JournalKey {
            mode: self.books.mode,
            provider: payment.provider.as_str(),
            merchant_account: payment.merchant_account.as_str(),
            movement_kind: kind.as_str(),
            modification: modification.as_str(),
            document: &document,
            direction: journal.direction.as_str(),
        });
        self.connection
            .prepare_cached(
                "INSERT INTO journals (movement_id, kind, direction, document_id, number, bill_to, posting_date, amount_minor,
                                       currency, booked_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute((
                movement.0,
                journal.kind.as_str(),
                journal.direction.as_str(),
                journal.document.map(|id| id.0),
                number,
                journal.bill_to.as_str(),
                day_text(journal.posting_date),
                journal.amount.minor(),
                journal.amount.currency().code(),
                time_text(self.now),
            ))?;
        let id = JournalId(self.connection.last_insert_rowid());
        for (line, posting) in (1_i64..).zip(&journal.postings) {
            self.connection
                .prepare_cached(
                    "INSERT INTO postings (journal_id, line, account, amount_minor) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((id.0, line, posting.account.as_str(), posting.amount.minor()))?;
        }
        if let Some(document) = journal.document {
            let is_original = journal.direction == Direction::Original;
            let takes_back = matches!(journal.kind, JournalKind::Reopening | JournalKind::ReturnedRefund);
            self.assign_tie(movement, document, is_original != takes_back)?;
        }
        Ok(id)
    }
}

pub(super) fn journal(connection: &Connection, id: JournalId) -> Result<BookedJournal> {
    list(connection, "WHERE j.id = ?1", [id.0])?
        .pop()
        .ok_or_else(|| LedgerError::NotFound { what: format!("journal {id}") })
}

/// The number of the journal whose money an application applies, and of the journal a reversal or a return undoes.
pub(super) fn relatives(connection: &Connection, journal: &BookedJournal) -> Result<(Option<String>, Option<String>)> {
    let number = |condition: &str| -> Result<Option<String>> {
        let sql = format!(
            "SELECT o.number FROM journals j JOIN journals o ON o.movement_id = j.movement_id AND o.direction = 'original'
             WHERE j.id = ?1 AND {condition} ORDER BY o.id DESC LIMIT 1"
        );
        Ok(connection.prepare_cached(&sql)?.query_row([journal.id.0], |row| row.get(0)).optional()?)
    };
    let applies_from = match journal.kind {
        JournalKind::Application => number("o.kind IN ('prepayment', 'return') AND o.id < j.id")?,
        JournalKind::Receipt
        | JournalKind::Prepayment
        | JournalKind::Refund
        | JournalKind::Reopening
        | JournalKind::UnappliedRefund
        | JournalKind::Chargeback
        | JournalKind::ChargebackReversed
        | JournalKind::Return
        | JournalKind::ReturnedRefund => None,
    };
    let reverses = match journal.direction {
        Direction::Original if matches!(journal.kind, JournalKind::Return | JournalKind::ReturnedRefund) => {
            number("o.document_id = (SELECT c.invoice_id FROM corrections c WHERE c.document_id = j.document_id)")?
        }
        Direction::Original => None,
        Direction::Reversal => number("ifnull(o.document_id, 0) = ifnull(j.document_id, 0)")?,
    };
    Ok((applies_from, reverses))
}

/// The number of the prepayment an application applies, or of the journal a reversal undoes, unless the ERP has confirmed it.
pub(super) fn undelivered_before(connection: &Connection, journal: &BookedJournal) -> Result<Option<String>> {
    let (applies_from, reverses) = relatives(connection, journal)?;
    let Some(before) = reverses.or(applies_from) else { return Ok(None) };
    let delivered: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM journals j JOIN operations o ON o.journal_id = j.id AND o.state = 'confirmed'
                            WHERE j.number = ?1)",
        )?
        .query_row([&before], |row| row.get(0))?;
    Ok((!delivered).then_some(before))
}

/// The original journals of a movement, as drafts that can be turned round.
pub(super) fn drafts_of_movement(connection: &Connection, movement: MovementId) -> Result<Vec<JournalDraft>> {
    list(connection, "WHERE j.movement_id = ?1 AND j.direction = 'original' ORDER BY j.id", [movement.0])?
        .into_iter()
        .map(|journal| {
            let damaged = || LedgerError::damaged(format!("journal {} without two postings", journal.number));
            let postings: Vec<Posting> = journal
                .postings
                .iter()
                .map(|posting| Posting { account: posting.account.clone(), amount: posting.amount })
                .collect();
            Ok(JournalDraft {
                kind: journal.kind,
                direction: journal.direction,
                document: journal.document,
                bill_to: journal.bill_to.clone(),
                posting_date: journal.posting_date,
                amount: journal.amount,
                postings: postings.try_into().map_err(|_| damaged())?,
            })
        })
        .collect()
}

pub(super) fn list(
    connection: &Connection,
    tail: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<BookedJournal>> {
    let mut statement = connection.prepare_cached(&[SELECT, tail].concat())?;
    let mut journals: Vec<BookedJournal> = statement.query_and_then(parameters, from_row)?.collect::<Result<_>>()?;
    let mut postings =
        connection.prepare_cached("SELECT account, amount_minor FROM postings WHERE journal_id = ?1 ORDER BY line")?;
    for journal in &mut journals {
        let currency = journal.amount.currency();
        journal.postings = postings
            .query_and_then([journal.id.0], |row| {
                Ok::<_, LedgerError>(BookedPosting {
                    account: row.named("account", Account::parse)?,
                    amount: Amount::from_minor(row.plain("amount_minor")?, currency),
                })
            })?
            .collect::<Result<_>>()?;
    }
    Ok(journals)
}

static LAYOUT: Layout = Layout::new(&[
    "id",
    "movement_id",
    "kind",
    "direction",
    "document_id",
    "number",
    "bill_to",
    "posting_date",
    "amount_minor",
    "currency",
    "booked_at",
    "payment_id",
    "modification_id",
    "transaction_id",
    "document_kind",
    "document_number",
    "order_name",
    "delivered",
]);

fn from_row(row: &Row<'_>) -> Result<BookedJournal> {
    let row = InOrder::of(row, &LAYOUT)?;
    Ok(BookedJournal {
        id: row.id("id", JournalId)?,
        kind: row.choice("kind", JournalKind::parse)?,
        direction: row.choice("direction", Direction::parse)?,
        document: row.optional_id("document_id", DocumentId)?,
        number: row.plain("number")?,
        posting_date: row.day("posting_date")?,
        bill_to: row.named("bill_to", CustomerNumber::parse)?,
        amount: row.amount("amount_minor")?,
        payment: row.id("payment_id", PaymentId)?,
        modification: row.named("modification_id", ModificationId::parse)?,
        transaction: row.named("transaction_id", TransactionId::parse)?,
        document_kind: row.optional_text("document_kind")?.and_then(DocumentKind::parse),
        document_number: row.optional_text("document_number")?.map(DocumentNumber::parse).transpose()?,
        order: row.plain("order_name")?,
        delivered: row.plain("delivered")?,
        postings: Vec::new(),
    })
}
