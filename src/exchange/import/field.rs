//! The fields of import files: their names, whether they must be there, and what `--describe` says of them.

/// Columns that a file of rejected rows carries besides its own; accepted and ignored, so that a repaired file goes in again.
pub(super) const REJECT_LINE: &str = "reject_line";
pub(super) const REJECT_REASON: &str = "reject_reason";

/// One field: a CSV column, or a member of a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub need: Need,
    pub content: Content,
    pub meaning: &'static str,
    pub example: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Required,
    Optional,
    /// Required under this condition, and refused otherwise.
    When(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Text,
    /// Decimal text. A JSON number is refused: most writers send it through a float.
    Money,
    /// Text that no message quotes: whoever has it may be able to take money.
    Secret,
}

impl Field {
    pub(super) const fn new(name: &'static str, need: Need, meaning: &'static str, example: &'static str) -> Self {
        Self { name, need, content: Content::Text, meaning, example }
    }

    pub(super) const fn money(name: &'static str, need: Need, meaning: &'static str, example: &'static str) -> Self {
        Self { name, need, content: Content::Money, meaning, example }
    }

    pub(super) const fn secret(name: &'static str, need: Need, meaning: &'static str, example: &'static str) -> Self {
        Self { name, need, content: Content::Secret, meaning, example }
    }
}

impl Need {
    pub fn text(self) -> String {
        match self {
            Self::Required => "required".to_owned(),
            Self::Optional => "optional".to_owned(),
            Self::When(condition) => format!("when {condition}"),
        }
    }
}

pub(super) fn position(fields: &[Field], name: &str) -> Option<usize> {
    fields.iter().position(|field| field.name == name)
}

pub(super) fn is_reject(name: &str) -> bool {
    name == REJECT_LINE || name == REJECT_REASON
}

/// What was probably meant by a text that is none of `known`, as the end of a sentence.
pub(super) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let lower = text.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, name), name))
        .filter(|(distance, name)| *distance <= 2 || distance.saturating_mul(3) <= name.len())
        .min()
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_gets_the_name_that_was_meant() {
        assert_eq!(nearest("Totl", ["order", "total"]), "; did you mean `total`?");
        assert_eq!(nearest("captured_on", ["captured_at", "capture_id"]), "; did you mean `captured_at`?");
        assert_eq!(nearest("colour", ["order", "total"]), "");
    }
}
