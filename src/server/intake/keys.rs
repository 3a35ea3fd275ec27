//! The public keys of a reporter: fetched from the address that the operator named, and kept.
//!
//! A report can make us fetch them at most once a minute, whatever key ids it makes up, and when the address does not
//! answer the keys at hand are used on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ETAG, IF_NONE_MATCH};
use serde::Deserialize;

use super::clock::Clock;
use super::fetch::{client, read_bounded};
use super::refusal::Refusal;
use super::signature::PublicKey;
use crate::config::reports::Origin;

/// How long keys are used before it is asked whether they changed.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// Least time between two fetches.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// Longest time for one fetch: the reporter waits meanwhile.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest list of keys, in bytes, and in keys.
const LARGEST_LIST: usize = 1 << 20;
const MOST_KEYS: usize = 1000;
/// Longest name of a key, in bytes.
const LONGEST_ID: usize = 200;

/// The keys of one reporter.
pub(super) struct Keys {
    origin: Origin,
    client: reqwest::Client,
    clock: Clock,
    known: Mutex<Known>,
    /// Held while the keys are fetched.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Key>,
    etag: Option<String>,
    fetched: Option<Timestamp>,
    tried: Option<Timestamp>,
}

#[derive(Clone)]
struct Key {
    /// `None` for a key that we cannot use.
    key: Option<PublicKey>,
    /// Since when its owner no longer calls it current, as far as we saw.
    retired: Option<Timestamp>,
}

#[derive(Deserialize)]
struct List {
    public_keys: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    key_identifier: String,
    key: String,
    #[serde(default = "yes")]
    is_current: bool,
}

fn yes() -> bool {
    true
}

impl Keys {
    pub(super) fn new(origin: &Origin, clock: Clock) -> Result<Self> {
        Ok(Self {
            client: client(&origin.keys, TIMEOUT)?,
            origin: origin.clone(),
            clock,
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The key of this id.
    ///
    /// # Errors
    /// A key that its owner does not publish (any more); [`Refusal::NotNow`] where that cannot be told now.
    pub(super) async fn get(&self, id: &str) -> Result<PublicKey, Refusal> {
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(Refusal::Unreadable("the key's id is empty or too long"));
        }
        let (known, fresh) = self.look(id);
        let asked = match (known.is_some(), fresh) {
            (true, true) => false,
            // Whoever comes while another one asks goes on with the key at hand.
            (true, false) => match self.turn.try_lock() {
                Ok(_turn) => self.refresh(id).await,
                Err(_) => false,
            },
            (false, _) => {
                let _turn = self.turn.lock().await;
                self.refresh(id).await
            }
        };
        match self.look(id).0 {
            Some(key) => self.usable(&key),
            None if asked => Err(Refusal::Unproved("the reporter publishes no key of this id")),
            None => Err(Refusal::NotNow(
                "whether there is a key of this id cannot be told now",
                self.seconds_to_next(),
            )),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key, if it is known, and whether the list is young enough.
    fn look(&self, id: &str) -> (Option<Key>, bool) {
        let known = self.known();
        let age = known.fetched.map(|at| self.clock.now().duration_since(at).abs());
        (known.keys.get(id).cloned(), age.is_some_and(|age| age < FRESH))
    }

    fn usable(&self, key: &Key) -> Result<PublicKey, Refusal> {
        if let Some(since) = key.retired
            && self.clock.now().duration_since(since) > self.origin.retired_for
        {
            return Err(Refusal::Unproved("its owner no longer calls this key current"));
        }
        let unusable = Refusal::Unproved("the key of this id is none of the curve P-256");
        key.key.clone().ok_or(unusable)
    }

    fn seconds_to_next(&self) -> u64 {
        let since = self
            .known()
            .tried
            .map_or(PAUSE, |at| self.clock.now().duration_since(at).abs());
        u64::try_from((PAUSE - since).as_secs())
            .unwrap_or_default()
            .max(1)
    }

    /// Fetches the keys, if the last try is long enough ago. Whether what is known now is what is published: another
    /// request may have fetched them while this one waited for its turn.
    async fn refresh(&self, id: &str) -> bool {
        let now = self.clock.now();
        {
            let mut known = self.known();
            let too_soon = |at: Timestamp| now.duration_since(at).abs() < PAUSE;
            if known.keys.contains_key(id) && known.fetched.is_some_and(too_soon) {
                return true;
            }
            if known.tried.is_some_and(too_soon) {
                return false;
            }
            known.tried = Some(now);
        }
        match self.fetch().await {
            Ok(fetched) => {
                let mut known = self.known();
                if let Some((list, etag)) = fetched {
                    known.keys = merged(&known.keys, list, now);
                    known.etag = etag;
                }
                known.fetched = Some(now);
                true
            }
            Err(error) => {
                let (origin, keys) = (&self.origin.name, self.known().keys.len());
                tracing::warn!(
                    origin,
                    keys,
                    "the keys of this reporter could not be fetched; those at hand are used: {error:#}"
                );
                false
            }
        }
    }

    /// The list and its `ETag`; `None` if it has not changed.
    async fn fetch(&self) -> Result<Option<(List, Option<String>)>> {
        let etag = self.known().etag.clone();
        let mut request = self.client.get(self.origin.keys.clone());
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(credential) = self
            .origin
            .keys_credential
            .as_ref()
            .and_then(|secret| secret.expose_str())
        {
            request = request.bearer_auth(credential);
        }
        let reply = request.send().await.map_err(reqwest::Error::without_url)?;
        match reply.status().as_u16() {
            304 => return Ok(None),
            200 => {}
            status => bail!("their address answered {status}"),
        }
        let etag = reply
            .headers()
            .get(ETAG)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let body = read_bounded(reply, LARGEST_LIST).await?;
        let list: List = serde_json::from_slice(&body).context("their address gave no list of keys")?;
        if list.public_keys.len() > MOST_KEYS {
            bail!("their address gave more than {MOST_KEYS} keys");
        }
        Ok(Some((list, etag)))
    }
}

/// The new list. A key that stops being current while we look is retired from now on; one that never was current since
/// we know it, from the beginning of time.
fn merged(old: &HashMap<String, Key>, list: List, now: Timestamp) -> HashMap<String, Key> {
    let key = |listed: Listed| {
        let retired = match (listed.is_current, old.get(&listed.key_identifier)) {
            (true, _) => None,
            (false, Some(known)) => Some(known.retired.unwrap_or(now)),
            (false, None) => Some(Timestamp::MIN),
        };
        let key = PublicKey::from_pem(&listed.key);
        if let Err(why) = &key {
            tracing::warn!(why, "a key of a reporter cannot be used");
        }
        (
            listed.key_identifier,
            Key {
                key: key.ok(),
                retired,
            },
        )
    };
    list.public_keys.into_iter().map(key).collect()
}
