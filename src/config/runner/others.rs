//! GitLab, Jenkins, Buildkite, Azure Pipelines, Bitbucket Pipelines: what they say in variables.

use super::{Change, Get, Span, System, branch, commit, some};

/// What runs, and for which commits. What a system does not tell makes the scan larger, never smaller.
pub(super) fn change(system: System, get: Get<'_>) -> Change {
    let told = match system {
        System::GitLab => gitlab(get),
        System::Jenkins => jenkins(get),
        System::Buildkite => buildkite(get),
        System::Azure => azure(get),
        System::Bitbucket => bitbucket(get),
        System::GitHub | System::Plain => None,
    };
    told.unwrap_or_else(|| Change::whole("everything"))
}

pub(super) fn is_fork(system: System, get: Get<'_>) -> bool {
    let differ = |one: &str, other: &str| {
        let one = some(get, one);
        one.is_some() && one != some(get, other)
    };
    match system {
        System::GitLab => differ(
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID",
            "CI_MERGE_REQUEST_PROJECT_ID",
        ),
        System::Jenkins => some(get, "CHANGE_FORK").is_some(),
        System::Buildkite => {
            let place = |name: &str| some(get, name).map(|url| place(&url));
            let head = place("BUILDKITE_PULL_REQUEST_REPO");
            head.is_some() && head != place("BUILDKITE_REPO")
        }
        System::Azure => {
            some(get, "SYSTEM_PULLREQUEST_ISFORK").is_some_and(|it| it.eq_ignore_ascii_case("true"))
        }
        // Bitbucket runs no pipeline of a fork in the repository itself.
        System::Bitbucket | System::GitHub | System::Plain => false,
    }
}

/// `owner/name` of a repository's address, however it is written.
fn place(url: &str) -> String {
    let path = url.trim_end_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit(['/', ':']);
    let (name, owner) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{owner}/{name}").to_lowercase()
}

/// A pull request against a branch of the remote.
fn against(what: String, target: String, head: String) -> Change {
    Change {
        what,
        refs: vec![format!("refs/heads/{target}")],
        span: Span::Between { base: target, head },
        unlike: None,
        has_commits: true,
    }
}

fn gitlab(get: Get<'_>) -> Option<Change> {
    let head = commit(some(get, "CI_COMMIT_SHA"))?;
    let source = some(get, "CI_PIPELINE_SOURCE")?;
    let on = some(get, "CI_COMMIT_REF_NAME").unwrap_or_default();
    if let Some(number) = some(get, "CI_MERGE_REQUEST_IID") {
        // In a pipeline for merged results the commit is GitLab's own merge.
        let head = commit(some(get, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")).unwrap_or(head);
        let target = branch(some(get, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"));
        let base = commit(some(get, "CI_MERGE_REQUEST_DIFF_BASE_SHA")).or_else(|| target.clone())?;
        let refs = target.map(|target| format!("refs/heads/{target}")).into_iter();
        return Some(Change {
            what: format!("merge request {number}"),
            span: Span::Between { base, head },
            unlike: None,
            refs: refs
                .chain([format!("refs/merge-requests/{number}/head")])
                .collect(),
            has_commits: true,
        });
    }
    if !matches!(source.as_str(), "push" | "external_pull_request_event") {
        return None;
    }
    let default = branch(some(get, "CI_DEFAULT_BRANCH"));
    let span = match commit(some(get, "CI_COMMIT_BEFORE_SHA")) {
        Some(base) => Span::Between { base, head },
        None => Span::New { head },
    };
    Some(Change {
        what: format!("push to {on}"),
        span,
        refs: default
            .iter()
            .map(|default| format!("refs/heads/{default}"))
            .collect(),
        unlike: default.filter(|default| *default != on),
        has_commits: false,
    })
}

fn jenkins(get: Get<'_>) -> Option<Change> {
    let head = commit(some(get, "GIT_COMMIT")).unwrap_or_else(|| "HEAD".to_owned());
    if let Some(number) = some(get, "CHANGE_ID") {
        let target = branch(some(get, "CHANGE_TARGET"))?;
        return Some(against(format!("change {number}"), target, head));
    }
    // Commits of builds that failed are looked at again, until one succeeds.
    let base = commit(some(get, "GIT_PREVIOUS_SUCCESSFUL_COMMIT"))?;
    Some(Change {
        what: format!("build of {}", some(get, "GIT_BRANCH").unwrap_or_default()),
        span: Span::Between { base, head },
        unlike: None,
        refs: Vec::new(),
        has_commits: false,
    })
}

fn buildkite(get: Get<'_>) -> Option<Change> {
    let head = commit(some(get, "BUILDKITE_COMMIT")).unwrap_or_else(|| "HEAD".to_owned());
    if let Some(number) = some(get, "BUILDKITE_PULL_REQUEST").filter(|number| number != "false") {
        let target = branch(some(get, "BUILDKITE_PULL_REQUEST_BASE_BRANCH"))?;
        return Some(against(format!("pull request {number}"), target, head));
    }
    let (on, default) = (
        some(get, "BUILDKITE_BRANCH")?,
        branch(some(get, "BUILDKITE_PIPELINE_DEFAULT_BRANCH"))?,
    );
    let pushed = some(get, "BUILDKITE_SOURCE").is_none_or(|source| source == "webhook");
    (pushed && on != default).then(|| Change {
        what: format!("push to {on}"),
        refs: vec![format!("refs/heads/{default}")],
        span: Span::New { head },
        unlike: Some(default),
        has_commits: false,
    })
}

fn azure(get: Get<'_>) -> Option<Change> {
    if some(get, "BUILD_REASON")? != "PullRequest" {
        return None;
    }
    let target = branch(some(get, "SYSTEM_PULLREQUEST_TARGETBRANCH"))?;
    let number = some(get, "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER")
        .or_else(|| some(get, "SYSTEM_PULLREQUEST_PULLREQUESTID"));
    let head = commit(some(get, "SYSTEM_PULLREQUEST_SOURCECOMMITID")).unwrap_or_else(|| "HEAD".to_owned());
    Some(against(
        format!("pull request {}", number.unwrap_or_default()),
        target,
        head,
    ))
}

fn bitbucket(get: Get<'_>) -> Option<Change> {
    let number = some(get, "BITBUCKET_PR_ID")?;
    let target = branch(some(get, "BITBUCKET_PR_DESTINATION_BRANCH"))?;
    let head = commit(some(get, "BITBUCKET_COMMIT")).unwrap_or_else(|| "HEAD".to_owned());
    Some(against(format!("pull request {number}"), target, head))
}
