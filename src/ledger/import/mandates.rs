//! Mandates from a file. What one is never changes; it can be revoked, and earlier than was said before.

use super::{Mark, Verdict, fixed};
use crate::domain::mandate::Mandate;
use crate::domain::money::Currency;
use crate::exchange::import::mandate::{CURRENCY, CUSTOMER, GIVEN_ON, MANDATE, METHOD, REVOKED_ON};
use crate::exchange::import::{ImportKind, MandateRecord, Objection};
use crate::ledger::{Result, Writer};

impl Writer<'_> {
    pub fn import_mandate(&self, record: &MandateRecord, mark: Mark) -> Result<Verdict> {
        self.import_row(|| {
            let Some(known) = self.mandate_by_key(record)? else {
                let id = self.insert_mandate(record)?;
                self.saw(ImportKind::Mandates, id.0, mark)?;
                return Ok(Verdict::New);
            };
            let name = record.token.to_string();
            if let Some(verdict) = self.repeated(ImportKind::Mandates, known.id.0, mark, &MANDATE, &name)? {
                return Ok(verdict);
            }
            let objections = contradictions(&known, record);
            if !objections.is_empty() {
                return Ok(Verdict::Refused(objections));
            }
            self.saw(ImportKind::Mandates, known.id.0, mark)?;
            match (known.revoked_on, record.revoked_on) {
                (was, Some(on)) if was.is_none_or(|was| on < was) => {
                    self.revoke_mandate(known.id, on).map(|()| Verdict::Changed)
                }
                // An older file that does not know of it yet changes nothing.
                (_, None | Some(_)) => Ok(Verdict::Unchanged),
            }
        })
    }
}

fn contradictions(known: &Mandate, record: &MandateRecord) -> Vec<Objection> {
    let mut objections = Vec::new();
    if record.customer != known.customer {
        objections.push(fixed(&CUSTOMER, record.customer.as_str(), known.customer.as_str()));
    }
    if record.method != known.method {
        objections.push(fixed(&METHOD, record.method.as_str(), known.method.as_str()));
    }
    if record.currency != known.currency {
        let code = |currency: Option<Currency>| currency.map_or("", Currency::code);
        objections.push(fixed(&CURRENCY, code(record.currency), code(known.currency)));
    }
    if record.given_on != known.given_on {
        objections.push(fixed(&GIVEN_ON, &record.given_on.to_string(), &known.given_on.to_string()));
    }
    if let (Some(was), Some(is)) = (known.revoked_on, record.revoked_on)
        && is > was
    {
        let why = format!("is later than `{was}` in the ledger; only an earlier day is taken");
        objections.push(Objection::to_value(&REVOKED_ON, &is.to_string(), why));
    }
    objections
}
