//! Collections: what the PSP made of one is a payment on its mandate, which its answer names, and once it is confirmed its money is there.

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::ledger::row::Columns;

pub(super) const CHECKS: [Check; 1] = [
    // The PSP may have moved what is no amount of this currency; then a person was told.
    Check {
        name: "collection-payment",
        sql: "SELECT o.id AS operation, o.state, ifnull(p.transaction_id, 'none') AS transaction_id FROM operations o
              JOIN mandates t ON t.id = o.mandate_id
              LEFT JOIN collected_payments c ON c.operation_id = o.id LEFT JOIN payments p ON p.id = c.payment_id
              WHERE o.kind = 'collect' AND (
                (o.state IN ('accepted', 'confirmed') AND p.id IS NULL)
                OR p.provider <> t.provider OR p.merchant_account <> t.merchant_account OR p.currency <> o.currency
                OR (o.state IN ('accepted', 'confirmed') AND p.transaction_id IS NOT o.modification_id)
                OR (o.state = 'confirmed' AND NOT EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = p.id AND m.kind = 'capture')
                    AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.kind = 'amount_differs' AND e.payment_id = p.id)))
              UNION ALL SELECT c.operation_id, ifnull(o.state, 'gone'), c.payment_id FROM collected_payments c
              LEFT JOIN operations o ON o.id = c.operation_id WHERE o.kind IS NOT 'collect'",
        judge: without_its_payment,
    },
];

fn without_its_payment(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, state): (i64, String) = (row.plain("operation")?, row.plain("state")?);
    let what = format!("it is {state}, and its payment or the money of it is not there, or is another account's");
    Ok(Some(Fault::tampered(format!("operation {id} (collect)"), &what)))
}
