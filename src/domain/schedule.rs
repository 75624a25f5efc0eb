//! When a task is due next. A manual start counts: the next run is one interval after the last start (trap T65).

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// How often a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Minutes from one start to the next.
    Every { minutes: u32 },
    /// Once a day at this wall-clock time.
    At(NaiveTime),
}

impl Schedule {
    /// The first moment after `last_start` at which the task is due; at once if it never ran.
    pub fn next(self, last_start: Option<DateTime<Utc>>, zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
        let Some(last) = last_start else { return now };
        match self {
            Self::Every { minutes } => last + TimeDelta::minutes(i64::from(minutes)),
            Self::At(time) => next_wall_clock(time, zone, last),
        }
    }
}

/// In the hour a clock change skips the run comes an hour later; in the hour it repeats, the first of the two counts.
fn next_wall_clock(time: NaiveTime, zone: Tz, after: DateTime<Utc>) -> DateTime<Utc> {
    let today = after.with_timezone(&zone).date_naive();
    (0..3)
        .filter_map(|days| today.checked_add_days(Days::new(days)))
        .filter_map(|day| {
            let wall = day.and_time(time);
            zone.from_local_datetime(&wall)
                .earliest()
                .or_else(|| zone.from_local_datetime(&(wall + TimeDelta::hours(1))).earliest())
        })
        .map(|local| local.with_timezone(&Utc))
        .find(|at| *at > after)
        .unwrap_or(after + TimeDelta::days(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Berlin;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_manual_start_moves_the_next_run() {
        let next = Schedule::Every { minutes: 60 }.next(
            Some(utc("2026-11-22T13:50:00Z")),
            Berlin,
            utc("2026-11-22T14:00:00Z"),
        );
        assert_eq!(next, utc("2026-11-22T14:50:00Z"));
    }

    #[track_caller]
    fn at_half_past_two(last: &str, next: &str) {
        let time = NaiveTime::from_hms_opt(2, 30, 0).unwrap();
        assert_eq!(Schedule::At(time).next(Some(utc(last)), Berlin, utc(last)), utc(next));
    }

    #[test]
    fn a_fixed_time_is_local_time_through_both_clock_changes() {
        at_half_past_two("2026-11-21T02:00:00Z", "2026-11-22T01:30:00Z");
        at_half_past_two("2026-07-01T00:30:00Z", "2026-07-02T00:30:00Z");
        // 29 March 2026 has no 02:30 in Berlin; 25 October has two.
        at_half_past_two("2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z");
        at_half_past_two("2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z");
    }
}
