//! For every invariant a way to break it, each made out of the clean story.

use chrono::Duration;

use crate::ledger::rows::InvoiceRow;
use crate::simulate::record::{
    By, Cancelled, Delivered, EffectKind, EffectState, Partial, Refused, ShopTerms, Told, Trigger,
};

use super::story::{Story, day};

pub(super) type Break = (&'static str, fn(&mut Story));

const R1: Option<(&str, &str)> = Some(("invoice", "R-1"));

/// The first of TX-1's effects and operations is its capture, the second its refund.
pub(super) const INTENTS: &[Break] = &[
    ("effect-once-per-target", |s| drop(s.capture("TX-1", R1, 1))),
    ("effect-once-per-key", |s| {
        let again = s.record.effects[0].clone();
        s.record.effects.push(again);
        s.record.effects.last_mut().unwrap().id = "E-again".to_owned();
    }),
    ("effect-has-intent", |s| s.rows.operations[0].key = "another".to_owned()),
    ("effect-as-intended", |s| s.rows.operations[0].amount = 9_999),
    ("effect-not-denied", |s| s.rows.operations[0].state = "withdrawn".to_owned()),
    ("refused-is-not-live", |s| s.rows.operations[0].state = "refused".to_owned()),
    ("confirmed-was-confirmed", |s| s.record.effects[0].state = EffectState::Accepted),
    ("confirmed-has-effect", |s| {
        let operation = s.operation("capture", "pj-capture-none");
        operation.transaction = Some("TX-1".to_owned());
    }),
    ("one-unanswered-per-payment", |s| {
        for key in ["one", "two"] {
            let operation = s.operation("capture", key);
            operation.transaction = Some("TX-1".to_owned());
            operation.state = "unknown".to_owned();
        }
    }),
    ("key-format", |s| s.rows.journals[0].number = "pj_1".to_owned()),
    ("captures-within-authorised", |s| s.payment("TX-1").authorised = 9_999),
    ("intents-within-authorised", |s| {
        let operation = s.operation("capture", "one");
        operation.transaction = Some("TX-1".to_owned());
        operation.state = "planned".to_owned();
        operation.amount = 1;
    }),
    ("refunds-within-captures", |s| drop(s.refund("TX-1", "G-1", 7_001))),
    ("intents-within-captured", |s| {
        let operation = s.operation("refund", "one");
        operation.transaction = Some("TX-1".to_owned());
        operation.state = "planned".to_owned();
        operation.amount = 7_001;
    }),
    ("document-within-total", |s| s.posted("R-1").total = 9_999),
];

pub(super) const CAPTURES: &[Break] = &[
    ("capture-for-own-order", |s| s.posted("R-1").order = Some("SO-2".to_owned())),
    ("document-known-first", |s| s.posted("R-1").told_at = Some(day(9))),
    ("capture-by-trigger", |s| s.payment("TX-1").trigger = Trigger::Never),
    ("capture-not-too-early", |s| s.payment("TX-3").trigger = Trigger::Authorisation { days: 5 }),
    ("on-account-not-captured", |s| s.shop_order("SO-1").terms = ShopTerms::OnAccount),
    ("no-capture-for-cancelled-invoice", |s| {
        let number = "R-1".to_owned();
        s.rows.invoices.push(InvoiceRow { number, ..s.rows.invoices[0].clone() });
        if let By::Payjournal(asked) = &mut s.record.effects[0].by {
            asked.told_order = Some(Told { total: 10_000, cancelled: Cancelled::Full });
        }
    }),
    ("partial-capture-allowed", |s| s.payment("TX-2").partial = Partial::No),
    ("partial-loses-nothing", |s| {
        s.payment("TX-2").partial = Partial::Once;
        s.document("invoice", "R-2b", Some("SO-2"), 3_000, None);
    }),
    ("capture-within-told-outstanding", |s| {
        if let By::Payjournal(asked) = &mut s.record.effects[0].by {
            asked.told_outstanding = Some(9_999);
        }
    }),
    ("invoice-not-captured-again", |s| {
        let refund = s.outside("TX-1", EffectKind::Refund, 7_000, By::Person);
        let movement = s.movement("refund", "TX-1", &refund, 7_000);
        s.journal(movement, "reopening", "original", R1, 7_000);
        s.transaction("TX-9", Some("SO-1"), 10_000, Trigger::Invoice);
        s.capture("TX-9", R1, 7_000);
    }),
    ("prepaid-tied-first", |s| {
        s.order("SO-9", 4_000);
        s.transaction("TX-8", Some("SO-9"), 4_000, Trigger::Authorisation { days: 0 });
        s.capture("TX-8", None, 4_000);
        s.rows.movements.last_mut().unwrap().learnt_at = "2000-01-01T00:00:00Z".to_owned();
        s.transaction("TX-9", Some("SO-9"), 4_000, Trigger::Invoice);
        s.document("invoice", "R-9", Some("SO-9"), 4_000, None);
        s.capture("TX-9", Some(("invoice", "R-9")), 4_000);
    }),
    ("invoice-payment-within-lacking", INVOICE_PAID_TWICE),
    ("order-collected-once", |s| {
        s.order("SO-9", 4_000);
        for transaction in ["TX-8", "TX-9"] {
            s.transaction(transaction, Some("SO-9"), 4_000, Trigger::Authorisation { days: 0 });
            s.capture(transaction, None, 4_000);
        }
    }),
    ("invoice-payment-within-lacking", |s| {
        s.document("invoice", "R-9", None, 100, None);
        for id in ["TX-8", "TX-9"] {
            s.transaction(id, None, 100, Trigger::Invoice);
            s.payment(id).pays = vec!["R-9".to_owned()];
            s.capture(id, None, 100);
        }
    }),
    ("invoice-left-to-its-payer", |s| {
        s.order("SO-9", 100);
        s.document("invoice", "R-9", Some("SO-9"), 100, None);
        s.transaction("TX-8", None, 100, Trigger::Invoice);
        s.payment("TX-8").pays = vec!["R-9".to_owned()];
        s.capture("TX-8", None, 100);
        s.transaction("TX-9", Some("SO-9"), 100, Trigger::Invoice);
        s.capture("TX-9", Some(("invoice", "R-9")), 100);
    }),
    ("no-capture-after-release", |s| {
        s.document("invoice", "R-2b", Some("SO-2"), 100, None);
        s.capture("TX-2", Some(("invoice", "R-2b")), 100);
    }),
];

const INVOICE_PAID_TWICE: fn(&mut Story) = |s| {
    s.transaction("TX-9", None, 10_000, Trigger::Invoice);
    s.payment("TX-9").pays = vec!["R-1".to_owned()];
    s.capture("TX-9", None, 10_000);
};

pub(super) const BACK: &[Break] = &[
    ("refund-for-credit-note", |s| s.posted("G-1").references = None),
    ("refund-within-told-open", |s| {
        if let By::Payjournal(asked) = &mut s.record.effects[1].by {
            asked.told_outstanding = None;
        }
    }),
    ("refund-to-payer", |s| {
        s.posted("G-1").total = 5_000;
        s.refund("TX-2", "G-1", 2_000);
    }),
    ("refund-oldest-first", |s| {
        s.order("SO-9", 3_000);
        s.document("invoice", "R-9", Some("SO-9"), 3_000, None);
        for (transaction, amount) in [("TX-8", 1_000), ("TX-9", 2_000)] {
            s.transaction(transaction, Some("SO-9"), amount, Trigger::Invoice);
            s.capture(transaction, Some(("invoice", "R-9")), amount);
        }
        s.record.effects.last_mut().unwrap().confirmed_at = Some(day(5) + Duration::hours(1));
        s.document("credit_note", "G-9", Some("SO-9"), 500, Some("R-9"));
        s.refund("TX-9", "G-9", 500);
    }),
    ("refund-allowed", |s| s.payment("TX-1").refundable = false),
    ("outside-refund-waits", |s| {
        s.outside("TX-1", EffectKind::Refund, 100, By::Person);
        let mut last = s.record.effects.pop().unwrap();
        last.at = day(3);
        s.record.effects.insert(0, last);
    }),
    ("disputed-is-charged-back", |s| {
        let id = s.outside("TX-1", EffectKind::WonBack, 100, By::Psp);
        let movement = s.movement("chargeback_reversed", "TX-1", &id, 100);
        s.journal(movement, "chargeback", "original", None, 100);
    }),
    ("charged-back-is-held", |s| {
        let id = s.outside("TX-1", EffectKind::Chargeback, 100, By::Psp);
        s.movement("chargeback", "TX-1", &id, 100);
        s.rows.movements.last_mut().unwrap().learnt_at = day(3).to_rfc3339();
    }),
    ("release-after-captures", |s| {
        let release = s.record.effects.iter_mut().find(|row| row.kind == EffectKind::Release).unwrap();
        if let By::Payjournal(asked) = &mut release.by {
            asked.unsettled_captures = 1;
        }
    }),
    ("release-with-cause", |s| {
        s.order("SO-9", 100);
        s.transaction("TX-9", Some("SO-9"), 100, Trigger::Invoice);
        s.release("TX-9", 100);
    }),
    ("release-within-left", |s| s.payment("TX-2").authorised = 4_999),
    ("release-keeps-needed", |s| s.document("invoice", "R-2b", Some("SO-2"), 100, None)),
    ("no-oddities", |s| s.record.oddities.push("the same key for something else".to_owned())),
    ("refusal-explained", |s| s.record.refusals.push(refused("pj-capture-E-1", "exceeds_authorised"))),
    ("refusal-has-intent", |s| s.record.refusals.push(refused("another", "made up"))),
    ("no-call-past-deadline", |s| {
        s.payment("TX-1").capture_before = Some(day(2));
        s.record.refusals.push(refused("pj-capture-E-1", "authorisation_expired"));
    }),
];

fn refused(key: &str, code: &'static str) -> Refused {
    let kind = EffectKind::Capture;
    Refused { transaction: 0, kind, amount: 1, key: key.to_owned(), code, by_fault: false, at: day(5) }
}

pub(super) const BOOKS: &[Break] = &[
    ("movement-happened", |s| s.rows.movements[0].amount = 9_999),
    ("failure-happened", |s| _ = s.movement("capture_failure", "TX-1", "E-1", 10_000)),
    ("movement-once", |s| {
        let again = s.rows.movements[0].clone();
        s.rows.movements.push(again);
    }),
    ("movements-within-happened", |s| {
        s.payment("TX-1").collected = true;
        s.movement("capture", "TX-1", "TX-1", 10_000);
    }),
    ("movement-of-its-operation", |s| s.rows.movements[0].operation = Some(2)),
    ("journal-sums-to-zero", |s| s.rows.journals[0].postings[0].1 = 9_999),
    ("postings-by-kind", |s| s.rows.journals[0].postings[1].0 = "Liabilities:Prepayments:C1".to_owned()),
    ("movement-booked-whole", |s| drop(s.rows.journals.remove(0))),
    ("failure-reversed-whole", |s| {
        s.fail("E-1");
        s.rows.journals.pop();
    }),
    ("journal-for-right-document", |s| s.rows.journals[0].document = Some(("invoice".to_owned(), "R-2".to_owned()))),
    ("prepayment-used-once", |s| {
        let id = s.outside("TX-3", EffectKind::Refund, 500, By::Person);
        let movement = s.movement("refund", "TX-3", &id, 500);
        s.journal(movement, "unapplied_refund", "original", None, 500);
    }),
    ("prepayment-where-it-came", |s| {
        let prepayment = s.rows.journals.iter_mut().find(|journal| journal.kind == "prepayment").unwrap();
        prepayment.postings[1].0 = "Liabilities:Prepayments:Others".to_owned();
    }),
    ("clearing-is-the-movements", |s| s.rows.journals[0].postings[0].0 = "Assets:Bank".to_owned()),
    ("document-not-overpaid", |s| s.posted("R-3").total = 3_999),
];

pub(super) const TOLD: &[Break] = &[
    ("line-once", |s| {
        let again = s.record.lines[0].clone();
        s.record.lines.push(again);
    }),
    ("line-is-its-journal", |s| s.record.lines[0].amount = 9_999),
    ("line-after-its-original", |s| {
        let place = s.record.lines.iter().position(|line| line.kind == "prepayment").unwrap();
        let prepayment = s.record.lines.remove(place);
        s.record.lines.push(prepayment);
    }),
    ("line-was-intended", |s| s.rows.operations.retain(|row| row.journal.as_deref() != Some("PJ-1"))),
    ("line-as-believed", |s| drop(s.record.lines.remove(0))),
    ("mail-was-written", |s| {
        let key = "strange".to_owned();
        s.record.letters.push(Delivered { key, subject: String::new(), body: String::new(), at: day(6) });
    }),
    ("mail-once", |s| {
        let again = s.record.letters[0].clone();
        s.record.letters.push(again);
    }),
    ("mail-is-true", |s| s.record.effects[0].state = EffectState::Accepted),
    ("mail-as-believed", |s| drop(s.record.letters.remove(0))),
];

pub(super) const FACTS: &[Break] = &[
    ("nothing-under-way", |s| {
        let operation = s.operation("capture", "one");
        operation.transaction = Some("TX-1".to_owned());
        operation.state = "unknown".to_owned();
    }),
    ("refusal-told", |s| {
        let operation = s.operation("capture", "one");
        operation.transaction = Some("TX-1".to_owned());
        operation.state = "refused".to_owned();
    }),
    ("fact-recorded", |s| drop(s.outside("TX-1", EffectKind::Refund, 100, By::Person))),
    ("outcome-recorded", |s| s.rows.operations[0].state = "accepted".to_owned()),
    ("outside-fact-told", |s| drop(s.outside("TX-1", EffectKind::Refund, 100, By::Person))),
    ("mail-written", |s| drop(s.rows.mails.remove(0))),
    ("journal-delivered", |s| s.record.lines[0].draft = true),
    ("mail-delivered", |s| drop(s.record.letters.remove(0))),
    ("standing-known", |s| s.payment("TX-1").status = "authorised"),
    ("other-amount-told", |s| s.record.effects[0].amount = 9_999),
    ("clearing-is-the-psps", |s| {
        s.record.effects[0].amount = 9_999;
        if let By::Payjournal(asked) = &mut s.record.effects[0].by {
            asked.amount = 9_999;
        }
    }),
    ("told-is-known", |s| drop(s.rows.documents.remove(0))),
];

pub(super) const MONEY: &[Break] = &[
    ("document-paid-or-told", |s| {
        s.order("SO-9", 100);
        s.transaction("TX-9", Some("SO-9"), 100, Trigger::Shipment);
        s.document("shipment", "L-9", Some("SO-9"), 100, None);
    }),
    ("document-paid-or-told", |s| {
        s.document("invoice", "R-1b", Some("SO-1"), 100, None);
    }),
    ("prepaid-is-tied", |s| {
        s.order("SO-9", 100);
        s.transaction("TX-9", Some("SO-9"), 100, Trigger::Authorisation { days: 0 });
        s.capture("TX-9", None, 100);
        s.document("invoice", "R-9", Some("SO-9"), 100, None);
    }),
    ("credit-note-refunded-or-told", |s| s.document("credit_note", "G-9", Some("SO-1"), 100, Some("R-1"))),
    ("authorisation-captured-or-told", |s| {
        s.order("SO-9", 100);
        s.transaction("TX-9", Some("SO-9"), 100, Trigger::Authorisation { days: 0 });
    }),
    ("rest-released-or-told", |s| {
        s.order("SO-9", 100);
        s.transaction("TX-9", Some("SO-9"), 100, Trigger::Invoice);
        s.cancel("SO-9", Cancelled::Full);
    }),
    ("untied-money-told", |s| {
        s.order("SO-9", 100);
        s.transaction("TX-9", Some("SO-9"), 100, Trigger::Authorisation { days: 0 });
        s.capture("TX-9", None, 100);
        s.cancel("SO-9", Cancelled::Full);
    }),
    ("order-status", |s| s.end("TX-1", "SO-1", "captured", "in_progress")),
    ("exception-right", |s| _ = s.tell("exceeds_authorised", Some("TX-1"), R1)),
];

pub(super) const PAYOUTS: &[Break] = &[
    ("line-as-reported", |s| s.rows.lines[0].net += 1),
    ("settlement-line-once", |s| {
        let again = s.rows.lines[0].clone();
        s.rows.lines.push(again);
    }),
    ("payout-closed-adds-up", |s| drop(s.rows.lines.pop())),
    ("payout-booked", |s| s.rows.payouts[0].clearing[0].1 += 1),
    ("order-settled", |s| s.rows.settled[0].sold *= 2),
    ("payout-known", |s| s.rows.payouts[0].state = "remainder".to_owned()),
];
