//! A rule's pattern at work, compiled when it is first needed: lightly while it is seldom asked about short texts, with
//! every engine after that.
//!
//! Compiling is dear. Of the four million instructions that a pattern such as "a name, an equals sign, a value" took, three
//! went into searching fast later on, backwards and by literals: a hook that looks at one file paid that for a dozen rules
//! of which each was asked twice. Both ways find the same matches: they are one library, with some of its engines off.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use regex_automata::meta::{self, Regex};
use regex_automata::util::captures::Captures as Groups;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

use super::pattern::LARGEST_PROGRAM;

/// After so many searches the pattern is worth compiling in full.
const SELDOM: u32 = 24;

/// Longest text that is searched lightly, in bytes: longer ones are not for engines that go on state by state.
const SHORT: usize = 2048;

/// The pattern of one rule.
#[derive(Debug, Default)]
pub struct Search {
    light: OnceLock<Regex>,
    full: OnceLock<Regex>,
    asked: AtomicU32,
}

impl Search {
    /// The first match of `pattern` that begins at `at` or later.
    pub(super) fn captures_at<'h>(&self, pattern: &str, hay: &'h [u8], at: usize) -> Option<Captures<'h>> {
        let regex = self.regex(pattern, hay.len().saturating_sub(at));
        let mut groups = regex.create_captures();
        regex.captures(Input::new(hay).span(at..hay.len()), &mut groups);
        groups.is_match().then_some(Captures { hay, groups })
    }

    /// Always the same pattern is asked for.
    fn regex(&self, pattern: &str, length: usize) -> &Regex {
        let known = self.full.get();
        if let Some(full) = known {
            return full;
        }
        if length <= SHORT && self.asked.fetch_add(1, Ordering::Relaxed) < SELDOM {
            let light = meta::Config::new()
                .hybrid(false)
                .onepass(false)
                .auto_prefilter(false);
            return self.light.get_or_init(|| build(pattern, light));
        }
        self.full.get_or_init(|| build(pattern, meta::Config::new()))
    }
}

/// As `regex::bytes` does without Unicode.
fn build(pattern: &str, config: meta::Config) -> Regex {
    let config = config
        .match_kind(MatchKind::LeftmostFirst)
        .utf8_empty(false)
        .nfa_size_limit(Some(LARGEST_PROGRAM));
    #[expect(
        clippy::expect_used,
        reason = "compile() proved it, and rules check those that are built in"
    )]
    meta::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(pattern)
        .expect("the pattern was checked on load")
}

/// A match and its groups.
#[derive(Clone, Debug)]
pub struct Captures<'h> {
    hay: &'h [u8],
    groups: Groups,
}

impl<'h> Captures<'h> {
    /// The whole match.
    pub fn get_match(&self) -> Match<'h> {
        self.get(0).unwrap_or(Match {
            hay: self.hay,
            range: 0..0,
        })
    }

    /// The group of this number, if it took part; 0 is the whole match.
    pub fn get(&self, number: usize) -> Option<Match<'h>> {
        let span = self.groups.get_group(number)?;
        Some(Match {
            hay: self.hay,
            range: span.range(),
        })
    }

    /// The group of this name, if it took part.
    pub fn name(&self, name: &str) -> Option<Match<'h>> {
        let span = self.groups.get_group_by_name(name)?;
        Some(Match {
            hay: self.hay,
            range: span.range(),
        })
    }

    /// Where each group stands.
    #[cfg(test)]
    fn ranges(&self) -> Vec<Option<Range<usize>>> {
        (0..self.len())
            .map(|number| self.get(number).map(|group| group.range()))
            .collect()
    }

    /// How many groups the pattern has, the whole match counted.
    pub(super) fn len(&self) -> usize {
        self.groups.group_len()
    }
}

/// What a group holds.
#[derive(Clone, Debug)]
pub struct Match<'h> {
    hay: &'h [u8],
    range: Range<usize>,
}

impl<'h> Match<'h> {
    /// Where it begins.
    pub fn start(&self) -> usize {
        self.range.start
    }

    /// Where it ends.
    pub fn end(&self) -> usize {
        self.range.end
    }

    /// Where it stands.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &'h [u8] {
        &self.hay[self.range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::{SELDOM, SHORT, Search};
    use crate::rule::RuleSet;

    #[test]
    fn a_pattern_that_is_compiled_lightly_finds_what_it_finds_in_full() {
        let rules = RuleSet::bundled().unwrap();
        for rule in &rules.rules {
            for text in rule.accepts() {
                let text = format!("a {text} and\n{text}\"");
                let (light, full) = (Search::default(), Search::default());
                full.asked.store(SELDOM, std::sync::atomic::Ordering::Relaxed);
                let mut at = 0;
                while at <= text.len() {
                    let lightly = light.captures_at(&rule.pattern, text.as_bytes(), at);
                    let fully = full.captures_at(&rule.pattern, text.as_bytes(), at);
                    assert_eq!(
                        lightly.as_ref().map(super::Captures::ranges),
                        fully.as_ref().map(super::Captures::ranges),
                        "{}",
                        rule.id
                    );
                    let Some(found) = fully else { break };
                    at = found.get_match().start() + 1;
                }
            }
        }
    }

    #[test]
    fn what_is_asked_often_or_of_long_texts_is_compiled_in_full() {
        let search = Search::default();
        for _ in 0..SELDOM {
            assert!(search.captures_at("b+", b"abb", 0).is_some());
        }
        assert!(search.full.get().is_none());
        assert!(search.captures_at("b+", b"abb", 0).is_some() && search.full.get().is_some());
        let search = Search::default();
        assert!(search.captures_at("b+", &[b'a'; SHORT + 1], 0).is_none());
        assert!(search.full.get().is_some() && search.light.get().is_none());
    }
}
