//! What to capture for one order, and why. Pure.
//!
//! Captured money that is not tied yet is tied to invoices first; only what an invoice still lacks is captured, never more
//! than is still authorised, and never a second time for the same payment and document.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{Seen, is_ours};
use crate::config::settings::{CaptureStrategy, MethodSettings};
use crate::domain::consequence::Consequence;
use crate::domain::document::{Document, DocumentKind};
use crate::domain::exception::ExceptionKind;
use crate::domain::id::{DocumentId, OperationId, PaymentId};
use crate::domain::letter;
use crate::domain::money::{Amount, MoneyError};
use crate::domain::movement::MovementKind;
use crate::domain::order::{Cancellation, PaymentStatus, Terms};
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::CaptureCase;
use crate::operation::key::NaturalKey;
use crate::operation::{Key, Kind, Operation, State, Subject};
use crate::provider::PortError;
use crate::task::facts::learn_first;
use crate::task::{Action, Frame, Step, Wanted, days, give_up_stale, order_name};

pub(super) struct Planner<'a> {
    pub(super) case: &'a CaptureCase,
    pub(super) seen: &'a Seen,
    pub(super) frame: &'a Frame<'a>,
    pub(super) steps: Vec<Step>,
    /// What each document still lacks, less what this plan takes.
    pub(super) due: BTreeMap<DocumentId, Amount>,
    /// What each payment still has authorised, less what this plan takes.
    pub(super) left: BTreeMap<PaymentId, Amount>,
    /// What each payment has taken for the order and not paid back, and what this plan takes.
    pub(super) taken: BTreeMap<PaymentId, Amount>,
    /// Of that, what this plan takes without an invoice.
    pub(super) wanted_without_invoice: Amount,
    /// Operations this plan decided about; a planned one it did not is withdrawn.
    decided: BTreeSet<OperationId>,
    /// Payments this plan takes something from.
    pub(super) captured_now: BTreeSet<PaymentId>,
    /// Something could not be read: nothing is released or withdrawn on a guess.
    pub(super) unsure: bool,
    /// A wanted capture does not go out in this run: what is left of the authorisation may still be needed.
    pub(super) unmet: bool,
}

pub(super) fn plan(case: &CaptureCase, seen: &Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
    let about = format!("order {}", order_name(&case.order));
    let captures = || case.operations.iter().filter(|operation| is_ours(operation));
    if case.order.payment_status == PaymentStatus::Error {
        let mut steps = give_up_stale(captures(), frame);
        steps.push(Step::leave(about, "the order's payment status is Error: a person decides"));
        return Ok(steps);
    }
    if case.order.deleted {
        let mut steps = give_up_stale(captures(), frame);
        let why =
            "it was deleted: its money waits until a person refunds it or puts the order back (`payjournal restore`)";
        steps.push(Step::leave(about, why));
        return Ok(steps);
    }
    let payments: Vec<&Payment> = case.payments.iter().collect();
    let order = Some(&case.order);
    let mut first =
        learn_first(&seen.standings, &payments, order, &case.operations, &case.movements, &case.named, frame);
    if !first.is_empty() {
        first.extend(give_up_stale(captures(), frame));
        return Ok(first);
    }
    let mut planner = Planner {
        case,
        seen,
        frame,
        steps: Vec::new(),
        due: BTreeMap::new(),
        left: BTreeMap::new(),
        taken: BTreeMap::new(),
        wanted_without_invoice: Amount::zero(case.order.total.currency()),
        decided: BTreeSet::new(),
        captured_now: BTreeSet::new(),
        unsure: false,
        unmet: false,
    };
    planner.take_stock()?;
    planner.tie()?;
    for document in &case.documents {
        planner.collect(document)?;
    }
    planner.collect_authorisations()?;
    planner.release()?;
    planner.withdraw_unwanted();
    planner.give_up_undecided();
    // What is withdrawn makes room for what is sent.
    planner.steps.sort_by_key(|step| !matches!(step.action, Action::Withdraw { .. }));
    Ok(planner.steps)
}

impl<'a> Planner<'a> {
    /// What is due and what is left, as if our planned operations were not there: they are decided about again.
    fn take_stock(&mut self) -> Result<(), MoneyError> {
        self.take_stock_of_taken()?;
        for payment in &self.case.payments {
            let planned = self
                .planned(|operation| operation.subject.payment == Some(payment.id) && operation.kind == Kind::Capture);
            let mut left = payment.still_authorised()?;
            if payment.status == TransactionStatus::Authorised {
                left = left.checked_add(Amount::sum(payment.authorised.currency(), planned)?)?;
            }
            self.left.insert(payment.id, left);
        }
        for (id, outstanding) in &self.seen.outstanding {
            let Some(document) = self.case.documents.iter().find(|document| document.id == *id) else { continue };
            match outstanding {
                Ok(outstanding) => {
                    let planned = self.planned(|operation| operation.subject.document == Some(*id));
                    let planned = Amount::sum(document.total.currency(), planned)?;
                    let others = Document { in_flight: document.in_flight.checked_sub(planned)?, ..document.clone() };
                    if others.may_lack_more(*outstanding)? {
                        self.unsure = true;
                        self.steps.push(Step::unanswered(document));
                    } else {
                        self.due.insert(*id, others.uncollected(*outstanding)?);
                    }
                }
                Err(PortError::Unreachable { why }) => {
                    self.unsure = true;
                    self.steps.push(Step::unreachable(document.name(), why));
                }
                Err(why @ (PortError::CannotTell { .. } | PortError::NotOffered)) => {
                    self.unsure = true;
                    let message = format!("the ERP cannot say what is outstanding: {why}; nothing is captured for it");
                    let draft = self.exception(ExceptionKind::OutstandingUnreadable, Some(document), message);
                    self.steps.push(Step::raise(draft, None));
                }
            }
        }
        Ok(())
    }

    fn planned(&self, wanted: impl Fn(&Operation) -> bool) -> Vec<Amount> {
        let planned = self.case.operations.iter().filter(|operation| operation.state == State::Planned);
        planned.filter(|operation| wanted(operation)).filter_map(|operation| operation.amount).collect()
    }

    /// Money captured before there was an invoice pays the order's invoices first (rules 10 and 15).
    /// What was charged back pays them in the books, too: the customer owes it as a disputed receivable, and it is not captured again
    /// (rule 17).
    fn tie(&mut self) -> Result<(), MoneyError> {
        let case = self.case;
        let mut untied: Vec<(&crate::domain::movement::Movement, Amount)> = Vec::new();
        for payment in &case.payments {
            let mut gone = self.unapplied_refunds(payment)?;
            let captures = case.movements.iter().filter(|movement| movement.payment == payment.id);
            for movement in
                captures.filter(|movement| movement.kind == MovementKind::Capture && movement.untied.is_positive())
            {
                let taken = gone.at_most(movement.untied)?.or_zero();
                gone = gone.checked_sub(taken)?;
                untied.push((movement, movement.untied.checked_sub(taken)?));
            }
        }
        let mut open_again = Vec::new();
        for invoice in case.documents.iter().filter(|document| document.kind == DocumentKind::Invoice) {
            for (movement, rest) in &mut untied {
                let Some(due) = self.due.get_mut(&invoice.id) else { continue };
                if rest.currency() != due.currency() {
                    continue;
                }
                if movement.tied_to.contains(&invoice.id) {
                    if rest.is_positive() && due.is_positive() {
                        open_again.push((invoice, *due, *rest));
                    }
                    continue;
                }
                let amount = rest.at_most(*due)?;
                // It is tied once: as soon as the ERP knows of all that is open again.
                let later = rest.at_most(due.checked_add(invoice.undelivered_openings()?)?)?;
                if amount.is_positive() && amount != later {
                    *rest = rest.checked_sub(later)?;
                    let why = format!("capture {} waits until the ERP has what opens it again", movement.modification);
                    self.steps.push(Step::leave(invoice.name(), why));
                    self.unsure = true;
                    self.due.remove(&invoice.id);
                    continue;
                }
                if amount.is_positive() {
                    *rest = rest.checked_sub(amount)?;
                    *due = due.checked_sub(amount)?;
                    let reason = format!("{amount} of capture {} was taken before the invoice", movement.modification);
                    let tie = Consequence::Application { movement: movement.id, document: invoice.id, amount };
                    self.steps.push(Step::record(invoice.name(), reason, tie));
                }
            }
        }
        let mut left = Vec::new();
        for payment in &case.payments {
            let of_payment = untied.iter().filter(|(movement, _)| movement.payment == payment.id);
            let rest = Amount::sum(payment.authorised.currency(), of_payment.map(|(_, rest)| *rest))?;
            // The customer has that back already.
            let rest = rest.checked_sub(payment.charged_back)?;
            if rest.is_positive() {
                left.push((&payment.transaction, rest));
            }
        }
        self.tell_of_untied(&open_again, &left)
    }

    /// Refunds that no document stands for took untied money away again.
    fn unapplied_refunds(&self, payment: &Payment) -> Result<Amount, MoneyError> {
        let refunds = self
            .case
            .movements
            .iter()
            .filter(|movement| movement.payment == payment.id && movement.kind == MovementKind::Refund);
        Amount::sum(payment.authorised.currency(), refunds.map(|refund| refund.untied))
    }

    /// Captures what one document still lacks.
    fn collect(&mut self, document: &'a Document) -> Result<(), MoneyError> {
        let Some(due) = self.due.get(&document.id).copied() else { return Ok(()) };
        let payers: Vec<&Payment> =
            self.case.payments.iter().filter(|payment| self.trigger(payment) == Some(document.kind)).collect();
        if payers.is_empty() {
            return Ok(());
        }
        if !due.is_positive() {
            self.leave(document, "nothing is outstanding");
            return Ok(());
        }
        if let Some((_, payment)) = self.case.being_paid.iter().find(|(id, _)| *id == document.id) {
            self.unsure = true;
            self.wait_for(document, payment);
            return Ok(());
        }
        // An ERP bills what it has delivered; ours was over all of it.
        if self.case.order.cancelled == Cancellation::Full && self.case.issued.contains(&document.id) {
            let message = format!(
                "its order was cancelled after it was billed: nothing is captured for it. `payjournal cancel-invoice {} \
                 --reason 'order cancelled'` takes it back",
                document.number
            );
            let draft = self.exception(ExceptionKind::NotBillable, Some(document), message);
            self.steps.push(Step::raise(draft, None));
            return Ok(());
        }
        if self.is_told_of_its_money(document) {
            return Ok(());
        }
        if self.was_captured_already(document, &payers) || self.was_reopened(document, &payers) {
            let message = format!(
                "was captured once and has {due} outstanding again; it is never captured a second time by itself: \
                 collect it by other means, or cancel the rest"
            );
            let draft = self.exception(ExceptionKind::CapturedAlready, Some(document), message);
            self.steps.push(Step::raise(draft, None));
            return Ok(());
        }
        let usable: Vec<&Payment> =
            payers.iter().copied().filter(|payment| self.is_usable(payment, document)).collect();
        let available = Amount::sum(due.currency(), usable.iter().map(|payment| self.left_of(payment)))?;
        if available.minor() < due.minor() {
            // A shipment has no account that says so; money that came after a no, or for its invoice, is the order's.
            if document.kind == DocumentKind::Shipment && self.is_paid()? {
                self.leave(document, "the order is paid in full");
                return Ok(());
            }
            self.not_enough(document, due, available, &payers);
            return Ok(());
        }
        self.spread(document, due, &usable)
    }

    /// Takes `due` from the payments, oldest first; all of it or nothing.
    fn spread(&mut self, document: &'a Document, due: Amount, usable: &[&'a Payment]) -> Result<(), MoneyError> {
        let mut parts = Vec::new();
        let mut rest = due;
        for payment in usable {
            let part = rest.at_most(self.left_of(payment))?;
            if part.is_positive() {
                if self.unsure && self.loses_rest(payment, part) {
                    let why = "the PSP lets the rest lapse, and it is not known what else of the order needs it";
                    self.steps.push(Step::awaits(document.name(), why));
                    self.unmet = true;
                    return Ok(());
                }
                if let Some(why) = self.objection_to_part(payment, document, part)? {
                    let draft = self.exception(ExceptionKind::PartialCaptureNotAllowed, Some(document), why);
                    let letter = letter::blocked(&format!("payment {}", payment.transaction), "captured", &draft);
                    self.steps.push(Step::raise(draft, Some(letter)));
                    return Ok(());
                }
                if !self.is_collected_once(payment, Some(document), due)? {
                    return Ok(());
                }
                parts.push((*payment, part));
                rest = rest.checked_sub(part)?;
            }
        }
        for (payment, part) in parts {
            let mut reason = format!("{} was posted on {} with {due} outstanding", document.name(), document.posted_on);
            if self.past_default_deadline(payment) {
                reason.push_str("; the authorisation is older than it usually lasts, and the PSP named no deadline");
            }
            self.want(payment, Some(document), part, reason)?;
        }
        Ok(())
    }

    /// `immediate` and `delay`: the authorised amount itself, against the pseudo-document `AUTH` (rule 10).
    fn collect_authorisations(&mut self) -> Result<(), MoneyError> {
        for payment in &self.case.payments {
            let Some(delay) = self.delay(payment) else { continue };
            let left = self.left_of(payment);
            if payment.status != TransactionStatus::Authorised || !left.is_positive() || self.has_live_release(payment)
            {
                continue;
            }
            let about = format!("payment {}", payment.transaction);
            let from = payment.authorised_at.unwrap_or(payment.status_since) + delay;
            if from > self.frame.now {
                let reason = format!("captured from {}", from.format("%Y-%m-%d %H:%M UTC"));
                self.steps.push(Step::leave(about, reason));
                continue;
            }
            if payment.capture_before.is_some_and(|deadline| deadline <= self.frame.now) {
                self.expired(payment, None, left);
                continue;
            }
            if !self.is_collected_once(payment, None, left)? {
                continue;
            }
            self.want(
                payment,
                None,
                left,
                format!("authorised {} is captured without waiting for an invoice", payment.authorised),
            )?;
        }
        Ok(())
    }

    fn want(
        &mut self,
        payment: &Payment,
        document: Option<&Document>,
        amount: Amount,
        reason: String,
    ) -> Result<(), MoneyError> {
        let subject = Subject::payment(payment.id, document.map(|document| document.id));
        self.decide(Kind::Capture, payment, document, subject, amount, reason);
        let left = self.left_of(payment).checked_sub(amount)?;
        self.left.insert(payment.id, left);
        if let Some(taken) = self.taken.get_mut(&payment.id) {
            *taken = taken.checked_add(amount)?;
        }
        let without_invoice = document.is_none_or(|document| document.kind != DocumentKind::Invoice);
        if without_invoice && amount.currency() == self.wanted_without_invoice.currency() {
            self.wanted_without_invoice = self.wanted_without_invoice.checked_add(amount)?;
        }
        self.captured_now.insert(payment.id);
        if let Some(document) = document
            && let Some(due) = self.due.get_mut(&document.id)
        {
            *due = due.checked_sub(amount)?;
        }
        Ok(())
    }

    pub(super) fn decide(
        &mut self,
        kind: Kind,
        payment: &Payment,
        document: Option<&Document>,
        subject: Subject,
        amount: Amount,
        reason: String,
    ) {
        let past: Vec<Operation> = self
            .case
            .operations
            .iter()
            .filter(|operation| operation.kind == kind && operation.subject == subject)
            .cloned()
            .collect();
        self.decided.extend(past.iter().map(|operation| operation.id));
        let mode = self.frame.settings.mode.as_str();
        let document_key = document.map_or_else(|| "AUTH".to_owned(), Document::natural_key);
        let key = |attempt| Key::of(kind, NaturalKey::of_payment(mode, payment, &document_key, attempt));
        let about = document.map_or_else(|| format!("payment {}", payment.transaction), Document::name);
        let wanted = Wanted { about, reason, kind, subject, amount: Some(amount), past, key: &key };
        let steps = wanted.steps(self.frame);
        self.unmet |= !steps.iter().any(|step| step.action.sends().is_some());
        self.steps.extend(steps);
    }

    /// A planned capture or release that nothing wants any more was never carried out.
    fn withdraw_unwanted(&mut self) {
        // Not on a guess, unless this plan takes the same money for something else.
        let is_sure = |operation: &Operation| {
            !self.unsure || operation.subject.payment.is_some_and(|payment| self.captured_now.contains(&payment))
        };
        let unwanted = self.case.operations.iter().filter(|operation| {
            let undecided = is_ours(operation) && !self.decided.contains(&operation.id);
            operation.state == State::Planned && undecided && is_sure(operation)
        });
        let steps: Vec<Step> = unwanted
            .map(|operation| Step {
                about: format!("operation {}", operation.id),
                reason: format!("the planned {} is no longer wanted", operation.kind.as_str()),
                action: Action::Withdraw { operation: operation.id },
            })
            .collect();
        self.steps.extend(steps);
    }

    /// While something cannot be read, a planned operation nothing decides about grows old all the same.
    fn give_up_undecided(&mut self) {
        let undecided =
            self.case.operations.iter().filter(|operation| is_ours(operation) && !self.decided.contains(&operation.id));
        let withdrawn = |id: OperationId| {
            let of_it = |step: &Step| step.action == Action::Withdraw { operation: id };
            self.steps.iter().any(of_it)
        };
        let steps = give_up_stale(undecided.filter(|operation| !withdrawn(operation.id)), self.frame);
        self.steps.extend(steps);
    }

    /// Which documents make us capture a payment: none where the money is taken without one.
    pub(super) fn trigger(&self, payment: &Payment) -> Option<DocumentKind> {
        // Payments for posted invoices are collected by themselves; orders on account are never captured.
        if !payment.pays.is_empty() || self.case.order.terms == Terms::OnAccount {
            return None;
        }
        match self.method(payment).strategy {
            CaptureStrategy::Invoice => Some(DocumentKind::Invoice),
            CaptureStrategy::Shipment => Some(DocumentKind::Shipment),
            // What is invoiced of a cancelled order is captured; the rest must not be.
            CaptureStrategy::Immediate | CaptureStrategy::Delay { .. } => {
                (self.case.order.cancelled != Cancellation::None).then_some(DocumentKind::Invoice)
            }
            CaptureStrategy::Automatic | CaptureStrategy::Manual => None,
        }
    }

    /// How long after the authorisation it is captured without a document, if it is.
    fn delay(&self, payment: &Payment) -> Option<TimeDelta> {
        let theirs = !payment.pays.is_empty() || self.case.order.terms == Terms::OnAccount;
        if self.case.order.cancelled != Cancellation::None || theirs {
            return None;
        }
        match self.method(payment).strategy {
            CaptureStrategy::Immediate => Some(TimeDelta::zero()),
            CaptureStrategy::Delay { days: count } => Some(days(count)),
            CaptureStrategy::Invoice
            | CaptureStrategy::Shipment
            | CaptureStrategy::Automatic
            | CaptureStrategy::Manual => None,
        }
    }

    pub(super) fn method(&self, payment: &Payment) -> &'a MethodSettings {
        self.frame.settings.method(&payment.method)
    }

    pub(super) fn left_of(&self, payment: &Payment) -> Amount {
        self.left.get(&payment.id).copied().unwrap_or(Amount::zero(payment.authorised.currency()))
    }

    pub(super) fn leave(&mut self, document: &Document, reason: &str) {
        self.steps.push(Step::leave(document.name(), reason));
    }
}
