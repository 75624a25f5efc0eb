//! Payments from a file: new ones, and known ones as far as the shop may still move them. From the moment the PSP has
//! spoken, its word counts and the shop's is ignored.

use rusqlite::OptionalExtension;

use super::{Mark, Verdict, fixed};
use crate::domain::consequence::{LearntFrom, MovementDraft};
use crate::domain::document::DocumentKind;
use crate::domain::id::{Company, DocumentNumber, EntryId, EntryReference, OrderId, PaymentId};
use crate::domain::money::{Amount, Currency};
use crate::domain::movement::MovementKind;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::exchange::import::payment::{
    ASSIGNMENT_KEY, CAPTURE_ID, CURRENCY, ENTRIES, METHOD, ORDER, PAYS, STATUS, TRANSACTION,
};
use crate::exchange::import::{ImportKind, Objection, PaymentRecord};
use crate::ledger::entries::{by_reference, entry, named_by};
use crate::ledger::payments::payment;
use crate::ledger::row::time_text;
use crate::ledger::settlements::PaymentKey;
use crate::ledger::{Result, Writer};

impl Writer<'_> {
    /// Takes one payment; the invoices it pays are those of `company`.
    pub fn import_payment(&self, record: &PaymentRecord, company: &Company, mark: Mark) -> Result<Verdict> {
        self.import_row(|| {
            let mut objections = Vec::new();
            let order = self.paid_order(record, company, &mut objections)?;
            let entries = self.paid_entries(record, &mut objections)?;
            self.object_to_entries(record, order, &entries, &mut objections)?;
            let order = match entries.as_slice() {
                [only] if order.is_none() => entry(self.connection, *only)?.order,
                _ => order,
            };
            let known = self.payment_by_key(record)?;
            // What is reserved is captured for an order or for invoices: of this one nobody would know when, or how much.
            let has_order = order.is_some() || known.map_or(Ok(false), |id| self.has_order(id))?;
            if !has_order && record.pays.is_empty() && record.status == TransactionStatus::Authorised {
                let why = "is not captured yet, and without an order nobody would capture it; name its `order`, or hand it over once it is captured";
                objections.push(Objection::to_value(&STATUS, record.status.as_str(), why));
            }
            self.object_to_capture(record, known, &mut objections)?;
            let Some(id) = known else {
                if !objections.is_empty() {
                    return Ok(Verdict::Refused(objections));
                }
                let id = self.insert_payment(record, order)?;
                self.put_payment_keys(id, record, &entries)?;
                self.saw(ImportKind::Payments, id.0, mark)?;
                self.record_standing(id, record)?;
                self.refresh(order)?;
                self.tell_money_of(id)?;
                return Ok(Verdict::New);
            };
            let key = record.transaction.as_str();
            if let Some(verdict) = self.repeated(ImportKind::Payments, id.0, mark, &TRANSACTION, key)? {
                return Ok(verdict);
            }
            let known = payment(self.connection, id)?;
            objections.extend(contradictions(&known, record, order));
            self.object_to_keys(id, record, &entries, &mut objections)?;
            if !objections.is_empty() {
                return Ok(Verdict::Refused(objections));
            }
            self.saw(ImportKind::Payments, id.0, mark)?;
            let verdict = self.change_payment(&known, record, order)?;
            if verdict == Verdict::Changed {
                self.tell_money_of(id)?;
            }
            Ok(verdict)
        })
    }

    pub(in crate::ledger) fn payment_by_key(&self, record: &PaymentRecord) -> Result<Option<PaymentId>> {
        let id: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT id FROM payments WHERE provider = ?1 AND merchant_account = ?2 AND transaction_id = ?3",
            )?
            .query_row(
                (record.provider.as_str(), record.merchant_account.as_str(), record.transaction.as_str()),
                |row| row.get(0),
            )
            .optional()?;
        Ok(id.map(PaymentId))
    }

    fn has_order(&self, id: PaymentId) -> Result<bool> {
        Ok(payment(self.connection, id)?.order.is_some())
    }

    /// The order a payment is for: the one it names, else that of the first invoice it pays.
    fn paid_order(
        &self,
        record: &PaymentRecord,
        company: &Company,
        objections: &mut Vec<Objection>,
    ) -> Result<Option<OrderId>> {
        let currency = record.currency;
        let named = match &record.order {
            None => None,
            Some((shop, number)) => {
                let found = self.order_by_key(shop, number)?;
                match found {
                    Some((_, known)) if known != currency => {
                        let why = format!("is not the currency of order `{number}`, {known}");
                        objections.push(Objection::to_value(&CURRENCY, currency.code(), why));
                    }
                    None if record.pays.is_empty() => {
                        let why = format!("is not known in shop `{shop}`; import orders first");
                        objections.push(Objection::to_value(&ORDER, number.as_str(), why));
                    }
                    Some(_) | None => {}
                }
                found.map(|(id, _)| id)
            }
        };
        let mut of_invoice = None;
        for number in &record.pays {
            match self.invoice_by_key(company, number)? {
                None => {
                    let why = format!(
                        "names invoice `{number}`, which company `{company}` does not have; import documents first"
                    );
                    objections.push(Objection::to_value(&PAYS, &joined(&record.pays), why));
                }
                Some((known, _)) if known != currency.code() => {
                    let why = format!("is not the currency of invoice `{number}`, {known}");
                    objections.push(Objection::to_value(&CURRENCY, currency.code(), why));
                }
                Some((_, order)) => of_invoice = of_invoice.or(order),
            }
        }
        match (named, of_invoice) {
            (Some(order), _) => Ok(Some(order)),
            (None, Some(order)) if self.order_currency(order)? == currency => Ok(Some(order)),
            (None, _) => Ok(None),
        }
    }

    /// The entries a payment names; each known and in its currency.
    fn paid_entries(&self, record: &PaymentRecord, objections: &mut Vec<Objection>) -> Result<Vec<EntryId>> {
        let mut entries = Vec::new();
        for reference in &record.entries {
            match by_reference(self.connection, reference)? {
                None => {
                    let why = format!("names entry `{reference}`, which is not known; import entries first");
                    objections.push(Objection::to_value(&ENTRIES, &joined_entries(&record.entries), why));
                }
                Some(id) => {
                    let known = entry(self.connection, id)?.initial.currency();
                    if known != record.currency {
                        let why = format!("is not the currency of entry `{reference}`, {known}");
                        objections.push(Objection::to_value(&CURRENCY, record.currency.code(), why));
                    }
                    entries.push(id);
                }
            }
        }
        Ok(entries)
    }

    /// All entries are one customer's and, where they have one, of the payment's order; a key leads elsewhere.
    fn object_to_entries(
        &self,
        record: &PaymentRecord,
        order: Option<OrderId>,
        entries: &[EntryId],
        objections: &mut Vec<Objection>,
    ) -> Result<()> {
        let value = joined_entries(&record.entries);
        if let (Some(key), false) = (&record.key, entries.is_empty()) {
            let why = "cannot be given beside `entries`: the payment would be for two things";
            objections.push(Objection::to_value(&ASSIGNMENT_KEY, key.as_str(), why));
        }
        let mut customers = Vec::new();
        for id in entries {
            let entry = entry(self.connection, *id)?;
            if let (Some(of), Some(order)) = (entry.order, order)
                && of != order
            {
                objections.push(Objection::to_value(
                    &ENTRIES,
                    &value,
                    format!("names {}, which is of another order", entry.name()),
                ));
            }
            customers.push(entry.customer);
        }
        customers.dedup();
        if customers.len() > 1 {
            objections.push(Objection::to_value(&ENTRIES, &value, "names entries of different customers"));
        }
        Ok(())
    }

    fn put_payment_keys(&self, id: PaymentId, record: &PaymentRecord, entries: &[EntryId]) -> Result<()> {
        for entry in entries {
            self.connection
                .prepare_cached("INSERT INTO entry_items (entry_id, payment_id) VALUES (?1, ?2)")?
                .execute((entry.0, id.0))?;
        }
        if let Some(key) = &record.key {
            self.connection
                .prepare_cached("INSERT INTO payment_keys (payment_id, key) VALUES (?1, ?2)")?
                .execute((id.0, key.as_str()))?;
        }
        Ok(())
    }

    /// What a payment is for is said with its first row.
    fn object_to_keys(
        &self,
        id: PaymentId,
        record: &PaymentRecord,
        entries: &[EntryId],
        objections: &mut Vec<Objection>,
    ) -> Result<()> {
        if let Some(key) = &record.key {
            let known: Option<String> = self
                .connection
                .prepare_cached("SELECT key FROM payment_keys WHERE payment_id = ?1")?
                .query_row([id.0], |row| row.get(0))
                .optional()?;
            if known.as_deref() != Some(key.as_str()) {
                objections.push(fixed(&ASSIGNMENT_KEY, key.as_str(), known.as_deref().unwrap_or_default()));
            }
        }
        if !record.entries.is_empty() {
            let known = named_by(self.connection, id)?;
            let mut told = entries.to_vec();
            told.sort_unstable();
            if told != known && told.len() == record.entries.len() {
                let why = "are not the entries the ledger has for this payment; they never change";
                objections.push(Objection::to_value(&ENTRIES, &joined_entries(&record.entries), why));
            }
        }
        Ok(())
    }

    fn invoice_by_key(&self, company: &Company, number: &DocumentNumber) -> Result<Option<(String, Option<OrderId>)>> {
        let found: Option<(String, Option<i64>)> = self
            .connection
            .prepare_cached(
                "SELECT currency, order_id FROM documents WHERE company = ?1 AND kind = ?2 AND number = ?3",
            )?
            .query_row((company.as_str(), DocumentKind::Invoice.as_str(), number.as_str()), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        Ok(found.map(|(currency, order)| (currency, order.map(OrderId))))
    }

    fn order_currency(&self, order: OrderId) -> Result<Currency> {
        Ok(crate::ledger::orders::order(self.connection, order)?.total.currency())
    }

    /// A capture belongs to one payment, or the same money would be booked for two.
    fn object_to_capture(
        &self,
        record: &PaymentRecord,
        payment: Option<PaymentId>,
        objections: &mut Vec<Objection>,
    ) -> Result<()> {
        let Some(collected) = &record.collected else { return Ok(()) };
        let owner: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT payment_id FROM movements
                 WHERE provider = ?1 AND merchant_account = ?2 AND kind = ?3 AND modification_id = ?4",
            )?
            .query_row(
                (
                    record.provider.as_str(),
                    record.merchant_account.as_str(),
                    MovementKind::Capture.as_str(),
                    collected.modification.as_str(),
                ),
                |row| row.get(0),
            )
            .optional()?;
        if owner.is_some_and(|owner| Some(PaymentId(owner)) != payment) {
            let why = "is the capture of another payment already";
            objections.push(Objection::to_value(&CAPTURE_ID, collected.modification.as_str(), why));
        }
        Ok(())
    }

    fn insert_payment(&self, record: &PaymentRecord, order: Option<OrderId>) -> Result<PaymentId> {
        self.connection
            .prepare_cached(
                "INSERT INTO payments (provider, merchant_account, transaction_id, order_id, method, currency, status,
                                       status_since, pays)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                record.provider.as_str(),
                record.merchant_account.as_str(),
                record.transaction.as_str(),
                order.map(|order| order.0),
                record.method.as_str(),
                record.currency.code(),
                record.status.as_str(),
                time_text(self.now),
                joined(&record.pays),
            ))?;
        let id = PaymentId(self.connection.last_insert_rowid());
        let key = PaymentKey {
            provider: record.provider.as_str(),
            merchant_account: record.merchant_account.as_str(),
            transaction: record.transaction.as_str(),
        };
        self.settle_new_payment(&key, order)?;
        Ok(id)
    }

    fn change_payment(&self, known: &Payment, record: &PaymentRecord, order: Option<OrderId>) -> Result<Verdict> {
        let mut is_changed = false;
        if let (None, Some(order)) = (known.order, order) {
            self.bind_payment(known, order)?;
            is_changed = true;
        }
        if may_move(known.status, record.status) {
            self.connection
                .prepare_cached("UPDATE payments SET status = ?2, status_since = ?3 WHERE id = ?1")?
                .execute((known.id.0, record.status.as_str(), time_text(self.now)))?;
            self.record_standing(known.id, record)?;
            is_changed = true;
        } else if known.status == TransactionStatus::Authorised && record.status == known.status {
            is_changed |= self.authorise_anew(known.id, record)?;
        }
        if !is_changed {
            return Ok(Verdict::Unchanged);
        }
        self.refresh(known.order.or(order))?;
        Ok(Verdict::Changed)
    }

    /// What comes with a status the payment has just got: times, the authorised amount, and money collected already.
    fn record_standing(&self, id: PaymentId, record: &PaymentRecord) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE payments SET authorised_at = ifnull(?2, authorised_at), capture_before = ifnull(?3, capture_before)
                 WHERE id = ?1",
            )?
            .execute((
                id.0,
                record.authorised.map(|authorised| time_text(authorised.at)),
                record.capture_before.map(time_text),
            ))?;
        if let Some(authorised) = record.authorised {
            self.insert_authorisation(id, authorised.amount)?;
        }
        if let Some(collected) = &record.collected {
            self.record_movement(&MovementDraft {
                payment: id,
                kind: MovementKind::Capture,
                modification: collected.modification.clone(),
                amount: collected.amount,
                occurred_at: collected.at,
                operation: None,
                document: None,
                learnt_from: LearntFrom::Import,
                key: None,
            })?;
        }
        Ok(())
    }

    /// An amount this payment never had becomes the current one. One it once had is an old file, not news: taking it would
    /// let every nightly import undo what the PSP said since.
    fn authorise_anew(&self, id: PaymentId, record: &PaymentRecord) -> Result<bool> {
        let Some(authorised) = record.authorised else { return Ok(false) };
        let is_known: bool = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM authorisations WHERE payment_id = ?1 AND amount_minor = ?2)")?
            .query_row((id.0, authorised.amount.minor()), |row| row.get(0))?;
        if !is_known {
            self.insert_authorisation(id, authorised.amount)?;
        }
        Ok(!is_known)
    }

    fn insert_authorisation(&self, id: PaymentId, amount: Amount) -> Result<()> {
        self.connection
            .prepare_cached("INSERT INTO authorisations (payment_id, amount_minor, seen_at) VALUES (?1, ?2, ?3)")?
            .execute((id.0, amount.minor(), time_text(self.now)))?;
        Ok(())
    }

    fn refresh(&self, order: Option<OrderId>) -> Result<()> {
        order.map_or(Ok(()), |order| self.refresh_order_status(order))
    }
}

/// Whether an import may move a payment: only on from what the shop knew itself.
fn may_move(from: TransactionStatus, to: TransactionStatus) -> bool {
    match from {
        TransactionStatus::Open => to != TransactionStatus::Open,
        TransactionStatus::Pending => to != TransactionStatus::Open && to != TransactionStatus::Pending,
        TransactionStatus::Authorised
        | TransactionStatus::Captured
        | TransactionStatus::Released
        | TransactionStatus::Cancelled
        | TransactionStatus::Refused
        | TransactionStatus::Expired
        | TransactionStatus::Error => false,
    }
}

fn contradictions(known: &Payment, record: &PaymentRecord, order: Option<OrderId>) -> Vec<Objection> {
    let mut objections = Vec::new();
    if let (Some((_, number)), Some(was), Some(is)) = (&record.order, known.order, order)
        && was != is
    {
        let why = "is not the order the ledger has for this payment; it never changes";
        objections.push(Objection::to_value(&ORDER, number.as_str(), why));
    }
    if record.method != known.method {
        objections.push(fixed(&METHOD, record.method.as_str(), known.method.as_str()));
    }
    let currency = known.authorised.currency();
    if record.currency != currency {
        objections.push(fixed(&CURRENCY, record.currency.code(), currency.code()));
    }
    if !record.pays.is_empty() && record.pays != known.pays {
        objections.push(fixed(&PAYS, &joined(&record.pays), &joined(&known.pays)));
    }
    objections
}

fn joined(numbers: &[DocumentNumber]) -> String {
    numbers.iter().map(DocumentNumber::as_str).collect::<Vec<_>>().join(";")
}

fn joined_entries(references: &[EntryReference]) -> String {
    references.iter().map(EntryReference::as_str).collect::<Vec<_>>().join(";")
}
