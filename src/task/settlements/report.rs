//! What a run did with reports and payouts, for the log, a terminal and a script.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::domain::id::ProviderName;
use crate::ledger::settlements::{PayoutOverview, Rehearsed, Taken};
use crate::run::engine::Level;

/// What a run did with reports and payouts.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    pub files: Vec<FileReport>,
    /// Lines that matched nothing in earlier runs and have their order now.
    pub rematched: u64,
    /// Payouts that changed in this run or are still not done with.
    pub payouts: Vec<PayoutOverview>,
    /// Of a dry run: what would be learnt and booked.
    pub rehearsed: Option<Rehearsed>,
}

/// What became of one file, or of one payout that was asked for.
#[derive(Debug, Clone)]
pub struct FileReport {
    pub origin: Origin,
    pub digest: String,
    pub outcome: FileOutcome,
}

/// Where lines came from.
#[derive(Debug, Clone)]
pub enum Origin {
    File(PathBuf),
    /// The PSP was asked.
    Provider {
        provider: ProviderName,
        payout: String,
    },
}

#[derive(Debug, Clone)]
pub enum FileOutcome {
    Taken {
        format: &'static str,
        taken: Taken,
        refused_lines: u64,
    },
    /// Read in an earlier run, under this name.
    Known {
        name: String,
    },
    /// Nothing of it was taken over.
    Refused {
        why: String,
    },
    /// Not now: it is still being written.
    Waits {
        why: String,
    },
}

impl Settled {
    /// What the run took over, in a few words.
    pub fn done_line(&self) -> String {
        let (mut files, mut lines) = (0_u64, 0_u64);
        for file in &self.files {
            if let FileOutcome::Taken { taken, .. } = &file.outcome {
                files += 1;
                lines += taken.added;
            }
        }
        let rematched = match self.rematched {
            0 => String::new(),
            more => format!(", {more} earlier lines found their order"),
        };
        if files == 0 {
            format!("no new report{rematched}")
        } else {
            format!("{lines} new lines of {files} reports{rematched}")
        }
    }
}

impl FileReport {
    /// As a script reads it.
    pub fn json(&self) -> Value {
        let mut document = match &self.origin {
            Origin::File(path) => json!({"file": path.display().to_string(), "blake3": self.digest}),
            Origin::Provider { provider, payout } => {
                json!({"provider": provider, "payout": payout, "blake3": self.digest})
            }
        };
        let outcome = match &self.outcome {
            FileOutcome::Taken { format, taken, refused_lines } => json!({
                "outcome": "taken", "format": format,
                "lines_added": taken.added, "lines_known": taken.known, "lines_refused": refused_lines,
                "lines_of_other_accounts": taken.strangers.values().sum::<u64>(),
                "lines_not_paid_out": taken.not_paid_out, "lines_contradicting": taken.contradicting.len(),
                "lines_differing": taken.differing.len(),
                "matched_by_transaction": taken.by_transaction, "matched_by_reference": taken.by_reference,
                "matched_by_person": taken.by_person, "unmatched": taken.unmatched, "ambiguous": taken.ambiguous,
            }),
            FileOutcome::Known { name } => json!({"outcome": "known", "as": name}),
            FileOutcome::Refused { why } => json!({"outcome": "refused", "why": why}),
            FileOutcome::Waits { why } => json!({"outcome": "waits", "why": why}),
        };
        if let (Some(document), Value::Object(outcome)) = (document.as_object_mut(), outcome) {
            document.extend(outcome);
        }
        document
    }

    pub(super) fn level(&self) -> Level {
        match self.outcome {
            FileOutcome::Taken { .. } => Level::Info,
            FileOutcome::Known { .. } => Level::Detail,
            FileOutcome::Refused { .. } => Level::Error,
            FileOutcome::Waits { .. } => Level::Warning,
        }
    }

    /// One line of the log.
    pub fn line(&self) -> String {
        let origin = &self.origin;
        let digest = self.digest.get(..16).unwrap_or_default();
        match &self.outcome {
            FileOutcome::Taken { format, taken, refused_lines } => {
                let strangers: u64 = taken.strangers.values().sum();
                let not_paid_out = match taken.not_paid_out {
                    0 => String::new(),
                    lines => format!(" ({lines} of them name no payout)"),
                };
                format!(
                    "report {origin} ({format}, blake3 {digest}): {} new lines, {} known, {} left out{not_paid_out}; {} matched by \
                     transaction, {} by reference, {} by a person, {} unmatched, {} ambiguous",
                    taken.added,
                    taken.known,
                    refused_lines + strangers + taken.not_paid_out,
                    taken.by_transaction,
                    taken.by_reference,
                    taken.by_person,
                    taken.unmatched,
                    taken.ambiguous
                )
            }
            FileOutcome::Known { name } => format!("report {origin} (blake3 {digest}): read before as {name}"),
            FileOutcome::Refused { why } => format!("report {origin} (blake3 {digest}): refused: {why}"),
            FileOutcome::Waits { why } => format!("report {origin}: not read in this run: {why}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Provider { provider, payout } => write!(f, "of {provider}, payout {payout}"),
        }
    }
}
