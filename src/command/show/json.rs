//! The story as scripts read it. Amounts are objects, times UTC.

use serde_json::{Value, json};

use super::{EntryStory, OperationStory, Story};
use crate::command::status::exception_json;
use crate::domain::document::Document;
use crate::domain::movement::Movement;
use crate::domain::order::{Order, Terms};
use crate::domain::payment::Payment;
use crate::exit::Exit;
use crate::ledger::{BookedJournal, Deletion, LedgerError, Tombstone};

pub(super) fn document(story: &Story) -> Result<Value, LedgerError> {
    Ok(json!({
        "schema": "payjournal/show/1",
        "outcome": Exit::Done.outcome(),
        "exit_code": Exit::Done.code(),
        "order": story.order.as_ref().map(order),
        "deletions": story.tombstones.iter().map(tombstone).collect::<Vec<_>>(),
        "payments": story.payments.iter().map(payment).collect::<Result<Vec<_>, _>>()?,
        "documents": story.documents.iter().map(erp_document).collect::<Result<Vec<_>, _>>()?,
        "entries": story.billing.entries_json()?,
        "entry_items": story.entry.as_ref().map(EntryStory::items_json).unwrap_or_default(),
        "assignments": story.entry.as_ref().map(EntryStory::assignments_json).unwrap_or_default(),
        "invitations": story.entry.as_ref().map(EntryStory::invitations_json).unwrap_or_default(),
        "invoice_lines": story.billing.lines_json(),
        "corrections": story.billing.corrections_json(),
        "operations": story.operations.iter().map(operation).collect::<Vec<_>>(),
        "movements": story.movements.iter().map(|moved| movement(moved, story)).collect::<Vec<_>>(),
        "journals": story.journals.iter().map(journal).collect::<Vec<_>>(),
        "settlement_lines": story.settlement_lines,
        "exceptions": story.exceptions.iter().map(exception_json).collect::<Vec<_>>(),
    }))
}

fn order(order: &Order) -> Value {
    let (terms, basis_points) = match order.terms {
        Terms::Online => ("online", None),
        Terms::OnAccount => ("on_account", None),
        Terms::Prepayment { basis_points } => ("prepayment", Some(basis_points)),
    };
    json!({
        "shop": order.shop,
        "number": order.number,
        "total": order.total,
        "terms": terms,
        "prepayment_basis_points": basis_points,
        "cancelled": order.cancelled,
        "bill_to": order.bill_to,
        "payment_status": order.payment_status,
        "ordered_on": order.ordered_on,
        "deleted": order.deleted,
    })
}

fn tombstone(tombstone: &Tombstone) -> Value {
    let Deletion { generation, method, is_final, reason, stock_released_by, .. } = &tombstone.deletion;
    let gates: serde_json::Map<String, Value> =
        tombstone.gates.iter().map(|(gate, why)| (gate.as_str().to_owned(), json!(why))).collect();
    json!({
        "generation": generation,
        "method": method,
        "is_final": is_final,
        "reason": reason,
        "stock_released_by": stock_released_by,
        "operation": tombstone.operation,
        "deleted_at": tombstone.deleted_at,
        "gates": gates,
        "restored": tombstone.restored,
    })
}

fn payment(payment: &Payment) -> Result<Value, LedgerError> {
    Ok(json!({
        "provider": payment.provider,
        "merchant_account": payment.merchant_account,
        "transaction": payment.transaction,
        "method": payment.method,
        "status": payment.status,
        "status_since": payment.status_since,
        "authorised_at": payment.authorised_at,
        "authorised": payment.authorised,
        "captured": payment.captured,
        "refunded": payment.refunded,
        "still_authorised": payment.still_authorised()?,
        "capture_before": payment.capture_before,
        "pays": payment.pays,
    }))
}

fn erp_document(document: &Document) -> Result<Value, LedgerError> {
    Ok(json!({
        "company": document.company,
        "kind": document.kind,
        "number": document.number,
        "bill_to": document.bill_to,
        "posted_on": document.posted_on,
        "total": document.total,
        "paid_elsewhere": document.paid_elsewhere,
        "booked": document.booked,
        "delivered": document.delivered,
        "outstanding": document.outstanding()?,
        "references": document.references,
    }))
}

fn operation(OperationStory { operation, names, events }: &OperationStory) -> Value {
    json!({
        "id": operation.id,
        "kind": operation.kind,
        "document": names.document,
        "order": names.order,
        "transaction": names.transaction,
        "journal": names.journal,
        "entry": names.entry,
        "amount": operation.amount,
        "state": operation.state,
        "since": operation.status_since,
        "planned_at": operation.planned_at,
        "next_attempt_at": operation.next_attempt_at,
        "attempt": operation.attempt,
        "tries": operation.tries,
        "key": operation.key.as_str(),
        "modification": operation.modification,
        "refusal": operation.refusal,
        "events": events,
    })
}

fn movement(movement: &Movement, story: &Story) -> Value {
    let payment = story.payments.iter().find(|payment| payment.id == movement.payment);
    json!({
        "kind": movement.kind,
        "transaction": payment.map(|payment| &payment.transaction),
        "modification": movement.modification,
        "amount": movement.amount,
        "occurred_at": movement.occurred_at,
        "operation": movement.operation,
        "untied": movement.untied,
    })
}

fn journal(journal: &BookedJournal) -> Value {
    json!({
        "number": journal.number,
        "kind": journal.kind,
        "direction": journal.direction,
        "posting_date": journal.posting_date,
        "bill_to": journal.bill_to,
        "amount": journal.amount,
        "document_kind": journal.document_kind,
        "document": journal.document_number,
        "order": journal.order,
        "transaction": journal.transaction,
        "modification": journal.modification,
        "delivered": journal.delivered,
        "postings": journal.postings,
    })
}
