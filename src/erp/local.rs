//! The ERP that needs no server: documents come in by import, the ledger's own journals are the books, and accountants
//! take them by `payjournal export`. There is nothing to deliver, so a delivery is confirmed at once.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Erp, OrderDeletion};
use crate::domain::deletion::DeletionMethod;
use crate::domain::document::Document;
use crate::domain::id::ModificationId;
use crate::domain::money::Amount;
use crate::operation::request::{DeletionRequest, JournalRequest};
use crate::operation::{Answer, LookUp, Refusal};
use crate::provider::PortError;

#[derive(Debug)]
pub struct Local {
    /// Pretend that the ERP is down, to see what happens then.
    unreachable: bool,
    /// Pretend that it keeps every order.
    keeps_orders: bool,
    now: DateTime<Utc>,
}

impl Local {
    pub fn new(unreachable: bool, keeps_orders: bool, now: DateTime<Utc>) -> Self {
        Self { unreachable, keeps_orders, now }
    }

    fn down() -> String {
        "the ERP `local` is told to be unreachable by `fault` in the config".to_owned()
    }

    fn confirmed(&self, request: &JournalRequest) -> Answer {
        match ModificationId::parse(&request.number) {
            Ok(modification) => Answer::Confirmed { modification, at: self.now, amount: None },
            Err(error) => Answer::Unknown { why: error.to_string() },
        }
    }
}

impl Erp for Local {
    fn outstanding(&self, document: &Document) -> Result<Amount, PortError> {
        if self.unreachable {
            return Err(PortError::Unreachable { why: Self::down() });
        }
        document.outstanding().map_err(|error| PortError::CannotTell { why: error.to_string() })
    }

    fn deliver(&self, request: &JournalRequest) -> Answer {
        if self.unreachable {
            return Answer::NotDone { why: Self::down(), retry_after_seconds: None };
        }
        self.confirmed(request)
    }

    fn look_up(&self, request: &JournalRequest) -> LookUp {
        if self.unreachable {
            return LookUp::CannotTell { why: Self::down() };
        }
        LookUp::Found(self.confirmed(request))
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }

    fn order_deletion(&self) -> Option<&dyn OrderDeletion> {
        Some(self)
    }
}

/// The ledger's own rows are the ERP's: what keeps an order is in the request, and the outcome is written with the answer.
impl OrderDeletion for Local {
    fn delete(&self, request: &DeletionRequest) -> Answer {
        if self.unreachable {
            return Answer::NotDone { why: Self::down(), retry_after_seconds: None };
        }
        let refused =
            |code: &str, message: String| Answer::Refused(Refusal { code: code.to_owned(), message, transient: false });
        if self.keeps_orders {
            return refused(
                "order_locked",
                "the ERP `local` is told by `fault` in the config to keep every order".to_owned(),
            );
        }
        if let Some(document) = request.documents.first() {
            return refused("has_documents", format!("{document} was posted for the order"));
        }
        match ModificationId::parse(request.key.as_str()) {
            Ok(modification) => Answer::Confirmed { modification, at: self.now, amount: None },
            Err(error) => Answer::Unknown { why: error.to_string() },
        }
    }

    /// A deletion without an answer has no tombstone, so it was not done: it is decided about anew.
    fn look_up_delete(&self, _request: &DeletionRequest) -> LookUp {
        if self.unreachable { LookUp::CannotTell { why: Self::down() } } else { LookUp::Absent }
    }

    fn can_restore(&self, _method: DeletionMethod) -> bool {
        true
    }
}
