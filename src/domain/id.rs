//! Identifiers: each its own type, so that an order number can never stand where a document number belongs.

use std::fmt;

use compact_str::CompactString;
use serde::{Serialize, Serializer};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdError {
    Empty { what: &'static str },
    TooLong { what: &'static str, limit: usize },
    Control { what: &'static str },
    Padded { what: &'static str },
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Empty { what } | Self::TooLong { what, .. } | Self::Control { what } | Self::Padded { what }) = self;
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        write!(f, "{article} {what} ")?;
        match self {
            Self::Empty { .. } => f.write_str("cannot be empty"),
            Self::TooLong { limit, .. } => write!(f, "has at most {limit} characters"),
            Self::Control { .. } => f.write_str("cannot hold control characters"),
            Self::Padded { .. } => f.write_str("cannot begin or end with white space"),
        }
    }
}

impl std::error::Error for IdError {}

const LONGEST: usize = 100;

/// A template of at most 100 characters with names of as many in its places.
const LONGEST_ACCOUNT: usize = 1000;

pub(super) fn checked(text: &str, what: &'static str, limit: usize) -> Result<CompactString, IdError> {
    // Almost every one: letters, digits and signs alone.
    if (1..=limit).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(CompactString::new(text))
    } else if text.is_empty() {
        Err(IdError::Empty { what })
    } else if text.chars().count() > limit {
        Err(IdError::TooLong { what, limit })
    } else if text.chars().any(char::is_control) {
        Err(IdError::Control { what })
    } else if text.trim() != text {
        Err(IdError::Padded { what })
    } else {
        Ok(CompactString::new(text))
    }
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident = $what:literal, $limit:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(CompactString);

        impl $name {
            /// Compared exactly as written: case and inner spaces count.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                checked(text, $what, $limit).map(Self)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    )*};
}

macro_rules! row_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

text_id! {
    /// The web shop an order came from; one ledger may serve several.
    ShopName = "shop name", LONGEST;
    /// The shop's number of an order, unique within its shop.
    OrderNumber = "order number", LONGEST;
    /// The name of a `[provider.NAME]` table.
    ProviderName = "provider name", LONGEST;
    /// The account at the PSP that is paid out together.
    MerchantAccount = "merchant account", LONGEST;
    /// The PSP's id of one payment attempt.
    TransactionId = "transaction id", LONGEST;
    /// The PSP's id of one capture, refund or release of a payment.
    ModificationId = "modification id", LONGEST;
    /// A payment method as the shop names it, for instance `card`.
    MethodName = "payment method", LONGEST;
    /// The company in the ERP that owns a document.
    Company = "company", LONGEST;
    /// The ERP's number of an invoice, credit note or shipment.
    DocumentNumber = "document number", LONGEST;
    /// The ERP's number of a customer.
    CustomerNumber = "customer number", LONGEST;
    /// A ledger account, for instance `Assets:PSP:Clearing`; at most 1000 characters.
    Account = "account", LONGEST_ACCOUNT;
    /// What ties an entry or a payment to an order before there is an invoice.
    AssignmentKey = "assignment key", LONGEST;
    /// A portal's own name of an entry.
    EntryReference = "entry reference", LONGEST;
}

row_id! {
    OrderId;
    PaymentId;
    DocumentId;
    MovementId;
    JournalId;
    OperationId;
    ExceptionId;
    MailId;
    /// What the portal is told.
    EventId;
    /// A report file that was read.
    FileId;
    PayoutId;
    PayoutJournalId;
    /// A merchant account with its provider, as settlement lines refer to it.
    AccountId;
    MatchId;
    EntryId;
    /// What a customer gave to be collected from.
    MandateId;
    /// What was asked of the ERP about an order that is to be deleted.
    DeletionId;
    RunId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_kept_exactly_or_refused() {
        assert_eq!(OrderNumber::parse("SO 1").unwrap().as_str(), "SO 1");
        for bad in ["", " SO-1", "SO-1\n", "a\u{0}b"] {
            assert!(OrderNumber::parse(bad).is_err(), "{bad:?}");
        }
        assert!(OrderNumber::parse(&"x".repeat(101)).is_err());
    }
}
