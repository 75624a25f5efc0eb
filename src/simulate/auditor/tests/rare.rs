//! What is rare and right all the same, and what would be wrong about it.

use crate::simulate::record::{EffectKind, Trigger};

use super::story::{Story, clean};
use super::{found, silent};

const R9: Option<(&str, &str)> = Some(("invoice", "R-9"));

fn names(story: &Story) -> Vec<&'static str> {
    found(story).iter().map(|violation| violation.invariant).collect()
}

fn wider_order(total: i64) -> Story {
    let mut story = clean();
    story.order("SO-9", total);
    story.transaction("TX-9", Some("SO-9"), total, Trigger::Invoice);
    story.document("invoice", "R-9", Some("SO-9"), 100, None);
    story
}

#[test]
fn a_part_that_was_done_and_told_is_right_and_one_that_is_hidden_again_is_not() {
    let mut story = clean();
    story.record.effects[0].amount = 9_000;
    story.tell("amount_differs", Some("TX-1"), None);
    silent(&story);
    let exception = story.rows.exceptions.last_mut().unwrap();
    exception.state = "resolved".to_owned();
    let id = exception.id;
    assert_eq!(names(&story), ["other-amount-told"]);
    story.record.resolved.insert(id);
    silent(&story);
}

/// The first attempt, which was refused, is done after the second.
fn done_after_no() -> Story {
    let mut story = wider_order(300);
    story.capture("TX-9", R9, 100);
    let id = story.effect("TX-9", EffectKind::Capture, R9, 100);
    story.record.effects.last_mut().unwrap().after_no = true;
    let movement = story.movement("capture", "TX-9", &id, 100);
    story.rows.movements.last_mut().unwrap().operation = None;
    story.journal(movement, "prepayment", "original", None, 100);
    let key = format!("pj-capture-{id}");
    let operation = story.rows.operations.iter_mut().find(|row| row.key == key).unwrap();
    operation.state = "refused".to_owned();
    let operation = operation.id;
    story.tell("answer_contradicts", Some("TX-9"), None).operation = Some(operation);
    story
}

#[test]
fn what_was_refused_and_done_all_the_same_is_booked_beside_the_invoice_and_told() {
    silent(&done_after_no());
    let mut untold = done_after_no();
    untold.rows.exceptions.clear();
    assert!(names(&untold).contains(&"outcome-recorded"));
    let mut overpaid = done_after_no();
    overpaid.rows.journals.last_mut().unwrap().document = Some(("invoice".to_owned(), "R-9".to_owned()));
    overpaid.rows.journals.last_mut().unwrap().kind = "receipt".to_owned();
    assert!(names(&overpaid).contains(&"document-not-overpaid"));
}

#[test]
fn nothing_is_captured_after_a_psp_did_what_it_had_refused() {
    let mut story = done_after_no();
    let attempts = story.record.effects.len() - 2;
    story.record.effects.swap(attempts, attempts + 1);
    let second = story.record.effects[attempts + 1].at;
    story.record.effects[attempts].heard_at = Some(second);
    assert!(names(&story).contains(&"effect-once-per-target"));
    // Told of it only since, it could not know.
    story.record.effects[attempts].heard_at = Some(second + chrono::TimeDelta::seconds(1));
    assert!(!names(&story).contains(&"effect-once-per-target"));
}

#[test]
fn a_line_somebody_changed_is_refused_and_told_and_never_confirmed() {
    let mut story = clean();
    story.record.lines[0].amount = 1;
    story.record.lines[0].changed = true;
    story.record.lines[0].was_changed = true;
    assert!(names(&story).contains(&"line-as-believed"));
    let delivery = story.rows.operations.iter_mut().find(|row| row.journal.as_deref() == Some("PJ-1")).unwrap();
    delivery.state = "refused".to_owned();
    delivery.refusal = Some("journal_differs".to_owned());
    let id = delivery.id;
    assert!(names(&story).contains(&"journal-delivered"));
    story.tell("journal_differs", None, None).operation = Some(id);
    silent(&story);
}

#[test]
fn an_invoice_waits_for_a_payment_that_names_it_as_long_as_that_is_unsettled() {
    let mut story = wider_order(100);
    story.transaction("TX-8", None, 100, Trigger::Invoice);
    story.payment("TX-8").pays = vec!["R-9".to_owned()];
    story.tell("waits_for_payment", None, R9);
    silent(&story);
    story.payment("TX-8").status = "cancelled";
    story.rows.payments.last_mut().unwrap().status = "cancelled".to_owned();
    assert_eq!(names(&story), ["exception-right"]);
}

/// An invoice waits for a payment that was cancelled since, and its order's own payment took another amount than was asked for.
fn waits_for_nothing_beside_another_amount() -> Story {
    let mut story = wider_order(200);
    story.document("invoice", "R-10", Some("SO-9"), 100, None);
    story.capture("TX-9", Some(("invoice", "R-10")), 100);
    story.record.effects.last_mut().unwrap().amount = 90;
    story.transaction("TX-8", None, 100, Trigger::Invoice);
    story.payment("TX-8").pays = vec!["R-9".to_owned()];
    story.payment("TX-8").status = "cancelled";
    story.rows.payments.last_mut().unwrap().status = "cancelled".to_owned();
    story
}

#[test]
fn what_a_plan_told_stays_as_long_as_a_person_has_to_end_another_amount_and_nothing_is_told_then() {
    let mut before = waits_for_nothing_beside_another_amount();
    before.tell("waits_for_payment", None, R9);
    before.tell("amount_differs", Some("TX-9"), None);
    silent(&before);
    let mut after = waits_for_nothing_beside_another_amount();
    after.tell("amount_differs", Some("TX-9"), None);
    after.tell("waits_for_payment", None, R9);
    assert_eq!(names(&after), ["exception-right"]);
}
