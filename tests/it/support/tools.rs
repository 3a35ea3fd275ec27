//! Programs of others that `tests/run` installs into `target/tools`.

use std::path::{Path, PathBuf};

/// The program, if it is installed. In CI it must be; elsewhere the test says that it does nothing.
#[expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "the one way for a Rust test to say that it did nothing"
)]
pub(crate) fn program(below: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/tools")
        .join(below);
    if path.is_file() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "target/tools/{below} is missing: tests/run installs it"
    );
    eprintln!("SKIPPED: target/tools/{below} is not installed; tests/run installs it");
    None
}
