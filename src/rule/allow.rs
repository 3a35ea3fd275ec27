//! Allowlists of an imported configuration: which matches do not count, by what they are and where they stand.
//!
//! What a match is, is asked with its text at hand (`judge`); where it stands is known only when its file or commit is.
//! An allowlist that asks for both leaves a bit in between.

use std::collections::BTreeSet;
use std::ops::Range;

use super::compile::Rule;
use super::pattern::Pattern;
use super::search::Captures;
use crate::finding::{Refusal, ScanPath};

/// Most allowlists of one rule: each has a bit.
pub(super) const MOST: usize = 64;

/// So many bytes of a line are looked at on each side of a match.
const LINE: usize = 4096;

/// How far before a secret its match may begin, where the pattern has no bound.
const REACH: usize = 64 << 10;

/// What the patterns of an allowlist are asked of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The secret.
    #[default]
    Secret,
    /// Everything that the rule's pattern matched.
    Match,
    /// The lines of the match.
    Line,
}

/// One allowlist.
#[derive(Debug, Default)]
pub struct Allowlist {
    /// What it is called in messages.
    pub name: String,
    /// All that is given must hold; else any.
    pub all: bool,
    /// What `patterns` are asked of.
    pub target: Target,
    /// Patterns of which one matches.
    pub patterns: Vec<Pattern>,
    /// Words, in lower case, of which the secret holds one.
    pub words: Vec<String>,
    /// Patterns of paths.
    pub paths: Vec<Pattern>,
    /// Commits, in lower case.
    pub commits: BTreeSet<String>,
}

impl Allowlist {
    fn asks_what(&self) -> bool {
        !self.patterns.is_empty() || !self.words.is_empty()
    }

    fn asks_where(&self) -> bool {
        !self.paths.is_empty() || !self.commits.is_empty()
    }

    /// Whether what the match is satisfies the list, as far as it asks for that.
    fn allows_what(&self, secret: &[u8], found: &[u8], line: &[u8]) -> bool {
        let text = match self.target {
            Target::Secret => secret,
            Target::Match => found,
            Target::Line => line,
        };
        let patterns = || self.patterns.iter().any(|pattern| pattern.is_match(text));
        let words = || {
            let lower = secret.to_ascii_lowercase();
            let holds = |word: &String| memchr::memmem::find(&lower, word.as_bytes()).is_some();
            self.words.iter().any(holds)
        };
        if self.all {
            (self.patterns.is_empty() || patterns()) && (self.words.is_empty() || words())
        } else {
            patterns() || words()
        }
    }

    /// Whether where the match stands satisfies the list.
    fn allows_where(&self, path: &[u8], commit: Option<&str>) -> bool {
        let paths = || self.paths.iter().any(|pattern| pattern.is_match(path));
        let commits = || commit.is_some_and(|commit| self.commits.contains(commit));
        if self.all {
            (self.paths.is_empty() || paths()) && (self.commits.is_empty() || commits())
        } else {
            paths() || commits()
        }
    }

    /// Whether the match alone decides that it is allowed.
    fn decides(&self, secret: &[u8], found: &[u8], line: &[u8]) -> bool {
        self.asks_what() && !(self.all && self.asks_where()) && self.allows_what(secret, found, line)
    }

    /// Whether both the match and its place must satisfy the list.
    fn asks_both(&self) -> bool {
        self.all && self.asks_what() && self.asks_where()
    }
}

/// The lines that the range touches.
fn lines<'h>(hay: &'h [u8], range: &Range<usize>) -> &'h [u8] {
    let from = range.start.saturating_sub(LINE);
    let to = range.end.saturating_add(LINE).min(hay.len());
    let start = memchr::memrchr(b'\n', &hay[from..range.start]).map_or(from, |at| from + at + 1);
    let end = memchr::memchr(b'\n', &hay[range.end..to]).map_or(to, |at| range.end + at);
    &hay[start..end]
}

/// The allowlist of the rule that lets this match through by what it is.
pub(super) fn by_match<'r>(
    rule: &'r Rule,
    hay: &[u8],
    captures: &Captures<'_>,
    secret: &[u8],
) -> Option<&'r Allowlist> {
    if rule.allowlists.is_empty() {
        return None;
    }
    let found = captures.get_match();
    let line = lines(hay, &found.range());
    let decides = |list: &&std::sync::Arc<Allowlist>| list.decides(secret, found.as_bytes(), line);
    rule.allowlists.iter().find(decides).map(|list| &**list)
}

/// A bit for each allowlist of the rule that asks for a place too, and that the match whose secret stands here satisfies.
pub fn bits(rule: &Rule, text: &[u8], secret: &Range<usize>) -> u64 {
    if !rule.allowlists.iter().any(|list| list.asks_both()) {
        return 0;
    }
    let mut at = secret
        .start
        .saturating_sub(rule.longest.unwrap_or(REACH).min(REACH));
    while let Some(captures) = (at <= secret.start).then(|| rule.captures_at(text, at)).flatten() {
        let found = captures.get_match();
        if rule
            .secret_of(&captures)
            .is_some_and(|group| group.range() == *secret)
        {
            let line = lines(text, &found.range());
            let holds = |list: &Allowlist| {
                list.asks_both() && list.allows_what(&text[secret.clone()], found.as_bytes(), line)
            };
            let lists = rule.allowlists.iter().enumerate();
            return lists
                .filter(|(_, list)| holds(list))
                .fold(0, |bits, (place, _)| bits | 1 << place);
        }
        at = found.start() + 1;
    }
    0
}

/// Why a match of the rule does not count at this place, if it does not.
pub fn by_place(rule: &Rule, bits: u64, path: &ScanPath, commit: Option<&str>) -> Option<Refusal> {
    let path = path.as_bytes();
    if rule.path.as_ref().is_some_and(|pattern| !pattern.is_match(path)) {
        return Some(Refusal::new("path", "its rule is for other paths"));
    }
    let mut lists = rule.allowlists.iter().enumerate();
    let allows = |(place, list): &(usize, &std::sync::Arc<Allowlist>)| {
        list.asks_where() && (!list.asks_both() || bits >> place & 1 == 1) && list.allows_where(path, commit)
    };
    let (_, list) = lists.find(allows)?;
    Some(Refusal::new(
        "allowlist",
        format!("{} lets its place through", list.name),
    ))
}
