//! Builds the [`Responder`] that the configuration describes: the one thing that both doors share.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{Context, subject};
use crate::leak::OwnerReason;
use crate::notify::{Channel, Notifier};
use crate::owner::contact_of;
use crate::policy::Policy;
use crate::respond::Responder;
use crate::verify::Verifier;

/// Opens the store and the channels. The policy is checked before, against all rules that are loaded. `root` is the
/// working tree whose `CODEOWNERS` count.
pub(super) async fn responder(context: &Context, root: Option<PathBuf>) -> Result<Responder> {
    let config = &context.config;
    let caller = context.caller()?;
    let notifier = Notifier::new(&config.notify_settings()?)?;
    check_people(&config.policy, &notifier)?;
    Ok(Responder {
        verifier: Verifier::new(caller.clone()),
        caller,
        store: subject::store(context).await?,
        notifier,
        policy: config.policy.clone(),
        owners: config.owners.clone(),
        root,
    })
}

/// Whoever the policy names must be somebody who can be told.
pub(super) fn check_people(policy: &Policy, notifier: &Notifier) -> Result<()> {
    let steps = policy.escalate.iter().flat_map(|step| &step.to);
    let named = steps.map(|name| ("policy.escalate", name));
    let approvers = policy.approvers.iter().map(|name| ("policy.approvers", name));
    for (key, name) in named.chain(approvers) {
        match Channel::named(name) {
            Some(Channel::Email | Channel::Webhook | Channel::Outbox) => {
                bail!(
                    "{key}: {name:?} reaches nobody by itself; name an address, or slack, teams, pagerduty or github"
                )
            }
            Some(channel) if notifier.open().contains(&channel) => {}
            Some(_) => bail!("{key} names {name:?}, and there is no [notify.{name}]"),
            None if contact_of(name, OwnerReason::Approver).is_some() => {}
            None => bail!("{key}: {name:?} is neither a mail address nor a channel of [notify]"),
        }
    }
    Ok(())
}
