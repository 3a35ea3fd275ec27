//! What a reporter hears of each token: that it is a true one, a false alarm, or nothing.
//!
//! A label is what a token store said, or what the token's service said when it was asked; nothing is guessed. The same
//! report hears the same again, because what was known is kept with its delivery.

use std::collections::HashMap;

use serde::Serialize;

use super::record::Record;
use crate::leak::{DeadWhy, Revocation, Verdict};
use crate::secret::Fingerprint;
use crate::store::{Known, TakenIn};

/// One label, as GitHub takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Feedback {
    token_hash: String,
    token_type: String,
    label: &'static str,
}

/// The answer to a report.
#[derive(Clone, Debug)]
pub(super) struct Heard(Vec<Feedback>);

impl Heard {
    /// The labels of those records about which something is known, in their order.
    /// `names` are the fingerprints of each record's leaks.
    pub(super) fn new(records: &[Record], names: &[Vec<Fingerprint>], taken: &TakenIn) -> Self {
        let mut known: HashMap<Fingerprint, Vec<&Known>> = HashMap::new();
        for one in taken.known() {
            known.entry(one.fingerprint).or_default().push(one);
        }
        let told = |(record, names): (&Record, &Vec<Fingerprint>)| {
            let known: Vec<&Known> = names
                .iter()
                .filter_map(|name| known.get(name))
                .flatten()
                .copied()
                .collect();
            Some(Feedback {
                token_hash: record.hash.clone(),
                token_type: record.kind.clone(),
                label: if label(&known)? {
                    "true_positive"
                } else {
                    "false_positive"
                },
            })
        };
        Self(records.iter().zip(names).filter_map(told).collect())
    }

    pub(super) fn feedback(&self) -> &[Feedback] {
        &self.0
    }
}

/// Whether the token is a true one, by all that is known of it under several rules: one that says so is enough.
fn label(known: &[&Known]) -> Option<bool> {
    let said: Vec<bool> = known
        .iter()
        .filter_map(|known| known.issued.or_else(|| by_service(known)))
        .collect();
    (!said.is_empty()).then(|| said.contains(&true))
}

/// What the service said when it was asked. That it does not know a token is no proof that it never did: most say the
/// same of a revoked one.
fn by_service(known: &Known) -> Option<bool> {
    if matches!(known.revocation, Some(Revocation::Done { .. })) {
        return Some(true);
    }
    match known.verdict.as_ref()? {
        Verdict::Live { .. } => Some(true),
        Verdict::Dead { why, .. } => (*why != DeadWhy::UnknownToService).then_some(true),
        Verdict::Unknown { .. } => None,
    }
}
