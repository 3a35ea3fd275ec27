//! For the kill test alone, behind the feature `kill-points`: a process that kills itself at its Nth step.
//!
//! A step is whatever changes the store, and whatever leaves the machine: before and after each. SIGKILL, so that nothing
//! is tidied up, as when the power goes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Steps left; 0 counts nothing.
static LEFT: AtomicU64 = AtomicU64::new(0);

/// Kills the process at the Nth step from now; 0: never.
pub fn at(step: u64) {
    LEFT.store(step, Ordering::SeqCst);
}

/// A step.
pub fn point() {
    let counted = LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if counted == Ok(1) {
        let _sent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}
