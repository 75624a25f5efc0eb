//! Payments of whose order more was settled than the ledger knows to have moved. For a report that is large against the ledger all
//! orders at once: three tables are read from end to end and compared in memory, as a look-up for each line, or a join, would take
//! several times as long. For any other, the orders that its lines were counted to, in their order: neighbours in all tables.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, Row};

use super::file_of;
use super::index::connect;
use super::learning::{ASKED, CAPTURED, REFUNDED};
use super::touched::IdSet;
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

/// What tells whether a payment is worth a look, in one row.
#[derive(Debug, Clone, Copy)]
struct Sums {
    sold: i64,
    /// Positive.
    settled_back: i64,
    has_other: bool,
    captured: i64,
    refunded: i64,
}

/// Over many payments.
struct Judge {
    asked: HashSet<i64>,
    units: BTreeMap<String, i64>,
}

impl Judge {
    fn of(writer: &Writer<'_>) -> Result<Self> {
        let mut asked = writer.connection.prepare_cached(ASKED)?;
        let asked = asked.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(Self { asked, units: BTreeMap::new() })
    }

    /// [`super::learning::WORTH_A_LOOK`] of a row with the payment's currency.
    fn is_worth_a_look(&mut self, payment: i64, row: &Row<'_>, sums: Sums) -> Result<bool> {
        let code = row.text("currency")?;
        let unit = match self.units.get(code) {
            Some(unit) => *unit,
            None => *self.units.entry(code.to_owned()).or_insert(unit(row.currency()?)),
        };
        Ok(sums.sold > sums.captured.saturating_mul(unit)
            || (sums.settled_back > 0 && sums.settled_back > sums.refunded.saturating_mul(unit))
            || (sums.has_other && sums.captured == 0)
            || self.asked.contains(&payment))
    }
}

impl Writer<'_> {
    /// Those for which [`super::learning::WORTH_A_LOOK`] holds, but for what has no order.
    pub(super) fn exceeding_payments(&self) -> Result<Vec<PaymentId>> {
        let (settled, Moved { captured, refunded }) = self.settled_and_moved()?;
        let mut judge = Judge::of(self)?;
        let mut found = Vec::new();
        let mut statement =
            self.connection.prepare_cached("SELECT id, order_id, currency FROM payments WHERE order_id IS NOT NULL")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, order): (i64, i64) = (row.get(0)?, row.get(1)?);
            let sums = Sums {
                sold: settled.sold.of(order),
                settled_back: settled.refunded.of(order),
                has_other: settled.other.contains(&order),
                captured: captured.of(id),
                refunded: refunded.of(id),
            };
            if judge.is_worth_a_look(id, row, sums)? {
                found.push(PaymentId(id));
            }
        }
        Ok(found)
    }

    /// The same of the payments of these orders.
    pub(super) fn exceeding_payments_of(&self, orders: &IdSet) -> Result<Vec<PaymentId>> {
        let mut judge = Judge::of(self)?;
        let mut found = Vec::new();
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT pay.id, pay.currency, s.sold_micros, -s.refunded_micros, s.other_currency > 0, {CAPTURED},
               CASE WHEN s.refunded_micros < 0 THEN {REFUNDED} ELSE 0 END
             FROM json_each(?1) touched CROSS JOIN order_settlements s ON s.order_id = touched.value
             CROSS JOIN payments pay ON pay.order_id = s.order_id"
        ))?;
        for some in orders.as_json() {
            let mut rows = statement.query([some])?;
            while let Some(row) = rows.next()? {
                let id = row.get(0)?;
                let sums = Sums {
                    sold: row.get(2)?,
                    settled_back: row.get(3)?,
                    has_other: row.get(4)?,
                    captured: row.get(5)?,
                    refunded: row.get(6)?,
                };
                if judge.is_worth_a_look(id, row, sums)? {
                    found.push(PaymentId(id));
                }
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

    /// The movements are read beside, through a connection of its own: no lines that are taken over write any.
    fn settled_and_moved(&self) -> Result<(Settled, Moved)> {
        let Some(beside) = file_of(self.connection).and_then(|path| connect(&path).ok()) else {
            return Ok((self.settled_by_order()?, Moved::of(self.connection)?));
        };
        std::thread::scope(|scope| {
            let moved = scope.spawn(move || Moved::of(&beside));
            let settled = self.settled_by_order()?;
            Ok((settled, moved.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?))
        })
    }
}

/// Captures, and refunds, less what of them failed after all, by payment.
#[derive(Debug, Default)]
struct Moved {
    captured: ByRow,
    refunded: ByRow,
}

impl Moved {
    fn of(connection: &Connection) -> Result<Self> {
        let mut moved = Self::default();
        let mut statement = connection.prepare_cached("SELECT payment_id, kind, amount_minor FROM movements")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (payment, minor): (i64, i64) = (row.get(0)?, row.get(2)?);
            match row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)? {
                "capture" => moved.captured.add(payment, minor),
                "capture_failure" => moved.captured.add(payment, -minor),
                "refund" => moved.refunded.add(payment, minor),
                "refund_failure" => moved.refunded.add(payment, -minor),
                // Moves neither.
                _ => {}
            }
        }
        Ok(moved)
    }
}

/// Millionths per smallest coin.
pub(super) fn unit(currency: Currency) -> i64 {
    (currency.exponent()..6).fold(1, |unit, _| unit * 10)
}
