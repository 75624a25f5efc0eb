//! What is left over between money, entries and invoices: what an accountant looks through at the end of a month.

use chrono::NaiveDate;
use rusqlite::Row;
use serde::Serialize;

use super::row::Columns;
use super::{Ledger, Result};
use crate::domain::money::Amount;

/// One thing that has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    pub kind: LeftoverKind,
    /// What it is, as a person names it.
    pub what: String,
    pub customer: Option<String>,
    pub order: Option<String>,
    /// Of a key that is used twice there is none.
    pub amount: Option<Amount>,
    pub since: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftoverKind {
    /// Captured, not paid back, and tied to no invoice.
    MoneyWithoutInvoice,
    /// An invoice that is not paid in full.
    InvoiceWithoutMoney,
    /// An invoice that more was paid for than it is over: what is too much.
    InvoicePaidTooMuch,
    /// An entry that is Balanced and has no invoice.
    EntryNotInvoiced,
    /// An assignment key that two orders, entries or payments have.
    KeyUsedTwice,
}

impl LeftoverKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MoneyWithoutInvoice => "money without invoice",
            Self::InvoiceWithoutMoney => "invoice without money",
            Self::InvoicePaidTooMuch => "invoice paid too much",
            Self::EntryNotInvoiced => "entry not invoiced",
            Self::KeyUsedTwice => "key used twice",
        }
    }
}

/// A capture that failed after all is money no more; what was paid back without a document is taken off the whole payment, and so is what
/// was charged back and not won back.
const MONEY: &str = "
    SELECT 'payment ' || p.transaction_id AS what, NULL AS customer, o.shop || '/' || o.number AS order_name, m.currency,
      min(date(m.occurred_at)) AS since,
      sum(CASE m.kind WHEN 'capture' THEN 1 WHEN 'refund' THEN -1 ELSE 0 END
          * (CASE WHEN EXISTS (SELECT 1 FROM movements f WHERE f.kind = m.kind || '_failure' AND f.provider = m.provider
                     AND f.merchant_account = m.merchant_account AND f.modification_id = m.modification_id) THEN 0
             ELSE m.amount_minor - (SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('return', 'returned_refund')) THEN j.amount_minor ELSE -j.amount_minor END), 0)
                                    FROM journals j WHERE j.movement_id = m.id AND j.document_id IS NOT NULL) END))
        - max(sum(CASE m.kind WHEN 'chargeback' THEN m.amount_minor WHEN 'chargeback_reversed' THEN -m.amount_minor ELSE 0 END), 0) AS left_minor
    FROM movements m JOIN payments p ON p.id = m.payment_id LEFT JOIN orders o ON o.id = p.order_id
    WHERE m.kind IN ('capture', 'refund', 'chargeback', 'chargeback_reversed') GROUP BY p.id HAVING left_minor > 0";

/// What of each is not paid yet, or negative what was paid too much. Of the ERP's own by our books alone: what it says of others' money may
/// be from before it took ours.
const INVOICES: &str = "
    SELECT 'invoice ' || d.number AS what, d.bill_to AS customer, o.shop || '/' || o.number AS order_name, d.currency, d.posted_on AS since,
      d.total_minor - d.paid_elsewhere_minor
        - (SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund')) THEN j.amount_minor ELSE -j.amount_minor END), 0)
           FROM journals j WHERE j.document_id = d.id) AS left_minor
    FROM documents d LEFT JOIN orders o ON o.id = d.order_id WHERE d.kind = 'invoice' AND (left_minor > 0
      OR left_minor < 0 AND (d.paid_elsewhere_minor = 0 OR EXISTS (SELECT 1 FROM invoices i WHERE i.document_id = d.id)))";

const ENTRIES: &str = "
    SELECT 'entry ' || ifnull(e.reference, e.id) AS what, e.customer, o.shop || '/' || o.number AS order_name, e.currency,
      (SELECT max(date(m.occurred_at)) FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE a.entry_id = e.id) AS since,
      e.assigned_minor AS left_minor
    FROM entries e LEFT JOIN orders o ON o.id = e.order_id
    WHERE e.status = 'balanced' AND e.document_id IS NULL AND e.initial_minor > 0";

const KEYS: &str = "
    SELECT 'entry key ' || key || ' of entries ' || group_concat(ifnull(reference, id), ', ') AS what FROM entries
      WHERE key IS NOT NULL AND status <> 'cancelled' GROUP BY key HAVING count(*) > 1
    UNION ALL SELECT 'entry key ' || k.entry_key || ' of orders ' || group_concat(o.shop || '/' || o.number, ', ')
      FROM order_keys k JOIN orders o ON o.id = k.order_id WHERE k.entry_key IS NOT NULL GROUP BY k.entry_key HAVING count(*) > 1
    UNION ALL SELECT 'payment key ' || k.payment_key || ' of orders ' || group_concat(o.shop || '/' || o.number, ', ')
      FROM order_keys k JOIN orders o ON o.id = k.order_id WHERE k.payment_key IS NOT NULL GROUP BY k.payment_key HAVING count(*) > 1
    UNION ALL SELECT 'payment key ' || k.key || ' of payments ' || group_concat(p.transaction_id, ', ')
      FROM payment_keys k JOIN payments p ON p.id = k.payment_id GROUP BY k.key HAVING count(*) > 1";

impl Ledger {
    /// The oldest first, kind by kind.
    pub fn leftovers(&self) -> Result<Vec<Leftover>> {
        let mut all = Vec::new();
        let of_amounts = [
            (LeftoverKind::MoneyWithoutInvoice, MONEY),
            (LeftoverKind::InvoiceWithoutMoney, INVOICES),
            (LeftoverKind::EntryNotInvoiced, ENTRIES),
        ];
        for (kind, sql) in of_amounts {
            let mut statement = self.connection.prepare_cached(sql)?;
            for leftover in statement.query_and_then([], |row| with_amount(kind, row))? {
                all.push(leftover?);
            }
        }
        let mut statement = self.connection.prepare_cached(KEYS)?;
        for what in statement.query_and_then([], |row| row.plain("what"))? {
            let (what, kind) = (what?, LeftoverKind::KeyUsedTwice);
            all.push(Leftover { kind, what, customer: None, order: None, amount: None, since: None });
        }
        all.sort_by(|one, other| (one.kind, one.since, &one.what).cmp(&(other.kind, other.since, &other.what)));
        Ok(all)
    }
}

fn with_amount(kind: LeftoverKind, row: &Row<'_>) -> Result<Leftover> {
    let left = row.amount("left_minor")?;
    let paid_too_much = left.is_negative();
    Ok(Leftover {
        kind: if paid_too_much { LeftoverKind::InvoicePaidTooMuch } else { kind },
        what: row.plain("what")?,
        customer: row.plain("customer")?,
        order: row.plain("order_name")?,
        amount: Some(if paid_too_much { left.negated() } else { left }),
        since: match row.optional_text("since")? {
            Some(_) => Some(row.day("since")?),
            None => None,
        },
    })
}
