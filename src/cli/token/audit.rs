//! `unleak token audit`: the log as text or JSON, and whether it is whole.

use std::io::Write;

use anyhow::bail;

use super::args::AuditArgs;
use crate::cli::exit::Hinted;
use crate::token_service::TokenService;
use crate::token_service::audit::Checked;

/// What to do about a log that is not whole.
const COMPARE: &str = "compare it with a copy that `unleak token audit --jsonl` made before, or with a backup; whoever \
    did it could write to the database";

/// Lines that are read at once.
const BATCH: i64 = 1000;

pub(super) async fn run(service: &TokenService, args: AuditArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if args.verify {
        return match service.check_audit(args.head.as_ref()).await? {
            Checked::Whole(head) => Ok(writeln!(out, "the audit log is whole; its end is {head}")?),
            Checked::Broken(number) => Err(Hinted::incomplete(
                format!("the audit log was edited, or a line is missing, at line {number}"),
                COMPARE,
            )),
            Checked::CutOff(number) => Err(Hinted::incomplete(
                format!("the audit log was cut off behind line {number}"),
                COMPARE,
            )),
            Checked::KeyMissing(number, key) => bail!(
                "from line {number} on the audit log is chained under the server key {key}, which was not given; \
                 name its file in serve.further_key_files"
            ),
        };
    }
    let mut after = 0;
    loop {
        let lines = service
            .audit_lines(args.organisation.as_deref(), after, BATCH)
            .await?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = last.number;
        for line in &lines {
            if args.jsonl {
                writeln!(out, "{}", serde_json::to_string(line)?)?;
            } else {
                writeln!(out, "{line}")?;
            }
        }
    }
}
