//! A service: the file of its rules, read when it is first asked about.

use std::sync::OnceLock;

use super::file::{ServiceFile, ServiceHead};

/// One service.
#[derive(Debug)]
pub struct Service {
    /// File name without ending: `github`.
    pub name: String,
    /// Where it was read from, for messages.
    pub shown: String,
    /// Whether its rules come from another tool's configuration.
    pub imported: bool,
    pub(super) text: &'static str,
    pub(super) file: OnceLock<ServiceFile>,
}

impl Service {
    /// The rule file as written; one that was built in is read when first asked for.
    pub fn file(&self) -> &ServiceFile {
        #[expect(
            clippy::expect_used,
            reason = "rules check has read every file that is built in"
        )]
        self.file
            .get_or_init(|| toml::from_str(self.text).expect("a rule file that was built in can be read"))
    }

    /// `[service]`.
    pub fn head(&self) -> &ServiceHead {
        &self.file().service
    }

    /// Base URLs that the rule file names: its regions, else `https://` and its first host, else none.
    pub fn bases(&self) -> Vec<String> {
        let head = self.head();
        if head.regions.is_empty() {
            return head
                .hosts
                .first()
                .map(|host| format!("https://{host}"))
                .into_iter()
                .collect();
        }
        head.regions.clone()
    }

    /// A page of the rule file on the first of [`Service::bases`], for who does not know which instance it is about.
    pub(super) fn page(&self, page: &str) -> Option<String> {
        match page.strip_prefix("{base}") {
            Some(path) => Some(format!("{}{path}", self.bases().first()?)),
            None => Some(page.to_owned()),
        }
    }
}
