//! A progress bar on a terminal, nothing elsewhere.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
            let mut pace = Pace::default();
            while !stopped.load(Ordering::Relaxed) {
                show(&bar, &tally, &mut pace);
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

/// Bytes a second, of late.
#[derive(Default)]
struct Pace {
    looks: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// So many looks back are two seconds.
    const LOOKS: usize = 25;

    fn of(&mut self, bytes: u64) -> u64 {
        let now = Instant::now();
        self.looks.push_back((now, bytes));
        if self.looks.len() > Self::LOOKS {
            self.looks.pop_front();
        }
        let (then, before) = self.looks.front().copied().unwrap_or((now, bytes));
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds > 0.0 {
            (bytes.saturating_sub(before) as f64 / seconds) as u64
        } else {
            0
        }
    }
}

fn show(bar: &ProgressBar, tally: &Tally, pace: &mut Pace) {
    let (stage, done) = tally.progress();
    let template = if stage.total > 0 {
        "{spinner} {msg} {wide_bar} {pos}/{len} {eta} left"
    } else {
        "{spinner} {msg} {pos}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    // The time that is left is reckoned for each stage anew.
    if done < bar.position() || bar.length() != Some(stage.total) {
        bar.reset_eta();
    }
    bar.set_length(stage.total);
    bar.set_position(done);
    let bytes = tally.bytes();
    bar.set_message(format!(
        "{} ({}, {}/s)",
        stage.name,
        HumanBytes(bytes),
        HumanBytes(pace.of(bytes))
    ));
    bar.tick();
}
