//! What rules cost: how often their keywords stand in ordinary source text. A few rules that are called everywhere cost
//! more than a thousand others, so each of them says in its file that it is meant.

use std::io::Write;

use anyhow::Result;

use crate::rule::check::Problem;
use crate::rule::{Rule, RuleSet};
use crate::scan::typical::{LEAST, per_million};

/// How often the gate calls the rule, for every million bytes.
fn rate(rule: &Rule) -> u32 {
    rule.keywords.iter().map(|word| per_million(word)).sum()
}

/// A costly rule that does not say why.
pub(super) fn problem(rule: &Rule) -> Option<Problem> {
    let rate = rate(rule);
    (rate >= LEAST && rule.costly().is_none()).then(|| Problem {
        file: rule.service.shown.clone(),
        rule: Some(rule.id.clone()),
        what: format!("its keywords stand about {rate} times in every million bytes of source text"),
        next: "choose rarer keywords, or say why with costly = \"…\"".to_owned(),
    })
}

/// One line a rule, the dearest first.
pub(super) fn list(set: &RuleSet, out: &mut dyn Write) -> Result<()> {
    let mut rates: Vec<(u32, &Rule)> = set.rules.iter().map(|rule| (rate(rule), &**rule)).collect();
    rates.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    writeln!(out, "calls in a million bytes  rule")?;
    for (rate, rule) in rates {
        let rate = if rate == 0 {
            format!("under {LEAST}")
        } else {
            rate.to_string()
        };
        let why = rule.costly().map(|why| format!("  ({why})")).unwrap_or_default();
        writeln!(out, "{rate:>24}  {}{why}", rule.id)?;
    }
    Ok(())
}
