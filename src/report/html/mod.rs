//! One page with everything in it: read without a network, filtered where there is JavaScript, and never with a secret.
//!
//! Nothing is loaded from anywhere, and nothing of the scanned bytes can run: askama escapes every text, and the page
//! allows its own style and its own script alone, by their hashes.

mod view;

use std::io::Write;

use anyhow::{Context as _, Result};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::Report;
use super::redact::Redactor;
use view::View;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page {
    /// What the page may run, show and load: nothing but these two.
    policy: String,
    style: &'static str,
    script: &'static str,
    view: View,
}

/// Writes the page.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    let redactor = Redactor::of(report)?;
    let page = Page {
        policy: format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
            hash(STYLE),
            hash(SCRIPT)
        ),
        style: STYLE,
        script: SCRIPT,
        view: View::of(report, &redactor),
    };
    page.write_into(out).context("cannot write the page")
}

/// As a content security policy names an inline element.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
