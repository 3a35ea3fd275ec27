//! Asking again until something shows: how a revocation is proved.

use std::time::{Duration, Instant};

use super::{Answer, Verifier};
use crate::leak::Held;
use crate::rule::Rule;

/// How long we go on asking, unless the configuration says otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// Longest pause between two questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Verifier {
    /// How long [`Verifier::ask_until`] goes on about a token of this rule: a minute, or the service's `settle`.
    pub fn limit(&self, rule: &Rule) -> Duration {
        let settings = self.caller.settings(&rule.service.name);
        settings.settle.unwrap_or(LIMIT)
    }

    /// Asks at once and then again, with pauses that double from one second (from a tenth of a shorter limit), until
    /// `proof` sees what it looks for. `Err` is the last answer before the limit.
    pub async fn ask_until<T>(
        &self,
        rule: &Rule,
        held: &Held,
        proof: impl Fn(&Answer) -> Option<T>,
    ) -> Result<T, Answer> {
        let (started, limit) = (Instant::now(), self.limit(rule));
        let mut pause = Duration::from_secs(1).min(limit / 10);
        loop {
            let answer = self.ask_again(rule, held).await;
            if let Some(seen) = proof(&answer) {
                return Ok(seen);
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(answer);
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
