//! Which order a settlement line belongs to. A pick is never made between two.

use std::fmt;

use regex::Regex;
use serde::Serialize;

/// How a group of lines came to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchRule {
    /// A payment in the ledger has the line's transaction id.
    Transaction,
    /// The order's number is in the merchant reference.
    Reference,
    /// A person said so.
    Person,
}

/// Where in a merchant reference the order's number stands, for a provider that allows such a match (trap T30).
#[derive(Debug, Clone)]
pub struct ReferenceRule(Regex);

impl ReferenceRule {
    /// The group that holds the number.
    const GROUP: &'static str = "order";

    /// A regular expression with a group named `order`. The whole reference has to match.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let whole = format!("^(?:{pattern})$");
        let regex = Regex::new(&whole).map_err(|error| format!("not a regular expression: {error}"))?;
        if regex.capture_names().flatten().any(|name| name == Self::GROUP) {
            Ok(Self(regex))
        } else {
            Err("the regular expression needs a group named `order`, such as `(?<order>.+)`".to_owned())
        }
    }

    /// The order numbers in a reference, which may list several joined by `;` (trap T31). Each once.
    pub fn order_numbers<'t>(&self, reference: &'t str) -> Vec<&'t str> {
        let mut numbers = Vec::new();
        for part in reference.split(';').map(str::trim) {
            let found = self.0.captures(part).and_then(|captures| captures.name(Self::GROUP));
            if let Some(number) = found.map(|found| found.as_str()).filter(|number| !number.is_empty())
                && !numbers.contains(&number)
            {
                numbers.push(number);
            }
        }
        numbers
    }
}

impl MatchRule {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Reference => "reference",
            Self::Person => "person",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Transaction, Self::Reference, Self::Person].into_iter().find(|rule| rule.as_str() == text)
    }
}

impl fmt::Display for MatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for ReferenceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the frame that makes it match the whole.
        let whole = self.0.as_str();
        f.write_str(whole.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$")).unwrap_or(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_gives_the_numbers_it_lists_and_no_prefix_of_them() {
        let rule = ReferenceRule::parse(r"WEB-(?<order>\d+)").unwrap();
        assert_eq!(rule.order_numbers("WEB-10"), ["10"]);
        assert_eq!(rule.order_numbers("WEB-10; WEB-11;WEB-10"), ["10", "11"]);
        assert!(rule.order_numbers("WEB-10-extra").is_empty());
        assert!(rule.order_numbers("").is_empty());
        assert_eq!(rule.to_string(), r"WEB-(?<order>\d+)");
    }

    #[test]
    fn a_rule_says_where_the_number_is() {
        assert!(ReferenceRule::parse("(").unwrap_err().contains("regular expression"));
        assert!(ReferenceRule::parse(".*").unwrap_err().contains("`order`"));
    }
}
