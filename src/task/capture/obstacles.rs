//! What stands in the way of a capture, and the exception that says so.

use chrono::TimeDelta;

use super::plan::Planner;
use crate::domain::document::Document;
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::TransactionId;
use crate::domain::letter;
use crate::domain::money::{Amount, MoneyError};
use crate::domain::order::{Cancellation, Terms};
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::UnsettledPayment;
use crate::operation::{Kind, Operation, State, Subject};
use crate::provider::PartialCapture;
use crate::task::{Action, Step, days, order_name};

impl<'a> Planner<'a> {
    pub(super) fn not_enough(&mut self, document: &Document, due: Amount, available: Amount, payers: &[&Payment]) {
        let waiting = payers.iter().any(|payment| {
            self.captures_of(payment, document)
                .any(|operation| matches!(operation.state, State::Sent | State::Unknown | State::Accepted))
        });
        if waiting {
            self.leave(document, "an earlier capture for it is not settled");
            return;
        }
        let refused = payers.iter().any(|payment| {
            let latest = self.captures_of(payment, document).max_by_key(|operation| operation.attempt);
            latest.is_some_and(|operation| {
                // Of a refusal for now nobody was told: it would have been tried again.
                let for_now = operation.refusal.as_ref().is_some_and(|refusal| refusal.transient);
                operation.state == State::Refused && !operation.retry_requested && !for_now
            })
        });
        if refused {
            self.leave(document, "its capture was refused: a person decides");
            return;
        }
        if matches!(self.case.order.terms, Terms::Prepayment { .. }) {
            self.leave(document, "beyond the prepayment the rest is settled by agreement");
            return;
        }
        if let Some(lapsed) = payers.iter().find(|payment| self.has_lapsed(payment))
            && available.is_zero()
        {
            self.expired(lapsed, Some(document), due);
            return;
        }
        let missing = due.checked_sub(available).map_or_else(|_| due.to_string(), |missing| missing.to_string());
        let figures: Vec<String> = payers
            .iter()
            .map(|payment| {
                format!(
                    "payment {} is {}, authorised {}, captured or claimed {}",
                    payment.transaction,
                    payment.status.as_str(),
                    payment.authorised,
                    payment.claimed
                )
            })
            .collect();
        let message = format!(
            "has {due} outstanding, but only {available} is still authorised: {missing} is missing ({}); \
             nothing was captured for it. Collect the difference by other means",
            figures.join("; ")
        );
        let draft = self.exception(ExceptionKind::ExceedsAuthorised, Some(document), message);
        let letter = payers
            .first()
            .map(|payment| letter::blocked(&format!("payment {}", payment.transaction), "captured", &draft));
        self.steps.push(Step::raise(draft, letter));
    }

    /// The customer pays the invoice by another payment: waited for, and told if that takes too long.
    pub(super) fn wait_for(&mut self, document: &Document, payment: &UnsettledPayment) {
        let why = format!("the customer is paying it by transaction {}", payment.transaction);
        if payment.since + days(self.frame.task.error_notification_after_days) > self.frame.now {
            self.leave(document, &why);
            return;
        }
        let since = payment.since.format("%Y-%m-%d");
        let message = format!(
            "{why}, which has stood the same since {since}; it is not captured from the order's own payment meanwhile. Find \
             out at the PSP how that transaction ended, and import its status"
        );
        let draft = self.exception(ExceptionKind::WaitsForPayment, Some(document), message);
        self.steps.push(Step::raise(draft, None));
    }

    /// Captured money that nothing takes: an invoice it paid once already is open again, the order is cancelled, or it is more
    /// than the order costs.
    pub(super) fn tell_of_untied(
        &mut self,
        open_again: &[(&Document, Amount, Amount)],
        left: &[(&TransactionId, Amount)],
    ) -> Result<(), MoneyError> {
        for (invoice, due, rest) in open_again {
            let message = format!(
                "has {due} outstanding again, and {rest} of the money that paid it once is still a prepayment; tie it by hand"
            );
            let draft = self.exception(ExceptionKind::CapturedAlready, Some(invoice), message);
            self.steps.push(Step::raise(draft, None));
        }
        let cancelled = self.case.order.cancelled != Cancellation::None;
        // An invoice that is open again needs it, also one of which the ERP does not know yet that it is.
        let waiting = open_again.iter().map(|(_, due, rest)| due.at_most(*rest)).collect::<Result<Vec<_>, _>>()?;
        let currency = self.case.order.total.currency();
        let waits = Amount::sum(currency, waiting)?;
        let sum = Amount::sum(currency, left.iter().map(|(_, rest)| *rest))?;
        let openings = self.invoices().map(Document::undelivered_openings).collect::<Result<Vec<_>, _>>()?;
        let beyond = if cancelled { sum } else { self.beyond_the_order(sum)? };
        let left_over = beyond.checked_sub(waits)?.checked_sub(Amount::sum(currency, openings)?)?;
        if left_over.is_positive() && !self.unsure {
            let message = if cancelled {
                let how = self.case.order.cancelled.as_str();
                format!(
                    "is cancelled ({how}), and {left_over} that was captured for it belongs to no invoice; {}",
                    pays_back(left, left_over)?
                )
            } else {
                format!(
                    "{left_over} more was captured for it than it costs ({}), and belongs to no invoice; {}",
                    self.case.order.total,
                    pays_back(left, left_over)?
                )
            };
            let draft = self.exception(ExceptionKind::UntiedMoney, None, message);
            self.steps.push(Step::raise(draft, None));
        }
        Ok(())
    }

    /// Whether a person was told in this run that money of the document waits to be tied: nobody is to be asked for it again.
    pub(super) fn is_told_of_its_money(&self, document: &Document) -> bool {
        self.steps.iter().any(|step| {
            matches!(&step.action, Action::Raise(draft, _)
                if draft.kind == ExceptionKind::CapturedAlready && draft.about.document == Some(document.id))
        })
    }

    pub(super) fn expired(&mut self, payment: &Payment, document: Option<&Document>, amount: Amount) {
        let when =
            payment.capture_before.map_or_else(String::new, |at| format!(" on {}", at.format("%Y-%m-%d %H:%M UTC")));
        let message = format!(
            "the authorisation of payment {} expired{when}, {amount} cannot be captured any more; ask the customer to pay again",
            payment.transaction
        );
        let draft = self.exception(ExceptionKind::AuthorisationExpired, document, message);
        let letter = letter::blocked(&format!("payment {}", payment.transaction), "captured", &draft);
        self.steps.push(Step::raise(draft, Some(letter)));
    }

    /// The PSP takes one part of what is left and no more, and nobody accepted that.
    pub(super) fn loses_rest(&self, payment: &Payment, part: Amount) -> bool {
        let once =
            self.seen.capabilities.get(&payment.id).map(|able| able.partial_capture) == Some(PartialCapture::Once);
        once && part.minor() < self.left_of(payment).minor() && !self.method(payment).accept_losing_remainder
    }

    /// Why the PSP or the settings do not allow that something of the authorisation is left over (rule 11).
    pub(super) fn objection_to_part(
        &self,
        payment: &Payment,
        document: &Document,
        part: Amount,
    ) -> Result<Option<String>, MoneyError> {
        let left = self.left_of(payment);
        if part.minor() == left.minor() {
            return Ok(None);
        }
        let method = self.method(payment);
        let partial = self.seen.capabilities.get(&payment.id).map_or(PartialCapture::None, |able| able.partial_capture);
        let lost = left.checked_sub(part)?;
        let name = &payment.method;
        Ok(match partial {
            _ if !method.allow_partial_capture => Some(format!(
                "wants {part} of {left} still authorised, and method `{name}` does not allow partial captures (allow_partial_capture)"
            )),
            PartialCapture::None => Some(format!(
                "wants {part} of {left} still authorised, and the PSP cannot capture a part with method `{name}`"
            )),
            PartialCapture::Once if method.accept_losing_remainder => None,
            PartialCapture::Once if self.rest_is_never_needed(payment)? && !self.others_lack(document) => None,
            PartialCapture::Once => Some(format!(
                "wants {part} of {left} still authorised; the PSP would let the other {lost} lapse with method `{name}` \
                 (accept_losing_remainder)"
            )),
            PartialCapture::Many => None,
        })
    }

    /// Whether other documents of the order want money of what would be left.
    fn others_lack(&self, document: &Document) -> bool {
        let others = self.case.documents.iter().filter(|other| other.kind == document.kind && other.id != document.id);
        others.filter_map(|other| self.due.get(&other.id)).any(|due| due.is_positive())
    }

    /// Captured for this document before, by any payment, and no attempt is open that was refused after that.
    pub(super) fn was_captured_already(&self, document: &Document, payers: &[&Payment]) -> bool {
        let all = || payers.iter().flat_map(|payment| self.captures_of(payment, document));
        let confirmed =
            all().filter(|operation| operation.state == State::Confirmed).map(|operation| operation.id).max();
        let latest = |operation: &Operation| {
            let same = all().filter(|other| other.subject == operation.subject);
            same.map(|other| other.attempt).max() == Some(operation.attempt)
        };
        let open = |operation: &Operation| match operation.state {
            State::Planned => true,
            State::Refused => latest(operation) && (operation.retry_requested || Some(operation.id) > confirmed),
            State::Sent | State::Accepted | State::Confirmed | State::Unknown | State::GivenUp | State::Withdrawn => {
                false
            }
        };
        confirmed.is_some() && !all().any(open)
    }

    /// Rule 17: open again because somebody refunded it without a credit note, whatever it was paid by; unless a person asked
    /// for another attempt.
    pub(super) fn was_reopened(&self, document: &Document, payers: &[&Payment]) -> bool {
        let by_person = payers
            .iter()
            .flat_map(|payment| self.captures_of(payment, document))
            .any(|operation| operation.retry_requested || operation.state == State::Planned && operation.attempt > 1);
        document.reopened.is_positive() && !by_person
    }

    pub(super) fn is_usable(&self, payment: &Payment, document: &Document) -> bool {
        let busy = self
            .captures_of(payment, document)
            .any(|operation| operation.state.counts() && operation.state != State::Planned);
        payment.status == TransactionStatus::Authorised
            && !busy
            && !self.has_lapsed(payment)
            && !self.has_live_release(payment)
            && !self.was_the_only_capture(payment)
            && payment.authorised.currency() == document.total.currency()
            && self.left_of(payment).is_positive()
    }

    /// The PSP said so, or its own deadline is over (rule 13), or nothing changed for the validity (trap T11): of what was
    /// captured meanwhile nothing lapses.
    pub(super) fn has_lapsed(&self, payment: &Payment) -> bool {
        payment.status == TransactionStatus::Expired
            || payment.capture_before.is_some_and(|deadline| deadline <= self.frame.now)
            || (payment.status == TransactionStatus::Authorised
                && payment.status_since + days(self.frame.task.transaction_valid_days) <= self.frame.now)
    }

    pub(super) fn past_default_deadline(&self, payment: &Payment) -> bool {
        let usual = self.frame.settings.providers.get(&payment.provider).map(|provider| provider.authorisation_valid);
        let usual = usual.and_then(|usual| TimeDelta::from_std(usual).ok());
        payment.capture_before.is_none()
            && usual.zip(payment.authorised_at).is_some_and(|(usual, at)| at + usual <= self.frame.now)
    }

    pub(super) fn has_live_release(&self, payment: &Payment) -> bool {
        self.case.operations.iter().any(|operation| {
            operation.kind == Kind::Release
                && operation.subject.payment == Some(payment.id)
                && operation.state.counts()
                && operation.state != State::Planned
        })
    }

    /// The PSP takes one capture of it and lets the rest lapse (rule 11); that one is made, on its way, or wanted by this plan.
    /// It may be some time before the PSP says so.
    fn was_the_only_capture(&self, payment: &Payment) -> bool {
        let partial = self.seen.capabilities.get(&payment.id).map_or(PartialCapture::None, |able| able.partial_capture);
        let live = self.case.operations.iter().any(|operation| {
            operation.kind == Kind::Capture
                && operation.subject.payment == Some(payment.id)
                && operation.state.counts()
                && operation.state != State::Planned
        });
        partial != PartialCapture::Many && (live || self.captured_now.contains(&payment.id))
    }

    pub(super) fn captures_of(&self, payment: &Payment, document: &Document) -> impl Iterator<Item = &'a Operation> {
        let subject = Subject::payment(payment.id, Some(document.id));
        self.case
            .operations
            .iter()
            .filter(move |operation| operation.kind == Kind::Capture && operation.subject == subject)
    }

    pub(super) fn exception(
        &self,
        kind: ExceptionKind,
        document: Option<&Document>,
        message: String,
    ) -> ExceptionDraft {
        let order = order_name(&self.case.order);
        ExceptionDraft {
            kind,
            subject: match document {
                Some(document) => {
                    format!("{} of order {order}", document.name_beside(&self.frame.settings.erp.company))
                }
                None => format!("order {order}"),
            },
            message,
            about: About {
                order: Some(self.case.order.id),
                document: document.map(|document| document.id),
                ..About::default()
            },
        }
    }
}

/// What a person types to have it paid back: of the latest payments first.
fn pays_back(held: &[(&TransactionId, Amount)], amount: Amount) -> Result<String, MoneyError> {
    let mut left = amount;
    let mut commands = Vec::new();
    for (transaction, rest) in held.iter().rev() {
        let part = left.at_most(*rest)?;
        if part.is_positive() {
            commands.push(format!("`payjournal refund-balance {transaction} --amount {}`", part.decimal()));
            left = left.checked_sub(part)?;
        }
    }
    let pay = if commands.len() == 1 { "pays" } else { "pay" };
    Ok(format!("{} {pay} it back", commands.join(" and ")))
}
