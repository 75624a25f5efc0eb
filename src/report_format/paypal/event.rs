//! What Paypal's event codes stand for.

use crate::domain::settlement::LineKind;

/// By the code and, where it goes both ways, the direction of the money. What is not in the contract is unknown.
pub(super) fn kind_of(event: &str, is_debit: bool) -> LineKind {
    let either = |credit, debit| if is_debit { debit } else { credit };
    match event {
        // A payment that we made, and not one that we got, is nothing a shop knows.
        payment if payment.starts_with("T00") => either(LineKind::Sale, LineKind::Unknown),
        fee if fee.starts_with("T01") => LineKind::Fee,
        conversion if conversion.starts_with("T02") => LineKind::ForeignExchange,
        withdrawal if withdrawal.starts_with("T04") => either(LineKind::PayoutFailed, LineKind::Payout),
        "T1106" | "T1201" => either(LineKind::ChargebackReversed, LineKind::Chargeback),
        "T1202" => either(LineKind::ChargebackReversed, LineKind::Unknown),
        "T1107" => either(LineKind::RefundReversed, LineKind::Refund),
        "T1108" | "T1109" => LineKind::Fee,
        "T1110" | "T1111" => either(LineKind::ReserveReleased, LineKind::ReserveHeld),
        "T1900" => LineKind::Correction,
        _ => LineKind::Unknown,
    }
}
