//! Times as reports write them: local ones of a zone, as moments.

use std::cell::Cell;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// Local times of one zone after another: most lines share day and hour, and so the offset, with the line before.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Cell<Option<(Tz, NaiveDate, u32, TimeDelta)>>,
}

impl Clock {
    /// The moment of a local time. Of the two an hour that a clock change repeats has, the first; a time that it skips is read
    /// by the offset before the change.
    pub(super) fn moment(&self, local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
        let (day, hour) = (local.date(), local.hour());
        if let Some((last_zone, last_day, last_hour, offset)) = self.last.get()
            && (last_zone, last_day, last_hour) == (zone, day, hour)
        {
            return utc(local, offset);
        }
        let offset = offset(local, zone)?;
        if whole_hour_has(offset, local, zone) {
            self.last.set(Some((zone, day, hour, offset)));
        }
        utc(local, offset)
    }
}

fn utc(local: NaiveDateTime, offset: TimeDelta) -> Option<DateTime<Utc>> {
    Some(local.checked_sub_signed(offset)?.and_utc())
}

fn offset(local: NaiveDateTime, zone: Tz) -> Option<TimeDelta> {
    let seconds = |at: DateTime<Tz>| TimeDelta::seconds(at.offset().fix().local_minus_utc().into());
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(seconds(at)),
        // Clocks skip three hours at most; a day that a whole country skips holds no payments.
        LocalResult::None => {
            let before = local.checked_sub_signed(TimeDelta::hours(3))?;
            zone.from_local_datetime(&before).latest().map(seconds)
        }
    }
}

/// In some zones the clocks change within an hour.
fn whole_hour_has(found: TimeDelta, local: NaiveDateTime, zone: Tz) -> bool {
    let first = local.with_minute(0).and_then(|time| time.with_second(0));
    let last = local.with_minute(59).and_then(|time| time.with_second(59));
    [first, last].into_iter().all(|time| time.and_then(|time| offset(time, zone)) == Some(found))
}

/// `YYYY-MM-DD`, or with ` HH:MM:SS` and a fraction of a second, which is left out; `/` for `-` and `T` for the space too.
/// What else follows, such as a zone, is not read over: it would make another moment of it.
pub(super) fn date_time(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let is = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|byte| allowed.contains(byte));
    if !is(4, b"-/") || !is(7, b"-/") {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    if bytes.len() == 10 {
        return Some(date.and_time(NaiveTime::MIN));
    }
    let fraction_is_one = match bytes.get(19..)? {
        [] => true,
        [b'.', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let has_shape = is(10, b" T") && is(13, b":") && is(16, b":") && fraction_is_one;
    has_shape.then_some(())?;
    Some(date.and_time(NaiveTime::from_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn moment(clock: &Clock, local: &str, zone: Tz) -> String {
        let moment = clock.moment(date_time(local).unwrap(), zone).unwrap();
        moment.format("%Y-%m-%d %H:%M:%S").to_string()
    }

    #[test]
    fn the_hour_of_a_clock_change_is_read_by_the_offset_before_it() {
        let clock = Clock::default();
        let amsterdam = Tz::Europe__Amsterdam;
        // Repeated: both times 02:30 are read as the first.
        assert_eq!(moment(&clock, "2026-10-25 01:59:59", amsterdam), "2026-10-24 23:59:59");
        assert_eq!(moment(&clock, "2026-10-25 02:30:00", amsterdam), "2026-10-25 00:30:00");
        assert_eq!(moment(&clock, "2026-10-25 02:59:59", amsterdam), "2026-10-25 00:59:59");
        assert_eq!(moment(&clock, "2026-10-25 03:00:00", amsterdam), "2026-10-25 02:00:00");
        // Skipped: 02:30 is what 03:30 is called that day.
        assert_eq!(moment(&clock, "2026-03-29 01:59:59", amsterdam), "2026-03-29 00:59:59");
        assert_eq!(moment(&clock, "2026-03-29 02:30:00", amsterdam), "2026-03-29 01:30:00");
        assert_eq!(moment(&clock, "2026-03-29 03:30:00", amsterdam), "2026-03-29 01:30:00");
    }

    #[test]
    fn a_change_of_half_an_hour_within_an_hour_is_seen() {
        let clock = Clock::default();
        let lord_howe = Tz::Australia__Lord_Howe;
        // On 2026-10-04 the clocks go from 02:00 (+10:30) to 02:30 (+11).
        assert_eq!(moment(&clock, "2026-10-04 02:15:00", lord_howe), "2026-10-03 15:45:00");
        assert_eq!(moment(&clock, "2026-10-04 02:45:00", lord_howe), "2026-10-03 15:45:00");
        assert_eq!(moment(&clock, "2026-10-04 03:00:00", lord_howe), "2026-10-03 16:00:00");
    }

    #[test]
    fn each_zone_has_its_own_offset() {
        let clock = Clock::default();
        assert_eq!(moment(&clock, "2026-07-01 12:00:00", Tz::America__Los_Angeles), "2026-07-01 19:00:00");
        assert_eq!(moment(&clock, "2026-07-01 12:00:00", Tz::Asia__Tokyo), "2026-07-01 03:00:00");
        assert_eq!(moment(&clock, "2026-01-01 12:00:00", Tz::America__Los_Angeles), "2026-01-01 20:00:00");
    }

    #[test]
    fn a_date_is_read_whole_or_not_at_all() {
        for good in ["2026-11-22", "2026-11-22 14:05:59", "2026/11/22T14:05:59", "2026-11-22 14:05:59.123456"] {
            assert!(date_time(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-11-22 ",
            "2026-11-22 14:05",
            "2026-11-22 25:00:00",
            "22-11-2026",
            "2026-11-22 14:05:59 -0800",
            "2026-11-22T14:05:59Z",
            "2026-11-22 14:05:59.",
            "2026-11-2é",
            "20261122 14:05:59",
        ] {
            assert!(date_time(bad).is_none(), "{bad}");
        }
    }
}
