//! Where a test may kill the process: every ledger commit and every outside call passes here, and nothing else does.
//!
//! In release builds this is nothing at all.
//!
//! The simulation has moments of its own: its worlds stand where the outside calls lead, and [`crate::ledger::Ledger`] tells it of every
//! commit. There a kill is a panic with [`Killed`], which unwinds the run and rolls back what was not committed.

/// The moments a crash can separate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    BeforeCommit,
    AfterCommit,
    BeforeCall,
    AfterCall,
}

/// What a simulated kill unwinds with. Nobody catches it but the simulation.
#[derive(Debug, Clone, Copy)]
pub struct Killed;

/// Debug builds: appends the moment to the file `$PAYJOURNAL_KILL_LOG` names, and dies by SIGKILL at the moment whose number
/// `$PAYJOURNAL_KILL_AT` gives, counted from 1.
#[cfg(debug_assertions)]
#[expect(
    clippy::disallowed_methods,
    reason = "the switch is for tests of the whole process, which can only set its environment"
)]
pub fn pass(moment: Moment, what: &str) {
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(path) = std::env::var_os("PAYJOURNAL_KILL_LOG")
        && let Ok(mut log) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        // A test that cannot read its log fails by itself.
        let _ = writeln!(log, "{number} {moment:?} {what}");
    }
    let deadly = std::env::var("PAYJOURNAL_KILL_AT").ok().and_then(|text| text.parse::<u64>().ok());
    if deadly == Some(number) {
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
    }
}

#[cfg(not(debug_assertions))]
pub fn pass(_moment: Moment, _what: &str) {}
