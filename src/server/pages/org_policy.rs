//! What an organisation asks of tokens, tried out before it is switched on; the review of its tokens; its audit log.

use askama::Template;

use super::door::{Asked, html};
use super::organisations::Head;
use super::routes::Answer;
use super::shown::{Frame, When, clean};
use super::trouble::Trouble;
use crate::token_service::audit::AuditLine;
use crate::token_service::model::Scopes;
use crate::token_service::policy::OrganisationPolicy;
use crate::token_service::{IMPACT_DAYS, Right, Stops};

/// Lines of the audit log on a page.
const LINES: i64 = 100;
/// Tokens that a preview or a review lists.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "org_policy.html", config = "src/server/pages/askama.toml")]
struct PolicyPage {
    frame: Frame,
    head: Head,
    refuse_user_tokens: bool,
    allowed_scopes: String,
    max_lifetime_days: String,
    expiry_required: bool,
    may_write: bool,
    /// What this policy would stop; `None` where none was tried out.
    impact: Option<Impact>,
    days: i64,
}

struct Impact {
    /// Each with its title.
    lists: [(&'static str, Vec<Stop>); 2],
    stops_in_all: usize,
    idle_in_all: usize,
    spared: usize,
}

struct Stop {
    shown: String,
    holder: String,
    description: String,
    why: String,
    used: Option<When>,
}

fn stop(stops: &Stops) -> Stop {
    Stop {
        shown: stops.token.shown(),
        holder: clean(&stops.token.holder()),
        description: clean(&stops.token.description),
        why: clean(&stops.why),
        used: stops.last_used_here.map(|at| When::of_seconds(at.seconds())),
    }
}

fn shown(asked: &Asked, policy: &OrganisationPolicy, impact: Option<Impact>) -> Answer {
    let organisation = asked.organisation()?;
    let bearer = &asked.viewer()?.bearer;
    let may_write = bearer
        .presented()
        .is_none_or(|presented| presented.may(Right::WritePolicy, &organisation.slug).is_ok());
    html(&PolicyPage {
        frame: asked.frame(
            &format!("Policy of {}", clean(&organisation.name)),
            "organisations",
        ),
        head: Head::new(asked, organisation, "policy"),
        refuse_user_tokens: policy.refuse_user_tokens,
        allowed_scopes: policy
            .allowed_scopes
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        max_lifetime_days: policy
            .max_lifetime_days
            .map(|days| days.to_string())
            .unwrap_or_default(),
        expiry_required: policy.expiry_required,
        may_write,
        impact,
        days: IMPACT_DAYS,
    })
}

/// `GET /organisations/{org}/policy`.
pub(super) async fn page(asked: Asked) -> Answer {
    shown(&asked, &asked.organisation()?.policy, None)
}

/// The policy that a form describes.
fn described(asked: &Asked) -> Result<OrganisationPolicy, Trouble> {
    let scopes = asked.field("allowed_scopes").trim();
    let days = asked.field("max_lifetime_days").trim();
    let days = match days {
        "" => None,
        text => {
            let days = text.parse().ok().filter(|days| (1..=36_500).contains(days));
            Some(days.ok_or_else(|| Trouble::Bad("Days are a number from 1 to 36500.".to_owned()))?)
        }
    };
    Ok(OrganisationPolicy {
        refuse_user_tokens: asked.field("refuse_user_tokens") == "yes",
        allowed_scopes: match scopes {
            "" => None,
            scopes => Some(Scopes::new(scopes.split_whitespace())?),
        },
        max_lifetime_days: days,
        expiry_required: asked.field("expiry_required") == "yes",
    })
}

/// `POST /organisations/{org}/policy/preview`: what it would stop; nothing is changed.
pub(super) async fn preview(asked: Asked) -> Answer {
    let (organisation, tokens) = (asked.organisation()?, &asked.pages.tokens);
    // it tells of tokens, too
    let bearer = &asked.viewer()?.bearer;
    tokens
        .authorised(bearer, Right::ReadTokens, &organisation.slug)
        .await?;
    let policy = described(&asked)?;
    let impact = tokens.impact(organisation, &policy, IMPACT_DAYS).await?;
    let impact = Impact {
        lists: [
            ("In use", impact.stops.iter().take(MOST).map(stop).collect()),
            ("Idle", impact.idle.iter().take(MOST).map(stop).collect()),
        ],
        stops_in_all: impact.stops.len(),
        idle_in_all: impact.idle.len(),
        spared: impact.spared,
    };
    shown(&asked, &policy, Some(impact))
}

/// `POST /organisations/{org}/policy`.
pub(super) async fn save(asked: Asked) -> Answer {
    let slug = &asked.organisation()?.slug;
    let policy = described(&asked)?;
    let by = asked.viewer()?.bearer.actor();
    asked.pages.tokens.set_policy(slug, &policy, &by).await?;
    Ok(super::door::go(&format!(
        "/organisations/{slug}/policy?said=saved"
    )))
}

#[derive(Template)]
#[template(path = "review.html", config = "src/server/pages/askama.toml")]
struct ReviewPage {
    frame: Frame,
    head: Head,
    rows: Vec<Advised>,
    left: usize,
}

struct Advised {
    shown: String,
    holder: String,
    description: String,
    used: Option<When>,
    remarks: Vec<String>,
    command: String,
}

/// `GET /organisations/{org}/review`.
pub(super) async fn review(asked: Asked) -> Answer {
    let organisation = asked.organisation()?;
    let tokens = &asked.pages.tokens;
    let advice = tokens
        .review(Some(&organisation.slug), asked.pages.unused_days)
        .await?;
    let left = advice.len().saturating_sub(MOST);
    let rows = advice.into_iter().take(MOST).map(|advised| Advised {
        shown: advised.token.shown(),
        holder: clean(&advised.token.holder()),
        description: clean(&advised.token.description),
        used: advised
            .token
            .last_used_at
            .map(|at| When::of_seconds(at.seconds())),
        remarks: advised.remarks.iter().map(|remark| clean(&remark.text)).collect(),
        command: advised
            .smaller
            .map(|smaller| clean(&smaller.command))
            .unwrap_or_default(),
    });
    html(&ReviewPage {
        frame: asked.frame(
            &format!("Review of {}", clean(&organisation.name)),
            "organisations",
        ),
        head: Head::new(&asked, organisation, "review"),
        rows: rows.collect(),
        left,
    })
}

#[derive(Template)]
#[template(path = "audit.html", config = "src/server/pages/askama.toml")]
struct AuditPage {
    frame: Frame,
    head: Option<Head>,
    lines: Vec<Shown>,
    next: Option<String>,
}

struct Shown {
    number: i64,
    when: When,
    by: String,
    action: String,
    subject: String,
    organisation: String,
    detail: String,
    refused: bool,
}

/// `GET /organisations/{org}/audit`.
pub(super) async fn audit(asked: Asked) -> Answer {
    let organisation = asked.organisation()?;
    let head = Head::new(&asked, organisation, "audit");
    let title = format!("Audit log of {}", clean(&organisation.name));
    lines(&asked, Some(&organisation.slug), Some(head), &title).await
}

/// `GET /audit`.
pub(super) async fn whole_audit(asked: Asked) -> Answer {
    lines(&asked, None, None, "Audit log").await
}

async fn lines(asked: &Asked, slug: Option<&str>, head: Option<Head>, title: &str) -> Answer {
    let before = match asked.query("before") {
        "" => i64::MAX,
        text => text
            .parse()
            .map_err(|_| Trouble::Bad("This is no part of the log.".to_owned()))?,
    };
    let mut found = asked.pages.tokens.audit_newest(slug, before, LINES + 1).await?;
    let page = usize::try_from(LINES).unwrap_or_default();
    let more = found.len() > page;
    found.truncate(page);
    let at = slug.map_or_else(
        || "/audit".to_owned(),
        |slug| format!("/organisations/{slug}/audit"),
    );
    let next = found.last().filter(|_| more);
    let section = if slug.is_some() { "organisations" } else { "audit" };
    html(&AuditPage {
        frame: asked.frame(title, section),
        head,
        next: next.map(|last| format!("{at}?before={}", last.number)),
        lines: found.into_iter().map(line).collect(),
    })
}

fn line(line: AuditLine) -> Shown {
    Shown {
        number: line.number,
        when: When::of_seconds(line.at.seconds()),
        by: clean(&line.by),
        refused: line.action == "refused",
        action: line.action,
        subject: clean(&line.subject),
        organisation: line.organisation.unwrap_or_default(),
        detail: clean(&line.detail),
    }
}
