//! The history of a repository: every blob once, by what is new in it, and the commits of those with hits.
//!
//! What is found must be exactly what a look at every byte of every blob finds.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use git2::{Oid, Repository};

use super::Scan;
use super::matcher::{Hit, Text};
use crate::finding::{Finding, Origin, RuleId, ScanPath};
use crate::secret::Fingerprint;
use crate::source::history::{History, Said, Suspicion};
use crate::source::{Blob, Place};

impl Scan {
    pub(super) fn history(&mut self, repository: &Repository) {
        let name = repository.path().display().to_string();
        let gaps = self.tally.coverage().skipped.len();
        let told: RefCell<Vec<Finding>> = RefCell::default();
        let scanner = &self.scanner;
        let hear = |said: Said<'_>| {
            for (path, text) in said.texts() {
                let hits = scanner.look(&text).into_iter();
                let findings = hits.map(|hit| hit.into_finding(path.clone(), said.origin()));
                told.borrow_mut().extend(findings);
            }
        };
        let listed = History::hear(repository, &self.limits, &self.tally, &hear);
        let told = told.into_inner();
        let result = listed.and_then(|history| {
            let scanner = &self.scanner;
            // Where refs are broken there may well be commits, and the gap is told already. Files that wait for their
            // first commit are a whole scan.
            let coverage = self.tally.coverage();
            if history.is_empty() && coverage.files == 0 && coverage.skipped.len() == gaps {
                self.tally
                    .skip(format!("git history of {name}"), "there is no commit yet");
            }
            let hits: Mutex<HashMap<Oid, Vec<Hit>>> = Mutex::default();
            let unwrapper = self.unwrapper();
            let whole = self.every_byte || self.unwrapping.history || scanner.explains();
            let text = if whole { Text::New } else { Text::SeenBefore };
            let look = |blob: Blob<'_>| {
                let Place::Object(id) = blob.place else { return };
                let found = unwrapper.look_in_history(&blob, text, &|| format!("blob {id}"));
                if !found.is_empty() {
                    hits.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(id, found);
                }
            };
            if whole {
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
        self.findings.extend(told);
        if let Err(error) = result {
            self.tally
                .skip(format!("git history of {name}"), format!("{error:#}"));
        }
    }

    /// Gives history's hits their commit: for each secret and path the one that brought it in.
    fn introduce(&mut self, history: &History, hits: &HashMap<Oid, Vec<Hit>>) -> Result<()> {
        let blobs: Vec<Oid> = hits.keys().copied().collect();
        let mut introductions = history.introductions(&blobs, &self.limits, &self.tally)?;
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
                let key = (&hit.rule.id, hit.fingerprint, &entry.path);
                if self.occurrences || *first.entry(key).or_insert(entry.blob) == entry.blob {
                    self.findings
                        .push(hit.clone().into_finding(entry.path.clone(), origin.clone()));
                }
            }
        }
        for (blob, hits) in hits.iter().filter(|(blob, _)| !placed.contains(*blob)) {
            // Where the scan was stopped, nobody has looked for its commit.
            let gone = self.tally.goes_on() && history.is_unreachable(*blob);
            let origin = match gone {
                true if !self.limits.unreachable => continue,
                true => Origin::Unreachable(blob.to_string()),
                false => Origin::Object(blob.to_string()),
            };
            let path = ScanPath::new(format!("blob {blob}"));
            self.findings.extend(
                hits.iter()
                    .map(|hit| hit.clone().into_finding(path.clone(), origin.clone())),
            );
        }
        Ok(())
    }
}
