//! The proof that the gate and what is asked before a pattern lose nothing: random matches of every rule's own pattern
//! stand where a call of that rule lets them be looked for.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::matcher::Scanner;
use super::plan;
use crate::rule::{Rule, RuleSet};
use crate::secret::FingerprintKey;

/// Numbers that look random and are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    /// Text that the pattern matches, but for what it says of boundaries. Any case, any alternative; repetitions now as
    /// few as may be, now as many, mostly between.
    fn text(&mut self, hir: &Hir, out: &mut Vec<u8>) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
            HirKind::Class(Class::Bytes(class)) => {
                let ranges = class.ranges();
                let range = ranges[self.below(ranges.len())];
                out.push(range.start() + self.below(range.len()) as u8);
            }
            HirKind::Class(Class::Unicode(class)) => {
                let range = class.ranges()[self.below(class.ranges().len())];
                let code = range.start() as usize + self.below(range.len());
                let letter = u32::try_from(code)
                    .ok()
                    .and_then(char::from_u32)
                    .unwrap_or(range.start());
                out.extend_from_slice(letter.to_string().as_bytes());
            }
            HirKind::Capture(capture) => self.text(&capture.sub, out),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.text(part, out)),
            HirKind::Alternation(parts) => {
                let part = self.below(parts.len());
                self.text(&parts[part], out);
            }
            HirKind::Repetition(repetition) => {
                let least = repetition.min as usize;
                let most = repetition.max.map_or(least + 300, |most| most as usize);
                let count = match self.below(8) {
                    0 => least,
                    1 => most,
                    _ => least + self.below((most - least).min(24) + 1),
                };
                (0..count).for_each(|_| self.text(&repetition.sub, out));
            }
        }
    }

    fn filler(&mut self, length: usize, out: &mut Vec<u8>) {
        let letters = b"abcxyzABCXYZ019 \n\t=:\"'_-./,;(){}<>\xC3\xA9";
        out.extend((0..length).map(|_| letters[self.below(letters.len())]));
    }
}

/// A text with a random match, and perhaps more; with context words where the rule wants them.
fn planted(rule: &Rule, hir: &Hir, random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    let filler = [0, random.below(140), random.below(40)][random.below(3)];
    random.filler(filler, &mut text);
    text.extend_from_slice([&b""[..], b"\n", b" ", b"\"", b"="][random.below(5)]);
    let context = rule.context.as_ref().filter(|context| !context.words.is_empty());
    let word = context.map(|context| context.words[random.below(context.words.len())].clone());
    let gap = context.map_or(0, |context| random.below(context.within));
    let before = random.below(2) == 0;
    if let (Some(word), true) = (&word, before) {
        text.extend_from_slice(word.as_bytes());
        text.push(b' ');
        random.filler(gap / 2, &mut text);
        text.extend_from_slice([&b"\n"[..], b" ", b"\""][random.below(3)]);
    }
    random.text(hir, &mut text);
    if let (Some(word), false) = (&word, before) {
        text.extend_from_slice([&b"\n"[..], b" ", b"\""][random.below(3)]);
        random.filler(gap.saturating_sub(word.len() + 2), &mut text);
        text.push(b' ');
        text.extend_from_slice(word.as_bytes());
    }
    if random.below(3) > 0 {
        text.extend_from_slice([&b"\n"[..], b" ", b"\"", b"'", b"&"][random.below(5)]);
        let filler = random.below(90);
        random.filler(filler, &mut text);
    }
    text
}

/// Where the pattern matches, every beginning of a match for itself, with the judgement's word on what stands around.
fn matches(rule: &Rule, text: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some(captures) = (at <= text.len()).then(|| rule.captures_at(text, at)).flatten() {
        let whole = captures.get_match();
        let secret = captures.name("secret").unwrap().range();
        let near = rule.context.as_ref().is_none_or(|context| {
            let from = secret.start.saturating_sub(context.within);
            let to = secret.end.saturating_add(context.within).min(text.len());
            let near = text[from..to].to_ascii_lowercase();
            context.words.is_empty()
                || context
                    .words
                    .iter()
                    .any(|word| memchr::memmem::find(&near, word.as_bytes()).is_some())
        });
        if near {
            all.push((whole.start(), whole.end()));
        }
        at = whole.start() + 1;
    }
    all
}

#[test]
fn random_matches_of_every_rule_are_looked_for_wherever_they_stand() {
    let rules = RuleSet::bundled().unwrap();
    let scanner = Scanner::new(&rules, FingerprintKey::new("a test"));
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut lost = Vec::new();
    for (number, rule) in rules.rules.iter().enumerate() {
        let hir = plan::parse(&rule.pattern).unwrap();
        let mut seen = 0;
        for _ in 0..40 {
            let text = planted(rule, &hir, &mut random);
            let mut windows = Vec::new();
            scanner.calls(&text, |called, keyword| {
                if called == number {
                    windows.push(scanner.window(number, &keyword));
                }
            });
            let missed = matches(rule, &text).into_iter().find(|(start, _)| {
                seen += 1;
                !windows
                    .iter()
                    .any(|window| window.from <= *start && *start <= window.to)
            });
            if let Some((start, end)) = missed {
                let text = String::from_utf8_lossy(&text[start..end.min(start + 200)]).into_owned();
                lost.push(format!("{} at {start}: {text:?}", rule.id));
                break;
            }
            if seen >= 8 {
                break;
            }
        }
        if seen == 0 {
            lost.push(format!("{}: no match was drawn", rule.id));
        }
    }
    assert!(lost.is_empty(), "{} lost:\n{}", lost.len(), lost.join("\n"));
}
