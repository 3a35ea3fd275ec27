//! Reads off a pattern's syntax tree what every match must hold: literals for the gate, the longest match, and the
//! literal that the secret begins with.

use anyhow::{Context as _, Result};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::lead::Lead;
use super::steps::{self, Bytes};

/// Most alternatives that keywords may branch into before the branching part is passed over.
const MOST_KEYWORDS: usize = 64;

/// Most keywords that one of two bytes is made longer into.
const MOST_SHORT: usize = 300;

/// A keyword of so many bytes stands in so many places that it matters what comes behind it.
const SHORT: usize = 3;

/// What a pattern promises.
pub(super) struct Shape {
    /// One of these occurs in every match (ASCII case folded); empty if nothing is certain. Those given, if any are.
    pub keywords: Vec<String>,
    /// Where the first of the keywords stands in a match.
    pub lead: Lead,
    /// Bytes that may stand behind the first of the keywords, where that is asked because one is short.
    pub next: Bytes,
    /// Bytes of the longest match, if bounded.
    pub longest: Option<usize>,
    /// Literal at the start of the group `secret`.
    pub secret_prefix: String,
    /// Names of the groups.
    pub groups: Vec<String>,
}

impl Shape {
    /// Parses the pattern as `regex::bytes` would. `given` are the words that call the rule, where its file names them.
    pub(super) fn of(pattern: &str, given: Vec<String>) -> Result<Self> {
        let hir = parse(pattern)?;
        let mut groups = Vec::new();
        let mut secret_prefix = String::new();
        walk(&hir, &mut |hir| {
            if let HirKind::Capture(capture) = hir.kind() {
                let name = capture.name.as_deref().unwrap_or_default();
                if name == "secret" {
                    secret_prefix = prefix(&capture.sub).0;
                }
                groups.push(name.to_owned());
            }
        });
        let keywords = if given.is_empty() {
            needed(&hir).unwrap_or_default()
        } else {
            given.iter().map(|word| word.to_lowercase()).collect()
        };
        let lead = Lead::of(&hir, &keywords);
        let asked = lead != Lead::Missing && keywords.iter().any(|word| word.len() <= SHORT);
        Ok(Self {
            next: if asked {
                steps::after(&hir, &keywords)
            } else {
                Bytes::ALL
            },
            lead,
            keywords,
            longest: hir.properties().maximum_len(),
            secret_prefix,
            groups,
        })
    }
}

/// Reads a pattern as `regex::bytes` does without Unicode.
pub(super) fn parse(pattern: &str) -> Result<Hir> {
    let mut builder = regex_syntax::ParserBuilder::new();
    let mut parser = builder.utf8(false).unicode(false).build();
    parser.parse(pattern).context("its pattern cannot be read")
}

fn walk(hir: &Hir, visit: &mut dyn FnMut(&Hir)) {
    visit(hir);
    for sub in hir.kind().subs() {
        walk(sub, visit);
    }
}

/// The literal that `hir` begins with, and whether all of `hir` is that literal.
fn prefix(hir: &Hir) -> (String, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (String::new(), true),
        HirKind::Literal(literal) => (String::from_utf8_lossy(&literal.0).into_owned(), true),
        HirKind::Capture(capture) => prefix(&capture.sub),
        HirKind::Concat(parts) => {
            let mut text = String::new();
            for part in parts {
                let (more, whole) = prefix(part);
                text.push_str(&more);
                if !whole {
                    return (text, false);
                }
            }
            (text, true)
        }
        HirKind::Class(_) | HirKind::Repetition(_) | HirKind::Alternation(_) => (String::new(), false),
    }
}

/// Literals of which one occurs in every match, the best set that the tree offers.
fn needed(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = String::from_utf8(literal.0.to_vec()).ok()?;
            Some(vec![text.to_ascii_lowercase()])
        }
        HirKind::Capture(capture) => needed(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needed(&repetition.sub),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(needed(part)?);
            }
            all.sort();
            all.dedup();
            (all.len() <= MOST_KEYWORDS).then_some(all)
        }
        HirKind::Concat(parts) => best(concat(parts)),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) | HirKind::Repetition(_) => None,
    }
}

/// Sets of literals that the parts of a concatenation offer; neighbouring literals and folded letters are joined,
/// and so is a small class to the literal before it.
fn concat(parts: &[Hir]) -> Vec<Vec<String>> {
    let mut offers = Vec::new();
    let mut run: Vec<String> = vec![String::new()];
    let flush = |run: &mut Vec<String>, offers: &mut Vec<Vec<String>>| {
        if run.iter().all(|text| text.len() >= 2) {
            offers.push(run.clone());
        }
        *run = vec![String::new()];
    };
    for part in parts {
        let choices = match part.kind() {
            HirKind::Look(_) => continue,
            HirKind::Class(class) => small_class(class, 8),
            HirKind::Literal(_) | HirKind::Alternation(_) => whole(part),
            HirKind::Capture(capture) => {
                offers.extend(needed(part));
                whole(&capture.sub)
            }
            _ => None,
        };
        match choices {
            Some(choices) if run.len() * choices.len() <= MOST_KEYWORDS => {
                run = run
                    .iter()
                    .flat_map(|head| choices.iter().map(move |tail| format!("{head}{tail}")))
                    .collect();
            }
            _ => {
                lengthen(&mut run, part);
                flush(&mut run, &mut offers);
                offers.extend(needed(part));
            }
        }
    }
    flush(&mut run, &mut offers);
    offers
}

/// Every text that the part can match, where they are few and literal.
fn whole(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![
            String::from_utf8(literal.0.to_vec()).ok()?.to_ascii_lowercase(),
        ]),
        HirKind::Class(class) => small_class(class, 8),
        HirKind::Alternation(parts) => {
            let all: Option<Vec<_>> = parts.iter().map(whole).collect();
            Some(all?.concat())
        }
        HirKind::Concat(parts) => {
            let mut all = vec![String::new()];
            for part in parts {
                let tails = whole(part)?;
                if all.len() * tails.len() > MOST_KEYWORDS {
                    return None;
                }
                all = all
                    .iter()
                    .flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}")))
                    .collect();
            }
            Some(all)
        }
        _ => None,
    }
}

/// Literals of two bytes stand everywhere: what a class that is repeated begins with is put behind them.
fn lengthen(run: &mut Vec<String>, part: &Hir) {
    let HirKind::Repetition(repetition) = part.kind() else {
        return;
    };
    let HirKind::Class(class) = repetition.sub.kind() else {
        return;
    };
    let Some(choices) = small_class(class, 40) else {
        return;
    };
    for _ in 0..repetition.min {
        let is_short =
            run.iter().all(|text| (2..4).contains(&text.len())) && run.len() * choices.len() <= MOST_SHORT;
        if !is_short || (run.len() == 1 && run[0].len() == 3) {
            return;
        }
        *run = run
            .iter()
            .flat_map(|head| choices.iter().map(move |tail| format!("{head}{tail}")))
            .collect();
    }
}

/// The characters of a class of at most `most` that hold no end of a line, upper case folded into lower.
fn small_class(class: &Class, most: u32) -> Option<Vec<String>> {
    let mut letters: Vec<char> = Vec::new();
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .map(|r| (r.start() as u32, r.end() as u32))
            .collect(),
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .map(|r| (u32::from(r.start()), u32::from(r.end())))
            .collect(),
    };
    for (start, end) in ranges {
        // The Kelvin sign and the long s fold to k and s; a token never holds them.
        if matches!(start, 0x212A | 0x17F) && start == end {
            continue;
        }
        // No keyword goes on into the next line, so that text can be looked at line by line (`scan::memory`).
        let ends_lines = start == 0 || (start..=end).contains(&u32::from(b'\n'));
        if end - start >= most || end >= 0x80 || ends_lines {
            return None;
        }
        letters.extend(
            (start..=end)
                .filter_map(char::from_u32)
                .map(|c| c.to_ascii_lowercase()),
        );
    }
    letters.sort_unstable();
    letters.dedup();
    (letters.len() <= most as usize).then(|| letters.into_iter().map(String::from).collect())
}

/// The set whose shortest literal is longest; where that ties the one with fewer literals, then the first.
fn best(offers: Vec<Vec<String>>) -> Option<Vec<String>> {
    offers.into_iter().rev().max_by_key(|set| {
        let shortest = set.iter().map(String::len).min().unwrap_or(0);
        (shortest.min(8), std::cmp::Reverse(set.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::Shape;

    fn keywords(pattern: &str) -> Vec<String> {
        Shape::of(pattern, Vec::new()).unwrap().keywords
    }

    #[test]
    fn the_literal_of_a_prefixed_token_is_its_keyword_and_prefix() {
        let shape = Shape::of(r"\b(?<secret>exp_[A-Za-z0-9]{36})\b", Vec::new()).unwrap();
        assert_eq!(shape.keywords, ["exp_"]);
        assert_eq!(shape.secret_prefix, "exp_");
        assert_eq!(shape.longest, Some(40));
    }

    #[test]
    fn alternatives_branch_and_case_is_folded() {
        assert_eq!(
            keywords(r"(?<secret>gh[pou]_[A-Za-z0-9]{36})"),
            ["gho_", "ghp_", "ghu_"]
        );
        assert_eq!(keywords(r"(?i)(?<secret>token_[a-z]{9})"), ["token_"]);
    }

    #[test]
    fn a_keyword_of_two_bytes_is_made_longer_where_few_bytes_may_follow() {
        let keywords = keywords(r"(?<secret>SK[a-f0-9]{32})");
        assert_eq!(keywords.len(), 256);
        assert!(keywords.contains(&"sk9e".to_owned()));
    }

    #[test]
    fn a_shape_without_literals_has_no_keywords() {
        assert!(keywords(r"\b(?<secret>[a-f0-9]{40})\b").is_empty());
    }
}
