//! Entries from a file. What one is over never changes; it can be cancelled as long as no invoice has it.

use super::{Mark, Verdict, deleted, fixed};
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::id::{AssignmentKey, CustomerNumber, OrderId};
use crate::exchange::import::entry::{AMOUNT, ASSIGNMENT_KEY, CANCELLED, CURRENCY, CUSTOMER, ENTRY, ORDER};
use crate::exchange::import::{EntryRecord, ImportKind, Objection};
use crate::ledger::entries::{NewEntry, by_reference, entry};
use crate::ledger::row::day_text;
use crate::ledger::{Result, Writer};

impl Writer<'_> {
    /// Takes one entry; `default_customer` pays where a new one names nobody.
    pub fn import_entry(&self, record: &EntryRecord, default_customer: &CustomerNumber, mark: Mark) -> Result<Verdict> {
        self.import_row(|| {
            let mut objections = Vec::new();
            let order = self.entry_order(record, &mut objections)?;
            let Some(id) = by_reference(self.connection, &record.reference)? else {
                if !objections.is_empty() {
                    return Ok(Verdict::Refused(objections));
                }
                let id = self.insert_entry(&NewEntry {
                    reference: Some(&record.reference),
                    customer: record.customer.as_ref().unwrap_or(default_customer),
                    order,
                    key: Some(&record.key),
                    payment_key: None,
                    title: record.title.as_deref().unwrap_or_default(),
                    initial: record.amount,
                    due_on: record.due_on,
                    document: None,
                })?;
                self.saw(ImportKind::Entries, id.0, mark)?;
                if record.cancelled == Some(true) {
                    self.cancel_entry(id)?;
                }
                return Ok(Verdict::New);
            };
            let key = record.reference.as_str();
            if let Some(verdict) = self.repeated(ImportKind::Entries, id.0, mark, &ENTRY, key)? {
                return Ok(verdict);
            }
            let known = entry(self.connection, id)?;
            objections.extend(contradictions(&known, record, order));
            if !objections.is_empty() {
                return Ok(Verdict::Refused(objections));
            }
            self.saw(ImportKind::Entries, id.0, mark)?;
            self.change_entry(&known, record)
        })
    }

    fn entry_order(&self, record: &EntryRecord, objections: &mut Vec<Objection>) -> Result<Option<OrderId>> {
        let Some((shop, number)) = &record.order else { return Ok(None) };
        let currency = record.amount.currency();
        match self.order_by_key(shop, number)? {
            None => {
                let why = format!("is not known in shop `{shop}`; import orders first, or leave it to the key");
                objections.push(Objection::to_value(&ORDER, number.as_str(), why));
                Ok(None)
            }
            Some((_, known)) if known != currency => {
                let why = format!("is not the currency of order `{number}`, {known}");
                objections.push(Objection::to_value(&CURRENCY, currency.code(), why));
                Ok(None)
            }
            Some((id, _)) if self.is_deleted(id)? => {
                objections.push(Objection::to_value(&ORDER, number.as_str(), deleted(number)));
                Ok(None)
            }
            Some((id, _)) => Ok(Some(id)),
        }
    }

    fn change_entry(&self, known: &Entry, record: &EntryRecord) -> Result<Verdict> {
        if known.status == EntryStatus::Cancelled {
            return Ok(Verdict::Unchanged);
        }
        let title = record.title.as_ref().unwrap_or(&known.title);
        let due_on = record.due_on.or(known.due_on);
        let is_cancelled = record.cancelled == Some(true);
        if *title == known.title && due_on == known.due_on && !is_cancelled {
            return Ok(Verdict::Unchanged);
        }
        self.connection.prepare_cached("UPDATE entries SET title = ?2, due_on = ?3 WHERE id = ?1")?.execute((
            known.id.0,
            title,
            due_on.map(day_text),
        ))?;
        if is_cancelled {
            self.cancel_entry(known.id)?;
            self.reuse_money_of(known)?;
        }
        Ok(Verdict::Changed)
    }
}

fn contradictions(known: &Entry, record: &EntryRecord, order: Option<OrderId>) -> Vec<Objection> {
    let mut objections = Vec::new();
    if let (Some((_, number)), Some(_)) = (&record.order, order)
        && order != known.order
    {
        let why = "is not the order the ledger has for this entry; it never changes";
        objections.push(Objection::to_value(&ORDER, number.as_str(), why));
    }
    if known.key.as_ref() != Some(&record.key) {
        let was = known.key.as_ref().map_or("", AssignmentKey::as_str);
        objections.push(fixed(&ASSIGNMENT_KEY, record.key.as_str(), was));
    }
    if let Some(customer) = record.customer.as_ref().filter(|customer| **customer != known.customer) {
        objections.push(fixed(&CUSTOMER, customer.as_str(), known.customer.as_str()));
    }
    let (was, is) = (known.initial.currency(), record.amount.currency());
    if was != is {
        objections.push(fixed(&CURRENCY, is.code(), was.code()));
    } else if record.amount != known.initial {
        objections.push(fixed(&AMOUNT, &record.amount.decimal(), &known.initial.decimal()));
    }
    match record.cancelled {
        // One that went with its invoice goes on in the ERP: whoever hands it over again does not take that back.
        Some(false) if known.status == EntryStatus::Cancelled && known.document.is_none() => {
            objections.push(Objection::to_value(
                &CANCELLED,
                "false",
                "cannot be taken back: a cancelled entry stays cancelled",
            ));
        }
        Some(true) if known.document.is_some() && known.status != EntryStatus::Cancelled => {
            let why = "has an invoice already: cancel that";
            objections.push(Objection::to_value(&CANCELLED, "true", why));
        }
        Some(_) | None => {}
    }
    objections
}
