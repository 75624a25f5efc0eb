//! The auditor is silent about what is right, and finds everything it has a name for.

mod billed;
mod corrected;
mod deleted;
mod paged;
mod rare;
mod story;
mod violations;

use super::{INVARIANTS, Violation, at_rest, each_day};
use crate::domain::exception::ExceptionKind;
use crate::simulate::record::{By, EffectKind, EffectState, Partial, Refused, Trigger};
use story::{Story, clean, day};

fn found(story: &Story) -> Vec<Violation> {
    let mut found = each_day(&story.record, &story.rows);
    found.extend(at_rest(&story.record, &story.rows));
    found
}

#[track_caller]
fn silent(story: &Story) {
    let found = found(story);
    assert!(found.is_empty(), "{found:#?}");
}

fn breaks() -> Vec<violations::Break> {
    use violations::{BACK, BOOKS, CAPTURES, FACTS, INTENTS, MONEY, PAYOUTS, TOLD};
    let others = [billed::INVOICES, corrected::CORRECTIONS, deleted::DELETIONS, paged::PAGES].concat();
    [INTENTS, CAPTURES, BACK, BOOKS, TOLD, FACTS, MONEY, PAYOUTS].concat().into_iter().chain(others).collect()
}

#[test]
fn a_story_without_mistakes_has_no_violation() {
    silent(&clean());
    silent(&Story::default());
}

#[test]
fn every_invariant_is_found_by_its_name_when_it_is_broken() {
    for (invariant, hurt) in breaks() {
        let mut story = clean();
        hurt(&mut story);
        let found = found(&story);
        let names: Vec<&str> = found.iter().map(|violation| violation.invariant).collect();
        assert!(names.contains(&invariant), "{invariant} is not among {names:?}");
    }
}

#[test]
fn every_invariant_has_a_story_that_breaks_it_and_every_violation_a_name() {
    let breaks = breaks();
    let mut names: Vec<&str> = INVARIANTS.iter().map(|invariant| invariant.0).collect();
    for name in &names {
        assert!(breaks.iter().any(|(broken, _)| broken == name), "nothing breaks {name}");
    }
    for (_, hurt) in &breaks {
        let mut story = clean();
        hurt(&mut story);
        for violation in found(&story) {
            assert!(names.contains(&violation.invariant), "{} has no sentence", violation.invariant);
        }
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name is there twice");
}

#[test]
fn a_capture_that_failed_late_and_was_reversed_and_told_is_right() {
    let mut story = clean();
    story.rows.exceptions.clear();
    story.order("SO-9", 100);
    story.transaction("TX-9", Some("SO-9"), 100, Trigger::Invoice);
    story.document("invoice", "R-9", Some("SO-9"), 100, None);
    let capture = story.capture("TX-9", Some(("invoice", "R-9")), 100);
    story.fail(&capture);
    silent(&story);
}

#[test]
fn a_refund_in_the_back_office_that_reopened_its_invoice_and_was_told_is_right() {
    let mut story = clean();
    let refund = story.outside("TX-1", EffectKind::Refund, 500, By::Person);
    let movement = story.movement("refund", "TX-1", &refund, 500);
    story.journal(movement, "reopening", "original", Some(("invoice", "R-1")), 500);
    story.tell("unasked_movement", Some("TX-1"), None);
    silent(&story);
}

#[test]
fn a_second_chargeback_is_told_beside_the_first_whatever_its_name() {
    let mut story = clean();
    let id = story.outside("TX-1", EffectKind::Chargeback, 500, By::Psp);
    let won = story.outside("TX-1", EffectKind::WonBack, 500, By::Psp);
    story.outside("TX-1", EffectKind::SecondChargeback, 500, By::Psp);
    story.record.effects.last_mut().unwrap().id.clone_from(&id);
    let second = format!("{id}/second_chargeback");
    for (kind, name) in [("chargeback", &id), ("chargeback_reversed", &won), ("chargeback", &second)] {
        let movement = story.movement(kind, "TX-1", name, 500);
        story.journal(movement, kind, "original", None, 500);
    }
    story.tell("chargeback", Some("TX-1"), None).subject = format!("chargeback {id} of payment TX-1");
    let names: Vec<&str> = found(&story).iter().map(|violation| violation.invariant).collect();
    assert_eq!(names, ["outside-fact-told"]);
    story.tell("chargeback", Some("TX-1"), None).subject = format!("chargeback {second} of payment TX-1");
    silent(&story);
}

#[test]
fn a_chargeback_that_was_booked_and_told_is_right() {
    let mut story = clean();
    let id = story.outside("TX-1", EffectKind::Chargeback, 500, By::Psp);
    let movement = story.movement("chargeback", "TX-1", &id, 500);
    story.journal(movement, "chargeback", "original", None, 500);
    story.tell("chargeback", Some("TX-1"), None).subject = format!("chargeback {id} of payment TX-1");
    silent(&story);
    // Nobody was told, and nothing is booked.
    story.rows.exceptions.clear();
    story.rows.movements.pop();
    let names: Vec<&str> = found(&story).iter().map(|violation| violation.invariant).collect();
    for name in ["fact-recorded", "outside-fact-told"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}

#[test]
fn money_collected_before_anybody_asked_goes_by_the_transactions_own_id() {
    let mut story = clean();
    story.order("SO-9", 100);
    story.transaction("TX-9", Some("SO-9"), 100, Trigger::Never);
    story.payment("TX-9").collected = true;
    story.outside("TX-9", EffectKind::Capture, 100, By::Psp);
    let movement = story.movement("capture", "TX-9", "TX-9", 100);
    story.journal(movement, "prepayment", "original", None, 100);
    story.end("TX-9", "SO-9", "captured", "paid");
    silent(&story);
}

#[test]
fn an_invoice_above_what_is_authorised_is_right_when_it_was_told() {
    let mut story = clean();
    story.order("SO-9", 150);
    story.transaction("TX-9", Some("SO-9"), 100, Trigger::Invoice);
    story.document("invoice", "R-9", Some("SO-9"), 150, None);
    story.tell("exceeds_authorised", None, Some(("invoice", "R-9")));
    silent(&story);
}

#[test]
fn a_part_that_may_not_be_captured_is_right_when_it_was_told() {
    let mut story = clean();
    story.order("SO-9", 150);
    story.transaction("TX-9", Some("SO-9"), 150, Trigger::Invoice);
    story.payment("TX-9").partial = Partial::Once;
    story.document("invoice", "R-9", Some("SO-9"), 100, None);
    story.tell("partial_capture_not_allowed", Some("TX-9"), Some(("invoice", "R-9")));
    silent(&story);
}

#[test]
fn a_refusal_after_a_capture_in_the_back_office_is_explained() {
    let mut story = clean();
    story.order("SO-9", 100);
    story.transaction("TX-9", Some("SO-9"), 100, Trigger::Invoice);
    let capture = story.outside("TX-9", EffectKind::Capture, 100, By::Person);
    let movement = story.movement("capture", "TX-9", &capture, 100);
    story.journal(movement, "prepayment", "original", None, 100);
    story.tell("unasked_movement", Some("TX-9"), None);
    let transaction = story.at("TX-9");
    let operation = story.operation("capture", "pj-capture-late");
    operation.transaction = Some("TX-9".to_owned());
    operation.state = "refused".to_owned();
    operation.amount = 100;
    let id = operation.id;
    story.tell("capture_refused", Some("TX-9"), None).operation = Some(id);
    let (kind, key) = (EffectKind::Capture, "pj-capture-late".to_owned());
    let code = "exceeds_authorised";
    story.record.refusals.push(Refused { transaction, kind, amount: 100, key, code, by_fault: false, at: day(6) });
    story.end("TX-9", "SO-9", "captured", "paid");
    silent(&story);
}

#[test]
fn a_capture_on_its_way_is_safe_at_any_moment() {
    for (state, effect) in [
        ("sent", EffectState::Accepted),
        ("unknown", EffectState::Confirmed),
        ("accepted", EffectState::Confirmed),
        ("given_up", EffectState::Confirmed),
    ] {
        let mut story = clean();
        story.order("SO-9", 100);
        story.transaction("TX-9", Some("SO-9"), 100, Trigger::Invoice);
        story.document("invoice", "R-9", Some("SO-9"), 100, None);
        story.effect("TX-9", EffectKind::Capture, Some(("invoice", "R-9")), 100);
        story.rows.operations.last_mut().unwrap().state = state.to_owned();
        story.record.effects.last_mut().unwrap().state = effect;
        let found = each_day(&story.record, &story.rows);
        assert!(found.is_empty(), "{state}: {found:#?}");
    }
}

#[test]
fn an_exception_of_any_kind_is_wrong_where_nothing_is() {
    for kind in ExceptionKind::ALL.map(ExceptionKind::as_str) {
        let document = if kind.contains("refund") { ("credit_note", "G-1") } else { ("invoice", "R-1") };
        for (transaction, document) in [(Some("TX-1"), None), (None, Some(document)), (Some("TX-1"), Some(document))] {
            let mut story = clean();
            story.tell(kind, transaction, document);
            let names: Vec<&str> = found(&story).iter().map(|violation| violation.invariant).collect();
            assert_eq!(names, ["exception-right"], "{kind} about {transaction:?} and {document:?}");
        }
    }
}
