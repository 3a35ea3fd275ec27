//! How bad a live token is by what it opens: its scopes and roles, as the rule file weighs them. Pure.

use crate::finding::Severity;
use crate::leak::Identity;
use crate::rule::Rule;
use crate::rule::file::WeightFile;

/// A severity, and why it is not the rule's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// How bad.
    pub severity: Severity,
    /// What it opens, in the rule file's words; `None` where nothing was weighed.
    pub because: Option<String>,
}

/// The first of the rule's weights that fits what the service told, else the rule's own severity.
pub fn weigh(rule: &Rule, identity: &Identity) -> Weight {
    let fitting = rule.weights().iter().find(|weight| fits(weight, identity));
    Weight {
        severity: fitting.map_or(rule.severity, |weight| weight.severity),
        because: fitting.map(|weight| weight.because.clone()),
    }
}

/// Scopes that the use of such tokens does not need; none, where the rule file does not know that use.
pub(super) fn beyond_use(rule: &Rule, identity: &Identity) -> Vec<String> {
    let Some(needed) = rule.needed() else {
        return Vec::new();
    };
    let mut scopes = identity.scopes.clone();
    scopes.retain(|scope| !any(&needed.scopes, scope));
    scopes
}

/// All that a weight gives must hold; what the service did not tell holds for none.
fn fits(weight: &WeightFile, identity: &Identity) -> bool {
    let scopes = &identity.scopes;
    let one_of = weight.scopes.is_empty() || scopes.iter().any(|scope| any(&weight.scopes, scope));
    let no_other =
        weight.only.is_empty() || (!scopes.is_empty() && scopes.iter().all(|scope| any(&weight.only, scope)));
    let facts = weight.identity.iter().all(|(name, pattern)| {
        let value = match name.as_str() {
            "principal" => identity.principal.as_ref(),
            "email" => identity.email.as_ref(),
            other => identity.more.get(other),
        };
        value.is_some_and(|value| like(pattern, value))
    });
    one_of && no_other && facts
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| like(pattern, text))
}

/// Whether a text is as a pattern says, in which `*` at the beginning or the end stands for anything; in any case of
/// letters.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn a_pattern_holds_of_a_beginning_an_end_a_middle_or_the_whole() {
        assert!(like("admin:*", "admin:org") && !like("admin:*", "read:admin:"));
        assert!(like("*:write", "event:write") && like("*admin*", "org:Admin:x"));
        assert!(like("repo", "repo") && !like("repo", "repo:status"));
    }
}
