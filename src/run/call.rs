//! An operation on its way to a worker, complete without the ledger.

use super::workers::Job;
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
            Request::Collect(request) => format!("collection of {}", request.reference),
            Request::Journal(request) => match &request.applies_to {
                Some((kind, number)) => format!("journal {} for {} {number}", request.number, kind.noun()),
                None => format!("journal {} for payment {}", request.number, request.transaction),
            },
            Request::PayoutJournal(request) => format!("journal {} for {}", request.number, request.name()),
            Request::Mail(request) => format!("mail \"{}\"", request.subject),
            Request::Cancel(request) => format!("payment {}", request.transaction),
            Request::Deletion(request) => format!("order {}/{}", request.shop, request.order),
            Request::Event(request) => request.name.clone(),
        }
    }
}

/// What came back. A panic of an adapter is an unknown outcome and a bug.
pub(super) struct Returned<T> {
    pub(super) call: Call,
    pub(super) outcome: Result<T, String>,
}

/// A call that was made in an earlier run, and is asked about.
pub(super) struct Question(pub(super) Call);

impl Job for Question {
    fn is_call(&self) -> bool {
        false
    }
}
