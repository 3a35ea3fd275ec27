//! Whether a match may stand around a keyword: the pattern tried byte by byte, until it fails or enough of it holds,
//! first from behind the keyword on, then from where a match may begin.
//!
//! Asked before the pattern itself, whose automaton builds its states while it runs: for patterns that count ("up to
//! forty letters") and places that fail after a few bytes, building them was a third of a whole scan, and one automaton
//! for all beginnings of a keyword's rules another seventh. Must never say no where the pattern matches: it goes on
//! with every choice, says yes where that takes too long, and takes what a pattern says of its end for granted.

use regex_syntax::hir::{Hir, Look};

use crate::rule::lead::Words;
use crate::rule::steps::{Behind, Bytes, Step, Steps};

/// Bytes of a match after which it is believed.
pub(super) const BELIEVED: usize = 192;

/// Steps after which it is believed: about ten microseconds.
const MOST_STEPS: u32 = 3000;

/// So many bytes are few.
const FEW: u32 = 8;

/// A pattern's beginning, compiled.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    steps: Steps,
    /// Bytes with which a match may begin.
    first: Bytes,
    /// The steps that may come behind the first keyword of a match; none if that takes too long to tell.
    behind: Option<Vec<u32>>,
    /// Bytes that may.
    next: Bytes,
}

/// A choice that was put off: a step, and the first and last place at which it is tried.
pub(super) type Choice = (u32, usize, usize);

impl Probe {
    /// For a pattern whose every match holds one of these words, in lower case. `known` is what was found out about it
    /// when it was built in: finding it out takes longer than all the rest.
    pub(super) fn of(hir: &Hir, words: &[String], known: Behind) -> Self {
        let mut steps = Steps::of(hir);
        let behind = match known {
            Behind::Unasked => return Self::read(steps, words),
            Behind::Untold => None,
            Behind::At { rests, steps: behind } => {
                steps.add_rests(rests);
                Some(behind.to_vec())
            }
        };
        Self::with(steps, behind)
    }

    /// The same with repetitions that go on without end.
    pub(super) fn loose(hir: &Hir, words: &[String]) -> Self {
        Self::read(Steps::loose(hir), words)
    }

    fn read(mut steps: Steps, words: &[String]) -> Self {
        let behind = steps.behind(&Words::new(words));
        Self::with(steps, behind)
    }

    fn with(steps: Steps, behind: Option<Vec<u32>>) -> Self {
        let first = steps.firsts(&[0]);
        let next = behind.as_ref().map_or(Bytes::ALL, |behind| steps.firsts(behind));
        Self {
            steps,
            first,
            behind,
            next,
        }
    }

    /// The whole pattern.
    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The steps that may come behind the first keyword of a match; none if that takes too long to tell.
    pub(super) fn behind(&self) -> Option<&[u32]> {
        self.behind.as_deref()
    }

    /// Whether the byte behind a keyword that ends at `end` may stand there in a match.
    pub(super) fn may_go_on(&self, text: &[u8], end: usize) -> bool {
        text.get(end).is_none_or(|&byte| self.next.has(byte))
    }

    /// Whether few bytes may begin a match.
    pub(super) fn begins_rarely(&self) -> bool {
        self.first.0.iter().map(|word| word.count_ones()).sum::<u32>() <= FEW
    }

    /// Whether a match may go on behind a keyword that ends at `end`. `choices` is room to work in.
    pub(super) fn goes_on(&self, text: &[u8], end: usize, choices: &mut Vec<Choice>) -> bool {
        let Some(behind) = &self.behind else {
            return true;
        };
        let mut left = MOST_STEPS;
        behind
            .iter()
            .any(|&step| self.stands_at(text, step, end, choices, &mut left))
    }

    /// Whether a match may begin at one of the places from `from` to `to`.
    pub(super) fn begins(&self, text: &[u8], from: usize, to: usize, choices: &mut Vec<Choice>) -> bool {
        let (mut places, mut left) = (from..=to.min(text.len()), MOST_STEPS);
        places.any(|at| {
            text.get(at).is_none_or(|&byte| self.first.has(byte))
                && self.stands_at(text, 0, at, choices, &mut left)
        })
    }

    /// Whether the text goes on from `start` as the steps from `step` on do; yes when no steps are left.
    fn stands_at(
        &self,
        text: &[u8],
        step: u32,
        start: usize,
        choices: &mut Vec<Choice>,
        left: &mut u32,
    ) -> bool {
        choices.clear();
        let believed = start + BELIEVED;
        let (mut step, mut at) = (step as usize, start);
        while *left > 0 {
            *left -= 1;
            let next = match self.steps.steps[step] {
                _ if at >= believed => return true,
                Step::Byte(byte) => (text.get(at) == Some(&byte)).then(|| (step + 1, at + 1)),
                Step::One(set) => {
                    let stands = text
                        .get(at)
                        .is_some_and(|&byte| self.steps.sets[usize::from(set)].has(byte));
                    stands.then(|| (step + 1, at + 1))
                }
                Step::Run { set, least, most } => {
                    let set = &self.steps.sets[usize::from(set)];
                    let end = at.saturating_add(most as usize).min(text.len()).min(believed);
                    let run = text[at.min(end)..end]
                        .iter()
                        .take_while(|&&byte| set.has(byte))
                        .count();
                    let least = least as usize;
                    (run >= least || at + run >= believed).then(|| {
                        if run > least {
                            choices.push((step as u32 + 1, at + least, at + run - 1));
                        }
                        (step + 1, at + run)
                    })
                }
                Step::Or(other) => {
                    choices.push((other, at, at));
                    Some((step + 1, at))
                }
                Step::To(to) => Some((to as usize, at)),
                Step::Look(look) => holds(look, text, at).then(|| (step + 1, at)),
                Step::Believe => return true,
            };
            (step, at) = match next {
                Some(next) => next,
                None => match self.back(text, choices) {
                    Some(choice) => choice,
                    None => return false,
                },
            };
        }
        true
    }

    /// The next of the choices that were put off; where the next byte would fail, the one before is tried.
    fn back(&self, text: &[u8], choices: &mut Vec<Choice>) -> Option<(usize, usize)> {
        let (step, first, last) = choices.last_mut()?;
        while first < last && !self.may_follow(*step, text.get(*last)) {
            *last -= 1;
        }
        let choice = (*step as usize, *last);
        if first == last {
            choices.pop();
        } else {
            *last -= 1;
        }
        Some(choice)
    }

    /// Whether a step may go on with this byte; nothing is the end of the text.
    fn may_follow(&self, step: u32, byte: Option<&u8>) -> bool {
        match self.steps.steps[step as usize] {
            Step::Byte(known) => byte == Some(&known),
            Step::One(set) | Step::Run { set, least: 1.., .. } => {
                byte.is_some_and(|&byte| self.steps.sets[usize::from(set)].has(byte))
            }
            _ => true,
        }
    }
}

/// Boundaries that are told by what stands around; others are taken for granted.
fn holds(look: Look, text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    match look {
        Look::Start => at == 0,
        Look::StartLF => before.is_none_or(|&byte| byte == b'\n'),
        Look::WordAscii => word(before) != word(text.get(at)),
        Look::WordAsciiNegate => word(before) == word(text.get(at)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{Behind, Probe};
    use crate::rule::{Lead, RuleSet};
    use crate::scan::plan::parse;

    fn allows(pattern: &str, text: &str) -> bool {
        let probe = Probe::of(&parse(pattern).unwrap(), &[], Behind::Unasked);
        probe.begins(text.as_bytes(), 0, text.len(), &mut Vec::new())
    }

    #[test]
    fn what_stands_behind_a_keyword_is_seen() {
        let goes_on = |pattern: &str, words: &[&str], text: &str, end: usize| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            let probe = Probe::of(&parse(pattern).unwrap(), &words, Behind::Unasked);
            probe.goes_on(text.as_bytes(), end, &mut Vec::new())
        };
        let pattern = r"(?i:api[_.-]?key|secret(?:_key)?)s?\s{0,4}[=:]";
        assert!(goes_on(pattern, &["key", "secret"], "API_KEY =", 7));
        assert!(goes_on(pattern, &["key", "secret"], "secret_keys:", 6));
        assert!(!goes_on(pattern, &["key", "secret"], "monkeys and", 6));
        // The word ends inside a run, whose rest comes behind.
        assert!(goes_on(r"[a-z_]{3,20}=x", &["key"], "my_key_two=x", 6));
        assert!(!goes_on(r"[a-z_]{3,20}=x", &["key"], "my_key two=x", 6));
    }

    #[test]
    fn what_matches_is_allowed_and_what_fails_early_is_not() {
        for (pattern, text) in [
            (r"\bkey=[a-z]{3,9}?;", " key=abcd;"),
            (r"(?i:api[_.-]?key|secret)s?\s{0,4}[=:]", "my_API-KEYs  :"),
            (r"x(?:ab?){2,5}y", "xaababy"),
            (r"x(?:ab?)*y", "xaababy"),
            (r"(?m:^[ \t]{1,4})a", "b\n  a"),
            (r"x[0-9]{4}(?:[0-9]{3})?!", "x0123!"),
            (r"(?:[a-z]{1,9}:){0,3}[a-z]{2}=", "ab:cd="),
            (r"(?u:é)x", "éx"),
            (r"a(?:|b)c$", "ac"),
        ] {
            assert!(allows(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            (r"\bkey=[a-z]{3,9}?;", "monkey=abcd;"),
            (r"(?i:api[_.-]?key|secret)s?\s{0,4}[=:]", "API--KEY="),
            (r"x(?:ab?){2,5}y", "xay"),
            (r"(?m:^[ \t]{1,4})a", "b  a"),
            (r"x[0-9]{4}(?:[0-9]{3})?!", "x01234!"),
        ] {
            assert!(!allows(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_was_worked_out_when_the_rules_were_built_in_is_what_would_be_worked_out_now() {
        for rule in &RuleSet::bundled().unwrap().rules {
            assert_eq!(
                rule.behind == Behind::Unasked,
                rule.lead == Lead::Missing,
                "{}",
                rule.id
            );
            let hir = parse(&rule.pattern).unwrap();
            let probe = |known| Probe::of(&hir, &rule.keywords, known);
            let (known, now) = (probe(rule.behind), probe(Behind::Unasked));
            assert_eq!(known.behind, now.behind, "{}", rule.id);
            let steps = |probe: &Probe| format!("{:?}", probe.steps.steps);
            assert_eq!(steps(&known), steps(&now), "{}", rule.id);
            if rule.lead != Lead::Missing {
                assert_eq!(rule.next, now.next, "{}", rule.id);
            }
        }
    }

    #[test]
    fn what_takes_too_long_is_believed() {
        let text = "a".repeat(180);
        assert!(allows(r"(?:a*)*(?:a*)*b", &text));
        assert!(allows(r"[a-z]{200,4000}!", &"a".repeat(300)));
    }
}
