//! Bytes in, findings out, on all cores.
//!
//! Synchronous, and knows nothing of services: it never asks whether a token is alive. A [`Scanner`] looks at one
//! blob at a time; [`Scan`] runs sources over it and turns hits into findings with their origin.

pub mod baseline;
mod gate;
pub mod ignore;
pub mod line_hash;
pub mod matcher;
mod parts;
mod place;
mod plan;
mod probe;
#[cfg(test)]
mod proof;
mod steps;
mod suspicion;
pub mod typical;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use git2::{Oid, Repository};

pub use matcher::{Hit, Scanner};

use crate::finding::{Finding, Location, Origin, RuleId, ScanPath};
use crate::rule::RuleSet;
use crate::secret::{Fingerprint, FingerprintKey};
use crate::source::history::{History, Suspicion};
use crate::source::{Blob, Limits, Place, Tally, range, repository, staged, stdin, worktree};

/// One run of the scanner over one or more targets.
pub struct Scan {
    scanner: Scanner,
    limits: Limits,
    tally: Arc<Tally>,
    findings: Vec<Finding>,
    provenance: Option<(String, String)>,
    every_byte: bool,
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
            scanner: Scanner::new(rules, key),
            limits,
            tally: Arc::default(),
            findings: Vec::new(),
            provenance: None,
            every_byte: false,
        }
    }

    /// Looks at every byte of every blob of a history, not only at what is new in it: slower, and the judge of the
    /// quick way in tests.
    #[must_use]
    pub fn every_byte(mut self) -> Self {
        self.every_byte = true;
        self
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
        let (shown, whole) = (shown.as_os_str().as_encoded_bytes(), path.is_file());
        for finding in &mut self.findings[first..] {
            let below = finding.location.path.as_bytes();
            if whole {
                finding.location.path = ScanPath::new(shown);
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

    /// Scans what is staged in the repository that `path` stands in; returns how many files are staged.
    ///
    /// # Errors
    /// No repository, or an index that cannot be read.
    pub fn staged(&mut self, path: &Path) -> Result<usize> {
        let repository = repository::around(path)?;
        self.note(Some(&repository));
        let mut staged = Ok(0);
        self.collect(|limits, tally, visit| staged = staged::visit(&repository, limits, tally, visit));
        staged
    }

    /// Scans the commits of a range of the repository that `path` stands in; returns how many there are.
    ///
    /// # Errors
    /// No repository, an unknown revision, commits that cannot be walked.
    pub fn range(&mut self, path: &Path, range: &range::Range) -> Result<usize> {
        let repository = repository::around(path)?;
        self.note(Some(&repository));
        let mut commits = Ok(0);
        self.collect(|limits, tally, visit| commits = range::visit(&repository, range, limits, tally, visit));
        commits
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

    /// The findings, sorted and each once.
    pub fn finish(mut self) -> Vec<Finding> {
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
        let scanner = &self.scanner;
        run(&self.limits, &self.tally, &|blob: Blob<'_>| {
            let Some((path, origin)) = origin(&blob.place) else {
                return;
            };
            let mut hits = scanner.look(blob.bytes);
            if !hits.is_empty() {
                forget_old(scanner, &mut hits, &blob);
            }
            let hits = hits
                .into_iter()
                .map(|hit| hit.into_finding(path.clone(), origin.clone()));
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(hits);
        });
        self.findings
            .append(&mut found.into_inner().unwrap_or_else(PoisonError::into_inner));
    }

    fn history(&mut self, repository: &Repository) {
        let name = repository.path().display().to_string();
        let gaps = self.tally.coverage().skipped.len();
        let result = History::list(repository, &self.limits, &self.tally).and_then(|history| {
            // Where refs are broken there may well be commits, and the gap is told already.
            if history.is_empty() && self.tally.coverage().skipped.len() == gaps {
                self.tally
                    .skip(format!("git history of {name}"), "there is no commit yet");
            }
            let hits: Mutex<HashMap<Oid, Vec<Hit>>> = Mutex::default();
            let scanner = &self.scanner;
            let look = |blob: Blob<'_>| {
                let found = scanner.look(blob.bytes);
                if let (Place::Object(id), false) = (blob.place, found.is_empty()) {
                    hits.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(id, found);
                }
            };
            if self.every_byte {
                history.visit(&self.limits, &self.tally, &look)?;
            } else {
                let suspicion = Suspicion {
                    reach: scanner.reach(),
                    signs: &|text| scanner.signs(text),
                    holds: &|text, sign| scanner.holds(text, sign),
                };
                history.visit_suspects(&suspicion, &self.limits, &self.tally, &look)?;
            }
            let hits = hits.into_inner().unwrap_or_else(PoisonError::into_inner);
            if !hits.is_empty() {
                self.introduce(&history, &hits)?;
            }
            Ok(())
        });
        if let Err(error) = result {
            self.tally
                .skip(format!("git history of {name}"), format!("{error:#}"));
        }
    }

    /// Gives history's hits their commit: for each secret and path the one that brought it in.
    fn introduce(&mut self, history: &History, hits: &HashMap<Oid, Vec<Hit>>) -> Result<()> {
        let blobs: Vec<Oid> = hits.keys().copied().collect();
        let mut introductions = history.introductions(&blobs, &self.tally)?;
        introductions.sort_by(|a, b| (a.order, &a.path, a.blob).cmp(&(b.order, &b.path, b.blob)));
        let mut first: HashMap<(&RuleId, Fingerprint, &ScanPath), Oid> = HashMap::new();
        let mut placed = HashSet::new();
        for entry in &introductions {
            placed.insert(entry.blob);
            let origin = entry
                .commit
                .clone()
                .map_or_else(|| Origin::Object(entry.blob.to_string()), Origin::Commit);
            for hit in &hits[&entry.blob] {
                if *first
                    .entry((&hit.rule.id, hit.fingerprint, &entry.path))
                    .or_insert(entry.blob)
                    == entry.blob
                {
                    self.findings
                        .push(hit.clone().into_finding(entry.path.clone(), origin.clone()));
                }
            }
        }
        for (blob, hits) in hits.iter().filter(|(blob, _)| !placed.contains(*blob)) {
            let (path, origin) = (
                ScanPath::new(format!("blob {blob}")),
                Origin::Object(blob.to_string()),
            );
            self.findings.extend(
                hits.iter()
                    .map(|hit| hit.clone().into_finding(path.clone(), origin.clone())),
            );
        }
        Ok(())
    }
}

fn origin(place: &Place<'_>) -> Option<(ScanPath, Origin)> {
    match *place {
        Place::File(path) => Some((path.clone(), Origin::Worktree)),
        Place::Staged(path) => Some((path.clone(), Origin::Staged)),
        Place::Commit(path, info) => Some((path.clone(), Origin::Commit(info.clone()))),
        Place::Stdin => Some((ScanPath::new("-"), Origin::Stdin)),
        Place::Object(_) => None,
    }
}

/// Drops hits whose secret stood in the file before: they are not what this change brought.
fn forget_old(scanner: &Scanner, hits: &mut Vec<Hit>, blob: &Blob<'_>) {
    for old in (blob.before)() {
        let known = scanner.look(&old);
        hits.retain(|hit| {
            !known
                .iter()
                .any(|old| old.rule.id == hit.rule.id && old.fingerprint == hit.fingerprint)
        });
    }
}

impl Hit {
    /// The finding at this path and origin.
    fn into_finding(self, path: ScanPath, origin: Origin) -> Finding {
        let place = self.place;
        Finding {
            rule: self.rule.id.clone(),
            redacted: self.secret.redacted(&self.rule.prefix),
            severity: self.rule.severity,
            confidence: self.rule.confidence,
            secret: self.secret,
            parts: self.parts,
            facts: self.facts,
            fingerprint: self.fingerprint,
            location: Location {
                path,
                line: place.line,
                column: place.column,
                end_line: place.end_line,
                end_column: place.end_column,
                column_utf16: place.column_utf16,
                end_column_utf16: place.end_column_utf16,
                origin,
            },
            decoded_via: None,
            line_hash: self.line_hash,
            suppression: self.suppression,
        }
    }
}
