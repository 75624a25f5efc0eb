//! Entries, the pages they can be paid on, and what becomes of them. What pays them is in `assignments`.

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::row::{Columns, day_text, time_text};
use super::{Ledger, LedgerError, Result, Writer, documents};
use crate::domain::entry::{Assignment, Entry, EntryStatus};
use crate::domain::id::{
    AssignmentKey, CustomerNumber, DocumentId, DocumentNumber, EntryId, EntryReference, MovementId, OrderId, PaymentId,
    ProviderName, TransactionId,
};
use crate::domain::money::Amount;
use crate::domain::payment::TransactionStatus;
use crate::exchange::import::PaymentRecord;

/// An entry to be made.
#[derive(Debug, Clone)]
pub(super) struct NewEntry<'a> {
    pub(super) reference: Option<&'a EntryReference>,
    pub(super) customer: &'a CustomerNumber,
    pub(super) order: Option<OrderId>,
    pub(super) key: Option<&'a AssignmentKey>,
    pub(super) payment_key: Option<&'a AssignmentKey>,
    pub(super) title: &'a str,
    pub(super) initial: Amount,
    pub(super) due_on: Option<chrono::NaiveDate>,
    pub(super) document: Option<DocumentId>,
}

/// A payment with the page it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedPayment {
    pub id: PaymentId,
    pub provider: ProviderName,
    pub transaction: TransactionId,
    pub url: String,
    pub status: TransactionStatus,
    /// What the page asks for.
    pub amount: Amount,
}

impl LinkedPayment {
    /// Whether a customer may still pay just this amount on it.
    pub fn is_usable(&self, amount: Amount) -> bool {
        self.amount == amount && matches!(self.status, TransactionStatus::Open | TransactionStatus::Pending)
    }
}

impl Ledger {
    pub fn entry(&self, id: EntryId) -> Result<Entry> {
        entry(&self.connection, id)
    }

    pub fn entry_named(&self, reference: &EntryReference) -> Result<Option<Entry>> {
        by_reference(&self.connection, reference)?.map(|id| entry(&self.connection, id)).transpose()
    }

    /// Payments made on a page for exactly these entries, in their order.
    pub fn payments_of_entries(&self, entries: &[Entry]) -> Result<Vec<LinkedPayment>> {
        linked_payments(&self.connection, entries)
    }

    pub fn entries_of_order(&self, order: OrderId) -> Result<Vec<Entry>> {
        list(&self.connection, "order_id = ?1", [order.0])
    }

    /// The entries a payment is for, or has paid.
    pub fn entries_of_payment(&self, payment: PaymentId) -> Result<Vec<Entry>> {
        list(
            &self.connection,
            "id IN (SELECT entry_id FROM entry_items WHERE payment_id = ?1
                    UNION SELECT a.entry_id FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE m.payment_id = ?1)",
            [payment.0],
        )
    }

    /// The entry of an invoice that payjournal made.
    pub fn entry_of_document(&self, document: DocumentId) -> Result<Option<Entry>> {
        Ok(list(&self.connection, "document_id = ?1", [document.0])?.pop())
    }
}

impl Writer<'_> {
    pub(super) fn insert_entry(&self, new: &NewEntry<'_>) -> Result<EntryId> {
        let status = if new.initial.is_zero() { EntryStatus::Balanced } else { EntryStatus::Open };
        self.connection
            .prepare_cached(
                "INSERT INTO entries (reference, customer, order_id, key, payment_key, title, currency, initial_minor, status, due_on,
                                      document_id, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute((
                new.reference.map(EntryReference::as_str),
                new.customer.as_str(),
                new.order.map(|order| order.0),
                new.key.map(AssignmentKey::as_str),
                new.payment_key.map(AssignmentKey::as_str),
                new.title,
                new.initial.currency().code(),
                new.initial.minor(),
                status.as_str(),
                new.due_on.map(day_text),
                new.document.map(|document| document.0),
                time_text(self.now),
            ))?;
        Ok(EntryId(self.connection.last_insert_rowid()))
    }

    /// Whose entries a payment names, if they are all one customer's.
    pub(super) fn entry_customer(&self, payment: PaymentId) -> Result<Option<CustomerNumber>> {
        let named =
            list(self.connection, "id IN (SELECT entry_id FROM entry_items WHERE payment_id = ?1)", [payment.0])?;
        let mut customers = named.into_iter().map(|entry| entry.customer);
        let first = customers.next();
        Ok(first.filter(|first| customers.all(|other| other == *first)))
    }

    /// Keeps the page a payment was made with; once.
    pub fn put_payment_link(&self, record: &PaymentRecord, url: &str, amount: Amount) -> Result<PaymentId> {
        let id = self.payment_by_key(record)?;
        let id = id.ok_or_else(|| LedgerError::NotFound { what: format!("payment {}", record.transaction) })?;
        self.connection
            .prepare_cached(
                "INSERT INTO payment_links (payment_id, url, amount_minor, made_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute((id.0, url, amount.minor(), time_text(self.now)))?;
        Ok(id)
    }

    /// Gives an entry to an invoice.
    pub(super) fn relate_entry(&self, entry: EntryId, document: DocumentId) -> Result<()> {
        let related = self
            .connection
            .prepare_cached(
                "UPDATE entries SET document_id = ?2 WHERE id = ?1 AND document_id IS NULL AND status <> 'cancelled'",
            )?
            .execute((entry.0, document.0))?;
        if related == 1 {
            return Ok(());
        }
        Err(LedgerError::Invariant(format!("entry {entry} has an invoice or was cancelled meanwhile")))
    }

    /// Takes off the entries of an invoice what a credit note took off it, from each no more than is open.
    pub(super) fn reduce_entries_of(&self, invoice: DocumentId, by: Amount) -> Result<()> {
        let mut left = by;
        for before in list(self.connection, "document_id = ?1 AND status <> 'cancelled'", [invoice.0])? {
            let part = left.at_most(before.open()?)?;
            left = left.checked_sub(part)?;
            let after = Entry { reduction: before.reduction.checked_add(part)?, ..before };
            self.connection
                .prepare_cached("UPDATE entries SET reduction_minor = ?2, status = ?3 WHERE id = ?1")?
                .execute((after.id.0, after.reduction.minor(), after.status_now().as_str()))?;
            self.tell_of_spare_money_of_entry(after.id, None)?;
        }
        Ok(())
    }

    /// A name for the entry that takes the place of another, so that a page can be made for it: `WEB-1`, `WEB-1/2`, `WEB-1/3`. One that was
    /// named after its invoice is followed by one that is named after its own.
    pub(super) fn next_reference(&self, before: EntryId, invoice: &DocumentNumber) -> Result<Option<EntryReference>> {
        let before = entry(self.connection, before)?;
        let of = before.document.map(|document| documents::named(self.connection, document)).transpose()?;
        let Some(old) = before.reference.filter(|old| of.is_none_or(|of| of.number.as_str() != old.as_str())) else {
            return self.free_reference(invoice.as_str());
        };
        let stem = match old.as_str().rsplit_once('/') {
            Some((stem, number)) if number.parse::<u32>().is_ok() => stem,
            Some(_) | None => old.as_str(),
        };
        self.free_reference(stem)
    }

    /// The stem, or what follows it where an entry has that name already.
    pub(super) fn free_reference(&self, stem: &str) -> Result<Option<EntryReference>> {
        for number in 1..1_000 {
            let text = if number == 1 { stem.to_owned() } else { format!("{stem}/{number}") };
            // One that is too long stays without.
            let Ok(next) = EntryReference::parse(&text) else { return Ok(None) };
            if by_reference(self.connection, &next)?.is_none() {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// What was to pay one entry pays another in its place.
    pub(super) fn inherit_items(&self, before: EntryId, heir: EntryId) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO entry_items (entry_id, payment_id) SELECT ?2, payment_id FROM entry_items WHERE entry_id = ?1",
            )?
            .execute((before.0, heir.0))?;
        Ok(())
    }

    /// Takes an entry out of everything: what was assigned to it is free again.
    pub(super) fn cancel_entry(&self, id: EntryId) -> Result<()> {
        let entry = entry(self.connection, id)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT movement_id, sum(amount_minor) FROM assignments WHERE entry_id = ?1 GROUP BY movement_id HAVING sum(amount_minor) <> 0
             ORDER BY movement_id",
        )?;
        let sums: Vec<(i64, i64)> =
            statement.query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        for (movement, minor) in sums {
            let amount = Amount::from_minor(minor, entry.initial.currency()).negated();
            self.write_assignment(Assignment { entry: id, movement: MovementId(movement), amount })?;
        }
        // At once: what came, went and came again is in no order in which the entry never had more than it is over, nor less than nothing.
        self.connection
            .prepare_cached("UPDATE entries SET assigned_minor = 0, status = 'cancelled' WHERE id = ?1")?
            .execute([id.0])?;
        self.tell_of_spare_money_of_entry(id, None)
    }
}

pub(super) fn entry(connection: &Connection, id: EntryId) -> Result<Entry> {
    list(connection, "id = ?1", [id.0])?.pop().ok_or_else(|| LedgerError::NotFound { what: format!("entry {id}") })
}

/// In the order in which they were made.
pub(super) fn list(connection: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<Entry>> {
    let sql = ["SELECT * FROM entries WHERE ", condition, " ORDER BY id"].concat();
    connection.prepare_cached(&sql)?.query_and_then(parameters, from_row)?.collect()
}

/// Payments made on a page for exactly these entries, in their order.
pub(super) fn linked_payments(connection: &Connection, entries: &[Entry]) -> Result<Vec<LinkedPayment>> {
    let Some(first) = entries.first() else { return Ok(Vec::new()) };
    let mut wanted: Vec<i64> = entries.iter().map(|entry| entry.id.0).collect();
    wanted.sort_unstable();
    let wanted = wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut statement = connection.prepare_cached(
        "SELECT p.id, p.provider, p.transaction_id, p.status, p.currency, l.url, l.amount_minor FROM entry_items i
         JOIN payments p ON p.id = i.payment_id JOIN payment_links l ON l.payment_id = p.id
         WHERE i.entry_id = ?1
           AND (SELECT group_concat(entry_id) FROM (SELECT entry_id FROM entry_items o JOIN entries e ON e.id = o.entry_id
                WHERE o.payment_id = p.id AND (e.status <> 'cancelled' OR e.id = ?1) ORDER BY entry_id)) = ?2
         ORDER BY p.id",
    )?;
    let linked = |row: &Row<'_>| {
        Ok(LinkedPayment {
            id: row.id("id", PaymentId)?,
            provider: row.named("provider", ProviderName::parse)?,
            transaction: row.named("transaction_id", TransactionId::parse)?,
            url: row.plain("url")?,
            status: row.choice("status", TransactionStatus::parse)?,
            amount: row.amount("amount_minor")?,
        })
    };
    statement.query_and_then((first.id.0, wanted), linked)?.collect()
}

/// The page on which what is open of an entry can be paid.
pub(super) fn open_page(connection: &Connection, entry: &Entry) -> Result<Option<String>> {
    let open = entry.open()?;
    let linked = linked_payments(connection, std::slice::from_ref(entry))?;
    Ok(linked.into_iter().rev().find(|linked| linked.is_usable(open)).map(|linked| linked.url))
}

/// The payments that name an entry.
pub(super) fn payments_for(connection: &Connection, entry: EntryId) -> Result<Vec<PaymentId>> {
    let mut statement =
        connection.prepare_cached("SELECT payment_id FROM entry_items WHERE entry_id = ?1 ORDER BY payment_id")?;
    statement.query_and_then([entry.0], |row| row.id("payment_id", PaymentId))?.collect()
}

/// The entries a payment was made for, and not those that took the place of one when its order was billed again.
pub(super) fn named_by(connection: &Connection, payment: PaymentId) -> Result<Vec<EntryId>> {
    let mut statement = connection.prepare_cached(
        "SELECT i.entry_id FROM entry_items i JOIN entries e ON e.id = i.entry_id
         WHERE i.payment_id = ?1 AND NOT EXISTS (
           SELECT 1 FROM invoices own JOIN invoices before ON before.order_id = own.order_id
             JOIN entries old ON old.document_id = before.document_id
             JOIN entry_items o ON o.entry_id = old.id AND o.payment_id = i.payment_id
           WHERE own.document_id = e.document_id AND old.id < e.id)
         ORDER BY i.entry_id",
    )?;
    statement.query_and_then([payment.0], |row| row.id("entry_id", EntryId))?.collect()
}

/// The entries a payment names, and those that took their place.
pub(super) fn entries_in_payment(connection: &Connection, payment: PaymentId) -> Result<Vec<Entry>> {
    list(connection, "id IN (SELECT entry_id FROM entry_items WHERE payment_id = ?1)", [payment.0])
}

/// The entries a payment is for: those it names, and the one an invoice made for its key.
pub(super) fn entries_of_payment(connection: &Connection, payment: PaymentId) -> Result<Vec<Entry>> {
    let named = entries_in_payment(connection, payment)?;
    if !named.is_empty() {
        return Ok(named);
    }
    let of_key = list(
        connection,
        "status <> 'cancelled' AND payment_key = (SELECT key FROM payment_keys WHERE payment_id = ?1)
         AND (SELECT count(*) FROM payment_keys k JOIN payment_keys o ON o.key = k.key JOIN payments p ON p.id = o.payment_id
              WHERE k.payment_id = ?1 AND (p.status NOT IN ('refused', 'cancelled', 'expired')
                OR EXISTS (SELECT 1 FROM movements m WHERE m.payment_id = p.id))) = 1
         AND (SELECT order_id IS NULL OR order_id = entries.order_id FROM payments WHERE id = ?1)",
        [payment.0],
    )?;
    // Two of one key match nothing (trap T40).
    Ok(if of_key.len() == 1 { of_key } else { Vec::new() })
}

/// What the invoice of an entry `e` has of the capture of its assignment `a`; 0 without an invoice.
pub(super) const TIED: &str = "
    (SELECT ifnull(sum(CASE j.direction WHEN 'original' THEN j.amount_minor ELSE -j.amount_minor END), 0)
     FROM journals j WHERE j.movement_id = a.movement_id AND j.document_id = e.document_id AND j.kind IN ('receipt', 'application'))";

/// What an entry `e` has of the payment of its assignment `a`, and its invoice has not: what was charged back or paid back it has not either.
const BEYOND: &str = "
    (SELECT sum(b.amount_minor) FROM movements c JOIN movements n ON n.payment_id = c.payment_id JOIN assignments b ON b.movement_id = n.id
     WHERE c.id = a.movement_id AND b.entry_id = e.id)
    - (SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind <> 'reopening') THEN j.amount_minor ELSE -j.amount_minor END), 0)
       FROM movements c JOIN movements n ON n.payment_id = c.payment_id JOIN journals j ON j.movement_id = n.id
       WHERE c.id = a.movement_id AND j.document_id = e.document_id AND j.kind IN ('receipt', 'application', 'reopening'))";

/// What entries have of a movement, but for one of them, and no invoice has: nothing else may take it. In minor units. An entry without an
/// invoice waits for it; one with an invoice has more than that took where another payment of it was charged back.
pub(super) fn reserved(connection: &Connection, movement: MovementId, but: Option<EntryId>) -> Result<i64> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT ifnull(sum(max(min(minor, beyond), 0)), 0) FROM (
               SELECT sum(a.amount_minor) - {TIED} AS minor, {BEYOND} AS beyond FROM assignments a JOIN entries e ON e.id = a.entry_id
               WHERE a.movement_id = ?1 AND e.status <> 'cancelled' AND e.id <> ?2 GROUP BY e.id)"
        ))?
        .query_row((movement.0, but.map_or(0, |entry| entry.0)), |row| row.get(0))?)
}

/// The same of a payment whose money was won back: that, too, entries have of it.
pub(super) fn reserved_of_payment(connection: &Connection, payment: PaymentId, but: Option<EntryId>) -> Result<i64> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT ifnull(sum(max(beyond, 0)), 0) FROM (
               SELECT {BEYOND} AS beyond FROM movements m JOIN assignments a ON a.movement_id = m.id JOIN entries e ON e.id = a.entry_id
               WHERE m.payment_id = ?1 AND e.status <> 'cancelled' AND e.id <> ?2 GROUP BY e.id)"
        ))?
        .query_row((payment.0, but.map_or(0, |entry| entry.0)), |row| row.get(0))?)
}

/// Of what is reserved of a movement, what an invoice of the order can take for its own entry: it was not known to lack it when that got it.
/// In minor units.
pub(super) fn reserved_for_invoices(connection: &Connection, movement: MovementId, order: OrderId) -> Result<i64> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT ifnull(sum(max(min(minor, beyond, lacks), 0)), 0) FROM (
               SELECT sum(a.amount_minor) - {TIED} AS minor, {BEYOND} AS beyond, d.total_minor - d.paid_elsewhere_minor -
                 (SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind NOT IN ('reopening', 'returned_refund'))
                                         THEN j.amount_minor ELSE -j.amount_minor END), 0)
                  FROM journals j WHERE j.document_id = d.id) AS lacks
               FROM assignments a JOIN entries e ON e.id = a.entry_id JOIN documents d ON d.id = e.document_id
               WHERE a.movement_id = ?1 AND e.status <> 'cancelled' AND d.order_id = ?2 GROUP BY e.id)"
        ))?
        .query_row((movement.0, order.0), |row| row.get(0))?)
}

pub(super) fn by_reference(connection: &Connection, reference: &EntryReference) -> Result<Option<EntryId>> {
    let id: Option<i64> = connection
        .prepare_cached("SELECT id FROM entries WHERE reference = ?1")?
        .query_row([reference.as_str()], |row| row.get(0))
        .optional()?;
    Ok(id.map(EntryId))
}

fn from_row(row: &Row<'_>) -> Result<Entry> {
    Ok(Entry {
        id: row.id("id", EntryId)?,
        reference: row.optional_text("reference")?.map(EntryReference::parse).transpose()?,
        customer: row.named("customer", CustomerNumber::parse)?,
        order: row.optional_id("order_id", OrderId)?,
        key: row.optional_text("key")?.map(AssignmentKey::parse).transpose()?,
        payment_key: row.optional_text("payment_key")?.map(AssignmentKey::parse).transpose()?,
        title: row.plain("title")?,
        initial: row.amount("initial_minor")?,
        reduction: row.amount("reduction_minor")?,
        assigned: row.amount("assigned_minor")?,
        status: row.choice("status", EntryStatus::parse)?,
        due_on: match row.optional_text("due_on")? {
            Some(_) => Some(row.day("due_on")?),
            None => None,
        },
        document: row.optional_id("document_id", DocumentId)?,
    })
}
