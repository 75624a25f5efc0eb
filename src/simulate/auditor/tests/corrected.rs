//! Invoices that persons have taken back, and every way to do that wrong.

use crate::ledger::rows::{CorrectionRow, EntryRow, InvoiceRow, RequestRow};
use crate::simulate::record::{Act, By, Correction, EffectKind, IsFor, Sale, SaleKey, Trigger};

use super::story::{Story, clean, day, owned};
use super::violations::Break;
use super::{found, silent};

const FIRST: &str = "2026-00010";
const SECOND: &str = "2026-00011";
const CREDITED: &str = "2026-00012";
const CANCELLATION: &str = "C-1";
const NOTE: &str = "G-10";
const REQUEST: &str = "RB-1";

fn account(name: &str, minor: i64) -> (String, i64) {
    (name.to_owned(), minor)
}

/// 119.00 with a fifth of tax less a bit, against the customer's receivables; `sign` turns it round.
fn postings(sign: i64) -> Vec<(String, i64)> {
    vec![
        account("Assets:Receivables:C1", 11_900 * sign),
        account("Income:Sales:19", -10_000 * sign),
        account("Liabilities:OutputTax:19", -1_900 * sign),
    ]
}

impl Story {
    /// An order billed, cancelled and billed again; one with a credit note over all of its only line, paid back; and free money
    /// paid back on request.
    pub(super) fn corrected(&mut self) {
        self.sold("BO-3", "TX-P", 12_900);
        self.bill("BO-3", FIRST, 5);
        let capture = self.rows.movements.last().unwrap().id;
        self.journal(capture, "application", "original", Some(("invoice", FIRST)), 11_900);
        self.correct("cancellation", CANCELLATION, FIRST, "BO-3", Act::Cancels);
        self.journal(capture, "return", "original", Some(("cancellation", CANCELLATION)), 11_900);
        self.bill("BO-3", SECOND, 5);
        self.journal(capture, "application", "original", Some(("invoice", SECOND)), 11_900);
        self.entry(Some(FIRST), "cancelled", Vec::new());
        self.entry(Some(SECOND), "balanced", vec![("TX-P".to_owned(), 11_900)]);
        self.request();

        self.sold("BO-4", "TX-Q", 11_900);
        self.bill("BO-4", CREDITED, 5);
        let capture = self.rows.movements.last().unwrap().id;
        self.journal(capture, "application", "original", Some(("invoice", CREDITED)), 11_900);
        self.correct("credit_note", NOTE, CREDITED, "BO-4", Act::Credits(Vec::new()));
        self.refund("TX-Q", NOTE, 11_900);
        self.entry(Some(CREDITED), "balanced", vec![("TX-Q".to_owned(), 11_900)]);
    }

    /// An order over 119.00 whose customer paid at once.
    fn sold(&mut self, order: &str, transaction: &str, paid: i64) {
        self.order(order, 11_900);
        self.record.sales.push(Sale {
            order: order.to_owned(),
            customer: "C1".to_owned(),
            email: true,
            lines: vec![(11_900, 19)],
            key: SaleKey::Neither,
            told_at: Some(day(1)),
        });
        self.transaction(transaction, Some(order), paid, Trigger::Never);
        self.payment(transaction).is_for = IsFor::Order;
        let capture = self.outside(transaction, EffectKind::Capture, paid, By::Psp);
        let movement = self.movement("capture", transaction, &capture, paid);
        self.journal(movement, "prepayment", "original", None, paid);
        self.end(transaction, order, "captured", "paid");
    }

    fn bill(&mut self, order: &str, number: &str, on: i64) {
        let event = format!("invoice:{number}");
        self.rows.invoices.push(InvoiceRow {
            number: number.to_owned(),
            order: order.to_owned(),
            customer: "C1".to_owned(),
            currency: "EUR".to_owned(),
            total: 11_900,
            finalised_at: day(on).to_rfc3339(),
            lines: vec![("19".to_owned(), 10_000, 1_900)],
            postings: postings(1),
            mail: Some(event.clone()),
        });
        self.mail(&event, &format!("Invoice: {number}"));
    }

    fn entry(&mut self, invoice: Option<&str>, status: &str, assignments: Vec<(String, i64)>) {
        self.rows.entries.push(EntryRow {
            reference: None,
            initial: 11_900,
            reduction: 0,
            assigned: assignments.iter().map(|(_, minor)| minor).sum(),
            status: status.to_owned(),
            invoice: invoice.map(str::to_owned),
            assignments,
        });
    }

    fn correct(&mut self, kind: &str, number: &str, invoice: &str, order: &str, act: Act) {
        let event = format!("correction:{number}");
        self.rows.corrections.push(CorrectionRow {
            kind: kind.to_owned(),
            number: number.to_owned(),
            invoice: invoice.to_owned(),
            order: order.to_owned(),
            customer: "C1".to_owned(),
            currency: "EUR".to_owned(),
            total: 11_900,
            made_at: day(5).to_rfc3339(),
            lines: vec![(1, 10_000, 1_900)],
            postings: postings(-1),
            mail: Some(event.clone()),
        });
        self.mail(&event, &format!("Taken back: {number}"));
        self.act(act, number, invoice);
    }

    fn act(&mut self, act: Act, number: &str, of: &str) {
        self.record.corrections.push(Correction { act, number: number.to_owned(), of: of.to_owned(), at: day(4) });
    }

    /// What the first of them was paid too much goes back.
    fn request(&mut self) {
        self.rows.requests.push(RequestRow {
            number: REQUEST.to_owned(),
            transaction: "TX-P".to_owned(),
            currency: "EUR".to_owned(),
            total: 1_000,
            withdrawn: 0,
            asked_at: day(4).to_rfc3339(),
        });
        self.act(Act::Requests(None), REQUEST, "TX-P");
        let id = self.effect("TX-P", EffectKind::Refund, Some(("refund_request", REQUEST)), 1_000);
        let movement = self.movement("refund", "TX-P", &id, 1_000);
        self.journal(movement, "unapplied_refund", "original", None, 1_000);
        self.mail(&format!("refunded:pj-refund-{id}"), "Payment TX-P refunded");
    }

    fn correction(&mut self, number: &str) -> &mut CorrectionRow {
        self.rows.corrections.iter_mut().find(|row| row.number == number).unwrap()
    }

    /// Payjournal pays back, or takes, of what is the document's.
    fn moves(&mut self, transaction: &str, kind: EffectKind, document: (&str, &str), amount: i64) {
        self.effect(transaction, kind, Some(document), amount);
        let effect = self.record.effects.last_mut().unwrap();
        effect.at = day(20);
    }

    /// As if the refund had never been made.
    fn without_refund_of(&mut self, document: (&str, &str)) {
        let named = owned(Some(document));
        let of_it = |by: &By| match by {
            By::Payjournal(asked) => asked.document == named,
            By::Person | By::Psp => false,
        };
        self.record.effects.retain(|effect| !of_it(&effect.by));
        self.rows.operations.retain(|row| row.document != named);
    }
}

pub(super) const CORRECTIONS: &[Break] = &[
    ("correction-as-asked", |s| s.record.corrections.retain(|act| act.number != CANCELLATION)),
    ("correction-as-asked", |s| s.rows.corrections.retain(|row| row.number != NOTE)),
    ("correction-as-asked", |s| s.record.corrections.retain(|act| act.number != REQUEST)),
    ("correction-as-asked", |s| s.rows.requests[0].withdrawn = 5),
    ("correction-as-asked", |s| {
        let note = s.record.corrections.iter_mut().find(|act| act.number == NOTE).unwrap();
        note.act = Act::Credits(vec![(1, Some(50))]);
    }),
    ("correction-number-once", |s| {
        let again = s.correction(NOTE).clone();
        s.rows.corrections.push(again);
    }),
    ("correction-is-opposite", |s| s.correction(CANCELLATION).postings[1].1 += 1),
    ("correction-is-opposite", |s| s.correction(NOTE).customer = "C2".to_owned()),
    ("credit-within-line", |s| {
        let again = CorrectionRow { number: "G-11".to_owned(), ..s.correction(NOTE).clone() };
        s.rows.corrections.push(again);
    }),
    ("cancelled-once", |s| {
        let again = CorrectionRow { number: "C-2".to_owned(), ..s.correction(CANCELLATION).clone() };
        s.rows.corrections.push(again);
    }),
    ("cancelled-once", |s| {
        let beside = CorrectionRow {
            kind: "credit_note".to_owned(),
            number: "G-12".to_owned(),
            ..s.correction(CANCELLATION).clone()
        };
        s.rows.corrections.push(beside);
    }),
    ("cancelled-gives-back", |s| s.rows.journals.retain(|row| row.kind != "return")),
    ("cancelled-gives-back", |s| s.rows.journals.iter_mut().find(|row| row.kind == "return").unwrap().amount -= 1),
    ("note-clears-its-invoice", |s| {
        let paid = s.rows.journals.iter().position(|row| row.document == owned(Some(("invoice", CREDITED)))).unwrap();
        s.rows.journals[paid].amount -= 100;
    }),
    ("cancelled-entry-is-over", |s| {
        let entry = s.rows.entries.iter_mut().find(|row| row.invoice.as_deref() == Some(FIRST)).unwrap();
        entry.status = "open".to_owned();
    }),
    ("cancelled-not-captured", |s| s.moves("TX-P", EffectKind::Capture, ("invoice", FIRST), 1)),
    ("cancellation-not-refunded", |s| s.moves("TX-P", EffectKind::Refund, ("cancellation", CANCELLATION), 1)),
    ("request-within-free", |s| {
        s.rows.requests[0].total = 1_001;
        s.record.corrections.iter_mut().find(|act| act.number == REQUEST).unwrap().act = Act::Requests(Some(1_001));
    }),
    ("refund-as-requested", |s| s.moves("TX-Q", EffectKind::Refund, ("refund_request", REQUEST), 1)),
    ("refund-as-requested", |s| s.payment("TX-P").refundable = false),
    ("document-within-total", |s| s.moves("TX-P", EffectKind::Refund, ("refund_request", REQUEST), 1)),
    ("document-within-total", |s| s.moves("TX-Q", EffectKind::Refund, ("credit_note", NOTE), 1)),
    ("request-refunded-or-told", |s| s.without_refund_of(("refund_request", REQUEST))),
    ("credit-note-refunded-or-told", |s| {
        s.without_refund_of(("credit_note", NOTE));
        s.rows.journals.retain(|row| row.document != owned(Some(("credit_note", NOTE))));
    }),
    ("correction-mailed", |s| s.correction(CANCELLATION).mail = None),
    ("customer-account", |s| {
        let journal = s.rows.journals.iter_mut().find(|row| row.kind == "return").unwrap();
        journal.postings[0].0 = "Assets:Receivables:C2".to_owned();
    }),
    ("customer-account", |s| s.rows.invoices[0].postings[0].1 += 1),
    ("billed-once", |s| s.rows.corrections.retain(|row| row.number != CANCELLATION)),
    ("billed-or-told", |s| s.rows.invoices.retain(|row| row.number != SECOND)),
];

#[test]
fn what_is_credited_in_parts_comes_to_the_line() {
    let mut story = clean();
    let all = story.correction(NOTE).clone();
    let part = |number: &str, lines: (i64, i64)| CorrectionRow {
        number: number.to_owned(),
        total: lines.0 + lines.1,
        lines: vec![(1, lines.0, lines.1)],
        postings: vec![
            account("Assets:Receivables:C1", -lines.0 - lines.1),
            account("Income:Sales:19", lines.0),
            account("Liabilities:OutputTax:19", lines.1),
        ],
        ..all.clone()
    };
    story.without_refund_of(("credit_note", NOTE));
    story.rows.corrections.retain(|row| row.number != NOTE);
    story.record.corrections.retain(|act| act.number != NOTE);
    for (number, lines, part_of) in [("G-21", (2_500, 475), Some(25)), ("G-22", (7_500, 1_425), None)] {
        story.rows.corrections.push(part(number, lines));
        story.act(Act::Credits(vec![(1, part_of)]), number, CREDITED);
    }
    let mut names: Vec<&str> = found(&story).iter().map(|violation| violation.invariant).collect();
    names.retain(|name| name.starts_with("correction") || name.starts_with("credit-within"));
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn what_is_paid_back_on_request_may_wait_for_a_person() {
    let mut story = clean();
    story.without_refund_of(("refund_request", REQUEST));
    story.rows.movements.retain(|row| row.kind != "refund" || row.transaction != "TX-P");
    story.rows.journals.retain(|row| row.kind != "unapplied_refund" || row.amount != 1_000);
    story.rows.mails.retain(|row| row.subject != "Payment TX-P refunded");
    story.tell("outside_refund", Some("TX-P"), Some(("refund_request", REQUEST)));
    let names: Vec<&str> = found(&story).iter().map(|violation| violation.invariant).collect();
    assert!(!names.contains(&"request-refunded-or-told"), "{names:?}");
}

#[test]
fn what_is_taken_back_as_it_should_is_right() {
    silent(&clean());
}
