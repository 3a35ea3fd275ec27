//! `unleak demo`: the whole loop on this machine, with the embedded token service and a real git repository.
//!
//! Nothing leaves the machine, and no program but git is started.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use jiff::Timestamp;

use super::exit::Exit;
use super::{Context, output};
use crate::call::{CallSettings, Caller, ServiceSettings};
use crate::finding::Finding;
use crate::leak::{self, Leak, Verdict};
use crate::notify::{self, Notifier};
use crate::owner::OwnerSettings;
use crate::policy::Policy;
use crate::report::{self, Format, Learnt, Report};
use crate::respond::Responder;
use crate::rule::RuleSet;
use crate::scan::{Parts, Scan};
use crate::secret::{FingerprintKey, Secret};
use crate::server;
use crate::source::Limits;
use crate::store::{Store, StoreKey};
use crate::token_service::audit::Actor;
use crate::token_service::model::{Role, Scopes};
use crate::token_service::{Holder, NewToken, ServerKey, TokenService};
use crate::verify::Verifier;

/// Show the whole loop here: leak a token, find it in git's history, prove it alive, tell the owner, kill it
#[derive(Args, Debug)]
#[command(
    after_help = "It makes a folder of its own, which it names, and takes no network and no program but git."
)]
pub struct DemoArgs {
    /// Folder to work in; must not exist [default: a new one in the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// What the operator of the demo allows: this one service's tokens are revoked at once.
const POLICY: &str =
    "[[allow]]\nname = \"demo: revoke unleak tokens at once\"\naction = \"revoke\"\nservice = \"unleak\"\n";

/// Runs the demo.
pub async fn run(args: DemoArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let folder = folder(args.folder)?;
    writeln!(out, "unleak demo: everything happens in {}\n", folder.display())?;
    let service = TokenService::open(
        &format!("sqlite://{}", folder.join("tokens.sqlite").display()),
        key()?,
    )
    .await?;
    let (leaked, operator) = people(&service, out).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .context("cannot listen on loopback")?;
    let base = format!(
        "http://{}",
        listener.local_addr().context("the listener has no address")?
    );
    writeln!(out, "   the embedded token service listens on {base}\n")?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = server::router(service.clone());
    let served = tokio::spawn(server::serve(listener, router, async {
        let _ = stopped.await;
    }));

    let repository = folder.join("repository");
    commit_and_delete(&repository, &leaked, out)?;
    let (findings, report) = scan(&repository, context, out)?;
    let response = respond(&folder, &base, operator, &findings, &context.rules, out).await?;
    let sarif = folder.join("report.sarif");
    write_sarif(&sarif, report, &response)?;
    let _ = stop.send(());
    served.await.context("the server ended badly")??;
    service.close().await;

    writeln!(out, "   SARIF report: {}", sarif.display())?;
    let dead = response.verdict.as_ref().is_some_and(Verdict::is_dead);
    if !dead {
        bail!("the token is not dead; please report this, with the folder above");
    }
    writeln!(
        out,
        "\nThe leaked token is dead. Next: unleak scan . in a repository of yours"
    )?;
    Ok(Exit::Clean)
}

fn folder(wanted: Option<PathBuf>) -> Result<PathBuf> {
    match wanted {
        Some(folder) => {
            std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            Ok(std::fs::canonicalize(folder)?)
        }
        // Kept on purpose: the report and the notice in it are what the demo is run for.
        None => Ok(tempfile::Builder::new().prefix("unleak-demo-").tempdir()?.keep()),
    }
}

fn key() -> Result<ServerKey> {
    let random = FingerprintKey::random().context("the operating system gives no random bytes")?;
    ServerKey::new(random.expose())
}

/// An organisation with an owner and a member; the member's token (to be leaked) and the owner's (to act with).
async fn people(service: &TokenService, out: &mut dyn Write) -> Result<(Secret, Secret)> {
    let by = Actor::local("demo");
    service.add_organisation("acme", "Acme", &by).await?;
    service
        .add_user("olivia", "olivia@acme.example", "Olivia Owner", &by)
        .await?;
    service
        .add_user("mike", "mike@acme.example", "Mike Member", &by)
        .await?;
    service.set_member("acme", "olivia", Role::Owner, &by).await?;
    service.set_member("acme", "mike", Role::Member, &by).await?;
    let token = async |login: &str, what: &str, scopes: &[&str]| -> Result<Secret> {
        let asked = NewToken {
            holder: Holder::User(login.to_owned()),
            description: what.to_owned(),
            scopes: Scopes::new(scopes)?,
            expires_at: None,
        };
        Ok(service.create(&asked, &by).await?.token)
    };
    let leaked = token("mike", "deploy script", &["events:write", "members:read"]).await?;
    let operator = token(
        "olivia",
        "unleak",
        &["members:read", "tokens:read", "tokens:revoke"],
    )
    .await?;
    writeln!(
        out,
        "1. Organisation acme: olivia owns it, mike is a member with a token, {}",
        leaked.redacted("unlu_")
    )?;
    Ok((leaked, operator))
}

fn commit_and_delete(repository: &Path, token: &Secret, out: &mut dyn Write) -> Result<()> {
    std::fs::create_dir(repository)?;
    git(repository, &["init", "--quiet", "--initial-branch=main"])?;
    let token = token.expose_str().context("a token is text")?;
    let settings = format!("# deploy settings\nservice = \"acme\"\ntoken = \"{token}\"\n");
    std::fs::write(repository.join("deploy.toml"), settings)?;
    git(repository, &["add", "--all"])?;
    git(repository, &["commit", "--quiet", "-m", "add deploy settings"])?;
    std::fs::remove_file(repository.join("deploy.toml"))?;
    std::fs::write(repository.join("README.md"), "Acme\n")?;
    git(repository, &["add", "--all"])?;
    git(repository, &["commit", "--quiet", "-m", "remove deploy settings"])?;
    writeln!(
        out,
        "2. Mike committed it to a git repository, and deleted it in a later commit\n"
    )?;
    Ok(())
}

/// git with an identity of its own, and without the user's configuration and hooks.
fn git(folder: &Path, args: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    for name in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{name}_NAME"), "Mike Member")
            .env(format!("GIT_{name}_EMAIL"), "mike@acme.example");
    }
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_TEMPLATE_DIR",
    ] {
        command.env_remove(name);
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command
        .current_dir(folder)
        .args(args)
        .output()
        .context("cannot run git; is it installed?")?;
    if !output.status.success() {
        bail!(
            "git {} failed: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn scan(repository: &Path, context: &Context, out: &mut dyn Write) -> Result<(Vec<Finding>, Report)> {
    let started = Timestamp::now();
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limits = Limits {
        jobs,
        largest: 1 << 28,
        ignored_too: false,
    };
    let mut scan = Scan::new(&context.rules, context.config.fingerprint_key()?, limits);
    let tally = scan.tally();
    scan.target(repository, Path::new(""), Parts::FilesAndHistory);
    let findings = scan.finish();
    writeln!(out, "3. unleak scan:")?;
    for finding in &findings {
        let at = &finding.location;
        let commit = at
            .origin
            .commit()
            .map_or("", |commit| commit.id.get(..12).unwrap_or_default());
        writeln!(
            out,
            "   {} {} in {}:{}:{} of commit {commit}",
            finding.rule, finding.redacted, at.path, at.line, at.column
        )?;
    }
    let report = Report {
        findings: findings.clone(),
        rules: context.rules.cards(&findings),
        refused: None,
        marks: None,
        coverage: tally.coverage(),
        learnt: BTreeMap::new(),
        repository: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        ended: Timestamp::now(),
    };
    Ok((findings, report))
}

async fn respond(
    folder: &Path,
    base: &str,
    operator: Secret,
    findings: &[Finding],
    rules: &RuleSet,
    out: &mut dyn Write,
) -> Result<Leak> {
    let held = leak::gather(findings, Timestamp::now())
        .into_iter()
        .find(|held| held.leak.rule.service() == "unleak")
        .context("the scan did not find the token; please report this")?;
    let unleak = ServiceSettings {
        bases: vec![base.to_owned()],
        credential: Some(operator),
        ..ServiceSettings::default()
    };
    let services = BTreeMap::from([("unleak".to_owned(), unleak)]);
    let caller = Caller::new(CallSettings {
        services,
        ..CallSettings::default()
    })?;
    let outbox = folder.join("outbox");
    let settings = notify::Settings {
        outbox: Some(outbox.clone()),
        ..notify::Settings::default()
    };
    let url = format!("sqlite://{}", folder.join("leaks.sqlite").display());
    let responder = Responder {
        verifier: Verifier::new(caller.clone()),
        caller,
        store: Store::open(&url, &StoreKey::random()?).await?,
        notifier: Notifier::new(&settings)?,
        policy: toml::from_str::<Policy>(POLICY).context("the demo's policy")?,
        owners: OwnerSettings::default(),
        root: Some(folder.join("repository")),
    };
    let response = responder.respond(held, rules).await?;
    writeln!(
        out,
        "\n4. unleak verified it, found the owners, told them, revoked it and asked again:"
    )?;
    response
        .steps
        .iter()
        .try_for_each(|step| writeln!(out, "   {step}"))?;
    show_notice(&outbox, out)?;
    responder.store.shut().await;
    Ok(response.leak)
}

/// The first notice to the organisation's owner, as she gets it.
fn show_notice(outbox: &Path, out: &mut dyn Write) -> Result<()> {
    let mut notices: Vec<PathBuf> = std::fs::read_dir(outbox)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    notices.sort();
    for notice in notices {
        let text = std::fs::read_to_string(&notice)?;
        if text.contains("olivia@acme.example") {
            writeln!(
                out,
                "\n5. What olivia, who owns the organisation, was told ({}):\n",
                notice.display()
            )?;
            text.lines().try_for_each(|line| writeln!(out, "   | {line}"))?;
            writeln!(out)?;
            return Ok(());
        }
    }
    bail!("no notice to the organisation's owner was written; please report this")
}

fn write_sarif(path: &Path, mut report: Report, leak: &Leak) -> Result<()> {
    let learnt = Learnt {
        verdict: leak.verdict.clone(),
        identity: leak.identity.clone(),
        owners: leak.owners.clone(),
    };
    report.learnt.insert(leak.fingerprint, learnt);
    let options = report::Options {
        color: false,
        show_secrets: false,
    };
    output::write_file(path, |file| report::write(&report, Format::Sarif, &options, file))
}
