//! Opens git repositories and reads single objects, through `git2`.
//!
//! git's environment (`GIT_DIR`, `GIT_INDEX_FILE`, quarantined object folders) is honoured where a hook sets it.
//! Nothing here runs a program or a filter that a repository names.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags};
use jiff::Timestamp;

use crate::finding::CommitInfo;

/// The repository whose root is `path` (its working tree, or itself if bare), or nothing if there is none.
///
/// # Errors
/// A repository that is there but cannot be opened, such as one that belongs to somebody else.
pub fn at(path: &Path) -> Result<Option<Repository>> {
    match Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, std::iter::empty::<&Path>()) {
        Ok(repository) => Ok(Some(repository)),
        Err(error) if error.code() == ErrorCode::NotFound => match path.join(".git").symlink_metadata() {
            // A submodule or linked worktree whose repository is gone, or a broken one: its history is a gap.
            Ok(_) => bail!(
                "{0}/.git leads to no repository ({1}); see `git -C {0} status`",
                path.display(),
                error.message()
            ),
            Err(_) => Ok(None),
        },
        Err(error) => Err(explained(&error, path)),
    }
}

/// The repository that `path` stands in, by the rules of git's hooks: the environment first, then upwards.
///
/// # Errors
/// No repository, or one that cannot be opened.
pub fn around(path: &Path) -> Result<Repository> {
    let open = if path == Path::new(".") {
        Repository::open_from_env()
    } else {
        Repository::discover(path)
    };
    open.map_err(|error| explained(&error, path))
}

fn explained(error: &git2::Error, path: &Path) -> anyhow::Error {
    // git takes no relative path for a safe folder.
    let whole = std::fs::canonicalize(path);
    let shown = whole.as_deref().unwrap_or(path).display();
    match error.code() {
        ErrorCode::NotFound => anyhow!("{shown} is not in a git repository"),
        ErrorCode::Owner => anyhow!(
            "the repository at {shown} belongs to another user; if you trust it: \
             git config --global --add safe.directory {shown}"
        ),
        _ => anyhow!("cannot open the repository at {shown}: {}", error.message()),
    }
}

/// Where the repository comes from (the URL of `origin`, else of its only remote) and the commit that is checked out;
/// nothing without a remote.
pub fn provenance(repository: &Repository) -> Option<(String, String)> {
    let remote = repository.find_remote("origin").ok().or_else(|| {
        let names = repository.remotes().ok()?;
        let only = names
            .iter()
            .flatten()
            .flatten()
            .next()
            .filter(|_| names.len() == 1)?;
        repository.find_remote(only).ok()
    })?;
    let url = String::from_utf8_lossy(remote.url_bytes()).into_owned();
    let head = repository
        .head()
        .ok()
        .and_then(|head| head.target())
        .map(|id| id.to_string());
    Some((url, head.unwrap_or_default()))
}

/// What is said of a commit.
pub fn commit_info(commit: &git2::Commit<'_>) -> CommitInfo {
    let author = commit.author();
    CommitInfo {
        id: commit.id().to_string(),
        author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
        date: Timestamp::from_second(author.when().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// Resolves a revision as git would (`main`, `HEAD~3`, an id) to its commit.
///
/// # Errors
/// A name that this repository does not know.
pub fn commit<'r>(repository: &'r Repository, revision: &str) -> Result<git2::Commit<'r>> {
    repository
        .revparse_single(revision)
        .and_then(|object| object.peel_to_commit())
        .with_context(|| format!("unknown revision {revision:?}"))
}

/// Why an object was not read.
pub(super) enum Unread {
    /// Larger than the limit.
    Large(u64),
    /// Not there, or damaged.
    Lost(String),
    /// It is not a blob.
    Other,
}

impl Unread {
    /// In words.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Large(size) => format!("has {size} bytes; raise --max-size or --max-memory"),
            Self::Lost(message) => format!("cannot be read: {message}; see git fsck"),
            Self::Other => "is not a blob".to_owned(),
        }
    }
}

/// The content of a blob of at most `largest` bytes.
pub(super) fn blob<'o>(odb: &'o git2::Odb<'_>, id: Oid, largest: u64) -> Result<git2::OdbObject<'o>, Unread> {
    let lost = |error: git2::Error| Unread::Lost(error.message().to_owned());
    let (size, kind) = odb.read_header(id).map_err(lost)?;
    if kind != ObjectType::Blob {
        return Err(Unread::Other);
    }
    if size as u64 > largest {
        return Err(Unread::Large(size as u64));
    }
    odb.read(id).map_err(lost)
}
