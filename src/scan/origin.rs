//! A hit becomes a finding: it gets its path and its origin.

use super::matcher::Hit;
use crate::finding::{Finding, Location, Origin, ScanPath, Suppression};
use crate::rule::allow;
use crate::source::Place;

/// Path and origin of what stands here; none for an object of the history, whose commits are found later.
pub(super) fn origin(place: &Place<'_>) -> Option<(ScanPath, Origin)> {
    match *place {
        Place::File(path) => Some((path.clone(), Origin::Worktree)),
        Place::Staged(path) => Some((path.clone(), Origin::Staged)),
        Place::Commit(path, info) => Some((path.clone(), Origin::Commit(info.clone()))),
        Place::Named(path, id) => Some((path.clone(), Origin::Object(id.to_string()))),
        Place::Stdin => Some((ScanPath::new("-"), Origin::Stdin)),
        Place::Object(_) => None,
    }
}

impl Hit {
    /// Whether it is there to tell why it does not count.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.suppression, Some(Suppression::Refused(_)))
    }

    /// The finding at this path and origin.
    pub(super) fn into_finding(self, path: ScanPath, origin: Origin) -> Finding {
        let (place, inside) = (self.place, self.inside);
        let path = ScanPath::new([path.as_bytes(), &inside.member].concat());
        let commit = origin.commit().map(|commit| commit.id.as_str());
        let refused = allow::by_place(&self.rule, self.allowed, &path, commit).map(Suppression::Refused);
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
            decoded_via: Some(inside.via).filter(|via| !via.is_empty()),
            line_hash: self.line_hash,
            excerpt: Some(self.excerpt),
            suppression: refused.or(self.suppression),
        }
    }
}
