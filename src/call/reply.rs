//! What came back: a status, a few headers, and a bounded body. It is foreign text and never printed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// Most headers that are kept of a reply.
const MOST_HEADERS: usize = 64;
/// Longest header value that is kept, in bytes.
const LONGEST_HEADER: usize = 8 << 10;
/// Headers that nobody here needs and that carry secrets of their own.
const DROPPED: [&str; 3] = ["set-cookie", "set-cookie2", "authorization"];

/// A reply.
#[derive(Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers by lower-case name, repeated ones joined by `, `; no cookies, none that is not text.
    pub headers: BTreeMap<String, String>,
    /// The body, at most as long as is read of one.
    pub body: Vec<u8>,
    json: OnceLock<Option<serde_json::Value>>,
}

impl Reply {
    /// Takes what came; headers that are too many, too long, not text, or cookies are left out.
    pub fn new<'a>(
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: Vec<u8>,
    ) -> Self {
        let mut kept: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            let Ok(value) = std::str::from_utf8(value) else {
                continue;
            };
            let room = kept.len() < MOST_HEADERS || kept.contains_key(&name);
            if !room || DROPPED.contains(&name.as_str()) || value.chars().any(char::is_control) {
                continue;
            }
            let known = kept.entry(name).or_default();
            if known.len() + value.len() + 2 <= LONGEST_HEADER {
                if !known.is_empty() {
                    known.push_str(", ");
                }
                known.push_str(value);
            }
        }
        Self {
            status,
            headers: kept,
            body,
            json: OnceLock::new(),
        }
    }

    /// A header by name, in any case of letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// The body as JSON, parsed once; one in XML is read as JSON would be. Nothing, if it is neither.
    pub fn json(&self) -> Option<&serde_json::Value> {
        let read = || match self.is_xml() {
            true => super::xml::read(&self.body),
            false => serde_json::from_slice(&self.body).ok(),
        };
        self.json.get_or_init(read).as_ref()
    }

    /// Whether it is XML, by its head or by its first line, and no web page.
    pub fn is_xml(&self) -> bool {
        if self.body.starts_with(b"<?xml ") {
            return true;
        }
        self.header("content-type")
            .and_then(|kind| kind.split(';').next())
            .is_some_and(|kind| {
                let kind = kind.trim().to_ascii_lowercase();
                kind == "text/xml" || kind == "application/xml"
            })
    }

    /// Whether it says that it is a web page, which no API answers with.
    pub fn is_page(&self) -> bool {
        self.header("content-type")
            .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}
