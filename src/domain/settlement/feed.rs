//! For which time a PSP's settlement reports are known to be complete: only then does their silence say that nobody paid (rule 23).

use chrono::{DateTime, Utc};

/// A payout as it stands in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutInTime {
    /// As the PSP names it.
    pub reference: String,
    /// When it was paid out, if it adds up; otherwise when its first line happened.
    pub at: DateTime<Utc>,
    /// All of it is there.
    pub is_closed: bool,
}

/// The reports of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Feed {
    /// From one payout to another, with every one in between.
    complete: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Feed {
    /// A payout that does not add up ends what is complete, and so does one that is missing where they are numbered.
    pub fn of(mut payouts: Vec<PayoutInTime>) -> Self {
        payouts.sort_by(|one, other| (one.at, &one.reference).cmp(&(other.at, &other.reference)));
        let mut complete: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
        let mut before: Option<&PayoutInTime> = None;
        for payout in &payouts {
            match (before.filter(|before| follows(before, payout)), complete.last_mut()) {
                (Some(_), Some((_, until))) if payout.is_closed => *until = payout.at,
                (Some(_) | None, _) if payout.is_closed => complete.push((payout.at, payout.at)),
                (Some(_) | None, _) => {}
            }
            before = Some(payout).filter(|payout| payout.is_closed);
        }
        Self { complete }
    }

    /// Whether everything that happened in this time is there.
    pub fn covers(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> bool {
        self.complete.iter().any(|(begins, ends)| *begins <= from && until <= *ends)
    }

    /// Until when it is complete, at the latest.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.complete.iter().map(|(_, until)| *until).max()
    }
}

/// Numbered payouts follow one another without a gap; of others nobody can tell.
fn follows(before: &PayoutInTime, next: &PayoutInTime) -> bool {
    match (before.reference.parse::<u64>(), next.reference.parse::<u64>()) {
        (Ok(before), Ok(next)) => before.checked_add(1) == Some(next),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(day * 86_400, 0).unwrap()
    }

    fn payout(reference: &str, at: i64, is_closed: bool) -> PayoutInTime {
        PayoutInTime { reference: reference.to_owned(), at: day(at), is_closed }
    }

    #[test]
    fn it_is_complete_from_payout_to_payout_and_not_a_second_beyond() {
        let feed = Feed::of(vec![payout("3", 30, true), payout("1", 10, true), payout("2", 20, true)]);
        assert!(feed.covers(day(10), day(30)));
        assert!(!feed.covers(day(10), day(30) + chrono::TimeDelta::seconds(1)));
        assert!(!feed.covers(day(10) - chrono::TimeDelta::seconds(1), day(20)));
        assert_eq!(feed.until(), Some(day(30)));
        assert!(!Feed::of(Vec::new()).covers(day(1), day(1)));
    }

    #[test]
    fn a_payout_that_is_missing_or_does_not_add_up_ends_it() {
        let gap = Feed::of(vec![payout("1", 10, true), payout("3", 30, true), payout("4", 40, true)]);
        assert!(!gap.covers(day(10), day(30)) && gap.covers(day(30), day(40)));
        let open = Feed::of(vec![payout("a", 10, true), payout("b", 20, false), payout("c", 30, true)]);
        assert!(!open.covers(day(10), day(30)) && !open.covers(day(20), day(30)) && open.covers(day(30), day(30)));
        let named = Feed::of(vec![payout("po_a", 10, true), payout("po_c", 30, true)]);
        assert!(named.covers(day(10), day(30)));
    }
}
