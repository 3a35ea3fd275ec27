//! Inline marks that say a finding on their line does not count.
//!
//! `unleak:ignore RULE reason` names a rule or a service; the marks of other tools are honoured as they are. A mark
//! never hides a finding from the report: it is shown as suppressed, with its reason.

use std::ops::Range;

use super::matcher::Hit;
use crate::finding::{Mark, RuleId, ScanPath, Suppression};

/// Our own mark.
const OWN: &str = "unleak:ignore";

/// Marks of other tools, which name no rule.
const FOREIGN: [&str; 5] = [
    "gitleaks:allow",
    "betterleaks:allow",
    "trufflehog:ignore",
    "kingfisher:ignore",
    "pragma: allowlist secret",
];

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 200;

/// The mark on one of the lines that the range touches, if it applies to this rule.
pub(super) fn mark_at(text: &[u8], range: &Range<usize>, rule: &RuleId) -> Option<Suppression> {
    let start = memchr::memrchr(b'\n', &text[..range.start]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &text[range.end..]).map_or(text.len(), |newline| range.end + newline);
    // The secret itself is cut out: it may hold anything, and must not get into the reason.
    let (before, after) = (&text[start..range.start], &text[range.end..end]);
    [after, before]
        .into_iter()
        .find_map(|part| mark_in(&String::from_utf8_lossy(part), rule))
}

fn mark_in(line: &str, rule: &RuleId) -> Option<Suppression> {
    let written = Written::of(line)?;
    let names = |name: &str| name == rule.as_str() || name == rule.service();
    written.rule.is_none_or(names).then(|| Suppression::Inline {
        mark: written.mark.to_owned(),
        reason: written.reason,
    })
}

/// A mark as it stands in a line.
struct Written<'l> {
    mark: &'static str,
    /// The rule or service that it names; our own always names one, if only an empty one.
    rule: Option<&'l str>,
    reason: String,
}

impl<'l> Written<'l> {
    /// The mark in this line; our own goes before those of others.
    fn of(line: &'l str) -> Option<Self> {
        if let Some((_, rest)) = line.split_once(OWN) {
            let rest = rest.trim_start();
            let (name, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            return Some(Self {
                mark: OWN,
                rule: Some(name),
                reason: reason(after),
            });
        }
        FOREIGN.iter().find_map(|mark| {
            let (_, rest) = line.split_once(mark)?;
            Some(Self {
                mark,
                rule: None,
                reason: reason(rest),
            })
        })
    }
}

fn reason(text: &str) -> String {
    let text = text.trim().trim_end_matches("*/").trim_end_matches("-->").trim();
    text.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_REASON)
        .collect()
}

/// Most marks of one text that are listed.
const MOST_LISTED: usize = 10_000;

/// Every mark in `text`; it is used if one of the hits on its line is suppressed by it.
pub(super) fn marks(text: &[u8], path: &ScanPath, hits: &[Hit]) -> Vec<Mark> {
    let holds = |line: &[u8]| {
        let has = |mark: &str| memchr::memmem::find(line, mark.as_bytes()).is_some();
        has(OWN) || FOREIGN.into_iter().any(has)
    };
    let lines = text.split(|&byte| byte == b'\n').enumerate();
    let marks = lines.filter(|(_, line)| holds(line)).filter_map(|(at, line)| {
        let number = at + 1;
        let on_line: Vec<&Hit> = hits
            .iter()
            .filter(|hit| (hit.place.line..=hit.place.end_line).contains(&number))
            .collect();
        let used = on_line
            .iter()
            .any(|hit| matches!(hit.suppression, Some(Suppression::Inline { .. })));
        // A secret on the line must not get into the reason.
        let mut shown = line.to_vec();
        for hit in &on_line {
            let secret = hit.secret.expose();
            while let Some(start) = memchr::memmem::find(&shown, secret).filter(|_| !secret.is_empty()) {
                shown.splice(start..start + secret.len(), []);
            }
        }
        let shown = String::from_utf8_lossy(&shown).into_owned();
        let written = Written::of(&shown)?;
        Some(Mark {
            path: path.clone(),
            line: number,
            mark: written.mark.to_owned(),
            rule: written.rule.map(str::to_owned),
            reason: written.reason,
            used,
        })
    });
    marks.take(MOST_LISTED).collect()
}

#[cfg(test)]
mod tests {
    use super::mark_at;
    use crate::finding::{RuleId, Suppression};

    fn mark(line: &str) -> Option<(String, String)> {
        let start = line.find("SECRET").unwrap();
        match mark_at(
            line.as_bytes(),
            &(start..start + 6),
            &RuleId::new("github", "pat"),
        )? {
            Suppression::Inline { mark, reason } => Some((mark, reason)),
            _ => None,
        }
    }

    #[test]
    fn our_mark_applies_to_the_rule_or_service_that_it_names() {
        let found = |reason: &str| Some(("unleak:ignore".to_owned(), reason.to_owned()));
        assert_eq!(
            mark("SECRET # unleak:ignore github/pat test data"),
            found("test data")
        );
        assert_eq!(mark("SECRET /* unleak:ignore github */"), found(""));
        assert_eq!(mark("SECRET # unleak:ignore gitlab not this one"), None);
        assert_eq!(
            mark("SECRET # unleak:ignore"),
            None,
            "a mark without a rule would hide anything"
        );
    }

    #[test]
    fn marks_of_other_tools_are_honoured_on_the_same_line_only() {
        assert_eq!(mark("SECRET # gitleaks:allow").unwrap().0, "gitleaks:allow");
        assert_eq!(
            mark("SECRET // pragma: allowlist secret").unwrap().0,
            "pragma: allowlist secret"
        );
        assert_eq!(mark("# gitleaks:allow\nSECRET"), None);
    }
}
