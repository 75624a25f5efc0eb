//! What follows when the PSP answers a capture or a release.

use crate::domain::consequence::{Consequence, Standing};
use crate::domain::exception::{ExceptionDraft, ExceptionKind};
use crate::domain::id::ShopName;
use crate::domain::letter;
use crate::domain::movement::MovementKind;
use crate::domain::payment::{Payment, TransactionStatus};
use crate::operation::{Answer, Operation, Refusal};
use crate::task::Context;

/// A confirmed capture is a movement, and a mail where an invoice or shipment triggered it (trap T7). An accepted one is
/// nothing yet (trap T5).
pub fn consequences(operation: &Operation, answer: &Answer, context: &Context, shop: &ShopName) -> Vec<Consequence> {
    let Some(payment) = &context.payment else { return Vec::new() };
    match answer {
        Answer::Confirmed { modification, at, amount } => {
            let mut follows = context.moved(operation, MovementKind::Capture, modification, *at, *amount);
            // With everything captured the ledger says so by itself; here the PSP lets the rest lapse.
            if payment.status == TransactionStatus::Authorised && context.drops_remainder {
                follows.push(standing(payment, TransactionStatus::Captured));
            }
            if operation.subject.document.is_some() {
                follows.extend(context.letter(operation, *amount, shop, letter::captured));
            }
            follows
        }
        Answer::Refused(refusal) => {
            let mut follows = refused(operation, refusal, context, shop, ExceptionKind::CaptureRefused, "captured");
            if refusal.code == "authorisation_expired" {
                follows.push(standing(payment, TransactionStatus::Expired));
            }
            follows
        }
        Answer::Accepted { .. } | Answer::NotDone { .. } | Answer::Unknown { .. } => Vec::new(),
    }
}

pub fn release_consequences(
    operation: &Operation,
    answer: &Answer,
    context: &Context,
    shop: &ShopName,
) -> Vec<Consequence> {
    let Some(payment) = &context.payment else { return Vec::new() };
    match answer {
        Answer::Confirmed { amount, .. } => {
            let ends =
                if payment.captured.is_positive() { TransactionStatus::Captured } else { TransactionStatus::Released };
            let mut follows = vec![standing(payment, ends)];
            follows.extend(context.letter(operation, *amount, shop, letter::released));
            follows
        }
        Answer::Refused(refusal) if !refusal.transient => {
            vec![Consequence::Raise(exception(operation, refusal, context, ExceptionKind::ReleaseRefused))]
        }
        Answer::Refused(_) | Answer::Accepted { .. } | Answer::NotDone { .. } | Answer::Unknown { .. } => Vec::new(),
    }
}

/// A definite no: an exception, and one mail per operation and code (rule 5). A transient one is tried again quietly.
pub(crate) fn refused(
    operation: &Operation,
    refusal: &Refusal,
    context: &Context,
    shop: &ShopName,
    kind: ExceptionKind,
    verb: &str,
) -> Vec<Consequence> {
    if refusal.transient {
        return Vec::new();
    }
    let mut follows = vec![Consequence::Raise(exception(operation, refusal, context, kind))];
    follows.extend(
        context.letter(operation, None, shop, |matter| letter::refused(matter, verb, &refusal.code, &refusal.message)),
    );
    follows
}

fn exception(operation: &Operation, refusal: &Refusal, context: &Context, kind: ExceptionKind) -> ExceptionDraft {
    let amount = operation.amount.map(|amount| amount.to_string()).unwrap_or_default();
    let transaction = context.payment.as_ref().map(|payment| payment.transaction.to_string()).unwrap_or_default();
    ExceptionDraft {
        kind,
        subject: format!("operation {} ({} of payment {transaction})", operation.id, operation.kind.as_str()),
        message: format!(
            "the {} of {amount} for {} (order {}) was refused: {} ({}); when the reason is gone, `payjournal retry {}`",
            operation.kind.as_str(),
            context.document_name(),
            context.order_name(),
            refusal.message,
            refusal.code,
            operation.id
        ),
        about: context.about(operation),
    }
}

fn standing(payment: &Payment, status: TransactionStatus) -> Consequence {
    Consequence::Standing(Standing {
        payment: payment.id,
        status,
        authorised: None,
        authorised_at: None,
        capture_before: None,
    })
}
