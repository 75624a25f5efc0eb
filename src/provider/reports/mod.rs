//! A PSP that is known by its settlement reports only: nothing can be asked and nothing sent.

use std::time::Duration;

use super::{Capabilities, PartialCapture, PortError, Provider, PspPayment};
use crate::domain::id::{MethodName, TransactionId};
use crate::operation::request::PaymentRequest;
use crate::operation::{Answer, LookUp, Refusal};

#[derive(Debug, Clone, Copy)]
pub struct ReportsOnly;

impl Provider for ReportsOnly {
    fn capabilities(&self, _method: &MethodName) -> Capabilities {
        Capabilities { partial_capture: PartialCapture::None, refund: false }
    }

    fn send(&self, _request: &PaymentRequest) -> Answer {
        Answer::Refused(Refusal {
            code: "reports_only".to_owned(),
            message: "this provider is known by its reports only: do it in its back office".to_owned(),
            transient: false,
        })
    }

    fn look_up(&self, _request: &PaymentRequest) -> LookUp {
        LookUp::CannotTell { why: "this provider is known by its reports only".to_owned() }
    }

    fn standing(&self, _transaction: &TransactionId) -> Result<PspPayment, PortError> {
        Err(PortError::NotOffered)
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }
}
