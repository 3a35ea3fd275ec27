//! The written form: gitleaks' configuration, and what betterleaks adds to it.
//!
//! These types say what may be written. Unknown fields are errors, so that nothing that narrows or widens a search is
//! ever passed over in silence.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

/// A whole configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct ConfigFile {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    #[serde(alias = "minversion")]
    pub(super) min_version: Option<Value>,
    pub(super) extend: ExtendFile,
    pub(super) allowlist: Option<AllowFile>,
    pub(super) allowlists: Vec<AllowFile>,
    pub(super) rules: Vec<Spanned<ForeignRule>>,
    pub(super) prefilter: Option<Value>,
    pub(super) filter: Option<Value>,
}

/// `[extend]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct ExtendFile {
    #[serde(alias = "usedefault")]
    pub(super) use_default: bool,
    pub(super) path: Option<String>,
    pub(super) url: Option<String>,
    #[serde(alias = "disabledrules")]
    pub(super) disabled_rules: Vec<String>,
}

/// `[[rules]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct ForeignRule {
    pub(super) id: String,
    pub(super) description: Option<String>,
    pub(super) regex: Option<String>,
    pub(super) path: Option<String>,
    pub(super) entropy: Option<f64>,
    #[serde(alias = "secretgroup")]
    pub(super) secret_group: Option<usize>,
    pub(super) keywords: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) allowlist: Option<AllowFile>,
    pub(super) allowlists: Vec<AllowFile>,
    #[serde(alias = "skipreport")]
    pub(super) skip_report: bool,
    pub(super) required: Vec<BTreeMap<String, Value>>,
    pub(super) prefilter: Option<Value>,
    pub(super) filter: Option<Value>,
    pub(super) validate: Option<Value>,
}

/// `[[allowlists]]`, of all rules or of one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct AllowFile {
    pub(super) description: Option<String>,
    pub(super) condition: Option<String>,
    pub(super) commits: Vec<String>,
    pub(super) paths: Vec<String>,
    #[serde(alias = "regextarget")]
    pub(super) regex_target: Option<String>,
    pub(super) regexes: Vec<String>,
    pub(super) stopwords: Vec<String>,
    #[serde(alias = "targetrules")]
    pub(super) target_rules: Vec<String>,
}
