//! What an operation sends, put together from the ledger before a worker takes it.

use sha2::{Digest, Sha256};

use rusqlite::Connection;

use super::cases::mail as queued;
use super::entries::entry;
use super::settlements::payout_journal;
use super::sheets::{customer_mail, sheet};
use super::{
    Ledger, LedgerError, QueuedMail, Result, collection_keys, deletions, documents, invitations, journals, mandates,
    orders, payments, portal,
};
use crate::domain::booking::Books;
use crate::domain::id::{EventId, MailId, OrderId, PaymentId, PayoutJournalId};
use crate::operation::key::hexadecimal;
use crate::operation::request::{
    CancelRequest, CollectRequest, DeletionRequest, EventRequest, JournalRequest, MailRequest, PaymentRequest,
    PayoutJournalRequest, Request,
};
use crate::operation::{Intent, Kind, Operation};

impl Ledger {
    pub fn request(&self, operation: &Operation) -> Result<Request> {
        let intent = Intent {
            kind: operation.kind,
            subject: operation.subject,
            amount: operation.amount,
            attempt: operation.attempt,
            key: operation.key.clone(),
        };
        let request = request(&self.connection, &self.books, &intent)?;
        self.same_content(operation, &request)?;
        Ok(match request {
            Request::Payment(request) => Request::Payment(PaymentRequest {
                modification: operation.modification.clone(),
                first_sent_at: operation.sent_at,
                ..request
            }),
            Request::Collect(request) => Request::Collect(CollectRequest {
                modification: operation.modification.clone(),
                first_sent_at: operation.sent_at,
                ..request
            }),
            Request::Cancel(request) => Request::Cancel(CancelRequest { first_sent_at: operation.sent_at, ..request }),
            Request::Deletion(request) => {
                Request::Deletion(DeletionRequest { first_sent_at: operation.sent_at, ..request })
            }
            Request::Journal(_) | Request::PayoutJournal(_) | Request::Mail(_) | Request::Event(_) => request,
        })
    }

    /// One key, one content: anything else must never leave the house.
    fn same_content(&self, operation: &Operation, request: &Request) -> Result<()> {
        let recorded: String = self
            .connection
            .prepare_cached("SELECT request_hash FROM operations WHERE id = ?1")?
            .query_row([operation.id.0], |row| row.get(0))?;
        if recorded == hash(request) {
            Ok(())
        } else {
            Err(LedgerError::Invariant(format!(
                "operation {} would be sent with other content than was intended",
                operation.id
            )))
        }
    }
}

/// The hash that is committed with the intent.
pub(super) fn request_hash(connection: &Connection, books: &Books, intent: &Intent) -> Result<String> {
    Ok(hash(&request(connection, books, intent)?))
}

fn hash(request: &Request) -> String {
    hexadecimal(&Sha256::digest(request.describe()))
}

fn request(connection: &Connection, books: &Books, intent: &Intent) -> Result<Request> {
    let lacks = |what: &str| LedgerError::damaged(format!("a {} without a {what}", intent.kind.as_str()));
    match intent.kind {
        Kind::Capture | Kind::Refund | Kind::Release => {
            let payment = payments::named(connection, intent.subject.payment.ok_or_else(|| lacks("payment"))?)?;
            let document = match intent.subject.document {
                Some(id) => {
                    let document = documents::named(connection, id)?;
                    Some((document.kind, document.number))
                }
                None => None,
            };
            let order = payment.order.map(|id| orders::order(connection, id)).transpose()?;
            Ok(Request::Payment(PaymentRequest {
                kind: intent.kind,
                provider: payment.provider,
                merchant_account: payment.merchant_account,
                transaction: payment.transaction,
                method: payment.method,
                order: order.map(|order| order.number),
                document,
                amount: intent.amount.ok_or_else(|| lacks("amount"))?,
                key: intent.key.clone(),
                modification: None,
                first_sent_at: None,
            }))
        }
        Kind::Collect => collect_request(connection, intent),
        Kind::Journal => {
            let journal = journals::journal(connection, intent.subject.journal.ok_or_else(|| lacks("journal"))?)?;
            let company = match journal.document {
                Some(id) => Some(documents::named(connection, id)?.company),
                None => None,
            };
            let payment = payments::named(connection, journal.payment)?;
            // A reversal's postings are turned round: debit is where the amount is positive.
            let debit = journal.postings.iter().find(|posting| posting.amount.is_positive());
            let credit = journal.postings.iter().find(|posting| posting.amount.is_negative());
            let (applies_from, reverses) = journals::relatives(connection, &journal)?;
            Ok(Request::Journal(JournalRequest {
                company,
                debit: debit.ok_or_else(|| lacks("debit"))?.account.clone(),
                credit: credit.ok_or_else(|| lacks("credit"))?.account.clone(),
                applies_from,
                reverses,
                provider: payment.provider,
                merchant_account: payment.merchant_account,
                number: journal.number,
                kind: journal.kind,
                direction: journal.direction,
                posting_date: journal.posting_date,
                bill_to: journal.bill_to,
                applies_to: journal.document_kind.zip(journal.document_number),
                amount: journal.amount,
                transaction: journal.transaction,
                modification: journal.modification,
            }))
        }
        Kind::PayoutJournal => {
            let id = intent.subject.payout_journal.ok_or_else(|| lacks("journal"))?;
            payout_journal_request(connection, books, id)
        }
        Kind::Mail => mail_request(connection, intent, intent.subject.mail.ok_or_else(|| lacks("mail"))?),
        Kind::Cancel => cancel_request(connection, intent, intent.subject.payment.ok_or_else(|| lacks("payment"))?),
        Kind::Delete => deletion_request(connection, intent, intent.subject.order.ok_or_else(|| lacks("order"))?),
        Kind::Event => event_request(connection, intent, intent.subject.event.ok_or_else(|| lacks("portal event"))?),
    }
}

fn payout_journal_request(connection: &Connection, books: &Books, id: PayoutJournalId) -> Result<Request> {
    let journal = payout_journal(connection, id)?;
    let lacks = || LedgerError::damaged(format!("journal {} without two postings", journal.number));
    Ok(Request::PayoutJournal(PayoutJournalRequest {
        company: books.company.clone(),
        lines: journal.postings.try_into().map_err(|_| lacks())?,
        number: journal.number.clone(),
        kind: journal.entry.kind,
        posting_date: journal.entry.posting_date,
        currency: journal.entry.currency,
        provider: journal.provider,
        merchant_account: journal.merchant_account,
        payout: journal.payout,
    }))
}

fn mail_request(connection: &Connection, intent: &Intent, mail: MailId) -> Result<Request> {
    let (address, invoice) = match customer_mail(connection, mail)? {
        Some((address, document)) => (Some(address), sheet(connection, document)?.map(Box::new)),
        None => (invitations::address(connection, mail)?, None),
    };
    let QueuedMail { recipient, subject, body, written_at, .. } = queued(connection, mail)?;
    let key = intent.key.clone();
    Ok(Request::Mail(MailRequest { key, recipient, address, subject, body, written_at, invoice }))
}

fn event_request(connection: &Connection, intent: &Intent, id: EventId) -> Result<Request> {
    let event = portal::event(connection, id)?;
    let mode: String =
        connection.prepare_cached("SELECT mode FROM binding WHERE id = 1")?.query_row([], |row| row.get(0))?;
    let body = event.body(&mode).map_err(|error| LedgerError::damaged(format!("portal event {id}: {error}")))?;
    Ok(Request::Event(EventRequest { name: event.name(), event: event.event, body, key: intent.key.clone() }))
}

fn deletion_request(connection: &Connection, intent: &Intent, order: OrderId) -> Result<Request> {
    let order = orders::order(connection, order)?;
    let deletion = deletions::deletion(connection, &intent.key)?;
    let posted = documents::named_of_order(connection, order.id)?;
    Ok(Request::Deletion(DeletionRequest {
        shop: order.shop,
        order: order.number,
        method: deletion.method,
        reason: deletion.reason,
        documents: posted.iter().map(|document| format!("{} {}", document.kind.noun(), document.number)).collect(),
        key: intent.key.clone(),
        first_sent_at: None,
    }))
}

fn collect_request(connection: &Connection, intent: &Intent) -> Result<Request> {
    let lacks = |what: &str| LedgerError::damaged(format!("a collection without a {what}"));
    let mandate = mandates::mandate(connection, intent.subject.mandate.ok_or_else(|| lacks("mandate"))?)?;
    let entry = entry(connection, intent.subject.entry.ok_or_else(|| lacks("entry"))?)?;
    Ok(Request::Collect(CollectRequest {
        provider: mandate.provider,
        merchant_account: mandate.merchant_account,
        token: mandate.token,
        method: mandate.method,
        reference: collection_keys::reference(connection, &entry)?,
        amount: intent.amount.ok_or_else(|| lacks("amount"))?,
        key: intent.key.clone(),
        modification: None,
        first_sent_at: None,
    }))
}

fn cancel_request(connection: &Connection, intent: &Intent, payment: PaymentId) -> Result<Request> {
    let payment = payments::named(connection, payment)?;
    Ok(Request::Cancel(CancelRequest {
        provider: payment.provider,
        merchant_account: payment.merchant_account,
        transaction: payment.transaction,
        method: payment.method,
        key: intent.key.clone(),
        first_sent_at: None,
    }))
}
