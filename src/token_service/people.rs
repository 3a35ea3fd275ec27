//! Organisations, users, memberships and projects: what tokens belong to.

use sqlx::SqliteConnection;

use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::random_base62;
use crate::token_service::model::{Member, Organisation, Project, Role, Time, User};
use crate::token_service::policy::OrganisationPolicy;
use crate::token_service::store::TokenService;

/// Key of a new row: 95 random bits, so that one cannot be guessed from another.
pub(super) fn new_id() -> Result<String> {
    Ok(String::from_utf8_lossy(&random_base62(16)?).into_owned())
}

/// Checks a name for URLs: lower-case letters, digits, and the given marks inside.
fn checked_slug<'a>(what: &str, slug: &'a str, marks: &[u8]) -> Result<&'a str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let first_fits = slug.bytes().next().is_some_and(plain);
    if first_fits && slug.len() <= 63 && slug.bytes().all(|b| plain(b) || marks.contains(&b)) {
        return Ok(slug);
    }
    let marks: Vec<String> = marks.iter().map(|&b| char::from(b).to_string()).collect();
    Err(Error::invalid(format!(
        "{slug:?} cannot be {what}; take lower-case letters, digits and {} (63 at most)",
        marks.join(" ")
    )))
}

/// Checks text for people: one line, not empty, at most 500 characters.
pub(super) fn checked_text<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(format!(
            "{what} is required and must not be empty"
        )));
    }
    if text.chars().count() > 500 || text.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "{what} must be one line of at most 500 characters"
        )));
    }
    Ok(text)
}

fn checked_email(email: &str) -> Result<&str> {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    match email.split_once('@') {
        Some((local, host))
            if !local.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && email.len() <= 254
                && !email.contains(odd) =>
        {
            Ok(email)
        }
        _ => Err(Error::invalid(format!("{email:?} is no e-mail address"))),
    }
}

impl TokenService {
    /// Makes an organisation whose policy lets every token in.
    pub async fn add_organisation(&self, slug: &str, name: &str, by: &Actor) -> Result<Organisation> {
        let slug = checked_slug("the slug of an organisation", slug, b"-")?;
        let organisation = Organisation {
            id: new_id()?,
            slug: slug.to_owned(),
            name: checked_text("the name of an organisation", name)?.to_owned(),
            policy: OrganisationPolicy::default(),
        };
        let mut change = self.write().await?;
        sqlx::query("INSERT INTO organisations (id, slug, name, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&organisation.id)
            .bind(slug)
            .bind(&organisation.name)
            .bind(Time::now())
            .execute(&mut *change)
            .await
            .map_err(|error| Error::taken(error, || format!("there is already an organisation {slug}")))?;
        self.note_on(&mut change, by, "organisation.create", slug, Some(slug))
            .await?;
        change.commit().await?;
        Ok(organisation)
    }

    /// All organisations by slug.
    pub async fn organisations(&self) -> Result<Vec<Organisation>> {
        Ok(sqlx::query_as("SELECT * FROM organisations ORDER BY slug")
            .fetch_all(&self.pool)
            .await?)
    }

    /// The organisation of this slug.
    pub async fn organisation(&self, slug: &str) -> Result<Organisation> {
        sqlx::query_as("SELECT * FROM organisations WHERE slug = $1")
            .bind(slug)
            .fetch_optional(&self.pool)
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
        let done = sqlx::query(
            "UPDATE organisations SET refuse_user_tokens = $1, allowed_scopes = $2, max_lifetime_days = $3, \
             expiry_required = $4 WHERE slug = $5",
        )
        .bind(policy.refuse_user_tokens)
        .bind(policy.allowed_scopes.as_ref().map(ToString::to_string))
        .bind(policy.max_lifetime_days)
        .bind(policy.expiry_required)
        .bind(slug)
        .execute(&mut *change)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound("organisation"));
        }
        let detail = serde_json::to_string(policy).unwrap_or_default();
        let told = Change {
            by,
            action: "policy.set",
            subject: slug,
            organisation: Some(slug),
            detail: &detail,
        };
        self.note(&mut change, told).await?;
        change.commit().await?;
        Ok(())
    }

    /// Makes a user, active and a member of nothing.
    pub async fn add_user(&self, login: &str, email: &str, name: &str, by: &Actor) -> Result<User> {
        let login = checked_slug("a login", login, b"-._")?;
        let user = User {
            id: new_id()?,
            login: login.to_owned(),
            email: checked_email(email)?.to_owned(),
            name: checked_text("the name of a user", name)?.to_owned(),
            active: true,
        };
        let mut change = self.write().await?;
        sqlx::query("INSERT INTO users (id, login, email, name, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(&user.id)
            .bind(login)
            .bind(&user.email)
            .bind(&user.name)
            .bind(Time::now())
            .execute(&mut *change)
            .await
            .map_err(|error| Error::taken(error, || format!("there is already a user {login}")))?;
        self.note_on(&mut change, by, "user.create", login, None).await?;
        change.commit().await?;
        Ok(user)
    }

    /// All users by login.
    pub async fn users(&self) -> Result<Vec<User>> {
        Ok(
            sqlx::query_as("SELECT id, login, email, name, active FROM users ORDER BY login")
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// The user of this login.
    pub async fn user(&self, login: &str) -> Result<User> {
        sqlx::query_as("SELECT id, login, email, name, active FROM users WHERE login = $1")
            .bind(login)
            .fetch_optional(&self.pool)
            .await?
            .ok_or(Error::NotFound("user"))
    }

    /// Stops all tokens of a user at once, or lets those work again that were not revoked meanwhile.
    pub async fn set_user_active(&self, login: &str, active: bool, by: &Actor) -> Result<()> {
        let user = self.user(login).await?;
        let mut change = self.write().await?;
        sqlx::query("UPDATE users SET active = $1 WHERE id = $2")
            .bind(active)
            .bind(user.id)
            .execute(&mut *change)
            .await?;
        let action = if active {
            "user.activate"
        } else {
            "user.deactivate"
        };
        self.note_on(&mut change, by, action, login, None).await?;
        change.commit().await?;
        Ok(())
    }

    /// Makes a user a member of an organisation, or changes the role there.
    pub async fn set_member(&self, slug: &str, login: &str, role: Role, by: &Actor) -> Result<()> {
        let organisation = self.organisation(slug).await?;
        let user = self.user(login).await?;
        let mut change = self.write().await?;
        sqlx::query(
            "INSERT INTO memberships (organisation_id, user_id, role, since) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (organisation_id, user_id) DO UPDATE SET role = excluded.role, ended_at = NULL",
        )
        .bind(&organisation.id)
        .bind(&user.id)
        .bind(role)
        .bind(Time::now())
        .execute(&mut *change)
        .await?;
        let action = match role {
            Role::Owner => "member.set-owner",
            Role::Admin => "member.set-admin",
            Role::Member => "member.set-member",
        };
        self.note_on(&mut change, by, action, login, Some(slug)).await?;
        change.commit().await?;
        Ok(())
    }

    /// Ends a membership: the user's tokens reach the organisation no more.
    pub async fn end_membership(&self, slug: &str, login: &str, by: &Actor) -> Result<()> {
        let organisation = self.organisation(slug).await?;
        let user = self.user(login).await?;
        let mut change = self.write().await?;
        let done = sqlx::query(
            "UPDATE memberships SET ended_at = $1 \
             WHERE organisation_id = $2 AND user_id = $3 AND ended_at IS NULL",
        )
        .bind(Time::now())
        .bind(&organisation.id)
        .bind(&user.id)
        .execute(&mut *change)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound("member"));
        }
        self.note_on(&mut change, by, "member.remove", login, Some(slug))
            .await?;
        change.commit().await?;
        Ok(())
    }

    /// The members of an organisation by login, or those of one role.
    pub async fn members(&self, organisation: &Organisation, role: Option<Role>) -> Result<Vec<Member>> {
        let mut members: Vec<Member> = sqlx::query_as(
            "SELECT u.login, u.name, u.email, u.active, m.role FROM memberships m \
             JOIN users u ON u.id = m.user_id \
             WHERE m.organisation_id = $1 AND m.ended_at IS NULL ORDER BY u.login",
        )
        .bind(&organisation.id)
        .fetch_all(&self.pool)
        .await?;
        members.retain(|member| role.is_none_or(|role| member.role == role));
        Ok(members)
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
        sqlx::query(
            "INSERT INTO projects (id, organisation_id, slug, name, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&project.id)
        .bind(&project.organisation_id)
        .bind(slug)
        .bind(&project.name)
        .bind(Time::now())
        .execute(&mut *change)
        .await
        .map_err(|error| Error::taken(error, || format!("{organisation} already has a project {slug}")))?;
        self.note_on(&mut change, by, "project.create", slug, Some(organisation))
            .await?;
        change.commit().await?;
        Ok(project)
    }

    /// The project of this slug in an organisation.
    pub(super) async fn project(&self, organisation: &Organisation, slug: &str) -> Result<Project> {
        sqlx::query_as("SELECT * FROM projects WHERE organisation_id = $1 AND slug = $2")
            .bind(&organisation.id)
            .bind(slug)
            .fetch_optional(&self.pool)
            .await?
            .ok_or(Error::NotFound("project"))
    }

    async fn note_on(
        &self,
        change: &mut SqliteConnection,
        by: &Actor,
        action: &'static str,
        subject: &str,
        organisation: Option<&str>,
    ) -> Result<()> {
        let told = Change {
            by,
            action,
            subject,
            organisation,
            detail: "",
        };
        self.note(change, told).await
    }
}
