//! What pays one entry: the payments that are for it, each part that was assigned or taken back, and who was asked for the rest.

use chrono_tz::Tz;
use serde_json::{Value, json};

use super::text::section;
use crate::command::status::local;
use crate::command::table::printable;
use crate::domain::entry::Entry;
use crate::domain::id::{PaymentId, TransactionId};
use crate::domain::money::{Amount, MoneyError};
use crate::domain::payment::{Payment, TransactionStatus};
use crate::ledger::{AssignedPart, Invitation, InvitationState, Ledger, LedgerError};

#[derive(Debug)]
pub(super) struct EntryStory {
    entry: Entry,
    order: Option<String>,
    invoice: Option<String>,
    items: Vec<Item>,
    assignments: Vec<AssignedPart>,
    /// Each with the payment whose page it is about.
    invitations: Vec<(TransactionId, Invitation)>,
}

/// A payment that is for the entry, or has paid it.
#[derive(Debug)]
struct Item {
    transaction: TransactionId,
    status: TransactionStatus,
    /// What it may still bring to the entry.
    expected: Amount,
    assigned: Amount,
    page: Option<String>,
}

impl EntryStory {
    /// `payments`: those that are for the entry, or have paid it.
    pub(super) fn of(entry: Entry, payments: &[Payment], ledger: &Ledger) -> Result<Self, LedgerError> {
        let assignments = ledger.assignments_of_entry(entry.id)?;
        let mut items = Vec::new();
        let mut invitations = Vec::new();
        for payment in payments {
            let page = ledger.page_of_payment(payment.id)?;
            items.push(item(&entry, payment, page, &assignments)?);
            let written = ledger.invitations(payment.id)?;
            invitations.extend(written.into_iter().map(|one| (payment.transaction.clone(), one)));
        }
        let order = entry.order.map(|order| ledger.order(order)).transpose()?;
        let invoice = entry.document.map(|document| ledger.document(document)).transpose()?;
        Ok(Self {
            order: order.map(|order| format!("{}/{}", order.shop, order.number)),
            invoice: invoice.map(|invoice| invoice.number.to_string()),
            entry,
            items,
            assignments,
            invitations,
        })
    }

    pub(super) fn heading(&self) -> String {
        let Entry { customer, title, key, payment_key, .. } = &self.entry;
        let mut of = vec![format!("{} of customer {customer}", self.entry.initial)];
        of.extend((!title.is_empty()).then(|| title.clone()));
        of.extend(self.order.iter().map(|order| format!("order {order}")));
        of.extend(self.invoice.iter().map(|invoice| format!("invoice {invoice}")));
        of.extend(key.iter().map(|key| format!("key {key}")));
        of.extend(payment_key.iter().map(|key| format!("key of its payment {key}")));
        of.extend(self.entry.due_on.map(|day| format!("due on {day}")));
        let name = self.entry.reference.as_ref().map_or_else(|| self.entry.id.to_string(), ToString::to_string);
        format!("Entry {}: {}\n{}\n", printable(&name), self.entry.status, printable(&of.join(", ")))
    }

    pub(super) fn text(&self, zone: Tz) -> String {
        let items = self.items.iter().map(|item| {
            vec![
                item.transaction.to_string(),
                item.status.as_str().to_owned(),
                item.expected.to_string(),
                item.assigned.to_string(),
                item.page.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        });
        let items = section("entry items", &["payment", "status", "expected", "assigned", "page"], items.collect());
        let assignments = self.assignments.iter().map(|part| {
            vec![
                local(part.at, zone),
                part.amount.to_string(),
                part.kind.as_str().replace('_', " "),
                part.modification.to_string(),
                part.transaction.to_string(),
            ]
        });
        let headers = ["time", "amount", "by", "modification", "payment"];
        let assignments = section("assignments", &headers, assignments.collect());
        let invitations = self.invitations.iter().map(|(transaction, invitation)| {
            let written = local(invitation.written_at, zone);
            vec![written, transaction.to_string(), in_words(invitation.state).to_owned()]
        });
        let invitations = section("invitations", &["written", "payment", "state"], invitations.collect());
        format!("{items}\n{assignments}\n{invitations}")
    }

    pub(super) fn items_json(&self) -> Vec<Value> {
        let item = |item: &Item| {
            json!({
                "transaction": item.transaction,
                "status": item.status,
                "expected": item.expected,
                "assigned": item.assigned,
                "payment_url": item.page,
            })
        };
        self.items.iter().map(item).collect()
    }

    pub(super) fn assignments_json(&self) -> Vec<Value> {
        let part = |part: &AssignedPart| {
            json!({
                "at": part.at,
                "amount": part.amount,
                "kind": part.kind,
                "modification": part.modification,
                "transaction": part.transaction,
            })
        };
        self.assignments.iter().map(part).collect()
    }

    pub(super) fn invitations_json(&self) -> Vec<Value> {
        let told = self.invitations.iter().map(|(transaction, invitation)| {
            json!({
                "transaction": transaction,
                "written_at": invitation.written_at,
                "state": invitation.state,
            })
        });
        told.collect()
    }
}

fn item(
    entry: &Entry,
    payment: &Payment,
    page: Option<(String, Amount)>,
    assignments: &[AssignedPart],
) -> Result<Item, MoneyError> {
    let asked = page.as_ref().map_or(payment.authorised, |(_, amount)| *amount);
    let expected = if payment.status.is_final() { Amount::zero(asked.currency()) } else { asked };
    Ok(Item {
        transaction: payment.transaction.clone(),
        status: payment.status,
        expected: entry.open()?.at_most(expected)?,
        assigned: assigned_by(payment.id, entry, assignments)?,
        page: page.map(|(url, _)| url),
    })
}

fn assigned_by(payment: PaymentId, entry: &Entry, assignments: &[AssignedPart]) -> Result<Amount, MoneyError> {
    let of_payment = assignments.iter().filter(|part| part.payment == payment);
    Amount::sum(entry.initial.currency(), of_payment.map(|part| part.amount))
}

fn in_words(state: InvitationState) -> &'static str {
    match state {
        InvitationState::Queued => "waits to be sent",
        InvitationState::Sent => "sent",
        InvitationState::Refused => "refused",
        InvitationState::Withdrawn => "not sent: paid or gone first",
    }
}
