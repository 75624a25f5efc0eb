//! An order nobody paid, taken out of the ERP, and every way to break that.

use chrono_tz::Tz;

use crate::ledger::rows::{DeletionRow, OperationRow, OrderRow, StockRow, TombstoneRow};
use crate::simulate::record::{Cancelled, Cleaning, Closing, Deletion, Restoration, ShopTerms, Trigger};

use super::story::{Story, clean, day};
use super::violations::Break;
use super::{found, silent};

const CANCEL: &str = "pj-cancel-1";
const DELETE: &str = "pj-delete-1";

impl Story {
    /// Its page was open, was closed, and then the ERP let the order go with the stock of two lines.
    pub(super) fn deleted(&mut self) {
        self.record.cleaning = Some(Cleaning {
            older_than_days: 5,
            include_cancelled: true,
            without_payment: false,
            zone: Tz::UTC,
            quarantine_days: 0,
            most: 10,
            restores: true,
        });
        self.unpaid("DO-1", "TX-D");
        self.end("TX-D", "DO-1", "cancelled", "cancelled");
        let transaction = self.at("TX-D");
        self.record.closings.push(Closing { transaction, key: CANCEL.to_owned(), at: day(8) });
        self.operation("cancel", CANCEL).transaction = Some("TX-D".to_owned());
        self.record.deletions.push(Deletion {
            order: "DO-1".to_owned(),
            key: DELETE.to_owned(),
            asked_at: day(8),
            payments: vec![(transaction, "cancelled")],
            at: day(8),
            age_days: 6,
            method: "cancel",
            on: day(8).date_naive(),
            restored: 0,
        });
        self.rows.deletions.push(DeletionRow { key: DELETE.to_owned(), gates: 4 });
        let operation = self.operation("delete", DELETE);
        operation.order = Some("DO-1".to_owned());
        let operation = operation.id;
        self.rows.tombstones.push(TombstoneRow {
            order: "DO-1".to_owned(),
            operation,
            is_final: true,
            is_restored: false,
        });
        let row = self.deleted_row();
        row.deleted = true;
        row.lines = 2;
        for line in [1, 2] {
            self.rows.stock.push(StockRow { order: "DO-1".to_owned(), line, direction: "release".to_owned() });
        }
    }

    /// An order with an open page.
    fn unpaid(&mut self, order: &str, transaction: &str) {
        self.order(order, 900);
        self.transaction(transaction, Some(order), 0, Trigger::Invoice);
        self.payment(transaction).authorised_at = None;
        self.end(transaction, order, "open", "new");
    }

    /// A person put it back, with its stock.
    fn put_back(&mut self) {
        self.record.restorations.push(Restoration { order: "DO-1".to_owned(), at: day(9), on: day(9).date_naive() });
        self.rows.tombstones[0].is_restored = true;
        for line in [1, 2] {
            self.rows.stock.push(StockRow { order: "DO-1".to_owned(), line, direction: "reserve".to_owned() });
        }
        self.deleted_row().deleted = false;
    }

    fn cleaning(&mut self) -> &mut Cleaning {
        self.record.cleaning.as_mut().unwrap()
    }

    fn deleted_row(&mut self) -> &mut OrderRow {
        self.rows.orders.iter_mut().find(|row| row.number == "DO-1").unwrap()
    }

    fn with_key(&mut self, key: &str) -> &mut OperationRow {
        self.rows.operations.iter_mut().find(|row| row.key == key).unwrap()
    }

    /// The customer of the deleted order pays on a day, and the ledger learns it.
    fn is_paid_on(&mut self, on: i64) {
        let payment = self.payment("TX-D");
        payment.authorised = 900;
        payment.authorised_at = Some(day(on));
        self.end("TX-D", "DO-1", "authorised", "in_progress");
        self.rows.payments.iter_mut().find(|row| row.transaction == "TX-D").unwrap().authorised = 900;
    }

    fn tell_of_order(&mut self, kind: &str, order: &str) {
        self.tell(kind, None, None).order = Some(order.to_owned());
    }
}

pub(super) const DELETIONS: &[Break] = &[
    ("closing-as-intended", |s| s.with_key(CANCEL).key = "another".to_owned()),
    ("closing-as-intended", |s| s.with_key(CANCEL).state = "refused".to_owned()),
    ("closing-as-intended", |s| s.record.closings.clear()),
    ("deletion-as-intended", |s| s.with_key(DELETE).key = "another".to_owned()),
    ("deletion-as-intended", |s| s.with_key(DELETE).state = "withdrawn".to_owned()),
    ("deletion-as-intended", |s| s.record.deletions.clear()),
    ("deleted-unpaid", |s| s.record.deletions[0].payments[0].1 = "open"),
    ("deleted-unpaid", |s| s.record.deletions[0].payments[0].1 = "pending"),
    // Also where the authorisation has run out since.
    ("deleted-unpaid", |s| s.payment("TX-D").authorised_at = Some(day(3))),
    ("deleted-old-enough", |s| s.record.deletions[0].age_days = 5),
    ("deleted-old-enough", |s| s.cleaning().quarantine_days = 1),
    ("deleted-old-enough", |s| {
        s.cleaning().quarantine_days = 2;
        let flag = Deletion { key: "pj-delete-0".to_owned(), method: "flag", ..s.record.deletions[0].clone() };
        s.record.deletions.insert(0, flag);
    }),
    ("deletion-has-its-gates", |s| s.rows.deletions[0].gates = 3),
    ("deletion-has-its-gates", |s| s.rows.deletions.clear()),
    ("deleted-unprotected", |s| s.cancel("DO-1", Cancelled::Full)),
    ("deleted-unprotected", |s| s.shop_order("DO-1").terms = ShopTerms::OnAccount),
    ("deleted-unprotected", |s| s.shop_order("DO-1").terms = ShopTerms::Prepayment(2_000)),
    ("tombstone-is-true", |s| s.rows.tombstones[0].is_restored = true),
    ("stock-released-once", |s| {
        s.put_back();
        s.rows.stock.pop();
    }),
    ("exception-right", |s| s.tell_of_order("deletions_capped", "DO-1")),
    ("deleted-once", |s| {
        let again = Deletion { key: "pj-delete-2".to_owned(), ..s.record.deletions[0].clone() };
        s.operation("delete", "pj-delete-2").order = Some("DO-1".to_owned());
        s.record.deletions.push(again);
    }),
    ("tombstone-is-true", |s| s.record.deletions.clear()),
    ("tombstone-is-true", |s| s.deleted_row().deleted = false),
    ("tombstone-is-true", |s| {
        let again = s.rows.tombstones[0].clone();
        s.rows.tombstones.push(again);
    }),
    ("stock-released-once", |s| drop(s.rows.stock.pop())),
    ("stock-released-once", |s| {
        let again = s.rows.stock[0].clone();
        s.rows.stock.push(again);
    }),
    ("stock-released-once", |s| s.rows.stock[0].order = "SO-1".to_owned()),
    ("deletion-recorded", |s| {
        s.deleted_row().deleted = false;
        s.rows.tombstones.clear();
        s.rows.stock.clear();
    }),
    ("late-money-told", |s| s.is_paid_on(9)),
    ("unpaid-deleted-or-told", |s| s.unpaid("DO-2", "TX-E")),
    ("exception-right", |s| s.tell_of_order("paid_after_deletion", "DO-1")),
    ("exception-right", |s| s.tell_of_order("not_closed", "DO-1")),
    ("exception-right", |s| s.tell_of_order("deletion_refused", "DO-1")),
];

fn names(story: &Story) -> Vec<&'static str> {
    found(story).iter().map(|violation| violation.invariant).collect()
}

#[test]
fn money_that_came_after_the_deletion_is_right_when_it_was_told() {
    let mut story = clean();
    story.is_paid_on(9);
    story.tell_of_order("paid_after_deletion", "DO-1");
    silent(&story);
    let exception = story.rows.exceptions.last_mut().unwrap();
    exception.state = "resolved".to_owned();
    let id = exception.id;
    assert_eq!(names(&story), ["late-money-told"]);
    story.record.resolved.insert(id);
    silent(&story);
}

#[test]
fn an_order_nobody_paid_stays_where_a_person_is_told_why_or_its_payment_was_refused() {
    let mut story = clean();
    story.unpaid("DO-2", "TX-E");
    story.record.faults = 1;
    story.tell("not_closed", Some("TX-E"), None);
    silent(&story);
    let mut story = clean();
    story.unpaid("DO-2", "TX-E");
    story.end("TX-E", "DO-2", "refused", "cancelled");
    assert_eq!(names(&story), ["unpaid-deleted-or-told"]);
    if let Some(cleaning) = &mut story.record.cleaning {
        cleaning.include_cancelled = false;
    }
    silent(&story);
}

#[test]
fn an_order_that_a_person_put_back_is_there_with_its_stock_and_may_go_once_more() {
    let mut story = clean();
    story.put_back();
    silent(&story);
    let again = Deletion { key: "pj-delete-2".to_owned(), restored: 1, ..story.record.deletions[0].clone() };
    story.record.deletions.push(again);
    story.rows.deletions.push(DeletionRow { key: "pj-delete-2".to_owned(), gates: 4 });
    story.operation("delete", "pj-delete-2").order = Some("DO-1".to_owned());
    let operation = story.with_key("pj-delete-2").id;
    let order = "DO-1".to_owned();
    story.rows.tombstones.push(TombstoneRow { order, operation, is_final: true, is_restored: false });
    for line in [1, 2] {
        story.rows.stock.push(StockRow { order: "DO-1".to_owned(), line, direction: "release".to_owned() });
    }
    story.deleted_row().deleted = true;
    silent(&story);
}

#[test]
fn a_refused_deletion_is_right_when_the_erp_refused_it() {
    let mut story = clean();
    story.unpaid("DO-2", "TX-E");
    story.end("TX-E", "DO-2", "expired", "new");
    let operation = story.operation("delete", "pj-delete-2");
    operation.order = Some("DO-2".to_owned());
    operation.state = "refused".to_owned();
    let id = operation.id;
    let exception = story.tell("deletion_refused", None, None);
    exception.order = Some("DO-2".to_owned());
    exception.operation = Some(id);
    assert_eq!(names(&story), ["exception-right"]);
    story.record.denials.insert("pj-delete-2".to_owned());
    silent(&story);
}
