//! The ERP that needs no server: documents come in by import, the ledger's own journals are the books, and accountants
//! take them by `payjournal export`. There is nothing to deliver, so a delivery is confirmed at once.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Erp, OrderDeletion, PayoutPosting};
use crate::config::settings::ErpFault;
use crate::domain::deletion::DeletionMethod;
use crate::domain::document::Document;
use crate::domain::id::ModificationId;
use crate::domain::money::Amount;
use crate::operation::request::{DeletionRequest, JournalRequest, PayoutJournalRequest};
use crate::operation::{Answer, LookUp, Refusal};
use crate::provider::PortError;

#[derive(Debug)]
pub struct Local {
    fault: Option<ErpFault>,
    now: DateTime<Utc>,
}

impl Local {
    pub fn new(fault: Option<ErpFault>, now: DateTime<Utc>) -> Self {
        Self { fault, now }
    }

    fn down() -> String {
        "the ERP `local` is told to be unreachable by `fault` in the config".to_owned()
    }

    fn confirmed(&self, number: &str) -> Answer {
        match ModificationId::parse(number) {
            Ok(modification) => Answer::Confirmed { modification, at: self.now, amount: None },
            Err(error) => Answer::Unknown { why: error.to_string() },
        }
    }

    fn is_down(&self) -> bool {
        self.fault == Some(ErpFault::Unreachable)
    }

    /// The ledger's journal is the book: there is nothing to bring anywhere.
    fn takes(&self, number: &str) -> Answer {
        match self.fault {
            Some(ErpFault::Unreachable) => Answer::NotDone { why: Self::down(), retry_after_seconds: None },
            Some(ErpFault::RefusesJournals) => refused(
                "journal_rejected",
                "the ERP `local` is told by `fault` in the config to refuse every journal".to_owned(),
            ),
            Some(ErpFault::KeepsOrders) | None => self.confirmed(number),
        }
    }

    fn finds(&self, number: &str) -> LookUp {
        if self.is_down() {
            return LookUp::CannotTell { why: Self::down() };
        }
        LookUp::Found(self.confirmed(number))
    }
}

impl Erp for Local {
    fn outstanding(&self, document: &Document) -> Result<Amount, PortError> {
        if self.is_down() {
            return Err(PortError::Unreachable { why: Self::down() });
        }
        document.outstanding().map_err(|error| PortError::CannotTell { why: error.to_string() })
    }

    fn deliver(&self, request: &JournalRequest) -> Answer {
        self.takes(&request.number)
    }

    fn look_up(&self, request: &JournalRequest) -> LookUp {
        self.finds(&request.number)
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }

    fn order_deletion(&self) -> Option<&dyn OrderDeletion> {
        Some(self)
    }

    fn payout_posting(&self) -> Option<&dyn PayoutPosting> {
        Some(self)
    }
}

impl PayoutPosting for Local {
    fn deliver_payout(&self, request: &PayoutJournalRequest) -> Answer {
        self.takes(&request.number)
    }

    fn look_up_payout(&self, request: &PayoutJournalRequest) -> LookUp {
        self.finds(&request.number)
    }
}

/// The ledger's own rows are the ERP's: what keeps an order is in the request, and the outcome is written with the answer.
impl OrderDeletion for Local {
    fn delete(&self, request: &DeletionRequest) -> Answer {
        if self.is_down() {
            return Answer::NotDone { why: Self::down(), retry_after_seconds: None };
        }
        if self.fault == Some(ErpFault::KeepsOrders) {
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
        if self.is_down() { LookUp::CannotTell { why: Self::down() } } else { LookUp::Absent }
    }

    fn can_restore(&self, _method: DeletionMethod) -> bool {
        true
    }
}

fn refused(code: &str, message: String) -> Answer {
    Answer::Refused(Refusal { code: code.to_owned(), message, transient: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::ErpKind;

    /// The config refuses `post_payout_journals` by what it knows of the adapter.
    #[test]
    fn the_config_knows_what_the_adapter_offers() {
        let local = Local::new(None, DateTime::UNIX_EPOCH);
        assert_eq!(local.payout_posting().is_some(), ErpKind::Local.takes_payout_journals());
    }
}
