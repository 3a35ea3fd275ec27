//! `unleak token`: manages the embedded token service, directly on its store.
//!
//! A token is printed once, by `create`; no other output may hold one.

mod args;
mod audit;
mod people;
mod people_args;
mod policy;
mod show;

use std::io::{Read as _, Write};

use anyhow::{Context as _, bail};

pub use args::TokenArgs;

use crate::secret::Secret;
use crate::token_service::audit::Actor;
use crate::token_service::model::{Scopes, Time};
use crate::token_service::review;
use crate::token_service::{
    Error, Holder, Making, NewToken, Page, ReviewSettings, ServerKey, Settings, TokenService,
};
use args::{Action, CreateArgs, Format, KeyAction, ListArgs, ReviewArgs, RevokeArgs};

/// Runs `unleak token`. `store` is the URL used where the arguments name none; `key` is the current server key.
pub async fn run(
    args: TokenArgs,
    store: &str,
    key: &[u8],
    settings: &Settings,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let url = args.store.as_deref().unwrap_or(store);
    let keys = settings.keys(ServerKey::new(key)?)?;
    let given_up = match &args.action {
        Action::Key(KeyAction::Retire { id }) => Some(id.as_str()),
        _ => None,
    };
    let service = TokenService::open_without(url, keys, given_up)
        .await?
        .with_presets(settings.presets()?);
    let by = Actor::local(&args.by);
    let done = act(&service, args.action, &by, &settings.review, out).await;
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
        Some(Error::NotFound("key")) => "`unleak token key list` shows those that are in use",
        Some(Error::NotFound("service identity")) => "`unleak token identity list ORGANISATION` shows them",
        Some(Error::NotFound("member")) => "`unleak token member list ORGANISATION` shows them",
        Some(Error::NotFound("project")) => "`unleak token project create` makes one",
        _ => return error,
    };
    anyhow::anyhow!("{error}; {shows}")
}

async fn act(
    service: &TokenService,
    action: Action,
    by: &Actor,
    reviewing: &ReviewSettings,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match action {
        Action::Create(args) => create(service, args, by, out).await,
        Action::List(args) => list(service, args, out).await,
        Action::Revoke(args) => revoke(service, args, by, out).await,
        Action::Unblock(args) => {
            let stopped = service
                .unblock(&args.organisation, &args.id, &args.cause, by)
                .await?;
            show::stopped(out, &stopped, Some(&args.organisation))
        }
        Action::Ask(args) => {
            let stopped = service.ask(&args.organisation, &args.id, &args.cause, by).await?;
            show::stopped(out, &stopped, Some(&args.organisation))
        }
        Action::Review(args) => review(service, args, reviewing, out).await,
        Action::Policy(action) => policy::run(service, action, by, out).await,
        Action::Organisation(action) => people::organisation(service, action, by, out).await,
        Action::User(action) => people::user(service, action, by, out).await,
        Action::Member(action) => people::member(service, action, by, out).await,
        Action::Project(action) => people::project(service, action, by, out).await,
        Action::Identity(action) => people::identity(service, action, by, out).await,
        Action::Key(action) => key(service, action, by, out).await,
        Action::Presets => {
            for (name, preset) in service.presets().iter() {
                let days = preset
                    .expires_in_days
                    .map_or("never".into(), |days| format!("in {days} days"));
                let whose = if preset.application {
                    "applications"
                } else {
                    "people"
                };
                writeln!(
                    out,
                    "{name}  for {whose}; scopes {}; expires {days}",
                    preset.scopes
                )?;
            }
            Ok(())
        }
        Action::Audit(args) => audit::run(service, args, out).await,
    }
}

async fn key(
    service: &TokenService,
    action: KeyAction,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match action {
        KeyAction::List => {
            for key in service.known_keys().await? {
                let retired = key
                    .retired_at
                    .map_or(String::new(), |at| format!("; retired {at}"));
                let (id, living) = (&key.id, key.living_tokens);
                writeln!(
                    out,
                    "{id}  since {}; living tokens: {living}{retired}",
                    key.created_at
                )?;
            }
        }
        KeyAction::Retire { id } => {
            let revoked = service.retire_key(&id, by).await?;
            writeln!(out, "retired {id}; tokens revoked with it: {revoked}")?;
        }
    }
    Ok(())
}

async fn review(
    service: &TokenService,
    args: ReviewArgs,
    settings: &ReviewSettings,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let unused_days = args.unused_days.unwrap_or(settings.unused_days);
    let advice = service.review(args.organisation.as_deref(), unused_days).await?;
    match args.format {
        Format::Text => write!(out, "{}", review::text(&advice))?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&review::json(&advice))?)?,
        Format::Html => write!(out, "{}", review::html(&advice, Time::now()))?,
    }
    Ok(())
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
    let making = Making {
        preset: args.preset,
        identity: args.identity,
        access: args.access,
        idempotency_key: None,
    };
    let created = service.create_as(&asked, &making, by).await?;
    let token = created
        .shown
        .context("the token was made before and is shown once")?;
    out.write_all(token.expose())?;
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
        let visitors = service
            .visitors(&service.organisation(slug).await?, &Page::ALL)
            .await?;
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
