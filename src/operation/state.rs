//! The states of an operation and the only moves between them.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Committed, and certainly not done: never sent, or the other side certainly does not have it.
    Planned,
    /// On its way, by a run that is alive.
    Sent,
    /// Received by the other side; not yet done.
    Accepted,
    Confirmed,
    /// A definite no.
    Refused,
    /// Sent and not answered. Ask before doing anything else.
    Unknown,
    /// Its validity is over; a person must look. Not final to facts.
    GivenUp,
    /// Certainly not done and no longer wanted.
    Withdrawn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    Send,
    Accept,
    Confirm,
    Refuse,
    /// The other side certainly did not do it.
    NotDone,
    /// No answer came, or the run that sent it died.
    NoAnswer,
    GiveUp,
    Withdraw,
    /// A person wants an operation that was given up to be taken up again.
    Reopen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IllegalTransition {
    pub from: State,
    pub event: Event,
}

impl Event {
    pub const ALL: [Self; 9] = [
        Self::Send,
        Self::Accept,
        Self::Confirm,
        Self::Refuse,
        Self::NotDone,
        Self::NoAnswer,
        Self::GiveUp,
        Self::Withdraw,
        Self::Reopen,
    ];
}

impl State {
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Sent,
        Self::Accepted,
        Self::Confirmed,
        Self::Refused,
        Self::Unknown,
        Self::GivenUp,
        Self::Withdrawn,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::GivenUp => "given_up",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the effect happened, may have happened or may still happen: it counts in every sum (rule 2).
    pub fn counts(self) -> bool {
        match self {
            Self::Planned | Self::Sent | Self::Accepted | Self::Confirmed | Self::Unknown | Self::GivenUp => true,
            Self::Refused | Self::Withdrawn => false,
        }
    }

    /// The state after `event`. Facts win: a confirmation is taken from every state in which the call may have been made.
    #[expect(clippy::too_many_lines, reason = "the whole table in one place: every state, every event, no wildcard")]
    pub fn apply(self, event: Event) -> Result<Self, IllegalTransition> {
        let illegal = Err(IllegalTransition { from: self, event });
        match self {
            Self::Planned => match event {
                Event::Send => Ok(Self::Sent),
                Event::Confirm => Ok(Self::Confirmed),
                Event::GiveUp => Ok(Self::GivenUp),
                Event::Withdraw => Ok(Self::Withdrawn),
                Event::Accept | Event::Refuse | Event::NotDone | Event::NoAnswer | Event::Reopen => illegal,
            },
            Self::Sent => match event {
                Event::Accept => Ok(Self::Accepted),
                Event::Confirm => Ok(Self::Confirmed),
                Event::Refuse => Ok(Self::Refused),
                Event::NotDone => Ok(Self::Planned),
                Event::NoAnswer => Ok(Self::Unknown),
                Event::Send | Event::GiveUp | Event::Withdraw | Event::Reopen => illegal,
            },
            Self::Unknown => match event {
                Event::Accept => Ok(Self::Accepted),
                Event::Confirm => Ok(Self::Confirmed),
                Event::Refuse => Ok(Self::Refused),
                Event::NotDone => Ok(Self::Planned),
                Event::NoAnswer => Ok(Self::Unknown),
                Event::GiveUp => Ok(Self::GivenUp),
                Event::Send | Event::Withdraw | Event::Reopen => illegal,
            },
            Self::Accepted => match event {
                Event::Accept => Ok(Self::Accepted),
                Event::Confirm => Ok(Self::Confirmed),
                Event::Refuse => Ok(Self::Refused),
                Event::GiveUp => Ok(Self::GivenUp),
                Event::Send | Event::NotDone | Event::NoAnswer | Event::Withdraw | Event::Reopen => illegal,
            },
            // Confirmed and then refused: "capture failed after all".
            Self::Confirmed => match event {
                Event::Confirm => Ok(Self::Confirmed),
                Event::Refuse => Ok(Self::Refused),
                Event::Send
                | Event::Accept
                | Event::NotDone
                | Event::NoAnswer
                | Event::GiveUp
                | Event::Withdraw
                | Event::Reopen => illegal,
            },
            Self::Refused => match event {
                Event::Confirm => Ok(Self::Confirmed),
                Event::Refuse => Ok(Self::Refused),
                Event::Send
                | Event::Accept
                | Event::NotDone
                | Event::NoAnswer
                | Event::GiveUp
                | Event::Withdraw
                | Event::Reopen => illegal,
            },
            Self::GivenUp => match event {
                Event::Accept => Ok(Self::Accepted),
                Event::Confirm => Ok(Self::Confirmed),
                Event::Refuse => Ok(Self::Refused),
                Event::Reopen => Ok(Self::Unknown),
                Event::Send | Event::NotDone | Event::NoAnswer | Event::GiveUp | Event::Withdraw => illegal,
            },
            Self::Withdrawn => match event {
                Event::Confirm => Ok(Self::Confirmed),
                Event::Send
                | Event::Accept
                | Event::Refuse
                | Event::NotDone
                | Event::NoAnswer
                | Event::GiveUp
                | Event::Withdraw
                | Event::Reopen => illegal,
            },
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::GivenUp => "given up",
            Self::Planned
            | Self::Sent
            | Self::Accepted
            | Self::Confirmed
            | Self::Refused
            | Self::Unknown
            | Self::Withdrawn => self.as_str(),
        })
    }
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an operation that is {} cannot take {:?}", self.from, self.event)
    }
}

impl std::error::Error for IllegalTransition {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state × event, written out: rows in the order of `State::ALL`, columns in the order of `Event::ALL`.
    const TABLE: &str = "
        planned    sent - confirmed - - - given_up withdrawn -
        sent       - accepted confirmed refused planned unknown - - -
        accepted   - accepted confirmed refused - - given_up - -
        confirmed  - - confirmed refused - - - - -
        refused    - - confirmed refused - - - - -
        unknown    - accepted confirmed refused planned unknown given_up - -
        given_up   - accepted confirmed refused - - - - unknown
        withdrawn  - - confirmed - - - - - -
    ";

    #[test]
    fn every_transition_is_the_one_in_the_table() {
        let rows: Vec<Vec<&str>> = TABLE
            .lines()
            .map(|line| line.split_whitespace().collect())
            .filter(|row: &Vec<&str>| !row.is_empty())
            .collect();
        assert_eq!(rows.len(), State::ALL.len());
        for (row, state) in rows.iter().zip(State::ALL) {
            assert_eq!(row[0], state.as_str());
            for (event, expected) in Event::ALL.into_iter().zip(&row[1..]) {
                let found = state.apply(event).map_or("-", State::as_str);
                assert_eq!(found, *expected, "{state:?} on {event:?}");
            }
        }
    }

    #[test]
    fn nothing_that_may_have_happened_is_sent_again() {
        for state in State::ALL {
            let sends = state.apply(Event::Send).is_ok();
            assert_eq!(sends, state == State::Planned, "{state:?}");
        }
    }
}
