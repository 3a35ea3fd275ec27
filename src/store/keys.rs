//! The keys of the store: the current one, and those before it while a change of keys is under way.
//!
//! A store knows its keys by one-way marks, so that a wrong key is told at once and not at the first secret. A new key is
//! taken on only together with the one before it; then all that is sealed is sealed anew, and the old key can go.

use std::fmt;

use anyhow::{Context, Result, anyhow, bail};
use zeroize::Zeroizing;

use super::rows::rule_id;
use super::{Store, leak_name};
use crate::database::{Open, sql};
use crate::secret::{Fingerprint, mac_sha256};

/// The key of the store: 32 bytes that seal secrets and sign the ledger's last line. It cannot be printed or
/// serialised.
///
/// ```compile_fail
/// let key = unleak::store::StoreKey::new([7; 32]);
/// println!("{key}");
/// ```
///
/// ```
/// let key = unleak::store::StoreKey::new([7; 32]);
/// assert_eq!(format!("{key:?}"), "StoreKey([redacted])");
/// ```
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    /// Takes the 32 bytes over.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The same from a slice, as a key file gives it; any other length is an error.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
            anyhow!(
                "a store key has 32 bytes, not {}; make one with `head -c 32 /dev/urandom`",
                bytes.len()
            )
        })?;
        Ok(Self::new(bytes))
    }

    /// A fresh key from the operating system's random source.
    pub fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut()).context("the operating system gave no random bytes")?;
        Ok(Self(bytes))
    }

    /// The bytes, for writing the key file.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key of its own for each use.
    pub(super) fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(mac_sha256(self.0.as_ref(), &[purpose]))
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey([redacted])")
    }
}

/// The current key of a store, and further ones that are accepted: older ones, or the next one while other processes
/// have it already.
#[derive(Clone, Debug)]
pub struct StoreKeys {
    pub(super) current: StoreKey,
    pub(super) further: Vec<StoreKey>,
}

impl StoreKeys {
    /// The current key with further ones.
    pub fn new(current: StoreKey, further: Vec<StoreKey>) -> Self {
        Self { current, further }
    }
}

impl From<&StoreKey> for StoreKeys {
    fn from(key: &StoreKey) -> Self {
        Self::new(key.clone(), Vec::new())
    }
}

impl From<StoreKey> for StoreKeys {
    fn from(key: StoreKey) -> Self {
        Self::new(key, Vec::new())
    }
}

/// By what a store knows a key; it gives nothing of it away.
fn mark(key: &StoreKey) -> String {
    key.derive(b"unleak store: key mark v1")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A leak's key in text, and what is sealed.
type Sealed = (String, String, Vec<u8>);

impl Store {
    /// Sees whether this store was made with one of these keys, and takes the current one on where it is new.
    pub(super) async fn take_on(&self, keys: &StoreKeys) -> Result<()> {
        let current = mark(&keys.current);
        let known = "SELECT value FROM marks WHERE name = 'key'";
        let kept: Option<(String,)> = sql(known)
            .optional(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        if kept.is_some_and(|(kept,)| kept == current) {
            return Ok(());
        }
        let mut change = self.change().await?;
        let kept: Option<(String,)> = sql(known).optional(&mut change).await?;
        match kept {
            None => {}
            // another process has just done it
            Some((kept,)) if kept == current => return Ok(()),
            Some((kept,)) if keys.further.iter().any(|key| mark(key) == kept) => {
                let gone: Option<(String,)> = sql("SELECT value FROM marks WHERE name = $1")
                    .bind(format!("key before {current}"))
                    .optional(&mut change)
                    .await?;
                if gone.is_some() {
                    // This process was not told yet that its key is the older one; it can work with both.
                    return Ok(());
                }
                let resealed = self.reseal(&mut change).await?;
                self.sign_anew(&mut change).await?;
                sql("INSERT INTO marks (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                    .bind(format!("key before {kept}"))
                    .bind(&current)
                    .run(&mut change)
                    .await?;
                let detail = serde_json::json!({ "sealed": resealed });
                self.append_in(&mut change, "key-changed", None, &detail).await?;
                tracing::info!(
                    secrets = resealed,
                    "the store took its new key on; the one before it is no longer needed"
                );
            }
            Some(_) => bail!(
                "{} was made with another store key; give that key, name another file, or, to change keys, name the \
                 key before it in store.further_key_files",
                self.shown
            ),
        }
        sql("INSERT INTO marks (name, value) VALUES ('key', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(current)
            .run(&mut change)
            .await?;
        self.commit(change).await
    }

    /// Seals everything under the current key and says how much it was.
    async fn reseal(&self, change: &mut Open) -> Result<usize> {
        let mut resealed = 0;
        for (read, write) in [
            (
                "SELECT fingerprint, rule, sealed FROM leaks WHERE sealed IS NOT NULL",
                "UPDATE leaks SET sealed = $1 WHERE fingerprint = $2 AND rule = $3",
            ),
            (
                "SELECT fingerprint, rule, sealed FROM tasks WHERE sealed IS NOT NULL",
                "UPDATE tasks SET sealed = $1 WHERE fingerprint = $2 AND rule = $3",
            ),
        ] {
            let rows: Vec<Sealed> = sql(read).all(&mut *change).await?;
            resealed += rows.len();
            for (fingerprint, rule, sealed) in rows {
                let name = {
                    let fingerprint =
                        Fingerprint::parse(&fingerprint).context("a leak has no fingerprint")?;
                    leak_name(fingerprint, &rule_id(rule.clone())?)
                };
                let sealed = self.sealer.seal(&name, &self.sealer.open(&name, &sealed)?)?;
                sql(write)
                    .bind(sealed)
                    .bind(fingerprint)
                    .bind(rule)
                    .run(&mut *change)
                    .await?;
            }
        }
        Ok(resealed)
    }
}
