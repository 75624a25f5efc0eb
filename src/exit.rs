//! The exit codes, in one place. README and man page list the same; a test compares them.

use std::process::ExitCode;

/// How a command ended. Scripts may rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Finished, and this run raised an exception that needs a person.
    NeedsPerson,
    /// The command line is wrong.
    Usage,
    /// The configuration is wrong.
    Config,
    /// Another run of this task holds the lock.
    Locked,
    /// A remote system could not be reached or did not answer; running again is safe.
    Unreachable,
    /// The ledger refused: newer schema, wrong mode, damaged, full disk.
    Ledger,
    /// A bug in payjournal.
    Bug,
    /// Stopped by SIGINT after recording the calls in flight; running again goes on.
    Interrupted,
    /// Stopped by SIGTERM after recording the calls in flight; running again goes on.
    Terminated,
}

impl Exit {
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::NeedsPerson,
        Self::Usage,
        Self::Config,
        Self::Locked,
        Self::Unreachable,
        Self::Ledger,
        Self::Bug,
        Self::Interrupted,
        Self::Terminated,
    ];

    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NeedsPerson => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Locked => 4,
            Self::Unreachable => 5,
            Self::Ledger => 6,
            Self::Bug => 70,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The `outcome` of JSON documents.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NeedsPerson => "needs_person",
            Self::Usage => "usage_error",
            Self::Config => "config_error",
            Self::Locked => "locked",
            Self::Unreachable => "unreachable",
            Self::Ledger => "ledger_refused",
            Self::Bug => "bug",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// One line for the man page and the README.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::NeedsPerson => "finished; some items need a person",
            Self::Usage => "wrong command line",
            Self::Config => "wrong configuration",
            Self::Locked => "another run of this task holds the lock",
            Self::Unreachable => "a remote system did not answer; running again is safe",
            Self::Ledger => "the ledger refused",
            Self::Bug => "a bug in payjournal",
            Self::Interrupted => "interrupted (SIGINT); running again goes on",
            Self::Terminated => "terminated (SIGTERM); running again goes on",
        }
    }

    /// Of two ends of one run the one that matters more: a signal, then 70, 6, 3, 2, 4, 5, 1, 0.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NeedsPerson => 1,
            Self::Unreachable => 2,
            Self::Locked => 3,
            Self::Usage => 4,
            Self::Config => 5,
            Self::Ledger => 6,
            Self::Interrupted => 7,
            Self::Terminated => 8,
            Self::Bug => 9,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_of_two_ends_wins_whatever_their_order() {
        for (one, other, worse) in [
            (Exit::Unreachable, Exit::NeedsPerson, Exit::Unreachable),
            (Exit::Done, Exit::NeedsPerson, Exit::NeedsPerson),
            (Exit::Ledger, Exit::Config, Exit::Ledger),
            (Exit::Config, Exit::Usage, Exit::Config),
            (Exit::Locked, Exit::Unreachable, Exit::Locked),
            (Exit::Bug, Exit::Ledger, Exit::Bug),
        ] {
            assert_eq!(one.or_worse(other), worse);
            assert_eq!(other.or_worse(one), worse);
        }
    }

    #[test]
    fn no_two_ends_share_a_code() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
