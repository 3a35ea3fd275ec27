//! Where a command's result goes: standard output, or a file that is written whole or not at all; and how paths are shown in it.

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Whether standard output is a terminal that shows colours.
pub(super) fn color(plain: bool) -> bool {
    !plain && std::io::stdout().is_terminal()
}

/// Writes the file beside its place and moves it there, so that no reader ever sees half of it.
pub(super) fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let shown = path.display();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).with_context(|| format!("cannot write {shown}"))?;
    let mut out = std::io::BufWriter::new(file);
    write(&mut out)?;
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error);
    let file = file.with_context(|| format!("cannot write {shown}"))?;
    file.persist(path)
        .with_context(|| format!("cannot write {shown}"))?;
    Ok(())
}

/// How paths of a target begin in the report: relative to this folder where the target is below it, else by the
/// target's own name where there are several targets, else not at all. Never absolute: SARIF takes relative ones only.
pub(super) fn shown(target: &Path, targets: usize) -> PathBuf {
    let below = || {
        let here = std::env::current_dir().and_then(std::fs::canonicalize).ok()?;
        Some(
            std::fs::canonicalize(target)
                .ok()?
                .strip_prefix(here)
                .ok()?
                .to_owned(),
        )
    };
    let own_name = || target.file_name().map(PathBuf::from).unwrap_or_default();
    match below() {
        Some(path) => path,
        None if targets > 1 || !target.is_dir() => own_name(),
        None => PathBuf::new(),
    }
}
