//! What to do about one wanted effect, given what was tried before: the retry and give-up decision.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Operation, State};
use crate::domain::id::OperationId;
use crate::domain::money::Amount;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing stands in the way: plan a new operation with this attempt number.
    Plan { attempt: u32 },
    /// The planned operation is still what is wanted: send it.
    Resume(OperationId),
    /// The planned operation was never carried out and wants another amount: withdraw it and plan anew.
    Replace { withdraw: OperationId, attempt: u32 },
    /// Not now; the reason is for the log.
    Wait { operation: OperationId, why: String },
    /// It happened.
    Done(OperationId),
    /// Refused or given up: a person decides (rule 5).
    NeedsPerson(OperationId),
}

/// `past` are the operations for the same effect (same kind, payment and document, or same journal or mail), in any order.
pub fn decide(past: &[Operation], wanted: Option<Amount>, now: DateTime<Utc>) -> Decision {
    let Some(last) = past.iter().max_by_key(|operation| operation.attempt) else {
        return Decision::Plan { attempt: 1 };
    };
    let next_attempt = last.attempt.saturating_add(1);
    let waits = |why: String| Decision::Wait { operation: last.id, why };
    match last.state {
        State::Planned if last.amount != wanted => Decision::Replace { withdraw: last.id, attempt: next_attempt },
        State::Planned => match last.next_attempt_at {
            Some(at) if at > now => waits(format!("tried {} times, tried again from {}", last.tries, minute(at))),
            Some(_) | None => Decision::Resume(last.id),
        },
        State::Sent | State::Unknown => waits("an earlier call has no answer yet".to_owned()),
        State::Accepted => waits("accepted, not confirmed yet".to_owned()),
        State::Confirmed => Decision::Done(last.id),
        State::Withdrawn => Decision::Plan { attempt: next_attempt },
        State::Refused => {
            let transient = last.refusal.as_ref().is_some_and(|refusal| refusal.transient);
            match last.next_attempt_at {
                _ if last.retry_requested => Decision::Plan { attempt: next_attempt },
                Some(at) if transient && at > now => waits(format!("refused for now, tried again from {}", minute(at))),
                Some(_) | None if transient => Decision::Plan { attempt: next_attempt },
                Some(_) | None => Decision::NeedsPerson(last.id),
            }
        }
        State::GivenUp => Decision::NeedsPerson(last.id),
    }
}

/// Whether an operation that is still open has stood the same for its whole validity.
pub fn is_over_age(status_since: DateTime<Utc>, valid_days: u32, now: DateTime<Utc>) -> bool {
    now - status_since >= TimeDelta::days(i64::from(valid_days))
}

/// The wait before the next run may try again: `first` doubled with each try, never above `longest` (trap T71).
pub fn back_off(tries: u32, first: Duration, longest: Duration) -> TimeDelta {
    let doubled = first.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    TimeDelta::from_std(doubled.min(longest)).unwrap_or(TimeDelta::MAX)
}

/// The latest moment a wait can by right last until. One that lasts longer was set by a run whose clock was ahead: it is over.
pub fn latest_wait(now: DateTime<Utc>, longest: Duration) -> DateTime<Utc> {
    let century = TimeDelta::days(36_500);
    now + TimeDelta::from_std(longest).unwrap_or(century).min(century)
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PaymentId;
    use crate::domain::money::Currency;
    use crate::operation::{Key, Kind, Refusal, Subject, Target};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60, 0).unwrap()
    }

    fn euro(minor: i64) -> Amount {
        Amount::from_minor(minor, Currency::parse("EUR").unwrap())
    }

    fn operation(state: State) -> Operation {
        let subject = Subject::payment(PaymentId(1), None);
        Operation {
            id: OperationId(7),
            kind: Kind::Capture,
            subject,
            target: Target::of(Kind::Capture, subject),
            amount: Some(euro(100)),
            attempt: 3,
            key: Key::of_text(Kind::Capture, "x", 3),
            state,
            planned_at: at(0),
            status_since: at(0),
            sent_at: None,
            last_sent_at: None,
            tries: 1,
            next_attempt_at: None,
            modification: None,
            refusal: None,
            retry_requested: false,
        }
    }

    #[test]
    fn the_first_attempt_has_number_one() {
        assert_eq!(decide(&[], Some(euro(100)), at(0)), Decision::Plan { attempt: 1 });
    }

    #[test]
    fn a_planned_operation_is_sent_unless_it_backs_off_or_is_no_longer_what_is_wanted() {
        let planned = operation(State::Planned);
        let waiting = Operation { next_attempt_at: Some(at(10)), ..planned.clone() };
        assert_eq!(decide(std::slice::from_ref(&planned), Some(euro(100)), at(0)), Decision::Resume(OperationId(7)));
        assert!(matches!(decide(std::slice::from_ref(&waiting), Some(euro(100)), at(9)), Decision::Wait { .. }));
        assert_eq!(decide(&[waiting], Some(euro(100)), at(10)), Decision::Resume(OperationId(7)));
        let replaced = Decision::Replace { withdraw: OperationId(7), attempt: 4 };
        assert_eq!(decide(&[planned], Some(euro(90)), at(0)), replaced);
    }

    #[test]
    fn nothing_new_is_planned_while_an_answer_is_missing() {
        for state in [State::Sent, State::Unknown, State::Accepted] {
            assert!(matches!(decide(&[operation(state)], Some(euro(90)), at(0)), Decision::Wait { .. }), "{state:?}");
        }
    }

    #[test]
    fn a_refusal_needs_a_person_or_a_transient_class() {
        let refused = |transient, retry_requested, next| Operation {
            refusal: Some(Refusal { code: "no".to_owned(), message: String::new(), transient }),
            retry_requested,
            next_attempt_at: next,
            ..operation(State::Refused)
        };
        let again = Decision::Plan { attempt: 4 };
        assert_eq!(
            decide(&[refused(false, false, None)], Some(euro(100)), at(0)),
            Decision::NeedsPerson(OperationId(7))
        );
        assert_eq!(decide(&[refused(false, true, None)], Some(euro(100)), at(0)), again);
        assert_eq!(decide(&[refused(true, false, Some(at(5)))], Some(euro(100)), at(5)), again);
        assert!(matches!(decide(&[refused(true, false, Some(at(5)))], Some(euro(100)), at(4)), Decision::Wait { .. }));
    }

    #[test]
    fn back_off_doubles_up_to_its_longest() {
        let minutes = |tries| back_off(tries, Duration::from_mins(5), Duration::from_hours(1)).num_minutes();
        assert_eq!([1, 2, 3, 4, 5, 60].map(minutes), [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn no_wait_lasts_longer_than_the_longest_back_off_from_now() {
        assert_eq!(latest_wait(at(7), Duration::from_hours(6)), at(7 + 6 * 60));
        assert!(latest_wait(at(0), Duration::MAX) > at(0));
    }

    #[test]
    fn validity_ends_on_the_day_and_not_before() {
        let day = |days: i64| at(days * 24 * 60);
        assert!(!is_over_age(at(0), 90, day(90) - TimeDelta::seconds(1)));
        assert!(is_over_age(at(0), 90, day(90)));
    }
}
