//! What a payment's movements and our operations on it come to. The rows are few and read once, in two short queries: as sums
//! in the payment's own query they were most of what a run read.

use rusqlite::{Connection, Row};

use super::{LedgerError, Result};
use crate::domain::id::PaymentId;
use crate::domain::movement::{Movement, MovementKind};
use crate::operation::{Kind, Operation, State};

/// In minor units. `captured` and `refunded` are facts; `claimed` is what our live intents and other people's facts have used
/// up, and what the PSP moved beyond an intent. A movement that was known before our operation for it had an answer is counted
/// by the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) claimed: i64,
    pub(super) refund_claimed: i64,
    /// Less what was won back.
    pub(super) charged_back: i64,
}

/// Live intents, of captures and refunds only, and movements in one.
const PARTS: &str = "
    SELECT kind, amount_minor, modification_id, id AS operation_id, 1 AS is_intent FROM operations
    WHERE payment_id = ?1 AND kind IN ('capture', 'refund') AND state NOT IN ('refused', 'withdrawn')
    UNION ALL SELECT kind, amount_minor, modification_id, operation_id, 0 FROM movements WHERE payment_id = ?1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Capture,
    Refund,
    Chargeback,
}

/// An intent, or a movement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    side: Side,
    /// What failed after all, or was won back, takes away.
    is_failure: bool,
    minor: i64,
    modification: Option<String>,
    /// The intent itself, or the operation the movement belongs to.
    operation: Option<i64>,
    is_intent: bool,
}

impl Figures {
    pub(super) fn of(connection: &Connection, payment: PaymentId) -> Result<Self> {
        let mut statement = connection.prepare_cached(PARTS)?;
        let parts = statement.query_and_then([payment.0], Part::read)?.collect::<Result<Vec<_>>>()?;
        Self::sum(&parts).ok_or_else(|| too_large(payment))
    }

    /// Of a payment's captures and refunds and of its movements that were read already, all of them.
    pub(super) fn from_history(payment: PaymentId, operations: &[Operation], movements: &[Movement]) -> Result<Self> {
        let intents = operations.iter().filter_map(Part::intent);
        let parts: Vec<Part> = intents.chain(movements.iter().map(Part::movement)).collect();
        Self::sum(&parts).ok_or_else(|| too_large(payment))
    }

    fn sum(parts: &[Part]) -> Option<Self> {
        Some(Self {
            captured: moved(parts, Side::Capture)?,
            refunded: moved(parts, Side::Refund)?,
            claimed: claimed(parts, Side::Capture)?,
            refund_claimed: claimed(parts, Side::Refund)?,
            // Money is won back once more than its chargeback is known of where that report is late.
            charged_back: moved(parts, Side::Chargeback)?.max(0),
        })
    }
}

fn too_large(payment: PaymentId) -> LedgerError {
    LedgerError::damaged(format!("the sums of payment {payment} are too large"))
}

impl Part {
    /// A live capture or refund of ours.
    fn intent(operation: &Operation) -> Option<Self> {
        let side = match operation.kind {
            Kind::Capture => Side::Capture,
            Kind::Refund => Side::Refund,
            Kind::Collect
            | Kind::Release
            | Kind::Journal
            | Kind::PayoutJournal
            | Kind::Mail
            | Kind::Cancel
            | Kind::Delete
            | Kind::Event => {
                return None;
            }
        };
        let is_live = !matches!(operation.state, State::Refused | State::Withdrawn);
        Some(Self {
            side,
            is_failure: false,
            minor: operation.amount.filter(|_| is_live)?.minor(),
            modification: operation.modification.as_ref().map(ToString::to_string),
            operation: Some(operation.id.0),
            is_intent: true,
        })
    }

    fn movement(movement: &Movement) -> Self {
        let (side, is_failure) = match movement.kind {
            MovementKind::Capture => (Side::Capture, false),
            MovementKind::CaptureFailure => (Side::Capture, true),
            MovementKind::Refund => (Side::Refund, false),
            MovementKind::RefundFailure => (Side::Refund, true),
            MovementKind::Chargeback => (Side::Chargeback, false),
            MovementKind::ChargebackReversed => (Side::Chargeback, true),
        };
        Self {
            side,
            is_failure,
            minor: movement.amount.minor(),
            modification: Some(movement.modification.to_string()),
            operation: movement.operation.map(|id| id.0),
            is_intent: false,
        }
    }

    fn read(row: &Row<'_>) -> Result<Self> {
        let kind = row.get_ref(0)?.as_str().map_err(|error| LedgerError::damaged(format!("kind: {error}")))?;
        let (side, is_failure) = match kind {
            "capture" => (Side::Capture, false),
            "capture_failure" => (Side::Capture, true),
            "refund" => (Side::Refund, false),
            "refund_failure" => (Side::Refund, true),
            "chargeback" => (Side::Chargeback, false),
            "chargeback_reversed" => (Side::Chargeback, true),
            other => return Err(LedgerError::damaged(format!("`{other}` as kind"))),
        };
        Ok(Self {
            side,
            is_failure,
            minor: row.get(1)?,
            modification: row.get(2)?,
            operation: row.get(3)?,
            is_intent: row.get(4)?,
        })
    }

    fn signed(&self) -> Option<i64> {
        if self.is_failure { self.minor.checked_neg() } else { Some(self.minor) }
    }
}

fn sum(minors: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    minors.into_iter().try_fold(0_i64, |sum, minor| sum.checked_add(minor?))
}

fn movements(parts: &[Part], side: Side) -> impl Iterator<Item = &Part> {
    parts.iter().filter(move |part| !part.is_intent && part.side == side)
}

fn moved(parts: &[Part], side: Side) -> Option<i64> {
    sum(movements(parts, side).map(Part::signed))
}

fn claimed(parts: &[Part], side: Side) -> Option<i64> {
    let intents = || parts.iter().filter(|part| part.is_intent);
    let intended = sum(intents().filter(|intent| intent.side == side).map(|intent| Some(intent.minor)))?;
    let is_intended = |movement: &Part| {
        let same = |intent: &Part| intent.side == side && intent.modification == movement.modification;
        movement.operation.is_some() || intents().any(same)
    };
    let unasked = sum(movements(parts, side).filter(|movement| !is_intended(movement)).map(Part::signed))?;
    let beyond = movements(parts, side).filter(|movement| !movement.is_failure).filter_map(|movement| {
        let intent = intents().find(|intent| intent.operation == movement.operation)?;
        Some(movement.minor.checked_sub(intent.minor).map(|beyond| beyond.max(0)))
    });
    intended.checked_add(unasked)?.checked_add(sum(beyond)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(side: Side, operation: i64, minor: i64, modification: Option<&str>) -> Part {
        let modification = modification.map(str::to_owned);
        Part { side, is_failure: false, minor, modification, operation: Some(operation), is_intent: true }
    }

    fn movement(side: Side, operation: Option<i64>, minor: i64, modification: &str) -> Part {
        let modification = Some(modification.to_owned());
        Part { side, is_failure: false, minor, modification, operation, is_intent: false }
    }

    #[test]
    fn an_intent_and_its_movement_are_claimed_once() {
        let parts = [
            intent(Side::Capture, 1, 500, Some("c1")),
            movement(Side::Capture, Some(1), 500, "c1"),
            intent(Side::Refund, 2, 200, None),
        ];
        let expected = Figures { captured: 500, refunded: 0, claimed: 500, refund_claimed: 200, charged_back: 0 };
        assert_eq!(Figures::sum(&parts), Some(expected));
    }

    #[test]
    fn what_nobody_here_asked_for_and_what_is_beyond_an_intent_is_claimed_too() {
        let parts = [
            intent(Side::Capture, 1, 500, Some("c1")),
            movement(Side::Capture, Some(1), 600, "c1"),
            movement(Side::Capture, None, 50, "theirs"),
            // Known before our operation had an answer: the operation counts.
            intent(Side::Capture, 2, 70, Some("c2")),
            movement(Side::Capture, None, 70, "c2"),
        ];
        let expected = Figures { captured: 720, refunded: 0, claimed: 720, refund_claimed: 0, charged_back: 0 };
        assert_eq!(Figures::sum(&parts), Some(expected));
    }

    #[test]
    fn a_chargeback_is_no_refund_and_what_is_won_back_takes_it_away() {
        let won = |minor| Part { is_failure: true, ..movement(Side::Chargeback, None, minor, "w") };
        let charged =
            |parts: &[Part]| Figures::sum(parts).map(|figures| (figures.refund_claimed, figures.charged_back));
        assert_eq!(charged(&[movement(Side::Chargeback, None, 500, "c"), won(200)]), Some((0, 300)));
        assert_eq!(charged(&[won(200)]), Some((0, 0)));
    }

    #[test]
    fn what_failed_after_all_takes_away_and_too_large_sums_are_damage() {
        let failed = Part { is_failure: true, ..movement(Side::Refund, None, 50, "r1") };
        let parts = [movement(Side::Refund, None, 50, "r1"), failed];
        let expected = Figures { captured: 0, refunded: 0, claimed: 0, refund_claimed: 0, charged_back: 0 };
        assert_eq!(Figures::sum(&parts), Some(expected));
        let parts = [movement(Side::Capture, None, i64::MAX, "a"), movement(Side::Capture, None, 1, "b")];
        assert_eq!(Figures::sum(&parts), None);
    }
}
