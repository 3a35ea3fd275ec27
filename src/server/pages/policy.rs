//! The policy as it is read: what may be done, what never, and who says yes.

use askama::Template;

use super::door::{Asked, html};
use super::routes::Answer;
use super::shown::Frame;
use crate::policy::Policy;

#[derive(Template)]
#[template(path = "policy.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    sections: Vec<Section>,
}

/// A title with its sentences.
struct Section {
    title: String,
    lines: Vec<String>,
}

/// `GET /policy`.
pub(super) async fn page(asked: Asked) -> Answer {
    let policy = &asked.pages.responder.policy;
    html(&Page {
        frame: asked.frame("Policy", "policy"),
        sections: explained(policy),
    })
}

fn explained(policy: &Policy) -> Vec<Section> {
    let mut never = vec![
        "A token that its service has not called alive: unknown is not alive.".to_owned(),
        "What is public by design.".to_owned(),
    ];
    never.extend(policy.deny.iter().map(|entry| format!("{entry}: it is on the deny list.")));
    let allowed = policy.allow.iter().map(|allow| format!("{}: {}.", allow.name, allow.action));
    let mut may: Vec<String> = allowed.collect();
    if may.is_empty() {
        may.push("Nothing but telling people, unless a person confirms it.".to_owned());
    }
    vec![
        Section {
            title: "Never".to_owned(),
            lines: never,
        },
        Section {
            title: "What may be done".to_owned(),
            lines: may,
        },
        Section {
            title: "Limit".to_owned(),
            lines: vec![format!("{} leaks an hour.", policy.limit_per_hour)],
        },
    ]
}
