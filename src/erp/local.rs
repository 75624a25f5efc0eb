//! The ERP that needs no server: documents come in by import, the ledger's own journals are the books, and accountants
//! take them by `payjournal export`. There is nothing to deliver, so a delivery is confirmed at once.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Erp;
use crate::domain::document::Document;
use crate::domain::id::ModificationId;
use crate::domain::money::Amount;
use crate::operation::request::JournalRequest;
use crate::operation::{Answer, LookUp};
use crate::provider::PortError;

#[derive(Debug)]
pub struct Local {
    /// Pretend that the ERP is down, to see what happens then.
    unreachable: bool,
    now: DateTime<Utc>,
}

impl Local {
    pub fn new(unreachable: bool, now: DateTime<Utc>) -> Self {
        Self { unreachable, now }
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
}
