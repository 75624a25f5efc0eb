//! An order is collected once. A customer may have paid it twice, and a shipment or an authorisation knows nothing of what
//! was paid for its invoice: before anything is taken, all money of the order is held against what the order costs.

use super::plan::Planner;
use crate::domain::document::{Document, DocumentKind};
use crate::domain::exception::ExceptionKind;
use crate::domain::id::PaymentId;
use crate::domain::letter;
use crate::domain::money::{Amount, MoneyError};
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::order::Terms;
use crate::domain::payment::Payment;
use crate::operation::{Kind, Operation, State};
use crate::task::Step;

impl Planner<'_> {
    /// What a payment has taken or is about to take for the order: what was captured or claimed and not paid back, and what
    /// this plan takes. Planned captures count only if this plan wants them again.
    pub(super) fn take_stock_of_taken(&mut self) -> Result<(), MoneyError> {
        for payment in &self.case.payments {
            let planned = self.case.operations.iter().filter(|operation| {
                operation.kind == Kind::Capture
                    && operation.subject.payment == Some(payment.id)
                    && operation.state == State::Planned
            });
            let planned = Amount::sum(payment.claimed.currency(), planned.filter_map(|operation| operation.amount))?;
            let kept = payment.claimed.checked_sub(planned)?.checked_sub(payment.refunded)?;
            self.taken.insert(payment.id, kept);
        }
        Ok(())
    }

    /// Whether `amount` more from `payment` may be taken, for a document or as the authorisation it is. If not, it waits, or a
    /// person is told: other money was taken for the order too, and together it would be more than the order costs.
    pub(super) fn is_collected_once(
        &mut self,
        payment: &Payment,
        document: Option<&Document>,
        amount: Amount,
    ) -> Result<bool, MoneyError> {
        let currency = self.case.order.total.currency();
        if amount.currency() != currency {
            return Ok(true);
        }
        let own = self.taken.get(&payment.id).copied().unwrap_or(Amount::zero(currency));
        let others = self.taken_by(|id| id != payment.id)?;
        let costs = self.costs()?;
        let together = others.checked_add(own)?.checked_add(amount)?;
        // One payment may be authorised for more than the order (rule 10); that is told when nothing takes it.
        if !others.is_positive() || together.minor() <= costs.minor() {
            return Ok(true);
        }
        self.unmet = true;
        let invoice = document.filter(|document| document.kind == DocumentKind::Invoice);
        if let Some(invoice) = invoice
            && together.checked_sub(self.under_way_without_invoice()?)?.minor() <= costs.minor()
        {
            self.leave(invoice, "money of the order that belongs to no invoice yet is on its way and pays it first");
            return Ok(false);
        }
        let message = format!(
            "{amount} of payment {} would be taken on top of {others} from elsewhere and {own} of its own, and the order \
             costs {costs}: nothing was captured, so that it is not paid twice. Release the payment, or refund the other",
            payment.transaction
        );
        let draft = self.exception(ExceptionKind::ExceedsOrder, document, message);
        let letter = letter::blocked(&format!("payment {}", payment.transaction), "captured", &draft);
        self.steps.push(Step::raise(draft, Some(letter)));
        Ok(false)
    }

    /// The order's total, or its prepayment; its invoices if they come to more.
    fn costs(&self) -> Result<Amount, MoneyError> {
        let order = &self.case.order;
        let agreed = match order.terms {
            Terms::Prepayment { basis_points } => order.total.share(basis_points)?,
            Terms::Online | Terms::OnAccount => order.total,
        };
        let invoiced = self.invoiced()?;
        Ok(if invoiced.minor() > agreed.minor() { invoiced } else { agreed })
    }

    pub(super) fn invoices(&self) -> impl Iterator<Item = &Document> {
        let currency = self.case.order.total.currency();
        let invoices = self.case.documents.iter().filter(|document| document.kind == DocumentKind::Invoice);
        invoices.filter(move |invoice| invoice.total.currency() == currency)
    }

    fn invoiced(&self) -> Result<Amount, MoneyError> {
        Amount::sum(self.case.order.total.currency(), self.invoices().map(|invoice| invoice.total))
    }

    /// Whether all the money of the order comes to what it costs.
    pub(super) fn is_paid(&self) -> Result<bool, MoneyError> {
        Ok(self.taken_by(|_| true)?.minor() >= self.costs()?.minor())
    }

    /// By the payments asked for, by other means, and by payments for the invoices.
    fn taken_by(&self, counts: impl Fn(PaymentId) -> bool) -> Result<Amount, MoneyError> {
        let currency = self.case.order.total.currency();
        let others = self.taken.iter().filter(|(id, taken)| counts(**id) && taken.currency() == currency);
        let others = Amount::sum(currency, others.map(|(_, taken)| *taken))?;
        let elsewhere = Amount::sum(currency, self.invoices().map(|invoice| invoice.paid_elsewhere.or_zero()))?;
        let booked = Amount::sum(currency, self.invoices().map(|invoice| invoice.booked))?;
        let strangers = booked.checked_sub(self.tied()?)?.or_zero();
        others.checked_add(elsewhere)?.checked_add(strangers)
    }

    /// What the order's own captures have paid of invoices.
    fn tied(&self) -> Result<Amount, MoneyError> {
        let currency = self.case.order.total.currency();
        let failed = |capture: &Movement| {
            self.case.movements.iter().any(|movement| {
                movement.kind == MovementKind::CaptureFailure && movement.modification == capture.modification
            })
        };
        let captures = self.case.movements.iter().filter(|movement| {
            movement.kind == MovementKind::Capture && movement.amount.currency() == currency && !failed(movement)
        });
        let tied: Result<Vec<Amount>, MoneyError> =
            captures.map(|capture| capture.amount.checked_sub(capture.untied)).collect();
        Amount::sum(currency, tied?)?.checked_sub(self.case.withheld)
    }

    /// Captures for shipments or of authorisations that have no answer yet, or that this plan makes: a prepayment when they
    /// are confirmed.
    fn under_way_without_invoice(&self) -> Result<Amount, MoneyError> {
        let is_invoice = |operation: &&Operation| {
            let invoice = self.invoices().find(|invoice| operation.subject.document == Some(invoice.id));
            operation.kind != Kind::Capture || invoice.is_some()
        };
        let sent = |state| matches!(state, State::Sent | State::Accepted | State::Unknown);
        let sent = self.case.operations.iter().filter(|operation| sent(operation.state) && !is_invoice(operation));
        let sent = Amount::sum(self.case.order.total.currency(), sent.filter_map(|operation| operation.amount))?;
        sent.checked_add(self.wanted_without_invoice)
    }

    /// Captured money of an order that goes on, beyond all that can still be invoiced.
    pub(super) fn beyond_the_order(&self, untied: Amount) -> Result<Amount, MoneyError> {
        let to_come = self.case.order.total.checked_sub(self.invoiced()?)?.or_zero();
        Ok(untied.checked_sub(to_come)?.or_zero())
    }
}
