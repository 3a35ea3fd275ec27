//! How far a scan is: a bar on a terminal; elsewhere a line a minute, so that a long job in CI is seen to live.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use crate::source::Tally;

/// How often the bar is drawn.
const DRAWN: Duration = Duration::from_millis(100);

/// How often a line is said where there is no bar. A scan that is faster says nothing.
const SAID: Duration = Duration::from_secs(60);

/// Units done before which no remaining time is told: it would jump.
const FEW: u64 = 20;

/// Follows a running scan; ends and clears its line when dropped.
pub(super) struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to follow the scan if `wanted`.
    pub(super) fn follow(tally: Arc<Tally>, wanted: bool) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = wanted.then(|| {
            let bar = std::io::stderr().is_terminal().then(bar);
            std::thread::spawn(move || {
                let mut pace = Pace::new(Instant::now());
                let every = if bar.is_some() { DRAWN } else { SAID };
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(every) {
                    let line = pace.line(&seen(&tally), Instant::now());
                    match &bar {
                        Some(bar) => draw(bar, &tally, line),
                        None => drop(writeln!(std::io::stderr(), "{line}")),
                    }
                }
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
            })
        });
        Self {
            stop: Some(stop),
            thread,
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let template = "{spinner:.cyan} {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn draw(bar: &ProgressBar, tally: &Tally, line: String) {
    let (stage, done) = tally.progress();
    let template = if stage.total > 0 {
        "{spinner:.cyan} {bar:24.cyan/dim} {msg}"
    } else {
        "{spinner:.cyan} {msg}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_length(stage.total);
    bar.set_position(done.min(stage.total));
    bar.set_message(line);
    bar.tick();
}

/// What the counters say at one moment.
#[derive(Clone, Copy, Debug)]
struct Seen {
    stage: &'static str,
    total: u64,
    done: u64,
    bytes: u64,
    gaps: usize,
}

fn seen(tally: &Tally) -> Seen {
    let (stage, done) = tally.progress();
    Seen {
        stage: stage.name,
        total: stage.total,
        done,
        bytes: tally.bytes(),
        gaps: tally.gaps(),
    }
}

/// Rates over the last seconds, and of the stage as a whole.
struct Pace {
    stage: &'static str,
    began: Instant,
    /// The last sample, at least [`Pace::BETWEEN`] old when it is replaced.
    sampled: Instant,
    bytes: u64,
    /// Bytes a second, smoothed.
    rate: Option<f64>,
}

impl Pace {
    /// Time between two samples of the rate.
    const BETWEEN: Duration = Duration::from_millis(500);

    fn new(now: Instant) -> Self {
        Self {
            stage: "",
            began: now,
            sampled: now,
            bytes: 0,
            rate: None,
        }
    }

    /// `reading history  1,204/5,310 · 1.2 GB · 310 MB/s · 12 seconds left`.
    fn line(&mut self, seen: &Seen, now: Instant) -> String {
        if seen.stage != self.stage {
            self.stage = seen.stage;
            self.began = now;
        }
        self.sample(seen, now);
        let mut line = if seen.stage.is_empty() {
            "starting"
        } else {
            seen.stage
        }
        .to_owned();
        // writing into a String cannot fail
        if seen.total > 0 {
            let (done, total) = (HumanCount(seen.done), HumanCount(seen.total));
            let _ = write!(line, "  {done}/{total}");
        } else if seen.done > 0 {
            let _ = write!(line, "  {}", HumanCount(seen.done));
        }
        if seen.bytes > 0 {
            let _ = write!(line, " · {}", size(seen.bytes as f64));
        }
        if let Some(rate) = self.rate.filter(|rate| *rate >= 1.0) {
            let _ = write!(line, " · {}/s", size(rate));
        }
        if let Some(left) = self.left(seen, now) {
            let _ = write!(line, " · {} left", HumanDuration(left));
        }
        if seen.gaps > 0 {
            let _ = write!(line, " · {} not scanned", HumanCount(seen.gaps as u64));
        }
        line
    }

    fn sample(&mut self, seen: &Seen, now: Instant) {
        let passed = now.duration_since(self.sampled);
        if passed < Self::BETWEEN {
            return;
        }
        let fresh = seen.bytes.saturating_sub(self.bytes) as f64 / passed.as_secs_f64();
        self.rate = Some(self.rate.map_or(fresh, |rate| 0.7 * rate + 0.3 * fresh));
        self.sampled = now;
        self.bytes = seen.bytes;
    }

    /// By the mean of this stage; nothing while too little is done to tell, or everything is.
    fn left(&self, seen: &Seen, now: Instant) -> Option<Duration> {
        let rest = seen.total.checked_sub(seen.done).filter(|rest| *rest > 0)?;
        if seen.done < FEW.min(seen.total / 10).max(1) {
            return None;
        }
        let each = now.duration_since(self.began).as_secs_f64() / seen.done as f64;
        let left = Duration::try_from_secs_f64(each * rest as f64).ok()?;
        (left >= Duration::from_secs(1)).then_some(left)
    }
}

/// Powers of ten, as the report counts.
fn size(bytes: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes / unit),
        None => format!("{bytes:.0} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Pace, Seen};

    fn seen(done: u64, bytes: u64) -> Seen {
        Seen {
            stage: "reading history",
            total: 1000,
            done,
            bytes,
            gaps: 0,
        }
    }

    #[test]
    fn a_line_tells_bytes_rate_and_remaining_time_once_they_are_known() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.line(&seen(0, 0), start), "reading history  0/1,000");
        let later = start + Duration::from_secs(10);
        assert_eq!(
            pace.line(&seen(250, 50_000_000), later),
            "reading history  250/1,000 · 50.0 MB · 5.0 MB/s · 30 seconds left"
        );
        let end = later + Duration::from_secs(30);
        assert_eq!(
            pace.line(&seen(1000, 50_000_000), end),
            "reading history  1,000/1,000 · 50.0 MB · 3.5 MB/s"
        );
    }

    #[test]
    fn a_stage_of_unknown_length_and_gaps_are_told_without_a_guess() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let unknown = Seen {
            total: 0,
            gaps: 2,
            ..seen(17, 900)
        };
        assert_eq!(
            pace.line(&unknown, start),
            "reading history  17 · 900 bytes · 2 not scanned"
        );
    }
}
