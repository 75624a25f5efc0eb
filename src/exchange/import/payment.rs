//! Rows of a payments file.

use chrono::{DateTime, Utc};

use super::ImportDefaults;
use super::field::{Field, Need, nearest};
use super::problem::Objection;
use super::reading::{Reading, id_reason};
use super::row::Row;
use crate::domain::id::{
    AssignmentKey, DocumentNumber, EntryReference, IdError, MerchantAccount, MethodName, ModificationId, OrderNumber,
    ProviderName, ShopName, TransactionId,
};
use crate::domain::money::{Amount, Currency};
use crate::domain::payment::TransactionStatus;

pub const PROVIDER: Field =
    Field::new("provider", Need::Required, "the name of a `[provider.NAME]` table of the config", "psp");
pub const MERCHANT_ACCOUNT: Field =
    Field::new("merchant_account", Need::Optional, "must be the provider's; empty: the provider's", "ShopDE");
pub const TRANSACTION: Field = Field::new("transaction", Need::Required, "the PSP's id of the payment", "tr_1001");
pub const SHOP: Field =
    Field::new("shop", Need::Optional, "the shop of `order`; empty: `shop` of the config", "shop.example");
pub const ORDER: Field = Field::new(
    "order",
    Need::Optional,
    "the order it pays, known before; this or `pays`, `entries` or a key is required",
    "SO-1001",
);
pub const PAYS: Field =
    Field::new("pays", Need::Optional, "invoices it pays, known before, joined by `;`", "103210;103211");
pub const METHOD: Field =
    Field::new("method", Need::Required, "the payment method as the shop names it; never changes", "card");
pub const CURRENCY: Field = Field::new("currency", Need::Required, "ISO 4217, the order's; never changes", "EUR");
pub const STATUS: Field = Field::new(
    "status",
    Need::Optional,
    "open, pending, authorised, captured, refused, cancelled or expired; empty: open; what the PSP said since wins",
    "captured",
);
pub const AUTHORISED: Field = Field::money(
    "authorised",
    Need::When("status is authorised or captured"),
    "the amount reserved, or collected already",
    "129.90",
);
pub const AUTHORISED_AT: Field = Field::new(
    "authorised_at",
    Need::When("status is authorised or captured"),
    "when the PSP authorised it, with zone",
    "2026-11-20T09:12:00+01:00",
);
pub const CAPTURE_BEFORE: Field =
    Field::new("capture_before", Need::Optional, "the deadline the PSP gave, with zone", "2026-12-18T00:00:00Z");
pub const CAPTURED_AT: Field = Field::new(
    "captured_at",
    Need::When("status is captured"),
    "when the money moved, with zone",
    "2026-11-20T09:13:00+01:00",
);
pub const CAPTURE_ID: Field =
    Field::new("capture_id", Need::Optional, "the PSP's id of the capture; empty: the transaction's", "cap_1001");
pub const ENTRIES: Field =
    Field::new("entries", Need::Optional, "entries it pays, known before, joined by `;`; never change", "WEB-7731");
pub const ASSIGNMENT_KEY: Field = Field::new(
    "assignment_key",
    Need::Optional,
    "in place of `entries`: the `payment_assignment_key` of the order it is for, which may come later; never changes",
    "",
);

pub const FIELDS: [Field; 16] = [
    PROVIDER,
    MERCHANT_ACCOUNT,
    TRANSACTION,
    SHOP,
    ORDER,
    PAYS,
    METHOD,
    CURRENCY,
    STATUS,
    AUTHORISED,
    AUTHORISED_AT,
    CAPTURE_BEFORE,
    CAPTURED_AT,
    CAPTURE_ID,
    ENTRIES,
    ASSIGNMENT_KEY,
];

/// What a shop can know. Released and Error are the PSP's to say.
const STATUS_CHOICES: [(&str, TransactionStatus); 7] = [
    ("open", TransactionStatus::Open),
    ("pending", TransactionStatus::Pending),
    ("authorised", TransactionStatus::Authorised),
    ("captured", TransactionStatus::Captured),
    ("refused", TransactionStatus::Refused),
    ("cancelled", TransactionStatus::Cancelled),
    ("expired", TransactionStatus::Expired),
];

/// A payment as the shop hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRecord {
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub transaction: TransactionId,
    pub order: Option<(ShopName, OrderNumber)>,
    pub pays: Vec<DocumentNumber>,
    pub method: MethodName,
    pub currency: Currency,
    pub status: TransactionStatus,
    /// With status authorised and captured.
    pub authorised: Option<Authorised>,
    pub capture_before: Option<DateTime<Utc>>,
    /// With status captured.
    pub collected: Option<Collected>,
    pub entries: Vec<EntryReference>,
    pub key: Option<AssignmentKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorised {
    pub amount: Amount,
    pub at: DateTime<Utc>,
}

/// Money that was captured before payjournal knew the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    pub amount: Amount,
    pub at: DateTime<Utc>,
    pub modification: ModificationId,
}

impl PaymentRecord {
    pub fn read(row: &Row, defaults: &ImportDefaults) -> Result<Self, Vec<Objection>> {
        let mut reading = Reading::of(row);
        let account = account(&mut reading, defaults);
        let transaction = reading.id(&TRANSACTION, TransactionId::parse);
        let shop = reading.id(&SHOP, ShopName::parse).unwrap_or_else(|| defaults.shop.clone());
        let order = reading.id(&ORDER, OrderNumber::parse).map(|number| (shop, number));
        let pays = several(&mut reading, &PAYS, "invoice", DocumentNumber::parse);
        let entries = several(&mut reading, &ENTRIES, "entry", EntryReference::parse);
        let key = reading.id(&ASSIGNMENT_KEY, AssignmentKey::parse);
        if ![ORDER, PAYS, ENTRIES, ASSIGNMENT_KEY].iter().any(|field| reading.is_given(field)) {
            reading.object(&ORDER, "or `pays`, `entries` or `assignment_key` is required, but all are empty");
        }
        let method = reading.id(&METHOD, MethodName::parse);
        let currency = reading.currency(&CURRENCY);
        let standing = Standing::read(&mut reading, currency, transaction.as_ref());
        let record = match (account, transaction, method, currency, standing) {
            (Some((provider, merchant_account)), Some(transaction), Some(method), Some(currency), Some(standing)) => {
                let Standing { status, authorised, capture_before, collected } = standing;
                Some(Self {
                    provider,
                    merchant_account,
                    transaction,
                    order,
                    pays,
                    method,
                    currency,
                    status,
                    authorised,
                    capture_before,
                    collected,
                    entries,
                    key,
                })
            }
            _ => None,
        };
        reading.finish(record)
    }
}

/// The fields that hang on the status.
struct Standing {
    status: TransactionStatus,
    authorised: Option<Authorised>,
    capture_before: Option<DateTime<Utc>>,
    collected: Option<Collected>,
}

impl Standing {
    fn read(
        reading: &mut Reading<'_>,
        currency: Option<Currency>,
        transaction: Option<&TransactionId>,
    ) -> Option<Self> {
        let status = if reading.is_given(&STATUS) {
            reading.choice(&STATUS, &STATUS_CHOICES)
        } else {
            Some(TransactionStatus::Open)
        };
        let amount = reading.amount(&AUTHORISED, currency);
        let authorised_at = reading.time(&AUTHORISED_AT);
        let capture_before = reading.time(&CAPTURE_BEFORE);
        let captured_at = reading.time(&CAPTURED_AT);
        let capture_id = reading.id(&CAPTURE_ID, ModificationId::parse);
        let status = status?;
        let is_captured = status == TransactionStatus::Captured;
        let is_authorised = is_captured || status == TransactionStatus::Authorised;
        reading.only_when(&AUTHORISED, is_authorised);
        reading.only_when(&AUTHORISED_AT, is_authorised);
        reading.only_when(&CAPTURED_AT, is_captured);
        if !is_captured && reading.is_given(&CAPTURE_ID) {
            reading.object(&CAPTURE_ID, "is only for rows where status is captured");
        }
        if is_captured && amount.is_some_and(Amount::is_zero) {
            reading.object(&AUTHORISED, "cannot be zero when status is captured");
        }
        let modification = match (capture_id, transaction) {
            (Some(given), _) => Some(given),
            // Both are identifiers of the same shape.
            (None, Some(transaction)) => ModificationId::parse(transaction.as_str()).ok(),
            (None, None) => None,
        };
        let authorised = amount.zip(authorised_at).map(|(amount, at)| Authorised { amount, at });
        let collected = match (amount, captured_at, modification) {
            (Some(amount), Some(at), Some(modification)) => Some(Collected { amount, at, modification }),
            _ => None,
        };
        Some(Self { status, authorised, capture_before, collected })
    }
}

pub(super) fn account(reading: &mut Reading<'_>, defaults: &ImportDefaults) -> Option<(ProviderName, MerchantAccount)> {
    let provider = reading.id(&PROVIDER, ProviderName::parse);
    let given = reading.id(&MERCHANT_ACCOUNT, MerchantAccount::parse);
    let provider = provider?;
    let Some(configured) = defaults.providers.get(&provider) else {
        let hint = nearest(provider.as_str(), defaults.providers.keys().map(ProviderName::as_str));
        reading.object(&PROVIDER, format!("is not configured as a provider{hint}"));
        return None;
    };
    if given.is_some_and(|given| given != *configured) {
        reading.object(&MERCHANT_ACCOUNT, format!("is not the account of provider `{provider}`, `{configured}`"));
    }
    Some((provider, configured.clone()))
}

/// A list joined by `;` in which nothing stands twice.
fn several<T: PartialEq + std::fmt::Display>(
    reading: &mut Reading<'_>,
    field: &Field,
    what: &str,
    parse: fn(&str) -> Result<T, IdError>,
) -> Vec<T> {
    let mut list = Vec::new();
    for part in reading.text(field).into_iter().flat_map(|text| text.split(';')) {
        match parse(part) {
            Ok(one) if list.contains(&one) => reading.object(field, format!("names {what} `{one}` twice")),
            Ok(one) => list.push(one),
            Err(error) => reading.object(field, format!("holds an {what} number that {}", id_reason(&error))),
        }
    }
    list
}
