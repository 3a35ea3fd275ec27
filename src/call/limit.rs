//! How fast a host is asked: so many requests at a time, a pause between them, and silence when it asks for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{CallError, CallSettings, Reply};
use crate::rule::file::RateFile;

/// How often a read-only call is sent in all.
const MOST_TRIES: u32 = 3;
/// No service is believed that wants to be left alone for longer.
const LONGEST_SILENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Many who wait for the same moment come one pace after the other: none of them is turned away for that.
const SLACK: Duration = Duration::from_secs(1);

/// The lanes of all hosts.
pub(super) struct Limits {
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    at_once: usize,
    pace: Duration,
    longest_wait: Duration,
    back_off: Duration,
}

/// One host's.
pub(super) struct Lane {
    places: Arc<Semaphore>,
    next: Mutex<Instant>,
    pace: Duration,
}

/// What to do after a try of a read-only call.
pub(super) enum Next {
    /// Take what came.
    Take,
    /// Send it again after this time.
    Again(Duration),
    /// Give up until then.
    Limited(Option<Duration>),
}

impl Limits {
    pub(super) fn new(settings: &CallSettings) -> Self {
        Self {
            lanes: Mutex::new(HashMap::new()),
            at_once: settings.at_once.max(1),
            pace: settings.pace,
            longest_wait: settings.longest_wait,
            back_off: settings.back_off,
        }
    }

    /// The lane of a host and port, no wider and no faster than the service that is asked there first lets it be.
    pub(super) fn lane(&self, host: &str, rate: RateFile) -> Arc<Lane> {
        let at_once = rate
            .at_once
            .map_or(self.at_once, |most| most.clamp(1, self.at_once));
        let declared = rate.per_minute.map(|most| Duration::from_secs(60) / most.max(1));
        let pace = declared.map_or(self.pace, |declared| declared.max(self.pace));
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(host.to_owned()).or_insert_with(|| {
            Arc::new(Lane {
                places: Arc::new(Semaphore::new(at_once)),
                next: Mutex::new(Instant::now()),
                pace,
            })
        });
        Arc::clone(lane)
    }

    /// Waits for a place and for the host's next free moment. One that wants silence for longer than we wait is not
    /// asked at all.
    pub(super) async fn enter(&self, lane: &Lane) -> Result<OwnedSemaphorePermit, CallError> {
        let permit = Arc::clone(&lane.places)
            .acquire_owned()
            .await
            .map_err(|_| CallError::Unreachable("unleak is shutting down".to_owned()))?;
        tokio::time::sleep_until(self.moment(lane)?).await;
        Ok(permit)
    }

    /// Takes the host's next free moment.
    fn moment(&self, lane: &Lane) -> Result<Instant, CallError> {
        let mut next = lane.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let start = now.max(*next);
        // Few have a place, and whoever only waits for those before is not turned away.
        let before = u32::try_from(self.at_once).unwrap_or(u32::MAX);
        if start - now > self.longest_wait + SLACK.max(lane.pace * before) {
            return Err(CallError::RateLimited {
                retry_after: Some(start - now),
            });
        }
        *next = start + lane.pace;
        Ok(start)
    }

    /// Leaves the host alone for so long.
    pub(super) fn silence(&self, lane: &Lane, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_SILENCE);
        let mut next = lane.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = until.max(*next);
    }

    /// What to do after the given try (from 1) of a read-only call.
    pub(super) fn next(&self, tries: u32, result: &Result<Reply, CallError>) -> Next {
        let wait = match result {
            Ok(reply) if is_limited(reply) => wait_of(reply),
            Ok(reply) if reply.status >= 500 => None,
            Err(CallError::Unreachable(_) | CallError::Network(_)) => None,
            Ok(_) | Err(_) => return Next::Take,
        };
        match wait {
            Some(wait) if wait > self.longest_wait || tries >= MOST_TRIES => Next::Limited(Some(wait)),
            Some(wait) => Next::Again(wait),
            None if tries < MOST_TRIES => Next::Again(jittered(self.back_off * 2_u32.pow(tries - 1))),
            None if matches!(result, Ok(reply) if is_limited(reply)) => Next::Limited(None),
            None => Next::Take,
        }
    }
}

/// Whether a reply asks to be left alone: 503 with a time, or one that turned the request away.
pub(super) fn is_limited(reply: &Reply) -> bool {
    is_turned_away(reply) || (reply.status == 503 && retry_after(reply).is_some())
}

/// Whether a limit kept the service from even looking at the request: 429, or 403 with a time (GitHub says both).
pub(super) fn is_turned_away(reply: &Reply) -> bool {
    reply.status == 429 || (reply.status == 403 && wait_of(reply).is_some())
}

/// How long a limited service wants to be left alone: `Retry-After`, else the reset of a limit that is used up.
pub(super) fn wait_of(reply: &Reply) -> Option<Duration> {
    retry_after(reply).or_else(|| used_up(reply))
}

/// GitHub's `X-RateLimit-Remaining: 0` with `X-RateLimit-Reset`, in seconds since 1970; at most a day.
fn used_up(reply: &Reply) -> Option<Duration> {
    if reply.header("x-ratelimit-remaining")?.trim() != "0" {
        return None;
    }
    let reset: i64 = reply.header("x-ratelimit-reset")?.trim().parse().ok()?;
    let wait = reset.saturating_sub(Timestamp::now().as_second());
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)).min(LONGEST_SILENCE))
}

/// The `Retry-After` header: seconds, or an HTTP date (RFC 9110, section 10.2.3); at most a day.
pub(super) fn retry_after(reply: &Reply) -> Option<Duration> {
    let text = reply.header("retry-after")?.trim();
    let wait = if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        at.duration_since(Timestamp::now())
            .try_into()
            .unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST_SILENCE))
}

/// Between a half and the whole of it, so that many who failed together do not come back together.
fn jittered(wait: Duration) -> Duration {
    let mut random = [0_u8; 2];
    if getrandom::fill(&mut random).is_err() {
        return wait;
    }
    wait / 2 + wait.mul_f64(f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Limits, is_turned_away, retry_after, wait_of};
    use crate::call::{CallSettings, Reply};
    use crate::rule::file::RateFile;

    fn wait(value: &str) -> Option<Duration> {
        retry_after(&Reply::new(429, [("Retry-After", value.as_bytes())], Vec::new()))
    }

    #[test]
    fn a_host_is_asked_at_the_pace_that_its_service_declares() {
        let limits = Limits::new(&CallSettings::default());
        let rate = RateFile {
            at_once: Some(2),
            per_minute: Some(30),
        };
        let lane = limits.lane("api.example.com:443", rate);
        let first = limits.moment(&lane).unwrap();
        let second = limits.moment(&lane).unwrap();
        assert_eq!(second - first, Duration::from_secs(2));
        assert_eq!(lane.places.available_permits(), 2);
        let other = limits.lane("api.example.org:443", RateFile::default());
        assert_eq!(
            other.places.available_permits(),
            4,
            "another host has a lane of its own"
        );
    }

    #[test]
    fn a_limit_that_is_used_up_lasts_until_its_reset() {
        let reset = (Timestamp::now().as_second() + 90).to_string();
        let said = |status, left: &str, reset: &str| {
            let headers = [
                ("X-RateLimit-Remaining", left.as_bytes()),
                ("X-RateLimit-Reset", reset.as_bytes()),
            ];
            Reply::new(status, headers, Vec::new())
        };
        let limited = said(403, "0", &reset);
        assert!(is_turned_away(&limited));
        assert!(wait_of(&limited).is_some_and(|wait| wait > Duration::from_secs(80)));
        assert!(!is_turned_away(&said(403, "59", &reset)), "a plain refusal");
        assert!(
            !is_turned_away(&said(200, "0", &reset)),
            "the last one that was let in"
        );
        assert_eq!(wait_of(&said(403, "0", "-9999999999999999999")), None);
        assert_eq!(wait_of(&said(403, "0", "1")), Some(Duration::ZERO));
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date_and_is_bounded() {
        let day = Duration::from_secs(86_400);
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("99999999999999999999999"), Some(day));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = Timestamp::now() + Duration::from_secs(90);
        let soon = soon.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let soon = wait(&soon).unwrap();
        assert!(soon > Duration::from_secs(80) && soon <= Duration::from_secs(90));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait(""), None);
    }
}
