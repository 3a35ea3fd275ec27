//! A copy of an SQLite store while it is in use.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Store;
use crate::database::{Pool, new_private_file};

impl Store {
    /// Writes a whole, consistent copy into a new file for its owner alone; receivers and workers go on meanwhile. The key
    /// is not in it: keep it elsewhere.
    ///
    /// # Errors
    /// A file that is there already, no space, and PostgreSQL, which has tools of its own.
    pub async fn back_up(&self, file: &Path) -> Result<()> {
        let Pool::Sqlite(pool, _) = &self.pool else {
            bail!(
                "{} is PostgreSQL: back it up with pg_dump, or by whatever your server has",
                self.shown
            );
        };
        if file.exists() {
            bail!("{} is there already; name a new file", file.display());
        }
        let text = file.to_str().context("the file's name is not UTF-8")?;
        // SQLite writes into an empty file as into a new one, and it would make a new one for all to read.
        new_private_file(file).with_context(|| format!("cannot make {}", file.display()))?;
        sqlx::query("VACUUM INTO $1")
            .bind(text)
            .execute(pool)
            .await
            .map_err(|error| self.told(error))?;
        Ok(())
    }
}
