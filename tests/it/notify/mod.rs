//! What owners are told: real SMTP and HTTP on loopback, real files.

mod command_line;
pub(crate) mod email;
mod github;
mod message;
mod outbox;
mod own_texts;
pub(crate) mod pagerduty;
mod slack;
mod teams;
mod texts;
mod webhook;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use unleak::finding::{Confidence, RuleCard};
use unleak::leak::{Held, Owner, Verdict};
use unleak::notify::{About, Delivery, Kind, Message, Notifier, Settings, Texts};

use crate::store::{held, owner};

fn card() -> RuleCard {
    let leak = held("a").leak;
    RuleCard {
        id: leak.rule,
        title: "Example token".to_owned(),
        service: "Example".to_owned(),
        docs: "https://docs.example.com/tokens".to_owned(),
        page: Some("https://example.com/settings/tokens".to_owned()),
        severity: leak.severity,
        confidence: Confidence::High,
    }
}

fn alive() -> Held {
    let mut held = held("a");
    held.leak.verdict = Some(Verdict::Live {
        reason: "200".to_owned(),
    });
    held.leak.identity.principal = Some("ada".to_owned());
    held.leak.identity.organisations = vec!["acme".to_owned(), "umbrella".to_owned()];
    held.leak.identity.scopes = vec!["repo".to_owned()];
    held
}

fn message_for(held: &Held, owner: &Owner) -> Message {
    message_of(Kind::of(&held.leak), held, owner)
}

fn message_of(kind: Kind, held: &Held, owner: &Owner) -> Message {
    texts().message(&about(kind, held, owner, &card())).unwrap()
}

fn texts() -> Texts {
    Texts::load(None, None).unwrap()
}

fn about<'a>(kind: Kind, held: &'a Held, owner: &'a Owner, card: &'a RuleCard) -> About<'a> {
    About {
        kind,
        leak: &held.leak,
        owner,
        card,
        planned: "no policy entry allows more than telling people",
        containment: Some("removes the member from the organisation"),
        command: "unleak approve be02aa45",
    }
}

/// Everything that a message says, in every form.
fn all_of(message: &Message) -> String {
    let Message {
        subject,
        body,
        html,
        content,
        data,
        places,
        ..
    } = message;
    format!("{subject}\n{body}\n{html:?}\n{content:?}\n{data}\n{places:?}")
}

fn settings(text: &str) -> Settings {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refused(text: &str) -> String {
    match Notifier::new(&settings(text)) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => format!("{error:#}"),
    }
}

fn failure(deliveries: &[Delivery]) -> &str {
    match deliveries {
        [Delivery { result: Err(why), .. }] => why,
        other => panic!("{other:?}"),
    }
}

/// The signing key and its written form.
fn signing() -> ([u8; 32], String) {
    let key = [9_u8; 32];
    (key, ["whsec", "_", &STANDARD.encode(key)].concat())
}

/// Foreign text at its worst: in the path, the names, the service's words.
fn hostile() -> (Held, Owner) {
    let nasty =
        "x\r\nBcc: victim@example.com\r\n\r\n.\r\nRCPT TO:<victim@example.com>\r\n\u{1b}[2J\u{202e}{page}\0";
    let mut held = alive();
    held.leak.sightings[0].path = nasty.to_owned();
    let commit = held.leak.sightings[0].commit.as_mut().unwrap();
    commit.author = nasty.to_owned();
    commit.email = nasty.to_owned();
    held.leak.verdict = Some(Verdict::Live {
        reason: nasty.to_owned(),
    });
    held.leak.identity.principal = Some(nasty.to_owned());
    held.leak.identity.organisations = vec![nasty.to_owned(); 100];
    held.leak.redacted = nasty.to_owned();
    (
        held,
        Owner {
            name: nasty.to_owned(),
            organisation: Some(nasty.to_owned()),
            ..owner("ada")
        },
    )
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
