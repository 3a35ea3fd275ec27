//! The organisations of the token service with their members, projects and service identities.

use askama::Template;

use super::door::{Asked, go, html};
use super::routes::Answer;
use super::shown::{Frame, clean};
use crate::token_service::Right;
use crate::token_service::model::{Organisation, Role};

#[derive(Template)]
#[template(path = "organisations.html", config = "src/server/pages/askama.toml")]
struct ListPage {
    frame: Frame,
    operator: bool,
    rows: Vec<Row>,
}

struct Row {
    slug: String,
    name: String,
    role: &'static str,
    ended: bool,
    /// Whether the visitor may see more of it.
    open: bool,
}

/// What stands above each page of one organisation.
pub(super) struct Head {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) tab: &'static str,
    /// The parts that the visitor may see, by their last word in the address and their title.
    pub(super) tabs: Vec<(&'static str, &'static str)>,
}

impl Head {
    pub(super) fn new(asked: &Asked, organisation: &Organisation, tab: &'static str) -> Self {
        let may = |right| {
            let viewer = asked.anybody();
            let presented = viewer.map(|viewer| viewer.bearer.presented());
            presented.is_some_and(|presented| {
                presented.is_none_or(|presented| presented.may(right, &organisation.slug).is_ok())
            })
        };
        let all = [
            ("", "Members", Right::ReadMembers),
            ("tokens", "Tokens", Right::ReadTokens),
            ("policy", "Policy", Right::ReadPolicy),
            ("review", "Review", Right::ReadTokens),
            ("audit", "Audit", Right::ReadAudit),
        ];
        let tabs = all.into_iter().filter(|(_, _, right)| may(*right));
        Self {
            slug: organisation.slug.clone(),
            name: clean(&organisation.name),
            tab,
            tabs: tabs.map(|(word, title, _)| (word, title)).collect(),
        }
    }
}

/// `GET /organisations`.
pub(super) async fn list(asked: Asked) -> Answer {
    let viewer = asked.viewer()?;
    let rows = if viewer.is_operator() {
        let all = asked.pages.tokens.organisations().await?.into_iter();
        let row = |organisation: Organisation| Row {
            slug: organisation.slug,
            name: clean(&organisation.name),
            role: "",
            ended: organisation.ended_at.is_some(),
            open: true,
        };
        all.map(row).collect()
    } else {
        let row = |place: &super::viewer::Place| Row {
            slug: place.slug.clone(),
            name: clean(&place.name),
            role: place.role.name(),
            ended: false,
            open: place.role >= Role::Admin,
        };
        viewer.places.iter().map(row).collect()
    };
    html(&ListPage {
        frame: asked.frame("Organisations", "organisations"),
        operator: viewer.is_operator(),
        rows,
    })
}

/// `POST /organisations`.
pub(super) async fn add(asked: Asked) -> Answer {
    let (slug, name) = (asked.field("slug").trim(), asked.field("name"));
    let by = asked.viewer()?.bearer.actor();
    asked.pages.tokens.add_organisation(slug, name, &by).await?;
    Ok(go(&format!("/organisations/{slug}?said=added")))
}

#[derive(Template)]
#[template(path = "organisation.html", config = "src/server/pages/askama.toml")]
struct OnePage {
    frame: Frame,
    head: Head,
    members: Vec<MemberRow>,
    projects: Vec<(String, String)>,
    identities: Vec<(String, String, bool)>,
    roles: [&'static str; 3],
    may_write: bool,
}

struct MemberRow {
    login: String,
    name: String,
    email: String,
    role: &'static str,
    active: bool,
}

/// `GET /organisations/{org}`.
pub(super) async fn one(asked: Asked) -> Answer {
    let (organisation, tokens) = (asked.organisation()?, &asked.pages.tokens);
    let members = tokens.members(organisation, None).await?.into_iter();
    let projects = tokens.projects(organisation).await?.into_iter();
    let identities = tokens.identities(organisation).await?.into_iter();
    let bearer = &asked.viewer()?.bearer;
    let may_write = bearer
        .presented()
        .is_none_or(|presented| presented.may(Right::WriteMembers, &organisation.slug).is_ok());
    html(&OnePage {
        frame: asked.frame(&clean(&organisation.name), "organisations"),
        head: Head::new(&asked, organisation, ""),
        members: members
            .map(|member| MemberRow {
                login: member.login,
                name: clean(&member.name),
                email: clean(&member.email),
                role: member.role.name(),
                active: member.active,
            })
            .collect(),
        projects: projects
            .map(|project| (project.slug, clean(&project.name)))
            .collect(),
        identities: identities
            .map(|identity| (identity.slug, clean(&identity.name), identity.active))
            .collect(),
        roles: ["member", "admin", "owner"],
        may_write,
    })
}

/// `POST /organisations/{org}/members`.
pub(super) async fn set_member(asked: Asked) -> Answer {
    let (slug, login) = (&asked.organisation()?.slug, asked.field("login").trim());
    let by = asked.viewer()?.bearer.actor();
    let tokens = &asked.pages.tokens;
    match asked.field("role") {
        "none" => tokens.end_membership(slug, login, &by).await?,
        role => tokens.set_member(slug, login, role.parse()?, &by).await?,
    }
    Ok(go(&format!("/organisations/{slug}?said=member")))
}

/// `POST /organisations/{org}/projects`.
pub(super) async fn add_project(asked: Asked) -> Answer {
    let slug = &asked.organisation()?.slug;
    let (project, name) = (asked.field("slug").trim(), asked.field("name"));
    let by = asked.viewer()?.bearer.actor();
    asked.pages.tokens.add_project(slug, project, name, &by).await?;
    Ok(go(&format!("/organisations/{slug}?said=added")))
}
