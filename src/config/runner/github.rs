//! GitHub Actions: the event that its payload describes.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Change, Get, GitHub, Runner, Span, System, branch, commit, some};
use crate::secret::Secret;

/// Largest payload that is read, in bytes; GitHub caps webhooks at 25 MB.
const LARGEST: u64 = 32 << 20;

pub(super) fn runner(get: Get<'_>) -> Result<Runner> {
    let name = some(get, "GITHUB_EVENT_NAME").context("GITHUB_EVENT_NAME is not set")?;
    let event = payload(get)?;
    let pull = event.pointer("/pull_request/number").and_then(Value::as_u64);
    let guarded = name == "pull_request_target";
    let fork = from_fork(&name, &event);
    let token = || some(get, "GITHUB_TOKEN").map(|token| Secret::new(token.into_bytes()));
    Ok(Runner {
        system: System::GitHub,
        change: change(&name, &event, get)?,
        fork,
        guarded,
        github: Some(GitHub {
            outputs: some(get, "GITHUB_OUTPUT").map(PathBuf::from),
            summary: some(get, "GITHUB_STEP_SUMMARY").map(PathBuf::from),
            api: some(get, "GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()),
            repository: some(get, "GITHUB_REPOSITORY").unwrap_or_default(),
            pull,
            // A fork's pull request has none that may write; with pull_request_target it is the repository's own.
            token: if fork && !guarded { None } else { token() },
        }),
    })
}

fn payload(get: Get<'_>) -> Result<Value> {
    let path = some(get, "GITHUB_EVENT_PATH").context("GITHUB_EVENT_PATH is not set")?;
    let size = std::fs::metadata(&path).with_context(|| format!("cannot read the event {path}"))?;
    if size.len() > LARGEST {
        bail!(
            "the event {path} has {} bytes; at most {LARGEST} are read",
            size.len()
        );
    }
    let text = std::fs::read(&path).with_context(|| format!("cannot read the event {path}"))?;
    serde_json::from_slice(&text).with_context(|| format!("the event {path} is no JSON"))
}

/// Whether GitHub's event says that the pull request's head is another repository than its base.
pub(super) fn is_fork(get: Get<'_>) -> bool {
    let name = some(get, "GITHUB_EVENT_NAME").unwrap_or_default();
    from_fork(&name, &payload(get).unwrap_or_default())
}

fn from_fork(name: &str, event: &Value) -> bool {
    if !name.starts_with("pull_request") {
        return false;
    }
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    // An event that cannot be read could be anything, a fork's too.
    let base = text("/repository/full_name");
    base.is_none() || text("/pull_request/head/repo/full_name") != base
}

fn change(name: &str, event: &Value, get: Get<'_>) -> Result<Change> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let id = |pointer: &str| {
        commit(text(pointer)).with_context(|| format!("the event {name} names no commit at {pointer}"))
    };
    match name {
        "pull_request" | "pull_request_target" | "pull_request_review" => {
            let number = event.pointer("/pull_request/number").and_then(Value::as_u64);
            let number = number.with_context(|| format!("the event {name} has no /pull_request/number"))?;
            let base = branch(text("/pull_request/base/ref"));
            let refs = base.map(|base| format!("refs/heads/{base}")).into_iter();
            Ok(Change {
                what: format!("pull request {number}"),
                span: Span::Between {
                    base: id("/pull_request/base/sha")?,
                    head: id("/pull_request/head/sha")?,
                },
                unlike: None,
                refs: refs.chain([format!("refs/pull/{number}/head")]).collect(),
                has_commits: true,
            })
        }
        "merge_group" => Ok(Change {
            what: "merge group".to_owned(),
            span: Span::Between {
                base: id("/merge_group/base_sha")?,
                head: id("/merge_group/head_sha")?,
            },
            unlike: None,
            refs: Vec::new(),
            has_commits: true,
        }),
        "push" => pushed(event),
        other => {
            let of = some(get, "GITHUB_REF_NAME").map(|of| format!(" of {of}"));
            Ok(Change::whole(format!("{other}{}", of.unwrap_or_default())))
        }
    }
}

fn pushed(event: &Value) -> Result<Change> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let pushed = text("/ref").context("the event push has no /ref")?;
    let own = branch(pushed.strip_prefix("refs/heads/").map(str::to_owned));
    let what = format!("push to {}", own.as_deref().unwrap_or(&pushed));
    let after = commit(text("/after")).filter(|_| event.pointer("/deleted") != Some(&Value::Bool(true)));
    let Some(head) = after else {
        anyhow::ensure!(
            text("/after").is_some(),
            "the event push names no commit at /after"
        );
        return Ok(Change {
            what,
            span: Span::Nothing,
            unlike: None,
            refs: Vec::new(),
            has_commits: false,
        });
    };
    let span = match commit(text("/before")) {
        Some(base) => Span::Between { base, head },
        // Other new branches may have the same commits, and each would leave them to the other.
        None => Span::New { head },
    };
    let default = branch(text("/repository/default_branch"));
    let refs = default.iter().map(|default| format!("refs/heads/{default}"));
    Ok(Change {
        what,
        span,
        refs: refs.chain([pushed]).collect(),
        unlike: default.clone().filter(|default| own.as_ref() != Some(default)),
        has_commits: false,
    })
}
