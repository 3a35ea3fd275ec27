//! Placeholder.

use std::collections::BTreeMap;

use crate::finding::{Coverage, Finding, RuleCard};
use crate::leak::{Identity, Owner, Verdict};
use crate::secret::Fingerprint;

/// What was learnt of one secret after the scan.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    /// What its service says.
    pub verdict: Option<Verdict>,
    /// Whose it is.
    pub identity: Identity,
    /// Who must hear.
    pub owners: Vec<Owner>,
}

/// A whole scan, ready to be written.
#[derive(Debug)]
pub struct Report {
    /// What was found, sorted.
    pub findings: Vec<Finding>,
    /// The rules in use.
    pub rules: Vec<RuleCard>,
    /// What the scan went through.
    pub coverage: Coverage,
    /// By fingerprint.
    pub learnt: BTreeMap<Fingerprint, Learnt>,
    /// Where the repository is and which commit is checked out, for SARIF's version control provenance.
    pub repository: Option<(String, String)>,
}
