//! The remarks on a pull request. They hold foreign text (paths, titles), which is made harmless, and no secret.

use sha2::{Digest as _, Sha256};

use crate::finding::{Finding, RuleCard};
use crate::notify::review::Remark;
use crate::report::{Report, in_markdown};

/// Text in one line that cannot end up as a control sequence.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn card<'r>(report: &'r Report, finding: &Finding) -> Option<&'r RuleCard> {
    report.rules.iter().find(|card| card.id == finding.rule)
}

fn title(report: &Report, finding: &Finding) -> String {
    card(report, finding).map_or_else(|| finding.rule.to_string(), |card| card.title.clone())
}

/// One remark for each leak, at the first place where it counts.
pub(super) fn remarks(report: &Report) -> Vec<Remark> {
    let mut told = std::collections::BTreeSet::new();
    let mut places: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let mut remarks = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.counts()) {
        let (Some(commit), true) = (
            finding.location.origin.commit(),
            told.insert((finding.fingerprint, finding.rule.clone())),
        ) else {
            continue;
        };
        let path = String::from_utf8_lossy(finding.location.path.as_bytes()).into_owned();
        // A fingerprint is another one on every runner, and the leak's remark must be found again.
        let name = format!("{}\0{}\0{path}", finding.rule, finding.redacted);
        let before = places.entry(name.clone()).or_default();
        let digest = Sha256::digest(format!("{name}\0{before}"));
        *before += 1;
        remarks.push(Remark {
            name: digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            commit: commit.id.clone(),
            path,
            line: finding.location.end_line,
            text: remark(report, finding),
        });
    }
    remarks
}

fn remark(report: &Report, finding: &Finding) -> String {
    let page = card(report, finding).and_then(|card| card.page.clone());
    let revoke = page.map_or_else(|| "where it was made".to_owned(), |page| format!("at {page}"));
    format!(
        "**{} {}** leaks here.\n\nRevoke it {revoke}, then replace it where it is used: everybody who can read this pull \
         request has it, also after a later commit deletes it. Is it no secret? Write `unleak:ignore {} why` on its line.",
        in_markdown(&title(report, finding)),
        in_markdown(&finding.redacted),
        finding.rule
    )
}
