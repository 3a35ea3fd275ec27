//! The policy in plain sentences, as it is read: what may be done, what never, and who hears.
//!
//! It says what [`super::decide`] does; a test holds the two together.

use jiff::SignedDuration;

use super::{Action, Allow, Length, Policy, Standing};

/// The whole policy for a person to read, with how things stand now.
pub fn explain(policy: &Policy, standing: &Standing) -> String {
    let stop = match &standing.stopped {
        Some(stopped) => {
            format!("STOPPED: {stopped}. Nothing is revoked or contained until `unleak resume`.")
        }
        None => "Not stopped. `unleak stop` stops every revocation and containment at once.".to_owned(),
    };
    let limit = format!(
        "{} leaks an hour are revoked or contained; {} in the last hour. Beyond it everything waits for a person.",
        policy.limit_per_hour, standing.recent
    );
    let sections = [
        ("Never, whatever stands below and whoever asks", never(policy)),
        (
            "What may be done; the first entry that fits a live token decides",
            may(policy),
        ),
        ("Limit", vec![limit]),
        ("Who says yes", vec![yes(policy)]),
        ("When nobody acts", when_nobody_acts(policy)),
    ];
    let mut text = format!("{stop}\n");
    for (title, lines) in sections {
        text.push_str(&format!("\n{title}\n"));
        for line in lines {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

fn never(policy: &Policy) -> Vec<String> {
    let mut lines = vec![
        "- a token that its service has not called alive is neither revoked nor contained: unknown is not alive"
            .to_owned(),
        "- what is public by design is recorded, and nobody is told".to_owned(),
    ];
    lines.extend(policy.deny.iter().map(|entry| {
        let entry = quoted(entry);
        format!(
            "- {entry} is neither revoked nor contained, not even when a person confirms it: people are told"
        )
    }));
    lines
}

fn may(policy: &Policy) -> Vec<String> {
    if policy.allow.is_empty() {
        let none =
            "No entry: people are told, and nothing is revoked or contained unless a person confirms it.";
        return vec![none.to_owned()];
    }
    let entries = policy.allow.iter().enumerate();
    let mut lines: Vec<String> = entries
        .map(|(at, allow)| format!("{}. {}", at + 1, entry(allow)))
        .collect();
    for line in [
        "Everything else: people are told, and nothing more unless a person confirms it (`unleak revoke`).",
        "What a service has refused is not tried again by itself: the next entry that fits decides then.",
    ] {
        lines.push(line.to_owned());
    }
    lines
}

fn yes(policy: &Policy) -> String {
    if policy.approvers.is_empty() {
        return "policy.approvers names nobody: the notices say what waits. `unleak approve FINGERPRINT` says yes."
            .to_owned();
    }
    format!(
        "{} are asked. `unleak approve FINGERPRINT` says yes.",
        all(&policy.approvers)
    )
}

fn when_nobody_acts(policy: &Policy) -> Vec<String> {
    let recheck = length(policy.recheck.duration());
    let mut lines = vec![format!(
        "Every {recheck} it is asked again whether a token is still alive."
    )];
    for (at, step) in policy.escalate.iter().enumerate() {
        let severity = step
            .severity
            .map(|severity| format!(" of severity {severity} or worse"));
        let service = step
            .service
            .as_ref()
            .map(|service| format!(" of {}", quoted(service)));
        lines.push(format!(
            "{}. {} after the first notice, a leak{}{} that is neither dead nor contained goes to {}, once.",
            at + 1,
            length(step.after.duration()),
            severity.unwrap_or_default(),
            service.unwrap_or_default(),
            all(&step.to)
        ));
    }
    if policy.escalate.is_empty() {
        lines.push("No step: it goes to nobody else (policy.escalate).".to_owned());
    }
    lines
}

fn all(names: &[String]) -> String {
    names
        .iter()
        .map(|name| quoted(name))
        .collect::<Vec<_>>()
        .join(", ")
}

fn entry(allow: &Allow) -> String {
    let mut conditions = Vec::new();
    if let Some(service) = &allow.service {
        conditions.push(format!("the service is {}", quoted(service)));
    }
    if let Some(rule) = &allow.rule {
        conditions.push(format!("the rule is {}", quoted(rule)));
    }
    if let Some(severity) = allow.severity {
        conditions.push(format!("the severity is {severity} or worse"));
    }
    if let Some(source) = allow.source {
        conditions.push(format!("it was seen in: {}", source.name()));
    }
    if let Some(organisation) = &allow.organisation {
        conditions.push(format!("it opens the organisation {}", quoted(organisation)));
    }
    let which = if conditions.is_empty() {
        "any live token".to_owned()
    } else {
        format!("a live token where {}", conditions.join(" and "))
    };
    let what = match allow.action {
        Action::Revoke => "is revoked",
        Action::Contain => "is kept away from the organisation, without ending it",
    };
    let when = if allow.grace == Length::default() {
        "at once".to_owned()
    } else {
        format!("{} after the leak was first seen", length(allow.grace.duration()))
    };
    let who = match allow.approval.people() {
        0 => "without asking".to_owned(),
        1 => "once a person has approved".to_owned(),
        people => format!("once {people} different people have approved"),
    };
    format!("{}: {which} {what}, {when}, {who}.", quoted(&allow.name))
}

/// `90m`, `24h`: as people write it.
fn length(duration: SignedDuration) -> String {
    let minutes = duration.as_mins();
    match (minutes / 60, minutes % 60) {
        _ if duration.as_secs() % 60 != 0 => format!("{} s", duration.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Text of the configuration in one line and in quotes, whatever it holds.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
