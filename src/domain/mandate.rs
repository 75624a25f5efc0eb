//! Mandates: what a customer gave once, so that later amounts are taken without asking again: a direct debit mandate, or a card
//! that is stored at the PSP.

use std::fmt;

use chrono::NaiveDate;
use compact_str::CompactString;

use super::id::{CustomerNumber, IdError, MandateId, MerchantAccount, MethodName, ProviderName, checked};
use super::money::Currency;

/// The PSP's id of a mandate or a stored card: opaque, and whoever has it may be able to take money. It is shown only in part.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(CompactString);

/// Longer than other identifiers: some PSPs give out signed texts.
const LONGEST: usize = 255;

/// So many characters of it are shown at most, and never more than a third.
const SHOWN: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    pub id: MandateId,
    pub provider: ProviderName,
    pub merchant_account: MerchantAccount,
    pub token: Token,
    pub customer: CustomerNumber,
    /// The payment method as the shop names it.
    pub method: MethodName,
    /// The only currency it is for; none: any.
    pub currency: Option<Currency>,
    /// The first day on which money may be taken on it.
    pub given_on: NaiveDate,
    /// From this day on no money may be taken on it.
    pub revoked_on: Option<NaiveDate>,
}

impl Token {
    /// Compared exactly as written.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        checked(text, "mandate", LONGEST).map(Self)
    }

    /// All of it: for the PSP and the ledger's own row.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<char> = self.0.chars().collect();
        let third = all.iter().enumerate().filter(|(at, _)| at % 3 == 2).count();
        let shown: String = all.iter().skip(all.len() - third.min(SHOWN)).collect();
        f.pad(&format!("…{shown}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

impl Mandate {
    pub fn is_active(&self, on: NaiveDate) -> bool {
        self.given_on <= on && self.revoked_on.is_none_or(|revoked| on < revoked)
    }

    pub fn is_for(&self, currency: Currency) -> bool {
        self.currency.is_none_or(|only| only == currency)
    }

    /// As an exception names it.
    pub fn name(&self) -> String {
        format!("mandate {} ({} at {}, {})", self.id, self.method, self.provider, self.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_is_never_shown_whole() {
        let shown = |text: &str| {
            let token = Token::parse(text).unwrap();
            (token.to_string(), format!("{token:?}"))
        };
        assert_eq!(shown("tok_4f9a0c77e1b24242"), ("…4242".to_owned(), "Token(…4242)".to_owned()));
        assert_eq!(shown("MD-1").0, "…1");
        assert_eq!(shown("x").0, "…");
        assert!(Token::parse("").is_err() && Token::parse(&"x".repeat(256)).is_err() && Token::parse("a\nb").is_err());
    }

    #[test]
    fn it_counts_from_its_first_day_until_the_day_it_is_revoked() {
        let mandate = Mandate {
            id: MandateId(1),
            provider: ProviderName::parse("psp").unwrap(),
            merchant_account: MerchantAccount::parse("Shop").unwrap(),
            token: Token::parse("MD-1").unwrap(),
            customer: CustomerNumber::parse("C1").unwrap(),
            method: MethodName::parse("sepa").unwrap(),
            currency: Some(Currency::parse("EUR").unwrap()),
            given_on: day("2026-11-02"),
            revoked_on: Some(day("2026-11-20")),
        };
        let active = ["2026-11-01", "2026-11-02", "2026-11-19", "2026-11-20"].map(|on| mandate.is_active(day(on)));
        assert_eq!(active, [false, true, true, false]);
        assert!(mandate.is_for(Currency::parse("EUR").unwrap()) && !mandate.is_for(Currency::parse("USD").unwrap()));
        assert!(Mandate { currency: None, ..mandate }.is_for(Currency::parse("USD").unwrap()));
    }
}
