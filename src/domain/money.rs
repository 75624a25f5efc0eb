//! Money: a checked integer of minor units with its currency. No floats, no silent overflow, no mixed sums.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// An ISO 4217 currency that has minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(iso_currency::Currency);

/// Why a text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoneyError {
    UnknownCurrency { code: String },
    NotDecimal { text: String },
    TooManyDecimals { text: String, currency: Currency },
    TooLarge { text: String },
    MixedCurrencies { left: Currency, right: Currency },
    Overflow,
}

/// An exact amount. `minor` counts the currency's smallest unit: 1230 with EUR is 12.30, 1230 with JPY is 1230, 1230 with KWD is 1.230.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount {
    minor: i64,
    currency: Currency,
}

/// The largest amount that is read, in minor units: sums of many such amounts still fit.
const LARGEST: i64 = 1_000_000_000_000_000;

impl Currency {
    /// Three capital letters of ISO 4217, for instance `EUR`. Lower case is refused: a report that writes `eur` is read by its adapter.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency { code: code.to_owned() };
        if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(unknown());
        }
        let currency = iso_currency::Currency::from_code(code).ok_or_else(unknown)?;
        currency.exponent().ok_or_else(unknown)?;
        Ok(Self(currency))
    }

    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals the currency has: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> usize {
        usize::from(self.0.exponent().unwrap_or(0))
    }
}

impl Amount {
    pub fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Reads decimal text such as `12.30`, `-5` or `1.250`: digits, at most one point, no exponent, no thousands separator,
    /// and never more decimals than the currency has.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let not_decimal = || MoneyError::NotDecimal { text: text.to_owned() };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(not_decimal()),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(not_decimal());
        }
        let exponent = currency.exponent();
        if fraction.len() > exponent {
            return Err(MoneyError::TooManyDecimals { text: text.to_owned(), currency });
        }
        let joined = format!("{whole}{fraction:0<exponent$}");
        let too_large = || MoneyError::TooLarge { text: text.to_owned() };
        let unsigned = i64::from_str(&joined).ok().filter(|minor| *minor <= LARGEST).ok_or_else(too_large)?;
        Ok(Self { minor: if negative { -unsigned } else { unsigned }, currency })
    }

    pub fn minor(self) -> i64 {
        self.minor
    }

    pub fn currency(self) -> Currency {
        self.currency
    }

    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    pub fn is_positive(self) -> bool {
        self.minor > 0
    }

    pub fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// `None` if the currencies differ or the sum leaves 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(other.negated())
    }

    #[must_use]
    pub fn negated(self) -> Self {
        Self { minor: -self.minor, ..self }
    }

    /// The smaller of two amounts of one currency.
    pub fn at_most(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Ok(if self.minor <= other.minor { self } else { other })
    }

    /// The amount, or zero where it is negative.
    #[must_use]
    pub fn or_zero(self) -> Self {
        Self { minor: self.minor.max(0), ..self }
    }

    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    /// `basis_points` hundredths of a percent of the amount, rounded half up: how a prepayment share is computed.
    pub fn share(self, basis_points: i64) -> Result<Self, MoneyError> {
        let product = i128::from(self.minor) * i128::from(basis_points) + 5_000;
        let minor = i64::try_from(product.div_euclid(10_000)).map_err(|_| MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// The number without its currency: `12.30`, `-0.05`, `1500`.
    pub fn decimal(self) -> String {
        let exponent = self.currency.exponent();
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, fraction) = digits.split_at(digits.len() - exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let point = if exponent == 0 { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::MixedCurrencies { left: self.currency, right: other.currency })
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.decimal(), self.currency))
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Amount", 2)?;
        fields.serialize_field("amount", &self.decimal())?;
        fields.serialize_field("currency", &self.currency)?;
        fields.end()
    }
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCurrency { code } => {
                write!(f, "`{code}` is not an ISO 4217 currency with minor units, such as `EUR`")
            }
            Self::NotDecimal { text } => {
                write!(f, "`{text}` is not a decimal amount; write digits with one point at most, such as `12.30`")
            }
            Self::TooManyDecimals { text, currency } => {
                write!(f, "`{text}` has more decimals than {currency} allows ({})", currency.exponent())
            }
            Self::TooLarge { text } => write!(f, "`{text}` is larger than any amount the ledger takes"),
            Self::MixedCurrencies { left, right } => write!(f, "{left} and {right} cannot be added"),
            Self::Overflow => write!(f, "a sum of amounts is larger than the ledger can hold"),
        }
    }
}

impl std::error::Error for MoneyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[track_caller]
    fn reads(text: &str, code: &str, minor: i64) {
        assert_eq!(Amount::parse(text, currency(code)), Ok(Amount::from_minor(minor, currency(code))));
    }

    #[track_caller]
    fn refuses(text: &str, code: &str, why: &str) {
        let error = Amount::parse(text, currency(code)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn each_currency_keeps_its_own_number_of_decimals() {
        reads("12.30", "EUR", 1230);
        reads("12.3", "EUR", 1230);
        reads("12", "EUR", 1200);
        reads("-0.05", "EUR", -5);
        reads("1500", "JPY", 1500);
        reads("1.234", "KWD", 1234);
    }

    #[test]
    fn what_is_not_an_exact_amount_is_refused_with_the_reason() {
        refuses("12.345", "EUR", "more decimals than EUR allows (2)");
        refuses("12.0", "JPY", "more decimals than JPY allows (0)");
        refuses("1e3", "EUR", "not a decimal amount");
        refuses("1,000.00", "EUR", "not a decimal amount");
        refuses("12.", "EUR", "not a decimal amount");
        refuses(".5", "EUR", "not a decimal amount");
        refuses("", "EUR", "not a decimal amount");
        refuses("--1", "EUR", "not a decimal amount");
        refuses("99999999999999999999", "EUR", "larger than any amount");
        refuses("10000000000000.01", "EUR", "larger than any amount");
    }

    #[test]
    fn unknown_or_unit_less_currencies_are_refused() {
        for code in ["eur", "EURO", "ABC", "", "XAU"] {
            assert!(Currency::parse(code).is_err(), "{code}");
        }
    }

    #[test]
    fn a_prepayment_share_rounds_half_up() {
        let amount = |minor| Amount::from_minor(minor, currency("EUR"));
        assert_eq!(amount(10_000).share(1_000), Ok(amount(1_000)));
        assert_eq!(amount(5).share(1_000), Ok(amount(1)));
        assert_eq!(amount(4).share(1_000), Ok(amount(0)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(minor in -1_000_000_000_000_i64..1_000_000_000_000, code in prop::sample::select(vec!["EUR", "JPY", "KWD"])) {
            let amount = Amount::from_minor(minor, currency(code));
            prop_assert_eq!(Amount::parse(&amount.decimal(), currency(code)), Ok(amount));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Amount::parse(&text, currency("KWD"));
        }
    }
}
