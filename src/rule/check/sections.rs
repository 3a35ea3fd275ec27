//! Proves the sections of a rule: verify, owners, contain and revoke.

use std::collections::BTreeSet;

use super::calls::{self, Frame, is_list, is_page, is_pointer, uses};
use super::{Notes, replies};
use crate::rule::compile::Rule;
use crate::rule::file::{CallFile, FindFile, IdentityFile, OwnersFile, Paging, StepFile, VerifyFile, With};

const READING: [&str; 2] = ["GET", "HEAD"];
const ASKING: [&str; 3] = ["GET", "HEAD", "POST"];
const ALL: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

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
        for (at, one) in file.ways().enumerate() {
            let place = if at == 0 {
                "[revoke]".to_owned()
            } else {
                format!("[revoke] otherwise no. {at}")
            };
            notes.add_unless(
                !one.everywhere || !rule.service.head().regions.is_empty(),
                format!("{place} everywhere is set, but the service has no regions"),
                "list service.regions, or leave everywhere out",
            );
            notes.add_unless(
                at == 0 || one.otherwise.is_empty(),
                format!("{place} has an otherwise of its own"),
                "list all ways under [revoke], in order",
            );
            let way = Way {
                place,
                with: one.with,
                steps: one.steps(),
                page: one.page.as_deref(),
            };
            way.check(rule, &online, notes);
        }
    }
}

/// Names that are filled before the service was asked anything.
fn offline_names(rule: &Rule, notes: &mut Notes<'_>) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = ["secret", "base", "operator"].map(str::to_owned).into();
    known.extend(rule.service.head().values.keys().cloned());
    known.extend(rule.needs.iter().map(|part| part.rule().to_owned()));
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

fn no_shadow(taken: bool, name: &str, place: &str, notes: &mut Notes<'_>) {
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

fn asks(rule: &Rule, verify: &VerifyFile, known: &BTreeSet<String>, notes: &mut Notes<'_>) {
    let says_why = verify.reads.as_ref().is_some_and(|why| !why.trim().is_empty());
    let frame = Frame {
        place: "[verify]".to_owned(),
        known,
        methods: if says_why { &ASKING } else { &READING },
    };
    calls::check(rule, &verify.call(), &frame, notes);
    notes.add_unless(
        uses(&verify.call(), "secret"),
        "[verify] does not send {secret}",
        "ask about the token itself",
    );
    replies::verdicts("[verify]", &verify.live, &verify.dead, notes);
    identity("[verify]", &verify.identity, notes);
    if let Some(fallback) = &verify.fallback {
        let frame = Frame {
            place: "[verify.fallback]".to_owned(),
            known,
            methods: &READING,
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
            methods: &READING,
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
    };
    calls::check(rule, &file.call(), &frame, notes);
    authority("[owners]", file.with, &[file.call()], notes);
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

fn list(place: &str, each: &str, next: Option<&Paging>, notes: &mut Notes<'_>) {
    notes.add_unless(
        is_list(each),
        format!("{place} each = {each:?} does not name the entries of a list"),
        "it is a JSON pointer that ends in /*",
    );
    if let Some(Paging::Json(pointer)) = next {
        notes.add_unless(
            pointer.starts_with('/'),
            format!("{place} next = {pointer:?} is no JSON pointer"),
            "say where the next page's URL stands",
        );
    }
}

/// Whether the calls carry what they say they go with.
fn authority(place: &str, with: With, calls: &[CallFile], notes: &mut Notes<'_>) {
    let operator = calls.iter().any(|call| uses(call, "operator"));
    let secret = calls.iter().any(|call| uses(call, "secret"));
    match with {
        With::Secret => notes.add_unless(
            secret && !operator,
            format!("{place} with = \"secret\" must send {{secret}} and not {{operator}}"),
            "correct the calls, or with",
        ),
        With::Operator => notes.add_unless(
            operator,
            format!("{place} with = \"operator\" does not send {{operator}}"),
            "send it in a header, or correct with",
        ),
        With::Session => {}
    }
}

/// A containment or one way of a revocation.
struct Way<'a> {
    place: String,
    with: With,
    steps: Vec<StepFile>,
    page: Option<&'a str>,
}

impl Way<'_> {
    fn page(&self, notes: &mut Notes<'_>) {
        let place = &self.place;
        if let Some(page) = self.page {
            notes.add_unless(
                is_page(page),
                format!("{place} page = {page:?} is no https:// address, and no {{base}}/ one"),
                "name the page where a person does it",
            );
        }
        if self.with == With::Session {
            notes.add_unless(
                self.steps.is_empty() && self.page.is_some(),
                format!("{place} with = \"session\" must have a page and no request"),
                "only a person signed in can do it: the link is all we have",
            );
        }
    }

    fn check(&self, rule: &Rule, known: &BTreeSet<String>, notes: &mut Notes<'_>) {
        let place = &self.place;
        self.page(notes);
        if self.with == With::Session {
            return;
        }
        notes.add_unless(
            !self.steps.is_empty(),
            format!("{place} has neither a request nor steps"),
            "say what to send, or use with = \"session\" and a page",
        );
        let calls: Vec<_> = self.steps.iter().map(StepFile::call).collect();
        authority(place, self.with, &calls, notes);
        let mut known = known.clone();
        for (at, step) in self.steps.iter().enumerate() {
            let place = if self.steps.len() > 1 {
                format!("{place} step {}", at + 1)
            } else {
                place.clone()
            };
            let frame = Frame {
                place,
                known: &known,
                methods: &ALL,
            };
            calls::check(rule, &calls[at], &frame, notes);
            replies::each(&format!("{} done", frame.place), &step.done, false, notes);
            replies::each(&format!("{} already", frame.place), &step.already, false, notes);
            if let Some(find) = &step.find {
                picks(
                    &frame.place,
                    find,
                    step.next.as_ref(),
                    &known,
                    &calls[at + 1..],
                    notes,
                );
            }
            let given = step
                .save
                .keys()
                .chain(step.find.iter().flat_map(|find| find.take.keys()));
            let given: Vec<String> = given.cloned().collect();
            for name in &given {
                no_shadow(
                    calls::BUILT_IN.contains(&name.as_str()),
                    name,
                    &frame.place,
                    notes,
                );
            }
            known.extend(given);
        }
    }
}

/// A list's entry must be told by something, and what is taken of it must be used: acting on another one is the worst
/// that a rule file can do.
fn picks(
    place: &str,
    find: &FindFile,
    next: Option<&Paging>,
    known: &BTreeSet<String>,
    later: &[CallFile],
    notes: &mut Notes<'_>,
) {
    list(&format!("{place} find"), &find.each, next, notes);
    notes.add_unless(
        !find.conditions.is_empty(),
        format!("{place} find has no where"),
        "say which entry is meant: never the first of a list",
    );
    for (pointer, value) in &find.conditions {
        let filled = calls::holes(value);
        notes.add_unless(
            is_pointer(pointer)
                && filled.iter().any(|hole| hole.name != "base")
                && filled.iter().all(|hole| known.contains(&hole.name)),
            format!("{place} find.where {pointer:?} = {value:?} does not tell one entry from another"),
            "compare a JSON pointer with a name that is filled here, such as {principal}",
        );
    }
    if let Some(touched) = &find.touched {
        notes.add_unless(
            touched.pointer.starts_with('/') && (1..=600).contains(&touched.settle_seconds),
            format!("{place} find.touched is wrong"),
            "give a JSON pointer, and between 1 and 600 seconds",
        );
    }
    for name in find.take.keys() {
        notes.add_unless(
            later.iter().any(|call| uses(call, name)),
            format!("{place} find.take.{name} is used by no later step"),
            "use it, or leave it out",
        );
    }
    notes.add_unless(
        !find.take.is_empty() && find.take.values().all(|at| is_pointer(at)),
        format!("{place} find takes nothing, or not by a JSON pointer"),
        "take the entry's id",
    );
}
