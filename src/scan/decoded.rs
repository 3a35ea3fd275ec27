//! One blob with everything that is in it: its text, what the text says in another form, archives and their members.
//!
//! A hit in a decoded view is given the place of its bytes in the original. What stands plainly at the same place is
//! not reported once more.

use std::ops::Range;

use super::explain::Explained;
use super::ignore;
use super::line_hash;
use super::matcher::{Hit, Scanner, Text};
use super::place::Lines;
use crate::finding::{Confidence, ScanPath};
use crate::source::archive::{self, Taker};
use crate::source::decode::{self, Decoded, Seen};
use crate::source::{Blob, Form, Tally};

/// What was opened on the way to a hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// The names of archives' members, each behind a `!`.
    pub member: Vec<u8>,
    /// The formats and encodings, from the outside in, parted by `>`.
    pub via: String,
}

impl Inside {
    /// What is behind this one too.
    fn and(&self, via: &str) -> Self {
        let arrow = if self.via.is_empty() || via.is_empty() {
            ""
        } else {
            ">"
        };
        Self {
            member: self.member.clone(),
            via: format!("{}{arrow}{via}", self.via),
        }
    }
}

/// What is looked into besides plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwrapping {
    /// Encodings.
    pub decode: bool,
    /// Archives, databases, bytecode.
    pub archives: bool,
    /// Both in the whole history too.
    pub history: bool,
}

impl Default for Unwrapping {
    fn default() -> Self {
        Self {
            decode: true,
            archives: true,
            history: false,
        }
    }
}

/// Looks at blobs whole.
pub(super) struct Unwrapper<'s> {
    pub(super) scanner: &'s Scanner,
    /// The same, which says why it passed over what stands plainly.
    pub(super) explained: &'s Explained,
    pub(super) tally: &'s Tally,
    pub(super) wanted: Unwrapping,
    /// Largest member of an archive, in bytes.
    pub(super) largest: u64,
}

impl Unwrapper<'_> {
    /// Every hit in the blob; `name` is how gaps name it.
    pub(super) fn look(&self, blob: &Blob<'_>, name: &dyn Fn() -> String) -> Vec<Hit> {
        let mut gaps = |member: &[u8], why: String| {
            let member = ScanPath::new(member);
            self.tally.skip(format!("{}{member}", name()), why);
        };
        let mut hits = Vec::new();
        self.content(blob.raw, (blob.form, blob.bytes), &mut gaps, &mut hits);
        hits
    }

    /// The same for a blob of the whole history, which is opened on request only.
    pub(super) fn look_in_history(&self, blob: &Blob<'_>, text: Text, name: &dyn Fn() -> String) -> Vec<Hit> {
        if self.wanted.history {
            return self.look(blob, name);
        }
        if blob.form == Form::Binary {
            self.tally.add_binary();
            return Vec::new();
        }
        let mut hits = match text {
            Text::New => self.explained.look(blob.bytes),
            Text::SeenBefore => self.scanner.look_again(blob.bytes),
        };
        for hit in &mut hits {
            hit.inside.via = blob.form.name().to_owned();
        }
        hits
    }

    /// The hits in what stood there before; its gaps are none of this scan.
    pub(super) fn look_back(&self, raw: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        let form = Form::of(raw);
        let text = form.text(raw);
        let unwrapper = Unwrapper {
            tally: &Tally::default(),
            ..*self
        };
        unwrapper.content(raw, (form, &text), &mut |_, _| {}, &mut hits);
        hits
    }

    fn content(&self, raw: &[u8], text: (Form, &[u8]), gaps: Gaps<'_>, hits: &mut Vec<Hit>) {
        match archive::kind(raw).filter(|_| self.wanted.archives) {
            Some(kind) => self.archive(raw, kind, &Inside::default(), gaps, hits),
            None => self.unpacked(raw, text, &Inside::default(), gaps, hits),
        }
    }

    fn archive(&self, raw: &[u8], kind: archive::Kind, inside: &Inside, gaps: Gaps<'_>, hits: &mut Vec<Hit>) {
        let mut members = Members {
            unwrapper: self,
            inside,
            gaps,
            hits,
        };
        archive::open(
            raw,
            kind,
            archive::Bounds::for_largest(self.largest),
            &mut members,
        );
    }

    /// What is no archive, or one that is being opened.
    fn unpacked(
        &self,
        raw: &[u8],
        (form, text): (Form, &[u8]),
        inside: &Inside,
        gaps: Gaps<'_>,
        hits: &mut Vec<Hit>,
    ) {
        let first = hits.len();
        let stored = if self.wanted.archives {
            decode::stored(raw)
        } else {
            None
        };
        match (stored, form) {
            (Some(stored), _) => self.stored(raw, &stored, gaps, hits),
            // A document that is not text as a whole has strings all the same.
            (None, Form::Binary) if archive::kind(raw) == Some(archive::Kind::Pdf) => {
                hits.append(&mut self.scanner.look(raw));
            }
            (None, Form::Binary) => self.tally.add_binary(),
            (None, _) => self.text(text, gaps, hits),
        }
        let inside = inside.and(form.name());
        for hit in &mut hits[first..] {
            hit.inside = Inside {
                member: inside.member.clone(),
                via: inside.and(&hit.inside.via).via,
            };
        }
    }

    /// The hits of a text and of its views.
    fn text(&self, text: &[u8], gaps: Gaps<'_>, hits: &mut Vec<Hit>) {
        let mut found = self.scanner.look(text);
        let mut refused = self.explained.refused(text, &found);
        if self.wanted.decode {
            let bounds = decode::Bounds::for_length(text.len());
            let seen = decode::visit(text, bounds, &mut |seen| self.seen(&seen, gaps, &mut found));
            if seen.is_err() {
                gaps(
                    b"",
                    "decoded only in part: it holds more encodings than are opened".to_owned(),
                );
            }
            put_in_place(text, &mut found);
        }
        hits.append(&mut found);
        hits.append(&mut refused);
    }

    /// The hits of a database or of bytecode: value by value, and as the bytes stand, deleted rows among them.
    fn stored(&self, raw: &[u8], stored: &Decoded<'_>, gaps: Gaps<'_>, hits: &mut Vec<Hit>) {
        let mut found = Vec::new();
        let mut see = |seen: Seen<'_>| self.seen(&seen, gaps, &mut found);
        see(Seen::Text(stored));
        if self.wanted.decode {
            let bounds = decode::Bounds::for_length(stored.bytes.len());
            // What the bounds leave out of a database was looked at as it stands.
            let _ = decode::visit_below(stored, bounds, &mut see);
        }
        put_in_place(raw, &mut found);
        for mut hit in self.scanner.look(raw) {
            if !found.iter().any(|other| is_same(other, &hit)) {
                hit.inside.via.clone_from(&stored.via);
                found.push(hit);
            }
        }
        hits.append(&mut found);
    }

    /// Adds the hits of a view at the places of the original.
    fn seen(&self, seen: &Seen<'_>, gaps: Gaps<'_>, found: &mut Vec<Hit>) {
        match seen {
            Seen::Text(decoded) => {
                for mut hit in self.scanner.look(&decoded.bytes) {
                    if decoded.is_made(&line_of(&decoded.bytes, &hit.range)) {
                        hit.range = decoded.original(&hit.range);
                        hit.inside.via.clone_from(&decoded.via);
                        let known = found.iter().any(|other| tells(other, &hit));
                        add(found, hit, known);
                    }
                }
            }
            Seen::Packed { bytes, via, place } => {
                let mut packed = Vec::new();
                if self.wanted.archives
                    && let Some(kind) = archive::kind(bytes)
                {
                    // What merely looks like an archive behind an encoding is no gap; one that is too large is.
                    let mut limits = |member: &[u8], why: String| {
                        if !why.starts_with(archive::DAMAGED) {
                            gaps(member, why);
                        }
                    };
                    self.archive(bytes, kind, &Inside::default().and(via), &mut limits, &mut packed);
                }
                for mut hit in packed {
                    hit.range = place.clone();
                    // The place is that of the encoded text in this file; a member has none of its own here.
                    hit.inside.member.clear();
                    let same = |other: &Hit| overlap(other, &hit) && other.fingerprint == hit.fingerprint;
                    let known = found.iter().any(same);
                    add(found, hit, known);
                }
            }
        }
    }
}

/// Adds a hit that is not known. Less sure ones at its place took the encoding for the secret, and go.
fn add(found: &mut Vec<Hit>, hit: Hit, known: bool) {
    if !known {
        found.retain(|other| !overlap(other, &hit) || other.rule.confidence <= hit.rule.confidence);
        found.push(hit);
    }
}

/// Tells of a gap: the member's path, and why.
type Gaps<'g> = &'g mut dyn FnMut(&[u8], String);

/// The members of one archive on their way to the rules.
struct Members<'m, 'g> {
    unwrapper: &'m Unwrapper<'m>,
    inside: &'m Inside,
    gaps: Gaps<'g>,
    hits: &'m mut Vec<Hit>,
}

impl Taker for Members<'_, '_> {
    fn member(&mut self, member: archive::Member<'_>) {
        let mut inside = self.inside.and(member.via);
        inside.member.extend_from_slice(member.path);
        self.unwrapper.tally.add_bytes(member.bytes.len());
        let mut gaps = |_: &[u8], why: String| (self.gaps)(&inside.member, why);
        let form = Form::of(member.bytes);
        let text = form.text(member.bytes);
        self.unwrapper
            .unpacked(member.bytes, (form, &text), &inside, &mut gaps, self.hits);
    }

    fn skip(&mut self, path: &[u8], why: String) {
        (self.gaps)(&[&self.inside.member, path].concat(), why);
    }
}

fn overlap(a: &Hit, b: &Hit) -> bool {
    a.range.start < b.range.end && b.range.start < a.range.end
}

/// Whether two hits tell the same thing of the same place.
fn is_same(a: &Hit, b: &Hit) -> bool {
    overlap(a, b) && (a.rule.id == b.rule.id || a.fingerprint == b.fingerprint)
}

/// Whether one hit says all that another at its place says, which was found deeper.
fn tells(known: &Hit, deeper: &Hit) -> bool {
    let sure = known.rule.confidence < deeper.rule.confidence
        || known.rule.confidence == deeper.rule.confidence && known.rule.confidence != Confidence::High;
    is_same(known, deeper) || overlap(known, deeper) && sure
}

/// The lines that a range stands on.
fn line_of(text: &[u8], range: &Range<usize>) -> Range<usize> {
    let start = memchr::memrchr(b'\n', &text[..range.start]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &text[range.end..]).map_or(text.len(), |newline| range.end + newline);
    start..end
}

/// Gives the hits of views the lines and columns of their ranges in the original, its line's hash, and the mark on it.
fn put_in_place(text: &[u8], hits: &mut [Hit]) {
    hits.sort_by_key(|hit| hit.range.start);
    let mut views: Vec<&mut Hit> = hits.iter_mut().filter(|hit| !hit.inside.via.is_empty()).collect();
    let mut lines = Lines::new(text);
    for hit in &mut views {
        hit.place = lines.place(&hit.range);
    }
    let wanted: Vec<usize> = views.iter().map(|hit| hit.place.line).collect();
    let hashes = line_hash::of_lines(text, &wanted);
    for hit in views {
        hit.line_hash = hashes.get(&hit.place.line).cloned();
        let mark = ignore::mark_at(text, &hit.range, &hit.rule.id);
        hit.suppression = mark.or_else(|| hit.suppression.take());
    }
}
