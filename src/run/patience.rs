//! One call as a worker makes it: patient with `Retry-After`, and not thrown by an adapter that panics.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::host::Host;
use super::ports::Ports;
use crate::kill_switch::Killed;
use crate::operation::Answer;
use crate::operation::request::Request;

/// The longest a run waits for `Retry-After`, all waits of one call together.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// One call, and again after `Retry-After` as long as that stays short.
pub(super) fn send_patiently(ports: &Ports, request: &Request, host: Host<'_>) -> Answer {
    let mut waited = Duration::ZERO;
    loop {
        let answer = ports.send(request);
        let Answer::NotDone { retry_after_seconds: Some(seconds), .. } = &answer else { return answer };
        let wait = Duration::from_secs(*seconds);
        waited += wait.max(Duration::from_secs(1));
        if waited > LONGEST_WAIT {
            return answer;
        }
        let slice = Duration::from_millis(100);
        let mut slept = Duration::ZERO;
        while slept < wait {
            if (host.stop)() {
                return answer;
            }
            (host.pause)(slice.min(wait.saturating_sub(slept)));
            slept += slice;
        }
    }
}

/// A panic in an adapter must not take the run's other answers with it.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        if panic.is::<Killed>() {
            resume_unwind(panic);
        }
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a worker panicked".to_owned())
    })
}
