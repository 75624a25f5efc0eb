//! Customers from a file: the last row that names one counts.

use super::{Mark, Verdict};
use crate::domain::customer::Customer;
use crate::exchange::import::ImportKind;
use crate::exchange::import::customer::CUSTOMER;
use crate::ledger::customers::customer;
use crate::ledger::{Result, Writer};

impl Writer<'_> {
    pub fn import_customer(&self, record: &Customer, mark: Mark) -> Result<Verdict> {
        self.import_row(|| {
            let known = customer(self.connection, &record.number)?;
            if let Some((id, _)) = &known
                && let Some(verdict) =
                    self.repeated(ImportKind::Customers, *id, mark, &CUSTOMER, record.number.as_str())?
            {
                return Ok(verdict);
            }
            if known.as_ref().is_some_and(|(_, known)| known == record) {
                return Ok(Verdict::Unchanged);
            }
            let id = self.put_customer(record)?;
            self.saw(ImportKind::Customers, id, mark)?;
            Ok(if known.is_some() { Verdict::Changed } else { Verdict::New })
        })
    }
}
