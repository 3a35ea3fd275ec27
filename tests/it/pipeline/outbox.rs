//! What people were told, read out of the folder that takes their notices.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::path::Path;

/// What somebody was told of a leak.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Heard {
    /// The digits of the leak's fingerprint.
    pub(super) fingerprint: String,
    /// Whether its token was dead by then.
    pub(super) dead: bool,
    /// Whom the message was to.
    pub(super) to: String,
}

/// One entry for each leak in each message.
pub(super) fn heard(outbox: &Path) -> Vec<Heard> {
    let mut heard = Vec::new();
    for file in std::fs::read_dir(outbox).into_iter().flatten() {
        let file = file.unwrap();
        let name = file.file_name().to_string_lossy().into_owned();
        // one that is just being written
        if name.starts_with('.') {
            continue;
        }
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("exm_R"), "a notice holds a token");
        let to = text.lines().next().unwrap().trim_start_matches("To: ");
        let (_, body) = text.split_once("\n\n").unwrap();
        let digest = name.starts_with("leak-digest");
        // A row of a digest is a paragraph.
        let rows: Vec<&str> = if digest {
            body.split("\n\n").collect()
        } else {
            vec![body]
        };
        heard.extend(rows.into_iter().filter_map(|row| {
            let dead = digest && words(row).any(|word| word == "dead");
            Some(Heard {
                fingerprint: fingerprint(row)?,
                dead: dead || name.starts_with("leak-revoked"),
                to: to.to_owned(),
            })
        }));
    }
    heard.sort();
    heard
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

fn fingerprint(text: &str) -> Option<String> {
    let mut words = words(text);
    let found = words.find(|word| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    found.map(str::to_owned)
}
