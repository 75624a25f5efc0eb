//! What the sandbox is told to do wrong: by config for every call of a kind, or by a magic order reference for one payment.

use crate::config::settings::{Fault, SandboxFaults};
use crate::operation::Kind;

/// An order reference that ends in `~capture:timeout-after` makes the captures of that order behave so; likewise `~refund:…`
/// and `~release:…`. Several may follow each other.
pub(super) fn fault(order_reference: &str, kind: Kind, configured: SandboxFaults) -> Option<Fault> {
    let magic = order_reference
        .split('~')
        .skip(1)
        .filter_map(|part| part.split_once(':'))
        .find(|(call, _)| *call == kind.as_str())
        .and_then(|(_, name)| named(name));
    magic.or(match kind {
        Kind::Capture => configured.capture,
        Kind::Refund => configured.refund,
        Kind::Release => configured.release,
        Kind::Journal | Kind::Mail => None,
    })
}

fn named(name: &str) -> Option<Fault> {
    Some(match name {
        "timeout-before" => Fault::TimeoutBefore,
        "timeout-after" => Fault::TimeoutAfter,
        "server-error" => Fault::ServerError,
        "too-many-requests" => Fault::TooManyRequests,
        "refuse" => Fault::Refuse,
        "expire" => Fault::Expire,
        "unreachable" => Fault::Unreachable,
        "confirm-late" => Fault::ConfirmLate,
        "fail-late" => Fault::FailLate,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_magic_reference_wins_over_the_config_for_its_own_call_only() {
        let configured = SandboxFaults { capture: None, refund: Some(Fault::Refuse), release: None };
        let found = |kind| fault("SO-1~capture:timeout-after~release:refuse", kind, configured);
        assert_eq!(found(Kind::Capture), Some(Fault::TimeoutAfter));
        assert_eq!(found(Kind::Release), Some(Fault::Refuse));
        assert_eq!(found(Kind::Refund), Some(Fault::Refuse));
        assert_eq!(fault("SO-1", Kind::Capture, configured), None);
    }
}
