//! What payjournal refunds: for which credit note, to which transaction, and how much (rule 16).

use chrono::Duration;

use crate::simulate::record::{Asked, Effect, EffectKind, Posted, Transaction};

use super::Found;
use super::captures::CLOCK_ERROR;
use super::index::{Done, Index, pair};
use super::intents::said;

/// A refund of payjournal, with what it is about.
struct Refund<'i, 'a> {
    index: &'i Index<'a>,
    at: usize,
    transaction: &'a Transaction,
    place: usize,
    effect: &'a Effect,
    asked: &'a Asked,
    /// The credit note and its invoice.
    note: Option<&'a Posted>,
    invoice: Option<&'a Posted>,
}

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        for Done { place, effect } in index.of_kind(at, EffectKind::Refund) {
            // What is paid back on request is for no document of anybody else.
            let is_request =
                |asked: &&Asked| pair(asked.document.as_ref()).is_some_and(|name| name.0 == "refund_request");
            let Some(asked) = effect.ours().filter(|asked| !effect.after_no && !is_request(asked)) else { continue };
            let note = index.document(asked.document.as_ref()).filter(|note| note.kind == "credit_note");
            let invoice = note.and_then(|note| index.invoice(note.references.as_deref()?));
            let refund = Refund { index, at, transaction, place, effect, asked, note, invoice };
            for (invariant, wrong) in [
                ("refund-for-credit-note", refund.without_credit_note()),
                ("document-known-first", refund.of_unknown_document()),
                ("refund-within-told-open", refund.above_what_was_told()),
                ("refund-to-payer", refund.to_a_stranger()),
                ("refund-oldest-first", refund.past_an_older_payment()),
                ("refund-allowed", refund.forbidden()),
                ("outside-refund-waits", refund.past_an_outside_refund()),
            ] {
                if let Some(why) = wrong {
                    found.tell(invariant, index.about(effect), format!("{}: {why}", said(effect)));
                }
            }
        }
    }
}

/// Earlier live effects for a document whose lines were not in the ERP yet when `effect` was sent: what was told to be
/// outstanding did not know them.
pub(super) fn not_in_the_erp(index: &Index<'_>, kind: &str, number: &str, place: usize, effect: &Effect) -> i64 {
    let earlier = index.effects_for(kind, number).iter();
    earlier
        .filter(|done| done.place < place && done.effect.is_live() && !index.is_used_elsewhere(**done))
        .filter(|done| super::intents::may_be_known(done.effect, effect))
        .filter(|done| {
            let transaction = index.transaction(done.effect).map_or("", |transaction| transaction.id.as_str());
            let journals = index.journals_for(kind, number).iter().filter(|journal| {
                index.booking(journal.movement).is_some_and(|booking| {
                    booking.movement.transaction == transaction && booking.movement.modification == done.effect.id
                })
            });
            !journals.flat_map(|journal| index.lines(&journal.number)).any(|line| line.at <= effect.at)
        })
        .map(|done| done.effect.amount)
        .sum()
}

/// What was taken back of a document by journals whose lines were not in the ERP yet when it was asked: it was open, and
/// what was told did not know. It was asked in the same run.
pub(super) fn taken_back(index: &Index<'_>, kind: &str, number: &str, effect: &Effect) -> i64 {
    let journals = index.journals_for(kind, number).iter();
    journals
        .filter(|row| (row.direction == "reversal") == (row.kind != "reopening"))
        .filter(|row| {
            !index.lines(&row.number).iter().any(|line| !line.draft && line.at <= effect.at - super::releases::A_RUN)
        })
        .map(|row| row.amount)
        .sum()
}

impl Refund<'_, '_> {
    fn without_credit_note(&self) -> Option<String> {
        let Some(note) = self.note else { return Some("for no credit note".to_owned()) };
        let Some(invoice) = self.invoice else {
            return Some(format!("{} belongs to {:?}, which is no invoice", note.number, note.references));
        };
        let agrees = note.currency == self.transaction.currency && invoice.currency == note.currency;
        let same_order = note.order.is_none() || invoice.order.is_none() || note.order == invoice.order;
        (!agrees || !same_order).then(|| format!("{} and its invoice {} do not agree", note.number, invoice.number))
    }

    fn of_unknown_document(&self) -> Option<String> {
        // What payjournal made has the time of the clock it was made by.
        let is_late = |posted: &Posted| self.index.record.clock_jumps > 0 && self.index.is_ours(&posted.number);
        let until = |posted: &Posted| if is_late(posted) { self.effect.at + CLOCK_ERROR } else { self.effect.at };
        let known = |posted: &Posted| posted.told_at.is_some_and(|told| told <= until(posted));
        let both = self.note.is_some_and(known) && self.invoice.is_some_and(known);
        (self.note.is_some() && !both)
            .then(|| "the ledger had not been told of the credit note or its invoice".to_owned())
    }

    fn above_what_was_told(&self) -> Option<String> {
        let (kind, number) = pair(self.asked.document.as_ref())?;
        let Some(told) = self.asked.told_outstanding else {
            return Some(format!("it never asked what is open on {number}"));
        };
        let on_its_way = not_in_the_erp(self.index, kind, number, self.place, self.effect);
        let open = told + taken_back(self.index, kind, number, self.effect);
        (self.asked.amount + on_its_way > open)
            .then(|| format!("{told} were open on {number}, {on_its_way} of it on their way already"))
    }

    /// To a transaction whose captures paid the invoice, and together no more than they paid for it.
    fn to_a_stranger(&self) -> Option<String> {
        let invoice = self.invoice?;
        let paid = super::books::paid_for(self.index, &invoice.number, &self.transaction.id);
        let of_invoice = |done: &Done<'_>| {
            let note = done.effect.ours().and_then(|asked| self.index.document(asked.document.as_ref()));
            note.is_some_and(|note| note.references.as_ref() == Some(&invoice.number))
        };
        let refunds = self.index.of_kind(self.at, EffectKind::Refund);
        let refunded: i64 = refunds
            .filter(|done| done.place <= self.place && (done.effect.is_live() || done.place == self.place))
            .filter(of_invoice)
            .map(|done| done.effect.amount)
            .sum();
        (refunded > paid)
            .then(|| format!("{} paid {paid} of {}; {refunded} go back", self.transaction.id, invoice.number))
    }

    /// Oldest first: an older payment of the invoice, of which nothing was ever tried to be given back.
    fn past_an_older_payment(&self) -> Option<String> {
        let invoice = self.invoice?;
        let ties = self.index.journals_for("invoice", &invoice.number);
        let mine = ties.iter().find_map(|journal| {
            let booking = self.index.booking(journal.movement)?;
            (booking.movement.transaction == self.transaction.id).then_some(booking)
        })?;
        let since = self.index.effect_of(mine.movement)?.effect.confirmed_at?;
        for journal in ties {
            let Some(booking) = self.index.booking(journal.movement) else { continue };
            if booking.movement.transaction == self.transaction.id {
                break;
            }
            let (Some(at), Some(done)) =
                (self.index.place(&booking.movement.transaction), self.index.effect_of(booking.movement))
            else {
                continue;
            };
            let older = self.index.transaction_named(&booking.movement.transaction)?;
            let tried = self.index.operations_of(&older.id).iter().any(|operation| operation.kind == "refund");
            let touched = self.index.of_kind(at, EffectKind::Refund).next().is_some();
            if done.effect.confirmed_at.is_some_and(|at| at + Duration::seconds(1) < since)
                && older.refundable
                && !tried
                && !touched
                && !self.index.is_disturbed(at)
            {
                return Some(format!("{} paid {} earlier and got nothing back", older.id, invoice.number));
            }
        }
        None
    }

    fn forbidden(&self) -> Option<String> {
        (!self.transaction.refundable).then(|| format!("{} allows no refunds", self.transaction.method))
    }

    /// Somebody else refunded long enough before: whatever was paid by hand on any credit note, it may have been this refund.
    fn past_an_outside_refund(&self) -> Option<String> {
        self.invoice?;
        let mut outside = self.index.of_kind(self.at, EffectKind::Refund).filter(|done| {
            done.effect.ours().is_none() && done.effect.is_live() && done.effect.at + Duration::days(1) < self.effect.at
        });
        outside.next().map(|before| format!("somebody else refunded before: {}", said(before.effect)))
    }
}
