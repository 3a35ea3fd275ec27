//! Who acts where no person does, and who administers a project.
//!
//! A service identity gives a program's tokens a name of their own, so that the audit log never needs a made-up person.

use sqlx::FromRow;

use crate::database::sql;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::model::{Member, Organisation, Project, Time};
use crate::token_service::people::{checked_slug, checked_text, new_id};
use crate::token_service::store::TokenService;

/// A service identity.
#[derive(Clone, Debug, FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct ServiceIdentity {
    #[serde(skip)]
    pub(super) id: String,
    /// Its name in the organisation.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The slug of the project that it belongs to; without one it belongs to the whole organisation.
    pub project: Option<String>,
    /// Whether its tokens work.
    pub active: bool,
}

const IDENTITIES: &str = "SELECT s.id, s.slug, s.name, s.active, p.slug AS project FROM service_identities s \
     LEFT JOIN projects p ON p.id = s.project_id WHERE s.organisation_id = $1 ORDER BY s.slug";

impl TokenService {
    /// Makes a service identity of a project, or of the whole organisation.
    pub async fn add_identity(
        &self,
        organisation: &str,
        project: Option<&str>,
        slug: &str,
        name: &str,
        by: &Actor,
    ) -> Result<()> {
        let slug = checked_slug("the slug of a service identity", slug, b"-")?;
        let name = checked_text("the name of a service identity", name)?;
        let owner = self.organisation(organisation).await?;
        let project_id = match project {
            Some(project) => Some(self.project(&owner, project).await?.id),
            None => None,
        };
        let mut change = self.write().await?;
        sql(
            "INSERT INTO service_identities (id, organisation_id, project_id, slug, name, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(new_id()?)
        .bind(&owner.id)
        .bind(project_id)
        .bind(slug)
        .bind(name)
        .bind(Time::now())
        .run(&mut change)
        .await
        .map_err(|error| {
            Error::from(error).taken(|| format!("{organisation} already has a service identity {slug}"))
        })?;
        self.note(
            &mut change,
            Change::plain(by, "identity.create", slug, Some(organisation)),
        )
        .await?;
        change.commit().await.map_err(Into::into)
    }

    /// The service identities of an organisation by slug.
    pub async fn identities(&self, organisation: &Organisation) -> Result<Vec<ServiceIdentity>> {
        sql(IDENTITIES)
            .bind(&organisation.id)
            .all(&self.pool)
            .await
            .map_err(Into::into)
    }

    /// The service identity of this slug.
    pub(super) async fn identity(&self, organisation: &Organisation, slug: &str) -> Result<ServiceIdentity> {
        let found = self.identities(organisation).await?;
        let mut found = found.into_iter().filter(|identity| identity.slug == slug);
        found.next().ok_or(Error::NotFound("service identity"))
    }

    /// Stops all tokens of a service identity at once, or lets those work again that were not revoked meanwhile; says
    /// whether that changed anything.
    pub async fn set_identity_active(
        &self,
        organisation: &str,
        slug: &str,
        active: bool,
        by: &Actor,
    ) -> Result<bool> {
        let owner = self.organisation(organisation).await?;
        let identity = self.identity(&owner, slug).await?;
        let mut change = self.write().await?;
        let done = sql("UPDATE service_identities SET active = $1 WHERE id = $2 AND active <> $1")
            .bind(active)
            .bind(identity.id)
            .run(&mut change)
            .await?;
        if done == 0 {
            return Ok(false);
        }
        let action = if active {
            "identity.activate"
        } else {
            "identity.deactivate"
        };
        self.note(&mut change, Change::plain(by, action, slug, Some(organisation)))
            .await?;
        change.commit().await?;
        Ok(true)
    }

    /// Lets a member administer a project: see, make and stop its tokens.
    pub async fn add_administrator(
        &self,
        organisation: &str,
        project: &str,
        login: &str,
        by: &Actor,
    ) -> Result<()> {
        let (owner, project) = self.project_of(organisation, project).await?;
        let user = self.user(login).await?;
        if !self
            .members(&owner, None)
            .await?
            .iter()
            .any(|member| member.login == login)
        {
            return Err(Error::invalid(format!(
                "{login} is no member of {organisation}; make the user a member first"
            )));
        }
        let mut change = self.write().await?;
        sql(
            "INSERT INTO project_administrators (project_id, user_id, since) VALUES ($1, $2, $3) \
             ON CONFLICT (project_id, user_id) DO UPDATE SET ended_at = NULL",
        )
        .bind(&project.id)
        .bind(&user.id)
        .bind(Time::now())
        .run(&mut change)
        .await?;
        let told = Change::plain(by, "project.add-administrator", login, Some(organisation));
        self.note(&mut change, told.with(&project.slug)).await?;
        change.commit().await.map_err(Into::into)
    }

    /// Ends that.
    pub async fn end_administrator(
        &self,
        organisation: &str,
        project: &str,
        login: &str,
        by: &Actor,
    ) -> Result<()> {
        let (_, project) = self.project_of(organisation, project).await?;
        let user = self.user(login).await?;
        let mut change = self.write().await?;
        let done = sql("UPDATE project_administrators SET ended_at = $1 \
             WHERE project_id = $2 AND user_id = $3 AND ended_at IS NULL")
        .bind(Time::now())
        .bind(&project.id)
        .bind(&user.id)
        .run(&mut change)
        .await?;
        if done == 0 {
            return Err(Error::NotFound("administrator"));
        }
        let told = Change::plain(by, "project.remove-administrator", login, Some(organisation));
        self.note(&mut change, told.with(&project.slug)).await?;
        change.commit().await.map_err(Into::into)
    }

    /// Who administers a project, by login, with the role in its organisation.
    pub async fn administrators(&self, project: &Project) -> Result<Vec<Member>> {
        sql(
            "SELECT u.login, u.name, u.email, u.active, m.role FROM project_administrators a \
             JOIN users u ON u.id = a.user_id \
             JOIN memberships m ON m.user_id = a.user_id AND m.organisation_id = $2 AND m.ended_at IS NULL \
             WHERE a.project_id = $1 AND a.ended_at IS NULL ORDER BY u.login",
        )
        .bind(&project.id)
        .bind(&project.organisation_id)
        .all(&self.pool)
        .await
        .map_err(Into::into)
    }

    /// Whether a user administers a project; one who left the organisation does no more.
    pub(super) async fn administers(&self, user: &str, project: &str) -> Result<bool> {
        let found: Option<(i64,)> = sql("SELECT a.since FROM project_administrators a \
             JOIN projects p ON p.id = a.project_id \
             JOIN memberships m ON m.user_id = a.user_id AND m.organisation_id = p.organisation_id \
             WHERE a.project_id = $1 AND a.user_id = $2 AND a.ended_at IS NULL AND m.ended_at IS NULL")
        .bind(project)
        .bind(user)
        .optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }

    pub(super) async fn project_of(
        &self,
        organisation: &str,
        project: &str,
    ) -> Result<(Organisation, Project)> {
        let owner = self.organisation(organisation).await?;
        let project = self.project(&owner, project).await?;
        Ok((owner, project))
    }
}
