//! PagerDuty, Events API v2: an incident for each leak, opened once and resolved when its token is proved dead.
//!
//! All events of a leak have one `dedup_key`, so that what is sent twice opens nothing twice.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::message::{Kind, Message};
use super::post::{Post, Reply, Tried};
use super::settings::PagerDutySettings;
use super::text::clean;
use crate::finding::Severity;
use crate::secret::Secret;

pub(super) struct PagerDuty {
    post: Post,
    key: Secret,
}

impl PagerDuty {
    pub(super) fn new(settings: &PagerDutySettings) -> Result<Self> {
        let key = settings.routing_key.clone().context(
            "notify.pagerduty.routing_key is missing: set notify.pagerduty.routing_key_file or routing_key_env",
        )?;
        let post = Post::new(&settings.url, "notify.pagerduty.url", "PagerDuty")?;
        Ok(Self { post, key })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let key = self
            .key
            .expose_str()
            .ok_or("the routing key of notify.pagerduty is not UTF-8")?;
        let body = event(message, key).to_string();
        let request = |client: &reqwest::Client| {
            client
                .post(self.post.below("/v2/enqueue"))
                .header("content-type", "application/json")
                .body(body.clone())
        };
        self.post.send(request, |reply| self.judge(reply, key)).await
    }

    fn judge(&self, reply: &Reply, key: &str) -> Tried {
        if reply.status != 400 {
            return self.post.judge(reply, "notify.pagerduty");
        }
        let said: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let mut words: Vec<&str> = said["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        words.extend(said["message"].as_str());
        Tried::Failed(format!(
            "PagerDuty refused the event: {}; check notify.pagerduty.routing_key",
            clean(&words.join(", ").replace(key, "[redacted]"), 200)
        ))
    }
}

fn event(message: &Message, key: &str) -> Value {
    let incident = message.incident.as_deref().unwrap_or(&message.id);
    if message.kind == Kind::Revoked {
        return json!({ "routing_key": key, "event_action": "resolve", "dedup_key": incident });
    }
    let content = &message.content;
    let severity = match (message.kind, message.severity) {
        // Nothing more can be done by those who are on call.
        (Kind::Contained, _) | (_, Severity::Medium) => "warning",
        (_, Severity::Critical) => "critical",
        (_, Severity::High) => "error",
        (_, Severity::Low | Severity::Info) => "info",
    };
    let summary: String = message.subject.chars().take(1024).collect();
    let todo: Vec<&str> = content.todo.iter().map(|step| step.text.as_str()).collect();
    let mut event = json!({
        "routing_key": key, "event_action": "trigger", "dedup_key": incident, "client": "unleak",
        "payload": {
            "summary": summary,
            "source": message.data["identity"]["organisations"][0].as_str().unwrap_or("unleak"),
            "severity": severity,
            "component": message.data["service"], "class": message.data["rule"],
            "custom_details": {
                "headline": content.headline, "what to do now": todo, "where": content.places,
                "done": content.done, "leak": message.data,
            },
        },
    });
    if content.link.starts_with("https://") || content.link.starts_with("http://") {
        event["links"] = json!([{ "href": content.link, "text": content.link_text }]);
    }
    event
}
