//! SIGINT and SIGTERM: the first lets the calls in flight finish and be recorded, a second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

#[derive(Debug, Clone, Default)]
pub struct Signals {
    seen: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on signals are remembered instead of ending the process.
    pub fn install() -> std::io::Result<Self> {
        let seen = Arc::new(AtomicUsize::new(0));
        let second = Arc::new(AtomicBool::new(false));
        for (signal, exit) in [(SIGINT, Exit::Interrupted), (SIGTERM, Exit::Terminated)] {
            // Registered first, so that it looks at the flag before this very signal sets it.
            flag::register_conditional_shutdown(signal, i32::from(exit.code()), Arc::clone(&second))?;
            flag::register(signal, Arc::clone(&second))?;
            flag::register_usize(signal, Arc::clone(&seen), usize::from(exit.code()))?;
        }
        Ok(Self { seen })
    }

    /// Whether one came.
    pub fn is_set(&self) -> bool {
        self.seen.load(Ordering::SeqCst) != 0
    }

    /// How the run ends because of the signal, if one came.
    pub fn exit(&self) -> Option<Exit> {
        let code = self.seen.load(Ordering::SeqCst);
        [Exit::Interrupted, Exit::Terminated].into_iter().find(|exit| usize::from(exit.code()) == code)
    }
}
