//! A progress bar on a terminal, nothing elsewhere.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::source::Tally;

/// Follows a running scan; ends and clears its line when dropped.
pub(super) struct Progress {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to follow the scan if standard error is a terminal and `wanted`.
    pub(super) fn follow(tally: Arc<Tally>, wanted: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        if !wanted || !std::io::stderr().is_terminal() {
            return Self { stop, thread: None };
        }
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let bar = ProgressBar::new_spinner();
            while !stopped.load(Ordering::Relaxed) {
                show(&bar, &tally);
                std::thread::sleep(Duration::from_millis(80));
            }
            bar.finish_and_clear();
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn show(bar: &ProgressBar, tally: &Tally) {
    let (stage, done) = tally.progress();
    let template = if stage.total > 0 {
        "{spinner} {msg} {wide_bar} {pos}/{len} {per_sec} {eta}"
    } else {
        "{spinner} {msg} {pos} {per_sec}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_length(stage.total);
    bar.set_position(done);
    bar.set_message(format!("{} ({})", stage.name, HumanBytes(tally.bytes())));
    bar.tick();
}
