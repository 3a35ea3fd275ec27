//! The pages in a real browser: `tests/run` installs Playwright and axe and names them in the environment; `cargo test`
//! alone passes without them.

use std::path::{Path, PathBuf};

use super::site::{Kept, Site, TWO_PEOPLE, page_of};

#[test]
fn a_person_finds_approves_and_watches_with_mouse_keyboard_and_screen_reader() {
    let Some(tools) = tools() else {
        return skipped();
    };
    let site = Site::open(Kept::Sqlite, TWO_PEOPLE);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/dashboard.mjs");
    let mut command = site.tool.command("node");
    command
        .arg(&script)
        .env("UNLEAK_BROWSER_TOOLS", &tools)
        .env("UNLEAK_BASE", &site.base)
        .env("UNLEAK_SHOTS", shots())
        .env("UNLEAK_OPERATOR", super::site::OPERATOR)
        .env("UNLEAK_LEAK", page_of(1))
        .env("UNLEAK_FOREIGN_LEAK", page_of(2));
    for person in ["ann", "amy", "max"] {
        let token = site.token(person, &["admin"]);
        command.env(format!("UNLEAK_TOKEN_{}", person.to_uppercase()), token);
    }
    let ran = crate::support::tool::Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, 0, "{}\n{}\n{}", ran.out, ran.err, site.log());
    site.until("it is dead", || site.is_dead(1));
    assert_eq!(site.service.state().revoked.len(), 1);
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
