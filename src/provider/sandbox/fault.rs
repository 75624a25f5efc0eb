//! What the sandbox is told to do wrong: by config for every call of a kind, or by a magic order reference for one payment.

use crate::config::settings::{Fault, SandboxFaults};
use crate::operation::{Answer, Kind};

/// An order reference that ends in `~capture:timeout-after` makes the captures of that order behave so; likewise `~refund:…`,
/// `~release:…`, `~cancel:…` and, in the entry's reference or in the mandate, `~collect:…`. Several may follow each other.
pub(super) fn fault(order_reference: &str, kind: Kind, configured: SandboxFaults) -> Option<Fault> {
    magic(order_reference, kind.as_str()).or(match kind {
        Kind::Capture => configured.capture,
        Kind::Refund => configured.refund,
        Kind::Release => configured.release,
        Kind::Cancel => configured.cancel,
        Kind::Collect => configured.collect,
        Kind::Journal | Kind::PayoutJournal | Kind::Mail | Kind::Delete | Kind::Event => None,
    })
}

/// What goes wrong with a payment page; `~page:…` in an entry's reference.
pub(super) fn page_fault(reference: &str, configured: SandboxFaults) -> Option<Fault> {
    magic(reference, "page").or(configured.page)
}

/// What goes wrong with the question how a payment stands; `~look:…` in an order reference.
pub(super) fn look_fault(order_reference: &str, configured: SandboxFaults) -> Option<Fault> {
    magic(order_reference, "look").or(configured.look)
}

fn magic(order_reference: &str, call: &str) -> Option<Fault> {
    let mut parts = order_reference.split('~').skip(1).filter_map(|part| part.split_once(':'));
    // Of an entry's reference several orders may be part.
    parts.find(|(of, _)| *of == call).and_then(|(_, name)| named(name.split(';').next().unwrap_or(name)))
}

/// How the first try of a key ends that is not carried out.
pub(super) fn before_acting(fault: Option<Fault>) -> Option<Answer> {
    let unknown = |why: &str| Some(Answer::Unknown { why: why.to_owned() });
    match fault {
        Some(Fault::TimeoutBefore) => unknown("the PSP did not answer in time"),
        Some(Fault::ServerError) => unknown("HTTP 500 from the PSP"),
        Some(Fault::TooManyRequests) => {
            Some(Answer::NotDone { why: "HTTP 429 from the PSP".to_owned(), retry_after_seconds: Some(1) })
        }
        _ => None,
    }
}

fn named(name: &str) -> Option<Fault> {
    Some(match name {
        "timeout-before" => Fault::TimeoutBefore,
        "timeout-after" => Fault::TimeoutAfter,
        "server-error" => Fault::ServerError,
        "too-many-requests" => Fault::TooManyRequests,
        "refuse" => Fault::Refuse,
        "insufficient-funds" => Fault::InsufficientFunds,
        "expire" => Fault::Expire,
        "unreachable" => Fault::Unreachable,
        "confirm-late" => Fault::ConfirmLate,
        "fail-late" => Fault::FailLate,
        "paid-meanwhile" => Fault::PaidMeanwhile,
        "paid-after-all" => Fault::PaidAfterAll,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_magic_reference_wins_over_the_config_for_its_own_call_only() {
        let configured = SandboxFaults { refund: Some(Fault::Refuse), ..SandboxFaults::default() };
        let found = |kind| fault("SO-1~capture:timeout-after~release:refuse", kind, configured);
        assert_eq!(found(Kind::Capture), Some(Fault::TimeoutAfter));
        assert_eq!(found(Kind::Release), Some(Fault::Refuse));
        assert_eq!(found(Kind::Refund), Some(Fault::Refuse));
        assert_eq!(fault("SO-1", Kind::Capture, configured), None);
    }
}
