//! Mails that invite a buyer to pay, each with the page it is about; and what speaks against asking anybody to pay.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::billing::captures_of;
use super::row::{Columns, time_text};
use super::{Ledger, LedgerError, Result, Writer, collections, entries, orders, payments};
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::id::{MailId, OrderId, PaymentId};
use crate::domain::letter::{CustomerLetter, Letter, Recipient};
use crate::domain::money::Amount;
use crate::domain::order::Cancellation;
use crate::domain::payment::{Payment, TransactionStatus};

/// A mail that was written for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub mail: MailId,
    pub written_at: DateTime<Utc>,
    pub state: InvitationState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    Queued,
    /// The mail server has it, or the folder.
    Sent,
    /// The mail server does not take it.
    Refused,
    /// Not sent: what it asked for was paid or gone first.
    Withdrawn,
}

impl Ledger {
    /// What was written for a page, the first first.
    pub fn invitations(&self, page: PaymentId) -> Result<Vec<Invitation>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT m.id, m.written_at,
               EXISTS (SELECT 1 FROM operations o WHERE o.mail_id = m.id AND o.state = 'confirmed') AS is_sent,
               EXISTS (SELECT 1 FROM ended_invitations e WHERE e.mail_id = m.id) AS is_over,
               ifnull((SELECT o.state IN ('refused', 'given_up') FROM operations o WHERE o.mail_id = m.id
                       ORDER BY o.attempt DESC LIMIT 1), 0) AS is_refused
             FROM invitations i JOIN mails m ON m.id = i.mail_id WHERE i.payment_id = ?1 ORDER BY m.id",
        )?;
        let invitation = |row: &Row<'_>| {
            let state = match (row.plain("is_sent")?, row.plain("is_over")?, row.plain("is_refused")?) {
                (true, _, _) => InvitationState::Sent,
                (false, true, _) => InvitationState::Withdrawn,
                (false, false, true) => InvitationState::Refused,
                (false, false, false) => InvitationState::Queued,
            };
            Ok(Invitation { mail: row.id("id", MailId)?, written_at: row.time("written_at")?, state })
        };
        statement.query_and_then([page.0], invitation)?.collect()
    }

    /// Why nobody should be asked to pay these entries now: their order is gone, or money for it is there or on its way.
    pub fn objection_to_asking(&self, entries: &[Entry]) -> Result<Option<String>> {
        objection(&self.connection, entries)
    }

    /// The orders that entries ask for: their own, or those with their keys. A deleted one only where no other has its key.
    pub fn orders_of_entries(&self, entries: &[Entry]) -> Result<Vec<OrderId>> {
        orders_of_entries(&self.connection, entries)
    }
}

impl Writer<'_> {
    /// Queues a mail for a page, if its event has none yet.
    pub fn invite(&self, page: PaymentId, letter: &CustomerLetter) -> Result<()> {
        let CustomerLetter { event, address, subject, body } = letter.clone();
        let mail = self.add_letter(&Letter { event, recipient: Recipient::Customer, subject, body })?;
        if let Some(mail) = mail {
            self.connection
                .prepare_cached("INSERT INTO invitations (mail_id, payment_id, address) VALUES (?1, ?2, ?3)")?
                .execute((mail.0, page.0, address))?;
        }
        Ok(())
    }

    /// It is not sent any more, whatever comes.
    pub(super) fn end_invitation(&self, mail: MailId) -> Result<bool> {
        let ended = self
            .connection
            .prepare_cached("INSERT INTO ended_invitations (mail_id, ended_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute((mail.0, time_text(self.now)))?;
        Ok(ended == 1)
    }
}

/// Where the mail of an invitation goes.
pub(super) fn address(connection: &Connection, mail: MailId) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT address FROM invitations WHERE mail_id = ?1")?;
    statement.query_and_then([mail.0], |row| row.plain("address"))?.next().transpose()
}

/// Why an invitation says what is not so any more: its page is not open, or what is open is another amount.
pub(super) fn outdated(connection: &Connection, mail: MailId) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT p.id, p.status, p.currency, l.amount_minor FROM invitations i JOIN payments p ON p.id = i.payment_id
         JOIN payment_links l ON l.payment_id = p.id WHERE i.mail_id = ?1",
    )?;
    let page = |row: &Row<'_>| {
        let status = row.choice("status", TransactionStatus::parse)?;
        Ok::<_, LedgerError>((row.id("id", PaymentId)?, status, row.amount("amount_minor")?))
    };
    let Some((payment, status, amount)) = statement.query_and_then([mail.0], page)?.next().transpose()? else {
        return Ok(None);
    };
    if status != TransactionStatus::Open {
        return Ok(Some(format!("its page is {}", status.as_str())));
    }
    let asked =
        entries::list(connection, "id IN (SELECT entry_id FROM entry_items WHERE payment_id = ?1)", [payment.0])?;
    if let Some(cancelled) = asked.iter().find(|entry| entry.status == EntryStatus::Cancelled) {
        return Ok(Some(format!("{} is cancelled", cancelled.name())));
    }
    let open = asked.iter().map(Entry::open).collect::<std::result::Result<Vec<_>, _>>()?;
    let open = Amount::sum(amount.currency(), open)?;
    if open != amount {
        return Ok(Some(format!("{open} are open, and not {amount}")));
    }
    objection(connection, &asked)
}

pub(super) fn orders_of_entries(connection: &Connection, entries: &[Entry]) -> Result<Vec<OrderId>> {
    let mut statement = connection.prepare_cached(
        "SELECT o.id FROM orders o WHERE o.id = ?1
         UNION SELECT o.id FROM order_keys k JOIN orders o ON o.id = k.order_id
         WHERE ?1 IS NULL AND k.entry_key = ?2 AND (o.deleted = 0 OR NOT EXISTS (
           SELECT 1 FROM order_keys a JOIN orders b ON b.id = a.order_id WHERE a.entry_key = ?2 AND b.deleted = 0))",
    )?;
    let mut all = Vec::new();
    for entry in entries {
        let asked = (entry.order.map(|order| order.0), entry.key.as_ref().map(ToString::to_string));
        for order in statement.query_and_then(asked, |row| row.id("id", OrderId))? {
            let order = order?;
            if !all.contains(&order) {
                all.push(order);
            }
        }
    }
    Ok(all)
}

pub(super) fn objection(connection: &Connection, entries: &[Entry]) -> Result<Option<String>> {
    if let Some(why) = collections::under_way(connection, entries)? {
        return Ok(Some(why));
    }
    for entry in entries {
        if let Some(why) = collections::money_of_invoice(connection, entry)? {
            return Ok(Some(why));
        }
    }
    money_under_way(connection, entries)
}

/// Why nothing more should be taken for these entries: their order is gone, or money for it is there or on its way by a payment.
pub(super) fn money_under_way(connection: &Connection, entries: &[Entry]) -> Result<Option<String>> {
    for id in orders_of_entries(connection, entries)? {
        let order = orders::order(connection, id)?;
        if order.cancelled != Cancellation::None || order.deleted {
            let how = if order.deleted { "deleted" } else { "cancelled" };
            return Ok(Some(format!("order {}/{} is {how}", order.shop, order.number)));
        }
        // Money for the order that no entry and no invoice has is meant for what these ask.
        let own = "(p.order_id = ?1 OR p.id IN (SELECT k.payment_id FROM order_keys o JOIN payment_keys k ON k.key = o.payment_key
                                                WHERE o.order_id = ?1))
                   AND p.pays = '' AND p.id NOT IN (SELECT payment_id FROM entry_items)";
        for payment in payments::list(connection, own, [id.0])? {
            let captures = captures_of(connection, payment.id, None, None)?;
            if is_under_way(&payment) || captures.iter().any(|capture| capture.untied.is_positive()) {
                return Ok(Some(under_way(&payment)));
            }
        }
    }
    for entry in entries {
        let own = "p.id IN (SELECT payment_id FROM entry_items WHERE entry_id = ?1)
                   OR p.id IN (SELECT k.payment_id FROM entries e JOIN payment_keys k ON k.key = e.payment_key WHERE e.id = ?1)";
        if let Some(payment) =
            payments::list(connection, own, [entry.id.0])?.iter().find(|payment| is_under_way(payment))
        {
            return Ok(Some(under_way(payment)));
        }
    }
    Ok(None)
}

/// It may bring money without anybody being asked again.
fn is_under_way(payment: &Payment) -> bool {
    match payment.status {
        TransactionStatus::Pending | TransactionStatus::Authorised | TransactionStatus::Error => true,
        TransactionStatus::Open
        | TransactionStatus::Captured
        | TransactionStatus::Released
        | TransactionStatus::Cancelled
        | TransactionStatus::Refused
        | TransactionStatus::Expired => false,
    }
}

fn under_way(payment: &Payment) -> String {
    format!("payment {} for it is {}", payment.transaction, payment.status.as_str())
}
