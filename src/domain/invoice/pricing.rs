//! What the lines of an order cost: net, tax and gross, each rounded to the currency once per line.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::prelude::ToPrimitive as _;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

use crate::domain::money::{Amount, Currency, MoneyError};

/// One line of an order, as the shop sells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// 1, 2, …: unique within the order.
    pub line: u32,
    /// The article's number.
    pub item: Option<String>,
    pub description: String,
    /// Positive, at most 4 decimals.
    pub quantity: Decimal,
    /// For one; at most 4 decimals. Negative for a discount.
    pub unit_price: Decimal,
    /// Percent.
    pub tax_rate: Decimal,
}

/// How lines are priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pricing {
    pub prices: Prices,
    pub rounding: Rounding,
    /// The rates there are, in percent: another is a mistake of the shop's.
    pub tax_rates: Vec<Decimal>,
}

/// What a unit price holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prices {
    /// With tax: the tax is taken out of each line.
    Gross,
    /// Without: the tax comes on top of each line.
    Net,
}

/// What becomes of half a minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Away from zero.
    HalfUp,
    /// To the even neighbour.
    HalfEven,
}

/// A line with what it comes to; net + tax = gross, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedLine {
    pub line: OrderLine,
    pub net: Amount,
    pub tax: Amount,
}

/// What one rate comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TaxSum {
    pub net: Amount,
    pub tax: Amount,
}

/// Why lines cannot be priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PricingError {
    NoLines,
    UnknownRate { line: u32, rate: Decimal, known: Vec<Decimal> },
    TooLarge { line: u32 },
    Money(MoneyError),
}

impl Prices {
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Gross, Self::Net].into_iter().find(|prices| prices.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gross => "gross",
            Self::Net => "net",
        }
    }
}

impl Rounding {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HalfUp => "half_up",
            Self::HalfEven => "half_even",
        }
    }

    fn strategy(self) -> RoundingStrategy {
        match self {
            Self::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Self::HalfEven => RoundingStrategy::MidpointNearestEven,
        }
    }
}

impl Pricing {
    /// Prices every line, or says which cannot be.
    pub fn price(&self, lines: &[OrderLine], currency: Currency) -> Result<Vec<PricedLine>, PricingError> {
        if lines.is_empty() {
            return Err(PricingError::NoLines);
        }
        lines.iter().map(|line| self.price_line(line, currency)).collect()
    }

    fn price_line(&self, line: &OrderLine, currency: Currency) -> Result<PricedLine, PricingError> {
        if !self.tax_rates.contains(&line.tax_rate) {
            let known = self.tax_rates.clone();
            return Err(PricingError::UnknownRate { line: line.line, rate: line.tax_rate, known });
        }
        let too_large = || PricingError::TooLarge { line: line.line };
        let hundred = Decimal::ONE_HUNDRED;
        let round = |value: Decimal| self.round(value, currency).ok_or_else(too_large);
        let price = round(line.quantity.checked_mul(line.unit_price).ok_or_else(too_large)?)?;
        let base = Decimal::new(price.minor(), scale(currency));
        let (net, tax) = match self.prices {
            Prices::Gross => {
                let part = base.checked_mul(line.tax_rate).ok_or_else(too_large)?;
                let tax = round(part.checked_div(hundred + line.tax_rate).ok_or_else(too_large)?)?;
                (price.checked_sub(tax)?, tax)
            }
            Prices::Net => {
                let part = base.checked_mul(line.tax_rate).ok_or_else(too_large)?;
                (price, round(part.checked_div(hundred).ok_or_else(too_large)?)?)
            }
        };
        Ok(PricedLine { line: line.clone(), net, tax })
    }

    fn round(&self, value: Decimal, currency: Currency) -> Option<Amount> {
        let mut minor = value.round_dp_with_strategy(scale(currency), self.rounding.strategy());
        minor.rescale(scale(currency));
        // Sums of many such lines still fit.
        let minor = minor.mantissa().to_i64().filter(|minor| minor.unsigned_abs() <= LARGEST)?;
        Some(Amount::from_minor(minor, currency))
    }
}

/// In minor units, as for every amount that is read.
const LARGEST: u64 = 1_000_000_000_000_000;

fn scale(currency: Currency) -> u32 {
    u32::try_from(currency.exponent()).unwrap_or(0)
}

impl PricedLine {
    pub fn gross(&self) -> Result<Amount, MoneyError> {
        self.net.checked_add(self.tax)
    }
}

/// The sum of all lines, with tax.
pub fn total(lines: &[PricedLine], currency: Currency) -> Result<Amount, MoneyError> {
    lines.iter().try_fold(Amount::zero(currency), |sum, line| sum.checked_add(line.gross()?))
}

/// The sums of each rate, from the lowest.
pub fn by_rate(lines: &[PricedLine]) -> Result<BTreeMap<Decimal, TaxSum>, MoneyError> {
    let mut sums: BTreeMap<Decimal, TaxSum> = BTreeMap::new();
    for PricedLine { line, net, tax } in lines {
        let zero = Amount::zero(net.currency());
        let sum = sums.entry(line.tax_rate).or_insert(TaxSum { net: zero, tax: zero });
        sum.net = sum.net.checked_add(*net)?;
        sum.tax = sum.tax.checked_add(*tax)?;
    }
    Ok(sums)
}

impl From<MoneyError> for PricingError {
    fn from(error: MoneyError) -> Self {
        Self::Money(error)
    }
}

impl fmt::Display for PricingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLines => f.write_str("has no lines; `payjournal import order-lines` brings them in"),
            Self::UnknownRate { line, rate, known } => {
                let known: Vec<String> = known.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "line {line} has `tax_rate` {rate}, which is not among `invoices.tax_rates` ({}); correct the line or add the rate",
                    known.join(", ")
                )
            }
            Self::TooLarge { line } => write!(f, "line {line} comes to more than the ledger can hold"),
            Self::Money(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PricingError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quantity: &str, unit_price: &str, tax_rate: &str) -> OrderLine {
        OrderLine {
            line: 1,
            item: None,
            description: "thing".to_owned(),
            quantity: quantity.parse().unwrap(),
            unit_price: unit_price.parse().unwrap(),
            tax_rate: tax_rate.parse().unwrap(),
        }
    }

    fn pricing(prices: Prices, rounding: Rounding) -> Pricing {
        Pricing { prices, rounding, tax_rates: ["0", "5.5", "7", "19"].map(|rate| rate.parse().unwrap()).to_vec() }
    }

    #[track_caller]
    fn priced(prices: Prices, rounding: Rounding, code: &str, sold: OrderLine) -> (String, String) {
        let currency = Currency::parse(code).unwrap();
        let lines = pricing(prices, rounding).price(&[sold], currency).unwrap();
        (lines[0].net.decimal(), lines[0].tax.decimal())
    }

    fn of(net: &str, tax: &str) -> (String, String) {
        (net.to_owned(), tax.to_owned())
    }

    #[test]
    fn tax_is_taken_out_of_a_gross_price_and_put_on_a_net_one() {
        use Prices::{Gross, Net};
        use Rounding::{HalfEven, HalfUp};
        assert_eq!(priced(Gross, HalfUp, "EUR", line("1", "119", "19")), of("100.00", "19.00"));
        assert_eq!(priced(Net, HalfUp, "EUR", line("1", "100", "19")), of("100.00", "19.00"));
        assert_eq!(priced(Gross, HalfUp, "EUR", line("3", "9.99", "7")), of("28.01", "1.96"));
        assert_eq!(priced(Net, HalfUp, "EUR", line("0.125", "10", "0")), of("1.25", "0.00"));
        // Half a cent: 1.05 × 0.5 = 0.525, and 0.50 × 7 % = 0.035.
        assert_eq!(priced(Net, HalfUp, "EUR", line("0.5", "1.05", "0")), of("0.53", "0.00"));
        assert_eq!(priced(Net, HalfEven, "EUR", line("0.5", "1.05", "0")), of("0.52", "0.00"));
        assert_eq!(priced(Net, HalfUp, "EUR", line("1", "0.50", "7")), of("0.50", "0.04"));
        assert_eq!(priced(Net, HalfEven, "EUR", line("1", "0.50", "7")), of("0.50", "0.04"));
        // No decimals, three decimals, and a discount.
        assert_eq!(priced(Gross, HalfUp, "JPY", line("2", "540", "5.5")), of("1024", "56"));
        assert_eq!(priced(Net, HalfUp, "KWD", line("3", "0.3335", "7")), of("1.001", "0.070"));
        assert_eq!(priced(Gross, HalfUp, "EUR", line("1", "-11.90", "19")), of("-10.00", "-1.90"));
    }

    #[test]
    fn what_cannot_be_priced_names_the_line() {
        let eur = Currency::parse("EUR").unwrap();
        let price = |lines: &[OrderLine]| pricing(Prices::Gross, Rounding::HalfUp).price(lines, eur).unwrap_err();
        assert_eq!(price(&[]), PricingError::NoLines);
        assert!(price(&[line("1", "1", "16")]).to_string().contains("line 1 has `tax_rate` 16, which is not among"));
        let huge = line("99999999999", "99999999999", "19");
        assert_eq!(price(&[huge]), PricingError::TooLarge { line: 1 });
    }

    #[test]
    fn rates_are_summed_and_a_rate_is_its_number_however_written() {
        let eur = Currency::parse("EUR").unwrap();
        let lines = [line("1", "119", "19"), line("1", "107", "7"), line("2", "11.90", "19.00")];
        let lines = pricing(Prices::Gross, Rounding::HalfUp).price(&lines, eur).unwrap();
        let sums = by_rate(&lines).unwrap();
        let shown: Vec<_> = sums.values().map(|sum| of(&sum.net.decimal(), &sum.tax.decimal())).collect();
        assert_eq!(shown, [of("100.00", "7.00"), of("120.00", "22.80")]);
        assert_eq!(total(&lines, eur).unwrap().decimal(), "249.80");
    }
}
