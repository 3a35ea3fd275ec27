//! `unleak init --from TOOL`: what another scanner was told about this repository, in our files.
//!
//! What has no equal here is said, never passed over in silence. Nothing of the other tool's is changed, and what its
//! baseline hides is hidden here only where our rules find it at all.

mod detect_secrets;
mod gitleaks;
mod kingfisher;
mod trufflehog;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use super::{Done, text_of, write};
use crate::cli::look::look;
use crate::cli::{Context, scan};
use crate::config::project::{BASELINE, NAME, Project};
use crate::finding::Finding;
use crate::scan::baseline::Baseline;
use crate::secret::Secret;

/// The tools whose files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// .gitleaks.toml, .gitleaksignore, a report as baseline
    Gitleaks,
    /// the file of --exclude-paths; custom detectors are named
    Trufflehog,
    /// .secrets.baseline
    DetectSecrets,
    /// kingfisher.yaml, a baseline
    Kingfisher,
}

/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// The allowlists that are made of another tool's patterns, in gitleaks' form.
pub(super) const ALLOWED: &str = ".unleak-allowed.toml";

/// What another tool knows of one finding.
#[derive(Debug, Default)]
struct Entry {
    /// Below the repository's root.
    path: String,
    line: usize,
    commit: Option<String>,
    /// SHA-1 of the secret in hexadecimal.
    sha1: Option<String>,
    secret: Option<Secret>,
}

/// What was read.
#[derive(Debug, Default)]
struct Carried {
    /// Files that were read.
    read: Vec<String>,
    /// Configurations of gitleaks or betterleaks, below the root.
    rules: Vec<PathBuf>,
    /// Patterns as `.gitignore` has them.
    exclude: Vec<String>,
    /// Regular expressions of paths.
    paths: Vec<String>,
    /// Regular expressions of lines.
    lines: Vec<String>,
    /// Regular expressions of secrets.
    secrets: Vec<String>,
    /// What a secret may hold.
    words: Vec<String>,
    /// Findings that are known.
    known: Vec<Entry>,
    /// What could not be carried over, a sentence each.
    lost: Vec<String>,
}

/// Reads the tool's files and writes `.unleak.toml`, allowlists, and the baseline.
pub(super) fn run(
    from: From,
    root: &Path,
    given: &[PathBuf],
    context: &mut Context,
    done: &mut Vec<Done>,
) -> Result<()> {
    let mut carried = Carried::default();
    match from {
        From::Gitleaks => gitleaks::read(root, given, context, &mut carried)?,
        From::Trufflehog => trufflehog::read(root, given, &mut carried)?,
        From::DetectSecrets => detect_secrets::read(root, given, &mut carried)?,
        From::Kingfisher => kingfisher::read(root, given, &mut carried)?,
    }
    if carried.read.is_empty() {
        carried
            .lost
            .push("no file of that tool was found here; name it with --from-file".to_owned());
    }
    done.extend(carried.read.iter().map(|file| Done::new("read", file.clone())));
    allowed(root, &mut carried, context, done)?;
    project(root, &carried, done)?;
    if !carried.known.is_empty() {
        baseline(root, &mut carried, context, done)?;
    }
    done.extend(carried.lost.into_iter().map(|lost| Done::new("not", lost)));
    Ok(())
}

/// The named files, else those of these names that are there.
fn files(root: &Path, given: &[PathBuf], names: &[&str]) -> Vec<PathBuf> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let there = names.iter().map(|name| root.join(name));
    there.filter(|file| file.is_file()).collect()
}

/// A file's text, bounded; noted as read.
fn text(file: &Path, root: &Path, carried: &mut Carried) -> Result<String> {
    let shown = file.display();
    let size = std::fs::metadata(file).with_context(|| format!("cannot read {shown}"))?;
    anyhow::ensure!(
        size.len() <= LARGEST,
        "{shown} has {} bytes; at most {LARGEST} are read",
        size.len()
    );
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    carried.read.push(below(file, root));
    Ok(text)
}

fn below(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

/// Writes what other tools have as regular expressions, each proved by itself: one that is none of ours is told, and
/// spoils no other.
fn allowed(root: &Path, carried: &mut Carried, context: &Context, done: &mut Vec<Done>) -> Result<()> {
    let mut text = String::from(
        "# Allowlists that `unleak init --from` made of another scanner's; in the form of gitleaks, for all rules.\n\
         [extend]\nuseDefault = true\n",
    );
    let mut any = false;
    let groups = [
        ("paths", None, std::mem::take(&mut carried.paths)),
        ("regexes", Some("line"), std::mem::take(&mut carried.lines)),
        ("regexes", Some("secret"), std::mem::take(&mut carried.secrets)),
        ("stopwords", None, std::mem::take(&mut carried.words)),
    ];
    let probe = tempfile::NamedTempFile::with_suffix(".toml").context("cannot make a temporary file")?;
    for (key, target, patterns) in groups {
        for pattern in patterns {
            let target = target.map_or(String::new(), |target| format!("regexTarget = \"{target}\"\n"));
            let quoted = toml::Value::String(pattern.clone());
            let list = format!("\n[[allowlists]]\n{target}{key} = [{quoted}]\n");
            std::fs::write(probe.path(), format!("[extend]\nuseDefault = true\n{list}"))
                .context("cannot write a temporary file")?;
            let mut rules = context.rules.clone();
            rules.rules.clear();
            match rules.load_foreign(probe.path()) {
                Ok(()) => {
                    text.push_str(&list);
                    any = true;
                }
                Err(error) => {
                    let why = format!("{:#}", error.root_cause());
                    carried.lost.push(format!(
                        "the pattern {pattern:?}: {}",
                        why.lines().next().unwrap_or_default()
                    ));
                }
            }
        }
    }
    if any {
        let file = root.join(ALLOWED);
        write(&file, &text)?;
        done.push(Done::new("wrote", below(&file, root)));
        carried.rules.push(PathBuf::from(ALLOWED));
    }
    Ok(())
}

/// Writes `.unleak.toml`, unless there is one.
fn project(root: &Path, carried: &Carried, done: &mut Vec<Done>) -> Result<()> {
    let list = |items: &mut dyn Iterator<Item = String>| {
        let items: Vec<String> = items.map(|item| toml::Value::String(item).to_string()).collect();
        items.join(", ")
    };
    let mut text = String::from(
        "# How unleak's hooks and `unleak ci` scan this repository; made by `unleak init --from`.\n",
    );
    if !carried.rules.is_empty() {
        let rules = list(&mut carried.rules.iter().map(|rules| rules.display().to_string()));
        text.push_str(&format!("rules = [{rules}]\n"));
    }
    if !carried.exclude.is_empty() {
        text.push_str(&format!(
            "exclude = [{}]\n",
            list(&mut carried.exclude.iter().cloned())
        ));
    }
    let file = root.join(NAME);
    if text_of(&file)?.is_some_and(|there| there != text) {
        done.push(Done::new(
            "kept",
            format!("{NAME}, which is there already; it would have been:\n{text}"),
        ));
        return Ok(());
    }
    write(&file, &text)?;
    done.push(Done::new("wrote", NAME));
    Ok(())
}

/// Scans by the new files, and writes the findings that the other tool knew to the baseline.
fn baseline(root: &Path, carried: &mut Carried, context: &mut Context, done: &mut Vec<Done>) -> Result<()> {
    let project = Project::of(root)?;
    for rules in &project.rules {
        context.rules.load_foreign(&root.join(rules))?;
    }
    let mut words = project.words(root)?;
    words.push(root.as_os_str().to_owned());
    let report = scan::examine(&scan::typed(words)?, context, look)?;
    let file = root.join(BASELINE);
    let mut known = if file.exists() {
        Baseline::load(&file)?
    } else {
        Baseline::fresh()?
    };
    let mut used = BTreeSet::new();
    let mut leaks = BTreeSet::new();
    for finding in &report.findings {
        let mut entries = carried.known.iter().enumerate();
        if let Some((at, _)) = entries.find(|(_, entry)| entry.is(finding)) {
            used.insert(at);
            leaks.insert(finding.fingerprint);
            known.add(std::slice::from_ref(finding));
        }
    }
    write(&file, &known.to_text())?;
    done.push(Done::new(
        "wrote",
        format!("{BASELINE}, with {} leaks that were known", leaks.len()),
    ));
    let unused = carried.known.len() - used.len();
    if unused > 0 {
        carried.lost.push(format!(
            "{unused} of {} known findings: our rules find nothing there, so nothing has to be hidden",
            carried.known.len()
        ));
    }
    Ok(())
}

impl Entry {
    /// Whether this is what the other tool found there.
    fn is(&self, finding: &Finding) -> bool {
        let at = &finding.location;
        let path = at.path.as_bytes() == self.path.as_bytes();
        if let Some(secret) = &self.secret {
            return *secret == finding.secret || path && holds(secret, &finding.secret);
        }
        if self.sha1.as_deref() == Some(sha1(finding.secret.expose()).as_str()) {
            return true;
        }
        let commit = at.origin.commit().map(|commit| commit.id.as_str());
        let commit = self.commit.is_none() || commit.is_none() || self.commit.as_deref() == commit;
        path && commit && self.line != 0 && (at.line..=at.end_line).contains(&self.line)
    }
}

/// Whether one of them is a part of the other: rules cut their secrets out differently.
fn holds(one: &Secret, other: &Secret) -> bool {
    let within = |outer: &Secret, inner: &Secret| {
        inner.len() >= 8 && memchr::memmem::find(outer.expose(), inner.expose()).is_some()
    };
    within(one, other) || within(other, one)
}

/// The name that detect-secrets has for a secret.
fn sha1(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
