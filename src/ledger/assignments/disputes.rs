//! What chargebacks take off entries, and what is won back of them.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::{assigned_by, assigned_of_payment, beyond_invoices, has, tied_of_payment, unassigned};
use crate::domain::entry::{Assignment, take_back};
use crate::domain::id::{EntryId, MovementId, PaymentId};
use crate::domain::money::{Amount, Currency, MoneyError};
use crate::domain::movement::{Movement, MovementKind};
use crate::ledger::entries::{TIED, entry, list};
use crate::ledger::row::Columns;
use crate::ledger::{Result, Writer, movements, refund_requests};

impl Writer<'_> {
    /// What is charged back and not won back is not there: entries lose what of it nobody else has, and get back what they lost beyond
    /// that. A report may tell what was won back before it tells what it is of: only all of them together say how much that is.
    pub(super) fn redistribute_disputed(&self, payment: PaymentId, currency: Currency) -> Result<()> {
        let missing = missing(self.connection, payment, currency)?;
        if missing.is_positive() {
            let parts = take_back(missing, &assigned_of_payment(self.connection, payment)?)?;
            let mut chargebacks = self.left_of(payment, MovementKind::Chargeback, Amount::checked_add)?;
            for (entry, part) in &parts {
                for (movement, part) in take_of(&mut chargebacks, part.negated())? {
                    self.assign(Assignment { entry: *entry, movement, amount: part.negated() })?;
                }
            }
            self.reclaim_ties(payment, currency)?;
            // What else came for them takes its place.
            return self.refill_entries_of(payment);
        }
        let mut back = missing.negated();
        let mut won = self.left_of(payment, MovementKind::ChargebackReversed, Amount::checked_sub)?;
        // Where nothing is won back, other money of the payment is there again: so much less was taken.
        won.extend(self.left_of(payment, MovementKind::Chargeback, |_, assigned| Ok(assigned.negated()))?);
        for (id, lost) in lost_to_chargebacks(self.connection, payment)? {
            let wanted = lost.at_most(back)?;
            let displaced = self.make_room(id, payment, wanted)?;
            let part = wanted.at_most(entry(self.connection, id)?.open()?)?.or_zero();
            for (movement, amount) in take_of(&mut won, part)? {
                self.assign(Assignment { entry: id, movement, amount })?;
            }
            if part.is_positive() {
                self.tie_captures(payment, id)?;
                back = back.checked_sub(part)?;
            }
            displaced.into_iter().try_for_each(|other| self.use_displaced(other))?;
        }
        self.reclaim_ties(payment, currency)?;
        self.refill_entries_of(payment)
    }

    /// What paid an invoice is its entry's, as far as it is there: also what paid it while it was charged back, which the entry never had.
    fn reclaim_ties(&self, payment: PaymentId, currency: Currency) -> Result<()> {
        let of_invoices = "status <> 'cancelled' AND document_id IN (SELECT j.document_id FROM journals j JOIN movements m ON m.id = j.movement_id
                                                                     WHERE m.payment_id = ?1)";
        for entry in list(self.connection, of_invoices, [payment.0])? {
            let there = unassigned(self.connection, payment, currency)?.or_zero();
            let displaced = self.make_room(entry.id, payment, there)?;
            self.assign_ties("m.payment_id = ?1", payment.0)?;
            displaced.into_iter().try_for_each(|other| self.use_displaced(other))?;
        }
        Ok(())
    }

    /// The movements of a kind, the oldest first, with what is left of each, by its amount and what it assigned.
    fn left_of(
        &self,
        payment: PaymentId,
        kind: MovementKind,
        left: impl Fn(Amount, Amount) -> Result<Amount, MoneyError>,
    ) -> Result<Vec<(MovementId, Amount)>> {
        let movements = movements::of_payment(self.connection, payment)?;
        let of_kind = movements.into_iter().filter(|movement| movement.kind == kind);
        of_kind
            .map(|movement| {
                let assigned = assigned_by(self.connection, movement.id, movement.amount.currency())?;
                Ok((movement.id, left(movement.amount, assigned)?))
            })
            .collect()
    }

    /// Assigns what a movement pays of an invoice: of what it brought no entry yet, and then of what was won back of its payment. What was
    /// charged back may have been an entry's that another payment has paid since.
    pub(in crate::ledger) fn assign_tied(&self, entry: EntryId, movement: MovementId, amount: Amount) -> Result<()> {
        let Movement { payment, amount: whole, .. } = movements::movement(self.connection, movement)?;
        let unassigned = whole.checked_sub(assigned_by(self.connection, movement, whole.currency())?)?;
        let mut sources = vec![(movement, unassigned)];
        sources.extend(self.left_of(payment, MovementKind::ChargebackReversed, Amount::checked_sub)?);
        for (movement, amount) in take_of(&mut sources, amount)? {
            self.assign(Assignment { entry, movement, amount })?;
        }
        Ok(())
    }

    /// The movements of a payment that can bring an entry something, and how much each has not brought any: what was won back, as far as
    /// it was taken off entries before, and captures.
    pub(super) fn sources(&self, payment: PaymentId, currency: Currency) -> Result<Vec<(MovementId, Amount)>> {
        let mut back = missing(self.connection, payment, currency)?.negated().or_zero();
        let mut sources = self.left_of(payment, MovementKind::ChargebackReversed, Amount::checked_sub)?;
        for (_, unassigned) in &mut sources {
            *unassigned = unassigned.at_most(back)?;
            back = back.checked_sub(*unassigned)?;
        }
        sources.extend(self.left_of(payment, MovementKind::Capture, Amount::checked_sub)?);
        Ok(sources)
    }

    /// The invoice of an entry gets what that has of a payment, as far as it lacks it.
    pub(super) fn tie_captures(&self, payment: PaymentId, id: EntryId) -> Result<()> {
        let Some(document) = entry(self.connection, id)?.document else { return Ok(()) };
        for movement in movements::of_payment(self.connection, payment)? {
            if movement.kind == MovementKind::Capture {
                let has = has(self.connection, id, payment)?;
                let tied = tied_of_payment(self.connection, payment, document, has.currency())?;
                self.tie(movement.id, document, has.checked_sub(tied)?)?;
            }
        }
        Ok(())
    }

    /// The invoice of an entry gets what that has.
    pub(in crate::ledger) fn tie_entry(&self, id: EntryId) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT m.payment_id FROM assignments a JOIN movements m ON m.id = a.movement_id WHERE a.entry_id = ?1
             ORDER BY m.payment_id",
        )?;
        let payments: Vec<PaymentId> =
            statement.query_and_then([id.0], |row| row.id("payment_id", PaymentId))?.collect::<Result<_>>()?;
        payments.into_iter().try_for_each(|payment| self.tie_captures(payment, id))
    }

    /// What is there again takes its place where the invoice of its entry has it: as much of what other payments have of the entry since,
    /// and no invoice has, is theirs to be used otherwise, the newest first. Returns those payments.
    pub(super) fn make_room(&self, id: EntryId, payment: PaymentId, wanted: Amount) -> Result<Vec<PaymentId>> {
        let entry = entry(self.connection, id)?;
        let Some(document) = entry.document else { return Ok(Vec::new()) };
        let instead = tied_of_payment(self.connection, payment, document, wanted.currency())?.checked_sub(has(
            self.connection,
            id,
            payment,
        )?)?;
        let mut room = wanted.at_most(instead)?.checked_sub(entry.open()?)?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT a.movement_id, m.payment_id, sum(a.amount_minor) - {TIED} AS minor, e.currency, max(a.id) AS newest
             FROM assignments a JOIN movements m ON m.id = a.movement_id JOIN entries e ON e.id = a.entry_id
             WHERE a.entry_id = ?1 AND m.kind IN ('capture', 'chargeback_reversed') AND m.payment_id <> ?2 AND e.status <> 'cancelled'
             GROUP BY a.movement_id HAVING minor > 0 ORDER BY newest DESC"
        ))?;
        let of_others = |row: &Row<'_>| {
            Ok((row.id("movement_id", MovementId)?, row.id("payment_id", PaymentId)?, row.amount("minor")?))
        };
        let of_others = statement.query_and_then((id.0, payment.0), of_others)?.collect::<Result<Vec<_>>>()?;
        let mut displaced = Vec::new();
        for (movement, other, amount) in of_others {
            let tied = tied_of_payment(self.connection, other, document, wanted.currency())?;
            let beyond = has(self.connection, id, other)?.checked_sub(tied)?;
            let part = room.at_most(amount)?.at_most(beyond)?;
            if part.is_positive() {
                self.assign(Assignment { entry: id, movement, amount: part.negated() })?;
                room = room.checked_sub(part)?;
                displaced.push(other);
            }
        }
        Ok(displaced)
    }
}

/// Takes an amount of what is left of movements, one after the other: what it takes of each.
fn take_of(left: &mut [(MovementId, Amount)], amount: Amount) -> Result<Vec<(MovementId, Amount)>, MoneyError> {
    let mut wanted = amount;
    let mut parts = Vec::new();
    for (movement, left) in left {
        let part = wanted.at_most(*left)?;
        if part.is_positive() {
            parts.push((*movement, part));
            *left = left.checked_sub(part)?;
            wanted = wanted.checked_sub(part)?;
        }
    }
    Ok(parts)
}

/// What chargebacks of a payment took off each entry and nothing gave back, the oldest entry first.
fn lost_to_chargebacks(connection: &Connection, payment: PaymentId) -> Result<Vec<(EntryId, Amount)>> {
    let mut statement = connection.prepare_cached(
        "SELECT a.entry_id, -sum(a.amount_minor) AS minor, e.currency
         FROM movements m JOIN assignments a ON a.movement_id = m.id JOIN entries e ON e.id = a.entry_id
         WHERE m.payment_id = ?1 AND m.kind IN ('chargeback', 'chargeback_reversed') AND e.status <> 'cancelled'
         GROUP BY a.entry_id HAVING minor > 0 ORDER BY a.entry_id",
    )?;
    statement.query_and_then([payment.0], |row| Ok((row.id("entry_id", EntryId)?, row.amount("minor")?)))?.collect()
}

/// What chargebacks took of a payment and is not off its entries yet; negative what was won back of what they took off, and no entry has.
/// They take first what no entry has, as a refund does.
fn missing(connection: &Connection, payment: PaymentId, currency: Currency) -> Result<Amount> {
    let (gone, taken): (i64, i64) = connection
        .prepare_cached(
            "SELECT (SELECT ifnull(sum(CASE m.kind WHEN 'chargeback' THEN m.amount_minor ELSE -m.amount_minor END), 0)
                         FROM movements m WHERE m.payment_id = ?1 AND m.kind IN ('chargeback', 'chargeback_reversed')),
                   (SELECT -ifnull(sum(a.amount_minor), 0) FROM movements m JOIN assignments a ON a.movement_id = m.id
                    WHERE m.payment_id = ?1 AND m.kind IN ('chargeback', 'chargeback_reversed'))",
        )?
        .query_row([payment.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // What went back otherwise meanwhile is not there either.
    let beyond = Amount::from_minor(gone.max(0), currency).checked_sub(nobodys(connection, payment, currency)?)?;
    Ok(beyond.or_zero().checked_sub(Amount::from_minor(taken, currency))?)
}

/// What no entry has of a payment, and no invoice, whatever was charged back; and nobody wants it back. Negative: entries have more than is
/// there.
pub(super) fn nobodys(connection: &Connection, payment: PaymentId, currency: Currency) -> Result<Amount> {
    let mut brought: BTreeMap<EntryId, Amount> = assigned_of_payment(connection, payment)?.into_iter().collect();
    for (entry, lost) in lost_to_chargebacks(connection, payment)? {
        let has = brought.entry(entry).or_insert(Amount::zero(currency));
        *has = has.checked_add(lost)?;
    }
    let wanted = Amount::from_minor(refund_requests::wanted(connection, payment, None)?, currency);
    let there = movements::untied(connection, payment, currency)?.checked_sub(wanted)?;
    Ok(there.checked_sub(beyond_invoices(connection, payment, brought, currency)?)?)
}
