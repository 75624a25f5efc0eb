//! An invoice that was paid on the page its mail brought, and every way to break that.

use crate::ledger::rows::{EntryRow, InvoiceRow};
use crate::simulate::record::{By, Closing, EffectKind, IsFor, Page, Sale, SaleKey, Trigger};

use super::silent;
use super::story::{Story, clean, day};
use super::violations::Break;

const INVOICE: &str = "2026-00009";
const URL: &str = "https://psp.example/TX-L/pay";

impl Story {
    /// 119.00 with a fifth of tax less a bit, of which nothing was paid when it was billed.
    pub(super) fn paged(&mut self) {
        self.order("PO-1", 11_900);
        self.record.sales.push(Sale {
            order: "PO-1".to_owned(),
            customer: "C1".to_owned(),
            email: true,
            lines: vec![(11_900, 19)],
            key: SaleKey::Neither,
            told_at: Some(day(1)),
        });
        let account = |name: &str, minor: i64| (name.to_owned(), minor);
        self.rows.invoices.push(InvoiceRow {
            number: INVOICE.to_owned(),
            order: "PO-1".to_owned(),
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
            mail: Some("invoice:PO-1".to_owned()),
        });
        self.mail("invoice:PO-1", &format!("Invoice: {INVOICE}"));
        self.rows.mails.last_mut().unwrap().body = format!("pay it on {URL}");
        self.record.letters.last_mut().unwrap().body = format!("pay it on {URL}");
        self.page("TX-L", URL);
        self.paid_on("TX-L");
        self.end("TX-L", "PO-1", "captured", "paid");
        self.rows.entries.push(EntryRow {
            reference: Some(INVOICE.to_owned()),
            initial: 11_900,
            reduction: 0,
            assigned: 11_900,
            status: "balanced".to_owned(),
            invoice: Some(INVOICE.to_owned()),
            assignments: vec![("TX-L".to_owned(), 11_900)],
        });
    }

    fn page(&mut self, id: &str, url: &str) {
        self.transaction(id, Some("PO-1"), 11_900, Trigger::Never);
        // The ledger is told what it is for, and finds its order by that.
        self.rows.payments.last_mut().unwrap().order = None;
        let transaction = self.at(id);
        let payment = self.payment(id);
        payment.is_for = IsFor::Entry(INVOICE.to_owned());
        payment.is_anonymous = true;
        self.record.pages.push(Page {
            transaction,
            reference: INVOICE.to_owned(),
            amount: 11_900,
            url: url.to_owned(),
            at: day(5),
            given_at: Some(day(6)),
        });
    }

    fn paid_on(&mut self, id: &str) {
        let capture = self.outside(id, EffectKind::Capture, 11_900, By::Psp);
        let movement = self.movement("capture", id, &capture, 11_900);
        self.journal(movement, "prepayment", "original", None, 11_900);
        if self.record.pages.len() == 1 {
            self.journal(movement, "application", "original", Some(("invoice", INVOICE)), 11_900);
            self.rows.payments.last_mut().unwrap().order = Some("PO-1".to_owned());
        }
    }

    /// As if nobody had paid yet.
    fn open_page(&mut self) {
        self.payment("TX-L").status = "open";
        self.payment("TX-L").authorised = 0;
    }

    /// A page that a second mail brought, for the same.
    fn second_page(&mut self) {
        self.page("TX-M", "https://psp.example/TX-M/pay");
        self.mail("reminder:PO-1", &format!("Reminder: {INVOICE}"));
        self.rows.mails.last_mut().unwrap().body = "pay it on https://psp.example/TX-M/pay".to_owned();
        self.record.letters.last_mut().unwrap().body = "pay it on https://psp.example/TX-M/pay".to_owned();
    }

    fn closed(&mut self, id: &str) {
        let transaction = self.at(id);
        self.record.closings.push(Closing { transaction, key: format!("pj-cancel-{id}"), at: day(8) });
    }

    fn is_paid_twice(&mut self) {
        self.second_page();
        self.paid_on("TX-M");
        self.payment("TX-M").status = "captured";
        self.rows.payments.last_mut().unwrap().status = "captured".to_owned();
    }
}

pub(super) const PAGES: &[Break] = &[
    ("page-is-known", |s| s.rows.payments.retain(|row| row.transaction != "TX-L")),
    ("page-of-its-invoice", |s| s.record.pages[0].amount = 11_901),
    ("page-of-its-invoice", |s| s.record.pages[0].reference = "2026-00008".to_owned()),
    ("page-of-its-invoice", |s| s.rows.mails.last_mut().unwrap().subject = "Invoice: 2026-00008".to_owned()),
    ("one-page-per-debt", |s| {
        s.second_page();
        s.open_page();
        s.payment("TX-M").status = "open";
    }),
    ("page-expired-first", |s| {
        s.closed("TX-L");
        s.payment("TX-L").status = "cancelled";
        s.rows.payments.last_mut().unwrap().status = "open".to_owned();
    }),
    ("page-brought", |s| {
        s.record.pages[0].reference = "E-1".to_owned();
        s.rows.mails.last_mut().unwrap().body.clear();
        s.rows.entries.last_mut().unwrap().assignments.clear();
    }),
    ("page-closed", Story::open_page),
    ("spare-money-told", Story::is_paid_twice),
    ("page-pays-its-entry", |s| {
        s.rows.journals.retain(|row| row.document.as_ref().is_none_or(|(_, number)| number != INVOICE));
        let entry = s.rows.entries.last_mut().unwrap();
        entry.assignments.clear();
        entry.assigned = 0;
        entry.status = "open".to_owned();
    }),
];

#[test]
fn a_page_paid_beside_another_is_right_when_it_was_told() {
    let mut story = clean();
    story.is_paid_twice();
    story.tell("untied_money", Some("TX-M"), None);
    silent(&story);
}

#[test]
fn a_page_that_was_closed_counts_as_expired() {
    let mut story = clean();
    story.second_page();
    story.closed("TX-M");
    story.payment("TX-M").status = "cancelled";
    story.payment("TX-M").authorised = 0;
    let row = story.rows.payments.last_mut().unwrap();
    (row.status, row.authorised) = ("expired".to_owned(), 0);
    silent(&story);
}
