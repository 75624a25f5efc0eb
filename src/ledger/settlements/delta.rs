//! What settlement lines add to their orders.

use super::overflow;
use crate::domain::id::OrderId;
use crate::domain::settlement::LineKind;
use crate::ledger::{Result, Writer};

/// What a line adds to its order, in millionths.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OrderDelta {
    pub(super) lines: i64,
    pub(super) sold: i64,
    pub(super) refunded: i64,
    pub(super) disputed: i64,
    pub(super) other_currency: i64,
}

impl OrderDelta {
    /// Of one line: `presented` is what the customer saw of it, in millionths.
    pub(super) fn of(kind: LineKind, presented: i64, is_orders_currency: bool) -> Self {
        let mut delta = Self { lines: 1, ..Self::default() };
        if !is_orders_currency {
            delta.other_currency = 1;
            return delta;
        }
        match kind {
            LineKind::Sale | LineKind::CaptureAdjustment => delta.sold = presented,
            LineKind::Refund | LineKind::RefundReversed => delta.refunded = presented,
            LineKind::Chargeback | LineKind::SecondChargeback | LineKind::ChargebackReversed => {
                delta.disputed = presented;
            }
            LineKind::Fee
            | LineKind::FeeTax
            | LineKind::ReserveHeld
            | LineKind::ReserveReleased
            | LineKind::Correction
            | LineKind::BalanceTransfer
            | LineKind::ForeignExchange
            | LineKind::Payout
            | LineKind::PayoutFailed
            | LineKind::Unknown => {}
        }
        delta
    }

    pub(super) fn plus(self, other: &Self) -> Option<Self> {
        Some(Self {
            lines: self.lines + other.lines,
            sold: self.sold.checked_add(other.sold)?,
            refunded: self.refunded.checked_add(other.refunded)?,
            disputed: self.disputed.checked_add(other.disputed)?,
            other_currency: self.other_currency + other.other_currency,
        })
    }

    pub(super) fn negated(self) -> Self {
        Self {
            lines: -self.lines,
            sold: -self.sold,
            refunded: -self.refunded,
            disputed: -self.disputed,
            other_currency: -self.other_currency,
        }
    }
}

/// Sorted by order: neighbours in the table.
pub(super) fn add_to_orders(writer: &Writer<'_>, deltas: &[(OrderId, OrderDelta)]) -> Result<()> {
    let mut statement = writer.connection.prepare_cached(
        "INSERT INTO order_settlements (order_id, lines, sold_micros, refunded_micros, disputed_micros, other_currency)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET lines = lines + ?2, sold_micros = sold_micros + ?3, refunded_micros = refunded_micros + ?4,
           disputed_micros = disputed_micros + ?5, other_currency = other_currency + ?6",
    )?;
    for of_order in deltas.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((order, _)) = of_order.first() else { continue };
        let mut sum = OrderDelta::default();
        for (_, delta) in of_order {
            sum = sum.plus(delta).ok_or_else(overflow)?;
        }
        statement.execute((order.0, sum.lines, sum.sold, sum.refunded, sum.disputed, sum.other_currency))?;
    }
    Ok(())
}
