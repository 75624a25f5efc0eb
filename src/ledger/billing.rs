//! What decides whether and how an order is billed, read as one case.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};

use super::customers::customer;
use super::free_balances::free_balances;
use super::invoices::{is_invoiced, order_keys, order_lines};
use super::row::Columns;
use super::{
    Ledger, LedgerError, Result, UnsentInvoice, corrections, deletions, entries, movements, orders, payments,
    refund_requests,
};
use crate::domain::customer::Customer;
use crate::domain::entry::Entry;
use crate::domain::id::{AssignmentKey, DocumentId, EntryId, MovementId, OrderId, PaymentId};
use crate::domain::invoice::OrderKeys;
use crate::domain::invoice::pricing::OrderLine;
use crate::domain::money::Amount;
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::order::Order;
use crate::domain::payment::Payment;

/// An order that no invoice stands for, with everything that decides about one.
#[derive(Debug, Clone, PartialEq)]
pub struct BillingCase {
    pub order: Order,
    pub lines: Vec<OrderLine>,
    pub keys: OrderKeys,
    /// It is deleted, or on its way out of the ERP.
    pub is_going: bool,
    /// The ERP has posted an invoice for it.
    pub is_invoiced_by_erp: bool,
    /// An invoice of ours stands for it.
    pub is_invoiced: bool,
    /// Its invoices and what cancelled them, as far as the customer was not written to yet.
    pub unsent: Vec<UnsentInvoice>,
    /// The one it is billed to, if anything is known of it.
    pub customer: Option<Customer>,
    /// Other orders with one of its keys, as a person names them.
    pub rivals: Vec<String>,
    /// With the order's entry key, cancelled ones too, and those made for the order that no invoice has.
    pub entries: Vec<PaidEntry>,
    /// With the order's payment key.
    pub payments: Vec<Payment>,
    /// The captures of `payments`, oldest first.
    pub captures: Vec<Movement>,
    /// The entry of its last invoice, which was cancelled.
    pub before: Option<Entry>,
    /// Other captures that the cancellation gave back, or that were for that entry, each with what is there of that, oldest first.
    pub given_back: Vec<Movement>,
    /// The order's own payments that are for no entry and have no key, and their captures, oldest first.
    pub own: Vec<Payment>,
    pub own_captures: Vec<Movement>,
    /// Payments of the order that are authorised: not those with another key, or for an entry that is not the order's.
    pub authorised: Vec<Payment>,
    /// Free balances of its customer, oldest first; none for an order with a key, or of which the shop said so.
    pub free: Vec<Movement>,
}

/// An entry with the captures that paid it, oldest first: what each has assigned, and how much of it no document has.
#[derive(Debug, Clone, PartialEq)]
pub struct PaidEntry {
    pub entry: Entry,
    pub paid_by: Vec<(Movement, Amount)>,
    /// The page it can be paid on, if there is one that still asks for what is open.
    pub page: Option<String>,
}

impl Ledger {
    /// Orders that may be billed, and those with an exception to look at again. `only_paid`: of the first only those that are
    /// Paid, have money authorised, or have a key to something that may be.
    pub fn billable_orders(&self, after: OrderId, limit: u32, only_paid: bool, task: &str) -> Result<Vec<OrderId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT o.id FROM orders o
             WHERE o.id > ?1 AND (
               (o.cancelled = 'none' AND o.deleted = 0
                AND (NOT ?3 OR o.payment_status = 'paid' OR EXISTS (SELECT 1 FROM order_keys k WHERE k.order_id = o.id)
                     OR EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id AND p.status = 'authorised')
                     OR EXISTS (SELECT 1 FROM entries e WHERE e.order_id = o.id AND e.document_id IS NULL AND e.status = 'balanced'))
                AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.order_id = o.id AND d.kind NOT IN ('shipment', 'cancellation', 'refund_request')
                                AND NOT EXISTS (SELECT 1 FROM corrections c WHERE c.invoice_id = d.id AND c.cancels = 1)))
               OR EXISTS (SELECT 1 FROM invoice_sheets s WHERE s.order_id = o.id AND s.mail = 'wanted')
               OR EXISTS (SELECT 1 FROM exceptions e WHERE e.order_id = o.id AND e.task = ?4 AND e.state <> 'resolved'))
             ORDER BY o.id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit, only_paid, task), |row| row.id("id", OrderId))?.collect()
    }

    /// Orders that name nobody have nothing in common.
    fn free_for(&self, order: &Order) -> Result<Vec<Movement>> {
        let is_wanted =
            order.bill_to != self.books.default_customer && !orders::leaves_free_balances(&self.connection, order.id)?;
        if is_wanted { free_balances(&self.connection, order) } else { Ok(Vec::new()) }
    }

    pub fn billing_case(&self, id: OrderId) -> Result<BillingCase> {
        let connection = &self.connection;
        let order = orders::order(connection, id)?;
        let keys = order_keys(connection, id)?;
        let key = keys.entry.as_ref().map(AssignmentKey::as_str);
        let entries = entries::list(connection, "key = ?1 OR order_id = ?2 AND document_id IS NULL", (key, id.0))?;
        let payments = match &keys.payment {
            Some(key) => {
                // One that failed pays nothing (trap T42), and what names entries pays those.
                let of_key = "p.id IN (SELECT payment_id FROM payment_keys WHERE key = ?1)
                              AND p.id NOT IN (SELECT payment_id FROM entry_items)
                              AND (p.status NOT IN ('refused', 'cancelled', 'expired')
                                   OR EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = p.id))";
                payments::list(connection, of_key, [key.as_str()])?
            }
            None => Vec::new(),
        };
        let own = "p.order_id = ?1 AND p.pays = '' AND p.id NOT IN (SELECT payment_id FROM payment_keys)
                   AND p.id NOT IN (SELECT payment_id FROM entry_items)";
        let own = payments::list(connection, own, [id.0])?;
        let authorised = "p.order_id = ?1 AND p.pays = '' AND p.status = 'authorised'
            AND NOT EXISTS (SELECT 1 FROM payment_keys k WHERE k.payment_id = p.id AND k.key IS NOT ?3)
            AND NOT EXISTS (SELECT 1 FROM entry_items i JOIN entries e ON e.id = i.entry_id
                            WHERE i.payment_id = p.id AND e.order_id IS NOT ?1 AND (?2 IS NULL OR e.key IS NOT ?2))";
        let payment_key = keys.payment.as_ref().map(AssignmentKey::as_str);
        let authorised = payments::list(connection, authorised, (id.0, key, payment_key))?;
        let captures = |of: &[Payment]| -> Result<Vec<Movement>> {
            let mut captures = Vec::new();
            for payment in of {
                captures.extend(captures_of(connection, payment.id, None, None)?);
            }
            captures.sort_by_key(|capture| (capture.occurred_at, capture.id));
            Ok(captures)
        };
        let (captures, own_captures) = (captures(&payments)?, captures(&own)?);
        let is_invoiced = is_invoiced(connection, id)?;
        let may_lack = keys == OrderKeys::default() && !is_invoiced && lacks(&order, &own_captures);
        let free = if may_lack { self.free_for(&order)? } else { Vec::new() };
        let before = "status = 'cancelled' AND document_id IN (SELECT document_id FROM invoices WHERE order_id = ?1)";
        let before = entries::list(connection, before, [id.0])?.pop();
        Ok(BillingCase {
            given_back: given_back(connection, id, before.as_ref(), |capture| {
                captures.iter().chain(&own_captures).any(|known| known.id == capture)
            })?,
            before,
            lines: order_lines(connection, id)?,
            is_going: deletions::is_going(connection, id)?,
            is_invoiced_by_erp: is_invoiced_by_erp(connection, id)?,
            is_invoiced,
            free,
            unsent: self.unsent_invoices(id)?,
            customer: customer(connection, &order.bill_to)?.map(|(_, customer)| customer),
            rivals: rivals(connection, id, &keys)?,
            entries: entries.into_iter().map(|entry| paid_entry(connection, entry)).collect::<Result<_>>()?,
            order,
            keys,
            payments,
            captures,
            own,
            own_captures,
            authorised,
        })
    }
}

/// Whether its own money does not pay all of it.
fn lacks(order: &Order, own: &[Movement]) -> bool {
    let own = own.iter().map(|capture| capture.untied).filter(|own| own.currency() == order.total.currency());
    Amount::sum(order.total.currency(), own).is_ok_and(|own| own.minor() < order.total.minor())
}

fn is_invoiced_by_erp(connection: &Connection, order: OrderId) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM documents d WHERE d.order_id = ?1 AND d.kind = 'invoice'
                            AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i.document_id = d.id))",
        )?
        .query_row([order.0], |row| row.get(0))?)
}

/// What cancellations gave back to the order's account, at most what is there of it now; and what else is free of payments that were for
/// the entry which went with the invoice: its heir may have all of them.
fn given_back(
    connection: &Connection,
    order: OrderId,
    before: Option<&Entry>,
    is_known: impl Fn(MovementId) -> bool,
) -> Result<Vec<Movement>> {
    let mut there: Vec<Movement> = Vec::new();
    for payment in before.map_or(Ok(Vec::new()), |entry| entries::payments_for(connection, entry.id))? {
        for capture in captures_of(connection, payment, None, None)? {
            let kept = corrections::kept_for_others(connection, capture.id, order)?;
            let free = (capture.untied.minor() - kept).max(0);
            there.push(Movement { untied: Amount::from_minor(free, capture.untied.currency()), ..capture });
        }
    }
    for (id, payment, amount) in corrections::given_back(connection, order)? {
        if there.iter().any(|capture| capture.id == id) {
            continue;
        }
        let capture = captures_of(connection, payment, None, None)?.into_iter().find(|capture| capture.id == id);
        if let Some(capture) = capture {
            there.push(Movement { untied: capture.untied.at_most(amount)?, ..capture });
        }
    }
    there.retain(|capture| !is_known(capture.id));
    there.sort_by_key(|capture| (capture.occurred_at, capture.id));
    Ok(there)
}

/// Other orders that name the same key (trap T40).
fn rivals(connection: &Connection, order: OrderId, keys: &OrderKeys) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT o.shop || '/' || o.number AS name FROM order_keys k JOIN orders o ON o.id = k.order_id
         WHERE k.order_id <> ?1 AND o.deleted = 0 AND (k.entry_key = ?2 OR k.payment_key = ?3) ORDER BY o.id LIMIT 10",
    )?;
    let key = |key: &Option<AssignmentKey>| key.as_ref().map(ToString::to_string);
    statement.query_and_then((order.0, key(&keys.entry), key(&keys.payment)), |row| row.plain("name"))?.collect()
}

/// What a movement assigned to an entry.
struct Brought {
    movement: MovementId,
    payment: PaymentId,
    /// Whether it is a chargeback, or won back.
    is_dispute: bool,
    amount: Amount,
}

fn paid_entry(connection: &Connection, entry: Entry) -> Result<PaidEntry> {
    let mut statement = connection.prepare_cached(
        "SELECT a.movement_id, m.payment_id, m.kind IN ('chargeback', 'chargeback_reversed') AS is_dispute, sum(a.amount_minor) AS minor,
           m.currency
         FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE a.entry_id = ?1 GROUP BY a.movement_id",
    )?;
    let brought = |row: &Row<'_>| {
        let (movement, payment) = (row.id("movement_id", MovementId)?, row.id("payment_id", PaymentId)?);
        Ok(Brought { movement, payment, is_dispute: row.plain("is_dispute")?, amount: row.amount("minor")? })
    };
    let brought = statement.query_and_then([entry.id.0], brought)?.collect::<Result<Vec<_>>>()?;
    let payments: BTreeSet<PaymentId> = brought.iter().map(|brought| brought.payment).collect();
    let mut paid_by = Vec::new();
    for payment in payments {
        let of_payment: Vec<&Brought> = brought.iter().filter(|brought| brought.payment == payment).collect();
        let sum = |of: fn(&Brought) -> bool| {
            let amounts = of_payment.iter().filter(|brought| of(brought)).map(|brought| brought.amount);
            Amount::sum(entry.initial.currency(), amounts).map(Amount::or_zero)
        };
        // What was paid back or charged back of it is not there any more: the oldest capture first.
        let mut left = sum(|_| true)?;
        // What was won back may have come to another entry than it was taken off.
        let won_back = sum(|brought| brought.is_dispute)?;
        for capture in captures_of(connection, payment, Some(entry.id), None)?.into_iter().rev() {
            let own = of_payment.iter().find(|brought| brought.movement == capture.id).map(|brought| brought.amount);
            let own = own.map_or(Amount::zero(left.currency()), Amount::or_zero);
            let more = won_back.at_most(capture.untied.checked_sub(own)?)?.or_zero();
            let part = own.checked_add(more)?.at_most(left)?;
            if part.is_positive() {
                left = left.checked_sub(part)?;
                paid_by.push((capture, part));
            }
        }
    }
    paid_by.sort_by_key(|(capture, _)| (capture.occurred_at, capture.id));
    let page = entries::open_page(connection, &entry)?;
    Ok(PaidEntry { entry, paid_by, page })
}

/// The captures of a payment, with what is there of each for an invoice, for `entry` or for `request`: not what went back or is to
/// go back, and not what another entry has.
pub(super) fn captures_of(
    connection: &Connection,
    payment: PaymentId,
    entry: Option<EntryId>,
    request: Option<DocumentId>,
) -> Result<Vec<Movement>> {
    let mut all = movements::of_payment(connection, payment)?;
    let too_large = || LedgerError::damaged(format!("the movements of payment {payment} are too large"));
    // What was paid back without a document, or charged back, took prepaid money away again, of the oldest first.
    let mut gone: i64 = refund_requests::wanted(connection, payment, request)?;
    let mut charged_back: i64 = 0;
    for movement in &all {
        let (sum, takes) = match movement.kind {
            MovementKind::Refund => (&mut gone, movement.untied.minor()),
            MovementKind::Chargeback => (&mut charged_back, movement.amount.minor()),
            MovementKind::ChargebackReversed => (&mut charged_back, -movement.amount.minor()),
            MovementKind::Capture | MovementKind::CaptureFailure | MovementKind::RefundFailure => continue,
        };
        *sum = sum.checked_add(takes).ok_or_else(too_large)?;
    }
    // A report may tell what was won back before it tells what it is of: that is no money yet.
    gone = gone.checked_add(charged_back.max(0)).ok_or_else(too_large)?;
    let is_won_back = all.iter().any(|movement| movement.kind == MovementKind::ChargebackReversed);
    all.retain(|movement| movement.kind == MovementKind::Capture);
    let reserved = all.iter().map(|capture| entries::reserved(connection, capture.id, entry));
    let reserved = reserved.collect::<Result<Vec<i64>>>()?;
    if is_won_back {
        let of_captures: i64 = reserved.iter().sum();
        let of_payment = entries::reserved_of_payment(connection, payment, entry)?;
        gone = gone.checked_add((of_payment - of_captures).max(0)).ok_or_else(too_large)?;
    }
    for (capture, reserved) in all.iter_mut().zip(reserved) {
        let free = capture.untied.minor() - reserved;
        let taken = gone.min(free).max(0);
        gone -= taken;
        capture.untied = Amount::from_minor((free - taken).max(0), capture.untied.currency());
    }
    Ok(all)
}
