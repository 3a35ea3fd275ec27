//! Organisations with their policies, and their projects.
//!
//! An organisation is ended, never deleted: since then no token reaches it, and its own are refused everywhere.

use crate::database::sql;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::model::{Organisation, Project, Time};
use crate::token_service::people::{checked_slug, checked_text, new_id};
use crate::token_service::policy::OrganisationPolicy;
use crate::token_service::store::TokenService;

impl TokenService {
    /// Makes an organisation whose policy lets every token in.
    pub async fn add_organisation(&self, slug: &str, name: &str, by: &Actor) -> Result<Organisation> {
        let slug = checked_slug("the slug of an organisation", slug, b"-")?;
        let organisation = Organisation {
            id: new_id()?,
            slug: slug.to_owned(),
            name: checked_text("the name of an organisation", name)?.to_owned(),
            ended_at: None,
            policy: OrganisationPolicy::default(),
        };
        let mut change = self.write().await?;
        sql("INSERT INTO organisations (id, slug, name, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&organisation.id)
            .bind(slug)
            .bind(&organisation.name)
            .bind(Time::now())
            .run(&mut change)
            .await
            .map_err(|error| {
                Error::from(error).taken(|| format!("there is already an organisation {slug}"))
            })?;
        self.note(
            &mut change,
            Change::plain(by, "organisation.create", slug, Some(slug)),
        )
        .await?;
        change.commit().await?;
        Ok(organisation)
    }

    /// All organisations by slug.
    pub async fn organisations(&self) -> Result<Vec<Organisation>> {
        sql("SELECT * FROM organisations ORDER BY slug")
            .all(&self.pool)
            .await
            .map_err(Into::into)
    }

    /// The organisation of this slug.
    pub async fn organisation(&self, slug: &str) -> Result<Organisation> {
        sql("SELECT * FROM organisations WHERE slug = $1")
            .bind(slug)
            .optional(&self.pool)
            .await?
            .ok_or(Error::NotFound("organisation"))
    }

    /// Changes which tokens an organisation lets in, from now on and for every token that exists.
    pub async fn set_policy(&self, slug: &str, policy: &OrganisationPolicy, by: &Actor) -> Result<()> {
        if policy
            .max_lifetime_days
            .is_some_and(|days| !(1..=36_500).contains(&days))
        {
            return Err(Error::invalid(
                "max_lifetime_days must be from 1 to 36500, or null for no limit",
            ));
        }
        let mut change = self.write().await?;
        let done = sql(
            "UPDATE organisations SET refuse_user_tokens = $1, allowed_scopes = $2, max_lifetime_days = $3, \
             expiry_required = $4 WHERE slug = $5",
        )
        .bind(policy.refuse_user_tokens)
        .bind(policy.allowed_scopes.as_ref().map(ToString::to_string))
        .bind(policy.max_lifetime_days)
        .bind(policy.expiry_required)
        .bind(slug)
        .run(&mut change)
        .await?;
        if done == 0 {
            return Err(Error::NotFound("organisation"));
        }
        let detail = serde_json::to_string(policy).unwrap_or_default();
        self.note(
            &mut change,
            Change::plain(by, "policy.set", slug, Some(slug)).with(&detail),
        )
        .await?;
        change.commit().await?;
        Ok(())
    }

    /// Ends an organisation: its tokens and those of its projects stop at once, and no user token reaches it. Nothing
    /// is deleted, and its name stays taken. Says whether it had not been ended before.
    pub async fn end_organisation(&self, slug: &str, cause: &str, by: &Actor) -> Result<bool> {
        let cause = checked_text("a cause", cause)?;
        self.turn_organisation(
            slug,
            Some(Time::now()),
            Change::plain(by, "organisation.end", slug, Some(slug)).with(cause),
        )
        .await
    }

    /// Takes the end of an organisation back; tokens that were revoked meanwhile stay revoked.
    pub async fn restore_organisation(&self, slug: &str, by: &Actor) -> Result<bool> {
        self.turn_organisation(
            slug,
            None,
            Change::plain(by, "organisation.restore", slug, Some(slug)),
        )
        .await
    }

    async fn turn_organisation(&self, slug: &str, ended_at: Option<Time>, told: Change<'_>) -> Result<bool> {
        let organisation = self.organisation(slug).await?;
        let mut change = self.write().await?;
        let done = sql("UPDATE organisations SET ended_at = $1 WHERE id = $2 AND (ended_at IS NULL) = $3")
            .bind(ended_at)
            .bind(&organisation.id)
            .bind(ended_at.is_some())
            .run(&mut change)
            .await?;
        if done == 0 {
            return Ok(false);
        }
        self.note(&mut change, told).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Makes a project in an organisation.
    pub async fn add_project(
        &self,
        organisation: &str,
        slug: &str,
        name: &str,
        by: &Actor,
    ) -> Result<Project> {
        let slug = checked_slug("the slug of a project", slug, b"-")?;
        let project = Project {
            id: new_id()?,
            organisation_id: self.organisation(organisation).await?.id,
            slug: slug.to_owned(),
            name: checked_text("the name of a project", name)?.to_owned(),
        };
        let mut change = self.write().await?;
        sql("INSERT INTO projects (id, organisation_id, slug, name, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(&project.id)
            .bind(&project.organisation_id)
            .bind(slug)
            .bind(&project.name)
            .bind(Time::now())
            .run(&mut change)
            .await
            .map_err(|error| {
                Error::from(error).taken(|| format!("{organisation} already has a project {slug}"))
            })?;
        self.note(
            &mut change,
            Change::plain(by, "project.create", slug, Some(organisation)),
        )
        .await?;
        change.commit().await?;
        Ok(project)
    }

    /// The project of this slug in an organisation.
    pub(super) async fn project(&self, organisation: &Organisation, slug: &str) -> Result<Project> {
        sql("SELECT * FROM projects WHERE organisation_id = $1 AND slug = $2")
            .bind(&organisation.id)
            .bind(slug)
            .optional(&self.pool)
            .await?
            .ok_or(Error::NotFound("project"))
    }

    /// The projects of an organisation by slug.
    pub async fn projects(&self, organisation: &Organisation) -> Result<Vec<Project>> {
        sql("SELECT * FROM projects WHERE organisation_id = $1 ORDER BY slug")
            .bind(&organisation.id)
            .all(&self.pool)
            .await
            .map_err(Into::into)
    }
}
