//! The tokens that can reach an organisation: seen, stopped, asked about, and made. A new one is shown once, on the answer
//! to its form, and nowhere else.

use askama::Template;

use super::door::{Asked, go, html};
use super::organisations::Head;
use super::routes::Answer;
use super::shown::{Frame, When, clean, pair};
use super::trouble::Trouble;
use crate::token_service::model::{Scopes, Time};
use crate::token_service::{Cursor, Effect, Holder, Making, NewToken, Page, Right, Visitor};

/// Tokens on a page.
const PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "org_tokens.html", config = "src/server/pages/askama.toml")]
struct ListPage {
    frame: Frame,
    head: Head,
    rows: Vec<Row>,
    next: Option<String>,
    projects: Vec<String>,
    presets: Vec<String>,
    may_stop: bool,
    may_create: bool,
}

struct Row {
    id: String,
    shown: String,
    holder: String,
    user: bool,
    description: String,
    scopes: String,
    state: &'static str,
    why: String,
    live: bool,
    blocked: bool,
    made: When,
    used: Option<When>,
    expires: Option<When>,
}

/// `GET /organisations/{org}/tokens`.
pub(super) async fn list(asked: Asked) -> Answer {
    let (organisation, tokens) = (asked.organisation()?, &asked.pages.tokens);
    let behind = match asked.query("cursor") {
        "" => None,
        text => Some(text.parse::<Cursor>()?),
    };
    let mut visitors = tokens
        .visitors(
            organisation,
            &Page {
                behind,
                most: PAGE + 1,
            },
        )
        .await?;
    let page = usize::try_from(PAGE).unwrap_or_default();
    let more = visitors.len() > page;
    visitors.truncate(page);
    let next = visitors.last().filter(|_| more).map(|last| {
        let cursor = pair("cursor", &Cursor::behind(&last.token).to_string());
        format!(
            "/organisations/{}/tokens?{}",
            organisation.slug,
            cursor.trim_start_matches('&')
        )
    });
    let bearer = &asked.viewer()?.bearer;
    let may = |right| {
        bearer
            .presented()
            .is_none_or(|presented| presented.may(right, &organisation.slug).is_ok())
    };
    let projects = tokens.projects(organisation).await?.into_iter();
    let presets = tokens.presets().iter().filter(|(_, preset)| preset.application);
    let now = Time::now();
    html(&ListPage {
        frame: asked.frame(
            &format!("Tokens of {}", clean(&organisation.name)),
            "organisations",
        ),
        head: Head::new(&asked, organisation, "tokens"),
        rows: visitors.into_iter().map(|visitor| row(visitor, now)).collect(),
        next,
        projects: projects.map(|project| project.slug).collect(),
        presets: presets.map(|(name, _)| name.to_owned()).collect(),
        may_stop: may(Right::RevokeTokens),
        may_create: may(Right::CreateTokens),
    })
}

fn row(visitor: Visitor, now: Time) -> Row {
    let (state, why) = visitor.state(now);
    let why = clean(why.unwrap_or_default());
    let Visitor { token, blocked, .. } = visitor;
    Row {
        shown: token.shown(),
        holder: clean(&token.holder()),
        user: token.user_id.is_some(),
        description: clean(&token.description),
        scopes: token.scopes.to_string(),
        live: matches!(state, "live" | "refused" | "blocked"),
        state,
        why,
        blocked,
        made: When::of_seconds(token.created_at.seconds()),
        used: token.last_used_at.map(|at| When::of_seconds(at.seconds())),
        expires: token.expires_at.map(|at| When::of_seconds(at.seconds())),
        id: token.id,
    }
}

/// `POST /organisations/{org}/tokens/{id}`.
pub(super) async fn stop(asked: Asked) -> Answer {
    let (slug, id) = (&asked.organisation()?.slug, asked.at("id"));
    let (bearer, tokens, cause) = (&asked.viewer()?.bearer, &asked.pages.tokens, asked.field("cause"));
    let stopped = match asked.field("how") {
        "revoke" => tokens.stop_for(bearer, slug, id, cause).await?,
        "block" => tokens.block_for(bearer, slug, id, cause).await?,
        "unblock" => tokens.unblock_for(bearer, slug, id, cause).await?,
        "ask" => tokens.ask_for(bearer, slug, id, cause).await?,
        _ => return Err(Trouble::Bad("Say what is to become of the token.".to_owned())),
    };
    let said = match (stopped.already, stopped.effect) {
        (true, _) => "already",
        (false, Effect::Revoked) => "revoked",
        (false, Effect::Blocked) => "blocked",
        (false, Effect::Unblocked) => "unblocked",
        (false, Effect::Asked) => "owner-asked",
    };
    Ok(go(&format!("/organisations/{slug}/tokens?said={said}")))
}

#[derive(Template)]
#[template(path = "made.html", config = "src/server/pages/askama.toml")]
struct MadePage<'a> {
    frame: Frame,
    head: Head,
    id: String,
    token: &'a str,
}

/// `POST /organisations/{org}/tokens`: makes a token of a project, or of the organisation for a reason.
pub(super) async fn create(asked: Asked) -> Answer {
    let organisation = asked.organisation()?;
    let slug = organisation.slug.clone();
    let holder = match (asked.field("project"), asked.field("reason").trim()) {
        ("", reason) => Holder::Organisation {
            organisation: slug,
            reason: reason.to_owned(),
        },
        (project, "") => Holder::Project {
            organisation: slug,
            project: project.to_owned(),
        },
        _ => {
            let told = "A reason is for a token of the whole organisation; leave it out for a project's.";
            return Err(Trouble::Bad(told.to_owned()));
        }
    };
    let days = match asked.field("days").trim() {
        "" => None,
        text => {
            let days = text.parse().ok().filter(|days| (1..=36_500).contains(days));
            Some(days.ok_or_else(|| Trouble::Bad("Days are a number from 1 to 36500.".to_owned()))?)
        }
    };
    let preset = Some(asked.field("preset").to_owned()).filter(|preset| !preset.is_empty());
    let new = NewToken {
        holder,
        description: asked.field("description").to_owned(),
        scopes: Scopes::new(asked.field("scopes").split_whitespace())?,
        expires_at: days.map(|days| Time::now().plus_days(days)),
    };
    let making = Making {
        preset,
        ..Making::default()
    };
    let made = asked
        .pages
        .tokens
        .create_for(&asked.viewer()?.bearer, &new, &making)
        .await?;
    let token = made.shown.as_ref().and_then(|token| token.expose_str());
    html(&MadePage {
        frame: asked.frame("A new token", "organisations"),
        head: Head::new(&asked, organisation, "tokens"),
        token: token.unwrap_or_default(),
        id: made.id.clone(),
    })
}
