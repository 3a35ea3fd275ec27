//! How often a caller may ask: by token where one was sent, else by address. Memory is bounded by construction.
//!
//! Whoever sends a new made-up token each time is counted by address. The check endpoint is not limited: it is asked
//! once for every request of the API that it protects, and that API has limits of its own.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::token_service::api::reply::{Failure, OauthFailure};
use crate::token_service::settings::Limits;

/// Rows of four callers each: 256 KiB in all.
const ROWS: usize = 2048;
const WAYS: usize = 4;

/// One caller's budget (the generic cell rate algorithm): when it will be whole again, in nanoseconds of the limiter.
#[derive(Clone, Copy, Default)]
struct Slot {
    caller: u64,
    whole_at: u64,
    accepted: bool,
}

/// The budgets of the callers seen lately.
pub struct Limiter {
    rows: Vec<Mutex<[Slot; WAYS]>>,
    hasher: RandomState,
    started: Instant,
    /// Nanoseconds that one request costs, and that may be owed.
    cost: u64,
    depth: u64,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let cost = 1_000_000_000 / u64::from(limits.requests_per_second.max(1));
        Self::with(cost, limits.burst)
    }

    fn with(cost: u64, burst: u32) -> Arc<Self> {
        Arc::new(Self {
            rows: (0..ROWS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            started: Instant::now(),
            cost,
            depth: cost.saturating_mul(u64::from(burst.max(1))),
        })
    }

    /// So many requests at once, and as many again within an hour, for each caller.
    pub fn per_hour(requests: u32) -> Arc<Self> {
        Self::with(3_600_000_000_000 / u64::from(requests.max(1)), requests)
    }

    /// Takes one request off the budget of an address, or says after how many seconds to come again. Of an IPv6 address
    /// only the network counts: whoever has one has all the addresses in it.
    pub fn take_for(&self, address: Option<IpAddr>) -> Result<(), u64> {
        let caller = match address {
            Some(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
                self.hasher.hash_one(&address.segments()[..4])
            }
            Some(address) => self.hasher.hash_one(address.to_canonical()),
            None => 0,
        };
        self.take(caller)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Runs on the caller's slot; a new caller takes the place of the one whose budget is whole, or soonest will be.
    fn slot<T>(&self, caller: u64, now: u64, run: impl FnOnce(&mut Slot) -> T) -> T {
        let row = usize::try_from(caller % ROWS as u64).unwrap_or_default();
        let mut row = self.rows[row].lock().unwrap_or_else(PoisonError::into_inner);
        let at = row
            .iter()
            .position(|slot| slot.caller == caller)
            .unwrap_or_else(|| {
                let idle = (0..WAYS).min_by_key(|&at| row[at].whole_at).unwrap_or_default();
                row[idle] = Slot {
                    caller,
                    whole_at: now,
                    accepted: false,
                };
                idle
            });
        run(&mut row[at])
    }

    /// Takes one request off the caller's budget, or says after how many seconds to come again.
    fn take(&self, caller: u64) -> Result<(), u64> {
        let now = self.now();
        self.slot(caller, now, |slot| {
            let owed = slot.whole_at.max(now) - now;
            if owed + self.cost > self.depth {
                return Err((owed + self.cost - self.depth).div_ceil(1_000_000_000));
            }
            slot.whole_at = now + owed + self.cost;
            Ok(())
        })
    }
}

/// Lets a request on, or answers 429.
pub(super) async fn limited(State(limiter): State<Arc<Limiter>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let speaks_oauth = path.starts_with("/oauth/") || path == "/api/v1/token";
    if path == "/api/v1/check" {
        return next.run(request).await;
    }
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = address.map(|ConnectInfo(address)| address.ip());
    let by_address = limiter.hasher.hash_one(address);
    let credential = request.headers().get(AUTHORIZATION);
    let caller = credential.map_or(by_address, |sent| limiter.hasher.hash_one(sent.as_bytes()));
    let known = limiter.slot(caller, limiter.now(), |slot| slot.accepted);
    let spent = limiter
        .take(caller)
        // a credential that was not accepted yet may be one of many made-up ones
        .and_then(|()| {
            if known || caller == by_address {
                Ok(())
            } else {
                limiter.take(by_address)
            }
        });
    if let Err(seconds) = spent {
        let failure = Failure::TooMany(seconds.max(1));
        return if speaks_oauth {
            OauthFailure(failure).into_response()
        } else {
            failure.into_response()
        };
    }
    let response = next.run(request).await;
    if response.status() != StatusCode::UNAUTHORIZED && response.status() != StatusCode::SERVICE_UNAVAILABLE {
        limiter.slot(caller, limiter.now(), |slot| slot.accepted = true);
    }
    response
}
