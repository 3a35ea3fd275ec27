//! A room of Slack, by an incoming webhook.
//!
//! Foreign text is escaped and sent as `verbatim`, so that it mentions nobody and makes no link. A webhook cannot
//! answer in a thread: what follows a notice names the same fingerprint.

use anyhow::Result;
use serde_json::{Value, json};

use super::message::{Content, Message};
use super::post::{Post, Reply, Tried};
use super::settings::ChatSettings;
use super::text::clean;

/// Slack takes 3000 characters in a text, 150 in a header, 50 blocks.
const LONGEST: usize = 2900;
const BLOCKS: usize = 45;

pub(super) struct Slack {
    post: Post,
}

impl Slack {
    pub(super) fn new(settings: &ChatSettings) -> Result<Self> {
        let post = Post::secret(settings.url.as_ref(), "notify.slack.url", "Slack")?;
        Ok(Self { post })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let body = blocks(message).to_string();
        let request = |client: &reqwest::Client| {
            client
                .post(self.post.url.clone())
                .header("content-type", "application/json")
                .body(body.clone())
        };
        self.post.send(request, |reply| self.judge(reply)).await
    }

    /// Slack says `ok`; its errors are words in plain text.
    fn judge(&self, reply: &Reply) -> Tried {
        let said = clean(&reply.body, 100);
        let hint = match said.as_str() {
            "ok" if reply.status == 200 => return Tried::Taken,
            "action_prohibited" => "an administrator of the workspace has forbidden it",
            "channel_not_found" | "channel_is_archived" | "user_not_found" => {
                "the room of the webhook is gone: make a webhook for another and set notify.slack.url_file or url_env"
            }
            "no_service" | "no_service_id" | "invalid_token" | "no_active_hooks" | "no_team" => {
                "the webhook was taken out or its address is wrong: make a new one"
            }
            "invalid_payload" | "no_text" | "invalid_blocks" => "please report this",
            _ if (200..300).contains(&reply.status) => "that is not Slack's `ok`; check notify.slack",
            _ => return self.post.judge(reply, "notify.slack"),
        };
        if reply.status >= 500 || reply.status == 429 {
            return self.post.judge(reply, "notify.slack");
        }
        Tried::Failed(format!("Slack answered {} {said}: {hint}", reply.status))
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": cut(text), "verbatim": true })
}

/// Never in the middle of an escape.
fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        if let Some(at) = short.rfind('&').filter(|at| !short[*at..].contains(';')) {
            short.truncate(at);
        }
        short.push('…');
    }
    short
}

fn link(url: &str, text: &str) -> String {
    let url = escape(url).replace('|', "%7C");
    format!("<{url}|{}>", escape(text).replace('|', "/"))
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

/// The body of the request.
fn blocks(message: &Message) -> Value {
    let content = &message.content;
    let title: String = message.subject.chars().take(150).collect();
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": title, "emoji": false } }),
        section(&escape(&content.headline)),
    ];
    let steps = content.todo.iter().enumerate().map(|(at, step)| {
        let link = if step.link.is_empty() {
            String::new()
        } else {
            format!(": {}", link(&step.link, &step.link))
        };
        format!("{}. {}{link}", at + 1, escape(&step.text))
    });
    blocks.push(section(&format!(
        "*What to do now*\n{}",
        steps.collect::<Vec<_>>().join("\n")
    )));
    about(content, &mut blocks);
    let footer = format!("{}\n{}", escape(&content.why), escape(&content.footer));
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(&footer)] }));
    json!({ "text": escape(&message.subject), "blocks": blocks })
}

/// What leaked: facts and places of one, rows of several.
fn about(content: &Content, blocks: &mut Vec<Value>) {
    let facts: Vec<Value> = content
        .facts
        .iter()
        .take(10)
        .map(|fact| {
            let text = format!("*{}*\n{}", escape(&fact.name), escape(&fact.value));
            mrkdwn(&text.chars().take(1900).collect::<String>())
        })
        .collect();
    if !facts.is_empty() {
        blocks.push(json!({ "type": "section", "fields": facts }));
    }
    for (title, lines) in [
        ("Where", &content.places),
        ("What was or will be done", &content.done),
    ] {
        if !lines.is_empty() {
            blocks.push(section(&format!("*{title}*\n{}", escape(&lines.join("\n")))));
        }
    }
    let mut left_out = content.left_out;
    for (at, row) in content.rows.iter().enumerate() {
        if blocks.len() >= BLOCKS {
            left_out += content.rows.len() - at;
            break;
        }
        let first = format!(
            "{}. {}: {} {} of {}",
            at + 1,
            row.severity,
            row.title,
            row.redacted,
            row.whose
        );
        let rest = format!("{}{}\n{}, {}", row.place, row.more, row.state, row.done);
        let link = if row.link.is_empty() {
            String::new()
        } else {
            format!("\n{}", link(&row.link, &row.link_text))
        };
        blocks.push(section(&format!(
            "*{}*\n{}{link}\n`{}`",
            escape(&first),
            escape(&rest),
            row.fingerprint
        )));
    }
    if left_out > 0 {
        blocks.push(section(&format!(
            "… and {left_out} more: `unleak policy try` lists every leak"
        )));
    }
}
