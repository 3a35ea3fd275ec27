//! `push`: what the pushed commits bring in, from the API, because a server has no clone of every repository.
//!
//! Bounded in commits, files and time; whatever was not looked at is told in the log. What was found is written down
//! even where not all could be looked at.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::alert::author;
use super::{DOOR, Place, Repository, Undone};
use crate::finding::CommitInfo;
use crate::leak::{Held, Sighting};
use crate::server::intake::Intake;
use crate::server::intake::kind::Kinds;
use crate::store::Delivery;

/// Commits of one push that are looked at, the newest last.
const MOST_COMMITS: usize = 100;
/// Files without a patch whose contents are fetched, of one push.
const MOST_FILES: usize = 100;
/// Pages of files of one commit; GitHub gives no more than 3000 files.
const MOST_PAGES: usize = 60;
const FILES_OF_A_PAGE: usize = 50;
const COMMIT: &str = "{base}/repos/{owner}/{repository}/commits/{commit}?per_page=50&page={page}";

#[derive(Deserialize)]
pub(super) struct PushEvent {
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    commits: Vec<Pushed>,
    repository: Repository,
}

#[derive(Deserialize)]
struct Pushed {
    id: String,
    #[serde(default = "yes")]
    distinct: bool,
}

fn yes() -> bool {
    true
}

/// What is left to look at, and what was found.
struct Look<'a> {
    place: &'a Place,
    files: usize,
    found: Vec<Held>,
    /// Why something could not be looked at now.
    later: Option<String>,
    /// How much was passed over for good.
    passed_over: usize,
}

impl Intake {
    /// Scans what a push brought in.
    pub(super) async fn push(
        self: &Arc<Self>,
        event: PushEvent,
        delivery: Delivery,
    ) -> Result<&'static str, Undone> {
        if event.deleted {
            return Ok("passed over");
        }
        let place = self.place(&event.repository)?;
        let mut look = Look {
            place: &place,
            files: MOST_FILES,
            found: Vec::new(),
            later: None,
            passed_over: 0,
        };
        // A commit that is not distinct came by another push.
        let commits: Vec<&Pushed> = event.commits.iter().filter(|commit| commit.distinct).collect();
        look.passed_over += commits.len().saturating_sub(MOST_COMMITS);
        for commit in commits.iter().take(MOST_COMMITS) {
            if let Err(why) = self.look_at(&commit.id, &mut look).await {
                match why {
                    Undone::Refused(refusal) => return Err(refusal.into()),
                    Undone::Later(why) => look.later = Some(why),
                    Undone::TooLarge => look.passed_over += 1,
                }
            }
        }
        if look.passed_over > 0 {
            let repository = &event.repository.full_name;
            tracing::warn!(
                repository,
                look.passed_over,
                "a push was not looked at whole: too large, or too many commits"
            );
        }
        let Some(why) = look.later else {
            self.write(DOOR, delivery, look.found).await?;
            return Ok("taken");
        };
        if !look.found.is_empty() {
            // The delivery itself stays open, so that it can come again.
            let names: Vec<String> = look
                .found
                .iter()
                .map(|held| held.leak.fingerprint.to_string())
                .collect();
            let part = Delivery::new("webhook/github/part", names.join(" ").as_bytes());
            self.write(DOOR, part, look.found).await?;
        }
        Err(Undone::Later(why))
    }

    /// The files of a commit, page by page.
    async fn look_at(&self, commit: &str, look: &mut Look<'_>) -> Result<(), Undone> {
        for page in 1..=MOST_PAGES {
            let mut values = look.place.values();
            values.set("commit", commit);
            values.set("page", &page.to_string());
            let reply = self.ask_github(COMMIT, values).await?;
            let info = author(&reply, "/commit");
            let files = reply
                .json()
                .and_then(|json| json["files"].as_array())
                .cloned()
                .unwrap_or_default();
            for file in &files {
                self.look_at_file(file, commit, info.as_ref(), look).await?;
            }
            if files.len() < FILES_OF_A_PAGE {
                return Ok(());
            }
        }
        look.passed_over += 1;
        Ok(())
    }

    async fn look_at_file(
        &self,
        file: &Value,
        commit: &str,
        info: Option<&CommitInfo>,
        look: &mut Look<'_>,
    ) -> Result<(), Undone> {
        let path = file["filename"].as_str().unwrap_or_default();
        if file["status"] == "removed" || path.is_empty() {
            return Ok(());
        }
        let found = match file["patch"].as_str() {
            Some(patch) => in_patch(&self.kinds, patch, self.clock.now()),
            None => self.in_file(file, look).await?,
        };
        let page = look.place.page(commit, path);
        look.found.extend(
            found
                .into_iter()
                .map(|(held, line)| placed(held, line, &page, info)),
        );
        Ok(())
    }

    /// What stands in a file that is too large for a patch, or binary.
    async fn in_file(&self, file: &Value, look: &mut Look<'_>) -> Result<Vec<(Held, usize)>, Undone> {
        let Some(blob) = file["sha"].as_str().filter(|_| file["changes"] != 0) else {
            return Ok(Vec::new());
        };
        if look.files == 0 {
            look.passed_over += 1;
            return Ok(Vec::new());
        }
        look.files -= 1;
        let mut values = look.place.values();
        values.set("blob", blob);
        let reply = match self
            .ask_github("{base}/repos/{owner}/{repository}/git/blobs/{blob}", values)
            .await
        {
            Ok(reply) => reply,
            Err(Undone::TooLarge) => {
                look.passed_over += 1;
                return Ok(Vec::new());
            }
            Err(undone) => return Err(undone),
        };
        let encoded: String = reply
            .json()
            .and_then(|json| json["content"].as_str())
            .unwrap_or_default()
            .split_ascii_whitespace()
            .collect();
        let Ok(text) = STANDARD.decode(encoded) else {
            look.passed_over += 1;
            return Ok(Vec::new());
        };
        let found = self.kinds.in_text(&text, self.clock.now()).into_iter();
        Ok(found.map(|(held, line, _)| (held, line)).collect())
    }
}

fn placed(mut held: Held, line: usize, page: &str, commit: Option<&CommitInfo>) -> Held {
    held.leak.sightings = vec![Sighting {
        line,
        commit: commit.cloned(),
        ..Sighting::reported(page)
    }];
    held
}

/// What the added lines of a patch hold, with the line of the new file. The lines around them are read as well, because
/// a rule may want to see a word near; what stands in those alone was there before.
fn in_patch(kinds: &Kinds, patch: &str, now: jiff::Timestamp) -> Vec<(Held, usize)> {
    let (text, lines) = new_side(patch);
    let found = kinds.in_text(text.as_bytes(), now).into_iter();
    found
        .filter_map(|(held, first, last)| {
            let mut lines = lines.get(first.checked_sub(1)?..last)?.iter();
            let (number, _) = *lines.clone().next()?;
            lines.any(|(_, added)| *added).then_some((held, number))
        })
        .collect()
}

/// The new side of a unified diff, and for each of its lines the number in the new file and whether it was added.
fn new_side(patch: &str) -> (String, Vec<(usize, bool)>) {
    let (mut text, mut lines, mut next) = (String::new(), Vec::new(), 1);
    for line in patch.split('\n') {
        let (added, rest) = match line.split_at_checked(1) {
            Some(("+", rest)) => (true, rest),
            Some((" ", rest)) => (false, rest),
            Some(("@", _)) => {
                next = hunk_start(line).unwrap_or(next);
                // What follows stands elsewhere in the file.
                text.push('\n');
                lines.push((next, false));
                continue;
            }
            _ => continue,
        };
        text.push_str(rest);
        text.push('\n');
        lines.push((next, added));
        next = next.saturating_add(1);
    }
    (text, lines)
}

/// `@@ -a,b +c,d @@`: c.
fn hunk_start(line: &str) -> Option<usize> {
    let (_, rest) = line.split_once('+')?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::new_side;

    #[test]
    fn the_new_side_of_a_patch_has_the_lines_of_the_new_file() {
        let patch =
            "@@ -1,3 +1,3 @@ fn main\n a\n-b\n+B\n c\n@@ -10 +12,2 @@\n+x\n y\n\\ No newline at end of file";
        let (text, lines) = new_side(patch);
        assert_eq!(text, "\na\nB\nc\n\nx\ny\n");
        let expected = [
            (1, false),
            (1, false),
            (2, true),
            (3, false),
            (12, false),
            (12, true),
            (13, false),
        ];
        assert_eq!(lines, expected);
    }

    proptest! {
        #[test]
        fn any_patch_gives_as_many_lines_as_numbers(patch in any::<String>()) {
            let (text, lines) = new_side(&patch);
            assert_eq!(text.matches('\n').count(), lines.len());
        }
    }
}
