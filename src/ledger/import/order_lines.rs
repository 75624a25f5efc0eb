//! Lines of orders from a file: they may change until the order is invoiced.

use super::{Mark, Verdict, deleted};
use crate::domain::id::OrderId;
use crate::domain::invoice::pricing::OrderLine;
use crate::exchange::import::order_line::{LINE, ORDER};
use crate::exchange::import::{ImportKind, Objection, OrderLineRecord};
use crate::ledger::invoices::{is_invoiced, order_line};
use crate::ledger::{Result, Writer};

/// More lines than an order can have (see the field `line`): makes one number of an order and a line of it.
const LINES: i64 = 1 << 20;

impl Writer<'_> {
    pub fn import_order_line(&self, record: &OrderLineRecord, mark: Mark) -> Result<Verdict> {
        self.import_row(|| {
            let OrderLineRecord { shop, order: number, line } = record;
            let Some((order, _)) = self.order_by_key(shop, number)? else {
                let why = format!("is not known in shop `{shop}`; import orders first");
                return Ok(Verdict::Refused(vec![Objection::to_value(&ORDER, number.as_str(), why)]));
            };
            if self.is_deleted(order)? {
                return Ok(Verdict::Refused(vec![Objection::to_value(&ORDER, number.as_str(), deleted(number))]));
            }
            let row = order.0.saturating_mul(LINES).saturating_add(i64::from(line.line));
            let value = line.line.to_string();
            if let Some(verdict) = self.repeated(ImportKind::OrderLines, row, mark, &LINE, &value)? {
                return Ok(verdict);
            }
            let known = order_line(self.connection, order, line.line)?;
            let is_out = line.quantity.is_zero();
            if known.as_ref() == Some(line) || is_out && known.is_none() {
                self.saw(ImportKind::OrderLines, row, mark)?;
                return Ok(Verdict::Unchanged);
            }
            if is_invoiced(self.connection, order)? {
                let why = format!("cannot change: order `{number}` is invoiced");
                return Ok(Verdict::Refused(vec![Objection::to_value(&LINE, &value, why)]));
            }
            self.saw(ImportKind::OrderLines, row, mark)?;
            if is_out {
                self.connection
                    .prepare_cached("DELETE FROM order_lines WHERE order_id = ?1 AND line = ?2")?
                    .execute((order.0, line.line))?;
            } else {
                self.put_order_line(order, line)?;
            }
            Ok(if known.is_some() { Verdict::Changed } else { Verdict::New })
        })
    }

    fn put_order_line(&self, order: OrderId, line: &OrderLine) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO order_lines (order_id, line, item, description, quantity, unit_price, tax_rate)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (order_id, line) DO UPDATE SET item = excluded.item, description = excluded.description,
                   quantity = excluded.quantity, unit_price = excluded.unit_price, tax_rate = excluded.tax_rate",
            )?
            .execute((
                order.0,
                line.line,
                &line.item,
                &line.description,
                line.quantity.to_string(),
                line.unit_price.to_string(),
                line.tax_rate.to_string(),
            ))?;
        Ok(())
    }
}
