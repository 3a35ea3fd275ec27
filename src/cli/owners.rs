//! `unleak owners`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::Exit;
use super::subject::SubjectArgs;
use super::verify::Format;
use crate::leak::Verdict;
use crate::owner;
use crate::verify::Verifier;

/// Find the people who must hear of a leaked token: its owner, the owners of the organisations that it opens
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct OwnersArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Repository whose CODEOWNERS are read for the places where the leak was seen
    #[arg(long, value_name = "FOLDER")]
    repository: Option<PathBuf>,
    /// Text for people, or one JSON object
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "Organisation owners are asked for with your own credential for the service: \
    services.NAME.credential_env in the configuration.\n\n\
    Exit codes: 0 somebody was found and everything could be asked, 3 otherwise\n\nExamples:\n  \
    unleak owners < token.txt\n  \
    unleak owners 3f2a91 --format json";

/// Asks and prints.
pub async fn run(args: OwnersArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let mut subject = args.subject.find(context).await?;
    let caller = context.caller()?;
    let answer = Verifier::new(caller.clone())
        .verify(&subject.rule, &subject.held)
        .await;
    subject.held.leak.identity.merge(answer.identity);
    let settings = &context.config.owners;
    let mut found = owner::find(
        &caller,
        &subject.rule,
        &subject.held,
        settings,
        args.repository.as_deref(),
    )
    .await;
    if let Verdict::Unknown { reason } = &answer.verdict {
        found
            .problems
            .push(format!("whose it is could not be asked: {reason}"));
    }
    if args.format == Format::Json {
        writeln!(
            out,
            "{}",
            json!({ "owners": found.owners, "problems": found.problems })
        )?;
    } else {
        for owner in &found.owners {
            let email = owner
                .email
                .as_deref()
                .map(|email| format!(" <{email}>"))
                .unwrap_or_default();
            let of = owner
                .organisation
                .as_deref()
                .map(|name| format!(" ({name})"))
                .unwrap_or_default();
            writeln!(
                out,
                "{}",
                format!("{}{email}: {}{of}", owner.name, owner.reason).escape_debug()
            )?;
        }
        for problem in &found.problems {
            writeln!(out, "not asked: {problem}")?;
        }
    }
    let whole = found.problems.is_empty() && !found.owners.is_empty();
    Ok(if whole { Exit::Clean } else { Exit::Incomplete })
}
