//! Where the scanned repository stands on the web, and one line of one of its files.
//!
//! Nothing is asked: the address is derived from the repository's own, without anything that may be a credential.

use url::Url;

use super::Report;
use super::redact::Redactor;
use crate::finding::{Finding, Origin, ScanPath};

/// An absolute URI of the repository without anything that may be a credential; `None` for a path on this machine.
pub(super) fn repository_uri(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(Url::has_host);
    let mut url = url.or_else(|| {
        let (host, path) = text.split_once(':')?;
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let host = Some(host).filter(|host| host.contains('.') && !host.contains('/'))?;
        Url::parse(&format!("ssh://{host}/{}", path.trim_start_matches('/'))).ok()
    })?;
    url.set_query(None);
    url.set_fragment(None);
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return None;
    }
    Some(url.to_string())
}

/// The URI in its normal form, if it is an absolute one of the web.
pub(super) fn absolute(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// The pages of one repository, on a host whose addresses are known.
pub(super) struct Pages {
    base: String,
    /// What stands between the repository's address and a commit.
    file: &'static str,
    commit: &'static str,
    line: &'static str,
    /// What is checked out.
    revision: String,
}

impl Pages {
    /// The pages of the report's repository; none for a host whose addresses nobody knows.
    pub(super) fn of(report: &Report) -> Option<Self> {
        let (repository, revision) = report.repository.as_ref()?;
        let url = Url::parse(&repository_uri(repository)?).ok()?;
        let host = url.host_str()?;
        let named = |name: &str| host.split('.').any(|part| part == name);
        let (file, commit, line) = if named("github") {
            ("blob", "commit", "#L")
        } else if named("gitlab") {
            ("-/blob", "-/commit", "#L")
        } else if host == "bitbucket.org" {
            ("src", "commits", "#lines-")
        } else if named("gitea") || named("forgejo") || named("codeberg") {
            ("src/commit", "commit", "#L")
        } else {
            return None;
        };
        let path = url.path().trim_matches('/').trim_end_matches(".git");
        let port = match (url.scheme(), url.port()) {
            ("http" | "https", Some(port)) => format!(":{port}"),
            _ => String::new(),
        };
        let scheme = if url.scheme() == "http" { "http" } else { "https" };
        Some(Self {
            base: format!("{scheme}://{host}{port}/{path}"),
            file,
            commit,
            line,
            revision: revision.clone(),
        })
    }

    /// The line of the file in the commit that brought it in, or in the one that is checked out. None where the path
    /// holds a secret, and where no commit holds the file.
    pub(super) fn line(&self, finding: &Finding, redactor: &Redactor) -> Option<String> {
        let at = &finding.location;
        let commit = match &at.origin {
            Origin::Commit(commit) => commit.id.as_str(),
            Origin::Worktree if !self.revision.is_empty() => self.revision.as_str(),
            _ => return None,
        };
        let path = at.path.as_bytes();
        let path = path.strip_prefix(b"./").unwrap_or(path);
        if path.starts_with(b"/") || redactor.bytes(path) != path {
            return None;
        }
        let path = ScanPath::new(path).to_uri();
        let Self { base, file, line, .. } = self;
        Some(format!("{base}/{file}/{commit}/{path}{line}{}", at.line))
    }

    /// The repository's own page.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The page of a commit.
    pub(super) fn commit(&self, id: &str) -> String {
        format!("{}/{}/{id}", self.base, self.commit)
    }
}

#[cfg(test)]
mod tests {
    use super::repository_uri;

    #[test]
    fn an_address_in_gits_own_form_is_read_and_a_path_is_none() {
        let read = repository_uri("git@github.com:o/r.git");
        assert_eq!(read.as_deref(), Some("ssh://github.com/o/r.git"));
        assert_eq!(repository_uri("/srv/git/r.git"), None);
    }
}
