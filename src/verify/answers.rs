//! Answers of services from one run to the next: a scan that is repeated asks nobody about what was answered a moment ago.
//!
//! The file holds fingerprints, never a secret, and answers only: what nobody could tell is asked again. A file that is
//! damaged counts as empty. An order to revoke never rests on what stands here.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::leak::{DeadWhy, Held, Identity, Verdict};

/// Most answers that are kept; the oldest go first.
const MOST: usize = 20_000;
/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// What was answered lately. Clones share it.
#[derive(Clone, Debug)]
pub struct Answers(Arc<Inner>);

/// For how long answers are believed. A token that is alive may have been ended a moment ago; one that is dead stays dead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    /// Those of live tokens.
    pub live: Duration,
    /// Those of dead tokens, but for tokens that live again when their owner is enabled.
    pub dead: Duration,
}

impl Kept {
    fn of(self, verdict: &Verdict) -> Duration {
        match verdict {
            Verdict::Live { .. } => self.live,
            Verdict::Dead {
                why: DeadWhy::OwnerDisabled,
                ..
            } => self.live.min(self.dead),
            Verdict::Dead { .. } => self.dead,
            Verdict::Unknown { .. } => Duration::ZERO,
        }
    }
}

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    kept: Kept,
    refresh: bool,
    known: Mutex<BTreeMap<String, Known>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    asked_at: Timestamp,
    verdict: Verdict,
    identity: Identity,
}

impl Answers {
    /// Those of the file that are not too old; with `refresh` none of them is given, and all are replaced.
    pub fn open(file: &Path, kept: Kept, refresh: bool) -> Self {
        let readable = fs::metadata(file).is_ok_and(|data| data.len() <= LARGEST);
        let text = if readable {
            fs::read(file).unwrap_or_default()
        } else {
            Vec::new()
        };
        let mut known: BTreeMap<String, Known> = serde_json::from_slice(&text).unwrap_or_default();
        let now = Timestamp::now();
        known.retain(|_, one| is_fresh(one, kept, now));
        Self(Arc::new(Inner {
            file: file.to_owned(),
            kept,
            refresh,
            known: Mutex::new(known),
        }))
    }

    /// The answer to this question, with its age in the reason.
    pub(super) fn get(&self, question: &str) -> Option<Answer> {
        if self.0.refresh {
            return None;
        }
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let one = known.get(question)?;
        let now = Timestamp::now();
        if !is_fresh(one, self.0.kept, now) {
            return None;
        }
        let minutes = now.duration_since(one.asked_at).as_secs() / 60;
        let mut verdict = one.verdict.clone();
        if let Verdict::Live { reason } | Verdict::Dead { reason, .. } = &mut verdict {
            reason.push_str(&format!(", answered {minutes} min ago (--refresh asks again)"));
        }
        Some(Answer {
            verdict,
            identity: one.identity.clone(),
        })
    }

    pub(super) fn put(&self, question: String, answer: &Answer) {
        if self.0.kept.of(&answer.verdict).is_zero() {
            return;
        }
        let one = Known {
            asked_at: Timestamp::now(),
            verdict: answer.verdict.clone(),
            identity: answer.identity.clone(),
        };
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(question, one);
    }

    /// Writes the file anew, readable by its owner alone.
    ///
    /// # Errors
    /// A folder that cannot be written to; the answers of this run are lost then, and nothing else.
    pub fn keep(&self) -> Result<()> {
        let mut known = self
            .0
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        while known.len() > MOST {
            let oldest = known.iter().min_by_key(|(_, one)| one.asked_at);
            let Some(oldest) = oldest.map(|(question, _)| question.clone()) else {
                break;
            };
            known.remove(&oldest);
        }
        let shown = self.0.file.display();
        let folder = self.0.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut new =
            tempfile::NamedTempFile::new_in(folder).with_context(|| format!("cannot write {shown}"))?;
        new.write_all(&serde_json::to_vec(&known)?)
            .with_context(|| format!("cannot write {shown}"))?;
        new.persist(&self.0.file)
            .with_context(|| format!("cannot write {shown}"))?;
        Ok(())
    }
}

fn is_fresh(one: &Known, kept: Kept, now: Timestamp) -> bool {
    let age = now.duration_since(one.asked_at);
    Duration::try_from(age).is_ok_and(|age| age < kept.of(&one.verdict))
}

/// What is asked: which secret, as what, and where. Nothing for a secret of several parts, whose fingerprint names only
/// one of them.
pub(super) fn question(held: &Held, bases: &[String]) -> Option<String> {
    let (rule, fingerprint) = (&held.leak.rule, held.leak.fingerprint);
    held.parts
        .is_empty()
        .then(|| format!("{rule} {fingerprint} {}", bases.join(" ")))
}
