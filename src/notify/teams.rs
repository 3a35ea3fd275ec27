//! A room of Microsoft Teams, by a workflow or an incoming webhook: an adaptive card.
//!
//! Foreign text goes into runs of text, which read no markup. A card may have 28 KB; ours stay below 21, where some
//! receivers begin to refuse. A 200 proves nothing: an old webhook writes its error into the body.

use anyhow::Result;
use serde_json::{Value, json};

use super::message::{Content, Message};
use super::post::{Post, Reply, Tried};
use super::settings::ChatSettings;
use super::text::clean;

/// Largest card, in bytes.
const LARGEST: usize = 21_000;

pub(super) struct Teams {
    post: Post,
}

impl Teams {
    pub(super) fn new(settings: &ChatSettings) -> Result<Self> {
        let post = Post::secret(settings.url.as_ref(), "notify.teams.url", "Teams")?;
        Ok(Self { post })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let body = card(message);
        let request = |client: &reqwest::Client| {
            client
                .post(self.post.url.clone())
                .header("content-type", "application/json")
                .body(body.clone())
        };
        self.post.send(request, |reply| self.judge(reply)).await
    }

    fn judge(&self, reply: &Reply) -> Tried {
        let behind = reply.body.split_once("returned HTTP error ");
        let status =
            behind.map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        match status.and_then(|digits| digits.parse::<u16>().ok()) {
            Some(status) if (200..300).contains(&reply.status) => {
                let hidden = Reply {
                    status,
                    after: reply.after,
                    body: String::new(),
                };
                match self.post.judge(&hidden, "notify.teams") {
                    Tried::Taken => Tried::Failed(format!("Teams answered {}", clean(&reply.body, 100))),
                    other => other,
                }
            }
            _ => self.post.judge(reply, "notify.teams"),
        }
    }
}

/// Text that reads no markup; `weight` is `Default` or `Bolder`.
fn run(text: &str, weight: &str, size: &str) -> Value {
    json!({
        "type": "RichTextBlock",
        "inlines": [{ "type": "TextRun", "text": text, "weight": weight, "size": size }],
    })
}

fn named(name: &str, value: &str) -> Value {
    json!({
        "type": "RichTextBlock", "spacing": "Small",
        "inlines": [
            { "type": "TextRun", "text": format!("{name}: "), "weight": "Bolder" },
            { "type": "TextRun", "text": value },
        ],
    })
}

/// The body of the request, with fewer places and rows until it is small enough.
fn card(message: &Message) -> String {
    let mut card = String::new();
    for most in [200, 50, 20, 8, 3, 0] {
        card = card_with(message, most).to_string();
        if card.len() <= LARGEST {
            break;
        }
    }
    card
}

fn card_with(message: &Message, most: usize) -> Value {
    let content = &message.content;
    let mut body = vec![
        run(&message.subject, "Bolder", "Medium"),
        run(&clean(&content.headline, 800), "Default", "Default"),
    ];
    body.push(run("What to do now", "Bolder", "Default"));
    for (at, step) in content.todo.iter().enumerate() {
        let mut inlines =
            vec![json!({ "type": "TextRun", "text": format!("{}. {}", at + 1, clean(&step.text, 400)) })];
        if !step.link.is_empty() {
            inlines.push(json!({ "type": "TextRun", "text": format!(": {}", clean(&step.link, 300)) }));
        }
        body.push(json!({ "type": "RichTextBlock", "spacing": "Small", "inlines": inlines }));
    }
    about(content, most, &mut body);
    body.push(json!({
        "type": "RichTextBlock", "separator": true,
        "inlines": [{ "type": "TextRun", "isSubtle": true, "size": "Small",
                      "text": format!("{} {}", content.why, content.footer) }],
    }));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard", "version": "1.4", "msteams": { "width": "Full" }, "body": body,
    });
    // Teams refuses a card whose button leads nowhere.
    if content.link.starts_with("https://") || content.link.starts_with("http://") {
        card["actions"] =
            json!([{ "type": "Action.OpenUrl", "title": content.link_text, "url": content.link }]);
    }
    json!({
        "type": "message",
        "summary": message.subject,
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card,
        }],
    })
}

fn about(content: &Content, most: usize, body: &mut Vec<Value>) {
    for fact in &content.facts {
        body.push(named(&fact.name, &clean(&fact.value, 400)));
    }
    for place in content.places.iter().take(most) {
        body.push(named("Where", &clean(place, 300)));
    }
    for line in &content.done {
        body.push(named("Done", &clean(line, 500)));
    }
    for (at, row) in content.rows.iter().take(most).enumerate() {
        let first = format!("{}. {}", at + 1, row.severity);
        let rest = format!(
            "{} {} of {}, {}; {}{}; {} {}",
            row.title, row.redacted, row.whose, row.state, row.place, row.more, row.done, row.link
        );
        body.push(named(&first, &clean(&rest, 600)));
    }
    let left_out = content.left_out + content.rows.len().saturating_sub(most);
    if left_out > 0 {
        body.push(named(
            "More",
            &format!("{left_out} further leaks; `unleak policy try` lists every one"),
        ));
    }
}
