//! What webhooks missed: GitHub delivers once, and an alert that was told while we were away is never told again. So the
//! open alerts of the organisations and repositories that the operator names are listed now and then, and those that are
//! new here, or were updated since, are taken in as if they had been told.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::{GITHUB, Place, Undone};
use crate::call::Values;
use crate::config::reports::GithubWebhook;
use crate::respond::alerts::is_name;
use crate::server::intake::Intake;
use crate::store::Delivery;

/// The name of this door.
const DOOR: &str = "sweep/github";
/// Alerts on a page; a page of them must stay below the largest reply that is read.
const PAGE: usize = 50;
/// Pages of one organisation or repository: a sweep ends.
const MOST_PAGES: usize = 200;

impl Intake {
    /// Sweeps now and then until `stop` says `true`; at once where nothing is to be swept.
    pub async fn keep_sweeping(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let Some(GithubWebhook { sweep, every, .. }) = self.reports.github_webhook.clone() else {
            return;
        };
        if sweep.is_empty() {
            return;
        }
        while !*stop.borrow() {
            tokio::select! {
                (taken, failed) = self.sweep() => tracing::info!(taken, failed, "GitHub's open alerts were looked through"),
                _ = stop.changed() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Looks through the open alerts of all that is to be swept: how many were taken in, and how many questions failed,
    /// which the next sweep asks again.
    pub async fn sweep(self: &Arc<Self>) -> (usize, usize) {
        let (mut taken, mut failed) = (0, 0);
        let bases = match self.github() {
            Ok(service) => self.caller.bases(service),
            Err(_) => Vec::new(),
        };
        let webhook = self.reports.github_webhook.as_ref();
        for name in webhook.iter().flat_map(|webhook| &webhook.sweep) {
            for base in &bases {
                if let Err(why) = self.sweep_one(base, name, &mut taken, &mut failed).await {
                    failed += 1;
                    tracing::warn!("the alerts of {name} were not listed: {}", why.said());
                }
            }
        }
        (taken, failed)
    }

    /// `name` is an organisation, or a repository as `owner/name`.
    async fn sweep_one(
        self: &Arc<Self>,
        base: &str,
        name: &str,
        taken: &mut usize,
        failed: &mut usize,
    ) -> Result<(), Undone> {
        let (owner, repository) = name.split_once('/').unwrap_or((name, ""));
        let below = if repository.is_empty() {
            "orgs/{owner}"
        } else {
            "repos/{owner}/{repository}"
        };
        let request = format!(
            "{{base}}/{below}/secret-scanning/alerts?state=open&hide_secret=true&per_page={PAGE}&page={{page}}"
        );
        for page in 1..=MOST_PAGES {
            let mut values = Values::new(GITHUB);
            values.set("base", base);
            values.set("owner", owner);
            values.set("repository", repository);
            values.set("page", &page.to_string());
            let reply = self.ask_github(&request, values).await?;
            let alerts = reply.json().and_then(Value::as_array).cloned();
            let alerts = alerts.ok_or_else(|| Undone::Later("GitHub answered with no list".to_owned()))?;
            for alert in &alerts {
                match self.sweep_alert(base, name, alert).await {
                    Ok(new) => *taken += usize::from(new),
                    Err(why) => {
                        *failed += 1;
                        tracing::warn!("an alert of {name} was not taken in: {}", why.said());
                    }
                }
            }
            if alerts.len() < PAGE {
                break;
            }
        }
        Ok(())
    }

    /// Whether the alert was taken in now.
    async fn sweep_alert(self: &Arc<Self>, base: &str, name: &str, alert: &Value) -> Result<bool, Undone> {
        let unreadable = || Undone::Later("an alert in the list has no number or repository".to_owned());
        let repository = alert.pointer("/repository/full_name").and_then(Value::as_str);
        let (owner, repository) = repository
            .or(name.contains('/').then_some(name))
            .and_then(|name| name.split_once('/'))
            .filter(|(owner, repository)| is_name(owner) && is_name(repository))
            .ok_or_else(unreadable)?;
        let number = alert["number"].as_u64().ok_or_else(unreadable)?;
        let updated = alert["updated_at"].as_str().unwrap_or_default();
        let delivery = Delivery::new(
            DOOR,
            format!("{base} {owner}/{repository} {number} {updated}").as_bytes(),
        );
        let known = self.store.came_before(&delivery).await;
        if known.map_err(|error| Undone::Later(format!("{error:#}")))? {
            return Ok(false);
        }
        let place = Place {
            base: base.to_owned(),
            owner: owner.to_owned(),
            repository: repository.to_owned(),
        };
        self.alert_at(&place, number, delivery).await?;
        Ok(true)
    }
}

impl Undone {
    fn said(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Later(why) => why.clone(),
            Self::TooLarge => "a reply of GitHub's API is too large".to_owned(),
        }
    }
}
