//! Money the shop imported as collected without the PSP's id: which of the PSP's captures it is.

use super::{Desk, ours};
use crate::domain::consequence::LearntFrom;
use crate::domain::money::Amount;
use crate::domain::movement::{Movement, MovementKind};
use crate::provider::{ModificationKind, ModificationState, PspModification};
use crate::task::Step;

impl Desk<'_> {
    /// What the shop imported as collected under the transaction's own id, unless the PSP has a capture of that id.
    pub(super) fn handed_over(&self) -> Option<&Movement> {
        // The lines of a report were held against it before.
        if self.source == LearntFrom::Settlement {
            return None;
        }
        let own = self.payment.transaction.as_str();
        let named = self.captures().any(|capture| capture.id.as_str() == own);
        self.movements.iter().find(|movement| {
            let unnamed = movement.modification.as_str() == own && !named;
            let is_imported = movement.operation.is_none() && movement.learnt_from != LearntFrom::Settlement;
            movement.kind == MovementKind::Capture && is_imported && unnamed
        })
    }

    fn captures(&self) -> impl Iterator<Item = &PspModification> {
        self.psp.modifications.iter().filter(|modification| modification.kind == ModificationKind::Capture)
    }

    /// Captures at the PSP that may be what was handed over: not ours, and not known by their own ids.
    fn nameless(&self) -> impl Iterator<Item = &PspModification> {
        self.captures().filter(|capture| {
            let known =
                |movement: &Movement| movement.kind == MovementKind::Capture && movement.modification == capture.id;
            ours(capture, self.operations).is_none() && !self.movements.iter().any(known)
        })
    }

    /// Of several captures of just that amount the first is the one that was handed over; the others are facts of their own.
    pub(super) fn is_the_one(&self, imported: &Movement) -> Option<&PspModification> {
        self.nameless().find(|capture| capture.amount == imported.amount)
    }

    /// What was handed over stands for captures the PSP made in parts: none of them is booked beside it.
    pub(super) fn is_in_parts(&self) -> Option<&Movement> {
        self.handed_over().filter(|imported| self.is_the_one(imported).is_none())
    }

    /// The parts must sum to it, or nobody knows what of them is in the books: told as long as they do not.
    pub(super) fn parts_differ(&self) -> Option<Step> {
        let imported = self.is_in_parts()?;
        let stands = |part: &&PspModification| !matches!(part.state, ModificationState::Failed { .. });
        let parts: Vec<&PspModification> = self.nameless().collect();
        let standing = parts.iter().copied().filter(stands).map(|part| part.amount);
        let sum = Amount::sum(imported.amount.currency(), standing).ok();
        if parts.is_empty() || sum == Some(imported.amount) {
            return None;
        }
        let named: Vec<String> = parts.iter().map(|part| part.amount.to_string()).collect();
        let together = sum.map_or_else(|| "several currencies".to_owned(), |sum| sum.to_string());
        let message = format!(
            "imported as collected with {}, and the PSP lists captures of {}, of which {together} stands; none of them is booked \
             beside it, and nothing more is taken from this payment or given back. Find out which is right, and book the \
             difference by hand",
            imported.amount,
            named.join(", ")
        );
        Some(self.differs(imported, message))
    }
}
