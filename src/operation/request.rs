//! What is sent to the other side: plain data, complete without the ledger, so that a worker needs nothing else.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Key, Kind};
use crate::domain::booking::{Direction, JournalKind, Posting};
use crate::domain::deletion::DeletionMethod;
use crate::domain::document::DocumentKind;
use crate::domain::id::{
    Account, Company, CustomerNumber, DocumentNumber, MerchantAccount, MethodName, ModificationId, OrderNumber,
    ProviderName, ShopName, TransactionId,
};
use crate::domain::invoice::sheet::InvoiceSheet;
use crate::domain::letter::Recipient;
use crate::domain::mandate::Token;
use crate::domain::money::{Amount, Currency};
use crate::domain::settlement::postings::PayoutJournalKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Payment(PaymentRequest),
    Collect(CollectRequest),
    Journal(JournalRequest),
    PayoutJournal(PayoutJournalRequest),
    Mail(MailRequest),
    Cancel(CancelRequest),
    Deletion(DeletionRequest),
    Event(EventRequest),
}

/// A capture, refund or release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRequest {
    pub kind: Kind,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub transaction: TransactionId,
    pub method: MethodName,
    pub order: Option<OrderNumber>,
    /// The invoice, shipment or credit note it is for.
    pub document: Option<(DocumentKind, DocumentNumber)>,
    pub amount: Amount,
    pub key: Key,
    /// The PSP's id, if an earlier call was accepted.
    pub modification: Option<ModificationId>,
    /// When the first call was made: some PSPs forget keys.
    pub first_sent_at: Option<DateTime<Utc>>,
}

/// Takes an amount on a mandate. The PSP makes a payment for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectRequest {
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub token: Token,
    pub method: MethodName,
    /// What the PSP gives back with the payment: the entry's reference, or the number of its invoice.
    pub reference: String,
    pub amount: Amount,
    pub key: Key,
    /// The PSP's id, if an earlier call was accepted.
    pub modification: Option<ModificationId>,
    /// When the first call was made: some PSPs forget keys.
    pub first_sent_at: Option<DateTime<Utc>>,
}

/// One payment journal line for the ERP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRequest {
    pub company: Option<Company>,
    /// The deterministic document number: what the ERP is asked for before anything is posted.
    pub number: String,
    pub kind: JournalKind,
    pub direction: Direction,
    pub posting_date: NaiveDate,
    pub bill_to: CustomerNumber,
    /// The invoice or credit note it applies to; none = an unapplied payment.
    pub applies_to: Option<(DocumentKind, DocumentNumber)>,
    /// Always positive; kind and direction give the sign.
    pub amount: Amount,
    /// Where the money goes: the PSP's clearing account for a receipt, prepayments for an application, …
    pub debit: Account,
    /// Where it comes from.
    pub credit: Account,
    /// Of an application: the number of the prepayment journal it applies.
    pub applies_from: Option<String>,
    /// Of a reversal: the number of the journal it undoes.
    pub reverses: Option<String>,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub transaction: TransactionId,
    pub modification: ModificationId,
}

/// One journal of a payout for the ERP: what the PSP kept, held back or paid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutJournalRequest {
    /// Whose books it goes to, as the config says when it is sent: a payout has no company of its own, so it is no part of the content.
    pub company: Company,
    /// The deterministic document number: what the ERP is asked for before anything is posted.
    pub number: String,
    pub kind: PayoutJournalKind,
    pub posting_date: NaiveDate,
    /// Of both lines.
    pub currency: Currency,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    /// As the PSP names it; empty for what is not paid out yet.
    pub payout: String,
    /// Debit positive; they sum to zero. The clearing account comes first.
    pub lines: [Posting; 2],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRequest {
    pub key: Key,
    pub recipient: Recipient,
    /// Where a mail to a customer goes; the others go where the config says.
    pub address: Option<String>,
    pub subject: String,
    pub body: String,
    pub written_at: DateTime<Utc>,
    /// The invoice it brings, which goes with it as a page.
    pub invoice: Option<Box<InvoiceSheet>>,
}

/// Closes an open payment or payment page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequest {
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub transaction: TransactionId,
    pub method: MethodName,
    pub key: Key,
    /// When the first call was made: some PSPs forget keys.
    pub first_sent_at: Option<DateTime<Utc>>,
}

/// Takes an order out of the ERP, for good or for the time being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionRequest {
    pub shop: ShopName,
    pub order: OrderNumber,
    pub method: DeletionMethod,
    pub reason: String,
    /// Posted documents of the order, as the ledger knows them now. An ERP knows its own.
    pub documents: Vec<String>,
    pub key: Key,
    pub first_sent_at: Option<DateTime<Utc>>,
}

/// Tells the portal something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRequest {
    /// The event's own id, the same in each attempt.
    pub event: String,
    /// As a person names it.
    pub name: String,
    /// JSON, as it is signed and sent.
    pub body: String,
    pub key: Key,
}

impl PayoutJournalRequest {
    /// As a person names what it books.
    pub fn name(&self) -> String {
        self.kind.of_payout(&self.provider, &self.merchant_account, &self.payout)
    }
}

impl Request {
    /// The natural content of the request, hashed with the intent: same key and other content is a bug, never a retry.
    pub fn describe(&self) -> String {
        match self {
            Self::Payment(request) => format!(
                "{} {} {} {} {} {}",
                request.kind.as_str(),
                request.provider,
                request.merchant_account,
                request.transaction,
                request.amount,
                document(request.document.as_ref())
            ),
            Self::Collect(request) => format!(
                "collect {} {} {} {} {}",
                request.provider,
                request.merchant_account,
                request.token.expose(),
                request.reference,
                request.amount
            ),
            Self::Journal(request) => format!(
                "{} {} {} {} {} {} {} {} {}",
                request.number,
                request.kind.as_str(),
                request.direction.as_str(),
                request.posting_date,
                request.bill_to,
                request.amount,
                request.debit,
                request.credit,
                document(request.applies_to.as_ref())
            ),
            Self::PayoutJournal(request) => {
                let lines = request.lines.iter().map(|line| format!("{} {}", line.account, line.amount));
                format!(
                    "{} {} {} {} {} {:?} {}",
                    request.number,
                    request.kind.as_str(),
                    request.posting_date,
                    request.provider,
                    request.merchant_account,
                    request.payout,
                    lines.collect::<Vec<_>>().join(" ")
                )
            }
            Self::Mail(request) => {
                let to = request.address.as_deref().unwrap_or(request.recipient.as_str());
                format!("{to} {} {}", request.subject, request.body)
            }
            Self::Cancel(request) => {
                format!("cancel {} {} {}", request.provider, request.merchant_account, request.transaction)
            }
            Self::Event(request) => format!("event {} {}", request.event, request.body),
            Self::Deletion(request) => {
                format!("delete {} {} {} {}", request.shop, request.order, request.method.as_str(), request.reason)
            }
        }
    }
}

fn document(document: Option<&(DocumentKind, DocumentNumber)>) -> String {
    document.map_or_else(|| "-".to_owned(), |(kind, number)| format!("{} {number}", kind.noun()))
}
