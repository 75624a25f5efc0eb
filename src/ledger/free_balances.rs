//! Free balances: what is captured of a customer's other orders and nothing of those needs any more. It may pay what is open on an
//! invoice of the same customer (trap T46). What has a key or an entry is never free: it waits for its own (trap T47).

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::billing::captures_of;
use super::row::Columns;
use super::{Result, corrections, deletions, documents, orders, payments};
use crate::domain::document::DocumentKind;
use crate::domain::id::{MovementId, OrderId, PaymentId};
use crate::domain::invoice::{InvoiceDraft, Tie};
use crate::domain::money::Amount;
use crate::domain::movement::Movement;
use crate::domain::order::{Cancellation, Order};

/// The captures that may pay an invoice of `order` besides the order's own money, each with what is free of it, oldest first. Only
/// where they were booked to the customer who is billed.
pub(super) fn free_balances(connection: &Connection, order: &Order) -> Result<Vec<Movement>> {
    let mut free = Vec::new();
    for of in orders_with_prepayments(connection, order)? {
        if !deletions::is_going(connection, of)? {
            free.extend(free_of_order(connection, of, order)?);
        }
    }
    free.sort_by_key(|capture| (capture.occurred_at, capture.id));
    Ok(free)
}

const WITH_PREPAYMENTS: &str = "
    SELECT o.id FROM orders o
    WHERE o.bill_to = ?1 AND o.currency = ?2 AND o.id <> ?3 AND o.deleted = 0 AND o.payment_status <> 'error'
      AND EXISTS (SELECT 1 FROM payments p JOIN movements m ON m.payment_id = p.id JOIN journals j ON j.movement_id = m.id
                  WHERE p.order_id = o.id AND j.kind IN ('prepayment', 'return'))";

fn orders_with_prepayments(connection: &Connection, order: &Order) -> Result<Vec<OrderId>> {
    let mut statement = connection.prepare_cached(WITH_PREPAYMENTS)?;
    let parameters = (order.bill_to.as_str(), order.total.currency().code(), order.id.0);
    statement.query_and_then(parameters, |row| row.id("id", OrderId))?.collect()
}

/// The one of them that a capture is of.
fn order_with_prepayment(connection: &Connection, capture: MovementId, order: &Order) -> Result<Option<OrderId>> {
    let of_capture =
        "AND o.id = (SELECT p.order_id FROM movements m JOIN payments p ON p.id = m.payment_id WHERE m.id = ?4)";
    let mut statement = connection.prepare_cached(&[WITH_PREPAYMENTS, of_capture].join(" "))?;
    let parameters = (order.bill_to.as_str(), order.total.currency().code(), order.id.0, capture.0);
    let mut found = statement.query_and_then(parameters, |row| row.id("id", OrderId))?;
    found.next().transpose()
}

/// What the order itself still needs comes off its oldest captures.
fn free_of_order(connection: &Connection, of: OrderId, order: &Order) -> Result<Vec<Movement>> {
    let mut captures = Vec::new();
    for payment in usable_payments(connection, of)? {
        for capture in captures_of(connection, payment, None, None)? {
            // What a cancellation gave back waits for its own order's next invoice.
            let kept = corrections::kept_for_others(connection, capture.id, order.id)?;
            let untied = capture.untied.checked_sub(Amount::from_minor(kept, capture.untied.currency()))?.or_zero();
            captures.push(Movement { untied, ..capture });
        }
    }
    captures.sort_by_key(|capture| (capture.occurred_at, capture.id));
    let mut needed = needed(connection, of)?;
    let mut free = Vec::new();
    for capture in captures {
        let own = needed.at_most(capture.untied)?;
        needed = needed.checked_sub(own)?;
        let untied = capture.untied.checked_sub(own)?;
        if untied.is_positive() && is_booked_to(connection, &capture, order)? {
            free.push(Movement { untied, ..capture });
        }
    }
    Ok(free)
}

/// Of an order: not what names invoices, has a key, or is for an entry that has a key or no invoice yet, nor what a person has to look
/// at first.
fn usable_payments(connection: &Connection, order: OrderId) -> Result<Vec<PaymentId>> {
    let without_purpose = "p.order_id = ?1 AND p.pays = '' AND p.id NOT IN (SELECT payment_id FROM payment_keys)
        AND NOT EXISTS (SELECT 1 FROM entry_items i JOIN entries e ON e.id = i.entry_id
                        WHERE i.payment_id = p.id AND (e.key IS NOT NULL OR e.document_id IS NULL))";
    let found = payments::list(connection, without_purpose, [order.0])?;
    let usable = found.iter().filter(|payment| !payment.amount_differs && !payment.is_charged_back);
    Ok(usable.map(|payment| payment.id).collect())
}

/// What its invoices lack, and what is still to be invoiced of it.
fn needed(connection: &Connection, id: OrderId) -> Result<Amount> {
    let order = orders::order(connection, id)?;
    let currency = order.total.currency();
    let mut needed = match order.cancelled {
        // How much of it stays nobody knows where the rest is cancelled: what is too much a person pays back.
        Cancellation::None | Cancellation::Rest => {
            order.total.checked_sub(orders::invoiced(connection, id, currency)?)?.or_zero()
        }
        Cancellation::Full => Amount::zero(currency),
    };
    let documents = documents::standing_of_order(connection, id)?;
    for invoice in documents.iter().filter(|document| document.kind == DocumentKind::Invoice) {
        let lacks = invoice.lacking()?.or_zero();
        needed = needed.checked_add(lacks)?;
    }
    Ok(needed)
}

/// The account is the customer the money was booked to as a prepayment, whoever the order is billed to since.
fn is_booked_to(connection: &Connection, capture: &Movement, order: &Order) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) > 0 AND min(bill_to = ?2) = 1 FROM journals
             WHERE movement_id = ?1 AND kind IN ('prepayment', 'return') AND direction = 'original'",
        )?
        .query_row((capture.id.0, order.bill_to.as_str()), |row| row.get(0))?)
}

/// The draft as it can be made final now: another order of the customer may have taken a free balance since it was planned.
pub(super) fn still_free(connection: &Connection, draft: &InvoiceDraft) -> Result<InvoiceDraft> {
    let mut left = Vec::new();
    let mut looked_at = BTreeSet::new();
    for tie in draft.ties.iter().filter(|tie| tie.is_free) {
        let order = orders::order(connection, draft.order)?;
        if let Some(of) = order_with_prepayment(connection, tie.movement, &order)?
            && looked_at.insert(of)
            && !deletions::is_going(connection, of)?
        {
            left.extend(free_of_order(connection, of, &order)?);
        }
    }
    let mut ties = Vec::new();
    for tie in &draft.ties {
        let there = left.iter().find(|capture| capture.id == tie.movement);
        let amount = match there {
            _ if !tie.is_free => tie.amount,
            Some(capture) => tie.amount.at_most(capture.untied)?,
            None => Amount::zero(tie.amount.currency()),
        };
        if amount.is_positive() {
            ties.push(Tie { amount, ..*tie });
        }
    }
    Ok(InvoiceDraft { ties, ..draft.clone() })
}
