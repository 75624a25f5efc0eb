//! Orders from a file: new ones, and the few things about a known one that may still change (rule 25).

use super::{Mark, Verdict, deleted, fixed};
use crate::domain::id::{AssignmentKey, CustomerNumber, OrderId};
use crate::domain::invoice::OrderKeys;
use crate::domain::order::{Cancellation, Order, PaymentStatus, Terms};
use crate::exchange::import::order::{
    BILL_TO, CANCELLED, CURRENCY, ENTRY_ASSIGNMENT_KEY, ORDER, ORDERED_ON, PAYMENT_ASSIGNMENT_KEY, TERMS, TOTAL,
};
use crate::exchange::import::{ImportKind, Objection, OrderRecord};
use crate::ledger::invoices::{is_invoiced, order_keys};
use crate::ledger::orders::{invoiced, leaves_free_balances, order};
use crate::ledger::row::day_text;
use crate::ledger::{Result, Writer};

impl Writer<'_> {
    /// Takes one order; `default_customer` pays where a new one names nobody.
    pub fn import_order(&self, record: &OrderRecord, default_customer: &CustomerNumber, mark: Mark) -> Result<Verdict> {
        self.import_row(|| {
            let Some((id, _)) = self.order_by_key(&record.shop, &record.number)? else {
                let id = self.insert_order(record, default_customer)?;
                self.put_order_keys(id, &record.keys)?;
                self.saw(ImportKind::Orders, id.0, mark)?;
                return Ok(Verdict::New);
            };
            if let Some(verdict) = self.repeated(ImportKind::Orders, id.0, mark, &ORDER, record.number.as_str())? {
                return Ok(verdict);
            }
            let known = order(self.connection, id)?;
            if known.deleted {
                // Who says that it is cancelled knows that it is gone.
                if record.cancelled == Some(Cancellation::Full) {
                    self.saw(ImportKind::Orders, id.0, mark)?;
                    return Ok(Verdict::Unchanged);
                }
                let why = deleted(&record.number);
                return Ok(Verdict::Refused(vec![Objection::to_value(&ORDER, record.number.as_str(), why)]));
            }
            let next = changed(&known, record, self.is_fully_invoiced(&known, record)?);
            let keys = self.changed_keys(id, &record.keys)?;
            let (next, keys) = match (next, keys) {
                (Ok(next), Ok(keys)) => (next, keys),
                (next, keys) => {
                    let objections = next.err().into_iter().chain(keys.err()).flatten().collect();
                    return Ok(Verdict::Refused(objections));
                }
            };
            self.saw(ImportKind::Orders, id.0, mark)?;
            let known_leaves = leaves_free_balances(self.connection, id)?;
            let leaves = record.leaves_free_balances.unwrap_or(known_leaves);
            if next == known && keys.is_none() && leaves == known_leaves {
                return Ok(Verdict::Unchanged);
            }
            let before = order_keys(self.connection, id)?;
            if let Some(keys) = keys {
                self.put_order_keys(id, &keys)?;
            }
            self.update_order(&next, leaves)?;
            self.tell_money_of_keys(&before)?;
            Ok(Verdict::Changed)
        })
    }

    /// The keys after the row, if it changes them: until the order is invoiced.
    fn changed_keys(&self, id: OrderId, told: &OrderKeys) -> Result<Result<Option<OrderKeys>, Vec<Objection>>> {
        if *told == OrderKeys::default() {
            return Ok(Ok(None));
        }
        let known = order_keys(self.connection, id)?;
        // One of the two came first: who says the other takes the first back.
        if known == *told {
            return Ok(Ok(None));
        }
        if !is_invoiced(self.connection, id)? {
            return Ok(Ok(Some(told.clone())));
        }
        let fields = [(&ENTRY_ASSIGNMENT_KEY, &told.entry), (&PAYMENT_ASSIGNMENT_KEY, &told.payment)];
        let given = fields.into_iter().filter_map(|(field, key)| Some((field, key.as_ref()?)));
        let why = "cannot change: the order is invoiced";
        Ok(Err(given.map(|(field, key)| Objection::to_value(field, key.as_str(), why)).collect()))
    }

    fn put_order_keys(&self, id: OrderId, keys: &OrderKeys) -> Result<()> {
        if *keys == OrderKeys::default() {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO order_keys (order_id, entry_key, payment_key) VALUES (?1, ?2, ?3)
                 ON CONFLICT (order_id) DO UPDATE SET entry_key = excluded.entry_key, payment_key = excluded.payment_key",
            )?
            .execute((
                id.0,
                keys.entry.as_ref().map(AssignmentKey::as_str),
                keys.payment.as_ref().map(AssignmentKey::as_str),
            ))?;
        Ok(())
    }

    /// Asked only where the answer matters.
    fn is_fully_invoiced(&self, known: &Order, record: &OrderRecord) -> Result<bool> {
        let moves_bill = record.bill_to.as_ref().is_some_and(|bill_to| *bill_to != known.bill_to);
        if record.total == known.total && !moves_bill {
            return Ok(false);
        }
        let invoiced = invoiced(self.connection, known.id, known.total.currency())?;
        Ok(invoiced.is_positive() && invoiced.minor() >= known.total.minor())
    }

    fn insert_order(&self, record: &OrderRecord, default_customer: &CustomerNumber) -> Result<OrderId> {
        let terms = record.terms.unwrap_or(Terms::Online);
        let (name, basis_points, status) = match terms {
            Terms::Online => ("online", None, PaymentStatus::New),
            Terms::OnAccount => ("on_account", None, PaymentStatus::Paid),
            Terms::Prepayment { basis_points } => ("prepayment", Some(basis_points), PaymentStatus::New),
        };
        self.connection
            .prepare_cached(
                "INSERT INTO orders (shop, number, currency, total_minor, terms, prepayment_basis_points, cancelled, bill_to,
                                     payment_status, ordered_on, leaves_free_balances)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute((
                record.shop.as_str(),
                record.number.as_str(),
                record.total.currency().code(),
                record.total.minor(),
                name,
                basis_points,
                record.cancelled.unwrap_or(Cancellation::None).as_str(),
                record.bill_to.as_ref().unwrap_or(default_customer).as_str(),
                status.as_str(),
                day_text(record.ordered_on),
                record.leaves_free_balances.unwrap_or(false),
            ))?;
        Ok(OrderId(self.connection.last_insert_rowid()))
    }

    fn update_order(&self, next: &Order, leaves_free_balances: bool) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE orders SET total_minor = ?2, cancelled = ?3, bill_to = ?4, leaves_free_balances = ?5 WHERE id = ?1",
            )?
            .execute((
                next.id.0,
                next.total.minor(),
                next.cancelled.as_str(),
                next.bill_to.as_str(),
                leaves_free_balances,
            ))?;
        self.refresh_order_status(next.id)
    }
}

/// The order after the row, or why the row cannot be right.
fn changed(known: &Order, record: &OrderRecord, is_fully_invoiced: bool) -> Result<Order, Vec<Objection>> {
    let mut objections = Vec::new();
    let (was, is) = (known.total.currency(), record.total.currency());
    if was != is {
        objections.push(fixed(&CURRENCY, is.code(), was.code()));
    }
    if let Some(terms) = record.terms
        && terms != known.terms
    {
        objections.push(fixed(&TERMS, &terms_text(terms), &terms_text(known.terms)));
    }
    if record.ordered_on != known.ordered_on {
        objections.push(fixed(&ORDERED_ON, &day_text(record.ordered_on), &day_text(known.ordered_on)));
    }
    let cancelled = record.cancelled.unwrap_or(known.cancelled);
    if rank(cancelled) < rank(known.cancelled) {
        let why = format!("cannot take back `{}`: a cancelled order stays cancelled", known.cancelled.as_str());
        objections.push(Objection::to_value(&CANCELLED, cancelled.as_str(), why));
    }
    let bill_to = record.bill_to.clone().unwrap_or_else(|| known.bill_to.clone());
    if is_fully_invoiced {
        let why = |known: &str| format!("cannot replace `{known}`: the order is fully invoiced");
        if was == is && record.total != known.total {
            objections.push(Objection::to_value(&TOTAL, &record.total.decimal(), why(&known.total.decimal())));
        }
        if bill_to != known.bill_to {
            objections.push(Objection::to_value(&BILL_TO, bill_to.as_str(), why(known.bill_to.as_str())));
        }
    }
    if objections.is_empty() {
        Ok(Order { total: record.total, cancelled, bill_to, ..known.clone() })
    } else {
        Err(objections)
    }
}

fn rank(cancelled: Cancellation) -> u8 {
    match cancelled {
        Cancellation::None => 0,
        Cancellation::Rest => 1,
        Cancellation::Full => 2,
    }
}

fn terms_text(terms: Terms) -> String {
    match terms {
        Terms::Online => "online".to_owned(),
        Terms::OnAccount => "on_account".to_owned(),
        Terms::Prepayment { basis_points } => {
            format!("prepayment of {}.{:02} %", basis_points.div_euclid(100), basis_points.rem_euclid(100))
        }
    }
}
