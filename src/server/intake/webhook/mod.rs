//! `POST /webhooks/github`: what a GitHub organisation or repository tells of itself.
//!
//! A delivery is believed by its HMAC over the raw body. It names an alert or commits, not the secret: that is fetched
//! from the API of the base that the rule file or the operator names, with the operator's credential, and from nowhere
//! else. GitHub waits ten seconds and never sends again by itself, so whatever is not written down by then is answered
//! with a failure, which GitHub shows and can be told to send again; the work goes on meanwhile.

mod alert;
mod push;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::Intake;
use super::arrival::{media_type, one};
use super::refusal::Refusal;
use crate::call::{CallError, Reply, Values};
use crate::respond::alerts::{call, is_name};
use crate::rule::Service;
use crate::secret::{Secret, mac_sha256};
use crate::store::Delivery;
use crate::trace::carried;

/// The service whose webhooks these are.
const GITHUB: &str = "github";
/// The name of this door.
const DOOR: &str = "webhook/github";
/// GitHub sends no larger body.
const LARGEST: usize = 25 << 20;
/// GitHub waits ten seconds for an answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(8);
/// Longest time for all requests that one delivery leads to.
const LONGEST_WORK: Duration = Duration::from_secs(300);

/// The repository of an event.
#[derive(Debug, Deserialize)]
struct Repository {
    full_name: String,
    /// An address of the API, in every event, whatever `url` is.
    commits_url: String,
}

/// A repository, on the base of the API that its event came from.
struct Place {
    base: String,
    owner: String,
    repository: String,
}

impl Place {
    fn values(&self) -> Values {
        let mut values = Values::new(GITHUB);
        values.set("base", &self.base);
        values.set("owner", &self.owner);
        values.set("repository", &self.repository);
        values
    }
}

/// Why a delivery is not done with.
enum Undone {
    /// It never will be.
    Refused(Refusal),
    /// GitHub's API could not be asked, or not now.
    Later(String),
    /// A reply of GitHub's API is larger than is read.
    TooLarge,
}

impl From<Refusal> for Undone {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<CallError> for Undone {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TooLarge { .. } => Self::TooLarge,
            error => Self::Later(error.to_string()),
        }
    }
}

/// Takes a delivery.
pub(super) async fn post(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    match delivered(&intake, request).await {
        Ok(done) => Json(json!({ "status": done })).into_response(),
        Err(refusal) => {
            tracing::warn!(%refusal, "a webhook of GitHub was not taken");
            refusal.into_response()
        }
    }
}

async fn delivered(intake: &Arc<Intake>, request: Request) -> Result<&'static str, Refusal> {
    let (parts, body) = request.into_parts();
    let missing = Refusal::Unproved("X-GitHub-Event, X-GitHub-Delivery and X-Hub-Signature-256 are wanted");
    let header = |name: &str| {
        one(&parts.headers, name)?
            .filter(|text| !text.is_empty())
            .ok_or(missing)
    };
    let (event, id) = (
        header("x-github-event")?.to_owned(),
        header("x-github-delivery")?.to_owned(),
    );
    let signature = header("x-hub-signature-256")?;
    let body = intake.room().body_up_to(LARGEST, &parts.headers, body).await?;
    let webhook = intake.reports.github_webhook.as_ref();
    if !webhook.is_some_and(|webhook| signed(&webhook.secrets, &body, signature)) {
        return Err(Refusal::Unproved(
            "X-Hub-Signature-256 was not made over this body with the webhook's secret",
        ));
    }
    if event == "ping" {
        return Ok("pong");
    }
    let payload = payload(&parts.headers, &body)?;
    let delivery = Delivery::new(DOOR, &body).with_id(&id);
    let work = {
        let intake = Arc::clone(intake);
        async move { tokio::time::timeout(LONGEST_WORK, intake.event(&event, &payload, delivery)).await }
    };
    let work = tokio::spawn(carried(work));
    let late = Refusal::NotNow(
        "GitHub's API takes longer to answer; deliver this again to hear how it ended",
        30,
    );
    match tokio::time::timeout(LONGEST_ANSWER, work).await {
        Ok(Ok(Ok(Ok(done)))) => Ok(done),
        Ok(Ok(Ok(Err(Undone::Refused(refusal))))) => Err(refusal),
        Ok(Ok(Ok(Err(Undone::Later(why))))) => {
            tracing::warn!(why, "a webhook of GitHub is to be delivered again");
            Err(Refusal::NotNow(
                "GitHub's API could not be asked; deliver this again",
                60,
            ))
        }
        Ok(Ok(Ok(Err(Undone::TooLarge)))) => Err(Refusal::TooLarge("a reply of GitHub's API is too large")),
        Err(_) | Ok(Ok(Err(_))) => Err(late),
        Ok(Err(_)) => Err(Refusal::NotNow("the delivery could not be worked on", 60)),
    }
}

/// `sha256=` and the HMAC-SHA256 of the body in hexadecimal, under any of the secrets.
fn signed(secrets: &[Secret], body: &[u8], signature: &str) -> bool {
    let made = |secret: &Secret| {
        let mac = mac_sha256(secret.expose(), &[body]);
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        bool::from(format!("sha256={hex}").as_bytes().ct_eq(signature.as_bytes()))
    };
    secrets.iter().fold(false, |known, secret| known | made(secret))
}

/// The JSON, which a webhook may be set to send as a field of a form.
fn payload(headers: &HeaderMap, body: &[u8]) -> Result<String, Refusal> {
    if media_type(headers)? != "application/x-www-form-urlencoded" {
        return Ok(String::from_utf8_lossy(body).into_owned());
    }
    let mut fields = url::form_urlencoded::parse(body);
    let payload = fields
        .find(|(name, _)| name == "payload")
        .map(|(_, text)| text.into_owned());
    payload.ok_or(Refusal::Unreadable("the form has no field payload"))
}

fn read<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(payload).map_err(|_| Refusal::Unreadable("the event is not what GitHub documents"))
}

impl Intake {
    async fn event(
        self: &Arc<Self>,
        event: &str,
        payload: &str,
        delivery: Delivery,
    ) -> Result<&'static str, Undone> {
        match event {
            "secret_scanning_alert" | "secret_scanning_alert_location" => {
                self.alert(read(payload)?, delivery).await
            }
            "push" => self.push(read(payload)?, delivery).await,
            _ => Ok("passed over"),
        }
    }

    fn github(&self) -> Result<&Arc<Service>, Undone> {
        let mut services = self.kinds.rules().services.iter();
        let service = services.find(|service| service.name == GITHUB);
        service.ok_or_else(|| Undone::Later("the rule file github.toml is not loaded".to_owned()))
    }

    /// Where a repository is: on a base that the rule file or the operator names.
    fn place(&self, repository: &Repository) -> Result<Place, Undone> {
        let bases = self.caller.bases(self.github()?.as_ref());
        let of = |base: &&String| repository.commits_url.starts_with(&format!("{base}/repos/"));
        let base = bases.iter().find(of).ok_or(Refusal::Unreadable(
            "the repository is on a host that is not asked here; services.github.bases names others",
        ))?;
        let unreadable = Refusal::Unreadable("the repository's name is none");
        let (owner, name) = repository.full_name.split_once('/').ok_or(unreadable)?;
        if !is_name(owner) || !is_name(name) {
            return Err(unreadable.into());
        }
        Ok(Place {
            base: base.clone(),
            owner: owner.to_owned(),
            repository: name.to_owned(),
        })
    }

    /// Asks GitHub's API with the operator's credential.
    async fn ask_github(&self, request: &str, mut values: Values) -> Result<Reply, Undone> {
        let credential = self.caller.settings(GITHUB).credential.as_ref();
        values.set_secret(
            "operator",
            credential
                .and_then(|secret| secret.expose_str())
                .unwrap_or_default(),
        );
        let service = self.github()?;
        let reply = self
            .caller
            .ask(service, &call(&format!("GET {request}"), None), &values)
            .await?;
        match reply.status {
            200 => Ok(reply),
            status => Err(Undone::Later(format!(
                "GitHub answered {status} for {request}; may services.github.credential see this repository's alerts and contents?"
            ))),
        }
    }
}
