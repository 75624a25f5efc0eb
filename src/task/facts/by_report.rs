//! Movements a settlement report told of under a name of its own: which of the PSP's modifications they are.

use super::{Desk, has_another_id, movement_kind, ours};
use crate::domain::consequence::LearntFrom;
use crate::domain::money::Amount;
use crate::domain::movement::{Movement, MovementKind};
use crate::provider::{ModificationState, PspModification};
use crate::task::Step;

impl Desk<'_> {
    /// Learnt from a report under an id that the PSP does not list.
    fn report_named(&self, kind: MovementKind) -> impl Iterator<Item = &Movement> {
        let is_listed = move |movement: &Movement| {
            self.psp
                .modifications
                .iter()
                .any(|other| movement_kind(other.kind) == Some(kind) && other.id == movement.modification)
        };
        // What a report says is held against the ledger line by line, before.
        let asks = self.source != LearntFrom::Settlement;
        self.movements.iter().filter(move |movement| {
            asks && movement.kind == kind && movement.learnt_from == LearntFrom::Settlement && !is_listed(movement)
        })
    }

    /// The report's name for the effect of an operation of ours: the PSP gives back the key.
    pub(super) fn claimed(&self, modification: &PspModification) -> Option<&Movement> {
        let operation = ours(modification, self.operations)?;
        self.report_named(movement_kind(modification.kind)?).find(|movement| movement.operation == Some(operation.id))
    }

    /// Modifications nothing in the ledger has the id or the key of.
    fn nobodys(&self, kind: MovementKind) -> impl Iterator<Item = &PspModification> {
        self.psp.modifications.iter().filter(move |other| {
            let is_known = |movement: &Movement| movement.kind == kind && movement.modification == other.id;
            movement_kind(other.kind) == Some(kind)
                && other.state != ModificationState::Accepted
                && ours(other, self.operations).is_none_or(|operation| has_another_id(other, operation))
                && self.claimed(other).is_none()
                && !self.movements.iter().any(is_known)
                && !(kind == MovementKind::Capture
                    && self
                        .handed_over()
                        .and_then(|imported| self.is_the_one(imported))
                        .is_some_and(|one| one.id == other.id))
        })
    }

    /// Named by a report, and not the effect of an operation whose modification the PSP lists.
    fn unclaimed(&self, kind: MovementKind) -> impl Iterator<Item = &Movement> {
        self.report_named(kind).filter(|movement| {
            let all = self.psp.modifications.iter();
            !all.filter_map(|other| self.claimed(other)).any(|claimed| claimed.id == movement.id)
        })
    }

    /// What a report told of and this are the same: by our key, else the n-th of an amount is the n-th of that amount.
    pub(super) fn by_report(&self, modification: &PspModification) -> Option<&Movement> {
        if let Some(claimed) = self.claimed(modification) {
            return Some(claimed);
        }
        let kind = movement_kind(modification.kind)?;
        let same = |amount: Amount| amount == modification.amount;
        let mut listed = self.nobodys(kind).filter(|other| same(other.amount));
        let place = listed.position(|other| other.id == modification.id)?;
        self.unclaimed(kind).filter(|movement| same(movement.amount)).nth(place)
    }

    /// What a report told of with another amount than any the PSP lists; not what failed after all.
    fn unfound(&self, kind: MovementKind) -> Vec<&Movement> {
        let found: Vec<&Movement> = self.nobodys(kind).filter_map(|other| self.by_report(other)).collect();
        self.unclaimed(kind)
            .filter(|movement| self.failure_of(movement).is_none() && !found.iter().any(|it| it.id == movement.id))
            .collect()
    }

    /// It may be what a report told of in other parts: not booked beside it.
    pub(super) fn may_be_reported(&self, modification: &PspModification) -> bool {
        let Some(kind) = movement_kind(modification.kind) else { return false };
        self.nobodys(kind).any(|other| other.id == modification.id) && !self.unfound(kind).is_empty()
    }

    /// The parts must sum to what the report told of, or nobody knows what of them is in the books.
    pub(super) fn report_differs(&self) -> Option<Step> {
        [MovementKind::Capture, MovementKind::Refund].into_iter().find_map(|kind| {
            let unfound = self.unfound(kind);
            let first = unfound.first()?;
            let stands = |part: &&PspModification| matches!(part.state, ModificationState::Confirmed { .. });
            let parts: Vec<&PspModification> =
                self.nobodys(kind).filter(|other| self.by_report(other).is_none()).filter(stands).collect();
            let currency = first.amount.currency();
            let told = Amount::sum(currency, unfound.iter().map(|movement| movement.amount)).ok();
            if parts.is_empty() || Amount::sum(currency, parts.iter().map(|part| part.amount)).ok() == told {
                return None;
            }
            let told: Vec<String> = unfound.iter().map(|movement| movement.amount.to_string()).collect();
            let listed: Vec<String> = parts.iter().map(|part| format!("{} over {}", part.id, part.amount)).collect();
            let message = format!(
                "a settlement report had {}, under another name, and the PSP lists {}; it is not booked beside it, and nothing more \
                 is taken from this payment or given back. Find out which is right, and book the difference by hand",
                told.join(", "),
                listed.join(", ")
            );
            Some(self.differs(first, message))
        })
    }
}
