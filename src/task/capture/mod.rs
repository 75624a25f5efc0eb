//! `capture`: takes the authorised money when the ERP has posted the invoice or shipment; releases what will never be needed
//! (rules 9–14).

mod consequences;
mod invoice_payments;
mod obstacles;
mod once;
mod plan;
mod release;

use std::collections::BTreeMap;

pub(crate) use consequences::refused;
pub use consequences::{consequences, release_consequences};

pub use invoice_payments::InvoicePayments;

use super::{Frame, Step, Task, order_name};
use crate::config::settings::CaptureStrategy;
use crate::domain::document::DocumentKind;
use crate::domain::id::{DocumentId, OrderId, PaymentId};
use crate::domain::money::{Amount, MoneyError};
use crate::domain::order::Cancellation;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::{CaptureCase, Ledger, LedgerError, Scope};
use crate::operation::{Kind, Operation, State};
use crate::provider::{Capabilities, PortError, PspPayment};
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct Capture;

/// What ERP and PSP said about one order.
#[derive(Debug)]
pub struct Seen {
    /// What is outstanding on each invoice and shipment, read now (rule 9).
    pub outstanding: BTreeMap<DocumentId, Result<Amount, PortError>>,
    pub capabilities: BTreeMap<PaymentId, Capabilities>,
    /// How the payments stand that money may be taken from in this run: somebody may have captured in the back office.
    pub standings: BTreeMap<PaymentId, Result<PspPayment, PortError>>,
}

/// What this task sends: refunds and cancellations of the same payments are other tasks'.
fn is_ours(operation: &Operation) -> bool {
    matches!(operation.kind, Kind::Capture | Kind::Release)
}

/// Whether something may be captured or released: only then is the PSP asked how the payments stand.
fn may_act(case: &CaptureCase, outstanding: &BTreeMap<DocumentId, Result<Amount, PortError>>) -> bool {
    let lacks = case.documents.iter().any(|document| match outstanding.get(&document.id) {
        Some(Ok(left)) => document.uncollected(*left).is_ok_and(Amount::is_positive),
        Some(Err(_)) | None => false,
    });
    // A planned capture is taken for done in what is lacking: it may be sent all the same.
    let planned = |operation: &Operation| operation.state == State::Planned && is_ours(operation);
    lacks || case.order.cancelled != Cancellation::None || case.operations.iter().any(planned)
}

/// Whether money may be taken from a payment now, or is being taken without an operation here that says so: a PSP calls it
/// captured as soon as it has accepted what somebody else asked for, or what it had refused to us. That is not what we have planned.
fn may_move(payment: &Payment, operations: &[Operation]) -> bool {
    let planned = operations.iter().filter(|operation| {
        operation.kind == Kind::Capture
            && operation.state == State::Planned
            && operation.subject.payment == Some(payment.id)
    });
    let planned: i64 = planned.filter_map(|operation| operation.amount).map(Amount::minor).sum();
    match payment.status {
        TransactionStatus::Authorised => true,
        TransactionStatus::Captured => payment.claimed.minor() - planned < payment.authorised.minor(),
        TransactionStatus::Open
        | TransactionStatus::Pending
        | TransactionStatus::Released
        | TransactionStatus::Cancelled
        | TransactionStatus::Refused
        | TransactionStatus::Expired
        | TransactionStatus::Error => false,
    }
}

impl Task for Capture {
    type Case = CaptureCase;
    type Seen = Seen;

    const KINDS: &'static [Kind] = &[Kind::Capture, Kind::Release];
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, _frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        Ok(ledger.capture_orders(OrderId(after), limit)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<CaptureCase, LedgerError> {
        ledger.capture_case(OrderId(id))
    }

    fn observe(&self, case: &CaptureCase, ports: &Ports, frame: &Frame<'_>) -> Seen {
        let mut outstanding = BTreeMap::new();
        for document in &case.documents {
            let left = match document.kind {
                DocumentKind::CreditNote | DocumentKind::Cancellation | DocumentKind::RefundRequest => continue,
                DocumentKind::Invoice => ports.outstanding(document),
                // A shipment is no receivable: the ERP cannot say what is outstanding on it, the ledger can.
                DocumentKind::Shipment => {
                    document.outstanding().map_err(|error| PortError::CannotTell { why: error.to_string() })
                }
            };
            outstanding.insert(document.id, left);
        }
        let may_act = may_act(case, &outstanding);
        let own = || case.payments.iter().filter(|payment| payment.pays.is_empty());
        let at_once = own().any(|payment| {
            let strategy = frame.settings.method(&payment.method).strategy;
            let without_document = matches!(strategy, CaptureStrategy::Immediate | CaptureStrategy::Delay { .. });
            payment.status == TransactionStatus::Authorised && without_document
        });
        let asked = own().filter(|payment| (may_act || at_once) && may_move(payment, &case.operations));
        let standings = asked.map(|payment| (payment.id, ports.standing(&payment.provider, &payment.transaction)));
        let able = |payment: &Payment| Some((payment.id, ports.capabilities(&payment.provider, &payment.method)?));
        Seen {
            standings: standings.collect(),
            capabilities: case.payments.iter().filter_map(able).collect(),
            outstanding,
        }
    }

    fn plan(&self, case: &CaptureCase, seen: &Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        plan::plan(case, seen, frame)
    }

    fn scope(&self, case: &CaptureCase) -> Scope {
        Scope { order: Some(case.order.id), ..Scope::default() }
    }

    fn name(&self, case: &CaptureCase) -> String {
        format!("order {}", order_name(&case.order))
    }
}
