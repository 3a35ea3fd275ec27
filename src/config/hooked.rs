//! What git and the pre-commit framework tell a hook by its environment.

use super::environment::{variable, variables};

/// How a hook was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooked {
    /// The pre-commit framework calls it: it gives neither arguments nor standard input on.
    pub framework: bool,
    /// git has an index ready, for a commit that is being made.
    pub committing: bool,
    /// Commits that `git merge` is merging; `MERGE_HEAD` is written only after the hook.
    pub merging: Vec<String>,
    /// The remote that the framework's push goes to.
    pub remote: Option<String>,
    /// Where the framework's range begins; not told for a push that brings a root commit.
    pub from: Option<String>,
    /// Where it ends: what is pushed.
    pub to: Option<String>,
}

impl Hooked {
    /// Reads the process's environment.
    pub fn of_process() -> Self {
        let some = |name: &str| variable(name).filter(|value| !value.is_empty());
        let merging = variables().filter_map(|(name, _)| {
            let id = name.strip_prefix("GITHEAD_")?;
            id.bytes()
                .all(|byte| byte.is_ascii_hexdigit())
                .then(|| id.to_owned())
        });
        Self {
            framework: some("PRE_COMMIT").is_some(),
            committing: some("GIT_INDEX_FILE").is_some(),
            merging: merging.collect(),
            remote: some("PRE_COMMIT_REMOTE_NAME"),
            from: some("PRE_COMMIT_FROM_REF"),
            to: some("PRE_COMMIT_TO_REF").or_else(|| some("PRE_COMMIT_LOCAL_BRANCH")),
        }
    }
}
