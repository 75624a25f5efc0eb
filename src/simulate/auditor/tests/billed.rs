//! An order that payjournal has billed by its entry, and every way to break that.

use crate::ledger::rows::{EntryRow, InvoiceRow};
use crate::simulate::record::{By, Cancelled, Claim, EffectKind, IsFor, Sale, SaleKey, Trigger};

use super::story::{Story, clean, day};
use super::violations::Break;
use super::{found, silent};

const INVOICE: &str = "2026-00001";

impl Story {
    /// 119.00 with a fifth of tax less a bit, paid before by the customer of the entry with its key.
    pub(super) fn billed(&mut self) {
        self.order("BO-1", 11_900);
        self.record.sales.push(Sale {
            order: "BO-1".to_owned(),
            customer: "C1".to_owned(),
            email: true,
            lines: vec![(11_900, 19)],
            key: SaleKey::Entry("K-1".to_owned()),
            told_at: Some(day(1)),
        });
        self.record.claims.push(claim("E-1"));
        self.record.bills_paid_only = true;
        self.transaction("TX-B", Some("BO-1"), 11_900, Trigger::Never);
        self.payment("TX-B").is_for = IsFor::Entry("E-1".to_owned());
        let capture = self.outside("TX-B", EffectKind::Capture, 11_900, By::Psp);
        let movement = self.movement("capture", "TX-B", &capture, 11_900);
        self.journal(movement, "prepayment", "original", None, 11_900);
        self.journal(movement, "application", "original", Some(("invoice", INVOICE)), 11_900);
        self.end("TX-B", "BO-1", "captured", "paid");
        let account = |name: &str, minor: i64| (name.to_owned(), minor);
        self.rows.invoices.push(InvoiceRow {
            number: INVOICE.to_owned(),
            order: "BO-1".to_owned(),
            customer: "C1".to_owned(),
            currency: "EUR".to_owned(),
            total: 11_900,
            finalised_at: day(5).to_rfc3339(),
            lines: vec![("19".to_owned(), 10_000, 1_900)],
            postings: vec![
                account("Assets:Receivables:C1", 11_900),
                account("Income:Sales:19", -10_000),
                account("Liabilities:OutputTax:19", -1_900),
            ],
            mail: Some("invoice:BO-1".to_owned()),
        });
        self.mail("invoice:BO-1", &format!("Invoice: {INVOICE}"));
        self.rows.entries.push(EntryRow {
            reference: Some("E-1".to_owned()),
            initial: 11_900,
            reduction: 0,
            assigned: 11_900,
            status: "balanced".to_owned(),
            invoice: Some(INVOICE.to_owned()),
            assignments: vec![("TX-B".to_owned(), 11_900)],
        });
    }

    /// As if nothing had been billed yet.
    fn unbilled(&mut self) {
        self.rows.invoices.retain(|row| row.number != INVOICE);
        self.rows.entries[0].invoice = None;
        self.rows.journals.retain(|row| row.document.as_ref().is_none_or(|(_, number)| number != INVOICE));
        self.record.lines.retain(|row| row.document.as_ref().is_none_or(|(_, number)| number != INVOICE));
        self.rows.operations.retain(|row| row.document.as_ref().is_none_or(|(_, number)| number != INVOICE));
    }
}

fn claim(reference: &str) -> Claim {
    Claim {
        reference: reference.to_owned(),
        key: "K-1".to_owned(),
        customer: "C1".to_owned(),
        currency: "EUR",
        amount: 11_900,
        cancelled: false,
        told_at: Some(day(1)),
        cancelled_at: None,
        kept_at: None,
    }
}

pub(super) const INVOICES: &[Break] = &[
    ("billed-once", |s| {
        let mut again = s.rows.invoices[0].clone();
        again.number = "2026-00002".to_owned();
        s.rows.invoices.push(again);
    }),
    ("invoice-number-once", |s| {
        let again = s.rows.invoices[0].clone();
        s.rows.invoices.push(again);
    }),
    ("invoice-as-sold", |s| s.rows.invoices[0].customer = "C2".to_owned()),
    ("invoice-as-sold", |s| s.rows.invoices[0].lines[0] = ("7".to_owned(), 11_121, 779)),
    ("invoice-booked", |s| s.rows.invoices[0].postings[1].1 += 1),
    ("billed-when-allowed", |s| s.record.claims[0].customer = "C2".to_owned()),
    ("billed-when-allowed", |s| s.record.claims.push(claim("E-2"))),
    ("billed-when-allowed", |s| s.record.claims[0].cancelled_at = Some(day(2))),
    ("entry-kept-for-its-invoice", |s| {
        s.unbilled();
        s.record.claims[0].kept_at = Some(day(2));
    }),
    ("billed-when-allowed", |s| s.cancel("BO-1", Cancelled::Full)),
    ("billed-when-allowed", |s| {
        s.rows.journals.retain(|row| {
            row.kind != "application" || row.document.as_ref().is_none_or(|(_, number)| number != INVOICE)
        });
    }),
    ("billed-when-allowed", |s| {
        let rival = Sale { order: "BO-2".to_owned(), ..s.record.sales[0].clone() };
        s.record.sales.push(rival);
    }),
    ("invoice-mailed-once", |s| s.mail("invoice:BO-1:again", &format!("Invoice: {INVOICE}"))),
    ("entry-has-its-money", |s| s.rows.entries[0].assigned = 11_800),
    ("entry-has-its-money", |s| s.payment("TX-B").is_for = IsFor::Entry("E-9".to_owned())),
    ("document-not-overpaid", |s| {
        let movement = s.rows.movements.last().unwrap().id;
        s.journal(movement, "application", "original", Some(("invoice", INVOICE)), 1);
    }),
    ("free-balance-is-free", |s| {
        let bought = Sale { order: "BO-2".to_owned(), key: SaleKey::Neither, ..s.record.sales[0].clone() };
        s.record.sales.push(bought);
        s.order("BO-2", 11_900);
        s.transaction("TX-2", Some("BO-2"), 11_900, Trigger::Never);
        let capture = s.outside("TX-2", EffectKind::Capture, 11_900, By::Psp);
        let movement = s.movement("capture", "TX-2", &capture, 11_900);
        s.journal(movement, "prepayment", "original", None, 11_900);
        s.journal(movement, "application", "original", Some(("invoice", INVOICE)), 1);
    }),
    ("billed-or-told", Story::unbilled),
    ("billed-or-told", |s| {
        s.unbilled();
        s.record.claims[0].amount += 7;
    }),
    ("invoice-mailed", |s| s.rows.invoices[0].mail = None),
    ("invoice-mailed", |s| s.record.sales[0].email = false),
    ("entry-assigned", |s| {
        s.rows.entries[0].assigned = 11_000;
        s.rows.entries[0].assignments[0].1 = 11_000;
        s.rows.entries[0].status = "open".to_owned();
    }),
    ("entry-pays-its-invoice", |s| {
        s.rows.journals.retain(|row| row.document.as_ref().is_none_or(|(_, number)| number != INVOICE));
    }),
    ("exception-right", |s| s.tell("key_mismatch", None, None).order = Some("BO-1".to_owned())),
    ("exception-right", |s| s.tell("key_collides", None, None).order = Some("BO-1".to_owned())),
    ("exception-right", |s| s.tell("invoice_not_sent", None, None).order = Some("BO-1".to_owned())),
];

#[test]
fn an_entry_that_does_not_fit_keeps_the_bill_back_and_is_told() {
    let mut story = clean();
    story.unbilled();
    story.record.claims[0].customer = "C2".to_owned();
    story.tell("key_mismatch", None, None).order = Some("BO-1".to_owned());
    silent(&story);
}

#[test]
fn what_is_not_paid_waits_and_a_second_order_of_the_key_is_told() {
    let mut story = clean();
    let rival = Sale { order: "SO-1".to_owned(), customer: "E1".to_owned(), ..story.record.sales[0].clone() };
    // It came long after the invoice.
    story.record.sales.push(Sale { told_at: Some(day(30)), ..rival });
    let mut names: Vec<&str> = found(&story).iter().map(|violation| violation.invariant).collect();
    // The ERP bills its other orders: of those no account is whole.
    names.retain(|name| *name != "customer-account");
    assert_eq!(names, ["billed-or-told"]);
    story.tell("key_collides", None, None).order = Some("SO-1".to_owned());
    let names: Vec<&str> = found(&story).iter().map(|violation| violation.invariant).collect();
    assert_eq!(names, ["customer-account"]);
}
