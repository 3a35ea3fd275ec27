//! TEMPORARY
use super::Rule;
use regex::bytes::Captures;
use std::collections::BTreeMap;
use std::ops::Range;
/// x
pub struct Judged {
    /// x
    pub range: Range<usize>,
    /// x
    pub facts: BTreeMap<String, String>,
}
/// x
pub fn judge(rule: &Rule, _hay: &[u8], captures: &Captures<'_>) -> Option<Judged> {
    let m = captures.name("secret")?;
    if let Some(c) = rule.checksum {
        if !c.holds(m.as_bytes()) {
            return None;
        }
    }
    Some(Judged {
        range: m.range(),
        facts: BTreeMap::new(),
    })
}
