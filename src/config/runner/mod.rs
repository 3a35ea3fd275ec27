//! What a CI system tells by its environment: what runs, for which change, and where results go.
//!
//! Only what the system itself sets is believed. An event that cannot be read is an error, never an empty one.

mod github;
mod others;

use std::path::PathBuf;

use anyhow::Result;

use super::environment::variable;
use crate::secret::Secret;

/// The CI systems that are known by their environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum System {
    GitHub,
    GitLab,
    Jenkins,
    Buildkite,
    Azure,
    Bitbucket,
    /// None of them: a shell.
    Plain,
}

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// The commits that `head` has and `base` has not.
    Between {
        /// A commit, or a branch of the remote.
        base: String,
        /// A commit.
        head: String,
    },
    /// A new branch: the commits that `head` has and [`Change::unlike`] has not.
    New {
        /// A commit.
        head: String,
    },
    /// Files and history.
    Whole,
    /// A ref was deleted.
    Nothing,
}

/// The change that CI runs for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// For people: `pull request 7`, `push to main`.
    pub what: String,
    /// What is to be looked at.
    pub span: Span,
    /// The remote's default branch, unless it is what was pushed: its commits are not new. Where git does not know it,
    /// all commits are looked at.
    pub unlike: Option<String>,
    /// Refs of the remote by which commits that are missing can be had.
    pub refs: Vec<String>,
    /// Whether a change without a commit is one that the system would not run.
    pub has_commits: bool,
}

impl Change {
    fn whole(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            span: Span::Whole,
            unlike: None,
            refs: Vec::new(),
            has_commits: true,
        }
    }
}

/// GitHub's files and API.
#[derive(Clone, Debug, Default)]
pub struct GitHub {
    /// File that takes the step's outputs.
    pub outputs: Option<PathBuf>,
    /// File that takes the step's summary.
    pub summary: Option<PathBuf>,
    /// Base of the REST API.
    pub api: String,
    /// `owner/name`.
    pub repository: String,
    /// The pull request's number.
    pub pull: Option<u64>,
    /// What the workflow may do with the API; never there in a fork's pull request.
    pub token: Option<Secret>,
}

/// The system that runs us.
#[derive(Clone, Debug)]
pub struct Runner {
    /// Which one.
    pub system: System,
    /// The change.
    pub change: Change,
    /// Whoever wrote the commits may not write to the repository: a fork.
    pub fork: bool,
    /// The event has rights that the commits must not get at (`pull_request_target`): they are read, never checked out.
    pub guarded: bool,
    /// For [`System::GitHub`].
    pub github: Option<GitHub>,
}

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable that is set and holds something.
fn some(get: Get<'_>, name: &str) -> Option<String> {
    get(name).filter(|value| !value.is_empty())
}

fn system(get: Get<'_>) -> System {
    let is = |name: &str, value: &str| get(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
    if is("GITHUB_ACTIONS", "true") {
        System::GitHub
    } else if is("GITLAB_CI", "true") {
        System::GitLab
    } else if is("BUILDKITE", "true") {
        System::Buildkite
    } else if is("TF_BUILD", "true") {
        System::Azure
    } else if some(get, "BITBUCKET_BUILD_NUMBER").is_some() {
        System::Bitbucket
    } else if some(get, "JENKINS_URL").is_some() {
        System::Jenkins
    } else {
        System::Plain
    }
}

impl Runner {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// A CI system whose event cannot be read.
    pub fn of_process() -> Result<Self> {
        Self::read(&|name| variable(name))
    }

    fn read(get: Get<'_>) -> Result<Self> {
        let system = system(get);
        if system == System::GitHub {
            return github::runner(get);
        }
        Ok(Self {
            system,
            change: others::change(system, get),
            fork: others::is_fork(system, get),
            guarded: false,
            github: None,
        })
    }
}

/// Whether a fork's change runs this process, by what the CI system says. What cannot be read may be a fork's.
pub(super) fn is_fork() -> bool {
    let get: Get<'_> = &|name| variable(name);
    match system(get) {
        // The event is read wherever it is named, also by a program that does not say that it is GitHub.
        System::GitHub | System::Plain => github::is_fork(get),
        system => others::is_fork(system, get),
    }
}

/// A commit that the system names; none if it is all zeros, as for "there was none".
fn commit(text: Option<String>) -> Option<String> {
    text.filter(|id| {
        matches!(id.len(), 40 | 64)
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !id.bytes().all(|byte| byte == b'0')
    })
}

/// A name that may be handed to git as a ref: it cannot be taken for an option or lead elsewhere.
fn branch(text: Option<String>) -> Option<String> {
    let text = text?;
    let name = text.strip_prefix("refs/heads/").unwrap_or(&text);
    git2::Reference::is_valid_name(&format!("refs/heads/{name}")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Runner, Span, System};

    fn read(variables: &[(&str, &str)]) -> Runner {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Runner::read(&get).unwrap()
    }

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn between(base: &str) -> Span {
        Span::Between {
            base: base.to_owned(),
            head: B.to_owned(),
        }
    }

    #[test]
    fn gitlab_tells_merge_requests_pushes_and_schedules_apart() {
        let merge = [
            ("GITLAB_CI", "true"),
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", A),
            ("CI_COMMIT_SHA", B),
            ("CI_COMMIT_BEFORE_SHA", ZERO),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "2"),
        ];
        let runner = read(&merge);
        assert_eq!((runner.system, runner.fork), (System::GitLab, true));
        assert_eq!(runner.change.span, between(A));
        let push = [
            ("GITLAB_CI", "true"),
            ("CI_PIPELINE_SOURCE", "push"),
            ("CI_COMMIT_SHA", B),
        ];
        let before = |id| {
            [
                push.as_slice(),
                &[("CI_COMMIT_BEFORE_SHA", id), ("CI_DEFAULT_BRANCH", "main")],
            ]
            .concat()
        };
        assert_eq!(read(&before(A)).change.span, between(A));
        let new = read(&before(ZERO)).change;
        assert_eq!(new.span, Span::New { head: B.to_owned() });
        assert_eq!(new.unlike.as_deref(), Some("main"));
        assert_eq!(
            read(&[("GITLAB_CI", "true"), ("CI_PIPELINE_SOURCE", "schedule")])
                .change
                .span,
            Span::Whole
        );
    }

    #[test]
    fn the_other_systems_name_their_pull_requests_and_forks() {
        let jenkins = [
            ("JENKINS_URL", "x"),
            ("CHANGE_ID", "3"),
            ("CHANGE_TARGET", "main"),
            ("GIT_COMMIT", B),
            ("CHANGE_FORK", "eve"),
        ];
        let buildkite = [
            ("BUILDKITE", "true"),
            ("BUILDKITE_PULL_REQUEST", "3"),
            ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main"),
            ("BUILDKITE_COMMIT", B),
            ("BUILDKITE_REPO", "git@example.com:acme/shop.git"),
            ("BUILDKITE_PULL_REQUEST_REPO", "git://example.com/eve/shop.git"),
        ];
        let azure = [
            ("TF_BUILD", "True"),
            ("BUILD_REASON", "PullRequest"),
            ("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/main"),
            ("SYSTEM_PULLREQUEST_SOURCECOMMITID", B),
            ("SYSTEM_PULLREQUEST_ISFORK", "True"),
        ];
        for (variables, system) in [
            (jenkins.as_slice(), System::Jenkins),
            (&buildkite, System::Buildkite),
            (&azure, System::Azure),
        ] {
            let runner = read(variables);
            assert_eq!((runner.system, runner.fork), (system, true));
            assert_eq!(runner.change.span, between("main"), "{system:?}");
        }
        let bitbucket = [
            ("BITBUCKET_BUILD_NUMBER", "1"),
            ("BITBUCKET_PR_ID", "3"),
            ("BITBUCKET_PR_DESTINATION_BRANCH", "main"),
            ("BITBUCKET_COMMIT", B),
        ];
        assert_eq!(read(&bitbucket).change.span, between("main"));
        assert_eq!(read(&[]).change.span, Span::Whole);
    }

    #[test]
    fn a_branch_that_would_be_an_option_or_no_ref_is_not_taken() {
        for wrong in ["-x --upload-pack=touch", "a..b", "a b", "", "a:b", "--"] {
            let made = super::branch(Some(wrong.to_owned()));
            assert!(made.is_none() || made.as_deref() == Some("--"), "{wrong}");
        }
        assert_eq!(
            super::branch(Some("refs/heads/a/b".to_owned())).as_deref(),
            Some("a/b")
        );
    }
}
