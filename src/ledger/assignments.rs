//! Assignments: what movements pay of entries, and what they take back. Append-only, with the sum beside each entry.

mod disputes;

use rusqlite::{Connection, OptionalExtension, Row};

use self::disputes::nobodys;
use super::entries::{entries_of_payment, entry, list};
use super::row::{Columns, time_text};
use super::{Result, Writer, billing, corrections, documents, movements, payments};
use crate::domain::consequence::MovementDraft;
use crate::domain::document::DocumentKind;
use crate::domain::entry::{Assignment, Entry, EntryStatus, spread, take_back};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{AssignmentKey, DocumentId, DocumentNumber, EntryId, MovementId, OrderId, PaymentId};
use crate::domain::money::{Amount, Currency};
use crate::domain::movement::MovementKind;

impl Writer<'_> {
    /// Assigns what a fresh movement brings to the entries its payment is for, or takes back what it takes away. What its
    /// journals have done to the entries of invoices is done already.
    pub(super) fn assign_movement(&self, movement: MovementId, draft: &MovementDraft) -> Result<()> {
        self.assign_by_kind(movement, draft)?;
        self.tell_of_unused_money(draft.payment)
    }

    /// Tells of what nothing takes of a payment.
    pub(super) fn tell_of_unused_money(&self, payment: PaymentId) -> Result<()> {
        self.tell_of_cancelled(payment, &entries_of_payment(self.connection, payment)?)?;
        self.tell_of_spare_money(payment)
    }

    fn assign_by_kind(&self, movement: MovementId, draft: &MovementDraft) -> Result<()> {
        match draft.kind {
            MovementKind::Capture => {
                let entries = entries_of_payment(self.connection, draft.payment)?;
                if entries.is_empty() {
                    self.tell_of_settled_key(draft)?;
                }
                self.assign_capture(movement, draft, &entries)
            }
            MovementKind::Chargeback | MovementKind::ChargebackReversed => {
                self.redistribute_disputed(draft.payment, draft.amount.currency())
            }
            MovementKind::CaptureFailure | MovementKind::RefundFailure => {
                let displaced = self.undo_assignments(movement, draft.payment)?;
                self.redistribute(draft.payment, draft.amount.currency())?;
                displaced.into_iter().try_for_each(|payment| self.use_displaced(payment))
            }
            // It pays out the credit note and leaves the invoice paid (rule 17), or pays out what no entry has.
            MovementKind::Refund if self.leaves_entries(draft.document)? => Ok(()),
            MovementKind::Refund => {
                let currency = draft.amount.currency();
                let taken = assigned_by(self.connection, movement, currency)?;
                // What no entry has goes first: most often it is what was paid too much.
                let beyond = nobodys(self.connection, draft.payment, currency)?.negated().or_zero();
                let left = draft.amount.checked_add(taken)?.at_most(beyond)?;
                let parts = take_back(left, &assigned_of_payment(self.connection, draft.payment)?)?;
                self.assign_all(movement, &parts)?;
                self.redistribute(draft.payment, currency)
            }
        }
    }

    /// What no entry has of a payment is more or less now: that is for the entries it is for, and chargebacks have taken that first.
    pub(super) fn redistribute(&self, payment: PaymentId, currency: Currency) -> Result<()> {
        let all = movements::of_payment(self.connection, payment)?;
        if all.iter().any(|movement| movement.kind == MovementKind::Chargeback) {
            return self.redistribute_disputed(payment, currency);
        }
        self.refill_entries_of(payment)
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

    /// Money that names what is cancelled: it is matched with nothing, and nobody would look for it (trap T42).
    fn tell_of_cancelled(&self, id: PaymentId, entries: &[Entry]) -> Result<()> {
        let mut named = self.cancelled_entries_of(id, entries)?;
        named.extend(self.cancelled_invoices_of(id)?);
        if named.is_empty() {
            return Ok(());
        }
        let payment = payments::payment(self.connection, id)?;
        let captures = billing::captures_of(self.connection, id, None, None)?;
        let free = Amount::sum(payment.authorised.currency(), captures.iter().map(|capture| capture.untied))?;
        if !free.is_positive() {
            return Ok(());
        }
        let are = if named.len() == 1 { "is" } else { "are" };
        let message = format!(
            "{free} was captured for {}, which {are} cancelled: it pays nothing by itself. `payjournal refund-balance {}` pays it back",
            named.join(" and "),
            payment.transaction
        );
        let subject = format!("payment {}", payment.transaction);
        let about = About { order: payment.order, payment: Some(id), ..About::default() };
        self.raise(&ExceptionDraft { kind: ExceptionKind::KeyMismatch, subject, message, about }, None)?;
        Ok(())
    }

    /// The ERP cancelled an entry: what was paid for it pays what else it was for, or a person is told.
    pub(super) fn reuse_money_of(&self, entry: &Entry) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT payment_id FROM entry_items WHERE entry_id = ?1
             UNION SELECT m.payment_id FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE a.entry_id = ?1",
        )?;
        let payments = statement.query_and_then([entry.id.0], |row| row.id("payment_id", PaymentId))?;
        for payment in payments.collect::<Result<Vec<_>>>()? {
            self.redistribute(payment, entry.initial.currency())?;
            self.tell_of_unused_money(payment)?;
        }
        Ok(())
    }

    /// Invoices that a payment names and that were cancelled.
    fn cancelled_invoices_of(&self, payment: PaymentId) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached("SELECT pays FROM payments WHERE id = ?1 AND pays <> ''")?;
        let pays: Option<String> = statement.query_row([payment.0], |row| row.get(0)).optional()?;
        let mut named = Vec::new();
        for number in pays.iter().flat_map(|pays| pays.split(';')) {
            let number = DocumentNumber::parse(number)?;
            if let Some(invoice) = documents::invoice_numbered(self.connection, &number, &self.books.company)?
                && corrections::is_cancelled(self.connection, invoice.id)?
            {
                named.push(invoice.name());
            }
        }
        Ok(named)
    }

    /// What a payment names, where all of it is cancelled: its entries, or those with its key; if no order will be billed by them again.
    /// Money for what a deletion has cancelled is told as late money.
    fn cancelled_entries_of(&self, payment: PaymentId, entries: &[Entry]) -> Result<Vec<String>> {
        let of_key = "status = 'cancelled' AND payment_key = (SELECT key FROM payment_keys WHERE payment_id = ?1)
                      AND NOT EXISTS (SELECT 1 FROM order_keys k JOIN orders o ON o.id = k.order_id
                                      WHERE k.payment_key = entries.payment_key AND o.cancelled = 'none' AND o.deleted = 0)";
        let by_key = if entries.is_empty() { list(self.connection, of_key, [payment.0])? } else { entries.to_vec() };
        if by_key.iter().any(|entry| entry.status != EntryStatus::Cancelled) {
            return Ok(Vec::new());
        }
        let mut by_deletion =
            self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM cancelled_entries WHERE entry_id = ?1)")?;
        // It was cancelled with its invoice: the order's next one gets the money.
        let mut billed_again = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM entries e JOIN invoices i ON i.document_id = e.document_id JOIN orders o ON o.id = i.order_id
             WHERE e.id = ?1 AND o.cancelled = 'none' AND o.deleted = 0)",
        )?;
        let mut named = Vec::new();
        for entry in by_key {
            let is_deleted: bool = by_deletion.query_row([entry.id.0], |row| row.get(0))?;
            if billed_again.query_row([entry.id.0], |row| row.get(0))? {
                return Ok(Vec::new());
            }
            if !is_deleted {
                named.push(entry.name());
            }
        }
        Ok(named)
    }

    /// Those it is for, and those it paid.
    fn refill_entries_of(&self, payment: PaymentId) -> Result<()> {
        let paid = "id IN (SELECT a.entry_id FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE m.payment_id = ?1)";
        let mut entries = entries_of_payment(self.connection, payment)?;
        entries.extend(list(self.connection, paid, [payment.0])?);
        entries.iter().try_for_each(|entry| self.refill(entry.id))
    }

    /// What paid an invoice brings its entry what that had no room for then: another payment had it, or the money was charged back when it
    /// came, or came back as a refund failed. `of` says whose ties.
    fn assign_ties(&self, of: &str, id: i64) -> Result<()> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT DISTINCT j.movement_id, j.document_id FROM journals j JOIN movements m ON m.id = j.movement_id
             WHERE {of} AND j.document_id IS NOT NULL
               AND (j.kind = 'reopening' AND j.direction = 'reversal' OR j.kind IN ('application', 'receipt') AND j.direction = 'original')"
        ))?;
        let tie = |row: &Row<'_>| Ok((row.id("movement_id", MovementId)?, row.id("document_id", DocumentId)?));
        let ties = statement.query_and_then([id], tie)?.collect::<Result<Vec<_>>>()?;
        ties.into_iter().try_for_each(|(movement, document)| self.assign_tie(movement, document, true))
    }

    fn assign_capture(&self, movement: MovementId, draft: &MovementDraft, entries: &[Entry]) -> Result<()> {
        let (amount, currency) = (draft.amount, draft.amount.currency());
        let taken = assigned_by(self.connection, movement, currency)?;
        // It may have been paid back before it was heard of.
        let there = movements::untied(self.connection, draft.payment, currency)?;
        let there = there.checked_sub(waiting(self.connection, draft.payment, currency)?)?.or_zero();
        let parts = spread(amount.checked_sub(taken)?.at_most(there)?, entries)?;
        self.assign_all(movement, &parts)?;
        // An invoice that is there already is paid at once. What was charged back of another payment is open on the entry, and not on the
        // invoice: the entry has it, and nothing else takes it.
        for (id, part) in parts {
            let document = entries.iter().find(|entry| entry.id == id).and_then(|entry| entry.document);
            if let Some(document) = document {
                self.tie(movement, document, part)?;
            }
        }
        Ok(())
    }

    /// What an entry lacks again it gets from what paid its invoice, and then from what else was paid for it and is free, the oldest first.
    pub(super) fn refill(&self, id: EntryId) -> Result<()> {
        let lacking = entry(self.connection, id)?;
        if lacking.status != EntryStatus::Open {
            return Ok(());
        }
        if let Some(document) = lacking.document {
            self.assign_ties("j.document_id = ?1", document.0)?;
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT m.payment_id FROM movements m JOIN entry_items i ON i.payment_id = m.payment_id
             WHERE i.entry_id = ?1 AND m.kind = 'capture' GROUP BY m.payment_id ORDER BY min(m.occurred_at), m.payment_id",
        )?;
        let payments: Vec<PaymentId> =
            statement.query_and_then([id.0], |row| row.id("payment_id", PaymentId))?.collect::<Result<_>>()?;
        payments.into_iter().try_for_each(|payment| self.refill_from(payment, id))
    }

    fn refill_from(&self, payment: PaymentId, id: EntryId) -> Result<()> {
        let lacking = entry(self.connection, id)?;
        let (order, currency) = (lacking.order.unwrap_or(OrderId(0)), lacking.initial.currency());
        let mut free: i64 = 0;
        for capture in billing::captures_of(self.connection, payment, None, None)? {
            // What a cancellation gave back waits for its order's next invoice.
            free += capture.untied.minor() - corrections::kept_for_others(self.connection, capture.id, order)?;
        }
        let mut left = Amount::from_minor(free, currency).at_most(self.fills(payment, &lacking)?)?;
        for (movement, unassigned) in self.sources(payment, currency)? {
            let part = left.at_most(unassigned)?;
            if part.is_positive() {
                self.assign(Assignment { entry: id, movement, amount: part })?;
                left = left.checked_sub(part)?;
            }
        }
        self.tie_captures(payment, id)?;
        self.tell_of_spare_money(payment)
    }

    /// What took the place of other money fills what else it is for, or is told.
    fn use_displaced(&self, payment: PaymentId) -> Result<()> {
        self.refill_entries_of(payment)?;
        self.tell_of_unused_money(payment)
    }

    /// How much of an entry a payment can fill: what its invoice lacks, too, only if that can be tied. A capture pays an invoice once.
    pub(super) fn fills(&self, payment: PaymentId, lacking: &Entry) -> Result<Amount> {
        let open = lacking.open()?;
        let Some(document) = lacking.document else { return Ok(open) };
        for movement in movements::of_payment(self.connection, payment)? {
            let can_be = movement.kind == MovementKind::Capture && movement.untied.is_positive();
            if can_be && !self.is_tied(movement.id, document)? {
                return Ok(open);
            }
        }
        let lacking = documents::document(self.connection, document)?.lacking()?.or_zero();
        Ok(open.checked_sub(lacking)?.or_zero())
    }

    fn assign_all(&self, movement: MovementId, parts: &[(EntryId, Amount)]) -> Result<()> {
        parts
            .iter()
            .try_for_each(|(entry, amount)| self.assign(Assignment { entry: *entry, movement, amount: *amount }))
    }

    pub(super) fn assign(&self, assignment: Assignment) -> Result<()> {
        let Assignment { entry: id, amount, movement } = assignment;
        self.write_assignment(assignment)?;
        let before = entry(self.connection, id)?;
        let after = Entry { assigned: before.assigned.checked_add(amount)?, ..before };
        self.connection
            .prepare_cached("UPDATE entries SET assigned_minor = ?2, status = ?3 WHERE id = ?1")?
            .execute((id.0, after.assigned.minor(), after.status_now().as_str()))?;
        if after.status_now() == before.status { Ok(()) } else { self.tell_of_spare_money_of_entry(id, Some(movement)) }
    }

    /// The row alone: who writes it sees to what the entry has.
    pub(super) fn write_assignment(&self, assignment: Assignment) -> Result<()> {
        let Assignment { entry, movement, amount } = assignment;
        self.connection
            .prepare_cached(
                "INSERT INTO assignments (entry_id, movement_id, amount_minor, assigned_at, run_id) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((entry.0, movement.0, amount.minor(), time_text(self.now), self.run.map(|run| run.0)))?;
        Ok(())
    }

    /// What failed after all assigns nothing, and takes nothing back. Returns the payments whose money had taken its place and is free now.
    fn undo_assignments(&self, failure: MovementId, payment: PaymentId) -> Result<Vec<PaymentId>> {
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
        let mut displaced = Vec::new();
        for Assignment { entry: id, movement, amount } in opposites {
            let amount = if amount.is_negative() {
                // A chargeback may have taken it already, and what another payment has since stays.
                amount.negated().at_most(has(self.connection, id, payment)?)?.negated()
            } else {
                // The capture that the refund took back may have failed, or been charged back, since.
                let there = unassigned(self.connection, payment, amount.currency())?.or_zero();
                let wanted = amount.at_most(there)?;
                displaced.extend(self.make_room(id, payment, wanted)?);
                wanted.at_most(entry(self.connection, id)?.open()?)?
            };
            if !amount.is_zero() {
                self.assign(Assignment { entry: id, movement, amount })?;
            }
        }
        Ok(displaced)
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
            // Not more than the entry has of the payment: a chargeback may have taken that already, and another payment's stays.
            (false, true) => {
                let payment = movements::movement(self.connection, movement)?.payment;
                missing.negated().at_most(has(self.connection, entry.id, payment)?)?.negated()
            }
            // Not more than the entry lacks, nor what another entry has of it, nor what is not there: a refund that failed after all may be
            // of a capture that failed before.
            (true, false) => {
                let payment = movements::movement(self.connection, movement)?.payment;
                let there = unassigned(self.connection, payment, currency)?;
                return self.assign_tied(entry.id, movement, missing.at_most(entry.open()?)?.at_most(there)?);
            }
            (false, false) => missing.at_most(entry.open()?)?,
            // What was paid back before the invoice took it off the entry already.
            (true, true) => Amount::zero(currency),
        };
        if missing.is_zero() { Ok(()) } else { self.assign(Assignment { entry: entry.id, movement, amount: missing }) }
    }

    fn leaves_entries(&self, document: Option<DocumentId>) -> Result<bool> {
        let Some(document) = document else { return Ok(false) };
        let kind = documents::named(self.connection, document)?.kind;
        Ok(matches!(kind, DocumentKind::CreditNote | DocumentKind::RefundRequest))
    }
}

/// What entries have of a payment, and no invoice has.
fn waiting(connection: &Connection, payment: PaymentId, currency: Currency) -> Result<Amount> {
    beyond_invoices(connection, payment, assigned_of_payment(connection, payment)?, currency)
}

/// What a payment brought entries, beyond what their invoices have of it.
fn beyond_invoices(
    connection: &Connection,
    payment: PaymentId,
    brought: impl IntoIterator<Item = (EntryId, Amount)>,
    currency: Currency,
) -> Result<Amount> {
    let mut beyond = Amount::zero(currency);
    for (id, brought) in brought {
        let tied = match entry(connection, id)?.document {
            Some(document) => tied_of_payment(connection, payment, document, currency)?,
            None => Amount::zero(currency),
        };
        beyond = beyond.checked_add(brought.checked_sub(tied)?.or_zero())?;
    }
    Ok(beyond)
}

/// What an invoice has of a payment by journals, whatever was charged back.
fn tied_of_payment(
    connection: &Connection,
    payment: PaymentId,
    document: DocumentId,
    currency: Currency,
) -> Result<Amount> {
    let minor = connection
        .prepare_cached(
            "SELECT ifnull(sum(CASE WHEN (j.direction = 'original') = (j.kind <> 'reopening') THEN j.amount_minor ELSE -j.amount_minor END), 0)
             FROM movements m JOIN journals j ON j.movement_id = m.id
             WHERE m.payment_id = ?1 AND j.document_id = ?2 AND j.kind IN ('receipt', 'application', 'reopening')",
        )?
        .query_row((payment.0, document.0), |row| row.get(0))?;
    Ok(Amount::from_minor(minor, currency))
}

/// What an entry has of a payment.
fn has(connection: &Connection, entry: EntryId, payment: PaymentId) -> Result<Amount> {
    let of_payment = assigned_of_payment(connection, payment)?;
    let of_entry = of_payment.into_iter().find(|(id, _)| *id == entry).map(|(_, amount)| amount);
    of_entry.map_or_else(|| Ok(Amount::zero(self::entry(connection, entry)?.initial.currency())), Ok)
}

/// What of a payment's captures stands, and no entry has. What was paid back is not taken off: some of that leaves the entries as they are.
fn unassigned(connection: &Connection, payment: PaymentId, currency: Currency) -> Result<Amount> {
    let minor = connection
        .prepare_cached(
            "SELECT (SELECT ifnull(sum(CASE WHEN kind IN ('capture', 'chargeback_reversed') THEN amount_minor ELSE -amount_minor END), 0)
                     FROM movements WHERE payment_id = ?1
                       AND kind IN ('capture', 'capture_failure', 'chargeback', 'chargeback_reversed'))
                  - (SELECT ifnull(sum(a.amount_minor), 0) FROM movements m JOIN assignments a ON a.movement_id = m.id
                     JOIN entries e ON e.id = a.entry_id WHERE m.payment_id = ?1 AND e.status <> 'cancelled')",
        )?
        .query_row([payment.0], |row| row.get(0))?;
    Ok(Amount::from_minor(minor, currency))
}

/// What a movement assigned so far; negative what it took back.
fn assigned_by(connection: &Connection, movement: MovementId, currency: Currency) -> Result<Amount> {
    let minor = connection
        .prepare_cached("SELECT ifnull(sum(amount_minor), 0) FROM assignments WHERE movement_id = ?1")?
        .query_row([movement.0], |row| row.get(0))?;
    Ok(Amount::from_minor(minor, currency))
}

/// What each entry has of a payment, the newest first; no more than it has at all, whatever was taken off it.
fn assigned_of_payment(connection: &Connection, payment: PaymentId) -> Result<Vec<(EntryId, Amount)>> {
    let mut statement = connection.prepare_cached(
        "SELECT a.entry_id, min(sum(a.amount_minor), e.assigned_minor) AS minor, e.currency, max(a.id) AS newest
         FROM movements m JOIN assignments a ON a.movement_id = m.id JOIN entries e ON e.id = a.entry_id
         WHERE m.payment_id = ?1 AND e.status <> 'cancelled' GROUP BY a.entry_id HAVING minor > 0 ORDER BY newest DESC",
    )?;
    statement.query_and_then([payment.0], |row| Ok((row.id("entry_id", EntryId)?, row.amount("minor")?)))?.collect()
}
