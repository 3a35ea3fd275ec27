//! The buttons of a leak. What may take long runs behind the answer, and writes each step down before it is taken: the
//! server can be stopped at any moment, and a request is never sent twice.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use askama::Template;
use serde_json::json;

use super::Pages;
use super::decision::{decided, refused};
use super::door::{Asked, go, html};
use super::leak::state;
use super::leaks::{link, title};
use super::routes::Answer;
use super::shown::{Frame, clean};
use super::trouble::Trouble;
use crate::finding::RuleId;
use crate::leak::Leak;
use crate::policy::{self, Action};
use crate::respond::Responder;
use crate::secret::Fingerprint;
use crate::trace::carried;

type Key = (Fingerprint, RuleId);

/// The leaks that a person set something going for, in this process; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct AtWork(Arc<Mutex<BTreeSet<Key>>>);

/// Somebody is at a leak for as long as this is held.
struct Hold(AtWork, Key);

impl AtWork {
    /// Whether somebody is at it.
    pub(super) fn is_at(&self, fingerprint: Fingerprint, rule: &RuleId) -> bool {
        self.keys().contains(&(fingerprint, rule.clone()))
    }

    fn begin(&self, leak: &Leak) -> Option<Hold> {
        let key = (leak.fingerprint, leak.rule.clone());
        let begun = self.keys().insert(key.clone());
        begun.then(|| Hold(self.clone(), key))
    }

    fn keys(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.keys().remove(&self.1);
    }
}

#[derive(Template)]
#[template(path = "plan.html", config = "src/server/pages/askama.toml")]
struct PlanPage {
    frame: Frame,
    link: String,
    title: String,
    redacted: String,
    action: Action,
    what: &'static str,
    token: String,
    ways: Vec<Way>,
    open: bool,
    by_hand: Option<String>,
    /// Why it would be refused now.
    refused: Option<String>,
    why: String,
}

/// A way, as a person reads it.
struct Way {
    with: &'static str,
    effect: String,
    organisation: String,
    requests: Vec<String>,
    closed: String,
}

fn action(word: &str) -> Result<Action, Trouble> {
    match word {
        "revoke" => Ok(Action::Revoke),
        "contain" => Ok(Action::Contain),
        _ => Err(Trouble::NotFound("page")),
    }
}

/// `GET …/plan/{action}`: what would be sent, and nothing is.
pub(super) async fn plan(asked: Asked) -> Answer {
    let (leak, pages) = (asked.leak()?, &asked.pages);
    let action = action(asked.at("action"))?;
    let responder = &pages.responder;
    let held = responder.store.unseal(leak.fingerprint, &leak.rule).await?;
    let held = held.ok_or_else(|| {
        Trouble::Conflict("The leak is closed and its secret wiped: there is nothing left to end.".to_owned())
    })?;
    let plan = responder
        .plan(&held, &pages.rules)
        .map_err(|error| Trouble::Conflict(format!("{error:#}.")))?;
    let (ways, open) = match action {
        Action::Revoke => (&plan.ways, plan.can_revoke()),
        Action::Contain => (&plan.containments, plan.can_contain()),
    };
    let by_hand = plan.page().and_then(super::shown::link);
    html(&PlanPage {
        frame: asked.frame(&format!("Plan to {action}"), "leaks"),
        link: link(&leak.fingerprint.to_string(), &leak.rule),
        title: title(pages, &leak.rule),
        redacted: clean(&leak.redacted),
        what: match action {
            Action::Revoke => "The token ends for everybody who uses it, for ever.",
            Action::Contain => "The token is kept away from the organisation; elsewhere it lives on.",
        },
        token: clean(&plan.token),
        ways: ways.iter().map(way).collect(),
        refused: refused(pages, leak, action, &asked.viewer()?.name).await?,
        why: decided(pages, leak).await?.why,
        action,
        open,
        by_hand,
    })
}

fn way(way: &crate::call::way::Way) -> Way {
    use crate::rule::file::With;
    let optional = |text: &Option<String>| clean(text.as_deref().unwrap_or_default());
    Way {
        with: match way.with {
            With::Secret => "With the token itself",
            With::Operator => "With the operator's credential",
            With::Session => "By hand",
        },
        effect: optional(&way.effect),
        organisation: optional(&way.organisation),
        requests: way.requests.iter().map(|request| clean(request)).collect(),
        closed: optional(&way.closed),
    }
}

/// `POST …/act/{action}`: a person saw the plan and said yes.
pub(super) async fn confirmed(asked: Asked) -> Answer {
    let (leak, pages, by) = (asked.leak()?, &asked.pages, &asked.viewer()?.name);
    let action = action(asked.at("action"))?;
    if asked.field("read") != "yes" {
        return Err(Trouble::Bad(
            "Say that you have read the plan; nothing was sent.".to_owned(),
        ));
    }
    if let Some(why) = refused(pages, leak, action, by).await? {
        return Err(Trouble::Conflict(format!("Nothing was sent. {why}")));
    }
    begin(pages, leak, action, by).await?;
    Ok(said(leak, "at-work"))
}

/// `POST …/approve`: a person's yes to what the policy lets wait. A worker does it once enough people have said so.
pub(super) async fn approve(asked: Asked) -> Answer {
    let (leak, pages, by) = (asked.leak()?, &asked.pages, &asked.viewer()?.name);
    let decided = decided(pages, leak).await?;
    let Some(action) = decided.waits else {
        return Err(Trouble::Conflict(format!(
            "Nothing waits for a yes. {}",
            decided.why
        )));
    };
    if asked.field("action") != action.to_string() {
        return Err(Trouble::Conflict(format!(
            "What waits for a yes is now another thing. Look at the leak again. {}",
            decided.why
        )));
    }
    if decided.approved.contains(by) {
        return Err(Trouble::Conflict(format!(
            "You have said yes already; somebody else must say it, too. {}",
            decided.why
        )));
    }
    let store = pages.responder.store.acting_as(by);
    store
        .approve(leak.fingerprint, &leak.rule, &action.to_string())
        .await?;
    store.look_now(leak.fingerprint, &leak.rule).await?;
    pages.bell.wake();
    Ok(said(leak, "approved"))
}

/// Writes down what a person wants, and does it behind the answer.
async fn begin(pages: &Arc<Pages>, leak: &Leak, action: Action, by: &str) -> Result<(), Trouble> {
    let hold = pages.at_work.begin(leak);
    let hold = hold.ok_or_else(|| Trouble::Conflict("Somebody is at this leak already.".to_owned()))?;
    let store = pages.responder.store.acting_as(by);
    let name = Some((leak.fingerprint, &leak.rule));
    let detail = json!({ "action": action.to_string() });
    store.append("confirmed", name, &detail).await?;
    let (pages, leak, by) = (Arc::clone(pages), leak.clone(), by.to_owned());
    let work = async move {
        if let Err(error) = carried_out(&pages, &leak, action, &by).await {
            tracing::warn!(rule = %leak.rule, fingerprint = %leak.fingerprint, "what a person asked for was not done: {error:#}");
            let detail = json!({ "why": format!("{error:#}") });
            let name = Some((leak.fingerprint, &leak.rule));
            if let Err(error) = store.append("not-done", name, &detail).await {
                tracing::error!("that could not be written down: {error:#}");
            }
        }
        drop(hold);
    };
    tokio::spawn(carried(work));
    Ok(())
}

/// Asks the service first, and then does what the person confirmed.
async fn carried_out(pages: &Pages, leak: &Leak, action: Action, by: &str) -> Result<()> {
    let store = pages.responder.store.acting_as(by);
    let responder = Responder {
        verifier: pages.responder.verifier.for_another_run(),
        store,
        root: None,
        ..pages.responder.clone()
    };
    let held = responder.store.unseal(leak.fingerprint, &leak.rule).await?;
    let held = held.context("the leak is closed and its secret wiped")?;
    let (held, response) = responder.examine(held, &pages.rules).await?;
    if state(&response.leak, None) == "dead" {
        return Ok(());
    }
    let standing = responder.standing(&held.leak).await?;
    let order = match policy::confirmed(&held.leak, &responder.policy, action, by, &standing) {
        Ok(order) => order,
        Err(refusal) => bail!("{refusal}"),
    };
    responder.carry_out(order, held, &pages.rules).await?;
    Ok(())
}

/// `POST …/dismiss`.
pub(super) async fn dismiss(asked: Asked) -> Answer {
    let (leak, why) = (asked.leak()?, asked.field("why").trim());
    if why.is_empty() || why.chars().count() > 500 {
        return Err(Trouble::Bad(
            "Say why in at most 500 characters; nothing was changed.".to_owned(),
        ));
    }
    let store = asked.pages.responder.store.acting_as(&asked.viewer()?.name);
    store.dismiss(leak.fingerprint, &leak.rule, why).await?;
    Ok(said(leak, "dismissed"))
}

/// `POST …/reinstate`.
pub(super) async fn reinstate(asked: Asked) -> Answer {
    let leak = asked.leak()?;
    let why: String = asked.field("why").chars().take(500).collect();
    let store = asked.pages.responder.store.acting_as(&asked.viewer()?.name);
    store.reinstate(leak.fingerprint, &leak.rule, &why).await?;
    Ok(said(leak, "reinstated"))
}

/// `POST …/verify`: a worker asks its service now.
pub(super) async fn verify(asked: Asked) -> Answer {
    let (leak, pages) = (asked.leak()?, &asked.pages);
    let known = pages.responder.store.known(leak.fingerprint).await?;
    if known.iter().any(|known| known.rule == leak.rule && known.closed) {
        return Err(Trouble::Conflict(
            "The leak is closed and its secret wiped: nobody can ask any more.".to_owned(),
        ));
    }
    let store = pages.responder.store.acting_as(&asked.viewer()?.name);
    store.look_now(leak.fingerprint, &leak.rule).await?;
    pages.bell.wake();
    Ok(said(leak, "asked"))
}

/// Back to the leak, which says what was done.
fn said(leak: &Leak, word: &str) -> axum::response::Response {
    let link = link(&leak.fingerprint.to_string(), &leak.rule);
    go(&format!("{link}?said={word}"))
}
