//! Organisations, users, members, projects and service identities at the command line.

use std::io::Write;

use super::people_args::{IdentityAction, MemberAction, OrganisationAction, ProjectAction, UserAction};
use crate::token_service::TokenService;
use crate::token_service::audit::Actor;

pub(super) async fn organisation(
    service: &TokenService,
    action: OrganisationAction,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match action {
        OrganisationAction::Create { slug, name } => {
            service.add_organisation(&slug, &name, by).await?;
            writeln!(out, "made organisation {slug}")?;
        }
        OrganisationAction::Delete { slug, cause } => {
            if service.end_organisation(&slug, &cause, by).await? {
                writeln!(
                    out,
                    "deleted {slug}: its tokens have stopped, and everything is kept"
                )?;
            } else {
                writeln!(out, "{slug} was deleted already; nothing was changed")?;
            }
        }
        OrganisationAction::Restore { slug } => {
            if service.restore_organisation(&slug, by).await? {
                writeln!(
                    out,
                    "restored {slug}: its tokens that were not revoked work again"
                )?;
            } else {
                writeln!(out, "{slug} is not deleted; nothing was changed")?;
            }
        }
        OrganisationAction::List => {
            for organisation in service.organisations().await? {
                let ended = organisation
                    .ended_at
                    .map_or(String::new(), |at| format!("  deleted {at}"));
                writeln!(out, "{}  {}{ended}", organisation.slug, organisation.name)?;
            }
        }
    }
    Ok(())
}

pub(super) async fn user(
    service: &TokenService,
    action: UserAction,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match action {
        UserAction::Create { login, email, name } => {
            service.add_user(&login, &email, &name, by).await?;
            writeln!(out, "made user {login}")?;
        }
        UserAction::Deactivate { login } => {
            let done = service.set_user_active(&login, false, by).await?;
            turned(
                out,
                done,
                &login,
                "deactivated",
                "no token of this user works any more",
            )?;
        }
        UserAction::Activate { login } => {
            let done = service.set_user_active(&login, true, by).await?;
            let told = "the tokens of this user that were not revoked work again";
            turned(out, done, &login, "activated", told)?;
        }
        UserAction::List => {
            for user in service.users().await? {
                let state = if user.active { "active" } else { "deactivated" };
                writeln!(out, "{}  {}  {}  {state}", user.login, user.email, user.name)?;
            }
        }
    }
    Ok(())
}

/// Says what became of a user or a service identity.
fn turned(out: &mut dyn Write, done: bool, name: &str, state: &str, told: &str) -> anyhow::Result<()> {
    if done {
        writeln!(out, "{state} {name}: {told}")?;
    } else {
        writeln!(out, "{name} was {state} already; nothing was changed")?;
    }
    Ok(())
}

pub(super) async fn member(
    service: &TokenService,
    action: MemberAction,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match action {
        MemberAction::Add {
            organisation,
            login,
            role,
        } => {
            service.set_member(&organisation, &login, role, by).await?;
            writeln!(out, "{login} is {} of {organisation}", role.name())?;
        }
        MemberAction::Remove { organisation, login } => {
            service.end_membership(&organisation, &login, by).await?;
            writeln!(
                out,
                "{login} is no member of {organisation} any more; tokens of this user reach it no more"
            )?;
        }
        MemberAction::List { organisation } => {
            let organisation = service.organisation(&organisation).await?;
            for member in service.members(&organisation, None).await? {
                let role = member.role.name();
                writeln!(out, "{}  {role}  {}  {}", member.login, member.email, member.name)?;
            }
        }
    }
    Ok(())
}

pub(super) async fn project(
    service: &TokenService,
    action: ProjectAction,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match action {
        ProjectAction::Create {
            organisation,
            slug,
            name,
        } => {
            service.add_project(&organisation, &slug, &name, by).await?;
            writeln!(out, "made project {organisation}/{slug}")?;
        }
        ProjectAction::List { organisation } => {
            let organisation = service.organisation(&organisation).await?;
            for project in service.projects(&organisation).await? {
                let administrators = service.administrators(&project).await?;
                let logins: Vec<&str> = administrators
                    .iter()
                    .map(|member| member.login.as_str())
                    .collect();
                let who = if logins.is_empty() {
                    "nobody".into()
                } else {
                    logins.join(", ")
                };
                writeln!(out, "{}  {}; administered by {who}", project.slug, project.name)?;
            }
        }
        ProjectAction::AddAdministrator {
            organisation,
            project,
            login,
        } => {
            service
                .add_administrator(&organisation, &project, &login, by)
                .await?;
            writeln!(out, "{login} administers {organisation}/{project}")?;
        }
        ProjectAction::RemoveAdministrator {
            organisation,
            project,
            login,
        } => {
            service
                .end_administrator(&organisation, &project, &login, by)
                .await?;
            writeln!(out, "{login} administers {organisation}/{project} no more")?;
        }
    }
    Ok(())
}

pub(super) async fn identity(
    service: &TokenService,
    action: IdentityAction,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match action {
        IdentityAction::Create {
            organisation,
            slug,
            name,
            project,
        } => {
            service
                .add_identity(&organisation, project.as_deref(), &slug, &name, by)
                .await?;
            writeln!(out, "made service identity {slug} of {organisation}")?;
        }
        IdentityAction::Deactivate { organisation, slug } => {
            let done = service
                .set_identity_active(&organisation, &slug, false, by)
                .await?;
            let told = "no token of this service identity works any more";
            turned(out, done, &slug, "deactivated", told)?;
        }
        IdentityAction::Activate { organisation, slug } => {
            let done = service
                .set_identity_active(&organisation, &slug, true, by)
                .await?;
            let told = "its tokens that were not revoked work again";
            turned(out, done, &slug, "activated", told)?;
        }
        IdentityAction::List { organisation } => {
            let organisation = service.organisation(&organisation).await?;
            for identity in service.identities(&organisation).await? {
                let state = if identity.active { "active" } else { "deactivated" };
                let of = identity.project.as_deref().unwrap_or("the whole organisation");
                writeln!(out, "{}  {}; of {of}; {state}", identity.slug, identity.name)?;
            }
        }
    }
    Ok(())
}
