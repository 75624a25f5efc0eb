//! Payment pages that are open over the same entries: one debt has one page, or it could be paid on each.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::import::{Mark, Verdict};
use super::{
    Ledger, LedgerError, Result, Writer, documents, entries, invitations, mandates, operations, orders, payments,
};
use crate::domain::consequence::{PageDraft, PagePayment, Standing};
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::id::{Company, DocumentId, PaymentId, RunId, TransactionId};
use crate::domain::invoice::sheet::InvoiceSheet;
use crate::domain::mandate::Mandate;
use crate::domain::money::Amount;
use crate::domain::order::Cancellation;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::exchange::import::PaymentRecord;

/// What is open of an invoice before it is sent, and what decides whether its customer gets a page for that.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenItem {
    pub entry: Entry,
    pub owner: String,
    pub open: Amount,
    /// The page there is for just this.
    pub page: Option<String>,
    /// Pages that may be open over the entry, among others or over other amounts.
    pub pages: Vec<Payment>,
    /// How many were made for it alone before.
    pub before: usize,
    pub may_be_closed: bool,
    /// Why nobody is asked to pay.
    pub objection: Option<String>,
    /// On which its customer's money may be taken without anybody being asked.
    pub mandates: Vec<Mandate>,
}

impl Ledger {
    /// The pages that were made for any of the entries and may be open: one that counts as expired was closed, or was to be.
    pub fn pages_to_close(&self, entries: &[Entry]) -> Result<Vec<Payment>> {
        pages(&self.connection, entries, "p.status IN ('open', 'expired')")
    }

    /// Open pages that ask for nothing any more count as expired from here on, and are to be asked about. Returns them.
    pub fn expire_settled_pages(&mut self, run: Option<RunId>, now: DateTime<Utc>) -> Result<BTreeSet<PaymentId>> {
        // Most runs find none, and write nothing.
        if settled_pages(&self.connection)?.is_empty() {
            return Ok(BTreeSet::new());
        }
        self.write("settled pages", run, now, |writer| {
            let pages = settled_pages(writer.connection)?;
            for page in &pages {
                writer.move_page(*page, TransactionStatus::Open, TransactionStatus::Expired)?;
                let not_asked = "UPDATE payments SET asked_at = NULL WHERE id = ?1";
                writer.connection.prepare_cached(not_asked)?.execute([page.0])?;
            }
            Ok(pages)
        })
    }

    /// Whose they are, as the key of their page has it: `C1`, `C1 webshop/SO-1`.
    pub fn owner_of_entries(&self, entries: &[Entry]) -> Result<String> {
        owner(&self.connection, entries)
    }

    /// Whether a page made for them now may have been closed before: one that was made while its order was being deleted, or beside another
    /// page or a collection, is, and no row tells of it.
    pub fn may_have_closed(&self, entries: &[Entry]) -> Result<bool> {
        may_have_closed(&self.connection, entries)
    }
}

impl Writer<'_> {
    /// Before a page is closed at the PSP it counts as expired: nobody cancelled the order, and it stays as new as with a page that ran out
    /// (rule 14), whoever hears first that it is closed. `false` if it is not what it was any more.
    pub fn move_page(&self, page: PaymentId, from: TransactionStatus, to: TransactionStatus) -> Result<bool> {
        if payments::payment(self.connection, page)?.status != from {
            return Ok(false);
        }
        let standing =
            Standing { payment: page, status: to, authorised: None, authorised_at: None, capture_before: None };
        self.apply_standing(&standing).map(|()| true)
    }

    /// Takes a page and the payment it was made with, unless something speaks against asking for these entries by now.
    pub fn put_page(
        &self,
        payment: &PagePayment,
        entries: &[Entry],
        url: &str,
        amount: Amount,
        company: &Company,
    ) -> Result<PaymentId> {
        let PagePayment { provider, merchant_account, method, transaction } = payment.clone();
        let record = PaymentRecord {
            provider,
            merchant_account,
            transaction,
            order: None,
            pays: Vec::new(),
            method,
            currency: amount.currency(),
            status: TransactionStatus::Open,
            authorised: None,
            capture_before: None,
            collected: None,
            entries: entries.iter().filter_map(|entry| entry.reference.clone()).collect(),
            key: None,
        };
        self.begin_import()?;
        if let Verdict::Refused(objections) = self.import_payment(&record, company, Mark { line: 1, digest: 0 })? {
            let told: Vec<String> = objections.iter().map(ToString::to_string).collect();
            return Err(LedgerError::Invariant(format!("the payment of the page is refused: {}", told.join("; "))));
        }
        self.refuse_going(invitations::orders_of_entries(self.connection, entries)?)?;
        self.refuse_collected(entries)?;
        self.refuse_second_page(entries, &record.transaction)?;
        self.put_payment_link(&record, url, amount)
    }

    /// Puts a page on an invoice that is not sent yet.
    pub(super) fn put_invoice_page(&self, draft: &PageDraft) -> Result<()> {
        let PageDraft { document, entry, url, amount, payment } = draft;
        if let Some(payment) = payment {
            let entry = entries::entry(self.connection, *entry)?;
            let company = documents::document(self.connection, *document)?.company;
            self.put_page(payment, &[entry], url, *amount, &company)?;
        }
        let put = self
            .connection
            .prepare_cached("UPDATE invoice_sheets SET payment_url = ?2 WHERE document_id = ?1 AND mail = 'wanted'")?
            .execute((document.0, url))?;
        if put == 1 { Ok(()) } else { Err(LedgerError::Invariant("the invoice was sent meanwhile".to_owned())) }
    }

    /// What was paid between an invoice and its mail stands on it.
    pub(super) fn put_paid(&self, document: DocumentId, paid: Amount) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE invoice_sheets SET paid_minor = ?2 WHERE document_id = ?1 AND mail = 'wanted'")?
            .execute((document.0, paid.minor()))?;
        Ok(())
    }

    /// Another page may have been made for one of the entries meanwhile.
    fn refuse_second_page(&self, entries: &[Entry], page: &TransactionId) -> Result<()> {
        match pages(self.connection, entries, "p.status = 'open'")?.into_iter().find(|other| other.transaction != *page)
        {
            Some(other) => {
                Err(LedgerError::Invariant(format!("another page for it is open, payment {}", other.transaction)))
            }
            None => Ok(()),
        }
    }
}

/// What is to be paid of an invoice: nothing where it takes another back, its money is authorised, or it says where it can be paid.
pub(super) fn open_item(connection: &Connection, sheet: &InvoiceSheet, entry: &Entry) -> Result<Option<OpenItem>> {
    let open = entry.open()?;
    if sheet.is_charged || sheet.payment_url.is_some() {
        return Ok(None);
    }
    if entry.status != EntryStatus::Open || !open.is_positive() {
        return Ok(None);
    }
    let own = std::slice::from_ref(entry);
    Ok(Some(OpenItem {
        page: entries::open_page(connection, entry)?,
        pages: pages(connection, own, "p.status IN ('open', 'pending', 'expired')")?,
        before: entries::linked_payments(connection, own)?.len(),
        may_be_closed: may_have_closed(connection, own)?,
        objection: invitations::objection(connection, own)?,
        mandates: mandates::of_customer(connection, &entry.customer)?,
        owner: owner(connection, own)?,
        open,
        entry: entry.clone(),
    }))
}

fn settled_pages(connection: &Connection) -> Result<BTreeSet<PaymentId>> {
    let open = "p.status = 'open' AND p.id IN (SELECT payment_id FROM payment_links)";
    let mut settled = BTreeSet::new();
    for page in payments::list(connection, open, [])? {
        if asks_for_nothing(connection, &page)? {
            settled.insert(page.id);
        }
    }
    Ok(settled)
}

/// Whether it is a page that could be paid, and each entry it was made for is paid otherwise or cancelled, or was never billed and its
/// order is cancelled.
pub(super) fn asks_for_nothing(connection: &Connection, payment: &Payment) -> Result<bool> {
    if !matches!(payment.status, TransactionStatus::Open | TransactionStatus::Expired) {
        return Ok(false);
    }
    let of_page = "id IN (SELECT i.entry_id FROM payment_links l JOIN entry_items i ON i.payment_id = l.payment_id WHERE l.payment_id = ?1)";
    let asked = entries::list(connection, of_page, [payment.id.0])?;
    for entry in &asked {
        if entry.status == EntryStatus::Open && (entry.document.is_some() || !is_off(connection, entry)?) {
            return Ok(false);
        }
    }
    Ok(!asked.is_empty())
}

/// Whether none of its orders, if it has some, will be delivered.
fn is_off(connection: &Connection, entry: &Entry) -> Result<bool> {
    let orders = invitations::orders_of_entries(connection, std::slice::from_ref(entry))?;
    for id in &orders {
        let order = orders::order(connection, *id)?;
        if order.cancelled != Cancellation::Full && !order.deleted {
            return Ok(false);
        }
    }
    Ok(!orders.is_empty())
}

fn owner(connection: &Connection, entries: &[Entry]) -> Result<String> {
    let mut owner: Vec<String> = entries.first().map(|entry| entry.customer.to_string()).into_iter().collect();
    for id in invitations::orders_of_entries(connection, entries)? {
        let order = orders::order(connection, id)?;
        owner.push(format!("{}/{}", order.shop, order.number));
    }
    Ok(owner.join(" "))
}

fn may_have_closed(connection: &Connection, entries: &[Entry]) -> Result<bool> {
    let mut asked_for = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM entry_items i JOIN payment_links l ON l.payment_id = i.payment_id WHERE i.entry_id = ?1)
           OR EXISTS (SELECT 1 FROM operations WHERE entry_id = ?1)",
    )?;
    for entry in entries {
        if asked_for.query_row([entry.id.0], |row| row.get(0))? {
            return Ok(true);
        }
    }
    for order in invitations::orders_of_entries(connection, entries)? {
        if !operations::list(connection, "WHERE order_id = ?1 ORDER BY id", [order.0])?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn pages(connection: &Connection, entries: &[Entry], condition: &str) -> Result<Vec<Payment>> {
    let mut pages: Vec<Payment> = Vec::new();
    for entry in entries {
        let of_entry = "p.id IN (SELECT payment_id FROM entry_items WHERE entry_id = ?1)
            AND EXISTS (SELECT 1 FROM payment_links l WHERE l.payment_id = p.id)";
        for page in payments::list(connection, &format!("{of_entry} AND {condition}"), [entry.id.0])? {
            if pages.iter().all(|known| known.id != page.id) {
                pages.push(page);
            }
        }
    }
    Ok(pages)
}
