//! How a movement of money is booked: double entry, each journal zero in its own currency (design "Postings", rule 15).

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::document::{Document, DocumentKind};
use super::id::{Account, Company, CustomerNumber, DocumentId, IdError, MerchantAccount, ProviderName, ShopName};
use super::invoice::pricing::{self, PricedLine};
use super::money::{Amount, Currency, MoneyError};
use super::movement::MovementKind;
use super::payment::Payment;
use super::settlement::postings::{PayoutEntry, PayoutJournalKind};

/// How the books are kept: fixed for one ledger.
#[derive(Debug, Clone)]
pub struct Books {
    /// `test` or `live`; part of every natural key.
    pub mode: &'static str,
    /// Whose entries are collected, where several ledgers have one merchant account.
    pub shop: ShopName,
    /// The zone of posting dates (rule 18).
    pub time_zone: Tz,
    pub accounts: Accounts,
    /// Whose invoice a number means where several companies have one.
    pub company: Company,
    /// Booked where neither document nor order names a customer.
    pub default_customer: CustomerNumber,
}

/// Names of ledger accounts. `{provider}`, `{merchant_account}` and `{currency}` are replaced, and `{customer}` where it is a
/// customer's account.
#[derive(Debug, Clone)]
pub struct Accounts {
    pub clearing: String,
    pub receivables: String,
    pub prepayments: String,
    /// What a customer got back at the bank, while nobody has decided who bears it.
    pub disputed: String,
    /// What payouts are booked to.
    pub fees: String,
    pub input_tax: String,
    pub reserve: String,
    pub corrections: String,
    pub exchange: String,
    pub rounding: String,
    pub money_in_transit: String,
    /// What invoices are booked to, with `{tax_rate}`.
    pub revenue: String,
    pub output_tax: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    /// Captured for an invoice: clearing ← receivables.
    Receipt,
    /// Captured before there is an invoice: clearing ← prepayments.
    Prepayment,
    /// A prepayment tied to an invoice: prepayments ← receivables.
    Application,
    /// Refunded for a credit note: receivables ← clearing.
    Refund,
    /// Refunded without a credit note, by somebody else: the invoice the money had paid is open again (rule 17).
    Reopening,
    /// Refunded by somebody else before any invoice was paid: prepayments ← clearing.
    UnappliedRefund,
    /// Charged back at the bank: disputed ← clearing (rule 17).
    Chargeback,
    /// Won back: the opposite.
    ChargebackReversed,
    /// What an invoice was paid with, when it is cancelled: receivables ← prepayments.
    Return,
    /// What somebody had refunded of that invoice before, and so was the account's loss: prepayments ← receivables.
    ReturnedRefund,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Original,
    /// The opposite of an earlier journal.
    Reversal,
}

/// One line of a journal. Debit is positive, credit negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    pub account: Account,
    pub amount: Amount,
}

/// A journal to be written: two postings that sum to zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalDraft {
    pub kind: JournalKind,
    pub direction: Direction,
    pub document: Option<DocumentId>,
    pub bill_to: CustomerNumber,
    pub posting_date: NaiveDate,
    /// Always positive.
    pub amount: Amount,
    pub postings: [Posting; 2],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingError {
    Money(MoneyError),
    Account { template: String, problem: IdError },
    NotPositive { amount: Amount },
}

/// A share of a movement and the document it pays; `None` = no invoice yet.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    pub document: Option<&'a Document>,
    pub amount: Amount,
}

impl JournalKind {
    pub const ALL: [Self; 10] = [
        Self::Receipt,
        Self::Prepayment,
        Self::Application,
        Self::Refund,
        Self::Reopening,
        Self::UnappliedRefund,
        Self::Chargeback,
        Self::ChargebackReversed,
        Self::Return,
        Self::ReturnedRefund,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Prepayment => "prepayment",
            Self::Application => "application",
            Self::Refund => "refund",
            Self::Reopening => "reopening",
            Self::UnappliedRefund => "unapplied_refund",
            Self::Chargeback => "chargeback",
            Self::ChargebackReversed => "chargeback_reversed",
            Self::Return => "return",
            Self::ReturnedRefund => "returned_refund",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Which journal the share of a fresh movement is booked as.
    fn of(movement: MovementKind, document: Option<DocumentKind>) -> Self {
        match movement {
            MovementKind::Capture | MovementKind::CaptureFailure => match document {
                Some(DocumentKind::Invoice) => Self::Receipt,
                // A shipment is no receivable: its money waits for the invoice.
                Some(
                    DocumentKind::Shipment
                    | DocumentKind::CreditNote
                    | DocumentKind::Cancellation
                    | DocumentKind::RefundRequest,
                )
                | None => Self::Prepayment,
            },
            MovementKind::Refund | MovementKind::RefundFailure => match document {
                Some(DocumentKind::CreditNote) => Self::Refund,
                Some(DocumentKind::Invoice) => Self::Reopening,
                Some(DocumentKind::Shipment | DocumentKind::Cancellation | DocumentKind::RefundRequest) | None => {
                    Self::UnappliedRefund
                }
            },
            MovementKind::Chargeback => Self::Chargeback,
            MovementKind::ChargebackReversed => Self::ChargebackReversed,
        }
    }
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Reversal => "reversal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Original, Self::Reversal].into_iter().find(|direction| direction.as_str() == text)
    }
}

impl Books {
    /// The day the money moved, in the zone of the books.
    pub fn posting_date(&self, occurred_at: DateTime<Utc>) -> NaiveDate {
        occurred_at.with_timezone(&self.time_zone).date_naive()
    }

    /// The journal of one share of a fresh movement.
    pub fn journal(
        &self,
        movement: MovementKind,
        payment: &Payment,
        share: Share<'_>,
        customer: &CustomerNumber,
        occurred_at: DateTime<Utc>,
    ) -> Result<JournalDraft, BookingError> {
        let Share { document, amount } = share;
        let kind = JournalKind::of(movement, document.map(|document| document.kind));
        let (debit, credit) = match kind {
            JournalKind::Receipt => (&self.accounts.clearing, &self.accounts.receivables),
            JournalKind::Prepayment => (&self.accounts.clearing, &self.accounts.prepayments),
            JournalKind::Application | JournalKind::ReturnedRefund => {
                (&self.accounts.prepayments, &self.accounts.receivables)
            }
            JournalKind::Refund | JournalKind::Reopening => (&self.accounts.receivables, &self.accounts.clearing),
            JournalKind::UnappliedRefund => (&self.accounts.prepayments, &self.accounts.clearing),
            JournalKind::Chargeback => (&self.accounts.disputed, &self.accounts.clearing),
            JournalKind::ChargebackReversed => (&self.accounts.clearing, &self.accounts.disputed),
            JournalKind::Return => (&self.accounts.receivables, &self.accounts.prepayments),
        };
        // Only invoices and credit notes are paid by a journal; a shipment's money is a prepayment of its order, and a chargeback
        // leaves what was paid as it is.
        let document = match kind {
            JournalKind::Receipt
            | JournalKind::Application
            | JournalKind::Refund
            | JournalKind::Reopening
            | JournalKind::Return
            | JournalKind::ReturnedRefund => document.map(|document| document.id),
            JournalKind::Prepayment
            | JournalKind::UnappliedRefund
            | JournalKind::Chargeback
            | JournalKind::ChargebackReversed => None,
        };
        let debit = account(debit, payment, customer, amount)?;
        let credit = account(credit, payment, customer, amount)?;
        let date = self.posting_date(occurred_at);
        draft(kind, document, customer, date, amount, [debit, credit])
    }

    /// The journal that ties captured money to an invoice that came later (rule 15). `prepayments` is the account the money
    /// was booked on: the order's customer may not be the one the invoice is billed to.
    pub fn application(
        &self,
        payment: &Payment,
        invoice: &Document,
        prepayments: &Account,
        amount: Amount,
        on: NaiveDate,
    ) -> Result<JournalDraft, BookingError> {
        let receivables = account(&self.accounts.receivables, payment, &invoice.bill_to, amount)?;
        let accounts = [prepayments.clone(), receivables];
        draft(JournalKind::Application, Some(invoice.id), &invoice.bill_to, on, amount, accounts)
    }

    /// The journal that gives what paid an invoice back to the customer's account (`Return`), or takes what somebody had refunded of
    /// it off that account (`ReturnedRefund`). It hangs on the cancellation, so that a capture or refund can still fail after all:
    /// each of its journals has one opposite.
    pub fn give_back(
        &self,
        payment: &Payment,
        cancellation: (DocumentId, &CustomerNumber),
        prepayments: Option<&Account>,
        given_back: (JournalKind, Amount),
        on: NaiveDate,
    ) -> Result<JournalDraft, BookingError> {
        let ((document, customer), (kind, amount)) = (cancellation, given_back);
        let receivables = account(&self.accounts.receivables, payment, customer, amount)?;
        let prepayments = match prepayments {
            Some(known) => known.clone(),
            None => account(&self.accounts.prepayments, payment, customer, amount)?,
        };
        let accounts = match kind {
            JournalKind::ReturnedRefund => [prepayments, receivables],
            JournalKind::Receipt
            | JournalKind::Prepayment
            | JournalKind::Application
            | JournalKind::Refund
            | JournalKind::Reopening
            | JournalKind::UnappliedRefund
            | JournalKind::Chargeback
            | JournalKind::ChargebackReversed
            | JournalKind::Return => [receivables, prepayments],
        };
        draft(kind, Some(document), customer, on, amount, accounts)
    }
}

/// A journal of a payout: two postings that sum to zero, the first on clearing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutDraft {
    pub entry: PayoutEntry,
    pub postings: [Posting; 2],
}

impl Books {
    /// The journal of one entry; `clearing` is what it does there, in minor units and debit positive.
    pub fn payout_journal(
        &self,
        provider: &ProviderName,
        merchant_account: &MerchantAccount,
        entry: PayoutEntry,
        clearing: i64,
    ) -> Result<PayoutDraft, BookingError> {
        let amount = Amount::from_minor(clearing, entry.currency);
        let accounts = &self.accounts;
        let other = match entry.kind {
            PayoutJournalKind::Fee => &accounts.fees,
            PayoutJournalKind::FeeTax => &accounts.input_tax,
            PayoutJournalKind::Reserve => &accounts.reserve,
            PayoutJournalKind::Correction => &accounts.corrections,
            PayoutJournalKind::Exchange => &accounts.exchange,
            PayoutJournalKind::Payout => &accounts.money_in_transit,
            PayoutJournalKind::Rounding => &accounts.rounding,
        };
        let named = |template: &str| named(template, provider, merchant_account, entry.currency);
        Ok(PayoutDraft {
            entry,
            postings: [
                Posting { account: named(&accounts.clearing)?, amount },
                Posting { account: named(other)?, amount: amount.negated() },
            ],
        })
    }
}

impl Books {
    /// How an invoice of ours is booked: receivables against revenue and tax of each rate; sums that are nothing are left out.
    pub fn invoice_postings(
        &self,
        customer: &CustomerNumber,
        total: Amount,
        lines: &[PricedLine],
    ) -> Result<Vec<Posting>, BookingError> {
        let mut postings = Vec::new();
        let mut post = |template: &str, rate: &str, amount: Amount| {
            let name = template.replace("{customer}", customer.as_str()).replace("{tax_rate}", rate);
            let name = name.replace("{currency}", amount.currency().code());
            let account = Account::parse(&name);
            let account =
                account.map_err(|problem| BookingError::Account { template: template.to_owned(), problem })?;
            if !amount.is_zero() {
                postings.push(Posting { account, amount });
            }
            Ok::<_, BookingError>(())
        };
        post(&self.accounts.receivables, "", total)?;
        for (rate, sum) in pricing::by_rate(lines)? {
            let rate = rate.to_string();
            post(&self.accounts.revenue, &rate, sum.net.negated())?;
            post(&self.accounts.output_tax, &rate, sum.tax.negated())?;
        }
        Ok(postings)
    }
}

/// Debits the first account and credits the second.
fn draft(
    kind: JournalKind,
    document: Option<DocumentId>,
    customer: &CustomerNumber,
    posting_date: NaiveDate,
    amount: Amount,
    [debit, credit]: [Account; 2],
) -> Result<JournalDraft, BookingError> {
    if !amount.is_positive() {
        return Err(BookingError::NotPositive { amount });
    }
    Ok(JournalDraft {
        kind,
        direction: Direction::Original,
        document,
        bill_to: customer.clone(),
        posting_date,
        amount,
        postings: [Posting { account: debit, amount }, Posting { account: credit, amount: amount.negated() }],
    })
}

impl JournalDraft {
    /// The same journal with debit and credit exchanged, on the day the failure became known.
    #[must_use]
    pub fn opposite(&self, on: NaiveDate) -> Self {
        let turned = self.postings.clone().map(|posting| Posting { amount: posting.amount.negated(), ..posting });
        Self { direction: Direction::Reversal, posting_date: on, postings: turned, ..self.clone() }
    }

    pub fn is_balanced(&self) -> bool {
        Amount::sum(self.amount.currency(), self.postings.iter().map(|posting| posting.amount))
            .is_ok_and(Amount::is_zero)
    }
}

/// Splits a movement over the documents its payment names: each gets what it still lacks, in the order named; what is left
/// has no document yet. The parts always sum to the movement (trap T19).
pub fn spread<'a>(amount: Amount, documents: &[&'a Document]) -> Result<Vec<Share<'a>>, MoneyError> {
    let mut left = amount;
    let mut shares = Vec::new();
    for document in documents {
        let lacks = document.uncollected(document.outstanding()?)?;
        let part = left.at_most(lacks)?;
        if part.is_positive() {
            shares.push(Share { document: Some(document), amount: part });
            left = left.checked_sub(part)?;
        }
    }
    if left.is_positive() {
        shares.push(Share { document: None, amount: left });
    }
    Ok(shares)
}

fn account(
    template: &str,
    payment: &Payment,
    customer: &CustomerNumber,
    amount: Amount,
) -> Result<Account, BookingError> {
    let of_customer = template.replace("{customer}", customer.as_str());
    named(&of_customer, &payment.provider, &payment.merchant_account, amount.currency())
}

fn named(
    template: &str,
    provider: &ProviderName,
    merchant_account: &MerchantAccount,
    currency: Currency,
) -> Result<Account, BookingError> {
    let name = template
        .replace("{provider}", provider.as_str())
        .replace("{merchant_account}", merchant_account.as_str())
        .replace("{currency}", currency.code());
    Account::parse(&name).map_err(|problem| BookingError::Account { template: template.to_owned(), problem })
}

impl From<MoneyError> for BookingError {
    fn from(error: MoneyError) -> Self {
        Self::Money(error)
    }
}

impl fmt::Display for BookingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Money(error) => error.fmt(f),
            Self::Account { template, problem } => {
                write!(f, "the account template `{template}` makes no account: {problem}")
            }
            Self::NotPositive { amount } => write!(f, "a journal over {amount} cannot be booked"),
        }
    }
}

impl std::error::Error for BookingError {}
