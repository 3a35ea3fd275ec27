//! A way to end a token, as a person reads it before anything is sent: by whom, with what request, and whether it is
//! open to us. Nothing is sent here, and no secret is filled in.

use std::fmt;

use serde::Serialize;

use super::{CallError, Caller, Values, steps, template};
use crate::leak::Held;
use crate::rule::Service;
use crate::rule::file::{SignFile, StepFile, With};
use crate::rule::template::holes;

/// Most organisations that are asked or acted in for one leak.
const MOST_ORGANISATIONS: usize = 10;

/// `{cause}`: why, for a service that keeps it.
const CAUSE: &str = "leaked: unleak found it in the open";

/// One way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// With whose authority.
    pub with: With,
    /// What it does, where the rule file says: "removes the member from the organisation".
    pub effect: Option<String>,
    /// The organisation that it is done in, where it needs one.
    pub organisation: Option<String>,
    /// `METHOD URL` of each step, filled in but for secrets and for what only an earlier step tells.
    pub requests: Vec<String>,
    /// Why it is not open to us, with the next step; `None` if it is.
    pub closed: Option<String>,
    /// The page where a person does it by hand.
    pub page: Option<String>,
}

impl Way {
    /// Whether we can go it.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.with {
            With::Secret => "with the token itself",
            With::Operator => "with the operator's credential",
            With::Session => "by hand",
        })?;
        if let Some(organisation) = &self.organisation {
            write!(f, ", in {organisation}")?;
        }
        if let Some(effect) = &self.effect {
            write!(f, ": {effect}")?;
        }
        match &self.closed {
            None => write!(f, " (open to us)")?,
            Some(why) if self.with == With::Session => write!(f, " ({why})")?,
            Some(why) => write!(f, " (not open: {why})")?,
        }
        for request in &self.requests {
            write!(f, "\n     {request}")?;
        }
        if let Some(page) = &self.page {
            write!(f, "\n     page: {page}")?;
        }
        Ok(())
    }
}

/// Looks at a way with the values that are known for it.
pub fn look(
    service: &Service,
    with: With,
    steps: &[StepFile],
    page: Option<&String>,
    bases: &Result<Vec<String>, CallError>,
    values: &Values,
) -> Way {
    let shown = values;
    Way {
        with,
        effect: None,
        organisation: None,
        requests: requests(steps, bases, shown),
        closed: closed(service, with, steps, bases, values),
        // Where the instance is not known there is no page of it.
        page: page
            .map(|page| template::fill_known(page, shown))
            .filter(|page| !page.starts_with('{')),
    }
}

fn requests(steps: &[StepFile], bases: &Result<Vec<String>, CallError>, shown: &Values) -> Vec<String> {
    let bases = bases.as_deref().unwrap_or_default();
    let one = |step: &StepFile, base: &String| {
        let mut shown = shown.clone();
        shown.set("base", base);
        template::fill_known(&step.request, &shown)
    };
    let mut requests: Vec<String> = Vec::new();
    for base in bases {
        requests.extend(steps.iter().map(|step| one(step, base)));
    }
    requests.dedup();
    requests
}

fn closed(
    service: &Service,
    with: With,
    steps: &[StepFile],
    bases: &Result<Vec<String>, CallError>,
    values: &Values,
) -> Option<String> {
    if with == With::Session {
        return Some("only a person who is signed in can do this".to_owned());
    }
    if let Err(error) = bases {
        return Some(error.to_string());
    }
    if steps.is_empty() {
        return Some(format!("{} says no request for it", service.shown));
    }
    if let Some((credential, _)) = values.get("operator")
        && !credential.contains(':')
        && steps.iter().any(is_basic)
    {
        let why = "must be user:password, which this service takes and no token in its place";
        return Some(format!("services.{}.credential {why}", service.name));
    }
    let mut missing = steps::missing(steps, values);
    // Whoever sends a further credential of the operator's needs no first one.
    let sends_other = |step: &StepFile| {
        template::names(&step.call())
            .iter()
            .any(|name| name.starts_with("operator-"))
    };
    let operator = "operator".to_owned();
    if with == With::Operator
        && !values.knows(&operator)
        && !missing.contains(&operator)
        && !steps.iter().any(sends_other)
    {
        missing.push(operator);
    }
    let why = missing.into_iter().map(|name| {
        CallError::MissingValue {
            name,
            service: service.name.clone(),
        }
        .to_string()
    });
    let why: Vec<String> = why.collect();
    (!why.is_empty()).then(|| why.join("; "))
}

/// Whether the operator's credential goes into it as user and password.
fn is_basic(step: &StepFile) -> bool {
    let key = step.sign.iter().flat_map(SignFile::texts);
    step.headers
        .values()
        .chain(key)
        .flat_map(|text| holes(text))
        .any(|hole| ["{basic:operator}", "{user:operator}", "{password:operator}"].contains(&hole.whole))
}

/// Organisations that a leak reaches: what the service told, else the configured ones.
fn organisations(caller: &Caller, service: &Service, held: &Held) -> Vec<String> {
    let (told, base) = (
        &held.leak.identity.organisations,
        held.leak.identity.base.as_deref(),
    );
    let known = if told.is_empty() {
        &caller
            .settings_at(&service.name, base.unwrap_or_default())
            .organisations
    } else {
        told
    };
    known.iter().take(MOST_ORGANISATIONS).cloned().collect()
}

/// The organisations that steps are run in, one after the other; one nameless place where the steps name none, or none
/// is known.
pub fn places(caller: &Caller, service: &Service, held: &Held, steps: &[StepFile]) -> Vec<Option<String>> {
    let named = |step: &StepFile| template::names(&step.call()).contains("organisation");
    let organisations = organisations(caller, service, held);
    if organisations.is_empty() || !steps.iter().any(named) {
        return vec![None];
    }
    organisations.into_iter().map(Some).collect()
}

/// The values for steps on a base and, where they name one, in an organisation.
pub fn values(
    held: &Held,
    caller: &Caller,
    service: &Service,
    base: &str,
    organisation: Option<&String>,
) -> Values {
    let mut values = Values::of(held, caller, service, base);
    values.set("cause", CAUSE);
    if let Some(organisation) = organisation {
        values.set("organisation", organisation);
    }
    values
}

/// Of the bases where a way is gone, the one that knows the token, whose page is the right one; else the first.
pub fn home<'a>(held: &Held, bases: &'a [String]) -> &'a str {
    let known = held.leak.identity.base.as_ref();
    let home = bases.iter().find(|base| known == Some(*base));
    home.or(bases.first()).map_or("", String::as_str)
}

/// Where a way is gone: the base that knows the token; all of them where the rule file says so, or where possession of
/// the token is enough and nobody knows its base.
pub fn bases(
    caller: &Caller,
    service: &Service,
    held: &Held,
    with: With,
    everywhere: bool,
) -> Result<Vec<String>, CallError> {
    let bases = caller.bases_of(service, held)?;
    if everywhere && !held.facts.contains_key("base") {
        return Ok(caller.bases(service));
    }
    if bases.len() > 1 && with == With::Operator {
        return Err(CallError::Forbidden(
            "which of the service's bases knows the token is not known: verify it first".to_owned(),
        ));
    }
    Ok(bases)
}
