//! What may stand behind a keyword that is met often, as one automaton for all the rules that it calls.
//!
//! Asking each rule's probe costs some hundred nanoseconds wherever the keyword stands, and words such as "key" stand in
//! every third line: on the history of redis that was a third of a scan. The automaton is made of the probes' steps
//! with repetitions that go on without end, which keeps it small, and goes a few bytes until no rule is left. Its states
//! are made when a text first leads to them: made all at once they were ten thousand for "key" alone, of which a text
//! meets some hundred. Must never rule out a rule whose pattern goes on there: the probe is asked behind it.

use std::collections::{HashMap, HashSet};

use super::probe::Probe;
use crate::rule::steps::{Bytes, Step};

/// How often a keyword is met before it has an automaton, so that a small scan never waits for one.
pub(super) const OFTEN: u32 = 1024;

/// Bytes after which every rule that is left is believed.
const FAR: usize = 96;

/// Of a repetition so many are counted.
const COUNTED: u32 = 8;

/// States of the largest automaton; what would come behind is believed.
const MOST_STATES: usize = 8000;

/// Nothing matches any more.
const NONE: u16 = 0;

/// Where it begins.
const START: u16 = 1;

/// A transition that nobody has asked for yet.
const UNKNOWN: u16 = u16::MAX;

/// A transition into a state in which some rule is whole.
const GIVES: u16 = 1 << 15;

/// A rule of the keyword by its number, a step of its probe, and how many of it are counted.
type Place = (u16, u32, u32);

/// The automaton of one keyword, as far as it is made; each thread has its own.
#[derive(Debug)]
pub(super) struct Behind {
    /// For each byte its class: bytes of one class are in the same sets.
    classes: [u8; 256],
    /// How many classes there are.
    width: usize,
    next: Vec<u16>,
    states: Vec<State>,
    known: HashMap<Stand, u16>,
}

/// Where the rules stand after some bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Stand {
    /// Where a byte is needed, sorted.
    places: Vec<Place>,
    /// Rules that are whole here.
    gives: Vec<u16>,
}

/// What a state stands for.
#[derive(Debug)]
struct State {
    stand: Stand,
    /// Rules that are neither whole nor ruled out.
    left: Vec<u16>,
}

impl From<Stand> for State {
    fn from(stand: Stand) -> Self {
        let mut left: Vec<u16> = stand.places.iter().map(|place| place.0).collect();
        left.dedup();
        Self { stand, left }
    }
}

impl Behind {
    /// For the probes of the rules that a keyword calls; those without one are given at once.
    pub(super) fn new(probes: &[Option<Probe>]) -> Self {
        let (classes, width) = classes(probes);
        let mut behind = Self {
            classes,
            width,
            next: Vec::new(),
            states: Vec::new(),
            known: HashMap::new(),
        };
        behind.add(Stand::default());
        behind.add(start(probes));
        behind
    }

    /// Calls `found` with the number of every rule that may match around a keyword that ends at `end`. The probes are
    /// those that it was made for.
    pub(super) fn follow(
        &mut self,
        probes: &[Option<Probe>],
        text: &[u8],
        end: usize,
        mut found: impl FnMut(usize),
    ) {
        let mut give = |rules: &[u16]| rules.iter().for_each(|&rule| found(usize::from(rule)));
        give(&self.states[usize::from(START)].stand.gives);
        let mut state = usize::from(START);
        for &byte in &text[end..text.len().min(end + FAR)] {
            let transition = state * self.width + usize::from(self.classes[usize::from(byte)]);
            let mut to = self.next[transition];
            if to == UNKNOWN {
                to = self.enter(probes, state, byte);
                self.next[transition] = to;
            }
            state = usize::from(to & !GIVES);
            if to & GIVES != 0 {
                give(&self.states[state].stand.gives);
            }
            if state == usize::from(NONE) {
                return;
            }
        }
        give(&self.states[state].left);
    }

    /// The state behind another and a byte.
    #[cold]
    fn enter(&mut self, probes: &[Option<Probe>], state: usize, byte: u8) -> u16 {
        let mut stand = after(probes, &self.states[state].stand, byte);
        if self.states.len() >= MOST_STATES {
            // Every rule that is left is taken for whole; there are few such states.
            let left = State::from(stand.clone()).left;
            stand.gives.extend(left);
            stand.gives.sort_unstable();
            stand.places.clear();
        }
        let flag = if stand.gives.is_empty() { 0 } else { GIVES };
        let known = self.known.get(&stand).copied();
        known.unwrap_or_else(|| self.add(stand)) | flag
    }

    fn add(&mut self, stand: Stand) -> u16 {
        let number = self.states.len() as u16;
        self.known.insert(stand.clone(), number);
        self.states.push(stand.into());
        self.next.extend(std::iter::repeat_n(UNKNOWN, self.width));
        number
    }
}

fn classes(probes: &[Option<Probe>]) -> ([u8; 256], usize) {
    let steps = || probes.iter().flatten().map(Probe::steps);
    let mut sets: Vec<Bytes> = steps().flat_map(|steps| steps.sets.iter().copied()).collect();
    sets.extend(steps().flat_map(|steps| {
        steps.steps.iter().filter_map(|step| match step {
            Step::Byte(byte) => Some(Bytes::one(*byte)),
            _ => None,
        })
    }));
    sets.sort_unstable_by_key(|set| set.0);
    sets.dedup();
    let mut known: HashMap<Vec<bool>, u8> = HashMap::new();
    let mut classes = [0; 256];
    for byte in 0..=255_u8 {
        let of = sets.iter().map(|set| set.has(byte)).collect();
        let next = known.len() as u8;
        classes[usize::from(byte)] = *known.entry(of).or_insert(next);
    }
    (classes, known.len())
}

fn start(probes: &[Option<Probe>]) -> Stand {
    let (mut places, mut gives) = (Vec::new(), Vec::new());
    for (rule, probe) in (0..).zip(probes) {
        match probe.as_ref().and_then(Probe::behind) {
            Some(behind) => places.extend(behind.iter().map(|&step| (rule, step, 0))),
            None => gives.push(rule),
        }
    }
    close(probes, places, gives)
}

fn after(probes: &[Option<Probe>], stand: &Stand, byte: u8) -> Stand {
    let mut next = Vec::new();
    for &(rule, step, count) in &stand.places {
        let Some(probe) = &probes[usize::from(rule)] else {
            continue;
        };
        let steps = probe.steps();
        let has = |set: u16| steps.sets[usize::from(set)].has(byte);
        match steps.steps[step as usize] {
            Step::Byte(known) if known == byte => next.push((rule, step + 1, 0)),
            Step::One(set) if has(set) => next.push((rule, step + 1, 0)),
            Step::Run { set, least, .. } if has(set) => {
                next.push((rule, step, (count + 1).min(least.min(COUNTED))));
            }
            _ => {}
        }
    }
    close(probes, next, Vec::new())
}

/// Goes on to where a byte is needed; rules that are whole are given and followed no more.
fn close(probes: &[Option<Probe>], mut waiting: Vec<Place>, mut gives: Vec<u16>) -> Stand {
    let (mut places, mut seen) = (Vec::new(), HashSet::new());
    while let Some(place @ (rule, step, count)) = waiting.pop() {
        if !seen.insert(place) {
            continue;
        }
        let Some(probe) = &probes[usize::from(rule)] else {
            continue;
        };
        match probe.steps().steps[step as usize] {
            Step::Byte(_) | Step::One(_) => places.push(place),
            Step::Run { least, .. } => {
                places.push(place);
                if count >= least.min(COUNTED) {
                    waiting.push((rule, step + 1, 0));
                }
            }
            Step::Or(other) => waiting.extend([(rule, step + 1, 0), (rule, other, 0)]),
            Step::To(to) => waiting.push((rule, to, 0)),
            Step::Look(_) => waiting.push((rule, step + 1, 0)),
            Step::Believe => gives.push(rule),
        }
    }
    gives.sort_unstable();
    gives.dedup();
    places.retain(|(rule, ..)| !gives.contains(rule));
    places.sort_unstable();
    Stand { places, gives }
}

#[cfg(test)]
mod tests {
    use super::Behind;
    use crate::scan::plan::{Plan, parse};
    use crate::scan::probe::Probe;

    fn followed(patterns: &[&str], word: &str, text: &str) -> Vec<usize> {
        let words = [word.to_owned()];
        let probes = patterns
            .iter()
            .map(|pattern| Some(Probe::loose(&parse(pattern).unwrap(), &words)));
        let probes: Vec<Option<Probe>> = probes.chain([None]).collect();
        let mut found = Vec::new();
        let end = text.find(word).unwrap() + word.len();
        let mut behind = Behind::new(&probes);
        behind.follow(&probes, text.as_bytes(), end, |rule| found.push(rule));
        found.sort_unstable();
        found
    }

    #[test]
    fn only_rules_that_go_on_behind_the_keyword_are_left_and_those_that_cannot_be_asked() {
        let quoted = r#"(?i:key)\w{0,9}\s?=\s?"[a-z]{8,40}""#;
        let bare = r"(?i:my_)?key:\s{0,4}[a-z]{4}\b";
        for (text, rules) in [
            (r#"key_two = "abcdefgh""#, [0, 2].as_slice()),
            (r#"key_two = "abc" "#, &[2]),
            ("key: abcd", &[1, 2]),
            ("key: abc d", &[2]),
            ("monkeys and", &[2]),
            // At the end of the text it may be a piece of a longer one.
            ("key", &[0, 1, 2]),
        ] {
            assert_eq!(followed(&[quoted, bare], "key", text), rules, "{text}");
        }
    }

    #[test]
    fn what_is_far_behind_is_believed() {
        let text = format!("key{}", "a".repeat(200));
        assert_eq!(followed(&["key[a-z]{300}"], "key", &text), [0, 1]);
    }

    #[test]
    fn it_rules_out_no_rule_whose_probe_goes_on() {
        let set = crate::rule::RuleSet::bundled().unwrap();
        let rules: Vec<_> = set
            .rules
            .iter()
            .filter(|rule| rule.keywords.iter().any(|word| word == "key"))
            .collect();
        let probes: Vec<Probe> = rules
            .iter()
            .map(|rule| Probe::of(&parse(&rule.pattern).unwrap(), &rule.keywords, rule.behind))
            .collect();
        let loose: Vec<Option<Probe>> = rules.iter().map(|rule| Plan::loose(rule)).collect();
        let mut behind = Behind::new(&loose);
        for rule in &rules {
            for text in rule.accepts() {
                let text = text.as_bytes();
                let ends = (3..=text.len()).filter(|&end| text[end - 3..end].eq_ignore_ascii_case(b"key"));
                for end in ends {
                    let mut found = Vec::new();
                    behind.follow(&loose, text, end, |rule| found.push(rule));
                    for (number, probe) in probes.iter().enumerate() {
                        let goes_on = probe.goes_on(text, end, &mut Vec::new());
                        assert!(!goes_on || found.contains(&number), "{}", rule.id);
                    }
                }
            }
        }
    }
}
