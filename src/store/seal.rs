//! Sealing: how a secret rests in the database. It never rests there in any other way.
//!
//! XChaCha20-Poly1305 with a random nonce; the leak's key (fingerprint and rule) is associated data, so that a sealed
//! secret cannot be moved to another leak.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::{StoreKey, StoreKeys};
use crate::finding::Parts;
use crate::leak::{Held, Leak};
use crate::secret::Secret;

const NONCE: usize = 24;
/// First byte of what is stored, so that the form can change one day.
const FORM: u8 = 1;

/// What is sealed of one leak.
pub(super) struct Contents {
    pub(super) secret: Secret,
    pub(super) parts: Parts,
    pub(super) facts: BTreeMap<String, String>,
}

impl Contents {
    /// The leak with its secret at hand.
    pub(super) fn held(self, leak: Leak) -> Held {
        Held {
            leak,
            secret: self.secret,
            parts: self.parts,
            facts: self.facts,
        }
    }
}

/// Seals under the current key, and opens under any.
pub(super) struct Sealer {
    current: XChaCha20Poly1305,
    further: Vec<XChaCha20Poly1305>,
}

impl Sealer {
    pub(super) fn new(keys: &StoreKeys) -> Self {
        let cipher =
            |key: &StoreKey| XChaCha20Poly1305::new((&*key.derive(b"unleak store: sealing v1")).into());
        Self {
            current: cipher(&keys.current),
            further: keys.further.iter().map(cipher).collect(),
        }
    }

    /// `leak` is the associated data: the leak's key.
    pub(super) fn seal(&self, leak: &str, contents: &Contents) -> Result<Vec<u8>> {
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce).context("the operating system gave no random bytes")?;
        let plain = write(contents)?;
        let payload = Payload {
            msg: &plain,
            aad: leak.as_bytes(),
        };
        let cipher = self
            .current
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| anyhow!("the secret of {leak} could not be sealed"))?;
        Ok([&[FORM][..], &nonce, &cipher].concat())
    }

    pub(super) fn open(&self, leak: &str, sealed: &[u8]) -> Result<Contents> {
        let broken = || {
            anyhow!(
                "the sealed secret of {leak} cannot be opened: it was changed, or sealed under another store key; \
                 give the key with which it was recorded"
            )
        };
        let (head, cipher) = sealed.split_at_checked(1 + NONCE).ok_or_else(broken)?;
        if head[0] != FORM {
            bail!("the sealed secret of {leak} was written by a newer unleak; use that one");
        }
        let nonce: [u8; NONCE] = head[1..].try_into().map_err(|_| broken())?;
        let plain = std::iter::once(&self.current)
            .chain(&self.further)
            .find_map(|key| {
                let payload = Payload {
                    msg: cipher,
                    aad: leak.as_bytes(),
                };
                key.decrypt(&XNonce::from(nonce), payload).ok()
            })
            .map(Zeroizing::new)
            .ok_or_else(broken)?;
        read(&plain).ok_or_else(broken)
    }
}

/// Length-prefixed fields: binary, because secrets are bytes and JSON would leave unwiped copies behind.
fn write(contents: &Contents) -> Result<Zeroizing<Vec<u8>>> {
    let mut fields: Vec<&[u8]> = vec![contents.secret.expose()];
    for (name, part) in &contents.parts {
        fields.extend([name.as_bytes(), part.expose()]);
    }
    let facts = contents
        .facts
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    fields.extend(facts);
    // The whole size first: a growing buffer would leave pieces of the secret in freed memory.
    let size = 4 + fields.iter().map(|field| 4 + field.len()).sum::<usize>();
    let mut plain = Zeroizing::new(Vec::with_capacity(size));
    plain.extend(u32::try_from(contents.parts.len())?.to_be_bytes());
    for field in fields {
        plain.extend(u32::try_from(field.len())?.to_be_bytes());
        plain.extend(field);
    }
    Ok(plain)
}

fn read(plain: &[u8]) -> Option<Contents> {
    let (count, mut rest) = plain.split_at_checked(4)?;
    let parts_left = u32::from_be_bytes(count.try_into().ok()?);
    let mut field = || -> Option<&[u8]> {
        let (length, tail) = rest.split_at_checked(4)?;
        let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let (field, tail) = tail.split_at_checked(length)?;
        rest = tail;
        Some(field)
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let secret = Secret::new(field()?);
    let mut parts = Parts::new();
    for _ in 0..parts_left {
        parts.insert(text(field()?)?, Secret::new(field()?));
    }
    let mut facts = BTreeMap::new();
    while let Some(name) = field() {
        facts.insert(text(name)?, text(field()?)?);
    }
    Some(Contents { secret, parts, facts })
}

#[cfg(test)]
mod tests {
    use super::{Contents, Sealer, StoreKey, StoreKeys};
    use crate::finding::Parts;
    use crate::secret::Secret;

    fn keyed(byte: u8) -> Sealer {
        Sealer::new(&StoreKeys::from(&StoreKey::new([byte; 32])))
    }

    fn contents() -> Contents {
        Contents {
            secret: Secret::new(b"\xff\0s".to_vec()),
            parts: Parts::from([("id".to_owned(), Secret::new("p"))]),
            facts: [("region".to_owned(), "https://eu.example.com".to_owned())].into(),
        }
    }

    #[test]
    fn what_was_sealed_opens_again() {
        let sealer = keyed(1);
        let sealed = sealer.seal("leak", &contents()).unwrap();
        let opened = sealer.open("leak", &sealed).unwrap();
        assert_eq!(opened.secret, contents().secret);
        assert_eq!(opened.parts, contents().parts);
        assert_eq!(opened.facts, contents().facts);
    }

    #[test]
    fn the_same_secret_is_never_sealed_to_the_same_bytes() {
        let sealer = keyed(1);
        assert_ne!(
            sealer.seal("leak", &contents()).unwrap(),
            sealer.seal("leak", &contents()).unwrap()
        );
    }

    #[test]
    fn a_sealed_secret_opens_for_no_other_leak_no_other_key_and_not_when_changed() {
        let sealer = keyed(1);
        let sealed = sealer.seal("leak", &contents()).unwrap();
        assert!(sealer.open("other", &sealed).is_err());
        assert!(keyed(2).open("leak", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(sealer.open("leak", &changed).is_err(), "byte {place}");
            assert!(sealer.open("leak", &sealed[..place]).is_err(), "cut at {place}");
        }
    }
}
