//! Builds the [`Responder`] that the configuration describes: the one thing that both doors share.

use std::path::PathBuf;

use anyhow::Result;

use super::{Context, subject};
use crate::notify::Notifier;
use crate::respond::Responder;
use crate::verify::Verifier;

/// Opens the store and the channels. The policy is checked before, against all rules that are loaded. `root` is the working tree whose `CODEOWNERS` count.
pub(super) async fn responder(context: &Context, root: Option<PathBuf>) -> Result<Responder> {
    let config = &context.config;
    let caller = context.caller()?;
    Ok(Responder {
        verifier: Verifier::new(caller.clone()),
        caller,
        store: subject::store(context).await?,
        notifier: Notifier::new(&config.notify_settings()?)?,
        policy: config.policy.clone(),
        owners: config.owners.clone(),
        root,
    })
}
