//! Double entry: every movement is booked whole, on the right accounts and documents, and nothing else is.

use std::collections::BTreeMap;

use crate::ledger::rows::{JournalRow, Rows};
use crate::simulate::record::{EffectKind, IsFor, Posted, Transaction};

use super::index::{Booking, Index, pair};
use super::{About, Found};

const CLEARING: &str = "Assets:Clearing";
const RECEIVABLES: &str = "Assets:Receivables";
const PREPAYMENTS: &str = "Liabilities:Prepayments";
const DISPUTED: &str = "Assets:Receivables:Disputed";

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for journal in &index.rows.journals {
        postings(journal, found);
    }
    for journal in &index.homeless {
        let says = format!("journal {} hangs on movement {}, which does not exist", journal.number, journal.movement);
        found.tell("movement-booked-whole", about(journal), says);
    }
    for booking in &index.bookings {
        for (invariant, wrong) in [
            ("movement-booked-whole", not_whole(booking)),
            ("failure-reversed-whole", not_reversed(booking)),
            ("journal-for-right-document", for_a_wrong_document(index, booking)),
        ] {
            if let Some(why) = wrong {
                let movement = booking.movement;
                let says = format!("{} {} of {}: {why}", movement.kind, movement.modification, movement.amount);
                found.tell(invariant, index.about_transaction(&movement.transaction), says);
            }
        }
    }
    prepayments(index, found);
    clearing(index.rows, found);
    documents(index, found);
}

fn about(journal: &JournalRow) -> About {
    About::document(journal.document.clone())
}

/// The accounts of a journal's two postings: debit, credit.
fn accounts(journal: &JournalRow) -> Option<(&'static str, &'static str)> {
    let (debit, credit) = match journal.kind.as_str() {
        "receipt" => (CLEARING, RECEIVABLES),
        "prepayment" => (CLEARING, PREPAYMENTS),
        "application" | "returned_refund" => (PREPAYMENTS, RECEIVABLES),
        "refund" | "reopening" => (RECEIVABLES, CLEARING),
        "unapplied_refund" => (PREPAYMENTS, CLEARING),
        "return" => (RECEIVABLES, PREPAYMENTS),
        "chargeback" => (DISPUTED, CLEARING),
        "chargeback_reversed" => (CLEARING, DISPUTED),
        _ => return None,
    };
    Some(if journal.direction == "reversal" { (credit, debit) } else { (debit, credit) })
}

fn postings(journal: &JournalRow, found: &mut Found) {
    let sum: i64 = journal.postings.iter().map(|posting| posting.1).sum();
    if sum != 0 || journal.postings.is_empty() {
        let says = format!("the postings of journal {} sum to {sum}: {:?}", journal.number, journal.postings);
        found.tell("journal-sums-to-zero", about(journal), says);
    }
    let mut sides = journal.postings.clone();
    sides.sort_by_key(|posting| -posting.1);
    let fits = match (sides.as_slice(), accounts(journal)) {
        ([debit, credit], Some(names)) => {
            debit.1 == journal.amount
                && credit.1 == -journal.amount
                && under(&debit.0, names.0)
                && under(&credit.0, names.1)
        }
        _ => false,
    };
    if !fits {
        let says = format!(
            "journal {} ({} {}) of {} posts {:?}",
            journal.number, journal.kind, journal.direction, journal.amount, journal.postings
        );
        found.tell("postings-by-kind", about(journal), says);
    }
}

fn under(account: &str, name: &str) -> bool {
    account.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
}

/// The original journals, applications and what cancellations gave back aside, sum to the movement; applications are out of what was
/// prepaid or given back.
fn not_whole(booking: &Booking<'_>) -> Option<String> {
    let (kinds, beside): (&[&str], &[&str]) = match booking.movement.kind.as_str() {
        "capture" => (&["receipt", "prepayment"], &["application", "return"]),
        "chargeback" => (&["chargeback"], &[]),
        "chargeback_reversed" => (&["chargeback_reversed"], &[]),
        _ => (&["refund", "reopening", "unapplied_refund"], &["returned_refund"]),
    };
    let booked = booking.original(kinds);
    let applied = booking.original(&["application"]);
    let is_known = |kind: &str| kinds.contains(&kind) || beside.contains(&kind);
    let strange = booking.originals.iter().find(|row| !is_known(&row.kind) || row.amount <= 0);
    if let Some(journal) = strange {
        return Some(format!("booked by the journal {} ({} of {})", journal.number, journal.kind, journal.amount));
    }
    if let Some(journal) = booking.originals.iter().find(|row| row.currency != booking.movement.currency) {
        return Some(format!("in {}, booked in {}", booking.movement.currency, journal.currency));
    }
    let prepaid = booking.original(&["prepayment", "return"]);
    (booked != booking.movement.amount || applied > prepaid)
        .then(|| format!("journals of {booked}, of which {prepaid} prepaid; {applied} were applied"))
}

/// A failed movement is reversed whole, by the opposite of each journal; nothing else is reversed.
fn not_reversed(booking: &Booking<'_>) -> Option<String> {
    if booking.failure.is_none() {
        let journal = booking.reversals.first()?;
        return Some(format!("did not fail and is reversed by {}", journal.number));
    }
    let mut left: Vec<&JournalRow> = booking.reversals.clone();
    for original in &booking.originals {
        let opposite = left.iter().position(|row| {
            let same = (row.kind.as_str(), row.amount, pair(row.document.as_ref()));
            same == (original.kind.as_str(), original.amount, pair(original.document.as_ref()))
                && original.postings.iter().all(|(account, amount)| row.postings.contains(&(account.clone(), -amount)))
        });
        match opposite {
            Some(at) => drop(left.swap_remove(at)),
            None => return Some(format!("failed, and {} is not reversed", original.number)),
        }
    }
    left.first().map(|row| format!("{} reverses nothing", row.number))
}

/// Captures pay invoices of the order, or those the payment names; refunds pay out credit notes that payjournal was asked to.
fn for_a_wrong_document(index: &Index<'_>, booking: &Booking<'_>) -> Option<String> {
    let transaction = index.transaction_named(&booking.movement.transaction);
    let asked = index.effect_of(booking.movement).and_then(|done| done.effect.ours());
    let is_right = |journal: &JournalRow| {
        let named = pair(journal.document.as_ref());
        let document = index.document(journal.document.as_ref());
        match journal.kind.as_str() {
            "receipt" | "application" | "reopening" => document.is_some_and(|document| {
                document.kind == "invoice"
                    && transaction.is_some_and(|transaction| may_pay(index, transaction, document))
            }),
            "refund" => named.is_some_and(|(kind, number)| {
                kind == "credit_note" && asked.is_some_and(|asked| asked.is_for(kind, number))
            }),
            "return" | "returned_refund" => document.is_some_and(|document| document.kind == "cancellation"),
            _ => named.is_none(),
        }
    };
    let wrong = booking.originals.iter().find(|journal| !is_right(journal))?;
    Some(format!("{} ({}) is for {:?}", wrong.number, wrong.kind, wrong.document))
}

/// Its order's invoices and those it names; of one that names invoices, the surplus also what else their order has.
fn may_pay(index: &Index<'_>, transaction: &Transaction, invoice: &Posted) -> bool {
    let by_name = transaction.pays.contains(&invoice.number);
    let by_order = invoice.order.is_some() && invoice.order == transaction.order;
    let mut beside = transaction.pays.iter().filter_map(|number| index.invoice(number));
    let by_neighbour = beside.any(|named| named.order.is_some() && named.order == invoice.order);
    let by_key = || invoice.order.as_deref().is_some_and(|order| super::heirs::inherits(index, order, transaction));
    let by_account = || super::free_balances::may_pay(index, transaction, invoice);
    // What an entry has is its invoice's, whatever order the payment names (trap T47).
    let by_entry = || {
        let IsFor::Entry(reference) = &transaction.is_for else { return false };
        let mut entries = index.rows.entries.iter().filter(|entry| entry.reference.as_ref() == Some(reference));
        entries.any(|entry| entry.invoice.as_ref() == Some(&invoice.number))
    };
    (by_name || by_order || by_neighbour || by_key() || by_entry() || by_account())
        && invoice.currency == transaction.currency
}

/// What must be in the ERP before a journal: what it applies, or what it undoes.
pub(super) fn before<'a>(index: &Index<'a>, journal: &JournalRow) -> Option<&'a JournalRow> {
    let mut originals = index.booking(journal.movement)?.originals.iter().copied();
    if journal.direction != "original" {
        return originals.find(|row| row.document == journal.document);
    }
    let earlier = originals.take_while(|row| row.number != journal.number);
    match journal.kind.as_str() {
        "application" => earlier.filter(|row| FREED.contains(&row.kind.as_str())).last(),
        "return" | "returned_refund" => {
            let invoice = index.document(journal.document.as_ref())?.references.as_deref();
            let of_it = |row: &&JournalRow| pair(row.document.as_ref()).map(|(_, number)| number) == invoice;
            earlier.filter(of_it).last()
        }
        _ => None,
    }
}

/// What brings money to a customer's account, and what takes it from there.
pub(super) const FREED: [&str; 2] = ["prepayment", "return"];
pub(super) const USED: [&str; 3] = ["application", "unapplied_refund", "returned_refund"];

/// Captured money of a transaction that belongs to no invoice, and was not paid back.
pub(super) fn untied(index: &Index<'_>, transaction: &str) -> i64 {
    let bookings = index.bookings_of(transaction);
    let signed = |booking: &Booking<'_>| booking.net(&FREED) - booking.net(&USED);
    bookings.map(signed).sum()
}

/// What is `untied` less what the customer has got back at the bank: at most that is there to be paid back.
pub(super) fn undisputed(index: &Index<'_>, at: usize, transaction: &str) -> i64 {
    let at_the_bank: i64 = index.effects_of(at).iter().map(|done| done.effect.kind.disputed(done.effect.amount)).sum();
    untied(index, transaction) - at_the_bank.max(0)
}

/// What a transaction's captures paid of an invoice, whether they failed later or not.
pub(super) fn paid_for(index: &Index<'_>, invoice: &str, transaction: &str) -> i64 {
    let ties = index.journals_for("invoice", invoice).iter().filter(|journal| {
        journal.direction == "original" && matches!(journal.kind.as_str(), "receipt" | "application")
    });
    let of_it = ties.filter(|journal| {
        index.booking(journal.movement).is_some_and(|booking| booking.movement.transaction == transaction)
    });
    of_it.map(|journal| journal.amount).sum()
}

/// What pays an invoice, or pays out a credit note, by the journals: originals less reversals.
pub(super) fn tied(index: &Index<'_>, kind: &str, number: &str) -> i64 {
    let signed = |journal: &&JournalRow| {
        let amount = if journal.direction == "reversal" { -journal.amount } else { journal.amount };
        match journal.kind.as_str() {
            "receipt" | "application" | "refund" => amount,
            // A reopening that is reversed was paid again meanwhile, perhaps: it does not count back.
            "reopening" if journal.direction == "original" => -journal.amount,
            _ => 0,
        }
    };
    index.journals_for(kind, number).iter().map(signed).sum()
}

/// Money that was paid back without an invoice is not applied to one as well.
fn prepayments(index: &Index<'_>, found: &mut Found) {
    for transaction in &index.record.transactions {
        let sum = |kind: &str| index.bookings_of(&transaction.id).map(|booking| booking.net(&[kind])).sum::<i64>();
        let prepaid = sum("prepayment") + sum("return");
        let (applied, returned) = (sum("application"), sum("unapplied_refund") + sum("returned_refund"));
        let failed = index.bookings_of(&transaction.id).any(|booking| booking.failure.is_some());
        // Done after it was refused: a second attempt may have paid it back, too, and the first is a fact all the same (rule 2).
        let mut refunds = index.place(&transaction.id).into_iter().flat_map(|at| index.of_kind(at, EffectKind::Refund));
        let surprised = refunds.any(|done| done.effect.after_no);
        if applied > 0 && applied + returned > prepaid && !failed && !surprised {
            let says = format!("of {prepaid} prepaid, {applied} were applied and {returned} paid back");
            found.tell("prepayment-used-once", index.about_transaction(&transaction.id), says);
        }
        if let Some((account, more)) = overdrawn(index, &transaction.id).filter(|_| !failed && !surprised) {
            let says = format!("{more} more were taken off {account} than had come to it by this payment");
            found.tell("prepayment-where-it-came", index.about_transaction(&transaction.id), says);
        }
    }
}

/// The account from which more prepaid money of a transaction was taken than it had brought there, while it has money on another.
fn overdrawn(index: &Index<'_>, transaction: &str) -> Option<(String, i64)> {
    let mut accounts: BTreeMap<&str, i64> = BTreeMap::new();
    for journal in index.bookings_of(transaction).flat_map(|booking| &booking.originals) {
        for (account, amount) in journal.postings.iter().filter(|posting| under(&posting.0, PREPAYMENTS)) {
            *accounts.entry(account.as_str()).or_default() += amount;
        }
    }
    let has_some = accounts.values().any(|balance| *balance < 0);
    let (account, more) = accounts.into_iter().find(|(_, balance)| *balance > 0)?;
    has_some.then(|| (account.to_owned(), more))
}

/// The clearing accounts of a currency hold what was captured less what was refunded, and nothing that failed.
fn clearing(rows: &Rows, found: &mut Found) {
    let mut balances: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for journal in &rows.journals {
        let postings = journal.postings.iter().filter(|posting| under(&posting.0, CLEARING));
        balances.entry(&journal.currency).or_default().0 += postings.map(|posting| posting.1).sum::<i64>();
    }
    for movement in &rows.movements {
        let signed = match movement.kind.as_str() {
            "capture" | "refund_failure" | "chargeback_reversed" => movement.amount,
            _ => -movement.amount,
        };
        balances.entry(&movement.currency).or_default().1 += signed;
    }
    for (currency, (balance, moved)) in balances {
        if balance != moved {
            let says = format!("clearing in {currency} is {balance}; the movements sum to {moved}");
            found.tell("clearing-is-the-movements", About::default(), says);
        }
    }
}

/// Never more is tied to a document than its total.
fn documents(index: &Index<'_>, found: &mut Found) {
    for posted in index.record.documents.iter().filter(|posted| posted.kind != "shipment") {
        let tied = tied(index, posted.kind, &posted.number);
        if tied > posted.total {
            let says = format!("{tied} are tied to {} over {}", posted.number, posted.total);
            found.tell("document-not-overpaid", About::of_document(posted), says);
        }
    }
}
