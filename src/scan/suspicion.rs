//! Whether anything may be found in a text, told from small pieces of it: what lets the history be scanned by what is
//! new in each blob (`source::history::Suspicion`).
//!
//! Wherever [`Scanner::look`] would find something there is a piece of at most [`Scanner::reach`] bytes that alone makes
//! [`Scanner::signs`] name it: a match with what its judgement looks at around it; of a longer match its beginning, or
//! its keyword where even that cannot be told. Must never say no where a look would find something: it tries every
//! beginning of a match, also inside those that its rule refuses, and where that takes too long it says yes.

use std::ops::Range;

use super::matcher::{Scanner, Window};
use super::plan::{LOOKED_AT, MARGIN};
use crate::rule::Rule;
use crate::rule::judge::judge;
use crate::source::history::Sign;

/// Longest piece that is told apart. A larger one keeps more of every blob around what is new in it, a smaller one
/// makes more of the rules look for beginnings alone.
const REACH: usize = 344;
const _: () = assert!(LOOKED_AT <= REACH);

/// Refused matches in one window after which it is suspect all the same.
const MOST_REFUSED: usize = 256;

/// Bytes of the piece that a whole match with its surroundings takes; none where whole lines may be asked about.
fn piece(rule: &Rule) -> Option<usize> {
    if rule.asks_lines() {
        return None;
    }
    let within = rule.context.as_ref().map_or(0, |context| context.within);
    Some(rule.longest?.saturating_add(within + MARGIN)).filter(|&piece| piece <= REACH)
}

impl Scanner {
    /// Longest piece of text that [`Scanner::signs`] has to see whole, in bytes.
    pub fn reach(&self) -> usize {
        let pieces = self.rules.iter().map(|rule| piece(rule).unwrap_or(REACH));
        pieces.max().unwrap_or(0)
    }

    /// Every place at which something may be found in a text that holds a piece of this one.
    pub fn signs(&self, text: &[u8]) -> Vec<Sign> {
        let mut signs = Vec::new();
        self.calls_again(text, |rule, keyword| {
            if self.is_suspect(rule, text, &keyword) {
                signs.push(self.sign(rule, keyword));
            }
        });
        signs
    }

    fn sign(&self, rule: usize, keyword: Range<usize>) -> Sign {
        let compiled = &self.rules[rule];
        let window = self.window(rule, &keyword);
        let around = compiled.context.as_ref().map_or(0, |context| context.within) + MARGIN;
        let longest = compiled.longest.unwrap_or(usize::MAX);
        Sign {
            what: rule,
            before: keyword.start - window.from.min(keyword.start) + around,
            after: (window.to.saturating_sub(keyword.end))
                .saturating_add(longest)
                .saturating_add(around),
            start: keyword.start,
            end: keyword.end,
        }
    }

    /// Whether something may be found where this sign stands.
    pub fn holds(&self, text: &[u8], sign: &Sign) -> bool {
        self.stands(sign.what, text, self.window(sign.what, &(sign.start..sign.end)))
    }

    /// A match that fits into a piece is judged; of a longer one its beginning was seen, or its keyword.
    fn is_suspect(&self, rule: usize, text: &[u8], keyword: &Range<usize>) -> bool {
        piece(&self.rules[rule]).is_none() || self.stands(rule, text, self.window(rule, keyword))
    }

    /// Whether the rule stands by a match in the window, wherever it begins.
    fn stands(&self, rule: usize, text: &[u8], window: Window) -> bool {
        let compiled = &self.rules[rule];
        let end = window.end(text);
        let mut at = window.from;
        for _ in 0..MOST_REFUSED {
            let Some(captures) = (at <= end)
                .then(|| compiled.captures_at(&text[..end], at))
                .flatten()
            else {
                return false;
            };
            let whole = captures.get_match();
            if whole.start() > window.to {
                return false;
            }
            if whole.end() == end && end < text.len() {
                return true; // it may go on
            }
            if judge(compiled, text, &captures).is_some() {
                return true;
            }
            at = whole.start() + 1;
        }
        true
    }
}
