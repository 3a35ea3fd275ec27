//! `unleak token`: manages the embedded token service, directly on its store.
//!
//! A token is printed once, by `create`; no other output may hold one.

mod args;
mod show;

use std::io::{Read as _, Write};

use anyhow::{Context as _, bail};

pub use args::TokenArgs;

use crate::secret::Secret;
use crate::token_service::audit::Actor;
use crate::token_service::model::{Scopes, Time};
use crate::token_service::policy::Applicant;
use crate::token_service::{Error, Holder, NewToken, ServerKey, TokenService};
use args::{
    Action, CreateArgs, ListArgs, MemberAction, OrganisationAction, PolicyAction, PolicySetArgs,
    ProjectAction, RevokeArgs, UserAction,
};

/// Runs `unleak token`. `store` is the URL used where the arguments name none; `key` is the server key.
pub async fn run(args: TokenArgs, store: &str, key: &[u8], out: &mut dyn Write) -> anyhow::Result<()> {
    let url = args.store.as_deref().unwrap_or(store);
    let service = TokenService::open(url, ServerKey::new(key)?).await?;
    let by = Actor::local(&args.by);
    let done = act(&service, args.action, &by, out).await;
    // closing brings what is in the write-ahead log into the file
    service.close().await;
    done.map_err(hinted)
}

/// Adds where to look to "there is no such …", which on its own tells a caller over HTTP as little as it should.
fn hinted(error: anyhow::Error) -> anyhow::Error {
    let shows = match error.downcast_ref::<Error>() {
        Some(Error::NotFound("token")) => "`unleak token list` shows them",
        Some(Error::NotFound("organisation")) => "`unleak token organisation list` shows them",
        Some(Error::NotFound("user")) => "`unleak token user list` shows them",
        Some(Error::NotFound("member")) => "`unleak token member list ORGANISATION` shows them",
        Some(Error::NotFound("project")) => "`unleak token project create` makes one",
        _ => return error,
    };
    anyhow::anyhow!("{error}; {shows}")
}

async fn act(service: &TokenService, action: Action, by: &Actor, out: &mut dyn Write) -> anyhow::Result<()> {
    match action {
        Action::Create(args) => create(service, args, by, out).await,
        Action::List(args) => list(service, args, out).await,
        Action::Revoke(args) => revoke(service, args, by, out).await,
        Action::Review(args) => {
            let advice = service
                .review(args.organisation.as_deref(), args.unused_days)
                .await?;
            show::advice(out, &advice)
        }
        Action::Policy(PolicyAction::Show { organisation }) => {
            let policy = service.organisation(&organisation).await?.policy;
            Ok(writeln!(out, "{}", serde_json::to_string_pretty(&policy)?)?)
        }
        Action::Policy(PolicyAction::Set(args)) => set_policy(service, args, by, out).await,
        Action::Organisation(action) => organisation(service, action, by, out).await,
        Action::User(action) => user(service, action, by, out).await,
        Action::Member(action) => member(service, action, by, out).await,
        Action::Project(ProjectAction::Create {
            organisation,
            slug,
            name,
        }) => {
            service.add_project(&organisation, &slug, &name, by).await?;
            Ok(writeln!(out, "made project {organisation}/{slug}")?)
        }
        Action::Audit(args) if args.verify => match service.first_broken_audit_line().await? {
            None => Ok(writeln!(out, "the audit log is whole")?),
            Some(number) => bail!("the audit log was edited, or a line is missing, at line {number}"),
        },
        Action::Audit(_) => {
            let lines = service.audit_log().await?;
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            Ok(())
        }
    }
}

async fn create(
    service: &TokenService,
    args: CreateArgs,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let holder = match (args.user, args.project, args.organisation) {
        (Some(login), None, None) => Holder::User(login),
        (None, Some(path), None) => {
            let (organisation, project) = path
                .split_once('/')
                .with_context(|| format!("--project {path}: write it as ORGANISATION/PROJECT"))?;
            Holder::Project {
                organisation: organisation.to_owned(),
                project: project.to_owned(),
            }
        }
        (None, None, Some(organisation)) => Holder::Organisation {
            organisation,
            reason: args.reason.unwrap_or_default(),
        },
        _ => bail!("give one of --user, --project and --organisation"),
    };
    let asked = NewToken {
        holder,
        description: args.description,
        scopes: Scopes::new(args.scopes)?,
        expires_at: args.expires_in.as_deref().map(after).transpose()?,
    };
    let created = service.create(&asked, by).await?;
    out.write_all(created.token.expose())?;
    writeln!(out)?;
    tracing::info!(id = created.id, "made a token; it is shown this once");
    Ok(())
}

/// The moment after a span such as `90d` or `12h`.
fn after(span: &str) -> anyhow::Result<Time> {
    let wrong = || format!("--expires-in {span}: write it as 90d or 12h");
    let parsed: jiff::Span = span.parse().with_context(wrong)?;
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let end = now.checked_add(parsed).with_context(wrong)?;
    Ok(Time::from_seconds(end.timestamp().as_second()))
}

async fn list(service: &TokenService, args: ListArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if let Some(slug) = &args.organisation {
        let visitors = service.visitors(&service.organisation(slug).await?).await?;
        return show::visitors(out, &visitors);
    }
    let mut tokens = service.tokens().await?;
    if let Some(login) = args.user {
        service.user(&login).await?;
        tokens.retain(|token| token.login.as_ref() == Some(&login));
    }
    show::tokens(out, &tokens)
}

async fn revoke(
    service: &TokenService,
    args: RevokeArgs,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let id = if args.id == "-" {
        let mut text = zeroize::Zeroizing::new(Vec::new());
        std::io::stdin()
            .take(4096)
            .read_to_end(&mut text)
            .context("cannot read the token from stdin")?;
        service.id_of(&Secret::new(text.trim_ascii())).await?
    } else {
        args.id
    };
    let stopped = match &args.organisation {
        Some(slug) => service.block(slug, &id, &args.cause, by).await?,
        None => service.revoke(&id, &args.cause, by).await?,
    };
    show::stopped(out, &stopped, args.organisation.as_deref())
}

async fn set_policy(
    service: &TokenService,
    args: PolicySetArgs,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let organisation = service.organisation(&args.organisation).await?;
    let mut policy = organisation.policy.clone();
    policy.refuse_user_tokens = args.refuse_user_tokens.unwrap_or(policy.refuse_user_tokens);
    policy.expiry_required = args.expiry_required.unwrap_or(policy.expiry_required);
    if args.any_scope {
        policy.allowed_scopes = None;
    } else if let Some(scopes) = args.allowed_scopes {
        policy.allowed_scopes = Some(Scopes::new(scopes)?);
    }
    if args.any_lifetime {
        policy.max_lifetime_days = None;
    } else if args.max_lifetime_days.is_some() {
        policy.max_lifetime_days = args.max_lifetime_days;
    }
    if !args.dry_run {
        service.set_policy(&args.organisation, &policy, by).await?;
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&policy)?)?);
    }
    let now = Time::now();
    let mut stopping = 0_usize;
    for visitor in service.visitors(&organisation).await? {
        if visitor.state(now).0 != "live" {
            continue;
        }
        if let Some(why) = policy.refusal(Applicant::from(&visitor.token)) {
            stopping += 1;
            show::stopping(out, &visitor.token, &why)?;
        }
    }
    Ok(writeln!(
        out,
        "{stopping} living tokens would be turned away; nothing was changed"
    )?)
}

async fn organisation(
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
        OrganisationAction::List => {
            for organisation in service.organisations().await? {
                writeln!(out, "{}  {}", organisation.slug, organisation.name)?;
            }
        }
    }
    Ok(())
}

async fn user(
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
            service.set_user_active(&login, false, by).await?;
            writeln!(out, "deactivated {login}: no token of this user works any more")?;
        }
        UserAction::Activate { login } => {
            service.set_user_active(&login, true, by).await?;
            writeln!(
                out,
                "activated {login}: the tokens of this user that were not revoked work again"
            )?;
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

async fn member(
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
