//! How a rule is looked for near a keyword: read off its pattern when its keyword is first met.
//!
//! A keyword alone says little ("key" stands in every third line of some sources); what must stand around it says more
//! and is asked first, the pattern last. Must never rule out a place where the pattern matches.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::beginning;
use crate::rule::{Lead, Rule};

/// Bytes of a match's beginning that are asked for before the whole pattern is. With 96 there was no room for what may
/// stand before the keyword of some rules, and their beginnings said nothing: "key" then cost seven patterns each time.
const PEEK: usize = 192;

/// Longest tail that is asked for.
const LONGEST_TAIL: usize = 64;

/// Bytes beyond a piece that the judgement of a match looks at: words before it (`judge::UNLESS_WITHIN`), boundaries.
pub(super) const MARGIN: usize = 28;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Adds every byte that a match of `hir` may hold.
    fn add_all(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Literal(literal) => literal.0.iter().for_each(|&byte| self.add(byte)),
            HirKind::Class(Class::Bytes(class)) => {
                for range in class.ranges() {
                    (range.start()..=range.end()).for_each(|byte| self.add(byte));
                }
            }
            HirKind::Class(Class::Unicode(_)) => *self = Self([u64::MAX; 4]),
            _ => hir.kind().subs().iter().for_each(|sub| self.add_all(sub)),
        }
    }
}

/// What follows on the keyword in every match: so many bytes of a set, the keyword's own among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) set: Bytes,
    pub(super) length: usize,
}

impl Tail {
    /// Whether it stands at `start`. Asked from its far end: text that only begins like a token is dropped at once.
    pub(super) fn stands_at(&self, text: &[u8], start: usize) -> bool {
        text.get(start..start + self.length)
            .is_some_and(|tail| tail.iter().rev().all(|&byte| self.set.has(byte)))
    }
}

/// How one rule is looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Most bytes between the beginning of a match and the end of the keyword that calls the rule, if it is certain
    /// that the keyword stands in the match.
    pub(super) lead: Option<usize>,
    pub(super) tail: Option<Tail>,
    /// The first [`PEEK`] bytes of the pattern.
    pub(super) peek: Option<Hir>,
}

impl Plan {
    /// Reads the rule's pattern.
    pub(super) fn of(rule: &Rule) -> Self {
        let Some(hir) = beginning::parse(&rule.pattern) else {
            return Self::default();
        };
        let mut parts = Vec::new();
        flatten(&hir, &mut parts);
        let mut known = rule.keywords.clone();
        known.sort();
        known.dedup();
        let own = (0..parts.len()).find(|&from| begins_with(&parts[from..], &known));
        let (lead, tail) = match (own, rule.lead) {
            // The keywords stand for themselves at this place of the pattern: it is this place that calls the rule.
            (Some(from), _) => {
                let longest = rule.keywords.iter().map(String::len).max().unwrap_or(0);
                let before = most(&parts[..from]);
                (before.map(|before| before + longest), tail(&parts[from..]))
            }
            (None, Lead::Within(lead)) => (Some(lead), None),
            (None, Lead::Anywhere | Lead::Missing) => (None, None),
        };
        Self {
            lead,
            tail,
            peek: Some(beginning::cut(&hir, PEEK)),
        }
    }
}

/// The pattern as a row of parts.
fn flatten<'h>(hir: &'h Hir, parts: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Concat(all) => all.iter().for_each(|part| flatten(part, parts)),
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        HirKind::Empty => {}
        _ => parts.push(hir),
    }
}

/// Most bytes that the parts match.
fn most(parts: &[&Hir]) -> Option<usize> {
    parts.iter().map(|part| part.properties().maximum_len()).sum()
}

/// The longest row of parts that share a set of word-like bytes.
fn tail(parts: &[&Hir]) -> Option<Tail> {
    let (mut set, mut length) = (Bytes::default(), 0);
    for part in parts {
        let mut with = set;
        with.add_all(part);
        if (0..=255).any(|byte: u8| with.has(byte) && (byte.is_ascii_whitespace() || byte >= 0x80)) {
            break;
        }
        set = with;
        length += part.properties().minimum_len().unwrap_or(0);
    }
    let length = length.min(LONGEST_TAIL);
    (length > 0).then_some(Tail { set, length })
}

/// Most alternatives that are followed.
const MOST: usize = 64;

/// Whether these words, sorted, are the texts that the parts begin with.
fn begins_with(parts: &[&Hir], words: &[String]) -> bool {
    let mut run = vec![String::new()];
    for part in parts {
        match texts(part) {
            Some(texts) if run.len() * texts.len() <= MOST => run = joined(&run, &texts),
            _ => return false,
        }
        run.sort();
        run.dedup();
        if run == words {
            return true;
        }
    }
    false
}

fn joined(heads: &[String], tails: &[String]) -> Vec<String> {
    let join = |head: &String| {
        tails
            .iter()
            .map(move |tail| format!("{head}{tail}"))
            .collect::<Vec<_>>()
    };
    heads.iter().flat_map(join).collect()
}

/// Every text that `hir` matches, in lower case, where they are few.
fn texts(hir: &Hir) -> Option<Vec<String>> {
    let mut all = match hir.kind() {
        HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => vec![std::str::from_utf8(&literal.0).ok()?.to_ascii_lowercase()],
        HirKind::Class(Class::Bytes(class)) => {
            let bytes = class
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end());
            let bytes: Vec<u8> = bytes.take(17).map(|byte| byte.to_ascii_lowercase()).collect();
            if bytes.len() > 16 || !bytes.is_ascii() {
                return None;
            }
            bytes
                .into_iter()
                .map(|byte| char::from(byte).to_string())
                .collect()
        }
        HirKind::Capture(capture) => texts(&capture.sub)?,
        HirKind::Alternation(parts) => {
            let all: Option<Vec<Vec<String>>> = parts.iter().map(texts).collect();
            all?.concat()
        }
        HirKind::Concat(parts) => {
            let mut all = vec![String::new()];
            for part in parts {
                let tails = texts(part)?;
                if all.len() * tails.len() > MOST {
                    return None;
                }
                all = joined(&all, &tails);
            }
            all
        }
        HirKind::Repetition(repetition) if repetition.max == Some(1) && repetition.min == 0 => {
            let mut all = texts(&repetition.sub)?;
            all.push(String::new());
            all
        }
        _ => return None,
    };
    all.sort();
    all.dedup();
    (all.len() <= MOST).then_some(all)
}
