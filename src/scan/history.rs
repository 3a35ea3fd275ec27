//! The history of a repository: every blob once, by what is new in it, and the commits of those with hits.
//!
//! What is found must be exactly what a look at every byte of every blob finds.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use git2::{Oid, Repository};

use super::Scan;
use super::matcher::Hit;
use crate::finding::{Origin, RuleId, ScanPath};
use crate::secret::Fingerprint;
use crate::source::history::{History, Suspicion};
use crate::source::{Blob, Place};

impl Scan {
    pub(super) fn history(&mut self, repository: &Repository) {
        let name = repository.path().display().to_string();
        let gaps = self.tally.coverage().skipped.len();
        let result = History::list(repository, &self.limits, &self.tally).and_then(|history| {
            // Where refs are broken there may well be commits, and the gap is told already. Files that wait for their
            // first commit are a whole scan.
            let coverage = self.tally.coverage();
            if history.is_empty() && coverage.files == 0 && coverage.skipped.len() == gaps {
                self.tally
                    .skip(format!("git history of {name}"), "there is no commit yet");
            }
            let hits: Mutex<HashMap<Oid, Vec<Hit>>> = Mutex::default();
            let (scanner, unwrapper) = (&self.scanner, self.unwrapper());
            let look = |blob: Blob<'_>| {
                let Place::Object(id) = blob.place else { return };
                let found = unwrapper.look_in_history(&blob, &|| format!("blob {id}"));
                if !found.is_empty() {
                    hits.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(id, found);
                }
            };
            if self.every_byte || self.unwrapping.history || scanner.explains() {
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
