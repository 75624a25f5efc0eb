//! Texts with tags in brackets, such as `Invoice [InvoiceNo]`: subjects and bodies of mails to customers.

use std::fmt;

/// A text whose tags are all known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Tag(Tag),
}

/// What a mail with an invoice can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    InvoiceNo,
    InvoiceDate,
    OrderNo,
    AccountNo,
    AccountName,
    Total,
    /// What is still to be paid; `0.00 EUR` where nothing is.
    Open,
    DueDate,
    /// Empty where nothing is open, or no page was made.
    PaymentLink,
    SellerName,
}

impl Tag {
    pub const ALL: [Self; 10] = [
        Self::InvoiceNo,
        Self::InvoiceDate,
        Self::OrderNo,
        Self::AccountNo,
        Self::AccountName,
        Self::Total,
        Self::Open,
        Self::DueDate,
        Self::PaymentLink,
        Self::SellerName,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::InvoiceNo => "InvoiceNo",
            Self::InvoiceDate => "InvoiceDate",
            Self::OrderNo => "OrderNo",
            Self::AccountNo => "AccountNo",
            Self::AccountName => "AccountName",
            Self::Total => "Total",
            Self::Open => "Open",
            Self::DueDate => "DueDate",
            Self::PaymentLink => "PaymentLink",
            Self::SellerName => "SellerName",
        }
    }
}

impl Template {
    /// Reads a template; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('[') {
            let (before, from) = rest.split_at(at);
            let inner = from.strip_prefix('[').unwrap_or(from);
            let (name, after) = inner.split_once(']').ok_or("a `[` without its `]`")?;
            let tag = Tag::ALL.into_iter().find(|tag| tag.name() == name).ok_or_else(|| {
                let known = Tag::ALL.map(|tag| format!("[{}]", tag.name())).join(", ");
                format!("`[{name}]` is not known; valid: {known}")
            })?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Tag(tag));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The text with its tags replaced; what a value holds is never taken for a tag.
    pub fn fill(&self, value: impl Fn(Tag) -> String) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Tag(tag) => value(*tag),
            })
            .collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_replaced_and_nothing_else() {
        let template = Template::parse("Invoice [InvoiceNo] over [Total]: ]").unwrap();
        let filled = template.fill(|tag| if tag == Tag::Total { "[InvoiceNo]".to_owned() } else { "R-1".to_owned() });
        assert_eq!(filled, "Invoice R-1 over [InvoiceNo]: ]");
    }

    #[test]
    fn an_unknown_tag_is_told_with_those_there_are() {
        assert!(
            Template::parse("[Invoice]").unwrap_err().starts_with("`[Invoice]` is not known; valid: [InvoiceNo], ")
        );
        assert!(Template::parse("a [b").unwrap_err().contains("without its `]`"));
    }
}
