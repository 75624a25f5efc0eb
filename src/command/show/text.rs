//! The story as people read it: one heading per part, in the order in which things happen.

use std::fmt::Write as _;

use chrono_tz::Tz;

use super::{EntryStory, OperationStory, Story};
use crate::command::payouts;
use crate::command::status::{in_words, local, state_in_words};
use crate::command::table::{printable, table};
use crate::domain::booking::Direction;
use crate::domain::document::Document;
use crate::domain::order::{Cancellation, Order, Terms};
use crate::domain::payment::Payment;
use crate::ledger::{BookedJournal, Deletion, LedgerError, Tombstone};

pub(super) fn story(story: &Story, zone: Tz) -> Result<String, LedgerError> {
    let mut parts = Vec::new();
    parts.extend(story.entry.as_ref().map(EntryStory::heading));
    parts.extend(story.order.as_ref().map(order));
    if !story.tombstones.is_empty() {
        parts.push(tombstones(&story.tombstones, zone));
    }
    if !story.exceptions.is_empty() {
        parts.push(exceptions(story, zone));
    }
    parts.push(payments(&story.payments, zone)?);
    parts.push(documents(&story.documents)?);
    if !story.billing.is_empty() {
        parts.push(story.billing.text()?);
    }
    parts.extend(story.entry.as_ref().map(|entry| entry.text(zone)));
    parts.push(operations(&story.operations, zone));
    if !story.operations.is_empty() {
        parts.push(events(&story.operations, zone));
    }
    parts.push(movements(story, zone));
    parts.push(journals(&story.journals));
    if !story.settlement_lines.is_empty() {
        let rows = story.settlement_lines.iter().map(payouts::row).collect();
        parts.push(section("settlement lines", &payouts::LINE_HEADERS, rows));
    }
    let mut text = parts.join("\n");
    let _ = writeln!(text, "\nTimes in {zone}.");
    Ok(text)
}

pub(super) fn section(title: &str, headers: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        format!("No {title}\n")
    } else {
        format!("{}\n{}\n", capitalised(title), table(headers, rows))
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn order(order: &Order) -> String {
    let terms = match order.terms {
        Terms::Online => "paid online",
        Terms::OnAccount => "on account",
        Terms::Prepayment { .. } => "a share is paid with the order",
    };
    let cancelled = match order.cancelled {
        Cancellation::None => "",
        Cancellation::Rest => ", the rest is cancelled",
        Cancellation::Full => ", cancelled",
    };
    let name = format!("Order {}/{}", order.shop, order.number);
    let deleted = if order.deleted { ", DELETED" } else { "" };
    let mut text = format!("{}: {}{deleted}\n", printable(&name), order.payment_status);
    let Order { total, bill_to, ordered_on, .. } = order;
    let _ = writeln!(text, "{total} of {ordered_on}, {terms}{cancelled}, customer {}", printable(bill_to.as_str()));
    text
}

/// What was done to it, and what let it through each gate.
fn tombstones(tombstones: &[Tombstone], zone: Tz) -> String {
    let mut rows = Vec::new();
    for tombstone in tombstones {
        let Deletion { method, is_final, reason, .. } = &tombstone.deletion;
        let what = if *is_final { method.in_words() } else { "put into quarantine" };
        let restored = tombstone.restored.as_ref();
        let what = restored.map_or_else(|| what.to_owned(), |why| format!("{what}, and restored: {why}"));
        rows.push(vec![local(tombstone.deleted_at, zone), what, reason.clone()]);
        rows.extend(
            tombstone
                .gates
                .iter()
                .map(|(gate, why)| vec![String::new(), format!("gate {}", gate.as_str()), why.clone()]),
        );
    }
    section("deletions", &["time", "what", "why"], rows)
}

fn exceptions(story: &Story, zone: Tz) -> String {
    let rows = story.exceptions.iter().map(|exception| {
        vec![
            exception.id.to_string(),
            local(exception.raised_at, zone),
            exception.kind.as_str().to_owned(),
            exception.subject.clone(),
            exception.message.clone(),
        ]
    });
    section("open exceptions", &["id", "since", "kind", "subject", "message"], rows.collect())
}

fn payments(payments: &[Payment], zone: Tz) -> Result<String, LedgerError> {
    let row = |payment: &Payment| {
        Ok::<_, LedgerError>(vec![
            payment.transaction.to_string(),
            format!("{} / {}", payment.provider, payment.merchant_account),
            payment.method.to_string(),
            format!("{} since {}", payment.status.as_str(), local(payment.status_since, zone)),
            payment.authorised.to_string(),
            payment.captured.to_string(),
            payment.refunded.to_string(),
            payment.still_authorised()?.to_string(),
            payment.capture_before.map_or_else(|| "-".to_owned(), |at| local(at, zone)),
        ])
    };
    let rows = payments.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let headers = [
        "transaction",
        "provider",
        "method",
        "status",
        "authorised",
        "captured",
        "refunded",
        "still authorised",
        "capture before",
    ];
    Ok(section("payments", &headers, rows))
}

fn documents(documents: &[Document]) -> Result<String, LedgerError> {
    let row = |document: &Document| {
        Ok::<_, LedgerError>(vec![
            document.name(),
            document.company.to_string(),
            document.posted_on.to_string(),
            document.bill_to.to_string(),
            document.total.to_string(),
            document.paid_elsewhere.to_string(),
            document.booked.to_string(),
            document.outstanding()?.to_string(),
            document.references.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        ])
    };
    let rows = documents.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let headers = [
        "document",
        "company",
        "posted",
        "customer",
        "total",
        "paid elsewhere",
        "booked",
        "outstanding",
        "for invoice",
    ];
    Ok(section("documents", &headers, rows))
}

fn operations(operations: &[OperationStory], zone: Tz) -> String {
    let rows = operations.iter().map(|OperationStory { operation, names, .. }| {
        vec![
            operation.id.to_string(),
            operation.kind.as_str().to_owned(),
            in_words(names),
            operation.amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string()),
            format!("{} since {}", state_in_words(operation.state), local(operation.status_since, zone)),
            operation.attempt.to_string(),
            operation.key.as_str().to_owned(),
        ]
    });
    section("operations", &["id", "kind", "of", "amount", "state", "attempt", "key"], rows.collect())
}

/// Of all operations together, so that it reads as it happened.
fn events(operations: &[OperationStory], zone: Tz) -> String {
    let mut events: Vec<_> =
        operations.iter().flat_map(|told| told.events.iter().map(move |event| (event, &told.operation))).collect();
    // Stable: what one operation did within a second stays in its order.
    events.sort_by_key(|(event, _)| event.at);
    let rows = events.into_iter().map(|(event, operation)| {
        let at = event.at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string();
        let what = format!("{} {}", operation.kind.as_str(), operation.id);
        vec![at, what, state_in_words(event.state), event.note.clone()]
    });
    section("events", &["time", "operation", "state", "note"], rows.collect())
}

fn movements(story: &Story, zone: Tz) -> String {
    let rows = story.movements.iter().map(|movement| {
        let payment = story.payments.iter().find(|payment| payment.id == movement.payment);
        vec![
            local(movement.occurred_at, zone),
            movement.kind.as_str().replace('_', " "),
            movement.amount.to_string(),
            movement.modification.to_string(),
            payment.map_or_else(|| "-".to_owned(), |payment| payment.transaction.to_string()),
            movement.operation.map_or_else(|| "not ours".to_owned(), |id| id.to_string()),
        ]
    });
    section("movements", &["time", "kind", "amount", "modification", "payment", "operation"], rows.collect())
}

/// One row per posting; what holds for the whole journal stands in its first.
fn journals(journals: &[BookedJournal]) -> String {
    let mut rows = Vec::new();
    for journal in journals {
        let mut facts = vec![
            journal.number.clone(),
            journal.posting_date.to_string(),
            journal_kind(journal),
            if journal.delivered { "yes" } else { "no" }.to_owned(),
        ];
        for posting in &journal.postings {
            let mut row = std::mem::replace(&mut facts, vec![String::new(); 4]);
            let (debit, credit) = if posting.amount.is_negative() {
                (String::new(), posting.amount.negated().to_string())
            } else {
                (posting.amount.to_string(), String::new())
            };
            row.extend([posting.account.to_string(), debit, credit]);
            rows.push(row);
        }
    }
    section("journals", &["number", "date", "kind", "in ERP", "account", "debit", "credit"], rows)
}

fn journal_kind(journal: &BookedJournal) -> String {
    let reversed = match journal.direction {
        Direction::Original => "",
        Direction::Reversal => "reversed ",
    };
    let kind = journal.kind.as_str().replace('_', " ");
    match journal.document_kind.zip(journal.document_number.as_ref()) {
        Some((document, number)) => format!("{reversed}{kind} for {} {number}", document.noun()),
        None => format!("{reversed}{kind}"),
    }
}
