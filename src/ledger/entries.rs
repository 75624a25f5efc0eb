//! Entries and what movements have paid of them: append-only assignments, with the sum and status beside each entry.

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::row::{Columns, day_text, time_text};
use super::{Ledger, LedgerError, Result, Writer, documents, payments};
use crate::domain::consequence::MovementDraft;
use crate::domain::document::DocumentKind;
use crate::domain::entry::{Assignment, Entry, EntryStatus, spread, take_back};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{
    AssignmentKey, CustomerNumber, DocumentId, EntryId, EntryReference, MovementId, OrderId, PaymentId, TransactionId,
};
use crate::domain::money::{Amount, Currency};
use crate::domain::movement::MovementKind;
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

    /// Assigns what a fresh movement brings to the entries its payment is for, or takes back what it takes away. What its
    /// journals have done to the entries of invoices is done already.
    pub(super) fn assign_movement(&self, movement: MovementId, draft: &MovementDraft) -> Result<()> {
        match draft.kind {
            MovementKind::Capture => {
                let entries = entries_of_payment(self.connection, draft.payment)?;
                if entries.is_empty() {
                    self.tell_of_settled_key(draft)?;
                }
                self.assign_capture(movement, draft.amount, &entries)
            }
            MovementKind::ChargebackReversed => {
                let entries = list(
                    self.connection,
                    "id IN (SELECT a.entry_id FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE m.payment_id = ?1)",
                    [draft.payment.0],
                )?;
                self.assign_all(movement, &spread(draft.amount, &entries)?)
            }
            MovementKind::CaptureFailure | MovementKind::RefundFailure => self.undo_assignments(movement),
            // It pays out the credit note and leaves the invoice paid (rule 17), or pays out what no entry has.
            MovementKind::Refund if self.leaves_entries(draft.document)? => Ok(()),
            MovementKind::Refund | MovementKind::Chargeback => {
                let taken = assigned_by(self.connection, movement, draft.amount.currency())?;
                let left = draft.amount.checked_add(taken)?;
                let assigned = assigned_of_payment(self.connection, draft.payment)?;
                self.assign_all(movement, &take_back(left, &assigned)?)
            }
        }
    }

    /// Money with a key whose entry another payment was for: it pays nothing by itself, and nobody would look for it (trap T40).
    fn tell_of_settled_key(&self, draft: &MovementDraft) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT k.key FROM payment_keys k WHERE k.payment_id = ?1
               AND EXISTS (SELECT 1 FROM entries e WHERE e.payment_key = k.key AND e.status <> 'cancelled')",
        )?;
        let mut keys = statement.query_and_then([draft.payment.0], |row| row.named("key", AssignmentKey::parse))?;
        let Some(key) = keys.next().transpose()? else { return Ok(()) };
        let payment = payments::payment(self.connection, draft.payment)?;
        let about = About { order: payment.order, payment: Some(payment.id), ..About::default() };
        let message = format!(
            "{} was captured, and its `assignment_key` `{key}` is that of an invoice which another payment is for: it pays nothing by \
             itself. `payjournal refund-balance {}` pays it back",
            draft.amount, payment.transaction
        );
        let subject = format!("payment {}", payment.transaction);
        self.raise(&ExceptionDraft { kind: ExceptionKind::KeyCollides, subject, message, about }, None)?;
        Ok(())
    }

    fn assign_capture(&self, movement: MovementId, amount: Amount, entries: &[Entry]) -> Result<()> {
        let taken = assigned_by(self.connection, movement, amount.currency())?;
        let parts = spread(amount.checked_sub(taken)?, entries)?;
        self.assign_all(movement, &parts)?;
        // An invoice that is there already is paid at once.
        for (id, part) in parts {
            let document = entries.iter().find(|entry| entry.id == id).and_then(|entry| entry.document);
            if let Some(document) = document {
                self.tie(movement, document, part)?;
            }
        }
        Ok(())
    }

    fn assign_all(&self, movement: MovementId, parts: &[(EntryId, Amount)]) -> Result<()> {
        parts
            .iter()
            .try_for_each(|(entry, amount)| self.assign(Assignment { entry: *entry, movement, amount: *amount }))
    }

    pub(super) fn assign(&self, assignment: Assignment) -> Result<()> {
        let Assignment { entry: id, movement, amount } = assignment;
        self.connection
            .prepare_cached(
                "INSERT INTO assignments (entry_id, movement_id, amount_minor, assigned_at, run_id) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((id.0, movement.0, amount.minor(), time_text(self.now), self.run.map(|run| run.0)))?;
        let before = entry(self.connection, id)?;
        let after = Entry { assigned: before.assigned.checked_add(amount)?, ..before };
        self.connection
            .prepare_cached("UPDATE entries SET assigned_minor = ?2, status = ?3 WHERE id = ?1")?
            .execute((id.0, after.assigned.minor(), after.status_now().as_str()))?;
        Ok(())
    }

    /// What failed after all assigns nothing, and takes nothing back.
    fn undo_assignments(&self, failure: MovementId) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT a.entry_id, a.movement_id, sum(a.amount_minor) AS minor, e.currency
             FROM movements f JOIN movements m ON f.kind = m.kind || '_failure' AND m.provider = f.provider
               AND m.merchant_account = f.merchant_account AND m.modification_id = f.modification_id
             JOIN assignments a ON a.movement_id = m.id JOIN entries e ON e.id = a.entry_id
             WHERE f.id = ?1 AND e.status <> 'cancelled' GROUP BY a.entry_id, a.movement_id HAVING minor <> 0",
        )?;
        let opposite = |row: &Row<'_>| {
            let (entry, movement) = (row.id("entry_id", EntryId)?, row.id("movement_id", MovementId)?);
            Ok(Assignment { entry, movement, amount: row.amount("minor")?.negated() })
        };
        let opposites = statement.query_and_then([failure.0], opposite)?.collect::<Result<Vec<_>>>()?;
        for Assignment { entry: id, movement, amount } in opposites {
            let entry = entry(self.connection, id)?;
            let amount = if amount.is_negative() {
                amount.negated().at_most(entry.assigned)?.negated()
            } else {
                amount.at_most(entry.open()?)?
            };
            if !amount.is_zero() {
                self.assign(Assignment { entry: id, movement, amount })?;
            }
        }
        Ok(())
    }

    /// A journal that pays an invoice, or takes that back, does the same to the invoice's entry.
    pub(super) fn assign_tie(&self, movement: MovementId, document: DocumentId, pays: bool) -> Result<()> {
        let Some(entry) = list(self.connection, "document_id = ?1 AND status <> 'cancelled'", [document.0])?.pop()
        else {
            return Ok(());
        };
        let currency = entry.initial.currency();
        let sum = |sql: &str, id: i64| -> Result<Amount> {
            let minor = self.connection.prepare_cached(sql)?.query_row((movement.0, id), |row| row.get(0))?;
            Ok(Amount::from_minor(minor, currency))
        };
        let tied = sum(
            "SELECT ifnull(sum(CASE WHEN (direction = 'original') = (kind NOT IN ('reopening', 'returned_refund')) THEN amount_minor ELSE -amount_minor END), 0)
             FROM journals WHERE movement_id = ?1 AND document_id = ?2",
            document.0,
        )?;
        let assigned = sum(
            "SELECT ifnull(sum(amount_minor), 0) FROM assignments WHERE movement_id = ?1 AND entry_id = ?2",
            entry.id.0,
        )?;
        let missing = tied.checked_sub(assigned)?;
        let missing = match (pays, missing.is_negative()) {
            // Not below what the entry has: a chargeback may have taken it already.
            (false, true) => missing.negated().at_most(entry.assigned)?.negated(),
            // Not more than the entry lacks, nor what another entry has of it.
            (true, false) => {
                let free = amount_of(self.connection, movement, currency)?.checked_sub(assigned_by(
                    self.connection,
                    movement,
                    currency,
                )?)?;
                missing.at_most(entry.open()?)?.at_most(free.or_zero())?
            }
            (false, false) => missing.at_most(entry.open()?)?,
            // What was paid back before the invoice took it off the entry already.
            (true, true) => Amount::zero(currency),
        };
        if missing.is_zero() { Ok(()) } else { self.assign(Assignment { entry: entry.id, movement, amount: missing }) }
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
    pub fn put_payment_link(&self, record: &PaymentRecord, url: &str, amount: Amount) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO payment_links (payment_id, url, amount_minor, made_at)
                 SELECT id, ?4, ?5, ?6 FROM payments WHERE provider = ?1 AND merchant_account = ?2 AND transaction_id = ?3
                 ON CONFLICT DO NOTHING",
            )?
            .execute((
                record.provider.as_str(),
                record.merchant_account.as_str(),
                record.transaction.as_str(),
                url,
                amount.minor(),
                time_text(self.now),
            ))?;
        Ok(())
    }

    fn leaves_entries(&self, document: Option<DocumentId>) -> Result<bool> {
        let Some(document) = document else { return Ok(false) };
        let kind = documents::named(self.connection, document)?.kind;
        Ok(matches!(kind, DocumentKind::CreditNote | DocumentKind::RefundRequest))
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

    /// Takes off an entry what a credit note took off its invoice.
    pub(super) fn reduce_entry(&self, id: EntryId, by: Amount) -> Result<()> {
        let before = entry(self.connection, id)?;
        let after = Entry { reduction: before.reduction.checked_add(by)?, ..before };
        self.connection
            .prepare_cached("UPDATE entries SET reduction_minor = ?2, status = ?3 WHERE id = ?1")?
            .execute((id.0, after.reduction.minor(), after.status_now().as_str()))?;
        Ok(())
    }

    /// A name for the entry that takes the place of another, so that a page can be made for it: `WEB-1`, `WEB-1/2`, `WEB-1/3`.
    pub(super) fn next_reference(&self, before: EntryId) -> Result<Option<EntryReference>> {
        let Some(old) = entry(self.connection, before)?.reference else { return Ok(None) };
        let stem = match old.as_str().rsplit_once('/') {
            Some((stem, number)) if number.parse::<u32>().is_ok() => stem,
            Some(_) | None => old.as_str(),
        };
        for number in 2..1_000 {
            // One that is too long stays without.
            let Ok(next) = EntryReference::parse(&format!("{stem}/{number}")) else { return Ok(None) };
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
             ORDER BY sum(amount_minor)",
        )?;
        let sums: Vec<(i64, i64)> =
            statement.query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        for (movement, minor) in sums {
            let amount = Amount::from_minor(minor, entry.initial.currency()).negated();
            self.assign(Assignment { entry: id, movement: MovementId(movement), amount })?;
        }
        self.connection.prepare_cached("UPDATE entries SET status = 'cancelled' WHERE id = ?1")?.execute([id.0])?;
        Ok(())
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
fn linked_payments(connection: &Connection, entries: &[Entry]) -> Result<Vec<LinkedPayment>> {
    let Some(first) = entries.first() else { return Ok(Vec::new()) };
    let mut wanted: Vec<i64> = entries.iter().map(|entry| entry.id.0).collect();
    wanted.sort_unstable();
    let wanted = wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut statement = connection.prepare_cached(
        "SELECT p.transaction_id, p.status, p.currency, l.url, l.amount_minor FROM entry_items i
         JOIN payments p ON p.id = i.payment_id JOIN payment_links l ON l.payment_id = p.id
         WHERE i.entry_id = ?1
           AND (SELECT group_concat(entry_id) FROM (SELECT entry_id FROM entry_items o JOIN entries e ON e.id = o.entry_id
                WHERE o.payment_id = p.id AND (e.status <> 'cancelled' OR e.id = ?1) ORDER BY entry_id)) = ?2
         ORDER BY p.id",
    )?;
    let linked = |row: &Row<'_>| {
        Ok(LinkedPayment {
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

/// The entries a payment is for: those it names, and the one an invoice made for its key.
fn entries_of_payment(connection: &Connection, payment: PaymentId) -> Result<Vec<Entry>> {
    let named = list(connection, "id IN (SELECT entry_id FROM entry_items WHERE payment_id = ?1)", [payment.0])?;
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

fn amount_of(connection: &Connection, movement: MovementId, currency: Currency) -> Result<Amount> {
    let minor = connection
        .prepare_cached("SELECT amount_minor FROM movements WHERE id = ?1")?
        .query_row([movement.0], |row| row.get(0))?;
    Ok(Amount::from_minor(minor, currency))
}

/// What entries without an invoice have of a movement, but for one of them: nothing else may take it. In minor units.
pub(super) fn reserved(connection: &Connection, movement: MovementId, but: Option<EntryId>) -> Result<i64> {
    Ok(connection
        .prepare_cached(
            "SELECT ifnull(sum(a.amount_minor), 0) FROM assignments a JOIN entries e ON e.id = a.entry_id
             WHERE a.movement_id = ?1 AND e.document_id IS NULL AND e.status <> 'cancelled' AND e.id <> ?2",
        )?
        .query_row((movement.0, but.map_or(0, |entry| entry.0)), |row| row.get(0))?)
}

/// What a movement assigned so far; negative what it took back.
fn assigned_by(connection: &Connection, movement: MovementId, currency: Currency) -> Result<Amount> {
    let minor = connection
        .prepare_cached("SELECT ifnull(sum(amount_minor), 0) FROM assignments WHERE movement_id = ?1")?
        .query_row([movement.0], |row| row.get(0))?;
    Ok(Amount::from_minor(minor, currency))
}

/// What each entry has of a payment, the newest first.
fn assigned_of_payment(connection: &Connection, payment: PaymentId) -> Result<Vec<(EntryId, Amount)>> {
    let mut statement = connection.prepare_cached(
        "SELECT a.entry_id, sum(a.amount_minor) AS minor, e.currency, max(a.id) AS newest
         FROM movements m JOIN assignments a ON a.movement_id = m.id JOIN entries e ON e.id = a.entry_id
         WHERE m.payment_id = ?1 AND e.status <> 'cancelled' GROUP BY a.entry_id HAVING minor > 0 ORDER BY newest DESC",
    )?;
    statement.query_and_then([payment.0], |row| Ok((row.id("entry_id", EntryId)?, row.amount("minor")?)))?.collect()
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
