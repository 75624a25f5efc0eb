//! When the rest of an authorisation is given back: when it will never be needed, and every capture is settled (rule 12).

use super::plan::Planner;
use crate::config::settings::CaptureStrategy;
use crate::domain::document::DocumentKind;
use crate::domain::money::{Amount, MoneyError};
use crate::domain::order::Cancellation;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::operation::{Kind, State, Subject};
use crate::task::Step;

impl Planner<'_> {
    pub(super) fn release(&mut self) -> Result<(), MoneyError> {
        let case = self.case;
        for payment in &case.payments {
            let left = self.left_of(payment);
            let reserved = payment.status == TransactionStatus::Authorised && left.is_positive();
            if !reserved || !payment.pays.is_empty() || !self.rest_is_never_needed(payment)? {
                continue;
            }
            if let Some(why) = self.release_waits(payment) {
                self.steps.push(Step::leave(format!("payment {}", payment.transaction), why));
                continue;
            }
            let reason = match case.order.cancelled {
                Cancellation::Full => "the order is cancelled",
                Cancellation::Rest => "the rest of the order is cancelled",
                Cancellation::None => "the order is fully invoiced and captured",
            };
            self.decide(
                Kind::Release,
                payment,
                None,
                Subject::payment(payment.id, None),
                left,
                format!("{reason}: {left} of {} is not needed any more", payment.authorised),
            );
        }
        Ok(())
    }

    /// Whether nothing will ever be captured from what is left. Where the PSP or a person captures, it is theirs to say.
    pub(super) fn rest_is_never_needed(&self, payment: &Payment) -> Result<bool, MoneyError> {
        let order = &self.case.order;
        let method = self.method(payment);
        let trigger = match method.strategy {
            CaptureStrategy::Automatic | CaptureStrategy::Manual => return Ok(false),
            CaptureStrategy::Shipment => DocumentKind::Shipment,
            CaptureStrategy::Invoice | CaptureStrategy::Immediate | CaptureStrategy::Delay { .. } => {
                DocumentKind::Invoice
            }
        };
        let posted = |kind| self.case.documents.iter().filter(move |document| document.kind == kind);
        match order.cancelled {
            Cancellation::Full => Ok(true),
            // Before anything is invoiced nobody knows how much stays.
            Cancellation::Rest => Ok(posted(DocumentKind::Invoice).next().is_some()),
            Cancellation::None => {
                let total = Amount::sum(order.total.currency(), posted(trigger).map(|document| document.total))?;
                Ok(method.release_after_full_invoice
                    && order.total.is_positive()
                    && total.minor() >= order.total.minor())
            }
        }
    }

    /// Whether an invoice of the order, or a document that makes us capture this payment, lacks money. Where invoices are
    /// captured, a shipment never gets any.
    fn lacks_money(&self, payment: &Payment) -> bool {
        let trigger = self.trigger(payment);
        self.case.documents.iter().any(|document| {
            let counts = document.kind == DocumentKind::Invoice || Some(document.kind) == trigger;
            counts && self.due.get(&document.id).is_some_and(|due| due.is_positive())
        })
    }

    /// A release takes away what a capture may still need.
    fn release_waits(&self, payment: &Payment) -> Option<&'static str> {
        let unsettled = self.case.operations.iter().any(|operation| {
            operation.kind == Kind::Capture
                && operation.subject.payment == Some(payment.id)
                && matches!(
                    operation.state,
                    State::Planned | State::Sent | State::Unknown | State::Accepted | State::GivenUp
                )
        });
        let planned_now = self.steps.iter().any(|step| step.action.sends() == Some(Kind::Capture));
        if unsettled || planned_now {
            Some("released when every capture of it is confirmed")
        } else if self.unmet {
            Some("released when no capture of the order waits for a person any more")
        } else if self.unsure {
            Some("released when it is known what is outstanding")
        } else if self.lacks_money(payment) {
            Some("released when no invoice or shipment of the order lacks money any more")
        } else {
            None
        }
    }
}
