//! The token service over its database: opening it with the right keys, and closing it.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use sqlx::migrate::Migration;
use sqlx::{FromRow, SqlSafeStr};
use subtle::ConstantTimeEq;

use crate::database::{Lock, Open, Pool, shown, sql, translated};
use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::keys::{KeyRing, SHORTEST_KEY};
use crate::token_service::model::Time;
use crate::token_service::preset::Presets;
use crate::token_service::seldom::Seldom;
use crate::token_service::uses::Uses;

/// The embedded token service over its database; cheap to clone.
#[derive(Clone, Debug)]
pub struct TokenService {
    pub(super) pool: Pool,
    pub(super) keys: Arc<KeyRing>,
    /// Whether the current key is the newest one there is: only then are older hashes renewed.
    pub(super) newest: bool,
    pub(super) presets: Arc<Presets>,
    pub(super) uses: Arc<Uses>,
    /// Refusals that were written down lately.
    pub(super) told: Arc<Seldom>,
    operator: Option<[u8; 32]>,
}

/// A key of the database, by name.
#[derive(Clone, Debug, FromRow, serde::Serialize)]
pub struct KnownKey {
    /// The key's name, which gives nothing of it away.
    pub id: String,
    /// Counts the keys from 1 in the order in which they came.
    pub number: i64,
    /// When it came.
    pub created_at: Time,
    /// When it was given up.
    pub retired_at: Option<Time>,
    /// Living tokens that are still hashed under it.
    pub living_tokens: i64,
}

const KNOWN_KEYS: &str = "SELECT k.id, k.number, k.created_at, k.retired_at, \
     (SELECT COUNT(*) FROM tokens t WHERE t.key_id = k.id AND t.revoked_at IS NULL) AS living_tokens \
     FROM token_keys k ORDER BY k.number";

impl TokenService {
    /// Opens the database (`sqlite://PATH` or `postgres://…`), makes its tables where there are none, and brings them
    /// up to date. A current key that is new to it becomes the key for new tokens, if an older one is given with it.
    ///
    /// Fails if living tokens in it were hashed under a key that is not given, because they would look unknown.
    pub async fn open(url: &str, keys: impl Into<KeyRing>) -> anyhow::Result<Self> {
        Self::open_without(url, keys, None).await
    }

    /// The same, where the key of this name is lost and shall be given up.
    pub async fn open_without(
        url: &str,
        keys: impl Into<KeyRing>,
        lost: Option<&str>,
    ) -> anyhow::Result<Self> {
        let pool = Pool::connect(url, "the token store").await?;
        migrate(&pool)
            .await
            .with_context(|| format!("cannot bring the tables of {} up to date", shown(url)))?;
        let mut service = Self {
            uses: Uses::watched(&pool),
            pool,
            keys: Arc::new(keys.into()),
            newest: true,
            presets: Arc::default(),
            told: Arc::default(),
            operator: None,
        };
        service.newest = service
            .know_keys(lost)
            .await
            .with_context(|| format!("cannot use the token store {}", shown(url)))?;
        Ok(service)
    }

    /// Lets the bearer of this key see and stop everything; it is for the people who run the server.
    pub fn with_operator(mut self, operator: &Secret) -> anyhow::Result<Self> {
        if operator.len() < SHORTEST_KEY {
            bail!("the operator key must have at least {SHORTEST_KEY} characters");
        }
        self.operator = Some(self.keys.current().1.hash(operator));
        Ok(self)
    }

    /// Makes tokens by these presets, beside the built-in ones.
    #[must_use]
    pub fn with_presets(mut self, presets: Presets) -> Self {
        self.presets = Arc::new(presets);
        self
    }

    /// The presets that tokens can be made by.
    pub fn presets(&self) -> &Presets {
        &self.presets
    }

    /// Whether this is the operator key, in constant time.
    pub(super) fn is_operator(&self, presented: &Secret) -> bool {
        self.operator
            .is_some_and(|operator| bool::from(operator.ct_eq(&self.keys.current().1.hash(presented))))
    }

    /// What a session of the operator keeps of the operator key: it ends when the key is another one.
    pub(super) fn operator_mark(&self) -> Option<[u8; 32]> {
        self.operator
    }

    /// Whether the database answers.
    pub async fn ready(&self) -> Result<()> {
        let _known: Option<(i64,)> = sql("SELECT MAX(number) FROM token_keys")
            .optional(&self.pool)
            .await?;
        Ok(())
    }

    /// Writes down the uses that are still in memory and closes the database after the questions under way; every
    /// later one fails.
    pub async fn close(&self) {
        if let Err(error) = self.uses.write_all(&self.pool).await {
            tracing::warn!(%error, "the last uses of tokens could not be written");
        }
        self.pool.close().await;
    }

    /// Begins a change.
    pub(super) async fn write(&self) -> Result<Open> {
        Ok(self.pool.begin(Lock::Tokens).await?)
    }

    /// The keys that this database has known, oldest first.
    pub async fn known_keys(&self) -> Result<Vec<KnownKey>> {
        sql(KNOWN_KEYS).all(&self.pool).await.map_err(Into::into)
    }

    /// Gives a key up: living tokens that wait under it are revoked, because without it they would look unknown.
    pub async fn retire_key(&self, id: &str, by: &Actor) -> Result<u64> {
        if self.keys.current().0 == id {
            return Err(Error::invalid(
                "this is the current key; start with a new one first, and this one in serve.further_key_files",
            ));
        }
        let mut change = self.write().await?;
        let now = Time::now();
        let retired = sql("UPDATE token_keys SET retired_at = $1 WHERE id = $2 AND retired_at IS NULL")
            .bind(now)
            .bind(id)
            .run(&mut change)
            .await?;
        if retired == 0 {
            return Err(Error::NotFound("key"));
        }
        let revoked = sql("UPDATE tokens SET revoked_at = $1, revoked_by = $2, \
             revoked_cause = 'its server key was retired' WHERE key_id = $3 AND revoked_at IS NULL")
        .bind(now)
        .bind(by.as_str())
        .bind(id)
        .run(&mut change)
        .await?;
        let detail = format!("living tokens revoked with it: {revoked}");
        self.note(
            &mut change,
            Change::plain(by, "key.retire", id, None).with(&detail),
        )
        .await?;
        change.commit().await?;
        Ok(revoked)
    }

    /// Whether a key came that this server was not given; then a token it cannot find may be a good one.
    pub(super) async fn is_behind(&self) -> Result<bool> {
        let newest: Option<(String,)> = sql("SELECT id FROM token_keys ORDER BY number DESC LIMIT 1")
            .optional(&self.pool)
            .await?;
        Ok(newest.is_some_and(|(id,)| self.keys.named(&id).is_none()))
    }

    /// Checks the keys against those of the database, and says whether the current one is its newest.
    async fn know_keys(&self, lost: Option<&str>) -> anyhow::Result<bool> {
        let (current, _) = self.keys.current();
        let mut change = self.write().await?;
        let known: Vec<KnownKey> = sql(KNOWN_KEYS).all(&mut change).await?;
        let given = |key: &KnownKey| self.keys.named(&key.id).is_some() || lost == Some(&key.id);
        let newest = known.last();
        if let Some(missing) = newest.filter(|newest| !given(newest)) {
            let id = &missing.id;
            if known.iter().any(given) {
                bail!(
                    "a newer server key, {id}, is in use; name its file in serve.key_file, or in \
                     serve.further_key_files"
                );
            }
            bail!(
                "its tokens were hashed under another server key, {id}; name that key's file in serve.key_file (or in \
                 serve.further_key_files, if you mean to change the key), or name another store. If it is lost, \
                 `unleak token key retire {id}` revokes its tokens"
            );
        }
        if let Some(waiting) = known
            .iter()
            .find(|key| !given(key) && key.retired_at.is_none() && key.living_tokens > 0)
        {
            bail!(
                "living tokens wait under the server key {id} ({}); name its file in serve.further_key_files until they \
                 were seen again, or give it up with `unleak token key retire {id}`, which revokes them",
                waiting.living_tokens,
                id = waiting.id
            );
        }
        if known.iter().any(|key| key.id == *current) {
            return Ok(newest.is_some_and(|newest| newest.id == *current));
        }
        let number = newest.map_or(1, |newest| newest.number + 1);
        sql("INSERT INTO token_keys (id, created_at, number) VALUES ($1, $2, $3)")
            .bind(current)
            .bind(Time::now())
            .bind(number)
            .run(&mut change)
            .await?;
        if number > 1 {
            let by = Actor::local("server start");
            self.note(&mut change, Change::plain(&by, "key.rotate", current, None))
                .await?;
        }
        change.commit().await?;
        Ok(true)
    }
}

/// The tables, as one list for both: what PostgreSQL calls otherwise is said its way.
async fn migrate(pool: &Pool) -> std::result::Result<(), sqlx::migrate::MigrateError> {
    let mut migrator = sqlx::migrate!("src/token_service/migrations");
    // the leaks of `store` may live in the same database and count their own migrations
    migrator.dangerous_set_table_name("token_service_migrations");
    match pool {
        Pool::Sqlite(pool, _) => migrator.run(pool).await,
        Pool::Postgres(pool, _) => {
            let in_its_words = migrator.migrations.iter().map(|migration| {
                let text = translated(migration.sql.as_str());
                Migration::new(
                    migration.version,
                    migration.description.clone(),
                    migration.migration_type,
                    SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(text)),
                    migration.no_tx,
                )
            });
            migrator.migrations = in_its_words.collect();
            migrator.run(pool).await
        }
    }
}
