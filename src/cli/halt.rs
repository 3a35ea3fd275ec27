//! Ends a scan before its end: by Ctrl-C or SIGTERM, and by `--deadline`. What was found by then is reported.
//!
//! The second Ctrl-C ends the process at once, with exit code 130: nobody must be kept by a report that hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::source::Tally;

/// How often the watch looks up: nobody notices, and it costs nothing.
const BEAT: Duration = Duration::from_millis(50);

/// What the shell gives for a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Stops a scan when it is told to; ends when dropped.
pub(super) struct Halt {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Halt {
    /// Watches over the scan.
    ///
    /// # Errors
    /// A system that refuses handlers of signals.
    pub(super) fn watch(tally: Arc<Tally>, deadline: Option<Duration>) -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .context("cannot watch for Ctrl-C")?;
        }
        let over = Arc::new(AtomicBool::new(false));
        let (ended, began) = (Arc::clone(&over), Instant::now());
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                if asked.load(Ordering::Relaxed) {
                    return tally.stop("it was interrupted; run it again to see the rest");
                }
                if deadline.is_some_and(|deadline| began.elapsed() >= deadline) {
                    return tally
                        .stop("--deadline has passed; give it more time, or scan less: --range, --since");
                }
                let left = deadline.map_or(BEAT, |deadline| {
                    deadline.saturating_sub(began.elapsed()).min(BEAT)
                });
                std::thread::park_timeout(left);
            }
        });
        Ok(Self {
            over,
            thread: Some(thread),
        })
    }
}

impl Drop for Halt {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Reads `90s`, `10m`, `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration> {
    let span: jiff::SignedDuration = text.parse().context("write it as 90s, 10m or 1h30m")?;
    match Duration::try_from(span) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => bail!("it must be longer than nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn a_deadline_is_read_as_people_write_it() {
        assert_eq!(duration("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("1h30m").unwrap(), Duration::from_secs(5400));
        for wrong in ["", "90", "-3s", "0s", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
