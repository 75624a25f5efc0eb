//! Captures beyond what was authorised: booked, as every fact is (rule 2), and told.

use super::Desk;
use crate::domain::consequence::Consequence;
use crate::domain::exception::{ExceptionDraft, ExceptionKind};
use crate::domain::money::Amount;
use crate::domain::movement::MovementKind;
use crate::operation::{Answer, Kind};
use crate::task::{Action, Step};

impl Desk<'_> {
    /// Told with the capture that goes beyond, once: it is a fact, not a condition that goes away.
    pub(super) fn beyond_authorised(&self, news: &[Step]) -> Option<Step> {
        let consequences = || {
            news.iter().filter_map(|step| {
                if let Action::Record(consequence) = &step.action { Some(consequence) } else { None }
            })
        };
        let is_news = |consequence: &Consequence| matches!(consequence, Consequence::Movement(draft) if draft.kind == MovementKind::Capture);
        if !consequences().any(is_news) {
            return None;
        }
        let known = self.payment.authorised;
        // What the PSP says now may be another amount than the ledger has: it was raised, or a part was given back.
        let said = self.psp.authorised.filter(|said| said.checked_sub(known).is_ok_and(Amount::is_positive));
        let authorised = said.unwrap_or(known);
        // Of a page that was left open nobody has said.
        if !authorised.is_positive() {
            return None;
        }
        let recorded = self.movements.iter().filter_map(|movement| signed(movement.kind, movement.amount));
        let new = consequences().filter_map(|consequence| self.captured_by(consequence));
        let captured = Amount::sum(authorised.currency(), recorded.chain(new)).ok()?;
        let beyond = captured.checked_sub(authorised).ok().filter(|beyond| beyond.is_positive())?;
        let draft = ExceptionDraft {
            kind: ExceptionKind::AmountDiffers,
            subject: format!("captures of {}", self.name),
            message: format!(
                "{} captures of {captured} in all, and {authorised} was authorised: {beyond} too much. All of it is booked, and nothing \
                 more is taken from this payment or given back until a person has ended this: ask the PSP what was taken twice, settle \
                 it with the PSP or the customer, then `payjournal resolve` this exception",
                self.says()
            ),
            about: self.about,
        };
        Some(Step::record(self.name.clone(), draft.message.clone(), Consequence::Raise(draft)))
    }

    /// What a consequence adds to the captures.
    fn captured_by(&self, consequence: &Consequence) -> Option<Amount> {
        if let Consequence::Movement(draft) = consequence {
            return signed(draft.kind, draft.amount);
        }
        let Consequence::Settle { operation, answer: Answer::Confirmed { amount, .. }, .. } = consequence else {
            return None;
        };
        let is_capture = self.operations.iter().any(|it| it.id == *operation && it.kind == Kind::Capture);
        amount.filter(|_| is_capture)
    }
}

/// Negative where a capture failed after all.
fn signed(kind: MovementKind, amount: Amount) -> Option<Amount> {
    match kind {
        MovementKind::Capture => Some(amount),
        MovementKind::CaptureFailure => Some(amount.negated()),
        MovementKind::Refund
        | MovementKind::RefundFailure
        | MovementKind::Chargeback
        | MovementKind::ChargebackReversed => None,
    }
}
