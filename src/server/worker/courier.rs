//! Brings the notices to whom they are for: those that were collected long enough, and those that were not taken before.
//!
//! One for each process; which of them sends a message is the store's to say.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{LONGEST_STORE_PAUSE, LOOK, Workers, farewell, pause, stopping};
use crate::respond::without_addresses;

/// Runs until `stop` says `true`; what is just being sent may end for some seconds.
pub(super) async fn run(workers: Workers, mut stop: watch::Receiver<bool>) {
    let mut failures = 0_u32;
    while !stopping(&stop) {
        let brought = tokio::select! {
            brought = bring(&workers) => brought,
            () = farewell(&mut stop) => return,
        };
        let wait = match brought {
            Ok(Some(wait)) => {
                failures = 0;
                wait
            }
            Ok(None) => {
                failures = 0;
                continue;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                workers.metrics.store_failed();
                tracing::error!("no notice can be sent: {error:#}; it is tried again");
                pause::after(failures, LOOK, LONGEST_STORE_PAUSE)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = workers.sign.courier.notified(), if failures == 0 => {}
            _ = stop.changed() => {}
        }
    }
}

/// Sends what is due; how long to wait if nothing was.
async fn bring(workers: &Workers) -> Result<Option<Duration>> {
    let Some(due) = workers.store().next_notice_due().await? else {
        return Ok(Some(LOOK));
    };
    let early = due.duration_since(Timestamp::now());
    if early.is_positive() {
        // Another process may put one that is due sooner.
        return Ok(Some(early.unsigned_abs().min(LOOK)));
    }
    let told = workers.responder.deliver(&workers.rules).await?;
    for told in &told {
        workers.metrics.told(told);
        tracing::info!(
            channel = told.channel,
            leaks = told.leaks,
            "{}",
            without_addresses(&told.said)
        );
    }
    Ok(told.is_empty().then_some(LOOK))
}
