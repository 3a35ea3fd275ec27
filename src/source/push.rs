//! What a push brings: the refs that git names to its pre-push and pre-receive hooks on their standard input.
//!
//! Every ref is looked at, new ones and tags too; a deleted one brings nothing. Before it leaves, known is what the
//! remote's refs had when they were last heard of; where it arrives, known is what the repository's refs have. An id of
//! nothing but zeros means "none", in repositories of either kind of id.

use anyhow::{Context, Result, bail};
use git2::{Direction, Oid, Repository};

use super::range::Commits;

/// One ref that is pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The ref's name on the receiving side.
    pub reference: String,
    /// What it named there before; none if it is new.
    pub old: Option<String>,
    /// What it is to name; none if it is deleted.
    pub new: Option<String>,
}

/// A push, as a hook is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// Its refs.
    pub updates: Vec<Update>,
    /// Whether it is arriving (pre-receive), not leaving (pre-push).
    pub arriving: bool,
}

impl Push {
    /// Reads the lines that git writes: `LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID` to pre-push, `OLD-ID NEW-ID REF` to
    /// pre-receive. Nothing at all is a push without refs.
    ///
    /// # Errors
    /// A line of another form, or lines of both.
    pub fn parse(text: &str) -> Result<Self> {
        let mut push = Self::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let (update, arriving) = update(line).with_context(|| {
                format!(
                    "line {} is none that git gives to a pre-push or pre-receive hook",
                    number + 1
                )
            })?;
            if !push.updates.is_empty() && push.arriving != arriving {
                bail!("line {} is of another form than those before it", number + 1);
            }
            push.arriving = arriving;
            push.updates.push(update);
        }
        Ok(push)
    }

    /// The commits that it brings. `remote` is where it goes: what that remote's refs have is known.
    ///
    /// # Errors
    /// A pushed object that is not here, or refs that cannot be read.
    pub fn commits(&self, repository: &Repository, remote: &str) -> Result<Commits> {
        let mut commits = Commits::default();
        for update in &self.updates {
            let Some(new) = &update.new else { continue };
            let name = &update.reference;
            let object = Oid::from_str(new)
                .and_then(|id| repository.find_object(id, None))
                .with_context(|| format!("{new}, which is pushed to {name}, is not in this repository"))?;
            match object.peel_to_commit() {
                Ok(commit) => commits.tips.push(commit.id()),
                Err(_) => {
                    let peeled = object.peel_to_tree().map(|tree| tree.id());
                    let peeled = peeled.or_else(|_| object.peel_to_blob().map(|blob| blob.id()));
                    let id = peeled.with_context(|| format!("what is pushed to {name} cannot be read"))?;
                    commits.whole.push((name.clone(), id));
                }
            }
            let old = update.old.as_deref().and_then(|old| Oid::from_str(old).ok());
            commits
                .known
                .extend(old.filter(|old| repository.find_commit(*old).is_ok()));
        }
        if self.arriving {
            commits.known.extend(named(repository, "*")?);
        } else {
            commits.known.extend(at_remote(repository, remote)?);
        }
        Ok(commits)
    }
}

/// What the refs of the remote had when they were last heard of. A push to an address that is no configured remote has
/// none: what such a place has already, nobody knows.
pub fn at_remote(repository: &Repository, remote: &str) -> Result<Vec<Oid>> {
    let Ok(remote) = repository.find_remote(remote) else {
        return Ok(Vec::new());
    };
    let mut known = Vec::new();
    for spec in remote
        .refspecs()
        .filter(|spec| spec.direction() == Direction::Fetch)
    {
        if let Ok(theirs) = spec.dst() {
            known.extend(named(repository, theirs)?);
        }
    }
    Ok(known)
}

/// The commits that these refs name. One that names none, or a commit that is not here, makes nothing known.
fn named(repository: &Repository, pattern: &str) -> Result<Vec<Oid>> {
    let refs = match pattern {
        "*" => repository.references(),
        pattern => repository.references_glob(pattern),
    };
    let refs = refs.context("cannot list the refs")?;
    let commits = refs
        .flatten()
        .filter_map(|reference| reference.peel_to_commit().ok());
    Ok(commits.map(|commit| commit.id()).collect())
}

fn update(line: &str) -> Option<(Update, bool)> {
    let is_id =
        |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let some = |id: &str| (!id.bytes().all(|byte| byte == b'0')).then(|| id.to_owned());
    let fields: Vec<&str> = line.split(' ').collect();
    match fields[..] {
        [old, new, reference] if is_id(old) && is_id(new) => {
            let update = Update {
                reference: reference.to_owned(),
                old: some(old),
                new: some(new),
            };
            Some((update, true))
        }
        // What stands for the local ref may be any expression, with spaces too.
        [_, .., new, reference, old] if is_id(old) && is_id(new) => {
            let update = Update {
                reference: reference.to_owned(),
                old: some(old),
                new: some(new),
            };
            Some((update, false))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Push;

    #[test]
    fn the_lines_of_both_hooks_are_read_and_zeros_of_any_length_mean_none() {
        let (a, zero) = ("a".repeat(40), "0".repeat(64));
        let push = Push::parse(&format!(
            "refs/heads/x {a} refs/heads/y {zero}\n(delete) {zero} refs/heads/z {a}\n"
        ));
        let push = push.unwrap();
        assert!(!push.arriving);
        assert_eq!(push.updates[0].reference, "refs/heads/y");
        assert_eq!(
            (&push.updates[0].old, push.updates[0].new.as_deref()),
            (&None, Some(a.as_str()))
        );
        assert_eq!(
            (push.updates[1].old.as_deref(), &push.updates[1].new),
            (Some(a.as_str()), &None)
        );
        let push = Push::parse(&format!("{zero} {a} refs/tags/v1\n")).unwrap();
        assert!(push.arriving && push.updates[0].old.is_none());
        assert_eq!(Push::parse("").unwrap().updates, []);
    }

    #[test]
    fn a_line_that_git_would_not_write_is_an_error_and_never_passed_over() {
        let a = "a".repeat(40);
        for line in [
            "x",
            "a b c",
            &format!("{a} refs/heads/x"),
            &format!("refs/heads/x {a} refs/heads/x short"),
        ] {
            assert!(Push::parse(line).is_err(), "{line}");
        }
        let both = format!("{a} {a} refs/heads/x\nrefs/heads/x {a} refs/heads/x {a}\n");
        assert!(Push::parse(&both).is_err());
    }
}
