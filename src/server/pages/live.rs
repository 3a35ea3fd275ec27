//! A leak's page follows its state: server-sent events, one for each new line of its ledger.
//!
//! An event says that something happened and how the leak stands, in one word; the page asks for the rest as its visitor.
//! A stream ends after some minutes, when the server stops, and when its visitor may see the leak no more.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::Pages;
use super::door::Asked;
use super::leak::state;
use super::routes::Answer;
use super::trouble::Trouble;
use super::viewer::Viewer;
use crate::finding::RuleId;
use crate::secret::Fingerprint;
use crate::token_service::Right;

/// How often the ledger is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked whether the visitor may still see the leak, in looks.
const STILL_LET_IN: u32 = 10;
/// After how long a browser connects anew.
const LONGEST: Duration = Duration::from_secs(300);

struct Following {
    pages: Arc<Pages>,
    viewer: Viewer,
    fingerprint: Fingerprint,
    rule: RuleId,
    last: i64,
    at_work: bool,
    looks: u32,
    until: Instant,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// `GET …/events`; `?since=` is the number of the line that the page knows.
pub(super) async fn events(asked: Asked) -> Answer {
    let (viewer, leak) = (asked.viewer()?, asked.leak()?);
    let place = Arc::clone(&asked.pages.followers).try_acquire_owned();
    let place = place.map_err(|_| Trouble::TooMany(30))?;
    let following = Following {
        pages: Arc::clone(&asked.pages),
        viewer: viewer.clone(),
        fingerprint: leak.fingerprint,
        rule: leak.rule.clone(),
        last: asked.query("since").parse().unwrap_or(0),
        at_work: asked.pages.at_work.is_at(leak.fingerprint, &leak.rule),
        looks: 0,
        until: Instant::now() + LONGEST,
        stopping: asked.pages.stopping.clone(),
        _place: place,
    };
    let events = stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok::<_, Infallible>(event), following))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Following {
    /// Waits for something to happen; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let stopped = *self.stopping.borrow() || self.stopping.has_changed().is_err();
            if stopped || Instant::now() >= self.until {
                return None;
            }
            self.looks += 1;
            if self.looks.is_multiple_of(STILL_LET_IN) && !self.is_let_in().await {
                return None;
            }
            let store = &self.pages.responder.store;
            let last = store.last_line(self.fingerprint, &self.rule).await.ok()?;
            let at_work = self.pages.at_work.is_at(self.fingerprint, &self.rule);
            if last > self.last || at_work != self.at_work {
                (self.last, self.at_work) = (last, at_work);
                let leak = store.leak(self.fingerprint, &self.rule).await.ok()??;
                let dismissed = store.dismissed(self.fingerprint, &self.rule).await.ok()?;
                let word = state(&leak, dismissed.as_ref());
                return Some(Event::default().event("leak").id(last.to_string()).data(word));
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = self.stopping.changed() => {}
            }
        }
    }

    /// Whether the session lasts and the leak is still one that its visitor may see.
    async fn is_let_in(&mut self) -> bool {
        let (pages, cookie) = (&self.pages, &self.viewer.cookie);
        let Ok(Some(bearer)) = pages.signed_in(cookie).await else {
            return false;
        };
        let viewer = Viewer::new(pages, bearer, cookie.clone());
        let Ok(Some(leak)) = pages.responder.store.leak(self.fingerprint, &self.rule).await else {
            return false;
        };
        let may = viewer.may(&pages.tokens, Right::ReadLeaks, &leak).await.is_ok();
        self.viewer = viewer;
        may
    }
}
