//! Whole services played on loopback with their odd behaviours, and the real binary led through the loop against them:
//! scan, verify, owners, notice, revoke, verify again.

mod github;
mod gitlab;
mod unleak;

use serde_json::Value;

/// A policy that allows one action for one service at once.
pub(crate) fn allow(service: &str, action: &str) -> String {
    format!(
        "[[policy.allow]]\nname = \"{action} {service} at once\"\naction = \"{action}\"\nservice = \"{service}\"\n"
    )
}

/// The beginning of a finding's fingerprint, as a person would type it.
fn fingerprint(finding: &Value) -> String {
    finding["fingerprint"].as_str().expect("a fingerprint")[..12].to_owned()
}

/// The state of a finding's verdict.
fn verdict(finding: &Value) -> &str {
    finding["verdict"]["state"].as_str().unwrap_or_default()
}
