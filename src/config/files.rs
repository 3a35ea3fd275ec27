//! Files that the configuration names: secrets, which are never shown, and keys, which are made on first use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::environment::variable;
use crate::secret::Secret;

/// Largest configuration or key file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// A secret from the environment variable or the file that the configuration names under `key`.
///
/// # Errors
/// Both named, or the one named is not there or empty.
pub(super) fn secret(env: Option<&String>, file: Option<&PathBuf>, key: &str) -> Result<Option<Secret>> {
    let text = match (env, file) {
        (Some(_), Some(_)) => bail!("give one of {key}_env and {key}_file, not both"),
        (Some(name), None) => {
            variable(name).with_context(|| format!("{key}_env names {name}, which is not set"))?
        }
        (None, Some(file)) => read(file).with_context(|| format!("{key}_file cannot be used"))?,
        (None, None) => return Ok(None),
    };
    let text = zeroize::Zeroizing::new(text);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        bail!("the secret that {key} names is empty");
    }
    Ok(Some(Secret::new(trimmed.as_bytes())))
}

pub(super) fn read(file: &Path) -> Result<String> {
    let shown = file.display();
    let size = std::fs::metadata(file)
        .with_context(|| format!("cannot read {shown}"))?
        .len();
    if size > LARGEST {
        bail!("{shown} has {size} bytes; at most {LARGEST} are read");
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))
}

/// The 32 bytes of a key file; made, readable by its owner alone, if it is not there.
pub(super) fn key_file(file: &Path) -> Result<Vec<u8>> {
    let shown = file.display();
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| {
            format!(
                "cannot make {}; set UNLEAK_STATE, or the key_file of the configuration, to a place that can be written",
                folder.display()
            )
        })?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(mut made) => {
            let mut key = [0_u8; 32];
            getrandom::fill(&mut key).context("the operating system gives no random bytes")?;
            std::io::Write::write_all(&mut made, &key).with_context(|| format!("cannot write {shown}"))?;
            Ok(key.to_vec())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => existing_key_file(file),
        Err(error) => Err(error).with_context(|| format!("cannot make the key file {shown}")),
    }
}

/// The 32 bytes of a key file that is there. Another process may just be writing it; that takes no time worth speaking of.
pub(super) fn existing_key_file(file: &Path) -> Result<Vec<u8>> {
    for _ in 0..50 {
        let key = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        match key.len() {
            32 => return Ok(key),
            0 => std::thread::sleep(Duration::from_millis(10)),
            _ => break,
        }
    }
    bail!(
        "{} is not a key file of unleak (32 bytes); put the right one back, or name another",
        file.display()
    )
}
