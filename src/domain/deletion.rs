//! Deleting orders that nobody paid: how, what must be shown first, and what becomes of their stock (rules 22 to 24).

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;

use super::id::{OrderNumber, ShopName};

/// What the ERP is asked to do with the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionMethod {
    /// The order is gone there.
    Permanent,
    /// It stays there as a cancelled order.
    Cancel,
    /// It stays there, marked with a reason and hidden from the shop.
    Flag,
}

/// What an order must pass before it is deleted, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Its payment status, and everything that protects it.
    State,
    Age,
    /// What the PSP said of every payment of it in this run.
    Answer,
    /// That none of them can be paid any more.
    Closed,
}

/// Who gives the stock of a deleted order back (rule 24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StockReleasedBy {
    /// The ERP frees reservations by itself: the stock export only informs.
    Erp,
    /// Nobody else does: who reads the stock export gives it back.
    Payjournal,
}

/// One line's stock that goes back, or is reserved again because its order was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StockRelease {
    pub shop: ShopName,
    pub order: OrderNumber,
    pub line: u32,
    pub generation: u32,
    pub direction: StockDirection,
    pub item: Option<String>,
    pub description: String,
    pub quantity: String,
    pub released_by: StockReleasedBy,
    pub happened_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StockDirection {
    Release,
    Reserve,
}

impl DeletionMethod {
    pub const ALL: [Self; 3] = [Self::Permanent, Self::Cancel, Self::Flag];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Cancel => "cancel",
            Self::Flag => "flag",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// As a sentence goes on.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Permanent => "deleted",
            Self::Cancel => "cancelled",
            Self::Flag => "flagged as deleted",
        }
    }
}

impl Gate {
    pub const ALL: [Self; 4] = [Self::State, Self::Age, Self::Answer, Self::Closed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Age => "age",
            Self::Answer => "answer",
            Self::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| gate.as_str() == text)
    }
}

impl StockReleasedBy {
    pub const ALL: [Self; 2] = [Self::Erp, Self::Payjournal];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Erp => "erp",
            Self::Payjournal => "payjournal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == text)
    }
}

impl StockDirection {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Reserve => "reserve",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Release, Self::Reserve].into_iter().find(|direction| direction.as_str() == text)
    }
}

/// The first day on which an order of `ordered_on` is *older* than so many days: one of exactly so many days stays (trap T59),
/// and one of the same day always does (trap T62).
pub fn old_from(ordered_on: NaiveDate, older_than_days: u32) -> NaiveDate {
    ordered_on.checked_add_days(Days::new(u64::from(older_than_days) + 1)).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_than_is_not_as_old_as_and_never_the_same_day() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(old_from(day("2026-10-01"), 30), day("2026-11-01"));
        assert_eq!(old_from(day("2026-10-01"), 0), day("2026-10-02"));
        assert_eq!(old_from(NaiveDate::MAX, 30), NaiveDate::MAX);
    }
}
