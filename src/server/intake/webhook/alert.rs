//! `secret_scanning_alert` and `secret_scanning_alert_location`: the secret and where it stands, from the API.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{Place, Repository, Undone};
use crate::call::Reply;
use crate::finding::CommitInfo;
use crate::leak::Sighting;
use crate::respond::alerts::{ADDRESS, Alert, site};
use crate::server::intake::record::{Batch, Record};
use crate::server::intake::{Door, Intake};
use crate::store::Delivery;

/// Places of one alert that are looked at.
const MOST_PLACES: usize = 100;
/// Commits that are asked for, to learn who brought the secret in.
const MOST_COMMITS: usize = 3;

#[derive(Deserialize)]
pub(super) struct AlertEvent {
    action: String,
    alert: Named,
    repository: Repository,
}

#[derive(Deserialize)]
struct Named {
    number: u64,
}

impl Intake {
    /// Takes in what an alert is about. That it was resolved or given to somebody is no news of a leak.
    pub(super) async fn alert(
        self: &Arc<Self>,
        event: AlertEvent,
        delivery: Delivery,
    ) -> Result<&'static str, Undone> {
        if !matches!(
            event.action.as_str(),
            "created" | "reopened" | "publicly_leaked" | "validated"
        ) {
            return Ok("passed over");
        }
        let place = self.place(&event.repository)?;
        self.alert_at(&place, event.alert.number, delivery).await
    }

    /// Takes in what the alert of this number is about.
    pub(super) async fn alert_at(
        self: &Arc<Self>,
        place: &Place,
        number: u64,
        delivery: Delivery,
    ) -> Result<&'static str, Undone> {
        let alert = Alert {
            base: place.base.clone(),
            owner: place.owner.clone(),
            repository: place.repository.clone(),
            number,
        };
        let told = self.ask_github(ADDRESS, alert.values()).await?;
        let json = told.json();
        let secret = json.and_then(|json| json["secret"].as_str()).unwrap_or_default();
        let mut record = Record::new(secret).map_err(|_| {
            Undone::Later("the alert holds no secret; may services.github.credential see it?".to_owned())
        })?;
        record.kind = json
            .and_then(|json| json["secret_type"].as_str())
            .unwrap_or_default()
            .to_owned();
        record.place = Some(alert.page());
        record.also = self.places(place, &alert).await;
        let batch = Batch {
            records: vec![record],
            bad: Vec::new(),
        };
        let door = delivery.door().to_owned();
        self.take(Door::named(&door), delivery, batch).await?;
        Ok("taken")
    }

    /// Where the secret stands, and who brought it in. Without it the alert is taken in all the same.
    async fn places(&self, place: &Place, alert: &Alert) -> Vec<Sighting> {
        let request = format!("{ADDRESS}/locations?per_page={MOST_PLACES}");
        let Ok(reply) = self.ask_github(&request, alert.values()).await else {
            return Vec::new();
        };
        let places = reply
            .json()
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut commits: Vec<(String, Option<CommitInfo>)> = Vec::new();
        let mut sightings = Vec::new();
        for at in places.iter().take(MOST_PLACES) {
            let details = &at["details"];
            let Some(id) = details["commit_sha"].as_str() else {
                sightings.extend(other_place(details));
                continue;
            };
            if !commits.iter().any(|(known, _)| known == id) && commits.len() < MOST_COMMITS {
                commits.push((id.to_owned(), self.commit(place, id).await));
            }
            let commit = commits
                .iter()
                .find(|(known, _)| known == id)
                .and_then(|(_, commit)| commit.clone());
            let path = details["path"].as_str().unwrap_or_default();
            let number = |name: &str| {
                details[name]
                    .as_u64()
                    .and_then(|number| usize::try_from(number).ok())
                    .unwrap_or_default()
            };
            sightings.push(Sighting {
                line: number("start_line"),
                column: number("start_column"),
                commit,
                ..Sighting::reported(&place.page(id, path))
            });
        }
        sightings
    }

    /// Who made a commit.
    async fn commit(&self, place: &Place, id: &str) -> Option<CommitInfo> {
        let mut values = place.values();
        values.set("commit", id);
        let reply = self
            .ask_github("{base}/repos/{owner}/{repository}/git/commits/{commit}", values)
            .await
            .ok()?;
        author(&reply, "")
    }
}

impl Place {
    /// A file of a commit, for people.
    pub(super) fn page(&self, commit: &str, path: &str) -> String {
        let Self {
            base,
            owner,
            repository,
        } = self;
        format!("{}/{owner}/{repository}/blob/{commit}/{path}", site(base))
    }
}

/// The author in a reply about a commit; `below` is where it stands.
pub(super) fn author(reply: &Reply, below: &str) -> Option<CommitInfo> {
    let json = reply.json()?;
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
    Some(CommitInfo {
        id: text("/sha")?.to_owned(),
        author: text(&format!("{below}/author/name"))?.to_owned(),
        email: text(&format!("{below}/author/email"))?.to_owned(),
        date: text(&format!("{below}/author/date"))?.parse().ok()?,
    })
}

/// An issue, a discussion or a pull request: the details are a single URL.
fn other_place(details: &Value) -> Option<Sighting> {
    let mut urls = details.as_object()?.values().filter_map(Value::as_str);
    urls.next().map(Sighting::reported)
}
