//! What protects an order from deletion, read from the rows alone and beside the plan (rule 22): asserted in the transaction that
//! records the intent and again in the one that sends it. The same money is told where it comes after the deletion.

use rusqlite::Connection;

use super::OWN_ENTRIES;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{AssignmentKey, ExceptionId, OrderId, PaymentId};
use crate::domain::invoice::OrderKeys;
use crate::domain::letter;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::row::Columns;
use crate::ledger::{LedgerError, Result, Writer, collections, entries, orders, payments};
use crate::operation::{Kind, Subject};

/// Every payment that may pay the order: its own, those that name an entry of it, and those with its keys. One with the key that names
/// another order protects this one in doubt; once this one is deleted it is the other's, and so is one that names none where another
/// order has the key.
pub(in crate::ledger) const PAYMENTS_OF_ORDER: &str = "p.id IN (
    SELECT id FROM payments WHERE order_id = ?1
    UNION SELECT i.payment_id FROM entries e JOIN entry_items i ON i.entry_id = e.id WHERE e.order_id = ?1
    UNION SELECT i.payment_id FROM order_keys k JOIN orders o ON o.id = k.order_id
          JOIN entries e ON e.key = k.entry_key JOIN entry_items i ON i.entry_id = e.id
          WHERE k.order_id = ?1 AND (o.deleted = 0 OR NOT EXISTS (
            SELECT 1 FROM heirs h WHERE h.entry_key = e.key AND h.shop = o.shop AND h.currency = o.currency))
    UNION SELECT q.payment_id FROM order_keys k JOIN payment_keys q ON q.key = k.payment_key JOIN payments n ON n.id = q.payment_id
          JOIN orders o ON o.id = k.order_id
          WHERE k.order_id = ?1 AND (n.order_id = ?1 OR o.deleted = 0 OR n.order_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM heirs h WHERE h.payment_key = q.key AND h.shop = o.shop AND h.currency = n.currency AND NOT h.is_paid)))";

/// The deleted orders a payment may pay.
const DELETED_ORDERS_OF_PAYMENT: &str = "SELECT o.id FROM orders o WHERE o.deleted = 1 AND o.id IN (
    SELECT order_id FROM payments WHERE id = ?1
    UNION SELECT e.order_id FROM entry_items i JOIN entries e ON e.id = i.entry_id WHERE i.payment_id = ?1
    UNION SELECT k.order_id FROM entry_items i JOIN entries e ON e.id = i.entry_id JOIN order_keys k ON k.entry_key = e.key
          WHERE i.payment_id = ?1
    UNION SELECT k.order_id FROM payment_keys q JOIN order_keys k ON k.payment_key = q.key JOIN payments p ON p.id = q.payment_id
          WHERE q.payment_id = ?1 AND (p.order_id IS NULL OR p.order_id = k.order_id))";

/// Money that was or may be on an order.
#[derive(Debug, Default)]
pub(in crate::ledger) struct MoneyOn {
    /// Each place it was seen, in words.
    pub(in crate::ledger) told: Vec<String>,
    /// The payment it came by, if it came by one.
    payment: Option<PaymentId>,
    /// It is still there, or may be: not all of it was paid back.
    pub(in crate::ledger) is_there: bool,
}

/// Everything about money that the ledger has for an order, ever.
pub(in crate::ledger) fn money_on(connection: &Connection, order: OrderId) -> Result<MoneyOn> {
    money_of(connection, order, &payments::list(connection, PAYMENTS_OF_ORDER, [order.0])?)
}

fn money_of(connection: &Connection, order: OrderId, payments: &[Payment]) -> Result<MoneyOn> {
    let mut money = MoneyOn::default();
    for payment in payments {
        if !was_money(connection, payment)? {
            continue;
        }
        let amounts = [("captured", payment.captured), ("refunded", payment.refunded)].into_iter();
        let mut told = format!("payment {} is {}", payment.transaction, payment.status.as_str());
        for (what, amount) in amounts.filter(|(_, amount)| amount.is_positive()) {
            told.extend([", ", &amount.to_string(), " ", what]);
        }
        money.told.push(told);
        money.is_there |= is_money(connection, payment)?;
        money.payment = money.payment.or(Some(payment.id));
    }
    let settled: Option<(i64, bool)> = connection
        .prepare_cached(
            "SELECT lines, sold_micros > refunded_micros + disputed_micros OR other_currency > 0 FROM order_settlements
             WHERE order_id = ?1 AND lines > 0",
        )?
        .query_map([order.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .next()
        .transpose()?;
    if let Some((lines, is_there)) = settled {
        money.told.push(format!("settlement reports have {lines} lines of it"));
        money.is_there |= is_there;
    }
    for entry in entries::list(connection, OWN_ENTRIES, [order.0])? {
        if entry.assigned.is_positive() {
            money.told.push(format!("{} of {} is paid", entry.assigned, entry.name()));
            money.is_there = true;
        }
    }
    Ok(money)
}

/// Settlement lines that no order has yet and whose reference holds this one's number: it may have come later than they did, and
/// `settlements` has not run since. One too many keeps an order that could go, and that is all.
pub(super) fn unmatched_lines(connection: &Connection, order: OrderId) -> Result<u64> {
    let lines: i64 = connection
        .prepare_cached(
            "SELECT ifnull(sum(g.lines), 0) FROM orders o JOIN unmatched_groups g
               ON instr(g.merchant_reference, o.number) > 0 OR instr(g.reference, o.number) > 0
             WHERE o.id = ?1",
        )?
        .query_row([order.0], |row| row.get(0))?;
    Ok(lines.unsigned_abs())
}

/// Money, or a payment that is still open, under a key which the order had before its row was changed: in doubt it is the order's. If
/// another order has the key now, it is that one's.
pub(super) fn former_money(connection: &Connection, order: OrderId) -> Result<Option<String>> {
    let mut keys = connection.prepare_cached(
        "SELECT f.key, f.is_entry FROM former_order_keys f WHERE f.order_id = ?1 AND NOT EXISTS (
           SELECT 1 FROM order_keys o WHERE o.order_id <> f.order_id
             AND (f.is_entry = 1 AND o.entry_key = f.key OR f.is_entry = 0 AND o.payment_key = f.key))",
    )?;
    let keys = keys.query_map([order.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (key, is_entry) in keys.collect::<rusqlite::Result<Vec<(String, bool)>>>()? {
        let payments = if is_entry {
            let paid =
                entries::list(connection, "key = ?1", [&key])?.into_iter().find(|entry| entry.assigned.is_positive());
            if let Some(entry) = paid {
                return Ok(Some(format!("{} of {} is paid, whose key it had before", entry.assigned, entry.name())));
            }
            "p.id IN (SELECT i.payment_id FROM entries e JOIN entry_items i ON i.entry_id = e.id WHERE e.key = ?1)"
        } else {
            "p.id IN (SELECT payment_id FROM payment_keys WHERE key = ?1)"
        };
        for payment in payments::list(connection, payments, [&key])? {
            if payment.order.is_none_or(|own| own == order)
                && (payment.status == TransactionStatus::Open || was_money(connection, &payment)?)
            {
                let (name, status) = (&payment.transaction, payment.status.as_str());
                return Ok(Some(format!(
                    "payment {name} is {status}, and has the key `{key}`, which the order had before"
                )));
            }
        }
    }
    Ok(None)
}

/// Whether it was ever authorised, captured or collected, or nobody knows.
fn was_money(connection: &Connection, payment: &Payment) -> Result<bool> {
    let is_unpaid = match payment.status {
        TransactionStatus::Open
        | TransactionStatus::Cancelled
        | TransactionStatus::Refused
        | TransactionStatus::Expired => true,
        TransactionStatus::Pending
        | TransactionStatus::Authorised
        | TransactionStatus::Captured
        | TransactionStatus::Released
        | TransactionStatus::Error => false,
    };
    let has_history: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM authorisations WHERE payment_id = ?1 AND amount_minor > 0)
                 OR EXISTS (SELECT 1 FROM movements WHERE payment_id = ?1)
                 OR EXISTS (SELECT 1 FROM payments_to_learn WHERE payment_id = ?1)",
        )?
        .query_row([payment.id.0], |row| row.get(0))?;
    Ok(!is_unpaid || has_history || payment.amount_differs || payment.is_charged_back)
}

fn is_money(connection: &Connection, payment: &Payment) -> Result<bool> {
    let may_be = match payment.status {
        TransactionStatus::Pending | TransactionStatus::Authorised | TransactionStatus::Error => true,
        // The PSP has accepted a capture and not confirmed it yet: its amount is not known.
        TransactionStatus::Captured => !connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM movements WHERE payment_id = ?1)")?
            .query_row([payment.id.0], |row| row.get::<_, bool>(0))?,
        TransactionStatus::Open
        | TransactionStatus::Released
        | TransactionStatus::Cancelled
        | TransactionStatus::Refused
        | TransactionStatus::Expired => false,
    };
    Ok(may_be || payment.captured.checked_sub(payment.refunded)?.checked_sub(payment.charged_back)?.is_positive())
}

/// Why an order may not be deleted, from its rows: money, documents, or a call about a payment of it without an answer.
pub(in crate::ledger) fn protection(connection: &Connection, order: OrderId) -> Result<Option<String>> {
    let payments = payments::list(connection, PAYMENTS_OF_ORDER, [order.0])?;
    if let Some(told) = money_of(connection, order, &payments)?.told.into_iter().next() {
        return Ok(Some(told));
    }
    let unmatched = unmatched_lines(connection, order)?;
    if unmatched > 0 {
        return Ok(Some(format!("{unmatched} settlement lines without an order may be its own")));
    }
    if let Some(former) = former_money(connection, order)? {
        return Ok(Some(former));
    }
    if let Some(why) = collections::under_way(connection, &entries::list(connection, OWN_ENTRIES, [order.0])?)? {
        return Ok(Some(why));
    }
    let mut statement = connection.prepare_cached("SELECT kind, number FROM documents WHERE order_id = ?1 LIMIT 1")?;
    let mut documents = statement
        .query_and_then([order.0], |row| Ok::<_, LedgerError>((row.text("kind")?.to_owned(), row.plain("number")?)))?;
    if let Some(document) = documents.next() {
        let (kind, number): (String, String) = document?;
        return Ok(Some(format!("{} {number} was posted for it", kind.replace('_', " "))));
    }
    for payment in payments {
        if payment.status == TransactionStatus::Open {
            return Ok(Some(format!("payment {} is open", payment.transaction)));
        }
        let unanswered: Option<i64> = connection
            .prepare_cached(
                "SELECT min(id) FROM operations WHERE payment_id = ?1 AND kind NOT IN ('journal', 'mail')
                   AND state IN ('sent', 'unknown', 'accepted', 'given_up')",
            )?
            .query_row([payment.id.0], |row| row.get(0))?;
        if let Some(operation) = unanswered {
            return Ok(Some(format!("operation {operation} on payment {} has no final answer", payment.transaction)));
        }
    }
    Ok(None)
}

impl Writer<'_> {
    /// Held against the rows of this very transaction: what the plan saw may have changed since.
    pub(in crate::ledger) fn assert_unpaid(&self, kind: Kind, subject: Subject) -> Result<()> {
        match self.objection_to(kind, subject)? {
            None => Ok(()),
            Some(why) => Err(LedgerError::Invariant(format!("no {} now: {why}", kind.as_str()))),
        }
    }

    /// Why an order may not be deleted any more, or a payment not be closed.
    pub(in crate::ledger) fn objection_to(&self, kind: Kind, subject: Subject) -> Result<Option<String>> {
        match (kind, subject.order, subject.payment) {
            (Kind::Delete, Some(order), _) => protection(self.connection, order),
            (Kind::Cancel, _, Some(payment)) => {
                let payment = payments::payment(self.connection, payment)?;
                let was = was_money(self.connection, &payment)?;
                Ok(was.then(|| format!("payment {} is {}", payment.transaction, payment.status.as_str())))
            }
            (
                Kind::Capture
                | Kind::Refund
                | Kind::Release
                | Kind::Collect
                | Kind::Journal
                | Kind::PayoutJournal
                | Kind::Mail
                | Kind::Cancel
                | Kind::Delete
                | Kind::Event,
                _,
                _,
            ) => Ok(None),
        }
    }

    /// Something of a payment is news: the deleted orders it may pay are looked at.
    pub(in crate::ledger) fn tell_money_of(&self, payment: PaymentId) -> Result<()> {
        let mut statement = self.connection.prepare_cached(DELETED_ORDERS_OF_PAYMENT)?;
        let orders: Vec<OrderId> =
            statement.query_and_then([payment.0], |row| row.id("id", OrderId))?.collect::<Result<_>>()?;
        orders.into_iter().try_for_each(|order| self.tell_money_on(order).map(drop))
    }

    /// It is another order's now: nobody has to pay it back.
    pub(in crate::ledger) fn end_late_money(&self, payment: PaymentId) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT e.id, e.order_id FROM payment_keys q JOIN order_keys k ON k.payment_key = q.key JOIN exceptions e ON e.order_id = k.order_id
             WHERE q.payment_id = ?1 AND e.kind = 'paid_after_deletion' AND e.state <> 'resolved'",
        )?;
        let told: Vec<(ExceptionId, OrderId)> = statement
            .query_and_then([payment.0], |row| Ok((row.id("id", ExceptionId)?, row.id("order_id", OrderId)?)))?
            .collect::<Result<_>>()?;
        for (exception, order) in told {
            if money_on(self.connection, order)?.told.is_empty() {
                self.resolve(exception)?;
            }
        }
        Ok(())
    }

    /// An order had these keys, and may have taken money with them before: it may be a deleted one's again.
    pub(in crate::ledger) fn tell_money_of_keys(&self, keys: &OrderKeys) -> Result<()> {
        let key = |key: &Option<AssignmentKey>| key.as_ref().map(ToString::to_string);
        let mut statement = self.connection.prepare_cached(
            "SELECT o.id FROM order_keys k JOIN orders o ON o.id = k.order_id
             WHERE o.deleted = 1 AND (k.entry_key = ?1 OR k.payment_key = ?2) ORDER BY o.id",
        )?;
        let deleted: Vec<OrderId> = statement
            .query_and_then((key(&keys.entry), key(&keys.payment)), |row| row.id("id", OrderId))?
            .collect::<Result<_>>()?;
        deleted.into_iter().try_for_each(|order| self.tell_money_on(order).map(drop))
    }

    /// Deleted orders that settlement reports have lines of: a line may have come without its payment.
    pub fn tell_settled_deletions(&self) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(
            "SELECT o.id FROM tombstones t JOIN orders o ON o.id = t.order_id JOIN order_settlements s ON s.order_id = o.id
             WHERE o.deleted = 1 AND s.lines > 0 GROUP BY o.id ORDER BY o.id",
        )?;
        let orders: Vec<OrderId> = statement.query_and_then([], |row| row.id("id", OrderId))?.collect::<Result<_>>()?;
        let mut told = 0;
        for order in orders {
            told += u64::from(self.tell_money_on(order)?);
        }
        Ok(told)
    }

    /// Money on a deleted order is never silent: an exception with the choices, and a mail. `true` if it is news.
    pub(in crate::ledger) fn tell_money_on(&self, id: OrderId) -> Result<bool> {
        let order = orders::order(self.connection, id)?;
        let money = money_on(self.connection, id)?;
        if !order.deleted || money.told.is_empty() {
            return Ok(false);
        }
        let name = format!("{}/{}", order.shop, order.number);
        let draft = ExceptionDraft {
            kind: ExceptionKind::PaidAfterDeletion,
            subject: format!("order {name}"),
            message: format!(
                "it was deleted because nobody had paid it, and now {}. Either pay it back (`payjournal refund-balance` \
                 for what is captured, the PSP's back office for the rest) and then `payjournal resolve` this exception, or put the \
                 order back: \
                 `payjournal restore {name} --reason 'paid after all'`",
                money.told.join("; ")
            ),
            about: About { order: Some(id), payment: money.payment, ..About::default() },
        };
        // A person has dealt with just this, or all of it went back: told only where it is still open.
        let is_open = self.is_told(&draft)?;
        if !is_open && (!money.is_there || self.is_ended(&draft)?) {
            return Ok(false);
        }
        self.raise_with(&draft, Some(&letter::paid_after_deletion(&order.shop, &draft)), None)
    }
}
