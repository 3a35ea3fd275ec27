//! Proves the sections of a rule: verify, owners, contain and revoke.

use std::collections::BTreeSet;

use super::calls::{self, Frame, is_list, is_pointer, uses};
use super::ways::{self, Way};
use super::{Notes, replies};
use crate::rule::compile::Rule;
use crate::rule::file::{IdentityFile, OwnersFile, Paging, VerifyFile, With};

const READING: [&str; 2] = ["GET", "HEAD"];
const ASKING: [&str; 3] = ["GET", "HEAD", "POST"];

/// Proves all sections of a rule.
pub(super) fn check(rule: &Rule, notes: &mut Notes<'_>) {
    let offline = offline_names(rule, notes);
    let mut online = offline.clone();
    online.extend(["organisation".to_owned(), "cause".to_owned()]);
    if let Some(verify) = rule.verify() {
        online.extend(identity_names(verify));
        asks(rule, verify, &offline, notes);
    }
    if let Some(decode) = rule.decode() {
        let single = |name: &&String| *name != "organisations" && *name != "scopes";
        online.extend(decode.identity.keys().filter(single).cloned());
    }
    weights(rule, notes);
    if let Some(file) = rule.owners() {
        let mut known = online.clone();
        known.remove("cause");
        owners(rule, file, &known, notes);
    }
    if let Some(file) = rule.contain() {
        let way = Way {
            place: "[contain]".to_owned(),
            with: file.with,
            steps: file.steps(),
            page: file.page.as_deref(),
        };
        way.check(rule, &online, notes);
        notes.add_unless(
            !file.effect.trim().is_empty(),
            "[contain] effect is empty",
            "say what it does to whom: it is shown before anything is done",
        );
    }
    if let Some(file) = rule.revoke() {
        ways::revocations(rule, file, &online, notes);
    }
}

fn weights(rule: &Rule, notes: &mut Notes<'_>) {
    for (at, weight) in rule.weights().iter().enumerate() {
        notes.add_unless(
            !weight.scopes.is_empty() || !weight.only.is_empty() || !weight.identity.is_empty(),
            format!("[[weight]] no. {} holds of everything", at + 1),
            "give scopes, only, or identity; severity of the rule itself is for the rest",
        );
        notes.add_unless(
            !weight.because.trim().is_empty(),
            format!("[[weight]] no. {} has an empty because", at + 1),
            "say what such a token opens",
        );
    }
    if let Some(needed) = rule.needed() {
        notes.add_unless(
            !needed.what.trim().is_empty() && !needed.scopes.is_empty(),
            "[rule.use] says no scopes, or not what they are for",
            "give what and scopes, or leave it out",
        );
    }
}

/// Names that are filled before the service was asked anything.
fn offline_names(rule: &Rule, notes: &mut Notes<'_>) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = ["secret", "base", "operator"].map(str::to_owned).into();
    known.extend(rule.service.head().values.keys().cloned());
    known.extend(rule.needs.iter().map(|part| part.rule().to_owned()));
    known.extend(rule.near.iter().map(|(name, _)| name.clone()));
    known.extend(rule.facts.iter().map(|name| name.clone().into_owned()));
    let further = rule.service.head().credentials.keys();
    known.extend(further.map(|name| format!("operator-{name}")));
    for (_, part) in rule.near.iter().flat_map(|(_, rules)| rules.iter().enumerate()) {
        let other = rule
            .service
            .file()
            .rule
            .iter()
            .find(|other| other.id == part.rule());
        known.extend(
            other
                .and_then(|other| other.decode.as_ref())
                .into_iter()
                .flat_map(|decode| decode.take.keys().cloned()),
        );
    }
    if let Some(decode) = rule.decode() {
        for (name, pointer) in &decode.take {
            notes.add_unless(
                is_pointer(pointer) && !pointer.contains('*'),
                format!("decode.take.{name} = {pointer:?} is no JSON pointer to one value"),
                "a pointer begins with / and has no *",
            );
            let taken =
                calls::BUILT_IN.contains(&name.as_str()) && !["base", "region"].contains(&name.as_str());
            no_shadow(taken, name, "decode.take", notes);
            known.insert(name.clone());
        }
        for (field, fact) in &decode.identity {
            notes.add_unless(
                decode.take.contains_key(fact),
                format!("decode.identity.{field} names {fact:?}, which decode.take does not have"),
                "take it, or correct the name",
            );
        }
    }
    known
}

pub(super) fn no_shadow(taken: bool, name: &str, place: &str, notes: &mut Notes<'_>) {
    notes.add_unless(
        !taken,
        format!("{place} gives {name:?}, which unleak fills itself"),
        "choose another name",
    );
}

fn identity_names(verify: &VerifyFile) -> BTreeSet<String> {
    let parts = std::iter::once(&verify.identity)
        .chain(verify.fallback.iter().map(|fallback| &fallback.identity))
        .chain(verify.identify.iter().map(|identify| &identify.identity));
    parts
        .flat_map(|identity| identity.keys().cloned())
        .filter(|name| name != "organisations" && name != "scopes")
        .collect()
}

fn identity(place: &str, identity: &IdentityFile, notes: &mut Notes<'_>) {
    for (name, at) in identity {
        let header = at.strip_prefix("header:");
        notes.add_unless(
            header.map_or_else(|| at.starts_with('/'), |header| !header.is_empty()),
            format!("{place} identity.{name} = {at:?} is neither a JSON pointer nor header:NAME"),
            "write \"/login\" or \"header:X-OAuth-Scopes\"",
        );
        let own = ["principal", "email"].contains(&name.as_str());
        no_shadow(
            calls::BUILT_IN.contains(&name.as_str()) && !own,
            name,
            &format!("{place} identity"),
            notes,
        );
    }
}

/// Methods of a question: a POST says why it only reads.
fn reading(why: Option<&String>) -> &'static [&'static str] {
    if why.is_some_and(|why| !why.trim().is_empty()) {
        &ASKING
    } else {
        &READING
    }
}

fn asks(rule: &Rule, verify: &VerifyFile, known: &BTreeSet<String>, notes: &mut Notes<'_>) {
    let frame = Frame {
        place: "[verify]".to_owned(),
        known,
        methods: reading(verify.reads.as_ref()),
        in_url: verify
            .secret_in_url
            .as_ref()
            .is_some_and(|why| !why.trim().is_empty()),
    };
    calls::check(rule, &verify.call(), &frame, notes);
    let by_key = verify.live.iter().all(|live| live.certifies.is_some());
    notes.add_unless(
        by_key || uses(&verify.call(), "secret"),
        "[verify] does not send {secret}",
        "ask about the token itself, or compare its public key (certifies)",
    );
    replies::verdicts("[verify]", &verify.live, &verify.dead, notes);
    identity("[verify]", &verify.identity, notes);
    if let Some(fallback) = &verify.fallback {
        let frame = Frame {
            place: "[verify.fallback]".to_owned(),
            known,
            methods: reading(fallback.reads.as_ref()),
            in_url: false,
        };
        calls::check(rule, &fallback.call(), &frame, notes);
        notes.add_unless(
            !fallback.when.is_empty(),
            "[verify.fallback] when is empty",
            "say which reply to the first question leads here",
        );
        replies::each("[verify.fallback] when", &fallback.when, false, notes);
        replies::verdicts("[verify.fallback]", &fallback.live, &fallback.dead, notes);
        identity("[verify.fallback]", &fallback.identity, notes);
    }
    let mut known = known.clone();
    known.extend(identity_names(verify));
    for (at, one) in verify.identify.iter().enumerate() {
        let frame = Frame {
            place: format!("[[verify.identify]] no. {}", at + 1),
            known: &known,
            methods: reading(one.reads.as_ref()),
            in_url: false,
        };
        calls::check(rule, &one.call(), &frame, notes);
        identity(&frame.place, &one.identity, notes);
    }
}

fn owners(rule: &Rule, file: &OwnersFile, known: &BTreeSet<String>, notes: &mut Notes<'_>) {
    let frame = Frame {
        place: "[owners]".to_owned(),
        known,
        methods: &ASKING,
        in_url: false,
    };
    calls::check(rule, &file.call(), &frame, notes);
    ways::authority("[owners]", file.with, &[file.call()], notes);
    notes.add_unless(
        file.with != With::Session,
        "[owners] with = \"session\" cannot be asked",
        "use operator or secret, or leave the section out",
    );
    list("[owners]", &file.each, file.next.as_ref(), notes);
    notes.add_unless(
        file.fields.contains_key("name") || file.fields.contains_key("email"),
        "[owners] fields has neither name nor email",
        "say where an entry holds them",
    );
    let known = ["name", "email"];
    notes.add_unless(
        file.fields.keys().all(|name| known.contains(&name.as_str()))
            && file
                .fields
                .values()
                .chain(file.conditions.keys())
                .all(|at| is_pointer(at)),
        "[owners] fields or where is wrong",
        "fields are name and email; both they and where use JSON pointers within an entry",
    );
}

pub(super) fn list(place: &str, each: &str, next: Option<&Paging>, notes: &mut Notes<'_>) {
    notes.add_unless(
        is_list(each),
        format!("{place} each = {each:?} does not name the entries of a list"),
        "it is a JSON pointer that ends in /*",
    );
    if let Some(Paging::Json(pointer) | Paging::Cursor { at: pointer, .. }) = next {
        notes.add_unless(
            pointer.starts_with('/'),
            format!("{place} next = {pointer:?} is no JSON pointer"),
            "say where the next page's URL, or its cursor, stands",
        );
    }
    if let Some(Paging::Cursor { parameter, .. }) = next {
        notes.add_unless(
            !parameter.is_empty()
                && parameter
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"&=?#%+".contains(&byte)),
            format!("{place} next: {parameter:?} is no name of a parameter"),
            "name the parameter of the URL that the cursor goes into",
        );
    }
}
