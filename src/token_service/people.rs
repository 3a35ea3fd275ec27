//! Users and memberships, and how names are written.

use crate::database::sql;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::random_base62;
use crate::token_service::model::{Member, Organisation, Role, Time, User};
use crate::token_service::store::TokenService;

/// Key of a new row: 95 random bits, so that one cannot be guessed from another.
pub(super) fn new_id() -> Result<String> {
    Ok(String::from_utf8_lossy(&random_base62(16)?).into_owned())
}

/// Checks a name for URLs: lower-case letters, digits, and the given marks inside.
pub(super) fn checked_slug<'a>(what: &str, slug: &'a str, marks: &[u8]) -> Result<&'a str> {
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
        sql("INSERT INTO users (id, login, email, name, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(&user.id)
            .bind(login)
            .bind(&user.email)
            .bind(&user.name)
            .bind(Time::now())
            .run(&mut change)
            .await
            .map_err(|error| Error::from(error).taken(|| format!("there is already a user {login}")))?;
        self.note(&mut change, Change::plain(by, "user.create", login, None))
            .await?;
        change.commit().await?;
        Ok(user)
    }

    /// All users by login.
    pub async fn users(&self) -> Result<Vec<User>> {
        sql("SELECT id, login, email, name, active FROM users ORDER BY login")
            .all(&self.pool)
            .await
            .map_err(Into::into)
    }

    /// The user of this login.
    pub async fn user(&self, login: &str) -> Result<User> {
        sql("SELECT id, login, email, name, active FROM users WHERE login = $1")
            .bind(login)
            .optional(&self.pool)
            .await?
            .ok_or(Error::NotFound("user"))
    }

    /// The user of this key.
    pub(super) async fn user_of(&self, id: &str) -> Result<User> {
        sql("SELECT id, login, email, name, active FROM users WHERE id = $1")
            .bind(id)
            .optional(&self.pool)
            .await?
            .ok_or(Error::NotFound("user"))
    }

    /// Stops all tokens of a user at once, or lets those work again that were not revoked meanwhile; says whether that
    /// changed anything.
    pub async fn set_user_active(&self, login: &str, active: bool, by: &Actor) -> Result<bool> {
        let user = self.user(login).await?;
        let mut change = self.write().await?;
        let done = sql("UPDATE users SET active = $1 WHERE id = $2 AND active <> $1")
            .bind(active)
            .bind(user.id)
            .run(&mut change)
            .await?;
        if done == 0 {
            return Ok(false);
        }
        let action = if active {
            "user.activate"
        } else {
            "user.deactivate"
        };
        self.note(&mut change, Change::plain(by, action, login, None))
            .await?;
        change.commit().await?;
        Ok(true)
    }

    /// Makes a user a member of an organisation, or changes the role there.
    pub async fn set_member(&self, slug: &str, login: &str, role: Role, by: &Actor) -> Result<()> {
        let organisation = self.organisation(slug).await?;
        let user = self.user(login).await?;
        let mut change = self.write().await?;
        sql(
            "INSERT INTO memberships (organisation_id, user_id, role, since) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (organisation_id, user_id) DO UPDATE SET role = excluded.role, ended_at = NULL",
        )
        .bind(&organisation.id)
        .bind(&user.id)
        .bind(role.name())
        .bind(Time::now())
        .run(&mut change)
        .await?;
        let action = match role {
            Role::Owner => "member.set-owner",
            Role::Admin => "member.set-admin",
            Role::Member => "member.set-member",
        };
        self.note(&mut change, Change::plain(by, action, login, Some(slug)))
            .await?;
        change.commit().await?;
        Ok(())
    }

    /// Ends a membership: the user's tokens reach the organisation no more.
    pub async fn end_membership(&self, slug: &str, login: &str, by: &Actor) -> Result<()> {
        let organisation = self.organisation(slug).await?;
        let user = self.user(login).await?;
        let mut change = self.write().await?;
        let done = sql("UPDATE memberships SET ended_at = $1 \
             WHERE organisation_id = $2 AND user_id = $3 AND ended_at IS NULL")
        .bind(Time::now())
        .bind(&organisation.id)
        .bind(&user.id)
        .run(&mut change)
        .await?;
        if done == 0 {
            return Err(Error::NotFound("member"));
        }
        self.note(&mut change, Change::plain(by, "member.remove", login, Some(slug)))
            .await?;
        change.commit().await?;
        Ok(())
    }

    /// The members of an organisation by login, or those of one role.
    pub async fn members(&self, organisation: &Organisation, role: Option<Role>) -> Result<Vec<Member>> {
        let mut members: Vec<Member> = sql(
            "SELECT u.login, u.name, u.email, u.active, m.role FROM memberships m \
             JOIN users u ON u.id = m.user_id \
             WHERE m.organisation_id = $1 AND m.ended_at IS NULL ORDER BY u.login",
        )
        .bind(&organisation.id)
        .all(&self.pool)
        .await?;
        members.retain(|member| role.is_none_or(|role| member.role == role));
        Ok(members)
    }
}
