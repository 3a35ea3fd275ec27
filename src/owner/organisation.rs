//! The owners of the organisations that a token opens, asked of its service with the operator's credential.

use serde_json::Value;

use super::{Found, address, clean};
use crate::call::list::{self, List};
use crate::call::{Caller, Values, expect, way};
use crate::leak::{Held, Owner, OwnerReason};
use crate::rule::Rule;
use crate::rule::file::{OwnersFile, StepFile};

/// Most owners of one organisation that are told.
const MOST_OWNERS: usize = 100;

/// Asks for the owners of each organisation.
pub(super) async fn ask(caller: &Caller, rule: &Rule, held: &Held, found: &mut Found) {
    let Some(file) = rule.owners() else {
        return;
    };
    let steps = [step(file)];
    let bases = match way::bases(caller, &rule.service, held, file.with, false) {
        Ok(bases) => bases,
        Err(error) => return found.problem(format!("organisation owners were not asked for: {error}")),
    };
    for organisation in way::places(caller, &rule.service, held, &steps) {
        for base in &bases {
            let values = way::values(held, caller, &rule.service, base, organisation.as_ref());
            let at = vec![base.clone()];
            let way = way::look(&rule.service, file.with, &steps, None, &Ok(at), &values);
            if let Some(why) = way.closed {
                found.problem(format!("organisation owners were not asked for: {why}"));
                continue;
            }
            match owners(caller, rule, file, &values).await {
                Ok(entries) => take(file, &entries, &values, organisation.as_deref(), found),
                Err(error) => {
                    let of = organisation
                        .as_deref()
                        .map_or(String::new(), |name| format!(" of {}", clean(name)));
                    found.problem(format!(
                        "the owners{of} could not be listed: {error}; check that services.{}.credential may list \
                         members",
                        rule.service.name
                    ));
                }
            }
        }
    }
}

async fn owners(
    caller: &Caller,
    rule: &Rule,
    file: &OwnersFile,
    values: &Values,
) -> Result<Vec<Value>, list::ListError> {
    let call = file.call();
    let list = List {
        call: &call,
        each: &file.each,
        next: file.next.as_ref(),
        done: &[],
    };
    list::entries(caller, &rule.service, &list, values).await
}

fn take(
    file: &OwnersFile,
    entries: &[Value],
    values: &Values,
    organisation: Option<&str>,
    found: &mut Found,
) {
    let owners = entries.iter().filter(|entry| {
        let mut conditions = file.conditions.iter();
        conditions.all(|(pointer, wanted)| entry.pointer(pointer) == Some(wanted))
    });
    let before = found.owners.len();
    for entry in owners.take(MOST_OWNERS) {
        let field = |name: &str| {
            let text = file
                .fields
                .get(name)
                .and_then(|pointer| entry.pointer(pointer))
                .and_then(expect::text);
            text.filter(|text| !text.trim().is_empty() && !values.gives_away(text))
        };
        let email = field("email").and_then(|email| address(&email).map(str::to_owned));
        let name = field("name")
            .map(|name| clean(&name))
            .filter(|name| !name.is_empty());
        if let Some(name) = name.or_else(|| email.clone()) {
            found.add(Owner {
                name,
                email,
                reason: OwnerReason::OrganisationOwner,
                organisation: organisation.map(clean),
            });
        }
    }
    if found.owners.len() == before {
        let of = organisation.map_or(String::new(), |name| format!(" of {}", clean(name)));
        found.problem(format!(
            "the service listed no owner{of} that this credential may see"
        ));
    }
}

/// The request as a step, so that what it needs is looked at as for any other.
fn step(file: &OwnersFile) -> StepFile {
    StepFile {
        request: file.request.clone(),
        headers: file.headers.clone(),
        body: file.body.clone(),
        sign: file.sign.clone(),
        ..StepFile::default()
    }
}
