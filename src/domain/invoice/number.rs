//! Invoice numbers: a template, and a counter that starts anew with each period of the invoice's date (trap T53).

use std::fmt;

use chrono::{Datelike, NaiveDate};

use crate::domain::id::{CustomerNumber, DocumentNumber, IdError};

/// How the numbers of one kind of document are made. Gaps are allowed, a number is never given twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberRange {
    pub template: NumberTemplate,
    pub reset: Reset,
    /// The first number of each period is one more.
    pub start: u32,
}

/// When a counter starts anew: with the period of the invoice's date, not of the day it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    Yearly,
    Monthly,
    Daily,
    Never,
}

/// Text with `[Year]`, `[Month]`, `[Day]` and `[AccountNo]`, and one counter such as `{00000}`: at least so many digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Year,
    Month,
    Day,
    /// The customer's number.
    Account,
    Counter {
        digits: usize,
    },
}

impl Reset {
    pub const ALL: [Self; 4] = [Self::Yearly, Self::Monthly, Self::Daily, Self::Never];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yearly => "yearly",
            Self::Monthly => "monthly",
            Self::Daily => "daily",
            Self::Never => "never",
        }
    }

    /// What a number must say so that two periods never make the same one.
    fn tags(self) -> &'static [(&'static str, Part)] {
        const TAGS: [(&str, Part); 3] = [("[Year]", Part::Year), ("[Month]", Part::Month), ("[Day]", Part::Day)];
        let most = match self {
            Self::Yearly => 1,
            Self::Monthly => 2,
            Self::Daily => 3,
            Self::Never => 0,
        };
        TAGS.get(..most).unwrap_or_default()
    }
}

impl NumberRange {
    /// Why numbers of different periods would meet, if they would.
    pub fn fault(&self) -> Option<String> {
        let longest = CustomerNumber::parse("0")
            .and_then(|customer| self.number(NaiveDate::default(), &customer, 999_999_999_999));
        if let Err(error) = longest {
            return Some(format!("the numbers would be too long: {error}"));
        }
        let (tag, _) = self.reset.tags().iter().find(|(_, part)| !self.template.parts.contains(part))?;
        Some(format!(
            "the counter starts anew {}, so the number must hold {tag}, or two periods would make the same numbers",
            self.reset.as_str()
        ))
    }

    /// The period a date belongs to, as its counter is kept: `2026`, `2026-11`, `2026-11-22`, or nothing.
    pub fn period(&self, dated: NaiveDate) -> String {
        let format = match self.reset {
            Reset::Yearly => "%Y",
            Reset::Monthly => "%Y-%m",
            Reset::Daily => "%Y-%m-%d",
            Reset::Never => "",
        };
        dated.format(format).to_string()
    }

    pub fn number(&self, dated: NaiveDate, customer: &CustomerNumber, counter: u64) -> Result<DocumentNumber, IdError> {
        let text: String = self
            .template
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Year => format!("{:04}", dated.year()),
                Part::Month => format!("{:02}", dated.month()),
                Part::Day => format!("{:02}", dated.day()),
                Part::Account => customer.to_string(),
                Part::Counter { digits } => format!("{counter:0digits$}"),
            })
            .collect();
        DocumentNumber::parse(&text)
    }
}

impl Default for NumberTemplate {
    /// `[Year]-{00000}`.
    fn default() -> Self {
        let parts = vec![Part::Year, Part::Text("-".to_owned()), Part::Counter { digits: 5 }];
        Self { text: "[Year]-{00000}".to_owned(), parts }
    }
}

impl NumberTemplate {
    /// `C-[Year]-[Month]-[Day]-{000}`: it holds what any reset needs.
    pub fn of_cancellations() -> Self {
        Self::of_days("C-")
    }

    /// `G-[Year]-[Month]-[Day]-{000}`.
    pub fn of_credit_notes() -> Self {
        Self::of_days("G-")
    }

    fn of_days(prefix: &str) -> Self {
        let text = |text: &str| Part::Text(text.to_owned());
        let days = [Part::Year, text("-"), Part::Month, text("-"), Part::Day, text("-"), Part::Counter { digits: 3 }];
        let parts = std::iter::once(text(prefix)).chain(days).collect();
        Self { text: format!("{prefix}[Year]-[Month]-[Day]-{{000}}"), parts }
    }

    /// `RB-[Year]-{00000}`.
    pub fn of_refund_requests() -> Self {
        let text = |text: &str| Part::Text(text.to_owned());
        let parts = vec![text("RB-"), Part::Year, text("-"), Part::Counter { digits: 5 }];
        Self { text: "RB-[Year]-{00000}".to_owned(), parts }
    }

    /// Reads a template; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let plain = rest.find(['[', ']', '{', '}']).unwrap_or(rest.len());
            let (before, from) = rest.split_at(plain);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            rest = from;
            if let Some(inner) = rest.strip_prefix('[') {
                let (name, after) = inner.split_once(']').ok_or("a `[` without its `]`")?;
                parts.push(tag(name)?);
                rest = after;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let (zeros, after) = inner.split_once('}').ok_or("a `{` without its `}`")?;
                if zeros.is_empty() || zeros.len() > 12 || !zeros.bytes().all(|byte| byte == b'0') {
                    return Err(format!(
                        "`{{{zeros}}}` is no counter; write a zero for each digit, such as `{{00000}}`"
                    ));
                }
                parts.push(Part::Counter { digits: zeros.len() });
                rest = after;
            } else if !rest.is_empty() {
                return Err("a bracket without its other half".to_owned());
            }
        }
        match parts.iter().filter(|part| matches!(part, Part::Counter { .. })).count() {
            1 => Ok(Self { text: text.to_owned(), parts }),
            0 => Err("no counter in it; add one such as `{00000}`".to_owned()),
            _ => Err("more than one counter in it".to_owned()),
        }
    }
}

fn tag(name: &str) -> Result<Part, String> {
    Ok(match name {
        "Year" => Part::Year,
        "Month" => Part::Month,
        "Day" => Part::Day,
        "AccountNo" => Part::Account,
        other => return Err(format!("`[{other}]` is not known; valid: [Year], [Month], [Day], [AccountNo]")),
    })
}

impl fmt::Display for NumberTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(template: &str, reset: Reset) -> NumberRange {
        NumberRange { template: NumberTemplate::parse(template).unwrap(), reset, start: 0 }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_number_holds_its_date_the_customer_and_at_least_so_many_digits() {
        let customer = CustomerNumber::parse("10042").unwrap();
        let number = |template: &str, counter| {
            range(template, Reset::Never).number(day("2026-03-07"), &customer, counter).unwrap().to_string()
        };
        assert_eq!(number("RE-[Year]-[Month]-[Day]/{0000}", 12), "RE-2026-03-07/0012");
        assert_eq!(number("[AccountNo].{0}", 7), "10042.7");
        assert_eq!(number("{000}", 123_456), "123456");
    }

    #[test]
    fn the_default_is_what_its_text_says() {
        let built_in =
            [NumberTemplate::default(), NumberTemplate::of_cancellations(), NumberTemplate::of_refund_requests()];
        for template in built_in {
            assert_eq!(NumberTemplate::parse(&template.to_string()), Ok(template));
        }
    }

    #[test]
    fn what_cannot_be_a_template_says_why() {
        for (text, why) in [
            ("RE-[Year]", "no counter"),
            ("{0}{0}", "more than one"),
            ("{1}", "is no counter"),
            ("{}", "is no counter"),
            ("[Jahr]{0}", "`[Jahr]` is not known; valid: [Year]"),
            ("[Year{0}", "without its `]`"),
            ("{00", "without its `}`"),
            ("a]{0}", "without its other half"),
        ] {
            assert!(NumberTemplate::parse(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn the_period_is_that_of_the_date_and_stands_in_the_number() {
        let period = |reset| range("[Year][Month][Day]{0}", reset).period(day("2027-01-02"));
        assert_eq!(Reset::ALL.map(period), ["2027", "2027-01", "2027-01-02", ""]);
        assert_eq!(range("RE{0}", Reset::Never).fault(), None);
        assert_eq!(range("[Year]{0}", Reset::Yearly).fault(), None);
        assert!(range("RE{0}", Reset::Yearly).fault().unwrap().contains("[Year]"));
        assert!(range("[Year]{0}", Reset::Monthly).fault().unwrap().contains("[Month]"));
        assert!(range("[Year][Month]{0}", Reset::Daily).fault().unwrap().contains("[Day]"));
    }
}
