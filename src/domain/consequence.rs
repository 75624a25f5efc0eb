//! What follows from an answer or an observation: rows for the ledger, written in one transaction with their cause.

use chrono::{DateTime, Utc};

use super::deletion::{DeletionMethod, Gate, StockReleasedBy};
use super::exception::ExceptionDraft;
use super::id::{
    DocumentId, EntryId, EventId, MailId, MerchantAccount, MethodName, ModificationId, MovementId, OperationId,
    OrderId, PaymentId, ProviderName, TransactionId,
};
use super::invoice::InvoiceDraft;
use super::letter::{CustomerLetter, Letter};
use super::money::Amount;
use super::movement::MovementKind;
use super::payment::TransactionStatus;
use crate::operation::{Answer, Key};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// A fact about money; the ledger books it once, however often it is learnt.
    Movement(MovementDraft),
    /// The PSP made a payment of what was asked for on a mandate; the ledger has it once, however often it is learnt.
    Collected(CollectedDraft),
    /// Captured money is tied to an invoice that came later.
    Application {
        movement: MovementId,
        document: DocumentId,
        amount: Amount,
    },
    /// An order is billed: the invoice is made final.
    Invoice(Box<InvoiceDraft>),
    /// So much of an invoice was paid before it was sent.
    InvoicePaid {
        document: DocumentId,
        paid: Amount,
    },
    /// What is open of an invoice can be paid on a page.
    InvoicePage(Box<PageDraft>),
    /// An invoice goes to its customer.
    InvoiceMail {
        document: DocumentId,
        letter: CustomerLetter,
    },
    /// A buyer is not written to any more: what was to be paid is paid, gone or another amount.
    InvitationEnded {
        mail: MailId,
    },
    /// How the PSP says a payment stands.
    Standing(Standing),
    /// A fact learnt elsewhere settles one of our operations.
    Settle {
        operation: OperationId,
        answer: Answer,
        learnt_from: LearntFrom,
    },
    /// The PSP was asked about a payment.
    Asked(PaymentId),
    /// The PSP has closed a page that counts as expired: asked about, too.
    PageClosed(PaymentId),
    /// What follows was concluded from the movements of a payment up to this one: with another since, all of it is concluded anew.
    Unmoved {
        payment: PaymentId,
        since: Option<MovementId>,
    },
    /// The settlement lines of a payment were held against what the ledger has of it; until the next line, or also until
    /// something of the payment changes.
    LinesRead {
        payment: PaymentId,
        is_done: bool,
    },
    /// An order passed its gates: what is asked of the ERP, beside the intent.
    Deletion(Box<DeletionDraft>),
    /// The ERP has carried a deletion out.
    Deleted {
        operation: OperationId,
    },
    /// The PSP could not say how an order stands so many times in a row, and is not asked before then; `None`: it could.
    Unanswered {
        order: OrderId,
        again: Option<(u32, DateTime<Utc>)>,
    },
    /// The portal has taken an event.
    Taken {
        event: EventId,
    },
    Letter(Letter),
    Raise(ExceptionDraft),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementDraft {
    pub payment: PaymentId,
    pub kind: MovementKind,
    pub modification: ModificationId,
    pub amount: Amount,
    pub occurred_at: DateTime<Utc>,
    pub operation: Option<OperationId>,
    /// The document the operation was for.
    pub document: Option<DocumentId>,
    pub learnt_from: LearntFrom,
    /// The key the PSP names with it, where no operation that was seen has it: another run may have made one since.
    pub key: Option<Key>,
}

/// The payment that the PSP made of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedDraft {
    pub operation: OperationId,
    pub transaction: TransactionId,
    /// What moved, and when; none: the PSP has only accepted it.
    pub moved: Option<(Amount, DateTime<Utc>)>,
    pub learnt_from: LearntFrom,
}

/// The page of an invoice that was not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageDraft {
    pub document: DocumentId,
    /// That of the invoice.
    pub entry: EntryId,
    pub url: String,
    /// What it asks for: all that is open of the entry.
    pub amount: Amount,
    /// The payment it was made with; none: the ledger has it.
    pub payment: Option<PagePayment>,
}

/// What a PSP makes with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagePayment {
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub method: MethodName,
    pub transaction: TransactionId,
}

/// A deletion that passed its gates, to be recorded with its intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionDraft {
    pub order: OrderId,
    /// Of the operation that carries it out.
    pub key: Key,
    pub generation: u32,
    pub method: DeletionMethod,
    /// False: into quarantine only.
    pub is_final: bool,
    pub reason: String,
    pub stock_released_by: StockReleasedBy,
    pub gates: Vec<(Gate, String)>,
}

/// Where a fact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearntFrom {
    Answer,
    LookUp,
    Import,
    /// A line of a settlement report.
    Settlement,
}

/// How a payment stands; `None` = as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub payment: PaymentId,
    pub status: TransactionStatus,
    pub authorised: Option<Amount>,
    pub authorised_at: Option<DateTime<Utc>>,
    pub capture_before: Option<DateTime<Utc>>,
}

impl LearntFrom {
    pub const ALL: [Self; 4] = [Self::Answer, Self::LookUp, Self::Import, Self::Settlement];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::LookUp => "look_up",
            Self::Import => "import",
            Self::Settlement => "settlement",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|from| from.as_str() == text)
    }
}
