//! What is wiped rests on in SQLite's write-ahead log until that is emptied. Nobody can write while it is, so it is done at
//! once for one leak that closes, and once a second for many.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::database::Pool;

/// How often the log is emptied at most.
const PAUSE: Duration = Duration::from_secs(1);

/// The log of one store, as this process knows it; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Something was wiped since the log was emptied.
    wanted: AtomicBool,
    /// Somebody looks after it.
    kept: AtomicBool,
}

impl Log {
    /// Empties it now, or soon where that was done just before.
    pub(super) async fn empty(&self, pool: &Pool) {
        if matches!(pool, Pool::Postgres(..)) {
            return;
        }
        self.0.wanted.store(true, Ordering::SeqCst);
        if self.0.kept.swap(true, Ordering::SeqCst) {
            return;
        }
        // Whoever closed the leak may be cut off; what it began is brought to its end all the same.
        let (told, done) = oneshot::channel();
        let (log, pool) = (self.clone(), pool.clone());
        tokio::spawn(async move {
            log.emptied(&pool).await;
            // an error is that nobody waits any more
            let _told = told.send(());
            loop {
                tokio::time::sleep(PAUSE).await;
                if !log.0.wanted.load(Ordering::SeqCst) {
                    log.0.kept.store(false, Ordering::SeqCst);
                    let late = log.0.wanted.load(Ordering::SeqCst);
                    if !late || log.0.kept.swap(true, Ordering::SeqCst) {
                        return;
                    }
                }
                if !log.emptied(&pool).await {
                    return;
                }
            }
        });
        // an error is a runtime that ends, and the log with it
        let _emptied = done.await;
    }

    /// Empties it before the store is closed.
    pub(super) async fn empty_at_last(&self, pool: &Pool) {
        if self.0.wanted.load(Ordering::SeqCst) {
            self.emptied(pool).await;
        }
    }

    /// `false` if the store is closed.
    async fn emptied(&self, pool: &Pool) -> bool {
        self.0.wanted.store(false, Ordering::SeqCst);
        match pool.empty_log().await {
            Ok(true) => {}
            Ok(false) => self.0.wanted.store(true, Ordering::SeqCst),
            Err(sqlx::Error::PoolClosed) => return false,
            Err(error) => {
                self.0.wanted.store(true, Ordering::SeqCst);
                tracing::debug!(%error, "the write-ahead log was not emptied");
            }
        }
        true
    }
}
