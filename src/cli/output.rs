//! Where a command's result goes: standard output, or a file that is written whole or not at all.

use std::io::{IsTerminal as _, Write};
use std::path::Path;

use anyhow::{Context, Result};

/// Whether standard output is a terminal that shows colours.
pub(super) fn color(plain: bool) -> bool {
    !plain && std::io::stdout().is_terminal()
}

/// Whether standard error is such a terminal.
pub(super) fn color_on_error(plain: bool) -> bool {
    !plain && std::io::stderr().is_terminal()
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
