//! Exact decimals as reports write them: more decimals than the currency has, where a PSP counts fractions of a cent.

use std::fmt;

/// `units` × 10^-`scale`, exactly (rule 21).
#[derive(Debug, Clone, Copy, Default)]
pub struct Decimal {
    units: i64,
    scale: u8,
}

/// Why a text is not a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalError {
    NotDecimal,
    /// More than six decimals.
    TooFine,
    TooLarge,
}

/// A hundred thousand millions: more than any payout in any currency, and sums of such amounts are checked.
const LARGEST_MICROS: i64 = 100_000_000_000_000_000;
const FINEST: u8 = 6;
const POWERS: [i64; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

impl Decimal {
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    /// `None` if it is finer or larger than the ledger takes.
    pub fn new(units: i64, scale: u8) -> Option<Self> {
        let decimal = Self { units, scale };
        let micros = units.checked_mul(*POWERS.get(usize::from(FINEST.checked_sub(scale)?))?)?;
        (micros.unsigned_abs() <= LARGEST_MICROS.unsigned_abs()).then_some(decimal)
    }

    /// Reads `12.30`, `-5`, `+0.0125` or `.5`: digits with one point at most, a sign in front, nothing else. Zeros at the end
    /// beyond six decimals are nothing.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (is_negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let mut units: i64 = 0;
        let mut scale: Option<u8> = None;
        let mut any = false;
        for byte in digits {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    if scale == Some(FINEST) {
                        if *byte == b'0' {
                            continue;
                        }
                        return Err(DecimalError::TooFine);
                    }
                    let more = units.checked_mul(10).and_then(|units| units.checked_add(i64::from(byte - b'0')));
                    units = more.ok_or(DecimalError::TooLarge)?;
                    scale = scale.map(|scale| scale + 1);
                }
                b'.' if scale.is_none() => scale = Some(0),
                _ => return Err(DecimalError::NotDecimal),
            }
        }
        if !any {
            return Err(DecimalError::NotDecimal);
        }
        let units = if is_negative { -units } else { units };
        Self::new(units, scale.unwrap_or(0)).ok_or(DecimalError::TooLarge)
    }

    pub fn units(self) -> i64 {
        self.units
    }

    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Millionths. Every decimal fits.
    pub fn micros(self) -> i64 {
        self.units * POWERS.get(usize::from(FINEST - self.scale)).copied().unwrap_or(1)
    }

    /// Of a sum too, which may be larger than any single amount.
    pub fn of_micros(micros: i64) -> Self {
        Self { units: micros, scale: FINEST }.shortest(0)
    }

    /// The units at a scale that loses nothing; `None` if something would be lost.
    pub fn units_at(self, scale: u8) -> Option<i64> {
        let finer = *POWERS.get(usize::from(FINEST.checked_sub(scale)?))?;
        let micros = self.micros();
        (micros.rem_euclid(finer) == 0).then(|| micros.div_euclid(finer))
    }

    /// With as few decimals as it needs, but not fewer than `least`.
    #[must_use]
    pub fn shortest(self, least: u8) -> Self {
        let found = (least..FINEST).find_map(|scale| Some(Self { units: self.units_at(scale)?, scale }));
        found.unwrap_or(Self { units: self.micros(), scale: FINEST })
    }

    #[must_use]
    pub fn negated(self) -> Self {
        Self { units: -self.units, ..self }
    }

    pub fn is_zero(self) -> bool {
        self.units == 0
    }

    pub fn is_negative(self) -> bool {
        self.units < 0
    }

    /// `None` if the sum does not fit into 64 bits of millionths.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let units = self.units_at(scale)?.checked_add(other.units_at(scale)?)?;
        units.checked_mul(*POWERS.get(usize::from(FINEST.checked_sub(scale)?))?)?;
        Some(Self { units, scale })
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(other.negated())
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.micros() == other.micros()
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.units < 0 { "-" } else { "" };
        let point = if scale == 0 { "" } else { "." };
        f.pad(&format!("{sign}{whole}{point}{fraction}"))
    }
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDecimal => "not a decimal amount such as `12.30`",
            Self::TooFine => "more than six decimals",
            Self::TooLarge => "larger than any amount the ledger takes",
        })
    }
}

impl std::error::Error for DecimalError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn reads(text: &str, units: i64, scale: u8) {
        let read = Decimal::parse(text).unwrap();
        assert_eq!((read.units(), read.scale()), (units, scale), "{text}");
    }

    #[test]
    fn decimals_are_read_exactly() {
        reads("12.30", 1230, 2);
        reads("-5", -5, 0);
        reads("+0.0125", 125, 4);
        reads(".5", 5, 1);
        reads("1.000000000", 1_000_000, 6);
        for bad in ["", "-", ".", "1,5", "1.2.3", "1e3", " 1", "0.0000001"] {
            assert!(Decimal::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Decimal::parse("100000000000.01"), Err(DecimalError::TooLarge));
    }

    #[test]
    fn the_same_number_is_equal_at_every_scale() {
        assert_eq!(Decimal::parse("1.5"), Decimal::parse("1.500"));
        assert_eq!(Decimal::parse("1.500").unwrap().shortest(2).to_string(), "1.50");
        assert_eq!(Decimal::parse("1.505").unwrap().units_at(2), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(units in -1_000_000_000_i64..1_000_000_000, scale in 0_u8..=6) {
            let decimal = Decimal::new(units, scale).unwrap();
            prop_assert_eq!(Decimal::parse(&decimal.to_string()), Ok(decimal));
            prop_assert_eq!(Decimal::of_micros(decimal.micros()), decimal);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Decimal::parse(&text);
        }
    }
}
