//! `payjournal show`: the whole story of one order, payment, document or entry. Changes nothing.

mod billing;
mod entry;
pub(super) mod find;
mod json;
mod text;

use std::collections::BTreeSet;
use std::io::Write;

use billing::Billing;
use entry::EntryStory;

use crate::domain::document::Document;
use crate::domain::entry::Entry;
use crate::domain::exception::About;
use crate::domain::id::{EntryId, OrderId, PaymentId};
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::settlements::{LineFilter, ListedLine};
use crate::ledger::{BookedJournal, Ledger, LedgerError, OpenException, OperationEvent, OperationNames, Tombstone};
use crate::operation::{Kind, Operation};
use crate::run::refused;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum ShowWhat {
    /// An order, by `NUMBER` or `SHOP/NUMBER`
    Order,
    /// A payment, by the provider's transaction id
    Payment,
    /// An invoice, credit note or shipment, by its number
    Document,
    /// An entry, by its reference, or its number where an invoice made it
    Entry,
}

/// All that the ledger knows about one thing.
#[derive(Debug, Default)]
struct Story {
    order: Option<Order>,
    payments: Vec<Payment>,
    documents: Vec<Document>,
    billing: Billing,
    /// Of an entry only.
    entry: Option<EntryStory>,
    tombstones: Vec<Tombstone>,
    operations: Vec<OperationStory>,
    movements: Vec<Movement>,
    journals: Vec<BookedJournal>,
    /// Of an order only.
    settlement_lines: Vec<ListedLine>,
    exceptions: Vec<OpenException>,
    /// Of an entry only: exceptions may be about it alone.
    about_entry: Option<EntryId>,
}

#[derive(Debug)]
struct OperationStory {
    operation: Operation,
    names: OperationNames,
    /// Oldest first.
    events: Vec<OperationEvent>,
}

/// `id` may be qualified where numbers are not unique: `SHOP/1001`, `PROVIDER/tx-1`, `invoice/103210`.
pub fn run(what: ShowWhat, id: &str, ledger: &Ledger, json: bool, out: &mut dyn Write) -> Result<Exit, Failure> {
    let story = match what {
        ShowWhat::Order => of_order(find::order(ledger, id)?, ledger),
        ShowWhat::Payment => of_payment(find::payment(ledger, id)?, ledger),
        ShowWhat::Document => of_document(find::document(ledger, id)?, ledger),
        ShowWhat::Entry => of_entry(find::entry(ledger, id)?, ledger),
    }
    .map_err(refused)?;
    if json {
        let document = json::document(&story).map_err(refused)?;
        writeln!(out, "{document}").map_err(Failure::bug)?;
    } else {
        let text = text::story(&story, ledger.books().time_zone).map_err(refused)?;
        out.write_all(text.as_bytes()).map_err(Failure::bug)?;
    }
    Ok(Exit::Done)
}

fn of_order(order: Order, ledger: &Ledger) -> Result<Story, LedgerError> {
    let mut story = Story {
        payments: ledger.payments_of_order(order.id)?,
        documents: ledger.documents_of_order(order.id)?,
        ..Story::default()
    };
    // An invoice of the order may be paid by a payment of its own, which names no order.
    for document in &story.documents {
        add_payments(&mut story.payments, &ledger.payments_of_document(document)?, ledger)?;
    }
    story.billing = Billing::of(&story.documents, ledger.entries_of_order(order.id)?, ledger)?;
    story.settlement_lines = ledger.lines(&LineFilter::of_order(&order))?;
    story.tombstones = ledger.tombstones(order.id)?;
    let deletions = ledger.deletions_of_order(order.id)?;
    story.order = Some(order);
    story.tell_movements(ledger)?;
    story.tell_operations(deletions, ledger)?;
    story.tell_exceptions(ledger)
}

fn of_payment(payment: Payment, ledger: &Ledger) -> Result<Story, LedgerError> {
    let mut story = Story {
        order: order_of(payment.order, ledger)?,
        documents: ledger.documents_of_payment(payment.id)?,
        billing: Billing::of(&[], ledger.entries_of_payment(payment.id)?, ledger)?,
        payments: vec![payment],
        ..Story::default()
    };
    story.tell_movements(ledger)?;
    story.tell_exceptions(ledger)
}

fn of_document(document: Document, ledger: &Ledger) -> Result<Story, LedgerError> {
    let mut story = Story { order: order_of(document.order, ledger)?, ..Story::default() };
    add_payments(&mut story.payments, &ledger.payments_of_document(&document)?, ledger)?;
    story.tell_movements(ledger)?;
    // Of these payments only what is about the document.
    story.journals.retain(|journal| journal.document == Some(document.id));
    story.operations.retain(|told| told.operation.subject.document == Some(document.id));
    let journals = &story.journals;
    let operations = &story.operations;
    story.movements.retain(|movement| {
        journals
            .iter()
            .any(|journal| journal.modification == movement.modification && journal.payment == movement.payment)
            || operations.iter().any(|told| Some(told.operation.id) == movement.operation)
    });
    story.billing = Billing::of(std::slice::from_ref(&document), Vec::new(), ledger)?;
    story.documents.push(document);
    story.tell_exceptions(ledger)
}

fn of_entry(entry: Entry, ledger: &Ledger) -> Result<Story, LedgerError> {
    let invoice = entry.document.map(|document| ledger.document(document)).transpose()?;
    // Its own, or the one with its key.
    let mut orders = ledger.orders_of_entries(std::slice::from_ref(&entry))?;
    let order = orders.pop().filter(|_| orders.is_empty());
    let order = order.or_else(|| invoice.as_ref().and_then(|invoice| invoice.order));
    let mut story = Story { order: order_of(order, ledger)?, ..Story::default() };
    add_payments(&mut story.payments, &ledger.payments_of_entry(entry.id)?, ledger)?;
    let id = entry.id;
    story.documents.extend(invoice);
    story.billing = Billing::of(&story.documents, vec![entry.clone()], ledger)?;
    story.entry = Some(EntryStory::of(entry, &story.payments, ledger)?);
    story.tell_movements(ledger)?;
    // Those that have made a payment are told with it.
    let mut collections = ledger.collections_of_entry(id)?;
    collections.retain(|collection| !story.operations.iter().any(|told| told.operation.id == collection.id));
    story.tell_operations(collections, ledger)?;
    story.about_entry = Some(id);
    story.tell_exceptions(ledger)
}

fn order_of(id: Option<OrderId>, ledger: &Ledger) -> Result<Option<Order>, LedgerError> {
    id.map(|id| ledger.order(id)).transpose()
}

fn add_payments(payments: &mut Vec<Payment>, ids: &[PaymentId], ledger: &Ledger) -> Result<(), LedgerError> {
    for id in ids {
        if !payments.iter().any(|payment| payment.id == *id) {
            payments.push(ledger.payment(*id)?);
        }
    }
    Ok(())
}

impl Story {
    /// What happened to the payments.
    fn tell_movements(&mut self, ledger: &Ledger) -> Result<(), LedgerError> {
        for payment in &self.payments {
            self.movements.extend(ledger.movements_of_payment(payment.id)?);
            self.journals.extend(ledger.journals_of_payment(payment.id)?);
        }
        let payments: Vec<PaymentId> = self.payments.iter().map(|payment| payment.id).collect();
        for payment in payments {
            self.tell_operations(ledger.operations_of_payment(payment)?, ledger)?;
        }
        // What a collection moved has no operation in the payment's sums, and one that asked for it.
        for movement in &mut self.movements {
            let asked = |told: &&OperationStory| {
                told.operation.kind == Kind::Collect
                    && told.operation.modification.as_ref() == Some(&movement.modification)
            };
            let asked = self.operations.iter().find(asked).filter(|_| movement.kind == MovementKind::Capture);
            movement.operation = movement.operation.or(asked.map(|told| told.operation.id));
        }
        self.movements.sort_by_key(|movement| (movement.occurred_at, movement.id));
        self.journals.sort_by(|one, other| (one.posting_date, &one.number).cmp(&(other.posting_date, &other.number)));
        Ok(())
    }

    fn tell_operations(&mut self, operations: Vec<Operation>, ledger: &Ledger) -> Result<(), LedgerError> {
        for operation in operations {
            let names = ledger.operation_names(operation.id)?;
            let events = ledger.operation_events(operation.id)?;
            self.operations.push(OperationStory { operation, names, events });
        }
        Ok(())
    }

    fn tell_exceptions(mut self, ledger: &Ledger) -> Result<Self, LedgerError> {
        let mut about: Vec<About> = Vec::new();
        // What is wrong with an order is wrong for all its payments and documents.
        about.extend(self.order.iter().map(|order| About { order: Some(order.id), ..About::default() }));
        about.extend(self.payments.iter().map(|payment| About { payment: Some(payment.id), ..About::default() }));
        about.extend(self.documents.iter().map(|document| About { document: Some(document.id), ..About::default() }));
        about.extend(self.about_entry.map(|entry| About { entry: Some(entry), ..About::default() }));
        let operations: BTreeSet<_> = self.operations.iter().map(|told| told.operation.id).collect();
        about.extend(operations.into_iter().map(|id| About { operation: Some(id), ..About::default() }));
        self.exceptions = ledger.exceptions_about(&about)?;
        Ok(self)
    }
}
