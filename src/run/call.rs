//! An operation on its way to a worker, complete without the ledger.

use crate::operation::Operation;
use crate::operation::request::Request;

/// An operation on its way to a worker.
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) request: Request,
    pub(super) reason: String,
}

impl Call {
    /// What the call is about, as a person names it.
    pub(super) fn about(&self) -> String {
        match &self.request {
            Request::Payment(request) => match &request.document {
                Some((kind, number)) => format!("{} {number} (payment {})", kind.noun(), request.transaction),
                None => format!("payment {}", request.transaction),
            },
            Request::Journal(request) => match &request.applies_to {
                Some((kind, number)) => format!("journal {} for {} {number}", request.number, kind.noun()),
                None => format!("journal {} for payment {}", request.number, request.transaction),
            },
            Request::Mail(request) => format!("mail \"{}\"", request.subject),
            Request::Cancel(request) => format!("payment {}", request.transaction),
            Request::Deletion(request) => format!("order {}/{}", request.shop, request.order),
            Request::Event(request) => request.name.clone(),
        }
    }
}
