//! `unleak token policy`: showing it, changing it, and what it would stop.

use std::io::Write;

use super::args::{Format, ImpactArgs, PolicyAction, PolicySetArgs};
use super::show;
use crate::token_service::audit::Actor;
use crate::token_service::model::Scopes;
use crate::token_service::policy::OrganisationPolicy;
use crate::token_service::{IMPACT_DAYS, TokenService};

pub(super) async fn run(
    service: &TokenService,
    action: PolicyAction,
    by: &Actor,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match action {
        PolicyAction::Show { organisation } => {
            let policy = service.organisation(&organisation).await?.policy;
            Ok(writeln!(out, "{}", serde_json::to_string_pretty(&policy)?)?)
        }
        PolicyAction::Set(args) if args.dry_run => {
            let args = ImpactArgs {
                policy: args,
                days: IMPACT_DAYS,
                format: Format::Text,
            };
            impact(service, args, out).await
        }
        PolicyAction::Set(args) => {
            let organisation = service.organisation(&args.organisation).await?;
            let policy = changed(&organisation.policy, &args)?;
            if policy == organisation.policy {
                return Ok(writeln!(
                    out,
                    "the policy of {} is so already; nothing was changed",
                    args.organisation
                )?);
            }
            service.set_policy(&args.organisation, &policy, by).await?;
            Ok(writeln!(out, "{}", serde_json::to_string_pretty(&policy)?)?)
        }
        PolicyAction::Impact(args) => impact(service, args, out).await,
    }
}

/// The policy with what the arguments name.
fn changed(policy: &OrganisationPolicy, args: &PolicySetArgs) -> anyhow::Result<OrganisationPolicy> {
    let mut policy = policy.clone();
    policy.refuse_user_tokens = args.refuse_user_tokens.unwrap_or(policy.refuse_user_tokens);
    policy.expiry_required = args.expiry_required.unwrap_or(policy.expiry_required);
    if args.any_scope {
        policy.allowed_scopes = None;
    } else if let Some(scopes) = &args.allowed_scopes {
        policy.allowed_scopes = Some(Scopes::new(scopes)?);
    }
    if args.any_lifetime {
        policy.max_lifetime_days = None;
    } else if args.max_lifetime_days.is_some() {
        policy.max_lifetime_days = args.max_lifetime_days;
    }
    Ok(policy)
}

async fn impact(service: &TokenService, args: ImpactArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let organisation = service.organisation(&args.policy.organisation).await?;
    let policy = changed(&organisation.policy, &args.policy)?;
    let impact = service.impact(&organisation, &policy, args.days).await?;
    if args.format == Format::Json {
        return Ok(writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(&impact.json())?
        )?);
    }
    for stops in impact.stops.iter().chain(&impact.idle) {
        show::stopping(out, stops)?;
    }
    let (used, idle) = (impact.stops.len(), impact.idle.len());
    Ok(writeln!(
        out,
        "living tokens that would be turned away: {}, of them used here in the last {} days: {used}; that would stay: \
         {}; nothing was changed",
        used + idle,
        args.days,
        impact.spared
    )?)
}
