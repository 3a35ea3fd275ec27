//! The pages in a real browser: `tests/run` installs Playwright and axe and names them in the environment; `cargo test`
//! alone passes without them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use super::site::{Kept, Site, TWO_PEOPLE, free_port, page_of};
use crate::real::{Running, here, installed};

#[test]
fn a_person_finds_approves_and_watches_with_mouse_keyboard_and_screen_reader() {
    let Some(tools) = tools() else {
        return skipped();
    };
    let site = Site::open(Kept::Sqlite, TWO_PEOPLE);
    let mut command = script(&site, &tools, "dashboard.mjs");
    command.env("UNLEAK_OPERATOR", super::site::OPERATOR);
    for person in ["ann", "amy", "max"] {
        let token = site.token(person, &["admin"]);
        command.env(format!("UNLEAK_TOKEN_{}", person.to_uppercase()), token);
    }
    runs(&site, command);
    site.until("it is dead", || site.is_dead(1));
    assert_eq!(site.service.state().revoked.len(), 1);
}

#[test]
fn a_person_signs_in_with_a_certified_provider_and_out_of_both() {
    let (Some(tools), Some(modules)) = (tools(), installed("oauth/node_modules")) else {
        return skipped();
    };
    let port = free_port();
    let base = format!("http://127.0.0.1:{port}");
    let mut node = crate::real::command("node".as_ref());
    node.arg(here("tests/tools/servers/oidc.mjs"))
        .arg(modules)
        .arg(&base);
    let (_running, told) = Running::telling(&mut node);
    let (provider, secret) = (told["base"].as_str().unwrap(), told["secret"].as_str().unwrap());
    let site = Site::listening(
        Kept::Sqlite,
        &format!("127.0.0.1:{port}"),
        &format!(
            "[serve.dashboard]\nurl = {base:?}\n[serve.dashboard.oidc]\nissuer = {provider:?}\nclient_id = \"unleak\"\n\
             client_secret = {{ file = \"oidc.secret\" }}\nname = \"Acme SSO\"\nscopes = [\"email\", \"groups\"]\n\
             operators = {{ groups = [\"operators\"] }}\n"
        ),
        secret,
    );
    site.fill();
    let mut command = script(&site, &tools, "elsewhere.mjs");
    command.env("UNLEAK_PROVIDER", provider);
    runs(&site, command);
}

/// Runs a script of `tests/browser`.
fn script(site: &Site, tools: &Path, name: &str) -> Command {
    let mut command = site.tool.command("node");
    command
        .arg(here("tests/browser").join(name))
        .env("UNLEAK_BROWSER_TOOLS", tools)
        .env("UNLEAK_BASE", &site.base)
        .env("UNLEAK_SHOTS", shots())
        .env("UNLEAK_LEAK", page_of(1))
        .env("UNLEAK_FOREIGN_LEAK", page_of(2));
    command
}

fn runs(site: &Site, mut command: Command) {
    let ran = crate::support::tool::Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, 0, "{}\n{}\n{}", ran.out, ran.err, site.log());
}

#[expect(
    clippy::print_stderr,
    reason = "the one way for a Rust test to say that it did nothing"
)]
fn skipped() {
    eprintln!("skipped: Playwright is not installed; tests/run installs it");
}

/// Where pictures go; nowhere if nobody asks for them.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration but the environment"
)]
fn shots() -> String {
    std::env::var("UNLEAK_SHOTS").unwrap_or_default()
}

fn tools() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests/run promises the browser's tools by this variable"
    )]
    let promised = std::env::var_os("UNLEAK_BROWSER_TOOLS");
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/browser");
    let folder = promised.map_or(installed, PathBuf::from);
    folder
        .join("node_modules/playwright-core")
        .exists()
        .then_some(folder)
}
