//! What takes an invoice back: a cancellation all of it, a credit note lines of it. The invoice itself stays as it is (trap T50).

use std::fmt;

use chrono::NaiveDate;

use rust_decimal::Decimal;

use super::number::NumberRange;
use super::pricing::{OrderLine, PricedLine, Pricing, Rounding};
use crate::domain::id::{DocumentId, DocumentNumber, OperationId, TransactionId};
use crate::domain::money::{Amount, MoneyError};

/// An invoice to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancellationDraft {
    pub invoice: DocumentId,
    /// Never before the invoice's own date.
    pub dated: NaiveDate,
    pub range: NumberRange,
    /// For the next person who reads it.
    pub reason: String,
}

/// An invoice that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    pub number: DocumentNumber,
    pub total: Amount,
    /// What had paid it, and is the customer's again.
    pub returned: Amount,
}

/// Lines of an invoice to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditDraft {
    pub invoice: DocumentId,
    /// Never before the invoice's own date.
    pub dated: NaiveDate,
    pub range: NumberRange,
    pub rounding: Rounding,
    /// By the number of the line, how many of it; without lines all that is left, without a quantity all that is left of the line.
    pub lines: Vec<(u32, Option<Decimal>)>,
    /// For the next person who reads it.
    pub reason: String,
}

/// Lines that were taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credited {
    pub number: DocumentNumber,
    pub total: Amount,
    /// The part that was still open on the invoice, and is asked of nobody any more; the rest is to be paid back.
    pub applied: Amount,
}

/// What lines to be credited come to: at most what is left of each after `before`, to the cent.
pub fn credited(
    invoice: &[PricedLine],
    before: &[PricedLine],
    wanted: &[(u32, Option<Decimal>)],
    pricing: &Pricing,
) -> Result<Vec<PricedLine>, CannotCredit> {
    let all: Vec<(u32, Option<Decimal>)> = invoice.iter().map(|line| (line.line.line, None)).collect();
    let wanted = if wanted.is_empty() { &all } else { wanted };
    let mut lines: Vec<PricedLine> = Vec::new();
    for (number, quantity) in wanted {
        let number = *number;
        let sold = invoice.iter().find(|line| line.line.line == number);
        let sold = sold.ok_or(CannotCredit::NoLine { line: number })?;
        if lines.iter().any(|line| line.line.line == number) {
            return Err(CannotCredit::Twice { line: number });
        }
        let mut left = sold.clone();
        for earlier in before.iter().filter(|line| line.line.line == number) {
            left.line.quantity -= earlier.line.quantity;
            left.net = left.net.checked_sub(earlier.net)?;
            left.tax = left.tax.checked_sub(earlier.tax)?;
        }
        let part = quantity.unwrap_or(left.line.quantity);
        if part > left.line.quantity || part.is_sign_negative() || (part.is_zero() && quantity.is_some()) {
            return Err(CannotCredit::Quantity { line: number, left: left.line.quantity });
        }
        if part.is_zero() {
            continue;
        }
        // What is left of a line is left to the cent; a part of it is priced as it was sold.
        lines.push(if part == left.line.quantity { left } else { part_of(&left, part, pricing)? });
    }
    if lines.is_empty() { Err(CannotCredit::NothingLeft) } else { Ok(lines) }
}

fn part_of(left: &PricedLine, quantity: Decimal, pricing: &Pricing) -> Result<PricedLine, CannotCredit> {
    let line = OrderLine { quantity, ..left.line.clone() };
    let number = line.line;
    let priced = pricing.price(&[line], left.net.currency()).map_err(|error| CannotCredit::Price(error.to_string()))?;
    let part = priced.into_iter().next().ok_or(CannotCredit::NoLine { line: number })?;
    // Parts that are rounded up, many of them, would come to more than the line.
    let within = |part: Amount, left: Amount| {
        if part.minor().unsigned_abs() > left.minor().unsigned_abs() { left } else { part }
    };
    Ok(PricedLine { net: within(part.net, left.net), tax: within(part.tax, left.tax), ..part })
}

/// Why lines cannot be taken back, or not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotCredit {
    /// As for the whole invoice.
    Invoice(CannotCancel),
    NoLine {
        line: u32,
    },
    Twice {
        line: u32,
    },
    Quantity {
        line: u32,
        left: Decimal,
    },
    NothingLeft,
    /// The lines come to nothing, or to less: a discount alone.
    NotPositive {
        total: Amount,
    },
    /// Together with earlier ones, more than the invoice is over: a discount belongs to the lines.
    Exceeds {
        total: Amount,
        left: Amount,
    },
    Price(String),
}

impl From<MoneyError> for CannotCredit {
    fn from(error: MoneyError) -> Self {
        Self::Price(error.to_string())
    }
}

impl fmt::Display for CannotCredit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoice(why) => why.fmt(f),
            Self::NoLine { line } => write!(f, "it has no line {line}; `payjournal show document` lists its lines"),
            Self::Twice { line } => write!(f, "line {line} is named twice"),
            Self::Quantity { line, left } => {
                write!(f, "at most {left} of line {line} can be credited, and more than nothing")
            }
            Self::NothingLeft => f.write_str("nothing is left of it"),
            Self::NotPositive { total } => write!(f, "the lines come to {total}: a credit note gives something back"),
            Self::Exceeds { total, left } => write!(
                f,
                "the lines come to {total}, and only {left} of it is left: lines with a negative price belong to them, credit them together"
            ),
            Self::Price(why) => f.write_str(why),
        }
    }
}

/// Why an invoice cannot be taken back, or not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotCancel {
    /// The ERP made it.
    NotOurs,
    Already {
        by: DocumentNumber,
    },
    /// Part of it was credited.
    Credited {
        by: DocumentNumber,
    },
    /// Money for it may be on its way.
    UnderWay {
        operation: OperationId,
        kind: &'static str,
    },
    /// Its money went back to the customer through the bank.
    ChargedBack {
        transaction: TransactionId,
    },
}

impl fmt::Display for CannotCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it was not made by payjournal: cancel it in the ERP"),
            Self::Already { by } => write!(f, "it was cancelled by {by}"),
            Self::Credited { by } => write!(
                f,
                "credit note {by} has taken back a part of it; take back the rest with `payjournal credit-note`"
            ),
            Self::UnderWay { operation, kind } => write!(
                f,
                "its {kind} (operation {operation}) has no final answer, and its money may be on its way; {} for it",
                if *kind == "collect" {
                    "`payjournal collect` asks"
                } else {
                    "`payjournal sync-payments` and `payjournal capture` ask"
                }
            ),
            Self::ChargedBack { transaction } => write!(
                f,
                "payment {transaction}, which paid it, was charged back: the bank has given the customer that money; \
                 `payjournal status` lists the case"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pricing::{Prices, total};
    use super::*;
    use crate::domain::money::Currency;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn pricing(prices: Prices) -> Pricing {
        Pricing { prices, rounding: Rounding::HalfUp, tax_rates: vec![decimal("19"), decimal("7")] }
    }

    fn sold(quantity: &str, price: &str) -> OrderLine {
        OrderLine {
            line: 1,
            item: None,
            description: "Thing".to_owned(),
            quantity: decimal(quantity),
            unit_price: decimal(price),
            tax_rate: decimal("19"),
        }
    }

    proptest! {
        /// However a line is credited in parts, together they are the line.
        #[test]
        fn parts_of_a_line_come_to_the_line(quantity in 1_i64..50, cents in 1_i64..100_000, first in 1_i64..50, is_net: bool) {
            let eur = Currency::parse("EUR").unwrap();
            let pricing = pricing(if is_net { Prices::Net } else { Prices::Gross });
            let line = sold(&quantity.to_string(), &Decimal::new(cents, 2).to_string());
            let invoice = pricing.price(&[line], eur).unwrap();
            let first = first.min(quantity);
            let one = credited(&invoice, &[], &[(1, Some(Decimal::from(first)))], &pricing).unwrap();
            prop_assert_eq!(one[0].line.quantity, Decimal::from(first));
            let rest = credited(&invoice, &one, &[], &pricing);
            if first == quantity {
                prop_assert_eq!(&one, &invoice);
                prop_assert_eq!(rest, Err(CannotCredit::NothingLeft));
            } else {
                let together = total(&one, eur).unwrap().checked_add(total(&rest.unwrap(), eur).unwrap()).unwrap();
                prop_assert_eq!(together, total(&invoice, eur).unwrap());
            }
        }
    }

    #[test]
    fn more_than_is_left_is_no_credit() {
        let pricing = pricing(Prices::Gross);
        let invoice = pricing.price(&[sold("3", "9.99")], Currency::parse("EUR").unwrap()).unwrap();
        let credit = |quantity: &str| credited(&invoice, &[], &[(1, Some(decimal(quantity)))], &pricing);
        for wrong in ["4", "0", "-1"] {
            assert_eq!(credit(wrong), Err(CannotCredit::Quantity { line: 1, left: decimal("3") }), "{wrong}");
        }
        assert_eq!(credited(&invoice, &[], &[(2, None)], &pricing), Err(CannotCredit::NoLine { line: 2 }));
        assert_eq!(credited(&invoice, &[], &[(1, None), (1, None)], &pricing), Err(CannotCredit::Twice { line: 1 }));
    }
}
