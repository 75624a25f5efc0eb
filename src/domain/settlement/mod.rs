//! What a PSP's settlement report says, line by line, whatever the PSP (domain section 2, rules 19–21).

mod decimal;
pub mod disputes;
pub mod facts;
pub mod feed;
pub mod matching;
pub mod postings;
pub mod proof;
pub mod state;

use chrono::{DateTime, Utc};
use compact_str::CompactString;
use serde::Serialize;

pub use decimal::{Decimal, DecimalError};

use super::money::Currency;

/// What a settlement line is about. The number is what the ledger stores: it never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    Sale,
    Refund,
    /// A refund that came back.
    RefundReversed,
    Chargeback,
    SecondChargeback,
    ChargebackReversed,
    /// The part of a charge that a partial capture gave up, where the report shows charge and refund: netted, no refund.
    CaptureAdjustment,
    /// A fee that belongs to no single payment.
    Fee,
    /// Tax on fees.
    FeeTax,
    ReserveHeld,
    ReserveReleased,
    Correction,
    /// A balance carried from or to another payout.
    BalanceTransfer,
    ForeignExchange,
    /// What went to the bank; negative as it leaves the balance.
    Payout,
    /// A payout that came back.
    PayoutFailed,
    /// A kind this version does not know: kept whole, and no payout closes with it.
    Unknown,
}

/// One line of a report, as its format reads it. Amounts are signed as the balance at the PSP sees them: what we get is
/// positive. An empty text means that the report has nothing there. (Texts as short as ids mostly are lie in the line itself:
/// an allocation for each would be a tenth of the time a report takes.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// Its number in the file; the first line is 1.
    pub number: u64,
    /// The merchant account as the report names it; empty where a report is about one account and does not name it.
    pub account: CompactString,
    /// The payout's own reference, such as a batch number; empty before there is one.
    pub payout: CompactString,
    /// Whether `modification` alone identifies the line: then it is the same line in whatever payout it stands.
    pub has_own_id: bool,
    pub transaction: CompactString,
    /// The PSP's id of the capture, refund or chargeback, or of the line.
    pub modification: CompactString,
    /// The merchant's reference of the payment.
    pub reference: CompactString,
    /// The merchant's reference of the modification: our document's number.
    pub document: CompactString,
    pub kind: LineKind,
    pub method: CompactString,
    /// When the money moved, by the PSP.
    pub occurred_at: DateTime<Utc>,
    /// What the customer saw; none where there is no customer.
    pub gross: Option<(Decimal, Currency)>,
    /// What the balance changed by.
    pub net: (Decimal, Currency),
    /// What the PSP kept, in the currency of `net`: positive where it took, negative where it gave back.
    pub fees: Fees,
    /// Currency of `net` per currency of `gross`, as written.
    pub exchange_rate: CompactString,
    /// What else the report says; of an unknown kind the whole line.
    pub note: CompactString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fees {
    /// All of them, without tax.
    pub total: Decimal,
    /// Tax on them.
    pub tax: Decimal,
    /// What the total is made of, where the report says.
    pub parts: Option<FeeParts>,
}

/// The interchange++ split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeeParts {
    pub commission: Decimal,
    pub markup: Decimal,
    pub scheme: Decimal,
    pub interchange: Decimal,
}

impl LineKind {
    pub const ALL: [Self; 17] = [
        Self::Sale,
        Self::Refund,
        Self::RefundReversed,
        Self::Chargeback,
        Self::SecondChargeback,
        Self::ChargebackReversed,
        Self::CaptureAdjustment,
        Self::Fee,
        Self::FeeTax,
        Self::ReserveHeld,
        Self::ReserveReleased,
        Self::Correction,
        Self::BalanceTransfer,
        Self::ForeignExchange,
        Self::Payout,
        Self::PayoutFailed,
        Self::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Refund => "refund",
            Self::RefundReversed => "refund_reversed",
            Self::Chargeback => "chargeback",
            Self::SecondChargeback => "second_chargeback",
            Self::ChargebackReversed => "chargeback_reversed",
            Self::CaptureAdjustment => "capture_adjustment",
            Self::Fee => "fee",
            Self::FeeTax => "fee_tax",
            Self::ReserveHeld => "reserve_held",
            Self::ReserveReleased => "reserve_released",
            Self::Correction => "correction",
            Self::BalanceTransfer => "balance_transfer",
            Self::ForeignExchange => "foreign_exchange",
            Self::Payout => "payout",
            Self::PayoutFailed => "payout_failed",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// As the ledger stores it.
    pub fn code(self) -> i64 {
        match self {
            Self::Sale => 1,
            Self::Refund => 2,
            Self::RefundReversed => 3,
            Self::Chargeback => 4,
            Self::SecondChargeback => 5,
            Self::ChargebackReversed => 6,
            Self::CaptureAdjustment => 7,
            Self::Fee => 8,
            Self::FeeTax => 9,
            Self::ReserveHeld => 10,
            Self::ReserveReleased => 11,
            Self::Correction => 12,
            Self::BalanceTransfer => 13,
            Self::ForeignExchange => 14,
            Self::Payout => 15,
            Self::PayoutFailed => 16,
            Self::Unknown => 99,
        }
    }

    pub fn of_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether a line of this kind belongs to a customer's payment, and so to an order.
    pub fn is_of_payment(self) -> bool {
        match self {
            Self::Sale
            | Self::Refund
            | Self::RefundReversed
            | Self::Chargeback
            | Self::SecondChargeback
            | Self::ChargebackReversed
            | Self::CaptureAdjustment => true,
            Self::Fee
            | Self::FeeTax
            | Self::ReserveHeld
            | Self::ReserveReleased
            | Self::Correction
            | Self::BalanceTransfer
            | Self::ForeignExchange
            | Self::Payout
            | Self::PayoutFailed
            | Self::Unknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_from_its_code_and_its_name() {
        for kind in LineKind::ALL {
            assert_eq!(LineKind::of_code(kind.code()), Some(kind));
            assert_eq!(LineKind::parse(kind.as_str()), Some(kind));
        }
    }
}
