//! What follows when the PSP has closed a payment, or the ERP has let an order go.

use crate::domain::consequence::{Consequence, Standing};
use crate::domain::exception::{ExceptionDraft, ExceptionKind};
use crate::domain::id::ShopName;
use crate::domain::letter;
use crate::domain::payment::TransactionStatus;
use crate::operation::{Answer, Operation};
use crate::task::Context;

/// A payment that is closed is cancelled, unless another run has learnt more of it since. One that cannot be closed is looked at again by the next run: somebody may have paid.
pub fn cancel_consequences(_operation: &Operation, answer: &Answer, context: &Context) -> Vec<Consequence> {
    let Some(payment) = &context.payment else { return Vec::new() };
    match answer {
        Answer::Confirmed { .. } if payment.status == TransactionStatus::Open => {
            vec![Consequence::Standing(Standing {
                payment: payment.id,
                status: TransactionStatus::Cancelled,
                authorised: None,
                authorised_at: None,
                capture_before: None,
            })]
        }
        Answer::Confirmed { .. }
        | Answer::Refused(_)
        | Answer::Accepted { .. }
        | Answer::NotDone { .. }
        | Answer::Unknown { .. } => Vec::new(),
    }
}

/// Tombstone, cancelled entries and released stock are one consequence; a refusal needs a person.
pub fn delete_consequences(
    operation: &Operation,
    answer: &Answer,
    context: &Context,
    shop: &ShopName,
) -> Vec<Consequence> {
    match answer {
        Answer::Confirmed { .. } => vec![Consequence::Deleted { operation: operation.id }],
        Answer::Refused(refusal) if !refusal.transient => {
            let draft = ExceptionDraft {
                kind: ExceptionKind::DeletionRefused,
                subject: format!("order {}", context.order_name()),
                message: format!(
                    "nobody paid it, and the ERP does not let it go: {} ({}); when the reason is gone, `payjournal retry {}`",
                    refusal.message, refusal.code, operation.id
                ),
                about: context.about(operation),
            };
            let letter = letter::deletion_refused(shop, operation.key.as_str(), &draft);
            vec![Consequence::Raise(draft), Consequence::Letter(letter)]
        }
        Answer::Refused(_) | Answer::Accepted { .. } | Answer::NotDone { .. } | Answer::Unknown { .. } => Vec::new(),
    }
}
