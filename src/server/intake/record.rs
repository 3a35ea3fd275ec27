//! The records of a report, read from foreign bytes: bounded, each by itself, so that a bad one spoils no other.

use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::refusal::Refusal;
use crate::finding::CommitInfo;
use crate::leak::Sighting;
use crate::secret::Secret;

/// Longest token, in bytes: a private key with its certificates.
const LONGEST_TOKEN: usize = 64 << 10;
/// Longest text of any other kind that is kept, in characters.
const LONGEST_TEXT: usize = 2000;

/// One token that somebody reports, and where it is.
pub struct Record {
    /// The token, without spaces around it.
    pub token: Secret,
    /// SHA-256 of the token as it was sent, in hexadecimal: its name in the feedback.
    pub hash: String,
    /// What the reporter calls its kind; may be empty, and may be wrong.
    pub kind: String,
    /// Where it was seen.
    pub place: Option<String>,
    /// What it was seen in, in lower case: `commit`, `npm`, ….
    pub source: Option<String>,
    /// Line and column from 1, 0 where nobody says, and the commit.
    pub at: (usize, usize, Option<CommitInfo>),
    /// Further places.
    pub also: Vec<Sighting>,
}

/// The records of a report, in its order, and how many could not be read.
#[derive(Default)]
pub struct Batch {
    /// Those that could be read.
    pub records: Vec<Record>,
    /// Which could not, counted from 0, and why.
    pub bad: Vec<(usize, &'static str)>,
}

impl Record {
    /// A token without anything else, as it was sent.
    ///
    /// # Errors
    /// One that is empty, too long, or no text.
    pub fn new(sent: &str) -> Result<Self, &'static str> {
        let token = sent.trim();
        if token.is_empty() {
            return Err("its token is empty");
        }
        if token.len() > LONGEST_TOKEN {
            return Err("its token is too long");
        }
        if token.contains(['\u{fffd}', '\0']) {
            return Err("its token is not UTF-8");
        }
        Ok(Self {
            token: Secret::new(token.as_bytes()),
            hash: sha256(sent.as_bytes()),
            kind: String::new(),
            place: None,
            source: None,
            at: (0, 0, None),
            also: Vec::new(),
        })
    }

    /// Reads one record. Keys are taken in any case, unknown ones are passed over, and of all but the token nothing is
    /// a must: senders have left out each of them.
    ///
    /// # Errors
    /// Text that is no JSON object with a token.
    pub fn read(raw: &str) -> Result<Self, &'static str> {
        let value: Value = serde_json::from_str(raw).map_err(|_| "it cannot be read as JSON")?;
        let Value::Object(map) = &value else {
            return Err("it is no object");
        };
        let get = |name: &str| {
            map.get(name).or_else(|| {
                map.iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            })
        };
        let text = |name: &str| {
            let text = get(name)?.as_str()?.trim();
            (!text.is_empty()).then(|| short(text))
        };
        let number = |name: &str| {
            let number = get(name).and_then(Value::as_u64).unwrap_or_default();
            usize::try_from(number)
                .ok()
                .filter(|number| *number <= 1 << 40)
                .unwrap_or_default()
        };
        let sent = get("token").ok_or("it has no token")?;
        let mut record = Self::new(sent.as_str().ok_or("its token is no text")?)?;
        record.kind = text("type").unwrap_or_default();
        // GitLab's revocation API says `location` where everybody else says `url`.
        record.place = text("url").or_else(|| text("location"));
        record.source = text("source").map(|source| source.to_lowercase());
        record.at = (number("line"), number("column"), get("commit").and_then(commit));
        Ok(record)
    }

    /// The places as the store keeps them. `door` says who reported it, where nobody says where it is.
    pub fn sightings(&self, door: &str) -> Vec<Sighting> {
        let place = self.place.clone().unwrap_or_else(|| match &self.source {
            Some(source) => format!("reported by {door}, seen in: {source}"),
            None => format!("reported by {door}, place not told"),
        });
        let (line, column, commit) = self.at.clone();
        let told = Sighting {
            line,
            column,
            commit,
            ..Sighting::reported(&place)
        };
        std::iter::once(told).chain(self.also.clone()).collect()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({:?})", self.token)
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// A commit with all that an owner can be found by, or none.
fn commit(value: &Value) -> Option<CommitInfo> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(short);
    let date: Timestamp = text("date")?.parse().ok()?;
    let id = text("id")?;
    let is_id = (7..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(CommitInfo {
        id,
        author: text("author")?,
        email: text("email")?,
        date,
    })
}

/// Reads a JSON array of records, at most so many.
///
/// # Errors
/// Bytes that are no such array, or a longer one. An element that is no record is none of these: it is told in
/// [`Batch::bad`].
pub fn read(bytes: &[u8], most: usize) -> Result<Batch, Refusal> {
    let text = String::from_utf8_lossy(bytes);
    let mut json = serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
    let mut too_many = false;
    let list = Elements {
        most,
        too_many: &mut too_many,
    };
    let read = list
        .deserialize(&mut json)
        .and_then(|batch| json.end().map(|()| batch));
    match read {
        Ok(batch) => Ok(batch),
        Err(_) if too_many => Err(Refusal::TooLarge(
            "the report has too many records; send fewer at a time",
        )),
        Err(_) => Err(Refusal::Unreadable("the body is no JSON array of records")),
    }
}

/// A list whose elements are skipped over as text and read one by one: how deep one is nested is its own matter.
struct Elements<'a> {
    most: usize,
    too_many: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = Batch;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Batch, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = Batch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Batch, A::Error> {
        let mut batch = Batch::default();
        let mut at = 0;
        while let Some(raw) = list.next_element::<&RawValue>()? {
            if at == self.most {
                *self.too_many = true;
                return Err(A::Error::custom("too many"));
            }
            match Record::read(raw.get()) {
                Ok(record) => batch.records.push(record),
                Err(why) => batch.bad.push((at, why)),
            }
            at += 1;
        }
        Ok(batch)
    }
}
