//! A folder that takes one text file per notice, for people without a mail server and for tests.
//!
//! A file's name holds nothing from outside but letters, digits and hyphens; a file is there whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;

use super::message::Message;
use super::text::clean;

pub(super) struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the folder {} of notify.outbox", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let text = format!(
            "To: {} <{}>\nSubject: {}\nDate: {:.0}\nMessage: {}\n\n{}",
            clean(&message.owner.name, 100),
            clean(message.owner.email.as_deref().unwrap_or("no address known"), 100),
            message.subject,
            Timestamp::now(),
            message.id,
            message.body
        );
        let (folder, name) = (self.folder.clone(), file_name(message));
        tokio::task::spawn_blocking(move || write(&folder, &name, &text))
            .await
            .map_err(|_| "writing was interrupted".to_owned())?
            .map_err(|error| {
                format!(
                    "cannot write to {}: {error}; check notify.outbox",
                    self.folder.display()
                )
            })
    }
}

/// `leak-found-` or the like, the rule, and the message's id: made again it is the same.
fn file_name(message: &Message) -> String {
    let rule = message.data["rule"].as_str().unwrap_or_default();
    let name: String = format!("{}-{rule}-{}", message.kind.name(), message.id.replace('_', "-"))
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    // The id stands at the end and must stay.
    let from = name.len().saturating_sub(120);
    format!("{}.txt", &name[from..])
}

fn write(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    // Made with mode 0600; the same folder, so that the rename is atomic.
    let mut file = tempfile::Builder::new().prefix(".notice-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    Ok(())
}
