//! Bytes in, findings out, on all cores.
//!
//! Synchronous, and knows nothing of services: it never asks whether a token is alive. A [`Scanner`] looks at one
//! blob at a time; [`Scan`] runs sources over it and turns hits into findings with their origin.

pub mod baseline;
mod behind;
mod calls;
mod decoded;
mod excerpt;
pub mod exclude;
mod explain;
mod gate;
mod history;
pub mod ignore;
pub mod line_hash;
mod listed;
pub mod matcher;
mod memory;
mod origin;
mod parts;
mod place;
mod plan;
mod probe;
#[cfg(test)]
mod proof;
mod suspicion;
pub mod typical;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use git2::Repository;

use decoded::Unwrapper;
pub use decoded::{Inside, Unwrapping};
use explain::Explained;
use listed::Listed;
pub use matcher::{Hit, Scanner};
use origin::origin;

use crate::finding::{Finding, Mark, ScanPath, Suppression};
use crate::rule::RuleSet;
use crate::secret::FingerprintKey;
use crate::source::{Blob, Limits, Tally, range, repository, staged, stdin, worktree};

/// One run of the scanner over one or more targets.
pub struct Scan {
    scanner: Explained,
    limits: Limits,
    unwrapping: Unwrapping,
    tally: Arc<Tally>,
    findings: Vec<Finding>,
    provenance: Option<(String, String)>,
    every_byte: bool,
    occurrences: bool,
    marks: Marks,
    written: Option<Mutex<Vec<Mark>>>,
}

/// Whether what is written in the scanned bytes may say that a finding does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Inline marks and the peers' lists are honoured.
    Honoured,
    /// They are passed over, where who wrote them must not decide: a hook that guards a repository.
    PassedOver,
}

/// Which parts of a repository are scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Parts {
    FilesAndHistory,
    Files,
    History,
}

impl Scan {
    /// A scan by these rules.
    pub fn new(rules: &RuleSet, key: FingerprintKey, limits: Limits) -> Self {
        Self {
            scanner: Explained::new(Scanner::new(rules, key)),
            limits,
            unwrapping: Unwrapping::default(),
            tally: Arc::default(),
            findings: Vec::new(),
            provenance: None,
            every_byte: false,
            occurrences: false,
            marks: Marks::Honoured,
            written: None,
        }
    }

    /// Looks at every byte of every blob of a history, not only at what is new in it: slower, and the judge of the
    /// quick way in tests.
    #[must_use]
    pub fn every_byte(mut self) -> Self {
        self.every_byte = true;
        self
    }

    /// Gives every commit and path that brought a secret in, not only the first for each path.
    #[must_use]
    pub fn occurrences(mut self) -> Self {
        self.occurrences = true;
        self
    }

    /// Gives what was matched and is no finding, too, suppressed with the reason; `rules` are those of this scan.
    #[must_use]
    pub fn explaining(mut self, rules: &RuleSet, key: FingerprintKey) -> Self {
        self.scanner.start(rules, key);
        self
    }

    /// Whether marks and lists in the scanned bytes are honoured; they are unless this is said.
    #[must_use]
    pub fn marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// Notes every mark in files, also where nothing was found; [`Scan::written_marks`] gives them.
    #[must_use]
    pub fn listing_marks(mut self) -> Self {
        self.written = Some(Mutex::default());
        self
    }

    /// The marks that were noted, by place; nothing if they were not asked for.
    pub fn written_marks(&mut self) -> Option<Vec<Mark>> {
        let marks = self.written.take()?;
        let mut marks = marks.into_inner().unwrap_or_else(PoisonError::into_inner);
        marks.sort();
        Some(marks)
    }

    /// How many matches were not explained because there were too many.
    pub fn unexplained(&self) -> usize {
        self.scanner.untold()
    }

    /// Looks into these besides plain text.
    pub fn unwrap_by(&mut self, wanted: Unwrapping) {
        self.unwrapping = wanted;
    }

    fn unwrapper(&self) -> Unwrapper<'_> {
        Unwrapper {
            scanner: &self.scanner,
            explained: &self.scanner,
            tally: &self.tally,
            wanted: self.unwrapping,
            largest: self.limits.largest,
        }
    }

    /// The running counters, for a progress bar.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Scans a file, a folder, or a repository by the parts wanted. What cannot be scanned goes to the tally. Paths in
    /// findings begin with `shown` (for a file: are `shown`), so that several targets can be told apart.
    pub fn target(&mut self, path: &Path, shown: &Path, parts: Parts) {
        let first = self.findings.len();
        self.look_at(path, parts);
        self.pass_over(Some(path), first);
        let (shown, whole) = (shown.as_os_str().as_encoded_bytes(), path.is_file());
        let given = path.as_os_str().as_encoded_bytes();
        for finding in &mut self.findings[first..] {
            let below = finding.location.path.as_bytes();
            if whole {
                let member = below.strip_prefix(given).unwrap_or_default();
                finding.location.path = ScanPath::new([shown, member].concat());
            } else if !shown.is_empty() {
                finding.location.path = ScanPath::new([shown, b"/", below].concat());
            }
        }
    }

    fn look_at(&mut self, path: &Path, parts: Parts) {
        let repository = repository::at(path).unwrap_or_else(|error| {
            self.tally
                .skip(format!("git history of {}", path.display()), format!("{error:#}"));
            None
        });
        self.note(repository.as_ref());
        let bare = repository.as_ref().is_some_and(Repository::is_bare);
        if parts != Parts::History && !bare {
            self.collect(|limits, tally, visit| worktree::visit(path, limits, tally, visit));
        }
        match repository {
            Some(repository) if parts != Parts::Files => self.history(&repository),
            None if parts == Parts::History => self.tally.skip(
                path.display().to_string(),
                "is not the root of a git repository: there is no history",
            ),
            _ if bare && parts == Parts::Files => {
                self.tally.skip(
                    path.display().to_string(),
                    "a bare repository has no files, only history",
                );
            }
            _ => {}
        }
    }

    /// Scans standard input.
    pub fn stdin(&mut self, input: &mut (dyn std::io::Read + Send)) {
        self.collect(|limits, tally, visit| stdin::visit(input, limits, tally, visit));
    }

    /// Scans what is staged in the repository that `path` stands in; returns how many files are staged. What the commits
    /// `merging`, which become its parents too, have already is not new.
    ///
    /// # Errors
    /// No repository, or an index that cannot be read.
    pub fn staged(&mut self, path: &Path, merging: &[String]) -> Result<usize> {
        let repository = repository::around(path)?;
        self.note(Some(&repository));
        let first = self.findings.len();
        let mut staged = Ok(0);
        self.collect(|limits, tally, visit| {
            staged = staged::visit(&repository, merging, limits, tally, visit);
        });
        self.pass_over(repository.workdir(), first);
        staged
    }

    /// Scans the commits that `choose` gives of the repository that `path` stands in; returns how many there are.
    ///
    /// # Errors
    /// No repository, an unknown revision, commits that cannot be walked.
    pub fn commits(
        &mut self,
        path: &Path,
        choose: impl FnOnce(&Repository) -> Result<range::Commits>,
    ) -> Result<usize> {
        let repository = repository::around(path)?;
        self.note(Some(&repository));
        let first = self.findings.len();
        let chosen = choose(&repository)?;
        let mut commits = Ok(0);
        self.collect(|limits, tally, visit| {
            commits = range::visit(&repository, &chosen, limits, tally, visit);
        });
        self.pass_over(repository.workdir(), first);
        commits
    }

    /// Marks what the peers' lists in this folder name, of the findings from `first` on.
    fn pass_over(&mut self, folder: Option<&Path>, first: usize) {
        let Some(folder) = folder.filter(|_| self.marks == Marks::Honoured) else {
            return;
        };
        let scanner = &self.scanner;
        let is_ours = |id: &str| {
            let mut rules = scanner.rules.iter();
            rules.any(|rule| rule.id.as_str() == id || (rule.is_imported() && rule.id.rule() == id))
        };
        Listed::of(folder, &self.tally).apply(&mut self.findings[first..], is_ours);
    }

    /// Where the first repository that was scanned comes from, and which commit is checked out there.
    pub fn provenance(&self) -> Option<(String, String)> {
        self.provenance.clone()
    }

    fn note(&mut self, repository: Option<&Repository>) {
        if self.provenance.is_none() {
            self.provenance = repository.and_then(repository::provenance);
        }
    }

    /// The findings, sorted and each once; where the scan explains, what was refused is among them.
    pub fn finish(mut self) -> Vec<Finding> {
        if !self.scanner.explains() {
            self.findings.retain(|finding| !finding.is_refused());
        }
        if self.marks == Marks::PassedOver {
            for finding in &mut self.findings {
                finding
                    .suppression
                    .take_if(|why| matches!(why, Suppression::Inline { .. }));
            }
        }
        let key = |finding: &Finding| {
            let at = &finding.location;
            let commit = at.origin.commit().map(|commit| commit.id.clone());
            (
                at.origin.name(),
                at.path.clone(),
                at.line,
                at.column,
                finding.rule.clone(),
                commit,
                finding.fingerprint,
            )
        };
        self.findings.sort_by_cached_key(key);
        self.findings.dedup_by_key(|finding| key(finding));
        self.findings
    }

    fn collect(&mut self, run: impl FnOnce(&Limits, &Tally, &(dyn Fn(Blob<'_>) + Sync))) {
        let found: Mutex<Vec<Finding>> = Mutex::default();
        let unwrapper = self.unwrapper();
        run(&self.limits, &self.tally, &|blob: Blob<'_>| {
            let Some((path, origin)) = origin(&blob.place) else {
                return;
            };
            let mut hits = unwrapper.look(&blob, &|| path.to_string());
            if let Some(written) = &self.written {
                let marks = ignore::marks(blob.bytes, &path, &hits);
                written
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(marks);
            }
            if !hits.is_empty() {
                forget_old(&unwrapper, &mut hits, &blob);
            }
            let hits = hits
                .into_iter()
                .map(|hit| hit.into_finding(path.clone(), origin.clone()));
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(hits);
        });
        self.findings
            .append(&mut found.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Drops hits whose secret stood in the file before: they are not what this change brought.
fn forget_old(unwrapper: &Unwrapper<'_>, hits: &mut Vec<Hit>, blob: &Blob<'_>) {
    for old in (blob.before)() {
        let known = unwrapper.look_back(&old);
        hits.retain(|hit| {
            let stood = |old: &Hit| {
                old.rule.id == hit.rule.id
                    && old.fingerprint == hit.fingerprint
                    && (hit.is_refused() || !old.is_refused())
            };
            !known.iter().any(stood)
        });
    }
}
