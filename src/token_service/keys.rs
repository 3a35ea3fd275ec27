//! The keys under which tokens are hashed and the audit log is chained.
//!
//! A key is never shown and never written anywhere but into its own file.

use std::path::Path;

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use crate::database::new_private_file;
use crate::secret::Secret;
use crate::secret::mac_sha256;

/// Shortest server key and shortest operator key, in bytes.
pub(super) const SHORTEST_KEY: usize = 32;

/// The key under which tokens are hashed. Whoever has the database alone can try no token against it.
#[derive(Clone)]
pub struct ServerKey(Zeroizing<Vec<u8>>);

impl ServerKey {
    /// Takes key bytes; there must be at least 32 of them.
    pub fn new(bytes: &[u8]) -> anyhow::Result<Self> {
        if bytes.len() < SHORTEST_KEY {
            bail!(
                "the server key of the token service has {} bytes and needs {SHORTEST_KEY} random ones",
                bytes.len()
            );
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// Reads the key file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let bytes = std::fs::read(path).map(Zeroizing::new);
        let bytes = bytes.with_context(|| format!("cannot read the key file {shown}"))?;
        Self::new(&bytes).with_context(|| format!("the key file {shown} is of no use"))
    }

    /// Reads the key file; where there is none, writes one with 32 random bytes that only its owner may read.
    pub fn read_or_create(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            let mut bytes = Zeroizing::new([0_u8; SHORTEST_KEY]);
            getrandom::fill(&mut *bytes).context("the operating system gave no random bytes")?;
            let written = new_private_file(path).and_then(|mut file| {
                std::io::Write::write_all(&mut file, &*bytes)?;
                file.sync_all()
            });
            written.with_context(|| format!("cannot write the key file {}", path.display()))?;
        }
        Self::read(path)
    }

    /// HMAC-SHA256 of a token; what is kept of it.
    pub(super) fn hash(&self, token: &Secret) -> [u8; 32] {
        mac_sha256(&self.0, &[b"unleak token v1\0", token.expose()])
    }

    /// HMAC-SHA256 over an audit line and the one before it.
    pub(super) fn chain(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.labelled(b"unleak token audit v1\0", parts)
    }

    /// HMAC-SHA256 over the end of the audit log.
    pub(super) fn seal(&self, number: i64, chain: &[u8]) -> [u8; 32] {
        self.labelled(b"unleak token audit head v1\0", &[&number.to_le_bytes(), chain])
    }

    /// HMAC-SHA256 of what a browser keeps of a session; what is kept of it here.
    pub(super) fn session(&self, cookie: &Secret) -> [u8; 32] {
        self.labelled(b"unleak session v1\0", &[cookie.expose()])
    }

    /// HMAC-SHA256 of what a browser keeps while somebody signs in elsewhere: what is sent there in its place.
    pub(super) fn tie(&self, what: &[u8], cookie: &Secret) -> [u8; 32] {
        self.labelled(b"unleak sign-in v1\0", &[what, b"\0", cookie.expose()])
    }

    fn labelled(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let parts: Vec<&[u8]> = std::iter::once(label).chain(parts.iter().copied()).collect();
        mac_sha256(&self.0, &parts)
    }

    /// A name for the key that gives nothing of it away.
    pub fn id(&self) -> String {
        let mac = mac_sha256(&self.0, &[b"unleak token key id v1\0"]);
        mac[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey([redacted])")
    }
}

/// The key for new tokens, and those under which older tokens are still accepted until they are seen again.
///
/// To change the key without a pause: give the new one to every server as a further key, then make it the current one
/// everywhere and the old one a further key; `unleak token key list` says when no living token needs the old one.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// The current key first, each with its name.
    keys: Vec<(String, ServerKey)>,
}

impl KeyRing {
    /// The current key, and further ones that are accepted.
    pub fn new(current: ServerKey, further: impl IntoIterator<Item = ServerKey>) -> Self {
        let keys = std::iter::once(current).chain(further);
        Self {
            keys: keys.map(|key| (key.id(), key)).collect(),
        }
    }

    /// The key for what is new, with its name.
    pub(super) fn current(&self) -> &(String, ServerKey) {
        // the constructors put one there
        &self.keys[0]
    }

    /// Every key with its name, the current one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &(String, ServerKey)> {
        self.keys.iter()
    }

    /// The key of this name.
    pub(super) fn named(&self, id: &str) -> Option<&ServerKey> {
        self.all().find(|(name, _)| name == id).map(|(_, key)| key)
    }
}

impl From<ServerKey> for KeyRing {
    fn from(key: ServerKey) -> Self {
        Self::new(key, [])
    }
}
