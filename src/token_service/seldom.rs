//! Whether something was said a moment ago: so that a caller who insists fills no log. Memory is bounded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the same thing is not said again.
const PAUSE: Duration = Duration::from_secs(60);
/// Things that are remembered at most; beyond it something may be said twice.
const MOST: usize = 10_000;

/// What was said in the last minute.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<HashMap<String, Instant>>);

impl Seldom {
    /// Whether it is time to say this; if so, it counts as said.
    pub(super) fn is_time(&self, what: String) -> bool {
        let now = Instant::now();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.get(&what).is_some_and(|at| now.duration_since(*at) < PAUSE) {
            return false;
        }
        if said.len() >= MOST {
            said.retain(|_, at| now.duration_since(*at) < PAUSE);
        }
        if said.len() >= MOST {
            said.clear();
        }
        said.insert(what, now);
        true
    }
}
