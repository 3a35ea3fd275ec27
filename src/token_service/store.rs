//! The database of the token service and the key under which tokens are hashed.
//!
//! SQL of the other files of this module goes through [`TokenService::write`] for changes: one transaction that holds
//! the write lock from its beginning, so that two changes at once queue up instead of failing.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::secret::mac_sha256;
use crate::token_service::error::Result;
use crate::token_service::model::Time;

/// Shortest server key and shortest operator key, in bytes.
const SHORTEST_KEY: usize = 32;

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

    /// Reads the key file; where there is none, writes one with 32 random bytes that only its owner may read.
    pub fn read_or_create(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        if !path.exists() {
            let mut bytes = Zeroizing::new([0_u8; SHORTEST_KEY]);
            getrandom::fill(&mut *bytes).context("the operating system gave no random bytes")?;
            let written = new_private_file(path).and_then(|mut file| {
                std::io::Write::write_all(&mut file, &*bytes)?;
                file.sync_all()
            });
            written.with_context(|| format!("cannot write the key file {shown}"))?;
        }
        let bytes = std::fs::read(path).map(Zeroizing::new);
        let bytes = bytes.with_context(|| format!("cannot read the key file {shown}"))?;
        Self::new(&bytes).with_context(|| format!("the key file {shown} is of no use"))
    }

    /// HMAC-SHA256 of a token; what is kept of it.
    pub(super) fn hash(&self, token: &Secret) -> [u8; 32] {
        mac_sha256(&self.0, &[b"unleak token v1\0", token.expose()])
    }

    /// HMAC-SHA256 over an audit line and the one before it.
    pub(super) fn chain(&self, parts: &[&[u8]]) -> [u8; 32] {
        let label: &[u8] = b"unleak token audit v1\0";
        let parts: Vec<&[u8]> = std::iter::once(label).chain(parts.iter().copied()).collect();
        mac_sha256(&self.0, &parts)
    }

    /// A name for the key that gives nothing of it away.
    fn id(&self) -> String {
        let mac = mac_sha256(&self.0, &[b"unleak token key id v1\0"]);
        mac[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey([redacted])")
    }
}

/// The embedded token service over its database; cheap to clone.
#[derive(Clone, Debug)]
pub struct TokenService {
    pub(super) pool: SqlitePool,
    pub(super) key: ServerKey,
    pub(super) key_id: String,
    operator: Option<[u8; 32]>,
}

impl TokenService {
    /// Opens the database (`sqlite://PATH`), makes it where there is none, and brings its tables up to date.
    ///
    /// Fails if the tokens in it were hashed under another key, because every one of them would look unknown.
    pub async fn open(url: &str, key: ServerKey) -> anyhow::Result<Self> {
        let pool = connect(url).await?;
        let mut migrator = sqlx::migrate!("src/token_service/migrations");
        // the leaks of `store` may live in the same file and count their own migrations
        migrator.dangerous_set_table_name("token_service_migrations");
        migrator
            .run(&pool)
            .await
            .with_context(|| format!("cannot bring the tables of {url} up to date"))?;
        let service = Self {
            pool,
            key_id: key.id(),
            key,
            operator: None,
        };
        service
            .know_key()
            .await
            .with_context(|| format!("cannot use the token store {url}"))?;
        Ok(service)
    }

    /// Lets the bearer of this key see and stop everything; it is for the people who run the server.
    pub fn with_operator(mut self, operator: &Secret) -> anyhow::Result<Self> {
        if operator.len() < SHORTEST_KEY {
            bail!("the operator key must have at least {SHORTEST_KEY} characters");
        }
        self.operator = Some(self.key.hash(operator));
        Ok(self)
    }

    /// Whether this is the operator key, in constant time.
    pub(super) fn is_operator(&self, presented: &Secret) -> bool {
        self.operator
            .is_some_and(|operator| bool::from(operator.ct_eq(&self.key.hash(presented))))
    }

    /// Whether the database answers.
    pub async fn ready(&self) -> Result<()> {
        sqlx::query("SELECT 1 FROM token_keys")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Closes the database after the questions under way; every later one fails.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a change.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn know_key(&self) -> anyhow::Result<()> {
        let mut change = self.write().await?;
        let known: Vec<(String,)> = sqlx::query_as("SELECT id FROM token_keys")
            .fetch_all(&mut *change)
            .await?;
        if known.is_empty() {
            sqlx::query("INSERT INTO token_keys (id, created_at) VALUES ($1, $2)")
                .bind(&self.key_id)
                .bind(Time::now())
                .execute(&mut *change)
                .await?;
        } else if !known.iter().any(|(id,)| *id == self.key_id) {
            bail!(
                "its tokens were hashed under another server key; give the key that it was made with, \
                 or another store"
            );
        }
        change.commit().await?;
        Ok(())
    }
}

async fn connect(url: &str) -> anyhow::Result<SqlitePool> {
    if !url.starts_with("sqlite:") {
        bail!(
            "the token store is an SQLite URL, as sqlite:///var/lib/unleak/tokens.db; other databases are not built in"
        );
    }
    let options = SqliteConnectOptions::from_str(url)
        .with_context(|| format!("{url} is not an SQLite URL, as sqlite:///var/lib/unleak/tokens.db"))?;
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let path = options.get_filename().to_owned();
    if !in_memory && !path.exists() {
        new_private_file(&path).with_context(|| format!("cannot make the token store {}", path.display()))?;
    }
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        // a revocation that was answered must survive a power cut
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5));
    SqlitePoolOptions::new()
        .max_connections(if in_memory { 1 } else { 4 })
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options)
        .await
        .with_context(|| format!("cannot open the token store {url}"))
}

/// Makes a file that only its owner may read; somebody else's file of the same name is never taken over.
fn new_private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // another process made it first: the caller reads or opens what is there
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::OpenOptions::new().append(true).open(path)
        }
        made => made,
    }
}
