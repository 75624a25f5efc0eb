//! A story told by hand: what happened outside, and what a right ledger has of it.

use chrono::{DateTime, Duration, NaiveDate, Utc};

use crate::ledger::rows::{
    DocumentRow, ExceptionRow, JournalRow, LineRow, MailRow, MovementRow, OperationRow, OrderRow, PaymentRow,
    PayoutRow, Rows, SettledRow,
};
use crate::simulate::record::{
    Asked, By, Cancelled, Delivered, Effect, EffectKind, EffectState, IsFor, Line, PaidLine, PaidOut, Partial, Posted,
    Record, ShopOrder, ShopTerms, Told, Transaction, Trigger,
};

pub(super) type Name<'a> = Option<(&'a str, &'a str)>;

#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    pub(super) record: Record,
    pub(super) rows: Rows,
}

pub(super) fn day(day: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000 + day)
}

fn text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn owned(name: Name<'_>) -> Option<(String, String)> {
    name.map(|(kind, number)| (kind.to_owned(), number.to_owned()))
}

/// Everything there is, and all of it right: an invoice paid and partly refunded, a cancelled rest given back, an
/// authorisation captured by itself and applied later, an order that payjournal billed, some of which persons took back, one that it had
/// deleted, one whose invoice was paid on a page.
pub(super) fn clean() -> Story {
    let mut story = Story::default();
    story.order("SO-1", 10_000);
    story.transaction("TX-1", Some("SO-1"), 10_000, Trigger::Invoice);
    story.document("invoice", "R-1", Some("SO-1"), 10_000, None);
    story.capture("TX-1", Some(("invoice", "R-1")), 10_000);
    story.end("TX-1", "SO-1", "captured", "paid");
    story.document("credit_note", "G-1", Some("SO-1"), 3_000, Some("R-1"));
    story.refund("TX-1", "G-1", 3_000);

    story.order("SO-2", 5_000);
    story.transaction("TX-2", Some("SO-2"), 5_000, Trigger::Invoice);
    story.document("invoice", "R-2", Some("SO-2"), 2_000, None);
    story.cancel("SO-2", Cancelled::Rest);
    story.capture("TX-2", Some(("invoice", "R-2")), 2_000);
    story.release("TX-2", 3_000);
    story.end("TX-2", "SO-2", "captured", "paid");

    story.order("SO-3", 4_000);
    story.transaction("TX-3", Some("SO-3"), 4_000, Trigger::Authorisation { days: 1 });
    let capture = story.capture("TX-3", None, 4_000);
    story.document("invoice", "R-3", Some("SO-3"), 4_000, None);
    story.apply("TX-3", "R-3", 4_000);
    story.end("TX-3", "SO-3", "captured", "paid");
    story.pay_out(&capture, "SO-3");
    story.billed();
    story.corrected();
    story.deleted();
    story.paged();
    story
}

impl Story {
    pub(super) fn order(&mut self, number: &str, total: i64) {
        self.record.orders.push(ShopOrder {
            number: number.to_owned(),
            currency: "EUR",
            total,
            terms: ShopTerms::Online,
            cancelled: Cancelled::No,
            told: Some(Told { total, cancelled: Cancelled::No }),
            told_at: Some(day(1)),
        });
        self.rows.orders.push(OrderRow {
            number: number.to_owned(),
            total,
            cancelled: "none".to_owned(),
            payment_status: "in_progress".to_owned(),
            deleted: false,
            lines: 0,
        });
    }

    pub(super) fn shop_order(&mut self, number: &str) -> &mut ShopOrder {
        self.record.orders.iter_mut().find(|order| order.number == number).unwrap()
    }

    pub(super) fn cancel(&mut self, number: &str, cancelled: Cancelled) {
        let order = self.shop_order(number);
        order.cancelled = cancelled;
        order.told = order.told.map(|told| Told { cancelled, ..told });
    }

    pub(super) fn transaction(&mut self, id: &str, order: Option<&str>, authorised: i64, trigger: Trigger) {
        self.record.transactions.push(Transaction {
            id: id.to_owned(),
            order: order.map(str::to_owned),
            pays: Vec::new(),
            is_for: IsFor::Order,
            is_anonymous: false,
            method: "card",
            trigger,
            partial: Partial::Many,
            refundable: true,
            currency: "EUR",
            status: "authorised",
            authorised,
            adjusted: false,
            authorised_at: Some(day(1)),
            capture_before: None,
            told_at: Some(day(1)),
            collected: false,
            echoes_keys: true,
            lapsed: false,
            paid_after_end: false,
        });
        self.rows.payments.push(PaymentRow {
            transaction: id.to_owned(),
            order: order.map(str::to_owned),
            status: "authorised".to_owned(),
            authorised,
        });
    }

    pub(super) fn at(&self, transaction: &str) -> usize {
        self.record.transactions.iter().position(|row| row.id == transaction).unwrap()
    }

    pub(super) fn payment(&mut self, transaction: &str) -> &mut Transaction {
        self.record.transactions.iter_mut().find(|row| row.id == transaction).unwrap()
    }

    /// How a transaction and its order stand in the end, outside and in the ledger.
    pub(super) fn end(&mut self, transaction: &str, order: &str, status: &'static str, shown: &str) {
        self.payment(transaction).status = status;
        self.rows.payments.iter_mut().find(|row| row.transaction == transaction).unwrap().status = status.to_owned();
        self.rows.orders.iter_mut().find(|row| row.number == order).unwrap().payment_status = shown.to_owned();
    }

    pub(super) fn document(
        &mut self,
        kind: &'static str,
        number: &str,
        order: Option<&str>,
        total: i64,
        references: Option<&str>,
    ) {
        self.record.documents.push(Posted {
            kind,
            number: number.to_owned(),
            order: order.map(str::to_owned),
            currency: "EUR",
            total,
            references: references.map(str::to_owned),
            posted_on: NaiveDate::default(),
            told_at: Some(day(3)),
            cancelled_at: None,
            by_hand: 0,
            told_by_hand: 0,
        });
        self.rows.documents.push(DocumentRow {
            kind: kind.to_owned(),
            number: number.to_owned(),
            order: order.map(str::to_owned),
            total,
            paid_elsewhere: 0,
        });
    }

    pub(super) fn posted(&mut self, number: &str) -> &mut Posted {
        self.record.documents.iter_mut().find(|row| row.number == number).unwrap()
    }

    fn told(&self, order: Option<&str>, kind: &str) -> i64 {
        let of_order = self.record.documents.iter().filter(|row| row.order.as_deref() == order && row.kind == kind);
        of_order.map(|row| row.total).sum()
    }

    /// An effect of payjournal, with its operation; returns its id.
    pub(super) fn effect(&mut self, transaction: &str, kind: EffectKind, document: Name<'_>, amount: i64) -> String {
        let at = self.at(transaction);
        let id = format!("E-{}", self.record.effects.len() + 1);
        let kind_name = match kind {
            EffectKind::Capture => "capture",
            EffectKind::Refund => "refund",
            EffectKind::Release => "release",
            EffectKind::Chargeback | EffectKind::SecondChargeback => "chargeback",
            EffectKind::WonBack => "chargeback_reversed",
        };
        let key = format!("pj-{kind_name}-{id}");
        let order = self.record.transactions[at].order.clone();
        let told_order =
            self.record.orders.iter().find(|row| Some(&row.number) == order.as_ref()).and_then(|row| row.told);
        let asked = Asked {
            key: key.clone(),
            amount,
            document: owned(document),
            told_outstanding: document.map(|_| amount),
            told_order,
            told_order_at: Some(day(1)),
            told_invoiced: self.told(order.as_deref(), "invoice"),
            told_shipped: self.told(order.as_deref(), "shipment"),
            unsettled_captures: 0,
        };
        self.outside(transaction, kind, amount, By::Payjournal(asked));
        let operation = self.operation(kind_name, &key);
        operation.transaction = Some(transaction.to_owned());
        operation.document = owned(document);
        operation.amount = amount;
        id
    }

    pub(super) fn outside(&mut self, transaction: &str, kind: EffectKind, amount: i64, by: By) -> String {
        let id = format!("E-{}", self.record.effects.len() + 1);
        let transaction = self.at(transaction);
        let at = day(5);
        let state = EffectState::Confirmed;
        self.record.effects.push(Effect {
            id: id.clone(),
            transaction,
            kind,
            amount,
            by,
            at,
            state,
            confirmed_at: Some(at),
            failed_late: false,
            after_no: false,
            heard_at: None,
        });
        id
    }

    pub(super) fn operation(&mut self, kind: &str, key: &str) -> &mut OperationRow {
        let id = i64::try_from(self.rows.operations.len()).unwrap() + 1;
        self.rows.operations.push(OperationRow {
            id,
            kind: kind.to_owned(),
            transaction: None,
            document: None,
            journal: None,
            mail: None,
            order: None,
            amount: 0,
            attempt: 1,
            key: key.to_owned(),
            state: "confirmed".to_owned(),
            tries: 1,
            refusal: None,
            transient: false,
            note: String::new(),
            planned_at: text(day(5)),
        });
        self.rows.operations.last_mut().unwrap()
    }

    pub(super) fn movement(&mut self, kind: &str, transaction: &str, modification: &str, amount: i64) -> i64 {
        let id = i64::try_from(self.rows.movements.len()).unwrap() + 1;
        let key = format!("pj-{kind}-{modification}");
        let operation = self.rows.operations.iter().find(|row| row.key == key).map(|row| row.id);
        self.rows.movements.push(MovementRow {
            id,
            kind: kind.to_owned(),
            transaction: transaction.to_owned(),
            modification: modification.to_owned(),
            amount,
            currency: "EUR".to_owned(),
            operation,
            learnt_at: text(day(5)),
        });
        id
    }

    /// A journal with its postings, its delivery and its line in the ERP.
    pub(super) fn journal(
        &mut self,
        movement: i64,
        kind: &'static str,
        direction: &'static str,
        document: Name<'_>,
        amount: i64,
    ) {
        let of = self.rows.movements.iter().find(|row| row.id == movement).unwrap().clone();
        let order = &self.record.transactions[self.at(&of.transaction)].order;
        // Those that payjournal bills have their account, which is looked at.
        let is_billed = self.record.sales.iter().any(|sale| Some(&sale.order) == order.as_ref());
        let clearing = "Assets:Clearing:psp:EUR";
        let (receivables, prepayments, disputed) = if is_billed {
            ("Assets:Receivables:C1", "Liabilities:Prepayments:C1", "Assets:Receivables:Disputed:C1")
        } else {
            ("Assets:Receivables:E1", "Liabilities:Prepayments:E1", "Assets:Receivables:Disputed:E1")
        };
        let (debit, credit) = match kind {
            "receipt" => (clearing, receivables),
            "prepayment" => (clearing, prepayments),
            "application" => (prepayments, receivables),
            "unapplied_refund" => (prepayments, clearing),
            "return" => (receivables, prepayments),
            "chargeback" => (disputed, clearing),
            "chargeback_reversed" => (clearing, disputed),
            _ => (receivables, clearing),
        };
        let (debit, credit) = if direction == "reversal" { (credit, debit) } else { (debit, credit) };
        let number = format!("PJ-{}", self.rows.journals.len() + 1);
        self.rows.journals.push(JournalRow {
            number: number.clone(),
            movement,
            kind: kind.to_owned(),
            direction: direction.to_owned(),
            document: owned(document),
            amount,
            currency: "EUR".to_owned(),
            postings: vec![(debit.to_owned(), amount), (credit.to_owned(), -amount)],
        });
        self.record.lines.push(Line {
            number: number.clone(),
            kind,
            direction,
            document: owned(document),
            transaction: of.transaction.clone(),
            modification: of.modification.clone(),
            amount,
            currency: "EUR",
            debit: debit.to_owned(),
            credit: credit.to_owned(),
            draft: false,
            changed: false,
            was_changed: false,
            at: day(6),
        });
        let operation = self.operation("journal", &format!("pj-journal-{number}"));
        operation.journal = Some(number);
        operation.transaction = Some(of.transaction);
        operation.document = owned(document);
        operation.amount = amount;
    }

    pub(super) fn mail(&mut self, event: &str, subject: &str) {
        let mail = MailRow { event: event.to_owned(), subject: subject.to_owned(), body: "body".to_owned() };
        let key = format!("pj-mail-{event}");
        self.operation("mail", &key).mail = Some(event.to_owned());
        let (subject, body) = (mail.subject.clone(), mail.body.clone());
        self.record.letters.push(Delivered { key, subject, body, at: day(6) });
        self.rows.mails.push(mail);
    }

    pub(super) fn capture(&mut self, transaction: &str, document: Name<'_>, amount: i64) -> String {
        let id = self.effect(transaction, EffectKind::Capture, document, amount);
        let movement = self.movement("capture", transaction, &id, amount);
        let invoice = document.filter(|document| document.0 == "invoice");
        let kind = if invoice.is_some() { "receipt" } else { "prepayment" };
        self.journal(movement, kind, "original", invoice, amount);
        if document.is_some() {
            self.mail(&format!("captured:pj-capture-{id}"), &format!("Payment {transaction} captured"));
        }
        id
    }

    pub(super) fn refund(&mut self, transaction: &str, note: &str, amount: i64) -> String {
        let id = self.effect(transaction, EffectKind::Refund, Some(("credit_note", note)), amount);
        let movement = self.movement("refund", transaction, &id, amount);
        self.journal(movement, "refund", "original", Some(("credit_note", note)), amount);
        self.mail(&format!("refunded:pj-refund-{id}"), &format!("Payment {transaction} refunded"));
        id
    }

    /// A capture in euros is paid out, less half a euro.
    pub(super) fn pay_out(&mut self, capture: &str, order: &str) {
        let place = self.record.effects.iter().position(|effect| effect.id == capture).unwrap();
        let effect = &self.record.effects[place];
        let (gross, transaction) = (effect.amount, self.record.transactions[effect.transaction].id.clone());
        let reference = format!("P-{}", self.record.payouts.len());
        self.record.payouts.push(PaidOut {
            provider: "alpha",
            reference: reference.clone(),
            currency: "EUR",
            at: day(8),
            lines: vec![PaidLine { effect: place, gross, fee_hundredths: 5_000 }],
            fee: 0,
            reserve: 0,
            paid: gross - 50,
            told_at: day(8),
            whole_at: day(8),
        });
        let line = |kind, transaction: &str, modification: String, gross, net| LineRow {
            provider: "alpha".to_owned(),
            payout: reference.clone(),
            kind,
            transaction: transaction.to_owned(),
            modification,
            gross,
            net,
        };
        let micros = |cents: i64| cents * 10_000;
        self.rows.lines.extend([
            line(1, &transaction, capture.to_owned(), micros(gross), micros(gross - 50)),
            line(15, "", format!("{reference}-paid"), 0, micros(50 - gross)),
        ]);
        self.rows.payouts.push(PayoutRow {
            provider: "alpha".to_owned(),
            reference,
            state: "closed".to_owned(),
            clearing: vec![("EUR".to_owned(), -gross)],
        });
        self.rows.settled.push(SettledRow { order: order.to_owned(), sold: micros(gross), refunded: 0 });
    }

    pub(super) fn release(&mut self, transaction: &str, amount: i64) -> String {
        let id = self.effect(transaction, EffectKind::Release, None, amount);
        self.mail(&format!("released:pj-release-{id}"), &format!("Payment {transaction} released"));
        id
    }

    /// Ties the first capture of a transaction to an invoice.
    pub(super) fn apply(&mut self, transaction: &str, invoice: &str, amount: i64) {
        let movement = self.rows.movements.iter().find(|row| row.transaction == transaction).unwrap().id;
        self.journal(movement, "application", "original", Some(("invoice", invoice)), amount);
    }

    /// A capture or refund that was confirmed fails after all, and the ledger learns it.
    pub(super) fn fail(&mut self, id: &str) {
        let effect = self.record.effects.iter_mut().find(|row| row.id == id).unwrap();
        effect.state = EffectState::Failed;
        effect.failed_late = true;
        let movement = self.rows.movements.iter().find(|row| row.modification == id).unwrap().clone();
        let failure = self.movement(&format!("{}_failure", movement.kind), &movement.transaction, id, movement.amount);
        let journals: Vec<JournalRow> =
            self.rows.journals.iter().filter(|row| row.movement == movement.id).cloned().collect();
        for journal in journals {
            let kind = ["receipt", "prepayment", "application", "refund", "reopening", "unapplied_refund"];
            let kind = kind.into_iter().find(|kind| *kind == journal.kind).unwrap();
            let document = journal.document.as_ref().map(|(kind, number)| (kind.as_str(), number.as_str()));
            self.journal(failure, kind, "reversal", document, journal.amount);
        }
        if let Some(id) = movement.operation {
            let kind = format!("{}_refused", movement.kind);
            self.rows.operations.iter_mut().find(|row| row.id == id).unwrap().state = "refused".to_owned();
            self.tell(&kind, Some(&movement.transaction), None).operation = Some(id);
        }
    }

    pub(super) fn tell(&mut self, kind: &str, transaction: Option<&str>, document: Name<'_>) -> &mut ExceptionRow {
        let id = i64::try_from(self.rows.exceptions.len()).unwrap() + 1;
        self.rows.exceptions.push(ExceptionRow {
            id,
            kind: kind.to_owned(),
            subject: "something".to_owned(),
            message: "what is wrong".to_owned(),
            state: "open".to_owned(),
            order: None,
            transaction: transaction.map(str::to_owned),
            document: owned(document),
            operation: None,
        });
        self.rows.exceptions.last_mut().unwrap()
    }
}
