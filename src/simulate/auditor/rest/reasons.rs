//! Every open exception is right: the record has what justifies its kind. A wrong one sends a person after nothing.

use crate::ledger::rows::{ExceptionRow, OperationRow};
use crate::simulate::auditor::free_balances::by_others;
use crate::simulate::auditor::index::{Booking, Index};
use crate::simulate::auditor::{About, Found, books, heirs};
use crate::simulate::record::{
    Cancelled, Claim, Effect, EffectKind, EffectState, PaidOut, Partial, Posted, Sale, SaleKey, ShopTerms, Transaction,
    Trigger,
};

use super::{lacking, left, was_taken_back};

/// An exception with everything it may be about.
struct Told<'i, 'a> {
    index: &'i Index<'a>,
    row: &'a ExceptionRow,
    document: Option<&'a Posted>,
    /// Of a credit note: its invoice.
    invoice: Option<&'a Posted>,
    transactions: Vec<(usize, &'a Transaction)>,
}

/// What a plan tells after it has looked at what the PSPs say.
const OF_CAPTURES_PLAN: [&str; 7] = [
    "exceeds_authorised",
    "exceeds_order",
    "partial_capture_not_allowed",
    "authorisation_expired",
    "waits_for_payment",
    "untied_money",
    "captured_already",
];
const OF_NOTES_PLAN: [&str; 3] = ["refund_exceeds_captured", "refund_not_allowed", "outside_refund"];

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for row in index.rows.exceptions.iter().filter(|row| row.state == "open") {
        let told = Told::of(index, row);
        if let Some(why) = told.what_is_wrong().filter(|_| !told.stands_still()) {
            let document = row.document.clone();
            let about = About { order: row.order.clone(), transaction: row.transaction.clone(), document };
            found.tell(
                "exception-right",
                about,
                format!("{} about {}: {why}; it says: {}", row.kind, row.subject, row.message),
            );
        }
    }
}

fn wrong(is_wrong: bool, why: &str) -> Option<String> {
    is_wrong.then(|| why.to_owned())
}

impl<'i, 'a> Told<'i, 'a> {
    fn of(index: &'i Index<'a>, row: &'a ExceptionRow) -> Self {
        let operation = row.operation.and_then(|id| index.operation(id));
        let document = index
            .document(row.document.as_ref().or_else(|| operation.and_then(|operation| operation.document.as_ref())));
        let invoice = document
            .and_then(|document| document.references.as_deref())
            .and_then(|number| index.invoice(number))
            .filter(|invoice| invoice.told_at.is_some());
        let name = row.transaction.as_deref().or_else(|| operation.and_then(|row| row.transaction.as_deref()));
        let request = document.filter(|document| document.kind == "refund_request");
        let name = name.or_else(|| request.and_then(|request| request.references.as_deref()));
        let mut transactions: Vec<(usize, &Transaction)> = Vec::new();
        if let Some(place) = name.and_then(|id| index.place(id)) {
            transactions.extend(index.record.transactions.get(place).map(|transaction| (place, transaction)));
        } else {
            let of_document = document.and_then(|document| document.order.as_deref());
            let of_invoice = invoice.and_then(|invoice| invoice.order.as_deref());
            if let Some(order) = row.order.as_deref().or(of_document).or(of_invoice) {
                transactions.extend(index.paying_order(order));
                let invoices = index.documents_of(order).iter().filter(|posted| posted.kind == "invoice");
                transactions.extend(invoices.flat_map(|posted| index.paying_invoice(&posted.number)));
            }
            let named = document.into_iter().chain(invoice);
            transactions.extend(named.flat_map(|posted| index.paying_invoice(&posted.number)));
        }
        Self { index, row, document, invoice, transactions }
    }

    fn what_is_wrong(&self) -> Option<String> {
        let faulty = self.index.record.faults > 0;
        let of_notes = ["refund_without_invoice", "refund_exceeds_captured", "refund_not_allowed", "outside_refund"];
        let pays_back = |document: &Posted| match document.kind {
            "credit_note" => true,
            "refund_request" => self.row.kind != "refund_without_invoice",
            _ => false,
        };
        if of_notes.contains(&self.row.kind.as_str()) && !self.document.is_some_and(pays_back) {
            return Some("it names no credit note".to_owned());
        }
        match self.row.kind.as_str() {
            "exceeds_authorised" => self.not_exceeded(),
            "exceeds_order" => self.not_paid_already(),
            "partial_capture_not_allowed" => {
                let all_many = self.transactions.iter().all(|(_, transaction)| transaction.partial == Partial::Many);
                self.nothing_lacking().or_else(|| wrong(all_many, "every payment of it allows many parts"))
            }
            "authorisation_expired" => wrong(!self.any(|at, transaction| self.lapsed(at, transaction)), "none lapsed"),
            "outstanding_unreadable" => wrong(!faulty, "the ERP always said what is outstanding"),
            "waits_for_payment" => self.waits_for_nothing(),
            "untied_money" => {
                let untied = self.any(|at, transaction| books::undisputed(self.index, at, &transaction.id) > 0);
                wrong(!untied, "all its money belongs to invoices, or went back")
            }
            "captured_already" => self.never_captured(),
            "capture_refused" => self.never_refused(EffectKind::Capture),
            "refund_refused" => self.never_refused(EffectKind::Refund),
            "release_refused" => self.never_refused(EffectKind::Release),
            "refund_without_invoice" => self.has_its_invoice(),
            "refund_exceeds_captured" => self.refund_covered(),
            "refund_not_allowed" => self.nothing_lacking().or_else(|| self.all_refundable()),
            "outside_refund" => {
                // What was done after a no may be just what was asked for.
                let is_late = self.did(|effect| effect.kind == EffectKind::Refund && effect.after_no);
                self.nothing_lacking().filter(|_| !is_late).or_else(|| self.went_back_otherwise())
            }
            "journal_differs" => self.line_is_ours(),
            "journal_refused" | "mail_refused" => wrong(!faulty, "nothing ever refused one"),
            "given_up" => {
                let open = self.did(|effect| effect.state == EffectState::Accepted);
                wrong(!faulty && !open, "everything was answered")
            }
            "unasked_movement" => self.asked_for(),
            "answer_contradicts" => wrong(!self.did(|effect| effect.after_no), "no PSP ever did what it had refused"),
            "amount_differs" => {
                wrong(!self.did(|effect| effect.asked_other().is_some()), "everything was done as it was asked for")
            }
            "payment_error" => {
                wrong(!faulty && !self.any(|_, transaction| transaction.status == "error"), "no payment is in error")
            }
            "chargeback" => {
                wrong(!self.did(|effect| effect.kind == EffectKind::Chargeback), "nothing of it was charged back")
            }
            "lines_unmatched" => wrong(!self.pays_out_a_stranger(), "the ledger knows every payment of it"),
            "not_billable" if self.document.is_none() => self.nothing_waits(),
            "not_billable" => self.never_cancelled(),
            "key_collides" => self.keys_differ(),
            "key_mismatch" => self.key_fits(),
            "invoice_not_sent" => {
                let sale = self.sale().filter(|sale| !sale.email);
                wrong(sale.is_none(), "its customer has an address")
            }
            "paid_after_deletion" => self.never_paid_after_deletion(),
            "deletions_capped" => self.may_delete_all(),
            "not_closed" => self.never_left_open(),
            "deletion_refused" => self.never_denied(),
            "payout_remainder" => Some("every payout adds up".to_owned()),
            _ => Some("nobody knows this kind".to_owned()),
        }
    }

    fn all_refundable(&self) -> Option<String> {
        let forbidden = self.any(|_, transaction| !transaction.refundable);
        wrong(self.invoice.is_some() && !forbidden, "every payment of its invoice allows refunds")
    }

    fn never_cancelled(&self) -> Option<String> {
        let order = self.document.and_then(|document| self.index.order(document.order.as_deref()));
        let told = order.and_then(|order| order.told);
        wrong(!told.is_some_and(|told| told.cancelled == Cancelled::Full), "its order was not cancelled")
    }

    /// What is authorised is charged for an invoice that waits for more money.
    fn nothing_waits(&self) -> Option<String> {
        let waits = self.any(|_, transaction| transaction.trigger == Trigger::Invoice && transaction.authorised > 0);
        let is_billed = self.index.record.bills_paid_only && self.sale().is_some();
        wrong(!waits || !is_billed, "nothing authorised waits for its invoice")
    }

    fn may_delete_all(&self) -> Option<String> {
        let orders = self.index.record.orders.len();
        let most = self.index.record.cleaning.map(|cleaning| cleaning.most);
        let may_all = most.is_none_or(|most| usize::try_from(most).is_ok_and(|most| orders <= most));
        wrong(may_all, "one run may delete all orders")
    }

    fn never_left_open(&self) -> Option<String> {
        let is_open = self.any(|_, transaction| transaction.status == "open");
        wrong(!is_open || self.index.record.faults == 0, "it is closed, or its PSP never failed to close it")
    }

    fn never_denied(&self) -> Option<String> {
        let key = self.row.operation.and_then(|id| self.index.operation(id)).map(|row| &row.key);
        wrong(!key.is_some_and(|key| self.index.record.denials.contains(key)), "the ERP never refused it")
    }

    /// Of its order, or of the order its payment is for.
    fn sale(&self) -> Option<&Sale> {
        let of_payment = || self.transactions.first().and_then(|(_, transaction)| transaction.order.as_ref());
        let order = self.row.order.as_ref().or_else(of_payment)?;
        self.index.record.sales.iter().find(|sale| sale.order == *order)
    }

    /// It is gone, and some payment of it is more than a try.
    fn never_paid_after_deletion(&self) -> Option<String> {
        let order = self.row.order.as_deref().unwrap_or_default();
        let meant = self.index.meant_for_order(order).map(|(_, transaction)| transaction);
        // Of two that are gone with one key, nobody knows whose it is.
        let shared = self.index.record.transactions.iter().filter(|one| heirs::inherits(self.index, order, one));
        let paid =
            meant.chain(shared).any(|one| one.authorised_at.is_some() || matches!(one.status, "pending" | "error"));
        wrong(!self.index.record.is_gone(order) || !paid, "it is not gone, or nobody ever paid it")
    }

    /// Another order, entry or payment has the order's key.
    fn keys_differ(&self) -> Option<String> {
        let Some(sale) = self.sale() else { return Some("it sells nothing".to_owned()) };
        let rivals = self.index.record.sales.iter().filter(|other| other.order != sale.order && other.key == sale.key);
        let (entries, payments) = match &sale.key {
            SaleKey::Entry(key) => (self.index.record.claims.iter().filter(|claim| claim.key == *key).count(), 0),
            SaleKey::Payment(_) => (0, self.index.meant_for_order(&sale.order).count()),
            SaleKey::Neither => return Some("it has no key".to_owned()),
        };
        wrong(rivals.count() == 0 && entries < 2 && payments < 2, "nothing else has its key")
    }

    /// Its entry is another customer's, over another amount, or cancelled, maybe with the deleted order that had the key before; or
    /// its payment names that one.
    fn key_fits(&self) -> Option<String> {
        let Some(sale) = self.sale() else { return Some("it sells nothing".to_owned()) };
        let record = self.index.record;
        let mut before = record.sales.iter().filter(|other| other.order != sale.order && other.key == sale.key);
        let was_deleted = before.any(|other| record.deletions.iter().any(|gone| gone.order == other.order));
        // A cancelled invoice takes its entry with it: what pays that one later has nothing to pay.
        let mut corrections = self.index.rows.corrections.iter();
        if corrections.any(|row| row.kind == "cancellation" && row.order == sale.order) {
            return None;
        }
        match &sale.key {
            SaleKey::Entry(key) => {
                let total: i64 = sale.lines.iter().map(|(gross, _)| gross).sum();
                let fits = |claim: &Claim| claim.customer == sale.customer && claim.amount == total && !claim.cancelled;
                let mut claims = record.claims.iter().filter(|claim| claim.key == *key);
                wrong(!was_deleted && claims.all(fits), "its entry fits")
            }
            SaleKey::Payment(_) => wrong(!was_deleted, "no payment of another order has its key"),
            SaleKey::Neither => Some("it has no key".to_owned()),
        }
    }

    /// A payout with a payment nobody told the ledger of.
    fn pays_out_a_stranger(&self) -> bool {
        let is_it = |payout: &&PaidOut| self.row.subject.starts_with(&format!("payout {} of ", payout.reference));
        let lines = self.index.record.payouts.iter().filter(is_it).flat_map(|payout| &payout.lines);
        let mut effects = lines.filter_map(|line| self.index.record.effects.get(line.effect));
        effects.any(|effect| self.index.transaction(effect).is_none_or(|transaction| transaction.told_at.is_none()))
    }

    /// Nothing is planned as long as a person has to end that a PSP did another amount: what a plan told before stays told. Of
    /// a credit note nothing is planned any more when nothing is open.
    fn stands_still(&self) -> bool {
        let of_note = OF_NOTES_PLAN.contains(&self.row.kind.as_str()) && self.nothing_lacking().is_none();
        let differs_since = |id: &str| {
            let mut told = self.index.told_of_transaction(id).iter();
            told.any(|row| super::HOLDS.contains(&row.kind.as_str()) && row.state == "open" && row.id > self.row.id)
        };
        (of_note || OF_CAPTURES_PLAN.contains(&self.row.kind.as_str()))
            && self.any(|_, transaction| differs_since(&transaction.id))
    }

    fn any(&self, is: impl Fn(usize, &Transaction) -> bool) -> bool {
        self.transactions.iter().any(|(at, transaction)| is(*at, transaction))
    }

    fn did(&self, is: impl Fn(&Effect) -> bool) -> bool {
        self.any(|at, _| self.index.effects_of(at).iter().any(|done| is(done.effect)))
    }

    /// Of its own payments, or of another order's that paid the invoice as a free balance.
    fn went_back_otherwise(&self) -> Option<String> {
        let went = |effect: &Effect| {
            let is_theirs = effect.ours().is_none() || effect.after_no;
            effect.kind == EffectKind::Chargeback || effect.kind == EffectKind::Refund && is_theirs
        };
        let payers = self.invoice.iter().flat_map(|invoice| self.index.journals_for("invoice", &invoice.number));
        let mut payers =
            payers.filter_map(|journal| self.index.place(&self.index.booking(journal.movement)?.movement.transaction));
        let did = self.did(went) || payers.any(|at| self.index.effects_of(at).iter().any(|done| went(done.effect)));
        wrong(!did && self.echoed(), "nobody else refunded anything of it")
    }

    /// All of its PSPs give our keys back: what is ours is known to be.
    fn echoed(&self) -> bool {
        self.transactions.iter().all(|(_, transaction)| transaction.echoes_keys)
    }

    /// What the document lacks now; of a shipment what was never captured for it.
    fn lacks(&self) -> Option<i64> {
        let document = self.document?;
        if document.kind != "shipment" {
            return Some(lacking(self.index, document));
        }
        let captures = self.index.effects_for("shipment", &document.number).iter();
        let taken: i64 = captures.filter(|done| done.effect.is_live()).map(|done| done.effect.amount).sum();
        Some(document.total - document.by_hand - taken)
    }

    fn nothing_lacking(&self) -> Option<String> {
        let lacks = self.lacks()?;
        (lacks <= 0).then(|| "nothing is open on the document any more".to_owned())
    }

    /// Too little is left, of all payments that may be captured in parts. What a payment of invoices has above them is for a
    /// person too.
    fn not_exceeded(&self) -> Option<String> {
        if self.any(|at, transaction| !transaction.pays.is_empty() && left(self.index, at, transaction) > 0) {
            return None;
        }
        if self.document.is_none() {
            return Some("it names no document that lacks money".to_owned());
        }
        if let Some(wrong) = self.nothing_lacking() {
            return Some(wrong);
        }
        let document = self.document.filter(|document| !was_taken_back(self.index, document))?;
        // Of a PSP that takes one capture, one that was refused and waits for a person keeps the others out.
        let keeps_out = |transaction: &Transaction, operation: &OperationRow| {
            operation.kind == "capture" && operation.state == "refused" && transaction.method == "split"
        };
        let given_up = self.any(|_, transaction| {
            let mut operations = self.index.operations_of(&transaction.id).iter();
            operations.any(|operation| operation.state == "given_up" || keeps_out(transaction, operation))
        });
        let order = self.index.order(document.order.as_deref())?;
        let cancelled = order.told.map(|told| told.cancelled)?;
        let usable: i64 = self
            .index
            .paying_order(&order.number)
            .filter(|(_, transaction)| {
                // What was asked for counts as taken, though the PSP took less.
                let mut told = self.index.told_of_transaction(&transaction.id).iter();
                transaction.partial == Partial::Many
                    && !told.any(|row| row.kind == "amount_differs")
                    && transaction.capture_before.is_none()
                    && super::money::is_meant(transaction, document.kind, cancelled)
            })
            .map(|(at, transaction)| left(self.index, at, transaction))
            .sum();
        let lacks = self.lacks()?;
        (usable >= lacks && !given_up).then(|| format!("{lacks} are lacking and {usable} are left"))
    }

    /// With what is left of one of its payments the order would have more money than it costs, from several sides.
    fn not_paid_already(&self) -> Option<String> {
        let of_transaction = self.transactions.first().and_then(|(_, transaction)| transaction.order.as_deref());
        let named = self.row.order.as_deref().or(of_transaction);
        let Some((order, told)) = self.index.order(named).and_then(|order| Some((order, order.told?))) else {
            return Some("it names no order".to_owned());
        };
        let mut invoiced = 0;
        let mut by_hand = 0;
        for posted in self.index.documents_of(&order.number).iter().filter(|posted| posted.kind == "invoice") {
            invoiced += posted.total;
            by_hand += posted.by_hand.max(posted.told_by_hand);
        }
        let captured = |at: usize| {
            let captures = self.index.of_kind(at, EffectKind::Capture);
            captures.filter(|done| done.effect.is_live()).map(|done| done.effect.amount).sum::<i64>()
        };
        let by_others = by_others(self.index, &order.number);
        let money: i64 = by_hand + by_others + self.transactions.iter().map(|(at, _)| captured(*at)).sum::<i64>();
        let left = self.transactions.iter().map(|(at, transaction)| left(self.index, *at, transaction)).max();
        let agreed = match order.terms {
            ShopTerms::Prepayment(basis_points) => (told.total * basis_points + 5_000).div_euclid(10_000),
            ShopTerms::Online | ShopTerms::OnAccount => told.total,
        };
        let most = money + left.unwrap_or_default();
        let costs = agreed.max(invoiced);
        wrong(money <= 0 || most <= costs, &format!("{money} were taken and at most {most} would be; it costs {costs}"))
    }

    fn lapsed(&self, at: usize, transaction: &Transaction) -> bool {
        let said = |code: &str| code == "authorisation_expired" || code == "not_authorised";
        transaction.capture_before.is_some()
            || !matches!(transaction.status, "authorised" | "captured" | "open" | "pending")
            || self.index.record.refusals.iter().any(|refused| refused.transaction == at && said(refused.code))
    }

    fn waits_for_nothing(&self) -> Option<String> {
        let unsettled = |number: &String, beside: &str| {
            self.index.paying_invoice(number).any(|(at, other)| {
                let mut captures = self.index.of_kind(at, EffectKind::Capture);
                let on_its_way = captures.any(|done| done.effect.state == EffectState::Accepted);
                // Its PSP calls it captured, and nobody ever saw the money: it failed before the ledger heard of it.
                let never_seen = other.status == "captured"
                    && !self.index.bookings_of(&other.id).any(|booking| booking.movement.kind == "capture");
                other.id != beside && (matches!(other.status, "pending" | "authorised") || on_its_way || never_seen)
            })
        };
        let waits = match self.document {
            Some(document) => unsettled(&document.number, ""),
            None => self.any(|_, transaction| transaction.pays.iter().any(|number| unsettled(number, &transaction.id))),
        };
        self.nothing_lacking().or_else(|| wrong(!waits, "no payment that names the invoice is unsettled"))
    }

    fn never_captured(&self) -> Option<String> {
        let Some(document) = self.document else {
            // Of a payment of invoices: more was authorised than they lack.
            let above =
                self.any(|at, transaction| !transaction.pays.is_empty() && left(self.index, at, transaction) > 0);
            return wrong(!above, "no payment of invoices is left over");
        };
        let journals = self.index.journals_for(document.kind, &document.number);
        let paid = journals.iter().any(|row| matches!(row.kind.as_str(), "receipt" | "application"));
        let captured = !self.index.effects_for(document.kind, &document.number).is_empty();
        self.nothing_lacking().or_else(|| wrong(!paid && !captured, "it was never captured"))
    }

    fn line_is_ours(&self) -> Option<String> {
        let operation = self.row.operation.and_then(|id| self.index.operation(id));
        let lines = operation.and_then(|row| row.journal.as_deref()).map(|number| self.index.lines(number));
        let changed = lines.into_iter().flatten().any(|line| line.was_changed);
        wrong(!changed, "nobody ever changed its line")
    }

    fn never_refused(&self, kind: EffectKind) -> Option<String> {
        let refusals = &self.index.record.refusals;
        let refused =
            self.any(|at, _| refusals.iter().any(|refused| refused.transaction == at && refused.kind == kind));
        let failed = self.did(|effect| effect.kind == kind && effect.state == EffectState::Failed);
        wrong(!refused && !failed, "nothing was refused and nothing failed")
    }

    fn has_its_invoice(&self) -> Option<String> {
        let note = self.document?;
        let agrees = self.invoice.is_some_and(|invoice| {
            invoice.currency == note.currency
                && (note.order.is_none() || invoice.order.is_none() || note.order == invoice.order)
        });
        self.nothing_lacking().or_else(|| wrong(agrees, "its invoice is known"))
    }

    /// At least this much of the invoice's money is still there, whatever else was refunded of the same payments.
    fn refund_covered(&self) -> Option<String> {
        if let Some(wrong) = self.nothing_lacking() {
            return Some(wrong);
        }
        let invoice =
            self.invoice.filter(|invoice| self.document.is_some_and(|note| note.currency == invoice.currency))?;
        let mut there = 0;
        let mut seen: Vec<&str> = Vec::new();
        let ties = self.index.journals_for("invoice", &invoice.number);
        for booking in ties.iter().filter_map(|journal| self.index.booking(journal.movement)) {
            let id = booking.movement.transaction.as_str();
            let Some(at) = self.index.place(id).filter(|_| !seen.contains(&id)) else { continue };
            seen.push(id);
            // Of a refund that came to less than was asked for, all that was asked for counts as given back.
            let refunds = self.index.of_kind(at, EffectKind::Refund).filter(|done| done.effect.is_live());
            let given_back: i64 =
                refunds.map(|done| done.effect.amount.max(done.effect.asked_other().unwrap_or_default())).sum();
            let disputes = self.index.effects_of(at).iter();
            let charged_back: i64 = disputes.map(|done| done.effect.kind.disputed(done.effect.amount)).sum();
            let kept = |booking: &Booking<'_>| {
                let of_it = |row: &&&crate::ledger::rows::JournalRow| {
                    row.document.as_ref().is_some_and(|(kind, number)| kind == "invoice" && *number == invoice.number)
                };
                booking
                    .originals
                    .iter()
                    .filter(of_it)
                    .filter(|row| row.kind != "reopening")
                    .map(|row| row.amount)
                    .sum::<i64>()
            };
            let bookings = self.index.bookings_of(id).filter(|booking| booking.failure.is_none());
            let paid: i64 = bookings.map(kept).sum();
            let refundable = self.index.record.transactions.get(at).is_some_and(|transaction| transaction.refundable);
            let mut operations = self.index.operations_of(id).iter();
            let given_up = operations.any(|row| row.kind == "refund" && row.state == "given_up");
            // One refund per payment and credit note: what was paid back is not topped up.
            let busy = self.document.is_some_and(|note| {
                let mut refunds = self.index.effects_for("credit_note", &note.number).iter();
                refunds.any(|done| done.effect.transaction == at && done.effect.is_live())
            });
            if refundable && !given_up && !busy {
                there += (paid - given_back - charged_back).max(0);
            }
        }
        let lacks = self.lacks()?;
        (there >= lacks).then(|| format!("{lacks} are open and {there} of the invoice's money is there"))
    }

    /// Money that somebody else moved, where that is nobody's usual task.
    fn asked_for(&self) -> Option<String> {
        let unasked = self.any(|at, transaction| {
            let others = |kind| self.index.of_kind(at, kind).filter(|done| done.effect.ours().is_none()).count();
            let usual = usize::from(transaction.collected);
            let captured = transaction.trigger != Trigger::Never && others(EffectKind::Capture) > usual;
            captured || others(EffectKind::Refund) > 0 || others(EffectKind::Capture) > 1 && transaction.collected
        });
        // What was usual when it happened is told when it is taken back.
        let taken_back = self.did(|effect| effect.ours().is_none() && effect.failed_late);
        wrong(!unasked && !taken_back && self.echoed(), "everything that moved was asked for")
    }
}
