//! Rows of an orders file.

use chrono::NaiveDate;

use super::ImportDefaults;
use super::field::{Field, Need};
use super::problem::Objection;
use super::reading::Reading;
use super::row::Row;
use crate::domain::id::{AssignmentKey, CustomerNumber, OrderNumber, ShopName};
use crate::domain::invoice::OrderKeys;
use crate::domain::money::Amount;
use crate::domain::order::{Cancellation, Terms};

pub const SHOP: Field = Field::new("shop", Need::Optional, "the web shop; empty: `shop` of the config", "shop.example");
pub const ORDER: Field =
    Field::new("order", Need::Required, "the shop's order number, unique within the shop", "SO-1001");
pub const CURRENCY: Field = Field::new("currency", Need::Required, "ISO 4217; never changes", "EUR");
pub const TOTAL: Field =
    Field::money("total", Need::Required, "gross; may change until the order is fully invoiced", "129.90");
pub const TERMS: Field =
    Field::new("terms", Need::Optional, "online, on_account or prepayment; empty: online; never changes", "prepayment");
pub const PREPAYMENT_PERCENT: Field = Field::new(
    "prepayment_percent",
    Need::When("terms is prepayment"),
    "share of the total paid with the order, at most 2 decimals; 0 acts as on_account, 100 as online",
    "30",
);
pub const CANCELLED: Field = Field::new(
    "cancelled",
    Need::Optional,
    "none, rest (what is not invoiced) or full; empty: none, or as before; only ever goes forward",
    "none",
);
pub const BILL_TO: Field = Field::new(
    "bill_to",
    Need::Optional,
    "the customer who pays; empty: the config's default customer, or as before; may change until fully invoiced",
    "10042",
);
pub const ORDERED_ON: Field =
    Field::new("ordered_on", Need::Required, "the day of the order; never changes", "2026-11-20");
pub const ENTRY_ASSIGNMENT_KEY: Field = Field::new(
    "entry_assignment_key",
    Need::Optional,
    "the key of the entry that was made before the order's invoice; empty: none, or as before",
    "WEB-7731",
);
pub const PAYMENT_ASSIGNMENT_KEY: Field = Field::new(
    "payment_assignment_key",
    Need::Optional,
    "or that of the payment that was made before the order's invoice; empty: none, or as before",
    "",
);

pub const FREE_BALANCES: Field = Field::new(
    "free_balances",
    Need::Optional,
    "whether free balances of the customer pay what is open on the order's invoice: assign or leave; empty: assign, or as before",
    "",
);

pub const FIELDS: [Field; 12] = [
    SHOP,
    ORDER,
    CURRENCY,
    TOTAL,
    TERMS,
    PREPAYMENT_PERCENT,
    CANCELLED,
    BILL_TO,
    ORDERED_ON,
    ENTRY_ASSIGNMENT_KEY,
    PAYMENT_ASSIGNMENT_KEY,
    FREE_BALANCES,
];

const TERMS_CHOICES: [(&str, TermsName); 3] =
    [("online", TermsName::Online), ("on_account", TermsName::OnAccount), ("prepayment", TermsName::Prepayment)];

const CANCELLED_CHOICES: [(&str, Cancellation); 3] =
    [("none", Cancellation::None), ("rest", Cancellation::Rest), ("full", Cancellation::Full)];

/// An order as the shop hands it over. `None` says nothing: the default for a new order, as before for a known one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    pub shop: ShopName,
    pub number: OrderNumber,
    pub total: Amount,
    pub terms: Option<Terms>,
    pub cancelled: Option<Cancellation>,
    pub bill_to: Option<CustomerNumber>,
    pub ordered_on: NaiveDate,
    pub keys: OrderKeys,
    pub leaves_free_balances: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TermsName {
    Online,
    OnAccount,
    Prepayment,
}

impl OrderRecord {
    pub fn read(row: &Row, defaults: &ImportDefaults) -> Result<Self, Vec<Objection>> {
        let mut reading = Reading::of(row);
        let shop = reading.id(&SHOP, ShopName::parse).or_else(|| Some(defaults.shop.clone()));
        let number = reading.id(&ORDER, OrderNumber::parse);
        let currency = reading.currency(&CURRENCY);
        let total = reading.amount(&TOTAL, currency);
        let terms = terms(&mut reading);
        let cancelled = reading.choice(&CANCELLED, &CANCELLED_CHOICES);
        let bill_to = reading.id(&BILL_TO, CustomerNumber::parse);
        let ordered_on = reading.day(&ORDERED_ON);
        let keys = OrderKeys {
            entry: reading.id(&ENTRY_ASSIGNMENT_KEY, AssignmentKey::parse),
            payment: reading.id(&PAYMENT_ASSIGNMENT_KEY, AssignmentKey::parse),
        };
        if keys.entry.is_some() && keys.payment.is_some() {
            reading.object(
                &PAYMENT_ASSIGNMENT_KEY,
                "cannot be given beside `entry_assignment_key`: one of them came first",
            );
        }
        let leaves_free_balances = reading.choice(&FREE_BALANCES, &[("leave", true), ("assign", false)]);
        let record = match (shop, number, total, ordered_on) {
            (Some(shop), Some(number), Some(total), Some(ordered_on)) => {
                Some(Self { shop, number, total, terms, cancelled, bill_to, ordered_on, keys, leaves_free_balances })
            }
            _ => None,
        };
        reading.finish(record)
    }
}

fn terms(reading: &mut Reading<'_>) -> Option<Terms> {
    let name = reading.choice(&TERMS, &TERMS_CHOICES);
    // Misspelt terms say nothing about the percentage.
    if name.is_some() || !reading.is_given(&TERMS) {
        reading.only_when(&PREPAYMENT_PERCENT, name == Some(TermsName::Prepayment));
    }
    match name? {
        TermsName::Online => Some(Terms::Online),
        TermsName::OnAccount => Some(Terms::OnAccount),
        TermsName::Prepayment => {
            let text = reading.text(&PREPAYMENT_PERCENT)?;
            let share = basis_points(text)
                .ok_or_else(|| "is not a percentage from 0 to 100 with at most 2 decimals".to_owned());
            reading.taken(&PREPAYMENT_PERCENT, share).map(|basis_points| match basis_points {
                0 => Terms::OnAccount,
                10_000 => Terms::Online,
                basis_points => Terms::Prepayment { basis_points },
            })
        }
    }
}

/// Hundredths of a percent, from text such as `30` or `12.5`.
fn basis_points(text: &str) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 2 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<2}").parse().ok().filter(|points| *points <= 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact_or_refused() {
        for (text, points) in
            [("30", 3_000), ("12.5", 1_250), ("0.01", 1), ("100", 10_000), ("100.00", 10_000), ("0", 0)]
        {
            assert_eq!(basis_points(text), Some(points), "{text}");
        }
        for text in ["", ".", "5.", ".5", "100.01", "12.345", "-1", "+1", "1e1", "99999999999999999999"] {
            assert_eq!(basis_points(text), None, "{text}");
        }
    }
}
