//! Inline marks that say a finding on their line does not count.
//!
//! `unleak:ignore RULE reason` names a rule or a service; the marks of other tools are honoured as they are. A mark
//! never hides a finding from the report: it is shown as suppressed, with its reason.

use std::ops::Range;

use crate::finding::{RuleId, Suppression};

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
    let inline = |mark: &str, reason: &str| {
        let reason = reason
            .trim()
            .trim_end_matches("*/")
            .trim_end_matches("-->")
            .trim();
        let reason: String = reason
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_REASON)
            .collect();
        Some(Suppression::Inline {
            mark: mark.to_owned(),
            reason,
        })
    };
    if let Some((_, rest)) = line.split_once(OWN) {
        let rest = rest.trim_start();
        let (name, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if name == rule.as_str() || name == rule.service() {
            return inline(OWN, reason);
        }
        return None;
    }
    FOREIGN
        .iter()
        .find_map(|mark| line.split_once(mark).and_then(|(_, rest)| inline(mark, rest)))
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
            Suppression::Baseline => None,
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
