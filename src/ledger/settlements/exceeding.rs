//! Payments of whose order more was settled than the ledger knows to have moved: all orders at once, for a report that is large
//! against the ledger. Three tables are read from end to end and compared in memory: a look-up for each line, or a join, would
//! take several times as long.

use std::collections::{BTreeMap, HashSet};

use super::learning::ASKED;
use crate::domain::id::PaymentId;
use crate::domain::money::Currency;
use crate::ledger::row::Columns;
use crate::ledger::{Result, Writer};

/// By row id, which are given one after the other.
#[derive(Debug, Default)]
struct ByRow(Vec<i64>);

impl ByRow {
    fn add(&mut self, row: i64, amount: i64) {
        let Ok(at) = usize::try_from(row) else { return };
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        if let Some(sum) = self.0.get_mut(at) {
            *sum = sum.saturating_add(amount);
        }
    }

    fn of(&self, row: i64) -> i64 {
        usize::try_from(row).ok().and_then(|at| self.0.get(at)).copied().unwrap_or(0)
    }
}

/// What was settled for each order, in millionths.
#[derive(Debug, Default)]
struct Settled {
    sold: ByRow,
    refunded: ByRow,
    /// Orders with something in another currency.
    other: HashSet<i64>,
}

impl Writer<'_> {
    /// Those for which [`super::learning::WORTH_A_LOOK`] holds, but for what has no order.
    pub(super) fn exceeding_payments(&self) -> Result<Vec<PaymentId>> {
        let settled = self.settled_by_order()?;
        let (captured, refunded) = self.moved_by_payment()?;
        let mut asked = self.connection.prepare_cached(ASKED)?;
        let asked: HashSet<i64> = asked.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let mut units: BTreeMap<String, i64> = BTreeMap::new();
        let mut found = Vec::new();
        let mut statement =
            self.connection.prepare_cached("SELECT id, order_id, currency FROM payments WHERE order_id IS NOT NULL")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, order): (i64, i64) = (row.get(0)?, row.get(1)?);
            let code = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            let unit = match units.get(code) {
                Some(unit) => *unit,
                None => *units.entry(code.to_owned()).or_insert(unit(row.currency()?)),
            };
            let exceeds = settled.sold.of(order) > captured.of(id).saturating_mul(unit)
                || settled.refunded.of(order) > refunded.of(id).saturating_mul(unit)
                || (captured.of(id) == 0 && settled.other.contains(&order))
                || asked.contains(&id);
            if exceeds {
                found.push(PaymentId(id));
            }
        }
        Ok(found)
    }

    fn settled_by_order(&self) -> Result<Settled> {
        let mut settled = Settled::default();
        let mut statement = self
            .connection
            .prepare_cached("SELECT order_id, sold_micros, refunded_micros, other_currency FROM order_settlements")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (order, refunded, other): (i64, i64, i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
            settled.sold.add(order, row.get(1)?);
            if refunded != 0 {
                settled.refunded.add(order, refunded.saturating_neg());
            }
            if other > 0 {
                settled.other.insert(order);
            }
        }
        Ok(settled)
    }

    /// Captures, and refunds, less what of them failed after all.
    fn moved_by_payment(&self) -> Result<(ByRow, ByRow)> {
        let (mut captured, mut refunded) = (ByRow::default(), ByRow::default());
        let mut statement = self.connection.prepare_cached("SELECT payment_id, kind, amount_minor FROM movements")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (payment, minor): (i64, i64) = (row.get(0)?, row.get(2)?);
            match row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)? {
                "capture" => captured.add(payment, minor),
                "capture_failure" => captured.add(payment, -minor),
                "refund" => refunded.add(payment, minor),
                "refund_failure" => refunded.add(payment, -minor),
                // Moves neither.
                _ => {}
            }
        }
        Ok((captured, refunded))
    }
}

/// Millionths per smallest coin.
pub(super) fn unit(currency: Currency) -> i64 {
    (currency.exponent()..6).fold(1, |unit, _| unit * 10)
}
