//! Where to find what in a record and its rows: built once per audit, so that no check searches all rows for one.

use std::hash::Hash;

use hashbrown::HashMap;

use crate::ledger::rows::{
    DocumentRow, ExceptionRow, JournalRow, MailRow, MovementRow, OperationRow, OrderRow, PaymentRow, Rows,
};
use crate::simulate::record::{Effect, EffectKind, EffectState, Line, Posted, Record, ShopOrder, Transaction};

use super::{About, intents};

type Many<K, V> = HashMap<K, Vec<V>>;

/// An effect with its place in the order of all effects: what comes before it was done before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done<'a> {
    pub(super) place: usize,
    pub(super) effect: &'a Effect,
}

/// A capture or refund in the ledger's books, with its failure and all its journals.
#[derive(Debug)]
pub(super) struct Booking<'a> {
    pub(super) movement: &'a MovementRow,
    pub(super) failure: Option<&'a MovementRow>,
    pub(super) originals: Vec<&'a JournalRow>,
    pub(super) reversals: Vec<&'a JournalRow>,
}

#[derive(Debug)]
pub(super) struct Index<'a> {
    pub(super) record: &'a Record,
    pub(super) rows: &'a Rows,
    /// What payjournal made itself: invoices, what takes them back, requests for refunds.
    pub(super) billed: &'a [Posted],
    pub(super) bookings: Vec<Booking<'a>>,
    /// Failures of movements nobody recorded.
    pub(super) baseless: Vec<&'a MovementRow>,
    /// Journals of movements that do not exist.
    pub(super) homeless: Vec<&'a JournalRow>,
    transactions: HashMap<&'a str, usize>,
    orders: HashMap<&'a str, &'a ShopOrder>,
    documents: HashMap<(&'a str, &'a str), &'a Posted>,
    documents_of_order: Many<&'a str, &'a Posted>,
    transactions_of_order: Many<&'a str, usize>,
    transactions_paying: Many<&'a str, usize>,
    effects_of: Many<usize, Done<'a>>,
    effects_by_key: Many<&'a str, Done<'a>>,
    effects_for: Many<(&'a str, &'a str), Done<'a>>,
    lines: Many<&'a str, &'a Line>,
    order_rows: HashMap<&'a str, &'a OrderRow>,
    payment_rows: HashMap<&'a str, &'a PaymentRow>,
    document_rows: HashMap<(&'a str, &'a str), &'a DocumentRow>,
    operations: HashMap<i64, &'a OperationRow>,
    operations_by_key: HashMap<&'a str, &'a OperationRow>,
    operations_of: Many<&'a str, &'a OperationRow>,
    operations_of_journal: Many<&'a str, &'a OperationRow>,
    operations_of_mail: Many<&'a str, &'a OperationRow>,
    journals: HashMap<&'a str, &'a JournalRow>,
    journals_for: Many<(&'a str, &'a str), &'a JournalRow>,
    booking_of_movement: HashMap<i64, usize>,
    bookings_of: Many<&'a str, usize>,
    mails: HashMap<&'a str, &'a MailRow>,
    exceptions_of_transaction: Many<&'a str, &'a ExceptionRow>,
    exceptions_of_order: Many<&'a str, &'a ExceptionRow>,
    exceptions_of_document: Many<(&'a str, &'a str), &'a ExceptionRow>,
    exceptions_of_operation: Many<i64, &'a ExceptionRow>,
}

pub(super) fn pair(document: Option<&(String, String)>) -> Option<(&str, &str)> {
    document.map(|(kind, number)| (kind.as_str(), number.as_str()))
}

fn all<'m, K: Eq + Hash, V>(map: &'m Many<K, V>, key: &K) -> &'m [V] {
    map.get(key).map_or(&[], Vec::as_slice)
}

fn group<K: Eq + Hash, V: Copy>(pairs: impl Iterator<Item = (K, V)>) -> Many<K, V> {
    let mut map: Many<K, V> = HashMap::new();
    for (key, value) in pairs {
        map.entry(key).or_default().push(value);
    }
    map
}

impl<'a> Index<'a> {
    /// `billed`: what payjournal made, beside what the ERP has posted.
    pub(super) fn of(record: &'a Record, rows: &'a Rows, billed: &'a [Posted]) -> Self {
        let done = || record.effects.iter().enumerate().map(|(place, effect)| Done { place, effect });
        let ours = || done().filter_map(|done| done.effect.ours().map(|asked| (asked, done)));
        let transactions = || record.transactions.iter().enumerate();
        let documents = || record.documents.iter().chain(billed);
        let operations = || rows.operations.iter();
        let exceptions = || rows.exceptions.iter();
        let standing = || documents().filter(|posted| posted.cancelled_at.is_none());
        let mut index = Self {
            record,
            rows,
            billed,
            bookings: Vec::new(),
            baseless: Vec::new(),
            homeless: Vec::new(),
            transactions: transactions().map(|(at, transaction)| (transaction.id.as_str(), at)).collect(),
            orders: record.orders.iter().map(|order| (order.number.as_str(), order)).collect(),
            documents: documents().map(|posted| ((posted.kind, posted.number.as_str()), posted)).collect(),
            documents_of_order: group(standing().filter_map(|posted| Some((posted.order.as_deref()?, posted)))),
            transactions_of_order: group(transactions().filter_map(|(at, of)| Some((of.order.as_deref()?, at)))),
            transactions_paying: group(
                transactions().flat_map(|(at, of)| of.pays.iter().map(move |number| (number.as_str(), at))),
            ),
            effects_of: group(done().map(|done| (done.effect.transaction, done))),
            effects_by_key: group(ours().map(|(asked, done)| (asked.key.as_str(), done))),
            effects_for: group(ours().filter_map(|(asked, done)| Some((pair(asked.document.as_ref())?, done)))),
            lines: group(record.lines.iter().map(|line| (line.number.as_str(), line))),
            order_rows: rows.orders.iter().map(|row| (row.number.as_str(), row)).collect(),
            payment_rows: rows.payments.iter().map(|row| (row.transaction.as_str(), row)).collect(),
            document_rows: rows.documents.iter().map(|row| ((row.kind.as_str(), row.number.as_str()), row)).collect(),
            operations: operations().map(|row| (row.id, row)).collect(),
            operations_by_key: operations().map(|row| (row.key.as_str(), row)).collect(),
            operations_of: group(operations().filter(moves).filter_map(|row| Some((row.transaction.as_deref()?, row)))),
            operations_of_journal: group(operations().filter_map(|row| Some((row.journal.as_deref()?, row)))),
            operations_of_mail: group(operations().filter_map(|row| Some((row.mail.as_deref()?, row)))),
            journals: rows.journals.iter().map(|row| (row.number.as_str(), row)).collect(),
            journals_for: group(rows.journals.iter().filter_map(|row| Some((pair(row.document.as_ref())?, row)))),
            booking_of_movement: HashMap::new(),
            bookings_of: HashMap::new(),
            mails: rows.mails.iter().map(|row| (row.event.as_str(), row)).collect(),
            exceptions_of_transaction: group(exceptions().filter_map(|row| Some((row.transaction.as_deref()?, row)))),
            exceptions_of_order: group(exceptions().filter_map(|row| Some((row.order.as_deref()?, row)))),
            exceptions_of_document: group(exceptions().filter_map(|row| Some((pair(row.document.as_ref())?, row)))),
            exceptions_of_operation: group(exceptions().filter_map(|row| Some((row.operation?, row)))),
        };
        index.book();
        index
    }

    /// Puts every journal to its movement, and every failure to what failed.
    fn book(&mut self) {
        let rows = self.rows;
        let mut of_modification: HashMap<(&str, &str, &str), usize> = HashMap::new();
        for movement in rows.movements.iter().filter(|movement| !is_failure(movement)) {
            let at = self.bookings.len();
            let name = (movement.transaction.as_str(), movement.kind.as_str(), movement.modification.as_str());
            of_modification.insert(name, at);
            self.booking_of_movement.insert(movement.id, at);
            self.bookings_of.entry(movement.transaction.as_str()).or_default().push(at);
            self.bookings.push(Booking { movement, failure: None, originals: Vec::new(), reversals: Vec::new() });
        }
        for failure in rows.movements.iter().filter(|movement| is_failure(movement)) {
            let kind = failure.kind.strip_suffix("_failure").unwrap_or_default();
            let transaction = failure.transaction.as_str();
            let found = of_modification
                .get(&(transaction, kind, failure.modification.as_str()))
                .or_else(|| of_modification.get(&(transaction, kind, transaction)));
            match found.and_then(|at| Some((*at, self.bookings.get_mut(*at)?))) {
                Some((at, booking)) if booking.failure.is_none() => {
                    booking.failure = Some(failure);
                    self.booking_of_movement.insert(failure.id, at);
                }
                Some(_) | None => self.baseless.push(failure),
            }
        }
        for journal in &rows.journals {
            let booking = self.booking_of_movement.get(&journal.movement).and_then(|at| self.bookings.get_mut(*at));
            match booking {
                None => self.homeless.push(journal),
                Some(booking) if journal.direction == "original" => booking.originals.push(journal),
                Some(booking) => booking.reversals.push(journal),
            }
        }
    }

    pub(super) fn transaction(&self, effect: &Effect) -> Option<&'a Transaction> {
        self.record.transactions.get(effect.transaction)
    }

    /// Its place among the transactions.
    pub(super) fn place(&self, id: &str) -> Option<usize> {
        self.transactions.get(id).copied()
    }

    pub(super) fn transaction_named(&self, id: &str) -> Option<&'a Transaction> {
        self.record.transactions.get(self.place(id)?)
    }

    pub(super) fn order(&self, number: Option<&str>) -> Option<&'a ShopOrder> {
        self.orders.get(number?).copied()
    }

    pub(super) fn document(&self, name: Option<&(String, String)>) -> Option<&'a Posted> {
        self.documents.get(&pair(name)?).copied()
    }

    pub(super) fn invoice(&self, number: &str) -> Option<&'a Posted> {
        self.documents.get(&("invoice", number)).copied()
    }

    /// Payjournal made the document.
    pub(super) fn is_ours(&self, number: &str) -> bool {
        self.billed.iter().any(|posted| posted.number == number)
    }

    /// Not the invoices that were taken back.
    pub(super) fn documents_of<'s>(&'s self, order: &'s str) -> &'s [&'a Posted] {
        all(&self.documents_of_order, &order)
    }

    /// Transactions of the order itself, not those that pay its invoices by number; of which the ledger can know that.
    pub(super) fn paying_order<'s>(&'s self, order: &'s str) -> impl Iterator<Item = (usize, &'a Transaction)> {
        self.meant_for_order(order).filter(|(_, transaction)| self.names_its_order(transaction))
    }

    /// Whether the ledger knows its order: was told, or has found out by its key.
    pub(super) fn names_its_order(&self, transaction: &Transaction) -> bool {
        !transaction.is_anonymous || self.payment_row(&transaction.id).is_some_and(|row| row.order.is_some())
    }

    /// All that customers paid for it.
    pub(super) fn meant_for_order<'s>(&'s self, order: &'s str) -> impl Iterator<Item = (usize, &'a Transaction)> {
        all(&self.transactions_of_order, &order)
            .iter()
            .filter_map(|at| Some((*at, self.record.transactions.get(*at)?)))
            .filter(|(_, transaction)| transaction.pays.is_empty())
    }

    /// Transactions that name the invoice.
    pub(super) fn paying_invoice<'s>(&'s self, number: &'s str) -> impl Iterator<Item = (usize, &'a Transaction)> {
        all(&self.transactions_paying, &number).iter().filter_map(|at| Some((*at, self.record.transactions.get(*at)?)))
    }

    pub(super) fn effects_of(&self, transaction: usize) -> &[Done<'a>] {
        all(&self.effects_of, &transaction)
    }

    pub(super) fn of_kind(&self, transaction: usize, kind: EffectKind) -> impl Iterator<Item = Done<'a>> {
        self.effects_of(transaction).iter().copied().filter(move |done| done.effect.kind == kind)
    }

    pub(super) fn with_key<'s>(&'s self, key: &'s str) -> &'s [Done<'a>] {
        all(&self.effects_by_key, &key)
    }

    /// Payjournal's effects for a document.
    pub(super) fn effects_for<'s>(&'s self, kind: &'s str, number: &'s str) -> &'s [Done<'a>] {
        all(&self.effects_for, &(kind, number))
    }

    pub(super) fn lines<'s>(&'s self, number: &'s str) -> &'s [&'a Line] {
        all(&self.lines, &number)
    }

    pub(super) fn order_row(&self, number: &str) -> Option<&'a OrderRow> {
        self.order_rows.get(number).copied()
    }

    pub(super) fn payment_row(&self, transaction: &str) -> Option<&'a PaymentRow> {
        self.payment_rows.get(transaction).copied()
    }

    pub(super) fn document_row(&self, kind: &str, number: &str) -> Option<&'a DocumentRow> {
        self.document_rows.get(&(kind, number)).copied()
    }

    pub(super) fn operation(&self, id: i64) -> Option<&'a OperationRow> {
        self.operations.get(&id).copied()
    }

    pub(super) fn operation_with_key(&self, key: &str) -> Option<&'a OperationRow> {
        self.operations_by_key.get(key).copied()
    }

    /// Captures, refunds and releases of a transaction.
    pub(super) fn operations_of<'s>(&'s self, transaction: &'s str) -> &'s [&'a OperationRow] {
        all(&self.operations_of, &transaction)
    }

    pub(super) fn deliveries_of_journal<'s>(&'s self, number: &'s str) -> &'s [&'a OperationRow] {
        all(&self.operations_of_journal, &number)
    }

    pub(super) fn deliveries_of_mail<'s>(&'s self, event: &'s str) -> &'s [&'a OperationRow] {
        all(&self.operations_of_mail, &event)
    }

    pub(super) fn journal(&self, number: &str) -> Option<&'a JournalRow> {
        self.journals.get(number).copied()
    }

    pub(super) fn journals_for<'s>(&'s self, kind: &'s str, number: &'s str) -> &'s [&'a JournalRow] {
        all(&self.journals_for, &(kind, number))
    }

    pub(super) fn booking(&self, movement: i64) -> Option<&Booking<'a>> {
        self.bookings.get(*self.booking_of_movement.get(&movement)?)
    }

    pub(super) fn bookings_of<'s>(&'s self, transaction: &'s str) -> impl Iterator<Item = &'s Booking<'a>> {
        all(&self.bookings_of, &transaction).iter().filter_map(|at| self.bookings.get(*at))
    }

    pub(super) fn mail(&self, event: &str) -> Option<&'a MailRow> {
        self.mails.get(event).copied()
    }

    pub(super) fn told_of_transaction<'s>(&'s self, id: &'s str) -> &'s [&'a ExceptionRow] {
        all(&self.exceptions_of_transaction, &id)
    }

    pub(super) fn told_of_order<'s>(&'s self, number: &'s str) -> &'s [&'a ExceptionRow] {
        all(&self.exceptions_of_order, &number)
    }

    pub(super) fn told_of_document<'s>(&'s self, kind: &'s str, number: &'s str) -> &'s [&'a ExceptionRow] {
        all(&self.exceptions_of_document, &(kind, number))
    }

    pub(super) fn told_of_operation(&self, id: i64) -> &[&'a ExceptionRow] {
        all(&self.exceptions_of_operation, &id)
    }

    pub(super) fn about(&self, effect: &Effect) -> About {
        let transaction = self.transaction(effect);
        About {
            order: transaction.and_then(|transaction| transaction.order.clone()),
            transaction: transaction.map(|transaction| transaction.id.clone()),
            document: effect.ours().and_then(|asked| asked.document.clone()),
        }
    }

    pub(super) fn about_transaction(&self, id: &str) -> About {
        let order = self.transaction_named(id).and_then(|transaction| transaction.order.clone());
        About { order, transaction: Some(id.to_owned()), document: None }
    }

    pub(super) fn about_operation(&self, operation: &OperationRow) -> About {
        let about = operation.transaction.as_deref().map(|id| self.about_transaction(id)).unwrap_or_default();
        About { document: operation.document.clone(), ..about }
    }

    /// The effect a movement is the record of: by the PSP's id; of money handed over as collected, a capture of that amount.
    pub(super) fn effect_of(&self, movement: &MovementRow) -> Option<Done<'a>> {
        let at = self.place(&movement.transaction)?;
        let transaction = self.record.transactions.get(at)?;
        let kind = match movement.kind.as_str() {
            "capture" | "capture_failure" => EffectKind::Capture,
            "refund" | "refund_failure" => EffectKind::Refund,
            "chargeback" | "chargeback_reversed" => return self.dispute_of(at, movement),
            _ => return None,
        };
        let named = self.of_kind(at, kind).find(|done| done.effect.id == movement.modification);
        let handed_over =
            transaction.collected && movement.modification == transaction.id && kind == EffectKind::Capture;
        named.or_else(|| {
            self.of_kind(at, kind)
                .find(|done| handed_over && done.effect.ours().is_none() && done.effect.amount == movement.amount)
        })
    }

    /// A PSP may give a second chargeback the id of the first: then its name has its kind, too.
    fn dispute_of(&self, transaction: usize, movement: &MovementRow) -> Option<Done<'a>> {
        let (kinds, name): (&[EffectKind], &str) = match movement.modification.strip_suffix("/second_chargeback") {
            _ if movement.kind == "chargeback_reversed" => (&[EffectKind::WonBack], &movement.modification),
            Some(first) => (&[EffectKind::SecondChargeback], first),
            None => (&[EffectKind::Chargeback, EffectKind::SecondChargeback], &movement.modification),
        };
        kinds.iter().find_map(|kind| self.of_kind(transaction, *kind).find(|done| done.effect.id == name))
    }

    /// Whether a person was told of this chargeback by the exception, under its own name.
    pub(super) fn is_about(&self, row: &ExceptionRow, effect: &Effect) -> bool {
        let Some(told) = row.subject.strip_prefix("chargeback ").and_then(|rest| rest.split(' ').next()) else {
            return false;
        };
        let second =
            effect.kind == EffectKind::SecondChargeback && told.strip_suffix("/second_chargeback") == Some(&effect.id);
        let shares_name = effect.kind == EffectKind::SecondChargeback
            && self.record.effects.iter().any(|other| other.kind == EffectKind::Chargeback && other.id == effect.id);
        second || (told == effect.id && !shares_name)
    }

    /// A capture a PSP made after its own no, whose money the ledger has used up for other invoices than it had been asked for.
    /// As long as something of it is untied, its own document takes it first.
    pub(super) fn is_used_elsewhere(&self, done: Done<'a>) -> bool {
        let document = done.effect.ours().and_then(|asked| pair(asked.document.as_ref()));
        let is_late_capture = done.effect.after_no && done.effect.kind == EffectKind::Capture;
        let Some((kind, number)) = document.filter(|document| is_late_capture && document.0 == "invoice") else {
            return false;
        };
        let of_it = self.transaction(done.effect).map(|transaction| self.bookings_of(&transaction.id));
        let mut of_it = of_it.into_iter().flatten();
        of_it.any(|booking| {
            booking.movement.modification == done.effect.id
                && !booking.pays(kind, number)
                && booking.net(&super::books::FREED) <= booking.net(&["application"])
        })
    }

    /// What the ledger may take an effect for: as it is, or as it was asked for, where the PSP's answer did not say more.
    pub(super) fn recorded_amount(&self, done: Done<'a>) -> i64 {
        let of_it = self.transaction(done.effect).map(|transaction| self.bookings_of(&transaction.id));
        let name = intents::kind(done.effect.kind);
        let mut of_it = of_it.into_iter().flatten().map(|booking| booking.movement);
        let recorded = of_it.find(|row| row.kind == name && row.modification == done.effect.id);
        let asked = done.effect.asked_other();
        recorded.filter(|row| Some(row.amount) == asked).map_or(done.effect.amount, |row| row.amount)
    }

    /// What of `kind` still stands of a transaction, of what was done before `place`.
    pub(super) fn standing_before(&self, transaction: usize, kind: EffectKind, place: usize) -> i64 {
        let before = self.of_kind(transaction, kind).filter(|done| done.place < place);
        before.filter(|done| done.effect.is_live()).map(|done| done.effect.amount).sum()
    }

    /// Somebody other than payjournal acted on it, or something of it failed: payjournal may have known less than the PSP.
    pub(super) fn is_disturbed(&self, transaction: usize) -> bool {
        let adjusted = self.record.transactions.get(transaction).is_some_and(|transaction| transaction.adjusted);
        adjusted
            || self.effects_of(transaction).iter().map(|done| done.effect).any(|effect| {
                let as_asked = effect.ours().is_some() && effect.asked_other().is_none() && !effect.after_no;
                !as_asked || effect.state == EffectState::Failed
            })
    }
}

/// Whether an operation moves money at a PSP.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "for iterators over references")]
fn moves(operation: &&OperationRow) -> bool {
    matches!(operation.kind.as_str(), "capture" | "refund" | "release")
}

pub(super) fn is_failure(movement: &MovementRow) -> bool {
    matches!(movement.kind.as_str(), "capture_failure" | "refund_failure")
}

/// It was confirmed once, whatever came later.
pub(super) fn was_confirmed(effect: &Effect) -> bool {
    match effect.state {
        EffectState::Confirmed => true,
        EffectState::Failed => effect.failed_late,
        EffectState::Accepted => false,
    }
}

impl Booking<'_> {
    /// The sum of its original journals of these kinds.
    pub(super) fn original(&self, kinds: &[&str]) -> i64 {
        self.originals.iter().filter(|row| kinds.contains(&row.kind.as_str())).map(|row| row.amount).sum()
    }

    /// Whether it was booked for a document; each capture pays each invoice once.
    pub(super) fn pays(&self, kind: &str, number: &str) -> bool {
        self.originals.iter().any(|row| pair(row.document.as_ref()) == Some((kind, number)))
    }

    /// What it still means: originals less reversals of these kinds.
    pub(super) fn net(&self, kinds: &[&str]) -> i64 {
        let reversed: i64 =
            self.reversals.iter().filter(|row| kinds.contains(&row.kind.as_str())).map(|row| row.amount).sum();
        self.original(kinds) - reversed
    }
}
