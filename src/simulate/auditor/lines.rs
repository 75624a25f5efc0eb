//! Payjournal's lines in the ERP: each journal at most once, and as it is in the ledger.

use std::collections::HashSet;

use crate::ledger::rows::OperationRow;
use crate::simulate::record::Line;

use super::index::{Index, pair};
use super::{About, Found};

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    let mut posted: HashSet<&str> = HashSet::new();
    for (place, line) in index.record.lines.iter().enumerate() {
        if let Some(missing) = missing_before(index, place, line) {
            tell(found, "line-after-its-original", line, &format!("{missing} was not in the ERP before it"));
        }
        let certain = index.record.clock_jumps == 0;
        if !line.draft && !posted.insert(&line.number) && certain {
            tell(found, "line-once", line, "is in the ERP twice");
        }
        if let Some(why) = differs(index, line) {
            tell(found, "line-is-its-journal", line, &why);
        }
        let denied = index.deliveries_of_journal(&line.number);
        if denied.iter().all(|row| row.state == "withdrawn" || row.state == "planned" && row.tries == 0) {
            tell(found, "line-was-intended", line, "was posted before anybody meant to send it");
        }
    }
    for operation in index.rows.operations.iter().filter(|row| row.kind == "journal") {
        believed(index, operation, found);
    }
}

fn tell(found: &mut Found, invariant: &'static str, line: &Line, why: &str) {
    let says = format!("line {} ({} {} of {}): {why}", line.number, line.kind, line.direction, line.amount);
    let about = About { order: None, transaction: Some(line.transaction.clone()), document: line.document.clone() };
    found.tell(invariant, about, says);
}

/// What a line undoes or applies, where the ERP did not have it when the line came.
fn missing_before<'i>(index: &'i Index<'_>, place: usize, line: &Line) -> Option<&'i str> {
    let wanted = super::books::before(index, index.journal(&line.number)?)?;
    let mut before = index.record.lines.iter().take(place);
    (!before.any(|earlier| earlier.number == wanted.number)).then_some(wanted.number.as_str())
}

fn differs(index: &Index<'_>, line: &Line) -> Option<String> {
    let Some(journal) = index.journal(&line.number) else { return Some("no journal has this number".to_owned()) };
    // Somebody in the ERP gave it another content.
    if line.changed {
        return None;
    }
    let booked = (journal.kind.as_str(), journal.direction.as_str(), pair(journal.document.as_ref()), journal.amount);
    if booked != (line.kind, line.direction, pair(line.document.as_ref()), line.amount)
        || journal.currency != line.currency
    {
        return Some(format!("is in the ledger as {booked:?} in {}", journal.currency));
    }
    let has = |account: &str, amount: i64| journal.postings.iter().any(|row| row.0 == account && row.1 == amount);
    if !has(&line.debit, line.amount) || !has(&line.credit, -line.amount) {
        return Some(format!("debits {} and credits {}; posted: {:?}", line.debit, line.credit, journal.postings));
    }
    let movement = index.booking(journal.movement)?.movement;
    (movement.transaction != line.transaction || movement.modification != line.modification)
        .then(|| format!("its journal is of {} {}", movement.transaction, movement.modification))
}

/// Confirmed = posted; refused = not posted, unless the ERP has another line of that number.
fn believed(index: &Index<'_>, operation: &OperationRow, found: &mut Found) {
    let Some(number) = operation.journal.as_deref() else { return };
    // With payjournal's content: what somebody changed is not its line.
    let is_posted = index.lines(number).iter().any(|line| !line.draft && !line.changed);
    let wrong = match operation.state.as_str() {
        "confirmed" => !is_posted,
        "refused" => is_posted && operation.refusal.as_deref() != Some("journal_differs"),
        _ => false,
    };
    let later = index.deliveries_of_journal(number).iter().any(|row| row.attempt > operation.attempt);
    if wrong && !(later && operation.state == "refused") {
        let says = format!("journal {number} is {} in the ledger; in the ERP: {is_posted}", operation.state);
        found.tell("line-as-believed", index.about_operation(operation), says);
    }
}
