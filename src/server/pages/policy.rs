//! The policy as it is read, in sentences, and the switch that stops everything.

use askama::Template;

use super::door::{Asked, go, html};
use super::routes::Answer;
use super::shown::{Frame, without_addresses};
use super::trouble::Trouble;
use crate::policy;
use crate::respond::standing_of_all;

#[derive(Template)]
#[template(path = "policy.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    standing: String,
    stopped: bool,
    operator: bool,
    sections: Vec<Section>,
}

/// A title with its sentences.
struct Section {
    title: String,
    lines: Vec<String>,
}

/// `GET /policy`.
pub(super) async fn page(asked: Asked) -> Answer {
    let (responder, viewer) = (&asked.pages.responder, asked.viewer()?);
    let standing = standing_of_all(&responder.store).await?;
    let text = policy::explain(&responder.policy, &standing);
    let mut parts = text.split("\n\n");
    let sees = viewer.is_operator();
    let first = parts.next().unwrap_or_default();
    html(&Page {
        frame: asked.frame("Policy", "policy"),
        standing: without_addresses(first.trim(), sees),
        stopped: standing.stopped.is_some(),
        operator: sees,
        sections: parts.map(|part| section(part, sees)).collect(),
    })
}

/// A part of the explanation: its title, and below it lines that are set in.
fn section(part: &str, sees: bool) -> Section {
    let mut lines = part.lines().map(str::trim).filter(|line| !line.is_empty());
    Section {
        title: lines.next().unwrap_or_default().to_owned(),
        lines: lines
            .map(|line| without_addresses(line.trim_start_matches("- "), sees))
            .collect(),
    }
}

/// `POST /policy`: stops every revocation and containment, or lets them go on.
pub(super) async fn switch(asked: Asked) -> Answer {
    let store = asked.pages.responder.store.acting_as(&asked.viewer()?.name);
    match asked.field("switch") {
        "stop" => {
            let why: String = asked.field("why").chars().take(500).collect();
            store.stop(why.trim()).await?;
            Ok(go("/policy?said=stopped"))
        }
        "resume" => {
            store.resume().await?;
            asked.pages.bell.wake();
            Ok(go("/policy?said=resumed"))
        }
        _ => Err(Trouble::Bad(
            "Say whether everything is to stop, or to go on.".to_owned(),
        )),
    }
}
