//! Counts what a scan goes through, from all threads; the progress bar and the final coverage are read off it.
//!
//! It also carries the word to stop: every source asks [`Tally::goes_on`] between two units of work, and a scan that was
//! stopped is never complete.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::finding::{Coverage, Skipped};

/// Most gaps that are named one by one; further ones are counted.
const MOST_SKIPPED: usize = 1000;

/// What a scan is busy with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// For people: `scanning files`.
    pub name: &'static str,
    /// Units of work in this stage, 0 if not known beforehand.
    pub total: u64,
}

/// Counters of a running scan.
#[derive(Debug, Default)]
pub struct Tally {
    files: AtomicU64,
    bytes: AtomicU64,
    blobs: AtomicU64,
    commits: AtomicU64,
    binary: AtomicU64,
    done: AtomicU64,
    stage: Mutex<Stage>,
    skipped: Mutex<Vec<Skipped>>,
    more_skipped: AtomicU64,
    stopped: AtomicBool,
}

/// A poisoned lock only means that another thread panicked; the data are plain counters and lists.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Tally {
    /// A file was read.
    pub fn add_file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// So many bytes were read.
    pub fn add_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A blob of the history was read.
    pub fn add_blob(&self) {
        self.blobs.fetch_add(1, Ordering::Relaxed);
    }

    /// So many commits were walked.
    pub fn add_commits(&self, commits: u64) {
        self.commits.fetch_add(commits, Ordering::Relaxed);
    }

    /// A binary file was passed over.
    pub fn add_binary(&self) {
        self.binary.fetch_add(1, Ordering::Relaxed);
    }

    /// Something that should have been scanned was not.
    pub fn skip(&self, what: impl Into<String>, why: impl Into<String>) {
        let mut skipped = locked(&self.skipped);
        if skipped.len() < MOST_SKIPPED {
            skipped.push(Skipped {
                what: what.into(),
                why: why.into(),
            });
        } else {
            self.more_skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The scan ends with what it has; `why` is for people. Only the first reason is told.
    pub fn stop(&self, why: impl Into<String>) {
        if !self.stopped.swap(true, Ordering::Relaxed) {
            let mut skipped = locked(&self.skipped);
            skipped.push(Skipped {
                what: "the rest of the scan".to_owned(),
                why: why.into(),
            });
        }
    }

    /// Whether nobody has stopped the scan.
    pub fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    /// A new stage begins, with `total` units of work (0: not known).
    pub fn begin(&self, name: &'static str, total: usize) {
        *locked(&self.stage) = Stage {
            name,
            total: total as u64,
        };
        self.done.store(0, Ordering::Relaxed);
    }

    /// One unit of the stage is done.
    pub fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// The stage and how many of its units are done.
    pub fn progress(&self) -> (Stage, u64) {
        (locked(&self.stage).clone(), self.done.load(Ordering::Relaxed))
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many gaps there are so far.
    pub fn gaps(&self) -> usize {
        locked(&self.skipped).len()
    }

    /// What the scan went through, gaps sorted so that two runs read the same.
    pub fn coverage(&self) -> Coverage {
        let mut skipped = locked(&self.skipped).clone();
        skipped.sort();
        skipped.dedup();
        let more = self.more_skipped.load(Ordering::Relaxed);
        if more > 0 {
            skipped.push(Skipped {
                what: format!("{more} further items"),
                why: "not named one by one".to_owned(),
            });
        }
        Coverage {
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes(),
            blobs: self.blobs.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            binary: self.binary.load(Ordering::Relaxed),
            skipped,
        }
    }
}
