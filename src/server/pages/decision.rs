//! What the policy would have done about a leak now. Nothing is written down and nobody is asked.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::Pages;
use super::trouble::sentence;
use crate::leak::Leak;
use crate::policy::{self, Decision};

/// A decision as a page shows it.
pub(super) struct Decided {
    /// `record`, `notify`, `wait`, `approve` or `act`.
    pub(super) name: &'static str,
    /// Why, with the entry of the policy.
    pub(super) why: String,
    /// What waits for a yes: `revoke` or `contain`; empty if nothing does.
    pub(super) waits: String,
    /// Who said yes to it.
    pub(super) approved: Vec<String>,
}

/// What the policy wants done about this leak now.
pub(super) async fn decided(pages: &Pages, leak: &Leak) -> Result<Decided> {
    let now = Timestamp::now();
    let since = now.saturating_sub(SignedDuration::from_hours(1))?;
    let recent = pages.responder.store.recent_revocations(since).await?;
    let decision = policy::decide(leak, &pages.responder.policy, now, recent);
    let (name, waits) = match &decision {
        Decision::Record { .. } => ("record", String::new()),
        Decision::Notify { .. } => ("notify", String::new()),
        Decision::Wait { .. } => ("wait", String::new()),
        Decision::Approve { .. } => ("approve", "revoke".to_owned()),
        Decision::Act(_) => ("act", String::new()),
    };
    Ok(Decided {
        name,
        why: sentence(decision.why()),
        waits,
        approved: Vec::new(),
    })
}
