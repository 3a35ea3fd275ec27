//! What arrives at a door, before anybody is believed: headers that must stand alone, and a bounded body.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use futures_util::StreamExt as _;
use tokio::sync::Semaphore;

use super::refusal::Refusal;

/// Longest header that a door reads, in bytes.
const LONGEST_HEADER: usize = 1024;
/// Longest time for a whole body. Reporters wait 30 s for their answer, so it must leave time to make one.
const LONGEST_BODY: Duration = Duration::from_secs(10);
/// Longest wait for room.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// MiB of bodies that are held at a time, by all doors together.
const ROOM: usize = 128;

/// The room for bodies: what bounds memory however many send at once.
pub(super) struct Room {
    mebibytes: Semaphore,
    largest: usize,
}

impl Room {
    /// Room for bodies of at most so many bytes.
    pub(super) fn new(largest: usize) -> Self {
        Self {
            mebibytes: Semaphore::new(ROOM),
            largest,
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// One that is too large, by what it says of itself or by what comes; one that does not come; no room.
    pub(super) async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Refusal> {
        self.body_up_to(self.largest, headers, body).await
    }

    /// The whole body, with a limit of its own.
    pub(super) async fn body_up_to(
        &self,
        largest: usize,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Vec<u8>, Refusal> {
        let too_large = Refusal::TooLarge("the body is larger than this server takes; send less at a time");
        let announced = one(headers, CONTENT_LENGTH.as_str())?.map(str::parse::<u64>);
        let expected = match announced {
            Some(Ok(length)) => usize::try_from(length).map_err(|_| too_large)?,
            Some(Err(_)) => return Err(Refusal::Unreadable("Content-Length is no number")),
            None => largest,
        };
        if expected > largest {
            return Err(too_large);
        }
        let size = u32::try_from(expected.div_ceil(1 << 20).clamp(1, ROOM)).unwrap_or(1);
        let room = tokio::time::timeout(LONGEST_WAIT, self.mebibytes.acquire_many(size)).await;
        let Ok(Ok(_room)) = room else {
            return Err(Refusal::NotNow("this server has too many reports to read", 10));
        };
        match tokio::time::timeout(LONGEST_BODY, whole(body, largest, expected)).await {
            Err(_) => Err(Refusal::TooSlow),
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(Broken::TooLong)) => Err(too_large),
            Ok(Err(Broken::Off)) => Err(Refusal::Unreadable("the body broke off")),
        }
    }
}

enum Broken {
    TooLong,
    Off,
}

async fn whole(body: Body, largest: usize, expected: usize) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::with_capacity(expected.min(64 << 10));
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Broken::Off)?;
        if bytes.len() + chunk.len() > largest {
            return Err(Broken::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The only header of this name, without spaces around it; `None` if there is none. One that comes twice could be read
/// as either.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::Unreadable("a header that says who sends comes twice"));
    }
    if value.len() > LONGEST_HEADER {
        return Err(Refusal::Unreadable("a header that says who sends is too long"));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(Refusal::Unreadable("a header that says who sends is not ASCII")),
    }
}

/// The media type of the body, in lower case and without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Result<String, Refusal> {
    let text = one(headers, CONTENT_TYPE.as_str())?.unwrap_or_default();
    Ok(text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase())
}

/// Whether a body may be JSON by what it says of itself; one that says nothing may.
pub(super) fn may_be_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = media_type(headers)?;
    if kind.is_empty() || kind == "application/json" || kind.ends_with("+json") {
        return Ok(());
    }
    Err(Refusal::Unreadable("send application/json"))
}
