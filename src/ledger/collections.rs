//! Collections: what is due of an entry is taken on a mandate of its customer, and what the PSP made of it comes in as a payment.
//!
//! What speaks against one is read from the rows alone, beside the plan: for the plan, in the transaction that records the intent, and
//! again in the one that sends it.

use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension};

use super::billing::captures_of;
use super::collection_keys::{natural_key, shop};
use super::deletions::{PAYMENTS_OF_ORDER, is_going};
use super::invitations::{money_under_way, orders_of_entries};
use super::row::{Columns, time_text};
use super::settlements::PaymentKey;
use super::{
    Ledger, LedgerError, Result, Writer, documents, entries, mandates, movements, operations, orders, payments,
};
use crate::domain::consequence::{CollectedDraft, MovementDraft, Standing};
use crate::domain::document::{Document, DocumentKind};
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{EntryId, ExceptionId, ModificationId, PaymentId, ShopName, TransactionId};
use crate::domain::mandate::Mandate;
use crate::domain::money::Amount;
use crate::domain::movement::MovementKind;
use crate::domain::order::PaymentStatus;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::operation::{Kind, Operation, Subject};

/// An entry with everything that decides whether it is collected.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectCase {
    pub entry: Entry,
    /// Its own day, or that of its invoice where that is later or the only one.
    pub due_on: Option<NaiveDate>,
    /// What makes its collection the same again: its reference, or its invoice, and the shop.
    pub natural_key: String,
    pub shop: ShopName,
    /// All of its customer's.
    pub mandates: Vec<Mandate>,
    /// The collections of it so far, the first first.
    pub operations: Vec<Operation>,
    /// Money that paid it once and went back: by what.
    pub went_back: Option<String>,
    /// What has to come to its end first.
    pub waits: Option<Waits>,
}

/// Why nothing may be taken now: the class it is counted under, and what a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    pub class: &'static str,
    pub why: String,
}

impl Ledger {
    /// Open entries of customers who ever gave a mandate, and those with a collection or an exception to look at again.
    pub fn collectable_entries(&self, after: EntryId, limit: u32, task: &str) -> Result<Vec<EntryId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM (
               SELECT id FROM (SELECT id FROM entries e WHERE status = 'open' AND id > ?1
                                 AND EXISTS (SELECT 1 FROM mandates m WHERE m.customer = e.customer) ORDER BY id LIMIT ?2)
               UNION SELECT entry_id FROM operations WHERE kind = 'collect' AND state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn')
                       AND entry_id > ?1
               UNION SELECT entry_id FROM exceptions WHERE task = ?3 AND state <> 'resolved' AND entry_id > ?1)
             ORDER BY id LIMIT ?2",
        )?;
        statement.query_and_then((after.0, limit, task), |row| row.id("id", EntryId))?.collect()
    }

    pub fn collect_case(&self, id: EntryId) -> Result<CollectCase> {
        let connection = &self.connection;
        let entry = entries::entry(connection, id)?;
        Ok(CollectCase {
            due_on: entry.due_on.max(due_by_invoice(connection, &entry)?),
            natural_key: natural_key(connection, &entry)?,
            shop: shop(connection, &self.books)?,
            mandates: mandates::of_customer(connection, &entry.customer)?,
            operations: of_entry(connection, id)?,
            went_back: went_back(connection, id)?,
            waits: match unclear(connection, id)? {
                Some(told) => Some(Waits { class: "may be collected already", why: may_be_collected(&entry, told) }),
                None => waits(connection, &entry)?,
            },
            entry,
        })
    }

    /// The collections of an entry, the first first.
    pub fn collections_of_entry(&self, entry: EntryId) -> Result<Vec<Operation>> {
        of_entry(&self.connection, entry)
    }
}

impl Writer<'_> {
    /// Why this much may not be taken of an entry on this mandate any more; nothing of what is no collection.
    pub(super) fn objection_to_collecting(&self, subject: Subject, amount: Option<Amount>) -> Result<Option<String>> {
        let (Some(entry), Some(mandate), Some(amount)) = (subject.entry, subject.mandate, amount) else {
            return Ok(None);
        };
        let entry = entries::entry(self.connection, entry)?;
        if let Some(told) = unclear(self.connection, entry.id)? {
            return Ok(Some(may_be_collected(&entry, told)));
        }
        let mandate = mandates::mandate(self.connection, mandate)?;
        let today = self.books.posting_date(self.now);
        let open = entry.open()?;
        if open != amount {
            return Ok(Some(format!("{open} are open of {}, and not {amount}", entry.name())));
        }
        if !mandate.is_active(today) || mandate.customer != entry.customer || !mandate.is_for(amount.currency()) {
            return Ok(Some(format!("{} is not for it any more", mandate.name())));
        }
        Ok(waits(self.connection, &entry)?.map(|waits| waits.why))
    }

    /// Whether an entry of a payment's order is being collected: what the payment has would be taken besides. Few collections are under
    /// way at a time, and most often none.
    pub(super) fn is_collected_otherwise(&self, subject: Subject) -> Result<bool> {
        let Some(payment) = subject.payment else { return Ok(false) };
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM operations c CROSS JOIN entries e ON e.id = c.entry_id CROSS JOIN payments p ON p.id = ?1
                                WHERE c.kind = 'collect' AND c.state IN ('sent', 'accepted', 'unknown', 'given_up')
                                  AND (e.order_id = p.order_id OR e.order_id IS NULL AND e.key =
                                        (SELECT k.entry_key FROM order_keys k WHERE k.order_id = p.order_id)))",
            )?
            .query_row([payment.0], |row| row.get(0))?)
    }

    /// A page that was made for entries which are being collected meanwhile is given to nobody.
    pub fn refuse_collected(&self, entries: &[Entry]) -> Result<()> {
        match under_way(self.connection, entries)? {
            Some(why) => Err(LedgerError::Invariant(why)),
            None => Ok(()),
        }
    }

    /// The payment the PSP made: for the entry, with its capture once that is certain. Known already, it is only completed: the shop may
    /// have handed it over, or a report told of it.
    pub(super) fn record_collected(&self, draft: &CollectedDraft) -> Result<()> {
        let operation = operations::operation(self.connection, draft.operation)?;
        let lacks = |what: &str| LedgerError::damaged(format!("collection {} without {what}", operation.id));
        let entry_id = operation.subject.entry.ok_or_else(|| lacks("an entry"))?;
        let mandate = mandates::mandate(self.connection, operation.subject.mandate.ok_or_else(|| lacks("a mandate"))?)?;
        let asked = operation.amount.ok_or_else(|| lacks("an amount"))?;
        let entry = entries::entry(self.connection, entry_id)?;
        let payment = self.collected_payment(&mandate, &entry, &draft.transaction)?;
        self.connection
            .prepare_cached(
                "INSERT INTO collected_payments (operation_id, payment_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute((operation.id.0, payment.0))?;
        let Some((amount, at)) = draft.moved else { return Ok(()) };
        let is_bookable = amount.is_positive() && amount.currency() == asked.currency();
        if is_bookable {
            self.apply_standing(&Standing {
                payment,
                status: TransactionStatus::Captured,
                authorised: Some(amount),
                authorised_at: Some(at),
                capture_before: None,
            })?;
            self.book_collected(payment, draft, amount)?;
        }
        if amount != asked {
            let booked = if is_bookable { format!("{amount} is booked") } else { "nothing is booked".to_owned() };
            let message = format!(
                "operation {} asked for {asked} of {}, and the PSP says that {amount} moved; {booked}. Settle the difference with the PSP \
                 or the customer, then `payjournal resolve` this exception",
                operation.id,
                entry.name()
            );
            let subject = format!("capture {0} of payment {0}", draft.transaction);
            let about = About { order: entry.order, payment: Some(payment), entry: Some(entry_id), ..About::default() };
            self.raise(&ExceptionDraft { kind: ExceptionKind::AmountDiffers, subject, message, about }, None)?;
        }
        self.resolve_collections(entry_id)
    }

    /// A collected payment has one capture, whatever it is called: a report may have told of it first, under a name of its own.
    fn book_collected(&self, payment: PaymentId, draft: &CollectedDraft, amount: Amount) -> Result<()> {
        let known = movements::of_payment(self.connection, payment)?;
        if known.iter().any(|movement| movement.kind == MovementKind::Capture) {
            return Ok(());
        }
        let Some((_, occurred_at)) = draft.moved else { return Ok(()) };
        self.record_movement(&MovementDraft {
            payment,
            kind: MovementKind::Capture,
            modification: ModificationId::parse(draft.transaction.as_str())?,
            amount,
            occurred_at,
            // The operation is the payment's, in `collected_payments`: in the payment's sums its capture is a fact like the PSP's own.
            operation: None,
            document: None,
            learnt_from: draft.learnt_from,
            key: None,
        })?;
        Ok(())
    }

    fn collected_payment(&self, mandate: &Mandate, entry: &Entry, transaction: &TransactionId) -> Result<PaymentId> {
        let (provider, account) = (mandate.provider.as_str(), mandate.merchant_account.as_str());
        let known: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT id FROM payments WHERE provider = ?1 AND merchant_account = ?2 AND transaction_id = ?3",
            )?
            .query_row((provider, account, transaction.as_str()), |row| row.get(0))
            .optional()?;
        let Some(id) = known.map(PaymentId) else { return self.insert_collected(mandate, entry, transaction) };
        let named =
            entries::list(self.connection, "id IN (SELECT entry_id FROM entry_items WHERE payment_id = ?1)", [id.0])?;
        if named.is_empty() {
            self.connection
                .prepare_cached("INSERT INTO entry_items (entry_id, payment_id) VALUES (?1, ?2)")?
                .execute((entry.id.0, id.0))?;
            self.refill(entry.id)?;
        } else if named.iter().all(|other| other.id != entry.id) {
            self.tell_of_other_entry(id, transaction, entry, &named)?;
        }
        Ok(id)
    }

    /// The shop says that it is for another entry: that one has the money now, and this one asks for it still.
    fn tell_of_other_entry(
        &self,
        id: PaymentId,
        transaction: &TransactionId,
        entry: &Entry,
        named: &[Entry],
    ) -> Result<()> {
        let others: Vec<String> = named.iter().map(Entry::name).collect();
        let message = format!(
            "was collected for {}, and was imported for {}: it pays that one, and {} is not collected again. Find out whose money it is",
            entry.name(),
            others.join(" and "),
            entry.name()
        );
        let subject = format!("payment {transaction}");
        let about = About { order: entry.order, payment: Some(id), ..About::default() };
        self.raise(&ExceptionDraft { kind: ExceptionKind::KeyMismatch, subject, message, about }, None)?;
        Ok(())
    }

    fn insert_collected(&self, mandate: &Mandate, entry: &Entry, transaction: &TransactionId) -> Result<PaymentId> {
        self.connection
            .prepare_cached(
                "INSERT INTO payments (provider, merchant_account, transaction_id, order_id, method, currency, status, status_since, pays)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, '')",
            )?
            .execute((
                mandate.provider.as_str(),
                mandate.merchant_account.as_str(),
                transaction.as_str(),
                entry.order.map(|order| order.0),
                mandate.method.as_str(),
                entry.initial.currency().code(),
                time_text(self.now),
            ))?;
        let id = PaymentId(self.connection.last_insert_rowid());
        let key = PaymentKey {
            provider: mandate.provider.as_str(),
            merchant_account: mandate.merchant_account.as_str(),
            transaction: transaction.as_str(),
        };
        self.settle_new_payment(&key, entry.order)?;
        self.connection
            .prepare_cached("INSERT INTO entry_items (entry_id, payment_id) VALUES (?1, ?2)")?
            .execute((entry.id.0, id.0))?;
        if let Some(order) = entry.order {
            self.refresh_order_status(order)?;
        }
        self.tell_money_of(id)?;
        Ok(id)
    }
}

/// The day that its invoice tells the customer.
fn due_by_invoice(connection: &Connection, entry: &Entry) -> Result<Option<NaiveDate>> {
    let Some(document) = entry.document else { return Ok(None) };
    let mut statement =
        connection.prepare_cached("SELECT due_on FROM invoice_sheets WHERE document_id = ?1 AND due_on IS NOT NULL")?;
    statement.query_and_then([document.0], |row| row.day("due_on"))?.next().transpose()
}

/// The first first.
pub(super) fn of_entry(connection: &Connection, entry: EntryId) -> Result<Vec<Operation>> {
    operations::list(connection, "WHERE entry_id = ?1 ORDER BY attempt", [entry.0])
}

pub(super) fn payment_of(connection: &Connection, operation: &Operation) -> Result<Option<PaymentId>> {
    if operation.kind != Kind::Collect {
        return Ok(None);
    }
    let id: Option<i64> = connection
        .prepare_cached("SELECT payment_id FROM collected_payments WHERE operation_id = ?1")?
        .query_row([operation.id.0], |row| row.get(0))
        .optional()?;
    Ok(id.map(PaymentId))
}

/// The exception that is open because an earlier request may have taken the money of the entry: a person decides.
pub(super) fn unclear(connection: &Connection, entry: EntryId) -> Result<Option<ExceptionId>> {
    let id: Option<i64> = connection
        .prepare_cached("SELECT min(id) FROM exceptions WHERE entry_id = ?1 AND kind = ?2 AND state <> 'resolved'")?
        .query_row((entry.0, ExceptionKind::CollectionUnclear.as_str()), |row| row.get(0))?;
    Ok(id.map(ExceptionId))
}

fn may_be_collected(entry: &Entry, told: ExceptionId) -> String {
    format!("{} may have been collected already: exception {told} says what to look for", entry.name())
}

/// The collection of one of these entries, or of one that asks for the same money, that may have been made, or still will be: nothing
/// else is done for its money.
pub(super) fn under_way(connection: &Connection, entries: &[Entry]) -> Result<Option<String>> {
    for entry in entries {
        if let Some(why) = collected_of(connection, &relatives(connection, entry)?)? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

fn collected_of(connection: &Connection, entries: &[Entry]) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, state FROM operations WHERE entry_id = ?1 AND state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn')",
    )?;
    for entry in entries {
        let found: Option<(i64, String)> =
            statement.query_row([entry.id.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((operation, state)) = found {
            let state = state.replace('_', " ");
            return Ok(Some(format!("{} is being collected: operation {operation} is {state}", entry.name())));
        }
        if let Some(told) = unclear(connection, entry.id)? {
            return Ok(Some(may_be_collected(entry, told)));
        }
    }
    Ok(None)
}

/// What took money of the entry back: a chargeback, a refund, a capture that failed after all.
fn went_back(connection: &Connection, entry: EntryId) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT p.transaction_id FROM assignments a JOIN movements m ON m.id = a.movement_id JOIN payments p ON p.id = m.payment_id
         WHERE a.entry_id = ?1 AND a.amount_minor < 0 ORDER BY a.id LIMIT 1",
    )?;
    let back: Option<String> = statement.query_row([entry.0], |row| row.get(0)).optional()?;
    Ok(back.map(|transaction| format!("money of payment {transaction} that paid it went back")))
}

/// What has to come to its end before anything is taken of an entry.
fn waits(connection: &Connection, entry: &Entry) -> Result<Option<Waits>> {
    let waits = |class: &'static str, why: String| Ok(Some(Waits { class, why }));
    if entry.status != EntryStatus::Open {
        return waits("nothing open", format!("it is {}", entry.status));
    }
    let own = "p.id IN (SELECT payment_id FROM entry_items WHERE entry_id = ?1) AND p.status = 'open'";
    if let Some(page) = payments::list(connection, own, [entry.id.0])?.first() {
        return waits("open page", format!("its customer can still pay on the page of payment {}", page.transaction));
    }
    let entries = std::slice::from_ref(entry);
    if let Some(why) = money_under_way(connection, entries)? {
        return waits("money under way", why);
    }
    for order in orders_of_entries(connection, entries)? {
        if is_going(connection, order)? {
            return waits("order going", "its order is being deleted".to_owned());
        }
        if orders::order(connection, order)?.payment_status == PaymentStatus::Paid {
            return waits("order paid", "its order is paid".to_owned());
        }
        if let Some(why) = money_of(connection, &payments::list(connection, PAYMENTS_OF_ORDER, [order.0])?, entry)? {
            return waits("money under way", why);
        }
        if let Some(why) = paid_elsewhere(&documents::of_order(connection, order)?, entry)? {
            return waits("money under way", why);
        }
    }
    let relatives = relatives(connection, entry)?;
    let others: Vec<Entry> = relatives.iter().filter(|other| other.id != entry.id).cloned().collect();
    if let Some(why) = collected_of(connection, &others)? {
        return waits("money under way", why);
    }
    for relative in &relatives {
        let by_it = "p.id IN (SELECT payment_id FROM entry_items WHERE entry_id = ?1)
                     OR p.id IN (SELECT k.payment_id FROM payment_keys k JOIN entries e ON k.key = e.payment_key OR k.key = e.key WHERE e.id = ?1)";
        if let Some(why) = money_of(connection, &payments::list(connection, by_it, [relative.id.0])?, entry)? {
            return waits("money under way", why);
        }
    }
    Ok(money_of_invoice(connection, entry)?.map(|why| Waits { class: "money under way", why }))
}

/// The entry itself, and all that ask for the same money, or did before they were cancelled: those of its order and with its keys.
fn relatives(connection: &Connection, entry: &Entry) -> Result<Vec<Entry>> {
    let of_keys = "id = ?1 OR key = (SELECT key FROM entries WHERE id = ?1) OR payment_key = (SELECT payment_key FROM entries WHERE id = ?1)";
    let mut all = entries::list(connection, of_keys, [entry.id.0])?;
    let of_order = "order_id = ?1 OR key = (SELECT entry_key FROM order_keys WHERE order_id = ?1)
                    OR payment_key = (SELECT payment_key FROM order_keys WHERE order_id = ?1)
                    OR document_id IN (SELECT document_id FROM invoices WHERE order_id = ?1)";
    for order in orders_of_entries(connection, std::slice::from_ref(entry))? {
        let more = entries::list(connection, of_order, [order.0])?;
        all.extend(more.into_iter().filter(|other| other.id != entry.id));
    }
    all.sort_by_key(|entry| entry.id);
    all.dedup_by_key(|entry| entry.id);
    Ok(all)
}

/// What payments may bring, or brought and nothing has. What is under way for other entries that stand is theirs; of what was for a
/// cancelled one, and of what was paid too much, nobody knows yet whose it is.
fn money_of(connection: &Connection, payments: &[Payment], entry: &Entry) -> Result<Option<String>> {
    let mut of_others = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM entry_items WHERE payment_id = ?1)
            AND NOT EXISTS (SELECT 1 FROM entry_items i JOIN entries e ON e.id = i.entry_id
                            WHERE i.payment_id = ?1 AND (i.entry_id = ?2 OR e.status = 'cancelled'))",
    )?;
    for payment in payments {
        let is_theirs: bool = of_others.query_row((payment.id.0, entry.id.0), |row| row.get(0))?;
        let may_bring = if is_theirs { is_free(connection, payment)? } else { may_bring(connection, payment)? };
        if may_bring.is_some() {
            return Ok(may_bring);
        }
    }
    Ok(None)
}

/// By hand, or to the ERP.
fn paid_elsewhere(documents: &[Document], entry: &Entry) -> Result<Option<String>> {
    for invoice in documents.iter().filter(|document| document.kind == DocumentKind::Invoice) {
        // What a credit note took off the entry was not paid.
        let is_its = entry.document == Some(invoice.id);
        let credited = if is_its { entry.reduction } else { Amount::zero(invoice.total.currency()) };
        let paid = invoice.paid_elsewhere.checked_sub(credited)?;
        if paid.is_positive() {
            return Ok(Some(format!("{paid} of its {} was paid elsewhere", invoice.name())));
        }
    }
    Ok(None)
}

/// Whether money of it may still come, or is there and nothing has it.
fn may_bring(connection: &Connection, payment: &Payment) -> Result<Option<String>> {
    let (name, status) = (&payment.transaction, payment.status);
    match status {
        TransactionStatus::Open
        | TransactionStatus::Pending
        | TransactionStatus::Authorised
        | TransactionStatus::Error => return Ok(Some(format!("payment {name} for it is {}", status.as_str()))),
        TransactionStatus::Captured
        | TransactionStatus::Released
        | TransactionStatus::Cancelled
        | TransactionStatus::Refused
        | TransactionStatus::Expired => {}
    }
    is_free(connection, payment)
}

fn is_free(connection: &Connection, payment: &Payment) -> Result<Option<String>> {
    let captures = captures_of(connection, payment.id, None, None)?;
    let free = captures.iter().find(|capture| capture.untied.is_positive());
    Ok(free.map(|free| format!("payment {} for it has {} that nothing has yet", payment.transaction, free.untied)))
}

/// An invoice may be paid in ways that its entry does not show.
pub(super) fn money_of_invoice(connection: &Connection, entry: &Entry) -> Result<Option<String>> {
    let Some(document) = entry.document else { return Ok(None) };
    let invoice = documents::document(connection, document)?;
    if let Some(why) = paid_elsewhere(std::slice::from_ref(&invoice), entry)? {
        return Ok(Some(why));
    }
    // What was captured for it has paid it, and those that are under way are few and have an index.
    let naming = "p.pays <> '' AND p.status IN ('open', 'pending', 'authorised', 'error')
                  AND instr(';' || p.pays || ';', ';' || ?1 || ';') > 0";
    if let Some(payment) = payments::list(connection, naming, [invoice.number.as_str()])?.first() {
        return may_bring(connection, payment);
    }
    let captures: Option<i64> = connection
        .prepare_cached(
            "SELECT min(id) FROM operations WHERE document_id = ?1 AND kind = 'capture' AND state <> 'confirmed'
               AND state NOT IN ('refused', 'withdrawn')",
        )?
        .query_row([document.0], |row| row.get(0))?;
    Ok(captures.map(|operation| format!("operation {operation} captures for its {}", invoice.name())))
}
