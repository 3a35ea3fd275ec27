//! Proves the ways to contain and to revoke: that they go with the authority that they say, and act on nothing but what is
//! proved to be the token.

use std::collections::BTreeSet;

use super::calls::{self, Frame, is_page, is_pointer, uses};
use super::sections::{list, no_shadow};
use super::{Notes, replies};
use crate::rule::compile::Rule;
use crate::rule::file::{CallFile, FindFile, Paging, RevokeFile, StepFile, With};
use crate::rule::template;

const ALL: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Whether the calls carry what they say they go with.
pub(super) fn authority(place: &str, with: With, calls: &[CallFile], notes: &mut Notes<'_>) {
    let of_operator = |name: &str| name == "operator" || name.starts_with("operator-");
    let operator = calls
        .iter()
        .flat_map(calls::all_holes)
        .any(|hole| hole.names().any(of_operator));
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

/// Proves all ways of a revocation, and their order.
pub(super) fn revocations(rule: &Rule, file: &RevokeFile, known: &BTreeSet<String>, notes: &mut Notes<'_>) {
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
        revocation(rule, one, place, known, notes);
    }
    let reversible: Vec<bool> = file
        .ways()
        .map(|way| way.reversible || way.with == With::Session)
        .collect();
    notes.add_unless(
        reversible.is_sorted_by(|a, b| a >= b),
        "[revoke] a way that can be undone stands behind one that cannot",
        "put it first",
    );
}

fn revocation(rule: &Rule, one: &RevokeFile, place: String, known: &BTreeSet<String>, notes: &mut Notes<'_>) {
    notes.add_unless(
        one.collateral.as_ref().is_none_or(|what| !what.trim().is_empty()),
        format!("{place} collateral is empty"),
        "say what else ends, or leave it out",
    );
    notes.add_unless(
        one.finish.is_empty() || one.reversible,
        format!("{place} has a finish and is not reversible"),
        "only what can be undone is made final later",
    );
    let way = |place, steps| Way {
        place,
        with: one.with,
        steps,
        page: one.page.as_deref(),
    };
    if !one.finish.is_empty() {
        way(format!("{place} finish"), one.finish.clone()).check(rule, known, notes);
    }
    way(place, one.steps()).check(rule, known, notes);
}

/// A containment or one way of a revocation.
pub(super) struct Way<'a> {
    pub(super) place: String,
    pub(super) with: With,
    pub(super) steps: Vec<StepFile>,
    pub(super) page: Option<&'a str>,
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

    pub(super) fn check(&self, rule: &Rule, known: &BTreeSet<String>, notes: &mut Notes<'_>) {
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
                in_url: false,
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
                .chain(step.save_secret.keys())
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
        let filled = template::names(value);
        notes.add_unless(
            is_pointer(pointer)
                && filled.iter().any(|name| name != "base")
                && filled.iter().all(|name| known.contains(name)),
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
