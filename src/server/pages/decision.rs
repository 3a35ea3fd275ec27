//! What the policy would have done about a leak now. Nothing is written down and nobody is asked.

use anyhow::Result;

use super::Pages;
use super::trouble::sentence;
use crate::leak::Leak;
use crate::policy::{self, Action, Decision};

/// A decision as a page shows it.
pub(super) struct Decided {
    /// `record`, `notify`, `wait`, `approve` or `act`.
    pub(super) name: &'static str,
    /// Why, with the entry of the policy.
    pub(super) why: String,
    /// What waits for a yes.
    pub(super) waits: Option<Action>,
    /// Who said yes to it.
    pub(super) approved: Vec<String>,
}

/// What the policy wants done about this leak now.
pub(super) async fn decided(pages: &Pages, leak: &Leak) -> Result<Decided> {
    let standing = pages.responder.standing(leak).await?;
    let decision = policy::decide(leak, &pages.responder.policy, &standing);
    let waits = match &decision {
        Decision::Approve { action, .. } => Some(*action),
        _ => None,
    };
    let said = standing
        .approved
        .iter()
        .filter(|(action, _)| Some(*action) == waits);
    Ok(Decided {
        name: decision.name(),
        why: sentence(decision.why()),
        approved: said.map(|(_, who)| who.clone()).collect(),
        waits,
    })
}

/// Why a person's order would be refused now, if it would.
pub(super) async fn refused(pages: &Pages, leak: &Leak, action: Action, by: &str) -> Result<Option<String>> {
    let standing = pages.responder.standing(leak).await?;
    let order = policy::confirmed(leak, &pages.responder.policy, action, by, &standing);
    Ok(order.err().map(|refusal| sentence(&refusal.to_string())))
}
